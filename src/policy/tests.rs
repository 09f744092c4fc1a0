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
        // Whose it is, nobody knows.
        ("known_value", "api.anthropic.com:443", Place::Header("x-api-key"), &ordinary),
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
            "generic_secret",
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

/// Whatever was watched counted as where it belongs in the place of every provider's key: a database's password as
/// OpenAI's bearer was no alarm.
#[test]
fn a_watched_value_is_expected_where_it_looks_like_that_providers_key_only() {
    let (password, openai) = ("a pass phrase of mine", "sk-proj-EXAMPLE0123456789abcdef");
    let telegram = "12345678:AAexampleexampleexampleexampleexam";
    let mut policy = policy(Vec::new());
    for (value, rules) in [
        (password, &["generic_secret"][..]),
        (openai, &["ai_api_key"]),
        (telegram, &["telegram_bot_token"]),
        // By another name nothing is known of it.
        (openai, &[]),
    ] {
        let rules: Vec<Arc<str>> = rules.iter().map(|rule| Arc::from(*rule)).collect();
        policy = policy.watching(format!(" {value}\n").as_bytes(), &rules);
    }
    let bearer = Place::Header("Authorization");
    let bot =
        Circumstances { path: Some("/bot1:x/getMe"), ..at("api.telegram.org:443", Place::Path) };
    for (here, own) in [
        (at("api.openai.com:443", bearer), Some(openai)),
        (at("api.anthropic.com:443", Place::Header("x-api-key")), None),
        (at("maps.googleapis.com:443", Place::Query("key")), None),
        (at("api.groq.com:443", bearer), None),
        (bot, Some(telegram)),
        (at("evil.example:443", bearer), None),
        (at("api.openai.com:443", Place::Body), None),
        (Circumstances { protocol: Protocol::Http, ..at("api.openai.com:443", bearer) }, None),
    ] {
        for value in [password, openai, telegram] {
            let fingerprint = Some(policy.fingerprint(value.as_bytes()));
            let severity = Severity::Critical;
            let seen = Seen { severity, fingerprint, secret: &[], ..seen("known_value") };
            let told = policy.judge(&seen, &here, now()).severity;
            let wanted = if own == Some(value) { Severity::Info } else { Severity::Critical };
            assert_eq!(told, wanted, "{value} {here:?}");
        }
    }
}

/// A rule, a key that it finds, a host and a place of a request.
type Home<'a> = (&'a str, &'a str, &'a str, Place<'a>);

/// The key is expected there, and an alarm on its way to another host, in another place, in the clear and in an answer.
#[track_caller]
fn assert_homes(homes: &[Home<'_>]) {
    let policy = policy(Vec::new());
    for (rule, key, host, place) in homes {
        let dest = format!("{host}:443");
        let here = at(&dest, *place);
        let seen = Seen { secret: key.as_bytes(), ..seen(rule) };
        let told = |at: &Circumstances<'_>| {
            let verdict = policy.judge(&seen, at, now());
            (verdict.severity, verdict.disposition)
        };
        assert_eq!(told(&here), (Severity::Info, Disposition::Expected), "{rule} {host}");
        let is_of_any_issuer = matches!(*rule, "jwt" | "authorization_basic");
        let severity = if is_of_any_issuer { Severity::High } else { Severity::Critical };
        let alarm = (severity, Disposition::Report);
        let like = format!("{host}.evil.example:443");
        for other in [
            Circumstances { dest: "evil.example:443", ..here },
            Circumstances { dest: &like, ..here },
            Circumstances { place: Place::Header("Cookie"), ..here },
            Circumstances { place: Place::Query("note"), ..here },
            Circumstances { place: Place::Body, ..here },
            Circumstances { protocol: Protocol::Http, ..here },
        ] {
            assert_eq!(told(&other), alarm, "{rule} {other:?}");
        }
        let inbound = Circumstances { direction: Direction::Inbound, ..here };
        assert_eq!(told(&inbound), (Severity::High, Disposition::Report), "{rule} {host}");
    }
}

