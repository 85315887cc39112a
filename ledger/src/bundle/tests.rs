//! The archive: one sequence of bytes for given files, and no other is read.

use super::{Files, tar};
use std::process::Command;

fn files() -> Files {
    let of = |name: &str, content: &[u8]| (name.to_owned(), content.to_vec());
    Files::from([
        of("MANIFEST", b"m\n"),
        of("README", &[7; 512]),
        of("events/00000000000000000000.record", &[1; 700]),
        of("keys", b""),
    ])
}

#[test]
fn it_reads_what_it_writes_and_no_other_bytes() {
    let bytes = tar::write(&files());
    assert_eq!(tar::read(&bytes, 10).unwrap(), files());
    for length in 0..bytes.len() {
        assert!(tar::read(&bytes[..length], 10).is_err(), "cut at {length}");
    }
    for at in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (at % 8);
        let read = tar::read(&flipped, 10);
        assert_ne!(read.as_ref().ok(), Some(&files()), "byte {at}");
        // What is read is what would be written of it: nothing is passed over.
        if let Ok(read) = read {
            assert_eq!(tar::write(&read), flipped, "byte {at}");
        }
    }
    assert!(tar::read(&bytes, 3).is_err(), "too many files");
    assert!(tar::read(&[bytes.as_slice(), &[0; 512]].concat(), 10).is_err());
}

#[test]
fn others_unpack_it() {
    let place = tempfile::tempdir().unwrap();
    let archive = place.path().join("bundle.tar");
    std::fs::write(&archive, tar::write(&files())).unwrap();
    let unpacked = Command::new("tar")
        .args(["-xf", archive.to_str().unwrap(), "-C"])
        .arg(place.path())
        .output()
        .unwrap();
    assert!(unpacked.status.success(), "{unpacked:?}");
    assert!(unpacked.stderr.is_empty(), "{unpacked:?}");
    for (name, content) in files() {
        let read = std::fs::read(place.path().join("evidence").join(&name)).unwrap();
        assert_eq!(read, content, "{name}");
    }
}
