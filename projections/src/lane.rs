//! One projection over its view: folds records in order and commits rows, cursor and digest in one
//! batch of one tree (exactly once).
//!
//! The rows of its own, whose keys start with zero, no projection ever writes:
//!
//! ```text
//! 00 'v'  form of the view, name and version of the projection
//! 00 'c'  u64 LE position of the next event ‖ link of the last one folded (zero before the first)
//! 00 'd'  state of the set digest (2,048 bytes)
//! 00 'h'  why it last halted, if it did
//! 00 's'  u64 LE position ‖ digest just after the last `StateSealed` event
//! ```

pub(crate) mod cuts;

use crate::Views;
use crate::changes::Changes;
use crate::digest::{ProjectionDigest, SetDigest};
use crate::error::{ApplyError, ViewError};
use crate::projection::{Decoded, Projection, Unreadable};
use crate::view::{Key, Value, ViewStore, Write};
use cuts::{Compared, Note};
use domain::bytes;
use domain::event::Event;
use domain::ids::Digest;
use std::sync::Arc;
use wincode::{SchemaRead, SchemaWrite};

const FORM_KEY: &[u8] = &[0, b'v'];
const CURSOR_KEY: &[u8] = &[0, b'c'];
const DIGEST_KEY: &[u8] = &[0, b'd'];
const HALT_KEY: &[u8] = &[0, b'h'];
/// Version of the rows above.
const FORM: u16 = 1;
/// Longest reason kept of a halt, in bytes.
const REASON_BYTES_MAX: usize = 500;

/// What a row costs that a projection holds for itself, roughly; at most four times this.
const HELD_ROW_BYTES: usize = 1024;

/// What a changed row takes in memory while building, roughly.
const BUILDING_ROW_BYTES: usize = 240;

/// How much is gathered before it is committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Window {
    /// Most changed rows.
    pub(crate) rows: usize,
    /// Most bytes of rows in memory, changed or not.
    pub(crate) bytes: usize,
    /// Whether somebody reads the rows: then a commit is atomic.
    pub(crate) serving: bool,
}

impl Window {
    /// Serving: short, because a batch of sled 0.34.7 holds up every reader of the process (about
    /// 20 µs a row).
    pub(crate) const SERVING: Self = Self {
        rows: 1_000,
        bytes: 16 << 20,
        serving: true,
    };

    /// Building aside, with so many bytes for the rows of all views. The more is gathered, the more
    /// often a leaf of the tree takes in several rows at once.
    pub(crate) const fn building(all_bytes: usize) -> Self {
        let bytes = all_bytes / Views::NAMES.len();
        Self {
            rows: bytes / BUILDING_ROW_BYTES,
            bytes,
            serving: false,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, SchemaRead, SchemaWrite)]
struct Form {
    number: u16,
    name: String,
    version: u32,
}

/// A halt, as it is remembered.
#[derive(Debug, Clone, PartialEq, Eq, SchemaRead, SchemaWrite)]
pub(crate) struct Halt {
    /// The event at which it halted.
    pub(crate) position: u64,
    /// Why.
    pub(crate) reason: String,
    /// Whether it is the event's fault; otherwise the machine's.
    pub(crate) poison: bool,
}

/// One projection over its view.
pub(crate) struct Lane {
    projection: Box<dyn Projection>,
    changes: Changes,
    digest: SetDigest,
    /// Position of the next event to fold.
    cursor: u64,
    /// Link of the last event folded.
    link: Digest,
    committed: u64,
    window: Window,
    last_halt: Option<Halt>,
    /// What was stated of it, and what it noted itself.
    compared: Compared,
    /// The last event folded was a `StateSealed`: the window ends here.
    at_cut: bool,
}

impl Lane {
    /// Over an empty view. Building: nothing says that the view is one until [`Lane::finish`].
    pub(crate) fn create(
        projection: Box<dyn Projection>,
        view: Arc<dyn ViewStore>,
        window: Window,
    ) -> Result<Self, ViewError> {
        let mut lane = Self {
            projection,
            changes: Changes::new(view),
            digest: SetDigest::default(),
            cursor: 0,
            link: Digest::ZERO,
            committed: 0,
            window,
            last_halt: None,
            compared: Compared::default(),
            at_cut: false,
        };
        lane.projection.start(&mut lane.changes)?;
        if window.serving {
            lane.finish()?;
        }
        Ok(lane)
    }

