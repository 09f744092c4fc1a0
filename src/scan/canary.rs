//! The self-test at every start: texts that hold a match must be found to hold one, in one piece and in two.

use hyperscan::{BlockDatabase, Matching, Scratch, StreamingDatabase};

use super::database::{Database, DatabaseError};
use super::engines::failed;
use super::padded::PaddedBuffer;
use super::rules::SEED_PACK;

/// The pack whose rules are tried at every split: what else is the engine's work is like them.
const TRIED_THOROUGHLY: &str = SEED_PACK;

/// Where a text is split in two writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Splits {
    /// Before each byte.
    All,
    /// Nowhere, and in quarters.
    Few,
}

impl Splits {
    fn places(self, length: usize) -> impl Iterator<Item = usize> {
        let step = match self {
            Splits::All => 1,
            Splits::Few => length.div_ceil(4).max(1),
        };
        (0..length).step_by(step)
    }
}

/// Tries texts on an engine.
pub(super) struct Canary<'a> {
    engine: &'a StreamingDatabase,
    scratch: Scratch,
    buffer: PaddedBuffer,
}

impl<'a> Canary<'a> {
    pub(super) fn new(engine: &'a StreamingDatabase) -> Result<Canary<'a>, DatabaseError> {
        let scratch = engine.alloc_scratch().map_err(failed)?;
        Ok(Canary { engine, scratch, buffer: PaddedBuffer::new() })
    }

    /// Whether the engine reports pattern `number` in `text`, however it is split.
    pub(super) fn check(
        &mut self,
        number: usize,
        rule: &str,
        text: &str,
        splits: Splits,
    ) -> Result<(), DatabaseError> {
        for split_at_bytes in splits.places(text.len()) {
            let Some(parts) = text.as_bytes().split_at_checked(split_at_bytes) else { continue };
            if !self.is_found(number, [parts.0, parts.1])? {
                return Err(DatabaseError::SelfTest { rule: rule.to_owned(), split_at_bytes });
            }
        }
        Ok(())
    }

    fn is_found(&mut self, number: usize, parts: [&[u8]; 2]) -> Result<bool, DatabaseError> {
        let mut is_found = false;
        let mut note = |id: u32, _from: u64, _to: u64, _flags: u32| {
            is_found |= usize::try_from(id) == Ok(number);
            Matching::Continue
        };
        let stream = self.engine.open_stream().map_err(failed)?;
        let mut scanned = Ok(());
        for part in parts {
            let padded = self.buffer.fill(part);
            scanned = scanned.and_then(|()| stream.scan(padded.bytes(), &self.scratch, &mut note));
        }
        // A stream that is not closed leaks, so it is closed before any error goes up.
        let closed = stream.close(&self.scratch, &mut note);
        scanned.and(closed).map_err(failed)?;
        Ok(is_found)
    }
}

/// Tries texts on the engine that sees what is around long words, in one piece as it does.
struct WordCanary<'a> {
    engine: &'a BlockDatabase,
    scratch: Scratch,
    buffer: PaddedBuffer,
}

impl<'a> WordCanary<'a> {
    fn new(engine: &'a BlockDatabase) -> Result<WordCanary<'a>, DatabaseError> {
        let scratch = engine.alloc_scratch().map_err(failed)?;
        Ok(WordCanary { engine, scratch, buffer: PaddedBuffer::new() })
    }

    fn check(&mut self, number: usize, rule: &str, text: &str) -> Result<(), DatabaseError> {
        let mut is_found = false;
        let note = |id: u32, _from: u64, _to: u64, _flags: u32| {
            is_found |= usize::try_from(id) == Ok(number);
            Matching::Continue
        };
        let text = self.buffer.fill(text.as_bytes());
        self.engine.scan(text.bytes(), &self.scratch, note).map_err(failed)?;
        match is_found {
            true => Ok(()),
            false => Err(DatabaseError::SelfTest { rule: rule.to_owned(), split_at_bytes: 0 }),
        }
    }
}

/// Tries the first example of each rule that has one.
pub(super) fn check_rules(database: &Database) -> Result<(), DatabaseError> {
    let engines = database.engines();
    let mut canary = Canary::new(&engines.everywhere)?;
    let mut words = WordCanary::new(&engines.words)?;
    for (number, rule) in database.rules().iter().enumerate() {
        let splits = if &*rule.pack == TRIED_THOROUGHLY { Splits::All } else { Splits::Few };
        let Some(example) = rule.examples.first() else { continue };
        let of_words = rule.expression.filter_around_words();
        let mut tried = of_words.map(|_| words.check(number, &rule.id, example));
        if rule.expression.filter_everywhere().is_some() && !matches!(tried, Some(Ok(()))) {
            tried = Some(canary.check(number, &rule.id, example, splits));
        }
        let tried = tried.unwrap_or(Ok(()));
        // An example that does not match is its author's mistake, not the engine's.
        let is_wrong = || {
            let program = rule.expression.program();
            program.is_some_and(|program| !program.is_match(example.as_bytes()))
        };
        if matches!(tried, Err(DatabaseError::SelfTest { .. })) && is_wrong() {
            continue;
        }
        tried?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missed_canary_is_an_error() {
        let engine: StreamingDatabase = "another text".parse().unwrap();
        let mut canary = Canary::new(&engine).unwrap();
        assert!(canary.check(0, "tried", "another text", Splits::All).is_ok());
        let error = canary.check(0, "tried", "an example", Splits::All).unwrap_err();
        assert!(matches!(&error, DatabaseError::SelfTest { rule, .. } if rule == "tried"));
    }

    #[test]
    fn a_text_is_split_nowhere_and_in_few_or_all_places() {
        let places = |splits: Splits, length| splits.places(length).collect::<Vec<_>>();
        assert_eq!(places(Splits::All, 3), [0, 1, 2]);
        assert_eq!(places(Splits::Few, 40), [0, 10, 20, 30]);
        assert_eq!(places(Splits::Few, 2), [0, 1]);
        assert!(places(Splits::Few, 0).is_empty());
    }
}
