//! `[[neighbor]]` as it stands in a file.

use std::net::IpAddr;
use std::num::NonZeroU8;
use std::time::Duration;

use bgp::attributes::Omitted;
use bgp::family::{Family, PerFamily};
use bgp::message::Role;
use bgp::rib::{OwnAs, PathsSent, PrivateAs};
use bgp::session::RemoteAs;
use bgp::{Asn, Prefix};
use toml::de::DeValue;

use super::{
    DAY, HOUR, SECOND, asn, long_lived_time, prefix, reference, restart_time, unicast_address,
    whole_seconds,
};
use crate::config::error::{At, Conflict, Problem, Span};
use crate::config::read::{
    self, Reading, Rejection, Table, boolean, device, duration, keyword, name, number,
};
use crate::config::types::{AoAlgorithm, CommunityForm, NextHopRule, Password, PrefixCount};

/// `[[neighbor]]`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct NeighborTable {
    /// `address`.
    pub address: Option<At<IpAddr>>,
    /// `interface`, in place of an address.
    pub interface: Option<At<String>>,
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
    /// `aigp`.
    pub aigp: Option<At<bool>>,
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
            aigp: own.aigp.or(theirs.aigp),
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
                (Some(own), Some(theirs)) if own.enabled => Some(BfdTable {
                    enabled: true,
                    interval: own.interval.or(theirs.interval),
                    multiplier: own.multiplier.or(theirs.multiplier),
                }),
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

/// A family of a neighbour with what its group adds.
fn family(
    own: Option<At<FamilyTable>>,
    group: Option<At<FamilyTable>>,
) -> Option<At<FamilyTable>> {
    let (own, group) = match (own, group) {
        (Some(own), Some(group)) if own.value.active && group.value.active => (own, group),
        (own, group) => return own.or(group),
    };
    let span = own.span;
    let (own, group) = (own.value, group.value);
    let table = FamilyTable {
        active: true,
        import: own.import.or(group.import),
        export: own.export.or(group.export),
        next_hop: own.next_hop.or(group.next_hop),
        default_originate: own.default_originate.or(group.default_originate),
        advertise_if: own.advertise_if.or(group.advertise_if),
        unsuppress: own.unsuppress.or(group.unsuppress),
        maximum_prefixes_out: own.maximum_prefixes_out.or(group.maximum_prefixes_out),
        allowas_in: own.allowas_in.or(group.allowas_in),
        as_override: own.as_override.or(group.as_override),
        remove_private_as: own.remove_private_as.or(group.remove_private_as),
        send_community: own.send_community.or(group.send_community),
        weight: own.weight.or(group.weight),
        honor_blackhole: own.honor_blackhole.or(group.honor_blackhole),
        add_path_receive: own.add_path_receive.or(group.add_path_receive),
        add_path_send: own.add_path_send.or(group.add_path_send),
        maximum_prefixes: own.maximum_prefixes.or(group.maximum_prefixes),
        route_reflector_client: own.route_reflector_client.or(group.route_reflector_client),
        route_server_client: own.route_server_client.or(group.route_server_client),
    };
    Some(At::new(table, span))
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

/// A key of `tcp_ao`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AoKeyTable {
    /// `id`.
    pub id: Option<At<u8>>,
    /// `recv_id`.
    pub recv_id: Option<At<u8>>,
    /// `secret`.
    pub secret: Option<At<Password>>,
    /// `algorithm`.
    pub algorithm: Option<At<AoAlgorithm>>,
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

/// `default_originate` of a neighbour.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DefaultTable {
    /// On or off; a table means on.
    pub enabled: bool,
    /// `route_map`.
    pub route_map: Option<At<String>>,
}

/// `advertise_if` of a neighbour.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct AdvertiseIfTable {
    /// `routes`.
    pub routes: Option<At<String>>,
    /// `exist`.
    pub exist: Option<At<String>>,
    /// `absent`.
    pub absent: Option<At<String>>,
}

