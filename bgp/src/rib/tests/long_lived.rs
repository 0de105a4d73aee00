//! Routes of a peer that has been away for long (RFC 9494).

use super::*;
use crate::community::Community;

fn old(world: &mut World, peer: u16) {
    let families = PerFamily {
        ipv4_unicast: true,
        ..PerFamily::default()
    };
    world.input(Input::LongLived(PeerId(peer), families));
}

/// Speaks long-lived graceful restart.
fn versed(peer: u16) -> PeerFacts {
    let mut facts = facts(peer);
    if let Some(family) = &mut facts.families.ipv4_unicast {
        family.long_lived = true;
    }
    facts
}

/// Peers 2 and 3 send, 4 speaks long-lived graceful restart and 5 does not.
fn world() -> World {
    let mut world = World::with_peers(&[2, 3, 5]);
    world.up_with(4, versed(4));
    world
}

fn short() -> AttributeSet {
    path(&[65002], [10, 10, 0, 2])
}

fn long() -> AttributeSet {
    path(&[65003, 64999, 64998], [10, 10, 0, 3])
}

#[test]
fn any_other_path_is_better_and_those_who_do_not_know_are_told_nothing() {
    let mut world = world();
    world.update(2, announce(&[prefix(1), prefix(2)], &short()));
    world.update(3, announce(&[prefix(1)], &long()));
    world.retained(2);
    assert_eq!(world.best[&Nlri::V4(prefix(1))], [PeerId(2)]);
    old(&mut world, 2);
    // One is replaced by a worse path; of the other there is nothing else.
    assert_eq!(world.best[&Nlri::V4(prefix(1))], [PeerId(3)]);
    assert_eq!(world.best[&Nlri::V4(prefix(2))], [PeerId(2)]);
    let told = &world.belief(4)[&prefix(2)];
    assert!(told.communities.contains(&Community::LLGR_STALE));
    assert!(!world.belief(5).contains_key(&prefix(2)));
    assert!(world.belief(5).contains_key(&prefix(1)));
    // It comes back: everything is as before.
    world.up(2);
    world.update(2, announce(&[prefix(1), prefix(2)], &short()));
    world.update(2, end_of_rib());
    assert_eq!(world.best[&Nlri::V4(prefix(1))], [PeerId(2)]);
    let told = &world.belief(5)[&prefix(2)];
    assert!(told.communities.is_empty());
}

#[test]
fn a_route_with_no_llgr_goes_instead() {
    let mut world = world();
    let mut set = short();
    set.communities.push(Community::NO_LLGR);
    world.update(2, announce(&[prefix(1)], &set));
    world.update(2, announce(&[prefix(2)], &short()));
    world.retained(2);
    old(&mut world, 2);
    assert!(!world.best.contains_key(&Nlri::V4(prefix(1))));
    assert!(world.best.contains_key(&Nlri::V4(prefix(2))));
}

#[test]
fn what_does_not_come_again_goes_with_end_of_rib_or_the_time() {
    for by_time in [false, true] {
        let mut world = world();
        world.update(2, announce(&[prefix(1), prefix(2)], &short()));
        world.retained(2);
        old(&mut world, 2);
        if by_time {
            let families = PerFamily {
                ipv4_unicast: true,
                ..PerFamily::default()
            };
            world.input(Input::Release(PeerId(2), families));
            assert!(world.best.is_empty());
        } else {
            world.up(2);
            world.update(2, announce(&[prefix(1)], &short()));
            world.update(2, end_of_rib());
            assert_eq!(world.best.len(), 1);
        }
    }
}

/// RFC 9494 §4.3: it does not matter who marked it.
#[test]
fn a_route_that_comes_marked_is_a_last_resort_too() {
    let mut world = world();
    let mut set = short();
    set.communities.push(Community::LLGR_STALE);
    world.update(2, announce(&[prefix(1)], &set));
    world.update(3, announce(&[prefix(1)], &long()));
    assert_eq!(world.best[&Nlri::V4(prefix(1))], [PeerId(3)]);
}

/// A changed import policy does not make it young again.
#[test]
fn it_stays_one_when_policy_changes() {
    let mut world = world();
    world.update(2, announce(&[prefix(1)], &short()));
    world.update(3, announce(&[prefix(1)], &long()));
    world.retained(2);
    old(&mut world, 2);
    let gone = vec![(IpAddr::from([10, 10, 0, 2]).into(), false)];
    world.input(Input::NextHops(gone));
    let again = vec![(IpAddr::from([10, 10, 0, 2]).into(), true)];
    world.input(Input::NextHops(again));
    assert_eq!(world.best[&Nlri::V4(prefix(1))], [PeerId(3)]);
    world.update(3, withdraw(&[prefix(1)]));
    let told = &world.belief(4)[&prefix(1)];
    assert!(told.communities.contains(&Community::LLGR_STALE));
}
