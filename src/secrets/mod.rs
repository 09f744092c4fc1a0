//! The installation's secrets, read once at start: the key of the fingerprints, and the values that must never
//! leave. Whatever is read here is wiped from memory when it has been digested, and is in no message.

mod dotenv;
mod fingerprint_key;
mod text;
mod watched;

pub use fingerprint_key::{FINGERPRINT_KEY_FILE_NAME, KeyError, load, load_or_create};
pub use watched::{Watched, read_watched};
