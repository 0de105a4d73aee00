//! A route collector: listens, takes routes from one peer and prints each change of a best path.
//!
//! ```text
//! collector --listen 127.0.0.1:1790 --asn 65010 --peer 127.0.0.1=65001 --routes 1
//! best 192.0.2.1/32 via 127.0.0.1 path 65001
//! ```
//!
//! It shows [`bgp::Speaker`] with plain sockets of the standard library: one thread accepts, one
//! reads each connection, and the main thread owns the speaker, writes, and keeps time. What
//! threads read comes over one channel, which holds back the readers when it is full.
//!
//! It ends after `--routes` changes, after `--seconds`, or when interrupted. It never connects,
//! and announces nothing.

use std::collections::HashMap;
use std::error::Error;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::{Duration, Instant};

use bgp::rib::{Best, PeerId};
use bgp::session::{ConnId, StopReason};
use bgp::speaker::{Input, Output, PeerConfig};
use bgp::{Asn, Family, Speaker};

fn main() -> ExitCode {
    let options = match Options::read(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("error: {error}\n\nhint: {USAGE}");
            return ExitCode::from(2);
        }
    };
    let collected = TcpListener::bind(options.listen)
        .and_then(|listener| collect(listener, &options, &mut io::stdout()));
    match collected {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

const USAGE: &str = "collector --listen ADDRESS:PORT --asn ASN --peer ADDRESS=ASN \
                     [--router-id ADDRESS] [--routes N] [--seconds N]";

/// What the command line says.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// Where to listen.
    pub(crate) listen: SocketAddr,
    /// Own AS number.
    pub(crate) asn: Asn,
    /// Own BGP identifier; default the address listened on.
    pub(crate) router_id: Ipv4Addr,
    /// The one who may connect, and its AS number.
    pub(crate) peer: (IpAddr, Asn),
    /// End after so many changes.
    pub(crate) routes: Option<usize>,
    /// End after this time.
    pub(crate) time: Option<Duration>,
}

impl Options {
    fn read(arguments: impl Iterator<Item = String>) -> Result<Self, Box<dyn Error>> {
        let mut arguments = arguments;
        let (mut listen, mut asn, mut peer) = (None, None, None);
        let (mut router_id, mut routes, mut time) = (None, None, None);
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or(format!("`{name}` needs a value"))?;
            match name.as_str() {
                "--listen" => listen = Some(value.parse::<SocketAddr>()?),
                "--asn" => asn = Some(value.parse()?),
                "--router-id" => router_id = Some(value.parse()?),
                "--peer" => {
                    let (address, asn) = value.split_once('=').ok_or("`--peer` lacks `=ASN`")?;
                    peer = Some((address.parse()?, asn.parse()?));
                }
                "--routes" => routes = Some(value.parse()?),
                "--seconds" => time = Some(Duration::from_secs(value.parse()?)),
                _ => return Err(format!("`{name}` is not known").into()),
            }
        }
        let listen = listen.ok_or("`--listen` is missing")?;
        let own = match listen.ip() {
            IpAddr::V4(address) if !address.is_unspecified() => Some(address),
            IpAddr::V4(_) | IpAddr::V6(_) => None,
        };
        Ok(Self {
            listen,
            asn: asn.ok_or("`--asn` is missing")?,
            router_id: router_id.or(own).ok_or("`--router-id` is missing")?,
            peer: peer.ok_or("`--peer` is missing")?,
            routes,
            time,
        })
    }
}

/// Collects until the options say that it is enough.
pub(crate) fn collect(
    listener: TcpListener,
    options: &Options,
    out: &mut impl Write,
) -> io::Result<()> {
    let mut speaker = Speaker::new(options.asn, options.router_id);
    let (address, remote_as) = options.peer;
    let peer = speaker
        .add_peer(
            PeerConfig::new(address, remote_as)
                .passive(true)
                .families(Family::ALL),
        )
        .map_err(io::Error::other)?;
    let (events, queue) = mpsc::sync_channel(EVENTS_MAX);
    thread::spawn(move || accept(&listener, &events, address));
    let mut collector = Collector {
        speaker,
        peer,
        connections: HashMap::new(),
        changes: 0,
    };
    let end = options
        .time
        .and_then(|time| Instant::now().checked_add(time));
    let enough = |collector: &Collector, now| {
        end.is_some_and(|end| end <= now)
            || options
                .routes
                .is_some_and(|routes| routes <= collector.changes)
    };

    let mut input = Some(Input::Timeout);
    loop {
        let now = Instant::now();
        if let Some(input) = input.take() {
            collector.speaker.handle(now, input);
        }
        collector.work(options.routes, out)?;
        if enough(&collector, now) {
            break;
        }
        input = collector.wait(&queue, end)?;
    }
    let reason = StopReason::AdministrativeShutdown {
        text: "collected enough".to_owned(),
    };
    collector
        .speaker
        .handle(Instant::now(), Input::Stop { peer, reason });
    collector.work(options.routes, out)
}

/// Reads waiting for the main thread. It is as fast as they are, so few are enough.
const EVENTS_MAX: usize = 16;

/// A peer that takes nothing for this long is given up.
const WRITE_TIME: Duration = Duration::from_secs(5);

/// What threads tell the owner of the speaker.
#[derive(Debug)]
enum Event {
    Accepted(ConnId, TcpStream),
    Received(ConnId, Vec<u8>),
    Closed(ConnId, Option<String>),
}

