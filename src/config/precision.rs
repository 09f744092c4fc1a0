//! `expected_credentials` and `suppressions`: what a match means where it stands. JSON in, checked values out.

use std::time::SystemTime;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use serde_json::{Map, Value as Json, json};

use super::expected_defaults::{DEFAULTS, Row};
use super::network::Network;
use super::objects::{Misfit, Object, each};
use super::patterns::{HostPatterns, PATTERN_ALLOWED, destination};
use crate::finding::Fingerprint;
use crate::limits::{EXPECTED_CREDENTIALS_MAX, SUPPRESSIONS_MAX};

/// A place where a credential belongs: the provider's own key on its way to that provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpectedCredential {
    /// Glob over the host, without the port.
    pub host: String,
    pub slot: Slot,
    /// Globs over the rules of the provider's own keys. Elsewhere such a key is critical.
    pub rules: Vec<String>,
    /// Globs over its keys, for rules that find those of others, too: the key has to fit one of them. One
    /// with `!` in front names keys that are not its own. None: any key that the rules find.
    pub keys: Vec<String>,
}

/// Where in a request. All names are globs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Slot {
    /// The value of this header, in lower case.
    Header(String),
    /// The value of this parameter of the query.
    Query(String),
    /// A path of this glob.
    Path(String),
    /// The body of a request whose path fits this glob.
    Body(String),
    /// A message of the client on a WebSocket that such a request has opened.
    Message(String),
    /// The body of the answer to such a request: whoever asks for a token gets one.
    Answer(String),
    /// The value of this header of an answer, in lower case.
    AnswerHeader(String),
}

impl Slot {
    /// As the table of defaults and the configuration name it.
    fn of(name: &str, value: &str) -> Option<Slot> {
        Some(match name {
            "header" => Slot::Header(value.to_ascii_lowercase()),
            "query" => Slot::Query(value.to_owned()),
            "path" => Slot::Path(value.to_owned()),
            "body" => Slot::Body(value.to_owned()),
            "message" => Slot::Message(value.to_owned()),
            "answer" => Slot::Answer(value.to_owned()),
            "answer_header" => Slot::AnswerHeader(value.to_ascii_lowercase()),
            _ => return None,
        })
    }

    /// The same back.
    fn named(&self) -> (&'static str, &str) {
        match self {
            Slot::Header(name) => ("header", name),
            Slot::Query(name) => ("query", name),
            Slot::Path(glob) => ("path", glob),
            Slot::Body(glob) => ("body", glob),
            Slot::Message(glob) => ("message", glob),
            Slot::Answer(glob) => ("answer", glob),
            Slot::AnswerHeader(name) => ("answer_header", name),
        }
    }

    /// Whether it is told by the path of a request that is over by then.
    pub fn asks_for_path(&self) -> bool {
        matches!(self, Slot::Body(_) | Slot::Message(_) | Slot::Answer(_))
    }
}

/// What is known and accepted: all of the conditions that are given must hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suppression {
    pub reason: String,
    pub expires: Option<Expiry>,
    /// Globs.
    pub rule: Option<String>,
    /// With the port or without.
    pub dest: Option<String>,
    pub header: Option<String>,
    pub source: Option<Network>,
    /// Without the query.
    pub path: Option<String>,
    pub fingerprint: Option<Fingerprint>,
}

impl Suppression {
    /// Whether it fits whatever is found: its conditions are stars.
    pub fn fits_all(&self) -> bool {
        let is_star = |glob: &String| glob.bytes().all(|byte| byte == b'*');
        // A header, a path or a source is not every finding's, whatever it is called.
        let is_narrow = self.header.is_some()
            || self.path.is_some()
            || self.source.is_some()
            || self.fingerprint.is_some();
        !is_narrow && [&self.rule, &self.dest].into_iter().flatten().all(is_star)
    }
}

/// Until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expiry {
    /// As it was written.
    pub text: String,
    /// From then on it does not apply. A date counts to its end.
    pub at: SystemTime,
}

