//! `MANIFEST` and `SHA256SUMS`: that the files are those that somebody put together.
//!
//! The list is a file of its own because notes are small by their specification, and so that `sha256sum -c`
//! reads it as it is.
//!
//! ```text
//! idledger-evidence/1
//! log <origin>
//! sums <SHA-256 of SHA256SUMS, 64 hex digits>
//! signed by <verifier key>        or: unsigned
//! ```

use super::{Files, Flaw, MANIFEST, SUMS};
use sha2::{Digest as _, Sha256};
use tlog::note::{Note, Signer, VerifierKey};

const HEADER: &str = "idledger-evidence/1";

fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

fn sums(files: &Files) -> String {
    let listed = files
        .iter()
        .filter(|(name, _)| ![MANIFEST, SUMS].contains(&name.as_str()));
    listed
        .flat_map(|(name, content)| [sha256(content), format!("  {name}\n")])
        .collect()
}

fn text(origin: &str, sums: &str, key: Option<&VerifierKey>) -> String {
    let by = key.map_or_else(
        || "unsigned".to_owned(),
        |key| format!("signed by {}", key.to_text()),
    );
    let sums = sha256(sums.as_bytes());
    format!("{HEADER}\nlog {origin}\nsums {sums}\n{by}\n")
}

/// Puts both files to the others.
pub fn close(files: &mut Files, origin: &str, signer: Option<&Signer>) -> Result<(), tlog::Error> {
    let sums = sums(files);
    let mut manifest = text(origin, &sums, signer.map(Signer::verifier));
    if let Some(signer) = signer {
        let line = signer.sign(&manifest)?;
        manifest = format!("{manifest}\n{line}");
    }
    files.insert(SUMS.to_owned(), sums.into_bytes());
    files.insert(MANIFEST.to_owned(), manifest.into_bytes());
    Ok(())
}

/// Checks that the files are those of the list, and the list that of the manifest. Who signed it, whether
/// the reader knows them or not; `None`: nobody did.
pub fn check(
    files: &Files,
    origin: &str,
    wanted: Option<&VerifierKey>,
) -> Result<Option<VerifierKey>, Flaw> {
    let of = |name: &str| {
        let bytes = files
            .get(name)
            .ok_or_else(|| Flaw::new(name, "it is missing"))?;
        core::str::from_utf8(bytes).map_err(|_| Flaw::new(name, "it is not text"))
    };
    let (manifest, listed) = (of(MANIFEST)?, of(SUMS)?);
    check_listed(files, listed)?;
    let flaw = |why: &dyn ToString| Flaw::new(MANIFEST, why.to_string());
    if !manifest.starts_with(HEADER) {
        return Err(flaw(&"it is not one that this program knows"));
    }
    let (said, note) = if manifest.contains("\n\n") {
        let note = Note::parse(manifest).map_err(|error| flaw(&error))?;
        (note.text().to_owned(), Some(note))
    } else {
        (manifest.to_owned(), None)
    };
    let by = said
        .lines()
        .nth(3)
        .and_then(|line| line.strip_prefix("signed by "));
    let key = by
        .map(VerifierKey::parse)
        .transpose()
        .map_err(|error| flaw(&error))?;
    if said != text(origin, listed, key.as_ref()) {
        return Err(flaw(&"it is not of this log and of this SHA256SUMS"));
    }
    match (&key, note) {
        (Some(key), Some(note)) => {
            let known = core::slice::from_ref(key);
            let signed = note.verify(known).map_err(|error| flaw(&error))?;
            if signed.len() != 1 || note.signatures().len() != 1 || note.to_text() != manifest {
                return Err(flaw(&"it does not have the one signature it should have"));
            }
        }
        (None, None) => {}
        _ => return Err(flaw(&"its signature was taken away, or put to it")),
    }
    match (wanted, &key) {
        (Some(_), None) => Err(flaw(&"nobody signed it")),
        (Some(wanted), Some(key)) if wanted != key => Err(flaw(&"another key signed it")),
        _ => Ok(key),
    }
}

/// Every file is in the list with its hash, and every line of the list is a file.
fn check_listed(files: &Files, listed: &str) -> Result<(), Flaw> {
    let mut lines = listed.lines();
    for (name, content) in files {
        if [MANIFEST, SUMS].contains(&name.as_str()) {
            continue;
        }
        let line = lines.next().unwrap_or_default();
        let found = line.split_once("  ");
        match found {
            Some((hash, listed)) if listed == name => {
                if hash != sha256(content) {
                    return Err(Flaw::new(
                        name,
                        "it was altered: its SHA-256 is not the listed one",
                    ));
                }
            }
            Some((_, listed)) if !files.contains_key(listed) && plain(listed) => {
                return Err(Flaw::new(listed, "it is listed, and missing"));
            }
            _ => return Err(Flaw::new(name, "it is not in the list")),
        }
    }
    if let Some((_, name)) = lines.next().and_then(|line| line.split_once("  "))
        && plain(name)
    {
        return Err(Flaw::new(name, "it is listed, and missing"));
    }
    if listed == sums(files) {
        Ok(())
    } else {
        Err(Flaw::new(SUMS, "it is not a list of the files"))
    }
}

/// Fit to be repeated.
fn plain(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '/');
    name.len() <= 100 && name.chars().all(plain)
}
