//! The end of `threats.jsonl`, read backwards, so that a large file answers at once. Only reads; a
//! line that is no finding is skipped and counted.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use memchr::memrchr;
use serde_json::Value;

use crate::limits::{TAIL_BLOCK_BYTES, TAIL_LINE_MAX_BYTES};

/// The youngest findings.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tail {
    /// Newest first, each a JSON object with its fields in the order of the file.
    pub threats: Vec<Value>,
    /// Lines among them that are no JSON object, or too long.
    pub skipped: usize,
    /// More were wanted, and older lines are there that were not looked at.
    pub is_cut: bool,
}

/// What becomes of a finding that was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Keep,
    PassOver,
    /// Neither it nor anything older is wanted.
    Stop,
}

/// The last `limit` findings of the file; none, when there is no file.
pub fn last(path: &Path, limit: usize) -> io::Result<Tail> {
    last_matching(path, limit, &mut |_| Verdict::Keep)
}

/// The last `limit` findings that are to be kept.
pub fn last_matching(
    path: &Path,
    limit: usize,
    judge: &mut dyn FnMut(&Value) -> Verdict,
) -> io::Result<Tail> {
    last_within(path, limit, u64::MAX, judge)
}

/// As [`last_matching`], but only so many bytes are read.
pub fn last_within(
    path: &Path,
    limit: usize,
    most_bytes: u64,
    judge: &mut dyn FnMut(&Value) -> Verdict,
) -> io::Result<Tail> {
    last_while(path, limit, most_bytes, judge, &mut || Ok(()))
}

/// As [`last_within`], for somebody who may leave: each block is asked for, and an error instead of it ends all.
pub fn last_while(
    path: &Path,
    limit: usize,
    most_bytes: u64,
    judge: &mut dyn FnMut(&Value) -> Verdict,
    goes_on: &mut dyn FnMut() -> io::Result<()>,
) -> io::Result<Tail> {
    let sizes =
        Sizes { block_bytes: TAIL_BLOCK_BYTES, line_max_bytes: TAIL_LINE_MAX_BYTES, most_bytes };
    match File::open(path) {
        Ok(mut file) => {
            let end = file.seek(SeekFrom::End(0))?;
            judged(&mut file, end, limit, sizes, judge, goes_on)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Tail::default()),
        Err(error) => Err(error),
    }
}

/// As [`last_while`], of the lines of an open file that end at a place in it, or before.
pub fn last_before(
    mut file: &File,
    end: u64,
    limit: usize,
    most_bytes: u64,
    judge: &mut dyn FnMut(&Value) -> Verdict,
    goes_on: &mut dyn FnMut() -> io::Result<()>,
) -> io::Result<Tail> {
    let sizes =
        Sizes { block_bytes: TAIL_BLOCK_BYTES, line_max_bytes: TAIL_LINE_MAX_BYTES, most_bytes };
    // Somebody may have emptied it meanwhile.
    let end = end.min(file.metadata()?.len());
    judged(&mut file, end, limit, sizes, judge, goes_on)
}

/// Every line is kept.
#[cfg(test)]
fn last_of(
    file: &mut (impl Read + Seek),
    limit: usize,
    block_bytes: usize,
    line_max_bytes: usize,
) -> io::Result<Tail> {
    let sizes = Sizes { block_bytes, line_max_bytes, most_bytes: u64::MAX };
    let end = file.seek(SeekFrom::End(0))?;
    judged(file, end, limit, sizes, &mut |_| Verdict::Keep, &mut || Ok(()))
}

/// How much is read at once, of a line, and in all.
#[derive(Clone, Copy)]
struct Sizes {
    block_bytes: usize,
    line_max_bytes: usize,
    most_bytes: u64,
}

/// Reads back from `end`, block by block.
fn judged(
    file: &mut (impl Read + Seek),
    end: u64,
    limit: usize,
    sizes: Sizes,
    judge: &mut dyn FnMut(&Value) -> Verdict,
    goes_on: &mut dyn FnMut() -> io::Result<()>,
) -> io::Result<Tail> {
    let Sizes { block_bytes, line_max_bytes, most_bytes } = sizes;
    let mut tail = Tail::default();
    let mut line = LineBackwards { end: Vec::new(), is_too_long: false, line_max_bytes };
    let mut block = vec![0; block_bytes];
    let mut position = end;
    let floor = position.saturating_sub(most_bytes);
    while position > floor && tail.threats.len() < limit {
        goes_on()?;
        let count = usize::try_from(position - floor).unwrap_or(usize::MAX).min(block_bytes);
        position -= count as u64;
        file.seek(SeekFrom::Start(position))?;
        let Some(read) = block.get_mut(..count) else { break };
        file.read_exact(read)?;
        let mut unread: &[u8] = read;
        while let Some(line_end) = memrchr(b'\n', unread) {
            let (before, after) = unread.split_at_checked(line_end + 1).unwrap_or_default();
            line.prepend(after);
            let goes_on = line.finish(&mut tail, judge);
            if !goes_on || tail.threats.len() == limit {
                return Ok(tail);
            }
            unread = before.strip_suffix(b"\n").unwrap_or(before);
        }
        line.prepend(unread);
    }
    tail.is_cut = floor > 0 && tail.threats.len() < limit;
    // Of a line that was cut only the end is known.
    if floor == 0 && tail.threats.len() < limit {
        line.finish(&mut tail, judge);
    }
    Ok(tail)
}

