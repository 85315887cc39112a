use super::*;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

fn write(key: &[u8], value: Option<&[u8]>) -> Write {
    Write {
        key: Key::try_from(key.to_vec()).unwrap(),
        value: value.map(|value| Value::try_from(value.to_vec()).unwrap()),
    }
}

fn sled(dir: &std::path::Path) -> Result<SledView, ViewError> {
    SledView::open(
        dir,
        SledOptions {
            cache_bytes: 4 << 20,
            wait_for_lock: Duration::from_millis(300),
            ..SledOptions::default()
        },
    )
}

#[test]
fn a_value_over_the_limit_does_not_exist() {
    assert!(Value::try_from(vec![0; VALUE_BYTES_MAX]).is_ok());
    let large = Value::try_from(vec![0; VALUE_BYTES_MAX + 1]);
    assert_eq!(
        large,
        Err(ViewError::RowTooLarge {
            bytes: VALUE_BYTES_MAX + 1,
            limit: VALUE_BYTES_MAX
        })
    );
    assert!(Key::try_from(Vec::new()).is_err());
    assert!(Key::try_from(vec![0; KEY_BYTES_MAX + 1]).is_err());
}

#[test]
fn the_key_after_a_prefix() {
    assert_eq!(prefix_end(b"a"), b"b");
    assert_eq!(prefix_end(&[1, 255]), [2]);
    assert_eq!(prefix_end(&[255, 255]), Vec::<u8>::new());
}

#[test]
fn a_walk_sees_every_row_of_a_prefix_across_pages() {
    let view = MemoryView::new();
    let rows = (0..2_500u16).map(|n| {
        let mut key = vec![b'x'];
        key.extend(n.to_be_bytes());
        write(&key, Some(b"v"))
    });
    view.apply(
        rows.chain([write(b"w", Some(b"")), write(b"y", Some(b""))])
            .collect(),
    )
    .unwrap();
    let mut seen = 0;
    for_each(&view, b"x", |_, _| {
        seen += 1;
        Ok(true)
    })
    .unwrap();
    assert_eq!(seen, 2_500);
}

#[test]
fn what_was_synced_is_there_after_reopening() {
    let dir = tempfile::tempdir().unwrap();
    let view = sled(dir.path()).unwrap();
    view.load(vec![write(b"a", Some(b"1")), write(b"b", Some(b"2"))])
        .unwrap();
    view.apply(vec![write(b"b", None), write(b"c", Some(b"3"))])
        .unwrap();
    view.sync().unwrap();
    drop(view);
    let view = sled(dir.path()).unwrap();
    let rows = view.scan(b"a", b"z", Order::Ascending, 10).unwrap();
    assert_eq!(
        rows,
        [
            (b"a".to_vec(), b"1".to_vec()),
            (b"c".to_vec(), b"3".to_vec())
        ]
    );
}

#[test]
fn a_half_written_snapshot_is_removed_before_opening() {
    let dir = tempfile::tempdir().unwrap();
    let view = sled(dir.path()).unwrap();
    view.apply(vec![write(b"a", Some(b"1"))]).unwrap();
    view.sync().unwrap();
    drop(view);
    // Sorts after every real snapshot, so sled would take it for the newest.
    let half = dir.path().join("snap.FFFFFFFFFFFFFFFF.generating");
    fs::write(&half, [0xab; 100]).unwrap();
    let view = sled(dir.path()).unwrap();
    assert_eq!(view.get(b"a").unwrap(), Some(b"1".to_vec()));
    assert!(!half.exists());
}

#[test]
fn without_that_rule_the_database_does_not_open() {
    let dir = tempfile::tempdir().unwrap();
    drop(sled(dir.path()).unwrap());
    fs::write(
        dir.path().join("snap.FFFFFFFFFFFFFFFF.generating"),
        [0xab; 100],
    )
    .unwrap();
    let opened = std::panic::catch_unwind(|| sled::Config::new().path(dir.path()).open());
    assert!(
        !matches!(opened, Ok(Ok(_))),
        "the rule is no longer needed: take it out"
    );
}

