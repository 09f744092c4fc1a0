//! The folder of one run, below the system's temporary one: keys lie in it, so it is the owner's alone, and it goes
//! with the run.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::Outcome;

/// Removed when this is dropped.
pub struct Folder(PathBuf);

impl Folder {
    /// Makes a new one. With `is_passed_through`, other users may reach what lies in it by name, and see no names:
    /// a proxy that gives up root needs that. What lies in it has modes of its own.
    pub fn make(is_passed_through: bool) -> Outcome<Folder> {
        let path = std::env::temp_dir().join(format!("loadtest-{}", std::process::id()));
        let mode = if is_passed_through { 0o711 } else { 0o700 };
        let made = DirBuilder::new().mode(mode).create(&path);
        made.map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Folder(path))
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_folder_is_its_owners_and_goes_away() {
        let folder = Folder::make(false).unwrap();
        let path = folder.path().to_owned();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
        assert!(Folder::make(false).is_err(), "somebody else's is not used");
        drop(folder);
        assert!(!path.exists());
    }
}
