use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::{NonZeroU8, NonZeroU32};
use std::sync::Arc;

use bgp::attributes::{Aggregator, Omitted, Origin};
use bgp::family::{Family, PerFamily};
use bgp::message::Role;
use bgp::policy::{
    Action, AsPathExclude, AsPathList, AsPathRule, Bandwidth, BandwidthAmount, Communities,
    CommunityChange, CommunityList, CommunityRule, Entry, ExtendedCommunityList, Extent, Kind,
    LargeCommunityList, List, MacList, Match, NextHopChange, Number, OnMatch, PrefixList,
    RouteMap, Set,
};
use bgp::rib::{AdvertiseIf, DefaultOriginate, Handling, OwnAs, PathsSent, Presence, PrivateAs};
use bgp::session::RemoteAs;
use bgp::wire::Unwanted;
use bgp::{
    Asn, Community, ExtendedCommunity, InterfaceName, LargeCommunity, MacAddress, Prefix,
    RouteDistinguisher, SourceFilter, Vni,
};
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
    let printed = print(&config);
    assert!(!printed.contains("s3cret") && !format!("{config:?}").contains("s3cret"));
    assert!(
        parse(&printed, "printed.toml").is_err(),
        "passwords are not in it"
    );
    let complete = printed
        .replacen(Password::HIDDEN, "s3cret \\\"word\\\"", 1)
        .replacen(Password::HIDDEN, "s3cret bfd", 1)
        .replacen(Password::HIDDEN, "s3cret next", 1)
        .replacen(Password::HIDDEN, "s3cret key", 1)
        .replacen(Password::HIDDEN, "s3cret too", 1)
        .replacen(Password::HIDDEN, "for all of them", 1);
    assert_eq!(accepted(&complete), config);
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

fn number() -> impl Strategy<Value = Number> {
    prop_oneof![
        any::<u32>().prop_map(Number::Replace),
        any::<u32>().prop_map(Number::Add),
        any::<u32>().prop_map(Number::Sub),
    ]
}

/// The lists that conditions and changes refer to, one of each kind.
struct Lists {
    prefix: Arc<PrefixList>,
    community: Arc<CommunityList>,
    large: Arc<LargeCommunityList>,
    extended: Arc<ExtendedCommunityList>,
    as_path: Arc<AsPathList>,
    mac: Arc<MacList>,
}

fn rules<R: std::str::FromStr<Err = bgp::policy::RuleError>>(rules: &[&str]) -> Vec<R> {
    rules.iter().map(|rule| rule.parse().unwrap()).collect()
}

fn lists() -> Lists {
    let prefix = [
        "permit 10.0.0.0/8 le 24",
        "seq 90 deny ::/0 ge 3",
        "permit any",
    ];
    let expanded = CommunityRule::expanded("permit ^1:.*:\\\\ \"_$").unwrap();
    let extended = [
        "permit rt 65000:1 soo 10.0.0.1:7 0x030c000000000008",
        "deny any",
    ];
    let paths: Vec<AsPathRule> = rules(&["deny _65001_", "permit ^(1|2)+_[0-9]*$"]);
    let prefix = PrefixList::new("P", rules(&prefix)).unwrap();
    Lists {
        prefix: Arc::new(prefix.describe(Some("what is \"ours\"".to_owned()))),
        community: Arc::new(List::new("C", rules(&["permit 1:2 no-export", "deny any"])).unwrap()),
        large: Arc::new(List::new("L", vec![expanded]).unwrap()),
        extended: Arc::new(List::new("E", rules(&extended)).unwrap()),
        as_path: Arc::new(
            List::new("A", paths)
                .unwrap()
                .describe(Some("paths".to_owned())),
        ),
        mac: Arc::new(
            List::new("M", rules(&["permit 02:00:00:00:00:00/24", "deny any"])).unwrap(),
        ),
    }
}

fn of_kind<C: Kind + 'static>(
    list: Arc<List<CommunityRule<C>>>,
    one: impl Strategy<Value = C> + Clone + 'static,
) -> impl Strategy<Value = (Communities<C>, Extent)> {
    let literal = prop::collection::vec(one, 1..4).prop_map(Communities::Literal);
    let communities = prop_oneof![Just(Communities::List(list)), literal];
    (
        communities,
        select(vec![Extent::All, Extent::Exact, Extent::Any]),
    )
}

