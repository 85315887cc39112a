//! Same key, same receipt: how a repeated request is known, also after a restart.
//!
//! # How it works
//!
//! * A command's id is a keyed hash of *who asks* and their `Idempotency-Key` (or, of a signed request
//!   without one, its nonce). The ledger writes it into every event and answers a repeated id with
//!   the first receipt. That is durable and has no end.
//! * What was asked is a keyed hash too, of method, path and body; it is written into the same events
//!   as their correlation id. A repeated key whose request hashes differently is
//!   `IDEMPOTENCY_KEY_REUSED`. The record found by the ledger is compared, so this holds for ever for
//!   commands to the same account.
//! * The ledger looks for a repeated id in the account's stream. The same key used for *another*
//!   account is found in a bounded table of the last [`REMEMBERED_MAX`] ids, which is filled again
//!   from the newest events of the ledger when the server starts ([`crate::warm`]). Beyond that
//!   window such a misuse is carried out as what it is: a new command to another account.
//! * While the first request is under way, a second one with its key is turned away.
//!
//! Secrets and salt are left out of the hash: a code or password is never kept, hashed or not, and a
//! repetition may be salted anew. Without the ledger's lookup key nobody can try bodies against it.

use crate::problem::{Code, Problem};
use domain::ids::{Category, CommandId, CorrelationId, KeyId, PrincipalId};
use parking_lot::Mutex;
use serde_json::Value;
use std::collections::{HashMap, VecDeque};

/// Ids remembered in memory.
pub const REMEMBERED_MAX: usize = 131_072;
/// Fields of a body that are not part of what is asked.
const LEFT_OUT: [&str; 5] = ["salt", "otp", "password", "passcode", "answers"];

/// Who a key belongs to: keys of different callers never meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// A principal, or an account by its id.
    Known(PrincipalId),
    /// A device that is not bound yet.
    Key(KeyId),
    /// Nobody in particular.
    Anyone,
}

/// What makes a command's id.
#[derive(Debug, Clone, Copy)]
pub enum Source<'a> {
    /// `Idempotency-Key`.
    Key(&'a str),
    /// The signature's nonce.
    Nonce(&'a str),
}

/// A keyed hash from the ledger: category and text to sixteen bytes.
pub type Keyed<'k> = &'k dyn Fn(Category, &str) -> [u8; 16];

/// The command's id.
pub fn command_id(keyed: Keyed<'_>, scope: Scope, source: Source<'_>) -> CommandId {
    let scope = match scope {
        Scope::Known(id) => format!("known {id}"),
        Scope::Key(id) => format!("key {id}"),
        Scope::Anyone => "anyone".to_owned(),
    };
    let source = match source {
        Source::Key(key) => format!("key {key}"),
        Source::Nonce(nonce) => format!("nonce {nonce}"),
    };
    CommandId(keyed(
        Category::Ledger,
        &format!("api command id\n{scope}\n{source}"),
    ))
}

/// What was asked, as an id.
pub fn fingerprint(keyed: Keyed<'_>, method: &str, path: &str, body: &[u8]) -> CorrelationId {
    // The body has been parsed strictly before, so this cannot fail; sorted keys make it canonical.
    let mut value: Value = serde_json::from_slice(body).unwrap_or_default();
    if let Value::Object(fields) = &mut value {
        for name in LEFT_OUT {
            fields.remove(name);
        }
    }
    let digest = blake3::hash(value.to_string().as_bytes());
    let text = format!("api request\n{method}\n{path}\n{}", digest.to_hex());
    CorrelationId(keyed(Category::Ledger, &text))
}

/// Requests under way and lately done.
pub struct Remembered {
    inner: Mutex<Inner>,
    limit: usize,
}

#[derive(Default)]
struct Inner {
    known: HashMap<CommandId, Entry>,
    order: VecDeque<CommandId>,
}

#[derive(Clone, Copy)]
struct Entry {
    fingerprint: CorrelationId,
    under_way: bool,
}

impl Default for Remembered {
    fn default() -> Self {
        Self::with_limit(REMEMBERED_MAX)
    }
}

impl Remembered {
    /// Remembers so many.
    pub fn with_limit(limit: usize) -> Self {
        Self {
            inner: Mutex::default(),
            limit,
        }
    }

    /// Notes a request that was carried out earlier.
    pub fn learn(&self, command: CommandId, fingerprint: CorrelationId) {
        let mut inner = self.inner.lock();
        inner.insert(
            command,
            Entry {
                fingerprint,
                under_way: false,
            },
            self.limit,
        );
    }

    /// Begins a request. The guard says that it is over, whatever became of it.
    pub fn begin(
        &self,
        command: CommandId,
        fingerprint: CorrelationId,
    ) -> Result<UnderWay<'_>, Problem> {
        let mut inner = self.inner.lock();
        let before = inner.known.get(&command).copied();
        match before {
            Some(entry) if entry.fingerprint != fingerprint => {
                return Err(Problem::new(Code::IdempotencyKeyReused));
            }
            Some(Entry {
                under_way: true, ..
            }) => {
                return Err(Problem::new(Code::IdempotencyInProgress).retry_after(1));
            }
            _ => inner.insert(
                command,
                Entry {
                    fingerprint,
                    under_way: true,
                },
                self.limit,
            ),
        }
        Ok(UnderWay {
            remembered: self,
            command,
            keep: before.is_some(),
        })
    }
}

