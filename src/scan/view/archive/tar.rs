//! tar: blocks of 512 bytes, heads and contents. POSIX's ustar and pax, GNU's long names and sparse files, and
//! the old form that only its checksum tells.

use super::{Advance, Event, Unreadable, keep, keep_name, up_to};
use crate::limits::{ARCHIVE_ENTRIES_MAX, ARCHIVE_NAME_MAX_BYTES, ARCHIVE_PAX_MAX_BYTES};

const BLOCK_BYTES: usize = 512;

/// Where the flag of a sparse file's further heads stands: in its first and in the others.
const SPARSE_FLAG_AT: usize = 482;
const SPARSE_NEXT_FLAG_AT: usize = 504;

/// Whether a body begins with a head. Zeros do not.
pub(super) fn is_head(bytes: &[u8]) -> bool {
    bytes.get(..BLOCK_BYTES).is_some_and(|block| Head::parse(block).is_some())
}

/// What the next bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Head,
    /// More heads of a sparse file.
    SparseHead,
    Contents,
    LongName,
    Pax,
    /// Contents that say nothing of the entry.
    Ignored,
    /// What fills the last block.
    Padding,
    /// Nothing any more; whether that was told.
    Lost(Unreadable, bool),
    Done,
}

/// A tar being read.
#[derive(Debug)]
pub(super) struct Tar {
    next: Next,
    block: Vec<u8>,
    name: Vec<u8>,
    /// Of the entry to come, from a head before its own.
    long_name: Option<Vec<u8>>,
    pax: Vec<u8>,
    /// Bytes before the end of the contents, and of the padding behind them.
    left: u64,
    padding: u64,
    entries: u32,
}

impl Tar {
    pub(super) fn new() -> Tar {
        Tar {
            next: Next::Head,
            block: Vec::new(),
            name: Vec::new(),
            long_name: None,
            pax: Vec::new(),
            left: 0,
            padding: 0,
            entries: 0,
        }
    }

    pub(super) fn name(&self) -> &[u8] {
        &self.name
    }

    pub(super) fn advance(&mut self, bytes: &[u8]) -> Advance {
        if let Next::Lost(reason, is_told) = self.next {
            if bytes.is_empty() && is_told {
                return (0, Some(Event::Idle));
            }
            self.next = Next::Lost(reason, true);
            let reason = (!is_told).then_some(reason);
            return (bytes.len(), Some(Event::Unreadable(bytes.len(), reason)));
        }
        if self.left == 0 && self.is_in_contents() {
            return self.end_contents();
        }
        if bytes.is_empty() {
            return (0, Some(Event::Idle));
        }
        match self.next {
            Next::Head | Next::SparseHead => {
                let taken = super::hold(&mut self.block, bytes, BLOCK_BYTES);
                if self.block.len() < BLOCK_BYTES {
                    return (taken, None);
                }
                let block = std::mem::take(&mut self.block);
                (taken, self.read_head(&block))
            }
            Next::Padding => {
                let taken = up_to(bytes, self.padding).len();
                self.padding -= taken as u64;
                if self.padding == 0 {
                    self.next = Next::Head;
                }
                (taken, None)
            }
            _ => self.read_contents(bytes),
        }
    }

    pub(super) fn finish(&mut self) -> Event {
        let is_whole = match self.next {
            Next::Done | Next::Lost(..) => true,
            Next::Head => self.block.is_empty(),
            _ => false,
        };
        let is_in_entry = self.next == Next::Contents;
        if is_whole {
            self.next = Next::Done;
            return Event::End;
        }
        self.next = if is_in_entry { Next::Padding } else { Next::Done };
        if is_in_entry {
            Event::EntryEnd
        } else {
            Event::Unreadable(0, Some(Unreadable::Truncated))
        }
    }

    fn is_in_contents(&self) -> bool {
        matches!(self.next, Next::Contents | Next::LongName | Next::Pax | Next::Ignored)
    }

    fn read_contents(&mut self, bytes: &[u8]) -> Advance {
        let contents = up_to(bytes, self.left);
        self.left -= contents.len() as u64;
        match self.next {
            Next::LongName => {
                keep_name(self.long_name.get_or_insert_default(), contents);
            }
            Next::Pax => keep(&mut self.pax, contents, ARCHIVE_PAX_MAX_BYTES),
            Next::Contents => return (contents.len(), Some(Event::InPlace(0..contents.len()))),
            _ => {}
        }
        (contents.len(), None)
    }

    fn end_contents(&mut self) -> Advance {
        let ended = self.next;
        self.next = if self.padding > 0 { Next::Padding } else { Next::Head };
        if ended == Next::LongName
            && let Some(name) = &mut self.long_name
        {
            let end = name.iter().position(|byte| *byte == 0).unwrap_or(name.len());
            name.truncate(end);
        }
        (0, (ended == Next::Contents).then_some(Event::EntryEnd))
    }

