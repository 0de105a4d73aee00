use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use bgp::attributes::Origin;
use bgp::community::Community;
use bgp::message::Role;
use bgp::policy::{CommunityRule, PrefixRule};
use bgp::{Asn, ExtendedCommunity, LargeCommunity, Prefix, RouteDistinguisher, Vni};
use ipnetwork::IpNetwork;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::config::parse;
use crate::config::tests::{EVERY_KEY, accepted};

#[test]
fn a_file_with_every_key_comes_back_the_same() {
    let config = accepted(EVERY_KEY);
    assert_eq!(accepted(&print(&config)), config);
}

#[test]
fn defaults_are_not_written() {
    let config = Config::new(Asn(65001), Ipv4Addr::new(10, 0, 0, 1));
    assert_eq!(print(&config), "asn = 65001\nrouter_id = \"10.0.0.1\"\n");
}

#[test]
fn texts_are_quoted() {
    assert_eq!(
        quote("a \"b\" \\ \u{1}é"),
        "\"a \\\"b\\\" \\\\ \\U00000001é\""
    );
}

/// The strategy is a deep tree of types, which without optimisation is more than the stack of a
/// test thread holds.
#[test]
fn what_is_printed_parses_to_the_same() {
    let test = || {
        proptest!(|(config in config())| {
            let text = print(&config);
            match parse(&text, "printed.toml") {
                Ok(parsed) => prop_assert_eq!(parsed, config, "{}", text),
                Err(errors) => prop_assert!(false, "{}\n{}", errors[0], text),
            }
        });
    };
    let thread = std::thread::Builder::new().stack_size(64 << 20).spawn(test);
    thread
        .expect("a thread")
        .join()
        .expect("the property holds");
}

fn seconds(range: std::ops::Range<u64>) -> impl Strategy<Value = Duration> {
    range.prop_map(Duration::from_secs)
}

fn asn() -> impl Strategy<Value = Asn> {
    (1_u32..1 << 31)
        .prop_filter("reserved", |asn| ![23_456, 65_535].contains(asn))
        .prop_map(Asn)
}

fn communities() -> impl Strategy<Value = Vec<Community>> {
    prop::collection::vec(any::<u32>().prop_map(Community), 1..4)
}

fn large() -> impl Strategy<Value = Vec<LargeCommunity>> {
    let one = any::<[u32; 3]>().prop_map(|[global, local1, local2]| LargeCommunity {
        global,
        local1,
        local2,
    });
    prop::collection::vec(one, 1..4)
}

fn number() -> impl Strategy<Value = Number> {
    prop_oneof![
        any::<u32>().prop_map(Number::Replace),
        any::<u32>().prop_map(Number::Add),
        any::<u32>().prop_map(Number::Sub),
    ]
}

/// The lists that conditions refer to.
fn lists() -> (Arc<PrefixList>, Arc<CommunityList>) {
    let rules = [
        "permit 10.0.0.0/8 le 24",
        "seq 90 deny ::/0 ge 3",
        "permit any",
    ];
    let rules = rules.map(|rule| rule.parse::<PrefixRule>().unwrap());
    let prefix_list = PrefixList::new("P", rules.to_vec()).unwrap();
    let rules = ["permit 1:2 no-export", "deny any"];
    let rules = rules.map(|rule| rule.parse::<CommunityRule>().unwrap());
    let community_list = CommunityList::new("C", rules.to_vec()).unwrap();
    (Arc::new(prefix_list), Arc::new(community_list))
}

fn matches() -> impl Strategy<Value = Vec<Match>> {
    let (prefix_list, community_list) = lists();
    let community = prop_oneof![
        Just(Communities::List(community_list)),
        communities().prop_map(Communities::Literal),
    ];
    let community = (community, any::<bool>())
        .prop_map(|(communities, exact)| Match::Community { communities, exact });
    let origins = vec![Origin::Igp, Origin::Egp, Origin::Incomplete];
    let optional = (
        option::of(Just(Match::PrefixList(prefix_list.clone()))),
        option::of(Just(Match::NextHop(prefix_list))),
        option::of(community),
        option::of(large().prop_map(Match::LargeCommunity)),
        option::of(asn().prop_map(Match::AsPathContains)),
        option::of(any::<u32>().prop_map(Match::LocalPref)),
        option::of(any::<u32>().prop_map(Match::Metric)),
        option::of(select(origins).prop_map(Match::Origin)),
        option::of(select(Family::ALL.to_vec()).prop_map(Match::Family)),
        option::of((1_u8..).prop_map(Match::EvpnRouteType)),
        option::of((1_u32..1 << 24).prop_map(|vni| Match::Vni(Vni::new(vni).unwrap()))),
    );
    optional.prop_map(|(a, b, c, d, e, f, g, h, i, j, k)| {
        [a, b, c, d, e, f, g, h, i, j, k]
            .into_iter()
            .flatten()
            .collect()
    })
}

