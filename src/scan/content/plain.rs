//! The plain texts that messages are joined to: what is typed into a terminal, and what one shows, arrives in
//! messages of a few bytes each, and so may what a model writes.

use super::{Content, Media};
use crate::limits::{
    SCAN_CHANNELS_MAX, SCAN_FOLD_AROUND_BYTES, SCAN_JOINED_END_BYTES, SCAN_JOINED_MESSAGE_BYTES,
    SCAN_PAUSE_MIN_BYTES, TOKEN_MIN_BYTES,
};
use crate::scan::kept::{Kept, last};
use crate::scan::rules::is_of_word;
use crate::scan::text::{Place, Scope};
use crate::scan::told::Told;

/// The joined texts of the messages of one direction: one, or one a channel.
pub(in crate::scan) struct PlainTexts {
    place: Place,
    texts: Vec<PlainText>,
    /// Whether each message so far began with the number of its channel.
    has_channels: bool,
}

impl PlainTexts {
    /// No message yet.
    pub(in crate::scan) fn new(place: Place) -> PlainTexts {
        // It goes on over the units that its messages are: its offsets are its own.
        let place = Place { is_joined: true, ..place };
        PlainTexts { place, texts: Vec::new(), has_channels: true }
    }

    /// Whether there was a message.
    pub(in crate::scan) fn is_begun(&self) -> bool {
        !self.texts.is_empty()
    }

    /// The next message, which `scope` was told of already. Of a long one the ends are joined to others.
    pub(in crate::scan) fn take(&mut self, message: &Kept, scope: &mut Scope<'_>) {
        let bytes = message.bytes();
        if bytes.is_empty() {
            return;
        }
        let channel = self.channel_of(bytes, scope);
        let place = self.place;
        let Some(text) = self.text(channel) else { return };
        let at = usize::from(channel.is_some());
        if message.len() <= SCAN_JOINED_MESSAGE_BYTES {
            text.add(bytes.get(at..).unwrap_or_default(), at, place, scope);
            return text.pause(scope);
        }
        text.add(bytes.get(at..SCAN_JOINED_END_BYTES).unwrap_or_default(), at, place, scope);
        let tail = behind_blank(last(bytes, SCAN_JOINED_END_BYTES));
        text.begin(tail, message.len() - tail.len(), scope.told);
    }

    /// The end of all of them.
    pub(in crate::scan) fn finish(&mut self, scope: &mut Scope<'_>) {
        for PlainText { content, told, .. } in &mut self.texts {
            if let Some(content) = content {
                content.finish(&mut scope.of_another(told));
            }
        }
        self.texts.clear();
    }

    /// The channel that a message names in front, as those of a terminal do: Kubernetes by a number, ttyd and its
    /// kin by a digit. A text that only begins so does not go on so.
    fn channel_of(&mut self, message: &[u8], scope: &mut Scope<'_>) -> Option<u8> {
        match message {
            [channel @ ..=4, ..] | [channel @ b'0'..=b'4', _, ..] if self.has_channels => {
                Some(*channel)
            }
            _ => {
                self.leave_channels(scope);
                None
            }
        }
    }

    /// What seemed to be channels are none. A single message of them is the text's first; what waits in others is told.
    fn leave_channels(&mut self, scope: &mut Scope<'_>) {
        if !std::mem::take(&mut self.has_channels) {
            return;
        }
        match self.texts.as_mut_slice() {
            [PlainText { channel, first, content: None, .. }] => {
                first.splice(0..0, channel.take());
            }
            _ => self.finish(scope),
        }
    }

    /// The text of a channel; none if there are as many as there may be.
    fn text(&mut self, channel: Option<u8>) -> Option<&mut PlainText> {
        if !self.texts.iter().any(|text| text.channel == channel) {
            if self.texts.len() >= SCAN_CHANNELS_MAX {
                return None;
            }
            self.texts.push(PlainText { channel, ..PlainText::default() });
        }
        self.texts.iter_mut().find(|text| text.channel == channel)
    }
}

/// What messages are together.
#[derive(Default)]
struct PlainText {
    channel: Option<u8>,
    /// The only message so far.
    first: Vec<u8>,
    /// From the second message on.
    content: Option<Content>,
    /// What was told lately of it, and of its messages by themselves: that is no news in it.
    told: Told,
    len: u64,
    /// Where the last message begins.
    last_at: u64,
    /// How long the word is that it ends with.
    word_len: usize,
    /// Whether what was said last may be all for a while.
    may_pause: bool,
}

impl PlainText {
    /// Begins anew with what stands at `at` in a message.
    fn begin(&mut self, piece: &[u8], at: usize, told: &Told) {
        self.content = None;
        self.first = piece.to_vec();
        self.told.clear();
        self.told.take_over(told, at as u64, 0);
        (self.last_at, self.len) = (0, piece.len() as u64);
        self.word_len = word_at_end(piece);
    }

    /// Goes on with what stands at `at` in a message.
    fn add(&mut self, piece: &[u8], at: usize, place: Place, scope: &mut Scope<'_>) {
        // The same once more at the start is a heartbeat, for which no memory is taken.
        if self.content.is_none() && (self.first.is_empty() || self.first == piece) {
            return self.begin(piece, at, scope.told);
        }
        // A reading with escapes resolved tells later than the text does.
        self.told.forget_before(self.last_at.saturating_sub(SCAN_FOLD_AROUND_BYTES as u64));
        self.told.take_over(scope.told, at as u64, self.len);
        let len = self.len + piece.len() as u64;
        let recent = len - self.last_at;
        (self.last_at, self.len) = (self.len, len);
        self.may_pause = recent >= SCAN_PAUSE_MIN_BYTES;
        let word_len = word_at_end(piece);
        self.word_len = if word_len == piece.len() { self.word_len + word_len } else { word_len };
        let mut buffer = scope.core.take_buffer();
        buffer.begin().extend_from_slice(&std::mem::take(&mut self.first));
        buffer.extend(piece);
        let content = self.content.get_or_insert_with(|| Content::new(place, Media::Typed));
        content.feed(buffer.padded(), &mut scope.of_another(&mut self.told));
        scope.core.return_buffer(buffer);
    }

    /// No message may follow for a long time: a token that ends here is told, if it is not just being typed.
    fn pause(&mut self, scope: &mut Scope<'_>) {
        let is_token = self.may_pause && self.word_len >= TOKEN_MIN_BYTES;
        if let Some(content) = self.content.as_mut().filter(|_| is_token) {
            content.pause(&mut scope.of_another(&mut self.told));
        }
    }
}

/// How long the word is that a text ends with.
fn word_at_end(text: &[u8]) -> usize {
    text.iter().rev().take_while(|byte| is_of_word(**byte)).count()
}

/// What follows the first blank, so that a text does not begin within a word; all if there is none.
fn behind_blank(text: &[u8]) -> &[u8] {
    let blank = text.iter().position(u8::is_ascii_whitespace);
    blank.and_then(|blank| text.get(blank + 1..)).unwrap_or(text)
}
