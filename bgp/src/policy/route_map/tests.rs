use proptest::prelude::*;

use std::net::IpAddr;

use super::*;
use crate::asn::Asn;
use crate::attributes::{Aggregator, AttributeSet, NextHop, Origin, Segment, SegmentKind};
use crate::community::{Community, ExtendedCommunity, LargeCommunity};
use crate::evpn_route::{EvpnKey, Vni};
use crate::family::Family;
use crate::policy::{
    AsPathExclude, AsPathList, Bandwidth, BandwidthAmount, Communities, CommunityChange,
    CommunityList, CommunityRule, Extent, Kind, Leaving, List, MacList, NextHopChange, Number,
    PrefixList,
};
use crate::prefix::Prefix;

fn prefixes(rules: &[&str]) -> Arc<PrefixList> {
    let rules = rules.iter().map(|rule| rule.parse().unwrap()).collect();
    Arc::new(PrefixList::new("PREFIXES", rules).unwrap())
}

fn map(entries: Vec<Entry>) -> RouteMap {
    RouteMap::new("MAP", entries).unwrap()
}

fn permit(seq: u32) -> Entry {
    Entry::new(seq, Action::Permit)
}

fn deny(seq: u32) -> Entry {
    Entry::new(seq, Action::Deny)
}

fn nlri(text: &str) -> Nlri {
    Nlri::from(text.parse::<Prefix>().unwrap())
}

fn community(text: &str) -> Community {
    text.parse().unwrap()
}

/// A route with something in every attribute that policy looks at.
fn route() -> AttributeSet {
    let mut set = AttributeSet::new(NextHop::V4([192, 0, 2, 1].into()));
    set.as_path = vec![
        Segment {
            kind: SegmentKind::Sequence,
            asns: vec![Asn(65001), Asn(65002)],
        },
        Segment {
            kind: SegmentKind::Set,
            asns: vec![Asn(65007)],
        },
    ];
    set.med = Some(50);
    set.local_pref = Some(200);
    set.communities = vec![community("1:1"), community("1:2")];
    set.large_communities = vec!["65001:1:2".parse().unwrap()];
    set.extended_communities = vec![target("65000:100"), site("65000:7")];
    set.extended_communities.sort();
    set
}

fn target(text: &str) -> ExtendedCommunity {
    text.parse().unwrap()
}

fn site(text: &str) -> ExtendedCommunity {
    let [site] = crate::policy::communities(&format!("soo {text}")).unwrap()[..] else {
        panic!("one")
    };
    site
}

fn paths(rules: &[&str]) -> Arc<AsPathList> {
    let rules = rules.iter().map(|rule| rule.parse().unwrap()).collect();
    Arc::new(AsPathList::new("PATHS", rules).unwrap())
}

/// The verdict, which a trace must not change.
fn evaluate(map: &RouteMap, nlri: &Nlri, set: &AttributeSet) -> Verdict {
    let attributes = set.freeze();
    let verdict = map.evaluate(nlri, &attributes, None);
    let mut trace = Trace::new();
    assert_eq!(map.evaluate(nlri, &attributes, Some(&mut trace)), verdict);
    assert!(!trace.steps().is_empty());
    verdict
}

fn changed(map: &RouteMap) -> AttributeSet {
    match evaluate(map, &nlri("10.0.0.0/8"), &route()) {
        Verdict::Change { set, .. } => set,
        Verdict::Accept | Verdict::Reject => panic!("not changed"),
    }
}

fn accepts(map: &RouteMap, prefix: &str) -> bool {
    evaluate(map, &nlri(prefix), &route()).is_accepted()
}

#[test]
fn an_empty_permit_entry_accepts_all_unchanged() {
    let map = map(vec![permit(10)]);
    assert_eq!(
        evaluate(&map, &nlri("10.0.0.0/8"), &route()),
        Verdict::Accept
    );
    assert_eq!(answers(&map, "10.0.0.0/8"), answers(&map, "11.0.0.0/8"));
}

#[test]
fn a_map_without_a_matching_entry_denies() {
    assert!(!accepts(&map(vec![]), "10.0.0.0/8"));
    let list = Match::PrefixList(prefixes(&["permit 10.0.0.0/8"]));
    assert!(!accepts(&map(vec![permit(10).when(list)]), "11.0.0.0/8"));
}

#[test]
fn entries_are_visited_in_the_order_of_their_numbers() {
    let list = Match::PrefixList(prefixes(&["permit 10.0.0.0/8 le 32"]));
    let map = map(vec![permit(20), deny(10).when(list)]);
    assert!(!accepts(&map, "10.1.0.0/16"));
    assert!(accepts(&map, "11.0.0.0/8"));
    assert_ne!(answers(&map, "10.0.0.0/8"), answers(&map, "11.0.0.0/8"));
}

#[test]
fn all_conditions_of_an_entry_must_hold() {
    let list = Match::PrefixList(prefixes(&["permit 10.0.0.0/8"]));
    let with = |metric| {
        map(vec![
            permit(10).when(list.clone()).when(Match::Metric(metric)),
        ])
    };
    assert!(accepts(&with(50), "10.0.0.0/8"));
    assert!(!accepts(&with(51), "10.0.0.0/8"));
}

