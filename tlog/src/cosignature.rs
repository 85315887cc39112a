//! Cosignatures: a witness has seen this checkpoint, and nothing that contradicts it
//! ([tlog-cosignature](https://c2sp.org/tlog-cosignature)).
//!
//! ```text
//! signature = time: u64 big-endian ‖ Ed25519 of the message
//! message   = "cosignature/v1\n" ‖ "time <decimal>\n" ‖ text of the note
//! ```

use crate::error::Error;
use crate::note::{Algorithm, Signer, VerifierKey, signature_line};

/// Largest time.
const TIME_MAX: u64 = i64::MAX.unsigned_abs();

fn message(time: u64, text: &str) -> String {
    format!("cosignature/v1\ntime {time}\n{text}")
}

/// Cosigns the text of a checkpoint at a time in POSIX seconds: the line to put under it. Whoever
/// calls has made sure that it contradicts nothing it cosigned before.
pub fn sign(signer: &Signer, text: &str, time: u64) -> Result<String, Error> {
    if signer.verifier().algorithm() != Algorithm::Cosignature {
        return Err(Error::malformed("cosigner", "its key is for notes"));
    }
    crate::Checkpoint::parse(text)?;
    if time > TIME_MAX {
        return Err(Error::OutOfRange { what: "time" });
    }
    let mut signature = time.to_be_bytes().to_vec();
    signature.extend(signer.sign_bytes(message(time, text).as_bytes()));
    Ok(signature_line(signer.verifier(), &signature))
}

/// Checks a cosignature: the time it was made at.
pub(crate) fn verify(key: &VerifierKey, text: &str, signature: &[u8]) -> Result<u64, Error> {
    let wrong = || Error::WrongSignature {
        name: key.name().to_owned(),
    };
    let (time, signature) = signature.split_first_chunk::<8>().ok_or_else(wrong)?;
    let time = u64::from_be_bytes(*time);
    if time > TIME_MAX {
        return Err(wrong());
    }
    key.verify(message(time, text).as_bytes(), signature)?;
    Ok(time)
}
