//! RFC 7911 (several paths of a prefix): identifiers, encoding, negotiation, and what is told.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use conformance::blackbox::message::{self, Message, capability, code};
use conformance::blackbox::{Attribute, Bench, Error, Outcome, Prefix, Session, Setup, Update};

const ROUTE: Prefix = Prefix {
    addr: Ipv4Addr::new(192, 0, 2, 0),
    len: 24,
};
/// Bits of the capability: what its sender does.
const RECEIVE: u8 = 1;
const SEND: u8 = 2;
const BOTH: u8 = 3;

/// Peer 2, which the speaker may tell several paths and hear them from, and the ordinary peers 5
/// and 6.
fn setup() -> Setup {
    Setup::new()
        .peer(2, 65_002)
        .peer(5, 65_005)
        .peer(6, 65_006)
        .keys(2, &keys("true", "\"all\""))
}

fn keys(receive: &str, send: &str) -> String {
    format!("ipv4_unicast = {{ add_path_receive = {receive}, add_path_send = {send} }}")
}

/// The bench with the session of peer 2, which says this of itself.
fn start(setup: Setup, direction: u8) -> Result<(Bench, Session), Error> {
    let bench = Bench::start(setup)?;
    let session = bench.session_with(2, &bench.open(2).add_path(direction))?;
    Ok((bench, session))
}

/// An announcement of a host's route by way of so many further AS.
fn longer(bench: &Bench, host: u8, by: usize) -> Update {
    let own = 65_000 + u32::from(host);
    let path: Vec<u32> = std::iter::once(own)
        .chain(std::iter::repeat_n(64_999, by))
        .collect();
    let update = bench.announcement(host, &[ROUTE]);
    update.with(Attribute::as_path(&path))
}

/// The AS paths told of [`ROUTE`], by identifier.
fn held(session: &Session) -> BTreeMap<u32, Vec<u32>> {
    let paths = session.paths_of(ROUTE).into_iter();
    paths
        .map(|(id, route)| (id, route.as_path().expect("an AS path")))
        .collect()
}

/// Waits until so many paths of [`ROUTE`] are told.
fn until_held(session: &mut Session, count: usize) -> Result<BTreeMap<u32, Vec<u32>>, Error> {
    session.until(&format!("{count} paths of {ROUTE}"), |session| {
        session.paths_of(ROUTE).len() == count
    })?;
    Ok(held(session))
}

/// The first AS behind the speaker's, by identifier.
fn origins(held: &BTreeMap<u32, Vec<u32>>) -> BTreeMap<u32, u32> {
    let behind = |path: &Vec<u32>| *path.get(1).expect("an AS behind the speaker's");
    held.iter().map(|(id, path)| (*id, behind(path))).collect()
}

#[test]
fn each_path_is_told_under_an_identifier_that_stays_its_own() -> Outcome {
    let (mut bench, mut session) = start(setup(), RECEIVE)?;
    let (mut five, mut six) = (bench.session(5)?, bench.session(6)?);
    five.update(&longer(&bench, 5, 0))?;
    six.update(&longer(&bench, 6, 1))?;
    let before = origins(&until_held(&mut session, 2)?);
    let six_id = *before.iter().find(|(_, asn)| **asn == 65_006).unwrap().0;
    // News of one path comes under its identifier and leaves the other alone.
    six.update(&longer(&bench, 6, 3))?;
    session.until("the longer path", |session| {
        held(session).values().any(|path| path.len() == 5)
    })?;
    assert_eq!(origins(&held(&session)), before);
    // It is withdrawn by it.
    five.update(&Update::withdraw(&[ROUTE]))?;
    let left = until_held(&mut session, 1)?;
    assert_eq!(left.keys().copied().collect::<Vec<_>>(), [six_id]);
    bench.untouched()
}

#[test]
fn identifiers_of_others_are_not_passed_on() -> Outcome {
    let setup = setup()
        .keys(5, &keys("true", "1"))
        .keys(6, &keys("true", "1"));
    let (mut bench, mut session) = start(setup, RECEIVE)?;
    let mut others = Vec::new();
    for host in [5, 6] {
        let mut other = bench.session_with(host, &bench.open(host).add_path(SEND))?;
        other.update(&longer(&bench, host, 0).under(&[u32::MAX]))?;
        others.push(other);
    }
    // Both chose the same, and both paths are there.
    let told = origins(&until_held(&mut session, 2)?);
    let mut origins: Vec<u32> = told.values().copied().collect();
    origins.sort_unstable();
    assert_eq!(origins, [65_005, 65_006]);
    assert!(!told.contains_key(&u32::MAX), "{told:?}");
    bench.untouched()
}

