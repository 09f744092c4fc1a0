//! A file of rules as it is written: TOML to plain fields, each key by itself, so that what is wrong with one leaves the
//! others. What the fields mean is `reader`'s and `meaning`'s. The one file of `scan` that knows TOML.

use std::collections::BTreeMap;

use toml::{Table, Value};

use super::meaning::short;
use crate::config::nearest::nearest;

/// A file's fields.
#[derive(Default)]
pub(super) struct Document {
    pub(super) definitions: BTreeMap<String, String>,
    /// For all rules of the file, or those that they name.
    pub(super) allowlists: Vec<AllowlistText>,
    pub(super) rules: Vec<RuleEntry>,
    /// Of a file that is written to add to other rules.
    pub(super) extend: Option<ExtendText>,
    /// Keys of the file itself that have no meaning here.
    pub(super) unknown: Vec<Unknown>,
    /// What is wrong with the others.
    pub(super) wrong: Vec<String>,
}

/// What a file of gitleaks adds its rules to.
#[derive(Default)]
pub(super) struct ExtendText {
    pub(super) path: Option<String>,
    /// gitleaks' own rules.
    pub(super) use_default: bool,
    pub(super) disabled_rules: Vec<String>,
}

/// A key that has no meaning here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unknown {
    /// With the keys that it stands in.
    pub(super) key: String,
    /// The one that may have been meant.
    pub(super) meant: Option<&'static str>,
}

/// One rule of a file: its fields, or what is wrong with them.
pub(super) struct RuleEntry {
    /// What messages call it: its id, or its number in the file.
    pub(super) name: String,
    pub(super) fields: Result<RuleText, Vec<String>>,
    pub(super) unknown: Vec<Unknown>,
}

#[derive(Default)]
pub(super) struct RuleText {
    pub(super) id: String,
    pub(super) threat_type: Option<String>,
    pub(super) severity: Option<String>,
    pub(super) confidence: Option<String>,
    pub(super) direction: Option<String>,
    pub(super) description: Option<String>,
    pub(super) remediation: Option<String>,
    pub(super) source: Option<String>,
    pub(super) regex: Option<String>,
    pub(super) path: Option<String>,
    /// betterleaks': which matches count as none.
    pub(super) filter: Option<String>,
    pub(super) secret: Option<bool>,
    pub(super) secret_group: Option<usize>,
    pub(super) entropy: Option<f64>,
    pub(super) skip_report: bool,
    pub(super) validators: Vec<String>,
    pub(super) keywords: Vec<String>,
    pub(super) allowlists: Vec<AllowlistText>,
    pub(super) examples: Vec<String>,
    pub(super) negative_examples: Vec<String>,
}

#[derive(Default)]
pub(super) struct AllowlistText {
    pub(super) condition: Option<String>,
    pub(super) regex_target: Option<String>,
    pub(super) regexes: Vec<String>,
    pub(super) stopwords: Vec<String>,
    pub(super) paths: Vec<String>,
    pub(super) commits: Vec<String>,
    /// The rules that a file's own list is for; none: all of them.
    pub(super) target_rules: Vec<String>,
}

impl AllowlistText {
    /// Whether it names nothing that could be harmless.
    pub(super) fn is_empty(&self) -> bool {
        [&self.regexes, &self.stopwords, &self.paths, &self.commits]
            .iter()
            .all(|list| list.is_empty())
    }
}

/// Reads a file; an error says where it is no TOML.
pub(super) fn parse(text: &str) -> Result<Document, String> {
    let table: Table = toml::from_str(text).map_err(|error| at_line(text, &error))?;
    let mut fields = Fields::new(table);
    fields.pass_over(&["title", "description"]);
    let mut document = Document {
        definitions: fields.definitions(),
        allowlists: fields.allowlists(true),
        extend: fields.extend(),
        rules: fields.tables("rules").into_iter().enumerate().map(entry).collect(),
        ..Document::default()
    };
    (document.unknown, document.wrong) = fields.finish();
    Ok(document)
}

