//! What a peer's relation to this router does to routes.

use super::*;
use crate::attributes::Omitted;
use crate::community::ExtendedCommunity;
use crate::message::Role;

fn internal(peer: u16) -> PeerFacts {
    PeerFacts {
        remote_as: Asn(65001),
        ..facts(peer)
    }
}

fn client(peer: u16) -> PeerFacts {
    PeerFacts {
        relation: Relation {
            reflector_client: PerFamily::all(true),
            ..Relation::default()
        },
        ..internal(peer)
    }
}

/// Clients 2 and 3, internal peers 4 and 5 that are none, and an external one.
fn reflector() -> World {
    let mut world = World::with_peers(&[6]);
    world.up_with(2, client(2));
    world.up_with(3, client(3));
    world.up_with(4, internal(4));
    world.up_with(5, internal(5));
    world
}

/// Who is told of a prefix.
fn told(world: &World, number: u8) -> Vec<u16> {
    let told = |peer: &u16| {
        let belief = world.beliefs.get(&PeerId(*peer));
        belief.is_some_and(|it| it.routes.contains_key(&prefix(number)))
    };
    (2..=6).filter(told).collect()
}

fn from(peer: u8) -> AttributeSet {
    path(&[7], [10, 10, 0, peer])
}

#[test]
fn a_reflector_passes_on_from_clients_to_all_and_from_others_to_clients() {
    let mut world = reflector();
    world.update(2, announce(&[prefix(1)], &from(2)));
    assert_eq!(
        told(&world, 1),
        [3, 4, 5, 6],
        "a client's, but not back to it"
    );
    world.update(4, announce(&[prefix(2)], &from(4)));
    assert_eq!(told(&world, 2), [2, 3, 6], "not a client's");
    world.update(6, announce(&[prefix(3)], &path(&[65006], [10, 10, 0, 6])));
    assert_eq!(told(&world, 3), [2, 3, 4, 5], "of another AS");
    // The next source of a route has other rules.
    world.update(2, withdraw(&[prefix(1)]));
    world.update(5, announce(&[prefix(1)], &from(5)));
    assert_eq!(told(&world, 1), [2, 3, 6]);
}

#[test]
fn a_client_of_one_family_is_none_in_another() {
    for (in_ipv4, expected) in [(true, &[2, 3][..]), (false, &[][..])] {
        let mut world = World::new();
        for peer in [2, 3, 4] {
            let mut facts = internal(peer);
            let clients = &mut facts.relation.reflector_client;
            clients.ipv4_unicast = in_ipv4 && peer != 4;
            clients.ipv6_unicast = !in_ipv4 && peer != 4;
            world.up_with(peer, facts);
        }
        world.update(4, announce(&[prefix(1)], &from(4)));
        assert_eq!(told(&world, 1), expected);
    }
}

#[test]
fn clients_that_are_connected_to_each_other_need_no_reflection_between_them() {
    let mut world = World::new();
    world.rib = Rib::new(Config {
        identity: Identity {
            client_to_client: false,
            ..IDENTITY
        },
        ..config()
    });
    for peer in [2, 3] {
        world.up_with(peer, client(peer));
    }
    world.up_with(4, internal(4));
    world.update(2, announce(&[prefix(1)], &from(2)));
    assert_eq!(told(&world, 1), [4]);
    world.update(4, announce(&[prefix(2)], &from(4)));
    assert_eq!(told(&world, 2), [2, 3]);
    let all = world.rib.advertisements(&Nlri::V4(prefix(1)));
    let said = all.iter().find(|it| it.peer == PeerId(3)).unwrap();
    let withheld = said.result.clone().unwrap_err();
    assert_eq!(withheld, Withheld::ClientToClient);
}

#[test]
fn reflecting_notes_originator_and_cluster_and_leaves_the_rest() {
    let mut world = reflector();
    let mut set = from(2);
    set.local_pref = Some(70);
    set.med = Some(5);
    world.update(2, announce(&[prefix(1)], &set));
    let told = &world.belief(3)[&prefix(1)];
    assert_eq!(told.originator_id, Some(Ipv4Addr::new(10, 10, 0, 2)));
    assert_eq!(told.cluster_list, [CLUSTER]);
    assert_eq!((told.next_hop, told.med), (set.next_hop, Some(5)));
    assert_eq!((asns(told), told.local_pref), (vec![7], Some(70)));

    // Once set, the originator stays; clusters pile up in front.
    set.originator_id = Some(Ipv4Addr::new(10, 10, 8, 8));
    set.cluster_list = vec![Ipv4Addr::new(10, 10, 7, 7)];
    world.update(4, announce(&[prefix(2)], &set));
    let told = &world.belief(3)[&prefix(2)];
    assert_eq!(told.originator_id, Some(Ipv4Addr::new(10, 10, 8, 8)));
    assert_eq!(told.cluster_list, [CLUSTER, Ipv4Addr::new(10, 10, 7, 7)]);

    // Another AS hears of neither, and what is ours or from there is not reflected.
    let outside = &world.belief(6)[&prefix(2)];
    assert_eq!(
        (outside.originator_id, outside.cluster_list.len()),
        (None, 0)
    );
    world.update(6, announce(&[prefix(3)], &path(&[65006], [10, 10, 0, 6])));
    let told = &world.belief(2)[&prefix(3)];
    assert_eq!((told.originator_id, told.cluster_list.len()), (None, 0));
}

