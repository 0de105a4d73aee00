//! RFC 4271 (BGP-4): messages, errors, timers, collisions, attributes and the decision process.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use conformance::blackbox::message::{self, code, raw_message};
use conformance::blackbox::{
    Attribute, Bench, Connection, Heard, LIMIT, Neighbor, Outcome, Prefix, Session, Setup, Update,
};

fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}

/// One faulty connection per case, each from a neighbour of its own, so that the rest after one
/// error does not hide the next.
fn refused(
    cases: &[(&str, u8, u8, &[u8])],
    fault: impl Fn(&Bench, usize, u8) -> Result<Connection, conformance::blackbox::Error>,
) -> Outcome {
    let hosts = 10..10 + u8::try_from(cases.len()).unwrap();
    let mut bench = Bench::start(Setup::new().peers(hosts.clone(), 65_002))?;
    for ((at, (case, code, subcode, data)), host) in cases.iter().enumerate().zip(hosts) {
        let mut connection = fault(&bench, at, host).map_err(|e| e.case(case))?;
        let got = connection
            .expect_notification(*code, *subcode)
            .map_err(|e| e.case(case))?;
        assert_eq!(got.data, *data, "{case}");
    }
    bench.untouched()
}

fn open_refused(
    case: &str,
    code: u8,
    subcode: u8,
    data: &[u8],
    open: impl Fn(message::Open) -> Vec<u8>,
) -> Outcome {
    refused(&[(case, code, subcode, data)], |bench, _, host| {
        let mut connection = bench.connect(host)?;
        connection.send(&open(bench.open(host)))?;
        Ok(connection)
    })
}

// ---- OPEN ----

#[test]
fn an_open_of_another_version_is_answered_with_the_largest_supported_one() -> Outcome {
    open_refused("version 3", 2, 1, &[0, 4], |mut open| {
        open.version = 3;
        open.bytes()
    })
}

#[test]
fn an_open_of_the_wrong_as_is_refused_as_bad_peer_as() -> Outcome {
    open_refused("AS 65099", 2, 2, &[], |open| {
        message::Open::new(65_099, open.router_id).bytes()
    })
}

#[test]
fn a_hold_time_of_one_or_two_seconds_is_refused() -> Outcome {
    open_refused("hold time 1", 2, 6, &[], |open| open.hold_time_s(1).bytes())?;
    open_refused("hold time 2", 2, 6, &[], |open| open.hold_time_s(2).bytes())
}

#[test]
fn a_bgp_identifier_of_zero_is_refused() -> Outcome {
    open_refused("identifier 0.0.0.0", 2, 3, &[], |mut open| {
        open.router_id = Ipv4Addr::UNSPECIFIED;
        open.bytes()
    })
}

#[test]
fn an_unknown_optional_parameter_is_refused() -> Outcome {
    open_refused("parameter 7", 2, 4, &[], |open| {
        open.bytes_with(&[7, 2, 0xaa, 0xbb])
    })
}

#[test]
fn optional_parameters_that_overrun_their_length_are_refused() -> Outcome {
    open_refused("malformed parameters", 2, 0, &[], |open| {
        open.bytes_with(&[2, 9, 1, 4, 0, 1])
    })
}

#[test]
fn our_open_carries_version_as_hold_time_and_identifier_as_configured() -> Outcome {
    let mut bench = Bench::start(Setup::new().peer(2, 65_002))?;
    let session = bench.session(2)?;
    let open = &session.open;
    assert_eq!(open.version, 4);
    assert_eq!(open.asn, 65_001);
    assert_eq!(open.router_id, Ipv4Addr::new(10, 0, 0, 1));
    assert!(open.hold_time_s == 0 || open.hold_time_s >= 3);
    bench.untouched()
}

// ---- Message header ----

