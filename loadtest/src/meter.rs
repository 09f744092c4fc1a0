//! What a process costs: CPU time and memory of it and its descendants, read from /proc, or why that cannot be known;
//! and the clock that origin and client share.

use std::collections::HashMap;
use std::fs;
use std::io::ErrorKind;

use rustix::process::{Resource, getrlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};

use crate::Outcome;

/// Nanoseconds of CLOCK_MONOTONIC: the same for every process of the machine.
pub fn monotonic_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec.unsigned_abs() * 1_000_000_000 + now.tv_nsec.unsigned_abs()
}

/// Descriptors that a program needs beside its connections.
const DESCRIPTORS_SPARE: usize = 32;

/// Lets this process, and what it starts, open as many connections as it may.
pub fn raise_descriptor_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // What cannot be raised shows as errors of the connections that are too many.
    let _ = setrlimit(Resource::Nofile, limit);
}

/// How many descriptors a process may have (the hard limit of RLIMIT_NOFILE).
pub fn descriptors_max() -> usize {
    let limit = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
    usize::try_from(limit).unwrap_or(usize::MAX)
}

/// An error when a process may not have so many connections.
pub fn check_descriptors(connections: usize) -> Outcome<()> {
    let (needed, most) = (connections.saturating_add(DESCRIPTORS_SPARE), descriptors_max());
    match needed <= most {
        true => Ok(()),
        false => Err(format!(
            "{connections} connections need {needed} descriptors, and the hard limit (ulimit -Hn) is {most}"
        )
        .into()),
    }
}

/// A process and its descendants, as they are now.
pub fn tree(pid: u32) -> Vec<u32> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(child) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        if let Some(parent) = parent_of(child) {
            children.entry(parent).or_default().push(child);
        }
    }
    let mut found = vec![pid];
    let mut at = 0;
    while let Some(pid) = found.get(at) {
        let below = children.remove(pid).unwrap_or_default();
        found.extend(below);
        at += 1;
    }
    found
}

/// Fields of `/proc/PID/stat` from the third on; the name before them may hold anything, brackets too.
fn stat_of(pid: u32) -> Option<Vec<String>> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    Some(stat.trim_end().rsplit_once(") ")?.1.split(' ').map(str::to_owned).collect())
}

fn parent_of(pid: u32) -> Option<u32> {
    stat_of(pid)?.get(1)?.parse().ok()
}

/// Where a meter stood.
#[derive(Clone, Debug)]
pub struct Reading {
    pub cpu_ns: u64,
    /// The process and its descendants then.
    pub tree: Vec<u32>,
}

impl Reading {
    /// CPU time, user and system, that a process and its descendants have used: threads and children that have ended
    /// are in it, as long as their process waited for them. An error when there is no such process.
    pub fn of(pid: u32) -> Outcome<Reading> {
        let tree = tree(pid);
        let mut sum = 0;
        for one in &tree {
            match cpu_ns_of_one(*one) {
                Some(cpu_ns) => sum += cpu_ns,
                None if *one == pid => return Err(gone(pid)),
                // It ended meanwhile; what it used is its parent's now.
                None => {}
            }
        }
        Ok(Reading { cpu_ns: sum, tree })
    }

    /// How many processes of this reading are not in a later one.
    pub fn ended_by(&self, later: &Reading) -> usize {
        self.tree.iter().filter(|pid| !later.tree.contains(pid)).count()
    }
}

fn gone(pid: u32) -> Box<dyn std::error::Error + Send + Sync> {
    format!("there is no process {pid} to charge, or it has ended").into()
}

