//! What can go wrong in the lab, said so that the reader knows which step and why.

use std::fmt::Display;

use super::wait::Timeout;

/// Why a lab operation failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A command ended with a status other than zero.
    #[error("`{command}` ended with {status}: {text}")]
    Command {
        /// The command line.
        command: String,
        /// Exit status or signal, in words.
        status: String,
        /// What it wrote, errors first.
        text: String,
    },
    /// A command did not end in its time and was killed.
    #[error("`{command}` did not end within {limit_s} s")]
    Stuck {
        /// The command line.
        command: String,
        /// The limit, in seconds.
        limit_s: u64,
    },
    /// The operating system refused something.
    #[error("{what}: {source}")]
    Io {
        /// The file or the action.
        what: String,
        /// The system's answer.
        source: std::io::Error,
    },
    /// A condition did not become true in time.
    #[error(transparent)]
    Timeout(#[from] Timeout),
    /// A program answered with something other than the expected JSON.
    #[error("{what}: not the expected JSON: {source}")]
    Json {
        /// The question.
        what: String,
        /// The parser's answer.
        source: serde_json::Error,
    },
    /// A signal asked the program to stop.
    #[error("interrupted")]
    Interrupted,
    /// The lab is not in a state in which this can be done, or a check found a wrong state.
    #[error("{0}")]
    State(String),
}

impl Error {
    /// An I/O error with the file or action it belongs to.
    pub fn io(what: impl Display, source: std::io::Error) -> Self {
        Self::Io {
            what: what.to_string(),
            source,
        }
    }

    /// The error of a system call made through nix.
    pub(super) fn os(what: impl Display, errno: nix::Error) -> Self {
        Self::io(what, std::io::Error::from(errno))
    }
}