#[test]
fn what_was_in_our_cluster_or_comes_from_us_is_a_loop() {
    let mut world = reflector();
    let mut clustered = from(2);
    clustered.cluster_list = vec![Ipv4Addr::new(10, 10, 7, 7), CLUSTER];
    world.update(2, announce(&[prefix(1)], &clustered));
    let mut ours = from(2);
    ours.originator_id = Some(Ipv4Addr::new(10, 10, 0, 1));
    world.update(2, announce(&[prefix(2)], &ours));
    let rejection = |number| {
        let route = world.rib.route(&Nlri::V4(prefix(number))).unwrap();
        route.paths[0].rejection.clone()
    };
    assert_eq!(rejection(1), Some(Rejection::ClusterLoop(CLUSTER)));
    assert_eq!(rejection(2), Some(Rejection::OriginatorLoop));
    assert!(told(&world, 1).is_empty() && told(&world, 2).is_empty());
    assert!(rejection(1).unwrap().is_loop());
}

#[test]
fn own_next_hop_stays_off_reflected_routes_unless_it_is_wanted_there_too() {
    let with = |rule| {
        let mut facts = client(3);
        facts.families.ipv4_unicast = Some(PeerFamily {
            next_hop: rule,
            ..settings()
        });
        let mut world = World::with_peers(&[6]);
        world.up_with(2, client(2));
        world.up_with(3, facts);
        world.update(2, announce(&[prefix(1)], &from(2)));
        world.update(6, announce(&[prefix(2)], &path(&[65006], [10, 10, 0, 6])));
        let next_hop = |number| world.belief(3)[&prefix(number)].next_hop.addr();
        (next_hop(1), next_hop(2))
    };
    let host = |last| IpAddr::from([10, 10, 0, last]);
    assert_eq!(with(NextHopRule::Auto), (host(2), host(6)));
    assert_eq!(with(NextHopRule::Unchanged), (host(2), host(6)));
    assert_eq!(with(NextHopRule::Myself), (host(2), host(1)));
    assert_eq!(with(NextHopRule::MyselfAlways), (host(1), host(1)));
}

#[test]
fn explain_says_that_neither_is_a_client() {
    let mut world = reflector();
    world.update(4, announce(&[prefix(1)], &from(4)));
    let told = world.rib.advertisements(&Nlri::V4(prefix(1)));
    let to = |peer| told.iter().find(|it| it.peer == PeerId(peer)).unwrap();
    assert_eq!(
        to(5).result.clone().unwrap_err(),
        Withheld::InternalToInternal
    );
    let reflected = to(2).result.clone().unwrap();
    assert_eq!(reflected.cluster_list().collect::<Vec<_>>(), [CLUSTER]);
}

const ROLES: [Role; 5] = [
    Role::Provider,
    Role::RouteServer,
    Role::RouteServerClient,
    Role::Customer,
    Role::Peer,
];

/// An external peer towards which we have this role.
fn with_role(peer: u16, role: Role) -> PeerFacts {
    PeerFacts {
        relation: Relation {
            role: Some(role),
            ..Relation::default()
        },
        ..facts(peer)
    }
}

/// RFC 9234 §5: for a route of AS 65002 that is marked by nobody, that AS, or another one: the mark
/// it has in our table (`Err` for a leak), by our role towards that AS.
#[test]
fn a_marked_route_is_a_leak_from_below_and_from_a_peer_that_did_not_mark_it() {
    for role in ROLES {
        let arriving = |marked_by: Option<u32>| {
            let mut world = World::with_peers(&[3]);
            world.up_with(2, with_role(2, role));
            let mut set = path(&[65002], [10, 10, 0, 2]);
            set.only_to_customer = marked_by.map(Asn);
            world.update(2, announce(&[prefix(1)], &set));
            let route = world.rib.route(&Nlri::V4(prefix(1))).unwrap();
            let path = &route.paths[0];
            let told = world.belief(3).get(&prefix(1)).cloned();
            match path.rejection.clone() {
                None => {
                    let mark = path.attributes.only_to_customer().map(|asn| asn.0);
                    // Towards a peer without role the mark goes along and is not made.
                    assert_eq!(told.unwrap().only_to_customer, mark.map(Asn));
                    assert_eq!(path.received.only_to_customer(), marked_by.map(Asn));
                    Ok(mark)
                }
                Some(rejection) => {
                    assert_eq!(told, None);
                    assert!(!rejection.is_loop());
                    Err(rejection)
                }
            }
        };
        let leak = |asn| {
            let marked_by = Asn(asn);
            Err(Rejection::Leak(Leak { role, marked_by }))
        };
        let expected = match role {
            Role::Provider | Role::RouteServer => [Ok(None), leak(65002), leak(7)],
            Role::Customer | Role::RouteServerClient => {
                [Ok(Some(65002)), Ok(Some(65002)), Ok(Some(7))]
            }
            Role::Peer => [Ok(Some(65002)), Ok(Some(65002)), leak(7)],
        };
        let seen = [None, Some(65002), Some(7)].map(arriving);
        assert_eq!(seen, expected, "{role:?}");
    }
}

#[test]
fn a_marked_route_goes_down_only_and_is_marked_on_the_way_there() {
    for role in ROLES {
        let departing = |marked_by: Option<u32>| {
            let mut world = World::with_peers(&[2]);
            world.up_with(3, with_role(3, role));
            let mut set = path(&[65002], [10, 10, 0, 2]);
            set.only_to_customer = marked_by.map(Asn);
            world.update(2, announce(&[prefix(1)], &set));
            let told = world.belief(3).get(&prefix(1)).cloned();
            let all = world.rib.advertisements(&Nlri::V4(prefix(1)));
            let said = all.iter().find(|it| it.peer == PeerId(3)).unwrap();
            assert_eq!(told.is_some(), said.result.is_ok());
            match said.result.clone() {
                Ok(_) => Ok(told.unwrap().only_to_customer.map(|asn| asn.0)),
                Err(withheld) => Err(withheld),
            }
        };
        let leak = Err(Withheld::Leak(Leak {
            role,
            marked_by: Asn(7),
        }));
        let expected = match role {
            Role::Provider | Role::RouteServer => [Ok(Some(65001)), Ok(Some(7))],
            Role::Customer | Role::RouteServerClient => [Ok(None), leak],
            Role::Peer => [Ok(Some(65001)), leak],
        };
        assert_eq!([None, Some(7)].map(departing), expected, "{role:?}");
    }
}

