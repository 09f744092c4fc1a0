//! Bundles of environments that nobody has any more. Each environment's is called after what it trusts, so that one whose
//! roots change leaves a file behind.

use std::path::Path;
use std::time::{Duration, SystemTime};

use super::authority_error::AuthorityError;
use super::authority_files::AuthorityFiles;
use super::trust_bundle::BUNDLE_FILE;
use crate::limits::{TRUST_BUNDLE_KEEP_DAYS, TRUST_BUNDLES_LOOKED_AT};

/// Removes those that were neither written nor read for long, unless somebody still names them: `named` are those of
/// some files that somebody does. Asks only if there are any.
pub fn remove_leftovers(
    directory: &Path,
    now: SystemTime,
    named: &dyn Fn(&[String]) -> Vec<String>,
) -> Result<(), AuthorityError> {
    let files = AuthorityFiles::open(directory)?;
    let is_old = |name: &String| {
        let age = files.last_used(name).and_then(|used| now.duration_since(used).ok());
        age.is_some_and(|age| age > Duration::from_secs(TRUST_BUNDLE_KEEP_DAYS * 86_400))
    };
    let names = files.names()?.filter(|name| is_of_an_environment(name));
    let old: Vec<String> = names.take(TRUST_BUNDLES_LOOKED_AT).filter(is_old).collect();
    if old.is_empty() {
        return Ok(());
    }
    let kept = named(&old);
    // Once more: asking takes a while, in which another command may have written one anew.
    let unused = old.iter().filter(|name| !kept.contains(name) && is_old(name));
    unused.into_iter().try_for_each(|name| files.remove(name))
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

    /// They stayed for ever.
    #[test]
    fn bundles_that_nobody_may_still_use_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let (path, old) = (folder.path(), TRUST_BUNDLE_KEEP_DAYS + 1);
        let [gone, named, read, written] = ['0', '1', '2', '3']
            .map(|digit| format!("ca-bundle-{}.pem", [digit; 16].iter().collect::<String>()));
        aged(path, &gone, old, old);
        aged(path, &named, old, old);
        aged(path, &read, old, 1);
        aged(path, &written, 1, old);
        let others =
            ["ca-bundle.pem", "ca-bundle-mine.pem", "ca.crt", "ca-bundle-0000000000000000.pem.bak"];
        others.iter().for_each(|name| aged(path, name, old, old));
        let asked = std::cell::RefCell::new(Vec::new());
        let by_a_program = |names: &[String]| {
            asked.borrow_mut().extend_from_slice(names);
            vec![named.clone()]
        };
        remove_leftovers(path, SystemTime::now(), &by_a_program).unwrap();
        asked.borrow_mut().sort();
        assert_eq!(*asked.borrow(), [gone.clone(), named.clone()]);
        assert!(!path.join(&gone).exists());
        let kept = [&*named, &*read, &*written].into_iter().chain(others);
        kept.for_each(|name| assert!(path.join(name).exists(), "{name}"));
        let nobody_asks = |_: &[String]| panic!("there are none");
        std::fs::remove_file(path.join(&named)).unwrap();
        remove_leftovers(path, SystemTime::now(), &nobody_asks).unwrap();
    }
}
