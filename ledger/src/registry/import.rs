//! Reads records from CSV and JSON lines, in bounded memory. Errors name a line and what is wrong with
//! it, never what stands there.
//!
//! CSV has a header with the fields' names in any order; of people: `personal_id`, `full_name`,
//! `birth_date`, `area` and, if wanted, `sex`, `residence`, `card_issued`, `old_id`, `has_chip_card`
//! (`true` or `false`), `documents` (`kind:number` separated by `;`), `guardians` (`parent:number` or
//! `guardian:number` separated by `;`) and `ward` (`true` or `false`). A JSON line is an object of the
//! same fields, with `documents` as a list of `{"kind": …, "number": …}` and `guardians` as a list of
//! `{"relation": …, "personal_id": …}`. The fields of foreigners stand in [`super::immigration`].

use super::RegistryError;
use super::record::{PopulationRecord, RegisteredDocument, RegisteredGuardian};
use domain::ids::Micros;
use domain::vocabulary::{DocumentKind, Relation};
use serde::Deserialize;
use serde::de::{DeserializeOwned, IntoDeserializer};
use std::cell::Cell;
use std::io::{BufRead, BufReader, Read};
use std::rc::Rc;

/// Longest row, in bytes.
pub const ROW_BYTES_MAX: usize = 64 * 1024;
/// Row errors that are kept; the rest are only counted.
pub const ROW_ERRORS_MAX: usize = 100;

/// The text of a named column; empty where the file has no such column.
pub(super) type Cells<'a> = &'a dyn Fn(&str) -> Result<&'a str, &'static str>;

/// What one row is.
pub(super) trait Row: DeserializeOwned {
    /// Its fields.
    const COLUMNS: &'static [&'static str];
    /// Those a file must have.
    const REQUIRED: &'static [&'static str];
    /// What to say where one is missing.
    const MISSING: &'static str;

    /// A record out of a row of CSV.
    fn of_cells(cells: Cells<'_>) -> Result<Self, &'static str>;

    /// The record with its texts in their stored form, or what is wrong with it.
    fn checked(self) -> Result<Self, &'static str>;
}

impl Row for PopulationRecord {
    const COLUMNS: &'static [&'static str] = &[
        "personal_id",
        "full_name",
        "birth_date",
        "sex",
        "area",
        "residence",
        "card_issued",
        "old_id",
        "has_chip_card",
        "documents",
        "guardians",
        "ward",
    ];
    const REQUIRED: &'static [&'static str] = &["personal_id", "full_name", "birth_date", "area"];
    const MISSING: &'static str =
        "a column is missing: personal_id, full_name, birth_date and area are needed";

    fn of_cells(text: Cells<'_>) -> Result<Self, &'static str> {
        Ok(Self {
            personal_id: text("personal_id")?.into(),
            full_name: text("full_name")?.into(),
            birth_date: text("birth_date")?.into(),
            sex: text("sex")?.into(),
            area: text("area")?
                .parse()
                .map_err(|_| "the area is not a number")?,
            residence: text("residence")?.into(),
            card_issued: text("card_issued")?.into(),
            old_id: text("old_id")?.into(),
            has_chip_card: yes(text("has_chip_card")?)
                .ok_or("has_chip_card is neither true nor false")?,
            documents: documents(text("documents")?)?,
            guardians: guardians(text("guardians")?)?,
            ward: yes(text("ward")?).ok_or("ward is neither true nor false")?,
            as_of: Micros(0),
        })
    }

    fn checked(self) -> Result<Self, &'static str> {
        Self::checked(self)
    }
}

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated values (RFC 4180) with a header.
    Csv,
    /// One JSON object a line.
    JsonLines,
}

/// A row that was left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RowError {
    /// Line it starts on, from 1.
    pub line: u64,
    /// What is wrong with it.
    pub reason: &'static str,
}

