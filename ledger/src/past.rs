//! Accounts that exist elsewhere, as rows to be imported: CSV with a header, or JSON lines, read one at a
//! time in bounded memory. Errors name what is wrong with a line, never what stands there.
//!
//! Columns: `personal_id`, `phone`, `level` (1 or 2), `issued_at`, `area` and `source` are needed;
//! `activated_at`, `site`, `full_name`, `birth_date`, `sex`, `residence`, `email`, `old_id` and
//! `card_issued` may be there. Times are days of Asia/Ho_Chi_Minh (`2023-04-15`) or RFC 3339. A JSON line
//! is an object of the same fields.
//!
//! Owns what a row means; whether it may be imported is the rules' (`domain::decide`), and a row imported
//! twice is one command.

use crate::evidence::SignedCommand;
use crate::ledger::Ledger;
use crate::registry::ROW_BYTES_MAX;
use crate::writer::claims::read_claim;
use crate::writer::{LedgerError, Secrets, Submission, Target};
use domain::bytes;
use domain::calendar::parse_instant as instant;
use domain::command::Command;
use domain::decide::is_source;
use domain::envelope::Actor;
use domain::identity::{
    BirthDate, CivilDate, Email, FullName, OldId, PersonalId, Phone, Residence, Sex,
};
use domain::ids::{AccountId, AreaCode, Category, PrincipalId, PublicKey};
use domain::personal::Person;
use domain::vocabulary::{LawKind, Level, Role};
use ed25519_dalek::SigningKey;
use serde::Deserialize;
use std::io::{BufRead, BufReader, Read};

const COLUMNS: [&str; 15] = [
    "personal_id",
    "phone",
    "level",
    "issued_at",
    "activated_at",
    "area",
    "site",
    "source",
    "full_name",
    "birth_date",
    "sex",
    "residence",
    "email",
    "old_id",
    "card_issued",
];
const REQUIRED: [&str; 6] = [
    "personal_id",
    "phone",
    "level",
    "issued_at",
    "area",
    "source",
];

/// How rows are written.
pub use crate::registry::Format;

/// What is wrong with a line, or with the whole file.
pub type Reason = &'static str;

/// One account to bring in.
#[derive(Clone)]
pub struct PastAccount {
    command: Command,
    personal_id: String,
    phone: String,
    canonical: Vec<u8>,
}

impl core::fmt::Debug for PastAccount {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("PastAccount(…)")
    }
}

/// Where a row stands before it is imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It can be imported.
    New,
    /// This very row was imported before.
    Imported,
    /// Another account has the personal number.
    NumberTaken,
    /// Another account has the phone number.
    PhoneTaken,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    personal_id: String,
    phone: String,
    level: u8,
    issued_at: String,
    #[serde(default)]
    activated_at: Option<String>,
    area: u32,
    #[serde(default)]
    site: Option<u32>,
    source: String,
    #[serde(default)]
    full_name: Option<String>,
    #[serde(default)]
    birth_date: Option<String>,
    #[serde(default)]
    sex: Option<String>,
    #[serde(default)]
    residence: Option<String>,
    #[serde(default)]
    email: Option<String>,
    #[serde(default)]
    old_id: Option<String>,
    #[serde(default)]
    card_issued: Option<String>,
}

impl TryFrom<Row> for PastAccount {
    type Error = Reason;

    fn try_from(row: Row) -> Result<Self, Reason> {
        let level = match row.level {
            1 => Level::One,
            2 => Level::Two,
            _ => return Err("the level is neither 1 nor 2"),
        };
        let issued_at = instant(&row.issued_at).ok_or("issued_at is not a day or a time")?;
        let activated_at = given(row.activated_at.as_ref())
            .map(|text| instant(text).ok_or("activated_at is not a day or a time"))
            .transpose()?;
        if activated_at.is_some_and(|at| at < issued_at) {
            return Err("activated before it was issued");
        }
        if row.area == 0 || row.area >= 1_000_000 {
            return Err("the area is not province × 1000 + district");
        }
        if !is_source(&row.source) {
            return Err("there is no source document, or its reference could give a person away");
        }
        let person = person(&row)?;
        let (personal_id, phone) = (person.personal_id.clone(), person.phone.clone());
        let command = Command::ImportAccount {
            person,
            level,
            issued_at,
            activated_at,
            area: AreaCode(row.area),
            site: row.site.unwrap_or(0),
            source: row.source,
        };
        let canonical = bytes::encode(&command).map_err(|_| "the row is too long")?;
        Ok(Self {
            command,
            personal_id,
            phone,
            canonical,
        })
    }
}

fn given(text: Option<&String>) -> Option<&str> {
    let text = text.map(|text| text.trim());
    text.filter(|text| !text.is_empty())
}