const SUPPRESSION: &[&str] =
    &["reason", "expires", "rule", "dest", "header", "source", "path", "fingerprint"];
const CONDITIONS: &str =
    "an object with one condition at least: rule, dest, header, source, path or fingerprint";
const SLOTS: &str =
    "an object with exactly one of header, query, path, body, message, answer and answer_header";
const SLOT_NAMES: [&str; 7] =
    ["header", "query", "path", "body", "message", "answer", "answer_header"];
const DESTINATION: &str = "a host name or IP address without scheme or path, with the port or without, `*` for any run of \
     characters (examples: \"*.internal.example\", \"[::1]:8081\")";
const HEADER: &str = "the name of a header, without a colon, `*` for any run of characters";
const PARAMETER: &str =
    "the name of a parameter, without \"?\", \"&\" and \"=\", `*` for any run of characters";
const PATH: &str = "a path without its query that begins with \"/\" or `*`, which stands for any run of characters";
const EXPIRES: &str = "a date such as \"2027-01-31\", or a moment such as \"2027-01-31T12:00:00Z\"";

/// The table of defaults.
pub fn default_credentials() -> Vec<ExpectedCredential> {
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    let entry = |row: &Row| {
        let (host, (slot, value)) = (row.host.to_owned(), row.slot);
        let (rules, keys) = (owned(row.rules), owned(row.keys));
        Slot::of(slot, value).map(|slot| ExpectedCredential { host, slot, rules, keys })
    };
    DEFAULTS.iter().filter_map(entry).collect()
}

/// A list, which is added to the defaults, or an object `{"replace": true, "entries": [...]}`.
pub fn expected_credentials(json: &Json) -> Result<Vec<ExpectedCredential>, Misfit> {
    let (list, place, replaces) = match json {
        Json::Object(_) => {
            let object = Object::new(json, String::new())?;
            object.only(&["replace", "entries"])?;
            let replaces = match object.get("replace") {
                None => false,
                Some(Json::Bool(replaces)) => *replaces,
                Some(other) => return Err(Misfit::new(".replace", other, "true or false")),
            };
            let Some(list) = object.get("entries") else {
                return Err(object.misfit("a list, or an object with \"entries\""));
            };
            (list, ".entries", replaces)
        }
        other => (other, "", false),
    };
    let mut entries = each(list, place, EXPECTED_CREDENTIALS_MAX, expected_credential)?;
    if !replaces {
        entries.splice(0..0, default_credentials());
    }
    Ok(entries)
}

fn expected_credential(object: &Object<'_>) -> Result<ExpectedCredential, Misfit> {
    object.only(&[&["host", "rules", "keys"][..], &SLOT_NAMES].concat())?;
    object.required_text("host")?;
    let host = object.parsed("host", PATTERN_ALLOWED, host)?.unwrap_or_default();
    let mut slots = Vec::new();
    for name in SLOT_NAMES {
        let value = match name {
            "header" | "answer_header" => object.parsed(name, HEADER, header)?,
            "query" => object.parsed(name, PARAMETER, parameter)?,
            _ => object.parsed(name, PATH, path)?,
        };
        slots.extend(value.and_then(|value| Slot::of(name, &value)));
    }
    let mut slots = slots.into_iter();
    let (Some(slot), None) = (slots.next(), slots.next()) else {
        return Err(object.misfit(SLOTS));
    };
    let rules = object.texts("rules")?.unwrap_or_else(|| vec!["*".to_owned()]);
    let keys = object.texts("keys")?.unwrap_or_default();
    Ok(ExpectedCredential { host, slot, rules, keys })
}

/// The list of `suppressions`.
pub fn suppressions(json: &Json) -> Result<Vec<Suppression>, Misfit> {
    each(json, "", SUPPRESSIONS_MAX, suppression)
}