/// A family of a neighbour.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FamilyTable {
    /// True for a table, which may be empty, and false for `false`.
    pub active: bool,
    /// `import`.
    pub import: Option<At<String>>,
    /// `export`.
    pub export: Option<At<String>>,
    /// `next_hop`.
    pub next_hop: Option<At<NextHopRule>>,
    /// `default_originate`.
    pub default_originate: Option<At<DefaultTable>>,
    /// `advertise_if`.
    pub advertise_if: Option<At<AdvertiseIfTable>>,
    /// `unsuppress`.
    pub unsuppress: Option<At<String>>,
    /// `maximum_prefixes_out`.
    pub maximum_prefixes_out: Option<At<u32>>,
    /// `allowas_in`.
    pub allowas_in: Option<At<OwnAs>>,
    /// `as_override`.
    pub as_override: Option<At<bool>>,
    /// `remove_private_as`; `true` is "plain".
    pub remove_private_as: Option<At<PrivateAs>>,
    /// `send_community`: what is left out.
    pub send_community: Option<At<Omitted>>,
    /// `weight`.
    pub weight: Option<At<u32>>,
    /// `honor_blackhole`.
    pub honor_blackhole: Option<At<bool>>,
    /// `add_path_receive`.
    pub add_path_receive: Option<At<bool>>,
    /// `add_path_send`.
    pub add_path_send: Option<At<PathsSent>>,
    /// `maximum_prefixes`.
    pub maximum_prefixes: Option<At<MaximumTable>>,
    /// `route_reflector_client`, in place of the neighbour's.
    pub route_reflector_client: Option<At<bool>>,
    /// `route_server_client`, in place of the neighbour's.
    pub route_server_client: Option<At<bool>>,
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
    let interface = table.get("interface", device);
    NeighborTable {
        address: match interface {
            Some(_) => table.get("address", unicast_address),
            None => table.require("address", "the neighbor's IP address", unicast_address),
        },
        interface,
        settings: with_connecting(table, member),
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
        aigp: table.get("aigp", boolean),
        role_strict: table.get("role_strict", boolean),
        route_server_client: table.get("route_server_client", boolean),
        enforce_first_as: table.get("enforce_first_as", boolean),
        route_reflector_client: table.get("route_reflector_client", boolean),
        bfd: bfd(table),
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

fn family_table(table: &mut Table<'_, '_>, family: Family) -> Option<At<FamilyTable>> {
    let read = switch(table, family.name(), |table| FamilyTable {
        active: true,
        import: table.get("import", reference),
        export: table.get("export", reference),
        next_hop: table.get("next_hop", keyword),
        default_originate: default_originate(table, family),
        advertise_if: advertise_if(table, family),
        unsuppress: unsuppress(table, family),
        maximum_prefixes_out: table.get("maximum_prefixes_out", number(1..=i64::from(u32::MAX))),
        allowas_in: table.get("allowas_in", allowas_in),
        as_override: table.get("as_override", boolean),
        remove_private_as: table.get("remove_private_as", remove_private_as),
        send_community: send_community(table, family),
        weight: table.get("weight", number(0..=i64::from(u32::MAX))),
        honor_blackhole: honor_blackhole(table, family),
        add_path_receive: table.get("add_path_receive", boolean),
        add_path_send: table.get("add_path_send", add_path_send),
        maximum_prefixes: maximum_prefixes(table),
        route_reflector_client: table.get("route_reflector_client", boolean),
        route_server_client: table.get("route_server_client", boolean),
    });
    Some(match read? {
        Switch::Table(family) => family,
        Switch::Bool(At { value, span }) => {
            let family = FamilyTable {
                active: value,
                ..FamilyTable::default()
            };
            At::new(family, span)
        }
    })
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
        _ => asn(value)
            .map(RemoteAs::Exact)
            .map_err(|rejection| Rejection {
                expected: format!("{}, \"external\" or \"internal\"", rejection.expected),
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

/// EVPN has no default route.
fn default_originate(table: &mut Table<'_, '_>, family: Family) -> Option<At<DefaultTable>> {
    const KEY: &str = "default_originate";
    if family == Family::Evpn {
        let because = "EVPN has no default route";
        table.unsupported(KEY, because, "use it in ipv4_unicast or ipv6_unicast");
        return None;
    }
    Some(
        match switch(table, KEY, |table| {
            let what = "the name of a route_map that some route has to pass";
            DefaultTable {
                enabled: true,
                route_map: table.require("route_map", what, reference),
            }
        })? {
            Switch::Bool(At { value, span }) => {
                let table = DefaultTable {
                    enabled: value,
                    route_map: None,
                };
                At::new(table, span)
            }
            Switch::Table(table) => table,
        },
    )
}

/// Prefixes come and go in unicast families; conditions on overlay routes have no use yet.
fn advertise_if(table: &mut Table<'_, '_>, family: Family) -> Option<At<AdvertiseIfTable>> {
    const KEY: &str = "advertise_if";
    if family == Family::Evpn {
        let because = "conditions are about IP prefixes";
        table.unsupported(KEY, because, "use it in ipv4_unicast or ipv6_unicast");
        return None;
    }
    let value = table.raw(KEY)?;
    let report = table.report();
    let read = read::table(report, KEY, KEY, value, |table| AdvertiseIfTable {
        routes: table.require(
            "routes",
            "the route_map of the routes it is about",
            reference,
        ),
        exist: table.get("exist", reference),
        absent: table.get("absent", reference),
    })?;
    let AdvertiseIfTable { exist, absent, .. } = &read.value;
    match (exist, absent) {
        (Some(_), None) | (None, Some(_)) => {}
        (Some(exist), Some(absent)) => {
            let conflict = Conflict::Together {
                one: "exist",
                two: "absent",
                first: report.place(exist.span),
            };
            report.error_with_hint(absent.span, conflict, "keep the one that is meant");
        }
        (None, None) => {
            let problem = Problem::Missing {
                key: "exist".to_owned(),
                table: KEY.to_owned(),
                expected: "the name of a route_map, or `absent` instead".to_owned(),
            };
            let hint = "exist: told while a route passes that map; absent: told while none does";
            report.error_with_hint(read.span, problem, hint);
        }
    }
    Some(read)
}

/// Aggregates are of IP prefixes.
fn unsuppress(table: &mut Table<'_, '_>, family: Family) -> Option<At<String>> {
    const KEY: &str = "unsuppress";
    if family == Family::Evpn {
        let because = "EVPN has no aggregates";
        table.unsupported(KEY, because, "use it in ipv4_unicast or ipv6_unicast");
        return None;
    }
    table.get(KEY, reference)
}

/// How often, or the word for paths that begin with us.
fn allowas_in(value: &DeValue<'_>) -> Reading<OwnAs> {
    if value.as_str() == Some("origin") {
        return Ok(OwnAs::Origin);
    }
    number(1..=10)(value)
        .map(OwnAs::Times)
        .map_err(|rejection| Rejection {
            expected: format!("{} or \"origin\"", rejection.expected),
            ..rejection
        })
}

/// How many paths of a prefix, or the word for all of them.
fn add_path_send(value: &DeValue<'_>) -> Reading<PathsSent> {
    if value.as_str() == Some("all") {
        return Ok(PathsSent::All);
    }
    number(1..=255)(value)
        .map(|count: u8| NonZeroU8::new(count).map_or(PathsSent::All, PathsSent::Best))
        .map_err(|rejection| Rejection {
            expected: format!("{} or \"all\"", rejection.expected),
            ..rejection
        })
}

/// A word, or `true` for the mildest one.
fn remove_private_as(value: &DeValue<'_>) -> Reading<PrivateAs> {
    match value.as_bool() {
        Some(true) => Ok(PrivateAs::Remove),
        Some(false) => Ok(PrivateAs::Keep),
        None => keyword(value).map_err(|rejection: Rejection| Rejection {
            expected: format!("true, false, {}", rejection.expected),
            ..rejection
        }),
    }
}

/// What is sent, as what is left out.
fn send_community(table: &mut Table<'_, '_>, family: Family) -> Option<At<Omitted>> {
    const KEY: &str = "send_community";
    let At { value, span } = table.list(KEY, keyword::<CommunityForm>)?;
    let sent = |form| value.iter().any(|at| at.value == form);
    let omitted = Omitted {
        standard: !sent(CommunityForm::Standard),
        extended: !sent(CommunityForm::Extended),
        large: !sent(CommunityForm::Large),
        ..Omitted::default()
    };
    if family == Family::Evpn && omitted.extended {
        let conflict = Conflict::EvpnTargets;
        let hint = "add \"extended\"";
        table.report().error_with_hint(span, conflict, hint);
    }
    Some(At::new(omitted, span))
}

/// A route that is dropped needs a prefix.
fn honor_blackhole(table: &mut Table<'_, '_>, family: Family) -> Option<At<bool>> {
    const KEY: &str = "honor_blackhole";
    if family == Family::Evpn {
        let because = "BLACKHOLE is about IP prefixes (RFC 7999)";
        table.unsupported(KEY, because, "use it in ipv4_unicast or ipv6_unicast");
        return None;
    }
    table.get(KEY, boolean)
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

/// At least one key. What stands in place of one may be a secret, so it is not shown either.
fn tcp_ao(table: &mut Table<'_, '_>) -> Option<At<Vec<At<AoKeyTable>>>> {
    const KEY: &str = "tcp_ao";
    let value = table.raw(KEY)?;
    let span = Span::from(value.span());
    let items = value.get_ref().as_array();
    let tables = |items: &&toml::de::DeArray<'_>| {
        !items.is_empty() && items.iter().all(|item| item.get_ref().is_table())
    };
    let Some(items) = items.filter(tables) else {
        let expected = "a list of one key or more";
        let problem = Problem::value(KEY, "something else", expected);
        let hint = "tcp_ao = [{ id = 1, secret = \"..\" }]";
        table.report().error_with_hint(span, problem, hint);
        return None;
    };
    let keys = items.iter().filter_map(|item| {
        read::table(table.report(), KEY, "a key of `tcp_ao`", item, |table| {
            AoKeyTable {
                id: table.require("id", "a number from 0 to 255", number(0..=255)),
                recv_id: table.get("recv_id", number(0..=255)),
                secret: {
                    if !table.has("secret") {
                        table.missing("secret", "what both sides know");
                    }
                    secret(table, "secret", "both sides must have the same (RFC 5925)")
                },
                algorithm: table.get("algorithm", keyword),
            }
        })
    });
    Some(At::new(keys.collect(), span))
}

/// Unlike other values, a secret that is refused is not shown.
fn secret(
    table: &mut Table<'_, '_>,
    key: &'static str,
    hint: &'static str,
) -> Option<At<Password>> {
    let value = table.raw(key)?;
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
    let problem = Problem::value(key, what, expected);
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

fn bfd(table: &mut Table<'_, '_>) -> Option<BfdTable> {
    const SHORTEST: Duration = Duration::from_millis(10);
    const LONGEST: Duration = Duration::from_secs(60);
    let bfd = switch(table, "bfd", |table| BfdTable {
        enabled: true,
        interval: table.get("interval", duration(SHORTEST..=LONGEST)),
        multiplier: table.get("multiplier", number(1..=255)),
    });
    Some(match bfd? {
        Switch::Bool(enabled) => BfdTable {
            enabled: enabled.value,
            ..BfdTable::default()
        },
        Switch::Table(bfd) => bfd.value,
    })
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
