use std::num::NonZeroU8;

use proptest::prelude::*;

use super::*;
use crate::packet::tests::any_packet;
use crate::timers::TICK;

pub(super) const MS: Duration = Duration::from_millis(1);

pub(super) fn discriminator(value: u32) -> Discriminator {
    Discriminator::new(value).unwrap()
}

pub(super) fn parameters(tx_ms: u64, rx_ms: u64, multiplier: u8) -> Parameters {
    Parameters::default()
        .desired_min_tx(Duration::from_millis(tx_ms))
        .and_then(|p| p.required_min_rx(Duration::from_millis(rx_ms)))
        .and_then(|p| p.detect_multiplier(multiplier))
        .unwrap()
}

fn session(parameters: Parameters, now: Instant) -> Session {
    let config = Config::new("192.0.2.2".parse().unwrap(), parameters);
    Session::new(config, discriminator(1), 7, now)
}

/// A packet of the peer as it would be at 300 ms and multiplier 3.
pub(super) fn packet(state: State) -> Packet {
    Packet {
        diagnostic: Diagnostic::None,
        state,
        poll: false,
        is_final: false,
        control_plane_independent: false,
        demand: false,
        detect_multiplier: NonZeroU8::new(3).unwrap(),
        my_discriminator: discriminator(2),
        your_discriminator: Some(discriminator(1)),
        desired_min_tx: Interval::from_micros(300_000),
        required_min_rx: Interval::from_micros(300_000),
        required_min_echo_rx: Interval::ZERO,
        authentication: None,
    }
}

pub(super) fn received(packet: Packet) -> Input {
    Input::Received { packet, ttl: 255 }
}

pub(super) fn outputs(session: &mut Session) -> Vec<Output> {
    std::iter::from_fn(|| session.poll()).collect()
}

fn sent(session: &mut Session) -> Vec<Packet> {
    let sends = |output| match output {
        Output::Send(packet) => Some(packet),
        Output::SendEcho(_) | Output::StateChanged(_) => None,
    };
    outputs(session).into_iter().filter_map(sends).collect()
}

/// A session brought into `state` by ordinary inputs, with its outputs taken.
fn in_state(state: State, parameters: Parameters, now: Instant) -> Session {
    let mut session = session(parameters, now);
    session.handle(now, Input::Timeout);
    match state {
        State::AdminDown => session.handle(now, Input::AdminDown),
        State::Down => {}
        State::Init => session.handle(now, received(packet(State::Down))),
        State::Up => session.handle(now, received(packet(State::Init))),
    }
    assert_eq!(session.state(), state);
    outputs(&mut session);
    session
}

/// Runs timeouts until `end`; gives each packet with its time.
fn run(session: &mut Session, end: Instant) -> Vec<(Instant, Packet)> {
    let mut all = Vec::new();
    while let Some(now) = session.deadline().filter(|&at| at <= end) {
        session.handle(now, Input::Timeout);
        all.extend(sent(session).into_iter().map(|packet| (now, packet)));
    }
    all
}

/// Two sessions joined by a wire without delay.
struct Pair {
    now: Instant,
    ends: [Session; 2],
    /// Whether packets from that end arrive.
    carries: [bool; 2],
    log: Vec<(Instant, usize, Packet)>,
    changes: Vec<(Instant, usize, StateChange)>,
}

impl Pair {
    fn new(parameters: [Parameters; 2]) -> Self {
        let now = Instant::now();
        let ends = [0, 1].map(|end| {
            let config = Config::new("192.0.2.1".parse().unwrap(), parameters[end]);
            let name = u32::try_from(end).unwrap() + 1;
            Session::new(config, discriminator(name), u64::from(name), now)
        });
        Self {
            now,
            ends,
            carries: [true; 2],
            log: Vec::new(),
            changes: Vec::new(),
        }
    }

    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            self.deliver();
            let next = self.ends.iter().filter_map(Session::deadline).min();
            let Some(next) = next.filter(|&at| at <= end) else {
                break;
            };
            self.now = self.now.max(next);
            for session in &mut self.ends {
                session.handle(self.now, Input::Timeout);
            }
        }
        self.now = end;
    }

    fn handle(&mut self, end: usize, input: Input) {
        self.ends[end].handle(self.now, input);
        self.deliver();
    }

    fn deliver(&mut self) {
        loop {
            let before = self.log.len() + self.changes.len();
            for end in [0, 1] {
                for output in outputs(&mut self.ends[end]) {
                    match output {
                        Output::StateChanged(change) => self.changes.push((self.now, end, change)),
                        Output::SendEcho(_) => {}
                        Output::Send(packet) => {
                            self.log.push((self.now, end, packet));
                            if self.carries[end] {
                                let copy = Packet::decode(&packet.encode()).unwrap();
                                self.ends[1 - end].handle(self.now, received(copy));
                            }
                        }
                    }
                }
            }
            if before == self.log.len() + self.changes.len() {
                return;
            }
        }
    }

    fn states(&self) -> [State; 2] {
        [self.ends[0].state(), self.ends[1].state()]
    }
}

