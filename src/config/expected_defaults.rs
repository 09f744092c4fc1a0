//! Where providers' own keys belong, as the providers publish it: the table that `expected_credentials` adds to.

/// One place.
pub struct Row {
    /// Glob over the host.
    pub host: &'static str,
    /// `header`, `query`, `path`, `body`, `message`, `answer` or `answer_header`, and which.
    pub slot: (&'static str, &'static str),
    /// Globs over the rules of the provider's own keys.
    pub rules: &'static [&'static str],
    /// What its keys look like, where the rules find those of others, too.
    pub keys: &'static [&'static str],
}

const AUTHORIZATION: (&str, &str) = ("header", "authorization");
/// Where to a signed address is given out.
const LOCATION: (&str, &str) = ("answer_header", "location");

const fn row(
    host: &'static str,
    slot: (&'static str, &'static str),
    rules: &'static [&'static str],
) -> Row {
    keyed(host, slot, rules, &[])
}

const fn keyed(
    host: &'static str,
    slot: (&'static str, &'static str),
    rules: &'static [&'static str],
    keys: &'static [&'static str],
) -> Row {
    Row { host, slot, rules, keys }
}

const ANTHROPIC: &[&str] = &["ai_api_key", "*anthropic*"];
const ANTHROPIC_KEYS: &[&str] = &["sk-ant-*"];
const OPENAI: &[&str] = &["ai_api_key", "*openai*", "sk_*"];
/// OpenAI's own have had many shapes.
const OPENAI_KEYS: &[&str] =
    &["!*sk-ant-*", "!*sk-or-*", "!*sk-lf-*", "!*sk_live_*", "!*sk_test_*"];
const OPENROUTER: &[&str] = &["ai_api_key", "*openrouter*"];
/// Keys of services that speak OpenAI's protocol often look like OpenAI's old ones.
const LIKE_OPENAI: &[&str] = &["ai_api_key", "*openai*", "*deepseek*", "sk_*"];
const LIKE_OPENAI_KEYS: &[&str] = &[
    "!*sk-ant-*",
    "!*sk-or-*",
    "!*sk-lf-*",
    "!*sk_live_*",
    "!*sk_test_*",
    "!*sk-proj-*",
    "!*sk-svcacct-*",
    "!*sk-admin-*",
    "!*T3BlbkFJ*",
];
const STRIPE: &[&str] = &["ai_api_key", "*stripe*"];
const STRIPE_KEYS: &[&str] = &["sk_*", "rk_*"];
const GOOGLE: &[&str] = &["*google*", "*gemini*", "gcp_*"];
/// A key of a project, for each of Google's services. Not those of webhooks, which are addresses.
const GOOGLE_KEY: &[&str] = &["gcp_api_key", "google_ai_auth_key"];
const AZURE: &[&str] = &["*azure*"];
/// Entra's tokens stand where a resource's own key may stand.
const ENTRA: &[&str] = &["*azure*", "jwt"];
const SAS: &[&str] = &["azure_sas_signature"];
const SIGNED: &[&str] = &["azure_sas_signature", "aws_*", "jwt"];
const AWS: &[&str] = &["aws_*"];
const AWS_LOGIN: &[&str] = &["aws_*", "jwt"];
const GITHUB: &[&str] = &["*github*"];
const GITLAB: &[&str] = &["*gitlab*"];
const JWT: &[&str] = &["jwt"];
const SLACK: &[&str] = &["*slack*"];
/// Jira and Confluence take a user's token as a password.
const ATLASSIAN: &[&str] = &["*atlassian*", "authorization_basic"];
/// Both its keys are sent as user and password.
const LANGFUSE: &[&str] = &["*langfuse*", "authorization_basic"];
const TWILIO: &[&str] = &["twilio_*", "authorization_basic"];
const HUGGING_FACE: &[&str] = &["*huggingface*", "hf_*"];
const DISCORD_BOT: &[&str] = &["discord_bot_token*"];
const DATABRICKS: &[&str] = &["databricks_*", "authorization_basic", "jwt"];
const GRAFANA: &[&str] = &["grafana_*", "authorization_basic"];
const OKTA: &[&str] = &["okta_api_token"];
const SENTRY: &[&str] = &["sentry_*token*"];

