//! multipart bodies (RFC 2046 §5.1, RFC 7578): what separates the parts, their heads, their contents. No byte
//! is lost: what comes before the first part and behind the last is contents too.

mod head;
mod reader;

#[cfg(test)]
mod tests;

pub use head::{PartHead, boundary};
pub use reader::{Event, Reader, Step};
