//! Files that appear under their name whole, and never over one that is there: written under another name, which then
//! becomes theirs.

use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use rustix::fs::{AtFlags, RenameFlags};
use rustix::io::Errno;

/// Gives what is at `from` the name `to`. `false` where that is taken: both stay as they are then.
pub fn rename_if_absent(directory: impl AsFd, from: &Path, to: &Path) -> io::Result<bool> {
    let folder = directory.as_fd();
    match rustix::fs::renameat_with(folder, from, folder, to, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(true),
        Err(Errno::EXIST) => Ok(false),
        // Some file systems (NFS, older FUSE) cannot rename without replacing; a link cannot
        // replace.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => link_if_absent(folder, from, to),
        Err(errno) => Err(errno.into()),
    }
}

fn link_if_absent(folder: impl AsFd, from: &Path, to: &Path) -> io::Result<bool> {
    let folder = folder.as_fd();
    match rustix::fs::linkat(folder, from, folder, to, AtFlags::empty()) {
        Ok(()) => {
            rustix::fs::unlinkat(folder, from, AtFlags::empty())?;
            Ok(true)
        }
        Err(Errno::EXIST) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::BorrowedFd;

    use rustix::fs::CWD;

    use super::*;

    /// The file system of the tests can do both, others one of them.
    #[test]
    fn neither_way_replaces_what_is_there_or_leaves_the_other_name() {
        type Way = fn(BorrowedFd<'static>, &Path, &Path) -> io::Result<bool>;
        let ways: [Way; 2] = [rename_if_absent, link_if_absent];
        for by in ways {
            let folder = tempfile::tempdir().unwrap();
            let [one, two, name] = ["one", "two", "name"].map(|name| folder.path().join(name));
            std::fs::write(&one, b"first").unwrap();
            std::fs::write(&two, b"second").unwrap();
            assert!(by(CWD, &one, &name).unwrap());
            assert!(!by(CWD, &two, &name).unwrap());
            assert_eq!(std::fs::read(&name).unwrap(), b"first");
            assert!(!one.exists() && two.exists());
        }
    }
}
