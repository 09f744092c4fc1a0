//! `aws-chunked`, in which S3's clients upload: chunks behind lines of their own, each perhaps with its signature, and
//! trailers behind the last (Amazon S3 API Reference, "Authenticating Requests: Using the Authorization Header").
//!
//! ```text
//! 10000;chunk-signature=0055…\r\n DATA \r\n … 0;chunk-signature=b6c6…\r\n x-amz-checksum-crc32:…\r\n \r\n
//! ```

use super::{Engine, Run, Undecodable};
use crate::limits::{AWS_CHUNK_LINE_MAX_BYTES, AWS_CHUNK_TRAILERS_MAX_BYTES};

/// What may stand behind the size of a chunk.
const SIGNATURE: &[u8] = b"chunk-signature=";
/// What the name of every trailer begins with.
const TRAILER: &[u8] = b"x-amz-";
/// Digits of a size.
const SIZE_MAX_DIGITS: usize = 8;

/// What the next byte belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// The line before a chunk.
    Line,
    /// A chunk of which so many bytes are still to come.
    Data(u64),
    /// The line end behind it.
    Behind,
    Trailers,
    /// Behind the empty line that ends it.
    Done,
    /// It is not in chunks: some stores hand out what they got with the name of the coding still on it.
    Plain,
}

/// The coding being undone.
#[derive(Debug)]
pub(super) struct AwsChunked {
    phase: Phase,
    /// What came of the line; where it is plain, what is still to be written.
    line: Vec<u8>,
    is_first: bool,
    trailer_bytes: usize,
}

impl AwsChunked {
    pub(super) fn new() -> AwsChunked {
        AwsChunked { phase: Phase::Line, line: Vec::new(), is_first: true, trailer_bytes: 0 }
    }

    /// A byte of the line before a chunk.
    fn take_line_byte(&mut self, byte: u8) -> Result<(), Undecodable> {
        self.line.push(byte);
        if byte == b'\n' {
            let size = size_in(&self.line).ok_or(Undecodable::Malformed)?;
            self.phase = if size == 0 { Phase::Trailers } else { Phase::Data(size) };
            self.line.clear();
            self.is_first = false;
        } else if !may_begin_line(&self.line) {
            return Err(Undecodable::Malformed);
        }
        Ok(())
    }

    /// A byte of the line end behind a chunk.
    fn take_end_byte(&mut self, byte: u8) -> Result<(), Undecodable> {
        match (self.line.is_empty(), byte) {
            (true, b'\r') => self.line.push(byte),
            (false, b'\n') => {
                self.line.clear();
                self.phase = Phase::Line;
            }
            _ => return Err(Undecodable::Malformed),
        }
        Ok(())
    }

    /// A byte of the trailers, or of the empty line behind them.
    fn take_trailer_byte(&mut self, byte: u8) -> Result<(), Undecodable> {
        self.trailer_bytes += 1;
        self.line.push(byte);
        let name = self.line.get(..TRAILER.len()).unwrap_or(&self.line);
        let is_trailer = name.iter().zip(TRAILER).all(|(a, b)| a.eq_ignore_ascii_case(b));
        let is_end = matches!(self.line.as_slice(), [b'\r'] | [b'\r', b'\n']);
        if !is_trailer && !is_end || self.trailer_bytes > AWS_CHUNK_TRAILERS_MAX_BYTES {
            return Err(Undecodable::Malformed);
        }
        if byte == b'\n' {
            self.phase = if is_end { Phase::Done } else { Phase::Trailers };
            self.line.clear();
        }
        Ok(())
    }

    /// Writes what is not in chunks.
    fn copy_plain(&mut self, input: &[u8], output: &mut [u8]) -> Run {
        let held = self.line.len().min(output.len());
        let (front, room) = output.split_at_mut_checked(held).unwrap_or_default();
        front.iter_mut().zip(self.line.drain(..held)).for_each(|(to, from)| *to = from);
        let taken = copy(input, room);
        Run { taken, written: held + taken, failure: None }
    }
}

impl Engine for AwsChunked {
    fn run(&mut self, input: &[u8], output: &mut [u8]) -> Run {
        let mut run = Run::default();
        while run.failure.is_none() {
            let rest = input.get(run.taken..).unwrap_or_default();
            let room = output.get_mut(run.written..).unwrap_or_default();
            let outcome = match (self.phase, rest.first()) {
                (Phase::Plain, _) => {
                    let plain = self.copy_plain(rest, room);
                    run.taken += plain.taken;
                    run.written += plain.written;
                    return run;
                }
                (_, None) => return run,
                (Phase::Done, Some(_)) => {
                    run.failure = Some(Undecodable::TrailingData);
                    return run;
                }
                (Phase::Data(left), Some(_)) => {
                    let most = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
                    let copied = copy(rest.get(..most).unwrap_or_default(), room);
                    if copied == 0 {
                        return run;
                    }
                    (run.taken, run.written) = (run.taken + copied, run.written + copied);
                    let left = left - copied as u64;
                    self.phase = if left == 0 { Phase::Behind } else { Phase::Data(left) };
                    continue;
                }
                (Phase::Line, Some(byte)) => self.take_line_byte(*byte),
                (Phase::Behind, Some(byte)) => self.take_end_byte(*byte),
                (Phase::Trailers, Some(byte)) => self.take_trailer_byte(*byte),
            };
            run.taken += 1;
            match outcome {
                Err(_) if self.is_first => self.phase = Phase::Plain,
                Err(failure) => run.failure = Some(failure),
                Ok(()) => {}
            }
        }
        run
    }