#[test]
fn every_condition_looks_at_its_own_attribute() {
    let literal = |text: &str| Communities::Literal(vec![community(text)]);
    let of_list = |rule: &str| {
        let list = CommunityList::new("C", vec![rule.parse().unwrap()]).unwrap();
        Communities::List(Arc::new(list))
    };
    use Extent::{All, Any, Exact};
    let with = |communities, extent| Match::Community {
        communities,
        extent,
    };
    let large = |text: &str, extent| Match::LargeCommunity {
        communities: Communities::Literal(crate::policy::communities(text).unwrap()),
        extent,
    };
    let extended = |text: &str, extent| Match::ExtendedCommunity {
        communities: Communities::Literal(crate::policy::communities(text).unwrap()),
        extent,
    };
    let hop = |text: &str| Match::NextHopAddress(vec![text.parse().unwrap()]);
    let length = |min, max| Match::AsPathLength { min, max };
    for (condition, holds) in [
        (
            Match::NextHop(prefixes(&["permit 192.0.2.0/24 ge 32"])),
            true,
        ),
        (
            Match::NextHop(prefixes(&["permit 192.0.3.0/24 ge 32"])),
            false,
        ),
        (hop("192.0.2.1"), true),
        (hop("192.0.2.2"), false),
        // Nobody has bound the map to a neighbour.
        (Match::Peer(vec!["192.0.2.1".parse().unwrap()]), false),
        (Match::PeerList(prefixes(&["permit any"])), false),
        (Match::Sender(vec!["192.0.2.1".parse().unwrap()]), false),
        (Match::Local, true),
        (with(literal("1:1"), All), true),
        (with(literal("1:1"), Exact), false),
        (with(literal("1:3"), All), false),
        (with(of_list("permit 1:2 1:1"), Exact), true),
        (with(of_list("permit 1:3 1:1"), All), false),
        (with(of_list("permit 1:3 1:1"), Any), true),
        (with(of_list("permit 1:3"), All), false),
        (large("65001:1:2", Exact), true),
        (large("65001:1:2 65001:1:3", All), false),
        (large("65001:1:2 65001:1:3", Any), true),
        (extended("rt 65000:100", All), true),
        (extended("rt 65000:100", Exact), false),
        (extended("rt 65000:100 soo 65000:7", Exact), true),
        (extended("soo 65000:100", All), false),
        (Match::AsPath(paths(&["permit ^65001_"])), true),
        (Match::AsPath(paths(&["permit 65002 \\{65007\\}$"])), true),
        (Match::AsPath(paths(&["deny _65007_", "permit any"])), false),
        (length(3, 3), true),
        (length(0, 2), false),
        (length(2, 9), true),
        (Match::AsPathContains(Asn(65002)), true),
        (Match::AsPathContains(Asn(65007)), true),
        (Match::AsPathContains(Asn(1)), false),
        (Match::LocalPref(200), true),
        (Match::LocalPref(100), false),
        (Match::Metric(50), true),
        (Match::Metric(0), false),
        (Match::Origin(Origin::Igp), true),
        (Match::Origin(Origin::Egp), false),
        (Match::Family(Family::Ipv4Unicast), true),
        (Match::Family(Family::Evpn), false),
        (Match::EvpnRouteType(2), false),
        (Match::Vni(Vni::new(100).unwrap()), false),
        (Match::Rd("65000:1".parse().unwrap()), false),
        (
            Match::Mac(vec!["02:00:00:00:00:01".parse().unwrap()]),
            false,
        ),
    ] {
        let shown = condition.to_string();
        assert_eq!(
            accepts(&map(vec![permit(10).when(condition.clone())]), "10.0.0.0/8"),
            holds,
            "{shown}"
        );
        // Read from opened attributes it is the same.
        let opened = map(vec![
            permit(5)
                .set(Set::Origin(Origin::Igp))
                .on_match(OnMatch::Next),
            deny(10).when(condition),
        ]);
        assert_eq!(accepts(&opened, "10.0.0.0/8"), !holds, "{shown}");
    }
}

#[test]
fn missing_numbers_count_as_their_defaults() {
    let mut set = route();
    (set.med, set.local_pref) = (None, None);
    let both = permit(10)
        .when(Match::Metric(0))
        .when(Match::LocalPref(100));
    assert_eq!(
        evaluate(&map(vec![both]), &nlri("10.0.0.0/8"), &set),
        Verdict::Accept
    );
    let add = permit(10)
        .set(Set::Metric(Number::Add(7)))
        .set(Set::LocalPref(Number::Add(7)));
    let Verdict::Change { set, .. } = evaluate(&map(vec![add]), &nlri("10.0.0.0/8"), &set) else {
        panic!("not changed");
    };
    assert_eq!((set.med, set.local_pref), (Some(7), Some(107)));
}

