//! A start where io_uring is forbidden, as Docker's default profile forbids it: one sentence, and no panic.

use std::process::Command;

use crate::support::{Setup, json, run};

/// Forbids io_uring_setup (425 on every architecture) with an error of the caller's choice, and goes on as the
/// program that is named.
const CONFINE: &str = "
import ctypes, os, struct, sys
errno = int(sys.argv[1])
code = [(0x20, 0, 0, 0), (0x15, 0, 1, 425), (0x06, 0, 0, 0x00050000 | errno), (0x06, 0, 0, 0x7fff0000)]
program = ctypes.create_string_buffer(b''.join(struct.pack('=HBBI', *step) for step in code))
filters = ctypes.create_string_buffer(struct.pack('HxxxxxxP', len(code), ctypes.addressof(program)))
prctl = ctypes.CDLL(None, use_errno=True).prctl
arguments = [ctypes.c_ulong(0)] * 2
assert prctl(38, ctypes.c_ulong(1), ctypes.c_ulong(0), *arguments) == 0
assert prctl(22, ctypes.c_ulong(2), ctypes.byref(filters), *arguments) == 0, ctypes.get_errno()
os.execv(sys.argv[2], sys.argv[2:])
";

#[test]
fn a_start_without_io_uring_says_so_in_one_sentence() {
    if !std::path::Path::new("/usr/bin/python3").exists() {
        return;
    }
    for (errno, words) in [("1", "the kernel forbids io_uring"), ("38", "has no io_uring")] {
        let setup = Setup::new(json!({}));
        let start = setup.command("start", &[]);
        let mut confined = Command::new("/usr/bin/python3");
        confined.args(["-c", CONFINE, errno]).arg(start.get_program()).args(start.get_args());
        let outcome = run::run(&mut confined);
        assert_eq!(outcome.code, Some(1), "{}", outcome.text());
        assert!(outcome.stderr.contains(words), "{}", outcome.stderr);
        assert_eq!(outcome.stderr.trim_end().lines().count(), 1, "{}", outcome.stderr);
    }
}
