//! Sources ▶ one setting a key: file, then environment, then flags, the later over the earlier.
//! Knows names and kinds of keys; what a configuration is built of them is `build`'s.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::error::{ConfigError, Origin, Warning};
use super::keys::{self, KEYS, Key, Kind};
use super::nearest::nearest;
use super::value::{self, Value};
use super::{Overrides, Sources, file, shown};

const PREFIX: &str = "CLAWSEC_";
/// Names this program to `scripts/clawsec-monitor.py`: no setting.
const PROGRAM_VARIABLE: &str = "CLAWSEC_BIN";

/// What a client of the proxy says of itself: no setting.
pub const CREDENTIALS_VARIABLE: &str = "CLAWSEC_PROXY_CREDENTIALS";

/// The file that `--config` names otherwise: no setting either.
const FILE_VARIABLE: &str = "CLAWSEC_CONFIG";

/// The original's name of `proxy_port`.
const PORT_ALIAS: &str = "http_proxy_port";

/// A checked value and who said it.
#[derive(Clone, Debug)]
pub struct Setting {
    pub value: Value,
    pub origin: Origin,
}

/// What was set, by key.
pub type Settings = BTreeMap<&'static str, Setting>;

/// The process's `CLAWSEC_` variables; a value that is no UTF-8 is an error, others are not looked
/// at.
pub fn process_environment() -> Result<Vec<(String, String)>, ConfigError> {
    let mut variables = Vec::new();
    for (name, text) in std::env::vars_os() {
        let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else { continue };
        let text = text.into_string().map_err(|raw| ConfigError::Invalid {
            key: name.trim_start_matches(PREFIX).to_ascii_lowercase(),
            value: shown::quoted(&raw.to_string_lossy()),
            allowed: "UTF-8".into(),
            origin: Origin::Environment(name.to_string()),
        })?;
        variables.push((name.to_string(), text));
    }
    // The order of the environment is arbitrary; that of messages is not.
    variables.sort();
    Ok(variables)
}

/// What this process's environment says that `--config` is; empty is as good as unset.
pub fn file_variable() -> Option<PathBuf> {
    std::env::var_os(FILE_VARIABLE).filter(|file| !file.is_empty()).map(PathBuf::from)
}

/// Lays the sources over each other.
pub fn merge<E>(
    sources: Sources<'_, E>,
    warnings: &mut Vec<Warning>,
) -> Result<Settings, ConfigError>
where
    E: IntoIterator<Item = (String, String)>,
{
    let mut settings = match sources.file {
        Some(path) => file_layer(path, file::read(path)?, warnings)?,
        None => Settings::new(),
    };
    settings.extend(environment_layer(sources.environment, warnings)?);
    settings.extend(flag_layer(sources.flags)?);
    Ok(settings)
}

fn file_layer(
    path: &Path,
    members: file::Members,
    warnings: &mut Vec<Warning>,
) -> Result<Settings, ConfigError> {
    let origin = Origin::File(path.to_path_buf());
    let mut layer = Settings::new();
    for (name, json) in members {
        let Some(key) = keys::find(&name) else {
            warnings.push(unknown("key", &name, &origin.to_string(), suggested(&name)));
            continue;
        };
        let checked = value::from_json(key.kind, &json);
        if checked.is_none() {
            misfit(key, &json, &origin)?;
        }
        let setting = setting(key, checked, &origin, || shown::json(&json))?;
        if layer.insert(key.name, setting).is_some() {
            let message = format!("{name} occurs more than once in {origin}: the last one counts");
            warnings.push(Warning(message));
        }
    }
    Ok(without_alias(layer, warnings))
}