/// Octets of each broken message, and the NOTIFICATION for it.
fn broken_headers() -> Vec<(&'static str, Vec<u8>, u8, Vec<u8>)> {
    let ones = [0xff; 16];
    let mut marker = ones;
    marker[7] = 0xfe;
    let with_len = |len: u16, kind: u8, body: usize| raw_message(ones, len, kind, &vec![0; body]);
    vec![
        ("marker", raw_message(marker, 19, 4, &[]), 1, vec![]),
        ("length 18", with_len(18, 4, 0), 2, vec![0, 18]),
        ("length 4097", with_len(4097, 2, 4078), 2, vec![0x10, 0x01]),
        ("OPEN of 28", with_len(28, 1, 9), 2, vec![0, 28]),
        ("UPDATE of 22", with_len(22, 2, 3), 2, vec![0, 22]),
        ("NOTIFICATION of 20", with_len(20, 3, 1), 2, vec![0, 20]),
        ("KEEPALIVE of 20", with_len(20, 4, 1), 2, vec![0, 20]),
        ("type 0", with_len(19, 0, 0), 3, vec![0]),
        ("type 6", with_len(19, 6, 0), 3, vec![6]),
        ("type 255", with_len(19, 255, 0), 3, vec![255]),
    ]
}

#[test]
fn a_broken_message_header_before_open_ends_the_connection_with_its_notification() -> Outcome {
    let broken = broken_headers();
    let cases: Vec<_> = broken
        .iter()
        .map(|(n, _, s, d)| (*n, 1, *s, d.as_slice()))
        .collect();
    refused(&cases, |bench, at, host| {
        let mut connection = bench.connect(host)?;
        connection.send(&broken[at].1)?;
        Ok(connection)
    })
}

#[test]
fn a_broken_message_header_in_established_ends_the_session_with_its_notification() -> Outcome {
    let broken = broken_headers();
    let hosts = 10..10 + u8::try_from(broken.len()).unwrap();
    let mut bench = Bench::start(Setup::new().peers(hosts.clone(), 65_002))?;
    for ((case, octets, subcode, data), host) in broken.iter().zip(hosts) {
        let route = Prefix::new(Ipv4Addr::new(192, 0, host, 0), 24);
        let mut session = bench.session(host)?;
        session.update(&bench.announcement(host, &[route]))?;
        bench.observer.until_told(route)?;
        session.send(octets)?;
        let got = session
            .expect_notification(1, *subcode)
            .map_err(|e| e.case(case))?;
        assert_eq!(got.data, *data, "{case}");
        bench
            .observer
            .until_withdrawn(route)
            .map_err(|e| e.case(case))?;
    }
    bench.untouched()
}

#[test]
fn messages_may_arrive_in_any_pieces() -> Outcome {
    let mut bench = Bench::start(Setup::new().peers([2, 5], 65_002))?;
    let (one, other) = (prefix("192.0.2.0/24"), prefix("192.0.3.0/24"));
    let all = |host: u8, route: Prefix| {
        let update = bench.announcement(host, &[route]).bytes();
        [bench.open(host).bytes(), message::keepalive(), update].concat()
    };
    let (single, whole) = (all(2, one), all(5, other));
    let mut by_octets = bench.connect(2)?;
    for octet in single {
        by_octets.send(&[octet])?;
    }
    let mut at_once = bench.connect(5)?;
    at_once.send(&whole)?;
    bench.observer.until_told(one)?;
    bench.observer.until_told(other)?;
    bench.untouched()
}

// ---- State machine ----

#[test]
fn a_message_that_does_not_belong_into_the_state_is_a_finite_state_machine_error() -> Outcome {
    let cases: [(&str, u8, u8, &[u8]); 6] = [
        ("KEEPALIVE in OpenSent", 5, 1, &[4]),
        ("UPDATE in OpenSent", 5, 1, &[2]),
        ("ROUTE-REFRESH in OpenSent", 5, 1, &[5]),
        ("UPDATE in OpenConfirm", 5, 2, &[2]),
        ("ROUTE-REFRESH in OpenConfirm", 5, 2, &[5]),
        ("OPEN in Established", 5, 3, &[1]),
    ];
    refused(&cases, |bench, at, host| {
        let mut connection = bench.connect(host)?;
        let open = bench.open(host).bytes();
        let update = bench.announcement(host, &[prefix("192.0.2.0/24")]).bytes();
        let refresh = message::route_refresh(1, 0, 1);
        let octets: Vec<Vec<u8>> = match at {
            0 => vec![message::keepalive()],
            1 => vec![update],
            2 => vec![refresh],
            3 => vec![open, update],
            4 => vec![open, refresh],
            _ => vec![open.clone(), message::keepalive(), open],
        };
        for one in octets {
            connection.send(&one)?;
        }
        Ok(connection)
    })
}

