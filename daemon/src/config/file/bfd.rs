//! BFD as it stands in a file: `bfd` of a neighbour or a static route, `[[bfd]]` and `[[bfd_profile]]`.
//!
//! All of them have the same settings ([`BfdTable`]), beside what says whom a session is with.
//! [`accept()`](crate::config::accept()) fills a session's table up from its profile.

use std::net::IpAddr;
use std::time::Duration;

use bfd::Method;
use bgp::ScopedAddr;
use toml::de::DeValue;

use super::neighbor::signing::secret;
use super::neighbor::{Switch, address, switch};
use super::{reference, unicast_address};
use crate::config::error::{At, Conflict, Problem, Span};
use crate::config::read::{
    self, Reading, Rejection, Table, boolean, device, duration, keyword, name, number,
};
use crate::config::types::Password;

/// `bfd` of a neighbour, and what a session of its own or a profile says about itself.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BfdTable {
    /// On or off; a table means on.
    pub enabled: bool,
    /// `profile`.
    pub profile: Option<At<String>>,
    /// `interval`, of both directions.
    pub interval: Option<At<Duration>>,
    /// `transmit_interval`, before `interval`.
    pub transmit_interval: Option<At<Duration>>,
    /// `receive_interval`, likewise.
    pub receive_interval: Option<At<Duration>>,
    /// `multiplier`.
    pub multiplier: Option<At<u8>>,
    /// `multihop`. Not in a profile: it says where the peer is.
    pub multihop: Option<At<bool>>,
    /// `min_ttl`.
    pub min_ttl: Option<At<u8>>,
    /// `passive`.
    pub passive: Option<At<bool>>,
    /// `shutdown`.
    pub shutdown: Option<At<bool>>,
    /// `authentication`; `false` is none.
    pub authentication: Option<At<Option<BfdAuthenticationTable>>>,
    /// `echo`. Over one hop, as the two that follow.
    pub echo: Option<At<bool>>,
    /// `echo_transmit_interval`.
    pub echo_transmit_interval: Option<At<Duration>>,
    /// `echo_receive_interval`; `false` is never.
    pub echo_receive_interval: Option<At<Option<Duration>>>,
    /// `strict`. Of neighbours only.
    pub strict: Option<At<bool>>,
}

/// `authentication`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BfdAuthenticationTable {
    /// `method`.
    pub method: Option<At<Method>>,
    /// `keys`, the first of which signs.
    pub keys: Vec<At<BfdKeyTable>>,
}

/// A key.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BfdKeyTable {
    /// `id`.
    pub id: Option<At<u8>>,
    /// `secret`.
    pub secret: Option<At<Password>>,
}

/// `[[bfd]]`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BfdPeerTable {
    /// `peer`, a link-local one with its interface unless that stands beside it.
    pub peer: Option<At<ScopedAddr>>,
    /// `local`.
    pub local: Option<At<IpAddr>>,
    /// `interface`.
    pub interface: Option<At<String>>,
    /// `vrf`.
    pub vrf: Option<At<String>>,
    /// How it runs.
    pub settings: BfdTable,
}

/// `bfd` of a static route, or of one of its next hops.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StaticBfdTable {
    /// `local`.
    pub local: Option<At<IpAddr>>,
    /// How it runs.
    pub settings: BfdTable,
}

/// `[[bfd_profile]]`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BfdProfileTable {
    /// `name`.
    pub name: Option<At<String>>,
    /// How sessions with it run.
    pub settings: BfdTable,
}

