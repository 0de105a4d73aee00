//! `match` of an entry of a route-map.

use std::ops::RangeInclusive;
use std::sync::Arc;

use bgp::evpn_route::{MacAddress, RouteDistinguisher};
use bgp::policy::{Communities, Extent, Kind, Match};
use bgp::{InterfaceName, Vni};

use crate::config::error::{At, Conflict, Problem, Span};
use crate::config::file::{asn, reference, source};
use crate::config::read::{self, Reading, Table, boolean, device, keyword, number, text};

use toml::de::DeValue;

use super::sets::only_true;
use super::*;

pub(super) fn matches(table: &mut Table<'_, '_>) -> Vec<At<MatchItem>> {
    let mut items = Vec::new();
    named(table, "prefix_list", ListSubject::Prefix, &mut items);
    let v4 = table.get("ipv4_prefix_length", number(0..=32));
    items.extend(plain(v4, |length| Match::PrefixLength {
        v6: false,
        length,
    }));
    let v6 = table.get("ipv6_prefix_length", number(0..=128));
    items.extend(plain(v6, |length| Match::PrefixLength { v6: true, length }));
    if let Some(At { value, span }) = table.get("next_hop", reference) {
        next_hop(value, span, table.report(), &mut items);
    }
    let addresses = table.get("next_hop_address", |value| {
        list_of(value, "an IP address like \"10.10.0.2\" or a list of them")
    });
    items.extend(plain(addresses, Match::NextHopAddress));
    let peers = table.get("peer", |value| {
        list_of(
            value,
            "a neighbor's address like \"10.10.0.2\" or a list of them",
        )
    });
    items.extend(plain(peers, Match::Peer));
    let senders = table.get("sender", |value| {
        list_of(
            value,
            "a neighbor's address like \"10.10.0.2\" or a list of them",
        )
    });
    items.extend(plain(senders, Match::Sender));
    named(table, "peer_list", ListSubject::Peer, &mut items);
    named(table, "as_path_list", ListSubject::AsPath, &mut items);
    items.extend(plain(
        table.get("as_path_contains", asn),
        Match::AsPathContains,
    ));
    as_path_length(table, &mut items);
    of_kind(table, &STANDARD, &mut items, |communities, extent| {
        Match::Community {
            communities,
            extent,
        }
    });
    of_kind(table, &LARGE, &mut items, |communities, extent| {
        Match::LargeCommunity {
            communities,
            extent,
        }
    });
    of_kind(table, &EXTENDED, &mut items, |communities, extent| {
        Match::ExtendedCommunity {
            communities,
            extent,
        }
    });
    items.extend(plain(
        table.get("local_preference", number(U32)),
        Match::LocalPref,
    ));
    items.extend(plain(table.get("metric", number(U32)), Match::Metric));
    let tag = table.get("tag", number(U32));
    items.extend(plain(tag, Match::Tag));
    let sources = table.get("source", |value| one_or_more(value, source));
    items.extend(plain(sources, Match::Source));
    let interfaces = table.get("interface", |value| one_or_more(value, interface));
    items.extend(plain(interfaces, Match::Interface));
    let source_vrf = table.get("source_vrf", |value| {
        interface(value).map(|name| Arc::from(name.as_str()))
    });
    items.extend(plain(source_vrf, Match::SourceVrf));
    items.extend(plain(table.get("origin", keyword), Match::Origin));
    items.extend(plain(table.get("family", keyword), Match::Family));
    let route_type = table.get("evpn_route_type", number(1..=255));
    items.extend(plain(route_type, Match::EvpnRouteType));
    let vni = table.get("vni", |value| {
        let vni = number(1..=0xff_ffff)(value)?;
        Vni::new(vni).ok_or_else(|| "a VNI".into())
    });
    items.extend(plain(vni, Match::Vni));
    let rd = table.get(
        "rd",
        text("a route distinguisher like \"10.10.0.1:100\"", |text| {
            text.parse::<RouteDistinguisher>().ok()
        }),
    );
    items.extend(plain(rd, Match::Rd));
    let macs = table.get("mac", |value| {
        let expected = "a MAC address like \"02:00:00:00:00:01\" or a list of them";
        list_of::<MacAddress>(value, expected)
    });
    items.extend(plain(macs, Match::Mac));
    named(table, "mac_list", ListSubject::Mac, &mut items);
    items.extend(plain(table.get("local", only_true), |()| Match::Local));
    items.extend(plain(table.get("rpki", keyword), Match::Rpki));
    for (key, because, hint) in [
        (
            "weight",
            "a weight is for the decision alone",
            "match what it was set by, or set a tag beside it",
        ),
        (
            "peer_group",
            "a group is settings in common and no party to a route",
            "match peer = [..] with their addresses, or give the group a map of its own",
        ),
        (
            "source_protocol",
            "it is called `source` here",
            "write source = \"static\", \"connected\" or the like",
        ),
    ] {
        table.unsupported(key, because, hint);
    }
    items
}

