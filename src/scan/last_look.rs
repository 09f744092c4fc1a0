//! The last look at a snippet: whatever of it is still a secret to any rule, or a known value, is hidden.

use std::ops::Range;
use std::sync::Arc;

use super::database::{Database, DatabaseError};
use super::found::{Gap, Match, MatchSink};
use super::known_values::KnownValues;
use super::padded::PaddedBuffer;
use super::redact::{Secret, headed, merge};
use super::scanner::Scanner;
use crate::limits::{LAST_LOOK_LEN, LAST_LOOK_WINDOW_BYTES};

/// Looks at snippets, on one thread.
pub struct LastLook {
    scanner: Scanner,
    known: Option<Arc<KnownValues>>,
    buffer: PaddedBuffer,
}

/// Notes where secrets are, and wants no snippet of them.
#[derive(Default)]
struct Spans(Vec<Range<usize>>);

impl MatchSink for Spans {
    fn wants(&mut self, found: &Match<'_>) -> bool {
        if found.rule.is_secret {
            let start = usize::try_from(found.at).unwrap_or(usize::MAX);
            let start = start.saturating_add(found.secret_at);
            self.0.push(start..start.saturating_add(found.secret.len()));
        }
        false
    }

    fn found(&mut self, _found: &Match<'_>, _snippet: String) {}
}

/// Whether anything is a secret, or could not be looked at.
#[derive(Default)]
struct Doubt(bool);

impl MatchSink for Doubt {
    fn wants(&mut self, found: &Match<'_>) -> bool {
        self.0 |= found.rule.is_secret;
        false
    }

    fn found(&mut self, _found: &Match<'_>, _snippet: String) {}

    fn gap(&mut self, _gap: Gap) {
        self.0 = true;
    }
}

/// Stands between snippets that are looked at together: to an expression it is the end of a word and of a line.
const BETWEEN: &[u8] = b"\n";

impl LastLook {
    pub fn new(
        database: &Arc<Database>,
        known: Option<Arc<KnownValues>>,
    ) -> Result<LastLook, DatabaseError> {
        let scanner = Scanner::new(database, LAST_LOOK_WINDOW_BYTES)?;
        Ok(LastLook { scanner, known, buffer: PaddedBuffer::new() })
    }

    /// Hides what the snippets still hold. Most hold nothing: many are looked at together, and each by itself only
    /// where something is found.
    pub fn mask(&mut self, snippets: &mut [&mut String]) {
        for together in snippets.chunks_mut(LAST_LOOK_LEN) {
            if together.len() > 1 && !self.is_in_doubt(together) {
                continue;
            }
            for snippet in together {
                if let Some(masked) = self.masked(snippet) {
                    **snippet = masked;
                }
            }
        }
    }

    /// Whether any of the snippets may hold something. What is found across two of them is a doubt, too.
    fn is_in_doubt(&mut self, snippets: &[&mut String]) -> bool {
        self.buffer.begin();
        for snippet in snippets {
            self.buffer.extend(snippet.as_bytes());
            self.buffer.extend(BETWEEN);
        }
        let mut doubt = Doubt::default();
        self.scanner.scan_as_it_stands(self.buffer.padded(), &mut doubt);
        let is_known = |known: &Arc<KnownValues>| {
            let mut spans = Vec::new();
            snippets.iter().for_each(|snippet| known.spans(snippet.as_bytes(), &mut spans));
            !spans.is_empty()
        };
        doubt.0 || self.known.as_ref().is_some_and(is_known)
    }

    /// The snippet with what it still holds hidden; none if there is nothing to hide.
    fn masked(&mut self, snippet: &str) -> Option<String> {
        let text = snippet.as_bytes();
        let mut spans = Spans::default();
        self.scanner.scan_as_it_stands(self.buffer.fill(text), &mut spans);
        let mut secrets: Vec<Secret> = spans.0.into_iter().map(|span| headed(text, span)).collect();
        if let Some(known) = &self.known {
            let mut spans = Vec::new();
            known.spans(text, &mut spans);
            let hidden = |span: Range<usize>| Secret { start: span.start, end: span.end, shown: 0 };
            secrets.extend(spans.into_iter().map(hidden));
        }
        if secrets.is_empty() {
            return None;
        }
        merge(&mut secrets);
        Some(hide(text, &secrets))
    }
}

/// A text with the heads of its secrets only.
fn hide(text: &[u8], secrets: &[Secret]) -> String {
    let mut shown = Vec::with_capacity(text.len());
    let mut at = 0;
    for secret in secrets {
        let head_end = secret.start.saturating_add(secret.shown);
        shown.extend_from_slice(text.get(at..head_end).unwrap_or_default());
        shown.extend_from_slice(b"...");
        at = secret.end;
    }
    shown.extend_from_slice(text.get(at..).unwrap_or_default());
    // A rule's match may begin or end within a character.
    String::from_utf8_lossy(&shown).into_owned()
}
