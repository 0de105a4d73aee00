//! `set` of an entry of a route-map.

use std::net::{IpAddr, Ipv4Addr};

use bgp::Asn;
use bgp::attributes::Aggregator;
use bgp::community::ExtendedCommunity;
use bgp::policy::{AsPathExclude, Communities, CommunityChange, Kind, NextHopChange, Number, Set};
use toml::de::DeValue;

use crate::config::error::{At, Conflict, Problem, Span};
use crate::config::file::{asn, is_reserved, reference, routing_table, unicast_address};
use crate::config::read::{self, Reading, Rejection, Table, boolean, keyword, number};

use super::*;

pub(super) fn sets(table: &mut Table<'_, '_>) -> Vec<At<SetItem>> {
    let mut items = Vec::new();
    let mut add = |span: Span, set: Set| items.push(At::new(SetItem::Plain(set), span));
    let metric = table.get("metric", |value| match value.as_str() {
        Some("aigp") => Ok(Set::MetricOfAigp),
        _ => adjustment(value)
            .map(Set::Metric)
            .map_err(|_| "a number from 0 to 4294967295, \"+N\", \"-N\" or \"aigp\"".into()),
    });
    if let Some(At { value, span }) = metric {
        add(span, value);
    }
    if let Some(At { value, span }) = table.get("local_preference", adjustment) {
        add(span, Set::LocalPref(value));
    }
    if let Some(At { value, span }) = table.get("weight", number(U32)) {
        add(span, Set::Weight(value));
    }
    if let Some(At { value, span }) = table.get("tag", number(U32)) {
        add(span, Set::Tag(value));
    }
    if let Some(At { value, span }) = table.get("distance", number(1..=255)) {
        add(span, Set::Distance(value));
    }
    if let Some(At { value, span }) = table.get("table", routing_table) {
        add(span, Set::Table(value));
    }
    if let Some(At { value, span }) = table.get("src", unicast_address) {
        add(span, Set::Src(value));
    }
    if let Some(At { span, .. }) = table.get("blackhole", only_true) {
        add(span, Set::Blackhole);
    }
    if let Some(At { value, span }) = table.get("origin", keyword) {
        add(span, Set::Origin(value));
    }
    if let Some(At { value, span }) = table.get("as_path_exclude", |value| match value.as_str() {
        Some("all") => Ok(AsPathExclude::All),
        _ => as_path(value)
            .map(AsPathExclude::These)
            .map_err(|rejection| format!("\"all\" or {}", rejection.expected).into()),
    }) {
        add(span, Set::AsPathExclude(value));
    }
    if let Some(At { value, span }) = table.get("as_path_prepend_last", number(1..=LONGEST)) {
        add(span, Set::AsPathPrependLast(value));
    }
    if let Some(At { value, span }) = table.get("as_path_prepend", prepended) {
        add(span, Set::AsPathPrepend(value));
    }
    if let Some(At { value, span }) = table.get("next_hop", next_hop) {
        add(span, Set::NextHop(value));
    }
    if let Some(At { span, .. }) = table.get("atomic_aggregate", only_true) {
        add(span, Set::AtomicAggregate);
    }
    if let Some(At { value, span }) = table.get("originator_id", address) {
        add(span, Set::OriginatorId(value));
    }
    let aigp = table.get("aigp", |value| match value.as_str() {
        Some("metric") => Ok(Set::AigpOfMetric),
        _ => number(U32)(value)
            .map(Set::Aigp)
            .map_err(|it| format!("{} or \"metric\"", it.expected).into()),
    });
    if let Some(At { value, span }) = aigp {
        add(span, value);
    }
    let aggregator = table.table("aggregator", "aggregator", |table| {
        let asn = table.require("asn", "an AS number", asn);
        let router_id = table.require("address", "an IPv4 address", address);
        Some(Aggregator {
            asn: asn?.value,
            router_id: router_id?.value,
        })
    });
    if let Some(At {
        value: Some(value),
        span,
    }) = aggregator
    {
        add(span, Set::Aggregator(value));
    }
    if let Some(At { value, span }) = table.get("as_path_exclude_list", reference) {
        items.push(At::new(SetItem::ExcludeList(value), span));
    }
    as_path_replace(table, &mut items);
    change_of_kind(table, &STANDARD, &mut items, Set::Community, |_, _| ());
    change_of_kind(table, &LARGE, &mut items, Set::LargeCommunity, |_, _| ());
    change_of_kind(
        table,
        &EXTENDED,
        &mut items,
        Set::ExtendedCommunity,
        of_value,
    );
    items
}

