//! Speakers in virtual time, with wires in memory; see `net.rs`.

mod net;

use std::time::Duration;

use net::{Net, prefix};
use proptest::prelude::*;

use super::*;
use crate::rib::Best;
use crate::session::State;

/// Attributes of a route that this speaker originates.
fn own() -> AttributeSet {
    AttributeSet::new(NextHop::V4(Ipv4Addr::UNSPECIFIED))
}

#[test]
fn routes_reach_the_peer_with_this_end_as_next_hop() {
    let mut net = Net::mesh(2);
    net.nodes[0].speaker.originate(prefix("10.100.0.0/16"));
    net.settle();
    let best = net.best(1, "10.100.0.0/16").expect("learned");
    assert_eq!(best.next_hop().addr(), net.nodes[0].address);
    assert_eq!(best.origin_as(), Some(Asn(65001)));
    assert_eq!(best.as_path_length(), 1);
}

#[test]
fn a_retracted_route_is_withdrawn() {
    let mut net = Net::mesh(2);
    net.nodes[0].speaker.originate(prefix("10.100.0.0/16"));
    net.settle();
    net.nodes[0].speaker.retract(prefix("10.100.0.0/16"));
    net.settle();
    assert_eq!(net.best(1, "10.100.0.0/16"), None);
    let told = &net.nodes[1].told;
    assert!(
        told.last().is_some_and(|best| best.paths.is_empty()),
        "{told:?}"
    );
}

#[test]
fn a_session_that_is_lost_takes_its_routes_along_and_brings_them_back() {
    let mut net = Net::mesh(2);
    net.nodes[0].speaker.originate(prefix("10.100.0.0/16"));
    net.settle();
    net.cut(0);
    net.deliver_all();
    assert_eq!(net.best(1, "10.100.0.0/16"), None);
    assert_eq!(net.nodes[1].downs, 1);
    net.settle();
    assert!(net.best(1, "10.100.0.0/16").is_some());
}

#[test]
fn silence_ends_the_session_after_the_hold_time() {
    let mut net = Net::mesh(2);
    net.nodes[0].speaker.originate(prefix("10.100.0.0/16"));
    net.settle();
    let before = net.now;
    net.mute = true;
    while net.nodes[1].downs == 0 {
        net.tick();
    }
    let silence = net.now - before;
    assert!(silence >= Duration::from_secs(60), "{silence:?}");
    assert!(silence <= Duration::from_secs(90), "{silence:?}");
    assert_eq!(net.best(1, "10.100.0.0/16"), None);
}

#[test]
fn end_of_rib_comes_after_what_was_learned() {
    let mut net = Net::mesh(2);
    net.nodes[0].speaker.originate(prefix("10.100.0.0/16"));
    net.settle();
    assert_eq!(
        net.nodes[1].log,
        ["established", "best 10.100.0.0/16", "end of ipv4_unicast"]
    );
}

#[test]
fn a_path_goes_on_to_the_third_speaker() {
    let mut net = Net::chain(3);
    net.nodes[0].speaker.originate(prefix("10.100.0.0/16"));
    net.settle();
    let best = net
        .best(2, "10.100.0.0/16")
        .expect("learned over the one between");
    assert_eq!(best.as_path_length(), 2);
    assert_eq!(best.next_hop().addr(), net.nodes[1].address);
}

#[test]
fn every_family_is_carried() {
    let all = |config: PeerConfig| {
        config
            .families(Family::ALL)
            .next_hop_ipv6("2001:db8::1".parse().unwrap())
    };
    let mut net = Net::new(&[(0, 1)], 2, all);
    net.nodes[0].speaker.originate(prefix("10.100.0.0/16"));
    net.nodes[0].speaker.originate(prefix("2001:db8:100::/48"));
    net.settle();
    assert!(net.best(1, "10.100.0.0/16").is_some());
    let v6 = net.best(1, "2001:db8:100::/48").expect("learned");
    assert_eq!(v6.next_hop(), NextHop::V6("2001:db8::1".parse().unwrap()));
    let ends = net.nodes[1]
        .log
        .iter()
        .filter(|line| line.starts_with("end of"));
    assert_eq!(ends.count(), 3);
}

