//! Each condition of each decision, on both sides.

use std::time::{Duration, UNIX_EPOCH};

use super::*;
use crate::config::{Expiry, Network, default_credentials};
use crate::limits::FINGERPRINT_KEY_BYTES;

const OWN: Fingerprint = Fingerprint([1; 8]);

fn policy(suppressions: Vec<Suppression>) -> Policy {
    let config = PolicyConfig { expected: default_credentials(), suppressions };
    // Some of the rules asked about are known before, some are not: no verdict depends on it.
    let rules = ["ai_api_key", "unix_sensitive", "shell_exec"].map(Arc::from);
    let key = FingerprintKey::new(&[7; FINGERPRINT_KEY_BYTES]);
    Policy::new(&config, key).knowing(rules.into_iter())
}

fn seen(rule: &str) -> Seen<'_> {
    let (severity, confidence) = (Severity::High, Confidence::High);
    Seen { rule, severity, confidence, fingerprint: Some(OWN), secret: b"sk-ant-api03-invented" }
}

fn at<'a>(dest: &'a str, place: Place<'a>) -> Circumstances<'a> {
    Circumstances {
        direction: Direction::Outbound,
        protocol: Protocol::Https,
        source: "192.0.2.7".parse().unwrap(),
        dest,
        place,
        path: Some("/v1/messages"),
    }
}

fn now() -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(1_000_000)
}

fn judge(policy: &Policy, rule: &str, at: &Circumstances<'_>) -> (Severity, Disposition) {
    let verdict = policy.judge(&seen(rule), at, now());
    assert_eq!((verdict.confidence, verdict.fingerprint), (Confidence::High, Some(OWN)));
    (verdict.severity, verdict.disposition)
}

#[test]
fn a_token_that_was_asked_for_is_expected_in_the_answer_only() {
    let policy = policy(Vec::new());
    let inbound = |dest, place, path| Circumstances {
        direction: Direction::Inbound,
        path: Some(path),
        ..at(dest, place)
    };
    let location = Place::Header("Location");
    for (rule, dest, place, path, is_expected) in [
        ("jwt", "auth.docker.io:443", Place::Body, "/token", true),
        ("jwt", "auth.docker.io:443", Place::Body, "/other", false),
        ("jwt", "evil.example:443", Place::Body, "/token", false),
        ("ai_api_key", "console.anthropic.com:443", Place::Body, "/v1/oauth/token", true),
        ("gcp_oauth_access_token", "oauth2.googleapis.com:443", Place::Body, "/token", true),
        ("aws_access_key", "github.com:443", location, "/a/b/releases/download/v1/x.tar.gz", true),
        ("azure_sas_signature", "github.com:443", location, "/a/b", true),
        ("azure_sas_signature", "github.com:443", Place::Header("Set-Cookie"), "/a/b", false),
        ("azure_sas_signature", "github.com:443", Place::Body, "/a/b", false),
        ("ai_api_key", "github.com:443", location, "/a/b", false),
        // What is a place for a key on its way out is none for one that comes in.
        ("ai_api_key", "api.anthropic.com:443", Place::Header("x-api-key"), "/v1/messages", false),
        ("aws_access_key", "b.s3.amazonaws.com:443", Place::Query("x-amz-date"), "/", false),
    ] {
        let verdict = match is_expected {
            true => (Severity::Info, Disposition::Expected),
            false => (Severity::High, Disposition::Report),
        };
        let told = judge(&policy, rule, &inbound(dest, place, path));
        assert_eq!(told, verdict, "{rule} {dest} {place:?}");
    }
    let out = at("auth.docker.io:443", Place::Body);
    let out = Circumstances { path: Some("/token"), ..out };
    assert_eq!(judge(&policy, "jwt", &out).1, Disposition::Report);
}

