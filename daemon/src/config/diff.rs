//! What changes from one configuration to another, and what that does to sessions.
//!
//! `reload` applies a [`Diff`] for each instance and `reload --dry-run` prints them. Lists are compared by what
//! identifies their members (address, VNI, prefix, name), so order and position do not matter.
//! Values are shown as they are written in the file.

mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use bgp::family::Family;
use bgp::policy::RouteMap;
use bgp::{Prefix, ScopedAddr, SourceFilter, Vni};

use super::policy::print::{policies as written, references};
use super::policy::{Direction, PolicyKind};
use super::print::{self, Fields};
use super::types::{
    Aggregate, BfdPath, BfdPeer, Config, GracefulRestart, InterfaceNeighbor, ListenRange,
    Neighbor, Network, Password, Signing, StaticKey, meet,
};

/// What changes from one configuration to another. Empty when nothing does.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Diff {
    /// Values that only take effect when the daemon is started again.
    pub restart_required: Vec<FieldChange>,
    /// Who the router is, which sessions began with: those that said it are made anew.
    pub identity: Vec<FieldChange>,
    /// Other values outside of neighbours, VNIs and networks.
    pub globals: Vec<FieldChange>,
    /// Neighbours.
    pub neighbors: Members<ScopedAddr, NeighborChange>,
    /// Ranges of neighbours.
    pub listen_ranges: Members<Prefix, NeighborChange>,
    /// Neighbours known by their interface.
    pub interfaces: Members<String, NeighborChange>,
    /// What is taken from other instances.
    pub imports: Members<String, Vec<FieldChange>>,
    /// Overlay networks.
    pub vnis: Members<Vni, Vec<FieldChange>>,
    /// Devices of the host.
    pub host_interfaces: Members<String, Vec<FieldChange>>,
    /// Static routes.
    pub static_routes: Members<StaticKey, Vec<FieldChange>>,
    /// BFD sessions of their own.
    pub bfd: Members<BfdPath, Vec<FieldChange>>,
    /// Caches of the RPKI.
    pub rpki: Members<SocketAddr, Vec<FieldChange>>,
    /// Networks we announce; a family's are all of one IP version.
    pub networks: Members<Prefix, FieldChange>,
    /// Aggregates, in the same way.
    pub aggregates: Members<Prefix, FieldChange>,
    /// Route-maps and lists.
    pub policies: Vec<PolicyChange>,
}

/// Members of a list that are new, gone or different.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Members<K, C> {
    /// Only in the new configuration.
    pub added: Vec<K>,
    /// Only in the old one.
    pub removed: Vec<K>,
    /// In both, with what is different.
    pub changed: Vec<(K, C)>,
}

impl<K, C> Default for Members<K, C> {
    fn default() -> Self {
        Self {
            added: Vec::new(),
            removed: Vec::new(),
            changed: Vec::new(),
        }
    }
}

impl<K, C> Members<K, C> {
    /// True when there is no difference.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }
}

/// A key whose value is different.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldChange {
    /// The key, with its table: `kernel.table`.
    pub key: String,
    /// The value before; `None` when it was left to the default.
    pub before: Option<String>,
    /// The value after.
    pub after: Option<String>,
}

/// What is different about a neighbour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NeighborChange {
    /// The keys.
    pub fields: Vec<FieldChange>,
    /// True if something negotiated or the connection itself changes, so that the session has to
    /// be made anew.
    pub session_restart: bool,
}

/// A route-map or list that is different, and who uses it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyChange {
    /// Which kind.
    pub kind: PolicyKind,
    /// Its name.
    pub name: String,
    /// New, gone or different.
    pub change: PolicyDifference,
    /// Where routes are affected, in the new configuration.
    pub used_by: Vec<PolicyUse>,
}

/// How a policy is different.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicyDifference {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// Its content is different, not counting what it refers to.
    Changed,
}

