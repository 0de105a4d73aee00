//! One router: the order of events does not matter, and what comes out is what a plain
//! recomputation from all facts gives.
//!
//! The one order that is kept is the protocol's own: an address learned here before a claim of
//! another site to it, or after (RFC 7432 §15).

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::path::is_group_or_zero;

/// The last two have the same low 16 bits, so that their distinguishers depend on each other.
const VNIS: [u32; 3] = [100, 4_464, 70_000];
const OURS: u8 = 2;

#[derive(Debug, Clone)]
enum Event {
    Vtep(Option<IpAddr>),
    Vni(Vni, Option<VniConfig>),
    Route(EvpnKey, Option<Arc<Path>>),
    Mac(Vni, MacAddress, bool, bool),
    Neighbour(Vni, IpAddr, MacAddress, bool),
}

fn apply(instance: &mut Instance, event: Event) {
    match event {
        Event::Vtep(vtep) => instance.handle(now(), Input::SetVtep(vtep)),
        Event::Vni(vni, Some(config)) => instance.handle(now(), Input::SetVni { vni, config }),
        Event::Vni(vni, None) => instance.handle(now(), Input::RemoveVni(vni)),
        Event::Route(key, path) => instance.route(key, path),
        Event::Mac(vni, mac, present, sticky) => instance.handle(
            now(),
            Input::LocalMac {
                vni,
                mac,
                present,
                sticky,
            },
        ),
        Event::Neighbour(vni, ip, mac, present) => instance.handle(
            now(),
            Input::LocalNeighbour {
                vni,
                ip,
                mac,
                present,
            },
        ),
    }
}

/// May these two change places?
fn independent(one: &Event, other: &Event) -> bool {
    let learned_before = |event: &Event, key: &EvpnKey| match (event, key) {
        (Event::Mac(_, mac, true, _), EvpnKey::MacIp { mac: other, .. }) => mac == other,
        (Event::Neighbour(_, ip, _, true), EvpnKey::MacIp { ip: other, .. }) => {
            Some(*ip) == *other
        }
        _ => false,
    };
    match (one, other) {
        (Event::Vtep(_), Event::Vtep(_)) => false,
        (Event::Vni(one, _), Event::Vni(other, _)) => one != other,
        (Event::Route(one, _), Event::Route(other, _)) => one != other,
        (Event::Mac(vni, mac, ..), Event::Mac(of, other, ..)) => (vni, mac) != (of, other),
        (Event::Neighbour(vni, ip, ..), Event::Neighbour(of, other, ..)) => {
            (vni, ip) != (of, other)
        }
        (Event::Route(key, _), event) | (event, Event::Route(key, _)) => {
            !learned_before(event, key)
        }
        _ => true,
    }
}

/// What the world was told, by applying outputs.
#[derive(Debug, Default, PartialEq)]
struct World {
    routes: BTreeMap<EvpnKey, AttributeSet>,
    macs: BTreeMap<(Vni, MacAddress), RemoteMac>,
    floods: BTreeSet<(Vni, Tunnel)>,
    neighbours: BTreeMap<(Vni, IpAddr), (MacAddress, IpAddr)>,
}

impl World {
    /// Applies outputs; removing what is not there is a mistake.
    fn take(&mut self, instance: &mut Instance) {
        while let Some(output) = instance.poll() {
            match output {
                Output::Import { .. } | Output::Unimport { .. } => panic!("no VRF is configured"),
                Output::Originate { key, attributes } => {
                    let new = Some(&*attributes) != self.routes.get(&key);
                    assert!(new, "told again: {key}");
                    self.routes.insert(key, (*attributes).clone());
                }
                Output::Withdraw { key } => assert!(self.routes.remove(&key).is_some()),
                Output::SetMac { vni, mac, remote } => {
                    self.macs.insert((vni, mac), remote);
                }
                Output::RemoveMac { vni, mac } => {
                    assert!(self.macs.remove(&(vni, mac)).is_some());
                }
                Output::SetFlood { vni, tunnel } => assert!(self.floods.insert((vni, tunnel))),
                Output::RemoveFlood { vni, tunnel } => {
                    assert!(self.floods.remove(&(vni, tunnel)));
                }
                Output::SetNeighbour { vni, ip, mac, vtep } => {
                    self.neighbours.insert((vni, ip), (mac, vtep));
                }
                Output::RemoveNeighbour { vni, ip } => {
                    assert!(self.neighbours.remove(&(vni, ip)).is_some());
                }
                Output::DuplicateFound(_) | Output::DuplicateOver { .. } => {}
            }
        }
    }
}

