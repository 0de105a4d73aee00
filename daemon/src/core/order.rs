//! Every order of the events of a small scenario ends in the same place, where the tables and the
//! kernel meet: the same routes told, the same devices and entries, the same answers.
//!
//! A core as it runs, on a host that is a model ([`fib::model`]): what the core asks for is planned and
//! applied, and what came of it is told back, after each event. `evpn` and `fib` have tests of their own
//! for what each of them makes of every order; here is what stands between them: wishes that wait for
//! a device, for the underlay or for a VRF, entries of networks that are not there yet, a
//! configuration that is read anew in between.
//!
//! Not here: sockets and sessions. The neighbour is a peer of the tables.

use std::collections::BTreeSet;
use std::net::IpAddr;

use bgp::attributes::{NextHop, PmsiTunnel, Segment, SegmentKind};
use bgp::policy::Policy;
use bgp::rib::{PeerFacts, PeerFamily, Select};
use bgp::{Asn, AttributeSet, EvpnKey, EvpnTail, ExtendedCommunity};
use fib::model::Host;
use fib::{Link, LinkKind};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;

use super::*;
use crate::bfd_share;
use crate::config;
use crate::exchange::{Mail, Note};
use crate::tasks::{Listening, Registry, Senders};

const PEER: PeerId = PeerId(1000);
const LOCAL: [u8; 4] = [10, 0, 0, 1];
const REMOTE: [u8; 4] = [10, 0, 0, 2];

/// What happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum What {
    /// The underlay's device shows up, with our tunnel endpoint.
    Underlay,
    /// The VRF device of a network does, which somebody else makes.
    Vrf,
    /// A network in that VRF is configured.
    Network,
    /// Another one is, in no VRF.
    Other,
    /// The neighbour comes, and tells its hosts in both networks.
    Peer,
    /// The first network's bridge learns a MAC address here.
    Mac,
    /// It resolves an IP address to it.
    Neighbour,
    /// The host has an address of its own in the second network.
    Svi,
    /// Duplicates are detected otherwise: a reload that is about no network.
    Settings,
    /// The router gets another identifier and another AS number.
    Identity,
}

use What::{Identity, Mac, Neighbour, Network, Other, Peer, Settings, Svi, Underlay, Vrf};

/// A core with its host.
struct World {
    core: Core,
    host: Host,
    /// What is configured of what may be.
    configured: BTreeSet<What>,
    // What the core holds the other ends of.
    _runtime: Runtime,
    _settings: watch::Receiver<ServiceSettings>,
}

impl World {
    fn new() -> Self {
        Self::of(config(&BTreeSet::new()), [])
    }

    /// One that begins with this configuration on a host that has these devices.
    fn of(config: Config, links: impl IntoIterator<Item = Link>) -> Self {
        let mut world = Self::begun(config, links);
        world.core.take(Wake::Kernel(fib::Event::Ready));
        world.settle();
        world
    }

    /// The same, before it knows what is in the kernel.
    fn begun(config: Config, links: impl IntoIterator<Item = Link>) -> Self {
        Self::begun_in(None, Hub::default(), config, links)
    }

    /// The same, with a state directory, and with a hub that knows which VRFs there are at the start.
    fn begun_in(
        state: Option<StateDir>,
        hub: Hub,
        config: Config,
        links: impl IntoIterator<Item = Link>,
    ) -> Self {
        let runtime = Builder::new_current_thread().build().unwrap();
        let (kernel, mut host) = Host::new().unwrap();
        links.into_iter().for_each(|link| host.link(link));
        let registry = Registry::default();
        let (events, event_queue) = mpsc::channel(EVENTS_MAX);
        let (written, written_queue) = mpsc::unbounded_channel();
        let (orders, order_queue) = mpsc::channel(1);
        let (sightings, sighting_queue) = mpsc::channel(1);
        let senders = Senders {
            events,
            written,
            orders,
            sightings,
        };
        let (handle, listening) = (runtime.handle().clone(), Listening::default());
        let exchange = Arc::new(hub);
        let inputs = Inputs {
            events: event_queue,
            written: written_queue,
            kernel: mpsc::channel(1).1,
            sightings: sighting_queue,
            calls: mpsc::channel(1).1,
            orders: order_queue,
            inbox: exchange.join(None),
        };
        let hands = Hands {
            kernel: Some(Arc::new(kernel)),
            bfd: BfdShare::new(&Arc::new(bfd_share::Hub::default()), 0, registry.clone()),
            wireguard: None,
            advertisements: None,
            spawner: Spawner::new(handle, registry, senders, &config, listening),
            exchange,
            vxlans: Arc::default(),
        };
        let (settings, watcher) = watch::channel(config.service_settings());
        let place = Place {
            state,
            restarting: false,
            settings,
        };
        let core = Core::new(config, place, hands, inputs, 1, DrainState::default());
        let mut world = Self {
            core,
            host,
            configured: BTreeSet::new(),
            _runtime: runtime,
            _settings: watcher,
        };
        world.core.begin();
        world
    }

