//! `monitor.json`: what `status` shows of a running monitor. Written whole or not at all, as long as there is room for
//! another file; in place where there is none, for then it has the most to tell.
//! Whether the monitor still runs is not told here, but by its PID file.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::SystemTime;

use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{STATE_FILE_NAME, folder};
use crate::limits::{STATE_MAX_BYTES, STATE_OUTDATED_SECS};

/// What is written before it takes the name.
const TEMPORARY_FILE_NAME: &str = "monitor.json.tmp";

/// A running monitor, as it was at the last tick.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    pub pid: u32,
    pub version: String,
    /// ISO 8601, UTC.
    pub started_at: String,
    pub mitm: bool,
    /// The fingerprint of the CA that clients are shown (SHA-256).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_sha256: Option<String>,
    /// Its end, in seconds since the epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_not_after_secs: Option<u64>,
    /// Whether `proxy_auth` names anybody.
    #[serde(default)]
    pub asks_for_credentials: bool,
    pub listeners: Listeners,
    pub workers: usize,
    pub log_dir: String,
    /// The configuration file that it reads, by its whole path; none where it was started without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_file: Option<String>,
    /// The sums over all cores, by name. This and what follows is filled in by the logger thread.
    #[serde(default)]
    pub counters: Map<String, Value>,
    /// Lines written to `threats.jsonl` since the start.
    #[serde(default)]
    pub threats_written: u64,
    /// Findings that have no line, because they repeated one.
    #[serde(default)]
    pub suppressed: u64,
    /// Those of them that no line tells of yet.
    #[serde(default)]
    pub untold: u64,
    /// Findings that a full queue lost.
    #[serde(default)]
    pub dropped: u64,
    /// Tunnels that their clients ended before a request, in the handshake or behind it: how many by host, of the last
    /// hosts that there were.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub unused_tunnels: BTreeMap<String, u64>,
    /// What became of the last reload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reload: Option<Reloaded>,
    /// Why findings cannot be written, while they cannot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
}

/// What became of a reload of the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reloaded {
    /// Which one since the start, from 1.
    pub count: u64,
    /// ISO 8601, UTC.
    pub at: String,
    /// Why nothing was changed, or not everywhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Whether that is what is wrong with the configuration.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub is_configuration_wrong: bool,
    /// Keys whose new value counts.
    #[serde(default)]
    pub changed: Vec<String>,
    /// Keys whose new value counts after a restart only.
    #[serde(default)]
    pub needs_restart: Vec<String>,
    #[serde(default)]
    pub warnings: Vec<String>,
}

/// Where clients come in: `host:port`, with the port that was really bound.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listeners {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proxy: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub admin: Option<String>,
}

impl State {
    /// Puts it in place of what `log_dir` holds, mode 0600.
    pub(super) fn write(&self, log_dir: &Path) -> io::Result<()> {
        let mut text = serde_json::to_vec_pretty(self)?;
        text.push(b'\n');
        let folder = folder::open(log_dir)?;
        replace(&folder, &text).or_else(|error| overwrite(&folder, text).map_err(|_| error))
    }
}

fn replace(folder: &OwnedFd, text: &[u8]) -> io::Result<()> {
    let mut file = open(folder, TEMPORARY_FILE_NAME, OFlags::CREATE | OFlags::TRUNC)?;
    let written = file.write_all(text);
    drop(file);
    let renamed = || rustix::fs::renameat(folder, TEMPORARY_FILE_NAME, folder, STATE_FILE_NAME);
    let replaced = written.and_then(|()| Ok(renamed()?));
    if replaced.is_err() {
        // On a full disk it would be in the way of others.
        let _ = rustix::fs::unlinkat(folder, TEMPORARY_FILE_NAME, AtFlags::empty());
    }
    replaced
}

/// In one write, with blanks where there was more before, so that a reader finds one text or the other.
fn overwrite(folder: &OwnedFd, mut text: Vec<u8>) -> io::Result<()> {
    let file = open(folder, STATE_FILE_NAME, OFlags::empty())?;
    let old_len = file.metadata()?.len().min(STATE_MAX_BYTES);
    text.resize(text.len().max(usize::try_from(old_len).unwrap_or(0)), b'\n');
    file.write_all_at(&text, 0)
}

fn open(folder: &OwnedFd, name: &str, how: OFlags) -> io::Result<File> {
    let flags = OFlags::WRONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let mode = Mode::RUSR | Mode::WUSR;
    Ok(File::from(rustix::fs::openat(folder, name, flags | how, mode)?))
}

/// How long ago it was written, in seconds, where that is longer than a living monitor leaves it alone.
pub fn outdated_secs(log_dir: &Path, now: SystemTime) -> Option<u64> {
    let written_at = std::fs::metadata(log_dir.join(STATE_FILE_NAME)).ok()?.modified().ok()?;
    let age_secs = now.duration_since(written_at).ok()?.as_secs();
    (age_secs >= STATE_OUTDATED_SECS).then_some(age_secs)
}

/// Reads what a monitor wrote. `NotFound` when none did; `InvalidData` when it is not readable as a
/// state.
pub fn read(log_dir: &Path) -> io::Result<State> {
    read_from(File::open(log_dir.join(STATE_FILE_NAME))?)
}

fn read_from(file: File) -> io::Result<State> {
    let mut text = Vec::new();
    file.take(STATE_MAX_BYTES + 1).read_to_end(&mut text)?;
    if text.len() as u64 > STATE_MAX_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "monitor.json is too large"));
    }
    serde_json::from_slice(&text).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// Removes it, so that nobody takes a stopped monitor for a running one.