/// Replace or nothing, then delete by list, delete these, add these.
fn changes_of<C: Kind + 'static>(
    list: Arc<List<CommunityRule<C>>>,
    one: impl Strategy<Value = C> + Clone + 'static,
) -> impl Strategy<Value = Vec<CommunityChange<C>>> {
    let some = move || option::of(prop::collection::vec(one.clone(), 1..4));
    let parts = (some(), any::<bool>(), some(), some());
    let several = parts.prop_map(move |(replace, by_list, delete, add)| {
        let by_list = by_list.then(|| CommunityChange::Delete(Communities::List(list.clone())));
        let delete = delete.map(|these| CommunityChange::Delete(Communities::Literal(these)));
        let replace = replace.map(CommunityChange::Replace);
        let all = [replace, by_list, delete, add.map(CommunityChange::Add)];
        all.into_iter().flatten().collect()
    });
    prop_oneof![1 => Just(vec![CommunityChange::Clear]), 4 => several]
}

fn community() -> impl Strategy<Value = Community> + Clone {
    any::<u32>().prop_map(Community)
}

fn large() -> impl Strategy<Value = LargeCommunity> + Clone {
    any::<[u32; 3]>().prop_map(|[global, local1, local2]| LargeCommunity {
        global,
        local1,
        local2,
    })
}

fn extended() -> impl Strategy<Value = ExtendedCommunity> + Clone {
    any::<[u8; 8]>().prop_map(ExtendedCommunity)
}

fn targets() -> impl Strategy<Value = Vec<ExtendedCommunity>> {
    let target = (asn(), any::<u16>()).prop_filter_map("none", |(asn, n)| {
        ExtendedCommunity::route_target(asn, n.into())
    });
    prop::collection::vec(target, 1..3)
}

fn some_of<T: std::fmt::Debug + Clone + 'static>(
    strategy: impl Strategy<Value = T> + 'static,
) -> BoxedStrategy<Vec<T>> {
    option::of(strategy)
        .prop_map(|one| one.into_iter().collect())
        .boxed()
}

fn matches() -> impl Strategy<Value = Vec<Match>> {
    let lists = lists();
    let origins = vec![Origin::Igp, Origin::Egp, Origin::Incomplete];
    let addresses = || prop::collection::vec(any::<IpAddr>(), 1..3);
    let macs = prop::collection::vec(any::<[u8; 6]>().prop_map(MacAddress), 1..3);
    let length = (any::<u16>(), any::<u16>()).prop_map(|(one, two)| Match::AsPathLength {
        min: one.min(two),
        max: one.max(two),
    });
    let communities = of_kind(lists.community, community());
    let large = of_kind(lists.large, large());
    let extended = of_kind(lists.extended, extended());
    // In the order in which a file's conditions are kept.
    let parts = vec![
        some_of(Just(Match::PrefixList(lists.prefix.clone()))),
        some_of(Just(Match::NextHop(lists.prefix.clone()))),
        some_of(addresses().prop_map(Match::NextHopAddress)),
        some_of(addresses().prop_map(Match::Peer)),
        some_of(Just(Match::AsPath(lists.as_path))),
        some_of(asn().prop_map(Match::AsPathContains)),
        some_of(length),
        some_of(
            communities.prop_map(|(communities, extent)| Match::Community {
                communities,
                extent,
            }),
        ),
        some_of(
            large.prop_map(|(communities, extent)| Match::LargeCommunity {
                communities,
                extent,
            }),
        ),
        some_of(
            extended.prop_map(|(communities, extent)| Match::ExtendedCommunity {
                communities,
                extent,
            }),
        ),
        some_of(any::<u32>().prop_map(Match::LocalPref)),
        some_of(any::<u32>().prop_map(Match::Metric)),
        some_of(any::<u32>().prop_map(Match::Tag)),
        some_of(select(origins).prop_map(Match::Origin)),
        some_of(select(Family::ALL.to_vec()).prop_map(Match::Family)),
        some_of((1_u8..).prop_map(Match::EvpnRouteType)),
        some_of((1_u32..1 << 24).prop_map(|vni| Match::Vni(Vni::new(vni).unwrap()))),
        some_of(any::<u16>().prop_map(|number| {
            Match::Rd(RouteDistinguisher::of_address(Ipv4Addr::LOCALHOST, number))
        })),
        some_of(macs.prop_map(Match::Mac)),
        some_of(Just(Match::MacList(lists.mac))),
        some_of(prop::collection::vec(source_filter(), 1..3).prop_map(Match::Source)),
        some_of(Just(Match::Interface(vec![
            InterfaceName::new("eth0").unwrap(),
        ]))),
        some_of((0_u8..33).prop_map(|length| Match::PrefixLength { v6: false, length })),
        some_of((0_u8..129).prop_map(|length| Match::PrefixLength { v6: true, length })),
        some_of(Just(Match::PeerList(lists.prefix))),
        some_of(Just(Match::SourceVrf("red".into()))),
        some_of(addresses().prop_map(Match::Sender)),
    ];
    parts.prop_map(|parts| parts.concat())
}

