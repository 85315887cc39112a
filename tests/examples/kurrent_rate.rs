//! Measures the engine for an event server against its bare client, on one stand-in server in this process:
//!
//! ```sh
//! cargo run --release -p idledger-tests --example kurrent_rate -- 2000
//! ```
//!
//! Appends of one record of 1,300 bytes at 1, 16 and 64 in flight, each to a stream of its own, and a read of
//! everything. Both sides take turns, three rounds; the table gives medians and what the engine reaches of the
//! bare client. The engine does more: it waits until what it appended has its number on disk, and checks every
//! event that it reads. Nothing here is a figure of a real server, whose disk would be the slowest part of both.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::cast_precision_loss,
    reason = "a measurement: it may stop with a panic"
)]

use domain::ids::{Position, Revision};
use idledger_tests::peer::Peer;
use kurrentdb::{AppendToStreamOptions, Client, EventData, ReadAllOptions, StreamState};
use ledger::conformance::{record, stream};
use ledger::kurrentdb::{Address, Kurrent, Options};
use ledger::store::{EventStore, Expected, PAGE_RECORDS_MAX};
use std::sync::Arc;
use std::time::Instant;

const ROUNDS: usize = 3;
const BYTES: usize = 1300;

#[tokio::main]
async fn main() {
    let events: u64 = std::env::args()
        .nth(1)
        .map_or(2000, |text| text.parse().unwrap());
    let peer = Peer::single().await;
    let client = Client::new(peer.url().parse().unwrap()).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let address = Address::parse(&format!("{}&streams=rate", peer.url())).unwrap();
    let engine = Kurrent::open(Options::new(address, dir.path()))
        .await
        .unwrap()
        .0;
    let engine = Arc::new(engine);
    println!("in flight        bare/s      engine/s   engine/bare");
    let mut next = 0_u64;
    for in_flight in [1, 16, 64_u64] {
        let each = (events / in_flight).max(1);
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
    engine.close().await;
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
                let event = EventData::binary("rate", record.bytes);
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
    let filter = kurrentdb::SubscriptionFilter::on_stream_name().add_prefix("rate");
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