fn environment_layer(
    environment: impl IntoIterator<Item = (String, String)>,
    warnings: &mut Vec<Warning>,
) -> Result<Settings, ConfigError> {
    let mut layer = Settings::new();
    for (name, text) in environment {
        let Some(suffix) = name.strip_prefix(PREFIX) else { continue };
        if [CREDENTIALS_VARIABLE, PROGRAM_VARIABLE, FILE_VARIABLE].contains(&&*name) {
            continue;
        }
        // Variables are upper case by custom; CLAWSEC_proxy_port is a misspelling, not a second
        // name.
        let known = KEYS.iter().find(|key| key.name.to_ascii_uppercase() == suffix);
        let Some(key) = known else {
            let meant =
                suggested(suffix).map(|key| format!("{PREFIX}{}", key.to_ascii_uppercase()));
            warnings.push(unknown("variable", &name, "the environment", meant));
            continue;
        };
        let origin = Origin::Environment(name.clone());
        let checked = value::from_text(key.kind, &text);
        if let (None, Ok(json)) = (&checked, serde_json::from_str(&text)) {
            misfit(key, &json, &origin)?;
        }
        let setting = setting(key, checked, &origin, || shown::quoted(&text))?;
        layer.insert(key.name, setting);
    }
    Ok(without_alias(layer, warnings))
}

fn flag_layer(flags: Overrides) -> Result<Settings, ConfigError> {
    let mut layer = Settings::new();
    for flag in flags.0 {
        let Some(key) = keys::find(flag.key) else { continue };
        let checked = value::from_text(key.kind, &flag.text);
        let shown = || shown::quoted(&flag.text);
        layer.insert(key.name, setting(key, checked, &Origin::Flag(flag.flag), shown)?);
    }
    Ok(layer)
}

fn setting(
    key: &Key,
    checked: Option<Value>,
    origin: &Origin,
    shown: impl FnOnce() -> String,
) -> Result<Setting, ConfigError> {
    match checked {
        Some(value) => Ok(Setting { value, origin: origin.clone() }),
        None => Err(ConfigError::Invalid {
            key: key.name.into(),
            // What is set in place of a hash may be the secret itself.
            value: if key.kind == Kind::Users { "what is there".into() } else { shown() },
            allowed: key.kind.allowed(),
            origin: origin.clone(),
        }),
    }
}

/// The error that names the place within a list of objects, if that is what was refused.
fn misfit(key: &Key, json: &serde_json::Value, origin: &Origin) -> Result<(), ConfigError> {
    let Some(misfit) = value::misfit(key.kind, json) else { return Ok(()) };
    Err(ConfigError::Invalid {
        key: format!("{}{}", key.name, misfit.place),
        value: misfit.value,
        allowed: misfit.allowed,
        origin: origin.clone(),
    })
}

/// Within one source the original's name counts only where `proxy_port` is not set.
fn without_alias(mut layer: Settings, warnings: &mut Vec<Warning>) -> Settings {
    let Some(alias) = layer.remove(PORT_ALIAS) else { return layer };
    match layer.get("proxy_port") {
        None => {
            layer.insert("proxy_port", alias);
        }
        Some(port) if port.value != alias.value => {
            let message =
                format!("proxy_port and {PORT_ALIAS} differ in {}: proxy_port counts", port.origin);
            warnings.push(Warning(message));
        }
        Some(_) => {}
    }
    layer
}

/// Names that are guessed, and what they mean: another key is nearer by its letters.
const GUESSED: [(&str, &str); 3] =
    [("admin_port", "admin_addr"), ("port", "proxy_port"), ("host", "proxy_host")];

fn suggested(name: &str) -> Option<String> {
    let guessed = GUESSED.iter().find(|(guess, _)| name.eq_ignore_ascii_case(guess));
    if let Some((_, meant)) = guessed {
        return Some((*meant).to_owned());
    }
    nearest(name, KEYS.iter().map(|key| key.name)).map(str::to_string)
}

fn unknown(what: &str, name: &str, place: &str, meant: Option<String>) -> Warning {
    let name = shown::name(name);
    let meant = meant.map(|meant| format!("; did you mean {meant}?")).unwrap_or_default();
    Warning(format!("unknown {what} {name} in {place} is ignored{meant}"))
}
