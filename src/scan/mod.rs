//! Scanning: rules, the compiled database, the scanner of one core, masking.
//!
//! ```text
//! unit       a head, a body, the messages of a direction: what callers hand bytes to
//!   content  what the bytes are: JSON, events, a form, parts, an archive, something inflated (with `view`)
//!     text   what somebody reads as one piece; escapes and encoded runs in it are texts, or contents, again
//!       stream    the engine over a text, and the carried past; `scanner`: the reused memory of a core
//!         confirm   filter hits ▶ exact spans, judged by their rule; the first rule of a stretch tells of it
//! told       a match that several texts of a unit show is told once
//! ```
//!
//! Two stages. Hyperscan reads every byte of a text once, what is around long words (`words`) twice, and names rule
//! and end of each possible match (`database`, `engines`, `stream`). The rule's exact expression then finds the
//! span in the few bytes around that end (`confirm`), the rule judges it by what stands there (`judging`), and each
//! distinct match is told once. Only a match that the caller wants gets a snippet, in which every secret is masked
//! (`hiding`, `redact`, `snippet`). Beside the engine go the secrets that are known by their value (`known_values`).
//!
//! JSON is scanned as what its strings say instead of as it stands, so that it costs one scan; a stretch with
//! escapes, an encoded run, a joined text cost a scan of their own, and are opened only where there are some. A
//! head that comes again, byte for byte, and said nothing is not scanned again (`heads`), nor is a block of a body
//! that comes again behind the same blocks (`clean_blocks`; who passes over it is `content::repeats`).
//!
//! Deciding code: bytes in, masked matches out. No socket, file, clock, log or lock.

mod canary;
mod clean_blocks;
mod confirm;
mod content;
mod database;
mod engines;
mod extensions;
mod fed;
mod found;
mod heads;
mod hiding;
mod history;
mod hits;
mod judging;
mod kept;
mod known_values;
mod last_look;
mod overlaps;
mod padded;
mod precedence;
mod redact;
/// What is looked for: packs, users' files, expressions, validators.
pub mod rules;
mod scanner;
mod snippet;
mod stream;
mod text;
mod told;
mod unit;
pub mod view;
mod words;

#[cfg(test)]
mod confirmed_tests;
#[cfg(test)]
mod filter_tests;
#[cfg(test)]
mod harmless_tests;
#[cfg(test)]
mod joined_tests;
#[cfg(test)]
mod judging_tests;
#[cfg(test)]
mod literals_tests;
#[cfg(test)]
mod masking_tests;
#[cfg(test)]
mod neighbour_tests;
#[cfg(test)]
mod once_tests;
#[cfg(test)]
mod repeats_tests;
#[cfg(test)]
mod scanner_tests;
#[cfg(test)]
mod tests;

pub use content::Shape;
pub use database::{Database, DatabaseError, engine_version};
pub use extensions::Extensions;
pub use found::{Gap, KnownMatch, Match, MatchSink};
pub use known_values::{
    Form, KNOWN_VALUE_RULE, Known, KnownValues, KnownValuesError, Looks, NamedValue, Watch,
};
pub use last_look::LastLook;
pub use padded::{Padded, PaddedBuffer};
pub use rules::{Rule, RuleSet};
pub use scanner::Scanner;
pub use unit::{Body, Messages};
pub use view::archive::Unreadable;
pub use view::codings::Undecodable;
