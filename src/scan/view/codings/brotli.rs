//! The coding `br` (RFC 7932), windows of up to 16 MiB; the larger ones of later drafts are malformed here.

use std::fmt;

use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc};

use super::window::Window;
use super::{Engine, Run, Undecodable};
use crate::limits::{BROTLI_PIECE_BYTES, BROTLI_WINDOW_MAX_BYTES};

type State = BrotliState<StandardAlloc, StandardAlloc, StandardAlloc>;

/// The coding `br`.
pub(super) struct Brotli {
    state: Box<State>,
    window: Window,
    is_ended: bool,
    /// Whether the last run filled its output.
    is_full: bool,
}

impl fmt::Debug for Brotli {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Brotli").field("is_ended", &self.is_ended).finish_non_exhaustive()
    }
}

impl Brotli {
    pub(super) fn new() -> Brotli {
        let state = State::new_strict(
            StandardAlloc::default(),
            StandardAlloc::default(),
            StandardAlloc::default(),
        );
        let window = Window::new(BROTLI_WINDOW_MAX_BYTES);
        Brotli { state: Box::new(state), window, is_ended: false, is_full: false }
    }

    /// One piece: behind an error, the decoder keeps what it made of the same piece.
    fn run_piece(&mut self, piece: &[u8], output: &mut [u8]) -> Run {
        let mut run = Run::default();
        let (mut in_left, mut out_left, mut total) = (piece.len(), output.len(), 0);
        let result = BrotliDecompressStream(
            &mut in_left,
            &mut run.taken,
            piece,
            &mut out_left,
            &mut run.written,
            output,
            &mut total,
            &mut self.state,
        );
        match result {
            BrotliResult::ResultSuccess => self.is_ended = true,
            BrotliResult::ResultFailure => run.failure = Some(Undecodable::Malformed),
            BrotliResult::NeedsMoreInput | BrotliResult::NeedsMoreOutput => {}
        }
        run
    }
}

impl Engine for Brotli {
    fn run(&mut self, input: &[u8], output: &mut [u8]) -> Run {
        let mut run = Run::default();
        loop {
            let rest = input.get(run.taken..).unwrap_or_default();
            let piece = rest.get(..BROTLI_PIECE_BYTES).unwrap_or(rest);
            if self.is_ended {
                run.failure = (!rest.is_empty()).then_some(Undecodable::TrailingData);
                return run;
            }
            if piece.is_empty() && !self.is_full {
                return run;
            }
            let room = output.get_mut(run.written..).unwrap_or_default();
            if room.is_empty() {
                return run;
            }
            let made = self.run_piece(piece, room);
            self.is_full = made.written == room.len();
            run.taken += made.taken;
            run.written += made.written;
            let is_stuck = made.taken == 0 && made.written == 0 && !piece.is_empty();
            run.failure =
                made.failure.or((is_stuck && !self.is_ended).then_some(Undecodable::Malformed));
            if !self.window.has_room(made.written) {
                run.failure = run.failure.or(Some(Undecodable::NoRoom));
            }
            if run.failure.is_some() || self.is_full {
                return run;
            }
        }
    }

    fn is_complete(&self) -> bool {
        self.is_ended
    }
}
