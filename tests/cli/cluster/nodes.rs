//! Two servers of one ledger, each with its own directory and its own read models, killed and started again at
//! random while people register, apply and activate on both: with numbers, phones and devices that others want too.

use super::Cluster;
use crate::run::{Place, Server};
use crate::scenarios::dir;
use crate::scenarios::stage::{Seat, Stage, instant};
use crate::scenarios::template::{Template, copy_dir};
use crate::scenarios::{Parts, Step, read};
use domain::event::Event;
use domain::ids::{AccountId, Category, DeviceRef, EventId, Position, StreamId};
use domain::record::{RecordRef, open_event};
use ledger::segments::LogReader;
use ledger::testing::postgres::Postgres;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const START: &str = "2024-03-05T01:00:00Z";
/// People who want an account; fewer phones and devices than people.
const PEOPLE: u64 = 36;
const PHONES: u64 = 26;
const DEVICES: u64 = 22;
/// Killed and started again so often.
const RESTARTS: u64 = 6;
const WORKERS: u64 = 4;
/// How long both may take to show the same.
const AGREE_WITHIN: Duration = Duration::from_mins(1);

/// One server of the ledger: where it lives, and the process of the moment.
struct Node {
    place: Place,
    arguments: Vec<String>,
    server: Mutex<Arc<Server>>,
}

impl Node {
    fn start(place: Place, arguments: Vec<String>) -> Self {
        let server = Mutex::new(Arc::new(serve(&place, &arguments)));
        Self {
            place,
            arguments,
            server,
        }
    }

    fn server(&self) -> Arc<Server> {
        Arc::clone(&self.server.lock().unwrap())
    }

    /// Kill -9, and a new process on the same directory.
    fn restart(&self) {
        let mut server = self.server.lock().unwrap();
        server.kill();
        *server = Arc::new(serve(&self.place, &self.arguments));
    }
}

fn serve(place: &Place, arguments: &[String]) -> Server {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    place.serve(&arguments, &[])
}

/// The same numbers on every run.
struct Dice(u64);

impl Dice {
    fn next(&mut self, below: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % below
    }
}

/// Everybody whom the registry knows besides the scenarios' people.
fn people() -> String {
    let row = |number| {
        format!(
            "{{\"personal_id\": \"{}\", \"full_name\": \"Nguyễn Thị Đẹp\", \"birth_date\": \"1984-02-29\", \
             \"sex\": \"Nữ\", \"area\": 30288, \"residence\": \"Hải Dương\", \"card_issued\": \"2021-06-20\", \
             \"has_chip_card\": true}}\n",
            personal_id(number)
        )
    };
    (0..PEOPLE).map(row).collect()
}

fn personal_id(number: u64) -> String {
    format!("030184{:06}", 500_000 + number)
}

/// A second directory for the same ledger: its keys, what the registries know, and nothing else.
pub fn joining(first: &Place) -> Place {
    let place = Place::new();
    for part in ["secrets", "registry", "trust"] {
        let from = first.ledger().join(part);
        if from.exists() {
            copy_dir(&from, &place.ledger().join(part));
        }
    }
    place
}

fn parts(name: &str) -> Vec<Step> {
    let parts: Parts = read(&dir().join("parts").join(format!("{name}.toml")));
    parts.step
}

/// One person's way, on whichever server; how far they came. Somebody else's phone or device ends it, and
/// so does a server that dies: then they try again elsewhere.
fn live(template: &Template, nodes: &[Node], number: u64, seat: u64, dice: &mut Dice) -> usize {
    let (phone, device) = (dice.next(PHONES), dice.next(DEVICES));
    let given = [
        ("number", personal_id(number)),
        ("phone", format!("09{:08}", 12_000_000 + phone)),
        ("device", format!("shared {device}")),
    ];
    let given = given.map(|(name, value)| (name.to_owned(), value));
    let server = nodes[dice.next(nodes.len() as u64) as usize].server();
    let seat = Seat {
        server,
        first_nonce: seat << 32,
    };
    let start = instant(START);
    let mut stage = Stage::on(template, seat, start, BTreeMap::from(given));
    let way = ["app-account", "level-1", "activate"].map(parts);
    way.iter()
        .take_while(|steps| {
            let done = catch_unwind(AssertUnwindSafe(|| {
                steps.iter().for_each(|step| stage.run(step));
            }));
            done.is_ok()
        })
        .count()
}

/// Name, digest and position of each read model.
fn shown(node: &Node) -> Vec<(String, String, u64)> {
    let (status, body) = node.server().ask("GET", "/v1/projections", "", &[]);
    assert_eq!(status, 200, "{body}");
    let body: Value = serde_json::from_str(&body).unwrap();
    let all = body["projections"].as_array().unwrap().iter();
    all.map(|of| {
        let text = |name: &str| of[name].as_str().unwrap_or_default().to_owned();
        (
            text("name"),
            text("digest"),
            of["position"].as_u64().unwrap_or(0),
        )
    })
    .collect()
}