fn sets() -> impl Strategy<Value = Vec<Set>> {
    let change = Set::Community;
    let deletion = prop_oneof![
        Just(Communities::List(lists().1)),
        communities().prop_map(Communities::Literal),
    ];
    let community = prop_oneof![
        Just(vec![]),
        Just(vec![change(CommunityChange::Clear)]),
        communities().prop_map(move |new| vec![change(CommunityChange::Replace(new))]),
        (deletion, communities()).prop_map(move |(old, new)| vec![
            change(CommunityChange::Delete(old)),
            change(CommunityChange::Add(new)),
        ]),
    ];
    let large = prop_oneof![
        large().prop_map(Set::LargeCommunity),
        large().prop_map(Set::LargeCommunityAdd),
    ];
    let prepend = prop::collection::vec(asn(), 1..5).prop_map(Set::AsPathPrepend);
    (
        option::of(number().prop_map(Set::Metric)),
        option::of(number().prop_map(Set::LocalPref)),
        option::of(prepend),
        option::of(select(vec![Origin::Egp, Origin::Igp]).prop_map(Set::Origin)),
        option::of(Just(Set::NextHop(IpAddr::V6(Ipv6Addr::LOCALHOST)))),
        community,
        option::of(large),
    )
        .prop_map(|(a, b, c, d, e, community, large)| {
            let first = [a, b, c, d, e].into_iter().flatten();
            first.chain(community).chain(large).collect()
        })
}

/// Two maps, the second of which may call the first.
fn route_maps() -> impl Strategy<Value = Vec<Arc<RouteMap>>> {
    let entry = || {
        let on_match = select(vec![OnMatch::Exit, OnMatch::Next, OnMatch::Goto(60)]);
        (matches(), sets(), on_match, any::<bool>())
    };
    (entry(), entry(), any::<bool>()).prop_map(|(one, two, deny)| {
        let make = |(matches, sets, on_match, calls): (_, _, _, bool), inner: Option<_>| Entry {
            matches,
            sets,
            on_match,
            call: inner.filter(|_| calls),
            ..Entry::new(10, Action::Permit)
        };
        let inner = Arc::new(RouteMap::new("INNER", vec![make(one, None)]).unwrap());
        let mut entries = vec![make(two, Some(inner.clone()))];
        if deny {
            entries.push(Entry::new(4_000_000_000, Action::Deny));
        }
        vec![
            inner,
            Arc::new(RouteMap::new("a \"map\"", entries).unwrap()),
        ]
    })
}

fn neighbor(map: Arc<RouteMap>, last: u8) -> impl Strategy<Value = Neighbor> {
    let next_hop = vec![
        NextHopRule::Auto,
        NextHopRule::Myself,
        NextHopRule::Unchanged,
    ];
    let family = || {
        let map = option::of(Just(map.clone()));
        (map.clone(), map, select(next_hop.clone())).prop_map(|(import, export, next_hop)| {
            NeighborFamily {
                import,
                export,
                next_hop,
            }
        })
    };
    let families = (
        option::of(family()),
        option::of(family()),
        option::of(family()),
    );
    let timers = (seconds(3..65_536), seconds(1..3600), 1_u64..4).prop_map(
        |(hold, connect_retry, part)| Timers {
            hold,
            keepalive: Duration::from_secs((hold.as_secs() / 3 / part).max(1)),
            connect_retry,
        },
    );
    let bfd = (10_u64..60_001, 1_u8..).prop_map(|(milliseconds, multiplier)| Bfd {
        interval: Duration::from_millis(milliseconds),
        multiplier,
    });
    let role = vec![
        Role::Provider,
        Role::RouteServer,
        Role::Customer,
        Role::Peer,
    ];
    let flags = (any::<bool>(), any::<bool>(), 1_u16..);
    let restart = option::of(seconds(1..4096));
    (
        option::of("[^\\p{C}]{1,80}"),
        flags,
        option::of(select(role)),
        timers,
        option::of(bfd),
        restart,
        families,
    )
        .prop_map(
            move |(description, flags, role, timers, bfd, restart, families)| {
                let (passive, shutdown, port) = flags;
                let (ipv4_unicast, ipv6_unicast, evpn) = families;
                Neighbor {
                    address: IpAddr::V4(Ipv4Addr::new(10, 0, 0, last)),
                    remote_as: Asn(3_000_000_000),
                    description,
                    port,
                    local_address: passive.then_some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
                    passive,
                    shutdown,
                    role,
                    timers,
                    bfd,
                    graceful_restart: restart,
                    families: PerFamily {
                        ipv4_unicast,
                        ipv6_unicast,
                        evpn,
                    },
                }
            },
        )
}