#[test]
fn what_a_provider_sends_does_not_go_to_a_peer_but_what_a_customer_sends_does() {
    let mut world = World::new();
    world.up_with(2, with_role(2, Role::Customer));
    world.up_with(3, with_role(3, Role::Peer));
    world.up_with(4, with_role(4, Role::Provider));
    world.update(2, announce(&[prefix(1)], &path(&[65002], [10, 10, 0, 2])));
    world.update(4, announce(&[prefix(2)], &path(&[65004], [10, 10, 0, 4])));
    let has = |peer, number| world.belief(peer).contains_key(&prefix(number));
    assert_eq!((has(3, 1), has(4, 1)), (false, true));
    assert_eq!((has(2, 2), has(3, 2)), (true, true));
}

fn served(peer: u16) -> PeerFacts {
    PeerFacts {
        relation: Relation {
            server_client: PerFamily::all(true),
            ..Relation::default()
        },
        ..facts(peer)
    }
}

#[test]
fn between_clients_of_a_route_server_a_route_stays_as_it_is() {
    let mut world = World::with_peers(&[4]);
    world.up_with(2, served(2));
    world.up_with(3, served(3));
    let mut set = path(&[65002, 7], [10, 10, 0, 2]);
    set.med = Some(5);
    set.communities = vec![Community::NO_EXPORT];
    let scoped = ExtendedCommunity([0x40, 2, 0, 1, 0, 0, 0, 1]);
    assert!(!scoped.is_transitive());
    set.extended_communities = vec![scoped];
    world.update(2, announce(&[prefix(1)], &set));
    let mut expected = set.clone();
    expected.local_pref = None;
    assert_eq!(world.belief(3)[&prefix(1)], expected);
    // Others are no part of it: their routes come, and what clients say goes, as ever.
    assert!(world.belief(4).is_empty(), "no-export counts there");
    set.communities.clear();
    world.update(2, announce(&[prefix(1)], &set));
    let told = &world.belief(4)[&prefix(1)];
    assert_eq!((asns(told), told.med), (vec![65001, 65002, 7], None));
    assert!(told.extended_communities.is_empty());
    world.update(4, announce(&[prefix(2)], &path(&[65004], [10, 10, 0, 4])));
    let told = &world.belief(3)[&prefix(2)];
    assert_eq!(asns(told), [65001, 65004]);
    assert_eq!(told.next_hop.addr(), IpAddr::from([10, 10, 0, 1]));
}

#[test]
fn a_path_that_does_not_begin_with_the_peers_number_is_as_good_as_withdrawn() {
    let mut world = World::with_peers(&[3]);
    world.up_with(2, facts(2));
    let good = path(&[65002, 7], [10, 10, 0, 2]);
    let mut set_first = good.clone();
    set_first.as_path.insert(
        0,
        Segment {
            kind: SegmentKind::Set,
            asns: vec![Asn(65002)],
        },
    );
    let mut empty = good.clone();
    empty.as_path.clear();
    for (bad, first) in [
        (path(&[7, 65002], [10, 10, 0, 2]), 7),
        (set_first, 0),
        (empty, 0),
    ] {
        world.update(2, announce(&[prefix(1)], &good));
        assert!(world.belief(3).contains_key(&prefix(1)));
        world.update(2, announce(&[prefix(1)], &bad));
        assert!(world.belief(3).is_empty());
        let route = world.rib.route(&Nlri::V4(prefix(1))).unwrap();
        let rejection = route.paths[0].rejection.clone();
        let (expected, first) = (Asn(65002), Asn(first));
        assert_eq!(rejection, Some(Rejection::FirstAs { expected, first }));
    }
    // Without the rule it is let in, and nothing has to be sent again.
    let mut families = facts(2).families;
    families.ipv4_unicast.as_mut().unwrap().enforce_first_as = false;
    world.input(Input::Configure(PeerId(2), families));
    assert!(world.belief(3).contains_key(&prefix(1)));
    // Internal peers send any path.
    world.up_with(4, internal(4));
    world.update(4, announce(&[prefix(2)], &from(4)));
    assert!(world.belief(3).contains_key(&prefix(2)));
}

/// Peer 2 with this handling, towards AS 65002 in its only family.
fn handled(handling: Handling) -> PeerFacts {
    let mut facts = facts(2);
    facts.families.ipv4_unicast = Some(PeerFamily {
        handling,
        ..settings()
    });
    facts
}

#[test]
fn own_numbers_are_let_in_as_often_as_allowed_or_where_the_path_began_here() {
    let accepted = |own_as| {
        let mut world = World::with_peers(&[3]);
        world.up_with(
            2,
            handled(Handling {
                own_as,
                ..Handling::default()
            }),
        );
        let paths: [&[u32]; 5] = [
            &[65002, 7],
            &[65002, 65001, 7],
            &[65002, 65001],
            &[65002, 65001, 7, 65001, 65001],
            &[65002, 65001, 7, 65001, 7],
        ];
        for (number, asns) in (1..).zip(paths) {
            world.update(2, announce(&[prefix(number)], &path(asns, [10, 10, 0, 2])));
        }
        let told = world.belief(3);
        (1..=5)
            .filter(|number| told.contains_key(&prefix(*number)))
            .collect::<Vec<u8>>()
    };
    assert_eq!(accepted(OwnAs::default()), [1]);
    assert_eq!(accepted(OwnAs::Times(1)), [1, 2, 3]);
    assert_eq!(accepted(OwnAs::Times(2)), [1, 2, 3, 5]);
    assert_eq!(accepted(OwnAs::Times(3)), [1, 2, 3, 4, 5]);
    assert_eq!(accepted(OwnAs::Origin), [1, 3, 4]);
}

