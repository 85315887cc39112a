//! The peer's calls: who may, what goes wrong on purpose, what is answered.

use super::faults::{Call, Fault};
use super::log::{APPEND_BYTES_MAX, Expected, New, Refused, Written};
use super::reading::{deleted, name, read, text};
use super::wire::{
    AppendAnswer, AppendPart, AppendRequest, Appended, BatchAnswer, BatchError, BatchRequest,
    BatchResult, BatchWrong, Current, EndAnswer, EndPoint, EndRequest, Expect, Feature, Features,
    Gossip, Id, Member, Nothing, Packed, Place, Proposed, ReadAnswer, ReadRequest, ReadWhat,
    Target, Wanted, Written as WrittenAnswer, Wrong,
};
use super::{NOBODY, Node, status};
use prost::Message as _;
use std::sync::atomic::Ordering;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::codec::ProstCodec;
use tonic::metadata::MetadataMap;
use tonic::server::Grpc;
use tonic::{Code, Request, Response, Status, Streaming};
use tower::service_fn;

type Answers<T> = ReceiverStream<Result<T, Status>>;

/// Answers one request, by its path.
pub(super) async fn answer(
    node: Node,
    request: axum::extract::Request,
) -> axum::response::Response {
    let path = request.uri().path().to_owned();
    let response = match path.as_str() {
        "/event_store.client.streams.Streams/Read" => {
            let codec = ProstCodec::<ReadAnswer, ReadRequest>::default();
            let call = service_fn(move |request| reading(node.clone(), request));
            Grpc::new(codec).server_streaming(call, request).await
        }
        "/event_store.client.streams.Streams/Append" => {
            let codec = ProstCodec::<AppendAnswer, AppendRequest>::default();
            let call = service_fn(move |request| appending(node.clone(), request));
            Grpc::new(codec)
                .apply_max_message_size_config(Some(64 << 20), None)
                .client_streaming(call, request)
                .await
        }
        "/event_store.client.streams.Streams/BatchAppend" => {
            let codec = ProstCodec::<BatchAnswer, BatchRequest>::default();
            let call = service_fn(move |request| batches(node.clone(), request));
            Grpc::new(codec).streaming(call, request).await
        }
        "/event_store.client.streams.Streams/Delete" => {
            let codec = ProstCodec::<EndAnswer, EndRequest>::default();
            let call = service_fn(move |request| ending(node.clone(), request, false));
            Grpc::new(codec).unary(call, request).await
        }
        "/event_store.client.streams.Streams/Tombstone" => {
            let codec = ProstCodec::<EndAnswer, EndRequest>::default();
            let call = service_fn(move |request| ending(node.clone(), request, true));
            Grpc::new(codec).unary(call, request).await
        }
        "/event_store.client.gossip.Gossip/Read" => {
            let codec = ProstCodec::<Gossip, Nothing>::default();
            let call = service_fn(move |_| gossip(node.clone()));
            Grpc::new(codec).unary(call, request).await
        }
        "/event_store.client.server_features.ServerFeatures/GetSupportedMethods" => {
            let codec = ProstCodec::<Features, Nothing>::default();
            let call = service_fn(move |_| features(node.clone()));
            Grpc::new(codec).unary(call, request).await
        }
        _ => Status::unimplemented("no such call here").into_http(),
    };
    response.map(axum::body::Body::new)
}

/// Who may, and whether this node is the one to ask.
fn admit(node: &Node, headers: &MetadataMap) -> Result<(), Status> {
    if let Some(wanted) = &node.world.authorization {
        let given = headers.get("authorization");
        let given = given.map(tonic::metadata::MetadataValue::as_bytes);
        if given != Some(wanted.as_bytes()) {
            let words = [("exception", "access-denied")];
            return Err(status(Code::Unauthenticated, "Access Denied", &words));
        }
    }
    let leader = node.world.leader.load(Ordering::SeqCst);
    let must = headers.get("requires-leader");
    let must = must.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"true"));
    if leader == NOBODY {
        return Err(Status::unavailable("Server Is Not Ready"));
    }
    if must && leader != node.index {
        return Err(not_leader(node, leader));
    }
    Ok(())
}

