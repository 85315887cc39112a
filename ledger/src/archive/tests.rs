use super::*;
use crate::conformance::{read_everything, record, stream};
use crate::memory::Memory;
use crate::segments::{LogReader, Options, Segments};
use crate::store::{EventStore, Expected, NewRecord};
use tempfile::TempDir;

const OPTIONS: Options = Options {
    segment_bytes: 512 * 1024,
    spare_ahead: false,
    index_on_disk: false,
};

/// A record as `domain` makes them, with two sealed parts.
fn sealed_record(n: u64) -> NewRecord {
    let envelope = format!("envelope {n}").into_bytes();
    let mut bytes = (envelope.len() as u32).to_le_bytes().to_vec();
    bytes.extend(&envelope);
    bytes.extend([n as u8; 64]);
    bytes.push(2);
    for part in [&b"secret one"[..], b"secret two, longer"] {
        bytes.extend((part.len() as u32).to_le_bytes());
        bytes.extend(part);
    }
    NewRecord {
        bytes: Bytes::from(bytes),
        ..record(n, 0)
    }
}

async fn fill(store: &dyn EventStore, events: u64) {
    for n in 0..events {
        let name = stream(n * n % 11);
        let head = store.stream_head(name).await.unwrap();
        let expected = head.map_or(Expected::NoStream, |head| Expected::Revision(head.revision));
        store
            .append(name, expected, vec![sealed_record(n)])
            .await
            .unwrap();
    }
}

async fn ledger(events: u64) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    Segments::create(dir.path(), OPTIONS).unwrap();
    let (store, _) = Segments::open(dir.path(), OPTIONS).unwrap();
    fill(&store, events).await;
    dir
}

fn exported(dir: &TempDir, sealed: Sealed) -> (Vec<u8>, Summary) {
    let mut scan = LogReader::open(dir.path())
        .unwrap()
        .scan(Position(0))
        .unwrap();
    export(&mut scan, Position(0), None, Vec::new(), sealed).unwrap()
}

fn read_all(bytes: &[u8]) -> Result<Vec<ArchivedRecord>, ArchiveError> {
    let mut reader = ArchiveReader::new(bytes)?;
    let mut all = Vec::new();
    while let Some(next) = reader.next_record()? {
        all.push(next);
    }
    assert_eq!(reader.summary().unwrap().records, all.len() as u64);
    Ok(all)
}

#[tokio::test]
async fn an_import_has_the_same_positions_and_bytes_and_exports_the_same() {
    let dir = ledger(700).await;
    let (bytes, summary) = exported(&dir, Sealed::Kept);
    assert_eq!(summary.records, 700);
    let original = read_everything(&LogReader::open(dir.path()).unwrap(), 100).await;

    let memory = Memory::new();
    let mut reader = ArchiveReader::new(&bytes[..]).unwrap();
    assert_eq!(import(&mut reader, &memory).await.unwrap(), summary);
    assert_eq!(read_everything(&memory, 100).await, original);

    let copy = tempfile::tempdir().unwrap();
    Segments::create(copy.path(), OPTIONS).unwrap();
    let (store, _) = Segments::open(copy.path(), OPTIONS).unwrap();
    let mut reader = ArchiveReader::new(&bytes[..]).unwrap();
    assert_eq!(import(&mut reader, &store).await.unwrap(), summary);
    assert_eq!(read_everything(&store, 100).await, original);
    drop(store);
    assert_eq!(exported(&copy, Sealed::Kept), (bytes.clone(), summary));

    let mut reader = ArchiveReader::new(&bytes[..]).unwrap();
    let twice = import(&mut reader, &memory).await;
    assert!(matches!(twice, Err(ArchiveError::NotEmpty)), "{twice:?}");
}

