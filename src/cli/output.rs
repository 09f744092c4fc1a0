//! Words to the user: results on stdout, everything about them on stderr. A reader that went away
//! is no error.

use std::io::{self, Write};

/// Writes a result to stdout and flushes it. A closed pipe (`clawsec threats | head`) ends it
/// quietly.
pub fn result(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Says what went wrong, on stderr. If nobody reads that either, there is nobody to tell.
pub fn error(message: impl std::fmt::Display) {
    let _ = writeln!(io::stderr(), "clawsec: error: {message}");
}

/// Says what is worth knowing, on stderr.
pub fn warning(message: impl std::fmt::Display) {
    let _ = writeln!(io::stderr(), "clawsec: warning: {message}");
}