#[test]
fn a_notification_ends_the_connection_without_an_answer() -> Outcome {
    let mut bench = Bench::start(Setup::new().peers([2, 5], 65_002))?;
    let mut opening = bench.connect(2)?;
    opening.expect_open()?;
    opening.send(&message::notification(6, 5, &[]))?;
    opening.expect_closed()?;

    let route = prefix("192.0.2.0/24");
    let mut session = bench.session(5)?;
    session.update(&bench.announcement(5, &[route]))?;
    bench.observer.until_told(route)?;
    session.send(&message::notification(6, 4, &[]))?;
    session
        .until("an end", |_| false)
        .expect_err("the session must end");
    bench.observer.until_withdrawn(route)?;
    bench.untouched()
}

#[test]
fn a_connection_from_an_address_that_is_no_neighbour_gets_no_session() -> Outcome {
    let mut bench = Bench::start(Setup::new())?;
    let mut stranger = bench.connect(99)?;
    // RFC 4271 §6.8 leaves open whether a word is said before the end.
    loop {
        match stranger.hear(LIMIT)? {
            Heard::Closed => break,
            Heard::Message(message::Message::Notification(_)) => {}
            other @ (Heard::Message(_) | Heard::Silence) => panic!("{other:?}"),
        }
    }
    bench.untouched()
}

#[test]
fn stopping_the_speaker_ends_sessions_with_cease() -> Outcome {
    let mut bench = Bench::start(Setup::new().peer(2, 65_002))?;
    let mut session = bench.session(2)?;
    session.until("End-of-RIB", Session::has_end_of_rib)?;
    bench.speaker.stop()?;
    // Administrative Shutdown (RFC 4486); no graceful restart was agreed on.
    session.expect_notification(6, 2)?;
    Ok(())
}

// ---- Timers ----

#[test]
fn silence_for_the_hold_time_ends_the_session_and_its_routes() -> Outcome {
    let mut bench = Bench::start(Setup::new().peer(2, 65_002))?;
    let route = prefix("192.0.2.0/24");
    let mut session = bench.session_with(2, &bench.open(2).hold_time_s(3))?;
    session.update(&bench.announcement(2, &[route]))?;
    bench.observer.until_told(route)?;
    let silent = Instant::now();
    session.expect_notification(4, 0)?;
    let waited = silent.elapsed();
    assert!(
        waited >= Duration::from_millis(2_500),
        "expired after {waited:?}"
    );
    assert!(waited < Duration::from_secs(6), "expired after {waited:?}");
    bench.observer.until_withdrawn(route)?;
    bench.untouched()
}

#[test]
fn keepalives_and_updates_both_restart_the_hold_timer() -> Outcome {
    let mut bench = Bench::start(Setup::new().peers([2, 5], 65_002))?;
    let mut by_keepalive = bench.session_with(2, &bench.open(2).hold_time_s(3))?;
    let mut by_update = bench.session_with(5, &bench.open(5).hold_time_s(3))?;
    let update = bench.announcement(5, &[prefix("192.0.2.0/24")]);
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(4_500) {
        by_keepalive.send(&message::keepalive())?;
        by_update.update(&update)?;
        by_keepalive.listen(Duration::from_millis(250))?;
        by_update.listen(Duration::from_millis(250))?;
    }
    bench.untouched()
}

#[test]
fn keepalives_come_within_the_hold_time_and_at_most_once_a_second() -> Outcome {
    let mut bench = Bench::start(Setup::new().peer(2, 65_002))?;
    let mut session = bench.session_with(2, &bench.open(2).hold_time_s(3))?;
    let start = Instant::now();
    while session.keepalives().len() < 4 {
        let seen = session.keepalives().len();
        session.until("a KEEPALIVE", |session| session.keepalives().len() > seen)?;
        session.send(&message::keepalive())?;
    }
    let mut last = start;
    for at in session.keepalives() {
        let gap = at.duration_since(last);
        assert!(gap < Duration::from_secs(3), "a gap of {gap:?}");
        last = *at;
    }
    for pair in session.keepalives().windows(2) {
        let gap = pair[1].duration_since(pair[0]);
        // The second is the sender's; a busy machine may deliver one late and the next in time.
        assert!(gap >= Duration::from_millis(800), "a gap of {gap:?}");
    }
    bench.untouched()
}