#[test]
fn evpn_routes_match_by_type_vni_and_prefix() {
    use crate::attributes::PmsiTunnel;
    use crate::evpn_route::{EvpnTail, MacAddress, RouteDistinguisher};
    let rd = RouteDistinguisher([0; 8]);
    let mac = |ip| {
        Nlri::Evpn(EvpnKey::MacIp {
            rd,
            tag: 0,
            mac: MacAddress([2; 6]),
            ip,
        })
    };
    let mut set = route();
    set.evpn = Some(EvpnTail {
        label: 100,
        label2: Some(4000),
        ..EvpnTail::default()
    });
    let holds = |condition: Match, nlri: &Nlri, set: &AttributeSet| {
        evaluate(&map(vec![permit(10).when(condition)]), nlri, set).is_accepted()
    };
    let vni = |number| Match::Vni(Vni::new(number).unwrap());
    assert!(holds(vni(100), &mac(None), &set));
    assert!(holds(vni(4000), &mac(None), &set));
    assert!(!holds(vni(101), &mac(None), &set));
    assert!(holds(Match::EvpnRouteType(2), &mac(None), &set));
    assert!(!holds(Match::EvpnRouteType(3), &mac(None), &set));
    let list = || Match::PrefixList(prefixes(&["permit 10.0.0.1/32"]));
    assert!(holds(list(), &mac(Some([10, 0, 0, 1].into())), &set));
    assert!(!holds(list(), &mac(Some([10, 0, 0, 2].into())), &set));
    assert!(!holds(
        Match::PrefixList(prefixes(&["permit any"])),
        &mac(None),
        &set
    ));
    assert!(holds(Match::Rd(rd), &mac(None), &set));
    assert!(!holds(
        Match::Rd("65000:1".parse().unwrap()),
        &mac(None),
        &set
    ));
    assert!(holds(
        Match::Mac(vec![MacAddress([2; 6])]),
        &mac(None),
        &set
    ));
    assert!(!holds(
        Match::Mac(vec![MacAddress([4; 6])]),
        &mac(None),
        &set
    ));
    let macs = |rule: &str| {
        let list = MacList::new("MACS", vec![rule.parse().unwrap()]).unwrap();
        Match::MacList(Arc::new(list))
    };
    assert!(holds(macs("permit 02:02:02:00:00:00/24"), &mac(None), &set));
    assert!(!holds(
        macs("permit 02:02:03:00:00:00/24"),
        &mac(None),
        &set
    ));
    set.evpn = None;
    let identifier = Box::from([192, 0, 2, 1]);
    set.pmsi_tunnel = Some(PmsiTunnel {
        flags: 0,
        tunnel_type: 6,
        label: 200,
        identifier,
    });
    let flood = Nlri::Evpn(EvpnKey::InclusiveMulticast {
        rd,
        tag: 0,
        originator: [10, 0, 0, 1].into(),
    });
    assert!(holds(vni(200), &flood, &set));
    assert!(!holds(vni(100), &flood, &set));
}

