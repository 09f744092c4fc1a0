//! A body on its way: each read is judged by `http`, scanned, and written on, in one step. Keeps no byte.

use std::future::Future;
use std::io;
use std::ops::Range;
use std::pin::pin;

use futures_lite::future::poll_once;
use smallvec::SmallVec;

use super::exchange::bad_response;
use super::inspect::Inspector;
use crate::error::{Error, Side, Stage};
use crate::forward::buffer::{Chunk, Scratch};
use crate::forward::leg::Unread;
use crate::http::body::{Body, Piece};
use crate::http::reply::Cause;
use crate::limits::FIRST_WRITE_BYTES;
use crate::tls::stream::Stream;

/// Where the data of one read lies; several only in the chunked coding.
pub(super) type Ranges = SmallVec<[Range<usize>; 4]>;

/// Judges and scans what was read of a request's body; returns how much belongs to it.
pub(super) async fn step_request(
    unread: &Unread,
    body: &mut Body,
    inspector: &mut Inspector<'_>,
) -> Result<usize, Error> {
    let Some(chunk) = unread.chunk() else { return Ok(0) };
    let mut ranges = Ranges::new();
    let judged = body.step(chunk.bytes(), &mut |piece: Piece| ranges.push(piece.range()));
    inspect(inspector, chunk, &ranges).await;
    judged.map_err(|error| {
        let detail = error.to_string();
        Error::answered(Side::Client, Stage::RequestBody, 400, Cause::HttpRequestError, detail)
    })
}

/// Judges what was read of a response's body: how much belongs to it, and where what is to be scanned lies.
/// `data` collects the payload for a client that knows no chunks.
pub(super) fn judge_response(
    unread: &Unread,
    body: &mut Body,
    mut data: Option<&mut Scratch>,
    ranges: &mut Ranges,
) -> Result<usize, Error> {
    ranges.clear();
    if let Some(data) = &mut data {
        data.bytes.clear();
    }
    let Some(chunk) = unread.chunk() else { return Ok(0) };
    let mut note = |piece: Piece| {
        if let (Some(data), Piece::Data(range)) = (&mut data, &piece) {
            data.bytes.extend_from_slice(chunk.bytes().get(range.clone()).unwrap_or_default());
        }
        ranges.push(piece.range());
    };
    let judged = body.step(chunk.bytes(), &mut note);
    judged.map_err(|error| bad_response(&error.to_string()))
}

/// Scans the ranges of what was read.
pub(super) async fn inspect(inspector: &mut Inspector<'_>, chunk: &Chunk, ranges: &Ranges) {
    for range in ranges {
        inspector.feed(chunk, range.clone()).await;
    }
}

/// Writes `bytes` behind what waits in `first`, in one write while they are few, and in one record of TLS.
pub(super) async fn write_coalesced(
    to: &Stream,
    first: &mut Vec<u8>,
    bytes: &[u8],
) -> io::Result<()> {
    if first.is_empty() {
        return to.write_all(bytes).await;
    }
    let room = FIRST_WRITE_BYTES.saturating_sub(first.len());
    let (with_head, rest) = bytes.split_at(bytes.len().min(room));
    first.extend_from_slice(with_head);
    let result = to.write_both(first, rest).await;
    first.clear();
    result
}

/// What the other side takes at once leaves before it is scanned; a scan never waits for the other side, so that
/// nothing goes by unseen where a connection is cut.
pub(super) async fn write_before_scan(
    write: impl Future<Output = io::Result<()>>,
    scan: impl Future<Output = ()>,
) -> io::Result<()> {
    let mut write = pin!(write);
    let written = poll_once(write.as_mut()).await;
    scan.await;
    match written {
        Some(written) => written,
        None => write.await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_lite::future::{block_on, pending};
    use std::cell::Cell;

    #[test]
    fn what_is_taken_at_once_leaves_before_the_scan() {
        let steps = Cell::new(0);
        let step = |n: i32| steps.set(steps.get() * 10 + n);
        let write = async {
            step(1);
            Ok(())
        };
        assert!(block_on(write_before_scan(write, async { step(2) })).is_ok());
        assert_eq!(steps.get(), 12);
    }

    #[test]
    fn a_scan_does_not_wait_for_a_peer_that_takes_nothing() {
        let scanned = Cell::new(false);
        let both = write_before_scan(pending(), async { scanned.set(true) });
        assert!(block_on(poll_once(both)).is_none());
        assert!(scanned.get());
    }

    #[test]
    fn what_was_not_delivered_is_scanned_all_the_same() {
        let scanned = Cell::new(false);
        let write = async { Err(io::ErrorKind::BrokenPipe.into()) };
        let both = write_before_scan(write, async { scanned.set(true) });
        assert!(block_on(both).is_err() && scanned.get());
    }
}