pub(super) fn only_true(value: &DeValue<'_>) -> Reading<()> {
    match value.as_bool() {
        Some(true) => Ok(()),
        Some(false) | None => {
            let rejection = Rejection::from("true");
            Err(rejection.hint("it can be set and not be taken away: leave the key out"))
        }
    }
}

fn next_hop(value: &DeValue<'_>) -> Reading<NextHopChange> {
    match value.as_str() {
        Some("self") => Ok(NextHopChange::Myself),
        Some("peer_address") => Ok(NextHopChange::PeerAddress),
        Some("unchanged") => Ok(NextHopChange::Unchanged),
        Some(_) | None => {
            let expected =
                "an IP address of one host, \"self\", \"peer_address\" or \"unchanged\"";
            unicast_address(value)
                .map(NextHopChange::Address)
                .map_err(|_| expected.into())
        }
    }
}

fn address(value: &DeValue<'_>) -> Reading<Ipv4Addr> {
    match unicast_address(value) {
        Ok(IpAddr::V4(address)) => Ok(address),
        Ok(IpAddr::V6(_)) | Err(_) => Err("an IPv4 address like \"10.10.0.1\"".into()),
    }
}

fn as_path_replace(table: &mut Table<'_, '_>, items: &mut Vec<At<SetItem>>) {
    const KEY: &str = "as_path_replace";
    let replace = table.table(KEY, KEY, |table| {
        let expected = "\"any\" or AS numbers";
        let asns = table.require("asns", expected, |value| match value.as_str() {
            Some("any") => Ok(None),
            _ => as_path(value)
                .map(Some)
                .map_err(|rejection| format!("\"any\" or {}", rejection.expected).into()),
        });
        Some(SetItem::AsPathReplace {
            with: table.get("with", asn).map(|at| at.value),
            asns: asns?.value,
        })
    });
    if let Some(At { value, span }) = replace {
        items.extend(value.map(|item| At::new(item, span)));
    }
}

/// A list replaces, `"none"` removes all, a table replaces, removes and adds, in this order.
/// `more` reads what else the table may have.
fn change_of_kind<C: Kind>(
    table: &mut Table<'_, '_>,
    keys: &Keys,
    items: &mut Vec<At<SetItem>>,
    set: impl Fn(CommunityChange<C>) -> Set,
    more: impl FnOnce(&mut Table<'_, '_>, &mut Vec<At<SetItem>>),
) {
    let Some(value) = table.raw(keys.literal) else {
        return;
    };
    let report = table.report();
    let plain = |change, span| At::new(SetItem::Plain(set(change)), span);
    if !value.get_ref().is_table() {
        let change = read::reading(report, keys.literal, value, |value| match value.as_str() {
            Some("none") => Ok(CommunityChange::Clear),
            Some(_) | None => communities(value, "")
                .map(CommunityChange::Replace)
                .map_err(|_| format!("\"none\", a table or {}", keys.expected).into()),
        });
        items.extend(change.map(|At { value, span }| plain(value, span)));
        return;
    }
    let (before, clean) = (items.len(), report.count());
    read::table(report, keys.literal, keys.literal, value, |table| {
        let mut change = |key, make: fn(Vec<C>) -> CommunityChange<C>| {
            let value = table.get(key, |value| communities(value, keys.expected))?;
            Some(plain(make(value.value), value.span))
        };
        items.extend(change("replace", CommunityChange::Replace));
        items.extend(change("delete", |named| {
            CommunityChange::Delete(Communities::Literal(named))
        }));
        items.extend(change("add", CommunityChange::Add));
        if let Some(At { value, span }) = table.get("delete_list", reference) {
            let (subject, name) = (keys.subject, value);
            items.push(At::new(SetItem::DeleteList { subject, name }, span));
        }
        more(table, items);
    });
    if items.len() == before && report.count() == clean {
        let expected = "a table with at least one change, like { add = [..] }";
        let problem = Problem::value(keys.literal, "an empty table", expected);
        report.error(value.span().into(), problem);
    }
}

