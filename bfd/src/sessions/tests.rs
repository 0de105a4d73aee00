use super::*;
use crate::packet::{Diagnostic, Interval};
use crate::session::Parameters;
use crate::state::State;
use std::num::NonZeroU8;

const MS: Duration = Duration::from_millis(1);
const ETH0: InterfaceIndex = InterfaceIndex(2);
const ETH1: InterfaceIndex = InterfaceIndex(3);
const OURS: IpAddr = IpAddr::V6(std::net::Ipv6Addr::LOCALHOST);

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
        authentication: None,
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
        local: OURS,
        interface,
        domain: Domain::default(),
        hops: Hops::Single,
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

/// A session over several hops with the address of ours, and one over one hop with the same peer.
fn near_and_far(now: Instant) -> Sessions {
    let mut sessions = Sessions::new(now);
    let far = Config::new(peer_address(), Parameters::default().ttl_min(250));
    let far = far.hops(Hops::Multi).local(OURS);
    sessions.add(config(None), key(1), 1, now).unwrap();
    sessions.add(far, key(2), 2, now).unwrap();
    sessions
}

fn from_afar(local: IpAddr, ttl: u8, payload: &[u8]) -> Input<'_> {
    Input::Received(Datagram {
        remote: peer_address(),
        local,
        interface: ETH0,
        domain: Domain::default(),
        hops: Hops::Multi,
        ttl,
        payload,
    })
}

#[test]
fn sessions_over_several_hops_are_matched_by_both_addresses() {
    let now = Instant::now();
    let mut sessions = near_and_far(now);
    let down = packet(State::Down, 0).encode();
    let another = "fe80::3".parse().unwrap();
    sessions.handle(now, from_afar(another, 255, &down));
    assert_eq!(sessions.refused().no_session, 1);
    sessions.handle(now, from_afar(OURS, 255, &down));
    let states = [state(&sessions, 1), state(&sessions, 2)];
    assert_eq!(states, [State::Down, State::Init]);
    // One kind's discriminator does not open the other's port.
    let up = packet(State::Init, 1).encode();
    sessions.handle(now, from_afar(OURS, 255, &up));
    receive(&mut sessions, now, ETH0, packet(State::Init, 2));
    assert_eq!(sessions.refused().wrong_source, 2);
    let states = [state(&sessions, 1), state(&sessions, 2)];
    assert_eq!(states, [State::Down, State::Init]);
}

#[test]
fn packets_from_too_far_away_are_refused() {
    let now = Instant::now();
    let mut sessions = near_and_far(now);
    let down = packet(State::Down, 0).encode();
    sessions.handle(now, from_afar(OURS, 249, &down));
    let far = sessions.get(key(2)).unwrap();
    assert_eq!((far.state(), far.counters().refused_ttl), (State::Down, 1));
    sessions.handle(now, from_afar(OURS, 250, &down));
    assert_eq!(state(&sessions, 2), State::Init);
}

#[test]
fn one_address_in_two_routing_tables_is_two_peers() {
    let now = Instant::now();
    let mut sessions = Sessions::new(now);
    let red = Domain(7);
    sessions.add(config(None), key(1), 1, now).unwrap();
    sessions
        .add(config(None).domain(red), key(2), 2, now)
        .unwrap();
    let datagram = |domain, payload| {
        Input::Received(Datagram {
            remote: peer_address(),
            local: OURS,
            interface: ETH0,
            domain,
            hops: Hops::Single,
            ttl: 255,
            payload,
        })
    };
    let down = packet(State::Down, 0).encode();
    sessions.handle(now, datagram(red, &down));
    let states = [state(&sessions, 1), state(&sessions, 2)];
    assert_eq!(states, [State::Down, State::Init]);
    let stray = packet(State::Init, 1).encode();
    sessions.handle(now, datagram(red, &stray));
    assert_eq!(sessions.refused().wrong_source, 1);
}

#[test]
fn packets_that_are_not_believed_are_counted_with_the_reason() {
    let now = Instant::now();
    let mut sessions = Sessions::new(now);
    let sha1 = Authentication::new(crate::Method::MeticulousSha1, 1, b"secret").unwrap();
    let config = config(None).authentication(Some(sha1));
    sessions.add(config, key(1), 1, now).unwrap();
    receive(&mut sessions, now, ETH0, packet(State::Down, 0));
    let session = sessions.get(key(1)).unwrap();
    assert_eq!(session.state(), State::Down);
    assert_eq!(session.counters().refused_authentication, 1);
    assert_eq!(
        session.refusal().unwrap().to_string(),
        "the peer uses no authentication, but meticulous keyed SHA1 is configured here"
    );
    sessions.authenticate(now, key(1), None);
    receive(&mut sessions, now, ETH0, packet(State::Down, 0));
    assert_eq!(state(&sessions, 1), State::Init);
    assert_eq!(sessions.get(key(1)).unwrap().refusal(), None);
}

#[test]
fn a_packet_that_waited_through_a_stall_is_heard_before_anybody_is_judged() {
    let start = Instant::now();
    let mut sessions = Sessions::new(start);
    for (name, interface) in [(1, ETH0), (2, ETH1)] {
        sessions
            .add(config(Some(interface)), key(name), 7, start)
            .unwrap();
        receive(&mut sessions, start, interface, packet(State::Init, name));
    }
    // Both are due at 900 ms. 50 ms of a stall are too little to be an excuse.
    let late = start + MS * 950;
    while let Some(at) = sessions.deadline().filter(|at| *at < start + MS * 900) {
        sessions.handle(at, Input::Timeout);
    }
    receive(&mut sessions, late, ETH0, packet(State::Up, 1));
    receive(&mut sessions, late, ETH1, packet(State::Up, 2));
    sessions.handle(late, Input::Timeout);
    for name in [1, 2] {
        assert_eq!(state(&sessions, name), State::Up, "session {name}");
        assert_eq!(sessions.get(key(name)).unwrap().counters().losses, 0);
    }
}

