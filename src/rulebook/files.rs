//! The users' files of rules read, with those that they extend: a path in a file begins in that file's folder.

use std::collections::HashSet;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::limits::{RULES_EXTENDED_MAX, RULES_FILE_MAX_BYTES};
use crate::regular_file;
use crate::scan::rules::{RulesFile, extended_path};

/// Why a file cannot be read.
#[derive(Debug)]
pub struct FileError {
    pub path: PathBuf,
    /// The file whose `[extend]` names it.
    pub named_by: Option<PathBuf>,
    pub cause: io::Error,
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("rules_files: ")?;
        if let Some(file) = &self.named_by {
            write!(f, "{}: [extend] path: ", file.display())?;
        }
        write!(f, "{} cannot be read: {}", self.path.display(), self.cause)
    }
}

/// Reads files, each once, and before it the one that it extends. An error names all that cannot be read.
pub(super) fn read_all(paths: &[PathBuf]) -> Result<Vec<RulesFile>, Vec<FileError>> {
    let named = paths.iter().map(|path| place(path)).collect();
    let mut reading = Reading { named, ..Reading::default() };
    for path in paths {
        reading.read(path, None, 0);
    }
    match reading.errors.is_empty() {
        true => Ok(reading.files),
        false => Err(reading.errors),
    }
}

#[derive(Default)]
struct Reading {
    files: Vec<RulesFile>,
    /// Where those are that somebody named: how many others lead to them does not count.
    named: HashSet<PathBuf>,
    /// Where each came from, by all its names one.
    places: Vec<PathBuf>,
    /// Begun, and not yet among the files.
    open: Vec<PathBuf>,
    errors: Vec<FileError>,
}

impl Reading {
    /// The file's number. `depth` says how many others lead to it from one that somebody named.
    fn read(&mut self, path: &Path, named_by: Option<&Path>, depth: usize) -> Option<usize> {
        let place = place(path);
        let depth = if self.named.contains(&place) { 0 } else { depth };
        if let Some(number) = self.places.iter().position(|known| *known == place) {
            return Some(number);
        }
        let text = match self.open.contains(&place) {
            true => Err(io::Error::other("it extends itself")),
            false => read_regular(path),
        };
        let text = match text {
            Ok(text) => text,
            Err(cause) => {
                let (path, named_by) = (path.to_owned(), named_by.map(Path::to_owned));
                self.errors.push(FileError { path, named_by, cause });
                return None;
            }
        };
        self.open.push(place.clone());
        let base = extended_path(&text).filter(|_| depth < RULES_EXTENDED_MAX).and_then(|base| {
            let folder = path.parent().unwrap_or(Path::new(""));
            self.read(&folder.join(base), Some(path), depth + 1)
        });
        self.open.pop();
        self.places.push(place);
        self.files.push(RulesFile { name: path.display().to_string(), text, base });
        Some(self.files.len() - 1)
    }
}

/// Where a file is, by all its names one.
fn place(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

/// A file of rules that is not waited for, as a pipe would be.
fn read_regular(path: &Path) -> io::Result<String> {
    text_of(regular_file::open(path)?)
}

/// A file of rules, or what comes through a pipe.
pub fn read(path: &Path) -> io::Result<String> {
    text_of(File::open(path)?)
}

/// At most one byte more than is allowed, which `Pack::parse` refuses.
fn text_of(file: File) -> io::Result<String> {
    let mut text = String::new();
    file.take(RULES_FILE_MAX_BYTES as u64 + 1).read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Files by name and the path that each extends, read from the first on: their names, and the bases' numbers.
    fn read_in(
        folder: &Path,
        files: &[(&str, &str)],
        named: &[&str],
    ) -> Vec<(String, Option<usize>)> {
        for (name, extended) in files {
            let text = format!("[extend]\npath = '{extended}'\n");
            std::fs::write(folder.join(name), text).unwrap();
        }
        let named: Vec<PathBuf> = named.iter().map(|name| folder.join(name)).collect();
        let read = read_all(&named).unwrap();
        let name = |file: &RulesFile| file.name.rsplit_once('/').unwrap().1.to_owned();
        read.iter().map(|file| (name(file), file.base)).collect()
    }

    fn named(files: &[(&str, Option<usize>)]) -> Vec<(String, Option<usize>)> {
        files.iter().map(|(name, base)| ((*name).to_owned(), *base)).collect()
    }

    #[test]
    fn what_a_file_extends_lies_beside_it_and_is_read_once_and_before_it() {
        let folder = tempfile::tempdir().unwrap();
        let read = read_in(
            folder.path(),
            &[("a", "base"), ("b", "base"), ("base", "")],
            &["a", "base", "b", "a"],
        );
        assert_eq!(read, named(&[("base", None), ("a", Some(0)), ("b", Some(0))]));
    }

    #[test]
    fn no_more_than_two_files_are_extended_one_behind_the_other() {
        let folder = tempfile::tempdir().unwrap();
        let chain = [("a", "b"), ("b", "c"), ("c", "d"), ("d", "")];
        assert_eq!(RULES_EXTENDED_MAX + 2, chain.len());
        let read = read_in(folder.path(), &chain, &["a"]);
        assert_eq!(read, named(&[("c", None), ("b", Some(0)), ("a", Some(1))]));
    }

    /// It was read without its base as the third of a row, and stayed so.
    #[test]
    fn a_file_that_is_named_itself_has_its_base_wherever_it_is_met_first() {
        let folder = tempfile::tempdir().unwrap();
        let chain = [("a", "b"), ("b", "c"), ("c", "d"), ("d", "")];
        let all = [("d", None), ("c", Some(0)), ("b", Some(1)), ("a", Some(2))];
        for order in [["a", "c"], ["c", "a"]] {
            assert_eq!(read_in(folder.path(), &chain, &order), named(&all), "{order:?}");
        }
    }

    #[test]
    fn all_files_that_cannot_be_read_are_named_and_one_that_extends_itself_is_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("a"), "[extend]\npath = 'gone'\n").unwrap();
        std::fs::write(path("round"), "[extend]\npath = './round'\n").unwrap();
        let errors = read_all(&[path("none"), path("a"), path("round")]).unwrap_err();
        let told: Vec<String> = errors.iter().map(ToString::to_string).collect();
        assert!(told[0].contains("none cannot be read"), "{told:?}");
        assert!(
            told[1].contains("a: [extend] path: ") && told[1].contains("gone cannot"),
            "{told:?}"
        );
        assert!(told[2].contains("it extends itself"), "{told:?}");
    }
}
