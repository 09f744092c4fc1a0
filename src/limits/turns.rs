//! Bounds of what one task of a core may do before the others get their turn.

/// How long the tasks of a core run before it looks at what has arrived for others. Whoever reads on and on asks
/// before each read, and before each piece that it scans.
pub const TURN_US: u64 = 1000;

/// How long steps of handshakes may take, one behind the other, until the core looks for the next of them. The longest
/// step, the chain and the signature of an origin, takes as long on a core that had nothing to do before.
pub const HEAVY_STEPS_US: u64 = 300;

/// So many bytes of small things are scanned before a clock is read: a few dozen microseconds' worth. What each of them
/// counts at least.
pub const TURN_UNTIMED_BYTES: usize = 4096;
pub const TURN_THING_MIN_BYTES: usize = 256;

/// How long one waits who gives way: no time, but a clock must see it pass.
pub const TURN_WAIT_NS: u64 = 1000;

/// When glommio's own preemption would come: never, see `turns`.
pub const PREEMPT_SECS: u64 = 3600;

/// Timers that are always set, far behind the tick that they stand in for should that be lost; the second one for a
/// process that was stopped for longer than the first one takes.
pub const BACKSTOPS_MS: [u64; 2] = [1000, 60_000];

/// What the engine is given of one piece of a body before the next ones are made smaller: few bytes may stand for
/// many.
pub const INSPECT_PIECE_WORK_BYTES: u64 = 128 * 1024;

/// What of a body in codings is read at first, and at least, at a time.
pub const INSPECT_CODED_BYTES: usize = 4096;
pub const INSPECT_PIECE_MIN_BYTES: usize = 64;
