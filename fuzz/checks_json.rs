//! What must hold for any input to the views of JSON and event streams: run by the fuzz targets, and over the kept corpus by
//! `tests/corpus.rs`.
#![allow(dead_code, reason = "each fuzz target uses one of them")]

use clawsec::scan::view::json::{
    ArraySplitter, Asides, AwsEventSplitter, EventSplitter, LineSplitter, Lines,
    Reader as LeafReader, Text, Unescaper, looks_like_json,
};

/// JSON text unescapes to the same however it arrives, and its leaves are found or it is refused.
pub fn json(data: &[u8]) {
    let [split, text @ ..] = data else { return };
    let whole = unescape(&[text]);
    let pieces: Vec<&[u8]> = text.chunks(usize::from(*split).max(1)).collect();
    assert_eq!(unescape(&pieces), whole);
    let asides = |pieces: &[&[u8]]| {
        let (mut asides, mut lines) = (Asides::new(false), Lines::default());
        pieces.iter().for_each(|piece| asides.feed(piece, &mut lines));
        [lines.commands, lines.calls, lines.settings].map(|mut lines| {
            lines.sort_unstable();
            lines
        })
    };
    assert_eq!(asides(&pieces), asides(&[text]));
    // The longest growth is a lone surrogate's: none, as six bytes become three.
    assert!(whole.0.len() <= text.len());
    if looks_like_json(text) == Some(false) {
        assert_eq!(whole, (text.to_vec(), false));
    }
    let mut leaves = Vec::new();
    let mut reader = LeafReader::new();
    for _ in 0..2 {
        let mut again = Vec::new();
        let outcome = reader.visit(text, &mut |leaf| {
            again.push((leaf.lane, leaf.text.to_vec(), leaf.key.to_vec()));
        });
        if leaves.is_empty() {
            leaves.clone_from(&again);
        }
        assert_eq!(again, leaves, "a reader is as new for each text");
        if outcome.is_ok() && !text.starts_with(&[0xef]) {
            assert_ne!(looks_like_json(text), Some(false), "what can be read looks like JSON");
        }
    }
}

/// The text of pieces, and whether it is taken for JSON.
fn unescape(pieces: &[&[u8]]) -> (Vec<u8>, bool) {
    let mut unescaper = Unescaper::new();
    let mut text = Vec::new();
    for piece in pieces {
        if unescaper.feed(piece, &mut text) == Text::Unchanged {
            text.extend_from_slice(piece);
        }
    }
    let is_json = unescaper.is_json();
    unescaper.finish(&mut text);
    (text, is_json)
}

/// Each splitter gives the same payloads however the stream arrives.
pub fn events(data: &[u8]) {
    let [split, stream @ ..] = data else { return };
    let pieces: Vec<&[u8]> = stream.chunks(usize::from(*split).max(1)).collect();
    macro_rules! check {
        ($($splitter:ident),*) => {$({
            let payloads = |pieces: &[&[u8]]| {
                let mut splitter = $splitter::new();
                let mut payloads: Vec<Vec<u8>> = Vec::new();
                for piece in pieces {
                    splitter.feed(piece, &mut |payload| payloads.push(payload.to_vec()));
                }
                splitter.finish(&mut |payload| payloads.push(payload.to_vec()));
                (payloads, splitter.skipped_bytes())
            };
            let whole = payloads(&[stream]);
            let given: usize = whole.0.iter().map(Vec::len).sum();
            assert!(given as u64 + whole.1 <= stream.len() as u64, "nothing is made up");
            assert_eq!(payloads(&pieces), whole);
        })*};
    }
    check!(EventSplitter, LineSplitter, ArraySplitter, AwsEventSplitter);
}
