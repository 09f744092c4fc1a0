//! What a process costs: CPU time and memory of it and its children, read from /proc; and the clock that origin
//! and client share.

use std::collections::HashMap;
use std::fs;

use rustix::process::{Resource, getrlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds of CLOCK_MONOTONIC: the same for every process of the machine.
pub fn monotonic_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec.unsigned_abs() * 1_000_000_000 + now.tv_nsec.unsigned_abs()
}

/// Lets this process, and what it starts, open as many connections as it may.
pub fn raise_descriptor_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    // What cannot be raised shows as errors of the connections that are too many.
    let _ = setrlimit(Resource::Nofile, limit);
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

fn parent_of(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in brackets may hold anything, so what follows its last bracket counts.
    stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}

/// CPU time, user and system, that the living threads of a process and its descendants have used.
pub fn cpu_ns(pid: u32) -> u64 {
    tree(pid).into_iter().map(cpu_ns_of_one).sum()
}

fn cpu_ns_of_one(pid: u32) -> u64 {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let run_time = |text: String| text.split(' ').next()?.parse::<u64>().ok();
    threads
        .filter_map(|thread| fs::read_to_string(thread.path().join("schedstat")).ok())
        .filter_map(run_time)
        .sum()
}

/// Proportional set size of a process and its descendants.
pub fn pss_kib(pid: u32) -> u64 {
    tree(pid).into_iter().filter_map(pss_kib_of_one).sum()
}

fn pss_kib_of_one(pid: u32) -> Option<u64> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    line.trim().trim_end_matches("kB").trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_costs_time_and_memory() {
        let own = std::process::id();
        let before = cpu_ns(own);
        let mut sum = 0_u64;
        while cpu_ns(own) == before {
            sum = (0..10_000_000).fold(sum, |sum, number| sum ^ number);
        }
        assert!(pss_kib(own) > 100, "{sum}");
        assert!(tree(own).contains(&own));
    }
}
