//! Whether something that nobody announced is a zlib stream (RFC 1950): two bytes do not tell, but whether it can be
//! inflated does.

use crate::limits::{ARCHIVE_SNIFF_BYTES, ZLIB_PROOF_BYTES};
use crate::scan::view::codings::{Engine, RawDeflate, Run, is_zlib_head};

/// What the first bytes say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    Is,
    IsNot,
    /// It is one if nothing follows.
    Seems,
    /// It is none if nothing follows.
    SeemsNot,
}

/// By the first `ARCHIVE_SNIFF_BYTES`. What is proven by some bytes is proven whatever follows them.
pub(super) fn prove(head: &[u8]) -> Proof {
    let head = head.get(..ARCHIVE_SNIFF_BYTES).unwrap_or(head);
    match head {
        // The window that all software asks for; anything else begins a text, or another format, far more often.
        [b'x'] => return Proof::SeemsNot,
        [first @ b'x', second, ..] if is_zlib_head(*first, *second) => {}
        _ => return Proof::IsNot,
    }
    let mut engine = RawDeflate::with_zlib_header();
    let (mut room, mut at, mut written) = ([0; ZLIB_PROOF_BYTES], 0, 0);
    loop {
        let rest = head.get(at..).unwrap_or_default();
        let run = engine.run(rest, room.get_mut(written..).unwrap_or_default());
        (at, written) = (at + run.taken, written + run.written);
        let says_something = written > 0;
        if run.failure.is_some() {
            return Proof::IsNot;
        } else if engine.is_complete() || written == ZLIB_PROOF_BYTES {
            return if says_something { Proof::Is } else { Proof::IsNot };
        } else if run == Run::default() {
            return if says_something { Proof::Seems } else { Proof::SeemsNot };
        }
    }
}
