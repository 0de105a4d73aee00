//! RFC 9234 (roles): who may be connected as what, and routes that leak.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use conformance::blackbox::message::{capability, code};
use conformance::blackbox::{
    Attribute, Bench, Open, Outcome, Prefix, Route, Session, Setup, message,
};

const ROUTE: Prefix = Prefix {
    addr: std::net::Ipv4Addr::new(192, 0, 2, 0),
    len: 24,
};

/// Roles of ours in the configuration's words, and the values of the neighbour's role that go with
/// them and that do not (RFC 9234 §4.1: 0 provider, 1 RS, 2 RS-client, 3 customer, 4 peer).
const PAIRS: [(&str, u8, u8); 5] = [
    ("provider", 3, 0),
    ("customer", 0, 4),
    ("route_server", 2, 1),
    ("route_server_client", 1, 3),
    ("peer", 4, 2),
];

/// Neighbours 10 to 14 of AS 65010 to 65014, one for each of our roles.
fn roles(more: &str) -> Setup {
    let numbered = PAIRS.iter().zip(10_u8..);
    numbered.fold(Setup::new(), |setup, ((role, ..), host)| {
        let keys = format!("role = \"{role}\"\n{more}");
        setup.peer(host, 65_000 + u32::from(host)).keys(host, &keys)
    })
}

/// The neighbour's host number by our role.
fn host(role: &str) -> u8 {
    let numbered = PAIRS.iter().zip(10_u8..);
    let mut found = numbered.filter(|((one, ..), _)| *one == role);
    found.next().expect("a role").1
}

fn open(bench: &Bench, host: u8, roles: &[u8]) -> Open {
    let add = |open: Open, role: &u8| open.with(capability::ROLE, &[*role]);
    roles.iter().fold(bench.open(host), add)
}

#[test]
fn our_open_carries_the_configured_role() -> Outcome {
    let mut bench = Bench::start(roles(""))?;
    for ((role, goes, _), own) in PAIRS.iter().zip([0, 3, 1, 2, 4]) {
        let session = bench.session_with(host(role), &open(&bench, host(role), &[*goes]))?;
        assert_eq!(session.open.capability(capability::ROLE), Some(&[own][..]));
    }
    bench.untouched()
}

#[test]
fn roles_that_do_not_go_together_are_refused() -> Outcome {
    let mut bench = Bench::start(roles(""))?;
    for (role, _, refused) in PAIRS {
        let mut connection = bench.connect(host(role))?;
        connection.send(&open(&bench, host(role), &[refused]).bytes())?;
        connection
            .expect_notification(2, 11)
            .map_err(|e| e.case(role))?;
    }
    bench.untouched()
}

#[test]
fn several_roles_are_refused_unless_they_are_one() -> Outcome {
    let mut bench = Bench::start(roles(""))?;
    let mut connection = bench.connect(host("peer"))?;
    connection.send(&open(&bench, host("peer"), &[4, 3]).bytes())?;
    connection.expect_notification(2, 11)?;
    let twice = open(&bench, host("provider"), &[3, 3]);
    bench.session_with(host("provider"), &twice)?;
    bench.untouched()
}

#[test]
fn a_peer_without_role_is_refused_in_strict_mode_only() -> Outcome {
    let mut bench = Bench::start(roles(""))?;
    bench.session(host("peer"))?;
    bench.untouched()?;
    let mut bench = Bench::start(roles("role_strict = true"))?;
    let mut connection = bench.connect(host("peer"))?;
    connection.send(&bench.open(host("peer")).bytes())?;
    connection.expect_notification(2, 11)?;
    bench.session_with(host("peer"), &open(&bench, host("peer"), &[4]))?;
    bench.untouched()
}

/// The route from the neighbour of this role of ours, with a mark, and what the observer, which
/// has no role, is told then.
fn from(
    bench: &mut Bench,
    session: &mut Session,
    role: &str,
    marked_by: Option<u32>,
) -> Result<Option<Route>, conformance::blackbox::Error> {
    let update = bench.announcement(host(role), &[ROUTE]);
    let update = match marked_by {
        Some(asn) => update.with(Attribute::only_to_customer(asn)),
        None => update,
    };
    session.update(&update)?;
    bench.pass(host(role), session)?;
    bench.seen(ROUTE)
}

