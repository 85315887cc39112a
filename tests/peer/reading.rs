//! Reads and subscriptions of the peer: from the log to answers, page by page.

use super::log::{Entry, Log, Sight};
use super::wire::{
    self, AllFrom, Answer, CaughtUp, EventAnswer, FilterOn, Id, Name, NotFound, Place, ReadAnswer,
    ReadCount, ReadFilter, ReadOptions, ReadWhat, Recorded, StreamFrom,
};
use super::{Node, status};
use bytes::Bytes;
use regex::Regex;
use std::collections::HashMap;
use std::sync::atomic::Ordering;
use tokio::sync::mpsc::Sender;
use tonic::{Code, Status};

/// Entries looked at between two looks at the clients.
const CHUNK: usize = 256;

/// Which events of the log are wanted.
enum Wanted {
    All,
    Prefixes(Vec<String>, bool),
    Matches(Regex, bool, bool),
}

impl Wanted {
    /// The regular expressions that clients send, with the one look-ahead that they use.
    fn parse(filter: Option<&ReadFilter>) -> Result<(Self, usize), Status> {
        let Some(ReadFilter::Some(filter)) = filter else {
            return Ok((Self::All, usize::MAX));
        };
        let bad = |text: &str| Status::invalid_argument(text.to_owned());
        let (expression, by_name) = match &filter.on {
            Some(FilterOn::Name(expression)) => (expression, true),
            Some(FilterOn::Kind(expression)) => (expression, false),
            None => return Err(bad("a filter needs something to look at")),
        };
        let window = match filter.window {
            Some(wire::Window::Max(0)) => return Err(bad("the window must not be 0")),
            Some(wire::Window::Max(max)) => max as usize,
            _ => 32,
        };
        let every = window.saturating_mul(filter.multiplier.max(1) as usize);
        if !expression.prefixes.is_empty() {
            return Ok((Self::Prefixes(expression.prefixes.clone(), by_name), every));
        }
        if expression.regex.is_empty() {
            return Err(bad("a filter needs a regular expression or a prefix"));
        }
        let inner = expression.regex.strip_prefix("^(?!(");
        let (text, not) = match inner.and_then(|inner| inner.strip_suffix("))")) {
            Some(inner) => (format!("^({inner})"), true),
            None => (expression.regex.clone(), false),
        };
        let regex = Regex::new(&text).map_err(|error| bad(&error.to_string()))?;
        Ok((Self::Matches(regex, not, by_name), every))
    }

    fn has(&self, entry: &Entry) -> bool {
        let of = |by_name: bool| {
            if by_name {
                &*entry.stream
            } else {
                &*entry.kind
            }
        };
        match self {
            Self::All => true,
            Self::Prefixes(prefixes, by_name) => {
                let text = of(*by_name);
                prefixes
                    .iter()
                    .any(|prefix| text.starts_with(prefix.as_str()))
            }
            Self::Matches(regex, not, by_name) => regex.is_match(of(*by_name)) != *not,
        }
    }
}

/// Where answers go.
pub(super) struct Out {
    sender: Sender<Result<ReadAnswer, Status>>,
    as_text: bool,
}

/// Nobody reads the answers any more.
struct Gone;

impl Out {
    async fn send(&self, answer: Answer) -> Result<(), Gone> {
        let answer = ReadAnswer {
            answer: Some(answer),
        };
        self.sender.send(Ok(answer)).await.map_err(|_| Gone)
    }

    async fn event(&self, entry: &Entry) -> Result<(), Gone> {
        self.send(Answer::Event(event(entry, self.as_text))).await
    }
}

fn event(entry: &Entry, as_text: bool) -> EventAnswer {
    let system = HashMap::from([
        ("type".to_owned(), entry.kind.clone()),
        ("content-type".to_owned(), entry.content.clone()),
        // Ticks of 100 ns since 1970: any time will do.
        ("created".to_owned(), "17000000000000000".to_owned()),
    ]);
    EventAnswer {
        event: Some(Recorded {
            id: Some(Id::of(entry.id, as_text)),
            stream: Some(name(&entry.stream)),
            revision: entry.revision,
            prepare: entry.place,
            commit: entry.place,
            system,
            metadata: entry.metadata.clone(),
            data: entry.data.clone(),
        }),
        commit: Some(entry.place),
    }
}

pub(super) fn name(name: &str) -> Name {
    Name {
        name: Bytes::copy_from_slice(name.as_bytes()),
    }
}

/// The text of a name.
pub(super) fn text(name: Option<&Name>) -> Result<String, Status> {
    let bytes = name.map(|name| name.name.to_vec()).unwrap_or_default();
    String::from_utf8(bytes).map_err(|_| Status::invalid_argument("a name is UTF-8"))
}

