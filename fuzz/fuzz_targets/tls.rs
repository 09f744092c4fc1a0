//! See `checks_tls::session`.
#![no_main]

#[path = "../checks_tls.rs"]
mod checks_tls;

libfuzzer_sys::fuzz_target!(|data: &[u8]| checks_tls::session(data));