/// A place where a policy applies, directly or through a map that refers to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PolicyUse {
    /// Routes of a neighbour.
    Neighbor {
        /// Its address.
        address: ScopedAddr,
        /// The range, when these are all that come from one.
        range: Option<Prefix>,
        /// The family.
        family: Family,
        /// Which way.
        direction: Direction,
    },
    /// A network of ours.
    Network(Prefix),
    /// Routes of other programs.
    Redistribution {
        /// The family.
        family: Family,
        /// Who made them.
        source: SourceFilter,
        /// Their table, where it is another one than ours.
        table: Option<u32>,
    },
    /// An aggregate.
    Aggregate(Prefix),
    /// Routes between a VRF and EVPN.
    Overlay(Direction),
    /// Routes of the instance of this name.
    Instance(String),
}

/// What changes from `old` to `new`.
pub fn diff(old: &Config, new: &Config) -> Diff {
    let mut diff = Diff::default();
    for change in fields("", &print::top(old), &print::top(new)) {
        diff.file(change);
    }
    for ((name, old), (_, new)) in print::sections(old).iter().zip(&print::sections(new)) {
        for change in fields(name, old, new) {
            diff.file(change);
        }
    }
    diff.neighbors = members(
        &old.neighbors,
        &new.neighbors,
        |neighbor| neighbor.address,
        neighbor,
    );
    diff.listen_ranges = members(
        &old.listen_ranges,
        &new.listen_ranges,
        |range| range.prefix,
        range,
    );
    diff.interfaces = members(
        &old.interfaces,
        &new.interfaces,
        |neighbor| neighbor.interface.clone(),
        interface,
    );
    diff.imports = members(
        &old.imports,
        &new.imports,
        |import| import.from.clone(),
        |before, after| {
            let (before, after) = (print::import_fields(before), print::import_fields(after));
            let changes = fields("", &before, &after);
            (!changes.is_empty()).then_some(changes)
        },
    );
    diff.vnis = members(
        &old.vnis,
        &new.vnis,
        |vni| vni.id,
        |before, after| {
            let before = print::vni_fields(before, old);
            let changes = fields("", &before, &print::vni_fields(after, new));
            (!changes.is_empty()).then_some(changes)
        },
    );
    diff.host_interfaces = members(
        &old.host_interfaces,
        &new.host_interfaces,
        |interface| interface.name.clone(),
        |before, after| {
            let written = print::host_interface_fields;
            let changes = fields("", &written(before), &written(after));
            (!changes.is_empty()).then_some(changes)
        },
    );
    diff.static_routes = members(
        &old.static_routes,
        &new.static_routes,
        |route| route.key,
        |before, after| {
            let written = print::static_route_fields;
            let changes = fields("", &written(before), &written(after));
            (!changes.is_empty()).then_some(changes)
        },
    );
    diff.bfd = members(&old.bfd, &new.bfd, |it| it.path.clone(), bfd);
    diff.rpki = members(
        &old.rpki,
        &new.rpki,
        |cache| cache.address,
        |before, after| {
            let changes = fields("", &print::rpki_fields(before), &print::rpki_fields(after));
            (!changes.is_empty()).then_some(changes)
        },
    );
    diff.networks = networks(old, new);
    diff.aggregates = aggregates(old, new);
    diff.policies = policies(old, new);
    diff.no_room(old, new);
    diff.name_the_router([old, new].map(asn));
    diff
}

/// Its AS number, where there is one. Without `router bgp` a file in FRR's language has none; what stands
/// in for it speaks with nobody and is in no file.
fn asn(config: &Config) -> Option<String> {
    let nobody = config.listen.is_empty()
        && config.neighbors.is_empty()
        && config.listen_ranges.is_empty()
        && config.interfaces.is_empty();
    let stands_in = nobody && config.asn == Config::NO_ASN;
    (!stands_in).then(|| config.asn.to_string())
}

impl Diff {
    /// True when nothing changes.
    pub fn is_empty(&self) -> bool {
        *self == Diff::default()
    }

    /// A new listening socket has to wait for the end of one in its place, and Linux has no room for both.
    fn no_room(&mut self, old: &Config, new: &Config) {
        let opened = new.listen.iter().filter(|it| !old.listen.contains(it));
        let closed = || old.listen.iter().filter(|it| !new.listen.contains(it));
        let taken = |one: &SocketAddr| closed().any(|other| meet(one, other));
        if opened.clone().any(taken) {
            let listen = self.globals.extract_if(.., |change| change.key == "listen");
            self.restart_required.extend(listen);
        }
    }

