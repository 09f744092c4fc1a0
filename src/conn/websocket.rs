//! A WebSocket beside its tunnel: reads the frames that pass, scans each message as one unit, and says once
//! when it cannot read on. Never holds a byte back: the tunnel relays whatever is found out here.

use std::cell::Cell;
use std::rc::Rc;

use super::core::Core;
use super::inspect::{Sight, Whence};
use super::inspector::{Inspector, MessageInspector};
use crate::finding::Direction;
use crate::forward::buffer::Chunk;
use crate::http::websocket::{
    Agreement, Compression, Event, Extensions, InvalidFrame, Reader, Sender, Undecodable, Unit,
};
use crate::limits::{SCAN_PADDING_BYTES, WEBSOCKET_WORK_BYTES};
use crate::turns::Turn;

/// One WebSocket, both directions.
pub struct WebSocket<'a> {
    core: &'a Rc<Core>,
    sight: &'a Sight,
    readable: Readable,
    is_base64_channels: bool,
    /// Whether it was said that something goes unread.
    is_reported: Cell<bool>,
    /// Whether it was said that lengths are written longer than they need.
    is_long_form: Cell<bool>,
}

/// What was agreed on, as far as it can be read.
#[derive(Clone, Copy)]
enum Readable {
    Plain,
    Compressed(Compression),
    Not,
}

impl<'a> WebSocket<'a> {
    /// As it was agreed on.
    pub fn new(core: &'a Rc<Core>, sight: &'a Sight, agreement: &Agreement) -> WebSocket<'a> {
        core.counters.websockets.add(1);
        if !agreement.is_proven {
            log::warn!("{}: Sec-WebSocket-Accept does not fit the client's key", sight.dest);
        }
        let readable = match agreement.extensions {
            Extensions::None => Readable::Plain,
            Extensions::Deflate(compression) => Readable::Compressed(compression),
            Extensions::Unreadable(reason) => {
                log::warn!("{}: a WebSocket goes on unread: {reason}", sight.dest);
                core.counters.websockets_unread.add(2);
                Readable::Not
            }
        };
        let is_base64_channels = agreement.is_base64_channels;
        let (is_reported, is_long_form) = (Cell::new(false), Cell::new(false));
        WebSocket { core, sight, readable, is_base64_channels, is_reported, is_long_form }
    }

    /// The reading of one direction.
    pub fn direction(&self, direction: Direction) -> Reading<'_> {
        let sender = match direction {
            Direction::Outbound => Sender::Client,
            Direction::Inbound => Sender::Server,
        };
        let how = match &self.readable {
            Readable::Plain => How::Frames(Box::new(Reader::new(sender, None))),
            Readable::Compressed(compression) => {
                How::Frames(Box::new(Reader::new(sender, Some(compression))))
            }
            Readable::Not => How::Unread,
        };
        let messages = match self.is_base64_channels {
            true => MessageInspector::of_base64_channels(self.core, self.sight, direction),
            false => MessageInspector::new(self.core, self.sight, direction),
        };
        let controls = MessageInspector::of_controls(self.core, self.sight, direction);
        Reading { socket: self, direction, how, messages, controls }
    }

    /// Logs once a connection that somebody sends what not everybody would take.
    fn tell_long_form(&self, sender: &str) {
        if !self.is_long_form.replace(true) {
            let dest = &self.sight.dest;
            log::warn!("{dest}: the {sender} writes WebSocket lengths longer than they need");
        }
    }
}

/// How the bytes of one direction are read.
enum How {
    Frames(Box<Reader>),
    /// Behind an invalid frame, whose end nobody knows: whoever takes it may take what is in the clear.
    AsItStands(Box<Inspector>),
    Unread,
}

/// One direction of a WebSocket. Its end, which is when it is dropped, is that of its messages.
pub struct Reading<'a> {
    socket: &'a WebSocket<'a>,
    direction: Direction,
    how: How,
    messages: MessageInspector<'a>,
    controls: MessageInspector<'a>,
}