fn named(
    table: &mut Table<'_, '_>,
    key: &'static str,
    subject: ListSubject,
    items: &mut Vec<At<MatchItem>>,
) {
    if let Some(name) = table.get(key, reference) {
        let item = MatchItem::List {
            subject,
            name: name.value,
            extent: Extent::All,
        };
        items.push(At::new(item, name.span));
    }
}

/// A list by its name. An address in its place is what other daemons take there.
fn next_hop(name: String, span: Span, report: &mut Report, items: &mut Vec<At<MatchItem>>) {
    if name.parse::<std::net::IpAddr>().is_ok() {
        let hint = format!("write next_hop_address = \"{name}\"");
        let problem = Problem::value(
            "next_hop",
            format!("\"{name}\""),
            "the name of a prefix_list",
        );
        report.error_with_hint(span, problem, hint);
        return;
    }
    let item = MatchItem::List {
        subject: ListSubject::NextHop,
        name,
        extent: Extent::All,
    };
    items.push(At::new(item, span));
}

fn plain<T>(value: Option<At<T>>, condition: impl FnOnce(T) -> Match) -> Option<At<MatchItem>> {
    value.map(|At { value, span }| At::new(MatchItem::Plain(condition(value)), span))
}

fn interface(value: &DeValue<'_>) -> Reading<InterfaceName> {
    let name = device(value)?;
    InterfaceName::new(&name).ok_or_else(|| "a device name of 1 to 15 characters".into())
}

/// One value, or the values of a list; at least one.
fn one_or_more<T>(
    value: &DeValue<'_>,
    read: impl Fn(&DeValue<'_>) -> Reading<T>,
) -> Reading<Vec<T>> {
    match value.as_array() {
        Some(items) if items.is_empty() => Err("at least one".into()),
        Some(items) => items.iter().map(|item| read(item.get_ref())).collect(),
        None => read(value).map(|one| vec![one]),
    }
}

fn as_path_length(table: &mut Table<'_, '_>, items: &mut Vec<At<MatchItem>>) {
    const LENGTH: RangeInclusive<i64> = 0..=65_535;
    const KEY: &str = "as_path_length";
    let Some(value) = table.raw(KEY) else {
        return;
    };
    let report = table.report();
    if !value.get_ref().is_table() {
        let length = read::reading(report, KEY, value, |value| {
            number::<u16>(LENGTH)(value)
                .map_err(|_| "a number from 0 to 65535 or a table of min and max".into())
        });
        let exactly = |length| Match::AsPathLength {
            min: length,
            max: length,
        };
        items.extend(plain(length, exactly));
        return;
    }
    let bounds = read::table(report, KEY, KEY, value, |table| {
        let (min, max) = (
            table.get("min", number::<u16>(LENGTH)),
            table.get("max", number::<u16>(LENGTH)),
        );
        if let (Some(min), Some(max)) = (min, max)
            && min.value > max.value
        {
            let expected = format!("at least `min`, {}", min.value);
            let problem = Problem::value("max", max.value, expected);
            table.report().error(max.span, problem);
        }
        if !table.has("min") && !table.has("max") {
            table.missing("min", "the shortest length, or `max`, or both");
        }
        Match::AsPathLength {
            min: min.map_or(0, |min| min.value),
            max: max.map_or(u16::MAX, |max| max.value),
        }
    });
    items.extend(plain(bounds, |bounds| bounds));
}

/// Conditions about one kind of community.
fn of_kind<C: Kind>(
    table: &mut Table<'_, '_>,
    keys: &Keys,
    items: &mut Vec<At<MatchItem>>,
    condition: impl FnOnce(Communities<C>, Extent) -> Match,
) {
    let exact = table.get(keys.exact, boolean).filter(|at| at.value);
    let any = table.get(keys.any, boolean).filter(|at| at.value);
    let extent = match (exact, any) {
        (Some(_), _) => Extent::Exact,
        (None, Some(_)) => Extent::Any,
        (None, None) => Extent::All,
    };
    let list = table.get(keys.list, reference);
    let literal = table.get(keys.literal, |value| communities(value, keys.expected));
    let wanted = list.is_some() || literal.is_some();
    for (key, at) in [(keys.exact, exact), (keys.any, any)] {
        let because = match (at, exact) {
            (Some(_), _) if !wanted => keys.because,
            (Some(at), Some(exact)) if at.span != exact.span => "beside an exact match",
            (Some(_) | None, _) => continue,
        };
        let span = at.map_or(Span::default(), |at| at.span);
        table
            .report()
            .error(span, Conflict::NoEffect { key, because });
    }
    items.extend(list.map(|name| {
        let item = MatchItem::List {
            subject: keys.subject,
            name: name.value,
            extent,
        };
        At::new(item, name.span)
    }));
    items.extend(plain(literal, |communities| {
        condition(Communities::Literal(communities), extent)
    }));
}