fn not_leader(node: &Node, leader: usize) -> Status {
    let (address, _) = node.world.nodes.lock()[leader];
    let port = address.port().to_string();
    let words = [
        ("exception", "not-leader"),
        ("leader-endpoint-host", "127.0.0.1"),
        ("leader-endpoint-port", port.as_str()),
    ];
    status(Code::NotFound, "Leader info available", &words)
}

/// What goes wrong before the call is done; what is to go wrong after it is returned.
async fn before(node: &Node, call: Call) -> Result<Option<Fault>, Status> {
    match node.world.faults.take(call) {
        Some(Fault::FailedBefore) => Err(Status::unavailable("Server Is Too Busy")),
        Some(Fault::NotLeader) => {
            let leader = node.world.leader.load(Ordering::SeqCst);
            Err(not_leader(node, leader))
        }
        Some(Fault::SilentBefore) => std::future::pending().await,
        Some(Fault::CutBefore) => {
            node.cut.send_modify(|cuts| *cuts += 1);
            std::future::pending().await
        }
        Some(Fault::Late(by)) => {
            tokio::time::sleep(by).await;
            Ok(None)
        }
        other => Ok(other),
    }
}

/// What goes wrong after the call is done.
async fn after(node: &Node, fault: Option<Fault>) -> Result<(), Status> {
    match fault {
        Some(Fault::FailedAfter) => Err(Status::unavailable("Server Is Too Busy")),
        Some(Fault::SilentAfter) => std::future::pending().await,
        Some(Fault::CutAfter) => {
            node.cut.send_modify(|cuts| *cuts += 1);
            std::future::pending().await
        }
        _ => Ok(()),
    }
}

async fn reading(
    node: Node,
    request: Request<ReadRequest>,
) -> Result<Response<Answers<ReadAnswer>>, Status> {
    admit(&node, request.metadata())?;
    let options = request.into_inner().options;
    let call = match options.as_ref().and_then(|options| options.what.as_ref()) {
        Some(ReadWhat::All(_)) => Call::ReadAll,
        _ => Call::ReadStream,
    };
    let fault = before(&node, call).await?;
    let (sender, receiver) = mpsc::channel(64);
    read(&node, options, sender)?;
    after(&node, fault).await?;
    Ok(Response::new(ReceiverStream::new(receiver)))
}

fn expected(expect: Option<&Expect>) -> Result<Expected, Status> {
    match expect {
        Some(Expect::Revision(revision)) => Ok(Expected::Revision(*revision)),
        Some(Expect::NoStream(_)) => Ok(Expected::NoStream),
        Some(Expect::Any(_)) => Ok(Expected::Any),
        Some(Expect::Exists(_)) => Ok(Expected::Exists),
        None => Err(Status::invalid_argument("no expected revision")),
    }
}

fn proposed(event: Proposed) -> Result<New, Status> {
    let system = |name: &str| {
        let value = event.system.get(name).filter(|value| !value.is_empty());
        let missing = || Status::invalid_argument(format!("Required metadata '{name}' missing."));
        value.cloned().ok_or_else(missing)
    };
    let (kind, content) = (system("type")?, system("content-type")?);
    if content != "application/json" && content != "application/octet-stream" {
        return Err(Status::invalid_argument("an unknown content type"));
    }
    let id = event.id.as_ref().and_then(Id::bytes);
    let id = id.filter(|id| *id != [0; 16]);
    Ok(New {
        id: id.ok_or_else(|| Status::invalid_argument("an event needs an id"))?,
        kind,
        content,
        metadata: event.metadata,
        data: event.data,
    })
}

