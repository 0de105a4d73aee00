//! What this router announces of its own: the networks of the configuration, and routes of other
//! programs, and static ones of the configuration, that it takes over from the kernel
//! (redistribution).
//!
//! Nothing is remembered of what was announced. [`Own::origin`] says from the configuration and the
//! ground what is to be announced for a prefix, and whoever hears of a change asks again for the
//! prefixes it concerns ([`Own::concerned_by_route`], [`Own::concerned_by_link`],
//! [`Own::concerned_by_settings`]); the tables notice that most answers are no news. So the order in
//! which kernel, configuration and neighbours change plays no part, and half a million routes cost
//! nothing here.
//!
//! Of one prefix one route is announced: a network of the configuration goes before a route of
//! others, and of the entries of `redistribute` the first counts that takes the kernel's route. Of
//! several routes that the kernel has for a prefix in a table, only the one it uses counts. What is
//! never taken over: routes that we learned (`fib` does not tell of them), what is of one host or one link,
//! and what leads nowhere because no device it leaves through is up.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use bgp::attributes::{AttributeSet, NextHop, Notes, Origin as BgpOrigin};
use bgp::policy::{RouteMap, Verdict};
use bgp::rib::{Input, OWN_MED};
use bgp::rpki::Validation;
use bgp::{Family, InterfaceName, Nlri, Prefix, RouteSource, SourceFilter};
use fib::{Interface, Link, Links, RouteKind};

use crate::config::{Config, Network, Redistribution, RequireRoute};
use crate::ground::{Foreign, Ground};
use crate::statics::Statics;

/// What the kernel itself made.
pub(crate) const RTPROT_KERNEL: u8 = 2;
/// An ICMP redirect, which is about one host and passes.
const RTPROT_REDIRECT: u8 = 1;

/// What the configuration says about routes of our own.
#[derive(Debug, Default)]
pub(crate) struct Own {
    networks: BTreeMap<Prefix, Network>,
    /// Some networks depend on routes of others.
    conditional: bool,
    ipv4: Vec<Redistribution>,
    ipv6: Vec<Redistribution>,
    /// The table that our routes go into.
    table: u32,
    /// All in which routes of others are of interest.
    tables: BTreeSet<u32>,
    /// What route-maps validate origins by.
    validation: Option<Arc<Validation>>,
}

/// Why a route of our own is there.
#[derive(Debug)]
pub(crate) enum Origin<'a> {
    /// It is one of `networks`.
    Network,
    /// It was taken over from the kernel.
    Redistributed {
        /// The table it is in.
        table: u32,
        /// The kernel's route.
        route: &'a Foreign,
    },
}

/// Why one of `networks` is not announced.
#[derive(Debug)]
pub(crate) enum Absent<'a> {
    /// Others have no route to exactly this prefix.
    NoRoute,
    /// Nor to one within it.
    NoneWithin,
    /// This route-map holds it back.
    Denied(&'a str),
}

impl Own {
    pub(crate) fn of(config: &Config) -> Self {
        let (v4, v6) = (&config.ipv4_unicast, &config.ipv6_unicast);
        let networks = v4.networks.iter().chain(&v6.networks);
        let networks: BTreeMap<Prefix, Network> =
            networks.map(|it| (it.prefix, it.clone())).collect();
        let conditional = |network: &Network| network.require_route != RequireRoute::No;
        let table = config.kernel.table;
        let items = v4.redistribute.iter().chain(&v6.redistribute);
        let named = items.filter_map(|item| item.table);
        // The main table has the networks of interfaces, but for those of a VRF.
        let main = config.vrf.is_none().then_some(fib::RouteKey::MAIN);
        let fixed = Statics::tables(config);
        let tables = named.chain(main).chain([table]).chain(fixed).collect();
        Self {
            tables,
            conditional: networks.values().any(conditional),
            networks,
            ipv4: v4.redistribute.clone(),
            ipv6: v6.redistribute.clone(),
            table,
            validation: None,
        }
    }

    /// The same, validated by a table.
    pub(crate) fn validated_by(self, validation: Option<Arc<Validation>>) -> Self {
        Self { validation, ..self }
    }

