//! Content of all kinds, as callers see it: in pieces, under whatever name, behind whatever stands before it.

use std::io::Write;

use crate::limits::{
    EVENT_MAX_BYTES, SCAN_DELTA_MAX_BYTES, SCAN_FIRST_LINE_MAX_BYTES, SCAN_SNIFF_BYTES,
    SCAN_WINDOW_MIN_BYTES,
};
use crate::scan::found::Gap;
use crate::scan::tests::{Seen, scanner};
use crate::scan::view::archive::{Packing, Unreadable};
use crate::scan::{PaddedBuffer, Shape};

/// What is seen of a body that arrives in pieces of so many bytes.
fn seen_as(shape: &Shape, body: &[u8], size: usize) -> Seen {
    let mut stream = scanner(SCAN_WINDOW_MIN_BYTES).body(shape);
    let mut seen = Seen::default();
    for piece in body.chunks(size) {
        stream.feed(PaddedBuffer::new().fill(piece), &mut seen);
    }
    stream.finish(&mut seen);
    seen
}

fn seen(content_type: &str, body: &[u8], size: usize) -> Seen {
    seen_as(&Shape::new(std::iter::empty(), Some(content_type.as_bytes())), body, size)
}

/// One stored entry of a zip.
fn zip(contents: &[u8]) -> Vec<u8> {
    let len = (contents.len() as u32).to_le_bytes();
    let head = b"PK\x03\x04\x14\0\0\0\0\0\0\0\0\0\0\0\0\0";
    [&head[..], &len, &len, b"\x01\0\0\0x", contents].concat()
}

fn gzip(contents: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(contents).unwrap();
    encoder.finish().unwrap()
}

const XZ: &[u8] = b"\xfd7zXZ\0\0\x04\xe6\xd6\xb4\x46 cat /etc/passwd now";

/// The bytes that were told as undecoded, and the reasons.
fn gaps(seen: &Seen) -> (usize, Vec<Gap>) {
    let count = |gap: &Gap| if let Gap::Undecoded(len) = gap { *len } else { 0 };
    let reasons = seen.gaps().iter().filter(|gap| count(gap) == 0).copied().collect();
    (seen.gaps().iter().map(count).sum(), reasons)
}

#[test]
fn what_is_packed_in_a_way_that_is_not_undone_is_told_and_read_as_it_stands() {
    let told = vec![Gap::Unreadable(Unreadable::Packed(Packing::Xz))];
    for size in [1, 3, 7, 1000] {
        for content_type in ["text/plain", "application/x-xz", "image/png", "text/event-stream"] {
            let seen = seen(content_type, XZ, size);
            assert_eq!(gaps(&seen), (XZ.len(), told.clone()), "{content_type} {size}");
            assert_eq!(seen.names(), ["unix_sensitive"], "{content_type} {size}");
        }
        for body in [zip(XZ), gzip(XZ), zip(&gzip(XZ))] {
            assert_eq!(gaps(&seen("x/y", &body, size)), (XZ.len(), told.clone()), "{size}");
        }
        // The bytes in a coding that nobody knows were counted as that.
        let coded = Shape::new(std::iter::once(&b"xz"[..]), None);
        assert_eq!(gaps(&seen_as(&coded, XZ, size)), (XZ.len(), vec![]));
    }
}

#[test]
fn a_reason_is_told_once_a_body_and_all_its_bytes_are_counted() {
    let told = vec![Gap::Unreadable(Unreadable::Packed(Packing::Xz))];
    for size in [1, 7, 1000] {
        let many = zip(XZ).repeat(5);
        assert_eq!(gaps(&seen("x/y", &many, size)), (5 * XZ.len(), told.clone()), "{size}");
    }
}

#[test]
fn what_only_begins_like_a_packed_file_is_read_like_all_else() {
    let head = &XZ[..12];
    let base64 = data_encoding::BASE64.encode(b"please cat /etc/passwd now, and tell me all of it");
    let packed = gzip(b"cat /etc/passwd now, please");
    for size in [1, 7, 1000] {
        for (body, view) in [
            (&br"cat \u002fetc\u002fpasswd now"[..], None),
            (base64.as_bytes(), Some("base64")),
            (&packed, Some("gzip")),
        ] {
            let seen = seen("x/y", &[head, b" ", body].concat(), size);
            assert_eq!(seen.names(), ["unix_sensitive"], "{view:?} {size}");
            if let Some(view) = view {
                assert_eq!(seen.views()[0].to_string(), view, "{size}");
            }
        }
    }
}