/// A plain recomputation: no index, no ledger, no increments.
#[derive(Default)]
struct Model {
    vtep: Option<IpAddr>,
    vnis: BTreeMap<Vni, VniConfig>,
    routes: BTreeMap<EvpnKey, Arc<Path>>,
    /// Static or not, and the claims known when it was learned.
    macs: BTreeMap<(Vni, MacAddress), (bool, Known)>,
    bindings: BTreeMap<(Vni, IpAddr), (MacAddress, Known)>,
}

type Known = Vec<Arc<Path>>;

type Rank = (bool, u32, Reverse<IpAddr>);

impl Model {
    fn of(events: &[Event]) -> Self {
        let mut model = Self::default();
        for event in events.iter().cloned() {
            match event {
                Event::Vtep(vtep) => model.vtep = vtep,
                Event::Vni(vni, Some(config)) => drop(model.vnis.insert(vni, config)),
                Event::Vni(vni, None) => drop(model.vnis.remove(&vni)),
                Event::Route(key, Some(path)) => drop(model.routes.insert(key, path)),
                Event::Route(key, None) => drop(model.routes.remove(&key)),
                Event::Mac(vni, mac, false, _) => drop(model.macs.remove(&(vni, mac))),
                Event::Mac(vni, mac, true, sticky) => {
                    let known = model.known(|of, _| *of == mac);
                    let entry = model.macs.entry((vni, mac)).or_default();
                    entry.0 = sticky;
                    entry.1.extend(known);
                }
                Event::Neighbour(vni, ip, mac, false) => {
                    if model
                        .bindings
                        .get(&(vni, ip))
                        .is_some_and(|(of, _)| *of == mac)
                    {
                        model.bindings.remove(&(vni, ip));
                    }
                }
                Event::Neighbour(vni, ip, mac, true) => {
                    let known = model.known(|of, at| *of != mac && *at == Some(ip));
                    let entry = model.bindings.entry((vni, ip)).or_insert((mac, vec![]));
                    if entry.0 != mac {
                        *entry = (mac, vec![]);
                    }
                    entry.1.extend(known);
                }
            }
        }
        model
    }

    fn known(&self, select: impl Fn(&MacAddress, &Option<IpAddr>) -> bool) -> Known {
        let claims = self
            .routes
            .iter()
            .filter(|(key, _)| matches!(key, EvpnKey::MacIp { mac, ip, .. } if select(mac, ip)));
        claims.map(|(_, path)| Arc::clone(path)).collect()
    }

    fn imports(&self, vni: Vni, path: &Path) -> bool {
        let config = &self.vnis[&vni];
        path.targets.iter().any(|target| {
            let number = target.route_target_of_as().map(|(_, number)| number);
            if config.import_targets.is_empty() {
                number == Some(vni.get()) || number == Some(vni.get() | 1 << 28)
            } else {
                config.import_targets.iter().any(|import| match import {
                    crate::ImportTarget::Exact(exact) => exact == target,
                    crate::ImportTarget::AnyAs(any) => number == Some(*any),
                })
            }
        })
    }

    fn usable(&self, vni: Vni, own: IpAddr, path: &Path) -> bool {
        self.imports(vni, path)
            && path.vxlan
            && path.vtep != own
            && path.vtep.is_ipv4() == own.is_ipv4()
    }

    fn after(&self, vni: Vni, witnesses: &[Arc<Path>]) -> u32 {
        let claims = witnesses
            .iter()
            .filter(|path| path.vxlan && self.imports(vni, path));
        claims.map(|path| path.sequence + 1).max().unwrap_or(0)
    }

