//! Checkpoints: the size and root of a log, as the text of a note
//! ([tlog-checkpoint](https://c2sp.org/tlog-checkpoint)).
//!
//! ```text
//! <origin>
//! <size, decimal>
//! <root, base64>
//! (further lines: extensions)
//! ```

use crate::error::Error;
use crate::hash::Hash;
use crate::proof::Head;
use crate::text::{line, size};

/// Longest origin, in bytes.
const ORIGIN_BYTES_MAX: usize = 255;

/// A checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log.
    pub origin: String,
    /// Its size and root.
    pub head: Head,
    /// Lines that follow, without newlines. None of ours has any.
    pub extensions: Vec<String>,
}

impl Checkpoint {
    /// Without extensions.
    pub fn new(origin: &str, head: Head) -> Result<Self, Error> {
        let checkpoint = Self {
            origin: origin.to_owned(),
            head,
            extensions: Vec::new(),
        };
        // One reader decides what is well formed.
        Self::parse(&checkpoint.to_text())
    }

    /// The text of its note.
    #[must_use]
    pub fn to_text(&self) -> String {
        let Head { size, root } = self.head;
        let mut text = format!("{}\n{size}\n{root}\n", self.origin);
        for extension in &self.extensions {
            text.push_str(extension);
            text.push('\n');
        }
        text
    }

    /// From the text of a note.
    pub fn parse(text: &str) -> Result<Self, Error> {
        const WHAT: &str = "checkpoint";
        let (origin, rest) = line(text, WHAT)?;
        let (count, rest) = line(rest, WHAT)?;
        let (root, mut rest) = line(rest, WHAT)?;
        if origin.is_empty() || origin.len() > ORIGIN_BYTES_MAX {
            return Err(Error::malformed(WHAT, "the length of the origin"));
        }
        if origin.chars().any(char::is_control) {
            return Err(Error::malformed(WHAT, "control characters in the origin"));
        }
        let head = Head {
            size: size(count, "tree size")?,
            root: Hash::from_base64(root)?,
        };
        if head.size == 0 && head.root != Hash::empty() {
            return Err(Error::WrongRoot { what: "no entry" });
        }
        let mut extensions = Vec::new();
        while !rest.is_empty() {
            let (extension, after) = line(rest, WHAT)?;
            if extension.is_empty() {
                return Err(Error::malformed(WHAT, "an empty line"));
            }
            extensions.push(extension.to_owned());
            rest = after;
        }
        Ok(Self {
            origin: origin.to_owned(),
            head,
            extensions,
        })
    }
}
