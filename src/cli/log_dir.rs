//! The folder of logs, keys and the PID file: made, or refused when others could have put something into it. Touches the
//! folder only, none of the files in it.

use std::fmt;
use std::fs::DirBuilder;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, Mode, OFlags};
use rustix::io::Errno;

/// Of a mode, what group and others may do.
const OTHERS_ACCESS: u32 = 0o077;
/// Of a mode, what lets group and others put files in.
const OTHERS_WRITE: u32 = 0o022;
/// Of a mode, what keeps others' files from being removed in a shared folder.
const STICKY: u32 = 0o1000;
/// Of a mode, the permissions.
const PERMISSIONS: u32 = 0o7777;
const PRIVATE: u32 = 0o700;

/// Why a folder is not used.
#[derive(Debug)]
pub enum LogDirError {
    Symlink { path: PathBuf },
    NotADirectory { path: PathBuf },
    NotOurs { path: PathBuf, owner: u32, user: u32 },
    WritableByOthers { path: PathBuf, mode: u32 },
    Io { path: PathBuf, action: &'static str, cause: io::Error },
}

impl fmt::Display for LogDirError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        const WHY: &str =
            "whoever can write there could read or replace the CA key and the findings";
        match self {
            LogDirError::Symlink { path } => write!(
                formatter,
                "log_dir {0} is a symbolic link, and {WHY} (folders such as /tmp are shared). \
                 Remove the link, or set log_dir to the folder it should name",
                path.display()
            ),
            LogDirError::NotADirectory { path } => {
                write!(formatter, "log_dir {} is not a folder", path.display())
            }
            LogDirError::NotOurs { path, owner, user } => write!(
                formatter,
                "log_dir {} belongs to user {owner}, this process runs as user {user}, and {WHY} \
                 (folders such as /tmp are shared). Run as that user{}, or set log_dir (--log-dir, \
                 CLAWSEC_LOG_DIR) to a folder of your own",
                path.display(),
                if *user == 0 { format!(" (sudo -u '#{owner}')") } else { String::new() }
            ),
            LogDirError::WritableByOthers { path, mode } => write!(
                formatter,
                "log_dir {0} is writable by other users (mode {mode:04o}), and {WHY}. {1}",
                path.display(),
                match mode & STICKY {
                    0 => format!("Look at what is in it, then: chmod 700 {}", path.display()),
                    // Of the whole system, as /tmp is: others need it as it is.
                    _ => format!(
                        "Set log_dir (--log-dir, CLAWSEC_LOG_DIR) to a folder of your own, such as {}",
                        path.join("clawsec").display()
                    ),
                }
            ),
            LogDirError::Io { path, action, cause } => {
                write!(formatter, "cannot {action} log_dir {}: {cause}", path.display())
            }
        }
    }
}

impl std::error::Error for LogDirError {}

impl LogDirError {
    /// Whether the folder may well be another user's to use, who is not looking now.
    pub fn may_be_anothers(&self) -> bool {
        match self {
            LogDirError::NotOurs { .. } => true,
            LogDirError::Io { cause, .. } => cause.kind() == io::ErrorKind::PermissionDenied,
            _ => false,
        }
    }
}

/// Makes the folder (and its parents) private to this user, or checks the one that is there.
///
/// All checks are of the opened folder, not of its name, so nothing can be swapped between check and use. One that only
/// others' reading makes unsafe is closed to them, as the original did.
pub fn prepare(path: &Path) -> Result<(), LogDirError> {
    let path: PathBuf = path.components().collect();
    let made = DirBuilder::new().recursive(true).mode(PRIVATE).create(&path);
    let folder = match open(&path) {
        Ok(folder) => folder,
        // Opening tells more than making does, unless there is nothing to open.
        Err(error) => match made {
            Err(cause) if is_not_found(&error) => {
                return Err(LogDirError::Io { path, action: "create", cause });
            }
            _ => return Err(error),
        },
    };
    let io = |action| {
        let path = path.clone();
        move |errno: Errno| LogDirError::Io { path, action, cause: errno.into() }
    };
    let stat = rustix::fs::fstat(&folder).map_err(io("examine"))?;
    let user = rustix::process::geteuid().as_raw();
    let mode = check(&path, stat.st_uid, user, stat.st_mode & PERMISSIONS)?;
    if mode & OTHERS_ACCESS != 0 || mode & PRIVATE != PRIVATE {
        rustix::fs::fchmod(&folder, Mode::from_raw_mode(PRIVATE)).map_err(io("chmod 700"))?;
    }
    Ok(())
}