/// Extended communities that are set by what they say.
fn of_value(table: &mut Table<'_, '_>, items: &mut Vec<At<SetItem>>) {
    const EXPECTED: &str = "a value or a list of them, like [\"65000:100\"]";
    let targets = |value: &DeValue<'_>| list_of::<ExtendedCommunity>(value, EXPECTED);
    if let Some(At { value, span }) = table.get("rt", targets) {
        items.push(At::new(SetItem::Plain(Set::RouteTargets(value)), span));
    }
    if let Some(At { value, span }) = table.get("soo", targets) {
        items.push(At::new(SetItem::Plain(Set::SitesOfOrigin(value)), span));
    }
    let transitive = table.get("bandwidth_transitive", boolean);
    match (table.get("bandwidth", amount), transitive) {
        (Some(At { value, span }), transitive) => {
            let bandwidth = SetItem::Bandwidth {
                amount: value,
                transitive: transitive.is_none_or(|at| at.value),
            };
            items.push(At::new(bandwidth, span));
        }
        (None, Some(At { span, .. })) => {
            let problem = Conflict::NoEffect {
                key: "bandwidth_transitive",
                because: "without `bandwidth`",
            };
            table.report().error(span, problem);
        }
        (None, None) => {}
    }
}

/// A number of megabits, or a word for what the paths have that forward together.
fn amount(value: &DeValue<'_>) -> Reading<BandwidthAmount> {
    match value.as_str() {
        Some("paths") => Ok(BandwidthAmount::Paths),
        Some("sum") => Ok(BandwidthAmount::Sum),
        Some(_) | None => number(1..=U32_MAX)(value)
            .map(BandwidthAmount::Mbit)
            .map_err(|_| "a number from 1 to 4294967295, \"paths\" or \"sum\"".into()),
    }
}

/// `100` replaces, `"+10"` adds, `"-10"` subtracts.
fn adjustment(value: &DeValue<'_>) -> Reading<Number> {
    let signed = value.as_str().and_then(|text| {
        let digits = |digits: &str| {
            let all = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
            all.then(|| digits.parse::<u32>().ok()).flatten()
        };
        match text.split_at_checked(1)? {
            ("+", rest) => digits(rest).map(Number::Add),
            ("-", rest) => digits(rest).map(Number::Sub),
            _ => None,
        }
    });
    let plain = || read::integer(value).and_then(|number| u32::try_from(number).ok());
    signed
        .or_else(|| plain().map(Number::Replace))
        .ok_or_else(|| "a number from 0 to 4294967295, or \"+N\" or \"-N\"".into())
}

/// Most numbers of a path in one change.
const LONGEST: i64 = 32;

/// Numbers in a list or separated by spaces in a text.
fn as_path(value: &DeValue<'_>) -> Reading<Vec<Asn>> {
    let numbers: Option<Vec<Asn>> = match (value.as_str(), value.as_array()) {
        (Some(text), _) => text
            .split_whitespace()
            .map(|word| word.parse().ok())
            .collect(),
        (None, Some(items)) => items.iter().map(|item| asn(item.get_ref()).ok()).collect(),
        (None, None) => asn(value).ok().map(|asn| vec![asn]),
    };
    numbers
        .filter(|numbers| (1..=LONGEST).contains(&i64::try_from(numbers.len()).unwrap_or(0)))
        .filter(|numbers| !numbers.contains(&Asn(0)))
        .ok_or_else(|| format!("1 to {LONGEST} AS numbers like \"65001 65001\"").into())
}

/// The same where we put them into paths, in which others would take a reserved one for an error.
fn prepended(value: &DeValue<'_>) -> Reading<Vec<Asn>> {
    let numbers = as_path(value)?;
    match numbers.iter().any(|asn| is_reserved(*asn)) {
        true => Err("AS numbers none of which is reserved (RFC 6793 §9, RFC 7300)".into()),
        false => Ok(numbers),
    }
}
