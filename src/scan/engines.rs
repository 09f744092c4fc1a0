//! The two engines that the rules are compiled to: one reads every byte of a text, the other what stands around
//! its long words, where nearly all tokens are looked for.

use std::sync::Arc;
use std::thread;

use hyperscan::{
    BlockDatabase, Builder, HsError, Pattern, PatternFlags, Patterns, Serialized, StreamingDatabase,
};

use super::database::DatabaseError;
use super::rules::{Expression, Problem, ProblemKind, Rule};
use super::view::encoded;
use crate::limits::{
    FILLED_LITERALS, FILLED_MIN_FILTERS, FILLERS_MIN, FILTER_LITERALS, SHORT_LITERAL_MIN_RULES,
};

/// Compiled rules, by their numbers in both: each is in one of the two, or its branches in either.
pub(super) struct Engines {
    /// Reads all of a text, as it streams by. What is above the rules' numbers is a gate.
    pub(super) everywhere: StreamingDatabase,
    /// Reads the stretches around long words, a copy of them at once.
    pub(super) words: BlockDatabase,
}

/// What no text holds. Where no literal is of less than three bytes, and there are fewer than five thousand, the
/// engine's search for literals looks at every second place only, and has to look again at far more of them:
/// with all rules that took 1.6 times as long. With few rules every second place is enough.
const SHORT_LITERAL: &str = r"\x01\x02";
/// The number of what no text holds: of no rule and of no gate. Whoever writes it in a text gains nothing by it.
pub(super) const FILLER_NUMBER: u32 = i32::MAX as u32;

/// What fillers end with: the search gives its eight buckets to literals by length, and those of one length by their
/// last bytes, so that these are spread as the last bytes of words and commands are.
const FILLER_ENDS: &[u8] = b"EEEETTTTAOOINNNNSSSSSRRRRRHLLLDDCCMMFPGGWYYKK  ./([";

/// Literals that no text holds, so many that there are five thousand with those of the rules: the search looks at
/// every place then without a short one, whose bucket goes to words of eight bytes. Three buckets instead of two for
/// nearly all of the literals let a third less through that is none.
pub(super) fn fillers(filters: usize) -> impl Iterator<Item = Pattern> {
    const CONTROLS: usize = 6;
    const STEP: usize = 7_919;
    let wanted = FILLED_LITERALS.saturating_sub(FILTER_LITERALS * filters).max(FILLERS_MIN);
    FILLER_ENDS.iter().cycle().take(wanted).enumerate().map(|(number, end)| {
        // Seven digits of base 6, each number other ones: the step has no divisor in common with their count.
        let mut rest = number * STEP;
        let mut literal = String::new();
        for _ in 0..7 {
            literal.push_str(&format!("\\x{:02x}", 1 + rest % CONTROLS));
            rest /= CONTROLS;
        }
        literal.push_str(&format!("\\x{end:02x}"));
        pattern(&literal, FILLER_NUMBER as usize)
    })
}

impl Engines {
    /// Compiles all rules, each engine on a thread of its own.
    pub(super) fn compile(rules: &[Arc<Rule>]) -> Result<Engines, DatabaseError> {
        let gates = gates();
        let of_rules = |filter: fn(&Expression) -> Option<&str>| {
            let numbered = rules.iter().enumerate();
            numbered.filter_map(move |(number, rule)| {
                filter(&rule.expression).map(|filter| pattern(filter, number))
            })
        };
        let short = pattern(SHORT_LITERAL, FILLER_NUMBER as usize);
        let numbered = gates.iter().enumerate();
        let numbered = numbered.map(|(at, gate)| pattern(gate, rules.len() + at));
        let mut everywhere: Vec<Pattern> =
            of_rules(Expression::filter_everywhere).chain(numbered).collect();
        match everywhere.len() - gates.len() {
            many if many >= FILLED_MIN_FILTERS => everywhere.extend(fillers(many)),
            _ if rules.len() >= SHORT_LITERAL_MIN_RULES => everywhere.push(short.clone()),
            _ => {}
        }
        let everywhere = Patterns(everywhere);
        // There may be no such rule; an engine without a pattern is none.
        let words: Patterns = of_rules(Expression::filter_around_words).chain([short]).collect();
        let (everywhere, words) = thread::scope(|scope| {
            let words = scope.spawn(|| words.build::<hyperscan::Block>());
            (everywhere.build(), words.join())
        });
        let words = words
            .map_err(|_| DatabaseError::Engine("the compiler of the rules panicked".to_owned()))?;
        match (everywhere, words) {
            (Ok(everywhere), Ok(words)) => Ok(Engines { everywhere, words }),
            (Err(error), _) | (_, Err(error)) => Err(at_fault(rules, &error)),
        }
    }

