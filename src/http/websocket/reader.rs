//! The messages of one direction: joins `frames` and `inflate` into what can be scanned. Pulled step by step,
//! so that whoever reads decides how much work is done at a time. Holds no payload.

use std::ops::Range;

use super::frames::{Ahead, Frames, InvalidFrame, Sender, Unit};
use super::handshake::{Compression, Side};
use super::inflate::{Inflater, Undecodable};
use crate::limits::WEBSOCKET_UNMASK_BYTES;

/// What a step brought to light.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Nothing more: all bytes were taken.
    Idle,
    /// Payload that stands in the step's bytes as it is.
    InPlace(Unit, Range<usize>),
    /// Payload that was unmasked: so many bytes at the front of the work buffer.
    Unmasked(Unit, usize),
    /// The same of a message that was inflated.
    Inflated(usize),
    /// So many bytes of payload that cannot be inflated, or not be read beyond a cap; the reason once a message. There
    /// may be none of them, and work all the same.
    Unreadable(usize, Option<Undecodable>),
    /// The unit is complete.
    End(Unit),
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Bytes taken off the front.
    pub taken: usize,
    pub event: Event,
}

/// Where a direction is.
#[derive(Debug)]
pub struct Reader {
    frames: Frames,
    inflater: Inflater,
    next: Next,
    /// Whether it was told of the message under way why it cannot be inflated.
    is_told: bool,
}

/// What the next step is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Frames,
    /// The inflater filled the work buffer: it may hold more than it could write.
    Inflated,
    /// A compressed message ended, what is left of it in the inflater not.
    Finish,
}

impl Reader {
    /// At the first byte behind the handshake.
    pub fn new(sender: Sender, compression: Option<&Compression>) -> Reader {
        let side = compression.map_or(Side::default(), |compression| match sender {
            Sender::Client => compression.client,
            Sender::Server => compression.server,
        });
        Reader {
            frames: Frames::new(sender, compression.is_some()),
            inflater: Inflater::new(side),
            next: Next::Frames,
            is_told: false,
        }
    }

    /// Reads on in `bytes`; until the event is [`Event::Idle`], to be called again with what was not taken.
    /// `work` takes what cannot be scanned in place; it is of any size but zero.
    pub fn step(&mut self, bytes: &[u8], work: &mut [u8]) -> Result<Step, InvalidFrame> {
        let mut taken = 0;
        loop {
            let rest = bytes.get(taken..).unwrap_or_default();
            let (step_taken, event) = match self.next {
                Next::Frames => self.read_frames(rest, work)?,
                Next::Inflated => self.inflate(&[], work),
                Next::Finish => self.finish(work),
            };
            let start = taken;
            taken += step_taken;
            let event = match event {
                Some(Event::InPlace(unit, range)) => {
                    Event::InPlace(unit, start + range.start..start + range.end)
                }
                Some(event) => event,
                None => continue,
            };
            return Ok(Step { taken, event });
        }
    }

    /// Whether a length was written longer than it needs.
    pub fn has_long_form(&self) -> bool {
        self.frames.has_long_form()
    }

    /// Whether a close may follow what came so far.
    pub fn may_say_goodbye(&self) -> bool {
        self.frames.may_say_goodbye()
    }

    fn read_frames(
        &mut self,
        bytes: &[u8],
        work: &mut [u8],
    ) -> Result<(usize, Option<Event>), InvalidFrame> {
        let (header, ahead) = self.frames.next(bytes)?;
        let payload = bytes.get(header..).unwrap_or_default();
        let (len, event) = match ahead {
            Ahead::Nothing => (0, Some(Event::Idle)),
            Ahead::End { unit: Unit::Message, is_compressed: true } => {
                self.next = Next::Finish;
                (0, None)
            }
            Ahead::End { unit, .. } => (0, Some(Event::End(unit))),
            Ahead::Payload { len, is_compressed: true, .. } => {
                self.read_compressed(payload.get(..len).unwrap_or_default(), work)
            }
            Ahead::Payload { len, unit, .. } if self.frames.is_masked() => {
                let len = len.min(work.len());
                self.frames.unmask(payload.get(..len).unwrap_or_default(), work);
                self.frames.take(len);
                (len, Some(Event::Unmasked(unit, len)))
            }
            Ahead::Payload { len, unit, .. } => {
                self.frames.take(len);
                (len, Some(Event::InPlace(unit, header..header + len)))
            }
        };
        Ok((header + len, event))
    }

    fn read_compressed(&mut self, payload: &[u8], work: &mut [u8]) -> (usize, Option<Event>) {
        if self.inflater.is_lost() {
            self.frames.take(payload.len());
            return (payload.len(), self.unreadable(payload.len(), Undecodable::ContextLost));
        }
        let mut unmasked = [0; WEBSOCKET_UNMASK_BYTES];
        let clear = if self.frames.is_masked() {
            let len = payload.len().min(unmasked.len());
            self.frames.unmask(payload.get(..len).unwrap_or_default(), &mut unmasked);
            unmasked.get(..len).unwrap_or_default()
        } else {
            payload
        };
        let (taken, event) = self.inflate(clear, work);
        self.frames.take(taken);
        (taken, event)
    }

    fn inflate(&mut self, bytes: &[u8], work: &mut [u8]) -> (usize, Option<Event>) {
        self.next = Next::Frames;
        match self.inflater.inflate(bytes, work) {
            Ok(progress) => {
                if progress.written == work.len() {
                    self.next = Next::Inflated;
                }
                let event = match self.inflater.is_discarding() {
                    true => discarded(progress.taken, progress.written),
                    false => inflated(progress.written),
                };
                (progress.taken, event)
            }
            Err(reason) if self.inflater.is_lost() => {
                (bytes.len(), self.unreadable(bytes.len(), reason))
            }
            Err(reason) => {
                self.next = Next::Inflated;
                (0, self.unreadable(0, reason))
            }
        }
    }

    fn finish(&mut self, work: &mut [u8]) -> (usize, Option<Event>) {
        let is_discarding = self.inflater.is_discarding();
        match self.inflater.finish(work) {
            Ok(written @ 1..) if is_discarding => (0, discarded(0, written)),
            Ok(written) if written == work.len() => (0, inflated(written)),
            Ok(0) => {
                self.next = Next::Frames;
                self.is_told = false;
                (0, Some(Event::End(Unit::Message)))
            }
            Ok(written) => (0, inflated(written)),
            Err(reason) => (0, self.unreadable(0, reason)),
        }
    }

    fn unreadable(&mut self, len: usize, reason: Undecodable) -> Option<Event> {
        let is_new = !std::mem::replace(&mut self.is_told, true);
        Some(Event::Unreadable(len, is_new.then_some(reason)))
    }
}

/// Each by itself, so that others get their turn between them.
fn discarded(taken: usize, written: usize) -> Option<Event> {
    (taken > 0 || written > 0).then_some(Event::Unreadable(taken, None))
}

fn inflated(written: usize) -> Option<Event> {
    (written > 0).then_some(Event::Inflated(written))
}
