//! RFC 8950 (IPv4 routes with an IPv6 next hop): the capability, the encoding, and who is told.
//!
//! Sessions run over IPv6, since that is where rbgpd offers the capability.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::net::{Ipv4Addr, Ipv6Addr};

use conformance::blackbox::message::{NON_TRANSITIVE, capability, code};
use conformance::blackbox::{
    Attribute, Bench, Error, Open, Outcome, Prefix, Session, Setup, Update, alone,
};

/// A neighbour of another AS over IPv6, and two internal ones that the speaker reflects to: one
/// over IPv6, one over IPv4.
const EXTERNAL: u8 = 2;
const CLIENT: u8 = 5;
const CLIENT_OVER_IPV4: u8 = 6;
const SPEAKER: Ipv6Addr = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 1);
const GLOBAL: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 7);
const LINK_LOCAL: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 7);
/// IPv4 unicast with IPv6 next hops (§4).
const IPV6_NEXT_HOPS: [u8; 6] = [0, 1, 0, 1, 0, 2];

fn setup() -> Setup {
    Setup::new()
        .peer_over_ipv6(EXTERNAL, 65_002)
        .peer_over_ipv6(CLIENT, Setup::ASN)
        .keys(CLIENT, "route_reflector_client = true")
        .peer(CLIENT_OVER_IPV4, Setup::ASN)
        .keys(CLIENT_OVER_IPV4, "route_reflector_client = true")
}

fn route(number: u8) -> Prefix {
    Prefix::new(Ipv4Addr::new(192, 0, number, 0), 24)
}

/// An OPEN of a host that takes IPv6 next hops.
fn able(bench: &Bench, host: u8) -> Open {
    let open = bench.open(host);
    open.with(capability::EXTENDED_NEXT_HOP, &IPV6_NEXT_HOPS)
}

/// An announcement of the external neighbour with a next hop of these octets.
fn reach(route: Prefix, next_hop: &[u8]) -> Update {
    Update::reach(&[route], &[65_002], next_hop)
}

/// The two forms of §3. Nobody here is on the network of the global address, so the link-local one goes to
/// nobody else (RFC 2545 §3).
fn next_hops() -> [Vec<u8>; 2] {
    let both = [GLOBAL.octets(), LINK_LOCAL.octets()].concat();
    [GLOBAL.octets().to_vec(), both]
}

/// What others are told of either.
fn passed_on() -> Option<Vec<u8>> {
    Some(GLOBAL.octets().to_vec())
}

#[test]
fn ipv6_next_hops_are_offered_for_ipv4_unicast_over_ipv6() -> Outcome {
    if !alone("ipv6 next hops are offered")? {
        return Ok(());
    }
    let mut bench = Bench::start(setup())?;
    let session = bench.session_with(EXTERNAL, &able(&bench, EXTERNAL))?;
    let offered = session.open.capability(capability::EXTENDED_NEXT_HOP);
    assert_eq!(offered, Some(IPV6_NEXT_HOPS.as_slice()));
    // Where they would help nobody they are not.
    let over_ipv4 = bench.session(CLIENT_OVER_IPV4)?;
    let offered = over_ipv4.open.capability(capability::EXTENDED_NEXT_HOP);
    assert_eq!(offered, None);
    bench.untouched()
}

#[test]
fn the_length_says_which_protocol_a_next_hop_belongs_to() -> Outcome {
    if !alone("the length says which protocol a next hop belongs to")? {
        return Ok(());
    }
    let mut bench = Bench::start(setup())?;
    let mut client = bench.session_with(CLIENT, &able(&bench, CLIENT))?;
    let mut session = bench.session_with(EXTERNAL, &able(&bench, EXTERNAL))?;
    let ipv4 = bench.host(EXTERNAL);
    let [one, two] = next_hops();
    session.update(&reach(route(1), &ipv4.octets()))?;
    session.update(&reach(route(2), &one))?;
    session.update(&reach(route(3), &two))?;
    // A client is told next hops as they came.
    assert_eq!(client.until_told(route(1))?.next_hop(), Some(ipv4));
    for number in [2, 3] {
        let told = client.until_told(route(number))?;
        assert_eq!(told.next_hop_octets().map(<[u8]>::to_vec), passed_on());
    }
    for number in 1..=3 {
        bench.observer.until_told(route(number))?;
    }
    bench.untouched()
}

