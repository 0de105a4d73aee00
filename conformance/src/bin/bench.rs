//! A million IPv4 routes from one neighbour to another through rbgpd, with the kernel off.
//!
//! ```text
//! sender ──TCP──► rbgpd ──TCP──► receiver        all on loopback, eBGP
//! ```
//!
//! Prints time to full reception, CPU seconds and memory of the daemon, octets per path and when
//! the first route came out. The table is generated: 60 % /24 and the rest /16 to /23, half of
//! the prefixes next to the one before, seven prefixes to a set of attributes on average, AS paths
//! of four to six, up to four communities.

use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bgp::attributes::{AttributeSet, NextHop, Segment, SegmentKind};
use bgp::family::{Family, PerFamily};
use bgp::message::{Capability, Message, Open};
use bgp::nlri::NlriList;
use bgp::wire::{self, Context, EncodeContext};
use bgp::{Asn, Community, Prefix4};
use bytes::{Bytes, BytesMut};

type Fault = Box<dyn std::error::Error + Send + Sync>;

/// Longest time for everything.
const PATIENCE: Duration = Duration::from_secs(300);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match parse(&arguments).and_then(|(count, daemon)| run(count, daemon)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("rbgpd-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// `rbgpd-bench [ROUTES [ADDRESS:PORT PID]]`: with an address, another daemon that has 127.0.0.2
/// (AS 65002) and 127.0.0.3 (AS 65003) as passive neighbours is driven instead.
fn parse(arguments: &[String]) -> Result<(usize, Daemon), Fault> {
    let usage = "usage: rbgpd-bench [ROUTES [ADDRESS:PORT PID]]";
    let count = match arguments.first() {
        Some(text) => text.parse().map_err(|error| format!("{usage}: {error}"))?,
        None => 1_000_000,
    };
    let daemon = match arguments.get(1..) {
        None | Some([]) => Daemon::start()?,
        Some([address, pid]) => Daemon::running(address.parse()?, pid.parse()?),
        Some(_) => return Err(usage.into()),
    };
    Ok((count, daemon))
}

fn run(count: usize, daemon: Daemon) -> Result<(), Fault> {
    let table = Table::generate(count);
    println!(
        "{count} prefixes, {} attribute sets, {} octets",
        table.sets,
        table.octets()
    );
    let mut receiver = Peer::connect(daemon.address, Ipv4Addr::new(127, 0, 0, 3), Asn(65003))?;
    let mut sender = Peer::connect(daemon.address, Ipv4Addr::new(127, 0, 0, 2), Asn(65002))?;
    let before = daemon.usage()?;

    let start = Instant::now();
    let reading =
        std::thread::spawn(move || receiver.count(count, start).map(|it| (it, receiver)));
    sender.stream.write_all(&table.bytes)?;
    let (received, mut receiver) = reading.join().map_err(|_| "the receiver panicked")??;
    let wall = received.last;
    let after = daemon.idle_usage()?;
    println!(
        "announced: {:.2} s to the last route, first after {:.1} ms, {:.2} CPU s, {} messages out",
        wall.as_secs_f64(),
        received.first.as_secs_f64() * 1000.0,
        after.cpu_s - before.cpu_s,
        received.messages,
    );
    println!(
        "memory: {:.1} MB before, {:.1} MB peak, {:.1} MB settled, {:.0} octets per path",
        mega(before.resident),
        mega(after.peak),
        mega(after.resident),
        f64_of(after.resident.saturating_sub(before.resident)) / f64_of(count),
    );

    let start = Instant::now();
    let reading = std::thread::spawn(move || receiver.count(count, start));
    sender.stream.write_all(&table.withdrawals)?;
    let gone = reading.join().map_err(|_| "the receiver panicked")??;
    let end = daemon.idle_usage()?;
    println!(
        "withdrawn: {:.2} s, {:.2} CPU s, {:.1} MB afterwards",
        gone.last.as_secs_f64(),
        end.cpu_s - after.cpu_s,
        mega(end.resident)
    );
    Ok(())
}

fn mega(octets: usize) -> f64 {
    f64_of(octets) / 1e6
}

fn f64_of(count: usize) -> f64 {
    u32::try_from(count / 1024).map_or(f64::MAX, |kib| f64::from(kib) * 1024.0)
        + u32::try_from(count % 1024).map_or(0.0, f64::from)
}

/// A generated table in wire form.
struct Table {
    bytes: Vec<u8>,
    withdrawals: Vec<u8>,
    sets: usize,
}

/// The same numbers on every run (xorshift; Marsaglia 2003).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        u32::try_from(self.0 % u64::from(bound)).unwrap_or(0)
    }
}

impl Table {
    fn octets(&self) -> usize {
        self.bytes.len()
    }