#[test]
fn a_public_as_number_needs_a_policy() {
    let mut net = Net::pair(3333, 65002, |config| config);
    net.nodes[0].speaker.originate(prefix("10.100.0.0/16"));
    net.nodes[1].speaker.originate(prefix("10.200.0.0/16"));
    net.settle();
    assert_eq!(net.best(1, "10.100.0.0/16"), None);
    assert_eq!(net.best(0, "10.200.0.0/16"), None);
    for at in [0, 1] {
        let (peer, _) = net.nodes[at].speaker.peers().next().unwrap();
        let (import, export) = (Policy::AcceptAll, Policy::AcceptAll);
        net.nodes[at].speaker.set_policies(peer, import, export);
    }
    net.settle();
    assert!(net.best(1, "10.100.0.0/16").is_some());
    assert!(net.best(0, "10.200.0.0/16").is_some());
    assert_eq!(net.nodes[0].downs, 0, "the session stays");
}

#[test]
fn a_removed_peer_takes_its_routes_and_connections_along() {
    let mut net = Net::mesh(2);
    net.nodes[0].speaker.originate(prefix("10.100.0.0/16"));
    net.settle();
    let (peer, _) = net.nodes[1].speaker.peers().next().unwrap();
    net.nodes[1].speaker.remove_peer(peer);
    assert!(
        net.nodes[1].speaker.deadline() <= Some(net.now),
        "an order waits"
    );
    net.tick();
    net.deliver_all();
    assert_eq!(net.best(1, "10.100.0.0/16"), None);
    assert_eq!(net.nodes[1].speaker.status(peer), None);
    assert_eq!(net.open_connections(1), 0);
    assert_eq!(net.nodes[0].downs, 1);
    let again = PeerConfig::new(net.nodes[0].address, 65001);
    assert_ne!(
        net.nodes[1].speaker.add_peer(again),
        Ok(peer),
        "late words must not hit it"
    );
}

#[test]
fn a_refresh_brings_everything_again_and_changes_nothing() {
    let mut net = Net::mesh(2);
    net.nodes[0].speaker.originate(prefix("10.100.0.0/16"));
    net.settle();
    let told = net.nodes[1].told.len();
    let (peer, _) = net.nodes[1].speaker.peers().next().unwrap();
    let received = |net: &Net| net.nodes[1].speaker.status(peer).unwrap().counters.received;
    let before = received(&net).updates;
    let family = Family::Ipv4Unicast;
    net.input(1, Input::RequestRefresh { peer, family });
    net.settle();
    assert!(received(&net).updates > before);
    assert_eq!(net.nodes[1].told.len(), told, "nothing is new");
    assert!(net.best(1, "10.100.0.0/16").is_some());
}

#[test]
fn a_peer_that_takes_nothing_stops_the_flow_and_is_given_up() {
    let mut net = Net::mesh(2);
    net.settle();
    net.nodes[0].reports = false;
    for number in 0..60_000_u32 {
        // Attributes of their own, so that every route is a message.
        let mut set = own();
        set.med = Some(number);
        let addr = Ipv4Addr::from(0x0a00_0000 + number * 256);
        let nlri = Prefix::new(addr.into(), 24).unwrap();
        net.nodes[0].speaker.originate_with(nlri, set);
    }
    let before = net.now;
    net.tick();
    net.deliver_all();
    let sent = net.nodes[0].octets;
    assert!(sent >= rib::WINDOW, "{sent}");
    assert!(sent < rib::WINDOW + 256 * 1024, "{sent}");
    while net.nodes[0].downs == 0 {
        net.tick();
        net.deliver_all();
    }
    // RFC 9687 §3.1: the greater of 8 minutes and twice the hold time.
    assert_eq!(net.now - before, Duration::from_secs(480));
}