#[test]
fn every_state_and_event_leads_where_the_rfc_says() {
    use State::{AdminDown, Down, Init, Up};
    let expire = |session: &mut Session, now: Instant| {
        let end = now + Duration::from_secs(10);
        session.handle(end, Input::Timeout);
    };
    let hear = |state| move |s: &mut Session, now: Instant| s.handle(now, received(packet(state)));
    let give = |input: Input| move |s: &mut Session, now: Instant| s.handle(now, input);
    type Event<'a> = (&'a str, Box<dyn Fn(&mut Session, Instant)>, [State; 4]);
    // Columns: AdminDown, Down, Init, Up.
    let table: Vec<Event<'_>> = vec![
        (
            "hears AdminDown",
            Box::new(hear(AdminDown)),
            [AdminDown, Down, Down, Down],
        ),
        (
            "hears Down",
            Box::new(hear(Down)),
            [AdminDown, Init, Init, Down],
        ),
        ("hears Init", Box::new(hear(Init)), [AdminDown, Up, Up, Up]),
        ("hears Up", Box::new(hear(Up)), [AdminDown, Down, Up, Up]),
        (
            "detection time expires",
            Box::new(expire),
            [AdminDown, Down, Down, Down],
        ),
        (
            "AdminDown",
            Box::new(give(Input::AdminDown)),
            [AdminDown; 4],
        ),
        (
            "Enable",
            Box::new(give(Input::Enable)),
            [Down, Down, Init, Up],
        ),
        (
            "Timeout",
            Box::new(give(Input::Timeout)),
            [AdminDown, Down, Init, Up],
        ),
        (
            "Stalled",
            Box::new(give(Input::Stalled { by: MS * 500 })),
            [AdminDown, Down, Init, Up],
        ),
        (
            "Configure",
            Box::new(give(Input::Configure(parameters(50, 50, 5)))),
            [AdminDown, Down, Init, Up],
        ),
    ];
    for (name, event, expected) in table {
        for (state, new) in [AdminDown, Down, Init, Up].into_iter().zip(expected) {
            let now = Instant::now();
            let mut session = in_state(state, Parameters::default(), now);
            event(&mut session, now + MS);
            assert_eq!(session.state(), new, "{state}: {name}");
            let changes = outputs(&mut session)
                .into_iter()
                .filter(|output| matches!(output, Output::StateChanged(_)))
                .count();
            assert_eq!(changes, usize::from(state != new), "{state}: {name}");
        }
    }
}

#[test]
fn two_sessions_come_up_and_speak_at_the_slower_rate() {
    let mut pair = Pair::new([parameters(100, 50, 3), parameters(50, 300, 4)]);
    pair.run(Duration::from_secs(3));
    assert_eq!(pair.states(), [State::Up, State::Up]);
    // 0 sends at max(100, 300), 1 sends at max(50, 50).
    assert_eq!(pair.ends[0].transmit_interval(), Some(MS * 300));
    assert_eq!(pair.ends[1].transmit_interval(), Some(MS * 50));
    assert_eq!(pair.ends[0].detection_time(), MS * 200);
    assert_eq!(pair.ends[1].detection_time(), MS * 900);
}

#[test]
fn packets_are_a_second_apart_while_the_session_is_not_up() {
    let start = Instant::now();
    let mut session = session(Parameters::default(), start);
    let packets = run(&mut session, start + Duration::from_secs(60));
    assert_eq!(packets[0].0, start);
    for pair in packets.windows(2) {
        let gap = pair[1].0 - pair[0].0;
        assert!(gap >= MS * 750 && gap <= MS * 1000, "{gap:?}");
        assert_eq!(pair[1].1.desired_min_tx, Interval::from_micros(1_000_000));
    }
    assert!(packets.len() > 60);
}