    /// Until neither side has anything to say.
    fn settle(&mut self) {
        for _ in 0..100 {
            while self.core.work() {}
            let events = self.host.settle();
            if events.is_empty() {
                return;
            }
            for event in events {
                self.core.take(Wake::Kernel(event));
            }
        }
        panic!("no end of events");
    }

    fn happens(&mut self, what: What) {
        match what {
            Underlay => {
                self.host.link(Link::new(1001, "u"));
                self.settle();
                self.address(1001, "10.0.0.1/24");
            }
            Vrf => self.host.link(Link {
                kind: LinkKind::Vrf { table: 1001 },
                ..Link::new(1002, "red")
            }),
            Network | Other | Settings | Identity => {
                self.configured.insert(what);
                self.core.apply(config(&self.configured));
            }
            Peer => self.peer(),
            Mac => self.core.take(Wake::Kernel(fib::Event::LocalMac {
                vni: 100,
                bridge: "br100".into(),
                mac: fib::Mac([2, 0, 0, 0, 0, 1]),
                present: true,
                sticky: false,
                port: 1003,
            })),
            Neighbour => self.core.take(Wake::Kernel(fib::Event::LocalNeighbour {
                vni: 100,
                bridge: "br100".into(),
                ip: [10, 100, 0, 11].into(),
                mac: fib::Mac([2, 0, 0, 0, 0, 1]),
                router: false,
                present: true,
            })),
            // On the bridge as soon as it is there.
            Svi => {
                self.configured.insert(what);
            }
        }
        self.settle();
        let bridge = self.core.install.ground.links.named(&"br200".into());
        let bridge = bridge.map(|link| link.index);
        if let Some(index) = bridge.filter(|_| self.configured.contains(&Svi)) {
            self.address(index, "10.200.0.251/24");
        }
    }

    fn address(&mut self, index: u32, address: &str) {
        let address = fib::Address {
            index,
            address: address.parse().unwrap(),
            peer: None,
            protocol: 0,
            usable: true,
            duplicate: false,
        };
        let removed = false;
        let event = fib::Event::Address { address, removed };
        self.core.take(Wake::Kernel(event));
        self.settle();
    }

    fn peer(&mut self) {
        let (own, asn) = (Asn(65001), Asn(65002));
        let mut facts = PeerFacts::new(
            (own, IpAddr::from(LOCAL)),
            (asn, IpAddr::from(REMOTE).into()),
            REMOTE.into(),
        );
        facts.families.evpn = Some(PeerFamily::new(Policy::AcceptAll, Policy::AcceptAll));
        self.core.hand_in(rib::Input::PeerUp {
            peer: PEER,
            facts,
            restarting: false,
        });
        let mut updates: Vec<Update> = [100, 200].into_iter().flat_map(told_by_peer).collect();
        updates.push(Update {
            end_of_rib: Some(Family::Evpn),
            ..Update::default()
        });
        self.core.hand_in(rib::Input::Updates(PEER, updates));
    }

    /// Everything that others see of it.
    fn outcome(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.host.contents();
        let differences = self.host.differences();
        lines.extend(differences.iter().map(|it| format!("different: {it:?}")));
        let told = Select::Advertised(PEER);
        let page = self.core.rib.page(Family::Evpn, told, None, usize::MAX);
        lines.extend(page.routes.iter().flat_map(|route| {
            let paths = route.paths.iter();
            paths.map(|path| format!("told {} {:?}", route.nlri, path.attributes.thaw()))
        }));
        let answer = self.core.evpn_vnis();
        lines.push(serde_json::to_string(&answer).unwrap());
        lines.sort();
        lines
    }
}