#[test]
fn a_directory_that_somebody_has_open_is_waited_for_and_is_not_damaged() {
    let dir = tempfile::tempdir().unwrap();
    let view = sled(dir.path()).unwrap();
    view.apply(vec![write(b"row", Some(b"value"))]).unwrap();
    view.sync().unwrap();
    let error = sled(dir.path()).map(drop).unwrap_err();
    assert!(!error.cured_by_rebuild(), "{error}");
    let holder = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(100));
        drop(view);
    });
    let view = sled(dir.path()).unwrap();
    holder.join().unwrap();
    assert_eq!(view.get(b"row").unwrap().as_deref(), Some(&b"value"[..]));
}

#[test]
fn a_damaged_directory_is_an_error_that_a_rebuild_cures() {
    for damage in ["conf", "db"] {
        let dir = tempfile::tempdir().unwrap();
        let view = sled(dir.path()).unwrap();
        let rows = (0..2_000u32).map(|n| write(&n.to_be_bytes(), Some(&[7; 500])));
        view.apply(rows.collect()).unwrap();
        view.sync().unwrap();
        drop(view);
        for entry in fs::read_dir(dir.path()).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if name == damage || name.starts_with("snap") {
                let length = fs::metadata(&path).unwrap().len() as usize;
                fs::write(&path, vec![0x5a; length]).unwrap();
            }
        }
        // Either it says that it is damaged, or it opens with fewer rows; it never panics here, and
        // the lane above finds its own rows missing.
        match sled(dir.path()) {
            Ok(view) => assert_ne!(
                view.scan(&[0], &[255], Order::Ascending, 10_000)
                    .map(|rows| rows.len()),
                Ok(2_000)
            ),
            Err(error) => assert!(error.cured_by_rebuild(), "{error}"),
        }
    }
}

#[derive(Debug, Clone)]
enum Step {
    Apply(Vec<(u8, Option<Vec<u8>>)>),
    Scan(u8, u8, bool, usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let value = proptest::option::of(proptest::collection::vec(any::<u8>(), 0..20));
    let apply = proptest::collection::vec((any::<u8>(), value), 0..20).prop_map(Step::Apply);
    let scan = (any::<u8>(), any::<u8>(), any::<bool>(), 0usize..20)
        .prop_map(|(start, end, down, limit)| Step::Scan(start, end, down, limit));
    proptest::collection::vec(prop_oneof![apply, scan], 1..20)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn both_adapters_are_a_sorted_map(steps in steps(), single in any::<bool>()) {
        let dir = tempfile::tempdir().unwrap();
        let views: [Box<dyn ViewStore>; 2] =
            [Box::new(MemoryView::new()), Box::new(sled(dir.path()).unwrap())];
        let mut model = BTreeMap::new();
        for step in steps {
            match step {
                Step::Apply(changes) => {
                    // One change per row, sorted, as the port asks.
                    let changes: BTreeMap<u8, Option<Vec<u8>>> = changes.into_iter().collect();
                    for (key, value) in &changes {
                        match value {
                            Some(value) => model.insert(vec![*key], value.clone()),
                            None => model.remove(&vec![*key]),
                        };
                    }
                    for view in &views {
                        let writes =
                            changes.iter().map(|(key, value)| write(&[*key], value.as_deref()));
                        let writes = writes.collect();
                        if single { view.load(writes).unwrap() } else { view.apply(writes).unwrap() }
                    }
                }
                Step::Scan(start, end, down, limit) => {
                    let mut expected: Vec<Row> = model
                        .iter()
                        .filter(|(key, _)| key[0] >= start && key[0] < end)
                        .map(|(key, value)| (key.clone(), value.clone()))
                        .collect();
                    if down {
                        expected.reverse();
                    }
                    expected.truncate(limit);
                    let order = if down { Order::Descending } else { Order::Ascending };
                    for view in &views {
                        prop_assert_eq!(&view.scan(&[start], &[end], order, limit).unwrap(), &expected);
                        prop_assert_eq!(view.get(&[start]).unwrap(), model.get(&vec![start]).cloned());
                    }
                }
            }
        }
    }
}
