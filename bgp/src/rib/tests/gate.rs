//! Learned routes are told once they are forwarded.

use super::*;

impl World {
    fn forwards(&mut self, number: u8, there: bool) {
        self.input(Input::Forwards(Nlri::V4(prefix(number)), there));
    }

    fn knows(&self, peer: u16) -> Vec<u8> {
        let all = self.belief(peer).keys();
        all.map(|prefix| prefix.addr().octets()[1]).collect()
    }

    fn way_to(&self, peer: u16, number: u8) -> Vec<u32> {
        asns(&self.belief(peer)[&prefix(number)])
    }
}

fn gated(peers: &[u16]) -> World {
    let mut world = World::with_peers(peers);
    world.input(Input::AwaitForwarding(true));
    world
}

#[test]
fn a_learned_route_is_told_once_it_is_forwarded_and_no_more_when_that_fails() {
    let mut world = gated(&[2, 3]);
    world.announce(2, &[1, 2]);
    assert_eq!(world.best.len(), 2, "whoever forwards is asked");
    assert!(world.knows(3).is_empty());
    let why = |world: &World, prefix| world.why(3, prefix).unwrap_err();
    assert_eq!(why(&world, "10.1.0.0/16"), Withheld::NotYetForwarded);
    world.forwards(1, true);
    world.forwards(2, false);
    assert_eq!(world.knows(3), [1]);
    assert!(world.why(3, "10.1.0.0/16").is_ok());
    assert_eq!(why(&world, "10.2.0.0/16"), Withheld::NotForwarded);
    // It took it after all, and the other one was lost.
    world.forwards(2, true);
    world.forwards(1, false);
    assert_eq!(world.knows(3), [2]);
    world.withdraw(2, &[1, 2]);
    assert!(world.knows(3).is_empty());
    assert_eq!(world.rib.prefixes(Family::Ipv4Unicast), 0);
}

#[test]
fn what_stood_before_stands_until_the_next_path_is_forwarded() {
    let mut world = gated(&[2, 3, 4]);
    world.announce(3, &[1]);
    world.forwards(1, true);
    assert_eq!(world.way_to(4, 1), [65001, 65003]);
    assert_eq!(world.way_to(2, 1), [65001, 65003]);
    // Better by the sender's identifier.
    world.announce(2, &[1]);
    assert_eq!(world.way_to(4, 1), [65001, 65003]);
    assert_eq!(world.way_to(2, 1), [65001, 65003], "nor is it gone");
    assert!(world.knows(3).is_empty());
    world.forwards(1, true);
    assert_eq!(world.way_to(4, 1), [65001, 65002]);
    assert_eq!(world.way_to(3, 1), [65001, 65002]);
    assert!(world.knows(2).is_empty(), "it sent the best one");
}

#[test]
fn a_path_that_came_and_went_meanwhile_leaves_the_former_one_known() {
    let mut world = gated(&[2, 3, 4]);
    world.announce(3, &[1]);
    world.forwards(1, true);
    world.announce(2, &[1]);
    world.withdraw(2, &[1]);
    world.forwards(1, true);
    assert_eq!(world.way_to(4, 1), [65001, 65003]);
    assert_eq!(world.way_to(2, 1), [65001, 65003]);
    assert!(world.knows(3).is_empty());
    // And all of it goes at once.
    world.announce(2, &[1]);
    world.hand_in(Input::Updates(PeerId(2), vec![withdraw(&[prefix(1)])]));
    world.withdraw(3, &[1]);
    assert!(world.knows(4).is_empty() && world.knows(2).is_empty());
}

#[test]
fn routes_of_our_own_do_not_wait_and_neither_does_what_follows_from_others() {
    let mut world = gated(&[2, 3]);
    let own = AttributeSet::new(NextHop::V4(Ipv4Addr::UNSPECIFIED));
    world.input(Input::Originate(Nlri::V4(prefix(9)), own.clone()));
    assert_eq!(world.knows(3), [9]);
    let aggregate = Aggregate::new("10.0.0.0/8".parse().unwrap(), Asn(65001));
    world.input(Input::SetAggregates(vec![aggregate]));
    world.announce(2, &[1]);
    assert_eq!(world.knows(3), [0, 9]);
    // A route of our own in the place of one that was refused.
    world.forwards(1, false);
    world.input(Input::Originate(Nlri::V4(prefix(1)), own));
    assert_eq!(world.knows(3), [0, 1, 9]);
    world.input(Input::Retract(Nlri::V4(prefix(1))));
    world.forwards(1, false);
    assert_eq!(world.knows(3), [0, 9]);
}

