//! See `checks_rules::rules`.
#![no_main]

#[path = "../checks_rules.rs"]
mod checks_rules;

libfuzzer_sys::fuzz_target!(|data: &[u8]| checks_rules::rules(data));