    fn is_complete(&self) -> bool {
        matches!(self.phase, Phase::Done | Phase::Plain)
    }
}

/// Copies as much as there is room for; says how much.
fn copy(input: &[u8], output: &mut [u8]) -> usize {
    let len = input.len().min(output.len());
    output.iter_mut().zip(input).for_each(|(to, from)| *to = *from);
    len
}

/// The size that a line says, if it is one.
fn size_in(line: &[u8]) -> Option<u64> {
    let line = line.strip_suffix(b"\r\n")?;
    let (size, signature) = match line.iter().position(|byte| *byte == b';') {
        Some(at) => (line.get(..at)?, line.get(at + 1..)?.strip_prefix(SIGNATURE)?),
        None => (line, &[][..]),
    };
    let is_size = (1..=SIZE_MAX_DIGITS).contains(&size.len());
    if !is_size || !signature.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u64::from_str_radix(std::str::from_utf8(size).ok()?, 16).ok()
}

/// Whether a line may begin so.
fn may_begin_line(line: &[u8]) -> bool {
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let is_size = digits <= SIZE_MAX_DIGITS && line.len() <= AWS_CHUNK_LINE_MAX_BYTES;
    is_size && digits > 0 && matches!(line.get(digits), None | Some(b';' | b'\r'))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What pieces say, and why no more.
    fn read(pieces: &[&[u8]], room: usize) -> (Vec<u8>, Option<Undecodable>, bool) {
        let (mut engine, mut text) = (AwsChunked::new(), Vec::new());
        let mut output = vec![0; room];
        for piece in pieces {
            let mut rest = *piece;
            loop {
                let run = engine.run(rest, &mut output);
                text.extend_from_slice(&output[..run.written]);
                if run.failure.is_some() {
                    return (text, run.failure, false);
                }
                rest = &rest[run.taken..];
                if run.taken == 0 && run.written == 0 {
                    assert!(rest.is_empty());
                    break;
                }
            }
        }
        (text, None, engine.is_complete())
    }

    fn framed(data: &[u8], chunk: usize, signature: &str, trailers: &str) -> Vec<u8> {
        let mut framed = Vec::new();
        for data in data.chunks(chunk).chain([&[][..]]) {
            framed.extend_from_slice(format!("{:x}{signature}\r\n", data.len()).as_bytes());
            framed.extend_from_slice(data);
            if !data.is_empty() {
                framed.extend_from_slice(b"\r\n");
            }
        }
        [&framed[..], trailers.as_bytes(), b"\r\n"].concat()
    }

    #[test]
    fn chunks_are_one_text_without_their_lines() {
        let signature = format!(";chunk-signature={}", "0a".repeat(32));
        for (signature, trailers) in
            [("", ""), (&*signature, ""), ("", "x-amz-checksum-crc32:AAAAAA==\r\n")]
        {
            let body = framed(b"a secret in pieces", 5, signature, trailers);
            assert_eq!(read(&[&body], 64), (b"a secret in pieces".to_vec(), None, true));
        }
    }

    #[test]
    fn what_is_not_in_chunks_is_read_as_it_is_and_what_breaks_off_is_told() {
        let html = b"<html>plain</html>";
        assert_eq!(read(&[html], 4), (html.to_vec(), None, true));
        assert_eq!(read(&[b"5;ext=1\r\nhello"], 64).0, b"5;ext=1\r\nhello");
        assert_eq!(read(&[b"5\r\nhello!"], 64).1, Some(Undecodable::Malformed));
        assert_eq!(read(&[b"5\r\nhello\r\n5;x=secret\r\n"], 64).1, Some(Undecodable::Malformed));
        assert_eq!(read(&[b"0\r\nnote: secret\r\n"], 64).1, Some(Undecodable::Malformed));
        assert_eq!(read(&[b"5\r\nhel"], 64), (b"hel".to_vec(), None, false));
        let trailers = format!("x-amz-a:{}\r\n", "a".repeat(AWS_CHUNK_TRAILERS_MAX_BYTES));
        let long = framed(b"x", 1, "", &trailers);
        assert_eq!(read(&[&long], 64).1, Some(Undecodable::Malformed));
        let line = format!("5;chunk-signature={}", "0".repeat(AWS_CHUNK_LINE_MAX_BYTES));
        assert_eq!(read(&[line.as_bytes()], 4_096).0, line.as_bytes());
    }

    proptest! {
        #[test]
        fn any_split_says_the_same(
            data in proptest::collection::vec(any::<u8>(), 0..200),
            chunk in 1_usize..50, split in 0_usize..300, room in 1_usize..40,
        ) {
            let body = framed(&data, chunk, "", "x-amz-trailer-signature:00ff\r\n");
            let (left, right) = body.split_at(split.min(body.len()));
            prop_assert_eq!(read(&[left, right], room), (data, None, true));
        }

        #[test]
        fn nothing_makes_it_panic(
            data in proptest::collection::vec(
                prop_oneof![Just(b'\r'), Just(b'\n'), Just(b'5'), Just(b';'), any::<u8>()], 0..60),
        ) {
            let (text, _, _) = read(&[&data], 7);
            prop_assert!(text.len() <= data.len());
        }
    }
}
