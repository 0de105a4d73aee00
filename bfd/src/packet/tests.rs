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
        assert_eq!(packet.encode(), bytes);
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

#[test]
fn authentication_is_refused_by_name() {
    let mut bytes = with(&[(1, 0x44), (3, 28)]);
    bytes.extend([4, 4, 0, 0]);
    let error = Packet::decode(&bytes).unwrap_err();
    assert_eq!(error, PacketError::Authentication(AuthenticationType(4)));
    assert_eq!(
        error.to_string(),
        "authentication `keyed SHA1` is used by the peer, but none is configured here"
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
        start in prop::collection::vec(any::<u8>(), 0..40), plausible in any::<bool>()
    ) {
        let mut bytes = start;
        if plausible && bytes.len() >= 24 {
            bytes[0] = 0x20 | bytes[0] & 0x1f;
            bytes[1] &= !(FLAG_MULTIPOINT | FLAG_AUTHENTICATION);
            bytes[3] = 24;
        }
        if let Ok(packet) = Packet::decode(&bytes) {
            prop_assert_eq!(&packet.encode()[..], &bytes[..24]);
        }
    }
}
