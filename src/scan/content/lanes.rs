//! The texts that the events of a stream are joined to: what a model writes arrives in pieces of a few letters,
//! each in JSON of its own, and means something only together.

use std::collections::VecDeque;
use std::ops::Range;

use super::Content;
use super::growing::LastPiece;
use crate::finding::Step;
use crate::limits::{
    SCAN_FOLD_AROUND_BYTES, SCAN_LANE_PENDING_BYTES, SCAN_LANE_RECENT_EVENTS, SCAN_LANE_TAIL_BYTES,
    SCAN_LANES_LOST_MAX, SCAN_LANES_LOST_WAITING, SCAN_LANES_MAX, SCAN_LANES_PARTED_MAX,
    SCAN_REPEATED_PIECE_MIN_BYTES,
};
use crate::scan::found::Gap;
use crate::scan::padded::PaddedBuffer;
use crate::scan::text::{Place, Scope};
use crate::scan::told::Told;
use crate::scan::view::encoded::{Kind, RunDecoder};
use crate::scan::view::json::{Leaf, Reader, looks_like_json};
use crate::scan::view::protobuf::visit_pieces;

/// The joined texts of one stream, the last used `limits::SCAN_LANES_MAX` of them.
pub(in crate::scan) struct Lanes {
    place: Place,
    reader: Reader,
    /// For an event that another one holds.
    inner_reader: Reader,
    lanes: Vec<Lane>,
    /// Those that there was no room for, by their keys: the last bytes of each, from which it may go on.
    parted: VecDeque<(u64, Vec<u8>)>,
    /// How many have gone for good.
    lost: usize,
    /// Counts the events.
    clock: u64,
    /// Whether events that are no JSON are joined, too.
    joins_plain: bool,
    /// Whether each event is a unit that told of itself before: what it told is no news in what it goes on to.
    are_units: bool,
}

/// What an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::scan) enum Event {
    /// JSON that holds something, or says something.
    Json,
    /// A number or a name of JSON, which any text may be a piece of.
    Scalar,
    Plain,
}

impl Event {
    /// Whether it is a piece of a plain text, if there is such a text so far.
    pub(in crate::scan) fn is_plain(self, is_begun: bool) -> bool {
        self == Event::Plain || (self == Event::Scalar && is_begun)
    }
}

/// What belongs together: the text of one block, one choice, one tool call.
struct Lane {
    key: u64,
    used_at: u64,
    content: Content,
    /// Pieces of the events at hand, not scanned yet: many small ones cost as one.
    pending: Option<PaddedBuffer>,
    /// The last bytes added, and the last piece, which they end with.
    tail: Vec<u8>,
    last: LastPiece,
    /// How many were added, and where the last of them begin.
    len: u64,
    last_at: u64,
    /// What was told lately of it, and of its events by themselves, if these are units of their own.
    told: Option<Told>,
}

impl Lane {
    fn new(key: u64, place: Place, are_units: bool) -> Lane {
        Lane {
            key,
            used_at: 0,
            content: Content::unknown(place),
            pending: None,
            tail: Vec::new(),
            last: LastPiece::default(),
            len: 0,
            last_at: 0,
            told: are_units.then(Told::default),
        }
    }

    /// Adds a piece: what is new in it.
    fn add(&mut self, piece: &[u8], scope: &mut Scope<'_>) {
        let repeated = self.last.give_way(piece, &self.tail);
        let text = piece.get(repeated..).unwrap_or_default();
        if let Some(told) = &mut self.told {
            // A reading with escapes resolved tells later than the text does.
            told.set_aside_before(self.last_at.saturating_sub(SCAN_FOLD_AROUND_BYTES as u64));
            let at = self.len.saturating_sub(repeated as u64);
            told.take_over_string(scope.told, at, piece.len());
        }
        if repeated > 0 {
            scope.told.note_growing();
        }
        if text.is_empty() {
            return;
        }
        (self.last_at, self.len) = (self.len, self.len + text.len() as u64);
        self.keep_tail(text);
        let is_full =
            |buffer: &PaddedBuffer| buffer.written().len() + text.len() > SCAN_LANE_PENDING_BYTES;
        if self.pending.as_ref().is_some_and(is_full) {
            self.tell(scope);
        }
        let buffer = self.pending.get_or_insert_with(|| {
            let mut buffer = scope.core.take_buffer();
            buffer.begin();
            buffer
        });
        buffer.extend(text);
    }