/// What an import did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImportReport {
    /// People who were not there before.
    pub added: u64,
    /// People whose data changed.
    pub changed: u64,
    /// People who were there with the same data.
    pub unchanged: u64,
    /// Rows left out.
    pub refused: u64,
    /// The first [`ROW_ERRORS_MAX`] of them.
    pub errors: Vec<RowError>,
}

/// What one row did.
pub(super) enum Change {
    /// A new person.
    Added,
    /// Other data.
    Changed,
    /// The same data.
    None,
}

impl ImportReport {
    fn count(&mut self, line: u64, outcome: &Result<Change, &'static str>) {
        match *outcome {
            Ok(Change::Added) => self.added += 1,
            Ok(Change::Changed) => self.changed += 1,
            Ok(Change::None) => self.unchanged += 1,
            Err(reason) => {
                self.refused += 1;
                if self.errors.len() < ROW_ERRORS_MAX {
                    self.errors.push(RowError { line, reason });
                }
            }
        }
    }
}

type Outcome = Result<Result<Change, &'static str>, RegistryError>;

/// Reads all rows and hands each good one on. The outer error ends the import.
pub(super) fn read_rows<R: Row>(
    format: Format,
    rows: impl Read,
    report: &mut ImportReport,
    mut take: impl FnMut(R) -> Outcome,
) -> Result<(), RegistryError> {
    let take = |line, row: Result<R, &'static str>| {
        let outcome = match row.and_then(Row::checked) {
            Ok(record) => take(record)?,
            Err(reason) => Err(reason),
        };
        report.count(line, &outcome);
        Ok(())
    };
    match format {
        Format::Csv => read_csv(rows, take),
        Format::JsonLines => read_json_lines(rows, take),
    }
}

