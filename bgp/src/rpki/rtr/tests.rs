use proptest::prelude::*;

use super::super::Vrps;
use super::*;

const KNOWN: Serial = Serial {
    session: 7,
    serial: 40,
};

fn pdu(version: u8, kind: u8, number: u16, body: &[u8]) -> Vec<u8> {
    let length = super::number(8 + body.len());
    let mut octets = header(version, kind, number, length);
    octets.extend(body);
    octets
}

fn v4(flags: u8, len: u8, max_len: u8, addr: [u8; 4], asn: u32) -> Vec<u8> {
    let mut body = vec![flags, len, max_len, 0];
    body.extend(addr);
    body.extend(asn.to_be_bytes());
    body
}

fn end_of_data(serial: u32) -> Vec<u8> {
    let mut body = serial.to_be_bytes().to_vec();
    for seconds in [60_u32, 5, 600] {
        body.extend(seconds.to_be_bytes());
    }
    body
}

fn vrp(text: &str, max_len: u8, asn: u32) -> Vrp {
    Vrp::new(text.parse().unwrap(), max_len, Asn(asn)).unwrap()
}

fn session(known: Option<Serial>) -> Session {
    Session::new(VERSION_MAX, known, 1000)
}

/// What a session says to octets that arrive at once.
fn take(session: &mut Session, pdus: &[Vec<u8>]) -> Result<Option<Said>, Fault> {
    session.take(&mut BytesMut::from(&pdus.concat()[..]))
}

fn answer(said: Result<Option<Said>, Fault>) -> Answer {
    match said {
        Ok(Some(Said::Answer(answer))) => answer,
        other => panic!("{other:?}"),
    }
}

#[test]
fn questions_are_those_of_the_document() {
    // RFC 8210 §5.4 and §5.3.
    assert_eq!(session(None).ask(), [1, 2, 0, 0, 0, 0, 0, 8]);
    let changes = session(Some(KNOWN)).ask();
    assert_eq!(changes, [1, 1, 0, 7, 0, 0, 0, 12, 0, 0, 0, 40]);
}

#[test]
fn everything_is_asked_for_and_then_what_has_changed() {
    let mut session = session(None);
    session.ask();
    let v6 = {
        let mut body = vec![1, 32, 48, 0];
        body.extend("2001:db8::".parse::<Ipv6Addr>().unwrap().octets());
        body.extend(3_u32.to_be_bytes());
        body
    };
    let first = answer(take(
        &mut session,
        &[
            pdu(1, 3, 7, &[]),
            pdu(1, 4, 0, &v4(1, 8, 16, [10, 0, 0, 0], 1)),
            // Host bits are none of the prefix.
            pdu(1, 4, 0, &v4(1, 16, 24, [10, 1, 2, 3], 2)),
            pdu(1, 6, 0, &v6),
            // A router key is stepped over.
            pdu(1, 9, 256, &[0; 40]),
            pdu(1, 7, 7, &end_of_data(40)),
        ],
    ));
    assert!(first.reset);
    assert_eq!(first.serial, KNOWN);
    let timing = (
        first.timing.refresh_s,
        first.timing.retry_s,
        first.timing.expire_s,
    );
    assert_eq!(timing, (60, 5, 600));
    let table = Vrps::default().with(first.changes).unwrap();
    let all = [
        vrp("10.0.0.0/8", 16, 1),
        vrp("10.1.0.0/16", 24, 2),
        vrp("2001:db8::/32", 48, 3),
    ];
    assert_eq!(table.iter().collect::<Vec<_>>(), all);
    // There is something new.
    let notify = pdu(1, 0, 7, &41_u32.to_be_bytes());
    assert_eq!(take(&mut session, &[notify]), Ok(Some(Said::Notify)));
    assert_eq!(session.ask(), [1, 1, 0, 7, 0, 0, 0, 12, 0, 0, 0, 40]);
    let second = answer(take(
        &mut session,
        &[
            pdu(1, 3, 7, &[]),
            pdu(1, 4, 0, &v4(0, 8, 16, [10, 0, 0, 0], 1)),
            pdu(1, 7, 7, &end_of_data(41)),
        ],
    ));
    assert!(!second.reset);
    assert_eq!(second.serial.serial, 41);
    assert_eq!(second.changes, [Change::Withdraw(all[0])]);
}

#[test]
fn a_cache_that_cannot_tell_what_changed_is_asked_for_everything() {
    let mut session = session(Some(KNOWN));
    session.ask();
    let said = take(&mut session, &[pdu(1, 8, 0, &[])]);
    assert_eq!(said, Ok(Some(Said::Ask(vec![1, 2, 0, 0, 0, 0, 0, 8]))));
    // Another session is fine now.
    let pdus = [pdu(1, 3, 9, &[]), pdu(1, 7, 9, &end_of_data(1))];
    assert!(answer(take(&mut session, &pdus)).reset);
}