/// A line of which only the end is known so far.
struct LineBackwards {
    end: Vec<u8>,
    is_too_long: bool,
    line_max_bytes: usize,
}

impl LineBackwards {
    fn prepend(&mut self, piece: &[u8]) {
        if self.is_too_long || self.end.len() + piece.len() > self.line_max_bytes {
            self.is_too_long = true;
            self.end.clear();
        } else {
            self.end.splice(..0, piece.iter().copied());
        }
    }

    /// The line's start was reached: adds it to the tail, if it is to be kept. An empty line is
    /// nothing. False: older lines are not wanted.
    fn finish(&mut self, tail: &mut Tail, judge: &mut dyn FnMut(&Value) -> Verdict) -> bool {
        let is_too_long = std::mem::take(&mut self.is_too_long);
        let line = std::mem::take(&mut self.end);
        if !is_too_long && line.trim_ascii().is_empty() {
            return true;
        }
        match serde_json::from_slice(&line) {
            Ok(threat @ Value::Object(_)) => match judge(&threat) {
                Verdict::Keep => tail.threats.push(threat),
                Verdict::PassOver => {}
                Verdict::Stop => return false,
            },
            _ => tail.skipped += 1,
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;

    fn tail_of(text: &str, limit: usize, block_bytes: usize) -> Tail {
        last_of(&mut Cursor::new(text.as_bytes()), limit, block_bytes, TAIL_LINE_MAX_BYTES).unwrap()
    }

    fn numbers(tail: &Tail) -> Vec<u64> {
        tail.threats.iter().map(|threat| threat["n"].as_u64().unwrap()).collect()
    }

    #[test]
    fn a_missing_file_has_no_threats() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(last(&dir.path().join("none"), 10).unwrap(), Tail::default());
        assert!(last(dir.path(), 10).is_err(), "a directory is an error");
    }

    #[test]
    fn newest_first_at_most_the_limit_in_the_order_of_fields() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("threats.jsonl");
        std::fs::write(&path, "{\"n\":1}\n{\"n\":2}\n{\"z\":0,\"n\":3,\"a\":0}\n").unwrap();
        let tail = last(&path, 2).unwrap();
        assert_eq!(numbers(&tail), [3, 2]);
        assert_eq!(tail.threats[0].to_string(), "{\"z\":0,\"n\":3,\"a\":0}");
        assert_eq!(numbers(&last(&path, 3).unwrap()), [3, 2, 1]);
        assert_eq!(numbers(&last(&path, usize::MAX).unwrap()), [3, 2, 1]);
        assert_eq!(last(&path, 0).unwrap(), Tail::default());
    }

    #[test]
    fn bad_lines_are_skipped_and_counted() {
        let text = "{\"n\":1}\nnot json\n\n[2]\n{\"n\":3}\r\n\u{0}\n{\"n\":4}\n{\"n\":";
        let tail = tail_of(text, 10, 7);
        assert_eq!(numbers(&tail), [4, 3, 1]);
        assert_eq!(tail.skipped, 4);
        assert_eq!(tail_of(text, 1, 7).skipped, 1, "older lines are not looked at");
    }

