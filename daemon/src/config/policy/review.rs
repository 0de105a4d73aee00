//! Remarks about policy that is there and does nothing.
//!
//! A list or map that nothing refers to, a rule that an earlier one always anticipates, an entry
//! that no route reaches: none of it is an error, and all of it is worth a look. Only what is
//! certain is remarked; two patterns that happen to mean the same are not compared.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use bgp::Prefix;
use bgp::policy::{Action, Entry, Kind, List, Match, OnMatch, RouteMap, Rule, Set, number_rules};

use super::PolicyKind;
use super::file::{ListTable, RouteMapTable};
use super::print::references;
use crate::config::error::{At, Place, Report, Span};
use crate::config::file::File;
use crate::config::{Aggregate, Config, Debug, NeighborFamily, Unicast};

/// Something without effect, and where it stands. Its `Display` begins with `warning:`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remark {
    /// The file, as it was named.
    pub file: String,
    /// Where.
    pub place: Place,
    /// What.
    pub notice: Notice,
}

/// What has no effect.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// Nothing refers to it.
    Unused {
        /// What it is.
        kind: PolicyKind,
        /// Its name.
        name: String,
    },
    /// A rule of a list that never decides.
    Rule {
        /// What the list is.
        kind: PolicyKind,
        /// Its name.
        name: String,
        /// Number of the rule.
        seq: u32,
        /// Number of the earlier rule that matches all that this one does.
        by: u32,
    },
    /// An entry of a route-map that never matches.
    Entry {
        /// Name of the map.
        map: String,
        /// Number of the entry.
        seq: u32,
        /// Number of the earlier entry that ends the map for all routes that this one matches.
        by: u32,
    },
    /// A condition about origin validation, and nobody who tells what is valid.
    NoCache {
        /// Name of the map.
        map: String,
        /// Number of the entry.
        seq: u32,
    },
    /// A route-map without an entry.
    Empty {
        /// Its name.
        map: String,
    },
    /// A network that no host beyond this one has.
    NotForOthers(Prefix),
    /// An aggregate whose AS path is of a kind that others are to refuse.
    AsSet(Prefix),
    /// A change of a map that is used for export alone and means nothing there.
    Export {
        /// Name of the map.
        map: String,
        /// Number of the entry.
        seq: u32,
        /// What it sets.
        key: &'static str,
    },
    /// Debug messages that go nowhere.
    NoTarget(Debug),
    /// Routes of other programs are to be announced, and there is no kernel to look for them.
    NoKernel,
    /// Our tunnel endpoint is in the network of a gateway.
    UnderlayInside {
        /// Our tunnel endpoint.
        vtep: IpAddr,
        /// The network of the gateway.
        network: Prefix,
        /// The bridge that the gateway is on.
        bridge: String,
    },
    /// A static route is to be in the kernel, and there is no kernel.
    StaticNoKernel(Prefix),
    /// A device of the host, which nobody sets up.
    InterfaceNoKernel(String),
}