#[test]
fn further_connections_are_no_reason_for_further_keepalives() -> Outcome {
    let mut bench = Bench::start(Setup::new().peer(2, 65_002))?;
    let mut session = bench.session_with(2, &bench.open(2).hold_time_s(3))?;
    // Before Established a second connection would take the place of the first.
    session.until("End-of-RIB", Session::has_end_of_rib)?;
    let mut further = Vec::new();
    while session.keepalives().len() < 4 {
        further.push(bench.connect(2)?);
        session.send(&message::keepalive())?;
        session.listen(Duration::from_millis(50))?;
    }
    for pair in session.keepalives().windows(2) {
        let [one, two] = pair else { continue };
        let pause = two.duration_since(*one);
        assert!(pause >= Duration::from_millis(800), "{pause:?}");
    }
    bench.untouched()
}

#[test]
fn with_a_hold_time_of_zero_no_keepalives_come_and_none_are_needed() -> Outcome {
    let mut bench = Bench::start(Setup::new().peer(2, 65_002))?;
    let mut session = bench.session_with(2, &bench.open(2).hold_time_s(0))?;
    session.listen(Duration::from_millis(3_500))?;
    // One may follow the first burst of routes; periodic ones would be a third of no time apart.
    assert!(
        session.keepalives().len() <= 1,
        "{:?}",
        session.keepalives()
    );
    bench.pass(2, &mut session)?;
    bench.untouched()
}

// ---- Collisions (§6.8) ----

/// An active neighbour of AS 65002 with two connections: the speaker's own is in OpenConfirm,
/// ours has just sent its OPEN.
fn collide(
    router_id: Ipv4Addr,
) -> Result<(Bench, Connection, Connection), conformance::blackbox::Error> {
    let setup = Setup::new().neighbor(Neighbor {
        active: true,
        ..Neighbor::new(2, 65_002)
    });
    let mut bench = Bench::start(setup)?;
    let listener = bench.listen(2)?;
    let mut theirs = bench.accept(&listener)?;
    theirs.expect_open()?;
    let open = message::Open {
        router_id,
        ..bench.open(2)
    };
    theirs.send(&open.bytes())?;
    theirs.expect_keepalive()?;
    let mut ours = bench.connect(2)?;
    ours.expect_open()?;
    ours.send(&open.bytes())?;
    bench.untouched()?;
    Ok((bench, theirs, ours))
}

#[test]
fn in_a_collision_the_connection_of_the_higher_identifier_stays_when_it_is_the_peers() -> Outcome {
    let (mut bench, mut theirs, mut ours) = collide(Ipv4Addr::new(10, 0, 0, 200))?;
    theirs.expect_notification(6, 7)?;
    ours.expect_keepalive()?;
    ours.send(&message::keepalive())?;
    let heard = ours.expect_message("routes")?;
    assert!(matches!(heard, message::Message::Update(_)), "{heard:?}");
    bench.untouched()
}

#[test]
fn in_a_collision_the_connection_of_the_higher_identifier_stays_when_it_is_the_speakers() -> Outcome
{
    let (mut bench, mut theirs, mut ours) = collide(Ipv4Addr::new(9, 0, 0, 1))?;
    ours.expect_notification(6, 7)?;
    theirs.send(&message::keepalive())?;
    let heard = theirs.expect_message("routes")?;
    assert!(matches!(heard, message::Message::Update(_)), "{heard:?}");
    bench.untouched()
}

#[test]
fn a_second_connection_of_an_established_neighbour_is_the_one_that_is_closed() -> Outcome {
    let mut bench = Bench::start(Setup::new().peer(2, 65_002))?;
    let mut first = bench.session(2)?;
    // The speaker is in Established, and not still in OpenConfirm.
    first.until("End-of-RIB", Session::has_end_of_rib)?;
    let mut second = bench.connect(2)?;
    second.send(&bench.open(2).bytes())?;
    second.expect_notification(6, 7)?;
    bench.pass(2, &mut first)?;
    bench.untouched()
}

// ---- Attributes towards others (§5.1, §9.2) ----

/// Peers 2 (AS 65002) and, of the speaker's own AS, 5 and 6.
fn mixed() -> Setup {
    Setup::new().peer(2, 65_002).peers([5, 6], Setup::ASN)
}

