mod blocks;
mod escape;
mod json;
#[cfg(test)]
mod json_tests;

pub use json::{Text, Unescaper, looks_like_json};