#[test]
fn a_route_that_leaked_is_ineligible() -> Outcome {
    let mut bench = Bench::start(roles(""))?;
    for (role, leaks) in [
        ("provider", &[65_010, 65_070][..]),
        ("route_server", &[65_012, 65_070]),
        ("peer", &[65_070]),
    ] {
        let mut session = bench.session(host(role))?;
        for marked_by in leaks {
            // It takes the place of the one before.
            if role != "peer" {
                assert!(
                    from(&mut bench, &mut session, role, None)?.is_some(),
                    "{role}"
                );
            }
            let told = from(&mut bench, &mut session, role, Some(*marked_by))?;
            assert_eq!(told, None, "{role} {marked_by}");
        }
        let update = message::Update::withdraw(&[ROUTE]);
        session.update(&update)?;
    }
    bench.untouched()
}

#[test]
fn a_route_from_above_or_a_peer_is_marked_with_the_neighbours_number() -> Outcome {
    let mut bench = Bench::start(roles(""))?;
    for role in ["customer", "route_server_client", "peer"] {
        let mut session = bench.session(host(role))?;
        let told = from(&mut bench, &mut session, role, None)?.expect("a route");
        let number = Some(65_000 + u32::from(host(role)));
        assert_eq!(told.number(code::ONLY_TO_CUSTOMER), number, "{role}");
        session.update(&message::Update::withdraw(&[ROUTE]))?;
        bench.pass(host(role), &mut session)?;
    }
    bench.untouched()
}

/// The route that the observer sends with a mark, as the neighbour of this role of ours is told it.
fn towards(
    bench: &mut Bench,
    role: &str,
    marked_by: Option<u32>,
) -> Result<Option<Route>, conformance::blackbox::Error> {
    let mut session = bench.session(host(role))?;
    let update = bench.announcement(3, &[ROUTE]);
    let update = match marked_by {
        Some(asn) => update.with(Attribute::only_to_customer(asn)),
        None => update,
    };
    bench.observer.update(&update)?;
    // One more by another neighbour's way, so that the first has been dealt with: the next answer
    // to a refresh comes after it.
    bench.settle()?;
    Ok(session.refresh()?.remove(&ROUTE))
}

#[test]
fn a_route_down_or_to_a_peer_is_marked_with_our_number() -> Outcome {
    let mut bench = Bench::start(roles(""))?;
    for (role, mark) in [
        ("provider", Some(Setup::ASN)),
        ("route_server", Some(Setup::ASN)),
        ("peer", Some(Setup::ASN)),
        ("customer", None),
        ("route_server_client", None),
    ] {
        let told = towards(&mut bench, role, None)?.expect("a route");
        assert_eq!(told.number(code::ONLY_TO_CUSTOMER), mark, "{role}");
    }
    bench.untouched()
}

#[test]
fn a_marked_route_does_not_go_up_nor_to_peers() -> Outcome {
    let mut bench = Bench::start(roles(""))?;
    for role in ["customer", "route_server_client", "peer"] {
        assert_eq!(towards(&mut bench, role, Some(65_003))?, None, "{role}");
    }
    bench.untouched()
}

#[test]
fn a_mark_is_kept_as_it_is() -> Outcome {
    let mut bench = Bench::start(roles(""))?;
    for role in ["provider", "route_server"] {
        let told = towards(&mut bench, role, Some(65_070))?.expect("a route");
        assert_eq!(told.number(code::ONLY_TO_CUSTOMER), Some(65_070), "{role}");
    }
    bench
        .observer
        .update(&message::Update::withdraw(&[ROUTE]))?;
    bench.settle()?;
    let mut session = bench.session(host("customer"))?;
    let told = from(&mut bench, &mut session, "customer", Some(65_070))?;
    assert_eq!(
        told.expect("it").number(code::ONLY_TO_CUSTOMER),
        Some(65_070)
    );
    bench.untouched()
}

#[test]
fn a_mark_of_another_length_withdraws_the_route() -> Outcome {
    let mut bench = Bench::start(roles(""))?;
    let mut session = bench.session(host("customer"))?;
    assert!(from(&mut bench, &mut session, "customer", None)?.is_some());
    let update = bench.announcement(host("customer"), &[ROUTE]);
    let short = Attribute::new(message::TRANSITIVE, code::ONLY_TO_CUSTOMER, [0, 0, 1]);
    session.update(&update.with(short))?;
    bench.pass(host("customer"), &mut session)?;
    assert_eq!(bench.seen(ROUTE)?, None);
    bench.untouched()
}
