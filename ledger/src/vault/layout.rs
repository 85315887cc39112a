//! The bytes of a slot file (drawn in FORMAT.md):
//!
//! ```text
//! 0      header   512: "idledger-slots\0\0" 16 | version u16 = 1 | kind u16 | slot bytes u32
//!                      | key check 16 | zero | checksum 8
//! 512    settled  512: count u32 | zero 4 | checksum 8 | zero    slots below `count` are complete
//! 1024   zero
//! 4096   redo    4096: slot number + 1 u32 (0: none) | zero 4 | slot | checksum 8 | zero
//! 8192   slots:        state u8 (0 empty, 1 live, 2 void) | zero 3 | generation u32 | batch u32
//!                      | id 16 | payload | checksum 8
//! ```
//!
//! Numbers are little-endian; a checksum is the first 8 bytes of BLAKE3 over a prefix, the file's
//! kind, a number and the bytes before it. A slot's size divides 512, so that none crosses a disk
//! sector. Checksums find accidents; against malice the payloads are authenticated.

/// Where the settled record stands.
pub const SETTLED_AT: u64 = 512;
/// Where the redo record stands.
pub const REDO_AT: u64 = 4096;
/// Where the slots start.
pub const SLOTS_AT: u64 = 8192;
/// Length of header and settled record.
pub const SECTOR: usize = 512;

const MAGIC: &[u8; 16] = b"idledger-slots\0\0";
const VERSION: u16 = 1;
const PREFIX: &[u8] = b"idledger-slot/v1\0";
/// State, zeros, generation, batch, id.
const HEAD_BYTES: usize = 28;
const CHECKSUM_BYTES: usize = 8;

/// Number under which header, settled and redo records are checksummed; no slot has it.
const NO_SLOT: u32 = u32::MAX;

/// One kind of slot file.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    /// The file's name under `vault/`.
    pub file: &'static str,
    /// 1: data keys, 2: credentials.
    pub kind: u16,
    /// Bytes of one slot; divides 512.
    pub slot_bytes: usize,
}

/// What stands before a slot's payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Holds something; otherwise it was written by a crashed batch and given up.
    pub live: bool,
    /// 1, then one more with every overwrite.
    pub generation: u32,
    /// Number of the first slot of the batch that made it: all slots below were safe by then.
    pub batch: u32,
    /// What it is found by.
    pub id: [u8; 16],
}

/// What a slot's bytes are.
pub enum Parsed<'a> {
    /// Never written.
    Empty,
    /// Whole: head and payload.
    Whole(Head, &'a [u8]),
    /// Neither.
    Damaged,
}

impl Layout {
    /// Bytes of a slot's payload.
    pub const fn payload_bytes(&self) -> usize {
        self.slot_bytes - HEAD_BYTES - CHECKSUM_BYTES
    }

    /// Where a slot stands in the file.
    pub const fn offset(&self, number: u32) -> u64 {
        SLOTS_AT + number as u64 * self.slot_bytes as u64
    }

    /// The header sector.
    pub fn header(&self, check: [u8; 16]) -> Vec<u8> {
        let mut sector = MAGIC.to_vec();
        sector.extend(VERSION.to_le_bytes());
        sector.extend(self.kind.to_le_bytes());
        sector.extend((self.slot_bytes as u32).to_le_bytes());
        sector.extend(check);
        sector.resize(SECTOR - CHECKSUM_BYTES, 0);
        self.close(sector, NO_SLOT)
    }