#[test]
fn every_change_changes_its_attribute_and_nothing_else() {
    let literal = |text: &str| vec![community(text)];
    let large = |text: &str| vec![text.parse::<LargeCommunity>().unwrap()];
    type Expect = fn(&mut AttributeSet);
    let community_change = |change| Set::Community(change);
    let table: Vec<(Set, Expect)> = vec![
        (Set::Metric(Number::Replace(7)), |set| set.med = Some(7)),
        (Set::Metric(Number::Add(u32::MAX)), |set| {
            set.med = Some(u32::MAX)
        }),
        (Set::Metric(Number::Sub(60)), |set| set.med = Some(0)),
        (Set::LocalPref(Number::Sub(60)), |set| {
            set.local_pref = Some(140)
        }),
        (Set::Origin(Origin::Incomplete), |set| {
            set.origin = Origin::Incomplete
        }),
        (Set::AsPathPrepend(vec![Asn(1), Asn(2)]), |set| {
            set.as_path[0].asns = [1, 2, 65001, 65002].map(Asn).to_vec();
        }),
        (
            community_change(CommunityChange::Replace(literal("9:9"))),
            |set| {
                set.communities = vec![community("9:9")];
            },
        ),
        (
            community_change(CommunityChange::Add(literal("0:7"))),
            |set| {
                set.communities = vec![community("0:7"), community("1:1"), community("1:2")];
            },
        ),
        (
            community_change(CommunityChange::Add(literal("1:1"))),
            |_| {},
        ),
        (
            community_change(CommunityChange::Delete(Communities::Literal(literal(
                "1:1",
            )))),
            |set| set.communities = vec![community("1:2")],
        ),
        (community_change(CommunityChange::Clear), |set| {
            set.communities.clear()
        }),
        (
            Set::LargeCommunity(CommunityChange::Replace(large("7:7:7"))),
            |set| set.large_communities = vec!["7:7:7".parse().unwrap()],
        ),
        (
            Set::LargeCommunity(CommunityChange::Add(large("7:7:7"))),
            |set| set.large_communities.insert(0, "7:7:7".parse().unwrap()),
        ),
        (Set::LargeCommunity(CommunityChange::Clear), |set| {
            set.large_communities.clear();
        }),
        (
            Set::ExtendedCommunity(CommunityChange::Add(vec![target("65000:9")])),
            |set| {
                set.extended_communities.push(target("65000:9"));
                set.extended_communities.sort();
            },
        ),
        (
            Set::ExtendedCommunity(CommunityChange::Delete(Communities::Literal(vec![target(
                "65000:100",
            )]))),
            |set| set.extended_communities = vec![site("65000:7")],
        ),
        (
            Set::RouteTargets(vec![target("1:1"), target("10.0.0.1:1")]),
            |set| {
                set.extended_communities =
                    vec![target("1:1"), target("10.0.0.1:1"), site("65000:7")];
                set.extended_communities.sort();
            },
        ),
        (Set::SitesOfOrigin(vec![target("1:1")]), |set| {
            set.extended_communities = vec![site("1:1"), target("65000:100")];
            set.extended_communities.sort();
        }),
        (
            Set::Bandwidth(Bandwidth {
                asn: Asn(65001),
                amount: BandwidthAmount::Mbit(1000),
                transitive: false,
            }),
            |set| {
                // 125,000,000 octets a second as a float.
                let value = ExtendedCommunity([0x40, 4, 0xfd, 0xe9, 0x4c, 0xee, 0x6b, 0x28]);
                set.extended_communities.push(value);
            },
        ),
        (
            Set::AsPathExclude(AsPathExclude::These(vec![Asn(65007), Asn(65001)])),
            |set| {
                set.as_path.truncate(1);
                set.as_path[0].asns = vec![Asn(65002)];
            },
        ),
        (Set::AsPathExclude(AsPathExclude::All), |set| {
            set.as_path.clear()
        }),
        (
            Set::AsPathExclude(AsPathExclude::List(paths(&["permit ^6500[27]$"]))),
            |set| {
                set.as_path.truncate(1);
                set.as_path[0].asns = vec![Asn(65001)];
            },
        ),
        (
            Set::AsPathReplace {
                asns: Some(vec![Asn(65002)]),
                with: Asn(1),
            },
            |set| set.as_path[0].asns = vec![Asn(65001), Asn(1)],
        ),
        (
            Set::AsPathReplace {
                asns: None,
                with: Asn(1),
            },
            |set| {
                set.as_path[0].asns = vec![Asn(1), Asn(1)];
                set.as_path[1].asns = vec![Asn(1)];
            },
        ),
        (Set::AsPathPrependLast(2), |set| {
            set.as_path[0].asns = [65001, 65001, 65001, 65002].map(Asn).to_vec();
        }),
        (
            Set::Aggregator(Aggregator {
                asn: Asn(7),
                router_id: [10, 0, 0, 7].into(),
            }),
            |set| {
                set.aggregator = Some(Aggregator {
                    asn: Asn(7),
                    router_id: [10, 0, 0, 7].into(),
                });
            },
        ),
        (Set::AtomicAggregate, |set| set.atomic_aggregate = true),
        (Set::OriginatorId([10, 0, 0, 7].into()), |set| {
            set.originator_id = Some([10, 0, 0, 7].into());
        }),
        (
            Set::NextHop(NextHopChange::Address([10, 0, 0, 9].into())),
            |set| set.next_hop = NextHop::V4([10, 0, 0, 9].into()),
        ),
        // The route's next hop is of the other version.
        (
            Set::NextHop(NextHopChange::Address("2001:db8::1".parse().unwrap())),
            |_| {},
        ),
        // Nobody has bound the map to a neighbour.
        (Set::NextHop(NextHopChange::PeerAddress), |_| {}),
    ];
    for (set, expect) in table {
        let mut expected = route();
        expect(&mut expected);
        let map = map(vec![permit(10).set(set.clone())]);
        let verdict = evaluate(&map, &nlri("10.0.0.0/8"), &route());
        let after = match verdict {
            Verdict::Change { set, .. } => set,
            Verdict::Accept => route(),
            Verdict::Reject => panic!("{set:?}"),
        };
        assert_eq!(after, expected, "{set:?}");
    }
}

#[test]
fn an_empty_path_has_no_last_number_to_prepend() {
    let mut set = route();
    set.as_path.clear();
    let map = map(vec![permit(10).set(Set::AsPathPrependLast(2))]);
    assert_eq!(evaluate(&map, &nlri("10.0.0.0/8"), &set), Verdict::Accept);
}

#[test]
fn a_map_that_asks_for_the_neighbour_is_bound_to_it_and_others_are_not() {
    let [one, two]: [IpAddr; 2] = [[10, 0, 0, 1].into(), [10, 0, 0, 2].into()];
    let plain = map(vec![permit(10)]);
    assert_eq!(plain.bound(Party::From(one)), plain);
    let peer = map(vec![permit(10).when(Match::Peer(vec![one]))]);
    assert!(accepts(&peer.bound(Party::From(one)), "10.0.0.0/8"));
    assert!(!accepts(&peer.bound(Party::From(two)), "10.0.0.0/8"));
    assert!(accepts(&peer.bound(Party::To(Some(one))), "10.0.0.0/8"));
    assert_ne!(peer.bound(Party::From(one)), peer.bound(Party::From(two)));
    let list = prefixes(&["permit 10.0.0.1/32"]);
    let peer_list = map(vec![permit(10).when(Match::PeerList(list))]);
    assert!(accepts(&peer_list.bound(Party::From(one)), "10.0.0.0/8"));
    assert!(!accepts(&peer_list.bound(Party::From(two)), "10.0.0.0/8"));
    let local = map(vec![permit(10).when(Match::Local)]);
    assert!(accepts(&local, "10.0.0.0/8"));
    for party in [Party::From(one), Party::To(Some(one)), Party::Vrf(None)] {
        assert!(!accepts(&local.bound(party), "10.0.0.0/8"));
    }
    // Also where only a map that is called asks.
    let outer = map(vec![permit(10).call(Arc::new(peer))]);
    assert!(accepts(&outer.bound(Party::From(one)), "10.0.0.0/8"));
    assert!(!accepts(&outer.bound(Party::From(two)), "10.0.0.0/8"));
    // On export the own address is the same thing for every neighbour.
    let hop = map(vec![
        permit(10).set(Set::NextHop(NextHopChange::PeerAddress)),
    ]);
    let [to_one, to_two] = [one, two].map(|peer| hop.bound(Party::To(Some(peer))));
    assert_eq!(to_one, to_two);
    assert_ne!(hop.bound(Party::From(one)), hop.bound(Party::From(two)));
}

