//! Writes lists and route-maps as keys with values, and says what refers to what.

use bgp::policy::{
    Action, AsPathExclude, BandwidthAmount, Communities, CommunityChange, CommunityRule, Entry,
    Extent, Kind, List, Match, NextHopChange, Number, OnMatch, RouteMap, Rule, Set,
};
use bgp::{Asn, ExtendedCommunity, SourceFilter};

use super::PolicyKind;
use crate::config::Config;
use crate::config::print::{Fields, inline, list, quote, tall_list};
use crate::config::types::Keyword;

/// A list or a map as it is written.
pub(in crate::config) struct Written<'c> {
    pub(in crate::config) kind: PolicyKind,
    pub(in crate::config) name: &'c str,
    pub(in crate::config) fields: Fields,
}

/// All lists and maps, kind by kind.
pub(in crate::config) fn policies(config: &Config) -> Vec<Written<'_>> {
    let mut all = Vec::new();
    let mut add = |kind, name, fields| all.push(Written { kind, name, fields });
    for list in &config.prefix_lists {
        let fields = list_fields(list.name(), list.description(), false, list.rules());
        add(PolicyKind::PrefixList, list.name(), fields);
    }
    for list in &config.community_lists {
        add(PolicyKind::CommunityList, list.name(), community_list(list));
    }
    for list in &config.large_community_lists {
        add(
            PolicyKind::LargeCommunityList,
            list.name(),
            community_list(list),
        );
    }
    for list in &config.extended_community_lists {
        add(
            PolicyKind::ExtendedCommunityList,
            list.name(),
            community_list(list),
        );
    }
    for list in &config.as_path_lists {
        add(PolicyKind::AsPathList, list.name(), plain_list(list));
    }
    for list in &config.mac_lists {
        add(PolicyKind::MacList, list.name(), plain_list(list));
    }
    for map in &config.route_maps {
        add(PolicyKind::RouteMap, map.name(), route_map(map));
    }
    all
}

/// What a map refers to, directly.
pub(in crate::config) fn references(map: &RouteMap) -> impl Iterator<Item = (PolicyKind, &str)> {
    map.entries().iter().flat_map(|entry| {
        let matches = entry.matches.iter().filter_map(list_of_match);
        let sets = entry.sets.iter().filter_map(list_of_set);
        let call = entry.call.as_ref();
        let call = call.map(|map| (PolicyKind::RouteMap, map.name()));
        matches.chain(sets).chain(call)
    })
}

fn list_of_match(condition: &Match) -> Option<(PolicyKind, &str)> {
    match condition {
        Match::PrefixList(list) | Match::NextHop(list) | Match::PeerList(list) => {
            Some((PolicyKind::PrefixList, list.name()))
        }
        Match::AsPath(list) => Some((PolicyKind::AsPathList, list.name())),
        Match::MacList(list) => Some((PolicyKind::MacList, list.name())),
        Match::Community { communities, .. } => named(PolicyKind::CommunityList, communities),
        Match::LargeCommunity { communities, .. } => {
            named(PolicyKind::LargeCommunityList, communities)
        }
        Match::ExtendedCommunity { communities, .. } => {
            named(PolicyKind::ExtendedCommunityList, communities)
        }
        Match::NextHopAddress(_)
        | Match::Peer(_)
        | Match::Sender(_)
        | Match::PrefixLength { .. }
        | Match::AsPathContains(_)
        | Match::AsPathLength { .. }
        | Match::LocalPref(_)
        | Match::Metric(_)
        | Match::Tag(_)
        | Match::Source(_)
        | Match::SourceVrf(_)
        | Match::Interface(_)
        | Match::Origin(_)
        | Match::Family(_)
        | Match::EvpnRouteType(_)
        | Match::Vni(_)
        | Match::Rd(_)
        | Match::Mac(_)
        | Match::Local
        | Match::Rpki(_) => None,
    }
}

