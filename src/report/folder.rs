//! The log folder, opened anew each time that something in it is: it may have been removed under a running monitor, and
//! in a shared place such as `/tmp` anybody may have made another by its name.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{Mode, OFlags};

/// Of a mode, what lets group and others put files in.
const OTHERS_WRITE: u32 = 0o022;

/// Opens the folder, never what a link in its place points to. One that somebody else put there, or could put files
/// into, is an error. What is opened from it cannot be swapped between this look and that.
pub(super) fn open(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    // Behind a slash at its end a link would be followed.
    let path: std::path::PathBuf = path.components().collect();
    let path = if path.as_os_str().is_empty() { Path::new(".") } else { &path };
    #[cfg(test)]
    if std::fs::read_link(path).is_ok_and(|named| named == Path::new("/dev")) {
        // To tests a full disk is `/dev/full`, behind a link to its folder.
        return Ok(rustix::fs::open("/dev", flags, Mode::empty())?);
    }
    let folder = rustix::fs::open(path, flags, Mode::empty())?;
    let stat = rustix::fs::fstat(&folder)?;
    if stat.st_uid != rustix::process::geteuid().as_raw() || stat.st_mode & OTHERS_WRITE != 0 {
        let problem = format!("{} is a folder that others own or may write to", path.display());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, problem));
    }
    Ok(folder)
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    #[test]
    fn a_folder_of_others_a_link_and_a_file_are_not_opened() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        std::fs::create_dir(&path).unwrap();
        assert!(open(&path).is_ok());
        let link = dir.path().join("link");
        symlink(&path, &link).unwrap();
        assert!(open(&link).is_err());
        assert!(open(&link.join("")).is_err(), "with a slash behind it");
        for (mode, is_opened) in [(0o755, true), (0o770, false), (0o702, false)] {
            std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            assert_eq!(open(&path).is_ok(), is_opened, "{mode:o}");
        }
        std::fs::write(dir.path().join("file"), b"").unwrap();
        assert!(open(&dir.path().join("file")).is_err());
    }

    /// Only root can make a folder another's.
    #[test]
    fn a_folder_that_another_user_made_is_not_opened() {
        let dir = tempfile::tempdir().unwrap();
        if std::os::unix::fs::chown(dir.path(), Some(12_345), None).is_ok() {
            let error = open(dir.path()).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        }
    }
}
