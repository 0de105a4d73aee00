use proptest::prelude::*;

use super::super::tests::{MS, discriminator, outputs, packet, parameters, received};
use super::super::{Config, Hops, Input, Output, Parameters, Session};
use super::*;
use crate::packet::{Diagnostic, Interval, Packet};
use crate::state::State;

/// Ours: echo packets at 50 ms, multiplier 3.
fn echoing() -> Parameters {
    parameters(300, 300, 3).echo(Some(50 * MS)).unwrap()
}

/// The peer sends packets back, so many milliseconds apart at least.
fn offering(state: State, echo_ms: u32) -> Packet {
    Packet {
        required_min_echo_rx: Interval::from_micros(echo_ms * 1000),
        ..packet(state)
    }
}

/// A session, and a peer on a wire without delay.
struct Wire {
    now: Instant,
    session: Session,
    /// Echo packets come back.
    loops: bool,
    /// The peer does its part to come up again.
    comes_up: bool,
    /// How often the peer says that it sends them back.
    offers_ms: u32,
    control_at: Instant,
    echoes: Vec<(Instant, EchoPacket)>,
    downs: Vec<(Instant, Diagnostic)>,
}

impl Wire {
    fn up(config: Config, offers_ms: u32) -> Self {
        Self::with(config, offers_ms, true)
    }

    fn with(config: Config, offers_ms: u32, loops: bool) -> Self {
        let now = Instant::now();
        let mut session = Session::new(config, discriminator(1), 7, now);
        session.handle(now, Input::Timeout);
        session.handle(now, received(offering(State::Init, offers_ms)));
        assert_eq!(session.state(), State::Up);
        let mut wire = Self {
            now,
            session,
            loops,
            comes_up: false,
            offers_ms,
            control_at: now + 200 * MS,
            echoes: Vec::new(),
            downs: Vec::new(),
        };
        wire.deliver();
        wire
    }

    fn near(parameters: Parameters) -> Self {
        let config = Config::new("192.0.2.2".parse().unwrap(), parameters);
        Self::up(config, 10)
    }

    fn handle(&mut self, input: Input) {
        self.session.handle(self.now, input);
        self.deliver();
    }

    fn deliver(&mut self) {
        for output in outputs(&mut self.session) {
            match output {
                Output::Send(_) => {}
                Output::SendEcho(packet) => {
                    self.echoes.push((self.now, packet));
                    if self.loops {
                        let copy = EchoPacket::decode(&packet.encode()).unwrap();
                        self.handle(Input::EchoReturned(copy));
                    }
                }
                Output::StateChanged(change) if change.old == State::Up => {
                    self.downs.push((self.now, change.diagnostic));
                }
                Output::StateChanged(_) => {}
            }
        }
    }

    /// Runs timers; the peer's control packets come every 200 ms, whatever happens.
    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let next = self.session.deadline().unwrap_or(end).min(self.control_at);
            if next > end {
                break;
            }
            self.now = self.now.max(next);
            if self.now >= self.control_at {
                self.control_at += 200 * MS;
                let state = match self.session.state() {
                    State::Up => State::Up,
                    State::Down | State::Init | State::AdminDown if self.comes_up => State::Init,
                    State::Down | State::Init | State::AdminDown => State::Down,
                };
                self.handle(received(offering(state, self.offers_ms)));
            }
            self.handle(Input::Timeout);
            assert!(self.session.deadline().is_none_or(|at| at > self.now));
        }
        self.now = end;
    }

    fn gaps(&self) -> Vec<Duration> {
        let pairs = self.echoes.windows(2);
        pairs.map(|pair| pair[1].0 - pair[0].0).collect()
    }
}