    #[test]
    fn what_is_passed_over_does_not_count_and_a_stop_ends_the_reading() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("threats.jsonl");
        let lines: String = (1..=9).map(|n| format!("{{\"n\":{n}}}\n")).collect();
        std::fs::write(&path, lines).unwrap();
        let mut judge = |threat: &Value| match threat["n"].as_u64().unwrap() {
            ..=2 => Verdict::Stop,
            odd if odd % 2 == 1 => Verdict::PassOver,
            _ => Verdict::Keep,
        };
        assert_eq!(numbers(&last_matching(&path, 2, &mut judge).unwrap()), [8, 6]);
        assert_eq!(numbers(&last_matching(&path, 10, &mut judge).unwrap()), [8, 6, 4]);
    }

    #[test]
    fn so_many_bytes_are_read_and_a_line_that_is_cut_is_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("threats.jsonl");
        let line = "{\"n\":1}\n";
        std::fs::write(&path, line.repeat(3)).unwrap();
        let within = |limit, bytes: usize| {
            let keep = &mut |_: &Value| Verdict::Keep;
            let tail = last_within(&path, limit, bytes as u64, keep).unwrap();
            assert_eq!(tail.skipped, 0);
            (tail.threats.len(), tail.is_cut)
        };
        assert_eq!(within(5, 3 * line.len()), (3, false));
        assert_eq!(within(5, 3 * line.len() - 1), (2, true));
        assert_eq!(within(2, 3 * line.len() - 1), (2, false), "no more were wanted");
        assert_eq!(within(5, 0), (0, true));
    }

    #[test]
    fn whoever_is_asked_before_each_block_can_end_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("threats.jsonl");
        std::fs::write(&path, "{\"n\":1}\n".repeat(TAIL_BLOCK_BYTES)).unwrap();
        let (mut judged, mut asked) = (0, 0);
        let mut judge = |_: &Value| {
            judged += 1;
            Verdict::PassOver
        };
        let mut goes_on = || {
            asked += 1;
            if asked < 3 { Ok(()) } else { Err(io::ErrorKind::ConnectionAborted.into()) }
        };
        let ended = last_while(&path, 1, u64::MAX, &mut judge, &mut goes_on).unwrap_err();
        assert_eq!(ended.kind(), io::ErrorKind::ConnectionAborted);
        assert_eq!((asked, judged), (3, 2 * TAIL_BLOCK_BYTES / 8 - 1), "of two blocks");
    }

    #[test]
    fn bytes_that_are_no_text_are_skipped() {
        let bytes = b"{\"n\":1}\n\xff\xfe\n{\"n\":\"\xff\"}\n".to_vec();
        let tail = last_of(&mut Cursor::new(bytes), 10, 4, 100).unwrap();
        assert_eq!((numbers(&tail), tail.skipped), (vec![1], 2));
    }

    #[test]
    fn a_last_line_without_an_end_counts_when_it_is_whole() {
        assert_eq!(numbers(&tail_of("{\"n\":1}\n{\"n\":2}", 10, 3)), [2, 1]);
    }

    #[test]
    fn a_line_is_read_at_the_bound_and_skipped_one_past_it() {
        for block_bytes in [1, 7, 32, 33, 34, 1000] {
            let longest = format!("{{\"n\":2,\"x\":\"{}\"}}", "y".repeat(32 - 14));
            assert_eq!(longest.len(), 32);
            let at = format!("{{\"n\":1}}\n{longest}\n{{\"n\":3}}\n");
            let past = format!("{{\"n\":1}}\n {longest}\n{{\"n\":3}}\n");
            let read = |text: &str| {
                last_of(&mut Cursor::new(text.as_bytes()), 10, block_bytes, 32).unwrap()
            };
            assert_eq!(numbers(&read(&at)), [3, 2, 1]);
            assert_eq!(numbers(&read(&past)), [3, 1]);
            assert_eq!(read(&past).skipped, 1);
        }
    }

    #[test]
    fn a_large_file_is_read_only_at_its_end() {
        /// Fails when anything but the last two blocks is read.
        struct OnlyTheEnd(Cursor<Vec<u8>>);
        impl Read for OnlyTheEnd {
            fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
                let border = (self.0.get_ref().len() - 2 * TAIL_BLOCK_BYTES) as u64;
                assert!(self.0.position() >= border);
                self.0.read(buffer)
            }
        }
        impl Seek for OnlyTheEnd {
            fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
                self.0.seek(to)
            }
        }
        let text = "{\"n\":7}\n".repeat(100_000).into_bytes();
        let mut file = OnlyTheEnd(Cursor::new(text));
        let tail = last_of(&mut file, 10, TAIL_BLOCK_BYTES, TAIL_LINE_MAX_BYTES).unwrap();
        assert_eq!(numbers(&tail), [7; 10]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// Borders of blocks fall on every offset of every line.
        #[test]
        fn blocks_make_no_difference(
            lines in proptest::collection::vec(prop_oneof![
                (0..1_000_000_000u64).prop_map(|n| format!("{{\"n\":{n}}}")),
                "[a-z{}\"é]{0,12}",
            ], 0..12),
            limit in 0..14usize,
            ends in any::<bool>(),
        ) {
            let mut text = lines.join("\n");
            if ends {
                text.push('\n');
            }
            let mut expected = Tail::default();
            for line in lines.iter().rev() {
                if expected.threats.len() == limit {
                    break;
                }
                match serde_json::from_str::<Value>(line) {
                    _ if line.is_empty() => {}
                    Ok(value) if value.is_object() => expected.threats.push(value),
                    _ => expected.skipped += 1,
                }
            }
            for block_bytes in 1..=text.len() + 1 {
                prop_assert_eq!(&tail_of(&text, limit, block_bytes), &expected);
            }
        }
    }
}
