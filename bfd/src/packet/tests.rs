use proptest::prelude::*;

use super::*;

/// Captured from bfdd of FRR 8.4.4: the first packet of a session, multiplier 3, 1 s, echo 50 ms.
const DOWN: [u8; 24] = [
    0x20, 0x40, 0x03, 0x18, 0x63, 0x0e, 0xe4, 0xfb, 0x00, 0x00, 0x00, 0x00, 0x00, 0x0f, 0x42,
    0x40, 0x00, 0x0f, 0x42, 0x40, 0x00, 0x00, 0xc3, 0x50,
];

/// The same session, up and polling for 300 ms.
const UP_POLL: [u8; 24] = [
    0x20, 0xe0, 0x03, 0x18, 0x63, 0x0e, 0xe4, 0xfb, 0x00, 0x00, 0x00, 0x07, 0x00, 0x04, 0x93,
    0xe0, 0x00, 0x04, 0x93, 0xe0, 0x00, 0x00, 0xc3, 0x50,
];

/// The same session, answering a poll.
const UP_FINAL: [u8; 24] = [
    0x20, 0xd0, 0x03, 0x18, 0x63, 0x0e, 0xe4, 0xfb, 0x00, 0x00, 0x00, 0x07, 0x00, 0x04, 0x93,
    0xe0, 0x00, 0x04, 0x93, 0xe0, 0x00, 0x00, 0xc3, 0x50,
];

fn with(changes: &[(usize, u8)]) -> Vec<u8> {
    let mut bytes = DOWN.to_vec();
    for &(at, value) in changes {
        bytes[at] = value;
    }
    bytes
}

#[test]
fn captured_packets_have_the_expected_fields() {
    let down = Packet {
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
    };
    let up_poll = Packet {
        state: State::Up,
        poll: true,
        your_discriminator: Discriminator::new(7),
        desired_min_tx: Interval::from_micros(300_000),
        required_min_rx: Interval::from_micros(300_000),
        ..down
    };
    let up_final = Packet {
        poll: false,
        is_final: true,
        ..up_poll
    };
    for (bytes, packet) in [(DOWN, down), (UP_POLL, up_poll), (UP_FINAL, up_final)] {
        assert_eq!(Packet::decode(&bytes), Ok(packet));
        assert_eq!(packet.encode().as_ref(), bytes);
    }
}

#[test]
fn every_rule_of_section_6_8_6_has_its_error() {
    let up_without_yours = PacketError::YourDiscriminatorZero { state: State::Up };
    let init_without_yours = PacketError::YourDiscriminatorZero { state: State::Init };
    let table = [
        (with(&[(0, 0x00)]), PacketError::Version(0)),
        (with(&[(0, 0x40)]), PacketError::Version(2)),
        (
            with(&[(3, 23)]),
            PacketError::Length {
                length: 23,
                least: 24,
            },
        ),
        (
            with(&[(1, 0x44), (3, 25)]),
            PacketError::Length {
                length: 25,
                least: 26,
            },
        ),
        (
            with(&[(3, 25)]),
            PacketError::LengthOverrun {
                length: 25,
                payload: 24,
            },
        ),
        (with(&[(2, 0)]), PacketError::DetectMultiplierZero),
        (with(&[(1, 0x41)]), PacketError::Multipoint),
        (
            with(&[(4, 0), (5, 0), (6, 0), (7, 0)]),
            PacketError::MyDiscriminatorZero,
        ),
        (with(&[(1, 0xc0)]), up_without_yours),
        (with(&[(1, 0x80)]), init_without_yours),
        (vec![], PacketError::Truncated { have: 0 }),
        (DOWN[..3].to_vec(), PacketError::Truncated { have: 3 }),
        (
            DOWN[..23].to_vec(),
            PacketError::LengthOverrun {
                length: 24,
                payload: 23,
            },
        ),
    ];
    for (bytes, error) in table {
        assert_eq!(Packet::decode(&bytes), Err(error), "{bytes:02x?}");
    }
}

#[test]
fn your_discriminator_may_be_zero_when_down_or_admin_down() {
    for state_byte in [0x00, 0x40] {
        assert!(Packet::decode(&with(&[(1, state_byte)])).is_ok());
    }
}

/// `DOWN` with a section after it: what the section begins with, and its last field.
fn signed(header: &[u8], value: &[u8]) -> Vec<u8> {
    let length = 24 + header.len() + value.len();
    let mut bytes = with(&[(1, 0x44), (3, u8::try_from(length).unwrap())]);
    bytes.extend(header);
    bytes.extend(value);
    bytes
}

#[test]
fn each_kind_of_section_is_read_and_written() {
    let sequence = [0x01, 0x02, 0x03, 0x04];
    let header = |kind, length| [[kind, length, 9, 0x55], sequence].concat();
    let password = signed(&[1, 9, 9], b"secret");
    let md5 = [2, 3].map(|kind| signed(&header(kind, 24), &[7; 16]));
    let sha1 = [4, 5].map(|kind| signed(&header(kind, 28), &[7; 20]));
    let all = [password].into_iter().chain(md5).chain(sha1);
    for (bytes, method) in all.zip(Method::ALL) {
        let packet = Packet::decode(&bytes).unwrap();
        let section = packet.authentication.unwrap();
        assert_eq!((section.method(), section.key_id()), (method, 9));
        let sequence = if method == Method::Simple {
            0
        } else {
            0x0102_0304
        };
        assert_eq!(section.sequence, sequence);
        assert_eq!(packet.encode().as_ref(), bytes);
        let mut longer = bytes.clone();
        longer.extend([0xff; 3]);
        assert_eq!(
            Packet::decode(&longer),
            Ok(packet),
            "what follows is ignored"
        );
    }
}

