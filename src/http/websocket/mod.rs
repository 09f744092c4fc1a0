//! WebSocket as pure values (RFC 6455, permessage-deflate of RFC 7692): what an upgrade agreed on, which
//! bytes of a direction are payload, and what those say once unmasked, put together and inflated.
//!
//! It only reads: the frames themselves are relayed as they came, whatever is found out here; one more, a close, is
//! made where there will be no others. Nothing is async, opens a socket, looks at a clock or logs; a message is never held
//! whole.
//!
//! ```text
//! heads ─▶ handshake  is it a WebSocket, which extensions
//! bytes ─▶ frames     headers, fragments, control frames in between; or what is invalid about them
//!       ─▶ reader     unmasked payload, piece by piece, and where each message ends
//!            └ inflate  of compressed messages, up to a cap
//! end   ─▶ goodbye    what is said to both sides if the process goes away
//! ```

mod frames;
mod goodbye;
mod handshake;
mod inflate;
mod reader;

#[cfg(test)]
mod tests;

pub use frames::{InvalidFrame, Sender, Unit};
pub use goodbye::going_away;
pub use handshake::{Agreement, Compression, Extensions, Side, agreement};
pub use inflate::Undecodable;
pub use reader::{Event, Reader, Step};
