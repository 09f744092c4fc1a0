//! The local CA, its leaves, and rustls driven over a socket.

pub mod stream;
