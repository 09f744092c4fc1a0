//! The coding `gzip` (RFC 1952): members one behind the other, each a head, a deflate stream and a checksum.
//! The checksum is not verified: all that it speaks of was read by then.

use super::{Engine, RawDeflate, Run, Undecodable};

const HEAD_BYTES: usize = 10;
const TRAILER_BYTES: usize = 8;

const FLAG_HEAD_CHECKSUM: u8 = 0x02;
const FLAG_EXTRA: u8 = 0x04;
const FLAG_NAME: u8 = 0x08;
const FLAG_COMMENT: u8 = 0x10;
const FLAGS_RESERVED: u8 = 0xe0;

/// Where in a member the next byte lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// In the fixed head, so many bytes into it.
    Head(usize),
    /// The length of the extra field: its low byte if it came.
    ExtraLength(Option<u8>),
    /// In the extra field, so many bytes before its end.
    Extra(u16),
    Name,
    Comment,
    /// So many bytes before the end of the head's checksum.
    HeadChecksum(u8),
    Body,
    /// So many bytes into the trailer.
    Trailer(usize),
    /// Behind a member: another, or zeros that fill a block.
    Between,
}

/// The coding `gzip`.
#[derive(Debug)]
pub(super) struct Gzip {
    part: Part,
    flags: u8,
    body: RawDeflate,
}

impl Gzip {
    pub(super) fn new() -> Gzip {
        Gzip { part: Part::Head(0), flags: 0, body: RawDeflate::new() }
    }

    /// The part behind the ones that are done, by the flags that are left.
    fn next_part(&mut self) -> Part {
        for (flag, part) in [
            (FLAG_EXTRA, Part::ExtraLength(None)),
            (FLAG_NAME, Part::Name),
            (FLAG_COMMENT, Part::Comment),
            (FLAG_HEAD_CHECKSUM, Part::HeadChecksum(2)),
        ] {
            if self.flags & flag != 0 {
                self.flags &= !flag;
                return part;
            }
        }
        Part::Body
    }

    /// Reads one byte that is not of the body.
    fn read(&mut self, byte: u8) -> Result<Part, Undecodable> {
        Ok(match self.part {
            Part::Head(at) => return self.read_head(at, byte),
            Part::ExtraLength(None) => Part::ExtraLength(Some(byte)),
            Part::ExtraLength(Some(low)) => match u16::from_le_bytes([low, byte]) {
                0 => self.next_part(),
                len => Part::Extra(len),
            },
            Part::Extra(left) if left > 1 => Part::Extra(left - 1),
            Part::HeadChecksum(left) if left > 1 => Part::HeadChecksum(left - 1),
            Part::Extra(_) | Part::HeadChecksum(_) => self.next_part(),
            Part::Name | Part::Comment if byte != 0 => self.part,
            Part::Name | Part::Comment => self.next_part(),
            Part::Trailer(at) if at + 1 < TRAILER_BYTES => Part::Trailer(at + 1),
            Part::Trailer(_) => Part::Between,
            Part::Between if byte == 0 => Part::Between,
            Part::Between if byte == 0x1f => {
                self.body.restart();
                Part::Head(1)
            }
            Part::Between => return Err(Undecodable::TrailingData),
            Part::Body => Part::Body,
        })
    }

    fn read_head(&mut self, at: usize, byte: u8) -> Result<Part, Undecodable> {
        let is_valid = match at {
            0 => byte == 0x1f,
            1 => byte == 0x8b,
            2 => byte == 8,
            3 => byte & FLAGS_RESERVED == 0,
            _ => true,
        };
        if !is_valid {
            return Err(Undecodable::Malformed);
        }
        if at == 3 {
            self.flags = byte;
        }
        Ok(if at + 1 < HEAD_BYTES { Part::Head(at + 1) } else { self.next_part() })
    }
}

impl Engine for Gzip {
    fn run(&mut self, input: &[u8], output: &mut [u8]) -> Run {
        let mut taken = 0;
        while self.part != Part::Body {
            let Some(byte) = input.get(taken) else { return Run { taken, ..Run::default() } };
            match self.read(*byte) {
                Ok(part) => self.part = part,
                Err(reason) => return Run { taken, written: 0, failure: Some(reason) },
            }
            taken += 1;
        }
        let mut run = self.body.run(input.get(taken..).unwrap_or_default(), output);
        if self.body.is_complete() {
            self.part = Part::Trailer(0);
        }
        run.taken += taken;
        run
    }

    fn is_complete(&self) -> bool {
        self.part == Part::Between
    }
}
