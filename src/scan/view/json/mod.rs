//! JSON texts and streams of events: what their strings say, and which of them are one text.
//!
//! `unescape` unescapes the strings of JSON text as it streams by. `events`, `elements`, `frames` and `headed` take
//! streams apart into the JSON texts of their events, and `leaves` names for each string of such a
//! text the lane that it continues. `asides` finds what several strings say together.

mod asides;
mod blocks;
mod calls;
mod elements;
mod escape;
mod events;
mod frames;
mod headed;
mod lane;
mod leaves;
mod named;
mod offsets;
mod payload;
mod quote;
mod regular;
mod siblings;
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
pub use headed::{HeadedSplitter, begins_headed};
pub use lane::number_of;
pub use leaves::{Lanes, Leaf, NotJson, Reader};
pub use named::{begins_packets, may_be_part, may_begin_packets, packet, part};
pub use offsets::parts_by_offset;
pub use unescape::{Mark, Text, Unescaper, looks_like_json};