fn config(what: &BTreeSet<What>) -> Config {
    let (asn, last) = match what.contains(&Identity) {
        true => (65011, 9),
        false => (65001, 1),
    };
    let mut text = format!(
        "asn = {asn}\nrouter_id = \"10.0.0.{last}\"\nlisten = []\n\
         underlay.interface = \"u\"\nevpn.vtep = \"10.0.0.1\"\n"
    );
    if what.contains(&Settings) {
        text += "evpn.duplicate_detection = false\n";
    }
    if what.contains(&Network) {
        text +=
            "[[vni]]\nid = 100\nname = \"tenant\"\nvrf = \"red\"\ngateway = [\"10.100.0.1/24\"]\n";
    }
    if what.contains(&Other) {
        text += "[[vni]]\nid = 200\nname = \"plain\"\nadvertise_svi = true\n";
    }
    config::parse(&text, "rbgpd.toml").unwrap()
}

/// A host with an address in a VNI, and that the neighbour wants what is flooded there.
fn told_by_peer(vni: u32) -> [Update; 2] {
    let rd = format!("10.0.0.2:{vni}").parse().unwrap();
    let mut set = AttributeSet::new(NextHop::from(IpAddr::from(REMOTE)));
    set.extended_communities = vec![
        format!("65002:{vni}").parse().unwrap(),
        ExtendedCommunity::ENCAPSULATION_VXLAN,
    ];
    set.as_path = vec![Segment {
        kind: SegmentKind::Sequence,
        asns: vec![Asn(65002)],
    }];
    let mut host = set.clone();
    host.evpn = Some(EvpnTail {
        label: vni,
        ..EvpnTail::default()
    });
    set.pmsi_tunnel = Some(PmsiTunnel {
        flags: 0,
        tunnel_type: 6,
        label: vni,
        identifier: Box::new(REMOTE),
    });
    let last = if vni == 100 { 100 } else { 200 };
    let mac_ip = EvpnKey::MacIp {
        rd,
        tag: 0,
        mac: MacAddress([2, 0, 0, 0, last, 2]),
        ip: Some([10, last, 0, 12].into()),
    };
    let flood = EvpnKey::InclusiveMulticast {
        rd,
        tag: 0,
        originator: REMOTE.into(),
    };
    let update = |key: EvpnKey, set: AttributeSet| {
        let list = NlriList::Evpn([(0, key)].into_iter().collect());
        Update {
            announced: [(list, set.freeze())].into_iter().collect(),
            ..Update::default()
        }
    };
    [update(mac_ip, host), update(flood, set)]
}

fn after(order: &[What]) -> Vec<String> {
    let mut world = World::new();
    for what in order {
        world.happens(*what);
    }
    world.outcome()
}

fn assert_same(expected: &[String], order: &[What]) {
    let outcome = after(order);
    let only = |one: &[String], other: &[String]| -> Vec<String> {
        let missing = one.iter().filter(|line| !other.contains(line));
        missing.cloned().collect()
    };
    assert!(
        outcome == expected,
        "{order:?}\nonly here: {:#?}\nonly otherwise: {:#?}",
        only(&outcome, expected),
        only(expected, &outcome)
    );
}

/// Calls `each` with every order (Heap's algorithm).
fn orders(all: &mut [What], count: usize, each: &mut impl FnMut(&[What])) {
    if count <= 1 {
        return each(all);
    }
    for at in 0..count {
        orders(all, count - 1, each);
        all.swap(if count.is_multiple_of(2) { at } else { 0 }, count - 1);
    }
}

#[test]
fn every_order_of_a_network_coming_up_tells_and_writes_the_same() {
    let mut all = [Underlay, Vrf, Network, Peer, Mac, Neighbour];
    let expected = after(&all);
    // It is a scenario in which something happens.
    for part in [
        "told [2]:[10.0.0.1:100]:[0]:[48]:[02:00:00:00:00:01]:[32]:[10.100.0.11]",
        "told [3]:[10.0.0.1:100]",
        "10.100.0.1/24 on br100",
        "flood 10.0.0.2 vxlan100",
        "10.100.0.12",
        "in Some(\"red\")",
    ] {
        let found = expected.iter().any(|line| line.contains(part));
        assert!(found, "no `{part}` in {expected:#?}");
    }
    assert!(!expected.iter().any(|line| line.starts_with("different")));
    let (count, mut tried) = (all.len(), 0);
    orders(&mut all, count, &mut |order| {
        assert_same(&expected, order);
        tried += 1;
    });
    assert_eq!(tried, 720);
}

