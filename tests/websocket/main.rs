//! WebSocket over the running binary: frames pass byte for byte, messages are found out, and what cannot be
//! read goes on all the same, told of once.

#[path = "../support/mod.rs"]
mod support;

mod clients;
mod conformance;
mod frames;
mod gateway_origin;
mod goodbye;
mod reading;
mod unreadable;
