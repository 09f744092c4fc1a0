//! The ways in which a text can stand on the wire: independent encoders of what the proxy decodes.

use std::fmt::Write as _;
use std::io::Write as _;

use data_encoding::{BASE32, BASE64, HEXLOWER, HEXUPPER};
use serde_json::json;

/// A body and the header lines that go with it, each ended by CRLF.
pub struct Encoded {
    pub headers: String,
    pub body: Vec<u8>,
}

/// One way: its name, and what it makes of a text.
pub type Encoding = (&'static str, fn(&str) -> Encoded);

/// Every way that a text of any pattern must be found in.
pub const ENCODINGS: &[Encoding] = &[
    ("plain", |text| typed("text/plain", text)),
    ("json", |text| typed("application/json", json!({ "text": text }).to_string())),
    ("json in json", json_in_json),
    ("unicode escapes", |text| {
        typed("application/json", format!("{{\"text\":\"{}\"}}", each_unit(text)))
    }),
    ("percent", |text| {
        typed("text/plain", each_byte(text, |out, byte| write!(out, "%{byte:02X}")))
    }),
    ("form", |text| {
        typed(
            "application/x-www-form-urlencoded",
            format!("a=1&text={}&b=2", each_byte(text, |out, byte| write!(out, "%{byte:02x}"))),
        )
    }),
    ("base64", |text| {
        let data = BASE64.encode(text.as_bytes());
        typed("application/json", json!({ "data": data }).to_string())
    }),
    ("base64 in lines", |text| {
        let data =
            BASE64.encode(format!("{text} {}", "and more of the same. ".repeat(9)).as_bytes());
        let lines: Vec<&str> =
            data.as_bytes().chunks(76).map(|line| std::str::from_utf8(line).unwrap()).collect();
        typed("text/plain", lines.join("\r\n"))
    }),
    ("base32", |text| typed("text/plain", BASE32.encode(text.as_bytes()))),
    ("hex", |text| typed("text/plain", HEXLOWER.encode(text.as_bytes()))),
    ("numbers", |text| {
        let data = json!({"type": "Buffer", "data": text.as_bytes()});
        typed("application/json", data.to_string())
    }),
    ("hexdump", |text| typed("text/plain", hexdump(text.as_bytes()))),
    ("html", |text| {
        let entities = each_byte(text, |out, byte| write!(out, "&#{byte};"));
        typed("text/html", format!("<p>{entities}</p>"))
    }),
    ("utf-16", |text| {
        let units = text.encode_utf16().flat_map(u16::to_le_bytes);
        typed(
            "text/plain; charset=utf-16",
            [0xff, 0xfe].into_iter().chain(units).collect::<Vec<_>>(),
        )
    }),
    ("zero width", |text| {
        let spread: String = text.chars().flat_map(|character| [character, '\u{200b}']).collect();
        typed("text/plain; charset=utf-8", spread)
    }),
    ("colours of a terminal", |text| {
        let coloured = |word| format!("\x1b[01;31m\x1b[K{word}\x1b[m\x1b[K");
        let words: Vec<String> = text.split(' ').map(coloured).collect();
        typed("text/plain", words.join(" "))
    }),
    ("markdown", |text| typed("text/markdown", text.replace('_', "\\_"))),
    ("gzip", |text| coded("gzip", gzip(text.as_bytes()))),
    ("deflate", |text| coded("deflate", zlib(text.as_bytes()))),
    ("br", |text| coded("br", brotli(text.as_bytes()))),
    ("zstd", |text| coded("zstd", zstd(text.as_bytes()))),
    ("gzip, br", |text| coded("gzip, br", brotli(&gzip(text.as_bytes())))),
    ("pdf", |text| {
        let page = format!("BT /F1 9 Tf [<{}>] TJ ET", HEXUPPER.encode(text.as_bytes()));
        let head = b"%PDF-1.7\n1 0 obj\n<</Filter/FlateDecode>>\nstream\n";
        let end = b"\nendstream\nendobj\n";
        typed("application/pdf", [&head[..], &zlib(page.as_bytes()), end].concat())
    }),
    ("protobuf", |text| typed("application/x-protobuf", protobuf(text))),
    ("grpc", |text| typed("application/grpc-web+proto", framed(0, &protobuf(text)))),
    ("grpc and gzip", |text| {
        let mut encoded = typed("application/grpc", framed(1, &gzip(&protobuf(text))));
        encoded.headers.push_str("Grpc-Encoding: gzip\r\n");
        encoded
    }),
    ("connect and zstd", |text| {
        let body = [framed(1, &zstd(&protobuf(text))), framed(2, b"{}")].concat();
        let mut encoded = typed("application/connect+proto", body);
        encoded.headers.push_str("Connect-Content-Encoding: zstd\r\n");
        encoded
    }),
    ("sse", |text| typed("text/event-stream", anthropic_stream(text, 5))),
    ("gzip and sse", |text| {
        let mut encoded = coded("gzip", gzip(anthropic_stream(text, 7).as_bytes()));
        encoded.headers.push_str("Content-Type: text/event-stream\r\n");
        encoded
    }),
];

fn typed(content_type: &str, body: impl Into<Vec<u8>>) -> Encoded {
    Encoded { headers: format!("Content-Type: {content_type}\r\n"), body: body.into() }
}

fn coded(coding: &str, body: Vec<u8>) -> Encoded {
    Encoded { headers: format!("Content-Encoding: {coding}\r\n"), body }
}

/// As `od -A x -t x1` prints it.
fn hexdump(bytes: &[u8]) -> String {
    let mut out = String::new();
    for (number, line) in bytes.chunks(16).enumerate() {
        write!(out, "{:06x}", 16 * number).unwrap();
        line.iter().for_each(|byte| write!(out, " {byte:02x}").unwrap());
        out.push('\n');
    }
    out
}

fn json_in_json(text: &str) -> Encoded {
    let arguments = json!({ "command": text }).to_string();
    typed("application/json", json!({ "function": { "arguments": arguments } }).to_string())
}

fn each_unit(text: &str) -> String {
    let mut out = String::new();
    for unit in text.encode_utf16() {
        write!(out, "\\u{unit:04x}").unwrap();
    }
    out
}

fn each_byte(text: &str, mut write: impl FnMut(&mut String, u8) -> std::fmt::Result) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        write(&mut out, byte).unwrap();
    }
    out
}

