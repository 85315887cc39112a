//! Asking one witness, as `tlog-witness` says; and checking what it answers.

use crate::http::{CallError, PeerError};
use crate::link::Link;
use core::sync::atomic::{AtomicU64, Ordering};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::CONTENT_TYPE;
use hyper::{Method, Request, StatusCode};
use ledger::transparency::TransparencyLog;
use std::time::Duration;
use tlog::note::{Note, NoteSignature, VerifierKey};
use tlog::tree::Stored;
use tlog::witness::AddCheckpoint;
use tlog::{Checkpoint, SIZE_MAX};

/// Longest answer taken, in bytes: cosignatures of several keys, post-quantum ones too.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// Requests for one cosignature: with the size remembered, and with the size then said.
const REQUESTS_MAX: usize = 3;
/// How far ahead of the clock here a cosignature may be, in seconds.
const AHEAD_MAX_S: u64 = 300;

/// Why there is no cosignature.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoCosignature {
    /// No good answer.
    #[error(transparent)]
    Call(#[from] CallError),
    /// What it sent is not its cosignature of this checkpoint.
    #[error("its answer is not its cosignature: {0}")]
    Wrong(&'static str),
    /// It has cosigned a larger tree. If that is true, there is more of this log than is here.
    #[error("it says that it has cosigned {0} entries, more than there are here")]
    Ahead(u64),
    /// It has cosigned something that the log does not continue: another history.
    #[error("it says that the checkpoint contradicts what it has cosigned")]
    Contradiction,
    /// The consistency proof cannot be made.
    #[error("the tree cannot be read")]
    Tree,
}

/// A witness, and what is known of it.
pub(super) struct OneWitness {
    link: Link,
    key: VerifierKey,
    /// What it cosigned last, as far as is known here.
    old: AtomicU64,
    asked: AtomicU64,
    failed: AtomicU64,
}

impl OneWitness {
    pub fn new(url: &str, key: VerifierKey) -> Result<Self, PeerError> {
        Ok(Self {
            link: Link::new(url)?,
            key,
            old: AtomicU64::new(0),
            asked: AtomicU64::new(0),
            failed: AtomicU64::new(0),
        })
    }

    pub const fn key(&self) -> &VerifierKey {
        &self.key
    }

    /// Requests, failures, and the size it cosigned last.
    pub fn figures(&self) -> (u64, u64, u64) {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (of(&self.asked), of(&self.failed), of(&self.old))
    }

    /// Its cosignature of a checkpoint, checked.
    pub async fn ask(
        &self,
        note: &Note,
        log: &TransparencyLog,
        time_max: Duration,
        now_s: u64,
    ) -> Result<NoteSignature, NoCosignature> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let asked = tokio::time::timeout(time_max, self.ask_in_time(note, log, now_s)).await;
        let answer = asked.unwrap_or(Err(CallError::TimedOut.into()));
        if let Err(error) = &answer {
            self.failed.fetch_add(1, Ordering::Relaxed);
            let witness = self.key.name();
            match error {
                NoCosignature::Ahead(_) | NoCosignature::Contradiction => {
                    tracing::error!(%error, witness, "a witness has seen another history");
                }
                error => tracing::warn!(%error, witness, "a witness did not cosign"),
            }
        }
        answer
    }

    async fn ask_in_time(
        &self,
        note: &Note,
        log: &TransparencyLog,
        now_s: u64,
    ) -> Result<NoteSignature, NoCosignature> {
        let checkpoint = Checkpoint::parse(note.text()).map_err(|_| NoCosignature::Tree)?;
        let size = checkpoint.head.size;
        for _ in 0..REQUESTS_MAX {
            let old = self.old.load(Ordering::Relaxed);
            if old > size {
                // Not believed for ever: the next time it is asked anew.
                self.old.store(0, Ordering::Relaxed);
                return Err(NoCosignature::Ahead(old));
            }
            let (status, body) = self.post(note, log, (old, size)).await?;
            if status == StatusCode::CONFLICT {
                let latest = size_of(&body)?;
                if latest == old {
                    return Err(NoCosignature::Wrong("it contradicts itself"));
                }
                self.old.store(latest, Ordering::Relaxed);
                continue;
            }
            return match status {
                StatusCode::OK => {
                    let signature = self.cosignature(note, &body, now_s)?;
                    self.old.store(size, Ordering::Relaxed);
                    Ok(signature)
                }
                StatusCode::UNPROCESSABLE_ENTITY => Err(NoCosignature::Contradiction),
                status => Err(CallError::Status(status.as_u16()).into()),
            };
        }
        Err(NoCosignature::Wrong("it keeps saying other sizes"))
    }

    async fn post(
        &self,
        note: &Note,
        log: &TransparencyLog,
        (old, size): (u64, u64),
    ) -> Result<(StatusCode, Bytes), NoCosignature> {
        let proof = Stored::new(size, log.levels().as_ref())
            .and_then(|tree| tree.consistency(old))
            .map_err(|_| NoCosignature::Tree)?;
        let by_log = note.signatures().iter();
        let by_log = by_log.filter(|signature| signature.is_by(log.key()));
        let checkpoint = Note::new(note.text().to_owned(), by_log.cloned().collect());
        let checkpoint = checkpoint.map_err(|_| NoCosignature::Tree)?;
        let request = AddCheckpoint {
            old,
            proof,
            checkpoint,
        };
        let target = self.link.uri(&self.link.target("/add-checkpoint"));
        let request = Request::builder()
            .method(Method::POST)
            .uri(target)
            .header(CONTENT_TYPE, "text/plain; charset=utf-8")
            .body(Full::new(Bytes::from(request.to_text())))
            .map_err(|_| CallError::Request)?;
        let (parts, body) = self.link.send(request, ANSWER_BYTES_MAX).await?;
        if parts.status == StatusCode::CONFLICT {
            let kind = parts.headers.get(CONTENT_TYPE);
            if kind.is_none_or(|kind| kind != "text/x.tlog.size") {
                return Err(NoCosignature::Wrong("a conflict without a size"));
            }
        }
        Ok((parts.status, body))
    }

    /// The one line of the answer that is by its key, if it is right. Others may stand beside it.
    fn cosignature(
        &self,
        note: &Note,
        body: &[u8],
        now_s: u64,
    ) -> Result<NoteSignature, NoCosignature> {
        let wrong = NoCosignature::Wrong;
        let lines = core::str::from_utf8(body).map_err(|_| wrong("not text"))?;
        let answer = Note::parse(&format!("{}\n{lines}", note.text()))
            .map_err(|_| wrong("not signature lines"))?;
        if answer.text() != note.text() {
            return Err(wrong("not signature lines"));
        }
        let mut own = answer.signatures().iter();
        let own = own.find(|signature| signature.is_by(&self.key));
        let own = own.ok_or(wrong("none by its key"))?.clone();
        let keys = core::slice::from_ref(&self.key);
        let signed = answer
            .verify(keys)
            .map_err(|_| wrong("it does not verify"))?;
        let time = signed.first().and_then(|signed| signed.time).unwrap_or(0);
        if time == 0 {
            return Err(wrong("it says no time"));
        }
        if time > now_s.saturating_add(AHEAD_MAX_S) {
            return Err(wrong("its time is in the future"));
        }
        Ok(own)
    }
}

/// The size in an answer with status 409.
fn size_of(body: &[u8]) -> Result<u64, NoCosignature> {
    let wrong = NoCosignature::Wrong("not a size");
    let text = core::str::from_utf8(body).ok();
    let digits = text.and_then(|text| text.strip_suffix('\n'));
    let digits = digits.filter(|digits| {
        let canonical = *digits == "0" || !digits.starts_with('0');
        canonical && digits.bytes().all(|byte| byte.is_ascii_digit())
    });
    let size = digits.and_then(|digits| digits.parse().ok());
    size.filter(|size| *size <= SIZE_MAX).ok_or(wrong)
}
