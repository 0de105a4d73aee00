use std::num::NonZeroU8;

use proptest::prelude::*;

use super::*;
use crate::packet::tests::any_packet;
use crate::packet::{Diagnostic, Discriminator, Interval};
use crate::state::State;

const DETECTION: Duration = Duration::from_millis(900);

/// The first packet of a session, multiplier 3, 1 s, echo 50 ms.
fn packet() -> Packet {
    Packet {
        diagnostic: Diagnostic::None,
        state: State::Down,
        poll: false,
        is_final: false,
        control_plane_independent: false,
        demand: false,
        detect_multiplier: NonZeroU8::new(3).unwrap(),
        my_discriminator: Discriminator::new(0x630e_e4fb).unwrap(),
        your_discriminator: None,
        desired_min_tx: Interval::from_micros(1_000_000),
        required_min_rx: Interval::from_micros(1_000_000),
        required_min_echo_rx: Interval::from_micros(50_000),
        authentication: None,
    }
}

/// A later one, which names the session that it is for.
fn answer() -> Packet {
    Packet {
        your_discriminator: Discriminator::new(1),
        ..packet()
    }
}

fn by(method: Method) -> Authentication {
    Authentication::new(method, 7, b"secret").unwrap()
}

/// Both ends of a session.
struct Ends {
    now: Instant,
    theirs: Guard,
    ours: Guard,
}

impl Ends {
    fn new(theirs: Option<Authentication>, ours: Option<Authentication>) -> Self {
        Self {
            now: Instant::now(),
            theirs: Guard::new(theirs, 100),
            ours: Guard::new(ours, 5),
        }
    }

    fn hear(&mut self, packet: &Packet) -> Result<(), Refusal> {
        let copy = Packet::decode(&packet.encode()).unwrap();
        assert_eq!(copy, *packet);
        self.ours.admit(self.now, &copy, DETECTION)
    }

    fn next(&mut self) -> Packet {
        self.theirs.sign(answer())
    }

    /// The peer's next packet.
    fn pass(&mut self) -> Result<(), Refusal> {
        let packet = self.next();
        self.hear(&packet)
    }
}

#[test]
fn digests_are_those_of_other_programs() {
    // Made with Python's hashlib from the octets of the RFC's figures.
    let table: [(Method, &[u8], &str); 4] = [
        (
            Method::KeyedMd5,
            b"secret",
            "4909ecfad52a698d2a7515c62cd1e929",
        ),
        (
            Method::MeticulousMd5,
            b"0123456789abcdef",
            "318ebca8bed34dab9e49a274b24655a8",
        ),
        (
            Method::KeyedSha1,
            b"secret",
            "0f56e4da8def4ec13b9b1366e8cb81228ed36348",
        ),
        (
            Method::MeticulousSha1,
            b"0123456789abcdefghij",
            "37e8944e1ca1356f480a8a722fe3e76a58387c8d",
        ),
    ];
    for (method, key, expected) in table {
        let authentication = Authentication::new(method, 7, key).unwrap();
        let signed = Guard::new(Some(authentication), 42).sign(packet());
        let octets = signed.encode();
        let digest: String = octets[32..].iter().map(|it| format!("{it:02x}")).collect();
        assert_eq!(digest, expected, "{method}");
        assert_eq!(octets[28..32], [0, 0, 0, 43], "{method}");
    }
}

#[test]
fn each_method_takes_what_it_signs_and_nothing_else() {
    let all = || Method::ALL.into_iter().map(Some).chain([None]);
    for theirs in all() {
        for ours in all() {
            let mut ends = Ends::new(theirs.map(by), ours.map(by));
            let expected = match (theirs, ours) {
                (None, None) => Ok(()),
                (Some(theirs), Some(ours)) if theirs == ours => Ok(()),
                (Some(theirs), Some(ours)) => Err(Refusal::Method { theirs, ours }),
                (None, Some(ours)) => Err(Refusal::Missing(ours)),
                (Some(theirs), None) => Err(Refusal::NotConfigured(theirs)),
            };
            for _ in 0..20 {
                assert_eq!(ends.pass(), expected, "{theirs:?} to {ours:?}");
            }
        }
    }
}