/// Whether what the folder holds may be believed: nobody puts files there but this user, or who called sudo.
/// Changes nothing. A folder that is not there holds nothing.
pub fn check_trusted(path: &Path) -> Result<(), LogDirError> {
    let path: PathBuf = path.components().collect();
    let stat = match rustix::fs::lstat(&path) {
        Ok(stat) => stat,
        Err(Errno::NOENT) => return Ok(()),
        Err(errno) => {
            return Err(LogDirError::Io { path, action: "examine", cause: errno.into() });
        }
    };
    match rustix::fs::FileType::from_raw_mode(stat.st_mode) {
        rustix::fs::FileType::Symlink => return Err(LogDirError::Symlink { path }),
        rustix::fs::FileType::Directory => {}
        _ => return Err(LogDirError::NotADirectory { path }),
    }
    let user = rustix::process::geteuid().as_raw();
    let owner = if user == 0 && Some(stat.st_uid) == behind_sudo() { user } else { stat.st_uid };
    check(&path, owner, user, stat.st_mode & PERMISSIONS).map(drop)
}

/// As [`check_trusted`], for commands that only read the CA: root also believes a service's user in the folder that
/// root gave it, such as `/var/lib/clawsec`. Changes nothing.
pub fn check_readable(path: &Path) -> Result<(), LogDirError> {
    match check_trusted(path) {
        Err(LogDirError::NotOurs { path, owner, user }) => {
            let is_given = user == 0 && is_service(owner) && is_closed_to_others(&path);
            if is_given && only_root_puts_folders_at(&path) {
                return Ok(());
            }
            Err(LogDirError::NotOurs { path, owner, user })
        }
        other => other,
    }
}

/// Whether the number is one that services run under: those of the system, or of `DynamicUser=` (systemd.exec(5)).
fn is_service(user: u32) -> bool {
    matches!(user, 1..=999 | 61_184..=65_519)
}

fn is_closed_to_others(path: &Path) -> bool {
    rustix::fs::lstat(path).is_ok_and(|stat| stat.st_mode & OTHERS_WRITE == 0)
}

/// Whether nobody but root can have put a folder there, and no link is on the way to it: in `/tmp` anybody could.
fn only_root_puts_folders_at(path: &Path) -> bool {
    let Ok(whole) = std::path::absolute(path) else { return false };
    if !whole.canonicalize().is_ok_and(|real| real == whole) {
        return false;
    }
    whole.ancestors().skip(1).all(|parent| {
        rustix::fs::lstat(parent).is_ok_and(|stat| stat.st_uid == 0) && is_closed_to_others(parent)
    })
}

/// Whether [`prepare`] would take the folder or could make it, as far as looking tells. Changes nothing.
pub fn look(path: &Path) -> Result<(), LogDirError> {
    let path: PathBuf = path.components().collect();
    check_trusted(&path)?;
    if std::fs::symlink_metadata(&path).is_ok() {
        return Ok(());
    }
    for parent in path.ancestors().skip(1) {
        let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
        match rustix::fs::access(parent, Access::WRITE_OK | Access::EXEC_OK) {
            Ok(()) => return Ok(()),
            Err(Errno::NOENT) => {}
            Err(errno) => {
                return Err(LogDirError::Io { path, action: "create", cause: errno.into() });
            }
        }
    }
    Ok(())
}

/// Whether whoever runs it, no monitor could use the folder: then the configuration is wrong.
pub fn is_wrong(path: &Path) -> bool {
    look(path).is_err_and(|error| !error.may_be_anothers())
}

/// The user that root works for, by sudo's word.
fn behind_sudo() -> Option<u32> {
    std::env::var("SUDO_UID").ok()?.parse().ok()
}

