//! One text: bytes that a reader takes for one piece of writing. It goes through the engine as it is; where it
//! holds escapes, or something encoded, what these stand for is a text of its own.

use std::rc::Rc;

use super::content::Content;
use super::found::MatchSink;
use super::padded::{Padded, PaddedBuffer};
use super::scanner::{Core, End, Stream};
use super::told::{Teller, Telling, Told};
use super::view::codings::Allowance;
use super::view::encoded::{self, Kind, RunDecoder};
use super::view::fold::{self, Folder, Kinds};
use super::view::form::FormDecoder;
use crate::finding::{Step, View};
use crate::limits::{
    SCAN_DEPTH_MAX, SCAN_FOLD_AROUND_BYTES, SCAN_FOLD_SEAM_BYTES, SCAN_RUN_BEFORE_BYTES,
    SCAN_RUN_SEAM_BYTES, SCAN_SHORT_TEXT_BYTES,
};

/// What the texts of a unit share while bytes go through them.
pub(super) struct Scope<'a> {
    pub(super) core: &'a Rc<Core>,
    pub(super) told: &'a mut Told,
    /// How far it may be inflated.
    pub(super) allowance: &'a mut Allowance,
    pub(super) sink: &'a mut dyn MatchSink,
}

impl Scope<'_> {
    /// The same for a text that goes on over many units, with what was told of it.
    pub(super) fn of_another<'s>(&'s mut self, told: &'s mut Told) -> Scope<'s> {
        Scope { core: self.core, told, allowance: self.allowance, sink: self.sink }
    }
}

/// What a unit keeps from one feeding to the next.
#[derive(Default)]
pub(super) struct UnitState {
    told: Told,
    allowance: Allowance,
}

impl UnitState {
    /// For the time of one feeding.
    pub(super) fn scope<'a>(
        &'a mut self,
        core: &'a Rc<Core>,
        sink: &'a mut dyn MatchSink,
    ) -> Scope<'a> {
        Scope { core, told: &mut self.told, allowance: &mut self.allowance, sink }
    }

    /// That so many bytes came by wire.
    pub(super) fn arrived(&mut self, bytes: usize) {
        self.allowance.arrived(bytes);
    }

    /// The unit is over; another begins.
    pub(super) fn clear(&mut self) {
        self.told.clear();
        self.allowance = Allowance::default();
    }
}

/// Where a text stands among the texts of its unit.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Place {
    pub(super) view: View,
    /// How many texts it lies within.
    pub(super) depth: usize,
    /// Where in the unit the outermost text that it was made of was seen; none for the unit itself.
    pub(super) origin: Option<u64>,
    /// Whether it is joined of the events of a stream. Nothing in such a text is a stream, or an archive, again:
    /// else each of its texts could hold as many of its own.
    pub(super) is_joined: bool,
}

impl Place {
    /// The place of the texts that the events of a stream are joined to.
    pub(super) fn joined(self) -> Place {
        Place { is_joined: true, ..self.deeper() }
    }

    /// The place of what one step makes of all of a text.
    pub(super) fn then(self, step: Step) -> Place {
        Place { view: self.view.then(step), ..self }
    }

    /// The place of another reading of the same bytes, of the same unit.
    pub(super) fn beside(self, step: Step) -> Place {
        Place { view: self.view.then(step), ..self }
    }

    /// The place of what lies in an outer text as a whole.
    pub(super) fn deeper(self) -> Place {
        Place { depth: self.depth + 1, origin: Some(self.origin.unwrap_or(0)), ..self }
    }

    /// The place of what was seen within a text at `at`.
    fn within(self, at: u64) -> Place {
        Place { depth: self.depth + 1, origin: Some(self.origin.unwrap_or(at)), ..self }
    }

    /// Whether nothing further in is looked at.
    pub(super) fn is_deepest(self) -> bool {
        self.depth >= SCAN_DEPTH_MAX
    }
}

/// One text.
pub(super) struct Text {
    stream: Stream,
    place: Place,
    /// Its number in the unit, and that of the text of which it is another reading.
    number: u32,
    reading_of: Option<u32>,
    folded: Option<Box<Folded>>,
    decoded: Option<Box<Decoded>>,
    /// Up to where it was decoded.
    decoded_to: u64,
}

/// A stretch around escapes, read with them resolved.
struct Folded {
    folder: Folder,
    /// The view of the outer text.
    view: View,
    text: Text,
    /// How many bytes of the outer text still belong to it.
    left: usize,
}

/// A run of an encoding, read decoded.
struct Decoded {
    decoder: RunDecoder,
    content: Content,
}

