//! The configuration file: bytes ▶ the members of one JSON object, in order, repeated names
//! included.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value as Json;

use super::ConfigError;
use crate::limits::CONFIG_FILE_MAX_BYTES;

/// The members of the file's object. A name may occur twice; JSON's readers take the last.
pub type Members = Vec<(String, Json)>;

/// Reads the file and parses it.
pub fn read(path: &Path) -> Result<Members, ConfigError> {
    let unreadable = |cause: io::Error| ConfigError::Unreadable { path: path.to_path_buf(), cause };
    let file = File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(CONFIG_FILE_MAX_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() as u64 > CONFIG_FILE_MAX_BYTES {
        let cause = io::Error::other(format!("larger than {CONFIG_FILE_MAX_BYTES} bytes"));
        return Err(unreadable(cause));
    }
    parse(path, &bytes)
}

/// Parses a file's bytes; `path` is for the message only.
pub fn parse(path: &Path, bytes: &[u8]) -> Result<Members, ConfigError> {
    // Some editors put a byte order mark first; JSON has no meaning for it.
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let parsed = reader.deserialize_any(MembersVisitor);
    parsed.and_then(|members| reader.end().map(|()| members)).map_err(|error| {
        if error.is_data() {
            ConfigError::NotAnObject { path: path.to_path_buf() }
        } else {
            ConfigError::Syntax { path: path.to_path_buf(), cause: error.to_string() }
        }
    })
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    fn parsed(text: &str) -> Result<Members, String> {
        parse(Path::new("/x/config.json"), text.as_bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn members_keep_their_order_and_repetitions() {
        let members = parsed(r#"{"b": 1, "a": [2], "b": null}"#).unwrap();
        let names: Vec<_> = members.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["b", "a", "b"]);
        assert_eq!(parsed("\u{feff}{}").unwrap(), []);
    }

    #[test]
    fn a_syntax_error_names_file_line_and_column() {
        let message = parsed("{\n  \"proxy_port\": 88 88\n}").unwrap_err();
        assert!(message.contains("/x/config.json"), "{message}");
        assert!(message.contains("line 2 column 20"), "{message}");
        for broken in ["", "{", "{}x", "{\"a\": 1,}", "{'a': 1}", "\u{0}"] {
            assert!(parsed(broken).unwrap_err().contains("not valid JSON"), "{broken:?}");
        }
    }

    #[test]
    fn anything_but_an_object_is_refused() {
        for other in ["[]", "null", "1", "\"proxy_port\"", "[{}]"] {
            assert!(parsed(other).unwrap_err().contains("one JSON object"), "{other}");
        }
    }

    #[test]
    fn a_missing_file_a_folder_and_a_huge_file_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let missing = folder.path().join("none.json");
        let message = read(&missing).unwrap_err().to_string();
        assert!(message.contains("none.json") && message.contains("No such file"), "{message}");
        assert!(read(folder.path()).is_err());

        let path = folder.path().join("large.json");
        let mut file = File::create(&path).unwrap();
        let padding = " ".repeat(CONFIG_FILE_MAX_BYTES as usize - 2);
        file.write_all(format!("{{{padding}}}").as_bytes()).unwrap();
        assert_eq!(read(&path).unwrap(), []);
        file.write_all(b" ").unwrap();
        assert!(read(&path).unwrap_err().to_string().contains("larger than"));
    }
}