#[test]
fn an_identifier_means_nothing_and_may_be_any() -> Outcome {
    let (mut bench, mut session) = start(setup(), SEND)?;
    // In no order, and the shortest path under the highest.
    for (id, by) in [(7, 2), (0, 3), (u32::MAX, 0), (1, 1)] {
        session.update(&longer(&bench, 2, by).under(&[id]))?;
    }
    bench.pass_with(2, &mut session, |update| update.under(&[0]))?;
    let seen = bench.seen(ROUTE)?.expect("a route");
    assert_eq!(seen.as_path(), Some(vec![65_001, 65_002]));
    // With it gone, the next one is not the one with the next identifier.
    session.update(&Update::withdraw(&[ROUTE]).under(&[u32::MAX]))?;
    bench.pass_with(2, &mut session, |update| update.under(&[0]))?;
    let seen = bench.seen(ROUTE)?.expect("a route");
    assert_eq!(seen.as_path(), Some(vec![65_001, 65_002, 64_999]));
    bench.untouched()
}

#[test]
fn identifiers_stand_in_front_of_announced_and_withdrawn_prefixes() -> Outcome {
    // The session's reader takes nothing else; both directions at once.
    let (mut bench, mut session) = start(setup(), BOTH)?;
    session.until_told(Setup::NETWORK)?;
    let other: Prefix = "192.0.3.0/24".parse().unwrap();
    let mut update = bench.announcement(2, &[ROUTE, other]).under(&[3, 4]);
    session.update(&update)?;
    bench.observer.until_told(other)?;
    bench.observer.until_told(ROUTE)?;
    // One message that takes a path back and announces another one.
    update.announced = vec![other];
    update.withdrawn = vec![ROUTE];
    session.update(&update.under(&[3, 5]))?;
    bench.observer.until_withdrawn(ROUTE)?;
    session.update(&Update::withdraw(&[other]).under(&[4]))?;
    bench.pass_with(2, &mut session, |update| update.under(&[0]))?;
    assert!(bench.seen(other)?.is_some(), "it was there under 5 too");
    let mut five = bench.session(5)?;
    five.update(&longer(&bench, 5, 0))?;
    until_held(&mut session, 1)?;
    five.update(&Update::withdraw(&[ROUTE]))?;
    until_held(&mut session, 0)?;
    bench.untouched()
}

/// The prefix 2001:db8::/32 as NLRI, under an identifier.
fn ipv6_path(id: u32) -> Vec<u8> {
    [&id.to_be_bytes()[..], &[32, 0x20, 0x01, 0x0d, 0xb8]].concat()
}

fn mp_reach(bench: &Bench, host: u8, by: usize, ids: &[u32]) -> Update {
    let next_hop = [0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, host];
    let mut value = [&[0, 2, 1, 16][..], &next_hop, &[0]].concat();
    value.extend(ids.iter().flat_map(|id| ipv6_path(*id)));
    let reach = Attribute::new(message::NON_TRANSITIVE, code::MP_REACH, value);
    let mut update = longer(bench, host, by).without(code::NEXT_HOP).with(reach);
    update.announced.clear();
    update
}

fn mp_unreach(ids: &[u32]) -> Update {
    let mut value = vec![0, 2, 1];
    value.extend(ids.iter().flat_map(|id| ipv6_path(*id)));
    let gone = Attribute::new(message::NON_TRANSITIVE, code::MP_UNREACH, value);
    Update::default().with(gone)
}

