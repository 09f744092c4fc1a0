//! `monitor.pid`: who runs on a log folder. The lock says whether, the content says who.
//!
//! A PID alone proves nothing: after a crash it names no process or, recycled, somebody else's. So the running process
//! holds an exclusive `flock` on the file for its lifetime, and the kernel drops it with the process.
//!
//! The folder is locked too, for cleaners of old files (systemd-tmpfiles, `/tmp` being the default's place) leave
//! alone what is in a locked one.

use std::fmt;
use std::fs::{DirBuilder, File};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FileType, FlockOperation, Mode, OFlags, Stat};
use rustix::io::Errno;

use super::{log_dir, process};
use crate::limits::{PID_FILE_READ_BYTES, PID_LOCK_ATTEMPTS, PID_LOCK_RETRY_MS};
use crate::report::state;

/// The file's name in the log folder.
pub const PID_FILE_NAME: &str = "monitor.pid";

/// The lock of this process; gone, with the file, when it is dropped.
#[derive(Debug)]
pub struct PidFile {
    file: File,
    path: PathBuf,
    /// Shared, so that nobody is kept out but cleaners. None where it cannot be had.
    folder: Option<OwnedFd>,
}

/// What a look after the file found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    AsItWas,
    /// It was gone, and is there again.
    MadeAnew,
    /// The same of its folder, with all that was in it.
    FolderMadeAnew,
}

/// Why the file cannot be had.
#[derive(Debug)]
pub enum AcquireError {
    /// A process holds the lock; no PID if it has not written it yet.
    AlreadyRunning {
        pid: Option<u32>,
    },
    /// The original Python monitor, which takes no lock, runs on this folder.
    OriginalRunning {
        pid: u32,
    },
    Io {
        path: PathBuf,
        cause: io::Error,
    },
}

impl fmt::Display for AcquireError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AcquireError::AlreadyRunning { pid: Some(pid) } => {
                write!(formatter, "already running (PID {pid})")
            }
            AcquireError::AlreadyRunning { pid: None } => {
                write!(formatter, "already running, or just starting")
            }
            AcquireError::OriginalRunning { pid } => write!(
                formatter,
                "the Python clawsec-monitor runs on this log_dir (PID {pid}); end it first: kill {pid}"
            ),
            AcquireError::Io { path, cause } => {
                write!(formatter, "cannot use PID file {}: {cause}", path.display())
            }
        }
    }
}

impl std::error::Error for AcquireError {}

/// What a log folder's PID file says.
#[derive(Debug)]
pub enum Instance {
    /// No file.
    Stopped,
    /// A file without an owner: the process that wrote it is gone, whoever has its PID now.
    Stale,
    /// The lock is held. No PID: not written yet.
    Running { pid: Option<u32>, file: Identity },
    /// No lock, but the PID is that of the original Python monitor.
    Original { pid: u32 },
}

/// Which file it is, whatever its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    pub device: u64,
    pub inode: u64,
}

impl From<&Stat> for Identity {
    fn from(stat: &Stat) -> Identity {
        Identity { device: stat.st_dev, inode: stat.st_ino }
    }
}

impl PidFile {
    /// Takes the lock and writes this process's PID. A stale file is taken over.
    pub fn acquire(log_dir: &Path) -> Result<PidFile, AcquireError> {
        let mut locked = PidFile::lock(log_dir)?;
        locked
            .write_pid()
            .map_err(|cause| AcquireError::Io { path: locked.path.clone(), cause })?;
        locked.folder = lock_folder(log_dir);
        Ok(locked)
    }

