//! Fingerprints: HMAC-SHA256 of a secret under the installation's own key, cut to 8 bytes.

use std::fmt;

use aws_lc_rs::hmac;

use crate::finding::Fingerprint;
use crate::limits::FINGERPRINT_KEY_BYTES;

/// The key. Whoever has not got it can neither tell a secret by its fingerprint nor try one.
#[derive(Clone)]
pub struct FingerprintKey(hmac::Key);

impl FingerprintKey {
    pub fn new(bytes: &[u8; FINGERPRINT_KEY_BYTES]) -> FingerprintKey {
        FingerprintKey(hmac::Key::new(hmac::HMAC_SHA256, bytes))
    }

    /// Blanks and quotes around a secret are not part of it.
    pub fn of(&self, secret: &[u8]) -> Fingerprint {
        let is_around = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'');
        let start = secret.iter().take_while(|byte| is_around(byte)).count();
        let end = secret.len() - secret.iter().rev().take_while(|byte| is_around(byte)).count();
        let tag = hmac::sign(&self.0, secret.get(start..end).unwrap_or_default());
        Fingerprint(tag.as_ref().first_chunk().copied().unwrap_or_default())
    }
}

impl fmt::Debug for FingerprintKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FingerprintKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_secret_has_one_fingerprint_under_one_key() {
        let key = FingerprintKey::new(&[7; FINGERPRINT_KEY_BYTES]);
        let other = FingerprintKey::new(&[8; FINGERPRINT_KEY_BYTES]);
        let own = key.of(b"EXAMPLE-secret");
        assert_eq!(key.of(b" \"EXAMPLE-secret'\r\n"), own);
        assert_ne!(key.of(b"EXAMPLE-secreu"), own);
        assert_ne!(other.of(b"EXAMPLE-secret"), own);
        assert_eq!(key.of(b"\" '"), key.of(b""));
        assert_eq!(format!("{key:?}"), "FingerprintKey");
        assert_eq!(Fingerprint::parse(&own.to_string()), Some(own));
    }

    #[test]
    fn it_is_the_beginning_of_the_hmac() {
        // RFC 4231 §4.3, test case 2, whose key is padded with zeros as HMAC itself does.
        let mut key = [0; FINGERPRINT_KEY_BYTES];
        key[..4].copy_from_slice(b"Jefe");
        let told = FingerprintKey::new(&key).of(b"what do ya want for nothing?");
        assert_eq!(told.to_string(), "5bdcc146bf60754e");
    }
}
