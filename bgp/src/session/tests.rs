//! Sessions in virtual time: the test is the peer, the sockets and the clock.

mod attempts;
mod bfd;
mod graceful;
mod handshake;
mod long_lived;
mod names;
mod negotiation;
mod pair;
mod random;
mod reasons;
mod table;
mod timing;
mod updates;

use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};

use super::*;
use crate::asn::Asn;
use crate::family::Family;
use crate::message::{Capability, GracefulRestart, Message, Notification, Open};
use crate::wire;

const LOCAL_AS: Asn = Asn(65001);
const PEER_AS: Asn = Asn(65002);

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// Ours: 10.0.0.2, so that a peer can be on either side of it.
fn config() -> Config {
    Config::new(LOCAL_AS, RemoteAs::Exact(PEER_AS), [10, 0, 0, 2].into())
}

/// The peer's OPEN: 10.0.0.3, IPv4 unicast, four-octet AS numbers, route refresh.
fn peer_open() -> Open {
    Open {
        asn: PEER_AS,
        hold_time: 90,
        router_id: [10, 0, 0, 3].into(),
        capabilities: vec![
            Capability::Multiprotocol(1, 1),
            Capability::RouteRefresh,
            Capability::FourOctetAs(PEER_AS),
        ],
    }
}

/// The same with graceful restart for IPv4 unicast.
fn graceful_open(change: impl FnOnce(&mut GracefulRestart)) -> Open {
    let mut graceful = GracefulRestart {
        restarting: false,
        notification: false,
        restart_time: 120,
        families: vec![(1, 1, true)],
    };
    change(&mut graceful);
    let mut open = peer_open();
    open.capabilities
        .push(Capability::GracefulRestart(graceful));
    open
}

/// A session with its clock.
struct Bench {
    session: Session,
    now: Instant,
    accepted: u32,
}

impl Bench {
    fn new(config: Config) -> Self {
        Self {
            session: Session::new(config),
            now: Instant::now(),
            accepted: 0,
        }
    }

    /// A session that has been started and has said `Connect`.
    fn started(config: Config) -> (Self, ConnId) {
        let mut bench = Self::new(config);
        let outputs = bench.input(Input::Start);
        let conn = dialled(&outputs).expect("connects at once");
        (bench, conn)
    }

    /// A session that is Established on a connection it opened.
    fn established(config: Config, open: &Open) -> (Self, ConnId) {
        let (mut bench, conn) = Self::started(config);
        bench.input(Input::Connected { conn });
        bench.shake_hands(conn, open);
        (bench, conn)
    }

    fn shake_hands(&mut self, conn: ConnId, open: &Open) -> Vec<Output> {
        let mut outputs = self.say(conn, &wire::encode_open(open));
        outputs.extend(self.say(conn, &wire::encode_keepalive()));
        assert_eq!(
            self.session.state(),
            State::Established,
            "{outputs:?} {:?}",
            self.session.status()
        );
        outputs
    }

    fn accept(&mut self) -> (ConnId, Vec<Output>) {
        let conn = ConnId::Incoming(self.accepted);
        self.accepted += 1;
        let outputs = self.input(Input::Accepted { conn });
        (conn, outputs)
    }

    fn input(&mut self, input: Input) -> Vec<Output> {
        self.session.handle(self.now, input);
        std::iter::from_fn(|| self.session.poll()).collect()
    }

    fn say(&mut self, conn: ConnId, bytes: &[u8]) -> Vec<Output> {
        self.input(Input::Received {
            conn,
            bytes: BytesMut::from(bytes),
        })
    }

    fn close(&mut self, conn: ConnId) -> Vec<Output> {
        self.input(Input::Closed { conn, error: None })
    }

    fn refuse(&mut self, conn: ConnId) -> Vec<Output> {
        let error = ConnectError::Refused;
        self.input(Input::ConnectFailed { conn, error })
    }

    /// Lets time pass, handing in every deadline on the way.
    fn pass(&mut self, time: Duration) -> Vec<Output> {
        let end = self.now + time;
        let mut outputs = Vec::new();
        while let Some(at) = self.session.deadline().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            outputs.extend(self.input(Input::Timeout));
            let next = self.session.deadline();
            assert!(next.is_none_or(|next| next > self.now), "in the past");
        }
        self.now = end;
        outputs
    }

    /// The same with the peer alive on `conn`.
    fn pass_alive(&mut self, time: Duration, conn: ConnId) -> Vec<Output> {
        let mut outputs = Vec::new();
        let mut left = time;
        while left > Duration::ZERO {
            let step = left.min(secs(10));
            outputs.extend(self.pass(step));
            outputs.extend(self.say(conn, &wire::encode_keepalive()));
            left -= step;
        }
        outputs
    }

    /// Time until the next attempt, and its name.
    fn next_attempt(&mut self) -> (Duration, ConnId) {
        let since = self.now;
        for _ in 0..100 {
            let at = self.session.deadline().expect("an attempt is planned");
            let outputs = self.pass(at - self.now);
            if let Some(conn) = dialled(&outputs) {
                return (self.now - since, conn);
            }
        }
        panic!("no attempt");
    }
}

fn dialled(outputs: &[Output]) -> Option<ConnId> {
    outputs.iter().find_map(|output| {
        if let Output::Connect { conn } = output {
            Some(*conn)
        } else {
            None
        }
    })
}

/// Messages sent, in order.
fn sent(outputs: &[Output]) -> Vec<(ConnId, Message)> {
    let context = wire::Context::default();
    let mut sent = Vec::new();
    for output in outputs {
        if let Output::Send { conn, bytes } = output {
            let message = wire::decode(bytes, &context).expect("our own message");
            sent.push((*conn, message));
        }
    }
    sent
}

fn notified(outputs: &[Output]) -> Option<Notification> {
    sent(outputs).into_iter().find_map(|(_, message)| {
        if let Message::Notification(notification) = message {
            Some(notification)
        } else {
            None
        }
    })
}

fn codes(outputs: &[Output]) -> Option<(u8, u8)> {
    notified(outputs).map(|notification| (notification.code, notification.subcode))
}

fn keepalives(outputs: &[Output]) -> usize {
    sent(outputs)
        .iter()
        .filter(|(_, message)| *message == Message::Keepalive)
        .count()
}

fn closed(outputs: &[Output]) -> Vec<ConnId> {
    let mut closed = Vec::new();
    for output in outputs {
        if let Output::CloseConnection { conn } = output {
            closed.push(*conn);
        }
    }
    closed
}

fn down(outputs: &[Output]) -> Option<(DownReason, Option<Retain>)> {
    outputs.iter().find_map(|output| {
        if let Output::Down { reason, retain } = output {
            Some((reason.clone(), *retain))
        } else {
            None
        }
    })
}

fn released(outputs: &[Output]) -> Option<(Vec<Family>, ReleaseReason)> {
    outputs.iter().find_map(|output| {
        if let Output::Release { families, reason } = output {
            let gone = families.iter().filter(|(_, gone)| **gone);
            Some((gone.map(|(family, _)| family).collect(), *reason))
        } else {
            None
        }
    })
}

fn bytes_of(messages: &[Bytes]) -> BytesMut {
    let mut all = BytesMut::new();
    for message in messages {
        all.extend_from_slice(message);
    }
    all
}

fn end_of_rib(family: Family) -> Bytes {
    let mut bytes = BytesMut::new();
    wire::encode_end_of_rib(family, &mut bytes);
    bytes.freeze()
}
