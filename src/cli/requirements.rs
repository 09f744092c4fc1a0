//! What the proxy needs of the machine, checked before anything starts: a kernel that lets this process use io_uring,
//! memory it may lock, files it may open. Raises soft limits, and has the kernel make room for the files that may be open
//! at once; changes nothing else.

use std::fmt;
use std::io;

use rustix::io::Errno;
use rustix::process::{Resource, Rlimit};

use crate::limits::{DESCRIPTORS_READY_MAX, MEMLOCK_MIN_BYTES, NOFILE_MIN};
use crate::ring;

/// The first kernel with all that glommio uses.
const KERNEL_MIN: KernelVersion = KernelVersion { major: 5, minor: 8 };
/// From here on a ring's memory is charged to the memory cgroup, not to RLIMIT_MEMLOCK.
const KERNEL_WITHOUT_MEMLOCK_CHARGE: KernelVersion = KernelVersion { major: 5, minor: 12 };
/// Bit of CAP_SYS_ADMIN in `CapEff` (capability.h).
const CAP_SYS_ADMIN: u32 = 21;

const MEND_SECCOMP: &str = "in Docker: --security-opt seccomp=deploy/seccomp.json, which allows io_uring_setup, \
     io_uring_enter and io_uring_register (the default profile has not since 2023), or seccomp=unconfined; \
     under systemd: SystemCallFilter must allow @io-event and io_uring_*";

const MEND_FILES: &str =
    "raise the hard limit: ulimit -Hn, systemd LimitNOFILE=65536, docker --ulimit nofile=65536";

/// One thing that the machine lacks, and how to mend it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Nothing can run without it; otherwise it is worth a warning.
    pub fatal: bool,
    pub missing: String,
    pub mend: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}. To mend it: {}", self.missing, self.mend)
    }
}

/// All problems as one message.
pub fn in_words(problems: &[Problem]) -> String {
    problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("\n  also: ")
}

/// Raises the soft limits and checks; what is only worth a warning, or what makes a start useless.
pub fn check(workers: usize) -> Result<Vec<Problem>, Vec<Problem>> {
    let problems = raise_and_look(workers);
    make_room_for_descriptors();
    if problems.iter().any(|problem| problem.fatal) { Err(problems) } else { Ok(problems) }
}

/// Raises the soft limits, as a start does, and tells what a monitor that this process starts would meet with.
pub fn raise_and_look(workers: usize) -> Vec<Problem> {
    raise_soft_limit(Resource::Nofile);
    raise_soft_limit(Resource::Memlock);
    let mut problems = diagnose(&Probe::of_this_process(workers));
    if !problems.iter().any(|problem| problem.fatal)
        && let Err(error) = ring::probe()
    {
        problems.push(ring_problem(&error));
    }
    problems
}

/// What a monitor that runs lacks of files that it may open; None if that cannot be told.
pub fn of_monitor(pid: u32) -> Option<Vec<Problem>> {
    let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    let open_files = line.split_whitespace().next()?.parse().ok();
    Some(Vec::from_iter(files_problem("the monitor", open_files)))
}

/// Why a ring could not be made although everything looked well: the kernel's answer in words.
pub fn ring_problem(cause: &io::Error) -> Problem {
    let (missing, mend) = match cause.kind() {
        io::ErrorKind::PermissionDenied => (
            "the kernel forbids io_uring to this process, most likely by a seccomp filter",
            MEND_SECCOMP,
        ),
        io::ErrorKind::Unsupported => (
            "this kernel has no io_uring, or a sandbox (gVisor, a seccomp filter) hides it",
            "run on a Linux kernel of 5.8 or newer, outside the sandbox, or allow io_uring in it",
        ),
        _ if matches!(Errno::from_io_error(cause), Some(Errno::MFILE | Errno::NFILE)) => {
            ("io_uring has no descriptor left to open", MEND_FILES)
        }
        io::ErrorKind::OutOfMemory => (
            "io_uring may not lock enough memory",
            "raise the limit: ulimit -l unlimited, systemd LimitMEMLOCK=infinity, \
             docker --ulimit memlock=-1; or start fewer --workers",
        ),
        _ => (
            "io_uring cannot be set up",
            "see the cause; kernel 5.8 or newer, io_uring allowed and memory to lock are needed",
        ),
    };
    Problem { fatal: true, missing: format!("{missing} ({cause})"), mend: mend.into() }
}

