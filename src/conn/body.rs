//! A body on its way: each read is judged by `http`, scanned, and written on, in one step. Keeps no byte.

use std::io;
use std::ops::Range;

use smallvec::SmallVec;

use super::asides::Asides;
use super::exchange::bad_response;
use super::inspector::Inspector;
use crate::error::{Error, Side, Stage};
use crate::forward::buffer::{Chunk, Scratch};
use crate::forward::leg::Unread;
use crate::http::body::{Body, Piece};
use crate::http::reply::Cause;
use crate::limits::FIRST_WRITE_BYTES;
use crate::tls::stream::Stream;
use crate::turns::Turn;

/// Where the data of one read lies; several only in the chunked coding.
pub(super) type Ranges = SmallVec<[Range<usize>; 4]>;

/// Judges and scans what was read of a request's body; returns how much belongs to it.
pub(super) async fn step_request(
    unread: &Unread,
    body: &mut Body,
    inspector: &mut Inspector,
    asides: &mut Asides<'_>,
) -> Result<usize, Error> {
    let Some(chunk) = unread.chunk() else { return Ok(0) };
    let mut ranges = Ranges::new();
    let judged = body.step(chunk.bytes(), &mut |piece: Piece| match piece {
        Piece::Data(range) => ranges.push(range),
        aside => asides.add(&aside, chunk.bytes()),
    });
    inspect(inspector, chunk, &ranges, body.is_done()).await;
    asides.tell();
    judged.map_err(|error| {
        let detail = error.to_string();
        Error::answered(Side::Client, Stage::RequestBody, 400, Cause::HttpRequestError, detail)
    })
}

/// Judges what was read of a response's body: how much belongs to it, and where what is to be scanned lies.
/// `data` collects the payload for a client that knows no chunks. What stands beside the data is scanned here.
pub(super) fn judge_response(
    unread: &Unread,
    body: &mut Body,
    mut data: Option<&mut Scratch>,
    ranges: &mut Ranges,
    asides: &mut Asides<'_>,
) -> Result<usize, Error> {
    ranges.clear();
    if let Some(data) = &mut data {
        data.bytes.clear();
    }
    let Some(chunk) = unread.chunk() else { return Ok(0) };
    let mut note = |piece: Piece| match piece {
        Piece::Data(range) => {
            if let Some(data) = &mut data {
                data.bytes.extend_from_slice(chunk.bytes().get(range.clone()).unwrap_or_default());
            }
            ranges.push(range);
        }
        aside => asides.add(&aside, chunk.bytes()),
    };
    let judged = body.step(chunk.bytes(), &mut note);
    asides.tell();
    judged.map_err(|error| bad_response(&error.to_string()))
}

/// Scans the ranges of what was read; of the last read what stands at its end is judged so.
pub(super) async fn inspect(
    inspector: &mut Inspector,
    chunk: &Chunk,
    ranges: &Ranges,
    is_last: bool,
) {
    let mut turn = Turn::begin();
    let mut unscanned = inspector.unscanned(ranges.iter().map(ExactSizeIterator::len).sum());
    for (number, range) in ranges.iter().enumerate() {
        if is_last && number + 1 == ranges.len() {
            inspector.ends_next();
        }
        // From here on the inspector counts them.
        unscanned.given(range.len());
        inspector.feed(chunk, range.clone(), &mut turn).await;
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

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::io::Write as _;
    use std::rc::Rc;
    use std::time::Duration;

    use super::super::core::tests::core;
    use super::super::inspect::{Sight, Whence};
    use super::*;
    use crate::finding::{Direction, Protocol};
    use crate::scan::Shape;

    /// So many MiB of one text.
    fn packed(text: &str, mib: usize) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(text.repeat(mib * 1024 * 1024 / text.len()).as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn others_get_their_turn_while_the_small_chunks_of_one_read_inflate() {
        let turns = turns_beside(&[b"gzip"], packed("a", 16), 64);
        assert!(turns > 1, "{turns}");
    }

    #[test]
    fn others_get_their_turn_while_one_chunk_inflates_to_much() {
        let packed = packed("rm -rf / ; cat /etc/passwd ", 2);
        const CODINGS: [&[&[u8]]; 2] = [&[b"gzip"], &[]];
        for codings in CODINGS {
            // Each piece of 16 KiB takes longer than a turn.
            let turns = turns_beside(codings, packed.clone(), packed.len());
            assert!(turns > 32, "{turns} {codings:?}");
        }
    }

    #[test]
    fn what_was_to_be_scanned_when_a_connection_ended_is_counted() {
        let test = || async {
            let log_dir = tempfile::tempdir().unwrap();
            let (core, _findings) = core(log_dir.path());
            let (dest, source) = ("example.com:80".into(), "192.0.2.7".parse().unwrap());
            let sight = Sight { protocol: Protocol::Http, source, dest, path: None, agent: None };
            let shape = Shape::new(std::iter::once(&b"gzip"[..]), None);
            let whence = Whence::new(&core, &sight, Direction::Inbound);
            let mut inspector = Inspector::of_body(whence, &shape);
            let mut chunk = core.buffers.lend();
            let len = chunk.append(&packed("rm -rf / ; cat /etc/passwd ", 2));
            let ranges: Ranges = (0..len).step_by(64).map(|at| at..len.min(at + 64)).collect();
            let ends = async { glommio::timer::sleep(Duration::from_millis(1)).await };
            futures_lite::future::or(inspect(&mut inspector, &chunk, &ranges, false), ends).await;
            drop(inspector);
            (core.counters.bytes_unscanned.get(), len as u64)
        };
        let builder = glommio::LocalExecutorBuilder::default()
            .preempt_timer(Duration::from_secs(crate::limits::PREEMPT_SECS));
        let (unscanned, len) = builder.spawn(test).unwrap().join().unwrap();
        assert!(unscanned > 0 && unscanned < len, "{unscanned} of {len}");
    }

    /// How often a task had its turn while such a body was read in such chunks.
    fn turns_beside(codings: &'static [&'static [u8]], body: Vec<u8>, chunk_bytes: usize) -> usize {
        let test = move || async move {
            let log_dir = tempfile::tempdir().unwrap();
            let (core, _findings) = core(log_dir.path());
            let (dest, source) = ("example.com:80".into(), "192.0.2.7".parse().unwrap());
            let sight = Sight { protocol: Protocol::Http, source, dest, path: None, agent: None };
            let shape = Shape::new(codings.iter().copied(), None);
            let whence = Whence::new(&core, &sight, Direction::Inbound);
            let mut inspector = Inspector::of_body(whence, &shape);
            let mut chunk = core.buffers.lend();
            let len = chunk.append(&body);
            let starts = (0..len).step_by(chunk_bytes);
            let ranges = starts.map(|start| start..len.min(start + chunk_bytes)).collect();
            let others = Rc::new(Cell::new(0));
            let counted = Rc::clone(&others);
            let other = glommio::spawn_local(async move {
                loop {
                    counted.set(counted.get() + 1);
                    glommio::timer::sleep(Duration::from_micros(100)).await;
                }
            });
            inspect(&mut inspector, &chunk, &ranges, false).await;
            let turns = others.get();
            other.cancel().await;
            turns
        };
        let builder = glommio::LocalExecutorBuilder::default()
            .preempt_timer(Duration::from_secs(crate::limits::PREEMPT_SECS));
        builder.spawn(test).unwrap().join().unwrap()
    }
}
