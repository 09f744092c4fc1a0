//! Names that gitleaks' default rules have, and those that the shipped rules for the same tokens have: a file that extends
//! gitleaks' rules names these. Ids that differ in case and dashes only need no place here, unless gitleaks means another
//! token by one. A rule that finds tokens of several kinds stands for none of them.

/// By gitleaks' id, in order.
const GITLEAKS: [(&str, &[&str]); 119] = [
    ("1password-secret-key", &["onepassword_secret_key"]),
    ("1password-service-account-token", &["onepassword_service_token"]),
    ("adafruit-api-key", &["adafruit_io_key"]),
    ("airtable-api-key", &["airtable_api_key_legacy"]),
    ("airtable-personnal-access-token", &["airtable_pat"]),
    ("alibaba-secret-key", &["alibaba_access_key_secret"]),
    ("anthropic-admin-api-key", &["anthropic_admin_key"]),
    ("atlassian-api-token", &["atlassian_api_token", "atlassian_api_token_legacy"]),
    ("aws-access-token", &["aws_access_key", "aws_access_key_id_other"]),
    ("aws-amazon-bedrock-api-key-long-lived", &["aws_bedrock_api_key"]),
    ("aws-amazon-bedrock-api-key-short-lived", &["aws_bedrock_short_term_key"]),
    ("beamer-api-token", &["beamer_api_key"]),
    ("clickhouse-cloud-api-secret-key", &["clickhouse_cloud_secret"]),
    ("clojars-api-token", &["clojars_token"]),
    ("cloudflare-api-key", &["cloudflare_api_token"]),
    ("cohere-api-token", &["cohere_api_key"]),
    ("coinbase-access-token", &["coinbase_api_secret"]),
    ("confluent-secret-key", &["confluent_api_secret", "confluent_api_secret_legacy"]),
    ("contentful-delivery-api-token", &["contentful_delivery_token"]),
    ("curl-auth-user", &["curl_user_password"]),
    ("databricks-api-token", &["databricks_token"]),
    ("datadog-access-token", &["datadog_app_key"]),
    ("digitalocean-access-token", &["digitalocean_oauth_token"]),
    ("digitalocean-refresh-token", &["digitalocean_oauth_token"]),
    ("doppler-api-token", &["doppler_token"]),
    ("dropbox-short-lived-api-token", &["dropbox_token"]),
    ("duffel-api-token", &["duffel_token"]),
    ("dynatrace-api-token", &["dynatrace_token"]),
    ("easypost-api-token", &["easypost_api_key"]),
    ("easypost-test-api-token", &["easypost_api_key"]),
    ("facebook-access-token", &["facebook_app_access_token"]),
    ("facebook-page-access-token", &["facebook_access_token"]),
    ("facebook-secret", &["facebook_app_secret"]),
    ("flyio-access-token", &["flyio_access_token", "flyio_personal_token"]),
    ("frameio-api-token", &["frameio_token"]),
    ("github-app-token", &["github_app_server_token", "github_app_user_token"]),
    ("github-fine-grained-pat", &["github_pat_fine_grained"]),
    ("github-oauth", &["github_oauth_token"]),
    ("github-pat", &["github_pat_classic"]),
    ("gitlab-cicd-job-token", &["gitlab_job_token"]),
    ("gitlab-feature-flag-client-token", &["gitlab_feature_flag_token"]),
    ("gitlab-kubernetes-agent-token", &["gitlab_agent_token"]),
    ("gitlab-oauth-app-secret", &["gitlab_oauth_secret"]),
    ("gitlab-pat-routable", &["gitlab_pat"]),
    ("gitlab-ptt", &["gitlab_trigger_token"]),
    ("gitlab-rrt", &["gitlab_runner_registration_token"]),
    ("gitlab-runner-authentication-token", &["gitlab_runner_token"]),
    ("gitlab-runner-authentication-token-routable", &["gitlab_runner_token"]),
    ("gocardless-api-token", &["gocardless_access_token"]),
    ("grafana-api-key", &["grafana_api_key_legacy"]),
    ("grafana-cloud-api-token", &["grafana_cloud_token"]),
    ("harness-api-key", &["harness_token"]),
    ("hashicorp-tf-api-token", &["terraform_cloud_token"]),
    ("heroku-api-key", &["heroku_api_key_legacy"]),
    ("heroku-api-key-v2", &["heroku_api_key"]),
    ("hubspot-api-key", &["hubspot_api_key_legacy"]),
    ("huggingface-access-token", &["huggingface_user_token"]),
    ("huggingface-organization-api-token", &["huggingface_org_token"]),
    ("infracost-api-token", &["infracost_api_key"]),
    ("jfrog-api-key", &["artifactory_api_key"]),
    ("jfrog-identity-token", &["artifactory_reference_token"]),
    ("kraken-access-token", &["kraken_private_key"]),
    ("kubernetes-secret-yaml", &["kubernetes_secret_data", "kubernetes_secret_manifest"]),
    ("mailgun-private-api-token", &["mailgun_api_key"]),
    ("mailgun-signing-key", &["mailgun_api_key_new"]),
    ("mattermost-access-token", &["mattermost_token"]),
    ("messagebird-api-token", &["messagebird_api_key"]),
    ("microsoft-teams-webhook", &["teams_webhook_url"]),
    ("new-relic-browser-api-token", &["newrelic_browser_key"]),
    ("new-relic-insert-key", &["newrelic_insert_key"]),
    ("new-relic-user-api-key", &["newrelic_user_key"]),
    ("notion-api-token", &["notion_token"]),
    ("octopus-deploy-api-key", &["octopus_deploy_key"]),
    ("okta-access-token", &["okta_api_token"]),
    ("openai-api-key", &["openai_api_key_legacy", "openai_project_key"]),
    ("openshift-user-token", &["openshift_token"]),
    ("plaid-api-token", &["plaid_access_token"]),
    ("plaid-secret-key", &["plaid_secret"]),
    ("planetscale-api-token", &["planetscale_token"]),
    ("planetscale-oauth-token", &["planetscale_token"]),
    ("planetscale-password", &["planetscale_token"]),
    ("postman-api-token", &["postman_api_key"]),
    ("prefect-api-token", &["prefect_api_key"]),
    ("private-key", &["private_key_pem", "private_key_pgp"]),
    ("pulumi-api-token", &["pulumi_access_token"]),
    ("pypi-upload-token", &["pypi_token"]),
    ("rapidapi-access-token", &["rapidapi_key"]),
    ("readme-api-token", &["readme_api_key"]),
    ("rubygems-api-token", &["rubygems_api_key"]),
    ("scalingo-api-token", &["scalingo_token"]),
    ("sendgrid-api-token", &["sendgrid_api_key"]),
    ("sendinblue-api-token", &["brevo_api_key"]),
    ("sentry-access-token", &["sentry_token_legacy"]),
    ("shippo-api-token", &["shippo_token"]),
    ("shopify-custom-access-token", &["shopify_custom_app_token"]),
    ("shopify-private-app-access-token", &["shopify_private_app_token"]),
    ("sidekiq-secret", &["sidekiq_credentials"]),
    ("sidekiq-sensitive-url", &["sidekiq_credentials"]),
    ("slack-config-access-token", &["slack_config_token"]),
    ("slack-legacy-bot-token", &["slack_bot_token"]),
    ("slack-legacy-token", &["slack_user_token"]),
    ("slack-legacy-workspace-token", &["slack_user_token"]),
    ("snyk-api-token", &["snyk_token_legacy"]),
    ("sonar-api-token", &["sonar_token", "sonar_token_legacy"]),
    ("sourcegraph-access-token", &["sourcegraph_token", "sourcegraph_token_legacy"]),
    ("square-access-token", &["square_access_token", "square_access_token_legacy"]),
    ("stripe-access-token", &["stripe_secret_key", "stripe_test_key"]),
    ("sumologic-access-token", &["sumologic_access_key"]),
    ("telegram-bot-api-token", &["telegram_bot_token"]),
    ("travisci-access-token", &["travis_ci_token"]),
    ("twitch-api-token", &["twitch_client_secret"]),
    ("twitter-access-secret", &["twitter_api_secret"]),
    ("typeform-api-token", &["typeform_pat"]),
    ("vault-batch-token", &["vault_token"]),
    ("vault-service-token", &["vault_token", "vault_token_legacy"]),
    ("yandex-access-token", &["yandex_iam_token"]),
    ("yandex-api-key", &["yandex_cloud_api_key"]),
    ("yandex-aws-access-token", &["yandex_static_key_secret"]),
    ("zendesk-secret-key", &["zendesk_api_token"]),
];

