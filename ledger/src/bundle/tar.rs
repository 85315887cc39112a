//! The one file that holds all others: a POSIX `ustar` archive that any `tar` unpacks.
//!
//! Owns its bytes. For given files there is exactly one archive, and no other is read: a flipped bit in
//! what tools pass over (owners, times, padding) is found too.

use super::{Files, Flaw};

const BLOCK: usize = 512;
/// All files are in this directory, so that unpacking leaves one thing behind.
const DIR: &str = "evidence/";
const NAME_BYTES_MAX: usize = 100;

/// Writes files, in the order of their names.
pub fn write(files: &Files) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, content) in files {
        bytes.extend(header(name, content.len()));
        bytes.extend(content);
        bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
    }
    bytes.resize(bytes.len() + 2 * BLOCK, 0);
    bytes
}

fn header(name: &str, length: usize) -> Vec<u8> {
    let mut header = Vec::with_capacity(BLOCK);
    let mut field = |text: &str, width: usize| {
        let end = header.len() + width;
        header.extend(text.bytes());
        header.resize(end, 0);
    };
    field(&format!("{DIR}{name}"), NAME_BYTES_MAX);
    field("0000644", 8);
    field("0000000", 8);
    field("0000000", 8);
    field(&format!("{length:011o}"), 12);
    field("00000000000", 12);
    field("        ", 8);
    field("0", 1);
    field("", 100);
    field("ustar", 6);
    field("00", 2);
    field("", 64);
    field("0000000", 8);
    field("0000000", 8);
    field("", 167);
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    // The checksum is of the header with spaces in its place.
    header.splice(148..156, format!("{sum:06o}\0 ").bytes());
    header
}

/// Reads what [`write`] writes, and nothing else.
pub fn read(bytes: &[u8], files_max: usize) -> Result<Files, Flaw> {
    let flaw = |what: &str| Flaw::new("bundle", what);
    let mut files = Files::new();
    let mut rest = bytes;
    loop {
        let at = bytes.len() - rest.len();
        let cut = || Flaw::new("bundle", format!("it is cut off at byte {at}"));
        let (block, after) = rest.split_at_checked(BLOCK).ok_or_else(cut)?;
        if block.iter().all(|byte| *byte == 0) {
            let good = after.len() == BLOCK && after.iter().all(|byte| *byte == 0);
            return if good {
                Ok(files)
            } else {
                Err(flaw("something follows its end, or its end is cut off"))
            };
        }
        let (name, length) = parse(block)
            .ok_or_else(|| Flaw::new("bundle", format!("no header of a file at byte {at}")))?;
        let named = |what: &str| Flaw::new(name, what);
        let (content, after) = after
            .split_at_checked(length)
            .ok_or_else(|| named("it is cut off"))?;
        let padding = length.next_multiple_of(BLOCK) - length;
        let (padding, after) = after
            .split_at_checked(padding)
            .ok_or_else(|| named("it is cut off"))?;
        if header(name, length) != block || padding.iter().any(|byte| *byte != 0) {
            return Err(named("its header in the bundle was altered"));
        }
        match files.last_key_value().map(|(last, _)| last.as_str()) {
            Some(last) if last == name => return Err(named("it is in the bundle twice")),
            Some(last) if last > name => return Err(named("it is not in its place")),
            _ => {}
        }
        if files.len() == files_max {
            return Err(flaw("it holds too many files"));
        }
        files.insert(name.to_owned(), content.to_vec());
        rest = after;
    }
}

/// Name and length, as a header has them.
fn parse(block: &[u8]) -> Option<(&str, usize)> {
    let name = block.get(..NAME_BYTES_MAX)?;
    let end = name.iter().position(|byte| *byte == 0)?;
    let name = core::str::from_utf8(name.get(..end)?).ok()?;
    let name = name.strip_prefix(DIR)?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '/');
    if name.is_empty() || !name.chars().all(plain) {
        return None;
    }
    let length = core::str::from_utf8(block.get(124..135)?).ok()?;
    if !length.bytes().all(|byte| (b'0'..b'8').contains(&byte)) {
        return None;
    }
    Some((name, usize::from_str_radix(length, 8).ok()?))
}