#[test]
fn link_bandwidths_are_whole_numbers_on_one_session_and_floats_on_others() {
    let community = |octets: [u8; 4]| {
        let [a, b, c, d] = octets;
        ExtendedCommunity([0x00, 0x04, 0xfd, 0xea, a, b, c, d])
    };
    let mut world = World::with_peers(&[3]);
    world.up_with(
        2,
        handled(Handling {
            whole_bandwidths: true,
            ..Handling::default()
        }),
    );
    let with = |octets| {
        let mut set = path(&[65002], [10, 10, 0, 2]);
        set.extended_communities = vec![community(octets)];
        set
    };
    // The greatest ones are no floats if they are taken for some.
    for (number, whole) in [(1, 125_000_u32), (2, 1), (3, 3_000_000_000), (4, u32::MAX)] {
        world.update(2, announce(&[prefix(number)], &with(whole.to_be_bytes())));
        let told = &world.belief(3)[&prefix(number)].extended_communities;
        #[allow(clippy::cast_precision_loss)]
        let float = whole as f32;
        assert_eq!(*told, [community(float.to_be_bytes())], "{whole}");
    }
    for (number, float, whole) in [
        (5, 125_000_f32, 125_000_u32),
        (6, 0.5, 0),
        (7, 1e30, u32::MAX),
        (8, 16_777_216.0, 16_777_216),
    ] {
        let mut set = path(&[65003], [10, 10, 0, 3]);
        set.extended_communities = vec![community(float.to_be_bytes())];
        world.update(3, announce(&[prefix(number)], &set));
        let told = &world.belief(2)[&prefix(number)].extended_communities;
        assert_eq!(*told, [community(whole.to_be_bytes())], "{float}");
    }
}

#[test]
fn a_session_changes_numbers_and_leaves_out_communities_as_it_is_asked_to() {
    let told = |handling: Handling, internal: bool| {
        let mut world = World::with_peers(&[3]);
        let mut facts = handled(handling);
        if internal {
            facts.remote_as = Asn(65001);
        }
        world.up_with(2, facts);
        let mut set = path(&[65003, 7, 65002, 64512], [10, 10, 0, 3]);
        set.communities = vec![Community(7)];
        world.update(3, announce(&[prefix(1)], &set));
        world.belief(2)[&prefix(1)].clone()
    };
    let none = Handling::default();
    assert_eq!(asns(&told(none, false)), [65001, 65003, 7, 65002, 64512]);
    let changed = Handling {
        as_override: true,
        private_as: PrivateAs::RemoveAll,
        omitted: Omitted {
            standard: true,
            ..Omitted::default()
        },
        ..none
    };
    let outside = told(changed, false);
    assert_eq!(asns(&outside), [65001, 7, 65001]);
    assert!(outside.communities.is_empty());
    // Within the AS paths stay as they are.
    let inside = told(changed, true);
    assert_eq!(asns(&inside), [65003, 7, 65002, 64512]);
    assert!(inside.communities.is_empty());
}

#[test]
fn what_a_site_has_sent_is_marked_with_it_and_does_not_go_back_there() {
    let site = ExtendedCommunity([0x00, 0x03, 0xfd, 0xe8, 0, 0, 0, 7]);
    let other = ExtendedCommunity([0x00, 0x03, 0xfd, 0xe8, 0, 0, 0, 8]);
    let of_site = |peer| {
        let mut facts = facts(peer);
        facts.families.ipv4_unicast = Some(PeerFamily {
            handling: Handling {
                site_of_origin: Some(site),
                ..Handling::default()
            },
            ..settings()
        });
        facts
    };
    let mut world = World::with_peers(&[4, 5]);
    for peer in [2, 3] {
        world.up_with(peer, of_site(peer));
    }
    let mut set = path(&[65002], [10, 10, 0, 2]);
    set.extended_communities = vec![other];
    world.update(2, announce(&[prefix(1)], &set));
    // Marked beside what it has, told to the others, and to nobody else of the site.
    let told = world.belief(4);
    assert_eq!(told[&prefix(1)].extended_communities, [site, other]);
    assert!(!world.belief(3).contains_key(&prefix(1)));
    // So is what comes marked from elsewhere; another site's mark is nothing to it.
    set = path(&[65004], [10, 10, 0, 4]);
    set.extended_communities = vec![site];
    world.update(4, announce(&[prefix(2)], &set));
    set.extended_communities = vec![other];
    world.update(4, announce(&[prefix(3)], &set));
    let told: Vec<_> = world.belief(3).keys().copied().collect();
    assert_eq!(told, [prefix(3)]);
    assert!(world.belief(5).contains_key(&prefix(2)));
}

#[test]
fn what_a_peer_sends_may_have_a_distance_which_policy_changes() {
    let mut world = World::new();
    let mut facts = handled(Handling {
        distance: Some(120),
        ..Handling::default()
    });
    let map = RouteMap::new(
        "M",
        vec![
            Entry::new(10, Action::Permit)
                .when(Match::Metric(5))
                .set(Set::Distance(130)),
            Entry::new(20, Action::Permit),
        ],
    );
    if let Some(family) = &mut facts.families.ipv4_unicast {
        family.import = Policy::Map(Arc::new(map.unwrap()));
    }
    world.up_with(2, facts);
    let mut set = path(&[65002], [10, 10, 0, 2]);
    world.update(2, announce(&[prefix(1)], &set));
    set.med = Some(5);
    world.update(2, announce(&[prefix(2)], &set));
    let distance = |number| {
        let route = world.rib.route(&Nlri::V4(prefix(number))).unwrap();
        route.paths[0].attributes.notes().distance
    };
    assert_eq!([distance(1), distance(2)], [Some(120), Some(130)]);
}