fn refused(refused: &Refused, stream: &str) -> Status {
    match refused {
        Refused::Tombstoned => deleted(stream),
        Refused::TooBig => status(
            Code::InvalidArgument,
            &format!("Maximum Append Size of {APPEND_BYTES_MAX} Exceeded."),
            &[
                ("exception", "maximum-append-size-exceeded"),
                ("maximum-append-size", "1048576"),
            ],
        ),
        Refused::Bad(why) => Status::invalid_argument(*why),
        Refused::Wrong { current } => {
            let current = current.map_or(-1, u64::cast_signed).to_string();
            let words = [
                ("exception", "wrong-expected-version"),
                ("stream-name", stream),
                ("actual-version", current.as_str()),
            ];
            status(Code::FailedPrecondition, "Wrong expected version", &words)
        }
    }
}

fn written(done: Written) -> WrittenAnswer {
    WrittenAnswer {
        revision: done.revision,
        // What was there before is not looked for.
        place: Some(done.place.map_or(
            Place {
                commit: u64::MAX,
                prepare: u64::MAX,
            },
            |place| Place {
                commit: place,
                prepare: place,
            },
        )),
    }
}

fn write(
    node: &Node,
    stream: &str,
    expected: Expected,
    events: Vec<New>,
) -> Result<Written, Refused> {
    let mut log = node.world.log.lock();
    let done = log.append(stream, expected, events);
    let length = log.entries().len();
    drop(log);
    node.world.news.send_replace(length);
    done
}

async fn appending(
    node: Node,
    request: Request<Streaming<AppendRequest>>,
) -> Result<Response<AppendAnswer>, Status> {
    admit(&node, request.metadata())?;
    let _under_way = node.world.faults.append_begins();
    let mut parts = request.into_inner();
    let first = parts.message().await?.and_then(|first| first.part);
    let Some(AppendPart::Target(target)) = first else {
        return Err(Status::invalid_argument("the target comes first"));
    };
    let stream = text(target.stream.as_ref())?;
    let expect = expected(target.expect.as_ref())?;
    let mut events = Vec::new();
    while let Some(part) = parts.message().await? {
        let Some(AppendPart::Event(event)) = part.part else {
            return Err(Status::invalid_argument("events come after the target"));
        };
        events.push(proposed(event)?);
    }
    let fault = before(&node, Call::Append).await?;
    if let Some(disk) = &node.world.disk {
        disk.write(events.iter().map(|event| event.data.len()).sum())
            .await;
    }
    let result = match write(&node, &stream, expect, events) {
        Ok(done) => Appended::Written(written(done)),
        Err(Refused::Wrong { current }) => Appended::Wrong(Wrong {
            current: Some(current.map_or(Current::NoStream(Nothing {}), Current::Revision)),
            wanted: Some(match expect {
                Expected::Revision(revision) => Wanted::Revision(revision),
                Expected::NoStream => Wanted::NoStream(Nothing {}),
                Expected::Any => Wanted::Any(Nothing {}),
                Expected::Exists => Wanted::Exists(Nothing {}),
            }),
        }),
        Err(other) => return Err(refused(&other, &stream)),
    };
    after(&node, fault).await?;
    Ok(Response::new(AppendAnswer {
        result: Some(result),
    }))
}

async fn batches(
    node: Node,
    request: Request<Streaming<BatchRequest>>,
) -> Result<Response<Answers<BatchAnswer>>, Status> {
    admit(&node, request.metadata())?;
    let mut parts = request.into_inner();
    let (sender, receiver) = mpsc::channel(64);
    tokio::spawn(async move {
        let mut open: Vec<(Id, Target, Vec<Proposed>)> = Vec::new();
        loop {
            let Ok(Some(part)) = parts.message().await else {
                return;
            };
            let Some(id) = part.correlation else {
                let why = Status::invalid_argument("an append of a batch needs an id");
                let _ = sender.send(Err(why)).await;
                return;
            };
            let known = open.iter().position(|(known, ..)| *known == id);
            let at = known.unwrap_or(open.len());
            if known.is_none() {
                open.push((id, part.target.unwrap_or_default(), Vec::new()));
            }
            open[at].2.extend(part.events);
            if part.last {
                let (id, target, events) = open.swap_remove(at);
                let answer = batch(&node, id, &target, events).await;
                if sender.send(answer).await.is_err() {
                    return;
                }
            }
        }
    });
    Ok(Response::new(ReceiverStream::new(receiver)))
}

