//! The examples that Nosey Parker publishes for the formats it looks for: of those that ClawSec claims, its
//! examples are told and its counter-examples are not. Skips, and says so, where the folder is not there.

use std::fs;
use std::sync::Arc;

use clawsec::finding::Confidence;
use clawsec::limits::SCAN_WINDOW_MAX_BYTES;
use clawsec::scan::rules::{default_rules, is_like};
use clawsec::scan::{Database, Match, MatchSink, PaddedBuffer, Scanner, Shape};
use serde_json::Value;

use crate::corpora::corpora;

/// What must be told at least, and what may be told wrongly at most.
const EXAMPLES_TOLD_MIN: usize = 290;
const COUNTER_EXAMPLES_WRONG_MAX: usize = 2;

/// The formats that are claimed: their rule, or the beginning of several (`np.doppler.`), and the rules
/// here that tell of them, `*` for any ending. Not claimed are names that are no secrets (account numbers, buckets,
/// client ids), and any quoted word beside `password`, which `generic_*` tells of only where it looks random.
const CLAIMED: &[(&str, &[&str])] = &[
    ("np.adafruit.1", &["adafruit_io_key"]),
    ("np.adobe.1", &["adobe_client_secret"]),
    ("np.age.2", &["age_secret_key"]),
    ("np.anthropic.1", &["ai_api_key"]),
    ("np.artifactory.1", &["artifactory_api_key"]),
    ("np.atlassian.1", &["atlassian_api_token"]),
    ("np.auth0.1", &["auth0_client_secret"]),
    ("np.aws.1", &["aws_access_key*"]),
    ("np.aws.2", &["aws_secret_access_key"]),
    ("np.aws.4", &["aws_session_token"]),
    ("np.aws.5", &["aws_mws_auth_token"]),
    ("np.aws.6", &["aws_access_key*"]),
    ("np.appsync.1", &["aws_appsync_api_key"]),
    ("np.azure.1", &["azure_storage_account_key", "azure_shared_access_key"]),
    ("np.azure.2", &["azure_app_configuration_secret"]),
    ("np.azure.3", &["azure_devops_pat*"]),
    ("np.azure.4", &["azure_devops_pat*"]),
    ("np.bitbucket.1", &["bitbucket_app_password"]),
    ("np.blynk.1", &["blynk_token"]),
    ("np.codeclimate.1", &["codeclimate_reporter_id"]),
    ("np.cratesio.1", &["crates_io_token"]),
    ("np.databricks.1", &["databricks_token"]),
    ("np.dtrack.1", &["dependency_track_key"]),
    ("np.digitalocean.", &["digitalocean_*"]),
    ("np.django.1", &["django_secret_key"]),
    ("np.dockerhub.1", &["docker_hub_token"]),
    ("np.doppler.", &["doppler_*"]),
    ("np.dropbox.1", &["dropbox_token"]),
    ("np.dynatrace.1", &["dynatrace_token"]),
    ("np.facebook.", &["facebook_*"]),
    ("np.figma.1", &["figma_pat*"]),
    ("np.firecrawl.1", &["firecrawl_api_key"]),
    ("np.generic.7", &["dotnet_network_credential"]),
    ("np.generic.10", &["ado_connection_string"]),
    ("np.github.1", &["github_pat_classic"]),
    ("np.github.2", &["github_oauth_token"]),
    ("np.github.3", &["github_app_*"]),
    ("np.github.4", &["github_refresh_token"]),
    ("np.github.6", &["github_client_secret"]),
    ("np.github.7", &["github_pat_fine_grained"]),
    ("np.gitlab.", &["gitlab_*"]),
    ("np.google.2", &["gcp_oauth_client_secret*"]),
    ("np.google.3", &["gcp_oauth_client_secret*"]),
    ("np.google.4", &["gcp_oauth_access_token"]),
    ("np.google.5", &["gcp_api_key"]),
    ("np.google.6", &["gcp_oauth_client_secret*"]),
    ("np.grafana.", &["grafana_*"]),
    ("np.groq.1", &["groq_api_key"]),
    ("np.pwhash.", &["hash_*"]),
    ("np.krb5.", &["hash_kerberos"]),
    ("np.hashicorp.1", &["vault_token_legacy"]),
    ("np.hashicorp.2", &["vault_token_legacy"]),
    ("np.hashicorp.3", &["vault_token_legacy"]),
    ("np.hashicorp.4", &["vault_token"]),
    ("np.hashicorp.5", &["vault_token"]),
    ("np.hashicorp.6", &["vault_token"]),
    ("np.hashicorp.7", &["vault_unseal_key"]),
    ("np.heroku.1", &["heroku_api_key*"]),
    ("np.http.1", &["authorization_basic"]),
    ("np.huggingface.1", &["huggingface_user_token"]),
    ("np.jenkins.1", &["jenkins_*"]),
    ("np.jina.1", &["jina_api_key"]),
    ("np.jwt.1", &["jwt"]),
    ("np.kagi.1", &["kagi_token"]),
    ("np.kubernetes.1", &["kubernetes_bootstrap_token"]),
    ("np.linkedin.2", &["linkedin_client_secret"]),
    ("np.mailchimp.1", &["mailchimp_api_key"]),
    ("np.mailgun.1", &["mailgun_api_key"]),
    ("np.mapbox.2", &["mapbox_secret_token"]),
    ("np.mapbox.3", &["mapbox_secret_token"]),
    ("np.msteams.1", &["teams_webhook_url*"]),
    ("np.mongodb.1", &["mongodb_url", "url_weak_password"]),
    ("np.netrc.1", &["netrc_password"]),
    ("np.newrelic.1", &["newrelic_license_key"]),
    ("np.newrelic.2", &["newrelic_license_key_legacy"]),
    ("np.newrelic.3", &["newrelic_user_key"]),
    ("np.newrelic.4", &["newrelic_admin_key"]),
    ("np.newrelic.5", &["newrelic_insert_key"]),
    ("np.newrelic.6", &["newrelic_query_key"]),
    ("np.newrelic.7", &["newrelic_rest_key"]),
    ("np.newrelic.8", &["newrelic_pixie_key"]),
    ("np.newrelic.9", &["newrelic_pixie_key"]),
    ("np.npm.1", &["npm_access_token"]),
    ("np.nuget.1", &["nuget_api_key"]),
    ("np.odbc.1", &["ado_connection_string"]),
    ("np.okta.1", &["okta_api_token"]),
    ("np.openai.1", &["sk_alnum_api_key"]),
    ("np.pem.1", &["private_key_pem"]),
    ("np.pem.2", &["private_key_base64"]),
    ("np.postgres.1", &["postgres_url", "url_weak_password"]),
    ("np.postman.1", &["postman_api_key"]),
    ("np.postmark.1", &["postmark_server_token"]),
    ("np.psexec.1", &["psexec_password"]),
    ("np.pypi.1", &["pypi_token"]),
    ("np.rubygems.1", &["rubygems_api_key"]),
    ("np.salesforce.1", &["salesforce_access_token"]),
    ("np.sauce.1", &["sauce_labs_access_key"]),
    ("np.segment.1", &["segment_token"]),
    ("np.sendgrid.1", &["sendgrid_api_key"]),
    ("np.shopify.2", &["shopify_shared_secret"]),
    ("np.shopify.3", &["shopify_access_token"]),
    ("np.shopify.4", &["shopify_custom_app_token"]),
    ("np.shopify.5", &["shopify_private_app_token"]),
    ("np.slack.2", &["slack_bot_token"]),
    ("np.slack.3", &["slack_webhook_url"]),
    ("np.slack.4", &["slack_user_token"]),
    ("np.slack.5", &["slack_app_token*"]),
    ("np.slack.6", &["slack_bot_token"]),
    ("np.sonarqube.1", &["sonar_token*"]),
    ("np.sourcegraph.1", &["sourcegraph_token"]),
    ("np.square.1", &["square_access_token*"]),
    ("np.square.2", &["square_oauth_secret"]),
    ("np.stackhawk.1", &["stackhawk_api_key"]),
    // The original's name for keys that begin with `sk_`.
    ("np.stripe.", &["ai_api_key"]),
    ("np.tavily.1", &["tavily_api_key"]),
    ("np.teamcity.1", &["teamcity_token"]),
    ("np.telegram.1", &["telegram_bot_token"]),
    ("np.truenas.", &["truenas_api_key"]),
    ("np.twilio.1", &["twilio_api_key"]),
    ("np.twitch.1", &["twitch_stream_key"]),
    ("np.twitter.2", &["twitter_api_secret"]),
    ("np.vmware.1", &["vmware_viserver_password"]),
    ("np.wireguard.", &["wireguard_private_key"]),
];

