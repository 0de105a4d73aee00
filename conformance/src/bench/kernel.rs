//! The kernel's routing table, seen and written without a daemon.
//!
//! - [`Probe`] says whether routes are there, cheaply: it looks a sample up one by one and stays
//!   at the first that is missing, so that waiting costs a system call now and then. When all are
//!   there the table is counted once.
//! - [`floor`] writes the same routes in batches with nothing around it: no daemon can be faster
//!   on this machine. [`entries_floor`] does so with FDB entries and neighbours.
//!
//! Sockets belong to the namespace in which they were opened.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};
use nix::time::ClockId;

use super::Fault;
use super::wire::Prefix;

const NEWROUTE: u16 = 24;
const GETROUTE: u16 = 26;
const ERROR: u16 = 2;
/// `NLM_F_REQUEST`, `NLM_F_ACK`, `NLM_F_REPLACE`, `NLM_F_CREATE`.
const REQUEST: u16 = 1;
const ACK: u16 = 4;
const REPLACE: u16 = 0x100;
const CREATE: u16 = 0x400;
/// `RTM_F_FIB_MATCH`: the route itself and not the answer to a packet.
const FIB_MATCH: u32 = 0x2000;
const DST: u16 = 1;
const GATEWAY: u16 = 5;

/// A socket to the kernel of the thread's namespace.
fn socket() -> Result<Socket, Fault> {
    let mut socket = Socket::new(NETLINK_ROUTE)?;
    socket.bind_auto()?;
    socket.connect(&SocketAddr::new(0, 0))?;
    Ok(socket)
}

/// One message about a route.
fn route(
    out: &mut Vec<u8>,
    kind: u16,
    flags: u16,
    route_flags: u32,
    prefix: Prefix,
    gateway: Option<Ipv4Addr>,
) {
    let length: u32 = 16 + 12 + 8 + if gateway.is_some() { 8 } else { 0 };
    out.extend(length.to_ne_bytes());
    out.extend(kind.to_ne_bytes());
    out.extend(flags.to_ne_bytes());
    out.extend([0; 8]);
    // Family, length, source length, TOS, table `main`, protocol `bgp`, scope, type unicast.
    let (table, protocol, unicast) = match kind {
        NEWROUTE => (254, 186, 1),
        _ => (0, 0, 0),
    };
    out.extend([2, prefix.len, 0, 0, table, protocol, 0, unicast]);
    out.extend(route_flags.to_ne_bytes());
    for (code, bits) in [(DST, Some(prefix.bits)), (GATEWAY, gateway.map(u32::from))] {
        if let Some(bits) = bits {
            out.extend(8u16.to_ne_bytes());
            out.extend(code.to_ne_bytes());
            out.extend(bits.to_be_bytes());
        }
    }
}

/// Looks for routes.
pub struct Probe {
    socket: Socket,
    /// Samples that have not been seen, the next one last.
    left: Vec<Prefix>,
    gateway: Ipv4Addr,
}

/// How many routes are looked for while waiting.
const SAMPLES: usize = 2000;

impl Probe {
    /// For routes that lead to a gateway. Only /24 are looked up: nothing more specific hides them.
    pub fn new(prefixes: &[Prefix], gateway: Ipv4Addr) -> Result<Self, Fault> {
        let long: Vec<Prefix> = prefixes.iter().filter(|p| p.len == 24).copied().collect();
        let step = (long.len() / SAMPLES).max(1);
        let mut left: Vec<Prefix> = long.iter().step_by(step).copied().collect();
        left.extend(long.last());
        // The first to be sent is looked for first.
        left.reverse();
        Ok(Self {
            socket: socket()?,
            left,
            gateway,
        })
    }

    /// Whether the whole sample has been seen.
    pub fn ready(&mut self) -> bool {
        while let Some(prefix) = self.left.last() {
            if self.gateway_of(*prefix) != Some(self.gateway) {
                return false;
            }
            self.left.pop();
        }
        true
    }

    /// How many /24 of these do not lead to the gateway; every one is looked up.
    pub fn astray(&self, prefixes: &[Prefix]) -> usize {
        let long = prefixes.iter().filter(|prefix| prefix.len == 24);
        long.filter(|prefix| self.gateway_of(**prefix) != Some(self.gateway))
            .count()
    }

