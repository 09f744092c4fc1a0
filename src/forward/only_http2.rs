//! Origins that were found to speak HTTP/2 and nothing else: whoever speaks HTTP/1.1 to them need not be refused each time.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::origin::Origin;
use crate::limits::{HTTP2_ONLY_KNOWN_MAX, HTTP2_ONLY_KNOWN_SECS};

/// What one core knows of them, for a time.
#[derive(Debug, Default)]
pub struct OnlyHttp2 {
    found: HashMap<Origin, Instant>,
}

impl OnlyHttp2 {
    /// Whether this origin is one of them.
    pub fn has(&self, origin: &Origin, now: Instant) -> bool {
        // Nearly always there are none, and nothing is hashed.
        !self.found.is_empty() && self.found.get(origin).is_some_and(|found| !is_old(*found, now))
    }

    /// This origin is one. Where there is no room the one that was found first makes it.
    pub fn note(&mut self, origin: &Origin, now: Instant) {
        if self.found.len() >= HTTP2_ONLY_KNOWN_MAX {
            self.found.retain(|_, found| !is_old(*found, now));
        }
        if self.found.len() >= HTTP2_ONLY_KNOWN_MAX {
            let oldest = self.found.iter().min_by_key(|(_, found)| **found);
            if let Some(oldest) = oldest.map(|(origin, _)| origin.clone()) {
                self.found.remove(&oldest);
            }
        }
        self.found.insert(origin.clone(), now);
    }
}

fn is_old(found: Instant, now: Instant) -> bool {
    now.saturating_duration_since(found) >= Duration::from_secs(HTTP2_ONLY_KNOWN_SECS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(host: &str) -> Origin {
        Origin::clear(host, 443).encrypted(host)
    }

    #[test]
    fn what_was_found_is_known_for_a_time() {
        let (mut known, now) = (OnlyHttp2::default(), Instant::now());
        known.note(&origin("a"), now);
        let end = now + Duration::from_secs(HTTP2_ONLY_KNOWN_SECS);
        assert!(known.has(&origin("a"), end - Duration::from_millis(1)));
        assert!(!known.has(&origin("a"), end) && !known.has(&origin("b"), now));
        assert!(!known.has(&Origin::clear("a", 443).encrypted("b"), now), "another name");
    }

    #[test]
    fn the_newest_are_known() {
        let (mut known, began) = (OnlyHttp2::default(), Instant::now());
        let numbers = (0_u32..).take(HTTP2_ONLY_KNOWN_MAX + 1);
        for (number, at) in
            numbers.map(|number| (number, began + number * Duration::from_millis(1)))
        {
            known.note(&origin(&number.to_string()), at);
        }
        assert_eq!(known.found.len(), HTTP2_ONLY_KNOWN_MAX);
        assert!(!known.has(&origin("0"), began) && known.has(&origin("1"), began));
        assert!(known.has(&origin(&HTTP2_ONLY_KNOWN_MAX.to_string()), began));
    }
}
