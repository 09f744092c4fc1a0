//! A file that only grows: opened without following links, written in whole lines, recognised when
//! somebody moves it away. Moves bytes; knows neither findings nor log records.

use std::fs::{File, Metadata};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileExt, FileTypeExt, MetadataExt};
use std::path::Path;

use memchr::memrchr;
use rustix::fs::{Mode, OFlags};

use super::folder;

/// An open file and which one it is.
#[derive(Debug)]
pub(super) struct AppendFile {
    file: File,
    identity: (u64, u64),
}

/// What a path names, beside a file that is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// That file, of so many bytes; or it cannot be told.
    It { len: Option<u64> },
    /// Another file, or none.
    Another,
}

/// How far a write came.
#[derive(Debug)]
pub(super) struct Written {
    /// Bytes of whole lines that are in the file.
    pub whole_lines_bytes: usize,
    /// What ended it before all was written.
    pub error: Option<io::Error>,
}

impl AppendFile {
    /// Opens or creates it, mode 0600, in a folder that is ours alone. A link, a pipe or a socket in its place is an
    /// error.
    pub fn open(path: &Path) -> io::Result<Self> {
        let folder = folder::open(path.parent().unwrap_or(Path::new("")))?;
        let name = path.file_name().ok_or(io::ErrorKind::InvalidInput)?;
        AppendFile::open_in(&folder, Path::new(name))
    }

    fn open_in(folder: &OwnedFd, name: &Path) -> io::Result<Self> {
        let flags = OFlags::RDWR | OFlags::APPEND | OFlags::CREATE;
        let flags = flags | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::openat(folder, name, flags, Mode::RUSR | Mode::WUSR)?);
        let metadata = file.metadata()?;
        let kind = metadata.file_type();
        if kind.is_fifo() || kind.is_socket() || kind.is_block_device() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        Ok(AppendFile { file, identity: identity(&metadata) })
    }

    /// Whether `path` still names this file. When that cannot be told, it is taken to.
    pub fn is_at(&self, path: &Path) -> bool {
        self.look_at(path) != Named::Another
    }

    /// [`AppendFile::is_at`], and how long it is: one look tells both.
    pub fn look_at(&self, path: &Path) -> Named {
        match std::fs::symlink_metadata(path) {
            Ok(metadata) if identity(&metadata) == self.identity => {
                Named::It { len: Some(metadata.len()) }
            }
            Err(error) if error.kind() != io::ErrorKind::NotFound => Named::It { len: None },
            _ => Named::Another,
        }
    }

    /// Whether the byte before this place ends a line; nothing before it does.
    pub fn ends_line_at(&self, place: u64) -> io::Result<bool> {
        let Some(last) = place.checked_sub(1) else { return Ok(true) };
        let mut byte = [0];
        // Of a file that has become shorter meanwhile there is nothing to end.
        Ok(self.file.read_at(&mut byte, last)? == 0 || byte == *b"\n")
    }

    /// Bytes in the file.
    pub fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// The file itself, to read its end.
    pub fn file(&self) -> &File {
        &self.file
    }

    /// Takes `count` bytes off the end.
    pub fn cut(&self, count: u64) -> io::Result<()> {
        self.file.set_len(self.len()?.saturating_sub(count))
    }

    /// Appends whole lines, going on after a short write. A line that an error tore is cut off
    /// again, which works on a full disk too; where it does not, the next one to open the file
    /// repairs it.
    pub fn append(&mut self, lines: &[u8]) -> Written {
        let (written, error) = write_on(&mut self.file, lines);
        let done = lines.get(..written).unwrap_or(lines);
        let whole_lines_bytes = memrchr(b'\n', done).map_or(0, |end| end + 1);
        let torn = (done.len() - whole_lines_bytes) as u64;
        if torn > 0 {
            // A failure leaves the torn line to the repair at the next opening.
            let _ = self.cut(torn);
        }
        Written { whole_lines_bytes, error }
    }
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

/// Writes until all is written or an error comes; says how many bytes went.
fn write_on(file: &mut impl Write, bytes: &[u8]) -> (usize, Option<io::Error>) {
    let mut rest = bytes;
    let error = loop {
        if rest.is_empty() {
            break None;
        }
        match file.write(rest) {
            Ok(0) => break Some(io::ErrorKind::WriteZero.into()),
            Ok(count) => rest = rest.get(count..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => break Some(error),
        }
    };
    (bytes.len() - rest.len(), error)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// Takes a few bytes at a time, is interrupted in between, and fails in the end.
    struct Grudging {
        taken: Vec<u8>,
        room: usize,
        interrupted: bool,
    }

    impl Write for Grudging {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.interrupted = !self.interrupted;
            if self.interrupted {
                return Err(io::ErrorKind::Interrupted.into());
            }
            let count = bytes.len().min(3).min(self.room - self.taken.len());
            if count == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            self.taken.extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_short_write_is_gone_on_with() {
        let mut file = Grudging { taken: Vec::new(), room: 100, interrupted: false };
        let (written, error) = write_on(&mut file, b"one line\nanother\n");
        assert_eq!(written, 17);
        assert!(error.is_none());
        assert_eq!(file.taken, b"one line\nanother\n");
    }

    #[test]
    fn an_error_says_how_far_it_came() {
        let mut file = Grudging { taken: Vec::new(), room: 10, interrupted: false };
        let (written, error) = write_on(&mut file, b"one line\nanother\n");
        assert_eq!(written, 10);
        assert_eq!(error.unwrap().kind(), io::ErrorKind::StorageFull);
    }

    #[test]
    fn it_is_created_for_us_alone_and_only_grows() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        let mut file = AppendFile::open(&path).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(file.append(b"a\n").error.is_none());
        std::fs::write(&path, b"").unwrap();
        assert_eq!(file.append(b"bb\n").whole_lines_bytes, 3);
        assert_eq!(std::fs::read(&path).unwrap(), b"bb\n", "no hole after a truncation");
        file.cut(2).unwrap();
        assert_eq!(file.len().unwrap(), 1);
    }

    #[test]
    fn it_knows_when_it_was_moved_or_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("f");
        let file = AppendFile::open(&path).unwrap();
        assert!(file.is_at(&path));
        std::fs::rename(&path, dir.path().join("g")).unwrap();
        assert!(!file.is_at(&path));
        std::fs::write(&path, b"").unwrap();
        assert!(!file.is_at(&path));
        assert!(file.is_at(&dir.path().join("g")));
    }

    #[test]
    fn links_pipes_and_directories_are_refused() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("target");
        std::fs::write(&target, b"").unwrap();
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&target, &link).unwrap();
        assert!(AppendFile::open(&link).is_err());
        assert!(AppendFile::open(dir.path()).is_err());
        let socket = dir.path().join("socket");
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        assert!(AppendFile::open(&socket).is_err());
        let pipe = dir.path().join("pipe");
        let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        assert!(AppendFile::open(&pipe).is_err(), "and without waiting for a reader");
    }

    #[test]
    fn a_full_disk_is_an_error_with_nothing_written() {
        let devices = OwnedFd::from(File::open("/dev").unwrap());
        let mut full = AppendFile::open_in(&devices, Path::new("full")).unwrap();
        let written = full.append(b"line\n");
        assert_eq!(written.whole_lines_bytes, 0);
        assert_eq!(written.error.unwrap().kind(), io::ErrorKind::StorageFull);
    }
}
