//! How much a peer may send of each stream before any of it was passed on: more once it has much to send, as otherwise
//! it waits a round trip for each window; less, the more streams there are, so that none has room that is another's.
//! Decides; no IO.

use std::cell::Cell;
use std::rc::Rc;

use crate::limits::{
    HTTP2_BULK_FRAME_MIN_BYTES, HTTP2_CONNECTION_WINDOW_BYTES, HTTP2_STREAM_WINDOW_MAX_BYTES,
    HTTP2_STREAM_WINDOW_MIN_BYTES,
};

/// What is granted on one connection.
#[derive(Debug)]
pub(super) struct Windows {
    streams: Cell<u32>,
    /// To each of them.
    granted: Cell<u32>,
    /// What was passed on since that is so.
    passed: Cell<u64>,
}

/// A stream of a connection, for as long as it lasts.
#[derive(Debug)]
pub(super) struct Windowed(Rc<Windows>);

impl Windows {
    /// Those that a connection begins with.
    pub(super) fn begin() -> Rc<Windows> {
        let granted = Cell::new(HTTP2_STREAM_WINDOW_MIN_BYTES);
        Rc::new(Windows { streams: Cell::default(), granted, passed: Cell::default() })
    }

    /// One stream more.
    pub(super) fn stream(self: &Rc<Windows>) -> Windowed {
        self.streams.set(self.streams.get() + 1);
        Windowed(Rc::clone(self))
    }

    /// Has the peer told of another window, if there is to be one. `tell`: whether it could be told.
    pub(super) fn adjust(&self, tell: impl FnOnce(u32) -> bool) {
        if let Some(next) = self.next().filter(|next| tell(*next)) {
            self.granted.set(next);
            self.passed.set(0);
        }
    }

    fn next(&self) -> Option<u32> {
        let (share, granted) = (share(self.streams.get()), self.granted.get());
        if share < granted {
            return Some(share);
        }
        let is_much = self.passed.get() >= 2 * u64::from(granted);
        (is_much && granted < share).then(|| share.min(2 * granted))
    }
}

impl Windowed {
    /// One frame's data was passed on.
    pub(super) fn passes(&self, len: usize) {
        // Of small frames, a wider window would hold very many.
        if len >= HTTP2_BULK_FRAME_MIN_BYTES {
            self.0.passed.set(self.0.passed.get().saturating_add(len as u64));
        }
    }
}

impl Drop for Windowed {
    fn drop(&mut self) {
        self.0.streams.set(self.0.streams.get().saturating_sub(1));
    }
}

/// What each of so many streams may have at most; seldom another for one stream more.
fn share(streams: u32) -> u32 {
    let share = HTTP2_CONNECTION_WINDOW_BYTES / streams.max(1);
    let power = share.checked_ilog2().map_or(0, |exponent| 1 << exponent);
    power.clamp(HTTP2_STREAM_WINDOW_MIN_BYTES, HTTP2_STREAM_WINDOW_MAX_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::HTTP2_STREAMS_MAX;

    fn told(windows: &Windows) -> Option<u32> {
        let mut told = None;
        windows.adjust(|bytes| {
            told = Some(bytes);
            true
        });
        told
    }

    #[test]
    fn a_stream_that_brings_much_gets_more_and_more_room() {
        let windows = Windows::begin();
        let stream = windows.stream();
        let mut granted = HTTP2_STREAM_WINDOW_MIN_BYTES;
        assert_eq!(told(&windows), None);
        while granted < HTTP2_STREAM_WINDOW_MAX_BYTES {
            stream.passes(granted as usize);
            assert_eq!(told(&windows), None);
            stream.passes(granted as usize);
            windows.adjust(|_| false);
            granted *= 2;
            assert_eq!(told(&windows), Some(granted));
            assert_eq!(told(&windows), None);
        }
        stream.passes(1 << 30);
        assert_eq!(told(&windows), None);
    }

    #[test]
    fn no_more_is_granted_than_the_connection_has() {
        for streams in 1..=HTTP2_STREAMS_MAX {
            assert!(streams * share(streams) <= HTTP2_CONNECTION_WINDOW_BYTES, "{streams}");
        }
        let windows = Windows::begin();
        let mut streams = vec![windows.stream()];
        for _ in 0..20 {
            streams[0].passes(1 << 30);
            told(&windows);
        }
        assert_eq!(windows.granted.get(), HTTP2_STREAM_WINDOW_MAX_BYTES);
        streams.extend((1..HTTP2_STREAMS_MAX).map(|_| windows.stream()));
        assert_eq!(told(&windows), Some(HTTP2_STREAM_WINDOW_MIN_BYTES));
        streams[0].passes(1 << 30);
        assert_eq!(told(&windows), None);
        streams.truncate(1);
        assert_eq!(told(&windows), Some(2 * HTTP2_STREAM_WINDOW_MIN_BYTES));
    }

    #[test]
    fn small_frames_get_no_more_room() {
        let windows = Windows::begin();
        let stream = windows.stream();
        for _ in 0..1000 {
            stream.passes(HTTP2_BULK_FRAME_MIN_BYTES - 1);
        }
        assert_eq!(told(&windows), None);
    }
}