fn person(row: &Row) -> Result<Person, Reason> {
    let personal_id = PersonalId::try_from(row.personal_id.trim())
        .map_err(|_| "the personal number is not twelve digits")?;
    let phone = Phone::try_from(row.phone.as_str())
        .map_err(|_| "the phone number is not a mobile number of Viet Nam")?;
    let optional = |text: Option<&String>, check: fn(&str) -> bool, reason: Reason| {
        let text = given(text).unwrap_or_default();
        if text.is_empty() || check(text) {
            Ok(text.to_owned())
        } else {
            Err(reason)
        }
    };
    Ok(Person {
        personal_id: personal_id.as_str().to_owned(),
        full_name: optional(
            row.full_name.as_ref(),
            |text| FullName::try_from(text).is_ok(),
            "the name is not valid, or not NFC",
        )?,
        birth_date: optional(
            row.birth_date.as_ref(),
            |text| BirthDate::try_from(text).is_ok(),
            "the birth date is not YYYY-MM-DD, YYYY-MM or YYYY",
        )?,
        sex: optional(
            row.sex.as_ref(),
            |text| Sex::try_from(text).is_ok(),
            "the sex is neither Nam nor Nữ",
        )?,
        residence: optional(
            row.residence.as_ref(),
            |text| Residence::try_from(text).is_ok(),
            "the residence is not valid",
        )?,
        phone: phone.as_str().to_owned(),
        email: optional(
            row.email.as_ref(),
            |text| Email::try_from(text).is_ok(),
            "the e-mail address is not valid",
        )?,
        old_id: optional(
            row.old_id.as_ref(),
            |text| OldId::try_from(text).is_ok(),
            "the old number is not nine or twelve digits",
        )?,
        card_issued: optional(
            row.card_issued.as_ref(),
            |text| CivilDate::try_from(text).is_ok(),
            "the card's issue date is not a date",
        )?,
    })
}

impl PastAccount {
    /// Hashes of its numbers, to find a row that repeats one. They say nothing without the ledger's key.
    pub fn marks(&self, ledger: &Ledger) -> [[u8; 16]; 2] {
        [
            ledger
                .lookup(Category::PersonalIdClaim, &self.personal_id)
                .0,
            ledger.lookup(Category::PhoneClaim, &self.phone).0,
        ]
    }

    /// The command as an importer signs it. The same row is always the same command.
    pub fn submission(
        self,
        ledger: &Ledger,
        (importer, key): (PrincipalId, &SigningKey),
    ) -> Result<Submission, LedgerError> {
        let (command_id, salt) = ledger.import_ids(&self.canonical);
        let signed = SignedCommand {
            salt,
            command_id,
            account: None,
            command: self.command,
        };
        let proven = signed.sign(key)?;
        let occurred_at = match &signed.command {
            Command::ImportAccount { issued_at, .. } => Some(*issued_at),
            _ => None,
        };
        let actor = Actor {
            role: Role::Importer,
            principal: importer,
            key: proven.key().map(PublicKey::id),
        };
        Ok(Submission {
            command: signed.command,
            target: Target::New,
            command_id,
            correlation: None,
            actor,
            proven,
            expected: None,
            occurred_at,
            secrets: Secrets::default(),
        })
    }

    /// What the rules would refuse besides: a time that has not come, or one under no policy.
    pub fn fault(&self, ledger: &Ledger) -> Option<Reason> {
        let Command::ImportAccount {
            issued_at,
            activated_at,
            ..
        } = &self.command
        else {
            return None;
        };
        if activated_at.unwrap_or(*issued_at) > ledger.now() {
            return Some("it lies in the future");
        }
        let policy = ledger.law_at(*issued_at).version(LawKind::Policy);
        (policy == 0).then_some("no policy was in force when it was issued")
    }

    /// Where it stands, without writing anything.
    pub async fn standing(&self, ledger: &Ledger) -> Result<Standing, LedgerError> {
        let (command_id, _) = ledger.import_ids(&self.canonical);
        let own = AccountId(ledger.derive_id("account", &command_id.0));
        let holder = ledger.find_by_personal_id(&self.personal_id).await?;
        if holder == Some(own) {
            return Ok(Standing::Imported);
        }
        if holder.is_some() {
            return Ok(Standing::NumberTaken);
        }
        let stream = ledger.claim(Category::PhoneClaim, &self.phone);
        let phone = read_claim(ledger.store().as_ref(), stream).await?;
        Ok(if phone.open.is_some() {
            Standing::PhoneTaken
        } else {
            Standing::New
        })
    }
}

/// Rows one after another, each with its line.
pub struct Rows<R> {
    source: Source<R>,
}

enum Source<R> {
    Csv {
        reader: Box<csv::Reader<Bounded<R>>>,
        header: csv::ByteRecord,
    },
    Lines {
        reader: BufReader<R>,
        line: u64,
    },
    Ended,
}

