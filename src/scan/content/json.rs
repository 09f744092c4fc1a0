//! JSON, read as what its strings say. That text takes the place of the bytes: all but the escapes is as it
//! was, so nothing is scanned twice. The elements of an array that is streamed are joined besides, and so are texts
//! that follow one another a line each, whether or not they were announced so: if the first one comes alone, or if they
//! look like the events of a stream.

use super::first_lines::{FirstLines, first_lines};
use super::kind::opening;
use super::lanes::Lanes;
use super::repeats::Repeats;
use crate::finding::Step;
use crate::limits::{SCAN_FIRST_LINE_MAX_BYTES, SCAN_WORK_BYTES};
use crate::scan::padded::Padded;
use crate::scan::text::{Place, Scope, Text};
use crate::scan::view::json::{
    ArraySplitter, Asides, EventSplitter, Lines, Text as Unescaped, Unescaper,
};

/// One JSON text.
pub(super) struct JsonText {
    place: Place,
    is_array: bool,
    said: Said,
    repeats: Repeats,
    elements: Elements,
    asides: Asides,
    /// What its strings say together, as soon as there is any.
    commands: Option<Text>,
    calls: Option<Text>,
    settings: Option<Text>,
    pairs: Option<Text>,
    triples: Option<Text>,
}

type NewText = fn(Place, &mut Scope<'_>) -> Text;

/// What its strings say, in the order and among the bytes that they stand in.
pub(super) struct Said {
    pub(super) unescaper: Unescaper,
    pub(super) text: Text,
}

impl Said {
    /// The next bytes; `more`: others follow at once.
    pub(super) fn read(&mut self, bytes: Padded<'_>, more: bool, scope: &mut Scope<'_>) {
        let mut out = scope.core.take_buffer();
        let mut pieces = bytes.windows(SCAN_WORK_BYTES).peekable();
        while let Some(piece) = pieces.next() {
            let text = match self.unescaper.feed(piece.bytes(), out.begin()) {
                Unescaped::Unchanged => piece,
                Unescaped::Written => out.padded(),
            };
            if more || pieces.peek().is_some() {
                self.text.feed_more(text, scope);
            } else {
                self.text.feed(text, scope);
            }
        }
        scope.core.return_buffer(out);
    }

    /// The end.
    pub(super) fn finish(&mut self, scope: &mut Scope<'_>) {
        let mut out = scope.core.take_buffer();
        self.unescaper.finish(out.begin());
        self.text.feed(out.padded(), scope);
        scope.core.return_buffer(out);
        self.text.finish(scope);
    }
}

/// What of it may be the events of a stream.
enum Elements {
    Unknown,
    None,
    /// The first line, if it is whole, and others follow; kept as far as it came.
    FirstLine(Vec<u8>),
    /// The same of several that came at once.
    FirstLines(Vec<u8>),
    Joined(Box<Joined>),
}

/// The events, and what they are together.
struct Joined {
    splitter: Splitter,
    lanes: Lanes,
}

enum Splitter {
    /// The elements of an array, or one value behind the other.
    Elements(ArraySplitter),
    Sse(EventSplitter),
}

impl JsonText {
    /// Nothing read yet.
    pub(super) fn new(place: Place, scope: &mut Scope<'_>) -> JsonText {
        JsonText { repeats: Repeats::default(), ..JsonText::behind(Text::new(place, scope), place) }
    }

    /// The same behind what a text said so far.
    pub(super) fn behind(text: Text, place: Place) -> JsonText {
        JsonText {
            place,
            is_array: false,
            said: Said { unescaper: Unescaper::new(), text: text.then(Step::Json) },
            repeats: Repeats::behind(),
            elements: if place.is_joined { Elements::None } else { Elements::Unknown },
            asides: Asides::new(place.is_joined),
            commands: None,
            calls: None,
            settings: None,
            pairs: None,
            triples: None,
        }
    }

    /// The same of what is server-sent events to those who believe its name.
    pub(super) fn or_events(place: Place, scope: &mut Scope<'_>) -> JsonText {
        let mut json = JsonText::new(place, scope);
        if !place.is_joined {
            let splitter = Splitter::Sse(EventSplitter::new());
            json.elements = Joined::elements(splitter, place.then(Step::Sse));
        }
        json
    }

    pub(super) fn feed(&mut self, bytes: Padded<'_>, scope: &mut Scope<'_>) {
        self.begin(bytes.bytes());
        // What the lines of a stream say together comes first, as that of other events: each may say all so far.
        let is_of_lines = !self.is_array;
        if is_of_lines {
            self.join(bytes.bytes(), scope);
        }
        self.repeats.feed(&mut self.said, bytes, self.place, scope);
        if !is_of_lines {
            self.join(bytes.bytes(), scope);
        }
        self.read_asides(bytes.bytes(), scope);
    }

    /// As [`Repeats::waits`].
    pub(super) fn waits(&self) -> bool {
        self.repeats.waits()
    }

    /// As [`Repeats::settle`].
    pub(super) fn settle(&mut self, scope: &mut Scope<'_>) {
        self.repeats.settle(&mut self.said, scope);
    }

    /// Reads what several strings say together, behind what each says.
    fn read_asides(&mut self, bytes: &[u8], scope: &mut Scope<'_>) {
        let mut lines = Lines::default();
        self.asides.feed(bytes, &mut lines);
        let place = self.place.deeper().then(Step::Json);
        for (line, text, new, step) in [
            (&lines.commands, &mut self.commands, Text::unfolded as NewText, Step::Argv),
            (&lines.calls, &mut self.calls, Text::of_calls, Step::Argv),
            (&lines.settings, &mut self.settings, Text::unfolded, Step::Setting),
            // What a pair says a triple says as well: told once, since it stands in two texts.
            (&lines.pairs, &mut self.pairs, Text::unfolded, Step::RichText),
            (&lines.triples, &mut self.triples, Text::unfolded, Step::RichText),
        ] {
            if !line.is_empty() {
                let text = text.get_or_insert_with(|| new(place.then(step), scope));
                let mut buffer = scope.core.take_buffer();
                text.feed(buffer.fill(line), scope);
                scope.core.return_buffer(buffer);
            }
        }
    }

    pub(super) fn finish(&mut self, scope: &mut Scope<'_>) {
        self.repeats.finish(&mut self.said, scope);
        let texts = [&mut self.commands, &mut self.calls, &mut self.settings];
        let of_siblings = [&mut self.pairs, &mut self.triples];
        for text in texts.into_iter().chain(of_siblings).flatten() {
            text.finish(scope);
        }
        if let Elements::Joined(joined) = &mut self.elements {
            joined.finish(scope);
        }
    }

    /// What it is by its first byte.
    fn begin(&mut self, bytes: &[u8]) {
        if !matches!(self.elements, Elements::Unknown) {
            return;
        }
        let Some(first) = opening(bytes).first() else { return };
        self.is_array = *first == b'[';
        self.elements = match *first {
            b'[' => {
                let splitter = Splitter::Elements(ArraySplitter::new());
                Joined::elements(splitter, self.said.text.place().beside(Step::JsonArray))
            }
            b'{' => Elements::FirstLine(Vec::new()),
            _ => Elements::None,
        };
    }

    fn join(&mut self, bytes: &[u8], scope: &mut Scope<'_>) {
        match &mut self.elements {
            Elements::Joined(joined) => joined.take(bytes, scope),
            Elements::FirstLine(line) => {
                let line = std::mem::take(line);
                self.elements = self.behind_line(line, bytes, scope);
            }
            Elements::FirstLines(lines) => {
                let lines = std::mem::take(lines);
                self.elements = self.behind_lines(lines, bytes, scope);
            }
            Elements::Unknown | Elements::None => {}
        }
    }

    /// What is known once these bytes came behind the others.
    fn behind_line(&self, mut came: Vec<u8>, bytes: &[u8], scope: &mut Scope<'_>) -> Elements {
        let kept = came.len();
        let piece = first_of(bytes, kept);
        // The lines of a stream come one by one. What comes with others at once is a file, if it does not look like
        // the events of one: under a name that promises no lines it is read as it stands.
        if kept == 0 && !may_be_first_line(piece) {
            return self.behind_lines(came, bytes, scope);
        }
        let begins = (kept > 0).then(|| {
            came.extend_from_slice(piece);
            begins_lines(&came)
        });
        match begins.flatten() {
            None if kept + piece.len() < SCAN_FIRST_LINE_MAX_BYTES => {
                if kept == 0 {
                    came.extend_from_slice(piece);
                }
                Elements::FirstLine(came)
            }
            Some(true) => self.lines(came.get(..kept).unwrap_or_default(), bytes, scope),
            None | Some(false) => Elements::None,
        }
    }

    /// The same where the first lines came at once.
    fn behind_lines(&self, mut came: Vec<u8>, bytes: &[u8], scope: &mut Scope<'_>) -> Elements {
        let kept = came.len();
        came.extend_from_slice(first_of(bytes, kept));
        match first_lines(opening(&came)) {
            FirstLines::Deltas => self.lines(came.get(..kept).unwrap_or_default(), bytes, scope),
            FirstLines::Open if came.len() < SCAN_FIRST_LINE_MAX_BYTES => {
                Elements::FirstLines(came)
            }
            FirstLines::Open | FirstLines::Others => Elements::None,
        }
    }

    /// The events of a stream, the first bytes of which were kept.
    fn lines(&self, kept: &[u8], bytes: &[u8], scope: &mut Scope<'_>) -> Elements {
        let splitter = Splitter::Elements(ArraySplitter::new());
        let mut joined = Joined::new(splitter, self.place.then(Step::Ndjson));
        joined.take(kept, scope);
        joined.take(bytes, scope);
        Elements::Joined(Box::new(joined))
    }
}

/// What may be kept of some bytes behind so many others.
fn first_of(bytes: &[u8], kept: usize) -> &[u8] {
    bytes.get(..SCAN_FIRST_LINE_MAX_BYTES.saturating_sub(kept)).unwrap_or(bytes)
}

impl Joined {
    fn new(splitter: Splitter, place: Place) -> Joined {
        Joined { splitter, lanes: Lanes::new(place) }
    }

    fn elements(splitter: Splitter, place: Place) -> Elements {
        Elements::Joined(Box::new(Joined::new(splitter, place)))
    }

    fn take(&mut self, bytes: &[u8], scope: &mut Scope<'_>) {
        let lanes = &mut self.lanes;
        let mut take = |event: &[u8]| {
            lanes.take(event, scope);
        };
        match &mut self.splitter {
            Splitter::Elements(splitter) => splitter.feed(bytes, &mut take),
            Splitter::Sse(splitter) => splitter.feed(bytes, &mut take),
        }
        self.lanes.tell(scope);
    }

    fn finish(&mut self, scope: &mut Scope<'_>) {
        if let Splitter::Sse(splitter) = &mut self.splitter {
            let lanes = &mut self.lanes;
            splitter.finish(&mut |event| {
                lanes.take(event, scope);
            });
        }
        self.lanes.finish(scope);
    }
}

/// Whether a first line is one JSON text to its end, and another one follows; none: that is not here yet.
fn begins_lines(head: &[u8]) -> Option<bool> {
    let (line, behind) = first_line(head)?;
    if !is_object(line) {
        return Some(false);
    }
    behind.first().map(|first| *first == b'{')
}

/// Whether nothing has come behind a first line that is one JSON text to its end, as far as it came.
fn may_be_first_line(head: &[u8]) -> bool {
    first_line(head).is_none_or(|(line, behind)| behind.is_empty() && is_object(line))
}

/// What may stand between two texts instead of a line's end (SignalR, RFC 7464).
const RECORD_SEPARATOR: u8 = 0x1e;

/// The first line, if it has ended, and what is behind it.
fn first_line(head: &[u8]) -> Option<(&[u8], &[u8])> {
    let text = opening(head);
    let end = memchr::memchr3(b'\n', b'\r', RECORD_SEPARATOR, text)?;
    let (line, behind) = text.split_at_checked(end).unwrap_or((text, &[]));
    Some((line.trim_ascii_end(), opening(behind)))
}

fn is_object(line: &[u8]) -> bool {
    line.ends_with(b"}") && is_value(line)
}

/// Whether a line is one value to its end.
fn is_value(line: &[u8]) -> bool {
    let (mut splitter, mut first) = (ArraySplitter::new(), None);
    splitter.feed(line, &mut |element| {
        first.get_or_insert(element.len());
    });
    first == Some(line.len())
}
