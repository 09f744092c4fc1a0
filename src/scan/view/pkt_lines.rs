//! What git sends over HTTP (gitprotocol-common, gitprotocol-pack, gitprotocol-v2): lines with their length in
//! front, some of which carry pieces of a pack, or of what the other end says meanwhile (side-band); and a pack that
//! follows the lines as it is.

use std::ops::Range;

/// The hexadecimal digits of a length, which counts them.
const LENGTH_BYTES: usize = 4;
/// What a pack begins with.
const PACK: &[u8] = b"PACK";
/// The first byte of a line that carries a piece of something else.
const BAND_DATA: u8 = 1;
const BAND_PROGRESS: u8 = 2;
const BAND_ERROR: u8 = 3;

/// What bytes belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    /// Lines of text, each behind the other.
    Lines,
    /// What the other end says meanwhile.
    Progress,
    Pack,
    /// From here on there are no lines.
    Unframed,
}

/// What a step brought to light.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Nothing more: all bytes were taken.
    Idle,
    /// Bytes of the step that belong together with those before them.
    Piece(Channel, Range<usize>),
    /// The same of those that waited: [`Reader::held`].
    Held(Channel),
    /// A line of [`Channel::Lines`] is complete.
    LineEnd,
}

/// What the next bytes are.
#[derive(Clone, Copy, Debug)]
enum Next {
    Length,
    /// The first byte of a line of so many.
    First {
        left: usize,
    },
    /// Of a line that may begin the pack.
    Data {
        left: usize,
    },
    Payload {
        channel: Channel,
        left: usize,
    },
    /// To the end.
    Rest(Channel),
}

/// Lines being read.
#[derive(Debug)]
pub struct Reader {
    next: Next,
    held: [u8; LENGTH_BYTES],
    held_len: usize,
    /// Whether pieces of the pack came.
    is_pack_begun: bool,
}

impl Default for Reader {
    fn default() -> Self {
        Reader::new()
    }
}

impl Reader {
    /// At the first byte.
    pub fn new() -> Reader {
        Reader { next: Next::Length, held: [0; LENGTH_BYTES], held_len: 0, is_pack_begun: false }
    }

    /// The bytes of [`Event::Held`], until the next step.
    pub fn held(&self) -> &[u8] {
        self.held.get(..self.held_len).unwrap_or_default()
    }

    /// Reads on in `bytes`; until the event is [`Event::Idle`], to be called again with what was not taken. Also how
    /// many were.
    pub fn step(&mut self, bytes: &[u8]) -> (Event, usize) {
        let mut at = 0;
        loop {
            let rest = bytes.get(at..).unwrap_or_default();
            match self.next {
                Next::Payload { channel, left: 0 } => {
                    self.begin_line();
                    if channel == Channel::Lines {
                        return (Event::LineEnd, at);
                    }
                }
                _ if rest.is_empty() => return (Event::Idle, at),
                Next::Length => {
                    at += self.hold(rest, LENGTH_BYTES);
                    if self.held_len == LENGTH_BYTES
                        && let Some(channel) = self.read_length()
                    {
                        self.next = Next::Rest(channel);
                        return (Event::Held(channel), at);
                    }
                }
                Next::First { left } => {
                    let channel = match rest.first() {
                        Some(&BAND_DATA) => None,
                        Some(&(BAND_PROGRESS | BAND_ERROR)) => Some(Channel::Progress),
                        _ => Some(Channel::Lines),
                    };
                    let is_band = channel != Some(Channel::Lines);
                    let left = left - usize::from(is_band);
                    at += usize::from(is_band);
                    self.next = match channel {
                        Some(channel) => Next::Payload { channel, left },
                        None if self.is_pack_begun => {
                            Next::Payload { channel: Channel::Pack, left }
                        }
                        None => {
                            self.held_len = 0;
                            Next::Data { left }
                        }
                    };
                }
                Next::Data { left } => {
                    let want = left.min(LENGTH_BYTES);
                    at += self.hold(rest, want);
                    if self.held_len >= want {
                        self.is_pack_begun = self.held() == PACK;
                        let channel =
                            if self.is_pack_begun { Channel::Pack } else { Channel::Lines };
                        self.next = Next::Payload { channel, left: left - want };
                        return (Event::Held(channel), at);
                    }
                }
                Next::Payload { channel, left } => {
                    let len = left.min(rest.len());
                    self.next = Next::Payload { channel, left: left - len };
                    return (Event::Piece(channel, at..at + len), at + len);
                }
                Next::Rest(channel) => {
                    return (Event::Piece(channel, at..bytes.len()), bytes.len());
                }
            }
        }
    }

    /// At the end of the bytes, once a step was idle: what waited, if it did.
    pub fn finish(&mut self) -> Event {
        match std::mem::replace(&mut self.next, Next::Rest(Channel::Unframed)) {
            Next::Length | Next::Data { .. } if self.held_len > 0 => Event::Held(Channel::Unframed),
            _ => Event::Idle,
        }
    }

    fn begin_line(&mut self) {
        self.held_len = 0;
        self.next = Next::Length;
    }

    /// The channel of all that follows, if no line does.
    fn read_length(&mut self) -> Option<Channel> {
        if self.held() == PACK {
            return Some(Channel::Pack);
        }
        let digits = str::from_utf8(self.held())
            .ok()
            .filter(|_| self.held().iter().all(u8::is_ascii_hexdigit));
        let length = digits.and_then(|digits| usize::from_str_radix(digits, 16).ok());
        match length {
            // The ends of a list, of a section, of an answer.
            Some(0..=2) => self.begin_line(),
            Some(length @ LENGTH_BYTES..) => {
                self.next = match length - LENGTH_BYTES {
                    0 => Next::Payload { channel: Channel::Lines, left: 0 },
                    left => Next::First { left },
                };
            }
            Some(_) | None => return Some(Channel::Unframed),
        }
        None
    }