    fn keep_tail(&mut self, text: &[u8]) {
        let text = end_of(text);
        let stale = (self.tail.len() + text.len()).saturating_sub(SCAN_LANE_TAIL_BYTES);
        self.tail.drain(..stale);
        self.tail.extend_from_slice(text);
    }

    /// Scans what was added.
    fn tell(&mut self, scope: &mut Scope<'_>) {
        if let Some(mut buffer) = self.pending.take() {
            match &mut self.told {
                Some(told) => self.content.feed(buffer.padded(), &mut scope.of_another(told)),
                None => self.content.feed(buffer.padded(), scope),
            }
            scope.core.return_buffer(buffer);
        }
    }

    /// Whether a text of an event behind its last one is all of it once more.
    fn is_repeated_by(&self, text: &[u8], clock: u64) -> bool {
        self.len == text.len() as u64 && self.used_at < clock && text.ends_with(&self.tail)
    }

    /// Which stretch of it a text says once more, of an event that is not taken yet: the last piece, if it goes on from
    /// there in the same place; in another one the end.
    fn stretch_in(&self, key: u64, text: &[u8]) -> Option<Range<u64>> {
        let repeated = match key == self.key {
            true => Some(self.last.repeated_in(text, &self.tail)).filter(|len| *len < text.len()),
            false => self.ends_with(text).then_some(text.len()),
        };
        let len = repeated.filter(|len| *len > 0)? as u64;
        Some(self.len.saturating_sub(len)..self.len)
    }

    /// Whether it ends with a text that is all of it, or too long for chance.
    fn ends_with(&self, text: &[u8]) -> bool {
        let len = text.len() as u64;
        let is_much = text.len() >= SCAN_REPEATED_PIECE_MIN_BYTES && len <= self.len;
        let near = self.tail.get(self.tail.len().saturating_sub(text.len())..);
        (is_much || len == self.len) && text.ends_with(near.unwrap_or_default())
    }

    /// All of it, which a text of so many bytes repeats, seems to be here: what ends with it is told before the bytes
    /// that repeat it.
    fn seems_whole(&mut self, repeated: usize, scope: &mut Scope<'_>) {
        self.tell(scope);
        match &mut self.told {
            Some(told) => {
                told.take_over_string(scope.told, 0, repeated);
                self.content.seems_whole(&mut scope.of_another(told));
            }
            None => self.content.seems_whole(scope),
        }
    }

    fn finish(&mut self, scope: &mut Scope<'_>) {
        self.tell(scope);
        match &mut self.told {
            Some(told) => self.content.finish(&mut scope.of_another(told)),
            None => self.content.finish(scope),
        }
    }
}

/// What is kept of a text that may go on.
fn end_of(text: &[u8]) -> &[u8] {
    text.get(text.len().saturating_sub(SCAN_LANE_TAIL_BYTES)..).unwrap_or_default()
}

/// The lane of events that are no JSON.
const PLAIN: u64 = 0;
/// The key of a leaf that holds an event.
const INNER_KEY: &[u8] = b"bytes";
const DATA_KEY: &[u8] = b"data";
/// Keeps the lanes of events that others hold apart from theirs.
const INNER: u64 = 1 << 63;
/// Keeps the lanes of events of different kinds apart.
const KIND_SHIFT: u32 = 32;

impl Lanes {
    /// No event yet.
    pub(in crate::scan) fn new(place: Place) -> Lanes {
        Lanes {
            place: place.joined(),
            reader: Reader::new(),
            inner_reader: Reader::new(),
            lanes: Vec::new(),
            parted: VecDeque::new(),
            lost: 0,
            clock: 0,
            joins_plain: true,
            are_units: false,
        }
    }

