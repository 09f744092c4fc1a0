//! What an upgrade agreed on: whether both sides speak WebSocket from here on (RFC 6455 §4), and with which
//! extensions (§9.1, RFC 7692 §7.1). The response alone decides, since it names what was taken of the offers.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use data_encoding::BASE64;

use super::super::fields::list_items;
use super::super::head::{RequestHead, ResponseHead};

/// RFC 6455 §1.3: what the server appends to the client's key before it hashes it.
const KEY_SUFFIX: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The subprotocol of Kubernetes' exec, attach and port-forward for clients that send text only.
const BASE64_CHANNELS: &[u8] = b"base64.channel.k8s.io";

/// The window that is used unless a smaller one was agreed on, and the smallest (RFC 7692 §7.1.2).
const WINDOW_BITS_MAX: u8 = 15;
const WINDOW_BITS_MIN: u8 = 8;

/// A WebSocket that was agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreement {
    /// Whether the server's answer fits the client's key. If not, the client must fail the connection
    /// (RFC 6455 §4.1); should both go on all the same, what they say can still be read.
    pub is_proven: bool,
    pub extensions: Extensions,
    /// Whether messages are Kubernetes' channels in text: the number of one, then base64.
    pub is_base64_channels: bool,
}

/// Which extensions the server took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extensions {
    /// None.
    None,
    /// permessage-deflate.
    Deflate(Compression),
    /// Something that cannot be read here, and why not.
    Unreadable(&'static str),
}

/// What permessage-deflate was agreed on, each side as the sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compression {
    pub client: Side,
    pub server: Side,
}

/// One sender's compression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Side {
    /// The base-2 logarithm of its window, 8 to 15.
    pub window_bits: u8,
    /// Whether a message may refer back to those before it.
    pub takes_over: bool,
}

impl Default for Side {
    fn default() -> Self {
        Side { window_bits: WINDOW_BITS_MAX, takes_over: true }
    }
}

/// What a request and the 101 to it agreed on; None if it is another protocol than WebSocket.
pub fn agreement(request: &RequestHead<'_>, response: &ResponseHead<'_>) -> Option<Agreement> {
    // A 101 must say what it switches to (RFC 9110 §15.2.2); where it does not, it is what was asked for.
    let mut chosen = response.fields.values("upgrade").flat_map(list_items).peekable();
    let is_websocket = |protocol: &[u8]| protocol.eq_ignore_ascii_case(b"websocket");
    let is_agreed = if chosen.peek().is_some() {
        chosen.any(is_websocket)
    } else {
        request.fields.values("upgrade").flat_map(list_items).any(is_websocket)
    };
    is_agreed.then(|| Agreement {
        is_proven: is_proven(request, response),
        extensions: extensions(response),
        is_base64_channels: response.get("sec-websocket-protocol") == Some(BASE64_CHANNELS),
    })
}

/// RFC 6455 §4.2.2, step 5.4.
fn is_proven(request: &RequestHead<'_>, response: &ResponseHead<'_>) -> bool {
    let (Some(key), Some(accept)) =
        (request.get("sec-websocket-key"), response.get("sec-websocket-accept"))
    else {
        return false;
    };
    let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, &[key, KEY_SUFFIX].concat());
    BASE64.encode(hash.as_ref()).as_bytes() == accept
}

fn extensions(response: &ResponseHead<'_>) -> Extensions {
    let values = response.fields.values("sec-websocket-extensions");
    let mut listed = values.flat_map(|value| split_unquoted(value, b',')).filter(|e| !e.is_empty());
    let Some(extension) = listed.next() else { return Extensions::None };
    if listed.next().is_some() {
        return Extensions::Unreadable("more than one extension was agreed on");
    }
    let mut parameters = split_unquoted(extension, b';');
    let name = parameters.next().unwrap_or_default();
    if !name.eq_ignore_ascii_case(b"permessage-deflate") {
        return Extensions::Unreadable("an unknown extension was agreed on");
    }
    match compression(parameters) {
        Some(compression) => Extensions::Deflate(compression),
        None => Extensions::Unreadable("malformed parameters of permessage-deflate"),
    }
}