#[test]
fn silence_for_detect_time_brings_the_session_down() {
    let now = Instant::now();
    let mut session = in_state(State::Up, Parameters::default(), now);
    let expiry = now + MS * 900;
    run(&mut session, expiry - Duration::from_nanos(1));
    assert_eq!(session.state(), State::Up);
    session.handle(expiry, Input::Timeout);
    let change = StateChange {
        old: State::Up,
        new: State::Down,
        diagnostic: Diagnostic::DetectionTimeExpired,
        remote_state: State::Init,
        remote_diagnostic: Diagnostic::None,
    };
    let outputs = outputs(&mut session);
    assert_eq!(outputs[0], Output::StateChanged(change));
    // RFC 5880 §6.8.1: the peer's discriminator is forgotten; §6.8.7: the news is told at once.
    assert!(
        matches!(outputs[1], Output::Send(packet) if packet.your_discriminator.is_none()
        && packet.state == State::Down
        && packet.diagnostic == Diagnostic::DetectionTimeExpired)
    );
    assert!(!change.is_administrative());
    assert_eq!(session.counters().losses, 1);
}

#[test]
fn a_one_way_path_brings_both_ends_down() {
    let mut pair = Pair::new([Parameters::default(); 2]);
    pair.run(Duration::from_secs(3));
    pair.carries[0] = false;
    pair.changes.clear();
    pair.run(Duration::from_secs(1));
    let whole: Vec<_> = pair
        .changes
        .iter()
        .map(|c| (c.1, c.2.new, c.2.diagnostic))
        .collect();
    assert_eq!(
        whole[..2],
        [
            (1, State::Down, Diagnostic::DetectionTimeExpired),
            (0, State::Down, Diagnostic::NeighborSignaledDown),
        ]
    );
    pair.run(Duration::from_secs(60));
    assert!(!pair.states().contains(&State::Up));
    pair.carries[0] = true;
    pair.run(Duration::from_secs(3));
    assert_eq!(pair.states(), [State::Up, State::Up]);
}

#[test]
fn going_up_is_followed_by_one_poll_sequence() {
    let mut pair = Pair::new([Parameters::default(); 2]);
    pair.run(Duration::from_secs(10));
    for end in [0, 1] {
        let up = |(_, from, packet): &&(Instant, usize, Packet)| {
            *from == end && packet.state == State::Up
        };
        let polls = pair
            .log
            .iter()
            .filter(up)
            .filter(|entry| entry.2.poll)
            .count();
        let finals = pair
            .log
            .iter()
            .filter(|e| e.1 == 1 - end && e.2.is_final)
            .count();
        assert_eq!((polls, finals), (1, 1), "end {end}");
    }
}

#[test]
fn a_poll_is_answered_at_once_and_never_with_a_poll() {
    let now = Instant::now();
    let mut session = in_state(State::Up, Parameters::default(), now);
    session.handle(
        now + MS,
        received(Packet {
            poll: true,
            ..packet(State::Up)
        }),
    );
    let packets = sent(&mut session);
    assert_eq!(packets.len(), 1);
    assert!(packets[0].is_final && !packets[0].poll);
}

#[test]
fn slower_sending_waits_for_the_peers_confirmation() {
    let mut pair = Pair::new([parameters(100, 100, 3), parameters(100, 100, 3)]);
    pair.run(Duration::from_secs(5));
    // RFC 5880 §6.8.3, case 1: an increased bfd.DesiredMinTxInterval.
    pair.carries[1] = false;
    pair.handle(0, Input::Configure(parameters(250, 100, 3)));
    assert_eq!(pair.ends[0].transmit_interval(), Some(MS * 100));
    pair.run(MS * 150);
    assert_eq!(pair.ends[0].transmit_interval(), Some(MS * 100));
    pair.carries[1] = true;
    pair.run(MS * 200);
    assert_eq!(pair.ends[0].transmit_interval(), Some(MS * 250));
    assert_eq!(pair.ends[1].detection_time(), MS * 750);
    assert_eq!(pair.states(), [State::Up, State::Up]);
}

