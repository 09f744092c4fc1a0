//! `threats.jsonl`: lines wait here until they are in the file, whole, in order, each once.
//! Knows lines, not what they say; reports nothing, its owner does.

use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use memchr::{memchr_iter, memrchr};

use super::append_file::{AppendFile, Named};
use super::jsonl;
use crate::finding::Finding;
use crate::limits::{THREATS_BATCH_BYTES, TORN_LINE_MAX_BYTES};

/// What was done to a last line without an end, as a crash leaves it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Repair {
    /// It was whole, so it got its line end.
    Ended,
    /// It was torn, so it was cut off: this many bytes.
    Cut(u64),
}

/// What was met with before lines were written in the midst of a run: another file than before, or one whose last
/// line somebody else has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Opened {
    /// Somebody moved or removed the file that was written so far.
    pub was_moved: bool,
    pub repair: Option<Repair>,
}

/// The file and the lines that wait for it.
#[derive(Debug)]
pub(super) struct ThreatsFile {
    path: PathBuf,
    /// None after a failed write: what is at the path then is opened, and repaired, anew.
    file: Option<AppendFile>,
    /// The file's length when it was left: another length means that somebody else wrote.
    left_len: u64,
    waiting: Vec<u8>,
    lines_waiting: u64,
    lines_written: u64,
}

impl ThreatsFile {
    /// Opens or creates the file, and repairs a torn last line.
    pub fn open(path: PathBuf) -> io::Result<(Self, Option<Repair>)> {
        let (file, repair) = open_repaired(&path)?;
        let threats = ThreatsFile {
            path,
            left_len: file.len()?,
            file: Some(file),
            waiting: Vec::new(),
            lines_waiting: 0,
            lines_written: 0,
        };
        Ok((threats, repair))
    }

    /// Adds a finding's line to those that wait.
    pub fn push(&mut self, finding: &Finding, suppressed: u64) -> serde_json::Result<()> {
        jsonl::append_line(&mut self.waiting, finding, suppressed)?;
        self.lines_waiting += 1;
        Ok(())
    }

    /// Forgets the beginning of a line that a defect has left behind those that wait.
    pub fn forget_torn(&mut self) {
        let whole = memrchr(b'\n', &self.waiting).map_or(0, |end| end + 1);
        self.waiting.truncate(whole);
    }

    /// Whether enough lines wait for one write.
    pub fn is_full(&self) -> bool {
        self.waiting.len() >= THREATS_BATCH_BYTES
    }

    /// Lines that are not in the file yet.
    pub fn lines_waiting(&self) -> u64 {
        self.lines_waiting
    }

    /// Lines that were written since the start.
    pub fn lines_written(&self) -> u64 {
        self.lines_written
    }

    /// Writes the waiting lines in one write, to the file that is at the path now. After an error
    /// those that are not in the file wait on. Says when another file had to be opened, or a line to be ended that
    /// somebody else began: behind it the first of ours would be lost.
    pub fn flush(&mut self) -> io::Result<Option<Opened>> {
        if self.waiting.is_empty() {
            return Ok(None);
        }
        let (mut file, opened) = self.ready_file()?;
        let written = file.append(&self.waiting);
        self.left_len += written.whole_lines_bytes as u64;
        self.forget_written(written.whole_lines_bytes);
        if let Some(error) = written.error {
            return Err(error);
        }
        self.file = Some(file);
        Ok(opened)
    }

    /// The file that is at the path now, at the beginning of a line.
    fn ready_file(&mut self) -> io::Result<(AppendFile, Option<Opened>)> {
        let named = self.file.as_ref().map(|file| file.look_at(&self.path));
        let was_moved = named == Some(Named::Another);
        let mut file = match self.file.take() {
            Some(file) if !was_moved => file,
            _ => {
                let (file, repair) = open_repaired(&self.path)?;
                self.left_len = file.len()?;
                return Ok((file, Some(Opened { was_moved, repair })));
            }
        };
        let len = match named {
            Some(Named::It { len: Some(len) }) if len != self.left_len => len,
            _ => return Ok((file, None)),
        };
        self.left_len = len;
        if file.ends_line_at(len)? {
            return Ok((file, None));
        }
        end_line(&mut file)?;
        self.left_len += 1;
        Ok((file, Some(Opened { was_moved: false, repair: Some(Repair::Ended) })))
    }

    fn forget_written(&mut self, count: usize) {
        let lines = self.waiting.get(..count).unwrap_or_default();
        let lines = memchr_iter(b'\n', lines).count() as u64;
        self.lines_waiting -= lines;
        self.lines_written += lines;
        self.waiting.drain(..count);
    }
}

/// Opens the file and sees to it that it ends with a line end.
fn open_repaired(path: &Path) -> io::Result<(AppendFile, Option<Repair>)> {
    let mut file = AppendFile::open(path)?;
    let piece = torn_piece(&file)?;
    if piece.is_empty() {
        return Ok((file, None));
    }
    let is_ours = piece.len() <= TORN_LINE_MAX_BYTES;
    let is_whole = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(&piece);
    if is_ours && is_whole.is_err() {
        let count = piece.len() as u64;
        file.cut(count)?;
        return Ok((file, Some(Repair::Cut(count))));
    }
    // What is longer than any line of ours is left as it is, on a line of its own.
    end_line(&mut file)?;
    Ok((file, Some(Repair::Ended)))
}