    fn generate(count: usize) -> Self {
        let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
        let prefixes = prefixes(count, &mut numbers);
        let context = EncodeContext {
            as4: true,
            extended_message: false,
            add_path: false,
        };
        let (mut bytes, mut withdrawals) = (BytesMut::new(), BytesMut::new());
        let mut sets = 0;
        let mut left = prefixes.as_slice();
        while !left.is_empty() {
            // One to thirteen, seven on average.
            let size = usize::try_from(1 + numbers.below(13))
                .unwrap_or(1)
                .min(left.len());
            let (these, rest) = left.split_at(size);
            left = rest;
            let attributes = Arc::new(attributes(&mut numbers).freeze());
            let list = NlriList::V4(these.iter().map(|prefix| (0, *prefix)).collect());
            if wire::encode_announce_list(&attributes, &list, &context, &mut bytes).is_ok() {
                sets += 1;
            }
        }
        let all = NlriList::V4(prefixes.iter().map(|prefix| (0, *prefix)).collect());
        wire::encode_withdraw_list(&all, &context, &mut withdrawals);
        Self {
            bytes: bytes.to_vec(),
            withdrawals: withdrawals.to_vec(),
            sets,
        }
    }
}

fn prefixes(count: usize, numbers: &mut Numbers) -> Vec<Prefix4> {
    let mut seen = HashSet::with_capacity(count);
    let mut all = Vec::with_capacity(count);
    let mut last = Prefix4::from_bits(0x0100_0000, 24);
    while all.len() < count {
        let next_to = last.filter(|_| numbers.below(2) == 0).and_then(|last| {
            let step = 1u32.checked_shl(32 - u32::from(last.len()))?;
            Prefix4::from_bits(last.bits().checked_add(step)?, last.len())
        });
        let candidate = next_to.or_else(|| {
            let len = if numbers.below(10) < 6 {
                24
            } else {
                16 + numbers.below(8)
            };
            // Unicast space only.
            let bits = 0x0100_0000 + numbers.below(0xdeff_ffff);
            Prefix4::from_bits(bits, u8::try_from(len).unwrap_or(24))
        });
        if let Some(candidate) = candidate.filter(|candidate| seen.insert(*candidate)) {
            all.push(candidate);
        }
        last = candidate;
    }
    all
}

fn attributes(numbers: &mut Numbers) -> AttributeSet {
    let mut set = AttributeSet::new(NextHop::V4(Ipv4Addr::new(127, 0, 0, 2)));
    let mut asns = vec![Asn(65002)];
    for _ in 0..3 + numbers.below(3) {
        asns.push(Asn(1 + numbers.below(64_000)));
    }
    set.as_path.push(Segment {
        kind: SegmentKind::Sequence,
        asns,
    });
    for _ in 0..numbers.below(5) {
        set.communities
            .push(Community(1 + numbers.below(0xfffe_0000)));
    }
    if numbers.below(4) == 0 {
        set.med = Some(numbers.below(1000));
    }
    set
}

/// One end of a session.
struct Peer {
    stream: TcpStream,
    buffer: BytesMut,
}

/// What a receiver saw.
struct Received {
    first: Duration,
    last: Duration,
    messages: usize,
}

impl Peer {
    fn connect(to: SocketAddr, from: Ipv4Addr, asn: Asn) -> Result<Self, Fault> {
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)?;
        socket.bind(&SocketAddr::from((from, 0)).into())?;
        socket.connect(&to.into())?;
        let stream = TcpStream::from(socket);
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let mut peer = Self {
            stream,
            buffer: BytesMut::new(),
        };
        let open = Open {
            asn,
            hold_time: 0,
            router_id: from,
            capabilities: vec![
                Capability::Multiprotocol(1, 1),
                Capability::RouteRefresh,
                Capability::FourOctetAs(asn),
            ],
        };
        peer.stream.write_all(&wire::encode_open(&open))?;
        let Message::Open(_) = peer.message()? else {
            return Err("no OPEN came".into());
        };
        peer.stream.write_all(&wire::encode_keepalive())?;
        let Message::Keepalive = peer.message()? else {
            return Err("no KEEPALIVE came".into());
        };
        // The daemon's own End-of-RIB: it is ready.
        loop {
            if let Message::Update(update) = peer.message()?
                && update.end_of_rib == Some(Family::Ipv4Unicast)
            {
                return Ok(peer);
            }
        }
    }

    fn frame(&mut self) -> Result<Bytes, Fault> {
        loop {
            if let Some(frame) = wire::frame(&mut self.buffer, wire::MESSAGE_LEN_MAX)? {
                return Ok(frame);
            }
            let mut chunk = [0; 65536];
            let count = self.stream.read(&mut chunk)?;
            if count == 0 {
                return Err("the daemon closed the session".into());
            }
            self.buffer
                .extend_from_slice(chunk.get(..count).unwrap_or_default());
        }
    }

    fn message(&mut self) -> Result<Message, Fault> {
        let context = Context {
            families: PerFamily {
                ipv4_unicast: true,
                ..PerFamily::default()
            },
            ..Context::default()
        };
        Ok(wire::decode(&self.frame()?, &context)?)
    }

    /// Reads until `count` routes were announced or withdrawn.
    fn count(&mut self, count: usize, start: Instant) -> Result<Received, Fault> {
        let mut received = Received {
            first: Duration::ZERO,
            last: Duration::ZERO,
            messages: 0,
        };
        let mut routes = 0;
        while routes < count {
            if let Message::Update(update) = self.message()? {
                if routes == 0 {
                    received.first = start.elapsed();
                }
                received.messages += 1;
                routes += update.withdrawn.iter().map(NlriList::len).sum::<usize>();
                routes += update
                    .announced
                    .iter()
                    .map(|(list, _)| list.len())
                    .sum::<usize>();
            }
        }
        received.last = start.elapsed();
        Ok(received)
    }
}

