//! The BFD thread on real sockets: against itself and against FRR's bfdd.
//!
//! ```text
//!  namespace a                       namespace b
//!  BfdThread under test ── veth ──── another BfdThread, a child process, or bfdd
//!  10.9.0.1  fd09::1                 10.9.0.2  fd09::2
//! ```
//!
//! Needs root and `ip`; says "skipped" where these are missing. Namespaces have names of this
//! process and are removed at the end.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[path = "../../conformance/src/lab/skip.rs"]
mod skip;

use std::fs::File;
use std::io::Read;
use std::net::{IpAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use bfd::{Diagnostic, State};
use rbgpd::bfd_io::{BfdHandle, BfdThread, Event, EventKind, Params, SessionKey, Status};

const UP_MAX: Duration = Duration::from_secs(10);

/// Two namespaces joined by a veth pair named `wire` on both sides.
struct Lab {
    a: String,
    b: String,
}

static LABS: AtomicU32 = AtomicU32::new(0);

impl Lab {
    /// `None` where the machine cannot do it; says so.
    fn new() -> Option<Self> {
        let lab = Self::without_link()?;
        lab.link();
        Some(lab)
    }

    fn without_link() -> Option<Self> {
        // SAFETY: takes no arguments and cannot fail.
        if unsafe { libc::geteuid() } != 0 {
            skip::note(None, "network namespaces need root");
            return None;
        }
        if Command::new("ip")
            .arg("-V")
            .stdout(Stdio::null())
            .status()
            .is_err()
        {
            skip::note(None, "`ip` is not installed");
            return None;
        }
        let number = LABS.fetch_add(1, Ordering::Relaxed);
        let name = format!("rbgpd-bfd-{}-{number}", std::process::id());
        let lab = Self {
            a: format!("{name}a"),
            b: format!("{name}b"),
        };
        for namespace in [&lab.a, &lab.b] {
            ip(&format!("netns add {namespace}"));
            ip(&format!("-n {namespace} link set lo up"));
        }
        Some(lab)
    }

    fn link(&self) {
        let Self { a, b } = self;
        ip(&format!(
            "link add wire netns {a} type veth peer name wire netns {b}"
        ));
        for (namespace, number) in [(a, 1), (b, 2)] {
            // Only the link-local address below, so that the source address is known.
            ip(&format!("-n {namespace} link set wire addrgenmode none"));
            ip(&format!(
                "-n {namespace} addr add 10.9.0.{number}/24 dev wire"
            ));
            ip(&format!(
                "-n {namespace} addr add fd09::{number}/64 dev wire nodad"
            ));
            ip(&format!(
                "-n {namespace} addr add fe80::{number}/64 dev wire nodad"
            ));
            ip(&format!("-n {namespace} link set wire up"));
        }
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for namespace in [&self.a, &self.b] {
            let _ = Command::new("ip")
                .args(["netns", "del", namespace])
                .status();
        }
    }
}

fn ip(arguments: &str) {
    let status = Command::new("ip")
        .args(arguments.split(' '))
        .status()
        .unwrap();
    assert!(status.success(), "ip {arguments}");
}

/// Runs `work` on a thread inside a namespace; threads started there stay there.
fn within<T: Send>(namespace: &str, work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let file = File::open(format!("/run/netns/{namespace}")).unwrap();
            // SAFETY: the descriptor is open; only the calling thread changes its namespace.
            let result = unsafe { libc::setns(file.as_raw_fd(), libc::CLONE_NEWNET) };
            assert_eq!(
                result,
                0,
                "setns {namespace}: {}",
                std::io::Error::last_os_error()
            );
            work()
        });
        thread.join().unwrap()
    })
}

fn speaker(namespace: &str) -> (BfdHandle, Receiver<Event>) {
    let (sender, events) = channel();
    let on_event = Box::new(move |event| {
        let _ = sender.send(event);
    });
    (
        within(namespace, || BfdThread::spawn(on_event).unwrap()),
        events,
    )
}

fn session(peer: &str, interface: Option<&str>) -> SessionKey {
    let mut key = SessionKey::new(peer.parse().unwrap());
    key.interface = interface.map(str::to_owned);
    key
}

fn expect(events: &Receiver<Event>, kind: EventKind) -> Event {
    let event = events.recv_timeout(UP_MAX).expect("an event");
    assert_eq!(event.kind, kind, "{event:?}");
    event
}

/// The status of the only session, once it satisfies `wanted`.
fn until(handle: &BfdHandle, wanted: impl Fn(&Status) -> bool) -> Status {
    let end = Instant::now() + UP_MAX;
    loop {
        let status = handle.status().remove(0);
        if wanted(&status) {
            return status;
        }
        assert!(Instant::now() < end, "{status:#?}");
        std::thread::park_timeout(Duration::from_millis(5));
    }
}