    /// Where BGP begins or ends as a whole, that is said, and not with which values something stands in.
    fn name_the_router(&mut self, [before, after]: [Option<String>; 2]) {
        if before.is_some() == after.is_some() {
            return;
        }
        let stand_in = ["asn", "router_id", "listen"];
        for changes in [&mut self.globals, &mut self.identity] {
            changes.retain(|change| !stand_in.contains(&change.key.as_str()));
        }
        let or_none = |asn: Option<String>| asn.or_else(|| Some("none".to_owned()));
        let change = FieldChange {
            key: "router bgp".to_owned(),
            before: or_none(before),
            after: or_none(after),
        };
        self.globals.insert(0, change);
    }

    /// Puts a value outside of lists where it belongs.
    fn file(&mut self, change: FieldChange) {
        /// What sockets, sessions and kernel entries carry from the start on.
        const RESTART: [&str; 11] = [
            "vrf",
            "vrf_table",
            "kernel.enabled",
            "kernel.protocol",
            "kernel.table",
            "kernel.audit_interval",
            "kernel.nexthop_objects",
            "metrics.listen",
            "underlay.interface",
            "underlay.wireguard_socket",
            "log.format",
        ];
        /// What OPEN messages say, or what sessions are because of it.
        const IDENTITY: [&str; 4] = [
            "asn",
            "router_id",
            "router.confederation_id",
            "router.confederation_members",
        ];
        match change.key.as_str() {
            // Compared one by one.
            "ipv4_unicast.networks" | "ipv6_unicast.networks" => {}
            "ipv4_unicast.aggregates" | "ipv6_unicast.aggregates" => {}
            key if RESTART.contains(&key) => self.restart_required.push(change),
            key if IDENTITY.contains(&key) => self.identity.push(change),
            _ => self.globals.push(change),
        }
    }
}

/// Keys whose values differ.
fn fields(table: &str, old: &Fields, new: &Fields) -> Vec<FieldChange> {
    let mut values: BTreeMap<&str, (Option<&str>, Option<&str>)> = BTreeMap::new();
    for field in old.iter() {
        values.entry(field.key).or_default().0 = Some(&field.value);
    }
    for field in new.iter() {
        values.entry(field.key).or_default().1 = Some(&field.value);
    }
    let changed = values.into_iter().filter(|(_, (old, new))| old != new);
    let dot = if table.is_empty() { "" } else { "." };
    changed
        .map(|(key, (before, after))| FieldChange {
            key: format!("{table}{dot}{key}"),
            before: before.map(str::to_owned),
            after: after.map(str::to_owned),
        })
        .collect()
}

/// Compares two lists by what identifies their members.
fn members<T, K: Ord, C>(
    old: &[T],
    new: &[T],
    key: impl Fn(&T) -> K,
    change: impl Fn(&T, &T) -> Option<C>,
) -> Members<K, C> {
    let before: BTreeMap<K, &T> = old.iter().map(|member| (key(member), member)).collect();
    let mut after: BTreeMap<K, &T> = new.iter().map(|member| (key(member), member)).collect();
    let mut members = Members::default();
    for (key, old) in before {
        match after.remove(&key) {
            None => members.removed.push(key),
            Some(new) => members
                .changed
                .extend(change(old, new).map(|change| (key, change))),
        }
    }
    members.added.extend(after.into_keys());
    members
}

fn bfd(before: &BfdPeer, after: &BfdPeer) -> Option<Vec<FieldChange>> {
    let written = |peer| print::bfd_fields(peer, None);
    let mut changes = fields("", &written(before), &written(after));
    let keys = |peer: &BfdPeer| peer.settings.authentication.clone();
    changes.extend(other_keys(
        keys(before).as_ref(),
        keys(after).as_ref(),
        &changes,
        "authentication",
    ));
    (!changes.is_empty()).then_some(changes)
}

/// Secrets are written alike, whatever they are.
fn other_keys<T: PartialEq>(
    before: Option<&T>,
    after: Option<&T>,
    changes: &[FieldChange],
    key: &str,
) -> Option<FieldChange> {
    let (before, after) = (before?, after?);
    let unseen = before != after && !changes.iter().any(|change| change.key == key);
    unseen.then(|| FieldChange {
        key: key.to_owned(),
        before: Some(Password::HIDDEN.to_owned()),
        after: Some("another one".to_owned()),
    })
}