    /// Of packets that come together: what is no JSON is none of them.
    pub(in crate::scan) fn of_packets(place: Place) -> Lanes {
        Lanes { joins_plain: false, ..Lanes::new(place) }
    }

    /// Of messages: those that are no JSON are joined by others. Their texts go on over the units that they are: their
    /// offsets are their own.
    pub(in crate::scan) fn of_messages(place: Place) -> Lanes {
        let place = Place { origin: None, ..place.joined() };
        Lanes { place, are_units: true, ..Lanes::of_packets(place) }
    }

    /// Adds the texts of one event to those that they go on from. [`Lanes::tell`] is to follow, when the events at
    /// hand are through.
    pub(in crate::scan) fn take(&mut self, event: &[u8], scope: &mut Scope<'_>) -> Event {
        self.take_named(0, event, scope)
    }

    /// Whether a text told anything.
    pub(in crate::scan) fn has_told(&self) -> bool {
        self.lanes.iter().any(|lane| lane.told.as_ref().is_some_and(Told::has_any))
    }

    /// Has the next event, of which these are the first bytes, know what it says once more of what was told: the last
    /// events of an answer repeat all of it. Of one that is not whole so far that is not known: it may be all of a text
    /// that goes on, or did lately.
    pub(in crate::scan) fn recall(&mut self, kind: u8, event: &[u8], told: &mut Told) {
        if !matches!(event.trim_ascii_start(), [b'{' | b'[', ..]) {
            return;
        }
        let of_kind = u64::from(kind) << KIND_SHIFT;
        let mut reader = std::mem::take(&mut self.reader);
        let is_whole = matches!(event.trim_ascii_end(), [b'{', .., b'}'] | [b'[', .., b']']);
        let visited = is_whole.then(|| {
            reader.visit(event, &mut |leaf| {
                for lane in &self.lanes {
                    let stretch = lane.stretch_in(leaf.lane ^ of_kind, leaf.text);
                    if let (Some(stretch), Some(own)) = (stretch, &lane.told) {
                        told.know(own, &stretch);
                    }
                }
            })
        });
        self.reader = reader;
        if !matches!(visited, Some(Ok(_))) {
            let oldest = self.clock.saturating_sub(SCAN_LANE_RECENT_EVENTS);
            for lane in self.lanes.iter().filter(|lane| lane.used_at >= oldest) {
                lane.told.iter().for_each(|own| told.know_joined(own));
            }
        }
    }

    /// The same of an event that says besides of what kind it is: each kind goes on from itself only.
    pub(in crate::scan) fn take_named(
        &mut self,
        kind: u8,
        event: &[u8],
        scope: &mut Scope<'_>,
    ) -> Event {
        let of_kind = u64::from(kind) << KIND_SHIFT;
        let mut reader = std::mem::take(&mut self.reader);
        self.clock += 1;
        let place = self.place.then(Step::Json);
        let visited = reader.visit(event, &mut |leaf| {
            if !self.takes_inner(&leaf, place, scope) {
                self.add(leaf.lane ^ of_kind, place, leaf.text, scope);
            }
        });
        self.reader = reader;
        let kind = match (visited, event.trim_ascii_start()) {
            (Err(_), _) => Event::Plain,
            (Ok(_), [b'{' | b'[' | b'"' | 0xef, ..]) => Event::Json,
            (Ok(_), _) => Event::Scalar,
        };
        if self.joins_plain && kind.is_plain(self.lanes.iter().any(|lane| lane.key == PLAIN)) {
            self.add(PLAIN, self.place, event, scope);
        }
        kind
    }

    /// Takes the event that a leaf holds, if it is one that is packed as Bedrock does it:
    /// `{"bytes":"eyJ0eXBlIjoi…"}`, or as Pusher does: `{"data":"{\"text\":…"}`. Such an event holds no further one.
    fn takes_inner(&mut self, leaf: &Leaf<'_>, place: Place, scope: &mut Scope<'_>) -> bool {
        match (leaf.key, leaf.text) {
            _ if self.place.is_deepest() => false,
            (DATA_KEY, [b'{', .., b'}']) if looks_like_json(leaf.text) == Some(true) => {
                self.take_inner(leaf.text, place.then(Step::Json), scope);
                true
            }
            (INNER_KEY, _) => self.takes_packed(leaf, place, scope),
            _ => false,
        }
    }

