//! What a message's fields say of its body: the codings it is in, and what kind of thing it is.

use crate::scan::view::codings::{Codings, UnknownCoding};
use crate::scan::view::multipart;

/// What is known of a body before its first byte.
#[derive(Clone, Debug, Default)]
pub struct Shape {
    pub(in crate::scan) codings: Codings,
    /// A coding that nobody here can undo.
    pub(in crate::scan) unknown: Option<UnknownCoding>,
    pub(in crate::scan) media: Media,
}

/// A kind of content, as far as it changes how it is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::scan) enum Media {
    /// Nothing is known, or only that it is some text or some bytes.
    #[default]
    Unknown,
    /// Text that is no data format: style sheets, programs.
    Prose,
    /// Pages and documents: HTML, XML.
    Markup,
    /// What is typed into a terminal, or shown by one: nothing of it waits until it is known what it is.
    Typed,
    /// Pictures and the like.
    Binary,
    EventStream,
    /// One JSON text a line, or one a record (RFC 7464).
    Lines,
    AwsEvents,
    Form,
    Multipart(Vec<u8>),
    /// A mail (RFC 5322).
    Mail,
    Protobuf,
    Framed(Box<Framed>),
    /// What git's smart protocol sends over HTTP (gitprotocol-http).
    Git,
}

/// Messages that have a flag and their length in front: gRPC, gRPC-Web, Connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::scan) struct Framed {
    /// What each of them is.
    pub(in crate::scan) message: Media,
    /// What those are in that are marked; none: a coding that nobody here can undo.
    pub(in crate::scan) codings: Option<Codings>,
    /// Whether all of it is base64 (gRPC-Web in text).
    pub(in crate::scan) is_text: bool,
}

impl Shape {
    /// By the values of `Content-Encoding` and `Transfer-Encoding`, in the order in which they were applied, and
    /// of `Content-Type`.
    pub fn new<'a>(codings: impl Iterator<Item = &'a [u8]>, content_type: Option<&[u8]>) -> Shape {
        let (codings, unknown) = match Codings::parse(codings) {
            Ok(codings) => (codings, None),
            Err(unknown) => (Codings::default(), Some(unknown)),
        };
        Shape { codings, unknown, media: content_type.map(Media::of).unwrap_or_default() }
    }

    /// By the value of `Grpc-Encoding`, or of Connect's field for the same.
    #[must_use]
    pub fn with_message_coding(mut self, coding: Option<&[u8]>) -> Shape {
        if let Media::Framed(framed) = &mut self.media {
            framed.codings = Codings::parse(coding.into_iter()).ok();
        }
        self
    }

    /// The coding that nobody here can undo, if it is in one.
    pub fn unknown(&self) -> Option<&UnknownCoding> {
        self.unknown.as_ref()
    }

    /// Whether it is in a content coding.
    pub fn is_encoded(&self) -> bool {
        self.unknown.is_some() || !self.codings.is_empty()
    }
}

impl Media {
    /// By the name of a file.
    pub(in crate::scan) fn of_file(name: &[u8]) -> Media {
        let ending = name.rsplit(|byte| *byte == b'.').next().unwrap_or_default();
        let markup = [&b"xml"[..], b"html", b"xhtml", b"htm"];
        match ending.len() < name.len() && markup.iter().any(|end| ending.eq_ignore_ascii_case(end))
        {
            true => Media::Markup,
            false => Media::Unknown,
        }
    }

    /// By the value of a `Content-Type` field.
    pub(in crate::scan) fn of(content_type: &[u8]) -> Media {
        let essence = content_type.split(|byte| *byte == b';').next().unwrap_or_default();
        let essence = essence.trim_ascii();
        let is = |name: &str| essence.eq_ignore_ascii_case(name.as_bytes());
        let begins = |name: &str| {
            essence.get(..name.len()).is_some_and(|head| head.eq_ignore_ascii_case(name.as_bytes()))
        };
        let lines = [
            "application/x-ndjson",
            "application/ndjson",
            "application/jsonl",
            "application/x-jsonlines",
            "application/jsonlines",
            "application/json-seq",
            "application/stream+json",
        ];
        let prose = ["text/css", "text/javascript", "application/javascript"];
        if is("text/event-stream") {
            Media::EventStream
        } else if lines.iter().any(|name| is(name)) {
            Media::Lines
        } else if is("application/vnd.amazon.eventstream") {
            Media::AwsEvents
        } else if is("application/x-www-form-urlencoded") {
            Media::Form
        } else if begins("multipart/") {
            multipart::boundary(content_type).map_or(Media::Unknown, Media::Multipart)
        } else if let Some((message, is_text)) = message_of(essence) {
            let codings = Some(Codings::default());
            Media::Framed(Box::new(Framed { message, codings, is_text }))
        } else if is("message/rfc822") || is("message/global") {
            Media::Mail
        } else if PROTOBUF.iter().any(|name| is(name)) {
            Media::Protobuf
        } else if GIT.iter().any(|name| is(name)) {
            Media::Git
        } else if is_markup(essence) {
            Media::Markup
        } else if prose.iter().any(|name| is(name)) {
            Media::Prose
        } else if ["image/", "audio/", "video/", "font/"].iter().any(|name| begins(name)) {
            Media::Binary
        } else {
            Media::Unknown
        }
    }
}

/// Whether it is the name of some HTML or XML (RFC 7303).
fn is_markup(essence: &[u8]) -> bool {
    let ends = |end: &str| {
        let tail = essence.len().checked_sub(end.len()).and_then(|at| essence.get(at..));
        tail.is_some_and(|tail| tail.eq_ignore_ascii_case(end.as_bytes()))
    };
    essence.eq_ignore_ascii_case(b"text/html") || ends("/xml") || ends("+xml")
}

/// The names of protobuf, none of which is registered.
const PROTOBUF: [&str; 6] = [
    "application/x-protobuf",
    "application/protobuf",
    "application/proto",
    "application/x-google-protobuf",
    "application/vnd.google.protobuf",
    "application/x-protobuffer",
];

/// The names of git's messages that may hold a pack. Its advertisements are lines of text.
const GIT: [&str; 4] = [
    "application/x-git-receive-pack-request",
    "application/x-git-receive-pack-result",
    "application/x-git-upload-pack-request",
    "application/x-git-upload-pack-result",
];

/// What the messages of a framed stream are, and whether it is in base64.
fn message_of(essence: &[u8]) -> Option<(Media, bool)> {
    let end = memchr::memchr(b'+', essence).unwrap_or(essence.len());
    let (name, format) = essence.split_at_checked(end)?;
    let is = |own: &str| name.eq_ignore_ascii_case(own.as_bytes());
    let is_text = is("application/grpc-web-text");
    let is_grpc = is("application/grpc") || is("application/grpc-web") || is_text;
    let is_proto = format.eq_ignore_ascii_case(b"+proto") || (is_grpc && format.is_empty());
    match is_grpc || is("application/connect") {
        true if is_proto => Some((Media::Protobuf, is_text)),
        true => Some((Media::Unknown, is_text)),
        false => None,
    }
}
