//! A packfile of git (gitformat-pack): objects, each a head of a few bytes and a zlib stream. Of an object that is
//! told by its difference from another one, what it adds is read.

use super::delta::Delta;
use super::{Advance, Event, Unreadable, hold};
use crate::limits::PACK_OBJECTS_MAX;
use crate::scan::view::codings::{Allowance, Engine, RawDeflate, Run};

/// What a pack begins with, up to the last byte of its version.
const SIGNATURE: &[u8] = b"PACK\0\0\0";
/// Signature, version, how many objects there are.
const HEAD_BYTES: usize = 12;
/// The name of an object: SHA-1.
const ID_BYTES: usize = 20;
/// The checksum at the end: SHA-1, or SHA-256.
const TRAILER_MAX_BYTES: usize = 32;
/// The most bytes of a number: seven bits each.
const NUMBER_MAX_BYTES: u8 = 10;

const OFFSET_DELTA: u8 = 6;
const ID_DELTA: u8 = 7;

/// Whether these are the first bytes of a pack.
pub(super) fn is_head(head: &[u8]) -> bool {
    head.strip_prefix(SIGNATURE).is_some_and(|rest| matches!(rest, [2 | 3, ..]))
}

/// Whether more bytes are needed to tell.
pub(super) fn may_be_head(head: &[u8]) -> bool {
    !head.is_empty() && SIGNATURE.starts_with(head)
}

/// What the next bytes are.
#[derive(Clone, Copy, Debug)]
enum Next {
    Head,
    ObjectHead,
    /// More of the object's size, so many bytes of it being there.
    Size(u8),
    /// How far before it its base lies.
    BaseOffset(u8),
    /// What its base is called.
    BaseId {
        left: usize,
    },
    Contents,
    EntryEnd,
    Trailer {
        left: usize,
    },
    Lost,
    Done,
}

/// A pack being read.
#[derive(Debug)]
pub(super) struct Pack {
    next: Next,
    /// The begin of the head.
    held: Vec<u8>,
    /// Objects still to come.
    left: u32,
    /// Objects that came.
    objects: u32,
    kind: u8,
    engine: RawDeflate,
    delta: Option<Delta>,
    /// Why something is unreadable, until it is told.
    untold: Option<Unreadable>,
}

impl Pack {
    pub(super) fn new() -> Pack {
        Pack {
            next: Next::Head,
            held: Vec::new(),
            left: 0,
            objects: 0,
            kind: 0,
            engine: RawDeflate::with_zlib_header(),
            delta: None,
            untold: None,
        }
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
        match self.next {
            Next::EntryEnd => {
                self.next = self.behind_object();
                return (0, Some(Event::EntryEnd));
            }
            Next::Contents => return self.inflate(bytes, work, allowance),
            _ => {}
        }
        match bytes {
            [] => (0, Some(Event::Idle)),
            [first, ..] => self.read(*first, bytes),
        }
    }

    pub(super) fn finish(&mut self) -> Event {
        match std::mem::replace(&mut self.next, Next::Done) {
            Next::Done | Next::Lost | Next::Trailer { .. } => Event::End,
            Next::EntryEnd => {
                self.next = self.behind_object();
                Event::EntryEnd
            }
            Next::Contents => {
                self.next = Next::EntryEnd;
                self.left = 0;
                Event::Unreadable(0, Some(Unreadable::Truncated))
            }
            _ => Event::Unreadable(0, Some(Unreadable::Truncated)),
        }
    }

    /// Where a byte is needed and there is one.
    fn read(&mut self, first: u8, bytes: &[u8]) -> Advance {
        let is_last = first & 0x80 == 0;
        match self.next {
            Next::Head => {
                let taken = hold(&mut self.held, bytes, HEAD_BYTES);
                if let Some([a, b, c, d]) = self.held.get(HEAD_BYTES - 4..) {
                    self.left = u32::from_be_bytes([*a, *b, *c, *d]);
                    self.next = self.behind_object();
                }
                return (taken, None);
            }
            Next::ObjectHead => self.begin_object(first),
            Next::Size(count) | Next::BaseOffset(count) if !is_last && count < NUMBER_MAX_BYTES => {
                match &mut self.next {
                    Next::Size(count) | Next::BaseOffset(count) => *count += 1,
                    _ => {}
                }
            }
            Next::Size(_) | Next::BaseOffset(_) if !is_last => self.lose(Unreadable::Malformed),
            Next::Size(_) => self.next = self.behind_size(),
            Next::BaseOffset(_) => self.next = Next::Contents,
            Next::BaseId { left } => {
                let taken = bytes.len().min(left);
                self.next = match left - taken {
                    0 => Next::Contents,
                    left => Next::BaseId { left },
                };
                return (taken, None);
            }
            Next::Trailer { left: 0 } => {
                self.lose(Unreadable::Malformed);
                return (0, None);
            }
            Next::Trailer { left } => {
                let taken = bytes.len().min(left);
                self.next = Next::Trailer { left: left - taken };
                return (taken, None);
            }
            Next::Contents | Next::EntryEnd | Next::Lost | Next::Done => {
                return (bytes.len(), Some(Event::Unreadable(bytes.len(), None)));
            }
        }
        (1, None)
    }

    fn begin_object(&mut self, first: u8) {
        self.kind = first >> 4 & 7;
        if self.objects == PACK_OBJECTS_MAX {
            return self.lose(Unreadable::TooManyEntries);
        }
        if matches!(self.kind, 0 | 5) {
            return self.lose(Unreadable::Malformed);
        }
        self.objects += 1;
        self.left -= 1;
        self.engine.restart();
        self.delta = matches!(self.kind, OFFSET_DELTA | ID_DELTA).then(Delta::new);
        self.next = if first & 0x80 == 0 { self.behind_size() } else { Next::Size(1) };
    }

    fn behind_size(&self) -> Next {
        match self.kind {
            OFFSET_DELTA => Next::BaseOffset(0),
            ID_DELTA => Next::BaseId { left: ID_BYTES },
            _ => Next::Contents,
        }
    }

    fn behind_object(&self) -> Next {
        if self.left > 0 { Next::ObjectHead } else { Next::Trailer { left: TRAILER_MAX_BYTES } }
    }

    fn inflate(&mut self, bytes: &[u8], work: &mut [u8], allowance: &mut Allowance) -> Advance {
        let run = match allowance.check() {
            Err(reason) => Run { failure: Some(reason), ..Run::default() },
            Ok(()) => self.engine.run(bytes, work),
        };
        allowance.spend(run.written);
        let mut said = run.written;
        if let (Some(delta), Some(inflated)) = (&mut self.delta, work.get_mut(..run.written)) {
            let was_read = delta.is_readable();
            said = delta.literals(inflated);
            self.untold = (was_read && !delta.is_readable()).then_some(Unreadable::Malformed);
        }
        if let Some(reason) = run.failure {
            // Where the next object begins, only this one's end would tell.
            self.lose(Unreadable::Coded(reason));
        } else if self.engine.is_complete() {
            self.next = Next::EntryEnd;
        } else if run.taken == 0 && run.written == 0 {
            return (0, Some(Event::Idle));
        }
        (run.taken, (said > 0).then_some(Event::Worked(said)))
    }

    fn lose(&mut self, reason: Unreadable) {
        self.untold = Some(reason);
        self.next = Next::Lost;
    }
}
