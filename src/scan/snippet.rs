//! The text of a finding: the match with its context, secrets masked, in visible characters.

use std::ops::Range;

use super::redact::{Redactor, Secret, decodings, find_beside, find_dumped, headed, merge};
use crate::limits::{SNIPPET_CHARS, SNIPPET_CONTEXT_CHARS, SNIPPET_MATCH_CHARS};

/// What stands for the rest of a secret.
const MASK: &str = "...";
/// What stands for the middle of a match that is too long to be shown.
const ELISION: &str = "…";
/// Bytes of context from which its characters are taken: enough for four bytes each.
const CONTEXT_BYTES: usize = 4 * SNIPPET_CONTEXT_CHARS;
/// How much further away the name of what stands there is looked for.
const NAME_BYTES: usize = 64;
/// The same where it is encoded: what tells a secret takes up to six times the room then.
const ENCODED_NAME_BYTES: usize = 6 * NAME_BYTES;
/// Of a match that is too long to be shown, what is decoded at either end.
const DECODED_MATCH_BYTES: usize = 8 * SNIPPET_MATCH_CHARS;

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

/// Memory that rendering needs, kept for the next snippet.
#[derive(Default)]
pub(super) struct Scratch {
    text: String,
    secrets: Vec<Secret>,
}

/// Renders a scene in at most `limits::SNIPPET_CHARS` characters.
pub(super) fn snippet(redactor: &Redactor, scene: &Scene<'_>, scratch: &mut Scratch) -> String {
    let matched = hidden(redactor, scene, &mut scratch.secrets);
    scratch.secrets.extend_from_slice(near(scene.confirmed, &matched));
    merge(&mut scratch.secrets);
    framed(redactor, scene.text, matched, None, scratch)
}

/// Renders a scene with a name in place of the match.
pub(super) fn named_snippet(
    redactor: &Redactor,
    scene: &Scene<'_>,
    name: &str,
    scratch: &mut Scratch,
) -> String {
    let matched = hidden(redactor, scene, &mut scratch.secrets);
    scratch.secrets.extend_from_slice(near(scene.confirmed, &matched));
    scratch.secrets.push(Secret { start: matched.start, end: matched.end, shown: 0 });
    merge(&mut scratch.secrets);
    framed(redactor, scene.text, matched, Some(name), scratch)
}

/// Those of `secrets` that a snippet of `matched` may show: a text may be full of others.
fn near<'a>(secrets: &'a [Secret], matched: &Range<usize>) -> &'a [Secret] {
    let first = matched.start.saturating_sub(CONTEXT_BYTES);
    let last = matched.end.saturating_add(CONTEXT_BYTES);
    let from = secrets.partition_point(|secret| secret.end < first);
    let to = secrets.partition_point(|secret| secret.start <= last);
    secrets.get(from..to).unwrap_or_default()
}

/// What stands for the match (or its name), shortened, with as much of its masked context as there is room for.
fn framed(
    redactor: &Redactor,
    text: &[u8],
    matched: Range<usize>,
    name: Option<&str>,
    scratch: &mut Scratch,
) -> String {
    let left = char_start(text, matched.start.saturating_sub(CONTEXT_BYTES))..matched.start;
    let right = matched.end..text.len().min(matched.end.saturating_add(CONTEXT_BYTES));
    let right = right.start..right.end - incomplete_suffix(text, right.clone());
    let Scratch { text: rendered, secrets } = scratch;
    let further = right.end.saturating_add(NAME_BYTES).min(text.len());
    for beside in [left.start.saturating_sub(NAME_BYTES)..left.end, right.start..further] {
        find_beside(text, beside.clone(), secrets);
        find_dumped(text, beside, secrets);
    }
    find_encoded(redactor, text, &matched, secrets);
    merge(secrets);
    rendered.clear();
    render(text, left, secrets, rendered);
    let before_bytes = rendered.len();
    match name {
        Some(name) => rendered.push_str(name),
        None => render(text, matched, secrets, rendered),
    }
    let within_bytes = rendered.len() - before_bytes;
    render(text, right, secrets, rendered);
    let (before, rest) = rendered.split_at_checked(before_bytes).unwrap_or_default();
    let (within, after) = rest.split_at_checked(within_bytes).unwrap_or_default();
    let (head, tail) = ends(within);
    let shown_chars = match tail {
        Some(_) => SNIPPET_MATCH_CHARS,
        None => head.chars().count(),
    };
    let context = (SNIPPET_CHARS.saturating_sub(shown_chars) / 2).min(SNIPPET_CONTEXT_CHARS);
    let (before, after) = (last_chars(before, context), first_chars(after, context));
    match tail {
        None => [before, head, after].concat(),
        Some(tail) => [before, head, ELISION, tail, after].concat(),
    }
}

