//! The way of echo packets (RFC 5880 §6.4, RFC 5881 §4), and what the host has to do with it.
//!
//! ```text
//!  IPv4  from and to our own address ─► the neighbour's link address ─► its kernel forwards ─► Link
//!  IPv6  to the neighbour ─► UDP port 3785 of its BFD, which sends it back ─► our port 3785
//! ```
//!
//! So it is with FRR, and so FRR and we find each other. An IPv4 packet whose source is our
//! own address comes in here and goes no further than the link: the kernel takes it for a forgery. So
//! it is read by a packet socket of the interface, which needs CAP_NET_RAW. What peers want to have sent
//! back by IPv4 our kernel forwards, if it forwards on the interface; what is addressed to us we
//! send back, as by IPv6.
//!
//! Packets on the link are not authenticated beyond the number that each has. The kernel drops what
//! does not name a session or come from a peer ([`Echoes`]); a flood of UDP port 3785 by somebody who
//! has seen a session's packets, or has the address of its peer (IPv6), can push ours out, and then the
//! session goes down. Of such a flood some 50,000 packets a second are read ([`REST`]).

use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::Duration;

use bfd::{Domain, Hops, InterfaceIndex, Parameters};
use socket2::{Socket, Type};

use super::shield::Echoes;
use super::socket::{DSCP_CS6, Port, attach};

/// Echo packets that are read from a socket in one round.
pub(super) const BATCH_MAX: usize = 256;

/// How long sockets of echo packets are left alone when so many waited.
pub(super) const REST: Duration = Duration::from_millis(5);

/// How often it is looked where echo packets go: link addresses and settings of the host change.
pub(super) const LOOK: Duration = Duration::from_secs(1);

/// An Ethernet address.
pub(super) type Mac = [u8; 6];

/// `linux/if_arp.h`: the entry has an address.
const ATF_COM: libc::c_int = 2;

const IPV4_HEADER: usize = 20;
const UDP_HEADER: usize = 8;
/// What FRR and we send is shorter.
const PACKET_MAX: usize = 128;

/// The echo function of a session, as far as the host can do it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Way {
    /// Where IPv4 packets go.
    pub(super) mac: Option<Mac>,
    /// The interface to the peer.
    pub(super) interface: Option<InterfaceIndex>,
    /// Packets can be sent.
    pub(super) sends: bool,
    /// Packets of the peer come back to it.
    pub(super) loops: bool,
    /// What does not work, and why.
    pub(super) problem: Option<String>,
}

impl Way {
    /// What of these settings can be done.
    pub(super) fn possible(&self, wanted: Parameters) -> Parameters {
        let sends = wanted.echo_interval().filter(|_| self.sends);
        let loops = wanted.echo_receive_interval().filter(|_| self.loops);
        // Both are of these settings, so neither is refused.
        let possible = wanted.echo(sends).and_then(|it| it.echo_receive(loops));
        possible.unwrap_or(wanted)
    }
}

/// Whether settings ask for any of it.
pub(super) fn wanted(parameters: &Parameters) -> bool {
    parameters.echo_interval().is_some() || parameters.echo_receive_interval().is_some()
}