#[test]
fn who_comes_later_is_told_what_is_forwarded_and_the_end_comes_behind_all_of_it() {
    let mut world = gated(&[2]);
    world.announce(2, &[1, 2, 3]);
    world.forwards(1, true);
    world.up(3);
    assert_eq!(world.knows(3), [1]);
    assert_eq!(world.beliefs[&PeerId(3)].end_of_ribs, 0);
    assert!(!world.rib.is_settled(PeerId(3)));
    world.forwards(2, false);
    world.forwards(3, true);
    assert_eq!(world.knows(3), [1, 3]);
    let belief = &world.beliefs[&PeerId(3)];
    assert_eq!(belief.end_of_ribs, 1);
    assert_eq!(belief.marks.last(), Some(&("EoR", belief.updates - 1)));
    assert!(world.rib.is_settled(PeerId(3)));
}

#[test]
fn who_is_told_several_paths_waits_as_the_others_do() {
    let mut world = gated(&[2, 3]);
    world.several.push(PeerId(4));
    let mut told_all = facts(4);
    if let Some(family) = &mut told_all.families.ipv4_unicast {
        family.add_path_send = Some(PathsSent::All);
    }
    world.up_with(4, told_all);
    world.announce(2, &[1]);
    world.announce(3, &[1]);
    let told = |world: &World| world.beliefs[&PeerId(4)].several.len();
    assert_eq!(told(&world), 0);
    assert_eq!(world.beliefs[&PeerId(4)].end_of_ribs, 1);
    world.forwards(1, true);
    assert_eq!(told(&world), 2);
    world.forwards(1, false);
    assert_eq!(told(&world), 0);
}

#[test]
fn on_and_off_again_apply_to_what_is_there() {
    let mut world = World::with_peers(&[2, 3]);
    world.announce(2, &[1, 2]);
    assert_eq!(world.knows(3), [1, 2]);
    world.best.clear();
    world.input(Input::AwaitForwarding(true));
    assert_eq!(world.best.len(), 2, "asked once more");
    assert_eq!(world.knows(3), [1, 2], "what was told stands");
    world.forwards(1, true);
    world.forwards(2, false);
    assert_eq!(world.knows(3), [1]);
    world.announce(2, &[3]);
    world.input(Input::AwaitForwarding(false));
    assert_eq!(world.knows(3), [1, 2, 3]);
    // Answers mean nothing now.
    world.forwards(1, false);
    assert_eq!(world.knows(3), [1, 2, 3]);
}

#[test]
fn an_answer_from_before_the_next_question_says_nothing() {
    let mut world = gated(&[2, 3]);
    world.rib.hold_best(true);
    world.announce(2, &[1]);
    // Whoever forwards has not even been told.
    world.forwards(1, true);
    assert!(world.knows(3).is_empty());
    world.rib.hold_best(false);
    world.settle();
    assert!(world.knows(3).is_empty());
    world.forwards(1, true);
    assert_eq!(world.knows(3), [1]);
}

#[derive(Debug, Clone)]
enum Step {
    Announce(u16, u8, u8),
    Withdraw(u16, u8),
    Own(u8, bool),
    Forwards(u8, bool),
    Await(bool),
    Down(u16),
    Up(u16),
    Refresh(u16),
    Stick(u16),
    Unstick,
    Settle,
}