/// Why a command that only looks cannot look, with what to do about it.
pub fn unreadable(path: &Path, cause: &io::Error) -> String {
    let hint = match cause.kind() {
        io::ErrorKind::PermissionDenied => {
            "; the monitor's files belong to the user that runs it: use that user, or sudo"
        }
        _ => "",
    };
    format!("cannot look into {}: {cause}{hint}", path.display())
}

/// Says that there is no such folder, which a command that only looks takes for an empty one.
pub fn warn_if_missing(path: &Path) {
    let looked = std::fs::metadata(path);
    if looked.is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
        super::output::warning(format!("there is no folder {}", path.display()));
    }
}

/// Whether a folder of this owner and mode may be used by this user; the mode, if so.
fn check(path: &Path, owner: u32, user: u32, mode: u32) -> Result<u32, LogDirError> {
    if owner != user {
        return Err(LogDirError::NotOurs { path: path.to_path_buf(), owner, user });
    }
    if mode & OTHERS_WRITE != 0 {
        return Err(LogDirError::WritableByOthers { path: path.to_path_buf(), mode });
    }
    Ok(mode)
}

/// Opens the folder itself, never what a link in its place points to.
fn open(path: &Path) -> Result<OwnedFd, LogDirError> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::open(path, flags, Mode::empty()).map_err(|errno| {
        let path = path.to_path_buf();
        let is_link = std::fs::symlink_metadata(&path).is_ok_and(|found| found.is_symlink());
        match errno {
            // With O_DIRECTORY and O_NOFOLLOW a link is ENOTDIR on Linux; the look is for the words
            // only.
            Errno::NOTDIR | Errno::LOOP if is_link => LogDirError::Symlink { path },
            Errno::NOTDIR => LogDirError::NotADirectory { path },
            _ => LogDirError::Io { path, action: "open", cause: errno.into() },
        }
    })
}