fn list_of_set(set: &Set) -> Option<(PolicyKind, &str)> {
    match set {
        Set::Community(CommunityChange::Delete(named_by)) => {
            named(PolicyKind::CommunityList, named_by)
        }
        Set::LargeCommunity(CommunityChange::Delete(named_by)) => {
            named(PolicyKind::LargeCommunityList, named_by)
        }
        Set::ExtendedCommunity(CommunityChange::Delete(named_by)) => {
            named(PolicyKind::ExtendedCommunityList, named_by)
        }
        Set::AsPathExclude(AsPathExclude::List(list)) => {
            Some((PolicyKind::AsPathList, list.name()))
        }
        Set::Community(_)
        | Set::LargeCommunity(_)
        | Set::ExtendedCommunity(_)
        | Set::AsPathExclude(_)
        | Set::Metric(_)
        | Set::MetricOfAigp
        | Set::LocalPref(_)
        | Set::Weight(_)
        | Set::Tag(_)
        | Set::Distance(_)
        | Set::Table(_)
        | Set::Src(_)
        | Set::Blackhole
        | Set::Origin(_)
        | Set::AsPathReplace { .. }
        | Set::AsPathPrependLast(_)
        | Set::AsPathPrepend(_)
        | Set::NextHop(_)
        | Set::RouteTargets(_)
        | Set::SitesOfOrigin(_)
        | Set::Bandwidth(_)
        | Set::Aggregator(_)
        | Set::AtomicAggregate
        | Set::OriginatorId(_)
        | Set::Aigp(_)
        | Set::AigpOfMetric => None,
    }
}

fn named<C>(kind: PolicyKind, communities: &Communities<C>) -> Option<(PolicyKind, &str)>
where
    CommunityRule<C>: Rule,
{
    match communities {
        Communities::List(list) => Some((kind, list.name())),
        Communities::Literal(_) => None,
    }
}

fn list_fields<R: ToString>(
    name: &str,
    description: Option<&str>,
    expanded: bool,
    rules: &[R],
) -> Fields {
    let mut fields = Fields::default();
    fields.add("name", quote(name));
    if let Some(description) = description {
        fields.add("description", quote(description));
    }
    fields.add_unless_default("expanded", expanded, false);
    fields.add(
        "rules",
        tall_list(rules.iter().map(|rule| quote(rule.to_string()))),
    );
    fields
}

fn plain_list<R: Rule + ToString>(list: &List<R>) -> Fields {
    list_fields(list.name(), list.description(), false, list.rules())
}

fn community_list<C: Kind>(list: &List<CommunityRule<C>>) -> Fields {
    let expanded = list.is_expanded();
    list_fields(list.name(), list.description(), expanded, list.rules())
}

fn route_map(map: &RouteMap) -> Fields {
    let mut fields = Fields::default();
    fields.add("name", quote(map.name()));
    fields.add("entry", tall_list(map.entries().iter().map(entry)));
    fields
}

fn entry(entry: &Entry) -> String {
    let mut fields = Fields::default();
    fields.add("seq", entry.seq);
    if let Some(description) = &entry.description {
        fields.add("description", quote(description));
    }
    fields.add(
        "action",
        quote(match entry.action {
            Action::Permit => "permit",
            Action::Deny => "deny",
        }),
    );
    let mut table = Fields::default();
    entry
        .matches
        .iter()
        .for_each(|item| condition(&mut table, item));
    fields.add_table("match", &table);
    fields.add_table("set", &changes(&entry.sets));
    if let Some(map) = &entry.call {
        fields.add("call", quote(map.name()));
    }
    match entry.on_match {
        OnMatch::Exit => {}
        OnMatch::Next => fields.add("on_match", quote("next")),
        OnMatch::Goto(seq) => fields.add("on_match", seq),
    }
    inline(&fields)
}

/// Parts of an entry, one by one, as they stand in a file.
pub mod words {
    use bgp::policy::{Entry, OnMatch};

    use crate::config::print::Fields;

    /// Its conditions: `prefix_list = "INTERNAL"`.
    pub fn conditions(entry: &Entry) -> Vec<String> {
        let mut table = Fields::default();
        entry
            .matches
            .iter()
            .for_each(|item| super::condition(&mut table, item));
        lines(&table)
    }

    /// Its changes: `metric = 100`.
    pub fn changes(entry: &Entry) -> Vec<String> {
        lines(&super::changes(&entry.sets))
    }

    /// What follows a match: `exit`, `next` or a number.
    pub fn on_match(on_match: OnMatch) -> String {
        match on_match {
            OnMatch::Exit => "exit".to_owned(),
            OnMatch::Next => "next".to_owned(),
            OnMatch::Goto(seq) => seq.to_string(),
        }
    }

    fn lines(fields: &Fields) -> Vec<String> {
        let fields = fields.iter();
        fields
            .map(|field| format!("{} = {}", field.key, field.value))
            .collect()
    }
}

