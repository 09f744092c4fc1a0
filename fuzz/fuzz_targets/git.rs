//! See `checks_codings::git`.
#![no_main]

#[path = "../checks_codings.rs"]
mod checks_codings;

libfuzzer_sys::fuzz_target!(|data: &[u8]| checks_codings::git(data));
