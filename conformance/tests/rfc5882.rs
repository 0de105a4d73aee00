//! RFC 5882: what BFD means to a BGP session beside it. §4.3 is in `rfc5880.rs`, since it takes packets.

#![allow(missing_docs)]

use std::time::{Duration, Instant};

use bgp::session::{
    Bfd, BfdConfig, Config, ConnId, Input, Output, RemoteAs, Session, State, StopReason,
};
use bytes::BytesMut;

const OURS: u32 = 65001;
const THEIRS: u32 = 65002;

/// A session beside BFD, and the neighbour at the other end of its connection.
struct Ends {
    now: Instant,
    ours: Session,
    theirs: Session,
    connected: Option<ConnId>,
}

impl Ends {
    fn start(strict: bool) -> Self {
        let config = |own: u32, other: u32, id: u8| {
            let remote = RemoteAs::Exact(other.into());
            Config::new(own.into(), remote, [10, 0, 0, id].into())
        };
        let bfd = BfdConfig {
            strict,
            detect_time: Duration::from_millis(900),
        };
        let mut ends = Self {
            now: Instant::now(),
            ours: Session::new(config(OURS, THEIRS, 1).bfd(Some(bfd))),
            theirs: Session::new(config(THEIRS, OURS, 2).passive(true)),
            connected: None,
        };
        ends.theirs.handle(ends.now, Input::Start);
        ends.say(Input::Start);
        ends
    }

    /// Tells our side, and lets both say what they have to until they have no more.
    fn say(&mut self, input: Input) {
        const THEIRS: ConnId = ConnId::Incoming(0);
        self.ours.handle(self.now, input);
        loop {
            if let Some(output) = self.ours.poll() {
                if let Output::Connect { conn } = output {
                    self.connected = Some(conn);
                    let accepted = Input::Accepted { conn: THEIRS };
                    self.theirs.handle(self.now, accepted);
                    self.ours.handle(self.now, Input::Connected { conn });
                } else if let Output::Send { bytes, .. } = output {
                    let bytes = BytesMut::from(bytes);
                    let received = Input::Received {
                        conn: THEIRS,
                        bytes,
                    };
                    self.theirs.handle(self.now, received);
                }
            } else if let Some(output) = self.theirs.poll() {
                if let (Output::Send { bytes, .. }, Some(conn)) = (output, self.connected) {
                    let bytes = BytesMut::from(bytes);
                    let received = Input::Received { conn, bytes };
                    self.ours.handle(self.now, received);
                }
            } else {
                return;
            }
        }
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.say(Input::Timeout);
    }
}

#[test]
fn bfd_that_is_established_again_is_no_failure_of_the_path() {
    for strict in [false, true] {
        let mut ends = Ends::start(strict);
        ends.say(Input::Bfd(Bfd::Up));
        assert_eq!(ends.ours.state(), State::Established);
        // The neighbour's BFD has lost its state and begins again.
        ends.say(Input::Bfd(Bfd::Anew));
        ends.pass(Duration::from_secs(2));
        ends.say(Input::Bfd(Bfd::Up));
        ends.pass(Duration::from_secs(2));
        let status = ends.ours.status();
        assert_eq!((status.state, status.flaps), (State::Established, 0));
    }
}

#[test]
fn where_bfd_is_insisted_on_nothing_comes_up_before_it() {
    for not_up in [None, Some(Bfd::Down), Some(Bfd::PathDown), Some(Bfd::Anew)] {
        let mut ends = Ends::start(true);
        if let Some(not_up) = not_up {
            ends.say(Input::Bfd(Bfd::Up));
            ends.say(Input::Bfd(not_up));
            // What stands is not what is at issue.
            ends.say(Input::Stop(StopReason::PeerDeconfigured));
            ends.theirs
                .handle(ends.now, Input::Stop(StopReason::PeerDeconfigured));
            ends.theirs.handle(ends.now, Input::Start);
            ends.say(Input::Start);
        }
        let before = ends.ours.status().established;
        for _ in 0..100 {
            ends.pass(Duration::from_secs(1));
        }
        let status = ends.ours.status();
        assert_eq!(status.established, before, "{not_up:?}");
        assert!(status.waits_for_bfd, "{not_up:?}");
        ends.say(Input::Bfd(Bfd::Up));
        assert_eq!(ends.ours.state(), State::Established, "{not_up:?}");
    }
}
