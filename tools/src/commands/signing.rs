//! Signing what is handed out: a manifest, a report. Not the ledger's keys: whoever exports or audits has
//! one of their own.

use crate::exit::{Exit, Stop};
use clap::Args;
use ed25519_dalek::SigningKey;
use ledger::secrets::KeySource;
use std::path::PathBuf;
use tlog::note::{Algorithm, Signer};

/// Who signs.
#[derive(Args)]
pub struct SignArgs {
    /// Sign it with the key in this file (`idledger keys generate` makes one)
    #[arg(long, value_name = "FILE", requires = "sign_as")]
    sign_with: Option<PathBuf>,
    /// Name of the signer's key, as `auditor.example.org`
    #[arg(long, value_name = "NAME", requires = "sign_with")]
    sign_as: Option<String>,
}

impl SignArgs {
    /// The signer, if one is named.
    pub fn signer(&self) -> anyhow::Result<Option<Signer>> {
        let (Some(file), Some(name)) = (&self.sign_with, &self.sign_as) else {
            return Ok(None);
        };
        let key = KeySource::File(file.clone()).load()?;
        let key = SigningKey::from_bytes(&key.0);
        let signer = Signer::new(name, Algorithm::Ed25519, key);
        let signer =
            signer.map_err(|error| Stop::new(Exit::Usage, format!("`--sign-as`: {error}")))?;
        Ok(Some(signer))
    }

    /// Whether a signer is named.
    pub const fn given(&self) -> bool {
        self.sign_with.is_some()
    }
}
