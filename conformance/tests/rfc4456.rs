//! RFC 4456 (route reflection): who is told what, and how loops are kept out.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use conformance::blackbox::message::code;
use conformance::blackbox::{Attribute, Bench, Error, Outcome, Prefix, Route, Session, Setup};

const CLUSTER: Ipv4Addr = Ipv4Addr::new(10, 9, 9, 9);
const ROUTE: Prefix = Prefix {
    addr: Ipv4Addr::new(192, 0, 2, 0),
    len: 24,
};

/// A reflector with clients 5 and 6, internal peers 7 and 8 that are none, and an external peer 2.
struct Reflector {
    bench: Bench,
    sessions: BTreeMap<u8, Session>,
}

impl Reflector {
    fn start() -> Result<Self, Error> {
        Self::with(&format!("[router]\ncluster_id = \"{CLUSTER}\""))
    }

    fn with(tables: &str) -> Result<Self, Error> {
        let setup = Setup::new()
            .peer(2, 65_002)
            .peers([5, 6, 7, 8], Setup::ASN)
            .keys(5, "route_reflector_client = true")
            .keys(6, "route_reflector_client = true")
            .tables(tables);
        let bench = Bench::start(setup)?;
        let mut sessions = BTreeMap::new();
        for host in [2, 5, 6, 7, 8] {
            sessions.insert(host, bench.session(host)?);
        }
        Ok(Self { bench, sessions })
    }

    /// The route from a host, with these attributes, and what became of it.
    fn announce(&mut self, host: u8, attributes: &[Attribute]) -> Outcome {
        let update = self.bench.announcement(host, &[ROUTE]);
        let with =
            |update: conformance::blackbox::Update, one: &Attribute| update.with(one.clone());
        let update = attributes.iter().fold(update, with);
        let session = self.sessions.get_mut(&host).expect("a session");
        session.update(&update)?;
        self.bench.pass(host, session)
    }

    /// What each host is told of the route now.
    fn told(&mut self) -> Result<BTreeMap<u8, Route>, Error> {
        let mut told = BTreeMap::new();
        for (host, session) in &mut self.sessions {
            if let Some(route) = session.refresh()?.remove(&ROUTE) {
                told.insert(*host, route);
            }
        }
        Ok(told)
    }

    fn hosts(&mut self) -> Result<Vec<u8>, Error> {
        Ok(self.told()?.into_keys().collect())
    }
}

fn originator(route: &Route) -> Option<Ipv4Addr> {
    route.number(code::ORIGINATOR_ID).map(Ipv4Addr::from)
}

fn clusters(route: &Route) -> Vec<Ipv4Addr> {
    let list = route.attribute(code::CLUSTER_LIST);
    let octets = list.map(|one| one.value.as_slice()).unwrap_or_default();
    let (ids, rest) = octets.as_chunks::<4>();
    assert!(rest.is_empty(), "whole identifiers");
    ids.iter().map(|id| Ipv4Addr::from(*id)).collect()
}

#[test]
fn a_route_of_a_client_goes_to_everybody_else() -> Outcome {
    let mut reflector = Reflector::start()?;
    reflector.announce(5, &[])?;
    assert_eq!(reflector.hosts()?, [2, 6, 7, 8]);
    reflector.bench.untouched()
}

#[test]
fn a_route_of_another_internal_peer_goes_to_clients_and_out_only() -> Outcome {
    let mut reflector = Reflector::start()?;
    reflector.announce(7, &[])?;
    assert_eq!(reflector.hosts()?, [2, 5, 6]);
    reflector.bench.untouched()
}

#[test]
fn an_external_route_goes_to_all_and_is_not_marked_as_reflected() -> Outcome {
    let mut reflector = Reflector::start()?;
    reflector.announce(2, &[])?;
    let told = reflector.told()?;
    assert_eq!(told.keys().copied().collect::<Vec<_>>(), [5, 6, 7, 8]);
    for route in told.values() {
        assert_eq!((originator(route), clusters(route).len()), (None, 0));
    }
    reflector.bench.untouched()
}

#[test]
fn a_reflector_says_who_originated_the_route_and_that_it_was_in_the_cluster() -> Outcome {
    let mut reflector = Reflector::start()?;
    reflector.announce(5, &[])?;
    let told = reflector.told()?;
    for host in [6, 7, 8] {
        let route = told.get(&host).expect("a reflected route");
        assert_eq!(originator(route), Some(Ipv4Addr::new(10, 0, 0, 5)));
        assert_eq!(clusters(route), [CLUSTER]);
    }
    reflector.bench.untouched()
}