#[test]
fn some_orders_of_more_events_tell_and_write_the_same() {
    let all = [
        Underlay, Vrf, Network, Other, Peer, Mac, Neighbour, Svi, Settings, Identity,
    ];
    let expected = after(&all);
    let own = "told [2]:[10.0.0.9:200]";
    assert!(
        expected.iter().any(|line| line.starts_with(own)),
        "{expected:#?}"
    );
    assert!(!expected.iter().any(|line| line.contains("[10.0.0.1:200]")));
    // Each number is an order; these are the same with every run.
    let mut number: u64 = 1;
    for _ in 0..300 {
        let (mut left, mut order) = (all.to_vec(), Vec::new());
        while !left.is_empty() {
            // Knuth's MMIX generator.
            number = number
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            let at = usize::try_from((number >> 33) % left.len() as u64).unwrap();
            order.push(left.swap_remove(at));
        }
        assert_same(&expected, &order);
    }
}

/// The number of the device with this name.
fn device(world: &World, name: &str) -> Option<u32> {
    let links = &world.core.install.ground.links;
    links.named(&name.into()).map(|link| link.index)
}

fn with_network(vni: u32) -> Config {
    let text = format!(
        "asn = 65001\nrouter_id = \"10.0.0.1\"\nlisten = []\nunderlay.interface = \"u\"\n\
         evpn.vtep = \"10.0.0.1\"\n[[vni]]\nid = {vni}\nname = \"plain\"\nbridge = \"br-plain\"\n"
    );
    config::parse(&text, "rbgpd.toml").unwrap()
}

#[test]
fn a_bridge_stays_while_its_network_gets_another_number() {
    let mut world = World::of(with_network(200), []);
    world.happens(Underlay);
    let before = (device(&world, "br-plain"), device(&world, "vxlan200"));
    assert!(before.0.is_some() && before.1.is_some(), "{before:?}");
    world.core.apply(with_network(201));
    // The kernel's thread may look at any time, and sees all of it or nothing.
    let seen = world.host.settle();
    assert!(seen.is_empty(), "{seen:?}");
    world.settle();
    assert_eq!(device(&world, "br-plain"), before.0);
    assert_eq!(device(&world, "vxlan200"), None);
    assert!(device(&world, "vxlan201").is_some());
}

#[test]
fn devices_of_the_last_run_stay_until_it_is_known_what_is_wanted() {
    let stamped = |index, name, kind| Link {
        alias: Some(fib::STAMP.to_owned()),
        kind,
        ..Link::new(index, name)
    };
    let devices = || {
        [
            stamped(1003, "br-plain", LinkKind::Bridge),
            stamped(1004, "br-gone", LinkKind::Bridge),
        ]
    };
    let mut world = World::of(with_network(200), devices());
    let all = |world: &World| ["br-plain", "br-gone"].map(|name| device(world, name));
    assert_eq!(all(&world), [Some(1003), Some(1004)], "no underlay yet");
    world.happens(Underlay);
    assert_eq!(all(&world), [Some(1003), None]);

    // The underlay and the end of all that neighbours have to say are there at once.
    let mut world = World::of(with_network(200), []);
    for link in devices() {
        world.host.link(link);
    }
    world.host.link(Link::new(1001, "u"));
    for event in world.host.settle() {
        world.core.take(Wake::Kernel(event));
    }
    world.core.completed = Family::ALL.to_vec();
    world.settle();
    assert_eq!(all(&world), [Some(1003), None]);
}

#[test]
fn a_vrf_that_does_not_come_up_holds_leftovers_no_longer_than_routes_do() {
    let stamped = |index, name| Link {
        alias: Some(fib::STAMP.to_owned()),
        kind: LinkKind::Bridge,
        ..Link::new(index, name)
    };
    let red: Arc<str> = "red".into();
    let begun = || {
        let devices = [stamped(1003, "br-plain"), stamped(1004, "br-gone")];
        let hub = Hub::new([Arc::clone(&red)].into());
        let mut world = World::begun_in(None, hub, with_network(200), devices);
        world.core.take(Wake::Kernel(fib::Event::Ready));
        world.settle();
        world.happens(Underlay);
        world
    };
    let all = |world: &World| ["br-plain", "br-gone"].map(|name| device(world, name));
    let mut world = begun();
    let until = world.core.started + world.core.config.graceful_restart.deferral_time;
    assert_eq!(world.core.paths_deadline(), Some(until));
    world.core.paths_timeout(until - Duration::from_millis(1));
    world.settle();
    assert_eq!(all(&world), [Some(1003), Some(1004)], "it may still come");
    world.core.paths_timeout(until);
    world.settle();
    assert_eq!(all(&world), [Some(1003), None]);
    assert_eq!(world.core.paths_deadline(), None, "said once");

    // One that comes, if only to say that it is in no overlay any more, is not waited for.
    let mut world = begun();
    let notes = vec![Note::Tenant(red.clone(), None)];
    world.core.receive(Mail {
        notes,
        ..Mail::default()
    });
    world.settle();
    assert_eq!(all(&world), [Some(1003), None]);
    assert_eq!(world.core.paths_deadline(), None);
}

