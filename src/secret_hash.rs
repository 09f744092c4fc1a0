//! Secrets of proxy users as they are kept: Argon2id hashes in the PHC string format. Slow by intent: never on
//! a core's executor.

use std::fmt;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use aws_lc_rs::{hmac, rand};

use crate::limits::{
    SECRET_HASH_LANES_MAX, SECRET_HASH_MEMORY_KIB, SECRET_HASH_MEMORY_MAX_KIB, SECRET_HASH_PASSES,
    SECRET_HASH_PASSES_MAX, SECRET_HASH_TEXT_MAX_CHARS,
};

/// A hash that was checked to be one, and not to cost more than it may.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretHash(String);

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(…)")
    }
}

impl SecretHash {
    /// Takes what [`SecretHash::of`] printed; none if it is anything else.
    pub fn parse(text: &str) -> Option<SecretHash> {
        if text.len() > SECRET_HASH_TEXT_MAX_CHARS {
            return None;
        }
        let hash = PasswordHash::new(text).ok()?;
        let is_argon2id = hash.algorithm.as_str() == Algorithm::Argon2id.as_str();
        let params = Params::try_from(&hash).ok()?;
        let is_bounded = params.m_cost() <= SECRET_HASH_MEMORY_MAX_KIB
            && params.t_cost() <= SECRET_HASH_PASSES_MAX
            && params.p_cost() <= SECRET_HASH_LANES_MAX;
        let is_whole = hash.salt.is_some() && hash.hash.is_some();
        (is_argon2id && is_bounded && is_whole).then(|| SecretHash(text.to_owned()))
    }

    /// Hashes a secret under a salt of its own.
    pub fn of(secret: &[u8]) -> Result<SecretHash, String> {
        let params = Params::new(SECRET_HASH_MEMORY_KIB, SECRET_HASH_PASSES, 1, None)
            .map_err(|error| error.to_string())?;
        let hasher = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let hash = hasher.hash_password(secret).map_err(|error| error.to_string())?;
        Ok(SecretHash(hash.to_string()))
    }

    /// Whether a secret is the one that was hashed; compared in constant time.
    pub fn verify(&self, secret: &[u8]) -> bool {
        let Ok(hash) = PasswordHash::new(&self.0) else { return false };
        Argon2::default().verify_password(secret, &hash).is_ok()
    }

    /// For the configuration file.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What stands for credentials in a table: under a key that is made anew at every start, so that nothing can be
/// told of them from it, nor from how long a look takes.
pub type Digest = [u8; 32];

/// The key of such digests.
pub struct DigestKey(hmac::Key);

impl DigestKey {
    /// A key that nobody knows.
    pub fn random() -> Result<DigestKey, String> {
        let random = rand::generate::<Digest>(&rand::SystemRandom::new());
        let bytes = random.map_err(|_| "the system gives no random bytes".to_owned())?.expose();
        Ok(DigestKey(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }

    /// The digest of some bytes.
    pub fn digest(&self, bytes: &[u8]) -> Digest {
        let tag = hmac::sign(&self.0, bytes);
        let mut digest = [0; 32];
        digest.iter_mut().zip(tag.as_ref()).for_each(|(to, from)| *to = *from);
        digest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_knows_its_secret_and_no_other() {
        let hash = SecretHash::of(b"an invented secret").unwrap();
        assert!(hash.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hash.as_str());
        assert_eq!(SecretHash::parse(hash.as_str()), Some(hash.clone()));
        assert!(hash.verify(b"an invented secret"));
        assert!(!hash.verify(b"an invented secreT"));
        assert!(!hash.verify(b""));
        assert!(!format!("{hash:?}").contains("argon2"));
        let again = SecretHash::of(b"an invented secret").unwrap();
        assert_ne!(hash, again, "a salt of its own");
    }

    #[test]
    fn what_is_no_hash_or_costs_too_much_is_refused() {
        let good = SecretHash::of(b"x").unwrap();
        let memory = |kib: u32| good.as_str().replace("m=19456", &format!("m={kib}"));
        assert!(SecretHash::parse(&memory(SECRET_HASH_MEMORY_MAX_KIB)).is_some());
        assert!(SecretHash::parse(&memory(SECRET_HASH_MEMORY_MAX_KIB + 1)).is_none());
        let passes = |count: u32| good.as_str().replace("t=2", &format!("t={count}"));
        assert!(SecretHash::parse(&passes(SECRET_HASH_PASSES_MAX)).is_some());
        assert!(SecretHash::parse(&passes(SECRET_HASH_PASSES_MAX + 1)).is_none());
        for wrong in [
            "",
            "an invented secret",
            "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHQ",
            &good.as_str().replace("argon2id", "argon2i"),
            &good.as_str().replace("argon2id", "scrypt"),
            &"x".repeat(SECRET_HASH_TEXT_MAX_CHARS + 1),
        ] {
            assert_eq!(SecretHash::parse(wrong), None, "{wrong}");
        }
    }
}