#[test]
fn identifiers_stand_in_mp_reach_and_mp_unreach_too() -> Outcome {
    // The session's own address is no next hop for IPv6.
    let next_hop = "[[route_map]]\nname = \"NEXT-HOP\"\nentry = [{ seq = 10, action = \"permit\", \
                    set = { next_hop = \"fd00::1\" } }]\n";
    let several = "ipv6_unicast = { add_path_receive = true, add_path_send = \"all\", \
                   export = \"NEXT-HOP\" }";
    let of_ipv6 = |setup: Setup, host: u8| {
        setup
            .keys(host, several)
            .change(host, |neighbor| neighbor.ipv6 = true)
    };
    let setup = of_ipv6(of_ipv6(setup().tables(next_hop), 5), 6);
    let bench = Bench::start(setup)?;
    let session = |host: u8| {
        let open = bench.open(host).without(capability::MULTIPROTOCOL);
        let open = open.with(capability::MULTIPROTOCOL, &[0, 2, 0, 1]);
        bench.session_with(host, &open.with(capability::ADD_PATH, &[0, 2, 1, BOTH]))
    };
    let (mut five, mut six) = (session(5)?, session(6)?);
    five.update(&mp_reach(&bench, 5, 0, &[9, u32::MAX, 1]))?;
    five.update(&mp_unreach(&[9]))?;
    // What 6 is told has two identifiers in front of the prefix; then one of them goes.
    let mut told = BTreeMap::new();
    let mut learn = |six: &mut Session, count: usize| -> Result<Vec<u32>, Error> {
        while told.len() != count {
            let Message::Update(update) = six.connection().expect_message("IPv6 paths")? else {
                continue;
            };
            if let Some(reach) = update.attribute(code::MP_REACH) {
                // AFI, SAFI, next hop and a reserved octet before them.
                let skip = 5 + usize::from(reach.value[3]);
                for path in reach.value[skip..].chunks(9) {
                    assert_eq!(path[4..], ipv6_path(0)[4..], "{path:02x?}");
                    told.insert(u32::from_be_bytes(path[..4].try_into().unwrap()), ());
                }
            }
            if let Some(gone) = update.attribute(code::MP_UNREACH) {
                for path in gone.value[3..].chunks(9) {
                    assert_eq!(path[4..], ipv6_path(0)[4..], "{path:02x?}");
                    told.remove(&u32::from_be_bytes(path[..4].try_into().unwrap()));
                }
            }
        }
        Ok(told.keys().copied().collect())
    };
    let two = learn(&mut six, 2)?;
    assert_eq!(two.len(), 2);
    five.update(&mp_unreach(&[1]))?;
    let one = learn(&mut six, 1)?;
    assert!(two.contains(&one[0]), "{two:?}, then {one:?}");
    let mut bench = bench;
    bench.untouched()
}

#[test]
fn all_families_stand_in_one_capability() -> Outcome {
    let several = keys("true", "\"all\"")
        + "\nipv6_unicast = { add_path_receive = true }\nevpn = { add_path_send = 2 }";
    let setup = Setup::new().peer(2, 65_002).keys(2, &several);
    let (mut bench, session) = start(setup, BOTH)?;
    let all = session.open.capabilities.iter();
    let found: Vec<&[u8]> = all
        .filter(|(code, _)| *code == capability::ADD_PATH)
        .map(|(_, value)| value.as_slice())
        .collect();
    let value = [[0, 1, 1, BOTH], [0, 2, 1, RECEIVE], [0, 25, 70, SEND]].concat();
    assert_eq!(found, [value.as_slice()]);
    bench.untouched()
}

#[test]
fn a_direction_that_does_not_exist_is_as_good_as_no_capability() -> Outcome {
    let mut bench = Bench::start(setup())?;
    let mut five = bench.session(5)?;
    for direction in [0, 4, 255] {
        // The session's reader takes identifiers for a mistake then.
        let mut session = bench.reconnect(2, &bench.open(2).add_path(direction))?;
        five.update(&longer(&bench, 5, 0))?;
        session.until_told(ROUTE)?;
        let other: Prefix = "192.0.3.0/24".parse().unwrap();
        session.update(&bench.announcement(2, &[other]))?;
        bench.observer.until_told(other)?;
        session.send(&message::notification(6, 4, &[]))?;
        session.connection().expect_end()?;
        bench.observer.until_withdrawn(other)?;
    }
    bench.untouched()
}

