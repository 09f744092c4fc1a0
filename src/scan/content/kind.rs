//! What content is, by its first bytes and by what was announced. Whoever reads it may not care for what was
//! announced: JSON, events and archives are told by how they begin, under whatever name.

use super::events::Form;
use super::media::Media;
use super::multiplexed::begins_multiplexed;
use super::parts::begins_mail;
use super::prefix::{Prefix, prefix_of};
use crate::limits::SCAN_SNIFF_BYTES;
use crate::scan::view::archive::{self, Container};
use crate::scan::view::json::{
    begins_headed, begins_packets, looks_like_json, may_be_part, may_begin_packets, part,
};
use crate::scan::view::pdf::PDF_HEAD;
use crate::scan::view::utf16::{self, Endian};

/// What content turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    /// HTML or XML, as it was announced.
    Markup,
    Json,
    /// It begins like JSON, and was announced as events: who reads those passes over what is no field.
    JsonOrEvents,
    /// Behind what may stand before it, or is text so far that may be that.
    PrefixedJson,
    Events(Form),
    Form,
    Multipart,
    Mail,
    Framed,
    /// What a container writes, in pieces that name their stream.
    Multiplexed,
    Git,
    Protobuf,
    Container(Container),
    Pdf,
    Wide(Endian),
}

/// Whether all there will be of some content is there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Whole {
    Here,
    NotYet,
}

/// What is looked at to tell plain text from a signature or a wide encoding.
const SNIFF_PLAIN_BYTES: usize = 4;

/// What content is, by its head and by what was announced; none: more of it is needed to tell.
pub(super) fn kind_of(head: &[u8], media: &Media, whole: Whole) -> Option<Kind> {
    // By its head, its lengths being NUL bytes, it may be anything.
    match media {
        Media::Framed(_) => return Some(Kind::Framed),
        Media::Protobuf => return Some(Kind::Protobuf),
        Media::Git => return Some(Kind::Git),
        _ => {}
    }
    let may_wait = whole == Whole::NotYet && head.len() < SCAN_SNIFF_BYTES;
    if may_wait && archive::may_begin(head) {
        return None;
    }
    if let Some(container) = archive::sniff(head) {
        return Some(Kind::Container(container));
    }
    // What was announced to be of pieces is read in pieces, whatever it begins with.
    let may_be_pdf = is_loose(media);
    if may_be_pdf && head.starts_with(PDF_HEAD) {
        return Some(Kind::Pdf);
    }
    if may_wait && may_be_pdf && PDF_HEAD.starts_with(head) {
        return None;
    }
    match begins_multiplexed(head) {
        Some(true) if is_loose(media) => return Some(Kind::Multiplexed),
        None if may_wait && is_loose(media) => return None,
        _ => {}
    }
    if let Some(endian) = utf16::sniff(head) {
        return Some(Kind::Wide(endian));
    }
    let is_plain = |byte: &u8| matches!(byte, b'\t'..=b'\r' | b' '..=b'~');
    let is_odd = |head: &[u8]| !head.iter().take(SNIFF_PLAIN_BYTES).all(is_plain);
    if may_wait && head.len() < SNIFF_PLAIN_BYTES && (is_odd(head) || head.starts_with(b"P")) {
        return None;
    }
    match media {
        Media::Lines => return Some(Kind::Events(Form::Lines)),
        Media::AwsEvents => return Some(Kind::Events(Form::Aws)),
        Media::Multipart(_) => return Some(Kind::Multipart),
        Media::Mail => return Some(Kind::Mail),
        Media::Typed => return Some(Kind::Text),
        _ => {}
    }
    text_kind(head, media, may_wait)
}

/// The same of what is some text.
fn text_kind(head: &[u8], media: &Media, may_wait: bool) -> Option<Kind> {
    let may_be_named = is_loose(media);
    if may_be_named && may_wait && (may_be_part(head) || may_begin_packets(head)) {
        return None;
    }
    if may_be_named && begins_packets(head) {
        return Some(Kind::Events(Form::Packets));
    }
    if may_be_named && part(head).is_some() {
        return Some(Kind::Events(Form::NamedLines));
    }
    match begins_headed(head) {
        Some(true) if may_be_named => return Some(Kind::Events(Form::Headed)),
        None if may_be_named && may_wait => return None,
        _ => {}
    }
    if may_be_named && begins_mail(head) {
        return Some(Kind::Mail);
    }
    let is_json = match (media, opening(head).first()) {
        // A program begins with a string, and a line of events with a word, that would be JSON, too.
        (Media::Prose | Media::Markup | Media::Binary | Media::EventStream, Some(first))
            if !is_bracket(*first) =>
        {
            Some(false)
        }
        _ => looks_like_json(head),
    };
    match (is_json, media) {
        (Some(true), Media::EventStream) => Some(Kind::JsonOrEvents),
        (Some(true), _) => Some(Kind::Json),
        (None, _) if may_wait => None,
        (_, Media::Form) => Some(Kind::Form),
        (_, Media::EventStream) => Some(Kind::Events(Form::Sse)),
        _ => match begins_events(opening(head)) {
            Some(true) => Some(Kind::Events(Form::Sse)),
            None if may_wait => None,
            Some(false) | None => match prefix_of(head.get(..SCAN_SNIFF_BYTES).unwrap_or(head)) {
                Prefix::Of(_) => Some(Kind::PrefixedJson),
                // Who reads it on as a text would not know what it was announced as.
                Prefix::Opened(_) | Prefix::Open if may_wait && *media == Media::Markup => None,
                Prefix::Opened(_) | Prefix::Open if may_wait => Some(Kind::PrefixedJson),
                _ if *media == Media::Markup => Some(Kind::Markup),
                Prefix::Opened(_) | Prefix::Open | Prefix::None => Some(Kind::Text),
            },
        },
    }
}