#[test]
fn an_older_cache_is_spoken_to_in_its_version() {
    // RFC 8210 §7: it says so.
    let mut first = session(None);
    first.ask();
    let error = pdu(0, 10, 4, &[0; 8]);
    let again = take(&mut first, std::slice::from_ref(&error));
    assert_eq!(again, Ok(Some(Said::Ask(vec![0, 2, 0, 0, 0, 0, 0, 8]))));
    let old = [pdu(0, 3, 7, &[]), pdu(0, 7, 7, &40_u32.to_be_bytes())];
    let said = answer(take(&mut first, &old));
    assert_eq!((said.serial, said.timing), (KNOWN, Timing::default()));
    assert_eq!(first.version(), 0);
    // Once is enough.
    first.ask();
    assert!(matches!(
        take(&mut first, &[error]),
        Err(Fault::Told { code: 4, .. })
    ));
    // Or it just answers.
    let mut second = session(None);
    second.ask();
    answer(take(&mut second, &old));
    assert_eq!(second.version(), 0);
    // And then it stays with that.
    second.ask();
    let newer = take(&mut second, &[pdu(1, 3, 7, &[])]);
    assert_eq!(newer, Err(Fault::Version(1)));
}

#[test]
fn a_word_that_crosses_a_question_is_no_answer() {
    for (number, serial, is_news) in [(7, 41, true), (7, 40, false), (9, 41, false)] {
        let mut session = session(None);
        session.ask();
        let notify = pdu(1, 0, number, &u32::to_be_bytes(serial));
        let pdus = [
            notify.clone(),
            pdu(1, 3, 7, &[]),
            notify,
            pdu(1, 7, 7, &end_of_data(40)),
        ];
        assert_eq!(answer(take(&mut session, &pdus)).changes, []);
        // What the answer did not have is asked for.
        let news = is_news.then_some(Said::Notify);
        assert_eq!(take(&mut session, &[]), Ok(news));
        assert_eq!(take(&mut session, &[]), Ok(None));
    }
}

#[test]
fn another_session_is_noticed_wherever_it_shows() {
    let other = |pdus: &[Vec<u8>], ask: bool| {
        let mut session = session(Some(KNOWN));
        if ask {
            session.ask();
        }
        let fault = take(&mut session, pdus).unwrap_err();
        assert_eq!(
            fault,
            Fault::Session {
                expected: 7,
                found: 8
            }
        );
        assert!(fault.flushes() && !fault.is_lasting());
    };
    other(&[pdu(1, 3, 8, &[])], true);
    other(&[pdu(1, 3, 7, &[]), pdu(1, 7, 8, &end_of_data(1))], true);
    other(&[pdu(1, 0, 8, &[0; 4])], false);
}

#[test]
fn what_may_not_be_ends_the_session_and_the_cache_is_told() {
    let begun = pdu(1, 3, 7, &[]);
    let entry = |body: Vec<u8>| vec![begun.clone(), pdu(1, 4, 0, &body)];
    let cases: Vec<(Vec<Vec<u8>>, Fault, u16)> = vec![
        (vec![vec![1, 3, 0, 0, 0, 0, 0, 7]], Fault::Length(7), 0),
        (vec![vec![1, 3, 0, 0, 0, 1, 0, 0]], Fault::Length(65_536), 0),
        (
            vec![vec![1, 3, 0, 0, 255, 255, 255, 255]],
            Fault::Length(u32::MAX),
            0,
        ),
        (vec![pdu(1, 3, 7, &[0])], Fault::Fields, 0),
        (entry(v4(1, 33, 33, [10, 0, 0, 0], 1)), Fault::Entry, 0),
        (entry(v4(1, 16, 8, [10, 0, 0, 0], 1)), Fault::Entry, 0),
        (entry(v4(1, 8, 33, [10, 0, 0, 0], 1)), Fault::Entry, 0),
        (entry(vec![1, 8, 8]), Fault::Fields, 0),
        (vec![begun.clone(), pdu(1, 7, 7, &[0; 4])], Fault::Fields, 0),
        (vec![pdu(2, 3, 7, &[])], Fault::Version(2), 8),
        (
            vec![pdu(1, 7, 7, &end_of_data(1))],
            Fault::Unexpected {
                kind: 7,
                version: 1,
            },
            5,
        ),
        (
            vec![begun.clone(), pdu(1, 11, 0, &[0; 8])],
            Fault::Unexpected {
                kind: 11,
                version: 1,
            },
            5,
        ),
        // Everything was asked for: there is nothing to reset.
        (
            vec![pdu(1, 8, 0, &[])],
            Fault::Unexpected {
                kind: 8,
                version: 1,
            },
            5,
        ),
    ];
    for (pdus, fault, code) in cases {
        let mut session = session(None);
        session.ask();
        assert_eq!(take(&mut session, &pdus), Err(fault.clone()), "{pdus:?}");
        assert!(fault.is_lasting());
        let report = session.report(&fault).unwrap();
        assert_eq!(report[..4], [1, 10, 0, u8::try_from(code).unwrap()]);
        assert_eq!(whole(&report), Ok(Some(report.len())));
    }
}