    fn takes_packed(&mut self, leaf: &Leaf<'_>, place: Place, scope: &mut Scope<'_>) -> bool {
        let mut decoded = scope.core.take_buffer();
        let taken = RunDecoder::new(Kind::Base64).feed(leaf.text, decoded.begin());
        let event = decoded.written();
        let is_inner = taken == leaf.text.len() && looks_like_json(event) == Some(true);
        if is_inner {
            self.take_inner(event, place.then(Step::Base64).then(Step::Json), scope);
        }
        scope.core.return_buffer(decoded);
        is_inner
    }

    fn take_inner(&mut self, event: &[u8], place: Place, scope: &mut Scope<'_>) {
        let mut reader = std::mem::take(&mut self.inner_reader);
        let visited =
            reader.visit(event, &mut |leaf| self.add(leaf.lane ^ INNER, place, leaf.text, scope));
        if visited.is_err() && self.joins_plain {
            self.add(PLAIN ^ INNER, place, event, scope);
        }
        self.inner_reader = reader;
    }

    /// The same of a message of protobuf, of which each string goes on from the one at its place in those before.
    /// Whether it is one that has any. What goes on elsewhere each time is no text: where very many have gone for good,
    /// each message is by itself.
    pub(in crate::scan) fn take_message(&mut self, message: &[u8], scope: &mut Scope<'_>) -> bool {
        let place = self.place.then(Step::Protobuf);
        self.clock += 1;
        visit_pieces(message, &mut |path, text| {
            if self.lost < SCAN_LANES_LOST_MAX {
                self.add(path, place, text, scope);
            } else {
                scope.sink.gap(Gap::Undecoded(text.len()));
            }
        })
    }

    /// Scans what events added since the last time.
    pub(in crate::scan) fn tell(&mut self, scope: &mut Scope<'_>) {
        self.lanes.iter_mut().for_each(|lane| lane.tell(scope));
    }

    /// The end of all of them.
    pub(in crate::scan) fn finish(&mut self, scope: &mut Scope<'_>) {
        self.lanes.iter_mut().for_each(|lane| lane.finish(scope));
        self.lanes.clear();
        self.parted.clear();
    }

    fn add(&mut self, key: u64, place: Place, text: &[u8], scope: &mut Scope<'_>) {
        for lane in &mut self.lanes {
            if lane.key != key && lane.is_repeated_by(text, self.clock) {
                lane.seems_whole(text.len(), scope);
            }
        }
        if !self.lanes.iter().any(|lane| lane.key == key) {
            let parted = self.parted.iter().position(|(parted, _)| *parted == key);
            let parted = parted.and_then(|at| self.parted.remove(at));
            if parted.is_none() && self.lost >= SCAN_LANES_LOST_WAITING {
                self.part(key, end_of(text).to_vec(), scope);
                return;
            }
            self.make_room(scope);
            let mut lane = Lane::new(key, place, self.are_units);
            if let Some((_, tail)) = parted {
                lane.add(&tail, scope);
            }
            self.lanes.push(lane);
        }
        let Some(lane) = self.lanes.iter_mut().find(|lane| lane.key == key) else { return };
        lane.used_at = self.clock;
        lane.add(text, scope);
    }

    /// Ends the text that nothing was added to for the longest time, if there is no room for one more. Its last
    /// bytes are kept in case that it goes on; that it may not any more is told.
    fn make_room(&mut self, scope: &mut Scope<'_>) {
        if self.lanes.len() < SCAN_LANES_MAX {
            return;
        }
        let oldest = self.lanes.iter().enumerate().min_by_key(|(_, lane)| lane.used_at);
        if let Some((place, _)) = oldest {
            let mut lane = self.lanes.swap_remove(place);
            lane.finish(scope);
            self.part(lane.key, lane.tail, scope);
        }
    }

