//! `[[neighbor]]`, `[[peer_group]]` and `[[listen_range]]` as they stand in a file.
//!
//! All three have the same settings ([`SettingsTable`]), beside what says whom they are for. A
//! family of a neighbour is a table of its own ([`family`](mod@family)), and so is what signs its
//! connection ([`signing`]). Settings inherit from those of a group key by key, before anything is
//! made of them.
//!
//! Whether settings go together, and what they are where no key stands, is for
//! [`accept()`](crate::config::accept()).

mod family;
pub(super) mod signing;

use std::net::IpAddr;
use std::time::Duration;

use bgp::family::{Family, PerFamily};
use bgp::message::Role;
use bgp::session::RemoteAs;
use bgp::wire::Unwanted;
use bgp::{Asn, InterfaceName, Prefix, ScopedAddr};
pub use family::{FamilyTable, MaximumTable};
use family::{family, family_table};
pub use signing::AoKeyTable;
use signing::{secret, tcp_ao};
use toml::de::DeValue;

use super::bfd::{self, BfdTable};
use super::{
    HOUR, SECOND, asn, long_lived_time, prefix, reference, restart_time, unicast_address,
    whole_seconds,
};
use crate::config::error::{At, Conflict};
use crate::config::read::{
    self, Reading, Rejection, Table, boolean, device, duration, keyword, name, number,
};
use crate::config::types::{Password, SoftwareVersion};

/// `[[neighbor]]`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NeighborTable {
    /// `address`.
    pub address: Option<At<ScopedAddr>>,
    /// `interface`, in place of an address; beside a link-local one it is in there.
    pub interface: Option<At<String>>,
    /// `router_advertisement_interval`, beside an interface alone.
    pub advertisement_interval: Option<At<Duration>>,
    /// Everything else.
    pub settings: SettingsTable,
}

/// `[[peer_group]]`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PeerGroupTable {
    /// `name`.
    pub name: Option<At<String>>,
    /// What its members have unless they say otherwise.
    pub settings: SettingsTable,
}

/// `[[listen_range]]`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ListenRangeTable {
    /// `prefix`.
    pub prefix: Option<At<Prefix>>,
    /// `limit`.
    pub limit: Option<At<u16>>,
    /// What a neighbour from there has.
    pub settings: SettingsTable,
}

/// What a session and its families are, of a neighbour or of several.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SettingsTable {
    /// `peer_group`.
    pub peer_group: Option<At<String>>,
    /// `remote_as`.
    pub remote_as: Option<At<RemoteAs>>,
    /// `local_as`.
    pub local_as: Option<At<LocalAsTable>>,
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
    /// `tcp_ao`.
    pub tcp_ao: Option<At<Vec<At<AoKeyTable>>>>,
    /// `passive`.
    pub passive: Option<At<bool>>,
    /// `shutdown`; a text means true.
    pub shutdown: Option<At<bool>>,
    /// `shutdown`: the text.
    pub shutdown_text: Option<String>,
    /// `role`.
    pub role: Option<At<Role>>,
    /// `link_bandwidth_as_integer`.
    pub whole_bandwidths: Option<At<bool>>,
    /// `graceful_shutdown`.
    pub graceful_shutdown: Option<At<bool>>,
    /// `aigp`.
    pub aigp: Option<At<bool>>,
    /// `discard_attributes`.
    pub discard_attributes: Option<At<Vec<At<u8>>>>,
    /// `withdraw_attributes`.
    pub withdraw_attributes: Option<At<Vec<At<u8>>>>,
    /// `fqdn`.
    pub fqdn: Option<At<bool>>,
    /// `capabilities`.
    pub capabilities: Option<At<bool>>,
    /// `software_version`.
    pub software_version: Option<At<SoftwareVersion>>,
    /// `role_strict`.
    pub role_strict: Option<At<bool>>,
    /// `route_server_client`.
    pub route_server_client: Option<At<bool>>,
    /// `enforce_first_as`.
    pub enforce_first_as: Option<At<bool>>,
    /// `route_reflector_client`.
    pub route_reflector_client: Option<At<bool>>,
    /// `timers`: `hold`.
    pub hold: Option<At<Duration>>,
    /// `timers`: `keepalive`.
    pub keepalive: Option<At<Duration>>,
    /// `timers`: `send_hold`.
    pub send_hold: Option<At<Duration>>,
    /// `timers`: `connect_retry`.
    pub connect_retry: Option<At<Duration>>,
    /// `bfd`.
    pub bfd: Option<BfdTable>,
    /// `graceful_restart` as a boolean; a table means true.
    pub graceful_restart: Option<At<bool>>,
    /// `graceful_restart`: `restart_time`.
    pub restart_time: Option<At<Duration>>,
    /// `graceful_restart`: `long_lived_time`.
    pub long_lived_time: Option<At<Duration>>,
    /// `ipv4_unicast`, `ipv6_unicast`, `evpn`.
    pub families: PerFamily<Option<At<FamilyTable>>>,
}

