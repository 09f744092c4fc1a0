//! Views: what bytes say once a coding, a container or an escaping is undone. They look at copies of traffic,
//! which goes on as it came. Bytes in, bytes out, piece by piece, each bounded.

pub mod archive;
pub mod codings;
pub mod encoded;
pub mod fold;
pub mod form;
pub mod json;
mod chunk;
pub mod cut;
mod lane;
pub mod markup;
pub mod multipart;
pub mod pdf;
pub mod pkt_lines;
pub mod protobuf;
pub mod quoted_printable;
pub mod utf16;
pub mod words;