    /// Keeps the last bytes of a text that has no room, or none yet: where texts come and go without end, each event
    /// by itself begins none, but waits for one that goes on from it.
    fn part(&mut self, key: u64, tail: Vec<u8>, scope: &mut Scope<'_>) {
        self.parted.push_back((key, tail));
        if self.parted.len() > SCAN_LANES_PARTED_MAX
            && let Some((_, tail)) = self.parted.pop_front()
        {
            self.lost += 1;
            scope.sink.gap(Gap::Undecoded(tail.len()));
        }
    }
}

#[cfg(test)]
mod tests {
    use data_encoding::BASE64;

    use crate::finding::Step;
    use crate::limits::{SCAN_LANES_MAX, SCAN_LANES_PARTED_MAX};
    use crate::scan::found::Gap;
    use crate::scan::tests::{Seen, scanner};
    use crate::scan::{PaddedBuffer, Scanner, Shape};

    /// A message of an AWS event stream, without headers.
    fn message(payload: &str) -> Vec<u8> {
        let total = 16 + payload.len() as u32;
        let prelude = [total, 0, 0].map(u32::to_be_bytes).concat();
        [&prelude, payload.as_bytes(), &[0; 4]].concat()
    }

    /// An event of a model that is packed into another one.
    fn packed(text: &str, pack: impl Fn(&str) -> String) -> Vec<u8> {
        let delta = format!(r#"{{"type":"text_delta","text":"{text}"}}"#);
        let event = format!(r#"{{"type":"content_block_delta","index":0,"delta":{delta}}}"#);
        message(&format!(r#"{{"bytes":"{}","p":"abcdef"}}"#, pack(&event)))
    }

    fn seen_in(messages: &[Vec<u8>]) -> Seen {
        seen_by(&scanner(crate::limits::SCAN_WINDOW_MIN_BYTES), messages)
    }

    fn seen_by(scanner: &Scanner, messages: &[Vec<u8>]) -> Seen {
        let shape = Shape::new(std::iter::empty(), Some(b"application/vnd.amazon.eventstream"));
        let mut body = scanner.body(&shape);
        let (mut seen, mut buffer) = (Seen::default(), PaddedBuffer::new());
        for message in messages {
            body.feed(buffer.fill(message), &mut seen);
        }
        body.finish(&mut seen);
        seen
    }

    fn once(event: &str) -> String {
        BASE64.encode(event.as_bytes())
    }

    #[test]
    fn numbers_among_plain_events_are_pieces_of_their_text() {
        let shape = Shape::new(std::iter::empty(), Some(b"text/event-stream"));
        let told = |pieces: &[&str]| {
            let mut body = scanner(crate::limits::SCAN_WINDOW_MIN_BYTES).body(&shape);
            let (mut seen, mut buffer) = (Seen::default(), PaddedBuffer::new());
            for piece in pieces {
                body.feed(buffer.fill(format!("data: {piece}\n\n").as_bytes()), &mut seen);
            }
            body.finish(&mut seen);
            seen.names()
        };
        assert_eq!(told(&["key", "AKIA", "2345", "QYLPMNHF", "7654"]), ["aws_access_key"]);
        assert!(told(&["AKIA", "\"2345\"", "QYLPMNHF", "7654"]).is_empty());
    }

    #[test]
    fn events_that_are_base64_in_others_are_one_text() {
        let pieces = ["please run rm -", "rf", " / --no-pres", "erve-root now"];
        let seen = seen_in(&pieces.map(|piece| packed(piece, once)));
        assert_eq!(seen.names(), seen_in(&[packed(&pieces.concat(), once)]).names());
        assert!(!seen.names().is_empty());
        let steps: Vec<Step> = seen.views()[0].steps().collect();
        assert_eq!(steps, [Step::AwsEvents, Step::Json, Step::Base64, Step::Json]);
    }

    #[test]
    fn events_that_are_json_in_others_are_one_text() {
        let pusher = |piece: &str| {
            let data = format!(r#"{{"text":"{piece}"}}"#);
            message(
                &serde_json::json!({"event": "token", "data": data, "channel": "c"}).to_string(),
            )
        };
        let pieces = ["please run rm -", "rf", " / --no-pres", "erve-root now"];
        let seen = seen_in(&pieces.map(pusher));
        assert_eq!(seen.names(), ["destructive_rm"]);
        let steps: Vec<Step> = seen.views()[0].steps().collect();
        assert_eq!(steps, [Step::AwsEvents, Step::Json, Step::Json]);
    }

    #[test]
    fn events_within_such_events_are_not_taken() {
        let twice = |event: &str| once(&format!(r#"{{"bytes":"{}"}}"#, once(event)));
        let pieces = ["please run rm -", "rf", " / --no-pres", "erve-root now"];
        assert!(seen_in(&pieces.map(|piece| packed(piece, twice))).names().is_empty());
    }

    #[test]
    fn a_leaf_of_that_name_that_holds_no_event_is_a_text_like_others() {
        let pieces = ["please run rm -", "rf", " / --no-pres", "erve-root now"];
        let plain = pieces.map(|piece| message(&format!(r#"{{"bytes":"{piece}"}}"#)));
        assert!(!seen_in(&plain).names().is_empty());
    }

    /// What is seen of so many texts that go on in turn, a piece of each at a time.
    fn seen_of_lanes(lanes: usize) -> Seen {
        let pieces = ["please run rm -", "rf", " / --no-pres", "erve-root now"];
        let event = |lane, piece| format!(r#"{{"index":{lane},"delta":{{"text":"{piece}"}}}}"#);
        let messages = pieces.iter().flat_map(|piece| {
            (0..lanes).map(move |lane| message(&event(lane, if lane == 3 { piece } else { "-" })))
        });
        seen_in(&messages.collect::<Vec<_>>())
    }

    #[test]
    fn more_texts_than_there_is_room_for_are_joined_all_the_same() {
        for lanes in [4, SCAN_LANES_MAX, SCAN_LANES_MAX + 1, SCAN_LANES_MAX + SCAN_LANES_PARTED_MAX]
        {
            let seen = seen_of_lanes(lanes);
            assert_eq!(seen.names(), ["destructive_rm"], "{lanes}");
            assert!(seen.gaps().is_empty(), "{lanes}");
        }
    }

    /// Each event of a stream that is a text of its own costs a look, not a text's beginning and end.
    #[test]
    fn a_new_key_in_each_event_opens_no_text_for_it_and_hides_none_that_goes_on() {
        let pieces = ["please run rm -", "rf", " / --no-pres", "erve-root now"];
        let stray = |number: usize| {
            message(&format!(r#"{{"key-{number}":{{"x":"{}"}}}}"#, "stray words ".repeat(10)))
        };
        let strays = |from: usize, count: usize| (from..from + count).map(stray);
        let mut messages: Vec<_> = strays(0, 2000).collect();
        let scanner = scanner(crate::limits::SCAN_WINDOW_MIN_BYTES);
        let engine_bytes = |messages: &[Vec<u8>]| {
            let before = scanner.engine_bytes();
            seen_by(&scanner, messages);
            scanner.engine_bytes() - before
        };
        let more: Vec<_> = strays(0, 4000).collect();
        let each = (engine_bytes(&more) - engine_bytes(&messages)) / 2000;
        assert!(each < stray(9999).len() as u64 + 60, "{each}");
        for (number, piece) in pieces.iter().enumerate() {
            messages.push(message(&format!(r#"{{"answer":{{"x":"{piece}"}}}}"#)));
            messages.extend(strays(10_000 + 100 * number, 100));
        }
        assert_eq!(seen_in(&messages).names(), ["destructive_rm"]);
    }

    #[test]
    fn a_text_that_can_be_joined_no_more_is_told() {
        let seen = seen_of_lanes(SCAN_LANES_MAX + SCAN_LANES_PARTED_MAX + 2);
        assert!(seen.gaps().contains(&Gap::Undecoded(1)), "{:?}", seen.gaps());
    }
}