fn neighbor(before: &Neighbor, after: &Neighbor) -> Option<NeighborChange> {
    // Against one set of defaults, so that a changed default shows where it takes effect.
    let written = |neighbor| print::neighbor_fields(neighbor, GracefulRestart::default());
    settings((before, &written(before)), (after, &written(after)))
}

fn interface(before: &InterfaceNeighbor, after: &InterfaceNeighbor) -> Option<NeighborChange> {
    let written = |it| print::interface_fields(it, GracefulRestart::default());
    settings(
        (&before.settings, &written(before)),
        (&after.settings, &written(after)),
    )
}

fn range(before: &ListenRange, after: &ListenRange) -> Option<NeighborChange> {
    let written = |range| print::range_fields(range, GracefulRestart::default());
    settings(
        (&before.settings, &written(before)),
        (&after.settings, &written(after)),
    )
}

fn settings(
    (before, written_before): (&Neighbor, &Fields),
    (after, written_after): (&Neighbor, &Fields),
) -> Option<NeighborChange> {
    let mut fields = fields("", written_before, written_after);
    // Secrets are written alike, whatever they are.
    if let (Some(one), Some(two)) = (&before.signing, &after.signing)
        && one != two
        && !fields.iter().any(|field| field.key == one.key())
    {
        fields.push(FieldChange {
            key: two.key().to_owned(),
            before: Some(Password::HIDDEN.to_owned()),
            after: Some("another one".to_owned()),
        });
    }
    fields.extend(other_keys(
        before.bfd.as_ref(),
        after.bfd.as_ref(),
        &fields,
        "bfd",
    ));
    (!fields.is_empty()).then(|| NeighborChange {
        fields,
        session_restart: !before.shutdown
            && !after.shutdown
            && (negotiated(before) != negotiated(after)
                || !Signing::rolls_over(before.signing.as_ref(), after.signing.as_ref())),
    })
}

/// What an OPEN message says and what the connection is made with. While a session is shut down
/// there is none to be made anew.
fn negotiated(neighbor: &Neighbor) -> impl PartialEq {
    (
        (neighbor.remote_as, neighbor.local_as),
        neighbor.port,
        (neighbor.local_address, neighbor.source_interface.clone()),
        (neighbor.ttl_security, neighbor.multihop),
        (neighbor.role, neighbor.relation, neighbor.aigp),
        neighbor.timers.hold,
        neighbor.graceful_restart,
        Family::ALL.map(|family| {
            let settings = neighbor.families.get(family).as_ref();
            settings.map(|it| (it.add_path.receive, it.add_path.send.is_some()))
        }),
        (neighbor.reflector_client(), neighbor.server_client()),
    )
}

fn networks(old: &Config, new: &Config) -> Members<Prefix, FieldChange> {
    let all = |config: &Config| -> Vec<Network> {
        let (v4, v6) = (&config.ipv4_unicast, &config.ipv6_unicast);
        v4.networks.iter().chain(&v6.networks).cloned().collect()
    };
    members(
        &all(old),
        &all(new),
        |network| network.prefix,
        |before, after| {
            let (before, after) = (print::network(before), print::network(after));
            (before != after).then(|| FieldChange {
                key: "networks".to_owned(),
                before: Some(before),
                after: Some(after),
            })
        },
    )
}

fn aggregates(old: &Config, new: &Config) -> Members<Prefix, FieldChange> {
    let all = |config: &Config| -> Vec<Aggregate> { config.aggregates().cloned().collect() };
    members(
        &all(old),
        &all(new),
        |aggregate| aggregate.prefix,
        |before, after| {
            let (before, after) = (print::aggregate(before), print::aggregate(after));
            (before != after).then(|| FieldChange {
                key: "aggregates".to_owned(),
                before: Some(before),
                after: Some(after),
            })
        },
    )
}

