//! Nothing personal lies in the clear: every byte of the data directory, the logs and the metrics is
//! searched for every number, phone, name and document of the population, in every common encoding.

use crate::run::Place;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::Path;
use unicode_normalization::UnicodeNormalization;

/// Shorter needles would be found by chance.
const NEEDLE_BYTES_MIN: usize = 8;

/// Needles by their first bytes.
struct Needles {
    heads: HashMap<[u8; NEEDLE_BYTES_MIN], Vec<usize>>,
    filter: Vec<u64>,
    all: Vec<(Vec<u8>, String)>,
}

impl Needles {
    fn new(data: &[(String, String)]) -> Self {
        let mut seen = HashSet::new();
        let mut needles = Self {
            heads: HashMap::new(),
            filter: vec![0; 1 << 16],
            all: Vec::new(),
        };
        for (text, what) in data {
            for (encoding, bytes) in encodings(text) {
                if bytes.len() >= NEEDLE_BYTES_MIN && seen.insert(bytes.clone()) {
                    let head = bytes[..NEEDLE_BYTES_MIN].try_into().unwrap();
                    needles.filter[slot(&bytes) / 64] |= 1 << (slot(&bytes) % 64);
                    needles
                        .heads
                        .entry(head)
                        .or_default()
                        .push(needles.all.len());
                    needles.all.push((bytes, format!("{what} as {encoding}")));
                }
            }
        }
        needles
    }

    /// What stands in these bytes, and where.
    fn find(&self, bytes: &[u8]) -> Option<(usize, &str)> {
        bytes
            .windows(NEEDLE_BYTES_MIN)
            .enumerate()
            .find_map(|(at, window)| {
                if self.filter[slot(window) / 64] >> (slot(window) % 64) & 1 == 0 {
                    return None;
                }
                let candidates = self.heads.get(window)?;
                candidates.iter().find_map(|needle| {
                    let (needle, what) = &self.all[*needle];
                    bytes[at..]
                        .starts_with(needle)
                        .then_some((at, what.as_str()))
                })
            })
    }
}

/// Four bytes into 22 bits.
fn slot(bytes: &[u8]) -> usize {
    let word = u32::from_le_bytes(bytes[..4].try_into().unwrap());
    (word.wrapping_mul(0x9e37_79b1) >> 10) as usize
}

fn encodings(text: &str) -> Vec<(&'static str, Vec<u8>)> {
    let mut all = Vec::new();
    let decomposed: String = text.nfd().collect();
    let reversed: String = text.chars().rev().collect();
    let upper = text.to_uppercase();
    let lower = text.to_lowercase();
    for (name, text) in [
        ("UTF-8", text),
        ("decomposed", &decomposed),
        ("reversed", &reversed),
        ("upper case", &upper),
        ("lower case", &lower),
    ] {
        all.push((name, text.as_bytes().to_vec()));
    }
    let wide = |order: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(order).collect::<Vec<u8>>();
    all.push(("UTF-16 little-endian", wide(u16::to_le_bytes)));
    all.push(("UTF-16 big-endian", wide(u16::to_be_bytes)));
    let bytes = text.as_bytes();
    all.push(("hexadecimal", hex::encode(bytes).into_bytes()));
    all.push(("capital hexadecimal", hex::encode_upper(bytes).into_bytes()));
    all.push(("reversed bytes", bytes.iter().rev().copied().collect()));
    if bytes.iter().all(u8::is_ascii_digit) && bytes.len().is_multiple_of(2) {
        let packed = bytes
            .chunks(2)
            .map(|pair| (pair[0] - b'0') << 4 | (pair[1] - b'0'));
        all.push(("packed decimal", packed.collect()));
    }
    // In the middle of a longer base64 text it may begin at any of three offsets; the characters
    // that mix with neighbours are left out.
    for (offset, skip) in [(0, 0), (1, 2), (2, 3)] {
        let shifted = [&vec![0; offset][..], bytes].concat();
        let whole = shifted.len() / 3 * 3;
        for (name, encoded) in [
            ("base64", STANDARD_NO_PAD.encode(&shifted[..whole])),
            ("URL-safe base64", URL_SAFE_NO_PAD.encode(&shifted[..whole])),
        ] {
            all.push((name, encoded.as_bytes()[skip.min(encoded.len())..].to_vec()));
        }
    }
    all
}

