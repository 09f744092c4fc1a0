//! Compiled rules on disk, so that a start need not compile them, and what their expressions were parsed to: one file
//! for each set of rules, engine and version, named by their digest, checked by a digest of its own, whole or not there.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::ops::Deref;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use aws_lc_rs::digest::{Context, SHA256, digest};
use aws_lc_rs::rand;

use crate::config::Config;
use crate::limits::{RULE_CACHE_FILE_MAX_BYTES, RULE_CACHE_FILES_KEPT, RULE_CACHE_WRITE_SECS};
use crate::packed::{push_number, push_text, take_number, take_text};
use crate::scan::Database;
use crate::scan::rules::{
    EXPRESSION_PARSER, ParsedExpressions, Problem, ProblemKind, RuleSet, Wanted,
};

/// What a file begins with; the number changes with its layout.
const MAGIC: &[u8; 16] = b"clawsec rules 2\n";
const DIGEST_BYTES: usize = 32;
/// How the names of files end: of what the engine compiled, of parsed expressions, and of either while it is written.
const COMPILED: &str = "rules";
const PARSED: &str = "parsed";
const UNFINISHED: &str = "new";

/// The folder of compiled rules.
#[derive(Debug)]
pub struct Cache {
    folder: PathBuf,
}

/// What a file holds.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Kept {
    /// The rules that the engine did not take.
    pub(super) refused: Vec<Problem>,
    /// The engine's part for the others.
    pub(super) engine: Rest,
}

/// What a file holds from a place on: millions of bytes that are not copied for what stands before them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rest {
    file: Vec<u8>,
    from: usize,
}

impl Deref for Rest {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.file.get(self.from..).unwrap_or_default()
    }
}

impl Cache {
    /// Opens the configured folder; else the user's own, else one in the log folder, if that is there. It is
    /// made if need be. An error says why it cannot be used.
    pub fn open(config: &Config) -> Result<Cache, String> {
        if let Some(folder) = &config.rules.cache_dir {
            return Cache::at(folder.clone());
        }
        let own = user_folder(|key| std::env::var_os(key)).map(Cache::at);
        match own {
            Some(Ok(cache)) => Ok(cache),
            _ if config.report.log_dir.is_dir() => Cache::at(config.report.log_dir.join("cache")),
            Some(Err(reason)) => Err(reason),
            None => Err("there is no HOME, and no rule_cache_dir is set".to_owned()),
        }
    }

    /// Opens a folder.
    pub(super) fn at(folder: PathBuf) -> Result<Cache, String> {
        let told = |error: io::Error| format!("{}: {error}", folder.display());
        DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(told)?;
        let found = fs::symlink_metadata(&folder).map_err(told)?;
        let is_ours = found.is_dir()
            && found.uid() == rustix::process::geteuid().as_raw()
            && found.mode() & 0o022 == 0;
        match is_ours {
            true => Ok(Cache { folder }),
            false => Err(format!(
                "{}: must be a folder of yours that nobody else can write to (mode 0700)",
                folder.display()
            )),
        }
    }

    /// What was kept for these rules. An error says what is wrong with it.
    pub(super) fn load(&self, rules: &RuleSet) -> Result<Option<Kept>, String> {
        load(&self.compiled_path(rules), unpacked)
    }

    /// What the expressions of these rules were parsed to, if that was kept.
    pub(super) fn load_expressions(
        &self,
        wanted: &Wanted<'_>,
    ) -> Result<Option<ParsedExpressions>, String> {
        load(&self.parsed_path(wanted), |body| ParsedExpressions::from_bytes(&body))
    }

    /// Keeps what was compiled, and removes what was not used for long.
    pub(super) fn store(
        &self,
        rules: &RuleSet,
        refused: &[Problem],
        engine: &[u8],
    ) -> Result<(), String> {
        store(&self.compiled_path(rules), &packed(refused, engine))?;
        self.prune(COMPILED);
        Ok(())
    }

    /// Keeps what expressions were parsed to, and removes what was not used for long.
    pub(super) fn store_expressions(
        &self,
        wanted: &Wanted<'_>,
        expressions: &ParsedExpressions,
    ) -> Result<(), String> {
        store(&self.parsed_path(wanted), &expressions.to_bytes())?;
        self.prune(PARSED);
        Ok(())
    }

    fn compiled_path(&self, rules: &RuleSet) -> PathBuf {
        let mut name = Name::default();
        name.tell(env!("CARGO_PKG_VERSION").as_bytes());
        Database::identify(rules, |part| name.tell(part));
        self.folder.join(name.finish()).with_extension(COMPILED)
    }

    fn parsed_path(&self, wanted: &Wanted<'_>) -> PathBuf {
        let mut name = Name::default();
        name.tell(EXPRESSION_PARSER.as_bytes());
        wanted.identify(|part| name.tell(part));
        self.folder.join(name.finish()).with_extension(PARSED)
    }

