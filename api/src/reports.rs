//! Reports as JSON and CSV, the same bytes over HTTP and on the command line.
//!
//! Owns the names of what is told. A report says which prefix of the log it was read from (number of
//! events, digest of the statistics' rows) and nothing of where or when it was made, so that whoever has
//! the same events gets the same bytes. CSV is RFC 4180 (header, CRLF), UTF-8.

use crate::time::day;
use crate::words::code;
use projections::report::{AreaMonth, MonthDocuments, Monthly, Quality, Source};
use projections::statistics::{Documents, Flows};
use serde_json::{Map, Value, json};

/// The deadlines of a report: name, and how to find those met and missed.
type Deadline = (&'static str, fn(&Flows) -> (i64, i64));

const DEADLINES: [Deadline; 5] = [
    ("decision_level_1", |f| {
        (f.decision_1_met, f.decision_1_missed)
    }),
    ("decision_level_2", |f| {
        (f.decision_2_met, f.decision_2_missed)
    }),
    ("decision_organisation", |f| {
        (f.decision_organisation_met, f.decision_organisation_missed)
    }),
    ("activation", |f| (f.activation_met, f.activation_missed)),
    ("lock_request", |f| (f.lock_met, f.lock_missed)),
];

/// The figures of procedures: name and value.
fn procedures(flows: &Flows) -> [(&'static str, i64); 12] {
    [
        ("applied_level_1", flows.applied_1),
        ("applied_level_2", flows.applied_2),
        ("issued_level_1", flows.issued_1),
        ("issued_level_2", flows.issued_2),
        ("refused", flows.refused),
        ("withdrawn", flows.withdrawn),
        ("activated", flows.activated),
        ("closed", flows.closed),
        ("applied_organisation", flows.applied_organisation),
        ("issued_organisation", flows.issued_organisation),
        ("refused_organisation", flows.refused_organisation),
        ("withdrawn_organisation", flows.withdrawn_organisation),
    ]
}

/// How documents stand: name and value.
fn standing(documents: &Documents) -> [(&'static str, i64); 8] {
    [
        ("declared", documents.declared),
        ("verified", documents.verified),
        ("mismatch", documents.mismatch),
        ("not_found", documents.not_found),
        ("unavailable", documents.unavailable),
        ("owner_mismatch", documents.owner_mismatch),
        ("no_longer_valid", documents.no_longer_valid),
        ("missing", documents.missing),
    ]
}

/// What happened to documents: name and value.
fn happened(documents: &Documents) -> [(&'static str, i64); 4] {
    [
        ("linked", documents.linked),
        ("failed", documents.failed),
        ("refreshed", documents.refreshed),
        ("broken", documents.broken),
    ]
}

fn object<const N: usize>(figures: [(&'static str, i64); N]) -> Map<String, Value> {
    let pair = |(name, value): (&str, i64)| (name.to_owned(), value.into());
    figures.into_iter().map(pair).collect()
}

fn source_json(source: &Source) -> Value {
    json!({
        "position": source.position,
        "projection": projections::statistics::NAME,
        "version": source.version,
        "digest": source.digest,
    })
}

/// The data-quality report.
pub fn quality_json(report: &Quality) -> Value {
    let rows = report.rows.iter().map(|row| {
        let mut value = Map::new();
        value.insert("area".into(), row.area.0.into());
        value.insert("kind".into(), code(&row.kind).into());
        value.insert("registry".into(), code(&row.registry).into());
        value.extend(object(standing(&row.documents)));
        value.insert("stale".into(), row.stale.into());
        Value::Object(value)
    });
    json!({
        "schema": "idledger.report_quality/1",
        "as_of": day(report.as_of),
        "stale_days": report.stale_days,
        "state": source_json(&report.source),
        "rows": rows.collect::<Vec<_>>(),
    })
}

/// The data-quality report as a table, one row an area and kind.
pub fn quality_csv(report: &Quality) -> String {
    let mut table = Table::default();
    let mut header = vec!["as_of", "area", "kind", "registry"];
    header.extend(standing(&Documents::default()).map(|(name, _)| name));
    header.extend(["stale", "stale_days", "position", "digest"]);
    table.row(header);
    for row in &report.rows {
        let mut cells = vec![
            day(report.as_of),
            row.area.0.to_string(),
            code(&row.kind),
            code(&row.registry),
        ];
        cells.extend(standing(&row.documents).map(|(_, value)| value.to_string()));
        cells.push(row.stale.to_string());
        cells.push(report.stale_days.to_string());
        cells.push(report.source.position.to_string());
        cells.push(report.source.digest.to_string());
        table.row(cells.iter().map(String::as_str));
    }
    table.text
}

/// The monthly report.
pub fn monthly_json(report: &Monthly) -> Value {
    json!({
        "schema": "idledger.report_monthly/1",
        "month": report.month.to_string(),
        "from": day(report.from),
        "to": day(report.to),
        "state": source_json(&report.source),
        "areas": report.areas.iter().map(area_json).collect::<Vec<_>>(),
    })
}

fn area_json(area: &AreaMonth) -> Value {
    let accounts = area.accounts();
    let deadlines: Map<_, _> = DEADLINES
        .iter()
        .map(|(name, of)| {
            let (met, missed) = of(&area.flows);
            ((*name).to_owned(), json!({ "met": met, "missed": missed }))
        })
        .collect();
    json!({
        "area": area.area.0,
        "accounts": object(accounts.map(|(name, end, _)| (name, end))),
        "change": object(accounts.map(|(name, _, change)| (name, change))),
        "procedures": object(procedures(&area.flows)),
        "deadlines": deadlines,
        "documents": area.documents.iter().map(documents_json).collect::<Vec<_>>(),
    })
}

fn documents_json(documents: &MonthDocuments) -> Value {
    let mut value = Map::new();
    value.insert("kind".into(), code(&documents.kind).into());
    value.extend(object(standing(&documents.end)));
    value.insert(
        "in_month".into(),
        object(happened(&documents.change)).into(),
    );
    Value::Object(value)
}

/// The monthly report as a table: one row a figure, so that a figure that is added later changes no row.
/// `section` says which of them: `accounts` at the end, their `change`, `procedures`, `deadlines`,
/// `documents` at the end, and `document_events`.
pub fn monthly_csv(report: &Monthly) -> String {
    let mut table = Table::default();
    table.row([
        "month", "from", "to", "area", "section", "item", "measure", "value", "position", "digest",
    ]);
    let (month, from, to) = (report.month.to_string(), day(report.from), day(report.to));
    let position = report.source.position.to_string();
    let digest = report.source.digest.to_string();
    for area in &report.areas {
        let code_of_area = area.area.0.to_string();
        let mut row = |section: &str, item: &str, measure: &str, value: i64| {
            let value = value.to_string();
            table.row([
                &*month,
                &*from,
                &*to,
                &*code_of_area,
                section,
                item,
                measure,
                &*value,
                &*position,
                &*digest,
            ]);
        };
        for (name, end, _) in area.accounts() {
            row("accounts", "", name, end);
        }
        for (name, _, change) in area.accounts() {
            row("change", "", name, change);
        }
        for (name, value) in procedures(&area.flows) {
            row("procedures", "", name, value);
        }
        for (name, of) in DEADLINES {
            let (met, missed) = of(&area.flows);
            row("deadlines", name, "met", met);
            row("deadlines", name, "missed", missed);
        }
        for documents in &area.documents {
            let kind = code(&documents.kind);
            for (name, value) in standing(&documents.end) {
                row("documents", &kind, name, value);
            }
            for (name, value) in happened(&documents.change) {
                row("document_events", &kind, name, value);
            }
        }
    }
    table.text
}

/// CSV as RFC 4180 has it.
#[derive(Default)]
struct Table {
    text: String,
}

impl Table {
    fn row<'t>(&mut self, cells: impl IntoIterator<Item = &'t str>) {
        for (at, cell) in cells.into_iter().enumerate() {
            if at > 0 {
                self.text.push(',');
            }
            if cell.contains(['"', ',', '\r', '\n']) {
                self.text.push('"');
                self.text.push_str(&cell.replace('"', "\"\""));
                self.text.push('"');
            } else {
                self.text.push_str(cell);
            }
        }
        self.text.push_str("\r\n");
    }
}