/// Every personal datum of a population as the registry is given it.
fn personal_data(population: &str) -> Vec<(String, String)> {
    let mut data = Vec::new();
    for line in population.lines() {
        let record: Value = serde_json::from_str(line).unwrap();
        let mut add = |text: &str, what: &str| {
            if !text.is_empty() {
                data.push((text.to_owned(), what.to_owned()));
            }
        };
        for field in ["personal_id", "full_name", "old_id", "residence"] {
            add(record[field].as_str().unwrap(), field);
        }
        for phone in record["phones"].as_array().unwrap() {
            let phone = phone.as_str().unwrap();
            add(phone, "phone");
            add(&format!("0{}", &phone[3..]), "national phone");
        }
        for document in record["documents"].as_array().unwrap() {
            add(document["number"].as_str().unwrap(), "document");
        }
        for device in record["devices"].as_array().unwrap() {
            add(device.as_str().unwrap(), "device");
        }
    }
    data
}

fn search(needles: &Needles, dir: &Path, searched: &mut u64) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        assert_eq!(
            needles.find(path.to_string_lossy().as_bytes()),
            None,
            "in a file name"
        );
        if path.is_dir() {
            search(needles, &path, searched);
        } else {
            let bytes = fs::read(&path).unwrap();
            *searched += bytes.len() as u64;
            assert_eq!(needles.find(&bytes), None, "in {}", path.display());
        }
    }
}

#[test]
fn the_search_finds_what_is_there() {
    let data = [("Nguyễn Thị Thử".to_owned(), "full_name".to_owned())];
    let needles = Needles::new(&data);
    for (encoding, bytes) in encodings("Nguyễn Thị Thử") {
        let planted = [&[0x13; 57][..], &bytes, &[0x31; 9]].concat();
        assert!(needles.find(&planted).is_some(), "{encoding}");
    }
    let embedded = STANDARD_NO_PAD.encode("..\"name\":\"Nguyễn Thị Thử\"");
    assert!(needles.find(embedded.as_bytes()).is_some());
    assert_eq!(needles.find(&[0x55; 4096]), None);
}

#[test]
fn no_personal_datum_lies_in_the_clear() {
    const PEOPLE: &str = "40";
    let place = Place::new();
    let made = place.good(&["demo", "--once", "--people", PEOPLE]);
    let population = place.good(&[
        "demo",
        "--print-population",
        "--everything",
        "--people",
        PEOPLE,
    ]);
    let needles = Needles::new(&personal_data(&population.stdout));
    assert!(needles.all.len() > 40 * 50, "{} needles", needles.all.len());
    assert!(needles.find(population.stdout.as_bytes()).is_some());
    // What the program said, and everything it wrote.
    assert_eq!(needles.find(made.stdout.as_bytes()), None);
    assert_eq!(needles.find(made.stderr.as_bytes()), None);
    let mut searched = 0;
    search(&needles, &place.ledger(), &mut searched);
    assert!(
        searched > 64 << 20,
        "segment, index, vault, registry and views were searched"
    );
    // A server that logs everything it can, and its metrics.
    let server = place.serve(&["--open-reads"], &[("LEDGER_LOG", "trace")]);
    let issued = place.good(&[
        "log",
        "--kind",
        "AccountIssued",
        "-n",
        "1",
        "--format",
        "jsonl",
    ]);
    let stream = issued.lines()[0]["stream"].as_str().unwrap().to_owned();
    let account = stream.strip_prefix("account-").unwrap();
    for path in [
        format!("/v1/accounts/{account}"),
        "/v1/events?limit=100".into(),
        "/v1/nothing".into(),
    ] {
        let response = server.get(&path);
        assert!(response.starts_with("HTTP/1.1 "), "{path}");
        assert_eq!(needles.find(response.as_bytes()), None, "{path}");
    }
    let metrics = server.get("/metrics");
    assert!(metrics.starts_with("HTTP/1.1 200"), "{metrics}");
    assert_eq!(needles.find(metrics.as_bytes()), None);
    let (code, log) = server.end();
    assert_eq!(code, 0, "{log}");
    assert!(log.len() > 1_000, "it logs: {log}");
    assert_eq!(needles.find(log.as_bytes()), None);
}
