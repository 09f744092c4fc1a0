//! The compressed messages of one direction (RFC 7692 §7.2), inflated piece by piece into a buffer of the
//! caller's, up to a cap; a bounded part beyond it, too, where later messages may refer to it, but nobody is to read
//! that. Holds an inflater only while a message, or what the next one may refer to, needs it.

use std::fmt;

use flate2::{Decompress, FlushDecompress, Status};

use super::handshake::Side;
use crate::limits::{
    WEBSOCKET_DEFLATE_STREAMS_MAX, WEBSOCKET_DISCARDED_MAX_BYTES, WEBSOCKET_INFLATED_FREE_BYTES,
    WEBSOCKET_INFLATED_RATIO_MAX,
};

/// What a sender leaves out of each message's end (§7.2.1).
const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// The smallest window that zlib inflates with. A larger one than the sender's reads the same.
const ENGINE_WINDOW_BITS_MIN: u8 = 9;

/// Why a compressed message cannot be read on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undecodable {
    /// It is no deflate stream, or refers to what was never sent.
    Malformed,
    /// It inflates beyond its cap.
    TooLarge,
    /// It may refer to a message that could not be read.
    ContextLost,
}

impl fmt::Display for Undecodable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Undecodable::Malformed => "a compressed message is malformed",
            Undecodable::TooLarge => "a compressed message inflates beyond its cap",
            Undecodable::ContextLost => "a compressed message refers to one that went unread",
        })
    }
}

/// What one call did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Progress {
    /// Bytes taken of the input.
    pub(super) taken: usize,
    /// Bytes written to the front of the output. If they fill it, there may be more: call again.
    pub(super) written: usize,
}

/// The inflater of one direction.
#[derive(Debug)]
pub(super) struct Inflater {
    side: Side,
    engine: Option<Decompress>,
    /// Whether the rest of the message is given up, or of all messages where they refer to each other.
    is_lost: bool,
    /// How much of this message was inflated beyond its cap; none as long as it is read.
    discarded: Option<u64>,
    /// Of this message: bytes that came, bytes that they became, deflate streams that ended.
    came: u64,
    became: u64,
    streams: u32,
    /// Whether nothing came since the last of those ended.
    is_between_streams: bool,
    /// How much of the tail was given to the engine.
    tail_taken: usize,
}

impl Inflater {
    pub(super) fn new(side: Side) -> Inflater {
        Inflater {
            side,
            engine: None,
            is_lost: false,
            discarded: None,
            came: 0,
            became: 0,
            streams: 0,
            is_between_streams: false,
            tail_taken: 0,
        }
    }

    /// Whether this message can no longer be read.
    pub(super) fn is_lost(&self) -> bool {
        self.is_lost
    }

    /// Whether what this message inflates to is not to be read any more.
    pub(super) fn is_discarding(&self) -> bool {
        self.discarded.is_some()
    }

    /// Inflates what came. An error takes none of it; where the rest is not [lost](Inflater::is_lost), it is to be
    /// inflated all the same.
    pub(super) fn inflate(
        &mut self,
        bytes: &[u8],
        out: &mut [u8],
    ) -> Result<Progress, Undecodable> {
        let progress = self.run(bytes, out)?;
        self.came += progress.taken as u64;
        Ok(progress)
    }

    /// Inflates what the end of a message brings to light; nothing more once it does not fill `out`.
    pub(super) fn finish(&mut self, out: &mut [u8]) -> Result<usize, Undecodable> {
        // An empty payload has no tail left out: it is none of a deflate stream's.
        if self.is_lost || self.came == 0 || self.is_between_streams {
            self.next_message();
            return Ok(0);
        }
        let mut written = 0;
        loop {
            let tail = TAIL.get(self.tail_taken..).unwrap_or_default();
            let room = out.get_mut(written..).unwrap_or_default();
            let is_room = !room.is_empty();
            let progress = self.run(tail, room)?;
            self.tail_taken += progress.taken;
            written += progress.written;
            if !is_room || progress.taken == 0 {
                break;
            }
        }
        if written < out.len() {
            self.next_message();
        }
        Ok(written)
    }

    /// Forgets what the next message may not refer to.
    fn next_message(&mut self) {
        if !self.side.takes_over {
            self.engine = None;
            self.is_lost = false;
        }
        self.discarded = None;
        self.came = 0;
        self.became = 0;
        self.streams = 0;
        self.is_between_streams = false;
        self.tail_taken = 0;
    }

