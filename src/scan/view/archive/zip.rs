//! zip, read from its front: each entry's own head, contents stored, deflated or packed by zstd, and the sizes
//! that may follow them. The directory at the end is stepped over; a zip behind a zip is read too.

use memchr::memchr_iter;

use super::zip_record::{
    DESCRIPTOR, DESCRIPTOR_LOOK_BYTES, ENTRY, Entry, Record, SIGNATURE_BYTES, descriptor_bytes,
    u32_at, u64_at,
};
use super::{Advance, Event, Unreadable, hold, keep, keep_name, up_to};
use crate::limits::{ARCHIVE_ENTRIES_MAX, ARCHIVE_EXTRA_MAX_BYTES};
use crate::scan::view::codings::{Allowance, Engine, RawDeflate, Run, Undecodable, Zstd};

const STORED: u16 = 0;
const DEFLATED: u16 = 8;
const ZSTD: u16 = 93;

/// What the next bytes are. With `left`, so many bytes before its end.
#[derive(Debug)]
enum Next {
    Record,
    Name {
        left: u64,
    },
    Extra {
        left: u64,
    },
    Stored {
        left: u64,
    },
    /// Without `left`, the coding tells its end.
    Coded {
        engine: Box<Packed>,
        left: Option<u64>,
    },
    /// Contents that only their descriptor ends.
    Sought {
        is_readable: bool,
    },
    Opaque {
        left: u64,
    },
    EntryEnd,
    Descriptor,
    Directory {
        left: u64,
    },
    Lost,
    Done,
}

#[derive(Debug)]
enum Packed {
    Deflated(RawDeflate),
    Zstd(Zstd),
}

/// A zip being read.
#[derive(Debug)]
pub(super) struct Zip {
    next: Next,
    /// The begin of a record or a descriptor.
    held: Vec<u8>,
    name: Vec<u8>,
    extra: Vec<u8>,
    entry: Entry,
    /// Bytes of the contents that passed.
    passed: u64,
    entries: u32,
    /// Why what follows is unreadable, until it is told.
    untold: Option<Unreadable>,
}

impl Zip {
    pub(super) fn new() -> Zip {
        Zip {
            next: Next::Record,
            held: Vec::new(),
            name: Vec::new(),
            extra: Vec::new(),
            entry: Entry::default(),
            passed: 0,
            entries: 0,
            untold: None,
        }
    }

    pub(super) fn name(&self) -> &[u8] {
        &self.name
    }

    pub(super) fn advance(
        &mut self,
        bytes: &[u8],
        work: &mut [u8],
        allowance: &mut Allowance,
    ) -> Advance {
        if let Some(reason) = self.untold.take() {
            return (0, Some(Event::Unreadable(0, Some(reason))));
        }
        match &mut self.next {
            Next::EntryEnd => {
                self.next = if self.entry.has_descriptor { Next::Descriptor } else { Next::Record };
                return (0, Some(Event::EntryEnd));
            }
            Next::Name { left: 0 } => {
                self.next = Next::Extra { left: self.entry.extra_bytes };
                return (0, Some(Event::Name));
            }
            Next::Extra { left: 0 } => {
                self.entry.read_extra(&self.extra);
                self.begin_contents();
                return (0, None);
            }
            Next::Stored { left: 0 } | Next::Opaque { left: 0 } => {
                self.next = Next::EntryEnd;
                return (0, None);
            }
            Next::Directory { left: 0 } => {
                self.held.clear();
                self.next = Next::Record;
                return (0, None);
            }
            Next::Coded { .. } => return self.inflate(bytes, work, allowance),
            _ => {}
        }
        if bytes.is_empty() {
            return (0, Some(Event::Idle));
        }
        self.read(bytes, work)
    }

    pub(super) fn finish(&mut self) -> Event {
        match std::mem::replace(&mut self.next, Next::Done) {
            Next::Done | Next::Lost => Event::End,
            Next::Record if self.held.is_empty() => Event::End,
            // The sizes behind the last contents, with nothing behind them.
            Next::Descriptor => Event::End,
            Next::Name { .. } | Next::Record | Next::Directory { .. } => {
                Event::Unreadable(0, Some(Unreadable::Truncated))
            }
            Next::EntryEnd => Event::EntryEnd,
            _ => {
                self.next = Next::EntryEnd;
                self.entry.has_descriptor = false;
                Event::Unreadable(0, Some(Unreadable::Truncated))
            }
        }
    }