    fn prune(&self, ending: &str) {
        let mut kept = self.files(ending);
        kept.sort_unstable();
        let surplus = kept.len().saturating_sub(RULE_CACHE_FILES_KEPT);
        let long_ago = SystemTime::now() - Duration::from_secs(RULE_CACHE_WRITE_SECS);
        let mut given_up = self.files(UNFINISHED);
        given_up.retain(|(begun_at, _)| *begun_at < long_ago);
        for (_, path) in kept.iter().take(surplus).chain(&given_up) {
            // Another start may have been quicker.
            let _ = fs::remove_file(path);
        }
    }

    /// Those of an ending, and when they were used or written last.
    fn files(&self, ending: &str) -> Vec<(SystemTime, PathBuf)> {
        let Ok(entries) = fs::read_dir(&self.folder) else { return Vec::new() };
        entries
            .filter_map(Result::ok)
            .filter(|entry| entry.path().extension().is_some_and(|own| own == ending))
            .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
            .collect()
    }
}

/// The name of a file: the digest of all that decides what is in it.
struct Name(Context);

impl Default for Name {
    fn default() -> Name {
        Name(Context::new(&SHA256))
    }
}

impl Name {
    fn tell(&mut self, part: &[u8]) {
        self.0.update(&(part.len() as u64).to_le_bytes());
        self.0.update(part);
    }