#[test]
fn a_section_that_is_not_as_long_as_it_must_be_is_refused_by_name() {
    let wrong = |method, length, left| PacketError::SectionLength {
        method,
        length,
        left,
    };
    let table = [
        (signed(&[1, 3, 9], b""), wrong(Method::Simple, 3, 3)),
        (
            signed(&[1, 20, 9], &[b'x'; 17]),
            wrong(Method::Simple, 20, 20),
        ),
        (signed(&[1, 0, 9], b"secret"), wrong(Method::Simple, 0, 9)),
        (signed(&[1, 9, 9], b"secrets"), wrong(Method::Simple, 9, 10)),
        (
            signed(&[2, 23, 9, 0, 0, 0, 0, 1], &[7; 15]),
            wrong(Method::KeyedMd5, 23, 23),
        ),
        (
            signed(&[4, 24, 9, 0, 0, 0, 0, 1], &[7; 16]),
            wrong(Method::KeyedSha1, 24, 24),
        ),
        (
            signed(&[5, 28, 9, 0, 0, 0, 0, 1], &[7; 21]),
            wrong(Method::MeticulousSha1, 28, 29),
        ),
        (
            signed(&[6, 4, 0, 0], b""),
            PacketError::Authentication(AuthenticationType(6)),
        ),
        (
            signed(&[0, 4, 0, 0], b""),
            PacketError::Authentication(AuthenticationType(0)),
        ),
    ];
    for (bytes, error) in table {
        assert_eq!(Packet::decode(&bytes), Err(error), "{bytes:02x?}");
    }
    let error = Packet::decode(&signed(&[1, 9, 9], b"secrets")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the section of simple password has length 9 with 10 octets to the end of the packet"
    );
}

#[test]
fn bytes_after_the_packet_are_ignored() {
    let mut bytes = DOWN.to_vec();
    bytes.extend([0xff; 9]);
    assert_eq!(Packet::decode(&bytes), Packet::decode(&DOWN));
}

#[test]
fn an_interval_longer_than_the_field_is_refused() {
    assert!(Interval::try_from(Duration::from_micros(u64::from(u32::MAX))).is_ok());
    assert!(Interval::try_from(Duration::from_secs(4_295)).is_err());
}

/// Any packet that the rules allow.
pub(crate) fn any_packet() -> impl Strategy<Value = Packet> {
    let numbers = (
        1..=u32::MAX,
        any::<u32>(),
        any::<u32>(),
        any::<u32>(),
        any::<u32>(),
    );
    let flags = any::<[bool; 4]>();
    (0..32u8, 0..4u8, flags, 1..=u8::MAX, numbers).prop_map(
        |(diagnostic, state, flags, multiplier, (mine, yours, tx, rx, echo))| {
            let your_discriminator = Discriminator::new(yours);
            let state = match State::from_bits(state) {
                State::Init | State::Up if your_discriminator.is_none() => State::Down,
                kept @ (State::AdminDown | State::Down | State::Init | State::Up) => kept,
            };
            Packet {
                diagnostic: Diagnostic::from_code(diagnostic),
                state,
                poll: flags[0],
                is_final: flags[1],
                control_plane_independent: flags[2],
                demand: flags[3],
                detect_multiplier: NonZeroU8::new(multiplier).unwrap(),
                my_discriminator: Discriminator::new(mine).unwrap(),
                your_discriminator,
                desired_min_tx: Interval::from_micros(tx),
                required_min_rx: Interval::from_micros(rx),
                required_min_echo_rx: Interval::from_micros(echo),
                authentication: None,
            }
        },
    )
}

proptest! {
    #[test]
    fn what_is_encoded_decodes_to_the_same(packet in any_packet()) {
        prop_assert_eq!(Packet::decode(&packet.encode()), Ok(packet));
    }

    #[test]
    fn any_bytes_give_a_packet_or_an_error(
        start in prop::collection::vec(any::<u8>(), 0..60),
        plausible in any::<bool>(),
        section in prop::option::of((0..7u8, 0..30u8)),
    ) {
        let mut bytes = start;
        if plausible && bytes.len() >= 24 {
            bytes[0] = 0x20 | bytes[0] & 0x1f;
            bytes[1] &= !(FLAG_MULTIPOINT | FLAG_AUTHENTICATION);
            bytes[3] = 24;
        }
        if let (true, Some((kind, length))) = (plausible && bytes.len() >= 26, section) {
            bytes[1] |= FLAG_AUTHENTICATION;
            bytes[3] += length;
            (bytes[24], bytes[25]) = (kind, length);
        }
        if let Ok(packet) = Packet::decode(&bytes) {
            let encoded = packet.encode();
            // The length may count octets behind what is known, which nobody reads.
            bytes[3] = encoded[3];
            prop_assert_eq!(&encoded[..], &bytes[..encoded.len()]);
        }
    }
}
