//! What `watch_env` and `watch_files` name ▶ the values to watch for, each with a name that findings may show.

use std::ffi::{OsStr, OsString};
use std::io::{self, Read};
use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value as Json;
use zeroize::{Zeroize, Zeroizing};

use super::{dotenv, text};
use crate::config::{self, WatchConfig, is_variable_name};
use crate::limits::{
    KNOWN_VALUE_MIN_BYTES, MESSAGE_NAME_MAX_CHARS, MESSAGE_VALUE_MAX_CHARS, WATCHED_FILE_MAX_BYTES,
};
use crate::regular_file;
use crate::scan::NamedValue;

/// A plain word of fewer bytes (`production`, `localhost`) among many values of a file is no secret.
const WORD_MAX_BYTES: usize = 16;

/// What there is to watch for, and what is not as its owner may think.
#[derive(Debug, Default)]
pub struct Watched {
    /// Those of variables, then those of files.
    pub values: Vec<NamedValue>,
    /// How many of them are of variables.
    pub of_variables: usize,
    /// The files that have some, and how many.
    pub of_files: Vec<(String, usize)>,
    /// Without a byte of any value.
    pub warnings: Vec<String>,
}

/// Reads the variables, by `variable`, and the files.
pub fn read_watched(config: &WatchConfig, variable: impl Fn(&str) -> Option<OsString>) -> Watched {
    let mut watched = Watched::default();
    for (number, name) in config.variables.iter().enumerate() {
        match variable(name) {
            Some(value) => watched.add(name, Zeroizing::new(value.into_vec())),
            // Somebody may have written the secret itself.
            None if !is_variable_name(name) => watched.warn(format!(
                "watch_env[{number}] is not the name of a variable that is set: nothing is watched for"
            )),
            None => watched.warn(format!("watch_env: {name} is not set: nothing is watched for")),
        }
    }
    watched.of_variables = watched.values.len();
    for (number, path) in config.files.iter().enumerate() {
        let before = watched.values.len();
        match read_file(path) {
            Ok(bytes) => watched.add_file(path, bytes),
            Err(error) => {
                let place = match may_be_shown(path) {
                    true => format!("watch_files: {}", path.display()),
                    false => format!("watch_files[{number}]"),
                };
                watched.warn(format!(
                    "{place} cannot be read, its secrets are not watched for: {error}"
                ));
            }
        }
        let count = watched.values.len() - before;
        if count > 0 {
            watched.of_files.push((path.display().to_string(), count));
        }
    }
    watched
}

/// Whether no name of a path that is not there may be the secret itself.
fn may_be_shown(path: &Path) -> bool {
    let is_harmless =
        |name: &OsStr| config::is_harmless(&name.to_string_lossy(), MESSAGE_NAME_MAX_CHARS);
    path.ancestors()
        .take_while(|place| !place.exists())
        .all(|place| place.file_name().is_none_or(is_harmless))
}

impl Watched {
    fn warn(&mut self, warning: String) {
        self.warnings.push(warning);
    }

    /// One value that somebody named.
    fn add(&mut self, name: &str, bytes: Zeroizing<Vec<u8>>) {
        let len = bytes.trim_ascii().len();
        if len < KNOWN_VALUE_MIN_BYTES {
            self.warn(format!(
                "{name} has {len} bytes: only secrets of {KNOWN_VALUE_MIN_BYTES} bytes and more can be \
                 watched for"
            ));
            return;
        }
        let shown: String = name.escape_debug().take(MESSAGE_VALUE_MAX_CHARS).collect();
        self.values.push(NamedValue { name: Arc::from(shown), bytes });
    }

