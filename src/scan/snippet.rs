//! The text of a finding: the match with its context, secrets masked, in visible characters.

use std::ops::Range;

use super::redact::{Redactor, Secret, headed, merge};
use crate::limits::{SNIPPET_CHARS, SNIPPET_CONTEXT_CHARS, SNIPPET_MATCH_CHARS};

/// What stands for the rest of a secret.
const MASK: &str = "...";
/// What stands for the middle of a match that is too long to be shown.
const ELISION: char = '…';
/// Bytes of context from which its characters are taken: enough for four bytes each.
const CONTEXT_BYTES: usize = 4 * SNIPPET_CONTEXT_CHARS;

/// A match in a text, and the secrets of that text.
pub(super) struct Scene<'a> {
    pub(super) text: &'a [u8],
    pub(super) matched: Range<usize>,
    /// What of the match is itself a secret.
    pub(super) secret: Option<Range<usize>>,
    /// In order, not overlapping.
    pub(super) secrets: &'a [Secret],
    /// Matches of rules that are secrets, and known values: hidden whatever else is shown. In order, not
    /// overlapping.
    pub(super) confirmed: &'a [Secret],
}

/// Renders a scene in at most `limits::SNIPPET_CHARS` characters.
pub(super) fn snippet(redactor: &Redactor, scene: &Scene<'_>) -> String {
    let (matched, mut secrets) = hidden(redactor, scene);
    secrets.extend_from_slice(scene.confirmed);
    merge(&mut secrets);
    let within = shortened(render(scene.text, matched.clone(), &secrets));
    framed(scene.text, matched, within, &secrets)
}

/// Renders a scene with a name in place of the match.
pub(super) fn named_snippet(redactor: &Redactor, scene: &Scene<'_>, name: &str) -> String {
    let (matched, mut secrets) = hidden(redactor, scene);
    secrets.extend_from_slice(scene.confirmed);
    secrets.push(Secret { start: matched.start, end: matched.end, shown: 0 });
    merge(&mut secrets);
    framed(scene.text, matched, shortened(name.chars().collect()), &secrets)
}

/// What stands for the match, with as much of its masked context as there is room for.
fn framed(text: &[u8], matched: Range<usize>, within: Vec<char>, secrets: &[Secret]) -> String {
    let left = char_start(text, matched.start.saturating_sub(CONTEXT_BYTES))..matched.start;
    let right = matched.end..text.len().min(matched.end.saturating_add(CONTEXT_BYTES));
    let right = right.start..right.end - incomplete_suffix(text, right.clone());
    let before = render(text, left, secrets);
    let after = render(text, right, secrets);
    let room = SNIPPET_CHARS.saturating_sub(within.len()) / 2;
    let context = room.min(SNIPPET_CONTEXT_CHARS);
    let skipped = before.len().saturating_sub(context);
    let mut shown = String::with_capacity(SNIPPET_CHARS);
    shown.extend(before.into_iter().skip(skipped));
    shown.extend(within);
    shown.extend(after.into_iter().take(context));
    shown
}

/// What is hidden of the context and the match, and where the match ends once it is hidden.
fn hidden(redactor: &Redactor, scene: &Scene<'_>) -> (Range<usize>, Vec<Secret>) {
    let mut matched = scene.matched.clone();
    let mut secrets = Vec::new();
    let near = matched.start.saturating_sub(CONTEXT_BYTES);
    let first = scene.secrets.partition_point(|secret| secret.end <= near);
    let mut own = scene.secret.clone().map(|secret| headed(scene.text, secret));
    for secret in scene.secrets.get(first..).unwrap_or_default() {
        if secret.start > matched.end.saturating_add(CONTEXT_BYTES) {
            break;
        }
        // From where on it is told as part of the match's own secret, or of the match.
        let front = own.map_or(matched.start, |own| own.start);
        let end = own.map_or(matched.end, |own| own.end);
        let touches = secret.start <= end && secret.end > front;
        if secret.start < front {
            secrets.push(Secret { end: secret.end.min(front), ..*secret });
        }
        match &mut own {
            // The match is part of what is hidden, and its head is what is shown of all that.
            Some(own) if touches => {
                if secret.start == own.start {
                    own.shown = own.shown.max(secret.shown);
                }
                own.end = own.end.max(secret.end);
                matched.end = matched.end.max(own.end);
            }
            // A command or a path in a hidden place: it is what the finding is about, so it is
            // shown, but for what is a secret in itself.
            None if touches && secret.start <= matched.start => {
                inner_secrets(redactor, scene, &mut secrets);
                let rest = Secret { start: matched.end, end: secret.end, shown: 0 };
                secrets.extend((rest.start < rest.end).then_some(rest));
            }
            _ if secret.start >= front => secrets.push(*secret),
            _ => {}
        }
    }
    secrets.extend(own);
    secrets.sort_unstable_by_key(|secret| secret.start);
    (matched, secrets)
}

