//! Bounds of what one task of a core may do before the others get their turn.

/// How long the tasks of a core run before it looks at what has arrived for others. Whoever reads on and on asks
/// before each read, and scans piece by piece.
pub const TURN_US: u64 = 1000;

/// How long one waits who gives way: no time, but a clock must see it pass.
pub const TURN_WAIT_NS: u64 = 1000;

/// When glommio's own preemption would come: never, see `turns`.
pub const PREEMPT_SECS: u64 = 3600;

/// A timer that is always set, far behind the tick that it stands in for should that be lost.
pub const BACKSTOP_MS: u64 = 1000;

/// What the engine is given of one piece of a body before the next ones are made smaller: few bytes may stand for
/// many.
pub const INSPECT_PIECE_WORK_BYTES: u64 = 128 * 1024;

/// What of a body in codings is read at first, and at least, at a time.
pub const INSPECT_CODED_BYTES: usize = 4096;
pub const INSPECT_PIECE_MIN_BYTES: usize = 64;