impl Text {
    /// Nothing seen yet.
    pub(super) fn new(place: Place, scope: &mut Scope<'_>) -> Text {
        Text {
            stream: Stream::new(scope.core),
            place,
            number: scope.told.next_text(),
            reading_of: None,
            folded: None,
            decoded: None,
            decoded_to: 0,
        }
    }

    /// A text that is read as it stands only.
    pub(super) fn unfolded(place: Place, scope: &mut Scope<'_>) -> Text {
        Text::new(Place { depth: SCAN_DEPTH_MAX, ..place }, scope)
    }

    /// Where it stands.
    pub(super) fn place(&self) -> Place {
        self.place
    }

    /// The next bytes.
    pub(super) fn feed(&mut self, bytes: Padded<'_>, scope: &mut Scope<'_>) {
        for window in bytes.windows(scope.core.window_bytes()) {
            self.step(window, End::Open, scope);
            self.look_within(window.bytes(), scope);
            self.stream.carry(window.bytes());
        }
    }

    /// A text that arrives whole, as [`Text::feed`] and [`Text::finish`] would see it.
    pub(super) fn feed_whole(&mut self, bytes: Padded<'_>, scope: &mut Scope<'_>) {
        if bytes.len() > scope.core.window_bytes() {
            self.feed(bytes, scope);
            return self.finish(scope);
        }
        self.step(bytes, End::Here, scope);
        self.look_within(bytes.bytes(), scope);
        self.end_within(scope);
    }

    /// Reads a query that begins at `at` in this text as the form that it mostly is (`+` stands for a blank).
    pub(super) fn read_query(&self, query: &[u8], at: usize, scope: &mut Scope<'_>) {
        let mut out = scope.core.take_buffer();
        let mut decoder = FormDecoder::new();
        decoder.feed(query, out.begin());
        let mut rest = Vec::new();
        decoder.finish(&mut rest);
        out.extend(&rest);
        let mut text = Text::new(self.place.within(at as u64).then(Step::Form), scope);
        text.reading_of = Some(self.number);
        text.feed_whole(out.padded(), scope);
        scope.core.return_buffer(out);
    }

    /// The end: what only the end decides is told. Afterwards it is as new.
    pub(super) fn finish(&mut self, scope: &mut Scope<'_>) {
        self.step(Padded::default(), End::Here, scope);
        self.end_within(scope);
        self.stream.clear();
        self.decoded_to = 0;
    }

    /// More may follow, but not soon: a secret that ends here is told now.
    pub(super) fn pause(&mut self, scope: &mut Scope<'_>) {
        self.step(Padded::default(), End::Pause, scope);
    }

    fn step(&mut self, window: Padded<'_>, end: End, scope: &mut Scope<'_>) {
        let telling = Telling {
            text: self.number,
            view: self.place.view,
            origin: self.place.origin,
            reading_of: self.reading_of,
        };
        let mut teller = Teller { told: scope.told, telling, sink: scope.sink };
        self.stream.step(window, end, &mut teller);
    }

    fn look_within(&mut self, window: &[u8], scope: &mut Scope<'_>) {
        if self.place.is_deepest() {
            return;
        }
        self.fold(window, scope);
        self.decode(window, scope);
    }

    fn end_within(&mut self, scope: &mut Scope<'_>) {
        if let Some(folded) = self.folded.take() {
            folded.finish(scope);
        }
        if let Some(decoded) = self.decoded.take() {
            decoded.finish(scope);
        }
    }

    /// Reads the stretches around escapes once more, with the escapes resolved.
    fn fold(&mut self, window: &[u8], scope: &mut Scope<'_>) {
        let mut at = 0;
        if self.folded.is_none()
            && let Some(back) = self.trigger_across(window)
        {
            self.folded = Some(self.open_fold(window, 0, back, scope));
        }
        while let Some(rest) = window.get(at..).filter(|rest| !rest.is_empty()) {
            if let Some(mut folded) = self.folded.take() {
                let len = folded.reach(rest);
                folded.feed(rest.get(..len).unwrap_or_default(), scope);
                at += len;
                if folded.left == 0 {
                    folded.finish(scope);
                } else {
                    self.folded = Some(folded);
                }
            } else if let Some(trigger) = fold::next_trigger(window, at) {
                self.folded = Some(self.open_fold(window, trigger, 0, scope));
                at = trigger;
            } else {
                break;
            }
        }
    }

    /// An escape that began before the window: how many bytes before.
    fn trigger_across(&self, window: &[u8]) -> Option<usize> {
        let mut seam = [0; 2 * SCAN_FOLD_SEAM_BYTES];
        let (seam, old) = self.stream.seam(window, &mut seam);
        let trigger = fold::next_trigger(seam, 0)?;
        old.checked_sub(trigger).filter(|back| *back > 0)
    }

