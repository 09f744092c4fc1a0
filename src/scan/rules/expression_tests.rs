//! Expressions and the filters that are derived from them.

use super::*;
use crate::limits::{EXPRESSION_MAX_BYTES, EXPRESSION_NESTING_MAX, SCAN_MATCH_BEFORE_BYTES};

fn filter(text: &str) -> String {
    only_filter(&Expression::new(text).unwrap()).to_owned()
}

fn only_filter(expression: &Expression) -> &str {
    let mut filters = expression.filters();
    let filter = filters.next().unwrap();
    assert_eq!(filters.next(), None);
    filter
}

#[test]
fn what_may_be_missing_at_the_end_or_the_front_is_left_out() {
    for (expression, expected) in [
        ("abc", "abc"),
        ("abc[0-9]{20,}", "abc[0-9]{20}"),
        ("abc[0-9]+", "abc[0-9]"),
        ("abc[0-9]*?", "abc"),
        ("abc(?:def)?(?:g|h*)", "abc"),
        ("abc(?:de|fg?)", "abc(?:de|f)"),
        ("(abc)(d{2,4}){3,5}", "abc(?:d{2,4}){3}"),
        ("[a-z]{0,50}keyax", "keyax"),
        ("[a-z]{3,}keyax", "[a-z]{3}keyax"),
        ("(?:ab?)+c", "ab?c"),
        ("x[0-9]{2,}y[0-9]{2,}", "x[0-9]{2,}y[0-9]{2}"),
    ] {
        assert_eq!(filter(expression), expected, "{expression}");
        assert!(Expression::new(expression).unwrap().is_filter_exact());
    }
}

#[test]
fn a_condition_at_the_end_keeps_what_it_decides() {
    for (expression, expected) in [
        (r"xa{3,}\b", r"xa{3,}\b"),
        (r"\bab?", "a"),
        (r"x*\bab", r"\bab"),
        (r"ab$", r"ab\z"),
        (r"(?m)^ab$", r"(?m:^)ab(?m:$)"),
        (r"ab(?:[;,]|$)", r"ab(?:[\x2c\x3b]|\z)"),
        (r"(?:\b|_)ab\B", r"(?:\b|\x5f)ab\B"),
    ] {
        assert_eq!(filter(expression), expected, "{expression}");
    }
}

#[test]
fn a_words_beginning_is_found_behind_the_letter_of_an_escape_and_left_to_the_exact_search() {
    for (expression, filter) in [(r"\bkey-[0-9]{2,}", r"key\x2d[0-9]{2}"), (r"(?i)\bk1", "[Kk]1")] {
        let expression = Expression::new(expression).unwrap();
        assert_eq!(only_filter(&expression), filter);
        assert!(!expression.is_filter_exact());
        let found = |text: &str| expression.program().unwrap().find(text.as_bytes()).is_some();
        let word = if filter.starts_with('k') { "key-12" } else { "k1" };
        assert!(found(word) && found(&format!("x {word}")) && found(&format!(r"x\n{word}")));
        assert!(!found(&format!("x{word}")));
        let matched = format!(r"\n{word}");
        assert_eq!(expression.escape_before(matched.as_bytes()), 2);
        assert_eq!(expression.escape_before(word.as_bytes()), 0);
    }
    assert_eq!(Expression::new("n1").unwrap().escape_before(br"\n1"), 0);
}

#[test]
fn bytes_are_printed_so_that_no_engine_reads_anything_into_them() {
    for (expression, expected) in [
        (r"a\.b-c", r"a\x2eb\x2dc"),
        ("é", r"\xc3\xa9"),
        (r"\xff", r"\xff"),
        ("(?i)k9", "[Kk]9"),
        (r"[^\n]x", r"[\x00-\x09\x0b-\xff]x"),
        ("(?s).x", r"[\x00-\xff]x"),
        (r"\d\s", r"[0-9][\x09-\x0d\x20]"),
        ("(?u:[à-ä])x", r"(?:[\xc3][\xa0-\xa4])x"),
    ] {
        assert_eq!(filter(expression), expected, "{expression}");
    }
}

#[test]
fn a_condition_that_the_engine_does_not_have_is_left_to_the_exact_search() {
    for (expression, expected) in [
        (r"\b{start}ab", r"\bab"),
        (r"\b{start-half}ab", "ab"),
        (r"ab(?Rm:$)", "ab"),
        (r"(?u:\b)ab", "ab"),
        (r"a(?:\b)*b", "ab"),
    ] {
        let expression = Expression::new(expression).unwrap();
        assert_eq!(only_filter(&expression), expected);
        assert!(!expression.is_filter_exact());
    }
}

