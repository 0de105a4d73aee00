//! `[[neighbor]]` as it stands in a file.

use std::net::IpAddr;
use std::time::Duration;

use bgp::Asn;
use bgp::family::{Family, PerFamily};
use bgp::message::Role;
use toml::de::DeValue;

use super::{DAY, HOUR, SECOND, asn, reference, restart_time, unicast_address, whole_seconds};
use crate::config::error::{At, Problem, Span};
use crate::config::read::{
    self, Reading, Rejection, Table, boolean, device, duration, keyword, name, number,
};
use crate::config::types::{NextHopRule, Password, PrefixCount};

/// `[[neighbor]]`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NeighborTable {
    /// `address`.
    pub address: Option<At<IpAddr>>,
    /// `remote_as`.
    pub remote_as: Option<At<Asn>>,
    /// `description`.
    pub description: Option<At<String>>,
    /// `port`.
    pub port: Option<At<u16>>,
    /// `local_address`.
    pub local_address: Option<At<IpAddr>>,
    /// `update_source`.
    pub update_source: Option<At<UpdateSource>>,
    /// `ttl_security`.
    pub ttl_security: Option<At<u8>>,
    /// `multihop`; `true` is 255.
    pub multihop: Option<At<u8>>,
    /// `password`.
    pub password: Option<At<Password>>,
    /// `passive`.
    pub passive: Option<At<bool>>,
    /// `shutdown`.
    pub shutdown: Option<At<bool>>,
    /// `role`.
    pub role: Option<At<Role>>,
    /// `timers`: `hold`.
    pub hold: Option<At<Duration>>,
    /// `timers`: `keepalive`.
    pub keepalive: Option<At<Duration>>,
    /// `timers`: `connect_retry`.
    pub connect_retry: Option<At<Duration>>,
    /// `bfd`.
    pub bfd: BfdTable,
    /// `graceful_restart` as a boolean; a table means true.
    pub graceful_restart: Option<At<bool>>,
    /// `graceful_restart`: `restart_time`.
    pub restart_time: Option<At<Duration>>,
    /// `ipv4_unicast`, `ipv6_unicast`, `evpn`.
    pub families: PerFamily<Option<At<FamilyTable>>>,
}

/// `update_source` of a neighbour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UpdateSource {
    /// This address.
    Address(IpAddr),
    /// The address of this interface.
    Interface(String),
}

/// `bfd` of a neighbour.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BfdTable {
    /// On or off; a table means on.
    pub enabled: bool,
    /// `interval`.
    pub interval: Option<At<Duration>>,
    /// `multiplier`.
    pub multiplier: Option<At<u8>>,
}

/// A family of a neighbour.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FamilyTable {
    /// `import`.
    pub import: Option<At<String>>,
    /// `export`.
    pub export: Option<At<String>>,
    /// `next_hop`.
    pub next_hop: Option<At<NextHopRule>>,
    /// `maximum_prefixes`.
    pub maximum_prefixes: Option<At<MaximumTable>>,
}

/// `maximum_prefixes` of a family of a neighbour.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MaximumTable {
    /// `limit`, or the number itself.
    pub limit: Option<At<u32>>,
    /// `warn_at`.
    pub warn_at: Option<At<u8>>,
    /// `count`.
    pub count: Option<At<PrefixCount>>,
    /// `restart_after`.
    pub restart_after: Option<At<Duration>>,
    /// `warning_only`.
    pub warning_only: Option<At<bool>>,
}

pub(super) fn neighbor(table: &mut Table<'_, '_>) -> NeighborTable {
    let mut neighbor = NeighborTable {
        address: table.require("address", "the neighbor's IP address", unicast_address),
        remote_as: table.require("remote_as", "the neighbor's AS number", asn),
        description: table.get("description", name(80)),
        port: table.get("port", number(1..=65_535)),
        local_address: table.get("local_address", unicast_address),
        update_source: table.get("update_source", update_source),
        ttl_security: table.get("ttl_security", |value| {
            number(1..=254)(value).map_err(|rejection| {
                rejection.hint("1 when the neighbor is on the same link (RFC 5082)")
            })
        }),
        multihop: table.get("multihop", multihop),
        password: password(table),
        passive: table.get("passive", boolean),
        shutdown: table.get("shutdown", boolean),
        role: table.get("role", keyword),
        ..NeighborTable::default()
    };
    table.table("timers", "timers", |table| {
        neighbor.keepalive = table.get("keepalive", |value| whole_seconds(value, 1..=21_845, ""));
        neighbor.hold = table.get("hold", hold_time);
        neighbor.connect_retry = table.get("connect_retry", duration(SECOND..=HOUR));
    });
    neighbor.bfd = bfd(table);
    restart(table, &mut neighbor);
    for family in Family::ALL {
        let key = family.name();
        *neighbor.families.get_mut(family) = table.table(key, key, |table| FamilyTable {
            import: table.get("import", reference),
            export: table.get("export", reference),
            next_hop: table.get("next_hop", keyword),
            maximum_prefixes: maximum_prefixes(table),
        });
    }
    neighbor
}

