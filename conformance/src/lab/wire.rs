//! Frames as they are: what machines and hypervisors announce, and what of it crosses an underlay.
//!
//! [`send`] puts a frame on a device, made by [`gratuitous_arp`] or [`reverse_request`].
//! [`Questions`] looks into VXLAN packets on a device and counts the ARP and neighbour discovery in
//! them.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::libc;
use socket2::{Domain, Protocol, Socket, Type};

use super::{Error, Namespace};

/// The UDP port of VXLAN (RFC 7348 §5).
const VXLAN: [u8; 2] = 4789_u16.to_be_bytes();
const ARP: [u8; 2] = [0x08, 0x06];
const RARP: [u8; 2] = [0x80, 0x35];
const IPV4: [u8; 2] = [0x08, 0x00];
const IPV6: [u8; 2] = [0x86, 0xdd];

/// Everybody on a segment.
const EVERYBODY: [u8; 6] = [0xff; 6];

/// Sends a frame out of a device of a namespace.
pub fn send(space: &Namespace, device: &str, frame: &[u8]) -> Result<(), Error> {
    let sent = space.within(|| open(device)?.send(frame).map(drop))?;
    sent.map_err(|e| Error::io(format!("{device} of {}", space.name()), e))
}

/// "I have this address", to everybody.
pub fn gratuitous_arp(mac: &str, ip: Ipv4Addr) -> Result<Vec<u8>, Error> {
    let mac = octets(mac)?;
    Ok(arp(ARP, 1, (mac, ip), ([0; 6], ip)))
}

/// What a hypervisor sends in the name of a machine that has arrived (RFC 903).
pub fn reverse_request(mac: &str) -> Result<Vec<u8>, Error> {
    let own = (octets(mac)?, Ipv4Addr::UNSPECIFIED);
    Ok(arp(RARP, 3, own, own))
}

fn arp(
    kind: [u8; 2],
    operation: u8,
    sender: ([u8; 6], Ipv4Addr),
    target: ([u8; 6], Ipv4Addr),
) -> Vec<u8> {
    let mut frame = EVERYBODY.to_vec();
    frame.extend(sender.0);
    frame.extend(kind);
    frame.extend([0, 1, 8, 0, 6, 4, 0, operation]);
    for (mac, ip) in [sender, target] {
        frame.extend(mac);
        frame.extend(ip.octets());
    }
    frame.resize(60, 0);
    frame
}

fn octets(mac: &str) -> Result<[u8; 6], Error> {
    let octets: Option<Vec<u8>> = mac
        .split(':')
        .map(|octet| u8::from_str_radix(octet, 16).ok())
        .collect();
    octets
        .and_then(|octets| octets.try_into().ok())
        .ok_or_else(|| Error::State(format!("`{mac}` is no MAC address")))
}

/// What of ARP and neighbour discovery was seen inside of tunnels.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Asked {
    /// ARP frames of any kind.
    pub arp: u64,
    /// Neighbour solicitations and advertisements.
    pub discovery: u64,
    /// Other frames: what the tunnels are there for.
    pub others: u64,
}

/// Counts what machines ask each other through tunnels, from [`Questions::count`] on.
#[derive(Debug)]
pub struct Questions {
    stop: Arc<AtomicBool>,
    worker: JoinHandle<io::Result<Asked>>,
}

impl Questions {
    /// Begins to count VXLAN packets, IPv4 outside, on a device of a namespace.
    pub fn count(space: &Namespace, device: &str) -> Result<Self, Error> {
        let opened = space.within(|| open(device))?;
        let socket = opened.map_err(|e| Error::io(device, e))?;
        let stop = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&stop);
        let worker = std::thread::spawn(move || listen(socket, &flag));
        Ok(Self { stop, worker })
    }

    /// Ends the count.
    pub fn stop(self) -> Result<Asked, Error> {
        self.stop.store(true, Ordering::Relaxed);
        let counted = self.worker.join();
        let counted = counted.map_err(|_| Error::State("the count failed".to_owned()))?;
        counted.map_err(|e| Error::io("count", e))
    }
}