/// What was found. None: it could not be found out, or there is no limit.
#[derive(Clone, Debug)]
struct Probe {
    kernel: Option<KernelVersion>,
    /// /proc/sys/kernel/io_uring_disabled: 0 allowed, 1 for the privileged only, 2 for nobody.
    io_uring_disabled: Option<u32>,
    /// Whether 1 still allows it to this process.
    is_privileged: bool,
    /// The soft limit, after it was raised.
    memlock_bytes: Option<u64>,
    open_files: Option<u64>,
    workers: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct KernelVersion {
    major: u32,
    minor: u32,
}

impl KernelVersion {
    /// From `uname -r`, such as `6.1.0-18-amd64`.
    fn parse(release: &str) -> Option<KernelVersion> {
        let mut numbers = release.split(|character: char| !character.is_ascii_digit());
        let major = numbers.next()?.parse().ok()?;
        let minor = numbers.next()?.parse().ok()?;
        Some(KernelVersion { major, minor })
    }
}

impl Probe {
    fn of_this_process(workers: usize) -> Probe {
        let setting = |name: &str| {
            let text = std::fs::read_to_string(format!("/proc/sys/kernel/{name}")).ok()?;
            text.trim().parse::<i64>().ok()
        };
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        Probe {
            kernel: rustix::system::uname().release().to_str().ok().and_then(KernelVersion::parse),
            io_uring_disabled: setting("io_uring_disabled").and_then(|value| value.try_into().ok()),
            is_privileged: is_privileged(&status, setting("io_uring_group")),
            memlock_bytes: rustix::process::getrlimit(Resource::Memlock).current,
            open_files: rustix::process::getrlimit(Resource::Nofile).current,
            workers: u64::try_from(workers).unwrap_or(u64::MAX),
        }
    }
}

/// Whether a process with this /proc/self/status may use io_uring where only some may.
fn is_privileged(status: &str, io_uring_group: Option<i64>) -> bool {
    let field = |name: &str| {
        status
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .unwrap_or_default()
    };
    let capabilities = u64::from_str_radix(field("CapEff").trim(), 16).unwrap_or(0);
    let mut groups = field("Gid").split_whitespace().chain(field("Groups").split_whitespace());
    capabilities & (1 << CAP_SYS_ADMIN) != 0
        || groups.any(|group| group.parse().ok().is_some_and(|group| Some(group) == io_uring_group))
}

fn diagnose(probe: &Probe) -> Vec<Problem> {
    [
        kernel_problem(probe),
        disabled_problem(probe),
        memlock_problem(probe),
        files_problem("this process", probe.open_files),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn kernel_problem(probe: &Probe) -> Option<Problem> {
    let KernelVersion { major, minor } = probe.kernel.filter(|kernel| *kernel < KERNEL_MIN)?;
    Some(Problem {
        fatal: true,
        missing: format!("kernel {major}.{minor} is too old for io_uring as ClawSec uses it"),
        mend: format!("run on Linux {}.{} or newer", KERNEL_MIN.major, KERNEL_MIN.minor),
    })
}

fn disabled_problem(probe: &Probe) -> Option<Problem> {
    let disabled = match probe.io_uring_disabled? {
        0 => false,
        1 => !probe.is_privileged,
        _ => true,
    };
    disabled.then(|| Problem {
        fatal: true,
        missing: "io_uring is switched off on this machine (sysctl kernel.io_uring_disabled)".into(),
        mend: "sudo sysctl kernel.io_uring_disabled=0 (to keep it: a line in /etc/sysctl.d/); or set it \
               to 1 and put this user into the group that sysctl kernel.io_uring_group names"
            .into(),
    })
}

fn memlock_problem(probe: &Probe) -> Option<Problem> {
    let charged_per_worker =
        probe.kernel.is_some_and(|kernel| kernel < KERNEL_WITHOUT_MEMLOCK_CHARGE);
    let rings = if charged_per_worker { probe.workers.max(1) } else { 1 };
    let needed = MEMLOCK_MIN_BYTES.saturating_mul(rings);
    let allowed = probe.memlock_bytes.filter(|allowed| *allowed < needed)?;
    Some(Problem {
        fatal: true,
        missing: format!(
            "this process may lock {} KiB of memory, io_uring needs {} KiB",
            allowed / 1024,
            needed / 1024
        ),
        mend: "raise the hard limit: `* hard memlock unlimited` in /etc/security/limits.conf and log in \
               again, systemd LimitMEMLOCK=infinity, docker --ulimit memlock=-1"
            .into(),
    })
}

fn files_problem(who: &str, open_files: Option<u64>) -> Option<Problem> {
    let allowed = open_files.filter(|allowed| *allowed < NOFILE_MIN)?;
    Some(Problem {
        fatal: false,
        missing: format!("{who} may open {allowed} files; each connection takes two"),
        mend: MEND_FILES.into(),
    })
}

/// Raises a soft limit to the hard one. A failure shows in what is probed afterwards.
fn raise_soft_limit(resource: Resource) {
    let limit = rustix::process::getrlimit(resource);
    if limit.current != limit.maximum {
        let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
        let _ = rustix::process::setrlimit(resource, raised);
    }
}

/// Has the kernel make its table of this process's descriptors as long as it may become. While there are threads it
/// grows by doubling, and the thread that needs the next descriptor sleeps until every core has been quiet once: 10 to
/// 20 ms, for which a worker would serve nobody. A failure costs no more than that.
fn make_room_for_descriptors() {
    let allowed = rustix::process::getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let last = allowed.min(DESCRIPTORS_READY_MAX).saturating_sub(1);
    if let Ok(last) = i32::try_from(last) {
        // Closed at once; the table stays.
        let _ = rustix::io::fcntl_dupfd_cloexec(io::stderr(), last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Probe {
        Probe {
            kernel: KernelVersion::parse("6.1.0-18-amd64"),
            io_uring_disabled: Some(0),
            is_privileged: false,
            memlock_bytes: Some(MEMLOCK_MIN_BYTES),
            open_files: Some(NOFILE_MIN),
            workers: 64,
        }
    }

    fn only_problem(probe: Probe) -> Problem {
        let mut problems = diagnose(&probe);
        assert_eq!(problems.len(), 1, "{problems:?}");
        problems.remove(0)
    }

    #[test]
    fn a_good_machine_has_no_problem() {
        assert_eq!(diagnose(&good()), []);
        let unlimited = Probe { memlock_bytes: None, open_files: None, kernel: None, ..good() };
        assert_eq!(diagnose(&Probe { io_uring_disabled: None, ..unlimited }), []);
    }

    #[test]
    fn the_oldest_kernel_is_5_8() {
        let kernel = |release| Probe {
            kernel: KernelVersion::parse(release),
            memlock_bytes: None,
            ..good()
        };
        assert_eq!(diagnose(&kernel("5.8.0")), []);
        let problem = only_problem(kernel("5.7.19-generic"));
        assert!(problem.fatal && problem.missing.contains("5.7"), "{problem}");
        assert!(problem.mend.contains("5.8"), "{problem}");
        assert_eq!(KernelVersion::parse("rubbish"), None);
    }

    #[test]
    fn a_switched_off_io_uring_is_named_with_its_sysctl() {
        let disabled = |value, is_privileged| Probe {
            io_uring_disabled: Some(value),
            is_privileged,
            ..good()
        };
        for problem in [
            only_problem(disabled(1, false)),
            only_problem(disabled(2, false)),
            only_problem(disabled(2, true)),
        ] {
            assert!(
                problem.fatal && problem.mend.contains("kernel.io_uring_disabled=0"),
                "{problem}"
            );
        }
        assert_eq!(diagnose(&disabled(1, true)), []);
    }

    #[test]
    fn privilege_is_the_capability_or_the_group() {
        let status = |capabilities: &str, groups: &str| {
            format!(
                "Name:\tx\nGid:\t100\t100\t100\t100\nGroups:\t{groups}\nCapEff:\t{capabilities}\n"
            )
        };
        assert!(is_privileged(&status("000001ffffffffff", ""), Some(-1)));
        assert!(is_privileged(&status("0000000000200000", ""), None));
        assert!(!is_privileged(&status("00000000a80425fb", "4 27 "), Some(-1)));
        assert!(is_privileged(&status("0000000000000000", "4 27 "), Some(27)));
        assert!(is_privileged(&status("0000000000000000", ""), Some(100)));
        assert!(!is_privileged("", Some(-1)));
    }

    #[test]
    fn memlock_holds_at_its_bound_and_breaks_below() {
        let problem = only_problem(Probe { memlock_bytes: Some(MEMLOCK_MIN_BYTES - 1), ..good() });
        assert!(problem.fatal && problem.missing.contains("needs 512 KiB"), "{problem}");
        assert!(problem.mend.contains("LimitMEMLOCK") && problem.mend.contains("--ulimit memlock"));
        // Before 5.12 every worker's ring is charged.
        let old = Probe { kernel: KernelVersion::parse("5.10.0"), workers: 4, ..good() };
        assert!(only_problem(old.clone()).missing.contains("needs 2048 KiB"));
        assert_eq!(diagnose(&Probe { memlock_bytes: Some(4 * MEMLOCK_MIN_BYTES), ..old }), []);
    }

    #[test]
    fn few_files_are_a_warning_only() {
        let problem = only_problem(Probe { open_files: Some(NOFILE_MIN - 1), ..good() });
        assert!(!problem.fatal && problem.mend.contains("LimitNOFILE"), "{problem}");
    }

    #[test]
    fn a_failed_ring_says_what_to_do() {
        for (errno, part) in [
            (1, "seccomp"),
            (38, "5.8 or newer"),
            (12, "memlock"),
            (24, "nofile"),
            (22, "io_uring"),
        ] {
            let problem = ring_problem(&io::Error::from_raw_os_error(errno));
            assert!(problem.fatal && problem.to_string().contains(part), "{problem}");
        }
        let both = [
            ring_problem(&io::Error::from_raw_os_error(1)),
            only_problem(Probe { open_files: Some(1), ..good() }),
        ];
        assert_eq!(in_words(&both).lines().count(), 2);
    }

    #[test]
    fn soft_limits_are_raised_to_the_hard_ones() {
        let _ = check(1);
        let limit = rustix::process::getrlimit(Resource::Nofile);
        assert_eq!(limit.current, limit.maximum);
    }

    #[test]
    fn the_table_of_descriptors_has_room_before_there_are_any() {
        let _ = check(1);
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let room = status.lines().find_map(|line| line.strip_prefix("FDSize:")).unwrap();
        let allowed = rustix::process::getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let wanted = allowed.min(DESCRIPTORS_READY_MAX);
        assert!(room.trim().parse::<u64>().unwrap() >= wanted, "{room} of {wanted}");
    }
}
