//! The one walk over all records in order: links, the head, and what leans on its neighbour.

use super::check::{Checked, Follows};
use super::links::{Class, LinkPass, STREAMS_MAX};
use super::report::Finding;
use super::words::Databases;
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
    /// The registries whose word that command has.
    words: Option<Databases>,
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
            words: None,
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
        self.answered(position, checked)?;
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
            self.words = checked.words;
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
    /// What an event says a registry answered, the receipt of its command has whose word that is.
    fn answered(&self, position: u64, checked: &Checked) -> Result<(), Box<Finding>> {
        let Some(database) = checked.tells else {
            return Ok(());
        };
        let of = (checked.place.stream, checked.command);
        let led = self
            .leader
            .is_some_and(|(stream, command, _)| (stream, command) == of);
        let good = match self.words {
            Some(words) => words.has(database),
            None => true,
        };
        if led && good {
            return Ok(());
        }
        Err(Box::new(Finding {
            position,
            place: String::new(),
            check: "registry's word".to_owned(),
            expected: format!("{database:?} among the answers of its command's receipt"),
            found: "not there".to_owned(),
            reason: None,
        }))
    }
}
