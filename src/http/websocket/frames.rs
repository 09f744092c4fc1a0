//! The frames of one direction (RFC 6455 §5), told apart at any split of the bytes: where payload lies, which
//! unit it belongs to, where the unit ends, and what is invalid. Looks at no payload.

use std::fmt;

use crate::limits::WEBSOCKET_CONTROL_MAX_BYTES;

/// The longest header: two bytes, a length of eight, a mask of four.
const HEADER_MAX_BYTES: usize = 14;

/// The opcode of a close (§5.5.1).
const CLOSE: u8 = 0x8;

/// Who sends in this direction. Clients mask, servers do not (§5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender {
    Client,
    Server,
}

/// What payload belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A text or binary message, over all of its fragments.
    Message,
    /// A single close, ping or pong; it may stand between the fragments of a message.
    Control,
}

/// What the next bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ahead {
    /// Unknown: all bytes were taken, and more are needed.
    Nothing,
    /// So many bytes of payload, to be taken with [`Frames::take`].
    Payload { len: usize, unit: Unit, is_compressed: bool },
    /// None of them is looked at yet: a unit ended before.
    End { unit: Unit, is_compressed: bool },
}

/// Why bytes are not frames that this direction may carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvalidFrame {
    ReservedBits,
    ReservedOpcode,
    MaskedByServer,
    UnmaskedByClient,
    FragmentedControl,
    LongControl,
    StrayContinuation,
    UnfinishedMessage,
    LengthTooLarge,
    CompressedUnasked,
}

impl fmt::Display for InvalidFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            InvalidFrame::ReservedBits => "reserved bits are set",
            InvalidFrame::ReservedOpcode => "a reserved opcode",
            InvalidFrame::MaskedByServer => "a server's frame is masked",
            InvalidFrame::UnmaskedByClient => "a client's frame is not masked",
            InvalidFrame::FragmentedControl => "a control frame in fragments",
            InvalidFrame::LongControl => "a control frame of more than 125 bytes",
            InvalidFrame::StrayContinuation => "a continuation of no message",
            InvalidFrame::UnfinishedMessage => "a new message before the last one ended",
            InvalidFrame::LengthTooLarge => "a length of 2^63 or more",
            InvalidFrame::CompressedUnasked => "a compression flag where none may be",
        })
    }
}

/// The frame whose payload is coming.
#[derive(Clone, Copy, Debug)]
struct Frame {
    unit: Unit,
    is_final: bool,
    is_compressed: bool,
    left: u64,
    mask: Option<[u8; 4]>,
    /// Which byte of the mask is the next one's, 0 to 3.
    mask_at: usize,
}

/// Where a direction is.
#[derive(Debug)]
pub(super) struct Frames {
    sender: Sender,
    /// Whether messages may be compressed.
    may_compress: bool,
    header: [u8; HEADER_MAX_BYTES],
    header_len: usize,
    frame: Option<Frame>,
    /// Whether the message under way is compressed; None between messages.
    message: Option<bool>,
    /// Whether a length was written longer than it needs.
    has_long_form: bool,
    /// Whether a close was sent, which is the last frame.
    is_closed: bool,
}

impl Frames {
    pub(super) fn new(sender: Sender, may_compress: bool) -> Frames {
        Frames {
            sender,
            may_compress,
            header: [0; HEADER_MAX_BYTES],
            header_len: 0,
            frame: None,
            message: None,
            has_long_form: false,
            is_closed: false,
        }
    }

    /// Takes headers off the front of `bytes`: how much of it they were, and what lies behind them.
    pub(super) fn next(&mut self, bytes: &[u8]) -> Result<(usize, Ahead), InvalidFrame> {
        let mut taken = 0;
        loop {
            let rest = bytes.get(taken..).unwrap_or_default();
            let Some(frame) = self.frame else {
                taken += self.take_header(rest)?;
                if self.frame.is_none() {
                    return Ok((taken, Ahead::Nothing));
                }
                continue;
            };
            let Frame { unit, is_compressed, .. } = frame;
            if frame.left > 0 {
                let len = rest.len().min(usize::try_from(frame.left).unwrap_or(usize::MAX));
                let ahead = match len {
                    0 => Ahead::Nothing,
                    len => Ahead::Payload { len, unit, is_compressed },
                };
                return Ok((taken, ahead));
            }
            self.frame = None;
            if frame.is_final {
                if unit == Unit::Message {
                    self.message = None;
                }
                return Ok((taken, Ahead::End { unit, is_compressed }));
            }
        }
    }

    /// Whether a length was written longer than it needs.
    pub(super) fn has_long_form(&self) -> bool {
        self.has_long_form
    }

    /// Whether all frames so far are whole, and none of them was the last.
    pub(super) fn may_say_goodbye(&self) -> bool {
        self.frame.is_none() && self.header_len == 0 && !self.is_closed
    }

    /// Whether the payload ahead is masked.
    pub(super) fn is_masked(&self) -> bool {
        self.frame.is_some_and(|frame| frame.mask.is_some())
    }