fn suppression(object: &Object<'_>) -> Result<Suppression, Misfit> {
    object.only(SUPPRESSION)?;
    let text = |name| Ok(object.text(name)?.map(str::to_owned));
    let suppression = Suppression {
        reason: object.required_text("reason")?.to_owned(),
        expires: object.parsed("expires", EXPIRES, expiry)?,
        rule: text("rule")?,
        dest: object.parsed("dest", DESTINATION, destination)?,
        header: object.parsed("header", HEADER, header)?,
        source: object.parsed("source", "an IP address or a range such as 10.0.0.0/8", |text| {
            Network::parse(text)
        })?,
        path: object.parsed("path", PATH, path)?,
        fingerprint: object.parsed("fingerprint", "16 hexadecimal digits", Fingerprint::parse)?,
    };
    let has_condition = CONDITIONS_GIVEN.iter().any(|name| object.get(name).is_some());
    if has_condition { Ok(suppression) } else { Err(object.misfit(CONDITIONS)) }
}

const CONDITIONS_GIVEN: [&str; 6] = ["rule", "dest", "header", "source", "path", "fingerprint"];

// A condition that can never hold would be as good as none, and nobody would know.

fn host(pattern: &str) -> Option<String> {
    HostPatterns::parse(&[pattern.to_owned()]).ok()?.0.pop()
}

/// The name of a field (RFC 9110 §5.6.2).
fn header(glob: &str) -> Option<String> {
    let is_of_name = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    (!glob.is_empty() && glob.bytes().all(is_of_name)).then(|| glob.to_owned())
}

fn parameter(glob: &str) -> Option<String> {
    let ends = [' ', '?', '&', '=', '#'];
    (!glob.is_empty() && !glob.contains(ends)).then(|| glob.to_owned())
}

fn path(glob: &str) -> Option<String> {
    let is_path = glob.starts_with(['/', '*']) && !glob.contains([' ', '?', '#']);
    is_path.then(|| glob.to_owned())
}

/// RFC 3339: a full date, which counts to its end in UTC, or a moment.
fn expiry(text: &str) -> Option<Expiry> {
    let moment = match text.parse::<Timestamp>() {
        Ok(moment) => moment,
        Err(_) => {
            let date = text.parse::<Date>().ok().filter(|_| text.len() == "2027-01-31".len())?;
            let next_day = date.checked_add(1.day()).ok()?;
            next_day.to_zoned(TimeZone::UTC).ok()?.timestamp()
        }
    };
    Some(Expiry { text: text.to_owned(), at: moment.into() })
}

/// As it would be set: the whole table.
pub fn expected_json(entries: &[ExpectedCredential]) -> Json {
    let entry = |entry: &ExpectedCredential| {
        let (name, value) = entry.slot.named();
        let mut shown = json!({"host": entry.host, name: value, "rules": entry.rules});
        if let (Json::Object(members), false) = (&mut shown, entry.keys.is_empty()) {
            members.insert("keys".to_owned(), json!(entry.keys));
        }
        shown
    };
    json!({"replace": true, "entries": entries.iter().map(entry).collect::<Vec<_>>()})
}

/// As they would be set.
pub fn suppressions_json(suppressions: &[Suppression]) -> Json {
    let shown = |suppression: &Suppression| {
        let Suppression { reason, expires, rule, dest, header, source, path, fingerprint } =
            suppression;
        let members = [
            ("reason", Some(reason.clone())),
            ("expires", expires.as_ref().map(|expires| expires.text.clone())),
            ("rule", rule.clone()),
            ("dest", dest.clone()),
            ("header", header.clone()),
            ("source", source.map(|source| source.to_string())),
            ("path", path.clone()),
            ("fingerprint", fingerprint.map(|fingerprint| fingerprint.to_string())),
        ];
        let given = members.into_iter().filter_map(|(name, value)| Some((name, value?)));
        Json::Object(
            given.map(|(name, value)| (name.to_owned(), Json::from(value))).collect::<Map<_, _>>(),
        )
    };
    Json::Array(suppressions.iter().map(shown).collect())
}
