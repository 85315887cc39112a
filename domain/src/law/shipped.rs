//! The law that comes with the program: the files of `law/` at the top of the source.
//!
//! They are recorded as the first versions when a ledger is made, and read by tests. Nothing that
//! decides looks here.

use super::{LawDraft, LawFileError, parse};

/// Every file: name and text, in the order in which they are recorded.
pub const FILES: &[(&str, &str)] = &[
    (
        "policy-2022-02.toml",
        include_str!("../../../law/policy-2022-02.toml"),
    ),
    (
        "catalogue-2022-08.toml",
        include_str!("../../../law/catalogue-2022-08.toml"),
    ),
    (
        "catalogue-2022-12.toml",
        include_str!("../../../law/catalogue-2022-12.toml"),
    ),
    (
        "catalogue-2023-06.toml",
        include_str!("../../../law/catalogue-2023-06.toml"),
    ),
    (
        "catalogue-2024-03.toml",
        include_str!("../../../law/catalogue-2024-03.toml"),
    ),
    (
        "provinces-63.toml",
        include_str!("../../../law/provinces-63.toml"),
    ),
    (
        "provinces-34.toml",
        include_str!("../../../law/provinces-34.toml"),
    ),
    (
        "messages-1.toml",
        include_str!("../../../law/messages-1.toml"),
    ),
    (
        "documents-2022.toml",
        include_str!("../../../law/documents-2022.toml"),
    ),
    (
        "calendar-2022-2026.toml",
        include_str!("../../../law/calendar-2022-2026.toml"),
    ),
    (
        "sites-2022.toml",
        include_str!("../../../law/sites-2022.toml"),
    ),
];

/// Files that come along and are not recorded when a ledger is made: law of later days, which the authority
/// proposes and approves by command.
pub const LATER: &[(&str, &str)] = &[(
    "policy-2024-07.toml",
    include_str!("../../../law/policy-2024-07.toml"),
)];

/// Every shipped version, in the order in which they are recorded.
pub fn shipped() -> Result<Vec<LawDraft>, LawFileError> {
    FILES.iter().map(|(_, text)| parse(text)).collect()
}
