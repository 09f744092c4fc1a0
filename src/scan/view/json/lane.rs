//! Which texts of successive events are one: keys, places and indices, mixed into a number.
//!
//! The numbers are no secret and not collision-proof. Who sends a stream chooses its keys and its
//! texts; a lane that it confuses is its own.

use smallvec::SmallVec;

use crate::limits::JSON_NAMES_MAX;

/// Where each path begins.
pub(super) const ROOT: u64 = 0x51a7_3c1d_88e2_f60b;

const LEFT: u64 = 0x9e37_79b9_7f4a_7c15;
const RIGHT: u64 = 0xd6e8_feb8_6659_fd93;

/// One number of two; their order matters.
#[inline]
pub(super) fn mix(left: u64, right: u64) -> u64 {
    let product = u128::from(left ^ LEFT) * u128::from(right.rotate_left(23) ^ RIGHT);
    product as u64 ^ (product >> 64) as u64
}

/// One number of some bytes.
pub fn number_of(bytes: &[u8]) -> u64 {
    hash(ROOT, bytes)
}

/// One number of `seed` and `bytes`.
#[inline]
pub(super) fn hash(seed: u64, bytes: &[u8]) -> u64 {
    let mut sum = seed ^ (bytes.len() as u64).wrapping_mul(LEFT);
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        sum = mix(sum, u64::from_le_bytes(*word));
    }
    let tail = match (rest.first_chunk::<4>(), rest.last_chunk::<4>()) {
        (Some(first), Some(last)) => {
            u64::from(u32::from_le_bytes(*first)) << 32 | u64::from(u32::from_le_bytes(*last))
        }
        _ => rest.iter().fold(1, |sum, byte| sum << 8 | u64::from(*byte)),
    };
    mix(sum, tail)
}

/// What sets the events of one object apart from those of another that stands at the same path.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Marks {
    /// Its place in an array, counted from one; zero if it is not in one.
    position: u64,
    /// Its field `index`, plus one: it says the place where the array holds only what is new.
    index: u64,
    /// Its other fields that end in `_index` or `Index`.
    indices: u64,
    /// Its field `item_id`.
    item: u64,
    /// Its field `response_id`: one socket may carry several responses.
    response: u64,
    /// Its fields that name a call of a tool, or a run.
    call: u64,
    /// Its field `type`, and its other names: they count for an event as a whole only.
    kind: u64,
    name: u64,
    /// Its `index` counts tokens.
    counts_tokens: bool,
}

impl Marks {
    /// The marks of an object at a place of an array, counted from zero, or of one that is in none.
    pub(super) fn at(position: Option<u64>) -> Self {
        Self { position: position.map_or(0, |position| position + 1), ..Self::default() }
    }

    /// Takes note of a key.
    #[inline]
    pub(super) fn note_key(&mut self, key: &[u8]) {
        // Text Generation Inference numbers the tokens of one text.
        self.counts_tokens |= key == b"token";
    }

    /// Takes note of a field that is a number.
    #[inline]
    pub(super) fn note_number(&mut self, key: &[u8], number: &[u8]) {
        if key == b"index" {
            self.index = value_of(number).wrapping_add(1);
        } else if key.ends_with(b"_index") || key.ends_with(b"Index") {
            self.indices = self.indices.wrapping_add(hash(hash(ROOT, key), number));
        }
    }

    /// Takes note of a field that is a string.
    #[inline]
    pub(super) fn note_string(&mut self, key: &[u8], text: &[u8]) {
        match key {
            b"item_id" => self.item = hash(ROOT, text),
            b"response_id" => self.response = hash(LEFT, text),
            b"toolCallId" | b"tool_call_id" | b"run_id" => {
                self.call = self.call.wrapping_add(hash(hash(ROOT, key), text));
            }
            b"type" => self.kind = hash(ROOT, text),
            b"id" | b"messageId" | b"message_id" => {
                self.name = self.name.wrapping_add(hash(hash(ROOT, key), text));
            }
            _ => {}
        }
    }