#[tokio::test]
async fn a_redacted_archive_has_no_sealed_part_and_the_same_signed_bytes() {
    let dir = ledger(20).await;
    let (whole, _) = exported(&dir, Sealed::Kept);
    let (redacted, _) = exported(&dir, Sealed::Redacted);
    assert!(whole.windows(6).any(|window| window == b"secret"));
    assert!(!redacted.windows(6).any(|window| window == b"secret"));
    for (whole, redacted) in read_all(&whole)
        .unwrap()
        .iter()
        .zip(read_all(&redacted).unwrap())
    {
        let whole_record = RecordRef::parse(&whole.record.bytes).unwrap();
        let redacted_record = RecordRef::parse(&redacted.record.bytes).unwrap();
        assert_eq!(whole_record.envelope, redacted_record.envelope);
        assert_eq!(whole_record.signature, redacted_record.signature);
        assert_eq!(
            redacted_record.parts().map(<[u8]>::len).collect::<Vec<_>>(),
            [0, 0]
        );
        assert_eq!(
            (whole.event_id, whole.link),
            (redacted.event_id, redacted.link)
        );
    }
    assert_eq!(
        ArchiveReader::new(&redacted[..]).unwrap().sealed(),
        Sealed::Redacted
    );
}

#[tokio::test]
async fn a_part_of_a_ledger_can_be_exported_and_read_but_not_imported() {
    let dir = ledger(30).await;
    let log = LogReader::open(dir.path()).unwrap();
    let mut scan = log.scan(Position(10)).unwrap();
    let part = export(
        &mut scan,
        Position(10),
        Some(Position(17)),
        Vec::new(),
        Sealed::Kept,
    );
    let (bytes, summary) = part.unwrap();
    assert_eq!(summary.records, 7);
    let records: Vec<_> = read_all(&bytes)
        .unwrap()
        .into_iter()
        .map(|next| next.record)
        .collect();
    assert_eq!(records, log.read_all(Position(10), 7).await.unwrap());
    let mut reader = ArchiveReader::new(&bytes[..]).unwrap();
    let refused = import(&mut reader, &Memory::new()).await;
    assert!(matches!(refused, Err(ArchiveError::NotEmpty)));
}

#[tokio::test]
async fn every_flipped_bit_and_every_cut_is_found() {
    let (bytes, _) = exported(&ledger(5).await, Sealed::Kept);
    assert_eq!(read_all(&bytes).unwrap().len(), 5);
    for at in 0..bytes.len() {
        assert!(read_all(&bytes[..at]).is_err(), "cut at {at}");
        for bit in 0..8 {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << bit;
            assert!(read_all(&flipped).is_err(), "bit {bit} of byte {at}");
        }
    }
    assert!(
        read_all(&[&bytes[..], b"x"].concat()).is_err(),
        "something after the end"
    );
    let mut newer = bytes;
    newer[8] = 2;
    assert!(matches!(
        read_all(&newer),
        Err(ArchiveError::Newer { version: 2 })
    ));
}

#[tokio::test]
async fn an_import_that_does_not_fit_says_where() {
    let records: Vec<_> = (0..3_u64)
        .map(|n| ArchivedRecord {
            record: StoredRecord {
                position: Position(n),
                stream: stream(1),
                revision: Revision(if n == 2 { 7 } else { n }),
                bytes: record(n, 10).bytes,
            },
            event_id: record(n, 0).event_id,
            link: record(n, 0).link,
        })
        .collect();
    let mut writer = ArchiveWriter::new(Vec::new(), Position(0), Sealed::Kept).unwrap();
    for next in &records {
        writer.push(next).unwrap();
    }
    assert!(writer.push(&records[0]).is_err(), "out of order");
    let (bytes, _) = writer.finish().unwrap();
    let mut reader = ArchiveReader::new(&bytes[..]).unwrap();
    let refused = import(&mut reader, &Memory::new()).await;
    assert!(
        matches!(refused, Err(ArchiveError::Append { position: 2, .. })),
        "{refused:?}"
    );
}