    /// Sees to it that the locks are still on what is at the path: a file, or a folder, that was removed meanwhile is
    /// seen by nobody. Takes no other's place, and no folder that others may write to. Makes the folder where it is
    /// gone, and what it stood in is not.
    pub fn keep(&mut self) -> Result<Kept, AcquireError> {
        let path = self.path.clone();
        let failed = |cause| AcquireError::Io { path: path.clone(), cause };
        let log_dir = path.parent().unwrap_or(Path::new("."));
        let is_made = DirBuilder::new().mode(0o700).create(log_dir).is_ok();
        let folder = self.folder.as_ref();
        if !folder.is_some_and(|folder| is_still_at(folder, log_dir).unwrap_or(false)) {
            self.folder = lock_folder(log_dir);
        }
        if is_still_at(&self.file, &path).map_err(failed)? {
            return Ok(Kept::AsItWas);
        }
        log_dir::check_trusted(log_dir).map_err(|error| failed(io::Error::other(error)))?;
        let mut anew = PidFile::acquire(log_dir)?;
        // What is dropped is no longer at the path, so that nothing is removed.
        std::mem::swap(self, &mut anew);
        Ok(if is_made { Kept::FolderMadeAnew } else { Kept::MadeAnew })
    }

    /// Removes a file that nobody holds, and what its monitor wrote of itself; whether there was one.
    pub fn remove_stale(log_dir: &Path) -> Result<bool, AcquireError> {
        match inspect(log_dir) {
            Ok(Instance::Stale) => PidFile::lock(log_dir).map(|_removed_when_dropped| {
                // While the lock is held: a monitor that starts now writes its own after this.
                let _ = state::remove(log_dir);
                true
            }),
            Ok(_) => Ok(false),
            Err(cause) => Err(AcquireError::Io { path: log_dir.join(PID_FILE_NAME), cause }),
        }
    }

    fn lock(log_dir: &Path) -> Result<PidFile, AcquireError> {
        let path = log_dir.join(PID_FILE_NAME);
        let failed = |cause| AcquireError::Io { path: path.clone(), cause };
        let mut holder = None;
        for _ in 0..PID_LOCK_ATTEMPTS {
            let flags = OFlags::RDWR | OFlags::CREATE;
            let file = open(&path, flags).map_err(failed)?;
            match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => {}
                Err(Errno::WOULDBLOCK) => {
                    // It may be only another command's look at the lock, so insist a little.
                    holder = Some(read_pid(&mut File::from(file)));
                    std::thread::sleep(Duration::from_millis(PID_LOCK_RETRY_MS));
                    continue;
                }
                Err(errno) => return Err(failed(errno.into())),
            }
            // The holder before us may have removed the name between our open and our lock.
            if !is_still_at(&file, &path).map_err(failed)? {
                continue;
            }
            let file = File::from(file);
            let mut locked = PidFile { file, path: path.clone(), folder: None };
            if let Some(pid) = read_pid(&mut locked.file).filter(|pid| process::is_original(*pid)) {
                locked.leave();
                return Err(AcquireError::OriginalRunning { pid });
            }
            return Ok(locked);
        }
        match holder {
            Some(pid) => Err(AcquireError::AlreadyRunning { pid }),
            None => Err(failed(io::Error::other("it is replaced again and again"))),
        }
    }

    fn write_pid(&mut self) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.file.write_all(format!("{}\n", std::process::id()).as_bytes())
    }

    /// Gives the lock back without removing the file.
    fn leave(mut self) {
        self.path = PathBuf::new();
    }
}