    /// Where bytes are needed and there are some.
    fn read(&mut self, bytes: &[u8], work: &mut [u8]) -> Advance {
        match &mut self.next {
            Next::Record => (self.read_record(bytes), None),
            Next::Descriptor => {
                let taken = hold(&mut self.held, bytes, DESCRIPTOR_LOOK_BYTES);
                if self.held.len() == DESCRIPTOR_LOOK_BYTES {
                    let len = descriptor_bytes(&self.held, self.entry.is_zip64);
                    self.held.drain(..len.min(DESCRIPTOR_LOOK_BYTES));
                    self.next = Next::Record;
                }
                (taken, None)
            }
            Next::Sought { is_readable } => {
                let is_readable = *is_readable;
                self.seek(bytes, work, is_readable)
            }
            Next::Name { left } => {
                let name = up_to(bytes, *left);
                *left -= name.len() as u64;
                keep_name(&mut self.name, name);
                (name.len(), None)
            }
            Next::Extra { left } => {
                let extra = up_to(bytes, *left);
                *left -= extra.len() as u64;
                keep(&mut self.extra, extra, ARCHIVE_EXTRA_MAX_BYTES);
                (extra.len(), None)
            }
            Next::Stored { left } => {
                let len = up_to(bytes, *left).len();
                *left -= len as u64;
                (len, Some(Event::InPlace(0..len)))
            }
            Next::Opaque { left } => {
                let len = up_to(bytes, *left).len();
                *left -= len as u64;
                (len, Some(Event::Unreadable(len, None)))
            }
            Next::Directory { left } => {
                let directory = up_to(bytes, *left);
                let (len, is_entry) = pass_directory(&mut self.held, directory);
                *left -= len as u64;
                if is_entry {
                    // Of a length that a directory only claims, other readers take no notice.
                    self.untold = Some(Unreadable::HiddenEntry);
                    self.next = Next::Record;
                }
                (len, None)
            }
            _ => (bytes.len(), Some(Event::Unreadable(bytes.len(), None))),
        }
    }

    fn read_record(&mut self, bytes: &[u8]) -> usize {
        let mut taken = hold(&mut self.held, bytes, SIGNATURE_BYTES);
        let Some(signature) = self.held.get(..SIGNATURE_BYTES) else { return taken };
        let Some(record) = Record::announced(signature) else {
            self.lose(Unreadable::Malformed);
            return taken;
        };
        let rest = bytes.get(taken..).unwrap_or_default();
        taken += hold(&mut self.held, rest, record.head_bytes());
        if self.held.len() < record.head_bytes() {
            return taken;
        }
        let head = std::mem::take(&mut self.held);
        if record != Record::Entry {
            self.next = Next::Directory { left: record.tail_bytes(&head) };
        } else if self.entries == ARCHIVE_ENTRIES_MAX {
            self.lose(Unreadable::TooManyEntries);
        } else {
            self.entries += 1;
            self.entry = Entry::parse(&head);
            self.name.clear();
            self.extra.clear();
            self.passed = 0;
            self.next = Next::Name { left: self.entry.name_bytes };
        }
        taken
    }

    fn begin_contents(&mut self) {
        let Entry { method, packed_bytes, has_descriptor, is_encrypted, .. } = self.entry;
        let is_sized = !has_descriptor || packed_bytes > 0;
        let engine = match method {
            _ if is_encrypted => None,
            DEFLATED => Some(Packed::Deflated(RawDeflate::new())),
            ZSTD if has_descriptor => Some(Packed::Zstd(Zstd::single_frame())),
            ZSTD => Some(Packed::Zstd(Zstd::new())),
            _ => None,
        };
        let is_readable = method == STORED && !is_encrypted;
        self.next = match engine {
            Some(engine) => {
                let left = (!has_descriptor).then_some(packed_bytes);
                Next::Coded { engine: Box::new(engine), left }
            }
            None if is_readable && is_sized => Next::Stored { left: packed_bytes },
            None if is_sized => Next::Opaque { left: packed_bytes },
            None => Next::Sought { is_readable },
        };
        if is_encrypted {
            self.untold = Some(Unreadable::Encrypted);
        } else if matches!(self.next, Next::Opaque { .. } | Next::Sought { is_readable: false }) {
            self.untold = Some(Unreadable::Method(method));
        }
    }

