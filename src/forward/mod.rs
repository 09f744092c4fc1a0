//! Names to addresses, connections to origins, the pool of idle ones, and the buffers that bytes travel in.
//! Moves bytes; knows no HTTP meaning and no rule.

pub mod buffer;
pub mod dial;
pub mod leg;
pub mod only_http2;
pub mod origin;
pub mod pipe;
pub mod pool;
pub mod resolve;
pub mod tcp;
