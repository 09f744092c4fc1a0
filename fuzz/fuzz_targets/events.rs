//! See `checks_json::events`.
#![no_main]

#[path = "../checks_json.rs"]
mod checks_json;

libfuzzer_sys::fuzz_target!(|data: &[u8]| checks_json::events(data));