#[test]
fn the_width_is_what_lies_before_the_filters_end() {
    for (expression, width, is_wide) in [
        ("abc[0-9]{20,}", 23, false),
        ("[a-z]{0,50}key", 53, false),
        ("[a-z]*key", SCAN_MATCH_BEFORE_BYTES, true),
        (&format!("[a-z]{{1,{SCAN_MATCH_BEFORE_BYTES}}}"), 1, false),
        (&format!("x{{{SCAN_MATCH_BEFORE_BYTES}}}"), SCAN_MATCH_BEFORE_BYTES, false),
        (&format!("yx{{{SCAN_MATCH_BEFORE_BYTES}}}"), SCAN_MATCH_BEFORE_BYTES, true),
    ] {
        let expression = Expression::new(expression).unwrap();
        assert_eq!((expression.max_width(), expression.is_wide()), (width, is_wide));
    }
}

#[test]
fn what_cannot_be_used_is_refused_with_its_reason() {
    let error = |text: &str| Expression::new(text).unwrap_err();
    assert!(matches!(error("a("), ExpressionError::Syntax(_)));
    assert!(matches!(error("(?=a)b"), ExpressionError::Syntax(_)));
    assert!(matches!(error(r"(a)\1"), ExpressionError::Syntax(_)));
    assert!(matches!(error(r"\p{Greek}x"), ExpressionError::Unsupported(_)));
    assert!(matches!(error("[é]x"), ExpressionError::Unsupported(_)));
    assert!(matches!(error(r"x[^\x00-\xff]y"), ExpressionError::MatchesNothing));
    for empty in ["", "a*", "(?:a|b?)", r"\b"] {
        assert_eq!(error(empty), ExpressionError::MatchesNothing, "{empty}");
    }
    assert!(error("good but (bad").to_string().contains("(bad"));
}

#[test]
fn the_bounds_of_an_expression_hold() {
    assert!(Expression::new(&"x".repeat(EXPRESSION_MAX_BYTES)).is_ok());
    let longer = "x".repeat(EXPRESSION_MAX_BYTES + 1);
    assert_eq!(Expression::new(&longer).unwrap_err(), ExpressionError::TooLong);
    let nested = |depth: usize| format!("{}x{}", "(".repeat(depth), ")".repeat(depth));
    let deepest = usize::try_from(EXPRESSION_NESTING_MAX).unwrap();
    assert!(Expression::new(&nested(deepest)).is_ok());
    assert!(Expression::new(&nested(deepest + 1)).is_err());
    let large = Expression::new("[a-z]{1000}{1000}x").unwrap();
    assert!(matches!(large.verify(), Err(ExpressionError::Unsupported(_))));
    assert!(large.program().is_none());
    assert!(Expression::new("[a-z]{1000}x").unwrap().verify().is_ok());
}

#[test]
fn the_engine_does_not_search_for_common_words() {
    let expression = Expression::new(r"(?<common>is) (a) d(?<common2>e[fg])+").unwrap();
    let veil = r"\x01-\x08";
    assert_eq!(
        only_filter(&expression),
        format!(r"[i{veil}][s{veil}]\x20a\x20d[e{veil}][f-g{veil}]")
    );
    assert!(!expression.is_filter_exact());
    assert_eq!(expression.groups(), 1);
    assert_eq!(expression.max_width(), "is a def".len());
    // The exact search counts the other groups alone: one of them may be the secret.
    let captures = expression.program().unwrap().captures(b"is a def").unwrap();
    assert_eq!((captures.len(), &captures[1]), (2, &b"a"[..]));
    // What may be missing at an end goes, whatever it is.
    assert_eq!(filter(r"ab(?<common>c)?"), "ab");
    assert!(Expression::new("[a-z]").unwrap().is_filter_exact());
}

/// It was taken for such words, counted as no group, and the secret was that of the group behind it.
#[test]
fn a_group_whose_name_only_begins_like_that_of_common_words_is_a_group() {
    let expression = Expression::new(r"(?P<common_name>is) (a)").unwrap();
    assert_eq!(only_filter(&expression), r"is\x20a");
    assert!(expression.is_filter_exact());
    assert_eq!(expression.groups(), 2);
    let captures = expression.program().unwrap().captures(b"is a").unwrap();
    assert_eq!((&captures[1], &captures[2]), (&b"is"[..], &b"a"[..]));
}

#[test]
fn the_engine_searches_from_the_anchor_on_and_the_width_is_of_all() {
    let anchored = Expression::new(r"\bfirst [a-z]{1,8} (?<anchor>/etc/)(passwd|shadow)").unwrap();
    let plain = Expression::new(r"/etc/(passwd|shadow)").unwrap();
    assert_eq!(only_filter(&anchored), only_filter(&plain));
    assert!(!anchored.is_filter_exact() && plain.is_filter_exact());
    // With the escape that may stand for a word's beginning.
    assert_eq!(anchored.max_width(), 2 + "first  /etc/passwd".len() + 8);
    assert_eq!(anchored.groups(), 1);
    // Not at the top: it is a group like others.
    let inner = Expression::new(r"a(?:b(?<anchor>c)|de)").unwrap();
    assert_eq!(only_filter(&inner), "a(?:bc|de)");
}
