//! Another router ID, another cluster, another confederation: the tables come to what they would have been
//! from the start.

use super::*;
use crate::prefix::Prefix;

const OTHER: Ipv4Addr = Ipv4Addr::new(10, 10, 7, 7);

fn identified(identity: Identity) -> World {
    let mut world = World::new();
    world.rib = Rib::new(Config {
        identity,
        ..config()
    });
    world
}

fn internal(peer: u16, client: bool) -> PeerFacts {
    PeerFacts {
        remote_as: Asn(65001),
        relation: Relation {
            reflector_client: PerFamily::all(client),
            ..Relation::default()
        },
        ..facts(peer)
    }
}

/// Two clients, an internal peer that is none, and an external one; routes that some identity takes for
/// loops, an aggregate, and a network of our own.
fn fill(world: &mut World) {
    world.up_with(2, internal(2, true));
    world.up_with(3, internal(3, true));
    world.up_with(4, internal(4, false));
    world.up(6);
    let from = |peer: u8| path(&[7], [10, 10, 0, peer]);
    world.update(2, announce(&[prefix(1)], &from(2)));
    let mut reflected = from(4);
    reflected.originator_id = Some(OTHER);
    reflected.cluster_list = vec![Ipv4Addr::new(10, 10, 0, 4)];
    world.update(4, announce(&[prefix(2)], &reflected));
    reflected.originator_id = Some(IDENTITY.router_id);
    world.update(4, announce(&[prefix(3)], &reflected));
    reflected.originator_id = Some(Ipv4Addr::new(10, 10, 0, 99));
    reflected.cluster_list = vec![OTHER];
    world.update(4, announce(&[prefix(4)], &reflected));
    reflected.cluster_list = vec![CLUSTER];
    world.update(4, announce(&[prefix(5)], &reflected));
    let through = path(&[65006, 100], [10, 10, 0, 6]);
    world.update(6, announce(&[prefix(6)], &through));
    let whole: Prefix = "10.0.0.0/8".parse().unwrap();
    let aggregate = Aggregate::new(whole, Asn(65001));
    world.input(Input::SetAggregates(vec![aggregate]));
    let own = AttributeSet::new(NextHop::V4(Ipv4Addr::UNSPECIFIED));
    world.input(Input::Originate(Nlri::V4(prefix(9)), own));
}

/// Everything that peers believe, what is best, and why others are not.
fn state(world: &World) -> String {
    let beliefs: BTreeMap<_, _> = world
        .beliefs
        .iter()
        .map(|(id, it)| (id, &it.routes))
        .collect();
    let route = |number: u8| world.rib.route(&Nlri::V4(prefix(number)));
    let verdicts = (1..10).filter_map(route).flat_map(|route| route.paths);
    let verdicts: Vec<_> = verdicts
        .map(|it| (it.peer, it.rejection, it.lost))
        .collect();
    format!("{beliefs:#?}\n{:#?}\n{verdicts:#?}", world.best)
}

#[test]
fn another_identity_comes_to_what_a_start_with_it_comes_to() {
    let router = Identity {
        router_id: OTHER,
        ..IDENTITY
    };
    let cluster = Identity {
        cluster_id: OTHER,
        ..IDENTITY
    };
    let meshed = Identity {
        client_to_client: false,
        ..IDENTITY
    };
    let confederated = Identity {
        confederation: Some(Confederation {
            id: Asn(100),
            member: Asn(65001),
            id_is_member: false,
        }),
        ..router
    };
    let mut world = identified(IDENTITY);
    fill(&mut world);
    let mut seen = vec![state(&world)];
    for identity in [router, cluster, meshed, confederated, IDENTITY] {
        world.input(Input::SetIdentity(identity));
        let mut fresh = identified(identity);
        fill(&mut fresh);
        let now = state(&world);
        assert_eq!(now, state(&fresh), "{identity:?}");
        assert_ne!(Some(&now), seen.last(), "{identity:?} makes no difference");
        seen.push(now);
    }
    assert_eq!(seen.first(), seen.last(), "and back");
}

#[test]
fn the_same_identity_again_tells_nobody_anything() {
    let mut world = identified(IDENTITY);
    fill(&mut world);
    let updates = |world: &World| -> usize { world.beliefs.values().map(|it| it.updates).sum() };
    let before = updates(&world);
    world.input(Input::SetIdentity(IDENTITY));
    assert_eq!(updates(&world), before);
}

#[test]
fn a_peer_whose_facts_change_is_judged_and_told_as_if_it_had_come_with_them() {
    let known_as = |own_as| PeerFacts {
        alias: Some(Alias {
            own_as: Asn(own_as),
            prepend: true,
            replace: false,
        }),
        local_as: Asn(65009),
        ..facts(2)
    };
    let filled = |own_as| {
        let mut world = identified(IDENTITY);
        world.up_with(2, known_as(own_as));
        world.up(3);
        world.update(
            2,
            announce(&[prefix(1)], &path(&[65002, 65011], [10, 10, 0, 2])),
        );
        world.update(3, announce(&[prefix(2)], &path(&[65003], [10, 10, 0, 3])));
        world
    };
    let mut world = filled(65001);
    assert_eq!(asns(&world.belief(2)[&prefix(2)]), [65009, 65001, 65003]);
    assert!(world.belief(3).contains_key(&prefix(1)));
    world.input(Input::Facts(PeerId(2), known_as(65011)));
    assert_eq!(asns(&world.belief(2)[&prefix(2)]), [65009, 65011, 65003]);
    assert!(
        !world.belief(3).contains_key(&prefix(1)),
        "our own number is in its path now"
    );
    assert_eq!(state(&world), state(&filled(65011)));
    // One that is away comes with the facts of its next session.
    world.down(2);
    world.input(Input::Facts(PeerId(2), known_as(65001)));
    assert!(!world.best.contains_key(&Nlri::V4(prefix(1))));
}