/// A `BfdThread` in a process of its own, which can be killed as a crash would.
fn child_speaker(namespace: &str, peer: &str, interface: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "be_a_peer_until_killed"])
        .env("BFD_NAMESPACE", namespace)
        .env("BFD_PEER", peer)
        .env("BFD_INTERFACE", interface)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

#[test]
#[ignore = "the child process of other tests"]
fn be_a_peer_until_killed() {
    let Ok(namespace) = std::env::var("BFD_NAMESPACE") else {
        return;
    };
    let (handle, _events) = speaker(&namespace);
    let interface = std::env::var("BFD_INTERFACE").unwrap();
    let interface = Some(interface.as_str()).filter(|name| !name.is_empty());
    handle.set(
        session(&std::env::var("BFD_PEER").unwrap(), interface),
        Params::default(),
    );
    // Ends with the parent at the latest.
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}

fn a_killed_peer_is_noticed(here: &str, there: &str, interface: Option<&str>) {
    let Some(lab) = Lab::new() else { return };
    let (handle, events) = speaker(&lab.a);
    handle.set(session(there, interface), Params::default());
    let mut peer = child_speaker(&lab.b, here, interface.unwrap_or_default());
    expect(&events, EventKind::Up);
    let status = until(&handle, |status| {
        status.interval == Some(Duration::from_millis(300))
            && status.detection_time == Duration::from_millis(900)
    });
    assert_eq!((status.state, status.remote_state), (State::Up, State::Up));
    assert!(status.uptime.is_some());
    assert!(status.counters.received > 0 && status.counters.sent > 0);
    assert_eq!(status.counters.refused_ttl, 0);

    let killed = Instant::now();
    peer.kill().unwrap();
    peer.wait().unwrap();
    let down = expect(&events, EventKind::Down);
    assert_eq!(down.diagnostic, Diagnostic::DetectionTimeExpired);
    let took = down.at - killed;
    println!(
        "{there}: noticed after {took:?}, report {:?}",
        handle.report()
    );
    assert!(took < Duration::from_secs(1), "{took:?}");
    handle.stop();
}

#[test]
fn a_killed_ipv4_peer_is_noticed_within_a_second() {
    a_killed_peer_is_noticed("10.9.0.1", "10.9.0.2", None);
}

#[test]
fn a_killed_ipv6_peer_is_noticed_within_a_second() {
    a_killed_peer_is_noticed("fd09::1", "fd09::2", Some("wire"));
}

#[test]
fn a_killed_link_local_peer_is_noticed_within_a_second() {
    a_killed_peer_is_noticed("fe80::1", "fe80::2", Some("wire"));
}

#[test]
fn a_stopped_peer_is_not_a_failed_peer() {
    let Some(lab) = Lab::new() else { return };
    let (here, events) = speaker(&lab.a);
    let (there, their_events) = speaker(&lab.b);
    here.set(session("10.9.0.2", None), Params::default());
    there.set(session("10.9.0.1", None), Params::default());
    expect(&events, EventKind::Up);
    expect(&their_events, EventKind::Up);
    let began = Instant::now();
    there.stop();
    // A peer that has said that it knows is not told again.
    assert!(
        began.elapsed() < Duration::from_millis(900),
        "{:?}",
        began.elapsed()
    );
    expect(&their_events, EventKind::AdminDown);
    let event = expect(&events, EventKind::AdminDown);
    assert_eq!(event.diagnostic, Diagnostic::NeighborSignaledDown);
    assert_eq!(event.peer(), "10.9.0.2".parse::<IpAddr>().unwrap().into());
}

