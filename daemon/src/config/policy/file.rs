//! Lists and route-maps as they stand in a file: each value checked by itself, names still names.
//!
//! What others know under the same words and rbgpd does not do yet is refused by name, with what
//! to write instead: a key that were read and forgotten would be a policy that is not there.

use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;
use std::str::FromStr;

use bgp::attributes::Aggregator;
use bgp::community::{Community, ExtendedCommunity, LargeCommunity};
use bgp::evpn_route::{MacAddress, RouteDistinguisher};
use bgp::policy::{
    Action, AsPathExclude, AsPathRule, Communities, CommunityChange, CommunityRule, Extent, Kind,
    MacRule, Match, NextHopChange, Number, OnMatch, PrefixRule, RuleError, Set,
};
use bgp::{Asn, Vni};
use toml::de::DeValue;

use crate::config::error::{At, Conflict, Problem, Report, Span};
use crate::config::file::{asn, reference, unicast_address};
use crate::config::read::{
    self, Reading, Rejection, Table, Value, boolean, keyword, name, number, text,
};

/// Everything that has a name to refer to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PolicyTables {
    /// `[[prefix_list]]`.
    pub prefix_lists: Vec<At<ListTable<PrefixRule>>>,
    /// `[[community_list]]`.
    pub community_lists: Vec<At<ListTable<CommunityRule<Community>>>>,
    /// `[[large_community_list]]`.
    pub large_community_lists: Vec<At<ListTable<CommunityRule<LargeCommunity>>>>,
    /// `[[extended_community_list]]`.
    pub extended_community_lists: Vec<At<ListTable<CommunityRule<ExtendedCommunity>>>>,
    /// `[[as_path_list]]`.
    pub as_path_lists: Vec<At<ListTable<AsPathRule>>>,
    /// `[[mac_list]]`.
    pub mac_lists: Vec<At<ListTable<MacRule>>>,
    /// `[[route_map]]`.
    pub route_maps: Vec<At<RouteMapTable>>,
}

/// A list of any kind.
#[derive(Debug, Clone, PartialEq)]
pub struct ListTable<R> {
    /// `name`.
    pub name: Option<At<String>>,
    /// `description`.
    pub description: Option<At<String>>,
    /// `rules`.
    pub rules: Vec<At<R>>,
}

/// `[[route_map]]`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RouteMapTable {
    /// `name`.
    pub name: Option<At<String>>,
    /// `entry`.
    pub entries: Vec<At<EntryTable>>,
}

/// `entry` of a route-map.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct EntryTable {
    /// `seq`.
    pub seq: Option<At<u32>>,
    /// `description`.
    pub description: Option<At<String>>,
    /// `action`.
    pub action: Option<At<Action>>,
    /// `match`.
    pub matches: Vec<At<MatchItem>>,
    /// `set`.
    pub sets: Vec<At<SetItem>>,
    /// `call`.
    pub call: Option<At<String>>,
    /// `on_match`.
    pub on_match: Option<At<OnMatch>>,
}

/// A condition that may name a list.
#[derive(Debug, Clone, PartialEq)]
pub enum MatchItem {
    /// Complete as it is.
    Plain(Match),
    /// The list permits what the condition is about.
    List {
        /// What it is about.
        subject: ListSubject,
        /// Name of the list.
        name: String,
        /// How much of its communities must be there.
        extent: Extent,
    },
}

/// What a named list is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListSubject {
    /// `prefix_list`.
    Prefix,
    /// `next_hop`.
    NextHop,
    /// `as_path_list`.
    AsPath,
    /// `community_list`.
    Community,
    /// `large_community_list`.
    LargeCommunity,
    /// `extended_community_list`.
    ExtendedCommunity,
    /// `mac_list`.
    Mac,
}

/// A change that may name a list, or ask for our own AS number.
#[derive(Debug, Clone, PartialEq)]
pub enum SetItem {
    /// Complete as it is.
    Plain(Set),
    /// `delete_list` of communities of a kind.
    DeleteList {
        /// Which kind.
        subject: ListSubject,
        /// Name of the list.
        name: String,
    },
    /// `as_path_exclude_list`.
    ExcludeList(String),
    /// `as_path_replace`.
    AsPathReplace {
        /// `asns`; `None` is any.
        asns: Option<Vec<Asn>>,
        /// `with`; our own AS number without it.
        with: Option<Asn>,
    },
    /// `bandwidth`.
    Bandwidth {
        /// Megabits a second.
        mbit_s: u32,
        /// `bandwidth_transitive`.
        transitive: bool,
    },
}

