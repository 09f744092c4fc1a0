//! JSON texts and streams of events: what their strings say, and which of them are one text.
//!
//! `unescape` unescapes the strings of JSON text as it streams by. `events`, `elements` and `frames` take
//! streams apart into the JSON texts of their events, and `leaves` names for each string of such a
//! text the lane that it continues. `asides` finds what several strings say together.

mod asides;
mod blocks;
mod calls;
mod elements;
mod escape;
mod events;
mod frames;
mod lane;
mod leaves;
mod named;
mod payload;
mod quote;
mod regular;
mod unescape;

#[cfg(test)]
mod leaves_tests;
#[cfg(test)]
mod splitter_tests;
#[cfg(test)]
mod unescape_tests;

pub use asides::{Asides, Lines};
pub use elements::ArraySplitter;
pub use events::{EventSplitter, LineSplitter};
pub use frames::AwsEventSplitter;
pub use lane::number_of;
pub use leaves::{Lanes, Leaf, NotJson, Reader};
pub use named::{begins_packets, may_be_part, may_begin_packets, packet, part};
pub use unescape::{Mark, Text, Unescaper, looks_like_json};