    fn read_head(&mut self, block: &[u8]) -> Option<Event> {
        if self.next == Next::SparseHead {
            self.next = contents_or_more(block, SPARSE_NEXT_FLAG_AT);
            return None;
        }
        if block.iter().all(|byte| *byte == 0) {
            return None;
        }
        let Some(head) = Head::parse(block) else {
            self.next = Next::Lost(Unreadable::Malformed, false);
            return None;
        };
        if self.entries == ARCHIVE_ENTRIES_MAX {
            self.next = Next::Lost(Unreadable::TooManyEntries, false);
            return None;
        }
        self.entries += 1;
        self.begin(head.size);
        let is_about_another = match head.kind {
            b'L' => Some(Next::LongName),
            b'x' | b'X' => Some(Next::Pax),
            b'g' | b'K' => Some(Next::Ignored),
            _ => None,
        };
        if let Some(next) = is_about_another {
            if next == Next::LongName {
                self.long_name = None;
            }
            self.next = next;
            return None;
        }
        self.name = self.long_name.take().unwrap_or_else(|| head.name());
        self.apply_pax();
        if (b'1'..=b'6').contains(&head.kind) {
            // Links, devices and folders have no contents, whatever size they say.
            self.begin(0);
        }
        self.next = match head.kind {
            b'S' => contents_or_more(block, SPARSE_FLAG_AT),
            _ => Next::Contents,
        };
        Some(Event::Name)
    }

    fn begin(&mut self, size: u64) {
        self.left = size;
        self.padding = (BLOCK_BYTES as u64 - size % BLOCK_BYTES as u64) % BLOCK_BYTES as u64;
    }

    /// The path and size of the extended head before, if there was one.
    fn apply_pax(&mut self) {
        let pax = std::mem::take(&mut self.pax);
        let mut rest = &pax[..];
        while let Some((len, record)) = record(rest) {
            if let Some(path) = record.strip_prefix(b"path=") {
                self.name.clear();
                keep(&mut self.name, path, ARCHIVE_NAME_MAX_BYTES);
            } else if let Some(size) = record.strip_prefix(b"size=")
                && let Some(size) = decimal(size)
            {
                self.begin(size);
            }
            rest = rest.get(len..).unwrap_or_default();
        }
    }
}

/// The first record of an extended head: how long it is, and what stands in it: `key=value`.
fn record(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let space = bytes.iter().take(20).position(|byte| *byte == b' ')?;
    let len = usize::try_from(decimal(bytes.get(..space)?)?).ok()?;
    let record = bytes.get(space + 1..len)?;
    Some((len, record.strip_suffix(b"\n")?))
}

fn decimal(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

fn contents_or_more(block: &[u8], flag_at: usize) -> Next {
    match block.get(flag_at) {
        Some(1..) => Next::SparseHead,
        _ => Next::Contents,
    }
}

/// An entry's head.
struct Head<'a> {
    block: &'a [u8],
    size: u64,
    kind: u8,
}

impl<'a> Head<'a> {
    /// If the checksum is right.
    fn parse(block: &'a [u8]) -> Option<Head<'a>> {
        let checksum = octal(block.get(148..156)?)?;
        let sum_of = |bytes: &[u8]| bytes.iter().map(|byte| u64::from(*byte)).sum::<u64>();
        let sum = sum_of(block.get(..148)?) + 8 * u64::from(b' ') + sum_of(block.get(156..)?);
        let size = number(block.get(124..136)?)?;
        (sum == checksum).then_some(Head { block, size, kind: block.get(156).copied()? })
    }

    /// The name, and the folder that ustar puts before it.
    fn name(&self) -> Vec<u8> {
        let text = |range: std::ops::Range<usize>| {
            let field = self.block.get(range).unwrap_or_default();
            field.split(|byte| *byte == 0).next().unwrap_or_default()
        };
        let is_posix = self.block.get(257..263) == Some(b"ustar\0");
        let prefix = if is_posix { text(345..500) } else { b"" };
        let mut name = prefix.to_vec();
        if !prefix.is_empty() {
            name.push(b'/');
        }
        name.extend_from_slice(text(0..100));
        name
    }
}

/// Octal digits, or GNU's base 256.
fn number(field: &[u8]) -> Option<u64> {
    let (first, rest) = field.split_first()?;
    if first & 0x80 == 0 {
        return octal(field);
    }
    let is_small = *first == 0x80 && rest.iter().take(3).all(|byte| *byte == 0);
    is_small.then(|| rest.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
}

fn octal(field: &[u8]) -> Option<u64> {
    let is_filler = |byte: &u8| *byte == b' ' || *byte == 0;
    let start = field.iter().position(|byte| !is_filler(byte)).unwrap_or(field.len());
    let digits = field.get(start..)?;
    let end = digits.iter().position(is_filler).unwrap_or(digits.len());
    digits.get(..end)?.iter().try_fold(0, |number: u64, digit| {
        (b'0'..=b'7').contains(digit).then(|| number << 3 | u64::from(digit - b'0'))
    })
}
