//! What is known of a stream: some of its past, and the window that is looked at.

use std::ops::Range;

use super::stream::End;

/// What is known of a stream: the carried tail, then the window just scanned.
pub(super) struct History<'a> {
    pub(super) tail: &'a [u8],
    pub(super) window: &'a [u8],
    /// The stream's offset of the window's first byte.
    pub(super) offset: u64,
    pub(super) end: End,
    /// Whether the stream is one of commands of tool calls.
    pub(super) is_of_calls: bool,
}

/// A piece of the history.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) bytes: &'a [u8],
    /// The stream's offset of its first byte.
    pub(super) start: u64,
}

impl View<'_> {
    /// Where an offset of the stream lies in it, kept within it.
    pub(super) fn index(&self, offset: u64) -> usize {
        usize::try_from(offset.saturating_sub(self.start))
            .unwrap_or(usize::MAX)
            .min(self.bytes.len())
    }

    pub(super) fn offset(&self, index: usize) -> u64 {
        self.start.saturating_add(index as u64)
    }
}

impl History<'_> {
    /// The offset of the first byte still known.
    pub(super) fn first(&self) -> u64 {
        self.offset.saturating_sub(self.tail.len() as u64)
    }

    /// The offset behind the last byte.
    pub(super) fn last(&self) -> u64 {
        self.offset.saturating_add(self.window.len() as u64)
    }

    /// What is known of a range: what is old of it, and what is of the window.
    pub(super) fn parts(&self, range: Range<u64>) -> (&[u8], &[u8]) {
        let (start, end) = self.known(range);
        let part = |bytes: &'_ [u8], base: u64| {
            let from = usize::try_from(start.saturating_sub(base)).unwrap_or(usize::MAX);
            let to = usize::try_from(end.saturating_sub(base)).unwrap_or(usize::MAX);
            from.min(bytes.len())..to.min(bytes.len())
        };
        let old = self.tail.get(part(self.tail, self.first())).unwrap_or_default();
        let new = self.window.get(part(self.window, self.offset)).unwrap_or_default();
        (old, new)
    }

    /// The same in one piece. Copied into `joined` only where it crosses into the window.
    pub(super) fn view<'b>(&'b self, range: Range<u64>, joined: &'b mut Vec<u8>) -> View<'b> {
        let (start, _) = self.known(range.clone());
        let (old, new) = self.parts(range);
        let bytes = match (old.is_empty(), new.is_empty()) {
            (true, _) => new,
            (_, true) => old,
            _ => {
                joined.clear();
                joined.extend_from_slice(old);
                joined.extend_from_slice(new);
                joined
            }
        };
        View { bytes, start }
    }

    /// A range, as far as its bytes are known.
    fn known(&self, range: Range<u64>) -> (u64, u64) {
        let start = range.start.clamp(self.first(), self.last());
        (start, range.end.clamp(start, self.last()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_shows_what_is_known_and_copies_only_across_the_border() {
        let history = History {
            tail: b"abc",
            window: b"defg",
            offset: 10,
            end: End::Open,
            is_of_calls: false,
        };
        let mut joined = Vec::new();
        for (range, start, bytes) in [
            (0..8, 7, "a"),
            (7..10, 7, "abc"),
            (10..14, 10, "defg"),
            (11..99, 11, "efg"),
            (14..20, 14, ""),
            (0..0, 7, ""),
        ] {
            let view = history.view(range, &mut joined);
            assert_eq!((view.start, view.bytes), (start, bytes.as_bytes()));
        }
        assert!(joined.is_empty());
        assert_eq!(history.view(9..11, &mut joined).bytes, b"cd");
        assert_eq!(joined, b"cd");
    }
}