    /// Origins are validated by this table from now on.
    pub(crate) fn set_validation(&mut self, validation: Option<Arc<Validation>>) {
        self.validation = validation;
    }

    /// Tables in which routes of others are of interest.
    pub(crate) fn tables(&self) -> &BTreeSet<u32> {
        &self.tables
    }

    /// True for a route of others in one of them.
    pub(crate) fn looks_into(&self, key: &fib::RouteKey) -> bool {
        self.tables.contains(&key.table())
    }

    /// Neighbours may be told next hops of others.
    pub(crate) fn has_gateways(&self, family: Family) -> bool {
        let connected = SourceFilter::Named("connected");
        self.items(family).iter().any(|it| it.source != connected)
    }

    /// What the tables are to be told about a prefix.
    pub(crate) fn input(&self, prefix: Prefix, ground: &Ground) -> Input {
        let nlri = Nlri::from(prefix);
        match self.decide(prefix, ground) {
            Some((_, set)) => Input::Originate(nlri, set),
            None => Input::Retract(nlri),
        }
    }

    /// Why a prefix is announced, if it is.
    pub(crate) fn origin<'a>(&self, prefix: Prefix, ground: &'a Ground) -> Option<Origin<'a>> {
        self.decide(prefix, ground).map(|(origin, _)| origin)
    }

    /// Why one of `networks` is not announced, if it is one and is not.
    pub(crate) fn absent(&self, prefix: Prefix, ground: &Ground) -> Option<Absent<'_>> {
        let network = self.networks.get(&prefix)?;
        if self.network_attributes(network, ground).is_some() {
            return None;
        }
        let denied = || {
            network
                .route_map
                .as_ref()
                .map(|map| Absent::Denied(map.name()))
        };
        lacks(network, ground).or_else(denied)
    }

    /// Whose answers may be different after a change of a route of others.
    pub(crate) fn concerned_by_route(&self, table: u32, prefix: Prefix) -> Vec<Prefix> {
        let mut concerned = Vec::new();
        let items = self.items_for(prefix);
        let listed = self.networks.contains_key(&prefix);
        if listed || items.iter().any(|item| self.table_of(item) == table) {
            concerned.push(prefix);
        }
        if self.conditional {
            let around = covering(prefix).skip(1);
            concerned.extend(around.filter(|it| self.networks.contains_key(it)));
        }
        concerned
    }

    /// The same after a change of a device.
    pub(crate) fn concerned_by_link(&self, index: u32, ground: &Ground) -> Vec<Prefix> {
        let through =
            |route: &Foreign| route.next_hops.iter().any(|hop| number(hop) == Some(index));
        if self.ipv4.is_empty() && self.ipv6.is_empty() {
            return Vec::new();
        }
        let routes = self
            .tables
            .iter()
            .flat_map(|table| ground.announceable(*table));
        let routes = routes.filter(|(_, route)| through(route));
        routes.map(|(prefix, _)| prefix).collect()
    }

    /// The same after a change of the configuration from `old`.
    pub(crate) fn concerned_by_settings(&self, old: &Self, ground: &Ground) -> BTreeSet<Prefix> {
        let differs = |prefix: &&Prefix| self.networks.get(prefix) != old.networks.get(prefix);
        let networks = self.networks.keys().chain(old.networks.keys());
        let mut concerned: BTreeSet<Prefix> = networks.filter(differs).copied().collect();
        for family in [Family::Ipv4Unicast, Family::Ipv6Unicast] {
            let (before, now) = (old.items(family), self.items(family));
            for item in differing(before, now) {
                concerned.extend(self.selected_by(item, family, ground));
            }
        }
        concerned
    }

    /// The same after a change of what origins are validated by.
    pub(crate) fn concerned_by_validation(&self, ground: &Ground) -> BTreeSet<Prefix> {
        let asks = |map: &Option<Arc<RouteMap>>| map.as_ref().is_some_and(|it| it.validates());
        let networks = self.networks.values().filter(|it| asks(&it.route_map));
        let mut concerned: BTreeSet<Prefix> = networks.map(|it| it.prefix).collect();
        for family in [Family::Ipv4Unicast, Family::Ipv6Unicast] {
            let items = self.items(family).iter().filter(|it| asks(&it.route_map));
            concerned.extend(items.flat_map(|item| self.selected_by(item, family, ground)));
        }
        concerned
    }

    /// Prefixes whose route in the kernel an entry may take.
    fn selected_by<'a>(
        &self,
        item: &'a Redistribution,
        family: Family,
        ground: &'a Ground,
    ) -> impl Iterator<Item = Prefix> + use<'a> {
        let routes = ground.announceable(self.table_of(item));
        let selected = routes.filter(move |(prefix, route)| {
            Nlri::from(*prefix).family() == family && item.source.selects(source(route))
        });
        selected.map(|(prefix, _)| prefix)
    }

    fn judged(
        &self,
        map: Option<&RouteMap>,
        prefix: Prefix,
        set: AttributeSet,
    ) -> Option<AttributeSet> {
        let Some(map) = map else { return Some(set) };
        let nlri = Nlri::from(prefix);
        let verdict = match map.validates() {
            true => {
                map.validated_by(self.validation.as_ref())
                    .evaluate(&nlri, &set.freeze(), None)
            }
            false => map.evaluate(&nlri, &set.freeze(), None),
        };
        match verdict {
            Verdict::Accept => Some(set),
            Verdict::Change { set, .. } => Some(set),
            Verdict::Reject => None,
        }
    }

    fn network_attributes(&self, network: &Network, ground: &Ground) -> Option<AttributeSet> {
        let due = lacks(network, ground).is_none();
        let mut set = AttributeSet::new(ourselves(network.prefix));
        set.med = Some(OWN_MED);
        due.then(|| self.judged(network.route_map.as_deref(), network.prefix, set))
            .flatten()
    }

    /// What a route of others is announced with, if it is.
    fn taken_over(
        &self,
        item: &Redistribution,
        prefix: Prefix,
        (route, tag): (&Foreign, Option<u32>),
        links: &Links,
    ) -> Option<AttributeSet> {
        let source = source(route);
        if !item.source.selects(source) || is_never_taken(prefix, route) || !leads(route, links) {
            return None;
        }
        let mut set = AttributeSet::new(next_hop(prefix, route));
        set.origin = BgpOrigin::Incomplete;
        set.med = Some(item.metric.unwrap_or_else(|| metric(route, source)));
        let device = route.next_hops.first().and_then(number);
        let device = device.and_then(|index| links.get(index));
        set.notes = Notes {
            tag,
            source: Some(source),
            interface: device.and_then(|link| InterfaceName::new(link.name.as_str())),
            ..Notes::default()
        };
        self.judged(item.route_map.as_deref(), prefix, set)
    }

    fn items(&self, family: Family) -> &[Redistribution] {
        match family {
            Family::Ipv4Unicast => &self.ipv4,
            Family::Ipv6Unicast => &self.ipv6,
            Family::Evpn => &[],
        }
    }

    fn items_for(&self, prefix: Prefix) -> &[Redistribution] {
        match prefix {
            Prefix::V4(_) => &self.ipv4,
            Prefix::V6(_) => &self.ipv6,
        }
    }

    fn table_of(&self, item: &Redistribution) -> u32 {
        item.table.unwrap_or(self.table)
    }

    fn decide<'a>(
        &self,
        prefix: Prefix,
        ground: &'a Ground,
    ) -> Option<(Origin<'a>, AttributeSet)> {
        let network = self.networks.get(&prefix);
        let network = network.and_then(|network| self.network_attributes(network, ground));
        if let Some(set) = network {
            return Some((Origin::Network, set));
        }
        self.items_for(prefix).iter().find_map(|item| {
            let table = self.table_of(item);
            let route = ground.announceable_at(table, prefix)?;
            let fixed = ground.fixed(table, prefix).filter(|_| route.fixed);
            let tag = fixed.and_then(|fixed| fixed.tag);
            let set = self.taken_over(item, prefix, (route, tag), &ground.links)?;
            Some((Origin::Redistributed { table, route }, set))
        })
    }
}

