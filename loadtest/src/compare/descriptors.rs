//! Descriptors: what a row needs of a proxy, which holds up to two for each of its client's connections, beside the
//! limit that all processes of a run have.

use crate::Outcome;

/// What a proxy needs beside its connections: listeners, logs, rings, a pool.
const SPARE: usize = 64;

fn needed(connections: usize) -> usize {
    connections.saturating_mul(2).saturating_add(SPARE)
}

/// An error when a proxy cannot hold so many connections of a client.
pub fn check(connections: usize, most: usize) -> Outcome<()> {
    let needed = needed(connections);
    match needed <= most {
        true => Ok(()),
        false => Err(format!(
            "{connections} connections need {needed} descriptors of the proxy, and the hard limit (ulimit -Hn) is {most}"
        )
        .into()),
    }
}

/// Of so many connections as many as a proxy can hold: all, or what takes nine tenths of the limit.
pub fn fitting(wanted: usize, most: usize) -> usize {
    if needed(wanted) <= most { wanted } else { most / 20 * 9 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_fit_the_limit() {
        assert_eq!(fitting(10_000, 20_064), 10_000);
        assert_eq!(fitting(10_000, 20_000), 9_000);
        assert!(needed(fitting(10_000, 4_096)) <= 4_096);
        check(10, 84).unwrap();
        let said = check(1_016, 512).unwrap_err().to_string();
        assert!(said.contains("2096") && said.contains("512"), "{said}");
    }
}