#[test]
fn written_octets_let_the_flow_go_on_to_the_end() {
    let mut net = Net::mesh(2);
    net.settle();
    for number in 0..60_000_u32 {
        let mut set = own();
        set.med = Some(number);
        let addr = Ipv4Addr::from(0x0a00_0000 + number * 256);
        net.nodes[0]
            .speaker
            .originate_with(Prefix::new(addr.into(), 24).unwrap(), set);
    }
    net.settle();
    assert!(net.nodes[0].octets > 2 * rib::WINDOW);
    assert_eq!(
        net.nodes[1].speaker.rib().prefixes(Family::Ipv4Unicast),
        60_000
    );
    let (peer, _) = net.nodes[0].speaker.peers().next().unwrap();
    assert!(net.nodes[0].speaker.rib().is_settled(peer));
    let sent = net.nodes[0]
        .speaker
        .status(peer)
        .unwrap()
        .counters
        .sent
        .updates;
    assert!(sent >= 60_000, "{sent}");
}

#[test]
fn a_connection_for_nobody_is_closed() {
    let mut speaker = Speaker::new(65001, [10, 0, 0, 1].into());
    let (peer, conn) = (PeerId(7), ConnId::Incoming(1));
    let local = "10.0.0.1".parse().unwrap();
    speaker.handle(Instant::now(), Input::Accepted { peer, conn, local });
    let closed = speaker.poll();
    assert!(
        matches!(
            closed,
            Some(Output::Close {
                peer: PeerId(7),
                conn: ConnId::Incoming(1)
            })
        ),
        "{closed:?}"
    );
}

#[test]
fn numbers_of_peers_run_out_and_come_back() {
    let mut speaker = Speaker::new(65001, [10, 0, 0, 1].into());
    let config = PeerConfig::new("10.0.0.2".parse().unwrap(), 65002).passive(true);
    let first = speaker.add_peer(config.clone()).unwrap();
    for _ in 1..u16::MAX {
        speaker.add_peer(config.clone()).unwrap();
    }
    assert_eq!(speaker.add_peer(config.clone()), Err(TooManyPeers));
    speaker.remove_peer(first);
    speaker.handle(Instant::now(), Input::Timeout);
    assert_eq!(speaker.add_peer(config), Ok(first));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// Whatever the order in which connections, bytes, ends and orders arrive: once it is quiet,
    /// everybody has what is originated, over the shortest path, and nothing else.
    #[test]
    fn tables_agree_after_any_interleaving(
        size in 2_usize..4,
        steps in prop::collection::vec(any::<(u8, u8, u16)>(), 1..160),
    ) {
        let mut net = Net::mesh(size);
        let mut wanted = std::collections::BTreeSet::new();
        for (what, which, how) in steps {
            let node = usize::from(which) % size;
            let number = how % 8;
            let text = format!("10.{}.{number}.0/24", 100 + node);
            match what % 16 {
                0 | 1 => {
                    net.nodes[node].speaker.originate(prefix(&text));
                    wanted.insert((node, text));
                }
                2 => {
                    net.nodes[node].speaker.retract(prefix(&text));
                    wanted.remove(&(node, text));
                }
                3 => net.cut(usize::from(how)),
                4 => net.tick(),
                _ => net.step(usize::from(how)),
            }
        }
        net.settle();
        for at in 0..size {
            let rib = net.nodes[at].speaker.rib();
            prop_assert_eq!(rib.prefixes(Family::Ipv4Unicast), wanted.len());
            for (origin, text) in &wanted {
                let best = net.best(at, text);
                let hops = usize::from(at != *origin);
                prop_assert_eq!(best.map(|it| usize::from(it.as_path_length())), Some(hops));
            }
            for (peer, _) in net.nodes[at].speaker.peers() {
                let state = net.nodes[at].speaker.status(peer).map(|it| it.state);
                prop_assert_eq!(state, Some(State::Established));
                prop_assert!(net.nodes[at].speaker.rib().is_settled(peer));
            }
            // What was told is what is true.
            prop_assert_eq!(net.nodes[at].table(), wanted.iter().map(|it| prefix(&it.1)).collect());
        }
    }
}
