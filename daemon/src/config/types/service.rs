//! What concerns the program around the router.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use super::{Config, Debug, Keyword, OnStop};

/// Logging.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// What goes to stderr.
    pub level: LogLevel,
    /// It goes to stdout in its place.
    pub stdout: bool,
    /// How it is written, there and to the file.
    pub format: LogFormat,
    /// What goes to the system's log, if anything does.
    pub syslog: Option<LogLevel>,
    /// What the system's log takes it for.
    pub facility: Facility,
    /// A file that is written to.
    pub file: Option<LogFile>,
    /// Digits behind the second of a time, 0 to 6.
    pub time_digits: u8,
    /// Debug messages for targets with the level `selected`, from the start.
    pub debug: BTreeSet<Debug>,
}

impl Log {
    /// Microseconds.
    pub(crate) const TIME_DIGITS: u8 = 6;

    /// Where selected debug messages go, in words.
    pub(crate) fn selecting(&self) -> Vec<&'static str> {
        let shows = |level: LogLevel| match level {
            LogLevel::Selected | LogLevel::Debug | LogLevel::Trace => true,
            LogLevel::Error | LogLevel::Warn | LogLevel::Info => false,
        };
        let console = if self.stdout { "stdout" } else { "stderr" };
        let targets = [
            (console, Some(self.level)),
            ("syslog", self.syslog),
            ("file", self.file.as_ref().map(|it| it.level)),
        ];
        let shown = targets.iter().filter(|(_, level)| level.is_some_and(shows));
        shown.map(|(target, _)| *target).collect()
    }
}

impl Default for Log {
    fn default() -> Self {
        Self {
            level: LogLevel::default(),
            stdout: false,
            format: LogFormat::default(),
            syslog: None,
            facility: Facility::default(),
            file: None,
            time_digits: Self::TIME_DIGITS,
            debug: BTreeSet::new(),
        }
    }
}

/// A file that log lines are appended to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFile {
    /// Where it is; absolute.
    pub path: PathBuf,
    /// What goes there.
    pub level: LogLevel,
}

/// What the system's log takes lines for (RFC 5424 §6.2.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(missing_docs)]
pub enum Facility {
    Kern = 0,
    User = 1,
    Mail = 2,
    #[default]
    Daemon = 3,
    Auth = 4,
    Syslog = 5,
    Lpr = 6,
    News = 7,
    Uucp = 8,
    Cron = 9,
    Local0 = 16,
    Local1 = 17,
    Local2 = 18,
    Local3 = 19,
    Local4 = 20,
    Local5 = 21,
    Local6 = 22,
    Local7 = 23,
}

/// The least important message that is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum LogLevel {
    /// Something does not work.
    Error,
    /// Something may not work.
    Warn,
    /// What an operator wants to know.
    #[default]
    Info,
    /// The same, and the debug messages that `debug` selects.
    Selected,
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServiceSettings {
    /// What is logged, and where.
    pub(crate) log: Log,
    /// What to do before a stop.
    pub(crate) drain: Drain,
    /// And what becomes of the kernel with it.
    pub(crate) on_stop: OnStop,
}

impl Config {
    pub(crate) fn service_settings(&self) -> ServiceSettings {
        ServiceSettings {
            log: self.log.clone(),
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
        (LogLevel::Selected, "selected"),
        (LogLevel::Debug, "debug"),
        (LogLevel::Trace, "trace"),
    ];
}

impl Keyword for Facility {
    const WORDS: &'static [(Self, &'static str)] = &[
        (Facility::Kern, "kern"),
        (Facility::User, "user"),
        (Facility::Mail, "mail"),
        (Facility::Daemon, "daemon"),
        (Facility::Auth, "auth"),
        (Facility::Syslog, "syslog"),
        (Facility::Lpr, "lpr"),
        (Facility::News, "news"),
        (Facility::Uucp, "uucp"),
        (Facility::Cron, "cron"),
        (Facility::Local0, "local0"),
        (Facility::Local1, "local1"),
        (Facility::Local2, "local2"),
        (Facility::Local3, "local3"),
        (Facility::Local4, "local4"),
        (Facility::Local5, "local5"),
        (Facility::Local6, "local6"),
        (Facility::Local7, "local7"),
    ];
}

impl Keyword for LogFormat {
    const WORDS: &'static [(Self, &'static str)] =
        &[(LogFormat::Text, "text"), (LogFormat::Json, "json")];
}

impl fmt::Display for Facility {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