fn step() -> impl Strategy<Value = Step> {
    let (peer, number) = (2u16..6, 0u8..4);
    prop_oneof![
        8 => (peer.clone(), number.clone(), 0u8..3).prop_map(|(p, n, tail)| Step::Announce(p, n, tail)),
        4 => (peer.clone(), number.clone()).prop_map(|(p, n)| Step::Withdraw(p, n)),
        2 => (number.clone(), any::<bool>()).prop_map(|(n, there)| Step::Own(n, there)),
        8 => (number, any::<bool>()).prop_map(|(n, there)| Step::Forwards(n, there)),
        1 => any::<bool>().prop_map(Step::Await),
        1 => peer.clone().prop_map(Step::Down),
        1 => peer.clone().prop_map(Step::Up),
        1 => peer.clone().prop_map(Step::Refresh),
        1 => peer.prop_map(Step::Stick),
        1 => Just(Step::Unstick),
        3 => Just(Step::Settle),
    ]
}

proptest! {
    /// Whatever came in whatever order: when all questions are answered, peers know what a router without
    /// a gate would tell them, less what is not forwarded.
    #[test]
    fn with_all_answered_peers_know_what_is_forwarded(
        steps in prop::collection::vec(step(), 1..80),
        answers in prop::collection::vec(any::<bool>(), 4),
        on: bool,
    ) {
        let mut world = gated(&[2, 3, 4, 5]);
        let mut plain = World::with_peers(&[2, 3, 4, 5]);
        let up = |world: &World, peer| world.beliefs.contains_key(&PeerId(peer));
        for step in steps {
            for (gate, world) in [(true, &mut world), (false, &mut plain)] {
                match step {
                    Step::Announce(peer, number, tail) if up(world, peer) => {
                        let mut path_of = vec![65000 + u32::from(peer)];
                        path_of.extend((1..=tail).map(u32::from));
                        let host = u8::try_from(peer).unwrap();
                        let update = announce(&[prefix(number)], &path(&path_of, [10, 10, 0, host]));
                        world.hand_in(Input::Updates(PeerId(peer), vec![update]));
                    }
                    Step::Withdraw(peer, number) if up(world, peer) => {
                        let update = withdraw(&[prefix(number)]);
                        world.hand_in(Input::Updates(PeerId(peer), vec![update]));
                    }
                    Step::Own(number, true) => {
                        let set = AttributeSet::new(NextHop::V4(Ipv4Addr::UNSPECIFIED));
                        world.hand_in(Input::Originate(Nlri::V4(prefix(number)), set));
                    }
                    Step::Own(number, false) => world.hand_in(Input::Retract(Nlri::V4(prefix(number)))),
                    Step::Forwards(number, there) if gate => {
                        world.hand_in(Input::Forwards(Nlri::V4(prefix(number)), there));
                    }
                    Step::Await(on) if gate => world.hand_in(Input::AwaitForwarding(on)),
                    Step::Down(peer) if up(world, peer) => {
                        world.settle();
                        world.down(peer);
                    }
                    Step::Up(peer) if !up(world, peer) => world.up(peer),
                    Step::Refresh(peer) => world.hand_in(Input::Refresh {
                        peer: PeerId(peer),
                        family: Family::Ipv4Unicast,
                        enhanced: false,
                    }),
                    Step::Stick(peer) => world.stuck.push(PeerId(peer)),
                    Step::Unstick => world.unstick(),
                    Step::Settle => world.settle(),
                    Step::Announce(..) | Step::Withdraw(..) | Step::Forwards(..) | Step::Await(_)
                    | Step::Down(_) | Step::Up(_) => {}
                }
            }
        }
        for world in [&mut world, &mut plain] {
            world.unstick();
        }
        world.input(Input::AwaitForwarding(on));
        for (number, there) in (0..).zip(&answers) {
            world.forwards(number, *there);
        }
        let learned = |number: u8| {
            let best = world.best.get(&Nlri::V4(prefix(number)));
            best.is_some_and(|paths| paths[0] != PeerId::LOCAL)
        };
        for (peer, belief) in &plain.beliefs {
            let mut expected = belief.routes.clone();
            for (number, there) in (0..).zip(&answers) {
                if on && !there && learned(number) {
                    expected.remove(&prefix(number));
                }
            }
            prop_assert_eq!(&world.beliefs[peer].routes, &expected, "told to {:?}", peer);
            prop_assert!(world.rib.is_settled(*peer));
            prop_assert_eq!(world.beliefs[peer].end_of_ribs, belief.end_of_ribs);
        }
    }
}