/// A command in pieces, each in an event's JSON of its own.
fn events() -> [String; 4] {
    let event = |text: &str| format!("{{\"delta\":{{\"text\":\"{text}\"}}}}");
    ["please run rm -", "rf", " / --no-pres", "erve-root now"].map(event)
}

fn views(content_type: &str, body: &str, size: usize) -> Vec<String> {
    let seen = seen(content_type, body.as_bytes(), size);
    seen.views().iter().map(ToString::to_string).collect()
}

const NAMES: [&str; 6] =
    ["text/html", "image/png", "text/plain", "application/json", "application/octet-stream", ""];

#[test]
fn json_and_events_are_read_as_such_under_whatever_name() {
    let json = r#"{"file":"cat \u002fetc\u002fpasswd now"}"#;
    let sse = events().map(|event| format!("data: {event}\n\n")).concat();
    for size in [1, 2, 5, 1000] {
        for name in NAMES {
            assert_eq!(views(name, json, size), ["json"], "{name} {size}");
            assert_eq!(views(name, &format!("\u{feff}\n{json}"), size), ["json"], "{name}");
            assert_eq!(views(name, &sse, size), ["sse>json"], "{name} {size}");
            let awake = format!(": awake\n\n{sse}");
            assert_eq!(views(name, &awake, size), ["sse>json"], "{name} {size}");
        }
        assert_eq!(views("text/event-stream", json, size), ["json"]);
        // Who reads events passes over what is none.
        let both = format!("{{\"a\": 1}}\n\n{sse}");
        assert_eq!(views("text/event-stream", &both, size), ["sse>json"], "{size}");
    }
}

#[test]
fn lines_of_json_that_come_one_by_one_or_are_deltas_are_one_text_under_whatever_name() {
    let fill = "x".repeat(SCAN_DELTA_MAX_BYTES);
    let long = |event: String| event.replacen("text\":\"", &format!("text\":\"{fill} "), 1);
    let file = [long(events()[0].clone()), events()[1..].join("\n")].join("\n");
    for size in [1, 2, 5, 30, 1000] {
        for name in NAMES.into_iter().chain(["application/x-ndjson"]) {
            for end in ["\n", "\r\n", "\x1e", "\x1e\n"] {
                let expected = ["ndjson>json"];
                assert_eq!(views(name, &events().join(end), size), expected, "{name} {size}");
                let ended = format!("{}{end}", events().join(end));
                assert_eq!(views(name, &ended, size), expected, "{name} {size}");
            }
            // Lines of prose that come at once are a file, which is read as it stands, unless it was announced as one.
            let is_file = size == 1000 && !name.contains("ndjson");
            assert_eq!(views(name, &file, size).is_empty(), is_file, "{name} {size}");
        }
        let one = format!("{{\n\"all\":[{}]}}", events().join(",\n"));
        assert_eq!(views("application/json", &one, size), [""; 0]);
        let two = format!("{}\nand so on\n", events().join(" "));
        assert_eq!(views("application/json", &two, size), [""; 0]);
    }
}

#[test]
fn base64_that_deltas_cut_is_decoded() {
    let digits = data_encoding::BASE64.encode(b"set -e\nrm -rf / --no-preserve-root\nexit 0\n");
    let script = serde_json::json!({"command": format!("echo {digits} | base64 -d")}).to_string();
    for len in [1, 3, 4, 7, 20] {
        let deltas = script.as_bytes().chunks(len).map(|piece| {
            let piece = std::str::from_utf8(piece).unwrap();
            format!("data: {}\n\n", serde_json::json!({"delta": {"partial_json": piece}}))
        });
        let body: String = deltas.collect();
        for size in [50, body.len()] {
            let told = views("text/event-stream", &body, size);
            assert_eq!(told, ["sse>json>json>base64"], "{len} {size}");
        }
    }
}

#[test]
fn a_text_whose_look_changes_within_is_told_once() {
    let bold = |pieces: &[&str]| {
        let spans: Vec<_> = pieces
            .iter()
            .enumerate()
            .map(|(at, text)| serde_json::json!({"type": "text", "text": text, "style": {"bold": at == 1}}))
            .collect();
        serde_json::json!({"blocks": [{"type": "rich_text", "elements": spans}]}).to_string()
    };
    for pieces in [
        &["run rm ", "-rf", " / --no-preserve-root now"][..],
        &["run rm -r", "f / --no-preserve-root"],
        &["it says: ", "run ", "rm -r", "f / --no-preserve-root", " and so on"],
        &["run rm", " -rf", " / --no", "-preserve-root"],
    ] {
        let json = bold(pieces);
        for size in 1..=json.len() {
            assert_eq!(views("application/json", &json, size), ["json>rich_text"], "{json} {size}");
        }
    }
    let whole = bold(&["run ", "rm -rf / --no-preserve-root", " now"]);
    assert_eq!(views("application/json", &whole, 1000), ["json"]);
    assert!(views("application/json", &bold(&["use rm.", "-rf / is bad"]), 1000).is_empty());
}

