//! What is said of the configuration that runs, and of lines given to it.

use serde::{Deserialize, Serialize};

use super::Reload;

/// The configuration that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// `toml` or `frr`.
    pub language: String,
    /// The file that was read at the start, if any.
    #[serde(default)]
    pub file: Option<String>,
    /// The whole text, a line each with `\n` at its end.
    pub text: String,
}

/// Lines that were given to what runs, or would be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Configured {
    /// What that changed.
    pub reload: Reload,
    /// What is to be said about lines that are not simply honoured, with the number of each.
    pub lines: Vec<String>,
}

/// What runs, in the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// The file.
    pub file: String,
    /// False where the file said the same already, and stays as it is.
    pub changed: bool,
    /// Where its former content is.
    #[serde(default)]
    pub backup: Option<String>,
    /// What else is to be known, a line each.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// Which debug messages are asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Debugging {
    /// In the words behind `debug` of FRR's lines.
    pub debug: Vec<String>,
    /// Targets of the log that have them: `stderr` or `stdout`, `syslog`, `file`.
    pub targets: Vec<String>,
}