/// What is shown of a match: all of it, or both ends of one that is too long.
fn ends(within: &str) -> (&str, Option<&str>) {
    if within.len() <= SNIPPET_MATCH_CHARS || within.chars().count() <= SNIPPET_MATCH_CHARS {
        return (within, None);
    }
    let tail = SNIPPET_MATCH_CHARS / 3;
    (first_chars(within, SNIPPET_MATCH_CHARS - tail - 1), Some(last_chars(within, tail)))
}

fn first_chars(text: &str, count: usize) -> &str {
    let end = text.char_indices().nth(count).map_or(text.len(), |(at, _)| at);
    text.get(..end).unwrap_or(text)
}

fn last_chars(text: &str, count: usize) -> &str {
    let start = match count.checked_sub(1) {
        Some(others) => text.char_indices().rev().nth(others).map_or(0, |(at, _)| at),
        None => text.len(),
    };
    text.get(start..).unwrap_or(text)
}

/// Where the match is once it is hidden; what is hidden of it and its context goes to `secrets`.
fn hidden(redactor: &Redactor, scene: &Scene<'_>, secrets: &mut Vec<Secret>) -> Range<usize> {
    let mut matched = scene.matched.clone();
    secrets.clear();
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
                inner_secrets(redactor, scene, secrets);
                let rest = Secret { start: matched.end, end: secret.end, shown: 0 };
                secrets.extend((rest.start < rest.end).then_some(rest));
            }
            _ if secret.start >= front => secrets.push(*secret),
            _ => {}
        }
    }
    secrets.extend(own);
    matched
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

/// Appends what the match and its context say of secrets once they are decoded as texts are that are looked through:
/// whoever reads a snippet can do the same.
fn find_encoded(
    redactor: &Redactor,
    text: &[u8],
    matched: &Range<usize>,
    secrets: &mut Vec<Secret>,
) {
    let reach = CONTEXT_BYTES + ENCODED_NAME_BYTES;
    let all =
        matched.start.saturating_sub(reach)..text.len().min(matched.end.saturating_add(reach));
    let front = matched.start.saturating_add(DECODED_MATCH_BYTES);
    let back = matched.end.saturating_sub(DECODED_MATCH_BYTES);
    if front >= back {
        find_decoded(redactor, text, all, matched, secrets);
        return;
    }
    let before = secrets.len();
    find_decoded(redactor, text, all.start..front, matched, secrets);
    find_decoded(redactor, text, back..all.end, matched, secrets);
    // What was not looked at must not come into sight instead of what is hidden.
    if secrets.len() > before {
        secrets.push(Secret { start: front, end: back, shown: 0 });
    }
}

fn find_decoded(
    redactor: &Redactor,
    text: &[u8],
    range: Range<usize>,
    matched: &Range<usize>,
    secrets: &mut Vec<Secret>,
) {
    let part = text.get(range.clone()).unwrap_or_default();
    let (is_cut_before, is_cut_after) = (range.start > 0, range.end < text.len());
    let mut found = Vec::new();
    let mut hide = |span: Range<usize>| {
        secrets.extend((!span.is_empty()).then_some(Secret {
            start: span.start,
            end: span.end,
            shown: 0,
        }));
    };
    for decoded in decodings(part) {
        let source = |secret: &Secret| {
            let source = decoded.source(secret.start..secret.end);
            range.start + source.start..range.start + source.end
        };
        let said = decoded.text();
        redactor.find(said, is_cut_before, is_cut_after, &mut found);
        for span in found.iter().map(source) {
            // A match that stands in a secret is what the finding is about, and shown but for the secrets in it.
            if span.start < matched.start && span.end > matched.start {
                hide(span.start..matched.start);
                hide(matched.end..span.end.max(matched.end));
            } else {
                hide(span);
            }
        }
        let inside =
            decoded.said_of(matched.start.saturating_sub(range.start)..matched.end - range.start);
        redactor.find(said.get(inside.clone()).unwrap_or_default(), false, false, &mut found);
        for secret in &mut found {
            (secret.start, secret.end) = (secret.start + inside.start, secret.end + inside.start);
        }
        found.iter().map(source).for_each(&mut hide);
        found.clear();
        find_beside(said, 0..said.len(), &mut found);
        let beside = found.iter().map(source);
        beside
            .filter(|span| span.end <= matched.start || span.start >= matched.end)
            .for_each(&mut hide);
    }
}

