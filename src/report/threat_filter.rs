//! Which findings somebody wants to see: by glob and by time. Decides only: takes lines of
//! `threats.jsonl` as JSON, reads no file and no clock.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::tail::Verdict;
use crate::config::glob_matches;
use crate::finding::{Confidence, Direction, Severity, ThreatType};
use crate::limits::{SINCE_MAX_SECS, THREATS_DISORDER_SECS};

/// What is wanted. An empty list wants everything; of a list, one match is enough; of the lists,
/// all must match.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ThreatFilter {
    /// Globs over the field of the same name, case ignored. Those of `dest` match with the port or
    /// without it.
    pub pattern: Vec<String>,
    pub direction: Vec<String>,
    pub threat_type: Vec<String>,
    pub dest: Vec<String>,
    pub source: Vec<String>,
    /// The users of `proxy_auth`; a finding without one has an empty name, which `*` matches.
    pub agent: Vec<String>,
    /// Nothing from before this moment.
    pub since: Option<Timestamp>,
    /// Nothing that is less bad than this.
    pub least_severity: Option<Severity>,
    /// Nothing that is less likely than this.
    pub least_confidence: Option<Confidence>,
}

impl ThreatFilter {
    /// Says what is wrong with globs that no finding can ever match.
    pub fn check(&self) -> Result<(), String> {
        let directions = [Direction::Inbound, Direction::Outbound].map(Direction::as_str);
        let types = [ThreatType::Exfil, ThreatType::Injection].map(ThreatType::as_str);
        check_globs("--direction", &self.direction, directions)?;
        check_globs("--type", &self.threat_type, types)
    }

    /// Whether a finding is wanted.
    pub fn wants(&self, threat: &Value) -> bool {
        self.is_bad_enough(threat) && self.concerns(threat)
    }

    /// The same for a file that is read from its end: says when older lines need not be read.
    pub fn judge(&self, threat: &Value) -> Verdict {
        if self.wants(threat) {
            return Verdict::Keep;
        }
        let disorder = SignedDuration::from_secs(THREATS_DISORDER_SECS);
        let is_long_past = |since: Timestamp| {
            time_of(threat).is_some_and(|time| since.duration_since(time) > disorder)
        };
        if self.since.is_some_and(is_long_past) { Verdict::Stop } else { Verdict::PassOver }
    }

    /// As [`ThreatFilter::judge`], and counts the credentials where they belong that nothing keeps out but that
    /// they are no alarm.
    pub fn judge_and_count(&self, threat: &Value, left_out: &mut u64) -> Verdict {
        let is_left_out =
            self.least_severity == Some(Severity::Low) && is_info(threat) && self.concerns(threat);
        *left_out += u64::from(is_left_out);
        self.judge(threat)
    }

    fn is_bad_enough(&self, threat: &Value) -> bool {
        self.least_severity.is_none_or(|least| severity_of(threat) >= least)
    }

    /// Whether it is one of those that are wanted, however bad.
    fn concerns(&self, threat: &Value) -> bool {
        let field = |name: &str| threat.get(name).and_then(Value::as_str).unwrap_or_default();
        let dest = field("dest");
        let host = dest.rsplit_once(':').map_or(dest, |(host, _)| host);
        is_named(&self.pattern, &[field("pattern")])
            && is_named(&self.direction, &[field("direction")])
            && is_named(&self.threat_type, &[field("threat_type")])
            && is_named(&self.dest, &[dest, host, host.trim_matches(['[', ']'])])
            && is_named(&self.source, &[field("source")])
            && is_named(&self.agent, &[field("agent")])
            && self.least_confidence.is_none_or(|least| confidence_of(threat) >= least)
            && self.since.is_none_or(|since| time_of(threat).is_some_and(|time| time >= since))
    }
}

fn check_globs(name: &str, globs: &[String], values: [&str; 2]) -> Result<(), String> {
    let is_possible =
        |glob: &&String| values.iter().any(|value| is_named(std::slice::from_ref(*glob), &[value]));
    match globs.iter().find(|glob| !is_possible(glob)) {
        Some(glob) => Err(format!("{name} {glob:?} matches nothing: {}", values.join(" or "))),
        None => Ok(()),
    }
}

/// How bad a finding is. One of an earlier version does not say, and is an alarm.
fn severity_of(threat: &Value) -> Severity {
    let name = threat.get("severity").and_then(Value::as_str);
    name.and_then(Severity::from_name).unwrap_or(Severity::High)
}

/// How likely a finding is. One of an earlier version does not say, and is left out by nothing.
fn confidence_of(threat: &Value) -> Confidence {
    let name = threat.get("confidence").and_then(Value::as_str);
    name.and_then(Confidence::from_name).unwrap_or(Confidence::High)
}

