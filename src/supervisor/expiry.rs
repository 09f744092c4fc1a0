//! The CA's end, told once a day from when it is near: nothing but failed handshakes would tell of it.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::limits::CA_EXPIRY_REPEAT_SECS;
use crate::tls::{Authority, AuthorityWarning};

/// What is looked at.
pub struct Expiry {
    authority: Option<Arc<Authority>>,
    next_at: Instant,
}

impl Expiry {
    /// The start has told what there was to tell.
    pub fn new(authority: Option<Arc<Authority>>, now: Instant) -> Expiry {
        Expiry { authority, next_at: now + Duration::from_secs(CA_EXPIRY_REPEAT_SECS) }
    }

    /// What is to be said now.
    pub fn due(&mut self, now: Instant, time: SystemTime) -> Option<AuthorityWarning> {
        if now < self.next_at {
            return None;
        }
        self.next_at = now + Duration::from_secs(CA_EXPIRY_REPEAT_SECS);
        let now_secs = time.duration_since(UNIX_EPOCH).ok()?.as_secs();
        self.authority.as_ref()?.expiry_warning(now_secs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::CA_VALIDITY_DAYS;

    #[test]
    fn the_end_of_the_ca_is_told_once_a_day_from_when_it_is_near() {
        let folder = tempfile::tempdir().unwrap();
        let (start, time) = (Instant::now(), SystemTime::now());
        let authority = Authority::load_or_create(folder.path(), time).unwrap().0;
        let mut expiry = Expiry::new(Some(Arc::new(authority)), start);
        let day = Duration::from_secs(CA_EXPIRY_REPEAT_SECS);
        let valid = Duration::from_secs(CA_VALIDITY_DAYS * 86_400);
        assert!(expiry.due(start, time + valid).is_none(), "not before its time");
        assert!(expiry.due(start + day, time).is_none(), "the end is far");
        let near = expiry.due(start + 2 * day, time + valid - 3 * day).unwrap();
        assert!(matches!(near, AuthorityWarning::ExpiresSoon { .. }));
        assert!(expiry.due(start + 2 * day, time + valid).is_none(), "once a day");
        let past = expiry.due(start + 3 * day, time + valid + 3 * day).unwrap().to_string();
        assert!(past.contains("expired on") && past.contains("ca rotate"), "{past}");
    }
}