fn sets() -> impl Strategy<Value = Vec<Set>> {
    let lists = lists();
    let asns = || prop::collection::vec(asn(), 1..5);
    let exclude = prop_oneof![
        Just(AsPathExclude::All),
        asns().prop_map(AsPathExclude::These),
    ];
    let replace = (option::of(asns()), asn());
    let next_hop = select(vec![
        NextHopChange::Address(IpAddr::V6(Ipv6Addr::LOCALHOST)),
        NextHopChange::PeerAddress,
    ]);
    let amount = prop_oneof![
        (1_u32..).prop_map(BandwidthAmount::Mbit),
        select(vec![BandwidthAmount::Paths, BandwidthAmount::Sum]),
    ];
    let bandwidth = (amount, any::<bool>()).prop_map(|(amount, transitive)| Bandwidth {
        asn: Asn(65001),
        amount,
        transitive,
    });
    // Adding stands behind what is set by kind.
    let split = |change: Vec<CommunityChange<ExtendedCommunity>>| {
        let is_add = |change: &CommunityChange<_>| matches!(change, CommunityChange::Add(_));
        let (add, other): (Vec<_>, Vec<_>) = change.into_iter().partition(is_add);
        [other, add].map(|part| part.into_iter().map(Set::ExtendedCommunity).collect())
    };
    let by_value = vec![
        some_of(targets().prop_map(Set::RouteTargets)),
        some_of(targets().prop_map(Set::SitesOfOrigin)),
        some_of(bandwidth.prop_map(Set::Bandwidth)),
    ];
    let extended =
        (changes_of(lists.extended, extended()), by_value).prop_map(move |(change, by_value)| {
            let clear = change == [CommunityChange::Clear];
            let [other, add]: [Vec<Set>; 2] = split(change);
            match clear {
                // "none" is a value of its own.
                true => other,
                false => [other, by_value.concat(), add].concat(),
            }
        });
    let id = Ipv4Addr::new(10, 0, 0, 7);
    // In the order in which a file's changes are kept.
    let parts = vec![
        some_of(prop_oneof![
            number().prop_map(Set::Metric),
            Just(Set::MetricOfAigp)
        ]),
        some_of(number().prop_map(Set::LocalPref)),
        some_of(any::<u32>().prop_map(Set::Weight)),
        some_of((1_u32..).prop_map(Set::Tag)),
        some_of((1_u8..).prop_map(Set::Distance)),
        some_of(Just(Set::Blackhole)),
        some_of(select(vec![Origin::Egp, Origin::Igp]).prop_map(Set::Origin)),
        some_of(Just(Set::AsPathExclude(AsPathExclude::List(lists.as_path)))),
        some_of(exclude.prop_map(Set::AsPathExclude)),
        some_of(replace.prop_map(|(asns, with)| Set::AsPathReplace { asns, with })),
        some_of((1_u8..33).prop_map(Set::AsPathPrependLast)),
        some_of(asns().prop_map(Set::AsPathPrepend)),
        some_of(next_hop.prop_map(Set::NextHop)),
        changes_of(lists.community, community())
            .prop_map(|changes| changes.into_iter().map(Set::Community).collect())
            .boxed(),
        changes_of(lists.large, large())
            .prop_map(|changes| changes.into_iter().map(Set::LargeCommunity).collect())
            .boxed(),
        extended.boxed(),
        some_of(asn().prop_map(move |asn| Set::Aggregator(Aggregator { asn, router_id: id }))),
        some_of(Just(Set::AtomicAggregate)),
        some_of(Just(Set::OriginatorId(id))),
        some_of(prop_oneof![
            any::<u32>().prop_map(|metric| Set::Aigp(metric.into())),
            Just(Set::AigpOfMetric)
        ]),
        some_of((256_u32..).prop_map(Set::Table)),
        some_of(Just(Set::Src(id.into()))),
    ];
    parts.prop_map(|parts| parts.concat())
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
            description: calls.then(|| "why \\ \"this\"".to_owned()),
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

fn handling(is_unicast: bool) -> impl Strategy<Value = Handling> {
    let own_as = prop_oneof![(0_u8..11).prop_map(OwnAs::Times), Just(OwnAs::Origin)];
    let private_as = select(vec![
        PrivateAs::Keep,
        PrivateAs::Remove,
        PrivateAs::RemoveAll,
        PrivateAs::Replace,
        PrivateAs::ReplaceAll,
    ]);
    let site = select(vec![
        None,
        Some("soo 65000:7"),
        Some("soo 10.0.0.1:7"),
        Some("soo 70000:7"),
    ]);
    let site = site.prop_map(|text| bgp::policy::communities(text?).ok()?.first().copied());
    let distance = option::of(1..=254_u8);
    let distance = distance.prop_map(move |it| it.filter(|_| is_unicast));
    (
        own_as,
        any::<[bool; 3]>(),
        private_as,
        any::<[bool; 3]>(),
        site,
        distance,
    )
        .prop_map(
            move |(own_as, bools, private_as, [standard, extended, large], site, distance)| {
                let [as_override, path, med] = bools;
                Handling {
                    own_as,
                    as_override,
                    as_path_unchanged: path,
                    med_unchanged: med,
                    private_as,
                    omitted: Omitted {
                        standard,
                        extended: extended && is_unicast,
                        large,
                        ..Omitted::default()
                    },
                    whole_bandwidths: false,
                    site_of_origin: site,
                    distance,
                }
            },
        )
}

fn neighbor(map: Arc<RouteMap>, last: u8) -> impl Strategy<Value = Neighbor> {
    let next_hop = vec![
        NextHopRule::Auto,
        NextHopRule::Myself,
        NextHopRule::MyselfAlways,
        NextHopRule::Unchanged,
    ];
    let action = prop_oneof![
        Just(MaximumAction::Stop),
        seconds(1..86_401).prop_map(MaximumAction::Restart),
        Just(MaximumAction::Warn),
    ];
    let count = select(vec![PrefixCount::Received, PrefixCount::Accepted]);
    let maximum =
        (1_u32.., 1_u8..101, count, action).prop_map(|(limit, warn_at, count, action)| {
            MaximumPrefixes {
                limit,
                warn_at,
                count,
                action,
            }
        });
    let family = |blackhole: bool| {
        let map = option::of(Just(map.clone()));
        let rest = (select(next_hop.clone()), option::of(maximum.clone()));
        let notes = (option::of(any::<u32>()), any::<bool>());
        let sent = prop_oneof![
            Just(PathsSent::All),
            Just(PathsSent::BestPerAs),
            any::<NonZeroU8>().prop_map(PathsSent::Best)
        ];
        let add_path = (any::<bool>(), option::of(sent))
            .prop_map(|(receive, send)| AddPath { receive, send });
        let handling = handling(blackhole);
        (map.clone(), map, rest, notes, (handling, add_path)).prop_map(
            move |(
                import,
                export,
                (next_hop, maximum_prefixes),
                (weight, honor),
                (handling, add_path),
            )| {
                NeighborFamily {
                    import: import.clone(),
                    export: export.clone(),
                    next_hop,
                    default_originate: match (blackhole, weight) {
                        (true, Some(_)) => import.clone().map(DefaultOriginate::While),
                        (true, None) => handling.as_override.then_some(DefaultOriginate::Always),
                        (false, _) => None,
                    },
                    advertise_if: export.clone().filter(|_| blackhole && honor).map(|map| {
                        AdvertiseIf {
                            routes: map.clone(),
                            presence: match handling.as_override {
                                true => Presence::Exist,
                                false => Presence::Absent,
                            },
                            condition: map,
                        }
                    }),
                    unsuppress: export.clone().filter(|_| blackhole && !honor),
                    maximum_prefixes_out: weight.and_then(NonZeroU32::new),
                    handling,
                    weight,
                    honor_blackhole: blackhole && honor,
                    add_path,
                    maximum_prefixes,
                    route_reflector_client: None,
                    route_server_client: None,
                }
            },
        )
    };
    let families = (
        option::of(family(true)),
        option::of(family(true)),
        option::of(family(false)),
    );
    let timers = (seconds(3..65_536), seconds(1..3600), 1_u64..4).prop_map(
        |(hold, connect_retry, part)| Timers {
            hold,
            keepalive: Duration::from_secs((hold.as_secs() / 3 / part).max(1)),
            send_hold: (part == 1).then_some(hold),
            connect_retry,
        },
    );
    let times = (10_u64..60_001, 10_u64..60_001, any::<bool>())
        .prop_map(|(transmit, receive, same)| [transmit, if same { transmit } else { receive }]);
    let echo = || option::of((10_u64..60_001).prop_map(Duration::from_millis));
    let echo = (echo(), echo());
    let bfd = (times, 1_u8.., any::<[bool; 3]>(), 1_u8.., echo).prop_map(
        |([transmit, receive], multiplier, [multihop, passive, shutdown], min_ttl, echo)| Bfd {
            transmit_interval: Duration::from_millis(transmit),
            receive_interval: Duration::from_millis(receive),
            multiplier,
            multihop,
            min_ttl: if multihop { min_ttl } else { Bfd::MIN_TTL },
            passive,
            shutdown,
            authentication: None,
            echo: echo.0.filter(|_| !multihop),
            echo_receive: echo.1.filter(|_| !multihop),
            strict: !shutdown && passive,
        },
    );
    let role = vec![
        Role::Provider,
        Role::RouteServer,
        Role::Customer,
        Role::Peer,
    ];
    let flags = (any::<bool>(), any::<bool>(), 1_u16..);
    let times = (seconds(1..4096), option::of(seconds(0..16_777_216)));
    let restart = option::of(times.prop_map(|(restart, long_lived)| RestartTimes {
        restart,
        long_lived,
    }));
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
                    shutdown_text: description
                        .clone()
                        .filter(|it: &String| shutdown && it.len() < 256),
                    description,
                    port,
                    local_address: passive.then_some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
                    passive,
                    shutdown,
                    role,
                    timers,
                    bfd,
                    graceful_restart: restart,
                    whole_bandwidths: passive && port != BGP_PORT,
                    graceful_shutdown: passive && port == BGP_PORT,
                    aigp: (role.is_some() && port != BGP_PORT).then_some(passive),
                    unwanted: Unwanted {
                        discard: passive.then_some(128 | last).into_iter().collect(),
                        withdraw: [5, 255].into_iter().filter(|_| shutdown).collect(),
                    },
                    families: PerFamily {
                        ipv4_unicast,
                        ipv6_unicast,
                        evpn,
                    },
                    source_interface: (!passive && shutdown).then(|| "dummy0".to_owned()),
                    ttl_security: (shutdown && last > 1).then_some(last),
                    multihop: (!shutdown).then_some(last),
                    local_as: (last == 2).then_some(LocalAs {
                        asn: Asn(64999),
                        prepend: passive,
                        replace: shutdown,
                        dual: !passive,
                    }),
                    enforce_first_as: (last > 1).then_some(passive),
                    relation: Relation {
                        role_strict: role.is_some() && passive,
                        route_server_client: shutdown,
                        ..Relation::default()
                    },
                    remote_as: match passive && !shutdown {
                        true => RemoteAs::External,
                        false => RemoteAs::Exact(Asn(3_000_000_000 + u32::from(last))),
                    },
                    ..Neighbor::new(
                        IpAddr::V4(Ipv4Addr::new(10, 0, 0, last)),
                        Asn(3_000_000_000),
                    )
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
    let addresses = (128_u32 << 24)..(224 << 24);
    let gateway = (addresses, 8_u8..25).prop_map(|(address, length)| {
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
        any::<(bool, bool, bool)>(),
    )
        .prop_map(
            |(
                id,
                name,
                import_targets,
                export_targets,
                gateway,
                mtu,
                (network, suppress, flooding),
            )| VniConfig {
                id: Vni::new(id).unwrap(),
                rd: match u16::try_from(id) {
                    Ok(short) => RouteDistinguisher::of_address(Ipv4Addr::new(10, 9, 9, 9), short),
                    Err(_) => "65000:7".parse().unwrap(),
                },
                import_targets,
                export_targets,
                gateway: gateway.into_iter().collect(),
                networks: network
                    .then(|| format!("2001:db8:{:x}:{:x}::/64", id >> 16, id & 0xffff))
                    .iter()
                    .map(|network| network.parse().unwrap())
                    .collect(),
                gateway_mac: None,
                advertise_gateway: false,
                advertise_svi: false,
                vrf: Some(format!("vrf{}", id % 3)).filter(|_| id % 2 == 0),
                bridge: format!("br{id}"),
                vxlan: format!("v{}", id % 7),
                vlan: None,
                name,
                mtu,
                suppress,
                flooding,
                create: suppress || !flooding,
            },
        )
}

fn source_filter() -> impl Strategy<Value = SourceFilter> {
    let names: Vec<&'static str> = SourceFilter::names().filter(|it| *it != "bgp").collect();
    prop_oneof![
        select(names).prop_map(SourceFilter::Named),
        (1_u8..5).prop_map(SourceFilter::Protocol),
    ]
}

fn redistribute(map: Arc<RouteMap>) -> impl Strategy<Value = Vec<Redistribution>> {
    let table = option::of(256_u32..);
    let item = (
        source_filter(),
        table,
        option::of(Just(map)),
        option::of(any::<u32>()),
    );
    let item = item.prop_map(|(source, table, route_map, metric)| Redistribution {
        source,
        table,
        route_map,
        metric,
    });
    prop::collection::vec(item, 0..4).prop_map(|mut items| {
        items.sort_by_key(|it| (it.source, it.table));
        items.dedup_by_key(|it| (it.source, it.table));
        items
    })
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
        let of = |last| neighbor(map.clone(), last);
        let neighbors = (of(1), of(2), of(3), 1_u16..);
        (
            Just(maps),
            neighbors,
            (networks(map.clone()), redistribute(map)),
        )
    });
    let distance = (1_u8.., 1_u8.., 1_u8..).prop_map(|(external, internal, backdoor)| Distance {
        external,
        internal,
        backdoor,
    });
    let kernel = (any::<bool>(), 5_u8.., 1_u32.., distance, seconds(0..86_401)).prop_map(
        |(enabled, protocol, table, distance, audit_interval)| Kernel {
            on_stop: match enabled {
                true => OnStop::Clean,
                false => OnStop::Keep,
            },
            enabled,
            protocol,
            table,
            distance,
            audit_interval,
            nexthop_objects: table % 2 == 0,
            ipv4_forwarding: (table % 3 > 0).then_some(enabled),
            ipv6_forwarding: (table % 5 > 0).then_some(!enabled),
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
                // What a neighbour does not say would be this.
                long_lived_time: None,
                stale_time,
                deferral_time,
            },
        );
    let multipath = (1_u16..257, any::<bool>()).prop_map(|(paths, as_path_relax)| Multipath {
        paths,
        as_path_relax,
    });
    let rules = any::<[bool; 5]>().prop_map(|[one, two, three, four, five]| Rules {
        always_compare_med: one,
        missing_med_as_worst: two,
        as_path_ignore: three,
        as_path_confed: four,
        peer_type_relax: five,
    });
    let bandwidth = select(
        BandwidthUse::WORDS
            .iter()
            .map(|(it, _)| *it)
            .collect::<Vec<_>>(),
    );
    let decision = (multipath, rules, bandwidth);
    (parts, vni(), kernel, restart, decision, seconds(1..3601)).prop_map(
        |(
            (maps, (one, two, three, limit), (networks, redistribute)),
            vni,
            kernel,
            restart,
            (multipath, rules, bandwidth),
            timeout,
        )| {
            let mut config = Config::new(Asn(65001), Ipv4Addr::new(10, 9, 9, 9));
            let lists = lists();
            config.bestpath = rules;
            config.max_med = MaxMed {
                always: rules.as_path_ignore.then_some(limit.into()),
                on_startup: rules.as_path_confed.then_some(StartupMed {
                    time: timeout + Duration::from_secs(5),
                    med: match rules.always_compare_med {
                        true => MaxMed::USUAL,
                        false => limit.into(),
                    },
                }),
            };
            config.bandwidth = bandwidth;
            config.prefix_lists = vec![lists.prefix];
            config.community_lists = vec![lists.community];
            config.large_community_lists = vec![lists.large];
            config.extended_community_lists = vec![lists.extended];
            config.as_path_lists = vec![lists.as_path];
            config.mac_lists = vec![lists.mac];
            config.route_maps = maps;
            config.neighbors = vec![one, two];
            let prefix: Prefix = "10.8.0.0/16".parse().expect("a prefix");
            config.interfaces = vec![InterfaceNeighbor {
                interface: "swp1".to_owned(),
                advertisement_interval: Duration::from_secs(7),
                settings: Neighbor {
                    address: InterfaceNeighbor::NOBODY.into(),
                    local_address: None,
                    source_interface: None,
                    multihop: None,
                    ..three.clone()
                },
            }];
            let own = |text: &str| text.parse::<ipnetwork::IpNetwork>().expect("an address");
            config.host_interfaces = vec![HostInterface {
                name: "eth0".to_owned(),
                description: (limit % 2 == 0).then(|| "a \"b\"".to_owned()),
                up: (limit % 3 > 0).then_some(limit % 3 == 1),
                link_detect: true,
                addresses: vec![
                    own("192.0.2.1/24").into(),
                    fib::OwnAddress {
                        address: own("192.0.2.2/31"),
                        peer: (limit % 5 > 0).then(|| [192, 0, 2, 3].into()),
                        label: (limit % 7 > 0).then(|| "eth0:1".to_owned()),
                    },
                ],
            }];
            config.listen_ranges = vec![ListenRange {
                prefix,
                limit,
                settings: Neighbor {
                    address: prefix.addr().into(),
                    port: BGP_PORT,
                    local_address: None,
                    source_interface: None,
                    passive: true,
                    ..three
                },
            }];
            let covering = |suppress, route_map: Option<Arc<RouteMap>>| Aggregate {
                suppress,
                as_set: limit % 2 == 0,
                origin: (limit % 3 == 0).then_some(Origin::Egp),
                match_med: limit % 3 == 0,
                blackhole: limit % 5 != 0,
                route_map,
                ..Aggregate::new(prefix)
            };
            let first = config.route_maps.first().cloned();
            let suppress = match first.clone().filter(|_| limit % 7 < 3) {
                Some(map) => Suppress::Matching(map),
                None if limit % 7 < 5 => Suppress::All,
                None => Suppress::None,
            };
            let into_kernel = (limit % 3 == 1).then(|| {
                let entry = bgp::policy::Entry {
                    sets: vec![Set::Distance(30), Set::Src(prefix.addr())],
                    ..bgp::policy::Entry::new(10, Action::Permit)
                };
                Arc::new(RouteMap::new("into the kernel", vec![entry]).expect("one entry"))
            });
            config.route_maps.extend(into_kernel.clone());
            config.ipv4_unicast = Unicast {
                kernel_route_map: into_kernel,
                backdoors: match networks.iter().any(|it| it.prefix == prefix) {
                    true => Vec::new(),
                    false => vec![prefix],
                },
                networks,
                // Never our own.
                redistribute: match !redistribute
                    .iter()
                    .any(|it| it.source.is_only(kernel.protocol))
                {
                    true => redistribute,
                    false => Vec::new(),
                },
                aggregates: vec![covering(suppress, first.filter(|_| limit % 2 == 0))],
                multipath,
            };
            config.evpn = Some(Evpn {
                vtep: IpAddr::V6(Ipv6Addr::LOCALHOST),
                port: Evpn::PORT,
                duplicates: match limit % 4 {
                    0 => None,
                    1 => Some(DuplicateDetection::default()),
                    other => Some(DuplicateDetection {
                        moves: 7,
                        window: Duration::from_secs(90),
                        action: DuplicateAction::Freeze(
                            (other == 2).then_some(Duration::from_secs(600)),
                        ),
                    }),
                },
            });
            // Every third on shared devices.
            let shared = (limit % 3 == 0).then(|| SingleDevice {
                vxlan: "vx-all".to_owned(),
                bridge: "br-all".to_owned(),
                mtu: vni.mtu.filter(|_| limit % 2 == 0),
            });
            let vni = match &shared {
                Some(single) => VniConfig {
                    create: true,
                    vlan: Some(7),
                    vxlan: single.vxlan.clone(),
                    bridge: match limit % 2 {
                        0 => single.vlan_device(7),
                        _ => vni.bridge.clone(),
                    },
                    ..vni
                },
                None => vni,
            };
            config.single_device = shared;
            config.vnis = vec![vni];
            config.kernel = kernel;
            config.graceful_restart = restart;
            config.drain.timeout = timeout;
            config
        },
    )
}
