//! The stretches of a text around escapes, each read once more with the escapes resolved.

use memchr::{memchr, memrchr};

use super::{Place, Scope, Text};
use crate::finding::{Step, View};
use crate::limits::{
    CLEAN_BLOCK_FOLDED_AWAY_MAX_BYTES, SCAN_FOLD_AROUND_BYTES, SCAN_FOLD_SEAM_BYTES,
};
use crate::scan::padded::PaddedBuffer;
use crate::scan::told::Reading;
use crate::scan::view::fold::{self, Folder, Kinds};

/// A stretch around escapes, read with them resolved.
pub(super) struct Folded {
    folder: Folder,
    /// The view of the outer text.
    view: View,
    text: Text,
    /// How many bytes of the outer text still belong to it.
    left: usize,
    /// How many bytes of the outer text were read.
    read: u64,
    /// How many bytes the outer text had not got of what it is a reading of.
    dropped_before: u64,
    /// Whether it ends with its line.
    is_of_line: bool,
    /// What it goes on with.
    next_trigger: NextTrigger,
}

/// The longest character of UTF-8.
const CHAR_MAX_BYTES: usize = 4;

/// Where folding is worth a look.
type NextTrigger = fn(&[u8], usize) -> Option<usize>;

impl Text {
    /// Reads the stretches around escapes once more, with the escapes resolved.
    pub(super) fn fold(&mut self, window: &[u8], scope: &mut Scope<'_>) {
        let mut at = 0;
        let next_trigger = next_trigger_in(self.place.view);
        if self.folded.is_none()
            && let Some(back) = self.trigger_across(window, next_trigger)
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
            } else if let Some(trigger) = next_trigger(window, at) {
                self.folded = Some(self.open_fold(window, trigger, 0, scope));
                at = trigger;
            } else {
                break;
            }
        }
    }

    /// An escape that began before the window: how many bytes before. A letter at its front may be one by what stands
    /// before it.
    fn trigger_across(&self, window: &[u8], next_trigger: NextTrigger) -> Option<usize> {
        let mut seam = [0; 2 * SCAN_FOLD_SEAM_BYTES];
        let (seam, old) = self.stream.seam(window, &mut seam);
        let trigger = next_trigger(seam, 0)?;
        old.checked_sub(trigger)
    }

    /// A stretch that begins some way before `at` in the window, or before the `back` bytes in front of it.
    fn open_fold(
        &mut self,
        window: &[u8],
        at: usize,
        back: usize,
        scope: &mut Scope<'_>,
    ) -> Box<Folded> {
        let (mut old, mut new) = self.stream.before(window, at, SCAN_FOLD_AROUND_BYTES + back);
        let at_trigger = old.iter().skip(old.len().saturating_sub(back)).take(back);
        let mut trigger = [0; CHAR_MAX_BYTES];
        let bytes = at_trigger.chain(window.iter().skip(at));
        trigger.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        let is_form = is_in_form(self.place.view) && matches!(trigger.first(), Some(b'%' | b'+'));
        let folder = if is_form { Folder::of_form() } else { Folder::new() };
        if self.is_of_lines {
            (old, new) = match memrchr(b'\n', new) {
                Some(end) => (&[][..], new.get(end + 1..).unwrap_or_default()),
                None => (behind_last_line(old), new),
            };
        }
        let start = self.stream.offset() + at as u64 - (old.len() + new.len()) as u64;
        let mut text = Text::new(self.place.within(start), scope);
        text.reading_of = Some(Box::new(self.read_again(start)));
        let mut folded = Box::new(Folded {
            folder: folder.with_trigger(&trigger),
            next_trigger: next_trigger_in(self.place.view),
            view: self.place.view,
            text,
            left: SCAN_FOLD_AROUND_BYTES,
            read: 0,
            dropped_before: self.dropped(),
            is_of_line: self.is_of_lines,
        });
        folded.feed(old, scope);
        folded.feed(new, scope);
        folded
    }

    /// What another reading of this text from `start` on is.
    pub(super) fn read_again(&self, start: u64) -> Reading {
        let is_of_unit = self.place.origin.is_none();
        Reading { of: self.number, start, dropped: self.dropped(), is_of_unit }
    }

    /// How many bytes of what it is a reading of it has not got.
    fn dropped(&self) -> u64 {
        self.reading_of.as_ref().map_or(0, |reading| reading.dropped)
    }
}

/// Whether a text was written as a form, or in a query: what it holds may be one again.
fn is_in_form(view: View) -> bool {
    view.steps().any(|step| matches!(step, Step::Form | Step::Percent))
}

/// What of a text seen so is worth a look. Of what was escaped once, a plus was written as it stands in a path.
fn next_trigger_in(view: View) -> NextTrigger {
    let escaped = view.steps().filter(|step| *step == Step::Percent).count();
    let is_form = escaped > 1 || view.steps().any(|step| step == Step::Form);
    if is_form { fold::next_form_trigger } else { fold::next_trigger }
}

/// What of these bytes is of the last line.
fn behind_last_line(bytes: &[u8]) -> &[u8] {
    let end = memrchr(b'\n', bytes).map_or(0, |end| end + 1);
    bytes.get(end..).unwrap_or_default()
}

impl Folded {
    /// How many of the next bytes belong to the stretch.
    fn reach(&mut self, bytes: &[u8]) -> usize {
        let mut from = 0;
        while from < self.left.min(bytes.len())
            && let Some(trigger) = (self.next_trigger)(bytes, from)
            && trigger < self.left
        {
            self.left = trigger + SCAN_FOLD_AROUND_BYTES;
            from = trigger + 1;
        }
        let len = self.left.min(bytes.len());
        let line_end =
            memchr(b'\n', bytes.get(..len).unwrap_or_default()).filter(|_| self.is_of_line);
        if let Some(end) = line_end {
            self.left = 0;
            return end + 1;
        }
        self.left -= len;
        len
    }

    fn feed(&mut self, bytes: &[u8], scope: &mut Scope<'_>) {
        let mut out = scope.core.take_buffer();
        self.read += bytes.len() as u64;
        self.folder.feed(bytes, out.begin());
        self.pass_on(&mut out, scope);
        scope.core.return_buffer(out);
    }

    /// As [`Text::is_settled`]. What was folded away lets it reach further back.
    pub(super) fn is_settled(&self) -> bool {
        let away = self.read.saturating_sub(self.text.stream.offset());
        away <= CLEAN_BLOCK_FOLDED_AWAY_MAX_BYTES
            && !self.folder.is_disguised()
            && self.text.is_settled()
    }

    pub(super) fn finish(mut self: Box<Self>, scope: &mut Scope<'_>) {
        let mut out = scope.core.take_buffer();
        self.folder.finish(out.begin());
        self.pass_on(&mut out, scope);
        scope.core.return_buffer(out);
        self.text.finish(scope);
    }

    fn pass_on(&mut self, out: &mut PaddedBuffer, scope: &mut Scope<'_>) {
        let said = self.text.stream.offset() + out.written().len() as u64;
        if let Some(reading) = &mut self.text.reading_of {
            reading.dropped = self.dropped_before + self.read.saturating_sub(said);
        }
        let view = steps_of(self.folder.kinds()).fold(self.view, View::then);
        self.text.place = Place { view, ..self.text.place };
        self.text.feed(out.padded(), scope);
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
        (Kinds::ANSI, Step::Ansi),
        (Kinds::MARKDOWN, Step::Markdown),
        (Kinds::FORM, Step::Form),
    ]
    .into_iter()
    .filter(move |(kind, _)| kinds.contains(*kind))
    .map(|(_, step)| step)
}