impl SettingsTable {
    /// These settings, with those of the group where a key does not stand. A key that is a table
    /// is filled up key by key, except for one that stands as a plain value.
    pub fn inherit(&self, group: &SettingsTable) -> SettingsTable {
        let own = self.clone();
        let theirs = group.clone();
        // Where we connect from has two spellings.
        let placed = own.local_address.is_some() || own.update_source.is_some();
        // RFC 5082 §3: the one fixes the TTL that the other would set.
        let hops = own.ttl_security.is_some() || own.multihop.is_some();
        // Linux takes one kind of signature for an address.
        let signed = own.password.is_some() || own.tcp_ao.is_some();
        SettingsTable {
            peer_group: own.peer_group,
            remote_as: own.remote_as.or(theirs.remote_as),
            local_as: own.local_as.or(theirs.local_as),
            description: own.description.or(theirs.description),
            port: own.port.or(theirs.port),
            local_address: own
                .local_address
                .or(theirs.local_address.filter(|_| !placed)),
            update_source: own
                .update_source
                .or(theirs.update_source.filter(|_| !placed)),
            ttl_security: own.ttl_security.or(theirs.ttl_security.filter(|_| !hops)),
            multihop: own.multihop.or(theirs.multihop.filter(|_| !hops)),
            password: own.password.or(theirs.password.filter(|_| !signed)),
            tcp_ao: own.tcp_ao.or(theirs.tcp_ao.filter(|_| !signed)),
            passive: own.passive.or(theirs.passive),
            shutdown_text: match own.shutdown {
                Some(_) => own.shutdown_text,
                None => theirs.shutdown_text,
            },
            shutdown: own.shutdown.or(theirs.shutdown),
            role: own.role.or(theirs.role),
            whole_bandwidths: own.whole_bandwidths.or(theirs.whole_bandwidths),
            graceful_shutdown: own.graceful_shutdown.or(theirs.graceful_shutdown),
            aigp: own.aigp.or(theirs.aigp),
            discard_attributes: own.discard_attributes.or(theirs.discard_attributes),
            withdraw_attributes: own.withdraw_attributes.or(theirs.withdraw_attributes),
            fqdn: own.fqdn.or(theirs.fqdn),
            capabilities: own.capabilities.or(theirs.capabilities),
            software_version: own.software_version.or(theirs.software_version),
            role_strict: own.role_strict.or(theirs.role_strict),
            route_server_client: own.route_server_client.or(theirs.route_server_client),
            enforce_first_as: own.enforce_first_as.or(theirs.enforce_first_as),
            route_reflector_client: own.route_reflector_client.or(theirs.route_reflector_client),
            // The other times of a group go with its hold time.
            keepalive: own
                .keepalive
                .or(theirs.keepalive.filter(|_| own.hold.is_none())),
            hold: own.hold.or(theirs.hold),
            send_hold: own
                .send_hold
                .or(theirs.send_hold.filter(|_| own.hold.is_none())),
            connect_retry: own.connect_retry.or(theirs.connect_retry),
            bfd: match (own.bfd, theirs.bfd) {
                (Some(own), Some(theirs)) if own.enabled => Some(own.or(theirs)),
                (own, theirs) => own.or(theirs),
            },
            restart_time: own.restart_time.or(theirs
                .restart_time
                .filter(|_| own.graceful_restart.is_none_or(|it| it.value))),
            long_lived_time: own.long_lived_time.or(theirs
                .long_lived_time
                .filter(|_| own.graceful_restart.is_none_or(|it| it.value))),
            graceful_restart: own.graceful_restart.or(theirs.graceful_restart),
            families: PerFamily {
                ipv4_unicast: family(own.families.ipv4_unicast, theirs.families.ipv4_unicast),
                ipv6_unicast: family(own.families.ipv6_unicast, theirs.families.ipv6_unicast),
                evpn: family(own.families.evpn, theirs.families.evpn),
            },
        }
    }
}