fn inner_secrets(redactor: &Redactor, scene: &Scene<'_>, secrets: &mut Vec<Secret>) {
    let mut inner = Vec::new();
    let text = scene.text.get(scene.matched.clone()).unwrap_or_default();
    redactor.find(text, false, false, &mut inner);
    let shift = scene.matched.start;
    secrets.extend(inner.into_iter().map(|secret| Secret {
        start: secret.start + shift,
        end: secret.end + shift,
        ..secret
    }));
}

/// The visible characters of a range, secrets masked.
fn render(text: &[u8], range: Range<usize>, secrets: &[Secret]) -> Vec<char> {
    let mut characters = Vec::with_capacity(range.len().min(2 * SNIPPET_CHARS));
    let mut at = range.start;
    let first = secrets.partition_point(|secret| secret.end <= range.start);
    for secret in secrets.get(first..).unwrap_or_default() {
        if secret.start >= range.end {
            break;
        }
        let shown = secret.start.saturating_add(secret.shown).clamp(range.start, range.end);
        push_visible(text, at..shown, &mut characters);
        at = at.max(secret.end.min(range.end));
        if shown < at {
            characters.extend(MASK.chars());
        }
    }
    push_visible(text, at..range.end, &mut characters);
    characters
}

/// Most text is printable ASCII, and that part needs no decoding. Other characters have no such
/// byte in them, so none is cut here.
fn push_visible(text: &[u8], range: Range<usize>, characters: &mut Vec<char>) {
    for part in
        text.get(range).unwrap_or_default().chunk_by(|one, next| is_plain(one) == is_plain(next))
    {
        if part.first().is_some_and(is_plain) {
            characters.extend(part.iter().map(|byte| char::from(*byte)));
            continue;
        }
        for chunk in part.utf8_chunks() {
            characters.extend(chunk.valid().chars().map(visible));
            if !chunk.invalid().is_empty() {
                characters.push(char::REPLACEMENT_CHARACTER);
            }
        }
    }
}

fn is_plain(byte: &u8) -> bool {
    (b' '..=b'~').contains(byte)
}

/// Controls as their pictures (`␊`), and what would move, hide or break other text as `�`.
fn visible(character: char) -> char {
    match u32::from(character) {
        code @ 0..=0x1f => char::from_u32(0x2400 + code).unwrap_or(char::REPLACEMENT_CHARACTER),
        0x7f => '\u{2421}',
        // C1 controls, the soft hyphen, zero-width characters and marks of direction, line and
        // paragraph separators, invisible operators, the byte order mark, tag characters.
        0x80..=0x9f
        | 0xad
        | 0x61c
        | 0x180e
        | 0x200b..=0x200f
        | 0x2028..=0x202e
        | 0x2060..=0x206f
        | 0xfeff
        | 0xfff9..=0xfffb
        | 0xe0000..=0xe007f => char::REPLACEMENT_CHARACTER,
        _ => character,
    }
}

/// Both ends of a match that is too long to be shown whole.
fn shortened(mut characters: Vec<char>) -> Vec<char> {
    if characters.len() > SNIPPET_MATCH_CHARS {
        let tail = SNIPPET_MATCH_CHARS / 3;
        let head = SNIPPET_MATCH_CHARS - tail - 1;
        let tail_start = characters.len() - tail;
        characters.splice(head..tail_start, [ELISION]);
    }
    characters
}

/// The next place from `at` on that is not inside a UTF-8 character.
fn char_start(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    at + rest.iter().take(3).take_while(|byte| (0x80..0xc0).contains(*byte)).count()
}

/// How many bytes at the end of a range begin a character that the range cuts off.
fn incomplete_suffix(text: &[u8], range: Range<usize>) -> usize {
    let end = text.get(range).unwrap_or_default();
    let last = end.utf8_chunks().last().map(|chunk| chunk.invalid()).unwrap_or_default();
    match std::str::from_utf8(last) {
        Err(error) if error.error_len().is_none() => last.len(),
        _ => 0,
    }
}