/// RFC 5880 §6.8.16.
#[test]
fn a_peer_that_does_not_answer_is_told_for_its_detection_time_that_the_session_is_over() {
    let Some(lab) = Lab::new() else { return };
    let sockets = || ["3784", "50000"].map(|port| UdpSocket::bind(format!("10.9.0.2:{port}")));
    let [hears, speaks] = within(&lab.b, || sockets().map(Result::unwrap));
    speaks.set_ttl(255).unwrap();
    hears.set_read_timeout(Some(UP_MAX)).unwrap();
    let (handle, events) = speaker(&lab.a);
    handle.set(session("10.9.0.2", None), Params::default());
    let mut buffer = [0; 64];
    let mut hear = || {
        let length = hears.recv(&mut buffer).unwrap();
        bfd::Packet::decode(&buffer[..length]).unwrap()
    };
    let config = bfd::Config::new("10.9.0.1".parse().unwrap(), Params::default());
    let name = bfd::Discriminator::new(77).unwrap();
    let mut answer = first_packet(bfd::Session::new(config, name, 1, Instant::now()));
    answer.your_discriminator = Some(hear().my_discriminator);
    answer.state = State::Init;
    speaks.send_to(&answer.encode(), "10.9.0.1:3784").unwrap();
    expect(&events, EventKind::Up);
    let began = Instant::now();
    let stopped = std::thread::spawn(move || {
        handle.stop();
        began.elapsed()
    });
    let is_over = |packet: bfd::Packet| packet.state == State::AdminDown;
    let mut told = 0;
    while told < 2 {
        told += u32::from(is_over(hear()));
    }
    let took = stopped.join().unwrap();
    let range = Duration::from_secs(1)..Duration::from_secs(3);
    assert!(range.contains(&took), "{took:?}");
}

#[test]
fn admin_down_and_removal_are_told_and_undone() {
    let Some(lab) = Lab::new() else { return };
    let (here, events) = speaker(&lab.a);
    let (there, their_events) = speaker(&lab.b);
    let key = session("10.9.0.2", None);
    here.set(key.clone(), Params::default());
    there.set(session("10.9.0.1", None), Params::default());
    expect(&their_events, EventKind::Up);
    expect(&events, EventKind::Up);
    here.set_admin_down(key.clone(), true);
    expect(&events, EventKind::AdminDown);
    expect(&their_events, EventKind::AdminDown);
    assert_eq!(here.status()[0].state, State::AdminDown);
    here.set_admin_down(key.clone(), false);
    expect(&events, EventKind::Up);
    expect(&their_events, EventKind::Up);
    here.remove(key.clone());
    expect(&their_events, EventKind::AdminDown);
    assert_eq!(here.status(), []);
    here.set(key, Params::default());
    expect(&their_events, EventKind::Up);
}

#[test]
fn new_intervals_are_negotiated_without_a_flap() {
    let Some(lab) = Lab::new() else { return };
    let (here, events) = speaker(&lab.a);
    let (there, _their_events) = speaker(&lab.b);
    let key = session("10.9.0.2", None);
    here.set(key.clone(), Params::default());
    there.set(session("10.9.0.1", None), Params::default());
    expect(&events, EventKind::Up);
    let slow = Duration::from_millis(500);
    let params = Params::default()
        .desired_min_tx(slow)
        .unwrap()
        .required_min_rx(slow)
        .unwrap();
    here.set(key, params);
    until(&here, |status| {
        status.interval == Some(slow) && status.detection_time == 3 * slow
    });
    until(&there, |status| {
        status.interval == Some(slow) && status.detection_time == 3 * slow
    });
    assert_eq!(
        here.status()[0].counters.losses + there.status()[0].counters.losses,
        0
    );
    assert!(events.try_recv().is_err());
}

#[test]
fn a_session_waits_for_its_interface_and_survives_its_replacement() {
    let Some(lab) = Lab::without_link() else {
        return;
    };
    let (here, events) = speaker(&lab.a);
    let (there, _their_events) = speaker(&lab.b);
    here.set(session("10.9.0.2", Some("wire")), Params::default());
    there.set(session("10.9.0.1", None), Params::default());
    let status = until(&here, |status| status.waiting.is_some());
    assert_eq!(
        status.waiting.as_deref(),
        Some("interface `wire` does not exist")
    );
    assert_eq!((status.state, status.local), (State::Down, None));
    lab.link();
    expect(&events, EventKind::Up);
    assert_eq!(here.status()[0].local, Some("10.9.0.1".parse().unwrap()));
    assert_eq!(here.status()[0].waiting, None);

    ip(&format!("-n {} link del wire", lab.a));
    expect(&events, EventKind::Down);
    lab.link();
    expect(&events, EventKind::Up);
}

#[test]
fn a_packet_that_crossed_a_router_is_refused() {
    let Some(lab) = Lab::new() else { return };
    let (handle, _events) = speaker(&lab.a);
    handle.set(session("10.9.0.2", None), Params::default());
    until(&handle, |status| status.counters.sent > 0);
    let packet = bfd::Session::new(
        bfd::Config::new("10.9.0.1".parse().unwrap(), Params::default()),
        bfd::Discriminator::new(77).unwrap(),
        1,
        Instant::now(),
    );
    let bytes = first_packet(packet).encode();
    let attacker = within(&lab.b, || UdpSocket::bind("10.9.0.2:50000").unwrap());
    attacker.set_ttl(254).unwrap();
    attacker.send_to(&bytes, "10.9.0.1:3784").unwrap();
    let status = until(&handle, |status| status.counters.refused_ttl == 1);
    assert_eq!((status.state, status.counters.received), (State::Down, 0));
    attacker.set_ttl(255).unwrap();
    attacker.send_to(&bytes, "10.9.0.1:3784").unwrap();
    until(&handle, |status| status.state == State::Init);
    attacker.send_to(&[0xff; 30], "10.9.0.1:3784").unwrap();
    until(&handle, |_| handle.report().refused.malformed == 1);
}

