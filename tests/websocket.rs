//! WebSocket over the running binary: frames pass byte for byte, messages are found out, and what cannot be
//! read goes on all the same, told of once.

mod support;

#[path = "websocket/frames.rs"]
mod frames;
#[path = "websocket/gateway_origin.rs"]
mod gateway_origin;
#[path = "websocket/reading.rs"]
mod reading;
#[path = "websocket/unreadable.rs"]
mod unreadable;