#[test]
fn who_has_sent_a_route_is_known_on_its_way_in_and_out_and_splits_no_neighbours() {
    let [one, two]: [IpAddr; 2] = [[10, 0, 0, 1].into(), [10, 0, 0, 2].into()];
    let inner = map(vec![permit(10).when(Match::Sender(vec![one]))]);
    // Also where only a map that is called asks.
    for asks in [inner.clone(), map(vec![permit(10).call(Arc::new(inner))])] {
        assert!(accepts(&asks.bound(Party::From(one)), "10.0.0.0/8"));
        assert!(!accepts(&asks.bound(Party::From(two)), "10.0.0.0/8"));
        for party in [Party::Vrf(None), Party::To(Some(one))] {
            assert!(!accepts(&asks.bound(party), "10.0.0.0/8"));
        }
        let [to_one, to_two] = [one, two].map(|peer| asks.bound(Party::To(Some(peer))));
        assert_eq!(to_one, to_two);
        let told = |sender| {
            let leaving = Leaving {
                sender,
                ..Leaving::default()
            };
            let set = route().freeze();
            let verdict = to_two.evaluate_leaving(&nlri("10.0.0.0/8"), &set, leaving, None);
            verdict == Verdict::Accept
        };
        assert_eq!([None, Some(one), Some(two)].map(told), [false, true, false]);
    }
}

#[test]
fn aigp_and_med_become_each_other() {
    let changed = |set: Set, aigp: Option<u64>, med: Option<u32>| {
        let mut route = route();
        route.med = med;
        if let Some(aigp) = aigp {
            route.set_aigp_metric(aigp);
        }
        match evaluate(&map(vec![permit(10).set(set)]), &nlri("10.0.0.0/8"), &route) {
            Verdict::Change { set, .. } => (set.aigp_metric(), set.med),
            other @ (Verdict::Accept | Verdict::Reject) => panic!("{other:?}"),
        }
    };
    let high = u64::from(u32::MAX) + 7;
    for (aigp, med) in [(None, 0), (Some(5), 5), (Some(high), u32::MAX)] {
        let expected = (aigp, Some(med));
        assert_eq!(changed(Set::MetricOfAigp, aigp, Some(9)), expected);
        assert_eq!(changed(Set::MetricOfAigp, aigp, None), expected);
    }
    for med in [None, Some(0), Some(u32::MAX)] {
        let expected = (Some(med.unwrap_or(0).into()), med);
        assert_eq!(changed(Set::AigpOfMetric, Some(3), med), expected);
        assert_eq!(changed(Set::AigpOfMetric, None, med), expected);
    }
}

#[test]
fn a_chosen_next_hop_is_marked_also_when_it_is_the_one_learned() {
    let one: IpAddr = [10, 0, 0, 1].into();
    let verdict = |change, party| {
        let map = map(vec![permit(10).set(Set::NextHop(change))]).bound(party);
        match evaluate(&map, &nlri("10.0.0.0/8"), &route()) {
            Verdict::Change {
                set,
                next_hop_chosen,
            } => Some((set.next_hop.addr(), next_hop_chosen)),
            Verdict::Accept => None,
            Verdict::Reject => panic!("refused"),
        }
    };
    use NextHopChange::{Address, Myself, PeerAddress, Unchanged};
    let learned = route().next_hop.addr();
    let to_us: IpAddr = [0, 0, 0, 0].into();
    let (from, to) = (Party::From(one), Party::To(Some(one)));
    assert_eq!(verdict(Address(learned), to), Some((learned, true)));
    assert_eq!(verdict(Unchanged, to), Some((learned, true)));
    assert_eq!(verdict(Myself, to), Some((to_us, true)));
    assert_eq!(verdict(PeerAddress, to), Some((to_us, true)));
    assert_eq!(verdict(PeerAddress, from), Some((one, true)));
    assert_eq!(verdict(Myself, from), None);
    let map = map(vec![permit(10).set(Set::Metric(Number::Replace(1)))]);
    let verdict = evaluate(&map, &nlri("10.0.0.0/8"), &route());
    assert!(matches!(
        verdict,
        Verdict::Change {
            next_hop_chosen: false,
            ..
        }
    ));
}

