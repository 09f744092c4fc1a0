//! The coding `zstd` (RFC 8878, RFC 9659): frames one behind the other, skippable ones among them, windows of
//! up to 8 MiB, no dictionaries.

use std::fmt;

use zstd_safe::zstd_sys::ZSTD_ErrorCode::ZSTD_error_frameParameter_windowTooLarge;
use zstd_safe::{DCtx, DParameter, InBuffer, OutBuffer, is_error_kind};

use super::window::Window;
use super::{Engine, Run, Undecodable};
use crate::limits::ZSTD_WINDOW_LOG_MAX;

/// What is read of a frame before it is known how long its head is.
const FRAME_START_BYTES: usize = 5;

/// The head of a block, which the library would like to have together with the block before.
const BLOCK_HEAD_BYTES: usize = 3;

/// The coding `zstd`.
pub(in crate::scan::view) struct Zstd {
    /// None if there was no memory for one.
    context: Option<DCtx<'static>>,
    window: Window,
    /// What the library would like to have next.
    wanted: usize,
    /// Whether a frame began and did not end, and whether one ever ended.
    is_in_frame: bool,
    is_any_done: bool,
    /// Whether the last run filled its output: the library may hold more.
    is_full: bool,
    /// Whether what follows the first frame is somebody else's.
    is_single: bool,
}

impl fmt::Debug for Zstd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Zstd").field("is_in_frame", &self.is_in_frame).finish_non_exhaustive()
    }
}

impl Zstd {
    pub(in crate::scan::view) fn new() -> Zstd {
        let context = DCtx::try_create().and_then(|mut context| {
            context.set_parameter(DParameter::WindowLogMax(ZSTD_WINDOW_LOG_MAX)).ok()?;
            Some(context)
        });
        Zstd {
            context,
            window: Window::new(1 << ZSTD_WINDOW_LOG_MAX),
            wanted: FRAME_START_BYTES,
            is_in_frame: false,
            is_any_done: false,
            is_full: false,
            is_single: false,
        }
    }

    /// Leaves what follows the first frame.
    pub(in crate::scan::view) fn single_frame() -> Zstd {
        Zstd { is_single: true, ..Zstd::new() }
    }

    /// Up to the end of a block and no further: an error in what follows would take the block's bytes along.
    fn run_block(&mut self, input: &[u8], output: &mut [u8]) -> Run {
        let Some(context) = &mut self.context else {
            return Run { failure: Some(Undecodable::WindowTooLarge), ..Run::default() };
        };
        let wanted = match self.wanted.checked_sub(BLOCK_HEAD_BYTES) {
            None | Some(0) => self.wanted.max(1),
            Some(without_next_head) => without_next_head,
        };
        let piece = input.get(..wanted).unwrap_or(input);
        let mut from = InBuffer::around(piece);
        let mut to = OutBuffer::around(output);
        let result = context.decompress_stream(&mut to, &mut from);
        let (taken, written) = (from.pos(), to.pos());
        let failure = match result {
            Ok(0) => {
                self.wanted = FRAME_START_BYTES;
                self.is_in_frame = false;
                self.is_any_done = true;
                None
            }
            Ok(wanted) => {
                self.wanted = wanted;
                self.is_in_frame |= taken > 0;
                None
            }
            Err(code) if is_error_kind(code, ZSTD_error_frameParameter_windowTooLarge) => {
                Some(Undecodable::WindowTooLarge)
            }
            Err(_) if self.is_any_done && !self.is_in_frame => Some(Undecodable::TrailingData),
            Err(_) => Some(Undecodable::Malformed),
        };
        Run { taken, written, failure }
    }
}

impl Engine for Zstd {
    fn run(&mut self, input: &[u8], output: &mut [u8]) -> Run {
        let mut run = Run::default();
        loop {
            let rest = input.get(run.taken..).unwrap_or_default();
            let room = output.get_mut(run.written..).unwrap_or_default();
            let is_over = self.is_single && self.is_complete();
            // Asked again and again with nothing, the library says that it is an error.
            if is_over || room.is_empty() || (rest.is_empty() && !self.is_full) {
                return run;
            }
            let made = self.run_block(rest, room);
            self.is_full = made.written == room.len();
            run.taken += made.taken;
            run.written += made.written;
            let is_stuck = made.taken == 0 && made.written == 0 && !rest.is_empty();
            run.failure = made.failure.or(is_stuck.then_some(Undecodable::Malformed));
            if !self.window.has_room(made.written) {
                run.failure = run.failure.or(Some(Undecodable::NoRoom));
            }
            // A frame a run, so that whoever runs it can count them.
            if run.failure.is_some() || self.is_complete() {
                return run;
            }
        }
    }

    fn is_complete(&self) -> bool {
        self.is_any_done && !self.is_in_frame
    }
}
