//! Bytes an event on disk, by what they are for.

use anyhow::Context;
use domain::bytes;
use domain::ids::Position;
use domain::record::RecordRef;
use ledger::segments::LogReader;
use std::path::Path;

/// Bytes of a whole ledger by kind.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sizes {
    /// Events.
    pub events: u64,
    /// Facts: what happened.
    pub payload: u64,
    /// Ciphertexts of personal data and of signed requests.
    pub sealed: u64,
    /// The actors' proofs.
    pub evidence: u64,
    /// The ledger's signatures.
    pub signatures: u64,
    /// Everything else that is signed: ids, links, times, receipts, commitments.
    pub envelope: u64,
    /// Frames, lengths, checksums, headers.
    pub framing: u64,
    /// The stream index.
    pub index: u64,
    /// The vault and the credential store.
    pub vault: u64,
    /// The read models.
    pub views: u64,
}

/// Takes every record of a log apart.
pub fn measure(log: &LogReader, dir: &Path) -> anyhow::Result<Sizes> {
    let mut sizes = Sizes::default();
    let mut scanner = log.scan(Position(0))?;
    while let Some(scanned) = scanner.next_record()? {
        let stored = &scanned.record.bytes;
        let record = RecordRef::parse(stored)?;
        let envelope = record.open_envelope()?;
        let sealed: usize = record.parts().map(<[u8]>::len).sum();
        let evidence = bytes::encode(&envelope.evidence).context("evidence")?.len();
        let payload = envelope.facts.len();
        sizes.events += 1;
        sizes.payload += payload as u64;
        sizes.sealed += sealed as u64;
        sizes.evidence += evidence as u64;
        sizes.signatures += record.signature.len() as u64;
        sizes.envelope += (record.envelope.len() - payload - evidence) as u64;
        let known = record.envelope.len() + sealed + record.signature.len();
        sizes.framing += (stored.len() - known) as u64;
    }
    let log = scanner.sizes();
    sizes.framing += log.frame_bytes + log.segment_bytes;
    sizes.index = tree_bytes(&dir.join("index"));
    sizes.vault = tree_bytes(&dir.join("vault"));
    sizes.views = tree_bytes(&dir.join("views"));
    Ok(sizes)
}

/// Bytes a directory takes on disk.
fn tree_bytes(dir: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return 0;
    };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(meta) if meta.is_dir() => tree_bytes(&entry.path()),
            Ok(meta) => std::os::unix::fs::MetadataExt::blocks(&meta) * 512,
            Err(_) => 0,
        })
        .sum()
}
