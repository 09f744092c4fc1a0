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

/// Whether a match is told already by what another rule, which comes first, says of the same bytes.
pub(super) fn yields_to(one: &Claim<'_>, other: &Claim<'_>) -> bool {
    let overlaps = one.span.start < other.span.end && other.span.start < one.span.end;
    overlaps
        && other.number < one.number
        && &*one.rule.pack != SEED_PACK
        && one.rule.threat_type == other.rule.threat_type
        && one.rule.is_secret == other.rule.is_secret
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