/// The path of the file that a file extends, if it is one that can be read.
pub(super) fn extended_path(text: &str) -> Option<String> {
    // Keys are known in any case. Most files have none such, and are not parsed for it.
    let is_extend = |word: &[u8]| word.eq_ignore_ascii_case(b"extend");
    if !text.as_bytes().windows("extend".len()).any(is_extend) {
        return None;
    }
    let mut fields = Fields::new(toml::from_str(text).ok()?);
    fields.extend()?.path
}

fn entry((number, table): (usize, Table)) -> RuleEntry {
    let mut fields = Fields::new(table);
    let rule = RuleText {
        id: fields.text("id").unwrap_or_default(),
        threat_type: fields.text("type"),
        severity: fields.text("severity"),
        confidence: fields.text("confidence"),
        direction: fields.text("direction"),
        description: fields.text("description"),
        remediation: fields.text("remediation"),
        source: fields.text("source"),
        regex: fields.text("regex").filter(|regex| !regex.is_empty()),
        path: fields.text("path").filter(|path| !path.is_empty()),
        filter: fields.text("filter").filter(|filter| !filter.trim().is_empty()),
        secret: fields.flag("secret"),
        secret_group: fields.count("secretGroup"),
        entropy: fields.number("entropy"),
        skip_report: fields.flag("skipReport").unwrap_or_default(),
        validators: fields.texts("validators"),
        keywords: fields.texts("keywords"),
        allowlists: fields.allowlists(false),
        examples: fields.texts("examples"),
        negative_examples: fields.texts("negative_examples"),
    };
    // gitleaks' labels, which ask for nothing; and reserved: what to do about a match.
    fields.pass_over(&["tags", "action"]);
    let (unknown, wrong) = fields.finish();
    let name = match rule.id.is_empty() {
        true => format!("rule number {}", number + 1),
        false => short(&rule.id),
    };
    let fields = if wrong.is_empty() { Ok(rule) } else { Err(wrong) };
    RuleEntry { name, fields, unknown }
}

/// The keys of a table, taken out one after the other; case is ignored, as gitleaks does.
struct Fields {
    table: Table,
    asked: Vec<&'static str>,
    unknown: Vec<Unknown>,
    wrong: Vec<String>,
}

impl Fields {
    fn new(table: Table) -> Fields {
        Fields { table, asked: Vec::new(), unknown: Vec::new(), wrong: Vec::new() }
    }

    /// What is left has no meaning; and what is wrong with the rest.
    fn finish(mut self) -> (Vec<Unknown>, Vec<String>) {
        for key in self.table.keys() {
            let meant = nearest(key, self.asked.iter().copied());
            let meant = self.asked.iter().copied().find(|asked| Some(*asked) == meant);
            self.unknown.push(Unknown { key: key.clone(), meant });
        }
        (self.unknown, self.wrong)
    }

    fn remove(&mut self, key: &'static str) -> Option<Value> {
        self.asked.push(key);
        if let Some(value) = self.table.remove(key) {
            return Some(value);
        }
        let spelt = self.table.keys().find(|spelt| spelt.eq_ignore_ascii_case(key))?.clone();
        self.table.remove(&spelt)
    }

