//! Anything in any order.

use std::collections::HashSet;

use proptest::prelude::any;
use proptest::prelude::*;

use super::*;

#[derive(Debug, Clone)]
enum Op {
    Start,
    Stop(u8),
    Configure(u8),
    Connected,
    Fail(u8),
    Accept,
    Say(bool, u8),
    Junk(bool, Vec<u8>),
    Close(bool),
    Blocked,
    Progress(bool),
    Pause(bool),
    Sent(u32),
    Bfd(Bfd),
    LinkIsBack,
    Pass(u32),
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        2 => Just(Op::Start),
        1 => (0u8..5).prop_map(Op::Stop),
        1 => (0u8..4).prop_map(Op::Configure),
        6 => Just(Op::Connected),
        2 => (0u8..4).prop_map(Op::Fail),
        4 => Just(Op::Accept),
        24 => (any::<bool>(), 0u8..10).prop_map(|(newest, what)| Op::Say(newest, what)),
        1 => (any::<bool>(), prop::collection::vec(any::<u8>(), 0..64))
            .prop_map(|(newest, bytes)| Op::Junk(newest, bytes)),
        2 => any::<bool>().prop_map(Op::Close),
        1 => Just(Op::Blocked),
        1 => any::<bool>().prop_map(Op::Progress),
        1 => any::<bool>().prop_map(Op::Pause),
        1 => (0u32..3_000).prop_map(Op::Sent),
        3 => prop::sample::select(vec![Bfd::Up, Bfd::Up, Bfd::Anew, Bfd::Down, Bfd::PathDown])
            .prop_map(Op::Bfd),
        1 => Just(Op::LinkIsBack),
        8 => (0u32..200_000).prop_map(Op::Pass),
    ]
}

/// Connections as their owner sees them.
#[derive(Default)]
struct Owner {
    open: Vec<ConnId>,
    closed: HashSet<ConnId>,
    established: bool,
    state: Option<State>,
    retained: bool,
}

impl Owner {
    fn check(&mut self, outputs: &[Output]) {
        for output in outputs {
            match output {
                Output::Connect { conn } => {
                    assert!(!self.open.contains(conn) && !self.closed.contains(conn));
                    self.open.push(*conn);
                }
                Output::CloseConnection { conn } => {
                    assert!(self.closed.insert(*conn), "closed twice: {conn}");
                    self.open.retain(|open| open != conn);
                }
                Output::Send { conn, .. } => {
                    assert!(
                        self.open.contains(conn),
                        "sent on {conn}, which is not open"
                    );
                }
                Output::Established { conn, .. } => {
                    assert!(!self.established && self.open.contains(conn));
                    self.established = true;
                }
                Output::Updates(_) | Output::Refresh { .. } | Output::FamilyDisabled { .. } => {
                    assert!(self.established);
                }
                Output::Down { retain, .. } => {
                    assert!(self.established);
                    self.established = false;
                    self.retained = retain.is_some();
                }
                Output::LongLived { .. } => assert!(self.retained && !self.established),
                Output::Release { .. } => assert!(self.retained, "nothing was retained"),
                Output::AttemptFailed { conn, .. } => assert!(self.closed.contains(conn)),
                Output::StateChanged { from, to } => {
                    assert_eq!(self.state.unwrap_or(State::Idle), *from);
                    assert_ne!(from, to);
                    self.state = Some(*to);
                }
            }
        }
    }
}

fn stop_reason(which: u8) -> StopReason {
    let text = "x".repeat(300);
    match which {
        0 => StopReason::AdministrativeShutdown { text },
        1 => StopReason::AdministrativeReset { text },
        2 => StopReason::HardReset { text },
        3 => StopReason::OtherConfigurationChange,
        _ => StopReason::OutOfResources,
    }
}

fn variant(which: u8) -> Config {
    let bfd = BfdConfig {
        strict: which == 1,
        detect_time: millis(300),
    };
    let config = config().bfd(Some(bfd)).stale_time(secs(20));
    match which {
        0 | 1 => config,
        2 => config.passive(true),
        _ => config
            .hold_time(HoldTime::secs(9).unwrap())
            .graceful_restart(Some(long_lived::ours())),
    }
}

