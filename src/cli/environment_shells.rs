//! An environment in the languages that read it, each value quoted so that it stays what it is.

use std::fmt::Write;

use serde_json::{Map, Value, json};

use super::environment::{Environment, ShellKind};
use crate::shell::quoted;

/// The text for a shell to read.
pub fn written(environment: &Environment, shell: ShellKind) -> String {
    if shell == ShellKind::Json {
        let object: Map<String, Value> = environment
            .variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), json!(value)))
            .collect();
        return format!("{:#}\n", Value::Object(object));
    }
    let mut text = String::new();
    for (name, value) in &environment.variables {
        // Writing into a String cannot fail.
        let _ = match (shell, value) {
            (ShellKind::Sh, Some(value)) => writeln!(text, "export {name}={}", quoted(value)),
            (ShellKind::Sh, None) => writeln!(text, "unset {name}"),
            (ShellKind::Fish, Some(value)) => writeln!(text, "set -gx {name} {};", fish(value)),
            (ShellKind::Fish, None) => writeln!(text, "set -e {name};"),
            (ShellKind::Powershell, Some(value)) => {
                writeln!(text, "$env:{name} = {}", powershell(value))
            }
            (ShellKind::Powershell, None) => {
                writeln!(text, "Remove-Item Env:{name} -ErrorAction SilentlyContinue")
            }
            // An env file has no quoting, and no way to remove: an empty value is the nearest.
            (ShellKind::Docker, value) => {
                let value = value.as_deref().unwrap_or_default().replace(['\n', '\r'], "");
                writeln!(text, "{name}={value}")
            }
            (ShellKind::Json, _) => Ok(()),
        };
    }
    text
}

/// In fish's single quotes a backslash escapes itself and the quote.
fn fish(value: &str) -> String {
    format!("'{}'", value.replace('\\', r"\\").replace('\'', r"\'"))
}

/// PowerShell doubles a quote, and takes typographic ones for it as well.
fn powershell(value: &str) -> String {
    let mut quoted = String::from("'");
    for character in value.chars() {
        if matches!(character, '\'' | '\u{2018}' | '\u{2019}' | '\u{201a}' | '\u{201b}') {
            quoted.push(character);
        }
        quoted.push(character);
    }
    quoted.push('\'');
    quoted
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use proptest::prelude::*;

    use super::*;

    fn of(value: &str) -> Environment {
        Environment {
            variables: vec![("HTTP_PROXY", Some(value.to_owned())), ("ALL_PROXY", None)],
            notes: Vec::new(),
        }
    }

    #[test]
    fn each_language_sets_and_removes() {
        for (shell, text) in [
            (ShellKind::Sh, "export HTTP_PROXY='a'\\''b'\nunset ALL_PROXY\n"),
            (ShellKind::Fish, "set -gx HTTP_PROXY 'a\\'b';\nset -e ALL_PROXY;\n"),
            (
                ShellKind::Powershell,
                "$env:HTTP_PROXY = 'a''b'\nRemove-Item Env:ALL_PROXY -ErrorAction SilentlyContinue\n",
            ),
            (ShellKind::Docker, "HTTP_PROXY=a'b\nALL_PROXY=\n"),
        ] {
            assert_eq!(written(&of("a'b"), shell), text);
        }
        let json: Value = serde_json::from_str(&written(&of("a'b"), ShellKind::Json)).unwrap();
        assert_eq!(json, json!({"HTTP_PROXY": "a'b", "ALL_PROXY": null}));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, cases: 32,
                                            ..ProptestConfig::default() })]
        /// The shell itself says what it understood.
        #[test]
        fn no_value_escapes_its_quotes(value in "[ -~\\n\\t]{0,24}") {
            let script = format!("{}printf %s \"$HTTP_PROXY\"", written(&of(&value), ShellKind::Sh));
            let output = Command::new("sh").arg("-c").arg(script).output().unwrap();
            prop_assert_eq!(String::from_utf8(output.stdout).unwrap(), value);
        }
    }
}
