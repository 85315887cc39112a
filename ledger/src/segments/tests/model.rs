//! Random lives of a store, compared with the model step by step.

use super::*;
use crate::memory::Memory;
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Step {
    Append {
        stream: u64,
        sizes: Vec<usize>,
        stale: bool,
    },
    AskAgain {
        which: usize,
    },
    Crash {
        keep: Keep,
    },
    Close,
    ReadAll {
        from: u64,
        limit: usize,
    },
    ReadStream {
        stream: u64,
        from: u64,
        limit: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let sizes = proptest::collection::vec(prop_oneof![0_usize..200, 0_usize..2000], 1..7);
    prop_oneof![
        8 => (0_u64..6, sizes, proptest::bool::weighted(0.1))
            .prop_map(|(stream, sizes, stale)| Step::Append { stream, sizes, stale }),
        1 => (0_usize..100).prop_map(|which| Step::AskAgain { which }),
        1 => prop_oneof![
            Just(Keep::All),
            Just(Keep::Synced),
            any::<u64>().prop_map(Keep::Some)
        ]
        .prop_map(|keep| Step::Crash { keep }),
        1 => Just(Step::Close),
        2 => (0_u64..80, 0_usize..50).prop_map(|(from, limit)| Step::ReadAll { from, limit }),
        2 => (0_u64..6, 0_u64..20, 0_usize..20)
            .prop_map(|(stream, from, limit)| Step::ReadStream { stream, from, limit }),
    ]
}

type Done = (StreamId, Expected, Vec<NewRecord>);

proptest! {
    #![proptest_config(ProptestConfig { cases: 120, ..ProptestConfig::default() })]

    #[test]
    fn the_engine_does_what_the_model_does(steps in proptest::collection::vec(step(), 1..60)) {
        let model = Memory::new();
        let (mut disk, mut store) = fresh();
        let mut done: Vec<Done> = Vec::new();
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Append { stream: name, sizes, stale } => {
                    let name = stream(name);
                    let head = block_on(model.stream_head(name)).unwrap();
                    let expected = match head {
                        Some(head) if !stale => Expected::Revision(head.revision),
                        None if stale => Expected::Revision(Revision(3)),
                        _ => Expected::NoStream,
                    };
                    let records: Vec<_> = sizes.iter().zip(number as u64 * 10..)
                        .map(|(size, id)| record(id, *size))
                        .collect();
                    let ours = block_on(store.append(name, expected, records.clone()));
                    if frames_of(&records) > ROOM {
                        prop_assert_eq!(ours, Err(too_large()), "no segment holds it");
                        continue;
                    }
                    let theirs = block_on(model.append(name, expected, records.clone()));
                    if ours.is_ok() {
                        done.push((name, expected, records));
                    }
                    prop_assert_eq!(ours, theirs);
                }
                Step::AskAgain { which } => {
                    let Some((name, expected, records)) = done.get(which % done.len().max(1)) else {
                        continue;
                    };
                    let ours = block_on(store.append(*name, *expected, records.clone()));
                    let theirs = block_on(model.append(*name, *expected, records.clone()));
                    prop_assert_eq!(ours, theirs);
                }
                Step::Crash { keep } => {
                    store.crash();
                    drop(store);
                    disk = disk.restart(keep);
                    let (next, report) = open(&disk).unwrap();
                    prop_assert_eq!(report.cut, None, "nothing was under way");
                    store = next;
                }
                Step::Close => {
                    drop(store);
                    disk = disk.restart(Keep::Synced);
                    let (next, report) = open(&disk).unwrap();
                    prop_assert!(report.clean);
                    store = next;
                }
                Step::ReadAll { from, limit } => {
                    let ours = block_on(store.read_all(Position(from), limit));
                    prop_assert_eq!(ours, block_on(model.read_all(Position(from), limit)));
                }
                Step::ReadStream { stream: name, from, limit } => {
                    let (name, from) = (stream(name), Revision(from));
                    let ours = block_on(store.read_stream(name, from, limit));
                    prop_assert_eq!(ours, block_on(model.read_stream(name, from, limit)));
                    let ours = block_on(store.stream_head(name));
                    prop_assert_eq!(ours, block_on(model.stream_head(name)));
                }
            }
        }
        check(&disk, &store);
        let ours = block_on(read_everything(&store, 1000));
        prop_assert_eq!(ours, block_on(read_everything(&model, 1000)));
    }
}
