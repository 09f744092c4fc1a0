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
