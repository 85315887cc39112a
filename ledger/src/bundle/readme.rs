//! The text for people that every bundle has.

use super::{About, Contents};

/// Of a bundle with these contents.
pub fn readme(contents: &Contents, origin: &str) -> String {
    let about = match contents.about {
        About::Account(account) => format!("the events of account {account}"),
        About::Range { from, to } => format!("the events at positions {from} to {to}"),
    };
    let (count, size) = (contents.selected.len(), contents.size);
    format!(
        "\
Evidence from an identity ledger

This is {about}: {count} in number, as of
the checkpoint of {size} events of the transparency log

    {origin}

with everything that shows that the ledger signed them, that they are in the log, which keys and
which law counted, and what the ledger stated of its state. Sealed parts (whatever is personal) are
left out; redactions.json says which, and the commitments in the signed events stay, so every
signature and every proof holds without them. Nothing in here can be opened to read them.

With idledger, offline. Take the keys from a source you trust, not from here:

    idledger verify --bundle FILE --key LOG-KEY [--witness KEY ...] [--manifest-key KEY]
        [--timestamp-ca CA.pem]

Without idledger:

  * the files are those that were put together:     sha256sum -c SHA256SUMS
    MANIFEST has the SHA-256 of SHA256SUMS; if signed, it is a note of c2sp.org/signed-note
  * checkpoint is a note of c2sp.org/tlog-checkpoint, with cosignatures of witnesses
  * events/N.proof is a proof of c2sp.org/tlog-proof, of the tree of RFC 6962. Its entry is the
    SHA-256 of the event's envelope and signature, which are in events/N.record:

        n=$(od -An -tu4 -N4 N.record); tail -c +5 N.record | head -c $((n + 64)) | sha256sum

    (a length of 4 bytes, the envelope, 64 bytes of Ed25519 signature over the envelope)
  * timestamp/, if it is there: an authority's word (RFC 3161) that the log had all of this then;
    timestamp/checkpoint is an earlier checkpoint, which the one above continues:

        openssl ts -verify -data timestamp/checkpoint -in timestamp/answer.tsr -CAfile CA.pem
  * keys: the log's keys, for comparison with those you trust

contents.json says which event is here for what. The layout of events stands in FORMAT.md of the
program's sources.
"
    )
}