    /// The number of what these marks and those of the enclosing objects, `outer`, set apart.
    #[inline]
    pub(super) fn within(&self, outer: u64) -> u64 {
        let indexed = self.index != 0 && !self.counts_tokens;
        let place = if indexed { self.index } else { self.position };
        // Some relays give each event an `item_id` of its own; the indices beside it stay the same.
        let item = if indexed || self.indices != 0 { 0 } else { self.item };
        let rest = self.indices ^ item ^ self.response ^ self.call;
        if place == 0 && rest == 0 { outer } else { mix(mix(outer, place), rest) }
    }

    /// The same of an object that no other encloses: `number` is that of its marks, `names` those so far if it is an
    /// event.
    #[inline]
    pub(super) fn of_outermost(&self, number: u64, names: Option<&mut Names>) -> u64 {
        let rest = self.kind.wrapping_add(names.map_or(0, |names| names.note(self.name)));
        if rest == 0 { number } else { mix(number, rest) }
    }
}

/// The names of the events of a stream. Some relays give each event one of its own, and many streams one to all: a name
/// sets events apart once one came again behind another.
#[derive(Debug, Default)]
pub(super) struct Names {
    seen: SmallVec<[u64; 4]>,
    last: u64,
    do_alternate: bool,
}

impl Names {
    /// The number of what a name, zero if there is none, sets apart.
    fn note(&mut self, name: u64) -> u64 {
        if name != 0 && name != self.last && !self.do_alternate {
            self.do_alternate = self.seen.contains(&name);
            if self.seen.len() < JSON_NAMES_MAX {
                self.seen.push(name);
            }
            self.last = name;
        }
        if self.do_alternate { name } else { 0 }
    }
}

fn value_of(number: &[u8]) -> u64 {
    let value = number.iter().try_fold(0_u64, |value, digit| match digit {
        b'0'..=b'9' => value.checked_mul(10)?.checked_add(u64::from(digit - b'0')),
        _ => None,
    });
    value.unwrap_or_else(|| hash(ROOT, number))
}

/// Strings that describe the text and are none of it. The raw bytes of the event are scanned anyway; what
/// is left out here is only not joined with what follows it in later events.
pub(super) fn is_metadata(key: &[u8]) -> bool {
    match key {
        // Names and numbers of messages, items, calls and models: the same in each event.
        b"id" | b"object" | b"model" | b"type" | b"role" | b"item_id" | b"response_id" => true,
        b"toolCallId" | b"tool_call_id" | b"messageId" | b"message_id" | b"run_id" => true,
        b"event_id" | b"responseId" | b"modelVersion" | b"system_fingerprint" => true,
        b"service_tier" | b"created_at" => true,
        // Why and how a text ended.
        b"finish_reason" | b"finishReason" | b"stop_reason" | b"stopReason" | b"done_reason" => {
            true
        }
        b"status" => true,
        // Random characters that hide the length of what an event says.
        b"obfuscation" | b"p" => true,
        // Sealed by the provider: nobody else can read it.
        b"signature" | b"thoughtSignature" | b"encrypted_content" => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn short_keys_have_numbers_of_their_own() {
        let mut seen = HashSet::new();
        for len in 0..40 {
            for byte in b'a'..=b'z' {
                let mut key = vec![b'k'; len];
                for at in 0..len {
                    key[at] = byte;
                    seen.insert((hash(ROOT, &key), key.clone()));
                    key[at] = b'k';
                }
            }
        }
        let numbers: HashSet<u64> = seen.iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers.len(), seen.len());
    }

    #[test]
    fn an_index_says_the_place_in_an_array() {
        let mut indexed = Marks::at(Some(0));
        indexed.note_number(b"index", b"3");
        assert_eq!(indexed.within(7), Marks::at(Some(3)).within(7));
        let mut counting = indexed;
        counting.note_key(b"token");
        assert_eq!(counting.within(7), Marks::at(Some(0)).within(7));
    }

    #[test]
    fn an_item_counts_only_where_no_index_does() {
        let (mut one, mut other) = (Marks::default(), Marks::default());
        one.note_string(b"item_id", b"a");
        other.note_string(b"item_id", b"b");
        assert_ne!(one.within(7), other.within(7));
        one.note_number(b"output_index", b"0");
        other.note_number(b"output_index", b"0");
        assert_eq!(one.within(7), other.within(7));
        other.note_string(b"response_id", b"r");
        assert_ne!(one.within(7), other.within(7));
    }
}