#[test]
fn such_a_route_is_withdrawn_in_either_field() -> Outcome {
    if !alone("such a route is withdrawn in either field")? {
        return Ok(());
    }
    let mut bench = Bench::start(setup())?;
    let mut session = bench.session_with(EXTERNAL, &able(&bench, EXTERNAL))?;
    for number in [1, 2] {
        session.update(&reach(route(number), &GLOBAL.octets()))?;
        bench.observer.until_told(route(number))?;
    }
    session.update(&Update::withdraw(&[route(1)]))?;
    let unreach = [vec![0, 1, 1], route(2).bytes()].concat();
    let unreach = Attribute::new(NON_TRANSITIVE, code::MP_UNREACH, unreach);
    session.update(&Update::default().and(unreach))?;
    for number in [1, 2] {
        bench.observer.until_withdrawn(route(number))?;
    }
    bench.untouched()
}

#[test]
fn a_next_hop_of_any_other_length_resets_the_session() -> Outcome {
    if !alone("a next hop of any other length resets the session")? {
        return Ok(());
    }
    let hosts = 7..=12;
    let setup = hosts
        .clone()
        .fold(setup(), |setup, host| setup.peer_over_ipv6(host, 65_002));
    let mut bench = Bench::start(setup)?;
    for (host, length) in hosts.zip([0, 5, 15, 17, 24, 48]) {
        let mut session = bench.session_with(host, &able(&bench, host))?;
        session.update(&reach(route(1), &vec![0x20; length]))?;
        let ended = session.expect_notification(3, 9);
        ended.map_err(|error| error.case(format!("{length} octets")))?;
    }
    bench.untouched()
}

/// Without the capability an IPv6 next hop is none that the family allows (RFC 7606 §7.11).
#[test]
fn an_ipv6_next_hop_that_was_not_agreed_on_resets_the_session() -> Outcome {
    if !alone("an ipv6 next hop that was not agreed on")? {
        return Ok(());
    }
    let mut bench = Bench::start(setup())?;
    let mut session = bench.session(EXTERNAL)?;
    session.update(&reach(route(1), &GLOBAL.octets()))?;
    session.expect_notification(3, 9)?;
    bench.untouched()
}

/// The own network as a neighbour of another AS is told it.
fn own_network(session: &mut Session) -> Result<conformance::blackbox::Route, Error> {
    session.until_told(Setup::NETWORK).cloned()
}

#[test]
fn the_own_address_is_one_of_the_sessions_protocol() -> Outcome {
    if !alone("the own address is one of the session's protocol")? {
        return Ok(());
    }
    let mut bench = Bench::start(setup())?;
    let mut session = bench.session_with(EXTERNAL, &able(&bench, EXTERNAL))?;
    let told = own_network(&mut session)?;
    assert_eq!(told.next_hop_octets(), Some(SPEAKER.octets().as_slice()));
    assert_eq!(told.next_hop(), None);
    let speaker = bench.address();
    assert_eq!(own_network(&mut bench.observer)?.next_hop(), Some(speaker));
    bench.untouched()
}

/// Nothing with an IPv6 next hop is told on this session, also when the speaker would have it.
fn nothing_over_ipv6(open: impl Fn(Open) -> Open) -> Outcome {
    let mut bench = Bench::start(setup())?;
    let mut source = bench.session_with(EXTERNAL, &able(&bench, EXTERNAL))?;
    let mut client = bench.session_with(CLIENT, &open(bench.open(CLIENT)))?;
    source.update(&reach(route(1), &GLOBAL.octets()))?;
    bench.observer.until_told(route(1))?;
    // What came later is there, and it is not.
    bench.pass(EXTERNAL, &mut source)?;
    let told = client.refresh()?;
    assert!(!told.contains_key(&route(1)), "{told:?}");
    for (prefix, route) in &told {
        assert!(route.next_hop().is_some(), "{prefix}: {route:?}");
    }
    bench.untouched()
}

