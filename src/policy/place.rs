//! Where in a message a match stands. Takes the head's bytes as they were scanned and judges none of them.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use memchr::{memchr, memchr_iter, memchr2, memrchr};

use crate::limits::PATH_UNESCAPES_MAX;
use crate::percent;

/// The place of a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place<'a> {
    /// The request line without its query, or the status line.
    Path,
    /// The query of a request's target: the parameter's name, as it was sent.
    Query(&'a str),
    /// A header field: its name, as it was sent.
    Header(&'a str),
    Body,
    /// A line of the chunked coding, before a chunk of a body.
    ChunkLine,
    WebSocket,
    Tunnel,
}

impl<'a> Place<'a> {
    /// The place of a match that begins `at` bytes into a head.
    pub fn in_head(head: &'a [u8], at: u64) -> Place<'a> {
        let (start, line) = line_at(head, at);
        if head.get(..start).unwrap_or_default().iter().all(u8::is_ascii_whitespace) {
            let at = usize::try_from(at).unwrap_or(usize::MAX).min(head.len());
            return in_start_line(line, at.saturating_sub(start));
        }
        field_of(line)
    }

    /// The same of fields without a start line, as behind a chunked body.
    pub fn in_fields(fields: &'a [u8], at: u64) -> Place<'a> {
        field_of(line_at(fields, at).1)
    }

    /// The header's name, if it is one.
    pub fn header(self) -> Option<&'a str> {
        match self {
            Place::Header(name) => Some(name),
            _ => None,
        }
    }
}

/// Whether these may be one place, neither being further than to the end of its line.
pub fn may_meet(lines: &[u8], one: &RangeInclusive<u64>, other: &RangeInclusive<u64>) -> bool {
    let last = |range: &RangeInclusive<u64>| {
        let (start, line) = line_at(lines, *range.start());
        (*range.end()).min((start + line.len()) as u64)
    };
    *one.start() <= last(other) && *other.start() <= last(one)
}

/// The line in which the byte at `at` stands, and where it begins.
fn line_at(lines: &[u8], at: u64) -> (usize, &[u8]) {
    let at = usize::try_from(at).unwrap_or(usize::MAX).min(lines.len());
    let before = lines.get(..at).unwrap_or_default();
    let start = memrchr(b'\n', before).map_or(0, |end| end + 1);
    let line = lines.get(start..).unwrap_or_default();
    (start, line.get(..memchr(b'\n', line).unwrap_or(line.len())).unwrap_or_default())
}

fn field_of(line: &[u8]) -> Place<'_> {
    Place::Header(text(line.split(|byte| *byte == b':').next().unwrap_or_default()))
}

/// The path of a request's target, without its query: of origin-form and absolute-form (RFC 9112 §3.2).
pub fn path_of(target: &str) -> &str {
    let end = memchr2(b'?', b'#', target.as_bytes());
    let target = end.and_then(|end| target.get(..end)).unwrap_or(target);
    if target.starts_with('/') {
        return target;
    }
    let bytes = target.as_bytes();
    let behind = |at: usize| target.get(at..)?.strip_prefix("://");
    match memchr_iter(b':', bytes).find_map(behind) {
        Some(rest) => {
            memchr(b'/', rest.as_bytes()).and_then(|slash| rest.get(slash..)).unwrap_or("/")
        }
        None => target,
    }
}

/// The path in a request's head.
pub fn path_in(head: &[u8]) -> &str {
    let line = head.trim_ascii_start().split(|byte| *byte == b'\n').next().unwrap_or_default();
    path_of(text(line.split(|byte| *byte == b' ').nth(1).unwrap_or_default()))
}

/// Whether a path may lead elsewhere than it reads: it has a segment `.` or `..`, escaped or not, also as servers
/// take them that know `\\`, parameters behind `;` or a second escape.
pub fn leads_elsewhere(path: &str) -> bool {
    let mut path = Cow::Borrowed(path.as_bytes());
    for _ in 0..PATH_UNESCAPES_MAX {
        match unescaped(&path) {
            Some(plain) => path = Cow::Owned(plain),
            None => return has_dot_segment(&path),
        }
    }
    // Nobody escapes that often without intent.
    has_dot_segment(&path) || unescaped(&path).is_some()
}

fn has_dot_segment(path: &[u8]) -> bool {
    let name = |segment: &[u8]| {
        let end = segment.iter().position(|byte| *byte == b';' || *byte <= b' ');
        matches!(segment.get(..end.unwrap_or(segment.len())), Some(b"." | b".."))
    };
    path.split(|byte| matches!(byte, b'/' | b'\\')).any(name)
}

/// The path with its percent escapes undone; none if it has none.
fn unescaped(path: &[u8]) -> Option<Vec<u8>> {
    memchr(b'%', path)?;
    let plain = percent::lenient(path);
    (plain.len() < path.len()).then_some(plain)
}

fn in_start_line(line: &[u8], at: usize) -> Place<'_> {
    let Some(query) = memchr(b'?', line).filter(|query| at >= *query) else { return Place::Path };
    // A match may begin with the sign in front of its parameter.
    let mut signs = line.get(query..=at).unwrap_or_default().iter();
    let Some(sign) = signs.rposition(|byte| matches!(byte, b'?' | b'&')) else {
        return Place::Path;
    };
    let parameter = line.get(query + sign + 1..).unwrap_or_default();
    let is_end = |byte: &u8| matches!(byte, b'=' | b'&' | b' ' | b'#');
    let end = parameter.iter().position(is_end).unwrap_or(parameter.len());
    Place::Query(text(parameter.get(..end).unwrap_or_default()))
}