    fn inflate(&mut self, bytes: &[u8], work: &mut [u8], allowance: &mut Allowance) -> Advance {
        let Next::Coded { engine, left } = &mut self.next else { return (0, None) };
        let packed = left.map_or(bytes, |left| up_to(bytes, left));
        let (run, is_complete) = match allowance.check() {
            Err(reason) => (Run { failure: Some(reason), ..Run::default() }, false),
            Ok(()) => engine.run(packed, work, *left),
        };
        allowance.spend(run.written);
        self.passed += run.taken as u64;
        if let Some(left) = left {
            *left -= run.taken as u64;
        }
        let left = *left;
        let is_idle = run.taken == 0 && run.written == 0;
        let failure = match run.failure {
            None if is_complete && left.is_some_and(|left| left > 0) => {
                Some(Undecodable::TrailingData)
            }
            None if is_idle && !is_complete && left == Some(0) => Some(Undecodable::Truncated),
            failure => failure,
        };
        if let Some(reason) = failure {
            self.untold = Some(Unreadable::Coded(reason));
            self.next = match left {
                Some(left) => Next::Opaque { left },
                None => Next::Sought { is_readable: false },
            };
        } else if is_complete {
            self.next = Next::EntryEnd;
        } else if is_idle {
            return (0, Some(Event::Idle));
        }
        (run.taken, (run.written > 0).then_some(Event::Worked(run.written)))
    }

    /// Looks for the descriptor that says how many bytes passed before it.
    fn seek(&mut self, bytes: &[u8], work: &mut [u8], is_readable: bool) -> Advance {
        if self.held.is_empty() {
            let start = descriptor_start(bytes);
            if start > 0 {
                self.passed += start as u64;
                return (start, Some(self.told(start, is_readable, Event::InPlace(0..start))));
            }
        }
        let want = if self.entry.is_zip64 { 24 } else { 16 };
        let mut taken = 0;
        let is_candidate = loop {
            let signature = self.held.get(..SIGNATURE_BYTES).unwrap_or(&self.held);
            if !DESCRIPTOR.starts_with(signature) {
                break false;
            }
            if self.held.len() == want {
                break true;
            }
            let Some(byte) = bytes.get(taken) else { return (taken, None) };
            self.held.push(*byte);
            taken += 1;
        };
        let says = match want {
            16 => u64::from(u32_at(&self.held, 8)),
            _ => u64_at(&self.held, 8),
        };
        let passed = if want == 16 { self.passed & u64::from(u32::MAX) } else { self.passed };
        if is_candidate && says == passed {
            self.held.clear();
            self.entry.has_descriptor = false;
            self.next = Next::EntryEnd;
            return (taken, None);
        }
        let behind = self.held.get(1..).unwrap_or_default();
        let len = behind.iter().position(|byte| *byte == b'P').map_or(self.held.len(), |at| at + 1);
        let len = len.min(work.len());
        for (to, from) in work.iter_mut().zip(self.held.drain(..len)) {
            *to = from;
        }
        self.passed += len as u64;
        (taken, Some(self.told(len, is_readable, Event::Worked(len))))
    }

    fn told(&self, len: usize, is_readable: bool, event: Event) -> Event {
        if is_readable { event } else { Event::Unreadable(len, None) }
    }

    fn lose(&mut self, reason: Unreadable) {
        self.untold = Some(reason);
        self.next = Next::Lost;
    }
}

/// Passes over a part of the directory up to an entry's signature, if there is one in it, which is then held.
fn pass_directory(held: &mut Vec<u8>, bytes: &[u8]) -> (usize, bool) {
    let mut taken = 0;
    while let Some(rest) = bytes.get(taken..).filter(|rest| !rest.is_empty()) {
        if held.is_empty() {
            taken += memchr::memchr(b'P', rest).unwrap_or(rest.len());
        }
        let Some(byte) = bytes.get(taken) else { break };
        taken += 1;
        held.push(*byte);
        if !ENTRY.starts_with(held) {
            held.clear();
            // Only the first byte of the signature begins it, and it is in it once.
            if *byte == b'P' {
                held.push(*byte);
            }
        }
        if held.len() == SIGNATURE_BYTES {
            return (taken, true);
        }
    }
    (taken, false)
}

/// Where a descriptor may begin; the end of the bytes, if nowhere.
fn descriptor_start(bytes: &[u8]) -> usize {
    let may_begin = |at: &usize| {
        let rest = bytes.get(*at..).unwrap_or_default();
        DESCRIPTOR.starts_with(rest.get(..SIGNATURE_BYTES).unwrap_or(rest))
    };
    memchr_iter(b'P', bytes).find(may_begin).unwrap_or(bytes.len())
}

impl Packed {
    /// Also whether it is complete.
    fn run(&mut self, bytes: &[u8], work: &mut [u8], left: Option<u64>) -> (Run, bool) {
        match self {
            Packed::Deflated(engine) => {
                let run = engine.run(bytes, work);
                (run, engine.is_complete())
            }
            Packed::Zstd(engine) => {
                let run = engine.run(bytes, work);
                // Frames may follow each other, as far as the entry reaches.
                let is_at_end = left.is_none_or(|left| left == run.taken as u64);
                (run, engine.is_complete() && is_at_end)
            }
        }
    }
}
