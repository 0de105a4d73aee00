//! RFC 7606 (revised error handling for UPDATE messages): every malformed attribute has the
//! consequence its section names, and no other.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::net::Ipv4Addr;

use conformance::blackbox::message::{self, NON_TRANSITIVE, TRANSITIVE, WELL_KNOWN, code};
use conformance::blackbox::{Attribute, Bench, Error, Outcome, Prefix, Session, Setup, Update};

/// The peer whose messages are malformed, of another AS and of the speaker's own.
const EXTERNAL: u8 = 2;
const INTERNAL: u8 = 5;

/// A route of the message: its third octet says which case it is.
fn route(case: usize) -> Prefix {
    Prefix::new(Ipv4Addr::new(192, 0, u8::try_from(case).unwrap(), 0), 24)
}

/// A healthy announcement, spoilt.
type Spoil = fn(Update) -> Update;

/// A case of a table: its name, and how an announcement is spoilt.
type Case = (&'static str, Spoil);

/// Runs a table on one session, which must stay up: each route is announced as it should be, then
/// announced malformed. `check` says what became of it.
fn on_one_session(
    host: u8,
    cases: &[Case],
    check: impl Fn(&mut Bench, Prefix) -> Outcome,
) -> Outcome {
    let mut bench = Bench::start(
        Setup::new()
            .peer(EXTERNAL, 65_002)
            .peer(INTERNAL, Setup::ASN),
    )?;
    let mut session = bench.session(host)?;
    for (at, (case, spoil)) in cases.iter().enumerate() {
        let route = route(at);
        let mut run = || {
            let healthy = bench.announcement(host, &[route]);
            session.update(&healthy)?;
            bench.observer.until_told(route)?;
            session.update(&spoil(healthy.with(Attribute::origin(2))))?;
            bench.pass(host, &mut session)?;
            check(&mut bench, route)?;
            // The session works on for the same route.
            session.update(&bench.announcement(host, &[route]))?;
            bench.observer.until_told(route)?;
            bench.pass(host, &mut session)
        };
        run().map_err(|error| error.case(case))?;
    }
    bench.untouched()
}

fn treated_as_withdraw(host: u8, cases: &[Case]) -> Outcome {
    on_one_session(host, cases, |bench, route| match bench.seen(route)? {
        None => Ok(()),
        Some(route) => Err(Error::rule(
            "treat-as-withdraw",
            format!("the route is {route:?}"),
        )),
    })
}

/// The route is there with the new attributes (ORIGIN is 2), but without `attribute`.
fn discarded(host: u8, attribute: u8, cases: &[Case]) -> Outcome {
    on_one_session(host, cases, |bench, route| {
        let seen = bench.seen(route)?;
        let seen = seen.ok_or_else(|| Error::rule("attribute discard", "the route is gone"))?;
        let origin = seen.attribute(code::ORIGIN).map(|one| one.value.clone());
        if seen.attribute(attribute).is_some() || origin != Some(vec![2]) {
            return Err(Error::rule(
                "attribute discard",
                format!("the route is {seen:?}"),
            ));
        }
        Ok(())
    })
}

/// A case that resets: its name, the subcode, and the octets made of an announcement.
type Reset = (&'static str, u8, fn(Update) -> Vec<u8>);

/// Each case resets a session of its own with the NOTIFICATION 3/`subcode`.
fn resets(cases: &[Reset]) -> Outcome {
    let hosts = 10..10 + u8::try_from(cases.len()).unwrap();
    let mut bench = Bench::start(Setup::new().peers(hosts.clone(), 65_002))?;
    for ((at, (case, subcode, spoil)), host) in cases.iter().enumerate().zip(hosts) {
        let mut run = || {
            let mut session = bench.session(host)?;
            let healthy = bench.announcement(host, &[route(at)]);
            session.update(&healthy)?;
            bench.observer.until_told(route(at))?;
            session.send(&spoil(healthy))?;
            session.expect_notification(3, *subcode)?;
            bench.observer.until_withdrawn(route(at))
        };
        run().map_err(|error| error.case(case))?;
    }
    bench.untouched()
}

fn new(flags: u8, code: u8, value: &[u8]) -> Attribute {
    Attribute::new(flags, code, value)
}

// ---- Treat-as-withdraw ----

#[test]
fn a_malformed_origin_is_treated_as_withdraw() -> Outcome {
    treated_as_withdraw(
        EXTERNAL,
        &[
            ("value 3", |u| u.with(Attribute::origin(3))),
            ("value 255", |u| u.with(Attribute::origin(255))),
            ("length 0", |u| u.with(new(WELL_KNOWN, code::ORIGIN, &[]))),
            ("length 2", |u| {
                u.with(new(WELL_KNOWN, code::ORIGIN, &[0, 0]))
            }),
        ],
    )
}

#[test]
fn a_malformed_as_path_is_treated_as_withdraw() -> Outcome {
    treated_as_withdraw(
        EXTERNAL,
        &[
            ("segment type 0", |u| {
                u.with(new(WELL_KNOWN, code::AS_PATH, &[0, 1, 0, 0, 0xfd, 0xea]))
            }),
            ("segment type 5", |u| {
                u.with(new(WELL_KNOWN, code::AS_PATH, &[5, 1, 0, 0, 0xfd, 0xea]))
            }),
            ("segment of no AS", |u| {
                u.with(new(WELL_KNOWN, code::AS_PATH, &[2, 0]))
            }),
            ("overrun", |u| {
                u.with(new(WELL_KNOWN, code::AS_PATH, &[2, 2, 0, 0, 0xfd, 0xea]))
            }),
            ("underrun", |u| {
                u.with(new(WELL_KNOWN, code::AS_PATH, &[2, 1, 0, 0, 0xfd, 0xea, 2]))
            }),
            ("numbers of two octets", |u| {
                u.with(Attribute::as_path_2(&[65_002]))
            }),
            ("confederation segment", |u| {
                u.with(new(WELL_KNOWN, code::AS_PATH, &[3, 1, 0, 0, 0xfd, 0xea]))
            }),
        ],
    )
}

#[test]
fn a_malformed_next_hop_is_treated_as_withdraw() -> Outcome {
    treated_as_withdraw(
        EXTERNAL,
        &[
            ("length 3", |u| {
                u.with(new(WELL_KNOWN, code::NEXT_HOP, &[10, 0, 0]))
            }),
            ("length 16", |u| {
                u.with(new(WELL_KNOWN, code::NEXT_HOP, &[1; 16]))
            }),
            ("length 0", |u| u.with(new(WELL_KNOWN, code::NEXT_HOP, &[]))),
        ],
    )
}

#[test]
fn a_malformed_med_is_treated_as_withdraw() -> Outcome {
    treated_as_withdraw(
        EXTERNAL,
        &[
            ("length 0", |u| u.with(new(NON_TRANSITIVE, code::MED, &[]))),
            ("length 3", |u| {
                u.with(new(NON_TRANSITIVE, code::MED, &[0, 0, 1]))
            }),
            ("length 5", |u| {
                u.with(new(NON_TRANSITIVE, code::MED, &[0, 0, 0, 0, 1]))
            }),
        ],
    )
}

#[test]
fn malformed_communities_are_treated_as_withdraw() -> Outcome {
    treated_as_withdraw(
        EXTERNAL,
        &[
            ("length 0", |u| {
                u.with(new(TRANSITIVE, code::COMMUNITIES, &[]))
            }),
            ("length 3", |u| {
                u.with(new(TRANSITIVE, code::COMMUNITIES, &[1, 2, 3]))
            }),
            ("length 6", |u| {
                u.with(new(TRANSITIVE, code::COMMUNITIES, &[1; 6]))
            }),
            ("extended, length 0", |u| {
                u.with(new(TRANSITIVE, code::EXTENDED_COMMUNITIES, &[]))
            }),
            ("extended, length 9", |u| {
                u.with(new(TRANSITIVE, code::EXTENDED_COMMUNITIES, &[0; 9]))
            }),
            ("large, length 0", |u| {
                u.with(new(TRANSITIVE, code::LARGE_COMMUNITIES, &[]))
            }),
            ("large, length 13", |u| {
                u.with(new(TRANSITIVE, code::LARGE_COMMUNITIES, &[0; 13]))
            }),
        ],
    )
}

#[test]
fn malformed_attributes_of_the_own_as_are_treated_as_withdraw() -> Outcome {
    treated_as_withdraw(
        INTERNAL,
        &[
            ("LOCAL_PREF of 3", |u| {
                u.with(new(WELL_KNOWN, code::LOCAL_PREF, &[0, 0, 1]))
            }),
            ("LOCAL_PREF of 0", |u| {
                u.with(new(WELL_KNOWN, code::LOCAL_PREF, &[]))
            }),
            ("ORIGINATOR_ID of 5", |u| {
                u.with(new(NON_TRANSITIVE, code::ORIGINATOR_ID, &[1; 5]))
            }),
            ("CLUSTER_LIST of 0", |u| {
                u.with(new(NON_TRANSITIVE, code::CLUSTER_LIST, &[]))
            }),
            ("CLUSTER_LIST of 6", |u| {
                u.with(new(NON_TRANSITIVE, code::CLUSTER_LIST, &[1; 6]))
            }),
        ],
    )
}

#[test]
fn wrong_optional_or_transitive_flags_are_treated_as_withdraw() -> Outcome {
    treated_as_withdraw(
        EXTERNAL,
        &[
            ("ORIGIN optional", |u| {
                u.with(new(TRANSITIVE, code::ORIGIN, &[0]))
            }),
            ("ORIGIN not transitive", |u| {
                u.with(new(0, code::ORIGIN, &[0]))
            }),
            ("NEXT_HOP optional", |u| {
                u.with(new(TRANSITIVE, code::NEXT_HOP, &[10, 0, 0, 9]))
            }),
            ("MED transitive", |u| {
                u.with(new(TRANSITIVE, code::MED, &[0, 0, 0, 1]))
            }),
            ("MED well-known", |u| {
                u.with(new(WELL_KNOWN, code::MED, &[0, 0, 0, 1]))
            }),
            ("COMMUNITIES not transitive", |u| {
                u.with(new(NON_TRANSITIVE, code::COMMUNITIES, &[0xfd, 0xea, 0, 1]))
            }),
            ("COMMUNITIES well-known", |u| {
                u.with(new(WELL_KNOWN, code::COMMUNITIES, &[0xfd, 0xea, 0, 1]))
            }),
        ],
    )
}

#[test]
fn a_missing_well_known_attribute_is_treated_as_withdraw() -> Outcome {
    treated_as_withdraw(
        EXTERNAL,
        &[
            ("no ORIGIN", |u| u.without(code::ORIGIN)),
            ("no AS_PATH", |u| u.without(code::AS_PATH)),
            ("no NEXT_HOP", |u| u.without(code::NEXT_HOP)),
            ("no attribute", |mut u| {
                u.attributes.clear();
                u
            }),
        ],
    )
}

/// Attributes whose lengths do not add up, though the total says where the routes begin.
#[test]
fn attributes_that_do_not_fit_their_total_length_are_treated_as_withdraw() -> Outcome {
    let endings: [(&str, &[u8]); 4] = [
        ("one octet is left", &[0x40]),
        ("two octets are left", &[0xc0, 200]),
        ("a value longer than the rest", &[0xc0, 8, 8, 1, 2, 3, 4]),
        ("an extended length without its second octet", &[0xd0, 8, 0]),
    ];
    let mut bench = Bench::start(Setup::new().peer(EXTERNAL, 65_002))?;
    let mut session = bench.session(EXTERNAL)?;
    for (at, (case, ending)) in endings.iter().enumerate() {
        let healthy = bench.announcement(EXTERNAL, &[route(at)]);
        session.update(&healthy)?;
        bench.observer.until_told(route(at))?;
        let attributes = [&healthy.attribute_bytes(), *ending].concat();
        session.send(&healthy.bytes_with(&attributes))?;
        bench
            .pass(EXTERNAL, &mut session)
            .map_err(|e| e.case(case))?;
        assert_eq!(bench.seen(route(at))?, None, "{case}");
    }
    bench.untouched()
}

#[test]
fn treat_as_withdraw_takes_every_route_of_the_message_and_no_other() -> Outcome {
    let mut bench = Bench::start(Setup::new().peer(EXTERNAL, 65_002))?;
    let mut session = bench.session(EXTERNAL)?;
    let all: Vec<Prefix> = (0..4).map(route).collect();
    session.update(&bench.announcement(EXTERNAL, &all))?;
    bench.pass(EXTERNAL, &mut session)?;
    let mut spoilt = bench.announcement(EXTERNAL, &[route(0), route(1)]);
    spoilt.withdrawn = vec![route(2)];
    session.update(&spoilt.with(Attribute::origin(9)))?;
    bench.pass(EXTERNAL, &mut session)?;
    let seen = bench.observer.refresh()?;
    let left: Vec<bool> = all.iter().map(|route| seen.contains_key(route)).collect();
    assert_eq!(left, [false, false, false, true]);
    bench.untouched()
}

// ---- Attribute discard ----

#[test]
fn a_malformed_atomic_aggregate_is_discarded() -> Outcome {
    discarded(
        EXTERNAL,
        code::ATOMIC_AGGREGATE,
        &[("length 1", |u| {
            u.with(new(WELL_KNOWN, code::ATOMIC_AGGREGATE, &[0]))
        })],
    )
}

#[test]
fn a_malformed_aggregator_is_discarded() -> Outcome {
    discarded(
        EXTERNAL,
        code::AGGREGATOR,
        &[
            ("length 0", |u| {
                u.with(new(TRANSITIVE, code::AGGREGATOR, &[]))
            }),
            ("length 6", |u| {
                u.with(new(TRANSITIVE, code::AGGREGATOR, &[1; 6]))
            }),
            ("length 9", |u| {
                u.with(new(TRANSITIVE, code::AGGREGATOR, &[1; 9]))
            }),
        ],
    )
}

#[test]
fn local_pref_originator_id_and_cluster_list_of_another_as_are_discarded_unread() -> Outcome {
    let all: [(u8, Case); 6] = [
        (
            code::LOCAL_PREF,
            ("LOCAL_PREF", |u| u.with(Attribute::local_pref(500))),
        ),
        (
            code::LOCAL_PREF,
            ("LOCAL_PREF of 3", |u| {
                u.with(new(WELL_KNOWN, code::LOCAL_PREF, &[1; 3]))
            }),
        ),
        (
            code::ORIGINATOR_ID,
            ("ORIGINATOR_ID", |u| {
                u.with(new(NON_TRANSITIVE, code::ORIGINATOR_ID, &[10, 0, 0, 1]))
            }),
        ),
        (
            code::ORIGINATOR_ID,
            ("ORIGINATOR_ID of 3", |u| {
                u.with(new(NON_TRANSITIVE, code::ORIGINATOR_ID, &[1; 3]))
            }),
        ),
        (
            code::CLUSTER_LIST,
            ("CLUSTER_LIST", |u| {
                u.with(new(NON_TRANSITIVE, code::CLUSTER_LIST, &[10, 0, 0, 1]))
            }),
        ),
        (
            code::CLUSTER_LIST,
            ("CLUSTER_LIST of 5", |u| {
                u.with(new(NON_TRANSITIVE, code::CLUSTER_LIST, &[1; 5]))
            }),
        ),
    ];
    all.iter()
        .try_for_each(|(attribute, case)| discarded(EXTERNAL, *attribute, &[*case]))
}

#[test]
fn of_an_attribute_that_stands_twice_the_first_counts() -> Outcome {
    let mut bench = Bench::start(Setup::new().peer(EXTERNAL, 65_002))?;
    let mut session = bench.session(EXTERNAL)?;
    let update = bench
        .announcement(EXTERNAL, &[route(0)])
        .with(Attribute::communities(&[65_002 << 16 | 1]))
        .and(Attribute::communities(&[65_002 << 16 | 2]))
        .and(Attribute::origin(2))
        // Not even looked at: it is malformed.
        .and(new(WELL_KNOWN, code::NEXT_HOP, &[1]));
    session.update(&update)?;
    let told = bench.observer.until_told(route(0))?;
    assert_eq!(told.communities(), [65_002 << 16 | 1]);
    assert_eq!(told.attribute(code::ORIGIN), Some(&Attribute::origin(0)));
    bench.pass(EXTERNAL, &mut session)?;
    bench.untouched()
}

/// §3 c: only Optional and Transitive are errors; Partial and the lower bits are not.
#[test]
fn the_partial_bit_and_unused_bits_of_the_flags_are_no_errors() -> Outcome {
    let mut bench = Bench::start(Setup::new().peer(EXTERNAL, 65_002))?;
    let mut session = bench.session(EXTERNAL)?;
    let update = bench
        .announcement(EXTERNAL, &[route(0)])
        .with(new(WELL_KNOWN | 0x0f, code::ORIGIN, &[0]))
        .with(new(
            TRANSITIVE | 0x2a,
            code::COMMUNITIES,
            &[0xfd, 0xea, 0, 1],
        ));
    session.update(&update)?;
    let told = bench.observer.until_told(route(0))?;
    assert_eq!(told.communities(), [0xfdea_0001]);
    bench.pass(EXTERNAL, &mut session)?;
    bench.untouched()
}

#[test]
fn an_extended_length_for_a_short_attribute_is_no_error() -> Outcome {
    let mut bench = Bench::start(Setup::new().peer(EXTERNAL, 65_002))?;
    let mut session = bench.session(EXTERNAL)?;
    let update =
        bench
            .announcement(EXTERNAL, &[route(0)])
            .with(new(WELL_KNOWN | 0x10, code::ORIGIN, &[1]));
    session.update(&update)?;
    let told = bench.observer.until_told(route(0))?;
    assert_eq!(told.attribute(code::ORIGIN), Some(&Attribute::origin(1)));
    bench.untouched()
}

// ---- Session reset ----

fn body(octets: &[u8]) -> Vec<u8> {
    message::message(message::UPDATE, octets)
}

#[test]
fn length_fields_beyond_the_message_reset_the_session() -> Outcome {
    resets(&[
        ("withdrawn routes", 1, |_| body(&[0, 9, 24, 192, 0, 2])),
        ("attributes", 1, |_| body(&[0, 0, 0, 9, 0x40, 1, 1, 0])),
        ("both", 1, |_| body(&[0xff, 0xff, 0xff, 0xff])),
    ])
}

#[test]
fn routes_that_cannot_be_read_reset_the_session() -> Outcome {
    fn nlri(mut octets: Vec<u8>, tail: &[u8]) -> Vec<u8> {
        octets.drain(..message::HEADER_LEN);
        octets.extend_from_slice(tail);
        body(&octets)
    }
    resets(&[
        ("a length of 33", 10, |u| {
            nlri(u.bytes(), &[33, 192, 0, 2, 0, 0])
        }),
        ("a length of 255", 10, |u| nlri(u.bytes(), &[255])),
        ("too few octets", 10, |u| nlri(u.bytes(), &[24, 192, 0])),
        ("withdrawn, a length of 33", 10, |_| {
            body(&[0, 6, 33, 192, 0, 2, 0, 0, 0, 0])
        }),
        ("withdrawn, too few octets", 10, |_| {
            body(&[0, 2, 24, 192, 0, 0])
        }),
    ])
}

#[test]
fn an_unknown_well_known_attribute_resets_the_session() -> Outcome {
    resets(&[("code 99", 2, |u| {
        u.with(new(WELL_KNOWN, 99, &[1, 2])).bytes()
    })])
}

#[test]
fn multiprotocol_attributes_that_cannot_be_read_reset_the_session() -> Outcome {
    fn reach(u: &Update, value: &[u8]) -> Vec<u8> {
        u.clone()
            .with(new(NON_TRANSITIVE, code::MP_REACH, value))
            .bytes()
    }
    resets(&[
        ("MP_REACH of 2 octets", 9, |u| reach(&u, &[0, 1])),
        ("MP_REACH, next hop overruns", 9, |u| {
            reach(&u, &[0, 1, 1, 40, 10, 0, 0, 1, 0])
        }),
        ("MP_REACH, next hop of 5", 9, |u| {
            reach(&u, &[0, 1, 1, 5, 10, 0, 0, 1, 1, 0, 24, 192, 0, 99])
        }),
        ("MP_REACH, route of 33 bits", 9, |u| {
            reach(&u, &[0, 1, 1, 4, 10, 0, 0, 1, 0, 33, 1, 1, 1, 1, 1])
        }),
        ("MP_UNREACH of 2 octets", 9, |u| {
            u.with(new(NON_TRANSITIVE, code::MP_UNREACH, &[0, 1]))
                .bytes()
        }),
        ("MP_UNREACH, route of 33 bits", 9, |u| {
            u.with(new(
                NON_TRANSITIVE,
                code::MP_UNREACH,
                &[0, 1, 1, 33, 1, 1, 1, 1, 1],
            ))
            .bytes()
        }),
        ("two MP_UNREACH", 1, |u| {
            let unreach = new(NON_TRANSITIVE, code::MP_UNREACH, &[0, 1, 1]);
            u.and(unreach.clone()).and(unreach).bytes()
        }),
        ("MP_REACH with the flags of a well-known one", 4, |u| {
            u.with(new(
                WELL_KNOWN,
                code::MP_REACH,
                &[0, 1, 1, 4, 10, 0, 0, 1, 0],
            ))
            .bytes()
        }),
    ])
}

/// §5.2: "if any of the attributes ... is malformed and there is no NLRI, session reset".
#[test]
fn a_malformed_attribute_in_a_message_without_routes_resets_the_session() -> Outcome {
    resets(&[
        ("ORIGIN", 6, |mut u| {
            u.announced.clear();
            u.with(Attribute::origin(9)).bytes()
        }),
        ("MED", 5, |mut u| {
            u.announced.clear();
            u.with(new(NON_TRANSITIVE, code::MED, &[1])).bytes()
        }),
    ])
}

/// The strongest of several errors decides (§3 h).
#[test]
fn of_several_errors_the_strongest_approach_is_used() -> Outcome {
    treated_as_withdraw(
        EXTERNAL,
        &[("discard and withdraw", |u| {
            u.with(new(TRANSITIVE, code::AGGREGATOR, &[1]))
                .with(Attribute::origin(9))
        })],
    )?;
    resets(&[("withdraw and reset", 2, |u| {
        u.with(Attribute::origin(9))
            .with(new(WELL_KNOWN, 99, &[]))
            .bytes()
    })])
}

/// The session that stays up is not slowed or confused by what it said before.
#[test]
fn a_session_survives_a_hundred_malformed_updates_in_a_row() -> Outcome {
    let mut bench = Bench::start(Setup::new().peer(EXTERNAL, 65_002))?;
    let mut session: Session = bench.session(EXTERNAL)?;
    for _ in 0..100 {
        let update = bench.announcement(EXTERNAL, &[route(0)]);
        session.update(&update.with(Attribute::origin(7)))?;
    }
    session.update(&bench.announcement(EXTERNAL, &[route(1)]))?;
    bench.observer.until_told(route(1))?;
    bench.pass(EXTERNAL, &mut session)?;
    assert_eq!(bench.seen(route(0))?, None);
    bench.untouched()
}
