//! The records of a zip (APPNOTE 4.3): what a signature announces, how long it is, and an entry's own head.

/// Little-endian numbers at an offset; zero behind the end.
pub(super) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    let at = bytes.get(at..).and_then(|rest| rest.first_chunk());
    at.map_or(0, |bytes| u16::from_le_bytes(*bytes))
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let at = bytes.get(at..).and_then(|rest| rest.first_chunk());
    at.map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let at = bytes.get(at..).and_then(|rest| rest.first_chunk());
    at.map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

pub(super) const SIGNATURE_BYTES: usize = 4;
pub(super) const ENTRY: &[u8] = b"PK\x03\x04";
pub(super) const DESCRIPTOR: &[u8] = b"PK\x07\x08";

/// What a signature announces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Record {
    Entry,
    /// Part of the directory at the end, which says of entries what they said.
    Directory {
        /// Bytes whose length is known by the signature.
        head: usize,
        kind: u8,
    },
}

impl Record {
    pub(super) fn announced(signature: &[u8]) -> Option<Record> {
        let directory = |head, kind| Some(Record::Directory { head, kind });
        match signature {
            ENTRY => Some(Record::Entry),
            b"PK\x01\x02" => directory(46, 1),
            b"PK\x05\x05" => directory(6, 2),
            b"PK\x05\x06" => directory(22, 3),
            b"PK\x06\x06" => directory(12, 4),
            b"PK\x06\x07" => directory(20, 5),
            b"PK\x06\x08" => directory(8, 6),
            _ => None,
        }
    }

    pub(super) fn head_bytes(self) -> usize {
        match self {
            Record::Entry => 30,
            Record::Directory { head, .. } => head,
        }
    }

    /// The length of what follows the head of a part of the directory.
    pub(super) fn tail_bytes(self, head: &[u8]) -> u64 {
        let Record::Directory { kind, .. } = self else { return 0 };
        match kind {
            1 => [28, 30, 32].iter().map(|at| u64::from(u16_at(head, *at))).sum(),
            2 => u64::from(u16_at(head, 4)),
            3 => u64::from(u16_at(head, 20)),
            4 => u64_at(head, 4),
            6 => u64::from(u32_at(head, 4)),
            _ => 0,
        }
    }
}

/// What an entry says of itself before its contents.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Entry {
    pub(super) method: u16,
    pub(super) is_encrypted: bool,
    /// Whether sizes follow the contents.
    pub(super) has_descriptor: bool,
    pub(super) is_zip64: bool,
    pub(super) packed_bytes: u64,
    pub(super) name_bytes: u64,
    pub(super) extra_bytes: u64,
}

impl Entry {
    pub(super) fn parse(head: &[u8]) -> Entry {
        let flags = u16_at(head, 6);
        let method = u16_at(head, 8);
        Entry {
            method,
            is_encrypted: flags & 0x41 != 0 || method == 99,
            has_descriptor: flags & 8 != 0,
            is_zip64: false,
            packed_bytes: u64::from(u32_at(head, 18)),
            name_bytes: u64::from(u16_at(head, 26)),
            extra_bytes: u64::from(u16_at(head, 28)),
        }
    }

    /// Takes the 64-bit sizes from the extra fields, if they are there.
    pub(super) fn read_extra(&mut self, extra: &[u8]) {
        let mut rest = extra;
        while rest.len() >= 4 {
            let len = usize::from(u16_at(rest, 2));
            let field = rest.get(4..).unwrap_or_default();
            if u16_at(rest, 0) == 1 {
                self.is_zip64 = true;
                if self.packed_bytes == u64::from(u32::MAX) && len >= 16 {
                    self.packed_bytes = u64_at(field, 8);
                }
            }
            rest = field.get(len..).unwrap_or_default();
        }
    }
}

/// How many bytes the descriptor takes that begins here: with a signature or without, sizes of 32 bits or 64.
/// Told by the signature that follows it.
pub(super) fn descriptor_bytes(bytes: &[u8], is_zip64: bool) -> usize {
    let signature = if bytes.starts_with(DESCRIPTOR) { SIGNATURE_BYTES } else { 0 };
    let lens = if is_zip64 { [20, 12] } else { [12, 20] };
    let is_followed = |len: &usize| bytes.get(signature + len..signature + len + 2) == Some(b"PK");
    signature + lens.into_iter().find(is_followed).unwrap_or(lens[0])
}

/// As far as a descriptor and the signature behind it reach.
pub(super) const DESCRIPTOR_LOOK_BYTES: usize = 26;
