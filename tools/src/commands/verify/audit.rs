//! The report of a verification to hand on: JSON in a file, as a signed note if the auditor has a key.
//!
//! ```text
//! { "schema": "idledger.audit/1", "program": …, "at": …, "report": what `--format json` prints }
//! (empty line)
//! — <auditor> <signature>          (c2sp.org/signed-note)
//! ```

use crate::commands::signing::SignArgs;
use crate::commands::{reading, state};
use crate::exit::{Exit, Stop};
use anyhow::Context;
use clap::Args;
use ledger::wiring::{Clock as _, SystemClock};
use serde::Serialize;
use serde_json::{Value, json};
use std::path::PathBuf;

/// Where to, and who signs.
#[derive(Args)]
pub struct AuditArgs {
    /// Write the report to this file too, as JSON, whatever the verdict
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    #[command(flatten)]
    sign: SignArgs,
}

impl AuditArgs {
    /// Whether what is named goes together, and the signer's key is there: before the work, not after it.
    pub fn ready(&self) -> anyhow::Result<()> {
        if self.report.is_none() && self.sign.given() {
            let stop = Stop::new(Exit::Usage, "there is no report to sign");
            return Err(stop.hint("name its file with `--report`").into());
        }
        self.sign.signer().map(drop)
    }
}

/// Writes the report, if a file is named. `schema`: its name, as on stdout.
pub fn write(args: &AuditArgs, schema: &str, report: &impl Serialize) -> anyhow::Result<()> {
    let Some(path) = &args.report else {
        return Ok(());
    };
    let mut inner = serde_json::Map::new();
    inner.insert("schema".into(), format!("idledger.{schema}/1").into());
    if let Value::Object(fields) = serde_json::to_value(report)? {
        inner.extend(fields);
    }
    let whole = json!({
        "schema": "idledger.audit/1",
        "program": concat!("idledger ", env!("CARGO_PKG_VERSION")),
        "at": reading::instant(SystemClock.now()),
        "report": inner,
    });
    let mut text = serde_json::to_string_pretty(&whole)? + "\n";
    if let Some(signer) = args.sign.signer()? {
        let line = signer.sign(&text).context("signing the report")?;
        text = format!("{text}\n{line}");
    }
    state::put(path, text.as_bytes()).with_context(|| format!("writing `{}`", path.display()))
}
