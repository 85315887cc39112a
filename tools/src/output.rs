//! What goes to stdout, in the format that was asked for; and the few lines that go to stderr.
//!
//! Data go to stdout, everything else to stderr, so that output can be piped. JSON carries
//! `schema`, `idledger.NAME/1`, and is only ever extended. Meaning is never carried by colour alone.

use serde::Serialize;
use serde_json::Value;
use std::io::{self, IsTerminal, Write};

/// Output formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    #[value(alias = "text")]
    Table,
    /// One JSON document.
    Json,
    /// One JSON object a line.
    Jsonl,
    /// Comma-separated, with a header line.
    Csv,
}

/// When something that depends on a terminal is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum When {
    /// On a terminal only.
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// A row: column names and values, in column order.
pub type Row = Vec<(&'static str, Value)>;

/// Rows looked at before column widths are fixed.
const WIDTH_ROWS: usize = 200;

/// Stdout in one format.
pub struct Out<W: Write = io::BufWriter<io::StdoutLock<'static>>> {
    /// The format.
    pub format: Format,
    writer: W,
}

impl Out {
    /// The process's stdout.
    pub fn stdout(format: Format) -> Self {
        Self {
            format,
            writer: io::BufWriter::new(io::stdout().lock()),
        }
    }
}

impl<W: Write> Out<W> {
    /// Any writer.
    #[cfg(test)]
    pub const fn to(format: Format, writer: W) -> Self {
        Self { format, writer }
    }

    /// Starts a list of rows; `schema` is its name in JSON.
    pub fn rows(&mut self, schema: &'static str) -> Rows<'_, W> {
        Rows {
            out: self,
            schema,
            waiting: Vec::new(),
            widths: Vec::new(),
            started: false,
        }
    }

    /// Prints one result: `human` writes it for people, otherwise the value is serialised.
    pub fn report<T: Serialize>(
        &mut self,
        schema: &str,
        value: &T,
        human: impl FnOnce(&mut W) -> io::Result<()>,
    ) -> anyhow::Result<()> {
        if self.format == Format::Table {
            human(&mut self.writer)?;
            self.writer.flush()?;
            return Ok(());
        }
        let mut object = serde_json::Map::new();
        object.insert("schema".into(), format!("idledger.{schema}/1").into());
        match serde_json::to_value(value)? {
            Value::Object(fields) => object.extend(fields),
            other => drop(object.insert("value".into(), other)),
        }
        match self.format {
            Format::Csv => {
                let mut csv = csv::Writer::from_writer(&mut self.writer);
                csv.write_record(["field", "value"])?;
                for (field, value) in &object {
                    csv.write_record([field.as_str(), &text(value)])?;
                }
                csv.flush()?;
            }
            Format::Jsonl => writeln!(self.writer, "{}", Value::Object(object))?,
            Format::Json | Format::Table => {
                writeln!(self.writer, "{}", serde_json::to_string_pretty(&object)?)?;
            }
        }
        self.writer.flush()?;
        Ok(())
    }

    /// The writer itself, for what is neither a list nor a report.
    pub fn writer(&mut self) -> &mut W {
        &mut self.writer
    }

    /// Raw bytes or text, whatever the format.
    pub fn raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.writer.write_all(bytes)?;
        self.writer.flush()
    }
}

/// Rows on their way out. Call [`Rows::finish`] at the end.
pub struct Rows<'a, W: Write> {
    out: &'a mut Out<W>,
    schema: &'static str,
    waiting: Vec<Row>,
    widths: Vec<usize>,
    started: bool,
}