    fn remote_claims(&self, vni: Vni, own: IpAddr) -> Vec<(Rank, MacAddress, Option<IpAddr>)> {
        let gateway = self.vnis[&vni].gateway_mac;
        let mut claims = Vec::new();
        for (key, path) in &self.routes {
            if let EvpnKey::MacIp { mac, ip, .. } = key
                && self.usable(vni, own, path)
                && gateway != Some(*mac)
                && !is_group_or_zero(*mac)
            {
                let rank = (path.sticky, path.sequence, Reverse(path.vtep));
                claims.push((rank, *mac, *ip));
            }
        }
        claims
    }

    fn local_rank(&self, vni: Vni, own: IpAddr, mac: MacAddress) -> Option<Rank> {
        if self.vnis[&vni].gateway_mac == Some(mac) {
            return None;
        }
        let (sticky, witnesses) = self.macs.get(&(vni, mac))?;
        let bindings = self.bindings.iter();
        let rebound = bindings
            .filter(|((of, _), (bound, _))| *of == vni && *bound == mac)
            .map(|(_, (_, witnesses))| self.after(vni, witnesses));
        let sequence = rebound.fold(self.after(vni, witnesses), u32::max);
        Some((*sticky, sequence, Reverse(own)))
    }

    /// The best claim to a MAC; ours is one.
    fn owner(&self, vni: Vni, own: IpAddr, mac: MacAddress) -> Option<Rank> {
        let remotes = self.remote_claims(vni, own).into_iter();
        remotes
            .filter(|(_, of, _)| *of == mac)
            .map(|(rank, _, _)| rank)
            .chain(self.local_rank(vni, own, mac))
            .max()
    }

    fn world(&self) -> World {
        let mut world = World::default();
        let Some(own) = self.vtep else {
            return world;
        };
        for (vni, config) in &self.vnis {
            if config.enabled {
                self.vni_world(*vni, config, own, &mut world);
            }
        }
        world
    }

    fn vni_world(&self, vni: Vni, config: &VniConfig, own: IpAddr, world: &mut World) {
        let [_, _, high, low] = vni.get().to_be_bytes();
        let taken = vni.get() == 70_000 && self.vnis.keys().any(|vni| vni.get() == 4_464);
        let number = u16::from_be_bytes([high, low]) + u16::from(taken);
        let rd = bgp::RouteDistinguisher::of_address([10, 10, 0, OURS].into(), number);
        let exports = config.exports(bgp::Asn(65000 + u32::from(OURS)), vni);
        let mut network = Network::new(vni, config.clone(), Ok(rd), exports, None);
        world.routes.extend(
            network
                .flood_route(own)
                .into_iter()
                .chain(network.gateway_routes(own))
                .map(|(key, attributes)| (key, (*attributes).clone())),
        );
        let mut tell = |mac, ip, rank: Rank, world: &mut World| {
            let claim = crate::mobility::Claim {
                sticky: rank.0,
                sequence: rank.1,
                vtep: rank.2.0,
            };
            let key = network.mac_key(mac, ip).unwrap();
            let attributes = network.mac_attributes(claim, ip);
            world.routes.insert(key, (*attributes).clone());
        };
        for (key, path) in &self.routes {
            if matches!(key, EvpnKey::InclusiveMulticast { .. })
                && path.tunnel_type == Some(6)
                && self.usable(vni, own, path)
            {
                let label = path.tunnel_label.and_then(Vni::new).unwrap();
                let vtep = path.vtep;
                world.floods.insert((vni, Tunnel { vtep, vni: label }));
            }
        }
        let claims = self.remote_claims(vni, own);
        let macs: BTreeSet<MacAddress> = claims
            .iter()
            .map(|(_, mac, _)| *mac)
            .chain(
                self.macs
                    .keys()
                    .filter(|(of, _)| *of == vni)
                    .map(|(_, mac)| *mac),
            )
            .collect();
        for mac in macs {
            match self.owner(vni, own, mac) {
                None => {}
                Some(rank) if rank.2.0 == own => tell(mac, None, rank, world),
                Some((sticky, sequence, Reverse(vtep))) => {
                    // Of equal routes of a site the first by key counts.
                    let label = self.routes.iter().find_map(|(key, path)| {
                        let rank = (path.sticky, path.sequence, path.vtep);
                        let same = mac_of(key) == Some(mac)
                            && rank == (sticky, sequence, vtep)
                            && self.usable(vni, own, path);
                        same.then(|| Vni::new(path.tail.label).unwrap())
                    });
                    let label = label.unwrap();
                    let remote = RemoteMac {
                        tunnel: Tunnel { vtep, vni: label },
                        sticky,
                        sequence,
                    };
                    world.macs.insert((vni, mac), remote);
                }
            }
        }
        for last in 1..=9 {
            let ip = ip(last);
            if config.gateway_ips.contains(&ip) {
                continue;
            }
            let ours = self.bindings.get(&(vni, ip)).map(|(mac, _)| *mac);
            let local = ours
                .and_then(|mac| Some((self.owner(vni, own, mac)?, mac, own)))
                .filter(|(rank, ..)| rank.2.0 == own);
            // The last of equal ones is taken, so the first by key comes last.
            let best = local
                .into_iter()
                .chain(claims.iter().rev().filter_map(|(rank, mac, bound)| {
                    let Reverse(at) = self.owner(vni, own, *mac)?.2;
                    let elsewhere = *bound == Some(ip) && at != own;
                    elsewhere.then_some((*rank, *mac, at))
                }))
                .max_by_key(|(rank, ..)| *rank);
            match best {
                None => {}
                Some((rank, mac, at)) if at == own => tell(mac, Some(ip), rank, world),
                Some((_, mac, at)) => {
                    world.neighbours.insert((vni, ip), (mac, at));
                }
            }
        }
    }
}

