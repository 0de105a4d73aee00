//! RFC 8210 (RPKI to router), the router's side, beside a scripted cache. A network of the speaker is
//! announced while its origin is valid, so what it believes can be seen.

#![allow(clippy::unwrap_used)]

use conformance::blackbox::{Bench, Error, Outcome, RtrCache, RtrEntry, RtrLink, RtrPdu, Setup};

const MINE: RtrEntry<'static> = (true, "203.0.113.0/24", 24, Setup::ASN);
const GONE: RtrEntry<'static> = (false, "203.0.113.0/24", 24, Setup::ASN);
const OTHER: RtrEntry<'static> = (true, "192.0.2.0/24", 24, 65_009);

const ONLY_VALID: &str = "[[route_map]]\nname = \"VALID\"\n\
    entry = [{ seq = 10, action = \"permit\", match = { rpki = \"valid\" } }]\n";

/// A speaker that tells peer 2 what is valid.
struct Watched {
    bench: Bench,
    session: conformance::blackbox::Session,
}

impl Watched {
    fn start(tables: &str) -> Result<Self, Error> {
        let export = "ipv4_unicast = { export = \"VALID\" }";
        let setup = Setup::new().peer(2, 65_002).keys(2, export);
        let bench = Bench::start(setup.tables(tables).tables(ONLY_VALID))?;
        let session = bench.session(2)?;
        Ok(Self { bench, session })
    }

    fn until_valid(&mut self) -> Result<(), Error> {
        self.session.until_told(Setup::NETWORK).map(drop)
    }

    fn until_not(&mut self) -> Result<(), Error> {
        self.session.until_withdrawn(Setup::NETWORK)
    }
}

/// A speaker whose network is valid by the first answer of a cache.
fn in_step(keys: &str) -> Result<(Watched, RtrCache, RtrLink), Error> {
    let cache = RtrCache::new()?;
    let mut watched = Watched::start(&cache.table(keys)?)?;
    let mut link = cache.accept()?;
    link.expect(RtrPdu::RESET_QUERY)?;
    link.answer(7, 1, &[MINE])?;
    watched.until_valid()?;
    Ok((watched, cache, link))
}

/// The same after a word of the cache that there is something new: the speaker has asked for the
/// changes.
fn asked_for_changes(keys: &str) -> Result<(Watched, RtrCache, RtrLink), Error> {
    let (watched, cache, mut link) = in_step(keys)?;
    link.notify(7, 2)?;
    link.expect(RtrPdu::SERIAL_QUERY)?;
    Ok((watched, cache, link))
}

#[test]
fn a_router_without_data_asks_for_everything() -> Outcome {
    let cache = RtrCache::new()?;
    let mut watched = Watched::start(&cache.table("")?)?;
    let asked = cache.accept()?.hear()?;
    let question = (asked.version, asked.kind, asked.number, asked.body.len());
    assert_eq!(question, (1, RtrPdu::RESET_QUERY, 0, 0));
    watched.bench.untouched()
}

#[test]
fn a_word_of_the_cache_leads_to_a_question_for_changes() -> Outcome {
    let (mut watched, _cache, mut link) = in_step("")?;
    link.notify(7, 2)?;
    let asked = link.expect(RtrPdu::SERIAL_QUERY)?;
    assert_eq!((asked.number, asked.body), (7, vec![0, 0, 0, 1]));
    link.answer(7, 2, &[GONE])?;
    watched.until_not()?;
    watched.bench.untouched()
}

#[test]
fn a_cache_reset_leads_to_a_question_for_everything() -> Outcome {
    let (mut watched, _cache, mut link) = asked_for_changes("")?;
    link.say(1, 8, 0, &[])?;
    link.expect(RtrPdu::RESET_QUERY)?;
    // What is not in it any more is gone.
    link.answer(9, 1, &[OTHER])?;
    watched.until_not()?;
    watched.bench.untouched()
}

