//! Events in words, for the command line: the sentences are the API's own.

pub use api::words::code;

use crate::times::Zone;
use domain::envelope::{Actor, Refused};
use domain::event::Event;

/// A language, as an argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Lang {
    /// tiếng Việt
    Vi,
    /// English
    En,
}

impl Lang {
    /// The text of this language.
    pub fn pick<T>(self, vi: T, en: T) -> T {
        domain::messages::Lang::from(self).pick(vi, en)
    }
}

impl From<Lang> for domain::messages::Lang {
    fn from(lang: Lang) -> Self {
        match lang {
            Lang::Vi => Self::Vi,
            Lang::En => Self::En,
        }
    }
}

/// One event as a sentence without a full stop.
pub fn sentence(event: &Event, lang: Lang, zone: Zone) -> String {
    api::words::sentence(event, lang.into(), zone)
}

/// Who acts.
pub fn actor(actor: &Actor, lang: Lang) -> String {
    api::words::actor(actor, lang.into())
}

/// A refusal: code and guard.
pub fn refusal(refused: Refused, lang: Lang) -> String {
    api::words::refusal(&refused, lang.into())
}