/// This router is of member AS 65001, peers 2 and 3 of 65002 and 65003, 4 is internal, and 5 and 6
/// know all of it as AS 100.
fn confederation() -> World {
    let mut world = World::new();
    world.rib = Rib::new(Config {
        identity: Identity {
            confederation: Some(Confederation {
                id: Asn(100),
                member: Asn(65001),
                id_is_member: false,
            }),
            ..IDENTITY
        },
        ..config()
    });
    for peer in [2, 3] {
        let relation = Relation {
            member: true,
            ..Relation::default()
        };
        world.up_with(
            peer,
            PeerFacts {
                relation,
                ..facts(peer)
            },
        );
    }
    world.up_with(4, internal(4));
    for peer in [5, 6] {
        world.up_with(
            peer,
            PeerFacts {
                local_as: Asn(100),
                ..facts(peer)
            },
        );
    }
    world
}

fn confed(asns: &[u32], rest: &[u32], next_hop: [u8; 4]) -> AttributeSet {
    let mut set = path(rest, next_hop);
    if rest.is_empty() {
        set.as_path.clear();
    }
    for asn in asns.iter().rev() {
        set.prepend_confederation(Asn(*asn));
    }
    set
}

#[test]
fn within_a_confederation_a_path_grows_by_members_that_others_do_not_see() {
    let mut world = confederation();
    let mut set = confed(&[65002], &[7], [10, 10, 0, 2]);
    (set.local_pref, set.med) = (Some(70), Some(5));
    set.originator_id = Some(Ipv4Addr::new(10, 10, 0, 77));
    world.update(2, announce(&[prefix(1)], &set));
    // Another member: one more of its segment, and the rest as it is.
    let told = &world.belief(3)[&prefix(1)];
    let expected = confed(&[65001, 65002], &[7], [10, 10, 0, 2]);
    assert_eq!(told.as_path, expected.as_path);
    assert_eq!((told.local_pref, told.med), (Some(70), Some(5)));
    assert_eq!(told.next_hop, set.next_hop);
    assert_eq!(told.originator_id, None);
    // This member AS: as ever, though it comes from another one.
    let told = &world.belief(4)[&prefix(1)];
    assert_eq!(told.as_path, set.as_path);
    assert!(told.cluster_list.is_empty(), "not reflected");
    // Others see one AS.
    let told = &world.belief(5)[&prefix(1)];
    assert_eq!(asns(told), [100, 7]);
    assert_eq!(
        (told.as_path.len(), told.local_pref, told.med),
        (1, None, None)
    );
    // What comes from there, and what is ours, begins with us within.
    world.update(5, announce(&[prefix(2)], &path(&[65005], [10, 10, 0, 5])));
    let told = &world.belief(2)[&prefix(2)];
    let expected = confed(&[65001], &[65005], [10, 10, 0, 5]);
    assert_eq!(
        (&told.as_path, told.next_hop),
        (&expected.as_path, expected.next_hop)
    );
    assert_eq!(told.local_pref, Some(100));
    assert_eq!(asns(&world.belief(6)[&prefix(2)]), [100, 65005]);
    let own = AttributeSet::new(NextHop::V4(Ipv4Addr::UNSPECIFIED));
    world.input(Input::Originate(Nlri::V4(prefix(3)), own));
    assert_eq!(
        world.belief(2)[&prefix(3)].as_path,
        confed(&[65001], &[], [0; 4]).as_path
    );
    assert_eq!(asns(&world.belief(5)[&prefix(3)]), [100]);
    // An internal route goes to other members too.
    world.update(4, announce(&[prefix(4)], &from(4)));
    assert_eq!(
        world.belief(3)[&prefix(4)].as_path,
        confed(&[65001], &[7], [0; 4]).as_path
    );
}

#[test]
fn the_number_of_the_whole_may_be_that_of_a_member_too() {
    let rejection = |id_is_member: bool, set: &AttributeSet| {
        let mut world = confederation();
        let confederation = Confederation {
            id: Asn(65002),
            member: Asn(65001),
            id_is_member,
        };
        world.rib = Rib::new(Config {
            identity: Identity {
                confederation: Some(confederation),
                ..IDENTITY
            },
            ..config()
        });
        let relation = Relation {
            member: true,
            ..Relation::default()
        };
        let facts = PeerFacts {
            relation,
            ..facts(2)
        };
        world.up_with(2, facts);
        world.update(2, announce(&[prefix(1)], set));
        let route = world.rib.route(&Nlri::V4(prefix(1))).unwrap();
        route.paths[0].rejection.clone()
    };
    let through_member = confed(&[65002], &[7], [10, 10, 0, 2]);
    let around = confed(&[65002], &[7, 65002], [10, 10, 0, 2]);
    let by_us = confed(&[65002, 65001], &[7], [10, 10, 0, 2]);
    let whole = Some(Rejection::AsLoop(Asn(65002)));
    assert_eq!(rejection(true, &through_member), None);
    assert_eq!(rejection(false, &through_member), whole);
    assert_eq!(rejection(true, &around), whole);
    let own = Some(Rejection::AsLoop(Asn(65001)));
    assert_eq!(rejection(true, &by_us), own);
}

