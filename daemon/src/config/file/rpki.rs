//! `[[rpki]]`: a cache of the RPKI.

use std::net::SocketAddr;
use std::time::Duration;

use crate::config::error::At;
use crate::config::read::{Table, number, socket_address};

use super::{DAY, SECOND, whole_seconds};

/// `[[rpki]]`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RpkiTable {
    /// `address`.
    pub address: Option<At<SocketAddr>>,
    /// `preference`.
    pub preference: Option<At<u8>>,
    /// `refresh`.
    pub refresh: Option<At<Duration>>,
    /// `retry`.
    pub retry: Option<At<Duration>>,
    /// `expire`.
    pub expire: Option<At<Duration>>,
}

pub(super) fn rpki(table: &mut Table<'_, '_>) -> RpkiTable {
    let (second, day) = (SECOND.as_secs(), DAY.as_secs());
    for (key, because) in [
        ("ssh", "caches are asked over TCP alone"),
        ("tls", "caches are asked over TCP alone"),
    ] {
        let hint = "put the cache on this host, or protect the way to it (WireGuard, stunnel)";
        table.unsupported(key, because, hint);
    }
    RpkiTable {
        address: table.require(
            "address",
            "an address with a port like \"127.0.0.1:3323\"",
            socket_address,
        ),
        preference: table.get("preference", number(1..=255)),
        // RFC 8210 §6 gives ranges for what caches say; an operator may want less.
        refresh: table.get("refresh", |value| whole_seconds(value, second..=day, "")),
        retry: table.get("retry", |value| whole_seconds(value, second..=7200, "")),
        expire: table.get("expire", |value| whole_seconds(value, second..=2 * day, "")),
    }
}
