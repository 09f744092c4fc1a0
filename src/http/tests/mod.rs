//! Tables and properties over the whole of `http`.