impl fmt::Display for Remark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "warning: {}:{}: {}", self.file, self.place, self.notice)
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Notice::Unused { kind, name } => {
                write!(f, "{} `{name}` is not used anywhere", kind.word())
            }
            Notice::Rule {
                kind,
                name,
                seq,
                by,
            } => write!(
                f,
                "rule {seq} of {} `{name}` never decides: rule {by} matches all that it matches",
                kind.word()
            ),
            Notice::Entry { map, seq, by } => write!(
                f,
                "entry {seq} of route_map `{map}` is never reached by a route it matches: entry \
                 {by} ends the map for all of them"
            ),
            Notice::NoCache { map, seq } => write!(
                f,
                "entry {seq} of route_map `{map}` matches `rpki`, and there is no [[rpki]] cache: \
                 every route is \"not_found\""
            ),
            Notice::Empty { map } => {
                write!(f, "route_map `{map}` has no entry and denies everything")
            }
            Notice::NotForOthers(prefix) => write!(
                f,
                "network {prefix} is of loopback or multicast addresses: nobody in another AS takes \
                 it (RFC 6890)"
            ),
            Notice::AsSet(prefix) => write!(
                f,
                "`as_set` of the aggregate {prefix} makes an AS_SET, which RFC 9774 forbids: others \
                 may take the route for withdrawn"
            ),
            Notice::Export { map, seq, key } => write!(
                f,
                "entry {seq} of route_map `{map}` sets `{key}`, which is for this router alone and \
                 has no effect on export"
            ),
            Notice::UnderlayInside {
                vtep,
                network,
                bridge,
            } => write!(
                f,
                "our tunnel endpoint {vtep} is in the gateway's network {network}: packets to the underlay \
                 may go to {bridge}; take another network, or put the VNI into a VRF"
            ),
            Notice::NoTarget(debug) => write!(
                f,
                "`debug {debug}` has no effect: no target of the log has the level `selected` (FRR's \
                 `debugging`)"
            ),
            Notice::NoKernel => f.write_str(
                "`redistribute` has no effect with `enabled = false` in [kernel]: routes of other \
                 programs are not seen",
            ),
            Notice::StaticNoKernel(prefix) => write!(
                f,
                "static_route {prefix} has no effect with `enabled = false` in [kernel]"
            ),
            Notice::InterfaceNoKernel(name) => write!(
                f,
                "interface {name} has no effect with `enabled = false` in [kernel]"
            ),
        }
    }
}

/// Remarks about a file and the configuration that was made of it, in the order of the file.
pub fn review(file: &File, config: &Config, report: &Report) -> Vec<Remark> {
    let mut review = Review {
        used: used(config),
        export_only: export_only(config),
        found: Vec::new(),
    };
    let tables = &file.policy;
    for (table, list) in tables.prefix_lists.iter().zip(&config.prefix_lists) {
        review.list(PolicyKind::PrefixList, &table.value, list.shadowed());
    }
    review.communities(
        PolicyKind::CommunityList,
        tables.community_lists.iter().zip(&config.community_lists),
    );
    review.communities(
        PolicyKind::LargeCommunityList,
        tables
            .large_community_lists
            .iter()
            .zip(&config.large_community_lists),
    );
    review.communities(
        PolicyKind::ExtendedCommunityList,
        tables
            .extended_community_lists
            .iter()
            .zip(&config.extended_community_lists),
    );
    for (table, list) in tables.as_path_lists.iter().zip(&config.as_path_lists) {
        review.list(PolicyKind::AsPathList, &table.value, list.shadowed());
    }
    for (table, list) in tables.mac_lists.iter().zip(&config.mac_lists) {
        review.list(PolicyKind::MacList, &table.value, list.shadowed());
    }
    for (table, map) in tables.route_maps.iter().zip(&config.route_maps) {
        review.map(&table.value, map);
        review.export(&table.value, map);
        if config.rpki.is_empty() {
            review.unvalidated(&table.value, map);
        }
    }
    if config.log.selecting().is_empty() {
        let asked = file.log.debug.iter().flat_map(|all| &all.value);
        let notice = |at: &At<Debug>| (at.span, Notice::NoTarget(at.value.clone()));
        review.found.extend(asked.map(notice));
    }
    if !config.kernel.enabled {
        let tables = [&file.ipv4_unicast, &file.ipv6_unicast]
            .into_iter()
            .flatten();
        let items = tables.flat_map(|table| &table.value.redistribute);
        let found = items.map(|item| (item.span, Notice::NoKernel));
        review.found.extend(found);
        let files = std::iter::once(file).chain(file.instances.iter().map(|it| &it.value));
        let routes = files.flat_map(|file| &file.static_routes);
        let prefixes = routes.filter_map(|route| route.value.prefix);
        let found = prefixes.map(|at| (at.span, Notice::StaticNoKernel(at.value)));
        review.found.extend(found);
        let devices = file
            .interfaces
            .iter()
            .filter_map(|at| at.value.name.as_ref());
        let notice = |at: &At<String>| (at.span, Notice::InterfaceNoKernel(at.value.clone()));
        review.found.extend(devices.map(notice));
    }
    review.underlay_inside(file, config);
    let files = std::iter::once(file).chain(file.instances.iter().map(|it| &it.value));
    for unicast in files.flat_map(|file| [&file.ipv4_unicast, &file.ipv6_unicast]) {
        let networks = unicast.iter().flat_map(|it| &it.value.networks);
        let networks = networks.map(|it| it.value.prefix);
        review.found.extend(
            networks
                .filter(|it| is_not_for_others(it.value))
                .map(|it| (it.span, Notice::NotForOthers(it.value))),
        );
        let aggregates = unicast.iter().flat_map(|it| &it.value.aggregates);
        for item in aggregates.map(|it| &it.value) {
            if let Some(as_set) = item.as_set.filter(|it| it.value) {
                let notice = Notice::AsSet(item.prefix.value);
                review.found.push((as_set.span, notice));
            }
        }
    }
    review.found.sort_by_key(|(span, _)| *span);
    let remarks = review.found.into_iter().map(|(span, notice)| Remark {
        file: report.file().to_owned(),
        place: report.place(span),
        notice,
    });
    remarks.collect()
}

