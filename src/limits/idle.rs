//! Bounds of connections to origins that wait for another request.

/// How many a core keeps, in all and to one origin.
pub const POOL_IDLE_MAX: usize = 1024;
pub const POOL_IDLE_PER_ORIGIN_MAX: usize = 64;

/// From so long a wait on the connection is looked at before it is used, whatever the core was told of it: origins
/// that give an idle connection up, some of them with a last word, do so after seconds.
pub const POOL_TOLD_MAX_MS: u64 = 100;