/// `local_as` of a neighbour.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LocalAsTable {
    /// `asn`, or the number itself.
    pub asn: Option<At<Asn>>,
    /// `no_prepend`.
    pub no_prepend: Option<At<bool>>,
    /// `replace_as`.
    pub replace_as: Option<At<bool>>,
    /// `dual_as`.
    pub dual_as: Option<At<bool>>,
}

/// `update_source` of a neighbour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UpdateSource {
    /// This address.
    Address(IpAddr),
    /// The address of this interface.
    Interface(String),
}

pub(super) fn neighbor(table: &mut Table<'_, '_>) -> NeighborTable {
    let interface = table.get("interface", device);
    let address = match interface {
        Some(_) => table.get("address", |value| address(value, true)),
        None => table.require("address", "the neighbor's IP address", |value| {
            address(value, false)
        }),
    };
    let (address, interface) = match (address, interface) {
        (Some(At { value, span }), Some(interface)) if is_on(value, &interface.value) => {
            let zone = InterfaceName::new(&interface.value);
            (Some(At::new(ScopedAddr::new(value.ip(), zone), span)), None)
        }
        others => others,
    };
    let advertisement_interval = table.get(ADVERTISEMENT_INTERVAL, advertisement_interval);
    if let (None, Some(at)) = (&interface, advertisement_interval) {
        let conflict = Conflict::NoEffect {
            key: ADVERTISEMENT_INTERVAL,
            because: "without `interface` alone, on which the neighbor is looked for",
        };
        table.report().error(at.span, conflict);
    }
    NeighborTable {
        address,
        interface,
        advertisement_interval,
        settings: with_connecting(table, member),
    }
}

const ADVERTISEMENT_INTERVAL: &str = "router_advertisement_interval";

/// RFC 4861 §6.2.1 has at least four seconds; FRR takes less, and who waits for BGP may want it.
fn advertisement_interval(value: &DeValue<'_>) -> Reading<Duration> {
    whole_seconds(value, 1..=1800, "")
}

/// A link-local address that may be one on this interface.
fn is_on(address: ScopedAddr, interface: &str) -> bool {
    address.is_link_local() && address.zone().is_none_or(|zone| zone == interface)
}

/// An address of a neighbour: a link-local one with its interface, which may stand beside it.
pub(super) fn address(value: &DeValue<'_>, has_interface: bool) -> Reading<ScopedAddr> {
    let link_local = value
        .as_str()
        .and_then(|text| text.parse::<ScopedAddr>().ok())
        .filter(|address| address.is_link_local());
    match link_local {
        None => unicast_address(value).map(ScopedAddr::from),
        Some(address) if has_interface || address.zone().is_some() => Ok(address),
        Some(address) => {
            let expected = "an address with its interface, since it is a link-local one";
            Err(Rejection::from(expected).hint(format!(
                "write \"{address}%eth0\" with the interface towards the neighbor in place of eth0"
            )))
        }
    }
}

