//! The answer to a question that has none.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What went wrong, with the next step.
///
/// The JSON of every answer that is not a success: `{"error": .., "kind": .., "hint": ..}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorReply {
    /// What went wrong: lower case, without a period.
    pub error: String,
    /// What kind of failure, for programs.
    #[serde(default)]
    pub kind: ErrorKind,
    /// What to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// One line for each thing that is wrong, where there are several: configuration errors with
    /// file and line, or what stands against a drain.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
}

impl ErrorReply {
    /// An error of a kind.
    pub fn new(kind: ErrorKind, error: impl Into<String>) -> Self {
        Self {
            error: error.into(),
            kind,
            hint: None,
            details: Vec::new(),
        }
    }

    /// Something that was asked for is not there.
    pub fn not_found(error: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotFound, error)
    }

    /// The question makes no sense.
    pub fn bad_request(error: impl Into<String>) -> Self {
        Self::new(ErrorKind::BadRequest, error)
    }

    /// It was tried and did not work.
    pub fn failed(error: impl Into<String>) -> Self {
        Self::new(ErrorKind::Failed, error)
    }

    /// Adds the next step.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds one line for each thing that is wrong.
    pub fn details(mut self, details: impl IntoIterator<Item = String>) -> Self {
        self.details.extend(details);
        self
    }
}

/// As it is written to stderr, without the word `error:` in front.
impl fmt::Display for ErrorReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.error)?;
        for detail in &self.details {
            write!(f, "\n  {detail}")?;
        }
        match &self.hint {
            Some(hint) => write!(f, "\n\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ErrorReply {}

/// What kind of failure. Decides the HTTP status and the exit code of `rbgpctl`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ErrorKind {
    /// The question makes no sense. 400, exit 2.
    BadRequest,
    /// What was asked about is not there. 404, exit 1.
    NotFound,
    /// There is no such path for this method. 405, exit 1.
    Method,
    /// The request is larger than any sensible one. 413, exit 1.
    TooLarge,
    /// It would break something; `force` does it all the same. 409, exit 3.
    NotSafe,
    /// The configuration is refused; details say where. 422, exit 1.
    BadConfig,
    /// The daemon has too many questions already. 503, exit 1.
    Busy,
    /// The daemon did not answer in time. 504, exit 1.
    Timeout,
    /// It was tried and did not work. 500, exit 1.
    #[default]
    Failed,
}

impl ErrorKind {
    /// HTTP status.
    pub fn status(self) -> u16 {
        match self {
            ErrorKind::BadRequest => 400,
            ErrorKind::NotFound => 404,
            ErrorKind::Method => 405,
            ErrorKind::NotSafe => 409,
            ErrorKind::TooLarge => 413,
            ErrorKind::BadConfig => 422,
            ErrorKind::Failed => 500,
            ErrorKind::Busy => 503,
            ErrorKind::Timeout => 504,
        }
    }

    /// Exit code of `rbgpctl`.
    pub fn exit_code(self) -> u8 {
        match self {
            ErrorKind::BadRequest => 2,
            ErrorKind::NotSafe => 3,
            ErrorKind::NotFound
            | ErrorKind::Method
            | ErrorKind::TooLarge
            | ErrorKind::BadConfig
            | ErrorKind::Failed
            | ErrorKind::Busy
            | ErrorKind::Timeout => 1,
        }
    }
}
