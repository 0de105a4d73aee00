//! RFC 5880, 5881 and 5883: what a peer, a stranger and a flood can do to BFD sessions; RFC 5882 §4.3:
//! what the end of one means while the peer's BGP restarts.
//!
//! ```text
//! left: rbgpd, [[bfd]] 10.9.0.2 ───── right: a peer made of the crate `bfd`, and who attacks
//! ```
//!
//! The peer is the test's own, so it knows what no stranger does: the discriminators, the source
//! port, and with authentication every octet that went over the wire. It speaks from a thread in
//! the namespace on the right and keeps its session up while the packets of the test arrive
//! beside its own.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use bfd::{
    Authentication, Discriminator, Input, Method, Output, Packet, Parameters, Session, State,
};
use conformance::blackbox::{Connection, Open, Prefix, Update};
use conformance::lab::{Error, Lab, Pair, Requirement, scenario, scenario_beside_others, toward};
use nix::libc;
use serde_json::Value;
use socket2::{Domain, Protocol, SockRef, Socket, Type};

const NEEDS: [Requirement; 2] = [Requirement::Root, Requirement::Rbgpd];

const PATIENCE: Duration = Duration::from_secs(30);

const PORT: u16 = 3784;

/// What the peer has said and heard.
#[derive(Debug, Default)]
struct Wire {
    said: Vec<Vec<u8>>,
    heard: Option<Packet>,
    downs: u64,
    state: Option<State>,
}

