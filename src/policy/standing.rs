//! Which of the expected credentials concern a rule. That is asked of every match, and a hundred globs answer it,
//! so that the answer is kept for each rule that there is.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use super::{is_key_of, matches};
use crate::config::{ExpectedCredential, Slot};

/// Rules that tell a credential by where it stands or by its value, not by its issuer: in a place where a
/// credential is expected they find that one. A body has room for others; and of hosts of which anybody may have one, as
/// in a cloud's domain, some are not the provider's.
const RULES_OF_ANY_ISSUER: [&str; 5] = ["generic_*", "*bearer*", "authorization_*", "jwt", "jwt_*"];

/// The rule of JSON Web Tokens.
const JWT: &str = "jwt";

/// The rule of findings of watched values. It tells a secret by its name, whosever it is.
pub(super) const WATCHED: &str = "known_value";

/// What the expected credentials say of one rule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Standing {
    /// Whether it finds some provider's own key.
    pub(super) is_own: bool,
    /// Whether what is found need not be compared with the keys of the entries: they say nothing of it, or it was.
    pub(super) has_fitting_key: bool,
    /// The entries in whose place its matches are expected, by their numbers.
    pub(super) entries: Vec<usize>,
}

/// That of what belongs nowhere.
pub(super) static NOWHERE: Standing =
    Standing { is_own: false, has_fitting_key: false, entries: Vec::new() };

/// The standing of each rule, worked out when it is first asked for.
#[derive(Debug, Default)]
pub(super) struct Standings(HashMap<Arc<str>, OnceLock<Standing>>);

impl Standings {
    /// Of these rules it is kept; of others it is worked out each time.
    pub(super) fn of(rules: impl Iterator<Item = Arc<str>>) -> Standings {
        Standings(rules.map(|rule| (rule, OnceLock::new())).collect())
    }

    pub(super) fn get(&self, rule: &str, expected: &[ExpectedCredential]) -> Cow<'_, Standing> {
        match self.0.get(rule) {
            Some(kept) => Cow::Borrowed(kept.get_or_init(|| Standing::of(rule, expected))),
            None => Cow::Owned(Standing::of(rule, expected)),
        }
    }
}

impl Standing {
    fn of(rule: &str, expected: &[ExpectedCredential]) -> Standing {
        let names = |entry: &ExpectedCredential| entry.rules.iter().any(|glob| matches(glob, rule));
        // `*` names everybody's rules or hosts, and so nobody's own.
        let is_somebodys = |entry: &ExpectedCredential| entry.host != "*";
        let is_own = |entry: &ExpectedCredential| {
            is_somebodys(entry) && entry.rules.iter().any(|glob| glob != "*" && matches(glob, rule))
        };
        let is_of_any_issuer = is_of_any_issuer(rule);
        let holds_one_alone = |entry: &ExpectedCredential| {
            let is_of_one = matches!(entry.slot, Slot::Header(_) | Slot::Query(_) | Slot::Path(_));
            !entry.host.contains('*') && is_of_one
        };
        let concerns = |entry: &ExpectedCredential| {
            names(entry) || (is_of_any_issuer && holds_one_alone(entry))
        };
        let concerning = expected.iter().enumerate().filter(|(_, entry)| concerns(entry));
        Standing {
            is_own: !is_of_any_issuer && expected.iter().any(is_own),
            has_fitting_key: is_of_any_issuer,
            entries: concerning.map(|(number, _)| number).collect(),
        }
    }

    /// That of a watched value that these rules find. It belongs where it is like the keys, or else where it is found by
    /// a rule that tells whose it is; and where somebody says that watched values, or any, belong.
    pub(super) fn of_watched(
        value: &[u8],
        rules: &[Arc<str>],
        expected: &[ExpectedCredential],
    ) -> Standing {
        let telling = || rules.iter().map(|rule| &**rule).filter(|rule| !is_of_any_issuer(rule));
        // Of tokens that say not whose they are an entry may take those of its hosts.
        let is_token = rules.iter().any(|rule| &**rule == JWT);
        let names = |glob: &String| {
            [WATCHED].into_iter().chain(telling()).any(|rule| matches(glob, rule))
                || (is_token && glob == JWT)
        };
        let is_like = |entry: &ExpectedCredential| {
            let has_own = entry.keys.iter().any(|key| !key.starts_with('!'));
            is_key_of(&entry.keys, value) && (has_own || entry.rules.iter().any(names))
        };
        let belonging = expected.iter().enumerate().filter(|(_, entry)| is_like(entry));
        let entries = belonging.map(|(number, _)| number).collect();
        Standing { is_own: false, has_fitting_key: true, entries }
    }
}