/// The route of others that a network waits for.
fn lacks(network: &Network, ground: &Ground) -> Option<Absent<'static>> {
    let (there, absent) = match network.require_route {
        RequireRoute::No => return None,
        RequireRoute::Exact => (ground.has(network.prefix), Absent::NoRoute),
        RequireRoute::OrMoreSpecific => (ground.has_within(network.prefix), Absent::NoneWithin),
    };
    (!there).then_some(absent)
}

/// Entries that are not in both lists, or all when their order is another one.
fn differing<'a>(
    before: &'a [Redistribution],
    now: &'a [Redistribution],
) -> Vec<&'a Redistribution> {
    let kept_before: Vec<_> = before.iter().filter(|it| now.contains(it)).collect();
    let kept_now: Vec<_> = now.iter().filter(|it| before.contains(it)).collect();
    let all = before.iter().chain(now);
    match kept_before == kept_now {
        true => all.filter(|it| !kept_now.contains(it)).collect(),
        false => all.collect(),
    }
}

/// Who made it. Of what the kernel itself makes, networks of interfaces have no gateway.
pub(crate) fn source(route: &Foreign) -> RouteSource {
    let direct =
        !route.next_hops.is_empty() && route.next_hops.iter().all(|it| it.gateway.is_none());
    RouteSource {
        protocol: route.protocol,
        connected: route.protocol == RTPROT_KERNEL && route.kind == RouteKind::Unicast && direct,
    }
}

