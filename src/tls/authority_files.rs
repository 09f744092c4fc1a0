//! `ca.crt` and `ca.key` on disk. Links are never followed, sizes are bounded, and a file appears
//! under its name whole or not at all, and never over one that is there. Knows no certificates.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{AtFlags, Dir, FileType, FlockOperation, Mode, OFlags, RawMode};
use rustix::io::Errno;

use super::authority_error::AuthorityError;
use super::authority_pair::CERTIFICATE_FILE;
use crate::limits::CA_FILE_MAX_BYTES;
use crate::whole_file::rename_if_absent;

/// Locked by who changes the CA.
const LOCK_FILE: &str = "ca.lock";

/// The CA's directory, held open: what is read and written is in this one, whatever its path means
/// later.
pub(super) struct AuthorityFiles {
    directory: OwnedFd,
    path: PathBuf,
}

/// A file as it was found.
pub(super) struct FoundFile {
    pub(super) bytes: Vec<u8>,
    /// Permission bits, `0o600` for instance.
    pub(super) mode: RawMode,
    pub(super) file: File,
}

impl AuthorityFiles {
    /// Opens the directory. Where there is none, no CA was made yet.
    pub(super) fn open(path: &Path) -> Result<Self, AuthorityError> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let directory =
            rustix::fs::open(path, flags, Mode::empty()).map_err(|errno| match errno {
                Errno::NOENT => AuthorityError::Absent { certificate: path.join(CERTIFICATE_FILE) },
                errno => AuthorityError::read(path, errno),
            })?;
        Ok(Self { directory, path: path.to_owned() })
    }

    /// The path of one of its files, for messages.
    pub(super) fn path_of(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// A regular file's contents, or `None` where nothing has this name. A symbolic link, a pipe, a
    /// directory or a file larger than [`CA_FILE_MAX_BYTES`] is an error.
    pub(super) fn read(&self, name: &str) -> Result<Option<FoundFile>, AuthorityError> {
        // NONBLOCK: opening a pipe that somebody put here must not hang.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let path = self.path_of(name);
        let descriptor = match rustix::fs::openat(&self.directory, name, flags, Mode::empty()) {
            Ok(descriptor) => descriptor,
            Err(Errno::NOENT) => return Ok(None),
            Err(Errno::LOOP) => return Err(AuthorityError::NotARegularFile { path }),
            Err(errno) => return Err(AuthorityError::read(&path, errno)),
        };
        let status =
            rustix::fs::fstat(&descriptor).map_err(|errno| AuthorityError::read(&path, errno))?;
        if FileType::from_raw_mode(status.st_mode) != FileType::RegularFile {
            return Err(AuthorityError::NotARegularFile { path });
        }
        let mut file = File::from(descriptor);
        let mut bytes = Vec::new();
        (&mut file)
            .take(CA_FILE_MAX_BYTES + 1)
            .read_to_end(&mut bytes)
            .map_err(|error| AuthorityError::read(&path, error))?;
        if bytes.len() as u64 > CA_FILE_MAX_BYTES {
            return Err(AuthorityError::TooLarge { path });
        }
        Ok(Some(FoundFile { bytes, mode: status.st_mode & 0o7777, file }))
    }

    /// Gives the file its contents and permissions, whole and durable, unless the name is taken:
    /// `false` then, and what is there stays as it is.
    pub(super) fn publish(
        &self,
        name: &str,
        bytes: &[u8],
        mode: RawMode,
        nonce: u64,
    ) -> Result<bool, AuthorityError> {
        let temporary = format!(".{name}.{}.{nonce:016x}.tmp", std::process::id());
        let published = self
            .write_temporary(&temporary, bytes, mode)
            .and_then(|()| rename_if_absent(&self.directory, temporary.as_ref(), name.as_ref()));
        if !matches!(published, Ok(true)) {
            // Best effort: what failed or came second is of no use, and it may be that it never
            // was.
            let _ = rustix::fs::unlinkat(&self.directory, &temporary, AtFlags::empty());
        }
        let published =
            published.map_err(|error| AuthorityError::write(&self.path_of(name), error))?;
        // The name is durable before the next file is published, so that a crash cannot leave the
        // second without the first.
        self.sync().map(|()| published)
    }

    /// Gives the file its contents and permissions, whole and durable, in place of what has the name.
    pub(super) fn replace(
        &self,
        name: &str,
        bytes: &[u8],
        mode: RawMode,
        nonce: u64,
    ) -> Result<(), AuthorityError> {
        let temporary = format!(".{name}.{}.{nonce:016x}.tmp", std::process::id());
        let directory = &self.directory;
        let replaced = self.write_temporary(&temporary, bytes, mode).and_then(|()| {
            rustix::fs::renameat(directory, &temporary, directory, name).map_err(io::Error::from)
        });
        if replaced.is_err() {
            // Best effort: it may be that it never was.
            let _ = rustix::fs::unlinkat(directory, &temporary, AtFlags::empty());
        }
        replaced.map_err(|error| AuthorityError::write(&self.path_of(name), error))?;
        self.sync()
    }

    /// The names in the directory that are text.
    pub(super) fn names(&self) -> Result<impl Iterator<Item = String>, AuthorityError> {
        let failed = |errno| AuthorityError::read(&self.path, errno);
        let entries = Dir::read_from(&self.directory).map_err(failed)?;
        let name = |entry: rustix::fs::DirEntry| entry.file_name().to_str().ok().map(str::to_owned);
        Ok(entries.flatten().filter_map(name))
    }

    /// When a regular file of this user was written or read last, as far as the file system notes it.
    pub(super) fn last_used(&self, name: &str) -> Option<SystemTime> {
        let status = rustix::fs::statat(&self.directory, name, AtFlags::SYMLINK_NOFOLLOW).ok()?;
        let is_own = status.st_uid == rustix::process::geteuid().as_raw();
        if !is_own || FileType::from_raw_mode(status.st_mode) != FileType::RegularFile {
            return None;
        }
        let secs = u64::try_from(status.st_mtime.max(status.st_atime)).ok()?;
        UNIX_EPOCH.checked_add(Duration::from_secs(secs))
    }

    /// Takes the name away, if something has it.
    pub(super) fn remove(&self, name: &str) -> Result<(), AuthorityError> {
        match rustix::fs::unlinkat(&self.directory, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => self.sync(),
            Err(errno) => Err(AuthorityError::write(&self.path_of(name), errno)),
        }
    }

    /// Keeps other changes of the CA away for as long as what is returned lives. The directory itself is locked by a
    /// running monitor.
    pub(super) fn lock(&self) -> Result<OwnedFd, AuthorityError> {
        let path = self.path_of(LOCK_FILE);
        let failed = |errno| AuthorityError::write(&path, errno);
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        let file = rustix::fs::openat(&self.directory, LOCK_FILE, flags, mode).map_err(failed)?;
        match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(file),
            Err(Errno::WOULDBLOCK) => Err(AuthorityError::Busy { path: self.path.clone() }),
            Err(errno) => Err(failed(errno)),
        }
    }

    /// Makes the names durable.
    fn sync(&self) -> Result<(), AuthorityError> {
        match rustix::fs::fsync(&self.directory) {
            // A file system that cannot sync directories says so with EINVAL.
            Ok(()) | Err(Errno::INVAL) => Ok(()),
            Err(errno) => Err(AuthorityError::write(&self.path, errno)),
        }
    }

    fn write_temporary(&self, name: &str, bytes: &[u8], mode: RawMode) -> io::Result<()> {
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let descriptor = rustix::fs::openat(&self.directory, name, flags, Mode::RUSR | Mode::WUSR)?;
        let mut file = File::from(descriptor);
        file.write_all(bytes)?;
        // After the creation, because the process's umask cuts what is asked for there.
        rustix::fs::fchmod(&file, Mode::from_raw_mode(mode))?;
        file.sync_all()
    }
}

