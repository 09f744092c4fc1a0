//! What can be wrong with a configuration, and what is only worth a word. Values and their wording.

use std::fmt;
use std::io;
use std::path::PathBuf;

/// Which source said it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    File(PathBuf),
    Environment(String),
    Flag(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::File(path) => write!(formatter, "{}", path.display()),
            Origin::Environment(name) => write!(formatter, "environment variable {name}"),
            Origin::Flag(flag) => write!(formatter, "{flag}"),
        }
    }
}

/// Why nothing is started.
#[derive(Debug)]
pub enum ConfigError {
    /// The file cannot be opened or read.
    Unreadable { path: PathBuf, cause: io::Error },
    /// The file is no JSON; the cause names line and column.
    Syntax { path: PathBuf, cause: String },
    /// The file is JSON, but not an object.
    NotAnObject { path: PathBuf },
    /// A value is of the wrong type or out of range.
    Invalid { key: String, value: String, allowed: String, origin: Origin },
    /// Each value is allowed, together they are not.
    Conflict(String),
}

impl fmt::Display for ConfigError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ConfigError::Unreadable { path, cause } => {
                write!(formatter, "cannot read config file {}: {cause}", path.display())
            }
            ConfigError::Syntax { path, cause } => {
                write!(formatter, "config file {} is not valid JSON: {cause}", path.display())
            }
            ConfigError::NotAnObject { path } => write!(
                formatter,
                "config file {} must hold one JSON object: {{\"key\": value, ...}}",
                path.display()
            ),
            ConfigError::Invalid { key, value, allowed, origin } => {
                write!(
                    formatter,
                    "{key}: {value} is not allowed (from {origin}): must be {allowed}"
                )
            }
            ConfigError::Conflict(message) => formatter.write_str(message),
        }
    }
}

impl std::error::Error for ConfigError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            ConfigError::Unreadable { cause, .. } => Some(cause),
            _ => None,
        }
    }
}

/// What is understood, but hardly meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning(pub String);

impl fmt::Display for Warning {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