/// Loopback addresses, and those of groups.
fn is_not_for_others(prefix: Prefix) -> bool {
    let (address, length) = (prefix.addr(), prefix.len());
    match address {
        IpAddr::V4(address) => {
            address.is_loopback() && length >= 8 || address.is_multicast() && length >= 4
        }
        IpAddr::V6(address) => {
            address.is_loopback() && length == 128 || address.is_multicast() && length >= 8
        }
    }
}

/// What is referred to, directly, by anything.
fn used(config: &Config) -> BTreeSet<(PolicyKind, String)> {
    let lists = config.route_maps.iter().flat_map(|map| references(map));
    let mut used: BTreeSet<_> = lists.map(|(kind, name)| (kind, name.to_owned())).collect();
    let families = config
        .all()
        .flat_map(Config::settings)
        .flat_map(|neighbor| {
            let families = neighbor.families.iter();
            families.filter_map(|(_, family)| family.as_ref())
        });
    let of_neighbors = families.flat_map(|family| [&family.import, &family.export]);
    let unicast = config
        .all()
        .flat_map(|it| [&it.ipv4_unicast, &it.ipv6_unicast]);
    let maps = of_neighbors.flatten();
    let maps = maps.chain(unicast.flat_map(Unicast::route_maps));
    let maps = maps.chain(conditions(config)).chain(between_tables(config));
    used.extend(maps.map(|map| (PolicyKind::RouteMap, map.name().to_owned())));
    used
}

/// Maps that routes of our own depend on, beside those of networks.
fn conditions(config: &Config) -> impl Iterator<Item = &Arc<RouteMap>> {
    let settings = config.all().flat_map(Config::settings);
    let families = settings.flat_map(|it| it.families.iter());
    let families = families.filter_map(|(_, family)| family.as_ref());
    let of_neighbors = families.flat_map(NeighborFamily::conditions);
    let aggregates = config.all().flat_map(Config::aggregates);
    of_neighbors.chain(aggregates.flat_map(Aggregate::maps))
}

/// Maps for what goes from one table of this router to another.
fn between_tables(config: &Config) -> impl Iterator<Item = &Arc<RouteMap>> {
    let overlay = config.all().filter_map(|it| it.l3vni.as_ref());
    let overlay = overlay.flat_map(|it| it.import.iter().chain(&it.export));
    let imports = config.all().flat_map(|it| &it.imports);
    overlay.chain(imports.filter_map(|it| it.route_map.as_ref()))
}