impl BfdTable {
    /// What stands here, then what stands there: of a neighbour and its group, of a session and
    /// its profile.
    pub(super) fn or(self, theirs: Self) -> Self {
        // Whoever says `interval` says it of both directions.
        let said = self.interval.is_some();
        let one = |at: Option<At<Duration>>| at.filter(|_| !said);
        Self {
            enabled: self.enabled,
            profile: self.profile.or(theirs.profile),
            interval: self.interval.or(theirs.interval),
            transmit_interval: self.transmit_interval.or(one(theirs.transmit_interval)),
            receive_interval: self.receive_interval.or(one(theirs.receive_interval)),
            multiplier: self.multiplier.or(theirs.multiplier),
            multihop: self.multihop.or(theirs.multihop),
            min_ttl: self.min_ttl.or(theirs.min_ttl),
            passive: self.passive.or(theirs.passive),
            shutdown: self.shutdown.or(theirs.shutdown),
            authentication: self.authentication.or(theirs.authentication),
            echo: self.echo.or(theirs.echo),
            echo_transmit_interval: self
                .echo_transmit_interval
                .or(theirs.echo_transmit_interval),
            echo_receive_interval: self.echo_receive_interval.or(theirs.echo_receive_interval),
            strict: self.strict.or(theirs.strict),
        }
    }

    /// See [`BfdTable::or`].
    pub(in crate::config) fn with_profile(&self, profile: Option<&Self>) -> Self {
        match profile {
            Some(profile) => self.clone().or(profile.clone()),
            None => self.clone(),
        }
    }
}

/// `bfd` of a neighbour.
pub(super) fn of_neighbor(table: &mut Table<'_, '_>) -> Option<BfdTable> {
    let bfd = switch(table, "bfd", |table| BfdTable {
        strict: table.get("strict", boolean),
        ..of_session(table)
    });
    Some(match bfd? {
        Switch::Bool(enabled) => BfdTable {
            enabled: enabled.value,
            ..BfdTable::default()
        },
        Switch::Table(bfd) => bfd.value,
    })
}

/// `bfd` of a static route, or of one of its next hops.
pub(super) fn of_next_hop(table: &mut Table<'_, '_>) -> Option<At<StaticBfdTable>> {
    let bfd = switch(table, "bfd", |table| {
        let because = "a static route waits for BFD in any case";
        table.unsupported("strict", because, "leave it out");
        StaticBfdTable {
            local: table.get("local", local),
            settings: of_session(table),
        }
    });
    Some(match bfd? {
        Switch::Bool(At { value, span }) => {
            let settings = BfdTable {
                enabled: value,
                ..BfdTable::default()
            };
            At::new(
                StaticBfdTable {
                    local: None,
                    settings,
                },
                span,
            )
        }
        Switch::Table(bfd) => bfd,
    })
}

/// `[[bfd]]`.
pub(super) fn peer(table: &mut Table<'_, '_>) -> BfdPeerTable {
    let because = "the session has no neighbor that could wait for it";
    table.unsupported("strict", because, "set it in `bfd` of a [[neighbor]]");
    let interface = table.get("interface", device);
    let peer = table.require("peer", "the peer's IP address", |value| {
        address(value, interface.is_some())
    });
    BfdPeerTable {
        peer,
        local: table.get("local", local),
        interface,
        vrf: table.get("vrf", device),
        settings: of_session(table),
    }
}

/// `[[bfd_profile]]`.
pub(super) fn profile(table: &mut Table<'_, '_>) -> BfdProfileTable {
    for key in ["multihop", "strict", "profile"] {
        let because = "it belongs to a session";
        let hint = "set it in `bfd` of a [[neighbor]], or in [[bfd]]";
        table.unsupported(key, because, hint);
    }
    BfdProfileTable {
        name: table.require("name", "what sessions call it", name(63)),
        settings: settings(table),
    }
}

/// An address of ours, which may be a link-local one.
fn local(value: &DeValue<'_>) -> Reading<IpAddr> {
    let text = value.as_str().and_then(|text| text.parse::<IpAddr>().ok());
    match text {
        Some(IpAddr::V6(address)) if address.is_unicast_link_local() => Ok(address.into()),
        Some(_) | None => unicast_address(value),
    }
}

fn of_session(table: &mut Table<'_, '_>) -> BfdTable {
    BfdTable {
        profile: table.get("profile", reference),
        multihop: table.get("multihop", boolean),
        ..settings(table)
    }
}