#[test]
fn without_a_cluster_identifier_the_routers_own_stands_for_it() -> Outcome {
    let mut reflector = Reflector::with("")?;
    reflector.announce(5, &[])?;
    let told = reflector.told()?;
    assert_eq!(
        clusters(told.get(&6).expect("it")),
        [Ipv4Addr::new(10, 0, 0, 1)]
    );
    reflector.bench.untouched()
}

#[test]
fn an_originator_that_is_there_stays_and_clusters_are_put_in_front() -> Outcome {
    let mut reflector = Reflector::start()?;
    let (first, earlier) = (Ipv4Addr::new(10, 0, 0, 77), Ipv4Addr::new(10, 8, 8, 8));
    let marks = [
        Attribute::originator_id(first),
        Attribute::cluster_list(&[earlier]),
    ];
    reflector.announce(7, &marks)?;
    let told = reflector.told()?;
    let route = told.get(&5).expect("a reflected route");
    assert_eq!(originator(route), Some(first));
    assert_eq!(clusters(route), [CLUSTER, earlier]);
    // Both stay within the AS.
    let outside = told.get(&2).expect("an external route");
    assert_eq!(originator(outside), None);
    assert!(outside.attribute(code::CLUSTER_LIST).is_none());
    reflector.bench.untouched()
}

#[test]
fn a_reflector_leaves_next_hop_path_preference_and_med_as_they_are() -> Outcome {
    let mut reflector = Reflector::start()?;
    let marks = [
        Attribute::as_path(&[65_070, 65_071]),
        Attribute::local_pref(77),
        Attribute::med(9),
    ];
    reflector.announce(5, &marks)?;
    let told = reflector.told()?;
    let route = told.get(&6).expect("a reflected route");
    assert_eq!(route.next_hop(), Some(reflector.bench.host(5)));
    assert_eq!(route.as_path(), Some(vec![65_070, 65_071]));
    assert_eq!(route.number(code::LOCAL_PREF), Some(77));
    assert_eq!(route.number(code::MED), Some(9));
    reflector.bench.untouched()
}

#[test]
fn a_route_whose_originator_is_the_router_itself_is_ignored() -> Outcome {
    let mut reflector = Reflector::start()?;
    reflector.announce(5, &[])?;
    let own = Ipv4Addr::new(10, 0, 0, 1);
    reflector.announce(5, &[Attribute::originator_id(own)])?;
    assert!(reflector.hosts()?.is_empty());
    reflector.bench.untouched()
}

#[test]
fn a_route_that_was_in_the_cluster_is_ignored() -> Outcome {
    let mut reflector = Reflector::start()?;
    reflector.announce(7, &[])?;
    let list = [Ipv4Addr::new(10, 8, 8, 8), CLUSTER];
    reflector.announce(7, &[Attribute::cluster_list(&list)])?;
    assert!(reflector.hosts()?.is_empty());
    reflector.bench.untouched()
}

#[test]
fn the_originator_stands_for_the_peers_identifier_in_the_decision() -> Outcome {
    let mut reflector = Reflector::start()?;
    // 7 has the lower identifier, its route the higher originator.
    let high = Ipv4Addr::new(10, 200, 0, 1);
    reflector.announce(7, &[Attribute::originator_id(high), Attribute::med(7)])?;
    reflector.announce(8, &[Attribute::med(7), Attribute::as_path(&[])])?;
    let told = reflector.told()?;
    assert_eq!(
        originator(told.get(&5).expect("a best path")),
        Some(Ipv4Addr::new(10, 0, 0, 8))
    );
    reflector.bench.untouched()
}

#[test]
fn of_equal_paths_the_one_with_the_shorter_cluster_list_wins() -> Outcome {
    let mut reflector = Reflector::start()?;
    let first = Attribute::originator_id(Ipv4Addr::new(10, 0, 0, 77));
    let (one, two) = (Ipv4Addr::new(10, 8, 8, 8), Ipv4Addr::new(10, 7, 7, 7));
    // 7 has the lower address, which would decide last.
    reflector.announce(7, &[first.clone(), Attribute::cluster_list(&[one, two])])?;
    reflector.announce(8, &[first, Attribute::cluster_list(&[one])])?;
    let told = reflector.told()?;
    assert_eq!(clusters(told.get(&5).expect("a best path")), [CLUSTER, one]);
    reflector.bench.untouched()
}

#[test]
fn clients_that_are_connected_to_each_other_hear_nothing_twice() -> Outcome {
    let mut reflector = Reflector::with("[router]\nclient_to_client_reflection = false")?;
    reflector.announce(5, &[])?;
    assert_eq!(reflector.hosts()?, [2, 7, 8]);
    reflector.bench.untouched()
}
