//! See `checks_text::markup`.
#![no_main]

#[path = "../checks_text.rs"]
mod checks_text;

libfuzzer_sys::fuzz_target!(|data: &[u8]| checks_text::markup(data));
