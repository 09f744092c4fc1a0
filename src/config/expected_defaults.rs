//! Where providers' own keys belong, as the providers publish it: the table that `expected_credentials` adds to.

/// One place.
pub struct Row {
    /// Glob over the host.
    pub host: &'static str,
    /// `header`, `query` or `path`, and which.
    pub slot: (&'static str, &'static str),
    /// Globs over the rules of the provider's own keys.
    pub rules: &'static [&'static str],
}

const AUTHORIZATION: (&str, &str) = ("header", "authorization");

const fn row(
    host: &'static str,
    slot: (&'static str, &'static str),
    rules: &'static [&'static str],
) -> Row {
    Row { host, slot, rules }
}

const ANTHROPIC: &[&str] = &["ai_api_key", "*anthropic*"];
/// Keys of services that speak OpenAI's protocol often look like OpenAI's.
const OPENAI: &[&str] = &["ai_api_key", "*openai*", "sk_*"];
const GOOGLE: &[&str] = &["*google*", "*gemini*", "gcp_*"];
const AZURE: &[&str] = &["*azure*"];
const AWS: &[&str] = &["aws_*"];
const GITHUB: &[&str] = &["*github*"];
const GITLAB: &[&str] = &["*gitlab*"];

/// The table. A provider's rules are critical in every other place.
pub const DEFAULTS: &[Row] = &[
    row("api.anthropic.com", ("header", "x-api-key"), ANTHROPIC),
    row("api.anthropic.com", AUTHORIZATION, ANTHROPIC),
    row("api.openai.com", AUTHORIZATION, OPENAI),
    row("openrouter.ai", AUTHORIZATION, &["ai_api_key", "*openrouter*"]),
    row("api.groq.com", AUTHORIZATION, &["*groq*"]),
    row("api.x.ai", AUTHORIZATION, &["xai_*"]),
    row("generativelanguage.googleapis.com", ("header", "x-goog-api-key"), GOOGLE),
    row("generativelanguage.googleapis.com", ("query", "key"), GOOGLE),
    row("*.googleapis.com", AUTHORIZATION, GOOGLE),
    row("api.mistral.ai", AUTHORIZATION, &["*mistral*"]),
    row("api.cohere.com", AUTHORIZATION, &["*cohere*"]),
    row("api.cohere.ai", AUTHORIZATION, &["*cohere*"]),
    row("api.deepseek.com", AUTHORIZATION, &["ai_api_key", "*openai*", "*deepseek*", "sk_*"]),
    row("api.together.xyz", AUTHORIZATION, &["*together*"]),
    row("api.together.ai", AUTHORIZATION, &["*together*"]),
    row("api.perplexity.ai", AUTHORIZATION, &["*perplexity*"]),
    row("api.fireworks.ai", AUTHORIZATION, &["*fireworks*"]),
    row("api.cerebras.ai", AUTHORIZATION, &["*cerebras*"]),
    row("huggingface.co", AUTHORIZATION, &["*huggingface*", "hf_*"]),
    row("*.huggingface.co", AUTHORIZATION, &["*huggingface*", "hf_*"]),
    row("api.replicate.com", AUTHORIZATION, &["*replicate*"]),
    row("*.openai.azure.com", ("header", "api-key"), AZURE),
    row("*.openai.azure.com", AUTHORIZATION, AZURE),
    row("*.cognitiveservices.azure.com", ("header", "api-key"), AZURE),
    row("*.services.ai.azure.com", ("header", "api-key"), AZURE),
    row("*.amazonaws.com", AUTHORIZATION, AWS),
    row("*.amazonaws.com", ("header", "x-amz-security-token"), AWS),
    row("*.amazonaws.com", ("query", "x-amz-credential"), AWS),
    row("*.amazonaws.com", ("query", "x-amz-security-token"), AWS),
    row("api.github.com", AUTHORIZATION, GITHUB),
    row("github.com", AUTHORIZATION, GITHUB),
    row("uploads.github.com", AUTHORIZATION, GITHUB),
    row("models.github.ai", AUTHORIZATION, GITHUB),
    row("*.githubcopilot.com", AUTHORIZATION, GITHUB),
    row("gitlab.com", ("header", "private-token"), GITLAB),
    row("gitlab.com", ("header", "job-token"), GITLAB),
    row("gitlab.com", AUTHORIZATION, GITLAB),
    row("api.stripe.com", AUTHORIZATION, &["ai_api_key", "*stripe*"]),
    row("slack.com", AUTHORIZATION, &["*slack*"]),
    row("*.slack.com", AUTHORIZATION, &["*slack*"]),
    row("discord.com", AUTHORIZATION, &["*discord*"]),
    row("api.telegram.org", ("path", "/bot*"), &["*telegram*"]),
    row("api.telegram.org", ("path", "/file/bot*"), &["*telegram*"]),
    row("api.sendgrid.com", AUTHORIZATION, &["*sendgrid*"]),
    row("registry.npmjs.org", AUTHORIZATION, &["*npm*"]),
    row("pypi.org", AUTHORIZATION, &["*pypi*"]),
    row("upload.pypi.org", AUTHORIZATION, &["*pypi*"]),
];