/// Of one host, one link or a group; or the kernel's own way of saying that there is no route.
fn is_never_taken(prefix: Prefix, route: &Foreign) -> bool {
    let refused_by_kernel = route.protocol == RTPROT_KERNEL && route.kind != RouteKind::Unicast;
    let local = match prefix.addr() {
        IpAddr::V4(addr) => {
            addr.is_loopback()
                || addr.is_link_local()
                || addr.is_multicast()
                || addr.is_broadcast()
                || addr.octets()[0] == 0 && prefix.len() >= 8
        }
        IpAddr::V6(addr) => {
            addr.is_loopback()
                || addr.is_unicast_link_local() && prefix.len() >= 10
                || addr.is_multicast()
        }
    };
    local || refused_by_kernel || route.protocol == RTPROT_REDIRECT
}

/// One of the devices that it leaves through can send. What drops packets needs none.
fn leads(route: &Foreign, links: &Links) -> bool {
    let works = |link: &Link| link.up && link.running;
    let mut devices = route.next_hops.iter().filter_map(number);
    route.kind != RouteKind::Unicast || devices.any(|index| links.get(index).is_some_and(works))
}

/// Its only gateway, which a neighbour on the same network may be told; else ourselves.
fn next_hop(prefix: Prefix, route: &Foreign) -> NextHop {
    let [hop] = &*route.next_hops else {
        return ourselves(prefix);
    };
    match hop.gateway {
        Some(gateway @ IpAddr::V4(_)) if prefix.addr().is_ipv4() => gateway.into(),
        Some(IpAddr::V6(gateway)) if prefix.addr().is_ipv6() => {
            match gateway.is_unicast_link_local() {
                true => ourselves(prefix),
                false => IpAddr::V6(gateway).into(),
            }
        }
        Some(_) | None => ourselves(prefix),
    }
}

fn ourselves(prefix: Prefix) -> NextHop {
    match prefix {
        Prefix::V4(_) => NextHop::V4(Ipv4Addr::UNSPECIFIED),
        Prefix::V6(_) => NextHop::V6(Ipv6Addr::UNSPECIFIED),
    }
}

/// As FRR has it: nothing for networks of interfaces, and of the kernel's priority what is below the
/// octet that stands for a distance there.
fn metric(route: &Foreign, source: RouteSource) -> u32 {
    match source.connected {
        true => 0,
        false => route.metric & 0x00ff_ffff,
    }
}

fn number(hop: &fib::NextHop) -> Option<u32> {
    match hop.interface {
        Some(Interface::Index(index)) => Some(index),
        Some(Interface::Name(_)) | None => None,
    }
}

/// A prefix and those that contain it, longest first.
fn covering(prefix: Prefix) -> impl Iterator<Item = Prefix> {
    let shorter = (0..=prefix.len()).rev();
    shorter.filter_map(move |len| Prefix::new(prefix.addr(), len))
}

#[cfg(test)]
mod tests;
