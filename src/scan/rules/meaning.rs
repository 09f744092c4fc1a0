//! What single fields of a rule mean, each by itself, and what is wrong with it.

use std::ops::RangeInclusive;

use super::allowlist::Target;
use super::pack::ProblemKind;
use super::text::RuleText;
use super::validate::Validator;
use super::{SecretGroup, template};
use crate::finding::{Confidence, Direction, Severity, ThreatType};
use crate::limits::{MESSAGE_VALUE_MAX_CHARS, RULE_ID_MAX_CHARS};
use crate::scan::KNOWN_VALUE_RULE;

/// One rule turned down.
pub(super) type Refusal = (ProblemKind, String);

pub(super) fn broken(reason: impl Into<String>) -> Refusal {
    (ProblemKind::Broken, reason.into())
}

/// A text of the file as messages repeat it: not endlessly long.
pub(super) fn short(text: &str) -> String {
    match text.char_indices().nth(MESSAGE_VALUE_MAX_CHARS).and_then(|(cut, _)| text.get(..cut)) {
        Some(head) => format!("{head}…"),
        None => text.to_owned(),
    }
}

pub(super) fn check_id(id: &str) -> Result<(), Refusal> {
    if id.is_empty() {
        return Err(broken("it has no id"));
    }
    if id.eq_ignore_ascii_case(KNOWN_VALUE_RULE) {
        return Err(broken("its id is that of findings of watch_env and watch_files: rename it"));
    }
    let is_named = (1..=RULE_ID_MAX_CHARS).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    match is_named {
        true => Ok(()),
        false => Err(broken(format!(
            "its id must be 1 to {RULE_ID_MAX_CHARS} letters, digits, \"_\", \"-\" or \".\""
        ))),
    }
}

pub(super) fn secret_group(fields: &RuleText) -> SecretGroup {
    match fields.secret_group {
        Some(0) if fields.threat_type.is_some() => SecretGroup::Whole,
        Some(number) if number > 0 => SecretGroup::Number(number),
        // A rule with a type is written for ClawSec; in gitleaks the first group is the secret.
        None if fields.threat_type.is_some() => SecretGroup::Whole,
        _ => SecretGroup::First,
    }
}

pub(super) fn threat_type(fields: &RuleText) -> Result<Option<ThreatType>, Refusal> {
    word("type", fields.threat_type.as_deref(), &TYPES)
}

pub(super) fn direction(fields: &RuleText) -> Result<Option<Option<Direction>>, Refusal> {
    word("direction", fields.direction.as_deref(), &DIRECTIONS)
}

pub(super) fn severity(fields: &RuleText) -> Result<Option<Severity>, Refusal> {
    word("severity", fields.severity.as_deref(), &SEVERITIES)
}

pub(super) fn entropy(fields: &RuleText) -> Result<Option<f64>, Refusal> {
    match fields.entropy {
        Some(bits) if !ENTROPIES.contains(&bits) => Err(broken("entropy must be from 0 to 8 bits")),
        said => {
            let of_filter = fields.filter.as_deref().and_then(least_entropy);
            Ok(said.into_iter().chain(of_filter).reduce(f64::max))
        }
    }
}

/// Bits a byte.
const ENTROPIES: RangeInclusive<f64> = 0.0..=8.0;

/// Whether a filter says more than what [`entropy`] reads of it.
pub(super) fn has_unread_filter(fields: &RuleText) -> bool {
    fields.filter.as_deref().is_some_and(|filter| least_entropy(filter).is_none())
}

/// The bound of a filter that says nothing but `entropy(finding["secret"]) <= 3.5`, as most do.
fn least_entropy(filter: &str) -> Option<f64> {
    let text: String = filter.chars().filter(|character| !character.is_whitespace()).collect();
    let call = text.strip_prefix("filter.").unwrap_or(&text).replace('\'', "\"");
    let bound = call.strip_prefix("entropy(finding[\"secret\"])<")?;
    let bound = bound.strip_prefix('=').unwrap_or(bound).parse().ok();
    bound.filter(|bits| ENTROPIES.contains(bits))
}

pub(super) fn keywords(fields: &RuleText) -> Vec<String> {
    fields.keywords.iter().map(|word| word.to_ascii_lowercase()).collect()
}

pub(super) fn validators(fields: &RuleText) -> Result<Vec<Validator>, Refusal> {
    fields.validators.iter().map(|name| validator(name)).collect()
}

pub(super) fn negative_examples(fields: &RuleText) -> Result<Vec<String>, Refusal> {
    examples(&fields.id, fields.examples.len(), &fields.negative_examples)
}

fn validator(name: &str) -> Result<Validator, Refusal> {
    Validator::named(name).ok_or_else(|| {
        let known: Vec<&str> = Validator::names().collect();
        broken(format!("there is no validator \"{}\"; there are {}", short(name), known.join(", ")))
    })
}

pub(super) fn examples(
    id: &str,
    first: usize,
    templates: &[String],
) -> Result<Vec<String>, Refusal> {
    let written = templates.iter().enumerate().map(|(number, template)| {
        template::expand(template, id, first + number)
            .map_err(|error| broken(format!("in its example {:?}: {error}", short(template))))
    });
    written.collect()
}

const TYPES: [(&str, ThreatType); 2] =
    [("EXFIL", ThreatType::Exfil), ("INJECTION", ThreatType::Injection)];
const SEVERITIES: [(&str, Severity); 5] = [
    ("critical", Severity::Critical),
    ("high", Severity::High),
    ("medium", Severity::Medium),
    ("low", Severity::Low),
    ("info", Severity::Info),
];
pub(super) const CONFIDENCES: [(&str, Confidence); 3] =
    [("high", Confidence::High), ("medium", Confidence::Medium), ("low", Confidence::Low)];
const DIRECTIONS: [(&str, Option<Direction>); 3] = [
    ("outbound", Some(Direction::Outbound)),
    ("inbound", Some(Direction::Inbound)),
    ("both", None),
];
pub(super) const CONDITIONS: [(&str, bool); 4] =
    [("OR", false), ("||", false), ("AND", true), ("&&", true)];
pub(super) const TARGETS: [(&str, Target); 4] = [
    ("secret", Target::Secret),
    ("match", Target::Match),
    ("line", Target::Line),
    ("around", Target::Around),
];

/// The meaning of one of few words, in any case; none if it is not said.
pub(super) fn word<T: Copy>(
    key: &str,
    said: Option<&str>,
    words: &[(&str, T)],
) -> Result<Option<T>, Refusal> {
    let Some(said) = said.filter(|said| !said.is_empty()) else { return Ok(None) };
    match words.iter().find(|(word, _)| word.eq_ignore_ascii_case(said)) {
        Some((_, meaning)) => Ok(Some(*meaning)),
        None => {
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            let said = short(said);
            Err(broken(format!("{key} is {said:?}; it must be {}", known.join(" or "))))
        }
    }
}
