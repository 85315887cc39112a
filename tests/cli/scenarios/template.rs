//! A ledger with its people and its staff, made once and copied for every scenario.

use crate::run::Place;
use ed25519_dalek::SigningKey;
use ledger::chip::testing::Recipe;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;

/// When it was made: 2021-12-01T00:00:00Z, before the first issuance anywhere.
const MADE_S: &str = "1638316800";
/// Whoever signs: name, role, what their key is made of, sites.
pub const STAFF: [(&str, &str, u8, &[&str]); 9] = [
    (
        "officer",
        "intake_officer",
        11,
        &["1", "3029801", "3029802"],
    ),
    ("authority", "eid_authority", 12, &[]),
    ("second", "eid_authority", 15, &[]),
    ("adapter", "registry_adapter", 13, &[]),
    ("hotline", "hotline_agent", 14, &[]),
    ("competent", "competent_authority", 25, &[]),
    ("bank", "relying_party", 26, &[]),
    ("clinic", "relying_party", 27, &[]),
    ("elsewhere", "intake_officer", 28, &["2"]),
];

/// The ledger, and who its staff are.
pub struct Template {
    place: Place,
    /// Ids by name.
    pub principals: BTreeMap<&'static str, String>,
}

/// The key of somebody of the staff.
pub fn key(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[number; 32])
}

/// A public key as hexadecimal digits.
pub fn public(key: &SigningKey) -> String {
    hex::encode(key.verifying_key().to_bytes())
}

impl Template {
    pub fn new() -> Self {
        let place = Place::new();
        place.good(&["init", "--simulate-clock", MADE_S]);
        let people = super::dir().join("people.jsonl");
        place.good(&["registry", "import", people.to_str().unwrap()]);
        let list = place.path("csca.pem");
        fs::write(&list, Recipe::of("").trust_list()).unwrap();
        place.good(&["evidence", "trust", list.to_str().unwrap()]);
        let enrol = |(name, role, number, sites): (&'static str, &str, u8, &[&str])| {
            let public = public(&key(number));
            let mut arguments = vec!["keys", "enrol", "--role", role, "--public-key", &public];
            arguments.extend(["--name", name, "--format", "json"]);
            arguments.extend(["--simulate-clock", MADE_S]);
            arguments.extend(sites.iter().flat_map(|site| ["--site", site]));
            let made: Value = place.good(&arguments).json();
            (name, made["principal"].as_str().unwrap().to_owned())
        };
        let principals = STAFF.map(enrol).into_iter().collect();
        Self { place, principals }
    }

    /// A place with a ledger of its own, which is this one so far.
    pub fn copy(&self) -> Place {
        let place = Place::new();
        copy_dir(&self.place.ledger(), &place.ledger());
        place
    }
}

pub fn copy_dir(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if from.is_dir() {
            copy_dir(&from, &to);
        } else {
            copy_file(&from, &to);
        }
    }
}

/// Logs and vaults are filled with zeros ahead: those are left out, as holes.
fn copy_file(from: &Path, to: &Path) {
    const CHUNK: usize = 256 * 1024;
    let zeros = vec![0; CHUNK];
    let mut chunk = vec![0; CHUNK];
    let (mut source, mut target) = (File::open(from).unwrap(), File::create(to).unwrap());
    let meta = source.metadata().unwrap();
    loop {
        let read = source.read(&mut chunk).unwrap();
        if read == 0 {
            break;
        }
        if chunk[..read] == zeros[..read] {
            target
                .seek(SeekFrom::Current(i64::try_from(read).unwrap()))
                .unwrap();
        } else {
            target.write_all(&chunk[..read]).unwrap();
        }
    }
    target.set_len(meta.len()).unwrap();
    target.set_permissions(meta.permissions()).unwrap();
}