/// Names of maps that neighbours use for export, and nothing uses otherwise.
fn export_only(config: &Config) -> BTreeSet<String> {
    let families = || {
        let all = config.all().flat_map(Config::settings);
        let all = all.flat_map(|it| it.families.iter());
        all.filter_map(|(_, family)| family.as_ref())
    };
    let name = |map: &Arc<RouteMap>| map.name().to_owned();
    let unicast = config
        .all()
        .flat_map(|it| [&it.ipv4_unicast, &it.ipv6_unicast]);
    let called = config.route_maps.iter().flat_map(|map| map.entries());
    let elsewhere: BTreeSet<String> = families()
        .filter_map(|family| family.import.as_ref())
        .chain(unicast.flat_map(Unicast::route_maps))
        .chain(called.filter_map(|entry| entry.call.as_ref()))
        .chain(conditions(config))
        .chain(between_tables(config))
        .map(name)
        .collect();
    let exported = families().filter_map(|family| family.export.as_ref());
    let exported: BTreeSet<String> = exported.map(name).collect();
    exported.difference(&elsewhere).cloned().collect()
}

struct Review {
    export_only: BTreeSet<String>,
    used: BTreeSet<(PolicyKind, String)>,
    found: Vec<(Span, Notice)>,
}

impl Review {
    /// Networks of gateways outside of VRFs. A neighbour may well be in one: it is a machine of the
    /// overlay then.
    fn underlay_inside(&mut self, file: &File, config: &Config) {
        let Some(vtep) = config.evpn.map(|evpn| evpn.vtep) else {
            return;
        };
        let outside = file.vnis.iter().map(|it| &it.value);
        for table in outside.filter(|table| table.vrf.is_none()) {
            let id = table.id.map(|id| id.value);
            let vni = config.vnis.iter().find(|vni| Some(vni.id) == id);
            let holds = |network: Prefix| network.contains_addr(vtep);
            for gateway in &table.gateway {
                let network = Prefix::from(gateway.value);
                if let Some(vni) = vni.filter(|_| holds(network)) {
                    let notice = Notice::UnderlayInside {
                        vtep,
                        network,
                        bridge: vni.bridge.clone(),
                    };
                    self.found.push((gateway.span, notice));
                }
            }
        }
    }

