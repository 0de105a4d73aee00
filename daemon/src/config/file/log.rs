//! `[log]`: what is logged, and where.

use std::path::PathBuf;

use toml::de::DeValue;

use crate::config::error::At;
use crate::config::read::{Reading, Rejection, Table, boolean, keyword, number};
use crate::config::types::{Debug, DebugPart, Facility, LogFormat, LogLevel};

use super::absolute_path;

/// `[log]`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LogTable {
    /// `level`.
    pub level: Option<At<LogLevel>>,
    /// `stdout`.
    pub stdout: Option<At<bool>>,
    /// `format`.
    pub format: Option<At<LogFormat>>,
    /// `syslog`.
    pub syslog: Option<At<LogLevel>>,
    /// `facility`.
    pub facility: Option<At<Facility>>,
    /// `file`.
    pub file: Option<At<PathBuf>>,
    /// `file_level`.
    pub file_level: Option<At<LogLevel>>,
    /// `time_digits`.
    pub time_digits: Option<At<u8>>,
    /// `debug`.
    pub debug: Option<At<Vec<At<Debug>>>>,
}

pub(super) fn log(table: &mut Table<'_, '_>) -> LogTable {
    if !table.has("file") {
        let hint = "name the file with `file`, or set `level` for stderr";
        table.unsupported("file_level", "there is no `file`", hint);
    }
    LogTable {
        level: table.get("level", keyword),
        stdout: table.get("stdout", boolean),
        format: table.get("format", keyword),
        syslog: table.get("syslog", keyword),
        facility: table.get("facility", keyword),
        file: table.get("file", absolute_path),
        file_level: table.get("file_level", keyword),
        time_digits: table.get("time_digits", number(0..=6)),
        debug: table.list("debug", debug),
    }
}

fn debug(value: &DeValue<'_>) -> Reading<Debug> {
    let read = value.as_str().and_then(Debug::one);
    read.ok_or_else(|| {
        let all: Vec<&str> = DebugPart::all().map(DebugPart::words).collect();
        Rejection::from("what a line `debug` of FRR asks for, like \"bgp updates in\"")
            .hint(format!("there are: {}", all.join(", ")))
    })
}
