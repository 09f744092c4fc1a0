//! One text: bytes that a reader takes for one piece of writing. It goes through the engine as it is; where it
//! holds escapes, or something encoded, what these stand for is a text of its own.

mod decoding;
mod folding;
#[cfg(test)]
mod tests;

use std::rc::Rc;

use self::decoding::Decoded;
use self::folding::Folded;
use super::found::{Gap, MatchSink};
use super::padded::Padded;
use super::scanner::Core;
use super::stream::{End, Stream};
use super::told::{Reading, Teller, Telling, Told};
use super::view::codings::Allowance;
use super::view::form::FormDecoder;
use crate::finding::{Step, View};
use crate::limits::SCAN_DEPTH_MAX;

/// What the texts of a unit share while bytes go through them.
pub(super) struct Scope<'a> {
    pub(super) core: &'a Rc<Core>,
    pub(super) told: &'a mut Told,
    /// How far it may be inflated.
    pub(super) allowance: &'a mut Allowance,
    pub(super) sink: &'a mut dyn MatchSink,
    /// Whether the bytes that go through are the unit's last.
    pub(super) is_last: bool,
    /// Whether what is the start of more may be left for later: who feeds it says when nothing more comes at once.
    pub(super) may_wait: bool,
}

impl Scope<'_> {
    /// Why something could not be looked at, told once a unit: an archive may hold thousands of it.
    pub(super) fn gap(&mut self, gap: Gap) {
        self.core.note_heard();
        if self.told.is_new_gap(gap) {
            self.sink.gap(gap);
        }
    }

    /// The same for a text that goes on over many units, with what was told of it.
    pub(super) fn of_another<'s>(&'s mut self, told: &'s mut Told) -> Scope<'s> {
        let Scope { core, allowance, sink, .. } = self;
        Scope { core, told, allowance, sink: *sink, is_last: false, may_wait: false }
    }
}

/// What a unit keeps from one feeding to the next.
#[derive(Default)]
pub(super) struct UnitState {
    told: Told,
    allowance: Allowance,
    is_last: bool,
    may_wait: bool,
}

impl UnitState {
    /// For the time of one feeding.
    pub(super) fn scope<'a>(
        &'a mut self,
        core: &'a Rc<Core>,
        sink: &'a mut dyn MatchSink,
    ) -> Scope<'a> {
        let UnitState { told, allowance, is_last, may_wait } = self;
        Scope { core, told, allowance, sink, is_last: *is_last, may_wait: *may_wait }
    }

    /// What was told of it.
    pub(super) fn told(&mut self) -> &mut Told {
        &mut self.told
    }

    /// That no byte comes behind those that are fed next.
    pub(super) fn ends(&mut self) {
        self.is_last = true;
    }

    /// That it will be told when nothing more comes at once.
    pub(super) fn may_wait(&mut self) {
        self.may_wait = true;
    }

    /// That so many bytes came by wire.
    pub(super) fn arrived(&mut self, bytes: usize) {
        self.allowance.arrived(bytes);
    }

    /// Others had their turn, as [`Allowance::begin_turn`].
    pub(super) fn begin_turn(&mut self, bytes: usize) {
        self.allowance.begin_turn(bytes);
    }

    /// The unit is over; another begins.
    pub(super) fn clear(&mut self) {
        self.told.clear();
        self.allowance = Allowance::default();
        self.is_last = false;
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
    /// Whether what it is was told by its bytes alone, where most are something else: what cannot be read of it was
    /// hardly that.
    pub(super) is_guess: bool,
    /// If it is in a coding that was undone beside it: behind the text of this number come those out of it.
    pub(super) coded_from: Option<u32>,
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
    /// Its number in the unit, and which text it is another reading of.
    number: u32,
    reading_of: Option<Box<Reading>>,
    /// Whether each of its lines is a thing of its own.
    is_of_lines: bool,
    folded: Option<Box<Folded>>,
    decoded: Option<Box<Decoded>>,
    /// Up to where it was decoded.
    decoded_to: u64,
}

impl Text {
    /// Nothing seen yet.
    pub(super) fn new(place: Place, scope: &mut Scope<'_>) -> Text {
        Text {
            stream: Stream::new(scope.core),
            place,
            number: scope.told.next_text(),
            reading_of: None,
            is_of_lines: false,
            folded: None,
            decoded: None,
            decoded_to: 0,
        }
    }

    /// The head of a message: what a field says is not read together with the next one.
    pub(super) fn of_head(scope: &mut Scope<'_>) -> Text {
        Text { is_of_lines: true, ..Text::new(Place::default(), scope) }
    }

    /// A text that is read as it stands only.
    pub(super) fn unfolded(place: Place, scope: &mut Scope<'_>) -> Text {
        Text::new(Place { depth: SCAN_DEPTH_MAX, ..place }, scope)
    }

    /// The same of the commands of tool calls, a line each.
    pub(super) fn of_calls(place: Place, scope: &mut Scope<'_>) -> Text {
        let mut text = Text::unfolded(place, scope);
        text.stream.is_of_calls = true;
        text
    }