async fn batch(
    node: &Node,
    id: Id,
    target: &Target,
    events: Vec<Proposed>,
) -> Result<BatchAnswer, Status> {
    let stream = text(target.stream.as_ref())?;
    let expect = expected(target.expect.as_ref())?;
    let events = events.into_iter().map(proposed).collect::<Result<_, _>>()?;
    let fault = before(node, Call::Append).await?;
    let packed = |kind: &str, value: Vec<u8>| {
        Some(Packed {
            kind: format!("type.googleapis.com/event_store.client.{kind}"),
            value: value.into(),
        })
    };
    let result = match write(node, &stream, expect, events) {
        Ok(done) => BatchResult::Written(written(done)),
        Err(Refused::Wrong { current }) => BatchResult::Error(BatchError {
            code: Code::Unknown as i32,
            message: "WrongExpectedVersion".to_owned(),
            details: packed(
                "WrongExpectedVersion",
                BatchWrong {
                    revision: current,
                    no_stream: current.is_none().then_some(Nothing {}),
                }
                .encode_to_vec(),
            ),
        }),
        Err(Refused::Tombstoned) => BatchResult::Error(BatchError {
            code: Code::Unknown as i32,
            message: "StreamDeleted".to_owned(),
            details: packed("StreamDeleted", Vec::new()),
        }),
        Err(other) => return Err(refused(&other, &stream)),
    };
    after(node, fault).await?;
    Ok(BatchAnswer {
        correlation: Some(id),
        result: Some(result),
        stream: Some(name(&stream)),
    })
}

async fn ending(
    node: Node,
    request: Request<EndRequest>,
    good: bool,
) -> Result<Response<EndAnswer>, Status> {
    admit(&node, request.metadata())?;
    let target = request.into_inner().target.unwrap_or_default();
    let stream = text(target.stream.as_ref())?;
    let expect = expected(target.expect.as_ref())?;
    let mut log = node.world.log.lock();
    let ended = log.end(&stream, expect, good);
    let length = log.entries().len();
    drop(log);
    node.world.news.send_replace(length);
    let place = ended.map_err(|error| refused(&error, &stream))?;
    Ok(Response::new(EndAnswer {
        place: Some(Place {
            commit: place,
            prepare: place,
        }),
    }))
}

async fn gossip(node: Node) -> Result<Response<Gossip>, Status> {
    let leader = node.world.leader.load(Ordering::SeqCst);
    let nodes = node.world.nodes.lock();
    let members = (0_u8..)
        .zip(nodes.iter())
        .map(|(number, (address, alive))| {
            let state = match leader {
                NOBODY => 2,
                leader if leader == usize::from(number) => 8,
                _ => 6,
            };
            Member {
                id: Some(Id::of([number + 1; 16], true)),
                time: 17_000_000_000_000_000,
                state,
                alive: *alive,
                end_point: Some(EndPoint {
                    address: "127.0.0.1".to_owned(),
                    port: u32::from(address.port()),
                }),
            }
        });
    Ok(Response::new(Gossip {
        members: members.collect(),
    }))
}

async fn features(node: Node) -> Result<Response<Features>, Status> {
    let streams = "event_store.client.streams.streams";
    let method = |method: &str, service: &str, features: &[&str]| Feature {
        method: method.to_owned(),
        service: service.to_owned(),
        features: features
            .iter()
            .map(|feature| (*feature).to_owned())
            .collect(),
    };
    let methods = vec![
        method("read", streams, &["position", "events"]),
        method("append", streams, &[]),
        method("delete", streams, &[]),
        method("tombstone", streams, &[]),
        method("batchappend", streams, &["deadline_duration"]),
        method("read", "event_store.client.gossip.gossip", &[]),
    ];
    Ok(Response::new(Features {
        methods,
        version: node.world.version.to_owned(),
    }))
}