/// Answers a read; returns once it is known to be a good request, and goes on by itself.
pub(super) fn read(
    node: &Node,
    options: Option<ReadOptions>,
    sender: Sender<Result<ReadAnswer, Status>>,
) -> Result<(), Status> {
    let options = options.ok_or_else(|| Status::invalid_argument("no options"))?;
    let as_text = options.id_form.is_some_and(|form| form.text.is_some());
    let out = Out { sender, as_text };
    let count = match options.count {
        Some(ReadCount::Count(count)) => Some(count),
        Some(ReadCount::Forever(_)) => None,
        None => return Err(Status::invalid_argument("no count")),
    };
    if count.is_none() && options.backwards == 1 {
        return Err(Status::invalid_argument("subscriptions go forward"));
    }
    match options.what.clone() {
        Some(ReadWhat::All(all)) => {
            let (wanted, every) = Wanted::parse(options.filter.as_ref())?;
            if let Some(AllFrom::Place(place)) = all.from
                && place.commit < place.prepare
            {
                let why = "the commit position is before the prepare position";
                return Err(Status::invalid_argument(why));
            }
            let task = All {
                node: node.clone(),
                out,
                wanted,
                every,
                from: all.from,
            };
            match count {
                Some(count) => {
                    tokio::spawn(async move { task.page(options.backwards == 1, count).await });
                }
                None => {
                    tokio::spawn(async move { task.follow().await });
                }
            }
        }
        Some(ReadWhat::Stream(stream)) => {
            let task = One {
                node: node.clone(),
                out,
                name: text(stream.name.as_ref())?,
                from: stream.from,
            };
            if let Some(StreamFrom::Revision(revision)) = stream.from
                && revision > i64::MAX as u64
            {
                return Err(Status::invalid_argument("that is not a revision"));
            }
            let positions = options.control.is_some_and(|known| known.compatibility > 0);
            match count {
                Some(count) => {
                    let backwards = options.backwards == 1;
                    if node.world.log.lock().sight(&task.name) == Sight::Tombstoned {
                        return Err(deleted(&task.name));
                    }
                    tokio::spawn(async move { task.page(backwards, count, positions).await });
                }
                None => {
                    tokio::spawn(async move { task.follow().await });
                }
            }
        }
        None => return Err(Status::invalid_argument("neither a stream nor everything")),
    }
    Ok(())
}

pub(super) fn deleted(name: &str) -> Status {
    let text = format!("Event stream '{name}' is deleted.");
    status(
        Code::FailedPrecondition,
        &text,
        &[("exception", "stream-deleted"), ("stream-name", name)],
    )
}

/// A read of everything.
struct All {
    node: Node,
    out: Out,
    wanted: Wanted,
    every: usize,
    from: Option<AllFrom>,
}

impl All {
    fn chunk(&self, from: usize) -> Vec<Entry> {
        let log = self.node.world.log.lock();
        log.entries()
            .iter()
            .skip(from)
            .take(CHUNK)
            .cloned()
            .collect()
    }

    async fn page(self, backwards: bool, count: u64) -> Result<(), Gone> {
        self.node.world.pages.fetch_add(1, Ordering::SeqCst);
        let mut left = count;
        if backwards {
            let entries = {
                let log = self.node.world.log.lock();
                let end = match self.from {
                    Some(AllFrom::Place(place)) => log.index_of(place.commit),
                    Some(AllFrom::Start(_)) => 0,
                    _ => log.entries().len(),
                };
                let until = log.entries().get(..end).unwrap_or_default();
                let wanted = until.iter().rev().filter(|entry| self.wanted.has(entry));
                let most = usize::try_from(count).unwrap_or(usize::MAX);
                wanted.take(most).cloned().collect::<Vec<_>>()
            };
            for entry in entries {
                self.out.event(&entry).await?;
            }
            return Ok(());
        }
        let mut at = match self.from {
            Some(AllFrom::Place(place)) => self.node.world.log.lock().index_of(place.commit),
            Some(AllFrom::End(_)) => usize::MAX,
            _ => 0,
        };
        loop {
            let chunk = self.chunk(at);
            if chunk.is_empty() {
                return Ok(());
            }
            at += chunk.len();
            for entry in chunk.iter().filter(|entry| self.wanted.has(entry)) {
                if left == 0 {
                    return Ok(());
                }
                left -= 1;
                self.out.event(entry).await?;
            }
        }
    }