    /// The key check in a header sector, or why it is none.
    pub fn open_header(&self, sector: &[u8]) -> Result<[u8; 16], &'static str> {
        let fields = sector.strip_prefix(MAGIC).ok_or("it is not a slot file")?;
        let (version, fields) = fields
            .split_first_chunk::<2>()
            .ok_or("its header is cut off")?;
        match u16::from_le_bytes(*version) {
            VERSION => {}
            0 => return Err("its header is damaged"),
            _ => return Err("a newer program made it"),
        }
        if !self.closed(sector, NO_SLOT) {
            return Err("its header is damaged");
        }
        let (kind, fields) = fields
            .split_first_chunk::<2>()
            .ok_or("its header is cut off")?;
        let (size, fields) = fields
            .split_first_chunk::<4>()
            .ok_or("its header is cut off")?;
        if u16::from_le_bytes(*kind) != self.kind
            || u32::from_le_bytes(*size) as usize != self.slot_bytes
        {
            return Err("it holds something else");
        }
        fields
            .first_chunk::<16>()
            .copied()
            .ok_or("its header is cut off")
    }

    /// The settled record.
    pub fn settled(&self, count: u32) -> Vec<u8> {
        let mut record = count.to_le_bytes().to_vec();
        record.extend([0; 4]);
        self.close(record, NO_SLOT)
    }

    /// The count in a settled record; none if it was never written or is torn.
    pub fn open_settled(&self, sector: &[u8]) -> Option<u32> {
        let record = sector
            .get(..16)
            .filter(|record| self.closed(record, NO_SLOT))?;
        Some(u32::from_le_bytes(*record.first_chunk()?))
    }

    /// The redo record of an overwrite.
    pub fn redo(&self, number: u32, slot: &[u8]) -> Vec<u8> {
        let mut record = (number + 1).to_le_bytes().to_vec();
        record.extend([0; 4]);
        record.extend(slot);
        self.close(record, NO_SLOT)
    }

    /// The overwrite in a redo page, if it is whole.
    pub fn open_redo<'a>(&self, page: &'a [u8]) -> Option<(u32, &'a [u8])> {
        let length = 8 + self.slot_bytes + CHECKSUM_BYTES;
        let record = page
            .get(..length)
            .filter(|record| self.closed(record, NO_SLOT))?;
        let number = u32::from_le_bytes(*record.first_chunk()?).checked_sub(1)?;
        let slot = record.get(8..8 + self.slot_bytes)?;
        matches!(self.parse(number, slot), Parsed::Whole(..)).then_some((number, slot))
    }

    /// A slot's bytes. The payload is at most [`Layout::payload_bytes`]; the rest is zero.
    pub fn slot(&self, number: u32, head: &Head, payload: &[u8]) -> Vec<u8> {
        let mut slot = Vec::with_capacity(self.slot_bytes);
        slot.extend([if head.live { 1 } else { 2 }, 0, 0, 0]);
        slot.extend(head.generation.to_le_bytes());
        slot.extend(head.batch.to_le_bytes());
        slot.extend(head.id);
        slot.extend(payload.get(..self.payload_bytes()).unwrap_or(payload));
        slot.resize(self.slot_bytes - CHECKSUM_BYTES, 0);
        self.close(slot, number)
    }

    /// What a slot's bytes are.
    pub fn parse<'a>(&self, number: u32, slot: &'a [u8]) -> Parsed<'a> {
        self.whole(number, slot)
            .unwrap_or(if slot.iter().all(|byte| *byte == 0) {
                Parsed::Empty
            } else {
                Parsed::Damaged
            })
    }

    fn whole<'a>(&self, number: u32, slot: &'a [u8]) -> Option<Parsed<'a>> {
        let (state, fields) = slot.split_first_chunk::<4>()?;
        if state[0] == 0 || slot.len() != self.slot_bytes || !self.closed(slot, number) {
            return None;
        }
        let (generation, fields) = fields.split_first_chunk::<4>()?;
        let (batch, fields) = fields.split_first_chunk::<4>()?;
        let (id, fields) = fields.split_first_chunk::<16>()?;
        let head = Head {
            live: match state {
                [1, 0, 0, 0] => true,
                [2, 0, 0, 0] => false,
                _ => return None,
            },
            generation: u32::from_le_bytes(*generation),
            batch: u32::from_le_bytes(*batch),
            id: *id,
        };
        Some(Parsed::Whole(head, fields.get(..self.payload_bytes())?))
    }

    fn close(&self, mut bytes: Vec<u8>, number: u32) -> Vec<u8> {
        let checksum = self.checksum(&bytes, number);
        bytes.extend(checksum);
        bytes
    }

    fn closed(&self, bytes: &[u8], number: u32) -> bool {
        bytes
            .split_last_chunk::<CHECKSUM_BYTES>()
            .is_some_and(|(bytes, checksum)| self.checksum(bytes, number) == *checksum)
    }

    fn checksum(&self, bytes: &[u8], number: u32) -> [u8; CHECKSUM_BYTES] {
        let mut hasher = blake3::Hasher::new();
        hasher.update(PREFIX);
        hasher.update(&self.kind.to_le_bytes());
        hasher.update(&number.to_le_bytes());
        hasher.update(bytes);
        let mut checksum = [0; CHECKSUM_BYTES];
        hasher.finalize_xof().fill(&mut checksum);
        checksum
    }
}