fn message(which: u8) -> Bytes {
    match which {
        0..=2 => wire::encode_open(&long_lived::open(200, |graceful| {
            graceful.notification = which == 1;
            graceful.restarting = which == 2;
        })),
        3..=6 => wire::encode_keepalive(),
        7 => end_of_rib(Family::Ipv4Unicast),
        8 => wire::encode_notification(&Notification::new(6, 4, &[]), false),
        _ => wire::encode_open(&Open {
            asn: Asn(65009),
            capabilities: Vec::new(),
            ..peer_open()
        }),
    }
}

fn apply(bench: &mut Bench, owner: &mut Owner, op: Op) -> Vec<Output> {
    let pick = |newest: bool, owner: &Owner| match newest {
        true => owner.open.last().copied(),
        false => owner.open.first().copied(),
    };
    let unknown = ConnId::Outgoing(u32::MAX);
    let input = match op {
        Op::Start => Input::Start,
        Op::Stop(which) => Input::Stop(stop_reason(which)),
        Op::Configure(which) => Input::Configure(Box::new(variant(which))),
        Op::Connected => {
            let conn = owner.open.iter().rev().copied();
            let conn = conn
                .into_iter()
                .find(|conn| conn.side() == Side::Outgoing)
                .unwrap_or(unknown);
            Input::Connected { conn }
        }
        Op::Fail(which) => {
            let conn = pick(true, owner).unwrap_or(unknown);
            let error = match which {
                0 => ConnectError::Refused,
                1 => ConnectError::TimedOut,
                2 => ConnectError::Unreachable,
                _ => ConnectError::Other("no buffer space".to_owned()),
            };
            Input::ConnectFailed { conn, error }
        }
        Op::Accept => {
            let conn = ConnId::Incoming(bench.accepted);
            bench.accepted += 1;
            owner.open.push(conn);
            Input::Accepted { conn }
        }
        Op::Say(newest, which) => {
            let conn = pick(newest, owner).unwrap_or(unknown);
            let bytes = BytesMut::from(&message(which)[..]);
            Input::Received { conn, bytes }
        }
        Op::Junk(newest, bytes) => {
            let conn = pick(newest, owner).unwrap_or(unknown);
            let bytes = BytesMut::from(&bytes[..]);
            Input::Received { conn, bytes }
        }
        Op::Close(newest) => {
            let conn = pick(newest, owner).unwrap_or(unknown);
            Input::Closed { conn, error: None }
        }
        Op::Blocked => Input::WriteBlocked {
            conn: pick(false, owner).unwrap_or(unknown),
        },
        Op::Progress(waiting) => Input::WriteProgress {
            conn: pick(false, owner).unwrap_or(unknown),
            waiting,
        },
        Op::Pause(paused) => Input::ReadPaused {
            conn: pick(false, owner).unwrap_or(unknown),
            paused,
        },
        Op::Sent(updates) => Input::Sent {
            conn: pick(false, owner).unwrap_or(unknown),
            updates,
        },
        Op::Bfd(bfd) => Input::Bfd(bfd),
        Op::LinkIsBack => Input::LinkIsBack,
        Op::Pass(time) => return bench.pass(millis(time.into())),
    };
    bench.input(input)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// No panic; connections open and close once; nothing is sent on a closed one; Established
    /// and Down alternate; no deadline in the past (checked in [`Bench::pass`]); a session that is
    /// wanted and not passive always plans something; where BFD is insisted on and not up, nothing
    /// comes to Established and nothing is on its way there.
    #[test]
    fn any_input_in_any_order_keeps_the_promises(ops in prop::collection::vec(op(), 1..80)) {
        let mut bench = Bench::new(variant(0));
        let mut owner = Owner::default();
        for op in ops {
            let outputs = apply(&mut bench, &mut owner, op);
            owner.check(&outputs);
            let status = bench.session.status();
            prop_assert_eq!(status.state, owner.state.unwrap_or(State::Idle));
            prop_assert_eq!(status.state == State::Established, owner.established);
            let waits = status.passive || status.waits_for_bfd;
            if status.wanted && !waits && status.state != State::Established {
                prop_assert!(bench.session.deadline().is_some(), "stuck: {status:?}");
            }
            prop_assert!(owner.open.len() <= 3, "{:?}", owner.open);
            if bench.session.waits_for_bfd() {
                let came = outputs.iter().any(|it| matches!(it, Output::Established { .. }));
                prop_assert!(!came, "Established while BFD is not up");
                let said = [Side::Outgoing, Side::Incoming]
                    .map(|side| bench.session.attempt(side).link().is_some());
                prop_assert_eq!(said, [false; 2], "on its way while BFD is not up");
            }
        }
    }
}