/// The shipped rules that one of gitleaks' ids stands for; none if the table does not know it.
pub(super) fn of_gitleaks(id: &str) -> Option<&'static [&'static str]> {
    let found = GITLEAKS.iter().find(|(name, _)| name.eq_ignore_ascii_case(id));
    found.map(|(_, own)| *own)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::scan::rules::{pack_names, shipped};

    #[test]
    fn each_id_of_gitleaks_is_there_once_and_in_order() {
        assert!(GITLEAKS.is_sorted_by(|(first, _), (second, _)| first < second));
    }

    #[test]
    fn each_name_on_the_right_is_a_shipped_rules_and_there_once_in_its_row() {
        let packs: Vec<&str> = pack_names().collect();
        let rules = shipped(&packs).unwrap();
        let ids: HashSet<&str> = rules.iter().map(|rule| &*rule.id).collect();
        for (theirs, own) in GITLEAKS {
            assert!(!own.is_empty(), "{theirs}");
            assert!(own.is_sorted_by(|first, second| first < second), "{theirs}: {own:?}");
            let absent: Vec<_> = own.iter().filter(|id| !ids.contains(**id)).collect();
            assert!(absent.is_empty(), "{theirs}: {absent:?}");
        }
    }

    /// What is alike is found without the table.
    #[test]
    fn no_row_says_what_the_ids_themselves_say() {
        for (theirs, own) in GITLEAKS {
            assert_ne!(own, [theirs.replace('-', "_")], "{theirs}");
        }
    }
}
