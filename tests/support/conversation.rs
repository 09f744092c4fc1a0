//! Clean traffic: what an agent that works on code sends to a model.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The sources of this project's dependencies, as far as they are on this machine, in a fixed order: of the releases that
/// `Cargo.lock` names alone, so that what else lies there changes nothing.
fn sources() -> Vec<PathBuf> {
    let of_cargo = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let of_user = || Path::new(&std::env::var_os("HOME").unwrap_or_default()).join(".cargo");
    let registries = of_cargo.unwrap_or_else(of_user).join("registry/src");
    let releases = releases();
    let is_ours = |folder: &PathBuf| {
        folder.file_name().is_some_and(|name| releases.contains(&*name.to_string_lossy()))
    };
    let mut folders: Vec<PathBuf> =
        within(&registries).flat_map(|registry| within(&registry)).filter(is_ours).collect();
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for path in within(&folder) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs" || ending == "md") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// What is in a folder; nothing if it cannot be read.
fn within(folder: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}

/// The folders of the releases in use, as cargo calls them: `NAME-VERSION`.
fn releases() -> HashSet<String> {
    let lines: Vec<&str> = include_str!("../../Cargo.lock").lines().collect();
    let value = |line: &str, key: &str| {
        line.strip_prefix(key)?.strip_prefix(" = \"")?.strip_suffix('"').map(str::to_owned)
    };
    let release = |pair: &[&str]| match pair {
        [name, version] => Some(format!("{}-{}", value(name, "name")?, value(version, "version")?)),
        _ => None,
    };
    lines.windows(2).filter_map(release).collect()
}

/// A conversation with a model about those sources: each file, or 16 KiB of it, as the result of a tool. None if
/// there are not enough of them.
pub fn conversation(total_bytes: usize) -> Option<Vec<u8>> {
    let mut body = br#"{"model":"large","messages":["#.to_vec();
    for path in sources() {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let text: String = text.chars().take(16 * 1024).collect();
        let message = serde_json::json!({"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "toolu_01", "content": text}]});
        body.extend_from_slice(message.to_string().as_bytes());
        body.push(b',');
        if body.len() >= total_bytes {
            body.truncate(total_bytes);
            return Some(body);
        }
    }
    None
}