#[test]
fn shorter_detection_waits_for_the_peers_confirmation() {
    let mut pair = Pair::new([parameters(100, 500, 3), parameters(100, 100, 3)]);
    pair.run(Duration::from_secs(5));
    assert_eq!(pair.ends[0].detection_time(), MS * 1500);
    // RFC 5880 §6.8.3, case 2: a reduced bfd.RequiredMinRxInterval.
    pair.handle(0, Input::Configure(parameters(100, 200, 3)));
    assert_eq!(pair.ends[0].detection_time(), MS * 1500);
    pair.run(MS * 300);
    assert_eq!(pair.ends[0].detection_time(), MS * 600);
    assert_eq!(pair.ends[1].transmit_interval(), Some(MS * 200));
    pair.run(Duration::from_secs(5));
    assert_eq!(pair.states(), [State::Up, State::Up]);
}

#[test]
fn faster_sending_and_longer_detection_hold_at_once() {
    let mut pair = Pair::new([parameters(400, 100, 3), parameters(100, 100, 3)]);
    pair.run(Duration::from_secs(5));
    pair.handle(0, Input::Configure(parameters(200, 300, 3)));
    assert_eq!(pair.ends[0].transmit_interval(), Some(MS * 200));
    assert_eq!(pair.ends[0].detection_time(), MS * 900);
    // RFC 5880 §6.8.3: the next packet is due no later than the new interval after the last one.
    let last = pair.ends[0].transmission.last.unwrap();
    assert!(pair.ends[0].transmission.next.unwrap() <= (last + MS * 200).max(pair.now));
}

#[test]
fn an_answer_to_older_values_does_not_confirm_newer_ones() {
    let now = Instant::now();
    let mut session = in_state(State::Up, parameters(100, 300, 3), now);
    session.handle(now, received(packet(State::Up)));
    run(&mut session, now + MS * 400);
    session.handle(
        now + MS * 400,
        received(Packet {
            is_final: true,
            ..packet(State::Up)
        }),
    );
    assert_eq!(session.poll, Poll::Idle);
    session.handle(now + MS * 400, Input::Configure(parameters(500, 300, 3)));
    run(&mut session, now + MS * 800);
    assert_eq!(session.poll, Poll::Sent { again: false });
    session.handle(now + MS * 800, Input::Configure(parameters(700, 300, 3)));
    session.handle(
        now + MS * 801,
        received(Packet {
            is_final: true,
            ..packet(State::Up)
        }),
    );
    assert_eq!(session.poll, Poll::Requested);
    assert_eq!(session.transmit_interval(), Some(MS * 300));
}

#[test]
fn a_peer_that_can_take_nothing_is_sent_nothing_periodic() {
    let now = Instant::now();
    let mut session = in_state(State::Up, Parameters::default(), now);
    let quiet = Packet {
        required_min_rx: Interval::ZERO,
        ..packet(State::Up)
    };
    session.handle(now, received(quiet));
    assert_eq!(session.transmit_interval(), None);
    assert_eq!(run(&mut session, now + MS * 899), []);
    session.handle(
        now + MS * 899,
        received(Packet {
            poll: true,
            ..quiet
        }),
    );
    assert_eq!(
        sent(&mut session).len(),
        1,
        "an answer to a poll is not periodic"
    );
}

#[test]
fn a_peer_in_demand_mode_is_sent_packets_until_the_poll_sequence_ends() {
    let now = Instant::now();
    let mut session = in_state(State::Up, Parameters::default(), now);
    let demand = Packet {
        demand: true,
        ..packet(State::Up)
    };
    session.handle(now, received(demand));
    let polls = run(&mut session, now + MS * 310);
    assert!(!polls.is_empty() && polls.iter().all(|(_, packet)| packet.poll));
    session.handle(
        now + MS * 310,
        received(Packet {
            is_final: true,
            ..demand
        }),
    );
    assert_eq!(run(&mut session, now + MS * 1200), []);
}

#[test]
fn a_passive_session_waits_for_the_peer() {
    let now = Instant::now();
    let mut session = session(Parameters::default().passive(true), now);
    assert_eq!(session.deadline(), None);
    session.handle(now, Input::AdminDown);
    session.handle(now, Input::Enable);
    assert_eq!(sent(&mut session), []);
    let first = Packet {
        your_discriminator: None,
        ..packet(State::Down)
    };
    session.handle(now, received(first));
    assert_eq!(session.state(), State::Init);
    assert_eq!(
        sent(&mut session)[0].your_discriminator,
        Some(discriminator(2))
    );
}