#[test]
fn a_path_through_the_confederation_or_from_a_member_without_its_mark_is_refused() {
    let mut world = confederation();
    let rejection = |world: &mut World, peer: u16, set: &AttributeSet| {
        world.update(peer, announce(&[prefix(1)], set));
        let route = world.rib.route(&Nlri::V4(prefix(1))).unwrap();
        let path = route.paths.iter().find(|path| path.peer == PeerId(peer));
        path.unwrap().rejection.clone()
    };
    let hop = [10, 10, 0, 2];
    for (peer, set, expected) in [
        (2, confed(&[65002], &[7], hop), None),
        (
            2,
            confed(&[65002, 65001], &[7], hop),
            Some(Rejection::AsLoop(Asn(65001))),
        ),
        (
            2,
            confed(&[65002], &[7, 100], hop),
            Some(Rejection::AsLoop(Asn(100))),
        ),
        (2, path(&[65002, 7], hop), Some(Rejection::NoConfederation)),
        (2, confed(&[], &[], hop), Some(Rejection::NoConfederation)),
        (
            5,
            path(&[65005, 100], hop),
            Some(Rejection::AsLoop(Asn(100))),
        ),
        (5, path(&[65005, 7], hop), None),
        (4, confed(&[], &[], hop), None),
    ] {
        assert_eq!(
            rejection(&mut world, peer, &set),
            expected,
            "{peer} {set:?}"
        );
    }
}

#[test]
fn a_member_counts_as_internal_in_the_decision_and_its_segments_as_nothing() {
    let mut world = confederation();
    // Longer by its segments only, and not from outside.
    let inside = confed(&[65002, 65009, 65008], &[7], [10, 10, 0, 2]);
    world.update(2, announce(&[prefix(1)], &inside));
    world.update(5, announce(&[prefix(1)], &path(&[65005], [10, 10, 0, 5])));
    assert_eq!(world.best[&Nlri::V4(prefix(1))], [PeerId(5)]);
    world.update(
        5,
        announce(&[prefix(1)], &path(&[65005, 7], [10, 10, 0, 5])),
    );
    assert_eq!(world.best[&Nlri::V4(prefix(1))], [PeerId(2)]);
    // Unless they count.
    let rules = Rules {
        as_path_confed: true,
        ..Rules::default()
    };
    world.input(Input::SetRules(rules));
    assert_eq!(world.best[&Nlri::V4(prefix(1))], [PeerId(5)]);
    let route = world.rib.route(&Nlri::V4(prefix(1))).unwrap();
    let lost = route.paths.iter().find_map(|path| path.lost).unwrap();
    assert_eq!(
        rules.describe(lost),
        "longer AS path (bestpath: as_path_confed)"
    );
}

#[test]
fn communities_say_whether_a_route_leaves_the_member_or_the_confederation() {
    let mut world = confederation();
    for (number, community) in [
        (1, Community::NO_EXPORT),
        (2, Community::NO_EXPORT_SUBCONFED),
    ] {
        let mut set = from(4);
        set.communities = vec![community];
        world.update(4, announce(&[prefix(number)], &set));
    }
    let told = |peer| world.belief(peer).keys().copied().collect::<Vec<_>>();
    assert_eq!(told(2), [prefix(1)]);
    assert_eq!(told(5), []);
}

/// Peer 2 is told a default route.
fn defaulted(export: Policy) -> PeerFacts {
    let mut facts = facts(2);
    facts.families.ipv4_unicast = Some(PeerFamily {
        default_originate: Some(DefaultOriginate::Always),
        export,
        ..settings()
    });
    facts
}

#[test]
fn a_default_route_of_our_own_is_told_whatever_is_in_the_table() {
    let default = Prefix4::new(Ipv4Addr::UNSPECIFIED, 0).unwrap();
    let own = |world: &World| {
        let told = world.belief(2).get(&default).cloned();
        told.map(|told| (asns(&told), told.next_hop.addr()))
    };
    let ours = Some((vec![65001], IpAddr::from([10, 10, 0, 1])));
    let nothing = Policy::RejectAll(Arc::from("no export policy"));
    for export in [Policy::AcceptAll, nothing] {
        let mut world = World::with_peers(&[3]);
        world.up_with(2, defaulted(export.clone()));
        assert_eq!(own(&world), ours);
        assert!(world.belief(3).is_empty(), "others are not told");
        // It is in nobody's table, and shown as told.
        let nlri = Nlri::V4(default);
        assert!(world.rib.route(&nlri).is_none());
        let told = world.rib.selected(&nlri, Select::Advertised(PeerId(2)));
        assert_eq!(told.unwrap().paths[0].peer, PeerId::LOCAL);
        let counts = world.rib.counts(PeerId(2));
        assert_eq!(counts.ipv4_unicast.advertised, 1);
        // Another one, from anybody, is not told in its place.
        for peer in [3_u8, 2] {
            let set = path(&[65000 + u32::from(peer)], [10, 10, 0, peer]);
            world.update(u16::from(peer), announce(&[default], &set));
            assert_eq!(own(&world), ours);
        }
        assert_eq!(world.belief(3).len(), 1);
        assert_eq!(world.rib.counts(PeerId(2)).ipv4_unicast.advertised, 1);
        for peer in [3, 2] {
            world.update(peer, withdraw(&[default]));
            assert_eq!(own(&world), ours);
        }
        world.input(Input::Refresh {
            peer: PeerId(2),
            family: Family::Ipv4Unicast,
            enhanced: false,
        });
        assert_eq!(own(&world), ours);
        // Taken back and given again without a new session.
        world.input(Input::Configure(PeerId(2), facts(2).families));
        assert_eq!(own(&world), None);
        world.input(Input::Configure(PeerId(2), defaulted(export).families));
        assert_eq!(own(&world), ours);
    }
}