fn is_of_any_issuer(rule: &str) -> bool {
    RULES_OF_ANY_ISSUER.iter().any(|glob| matches(glob, rule))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(rules: &[&str]) -> ExpectedCredential {
        let rules = rules.iter().map(|rule| (*rule).to_owned()).collect();
        let slot = Slot::Query("key".into());
        ExpectedCredential { host: "a.example".to_owned(), slot, rules, keys: Vec::new() }
    }

    #[test]
    fn a_rule_named_for_every_host_is_nobodys_own() {
        let everywhere = ExpectedCredential { host: "*".to_owned(), ..entry(&["jwt"]) };
        let in_bodies = ExpectedCredential { slot: Slot::Body("*".into()), ..entry(&["own_*"]) };
        let expected = [everywhere, entry(&["own_*"]), in_bodies];
        let standing = |rule| Standing::of(rule, &expected);
        assert_eq!((standing("jwt").is_own, &*standing("jwt").entries), (false, &[0, 1][..]));
        assert_eq!(standing("generic_secret").entries, [1], "any issuer's, not at any host");
        assert_eq!(
            (standing("own_key").is_own, &*standing("own_key").entries),
            (true, &[1, 2][..])
        );
    }

    #[test]
    fn a_watched_value_belongs_where_its_looks_say_whose_it_is() {
        let keyed = |keys: &[&str], rules: &[&str]| {
            let keys = keys.iter().map(|key| (*key).to_owned()).collect();
            ExpectedCredential { keys, ..entry(rules) }
        };
        let expected = [
            entry(&["own_*", "jwt"]),
            keyed(&["own-*"], &["other_key"]),
            keyed(&["!own-*"], &["own_*"]),
            entry(&["known_value"]),
            entry(&["*"]),
            keyed(&["corp-*"], &["*"]),
        ];
        let entries = |value: &str, rules: &[&str]| {
            let rules: Vec<Arc<str>> = rules.iter().map(|rule| Arc::from(*rule)).collect();
            Standing::of_watched(value.as_bytes(), &rules, &expected).entries
        };
        assert_eq!(entries("a pass phrase", &["generic_secret"]), [3, 4], "anybody's");
        assert_eq!(entries("a token", &["jwt", "jwt_short"]), [0, 3, 4], "where jwt is named");
        assert_eq!(entries("x-own", &["own_key"]), [0, 2, 3, 4]);
        assert_eq!(entries("own-key", &["own_key"]), [0, 1, 3, 4]);
        assert_eq!(entries("corp-key", &[]), [3, 4, 5]);
        let defaults = crate::config::default_credentials();
        assert!(Standing::of_watched(b"a pass phrase", &[], &defaults).entries.is_empty());
    }

    #[test]
    fn what_is_kept_is_what_is_worked_out() {
        let expected = [entry(&["ai_*"]), entry(&["*"]), entry(&["*_key", "other"])];
        let rules = ["ai_api_key", "jwt", "dotenv_file", "not_there"];
        let kept = Standings::of(rules.into_iter().take(3).map(Arc::from));
        for (rule, is_own, entries) in [
            ("ai_api_key", true, &[0, 1, 2][..]),
            ("jwt", false, &[0, 1, 2]),
            ("dotenv_file", false, &[1]),
            ("not_there", false, &[1]),
        ] {
            let is_of_any_issuer = rule == "jwt";
            let has_fitting_key = is_of_any_issuer;
            let standing = Standing { is_own, has_fitting_key, entries: entries.to_vec() };
            for _ in 0..2 {
                assert_eq!(*kept.get(rule, &expected), standing, "{rule}");
            }
        }
        assert!(matches!(kept.get("jwt", &expected), Cow::Borrowed(_)));
        assert!(matches!(kept.get("not_there", &expected), Cow::Owned(_)));
    }
}