impl Drop for PidFile {
    /// Removes the name while the lock is still held, and only if it still is this file's.
    fn drop(&mut self) {
        if is_still_at(&self.file, &self.path).unwrap_or(false) {
            // Nobody is left to tell; a file that stays is recognised as stale.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Removes the file where this process ends without dropping its lock: not if it names another, who has taken the
/// folder meanwhile.
pub fn remove_own(log_dir: &Path) {
    let path = log_dir.join(PID_FILE_NAME);
    let Ok(file) = open(&path, OFlags::RDONLY) else { return };
    if read_pid(&mut File::from(file)) == Some(std::process::id()) {
        // Nobody is left to tell, as above.
        let _ = std::fs::remove_file(&path);
    }
}

/// Who runs on this folder, without changing anything.
pub fn inspect(log_dir: &Path) -> io::Result<Instance> {
    let path = log_dir.join(PID_FILE_NAME);
    let file = match open(&path, OFlags::RDONLY) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Instance::Stopped),
        Err(error) => return Err(error),
    };
    let identity = Identity::from(&rustix::fs::fstat(&file)?);
    let lock = rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared);
    let pid = read_pid(&mut File::from(file));
    match lock {
        Err(Errno::WOULDBLOCK) => Ok(Instance::Running { pid, file: identity }),
        Err(errno) => Err(errno.into()),
        Ok(()) => match pid.filter(|pid| process::is_original(*pid)) {
            Some(pid) => Ok(Instance::Original { pid }),
            None => Ok(Instance::Stale),
        },
    }
}

fn lock_folder(log_dir: &Path) -> Option<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let folder = rustix::fs::open(log_dir, flags, Mode::empty()).ok()?;
    rustix::fs::flock(&folder, FlockOperation::NonBlockingLockShared).ok()?;
    Some(folder)
}

/// Opens a regular file, never what a link in its place points to; a pipe does not make it wait.
fn open(path: &Path, flags: OFlags) -> io::Result<OwnedFd> {
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let file = rustix::fs::open(path, flags, Mode::from_raw_mode(0o600))?;
    let stat = rustix::fs::fstat(&file)?;
    if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
        return Err(io::Error::other("it is not a regular file"));
    }
    Ok(file)
}

fn is_still_at(file: &impl std::os::fd::AsFd, path: &Path) -> io::Result<bool> {
    let held = Identity::from(&rustix::fs::fstat(file)?);
    match rustix::fs::lstat(path) {
        Ok(found) => Ok(Identity::from(&found) == held),
        Err(Errno::NOENT) => Ok(false),
        Err(errno) => Err(errno.into()),
    }
}

/// The first line as a PID, if it can be one.
fn read_pid(file: &mut File) -> Option<u32> {
    let mut content = Vec::new();
    file.seek(SeekFrom::Start(0)).ok()?;
    file.take(PID_FILE_READ_BYTES).read_to_end(&mut content).ok()?;
    parse_pid(&content)
}