/// Appends the visible characters of a range, secrets masked.
fn render(text: &[u8], range: Range<usize>, secrets: &[Secret], characters: &mut String) {
    let mut at = range.start;
    let first = secrets.partition_point(|secret| secret.end <= range.start);
    for secret in secrets.get(first..).unwrap_or_default() {
        if secret.start >= range.end {
            break;
        }
        let shown = secret.start.saturating_add(secret.shown).clamp(range.start, range.end);
        push_visible(text, at..shown, characters);
        at = at.max(secret.end.min(range.end));
        if shown < at {
            characters.push_str(MASK);
        }
    }
    push_visible(text, at..range.end, characters);
}

/// Most text is printable ASCII, and that part needs no decoding. Other characters have no such
/// byte in them, so none is cut here.
fn push_visible(text: &[u8], range: Range<usize>, characters: &mut String) {
    let mut rest = text.get(range).unwrap_or_default();
    while let Some(first) = rest.first() {
        let is_alike = |byte: &&u8| match first {
            first if is_plain(first) => is_plain(byte),
            first => first.is_ascii() == byte.is_ascii() && !is_plain(byte),
        };
        let alike = rest.iter().take_while(is_alike).count();
        let (part, behind) = rest.split_at_checked(alike).unwrap_or((rest, &[]));
        rest = behind;
        match std::str::from_utf8(part) {
            Ok(plain) if is_plain(first) => characters.push_str(plain),
            Ok(controls) if first.is_ascii() => {
                characters.extend(controls.chars().map(visible));
            }
            _ => push_decoded(part, characters),
        }
    }
}

/// What is not ASCII, as far as it is UTF-8.
fn push_decoded(part: &[u8], characters: &mut String) {
    for chunk in part.utf8_chunks() {
        characters.extend(chunk.valid().chars().map(visible));
        if !chunk.invalid().is_empty() {
            characters.push(char::REPLACEMENT_CHARACTER);
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

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use proptest::prelude::*;

    use super::*;

    static REDACTOR: LazyLock<Redactor> = LazyLock::new(|| Redactor::new().unwrap());

    proptest! {
        #[test]
        fn secrets_that_are_far_away_change_nothing(
            text in "[ a-z\u{e9}]{0,1500}",
            cuts in proptest::collection::btree_set(0_usize..1500, 0..60),
            matched in (0_usize..1500, 0_usize..200),
            head in 0_usize..20,
        ) {
            let redactor = &*REDACTOR;
            let len = text.len();
            let start = matched.0.min(len);
            let matched = start..(start + matched.1).min(len);
            let cuts: Vec<usize> = cuts.into_iter().filter(|cut| *cut <= len).collect();
            let confirmed: Vec<Secret> = cuts
                .chunks_exact(2)
                .map(|pair| Secret { start: pair[0], end: pair[1], shown: head.min(pair[1] - pair[0]) })
                .collect();
            let text = text.as_bytes();
            let scene = Scene { text, matched, secret: None, secrets: &[], confirmed: &confirmed };
            let mut scratch = Scratch::default();
            let shown = snippet(redactor, &scene, &mut scratch);
            let matched = hidden(redactor, &scene, &mut scratch.secrets);
            scratch.secrets.extend_from_slice(&confirmed);
            merge(&mut scratch.secrets);
            prop_assert_eq!(shown, framed(redactor, text, matched, None, &mut scratch));
        }
    }
}