#[test]
fn a_martian_in_a_message_is_refused_from_another_as_and_its_neighbours_in_it_are_not() {
    let martian = Prefix4::new(Ipv4Addr::new(127, 0, 0, 0), 8).unwrap();
    let list = [prefix(1), martian, prefix(2)];
    let mut world = World::with_peers(&[2, 3]);
    world.update(2, announce(&list, &path(&[65002], [10, 10, 0, 2])));
    let told: Vec<Prefix4> = world.belief(3).keys().copied().collect();
    assert_eq!(told, [prefix(1), prefix(2)]);
    let route = world.rib.route(&Nlri::V4(martian)).unwrap();
    assert_eq!(route.paths[0].rejection, Some(Rejection::Martian));
    // Within an AS it is the operator's own affair.
    world.up_with(4, internal(4));
    world.update(4, announce(&[martian], &from(4)));
    assert!(world.belief(3).contains_key(&martian));
}

/// Tables 2 and 3 of this router, an internal peer and an external one.
fn beside_other_tables() -> World {
    let mut world = World::with_peers(&[6]);
    for peer in [2, 3] {
        let relation = Relation {
            instance: true,
            overlay: true,
            ..Relation::default()
        };
        let link = crate::InterfaceName::new("br4001");
        world.up_with(
            peer,
            PeerFacts {
                relation,
                link,
                ..internal(peer)
            },
        );
    }
    world.up_with(4, internal(4));
    world.up_with(5, internal(5));
    world
}

#[test]
fn what_another_table_hands_over_goes_to_all_but_further_tables() {
    let mut world = beside_other_tables();
    world.update(2, announce(&[prefix(1)], &path(&[7], [10, 10, 9, 9])));
    assert_eq!(told(&world, 1), [4, 5, 6]);
    // The next hop means something on the device of that table only.
    let own = NextHop::V4([10, 10, 0, 1].into());
    let inside = &world.belief(4)[&prefix(1)];
    assert_eq!((inside.next_hop, asns(inside)), (own, vec![7]));
    assert_eq!((inside.originator_id, inside.cluster_list.len()), (None, 0));
    let outside = &world.belief(6)[&prefix(1)];
    assert_eq!((outside.next_hop, asns(outside)), (own, vec![65001, 7]));
    let best = world.rib.route(&Nlri::V4(prefix(1))).unwrap();
    let peer = best.paths[0].peer;
    let next_hop = world.rib.next_hop(peer, &best.paths[0].attributes);
    assert_eq!(next_hop.to_string(), "10.10.9.9%br4001");
    let all = world.rib.advertisements(&Nlri::V4(prefix(1)));
    let said = all.iter().find(|it| it.peer == PeerId(3)).unwrap();
    assert_eq!(said.result.clone().unwrap_err(), Withheld::HandedOver);
}

#[test]
fn another_table_is_handed_everything_as_it_is() {
    let mut world = beside_other_tables();
    let mut set = path(&[7], [10, 10, 0, 4]);
    set.med = Some(5);
    world.update(4, announce(&[prefix(1)], &set));
    world.update(
        6,
        announce(&[prefix(2)], &path(&[65006, 8], [10, 10, 0, 6])),
    );
    for number in [1, 2] {
        let all = told(&world, number);
        assert!(all.contains(&2) && all.contains(&3), "{number}: {all:?}");
    }
    let internal = &world.belief(2)[&prefix(1)];
    assert_eq!((internal.next_hop, internal.med), (set.next_hop, Some(5)));
    let external = &world.belief(2)[&prefix(2)];
    assert_eq!(external.next_hop, NextHop::V4([10, 10, 0, 6].into()));
    assert_eq!(asns(external), [65006, 8]);
}

/// Another instance (7), EVPN (3), and neighbours.
fn beside_an_instance() -> World {
    let mut world = beside_other_tables();
    let relation = Relation {
        instance: true,
        ..Relation::default()
    };
    let link = None;
    world.up_with(
        7,
        PeerFacts {
            relation,
            link,
            ..internal(7)
        },
    );
    world
}

fn on_device(device: &str) -> AttributeSet {
    let mut set = path(&[7], [10, 10, 9, 9]);
    set.notes.interface = crate::InterfaceName::new(device);
    set
}

#[test]
fn what_an_instance_has_of_its_own_goes_to_evpn_with_our_next_hop() {
    let mut world = beside_an_instance();
    world.update(7, announce(&[prefix(1)], &on_device("eth7")));
    assert_eq!(told(&world, 1), [2, 3, 4, 5, 6]);
    // The gateway is on a device of another table, and nobody's elsewhere.
    let own = NextHop::V4([10, 10, 0, 1].into());
    for peer in [2, 4, 6] {
        assert_eq!(world.belief(peer)[&prefix(1)].next_hop, own, "{peer}");
    }
}

#[test]
fn a_path_of_an_instance_leaves_through_the_device_in_its_notes() {
    let mut world = beside_an_instance();
    world.update(7, announce(&[prefix(1)], &on_device("eth7")));
    let nlri = Nlri::V4(prefix(1));
    let next_hop = |world: &World| {
        let path = world.rib.route(&nlri).unwrap().paths.remove(0);
        world.rib.next_hop(path.peer, &path.attributes)
    };
    let there = next_hop(&world);
    assert_eq!(there.to_string(), "10.10.9.9%eth7");
    // The same address elsewhere says nothing about it.
    world.input(Input::NextHops(vec![(there.ip().into(), false)]));
    assert!(world.rib.route(&nlri).unwrap().paths[0].best);
    world.input(Input::NextHops(vec![(there, false)]));
    let path = world.rib.route(&nlri).unwrap().paths.remove(0);
    assert_eq!(path.rejection, Some(Rejection::NextHopUnreachable(there)));
    world.input(Input::NextHops(vec![(there, true)]));
    assert!(world.rib.route(&nlri).unwrap().paths[0].best);
    // A device noted by a neighbour's path means nothing.
    world.update(4, announce(&[prefix(2)], &on_device("eth7")));
    let path = world
        .rib
        .route(&Nlri::V4(prefix(2)))
        .unwrap()
        .paths
        .remove(0);
    let next_hop = world.rib.next_hop(path.peer, &path.attributes);
    assert_eq!(next_hop.zone(), None);
}