/// The daemon under test.
struct Daemon {
    pid: u32,
    address: SocketAddr,
    /// Ours, to be ended, with its files.
    own: Option<(Child, std::path::PathBuf)>,
}

struct Usage {
    cpu_s: f64,
    resident: usize,
    peak: usize,
}

impl Daemon {
    fn start() -> Result<Self, Fault> {
        let free = std::net::TcpListener::bind("127.0.0.1:0")?;
        let address = free.local_addr()?;
        drop(free);
        let place = std::env::temp_dir().join(format!("rbgpd-bench-{}", std::process::id()));
        std::fs::create_dir_all(&place)?;
        let mut text = format!(
            "asn = 65001\nrouter_id = \"10.0.0.1\"\nlisten = [\"{address}\"]\n\
             [log]\nlevel = \"error\"\n[kernel]\nenabled = false\n"
        );
        for host in [2, 3] {
            text.push_str(&format!(
                "[[neighbor]]\naddress = \"127.0.0.{host}\"\nremote_as = 6500{host}\n\
                 passive = true\nipv4_unicast = {{}}\n"
            ));
        }
        let config = place.join("bench.toml");
        std::fs::write(&config, text)?;
        let binary = std::env::current_exe()?.with_file_name("rbgpd");
        let child = Command::new(&binary)
            .arg("--config")
            .arg(config)
            .arg("--socket")
            .arg(place.join("control.sock"))
            .arg("--state-dir")
            .arg(place.join("state"))
            .stdin(Stdio::null())
            .spawn()
            .map_err(|error| format!("cannot start {}: {error}", binary.display()))?;
        let daemon = Self {
            pid: child.id(),
            address,
            own: Some((child, place)),
        };
        let until = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(address).is_err() {
            if Instant::now() > until {
                return Err("the daemon does not listen".into());
            }
            std::thread::yield_now();
        }
        Ok(daemon)
    }

    fn running(address: SocketAddr, pid: u32) -> Self {
        Self {
            pid,
            address,
            own: None,
        }
    }

    fn usage(&self) -> Result<Usage, Fault> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid))?;
        let after = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let ticks: f64 = after
            .split_whitespace()
            .skip(11)
            .take(2)
            .filter_map(|field| field.parse::<f64>().ok())
            .sum();
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid))?;
        let kib = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim().strip_suffix("kB")?.trim().parse::<usize>().ok()
        };
        Ok(Usage {
            // Linux counts in hundredths of a second for user space.
            cpu_s: ticks / 100.0,
            resident: kib("VmRSS:").unwrap_or(0) * 1024,
            peak: kib("VmHWM:").unwrap_or(0) * 1024,
        })
    }

    /// Usage once the daemon has used no CPU time for a while.
    fn idle_usage(&self) -> Result<Usage, Fault> {
        let until = Instant::now() + PATIENCE;
        let mut last = self.usage()?;
        loop {
            // The unit of observation itself, not a guess of how long something takes.
            std::thread::sleep(Duration::from_millis(200));
            let now = self.usage()?;
            if now.cpu_s - last.cpu_s < 0.01 || Instant::now() > until {
                return Ok(now);
            }
            last = now;
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let Some((child, place)) = &mut self.own else {
            return;
        };
        for result in [child.kill(), child.wait().map(drop)] {
            if let Err(error) = result {
                eprintln!("rbgpd-bench: ending the daemon: {error}");
            }
        }
        if let Err(error) = std::fs::remove_dir_all(&*place) {
            eprintln!("rbgpd-bench: removing {}: {error}", place.display());
        }
    }
}
