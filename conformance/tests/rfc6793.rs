//! RFC 6793 (four-octet AS numbers).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use conformance::blackbox::message::{self, AS_TRANS, capability, code};
use conformance::blackbox::{
    Attribute, Bench, Error, Outcome, Prefix, Route, Session, Setup, Update,
};

/// Four-octet numbers for private use (RFC 6996).
const SPEAKER: u32 = 4_200_000_001;
const REMOTE: u32 = 4_200_000_077;

fn prefix(text: &str) -> Prefix {
    text.parse().unwrap()
}

/// A speaker with a four-octet AS number, and peer 2 that has two octets only.
fn old_speaker() -> Result<(Bench, Session), Error> {
    let bench = Bench::start(Setup::new().asn(SPEAKER).peer(2, 65_002).peer(5, 65_005))?;
    let open = bench.open(2).without(capability::FOUR_OCTET_AS);
    let session = bench.session_with(2, &open)?;
    Ok((bench, session))
}

/// Peer 5, which has four octets and announces a route through an AS that needs them.
fn new_speaker(bench: &Bench) -> Result<(Session, Prefix), Error> {
    let mut new = bench.session(5)?;
    let route = prefix("192.0.2.0/24");
    let path = [65_005, REMOTE];
    new.update(&Update::announce(&[route], &path, bench.host(5)))?;
    Ok((new, route))
}

/// What the observer is told of a route that the old speaker announces with these attributes in
/// place of the usual ones.
fn passed_on<const COUNT: usize>(
    attributes: [Attribute; COUNT],
) -> Result<(Bench, Session, Route), Error> {
    let (mut bench, mut old) = old_speaker()?;
    let route = prefix("192.0.2.0/24");
    let update = bench.announcement(2, &[route]);
    old.update(&attributes.into_iter().fold(update, Update::with))?;
    let told = bench.observer.until_told(route)?.clone();
    Ok((bench, old, told))
}

/// AGGREGATOR or AS4_AGGREGATOR: an AS number in two or four octets, and an address.
fn aggregator(code: u8, asn: &[u8], last: u8) -> Attribute {
    let value = [asn, &[192, 0, 2, last]].concat();
    Attribute::new(message::TRANSITIVE, code, value)
}

#[test]
fn a_speaker_with_a_four_octet_number_opens_as_as_trans_with_the_capability() -> Outcome {
    let (mut bench, session) = old_speaker()?;
    assert_eq!(session.open.asn, AS_TRANS);
    let expected = SPEAKER.to_be_bytes();
    assert_eq!(
        session.open.capability(capability::FOUR_OCTET_AS),
        Some(expected.as_slice())
    );
    bench.untouched()
}

#[test]
fn between_new_speakers_paths_have_four_octets_and_no_as4_path() -> Outcome {
    let (mut bench, _) = old_speaker()?;
    let (_new, route) = new_speaker(&bench)?;
    let told = bench.observer.until_told(route)?;
    assert_eq!(told.as_path(), Some(vec![SPEAKER, 65_005, REMOTE]));
    assert_eq!(told.attribute(code::AS4_PATH), None);
    bench.untouched()
}

#[test]
fn an_old_speaker_gets_as_trans_and_the_true_numbers_in_as4_path() -> Outcome {
    let (mut bench, mut old) = old_speaker()?;
    let (_new, route) = new_speaker(&bench)?;
    let told = old.until_told(route)?;
    let trans = u32::from(AS_TRANS);
    assert_eq!(told.as_path(), Some(vec![trans, 65_005, trans]));
    let as4_path = told.attribute(code::AS4_PATH).expect("AS4_PATH");
    assert_eq!(*as4_path, Attribute::as4_path(&[SPEAKER, 65_005, REMOTE]));
    bench.untouched()
}

#[test]
fn no_as4_path_goes_to_an_old_speaker_when_two_octets_are_enough() -> Outcome {
    let mut bench = Bench::start(Setup::new().peer(2, 65_002))?;
    let open = bench.open(2).without(capability::FOUR_OCTET_AS);
    let mut old = bench.session_with(2, &open)?;
    let told = old.until_told(Setup::NETWORK)?;
    assert_eq!(told.as_path(), Some(vec![65_001]));
    assert_eq!(told.attribute(code::AS4_PATH), None);
    bench.untouched()
}