/// A peer that keeps to the RFC.
struct Peer {
    wire: Arc<Mutex<Wire>>,
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Peer {
    fn start(pair: &Pair<'_>, authentication: Option<Authentication>) -> Result<Self, Error> {
        Self::start_as(pair, authentication, false)
    }

    /// `independent` is the C bit.
    fn start_as(
        pair: &Pair<'_>,
        authentication: Option<Authentication>,
        independent: bool,
    ) -> Result<Self, Error> {
        let bind = |port: u16| {
            let socket = UdpSocket::bind(("10.9.0.2", port))?;
            socket.set_ttl(255)?;
            socket.set_read_timeout(Some(Duration::from_millis(5)))?;
            Ok::<_, std::io::Error>(socket)
        };
        let sockets: std::io::Result<_> =
            pair.right.within(|| Ok((bind(PORT)?, bind(50_000)?)))?;
        let (hears, speaks) = sockets.map_err(|e| Error::State(e.to_string()))?;
        let interval = Duration::from_millis(50);
        let parameters = Parameters::default().desired_min_tx(interval);
        let parameters = parameters.and_then(|it| it.required_min_rx(interval));
        let parameters = parameters.and_then(|it| it.detect_multiplier(5)).unwrap();
        let parameters = parameters.control_plane_independent(independent);
        let config = bfd::Config::new([10, 9, 0, 1].into(), parameters);
        let config = config.authentication(authentication);
        let (wire, ends) = (Arc::new(Mutex::new(Wire::default())), Arc::default());
        let (shared, over) = (Arc::clone(&wire), Arc::clone(&ends));
        let thread = std::thread::spawn(move || run((&hears, &speaks), config, &shared, &over));
        Ok(Self {
            wire,
            ends,
            thread: Some(thread),
        })
    }

    fn wire<T>(&self, look: impl FnOnce(&Wire) -> T) -> T {
        look(&self.wire.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// What it said last, and what the other side did.
    fn last(&self) -> (Vec<u8>, Packet) {
        self.wire(|wire| {
            let said = wire.said.last().cloned().unwrap_or_default();
            (said, wire.heard.unwrap_or_else(|| panic!("nothing heard")))
        })
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn run(
    (hears, speaks): (&UdpSocket, &UdpSocket),
    config: bfd::Config,
    wire: &Mutex<Wire>,
    ends: &AtomicBool,
) {
    let left: SocketAddr = ([10, 9, 0, 1], PORT).into();
    let name = Discriminator::new(77).unwrap();
    let mut session = Session::new(config, name, 9, Instant::now());
    let mut buffer = [0; 256];
    while !ends.load(Ordering::Relaxed) {
        let input = hears.recv(&mut buffer).ok();
        let input = input.and_then(|length| Packet::decode(buffer.get(..length)?).ok());
        if let Some(packet) = input {
            wire.lock().unwrap_or_else(PoisonError::into_inner).heard = Some(packet);
            session.handle(Instant::now(), Input::Received { packet, ttl: 255 });
        }
        session.handle(Instant::now(), Input::Timeout);
        while let Some(output) = session.poll() {
            let mut wire = wire.lock().unwrap_or_else(PoisonError::into_inner);
            match output {
                Output::Send(packet) => {
                    let octets = packet.encode().to_vec();
                    // One that does not get out is one that is lost.
                    let _ = speaks.send_to(&octets, left);
                    wire.said.push(octets);
                }
                Output::SendEcho(_) => {}
                Output::StateChanged(change) => {
                    wire.state = Some(change.new);
                    wire.downs += u64::from(change.old == State::Up);
                }
            }
        }
    }
}

fn shown(pair: &Pair<'_>) -> Result<Value, Error> {
    let text = pair.ctl(&["show", "bfd", "--json"])?;
    serde_json::from_str(&text).map_err(|e| Error::State(e.to_string()))
}

/// A number of the only session, or of the thread.
fn count(pair: &Pair<'_>, at: &str) -> Result<u64, Error> {
    let shown = shown(pair)?;
    let value = shown.pointer(at).and_then(Value::as_u64);
    value.ok_or_else(|| Error::State(format!("{at}: {shown}")))
}

fn until(lab: &Lab, what: &str, wanted: impl Fn() -> Result<bool, Error>) -> Result<(), Error> {
    lab.reach(what, PATIENCE, || match wanted()? {
        true => Ok(()),
        false => Err(Error::State("not yet".to_owned())),
    })
    .map(drop)
}

fn until_up(lab: &Lab, pair: &Pair<'_>, peer: &Peer) -> Result<(), Error> {
    until(lab, "up at both ends, at the pace of both", || {
        let now = shown(pair)?;
        let here = now["sessions"][0]["state"] == "up" && now["sessions"][0]["detect_ms"] == 250.0;
        Ok(here && peer.wire(|wire| wire.state == Some(State::Up)))
    })
}

/// No side has seen the session go down, and it is alive.
fn stays(lab: &Lab, pair: &Pair<'_>, peer: &Peer, what: &str) -> Result<(), Error> {
    let before = count(pair, "/sessions/0/received")?;
    until(lab, what, || {
        Ok(count(pair, "/sessions/0/received")? > before + 20)
    })?;
    let now = shown(pair)?;
    assert_eq!(now["sessions"][0]["flaps"], 0, "{what}: {now}");
    assert_eq!(peer.wire(|wire| wire.downs), 0, "{what}");
    Ok(())
}

/// Who sends whatever the test wants.
struct Attacker {
    socket: UdpSocket,
    to: SocketAddr,
}

impl Attacker {
    fn at(pair: &Pair<'_>, address: &str, ttl: u32) -> Result<Self, Error> {
        let socket = pair.right.within(|| {
            let socket = UdpSocket::bind((address, 0))?;
            socket.set_ttl(ttl)?;
            Ok::<_, std::io::Error>(socket)
        })?;
        let to = ([10, 9, 0, 1], PORT).into();
        let attacker = socket.map(|socket| Self { socket, to });
        attacker.map_err(|e| Error::State(e.to_string()))
    }

    /// As [`Attacker::at`] by IPv6.
    fn at_v6(pair: &Pair<'_>, address: &str, hops: u32) -> Result<Self, Error> {
        let socket = pair.right.within(|| {
            let socket = UdpSocket::bind((address, 0))?;
            SockRef::from(&socket).set_unicast_hops_v6(hops)?;
            Ok::<_, std::io::Error>(socket)
        })?;
        let to = SocketAddr::new("fd09::1".parse().unwrap(), PORT);
        let attacker = socket.map(|socket| Self { socket, to });
        attacker.map_err(|e| Error::State(e.to_string()))
    }

    /// Who writes headers of IPv4, too, with whatever addresses.
    fn forging(pair: &Pair<'_>) -> Result<Self, Error> {
        let raw = Protocol::from(libc::IPPROTO_RAW);
        let socket = pair
            .right
            .within(|| Socket::new(Domain::IPV4, Type::RAW, Some(raw)))?;
        let (socket, to) = (socket.map(UdpSocket::from), ([10, 9, 0, 1], 0).into());
        let attacker = socket.map(|socket| Self { socket, to });
        attacker.map_err(|e| Error::State(e.to_string()))
    }

    fn send(&self, octets: &[u8]) {
        // The kernel may have no room for it: then it is not an attack.
        let _ = self.socket.send_to(octets, self.to);
    }
}

const OURS: &str = "[[bfd]]\npeer = \"10.9.0.2\"\ninterval = \"50ms\"\nmultiplier = 5\n";

/// A packet of the peer that says Down, with these octets changed.
fn down_with(peer: &Peer, changes: &[(usize, u8)]) -> Vec<u8> {
    let (said, heard) = peer.last();
    let mut octets = said;
    octets.resize(24, 0);
    octets[1] = 0x40;
    octets[8..12].copy_from_slice(&heard.my_discriminator.get().to_be_bytes());
    for (at, value) in changes {
        octets[*at] = *value;
    }
    octets
}

#[test]
fn packets_with_a_wrong_field_are_discarded() -> Result<(), Error> {
    scenario_beside_others("rfc5880-fields", &NEEDS, |lab| {
        let mut pair = Pair::build(lab)?;
        pair.start(OURS)?;
        let peer = Peer::start(&pair, None)?;
        until_up(lab, &pair, &peer)?;
        let neighbor = Attacker::at(&pair, "10.9.0.2", 255)?;
        let zeros: Vec<(usize, u8)> = (4..8).map(|at| (at, 0)).collect();
        let nobody: Vec<(usize, u8)> = (8..12).map(|at| (at, 0xee)).collect();
        let no_one: Vec<(usize, u8)> = (8..12).map(|at| (at, 0)).chain([(1, 0xc0)]).collect();
        let wrong = [
            down_with(&peer, &[(0, 0x00)]), // version 0
            down_with(&peer, &[(0, 0x40)]), // version 2
            down_with(&peer, &[(2, 0)]),    // multiplier 0
            down_with(&peer, &[(3, 23)]),   // too short
            down_with(&peer, &[(3, 25)]),   // longer than the datagram
            down_with(&peer, &[(1, 0x41)]), // multipoint
            down_with(&peer, &zeros),       // my discriminator 0
            down_with(&peer, &nobody),      // nobody's discriminator
            down_with(&peer, &no_one),      // up, and your discriminator 0
            down_with(&peer, &[(1, 0x44)]), // authentication without a section
            down_with(&peer, &[])[..23].to_vec(),
            Vec::new(),
            vec![0xff; 400],
        ];
        let before = count(&pair, "/thread/refused")?;
        for octets in &wrong {
            neighbor.send(octets);
        }
        let all = before + u64::try_from(wrong.len()).unwrap();
        until(lab, "each is counted", || {
            Ok(count(&pair, "/thread/refused")? == all)
        })?;
        stays(lab, &pair, &peer, "after wrong fields")?;

        // An authentic section where none is in use is the session's to refuse.
        let section = [1, 9, 1, b's', b'e', b'c', b'r', b'e', b't'];
        let mut signed = down_with(&peer, &[(1, 0x44), (3, 33)]);
        signed.extend(section);
        neighbor.send(&signed);
        until(lab, "a section that nobody wants", || {
            Ok(count(&pair, "/sessions/0/refused")? == 1)
        })?;
        stays(lab, &pair, &peer, "after a section")
    })
}

/// As when rbgpd takes over from a daemon that has yet to end.
#[test]
fn a_port_that_somebody_else_has_is_waited_for() -> Result<(), Error> {
    scenario_beside_others("rfc5881-port", &NEEDS, |lab| {
        let mut pair = Pair::build(lab)?;
        let held = pair.left.within(|| UdpSocket::bind(("0.0.0.0", PORT)))?;
        let held = held.map_err(|e| Error::State(e.to_string()))?;
        pair.start(OURS)?;
        let peer = Peer::start(&pair, None)?;
        until(lab, "what it waits for is said", || {
            let now = shown(&pair)?;
            let waiting = now["sessions"][0]["waiting"].as_str();
            Ok(waiting.is_some_and(|it| it.contains("UDP port 3784")))
        })?;
        drop(held);
        until_up(lab, &pair, &peer)?;
        assert_eq!(shown(&pair)?["sessions"][0]["waiting"], Value::Null);
        Ok(())
    })
}

#[test]
fn packets_from_elsewhere_or_from_afar_are_discarded() -> Result<(), Error> {
    scenario_beside_others("rfc5881-source", &NEEDS, |lab| {
        let mut pair = Pair::build(lab)?;
        pair.start(OURS)?;
        let peer = Peer::start(&pair, None)?;
        until_up(lab, &pair, &peer)?;
        let down = down_with(&peer, &[]);
        for ttl in [1, 64, 254] {
            Attacker::at(&pair, "10.9.0.2", ttl)?.send(&down);
        }
        until(lab, "a TTL below 255", || {
            Ok(count(&pair, "/sessions/0/refused")? == 3)
        })?;
        let before = count(&pair, "/thread/refused")?;
        Attacker::at(&pair, "10.9.0.3", 255)?.send(&down);
        until(lab, "another source", || {
            Ok(count(&pair, "/thread/refused")? == before + 1)
        })?;
        stays(lab, &pair, &peer, "after strangers")
    })
}

#[test]
fn authenticated_packets_count_once_and_forged_ones_never() -> Result<(), Error> {
    scenario_beside_others("rfc5880-replay", &NEEDS, |lab| {
        let mut pair = Pair::build(lab)?;
        let keys = "authentication = { method = \"meticulous-sha1\", keys = [{ id = 1, secret = \"s3cret\" }] }";
        pair.start(&format!("{OURS}{keys}\n"))?;
        let sha1 = Authentication::new(Method::MeticulousSha1, 1, b"s3cret").unwrap();
        let peer = Peer::start(&pair, Some(sha1))?;
        until_up(lab, &pair, &peer)?;
        let attacker = Attacker::at(&pair, "10.9.0.2", 255)?;
        // Everything that the peer ever said, its packets that said Down among them.
        let before = count(&pair, "/sessions/0/refused")?;
        let said = peer.wire(|wire| wire.said.clone());
        for octets in &said {
            attacker.send(octets);
        }
        let all = before + u64::try_from(said.len()).unwrap();
        until(lab, "replays are refused", || {
            Ok(count(&pair, "/sessions/0/refused")? >= all)
        })?;
        // The right numbers by the wrong key, and none at all.
        let wrong = Authentication::new(Method::MeticulousSha1, 1, b"guess").unwrap();
        let config = bfd::Config::new([10, 9, 0, 1].into(), Parameters::default());
        let config = config.authentication(Some(wrong));
        let name = Discriminator::new(77).unwrap();
        let mut forger = Session::new(config, name, 9, Instant::now());
        forger.handle(Instant::now(), Input::Timeout);
        let Some(Output::Send(forged)) = forger.poll() else {
            panic!("a first packet")
        };
        let before = count(&pair, "/sessions/0/refused")?;
        attacker.send(&forged.encode());
        attacker.send(&down_with(&peer, &[(3, 24)]));
        until(lab, "forgeries are refused", || {
            Ok(count(&pair, "/sessions/0/refused")? >= before + 2)
        })?;
        stays(lab, &pair, &peer, "after replays and forgeries")
    })
}

/// Time that a thread of a process was on a processor, in its ticks of 10 ms.
fn ticks(pid: u32, thread: &str) -> u64 {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let of = |stat: String| {
        let (head, fields) = stat.rsplit_once(')')?;
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let time = |at: usize| fields.get(at)?.parse::<u64>().ok();
        head.ends_with(&format!("({thread}"))
            .then_some(time(11)? + time(12)?)
    };
    let stats = tasks.filter_map(|task| {
        let stat = task.ok()?.path().join("stat");
        std::fs::read_to_string(stat).ok()
    });
    stats.filter_map(of).sum()
}

/// Datagrams that leave in one system call: the kernel takes the buffer to pieces, and each comes to
/// the other side's socket by itself.
const BURST: usize = 10;

impl Attacker {
    /// As [`Attacker::at`], for bursts of packets of one length.
    fn flooding(pair: &Pair<'_>, address: &str, ttl: u32, octets: usize) -> Result<Self, Error> {
        const UDP_SEGMENT: libc::c_int = 103;
        let attacker = Self::at(pair, address, ttl)?;
        let (segment, fails) = (libc::c_int::try_from(octets).unwrap(), -1);
        let length = libc::socklen_t::try_from(size_of_val(&segment)).unwrap();
        // SAFETY: the descriptor is open as long as the attacker lives; the value is a C int of
        // that length.
        let result = unsafe {
            libc::setsockopt(
                attacker.socket.as_raw_fd(),
                libc::SOL_UDP,
                UDP_SEGMENT,
                (&raw const segment).cast(),
                length,
            )
        };
        assert_ne!(result, fails, "{}", std::io::Error::last_os_error());
        Ok(attacker)
    }
}

/// What came of a flood.
struct Flood {
    /// Packets in a second.
    rate: f64,
    /// Part of a processor that the thread was on.
    part: f64,
}

/// 100,000 packets a second, if this machine can send as many.
fn flood(pair: &Pair<'_>, attacker: &Attacker, octets: &[u8]) -> Flood {
    let burst = octets.repeat(BURST);
    flood_by(pair, || attacker.send(&burst))
}

/// The same of who sends [`BURST`] packets.
fn flood_by(pair: &Pair<'_>, send: impl Fn()) -> Flood {
    const TIME: Duration = Duration::from_secs(3);
    const RATE: u128 = 100_000;
    let pid = pair.rbgpd.pid().unwrap();
    let (before, start) = (ticks(pid, "bfd"), Instant::now());
    let mut sent = 0_u32;
    while start.elapsed() < TIME {
        if u128::from(sent) < RATE * start.elapsed().as_micros() / 1_000_000 {
            send();
            sent += u32::try_from(BURST).unwrap();
        } else {
            std::thread::yield_now();
        }
    }
    let wall = start.elapsed().as_secs_f64();
    let took = u32::try_from(ticks(pid, "bfd") - before).unwrap();
    Flood {
        rate: f64::from(sent) / wall,
        part: f64::from(took) / 100.0 / wall,
    }
}

#[test]
fn no_flood_takes_a_session_down_or_more_than_a_part_of_a_processor() -> Result<(), Error> {
    scenario("rfc5880-flood", &NEEDS, |lab| {
        let mut pair = Pair::build(lab)?;
        pair.start(OURS)?;
        let peer = Peer::start(&pair, None)?;
        until_up(lab, &pair, &peer)?;
        let nobody: Vec<(usize, u8)> = (8..12).map(|at| (at, 0xee)).collect();
        let (said, _) = peer.last();
        let mut polls = said.clone();
        polls[1] |= 0x20;
        let attacks = [
            ("of nobody", "10.9.0.2", 255, down_with(&peer, &nobody)),
            ("from afar", "10.9.0.2", 254, down_with(&peer, &[])),
            ("of a stranger", "10.9.0.3", 255, down_with(&peer, &[])),
            ("not even BFD", "10.9.0.3", 255, vec![0xff; 24]),
            ("replayed", "10.9.0.2", 255, said),
            ("replayed polls", "10.9.0.2", 255, polls),
        ];
        for (what, address, ttl, octets) in attacks {
            let attacker = Attacker::flooding(&pair, address, ttl, octets.len())?;
            let before = (
                count(&pair, "/thread/refused")?,
                count(&pair, "/sessions/0/refused")?,
                count(&pair, "/sessions/0/received")?,
                count(&pair, "/sessions/0/sent")?,
            );
            let Flood { rate, part } = flood(&pair, &attacker, &octets);
            let now = shown(&pair)?;
            let since = |at: &str, before: u64| count(&pair, at).map(|now| now - before);
            println!(
                "{what}: {rate:.0} a second, {:.0} % of a processor; read {} of no session, {} that the session refused, \
                 {} that it took, {} sent; shielded {}",
                part * 100.0,
                since("/thread/refused", before.0)?,
                since("/sessions/0/refused", before.1)?,
                since("/sessions/0/received", before.2)?,
                since("/sessions/0/sent", before.3)?,
                now["thread"]["shielded"],
            );
            assert!(part < 0.9, "{what}: {part} of a processor");
            // A poll every 5 ms is answered, and no more.
            let answers = since("/sessions/0/sent", before.3)?;
            assert!(answers < 1_500, "{what}: {answers} sent");
            stays(lab, &pair, &peer, what)?;
        }
        until(lab, "the filter goes with the flood", || {
            Ok(shown(&pair)?["thread"]["shielded"] == false)
        })?;
        // Everything is counted again.
        let before = count(&pair, "/sessions/0/refused")?;
        Attacker::at(&pair, "10.9.0.2", 254)?.send(&down_with(&peer, &[]));
        until(lab, "one from afar is counted", || {
            Ok(count(&pair, "/sessions/0/refused")? == before + 1)
        })
    })
}

#[test]
fn a_flood_of_what_was_signed_once_is_refused_at_a_bounded_cost() -> Result<(), Error> {
    scenario("rfc5880-flood-signed", &NEEDS, |lab| {
        let mut pair = Pair::build(lab)?;
        let keys = "authentication = { method = \"meticulous-sha1\", keys = [{ id = 1, secret = \"s3cret\" }] }";
        pair.start(&format!("{OURS}{keys}\n"))?;
        let sha1 = Authentication::new(Method::MeticulousSha1, 1, b"s3cret").unwrap();
        let peer = Peer::start(&pair, Some(sha1))?;
        until_up(lab, &pair, &peer)?;
        let (said, _) = peer.last();
        let attacker = Attacker::flooding(&pair, "10.9.0.2", 255, said.len())?;
        let before = count(&pair, "/sessions/0/refused")?;
        let Flood { rate, part } = flood(&pair, &attacker, &said);
        let refused = count(&pair, "/sessions/0/refused")? - before;
        println!(
            "{rate:.0} a second, {:.0} % of a processor; {refused} refused",
            part * 100.0
        );
        assert!(refused > 10_000, "it was a flood: {refused}");
        assert!(part < 0.9, "{part} of a processor");
        stays(lab, &pair, &peer, "replays of what was signed")
    })
}

/// An echo packet of a session that there is not, or of a neighbour's.
const ECHO: [u8; 24] = {
    let mut octets = [0x5a; 24];
    (octets[0], octets[1]) = (1, 24);
    octets
};

/// The same with the headers of one that we have sent and that came back: sums are not looked at by
/// who reads it from the interface.
fn forged_echo() -> Vec<u8> {
    let own = [10, 9, 0, 1];
    let ip = [0x45, 0, 0, 52, 0, 0, 0x40, 0, 254, 17, 0, 0];
    let udp = [0x0e, 0xc9, 0x0e, 0xc9, 0, 32, 0, 0];
    [&ip[..], &own, &own, &udp, &ECHO].concat()
}

/// What comes back has no other secrets than the names of sessions and the numbers in the packets.
#[test]
fn no_flood_of_echo_packets_takes_a_session_down() -> Result<(), Error> {
    scenario("rfc5880-flood-echo", &NEEDS, |lab| {
        let mut pair = Pair::build(lab)?;
        for space in [&pair.left, &pair.right] {
            space.run(&["sysctl", "-qw", "net.ipv4.ip_forward=1"])?;
        }
        pair.right.ip("addr add fd09::3/64 dev eth0 nodad")?;
        let echo = "interface = \"eth0\"\nmultiplier = 5\necho = true\n\
                    echo_transmit_interval = \"50ms\"\necho_receive_interval = \"50ms\"\n";
        let of = |local: u8, peer: u8| {
            let all = ["10.9.0.", "fd09::"].map(|net| {
                format!("[[bfd]]\npeer = \"{net}{peer}\"\nlocal = \"{net}{local}\"\n{echo}")
            });
            all.concat()
        };
        pair.start(&of(1, 2))?;
        let _right = pair.second(&of(2, 1))?;
        let returned = || {
            let now = shown(&pair)?;
            let all = now["sessions"].as_array().cloned().unwrap_or_default();
            let of = |it: &Value| it.pointer("/echo/returned").and_then(Value::as_u64);
            Ok::<Vec<u64>, Error>(all.iter().map(|it| of(it).unwrap_or(0)).collect())
        };
        let more = |what: &str, before: &[u64], by: u64| {
            until(lab, what, || {
                let now = returned()?;
                let pairs = now.iter().zip(before);
                Ok(now.len() == 2 && pairs.into_iter().all(|(now, then)| *now > then + by))
            })
        };
        more("both have theirs sent back", &[0, 0], 60)?;
        let echo_port = |address: &str, to: &str, ttl: u32| {
            let mut attacker = match to.contains(':') {
                false => Attacker::at(&pair, address, ttl)?,
                true => Attacker::at_v6(&pair, address, ttl)?,
            };
            attacker.to = SocketAddr::new(to.parse().unwrap(), 3785);
            Ok::<_, Error>(attacker)
        };
        let attacks = [
            (
                "of a stranger",
                echo_port("10.9.0.3", "10.9.0.1", 255)?,
                ECHO.to_vec(),
            ),
            ("as if sent back", Attacker::forging(&pair)?, forged_echo()),
            (
                "of a peer",
                echo_port("10.9.0.2", "10.9.0.1", 255)?,
                ECHO.to_vec(),
            ),
            (
                "of a stranger by IPv6",
                echo_port("fd09::3", "fd09::1", 255)?,
                ECHO.to_vec(),
            ),
            (
                "as if sent back by IPv6",
                echo_port("fd09::2", "fd09::1", 254)?,
                ECHO.to_vec(),
            ),
        ];
        for (what, attacker, octets) in attacks {
            let before = returned()?;
            let Flood { rate, part } = flood_by(&pair, || {
                (0..BURST).for_each(|_| attacker.send(&octets));
            });
            let during = returned()?;
            println!(
                "{what}: {rate:.0} a second, {:.0} % of a processor; came back {before:?} to {during:?}",
                part * 100.0
            );
            assert!(part < 0.9, "{what}: {part} of a processor");
            more(what, &during, 20)?;
            let now = shown(&pair)?;
            for session in 0..2 {
                assert_eq!(now["sessions"][session]["flaps"], 0, "{what}: {now}");
            }
        }
        Ok(())
    })
}

/// A peer with BGP and BFD whose BGP ends without a word and comes back later or never.
struct Restarting<'a> {
    lab: &'a Lab,
    pair: Pair<'a>,
    peer: Peer,
}

impl<'a> Restarting<'a> {
    /// Its route is there, its BFD is up, and its BGP has just broken off.
    fn begin(lab: &'a Lab, independent: bool) -> Result<Self, Error> {
        let mut pair = Pair::build(lab)?;
        let bfd = "bfd = { interval = \"50ms\", multiplier = 5 }\nipv4_unicast = {}";
        pair.start(&toward("10.9.0.2", 65002, bfd))?;
        let peer = Peer::start_as(&pair, None, independent)?;
        until_up(lab, &pair, &peer)?;
        assert_eq!(
            shown(&pair)?["sessions"][0]["control_plane_independent"],
            independent
        );
        let (from, to) = ([10, 9, 0, 2].into(), ([10, 9, 0, 1], 179).into());
        let connected = pair.right.within(|| Connection::open(from, to))?;
        let open = Open::new(65002, [10, 9, 0, 2].into()).graceful_restart(0, 60, true);
        let failed = |e: conformance::blackbox::Error| Error::State(e.to_string());
        let mut session = connected
            .and_then(|it| it.establish(&open))
            .map_err(failed)?;
        let route = Update::announce(
            &[Prefix::new([192, 0, 2, 0].into(), 24)],
            &[65002],
            [10, 9, 0, 2].into(),
        );
        session.update(&route).map_err(failed)?;
        // End-of-RIB.
        session.update(&Update::default()).map_err(failed)?;
        let restarting = Self { lab, pair, peer };
        until(lab, "the route is there", || restarting.has_route())?;
        drop(session);
        until(lab, "BGP is gone", || {
            Ok(restarting.pair.neighbor("10.9.0.2")?["state"] != "Established")
        })?;
        assert!(restarting.has_route()?, "kept, as for any restart");
        Ok(restarting)
    }

    fn has_route(&self) -> Result<bool, Error> {
        let routes = self.pair.ctl(&["show", "routes"])?;
        Ok(routes.contains("192.0.2.0/24"))
    }

    /// It is there now, and each time it is looked for in a second.
    fn keeps_route(&self, why: &str) -> Result<(), Error> {
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(1) {
            assert!(self.has_route()?, "{why}");
        }
        Ok(())
    }

    /// Its BFD falls silent.
    fn silence(self) -> Result<(&'a Lab, Pair<'a>), Error> {
        let Self { lab, pair, peer } = self;
        drop(peer);
        until(lab, "BFD is down", || {
            Ok(shown(&pair)?["sessions"][0]["state"] != "up")
        })?;
        Ok((lab, pair))
    }
}

/// RFC 5882 §4.3.2: BFD that shares the fate of the control plane goes with it, and that says nothing of
/// the path.
#[test]
fn bfd_that_ends_with_a_restarting_bgp_takes_no_route_along() -> Result<(), Error> {
    scenario_beside_others("rfc5882-shared", &NEEDS, |lab| {
        let restarting = Restarting::begin(lab, false)?;
        restarting.keeps_route("BFD is up")?;
        let (lab, pair) = restarting.silence()?;
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(2) {
            let routes = pair.ctl(&["show", "routes"])?;
            assert!(routes.contains("192.0.2.0/24"), "{routes}");
        }
        // The host itself is silent: that is a dead path, with any C bit.
        pair.right.ip("link set eth0 down")?;
        until(lab, "its routes go with it", || {
            Ok(!pair.ctl(&["show", "routes"])?.contains("192.0.2.0/24"))
        })
    })
}

/// RFC 5882 §4.3.1: BFD that lives apart from the control plane and goes down during a restart has
/// found the forwarding plane dead.
#[test]
fn bfd_that_lives_apart_ends_a_restart_when_it_goes_down() -> Result<(), Error> {
    scenario_beside_others("rfc5882-apart", &NEEDS, |lab| {
        let restarting = Restarting::begin(lab, true)?;
        restarting.keeps_route("BFD is up: the restart goes on")?;
        let start = Instant::now();
        let (lab, pair) = restarting.silence()?;
        until(lab, "its routes go at once", || {
            Ok(!pair.ctl(&["show", "routes"])?.contains("192.0.2.0/24"))
        })?;
        let took = start.elapsed();
        println!(
            "gone {took:?} after the last BFD packet; detection time 250 ms, restart time 60 s"
        );
        assert!(took < Duration::from_secs(10), "{took:?}");
        Ok(())
    })
}