/// Reads until it is told to stop, and what has come in by then.
fn listen(mut socket: Socket, stop: &AtomicBool) -> io::Result<Asked> {
    let mut asked = Asked::default();
    let mut packet = [0; 256];
    socket.set_read_timeout(Some(Duration::from_millis(20)))?;
    loop {
        let last = stop.load(Ordering::Relaxed);
        match io::Read::read(&mut socket, &mut packet) {
            Ok(length) => asked.note(packet.get(..length).unwrap_or_default()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && last => return Ok(asked),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

impl Asked {
    fn note(&mut self, packet: &[u8]) {
        match kind_inside(packet) {
            Some(Kind::Arp) => self.arp += 1,
            Some(Kind::Discovery) => self.discovery += 1,
            Some(Kind::Other) => self.others += 1,
            None => {}
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Kind {
    Arp,
    Discovery,
    Other,
}

/// What is inside of a VXLAN packet over IPv4 without options; `None` for any other packet.
fn kind_inside(packet: &[u8]) -> Option<Kind> {
    let at = |from: usize, length: usize| packet.get(from..from.checked_add(length)?);
    let outer = at(12, 2)? == IPV4 && at(14, 1)? == [0x45] && at(23, 1)? == [17];
    if !outer || at(36, 2)? != VXLAN {
        return None;
    }
    // Ethernet 14, IPv4 20, UDP 8, VXLAN 8.
    let kind = at(50 + 12, 2)?;
    let discovery =
        || at(50 + 20, 1) == Some(&[58]) && matches!(at(50 + 54, 1), Some([135 | 136]));
    Some(if kind == ARP || kind == RARP {
        Kind::Arp
    } else if kind == IPV6 && discovery() {
        Kind::Discovery
    } else {
        Kind::Other
    })
}

/// A socket for all frames of a device of the calling thread's namespace.
fn open(device: &str) -> io::Result<Socket> {
    let all = u16::try_from(libc::ETH_P_ALL)
        .map_err(io::Error::other)?
        .to_be();
    let socket = Socket::new(Domain::PACKET, Type::RAW, Some(Protocol::from(0)))?;
    let index = nix::net::if_::if_nametoindex(device)?;
    // SAFETY: `sockaddr_ll` is a plain C struct for which all zeros is a valid value.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = u16::try_from(libc::AF_PACKET).map_err(io::Error::other)?;
    address.sll_protocol = all;
    address.sll_ifindex = i32::try_from(index).map_err(io::Error::other)?;
    let length = libc::socklen_t::try_from(size_of::<libc::sockaddr_ll>());
    let length = length.map_err(io::Error::other)?;
    // SAFETY: `address` is a socket address of that length and outlives the call.
    let bound = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) };
    match bound {
        0 => Ok(socket),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_tunnel(frame: &[u8]) -> Vec<u8> {
        let mut packet = vec![0; 50];
        packet[12..14].copy_from_slice(&IPV4);
        packet[14] = 0x45;
        packet[23] = 17;
        packet[36..38].copy_from_slice(&VXLAN);
        packet.extend(frame);
        packet
    }

    #[test]
    fn what_is_in_a_tunnel_is_told_apart() {
        let mac = "02:00:00:00:00:05";
        let arp = gratuitous_arp(mac, Ipv4Addr::new(10, 0, 0, 5)).unwrap();
        let rarp = reverse_request(mac).unwrap();
        let mut asked = Asked::default();
        for frame in [&arp, &rarp] {
            asked.note(frame);
            asked.note(&in_tunnel(frame));
        }
        let mut discovery = vec![0; 80];
        discovery[12..14].copy_from_slice(&IPV6);
        discovery[20] = 58;
        discovery[54] = 135;
        asked.note(&in_tunnel(&discovery));
        discovery[54] = 128;
        asked.note(&in_tunnel(&discovery));
        let (arp, discovery, others) = (2, 1, 1);
        assert_eq!(
            asked,
            Asked {
                arp,
                discovery,
                others
            }
        );
    }
}
