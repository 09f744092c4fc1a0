//! What a `Content-Type` says of the boundary, and a part's head of its contents. Values stand as they came.

use crate::limits::MULTIPART_BOUNDARY_MAX_BYTES;

/// The boundary of a multipart type, quotes undone. Longer ones than RFC 2046 allows are read up to a bound.
pub fn boundary(content_type: &[u8]) -> Option<Vec<u8>> {
    let (kind, parameters) = split_once(content_type, b';')?;
    let (main, _) = split_once(kind.trim_ascii(), b'/')?;
    if !main.eq_ignore_ascii_case(b"multipart") {
        return None;
    }
    let value = parameter(parameters, b"boundary")?;
    let mut boundary = Vec::new();
    let mut is_escaped = false;
    for byte in value {
        is_escaped = *byte == b'\\' && !is_escaped;
        if !is_escaped {
            boundary.push(*byte);
        }
    }
    let is_usable = !boundary.is_empty()
        && boundary.len() <= MULTIPART_BOUNDARY_MAX_BYTES
        && !boundary.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0))
        && boundary.last() != Some(&b' ');
    is_usable.then_some(boundary)
}

/// What a part's head says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PartHead<'a> {
    pub name: Option<&'a [u8]>,
    /// Of `filename`; of `filename*`, still percent-encoded, if it stands alone.
    pub filename: Option<&'a [u8]>,
    pub content_type: Option<&'a [u8]>,
    pub transfer_encoding: Option<&'a [u8]>,
}

impl<'a> PartHead<'a> {
    /// Of a whole head, as [`super::Reader::head`] gives it.
    pub fn parse(head: &'a [u8]) -> PartHead<'a> {
        let mut parsed = PartHead::default();
        for line in head.split(|byte| *byte == b'\n') {
            let Some((field, value)) = split_once(line, b':') else { continue };
            let value = value.trim_ascii();
            let field = field.trim_ascii();
            if field.eq_ignore_ascii_case(b"content-disposition") {
                let (_, parameters) = split_once(value, b';').unwrap_or((value, &[]));
                parsed.name = parameter(parameters, b"name");
                parsed.filename = parameter(parameters, b"filename")
                    .or_else(|| parameter(parameters, b"filename*"));
            } else if field.eq_ignore_ascii_case(b"content-type") {
                parsed.content_type = Some(value);
            } else if field.eq_ignore_ascii_case(b"content-transfer-encoding") {
                parsed.transfer_encoding = Some(value);
            }
        }
        parsed
    }
}

/// The first parameter of that name: what stands between its quotes, or up to the next semicolon.
fn parameter<'a>(parameters: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let mut rest = parameters;
    while !rest.is_empty() {
        let (key, behind) = split_once(rest, b'=')?;
        // A parameter without a value ends at a semicolon before the equals sign.
        let key = key.rsplit(|byte| *byte == b';').next().unwrap_or(key).trim_ascii();
        let behind = behind.trim_ascii_start();
        let (value, next) = match behind.strip_prefix(b"\"") {
            Some(quoted) => {
                let end = quote_end(quoted);
                let next = quoted.get(end..).unwrap_or_default();
                (quoted.get(..end).unwrap_or_default(), split_once(next, b';'))
            }
            None => {
                let (value, _) = split_once(behind, b';').unwrap_or((behind, &[]));
                (value.trim_ascii(), split_once(behind, b';'))
            }
        };
        if key.eq_ignore_ascii_case(name) {
            return Some(value);
        }
        rest = next.map_or(&[], |(_, rest)| rest);
    }
    None
}

/// Where the closing quote stands.
fn quote_end(quoted: &[u8]) -> usize {
    let mut is_escaped = false;
    let is_end = |byte: &u8| {
        let is_end = *byte == b'"' && !is_escaped;
        is_escaped = *byte == b'\\' && !is_escaped;
        is_end
    };
    quoted.iter().position(is_end).unwrap_or(quoted.len())
}

fn split_once(bytes: &[u8], separator: u8) -> Option<(&[u8], &[u8])> {
    let at = bytes.iter().position(|byte| *byte == separator)?;
    Some((bytes.get(..at)?, bytes.get(at + 1..)?))
}