/// Reads all lists and route-maps of a file.
pub(in crate::config) fn read(top: &mut Table<'_, '_>) -> PolicyTables {
    PolicyTables {
        prefix_lists: top.tables("prefix_list", "[[prefix_list]]", |table| {
            list(table, PREFIX, str::parse)
        }),
        community_lists: top.tables("community_list", "[[community_list]]", |table| {
            community_list(table, "permit 65001:100")
        }),
        large_community_lists: top.tables(
            "large_community_list",
            "[[large_community_list]]",
            |table| community_list(table, "permit 65001:1:2"),
        ),
        extended_community_lists: top.tables(
            "extended_community_list",
            "[[extended_community_list]]",
            |table| community_list(table, "permit rt 65000:100"),
        ),
        as_path_lists: top.tables("as_path_list", "[[as_path_list]]", |table| {
            list(table, "permit ^65001_", str::parse)
        }),
        mac_lists: top.tables("mac_list", "[[mac_list]]", |table| {
            list(table, "permit 02:00:00:00:00:01", str::parse)
        }),
        route_maps: top.tables("route_map", "[[route_map]]", route_map),
    }
}

const PREFIX: &str = "permit 10.0.0.0/8 le 24";

/// Longest description of a list or an entry.
const DESCRIPTION: usize = 200;

fn list<R>(
    table: &mut Table<'_, '_>,
    example: &'static str,
    parse: impl Fn(&str) -> Result<R, RuleError>,
) -> ListTable<R> {
    let name = table.require("name", "a name", name(63));
    let description = table.get("description", read::name(DESCRIPTION));
    let mut rules = Vec::new();
    if let Some(value) = table.raw("rules") {
        let report = table.report();
        let items = read::array(report, "rules", value);
        if items.is_some_and(|items| items.is_empty()) {
            let problem = Problem::value("rules", "an empty list", "at least one rule");
            report.error(value.span().into(), problem);
        }
        for item in items.into_iter().flatten() {
            rules.extend(rule(report, item, example, &parse));
        }
    } else {
        table.missing("rules", &format!("a list of rules like \"{example}\""));
    }
    ListTable {
        name,
        description,
        rules,
    }
}

fn community_list<C>(
    table: &mut Table<'_, '_>,
    example: &'static str,
) -> ListTable<CommunityRule<C>>
where
    C: Kind,
{
    match table.get("expanded", boolean) {
        Some(At { value: true, .. }) => list(table, "permit ^65001:.*$", CommunityRule::expanded),
        Some(_) | None => list(table, example, str::parse),
    }
}

fn rule<R>(
    report: &mut Report,
    item: &Value<'_>,
    example: &'static str,
    parse: impl Fn(&str) -> Result<R, RuleError>,
) -> Option<At<R>> {
    let text = read::reading(report, "rules", item, |value| {
        let text = value.as_str().map(str::to_owned);
        text.ok_or_else(|| format!("a text like \"{example}\"").into())
    })?;
    match parse(&text.value) {
        Ok(rule) => Some(At::new(rule, text.span)),
        Err(error) => {
            report.error(text.span, error);
            None
        }
    }
}

fn route_map(table: &mut Table<'_, '_>) -> RouteMapTable {
    let route_map = RouteMapTable {
        name: table.require("name", "a name", name(63)),
        entries: table.tables("entry", "entry", entry),
    };
    if route_map.entries.is_empty() && table.raw("entry").is_none() {
        table.missing(
            "entry",
            "a list of entries; without any it refuses every route",
        );
    }
    route_map
}

fn entry(table: &mut Table<'_, '_>) -> EntryTable {
    let seq = table.require("seq", "a sequence number", number(1..=U32_MAX));
    let action = table.require("action", "\"permit\" or \"deny\"", |value| {
        match value.as_str() {
            Some("permit") => Ok(Action::Permit),
            Some("deny") => Ok(Action::Deny),
            _ => Err("\"permit\" or \"deny\"".into()),
        }
    });
    EntryTable {
        seq,
        description: table.get("description", name(DESCRIPTION)),
        action,
        matches: table
            .table("match", "match", matches)
            .map_or(Vec::new(), |list| list.value),
        sets: table
            .table("set", "set", sets)
            .map_or(Vec::new(), |list| list.value),
        call: table.get("call", reference),
        on_match: table.get("on_match", |value| match value.as_str() {
            Some("next") => Ok(OnMatch::Next),
            Some("exit") => Ok(OnMatch::Exit),
            _ => number(1..=U32_MAX)(value)
                .map(OnMatch::Goto)
                .map_err(|_| "\"next\", \"exit\" or the number of a later entry".into()),
        }),
    }
}

const U32_MAX: i64 = 0xffff_ffff;
const U32: RangeInclusive<i64> = 0..=U32_MAX;