#[test]
fn a_path_replaces_the_one_of_its_identifier_and_no_other() -> Outcome {
    let (mut bench, mut session) = start(setup(), SEND)?;
    session.update(&longer(&bench, 2, 1).under(&[1]))?;
    session.update(&longer(&bench, 2, 2).under(&[2]))?;
    // The better one becomes the worst.
    session.update(&longer(&bench, 2, 3).under(&[1]))?;
    bench.pass_with(2, &mut session, |update| update.under(&[9]))?;
    let seen = bench.seen(ROUTE)?.expect("a route");
    assert_eq!(seen.as_path().map(|path| path.len()), Some(4));
    // Twice the same identifier in one message: the last one stands.
    let twice = Update {
        announced: vec![ROUTE, ROUTE],
        ..longer(&bench, 2, 0)
    };
    session.update(&twice.under(&[2, 2]))?;
    session.update(&Update::withdraw(&[ROUTE]).under(&[2]))?;
    bench.pass_with(2, &mut session, |update| update.under(&[9]))?;
    let seen = bench.seen(ROUTE)?.expect("a route");
    assert_eq!(seen.as_path().map(|path| path.len()), Some(5));
    bench.untouched()
}

#[test]
fn an_unknown_identifier_is_withdrawn_without_a_word() -> Outcome {
    let (mut bench, mut session) = start(setup(), SEND)?;
    session.update(&longer(&bench, 2, 0).under(&[5]))?;
    bench.observer.until_told(ROUTE)?;
    let before = bench.observer.changes(ROUTE);
    let never: Prefix = "192.0.9.0/24".parse().unwrap();
    let unknown = Update::withdraw(&[ROUTE, never, ROUTE]);
    session.update(&unknown.under(&[4, 5, u32::MAX]))?;
    bench.pass_with(2, &mut session, |update| update.under(&[9]))?;
    assert!(bench.seen(ROUTE)?.is_some());
    assert_eq!(bench.observer.changes(ROUTE), before);
    bench.untouched()
}

#[test]
fn one_path_without_identifier_goes_to_those_who_take_no_more() -> Outcome {
    let mut bench = Bench::start(setup())?;
    let (mut five, mut six) = (bench.session(5)?, bench.session(6)?);
    five.update(&longer(&bench, 5, 0))?;
    six.update(&longer(&bench, 6, 1))?;
    bench.observer.until_told(ROUTE)?;
    // Without the capability, and with one that says that the peer only sends.
    for open in [bench.open(2), bench.open(2).add_path(SEND)] {
        let mut session = bench.reconnect(2, &open)?;
        session.until("End-of-RIB", Session::has_end_of_rib)?;
        assert_eq!(held(&session), BTreeMap::from([(0, vec![65_001, 65_005])]));
        session.send(&message::notification(6, 4, &[]))?;
        session.connection().expect_end()?;
    }
    bench.untouched()
}

#[test]
fn nothing_is_offered_that_is_not_configured() -> Outcome {
    let setup = setup().keys(5, &keys("true", "1").replace(", add_path_send = 1", ""));
    let (mut bench, session) = start(setup, BOTH)?;
    assert_eq!(session.open.add_path_direction(), BOTH);
    let five = bench.session_with(5, &bench.open(5).add_path(BOTH))?;
    assert_eq!(five.open.add_path_direction(), RECEIVE);
    // Not offered, it is used in neither direction, whatever the peer says.
    let mut six = bench.session_with(6, &bench.open(6).add_path(BOTH))?;
    assert_eq!(six.open.capability(capability::ADD_PATH), None);
    six.update(&longer(&bench, 6, 0))?;
    bench.observer.until_told(ROUTE)?;
    six.until_told(Setup::NETWORK)?;
    bench.untouched()
}

#[test]
fn one_path_has_an_identifier_too_where_several_were_agreed_on() -> Outcome {
    let setup = setup().keys(5, &keys("false", "1"));
    let (mut bench, mut session) = start(setup, BOTH)?;
    let mut five = bench.session_with(5, &bench.open(5).add_path(RECEIVE))?;
    session.update(&longer(&bench, 2, 0).under(&[1]))?;
    session.update(&longer(&bench, 2, 1).under(&[2]))?;
    bench.pass_with(2, &mut session, |update| update.under(&[9]))?;
    five.until_told(ROUTE)?;
    // The reader has found an identifier, and the best path is the one that is told.
    let told: Vec<Vec<u32>> = held(&five).into_values().collect();
    assert_eq!(told, [vec![65_001, 65_002]]);
    bench.untouched()
}