    fn communities<'f, C: Kind + 'f, L: AsRef<List<bgp::policy::CommunityRule<C>>> + 'f>(
        &mut self,
        kind: PolicyKind,
        lists: impl Iterator<Item = (&'f At<ListTable<bgp::policy::CommunityRule<C>>>, &'f L)>,
    ) {
        for (table, list) in lists {
            self.list(kind, &table.value, list.as_ref().shadowed());
        }
    }

    fn list<R: Rule + Clone>(
        &mut self,
        kind: PolicyKind,
        table: &ListTable<R>,
        shadowed: Vec<(u32, u32)>,
    ) {
        let Some(name) = &table.name else { return };
        self.unused(kind, name);
        let mut rules: Vec<R> = table.rules.iter().map(|rule| rule.value.clone()).collect();
        number_rules(&mut rules);
        let spans = table.rules.iter().map(|rule| rule.span);
        let places: BTreeMap<u32, Span> = rules.iter().map(Rule::seq).zip(spans).collect();
        for (seq, by) in shadowed {
            let notice = Notice::Rule {
                kind,
                name: name.value.clone(),
                seq,
                by,
            };
            let span = places.get(&seq).copied().unwrap_or(name.span);
            self.found.push((span, notice));
        }
    }

    fn map(&mut self, table: &RouteMapTable, map: &RouteMap) {
        let Some(name) = &table.name else { return };
        self.unused(PolicyKind::RouteMap, name);
        if table.entries.is_empty() {
            let map = name.value.clone();
            self.found.push((name.span, Notice::Empty { map }));
        }
        for At { value, span } in &table.entries {
            let Some(seq) = value.seq else { continue };
            if let Some(by) = anticipated(map, seq.value) {
                let notice = Notice::Entry {
                    map: name.value.clone(),
                    seq: seq.value,
                    by,
                };
                self.found.push((*span, notice));
            }
        }
    }

    fn export(&mut self, table: &RouteMapTable, map: &RouteMap) {
        if !self.export_only.contains(map.name()) {
            return;
        }
        for At { value, span } in &table.entries {
            let seq = value.seq.map(|seq| seq.value);
            let entry = map.entries().iter().find(|entry| Some(entry.seq) == seq);
            let sets = entry.into_iter().flat_map(|entry| &entry.sets);
            self.found
                .extend(sets.filter_map(for_this_router).map(|key| {
                    let notice = Notice::Export {
                        map: map.name().to_owned(),
                        seq: seq.unwrap_or_default(),
                        key,
                    };
                    (*span, notice)
                }));
        }
    }

    fn unvalidated(&mut self, table: &RouteMapTable, map: &RouteMap) {
        for At { value, span } in &table.entries {
            let Some(seq) = value.seq.map(|seq| seq.value) else {
                continue;
            };
            let entry = map.entries().iter().find(|entry| entry.seq == seq);
            let mut asked = entry.into_iter().flat_map(|entry| &entry.matches);
            if asked.any(|condition| matches!(condition, Match::Rpki(_))) {
                let map = map.name().to_owned();
                self.found.push((*span, Notice::NoCache { map, seq }));
            }
        }
    }

    fn unused(&mut self, kind: PolicyKind, name: &At<String>) {
        if !self.used.contains(&(kind, name.value.clone())) {
            let notice = Notice::Unused {
                kind,
                name: name.value.clone(),
            };
            self.found.push((name.span, notice));
        }
    }
}

/// The key of a change that is for this router alone. A tag is too, but later entries may ask for
/// it.
fn for_this_router(set: &Set) -> Option<&'static str> {
    match set {
        Set::Weight(_) => Some("weight"),
        Set::Distance(_) => Some("distance"),
        Set::Table(_) => Some("table"),
        Set::Src(_) => Some("src"),
        Set::Blackhole => Some("blackhole"),
        Set::Metric(_)
        | Set::MetricOfAigp
        | Set::LocalPref(_)
        | Set::Tag(_)
        | Set::Origin(_)
        | Set::AsPathExclude(_)
        | Set::AsPathReplace { .. }
        | Set::AsPathPrependLast(_)
        | Set::AsPathPrepend(_)
        | Set::NextHop(_)
        | Set::Community(_)
        | Set::LargeCommunity(_)
        | Set::ExtendedCommunity(_)
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

/// The number of an entry that ends the map for every route that the entry `seq` would match.
fn anticipated(map: &RouteMap, seq: u32) -> Option<u32> {
    let entries = map.entries();
    let at = entries.partition_point(|entry| entry.seq < seq);
    let entry = entries.get(at).filter(|entry| entry.seq == seq)?;
    let earlier = || entries.iter().take(at);
    let ends = |other: &Entry| other.action == Action::Deny || other.on_match == OnMatch::Exit;
    // Most do not, and it is the quickest to say.
    let covers = |other: &Entry| {
        let mut asked = other.matches.iter();
        asked.all(|condition| entry.matches.contains(condition))
    };
    let mut candidates = earlier().filter(|other| covers(other) && ends(other));
    let found = candidates.find(|other| {
        let skipped = earlier().any(|jump| match jump.on_match {
            OnMatch::Goto(target) => jump.seq < other.seq && target > other.seq,
            OnMatch::Exit | OnMatch::Next => false,
        });
        // What is set between the two may make a route match that did not before.
        let changed = earlier()
            .filter(|between| between.seq > other.seq)
            .any(|between| !between.sets.is_empty() || between.call.is_some());
        !skipped && (other.matches.is_empty() || !changed)
    })?;
    Some(found.seq)
}

#[cfg(test)]
mod tests;
