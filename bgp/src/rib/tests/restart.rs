//! Restarts: a neighbour's routes are kept meanwhile, and after our own nothing is told too early
//! (RFC 4724).

use super::*;

#[test]
fn a_restarting_peer_keeps_what_it_sends_again_and_nobody_notices() {
    let mut world = World::with_peers(&[2, 3]);
    let set = path(&[65002], [10, 10, 0, 2]);
    world.update(2, announce(&[prefix(1), prefix(2)], &set));
    let before = world.beliefs[&PeerId(3)].updates;
    world.retained(2);
    assert_eq!(world.belief(3).len(), 2);
    world.up(2);
    world.update(2, announce(&[prefix(1)], &set));
    assert_eq!(
        world.beliefs[&PeerId(3)].updates,
        before,
        "nothing changed so far"
    );
    world.update(2, end_of_rib());
    assert_eq!(world.belief(3).keys().collect::<Vec<_>>(), [&prefix(1)]);
}

#[test]
fn released_routes_of_a_restarting_peer_go() {
    let mut world = World::with_peers(&[2, 3]);
    world.update(2, announce(&[prefix(1)], &path(&[65002], [10, 10, 0, 2])));
    world.retained(2);
    let all = PerFamily {
        ipv4_unicast: true,
        ipv6_unicast: true,
        evpn: true,
    };
    world.input(Input::Release(PeerId(2), all));
    assert!(world.belief(3).is_empty());
}

#[test]
fn after_a_restart_nothing_is_told_before_the_awaited_have_sent_everything() {
    let mut world = World::new();
    world.expect(&[2, 3]);
    world.up(2);
    world.up(3);
    world.update(2, announce(&[prefix(1)], &path(&[65002], [10, 10, 0, 2])));
    world.update(2, end_of_rib());
    assert!(world.belief(3).is_empty() && world.best.is_empty());
    assert!(!world.converged.contains(&Family::Ipv4Unicast));
    assert_eq!(world.beliefs[&PeerId(3)].end_of_ribs, 0);
    world.update(3, end_of_rib());
    assert_eq!(world.belief(3).len(), 1);
    assert_eq!(world.beliefs[&PeerId(3)].end_of_ribs, 1);
    // Families the peers do not have are complete from the start.
    world.converged.sort();
    assert_eq!(world.converged, Family::ALL);
    assert_eq!(world.rib.deadline(), None);
}

#[test]
fn a_peer_that_never_comes_holds_selection_back_no_longer_than_the_deadline() {
    let mut world = World::new();
    world.expect(&[2, 3]);
    world.up(2);
    world.update(2, announce(&[prefix(1)], &path(&[65002], [10, 10, 0, 2])));
    world.update(2, end_of_rib());
    world.start = world.rib.deadline().unwrap();
    world.input(Input::Timeout);
    assert_eq!(world.best.len(), 1);
    assert!(world.converged.contains(&Family::Ipv4Unicast));
}

#[test]
fn a_peer_that_waits_itself_is_not_waited_for_long() {
    let mut world = World::new();
    world.expect(&[2]);
    world.beliefs.insert(PeerId(2), Belief::default());
    world.input(Input::PeerUp {
        peer: PeerId(2),
        facts: facts(2),
        restarting: true,
    });
    world.update(2, announce(&[prefix(1)], &path(&[65002], [10, 10, 0, 2])));
    assert!(world.best.is_empty());
    let patience = world.rib.deadline().unwrap() - world.start;
    assert!(patience < Duration::from_secs(5), "{patience:?}");
    world.start += patience;
    world.input(Input::Timeout);
    assert_eq!(world.best.len(), 1);
    assert!(world.converged.contains(&Family::Ipv4Unicast));
}

#[test]
fn peers_are_told_nothing_before_what_is_our_own_is_whole() {
    let mut world = World::new();
    world.expect(&[2]);
    world.rib.hold_peers(Family::Ipv4Unicast, true);
    world.up(2);
    world.update(2, announce(&[prefix(1)], &path(&[65002], [10, 10, 0, 2])));
    world.update(2, end_of_rib());
    // Whoever forwards need not wait, and hears that the family is complete.
    assert_eq!(world.best.len(), 1);
    assert!(world.converged.contains(&Family::Ipv4Unicast));
    world.up(3);
    assert_eq!(
        world.belief(3).len() + world.beliefs[&PeerId(3)].end_of_ribs,
        0
    );
    world.input(Input::Originate(
        Nlri::V4(prefix(7)),
        path(&[], [10, 10, 0, 1]),
    ));
    assert_eq!(
        world.belief(2).len() + world.beliefs[&PeerId(2)].end_of_ribs,
        0
    );
    world.rib.hold_peers(Family::Ipv4Unicast, false);
    world.settle();
    for (peer, routes) in [(2, 1), (3, 2)] {
        assert_eq!(world.belief(peer).len(), routes);
        assert_eq!(world.beliefs[&PeerId(peer)].end_of_ribs, 1);
    }
}

#[test]
fn a_peer_that_is_deconfigured_is_not_waited_for() {
    let mut world = World::new();
    world.expect(&[2]);
    world.input(Input::PeerRemoved(PeerId(2)));
    assert!(world.converged.contains(&Family::Ipv4Unicast));
    assert_eq!(world.rib.deadline(), None);
}

#[test]
fn leftovers_are_swept_only_after_the_routes_of_the_last_message() {
    let mut world = World::new();
    world.expect(&[2]);
    world.up(2);
    world.hand_in(Input::Updates(
        PeerId(2),
        vec![announce(&[prefix(1)], &path(&[65002], [10, 10, 0, 2]))],
    ));
    world.hand_in(Input::Updates(PeerId(2), vec![end_of_rib()]));
    let mut best = false;
    while let Some(output) = world.rib.poll() {
        match output {
            Output::Best(_) => best = true,
            Output::Converged(Family::Ipv4Unicast) => assert!(best, "swept before it was wanted"),
            Output::Touched(_)
            | Output::Converged(_)
            | Output::Send(..)
            | Output::LimitOut { .. } => {}
        }
    }
    assert!(best);
}