fn first_packet(mut session: bfd::Session) -> bfd::Packet {
    session.handle(Instant::now(), bfd::Input::Timeout);
    let Some(bfd::Output::Send(packet)) = session.poll() else {
        panic!("a first packet")
    };
    packet
}

#[test]
fn our_packets_have_the_ttl_and_ports_of_rfc_5881() {
    let Some(lab) = Lab::new() else { return };
    // Any BfdThread refuses a TTL other than 255, which the other tests rely on; here the ports.
    let listener = within(&lab.b, || UdpSocket::bind("10.9.0.2:3784").unwrap());
    listener.set_read_timeout(Some(UP_MAX)).unwrap();
    let (handle, _events) = speaker(&lab.a);
    handle.set(session("10.9.0.2", None), Params::default());
    let mut buffer = [0; 64];
    let mut ports = Vec::new();
    for _ in 0..3 {
        let (bytes, source) = listener.recv_from(&mut buffer).unwrap();
        assert_eq!(bytes, 24);
        assert_eq!(
            bfd::Packet::decode(&buffer[..bytes]).unwrap().state,
            State::Down
        );
        ports.push(source.port());
    }
    assert!(
        ports[0] >= 49152 && ports.iter().all(|port| *port == ports[0]),
        "{ports:?}"
    );
}

/// zebra and bfdd of FRR in a namespace, with all their files in a directory of their own.
struct Frr {
    directory: PathBuf,
    namespace: String,
}

impl Frr {
    fn start(namespace: &str, configuration: &str) -> Option<Self> {
        if !Path::new("/usr/lib/frr/bfdd").exists() || !Path::new("/usr/bin/vtysh").exists() {
            skip::note(None, "FRR is not installed");
            return None;
        }
        let directory = std::env::temp_dir().join(namespace);
        std::fs::create_dir(&directory).unwrap();
        for file in ["zebra.conf", "bfdd.conf", "vtysh.conf"] {
            std::fs::write(directory.join(file), "").unwrap();
        }
        std::fs::write(directory.join("frr.conf"), configuration).unwrap();
        let owned = Command::new("chown")
            .args(["-R", "frr:frr"])
            .arg(&directory)
            .status();
        assert!(owned.unwrap().success());
        let frr = Self {
            directory,
            namespace: namespace.to_owned(),
        };
        frr.daemon("zebra", &[]);
        let control = frr.directory.join("bfdd.sock");
        frr.daemon("bfdd", &["--bfdctl", control.to_str().unwrap()]);
        let load = frr
            .vtysh()
            .arg("-f")
            .arg(frr.directory.join("frr.conf"))
            .output()
            .unwrap();
        assert!(load.status.success(), "{load:?}");
        Some(frr)
    }

    fn daemon(&self, name: &str, more: &[&str]) {
        let at = |file: String| self.directory.join(file).to_str().unwrap().to_owned();
        let output = Command::new("ip")
            .args(["netns", "exec", &self.namespace])
            .arg(format!("/usr/lib/frr/{name}"))
            .args([
                "-d",
                "-A",
                "127.0.0.1",
                "--vty_socket",
                self.directory.to_str().unwrap(),
            ])
            .args([
                "-f",
                &at(format!("{name}.conf")),
                "-i",
                &at(format!("{name}.pid")),
            ])
            .args(["-z", &at("zserv.api".into())])
            .args(more)
            .output()
            .unwrap();
        assert!(output.status.success(), "{name}: {output:?}");
    }

    fn vtysh(&self) -> Command {
        let mut command = Command::new("ip");
        command
            .args(["netns", "exec", &self.namespace, "vtysh", "-H", "/dev/null"])
            .arg("--vty_socket")
            .arg(&self.directory)
            .arg("--config_dir")
            .arg(&self.directory);
        command
    }