    /// The same from where one step makes something else of it.
    pub(super) fn then(self, step: Step) -> Text {
        Text { place: self.place.then(step), ..self }
    }

    /// Where it stands.
    pub(super) fn place(&self) -> Place {
        self.place
    }

    /// The next bytes.
    pub(super) fn feed(&mut self, bytes: Padded<'_>, scope: &mut Scope<'_>) {
        let is_unit = self.place.origin.is_none() && self.place.view.is_plain();
        let end = if scope.is_last && is_unit { End::Last } else { End::Open };
        self.feed_to(bytes, end, scope);
    }

    /// The same where others are at hand, and follow at once.
    pub(super) fn feed_more(&mut self, bytes: Padded<'_>, scope: &mut Scope<'_>) {
        self.feed_to(bytes, End::Follows, scope);
    }

    fn feed_to(&mut self, bytes: Padded<'_>, end: End, scope: &mut Scope<'_>) {
        let mut windows = bytes.windows(scope.core.window_bytes()).peekable();
        while let Some(window) = windows.next() {
            let end = if windows.peek().is_some() { End::Follows } else { end };
            self.step(window, end, scope);
            self.look_within(window.bytes(), end, scope);
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
        self.look_within(bytes.bytes(), End::Here, scope);
        self.end_within(scope);
    }

    /// A reading of this text of which some bytes are left out, from its start.
    pub(super) fn read_in_part(&self, scope: &mut Scope<'_>) -> Text {
        let reading = self.read_again(self.stream.offset());
        Text { reading_of: Some(Box::new(reading)), ..Text::new(self.place, scope) }
    }

    /// The next bytes of such a reading, behind those of `whole` that they stand among.
    pub(super) fn feed_part_of(&mut self, whole: &Text, bytes: Padded<'_>, scope: &mut Scope<'_>) {
        if let Some(reading) = &mut self.reading_of {
            let read = reading.start + self.stream.offset() + bytes.len() as u64;
            reading.dropped = whole.stream.offset().saturating_sub(read);
        }
        self.feed(bytes, scope);
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
        let dropped = query.len().saturating_sub(out.written().len()) as u64;
        text.reading_of = Some(Box::new(Reading { dropped, ..self.read_again(at as u64) }));
        text.feed_whole(out.padded(), scope);
        scope.core.return_buffer(out);
    }

    /// The end: what only the end decides is told. Afterwards it is as new.
    pub(super) fn finish(&mut self, scope: &mut Scope<'_>) {
        self.step(Padded::default(), End::Here, scope);
        if self.decoded.is_none() && !self.place.is_deepest() {
            self.decode_open_row(&[], End::Here, scope);
        }
        self.end_within(scope);
        self.stream.clear();
        self.decoded_to = 0;
    }

    /// More may follow, but not soon: a secret that ends here is told now.
    pub(super) fn pause(&mut self, scope: &mut Scope<'_>) {
        self.step(Padded::default(), End::Pause, scope);
    }

    /// Whether what it says next depends on no more than the last bytes: no run is being decoded, nothing waits.
    pub(super) fn is_settled(&self) -> bool {
        self.decoded.is_none()
            && self.stream.is_settled()
            && self.folded.as_ref().is_none_or(|folded| folded.is_settled())
    }

    /// Goes on so many bytes further on, as at the start.
    pub(super) fn jump(&mut self, bytes: u64) {
        self.folded = None;
        self.decoded = None;
        self.stream.jump(bytes);
    }

    /// All of it seems to be here: what ends here is told now.
    pub(super) fn seems_whole(&mut self, scope: &mut Scope<'_>) {
        self.step(Padded::default(), End::Whole, scope);
    }

    fn step(&mut self, window: Padded<'_>, end: End, scope: &mut Scope<'_>) {
        let telling = Telling {
            text: self.number,
            view: self.place.view,
            origin: self.place.origin,
            is_deeper: self.place.depth > 1,
            reading_of: self.reading_of.as_deref().copied(),
            is_of_events: self.place.is_joined && self.place.origin.is_some(),
            coded_from: self.place.coded_from,
            is_of_calls: self.stream.is_of_calls,
        };
        let mut teller = Teller { told: scope.told, telling, sink: scope.sink };
        self.stream.step(window, end, &mut teller);
    }

    fn look_within(&mut self, window: &[u8], end: End, scope: &mut Scope<'_>) {
        // Taken before anything within is read, which leaves others there.
        let mut places = scope.core.take_gates();
        if !self.place.is_deepest() {
            self.fold(window, scope);
            self.decode(window, &mut places, end, scope);
        }
        scope.core.return_gates(places);
    }

    fn end_within(&mut self, scope: &mut Scope<'_>) {
        if let Some(folded) = self.folded.take() {
            folded.finish(scope);
        }
        if let Some(decoded) = self.decoded.take() {
            decoded.finish(scope);
        }
    }
}