#[test]
fn evaluations_and_matches_are_counted_unless_they_are_traced() {
    let inner = Arc::new(map(vec![permit(10)]));
    let outer = map(vec![
        deny(10).when(Match::Metric(7)),
        permit(20).call(inner.clone()).on_match(OnMatch::Next),
        permit(30).when(Match::Metric(7)),
    ]);
    let attributes = route().freeze();
    let prefix = nlri("10.0.0.0/8");
    for _ in 0..3 {
        outer.evaluate(&prefix, &attributes, None);
        outer.evaluate(&prefix, &attributes, Some(&mut Trace::new()));
    }
    let hits = |map: &RouteMap| map.hits().map(|(_, hits)| hits).collect::<Vec<_>>();
    assert_eq!((outer.evaluations(), hits(&outer)), (3, vec![0, 3, 0]));
    assert_eq!((inner.evaluations(), hits(&inner)), (3, vec![3]));
    // What is bound or cloned counts in one place, and what was counted is not compared.
    outer
        .bound(Party::To(None))
        .evaluate(&prefix, &attributes, None);
    assert_eq!(outer.evaluations(), 4);
    assert_eq!(*inner, map(vec![permit(10)]));
}

#[test]
fn a_deny_entry_refuses_whatever_was_set_before() {
    let map = map(vec![
        permit(10)
            .set(Set::Metric(Number::Replace(7)))
            .on_match(OnMatch::Next),
        deny(20).when(Match::Metric(7)),
    ]);
    assert!(!accepts(&map, "10.0.0.0/8"));
}

#[test]
fn on_match_next_goes_on_and_the_end_still_permits() {
    let map = map(vec![
        permit(10)
            .set(Set::Metric(Number::Replace(7)))
            .on_match(OnMatch::Next),
        permit(20)
            .when(Match::Metric(8))
            .set(Set::LocalPref(Number::Replace(1))),
    ]);
    let set = changed(&map);
    assert_eq!((set.med, set.local_pref), (Some(7), Some(200)));
}

#[test]
fn goto_skips_to_the_first_entry_from_the_number_on() {
    let add = |seq, value| permit(seq).set(Set::Metric(Number::Add(value)));
    let map = |target| {
        map(vec![
            add(10, 1).on_match(OnMatch::Goto(target)),
            add(20, 10).on_match(OnMatch::Next),
            add(30, 100),
        ])
    };
    assert_eq!(changed(&map(20)).med, Some(161));
    assert_eq!(changed(&map(25)).med, Some(151));
    assert_eq!(changed(&map(99)).med, Some(51));
}

#[test]
fn a_called_map_is_asked_after_the_sets_and_may_refuse_for_good() {
    let called = |action| Arc::new(map(vec![Entry::new(10, action).when(Match::Metric(7))]));
    let calling = |action| {
        map(vec![
            permit(10)
                .set(Set::Metric(Number::Replace(7)))
                .call(called(action)),
            permit(20),
        ])
    };
    assert_eq!(changed(&calling(Action::Permit)).med, Some(7));
    assert!(!accepts(&calling(Action::Deny), "10.0.0.0/8"));
}

#[test]
fn the_exit_policy_applies_after_a_called_map_permits() {
    let called = Arc::new(map(vec![permit(10).set(Set::Metric(Number::Add(1)))]));
    let calling = |on_match| {
        map(vec![
            permit(10).call(called.clone()).on_match(on_match),
            permit(20)
                .set(Set::Metric(Number::Add(10)))
                .on_match(OnMatch::Next),
            permit(30).set(Set::Metric(Number::Add(100))),
        ])
    };
    assert_eq!(changed(&calling(OnMatch::Exit)).med, Some(51));
    assert_eq!(changed(&calling(OnMatch::Next)).med, Some(161));
    assert_eq!(changed(&calling(OnMatch::Goto(30))).med, Some(151));
}

#[test]
fn a_map_asks_the_key_what_the_maps_ask_that_it_calls() {
    let list = Match::PrefixList(prefixes(&["permit 10.0.0.0/8"]));
    let inner = Arc::new(map(vec![permit(10).when(list)]));
    let middle = Arc::new(map(vec![permit(10).call(inner)]));
    let outer = map(vec![permit(10).call(middle)]);
    assert_ne!(answers(&outer, "10.0.0.0/8"), answers(&outer, "11.0.0.0/8"));
    let metric = map(vec![permit(10).when(Match::Metric(1))]);
    assert_eq!(
        answers(&metric, "10.0.0.0/8"),
        answers(&metric, "11.0.0.0/8")
    );
}

#[test]
fn a_map_with_more_questions_than_answers_gives_none() {
    let asking = |count: u32| {
        let lists = (1..=count).map(|number| {
            let rule = format!("permit 10.0.0.0/8 ge 8 le {}", 8 + number % 24);
            Match::PrefixList(Arc::new(
                PrefixList::new(format!("L{number}"), vec![rule.parse().unwrap()]).unwrap(),
            ))
        });
        let entries = (1..).zip(lists).map(|(seq, list)| permit(seq).when(list));
        map(entries.collect())
    };
    assert!(answers(&asking(64), "10.0.0.0/8").is_some());
    assert_eq!(answers(&asking(65), "10.0.0.0/8"), None);
    let calling = map(vec![permit(10).call(Arc::new(asking(65)))]);
    assert_eq!(answers(&calling, "10.0.0.0/8"), None);
}

fn answers(map: &RouteMap, prefix: &str) -> Option<Answers> {
    map.answers(|| nlri(prefix))
}