#[test]
fn a_next_hop_that_policy_chose_is_not_on_the_device_of_another_table() {
    let mut world = beside_an_instance();
    let chosen = IpAddr::from([10, 10, 0, 99]);
    let set = vec![Set::NextHop(NextHopChange::Address(chosen))];
    let entry = Entry {
        sets: set,
        ..Entry::new(10, Action::Permit)
    };
    let map = RouteMap::new("M", vec![entry]).unwrap();
    let mut settings = PeerFamily::new(Policy::Map(Arc::new(map)), Policy::AcceptAll);
    settings.enforce_first_as = false;
    let families = PerFamily {
        ipv4_unicast: Some(settings),
        ..PerFamily::default()
    };
    world.input(Input::Configure(PeerId(7), families));
    world.update(7, announce(&[prefix(1)], &on_device("eth7")));
    let path = world
        .rib
        .route(&Nlri::V4(prefix(1)))
        .unwrap()
        .paths
        .remove(0);
    let next_hop = world.rib.next_hop(path.peer, &path.attributes);
    assert_eq!(next_hop, chosen.into());
}

#[test]
fn who_watches_hears_of_every_change_of_paths_also_while_output_is_held() {
    let mut world = World::with_peers(&[2, 3]);
    let touched = |world: &mut World| {
        let touched = std::mem::take(&mut world.touched);
        let names: Vec<String> = touched.iter().map(ToString::to_string).collect();
        names
    };
    world.update(2, announce(&[prefix(1)], &path(&[65002], [10, 10, 0, 2])));
    assert!(touched(&mut world).is_empty());
    // What is there is named to begin with.
    world.input(Input::Watch(Family::Ipv4Unicast, true));
    assert_eq!(touched(&mut world), [prefix(1).to_string()]);
    // A path that is not the best one.
    let worse = path(&[65003, 9, 9], [10, 10, 0, 3]);
    world.update(3, announce(&[prefix(1)], &worse));
    assert_eq!(touched(&mut world).len(), 1);
    world.update(3, withdraw(&[prefix(1)]));
    assert_eq!(touched(&mut world).len(), 1);
    // The last path: there is nothing to look at, but somebody has to know.
    world.update(2, withdraw(&[prefix(1)]));
    assert_eq!(touched(&mut world), [prefix(1).to_string()]);
    world.input(Input::Watch(Family::Ipv4Unicast, false));
    world.update(2, announce(&[prefix(1)], &path(&[65002], [10, 10, 0, 2])));
    assert!(touched(&mut world).is_empty());
    // After a restart.
    world.input(Input::Watch(Family::Ipv4Unicast, true));
    touched(&mut world);
    let peers = PerFamily {
        ipv4_unicast: [PeerId(3)].into(),
        ..PerFamily::default()
    };
    let time = std::time::Duration::from_secs(60);
    world.input(Input::Expect {
        peers,
        time,
        hold: true,
    });
    assert!(world.rib.awaited(Family::Ipv4Unicast).eq([PeerId(3)]));
    world.update(2, announce(&[prefix(2)], &path(&[65002], [10, 10, 0, 2])));
    assert_eq!(touched(&mut world), [prefix(2).to_string()]);
    assert!(!world.belief(3).contains_key(&prefix(2)));
}

#[test]
fn the_gateway_of_a_route_that_was_taken_over_goes_to_another_table_and_to_no_neighbour() {
    let mut world = beside_other_tables();
    let gateway = NextHop::V4([10, 10, 7, 7].into());
    let mut set = AttributeSet::new(gateway);
    set.notes.source = Some(crate::RouteSource {
        protocol: 4,
        connected: false,
    });
    world.input(Input::Originate(Nlri::V4(prefix(1)), set));
    assert_eq!(world.belief(2)[&prefix(1)].next_hop, gateway);
    let own = NextHop::V4([10, 10, 0, 1].into());
    assert_eq!(world.belief(4)[&prefix(1)].next_hop, own);
}

#[test]
fn a_peer_may_be_told_path_and_med_as_they_are() {
    let told = |handling: Handling, own: bool| {
        let mut world = World::with_peers(&[3]);
        world.up_with(2, handled(handling));
        let mut set = path(&[65003, 7], [10, 10, 0, 3]);
        set.med = Some(9);
        match own {
            true => {
                set.as_path.clear();
                world.input(Input::Originate(Nlri::V4(prefix(1)), set));
            }
            false => world.update(3, announce(&[prefix(1)], &set)),
        }
        let told = world.belief(2)[&prefix(1)].clone();
        (asns(&told), told.med)
    };
    let none = Handling::default();
    assert_eq!(told(none, false), (vec![65001, 65003, 7], None));
    let path_unchanged = Handling {
        as_path_unchanged: true,
        ..none
    };
    assert_eq!(told(path_unchanged, false), (vec![65003, 7], None));
    let med_unchanged = Handling {
        med_unchanged: true,
        ..none
    };
    assert_eq!(told(med_unchanged, false), (vec![65001, 65003, 7], Some(9)));
    // A path with nobody in it would be none of another AS.
    assert_eq!(told(path_unchanged, true), (vec![65001], Some(9)));
}