/// The table. A provider's rules are critical in every other place.
pub const DEFAULTS: &[Row] = &[
    // Signed tokens, which do not say whose they are.
    row("chatgpt.com", AUTHORIZATION, JWT),
    row("*.supabase.co", AUTHORIZATION, JWT),
    row("registry-1.docker.io", AUTHORIZATION, JWT),
    row("*.googleapis.com", AUTHORIZATION, JWT),
    row("api.github.com", AUTHORIZATION, JWT),
    row("ghcr.io", AUTHORIZATION, JWT),
    row("graph.microsoft.com", AUTHORIZATION, JWT),
    row("management.azure.com", AUTHORIZATION, JWT),
    // Tokens that somebody asked for.
    keyed("*.anthropic.com", ("answer", "/v1/oauth/token"), ANTHROPIC, ANTHROPIC_KEYS),
    keyed("platform.claude.com", ("answer", "/v1/oauth/token"), ANTHROPIC, ANTHROPIC_KEYS),
    row("auth.openai.com", ("answer", "/oauth/token"), JWT),
    row("oauth2.googleapis.com", ("answer", "/token"), &["*google*", "gcp_*", "jwt"]),
    row("www.googleapis.com", ("answer", "/oauth2/v*/token"), &["*google*", "gcp_*", "jwt"]),
    row("login.microsoftonline.com", ("answer", "/*/oauth2/*token"), &["*azure*", "jwt"]),
    row("github.com", ("answer", "/login/oauth/access_token"), GITHUB),
    row("api.github.com", ("answer", "/app/installations/*/access_tokens"), GITHUB),
    row("gitlab.com", ("answer", "/oauth/token"), GITLAB),
    row("auth.docker.io", ("answer", "/token"), JWT),
    row("hub.docker.com", ("answer", "/v2/users/login"), JWT),
    row("ghcr.io", ("answer", "/token"), JWT),
    row("sts.amazonaws.com", ("answer", "/"), AWS),
    row("sts.*.amazonaws.com", ("answer", "/"), AWS),
    row("portal.sso.*.amazonaws.com", ("answer", "/federation/credentials"), AWS),
    row("oidc.*.amazonaws.com", ("answer", "/token"), AWS_LOGIN),
    row("cognito-identity.*.amazonaws.com", ("answer", "/"), AWS_LOGIN),
    row("cognito-idp.*.amazonaws.com", ("answer", "/"), JWT),
    row("discord.com", ("answer", "/api/*oauth2/token"), &["*discord*"]),
    row("huggingface.co", ("answer", "/api/*/xet-*-token/*"), JWT),
    row("huggingface.co", ("answer_header", "x-xet-access-token"), JWT),
    row("api.dropboxapi.com", ("answer", "/oauth2/token"), &["dropbox_token"]),
    // Addresses that are signed for whoever asked for a file.
    row("github.com", LOCATION, SIGNED),
    row("api.github.com", LOCATION, SIGNED),
    row("ghcr.io", LOCATION, SIGNED),
    row("huggingface.co", LOCATION, SIGNED),
    row("registry-1.docker.io", LOCATION, SIGNED),
    row("quay.io", LOCATION, SIGNED),
    row("gitlab.com", LOCATION, SIGNED),
    // Models.
    keyed("api.anthropic.com", ("header", "x-api-key"), ANTHROPIC, ANTHROPIC_KEYS),
    keyed("api.anthropic.com", AUTHORIZATION, ANTHROPIC, ANTHROPIC_KEYS),
    keyed("*.anthropic.com", ("body", "/v1/oauth/token"), ANTHROPIC, ANTHROPIC_KEYS),
    keyed("platform.claude.com", ("body", "/v1/oauth/token"), ANTHROPIC, ANTHROPIC_KEYS),
    keyed("api.openai.com", AUTHORIZATION, OPENAI, OPENAI_KEYS),
    keyed("api.openai.com", ("header", "sec-websocket-protocol"), OPENAI, OPENAI_KEYS),
    keyed("*.api.openai.com", AUTHORIZATION, OPENAI, OPENAI_KEYS),
    keyed("*.api.openai.com", ("header", "sec-websocket-protocol"), OPENAI, OPENAI_KEYS),
    keyed("auth.openai.com", ("body", "/oauth/token"), OPENAI, OPENAI_KEYS),
    keyed("openrouter.ai", AUTHORIZATION, OPENROUTER, &["sk-or-*"]),
    row("api.groq.com", AUTHORIZATION, &["*groq*"]),
    row("api.x.ai", AUTHORIZATION, &["xai_*"]),
    row("generativelanguage.googleapis.com", ("header", "x-goog-api-key"), GOOGLE),
    row("generativelanguage.googleapis.com", ("query", "key"), GOOGLE),
    row("*.googleapis.com", ("header", "x-goog-api-key"), GOOGLE_KEY),
    row("aiplatform.googleapis.com", ("query", "key"), GOOGLE_KEY),
    row("customsearch.googleapis.com", ("query", "key"), GOOGLE_KEY),
    row("maps.googleapis.com", ("query", "key"), GOOGLE_KEY),
    row("www.googleapis.com", ("query", "key"), GOOGLE_KEY),
    row("youtube.googleapis.com", ("query", "key"), GOOGLE_KEY),
    row("*.googleapis.com", AUTHORIZATION, GOOGLE),
    row("oauth2.googleapis.com", ("body", "/token"), GOOGLE),
    row("www.googleapis.com", ("body", "/oauth2/v*/token"), GOOGLE),
    row("api.mistral.ai", AUTHORIZATION, &["*mistral*"]),
    row("api.cohere.com", AUTHORIZATION, &["*cohere*"]),
    row("api.cohere.ai", AUTHORIZATION, &["*cohere*"]),
    keyed("api.deepseek.com", AUTHORIZATION, LIKE_OPENAI, LIKE_OPENAI_KEYS),
    keyed("api.moonshot.ai", AUTHORIZATION, LIKE_OPENAI, LIKE_OPENAI_KEYS),
    keyed("api.moonshot.cn", AUTHORIZATION, LIKE_OPENAI, LIKE_OPENAI_KEYS),
    keyed("api.kimi.com", AUTHORIZATION, LIKE_OPENAI, LIKE_OPENAI_KEYS),
    row("api.kimi.com", AUTHORIZATION, &["kimi_*"]),
    keyed("dashscope.aliyuncs.com", AUTHORIZATION, LIKE_OPENAI, LIKE_OPENAI_KEYS),
    keyed("dashscope-*.aliyuncs.com", AUTHORIZATION, LIKE_OPENAI, LIKE_OPENAI_KEYS),
    keyed("api.siliconflow.cn", AUTHORIZATION, LIKE_OPENAI, LIKE_OPENAI_KEYS),
    keyed("api.siliconflow.com", AUTHORIZATION, LIKE_OPENAI, LIKE_OPENAI_KEYS),
    row("api.together.xyz", AUTHORIZATION, &["*together*"]),
    row("api.together.ai", AUTHORIZATION, &["*together*"]),
    row("api.perplexity.ai", AUTHORIZATION, &["*perplexity*"]),
    row("api.fireworks.ai", AUTHORIZATION, &["*fireworks*"]),
    row("api.cerebras.ai", AUTHORIZATION, &["*cerebras*"]),
    row("huggingface.co", AUTHORIZATION, HUGGING_FACE),
    row("*.huggingface.co", AUTHORIZATION, HUGGING_FACE),
    row("cas-server.xethub.hf.co", AUTHORIZATION, JWT),
    row("api.replicate.com", AUTHORIZATION, &["*replicate*"]),
    row("api.elevenlabs.io", ("header", "xi-api-key"), &["elevenlabs_*"]),
    row("api.us.elevenlabs.io", ("header", "xi-api-key"), &["elevenlabs_*"]),
    row("*.residency.elevenlabs.io", ("header", "xi-api-key"), &["elevenlabs_*"]),
    row("*.openai.azure.com", ("header", "api-key"), AZURE),
    row("*.openai.azure.com", AUTHORIZATION, ENTRA),
    row("*.cognitiveservices.azure.com", ("header", "api-key"), AZURE),
    row("*.cognitiveservices.azure.com", ("header", "ocp-apim-subscription-key"), AZURE),
    row("*.cognitiveservices.azure.com", AUTHORIZATION, ENTRA),
    row("*.services.ai.azure.com", ("header", "api-key"), AZURE),
    row("*.services.ai.azure.com", AUTHORIZATION, ENTRA),
    row("*.search.windows.net", ("header", "api-key"), AZURE),
    row("*.search.windows.net", AUTHORIZATION, JWT),
    keyed("api.stability.ai", AUTHORIZATION, LIKE_OPENAI, LIKE_OPENAI_KEYS),
    row("*.api.nvidia.com", AUTHORIZATION, &["nvidia_*"]),
    row("ai-gateway.vercel.sh", AUTHORIZATION, &["vercel_token*"]),
    row("api.voyageai.com", AUTHORIZATION, &["voyage_*"]),
    row("api.cartesia.ai", AUTHORIZATION, &["cartesia_*"]),
    row("api.cartesia.ai", ("header", "x-api-key"), &["cartesia_*"]),
    // What agents work with.
    row("*.api.sanity.io", AUTHORIZATION, &["sanity_*"]),
    row("api.tavily.com", AUTHORIZATION, &["tavily_*"]),
    row("api.tavily.com", ("body", "*"), &["tavily_*"]),
    row("api.search.brave.com", ("header", "x-subscription-token"), &["brave_*"]),
    row("api.firecrawl.dev", AUTHORIZATION, &["firecrawl_*"]),
    row("api.jina.ai", AUTHORIZATION, &["jina_*"]),
    row("r.jina.ai", AUTHORIZATION, &["jina_*"]),
    row("s.jina.ai", AUTHORIZATION, &["jina_*"]),
    row("api.e2b.app", ("header", "x-api-key"), &["e2b_*"]),
    row("api.mem0.ai", AUTHORIZATION, &["mem0_*"]),
    row("api.wandb.ai", AUTHORIZATION, &["wandb_*", "authorization_basic"]),
    row("api.airtable.com", AUTHORIZATION, &["airtable_*"]),
    row("api.hubapi.com", AUTHORIZATION, &["hubspot_*"]),
    row("api.dropboxapi.com", AUTHORIZATION, &["dropbox_token"]),
    row("content.dropboxapi.com", AUTHORIZATION, &["dropbox_token"]),
    row("sentry.io", AUTHORIZATION, SENTRY),
    row("*.sentry.io", AUTHORIZATION, SENTRY),
    row("*.grafana.net", AUTHORIZATION, GRAFANA),
    row("*.okta.com", AUTHORIZATION, OKTA),
    row("*.oktapreview.com", AUTHORIZATION, OKTA),
    row("*.smith.langchain.com", ("header", "x-api-key"), &["langsmith_*"]),
    row("cloud.langfuse.com", AUTHORIZATION, LANGFUSE),
    row("*.cloud.langfuse.com", AUTHORIZATION, LANGFUSE),
    row("*.pinecone.io", ("header", "api-key"), &["pinecone_*"]),
    row("api.figma.com", ("header", "x-figma-token"), &["figma_*"]),
    row("api.notion.com", AUTHORIZATION, &["notion_*"]),
    row("dev.azure.com", AUTHORIZATION, &["*azure*", "authorization_basic"]),
    row("pkgs.dev.azure.com", AUTHORIZATION, &["*azure*", "authorization_basic"]),
    row("api.linear.app", AUTHORIZATION, &["linear_*"]),
    row("*.atlassian.net", AUTHORIZATION, ATLASSIAN),
    row("api.atlassian.com", AUTHORIZATION, ATLASSIAN),
    row("*.supabase.co", ("header", "apikey"), &["supabase_*", "jwt"]),
    row("*.supabase.co", AUTHORIZATION, &["supabase_*"]),
    row("*.datadoghq.com", ("header", "dd-api-key"), &["datadog_*"]),
    row("*.datadoghq.com", ("header", "dd-application-key"), &["datadog_*"]),
    row("*.datadoghq.eu", ("header", "dd-api-key"), &["datadog_*"]),
    row("*.datadoghq.eu", ("header", "dd-application-key"), &["datadog_*"]),
    // Clouds.
    row("*.amazonaws.com", AUTHORIZATION, AWS),
    row("*.amazonaws.com", ("header", "x-amz-security-token"), AWS),
    row("oidc.*.amazonaws.com", ("body", "/token"), &["aws_sso_token"]),
    row("portal.sso.*.amazonaws.com", ("header", "x-amz-sso_bearer_token"), &["aws_sso_token"]),
    row("*.amazonaws.com", ("query", "x-amz-*"), AWS),
    row("*.amazonaws.com", ("query", "awsaccesskeyid"), AWS),
    row("login.microsoftonline.com", ("body", "/*/oauth2/*token"), AZURE),
    row("api.cloudflare.com", AUTHORIZATION, &["cloudflare_*"]),
    row("api.cloudflare.com", ("header", "x-auth-key"), &["cloudflare_*"]),
    row("api.digitalocean.com", AUTHORIZATION, &["digitalocean_*"]),
    row("api.heroku.com", AUTHORIZATION, &["heroku_*"]),
    row("api.machines.dev", AUTHORIZATION, &["flyio_*"]),
    row("api.fly.io", AUTHORIZATION, &["flyio_*"]),
    row("api.render.com", AUTHORIZATION, &["render_*"]),
    row("api.vercel.com", AUTHORIZATION, &["vercel_token*"]),
    row("api.doppler.com", AUTHORIZATION, &["doppler_*"]),
    row("*.hashicorp.cloud", ("header", "x-vault-token"), &["vault_token*"]),
    row("console.neon.tech", AUTHORIZATION, &["neon_api_key"]),
    row("*.cloud.databricks.com", AUTHORIZATION, DATABRICKS),
    row("*.gcp.databricks.com", AUTHORIZATION, DATABRICKS),
    row("*.azuredatabricks.net", AUTHORIZATION, DATABRICKS),
    row("*.core.windows.net", ("query", "sig"), SAS),
    row("*.core.windows.net", AUTHORIZATION, JWT),
    row("*.vault.azure.net", AUTHORIZATION, JWT),
    // Code, packages and images.
    row("api.github.com", AUTHORIZATION, GITHUB),
    row("github.com", AUTHORIZATION, GITHUB),
    row("github.com", ("body", "/login/oauth/access_token"), GITHUB),
    row("uploads.github.com", AUTHORIZATION, GITHUB),
    row("codeload.github.com", AUTHORIZATION, GITHUB),
    row("*.pkg.github.com", AUTHORIZATION, GITHUB),
    row("models.github.ai", AUTHORIZATION, GITHUB),
    row("*.githubcopilot.com", AUTHORIZATION, GITHUB),
    row("raw.githubusercontent.com", AUTHORIZATION, GITHUB),
    row("ghcr.io", AUTHORIZATION, GITHUB),
    row("release-assets.githubusercontent.com", ("query", "sig"), SAS),
    row("release-assets.githubusercontent.com", ("query", "jwt"), SAS),
    row("objects.githubusercontent.com", ("query", "x-amz-*"), AWS),
    row("*.hf.co", ("query", "x-amz-*"), AWS),
    row("gitlab.com", ("header", "private-token"), GITLAB),
    row("gitlab.com", ("header", "job-token"), GITLAB),
    row("gitlab.com", AUTHORIZATION, GITLAB),
    row("gitlab.com", ("body", "/oauth/token"), GITLAB),
    row("auth.docker.io", AUTHORIZATION, &["docker_hub_*"]),
    row("hub.docker.com", ("body", "/v2/*"), &["docker_hub_*"]),
    row("registry.npmjs.org", AUTHORIZATION, &["*npm*"]),
    row("pypi.org", AUTHORIZATION, &["*pypi*"]),
    row("upload.pypi.org", AUTHORIZATION, &["*pypi*"]),
    row("crates.io", AUTHORIZATION, &["crates_io_*"]),
    // Payment and messages.
    keyed("api.stripe.com", AUTHORIZATION, STRIPE, STRIPE_KEYS),
    keyed("files.stripe.com", AUTHORIZATION, STRIPE, STRIPE_KEYS),
    row("connect.squareup.com", AUTHORIZATION, &["square_access_*"]),
    row("connect.squareupsandbox.com", AUTHORIZATION, &["square_access_*"]),
    row("*.myshopify.com", ("header", "x-shopify-access-token"), &["shopify_*"]),
    row("slack.com", AUTHORIZATION, SLACK),
    row("*.slack.com", AUTHORIZATION, SLACK),
    row("discord.com", AUTHORIZATION, &["*discord*"]),
    row("discord.com", ("body", "/api/*oauth2/token"), &["*discord*"]),
    row("gateway*.discord.gg", ("message", "*"), DISCORD_BOT),
    row("api.telegram.org", ("path", "/bot*"), &["*telegram*"]),
    row("api.telegram.org", ("path", "/file/bot*"), &["*telegram*"]),
    row("api.sendgrid.com", AUTHORIZATION, &["*sendgrid*"]),
    row("*.twilio.com", AUTHORIZATION, TWILIO),
    row("api.mailgun.net", AUTHORIZATION, &["mailgun_*", "authorization_basic"]),
    row("api.eu.mailgun.net", AUTHORIZATION, &["mailgun_*", "authorization_basic"]),
    row("api.resend.com", AUTHORIZATION, &["resend_*"]),
];