/// A message of protobuf: a number, then the text as a string of the message in its fourth field.
pub fn protobuf(text: &str) -> Vec<u8> {
    let inner = field(6, text.as_bytes());
    [&b"\x08\x96\x01"[..], &field(4, &inner)].concat()
}

/// A field of protobuf that has a length.
fn field(number: u8, value: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    let mut length = value.len();
    while length > 0x7f {
        out.push(length as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend_from_slice(value);
    out
}

/// A message of gRPC, gRPC-Web or Connect behind its flag and its length.
pub fn framed(flag: u8, message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap().to_be_bytes();
    [&[flag][..], &length, message].concat()
}

/// RFC 1952.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// RFC 1950, which is what `deflate` means in HTTP.
pub fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// RFC 7932.
pub fn brotli(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    brotli::BrotliCompress(&mut &bytes[..], &mut out, &Default::default()).unwrap();
    out
}

/// RFC 8878.
pub fn zstd(bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![0; zstd_safe::compress_bound(bytes.len())];
    let len = zstd_safe::compress(&mut out[..], bytes, 3).unwrap();
    out.truncate(len);
    out
}

/// A streamed answer of the Messages API, its text in pieces of so many characters.
pub fn anthropic_stream(text: &str, piece: usize) -> String {
    let mut stream = String::new();
    let mut event = |name: &str, data: serde_json::Value| {
        write!(stream, "event: {name}\ndata: {data}\n\n").unwrap();
    };
    event(
        "message_start",
        json!({"type": "message_start", "message": {"id": "msg_01", "role": "assistant", "content": []}}),
    );
    event(
        "content_block_start",
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
    );
    let characters: Vec<char> = text.chars().collect();
    for piece in characters.chunks(piece) {
        let piece: String = piece.iter().collect();
        event(
            "content_block_delta",
            json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}}),
        );
    }
    event("content_block_stop", json!({"type": "content_block_stop", "index": 0}));
    event("message_stop", json!({"type": "message_stop"}));
    stream
}
