//! What no crate asks the kernel for: the ring set-up flag that glommio has no option for, and how much of what
//! was written to a connection its peer has not taken.
//!
//! glommio 0.9 sets its rings up with no flags, so that each completed poll interrupts the executor's core.
//! With `IORING_SETUP_COOP_TASKRUN` (kernel 5.19) completions wait for the next entry into the kernel, which
//! costs a third of the CPU. The linker sends `io_uring_queue_init_params` here (`build.rs`, `--wrap`).
//!
//! Invariant: `params` is what liburing's callers pass, a valid `struct io_uring_params` of which only the
//! third `u32` (`flags`) is touched, and the arguments are otherwise handed on as they came.

#![allow(unsafe_code, reason = "a C function is wrapped at link time, and system calls are made")]

use std::ffi::{c_int, c_uint, c_void};
use std::os::fd::RawFd;

use nix::libc;

/// linux/io_uring.h: completions are run when the task enters the kernel, without an interrupt.
const IORING_SETUP_COOP_TASKRUN: u32 = 1 << 8;

/// Where `flags` stands in `struct io_uring_params`, counted in `u32`s.
const FLAGS_INDEX: usize = 2;

/// -EINVAL: the kernel is older than the flag.
const NEGATIVE_EINVAL: c_int = -22;

/// Whether this process can have a ring at all; the kernel's answer if not. Asked before any executor is, since
/// glommio's own answer is a panic.
pub fn probe() -> std::io::Result<()> {
    let mut params = rustix::io_uring::io_uring_params::default();
    // SAFETY: IORING_SETUP_ATTACH_WQ is not set, so that no descriptor is looked at.
    unsafe { rustix::io_uring::io_uring_setup(1, &mut params) }?;
    Ok(())
}

/// How many bytes that were written to a TCP connection its peer has not acknowledged, a FIN counted as one;
/// none if it is no connection any more.
pub fn untaken_bytes(fd: RawFd) -> usize {
    let mut untaken: c_int = 0;
    // SAFETY: SIOCOUTQ, which is TIOCOUTQ by its older name, writes one int; a descriptor that is none is refused.
    let result = unsafe { libc::ioctl(fd, libc::TIOCOUTQ, &mut untaken) };
    if result == 0 { usize::try_from(untaken).unwrap_or(0) } else { 0 }
}

unsafe extern "C" {
    fn __real_io_uring_queue_init_params(
        entries: c_uint,
        ring: *mut c_void,
        params: *mut u32,
    ) -> c_int;
}

#[unsafe(no_mangle)]
unsafe extern "C" fn __wrap_io_uring_queue_init_params(
    entries: c_uint,
    ring: *mut c_void,
    params: *mut u32,
) -> c_int {
    // SAFETY: see the invariant above; `flags` lies inside the struct that the caller owns.
    unsafe {
        let flags = params.add(FLAGS_INDEX);
        let asked = *flags;
        *flags = asked | IORING_SETUP_COOP_TASKRUN;
        let result = __real_io_uring_queue_init_params(entries, ring, params);
        if result != NEGATIVE_EINVAL {
            return result;
        }
        *flags = asked;
        __real_io_uring_queue_init_params(entries, ring, params)
    }
}