fn read_json_lines<R: Row>(
    rows: impl Read,
    mut take: impl FnMut(u64, Result<R, &'static str>) -> Result<(), RegistryError>,
) -> Result<(), RegistryError> {
    let mut rows = BufReader::new(rows);
    let mut line = Vec::new();
    for number in 1.. {
        line.clear();
        let limit = ROW_BYTES_MAX as u64 + 1;
        let read = rows.by_ref().take(limit).read_until(b'\n', &mut line);
        read.map_err(RegistryError::io("reading rows for"))?;
        if line.is_empty() {
            break;
        }
        if line.len() > ROW_BYTES_MAX {
            return Err(RegistryError::Input {
                line: number,
                reason: "the row is too long",
            });
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        // The parser's own message would repeat what stands there.
        let row = serde_json::from_slice(&line)
            .map_err(|_| "not a JSON object with the fields of a record and no others");
        take(number, row)?;
    }
    Ok(())
}

fn read_csv<R: Row>(
    rows: impl Read,
    mut take: impl FnMut(u64, Result<R, &'static str>) -> Result<(), RegistryError>,
) -> Result<(), RegistryError> {
    const BUFFER: usize = 16 * 1024;
    let budget = Rc::new(Cell::new(ROW_BYTES_MAX + BUFFER));
    let rows = Bounded {
        rows,
        left: budget.clone(),
    };
    let mut reader = csv::ReaderBuilder::new()
        .buffer_capacity(BUFFER)
        .flexible(true)
        .from_reader(rows);
    let header = reader
        .byte_headers()
        .map_err(|error| failed(&error, 1))?
        .clone();
    let columns = Columns::find::<R>(&header)?;
    let mut row = csv::ByteRecord::new();
    loop {
        budget.set(ROW_BYTES_MAX + BUFFER);
        let line = reader.position().line();
        if !reader
            .read_byte_record(&mut row)
            .map_err(|error| failed(&error, line))?
        {
            return Ok(());
        }
        let line = row.position().map_or(line, csv::Position::line);
        let record = if row.len() == header.len() {
            columns.record(&row)
        } else {
            Err("the row has more or fewer fields than the header")
        };
        take(line, record)?;
    }
}

fn failed(error: &csv::Error, line: u64) -> RegistryError {
    match error.kind() {
        csv::ErrorKind::Io(io) if io.kind() == std::io::ErrorKind::FileTooLarge => {
            RegistryError::Input {
                line,
                reason: "the row is too long",
            }
        }
        csv::ErrorKind::Io(io) => RegistryError::Io {
            operation: "reading rows for",
            message: io.kind().to_string(),
            full: false,
        },
        _ => RegistryError::Input {
            line,
            reason: "not comma-separated values",
        },
    }
}

/// A reader that gives up when one row takes more than its share: a quote that is never closed
/// would otherwise read the whole file into memory.
struct Bounded<R> {
    rows: R,
    left: Rc<Cell<usize>>,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.left.get() == 0 {
            return Err(std::io::ErrorKind::FileTooLarge.into());
        }
        let read = self.rows.read(buffer)?;
        self.left.set(self.left.get().saturating_sub(read));
        Ok(read)
    }
}

/// Which column holds which field.
struct Columns(Vec<(&'static str, usize)>);

impl Columns {
    fn find<R: Row>(header: &csv::ByteRecord) -> Result<Self, RegistryError> {
        let wrong = |reason| RegistryError::Input { line: 1, reason };
        let mut columns = Self(Vec::with_capacity(R::COLUMNS.len()));
        for (at, name) in header.iter().enumerate() {
            let name = if at == 0 {
                name.strip_prefix(b"\xef\xbb\xbf").unwrap_or(name)
            } else {
                name
            };
            let name = name.trim_ascii();
            let known = R::COLUMNS.iter().find(|known| known.as_bytes() == name);
            match known {
                Some(known) if columns.at(known).is_none() => columns.0.push((known, at)),
                Some(_) => return Err(wrong("a column stands there twice")),
                None => return Err(wrong("there is an unknown column; is the header missing?")),
            }
        }
        if R::REQUIRED.iter().any(|name| columns.at(name).is_none()) {
            return Err(wrong(R::MISSING));
        }
        Ok(columns)
    }

    fn at(&self, name: &str) -> Option<usize> {
        let found = self.0.iter().find(|(known, _)| *known == name);
        found.map(|(_, at)| *at)
    }

    fn record<R: Row>(&self, row: &csv::ByteRecord) -> Result<R, &'static str> {
        R::of_cells(&|name| {
            let bytes = self.at(name).and_then(|at| row.get(at)).unwrap_or_default();
            core::str::from_utf8(bytes)
                .map(str::trim)
                .map_err(|_| "the row is not UTF-8")
        })
    }
}

pub(super) fn yes(text: &str) -> Option<bool> {
    match text {
        "" | "false" | "0" => Some(false),
        "true" | "1" => Some(true),
        _ => None,
    }
}

pub(super) fn guardians(cell: &str) -> Result<Vec<RegisteredGuardian>, &'static str> {
    let pieces = cell
        .split(';')
        .map(str::trim)
        .filter(|piece| !piece.is_empty());
    pieces
        .map(|piece| {
            let (relation, number) = piece
                .split_once(':')
                .ok_or("a guardian is not `relation:number`")?;
            let relation: Result<Relation, serde::de::value::Error> =
                Relation::deserialize(relation.trim().into_deserializer());
            Ok(RegisteredGuardian {
                relation: relation.map_err(|_| "a relation is neither parent nor guardian")?,
                personal_id: number.trim().into(),
            })
        })
        .collect()
}

fn documents(cell: &str) -> Result<Vec<RegisteredDocument>, &'static str> {
    let pieces = cell
        .split(';')
        .map(str::trim)
        .filter(|piece| !piece.is_empty());
    pieces
        .map(|piece| {
            let (kind, number) = piece
                .split_once(':')
                .ok_or("a document is not `kind:number`")?;
            let kind: Result<DocumentKind, serde::de::value::Error> =
                DocumentKind::deserialize(kind.trim().into_deserializer());
            Ok(RegisteredDocument {
                kind: kind.map_err(|_| "a document is of an unknown kind")?,
                number: number.trim().into(),
            })
        })
        .collect()
}