/// Compares lists and maps by the words in which they are configured.
fn policies(old: &Config, new: &Config) -> Vec<PolicyChange> {
    let (before, after) = (written(old), written(new));
    let members = members(
        &before,
        &after,
        |policy| (policy.kind, policy.name),
        |before, after| {
            let changes = fields("", &before.fields, &after.fields);
            (!changes.is_empty()).then_some(())
        },
    );
    let changed = members.changed.into_iter().map(|(key, ())| key);
    let mut changes: Vec<PolicyChange> = [
        (members.added, PolicyDifference::Added),
        (members.removed, PolicyDifference::Removed),
        (changed.collect(), PolicyDifference::Changed),
    ]
    .into_iter()
    .flat_map(|(keys, change)| {
        keys.into_iter().map(move |(kind, name)| PolicyChange {
            kind,
            name: name.to_owned(),
            change,
            used_by: uses(new, kind, name),
        })
    })
    .collect();
    changes.sort_by_key(|change| change.kind);
    changes
}

/// Where a policy applies, directly or through a map that refers to it.
pub fn uses(config: &Config, kind: PolicyKind, name: &str) -> Vec<PolicyUse> {
    let maps = maps_that_use(config, kind, name);
    let concerns_map = |map: &Arc<RouteMap>| maps.contains(map.name());
    let concerns = |map: &Option<Arc<RouteMap>>| map.as_ref().is_some_and(concerns_map);
    let mut uses = Vec::new();
    let neighbors = config.neighbors.iter().map(|it| (it, None));
    let ranges = config.listen_ranges.iter();
    let ranges = ranges.map(|range| (&range.settings, Some(range.prefix)));
    let interfaces = config.interfaces.iter().map(|it| (&it.settings, None));
    for (neighbor, range) in neighbors.chain(ranges).chain(interfaces) {
        for (family, maps) in neighbor.families.iter() {
            let Some(maps) = maps else { continue };
            for (direction, map) in [
                (Direction::Import, concerns(&maps.import)),
                (
                    Direction::Export,
                    concerns(&maps.export) || maps.conditions().any(concerns_map),
                ),
            ] {
                if map {
                    uses.push(PolicyUse::Neighbor {
                        address: neighbor.address,
                        range,
                        family,
                        direction,
                    });
                }
            }
        }
    }
    let (v4, v6) = (&config.ipv4_unicast.networks, &config.ipv6_unicast.networks);
    let networks = v4
        .iter()
        .chain(v6)
        .filter(|network| concerns(&network.route_map));
    uses.extend(networks.map(|network| PolicyUse::Network(network.prefix)));
    for family in [Family::Ipv4Unicast, Family::Ipv6Unicast] {
        let unicast = config.unicast(family).into_iter();
        let items = unicast.flat_map(|unicast| &unicast.redistribute);
        let items = items.filter(|item| concerns(&item.route_map));
        uses.extend(items.map(|item| PolicyUse::Redistribution {
            family,
            source: item.source,
            table: item.table,
        }));
    }
    let l3vni = config.l3vni.as_ref();
    for (direction, map) in [
        (Direction::Import, l3vni.map(|it| &it.import)),
        (Direction::Export, l3vni.map(|it| &it.export)),
    ] {
        if map.is_some_and(concerns) {
            uses.push(PolicyUse::Overlay(direction));
        }
    }
    let imports = config.imports.iter().filter(|it| concerns(&it.route_map));
    uses.extend(imports.map(|import| PolicyUse::Instance(import.from.clone())));
    let aggregates = config.aggregates().filter(|it| it.maps().any(concerns_map));
    uses.extend(aggregates.map(|aggregate| PolicyUse::Aggregate(aggregate.prefix)));
    uses
}

/// The route-maps that are the policy, refer to it, or call a map that does.
fn maps_that_use<'c>(config: &'c Config, kind: PolicyKind, name: &str) -> BTreeSet<&'c str> {
    let mut found = BTreeSet::new();
    loop {
        let before = found.len();
        for map in &config.route_maps {
            let itself = kind == PolicyKind::RouteMap && map.name() == name;
            let refers = references(map).any(|(of, other)| {
                let called = of == PolicyKind::RouteMap && found.contains(other);
                called || (of, other) == (kind, name)
            });
            if itself || refers {
                found.insert(map.name());
            }
        }
        if found.len() == before {
            return found;
        }
    }
}

#[cfg(test)]
mod tests;
