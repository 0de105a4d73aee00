use super::*;
use crate::packet::{Diagnostic, Interval};
use crate::session::Parameters;
use crate::state::State;
use std::num::NonZeroU8;

const MS: Duration = Duration::from_millis(1);
const ETH0: InterfaceIndex = InterfaceIndex(2);
const ETH1: InterfaceIndex = InterfaceIndex(3);

fn key(value: u32) -> Discriminator {
    Discriminator::new(value).unwrap()
}

fn peer_address() -> IpAddr {
    "fe80::2".parse().unwrap()
}

fn config(interface: Option<InterfaceIndex>) -> Config {
    let config = Config::new(peer_address(), Parameters::default());
    match interface {
        Some(interface) => config.interface(interface),
        None => config,
    }
}

fn packet(state: State, yours: u32) -> Packet {
    Packet {
        diagnostic: Diagnostic::None,
        state,
        poll: false,
        is_final: false,
        control_plane_independent: false,
        demand: false,
        detect_multiplier: NonZeroU8::new(3).unwrap(),
        my_discriminator: key(900),
        your_discriminator: Discriminator::new(yours),
        desired_min_tx: Interval::from_micros(300_000),
        required_min_rx: Interval::from_micros(300_000),
        required_min_echo_rx: Interval::ZERO,
    }
}

fn receive(sessions: &mut Sessions, now: Instant, interface: InterfaceIndex, packet: Packet) {
    let payload = &packet.encode()[..];
    receive_from(sessions, now, (peer_address(), interface), payload);
}

/// The octets come from this address on this interface, with the TTL of a neighbour.
fn receive_from(
    sessions: &mut Sessions,
    now: Instant,
    (remote, interface): (IpAddr, InterfaceIndex),
    payload: &[u8],
) {
    let datagram = Datagram {
        remote,
        interface,
        ttl: 255,
        payload,
    };
    sessions.handle(now, Input::Received(datagram));
}

fn state(sessions: &Sessions, session: u32) -> State {
    sessions.get(key(session)).unwrap().state()
}

fn drain(sessions: &mut Sessions) -> Vec<(Discriminator, Output)> {
    std::iter::from_fn(|| sessions.poll()).collect()
}

/// Two sessions with the same link-local peer address on two interfaces.
fn two(now: Instant) -> Sessions {
    let mut sessions = Sessions::new(now);
    sessions.add(config(Some(ETH0)), key(1), 1, now).unwrap();
    sessions.add(config(Some(ETH1)), key(2), 2, now).unwrap();
    sessions.handle(now, Input::Timeout);
    drain(&mut sessions);
    sessions
}

#[test]
fn the_first_packet_is_matched_by_address_and_interface() {
    let now = Instant::now();
    let mut sessions = two(now);
    receive(&mut sessions, now, ETH1, packet(State::Down, 0));
    assert_eq!(
        [state(&sessions, 1), state(&sessions, 2)],
        [State::Down, State::Init]
    );
    assert!(
        drain(&mut sessions)
            .iter()
            .all(|(session, _)| *session == key(2))
    );
}

#[test]
fn later_packets_are_matched_by_discriminator() {
    let now = Instant::now();
    let mut sessions = two(now);
    receive(&mut sessions, now, ETH0, packet(State::Init, 1));
    assert_eq!(
        [state(&sessions, 1), state(&sessions, 2)],
        [State::Up, State::Down]
    );
}

#[test]
fn a_session_without_interface_takes_packets_of_any() {
    let now = Instant::now();
    let mut sessions = Sessions::new(now);
    sessions.add(config(None), key(1), 1, now).unwrap();
    receive(&mut sessions, now, ETH1, packet(State::Down, 0));
    assert_eq!(state(&sessions, 1), State::Init);
    receive(&mut sessions, now, ETH0, packet(State::Init, 1));
    assert_eq!(state(&sessions, 1), State::Up);
}

#[test]
fn what_no_session_takes_is_counted_by_reason() {
    let now = Instant::now();
    let mut sessions = two(now);
    receive(
        &mut sessions,
        now,
        InterfaceIndex(9),
        packet(State::Down, 0),
    );
    receive(&mut sessions, now, ETH0, packet(State::Init, 3));
    receive(&mut sessions, now, ETH1, packet(State::Init, 1));
    let payload = &[0u8; 24][..];
    receive_from(&mut sessions, now, (peer_address(), ETH0), payload);
    let refused = sessions.refused();
    assert_eq!(
        (refused.no_session, refused.wrong_source, refused.malformed),
        (2, 1, 1)
    );
    assert_eq!(refused.last_error, Some(PacketError::Version(0)));
    assert_eq!(
        [state(&sessions, 1), state(&sessions, 2)],
        [State::Down, State::Down]
    );
}

#[test]
fn another_hosts_packet_with_our_discriminator_is_refused() {
    let now = Instant::now();
    let mut sessions = two(now);
    let payload = &packet(State::Init, 1).encode()[..];
    let remote = "fe80::bad".parse().unwrap();
    receive_from(&mut sessions, now, (remote, ETH0), payload);
    assert_eq!(state(&sessions, 1), State::Down);
    assert_eq!(sessions.refused().wrong_source, 1);
}