pub fn remove(log_dir: &Path) -> io::Result<()> {
    match std::fs::remove_file(log_dir.join(STATE_FILE_NAME)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        outcome => outcome,
    }
}

/// The same by a monitor that ends, unless another, that has taken the folder meanwhile, wrote it.
pub fn remove_own(log_dir: &Path) -> io::Result<()> {
    let folder = folder::open(log_dir)?;
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match rustix::fs::openat(&folder, STATE_FILE_NAME, flags, Mode::empty()) {
        Err(Errno::NOENT) => return Ok(()),
        file => File::from(file?),
    };
    if read_from(file).is_ok_and(|state| state.pid != std::process::id()) {
        return Ok(());
    }
    Ok(rustix::fs::unlinkat(&folder, STATE_FILE_NAME, AtFlags::empty())?)
}

#[cfg(test)]
pub(super) mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    pub fn state() -> State {
        State {
            pid: 4711,
            version: "0.1.0".into(),
            started_at: "2026-02-19T13:41:59.587248+00:00".into(),
            mitm: true,
            listeners: Listeners {
                proxy: Some("127.0.0.1:8888".into()),
                gateway: None,
                admin: None,
            },
            workers: 2,
            log_dir: "/tmp/clawsec".into(),
            ..State::default()
        }
    }

    #[test]
    fn it_comes_back_as_it_was_written() {
        let dir = tempfile::tempdir().unwrap();
        let mut state = state();
        state.counters.insert("requests".into(), 12.into());
        state.last_error = Some("No space left on device".into());
        state.write(dir.path()).unwrap();
        assert_eq!(read(dir.path()).unwrap(), state);
        let path = dir.path().join(STATE_FILE_NAME);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        state.last_error = None;
        state.write(dir.path()).unwrap();
        assert_eq!(read(dir.path()).unwrap(), state);
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left beside it");
        remove(dir.path()).unwrap();
        assert_eq!(read(dir.path()).unwrap_err().kind(), io::ErrorKind::NotFound);
        remove(dir.path()).unwrap();
    }

    #[test]
    fn where_no_other_file_can_be_made_it_is_written_in_place() {
        let dir = tempfile::tempdir().unwrap();
        let mut state = state();
        state.last_error = Some("No space left on device".into());
        state.write(dir.path()).unwrap();
        // A full disk has no room for this one either.
        std::fs::create_dir(dir.path().join(TEMPORARY_FILE_NAME)).unwrap();
        state.last_error = None;
        state.write(dir.path()).unwrap();
        assert_eq!(read(dir.path()).unwrap(), state, "shorter than what was there");
        state.last_error = Some("No space left on device, and that for long".into());
        state.write(dir.path()).unwrap();
        assert_eq!(read(dir.path()).unwrap(), state);
        std::fs::remove_file(dir.path().join(STATE_FILE_NAME)).unwrap();
        assert!(state.write(dir.path()).is_err(), "there is no place");
    }

    #[test]
    fn what_a_living_monitor_would_have_rewritten_is_outdated() {
        let dir = tempfile::tempdir().unwrap();
        let later = |secs| SystemTime::now() + std::time::Duration::from_secs(secs);
        assert_eq!(outdated_secs(dir.path(), later(1000)), None);
        state().write(dir.path()).unwrap();
        assert_eq!(outdated_secs(dir.path(), later(STATE_OUTDATED_SECS - 1)), None);
        assert!(outdated_secs(dir.path(), later(STATE_OUTDATED_SECS + 1)).is_some());
        assert_eq!(outdated_secs(dir.path(), SystemTime::UNIX_EPOCH), None, "a clock that was set");
    }

    #[test]
    fn what_is_no_state_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(STATE_FILE_NAME);
        for text in ["", "{", "[]", "{\"pid\":\"x\"}"] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(read(dir.path()).unwrap_err().kind(), io::ErrorKind::InvalidData, "{text}");
        }
    }

    #[test]
    fn it_is_read_at_the_bound_and_refused_one_past_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(STATE_FILE_NAME);
        let mut text = serde_json::to_vec(&state()).unwrap();
        text.resize(STATE_MAX_BYTES as usize, b' ');
        std::fs::write(&path, &text).unwrap();
        assert_eq!(read(dir.path()).unwrap(), state());
        text.push(b' ');
        std::fs::write(&path, &text).unwrap();
        assert_eq!(read(dir.path()).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn a_monitor_that_ends_leaves_what_its_successor_wrote() {
        let dir = tempfile::tempdir().unwrap();
        let another = State { pid: std::process::id() + 1, ..state() };
        another.write(dir.path()).unwrap();
        remove_own(dir.path()).unwrap();
        assert_eq!(read(dir.path()).unwrap(), another);
        State { pid: std::process::id(), ..state() }.write(dir.path()).unwrap();
        remove_own(dir.path()).unwrap();
        assert_eq!(read(dir.path()).unwrap_err().kind(), io::ErrorKind::NotFound);
        remove_own(dir.path()).unwrap();
    }

    #[test]
    fn it_is_not_written_into_a_folder_that_others_may_write_to() {
        let dir = tempfile::tempdir().unwrap();
        state().write(dir.path()).unwrap();
        let theirs = std::fs::Permissions::from_mode(0o777);
        std::fs::set_permissions(dir.path(), theirs).unwrap();
        let error = State::default().write(dir.path()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        assert_eq!(read(dir.path()).unwrap(), state());
    }

    #[test]
    fn a_link_in_the_way_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let elsewhere = dir.path().join("elsewhere");
        symlink(&elsewhere, dir.path().join(TEMPORARY_FILE_NAME)).unwrap();
        assert!(state().write(dir.path()).is_err());
        assert!(!elsewhere.exists());
    }
}