fn condition(table: &mut Fields, condition: &Match) {
    match condition {
        Match::PrefixList(list) => table.add("prefix_list", quote(list.name())),
        Match::NextHop(list) => table.add("next_hop", quote(list.name())),
        Match::PrefixLength { v6: false, length } => table.add("ipv4_prefix_length", length),
        Match::PrefixLength { v6: true, length } => table.add("ipv6_prefix_length", length),
        Match::PeerList(list) => table.add("peer_list", quote(list.name())),
        Match::NextHopAddress(addresses) => table.add("next_hop_address", list(addresses)),
        Match::Peer(peers) => table.add("peer", list(peers)),
        Match::Sender(peers) => table.add("sender", list(peers)),
        Match::AsPath(list) => table.add("as_path_list", quote(list.name())),
        Match::AsPathContains(asn) => table.add("as_path_contains", asn),
        Match::AsPathLength { min, max } if min == max => table.add("as_path_length", min),
        Match::AsPathLength { min, max } => {
            let mut bounds = Fields::default();
            bounds.add("min", min);
            bounds.add("max", max);
            table.add_table("as_path_length", &bounds);
        }
        Match::Community {
            communities,
            extent,
        } => of_kind(
            table,
            [
                "community_list",
                "community",
                "community_exact",
                "community_any",
            ],
            communities,
            *extent,
        ),
        Match::LargeCommunity {
            communities,
            extent,
        } => of_kind(
            table,
            [
                "large_community_list",
                "large_community",
                "large_community_exact",
                "large_community_any",
            ],
            communities,
            *extent,
        ),
        Match::ExtendedCommunity {
            communities,
            extent,
        } => of_kind(
            table,
            [
                "extended_community_list",
                "extended_community",
                "extended_community_exact",
                "extended_community_any",
            ],
            communities,
            *extent,
        ),
        Match::LocalPref(value) => table.add("local_preference", value),
        Match::Metric(value) => table.add("metric", value),
        Match::Tag(value) => table.add("tag", value),
        Match::Source(sources) => {
            table.add("source", one_or_list(sources.iter().map(|it| source(*it))));
        }
        Match::SourceVrf(vrf) => table.add("source_vrf", quote(vrf)),
        Match::Interface(names) => {
            table.add("interface", one_or_list(names.iter().map(quote)));
        }
        Match::Origin(origin) => table.add("origin", quote(origin.word())),
        Match::Family(family) => table.add("family", quote(family.word())),
        Match::EvpnRouteType(number) => table.add("evpn_route_type", number),
        Match::Vni(vni) => table.add("vni", vni),
        Match::Rd(rd) => table.add("rd", quote(rd)),
        Match::Mac(macs) => table.add("mac", list(macs)),
        Match::MacList(list) => table.add("mac_list", quote(list.name())),
        Match::Local => table.add("local", true),
        Match::Rpki(state) => table.add("rpki", quote(state.word())),
    }
}

/// The value itself where there is one only.
fn one_or_list(values: impl Iterator<Item = String>) -> String {
    let values: Vec<String> = values.collect();
    match values.as_slice() {
        [one] => one.clone(),
        several => format!("[{}]", several.join(", ")),
    }
}

/// A name as a text, a number as a number.
pub(in crate::config) fn source(filter: SourceFilter) -> String {
    match filter {
        SourceFilter::Named(name) => quote(name),
        SourceFilter::Protocol(number) => number.to_string(),
    }
}