#[test]
fn maps_are_equal_by_content() {
    let make = |metric, rule: &str| {
        map(vec![
            permit(10)
                .when(Match::PrefixList(prefixes(&[rule])))
                .set(Set::Metric(Number::Add(metric))),
        ])
    };
    assert_eq!(make(1, "permit any"), make(1, "permit any"));
    assert_ne!(make(1, "permit any"), make(2, "permit any"));
    assert_ne!(make(1, "permit any"), make(1, "deny any"));
    assert_ne!(
        map(vec![permit(10)]),
        RouteMap::new("OTHER", vec![permit(10)]).unwrap()
    );
}

#[test]
fn maps_that_would_not_end_or_contradict_themselves_are_refused() {
    let error = |entries| RouteMap::new("M", entries).unwrap_err().to_string();
    assert_eq!(
        error(vec![permit(10), deny(10)]),
        "sequence number 10 is used by two entries of `M`"
    );
    assert_eq!(
        error(vec![permit(10).on_match(OnMatch::Goto(10))]),
        "entry 10 of `M` goes to 10, which does not lie behind it"
    );
    let mut inner = map(vec![permit(10)]);
    for _ in 1..DEPTH_MAX {
        inner = map(vec![permit(10).call(Arc::new(inner))]);
    }
    assert!(accepts(&inner, "10.0.0.0/8"));
    assert_eq!(
        error(vec![permit(10).call(Arc::new(inner))]),
        "`M` calls route-maps more than 16 deep"
    );
}

#[test]
fn a_trace_shows_each_entry_with_values() {
    let inner = RouteMap::new("INNER", vec![permit(10).when(Match::Metric(100))]).unwrap();
    let list = Match::PrefixList(prefixes(&["permit 10.0.0.0/8 le 24"]));
    let map = map(vec![
        deny(10)
            .when(Match::AsPathContains(Asn(1)))
            .when(list.clone()),
        permit(20)
            .when(list)
            .set(Set::Metric(Number::Replace(100)))
            .call(Arc::new(inner))
            .on_match(OnMatch::Next),
        permit(30).when(Match::LocalPref(100)),
    ]);
    let mut trace = Trace::new();
    let mut set = route();
    set.med = None;
    map.evaluate(&nlri("10.1.0.0/16"), &set.freeze(), Some(&mut trace));
    assert_eq!(
        trace.to_string(),
        "MAP deny 10: as_path_contains 1 does not hold (65001 65002 {65007}); not matched\n\
         MAP permit 20: prefix_list PREFIXES holds (10.1.0.0/16: seq 5 permit 10.0.0.0/8 le 24); \
         metric none -> 100; calls another map\n  \
         INNER permit 10: metric 100 holds (100); permitted\n\
         MAP permit 30: local_preference 100 does not hold (200); not matched\n\
         MAP: end of the map, permitted"
    );
}

/// FRR's loop, written as its documentation tells it: a list of what each entry would do.
fn naive(entries: &[(u32, bool, bool, OnMatch)]) -> Option<u32> {
    let (mut permitted, mut sum, mut from) = (false, 0, 0);
    for (seq, action, matches, on_match) in entries {
        if *seq < from || !matches {
            continue;
        }
        if !action {
            return None;
        }
        (permitted, sum) = (true, sum + seq);
        match on_match {
            OnMatch::Exit => break,
            OnMatch::Next => {}
            OnMatch::Goto(target) => from = *target,
        }
    }
    permitted.then_some(sum)
}

fn expanded<C: Kind>(pattern: &str) -> Communities<C> {
    let rule = CommunityRule::expanded(&format!("permit {pattern}")).unwrap();
    Communities::List(Arc::new(List::new("X", vec![rule]).unwrap()))
}

/// A condition of every kind that looks at attributes, near enough to what routes have.
fn any_condition() -> impl Strategy<Value = Match> {
    let community = || Communities::Literal(vec![community("1:1")]);
    let extent = || {
        let all = vec![Extent::All, Extent::Exact, Extent::Any];
        prop::sample::select(all)
    };
    let pattern = prop::sample::select(vec!["^[0-9]", "_[0-9]+1_", "\\{", "^$", "[^0-9]$"]);
    prop_oneof![
        any::<u16>().prop_map(|max| Match::AsPathLength { min: 1, max }),
        pattern.prop_map(|pattern| Match::AsPath(paths(&[&format!("permit {pattern}")]))),
        extent().prop_map(move |extent| Match::Community {
            communities: community(),
            extent,
        }),
        extent().prop_map(move |extent| Match::Community {
            communities: expanded(":.*[1-4]_"),
            extent,
        }),
        Just(Match::LargeCommunity {
            communities: expanded(":[1-5]"),
            extent: Extent::All,
        }),
        Just(Match::ExtendedCommunity {
            communities: expanded("RT:"),
            extent: Extent::All,
        }),
        prop_oneof![Just(100), any::<u32>()].prop_map(Match::LocalPref),
        prop_oneof![Just(0), any::<u32>()].prop_map(Match::Metric),
        Just(Match::Origin(Origin::Igp)),
        Just(Match::NextHop(prefixes(&["permit 0.0.0.0/1 ge 32"]))),
    ]
}