#[test]
fn a_second_session_with_the_same_name_or_peer_is_refused() {
    let now = Instant::now();
    let mut sessions = two(now);
    assert_eq!(
        sessions.add(config(None), key(1), 1, now),
        Err(AddError::Discriminator(key(1)))
    );
    let taken = AddError::Peer {
        peer: peer_address(),
        session: key(1),
    };
    assert_eq!(sessions.add(config(Some(ETH0)), key(5), 1, now), Err(taken));
    assert_eq!(sessions.rebind(key(2), None, Some(ETH0)), Err(taken));
}

#[test]
fn a_removed_session_leaves_nothing_behind() {
    let now = Instant::now();
    let mut sessions = two(now);
    for session in [1, 2] {
        let input = session::Input::AdminDown;
        sessions.handle(
            now,
            Input::Session {
                session: key(session),
                input,
            },
        );
        assert!(sessions.remove(key(session)).is_some());
    }
    assert_eq!(sessions.poll(), None);
    assert_eq!(sessions.deadline(), None);
    sessions.add(config(Some(ETH0)), key(1), 1, now).unwrap();
}

#[test]
fn a_rebound_session_keeps_its_state_on_the_new_interface() {
    let now = Instant::now();
    let mut sessions = two(now);
    receive(&mut sessions, now, ETH0, packet(State::Init, 1));
    let eth9 = InterfaceIndex(9);
    sessions.rebind(key(1), None, Some(eth9)).unwrap();
    receive(&mut sessions, now, eth9, packet(State::Up, 1));
    assert_eq!(state(&sessions, 1), State::Up);
    assert_eq!(sessions.refused().wrong_source, 0);
    receive(&mut sessions, now, ETH0, packet(State::Down, 0));
    assert_eq!(sessions.refused().no_session, 1);
}

#[test]
fn a_dead_peer_is_noticed_in_time_when_we_are_on_time() {
    let start = Instant::now();
    let mut sessions = two(start);
    receive(&mut sessions, start, ETH0, packet(State::Init, 1));
    while state(&sessions, 1) == State::Up {
        let now = sessions.deadline().unwrap();
        assert!(now <= start + MS * 901);
        sessions.handle(now, Input::Timeout);
    }
    assert_eq!(sessions.get(key(1)).unwrap().counters().stalls, 0);
}

#[test]
fn a_late_wake_up_does_not_blame_the_peer() {
    let start = Instant::now();
    let mut sessions = two(start);
    receive(&mut sessions, start, ETH0, packet(State::Init, 1));
    // We sleep through the detection time; the peer's packets were lost meanwhile.
    let late = sessions.deadline().unwrap() + MS * 5000;
    sessions.handle(late, Input::Timeout);
    assert_eq!(state(&sessions, 1), State::Up);
    assert_eq!(sessions.get(key(1)).unwrap().counters().stalls, 1);
    // The peer lives.
    receive(&mut sessions, late + MS * 250, ETH0, packet(State::Up, 1));
    while let Some(now) = sessions.deadline().filter(|&at| at < late + MS * 1100) {
        sessions.handle(now, Input::Timeout);
    }
    assert_eq!(state(&sessions, 1), State::Up);
}

#[test]
fn a_stall_is_seen_even_if_packets_are_handed_in_first() {
    let start = Instant::now();
    let mut sessions = two(start);
    receive(&mut sessions, start, ETH0, packet(State::Init, 1));
    receive(&mut sessions, start, ETH1, packet(State::Init, 2));
    let late = start + MS * 3000;
    receive(&mut sessions, late, ETH0, packet(State::Up, 1));
    sessions.handle(late, Input::Timeout);
    assert_eq!(
        [state(&sessions, 1), state(&sessions, 2)],
        [State::Up, State::Up]
    );
    assert_eq!(sessions.get(key(2)).unwrap().counters().stalls, 1);
}

#[test]
fn a_peer_that_died_during_a_stall_is_noticed_afterwards() {
    let start = Instant::now();
    let mut sessions = two(start);
    receive(&mut sessions, start, ETH0, packet(State::Init, 1));
    let late = start + MS * 3000;
    sessions.handle(late, Input::Timeout);
    while state(&sessions, 1) == State::Up {
        let now = sessions.deadline().unwrap();
        assert!(now <= late + MS * 1000);
        sessions.handle(now, Input::Timeout);
    }
}

#[test]
fn deadlines_are_whole_ticks_after_now() {
    let start = Instant::now();
    let mut sessions = two(start);
    for _ in 0..1000 {
        let now = sessions.deadline().unwrap();
        assert_eq!((now - start).as_nanos() % TICK_NANOS, 0);
        sessions.handle(now, Input::Timeout);
        assert!(sessions.deadline().unwrap() > now);
    }
}

const TICK_NANOS: u128 = 1_000_000;

#[test]
fn one_stall_is_one_excuse_however_many_packets_waited() {
    let start = Instant::now();
    let mut sessions = two(start);
    receive(&mut sessions, start, ETH0, packet(State::Init, 1));
    receive(&mut sessions, start, ETH1, packet(State::Init, 2));
    let late = start + MS * 3000;
    for _ in 0..5 {
        receive(&mut sessions, late, ETH0, packet(State::Up, 1));
    }
    sessions.handle(late, Input::Timeout);
    assert_eq!(sessions.get(key(2)).unwrap().counters().stalls, 1);
}