    /// Over a view as it was left.
    pub(crate) fn open(
        projection: Box<dyn Projection>,
        view: Arc<dyn ViewStore>,
    ) -> Result<Self, ViewError> {
        let name = projection.name();
        let damaged = |reason: &str| ViewError::damaged(name, reason);
        let form = view
            .get(FORM_KEY)?
            .ok_or_else(|| damaged("it was never finished"))?;
        let form: Form = bytes::decode(&form).map_err(|error| ViewError::damaged(name, &error))?;
        if form.number != FORM || form.name != name || form.version != projection.version() {
            let (found, wanted) = (form.version, projection.version());
            return Err(ViewError::Outdated {
                view: name.to_owned(),
                found,
                wanted,
            });
        }
        let cursor = view
            .get(CURSOR_KEY)?
            .ok_or_else(|| damaged("it has no cursor"))?;
        let (cursor, link) = cursor
            .split_first_chunk::<8>()
            .ok_or_else(|| damaged("its cursor is cut"))?;
        let link = link.try_into().map_err(|_| damaged("its cursor is cut"))?;
        let digest = view
            .get(DIGEST_KEY)?
            .ok_or_else(|| damaged("it has no digest"))?;
        let digest = SetDigest::from_bytes(&digest).ok_or_else(|| damaged("its digest is cut"))?;
        let last_halt = view.get(HALT_KEY)?.and_then(|row| bytes::decode(&row).ok());
        let cursor = u64::from_le_bytes(*cursor);
        let compared = Compared {
            note: Note::read(&*view)?,
            ..Compared::default()
        };
        let mut lane = Self {
            projection,
            changes: Changes::new(view),
            digest,
            cursor,
            link: Digest(link),
            committed: cursor,
            window: Window::SERVING,
            last_halt,
            compared,
            at_cut: false,
        };
        lane.projection.start(&mut lane.changes)?;
        Ok(lane)
    }

    /// Name of its projection.
    pub(crate) fn name(&self) -> &'static str {
        self.projection.name()
    }

    /// Version of its projection.
    pub(crate) fn version(&self) -> u32 {
        self.projection.version()
    }

    /// The view below.
    pub(crate) fn view(&self) -> &Arc<dyn ViewStore> {
        self.changes.view()
    }

    /// Position of the next event to fold.
    pub(crate) fn cursor(&self) -> u64 {
        self.cursor
    }

    /// Link of the last event folded.
    pub(crate) fn link(&self) -> Digest {
        self.link
    }

    /// How many events are committed.
    pub(crate) fn committed(&self) -> u64 {
        self.committed
    }

    /// Why it last halted, as remembered by the view.
    pub(crate) fn last_halt(&self) -> Option<&Halt> {
        self.last_halt.as_ref()
    }

    /// What was stated of it, and what it noted itself.
    pub(crate) fn compared(&self) -> &Compared {
        &self.compared
    }

    /// Digest just after the last `StateSealed` event.
    pub(crate) fn cut(&self) -> Option<ProjectionDigest> {
        let Note { position, digest } = self.compared.note?;
        Some(ProjectionDigest {
            projection: self.name(),
            version: self.version(),
            position,
            digest,
        })
    }

    /// Digest of what is committed.
    pub(crate) fn digest(&self) -> ProjectionDigest {
        ProjectionDigest {
            projection: self.name(),
            version: self.version(),
            position: self.committed,
            digest: self.digest.finish(),
        }
    }