#[test]
fn the_best_path_is_among_those_told_unless_it_is_the_peers_own() -> Outcome {
    let setup = setup().keys(2, "").change(2, |neighbor| {
        neighbor.keys = keys("true", "2") + "\n";
    });
    let (mut bench, mut session) = start(setup, BOTH)?;
    let (mut five, mut six) = (bench.session(5)?, bench.session(6)?);
    five.update(&longer(&bench, 5, 2))?;
    six.update(&longer(&bench, 6, 3))?;
    until_held(&mut session, 2)?;
    // A third one that is better than both takes the place of the worst.
    let mut observer_path = bench.announcement(3, &[ROUTE]);
    bench.observer.update(&observer_path)?;
    session.until("the best path", |session| {
        origins(&held(session)).values().any(|asn| *asn == 65_003)
    })?;
    session.until("two paths", |session| session.paths_of(ROUTE).len() == 2)?;
    let told: Vec<u32> = origins(&held(&session)).into_values().collect();
    assert!(told.contains(&65_005) && told.contains(&65_003), "{told:?}");
    // Its own does not come back, be it the best, and takes nobody's place.
    session.update(&longer(&bench, 2, 0).under(&[1]))?;
    observer_path = observer_path.with(Attribute::as_path(&[65_003, 64_999]));
    bench.observer.update(&observer_path)?;
    session.until("the longer path", |session| {
        held(session)
            .values()
            .any(|path| path[..] == [65_001, 65_003, 64_999])
    })?;
    let mut told: Vec<u32> = origins(&held(&session)).into_values().collect();
    told.sort_unstable();
    assert_eq!(told, [65_003, 65_005]);
    bench.untouched()
}

#[test]
fn a_restarted_peer_that_numbers_anew_moves_nothing() -> Outcome {
    let mut bench = Bench::start(setup())?;
    let open = bench.open(2).add_path(SEND);
    let mut session = bench.session_with(2, &open.clone().graceful_restart(0, 120, true))?;
    for (id, by) in [(1, 0), (2, 1)] {
        session.update(&longer(&bench, 2, by).under(&[id]))?;
    }
    session.update(&Update::default())?;
    bench.observer.until_told(ROUTE)?;
    let before = bench.observer.changes(ROUTE);
    drop(session);
    // It comes back, says that it forwards, and gives the same paths other identifiers.
    let mut session = bench.reconnect(2, &open.graceful_restart(8, 120, true))?;
    for (id, by) in [(2, 0), (u32::MAX, 1)] {
        session.update(&longer(&bench, 2, by).under(&[id]))?;
    }
    session.update(&Update::default())?;
    bench.pass_with(2, &mut session, |update| update.under(&[9]))?;
    assert_eq!(bench.observer.changes(ROUTE), before);
    // Of the old ones nothing is left: with both new ones gone, the route goes.
    session.update(&Update::withdraw(&[ROUTE, ROUTE]).under(&[2, u32::MAX]))?;
    bench.observer.until_withdrawn(ROUTE)?;
    bench.untouched()
}

#[test]
fn every_path_counts_towards_the_limit() -> Outcome {
    let setup = Setup::new().peer(2, 65_002).keys(
        2,
        "ipv4_unicast = { add_path_receive = true, maximum_prefixes = 3 }",
    );
    let (mut bench, mut session) = start(setup, SEND)?;
    let three = Update {
        announced: vec![ROUTE; 4],
        ..longer(&bench, 2, 0)
    };
    // One of them twice.
    session.update(&three.clone().under(&[1, 2, 3, 1]))?;
    bench.observer.until_told(ROUTE)?;
    session.update(
        &Update {
            announced: vec![ROUTE],
            ..three
        }
        .under(&[4]),
    )?;
    session.expect_notification(6, 1)?;
    bench.observer.until_withdrawn(ROUTE)?;
    bench.untouched()
}

#[test]
fn an_identifier_that_is_cut_off_ends_the_session() -> Outcome {
    let (mut bench, mut session) = start(setup(), SEND)?;
    let mut update = bench.announcement(2, &[ROUTE]);
    bench.observer.until_told(Setup::NETWORK)?;
    // The prefix alone: its octets are taken for an identifier without a prefix behind it.
    update.ids.clear();
    session.update(&update)?;
    session.expect_notification(3, 10)?;
    bench.untouched()
}