/// The rules here that tell of what a rule of Nosey Parker's looks for; none: it is not claimed.
fn claimed(rule: &str) -> Option<&'static [&'static str]> {
    let is_it = |name: &str| rule == name || name.ends_with('.') && rule.starts_with(name);
    CLAIMED.iter().find(|(name, _)| is_it(name)).map(|(_, ids)| *ids)
}

/// What is told of one text.
#[derive(Default)]
struct Told(Vec<(String, Confidence)>);

impl MatchSink for Told {
    fn wants(&mut self, found: &Match<'_>) -> bool {
        self.0.push((found.rule.id.to_string(), found.confidence));
        false
    }

    fn found(&mut self, _found: &Match<'_>, _snippet: String) {}
}

/// One example: for which rule, whether it is to be found, and its text.
struct Example {
    rule: String,
    is_positive: bool,
    text: String,
}

fn examples() -> Option<Vec<Example>> {
    let lines = fs::read_to_string(corpora().join("noseyparker-examples.jsonl")).ok()?;
    let of_line = |line: &str| {
        let row: Value = serde_json::from_str(line).unwrap();
        let text = |name: &str| row[name].as_str().unwrap().to_owned();
        let is_positive = row["positive"].as_bool().unwrap();
        Example { rule: text("rule"), is_positive, text: text("text") }
    };
    Some(lines.lines().map(of_line).collect())
}

/// Whether a text is what another of the rules is there for: a bot's token of another age, say.
fn is_anothers(example: &Example, ids: &[&str], all: &[Example]) -> bool {
    all.iter().any(|other| {
        other.is_positive
            && other.text == example.text
            && claimed(&other.rule).is_some_and(|theirs| theirs.iter().any(|id| ids.contains(id)))
    })
}

#[test]
fn nosey_parkers_examples_of_claimed_formats_are_told_and_its_counter_examples_are_not() {
    let Some(examples) = examples() else {
        return eprintln!("skipped: no noseyparker-examples.jsonl at {}", corpora().display());
    };
    let database = Arc::new(Database::compile(&default_rules().unwrap()).unwrap());
    let scanner = Scanner::new(&database, SCAN_WINDOW_MAX_BYTES).unwrap();
    let told = |text: &str| {
        let (mut told, mut buffer) = (Told::default(), PaddedBuffer::new());
        let mut body = scanner.body(&Shape::default());
        body.feed(buffer.fill(text.as_bytes()), &mut told);
        body.finish(&mut told);
        told.0
    };
    let (mut caught, mut missed) = (0, Vec::new());
    let (mut passed, mut wrong) = (0, Vec::new());
    for example in &examples {
        let Some(ids) = claimed(&example.rule) else { continue };
        let mut told = told(&example.text);
        told.retain(|(id, _)| ids.iter().any(|claimed| is_like(claimed, id)));
        let is_told = told.iter().any(|(_, confidence)| {
            // Of low confidence may be whatever has the form alone.
            example.is_positive || *confidence > Confidence::Low
        });
        let line = format!("{}: {:?} {told:?}", example.rule, example.text);
        match (example.is_positive, is_told) {
            (true, true) => caught += 1,
            (true, false) => missed.push(line),
            (false, true) if is_anothers(example, ids, &examples) => {}
            (false, true) => wrong.push(line),
            (false, false) => passed += 1,
        }
    }
    println!(
        "{caught} of {} told, {} of {} counter-examples wrongly\nmissed:\n{}\nwrong:\n{}",
        caught + missed.len(),
        wrong.len(),
        wrong.len() + passed,
        missed.join("\n"),
        wrong.join("\n")
    );
    assert!(caught >= EXAMPLES_TOLD_MIN, "told {caught}, at least {EXAMPLES_TOLD_MIN} expected");
    assert!(wrong.len() <= COUNTER_EXAMPLES_WRONG_MAX, "{wrong:#?}");
}
