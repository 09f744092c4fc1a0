//! Files that somebody else names, opened without waiting: to open a pipe is to wait for whoever writes into it, and
//! what a look at the name finds may be something else by the time that it is opened.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;

/// Opens a regular file, or what a link to one names. Anything else is an error, at once.
pub fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::NONBLOCK.bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::other("it is no regular file")),
    }
}

#[cfg(test)]
mod tests {
    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    #[test]
    fn a_pipe_and_a_folder_are_refused_without_waiting() {
        let folder = tempfile::tempdir().unwrap();
        let (pipe, file) = (folder.path().join("pipe"), folder.path().join("file"));
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        std::fs::write(&file, b"x").unwrap();
        std::os::unix::fs::symlink(&file, folder.path().join("link")).unwrap();
        for refused in [&pipe, folder.path()] {
            assert!(open(refused).is_err(), "{}", refused.display());
        }
        for opened in ["file", "link"] {
            assert!(open(&folder.path().join(opened)).is_ok(), "{opened}");
        }
    }
}