impl<W: Write> Rows<'_, W> {
    /// One more row.
    pub fn push(&mut self, row: Row) -> anyhow::Result<()> {
        match self.out.format {
            Format::Table => {
                self.waiting.push(row);
                if self.started || self.waiting.len() >= WIDTH_ROWS {
                    self.table()?;
                }
            }
            Format::Json => {
                let object = object(row);
                if self.started {
                    writeln!(self.out.writer, ",")?;
                } else {
                    let schema = self.schema;
                    writeln!(
                        self.out.writer,
                        "{{\"schema\":\"idledger.{schema}/1\",\"rows\":["
                    )?;
                    self.started = true;
                }
                write!(self.out.writer, "{object}")?;
            }
            Format::Jsonl => {
                let mut with_schema = serde_json::Map::new();
                with_schema.insert(
                    "schema".into(),
                    format!("idledger.{}/1", self.schema).into(),
                );
                with_schema.extend(
                    row.into_iter()
                        .map(|(name, value)| (name.to_owned(), value)),
                );
                writeln!(self.out.writer, "{}", Value::Object(with_schema))?;
            }
            Format::Csv => {
                let mut csv = csv::Writer::from_writer(&mut self.out.writer);
                if !self.started {
                    csv.write_record(row.iter().map(|(name, _)| *name))?;
                    self.started = true;
                }
                csv.write_record(row.iter().map(|(_, value)| text(value)))?;
                csv.flush()?;
            }
        }
        Ok(())
    }

    /// Everything so far is to be seen now (a live tail).
    pub fn flush(&mut self) -> anyhow::Result<()> {
        if self.out.format == Format::Table {
            self.table()?;
        }
        self.out.writer.flush()?;
        Ok(())
    }

    /// The end of the list.
    pub fn finish(mut self) -> anyhow::Result<()> {
        match self.out.format {
            Format::Table => self.table()?,
            Format::Json if self.started => writeln!(self.out.writer, "\n]}}")?,
            Format::Json => {
                let schema = self.schema;
                writeln!(
                    self.out.writer,
                    "{{\"schema\":\"idledger.{schema}/1\",\"rows\":[]}}"
                )?;
            }
            Format::Jsonl | Format::Csv => {}
        }
        self.out.writer.flush()?;
        Ok(())
    }

    fn table(&mut self) -> io::Result<()> {
        let rows = std::mem::take(&mut self.waiting);
        let Some(first) = rows.first() else {
            return Ok(());
        };
        if !self.started {
            self.started = true;
            self.widths = first.iter().map(|(name, _)| name.chars().count()).collect();
            for row in &rows {
                for (width, (_, value)) in self.widths.iter_mut().zip(row) {
                    *width = (*width).max(text(value).chars().count());
                }
            }
            let names = first.iter().map(|(name, _)| name.replace('_', " "));
            print_cells(&mut self.out.writer, names, &self.widths)?;
        }
        for row in rows {
            let cells = row.iter().map(|(_, value)| text(value));
            print_cells(&mut self.out.writer, cells, &self.widths)?;
        }
        Ok(())
    }
}

fn print_cells(
    writer: &mut impl Write,
    cells: impl Iterator<Item = String>,
    widths: &[usize],
) -> io::Result<()> {
    let mut line = String::new();
    for (cell, width) in cells.zip(widths) {
        let fill = width.saturating_sub(cell.chars().count());
        line.push_str(&cell);
        line.extend(std::iter::repeat_n(' ', fill + 2));
    }
    writeln!(writer, "{}", line.trim_end())
}

fn object(row: Row) -> Value {
    Value::Object(
        row.into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect(),
    )
}

/// A value as a cell of a table or of CSV.
pub fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A whole number with thin groups, for people: `215 606`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// Whether a terminal reads stderr.
pub fn stderr_is_terminal() -> bool {
    io::stderr().is_terminal()
}

/// Prints `error:` and `hint:` lines on stderr.
pub fn print_error(error: &anyhow::Error, hint: Option<&str>, colour: When) {
    let coloured = match colour {
        When::Always => true,
        When::Never => false,
        When::Auto => stderr_is_terminal() && std::env::var_os("NO_COLOR").is_none(),
    };
    let (red, cyan, plain) = if coloured {
        ("\x1b[1;31m", "\x1b[1;36m", "\x1b[0m")
    } else {
        ("", "", "")
    };
    let mut stderr = io::stderr().lock();
    // Nobody reads stderr: there is nowhere left to say so.
    let _ = writeln!(stderr, "{red}error:{plain} {error:#}");
    if let Some(hint) = hint {
        let _ = writeln!(stderr, "{cyan}hint:{plain} {hint}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn print(format: Format) -> String {
        let mut out = Out::to(format, Vec::new());
        let mut rows = out.rows("things");
        rows.push(vec![("position", 1.into()), ("kind", "A".into())])
            .unwrap();
        rows.push(vec![("position", 20.into()), ("kind", "B, \"c\"".into())])
            .unwrap();
        rows.finish().unwrap();
        String::from_utf8(out.writer).unwrap()
    }

    #[test]
    fn each_format_says_the_same() {
        assert_eq!(
            print(Format::Table),
            "position  kind\n1         A\n20        B, \"c\"\n"
        );
        assert_eq!(
            print(Format::Csv),
            "position,kind\n1,A\n20,\"B, \"\"c\"\"\"\n"
        );
        let document: Value = serde_json::from_str(&print(Format::Json)).unwrap();
        assert_eq!(document["schema"], "idledger.things/1");
        assert_eq!(document["rows"][1]["kind"], "B, \"c\"");
        let lines = print(Format::Jsonl);
        let last: Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
        assert_eq!(
            (&last["schema"], &last["position"]),
            (&"idledger.things/1".into(), &20.into())
        );
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(215_606), "215 606");
        assert_eq!(grouped(1_215_606), "1 215 606");
    }
}