pub(super) fn peer_group(table: &mut Table<'_, '_>) -> PeerGroupTable {
    PeerGroupTable {
        name: table.require("name", "a name to refer to", name(63)),
        settings: SettingsTable {
            remote_as: table.get("remote_as", remote_as),
            ..with_connecting(table, settings)
        },
    }
}

pub(super) fn listen_range(table: &mut Table<'_, '_>) -> ListenRangeTable {
    ListenRangeTable {
        prefix: table.require("prefix", "the network neighbors connect from", range),
        limit: table.get("limit", number(1..=65_535)),
        settings: member(table),
    }
}

/// A network of hosts that can be beyond one link.
fn range(value: &DeValue<'_>) -> Reading<Prefix> {
    let v6 = value.as_str().is_some_and(|text| text.contains(':'));
    let family = match v6 {
        true => Family::Ipv6Unicast,
        false => Family::Ipv4Unicast,
    };
    let network = prefix(value, family)?;
    let link_local = match network.addr() {
        IpAddr::V4(_) => false,
        IpAddr::V6(address) => address.is_unicast_link_local(),
    };
    match link_local || network.addr().is_multicast() {
        true => Err("a network of addresses that hosts have beyond one link".into()),
        false => Ok(network),
    }
}

/// Settings of a neighbour, which may be in a group.
fn member(table: &mut Table<'_, '_>) -> SettingsTable {
    let peer_group = table.get("peer_group", reference);
    SettingsTable {
        remote_as: match peer_group {
            Some(_) => table.get("remote_as", remote_as),
            None => table.require("remote_as", "the neighbor's AS number", remote_as),
        },
        peer_group,
        ..settings(table)
    }
}

/// Settings with those of how we connect, which a neighbour that connects to us does not have.
fn with_connecting(
    table: &mut Table<'_, '_>,
    settings: fn(&mut Table<'_, '_>) -> SettingsTable,
) -> SettingsTable {
    SettingsTable {
        port: table.get("port", number(1..=65_535)),
        local_address: table.get("local_address", unicast_address),
        update_source: table.get("update_source", update_source),
        passive: table.get("passive", boolean),
        ..settings(table)
    }
}

fn settings(table: &mut Table<'_, '_>) -> SettingsTable {
    let mut settings = SettingsTable {
        local_as: local_as(table),
        description: table.get("description", name(80)),
        ttl_security: table.get("ttl_security", |value| {
            number(1..=254)(value).map_err(|rejection| {
                rejection.hint("1 when the neighbor is on the same link (RFC 5082)")
            })
        }),
        multihop: table.get("multihop", multihop),
        password: secret(
            table,
            "password",
            "both sides must have the same (RFC 2385)",
        ),
        tcp_ao: tcp_ao(table),
        role: table.get("role", keyword),
        whole_bandwidths: table.get("link_bandwidth_as_integer", boolean),
        graceful_shutdown: table.get("graceful_shutdown", boolean),
        aigp: table.get("aigp", boolean),
        discard_attributes: table.list("discard_attributes", attribute),
        withdraw_attributes: table.list("withdraw_attributes", attribute),
        fqdn: table.get("fqdn", boolean),
        capabilities: table.get("capabilities", boolean),
        software_version: table.get("software_version", keyword),
        role_strict: table.get("role_strict", boolean),
        route_server_client: table.get("route_server_client", boolean),
        enforce_first_as: table.get("enforce_first_as", boolean),
        route_reflector_client: table.get("route_reflector_client", boolean),
        bfd: bfd::of_neighbor(table),
        ..SettingsTable::default()
    };
    table.table("timers", "timers", |table| {
        settings.keepalive = table.get("keepalive", |value| whole_seconds(value, 1..=21_845, ""));
        settings.hold = table.get("hold", hold_time);
        settings.send_hold = table.get("send_hold", |value| whole_seconds(value, 3..=65_535, ""));
        settings.connect_retry = table.get("connect_retry", duration(SECOND..=HOUR));
    });
    if let Some(At { value, span }) = table.get("shutdown", shutdown) {
        settings.shutdown = Some(At::new(value.is_some(), span));
        settings.shutdown_text = value.filter(|text| !text.is_empty());
    }
    restart(table, &mut settings);
    for family in Family::ALL {
        *settings.families.get_mut(family) = family_table(table, family);
    }
    settings
}