/// Whether a finding is no alarm: a credential where it belongs.
pub fn is_info(threat: &Value) -> bool {
    severity_of(threat) == Severity::Info
}

/// When a finding was made.
pub fn time_of(threat: &Value) -> Option<Timestamp> {
    threat.get("timestamp")?.as_str()?.parse().ok()
}

fn is_named(globs: &[String], texts: &[&str]) -> bool {
    let matches =
        |glob: &String| texts.iter().any(|text| glob_matches(glob.as_bytes(), text.as_bytes()));
    globs.is_empty() || globs.iter().any(matches)
}

/// `90s`, `10m`, `2h`, `1h30m`, `7d`, `2w` before now, or a moment (`2026-02-19T13:41:59Z`, in UTC where it names no
/// zone, `2026-02-19` for the beginning of a day). None if it is neither, or lies further back than anybody's findings.
pub fn parse_since(text: &str, now: Timestamp) -> Option<Timestamp> {
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Some(moment);
    }
    if let Ok(moment) = text.parse::<DateTime>() {
        return moment.to_zoned(TimeZone::UTC).ok().map(|moment| moment.timestamp());
    }
    let mut total_secs: i64 = 0;
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit_and_rest) = rest.split_at_checked(digits)?;
        let mut characters = unit_and_rest.chars();
        let unit_secs = match characters.next()? {
            's' => 1,
            'm' => 60,
            'h' => 3_600,
            'd' => 86_400,
            'w' => 604_800,
            _ => return None,
        };
        let part_secs = number.parse::<i64>().ok()?.checked_mul(unit_secs)?;
        total_secs = total_secs.checked_add(part_secs).filter(|secs| *secs <= SINCE_MAX_SECS)?;
        rest = characters.as_str();
    }
    now.checked_sub(SignedDuration::from_secs(total_secs)).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn threat() -> Value {
        json!({"direction": "outbound", "threat_type": "EXFIL", "pattern": "ai_api_key",
               "source": "127.0.0.1", "dest": "api.anthropic.com:443",
               "timestamp": "2026-02-19T13:41:59.587248+00:00"})
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn list(globs: &[&str]) -> Vec<String> {
        globs.iter().map(|glob| (*glob).to_owned()).collect()
    }

    #[test]
    fn an_empty_filter_wants_everything_even_what_has_no_fields() {
        assert!(ThreatFilter::default().wants(&threat()));
        assert!(ThreatFilter::default().wants(&json!({})));
    }

    #[test]
    fn one_glob_of_each_list_must_match() {
        let cases: &[(&[&str], bool)] = &[
            (&["ai_api_key"], true),
            (&["AI_*"], true),
            (&["aws_*"], false),
            (&["aws_*", "*_key"], true),
            (&["ai_api"], false),
        ];
        for (globs, wanted) in cases {
            let filter = ThreatFilter { pattern: list(globs), ..ThreatFilter::default() };
            assert_eq!(filter.wants(&threat()), *wanted, "{globs:?}");
        }
        let both = ThreatFilter {
            pattern: list(&["ai_*"]),
            direction: list(&["inbound"]),
            ..ThreatFilter::default()
        };
        assert!(!both.wants(&threat()));
        let filter = ThreatFilter { threat_type: list(&["exfil"]), ..ThreatFilter::default() };
        assert!(filter.wants(&threat()) && !filter.wants(&json!({})));
        let filter = ThreatFilter { source: list(&["127.*"]), ..ThreatFilter::default() };
        assert!(filter.wants(&threat()));
    }

    #[test]
    fn a_direction_or_a_type_that_there_is_not_is_refused_with_those_that_there_are() {
        let check = |direction: &[&str], threat_type: &[&str]| {
            let (direction, threat_type) = (list(direction), list(threat_type));
            ThreatFilter { direction, threat_type, ..ThreatFilter::default() }.check()
        };
        for (directions, types) in [(&[][..], &[][..]), (&["OUT*", "*"], &["exfil", "*JECT*"])] {
            assert_eq!(check(directions, types), Ok(()));
        }
        let wrong = check(&["inbound", "outbund"], &[]).unwrap_err();
        assert_eq!(wrong, "--direction \"outbund\" matches nothing: inbound or outbound");
        let wrong = check(&[], &["FOO"]).unwrap_err();
        assert_eq!(wrong, "--type \"FOO\" matches nothing: EXFIL or INJECTION");
        assert!(check(&[""], &[]).is_err());
    }

    #[test]
    fn an_agent_is_named_where_there_is_one() {
        let mut known = threat();
        known["agent"] = json!("coder");
        let filter = ThreatFilter { agent: list(&["cod*"]), ..ThreatFilter::default() };
        assert!(filter.wants(&known) && !filter.wants(&threat()));
    }

    #[test]
    fn what_is_less_bad_than_asked_for_is_left_out() {
        let wants = |least, severity: Value| {
            let filter = ThreatFilter { least_severity: Some(least), ..ThreatFilter::default() };
            filter.wants(&json!({"severity": severity}))
        };
        assert!(wants(Severity::Medium, json!("medium")) && wants(Severity::Info, json!("info")));
        assert!(!wants(Severity::Medium, json!("low")) && !wants(Severity::Low, json!("info")));
        assert!(wants(Severity::High, json!(null)) && !wants(Severity::Critical, json!("odd")));
        assert!(is_info(&json!({"severity": "info"})) && !is_info(&json!({})));
    }

    #[test]
    fn what_is_less_likely_than_asked_for_is_left_out() {
        let filter =
            ThreatFilter { least_confidence: Some(Confidence::Medium), ..ThreatFilter::default() };
        for (confidence, is_wanted) in [
            (json!("low"), false),
            (json!("medium"), true),
            (json!("high"), true),
            (json!(null), true),
        ] {
            assert_eq!(filter.wants(&json!({"confidence": confidence})), is_wanted, "{confidence}");
        }
    }

    #[test]
    fn a_destination_is_named_with_its_port_or_without() {
        for (glob, dest, wanted) in [
            ("api.anthropic.com", "api.anthropic.com:443", true),
            ("api.anthropic.com:443", "api.anthropic.com:443", true),
            ("*.anthropic.com", "api.anthropic.com:443", true),
            ("*:443", "api.anthropic.com:443", true),
            ("*:80", "api.anthropic.com:443", false),
            ("anthropic.com", "api.anthropic.com:443", false),
            ("::1", "[::1]:443", true),
            ("[::1]", "[::1]:443", true),
        ] {
            let filter = ThreatFilter { dest: list(&[glob]), ..ThreatFilter::default() };
            assert_eq!(filter.wants(&json!({"dest": dest})), wanted, "{glob} {dest}");
        }
    }

    #[test]
    fn since_is_a_bound_that_counts_and_reading_goes_on_past_some_disorder() {
        let time = at("2026-02-19T13:41:59.587248Z");
        let since = |since| ThreatFilter { since: Some(since), ..ThreatFilter::default() };
        let micro = SignedDuration::from_micros(1);
        assert_eq!(since(time).judge(&threat()), Verdict::Keep);
        assert_eq!(since(time + micro).judge(&threat()), Verdict::PassOver);
        let bound = time + SignedDuration::from_secs(THREATS_DISORDER_SECS);
        assert_eq!(since(bound).judge(&threat()), Verdict::PassOver);
        assert_eq!(since(bound + micro).judge(&threat()), Verdict::Stop);
        assert_eq!(since(time).judge(&json!({"timestamp": "soon"})), Verdict::PassOver);
    }

    #[test]
    fn a_span_or_a_moment_says_since_when() {
        let now = at("2026-02-19T12:00:00Z");
        for (text, since) in [
            ("90s", "2026-02-19T11:58:30Z"),
            ("10m", "2026-02-19T11:50:00Z"),
            ("1h30m", "2026-02-19T10:30:00Z"),
            ("2d", "2026-02-17T12:00:00Z"),
            ("1w", "2026-02-12T12:00:00Z"),
            ("0s", "2026-02-19T12:00:00Z"),
            ("2026-02-19T13:41:59+00:00", "2026-02-19T13:41:59Z"),
            ("2026-02-19T13:41:59", "2026-02-19T13:41:59Z"),
            ("2026-02-19", "2026-02-19T00:00:00Z"),
        ] {
            assert_eq!(parse_since(text, now), Some(at(since)), "{text}");
        }
        for wrong in ["", "10", "m", "10 m", "-5m", "1.5h", "10x", "99999999999999999999s"] {
            assert_eq!(parse_since(wrong, now), None, "{wrong}");
        }
        assert!(parse_since(&format!("{SINCE_MAX_SECS}s"), now).is_some());
        assert_eq!(parse_since(&format!("{}s", SINCE_MAX_SECS + 1), now), None);
    }

    proptest! {
        #[test]
        fn no_text_is_too_odd_to_be_refused(text in "\\PC{0,20}") {
            let _ = parse_since(&text, Timestamp::UNIX_EPOCH);
        }
    }
}