#[test]
fn an_answer_has_no_more_entries_than_are_taken_of_whatever_kind() {
    let mut session = Session::new(1, None, 2);
    session.ask();
    let pdus = [
        pdu(1, 3, 7, &[]),
        pdu(1, 4, 0, &v4(1, 8, 8, [10, 0, 0, 0], 1)),
        pdu(1, 9, 0, &[0; 30]),
        pdu(1, 4, 0, &v4(1, 8, 8, [11, 0, 0, 0], 1)),
    ];
    assert_eq!(take(&mut session, &pdus), Err(Fault::TooMany(2)));
}

#[test]
fn a_cache_that_does_not_know_our_session_any_more_is_asked_for_everything() {
    let mut session = session(Some(KNOWN));
    session.ask();
    let mut body = vec![0, 0, 0, 0, 0, 0, 0, 8];
    body.extend(b"mismatch");
    let fault = take(&mut session, &[pdu(1, 10, 0, &body)]).unwrap_err();
    assert_eq!(fault, Fault::Desynchronized("mismatch".to_owned()));
    // At once, and what it said stays until it has an answer.
    assert!(fault.forgets() && !fault.is_lasting() && !fault.flushes());
    assert_eq!(session.report(&fault), None);
}

#[test]
fn what_the_cache_reports_is_repeated_and_not_answered() {
    let mut session = session(None);
    session.ask();
    let mut body = vec![0, 0, 0, 2, 9, 9, 0, 0, 0, 6];
    body.extend(b"not\nyet");
    body[9] = 7;
    let fault = take(&mut session, &[pdu(1, 10, 2, &body)]).unwrap_err();
    assert_eq!(
        fault.to_string(),
        "the cache reports error 2, no data available: notyet"
    );
    assert!(!fault.is_lasting(), "it may have data in a moment");
    assert_eq!(session.report(&fault), None);
    // Lengths that lie cost the text and nothing else.
    let lying = pdu(1, 10, 3, &[255; 8]);
    let fault = take(&mut session, &[lying]).unwrap_err();
    assert_eq!(
        fault.to_string(),
        "the cache reports error 3, invalid request"
    );
}

proptest! {
    #[test]
    fn any_octets_are_read_or_refused(
        octets in prop::collection::vec(any::<u8>(), 0..300),
        begin in any::<bool>(),
        known in any::<bool>(),
    ) {
        let mut session = session(known.then_some(KNOWN));
        session.ask();
        let mut all = match begin {
            true => pdu(1, 3, 7, &[]),
            false => Vec::new(),
        };
        all.extend(octets);
        let mut buffer = BytesMut::from(&all[..]);
        while let Ok(Some(_)) = session.take(&mut buffer) {}
    }

    /// PDUs that are well formed, in any order, cut anywhere.
    #[test]
    fn an_answer_does_not_depend_on_where_it_is_cut(
        kinds in prop::collection::vec((0_u8..12, 0_u8..40, 0_usize..3), 0..20),
        cut in 1_usize..40,
    ) {
        let mut all = Vec::new();
        for (kind, len, size) in kinds {
            let body = match kind {
                4 => v4(len & 1, len, 32, [10, len, 0, 0], 1),
                7 => end_of_data(1),
                0 => vec![0; 4],
                _ => vec![0; [0, 8, 24][size]],
            };
            all.extend(pdu(1, kind, 7, &body));
        }
        let run = |cut: usize| {
            let mut session = session(None);
            session.ask();
            let mut said = Vec::new();
            let mut buffer = BytesMut::new();
            for piece in all.chunks(cut) {
                buffer.extend_from_slice(piece);
                loop {
                    match session.take(&mut buffer) {
                        Ok(None) => break,
                        Ok(Some(one)) => said.push(Ok(one)),
                        Err(fault) => {
                            said.push(Err(fault));
                            return said;
                        }
                    }
                }
                assert!(buffer.len() < PDU_MAX);
            }
            said
        };
        prop_assert_eq!(run(cut), run(usize::MAX));
    }
}
