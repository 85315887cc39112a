//! The one walk over all records in order: links, the head, and what leans on its neighbour.

use super::check::{Checked, Follows};
use super::links::{Class, LinkPass, STREAMS_MAX};
use super::report::Finding;
use domain::ids::{CommandId, Digest, EventId, StreamId};

/// Starts what the head is computed over.
const HEAD_PREFIX: &[u8] = b"idledger-head/v1\0";

/// How far the one ordered walk is.
pub struct Walk {
    /// Over every link so far.
    head: blake3::Hasher,
    /// Records so far.
    pub records: u64,
    /// Signatures verified so far.
    pub signatures: u64,
    /// Links.
    pub links: LinkPass,
    /// The first event of the command under way, whose proof the others lean on.
    leader: Option<(StreamId, CommandId, EventId)>,
}

impl Walk {
    /// Before the first record.
    pub fn new() -> Self {
        let mut head = blake3::Hasher::new();
        head.update(HEAD_PREFIX);
        Self {
            head,
            records: 0,
            signatures: 0,
            links: LinkPass::new(Class::ALL, STREAMS_MAX),
            leader: None,
        }
    }

    /// The whole history so far in one value: `BLAKE3("idledger-head/v1\0" ‖ link ‖ link …)`.
    pub fn head(&self) -> Digest {
        Digest(*self.head.finalize().as_bytes())
    }

    /// The next record.
    pub fn push(&mut self, position: u64, checked: &Checked) -> Result<(), Box<Finding>> {
        self.links
            .push(&checked.place)
            .map_err(|broken| Box::new(broken.at(position)))?;
        self.led(position, checked)?;
        self.head.update(&checked.place.link.0);
        self.records += 1;
        self.signatures += u64::from(checked.signatures);
        Ok(())
    }
}

impl Walk {
    /// The events of one append stand together: what leans on the first event of its command must
    /// find it just before.
    fn led(&mut self, position: u64, checked: &Checked) -> Result<(), Box<Finding>> {
        let stream = checked.place.stream;
        if checked.first {
            self.leader = Some((stream, checked.command, checked.event));
            return Ok(());
        }
        if checked.follows == Follows::Nobody {
            return Ok(());
        }
        let leads = self.leader.is_some_and(|(of, command, event)| {
            let named =
                checked.follows == Follows::First || checked.follows == Follows::Named(event);
            named && (of, command) == (stream, checked.command)
        });
        if leads {
            return Ok(());
        }
        let leader = self
            .leader
            .map_or_else(|| "none".to_owned(), |(.., event)| event.to_string());
        Err(Box::new(Finding {
            position,
            place: String::new(),
            check: "actor's evidence".to_owned(),
            expected: "the first event of the same command just before it".to_owned(),
            found: leader,
            reason: None,
        }))
    }
}
