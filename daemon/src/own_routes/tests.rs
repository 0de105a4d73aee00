use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use bgp::Asn;
use bgp::family::PerFamily;
use bgp::policy::Policy;
use bgp::rib::{self, PeerFacts, PeerFamily, PeerId, Rib};
use fib::{ForeignRoute, RouteKey};
use proptest::prelude::*;

use super::*;

const OSPF: u8 = 188;
const STATIC: u8 = 4;

#[track_caller]
fn config(unicast: &str) -> Config {
    let toml = format!("asn = 65001\nrouter_id = \"10.0.0.9\"\n[ipv4_unicast]\n{unicast}\n");
    let more = r#"
[[route_map]]
name = "MAP"
entry = [
    { seq = 10, action = "deny", match = { interface = "far" } },
    { seq = 20, action = "permit", match = { source = ["static", "ospf"] }, set = { metric = "+5", tag = 7 } },
    { seq = 30, action = "permit", match = { source = "connected" }, set = { next_hop = "10.0.0.77" } },
]
"#;
    crate::config::parse(&format!("{toml}{more}"), "test.toml").unwrap()
}

fn route(table: u32, prefix: &str, protocol: u8, hops: &[(u8, u32)]) -> ForeignRoute {
    let hop = |(gateway, index): &(u8, u32)| match gateway {
        0 => fib::NextHop::interface(*index),
        host => fib::NextHop::gateway(IpAddr::from([10, 0, 0, *host])).dev(*index),
    };
    ForeignRoute {
        key: RouteKey::new(table, prefix.parse().unwrap()),
        protocol,
        metric: 20,
        kind: RouteKind::Unicast,
        next_hops: hops.iter().map(hop).collect(),
    }
}

fn ground(routes: impl IntoIterator<Item = ForeignRoute>) -> Ground {
    let mut ground = Ground::default();
    ground.link(Link::new(1, "near"));
    ground.link(Link::new(2, "far"));
    for route in routes {
        ground.route(route, false);
    }
    ground
}

/// What is announced for a prefix: next hop, MED, source.
fn announced(own: &Own, ground: &Ground, prefix: &str) -> Option<(String, Option<u32>, String)> {
    let input = own.input(prefix.parse().unwrap(), ground);
    let set = if let Input::Originate(_, set) = input {
        Some(set)
    } else {
        assert!(matches!(input, Input::Retract(_)), "{input:?}");
        None
    };
    set.map(|set| {
        let source = set
            .notes
            .source
            .map_or("none".to_owned(), |it| it.to_string());
        (set.next_hop.addr().to_string(), set.med, source)
    })
}

fn expect(next_hop: &str, med: u32, source: &str) -> Option<(String, Option<u32>, String)> {
    Some((next_hop.to_owned(), Some(med), source.to_owned()))
}

#[test]
fn each_source_is_taken_over_with_its_next_hop_and_metric() {
    let own = Own::of(&config(
        r#"redistribute = ["connected", { source = "static", metric = 3 }, { source = "ospf" }, { table = 100 }]"#,
    ));
    let ground = ground([
        ForeignRoute {
            metric: 256,
            ..route(254, "10.1.0.0/16", RTPROT_KERNEL, &[(0, 1)])
        },
        route(254, "10.2.0.0/16", STATIC, &[(7, 1)]),
        ForeignRoute {
            metric: 0x6e00_0015,
            ..route(254, "10.3.0.0/16", OSPF, &[(7, 1), (8, 2)])
        },
        route(254, "10.4.0.0/16", 3, &[(7, 1)]),
        route(100, "10.5.0.0/16", 77, &[(7, 1)]),
        route(101, "10.6.0.0/16", STATIC, &[(7, 1)]),
        route(254, "0.0.0.0/0", STATIC, &[(1, 1)]),
    ]);
    let shown = |prefix| announced(&own, &ground, prefix);
    assert_eq!(shown("10.1.0.0/16"), expect("0.0.0.0", 0, "connected"));
    assert_eq!(shown("10.2.0.0/16"), expect("10.0.0.7", 3, "static"));
    assert_eq!(
        shown("10.3.0.0/16"),
        expect("0.0.0.0", 21, "ospf"),
        "two ways out are ours"
    );
    assert_eq!(shown("10.4.0.0/16"), None, "boot was not asked for");
    assert_eq!(shown("10.5.0.0/16"), expect("10.0.0.7", 20, "protocol 77"));
    assert_eq!(shown("10.6.0.0/16"), None, "nobody looks at this table");
    assert_eq!(shown("0.0.0.0/0"), expect("10.0.0.1", 3, "static"));
    assert_eq!(*own.tables(), [100, 254].into());
}