    fn gateway_of(&self, prefix: Prefix) -> Option<Ipv4Addr> {
        let mut question = Vec::new();
        let host = Prefix { len: 32, ..prefix };
        route(&mut question, GETROUTE, REQUEST, FIB_MATCH, host, None);
        self.socket.send(&question, 0).ok()?;
        let (answer, _) = self.socket.recv_from_full().ok()?;
        let kind = u16::from_ne_bytes(answer.get(4..6)?.try_into().ok()?);
        let len = *answer.get(17)?;
        if kind != NEWROUTE || len != prefix.len {
            return None;
        }
        let mut attributes = answer.get(28..)?;
        while let [a, b, c, d, rest @ ..] = attributes {
            let size = usize::from(u16::from_ne_bytes([*a, *b]));
            let code = u16::from_ne_bytes([*c, *d]);
            let value = rest.get(..size.checked_sub(4)?)?;
            if code == GATEWAY {
                let octets: [u8; 4] = value.try_into().ok()?;
                return Some(octets.into());
            }
            attributes = attributes.get(size.next_multiple_of(4)..)?;
        }
        None
    }
}

/// One MAC/IP route of the benchmark, where it is to be in the kernel.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// Its number, which its addresses are made of.
    pub id: u32,
    /// The number of the bridge.
    pub bridge: u32,
    /// The number of the VXLAN device.
    pub vxlan: u32,
}

/// Looks for FDB entries and neighbours, as [`Probe`] does for routes.
pub struct EntryProbe {
    socket: Socket,
    /// Those that have not been seen as they should be, the next one last.
    left: Vec<Entry>,
    /// They should be there, as against gone.
    there: bool,
}

impl EntryProbe {
    /// For entries that should be there, or gone.
    pub fn new(entries: Vec<Entry>, there: bool) -> Result<Self, Fault> {
        Ok(Self {
            socket: socket()?,
            left: entries,
            there,
        })
    }

    /// Whether all have been seen as they should be.
    pub fn ready(&mut self) -> bool {
        while let Some(entry) = self.left.last() {
            let [_, a, b, c] = entry.id.to_be_bytes();
            let mac = [2, 0, 0, a, b, c, 0, 0];
            let tunnel = neighbour(BRIDGE, entry.vxlan, SELF, LLADDR, &mac, 6);
            let ip = neighbour(INET, entry.bridge, 0, DST, &[172, a, b, c], 4);
            let seen = [tunnel, ip].map(|question| self.has(&question));
            if seen.contains(&Some(!self.there)) || seen.contains(&None) {
                return false;
            }
            self.left.pop();
        }
        true
    }

    fn has(&self, question: &[u8]) -> Option<bool> {
        self.socket.send(question, 0).ok()?;
        let (answer, _) = self.socket.recv_from_full().ok()?;
        let kind = u16::from_ne_bytes(answer.get(4..6)?.try_into().ok()?);
        Some(kind == NEWNEIGH)
    }
}

const NEWNEIGH: u16 = 28;
const GETNEIGH: u16 = 30;
const INET: u8 = 2;
const BRIDGE: u8 = 7;
/// `NTF_SELF`, `NTF_MASTER`.
const SELF: u8 = 2;
const MASTER: u8 = 4;
/// `NDA_LLADDR`; `NDA_DST` has the number of a route's destination.
const LLADDR: u16 = 2;

/// A question about one neighbour or FDB entry. `name` is padded to four octets, `length` without.
fn neighbour(family: u8, index: u32, flags: u8, code: u16, name: &[u8], length: u16) -> Vec<u8> {
    let total = u32::try_from(16 + 12 + 4 + name.len()).unwrap_or(0);
    let mut out = Vec::new();
    out.extend(total.to_ne_bytes());
    out.extend(GETNEIGH.to_ne_bytes());
    out.extend(REQUEST.to_ne_bytes());
    out.extend([0; 8]);
    out.extend([family, 0, 0, 0]);
    out.extend(index.to_ne_bytes());
    out.extend([0, 0, flags, 0]);
    out.extend((4 + length).to_ne_bytes());
    out.extend(code.to_ne_bytes());
    out.extend_from_slice(name);
    out
}