    /// One value of several in a file: it is passed over where it is no secret.
    fn add_one_of_many(&mut self, name: &str, bytes: Zeroizing<Vec<u8>>) {
        let value = bytes.trim_ascii();
        let is_word = value.len() < WORD_MAX_BYTES && value.iter().all(u8::is_ascii_alphabetic);
        let is_number =
            value.iter().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b':'));
        if value.is_empty() || is_word || is_number {
            return;
        }
        self.add(name, bytes);
    }

    fn add_file(&mut self, path: &Path, bytes: Zeroizing<Vec<u8>>) {
        let told = self.values.len() + self.warnings.len();
        self.add_content(path, text::in_utf8(bytes));
        if self.values.len() + self.warnings.len() == told {
            let place = path.display();
            self.warn(format!(
                "watch_files: {place} holds no value that could be a secret: nothing of it is watched for"
            ));
        }
    }

    fn add_content(&mut self, path: &Path, bytes: Zeroizing<Vec<u8>>) {
        let place = path.display().to_string();
        let file_name = path.file_name().unwrap_or_default().to_string_lossy();
        let is_dotenv = file_name.ends_with(".env") || file_name.starts_with(".env.");
        if is_dotenv {
            for (key, value) in dotenv::pairs(&bytes) {
                self.add_one_of_many(&format!("{key} of {place}"), value);
            }
        } else if path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("json")) {
            match serde_json::from_slice(&bytes) {
                Ok(json) => self.add_leaves(&place, "", json),
                // The cause could repeat what it stumbled upon.
                Err(_) => {
                    self.warn(format!("watch_files: {place} is no JSON: it is not watched for"))
                }
            }
        } else {
            self.add(&place, bytes);
        }
    }

    /// Every text in it, each wiped where it stood.
    fn add_leaves(&mut self, place: &str, key: &str, json: Json) {
        match json {
            Json::String(mut text) => {
                let value = Zeroizing::new(text.as_bytes().to_vec());
                self.add_one_of_many(&format!("{key} of {place}"), value);
                text.zeroize();
            }
            Json::Array(items) => {
                items.into_iter().for_each(|item| self.add_leaves(place, key, item))
            }
            Json::Object(members) => {
                for (name, item) in members {
                    let key = if key.is_empty() { name } else { format!("{key}.{name}") };
                    self.add_leaves(place, &key, item);
                }
            }
            Json::Null | Json::Bool(_) | Json::Number(_) => {}
        }
    }
}

