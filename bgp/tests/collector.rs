//! The example collector against a speaker, over TCP on loopback.
//!
//! ```text
//! Speaker, AS 65001 (here) ──TCP──► collector, AS 65010 (a thread) ──lines──► here
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::wildcard_enum_match_arm
)]

use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

use bgp::rib::PeerId;
use bgp::session::{ConnId, DownReason};
use bgp::speaker::{Input, Output, PeerConfig};
use bgp::{Family, Speaker};

// Its command line is not used here.
#[allow(dead_code)]
#[path = "../examples/collector.rs"]
mod collector;

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// Far more than anything here takes.
const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn the_collector_prints_what_a_speaker_announces_and_withdraws() {
    let listener = TcpListener::bind((LOOPBACK, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let options = collector::Options {
        listen: listener.local_addr().unwrap(),
        asn: 65010.into(),
        router_id: [10, 0, 0, 10].into(),
        peer: (LOOPBACK, 65001.into()),
        routes: Some(4),
        time: Some(PATIENCE),
    };
    let (lines, printed) = mpsc::channel();
    let collecting =
        thread::spawn(move || collector::collect(listener, &options, &mut Lines::new(lines)));

    let mut announcer = Announcer::new(port);
    for text in ["192.0.2.1/32", "192.0.2.2/32", "2001:db8::/32"] {
        announcer.speaker.originate(text.parse().unwrap());
    }
    announcer.run_until(|it| {
        it.downs.is_empty().then_some(())?;
        it.speaker.rib().is_settled(it.peer?).then_some(())
    });
    let mut told: Vec<String> = (0..3).map(|_| line(&printed)).collect();
    told.sort();
    let expected = [
        "best 192.0.2.1/32 via 198.51.100.1 path 65001",
        "best 192.0.2.2/32 via 198.51.100.1 path 65001",
        "best 2001:db8::/32 via 2001:db8::1 path 65001",
    ];
    assert_eq!(told, expected);

    announcer
        .speaker
        .retract("192.0.2.1/32".parse::<bgp::Prefix>().unwrap());
    let reason = announcer.run_until(|it| it.downs.pop());
    assert_eq!(line(&printed), "gone 192.0.2.1/32");
    let DownReason::NotificationReceived(notification) = reason else {
        panic!("{reason}");
    };
    let notification = notification.inner().unwrap_or(notification);
    assert_eq!(notification.text().as_deref(), Some("collected enough"));
    collecting.join().unwrap().unwrap();
}

fn line(printed: &Receiver<String>) -> String {
    printed.recv_timeout(PATIENCE).expect("a line")
}

/// A writer that hands over whole lines.
struct Lines {
    lines: Sender<String>,
    begun: String,
}

impl Lines {
    fn new(lines: Sender<String>) -> Self {
        Self {
            lines,
            begun: String::new(),
        }
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.begun.push_str(std::str::from_utf8(bytes).unwrap());
        while let Some((line, rest)) = self.begun.split_once('\n') {
            // A test that has failed does not listen.
            let _ = self.lines.send(line.to_owned());
            self.begun = rest.to_owned();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A speaker that connects, with one socket and no threads.
struct Announcer {
    speaker: Speaker,
    peer: Option<PeerId>,
    link: Option<(PeerId, ConnId, TcpStream)>,
    downs: Vec<DownReason>,
}

impl Announcer {
    fn new(port: u16) -> Self {
        let mut speaker = Speaker::new(65001, [10, 0, 0, 1].into());
        let config = PeerConfig::new(LOOPBACK, 65010)
            .port(port)
            .families([Family::Ipv4Unicast, Family::Ipv6Unicast])
            // Both ends have the same address, and a next hop of the receiver's own is refused
            // (RFC 4271 §5.1.3).
            .next_hop_ipv4([198, 51, 100, 1].into())
            .next_hop_ipv6("2001:db8::1".parse().unwrap());
        let peer = Some(speaker.add_peer(config).unwrap());
        Self {
            speaker,
            peer,
            link: None,
            downs: Vec::new(),
        }
    }

    fn run_until<T>(&mut self, mut done: impl FnMut(&mut Self) -> Option<T>) -> T {
        let give_up = Instant::now() + PATIENCE;
        let mut input = Input::Timeout;
        loop {
            self.handle(input);
            if let Some(value) = done(self) {
                return value;
            }
            assert!(Instant::now() < give_up, "it takes too long");
            input = self.wait(give_up);
        }
    }

    fn handle(&mut self, input: Input) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            self.speaker.handle(Instant::now(), input);
            while let Some(output) = self.speaker.poll() {
                inputs.extend(self.output(output));
            }
        }
    }

    fn output(&mut self, output: Output) -> Option<Input> {
        match output {
            Output::Connect { peer, conn, addr } => {
                let stream = TcpStream::connect(addr).unwrap();
                self.link = Some((peer, conn, stream));
                Some(Input::Connected {
                    peer,
                    conn,
                    local: LOOPBACK,
                })
            }
            Output::Send { peer, conn, bytes } => {
                let (_, _, stream) = self.link.as_mut().unwrap();
                stream.write_all(&bytes).unwrap();
                Some(Input::Written {
                    peer,
                    conn,
                    octets: bytes.len(),
                })
            }
            Output::Close { .. } => {
                self.link = None;
                None
            }
            Output::Down { reason, .. } => {
                self.downs.push(reason);
                None
            }
            _ => None,
        }
    }

    fn wait(&mut self, give_up: Instant) -> Input {
        let until = self
            .speaker
            .deadline()
            .into_iter()
            .chain([give_up])
            .min()
            .unwrap();
        let Some((peer, conn, stream)) = self.link.as_mut() else {
            panic!("no connection: {:?}", self.downs);
        };
        let (peer, conn) = (*peer, *conn);
        let time = until.saturating_duration_since(Instant::now());
        stream
            .set_read_timeout(Some(time.max(Duration::from_millis(1))))
            .unwrap();
        let mut buffer = [0; 4096];
        match stream.read(&mut buffer) {
            Ok(0) => Input::Closed {
                peer,
                conn,
                error: None,
            },
            Ok(length) => Input::Received {
                peer,
                conn,
                bytes: buffer.get(..length).unwrap().into(),
            },
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Input::Timeout,
            Err(error) => panic!("{error}"),
        }
    }
}
