//! `[evpn] duplicate_detection`.

use std::time::Duration;

use crate::config::error::At;
use crate::config::read::{self, Table, boolean, keyword, number};
use crate::config::types::DuplicateWord;

use super::{DAY, HOUR, SECOND, whole_seconds};

/// `duplicate_detection`: `false`, `true` or a table.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DuplicatesTable {
    /// On or off; a table means on.
    pub enabled: bool,
    /// `moves`.
    pub moves: Option<At<u16>>,
    /// `window`.
    pub window: Option<At<Duration>>,
    /// `action`.
    pub action: Option<At<DuplicateWord>>,
    /// `freeze_time`.
    pub freeze_time: Option<At<Duration>>,
}

pub(super) fn duplicates(table: &mut Table<'_, '_>) -> Option<DuplicatesTable> {
    const KEY: &str = "duplicate_detection";
    let (second, hour, day) = (SECOND.as_secs(), HOUR.as_secs(), DAY.as_secs());
    let value = table.raw(KEY)?;
    if !value.get_ref().is_table() {
        let enabled = read::reading(table.report(), KEY, value, |value| {
            boolean(value).map_err(|_| "true, false or a table".into())
        })?;
        return Some(DuplicatesTable {
            enabled: enabled.value,
            ..DuplicatesTable::default()
        });
    }
    let read = read::table(table.report(), KEY, KEY, value, |table| DuplicatesTable {
        enabled: true,
        moves: table.get("moves", number(2..=1000)),
        window: table.get("window", |value| whole_seconds(value, second..=hour, "")),
        action: table.get("action", keyword),
        freeze_time: table.get("freeze_time", |value| {
            whole_seconds(value, second..=day, "")
        }),
    });
    read.map(|read| read.value)
}