#[test]
fn towards_another_as_the_own_number_is_prepended_and_next_hop_is_the_speaker() -> Outcome {
    let mut bench = Bench::start(mixed())?;
    let mut session = bench.session(2)?;
    let route = prefix("192.0.2.0/24");
    session.update(&Update::announce(
        &[route],
        &[65_002, 65_077],
        bench.host(2),
    ))?;
    let told = bench.observer.until_told(route)?.clone();
    assert_eq!(told.as_path(), Some(vec![65_001, 65_002, 65_077]));
    assert_eq!(told.next_hop(), Some(bench.address()));
    let own = bench.observer.until_told(Setup::NETWORK)?;
    assert_eq!(own.as_path(), Some(vec![65_001]));
    bench.untouched()
}

#[test]
fn a_full_segment_is_not_made_longer_but_another_begun() -> Outcome {
    let mut bench = Bench::start(mixed())?;
    let mut session = bench.session(2)?;
    let route = prefix("192.0.2.0/24");
    let path: Vec<u32> = [65_002].into_iter().chain(100..354).collect();
    assert_eq!(path.len(), 255);
    session.update(&Update::announce(&[route], &path, bench.host(2)))?;
    let told = bench.observer.until_told(route)?;
    let expected: Vec<u32> = [65_001].into_iter().chain(path).collect();
    assert_eq!(told.as_path(), Some(expected));
    bench.untouched()
}

#[test]
fn towards_another_as_local_pref_is_not_sent() -> Outcome {
    let mut bench = Bench::start(mixed())?;
    let mut internal = bench.session(5)?;
    let route = prefix("192.0.2.0/24");
    let update = bench
        .announcement(5, &[route])
        .with(Attribute::local_pref(200));
    internal.update(&update)?;
    let told = bench.observer.until_told(route)?;
    assert_eq!(told.number(code::LOCAL_PREF), None);
    let own = bench.observer.until_told(Setup::NETWORK)?;
    assert_eq!(own.number(code::LOCAL_PREF), None);
    bench.untouched()
}

#[test]
fn towards_the_own_as_local_pref_is_sent_and_path_and_next_hop_stay() -> Outcome {
    let mut bench = Bench::start(mixed())?;
    let mut internal = bench.session(5)?;
    let mut external = bench.session(2)?;
    let route = prefix("192.0.2.0/24");
    external.update(&bench.announcement(2, &[route]).with(Attribute::med(7)))?;
    let told = internal.until_told(route)?;
    assert_eq!(told.as_path(), Some(vec![65_002]));
    assert_eq!(told.number(code::LOCAL_PREF), Some(100));
    assert_eq!(told.number(code::MED), Some(7));
    assert_eq!(told.next_hop(), Some(bench.host(2)));
    let own = internal.until_told(Setup::NETWORK)?;
    assert_eq!(own.as_path(), Some(vec![]));
    bench.untouched()
}

#[test]
fn local_pref_of_another_as_is_ignored() -> Outcome {
    let mut bench = Bench::start(mixed().peer(7, 65_007))?;
    let (mut long, mut short) = (bench.session(2)?, bench.session(7)?);
    let route = prefix("192.0.2.0/24");
    let update = Update::announce(&[route], &[65_002, 65_077], bench.host(2));
    long.update(&update.with(Attribute::local_pref(500)))?;
    short.update(&bench.announcement(7, &[route]))?;
    bench.pass(2, &mut long)?;
    bench.pass(7, &mut short)?;
    let seen = bench.seen(route)?.unwrap();
    assert_eq!(seen.as_path(), Some(vec![65_001, 65_007]));
    bench.untouched()
}

#[test]
fn a_med_of_one_neighbouring_as_is_not_passed_on_to_another() -> Outcome {
    let mut bench = Bench::start(mixed())?;
    let mut session = bench.session(2)?;
    let route = prefix("192.0.2.0/24");
    session.update(&bench.announcement(2, &[route]).with(Attribute::med(77)))?;
    let told = bench.observer.until_told(route)?;
    assert_eq!(told.number(code::MED), None);
    bench.untouched()
}