    /// Folds one record; one that was folded before is passed over. On an error everything before
    /// the record is still there to be committed, and nothing of the record.
    pub(crate) fn fold(
        &mut self,
        position: u64,
        record: &Result<Decoded, Unreadable>,
    ) -> Result<(), Halt> {
        if position < self.cursor {
            return Ok(());
        }
        let halt = |reason: String, poison| Halt {
            position,
            reason,
            poison,
        };
        if position > self.cursor {
            let reason = format!("event {} is missing before it", self.cursor);
            return Err(halt(reason, true));
        }
        let record = match record {
            Ok(record) => record,
            Err(unreadable) => return Err(halt(unreadable.reason.clone(), true)),
        };
        let sealed = match &record.event {
            Event::StateSealed(facts) => Some(facts),
            _ => None,
        };
        if sealed.is_some() {
            // The state map reads committed rows when it makes a cut.
            let committed = self.commit();
            committed.map_err(|error| halt(error.to_string(), false))?;
        }
        match self.projection.apply(&mut self.changes, record) {
            Ok(()) => {
                self.changes.keep();
                self.cursor += 1;
                self.link = record.link;
                if let Some(facts) = sealed {
                    let of = (self.projection.name(), self.projection.version());
                    self.compared.state(position, facts, of);
                    self.at_cut = true;
                }
                Ok(())
            }
            Err(error) => {
                self.changes.revert();
                Err(halt(
                    error.to_string(),
                    matches!(error, ApplyError::Poison(_)),
                ))
            }
        }
    }

    /// Whether the window is full and should be committed.
    pub(crate) fn is_full(&self) -> bool {
        let held = self.projection.held_rows();
        self.at_cut
            || self.changes.dirty() + held >= self.window.rows
            || self.changes.bytes() + held * HELD_ROW_BYTES >= self.window.bytes
    }

    /// Commits what was folded: rows, cursor and digest together.
    pub(crate) fn commit(&mut self) -> Result<(), ViewError> {
        if self.cursor == self.committed {
            return Ok(());
        }
        self.projection.before_commit(&mut self.changes)?;
        self.changes.keep();
        let mut writes = self.changes.drain(&mut self.digest);
        let changed = !writes.is_empty();
        if self.at_cut {
            self.at_cut = false;
            self.compared.note = Some(Note {
                position: self.cursor,
                digest: self.digest.finish(),
            });
            if let (true, Some(note)) = (self.window.serving, &self.compared.note) {
                writes.push(note.write()?);
            }
        }
        if self.window.serving {
            if changed {
                writes.push(write(DIGEST_KEY, self.digest.to_bytes())?);
            }
            writes.push(self.cursor_row()?);
            writes.sort_unstable_by(|left, right| left.key.cmp(&right.key));
            self.view().apply(writes)?;
        } else {
            self.view().load(writes)?;
        }
        self.committed = self.cursor;
        if self.changes.bytes() >= self.window.bytes {
            self.changes.forget();
        }
        Ok(())
    }

    /// Commits, says that the view is complete up to its cursor, and puts all of it on the disk.
    /// From here on it serves.
    pub(crate) fn finish(&mut self) -> Result<(), ViewError> {
        self.commit()?;
        let form = Form {
            number: FORM,
            name: self.name().to_owned(),
            version: self.version(),
        };
        let form = bytes::encode(&form).map_err(|error| ViewError::damaged(self.name(), &error))?;
        let mut writes = vec![
            self.cursor_row()?,
            write(DIGEST_KEY, self.digest.to_bytes())?,
        ];
        if let Some(note) = &self.compared.note {
            writes.push(note.write()?);
        }
        writes.push(write(FORM_KEY, form)?);
        self.view().apply(writes)?;
        self.view().sync()?;
        self.window = Window::SERVING;
        Ok(())
    }

    /// Remembers why it halted for as long as it lives.
    pub(crate) fn note_halt(&mut self, halt: Halt) {
        self.last_halt = Some(halt);
    }

    /// Remembers why it halted, beside the rows, so that a status can say so after a restart.
    pub(crate) fn remember_halt(&mut self, halt: &Halt) -> Result<(), ViewError> {
        let mut halt = halt.clone();
        let end = halt.reason.floor_char_boundary(REASON_BYTES_MAX);
        halt.reason.truncate(end);
        let row = bytes::encode(&halt).map_err(|error| ViewError::damaged(self.name(), &error))?;
        self.last_halt = Some(halt);
        self.view().apply(vec![write(HALT_KEY, row)?])
    }

    fn cursor_row(&self) -> Result<Write, ViewError> {
        let mut row = self.cursor.to_le_bytes().to_vec();
        row.extend(self.link.0);
        write(CURSOR_KEY, row)
    }
}

fn write(key: &[u8], value: Vec<u8>) -> Result<Write, ViewError> {
    Ok(Write {
        key: Key::try_from(key.to_vec())?,
        value: Some(Value::try_from(value)?),
    })
}