#[test]
fn packets_come_back_and_keep_the_session_up() {
    let mut wire = Wire::near(echoing());
    wire.run(10_000 * MS);
    assert_eq!((wire.session.state(), wire.downs.len()), (State::Up, 0));
    let counters = wire.session.counters();
    assert!((200..=267).contains(&counters.echo_sent), "{counters:?}");
    assert_eq!(counters.echo_returned, counters.echo_sent);
    assert!(wire.session.echo_works());
    assert_eq!(wire.session.echo_round_trips().count(), 8);
    assert_eq!(wire.session.echo_round_trips().max(), Some(Duration::ZERO));
}

#[test]
fn the_slower_of_both_intervals_counts() {
    for (ours, theirs, used) in [(50, 10, 50), (50, 80, 80)] {
        let parameters = parameters(300, 300, 3).echo(Some(ours * MS)).unwrap();
        let config = Config::new("192.0.2.2".parse().unwrap(), parameters);
        let mut wire = Wire::up(config, theirs);
        assert_eq!(wire.session.echo_interval(), Some(used * MS));
        wire.run(5_000 * MS);
        let gaps = wire.gaps();
        // RFC 5880 §6.8.9: 75 to 100 % of it.
        let range = (used * MS * 75 / 100)..=(used * MS);
        assert!(gaps.iter().all(|gap| range.contains(gap)), "{gaps:?}");
        assert!(gaps.len() > 50, "{}", gaps.len());
    }
}

#[test]
fn packets_that_stay_away_take_the_session_down_while_control_packets_come() {
    let mut wire = Wire::near(echoing());
    wire.run(1_000 * MS);
    let (last, sent) = (wire.echoes.last().unwrap().0, wire.echoes.len());
    wire.loops = false;
    wire.run(160 * MS);
    let (at, diagnostic) = wire.downs[0];
    assert_eq!(diagnostic, Diagnostic::EchoFailed);
    assert_eq!(at, last + 150 * MS, "three intervals after the last one");
    assert!(wire.echoes.len() >= sent + 3, "three were lost");
    assert_eq!(wire.session.state(), State::Down);
    assert_eq!(wire.session.diagnostic(), Diagnostic::EchoFailed);
    // None are sent while it is down, RFC 5880 §6.8.9.
    let sent = wire.echoes.len();
    wire.run(40 * MS);
    assert_eq!(wire.echoes.len(), sent);
    assert_eq!(wire.session.echo_interval(), None);
}

#[test]
fn a_session_that_was_lost_stays_down_for_longer_each_time() {
    let mut wire = Wire::near(echoing());
    wire.run(1_000 * MS);
    wire.loops = false;
    // The peer would have it up at once.
    wire.comes_up = true;
    wire.run(120_000 * MS);
    let times: Vec<Instant> = wire.downs.iter().map(|(at, _)| *at).collect();
    let gaps: Vec<u128> = times
        .windows(2)
        .map(|pair| (pair[1] - pair[0]).as_millis())
        .collect();
    // A second, two, .., 16; then a control packet, and 150 ms.
    assert!(gaps.len() >= 8, "{gaps:?}");
    for (gap, held) in gaps
        .iter()
        .zip([1_000, 2_000, 4_000, 8_000, 16_000, 16_000])
    {
        assert!((held + 150..=held + 600).contains(gap), "{gaps:?}");
    }
    assert!(
        wire.downs
            .iter()
            .all(|(_, it)| *it == Diagnostic::EchoFailed)
    );
    // It comes up, and the count begins anew.
    wire.loops = true;
    wire.run(20_000 * MS);
    assert_eq!(wire.session.state(), State::Up);
    let downs = wire.downs.len();
    wire.loops = false;
    wire.run(160 * MS);
    assert_eq!(wire.downs.len(), downs + 1);
    wire.run(2_000 * MS);
    assert_eq!(wire.downs.len(), downs + 2);
}