impl<R: Read> Rows<R> {
    /// Reads the header, where there is one.
    pub fn open(format: Format, rows: R) -> Result<Self, Reason> {
        let source = match format {
            Format::JsonLines => Source::Lines {
                reader: BufReader::new(rows),
                line: 0,
            },
            Format::Csv => {
                let rows = Bounded {
                    rows,
                    left: BUDGET_BYTES,
                };
                let mut reader = csv::ReaderBuilder::new()
                    .buffer_capacity(BUFFER_BYTES)
                    .flexible(true)
                    .trim(csv::Trim::All)
                    .from_reader(rows);
                let header = reader
                    .byte_headers()
                    .map_err(|_| "the header cannot be read")?;
                let header = known(header)?;
                let reader = Box::new(reader);
                Source::Csv { reader, header }
            }
        };
        Ok(Self { source })
    }
}

/// The header without a byte-order mark; every needed column once, and no other.
fn known(header: &csv::ByteRecord) -> Result<csv::ByteRecord, Reason> {
    let mut clean = csv::ByteRecord::new();
    for (at, name) in header.iter().enumerate() {
        let name = name
            .strip_prefix(b"\xef\xbb\xbf")
            .filter(|_| at == 0)
            .unwrap_or(name)
            .trim_ascii();
        if clean.iter().any(|known| known == name) {
            return Err("a column stands there twice");
        }
        if !COLUMNS.iter().any(|known| known.as_bytes() == name) {
            return Err("there is an unknown column; is the header missing?");
        }
        clean.push_field(name);
    }
    let there = |wanted: &&str| clean.iter().any(|name| name == wanted.as_bytes());
    if REQUIRED.iter().all(there) {
        Ok(clean)
    } else {
        Err("a column is missing: personal_id, phone, level, issued_at, area and source are needed")
    }
}

impl<R: Read> Iterator for Rows<R> {
    type Item = (u64, Result<PastAccount, Reason>);

    /// The next row with its line. After one that cannot be read at all nothing more comes.
    fn next(&mut self) -> Option<Self::Item> {
        let (line, row) = match &mut self.source {
            Source::Ended => return None,
            Source::Csv { reader, header } => next_record(reader, header)?,
            Source::Lines { reader, line } => next_line(reader, line)?,
        };
        let account = match row {
            Ok(row) => PastAccount::try_from(*row),
            Err(Fault::OfRow(reason)) => Err(reason),
            Err(Fault::OfFile(reason)) => {
                self.source = Source::Ended;
                Err(reason)
            }
        };
        Some((line, account))
    }
}

/// Why there is no row.
enum Fault {
    OfRow(Reason),
    /// Nothing more can be read.
    OfFile(Reason),
}

type Taken = (u64, Result<Box<Row>, Fault>);

fn next_record<R: Read>(
    reader: &mut csv::Reader<Bounded<R>>,
    header: &csv::ByteRecord,
) -> Option<Taken> {
    reader.get_mut().left = BUDGET_BYTES;
    let mut record = csv::ByteRecord::new();
    let line = reader.position().line();
    match reader.read_byte_record(&mut record) {
        Ok(false) => return None,
        Ok(true) => {}
        Err(_) => {
            let reason = "the row is too long or not comma-separated values";
            return Some((line, Err(Fault::OfFile(reason))));
        }
    }
    let line = record.position().map_or(line, csv::Position::line);
    if record.len() != header.len() {
        let reason = "the row has more or fewer fields than the header";
        return Some((line, Err(Fault::OfRow(reason))));
    }
    // The parser's own message would repeat what stands there.
    let row = record.deserialize(Some(header));
    let reason = "a field is not UTF-8, or not a number where one is needed";
    let row = row.map(Box::new).map_err(|_| Fault::OfRow(reason));
    Some((line, row))
}

fn next_line<R: Read>(reader: &mut BufReader<R>, line: &mut u64) -> Option<Taken> {
    let mut text = Vec::new();
    loop {
        text.clear();
        *line += 1;
        let limit = ROW_BYTES_MAX as u64 + 1;
        let read = reader.by_ref().take(limit).read_until(b'\n', &mut text);
        if read.is_err() {
            let reason = "the file cannot be read any further";
            return Some((*line, Err(Fault::OfFile(reason))));
        }
        if text.is_empty() {
            return None;
        }
        if text.len() > ROW_BYTES_MAX {
            return Some((*line, Err(Fault::OfFile("the row is too long"))));
        }
        if !text.trim_ascii().is_empty() {
            break;
        }
    }
    let reason = "not a JSON object with the fields of an account and no others";
    let row = serde_json::from_slice(&text).map_err(|_| Fault::OfRow(reason));
    Some((*line, row))
}

const BUFFER_BYTES: usize = 16 * 1024;
const BUDGET_BYTES: usize = ROW_BYTES_MAX + BUFFER_BYTES;

/// A reader that gives up when one row takes more than its share: a quote that is never closed would
/// otherwise read the whole file into memory.
struct Bounded<R> {
    rows: R,
    left: usize,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.left == 0 {
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        let read = self.rows.read(buffer)?;
        self.left = self.left.saturating_sub(read);
        Ok(read)
    }
}

#[cfg(test)]
mod tests;