    fn hold(&mut self, bytes: &[u8], want: usize) -> usize {
        let room = self.held.get_mut(self.held_len..want).unwrap_or_default();
        let len = room.len().min(bytes.len());
        for (to, from) in room.iter_mut().zip(bytes) {
            *to = *from;
        }
        self.held_len += len;
        len
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What is said on each channel, in order.
    fn read(bytes: &[u8], size: usize) -> Vec<(Channel, Vec<u8>)> {
        let mut reader = Reader::new();
        let mut said: Vec<(Channel, Vec<u8>)> = Vec::new();
        let mut say = |channel: Channel, bytes: &[u8]| match said.last_mut() {
            Some((last, said)) if *last == channel => said.extend_from_slice(bytes),
            _ => said.push((channel, bytes.to_vec())),
        };
        for piece in bytes.chunks(size) {
            let mut rest = piece;
            loop {
                let (event, taken) = reader.step(rest);
                match event {
                    Event::Idle => break,
                    Event::Piece(channel, range) => say(channel, &rest[range]),
                    Event::Held(channel) => say(channel, reader.held()),
                    Event::LineEnd => say(Channel::Lines, b"|"),
                }
                rest = &rest[taken..];
            }
        }
        if let Event::Held(channel) = reader.finish() {
            say(channel, reader.held());
        }
        said
    }

    fn line(payload: &[u8]) -> Vec<u8> {
        [format!("{:04x}", payload.len() + 4).as_bytes(), payload].concat()
    }

    /// Whole, and in pieces.
    #[track_caller]
    fn expect(bytes: &[u8], expected: &[(Channel, &[u8])]) {
        let expected: Vec<_> =
            expected.iter().map(|(channel, said)| (*channel, said.to_vec())).collect();
        for size in [bytes.len(), 1, 2, 3, 5, 7, 11] {
            assert_eq!(read(bytes, size), expected, "pieces of {size}");
        }
    }

    #[test]
    fn a_pack_follows_the_commands_of_a_push() {
        let push = [&line(b"old new ref\0caps")[..], b"0000PACK\0\0\0\x02 0000 rest"].concat();
        let expected: [(Channel, &[u8]); 2] =
            [(Channel::Lines, b"old new ref\0caps|"), (Channel::Pack, b"PACK\0\0\0\x02 0000 rest")];
        expect(&push, &expected);
        let options = [&line(b"command")[..], b"0000", &line(b"option"), b"0000PACK"].concat();
        expect(&options, &[(Channel::Lines, b"command|option|"), (Channel::Pack, b"PACK")]);
    }

    #[test]
    fn a_pack_is_taken_out_of_its_band() {
        let answer = [
            &b"0008NAK\n"[..],
            &line(b"\x02Counting"),
            &line(b"\x01PACK\0\0\0"),
            b"0004",
            b"0005\x01",
            &line(b"\x02 objects"),
            &line(b"\x01PACK"),
            &line(b"\x03fatal"),
            b"0000",
        ]
        .concat();
        let expected: [(Channel, &[u8]); 7] = [
            (Channel::Lines, b"NAK\n|"),
            (Channel::Progress, b"Counting"),
            (Channel::Pack, b"PACK\0\0\0"),
            (Channel::Lines, b"|"),
            (Channel::Progress, b" objects"),
            (Channel::Pack, b"PACK"),
            (Channel::Progress, b"fatal"),
        ];
        expect(&answer, &expected);
    }

    #[test]
    fn the_second_version_names_its_sections_also_within_a_band() {
        let sections =
            [&line(b"packfile\n")[..], &line(b"\x01PACK"), b"00000001", &line(b"\x01x"), b"0002"]
                .concat();
        expect(&sections, &[(Channel::Lines, b"packfile\n|"), (Channel::Pack, b"PACKx")]);
        let all =
            [&line(b"\x01packfile\n")[..], &line(b"\x01ok"), &line(b"\x01PACK."), b"0000"].concat();
        expect(&all, &[(Channel::Lines, b"packfile\n|ok|"), (Channel::Pack, b"PACK.")]);
    }

    #[test]
    fn what_is_no_line_is_unframed_to_its_end() {
        for (bytes, lines, rest) in [
            (&b"no line 0004"[..], &b""[..], &b"no line 0004"[..]),
            (b"00", b"", b"00"),
            (b"0003after", b"", b"0003after"),
            (b"+123after", b"", b"+123after"),
            (b"0006ab.004", b"ab|", b".004"),
            (b"0009\x01PA", b"", b"PA"),
        ] {
            let mut expected = vec![(Channel::Lines, lines), (Channel::Unframed, rest)];
            expected.retain(|(_, said)| !said.is_empty());
            expect(bytes, &expected);
        }
    }

    proptest! {
        #[test]
        fn lines_say_the_same_however_they_are_cut(
            payloads in prop::collection::vec(prop::collection::vec(0..6_u8, 0..9), 0..6),
            damage in prop::option::of((any::<prop::sample::Index>(), any::<u8>())),
            end in prop_oneof![Just(&b""[..]), Just(&b"0000PACK12"[..]), Just(&b"00zz"[..])],
            size in 1..20_usize,
        ) {
            let mut bytes: Vec<u8> = payloads.iter().flat_map(|payload| line(payload)).collect();
            bytes.extend_from_slice(end);
            if let Some((at, byte)) = damage.filter(|_| !bytes.is_empty()) {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            prop_assert_eq!(read(&bytes, size), read(&bytes, bytes.len().max(1)));
        }
    }
}
