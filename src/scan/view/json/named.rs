//! Events that name their kind in front of their JSON: the parts of the AI SDK's first data stream (`0:"text"`, a line
//! each), and the packets of Socket.IO (`42["event",{…}]`, a message each).

use memchr::memchr;

use crate::limits::SOCKET_IO_HEAD_MAX_BYTES;

/// The bytes that tell a part.
const PART_HEAD_BYTES: usize = 3;

/// The kind of a part, and its JSON.
pub fn part(line: &[u8]) -> Option<(u8, &[u8])> {
    match line {
        [kind @ (b'0'..=b'9' | b'a'..=b'z'), b':', json @ ..]
            if matches!(json, [b'"' | b'{' | b'[', ..]) =>
        {
            Some((*kind, json))
        }
        _ => None,
    }
}

/// Whether more bytes are needed to tell a part.
pub fn may_be_part(head: &[u8]) -> bool {
    let is_begun = match head {
        [kind] | [kind, b':'] => kind.is_ascii_digit() || kind.is_ascii_lowercase(),
        _ => false,
    };
    is_begun && head.len() < PART_HEAD_BYTES
}

/// The JSON of a packet that carries an event or its acknowledgment: behind the numbers of both protocols, of the
/// attachments (`-` behind it), the namespace (`,` behind it), and the number of the acknowledgment.
pub fn packet(message: &[u8]) -> Option<&[u8]> {
    let [b'4', b'2' | b'3' | b'5' | b'6', rest @ ..] = message else { return None };
    let near = rest.get(..SOCKET_IO_HEAD_MAX_BYTES).unwrap_or(rest);
    let (head, json) = rest.split_at_checked(memchr(b'[', near)?)?;
    let numbers = match head.iter().position(|byte| *byte == b'/') {
        Some(at) if head.ends_with(b",") => head.get(..at)?,
        Some(at) => {
            let comma = head.iter().rposition(|byte| *byte == b',').filter(|comma| *comma > at)?;
            head.get(comma + 1..)?
        }
        None => head,
    };
    numbers.iter().all(|byte| byte.is_ascii_digit() || *byte == b'-').then_some(json)
}

/// Whether a body begins as packets do that are fetched or sent by HTTP, with a separator of records between them
/// (Engine.IO's protocol 4): the first is an event, the start of a namespace, or a sign of life before another one.
pub fn begins_packets(head: &[u8]) -> bool {
    match head {
        [b'4', b'0', b'{' | b'/' | SEPARATOR, ..] | [b'2' | b'3' | b'6', SEPARATOR, ..] => true,
        _ => packet(head).is_some(),
    }
}

/// What stands between two packets.
const SEPARATOR: u8 = 0x1e;

/// Whether more bytes are needed to tell such a body.
pub fn may_begin_packets(head: &[u8]) -> bool {
    matches!(head, [b'2' | b'3' | b'4' | b'6'] | [b'4', b'0' | b'2' | b'3' | b'5' | b'6'])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_told_by_their_first_bytes() {
        assert_eq!(part(b"0:\"to\""), Some((b'0', &b"\"to\""[..])));
        assert_eq!(part(b"d:{\"a\":1}"), Some((b'd', &b"{\"a\":1}"[..])));
        for no in [&b""[..], b"0", b"0:", b"0: \"a\"", b"00:\"a\"", b"A:\"a\"", b"a:b"] {
            assert_eq!(part(no), None);
        }
        for (head, may_be) in
            [(&b"0"[..], true), (b"g:", true), (b"", false), (b"{", false), (b"id", false)]
        {
            assert_eq!(may_be_part(head), may_be, "{head:?}");
        }
        assert!(!may_be_part(b"0:x"));
    }

    #[test]
    fn bodies_of_packets_are_told_by_the_first() {
        for yes in [&b"42[1]"[..], b"40{\"sid\":\"a\"}", b"40/chat,", b"40\x1e42[1]", b"2\x1e42[1]"]
        {
            assert!(begins_packets(yes), "{:?}", String::from_utf8_lossy(yes));
        }
        for no in [&b""[..], b"2", b"40", b"42", b"40 of 42", b"42 or so [1]", b"4[1]", b"2 42[1]"]
        {
            assert!(!begins_packets(no), "{:?}", String::from_utf8_lossy(no));
        }
        for (head, may_be) in [(&b"4"[..], true), (b"42", true), (b"41", false), (b"42[", false)] {
            assert_eq!(may_begin_packets(head), may_be, "{head:?}");
        }
    }

    #[test]
    fn packets_are_told_by_their_numbers() {
        for yes in
            [&b"42[1]"[..], b"4212[1]", b"43/chat,7[1]", b"42/chat,[1]", b"451-[1]", b"461-/a,3[1]"]
        {
            assert_eq!(packet(yes), Some(&b"[1]"[..]), "{:?}", String::from_utf8_lossy(yes));
        }
        for no in [
            &b""[..],
            b"2",
            b"40{\"sid\":\"a\"}",
            b"42",
            b"42{}",
            b"42 or so [1]",
            b"42/chat[1]",
            b"[1]",
        ] {
            assert_eq!(packet(no), None, "{:?}", String::from_utf8_lossy(no));
        }
        let long = |len| [b"42", &vec![b'1'; len][..], b"[1]"].concat();
        assert!(packet(&long(SOCKET_IO_HEAD_MAX_BYTES - 1)).is_some());
        assert!(packet(&long(SOCKET_IO_HEAD_MAX_BYTES)).is_none());
    }
}
