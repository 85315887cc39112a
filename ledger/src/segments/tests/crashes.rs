//! Each step of each kind of write, failing in each way, and what the next process finds.

use super::*;
use crate::faulty::Operation;
use proptest::prelude::*;

/// Runs the script until something cannot go on. Returns what was acknowledged and what is unsure.
fn run(store: &Segments, script: &Script) -> (Script, Option<(u64, Vec<NewRecord>)>, usize) {
    let (mut safe, mut unsure, mut failed) = (Vec::new(), None, 0);
    for step in script {
        match append(store, step) {
            Ok(_) => {
                assert!(
                    unsure.is_none(),
                    "nothing succeeds after the store has stopped"
                );
                safe.push(step.clone());
            }
            Err(AppendError::Uncertain(_)) => {
                assert!(
                    unsure.is_none(),
                    "one append is unsure, later ones have failed"
                );
                unsure = Some(step.clone());
            }
            Err(AppendError::Failed(_)) => failed += 1,
            Err(error) => panic!("{error}"),
        }
    }
    (safe, unsure, failed)
}

/// The failure table: step × what goes wrong × what survives.
#[test]
fn whatever_fails_at_whatever_step_the_acknowledged_is_there_and_the_failed_is_not() {
    let script = script(26);
    let (disk, store) = fresh();
    let before = disk.steps().len();
    run(&store, &script);
    store.crash();
    let steps = disk.steps();
    let renames = steps
        .iter()
        .filter(|step| **step == Operation::Rename)
        .count();
    assert!(
        renames >= 3,
        "the script goes through several segments: {steps:?}"
    );
    let faults = [
        Fault::NotDone,
        Fault::Done,
        Fault::Partly(400),
        Fault::Full,
        Fault::Dies,
    ];
    let (mut told, all) = (0, faults.len() * (steps.len() - before));
    for (at, fault) in (before..steps.len()).flat_map(|at| faults.map(|fault| (at, fault))) {
        let (disk, store) = fresh();
        disk.fail_at(at, fault);
        let (safe, unsure, failed) = run(&store, &script);
        let name = format!("step {at} ({:?}), {fault:?}", steps[at]);
        if fault == Fault::Full && failed > 0 {
            assert_eq!(
                contents(&store),
                bytes_of(&safe),
                "{name}: it goes on being read"
            );
            disk.make_space();
            append(&store, &script[0]).expect("there is space again");
            store.crash();
            continue;
        }
        // What is derived may fail without anybody being told.
        told += usize::from(failed > 0 || unsure.is_some());
        store.crash();
        for keep in [
            Keep::All,
            Keep::Synced,
            Keep::Some(at as u64),
            Keep::Some(!(at as u64)),
        ] {
            recovers(
                &disk.restart(keep),
                &safe,
                unsure.as_ref(),
                &format!("{name}, {keep:?}"),
            );
        }
    }
    assert!(
        told * 10 > all * 6,
        "most faults are told to somebody: {told} of {all}"
    );
}

/// The next process finds what was safe, the unsure whole or not at all, and goes on.
fn recovers(disk: &SimDisk, safe: &Script, unsure: Option<&(u64, Vec<NewRecord>)>, name: &str) {
    let (store, report) = open(disk).unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut wanted = bytes_of(safe);
    let found = contents(&store);
    if found != wanted {
        wanted.extend(
            unsure
                .iter()
                .flat_map(|(_, new)| new)
                .map(|new| new.bytes.clone()),
        );
        assert_eq!(found, wanted, "{name}: {report:?}");
    }
    check(disk, &store);
    if let Some(unsure) = unsure {
        let expected = safe.iter().filter(|(name, _)| *name == unsure.0);
        let count = expected.flat_map(|(_, records)| records).count() as u64;
        let expected = match count {
            0 => Expected::NoStream,
            count => Expected::Revision(Revision(count - 1)),
        };
        let again = store.append(stream(unsure.0), expected, unsure.1.clone());
        block_on(again).unwrap_or_else(|error| panic!("{name}: asking again: {error}"));
        let mut wanted = bytes_of(safe);
        wanted.extend(bytes_of(std::slice::from_ref(unsure)));
        assert_eq!(contents(&store), wanted, "{name}: exactly once");
    }
    drop(store);
    let (store, report) = open(disk).expect("it opens after a clean close");
    assert!(report.clean && report.cut.is_none(), "{name}: {report:?}");
    assert!(check(disk, &store).closed);
}