impl<'a> Reading<'a> {
    /// Reads the bytes of `chunk`. Others get their turn where few bytes inflate to many.
    pub async fn feed(&mut self, chunk: &Chunk) {
        let bytes = chunk.bytes();
        if !matches!(self.how, How::Frames(_)) {
            return Box::pin(self.feed_rest(chunk, 0)).await;
        }
        let mut work = self.socket.core.scratch.lend();
        // What is only unmasked does not grow.
        let room_len = match self.socket.readable {
            Readable::Compressed(_) => WEBSOCKET_WORK_BYTES,
            Readable::Plain | Readable::Not => bytes.len().clamp(1, WEBSOCKET_WORK_BYTES),
        };
        work.bytes.resize(room_len + SCAN_PADDING_BYTES, 0);
        let mut at = 0;
        let mut turn = Turn::begin();
        while let How::Frames(reader) = &mut self.how {
            let rest = bytes.get(at..).unwrap_or_default();
            let room = work.bytes.get_mut(..room_len).unwrap_or_default();
            let step = match reader.step(rest, room) {
                Ok(step) => step,
                Err(invalid) => {
                    self.give_up(invalid);
                    break;
                }
            };
            match step.event {
                Event::Idle => {
                    if reader.has_long_form() {
                        self.socket.tell_long_form(self.sender());
                    }
                    return;
                }
                Event::InPlace(unit, range) => {
                    let (backing, range) = chunk.backing(at + range.start..at + range.end);
                    self.inspector(unit).feed(backing, range, &mut turn).await;
                }
                Event::Unmasked(unit, len) => {
                    self.inspector(unit).feed(&work.bytes, 0..len, &mut turn).await;
                }
                Event::Inflated(len) => {
                    self.messages.feed_inflated(&work.bytes, 0..len, &mut turn).await;
                }
                Event::Unreadable(len, reason) => {
                    self.unreadable(len, reason);
                    turn.give_way().await;
                }
                Event::End(unit) => {
                    turn.give_way().await;
                    self.inspector(unit).end_message();
                }
            }
            at += step.taken;
        }
        // Boxed, so that a WebSocket that waits is small.
        Box::pin(self.feed_rest(chunk, at)).await;
    }

    /// Whether a close may follow what came so far.
    pub fn may_say_goodbye(&self) -> bool {
        matches!(&self.how, How::Frames(reader) if reader.may_say_goodbye())
    }

    /// Reads what is no frame: the bytes of `chunk` from the one at `at` on.
    async fn feed_rest(&mut self, chunk: &Chunk, at: usize) {
        let len = chunk.bytes().len();
        match &mut self.how {
            How::AsItStands(inspector) => {
                inspector.feed(chunk, at..len, &mut Turn::begin()).await;
            }
            How::Frames(_) | How::Unread => {
                let unread = len.saturating_sub(at);
                self.socket.core.counters.bytes_unscanned.add(unread as u64);
            }
        }
    }

    /// Reads what follows as it stands.
    fn give_up(&mut self, invalid: InvalidFrame) {
        let WebSocket { core, sight, .. } = *self.socket;
        core.counters.websockets_unread.add(1);
        self.report("are read as they stand only", &invalid);
        let inspector = Inspector::of_websocket(Whence::new(core, sight, self.direction));
        self.how = How::AsItStands(Box::new(inspector));
    }

    fn inspector(&mut self, unit: Unit) -> &mut MessageInspector<'a> {
        match unit {
            Unit::Message => &mut self.messages,
            Unit::Control => &mut self.controls,
        }
    }

    fn unreadable(&self, len: usize, reason: Option<Undecodable>) {
        let counters = &self.socket.core.counters;
        counters.bytes_unscanned.add(len as u64);
        if let Some(reason) = reason {
            counters.websocket_messages_unread.add(1);
            self.report("go on unread", &reason);
        }
    }

    /// Logs the first thing of a connection that cannot be read; the counters tell of the others.
    fn report(&self, what: &str, reason: &dyn std::fmt::Display) {
        if self.socket.is_reported.replace(true) {
            return;
        }
        let (dest, sender) = (&self.socket.sight.dest, self.sender());
        log::warn!("{dest}: WebSocket bytes of the {sender} {what}: {reason}");
    }

    fn sender(&self) -> &'static str {
        match self.direction {
            Direction::Outbound => "client",
            Direction::Inbound => "server",
        }
    }
}
