//! One stream of bytes, watched for known values.

use std::cmp::Reverse;
use std::ops::Range;
use std::sync::Arc;

use super::anchors::{ANCHOR_BYTES, STRIDE_BYTES, tag};
use super::forms::Form;
use super::{Known, KnownValues, Target};
use crate::limits::KNOWN_HALVES_WAITING;

/// The state of one stream: the bytes that a match may still begin in, and first halves whose second halves may
/// follow.
pub struct Watch {
    known: Arc<KnownValues>,
    /// The last bytes that went by, fewer than the longest target has.
    carry: Vec<u8>,
    /// How many bytes went by.
    offset: u64,
    /// First halves: told once it is sure that no second half follows directly.
    halves: Vec<Half>,
}

/// A first half that waits.
#[derive(Clone, Copy)]
struct Half {
    known: Known,
    /// Where the whole value would end.
    whole_end: u64,
}

impl Watch {
    /// Behind so many bytes. Takes no memory before its first byte, and none at all where nothing is watched for.
    pub fn new(known: &Arc<KnownValues>, offset: u64) -> Watch {
        Watch { known: Arc::clone(known), carry: Vec::new(), offset, halves: Vec::new() }
    }

    /// What is watched for.
    pub fn known(&self) -> &Arc<KnownValues> {
        &self.known
    }

    /// Whether no first half waits for its second.
    pub fn is_settled(&self) -> bool {
        self.halves.is_empty()
    }

    /// The next bytes.
    pub fn feed(&mut self, bytes: &[u8], found: &mut dyn FnMut(Known)) {
        let known = Arc::clone(&self.known);
        if known.is_empty() || bytes.is_empty() {
            return;
        }
        self.look_across(&known, bytes, found);
        for (step, anchor) in bytes.windows(ANCHOR_BYTES).step_by(STRIDE_BYTES).enumerate() {
            let Ok(anchor) = anchor.try_into() else { continue };
            let hash = known.hash.of_end(anchor);
            if known.ends.may_hold(hash) {
                let at = step * STRIDE_BYTES + ANCHOR_BYTES;
                self.judge(&known, bytes, at..at + STRIDE_BYTES, hash, found);
            }
        }
        self.keep(&known, bytes);
        self.offset = self.offset.saturating_add(bytes.len() as u64);
        let offset = self.offset;
        self.tell_halves(|half| half.whole_end <= offset, found);
    }

    /// The end of the stream. Afterwards it is as new.
    pub fn finish(&mut self, found: &mut dyn FnMut(Known)) {
        self.tell_halves(|_| true, found);
        self.carry.clear();
        self.offset = 0;
    }

    /// What ends in the first 7 of these bytes, where no anchor is within them: each of them is looked at.
    fn look_across(&mut self, known: &KnownValues, bytes: &[u8], found: &mut dyn FnMut(Known)) {
        let before = self.carry.len().min(ANCHOR_BYTES - 1);
        let mut border = [0; 2 * (ANCHOR_BYTES - 1)];
        let old = self.carry.get(self.carry.len() - before..).unwrap_or_default();
        let new = bytes.get(..bytes.len().min(ANCHOR_BYTES - 1)).unwrap_or_default();
        let joined = old.iter().chain(new);
        let len = border.iter_mut().zip(joined).map(|(to, from)| *to = *from).count();
        for (start, anchor) in border.get(..len).unwrap_or_default().windows(8).enumerate() {
            let Ok(anchor) = anchor.try_into() else { continue };
            let hash = known.hash.of_end(anchor);
            if known.ends.may_hold(hash) {
                let at = start + ANCHOR_BYTES - before;
                self.judge(known, bytes, at..at + 1, hash, found);
            }
        }
    }

    /// Looks at the targets with this anchor at `ends.start` that may end in `ends`, and tells the longest of each
    /// value.
    #[cold]
    fn judge(
        &mut self,
        known: &KnownValues,
        bytes: &[u8],
        ends: Range<usize>,
        hash: u64,
        found: &mut dyn FnMut(Known),
    ) {
        let target_of = |number: usize| {
            let end = ends.start + number % STRIDE_BYTES;
            let target = known.targets.get(number / STRIDE_BYTES)?;
            let is_here = ends.contains(&end) && end <= bytes.len();
            (is_here && self.is_there(known, bytes, end, target)).then_some((end, target))
        };
        let mut here: Vec<(usize, &Target)> = known.ends.at(hash).filter_map(target_of).collect();
        here.sort_unstable_by_key(|(end, target)| (*end, target.value, Reverse(target.len)));
        here.dedup_by_key(|(end, target)| (*end, target.value));
        for (end, target) in here {
            let end = self.offset.saturating_add(end as u64);
            let at = end.saturating_sub(target.len as u64);
            let seen = Known { value: target.value, form: target.form, at, len: target.len };
            self.halves.retain(|half| half.known.value != seen.value || half.known.at != at);
            self.tell_halves(|half| half.whole_end <= end, found);
            match target.form {
                Form::FirstHalf => self.wait(known, seen, found),
                _ => found(seen),
            }
        }
    }

    fn is_there(&self, known: &KnownValues, bytes: &[u8], end: usize, target: &Target) -> bool {
        let text = bytes.get(..end).unwrap_or_default();
        let (old, new) = match end.checked_sub(target.len) {
            Some(start) => (&[][..], text.get(start..).unwrap_or_default()),
            None => {
                let missing = target.len - end;
                let Some(start) = self.carry.len().checked_sub(missing) else { return false };
                (self.carry.get(start..).unwrap_or_default(), text)
            }
        };
        let mut first = [0; ANCHOR_BYTES];
        first.iter_mut().zip(old.iter().chain(new)).for_each(|(to, from)| *to = *from);
        tag(known.hash.of(&first)) == target.head && known.digest(old, new) == target.digest
    }

    /// Holds a first half back until the second would have come.
    fn wait(&mut self, known: &KnownValues, seen: Known, found: &mut dyn FnMut(Known)) {
        let is_plain = |target: &&Target| target.value == seen.value && target.form == Form::Plain;
        let whole = known.targets.iter().find(is_plain).map_or(0, |target| target.len);
        if self.halves.len() >= KNOWN_HALVES_WAITING {
            found(self.halves.remove(0).known);
        }
        let whole_end = seen.at.saturating_add(whole as u64);
        self.halves.push(Half { known: seen, whole_end });
    }

    fn tell_halves(&mut self, is_due: impl Fn(&Half) -> bool, found: &mut dyn FnMut(Known)) {
        self.halves.retain(|half| {
            let is_due = is_due(half);
            if is_due {
                found(half.known);
            }
            !is_due
        });
    }

    /// Keeps the end of what went by.
    fn keep(&mut self, known: &KnownValues, bytes: &[u8]) {
        let room = known.longest.saturating_sub(1);
        let fresh = bytes.get(bytes.len().saturating_sub(room)..).unwrap_or_default();
        let kept = room.saturating_sub(fresh.len()).min(self.carry.len());
        self.carry.drain(..self.carry.len() - kept);
        self.carry.reserve_exact(room.saturating_sub(self.carry.len()));
        self.carry.extend_from_slice(fresh);
    }
}