fn is_not_found(error: &LogDirError) -> bool {
    matches!(error, LogDirError::Io { cause, .. } if cause.kind() == io::ErrorKind::NotFound)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & PERMISSIONS
    }

    fn folder_of_mode(parent: &Path, mode: u32) -> PathBuf {
        let path = parent.join(format!("{mode:o}"));
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        path
    }

    #[test]
    fn a_missing_folder_is_made_private_with_its_parents() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("a/b");
        prepare(&path).unwrap();
        assert_eq!(mode(&path), 0o700);
        assert_eq!(mode(&parent.path().join("a")), 0o700);
        prepare(&path).unwrap();
    }

    #[test]
    fn a_folder_that_others_can_only_read_is_closed_to_them() {
        let parent = tempfile::tempdir().unwrap();
        for readable in [0o755, 0o750, 0o711, 0o500] {
            let path = folder_of_mode(parent.path(), readable);
            prepare(&path).unwrap();
            assert_eq!(mode(&path), 0o700, "{readable:o}");
        }
    }

    #[test]
    fn a_folder_that_others_can_write_is_refused_and_left_as_it_is() {
        let parent = tempfile::tempdir().unwrap();
        for writable in [0o720, 0o702, 0o777, 0o1777] {
            let path = folder_of_mode(parent.path(), writable);
            let message = prepare(&path).unwrap_err().to_string();
            assert!(message.contains("writable by other users"), "{message}");
            let advice = match writable {
                0o1777 => format!("a folder of your own, such as {}/clawsec", path.display()),
                _ => format!("chmod 700 {}", path.display()),
            };
            assert!(message.ends_with(&advice), "{message}");
            assert_eq!(mode(&path), writable);
        }
    }

    #[test]
    fn a_link_is_refused_even_to_a_good_folder_and_with_a_slash_behind() {
        let parent = tempfile::tempdir().unwrap();
        let target = parent.path().join("target");
        prepare(&target).unwrap();
        let link = parent.path().join("link");
        symlink(&target, &link).unwrap();
        for path in [link.clone(), PathBuf::from(format!("{}/", link.display()))] {
            let error = prepare(&path).unwrap_err();
            assert!(matches!(error, LogDirError::Symlink { .. }), "{error}");
        }
        let dangling = parent.path().join("dangling");
        symlink(parent.path().join("nowhere"), &dangling).unwrap();
        assert!(matches!(prepare(&dangling), Err(LogDirError::Symlink { .. })));
        assert!(!parent.path().join("nowhere").exists());
    }

    #[test]
    fn a_file_in_the_place_is_refused() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("file");
        fs::write(&path, "").unwrap();
        assert!(matches!(prepare(&path), Err(LogDirError::NotADirectory { .. })));
        let below = prepare(&path.join("below")).unwrap_err().to_string();
        assert!(below.contains("Not a directory") || below.contains("not a folder"), "{below}");
    }

    #[test]
    fn only_a_folder_that_nobody_else_writes_to_is_believed() {
        let parent = tempfile::tempdir().unwrap();
        for (mode, is_trusted) in [(0o700, true), (0o755, true), (0o770, false), (0o1777, false)] {
            let path = folder_of_mode(parent.path(), mode);
            assert_eq!(check_trusted(&path).is_ok(), is_trusted, "{mode:o}");
            assert_eq!(super::tests::mode(&path), mode, "nothing is changed");
        }
        let link = parent.path().join("link");
        symlink(parent.path().join("700"), &link).unwrap();
        for path in [link.clone(), PathBuf::from(format!("{}/", link.display()))] {
            assert!(matches!(check_trusted(&path), Err(LogDirError::Symlink { .. })));
        }
        fs::write(parent.path().join("file"), "").unwrap();
        let file = check_trusted(&parent.path().join("file"));
        assert!(matches!(file, Err(LogDirError::NotADirectory { .. })));
        check_trusted(&parent.path().join("not-there")).unwrap();
    }

    #[test]
    fn root_reads_the_ca_of_a_service_where_only_root_puts_folders_and_nowhere_else() {
        for (user, is_one) in
            [(0, false), (1, true), (999, true), (1000, false), (61_184, true), (65_534, false)]
        {
            assert_eq!(is_service(user), is_one, "{user}");
        }
        // The folders of tests are in one that everybody may write to.
        let planted = tempfile::tempdir().unwrap();
        assert!(!only_root_puts_folders_at(&planted.path().join("log")));
        let missing = Path::new("/proc/none/of/these");
        assert!(!only_root_puts_folders_at(missing), "what is not there");
        if std::os::unix::fs::chown(planted.path(), Some(999), None).is_ok() {
            let refused = check_readable(planted.path());
            assert!(matches!(refused, Err(LogDirError::NotOurs { .. })), "{refused:?}");
        }
        if rustix::fs::lstat("/usr/lib").is_ok_and(|stat| stat.st_uid == 0) {
            assert!(only_root_puts_folders_at(Path::new("/usr/lib")));
            assert!(!only_root_puts_folders_at(Path::new("/usr/../usr/lib")));
        }
    }

    #[test]
    fn a_look_tells_what_a_start_would_refuse_and_makes_nothing() {
        let parent = tempfile::tempdir().unwrap();
        let missing = parent.path().join("a/b");
        look(&missing).unwrap();
        assert!(!parent.path().join("a").exists());
        look(&folder_of_mode(parent.path(), 0o755)).unwrap();
        let file = parent.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(matches!(look(&file), Err(LogDirError::NotADirectory { .. })));
        let below = look(&file.join("a/b")).unwrap_err();
        assert!(
            !below.may_be_anothers() && below.to_string().contains("ot a directory"),
            "{below}"
        );
        // In /proc nobody makes a folder, root included.
        let impossible = look(Path::new("/proc/none/logs")).map_err(|error| error.to_string());
        if rustix::process::geteuid().as_raw() != 0 {
            assert!(impossible.unwrap_err().starts_with("cannot create log_dir"));
        }
    }

    #[test]
    fn anothers_folder_is_refused_with_both_users_named() {
        let message = check(Path::new("/tmp/x"), 1000, 0, 0o700).unwrap_err().to_string();
        assert!(message.contains("user 1000") && message.contains("user 0"), "{message}");
        assert!(message.contains("--log-dir") && message.contains("sudo -u '#1000'"), "{message}");
        assert!(check(Path::new("/tmp/x"), 1000, 1000, 0o700).is_ok());
    }
}
