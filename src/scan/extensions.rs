//! What the lines before the chunks of a body say in extensions, read as three texts: all of it, the names one
//! behind the other, and the values one behind the other. Either may carry in pieces what no piece says alone.

use std::rc::Rc;

use super::found::MatchSink;
use super::padded::PaddedBuffer;
use super::scanner::{Core, Scanner};
use super::text::{Place, Scope, Text, UnitState};
use crate::finding::Step;

/// The extensions of one body.
pub struct Extensions {
    core: Rc<Core>,
    state: UnitState,
    texts: Option<Texts>,
    /// Added, and not scanned yet: many small runs cost as one.
    all: PaddedBuffer,
    names: PaddedBuffer,
    values: PaddedBuffer,
}

struct Texts {
    all: Text,
    names: Text,
    values: Text,
}

impl Texts {
    fn new(scope: &mut Scope<'_>) -> Texts {
        let all = Text::new(Place::default().then(Step::ChunkExtensions), scope);
        Texts { names: all.read_in_part(scope), values: all.read_in_part(scope), all }
    }
}

impl Scanner {
    /// The extensions of a body's chunks, none of which were seen yet.
    pub fn extensions(&self) -> Extensions {
        Extensions {
            core: Rc::clone(&self.core),
            state: UnitState::default(),
            texts: None,
            all: PaddedBuffer::new(),
            names: PaddedBuffer::new(),
            values: PaddedBuffer::new(),
        }
    }
}

impl Extensions {
    /// Adds the next bytes of a name. [`Extensions::tell`] is to follow, when the runs at hand are through.
    pub fn add_name(&mut self, bytes: &[u8]) {
        self.all.extend(bytes);
        self.names.extend(bytes);
    }

    /// The same of a value.
    pub fn add_value(&mut self, bytes: &[u8]) {
        self.all.extend(bytes);
        self.values.extend(bytes);
    }

    /// The same of what stands around these.
    pub fn add_mark(&mut self, bytes: &[u8]) {
        self.all.extend(bytes);
    }

    /// How many bytes were added and are not scanned yet.
    pub fn pending_bytes(&self) -> usize {
        self.all.written().len()
    }

    /// Scans what was added.
    pub fn tell(&mut self, sink: &mut dyn MatchSink) {
        self.state.arrived(self.pending_bytes());
        let mut scope = self.state.scope(&self.core, sink);
        let texts = self.texts.get_or_insert_with(|| Texts::new(&mut scope));
        let take = std::mem::take::<PaddedBuffer>;
        texts.all.feed(take(&mut self.all).padded(), &mut scope);
        // Behind what all of it tells, which is not told again.
        texts.names.feed_part_of(&texts.all, take(&mut self.names).padded(), &mut scope);
        texts.values.feed_part_of(&texts.all, take(&mut self.values).padded(), &mut scope);
    }

    /// Ends it: tells what matches only at an end. Afterwards it is as new.
    pub fn finish(&mut self, sink: &mut dyn MatchSink) {
        let mut scope = self.state.scope(&self.core, sink);
        if let Some(Texts { mut all, mut names, mut values }) = self.texts.take() {
            all.finish(&mut scope);
            names.finish(&mut scope);
            values.finish(&mut scope);
        }
        self.state.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{RULES, SCANNER, Seen};
    use super::*;

    /// Adds an extension: its name, and its value if there is one.
    fn add(extensions: &mut Extensions, name: &str, value: &str) {
        extensions.add_mark(b";");
        extensions.add_name(name.as_bytes());
        if !value.is_empty() {
            extensions.add_mark(b"=\"");
            extensions.add_value(value.as_bytes());
            extensions.add_mark(b"\"");
        }
    }

    /// What these are told of, of which each comes by itself, or all of which come together.
    fn told(all: &[(&str, &str)], one_by_one: bool) -> Seen {
        let mut seen = Seen::default();
        let mut extensions = SCANNER.with(Scanner::extensions);
        for (name, value) in all {
            add(&mut extensions, name, value);
            if one_by_one {
                extensions.tell(&mut seen);
            }
        }
        if !one_by_one {
            extensions.tell(&mut seen);
        }
        extensions.finish(&mut seen);
        seen
    }

    #[test]
    fn a_text_cut_anywhere_into_values_is_told() {
        for rule in RULES.iter() {
            let text = format!("note: {} ;end of it", rule.examples[0]);
            let count = |seen: &Seen| {
                assert!(seen.views().iter().all(|view| view.to_string().starts_with("chunk")));
                seen.names().iter().filter(|name| **name == &*rule.id).count()
            };
            for (cut, _) in text.char_indices() {
                let (front, back) = text.split_at(cut);
                for one_by_one in [true, false] {
                    let values = [("a", front), ("a", back)];
                    // The end of a match may be one, too (`ba`, `sh -c`): then each is told.
                    let count = count(&told(&values, one_by_one));
                    assert!((1..=2).contains(&count), "{front}|{back}: {count}");
                }
            }
        }
    }

    #[test]
    fn a_key_that_names_say_together_is_told() {
        for names in [["AKIAIOSF", "ODNN7EXAMPLE"], ["AKIAIOSFODNN7EXAMPLE", "x"]] {
            let all = names.map(|name| (name, ""));
            assert_eq!(told(&all, true).names(), ["aws_access_key"], "{names:?}");
        }
    }

    #[test]
    fn a_key_in_a_value_between_others_is_told_once() {
        for one_by_one in [true, false] {
            let all = [("a", "one"), ("b", "AKIAIOSFODNN7EXAMPLE"), ("c", "two"), ("d", "three")];
            assert_eq!(told(&all, one_by_one).names(), ["aws_access_key"]);
        }
    }

    #[test]
    fn what_ordinary_chunks_say_is_not_told() {
        let digest = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9";
        let all = [("chunk-signature", digest); 20];
        assert_eq!(told(&all, true).names(), [""; 0]);
    }
}