#[test]
fn a_route_with_the_own_as_in_its_path_is_not_used() -> Outcome {
    let mut bench = Bench::start(mixed())?;
    let mut session = bench.session(2)?;
    let route = prefix("192.0.2.0/24");
    session.update(&Update::announce(
        &[route],
        &[65_002, 65_001, 65_077],
        bench.host(2),
    ))?;
    bench.pass(2, &mut session)?;
    assert_eq!(bench.seen(route)?, None);
    // It replaces what was there before.
    session.update(&bench.announcement(2, &[route]))?;
    bench.observer.until_told(route)?;
    session.update(&Update::announce(
        &[route],
        &[65_002, 65_001],
        bench.host(2),
    ))?;
    bench.observer.until_withdrawn(route)?;
    bench.untouched()
}

#[test]
fn a_route_whose_next_hop_is_the_speaker_itself_is_not_used() -> Outcome {
    let mut bench = Bench::start(mixed())?;
    let mut session = bench.session(2)?;
    let route = prefix("192.0.2.0/24");
    session.update(&Update::announce(&[route], &[65_002], bench.address()))?;
    bench.pass(2, &mut session)?;
    assert_eq!(bench.seen(route)?, None);
    bench.untouched()
}

#[test]
fn a_route_from_the_own_as_is_not_told_within_it_again() -> Outcome {
    let mut bench = Bench::start(mixed())?;
    let (mut from, mut to) = (bench.session(5)?, bench.session(6)?);
    let route = prefix("192.0.2.0/24");
    from.update(&bench.announcement(5, &[route]))?;
    bench.observer.until_told(route)?;
    let told = to.refresh()?;
    assert!(!told.contains_key(&route), "{told:?}");
    assert!(told.contains_key(&Setup::NETWORK), "{told:?}");
    bench.untouched()
}

#[test]
fn a_withdrawn_route_is_withdrawn_from_others_and_a_new_one_replaces_the_old() -> Outcome {
    let mut bench = Bench::start(mixed())?;
    let mut session = bench.session(2)?;
    let (one, other) = (prefix("192.0.2.0/24"), prefix("192.0.3.0/24"));
    session.update(&bench.announcement(2, &[one, other]))?;
    bench.observer.until_told(one)?;
    bench.observer.until_told(other)?;
    session.update(&Update::announce(&[one], &[65_002, 65_078], bench.host(2)))?;
    bench.observer.until("the new path", |observer| {
        let path = observer.told(one).and_then(|route| route.as_path());
        path == Some(vec![65_001, 65_002, 65_078])
    })?;
    session.update(&Update::withdraw(&[one]))?;
    bench.observer.until_withdrawn(one)?;
    bench.pass(2, &mut session)?;
    assert!(bench.seen(other)?.is_some());
    // Withdrawing what is not there is no mistake.
    session.update(&Update::withdraw(&[one]))?;
    bench.pass(2, &mut session)?;
    bench.untouched()
}

#[test]
fn an_update_with_a_prefix_in_both_fields_counts_as_its_announcement() -> Outcome {
    let mut bench = Bench::start(mixed())?;
    let mut session = bench.session(2)?;
    let route = prefix("192.0.2.0/24");
    let mut update = bench.announcement(2, &[route]);
    update.withdrawn = vec![route];
    session.update(&update)?;
    bench.observer.until_told(route)?;
    bench.untouched()
}

#[test]
fn the_end_of_a_session_withdraws_all_its_routes() -> Outcome {
    let mut bench = Bench::start(mixed())?;
    let mut session = bench.session(2)?;
    let routes = [
        prefix("192.0.2.0/24"),
        prefix("192.0.3.0/24"),
        prefix("192.0.4.0/25"),
    ];
    session.update(&bench.announcement(2, &routes))?;
    for route in routes {
        bench.observer.until_told(route)?;
    }
    drop(session);
    for route in routes {
        bench.observer.until_withdrawn(route)?;
    }
    bench.untouched()
}

#[test]
fn an_unknown_optional_attribute_is_passed_on_only_if_transitive_and_then_as_partial() -> Outcome {
    let mut bench = Bench::start(mixed())?;
    let mut session = bench.session(2)?;
    let (one, other) = (prefix("192.0.2.0/24"), prefix("192.0.3.0/24"));
    let transitive = Attribute::new(message::TRANSITIVE, 222, [1, 2, 3]);
    session.update(&bench.announcement(2, &[one]).with(transitive))?;
    let non_transitive = Attribute::new(message::NON_TRANSITIVE, 223, [1, 2, 3]);
    session.update(&bench.announcement(2, &[other]).with(non_transitive))?;
    let told = bench.observer.until_told(one)?.attribute(222).cloned();
    let flags = message::TRANSITIVE | message::PARTIAL;
    assert_eq!(told, Some(Attribute::new(flags, 222, [1, 2, 3])));
    assert_eq!(bench.observer.until_told(other)?.attribute(223), None);
    bench.untouched()
}

