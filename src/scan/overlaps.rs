//! Which matches of a window lie over each other, told without a look at all of them for each.

use std::ops::Range;

/// Spans by where they begin.
#[derive(Default)]
pub(super) struct Overlaps {
    spans: Vec<Placed>,
}

struct Placed {
    span: Range<u64>,
    /// Which of the spans it is.
    number: usize,
    /// The furthest end of it and of all before it.
    furthest: u64,
}

impl Overlaps {
    /// Takes the place of what was there before.
    pub(super) fn arrange<'a>(&mut self, spans: impl Iterator<Item = &'a Range<u64>>) {
        self.spans.clear();
        let placed = |(number, span): (usize, &Range<u64>)| Placed {
            span: span.clone(),
            number,
            furthest: span.end,
        };
        self.spans.extend(spans.enumerate().map(placed));
        self.spans.sort_unstable_by_key(|placed| (placed.span.start, placed.number));
        let mut furthest = 0;
        for placed in &mut self.spans {
            furthest = furthest.max(placed.furthest);
            placed.furthest = furthest;
        }
    }

    /// The numbers of the spans that share a byte with this one.
    pub(super) fn of<'a>(&'a self, span: &Range<u64>) -> impl Iterator<Item = usize> + use<'a> {
        let Range { start, end } = *span;
        let before = self.spans.partition_point(|placed| placed.span.start < end);
        let near = self.spans.get(..before).unwrap_or_default();
        near.iter()
            .rev()
            .take_while(move |placed| placed.furthest > start)
            .filter(move |placed| placed.span.end > start)
            .map(|placed| placed.number)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn those_that_share_a_byte_are_told(
            spans in proptest::collection::vec((0_u64..60, 1_u64..20), 0..30),
        ) {
            let spans: Vec<_> = spans.into_iter().map(|(start, len)| start..start + len).collect();
            let mut overlaps = Overlaps::default();
            overlaps.arrange(std::iter::once(&(5..9)));
            overlaps.arrange(spans.iter());
            for one in &spans {
                let mut near: Vec<usize> = overlaps.of(one).collect();
                near.sort_unstable();
                let shares = |other: &Range<u64>| one.start < other.end && other.start < one.end;
                let numbers = spans.iter().enumerate().filter(|(_, other)| shares(other));
                prop_assert_eq!(near, numbers.map(|(number, _)| number).collect::<Vec<_>>());
            }
        }
    }
}
