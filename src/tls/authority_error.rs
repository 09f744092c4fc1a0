//! Why the CA or a leaf could not be had. Each text names the file and what to do; none ever holds
//! a byte of a key file, so no error of a parser that might quote its input is kept.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use time::OffsetDateTime;

/// Why the CA could not be made or loaded, or a leaf not be issued.
#[derive(Debug)]
pub enum AuthorityError {
    /// The directory or a file of it could not be read.
    Read { path: PathBuf, source: io::Error },
    /// A file of the CA could not be written.
    Write { path: PathBuf, source: io::Error },
    /// A symbolic link, pipe or directory where a file of the CA should be.
    NotARegularFile { path: PathBuf },
    /// Larger than any certificate or key.
    TooLarge { path: PathBuf },
    /// No CA was made yet.
    Absent { certificate: PathBuf },
    /// Another command is changing the CA.
    Busy { path: PathBuf },
    /// The certificate is there, its key is not.
    KeyMissing { certificate: PathBuf, key: PathBuf },
    /// No private key that we can use is in the file.
    BadKey { path: PathBuf, problem: &'static str },
    /// No certificate that we can use is in the file.
    BadCertificate { path: PathBuf, problem: &'static str },
    /// The key is another certificate's.
    KeyMismatch { certificate: PathBuf, key: PathBuf },
    /// The CA's life is over.
    Expired { path: PathBuf, not_after: OffsetDateTime },
    /// The CA's life has not begun.
    NotYetValid { path: PathBuf, not_before: OffsetDateTime },
    /// No certificate can carry this name.
    Name { name: String, problem: &'static str },
    /// The clock shows a time that no certificate can carry.
    Clock,
    /// The cryptographic library refused, which has nothing to do with any input.
    Crypto(String),
}

impl AuthorityError {
    pub(super) fn read(path: &Path, source: impl Into<io::Error>) -> Self {
        Self::Read { path: path.to_owned(), source: source.into() }
    }

    /// What is wrong, for a file that is not the CA's own yet: without what would mend the CA.
    pub fn without_remedy(&self) -> String {
        let text = self.to_string();
        let problem = text.strip_suffix(START_ANEW).unwrap_or(&text);
        problem.trim_end_matches([' ', ':', ';']).to_owned()
    }

    pub(super) fn write(path: &Path, source: impl Into<io::Error>) -> Self {
        Self::Write { path: path.to_owned(), source: source.into() }
    }
}

/// What mends a CA that cannot be used.
const START_ANEW: &str = "restore both files from a backup, or remove both to have a new CA made \
                          (clients must then trust the new ca.crt)";

impl fmt::Display for AuthorityError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read { path, source } => write!(out, "cannot read {}: {source}", path.display()),
            Self::Write { path, source } => {
                write!(out, "cannot write {}: {source}", path.display())
            }
            Self::NotARegularFile { path } => write!(
                out,
                "{} is a symbolic link or not a regular file, and is not followed: put the file \
                 itself there",
                path.display()
            ),
            Self::TooLarge { path } => {
                write!(out, "{} is too large for a CA's file; {START_ANEW}", path.display())
            }
            Self::Absent { certificate } => write!(
                out,
                "there is no CA yet: {} is missing; the monitor's first start makes it",
                certificate.display()
            ),
            Self::Busy { path } => write!(
                out,
                "another command is changing the CA in {}: try again when it has ended",
                path.display()
            ),
            Self::KeyMissing { certificate, key } => write!(
                out,
                "{} is there, but its key {} is missing: {START_ANEW}",
                certificate.display(),
                key.display()
            ),
            Self::BadKey { path, problem } | Self::BadCertificate { path, problem } => {
                write!(out, "{} {problem}: {START_ANEW}", path.display())
            }
            Self::KeyMismatch { certificate, key } => write!(
                out,
                "{} is not the key of {}: {START_ANEW}",
                key.display(),
                certificate.display()
            ),
            Self::Expired { path, not_after } => write!(
                out,
                "the CA in {} expired on {}: {START_ANEW}",
                path.display(),
                not_after.date()
            ),
            Self::NotYetValid { path, not_before } => write!(
                out,
                "the CA in {} is valid from {} on only: check this machine's clock, or \
                 {START_ANEW}",
                path.display(),
                not_before.date()
            ),
            Self::Name { name, problem } => {
                write!(out, "no certificate can be made for {name:?}: {problem}")
            }
            Self::Clock => write!(out, "the clock shows a time that no certificate can carry"),
            Self::Crypto(problem) => write!(out, "the cryptographic library failed: {problem}"),
        }
    }
}

impl std::error::Error for AuthorityError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Read { source, .. } | Self::Write { source, .. } => Some(source),
            _ => None,
        }
    }
}