#[test]
fn a_session_without_echo_is_held_no_longer() {
    let mut wire = Wire::near(echoing());
    wire.run(1_000 * MS);
    (wire.loops, wire.comes_up) = (false, true);
    wire.run(160 * MS);
    assert_eq!(wire.session.state(), State::Down);
    wire.handle(Input::Configure(parameters(300, 300, 3)));
    wire.run(400 * MS);
    assert_eq!(wire.session.state(), State::Up);
}

#[test]
fn a_peer_that_never_sent_one_back_loses_nothing() {
    let config = Config::new("192.0.2.2".parse().unwrap(), echoing());
    let mut wire = Wire::with(config, 10, false);
    wire.run(5_000 * MS);
    assert_eq!((wire.session.state(), wire.downs.len()), (State::Up, 0));
    assert!(wire.echoes.len() > 90 && !wire.session.echo_works());
    // From the first one on they count.
    wire.loops = true;
    wire.run(100 * MS);
    wire.loops = false;
    wire.run(200 * MS);
    assert_eq!(wire.downs.len(), 1);
}

#[test]
fn who_asks_anew_finds_out_anew() {
    let mut wire = Wire::near(echoing());
    wire.run(100 * MS);
    wire.loops = false;
    wire.handle(Input::Configure(parameters(300, 300, 3)));
    wire.handle(Input::Configure(echoing()));
    wire.run(2_000 * MS);
    assert_eq!((wire.session.echo_works(), wire.downs.len()), (false, 0));
}

#[test]
fn none_are_sent_to_a_peer_that_does_not_want_them_or_is_far() {
    let near = Config::new("192.0.2.2".parse().unwrap(), echoing());
    let mut wire = Wire::up(near.clone(), 0);
    wire.run(2_000 * MS);
    assert_eq!(wire.echoes, []);
    // RFC 5883 §3.
    let mut wire = Wire::up(near.hops(Hops::Multi), 10);
    wire.run(2_000 * MS);
    assert_eq!(wire.echoes, []);
}

#[test]
fn a_peer_that_wants_no_more_is_no_failure() {
    let mut wire = Wire::near(echoing());
    wire.run(1_000 * MS);
    (wire.loops, wire.offers_ms) = (false, 0);
    wire.handle(received(offering(State::Up, 0)));
    let sent = wire.echoes.len();
    wire.run(2_000 * MS);
    assert_eq!((wire.echoes.len(), wire.downs.len()), (sent, 0));
}

