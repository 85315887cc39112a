//! Measures the engine for an event server against its bare client, on one stand-in server in a process of its own:
//!
//! ```sh
//! cargo run --release -p idledger-tests --example kurrent_rate -- 2000            # appends, and a read of everything
//! cargo run --release -p idledger-tests --example kurrent_rate -- memory 200000   # memory while following
//! ```
//!
//! Appends of one record of 1,300 bytes at 1, 16 and 64 in flight, each task to a stream of its own, and a read of
//! everything. Both sides take turns, five rounds; the table gives medians and what the engine reaches of the bare
//! client. One table with a server that answers when the event is on this machine's disk, as a real one does, and one
//! with a server that keeps it in memory only. The engine does more: it counts every event, which it reads back, and
//! checks every event that it reads.
//!
//! `memory` follows a log that was there before and one that grows, while somebody reads slowly, and prints the most
//! memory that the process ever had (Linux).

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    reason = "a measurement: it may stop with a panic"
)]

use domain::ids::{Position, Revision};
use idledger_tests::peer::log::{Expected as On, New};
use idledger_tests::peer::{Peer, Settings};
use kurrentdb::{AppendToStreamOptions, Client, EventData, ReadAllOptions, StreamState};
use ledger::conformance::{record, stream};
use ledger::kurrentdb::{Address, Kurrent, Options};
use ledger::store::{EventStore, Expected, PAGE_RECORDS_MAX};
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

const ROUNDS: usize = 5;
const BYTES: usize = 1300;
/// About what an account comes to.
const EVENTS_OF_A_STREAM: u64 = 15;

#[tokio::main]
async fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize, otherwise: u64| {
        let given = arguments.get(at);
        given.map_or(otherwise, |text| text.parse().unwrap())
    };
    match arguments.first().map(String::as_str) {
        Some("serve") => serve(number(1, 0) == 1).await,
        Some("memory") => memory(number(1, 200_000)).await,
        _ => {
            for (durable, what) in [
                (true, "a server that writes to this disk"),
                (false, "a server in memory"),
            ] {
                println!("{what}");
                rates(&Server::start(durable), number(0, 2000)).await;
            }
        }
    }
}

/// The stand-in, in a process of its own.
struct Server {
    child: Child,
    url: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    fn start(durable: bool) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["serve", if durable { "1" } else { "0" }])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut url = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut url).unwrap();
        Self {
            child,
            url: url.trim().to_owned(),
        }
    }

    /// Has it write so many events more, by itself.
    fn fill(&mut self, events: u64) {
        let mut input = self.child.stdin.as_ref().unwrap();
        writeln!(input, "{events}").unwrap();
    }
}

/// Serves until its input ends; a line there is how many events to write.
async fn serve(durable: bool) {
    let peer = Peer::start(Settings {
        durable,
        ..Settings::default()
    })
    .await;
    println!("{}", peer.url());
    let told = tokio::task::spawn_blocking(move || {
        let mut next = 0;
        for line in std::io::stdin().lines() {
            let events: u64 = line.unwrap().parse().unwrap();
            for n in next..next + events {
                let record = record(n, BYTES);
                let name = format!("idledger.{}", stream(n / EVENTS_OF_A_STREAM));
                let event = New {
                    id: record.event_id.0,
                    kind: "Rate".to_owned(),
                    content: "application/octet-stream".to_owned(),
                    metadata: format!("{{\"link\":\"{}\"}}", record.link).into(),
                    data: record.bytes,
                };
                peer.with_log(|log| log.append(&name, On::Any, vec![event]).unwrap());
            }
            next += events;
        }
    });
    told.await.unwrap();
}

async fn open(url: &str, dir: &std::path::Path) -> Kurrent {
    let address = Address::parse(url).unwrap();
    Kurrent::open(Options::new(address, dir)).await.unwrap().0
}

/// The most memory this process ever had, in MiB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:"));
    let words: Vec<_> = line.unwrap().split_whitespace().collect();
    words[1].parse::<u64>().unwrap() / 1024
}

