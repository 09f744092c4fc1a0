//! The everyday commands, over the built binary: `run`, `env`, `ca`, `doctor`, `threats`, `stats`, `scan`,
//! `rules`, `config`, and what is generated from clap.

#[path = "../support/mod.rs"]
mod support;

mod ca;
mod doctor;
mod environment;
mod looking;
mod rules;
mod run;
mod run_signals;
mod threats;

use std::path::Path;

use support::samples::sample;

/// An invented key, whole.
fn key() -> String {
    sample("aws_access_key").text()
}

/// Whether a program is there to test with.
fn has(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

/// One line of `threats.jsonl`.
fn line(pattern: &str, dest: &str, timestamp: &str) -> String {
    format!(
        "{{\"direction\": \"outbound\", \"protocol\": \"https\", \"threat_type\": \"EXFIL\", \
         \"pattern\": \"{pattern}\", \"snippet\": \"say, \\\"x\\\"\", \"source\": \"127.0.0.1\", \
         \"dest\": \"{dest}\", \"timestamp\": \"{timestamp}\"}}\n"
    )
}

/// The certificates of a PEM file.
fn certificates(path: &Path) -> usize {
    std::fs::read_to_string(path).unwrap().matches("BEGIN CERTIFICATE").count()
}