    fn finish(self) -> String {
        const NAME_BYTES: usize = 16;
        let digest = self.0.finish();
        digest.as_ref().iter().take(NAME_BYTES).map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Reads a file that was kept, if there is one. An error says what is wrong with it.
fn load<T>(path: &Path, unpacked: impl Fn(Rest) -> Option<T>) -> Result<Option<T>, String> {
    let bytes = match read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(format!("{}: {error}", path.display())),
    };
    let kept = unsealed(bytes).and_then(unpacked);
    let kept = kept.ok_or_else(|| format!("{}: it is damaged", path.display()))?;
    // The files used least recently go first.
    let _ = File::open(path).and_then(|file| file.set_modified(SystemTime::now()));
    Ok(Some(kept))
}

fn store(path: &Path, body: &[u8]) -> Result<(), String> {
    write(path, body).map_err(|error| format!("{}: {error}", path.display()))
}

/// The user's folder for what can be made again.
fn user_folder(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let absolute = |key| variable(key).map(PathBuf::from).filter(|path| path.is_absolute());
    let caches = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")));
    caches.map(|caches| caches.join("clawsec"))
}

/// A regular file of ours, not too large.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
    let flags = i32::try_from(flags.bits()).unwrap_or_default();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let found = file.metadata()?;
    let is_ours = found.is_file()
        && found.uid() == rustix::process::geteuid().as_raw()
        && found.mode() & 0o022 == 0;
    if !is_ours || found.len() > RULE_CACHE_FILE_MAX_BYTES {
        return Err(io::Error::other("it is not a file that was kept here"));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(found.len()).unwrap_or_default());
    file.take(RULE_CACHE_FILE_MAX_BYTES).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Under its name it is there whole or not at all: magic, digest of the rest, the rest.
fn write(path: &Path, body: &[u8]) -> io::Result<()> {
    // A PID would not do: in containers that share the folder, others may have the same.
    let mut nonce = [0; 8];
    rand::fill(&mut nonce).map_err(io::Error::other)?;
    let nonce = u64::from_le_bytes(nonce);
    let unfinished = path.with_extension(format!("{nonce:016x}.{UNFINISHED}"));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
    let written = file
        .write_all(MAGIC)
        .and_then(|()| file.write_all(digest(&SHA256, body).as_ref()))
        .and_then(|()| file.write_all(body))
        .and_then(|()| fs::rename(&unfinished, path));
    if written.is_err() {
        // There is nothing else to do about it.
        let _ = fs::remove_file(&unfinished);
    }
    written
}

/// What stands behind the digest, if that is its own.
fn unsealed(file: Vec<u8>) -> Option<Rest> {
    let (expected, body) = file.strip_prefix(MAGIC)?.split_at_checked(DIGEST_BYTES)?;
    let is_whole = digest(&SHA256, body).as_ref() == expected;
    is_whole.then_some(Rest { file, from: MAGIC.len() + DIGEST_BYTES })
}

/// Count of refusals, rule and reason of each, the engine's part.
fn packed(refused: &[Problem], engine: &[u8]) -> Vec<u8> {
    let mut body = Vec::with_capacity(engine.len() + 64);
    push_number(&mut body, refused.len());
    for problem in refused {
        push_text(&mut body, &problem.rule);
        push_text(&mut body, &problem.reason);
    }
    body.extend_from_slice(engine);
    body
}

fn unpacked(body: Rest) -> Option<Kept> {
    let mut rest = &*body;
    let mut refused = Vec::new();
    for _ in 0..take_number(&mut rest)? {
        let (rule, reason) = (take_text(&mut rest)?, take_text(&mut rest)?);
        refused.push(Problem { rule, kind: ProblemKind::Unsupported, reason });
    }
    let from = body.file.len() - rest.len();
    Some(Kept { refused, engine: Rest { from, ..body } })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::scan::rules::{Pack, shipped};
    use std::sync::Arc;

    fn problem() -> Problem {
        Problem { rule: "big".into(), kind: ProblemKind::Unsupported, reason: "too big".into() }
    }

    fn rules(number: usize) -> RuleSet {
        let text = format!("[[rules]]\nid = 'a'\nregex = 'a{number}'\n");
        Pack::parse("tried", &text).unwrap().rules.into_iter().map(Arc::new).collect()
    }

    #[test]
    fn what_is_kept_comes_back_and_a_changed_byte_does_not() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path().join("new/cache")).unwrap();
        let rules = shipped(&["seed"]).unwrap();
        assert_eq!(cache.load(&rules), Ok(None));
        cache.store(&rules, &[problem()], b"the engine's bytes").unwrap();
        let kept = cache.load(&rules).unwrap().unwrap();
        assert_eq!((kept.refused, &kept.engine[..]), (vec![problem()], &b"the engine's bytes"[..]));
        let path = cache.compiled_path(&rules);
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(&cache.folder).unwrap().mode() & 0o777, 0o700);
        let whole = fs::read(&path).unwrap();
        for at in 0..whole.len() {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            assert_eq!(unsealed(bytes), None, "{at}");
            assert_eq!(unsealed(whole[..at].to_vec()), None, "{at}");
        }
        fs::write(&path, b"nonsense").unwrap();
        assert!(cache.load(&rules).unwrap_err().contains("damaged"));
    }

    #[test]
    fn other_rules_are_another_file_and_the_oldest_go() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path().to_owned()).unwrap();
        for number in 0..=RULE_CACHE_FILES_KEPT {
            cache.store(&rules(number), &[], b"x").unwrap();
            let age = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(number as u64);
            File::open(cache.compiled_path(&rules(number))).unwrap().set_modified(age).unwrap();
        }
        cache.prune(COMPILED);
        assert_eq!(cache.load(&rules(0)), Ok(None));
        for number in 1..=RULE_CACHE_FILES_KEPT {
            assert!(cache.load(&rules(number)).unwrap().is_some(), "{number}");
        }
    }

    #[test]
    fn what_another_is_writing_is_left_alone_and_what_a_kill_left_goes() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path().to_owned()).unwrap();
        let path = cache.compiled_path(&rules(1));
        // In a container that shares the folder, it may have this process's number.
        let theirs = path.with_extension(format!("{}.new", std::process::id()));
        let left = path.with_extension("left.new");
        for unfinished in [&theirs, &left] {
            fs::write(unfinished, b"half").unwrap();
        }
        File::open(&left).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
        cache.store(&rules(1), &[], b"x").unwrap();
        assert!(cache.load(&rules(1)).unwrap().is_some());
        assert_eq!(fs::read(&theirs).unwrap(), b"half");
        assert!(!left.exists());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }

    #[test]
    fn a_folder_or_file_that_others_can_write_to_is_not_trusted() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::at(folder.path().to_owned()).unwrap();
        cache.store(&rules(1), &[], b"x").unwrap();
        let path = cache.compiled_path(&rules(1));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o622)).unwrap();
        assert!(cache.load(&rules(1)).is_err());
        fs::remove_file(&path).unwrap();
        std::os::unix::fs::symlink("/etc/hostname", &path).unwrap();
        assert!(cache.load(&rules(1)).is_err());
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
        assert!(Cache::at(folder.path().to_owned()).unwrap_err().contains("0700"));
        assert!(Cache::at(path).is_err());
    }

    #[test]
    fn the_users_folder_is_where_caches_are() {
        let with = |pairs: &'static [(&str, &str)]| {
            user_folder(move |key| {
                pairs.iter().find(|(name, _)| *name == key).map(|(_, value)| OsString::from(value))
            })
        };
        let path = |text: &str| Some(PathBuf::from(text));
        assert_eq!(with(&[("XDG_CACHE_HOME", "/c"), ("HOME", "/h")]), path("/c/clawsec"));
        assert_eq!(with(&[("XDG_CACHE_HOME", "c"), ("HOME", "/h")]), path("/h/.cache/clawsec"));
        assert_eq!(with(&[]), None);
    }
}
