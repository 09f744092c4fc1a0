//! What a chunked body says beside its data, which is the receiver's to look at or not: the extensions in its chunk
//! lines, and the fields behind the last one. Scanned by itself: neither cuts a match in the data, or is in its coding.

use std::rc::Rc;

use super::core::Core;
use super::inspect::{Part, Reporting, Sight, scan_trailers};
use super::inspector::finish;
use crate::finding::Direction;
use crate::http::body::{ExtensionPart, Piece};
use crate::policy::Place;
use crate::scan::Extensions;

/// The asides of one body. Scans at its end what only that decides, however the body ends.
pub(super) struct Asides<'a> {
    core: &'a Rc<Core>,
    sight: &'a Sight,
    direction: Direction,
    /// Few bodies have any.
    extensions: Option<Box<Extensions>>,
    /// As far as they have come: at most `limits::TRAILERS_MAX_BYTES`.
    trailers: Vec<u8>,
}

impl<'a> Asides<'a> {
    /// None yet.
    pub(super) fn new(core: &'a Rc<Core>, sight: &'a Sight, direction: Direction) -> Asides<'a> {
        Asides { core, sight, direction, extensions: None, trailers: Vec::new() }
    }

    /// Adds a piece of what was read. [`Asides::tell`] is to follow, behind the last one of a read.
    pub(super) fn add(&mut self, piece: &Piece, read: &[u8]) {
        match piece {
            Piece::Data(_) => {}
            Piece::Trailer(range) => {
                self.trailers.extend_from_slice(read.get(range.clone()).unwrap_or_default());
            }
            Piece::Extension(part, range) => {
                let bytes = read.get(range.clone()).unwrap_or_default();
                let scanner = &self.core.scanner;
                let extensions =
                    self.extensions.get_or_insert_with(|| Box::new(scanner.extensions()));
                match part {
                    ExtensionPart::Name => extensions.add_name(bytes),
                    ExtensionPart::Value => extensions.add_value(bytes),
                    ExtensionPart::Mark => extensions.add_mark(bytes),
                }
            }
        }
    }

    /// Scans the extensions that were added. The fields are scanned once they are there, at the end.
    pub(super) fn tell(&mut self) {
        let Asides { core, sight, direction, extensions, .. } = self;
        let Some(extensions) = extensions.as_mut().filter(|some| some.pending_bytes() > 0) else {
            return;
        };
        core.counters.bytes_scanned.add(extensions.pending_bytes() as u64);
        let _timed = core.counters.scan_time.begin();
        extensions.tell(&mut reporting(core, sight, *direction));
    }
}

impl Drop for Asides<'_> {
    fn drop(&mut self) {
        let Asides { core, sight, direction, extensions, trailers } = self;
        if !trailers.is_empty() {
            finish(sight, || scan_trailers(core, sight, *direction, trailers));
        }
        if let Some(extensions) = extensions {
            finish(sight, || extensions.finish(&mut reporting(core, sight, *direction)));
        }
    }
}

fn reporting<'a>(core: &'a Core, sight: &'a Sight, direction: Direction) -> Reporting<'a> {
    Reporting::new(core, sight, direction, Part::Rest(Place::ChunkLine))
}