impl FoundFile {
    /// Takes away what group and others may do. `false` where that is not ours to do (another
    /// owner, a read-only file system).
    pub(super) fn make_private(&self) -> bool {
        rustix::fs::fchmod(&self.file, Mode::RUSR | Mode::WUSR).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn entries(directory: &Path) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(directory)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn publishes_whole_with_its_mode_and_leaves_nothing_else() {
        let directory = tempfile::tempdir().unwrap();
        let files = AuthorityFiles::open(directory.path()).unwrap();
        assert!(files.publish("ca.key", b"contents", 0o600, 1).unwrap());
        assert!(files.publish("ca.crt", b"contents", 0o644, 2).unwrap());
        assert_eq!(entries(directory.path()), ["ca.crt", "ca.key"]);
        let found = files.read("ca.key").unwrap().unwrap();
        assert_eq!((found.bytes.as_slice(), found.mode), (&b"contents"[..], 0o600));
        assert_eq!(files.read("ca.crt").unwrap().unwrap().mode, 0o644);
    }

    #[test]
    fn never_replaces_what_is_there() {
        let directory = tempfile::tempdir().unwrap();
        let files = AuthorityFiles::open(directory.path()).unwrap();
        assert!(files.publish("ca.key", b"first", 0o600, 1).unwrap());
        assert!(!files.publish("ca.key", b"second", 0o600, 2).unwrap());
        assert_eq!(files.read("ca.key").unwrap().unwrap().bytes, b"first");
        assert_eq!(entries(directory.path()), ["ca.key"]);
    }

    #[test]
    fn reads_up_to_the_bound_and_not_one_byte_past_it() {
        let directory = tempfile::tempdir().unwrap();
        let files = AuthorityFiles::open(directory.path()).unwrap();
        let bound = usize::try_from(CA_FILE_MAX_BYTES).unwrap();
        std::fs::write(directory.path().join("at"), vec![b'x'; bound]).unwrap();
        std::fs::write(directory.path().join("past"), vec![b'x'; bound + 1]).unwrap();
        assert_eq!(files.read("at").unwrap().unwrap().bytes.len(), bound);
        let error = files.read("past").map(|_| ()).unwrap_err();
        assert!(matches!(error, AuthorityError::TooLarge { .. }), "{error}");
    }

    #[test]
    fn refuses_links_pipes_and_directories_without_hanging() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        std::fs::write(path.join("target"), b"x").unwrap();
        symlink(path.join("target"), path.join("link")).unwrap();
        std::fs::create_dir(path.join("folder")).unwrap();
        let pipe = path.join("pipe");
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)
            .unwrap();
        let files = AuthorityFiles::open(path).unwrap();
        for name in ["link", "folder", "pipe"] {
            let error = files.read(name).map(|_| ()).unwrap_err();
            assert!(matches!(error, AuthorityError::NotARegularFile { .. }), "{name}: {error}");
            assert!(error.to_string().contains(name), "{error}");
        }
        assert!(files.read("absent").unwrap().is_none());
    }

    #[test]
    fn refuses_a_directory_that_is_a_link_or_missing() {
        let directory = tempfile::tempdir().unwrap();
        let link = directory.path().join("link");
        symlink(directory.path(), &link).unwrap();
        for path in [link, directory.path().join("absent")] {
            let error = AuthorityFiles::open(&path).map(|_| ()).unwrap_err();
            assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
        }
    }

    #[test]
    fn makes_a_readable_file_private() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ca.key");
        std::fs::write(&path, b"x").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let files = AuthorityFiles::open(directory.path()).unwrap();
        assert!(files.read("ca.key").unwrap().unwrap().make_private());
        assert_eq!(files.read("ca.key").unwrap().unwrap().mode, 0o600);
    }
}
