//! What the system says of this process (proc(5)).

use std::fs;

use rustix::param::{clock_ticks_per_second, page_size};
use rustix::process::{Resource, getrlimit};

/// What it uses; what cannot be read is left out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Usage {
    pub cpu_seconds: Option<f64>,
    pub resident_bytes: Option<u64>,
    pub open_files: Option<u64>,
    pub max_files: Option<u64>,
}

/// Asks the system.
pub fn usage() -> Usage {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let open_files = fs::read_dir("/proc/self/fd").map(|entries| entries.count() as u64);
    Usage {
        cpu_seconds: cpu_ticks(&stat).map(|ticks| ticks as f64 / clock_ticks_per_second() as f64),
        resident_bytes: field(&stat, 24).map(|pages| pages.saturating_mul(page_size() as u64)),
        // One of them was the folder itself.
        open_files: open_files.ok().map(|count| count.saturating_sub(1)),
        max_files: getrlimit(Resource::Nofile).current,
    }
}

/// User and system time.
fn cpu_ticks(stat: &str) -> Option<u64> {
    Some(field(stat, 14)?.saturating_add(field(stat, 15)?))
}

/// A field by its number in proc(5). The second, the name in parentheses, may hold anything.
fn field(stat: &str, number: usize) -> Option<u64> {
    let (_, behind_name) = stat.rsplit_once(')')?;
    behind_name.split_whitespace().nth(number.checked_sub(3)?)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_something() {
        let usage = usage();
        assert!(usage.resident_bytes.unwrap() > 100_000, "{usage:?}");
        assert!(usage.open_files.unwrap() >= 3, "{usage:?}");
        assert!(usage.cpu_seconds.unwrap() >= 0.0, "{usage:?}");
    }

    #[test]
    fn a_name_with_blanks_and_parentheses_is_passed_over() {
        let numbers: Vec<String> = (4..=30).map(|number| number.to_string()).collect();
        let stat = format!("1 (a) b (c) S {}", numbers.join(" "));
        assert_eq!(field(&stat, 14), Some(14));
        assert_eq!(field(&stat, 24), Some(24));
        assert_eq!(field("", 14), None);
    }
}
