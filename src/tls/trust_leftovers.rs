//! Bundles of other environments than the present one. Each environment's is called after what it trusts, so that one
//! whose roots change leaves a file behind; and after a change of the CA they all are to trust the new one.

use std::cmp::Reverse;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::authority_error::AuthorityError;
use super::authority_files::AuthorityFiles;
use super::trust_bundle::{self, BUNDLE_FILE};
use crate::limits::{TRUST_BUNDLE_KEEP_DAYS, TRUST_BUNDLES_KEPT, TRUST_BUNDLES_LOOKED_AT};

/// Removes this user's that were neither written nor read for long, but for the last used.
pub fn remove_leftovers(directory: &Path, now: SystemTime) -> Result<(), AuthorityError> {
    let files = AuthorityFiles::open(directory)?;
    for (used, name) in bundles(&files)?.iter().skip(TRUST_BUNDLES_KEPT) {
        let age = now.duration_since(*used).unwrap_or_default();
        let is_old = age > Duration::from_secs(TRUST_BUNDLE_KEEP_DAYS * 86_400);
        // Once more: another command may just have written it anew.
        if is_old && files.last_used(name) == Some(*used) {
            // One that cannot be removed does not keep the others.
            let _ = files.remove(name);
        }
    }
    Ok(())
}

/// After a change of the CA: has this user's trust the new one. Programs that were told of them may be running, and others
/// be started with the same settings.
pub fn renew_others(
    directory: &Path,
    now: SystemTime,
    upstream: Option<&Path>,
) -> Result<(), AuthorityError> {
    remove_leftovers(directory, now)?;
    let files = AuthorityFiles::open(directory)?;
    let bundles = bundles(&files)?;
    trust_bundle::renew(&files, bundles.iter().map(|(_, name)| &**name), now, upstream)
}

/// This user's, with when they were used, the last used first.
fn bundles(files: &AuthorityFiles) -> Result<Vec<(SystemTime, String)>, AuthorityError> {
    let names = files.names()?.filter(|name| is_of_an_environment(name));
    let bundle = |name: String| Some((files.last_used(&name)?, name));
    let mut bundles: Vec<_> = names.take(TRUST_BUNDLES_LOOKED_AT).filter_map(bundle).collect();
    bundles.sort_unstable_by_key(|(used, _)| Reverse(*used));
    Ok(bundles)
}

/// Whether a file is called as such a bundle is.
fn is_of_an_environment(name: &str) -> bool {
    let Some((before, after)) = BUNDLE_FILE.split_once('.') else { return false };
    let rest = name.strip_prefix(before).and_then(|rest| rest.strip_prefix('-'));
    let hash = rest.and_then(|rest| rest.strip_suffix(after)).and_then(|it| it.strip_suffix('.'));
    hash.is_some_and(|hash| hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{File, FileTimes};

    fn aged(directory: &Path, name: &str, written_days: u64, read_days: u64) {
        let ago = |days: u64| SystemTime::now() - Duration::from_secs(days * 86_400);
        let file = File::create(directory.join(name)).unwrap();
        let times = FileTimes::new().set_modified(ago(written_days)).set_accessed(ago(read_days));
        file.set_times(times).unwrap();
    }

    fn named(number: usize) -> String {
        format!("ca-bundle-{number:016x}.pem")
    }

    /// A shell that was told of one by `eval`, with a file system that notes no reads, lost its roots within 30 days.
    #[test]
    fn only_bundles_that_were_not_used_for_a_year_and_are_not_among_the_last_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let (path, old) = (folder.path(), TRUST_BUNDLE_KEEP_DAYS + 1);
        let there = |numbers: std::ops::Range<usize>| {
            numbers.filter(|number| path.join(named(*number)).exists()).count()
        };
        // However old, as long as they are few.
        (0..TRUST_BUNDLES_KEPT).for_each(|number| aged(path, &named(number), old, old));
        remove_leftovers(path, SystemTime::now()).unwrap();
        assert_eq!(there(0..TRUST_BUNDLES_KEPT), TRUST_BUNDLES_KEPT);
        // Not a year old: the last 64, one that was read, and one that was written.
        let new = TRUST_BUNDLES_KEPT..2 * TRUST_BUNDLES_KEPT;
        new.clone().for_each(|number| aged(path, &named(number), 30, 30));
        let (read, written) = (named(1000), named(1001));
        aged(path, &read, old, old - 2);
        aged(path, &written, old - 2, old);
        let others =
            ["ca-bundle.pem", "ca-bundle-mine.pem", "ca.crt", "ca-bundle-0000000000000000.pem.bak"];
        others.iter().for_each(|name| aged(path, name, old, old));
        remove_leftovers(path, SystemTime::now()).unwrap();
        assert_eq!(there(0..TRUST_BUNDLES_KEPT), 0);
        assert_eq!(there(new), TRUST_BUNDLES_KEPT);
        let kept = [&*read, &*written].into_iter().chain(others);
        kept.for_each(|name| assert!(path.join(name).exists(), "{name}"));
    }
}
