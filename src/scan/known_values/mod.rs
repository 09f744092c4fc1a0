//! Known values: secrets whose very bytes must never leave, found in what streams by. Owns their digests and
//! tags; the values themselves are wiped once these are made. Reads no file, no variable and no clock.
//!
//! Every form that a value may take (`forms`) is a target of known length. At every fourth byte a keyed hash of
//! the 5 bytes before it is looked up in a bitmap (`anchors`). Where that hits, the tag of the target's first 8
//! bytes is compared, and only then the HMAC of the whole stretch. A match is looked for from its end, so it is
//! told when its last byte arrives, however the bytes were cut.

mod anchors;
mod forms;
mod looks;
#[cfg(test)]
mod tests;
mod unescaped;
mod watch;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use aws_lc_rs::{hmac, rand};
use zeroize::Zeroizing;

use self::anchors::{ANCHOR_BYTES, AnchorHash, Anchors, STRIDE_BYTES};
use self::unescaped::Unescaped;
use crate::finding::{Confidence, Fingerprint};
use crate::limits::{
    KNOWN_FORM_MAX_BYTES, KNOWN_HALF_NEAR_BYTES, KNOWN_HALF_NEAR_LENGTHS, KNOWN_VALUE_MIN_BYTES,
    KNOWN_VALUES_MAX,
};

pub use forms::Form;
pub use looks::Looks;
pub use watch::Watch;

/// The rule's name of findings of known values.
pub const KNOWN_VALUE_RULE: &str = "known_value";

/// A secret by name, as it is handed in.
pub struct NamedValue {
    /// What findings call it, such as a variable's name.
    pub name: Arc<str>,
    pub bytes: Zeroizing<Vec<u8>>,
}

/// Not the value: this is for logs and test failures.
impl fmt::Debug for NamedValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NamedValue({})", self.name)
    }
}

/// Why known values cannot be watched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KnownValuesError {
    /// The system gives no random bytes, so that there is no key.
    NoRandomness,
    /// More than `limits::KNOWN_VALUES_MAX`.
    TooMany,
}

impl fmt::Display for KnownValuesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KnownValuesError::NoRandomness => f.write_str("the system gives no random bytes"),
            KnownValuesError::TooMany => {
                write!(f, "watch_env and watch_files name more than {KNOWN_VALUES_MAX} values")
            }
        }
    }
}

impl std::error::Error for KnownValuesError {}

/// What was seen of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// Which value, for [`KnownValues::name`] and [`KnownValues::fingerprint`].
    pub value: usize,
    pub form: Form,
    /// Where it begins in the stream.
    pub at: u64,
    pub len: usize,
}

impl Known {
    /// Half of a value may be there by chance, or stand in another one.
    pub fn confidence(&self) -> Confidence {
        if self.form.is_half() { Confidence::Low } else { Confidence::High }
    }
}

/// The values that are watched for, as digests under a key of this process.
pub struct KnownValues {
    values: Vec<Named>,
    targets: Vec<Target>,
    hash: AnchorHash,
    /// Targets by their first 8 bytes, and by their last 8.
    heads: Anchors,
    tails: Anchors,
    /// Targets by the 5 bytes that end 0 to 3 bytes before their own end: the number is four times the target's,
    /// plus that distance.
    ends: Anchors,
    key: hmac::Key,
    longest: usize,
    /// The same forms in small letters, as names of hosts are written; nothing is watched for by them.
    small: Option<Box<KnownValues>>,
}

/// What findings say of a value.
struct Named {
    name: Arc<str>,
    fingerprint: Fingerprint,
}

/// Whether a text was cut out of another one, so that a value may go on beyond its edges.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Edges {
    Cut,
    Whole,
}

/// One form of one value.
struct Target {
    value: usize,
    form: Form,
    len: usize,
    /// What of the same form is behind it and is not compared.
    rest: usize,
    /// The tag of its first 8 bytes.
    head: u32,
    digest: [u8; DIGEST_BYTES],
}

const DIGEST_BYTES: usize = 16;