/// Why IPv4 echo packets do not find their way.
#[derive(Debug, thiserror::Error)]
pub(super) enum Problem {
    #[error(
        "`{0}` has no link addresses, as WireGuard has none: an echo packet to our own address leaves \
         through the peer whose AllowedIPs have that, mostly none, and not through this one; sessions \
         by IPv6 have echo there"
    )]
    NoLinkAddresses(String),
    #[error("no packet socket on `{0}` (needs CAP_NET_RAW): {1}")]
    Socket(String, #[source] io::Error),
    #[error("the kernel does not know the link address of `{0}` on `{1}`: is it behind a router?")]
    Unresolved(IpAddr, String),
    #[error("the peer's echo packets would not come back: net.ipv4.conf.{0}.forwarding is 0")]
    NoForwarding(String),
    #[error("{0}")]
    Port(#[source] io::Error),
    #[error("the peer does not offer to send echo packets back")]
    NotOffered,
    #[error("no echo packet has come back yet: the peer may not forward on this interface")]
    NoneCameBack,
}

/// Whether the interface has Ethernet addresses.
pub(super) fn is_ethernet(interface: &str) -> io::Result<bool> {
    let socket = Socket::new(socket2::Domain::IPV4, Type::DGRAM, None)?;
    // SAFETY: `ifreq` is a plain C struct for which all zeros is a valid value.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    name(&mut request.ifr_name, interface);
    // SAFETY: the request is an `ifreq` with a name that ends with a zero, and outlives the call.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFHWADDR, &raw mut request) };
    if result != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has written this member of the union.
    let kind = unsafe { request.ifr_ifru.ifru_hwaddr.sa_family };
    Ok(kind == libc::ARPHRD_ETHER)
}

/// What the kernel has resolved a neighbour's address to.
pub(super) fn link_address(interface: &str, neighbor: Ipv4Addr) -> Option<Mac> {
    let socket = Socket::new(socket2::Domain::IPV4, Type::DGRAM, None).ok()?;
    // SAFETY: `arpreq` is a plain C struct for which all zeros is a valid value.
    let mut request: libc::arpreq = unsafe { std::mem::zeroed() };
    request.arp_pa.sa_family = libc::sa_family_t::try_from(libc::AF_INET).ok()?;
    // A `sockaddr_in` has two octets of port ahead of the address.
    let places = request.arp_pa.sa_data.iter_mut().skip(2);
    for (place, octet) in places.zip(neighbor.octets()) {
        *place = libc::c_char::from_ne_bytes([octet]);
    }
    name(&mut request.arp_dev, interface);
    // SAFETY: the request is an `arpreq` with a name that ends with a zero, and outlives the call.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCGARP, &raw mut request) };
    if result != 0 || request.arp_flags & ATF_COM == 0 {
        return None;
    }
    let mut mac = Mac::default();
    for (place, octet) in mac.iter_mut().zip(request.arp_ha.sa_data) {
        let [octet] = octet.to_ne_bytes();
        *place = octet;
    }
    Some(mac)
}

/// Writes the name of an interface, which ends with a zero.
fn name<const N: usize>(place: &mut [libc::c_char; N], interface: &str) {
    let octets = interface.bytes().take(N.saturating_sub(1));
    for (place, octet) in place.iter_mut().zip(octets) {
        *place = libc::c_char::from_ne_bytes([octet]);
    }
}

/// Whether the kernel forwards what comes in there.
pub(super) fn forwards(interface: &str) -> bool {
    let path = format!("/proc/sys/net/ipv4/conf/{interface}/forwarding");
    std::fs::read_to_string(path).is_ok_and(|text| text.trim() == "1")
}

/// Sends IPv4 echo packets to neighbours on an interface, and reads those that come back.
#[derive(Debug)]
pub(super) struct Link {
    socket: Socket,
    interface: InterfaceIndex,
    /// Whose packets it passes.
    echoes: Echoes,
    buffer: [u8; PACKET_MAX],
}

impl Link {
    pub(super) fn open(interface: InterfaceIndex) -> io::Result<Self> {
        // Protocol 0 hears nothing yet: the filter stands before the first packet comes.
        let socket = Socket::new(socket2::Domain::PACKET, Type::DGRAM, None)?;
        socket.set_nonblocking(true)?;
        attach(&socket, &Echoes::default().sent_back(Port::Echo.number()))?;
        let (address, length) = link_layer(interface, None)?;
        // SAFETY: `address` is a socket address of that length and outlives the call.
        let result =
            unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), length) };
        if result != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Self {
            socket,
            interface,
            echoes: Echoes::default(),
            buffer: [0; PACKET_MAX],
        })
    }

    /// Has the kernel drop what is of none of these.
    pub(super) fn hear(&mut self, of: &Echoes) -> io::Result<()> {
        if self.echoes != *of {
            attach(&self.socket, &of.sent_back(Port::Echo.number()))?;
            self.echoes.clone_from(of);
        }
        Ok(())
    }

    /// Has the neighbour with this link address forward a packet to our own address.
    pub(super) fn send(&self, to: Mac, own: Ipv4Addr, payload: &[u8]) -> io::Result<()> {
        let packet = packet(own, payload)?;
        let (address, length) = link_layer(self.interface, Some(to))?;
        // SAFETY: `address` is a socket address of that length, `packet` has as many octets as are said,
        // and both outlive the call.
        let sent = unsafe {
            libc::sendto(
                self.socket.as_raw_fd(),
                packet.as_ptr().cast(),
                packet.len(),
                0,
                (&raw const address).cast(),
                length,
            )
        };
        match sent {
            0.. => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// One packet that came back, or an error of kind `WouldBlock`. `Ok(None)`: it is too short.
    pub(super) fn receive(&mut self) -> io::Result<Option<bfd::Datagram<'_>>> {
        let length = self.socket.read(&mut self.buffer)?;
        let packet = self.buffer.get(..length).unwrap_or_default();
        let interface = self.interface;
        Ok(
            parts(packet).map(|(remote, local, ttl, payload)| bfd::Datagram {
                remote: remote.into(),
                local: local.into(),
                interface,
                // The packet itself says which session it is of.
                domain: Domain::default(),
                hops: Hops::Single,
                ttl,
                payload,
            }),
        )
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

fn link_layer(
    interface: InterfaceIndex,
    to: Option<Mac>,
) -> io::Result<(libc::sockaddr_ll, libc::socklen_t)> {
    // SAFETY: `sockaddr_ll` is a plain C struct for which all zeros is a valid value.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = u16::try_from(libc::AF_PACKET).map_err(io::Error::other)?;
    let protocol = u16::try_from(libc::ETH_P_IP).map_err(io::Error::other)?;
    address.sll_protocol = protocol.to_be();
    address.sll_ifindex = i32::try_from(interface.0).map_err(io::Error::other)?;
    if let Some(to) = to {
        address.sll_halen = 6;
        for (place, octet) in address.sll_addr.iter_mut().zip(to) {
            *place = octet;
        }
    }
    let length = libc::socklen_t::try_from(size_of::<libc::sockaddr_ll>());
    Ok((address, length.map_err(io::Error::other)?))
}

/// RFC 5881 §4: an IPv4 packet that whoever gets it forwards to us. Its source SHOULD NOT be in the
/// network of the link, so that nobody redirects us; ours is, as FRR's, since a host need not have
/// another: what a redirect would say of our own address is ignored by Linux.
fn packet(own: Ipv4Addr, payload: &[u8]) -> io::Result<Vec<u8>> {
    let octets = |length: usize| u16::try_from(length).map_err(io::Error::other);
    let udp = octets(UDP_HEADER + payload.len())?;
    let whole = octets(IPV4_HEADER + UDP_HEADER + payload.len())?;
    let (own, port) = (own.octets(), Port::Echo.number().to_be_bytes());
    let tos = u8::try_from(DSCP_CS6).map_err(io::Error::other)?;
    let header = |sum: [u8; 2]| {
        let [high, low] = whole.to_be_bytes();
        // Version and length, length of the packet, no identification, not to be fragmented.
        let first = [0x45, tos, high, low, 0, 0, 0x40, 0, 255, 17];
        [first.as_slice(), &sum, &own, &own].concat()
    };
    let datagram = |sum: [u8; 2]| {
        let length = udp.to_be_bytes();
        [port.as_slice(), &port, &length, &sum, payload].concat()
    };
    let pseudo = [own.as_slice(), &own, &[0, 17], &udp.to_be_bytes()].concat();
    let of_header = checksum(&header([0, 0]));
    let of_datagram = match checksum(&[pseudo, datagram([0, 0])].concat()) {
        // RFC 768: zero means that there is none.
        0 => u16::MAX,
        sum => sum,
    };
    Ok([
        header(of_header.to_be_bytes()),
        datagram(of_datagram.to_be_bytes()),
    ]
    .concat())
}

/// RFC 1071.
fn checksum(octets: &[u8]) -> u16 {
    let words = octets.chunks(2).map(|pair| match pair {
        [high, low] => u32::from(u16::from_be_bytes([*high, *low])),
        [high] => u32::from(*high) << 8,
        _ => 0,
    });
    let sum: u32 = words.sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    let folded = (folded & 0xffff) + (folded >> 16);
    !u16::try_from(folded).unwrap_or(u16::MAX)
}

/// Source, destination, TTL and the UDP payload of an IPv4 packet without options.
fn parts(packet: &[u8]) -> Option<(Ipv4Addr, Ipv4Addr, u8, &[u8])> {
    let address = |at: usize| packet.get(at..)?.first_chunk::<4>().copied();
    let [source, destination] = [address(12)?, address(16)?].map(Ipv4Addr::from);
    let length = packet.get(IPV4_HEADER + 4..)?.first_chunk::<2>()?;
    let length = usize::from(u16::from_be_bytes(*length));
    let datagram = packet.get(IPV4_HEADER..)?.get(..length)?;
    let payload = datagram.get(UDP_HEADER..)?;
    Some((source, destination, *packet.get(8)?, payload))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: Ipv4Addr = Ipv4Addr::new(10, 9, 0, 1);

    #[test]
    fn a_packet_goes_from_and_to_ourselves_and_its_sums_are_right() {
        for payload in [[7; 24].as_slice(), &[1, 2, 3], &[]] {
            let packet = packet(OWN, payload).unwrap();
            assert_eq!(parts(&packet), Some((OWN, OWN, 255, payload)));
            assert_eq!(packet.len(), 28 + payload.len());
            // RFC 1071: over a sum that is right comes out zero.
            assert_eq!(checksum(&packet[..20]), 0);
            let udp = u8::try_from(packet.len() - 20).unwrap();
            let pseudo = [&packet[12..20], &[0, 17, 0, udp], &packet[20..]].concat();
            assert_eq!(checksum(&pseudo), 0);
        }
    }

    #[test]
    fn a_known_header_has_its_known_sum() {
        // The example of RFC 1071 §3.
        let octets = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];
        assert_eq!(checksum(&octets), !0xddf2);
    }

    #[test]
    fn a_packet_that_ends_too_soon_has_no_parts() {
        let whole = packet(OWN, &[7; 24]).unwrap();
        for length in 0..whole.len() {
            assert_eq!(parts(&whole[..length]), None, "{length} octets");
        }
        let mut longer = whole.clone();
        longer.extend([0; 20]);
        assert_eq!(parts(&longer), parts(&whole));
    }

    #[test]
    fn the_loopback_device_has_no_ethernet_addresses_and_no_neighbours() {
        assert!(!is_ethernet("lo").unwrap());
        assert!(is_ethernet("no such device").is_err());
        assert_eq!(link_address("lo", Ipv4Addr::LOCALHOST), None);
        assert!(!forwards("no such device"));
    }

    #[test]
    fn only_what_can_be_done_is_offered() {
        let time = Some(Duration::from_millis(50));
        let wanted = Parameters::default().echo(time).unwrap();
        let wanted = wanted.echo_receive(time).unwrap();
        let mut way = Way::default();
        assert_eq!(way.possible(wanted), Parameters::default());
        way.loops = true;
        let possible = way.possible(wanted);
        assert_eq!(possible.echo_interval(), None);
        assert_eq!(possible.echo_receive_interval(), time);
        way.sends = true;
        assert_eq!(way.possible(wanted), wanted);
    }
}
