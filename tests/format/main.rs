//! The format, from outside: FORMAT.md against the code, golden vectors, another codec, a reader in
//! another language, and bytes that nobody signed.

mod document;
mod hostile;
mod oracle;
mod python;
mod vectors;
