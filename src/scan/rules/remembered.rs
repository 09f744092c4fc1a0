//! Expressions that an earlier start parsed, as bytes and back: what the parse of each came to need not be worked out
//! again. Parsing is most of what is left of a start whose rules are compiled.

use std::collections::HashMap;

use super::RuleSet;
use super::expression::Parsed;
use crate::packed::{push_number, push_text, take_number, take_text};

/// Names the code that parses expressions and all that it depends on: what other code worked out is not taken over.
pub const EXPRESSION_PARSER: &str = env!("EXPRESSION_PARSER_DIGEST");

/// Expressions by what their authors wrote, and what the parse of each came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ParsedExpressions(HashMap<String, Parsed>);

impl ParsedExpressions {
    /// Those of rules.
    pub fn of(rules: &RuleSet) -> ParsedExpressions {
        let expressions = rules.iter().map(|rule| &rule.expression);
        let parsed = |of: &super::Expression| (of.source().to_owned(), of.parsed().clone());
        ParsedExpressions(expressions.map(parsed).collect())
    }

    pub(super) fn get(&self, source: &str) -> Option<&Parsed> {
        self.0.get(source)
    }

    /// Whether all expressions of rules are among them.
    pub fn hold(&self, rules: &RuleSet) -> bool {
        rules.iter().all(|rule| self.0.contains_key(rule.expression.source()))
    }

    /// For [`ParsedExpressions::from_bytes`].
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (source, parsed) in &self.0 {
            let Parsed { text, filter_everywhere, filter_around_words, .. } = parsed;
            for text in [source, text, filter_everywhere, filter_around_words] {
                push_text(&mut bytes, text);
            }
            push_number(&mut bytes, parsed.max_width);
            push_number(&mut bytes, parsed.groups);
            bytes.extend(flags_of(parsed).map(u8::from));
        }
        bytes
    }

    /// Reads back; none if they are not whole.
    pub fn from_bytes(mut bytes: &[u8]) -> Option<ParsedExpressions> {
        let mut expressions = HashMap::new();
        while !bytes.is_empty() {
            let rest = &mut bytes;
            let (source, text) = (take_text(rest)?, take_text(rest)?);
            let (filter_everywhere, filter_around_words) = (take_text(rest)?, take_text(rest)?);
            let (max_width, groups) = (take_number(rest)?, take_number(rest)?);
            let (flags, behind) = rest.split_first_chunk()?;
            *rest = behind;
            let [is_filter_exact, begins_at_word, is_wide] = flags.map(|flag| flag != 0);
            let parsed = Parsed {
                text,
                filter_everywhere,
                filter_around_words,
                is_filter_exact,
                begins_at_word,
                is_wide,
                max_width,
                groups,
            };
            expressions.insert(source, parsed);
        }
        Some(ParsedExpressions(expressions))
    }
}

fn flags_of(parsed: &Parsed) -> [bool; 3] {
    [parsed.is_filter_exact, parsed.begins_at_word, parsed.is_wide]
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::{Expression, Pack, default_rules};
    use super::*;

    #[test]
    fn all_shipped_expressions_come_back_as_they_were_parsed() {
        let rules = default_rules().unwrap();
        let written = ParsedExpressions::of(&rules);
        let read = ParsedExpressions::from_bytes(&written.to_bytes()).unwrap();
        assert_eq!(read, written);
        assert!(read.hold(&rules));
        for rule in rules.iter() {
            let again = Expression::new(rule.expression.source()).unwrap();
            assert_eq!(read.get(rule.expression.source()), Some(again.parsed()), "{}", rule.id);
        }
    }

    #[test]
    fn what_was_parsed_before_is_taken_over_and_all_else_parsed() {
        let rules = |regex: &str| -> RuleSet {
            let text = format!("[[rules]]\nid = 'a'\nregex = '{regex}'\n");
            Pack::parse("tried", &text).unwrap().rules.into_iter().map(Arc::new).collect()
        };
        let mut before = ParsedExpressions::of(&rules("one[0-9]"));
        assert!(before.hold(&rules("one[0-9]")) && !before.hold(&rules("two[0-9]")));
        before.0.values_mut().for_each(|parsed| parsed.filter_everywhere = "another".to_owned());
        let filter = |source: &str| {
            let expression = Expression::remembered(source, &before).unwrap();
            expression.filter_everywhere().map(str::to_owned)
        };
        assert_eq!(filter("one[0-9]").as_deref(), Some("another"));
        assert_eq!(filter("two[0-9]").as_deref(), Some("two[0-9]"));
    }

    #[test]
    fn cut_bytes_are_none() {
        let written = ParsedExpressions::of(&default_rules().unwrap()).to_bytes();
        let whole = ParsedExpressions::from_bytes(&written).unwrap();
        for len in (1..2_000).chain(written.len() - 500..written.len()) {
            let read = ParsedExpressions::from_bytes(&written[..len]);
            assert!(read.is_none_or(|read| read.0.len() < whole.0.len()), "{len}");
        }
    }
}