#[test]
fn two_servers_killed_at_random_under_load_agree_and_nothing_is_claimed_twice() {
    let (template, cluster, database) = (Template::new(), Cluster::start(), Postgres::start());
    let first = template.copy();
    let list = first.path("people.jsonl");
    fs::write(&list, people()).unwrap();
    first.good(&["registry", "import", list.to_str().unwrap()]);
    let store = cluster.take_over(&first);
    let vault = database.address();
    first.good(&["vault", "move", "--vault", &vault]);
    fs::rename(first.ledger().join("vault"), first.path("old vault")).unwrap();
    let second = joining(&first);
    let start = instant(START).to_string();
    let arguments = [
        "--store",
        &store,
        "--vault",
        &vault,
        "--open-reads",
        "--simulate-sms",
        "--simulate-clock",
        &start,
    ];
    let arguments = arguments.map(str::to_owned).to_vec();
    let nodes = [
        Node::start(first, arguments.clone()),
        Node::start(second, arguments),
    ];

    let came = work(&template, &nodes);
    assert!(
        came[3] >= 5 && came[0] >= 5,
        "some succeeded and some were turned away: {came:?}"
    );

    agree(&nodes);
    let [first, second] = nodes;
    for node in [&first, &second] {
        node.server().kill();
    }
    let home = format!("segments:{}", first.place.path("home").display());
    first.place.good(&["copy", "--from", &store, "--to", &home]);
    let home = first.place.path("home");
    first
        .place
        .good(&["verify", "--full", "--dir", home.to_str().unwrap()]);
    let activated = judge(&LogReader::open(&home).unwrap());
    assert!(activated >= came[3], "{activated} {came:?}");
}

/// Lives on both servers while they are killed; how many came how far.
fn work(template: &Template, nodes: &[Node; 2]) -> [u64; 4] {
    let (next, over) = (AtomicU64::new(0), AtomicBool::new(false));
    let came = Mutex::new([0_u64; 4]);
    std::thread::scope(|threads| {
        let restarting = threads.spawn(|| {
            let mut dice = Dice(7);
            for _ in 0..RESTARTS {
                std::thread::sleep(Duration::from_millis(500 + dice.next(700)));
                nodes[dice.next(2) as usize].restart();
            }
            over.store(true, Ordering::SeqCst);
        });
        for worker in 0..WORKERS {
            let (next, over, came) = (&next, &over, &came);
            threads.spawn(move || {
                let mut dice = Dice(worker + 100);
                loop {
                    let turn = next.fetch_add(1, Ordering::SeqCst);
                    // Everybody had a turn after the last restart too.
                    if over.load(Ordering::SeqCst) && turn > 3 * PEOPLE {
                        return;
                    }
                    let far = live(template, nodes, turn % PEOPLE, turn + 1, &mut dice);
                    came.lock().unwrap()[far] += 1;
                }
            });
        }
        restarting.join().unwrap();
    });
    came.into_inner().unwrap()
}

/// Waits until both show the same read models, with equal digests.
fn agree(nodes: &[Node; 2]) {
    let until = Instant::now() + AGREE_WITHIN;
    loop {
        let (one, other) = (shown(&nodes[0]), shown(&nodes[1]));
        if one == other && !one.is_empty() && one.iter().all(|(_, digest, _)| !digest.is_empty()) {
            break;
        }
        assert!(Instant::now() < until, "{one:?}\n{other:?}");
        std::thread::yield_now();
    }
}

/// Number, phone and device are one account's at a time, by the events alone. The number of activations.
fn judge(log: &LogReader) -> u64 {
    let mut held: HashMap<StreamId, (AccountId, EventId)> = HashMap::new();
    let mut known: HashMap<AccountId, HashSet<EventId>> = HashMap::new();
    let mut bound: HashMap<DeviceRef, AccountId> = HashMap::new();
    let mut activated = HashSet::new();
    let mut scanner = log.scan(Position(0)).unwrap();
    while let Some(scanned) = scanner.next_record().unwrap() {
        let record = RecordRef::parse(&scanned.record.bytes).unwrap();
        let envelope = record.open_envelope().unwrap();
        let event = open_event(&envelope).unwrap();
        let stream = envelope.stream;
        if stream.category == Category::Account {
            let account = AccountId(stream.id.0);
            known.entry(account).or_default().insert(envelope.event_id);
            match event {
                Event::DeviceBound(facts) => {
                    assert_eq!(bound.insert(facts.device, account), None, "a device of two");
                }
                Event::DeviceUnbound(facts) => {
                    assert_eq!(bound.remove(&facts.device), Some(account));
                }
                Event::AccountActivated(_) => {
                    assert!(activated.insert(account), "activated twice");
                }
                _ => {}
            }
            continue;
        }
        match event {
            Event::Claimed(facts) => {
                if let Some((holder, by)) = held.get(&stream) {
                    let made_good = known.get(holder).is_some_and(|ids| ids.contains(by));
                    assert!(!made_good, "{:?} claimed twice", stream.category);
                }
                held.insert(stream, (facts.account, facts.confirmed_by));
            }
            Event::ClaimReleased(facts) => {
                let holder = held.remove(&stream).map(|(account, _)| account);
                assert_eq!(holder, Some(facts.account));
            }
            _ => {}
        }
    }
    let holders: HashSet<_> = bound.values().collect();
    assert_eq!(holders.len(), bound.len(), "an account with two devices");
    activated.len() as u64
}