/// Type code of a path attribute that a route can be without.
fn attribute(value: &DeValue<'_>) -> Reading<u8> {
    let expected = "the type code of a path attribute, a number from 1 to 255";
    match number(1..=255)(value) {
        Ok(code) if Unwanted::is_needed(code) => Err(Rejection::from(format!(
            "{expected}, but none of 1, 2, 3, 4, 14, 15 and 16, which every route may need"
        ))),
        Ok(code) => Ok(code),
        Err(_) => Err(Rejection::from(expected)),
    }
}

/// `None` for false, the text for the neighbour's operator, or an empty one for true. RFC 9003 §2
/// has room for 255 octets.
fn shutdown(value: &DeValue<'_>) -> Reading<Option<String>> {
    let fits =
        |text: &&str| (1..=255).contains(&text.len()) && !text.chars().any(char::is_control);
    match (value.as_bool(), value.as_str().filter(fits)) {
        (Some(on), _) => Ok(on.then(String::new)),
        (None, Some(text)) => Ok(Some(text.to_owned())),
        (None, None) => Err(Rejection::from(
            "true, false or a text of 1 to 255 octets on one line",
        )
        .hint("the text tells the neighbor's operator why (RFC 9003)")),
    }
}

/// A number, or a word for many.
fn remote_as(value: &DeValue<'_>) -> Reading<RemoteAs> {
    match value.as_str() {
        Some("external") => Ok(RemoteAs::External),
        Some("internal") => Ok(RemoteAs::Internal),
        Some("auto") => Ok(RemoteAs::Auto),
        _ => asn(value)
            .map(RemoteAs::Exact)
            .map_err(|rejection| Rejection {
                expected: format!(
                    "{}, \"external\", \"internal\" or \"auto\"",
                    rejection.expected
                ),
                ..rejection
            }),
    }
}

/// A number, or a table with more.
fn local_as(table: &mut Table<'_, '_>) -> Option<At<LocalAsTable>> {
    const KEY: &str = "local_as";
    let value = table.raw(KEY)?;
    if value.get_ref().is_table() {
        return read::table(table.report(), KEY, KEY, value, |table| LocalAsTable {
            asn: table.require("asn", "an AS number", asn),
            no_prepend: table.get("no_prepend", boolean),
            replace_as: table.get("replace_as", boolean),
            dual_as: table.get("dual_as", boolean),
        });
    }
    let asn = read::reading(table.report(), KEY, value, asn)?;
    let alone = LocalAsTable {
        asn: Some(asn),
        ..LocalAsTable::default()
    };
    Some(At::new(alone, asn.span))
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
pub(super) enum Switch<T> {
    Bool(At<bool>),
    Table(At<T>),
}

pub(super) fn switch<T>(
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

fn restart(table: &mut Table<'_, '_>, settings: &mut SettingsTable) {
    match switch(table, "graceful_restart", |table| {
        let long_lived = table.get("long_lived_time", long_lived_time);
        (table.get("restart_time", restart_time), long_lived)
    }) {
        Some(Switch::Bool(enabled)) => settings.graceful_restart = Some(enabled),
        Some(Switch::Table(times)) => {
            settings.graceful_restart = Some(At::new(true, times.span));
            (settings.restart_time, settings.long_lived_time) = times.value;
        }
        None => {}
    }
}