fn settings(table: &mut Table<'_, '_>) -> BfdTable {
    const SHORTEST: Duration = Duration::from_millis(10);
    const LONGEST: Duration = Duration::from_secs(60);
    let interval = table.get("interval", duration(SHORTEST..=LONGEST));
    let transmit_interval = table.get("transmit_interval", duration(SHORTEST..=LONGEST));
    let receive_interval = table.get("receive_interval", duration(SHORTEST..=LONGEST));
    if let (Some(both), Some(_), Some(_)) = (interval, transmit_interval, receive_interval) {
        let conflict = Conflict::NoEffect {
            key: "interval",
            because: "beside `transmit_interval` and `receive_interval`",
        };
        table.report().error(both.span, conflict);
    }
    BfdTable {
        enabled: true,
        interval,
        transmit_interval,
        receive_interval,
        multiplier: table.get("multiplier", number(1..=255)),
        min_ttl: table.get("min_ttl", |value| {
            number(1..=255)(value)
                .map_err(|rejection: Rejection| rejection.hint("255 less the routers on the way"))
        }),
        passive: table.get("passive", boolean),
        shutdown: table.get("shutdown", boolean),
        authentication: authentication(table),
        echo: table.get("echo", boolean),
        echo_transmit_interval: table.get("echo_transmit_interval", duration(SHORTEST..=LONGEST)),
        echo_receive_interval: table.get("echo_receive_interval", |value| match value.as_bool() {
            Some(false) => Ok(None),
            Some(true) => Err("false, or a duration such as \"50ms\"".into()),
            None => duration(SHORTEST..=LONGEST)(value).map(Some),
        }),
        ..BfdTable::default()
    }
}

/// `false`, or a table.
fn authentication(table: &mut Table<'_, '_>) -> Option<At<Option<BfdAuthenticationTable>>> {
    const KEY: &str = "authentication";
    let value = table.raw(KEY)?;
    if value.get_ref().is_table() {
        let read = read::table(table.report(), KEY, KEY, value, |table| {
            BfdAuthenticationTable {
                method: table.require("method", "how packets are signed", keyword),
                keys: keys(table),
            }
        })?;
        return Some(At::new(Some(read.value), read.span));
    }
    let off = |value: &DeValue<'_>| -> Reading<()> {
        match value.as_bool() {
            Some(false) => Ok(()),
            Some(true) | None => Err("false, or a table with `method` and `keys`".into()),
        }
    };
    let off = read::reading(table.report(), KEY, value, off)?;
    Some(At::new(None, off.span))
}

/// At least one key. What stands in place of one may be a secret, so it is not shown.
fn keys(table: &mut Table<'_, '_>) -> Vec<At<BfdKeyTable>> {
    const KEY: &str = "keys";
    let Some(value) = table.raw(KEY) else {
        table.missing(KEY, "a list of one key or more");
        return Vec::new();
    };
    let tables = |items: &&toml::de::DeArray<'_>| {
        !items.is_empty() && items.iter().all(|item| item.get_ref().is_table())
    };
    let Some(items) = value.get_ref().as_array().filter(tables) else {
        let problem = Problem::value(KEY, "something else", "a list of one key or more");
        let hint = "keys = [{ id = 1, secret = \"..\" }]";
        let span = Span::from(value.span());
        table.report().error_with_hint(span, problem, hint);
        return Vec::new();
    };
    let keys = items.iter().filter_map(|item| {
        read::table(
            table.report(),
            KEY,
            "a key of `authentication`",
            item,
            |table| BfdKeyTable {
                id: table.require("id", "a number from 0 to 255", number(0..=255)),
                secret: {
                    if !table.has("secret") {
                        table.missing("secret", "what both sides know");
                    }
                    secret(
                        table,
                        "secret",
                        "both sides must have the same (RFC 5880 §6.7)",
                    )
                },
            },
        )
    });
    keys.collect()
}
