//! Views: what traffic says beside its raw bytes, as the scanner is to see it.
//!
//! `json` unescapes the strings of JSON text as it streams by. `events`, `elements` and `frames` take
//! streams apart into the JSON texts of their events, and `leaves` names for each string of such a
//! text the lane that it continues.

mod blocks;
mod elements;
mod escape;
mod events;
mod frames;
mod json;
mod lane;
mod leaves;
mod payload;

#[cfg(test)]
mod json_tests;
#[cfg(test)]
mod leaves_tests;
#[cfg(test)]
mod splitter_tests;

pub use elements::ArraySplitter;
pub use events::{EventSplitter, LineSplitter};
pub use frames::AwsEventSplitter;
pub use json::{Text, Unescaper, looks_like_json};
pub use leaves::{Lanes, Leaf, NotJson, Reader};