#[test]
fn packets_that_crossed_a_router_are_refused_and_counted() {
    let now = Instant::now();
    let mut session = in_state(State::Down, Parameters::default(), now);
    for ttl in [0, 1, 64, 254] {
        session.handle(
            now,
            Input::Received {
                packet: packet(State::Down),
                ttl,
            },
        );
    }
    assert_eq!(session.state(), State::Down);
    assert_eq!(session.counters().refused_ttl, 4);
    assert_eq!(session.counters().received, 0);
}

#[test]
fn packets_for_another_session_are_refused_and_counted() {
    let now = Instant::now();
    let mut session = in_state(State::Up, Parameters::default(), now);
    let other = Packet {
        your_discriminator: Some(discriminator(9)),
        ..packet(State::Down)
    };
    session.handle(now, received(other));
    assert_eq!(session.state(), State::Up);
    assert_eq!(session.counters().refused_discriminator, 1);
}

#[test]
fn admin_down_is_told_and_is_not_a_failure() {
    let mut pair = Pair::new([Parameters::default(); 2]);
    pair.run(Duration::from_secs(3));
    pair.changes.clear();
    pair.handle(0, Input::AdminDown);
    let [(_, 0, here), (_, 1, there)] = pair.changes[..] else {
        panic!("{:?}", pair.changes)
    };
    assert_eq!(
        (here.new, here.diagnostic),
        (State::AdminDown, Diagnostic::AdministrativelyDown)
    );
    assert_eq!(
        (there.new, there.diagnostic),
        (State::Down, Diagnostic::NeighborSignaledDown)
    );
    assert!(here.is_administrative() && there.is_administrative());
    // RFC 5880 §6.8.16: it is said for longer than the detection time.
    pair.run(Duration::from_secs(5));
    assert_eq!(pair.states(), [State::AdminDown, State::Down]);
    assert!(
        pair.log
            .iter()
            .rev()
            .take(4)
            .any(|entry| entry.2.state == State::AdminDown)
    );
    pair.handle(0, Input::Enable);
    pair.run(Duration::from_secs(3));
    assert_eq!(pair.states(), [State::Up, State::Up]);
}

#[test]
fn a_restarted_peer_brings_the_session_down_and_up_again() {
    let mut pair = Pair::new([Parameters::default(); 2]);
    pair.run(Duration::from_secs(3));
    let config = pair.ends[1].config().clone();
    pair.ends[1] = Session::new(config, discriminator(77), 3, pair.now);
    pair.changes.clear();
    pair.run(Duration::from_secs(5));
    assert_eq!(
        pair.changes[0].2.diagnostic,
        Diagnostic::NeighborSignaledDown
    );
    assert_eq!(pair.states(), [State::Up, State::Up]);
    assert_eq!(pair.ends[0].remote().discriminator, Some(discriminator(77)));
}

#[test]
fn a_stall_of_ours_extends_the_detection_time() {
    let now = Instant::now();
    let mut session = in_state(State::Up, Parameters::default(), now);
    let late = now + MS * 2000;
    session.handle(late, Input::Stalled { by: MS * 1900 });
    assert_eq!(session.state(), State::Up);
    assert_eq!(session.counters().stalls, 1);
    run(&mut session, now + MS * 2799);
    assert_eq!(session.state(), State::Up);
    run(&mut session, now + MS * 2800);
    assert_eq!(session.state(), State::Down);
}

#[test]
fn a_short_delay_is_no_excuse() {
    let now = Instant::now();
    let mut session = in_state(State::Up, Parameters::default(), now);
    session.handle(now + MS * 899, Input::Stalled { by: MS * 112 });
    assert_eq!(session.counters().stalls, 0);
    session.handle(now + MS * 900, Input::Timeout);
    assert_eq!(session.state(), State::Down);
}

#[test]
fn a_host_that_always_stalls_still_notices_a_dead_peer() {
    let start = Instant::now();
    let mut session = in_state(State::Up, Parameters::default(), start);
    let mut now = start;
    while session.state() == State::Up {
        now += MS * 800;
        session.handle(now, Input::Stalled { by: MS * 500 });
    }
    assert_eq!(session.counters().stalls, 3);
    assert!(
        now - start <= MS * (900 + 3 * 800 + 800),
        "{:?}",
        now - start
    );
}