fn any_vni() -> impl Strategy<Value = Vni> {
    prop::sample::select(&VNIS[..]).prop_map(vni)
}

fn any_mac() -> impl Strategy<Value = MacAddress> {
    prop_oneof![9 => (1..=3u8).prop_map(mac), 1 => Just(mac(0xfe))]
}

fn any_config() -> impl Strategy<Value = VniConfig> {
    (any::<bool>(), 0..4u8, any::<bool>()).prop_map(|(enabled, imports, gateway)| {
        let mut config = VniConfig::new("x").enabled(enabled || imports > 0);
        match imports {
            1 => config = config.import_target("65003:100".parse().unwrap()),
            2 => {
                config = config
                    .import_target("*:100".parse().unwrap())
                    .import_target("*:4464".parse().unwrap());
            }
            3 => config = config.export_target("65000:7".parse().unwrap()),
            _ => {}
        }
        if gateway {
            config = config
                .gateway(Some(mac(0xfe)), vec![ip(3)])
                .advertise_gateway(true);
        }
        config
    })
}

fn any_path() -> impl Strategy<Value = Arc<Path>> {
    let number = prop::sample::select(&VNIS[..]);
    let sequence = prop_oneof![3 => Just(0), 1 => 1..4u32];
    (
        1..=4u8,
        number,
        sequence,
        prop::bool::weighted(0.1),
        0..10u8,
    )
        .prop_map(|(site, number, sequence, sticky, odd)| {
            let mut remote = from(site).sequence(sequence);
            (remote.vni, remote.sticky) = (number, sticky);
            if odd == 0 {
                let nvgre = ExtendedCommunity([3, 0x0c, 0, 0, 0, 0, 0, 9]);
                remote.extra.push(nvgre);
            }
            let mut set = remote.attributes();
            if odd == 0 {
                set.extended_communities
                    .retain(|community| *community != ExtendedCommunity::ENCAPSULATION_VXLAN);
            }
            if odd == 1 {
                set.next_hop = "2001:db8::1".parse::<IpAddr>().unwrap().into();
            }
            set.pmsi_tunnel = (odd > 2).then(|| bgp::attributes::PmsiTunnel {
                flags: 0,
                tunnel_type: 6,
                label: number,
                identifier: Box::new([10, 10, 0, site]),
            });
            Arc::new(Path::from(&set))
        })
}

fn any_key() -> impl Strategy<Value = EvpnKey> {
    let ip = prop_oneof![Just(None), (1..=3u8).prop_map(|last| Some(ip(last)))];
    (1..=4u8, 0..5u8, any_mac(), ip).prop_map(|(number, kind, mac, ip)| {
        let rd = format!("10.10.0.{number}:1").parse().unwrap();
        if kind == 0 {
            EvpnKey::InclusiveMulticast {
                rd,
                tag: 0,
                originator: vtep(number),
            }
        } else {
            EvpnKey::MacIp {
                rd,
                tag: 0,
                mac,
                ip,
            }
        }
    })
}

