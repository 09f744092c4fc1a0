//! The rules that `suppressions` and `expected_credentials` name: whether there are any. Looks at names only.

use std::sync::Arc;

use crate::config::nearest::nearest;
use crate::config::{ExpectedCredential, PolicyConfig, default_credentials};
use crate::scan::KNOWN_VALUE_RULE;
use crate::scan::rules::{is_like, is_shipped, no_such_rule};

/// Whether somebody has named a rule: what comes with ClawSec names its own.
pub fn names_rules(policy: &PolicyConfig) -> bool {
    !named(policy).is_empty()
}

/// A line for each glob that no rule is like: what it stands in does nothing. `ids` are those of the rules that were
/// asked for; a shipped one may be off.
pub fn unknown_names(policy: &PolicyConfig, ids: &[Arc<str>]) -> Vec<String> {
    let known = || ids.iter().map(|id| &**id).chain([KNOWN_VALUE_RULE]);
    let is_unknown = |glob: &str| !known().any(|id| is_like(glob, id)) && !is_shipped(glob);
    let unknown = named(policy).into_iter().filter(|(_, glob)| is_unknown(glob));
    unknown
        .map(|(place, glob)| format!("{place}: {}", no_such_rule(glob, nearest(glob, known()))))
        .collect()
}

/// The globs over rules that somebody wrote, and the words for where.
fn named(policy: &PolicyConfig) -> Vec<(String, &str)> {
    let defaults = default_credentials();
    let suppressed = policy.suppressions.iter().enumerate().filter_map(|(number, accepted)| {
        let place = format!("suppressions[{number}] ({})", accepted.reason);
        accepted.rule.as_deref().map(|glob| (place, glob))
    });
    let own = policy.expected.iter().filter(|entry| !defaults.contains(entry));
    let expected = own.flat_map(|ExpectedCredential { host, rules, .. }| {
        rules.iter().map(move |glob| (format!("expected_credentials ({host})"), &**glob))
    });
    suppressed.chain(expected).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Slot, Suppression};
    use crate::scan::rules::default_rules;

    fn unknown(suppressed: Option<&str>, expected: &[&str], ids: &[&str]) -> Vec<String> {
        let suppression = Suppression {
            reason: "a test".to_owned(),
            expires: None,
            rule: suppressed.map(str::to_owned),
            dest: None,
            header: None,
            source: None,
            path: None,
            fingerprint: None,
        };
        let entry = ExpectedCredential {
            host: "llm.corp.example".to_owned(),
            slot: Slot::Header("x-api-key".to_owned()),
            rules: expected.iter().map(|glob| (*glob).to_owned()).collect(),
            keys: Vec::new(),
        };
        let mut policy =
            PolicyConfig { expected: default_credentials(), suppressions: vec![suppression] };
        policy.expected.push(entry);
        let ids: Vec<Arc<str>> = ids.iter().map(|id| Arc::from(*id)).collect();
        unknown_names(&policy, &ids)
    }

    #[test]
    fn a_rule_that_nobody_has_is_told_with_the_one_that_was_meant() {
        let lines =
            unknown(Some("ai_api_kye"), &["mien", "none_at_all_*"], &["ai_api_key", "mine"]);
        let [suppressed, expected, far] = &lines[..] else { panic!("{lines:?}") };
        let words =
            "suppressions[0] (a test): no rule has the id \"ai_api_kye\"; did you mean ai_api_key?";
        assert!(suppressed.starts_with(words), "{suppressed}");
        let words = "expected_credentials (llm.corp.example): no rule has the id \"mien\"; did you mean mine?";
        assert!(expected.starts_with(words), "{expected}");
        assert!(far.contains("none_at_all_*") && !far.contains("did you mean"), "{far}");
    }

    #[test]
    fn own_rules_shipped_ones_that_are_off_and_known_values_are_known() {
        let known = ["mine", "MI*", "known_value", "*", "pii_card_number", "jwt"];
        assert_eq!(unknown(None, &known, &["mine"]), [""; 0]);
        assert_eq!(unknown(Some("mine"), &[], &["mine"]), [""; 0]);
    }

    #[test]
    fn every_rule_that_the_defaults_name_is_there() {
        let globs = default_credentials().into_iter().flat_map(|entry| entry.rules);
        let globs: std::collections::BTreeSet<String> = globs.collect();
        let rules = default_rules().unwrap();
        let is_idle = |glob: &String| !rules.iter().any(|rule| is_like(glob, &rule.id));
        let idle: Vec<String> = globs.into_iter().filter(is_idle).collect();
        // Rules of other people's files have such names.
        assert_eq!(idle, ["*deepseek*", "*gemini*", "hf_*"]);
    }

    #[test]
    fn only_what_somebody_wrote_is_looked_at() {
        let defaults = PolicyConfig { expected: default_credentials(), ..PolicyConfig::default() };
        assert!(!names_rules(&defaults));
        assert_eq!(unknown_names(&defaults, &[]), [""; 0]);
    }
}