/// RFC 7692 §7.1: each parameter once, with a value where it takes one.
fn compression<'v>(parameters: impl Iterator<Item = &'v [u8]>) -> Option<Compression> {
    let (mut client_window, mut server_window) = (None, None);
    let (mut client_resets, mut server_resets) = (false, false);
    for parameter in parameters {
        let (name, value) = match parameter.iter().position(|byte| *byte == b'=') {
            Some(equals) => {
                let (name, value) = parameter.split_at_checked(equals)?;
                (name.trim_ascii(), Some(value.get(1..)?.trim_ascii()))
            }
            None => (parameter, None),
        };
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        if is("client_max_window_bits") && client_window.is_none() {
            client_window = Some(window_bits(value?)?);
        } else if is("server_max_window_bits") && server_window.is_none() {
            server_window = Some(window_bits(value?)?);
        } else if is("client_no_context_takeover") && value.is_none() && !client_resets {
            client_resets = true;
        } else if is("server_no_context_takeover") && value.is_none() && !server_resets {
            server_resets = true;
        } else {
            return None;
        }
    }
    let side = |window: Option<u8>, resets: bool| Side {
        window_bits: window.unwrap_or(WINDOW_BITS_MAX),
        takes_over: !resets,
    };
    Some(Compression {
        client: side(client_window, client_resets),
        server: side(server_window, server_resets),
    })
}

/// RFC 7692 §7.1.2: a decimal from 8 to 15 without leading zeros, as a token or a quoted string.
fn window_bits(value: &[u8]) -> Option<u8> {
    let quoted = value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
    let digits = quoted.unwrap_or(value);
    if digits.first() == Some(&b'0') || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let bits = std::str::from_utf8(digits).ok()?.parse().ok()?;
    (WINDOW_BITS_MIN..=WINDOW_BITS_MAX).contains(&bits).then_some(bits)
}

/// The parts between separators that stand outside of quoted strings, without the blanks around them.
fn split_unquoted(value: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    let parts = value.split(move |&byte| {
        if is_escaped {
            is_escaped = false;
            return false;
        }
        match byte {
            b'"' => is_quoted = !is_quoted,
            b'\\' if is_quoted => is_escaped = true,
            _ => {}
        }
        byte == separator && !is_quoted
    });
    parts.map(<[u8]>::trim_ascii)
}

#[cfg(test)]
mod tests {
    use super::super::super::head::{HeadLimits, parse_request, parse_response};
    use super::*;

    const LIMITS: HeadLimits = HeadLimits { max_bytes: 65_536, max_headers: 64 };
    const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    const ACCEPT: &str = "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n";

    fn agreed(request: &str, response: &str) -> Option<Agreement> {
        let request = format!("GET /chat HTTP/1.1\r\nHost: h\r\n{request}\r\n");
        let response = format!("HTTP/1.1 101 Switching Protocols\r\n{response}\r\n");
        agreement(
            &parse_request(request.as_bytes(), &LIMITS).unwrap().unwrap(),
            &parse_response(response.as_bytes(), &LIMITS).unwrap().unwrap(),
        )
    }

    fn extensions_of(fields: &str) -> Extensions {
        let response = format!("Upgrade: websocket\r\n{ACCEPT}{fields}");
        agreed(&format!("Upgrade: websocket\r\n{KEY}"), &response).unwrap().extensions
    }

    fn deflate(parameters: &str) -> Option<Compression> {
        let field = format!("Sec-WebSocket-Extensions: permessage-deflate{parameters}\r\n");
        match extensions_of(&field) {
            Extensions::Deflate(compression) => Some(compression),
            Extensions::Unreadable(_) => None,
            Extensions::None => panic!("not seen: {parameters}"),
        }
    }

    #[test]
    fn the_example_of_the_rfc_is_a_proven_websocket() {
        let agreement = agreed(
            &format!("Upgrade: websocket\r\nConnection: Upgrade\r\n{KEY}"),
            &format!("Upgrade: websocket\r\nConnection: Upgrade\r\n{ACCEPT}"),
        );
        let expected =
            Agreement { is_proven: true, extensions: Extensions::None, is_base64_channels: false };
        assert_eq!(agreement, Some(expected));
    }