/// Names are ASCII; what is not cannot be named.
fn text(name: &[u8]) -> &str {
    std::str::from_utf8(name.trim_ascii()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEAD: &[u8] =
        b"\r\nPOST /bot12/send?first=one&key=two&last HTTP/1.1\r\nHost: a.example\r\n\
        X-Api-Key: three?four=five\r\nCookie: six\r\n\r\n";

    fn place_of(word: &str) -> Place<'static> {
        let at = HEAD.windows(word.len()).position(|part| part == word.as_bytes()).unwrap();
        Place::in_head(HEAD, at as u64)
    }

    #[test]
    fn each_part_of_a_head_has_its_place() {
        for (word, place) in [
            ("POST", Place::Path),
            ("12/send", Place::Path),
            ("first", Place::Query("first")),
            ("one", Place::Query("first")),
            ("&key", Place::Query("key")),
            ("two", Place::Query("key")),
            ("last", Place::Query("last")),
            ("a.example", Place::Header("Host")),
            ("X-Api", Place::Header("X-Api-Key")),
            ("three", Place::Header("X-Api-Key")),
            ("five", Place::Header("X-Api-Key")),
            ("six", Place::Header("Cookie")),
        ] {
            assert_eq!(place_of(word), place, "{word}");
        }
        assert_eq!(Place::in_head(b"", 9), Place::Path);
        assert_eq!(place_of("three").header(), Some("X-Api-Key"));
        assert_eq!(place_of("POST").header(), None);
    }

    #[test]
    fn fields_without_a_start_line_have_their_places() {
        let fields = b"X-Sum: seven\r\nX-Api-Key: eight\r\n";
        assert_eq!(Place::in_fields(fields, 0), Place::Header("X-Sum"));
        assert_eq!(Place::in_fields(fields, 9), Place::Header("X-Sum"));
        assert_eq!(Place::in_fields(fields, 27), Place::Header("X-Api-Key"));
        assert_eq!(Place::in_fields(fields, u64::MAX), Place::Header(""));
    }

    #[test]
    fn places_meet_within_a_line_only() {
        let lines = b"a: one\r\nb: two\r\n";
        let meet = |one: RangeInclusive<u64>, other: RangeInclusive<u64>| {
            assert_eq!(may_meet(lines, &one, &other), may_meet(lines, &other, &one));
            may_meet(lines, &one, &other)
        };
        assert!(meet(3..=3, 3..=3) && meet(0..=3, 3..=5) && meet(0..=u64::MAX, 5..=5));
        assert!(!meet(3..=3, 4..=4) && !meet(0..=u64::MAX, 9..=9) && !meet(0..=3, 11..=u64::MAX));
    }

    #[test]
    fn the_path_is_without_host_and_query() {
        for (target, path) in [
            ("/a/b?c=/d", "/a/b"),
            ("http://a.example/b/c?d", "/b/c"),
            ("http://a.example?d", "/"),
            ("/redirect/https://b.example/", "/redirect/https://b.example/"),
            ("*", "*"),
            ("a.example:443", "a.example:443"),
        ] {
            assert_eq!(path_of(target), path);
        }
        assert_eq!(path_in(HEAD), "/bot12/send");
        assert_eq!(path_in(b""), "");
    }

    #[test]
    fn a_path_with_dots_for_segments_leads_elsewhere() {
        for path in [
            "/upload/../x",
            "/upload/..",
            "/./x",
            "/a/%2e%2e/x",
            "/a/.%2E/x",
            "/a/%2e%2e%2fx",
            "/a%2f..%5cx",
            "/a/..\\x",
            "/a/..;v=1/x",
            "/a/%252e%252e/x",
            "/a/..%00/x",
            "..",
        ] {
            assert!(leads_elsewhere(path), "{path}");
        }
        for path in ["/a/.env", "/a/..b/c..", "/a/b.c", "/@a%2fb", "/100%", "/...", "/a;..b/c%20.d"]
        {
            assert!(!leads_elsewhere(path), "{path}");
        }
        let escaped = |times: usize| format!("/a/%{}2e/x", "25".repeat(times - 1));
        assert!(leads_elsewhere(&escaped(PATH_UNESCAPES_MAX)));
        assert!(leads_elsewhere(&escaped(PATH_UNESCAPES_MAX + 1)), "not undone, but not trusted");
    }

    proptest! {
        #[test]
        fn any_bytes_have_a_place(head in prop::collection::vec(any::<u8>(), 0..200), at: u64) {
            leads_elsewhere(path_in(&head));
            Place::in_head(&head, at);
            Place::in_head(&head, at % 200);
            Place::in_fields(&head, at % 200);
        }
    }
}
