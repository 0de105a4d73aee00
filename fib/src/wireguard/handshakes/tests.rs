use super::*;

const KEY: PublicKey = PublicKey([1; 32]);

/// A tunnel in virtual time, looked at once a second.
struct Tunnel {
    begin: Instant,
    second: u64,
    peer: Peer,
    watch: Handshakes,
}

impl Tunnel {
    fn new(keepalive: Option<u64>) -> Self {
        let mut peer = Peer::new(KEY);
        peer.keepalive = keepalive.map(Duration::from_secs);
        let mut tunnel = Self {
            begin: Instant::now(),
            second: 0,
            peer,
            watch: Handshakes::default(),
        };
        tunnel.handshake();
        tunnel.run(1, |_| {});
        tunnel
    }

    fn handshake(&mut self) {
        self.peer.last_handshake = Some(self.clock());
        self.peer.sent += 148;
        self.peer.received += 92;
    }

    fn clock(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 + self.second)
    }

    /// This many seconds, in each of which something happens; what changed, and when.
    fn run(&mut self, seconds: u64, each: impl Fn(&mut Self)) -> Vec<(u64, Option<Overdue>)> {
        let mut changes = Vec::new();
        for _ in 0..seconds {
            self.second += 1;
            each(self);
            let now = self.begin + Duration::from_secs(self.second);
            let peers = std::slice::from_ref(&self.peer);
            let found = self.watch.look(now, self.clock(), peers);
            changes.extend(found.into_iter().map(|(_, it)| (self.second, it)));
        }
        changes
    }

    fn data(&mut self) {
        self.peer.sent += 96;
    }

    fn answer(&mut self) {
        self.peer.received += 96;
    }
}

#[test]
fn data_without_an_answer_is_a_silence_after_twenty_seconds_and_an_answer_ends_it() {
    let mut tunnel = Tunnel::new(Some(5));
    let both = |it: &mut Tunnel| {
        it.data();
        it.answer();
    };
    assert_eq!(tunnel.run(60, both), []);
    let begin = tunnel.second;
    let found = tunnel.run(30, Tunnel::data);
    assert_eq!(found, [(begin + 21, Some(Overdue::Silent))]);
    assert_eq!(tunnel.watch.overdue(KEY), Some(Overdue::Silent));
    let again = tunnel.second + 1;
    assert_eq!(tunnel.run(5, both), [(again, None)]);
}

#[test]
fn keys_that_are_not_renewed_are_a_warning_before_they_expire() {
    let mut tunnel = Tunnel::new(None);
    let both = |it: &mut Tunnel| {
        it.data();
        it.answer();
    };
    let begin = tunnel.second;
    let found = tunnel.run(179, both);
    // The handshake was one second before the first look.
    assert_eq!(found, [(begin + 145, Some(Overdue::OldKeys))]);
    tunnel.handshake();
    let again = tunnel.second + 1;
    assert_eq!(tunnel.run(100, both), [(again, None)]);
}

#[test]
fn keys_that_are_renewed_in_time_are_no_warning() {
    let mut tunnel = Tunnel::new(Some(25));
    let found = tunnel.run(1000, |it| {
        it.data();
        it.answer();
        if it.second % 121 == 0 {
            it.handshake();
        }
    });
    assert_eq!(found, []);
}

#[test]
fn a_tunnel_without_data_is_not_overdue() {
    for keepalive in [None, Some(1), Some(25)] {
        let mut tunnel = Tunnel::new(keepalive);
        // The other side keeps nothing open, and need not answer.
        let found = tunnel.run(1000, |it| {
            if keepalive.is_some_and(|every| it.second % every == 0) {
                it.peer.sent += KEEPALIVE_OCTETS;
            }
        });
        assert_eq!(found, [], "{keepalive:?}");
    }
}

#[test]
fn a_peer_that_never_answered_is_silent() {
    let mut tunnel = Tunnel::new(None);
    tunnel.peer.last_handshake = None;
    tunnel.peer.received = 0;
    tunnel.run(1, |_| {});
    let begin = tunnel.second;
    // An attempt every five seconds.
    let found = tunnel.run(60, |it| {
        if it.second % 5 == 0 {
            it.peer.sent += 148;
        }
    });
    assert_eq!(found.len(), 1, "{found:?}");
    let (second, state) = found[0];
    assert!(second <= begin + 25, "{found:?}");
    assert_eq!(state, Some(Overdue::Silent));
}

#[test]
fn an_interface_that_was_made_anew_begins_anew() {
    let mut tunnel = Tunnel::new(None);
    tunnel.run(30, Tunnel::data);
    assert_eq!(tunnel.watch.overdue(KEY), Some(Overdue::Silent));
    tunnel.peer.sent = 0;
    tunnel.peer.received = 0;
    assert_eq!(tunnel.run(1, |_| {}), [(tunnel.second, None)]);
}