fn any_event() -> impl Strategy<Value = Event> {
    let own = prop_oneof![
        4 => Just(Some(vtep(OURS))),
        1 => Just(None),
        1 => Just(Some(vtep(9))),
    ];
    let path = prop::option::weighted(0.75, any_path());
    let present = || prop::bool::weighted(0.75);
    prop_oneof![
        1 => own.prop_map(Event::Vtep),
        2 => (any_vni(), prop::option::weighted(0.8, any_config()))
            .prop_map(|(vni, config)| Event::Vni(vni, config)),
        6 => (any_key(), path).prop_map(|(key, path)| Event::Route(key, path)),
        4 => (any_vni(), any_mac(), present(), prop::bool::weighted(0.1))
            .prop_map(|(vni, mac, present, sticky)| Event::Mac(vni, mac, present, sticky)),
        3 => (any_vni(), 1..=3u8, any_mac(), present())
            .prop_map(|(vni, last, mac, present)| Event::Neighbour(vni, ip(last), mac, present)),
    ]
}

fn without_vtep() -> Instance {
    let mut instance = site(OURS);
    instance.handle(now(), Input::SetVtep(None));
    instance
}

/// What is shown, except for what counts what happened.
fn shown(instance: &Instance) -> (Vec<crate::VniStatus>, Vec<crate::MacStatus>) {
    let mut macs = instance.macs(None);
    for status in &mut macs {
        (status.moves, status.duplicate) = (0, None);
        // Whether a machine here had to give way is remembered, and counts for nothing.
        if status.kind == Kind::Remote && status.sticky {
            (status.reason, status.conflict) = (Reason::Won(Rule::Sticky), None);
        }
    }
    (instance.vnis(), macs)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn any_order_of_events_ends_in_the_same_state(
        events in prop::collection::vec(any_event(), 2..50),
        swaps in prop::collection::vec(any::<prop::sample::Index>(), 0..600),
    ) {
        let mut shuffled = events.clone();
        for swap in swaps {
            let at = swap.index(shuffled.len() - 1);
            if independent(&shuffled[at], &shuffled[at + 1]) {
                shuffled.swap(at, at + 1);
            }
        }
        let mut one = without_vtep();
        let mut one_world = World::default();
        for event in events {
            apply(&mut one, event);
            one_world.take(&mut one);
        }
        let mut other = without_vtep();
        let mut other_world = World::default();
        for event in shuffled {
            apply(&mut other, event);
        }
        other_world.take(&mut other);
        prop_assert_eq!(one_world, other_world);
        prop_assert_eq!(shown(&one), shown(&other));
    }

    #[test]
    fn the_state_is_what_a_plain_recomputation_gives(
        events in prop::collection::vec(any_event(), 0..60),
    ) {
        let mut instance = without_vtep();
        let mut world = World::default();
        for (count, event) in events.iter().enumerate() {
            apply(&mut instance, event.clone());
            world.take(&mut instance);
            let model = Model::of(&events[..=count]).world();
            prop_assert_eq!(&world, &model, "after event {}", count);
        }
    }

    #[test]
    fn nothing_is_left_when_every_fact_is_taken_back(
        events in prop::collection::vec(any_event(), 0..60),
    ) {
        let mut instance = without_vtep();
        for event in &events {
            apply(&mut instance, event.clone());
        }
        for event in events {
            apply(&mut instance, match event {
                Event::Vtep(_) => Event::Vtep(None),
                Event::Vni(vni, _) => Event::Vni(vni, None),
                Event::Route(key, _) => Event::Route(key, None),
                Event::Mac(vni, mac, _, sticky) => Event::Mac(vni, mac, false, sticky),
                Event::Neighbour(vni, ip, mac, _) => Event::Neighbour(vni, ip, mac, false),
            });
        }
        let mut world = World::default();
        world.take(&mut instance);
        prop_assert_eq!(world, World::default());
        let facts = &instance.facts;
        prop_assert!(facts.stations.is_empty(), "{:?}", facts.stations);
        prop_assert!(facts.hosts.is_empty() && facts.floods.is_empty());
        prop_assert_eq!(facts.routes.iter().count(), 0);
    }
}