fn vni() -> impl Strategy<Value = VniConfig> {
    let targets = || {
        prop_oneof![
            Just(RouteTargets::Auto),
            (asn(), any::<u16>()).prop_map(|(asn, number)| {
                let target = ExtendedCommunity::route_target(asn, number.into());
                RouteTargets::Listed(target.into_iter().collect())
            }),
        ]
    };
    let gateway = (any::<u32>(), 8_u8..25).prop_map(|(address, length)| {
        // Neither the first nor the last of its network.
        let address = Ipv4Addr::from((address & !3) | 1);
        IpNetwork::new(address.into(), length).unwrap()
    });
    (
        1_u32..1 << 24,
        "[a-z]{1,15}",
        targets(),
        targets(),
        option::of(gateway),
        option::of(1280_u32..65_536),
    )
        .prop_map(
            |(id, name, import_targets, export_targets, gateway, mtu)| VniConfig {
                id: Vni::new(id).unwrap(),
                rd: match u16::try_from(id) {
                    Ok(short) => RouteDistinguisher::of_address(Ipv4Addr::new(10, 9, 9, 9), short),
                    Err(_) => "65000:7".parse().unwrap(),
                },
                import_targets,
                export_targets,
                gateway: gateway.into_iter().collect(),
                gateway_mac: None,
                bridge: format!("br{id}"),
                vxlan: format!("v{}", id % 7),
                name,
                mtu,
            },
        )
}

fn networks(map: Arc<RouteMap>) -> impl Strategy<Value = Vec<Network>> {
    let rule = select(vec![
        RequireRoute::No,
        RequireRoute::Exact,
        RequireRoute::OrMoreSpecific,
    ]);
    let prefix = (any::<u32>(), 0_u8..33);
    prop::collection::btree_map(prefix, (rule, option::of(Just(map))), 0..4).prop_map(|networks| {
        let mut networks: Vec<Network> = networks
            .into_iter()
            .map(|((address, length), (require_route, route_map))| Network {
                prefix: Prefix::new(Ipv4Addr::from(address).into(), length).unwrap(),
                require_route,
                route_map,
            })
            .collect();
        networks.dedup_by_key(|network| network.prefix);
        networks.sort_by_key(|network| network.prefix);
        networks.dedup_by_key(|network| network.prefix);
        networks
    })
}

fn config() -> impl Strategy<Value = Config> {
    let parts = route_maps().prop_flat_map(|maps| {
        let map = maps[1].clone();
        let neighbors = (neighbor(map.clone(), 1), neighbor(map.clone(), 2));
        (Just(maps), neighbors, networks(map))
    });
    let kernel = (any::<bool>(), 5_u8.., 1_u32.., seconds(0..86_401)).prop_map(
        |(enabled, protocol, table, audit_interval)| Kernel {
            enabled,
            protocol,
            table,
            audit_interval,
        },
    );
    let restart = (
        any::<bool>(),
        seconds(1..4096),
        seconds(1..86_401),
        seconds(1..3601),
    );
    let restart =
        restart.prop_map(
            |(enabled, restart_time, stale_time, deferral_time)| GracefulRestart {
                enabled,
                restart_time,
                stale_time,
                deferral_time,
            },
        );
    let multipath = (1_u16..257, any::<bool>()).prop_map(|(paths, as_path_relax)| Multipath {
        paths,
        as_path_relax,
    });
    (parts, vni(), kernel, restart, multipath, seconds(1..3601)).prop_map(
        |((maps, (one, two), networks), vni, kernel, restart, multipath, timeout)| {
            let mut config = Config::new(Asn(65001), Ipv4Addr::new(10, 9, 9, 9));
            let (prefix_list, community_list) = lists();
            config.prefix_lists = vec![prefix_list];
            config.community_lists = vec![community_list];
            config.route_maps = maps;
            config.neighbors = vec![one, two];
            config.ipv4_unicast = Unicast {
                networks,
                multipath,
            };
            config.evpn = Some(Evpn {
                vtep: IpAddr::V6(Ipv6Addr::LOCALHOST),
                port: Evpn::PORT,
            });
            config.vnis = vec![vni];
            config.kernel = kernel;
            config.graceful_restart = restart;
            config.drain.timeout = timeout;
            config
        },
    )
}
