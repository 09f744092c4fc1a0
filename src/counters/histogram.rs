//! How often a value fell between which bounds. Written by one core with two relaxed adds a value, read by any
//! thread; a reader may see a value in its bucket that is not in the sum yet.

use std::time::Instant;

use super::Count;
use crate::limits::SCAN_TIME_SAMPLE_EVERY;

/// Counts by bucket. A value on a bound belongs to the bucket below it.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [u64],
    /// One a bound, and one for what is above the last.
    buckets: Vec<Count>,
    sum: Count,
}

/// What a histogram held at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// Upper bounds, and how many values fell under each but not under the one before.
    pub buckets: Vec<(u64, u64)>,
    /// Above the last bound.
    pub over: u64,
    pub sum: u64,
}

impl Histogram {
    /// Nothing counted yet; `bounds` rise.
    pub fn new(bounds: &'static [u64]) -> Histogram {
        let buckets = std::iter::repeat_with(Count::default).take(bounds.len() + 1).collect();
        Histogram { bounds, buckets, sum: Count::default() }
    }

    /// Counts a value.
    pub fn observe(&self, value: u64) {
        let bucket = self.bounds.partition_point(|bound| *bound < value);
        if let Some(count) = self.buckets.get(bucket) {
            count.add(1);
        }
        self.sum.add(value);
    }

    /// What it holds.
    pub fn snapshot(&self) -> Snapshot {
        let counts = self.buckets.iter().map(Count::get);
        Snapshot {
            buckets: self.bounds.iter().copied().zip(counts).collect(),
            over: self.buckets.last().map_or(0, Count::get),
            sum: self.sum.get(),
        }
    }
}

impl Snapshot {
    /// How many values there were.
    pub fn count(&self) -> u64 {
        self.over + self.buckets.iter().map(|(_, count)| count).sum::<u64>()
    }
}

/// A histogram of times too short to be measured each: one in `limits::SCAN_TIME_SAMPLE_EVERY` is, so that the
/// clock is hardly ever asked.
#[derive(Debug)]
pub struct Sampled {
    nanoseconds: Histogram,
    seen: Count,
}

/// A time that runs until this is dropped, if it is one of the sample.
#[derive(Debug)]
pub struct Sample<'a> {
    of: &'a Histogram,
    began: Option<Instant>,
}

impl Sampled {
    /// Nothing measured yet; the bounds are nanoseconds.
    pub fn new(bounds: &'static [u64]) -> Sampled {
        Sampled { nanoseconds: Histogram::new(bounds), seen: Count::default() }
    }

    /// A time begins.
    pub fn begin(&self) -> Sample<'_> {
        let is_measured = self.seen.get().is_multiple_of(SCAN_TIME_SAMPLE_EVERY);
        self.seen.add(1);
        Sample { of: &self.nanoseconds, began: is_measured.then(Instant::now) }
    }

    /// What was measured.
    pub fn snapshot(&self) -> Snapshot {
        self.nanoseconds.snapshot()
    }
}

impl Drop for Sample<'_> {
    fn drop(&mut self) {
        if let Some(began) = self.began {
            self.of.observe(u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_counted_under_the_first_bound_that_is_not_below_it() {
        let histogram = Histogram::new(&[10, 20]);
        for value in [0, 10, 11, 20, 21, 1000] {
            histogram.observe(value);
        }
        let held = histogram.snapshot();
        assert_eq!(held, Snapshot { buckets: vec![(10, 2), (20, 2)], over: 2, sum: 1062 });
        assert_eq!(held.count(), 6);
    }

    #[test]
    fn one_time_in_so_many_is_measured() {
        let sampled = Sampled::new(&[1]);
        for _ in 0..SCAN_TIME_SAMPLE_EVERY {
            drop(sampled.begin());
        }
        assert_eq!(sampled.snapshot().count(), 1);
        drop(sampled.begin());
        assert_eq!(sampled.snapshot().count(), 2);
    }
}