/// The scheduler's nanoseconds of the living threads, or the process's own sum in clock ticks when that is more:
/// it has the threads that ended. And, in ticks, the children that were waited for.
fn cpu_ns_of_one(pid: u32) -> Option<u64> {
    let stat = stat_of(pid)?;
    if stat.first().is_none_or(|state| matches!(state.as_str(), "Z" | "X")) {
        return None;
    }
    let ns_a_tick = 1_000_000_000 / rustix::param::clock_ticks_per_second().max(1);
    let ns = |field: usize| Some(stat.get(field)?.parse::<u64>().ok()? * ns_a_tick);
    let (own, waited_for) = (ns(11)? + ns(12)?, ns(13)? + ns(14)?);
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let run_time = |text: String| text.split(' ').next()?.parse::<u64>().ok();
    let living: u64 = threads
        .filter_map(|thread| fs::read_to_string(thread.path().join("schedstat")).ok())
        .filter_map(run_time)
        .sum();
    Some(living.max(own) + waited_for)
}

/// Proportional set size of a process and its descendants; an error when it cannot be read.
pub fn pss_kib(pid: u32) -> Outcome<u64> {
    let mut sum = 0;
    for one in tree(pid) {
        let path = format!("/proc/{one}/smaps_rollup");
        match fs::read_to_string(&path) {
            Ok(rollup) => sum += pss_of(&rollup).ok_or_else(|| format!("{path}: no Pss in it"))?,
            // A descendant that ended meanwhile holds no memory.
            Err(error) if one != pid && has_ended(&error) => {}
            Err(error) if has_ended(&error) => return Err(gone(pid)),
            Err(error) => {
                let whose = "charge as that process's user, or as root";
                return Err(format!("memory cannot be read: {path}: {error}; {whose}").into());
            }
        }
    }
    Ok(sum)
}

fn has_ended(error: &std::io::Error) -> bool {
    const NO_SUCH_PROCESS: i32 = rustix::io::Errno::SRCH.raw_os_error();
    error.kind() == ErrorKind::NotFound || error.raw_os_error() == Some(NO_SUCH_PROCESS)
}

fn pss_of(rollup: &str) -> Option<u64> {
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    line.trim().trim_end_matches("kB").trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    fn work() -> u64 {
        std::hint::black_box(
            (0..30_000_000_u64).fold(0, |sum, number| sum ^ std::hint::black_box(number)),
        )
    }

    #[test]
    fn this_process_costs_time_and_memory() {
        let own = std::process::id();
        let before = Reading::of(own).unwrap();
        while Reading::of(own).unwrap().cpu_ns == before.cpu_ns {
            work();
        }
        assert!(pss_kib(own).unwrap() > 100);
        assert!(tree(own).contains(&own));
    }

    #[test]
    fn a_process_that_is_not_there_is_an_error() {
        let mut child = Command::new("true").spawn().unwrap();
        let pid = child.id();
        // Not yet waited for, it is a zombie.
        std::thread::sleep(std::time::Duration::from_millis(100));
        assert!(Reading::of(pid).unwrap_err().to_string().contains(&pid.to_string()));
        child.wait().unwrap();
        assert!(Reading::of(pid).unwrap_err().to_string().contains(&pid.to_string()));
        assert!(pss_kib(pid).unwrap_err().to_string().contains(&pid.to_string()));
    }

    #[test]
    fn threads_and_children_that_ended_stay_charged() {
        let script =
            "read x; sh -c 'i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done'; echo; read x";
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let before = Reading::of(child.id()).unwrap();
        let mut input = child.stdin.take().unwrap();
        std::io::Write::write_all(&mut input, b"\n").unwrap();
        std::io::Read::read(child.stdout.as_mut().unwrap(), &mut [0]).unwrap();
        let after = Reading::of(child.id()).unwrap();
        assert!(after.cpu_ns - before.cpu_ns > 50_000_000, "{before:?} {after:?}");
        drop(input);
        child.wait().unwrap();

        let own = std::process::id();
        let before = Reading::of(own).unwrap();
        std::thread::spawn(work).join().unwrap();
        assert!(Reading::of(own).unwrap().cpu_ns - before.cpu_ns > 50_000_000);
    }
}