fn any_change() -> impl Strategy<Value = Set> {
    let number = || {
        prop_oneof![
            any::<u32>().prop_map(Number::Replace),
            any::<u32>().prop_map(Number::Add),
            any::<u32>().prop_map(Number::Sub),
        ]
    };
    let asns = || prop::collection::vec((1_u32..70_000).prop_map(Asn), 1..4);
    let communities = || prop::collection::vec(any::<u32>().prop_map(Community), 1..4);
    prop_oneof![
        number().prop_map(Set::Metric),
        number().prop_map(Set::LocalPref),
        asns().prop_map(Set::AsPathPrepend),
        (1_u8..9).prop_map(Set::AsPathPrependLast),
        asns().prop_map(|asns| Set::AsPathExclude(AsPathExclude::These(asns))),
        Just(Set::AsPathExclude(AsPathExclude::List(paths(&[
            "permit 1"
        ])))),
        (prop::option::of(asns()), 1_u32..9).prop_map(|(asns, with)| Set::AsPathReplace {
            asns,
            with: Asn(with),
        }),
        communities().prop_map(|new| Set::Community(CommunityChange::Replace(new))),
        communities().prop_map(|new| Set::Community(CommunityChange::Add(new))),
        communities()
            .prop_map(|old| Set::Community(CommunityChange::Delete(Communities::Literal(old)))),
        Just(Set::LargeCommunity(CommunityChange::Clear)),
        Just(Set::RouteTargets(vec![target("65000:1"), target("1:1")])),
        Just(Set::SitesOfOrigin(vec![target("65000:1")])),
        (1_u32.., any::<bool>()).prop_map(|(mbit_s, transitive)| Set::Bandwidth(Bandwidth {
            asn: Asn(70_000),
            amount: BandwidthAmount::Mbit(mbit_s),
            transitive,
        })),
        Just(Set::AtomicAggregate),
        Just(Set::OriginatorId([10, 0, 0, 1].into())),
        Just(Set::NextHop(NextHopChange::Unchanged)),
        Just(Set::NextHop(NextHopChange::Address([10, 0, 0, 1].into()))),
    ]
}

proptest! {
    /// `evaluate` of this module asserts that a trace makes no difference.
    #[test]
    fn a_condition_sees_the_same_in_open_and_closed_attributes(
        set in crate::attributes::tests::any_set(),
        condition in any_condition(),
    ) {
        let set = set.freeze().thaw();
        let closed = map(vec![permit(10).when(condition.clone())]);
        let open = map(vec![
            permit(5).set(Set::Origin(set.origin)).on_match(OnMatch::Next),
            deny(10).when(condition),
        ]);
        let nlri = nlri("10.0.0.0/8");
        let holds = evaluate(&closed, &nlri, &set).is_accepted();
        prop_assert_eq!(evaluate(&open, &nlri, &set).is_accepted(), !holds);
    }

    /// What changes make is a set that closes and opens again as it is, apart from what cannot be
    /// closed in the set they began with.
    #[test]
    fn changes_keep_a_set_in_order(
        set in crate::attributes::tests::any_set(),
        changes in prop::collection::vec(any_change(), 1..6),
    ) {
        let set = set.freeze().thaw();
        let entry = changes.into_iter().fold(permit(10), Entry::set);
        match evaluate(&map(vec![entry]), &nlri("10.0.0.0/8"), &set) {
            Verdict::Change { set, .. } => prop_assert_eq!(set.freeze().thaw(), set),
            // Nothing is left to prepend.
            Verdict::Accept => {}
            Verdict::Reject => prop_assert!(false),
        }
    }

    #[test]
    fn a_map_agrees_with_a_naive_one(
        raw in prop::collection::vec((any::<bool>(), any::<bool>(), 0_u32..8), 0..8),
    ) {
        let entries: Vec<_> = (1..).zip(raw).map(|(seq, (action, matches, on_match))| {
            let on_match = match on_match {
                0..=2 => OnMatch::Exit,
                3..=5 => OnMatch::Next,
                more => OnMatch::Goto(seq + more - 5),
            };
            (seq, action, matches, on_match)
        }).collect();
        let map = map(entries.iter().map(|(seq, action, matches, on_match)| {
            let action = if *action { Action::Permit } else { Action::Deny };
            Entry::new(*seq, action)
                .when(Match::LocalPref(if *matches { 200 } else { 1 }))
                .set(Set::Metric(Number::Add(*seq)))
                .on_match(*on_match)
        }).collect());
        let sum = match evaluate(&map, &nlri("10.0.0.0/8"), &route()) {
            Verdict::Reject => None,
            Verdict::Accept => Some(0),
            Verdict::Change { set, .. } => set.med.map(|med| med - 50),
        };
        prop_assert_eq!(sum, naive(&entries));
    }
}

#[test]
fn a_length_is_of_one_ip_version() {
    let of = |v6, length| map(vec![permit(10).when(Match::PrefixLength { v6, length })]);
    for (condition, prefix, holds) in [
        (of(false, 24), "10.0.0.0/24", true),
        (of(false, 24), "10.0.0.0/25", false),
        (of(false, 32), "2001:db8::/32", false),
        (of(true, 32), "2001:db8::/32", true),
        (of(true, 24), "10.0.0.0/24", false),
    ] {
        assert_eq!(accepts(&condition, prefix), holds, "{condition:?} {prefix}");
    }
}