#[test]
fn what_is_of_one_host_or_leads_nowhere_is_not_taken_over() {
    let own = Own::of(&config(r#"redistribute = ["any"]"#));
    let mut ground = ground([
        route(254, "169.254.0.0/16", RTPROT_KERNEL, &[(0, 1)]),
        route(254, "127.0.0.0/8", STATIC, &[(0, 1)]),
        route(254, "224.0.0.0/4", STATIC, &[(0, 1)]),
        route(254, "10.7.0.0/16", RTPROT_REDIRECT, &[(7, 1)]),
        route(254, "10.8.0.0/16", STATIC, &[(7, 9)]),
        ForeignRoute {
            kind: RouteKind::Unreachable,
            ..route(254, "10.9.0.0/16", RTPROT_KERNEL, &[])
        },
        ForeignRoute {
            kind: RouteKind::Blackhole,
            ..route(254, "10.10.0.0/16", STATIC, &[])
        },
    ]);
    for prefix in [
        "169.254.0.0/16",
        "127.0.0.0/8",
        "224.0.0.0/4",
        "10.7.0.0/16",
        "10.8.0.0/16",
        "10.9.0.0/16",
    ] {
        assert_eq!(announced(&own, &ground, prefix), None, "{prefix}");
    }
    let dropped = announced(&own, &ground, "10.10.0.0/16");
    assert_eq!(
        dropped,
        expect("0.0.0.0", 20, "static"),
        "it aggregates, as in FRR"
    );
    assert!(ground.link(Link::new(9, "late")));
    assert_eq!(
        own.concerned_by_link(9, &ground),
        ["10.8.0.0/16".parse().unwrap()]
    );
    assert!(announced(&own, &ground, "10.8.0.0/16").is_some());
    let without_carrier = Link {
        running: false,
        ..Link::new(9, "late")
    };
    assert!(ground.link(without_carrier));
    assert_eq!(announced(&own, &ground, "10.8.0.0/16"), None);
}

#[test]
fn the_first_entry_that_takes_a_route_counts_and_a_network_goes_before_all() {
    let own = Own::of(&config(
        r#"
networks = ["10.2.0.0/16", { prefix = "10.3.0.0/16", require_route = true }]
redistribute = [{ source = "kernel", route_map = "MAP" }, { source = "static", metric = 9 }, "connected"]"#,
    ));
    let ground = ground([
        route(254, "10.1.0.0/16", STATIC, &[(7, 1)]),
        route(254, "10.2.0.0/16", STATIC, &[(7, 1)]),
        route(254, "10.4.0.0/16", STATIC, &[(7, 2)]),
        route(254, "10.5.0.0/16", RTPROT_KERNEL, &[(0, 2)]),
    ]);
    let shown = |prefix| announced(&own, &ground, prefix);
    assert_eq!(
        shown("10.1.0.0/16"),
        expect("10.0.0.7", 25, "static"),
        "20 of the kernel and 5"
    );
    let network = Some(("0.0.0.0".to_owned(), Some(0), "none".to_owned()));
    assert_eq!(shown("10.2.0.0/16"), network);
    assert_eq!(shown("10.3.0.0/16"), None);
    assert_eq!(
        shown("10.4.0.0/16"),
        expect("10.0.0.7", 9, "static"),
        "the map holds `far` back"
    );
    assert_eq!(shown("10.5.0.0/16"), expect("0.0.0.0", 0, "connected"));
}

#[test]
fn only_what_a_change_concerns_is_asked_again() {
    let before = Own::of(&config(
        r#"
networks = ["10.2.0.0/16", { prefix = "10.0.0.0/8", require_route = "or_more_specific" }]
redistribute = ["static", "ospf"]"#,
    ));
    let ground = ground([
        route(254, "10.1.0.0/16", STATIC, &[(7, 1)]),
        route(254, "10.3.0.0/16", OSPF, &[(7, 1)]),
        route(254, "10.4.0.0/16", RTPROT_KERNEL, &[(0, 1)]),
    ]);
    let texts = |prefixes: BTreeSet<Prefix>| -> Vec<String> {
        prefixes.iter().map(ToString::to_string).collect()
    };
    let after = |unicast: &str| Own::of(&config(unicast)).concerned_by_settings(&before, &ground);
    let networks = r#"networks = ["10.2.0.0/16", { prefix = "10.0.0.0/8", require_route = "or_more_specific" }]"#;
    let same = after(&format!(
        "{networks}\nredistribute = [\"static\", \"ospf\"]"
    ));
    assert!(same.is_empty());
    let more = after(&format!(
        "{networks}\nredistribute = [\"static\", {{ source = \"ospf\", metric = 1 }}, \"connected\"]"
    ));
    assert_eq!(texts(more), ["10.3.0.0/16", "10.4.0.0/16"]);
    let order = after(&format!(
        "{networks}\nredistribute = [\"ospf\", \"static\"]"
    ));
    assert_eq!(texts(order), ["10.1.0.0/16", "10.3.0.0/16"]);
    let fewer = after("networks = [\"10.2.0.0/16\"]\nredistribute = [\"static\", \"ospf\"]");
    assert_eq!(texts(fewer), ["10.0.0.0/8"]);
    let by_route = |table, prefix: &str| -> Vec<String> {
        let concerned = before.concerned_by_route(table, prefix.parse().unwrap());
        concerned.iter().map(ToString::to_string).collect()
    };
    assert_eq!(by_route(254, "10.9.0.0/16"), ["10.9.0.0/16", "10.0.0.0/8"]);
    assert_eq!(by_route(254, "192.0.2.0/24"), ["192.0.2.0/24"]);
    assert_eq!(by_route(100, "192.0.2.0/24"), Vec::<String>::new());
}

/// A loopback's address is in no table that others could look at.
#[test]
fn addresses_of_full_length_are_connected_and_routes_that_networks_ask_for() {
    let own = Own::of(&config(
        r#"networks = [{ prefix = "10.9.0.1/32", require_route = true }, { prefix = "10.9.0.0/16", require_route = "or_more_specific" }]
redistribute = ["connected"]"#,
    ));
    let mut ground = ground([]);
    let shown =
        |ground: &Ground, prefix| announced(&own, ground, prefix).map(|(.., source)| source);
    assert_eq!(shown(&ground, "10.9.0.1/32"), None);
    for host in ["10.9.0.1/32", "10.8.0.1/32", "10.7.0.1/24", "127.0.0.1/32"] {
        ground.address(address(1, host), false);
    }
    let changed = ground.settle_hosts(1);
    assert_eq!(changed.len(), 3);
    assert_eq!(shown(&ground, "10.9.0.1/32").as_deref(), Some("none"));
    assert_eq!(shown(&ground, "10.9.0.0/16").as_deref(), Some("none"));
    assert_eq!(shown(&ground, "10.8.0.1/32").as_deref(), Some("connected"));
    assert_eq!(shown(&ground, "127.0.0.1/32"), None);
    // Another device has it as well.
    ground.address(address(2, "10.8.0.1/32"), false);
    assert_eq!(ground.settle_hosts(2).len(), 1);
    ground.link_removed(1);
    assert_eq!(ground.settle_hosts(1).len(), 3);
    assert_eq!(shown(&ground, "10.8.0.1/32").as_deref(), Some("connected"));
    assert_eq!(shown(&ground, "10.9.0.0/16"), None);
    // In a VRF it is in the table of that.
    let vrf = |table| fib::LinkKind::Vrf { table };
    ground.link(Link {
        kind: vrf(100),
        ..Link::new(3, "red")
    });
    ground.link(Link {
        master: Some(3),
        ..Link::new(2, "far")
    });
    assert_eq!(ground.settle_hosts(2).len(), 2);
    assert_eq!(shown(&ground, "10.8.0.1/32"), None);
    assert!(
        ground
            .announceable_at(100, "10.8.0.1/32".parse().unwrap())
            .is_some()
    );
}

const PEERS: [u16; 2] = [1, 2];

/// The tables with everything that has happened to them.
struct World {
    ground: Ground,
    own: Own,
    rib: Rib,
    up: BTreeSet<u16>,
}

#[derive(Debug, Clone)]
enum Step {
    Route(ForeignRoute, bool),
    Link(Link),
    Address(fib::Address, bool),
    Config(usize),
    Up(u16),
    Down(u16),
}

const CONFIGS: [&str; 4] = [
    "",
    r#"redistribute = ["static", { source = "ospf", metric = 4 }]"#,
    r#"redistribute = [{ source = "any", route_map = "MAP" }, { table = 100 }]"#,
    r#"
networks = ["10.1.0.0/16", { prefix = "10.0.0.0/8", require_route = "or_more_specific" }]
redistribute = ["connected", { source = "ospf", table = 100 }, { source = "static", route_map = "MAP" }]"#,
];

impl World {
    fn new() -> Self {
        let rib = Rib::new(rib::Config {
            identity: rib::Identity::new(Ipv4Addr::new(10, 0, 0, 9)),
            default_local_pref: None,
            multipath: PerFamily::default(),
            rules: rib::Rules::default(),
            seed: 1,
            track: PerFamily::default(),
        });
        Self {
            ground: Ground::default(),
            own: Own::default(),
            rib,
            up: BTreeSet::new(),
        }
    }

    fn hand_in(&mut self, input: Input) {
        self.rib.handle(Instant::now(), input);
    }

    fn announce(&mut self, prefixes: impl IntoIterator<Item = Prefix>) {
        for prefix in prefixes {
            let input = self.own.input(prefix, &self.ground);
            self.hand_in(input);
        }
    }

    fn settle_hosts(&mut self, index: u32) {
        for (table, prefix) in self.ground.settle_hosts(index) {
            self.announce(self.own.concerned_by_route(table, prefix));
        }
    }

    /// As the core does with the same events.
    fn step(&mut self, step: Step) {
        match step {
            Step::Route(route, removed) => {
                let (table, prefix) = (route.key.table(), Prefix::from(route.key.prefix()));
                self.ground.route(route, removed);
                self.announce(self.own.concerned_by_route(table, prefix));
            }
            Step::Link(link) => {
                let index = link.index;
                if self.ground.link(link) {
                    self.announce(self.own.concerned_by_link(index, &self.ground));
                }
                self.settle_hosts(index);
            }
            Step::Address(address, removed) => {
                let index = address.index;
                self.ground.address(address, removed);
                self.settle_hosts(index);
            }
            Step::Config(number) => {
                let own = Own::of(&config(CONFIGS[number]));
                let before = std::mem::replace(&mut self.own, own);
                self.announce(self.own.concerned_by_settings(&before, &self.ground));
                for peer in self.up.clone() {
                    let shared = self.shared();
                    self.hand_in(Input::SharedNetworks(PeerId(peer), shared));
                }
            }
            Step::Up(peer) => {
                if self.up.insert(peer) {
                    let facts = self.facts(peer);
                    let (peer, restarting) = (PeerId(peer), false);
                    self.hand_in(Input::PeerUp {
                        peer,
                        facts,
                        restarting,
                    });
                }
            }
            Step::Down(peer) => {
                if self.up.remove(&peer) {
                    let (peer, retain) = (PeerId(peer), PerFamily::default());
                    self.hand_in(Input::PeerDown { peer, retain });
                }
            }
        }
        while let Some(output) = self.rib.poll() {
            if let rib::Output::Send(peer, batch) = output {
                self.hand_in(Input::Written(peer, batch.len()));
            }
        }
    }

    fn shared(&self) -> Vec<Prefix> {
        match self.own.has_gateways(Family::Ipv4Unicast) {
            true => vec!["10.0.0.0/24".parse().unwrap()],
            false => Vec::new(),
        }
    }

    fn facts(&self, peer: u16) -> PeerFacts {
        let settings = PeerFamily {
            enforce_first_as: false,
            ..PeerFamily::new(Policy::AcceptAll, Policy::AcceptAll)
        };
        let id = Ipv4Addr::new(10, 0, 0, u8::try_from(peer).unwrap());
        let own = (Asn(65001), IpAddr::from([10, 0, 0, 9]));
        let remote = (Asn(64512 + u32::from(peer)), id.into());
        PeerFacts {
            shared_networks: self.shared(),
            ..PeerFacts::new(own, remote, id).family(Family::Ipv4Unicast, settings)
        }
    }

    /// What each neighbour is told.
    fn told(&self) -> HashMap<u16, Vec<String>> {
        let of = |peer: u16| {
            let mut all = Vec::new();
            let select = rib::Select::Advertised(PeerId(peer));
            self.rib.visit(Family::Ipv4Unicast, select, |route| {
                for path in &route.paths {
                    let (hop, med) = (path.attributes.next_hop().addr(), path.attributes.med());
                    all.push(format!("{} {hop} {med:?}", route.nlri));
                }
                true
            });
            all.sort();
            (peer, all)
        };
        self.up.iter().copied().map(of).collect()
    }
}

fn a_route() -> impl Strategy<Value = ForeignRoute> {
    let hops = prop::collection::vec((prop_oneof![Just(0_u8), 1_u8..3, Just(7)], 1_u32..3), 1..3);
    let protocol = prop_oneof![Just(RTPROT_KERNEL), Just(STATIC), Just(OSPF), Just(3)];
    let table = prop_oneof![3 => Just(254_u32), 1 => Just(100)];
    (table, 1_u8..5, protocol, hops, 0_u32..2).prop_map(|(table, net, protocol, hops, metric)| {
        ForeignRoute {
            metric,
            ..route(table, &format!("10.{net}.0.0/16"), protocol, &hops)
        }
    })
}

fn a_link() -> impl Strategy<Value = Link> {
    (
        1_u32..3,
        any::<bool>(),
        prop_oneof![Just("near"), Just("far")],
    )
        .prop_map(|(index, running, name)| Link {
            running,
            ..Link::new(index, name)
        })
}

fn an_address() -> impl Strategy<Value = fib::Address> {
    (1_u32..4, 1_u8..4).prop_map(|(index, net)| address(index, &format!("10.{net}.0.9/32")))
}

fn address(index: u32, address: &str) -> fib::Address {
    fib::Address {
        index,
        address: address.parse().unwrap(),
        peer: None,
        protocol: 0,
        usable: true,
        duplicate: false,
    }
}

fn a_step() -> impl Strategy<Value = Step> {
    let peer = || prop::sample::select(PEERS.to_vec());
    prop_oneof![
        6 => (a_route(), any::<bool>()).prop_map(|(route, removed)| Step::Route(route, removed)),
        2 => a_link().prop_map(Step::Link),
        2 => (an_address(), any::<bool>()).prop_map(|(it, removed)| Step::Address(it, removed)),
        1 => (0..CONFIGS.len()).prop_map(Step::Config),
        1 => peer().prop_map(Step::Up),
        1 => peer().prop_map(Step::Down),
    ]
}

/// The end of a history: of each thing what was last said.
fn last_word(steps: &[Step]) -> Vec<Step> {
    let mut last: BTreeMap<String, Step> = BTreeMap::new();
    for step in steps {
        let name = match step {
            Step::Route(it, _) => format!("route {} {} {}", it.key, it.metric, it.protocol),
            Step::Link(link) => format!("link {}", link.index),
            Step::Address(it, _) => format!("address {} {}", it.index, it.address),
            Step::Config(_) => "config".to_owned(),
            Step::Up(peer) | Step::Down(peer) => format!("peer {peer}"),
        };
        last.insert(name, step.clone());
    }
    last.into_values().collect()
}

proptest! {
    #[test]
    fn any_history_ends_where_its_last_words_lead_in_any_order(
        (steps, shuffled) in prop::collection::vec(a_step(), 0..40)
            .prop_flat_map(|steps| {
                let end = Just(last_word(&steps)).prop_shuffle();
                (Just(steps), end)
            }),
    ) {
        let (mut one, mut other) = (World::new(), World::new());
        steps.into_iter().for_each(|step| one.step(step));
        shuffled.into_iter().for_each(|step| other.step(step));
        prop_assert_eq!(one.told(), other.told());
    }
}

#[test]
fn a_neighbour_on_the_network_of_the_gateway_is_told_the_gateway_and_no_other() {
    let mut world = World::new();
    world.step(Step::Config(1));
    world.step(Step::Link(Link::new(1, "near")));
    world.step(Step::Up(1));
    world.step(Step::Up(2));
    world.step(Step::Route(
        route(254, "10.1.0.0/16", STATIC, &[(7, 1)]),
        false,
    ));
    world.step(Step::Route(
        route(254, "10.2.0.0/16", STATIC, &[(2, 1)]),
        false,
    ));
    let mut far = route(254, "10.3.0.0/16", STATIC, &[(7, 1)]);
    far.next_hops = Arc::from([fib::NextHop::gateway(IpAddr::from([10, 7, 0, 7])).dev(1)]);
    world.step(Step::Route(far, false));
    let told = world.told();
    let first = [
        "10.1.0.0/16 10.0.0.7 Some(20)",
        "10.2.0.0/16 10.0.0.2 Some(20)",
        "10.3.0.0/16 10.0.0.9 Some(20)",
    ];
    assert_eq!(told[&1], first);
    // 10.2.0.0/16 leads to it, and would come back.
    let second = [
        "10.1.0.0/16 10.0.0.7 Some(20)",
        "10.3.0.0/16 10.0.0.9 Some(20)",
    ];
    assert_eq!(told[&2], second);
}
