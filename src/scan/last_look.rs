//! The last look at what is written: whatever of it is still a secret to any rule, or a known value, is hidden, also
//! where it is encoded. Names of hosts are also looked at in the other case, since they lose theirs on the way.

use std::ops::Range;
use std::sync::Arc;

use super::database::{Database, DatabaseError};
use super::found::{Gap, Match, MatchSink};
use super::known_values::KnownValues;
use super::padded::PaddedBuffer;
use super::redact::{Secret, decodings, headed, merge};
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

/// What texts are.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Texts {
    /// Pieces of what was sent.
    Snippets,
    /// Names of hosts, without their domains.
    Names,
}

impl LastLook {
    pub fn new(
        database: &Arc<Database>,
        known: Option<Arc<KnownValues>>,
    ) -> Result<LastLook, DatabaseError> {
        let scanner = Scanner::new(database, LAST_LOOK_WINDOW_BYTES)?;
        Ok(LastLook { scanner, known, buffer: PaddedBuffer::new() })
    }

    /// Hides what snippets still hold.
    pub fn mask(&mut self, snippets: &mut [&mut String]) {
        self.mask_all(Texts::Snippets, snippets);
    }

    /// The same of names of hosts, without their domains, in whichever case these are written.
    pub fn mask_names(&mut self, texts: &mut [&mut String]) {
        self.mask_all(Texts::Names, texts);
    }

    /// Most texts hold nothing: many are looked at together, and each by itself only where something is found.
    fn mask_all(&mut self, are: Texts, texts: &mut [&mut String]) {
        for together in texts.chunks_mut(LAST_LOOK_LEN) {
            if together.len() > 1 && !self.is_in_doubt(are, together) {
                continue;
            }
            for text in together {
                if let Some(masked) = self.masked(are, text) {
                    **text = masked;
                }
            }
        }
    }

    /// Whether any of the texts may hold something. What is found across two of them is a doubt, too.
    fn is_in_doubt(&mut self, are: Texts, texts: &[&mut String]) -> bool {
        self.buffer.begin();
        let mut spans = Vec::new();
        for text in texts {
            self.buffer.extend(text.as_bytes());
            self.buffer.extend(BETWEEN);
            self.add_known(are, text.as_bytes(), &mut spans);
            for decoded in decodings(text.as_bytes()) {
                self.buffer.extend(decoded.text());
                self.buffer.extend(BETWEEN);
                self.add_known(are, decoded.text(), &mut spans);
            }
        }
        let mut doubt = Doubt::default();
        self.scan(are, &mut doubt);
        doubt.0 || !spans.is_empty()
    }

    /// The text with what it still holds hidden; none if there is nothing to hide.
    fn masked(&mut self, are: Texts, text: &str) -> Option<String> {
        let text = text.as_bytes();
        let told = self.told_of(are, text);
        let mut secrets: Vec<Secret> = told.into_iter().map(|span| headed(text, span)).collect();
        let mut known = Vec::new();
        self.add_known(are, text, &mut known);
        for decoded in decodings(text) {
            let mut spans = self.told_of(are, decoded.text());
            self.add_known(are, decoded.text(), &mut spans);
            known.extend(
                spans.into_iter().map(|span| decoded.source(span)).filter(|span| !span.is_empty()),
            );
        }
        let hidden = |span: Range<usize>| Secret { start: span.start, end: span.end, shown: 0 };
        secrets.extend(known.into_iter().map(hidden));
        if secrets.is_empty() {
            return None;
        }
        merge(&mut secrets);
        Some(hide(text, &secrets))
    }

    /// Where a text holds secrets by the rules.
    fn told_of(&mut self, are: Texts, text: &[u8]) -> Vec<Range<usize>> {
        let mut spans = Spans::default();
        self.buffer.begin();
        self.buffer.extend(text);
        self.scan(are, &mut spans);
        spans.0
    }

    /// Scans what was written into the buffer. A key id of capitals is one in small letters, too, once a host is called
    /// so.
    fn scan(&mut self, are: Texts, sink: &mut dyn MatchSink) {
        let capitals = match are {
            Texts::Snippets => Vec::new(),
            Texts::Names => self.buffer.written().to_ascii_uppercase(),
        };
        self.scanner.scan_as_it_stands(self.buffer.padded(), sink);
        if !capitals.is_empty() {
            self.scanner.scan_as_it_stands(self.buffer.fill(&capitals), sink);
        }
    }

    fn add_known(&self, are: Texts, text: &[u8], spans: &mut Vec<Range<usize>>) {
        let Some(known) = &self.known else { return };
        match are {
            Texts::Snippets => {
                // First what is hidden far around a half: what hides it less would stand for that.
                known.spans(text, spans);
                known.spans_in_small_letters(text, spans);
            }
            Texts::Names => known.spans_in_name(text, spans),
        }
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