async fn memory(events: u64) {
    let mut server = Server::start(false);
    let dir = tempfile::tempdir().unwrap();
    let engine = open(&server.url, dir.path()).await;
    println!("at the start: {} MiB", peak());
    server.fill(events);
    let mut length = 0;
    let began = Instant::now();
    while length < events {
        length = engine.wait_beyond(length).await.unwrap();
    }
    println!(
        "{events} events followed in {:.1} s: {} MiB",
        began.elapsed().as_secs_f64(),
        peak()
    );
    // As many again, while somebody reads from the beginning and takes their time.
    server.fill(events);
    let (mut next, mut behind) = (0, 0);
    while next < 2 * events {
        let page = engine.read_all(Position(next), 100).await.unwrap();
        next += page.len() as u64;
        behind = behind.max(engine.length().await.unwrap() - next);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    println!(
        "{} events read slowly, at most {behind} behind: {} MiB",
        2 * events,
        peak()
    );
    engine.close().await;
}

async fn rates(server: &Server, events: u64) {
    let client = Client::new(server.url.parse().unwrap()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let engine = Arc::new(open(&format!("{}&streams=rate", server.url), dir.path()).await);
    println!("                 bare/s      engine/s   engine/bare");
    let mut next = 0_u64;
    for in_flight in [1, 16, 64_u64] {
        // A lone call is slow: fewer of them say as much.
        let all = if in_flight == 1 { events / 4 } else { events };
        let each = (all / in_flight).max(1);
        let (mut bare, mut ours) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            bare.push(bare_appends(&client, in_flight, each, &mut next).await);
            ours.push(engine_appends(&engine, in_flight, each, &mut next).await);
        }
        say(&format!("append {in_flight:>2}"), bare, ours);
    }
    let (mut bare, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        bare.push(bare_read(&client).await);
        ours.push(engine_read(&engine).await);
    }
    say("read all ", bare, ours);
    Arc::into_inner(engine).unwrap().close().await;
}

fn say(what: &str, bare: Vec<f64>, ours: Vec<f64>) {
    let median = |mut all: Vec<f64>| {
        all.sort_by(f64::total_cmp);
        all[all.len() / 2]
    };
    let (bare, ours) = (median(bare), median(ours));
    println!(
        "{what}    {bare:>10.0}    {ours:>10.0}    {:>6.0} %",
        100.0 * ours / bare
    );
}

async fn bare_appends(client: &Client, in_flight: u64, each: u64, next: &mut u64) -> f64 {
    let began = Instant::now();
    let tasks = (0..in_flight).map(|_| {
        *next += 1;
        let (client, name, first) = (client.clone(), format!("bare-{next}"), *next << 32);
        tokio::spawn(async move {
            for number in 0..each {
                let state = match number.checked_sub(1) {
                    None => StreamState::NoStream,
                    Some(last) => StreamState::StreamRevision(last),
                };
                let options = AppendToStreamOptions::default().stream_state(state);
                let record = record(first + number, BYTES);
                // The very event that the engine sends.
                let event = EventData::binary("Record", record.bytes)
                    .id(uuid::Uuid::from_bytes(record.event_id.0))
                    .metadata(format!("{{\"link\":\"{}\"}}", record.link).into());
                client
                    .append_to_stream(name.as_str(), &options, event)
                    .await
                    .unwrap();
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    (in_flight * each) as f64 / began.elapsed().as_secs_f64()
}

async fn engine_appends(engine: &Arc<Kurrent>, in_flight: u64, each: u64, next: &mut u64) -> f64 {
    let began = Instant::now();
    let tasks = (0..in_flight).map(|_| {
        *next += 1;
        let (engine, name, first) = (Arc::clone(engine), stream(*next), *next << 32);
        tokio::spawn(async move {
            for number in 0..each {
                let expected = match number.checked_sub(1) {
                    None => Expected::NoStream,
                    Some(last) => Expected::Revision(Revision(last)),
                };
                let record = record(first + number, BYTES);
                engine.append(name, expected, vec![record]).await.unwrap();
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    (in_flight * each) as f64 / began.elapsed().as_secs_f64()
}

/// The engine's own events, as the bare client reads them.
async fn bare_read(client: &Client) -> f64 {
    let began = Instant::now();
    let filter = kurrentdb::SubscriptionFilter::on_stream_name().add_prefix("rate.");
    let options = ReadAllOptions::default()
        .forwards()
        .filter(filter)
        .max_count(usize::MAX);
    let mut all = client.read_all(&options).await.unwrap();
    let mut count = 0_u64;
    while all.next().await.unwrap().is_some() {
        count += 1;
    }
    assert!(count > 0);
    count as f64 / began.elapsed().as_secs_f64()
}

async fn engine_read(engine: &Kurrent) -> f64 {
    let (began, mut next) = (Instant::now(), 0);
    loop {
        let page = engine
            .read_all(Position(next), PAGE_RECORDS_MAX)
            .await
            .unwrap();
        if page.is_empty() {
            return next as f64 / began.elapsed().as_secs_f64();
        }
        next += page.len() as u64;
    }
}