/// A number, or a table with more.
fn maximum_prefixes(table: &mut Table<'_, '_>) -> Option<At<MaximumTable>> {
    const KEY: &str = "maximum_prefixes";
    let value = table.raw(KEY)?;
    let limit = number(1..=i64::from(u32::MAX));
    if value.get_ref().is_table() {
        return read::table(table.report(), KEY, KEY, value, |table| MaximumTable {
            limit: table.require("limit", "a number of prefixes", limit),
            warn_at: table.get("warn_at", number(1..=100)),
            count: table.get("count", keyword),
            restart_after: table.get("restart_after", duration(SECOND..=DAY)),
            warning_only: table.get("warning_only", boolean),
        });
    }
    let mut limit = limit;
    let limit = read::reading(table.report(), KEY, value, |value| {
        limit(value).map_err(|_| "a number from 1 to 4294967295, or a table".into())
    })?;
    let alone = MaximumTable {
        limit: Some(limit),
        ..MaximumTable::default()
    };
    Some(At::new(alone, limit.span))
}

/// An address, or else the name of a device.
fn update_source(value: &DeValue<'_>) -> Reading<UpdateSource> {
    if value
        .as_str()
        .is_some_and(|text| text.parse::<IpAddr>().is_ok())
    {
        return unicast_address(value).map(UpdateSource::Address);
    }
    device(value)
        .map(UpdateSource::Interface)
        .map_err(|_| "an IP address of this host or the name of an interface".into())
}

fn multihop(value: &DeValue<'_>) -> Reading<u8> {
    match value.as_bool() {
        Some(true) => Ok(u8::MAX),
        Some(false) | None => number(1..=255)(value)
            .map_err(|_| "true or the TTL of our packets, a number from 1 to 255".into()),
    }
}

/// Unlike other values, a password that is refused is not shown.
fn password(table: &mut Table<'_, '_>) -> Option<At<Password>> {
    let value = table.raw("password")?;
    let span = Span::from(value.span());
    let text = value.get_ref().as_str();
    if let Some(password) = text.and_then(Password::new) {
        return Some(At::new(password, span));
    }
    let what = match text {
        Some(Password::HIDDEN) => "the stand-in for a password that is not shown".to_owned(),
        Some(text) => format!("a text of {} octets", text.len()),
        None => "not a text".to_owned(),
    };
    let expected = format!(
        "a text of 1 to {} octets without control characters",
        Password::LENGTH_MAX
    );
    let problem = Problem::value("password", what, expected);
    let hint = "both sides must have the same (RFC 2385)";
    table.report().error_with_hint(span, problem, hint);
    None
}

/// RFC 4271 §4.2: zero or at least three seconds; the field holds whole seconds.
fn hold_time(value: &DeValue<'_>) -> Reading<Duration> {
    match value.as_str() {
        Some("0s") => Ok(Duration::ZERO),
        _ => whole_seconds(value, 3..=65_535, "0s or ").map_err(|rejection| {
            let expected = format!("{} (RFC 4271 §4.2)", rejection.expected);
            Rejection::from(expected).hint("use \"30s\" for WireGuard links")
        }),
    }
}

/// `true`, `false` or a table of details, which means true.
enum Switch<T> {
    Bool(At<bool>),
    Table(At<T>),
}

fn switch<T>(
    table: &mut Table<'_, '_>,
    key: &'static str,
    read_table: impl FnOnce(&mut Table<'_, '_>) -> T,
) -> Option<Switch<T>> {
    let value = table.raw(key)?;
    if value.get_ref().is_table() {
        return read::table(table.report(), key, key, value, read_table).map(Switch::Table);
    }
    read::reading(table.report(), key, value, |value| {
        boolean(value).map_err(|_| "true, false or a table".into())
    })
    .map(Switch::Bool)
}

fn bfd(table: &mut Table<'_, '_>) -> BfdTable {
    const SHORTEST: Duration = Duration::from_millis(10);
    const LONGEST: Duration = Duration::from_secs(60);
    let bfd = switch(table, "bfd", |table| BfdTable {
        enabled: true,
        interval: table.get("interval", duration(SHORTEST..=LONGEST)),
        multiplier: table.get("multiplier", number(1..=255)),
    });
    match bfd {
        Some(Switch::Bool(enabled)) => BfdTable {
            enabled: enabled.value,
            ..BfdTable::default()
        },
        Some(Switch::Table(bfd)) => bfd.value,
        None => BfdTable::default(),
    }
}

fn restart(table: &mut Table<'_, '_>, neighbor: &mut NeighborTable) {
    match switch(table, "graceful_restart", |table| {
        table.get("restart_time", restart_time)
    }) {
        Some(Switch::Bool(enabled)) => neighbor.graceful_restart = Some(enabled),
        Some(Switch::Table(restart_time)) => {
            neighbor.graceful_restart = Some(At::new(true, restart_time.span));
            neighbor.restart_time = restart_time.value;
        }
        None => {}
    }
}
