//! Views of a body: what its bytes say once a coding, a container or an escaping is undone. They look at
//! copies of traffic, which goes on as it came.

pub mod archive;
pub mod codings;
pub mod multipart;
pub mod quoted_printable;
