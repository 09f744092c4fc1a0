//! What must hold for any input to the views of hidden text: run by the fuzz targets, and over the kept corpus by
//! `tests/corpus.rs`.
#![allow(dead_code, reason = "each fuzz target uses one of them")]

use clawsec::scan::view::encoded::{Kind, RunDecoder, next_run, run_around};
use clawsec::scan::view::fold::{Folder, Kinds, next_trigger};
use clawsec::scan::view::form::FormDecoder;
use clawsec::scan::view::markup::Markup;
use clawsec::scan::view::protobuf::{Text, TextRuns};
use clawsec::scan::view::utf16::{Endian, Transcoder, sniff};

/// The pieces of some bytes: the first one says how long they are.
fn cut(data: &[u8]) -> (&[u8], Vec<&[u8]>) {
    let Some((size, stream)) = data.split_first() else { return (data, Vec::new()) };
    (stream, stream.chunks(usize::from(*size).max(1)).collect())
}

/// Hidden text is folded the same however it arrives; a trigger is where folding changes something.
pub fn fold(data: &[u8]) {
    let (stream, pieces) = cut(data);
    let folded = |pieces: &[&[u8]]| -> (Vec<u8>, Kinds) {
        let (mut folder, mut out) = (Folder::new(), Vec::new());
        pieces.iter().for_each(|piece| folder.feed(piece, &mut out));
        folder.finish(&mut out);
        (out, folder.kinds())
    };
    let whole = folded(&[stream]);
    assert_eq!(folded(&pieces), whole);
    assert_eq!(whole.1.is_empty(), whole.0 == stream, "what changes is of a kind");
    let mut from = 0;
    while let Some(at) = next_trigger(stream, from) {
        assert!(at >= from && at < stream.len());
        assert!(!whole.1.is_empty(), "a trigger where nothing is folded");
        from = at + 1;
    }
    let form = |pieces: &[&[u8]]| {
        let (mut decoder, mut out) = (FormDecoder::new(), Vec::new());
        pieces.iter().for_each(|piece| decoder.feed(piece, &mut out));
        decoder.finish(&mut out);
        out
    };
    assert_eq!(form(&pieces), form(&[stream]));
}

/// Encoded text and text in binary data are read the same however they arrive.
pub fn encoded(data: &[u8]) {
    let (stream, pieces) = cut(data);
    let decoded = |kind: Kind, pieces: &[&[u8]]| {
        let (mut decoder, mut out, mut taken) = (RunDecoder::new(kind), Vec::new(), 0);
        for piece in pieces {
            let len = decoder.feed(piece, &mut out);
            taken += len;
            if len < piece.len() {
                break;
            }
        }
        (out, taken)
    };
    for kind in [Kind::Base64, Kind::Base32, Kind::Hex, Kind::Numbers, Kind::Dump] {
        assert_eq!(decoded(kind, &pieces), decoded(kind, &[stream]));
    }
    let mut from = 0;
    while let Some(run) = next_run(stream, from) {
        assert!(run.start >= from && run.start < stream.len());
        assert!(run_around(stream, run.start).is_none_or(|around| around.start <= run.start + 8));
        from = run.start + decoded(run.kind, &[&stream[run.start..]]).1.max(1);
    }
    let texts = |pieces: &[&[u8]]| {
        let (mut runs, mut open, mut all) = (TextRuns::new(), Vec::new(), Vec::new());
        let mut visit = |text: Text<'_>| match text {
            Text::Part(part) => open.extend_from_slice(part),
            Text::End => all.push(std::mem::take(&mut open)),
        };
        pieces.iter().for_each(|piece| runs.visit_text(piece, &mut visit));
        runs.finish(&mut visit);
        all
    };
    assert_eq!(texts(&pieces), texts(&[stream]));
}

/// Markup shows the same however it arrives, and never more than came.
pub fn markup(data: &[u8]) {
    let (stream, pieces) = cut(data);
    let shown = |pieces: &[&[u8]]| {
        let (mut markup, mut out) = (Markup::new(), Vec::new());
        pieces.iter().for_each(|piece| markup.feed(piece, &mut out));
        markup.finish(&mut out);
        out
    };
    let whole = shown(&[stream]);
    assert!(whole.len() <= stream.len());
    assert_eq!(shown(&pieces), whole);
}

/// UTF-16 and UTF-32 become the same UTF-8 however they arrive.
pub fn utf16(data: &[u8]) {
    let (stream, pieces) = cut(data);
    let _ = sniff(stream);
    for endian in [Endian::Little, Endian::Big, Endian::Little32, Endian::Big32] {
        let text = |pieces: &[&[u8]]| {
            let (mut transcoder, mut out) = (Transcoder::new(endian), Vec::new());
            pieces.iter().for_each(|piece| transcoder.feed(piece, &mut out));
            transcoder.finish(&mut out);
            String::from_utf8(out).expect("UTF-8")
        };
        assert_eq!(text(&pieces), text(&[stream]));
    }
}
