//! RFC 5065 (confederations): paths inside and outside, loops, and malformed ones.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use conformance::blackbox::message::{self, code};
use conformance::blackbox::{Attribute, Bench, Error, Outcome, Prefix, Route, Session, Setup};

const ROUTE: Prefix = Prefix {
    addr: std::net::Ipv4Addr::new(192, 0, 2, 0),
    len: 24,
};

/// AS_SEQUENCE, and the kinds of RFC 5065 §3.
const SEQUENCE: u8 = 2;
const CONFED_SEQUENCE: u8 = 3;
const CONFED_SET: u8 = 4;

/// The speaker is member AS 65001 of AS 65100. Neighbours 5 and 6 are of the members 65005 and 65006,
/// 7 is of the speaker's, 2 of AS 65002 outside.
fn confederation() -> Setup {
    let tables = "[router]\nconfederation_id = 65100\nconfederation_members = [65005, 65006]";
    let setup = Setup::new().peer(2, 65_002).peer(5, 65_005).peer(6, 65_006);
    setup.peer(7, Setup::ASN).tables(tables)
}

fn segments(all: &[(u8, &[u32])]) -> Attribute {
    let mut value = Vec::new();
    for (kind, numbers) in all {
        value.extend([*kind, u8::try_from(numbers.len()).unwrap()]);
        value.extend(numbers.iter().flat_map(|asn| asn.to_be_bytes()));
    }
    Attribute::new(message::WELL_KNOWN, code::AS_PATH, value)
}

fn path(route: &Route) -> &[u8] {
    &route.attribute(code::AS_PATH).expect("AS_PATH").value
}

/// The route from a host with this path, dealt with.
fn announce(bench: &mut Bench, host: u8, session: &mut Session, path: &Attribute) -> Outcome {
    let update = bench.announcement(host, &[ROUTE]);
    session.update(&update.with(path.clone()).with(Attribute::local_pref(70)))?;
    pass(bench, host, session)
}

/// What members send has to begin with their number.
fn pass(bench: &mut Bench, host: u8, session: &mut Session) -> Outcome {
    let first = segments(&[(CONFED_SEQUENCE, &[65_000 + u32::from(host)])]);
    bench.pass_with(host, session, |update| update.with(first))
}

/// What a host is told of the route.
fn told(session: &mut Session) -> Result<Option<Route>, Error> {
    Ok(session.refresh()?.remove(&ROUTE))
}

/// Each of these paths from a member ends the route that outside was told of.
fn ends_the_route<const COUNT: usize>(paths: [Attribute; COUNT]) -> Outcome {
    let mut bench = Bench::start(confederation())?;
    let (mut member, mut outside) = (bench.session(5)?, bench.session(2)?);
    let good = segments(&[(CONFED_SEQUENCE, &[65_005])]);
    for bad in paths {
        announce(&mut bench, 5, &mut member, &good)?;
        assert!(told(&mut outside)?.is_some());
        announce(&mut bench, 5, &mut member, &bad)?;
        assert_eq!(told(&mut outside)?, None, "{bad:?}");
    }
    bench.untouched()
}

#[test]
fn members_are_told_the_member_as_and_others_the_confederation() -> Outcome {
    let mut bench = Bench::start(confederation())?;
    for (host, asn) in [(5, Setup::ASN), (7, Setup::ASN), (2, 65_100)] {
        let session = bench.session(host)?;
        assert_eq!(u32::from(session.open.asn), asn, "{host}");
    }
    bench.untouched()
}

#[test]
fn a_path_grows_by_members_within_and_by_one_number_outside() -> Outcome {
    let mut bench = Bench::start(confederation())?;
    let (mut member, mut other) = (bench.session(5)?, bench.session(6)?);
    let (mut internal, mut outside) = (bench.session(7)?, bench.session(2)?);
    let inside = segments(&[(CONFED_SEQUENCE, &[65_005]), (SEQUENCE, &[65_070])]);
    announce(&mut bench, 5, &mut member, &inside)?;
    let route = told(&mut other)?.expect("another member's");
    let grown = segments(&[(CONFED_SEQUENCE, &[65_001, 65_005]), (SEQUENCE, &[65_070])]);
    assert_eq!(path(&route), grown.value);
    assert_eq!(
        path(&told(&mut internal)?.expect("within the member")),
        inside.value
    );
    let route = told(&mut outside)?.expect("outside");
    assert_eq!(
        path(&route),
        segments(&[(SEQUENCE, &[65_100, 65_070])]).value
    );
    bench.untouched()
}

