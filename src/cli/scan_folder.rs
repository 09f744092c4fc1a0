//! The files of a folder and of all that are in it, in the order of their names, as `scan` reads them. What is no regular
//! file is left out, links too: what they name is elsewhere, or there already. So are git's objects, which hold every
//! version that there ever was.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Where git keeps its objects.
const OBJECTS: &str = ".git/objects";

/// Them, one after the other; beside each that cannot be looked at, why.
#[derive(Debug)]
pub(super) struct Files {
    /// Still to be looked at, the next one last.
    waiting: Vec<PathBuf>,
    /// Folders of git's objects.
    left_out: Vec<PathBuf>,
}

impl Files {
    /// Those of this folder, or of what a link to it names.
    pub(super) fn of(folder: &Path) -> io::Result<Files> {
        let mut files = Files { waiting: Vec::new(), left_out: Vec::new() };
        files.enter(folder)?;
        Ok(files)
    }

    /// What was left out until now.
    pub(super) fn left_out(&self) -> &[PathBuf] {
        &self.left_out
    }

    fn enter(&mut self, folder: &Path) -> io::Result<()> {
        let entries = fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path()));
        let mut entries = entries.collect::<io::Result<Vec<_>>>()?;
        entries.sort_unstable_by(|one, other| other.cmp(one));
        self.waiting.append(&mut entries);
        Ok(())
    }

    /// Whether it is a file. What is in a folder is looked at next.
    fn look(&mut self, path: &Path) -> io::Result<bool> {
        let kind = path.symlink_metadata()?.file_type();
        if kind.is_dir() && path.ends_with(OBJECTS) {
            self.left_out.push(path.to_owned());
        } else if kind.is_dir() {
            self.enter(path)?;
        }
        Ok(kind.is_file())
    }
}

impl Iterator for Files {
    type Item = (PathBuf, io::Result<()>);

    fn next(&mut self) -> Option<(PathBuf, io::Result<()>)> {
        loop {
            let path = self.waiting.pop()?;
            match self.look(&path) {
                Ok(false) => {}
                looked => return Some((path, looked.map(|_| ()))),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    #[test]
    fn the_files_of_a_folder_come_in_order_and_nothing_else_does() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for name in ["b/.git/objects/ab", "b/c", "link-less"] {
            fs::create_dir_all(at(name)).unwrap();
        }
        for name in ["z", "a", "b/c/d", "b/.git/config", "b/.git/objects/ab/cd", ".env"] {
            fs::write(at(name), "x").unwrap();
        }
        symlink(at("a"), at("link")).unwrap();
        // It leads back, without end.
        symlink(folder.path(), at("b/round")).unwrap();
        mknodat(CWD, at("pipe"), FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).unwrap();
        let mut files = Files::of(folder.path()).unwrap();
        let found: Vec<_> = files
            .by_ref()
            .map(|(path, looked)| {
                looked.unwrap();
                path.strip_prefix(folder.path()).unwrap().display().to_string()
            })
            .collect();
        assert_eq!(found, [".env", "a", "b/.git/config", "b/c/d", "z"]);
        assert_eq!(files.left_out(), [at("b/.git/objects")]);
        let named = Files::of(&at("b/.git/objects")).unwrap();
        assert_eq!(named.count(), 1, "it is wanted");
        assert!(Files::of(&at("absent")).is_err());
    }
}
