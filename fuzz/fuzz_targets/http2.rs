//! See `checks_http2::translation`.
#![no_main]

#[path = "../checks_http2.rs"]
mod checks_http2;

libfuzzer_sys::fuzz_target!(|data: &[u8]| checks_http2::translation(data));