fn matches(table: &mut Table<'_, '_>) -> Vec<At<MatchItem>> {
    let mut items = Vec::new();
    named(table, "prefix_list", ListSubject::Prefix, &mut items);
    named(table, "next_hop", ListSubject::NextHop, &mut items);
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
    let tag = table.get("tag", number(1..=U32_MAX));
    items.extend(plain(tag, Match::Tag));
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
    for (key, because, hint) in [
        (
            "weight",
            "a weight is for the decision alone",
            "match what it was set by, or set a tag beside it",
        ),
        (
            "interface",
            "routes are not kept with an interface",
            "match peer or next_hop_address",
        ),
        (
            "peer_group",
            "a group is settings in common and no party to a route",
            "match peer = [..] with their addresses, or give the group a map of its own",
        ),
        (
            "source_protocol",
            "routes of other protocols are not taken in",
            "give the network its own route_map in `networks`",
        ),
        ("rpki", "routes are not validated", "leave it out"),
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

fn plain<T>(value: Option<At<T>>, condition: impl FnOnce(T) -> Match) -> Option<At<MatchItem>> {
    value.map(|At { value, span }| At::new(MatchItem::Plain(condition(value)), span))
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
        Match::AsPathLength {
            min: min.map_or(0, |min| min.value),
            max: max.map_or(u16::MAX, |max| max.value),
        }
    });
    items.extend(plain(bounds, |bounds| bounds));
}

/// The keys of one kind of community.
struct Keys {
    subject: ListSubject,
    list: &'static str,
    literal: &'static str,
    exact: &'static str,
    any: &'static str,
    because: &'static str,
    expected: &'static str,
}

const STANDARD: Keys = Keys {
    subject: ListSubject::Community,
    list: "community_list",
    literal: "community",
    exact: "community_exact",
    any: "community_any",
    because: "without `community` or `community_list`",
    expected: "a community or a list of them, like [\"65001:100\"]",
};

const LARGE: Keys = Keys {
    subject: ListSubject::LargeCommunity,
    list: "large_community_list",
    literal: "large_community",
    exact: "large_community_exact",
    any: "large_community_any",
    because: "without `large_community` or `large_community_list`",
    expected: "a large community or a list of them, like [\"65001:1:2\"]",
};

const EXTENDED: Keys = Keys {
    subject: ListSubject::ExtendedCommunity,
    list: "extended_community_list",
    literal: "extended_community",
    exact: "extended_community_exact",
    any: "extended_community_any",
    because: "without `extended_community` or `extended_community_list`",
    expected: "an extended community or a list of them, like [\"rt 65000:100\"]",
};

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

fn sets(table: &mut Table<'_, '_>) -> Vec<At<SetItem>> {
    let mut items = Vec::new();
    let mut add = |span: Span, set: Set| items.push(At::new(SetItem::Plain(set), span));
    if let Some(At { value, span }) = table.get("metric", adjustment) {
        add(span, Set::Metric(value));
    }
    if let Some(At { value, span }) = table.get("local_preference", adjustment) {
        add(span, Set::LocalPref(value));
    }
    if let Some(At { value, span }) = table.get("weight", number(U32)) {
        add(span, Set::Weight(value));
    }
    if let Some(At { value, span }) = table.get("tag", number(1..=U32_MAX)) {
        add(span, Set::Tag(value));
    }
    if let Some(At { value, span }) = table.get("distance", number(1..=255)) {
        add(span, Set::Distance(value));
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
    if let Some(At { value, span }) = table.get("as_path_prepend", as_path) {
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
    if let Some(At { value, span }) = table.get("aigp", number(U32)) {
        add(span, Set::Aigp(value));
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
    for (key, because, hint) in [
        (
            "table",
            "all routes go to one table",
            "use `table` in [kernel]",
        ),
        (
            "src",
            "kernel routes are written without a source address",
            "leave it out",
        ),
    ] {
        table.unsupported(key, because, hint);
    }
    items
}

fn only_true(value: &DeValue<'_>) -> Reading<()> {
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
    match (table.get("bandwidth", number(1..=U32_MAX)), transitive) {
        (Some(At { value, span }), transitive) => {
            let bandwidth = SetItem::Bandwidth {
                mbit_s: value,
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

/// The text itself, or the texts of a list.
fn texts<'v>(value: &'v DeValue<'_>) -> Option<Vec<&'v str>> {
    match (value.as_str(), value.as_array()) {
        (Some(text), _) => Some(vec![text]),
        (None, Some(items)) => items.iter().map(|item| item.get_ref().as_str()).collect(),
        (None, None) => None,
    }
}

/// Communities in one text or in a list of texts; at least one.
fn communities<C: Kind>(value: &DeValue<'_>, expected: &'static str) -> Reading<Vec<C>> {
    let read = |texts: Vec<&str>| -> Option<Vec<C>> {
        let values = texts.into_iter().map(bgp::policy::communities);
        Some(values.collect::<Result<Vec<_>, _>>().ok()?.concat())
    };
    texts(value)
        .and_then(read)
        .filter(|communities| !communities.is_empty())
        .ok_or_else(|| expected.into())
}

/// Words in one text or in a list of texts; at least one.
fn list_of<T: FromStr>(value: &DeValue<'_>, expected: &'static str) -> Reading<Vec<T>> {
    let words = texts(value).unwrap_or_default();
    let words = words.into_iter().flat_map(str::split_whitespace);
    let values: Option<Vec<T>> = words.map(|word| word.parse().ok()).collect();
    values
        .filter(|values| !values.is_empty())
        .ok_or_else(|| expected.into())
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
