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

/// An interface with WireGuard's rule: a prefix belongs to one peer.
fn carry_out(peers: &mut [Peer], changes: &[PeerChange]) {
    for change in changes {
        for prefix in &change.add {
            peers
                .iter_mut()
                .for_each(|peer| peer.allowed_ips.retain(|have| have != prefix));
        }
        let peer = peers
            .iter_mut()
            .find(|peer| peer.public_key == change.public_key)
            .unwrap();
        peer.allowed_ips.extend(&change.add);
        peer.allowed_ips
            .retain(|prefix| !change.remove.contains(prefix));
        let have: BTreeSet<_> = peer.allowed_ips.iter().copied().collect();
        assert_eq!(
            have,
            change.result.iter().copied().collect(),
            "the result is what it says"
        );
    }
}

fn text(peers: &[Peer]) -> Vec<Vec<String>> {
    let sorted = |peer: &Peer| {
        let sorted: BTreeSet<_> = peer.allowed_ips.iter().copied().collect();
        sorted.iter().map(ToString::to_string).collect()
    };
    peers.iter().map(sorted).collect()
}

#[test]
fn a_prefix_follows_its_next_hop_from_peer_to_peer() {
    let mut peers = [peer(1, &["10.10.0.1/32"]), peer(2, &["10.10.0.2/32"])];
    let mut wanted = AllowedIps::new();
    wanted.observe(&peers);
    wanted.set(net("10.1.0.0/16"), Some(ip("10.10.0.1")));
    carry_out(&mut peers, &wanted.plan());
    assert_eq!(
        text(&peers),
        [vec!["10.1.0.0/16", "10.10.0.1/32"], vec!["10.10.0.2/32"]]
    );
    wanted.observe(&peers);
    assert_eq!(wanted.plan(), []);

    wanted.set(net("10.1.0.0/16"), Some(ip("10.10.0.2")));
    let plan = wanted.plan();
    assert_eq!(plan.len(), 1, "one addition moves it: {plan:?}");
    carry_out(&mut peers, &plan);
    assert_eq!(
        text(&peers),
        [vec!["10.10.0.1/32"], vec!["10.1.0.0/16", "10.10.0.2/32"]]
    );
    wanted.observe(&peers);
    wanted.set(net("10.1.0.0/16"), None);
    carry_out(&mut peers, &wanted.plan());
    assert_eq!(text(&peers), [["10.10.0.1/32"], ["10.10.0.2/32"]]);
}

#[test]
fn leftovers_of_a_previous_run_go_with_the_sweep_and_the_base_never() {
    let mut peers = [
        peer(
            1,
            &["10.10.0.1/32", "10.1.0.0/16", "10.2.0.0/16", "10.3.0.0/16"],
        ),
        peer(2, &["192.168.0.0/24"]),
    ];
    let mut wanted = AllowedIps::new();
    wanted.keep(net("10.3.0.0/16"));
    wanted.observe(&peers);
    assert_eq!(wanted.plan(), []);
    wanted.set(net("10.1.0.0/16"), Some(ip("10.10.0.1")));
    assert_eq!(wanted.plan(), []);
    wanted.sweep();
    carry_out(&mut peers, &wanted.plan());
    assert_eq!(
        text(&peers),
        [
            vec!["10.1.0.0/16", "10.3.0.0/16", "10.10.0.1/32"],
            vec!["192.168.0.0/24"]
        ]
    );
}

#[test]
fn a_next_hop_that_leads_nowhere_changes_nothing() {
    let peers = [peer(1, &["10.10.0.1/32", "10.1.0.0/16"])];
    let mut wanted = AllowedIps::new();
    wanted.observe(&peers);
    wanted.set(net("10.1.0.0/16"), Some(ip("10.99.0.1")));
    assert_eq!(wanted.plan(), []);
    assert_eq!(
        wanted.homeless().collect::<Vec<_>>(),
        [(net("10.1.0.0/16"), ip("10.99.0.1"))]
    );
    // A tunnel address is not moved by a route.
    wanted.set(net("10.10.0.1/32"), Some(ip("10.10.0.1")));
    assert_eq!(wanted.plan(), []);
}

proptest! {
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
            carry_out(&mut peers, &wanted.plan());
            wanted.observe(&peers);
            prop_assert_eq!(wanted.plan(), vec![]);
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
        prop_assert!(peers[1].allowed_ips.contains(&net("10.77.0.0/16")), "no sweep, no removal");
    }
}