#[test]
fn parameters_out_of_range_are_refused() {
    let parameters = Parameters::default();
    let short = ParameterError::IntervalTooShort { interval: MS * 9 };
    assert_eq!(parameters.desired_min_tx(MS * 9), Err(short));
    assert_eq!(parameters.required_min_rx(MS * 9), Err(short));
    assert!(parameters.desired_min_tx(MS * 10).is_ok());
    assert!(matches!(
        parameters.required_min_rx(Duration::from_secs(5000)),
        Err(ParameterError::Interval(_))
    ));
    assert_eq!(
        parameters.detect_multiplier(0),
        Err(ParameterError::Multiplier)
    );
}

fn any_parameters() -> impl Strategy<Value = Parameters> {
    (10..2000u64, 10..2000u64, 1..=u8::MAX, any::<bool>())
        .prop_map(|(tx, rx, multiplier, passive)| parameters(tx, rx, multiplier).passive(passive))
}

fn any_input() -> impl Strategy<Value = Input> {
    let for_us = any_packet().prop_map(|packet| Packet {
        your_discriminator: packet.your_discriminator.and(Discriminator::new(1)),
        ..packet
    });
    prop_oneof![
        6 => (for_us, prop_oneof![9 => Just(255u8), 1 => any::<u8>()])
            .prop_map(|(packet, ttl)| Input::Received { packet, ttl }),
        4 => Just(Input::Timeout),
        1 => any_parameters().prop_map(Input::Configure),
        1 => Just(Input::AdminDown),
        1 => Just(Input::Enable),
        1 => (0..5000u64).prop_map(|by| Input::Stalled { by: Duration::from_millis(by) }),
    ]
}

proptest! {
    #[test]
    fn timers_are_never_in_the_past(
        parameters in any_parameters(),
        seed in any::<u64>(),
        steps in prop::collection::vec((any_input(), 0..3_000_000u64), 1..60),
    ) {
        let mut now = Instant::now();
        let config = Config::new("2001:db8::2".parse().unwrap(), parameters);
        let mut session = Session::new(config, discriminator(1), seed, now);
        for (input, later) in steps {
            now += Duration::from_micros(later);
            session.handle(now, input);
            prop_assert!(session.deadline().is_none_or(|at| at > now));
            for packet in sent(&mut session) {
                prop_assert!(!(packet.poll && packet.is_final));
                prop_assert!(packet.state == State::Up
                    || packet.desired_min_tx >= Interval::from_micros(1_000_000));
                prop_assert_eq!(Packet::decode(&packet.encode()).is_ok(),
                    packet.your_discriminator.is_some()
                    || matches!(packet.state, State::Down | State::AdminDown));
            }
        }
    }

    #[test]
    fn jitter_stays_within_the_bounds_of_the_rfc(
        seed in any::<u64>(), ms in 10..100_000u64, multiplier in 1..4u8,
    ) {
        let mut jitter = Jitter::new(seed);
        let interval = Duration::from_millis(ms);
        let percent = if multiplier == 1 { 90 } else { 100 };
        for _ in 0..50 {
            let wait = jitter.apply(interval, NonZeroU8::new(multiplier).unwrap());
            prop_assert!(wait >= interval * 75 / 100);
            let least = interval * 75 / 100;
            prop_assert!(wait + TICK <= (interval * percent / 100).max(least + TICK));
        }
    }

    #[test]
    fn two_sessions_come_up_whatever_their_parameters(
        a in any_parameters(), b in any_parameters(),
    ) {
        // RFC 5880 §6.1: at least one system MUST take the active role.
        let mut pair = Pair::new([a.passive(false), b]);
        pair.run(Duration::from_secs(20));
        prop_assert_eq!(pair.states(), [State::Up, State::Up]);
        pair.changes.clear();
        pair.run(Duration::from_secs(60));
        prop_assert_eq!(pair.changes.len(), 0);
    }
}

#[test]
fn polls_that_come_faster_than_any_peer_sends_are_not_all_answered() {
    let now = Instant::now();
    let mut session = in_state(State::Up, Parameters::default(), now);
    let polled = Packet {
        poll: true,
        ..packet(State::Up)
    };
    let mut answers = 0;
    for step in 1..=100 {
        session.handle(now + MS * step / 10, received(polled));
        answers += sent(&mut session).iter().filter(|it| it.is_final).count();
    }
    assert_eq!(answers, 2, "10 ms of replayed polls");
    session.handle(now + MS * 16, received(polled));
    assert!(sent(&mut session).iter().any(|it| it.is_final));
}
