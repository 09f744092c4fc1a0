//! `fingerprint.key` in `log_dir`: made on the first start, whole or not at all, and never made anew over one that
//! is there.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use aws_lc_rs::rand;
use rustix::fs::{CWD, FileType, Mode, OFlags};
use rustix::io::Errno;
use zeroize::Zeroizing;

use crate::limits::FINGERPRINT_KEY_BYTES;
use crate::policy::FingerprintKey;
use crate::whole_file::rename_if_absent;

/// The file's name.
pub const FINGERPRINT_KEY_FILE_NAME: &str = "fingerprint.key";

const PRIVATE: Mode = Mode::RUSR.union(Mode::WUSR);

/// Why there is no key.
#[derive(Debug)]
pub enum KeyError {
    Io {
        path: PathBuf,
        cause: io::Error,
    },
    NotARegularFile {
        path: PathBuf,
    },
    /// Another length than ours.
    Foreign {
        path: PathBuf,
    },
    NoRandomness,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyError::Io { path, cause } => write!(f, "{}: {cause}", path.display()),
            KeyError::NotARegularFile { path } => {
                write!(f, "{} is no regular file: move it away", path.display())
            }
            KeyError::Foreign { path } => write!(
                f,
                "{} does not hold {FINGERPRINT_KEY_BYTES} bytes: restore it, or remove it for a new one \
                 (the fingerprints of findings will be others then)",
                path.display()
            ),
            KeyError::NoRandomness => f.write_str("the system gives no random bytes"),
        }
    }
}

impl std::error::Error for KeyError {}

/// The key of a folder, which must exist and be ours alone.
pub fn load_or_create(log_dir: &Path) -> Result<FingerprintKey, KeyError> {
    let path = log_dir.join(FINGERPRINT_KEY_FILE_NAME);
    let bytes = match read(&path)? {
        Some(bytes) => bytes,
        None => {
            create(&path)?;
            // Another process may have been faster: what is there counts.
            read(&path)?.ok_or_else(|| io_error(&path, Errno::NOENT))?
        }
    };
    Ok(FingerprintKey::new(&bytes))
}

/// The key of a folder, if it has one. Makes none.
pub fn load(log_dir: &Path) -> Result<Option<FingerprintKey>, KeyError> {
    let bytes = read(&log_dir.join(FINGERPRINT_KEY_FILE_NAME))?;
    Ok(bytes.map(|bytes| FingerprintKey::new(&bytes)))
}

type KeyBytes = Zeroizing<[u8; FINGERPRINT_KEY_BYTES]>;

fn read(path: &Path) -> Result<Option<KeyBytes>, KeyError> {
    // NONBLOCK: opening a pipe that somebody put here must not hang.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let descriptor = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(descriptor) => descriptor,
        Err(Errno::NOENT) => return Ok(None),
        Err(Errno::LOOP) => return Err(KeyError::NotARegularFile { path: path.to_owned() }),
        Err(errno) => return Err(io_error(path, errno)),
    };
    let stat = rustix::fs::fstat(&descriptor).map_err(|errno| io_error(path, errno))?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(KeyError::NotARegularFile { path: path.to_owned() });
    }
    if usize::try_from(stat.st_size) != Ok(FINGERPRINT_KEY_BYTES) {
        return Err(KeyError::Foreign { path: path.to_owned() });
    }
    if stat.st_mode & 0o077 != 0 {
        rustix::fs::fchmod(&descriptor, PRIVATE).map_err(|errno| io_error(path, errno))?;
    }
    let mut bytes = KeyBytes::default();
    let mut file = File::from(descriptor);
    file.read_exact(&mut *bytes).map_err(|cause| KeyError::Io { path: path.to_owned(), cause })?;
    Ok(Some(bytes))
}

/// Writes the whole file under another name and gives it its own, unless that is taken by now.
fn create(path: &Path) -> Result<(), KeyError> {
    let mut bytes = KeyBytes::default();
    rand::fill(&mut *bytes).map_err(|_| KeyError::NoRandomness)?;
    let mut name = [0; 8];
    rand::fill(&mut name).map_err(|_| KeyError::NoRandomness)?;
    let nonce = u64::from_le_bytes(name);
    let temporary = path.with_file_name(format!(".{FINGERPRINT_KEY_FILE_NAME}.{nonce:016x}.tmp"));
    let named = write(&temporary, &bytes).and_then(|()| rename_if_absent(CWD, &temporary, path));
    if !matches!(named, Ok(true)) {
        // What could not be written may not be there.
        let _ = rustix::fs::unlink(&temporary);
    }
    named.map(drop).map_err(|cause| KeyError::Io { path: path.to_owned(), cause })
}

fn write(path: &Path, bytes: &KeyBytes) -> io::Result<()> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut file = File::from(rustix::fs::open(path, flags, PRIVATE)?);
    rustix::fs::fchmod(&file, PRIVATE)?;
    file.write_all(&**bytes)?;
    file.sync_all()
}

fn io_error(path: &Path, errno: Errno) -> KeyError {
    KeyError::Io { path: path.to_owned(), cause: errno.into() }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn told(folder: &Path) -> String {
        load_or_create(folder).unwrap().of(b"EXAMPLE").to_string()
    }

    #[test]
    fn it_is_made_once_private_and_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let first = told(folder.path());
        assert_eq!(told(folder.path()), first);
        let path = folder.path().join(FINGERPRINT_KEY_FILE_NAME);
        let stat = std::fs::metadata(&path).unwrap();
        assert_eq!((stat.len(), stat.permissions().mode() & 0o777), (32, 0o600));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left over");
        assert_ne!(told(tempfile::tempdir().unwrap().path()), first, "another installation");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(told(folder.path()), first);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn many_at_once_get_the_same_key() {
        let folder = tempfile::tempdir().unwrap();
        let told: Vec<String> = std::thread::scope(|scope| {
            let started: Vec<_> = (0..8).map(|_| scope.spawn(|| told(folder.path()))).collect();
            started.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(told.iter().all(|one| one == &told[0]), "{told:?}");
    }

    #[test]
    fn what_is_no_key_is_left_alone_and_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FINGERPRINT_KEY_FILE_NAME);
        for len in [0, FINGERPRINT_KEY_BYTES - 1, FINGERPRINT_KEY_BYTES + 1] {
            std::fs::write(&path, vec![b'x'; len]).unwrap();
            let message = load_or_create(folder.path()).unwrap_err().to_string();
            assert!(message.contains("does not hold 32 bytes"), "{message}");
            assert_eq!(std::fs::read(&path).unwrap().len(), len);
        }
        std::fs::remove_file(&path).unwrap();
        symlink(folder.path().join("elsewhere"), &path).unwrap();
        assert!(matches!(load_or_create(folder.path()), Err(KeyError::NotARegularFile { .. })));
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        assert!(load_or_create(folder.path()).is_err());
        assert!(load_or_create(&folder.path().join("none")).is_err());
    }
}