#[test]
fn a_providers_key_is_expected_in_its_own_place_only() {
    let policy = policy(Vec::new());
    let expected = (Severity::Info, Disposition::Expected);
    let critical = (Severity::Critical, Disposition::Report);
    let ordinary = (Severity::High, Disposition::Report);
    let telegram =
        Circumstances { path: Some("/bot12:x/send"), ..at("api.telegram.org:443", Place::Path) };
    assert_eq!(judge(&policy, "telegram_bot_token", &telegram), expected);
    for (rule, dest, place, verdict) in [
        ("ai_api_key", "api.anthropic.com:443", Place::Header("X-Api-Key"), &expected),
        ("ai_api_key", "API.anthropic.com.:443", Place::Header("authorization"), &expected),
        ("known_value", "api.anthropic.com:443", Place::Header("x-api-key"), &expected),
        ("known_value", "api.anthropic.com:443", Place::Body, &ordinary),
        ("ai_api_key", "api.anthropic.com:443", Place::Body, &critical),
        ("ai_api_key", "api.anthropic.com:443", Place::Query("key"), &critical),
        ("ai_api_key", "api.anthropic.com:443", Place::Header("Cookie"), &critical),
        ("ai_api_key", "api.anthropic.com.evil.example:443", Place::Header("x-api-key"), &critical),
        ("ai_api_key", "evil.example:443", Place::Header("x-api-key"), &critical),
        ("aws_access_key", "api.anthropic.com:443", Place::Header("x-api-key"), &critical),
        ("google_api_key", "generativelanguage.googleapis.com:443", Place::Query("key"), &expected),
        (
            "aws_access_key",
            "s3.eu-west-1.amazonaws.com:443",
            Place::Header("Authorization"),
            &expected,
        ),
        ("aws_access_key", "b.s3.amazonaws.com:443", Place::Query("X-Amz-Credential"), &expected),
        ("telegram_bot_token", "api.telegram.org:443", Place::Path, &critical),
        ("unix_sensitive", "api.anthropic.com:443", Place::Header("x-api-key"), &ordinary),
        ("ai_api_key", "[::1]:8080", Place::Header("authorization"), &critical),
        ("aws_presigned_url", "b.s3.amazonaws.com:443", Place::Query("X-Amz-Signature"), &expected),
        ("aws_presigned_url", "b.s3.example:443", Place::Query("X-Amz-Signature"), &critical),
        ("jwt", "chatgpt.com:443", Place::Header("Authorization"), &expected),
        ("jwt", "chatgpt.com:443", Place::Header("Cookie"), &ordinary),
        ("jwt", "chatgpt.com:443", Place::Body, &ordinary),
        ("jwt", "api.corp.example:443", Place::Header("Authorization"), &ordinary),
        // Of such a host anybody may have one.
        (
            "known_value",
            "a.execute-api.amazonaws.com:443",
            Place::Header("Authorization"),
            &ordinary,
        ),
        ("known_value", "api.corp.example:443", Place::Header("Authorization"), &ordinary),
        ("tavily_api_key", "api.tavily.com:443", Place::Body, &expected),
        ("known_value", "api.tavily.com:443", Place::Body, &ordinary),
    ] {
        assert_eq!(judge(&policy, rule, &at(dest, place)), *verdict, "{rule} {dest} {place:?}");
    }
}

#[test]
fn another_providers_key_does_not_belong_there() {
    let policy = policy(Vec::new());
    let severity = |dest: &str, header: &str, key: &str| {
        let seen = Seen { secret: key.as_bytes(), ..seen("ai_api_key") };
        policy.judge(&seen, &at(dest, Place::Header(header)), now()).severity
    };
    let (anthropic, openai) = ("api.anthropic.com:443", "api.openai.com:443");
    let keys = ["sk-ant-api03-x", "sk-proj-x", "sk-or-v1-x", "sk_live_x", "sk-x9"];
    for (dest, header, own) in [
        (anthropic, "x-api-key", &keys[..1]),
        (anthropic, "authorization", &keys[..1]),
        (openai, "authorization", &["sk-proj-x", "sk-x9"][..]),
        (openai, "sec-websocket-protocol", &["sk-proj-x", "sk-x9"]),
        ("openrouter.ai:443", "authorization", &["sk-or-v1-x"]),
        ("api.deepseek.com:443", "authorization", &["sk-x9"]),
        ("api.stripe.com:443", "authorization", &["sk_live_x"]),
    ] {
        for key in keys {
            let wanted = if own.contains(&key) { Severity::Info } else { Severity::Critical };
            assert_eq!(severity(dest, header, key), wanted, "{key} {dest}");
        }
    }
    assert_eq!(severity(openai, "authorization", "_SK-ANT-x"), Severity::Critical);
}

#[test]
fn a_key_in_a_body_is_expected_where_it_is_renewed() {
    let policy = policy(Vec::new());
    let at =
        |path| Circumstances { path: Some(path), ..at("platform.claude.com:443", Place::Body) };
    let expected = (Severity::Info, Disposition::Expected);
    assert_eq!(judge(&policy, "ai_api_key", &at("/v1/oauth/token")), expected);
    assert_eq!(judge(&policy, "ai_api_key", &at("/v1/messages")).0, Severity::Critical);
    let seen = Seen { secret: b"sk-proj-x", ..seen("ai_api_key") };
    let renewed = policy.judge(&seen, &at("/v1/oauth/token"), now());
    assert_eq!(renewed.severity, Severity::Critical, "another's");
}