/// What some text begins with, behind what may stand before JSON: blanks, a mark of UTF-8, a record separator.
pub(super) fn opening(head: &[u8]) -> &[u8] {
    let passes =
        |byte: &u8| matches!(byte, b' ' | b'\n' | b'\r' | b'\t' | 0x1e | 0xef | 0xbb | 0xbf);
    let len = head.iter().take_while(|byte| passes(byte)).count();
    head.get(len..).unwrap_or_default()
}

/// Whether what was announced says little of what it is.
fn is_loose(media: &Media) -> bool {
    matches!(media, Media::Unknown | Media::Prose | Media::Markup | Media::Binary)
}

fn is_bracket(byte: u8) -> bool {
    matches!(byte, b'{' | b'[')
}

/// Whether a text begins as server-sent events do: with a field, or with a comment, by which some servers keep a
/// connection awake before the first event. None: a few bytes more are needed.
fn begins_events(text: &[u8]) -> Option<bool> {
    let fields = [&b"data:"[..], b"event:", b"id:", b"retry:", b": ", b":\n", b":\r"];
    match fields.iter().any(|field| text.starts_with(field)) {
        true => Some(true),
        false if fields.iter().any(|field| field.starts_with(text)) => None,
        false => Some(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(content_type: &str, head: &[u8]) -> Kind {
        kind_of(head, &Media::of(content_type.as_bytes()), Whole::Here).unwrap()
    }

    #[test]
    fn json_and_events_are_told_under_whatever_name() {
        let sse = Kind::Events(Form::Sse);
        for name in ["text/html", "image/png", "text/css", "text/plain", "", "application/json"] {
            for head in [&b" {\"a\": 1}"[..], b"[{\"a\": 1}]", b"\xef\xbb\xbf{\"a\":1}"] {
                assert_eq!(kind(name, head), Kind::Json, "{name}");
                assert_eq!(kind("text/event-stream", head), Kind::JsonOrEvents);
            }
            for head in [&b"data: x"[..], b": hi\n\ndata: x", b"\n\nevent: x", b"\xef\xbb\xbfid: 1"]
            {
                assert_eq!(kind(name, head), sse, "{name} {head:?}");
            }
            assert_eq!(kind(name, b"0:\"to\"\n"), Kind::Events(Form::NamedLines), "{name}");
            let text = if name == "text/html" { Kind::Markup } else { Kind::Text };
            assert_eq!(kind(name, b"dat"), text, "{name}");
        }
        assert_eq!(kind("text/event-stream", b"hello"), sse);
        assert_eq!(kind("text/event-stream", b"true"), sse);
        assert_eq!(kind("text/html", b"<html>"), Kind::Markup);
        assert_eq!(kind("text/javascript", b"\"use strict\";"), Kind::Text);
        assert_eq!(kind("text/css", b"{margin: 0}"), Kind::Text);
        for text in [&b":root{--a:1}"[..], b":tmi.example 001", b":)", b"::", b":x\n"] {
            assert_eq!(kind("text/plain", text), Kind::Text, "{text:?}");
        }
        for text in [&b": "[..], b":\n\ndata: x", b":\r\n"] {
            assert_eq!(kind("text/plain", text), sse, "{text:?}");
        }
        assert_eq!(kind("image/png", b"\x89PNG\r\n\x1a\n"), Kind::Text);
        assert_eq!(kind("application/x-www-form-urlencoded", b"x={\"a\":1}"), Kind::Form);
    }

    #[test]
    fn what_was_announced_to_be_of_pieces_is_no_document() {
        let head = b"%PDF-1.7\n";
        for name in ["application/pdf", "text/html", "image/png", ""] {
            assert_eq!(kind(name, head), Kind::Pdf, "{name}");
        }
        assert_eq!(kind("text/event-stream", head), Kind::Events(Form::Sse));
        assert_eq!(kind("application/x-ndjson", head), Kind::Events(Form::Lines));
        assert_eq!(kind("application/x-www-form-urlencoded", head), Kind::Form);
        assert_eq!(kind("multipart/form-data; boundary=x", head), Kind::Multipart);
    }

    #[test]
    fn plain_text_is_not_waited_with() {
        for text in [&b"d"[..], b"{", b"0:", b"dat", b"word", b": "] {
            assert_eq!(kind_of(text, &Media::Typed, Whole::NotYet), Some(Kind::Text), "{text:?}");
        }
        for (text, kind) in [
            (&b"W"[..], Kind::PrefixedJson),
            (b"word", Kind::PrefixedJson),
            (b"two words", Kind::Text),
            (b"<", Kind::Text),
        ] {
            assert_eq!(kind_of(text, &Media::Unknown, Whole::NotYet), Some(kind), "{text:?}");
            assert_eq!(kind_of(text, &Media::Unknown, Whole::Here), Some(Kind::Text), "{text:?}");
        }
    }
}