/// The same of what an answer brings: a rule, a host, a place and a path.
#[track_caller]
fn assert_answers(answers: &[(&str, &str, Place<'_>, &str)]) {
    let policy = policy(Vec::new());
    for (rule, host, place, path) in answers {
        let dest = format!("{host}:443");
        let asked = Circumstances { path: Some(path), ..at(&dest, *place) };
        let here = Circumstances { direction: Direction::Inbound, ..asked };
        let expected = (Severity::Info, Disposition::Expected);
        assert_eq!(judge(&policy, rule, &here), expected, "{rule} {host}");
        for other in [
            Circumstances { dest: "evil.example:443", ..here },
            Circumstances { place: Place::Header("Set-Cookie"), ..here },
            Circumstances { protocol: Protocol::Http, ..here },
        ] {
            let alarm = (Severity::High, Disposition::Report);
            assert_eq!(judge(&policy, rule, &other), alarm, "{rule} {other:?}");
        }
        assert_eq!(judge(&policy, rule, &asked).1, Disposition::Report, "{rule} {host} leaves");
    }
}

/// They were critical alarms, those of STS alone were expected.
#[test]
fn what_aws_logins_answer_is_expected() {
    let body = Place::Body;
    assert_answers(&[
        (
            "aws_secret_access_key",
            "portal.sso.us-east-1.amazonaws.com",
            body,
            "/federation/credentials",
        ),
        ("aws_access_key", "portal.sso.eu-west-1.amazonaws.com", body, "/federation/credentials"),
        ("aws_sts_token", "cognito-identity.us-east-1.amazonaws.com", body, "/"),
        ("jwt", "cognito-identity.us-east-1.amazonaws.com", body, "/"),
        ("jwt", "cognito-idp.us-east-1.amazonaws.com", body, "/"),
        ("jwt", "oidc.us-east-1.amazonaws.com", body, "/token"),
    ]);
    let policy = policy(Vec::new());
    for (dest, path) in [
        ("portal.sso.us-east-1.amazonaws.com:443", "/assignment/roles"),
        ("oidc.us-east-1.amazonaws.com:443", "/client/register"),
        ("b.s3.us-east-1.amazonaws.com:443", "/federation/credentials"),
    ] {
        let here = at(dest, body);
        let here = Circumstances { direction: Direction::Inbound, path: Some(path), ..here };
        let alarm = (Severity::High, Disposition::Report);
        assert_eq!(judge(&policy, "aws_access_key", &here), alarm, "{dest} {path}");
    }
}

/// Each download alarmed twice: its address is signed, and the token for its pieces is a JSON Web Token.
#[test]
fn large_files_of_hugging_face_are_no_alarm() {
    let (token, path) =
        (Place::Header("X-Xet-Access-Token"), "/api/models/o/m/xet-read-token/main");
    assert_answers(&[
        ("jwt", "huggingface.co", Place::Body, path),
        ("jwt", "huggingface.co", Place::Body, "/api/datasets/o/d/xet-write-token/main"),
        ("jwt", "huggingface.co", token, path),
    ]);
    let (signature, authorization) =
        (Place::Query("X-Amz-Signature"), Place::Header("Authorization"));
    assert_homes(&[
        ("aws_presigned_url", "", "cas-bridge.xethub.hf.co", signature),
        ("aws_access_key", "", "transfer.xethub.hf.co", Place::Query("X-Amz-Credential")),
        ("aws_presigned_url", "", "cdn-lfs.hf.co", signature),
        ("jwt", "", "cas-server.xethub.hf.co", authorization),
    ]);
}

/// boto3 signs so by default.
#[test]
fn a_key_id_of_the_old_signature_belongs_to_aws() {
    assert_homes(&[
        ("aws_access_key", "", "b.s3.amazonaws.com", Place::Query("AWSAccessKeyId")),
        ("aws_sts_token", "", "b.s3.amazonaws.com", Place::Query("x-amz-security-token")),
    ]);
}

#[test]
fn an_sdks_own_key_to_its_own_vendor_is_no_alarm() {
    let authorization = Place::Header("Authorization");
    let openai = "sk-proj-x";
    let protocol = Place::Header("Sec-WebSocket-Protocol");
    let (google, subscription) =
        (Place::Header("X-Goog-Api-Key"), Place::Header("Ocp-Apim-Subscription-Key"));
    let (eleven, api_key) = (Place::Header("xi-api-key"), Place::Header("api-key"));
    assert_homes(&[
        ("ai_api_key", openai, "eu.api.openai.com", authorization),
        ("openai_project_key", openai, "us.api.openai.com", authorization),
        ("ai_api_key", openai, "eu.api.openai.com", protocol),
        ("ai_api_key", "sk-x9", "api.stability.ai", authorization),
        ("jwt", "", "my.openai.azure.com", authorization),
        ("jwt", "", "my.services.ai.azure.com", authorization),
        ("jwt", "", "my.cognitiveservices.azure.com", authorization),
        ("azure_identifiable_key", "", "my.cognitiveservices.azure.com", subscription),
        ("jwt", "", "my.search.windows.net", authorization),
        ("azure_search_admin_key", "", "my.search.windows.net", api_key),
        ("jwt", "", "my.blob.core.windows.net", authorization),
        ("jwt", "", "my.dfs.core.windows.net", authorization),
        ("jwt", "", "my.vault.azure.net", authorization),
        ("gcp_api_key", "", "aiplatform.googleapis.com", google),
        ("google_ai_auth_key", "", "aiplatform.googleapis.com", google),
        ("gcp_api_key", "", "maps.googleapis.com", Place::Query("key")),
        ("gcp_api_key", "", "www.googleapis.com", Place::Query("key")),
        ("gcp_api_key", "", "youtube.googleapis.com", Place::Query("key")),
        ("gcp_api_key", "", "customsearch.googleapis.com", Place::Query("key")),
        ("google_ai_auth_key", "", "aiplatform.googleapis.com", Place::Query("key")),
        ("elevenlabs_api_key", "", "api.us.elevenlabs.io", eleven),
        ("elevenlabs_api_key", "", "api.eu.residency.elevenlabs.io", eleven),
        ("nvidia_api_key", "", "integrate.api.nvidia.com", authorization),
        ("vercel_token", "", "ai-gateway.vercel.sh", authorization),
        ("voyage_api_key", "", "api.voyageai.com", authorization),
        ("cartesia_api_key", "", "api.cartesia.ai", authorization),
        ("cartesia_api_key", "", "api.cartesia.ai", Place::Header("X-API-Key")),
        ("authorization_basic", "", "us.cloud.langfuse.com", authorization),
        ("langfuse_secret_key", "", "hipaa.cloud.langfuse.com", authorization),
    ]);
}

#[test]
fn a_tools_own_key_to_its_own_host_is_no_alarm() {
    let authorization = Place::Header("Authorization");
    let api_key = Place::Header("X-API-Key");
    assert_homes(&[
        ("brave_search_api_key", "", "api.search.brave.com", Place::Header("X-Subscription-Token")),
        ("firecrawl_api_key", "", "api.firecrawl.dev", authorization),
        ("jina_api_key", "", "r.jina.ai", authorization),
        ("e2b_api_key", "", "api.e2b.app", api_key),
        ("mem0_api_key", "", "api.mem0.ai", authorization),
        ("authorization_basic", "", "api.wandb.ai", authorization),
        ("wandb_api_key_v1", "", "api.wandb.ai", authorization),
        ("airtable_pat", "", "api.airtable.com", authorization),
        ("hubspot_pat", "", "api.hubapi.com", authorization),
        ("dropbox_token", "", "content.dropboxapi.com", authorization),
        ("sentry_user_token", "", "sentry.io", authorization),
        ("sentry_org_token", "", "us.sentry.io", authorization),
        ("grafana_service_account_token", "", "my.grafana.net", authorization),
        ("authorization_basic", "", "prometheus-prod-01.grafana.net", authorization),
        ("okta_api_token", "", "my.okta.com", authorization),
        ("cloudflare_token", "", "api.cloudflare.com", authorization),
        ("cloudflare_global_api_key", "", "api.cloudflare.com", Place::Header("X-Auth-Key")),
        ("digitalocean_pat", "", "api.digitalocean.com", authorization),
        ("heroku_api_key", "", "api.heroku.com", authorization),
        ("flyio_access_token", "", "api.machines.dev", authorization),
        ("render_api_key", "", "api.render.com", authorization),
        ("doppler_token", "", "api.doppler.com", authorization),
        ("vault_token", "", "my-public-vault.z1.hashicorp.cloud", Place::Header("X-Vault-Token")),
        ("neon_api_key", "", "console.neon.tech", authorization),
        ("databricks_token", "", "dbc-1.cloud.databricks.com", authorization),
        ("jwt", "", "adb-1.2.azuredatabricks.net", authorization),
        ("stripe_secret_key", "sk_live_x", "files.stripe.com", authorization),
        ("square_access_token", "", "connect.squareup.com", authorization),
        ("shopify_access_token", "", "my.myshopify.com", Place::Header("X-Shopify-Access-Token")),
        ("twilio_api_key", "", "api.twilio.com", authorization),
        ("authorization_basic", "", "verify.twilio.com", authorization),
        ("mailgun_api_key", "", "api.eu.mailgun.net", authorization),
        ("resend_api_key", "", "api.resend.com", authorization),
    ]);
    assert_answers(&[("dropbox_token", "api.dropboxapi.com", Place::Body, "/oauth2/token")]);
}

/// What is sent to a webhook anybody may read who made it; its address has a key of Google's in it.
#[test]
fn a_webhook_of_google_chat_stays_an_alarm() {
    let policy = policy(Vec::new());
    for (rule, place) in [
        ("google_chat_webhook_url", Place::Path),
        ("google_chat_webhook_url", Place::Query("key")),
        ("gcp_api_key", Place::Query("key")),
    ] {
        let told = judge(&policy, rule, &at("chat.googleapis.com:443", place));
        assert_eq!(told, (Severity::Critical, Disposition::Report), "{rule}");
    }
}

/// Every start of a bot was an alarm: Discord wants its token in the first message.
#[test]
fn a_token_in_a_message_is_expected_where_a_bot_says_who_it_is() {
    let (gateway, regional) = ("gateway.discord.gg", "gateway-us-east1-b.discord.gg");
    assert_homes(&[
        ("discord_bot_token_alone", "", gateway, Place::WebSocket),
        ("discord_bot_token", "", regional, Place::WebSocket),
    ]);
    let policy = policy(Vec::new());
    let here = at("gateway.discord.gg:443", Place::WebSocket);
    let ordinary = (Severity::High, Disposition::Report);
    assert_eq!(judge(&policy, "github_pat_classic", &here).0, Severity::Critical, "another's");
    assert_eq!(judge(&policy, "known_value", &here), ordinary, "it may be anybody's");
    let own = PolicyConfig {
        expected: vec![ExpectedCredential {
            host: "bots.example".into(),
            slot: Slot::Message("/socket".into()),
            rules: vec!["discord_*".into()],
            keys: Vec::new(),
        }],
        ..PolicyConfig::default()
    };
    let policy = Policy::new(&own, FingerprintKey::new(&[7; FINGERPRINT_KEY_BYTES]));
    assert!(policy.looks_at_paths());
    for (path, severity) in [
        (Some("/socket"), Severity::Info),
        (Some("/other"), Severity::Critical),
        (None, Severity::Critical),
    ] {
        let here = Circumstances { path, ..at("bots.example:443", Place::WebSocket) };
        assert_eq!(judge(&policy, "discord_bot_token", &here).0, severity, "{path:?}");
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
        ("eu.api.openai.com:443", "authorization", &["sk-proj-x", "sk-x9"]),
        ("api.stability.ai:443", "authorization", &["sk-x9"]),
        ("files.stripe.com:443", "authorization", &["sk_live_x"]),
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
fn a_secret_that_is_accepted_is_so_whichever_rule_tells_of_it() {
    let here = at("llm.example:443", Place::Body);
    let is_suppressed = |suppression: Suppression, rule| {
        let (_, disposition) = judge(&policy(vec![suppression]), rule, &here);
        matches!(disposition, Disposition::Suppressed(_))
    };
    for rule in ["ai_api_key", "anthropic_api_key", "openai_project_key"] {
        let by_fingerprint = Suppression { fingerprint: Some(OWN), ..suppression() };
        let by_path = Suppression { path: Some("/v1/*".into()), ..suppression() };
        let by_rule = Suppression { rule: Some("anthropic_*".into()), ..suppression() };
        assert!(is_suppressed(by_fingerprint, rule) && is_suppressed(by_path, rule), "{rule}");
        assert_eq!(is_suppressed(by_rule, rule), rule.starts_with("anthropic_"), "{rule}");
    }
}

#[test]
fn a_path_that_climbs_out_of_a_suppressed_one_is_not_suppressed() {
    let policy = policy(vec![Suppression { path: Some("/upload/*".into()), ..suppression() }]);
    let is_suppressed = |path| {
        let here = Circumstances { path: Some(path), ..at("llm.example:443", Place::Body) };
        matches!(judge(&policy, "shell_exec", &here).1, Disposition::Suppressed(_))
    };
    assert!(is_suppressed("/upload/x") && is_suppressed("/upload/.x/a%20b"));
    for path in ["/upload/../x", "/upload/%2e%2E/x", "/upload/..%2fx", "/upload/a/../../x"] {
        assert!(!is_suppressed(path), "{path}");
    }
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