#[test]
fn nothing_with_an_ipv6_next_hop_goes_to_a_peer_without_the_capability() -> Outcome {
    if !alone("nothing with an ipv6 next hop without the capability")? {
        return Ok(());
    }
    nothing_over_ipv6(|open| open)
}

#[test]
fn the_capability_of_another_family_or_next_hop_does_not_count() -> Outcome {
    if !alone("the capability of another family or next hop")? {
        return Ok(());
    }
    nothing_over_ipv6(|open| {
        // IPv4 with labels, IPv4 by IPv4, IPv6 by IPv6, and VPNs.
        let others = [
            [0, 1, 0, 4, 0, 2],
            [0, 1, 0, 1, 0, 1],
            [0, 2, 0, 1, 0, 2],
            [0, 1, 0, 128, 0, 2],
        ];
        open.with(capability::EXTENDED_NEXT_HOP, &others.concat())
    })?;
    // It has six octets for each, or it is none that anybody understands.
    nothing_over_ipv6(|open| open.with(capability::EXTENDED_NEXT_HOP, &IPV6_NEXT_HOPS[..5]))
}

#[test]
fn the_capability_counts_among_others() -> Outcome {
    if !alone("the capability counts among others")? {
        return Ok(());
    }
    let mut bench = Bench::start(setup())?;
    let value = [[0, 1, 0, 4, 0, 2], IPV6_NEXT_HOPS].concat();
    let open = bench.open(EXTERNAL);
    let open = open.with(capability::EXTENDED_NEXT_HOP, &value);
    let mut session = bench.session_with(EXTERNAL, &open)?;
    let told = own_network(&mut session)?;
    assert_eq!(told.next_hop_octets(), Some(SPEAKER.octets().as_slice()));
    bench.untouched()
}

/// The capability is about next hops; the family is agreed on by that of RFC 4760.
#[test]
fn the_capability_does_not_make_a_family_of_the_session() -> Outcome {
    if !alone("the capability does not make a family of the session")? {
        return Ok(());
    }
    let both = "ipv4_unicast = {}\nipv6_unicast = {}";
    let mut bench = Bench::start(setup().keys(EXTERNAL, both))?;
    let open = able(&bench, EXTERNAL).without(capability::MULTIPROTOCOL);
    let open = open.with(capability::MULTIPROTOCOL, &[0, 2, 0, 1]);
    let mut session = bench.session_with(EXTERNAL, &open)?;
    session.update(&reach(route(1), &GLOBAL.octets()))?;
    // A refresh of IPv6 unicast ends behind all that was said before; of IPv4 there is nothing.
    session.send(&conformance::blackbox::message::route_refresh(2, 0, 1))?;
    session.until("the answer", Session::has_refresh_mark)?;
    assert_eq!(session.told(Setup::NETWORK), None);
    assert_eq!(bench.seen(route(1))?, None);
    bench.untouched()
}

#[test]
fn a_next_hop_that_is_passed_on_keeps_its_encoding() -> Outcome {
    if !alone("a next hop that is passed on keeps its encoding")? {
        return Ok(());
    }
    let mut bench = Bench::start(setup().peer_over_ipv6(7, Setup::ASN))?;
    let mut client = bench.session_with(CLIENT, &able(&bench, CLIENT))?;
    let mut unable = bench.session(CLIENT_OVER_IPV4)?;
    let mut source = bench.session_with(7, &able(&bench, 7))?;
    let internal = |route, next_hop: &[u8]| {
        Update::reach(&[route], &[], next_hop).with(Attribute::local_pref(100))
    };
    for (number, next_hop) in (1..).zip(next_hops()) {
        let route = route(number);
        // First with a next hop that everybody can read.
        source.update(&bench.announcement(7, &[route]))?;
        let expected = Some(bench.host(7));
        assert_eq!(client.until_told(route)?.next_hop(), expected);
        assert_eq!(unable.until_told(route)?.next_hop(), expected);
        source.update(&internal(route, &next_hop))?;
        // A client that cannot handle the encoding does not have the route any more.
        unable.until_withdrawn(route)?;
        client.until("the new next hop", |client| {
            let told = client.told(route).and_then(|it| it.next_hop_octets());
            told.map(<[u8]>::to_vec) == passed_on()
        })?;
    }
    bench.untouched()
}
