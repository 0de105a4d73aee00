//! What concerns the program around the router.

use std::fmt;
use std::time::Duration;

use super::{Config, Keyword, OnStop};

/// Logging.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Log {
    /// What is logged.
    pub level: LogLevel,
    /// How it is written.
    pub format: LogFormat,
}

/// The least important message that is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogLevel {
    /// Something does not work.
    Error,
    /// Something may not work.
    Warn,
    /// What an operator wants to know.
    #[default]
    Info,
    /// What a developer wants to know.
    Debug,
    /// Everything.
    Trace,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Draining.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drain {
    /// Drain before the service stops.
    pub on_stop: bool,
    /// Longest time the stop waits for the traffic to move.
    pub timeout: Duration,
}

impl Default for Drain {
    fn default() -> Self {
        Self {
            on_stop: false,
            timeout: Duration::from_secs(60),
        }
    }
}

/// What concerns the program around the router, and may change while it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ServiceSettings {
    /// The least important message that is logged.
    pub(crate) log_level: LogLevel,
    /// What to do before a stop.
    pub(crate) drain: Drain,
    /// And what becomes of the kernel with it.
    pub(crate) on_stop: OnStop,
}

impl Config {
    pub(crate) fn service_settings(&self) -> ServiceSettings {
        ServiceSettings {
            log_level: self.log.level,
            drain: self.drain,
            on_stop: self.kernel.on_stop,
        }
    }
}

impl Keyword for LogLevel {
    const WORDS: &'static [(Self, &'static str)] = &[
        (LogLevel::Error, "error"),
        (LogLevel::Warn, "warn"),
        (LogLevel::Info, "info"),
        (LogLevel::Debug, "debug"),
        (LogLevel::Trace, "trace"),
    ];
}

impl Keyword for LogFormat {
    const WORDS: &'static [(Self, &'static str)] =
        &[(LogFormat::Text, "text"), (LogFormat::Json, "json")];
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