    #[test]
    fn a_wrong_or_missing_proof_is_told() {
        let wrong = ACCEPT.replace("s3pP", "s3pQ");
        for (request, response) in [(KEY, wrong.as_str()), (KEY, ""), ("", ACCEPT), ("", "")] {
            let agreement = agreed(
                &format!("Upgrade: websocket\r\n{request}"),
                &format!("Upgrade: WebSocket\r\n{response}"),
            );
            assert!(!agreement.unwrap().is_proven, "{request}{response}");
        }
    }

    #[test]
    fn the_response_says_what_is_switched_to() {
        assert!(agreed("Upgrade: websocket\r\n", "Upgrade: chat/1\r\n").is_none());
        assert!(agreed("Upgrade: chat/1, websocket\r\n", "Upgrade: chat/1\r\n").is_none());
        assert!(agreed("Upgrade: chat/1\r\n", "").is_none());
        assert!(agreed("Upgrade: chat/1\r\n", "Upgrade: WEBSOCKET\r\n").is_some());
        assert!(agreed("Upgrade: chat/1, websocket\r\n", "").is_some());
    }

    #[test]
    fn the_response_says_of_what_kind_messages_are() {
        for (protocol, is_so) in [("base64.channel.k8s.io", true), ("v4.channel.k8s.io", false)] {
            let field = format!("Sec-WebSocket-Protocol: {protocol}\r\n");
            let offered = agreed(&field, "Upgrade: websocket\r\n").unwrap();
            assert!(!offered.is_base64_channels, "{protocol}");
            let taken = agreed(&field, &format!("Upgrade: websocket\r\n{field}")).unwrap();
            assert_eq!(taken.is_base64_channels, is_so, "{protocol}");
        }
    }

    #[test]
    fn parameters_of_permessage_deflate() {
        let default = Side::default();
        let fresh = Side { takes_over: false, ..default };
        let small = |window_bits| Side { window_bits, ..default };
        for (parameters, client, server) in [
            ("", default, default),
            ("; server_no_context_takeover", default, fresh),
            (";client_no_context_takeover", fresh, default),
            ("; client_no_context_takeover ; server_no_context_takeover", fresh, fresh),
            ("; server_max_window_bits=8", default, small(8)),
            ("; client_max_window_bits=\"10\"", small(10), default),
            ("; CLIENT_MAX_WINDOW_BITS = 9; server_max_window_bits=15", small(9), default),
        ] {
            assert_eq!(deflate(parameters), Some(Compression { client, server }), "{parameters}");
        }
    }

    #[test]
    fn malformed_parameters_are_unreadable() {
        for parameters in [
            "; server_max_window_bits",
            "; client_max_window_bits",
            "; client_max_window_bits=7",
            "; client_max_window_bits=16",
            "; client_max_window_bits=08",
            "; client_max_window_bits=+9",
            "; client_max_window_bits=",
            "; client_max_window_bits=9; client_max_window_bits=9",
            "; server_max_window_bits=9; server_max_window_bits=10",
            "; server_no_context_takeover=1",
            "; server_no_context_takeover; server_no_context_takeover",
            "; mystery",
            ";",
        ] {
            assert_eq!(deflate(parameters), None, "{parameters}");
        }
    }

    #[test]
    fn unknown_and_stacked_extensions_are_unreadable() {
        for value in [
            "x-webkit-deflate-frame",
            "permessage-bzip2; a=\"1, 2; permessage-deflate\"",
            "permessage-deflate, mux",
            "permessage-deflate, permessage-deflate",
            "permessage-deflate\r\nSec-WebSocket-Extensions: permessage-deflate",
        ] {
            let field = format!("Sec-WebSocket-Extensions: {value}\r\n");
            assert!(matches!(extensions_of(&field), Extensions::Unreadable(_)), "{value}");
        }
        assert_eq!(extensions_of("Sec-WebSocket-Extensions: \r\n"), Extensions::None);
        assert_eq!(extensions_of("Sec-WebSocket-Extensions: ,\r\n"), Extensions::None);
    }
}