#[test]
fn a_key_in_the_clear_or_in_an_answer_is_never_expected() {
    let policy = policy(Vec::new());
    let own = at("api.anthropic.com:443", Place::Header("x-api-key"));
    let clear = Circumstances { protocol: Protocol::Http, ..own };
    assert_eq!(judge(&policy, "ai_api_key", &clear).0, Severity::Critical);
    let inbound = Circumstances { direction: Direction::Inbound, ..own };
    assert_eq!(judge(&policy, "ai_api_key", &inbound), (Severity::High, Disposition::Report));
    let here = PolicyConfig {
        expected: vec![ExpectedCredential {
            host: "127.0.0.*".into(),
            slot: Slot::Header("x-api-key".into()),
            rules: vec!["*".into()],
            keys: Vec::new(),
        }],
        ..PolicyConfig::default()
    };
    let policy = Policy::new(&here, FingerprintKey::new(&[7; FINGERPRINT_KEY_BYTES]));
    let local = Circumstances { protocol: Protocol::Http, dest: "127.0.0.1:80", ..own };
    assert_eq!(judge(&policy, "ai_api_key", &local).1, Disposition::Expected);
    let body = Circumstances { place: Place::Body, ..local };
    assert_eq!(judge(&policy, "ai_api_key", &body), (Severity::High, Disposition::Report));
}

fn suppression() -> Suppression {
    Suppression {
        reason: "a key of the tests".into(),
        expires: None,
        rule: None,
        dest: None,
        header: None,
        source: None,
        path: None,
        fingerprint: None,
    }
}

#[test]
fn a_suppression_holds_by_each_condition_and_by_all_together() {
    let all = Suppression {
        rule: Some("ai_*".into()),
        dest: Some("*.example".into()),
        header: Some("x-own".into()),
        source: Network::parse("192.0.2.0/24"),
        path: Some("/v1/*".into()),
        fingerprint: Some(OWN),
        ..suppression()
    };
    let here = at("llm.example:443", Place::Header("X-Own"));
    let holds = |suppression: &Suppression, rule: &str, at: &Circumstances<'_>| {
        let (_, disposition) = judge(&policy(vec![suppression.clone()]), rule, at);
        disposition == Disposition::Suppressed("a key of the tests".into())
    };
    assert!(holds(&all, "ai_api_key", &here));
    assert!(!holds(&all, "shell_exec", &here));
    for other in [
        Circumstances { dest: "llm.example.net:443", ..here },
        Circumstances { place: Place::Header("x-other"), ..here },
        Circumstances { place: Place::Body, ..here },
        Circumstances { source: "198.51.100.1".parse().unwrap(), ..here },
        Circumstances { path: Some("/v2/x"), ..here },
        Circumstances { path: None, ..here },
    ] {
        assert!(!holds(&all, "ai_api_key", &other), "{other:?}");
    }
    let strange = Suppression { fingerprint: Some(Fingerprint([2; 8])), ..all.clone() };
    assert!(!holds(&strange, "ai_api_key", &here));
    let with_port = Suppression { dest: Some("llm.example:443".into()), ..suppression() };
    assert!(holds(&with_port, "shell_exec", &here));
    let other_port = Circumstances { dest: "llm.example:8443", ..here };
    assert!(!holds(&with_port, "shell_exec", &other_port));
    let inbound = Circumstances { direction: Direction::Inbound, ..here };
    assert!(holds(&with_port, "shell_exec", &inbound), "both ways");
}

#[test]
fn a_suppression_ends_at_its_expiry_and_says_so() {
    let until = |at: SystemTime| Suppression {
        rule: Some("*".into()),
        expires: Some(Expiry { text: "1970-01-12".into(), at }),
        ..suppression()
    };
    let here = at("llm.example:443", Place::Body);
    let last = policy(vec![until(now() + Duration::from_nanos(1))]);
    assert!(matches!(judge(&last, "shell_exec", &here).1, Disposition::Suppressed(_)));
    let expired = |suppression: Suppression| -> Vec<String> {
        let config = PolicyConfig { suppressions: vec![suppression], ..PolicyConfig::default() };
        config.expired(now()).collect()
    };
    assert!(expired(until(now() + Duration::from_nanos(1))).is_empty());
    let over = policy(vec![until(now())]);
    assert_eq!(judge(&over, "shell_exec", &here).1, Disposition::Report);
    let words = "suppressions[0] (a key of the tests) expired 1970-01-12: it does not apply";
    assert_eq!(expired(until(now())), [words]);
}

#[test]
fn paths_and_fingerprints_are_made_only_where_they_matter() {
    let config = PolicyConfig::default();
    let key = || FingerprintKey::new(&[7; FINGERPRINT_KEY_BYTES]);
    assert!(!Policy::new(&config, key()).looks_at_paths());
    let path = Suppression { path: Some("/x".into()), ..suppression() };
    let in_bodies = PolicyConfig { expected: default_credentials(), ..config.clone() };
    assert!(Policy::new(&in_bodies, key()).looks_at_paths());
    let config = PolicyConfig { suppressions: vec![path], ..config };
    let policy = Policy::new(&config, key());
    assert!(policy.looks_at_paths() && !policy.needs_fingerprints());
    let known = Suppression { fingerprint: Some(OWN), ..suppression() };
    let config = PolicyConfig { suppressions: vec![known], ..config };
    assert!(Policy::new(&config, key()).needs_fingerprints());
}
