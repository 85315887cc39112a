//! FORMAT.md and the code say the same. `IDLEDGER_OVERWRITE_FORMAT=1` writes the generated tables.

use domain::entitlement::Standing;
use domain::event::Event;
use domain::ids::{self, Category};
use domain::law::{Confidence, Opening};
use domain::policy::{BiometricRule, BoundDeviceActivation, ChildrenAccounts, ContactRequired};
use domain::vocabulary::{
    Capture, Channel, ChipEvidence, ChipFault, ClaimEnd, CloseReason, CommandKind, Database,
    DependantEnd, DependantKind, DocumentKind, EvidenceStrength, Guard, KeyEnd, KeyPurpose,
    LawKind, Level, LinkOutcome, LockAction, LockGround, LockRefusal, LoginOutcome, MatchResult,
    Message, Modality, NoticeFault, OtpPurpose, QuestionId, RefusalCode, RefusalReason,
    RegistrationMethod, RegistryOutcome, Relation, RetentionClass, Role, ShareField, ShareMode,
    Status, StepUpMethod, TravelDocumentKind, UnbindReason, Validity, WaitEnd, WithdrawReason,
};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

macro_rules! sizes {
    ($( $name:ident )*) => {
        &[ $( (stringify!($name), size_of::<ids::$name>()) ),* ]
    };
}

/// Byte strings and how long they are.
const IDS: &[(&str, usize)] = sizes! {
    AccountId EventId CommandId CorrelationId PrincipalId CaseId RequestId ChallengeId VerifierId
    DocumentId ShareId DeviceRef LookupHash KeyId LedgerId PublicKey Digest Signature
};

macro_rules! lists {
    ($( $name:ident )*) => {
        vec![ $( (stringify!($name), $name::ALL.iter().map(|v| format!("{v:?}")).collect()) ),* ]
    };
}

/// Lists and their values.
fn lists() -> Vec<(&'static str, Vec<String>)> {
    use BiometricRule::{Any, PortraitAndFingerprints};
    use BoundDeviceActivation::{Reject, TransferWithStepUp};
    use ContactRequired::{OwnMobile, PhoneOrEmail};
    let category = Category::ALL
        .iter()
        .map(|(value, _)| format!("{value:?}"))
        .collect();
    let mut lists: Vec<(&'static str, Vec<String>)> = lists! {
        Role RegistrationMethod Database RegistryOutcome OtpPurpose LoginOutcome EvidenceStrength
        Modality MatchResult Level RefusalReason WithdrawReason Channel StepUpMethod UnbindReason
        DocumentKind LinkOutcome LockGround CloseReason ClaimEnd RetentionClass KeyPurpose KeyEnd
        QuestionId CommandKind LawKind Guard RefusalCode Message ShareMode ShareField Validity LockAction
        LockRefusal Status Relation DependantKind DependantEnd NoticeFault WaitEnd TravelDocumentKind
        ChipFault
    };
    lists.push(("Category", category));
    let names =
        |values: &[&dyn core::fmt::Debug]| values.iter().map(|v| format!("{v:?}")).collect();
    lists.push((
        "BoundDeviceActivation",
        names(&[&Reject, &TransferWithStepUp]),
    ));
    lists.push(("ContactRequired", names(&[&PhoneOrEmail, &OwnMobile])));
    lists.push((
        "ChildrenAccounts",
        names(&[
            &ChildrenAccounts::UnderGuardian,
            &ChildrenAccounts::OwnOnDemand,
        ]),
    ));
    lists.push(("BiometricRule", names(&[&PortraitAndFingerprints, &Any])));
    let confidence = names(&[
        &Confidence::Law,
        &Confidence::CircularLetter,
        &Confidence::Narrative,
    ]);
    lists.push(("Confidence", confidence));
    let standing = names(&[
        &Standing::Entitlement,
        &Standing::Narrative,
        &Standing::External,
    ]);
    lists.push(("Standing", standing));
    let opening = names(&[&Opening::EveryDay, &Opening::WorkingDays]);
    lists.push(("Opening", opening));
    lists
}

/// Types that FORMAT.md describes in words.
const DESCRIBED: [&str; 20] = [
    "u8",
    "u16",
    "u32",
    "u64",
    "i64",
    "bool",
    "String",
    "Micros",
    "LocalDay",
    "AreaCode",
    "StreamId",
    "Capture",
    "ChipEvidence",
    "Awaited",
    "ChipProof",
    "StatedDigest",
    "CatalogueService",
    "LawDraft",
    "Policy",
    "Revision",
];