/// Making a ledger can be interrupted anywhere and finished later.
#[test]
fn an_interrupted_creation_is_noticed_and_can_be_finished() {
    let disk = SimDisk::new();
    create(&disk).unwrap();
    let steps = disk.steps().len();
    for at in 0..steps {
        for keep in [Keep::All, Keep::Synced, Keep::Some(at as u64)] {
            let disk = SimDisk::new();
            disk.fail_at(at, Fault::Dies);
            assert!(create(&disk).is_err());
            let disk = disk.restart(keep);
            match open(&disk) {
                Ok((_, report)) => assert_eq!(report.length, 0),
                Err(StoreError::NotInitialised | StoreError::Unusable(_)) => {
                    create(&disk).unwrap();
                    assert_eq!(open(&disk).unwrap().1.length, 0);
                }
                Err(error) => panic!("step {at}, {keep:?}: {error}"),
            }
        }
    }
}

/// Recovery can be interrupted as well.
#[test]
fn a_crash_during_recovery_is_recovered_from() {
    let script = script(12);
    for at in 0..8 {
        let (disk, store) = fresh();
        let steps = disk.steps().len();
        let safe: Script = script[..11].to_vec();
        run(&store, &safe);
        let torn = disk.steps().len() - steps;
        disk.fail_at(steps + torn, Fault::Partly(700));
        assert!(matches!(
            append(&store, &script[11]),
            Err(AppendError::Uncertain(_))
        ));
        store.crash();
        let disk = disk.restart(Keep::All);
        disk.fail_at(at, Fault::Dies);
        let outcome = open(&disk).map(|(store, _)| store.crash());
        let disk = disk.restart(Keep::Some(at as u64));
        let (store, _) = open(&disk).unwrap_or_else(|error| panic!("{at} {outcome:?}: {error}"));
        assert_eq!(contents(&store), bytes_of(&safe));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    /// Many writers at once, the process dies or the power is cut at some step.
    #[test]
    fn a_crash_among_concurrent_writers_loses_nothing_acknowledged(
        step in 0_usize..60, share in 0_u16..=1000, seed: u64, process: bool, writers in 2_u64..9,
    ) {
        let (disk, store) = fresh();
        let from = disk.steps().len();
        disk.fail_at(from + step, if process { Fault::Dies } else { Fault::Partly(share) });
        let store = Arc::new(store);
        let outcomes = block_on(async {
            let mut tasks = tokio::task::JoinSet::new();
            for writer in 0..writers {
                let store = Arc::clone(&store);
                tasks.spawn(async move {
                    let mut done = Vec::new();
                    for n in 0..10_u64 {
                        let at = writer * 1000 + 2 * n;
                        let new = vec![record(at, 130 * (at as usize % 9)), record(at + 1, 60)];
                        let expected = match n {
                            0 => Expected::NoStream,
                            n => Expected::Revision(Revision(2 * n - 1)),
                        };
                        match store.append(stream(writer), expected, new).await {
                            Ok(_) => done.push(n),
                            Err(AppendError::Conflict { .. }) => panic!("nobody else writes here"),
                            Err(_) => break,
                        }
                    }
                    (writer, done.len() as u64)
                });
            }
            tasks.join_all().await
        });
        store.crash();
        let keep = if process && seed.is_multiple_of(2) { Keep::All } else { Keep::Some(seed) };
        let disk = disk.restart(keep);
        let (store, _) = open(&disk).unwrap();
        for (writer, acknowledged) in outcomes {
            let read = block_on(store.read_stream(stream(writer), Revision(0), 100)).unwrap();
            prop_assert_eq!(read.len() % 2, 0, "appends are whole");
            prop_assert!(read.len() as u64 >= 2 * acknowledged);
            prop_assert!(read.len() as u64 <= 2 * acknowledged + 2, "one was unsure at most");
        }
        check(&disk, &store);
    }
}