fn end_line(file: &mut AppendFile) -> io::Result<()> {
    match file.append(b"\n").error {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

/// What follows the last line end, at most one byte more than a line of ours may have.
fn torn_piece(file: &AppendFile) -> io::Result<Vec<u8>> {
    let len = file.len()?;
    let start = len.saturating_sub(TORN_LINE_MAX_BYTES as u64 + 1);
    let mut end = vec![0; usize::try_from(len - start).unwrap_or(0)];
    file.file().read_exact_at(&mut end, start)?;
    match memrchr(b'\n', &end) {
        Some(line_end) => Ok(end.split_off(line_end + 1)),
        None => Ok(end),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use proptest::prelude::*;

    use super::*;
    use crate::report::dedup::tests::finding;

    const OLD: &str = "{\"pattern\":\"old\"}\n";

    fn line() -> String {
        let mut line = Vec::new();
        jsonl::append_line(&mut line, &finding("p", "a:1"), 0).unwrap();
        String::from_utf8(line).unwrap()
    }

    fn opened(path: &Path) -> (ThreatsFile, Option<Repair>) {
        ThreatsFile::open(path.to_owned()).unwrap()
    }

    fn write_one(threats: &mut ThreatsFile, pattern: &'static str) -> io::Result<Option<Opened>> {
        threats.push(&finding(pattern, "a:1"), 0).unwrap();
        threats.flush()
    }

    fn patterns(path: &Path) -> Vec<String> {
        let text = std::fs::read_to_string(path).unwrap();
        assert!(text.is_empty() || text.ends_with('\n'));
        let pattern = |line: &str| {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            value["pattern"].as_str().unwrap().to_owned()
        };
        text.lines().map(pattern).collect()
    }

    #[test]
    fn a_batch_is_written_in_order() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("threats.jsonl");
        let (mut threats, repair) = opened(&path);
        assert_eq!(repair, None);
        for pattern in ["a", "b", "c"] {
            threats.push(&finding(pattern, "a:1"), 0).unwrap();
        }
        assert_eq!(threats.lines_waiting(), 3);
        assert_eq!(threats.flush().unwrap(), None);
        assert_eq!((threats.lines_waiting(), threats.lines_written()), (0, 3));
        assert_eq!(patterns(&path), ["a", "b", "c"]);
    }

    #[test]
    fn a_batch_is_full_at_its_bound() {
        let dir = tempfile::tempdir().unwrap();
        let (mut threats, _) = opened(&dir.path().join("threats.jsonl"));
        threats.waiting = vec![b'x'; THREATS_BATCH_BYTES - 1];
        assert!(!threats.is_full());
        threats.waiting.push(b'\n');
        assert!(threats.is_full());
    }

    #[test]
    fn a_torn_last_line_is_cut_off() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("threats.jsonl");
        std::fs::write(&path, format!("{OLD}{{\"pattern\":\"torn")).unwrap();
        let (mut threats, repair) = opened(&path);
        assert_eq!(repair, Some(Repair::Cut(16)));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), OLD);
        write_one(&mut threats, "new").unwrap();
        assert_eq!(patterns(&path), ["old", "new"]);
    }

    #[test]
    fn a_whole_last_line_gets_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("threats.jsonl");
        std::fs::write(&path, OLD.trim_end()).unwrap();
        let (mut threats, repair) = opened(&path);
        assert_eq!(repair, Some(Repair::Ended));
        write_one(&mut threats, "new").unwrap();
        assert_eq!(patterns(&path), ["old", "new"]);
    }

    #[test]
    fn a_torn_piece_is_cut_at_the_bound_and_kept_one_past_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("threats.jsonl");
        let piece = "x".repeat(TORN_LINE_MAX_BYTES);
        std::fs::write(&path, format!("{OLD}{piece}")).unwrap();
        assert_eq!(opened(&path).1, Some(Repair::Cut(TORN_LINE_MAX_BYTES as u64)));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), OLD);
        std::fs::write(&path, format!("{OLD}{piece}x")).unwrap();
        assert_eq!(opened(&path).1, Some(Repair::Ended));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{OLD}{piece}x\n"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_file_cut_anywhere_is_repaired_to_whole_lines(cut in 0..400usize) {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("threats.jsonl");
            let whole = format!("{}{}", line(), line());
            let cut = cut.min(whole.len());
            std::fs::write(&path, &whole[..cut]).unwrap();
            let (mut threats, _) = opened(&path);
            write_one(&mut threats, "new").unwrap();
            // A line that lacks but its end counts as whole.
            let lacks_its_end = usize::from(whole[cut..].starts_with('\n'));
            let lines = whole[..cut].matches('\n').count() + lacks_its_end;
            prop_assert_eq!(patterns(&path).len(), lines + 1);
        }
    }

    #[test]
    fn a_removed_file_is_made_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("threats.jsonl");
        let (mut threats, _) = opened(&path);
        write_one(&mut threats, "a").unwrap();
        std::fs::remove_file(&path).unwrap();
        let moved = Some(Opened { was_moved: true, repair: None });
        assert_eq!(write_one(&mut threats, "b").unwrap(), moved);
        assert_eq!(write_one(&mut threats, "c").unwrap(), None);
        assert_eq!(patterns(&path), ["b", "c"]);
        assert_eq!(threats.lines_written(), 3);
    }

    #[test]
    fn a_file_that_was_moved_away_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("threats.jsonl");
        let old = dir.path().join("threats.jsonl.1");
        let (mut threats, _) = opened(&path);
        write_one(&mut threats, "a").unwrap();
        std::fs::rename(&path, &old).unwrap();
        std::fs::write(&path, OLD).unwrap();
        assert!(write_one(&mut threats, "b").unwrap().unwrap().was_moved);
        assert_eq!(patterns(&old), ["a"]);
        assert_eq!(patterns(&path), ["old", "b"]);
    }

    #[test]
    fn a_truncated_file_is_gone_on_with() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("threats.jsonl");
        let (mut threats, _) = opened(&path);
        write_one(&mut threats, "a").unwrap();
        std::fs::write(&path, "").unwrap();
        assert_eq!(write_one(&mut threats, "b").unwrap(), None);
        assert_eq!(patterns(&path), ["b"]);
    }

    #[test]
    fn what_a_full_disk_refused_is_written_when_there_is_room() {
        let dir = tempfile::tempdir().unwrap();
        let (here, real) = (dir.path().join("here"), dir.path().join("real"));
        std::fs::create_dir(&real).unwrap();
        symlink("/dev", &here).unwrap();
        let path = here.join("full");
        let (mut threats, _) = opened(&path);
        for pattern in ["a", "b"] {
            let error = write_one(&mut threats, pattern).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::StorageFull);
        }
        assert_eq!((threats.lines_waiting(), threats.lines_written()), (2, 0));
        std::fs::remove_file(&here).unwrap();
        std::fs::rename(&real, &here).unwrap();
        let after_error = Some(Opened { was_moved: false, repair: None });
        assert_eq!(write_one(&mut threats, "c").unwrap(), after_error);
        assert_eq!(patterns(&path), ["a", "b", "c"]);
        assert_eq!((threats.lines_waiting(), threats.lines_written()), (0, 3));
    }

    #[test]
    fn a_finding_behind_a_line_that_somebody_else_began_has_a_line_of_its_own() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("threats.jsonl");
        let (mut threats, _) = opened(&path);
        write_one(&mut threats, "a").unwrap();
        let add = |text: &str| {
            let mut other = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
            std::io::Write::write_all(&mut other, text.as_bytes()).unwrap();
        };
        add("{\"half\":");
        let ended = Some(Opened { was_moved: false, repair: Some(Repair::Ended) });
        assert_eq!(write_one(&mut threats, "b").unwrap(), ended);
        assert_eq!(write_one(&mut threats, "c").unwrap(), None, "it is ended once");
        add(OLD);
        assert_eq!(write_one(&mut threats, "d").unwrap(), None, "a whole line needs no end");
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!((lines.len(), lines[1], lines[4]), (6, "{\"half\":", OLD.trim_end()));
        for (line, pattern) in [(0, "a"), (2, "b"), (3, "c"), (5, "d")] {
            let value: serde_json::Value = serde_json::from_str(lines[line]).unwrap();
            assert_eq!(value["pattern"], pattern);
        }
        // Cut in the middle of a line, as some rotate.
        std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(5).unwrap();
        assert_eq!(write_one(&mut threats, "e").unwrap(), ended);
        std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(0).unwrap();
        assert_eq!(write_one(&mut threats, "f").unwrap(), None);
        assert_eq!(patterns(&path), ["f"]);
    }

    /// In a shared place, such as `/tmp`, anybody may make the folder anew that was removed.
    #[test]
    fn nothing_is_written_into_a_folder_that_others_made_in_the_old_ones_place() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("clawsec");
        std::fs::create_dir(&folder).unwrap();
        let path = folder.join("threats.jsonl");
        let (mut threats, _) = opened(&path);
        write_one(&mut threats, "old").unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(&path, b"").unwrap();
        std::fs::set_permissions(&folder, Permissions::from_mode(0o777)).unwrap();
        let error = write_one(&mut threats, "kept").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
        assert_eq!((std::fs::read(&path).unwrap(), threats.lines_waiting()), (Vec::new(), 1));
        std::fs::set_permissions(&folder, Permissions::from_mode(0o700)).unwrap();
        assert!(threats.flush().unwrap().is_some());
        assert_eq!(patterns(&path), ["kept"]);
    }

    #[test]
    fn a_link_in_its_place_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("threats.jsonl");
        symlink(dir.path().join("elsewhere"), &path).unwrap();
        assert!(ThreatsFile::open(path).is_err());
        assert!(!dir.path().join("elsewhere").exists());
    }
}