#[test]
fn the_path_of_an_old_speaker_is_put_together_from_both_attributes() -> Outcome {
    let (mut bench, _old, told) = passed_on([
        Attribute::as_path_2(&[65_002, 65_070, AS_TRANS]),
        Attribute::as4_path(&[65_070, REMOTE]),
    ])?;
    assert_eq!(told.as_path(), Some(vec![SPEAKER, 65_002, 65_070, REMOTE]));
    assert_eq!(told.attribute(code::AS4_PATH), None);
    bench.untouched()
}

#[test]
fn an_as4_path_longer_than_the_as_path_is_ignored() -> Outcome {
    let (mut bench, _old, told) = passed_on([
        Attribute::as_path_2(&[65_002, AS_TRANS]),
        Attribute::as4_path(&[65_070, REMOTE, REMOTE]),
    ])?;
    let trans = u32::from(AS_TRANS);
    assert_eq!(told.as_path(), Some(vec![SPEAKER, 65_002, trans]));
    bench.untouched()
}

#[test]
fn as4_aggregator_of_an_old_speaker_becomes_the_aggregator() -> Outcome {
    let (mut bench, _old, told) = passed_on([
        Attribute::as_path_2(&[65_002]),
        aggregator(code::AGGREGATOR, &AS_TRANS.to_be_bytes(), 1),
        aggregator(code::AS4_AGGREGATOR, &REMOTE.to_be_bytes(), 1),
    ])?;
    let expected = aggregator(code::AGGREGATOR, &REMOTE.to_be_bytes(), 1);
    let aggregator = told.attribute(code::AGGREGATOR).expect("AGGREGATOR");
    assert_eq!(aggregator.value, expected.value);
    assert_eq!(told.attribute(code::AS4_AGGREGATOR), None);
    bench.untouched()
}

#[test]
fn with_an_aggregator_other_than_as_trans_the_as4_attributes_are_ignored() -> Outcome {
    let (mut bench, _old, told) = passed_on([
        Attribute::as_path_2(&[65_002, AS_TRANS]),
        Attribute::as4_path(&[65_002, REMOTE]),
        aggregator(code::AGGREGATOR, &[0xfd, 0xea], 1),
        aggregator(code::AS4_AGGREGATOR, &REMOTE.to_be_bytes(), 9),
    ])?;
    let trans = u32::from(AS_TRANS);
    assert_eq!(told.as_path(), Some(vec![SPEAKER, 65_002, trans]));
    let aggregator = told.attribute(code::AGGREGATOR).expect("AGGREGATOR");
    assert_eq!(aggregator.value, [0, 0, 0xfd, 0xea, 192, 0, 2, 1]);
    bench.untouched()
}

#[test]
fn as4_attributes_of_a_new_speaker_are_discarded() -> Outcome {
    let (mut bench, _) = old_speaker()?;
    let mut new = bench.session(5)?;
    let route = prefix("192.0.2.0/24");
    let update = bench
        .announcement(5, &[route])
        .with(Attribute::as4_path(&[REMOTE]))
        .with(aggregator(code::AS4_AGGREGATOR, &REMOTE.to_be_bytes(), 9));
    new.update(&update)?;
    let told = bench.observer.until_told(route)?;
    assert_eq!(told.as_path(), Some(vec![SPEAKER, 65_005]));
    assert_eq!(told.attribute(code::AS4_PATH), None);
    assert_eq!(told.attribute(code::AS4_AGGREGATOR), None);
    bench.untouched()
}

#[test]
fn a_malformed_as4_path_is_discarded_and_the_route_stays() -> Outcome {
    let (mut bench, _old, told) = passed_on([
        Attribute::as_path_2(&[65_002, AS_TRANS]),
        Attribute::new(message::TRANSITIVE, code::AS4_PATH, [2, 2, 0, 0, 0, 1]),
    ])?;
    let trans = u32::from(AS_TRANS);
    assert_eq!(told.as_path(), Some(vec![SPEAKER, 65_002, trans]));
    assert_eq!(told.attribute(code::AS4_PATH), None);
    bench.untouched()
}
