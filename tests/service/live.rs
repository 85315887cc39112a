//! On a real port: the event feed that is resumed, and a shutdown that lets requests finish.
//!
//! The clients block; the server runs on the runtime's other threads.

use super::procedures::{NUMBER, PHONE, app_account};
use super::world::{READER, World, open_config, person};
use api::Server;
use core::net::SocketAddr;
use core::time::Duration;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

struct Running {
    world: World,
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    served: JoinHandle<Result<(), api::ServeError>>,
}

async fn run() -> Running {
    let config = api::Config {
        listen: ([127, 0, 0, 1], 0).into(),
        ..open_config()
    };
    let world = World::with(config.clone()).await;
    let (ledger, views) = (world.ledger.clone(), world.views.clone());
    let server = Server::bind(config, ledger, views, None).await.unwrap();
    let address = server.address().unwrap();
    let (stop, stopped) = oneshot::channel();
    let served = tokio::spawn(server.run(async {
        let _ = stopped.await;
    }));
    Running {
        world,
        address,
        stop,
        served,
    }
}

/// A client that gives up rather than hang.
fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    stream
}

/// Opens a feed; what follows `Last-Event-ID`.
fn subscribe(address: SocketAddr, last: u64) -> TcpStream {
    let mut stream = connect(address);
    let request = format!(
        "GET /v1/events/feed HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {READER}\r\n\
         last-event-id: {last}\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    stream
}

/// Reads until the id of a position was seen, and returns all ids.
fn ids_until(stream: &mut TcpStream, position: u64) -> Vec<u64> {
    let mut text = String::new();
    let mut buffer = vec![0; 65_536];
    loop {
        let ids: Vec<u64> = text
            .lines()
            .filter_map(|line| line.strip_prefix("id: ")?.parse().ok())
            .collect();
        if ids.last() == Some(&position) && text.ends_with('\n') {
            return ids;
        }
        let read = stream.read(&mut buffer).unwrap();
        assert!(read > 0, "the feed ended: {text}");
        text.push_str(&String::from_utf8_lossy(&buffer[..read]));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_feed_goes_on_where_it_stopped_and_shows_what_is_recorded_meanwhile() {
    let running = run().await;
    let world = &running.world;
    app_account(world, NUMBER, PHONE).await;
    let last = world.length().await - 1;
    let mut feed = subscribe(running.address, 2);
    assert_eq!(ids_until(&mut feed, last), (3..=last).collect::<Vec<_>>());
    world
        .post("/v1/registrations", person("030184000002", "0987654322"))
        .await
        .recorded();
    let newest = world.length().await - 1;
    assert_eq!(
        ids_until(&mut feed, newest),
        (last + 1..=newest).collect::<Vec<_>>()
    );
    drop(feed);
    let mut resumed = subscribe(running.address, last);
    assert_eq!(
        ids_until(&mut resumed, newest),
        (last + 1..=newest).collect::<Vec<_>>()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shutdown_ends_the_feeds_lets_a_request_finish_and_takes_no_more() {
    let running = run().await;
    let last = running.world.length().await - 1;
    let mut feed = subscribe(running.address, last - 1);
    ids_until(&mut feed, last);
    // A request whose body is still on its way when the shutdown begins.
    let body = person(NUMBER, PHONE).to_string();
    let mut slow = connect(running.address);
    let head = format!(
        "POST /v1/registrations HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    slow.write_all(head.as_bytes()).unwrap();
    slow.write_all(&body.as_bytes()[..10]).unwrap();
    // A whole round trip on another connection: by then the server has seen the one before.
    let mut probe = connect(running.address);
    probe
        .write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
        .unwrap();
    probe.read_to_end(&mut Vec::new()).unwrap();
    running.stop.send(()).unwrap();
    let mut rest = Vec::new();
    feed.read_to_end(&mut rest).expect("the feed ends");
    slow.write_all(&body.as_bytes()[10..]).unwrap();
    let mut answer = String::new();
    slow.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
    let served = tokio::time::timeout(Duration::from_secs(20), running.served)
        .await
        .unwrap();
    served.unwrap().unwrap();
    assert!(
        TcpStream::connect(running.address).is_err(),
        "nobody listens any more"
    );
}