#[test]
fn what_we_offer_is_in_our_packets_over_one_hop() {
    let offers = |hops| {
        let parameters = parameters(300, 300, 3).echo_receive(Some(70 * MS));
        let config = Config::new("192.0.2.2".parse().unwrap(), parameters.unwrap());
        let now = Instant::now();
        let mut session = Session::new(config.hops(hops), discriminator(1), 7, now);
        session.handle(now, Input::Timeout);
        match session.poll() {
            Some(Output::Send(packet)) => packet.required_min_echo_rx.as_micros(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!([offers(Hops::Single), offers(Hops::Multi)], [70_000, 0]);
}

#[test]
fn a_packet_counts_once_and_a_made_up_one_never() {
    let mut wire = Wire::near(echoing());
    wire.loops = false;
    wire.run(100 * MS);
    let last = wire.echoes.last().unwrap().1;
    let before = wire.session.counters().echo_returned;
    let wrong = [
        EchoPacket {
            cookie: last.cookie ^ 1,
            ..last
        },
        EchoPacket {
            number: last.number + 1,
            ..last
        },
        EchoPacket {
            discriminator: discriminator(9),
            ..last
        },
    ];
    for packet in wrong {
        wire.handle(Input::EchoReturned(packet));
    }
    assert_eq!(wire.session.counters().echo_returned, before);
    wire.handle(Input::EchoReturned(last));
    wire.handle(Input::EchoReturned(last));
    assert_eq!(wire.session.counters().echo_returned, before + 1);
}

#[test]
fn a_stall_of_this_host_is_no_failure_of_the_peer() {
    let mut wire = Wire::near(echoing());
    wire.run(1_000 * MS);
    // Nothing was sent for 400 ms, so nothing can have come back.
    wire.now += 400 * MS;
    wire.control_at = wire.now;
    wire.handle(Input::Stalled { by: 400 * MS });
    wire.run(1_000 * MS);
    assert_eq!((wire.session.state(), wire.downs.len()), (State::Up, 0));
    assert_eq!(wire.session.counters().stalls, 1);
}

#[test]
fn at_most_so_many_packets_under_way_are_remembered() {
    let mut echo = Echo::default();
    let mut jitter = Jitter::new(1);
    let (start, one) = (Instant::now(), NonZeroU8::MIN);
    echo.pace(start, Some(10 * MS));
    let mut all = Vec::new();
    for step in 0..100 {
        let now = start + step * 10 * MS;
        all.extend(echo.transmit(now, discriminator(1), &mut jitter, one));
    }
    assert_eq!((all.len(), echo.under_way.len()), (100, UNDER_WAY_MAX));
    assert!(!echo.returned(start, all[0]));
    assert!(echo.returned(start, all[99]));
}

#[derive(Debug, Clone)]
enum Step {
    Wait(u64),
    Control(State, u32),
    Return(usize),
    Stall(u64),
    Offer(bool),
}

fn step() -> impl Strategy<Value = Step> {
    let state =
        proptest::sample::select(vec![State::AdminDown, State::Down, State::Init, State::Up]);
    let often = prop_oneof![Just(0_u32), 1_u32..500];
    prop_oneof![
        4 => (0_u64..400).prop_map(Step::Wait),
        3 => (state, often).prop_map(|(state, often)| Step::Control(state, often)),
        3 => (0_usize..4).prop_map(Step::Return),
        1 => (0_u64..2_000).prop_map(Step::Stall),
        1 => any::<bool>().prop_map(Step::Offer),
    ]
}

proptest! {
    /// Whatever happens: timers are never in the past, echo packets leave only while the session is up
    /// and the peer wants them, and not before 75 % of the interval has passed.
    #[test]
    fn echo_packets_leave_when_they_may(steps in proptest::collection::vec(step(), 1..80), seed: u64) {
        let mut now = Instant::now();
        let config = Config::new("192.0.2.2".parse().unwrap(), echoing());
        let mut session = Session::new(config, discriminator(1), seed, now);
        let mut echoes: Vec<(Instant, EchoPacket)> = Vec::new();
        for step in steps {
            let input = match step {
                Step::Wait(time) => {
                    let end = now + Duration::from_millis(time);
                    now = session.deadline().map_or(end, |at| at.min(end)).max(now);
                    Input::Timeout
                }
                Step::Control(state, often) => received(offering(state, often)),
                Step::Return(back) => match echoes.iter().rev().nth(back) {
                    Some((_, packet)) => Input::EchoReturned(*packet),
                    None => Input::Timeout,
                },
                Step::Stall(by) => {
                    let by = Duration::from_millis(by);
                    now += by;
                    Input::Stalled { by }
                }
                Step::Offer(on) => {
                    let echo = on.then_some(50 * MS);
                    Input::Configure(parameters(300, 300, 3).echo(echo).unwrap())
                }
            };
            session.handle(now, input);
            prop_assert!(session.deadline().is_none_or(|at| at > now));
            for output in outputs(&mut session) {
                if let Output::SendEcho(packet) = output {
                    prop_assert_eq!(session.state(), State::Up);
                    prop_assert!(session.remote().required_min_echo_rx != Interval::ZERO);
                    prop_assert!(echoes.iter().all(|(_, it)| it.cookie != packet.cookie));
                    echoes.push((now, packet));
                }
            }
            prop_assert_eq!(session.counters().echo_sent, u64::try_from(echoes.len()).unwrap());
            prop_assert!(session.counters().echo_returned <= session.counters().echo_sent);
        }
    }
}