/// A file's bytes, in memory that is never moved, so that no copy stays behind.
fn read_file(path: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut file = regular_file::open(path)?;
    let len = file.metadata()?.len();
    if len > WATCHED_FILE_MAX_BYTES {
        return Err(io::Error::other(format!("larger than {WATCHED_FILE_MAX_BYTES} bytes")));
    }
    let mut bytes = Zeroizing::new(vec![0; usize::try_from(len).unwrap_or(0)]);
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(watched: &Watched) -> Vec<(String, String)> {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        watched.values.iter().map(|value| (value.name.to_string(), text(&value.bytes))).collect()
    }

    fn of_files(files: &[(&str, &[u8])]) -> (Watched, tempfile::TempDir) {
        let folder = tempfile::tempdir().unwrap();
        let mut config = WatchConfig::default();
        for (name, bytes) in files {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            config.files.push(path);
        }
        (read_watched(&config, |_| None), folder)
    }

    #[test]
    fn variables_are_taken_and_what_is_wrong_is_said_without_their_values() {
        let config = WatchConfig {
            variables: ["LONG", "SHORT", "ABSENT", "PLAIN"].map(str::to_owned).to_vec(),
            files: vec!["/nowhere/at.all".into()],
        };
        let watched = read_watched(&config, |name| match name {
            "LONG" => Some("8 bytes!".into()),
            "SHORT" => Some(" seven77 ".into()),
            "PLAIN" => Some("password".into()),
            _ => None,
        });
        let named = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(told(&watched), [named("LONG", "8 bytes!"), named("PLAIN", "password")]);
        let warnings = watched.warnings.join("\n");
        assert_eq!(watched.warnings.len(), 3, "{warnings}");
        assert!(warnings.contains("SHORT has 7 bytes: only secrets of 8 bytes"), "{warnings}");
        assert!(warnings.contains("ABSENT is not set"), "{warnings}");
        assert!(warnings.contains("/nowhere/at.all cannot be read"), "{warnings}");
        assert!(!warnings.contains("seven77"), "{warnings}");
    }

    #[test]
    fn a_secret_in_the_place_of_its_name_is_not_shown() {
        let secret = "hunter2secretpw-in-here";
        let folder = tempfile::tempdir().unwrap();
        let config = WatchConfig {
            variables: vec!["ABSENT".into(), secret.into(), "hunter_secret".into()],
            files: vec![folder.path().join(secret), folder.path().join(secret).join("below")],
        };
        let warnings = read_watched(&config, |_| None).warnings;
        assert!(warnings.iter().all(|warning| !warning.contains("hunter")), "{warnings:?}");
        for place in
            ["ABSENT is", "watch_env[1]", "watch_env[2]", "watch_files[0]", "watch_files[1]"]
        {
            assert!(warnings.iter().any(|warning| warning.contains(place)), "{warnings:?}");
        }
    }

    #[test]
    fn files_give_their_content_their_values_or_their_leaves() {
        let (watched, folder) = of_files(&[
            ("token", b"  whole content\n"),
            (".env", b"A=first-secret\nMODE=production\nPORT=12345678\nB='2nd'\n"),
            ("app.env", b"C=third-secret"),
            (".env.local", b"D=fourth-secret"),
            ("keys.json", br#"{"a": {"b": ["fifth-secret", 7]}, "c": "word", "d": "localhost"}"#),
            ("bad.json", b"{sixth-secret"),
        ]);
        let of = |key: &str, name: &str| format!("{key} of {}", folder.path().join(name).display());
        let whole = folder.path().join("token").display().to_string();
        assert_eq!(
            told(&watched),
            [
                (whole, "  whole content\n".to_owned()),
                (of("A", ".env"), "first-secret".to_owned()),
                (of("C", "app.env"), "third-secret".to_owned()),
                (of("D", ".env.local"), "fourth-secret".to_owned()),
                (of("a.b", "keys.json"), "fifth-secret".to_owned()),
            ]
        );
        let warnings = watched.warnings.join("\n");
        assert!(warnings.contains("B of") && warnings.contains("has 3 bytes"), "{warnings}");
        assert!(warnings.contains("bad.json is no JSON"), "{warnings}");
        assert!(!warnings.contains("sixth") && watched.warnings.len() == 2, "{warnings}");
    }

    /// One byte that is no UTF-8 made one value of the whole file, of which nobody ever sends all.
    #[test]
    fn an_env_file_of_any_coding_gives_its_values() {
        let text = "A=first-secret\r\nB=zwölf-und-mehr\r\n";
        let latin = b"# caf\xe9\nA=first-secret\n".as_slice();
        let wide = |bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
            format!("\u{feff}{text}").encode_utf16().flat_map(bytes).collect()
        };
        let marked = format!("\u{feff}{text}");
        let both = ["first-secret", "zwölf-und-mehr"];
        for (bytes, values) in [
            (latin, &both[..1]),
            (&wide(u16::to_le_bytes), &both),
            (&wide(u16::to_be_bytes), &both),
            (marked.as_bytes(), &both),
        ] {
            let (watched, folder) = of_files(&[(".env", bytes)]);
            let told = told(&watched);
            let path = folder.path().join(".env");
            assert_eq!(told[0].0, format!("A of {}", path.display()));
            assert!(told.iter().map(|(_, value)| value).eq(values), "{told:?}");
            assert!(watched.warnings.is_empty(), "{:?}", watched.warnings);
        }
        let json = "\u{feff}{\"a\": \"fifth-secret\"}";
        assert_eq!(told(&of_files(&[("a.json", json.as_bytes())]).0)[0].1, "fifth-secret");
    }

    #[test]
    fn a_file_of_which_nothing_is_watched_for_is_warned_of() {
        for (name, bytes) in [
            (".env", b"just-a-token-without-a-name\n".as_slice()),
            (".env", b""),
            (".env", b"MODE=production\nPORT=12345678\n"),
            ("a.json", b"{\"a\": [1, null]}"),
            ("a.json", b"\"word\""),
        ] {
            let (watched, _folder) = of_files(&[(name, bytes)]);
            assert!(watched.values.is_empty());
            let warnings = watched.warnings.join("\n");
            assert!(warnings.contains("nothing of it is watched for"), "{name}: {warnings}");
            assert_eq!(watched.warnings.len(), 1, "{warnings}");
        }
    }

    /// A start waited for ever for whoever would write into it.
    #[test]
    fn what_is_no_regular_file_is_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe.env");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        let files = vec![pipe, folder.path().to_owned()];
        let config = WatchConfig { files, ..WatchConfig::default() };
        let watched = read_watched(&config, |_| None);
        assert_eq!(watched.warnings.len(), 2, "{:?}", watched.warnings);
        for warning in &watched.warnings {
            assert!(warning.ends_with("it is no regular file"), "{warning}");
        }
    }

    #[test]
    fn a_file_is_read_up_to_its_bound() {
        let largest = vec![b'x'; WATCHED_FILE_MAX_BYTES as usize];
        assert_eq!(of_files(&[("key", &largest)]).0.values.len(), 1);
        let larger = vec![b'x'; largest.len() + 1];
        let (watched, _folder) = of_files(&[("key", &larger)]);
        assert!(watched.values.is_empty() && watched.warnings[0].contains("larger than"));
    }
}