#[test]
fn what_nobody_takes_or_believes_is_counted_together() {
    let now = Instant::now();
    let mut sessions = Sessions::new(now);
    sessions.add(config(Some(ETH0)), key(1), 7, now).unwrap();
    receive(&mut sessions, now, ETH0, packet(State::Down, 1));
    assert_eq!(sessions.unwelcome(), 0);
    receive(&mut sessions, now, ETH0, packet(State::Up, 2));
    receive(&mut sessions, now, ETH1, packet(State::Up, 1));
    receive_from(&mut sessions, now, (peer_address(), ETH0), &[0x20; 24]);
    let far = Datagram {
        remote: peer_address(),
        local: OURS,
        interface: ETH0,
        domain: Domain::default(),
        hops: Hops::Single,
        ttl: 254,
        payload: &packet(State::Up, 1).encode(),
    };
    sessions.handle(now, Input::Received(far));
    assert_eq!(sessions.unwelcome(), 4);
}

/// A session that is up with the peer on the first interface, and one that is down on the second. Both send
/// echo packets and offer to send some back.
fn echoing(now: Instant) -> Sessions {
    let often = Some(50 * MS);
    let parameters = Parameters::default().echo(often).unwrap();
    let parameters = parameters.echo_receive(often).unwrap();
    let mut sessions = Sessions::new(now);
    for (interface, name) in [(ETH0, 1), (ETH1, 2)] {
        let config = Config::new(peer_address(), parameters).interface(interface);
        sessions.add(config, key(name), name.into(), now).unwrap();
    }
    sessions.handle(now, Input::Timeout);
    let up = Packet {
        required_min_echo_rx: Interval::from_micros(10_000),
        ..packet(State::Init, 1)
    };
    receive(&mut sessions, now, ETH0, up);
    assert_eq!(state(&sessions, 1), State::Up);
    sessions
}

fn echo(
    sessions: &mut Sessions,
    now: Instant,
    (remote, interface): (IpAddr, InterfaceIndex),
    ttl: u8,
    payload: &[u8],
) -> bool {
    let datagram = Datagram {
        remote,
        local: OURS,
        interface,
        domain: Domain::default(),
        hops: Hops::Single,
        ttl,
        payload,
    };
    sessions.echo(now, datagram)
}

#[test]
fn only_the_peer_of_a_session_that_is_up_has_packets_sent_back() {
    let now = Instant::now();
    let mut sessions = echoing(now);
    let stranger: IpAddr = "fe80::9".parse().unwrap();
    assert!(echo(
        &mut sessions,
        now,
        (peer_address(), ETH0),
        255,
        b"anything"
    ));
    for (from, ttl) in [
        ((stranger, ETH0), 255),
        // Its session is down.
        ((peer_address(), ETH1), 255),
        // It has crossed a router, or was sent back once.
        ((peer_address(), ETH0), 254),
    ] {
        assert!(
            !echo(&mut sessions, now, from, ttl, b"anything"),
            "{from:?}"
        );
    }
    let counters = sessions.get(key(1)).unwrap().counters();
    assert_eq!(counters.echo_looped_back, 1);
    assert_eq!(sessions.refused().echo, 3);
    assert_eq!(sessions.unwelcome(), 0);
}

#[test]
fn nothing_is_sent_back_for_who_does_not_offer_it() {
    let now = Instant::now();
    let mut sessions = two(now);
    receive(&mut sessions, now, ETH0, packet(State::Init, 1));
    assert_eq!(state(&sessions, 1), State::Up);
    assert!(!echo(
        &mut sessions,
        now,
        (peer_address(), ETH0),
        255,
        b"anything"
    ));
}

#[test]
fn a_packet_that_came_back_is_of_the_session_that_it_names() {
    let now = Instant::now();
    let mut sessions = echoing(now);
    let sent = drain(&mut sessions).into_iter().find_map(|it| match it {
        (session, Output::SendEcho(packet)) => Some((session, packet)),
        _ => None,
    });
    let (session, packet) = sent.unwrap();
    assert_eq!((session, packet.discriminator), (key(1), key(1)));
    // Whoever sent it back, and from wherever: the number is what counts.
    let from = (OURS, ETH0);
    assert!(!echo(&mut sessions, now, from, 254, &packet.encode()));
    assert!(!echo(&mut sessions, now, from, 254, &packet.encode()));
    assert!(!echo(&mut sessions, now, from, 254, b""));
    let counters = sessions.get(key(1)).unwrap().counters();
    assert_eq!((counters.echo_sent, counters.echo_returned), (1, 1));
    assert_eq!(sessions.refused().echo, 2);
}

#[test]
fn a_session_knows_the_interface_it_was_heard_on() {
    let now = Instant::now();
    let mut sessions = two(now);
    let heard_on = |sessions: &Sessions| sessions.get(key(2)).unwrap().heard_on();
    assert_eq!(heard_on(&sessions), None);
    receive(&mut sessions, now, ETH1, packet(State::Down, 0));
    assert_eq!(heard_on(&sessions), Some(ETH1));
}