    /// Reads back what [`Engines::to_bytes`] gave.
    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Engines, DatabaseError> {
        let cut = || DatabaseError::Engine("the compiled rules are cut short".to_owned());
        let (length, rest) = bytes.split_first_chunk().ok_or_else(cut)?;
        let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| cut())?;
        let (everywhere, words) = rest.split_at_checked(length).ok_or_else(cut)?;
        Ok(Engines {
            everywhere: everywhere.deserialize().map_err(failed)?,
            words: words.deserialize().map_err(failed)?,
        })
    }

    /// Both as bytes: the length of the first, the first, the second.
    pub(super) fn to_bytes(&self) -> Result<Vec<u8>, DatabaseError> {
        let everywhere = self.everywhere.serialize().map_err(failed)?;
        let words = self.words.serialize().map_err(failed)?;
        let length = (everywhere.len() as u64).to_le_bytes();
        Ok([&length[..], &everywhere, &words].concat())
    }

    /// Tells what beside the rules decides what they are compiled to.
    pub(super) fn identify(mut tell: impl FnMut(&[u8])) {
        gates().iter().for_each(|gate| tell(gate.as_bytes()));
        tell(SHORT_LITERAL.as_bytes());
        // Their ends and how many there are.
        fillers(FILLED_MIN_FILTERS).for_each(|filler| tell(filler.expression.as_bytes()));
    }
}

/// An error of the engine as one of the database.
pub(super) fn failed(error: hyperscan::Error) -> DatabaseError {
    DatabaseError::Engine(error.to_string())
}

/// One expression for the engine.
pub(super) fn pattern(expression: &str, number: usize) -> Pattern {
    Pattern {
        expression: expression.to_owned(),
        flags: PatternFlags::empty(),
        id: Some(number),
        ext: Default::default(),
        som: None,
    }
}

/// What only encoded text holds, as the engine's expressions. Their numbers follow those of the rules.
fn gates() -> Vec<String> {
    let literal = |bytes: &[u8]| bytes.iter().map(|byte| format!("\\x{byte:02x}")).collect();
    let mut gates: Vec<String> = encoded::gates().iter().map(|gate| literal(gate)).collect();
    // What follows is a name and a password (RFC 7617), of any length.
    gates.push(r"[Bb][Aa][Ss][Ii][Cc]\x20[A-Za-z0-9+/]".to_owned());
    gates.sort();
    gates.dedup();
    gates
}

/// The engine names the first at most: each rule by itself, to name all of them.
fn at_fault(rules: &[Arc<Rule>], error: &hyperscan::Error) -> DatabaseError {
    let alone = rules.iter().filter_map(|rule| {
        let filters = rule.expression.filters();
        let compiled = |filter| -> Result<StreamingDatabase, _> { pattern(filter, 0).build() };
        filters.map(compiled).find_map(Result::err).map(|error| Problem {
            rule: rule.id.to_string(),
            kind: ProblemKind::Unsupported,
            reason: cause(&error),
        })
    });
    match alone.collect::<Vec<_>>() {
        none if none.is_empty() => DatabaseError::Engine(cause(error)),
        problems => DatabaseError::Rules(problems),
    }
}

fn cause(error: &hyperscan::Error) -> String {
    match error {
        hyperscan::Error::Hyperscan(HsError::CompileError(cause)) => cause.message().to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn fillers_make_up_what_filters_lack_and_are_all_different() {
        for (filters, expected) in [(300, 3500), (400, 3000), (2000, FILLERS_MIN)] {
            let fillers: HashSet<String> =
                fillers(filters).map(|filler| filler.expression).collect();
            assert_eq!(fillers.len(), expected);
            assert!(fillers.iter().all(|filler| filler.len() == 8 * r"\x01".len()));
        }
    }
}