    fn run(&self, lines: &[&str]) -> String {
        let mut command = self.vtysh();
        for line in lines {
            command.args(["-c", line]);
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The one session as bfdd shows it, once it satisfies `wanted`.
    fn until(&self, wanted: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
        let end = Instant::now() + UP_MAX;
        loop {
            let text = self.run(&["show bfd peers json"]);
            let peers: serde_json::Value = serde_json::from_str(&text).unwrap();
            if wanted(&peers[0]) {
                return peers[0].clone();
            }
            assert!(Instant::now() < end, "{text}");
        }
    }

    fn pid(&self, daemon: &str) -> Option<i32> {
        let text = std::fs::read_to_string(self.directory.join(format!("{daemon}.pid"))).ok()?;
        text.trim().parse().ok()
    }

    fn kill(&self, daemon: &str) {
        if let Some(pid) = self.pid(daemon) {
            // SAFETY: a plain system call; the pid is that of a daemon started above.
            unsafe { libc::kill(pid, libc::SIGKILL) };
            let _ = std::fs::remove_file(self.directory.join(format!("{daemon}.pid")));
        }
    }
}

impl Drop for Frr {
    fn drop(&mut self) {
        self.kill("bfdd");
        self.kill("zebra");
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn frr_configuration(peer: &str, more: &str) -> String {
    format!(
        "bfd\n peer {peer} {more}\n  receive-interval 300\n  transmit-interval 300\n  \
         detect-multiplier 3\n"
    )
}

#[test]
fn frr_and_we_agree_on_a_session_and_its_end() {
    let Some(lab) = Lab::new() else { return };
    let configuration = frr_configuration("10.9.0.1", "local-address 10.9.0.2 interface wire");
    let Some(frr) = Frr::start(&lab.b, &configuration) else {
        return;
    };
    let (handle, events) = speaker(&lab.a);
    let key = session("10.9.0.2", Some("wire"));
    handle.set(key.clone(), Params::default());
    expect(&events, EventKind::Up);
    let peer = frr.until(|peer| peer["status"] == "up" && peer["remote-transmit-interval"] == 300);
    assert_eq!(peer["remote-receive-interval"], 300);
    assert_eq!(peer["remote-detect-multiplier"], 3);
    until(&handle, |status| {
        status.detection_time == Duration::from_millis(900)
    });

    // Changed intervals on a running session, slower and faster.
    for milliseconds in [600, 100] {
        let interval = Duration::from_millis(milliseconds);
        let params = Params::default().desired_min_tx(interval).unwrap();
        handle.set(key.clone(), params.required_min_rx(interval).unwrap());
        frr.until(|peer| peer["remote-transmit-interval"] == milliseconds);
        let in_use = interval.max(Duration::from_millis(300));
        until(&handle, |status| {
            status.interval == Some(in_use) && status.detection_time == 3 * in_use
        });
    }
    assert_eq!(handle.status()[0].counters.losses, 0);
    assert!(events.try_recv().is_err());

    // Their administrative down, ours, and our removal.
    let peer_line = "peer 10.9.0.1 local-address 10.9.0.2 interface wire";
    frr.run(&["configure terminal", "bfd", peer_line, "shutdown"]);
    expect(&events, EventKind::AdminDown);
    frr.run(&["configure terminal", "bfd", peer_line, "no shutdown"]);
    expect(&events, EventKind::Up);
    frr.until(|peer| peer["status"] == "up");
    handle.set_admin_down(key.clone(), true);
    expect(&events, EventKind::AdminDown);
    let peer = frr.until(|peer| peer["status"] != "up");
    assert_eq!(peer["remote-diagnostic"], "administratively down", "{peer}");
    handle.set_admin_down(key, false);
    expect(&events, EventKind::Up);
    frr.until(|peer| peer["status"] == "up");
    until(&handle, |status| {
        status.detection_time == Duration::from_millis(900)
    });

    // Their death.
    let killed = Instant::now();
    frr.kill("bfdd");
    let down = expect(&events, EventKind::Down);
    println!("bfdd's death was noticed after {:?}", down.at - killed);
    assert_eq!(down.diagnostic, Diagnostic::DetectionTimeExpired);
    assert!(down.at - killed < Duration::from_secs(1));
}

#[test]
fn frr_and_we_agree_over_link_local_addresses() {
    let Some(lab) = Lab::new() else { return };
    let configuration = frr_configuration("fe80::1", "local-address fe80::2 interface wire");
    let Some(frr) = Frr::start(&lab.b, &configuration) else {
        return;
    };
    let (handle, events) = speaker(&lab.a);
    let mut key = session("fe80::2", Some("wire"));
    key.local = Some("fe80::1".parse().unwrap());
    handle.set(key, Params::default());
    expect(&events, EventKind::Up);
    frr.until(|peer| peer["status"] == "up");
    handle.stop();
    expect(&events, EventKind::AdminDown);
    frr.until(|peer| peer["status"] == "down");
}