#[test]
fn half_an_answer_is_not_used() -> Outcome {
    let (mut watched, cache, mut link) = asked_for_changes("")?;
    link.begin(1, 7, &[GONE])?;
    drop(link);
    // It asks for the same again, and nothing has changed.
    let asked = cache.accept()?.expect(RtrPdu::SERIAL_QUERY)?;
    assert_eq!(asked.body, [0, 0, 0, 1]);
    assert!(watched.session.told(Setup::NETWORK).is_some());
    watched.bench.untouched()
}

#[test]
fn an_entry_that_does_not_fit_is_reported_and_not_taken() -> Outcome {
    const UNKNOWN: RtrEntry<'_> = (false, "192.0.2.0/24", 24, 65_009);
    for (entry, code) in [(MINE, 7), (UNKNOWN, 6)] {
        let (mut watched, cache, mut link) = asked_for_changes("retry = \"1s\"")?;
        link.answer(7, 2, &[entry])?;
        assert_eq!(link.expect(RtrPdu::ERROR)?.number, code);
        cache.accept()?.expect(RtrPdu::RESET_QUERY)?;
        assert!(watched.session.told(Setup::NETWORK).is_some());
        watched.bench.untouched()?;
    }
    Ok(())
}

#[test]
fn another_session_flushes_what_was_learned() -> Outcome {
    let (mut watched, cache, mut link) = in_step("")?;
    link.notify(8, 1)?;
    assert_eq!(link.expect(RtrPdu::ERROR)?.number, 0);
    watched.until_not()?;
    let mut link = cache.accept()?;
    link.expect(RtrPdu::RESET_QUERY)?;
    link.answer(8, 1, &[MINE])?;
    watched.until_valid()?;
    watched.bench.untouched()
}

#[test]
fn an_error_report_is_not_answered() -> Outcome {
    let (mut watched, cache, mut link) = in_step("retry = \"1s\"")?;
    // Internal error, with neither PDU nor text.
    link.say(1, RtrPdu::ERROR, 1, &[0; 8])?;
    // The connection ends without another word.
    assert!(link.hear().is_err());
    cache.accept()?.hear()?;
    watched.bench.untouched()
}

#[test]
fn a_cache_of_version_0_is_asked_in_its_version() -> Outcome {
    let cache = RtrCache::new()?;
    let mut watched = Watched::start(&cache.table("")?)?;
    let mut link = cache.accept()?;
    assert_eq!(link.hear()?.version, 1);
    link.say(0, RtrPdu::ERROR, 4, &[0; 8])?;
    assert_eq!(link.expect(RtrPdu::RESET_QUERY)?.version, 0);
    link.begin(0, 7, &[MINE])?;
    link.say(0, 7, 7, &[0, 0, 0, 1])?;
    watched.until_valid()?;
    watched.bench.untouched()
}

#[test]
fn a_version_that_changes_ends_the_connection() -> Outcome {
    let (mut watched, _cache, mut link) = in_step("")?;
    link.say(0, 0, 7, &[0, 0, 0, 2])?;
    assert_eq!(link.expect(RtrPdu::ERROR)?.number, 8);
    assert!(link.hear().is_err());
    watched.bench.untouched()
}

#[test]
fn data_is_not_used_past_its_expiry() -> Outcome {
    let keys = "refresh = \"1s\"\nretry = \"1s\"\nexpire = \"2s\"";
    let (mut watched, cache, link) = in_step(keys)?;
    drop((cache, link));
    watched.until_not()?;
    watched.bench.untouched()
}

#[test]
fn another_cache_takes_over() -> Outcome {
    let (first, second) = (RtrCache::new()?, RtrCache::new()?);
    let tables = [first.table("")?, second.table("preference = 2")?];
    let mut watched = Watched::start(&tables.concat())?;
    let (mut one, mut two) = (first.accept()?, second.accept()?);
    one.hear()?;
    two.hear()?;
    two.answer(2, 1, &[MINE])?;
    watched.until_valid()?;
    // The preferred one knows nothing of it.
    one.answer(1, 1, &[OTHER])?;
    watched.until_not()?;
    drop((first, one));
    watched.until_valid()?;
    watched.bench.untouched()
}
