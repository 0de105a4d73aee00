//! RFC 4360 (extended communities): which of them leave an AS.

use conformance::blackbox::message::{TRANSITIVE, code};
use conformance::blackbox::{Attribute, Bench, Outcome, Prefix, Setup};

const ROUTE: Prefix = Prefix {
    addr: std::net::Ipv4Addr::new(192, 0, 2, 0),
    len: 24,
};

#[test]
fn a_non_transitive_community_does_not_go_to_another_as_and_others_do() -> Outcome {
    let mut bench = Bench::start(Setup::new().peer(2, 65_002).peer(5, Setup::ASN))?;
    // A route target of two octets, one of four (RFC 5668), and a type that nobody knows; then the
    // same with the bit that says non-transitive.
    let transitive = [
        [0, 2, 0xfd, 0xea, 0, 0, 0, 1],
        [2, 2, 0, 1, 0, 1, 0, 1],
        [0x3f, 1, 2, 3, 4, 5, 6, 7],
    ];
    let others = transitive.map(|[kind, rest @ ..]| {
        let [a, b, c, d, e, f, g] = rest;
        [kind | 0x40, a, b, c, d, e, f, g]
    });
    let all = [transitive, others].concat().concat();
    let (mut session, mut internal) = (bench.session(2)?, bench.session(5)?);
    let update = bench.announcement(2, &[ROUTE]);
    let attribute = Attribute::new(TRANSITIVE, code::EXTENDED_COMMUNITIES, all.clone());
    session.update(&update.with(attribute))?;
    let sorted = |value: &[u8]| {
        let mut list: Vec<Vec<u8>> = value.chunks(8).map(<[u8]>::to_vec).collect();
        list.sort();
        list
    };
    let told = bench.observer.until_told(ROUTE)?;
    let value = told
        .attribute(code::EXTENDED_COMMUNITIES)
        .map(|it| &it.value);
    assert_eq!(
        value.map(|it| sorted(it)),
        Some(sorted(&transitive.concat()))
    );
    // They came from another AS, where they had no business, but within the AS they may stay.
    let told = internal.until_told(ROUTE)?;
    let value = told
        .attribute(code::EXTENDED_COMMUNITIES)
        .map(|it| &it.value);
    let held = value.map(|it| sorted(it)).unwrap_or_default();
    assert!(
        sorted(&transitive.concat())
            .iter()
            .all(|it| held.contains(it))
    );
    bench.untouched()
}
