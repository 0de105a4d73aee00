//! Two sessions, wired back to back through memory.
//!
//! Connections are set up, bytes delivered and closings seen in an order that a seed decides;
//! time moves when nothing else can happen. Whatever the order, both sides come up and stay up.

use std::collections::VecDeque;

use proptest::prelude::*;

use super::*;
use crate::session::timers::Jitter;

/// One end of a connection: whose, and its name there.
type End = (usize, ConnId);

/// What is on its way to one end.
enum Parcel {
    Bytes(Bytes),
    Close,
}

struct Wire {
    ends: [End; 2],
    /// Towards each end; `None` once that end is closed.
    ways: [Option<VecDeque<Parcel>>; 2],
}

struct Pair {
    benches: [Bench; 2],
    calls: Vec<End>,
    wires: Vec<Wire>,
    dice: Jitter,
    downs: usize,
}

impl Pair {
    fn new(seed: u64, ids: [[u8; 4]; 2]) -> Self {
        let mut dice = Jitter::new(seed);
        let make = |local: Asn, remote: Asn, id: [u8; 4], seed: u64| {
            Bench::new(
                Config::new(local, RemoteAs::Exact(remote), id.into())
                    .jitter_seed(seed)
                    .hold_time(HoldTime::secs(30).unwrap()),
            )
        };
        let seeds = [roll(&mut dice, 1 << 20), roll(&mut dice, 1 << 20)];
        let mut benches = [
            make(LOCAL_AS, PEER_AS, ids[0], seeds[0] as u64),
            make(PEER_AS, LOCAL_AS, ids[1], seeds[1] as u64),
        ];
        benches[1].now = benches[0].now;
        Self {
            benches,
            calls: Vec::new(),
            wires: Vec::new(),
            dice,
            downs: 0,
        }
    }

    fn roll(&mut self, sides: usize) -> usize {
        roll(&mut self.dice, sides)
    }

    fn input(&mut self, who: usize, input: Input) {
        let outputs = self.benches[who].input(input);
        self.carry_out(who, outputs);
    }

    fn carry_out(&mut self, who: usize, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Connect { conn } => self.calls.push((who, conn)),
                Output::Send { conn, bytes } => self.post((who, conn), Parcel::Bytes(bytes)),
                Output::CloseConnection { conn } => self.close((who, conn)),
                Output::Down { .. } => self.downs += 1,
                Output::Established { .. }
                | Output::Updates(_)
                | Output::Refresh { .. }
                | Output::FamilyDisabled { .. }
                | Output::LongLived { .. }
                | Output::Release { .. }
                | Output::AttemptFailed { .. }
                | Output::StateChanged { .. } => {}
            }
        }
    }

    fn post(&mut self, from: End, parcel: Parcel) {
        for wire in &mut self.wires {
            for to in 0..2 {
                if let (true, Some(way)) = (wire.ends[1 - to] == from, &mut wire.ways[to]) {
                    way.push_back(parcel);
                    return;
                }
            }
        }
    }

    fn close(&mut self, end: End) {
        self.calls.retain(|call| *call != end);
        self.post(end, Parcel::Close);
        for wire in &mut self.wires {
            for at in 0..2 {
                if wire.ends[at] == end {
                    wire.ways[at] = None;
                }
            }
        }
        self.wires
            .retain(|wire| wire.ways.iter().any(Option::is_some));
    }

    /// Places where something can happen now.
    fn pending(&self) -> Vec<(usize, usize)> {
        let mut pending = Vec::new();
        for (at, wire) in self.wires.iter().enumerate() {
            for (to, way) in wire.ways.iter().enumerate() {
                if way.as_ref().is_some_and(|way| !way.is_empty()) {
                    pending.push((at, to));
                }
            }
        }
        pending
    }

    /// One thing happens. False when only time can.
    fn step(&mut self) -> bool {
        let pending = self.pending();
        let choices = pending.len() + self.calls.len();
        if choices == 0 {
            return false;
        }
        match self.roll(choices) {
            choice if choice < pending.len() => self.deliver(pending[choice]),
            choice => self.connect(choice - pending.len()),
        }
        true
    }

    /// A call gets through; the two ends learn of it in either order.
    fn connect(&mut self, call: usize) {
        let caller = self.calls.swap_remove(call);
        let callee = 1 - caller.0;
        let bench = &mut self.benches[callee];
        let conn = ConnId::Incoming(bench.accepted);
        bench.accepted += 1;
        self.wires.push(Wire {
            ends: [caller, (callee, conn)],
            ways: [Some(VecDeque::new()), Some(VecDeque::new())],
        });
        let mut inputs = [
            (caller.0, Input::Connected { conn: caller.1 }),
            (callee, Input::Accepted { conn }),
        ];
        if self.roll(2) == 0 {
            inputs.reverse();
        }
        for (who, input) in inputs {
            self.input(who, input);
        }
    }

    fn deliver(&mut self, (at, to): (usize, usize)) {
        let (who, conn) = self.wires[at].ends[to];
        let cut = self.roll(60);
        let Some(way) = &mut self.wires[at].ways[to] else {
            return;
        };
        match way.pop_front() {
            Some(Parcel::Bytes(mut bytes)) => {
                // Sometimes only a part.
                if cut > 0 && cut < bytes.len() {
                    way.push_front(Parcel::Bytes(bytes.split_off(cut)));
                }
                let bytes = BytesMut::from(&bytes[..]);
                self.input(who, Input::Received { conn, bytes });
            }
            Some(Parcel::Close) => {
                self.wires[at].ways[to] = None;
                self.input(who, Input::Closed { conn, error: None });
                self.wires
                    .retain(|wire| wire.ways.iter().any(Option::is_some));
            }
            None => {}
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let deadlines = self.benches.iter();
        deadlines.filter_map(|bench| bench.session.deadline()).min()
    }

    fn advance(&mut self, to: Instant) {
        for who in 0..2 {
            self.benches[who].now = to;
            if self.benches[who]
                .session
                .deadline()
                .is_some_and(|at| at <= to)
            {
                self.input(who, Input::Timeout);
                let next = self.benches[who].session.deadline();
                assert!(next.is_none_or(|next| next > to));
            }
        }
    }

    fn is_up(&self) -> bool {
        self.benches
            .iter()
            .all(|bench| bench.session.state() == State::Established)
    }

    /// Runs until both are up and nothing is on its way; returns how long it took.
    fn settle(&mut self) -> Duration {
        let start = self.benches[0].now;
        loop {
            while self.step() {}
            if self.is_up() {
                return self.benches[0].now - start;
            }
            let at = self.deadline().expect("something is planned");
            assert!(at - start < secs(120), "not up after two minutes");
            self.advance(at);
        }
    }

    fn run(&mut self, time: Duration) {
        let end = self.benches[0].now + time;
        while self.step() {}
        while let Some(at) = self.deadline().filter(|at| *at <= end) {
            self.advance(at);
            while self.step() {}
        }
        self.advance(end);
    }
}