#[test]
fn a_segment_is_made_where_the_path_does_not_begin_with_one() -> Outcome {
    let mut bench = Bench::start(confederation())?;
    let (mut member, mut outside) = (bench.session(5)?, bench.session(2)?);
    let path_of = |asn| segments(&[(SEQUENCE, &[asn])]);
    let update = bench.announcement(2, &[ROUTE]);
    outside.update(&update.with(path_of(65_002)))?;
    bench.pass(2, &mut outside)?;
    let route = told(&mut member)?.expect("a route");
    let made = segments(&[(CONFED_SEQUENCE, &[65_001]), (SEQUENCE, &[65_002])]);
    assert_eq!(path(&route), made.value);
    // The same for what the speaker announces itself.
    let own = member.refresh()?.remove(&Setup::NETWORK).expect("it");
    assert_eq!(path(&own), segments(&[(CONFED_SEQUENCE, &[65_001])]).value);
    bench.untouched()
}

#[test]
fn preference_next_hop_and_med_are_kept_between_members() -> Outcome {
    let mut bench = Bench::start(confederation())?;
    let (mut member, mut other) = (bench.session(5)?, bench.session(6)?);
    let update = bench.announcement(5, &[ROUTE]).with(Attribute::med(9));
    let inside = segments(&[(CONFED_SEQUENCE, &[65_005])]);
    member.update(&update.with(inside).with(Attribute::local_pref(70)))?;
    pass(&mut bench, 5, &mut member)?;
    let route = told(&mut other)?.expect("a route");
    assert_eq!(route.number(code::LOCAL_PREF), Some(70));
    assert_eq!(route.number(code::MED), Some(9));
    assert_eq!(route.next_hop(), Some(bench.host(5)));
    bench.untouched()
}

#[test]
fn a_path_through_our_member_or_our_confederation_is_a_loop() -> Outcome {
    ends_the_route([
        segments(&[(CONFED_SEQUENCE, &[65_005, 65_001])]),
        segments(&[(CONFED_SEQUENCE, &[65_005]), (CONFED_SET, &[65_001])]),
        segments(&[(CONFED_SEQUENCE, &[65_005]), (SEQUENCE, &[65_100])]),
    ])
}

#[test]
fn a_confederation_segment_from_outside_is_a_malformed_path() -> Outcome {
    let mut bench = Bench::start(confederation())?;
    let (mut outside, mut member) = (bench.session(2)?, bench.session(5)?);
    for bad in [
        segments(&[(CONFED_SEQUENCE, &[65_002])]),
        segments(&[(SEQUENCE, &[65_002]), (CONFED_SET, &[65_009])]),
    ] {
        outside.update(&bench.announcement(2, &[ROUTE]))?;
        bench.pass(2, &mut outside)?;
        assert!(told(&mut member)?.is_some());
        outside.update(&bench.announcement(2, &[ROUTE]).with(bad))?;
        bench.pass(2, &mut outside)?;
        assert_eq!(told(&mut member)?, None);
    }
    bench.untouched()
}

#[test]
fn a_path_from_a_member_that_begins_with_no_confederation_sequence_is_malformed() -> Outcome {
    ends_the_route([
        segments(&[(SEQUENCE, &[65_005])]),
        segments(&[]),
        segments(&[(CONFED_SET, &[65_005])]),
    ])
}

#[test]
fn segments_of_the_confederation_do_not_make_a_path_longer_and_members_are_no_other_as() -> Outcome
{
    let mut bench = Bench::start(confederation())?;
    let (mut member, mut outside) = (bench.session(5)?, bench.session(2)?);
    let mut internal = bench.session(7)?;
    let inside = segments(&[
        (CONFED_SEQUENCE, &[65_005, 65_006, 65_010]),
        (SEQUENCE, &[65_070]),
    ]);
    let preferred = Attribute::local_pref(100);
    let update = bench.announcement(5, &[ROUTE]).with(inside.clone());
    member.update(&update.with(preferred))?;
    pass(&mut bench, 5, &mut member)?;
    // Shorter than two numbers from outside ..
    let longer = segments(&[(SEQUENCE, &[65_002, 65_070])]);
    outside.update(&bench.announcement(2, &[ROUTE]).with(longer))?;
    bench.pass(2, &mut outside)?;
    assert_eq!(path(&told(&mut internal)?.expect("it")), inside.value);
    // .. and as long as one, which wins since it is from another AS.
    let equal = segments(&[(SEQUENCE, &[65_002])]);
    outside.update(&bench.announcement(2, &[ROUTE]).with(equal.clone()))?;
    bench.pass(2, &mut outside)?;
    assert_eq!(path(&told(&mut internal)?.expect("it")), equal.value);
    bench.untouched()
}

#[test]
fn no_export_stays_in_the_confederation_and_local_as_in_the_member() -> Outcome {
    let mut bench = Bench::start(confederation())?;
    let mut internal = bench.session(7)?;
    for (community, member) in [(0xffff_ff01, true), (0xffff_ff03, false)] {
        let mut other = bench.reconnect(5, &bench.open(5))?;
        let update = bench.announcement(7, &[ROUTE]);
        internal.update(&update.with(Attribute::communities(&[community])))?;
        bench.pass(7, &mut internal)?;
        assert_eq!(told(&mut other)?.is_some(), member, "{community:#x}");
        assert_eq!(bench.seen(ROUTE)?, None);
    }
    bench.untouched()
}
