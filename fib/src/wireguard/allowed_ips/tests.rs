use proptest::prelude::*;

use super::*;

fn net(text: &str) -> IpNetwork {
    text.parse().unwrap()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn key(number: u8) -> PublicKey {
    PublicKey([number; 32])
}

fn peer(number: u8, prefixes: &[&str]) -> Peer {
    let allowed_ips = prefixes.iter().map(|text| net(text)).collect();
    Peer {
        allowed_ips,
        ..Peer::new(key(number))
    }
}

/// An interface with WireGuard's rule: a prefix belongs to one peer. A plan's parts are carried out
/// in their order, and what is wished for and has a peer is somewhere after each of them.
fn carry_out(peers: &mut [Peer], plan: &Plan) {
    let everything = |peers: &[Peer]| -> Vec<IpNetwork> {
        let all = peers.iter().flat_map(|peer| &peer.allowed_ips);
        all.copied().collect()
    };
    let before = everything(peers);
    for (wanted, prefixes) in &plan.add {
        for prefix in prefixes {
            for peer in peers.iter_mut() {
                peer.allowed_ips.retain(|have| have != prefix);
            }
            let mut peers = peers.iter_mut();
            let peer = peers.find(|peer| peer.public_key == *wanted).unwrap();
            peer.allowed_ips.push(*prefix);
        }
        let now = everything(peers);
        assert!(before.iter().all(|prefix| now.contains(prefix)));
    }
    for peer in peers.iter_mut() {
        peer.allowed_ips
            .retain(|prefix| !plan.remove.contains(prefix));
    }
}

fn text(peers: &[Peer]) -> Vec<Vec<String>> {
    let sorted = |peer: &Peer| {
        let sorted: BTreeSet<_> = peer.allowed_ips.iter().copied().collect();
        sorted.iter().map(ToString::to_string).collect()
    };
    peers.iter().map(sorted).collect()
}

/// Plans, carries out, and looks again.
fn follow(wanted: &mut AllowedIps, peers: &mut [Peer]) -> Plan {
    let plan = wanted.plan();
    carry_out(peers, &plan);
    wanted.applied(&plan);
    assert_eq!(
        wanted.observe(peers),
        Observed::default(),
        "it is as it should be"
    );
    assert_eq!(wanted.plan(), Plan::default());
    assert_eq!(wanted.pending(), Plan::default());
    plan
}

#[test]
fn a_prefix_follows_its_next_hop_from_peer_to_peer() {
    let mut peers = [peer(1, &["10.10.0.1/32"]), peer(2, &["10.10.0.2/32"])];
    let mut wanted = AllowedIps::new();
    wanted.observe(&peers);
    wanted.set(net("10.1.0.0/16"), Some(ip("10.10.0.1")));
    follow(&mut wanted, &mut peers);
    assert_eq!(
        text(&peers),
        [vec!["10.1.0.0/16", "10.10.0.1/32"], vec!["10.10.0.2/32"]]
    );

    wanted.set(net("10.1.0.0/16"), Some(ip("10.10.0.2")));
    let plan = follow(&mut wanted, &mut peers);
    assert_eq!((plan.len(), plan.remove.len()), (1, 0), "one addition");
    assert_eq!(
        text(&peers),
        [vec!["10.10.0.1/32"], vec!["10.1.0.0/16", "10.10.0.2/32"]]
    );
    wanted.set(net("10.1.0.0/16"), None);
    let plan = follow(&mut wanted, &mut peers);
    assert_eq!((plan.add.len(), plan.remove.len()), (0, 1), "one removal");
    assert_eq!(text(&peers), [["10.10.0.1/32"], ["10.10.0.2/32"]]);
}

#[test]
fn the_default_route_goes_to_the_peer_of_its_next_hop_and_decides_no_next_hop() {
    let mut peers = [peer(1, &["10.10.0.1/32"]), peer(2, &["10.10.0.2/32"])];
    let mut wanted = AllowedIps::new();
    wanted.observe(&peers);
    wanted.set(net("0.0.0.0/0"), Some(ip("10.10.0.1")));
    wanted.set(net("::/0"), Some(ip("10.10.0.2")));
    wanted.set(net("10.5.0.0/16"), Some(ip("192.0.2.1")));
    follow(&mut wanted, &mut peers);
    assert_eq!(
        text(&peers),
        [
            vec!["0.0.0.0/0", "10.10.0.1/32"],
            vec!["10.10.0.2/32", "::/0"]
        ]
    );
    wanted.set(net("0.0.0.0/0"), Some(ip("10.10.0.2")));
    let plan = follow(&mut wanted, &mut peers);
    assert_eq!((plan.len(), plan.remove.len()), (1, 0));
    let next_hop = ip("192.0.2.1");
    assert_eq!(
        wanted.unmet(),
        [(net("10.5.0.0/16"), Unmet::NoPeer { next_hop })]
    );
}

#[test]
fn what_the_operator_put_there_stays_whenever_it_came() {
    let mut peers = [
        peer(1, &["10.10.0.1/32", "10.1.0.0/16"]),
        peer(2, &["10.10.0.2/32"]),
    ];
    let mut wanted = AllowedIps::new();
    wanted.observe(&peers);
    // A wish for what the operator has given to the same peer adds nothing, and takes nothing away.
    wanted.set(net("10.1.0.0/16"), Some(ip("10.10.0.1")));
    assert_eq!(follow(&mut wanted, &mut peers), Plan::default());
    wanted.set(net("10.1.0.0/16"), None);
    wanted.sweep();
    assert_eq!(follow(&mut wanted, &mut peers), Plan::default());
    // A wish for another peer does not move it, and is named.
    wanted.set(net("10.1.0.0/16"), Some(ip("10.10.0.2")));
    assert_eq!(follow(&mut wanted, &mut peers), Plan::default());
    let (by, other) = (key(1), key(2));
    let held = Unmet::Held { by, wanted: other };
    assert_eq!(wanted.unmet(), [(net("10.1.0.0/16"), held)]);
    // By hand, while we run.
    peers[1].allowed_ips.push(net("192.168.0.0/24"));
    assert!(wanted.observe(&peers).changed);
    assert_eq!(wanted.plan(), Plan::default());
    // Taken away by hand: it follows the route now.
    peers[0].allowed_ips.pop();
    let seen = wanted.observe(&peers);
    assert_eq!((seen.changed, seen.lost), (true, 0));
    follow(&mut wanted, &mut peers);
    assert_eq!(wanted.unmet(), []);
    assert_eq!(
        text(&peers)[1],
        ["10.1.0.0/16", "10.10.0.2/32", "192.168.0.0/24"]
    );
}

#[test]
fn what_is_taken_away_by_hand_comes_back() {
    let mut peers = [peer(1, &["10.10.0.1/32"]), peer(2, &["10.10.0.2/32"])];
    let mut wanted = AllowedIps::new();
    wanted.observe(&peers);
    wanted.set(net("10.1.0.0/16"), Some(ip("10.10.0.1")));
    follow(&mut wanted, &mut peers);
    // To another peer by hand, and away altogether.
    for other in [true, false] {
        let prefix = peers[0].allowed_ips.pop().unwrap();
        if other {
            peers[1].allowed_ips.push(prefix);
        }
        assert_eq!(wanted.observe(&peers).lost, 1);
        follow(&mut wanted, &mut peers);
        assert_eq!(
            text(&peers),
            [vec!["10.1.0.0/16", "10.10.0.1/32"], vec!["10.10.0.2/32"]]
        );
    }
    // The whole interface, as after a restart of what serves it.
    let mut anew = [peer(1, &[]), peer(2, &["10.10.0.2/32"])];
    wanted.observe(&[]);
    assert_eq!(wanted.plan(), Plan::default());
    wanted.observe(&anew);
    assert_eq!(wanted.plan(), Plan::default(), "the peer has no address");
    anew[0].allowed_ips.push(net("10.10.0.1/32"));
    wanted.observe(&anew);
    follow(&mut wanted, &mut anew);
    assert_eq!(text(&anew), text(&peers));
}

#[test]
fn what_a_previous_run_added_is_taken_over_or_goes_with_the_sweep() {
    let mut peers = [
        peer(
            1,
            &["10.10.0.1/32", "10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16"],
        ),
        peer(2, &["10.10.0.2/32", "10.4.0.0/16"]),
    ];
    let record = ["10.1.0.0/16", "10.2.0.0/16", "10.4.0.0/16", "10.9.0.0/16"];
    let mut wanted = AllowedIps::with_record(record.map(net).into());
    wanted.observe(&peers);
    assert_eq!(wanted.plan(), Plan::default());
    wanted.set(net("10.1.0.0/16"), Some(ip("10.10.0.1")));
    wanted.set(net("10.4.0.0/16"), Some(ip("10.10.0.1")));
    follow(&mut wanted, &mut peers);
    wanted.sweep();
    follow(&mut wanted, &mut peers);
    assert_eq!(
        text(&peers),
        [
            vec!["10.1.0.0/16", "10.3.0.0/16", "10.4.0.0/16", "10.10.0.1/32"],
            vec!["10.10.0.2/32"]
        ]
    );
    let ours: Vec<String> = wanted.ours().iter().map(ToString::to_string).collect();
    assert_eq!(ours, ["10.1.0.0/16", "10.4.0.0/16"]);
}

#[test]
fn a_peer_gets_no_more_than_the_limit_and_room_is_used() {
    let mut peers = [peer(1, &["10.10.0.1/32"]), peer(2, &["10.10.0.2/32"])];
    let mut wanted = AllowedIps::new();
    wanted.set_limit(3);
    wanted.observe(&peers);
    for number in 0..4 {
        wanted.set(net(&format!("10.1.{number}.0/24")), Some(ip("10.10.0.1")));
    }
    follow(&mut wanted, &mut peers);
    assert_eq!(
        text(&peers)[0],
        ["10.1.0.0/24", "10.1.1.0/24", "10.10.0.1/32"]
    );
    let full = Unmet::Full {
        peer: key(1),
        limit: 3,
    };
    assert_eq!(
        wanted.unmet(),
        [(net("10.1.2.0/24"), full), (net("10.1.3.0/24"), full)]
    );
    // What is there makes room by moving; what finds none does not stay at the wrong peer.
    wanted.set(net("10.1.0.0/24"), Some(ip("10.10.0.2")));
    follow(&mut wanted, &mut peers);
    assert_eq!(
        text(&peers)[0],
        ["10.1.1.0/24", "10.1.2.0/24", "10.10.0.1/32"]
    );
    wanted.set(net("10.1.0.0/24"), Some(ip("10.10.0.1")));
    let plan = follow(&mut wanted, &mut peers);
    assert_eq!((plan.add.len(), plan.remove.len()), (0, 1));
    wanted.set(net("10.1.2.0/24"), None);
    follow(&mut wanted, &mut peers);
    assert_eq!(wanted.unmet().len(), 1);
    wanted.set_limit(10);
    follow(&mut wanted, &mut peers);
    assert_eq!(wanted.unmet(), []);
    assert_eq!(
        text(&peers)[0],
        ["10.1.0.0/24", "10.1.1.0/24", "10.1.3.0/24", "10.10.0.1/32"]
    );
    assert_eq!(wanted.beyond().count(), 0);
    // A limit that comes later takes nothing away, and it is known whom it concerns.
    wanted.set_limit(3);
    follow(&mut wanted, &mut peers);
    assert_eq!(wanted.beyond().collect::<Vec<_>>(), [(key(1), 4)]);
    wanted.set_limit(4);
    assert_eq!(wanted.beyond().count(), 0);
}

#[test]
fn room_is_found_whichever_prefix_is_looked_at_first() {
    for (there, comes) in [
        ("10.1.9.0/24", "10.1.0.0/24"),
        ("10.1.0.0/24", "10.1.9.0/24"),
    ] {
        let mut peers = [peer(1, &["10.10.0.1/32"]), peer(2, &["10.10.0.2/32"])];
        let mut wanted = AllowedIps::new();
        wanted.set_limit(2);
        wanted.observe(&peers);
        wanted.set(net(there), Some(ip("10.10.0.1")));
        follow(&mut wanted, &mut peers);
        // One leaves the peer, and another takes its place, in one plan.
        wanted.set(net(there), Some(ip("10.10.0.2")));
        wanted.set(net(comes), Some(ip("10.10.0.1")));
        follow(&mut wanted, &mut peers);
        assert_eq!(wanted.unmet(), [], "{there} {comes}");
        assert_eq!(text(&peers)[0], [comes, "10.10.0.1/32"]);
        // Two change places.
        wanted.set(net(there), Some(ip("10.10.0.1")));
        wanted.set(net(comes), Some(ip("10.10.0.2")));
        follow(&mut wanted, &mut peers);
        assert_eq!(wanted.unmet(), [], "{there} {comes}");
    }
}

#[test]
fn what_was_planned_and_never_written_is_not_ours_when_the_operator_writes_it() {
    let mut peers = [peer(1, &["10.10.0.1/32"])];
    let mut wanted = AllowedIps::new();
    wanted.observe(&peers);
    wanted.set(net("10.1.0.0/16"), Some(ip("10.10.0.1")));
    assert_eq!(wanted.plan().len(), 1);
    // The device refuses; the route goes; nothing on the device has changed.
    wanted.doubt();
    wanted.set(net("10.1.0.0/16"), None);
    assert_eq!(wanted.observe(&peers), Observed::default());
    assert!(wanted.ours().is_empty());
    peers[0].allowed_ips.push(net("10.1.0.0/16"));
    wanted.observe(&peers);
    assert_eq!(follow(&mut wanted, &mut peers), Plan::default());
    wanted.sweep();
    assert_eq!(follow(&mut wanted, &mut peers), Plan::default());
    assert_eq!(text(&peers)[0], ["10.1.0.0/16", "10.10.0.1/32"]);
}

#[test]
fn what_is_not_wished_for_and_gone_is_not_put_right() {
    let mut peers = [peer(1, &["10.10.0.1/32", "10.1.0.0/16"])];
    let mut wanted = AllowedIps::with_record([net("10.1.0.0/16")].into());
    wanted.observe(&peers);
    peers[0].allowed_ips.pop();
    let changed = true;
    assert_eq!(wanted.observe(&peers), Observed { changed, lost: 0 });
}

#[test]
fn a_plan_that_was_not_carried_out_is_made_again() {
    let mut peers = [peer(1, &["10.10.0.1/32"])];
    let mut wanted = AllowedIps::new();
    wanted.observe(&peers);
    wanted.set(net("10.1.0.0/16"), Some(ip("10.10.0.1")));
    assert_eq!(wanted.pending().len(), 1);
    assert_eq!(wanted.pending().len(), 1, "looking changes nothing");
    assert_eq!(wanted.plan().len(), 1);
    wanted.doubt();
    assert_eq!(follow(&mut wanted, &mut peers).len(), 1);
}

#[test]
fn a_tunnel_address_is_not_moved_by_a_route() {
    let peers = [peer(1, &["10.10.0.1/32"]), peer(2, &["10.10.0.2/32"])];
    let mut wanted = AllowedIps::new();
    wanted.observe(&peers);
    wanted.set(net("10.10.0.1/32"), Some(ip("10.10.0.2")));
    assert_eq!(wanted.plan(), Plan::default());
    assert_eq!(wanted.peer_of(ip("10.10.0.1")), Some(key(1)));
}

#[test]
fn the_peer_that_takes_prefixes_away_is_removed_if_it_was_left_behind() {
    let mut nobody = peer(1, &["10.1.0.0/16"]);
    nobody.public_key = NOBODY;
    let mut wanted = AllowedIps::with_record([net("10.1.0.0/16")].into());
    wanted.observe(&[peer(1, &["10.10.0.1/32"]), nobody]);
    assert!(wanted.plan().clear);
    assert_eq!(wanted.peer_of(ip("10.1.0.1")), None);
}

proptest! {
    #[test]
    fn whoever_finds_no_room_finds_the_peer_full(
        steps in proptest::collection::vec(
            proptest::collection::vec((0u8..8, proptest::option::of(0u8..3)), 1..4),
            0..20,
        ),
    ) {
        let mut peers = [
            peer(1, &["10.10.0.0/32"]),
            peer(2, &["10.10.0.1/32"]),
            peer(3, &["10.10.0.2/32"]),
        ];
        let mut wanted = AllowedIps::new();
        wanted.set_limit(3);
        wanted.observe(&peers);
        for step in steps {
            for (prefix, next_hop) in step {
                let prefix = net(&format!("10.{prefix}.0.0/16"));
                let next_hop = next_hop.map(|number| IpAddr::from([10, 10, 0, number]));
                wanted.set(prefix, next_hop);
            }
            follow(&mut wanted, &mut peers);
            let full = |key: PublicKey| {
                let peer = peers.iter().find(|peer| peer.public_key == key);
                peer.is_some_and(|peer| peer.allowed_ips.len() == 3)
            };
            prop_assert!(peers.iter().all(|peer| peer.allowed_ips.len() <= 3));
            for (prefix, unmet) in wanted.unmet() {
                let Unmet::Full { peer, .. } = unmet else {
                    return Err(TestCaseError::fail(format!("{prefix}: {unmet:?}")));
                };
                prop_assert!(full(peer), "{} found no room at {}", prefix, peer);
            }
        }
    }

    #[test]
    fn a_plan_reaches_the_goal_and_the_next_is_empty(
        steps in proptest::collection::vec((0u8..6, proptest::option::of(0u8..4)), 0..40),
    ) {
        let mut peers = [
            peer(1, &["10.10.0.0/32"]),
            peer(2, &["10.10.0.1/32", "10.77.0.0/16"]),
            peer(3, &["10.10.0.2/32"]),
        ];
        let mut wanted = AllowedIps::new();
        wanted.observe(&peers);
        let mut last = BTreeMap::new();
        for (prefix, next_hop) in steps {
            let prefix = net(&format!("10.{prefix}.0.0/16"));
            let next_hop = next_hop.map(|number| IpAddr::from([10, 10, 0, number]));
            wanted.set(prefix, next_hop);
            last.insert(prefix, next_hop);
            follow(&mut wanted, &mut peers);
        }
        for (prefix, next_hop) in last {
            let owner = peers.iter().find(|peer| peer.allowed_ips.contains(&prefix));
            match next_hop {
                Some(IpAddr::V4(hop)) if hop.octets()[3] < 3 => {
                    let owner = owner.map(|peer| peer.public_key);
                    prop_assert_eq!(owner, Some(key(hop.octets()[3] + 1)));
                }
                // A next hop of nobody leaves the prefix where it was.
                Some(_) => {}
                None => prop_assert!(owner.is_none()),
            }
        }
        prop_assert!(peers[1].allowed_ips.contains(&net("10.77.0.0/16")));
    }
}