impl Inner {
    fn insert(&mut self, command: CommandId, entry: Entry, limit: usize) {
        if self.known.insert(command, entry).is_some() {
            return;
        }
        self.order.push_back(command);
        while self.order.len() > limit {
            let Some(oldest) = self.order.pop_front() else {
                break;
            };
            self.known.remove(&oldest);
        }
    }
}

/// A request under way.
pub struct UnderWay<'a> {
    remembered: &'a Remembered,
    command: CommandId,
    keep: bool,
}

impl UnderWay<'_> {
    /// It may have been written: the key stays bound to what was asked.
    pub fn keep(&mut self) {
        self.keep = true;
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let mut inner = self.remembered.inner.lock();
        if self.keep {
            if let Some(entry) = inner.known.get_mut(&self.command) {
                entry.under_way = false;
            }
        } else {
            // Certainly nothing was written, so the key may be used for the corrected request.
            inner.known.remove(&self.command);
            inner.order.retain(|command| *command != self.command);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keyed(category: Category, text: &str) -> [u8; 16] {
        let mut hasher = blake3::Hasher::new_keyed(&[7; 32]);
        hasher.update(&[category as u8]);
        hasher.update(text.as_bytes());
        let mut hash = [0; 16];
        hasher.finalize_xof().fill(&mut hash);
        hash
    }

    #[test]
    fn ids_differ_by_caller_and_source_and_repeat_for_the_same() {
        let id = |scope, source| command_id(&keyed, scope, source);
        let mine = Scope::Known(PrincipalId([1; 16]));
        assert_eq!(id(mine, Source::Key("k")), id(mine, Source::Key("k")));
        let others = [
            id(mine, Source::Key("k2")),
            id(mine, Source::Nonce("k")),
            id(Scope::Known(PrincipalId([2; 16])), Source::Key("k")),
            id(Scope::Key(KeyId([1; 16])), Source::Key("k")),
            id(Scope::Anyone, Source::Key("k")),
        ];
        assert!(!others.contains(&id(mine, Source::Key("k"))));
    }

    #[test]
    fn a_fingerprint_is_of_what_is_asked_and_of_no_secret() {
        let of = |body: &str| fingerprint(&keyed, "POST", "/v1/x", body.as_bytes());
        let first = of(r#"{"a":1,"b":"x","salt":"s1","otp":"123456"}"#);
        assert_eq!(
            first,
            of(r#"{ "b":"x", "a":1, "salt":"s2", "otp":"654321" }"#)
        );
        assert_eq!(first, of(r#"{"b":"x","a":1}"#));
        assert_ne!(first, of(r#"{"b":"y","a":1}"#));
        assert_ne!(
            first,
            fingerprint(&keyed, "POST", "/v1/y", br#"{"b":"x","a":1}"#)
        );
    }

    #[test]
    fn a_key_is_bound_to_one_request_once_that_may_have_been_written() {
        let table = Remembered::with_limit(2);
        let (command, one, two) = (
            CommandId([1; 16]),
            CorrelationId([1; 16]),
            CorrelationId([2; 16]),
        );
        {
            let _failed = table.begin(command, one).unwrap();
            let code = |fingerprint| table.begin(command, fingerprint).err().unwrap().code;
            assert_eq!(code(one), Code::IdempotencyInProgress);
            assert_eq!(code(two), Code::IdempotencyKeyReused);
        }
        // Nothing was written: the corrected request may use the key.
        table.begin(command, two).unwrap().keep();
        assert_eq!(
            table.begin(command, one).err().unwrap().code,
            Code::IdempotencyKeyReused
        );
        // A repetition that fails does not unbind it.
        drop(table.begin(command, two).unwrap());
        assert_eq!(
            table.begin(command, one).err().unwrap().code,
            Code::IdempotencyKeyReused
        );
    }

    #[test]
    fn the_table_is_bounded() {
        let table = Remembered::with_limit(2);
        for n in 0..100 {
            table.learn(CommandId([n; 16]), CorrelationId([n; 16]));
        }
        assert_eq!(table.inner.lock().known.len(), 2);
        assert_eq!(table.inner.lock().order.len(), 2);
    }
}
