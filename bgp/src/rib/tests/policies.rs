//! Policies that change under routes, and what import says to export.

use super::*;

#[test]
fn an_edited_import_policy_is_told_to_others_and_not_to_the_sender() {
    let mut world = World::with_peers(&[2, 3]);
    let prefixes: Vec<Prefix4> = (0..100).map(prefix).collect();
    world.update(2, announce(&prefixes, &path(&[65002], [10, 10, 0, 2])));
    let edited = |metric| {
        let list = PrefixList::new("L", vec!["permit 10.7.0.0/16 le 32".parse().unwrap()]);
        let few = Match::PrefixList(Arc::new(list.unwrap()));
        let set = Set::LocalPref(Number::Replace(metric));
        ipv4(PeerFamily {
            import: map(vec![
                Entry::new(10, Action::Permit).when(few).set(set),
                Entry::new(20, Action::Permit),
            ]),
            ..settings()
        })
    };
    let heard = |world: &World| [2, 3].map(|peer| world.beliefs[&PeerId(peer)].updates);
    world.input(Input::Configure(PeerId(2), edited(200)));
    let before = heard(&world);
    world.input(Input::Configure(PeerId(2), edited(300)));
    assert_eq!(heard(&world), [before[0], before[1] + 1]);
    world.input(Input::Configure(PeerId(2), edited(300)));
    assert_eq!(heard(&world), [before[0], before[1] + 1]);
}

#[test]
fn a_tag_that_import_gave_is_matched_on_export() {
    let mut world = World::with_peers(&[2, 3]);
    let tagged = PeerFamily {
        import: map(vec![Entry::new(10, Action::Permit).set(Set::Tag(7))]),
        ..settings()
    };
    let named = |tag| PeerFamily {
        export: map(vec![Entry::new(10, Action::Permit).when(Match::Tag(tag))]),
        ..settings()
    };
    world.update(2, announce(&[prefix(1)], &path(&[65002], [10, 10, 0, 2])));
    world.input(Input::Configure(PeerId(3), ipv4(named(7))));
    assert!(world.belief(3).is_empty());
    world.input(Input::Configure(PeerId(2), ipv4(tagged)));
    assert_eq!(world.belief(3).len(), 1);
    world.input(Input::Configure(PeerId(3), ipv4(named(8))));
    assert!(world.belief(3).is_empty());
}

#[test]
fn a_change_of_export_policy_is_told_only_where_it_makes_a_difference() {
    let mut world = World::with_peers(&[2, 3]);
    let prefixes: Vec<Prefix4> = (0..100).map(prefix).collect();
    world.update(2, announce(&prefixes, &path(&[65002], [10, 10, 0, 2])));
    let before = world.beliefs[&PeerId(3)].updates;
    world.input(Input::Configure(PeerId(3), facts(3).families));
    assert_eq!(world.beliefs[&PeerId(3)].updates, before);
    let closed = PeerFamily {
        export: Policy::RejectAll("test".into()),
        ..settings()
    };
    let families = PerFamily {
        ipv4_unicast: Some(closed),
        ..PerFamily::default()
    };
    world.input(Input::Configure(PeerId(3), families));
    assert!(world.belief(3).is_empty());
    world.input(Input::Configure(PeerId(3), facts(3).families));
    assert_eq!(world.belief(3).len(), 100);
}

#[test]
fn a_change_of_import_policy_needs_nothing_from_the_peer() {
    let mut world = World::with_peers(&[2, 3]);
    world.update(2, announce(&[prefix(1)], &path(&[65002], [10, 10, 0, 2])));
    let closed = PeerFamily {
        import: Policy::RejectAll("test".into()),
        ..settings()
    };
    let families = PerFamily {
        ipv4_unicast: Some(closed),
        ..PerFamily::default()
    };
    world.input(Input::Configure(PeerId(2), families));
    assert!(world.belief(3).is_empty());
    assert_eq!(world.rib.counts(PeerId(2)).ipv4_unicast.received, 1);
    world.input(Input::Configure(PeerId(2), facts(2).families));
    assert_eq!(world.belief(3).len(), 1);
}