fn parse_pid(content: &[u8]) -> Option<u32> {
    let line = std::str::from_utf8(content).ok()?.lines().next()?;
    let pid: u32 = line.trim().parse().ok()?;
    (pid > 0 && i32::try_from(pid).is_ok()).then_some(pid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn content(log_dir: &Path) -> String {
        fs::read_to_string(log_dir.join(PID_FILE_NAME)).unwrap()
    }

    fn running_pid(log_dir: &Path) -> Option<u32> {
        match inspect(log_dir).unwrap() {
            Instance::Running { pid, .. } => pid,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_ends_at_once_leaves_its_successors_file() {
        let folder = tempfile::tempdir().unwrap();
        let successor = format!("{}\n", std::process::id() + 1);
        fs::write(folder.path().join(PID_FILE_NAME), &successor).unwrap();
        remove_own(folder.path());
        assert_eq!(content(folder.path()), successor);
        let _held = PidFile::acquire(folder.path()).unwrap();
        remove_own(folder.path());
        assert!(!folder.path().join(PID_FILE_NAME).exists());
    }

    #[test]
    fn the_lock_says_running_and_the_content_who() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(inspect(folder.path()).unwrap(), Instance::Stopped));
        let held = PidFile::acquire(folder.path()).unwrap();
        assert_eq!(content(folder.path()), format!("{}\n", std::process::id()));
        let mode = fs::metadata(folder.path().join(PID_FILE_NAME)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(running_pid(folder.path()), Some(std::process::id()));
        drop(held);
        assert!(matches!(inspect(folder.path()).unwrap(), Instance::Stopped));
        assert!(!folder.path().join(PID_FILE_NAME).exists());
    }

    #[test]
    fn a_second_start_learns_who_runs_and_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let _held = PidFile::acquire(folder.path()).unwrap();
        let error = PidFile::acquire(folder.path()).unwrap_err();
        let expected = format!("already running (PID {})", std::process::id());
        assert!(error.to_string().starts_with(&expected), "{error}");
        assert!(!PidFile::remove_stale(folder.path()).unwrap());
        assert_eq!(running_pid(folder.path()), Some(std::process::id()));
    }

    #[test]
    fn a_stale_file_is_recognised_whatever_pid_it_holds() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(PID_FILE_NAME);
        // Our own PID and PID 1 are alive: recycled, as far as the file knows.
        let own = format!("{}\n", std::process::id());
        for old in [own.as_str(), "1\n", "999999999\n", "0\n", "-1\n", "", "rubbish", "\u{0}\n"] {
            fs::write(&path, old).unwrap();
            assert!(matches!(inspect(folder.path()).unwrap(), Instance::Stale), "{old:?}");
            assert!(PidFile::remove_stale(folder.path()).unwrap(), "{old:?}");
            assert!(!path.exists());
            assert!(!PidFile::remove_stale(folder.path()).unwrap());

            fs::write(&path, old).unwrap();
            let held = PidFile::acquire(folder.path()).unwrap();
            assert_eq!(content(folder.path()), own, "{old:?}");
            drop(held);
        }
    }

    #[test]
    fn a_passing_look_at_the_lock_does_not_stop_a_start() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(PID_FILE_NAME);
        fs::write(&path, "1\n").unwrap();
        let look = File::open(&path).unwrap();
        rustix::fs::flock(&look, FlockOperation::NonBlockingLockShared).unwrap();
        std::thread::scope(|scope| {
            let start = scope.spawn(|| PidFile::acquire(folder.path()));
            std::thread::sleep(Duration::from_millis(PID_LOCK_RETRY_MS));
            drop(look);
            start.join().unwrap().unwrap();
        });
    }

    #[test]
    fn of_many_starts_at_once_one_wins_at_any_time() {
        let folder = tempfile::tempdir().unwrap();
        let holders = std::sync::atomic::AtomicU32::new(0);
        let wins = std::sync::atomic::AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let Ok(_held) = PidFile::acquire(folder.path()) else { continue };
                        let before = holders.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                        assert_eq!(before, 0, "two hold the lock");
                        wins.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                        holders.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                    }
                });
            }
        });
        assert!(wins.into_inner() >= 8);
    }

    #[test]
    fn a_file_removed_or_replaced_while_held_is_not_removed_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(PID_FILE_NAME);
        let first = PidFile::acquire(folder.path()).unwrap();
        fs::remove_file(&path).unwrap();
        let second = PidFile::acquire(folder.path()).unwrap();
        drop(first);
        assert!(path.exists(), "the second's file");
        drop(second);
        assert!(!path.exists());
    }

    #[test]
    fn a_cleaner_of_old_files_finds_the_folder_locked_while_it_is_held() {
        let folder = tempfile::tempdir().unwrap();
        // As systemd-tmpfiles tries it before it removes anything of a folder.
        let cleans = || {
            let opened = File::open(folder.path()).unwrap();
            rustix::fs::flock(&opened, FlockOperation::NonBlockingLockExclusive).is_ok()
        };
        let held = PidFile::acquire(folder.path()).unwrap();
        assert!(!cleans());
        assert_eq!(
            running_pid(folder.path()),
            Some(std::process::id()),
            "looks are not in its way"
        );
        drop(held);
        // What another test starts right now has the lock as well until it runs its own program.
        let is_free = (0..1000).any(|_| {
            let cleans = cleans();
            if !cleans {
                std::thread::sleep(std::time::Duration::from_millis(5));
            }
            cleans
        });
        assert!(is_free);
    }

    #[test]
    fn a_file_that_was_removed_while_held_is_made_again() {
        let folder = tempfile::tempdir().unwrap();
        let log_dir = folder.path().join("logs");
        let make = || {
            fs::create_dir(&log_dir).unwrap();
            fs::set_permissions(&log_dir, fs::Permissions::from_mode(0o700)).unwrap();
        };
        make();
        let mut held = PidFile::acquire(&log_dir).unwrap();
        assert_eq!(held.keep().unwrap(), Kept::AsItWas);
        fs::remove_file(log_dir.join(PID_FILE_NAME)).unwrap();
        assert_eq!(held.keep().unwrap(), Kept::MadeAnew);
        assert_eq!(running_pid(&log_dir), Some(std::process::id()));
        fs::remove_dir_all(&log_dir).unwrap();
        make();
        assert_eq!(held.keep().unwrap(), Kept::MadeAnew);
        fs::remove_dir_all(&log_dir).unwrap();
        assert_eq!(held.keep().unwrap(), Kept::FolderMadeAnew);
        assert_eq!(fs::metadata(&log_dir).unwrap().permissions().mode() & 0o777, 0o700);
        assert_eq!(held.keep().unwrap(), Kept::AsItWas);
        assert_eq!(running_pid(&log_dir), Some(std::process::id()));
        let opened = File::open(&log_dir).unwrap();
        let lock = rustix::fs::flock(&opened, FlockOperation::NonBlockingLockExclusive);
        assert_eq!(lock, Err(Errno::WOULDBLOCK), "the new folder is locked");
        fs::remove_dir_all(folder.path()).unwrap();
        assert!(matches!(held.keep(), Err(AcquireError::Io { .. })), "it stood in what is gone");
        fs::create_dir_all(&log_dir).unwrap();
        held.keep().unwrap();
        drop(held);
        assert!(!log_dir.join(PID_FILE_NAME).exists());
    }

    #[test]
    fn of_another_that_took_a_removed_files_place_nothing_is_taken() {
        let folder = tempfile::tempdir().unwrap();
        let mut first = PidFile::acquire(folder.path()).unwrap();
        fs::remove_file(folder.path().join(PID_FILE_NAME)).unwrap();
        let second = PidFile::acquire(folder.path()).unwrap();
        assert!(matches!(first.keep(), Err(AcquireError::AlreadyRunning { .. })));
        drop(second);
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
        assert!(matches!(first.keep(), Err(AcquireError::Io { .. })), "others may write there");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
        assert_eq!(first.keep().unwrap(), Kept::MadeAnew);
    }

    #[test]
    fn links_pipes_and_folders_in_its_place_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(PID_FILE_NAME);
        let victim = folder.path().join("victim");
        fs::write(&victim, "keep").unwrap();
        symlink(&victim, &path).unwrap();
        assert!(matches!(PidFile::acquire(folder.path()), Err(AcquireError::Io { .. })));
        assert!(inspect(folder.path()).is_err());
        assert_eq!(fs::read_to_string(&victim).unwrap(), "keep");
        fs::remove_file(&path).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, &path, FileType::Fifo, Mode::RWXU, 0).unwrap();
        assert!(matches!(PidFile::acquire(folder.path()), Err(AcquireError::Io { .. })));
        assert!(inspect(folder.path()).is_err());
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(matches!(PidFile::acquire(folder.path()), Err(AcquireError::Io { .. })));
    }

    #[test]
    fn only_a_positive_number_that_fits_is_a_pid() {
        assert_eq!(parse_pid(b"12\n"), Some(12));
        assert_eq!(parse_pid(b"12"), Some(12));
        assert_eq!(parse_pid(b"2147483647\n"), Some(2_147_483_647));
        for wrong in ["", "\n", "0", "-5", "2147483648", "12 13", "0x10", "1e3"] {
            assert_eq!(parse_pid(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
