//! What a coding swallows: names and comments in the heads of gzip's members, zstd's skippable frames, all that was
//! taken before an end that came too early. It is read as it stands. What is inflated is read there; of its coded
//! form only stretches that say less than they hold cost a second look.

use memchr::memmem;

use crate::limits::{SCAN_CODED_FIRST_BYTES, SCAN_CODED_HEAD_BYTES};
use crate::scan::padded::Padded;
use crate::scan::text::{Place, Scope, Text};
use crate::scan::view::codings::{Coding, Codings};

/// The bytes of one body, in its codings.
pub(super) struct Coded {
    place: Place,
    /// Whether there is room in the coding for what does not come out.
    may_swallow: bool,
    /// What begins something that may be swallowed.
    mark: &'static [u8],
    text: Option<Text>,
    /// The last bytes taken, as a mark may be cut.
    edge: Vec<u8>,
    /// How many of the next bytes are to be read.
    ahead: usize,
    /// How many were read behind those that were taken.
    left: usize,
}

/// The flags of a gzip member that has more in its head than its fixed part, and where they stand.
const GZIP_HAS_MORE: u8 = 0x1c;
const GZIP_FLAGS_AT: usize = 3;

impl Coded {
    /// Nothing taken yet.
    pub(super) fn new(place: Place, codings: &Codings) -> Coded {
        let mark: &[u8] = match codings.applied().last() {
            Some(Coding::Gzip) => b"\x1f\x8b\x08",
            Some(Coding::Zstd) => b"\x2a\x4d\x18",
            _ => b"",
        };
        // What the lines between chunks may say is known to the last byte.
        let may_swallow = codings.applied().last() != Some(&Coding::AwsChunked);
        // Without a signature, plain text may come out as something else for a while.
        let ahead = match codings.applied().last() {
            Some(Coding::Brotli | Coding::Deflate) => SCAN_CODED_FIRST_BYTES,
            _ => 0,
        };
        Coded { place, may_swallow, mark, text: None, edge: Vec::new(), ahead, left: 0 }
    }

    /// These bytes were taken, and so many came out.
    pub(super) fn taken(&mut self, bytes: Padded<'_>, written: usize, scope: &mut Scope<'_>) {
        if bytes.is_empty() || !self.may_swallow {
            return;
        }
        let is_marked = self.is_marked(bytes.bytes());
        let len = match is_marked || written < bytes.len() {
            true => bytes.len(),
            false => self.ahead.min(bytes.len()),
        };
        if let Some(read) = bytes.slice(0..len).filter(|read| !read.is_empty()) {
            let place = self.place;
            self.text.get_or_insert_with(|| Text::unfolded(place, scope)).feed(read, scope);
        }
        if len < bytes.len() {
            self.finish(scope);
        }
        self.ahead = match is_marked {
            true => SCAN_CODED_HEAD_BYTES,
            false => self.ahead.saturating_sub(bytes.len()),
        };
    }

    /// The coding is given up: these bytes were not taken. What was read may go on in the first of them.
    pub(super) fn left(&mut self, bytes: Padded<'_>, scope: &mut Scope<'_>) {
        let Some(text) = &mut self.text else { return };
        let len = SCAN_CODED_HEAD_BYTES.saturating_sub(self.left).min(bytes.len());
        if let Some(read) = bytes.slice(0..len) {
            text.feed(read, scope);
        }
        self.left += len;
        if self.left == SCAN_CODED_HEAD_BYTES {
            self.finish(scope);
        }
    }

    /// The end of a stretch.
    pub(super) fn finish(&mut self, scope: &mut Scope<'_>) {
        if let Some(mut text) = self.text.take() {
            text.finish(scope);
        }
    }

    /// Whether something begins in these bytes, or shortly before them, that may be swallowed.
    fn is_marked(&mut self, bytes: &[u8]) -> bool {
        if self.mark.is_empty() {
            return false;
        }
        let seam_bytes = self.mark.len() + GZIP_FLAGS_AT;
        self.edge.extend_from_slice(bytes.get(..seam_bytes).unwrap_or(bytes));
        let is_marked = self.has_mark(&self.edge) || self.has_mark(bytes);
        if bytes.len() >= seam_bytes {
            self.edge.clear();
            let last = bytes.get(bytes.len() - self.mark.len()..);
            self.edge.extend_from_slice(last.unwrap_or_default());
        }
        let stale = self.edge.len().saturating_sub(self.mark.len());
        self.edge.drain(..stale);
        is_marked
    }

    fn has_mark(&self, bytes: &[u8]) -> bool {
        let is_gzip = self.mark.first() == Some(&0x1f);
        let swallows = |at: usize| {
            // Flags that are still to come may say so.
            let flags = bytes.get(at + GZIP_FLAGS_AT).copied().unwrap_or(GZIP_HAS_MORE);
            !is_gzip || flags & GZIP_HAS_MORE != 0
        };
        memmem::find_iter(bytes, self.mark).any(swallows)
    }
}
