//! Questions to the kernel about another process, by its PID. Changes nothing and sends nothing.

use std::path::PathBuf;

use super::pid_file::Identity;

/// Whether the PID is the original Python monitor's, which takes no lock: a Python script named
/// clawsec.
pub fn is_original(pid: u32) -> bool {
    std::fs::read(proc_path(pid, "cmdline")).is_ok_and(|line| is_original_command(&line))
}

/// Whether a command line (words that end in NUL) is `python3 .../clawsec-monitor.py ...`.
fn is_original_command(line: &[u8]) -> bool {
    let mut names = line
        .split(|byte| *byte == 0)
        .map(|word| word.rsplit(|byte| *byte == b'/').next().unwrap_or_default());
    names.next().is_some_and(|program| program.starts_with(b"python"))
        && names.any(|name| name.starts_with(b"clawsec") && name.ends_with(b".py"))
}

/// Whether the process has this very file open; none if the kernel does not let us look.
pub fn has_open(pid: u32, file: Identity) -> Option<bool> {
    let entries = std::fs::read_dir(proc_path(pid, "fd")).ok()?;
    let mut open = entries.flatten().filter_map(|entry| rustix::fs::stat(entry.path()).ok());
    Some(open.any(|stat| Identity::from(&stat) == file))
}

fn proc_path(pid: u32, entry: &str) -> PathBuf {
    PathBuf::from(format!("/proc/{pid}")).join(entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_original_is_known_by_its_script_not_by_a_word_somewhere() {
        for line in ["python3\0clawsec-monitor.py\0start\0", "python3\0/opt/x/clawsec-monitor.py\0"]
        {
            assert!(is_original_command(line.as_bytes()), "{line:?}");
        }
        for line in [
            "",
            "target/release/clawsec\0start\0",
            "vim\0clawsec.json\0",
            "python3\0run_tests.py\0",
            "less\0/tmp/clawsec/notes.py.txt\0",
            "vim\0clawsec-monitor.py\0",
            "python3\0/tmp/clawsec/other.py\0",
        ] {
            assert!(!is_original_command(line.as_bytes()), "{line:?}");
        }
        assert!(!is_original(std::process::id()));
    }

    #[test]
    fn an_open_file_is_found_by_its_identity() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let other = tempfile::NamedTempFile::new().unwrap();
        let identity = |path: &std::path::Path| Identity::from(&rustix::fs::stat(path).unwrap());
        let other_identity = identity(other.path());
        let (_kept, other_path) = other.keep().map(|(file, path)| (drop(file), path)).unwrap();
        assert_eq!(has_open(std::process::id(), identity(file.path())), Some(true));
        assert_eq!(has_open(std::process::id(), other_identity), Some(false));
        std::fs::remove_file(other_path).unwrap();
        assert_eq!(has_open(u32::MAX, other_identity), None);
    }
}