impl KnownValues {
    /// Digests the values and wipes them. Those of fewer than `limits::KNOWN_VALUE_MIN_BYTES` bytes, blanks
    /// around them not counted, are passed over: whoever hands them in has warned of them.
    pub fn new(
        values: Vec<NamedValue>,
        fingerprint: impl Fn(&[u8]) -> Fingerprint,
    ) -> Result<KnownValues, KnownValuesError> {
        if values.len() > KNOWN_VALUES_MAX {
            return Err(KnownValuesError::TooMany);
        }
        let (mut known, mut small) = (KnownValues::empty()?, KnownValues::empty()?);
        for value in &values {
            let bytes = value.bytes.trim_ascii();
            if bytes.len() < KNOWN_VALUE_MIN_BYTES {
                continue;
            }
            let number = known.values.len();
            let name = Arc::clone(&value.name);
            known.values.push(Named { name, fingerprint: fingerprint(bytes) });
            for (form, text) in forms::of(bytes) {
                known.add(number, form, &text);
                small.add(number, form, &Zeroizing::new(text.to_ascii_lowercase()));
            }
        }
        small.sort();
        known.sort();
        known.small = Some(Box::new(small));
        Ok(known)
    }

    fn empty() -> Result<KnownValues, KnownValuesError> {
        Ok(KnownValues {
            values: Vec::new(),
            targets: Vec::new(),
            hash: AnchorHash::keyed(random()?),
            heads: Anchors::default(),
            tails: Anchors::default(),
            ends: Anchors::default(),
            key: hmac::Key::new(hmac::HMAC_SHA256, &*Zeroizing::new(random::<32>()?)),
            longest: 0,
            small: None,
        })
    }

    fn sort(&mut self) {
        self.heads.sort();
        self.tails.sort();
        self.ends.sort();
    }

    fn add(&mut self, value: usize, form: Form, all: &[u8]) {
        let text = all.get(..KNOWN_FORM_MAX_BYTES).unwrap_or(all);
        let (Some(head), Some(tail)) =
            (text.first_chunk::<ANCHOR_BYTES>(), text.last_chunk::<ANCHOR_BYTES>())
        else {
            return;
        };
        let number = self.targets.len();
        for distance in 0..STRIDE_BYTES {
            // The last 8 bytes, moved towards their end: what moves in at the front is not hashed.
            let shifted = u64::from_le_bytes(*tail) << (8 * distance);
            let hash = self.hash.of_end(&shifted.to_le_bytes());
            self.ends.add(hash, number * STRIDE_BYTES + distance);
        }
        let (head, tail) = (self.hash.of(head), self.hash.of(tail));
        self.heads.add(head, number);
        self.tails.add(tail, number);
        let digest = self.digest(text, &[]);
        let (len, rest) = (text.len(), all.len() - text.len());
        let target = Target { value, form, len, rest, head: anchors::tag(head), digest };
        self.targets.push(target);
        self.longest = self.longest.max(text.len());
    }

    /// Whether nothing is watched for.
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    /// How many values are watched for.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// What a value is called.
    pub fn name(&self, value: usize) -> &str {
        self.values.get(value).map_or("", |named| &named.name)
    }

    /// The fingerprint of a value, whatever form it was seen in.
    pub fn fingerprint(&self, value: usize) -> Option<Fingerprint> {
        self.values.get(value).map(|named| named.fingerprint)
    }

    /// Where a text holds known values, or pieces of them that an edge of the text cuts off and of which 8
    /// bytes at least are left: what must not be shown. Around a half the rest of its value may stand, cut
    /// anywhere and in fields of its own, so that what is near it must not be shown either. Percent-encoders differ in
    /// what they leave as it is: a text with escapes is looked at as it reads, too.
    pub fn spans(&self, text: &[u8], spans: &mut Vec<Range<usize>>) {
        let mut halves = self.wholes(text, Edges::Cut, spans);
        for has_plus in [false, true] {
            let Some(read) = Unescaped::of(text, has_plus) else { break };
            let mut inside = Vec::new();
            let found = self.wholes(&read.text, Edges::Cut, &mut inside);
            spans.extend(inside.iter().map(|span| read.written(span)));
            halves.extend(found.iter().map(|(half, len)| (read.written(half), *len)));
        }
        // One may be of a value that stands there whole as it reads, or as it is written.
        keep_outside(&mut halves, spans);
        for (half, len) in halves {
            let near = (KNOWN_HALF_NEAR_LENGTHS * len).saturating_add(KNOWN_HALF_NEAR_BYTES);
            let end = half.end.saturating_add(near).min(text.len());
            spans.push(half.start.saturating_sub(near)..end);
        }
    }