    /// A stretch that begins some way before `at` in the window, or before the `back` bytes in front of it.
    fn open_fold(
        &mut self,
        window: &[u8],
        at: usize,
        back: usize,
        scope: &mut Scope<'_>,
    ) -> Box<Folded> {
        let (old, new) = self.stream.before(window, at, SCAN_FOLD_AROUND_BYTES + back);
        let start = self.stream.offset() + at as u64 - (old.len() + new.len()) as u64;
        let mut text = Text::new(self.place.within(start), scope);
        text.reading_of = Some(self.number);
        let mut folded = Box::new(Folded {
            folder: Folder::new(),
            view: self.place.view,
            text,
            left: SCAN_FOLD_AROUND_BYTES,
        });
        folded.feed(old, scope);
        folded.feed(new, scope);
        folded
    }

    /// Reads what is encoded in the window as what it stands for.
    fn decode(&mut self, window: &[u8], scope: &mut Scope<'_>) {
        let mut at = 0;
        if let Some(decoded) = self.decoded.take() {
            at = self.go_on(decoded, window, 0, scope);
        } else if let Some((kind, back)) = self.run_across(window) {
            let (old, _) = self.stream.before(window, 0, back);
            let start = self.stream.offset() - old.len() as u64;
            let decoded = self.open_run(kind, old, start, scope);
            at = self.go_on(decoded, window, 0, scope);
        }
        while self.decoded.is_none()
            && let Some(run) = encoded::next_run(window, at)
        {
            let start = self.stream.offset() + run.start as u64;
            let decoded = self.open_run(run.kind, &[], start, scope);
            at = self.go_on(decoded, window, run.start, scope);
        }
        let gates = scope.core.take_gates();
        for gate in &gates {
            self.decode_around(*gate, window, scope);
        }
        scope.core.return_gates(gates);
        if window.len() <= SCAN_SHORT_TEXT_BYTES {
            for place in encoded::short_rows(window) {
                self.decode_around(self.stream.offset() + place as u64 + 1, window, scope);
            }
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

    /// The run in which the engine saw what only an encoded text holds.
    fn decode_around(&mut self, gate: u64, window: &[u8], scope: &mut Scope<'_>) {
        if self.decoded.is_some() || gate <= self.decoded_to {
            return;
        }
        // The byte before the gate's end is the run's.
        let at = gate.checked_sub(self.stream.offset() + 1).and_then(|at| at.try_into().ok());
        let Some(at) = at else { return };
        let (old, new) = self.stream.before(window, at, SCAN_RUN_BEFORE_BYTES);
        let before = old.len() + new.len();
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
        if let Some(run) = encoded::run_around(near, before) {
            let start = self.stream.offset() + at as u64 - before as u64 + run.start as u64;
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

impl Folded {
    /// How many of the next bytes belong to the stretch.
    fn reach(&mut self, bytes: &[u8]) -> usize {
        let mut from = 0;
        while from < self.left.min(bytes.len())
            && let Some(trigger) = fold::next_trigger(bytes, from)
            && trigger < self.left
        {
            self.left = trigger + SCAN_FOLD_AROUND_BYTES;
            from = trigger + 1;
        }
        let len = self.left.min(bytes.len());
        self.left -= len;
        len
    }

    fn feed(&mut self, bytes: &[u8], scope: &mut Scope<'_>) {
        let mut out = scope.core.take_buffer();
        self.folder.feed(bytes, out.begin());
        self.pass_on(&mut out, scope);
        scope.core.return_buffer(out);
    }

    fn finish(mut self: Box<Self>, scope: &mut Scope<'_>) {
        let mut out = scope.core.take_buffer();
        self.folder.finish(out.begin());
        self.pass_on(&mut out, scope);
        scope.core.return_buffer(out);
        self.text.finish(scope);
    }

    fn pass_on(&mut self, out: &mut PaddedBuffer, scope: &mut Scope<'_>) {
        self.text.place.view = steps_of(self.folder.kinds()).fold(self.view, View::then);
        self.text.feed(out.padded(), scope);
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

    fn finish(mut self: Box<Self>, scope: &mut Scope<'_>) {
        self.content.finish(scope);
    }
}

/// The steps that a fold took, in a fixed order.
fn steps_of(kinds: Kinds) -> impl Iterator<Item = Step> {
    [
        (Kinds::PERCENT, Step::Percent),
        (Kinds::UNICODE, Step::Unicode),
        (Kinds::HTML, Step::Html),
        (Kinds::INVISIBLE, Step::Invisible),
        (Kinds::NUL, Step::Nul),
        (Kinds::COMPAT, Step::Compat),
        (Kinds::HOMOGLYPH, Step::Homoglyph),
        (Kinds::SHELL, Step::Shell),
    ]
    .into_iter()
    .filter(move |(kind, _)| kinds.contains(*kind))
    .map(|(_, step)| step)
}
