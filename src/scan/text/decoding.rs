//! The encoded runs of a text, each read as what it stands for.

use super::{Scope, Text};
use crate::finding::Step;
use crate::limits::{
    ENCODED_SHORT_MIN_DIGITS, SCAN_OPEN_ROW_BYTES, SCAN_RUN_BEFORE_BYTES, SCAN_RUN_SEAM_BYTES,
    SCAN_SHORT_TEXT_BYTES,
};
use crate::scan::content::Content;
use crate::scan::stream::End;
use crate::scan::view::encoded::{self, Kind, RunDecoder};

/// Within so many digits of a window a run seems to begin that begins before it.
const FRONT_DIGITS: usize = 4;

/// A run of an encoding, read decoded.
pub(super) struct Decoded {
    decoder: RunDecoder,
    content: Content,
}

impl Text {
    /// Reads what is encoded in the window as what it stands for, in order: what the engine saw only encoded texts hold
    /// (`places`, each the end of such a row of bytes), short rows of a short text, and long runs.
    pub(super) fn decode(
        &mut self,
        window: &[u8],
        places: &mut Vec<u64>,
        end: End,
        scope: &mut Scope<'_>,
    ) {
        let offset = self.stream.offset();
        if window.len() <= SCAN_SHORT_TEXT_BYTES {
            // The rest of a row may stand in the next window, which sees all of it.
            let open = match end {
                End::Open | End::Follows | End::Last => encoded::digits_before(window),
                End::Pause | End::Whole | End::Here => 0,
            };
            let is_held = open <= SCAN_OPEN_ROW_BYTES;
            let closed = if is_held { window.len() - open } else { window.len() };
            let rows = encoded::short_rows(window).take_while(|place| *place < closed);
            places.extend(rows.map(|place| offset + place as u64 + 1));
            places.sort_unstable();
        }
        let mut places = places.iter().copied().peekable();
        let mut at = 0;
        if let Some(decoded) = self.decoded.take() {
            at = self.go_on(decoded, window, 0, scope);
        } else if let Some((kind, back)) = self.run_across(window) {
            let (old, _) = self.stream.before(window, 0, back);
            let decoded = self.open_run(kind, old, offset - old.len() as u64, scope);
            at = self.go_on(decoded, window, 0, scope);
        } else {
            self.decode_open_row(window, end, scope);
        }
        while self.decoded.is_none() {
            let run = encoded::next_run(window, at);
            let start = run.map_or(u64::MAX, |run| offset + run.start as u64);
            while self.decoded.is_none()
                && let Some(place) = places.next_if(|place| *place <= start)
            {
                self.decode_around(place.saturating_sub(1), window, scope);
            }
            let Some(run) = run.filter(|_| self.decoded.is_none()) else { break };
            if self.decoded_to > start {
                // It was read as part of what stands before it.
                at = usize::try_from(self.decoded_to - offset).unwrap_or(usize::MAX);
                continue;
            }
            // Its front may stand before the window.
            if run.start < FRONT_DIGITS && self.stream.offset() > 0 {
                self.decode_around(start, window, scope);
                if self.decoded_to > start {
                    continue;
                }
            }
            let decoded = self.open_run(run.kind, &[], start, scope);
            at = self.go_on(decoded, window, run.start, scope);
        }
    }

    /// A run that began before the window: how many bytes before.
    fn run_across(&self, window: &[u8]) -> Option<(Kind, usize)> {
        let mut seam = [0; 2 * SCAN_RUN_SEAM_BYTES];
        let (seam, old) = self.stream.seam(window, &mut seam);
        let run = encoded::next_run(seam, 0)?;
        let back = old.checked_sub(run.start).filter(|back| *back > 0)?;
        let is_new = self.stream.offset().saturating_sub(back as u64) >= self.decoded_to;
        is_new.then_some((run.kind, back))
    }

    /// The row of digits that was open when the window began, once it is seen as a whole: in windows of few bytes each
    /// holds too little of it.
    pub(super) fn decode_open_row(&mut self, window: &[u8], end: End, scope: &mut Scope<'_>) {
        let (old, _) = self.stream.before(window, 0, SCAN_OPEN_ROW_BYTES);
        let before = encoded::digits_before(old);
        if before == 0 {
            return;
        }
        let near = window.get(..SCAN_OPEN_ROW_BYTES).unwrap_or(window);
        let behind = encoded::digits_behind(near);
        let is_open = behind == window.len() && end.is_ahead();
        if is_open || before + behind < ENCODED_SHORT_MIN_DIGITS {
            return;
        }
        let mut row = [0; 2 * SCAN_OPEN_ROW_BYTES];
        let digits = old.iter().skip(old.len() - before).chain(near.iter().take(behind));
        row.iter_mut().zip(digits).for_each(|(to, from)| *to = *from);
        let start = self.stream.offset() - before as u64;
        for place in encoded::places_in_row(row.get(..before + behind).unwrap_or_default()) {
            self.decode_around(start + place as u64, window, scope);
        }
    }