#[test]
fn what_strings_of_json_say_together_is_read_at_any_cut_and_told_once() {
    for (json, name, view) in [
        (r#"{"a":["rm","-rf","/","--no-preserve-root"]}"#, "destructive_rm", "json>argv"),
        (
            r#"{"command":"rm","args":["-rf","/","--no-preserve-root"]}"#,
            "destructive_rm",
            "json>argv",
        ),
        (r#"{"command":["bash","-lc","id"]}"#, "shell_exec", "json>argv"),
        (r#"{"command":["cat","-n","/etc/passwd"]}"#, "unix_sensitive", "json"),
        (r#"{"name":"KEY","value":"AKIAIOSFODNN7EXAMPLE"}"#, "aws_access_key", "json"),
    ] {
        for size in 1..=json.len() {
            let seen = seen("application/json", json.as_bytes(), size);
            assert_eq!(seen.names(), [name], "{json} {size}");
            assert_eq!(seen.views()[0].to_string(), view, "{json} {size}");
        }
    }
}

#[test]
fn a_first_line_of_json_is_kept_to_its_bound_and_not_past_it() {
    for (len, is_joined) in
        [(SCAN_FIRST_LINE_MAX_BYTES - 2, true), (SCAN_FIRST_LINE_MAX_BYTES - 1, false)]
    {
        let [first, others @ ..] = events();
        let filled = format!("{{\"fill\":\"{}\",", "x".repeat(len - first.len() - 10));
        let first = first.replacen('{', &filled, 1);
        assert_eq!(first.len(), len);
        let lines = format!("{first}\n{}", others.join("\n"));
        for size in [7, 1000] {
            let names = seen("application/json", lines.as_bytes(), size).names();
            assert_eq!(!names.is_empty(), is_joined, "{len} {size}");
        }
    }
}

#[test]
fn what_stands_before_json_is_passed_over() {
    let json = r#"{"file":"cat \u002fetc\u002fpasswd now"}"#;
    let array = format!("[{}]", events().join(","));
    for size in [1, 2, 3, 5, 1000] {
        for before in
            [")]}'\n", "/* x */", "x=", "for(;;);", "cb(", "\u{feff}/**/ typeof f === 'x' && f("]
        {
            for name in NAMES {
                let told = views(name, &format!("{before}{json});"), size);
                assert_eq!(told, ["json"], "{before} {name} {size}");
            }
            let told = views("text/javascript", &format!("{before}{array}"), size);
            assert_eq!(told, ["json>json_array>json"], "{before} {size}");
        }
        // What stands before it is read, too, and what goes on from there.
        let told = views("text/plain", "/* cat /etc/passwd */{\"a\":1}", size);
        assert_eq!(told, [""], "{size}");
        let cut = views("text/plain", "x=[\"rm -rf / --no-preserve-root \"]", size);
        assert_eq!(cut, ["json"], "{size}");
        for text in ["cb([ cat /etc/passwd", "cb({ cat /etc/passwd", "cb(["] {
            let count = usize::from(text.len() > 4);
            assert_eq!(views("text/plain", text, size).len(), count, "{text} {size}");
        }
    }
}

#[test]
fn text_that_may_stand_before_json_is_read_as_it_comes() {
    for text in ["/* cat /etc/passwd now and", "// cat /etc/passwd now and"] {
        let shape = Shape::new(std::iter::empty(), None);
        let mut stream = scanner(SCAN_WINDOW_MIN_BYTES).body(&shape);
        let mut seen = Seen::default();
        for piece in text.as_bytes().chunks(3) {
            stream.feed(PaddedBuffer::new().fill(piece), &mut seen);
        }
        assert_eq!(seen.names(), ["unix_sensitive"], "{text}");
    }
}

#[test]
fn an_archive_behind_other_bytes_is_looked_into() {
    let packed = gzip(b"cat /etc/passwd now, please");
    for size in [1, 2, 3, 7, 100, 10_000] {
        for junk in [
            "\n",
            "junk",
            "#!/bin/sh\nexec unzip\n",
            "{}",
            "data: x\n\n",
            "a=b&c=",
            "PK00",
            "%PDF-1.7\n",
        ] {
            for (archive, view) in [(zip(&packed), "zip>gzip"), (packed.clone(), "gzip")] {
                let body = [junk.as_bytes(), &archive, b" and so on"].concat();
                let seen = seen("", &body, size);
                let views: Vec<_> = seen.views().iter().map(ToString::to_string).collect();
                assert_eq!(views, [view], "{junk} {size}");
                if view == "gzip" {
                    assert_eq!(gaps(&seen), (0, vec![]), "{junk} {size}");
                }
            }
        }
        // What stands before it is read as what it is.
        let json = r#"{"run":"rm -rf \u002f --no-preserve-root now"}"#.as_bytes();
        let body = [json, &zip(&packed)].concat();
        assert_eq!(
            seen("x/y", &body, size).names(),
            ["destructive_rm", "unix_sensitive"],
            "{size}"
        );
    }
}

#[test]
fn an_archive_is_looked_for_behind_as_many_bytes_as_the_bound() {
    let packed = gzip(b"cat /etc/passwd now, please");
    for (len, is_found) in [(SCAN_SNIFF_BYTES, true), (SCAN_SNIFF_BYTES + 10, false)] {
        let body = [&b". ".repeat(len / 2), &packed[..]].concat();
        for size in [1, 7, 10_000] {
            assert_eq!(!seen("", &body, size).names().is_empty(), is_found, "{len} {size}");
        }
    }
    // A joined text holds none, and three bytes that begin like one are none.
    let near = b"junk \x1f\x8b\x08\xff and so on cat /etc/passwd";
    let seen = seen("", near, 4);
    assert_eq!((seen.names(), gaps(&seen)), (vec!["unix_sensitive"], (0, vec![])));
}

/// A command in base64.
fn encoded() -> String {
    data_encoding::BASE64.encode(b"then look into /etc/passwd and tell")
}

#[test]
fn a_byte_order_mark_hides_no_archive_behind_it() {
    for mark in [&b"\xff\xfe"[..], b"\xfe\xff"] {
        for body in [zip(b"cat /etc/passwd"), gzip(b"cat /etc/passwd")] {
            for size in [1, 3, 1000] {
                let body = [mark, &body].concat();
                let seen = seen("text/plain", &body, size);
                assert_eq!(seen.names().first(), Some(&"unix_sensitive"), "{body:?} {size}");
            }
        }
    }
}

#[test]
fn what_a_decoder_passes_over_is_read_like_any_text() {
    let text = encoded();
    let skipped = [&b"\x50\x2a\x4d\x18"[..], &(text.len() as u32).to_le_bytes(), text.as_bytes()];
    let comment = [&b"\x1f\x8b\x08\x10\0\0\0\0\0\xff"[..], text.as_bytes(), &gzip(b"")[10..]];
    for body in [skipped.concat(), comment.concat()] {
        for size in [1, 3, 1000] {
            assert_eq!(seen("x/y", &body, size).names(), ["unix_sensitive"], "{body:?} {size}");
        }
    }
}

#[test]
fn a_part_that_claims_base64_may_be_an_archive() {
    let head = "--b\r\nContent-Transfer-Encoding: base64\r\n\r\n";
    let body = [head.as_bytes(), &zip(b"cat /etc/passwd"), b"\r\n--b--\r\n"].concat();
    for size in [1, 3, 1000] {
        let seen = seen("multipart/form-data; boundary=b", &body, size);
        assert_eq!(seen.names().first(), Some(&"unix_sensitive"), "{size}");
    }
}

#[test]
fn a_boundary_is_read_like_what_stands_between() {
    let boundary = concat!("---BEGIN ", "RSA PRIVATE KEY-----");
    let body = format!("--{boundary}\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\n");
    for size in [1, 3, 1000] {
        let content_type = format!("multipart/mixed; boundary=\"{boundary}\"");
        assert_eq!(
            seen(&content_type, body.as_bytes(), size).names(),
            ["private_key_pem"],
            "{size}"
        );
    }
}

#[test]
fn an_event_is_joined_up_to_its_bound_and_counted_past_it() {
    let event = |piece: &str, pad: usize| {
        let pad = "x".repeat(pad);
        format!(
            "data: {{\"choices\":[{{\"delta\":{{\"content\":\"{piece}\"}}}}],\"p\":\"{pad}\"}}\n\n"
        )
    };
    let body = |pad| {
        let pieces = [event("see /etc/pa", 1), event("ssw", pad), event("d now", 1)];
        pieces.concat()
    };
    let joined = seen("text/event-stream", body(EVENT_MAX_BYTES / 2).as_bytes(), 65_536);
    assert_eq!((joined.names(), gaps(&joined).0), (vec!["unix_sensitive"], 0));
    let counted = seen("text/event-stream", body(EVENT_MAX_BYTES).as_bytes(), 65_536);
    assert!(counted.names().is_empty() && gaps(&counted).0 > EVENT_MAX_BYTES);
}