    /// Copies the front of the payload ahead, unmasked; as much as both have room for.
    pub(super) fn unmask(&self, payload: &[u8], out: &mut [u8]) {
        let len = payload.len().min(out.len());
        let (Some(out), Some(payload)) = (out.get_mut(..len), payload.get(..len)) else { return };
        out.copy_from_slice(payload);
        let Some(Frame { mask: Some(mut mask), mask_at, .. }) = self.frame else { return };
        mask.rotate_left(mask_at);
        let (whole, rest) = out.as_chunks_mut::<4>();
        for chunk in whole {
            *chunk = (u32::from_ne_bytes(*chunk) ^ u32::from_ne_bytes(mask)).to_ne_bytes();
        }
        rest.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
    }

    /// Takes the first `len` bytes of the payload ahead.
    pub(super) fn take(&mut self, len: usize) {
        if let Some(frame) = &mut self.frame {
            frame.left = frame.left.saturating_sub(len as u64);
            frame.mask_at = (frame.mask_at + len) % 4;
        }
    }

    /// Collects a header; opens its frame once it is there whole.
    fn take_header(&mut self, bytes: &[u8]) -> Result<usize, InvalidFrame> {
        let mut taken = 0;
        for byte in bytes {
            if let Some(place) = self.header.get_mut(self.header_len) {
                *place = *byte;
            }
            self.header_len += 1;
            taken += 1;
            if self.header_len >= header_len(&self.header) {
                self.header_len = 0;
                self.frame = Some(self.open()?);
                break;
            }
        }
        Ok(taken)
    }

    /// Judges a whole header.
    fn open(&mut self) -> Result<Frame, InvalidFrame> {
        let [first, second, ..] = self.header;
        let (is_final, is_compressed) = (first & 0x80 != 0, first & 0x40 != 0);
        if first & 0x30 != 0 {
            return Err(InvalidFrame::ReservedBits);
        }
        let mask = self.mask(second & 0x80 != 0)?;
        let (left, is_long_form) = payload_len(&self.header)?;
        let unit = match first & 0x0f {
            0x0..=0x2 => Unit::Message,
            0x8..=0xa => Unit::Control,
            _ => return Err(InvalidFrame::ReservedOpcode),
        };
        let is_start = first & 0x0f != 0;
        let may_compress = self.may_compress && unit == Unit::Message && is_start;
        if is_compressed && !may_compress {
            return Err(InvalidFrame::CompressedUnasked);
        }
        let is_compressed = match (unit, self.message) {
            (Unit::Control, _) if !is_final => return Err(InvalidFrame::FragmentedControl),
            (Unit::Control, _) if left > WEBSOCKET_CONTROL_MAX_BYTES => {
                return Err(InvalidFrame::LongControl);
            }
            (Unit::Control, _) => false,
            (Unit::Message, Some(_)) if is_start => return Err(InvalidFrame::UnfinishedMessage),
            (Unit::Message, None) if !is_start => return Err(InvalidFrame::StrayContinuation),
            (Unit::Message, under_way) => {
                let is_compressed = under_way.unwrap_or(is_compressed);
                self.message = Some(is_compressed);
                is_compressed
            }
        };
        self.has_long_form |= is_long_form;
        self.is_closed |= first & 0x0f == CLOSE;
        Ok(Frame { unit, is_final, is_compressed, left, mask, mask_at: 0 })
    }

    fn mask(&self, is_masked: bool) -> Result<Option<[u8; 4]>, InvalidFrame> {
        match (self.sender, is_masked) {
            (Sender::Client, false) => Err(InvalidFrame::UnmaskedByClient),
            (Sender::Server, true) => Err(InvalidFrame::MaskedByServer),
            (Sender::Server, false) => Ok(None),
            (Sender::Client, true) => {
                let start = header_len(&self.header) - 4;
                let mask = self.header.get(start..).and_then(<[u8]>::first_chunk);
                Ok(mask.copied())
            }
        }
    }
}

/// How long a header is, by its first two bytes: 2 while the second is not there yet.
fn header_len(header: &[u8; HEADER_MAX_BYTES]) -> usize {
    let [_, second, ..] = header;
    let length = match second & 0x7f {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    let mask = if second & 0x80 != 0 { 4 } else { 0 };
    2 + length + mask
}

/// How long the payload is, and whether that is written longer than it needs. §5.2 forbids that to who sends, but
/// nobody takes such a frame for another one, and some receivers take it.
fn payload_len(header: &[u8; HEADER_MAX_BYTES]) -> Result<(u64, bool), InvalidFrame> {
    let [_, second, a, b, c, d, e, f, g, h, ..] = *header;
    match second & 0x7f {
        126 => {
            let len = u64::from(u16::from_be_bytes([a, b]));
            Ok((len, len < 126))
        }
        127 => match u64::from_be_bytes([a, b, c, d, e, f, g, h]) {
            len if len >> 63 != 0 => Err(InvalidFrame::LengthTooLarge),
            len => Ok((len, len < 65_536)),
        },
        len => Ok((u64::from(len), false)),
    }
}
