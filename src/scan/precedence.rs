//! One stretch of text is one finding: where several rules name it, the first of them tells of it. The seed's
//! rules, whose names people know, come first, and each of them is told.

use std::ops::Range;

use super::rules::{Rule, SEED_PACK};

/// Where a rule matched.
pub(super) struct Claim<'a> {
    /// The rule, and its number: a lower one comes first.
    pub(super) rule: &'a Rule,
    pub(super) number: usize,
    pub(super) span: &'a Range<u64>,
}

/// Whether a match is told already by what another rule, which comes first, says of the same bytes: a secret also by
/// what names it from its first byte on, as the armour of a key does, and what is behind a secret by that, as the rest
/// of a line of `/etc/shadow` is.
pub(super) fn yields_to(one: &Claim<'_>, other: &Claim<'_>) -> bool {
    let overlaps = one.span.start < other.span.end && other.span.start < one.span.end;
    let is_said = match (one.rule.is_secret, other.rule.is_secret) {
        (true, false) => overlaps && one.span.start == other.span.start,
        (false, true) => one.span.start == other.span.end,
        (true, true) | (false, false) => overlaps,
    };
    is_said
        && other.number < one.number
        && &*one.rule.pack != SEED_PACK
        && one.rule.threat_type == other.rule.threat_type
        && (one.rule.is_secret == other.rule.is_secret || one.rule.severity <= other.rule.severity)
}

/// Where what a match may yield to is to be looked for.
pub(super) fn within_reach(span: &Range<u64>) -> Range<u64> {
    span.start.saturating_sub(1)..span.end
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::rules::Pack;

    const RULES: &str = "
        [[rules]]
        id = 'key'
        type = 'EXFIL'
        regex = 'key-[0-9]{4}'
        [[rules]]
        id = 'command'
        type = 'INJECTION'
        regex = 'run it'
    ";

    #[test]
    fn a_secret_yields_to_its_armour_and_the_rest_of_a_line_to_the_secret_before_it() {
        let rules = "
            [[rules]]
            id = 'key'
            type = 'EXFIL'
            severity = 'high'
            regex = 'key-[0-9]{4}'
            [[rules]]
            id = 'armour'
            type = 'EXFIL'
            severity = 'high'
            regex = 'BEGIN'
            secret = false
            [[rules]]
            id = 'trace'
            type = 'EXFIL'
            severity = 'low'
            regex = 'END'
            secret = false
        ";
        let rules = Pack::parse("later", rules).unwrap().rules;
        let [key, armour, trace] = &rules[..] else { panic!() };
        let yields = |(one, at): (_, Range<u64>), (other, before): (_, Range<u64>)| {
            let one = Claim { rule: one, number: 9, span: &at };
            yields_to(&one, &Claim { rule: other, number: 1, span: &before })
        };
        let armoured = |at: u64| yields((key, at..30), (armour, 8..15));
        assert!(armoured(8) && !armoured(9) && !armoured(15));
        assert!(!yields((key, 8..30), (trace, 8..15)), "less bad");
        let behind = |at: u64| yields((armour, at..40), (key, 8..15));
        assert!(behind(15) && !behind(16) && !behind(14) && !behind(8));
    }

    #[test]
    fn a_later_rule_yields_where_it_overlaps_and_is_of_the_same_kind() {
        let of = |pack: &str| Pack::parse(pack, RULES).unwrap().rules;
        let (first, later) = (of(SEED_PACK), of("later"));
        let claim = |rule, number, span| Claim { rule, number, span };
        let yields = |one: Claim<'_>, other: Claim<'_>| yields_to(&one, &other);
        let key = claim(&first[0], 0, &(10..18));
        assert!(yields(claim(&later[0], 5, &(17..20)), claim(&first[0], 0, &(10..18))));
        assert!(!yields(claim(&later[0], 5, &(18..20)), claim(&first[0], 0, &(10..18))), "behind");
        assert!(!yields(claim(&later[1], 6, &(10..18)), claim(&first[0], 0, &(10..18))), "kind");
        assert!(!yields(claim(&later[0], 5, &(10..18)), claim(&later[0], 7, &(10..18))), "later");
        assert!(!yields(key, claim(&first[0], 0, &(10..18))), "the seed's are all told");
    }
}
