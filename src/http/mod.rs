//! HTTP/1.1 as pure values: bytes in; heads, targets, framing, body ranges and our own replies out.
//!
//! Nothing here is async, opens a socket, looks at a clock or logs. `httparse` splits heads into
//! tokens; what it is lax about (RFC 9112 §2.2, §5, §6, §7) is refused here, since a message that
//! two parsers can read differently is a way past the scanner. A message goes through the files in
//! this order:
//!
//! ```text
//! bytes ─▶ search   where does the head end, is it too long
//!       ─▶ head     method, target, version, status, fields
//!       ─▶ target   whom is it for
//!       ─▶ framing  where does the body end, may the connection stay
//!       ─▶ rewrite  the head to send on, hop-by-hop fields removed
//!       ─▶ body     which of the next bytes belong to it (`chunked` for that coding)
//!          reply    what we answer ourselves
//!          chain    what we ask another proxy
//!          login    whose connection it becomes
//!          detect   what the first bytes in a tunnel are
//!          websocket  what the frames behind an upgrade say
//! ```

/// Which of the next bytes belong to a message, and which of those are data.
pub mod body;
/// Asking another proxy for a tunnel.
pub mod chain;
/// The chunked coding, byte by byte.
mod chunked;
/// What the first bytes inside a tunnel are.
pub mod detect;
/// Field names that mean something to a proxy, and lists in their values.
mod fields;
/// Where a message's body ends and what becomes of its connection.
pub mod framing;
/// Request and response heads.
pub mod head;
/// Logins that hold for a connection.
pub mod login;
/// Our own answers.
pub mod reply;
/// Heads as they are sent on.
pub mod rewrite;
/// The end of a head in bytes that may still be arriving.
pub mod search;
/// Request targets, authorities and the Host field.
pub mod target;
/// WebSocket: what an upgrade agreed on, and the messages in its frames.
pub mod websocket;

#[cfg(test)]
mod tests;
