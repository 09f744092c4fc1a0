//! What others wrote to judge proxies and TLS servers, run against the built binary: their verdicts, not ours.

#[path = "../support/mod.rs"]
mod support;

mod cache_tests;
mod handshakes;
mod pooling;
mod tls_scan;

use std::path::{Path, PathBuf};

/// A path of the repository that `make test` makes; fails where it is missing.
fn installed(path: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    assert!(path.exists(), "{} is missing: `make test` installs it", path.display());
    path
}
