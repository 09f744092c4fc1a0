//! Real handshakes over the certificates: rustls against rustls.