#[test]
fn another_secret_or_number_is_refused() {
    for method in Method::ALL {
        let ours = Authentication::new(method, 7, b"other").unwrap();
        let mut ends = Ends::new(Some(by(method)), Some(ours));
        assert_eq!(ends.pass(), Err(Refusal::Secret { key: 7 }), "{method}");
        let ours = Authentication::new(method, 8, b"secret").unwrap();
        let mut ends = Ends::new(Some(by(method)), Some(ours));
        assert_eq!(ends.pass(), Err(Refusal::KeyId(7)), "{method}");
    }
}

#[test]
fn a_password_that_ours_begins_with_is_another_one() {
    let ours = Authentication::new(Method::Simple, 7, b"secret\0").unwrap();
    let mut ends = Ends::new(Some(by(Method::Simple)), Some(ours));
    assert_eq!(ends.pass(), Err(Refusal::Secret { key: 7 }));
}

#[test]
fn a_packet_heard_twice_counts_once_if_meticulous() {
    for method in Method::ALL {
        let mut ends = Ends::new(Some(by(method)), Some(by(method)));
        let packet = ends.next();
        assert_eq!(ends.hear(&packet), Ok(()));
        let again = ends.hear(&packet);
        assert_eq!(again.is_err(), method.is_meticulous(), "{method}");
    }
}

#[test]
fn the_window_is_three_times_the_multiplier() {
    for method in [Method::KeyedSha1, Method::MeticulousSha1] {
        // Lost packets leave a gap.
        for (lost, taken) in [(8, true), (9, false)] {
            let mut ends = Ends::new(Some(by(method)), Some(by(method)));
            ends.pass().unwrap();
            for _ in 0..lost {
                ends.next();
            }
            assert_eq!(ends.pass().is_ok(), taken, "{method}, {lost} lost");
        }
        // A packet of earlier is a replay.
        let mut ends = Ends::new(Some(by(method)), Some(by(method)));
        let old = ends.next();
        ends.hear(&old).unwrap();
        ends.pass().unwrap();
        let first = u32::from(method.is_meticulous());
        let refusal = Refusal::Sequence {
            got: 101,
            from: 102 + first,
            to: 111,
        };
        assert_eq!(ends.hear(&old), Err(refusal), "{method}");
    }
}

#[test]
fn sequence_numbers_go_round() {
    for method in [Method::KeyedMd5, Method::MeticulousMd5] {
        let mut ends = Ends::new(Some(by(method)), Some(by(method)));
        ends.theirs.sent = u32::MAX - 2;
        for _ in 0..6 {
            assert_eq!(ends.pass(), Ok(()), "{method}");
        }
        assert_eq!(ends.theirs.sent, 3);
    }
}

#[test]
fn a_peer_that_begins_anew_is_heard_after_twice_the_detection_time() {
    let method = Method::MeticulousSha1;
    let mut ends = Ends::new(Some(by(method)), Some(by(method)));
    ends.pass().unwrap();
    ends.theirs.sent = 7_000;
    let started = ends.now;
    while ends.pass().is_err() {
        ends.now += Duration::from_millis(100);
    }
    assert_eq!(ends.now - started, 2 * DETECTION);
}

#[test]
fn a_stranger_does_not_choose_the_first_number() {
    let method = Method::MeticulousSha1;
    let mut ends = Ends::new(Some(by(method)), Some(by(method)));
    let stranger = Authentication::new(method, 7, b"guess").unwrap();
    let forged = Guard::new(Some(stranger), 4_000_000).sign(packet());
    assert_eq!(ends.hear(&forged), Err(Refusal::Secret { key: 7 }));
    assert_eq!(ends.pass(), Ok(()));
}

#[test]
fn a_key_changes_without_a_packet_lost() {
    let method = Method::MeticulousSha1;
    let [old, new]: [(u8, &[u8]); 2] = [(1, b"old"), (2, b"new")];
    let keys = |(id, secret): (u8, &[u8]), others: &[(u8, &[u8])]| {
        let first = Authentication::new(method, id, secret);
        let all = others
            .iter()
            .fold(first, |all, (id, secret)| all?.accept(*id, secret));
        Some(all.unwrap())
    };
    let mut ends = Ends::new(keys(old, &[]), keys(old, &[]));
    let steps = [keys(old, &[new]), keys(new, &[old]), keys(new, &[])];
    for step in steps {
        // Minutes apart: one side, then the other.
        ends.ours.change(ends.now, step.clone(), DETECTION);
        for _ in 0..10 {
            ends.now += DETECTION;
            assert_eq!(ends.pass(), Ok(()));
            let reply = ends.ours.sign(packet());
            assert_eq!(ends.theirs.admit(ends.now, &reply, DETECTION), Ok(()));
        }
        ends.theirs.change(ends.now, step, DETECTION);
        for _ in 0..10 {
            ends.now += DETECTION;
            assert_eq!(ends.pass(), Ok(()));
        }
    }
    assert_eq!(ends.next().authentication.unwrap().key_id(), 2);
}