fn roll(dice: &mut Jitter, sides: usize) -> usize {
    let nanos = dice.apply(Duration::from_nanos(4 << 40)).as_nanos();
    ((4u128 << 40) - nanos) as usize / (1 << 30) % sides
}

fn identifiers() -> impl Strategy<Value = [[u8; 4]; 2]> {
    prop_oneof![
        Just([[10, 0, 0, 1], [10, 0, 0, 2]]),
        Just([[10, 0, 0, 2], [10, 0, 0, 1]]),
        Just([[10, 0, 0, 1], [10, 0, 0, 1]]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn both_come_up_and_stay_up(seed: u64, ids in identifiers()) {
        let mut pair = Pair::new(seed, ids);
        for who in 0..2 {
            pair.input(who, Input::Start);
        }
        pair.settle();
        pair.downs = 0;
        pair.run(secs(600));
        prop_assert!(pair.is_up());
        prop_assert_eq!(pair.downs, 0);
    }

    #[test]
    fn surplus_connections_do_no_harm(seed: u64, ids in identifiers()) {
        let mut pair = Pair::new(seed, ids);
        for who in 0..2 {
            pair.input(who, Input::Start);
        }
        pair.settle();
        pair.run(secs(30));
        pair.downs = 0;
        for _ in 0..20 {
            // A connection that nobody in the pair asked for, and what it might say.
            let who = pair.roll(2);
            let bench = &mut pair.benches[who];
            let conn = ConnId::Incoming(bench.accepted);
            bench.accepted += 1;
            pair.input(who, Input::Accepted { conn });
            let remote = [PEER_AS, LOCAL_AS][who];
            let open = Open { asn: remote, capabilities: Vec::new(), ..peer_open() };
            let junk = Bytes::from(vec![7; 40]);
            let said = [wire::encode_open(&open), wire::encode_keepalive(), junk];
            let bytes = BytesMut::from(&said[pair.roll(3)][..]);
            pair.input(who, Input::Received { conn, bytes });
            pair.run(secs(2));
        }
        prop_assert!(pair.is_up());
        prop_assert_eq!(pair.downs, 0);
    }

    #[test]
    fn both_come_back_after_any_loss(seed: u64, ids in identifiers()) {
        let mut pair = Pair::new(seed, ids);
        for who in 0..2 {
            pair.input(who, Input::Start);
        }
        for _ in 0..5 {
            pair.settle();
            pair.run(secs(70));
            let who = pair.roll(2);
            let text = String::new();
            match pair.roll(3) {
                0 => pair.input(who, Input::Stop(StopReason::AdministrativeReset { text })),
                1 => pair.input(who, Input::Stop(StopReason::HardReset { text })),
                _ => {
                    // TCP breaks, both sides are told.
                    let ends: Vec<End> = pair.wires.iter().flat_map(|wire| wire.ends).collect();
                    pair.wires.clear();
                    for (who, conn) in ends {
                        let error = Some("connection reset by peer".to_owned());
                        pair.input(who, Input::Closed { conn, error });
                    }
                }
            }
            let time = pair.settle();
            prop_assert!(time <= secs(60), "{:?}", time);
        }
    }
}