    /// The run that holds the byte at `place` in the text, in the window or not long before it.
    fn decode_around(&mut self, place: u64, window: &[u8], scope: &mut Scope<'_>) {
        if self.decoded.is_some() || place < self.decoded_to {
            return;
        }
        let offset = self.stream.offset();
        let bytes = |from: u64, to: u64| usize::try_from(to.saturating_sub(from));
        let (Ok(at), Ok(back)) = (bytes(offset, place), bytes(place, offset)) else { return };
        let (old, new) = self.stream.before(window, at, SCAN_RUN_BEFORE_BYTES + back);
        let Some(before) = (old.len() + new.len()).checked_sub(back) else { return };
        let mut joined = scope.core.take_buffer();
        // Copied only where it reaches back over the window's front, and no more than is looked at.
        let (near, behind) = if old.is_empty() {
            (window.get(at - new.len()..).unwrap_or_default(), &[][..])
        } else {
            let seen = window.len().min(at + SCAN_RUN_BEFORE_BYTES);
            let (seen, behind) = window.split_at_checked(seen).unwrap_or((window, &[]));
            joined.begin().extend_from_slice(old);
            joined.extend(seen);
            (joined.written(), behind)
        };
        let short = || encoded::short_run_around(near, before);
        if let Some(run) = encoded::run_around(near, before).or_else(short) {
            let start = place - before as u64 + run.start as u64;
            let bytes = near.get(run.start..).unwrap_or_default();
            let mut decoded = self.open_run(run.kind, &[], start, scope);
            let mut taken = decoded.feed(bytes, scope);
            if taken == bytes.len() && !behind.is_empty() {
                taken += decoded.feed(behind, scope);
            }
            self.decoded_to = start + taken as u64;
            if taken < bytes.len() + behind.len() {
                decoded.finish(scope);
            } else {
                self.decoded = Some(decoded);
            }
        }
        scope.core.return_buffer(joined);
    }

    /// A run that begins at `start` in the text, `before` being what was read of it already.
    fn open_run(
        &self,
        kind: Kind,
        before: &[u8],
        start: u64,
        scope: &mut Scope<'_>,
    ) -> Box<Decoded> {
        let step = match kind {
            Kind::Base64 => Step::Base64,
            Kind::Base32 => Step::Base32,
            Kind::Hex => Step::Hex,
            Kind::Numbers => Step::Numbers,
            Kind::Dump => Step::Hexdump,
        };
        let content = Content::unknown(self.place.within(start).then(step));
        let mut decoded = Box::new(Decoded { decoder: RunDecoder::new(kind), content });
        decoded.feed(before, scope);
        decoded
    }

    /// Reads on in a run from `at` on; returns where it ended.
    fn go_on(
        &mut self,
        mut decoded: Box<Decoded>,
        window: &[u8],
        at: usize,
        scope: &mut Scope<'_>,
    ) -> usize {
        let rest = window.get(at..).unwrap_or_default();
        let taken = decoded.feed(rest, scope);
        self.decoded_to = self.stream.offset() + (at + taken) as u64;
        if taken < rest.len() {
            decoded.finish(scope);
        } else {
            self.decoded = Some(decoded);
        }
        at + taken
    }
}

impl Decoded {
    /// Decodes; returns how many bytes belong to the run.
    fn feed(&mut self, bytes: &[u8], scope: &mut Scope<'_>) -> usize {
        let mut out = scope.core.take_buffer();
        let taken = self.decoder.feed(bytes, out.begin());
        self.content.feed(out.padded(), scope);
        scope.core.return_buffer(out);
        taken
    }

    pub(super) fn finish(mut self: Box<Self>, scope: &mut Scope<'_>) {
        let mut out = scope.core.take_buffer();
        self.decoder.finish(out.begin());
        self.content.feed(out.padded(), scope);
        scope.core.return_buffer(out);
        self.content.finish(scope);
    }
}