#[test]
fn a_former_method_is_taken_until_the_peer_follows_and_for_the_detection_time() {
    let [simple, sha1] = [Method::Simple, Method::KeyedSha1].map(|it| Some(by(it)));
    for (old, new) in [
        (None, &sha1),
        (simple.clone(), &sha1),
        (sha1.clone(), &None),
    ] {
        let mut ends = Ends::new(old.clone(), old.clone());
        ends.pass().unwrap();
        ends.ours.change(ends.now, new.clone(), DETECTION);
        let late = ends.next();
        assert_eq!(ends.hear(&late), Ok(()), "{old:?}");
        ends.theirs.change(ends.now, new.clone(), DETECTION);
        assert_eq!(ends.pass(), Ok(()));
        assert!(ends.hear(&late).is_err(), "the peer has followed");

        let mut ends = Ends::new(old.clone(), old.clone());
        ends.ours.change(ends.now, new.clone(), DETECTION);
        ends.now += DETECTION;
        assert!(ends.pass().is_err(), "the time is over");
    }
}

#[test]
fn keys_have_the_length_of_their_fields() {
    for method in Method::ALL {
        let max = method.key_octets_max();
        let make = |octets| Authentication::new(method, 1, &vec![b'x'; octets]);
        assert!(make(1).is_ok() && make(max).is_ok());
        for octets in [0, max + 1, 300] {
            let error = KeyError::Length {
                method,
                octets,
                max,
            };
            assert_eq!(make(octets), Err(error));
        }
    }
    let twice = by(Method::Simple).accept(7, b"other");
    assert_eq!(twice, Err(KeyError::Twice(7)));
}

#[test]
fn secrets_are_not_shown() {
    let shown = format!("{:?}", by(Method::Simple));
    assert!(
        !shown.contains("secret\"") && !shown.contains("115"),
        "{shown}"
    );
}

proptest! {
    /// Whatever bit of a packet is altered on the way, it is not taken.
    #[test]
    fn an_altered_packet_is_refused(packet in any_packet(), bit in 0..416usize, which in 1..5usize) {
        let method = Method::ALL[which];
        let mut theirs = Guard::new(Some(by(method)), 9);
        let octets = theirs.sign(packet).encode();
        let mut altered = octets.to_vec();
        let at = bit / 8 % altered.len();
        altered[at] ^= 1 << (bit % 8);
        let mut ours = Guard::new(Some(by(method)), 9);
        let heard = |ours: &mut Guard, octets: &[u8]| {
            let packet = Packet::decode(octets).ok()?;
            ours.admit(Instant::now(), &packet, DETECTION).ok()
        };
        prop_assert_eq!(heard(&mut ours, &altered), None);
        prop_assert_eq!(heard(&mut ours, &octets), Some(()));
    }
}

#[test]
fn a_replay_of_before_a_restart_keeps_nobody_out() {
    for method in [Method::KeyedSha1, Method::MeticulousMd5] {
        let mut ends = Ends::new(Some(by(method)), Some(by(method)));
        let recorded = [(); 3].map(|()| ends.theirs.sign(packet()));
        // Both have begun anew since, with the same keys and other numbers.
        ends.theirs = Guard::new(Some(by(method)), 5_000_000);
        ends.ours = Guard::new(Some(by(method)), 77);
        for old in &recorded {
            // Its digest is right, and nothing tells that it is old.
            assert_eq!(ends.hear(old), Ok(()));
        }
        // They name nobody, so the peer, which does, is not held against their numbers.
        assert_eq!(ends.pass(), Ok(()));
        for old in &recorded {
            let refused = ends.hear(old);
            assert!(
                matches!(refused, Err(Refusal::Sequence { .. })),
                "{refused:?}"
            );
        }
    }
}