#[test]
fn the_overlay_is_told_the_end_of_a_vrf_once_the_kernel_was_read() {
    let text = "asn = 65001\nrouter_id = \"10.0.0.1\"\nlisten = []\nunderlay.interface = \"u\"\n\
                evpn.vtep = \"10.0.0.1\"\n[l3vni]\nid = 4001\n";
    let config = config::parse(text, "rbgpd.toml").unwrap();
    let mut world = World::begun(config, []);
    let told = |world: &World| {
        let told = &world.core.handover.told;
        (told.ipv4_unicast, told.ipv6_unicast)
    };
    while world.core.work() {}
    assert_eq!(told(&world), (false, false));
    world.core.take(Wake::Kernel(fib::Event::Ready));
    world.settle();
    assert_eq!(told(&world), (true, true));
}

/// A run on a host whose bridge has a station that has moved there three times.
fn with_station(state: &StateDir, before: impl FnOnce(&mut World)) -> World {
    let config = with_network(200);
    let mut world = World::begun_in(
        Some(state.clone()),
        Hub::default(),
        config,
        [Link::new(1001, "u")],
    );
    before(&mut world);
    world.core.take(Wake::Kernel(fib::Event::LocalMac {
        vni: 200,
        bridge: "br-plain".into(),
        mac: fib::Mac([2, 0, 0, 0, 0, 1]),
        present: true,
        sticky: false,
        port: 1003,
    }));
    world.core.take(Wake::Kernel(fib::Event::Ready));
    world.settle();
    world.address(1001, "10.0.0.1/24");
    world.settle();
    world.core.timeout();
    world
}

#[test]
fn a_station_keeps_its_sequence_number_when_the_daemon_is_killed() {
    let path = std::env::temp_dir().join(format!("rbgpd-sequences-{}", std::process::id()));
    let state = StateDir::open(&path).unwrap();
    let (vni, mac) = (Vni::new(200).unwrap(), MacAddress([2, 0, 0, 0, 0, 1]));
    let third = BTreeMap::from([((vni, mac), 3)]);
    let moved = |world: &mut World| {
        let key = "10.0.0.2:200".parse().unwrap();
        let (ip, tag) = (None, 0);
        let key = EvpnKey::MacIp {
            rd: key,
            tag,
            mac,
            ip,
        };
        let mut set = AttributeSet::new(IpAddr::from(REMOTE).into());
        set.extended_communities = vec![
            "65002:200".parse().unwrap(),
            ExtendedCommunity::mac_mobility(2, false),
        ];
        let attributes = Some(set.freeze());
        let route = evpn::Input::Route { key, attributes };
        world.core.tell_evpn(route);
    };
    let world = with_station(&state, moved);
    assert_eq!(world.core.evpn.sequences(), third);
    assert_eq!(state.sequences().unwrap(), third);
    // Killed; nobody else claims it by now. Twice, so that it is not lost while it counts.
    drop(world);
    for _ in 0..2 {
        let world = with_station(&state, |_| {});
        assert_eq!(world.core.evpn.sequences(), third);
        drop(world);
        assert_eq!(state.sequences().unwrap(), third);
    }
    // What the kernel does not have any more once all is known is not kept.
    let mut world = with_station(&state, |_| {});
    world.core.take(Wake::Kernel(fib::Event::LocalMac {
        vni: 200,
        bridge: "br-plain".into(),
        mac: fib::Mac(mac.0),
        present: false,
        sticky: false,
        port: 1003,
    }));
    world.settle();
    world.core.completed = Family::ALL.to_vec();
    world.settle();
    world
        .core
        .sequences_timeout(Instant::now() + Duration::from_secs(2));
    assert_eq!(state.sequences().unwrap(), BTreeMap::new());
    // An orderly stop takes the routes back, and this with them.
    let world = with_station(&state, moved);
    assert_eq!(state.sequences().unwrap(), third);
    world.core.end();
    assert_eq!(state.sequences().unwrap(), BTreeMap::new());
    std::fs::remove_dir_all(path).unwrap();
}