/// IPv4 prefixes in the main table of the thread's namespace. Without rules of its own, a namespace
/// has one table under two names, so that all of it is listed twice.
pub fn count() -> Result<usize, Fault> {
    let text = std::fs::read_to_string("/proc/thread-self/net/fib_triestat")?;
    let counts = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Prefixes:"))
        .filter_map(|number| number.trim().parse::<usize>().ok());
    Ok(counts.max().unwrap_or(0))
}

/// Messages to one system call.
const BATCH: usize = 512;

/// Adds the routes in batches, only the last of each acknowledged: the time it took.
pub fn floor(prefixes: &[Prefix], gateway: Ipv4Addr) -> Result<Duration, Fault> {
    let batches = batches(prefixes, |batch, prefix, ack| {
        let flags = REQUEST | CREATE | ack;
        route(batch, NEWROUTE, flags, 0, *prefix, Some(gateway));
    });
    let socket = socket()?;
    let start = Instant::now();
    write(&socket, &batches)?;
    Ok(start.elapsed())
}

/// Adds what stands for these MAC/IP routes, behind this tunnel endpoint, as [`floor`] does: the
/// processor time it took, which is the kernel's.
pub fn entries_floor(entries: &[Entry], vtep: Ipv4Addr) -> Result<Duration, Fault> {
    let batches = batches(entries, |batch, entry, ack| {
        let [_, a, b, c] = entry.id.to_be_bytes();
        let mac = [2, 0, 0, a, b, c];
        // FDB of the device and of the bridge by one message, as reachable and not to be asked for.
        add(
            batch,
            (BRIDGE, entry.vxlan, 0x42, SELF | MASTER),
            0,
            vtep.octets(),
            mac,
        );
        add(
            batch,
            (INET, entry.bridge, 0x40, 0),
            ack,
            [172, a, b, c],
            mac,
        );
    });
    let socket = socket()?;
    let start = ClockId::CLOCK_THREAD_CPUTIME_ID.now()?;
    write(&socket, &batches)?;
    let took = ClockId::CLOCK_THREAD_CPUTIME_ID.now()? - start;
    Ok(took.into())
}

/// Messages for all of these, the last of each batch with [`ACK`].
fn batches<T>(all: &[T], each: impl Fn(&mut Vec<u8>, &T, u16)) -> Vec<Vec<u8>> {
    let batch = |these: &[T]| {
        let mut batch = Vec::new();
        for (number, one) in these.iter().enumerate() {
            let ack = if number + 1 == these.len() { ACK } else { 0 };
            each(&mut batch, one, ack);
        }
        batch
    };
    all.chunks(BATCH).map(batch).collect()
}

fn write(socket: &Socket, batches: &[Vec<u8>]) -> Result<(), Fault> {
    for batch in batches {
        socket.send(batch, 0)?;
        let (answer, _) = socket.recv_from_full()?;
        let kind = answer.get(4..6).and_then(|it| it.try_into().ok());
        let code = answer.get(16..20).and_then(|it| it.try_into().ok());
        match (kind.map(u16::from_ne_bytes), code.map(i32::from_ne_bytes)) {
            (Some(ERROR), Some(0)) => {}
            (_, code) => return Err(format!("the kernel refused something: {code:?}").into()),
        }
    }
    Ok(())
}

/// Adds a neighbour or an FDB entry: family, device, state and flags, then its addresses.
fn add(
    out: &mut Vec<u8>,
    (family, index, state, marks): (u8, u32, u16, u8),
    ack: u16,
    address: [u8; 4],
    mac: [u8; 6],
) {
    let total: u32 = 16 + 12 + 8 + 12;
    out.extend(total.to_ne_bytes());
    out.extend(NEWNEIGH.to_ne_bytes());
    out.extend((REQUEST | CREATE | REPLACE | ack).to_ne_bytes());
    out.extend([0; 8]);
    out.extend([family, 0, 0, 0]);
    out.extend(index.to_ne_bytes());
    out.extend(state.to_ne_bytes());
    out.extend([marks, 0]);
    out.extend(8u16.to_ne_bytes());
    out.extend(DST.to_ne_bytes());
    out.extend(address);
    out.extend(10u16.to_ne_bytes());
    out.extend(LLADDR.to_ne_bytes());
    out.extend(mac);
    out.extend([0; 2]);
}