    async fn follow(self) -> Result<(), Gone> {
        self.out.send(confirmed()).await?;
        let mut news = self.node.world.news.subscribe();
        let mut endings = self.node.world.endings.subscribe();
        self.node.world.followers.send_modify(|begun| *begun += 1);
        let mut at = {
            let log = self.node.world.log.lock();
            match self.from {
                // Behind the place, not at it.
                Some(AllFrom::Place(place)) => log.index_of(place.commit + 1),
                Some(AllFrom::End(_)) => log.entries().len(),
                _ => 0,
            }
        };
        let (mut live, mut looked) = (false, 0_usize);
        loop {
            news.borrow_and_update();
            let chunk = self.chunk(at);
            at += chunk.len();
            for entry in &chunk {
                looked += 1;
                let hidden = self.node.world.hidden.lock().as_deref() == Some(&*entry.stream);
                if self.wanted.has(entry) && !hidden {
                    self.out.event(entry).await?;
                }
                if looked >= self.every {
                    looked = 0;
                    self.out
                        .send(Answer::Checkpoint(place(entry.place)))
                        .await?;
                }
            }
            if !chunk.is_empty() {
                continue;
            }
            if !live {
                live = true;
                let last = at.checked_sub(1);
                let last = last.and_then(|last| {
                    let log = self.node.world.log.lock();
                    log.entries().get(last).map(|entry| entry.place)
                });
                let caught_up = CaughtUp {
                    revision: None,
                    place: last.map(place),
                };
                self.out.send(Answer::CaughtUp(caught_up)).await?;
            }
            tokio::select! {
                _ = endings.changed() => return Ok(()),
                changed = news.changed() => if changed.is_err() { return Ok(()) },
                () = self.out.sender.closed() => return Ok(()),
            }
        }
    }
}

fn confirmed() -> Answer {
    Answer::Confirmed(wire::Confirmed {
        subscription: "peer".to_owned(),
    })
}

fn place(place: u64) -> Place {
    Place {
        commit: place,
        prepare: place,
    }
}

/// A read of one stream.
struct One {
    node: Node,
    out: Out,
    name: String,
    from: Option<StreamFrom>,
}

impl One {
    /// What may be seen of it, and all of that.
    fn seen(&self) -> (Sight, Vec<Entry>) {
        let log: &Log = &self.node.world.log.lock();
        let sight = log.sight(&self.name);
        let Sight::Some { first, .. } = sight else {
            return (sight, Vec::new());
        };
        let entries = log.of_stream(&self.name);
        let seen = entries.into_iter().filter(|entry| entry.revision >= first);
        (sight, seen.cloned().collect())
    }

    async fn page(self, backwards: bool, count: u64, positions: bool) -> Result<(), Gone> {
        let (sight, entries) = self.seen();
        let Sight::Some { first, last } = sight else {
            let stream = Some(name(&self.name));
            return self.out.send(Answer::NotFound(NotFound { stream })).await;
        };
        let most = usize::try_from(count).unwrap_or(usize::MAX);
        let chosen: Vec<Entry> = if backwards {
            let to = match self.from {
                Some(StreamFrom::Revision(revision)) => revision,
                Some(StreamFrom::Start(_)) => 0,
                _ => u64::MAX,
            };
            let until = entries
                .into_iter()
                .rev()
                .filter(|entry| entry.revision <= to);
            until.take(most).collect()
        } else {
            let from = match self.from {
                Some(StreamFrom::Revision(revision)) => revision,
                Some(StreamFrom::End(_)) => u64::MAX,
                _ => 0,
            };
            let behind = entries.into_iter().filter(|entry| entry.revision >= from);
            behind.take(most).collect()
        };
        let end = chosen.len() < most;
        for entry in &chosen {
            self.out.event(entry).await?;
        }
        match (positions && end, backwards) {
            (true, false) => self.out.send(Answer::Last(last)).await,
            (true, true) => self.out.send(Answer::First(first)).await,
            _ => Ok(()),
        }
    }

    async fn follow(self) -> Result<(), Gone> {
        self.out.send(confirmed()).await?;
        let mut news = self.node.world.news.subscribe();
        let mut from = match self.from {
            Some(StreamFrom::Revision(revision)) => revision + 1,
            Some(StreamFrom::End(_)) => match self.seen().0 {
                Sight::Some { last, .. } => last + 1,
                _ => 0,
            },
            _ => 0,
        };
        let mut live = false;
        loop {
            news.borrow_and_update();
            let (sight, entries) = self.seen();
            if sight == Sight::Tombstoned {
                let _ = self.out.sender.send(Err(deleted(&self.name))).await;
                return Ok(());
            }
            for entry in entries.iter().filter(|entry| entry.revision >= from) {
                self.out.event(entry).await?;
            }
            from = entries
                .last()
                .map_or(from, |entry| from.max(entry.revision + 1));
            if !live {
                live = true;
                let revision = from.checked_sub(1).map(u64::cast_signed);
                let caught_up = CaughtUp {
                    revision,
                    place: None,
                };
                self.out.send(Answer::CaughtUp(caught_up)).await?;
            }
            tokio::select! {
                changed = news.changed() => if changed.is_err() { return Ok(()) },
                () = self.out.sender.closed() => return Ok(()),
            }
        }
    }
}