    fn pass_over(&mut self, keys: &[&'static str]) {
        for key in keys {
            self.remove(key);
        }
    }

    fn take<T>(
        &mut self,
        key: &'static str,
        wanted: &str,
        read: impl FnOnce(Value) -> Option<T>,
    ) -> Option<T> {
        let value = self.remove(key)?;
        let taken = read(value);
        if taken.is_none() {
            self.wrong.push(format!("{key} must be {wanted}"));
        }
        taken
    }

    fn text(&mut self, key: &'static str) -> Option<String> {
        self.take(key, "a text", text)
    }

    fn texts(&mut self, key: &'static str) -> Vec<String> {
        let wanted = "a list of texts: [\"…\", \"…\"]";
        self.take(key, wanted, |value| all(value, text)).unwrap_or_default()
    }

    fn flag(&mut self, key: &'static str) -> Option<bool> {
        self.take(key, "true or false", |value| value.as_bool())
    }

    fn count(&mut self, key: &'static str) -> Option<usize> {
        let count = |value: Value| usize::try_from(value.as_integer()?).ok();
        self.take(key, "a whole number, 0 or more", count)
    }

    fn number(&mut self, key: &'static str) -> Option<f64> {
        let whole = |value: &Value| Some(f64::from(i32::try_from(value.as_integer()?).ok()?));
        self.take(key, "a number", |value| value.as_float().or_else(|| whole(&value)))
    }

    fn tables(&mut self, key: &'static str) -> Vec<Table> {
        let wanted = format!("[[{key}]]");
        self.take(key, &wanted, |value| all(value, table)).unwrap_or_default()
    }

    fn definitions(&mut self) -> BTreeMap<String, String> {
        let read = |value: Value| {
            let entries = table(value)?.into_iter();
            entries.map(|(name, value)| Some((name, text(value)?))).collect()
        };
        self.take("definitions", "[definitions] with a text for each name", read)
            .unwrap_or_default()
    }

    fn extend(&mut self) -> Option<ExtendText> {
        let mut inner = Fields::new(self.take("extend", "[extend]", table)?);
        let extend = ExtendText {
            path: inner.text("path").filter(|path| !path.is_empty()),
            use_default: inner.flag("useDefault").unwrap_or_default(),
            disabled_rules: inner.texts("disabledRules"),
        };
        self.take_over("extend", inner);
        Some(extend)
    }

    /// All of them, and the older spelling of a single one.
    fn allowlists(&mut self, is_of_file: bool) -> Vec<AllowlistText> {
        let several = self.tables("allowlists").into_iter().map(|table| ("allowlists", table));
        let several: Vec<_> = several.collect();
        let single = self.take("allowlist", "[allowlist]", table).map(|table| ("allowlist", table));
        let lists = several.into_iter().chain(single);
        lists.map(|(key, table)| self.allowlist(key, table, is_of_file)).collect()
    }

    fn allowlist(&mut self, key: &str, table: Table, is_of_file: bool) -> AllowlistText {
        let mut inner = Fields::new(table);
        inner.pass_over(&["description"]);
        let list = AllowlistText {
            condition: inner.text("condition"),
            regex_target: inner.text("regexTarget"),
            regexes: inner.texts("regexes"),
            stopwords: inner.texts("stopwords"),
            paths: inner.texts("paths"),
            commits: inner.texts("commits"),
            target_rules: if is_of_file { inner.texts("targetRules") } else { Vec::new() },
        };
        self.take_over(key, inner);
        list
    }

    /// What is to be said of a table in this one.
    fn take_over(&mut self, place: &str, inner: Fields) {
        let (unknown, wrong) = inner.finish();
        let placed = |of: Unknown| Unknown { key: format!("{place}.{}", of.key), ..of };
        self.unknown.extend(unknown.into_iter().map(placed));
        self.wrong.extend(wrong.into_iter().map(|reason| format!("{place}.{reason}")));
    }
}

fn text(value: Value) -> Option<String> {
    if let Value::String(text) = value { Some(text) } else { None }
}

fn table(value: Value) -> Option<Table> {
    if let Value::Table(table) = value { Some(table) } else { None }
}

fn all<T>(value: Value, read: impl Fn(Value) -> Option<T>) -> Option<Vec<T>> {
    let Value::Array(values) = value else { return None };
    values.into_iter().map(read).collect()
}

fn at_line(text: &str, error: &toml::de::Error) -> String {
    let message = short(error.message());
    match error.span().and_then(|span| text.get(..span.start)) {
        Some(before) => format!("line {}: {message}", before.matches('\n').count() + 1),
        None => message,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_that_is_extended_is_known_in_any_case_and_an_empty_path_is_none() {
        for head in ["[extend]\npath", "[Extend]\nPath", "[EXTEND]\npath"] {
            let text = format!("{head} = 'base.toml'\n");
            assert_eq!(extended_path(&text).as_deref(), Some("base.toml"), "{text}");
        }
        let none = "[extend]\npath = ''\n";
        assert_eq!(extended_path(none), None);
        assert!(parse(none).unwrap().extend.unwrap().path.is_none());
    }
}