fn type_name(source: &str) -> String {
    source
        .replace(' ', "")
        .replace("crate::ids::", "")
        .replace("crate::policy::", "")
        .replace("crate::entitlement::", "")
        .replace("crate::law::", "")
}

fn kinds_table() -> String {
    let mut table = "| Code | Kind | Facts |\n|---|---|---|\n".to_owned();
    for ((code, name, schema), (of, fields)) in Event::KINDS.iter().zip(Event::FACTS) {
        assert_eq!(
            (code, *schema),
            (of, 1),
            "a second version needs a table of its own"
        );
        let fields: Vec<String> = fields
            .iter()
            .map(|(field, of_type)| format!("`{field}: {}`", type_name(of_type)))
            .collect();
        let _ = writeln!(table, "| {code} | `{name}` | {} |", fields.join(", "));
    }
    table
}

fn ids_table() -> String {
    let mut table = "| Type | Bytes |\n|---|---|\n".to_owned();
    for (name, bytes) in IDS {
        let _ = writeln!(table, "| `{name}` | {bytes} |");
    }
    table
}

fn lists_table() -> String {
    let mut table = "| List | Values |\n|---|---|\n".to_owned();
    for (name, values) in lists() {
        let values: Vec<String> = values
            .iter()
            .enumerate()
            .map(|(tag, value)| format!("{tag} {value}"))
            .collect();
        let _ = writeln!(table, "| `{name}` | {} |", values.join(" · "));
    }
    table
}

/// The drawing in the module documentation of a source file, so that there is one of each.
fn drawing(source: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .join(source);
    let text = std::fs::read_to_string(path).unwrap();
    let docs: Vec<&str> = text
        .lines()
        .map_while(|line| line.strip_prefix("//!"))
        .map(|line| line.strip_prefix(' ').unwrap_or(line))
        .collect();
    let start = docs
        .iter()
        .position(|line| *line == "```text")
        .expect("a drawing");
    let end = docs
        .iter()
        .skip(start + 1)
        .position(|line| *line == "```")
        .expect("its end");
    // What stands after the drawing explains it.
    docs[start..]
        .join("\n")
        .replace("[`", "`")
        .replace("`]", "`")
        + if end > 0 { "\n" } else { "" }
}

#[test]
fn format_md_says_what_the_code_does() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../FORMAT.md");
    let stored = std::fs::read_to_string(&path).unwrap();
    let mut text = stored.clone();
    for (section, content) in [
        ("kinds", kinds_table()),
        ("ids", ids_table()),
        ("lists", lists_table()),
        ("segments", drawing("ledger/src/segments/frame.rs")),
        ("archive", drawing("ledger/src/archive.rs")),
        ("vault", drawing("ledger/src/vault/layout.rs")),
        ("registry", drawing("ledger/src/registry/sealed_file.rs")),
        ("state map", drawing("tlog/src/map.rs")),
    ] {
        let (begin, end) = (
            format!("<!-- begin: {section} -->\n"),
            format!("<!-- end: {section} -->"),
        );
        let start = text.find(&begin).expect("the section is there") + begin.len();
        let stop = text.find(&end).expect("the section ends");
        text.replace_range(start..stop, &content);
    }
    if std::env::var_os("IDLEDGER_OVERWRITE_FORMAT").is_some_and(|value| value == "1") {
        std::fs::write(&path, &text).unwrap();
        return;
    }
    let differing = stored
        .lines()
        .zip(text.lines())
        .find(|(stored, made)| stored != made);
    assert!(
        stored == text,
        "FORMAT.md differs from the code: {differing:?}; IDLEDGER_OVERWRITE_FORMAT=1 writes it"
    );
}

#[test]
fn every_type_in_the_facts_is_described() {
    let mut described: BTreeSet<String> = DESCRIBED.iter().map(|name| (*name).into()).collect();
    described.extend(IDS.iter().map(|(name, _)| (*name).into()));
    described.extend(lists().into_iter().map(|(name, _)| name.to_owned()));
    let format =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../FORMAT.md"));
    let format = format.unwrap();
    assert!(
        DESCRIBED
            .iter()
            .all(|name| format.contains(&format!("`{name}`")))
    );
    for (code, fields) in Event::FACTS {
        for (field, of_type) in *fields {
            let name = type_name(of_type);
            let inner = name
                .trim_start_matches("Option<")
                .trim_start_matches("Vec<");
            let inner = inner.trim_end_matches('>');
            assert!(
                described.contains(inner),
                "kind {code}, field {field}: {inner}"
            );
        }
    }
    // Named in the table of lists only through structs that are described in words.
    assert_eq!(size_of::<Capture>(), 33);
    assert!(size_of::<ChipEvidence>() >= 101);
}
