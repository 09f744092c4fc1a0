//! The `clawsec` command: parses its arguments and runs one of the commands.

use std::process::ExitCode;

/// Faster than the system's for the short-lived buffers of a proxy, and it gives memory back.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    clawsec::cli::run(clawsec::supervisor::run)
}