    /// The same of values in small letters, as a name of a host in the text has them, and of their halves alone.
    pub fn spans_in_small_letters(&self, text: &[u8], spans: &mut Vec<Range<usize>>) {
        let Some(small) = &self.small else { return };
        let text = Zeroizing::new(text.to_ascii_lowercase());
        let halves = small.wholes(&text, Edges::Cut, spans);
        spans.extend(halves.into_iter().map(|(half, _)| half));
    }

    /// All of a host's name, without its domain, if it holds some of a known value, in whichever case: the rest may
    /// stand beside it, in labels of its own.
    pub fn spans_in_name(&self, name: &[u8], spans: &mut Vec<Range<usize>>) {
        let Some(small) = &self.small else { return };
        let lower = Zeroizing::new(name.to_ascii_lowercase());
        let mut wholes = Vec::new();
        let halves = small.wholes(&lower, Edges::Whole, &mut wholes);
        if !(wholes.is_empty() && halves.is_empty()) {
            spans.push(0..name.len());
        }
    }

    /// Adds where whole values stand, in order, and gives where halves stand that are in none of them, each with the
    /// length of its form.
    fn wholes(
        &self,
        text: &[u8],
        edges: Edges,
        spans: &mut Vec<Range<usize>>,
    ) -> Vec<(Range<usize>, usize)> {
        let mut halves = Vec::new();
        if self.is_empty() {
            return halves;
        }
        self.hash.each(text, &mut |end, hash| {
            let start = end - ANCHOR_BYTES;
            for target in self.heads.at(hash).filter_map(|number| self.targets.get(number)) {
                match text.get(start..start.saturating_add(target.len)) {
                    Some(whole) if self.digest(whole, &[]) == target.digest => {
                        let end = start + target.len;
                        match target.form.is_half() {
                            true => halves.push((start..end, target.len)),
                            false => spans.push(start..text.len().min(end + target.rest)),
                        }
                    }
                    Some(_) => {}
                    None if edges == Edges::Cut => spans.push(start..text.len()),
                    None => {}
                }
            }
            let tails = self.tails.at(hash).filter_map(|number| self.targets.get(number));
            if edges == Edges::Cut && tails.into_iter().any(|target| target.len > end) {
                spans.push(0..end);
            }
        });
        keep_outside(&mut halves, spans);
        halves
    }

    fn digest(&self, first: &[u8], second: &[u8]) -> [u8; DIGEST_BYTES] {
        let mut context = hmac::Context::with_key(&self.key);
        context.update(first);
        context.update(second);
        let tag = context.sign();
        tag.as_ref().first_chunk().copied().unwrap_or_default()
    }
}

/// Keeps halves that are in none of these spans; puts both in order. A text may hold thousands of them.
fn keep_outside(halves: &mut Vec<(Range<usize>, usize)>, spans: &mut [Range<usize>]) {
    halves.sort_unstable_by_key(|(half, _)| half.start);
    spans.sort_unstable_by_key(|span| span.start);
    let mut wholes = spans.iter().peekable();
    let mut covered_to = 0;
    halves.retain(|(half, _)| {
        while let Some(whole) = wholes.next_if(|whole| whole.start <= half.start) {
            covered_to = covered_to.max(whole.end);
        }
        covered_to < half.end
    });
}

/// Not a single byte of a digest or a key.
impl fmt::Debug for KnownValues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KnownValues({})", self.values.len())
    }
}

fn random<const LEN: usize>() -> Result<[u8; LEN], KnownValuesError> {
    let mut bytes = [0; LEN];
    rand::fill(&mut bytes).map_err(|_| KnownValuesError::NoRandomness)?;
    Ok(bytes)
}
