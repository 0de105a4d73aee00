//! Why a test of a rule did not get what the rule asks for.

use std::fmt::Display;

/// A rule was broken, or the bench could not be set up.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The speaker did something else than the rule asks for.
    #[error("expected {expected}, but {got}")]
    Rule {
        /// What the rule asks for.
        expected: String,
        /// What came instead.
        got: String,
    },
    /// Nothing came in time.
    #[error("expected {expected}, but it did not come within {limit_ms} ms; heard {heard}")]
    Late {
        /// What was waited for.
        expected: String,
        /// How long.
        limit_ms: u128,
        /// What had been heard on the connection so far.
        heard: String,
    },
    /// The operating system refused something.
    #[error("{what}: {source}")]
    Io {
        /// The action.
        what: String,
        /// The system's answer.
        source: std::io::Error,
    },
    /// The speaker under test cannot be used.
    #[error("the speaker under test: {0}")]
    Speaker(String),
    /// The same, in one of several cases.
    #[error("{case}: {source}")]
    Case {
        /// Which.
        case: String,
        /// What went wrong in it.
        source: Box<Error>,
    },
}

impl Error {
    /// A broken rule.
    pub fn rule(expected: impl Display, got: impl Display) -> Self {
        Self::Rule {
            expected: expected.to_string(),
            got: got.to_string(),
        }
    }

    /// A failed system call with its purpose.
    pub fn io(what: impl Display, source: std::io::Error) -> Self {
        Self::Io {
            what: what.to_string(),
            source,
        }
    }

    /// The error with the case it happened in.
    pub fn case(self, case: impl Display) -> Self {
        Self::Case {
            case: case.to_string(),
            source: Box::new(self),
        }
    }
}

/// A test that returns an error prints it this way: in words.
impl std::fmt::Debug for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

impl From<crate::lab::Error> for Error {
    fn from(error: crate::lab::Error) -> Self {
        Self::Speaker(error.to_string())
    }
}

impl From<crate::lab::Timeout> for Error {
    fn from(error: crate::lab::Timeout) -> Self {
        Self::Speaker(error.to_string())
    }
}