fn of_kind<C: Kind>(
    table: &mut Fields,
    [named, literal, exact, any]: [&'static str; 4],
    communities: &Communities<C>,
    extent: Extent,
) {
    match communities {
        Communities::List(list) => table.add(named, quote(list.name())),
        Communities::Literal(communities) => table.add(literal, spelled(communities)),
    }
    let key = match extent {
        Extent::All => return,
        Extent::Exact => exact,
        Extent::Any => any,
    };
    // A list and literal ones share the key.
    if !table.iter().any(|field| field.key == key) {
        table.add(key, true);
    }
}

fn spelled<C: Kind>(communities: &[C]) -> String {
    list(communities.iter().map(Kind::spelled))
}

fn changes(sets: &[Set]) -> Fields {
    let mut table = Fields::default();
    // What changes one kind of communities stands in one table.
    let (mut standard, mut large, mut extended) =
        (Fields::default(), Fields::default(), Fields::default());
    for set in sets {
        match set {
            Set::Metric(number) => table.add("metric", adjustment(*number)),
            Set::MetricOfAigp => table.add("metric", quote("aigp")),
            Set::AigpOfMetric => table.add("aigp", quote("metric")),
            Set::LocalPref(number) => table.add("local_preference", adjustment(*number)),
            Set::Weight(weight) => table.add("weight", weight),
            Set::Tag(tag) => table.add("tag", tag),
            Set::Distance(distance) => table.add("distance", distance),
            Set::Table(number) => table.add("table", number),
            Set::Src(address) => table.add("src", quote(address)),
            Set::Blackhole => table.add("blackhole", true),
            Set::Origin(origin) => table.add("origin", quote(origin.word())),
            Set::AsPathExclude(AsPathExclude::All) => table.add("as_path_exclude", quote("all")),
            Set::AsPathExclude(AsPathExclude::These(asns)) => {
                table.add("as_path_exclude", numbers(asns));
            }
            Set::AsPathExclude(AsPathExclude::List(list)) => {
                table.add("as_path_exclude_list", quote(list.name()));
            }
            Set::AsPathReplace { asns, with } => {
                let mut replace = Fields::default();
                let asns = asns.as_ref();
                replace.add(
                    "asns",
                    asns.map_or_else(|| quote("any"), |asns| numbers(asns)),
                );
                replace.add("with", with);
                table.add_table("as_path_replace", &replace);
            }
            Set::AsPathPrependLast(count) => table.add("as_path_prepend_last", count),
            Set::AsPathPrepend(asns) => table.add("as_path_prepend", numbers(asns)),
            Set::NextHop(change) => table.add("next_hop", next_hop(*change)),
            Set::Community(change) => change_of_kind(&mut standard, change),
            Set::LargeCommunity(change) => change_of_kind(&mut large, change),
            Set::ExtendedCommunity(change) => change_of_kind(&mut extended, change),
            Set::RouteTargets(targets) => extended.add("rt", list(targets.iter().map(value))),
            Set::SitesOfOrigin(sites) => extended.add("soo", list(sites.iter().map(value))),
            Set::Bandwidth(bandwidth) => {
                match bandwidth.amount {
                    BandwidthAmount::Mbit(mbit_s) => extended.add("bandwidth", mbit_s),
                    BandwidthAmount::Paths => extended.add("bandwidth", quote("paths")),
                    BandwidthAmount::Sum => extended.add("bandwidth", quote("sum")),
                }
                let transitive = bandwidth.transitive;
                extended.add_unless_default("bandwidth_transitive", transitive, true);
            }
            Set::Aggregator(aggregator) => {
                let mut fields = Fields::default();
                fields.add("asn", aggregator.asn);
                fields.add("address", quote(aggregator.router_id));
                table.add_table("aggregator", &fields);
            }
            Set::AtomicAggregate => table.add("atomic_aggregate", true),
            Set::OriginatorId(id) => table.add("originator_id", quote(id)),
            Set::Aigp(metric) => table.add("aigp", metric),
        }
    }
    for (key, fields) in [
        ("community", standard),
        ("large_community", large),
        ("extended_community", extended),
    ] {
        let mut keys = fields.iter();
        match (keys.next(), keys.next()) {
            (Some(field), None) if matches!(field.key, "none" | "replace") => {
                table.add(key, &field.value);
            }
            (Some(_), _) => table.add_table(key, &fields),
            (None, _) => {}
        }
    }
    table
}

fn change_of_kind<C: Kind>(fields: &mut Fields, change: &CommunityChange<C>) {
    match change {
        // Not a key: stands for the whole value.
        CommunityChange::Clear => fields.add("none", quote("none")),
        CommunityChange::Replace(communities) => fields.add("replace", spelled(communities)),
        CommunityChange::Delete(Communities::List(list)) => {
            fields.add("delete_list", quote(list.name()));
        }
        CommunityChange::Delete(Communities::Literal(communities)) => {
            fields.add("delete", spelled(communities));
        }
        CommunityChange::Add(communities) => fields.add("add", spelled(communities)),
    }
}

fn next_hop(change: NextHopChange) -> String {
    match change {
        NextHopChange::Address(address) => quote(address),
        NextHopChange::Myself => quote("self"),
        NextHopChange::PeerAddress => quote("peer_address"),
        NextHopChange::Unchanged => quote("unchanged"),
    }
}

/// `65000:100`: as it is shown elsewhere, without the kind.
fn value(target: &ExtendedCommunity) -> String {
    let text = target.to_string();
    text.strip_prefix("RT:").unwrap_or(&text).to_owned()
}

fn numbers(asns: &[Asn]) -> String {
    let asns: Vec<String> = asns.iter().map(ToString::to_string).collect();
    quote(asns.join(" "))
}

fn adjustment(number: Number) -> String {
    match number {
        Number::Replace(value) => value.to_string(),
        Number::Add(_) | Number::Sub(_) => quote(number),
    }
}
