//! Views: what a text says once it is decoded. Bytes in, bytes out, piece by piece, each bounded.

pub mod encoded;
pub mod fold;
pub mod form;
mod lane;
pub mod protobuf;
pub mod utf16;