#[test]
fn aggregator_and_atomic_aggregate_are_passed_on() -> Outcome {
    let mut bench = Bench::start(mixed())?;
    let mut session = bench.session(2)?;
    let route = prefix("192.0.2.0/24");
    let aggregator = Attribute::new(
        message::TRANSITIVE,
        code::AGGREGATOR,
        [0, 0, 0xfd, 0xea, 1, 2, 3, 4],
    );
    let atomic = Attribute::new(message::WELL_KNOWN, code::ATOMIC_AGGREGATE, []);
    let update = bench.announcement(2, &[route]);
    session.update(&update.with(aggregator.clone()).with(atomic.clone()))?;
    let told = bench.observer.until_told(route)?;
    assert_eq!(told.attribute(code::AGGREGATOR), Some(&aggregator));
    assert_eq!(told.attribute(code::ATOMIC_AGGREGATE), Some(&atomic));
    bench.untouched()
}

#[test]
fn a_path_that_does_not_begin_with_the_peers_number_withdraws_the_route() -> Outcome {
    let mut bench = Bench::start(Setup::new().peer(2, 65_002))?;
    let mut session = bench.session(2)?;
    let route = prefix("192.0.2.0/24");
    for path in [&[65_070, 65_002][..], &[]] {
        session.update(&bench.announcement(2, &[route]))?;
        bench.observer.until_told(route)?;
        session.update(&Update::announce(&[route], path, bench.host(2)))?;
        bench.observer.until_withdrawn(route)?;
        bench.pass(2, &mut session)?;
    }
    bench.untouched()
}

// ---- Decision process (§9.1.2.2) ----

/// Two peers of AS 65002 (10 and 11), two of their own AS numbers (12 and 13), one internal (5).
fn contest() -> Setup {
    Setup::new()
        .peers([10, 11], 65_002)
        .peer(12, 65_012)
        .peer(13, 65_013)
        .peer(5, Setup::ASN)
}

/// A path in the contest: who sends it, its AS path, and further attributes.
type Path<'a> = (u8, &'a [u32], &'a [Attribute]);

/// Checks that of two paths the first wins, in either order of arrival.
fn wins(bench: &mut Bench, better: Path<'_>, worse: Path<'_>, router_ids: [u8; 2]) -> Outcome {
    let mut sessions = Vec::new();
    for ((host, _, _), id) in [better, worse].iter().zip(router_ids) {
        let open = message::Open {
            router_id: Ipv4Addr::new(10, 0, 0, id),
            ..bench.open(*host)
        };
        sessions.push(bench.reconnect(*host, &open)?);
    }
    for order in [[0, 1], [1, 0]] {
        let route = Prefix::new(Ipv4Addr::new(192, 0, order[0], 0), 24);
        for at in order {
            let (host, path, attributes) = [better, worse][usize::from(at)];
            let mut update = Update::announce(&[route], path, bench.host(host));
            update.attributes.extend_from_slice(attributes);
            let session = &mut sessions[usize::from(at)];
            session.update(&update)?;
            bench.pass(host, session)?;
        }
        let seen = bench.seen(route)?.expect("a best path");
        let mut expected = vec![65_001];
        expected.extend(better.1);
        assert_eq!(seen.as_path(), Some(expected), "in order {order:?}");
    }
    Ok(())
}

#[test]
fn the_higher_local_pref_wins_over_a_shorter_path() -> Outcome {
    let mut bench = Bench::start(contest())?;
    let preferred = [Attribute::local_pref(200)];
    wins(
        &mut bench,
        (5, &[65_070, 65_071], &preferred),
        (12, &[65_012], &[]),
        [5, 12],
    )?;
    bench.untouched()
}

#[test]
fn the_shorter_as_path_wins() -> Outcome {
    let mut bench = Bench::start(contest())?;
    wins(
        &mut bench,
        (13, &[65_013], &[]),
        (12, &[65_012, 65_070], &[]),
        [200, 12],
    )?;
    bench.untouched()
}