    fn run(&mut self, bytes: &[u8], out: &mut [u8]) -> Result<Progress, Undecodable> {
        match self.discarded {
            None if self.became > cap(self.came) => {
                if !self.side.takes_over {
                    return Err(self.give_up(Undecodable::TooLarge));
                }
                self.discarded = Some(0);
                return Err(Undecodable::TooLarge);
            }
            Some(discarded) if discarded > WEBSOCKET_DISCARDED_MAX_BYTES => {
                return Err(self.give_up(Undecodable::TooLarge));
            }
            _ => {}
        }
        let window_bits = self.side.window_bits.max(ENGINE_WINDOW_BITS_MIN);
        let engine =
            self.engine.get_or_insert_with(|| Decompress::new_with_window_bits(false, window_bits));
        let (taken_before, written_before) = (engine.total_in(), engine.total_out());
        let Ok(status) = engine.decompress(bytes, out, FlushDecompress::Sync) else {
            return Err(self.give_up(Undecodable::Malformed));
        };
        let taken = engine.total_in().saturating_sub(taken_before);
        let written = engine.total_out().saturating_sub(written_before);
        self.is_between_streams &= taken == 0;
        if status == Status::StreamEnd {
            // §7.2.3.4: a sender may end its stream; what follows is the next one.
            engine.reset(false);
            self.streams += 1;
            self.is_between_streams = true;
        }
        self.became += written;
        if let Some(discarded) = &mut self.discarded {
            *discarded += written;
        }
        let is_stuck = taken == 0 && written == 0 && !bytes.is_empty() && !out.is_empty();
        if is_stuck || self.streams > WEBSOCKET_DEFLATE_STREAMS_MAX {
            return Err(self.give_up(Undecodable::Malformed));
        }
        Ok(Progress {
            taken: usize::try_from(taken).unwrap_or(bytes.len()).min(bytes.len()),
            written: usize::try_from(written).unwrap_or(out.len()).min(out.len()),
        })
    }

    fn give_up(&mut self, reason: Undecodable) -> Undecodable {
        self.is_lost = true;
        self.engine = None;
        reason
    }
}

/// How far a message may be inflated of which so many bytes came. What one call writes may go beyond.
fn cap(came: u64) -> u64 {
    WEBSOCKET_INFLATED_FREE_BYTES.saturating_add(came.saturating_mul(WEBSOCKET_INFLATED_RATIO_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7692 §7.2.3.1.
    const HELLO: [u8; 7] = [0xf2, 0x48, 0xcd, 0xc9, 0xc9, 0x07, 0x00];

    #[test]
    fn a_message_is_inflated_at_its_cap_and_not_past_it() {
        let hello = HELLO;
        let side = Side { takes_over: false, ..Side::default() };
        for (past, expected) in [(0, Ok(5)), (1, Err(Undecodable::TooLarge))] {
            let mut inflater = Inflater::new(side);
            inflater.came = 1000;
            inflater.became = cap(inflater.came) + past;
            let mut out = [0; 16];
            let inflated = inflater.inflate(&hello, &mut out).map(|progress| progress.written);
            assert_eq!(inflated, expected);
            assert_eq!(inflater.is_lost(), expected.is_err());
        }
        assert_eq!(cap(0), WEBSOCKET_INFLATED_FREE_BYTES);
        assert_eq!(cap(10), WEBSOCKET_INFLATED_FREE_BYTES + 10 * WEBSOCKET_INFLATED_RATIO_MAX);
        assert_eq!(cap(u64::MAX), u64::MAX);
    }

    #[test]
    fn what_others_may_refer_to_is_inflated_beyond_its_cap_and_not_past_a_bound() {
        let side = Side { takes_over: true, ..Side::default() };
        for (discarded, is_lost) in
            [(WEBSOCKET_DISCARDED_MAX_BYTES - 5, false), (WEBSOCKET_DISCARDED_MAX_BYTES + 1, true)]
        {
            let mut inflater = Inflater::new(side);
            inflater.became = cap(0) + 1;
            let mut out = [0; 16];
            assert_eq!(inflater.inflate(&HELLO, &mut out), Err(Undecodable::TooLarge));
            assert!(inflater.is_discarding() && !inflater.is_lost());
            inflater.discarded = Some(discarded);
            assert_eq!(inflater.inflate(&HELLO, &mut out).is_err(), is_lost);
            assert_eq!(inflater.is_lost(), is_lost);
            while inflater.finish(&mut out).is_ok_and(|written| written > 0) {}
            assert!(!inflater.is_discarding());
            assert_eq!(inflater.is_lost(), is_lost, "and so are those that follow");
        }
    }
}
