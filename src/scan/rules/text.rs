//! A file of rules as it is written: TOML to plain fields, each rule by itself, so that one that is wrong
//! leaves the others. What the fields mean is `pack`'s. The one file of `scan` that knows serde.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::{Table, Value};

/// A file's fields.
#[derive(Default)]
pub(super) struct Document {
    pub(super) definitions: BTreeMap<String, String>,
    /// For all rules of the file, or those that they name.
    pub(super) allowlists: Vec<AllowlistText>,
    pub(super) rules: Vec<RuleEntry>,
    /// Keys of the file itself that have no meaning here.
    pub(super) unknown: Vec<String>,
    /// Of a file that is written to add to other rules.
    pub(super) extend: Option<ExtendText>,
}

/// What a file of gitleaks adds its rules to.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct ExtendText {
    pub(super) path: Option<String>,
    /// gitleaks' own rules.
    pub(super) use_default: bool,
    pub(super) disabled_rules: Vec<String>,
}

/// One rule of a file: its fields, or what is wrong with them.
pub(super) struct RuleEntry {
    /// What messages call it: its id, or its number in the file.
    pub(super) name: String,
    pub(super) fields: Result<RuleText, String>,
    /// Keys that have no meaning here.
    pub(super) unknown: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RuleText {
    pub(super) id: String,
    #[serde(rename = "type")]
    pub(super) threat_type: Option<String>,
    pub(super) severity: Option<String>,
    pub(super) confidence: Option<String>,
    pub(super) direction: Option<String>,
    pub(super) description: Option<String>,
    pub(super) remediation: Option<String>,
    pub(super) source: Option<String>,
    pub(super) regex: Option<String>,
    pub(super) path: Option<String>,
    pub(super) secret: Option<bool>,
    pub(super) secret_group: Option<usize>,
    pub(super) entropy: Option<f64>,
    #[serde(default)]
    pub(super) skip_report: bool,
    #[serde(default)]
    pub(super) validators: Vec<String>,
    #[serde(default)]
    pub(super) keywords: Vec<String>,
    #[serde(default)]
    pub(super) allowlists: Vec<AllowlistText>,
    /// The older spelling of a single one.
    pub(super) allowlist: Option<AllowlistText>,
    #[serde(default)]
    pub(super) examples: Vec<String>,
    #[serde(default, rename = "negative_examples")]
    pub(super) negative_examples: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AllowlistText {
    pub(super) condition: Option<String>,
    pub(super) regex_target: Option<String>,
    #[serde(default)]
    pub(super) regexes: Vec<String>,
    #[serde(default)]
    pub(super) stopwords: Vec<String>,
    #[serde(default)]
    pub(super) paths: Vec<String>,
    #[serde(default)]
    pub(super) commits: Vec<String>,
    /// The rules that a file's own list is for; none: all of them.
    #[serde(default)]
    pub(super) target_rules: Vec<String>,
}

const FILE_KEYS: [&str; 7] =
    ["title", "description", "extend", "definitions", "allowlist", "allowlists", "rules"];

const RULE_KEYS: [&str; 22] = [
    "id",
    "type",
    "severity",
    "confidence",
    "direction",
    "description",
    "remediation",
    "source",
    "regex",
    "path",
    "secret",
    "secretGroup",
    "entropy",
    "skipReport",
    "validators",
    "keywords",
    "allowlists",
    "allowlist",
    "examples",
    "negative_examples",
    // gitleaks' labels, which ask for nothing.
    "tags",
    // Reserved: what to do about a match.
    "action",
];

/// Reads a file; an error says where it is no TOML, or what of the file's own fields is wrong.
pub(super) fn parse(text: &str) -> Result<Document, String> {
    let mut table: Table = toml::from_str(text).map_err(|error| at_line(text, &error))?;
    let mut document = Document { unknown: unknown(&table, &FILE_KEYS), ..Document::default() };
    if let Some(value) = table.remove("definitions") {
        document.definitions = taken("definitions", value)?;
    }
    if let Some(value) = table.remove("allowlists") {
        document.allowlists = taken("allowlists", value)?;
    }
    if let Some(value) = table.remove("allowlist") {
        document.allowlists.push(taken("allowlist", value)?);
    }
    if let Some(value) = table.remove("extend") {
        document.extend = Some(taken("extend", value)?);
    }
    match table.remove("rules") {
        Some(Value::Array(rules)) => {
            document.rules = rules.into_iter().enumerate().map(entry).collect();
        }
        Some(_) => return Err("rules: must be [[rules]]".to_owned()),
        None => {}
    }
    Ok(document)
}

/// The path of the file that a file extends, if it is one that can be read.
pub(super) fn extended_path(text: &str) -> Option<String> {
    if !text.contains("extend") {
        return None;
    }
    let mut table: Table = toml::from_str(text).ok()?;
    let extend: ExtendText = table.remove("extend")?.try_into().ok()?;
    extend.path.filter(|path| !path.is_empty())
}

fn taken<'a, T: Deserialize<'a>>(key: &str, value: Value) -> Result<T, String> {
    value.try_into().map_err(|error: toml::de::Error| format!("{key}: {}", error.message()))
}

fn entry((number, value): (usize, Value)) -> RuleEntry {
    let id = value.get("id").and_then(Value::as_str);
    let name = id.map_or_else(|| format!("rule number {}", number + 1), str::to_owned);
    let unknown = value.as_table().map(|table| unknown(table, &RULE_KEYS)).unwrap_or_default();
    let fields = value.try_into().map_err(|error: toml::de::Error| error.message().to_owned());
    RuleEntry { name, fields, unknown }
}

fn unknown(table: &Table, known: &[&str]) -> Vec<String> {
    table.keys().filter(|key| !known.contains(&key.as_str())).cloned().collect()
}

fn at_line(text: &str, error: &toml::de::Error) -> String {
    let message = error.message();
    match error.span().and_then(|span| text.get(..span.start)) {
        Some(before) => format!("line {}: {message}", before.matches('\n').count() + 1),
        None => message.to_owned(),
    }
}