struct Collector {
    speaker: Speaker,
    peer: PeerId,
    connections: HashMap<ConnId, TcpStream>,
    changes: usize,
}

impl Collector {
    /// Does what the speaker wants done, and prints up to `most` changes.
    fn work(&mut self, most: Option<usize>, out: &mut impl Write) -> io::Result<()> {
        while let Some(output) = self.speaker.poll() {
            match output {
                Output::Send { peer, conn, bytes } => self.write(peer, conn, &bytes),
                Output::Close { conn, .. } => {
                    if let Some(stream) = self.connections.remove(&conn) {
                        // Ends the reading thread too. One that is gone needs no closing.
                        drop(stream.shutdown(Shutdown::Both));
                    }
                }
                Output::Best(best) if most.is_none_or(|most| self.changes < most) => {
                    self.changes += 1;
                    writeln!(out, "{}", describe(&best))?;
                }
                Output::Established { negotiated, .. } => {
                    eprintln!("session with AS {} established", negotiated.remote_as);
                }
                Output::Down { reason, .. } => eprintln!("session down: {reason}"),
                Output::AttemptFailed { reason, .. } => eprintln!("connection refused: {reason}"),
                Output::EndOfRib { family, .. } => eprintln!("all of {family} received"),
                Output::Malformed { error, .. } | Output::FamilyDisabled { error, .. } => {
                    eprintln!("mistake of the peer: {error}");
                }
                // It is passive, and best paths beyond the wanted number do not matter.
                Output::Connect { .. } | Output::Best(_) | _ => {}
            }
        }
        out.flush()
    }

    fn write(&mut self, peer: PeerId, conn: ConnId, bytes: &[u8]) {
        let Some(stream) = self.connections.get_mut(&conn) else {
            return;
        };
        let input = match stream.write_all(bytes) {
            Ok(()) => Input::Written {
                peer,
                conn,
                octets: bytes.len(),
            },
            Err(error) => Input::Closed {
                peer,
                conn,
                error: Some(error.to_string()),
            },
        };
        self.speaker.handle(Instant::now(), input);
    }

    /// The next thing that happens, at the latest at the speaker's deadline or `end`.
    fn wait(
        &mut self,
        queue: &Receiver<Event>,
        end: Option<Instant>,
    ) -> io::Result<Option<Input>> {
        let until = self.speaker.deadline().into_iter().chain(end).min();
        let event = match until {
            Some(until) => queue.recv_timeout(until.saturating_duration_since(Instant::now())),
            None => queue.recv().map_err(|_| RecvTimeoutError::Disconnected),
        };
        let peer = self.peer;
        Ok(Some(match event {
            Ok(Event::Accepted(conn, stream)) => {
                // Without an address it is gone already.
                let Ok(local) = stream.local_addr() else {
                    return Ok(None);
                };
                self.connections.insert(conn, stream);
                Input::Accepted {
                    peer,
                    conn,
                    local: local.ip(),
                }
            }
            Ok(Event::Received(conn, bytes)) => Input::Received {
                peer,
                conn,
                bytes: bytes.as_slice().into(),
            },
            Ok(Event::Closed(conn, error)) => Input::Closed { peer, conn, error },
            Err(RecvTimeoutError::Timeout) => Input::Timeout,
            Err(RecvTimeoutError::Disconnected) => {
                return Err(io::Error::other("the listening socket failed"));
            }
        }))
    }
}

fn describe(best: &Best) -> String {
    let Some(path) = best.paths.first() else {
        return format!("gone {}", best.nlri);
    };
    let mut line = format!(
        "best {} via {}",
        best.nlri,
        path.attributes.next_hop().addr()
    );
    let path: Vec<String> = path
        .attributes
        .as_path()
        .flat_map(|segment| {
            segment
                .asns()
                .map(|asn| asn.to_string())
                .collect::<Vec<_>>()
        })
        .collect();
    if !path.is_empty() {
        line.push_str(" path ");
        line.push_str(&path.join(" "));
    }
    line
}

/// Accepts connections of the peer and starts a reader for each.
fn accept(listener: &TcpListener, events: &SyncSender<Event>, peer: IpAddr) {
    for (number, stream) in (0..).zip(listener.incoming()) {
        let stream = match stream {
            Ok(stream) => stream,
            // The peer was gone before it was accepted.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
            Err(_) => return,
        };
        let from = stream
            .peer_addr()
            .map(|address| address.ip().to_canonical());
        if from.ok() != Some(peer) {
            continue;
        }
        let conn = ConnId::Incoming(number);
        let writer = stream
            .set_write_timeout(Some(WRITE_TIME))
            .and_then(|()| stream.set_nodelay(true))
            .and_then(|()| stream.try_clone());
        let Ok(writer) = writer else { continue };
        if events.send(Event::Accepted(conn, writer)).is_err() {
            // Nobody listens any more.
            return;
        }
        let events = events.clone();
        thread::spawn(move || read(stream, conn, &events));
    }
}

/// Reads until the end, whoever ends it.
fn read(mut stream: TcpStream, conn: ConnId, events: &SyncSender<Event>) {
    let mut buffer = vec![0; 65_536];
    loop {
        let event = match stream.read(&mut buffer) {
            Ok(0) => Event::Closed(conn, None),
            Ok(length) => Event::Received(conn, buffer.get(..length).unwrap_or_default().into()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => Event::Closed(conn, Some(error.to_string())),
        };
        let last = matches!(event, Event::Closed(..));
        if events.send(event).is_err() || last {
            return;
        }
    }
}
