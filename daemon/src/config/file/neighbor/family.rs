//! A family of a neighbour as it stands in a file: `ipv4_unicast`, `ipv6_unicast` or `evpn`.
//!
//! A table switches the family on, and `false` off where a group has it. Keys that mean nothing in
//! EVPN are refused there by name. A neighbour's table is filled up with that of its group key by
//! key ([`family()`]).
//!
//! Names of route-maps stay names here; what they stand for, and which keys do not go together with
//! what the neighbour is, is for [`accept()`](crate::config::accept()).

use std::num::NonZeroU8;
use std::time::Duration;

use bgp::attributes::Omitted;
use bgp::community::ExtendedCommunity;
use bgp::family::Family;
use bgp::rib::{OwnAs, PathsSent, PrivateAs};
use toml::de::DeValue;

use super::{Switch, switch};
use crate::config::error::{At, Conflict, Problem};
use crate::config::file::{DAY, SECOND, reference};
use crate::config::read::{self, Reading, Rejection, Table, boolean, duration, keyword, number};
use crate::config::types::{CommunityForm, NextHopRule, PrefixCount};

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
    /// `as_path_unchanged`.
    pub as_path_unchanged: Option<At<bool>>,
    /// `med_unchanged`.
    pub med_unchanged: Option<At<bool>>,
    /// `remove_private_as`; `true` is "plain".
    pub remove_private_as: Option<At<PrivateAs>>,
    /// `send_community`: what is left out.
    pub send_community: Option<At<Omitted>>,
    /// `site_of_origin`.
    pub site_of_origin: Option<At<ExtendedCommunity>>,
    /// `distance`.
    pub distance: Option<At<u8>>,
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

/// A family of a neighbour with what its group adds.
pub(super) fn family(
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
        as_path_unchanged: own.as_path_unchanged.or(group.as_path_unchanged),
        med_unchanged: own.med_unchanged.or(group.med_unchanged),
        remove_private_as: own.remove_private_as.or(group.remove_private_as),
        send_community: own.send_community.or(group.send_community),
        site_of_origin: own.site_of_origin.or(group.site_of_origin),
        distance: own.distance.or(group.distance),
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

pub(super) fn family_table(table: &mut Table<'_, '_>, family: Family) -> Option<At<FamilyTable>> {
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
        as_path_unchanged: table.get("as_path_unchanged", boolean),
        med_unchanged: table.get("med_unchanged", boolean),
        remove_private_as: table.get("remove_private_as", remove_private_as),
        send_community: send_community(table, family),
        site_of_origin: table.get("site_of_origin", site_of_origin),
        distance: distance(table, family),
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

/// What follows the word in a list of extended communities.
fn site_of_origin(value: &DeValue<'_>) -> Reading<ExtendedCommunity> {
    let text = value.as_str().map(|text| format!("soo {text}"));
    let all = text.and_then(|text| bgp::policy::communities(&text).ok());
    match all.as_deref() {
        Some([site]) => Ok(*site),
        Some(_) | None => Err("a site like \"65000:1\" or \"10.0.0.1:1\"".into()),
    }
}

/// What is forwarded by MAC address has no route in the kernel.
fn distance(table: &mut Table<'_, '_>, family: Family) -> Option<At<u8>> {
    const KEY: &str = "distance";
    if family == Family::Evpn {
        let because = "what is forwarded by MAC address has no distance";
        table.unsupported(KEY, because, "use it in ipv4_unicast or ipv6_unicast");
        return None;
    }
    table.get(KEY, number(1..=255))
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

/// How many paths of a prefix, or a word for some of them.
fn add_path_send(value: &DeValue<'_>) -> Reading<PathsSent> {
    match value.as_str() {
        Some("all") => return Ok(PathsSent::All),
        Some("best_per_as") => return Ok(PathsSent::BestPerAs),
        Some(_) | None => {}
    }
    number(1..=255)(value)
        .map(|count: u8| NonZeroU8::new(count).map_or(PathsSent::All, PathsSent::Best))
        .map_err(|rejection| Rejection {
            expected: format!("{}, \"all\" or \"best_per_as\"", rejection.expected),
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
