mod blocks;
mod escape;
mod json;
#[cfg(test)]
mod json_tests;
mod lane;
mod leaves;
#[cfg(test)]
mod leaves_tests;

pub use json::{Text, Unescaper, looks_like_json};
pub use leaves::{Lanes, Leaf, NotJson, Reader};