#[test]
fn an_as_set_counts_as_one_number() -> Outcome {
    let mut bench = Bench::start(contest())?;
    let (mut set, mut long) = (bench.session(13)?, bench.session(12)?);
    let route = prefix("192.0.2.0/24");
    let segments = [
        &[2, 1, 0, 0, 0xfd, 0xf5][..],
        &[1, 3, 0, 0, 0xfe, 1, 0, 0, 0xfe, 2, 0, 0, 0xfe, 3],
    ];
    let path = Attribute::new(message::WELL_KNOWN, code::AS_PATH, segments.concat());
    set.update(&bench.announcement(13, &[route]).with(path.clone()))?;
    bench.pass(13, &mut set)?;
    long.update(&Update::announce(
        &[route],
        &[65_012, 65_070, 65_071],
        bench.host(12),
    ))?;
    bench.pass(12, &mut long)?;
    let seen = bench.seen(route)?.expect("a best path");
    let value = &seen.attribute(code::AS_PATH).expect("AS_PATH").value;
    // §5.1.2: the own number goes before the others of the first AS_SEQUENCE.
    let expected = [&[2, 2, 0, 0, 0xfd, 0xe9, 0, 0, 0xfd, 0xf5][..], segments[1]].concat();
    assert_eq!(*value, expected);
    bench.untouched()
}

#[test]
fn the_lower_origin_wins() -> Outcome {
    let mut bench = Bench::start(contest())?;
    let (mut igp, mut other) = (bench.session(13)?, bench.session(12)?);
    for (origin, third) in [(1, 1), (2, 2)] {
        let route = Prefix::new(Ipv4Addr::new(192, 0, third, 0), 24);
        other.update(
            &bench
                .announcement(12, &[route])
                .with(Attribute::origin(origin)),
        )?;
        igp.update(
            &bench
                .announcement(13, &[route])
                .with(Attribute::origin(origin - 1)),
        )?;
        bench.pass(12, &mut other)?;
        bench.pass(13, &mut igp)?;
        let seen = bench.seen(route)?.expect("a best path");
        assert_eq!(
            seen.as_path(),
            Some(vec![65_001, 65_013]),
            "against origin {origin}"
        );
    }
    bench.untouched()
}

#[test]
fn the_lower_med_wins_within_one_neighbouring_as_and_none_is_the_lowest() -> Outcome {
    let mut bench = Bench::start(contest())?;
    let (low, high) = ([Attribute::med(10)], [Attribute::med(20)]);
    wins(
        &mut bench,
        (11, &[65_002, 65_070], &low),
        (10, &[65_002, 65_071], &high),
        [200, 10],
    )?;
    wins(
        &mut bench,
        (11, &[65_002, 65_070], &[]),
        (10, &[65_002, 65_071], &low),
        [200, 10],
    )?;
    bench.untouched()
}

#[test]
fn meds_of_different_neighbouring_ases_are_not_compared() -> Outcome {
    let mut bench = Bench::start(contest())?;
    let (low, high) = ([Attribute::med(10)], [Attribute::med(20)]);
    // The lower identifier has the higher MED, and wins.
    wins(
        &mut bench,
        (12, &[65_012], &high),
        (13, &[65_013], &low),
        [12, 200],
    )?;
    bench.untouched()
}

#[test]
fn a_path_of_another_as_wins_over_one_of_the_own() -> Outcome {
    let mut bench = Bench::start(contest())?;
    let default = [Attribute::local_pref(100)];
    wins(
        &mut bench,
        (12, &[65_012], &[]),
        (5, &[65_070], &default),
        [200, 5],
    )?;
    bench.untouched()
}

#[test]
fn the_lower_bgp_identifier_wins() -> Outcome {
    let mut bench = Bench::start(contest())?;
    wins(
        &mut bench,
        (13, &[65_013], &[]),
        (12, &[65_012], &[]),
        [13, 200],
    )?;
    bench.untouched()
}

#[test]
fn with_equal_identifiers_the_lower_peer_address_wins() -> Outcome {
    let mut bench = Bench::start(contest())?;
    wins(
        &mut bench,
        (12, &[65_012], &[]),
        (13, &[65_013], &[]),
        [77, 77],
    )?;
    bench.untouched()
}
