//! What an ARP, RARP or neighbour discovery frame says about its sender, and the questions we send.
//!
//! [`read`] takes an Ethernet frame as it came in on a bridge port and gives a [`Word`]: which MAC
//! address spoke, which IP address it has, and whether it said so unasked. [`question`] is the way
//! back: a frame that has a station confirm that it still has an address.
//!
//! Reading is total: any octets give a word or `None`. A frame is only believed when its sender
//! speaks for itself: the hardware address inside is the one that the frame came from, since the
//! bridge learns that one and no other. Frames with a VLAN tag are another network's.
//!
//! Nothing is decided here about who has an address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bgp::MacAddress;

/// What a frame says about its sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Word {
    /// Who has sent it.
    pub mac: MacAddress,
    /// Which IP address is its.
    pub claim: Claim,
    /// Said unasked, to everybody: a gratuitous ARP, an unsolicited neighbour advertisement, a
    /// RARP. Stations do so when they come up, and hypervisors for one that has moved.
    pub announced: bool,
}

/// What a frame says about an IP address of its sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Claim {
    /// Nothing.
    None,
    /// It has this one.
    Has(IpAddr),
    /// It will have this one unless somebody objects (RFC 4862 §5.4).
    Tries(Ipv6Addr),
}

/// Types of frames (IEEE 802 numbers).
pub(super) const ARP: u16 = 0x0806;
pub(super) const RARP: u16 = 0x8035;
pub(super) const IPV6: u16 = 0x86dd;
/// The protocol number of ICMPv6.
pub(super) const ICMPV6: u8 = 58;
/// RFC 4861 §4.3.
pub(super) const SOLICITATION: u8 = 135;
/// RFC 4861 §4.4.
pub(super) const ADVERTISEMENT: u8 = 136;

/// RFC 4861 §7.1: what has another hop limit has come through a router.
const HOP_LIMIT: u8 = 255;
/// Options with link-layer addresses (RFC 4861 §4.6.1).
const SOURCE_LINK_LAYER: u8 = 1;
const TARGET_LINK_LAYER: u8 = 2;
/// Flags of an advertisement (RFC 4861 §4.4).
const SOLICITED: u8 = 0x40;

/// What a frame says about its sender; `None` if it says nothing, or nothing to be believed.
///
/// ```
/// use rbgpd::snoop::frame::{Claim, read};
///
/// // A gratuitous ARP of 10.0.0.5.
/// let mut frame = vec![0xff; 6];
/// frame.extend([2, 0, 0, 0, 0, 5, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1]);
/// frame.extend([2, 0, 0, 0, 0, 5, 10, 0, 0, 5, 0, 0, 0, 0, 0, 0, 10, 0, 0, 5]);
/// let word = read(&frame).ok_or("nothing")?;
/// assert_eq!(word.claim, Claim::Has([10, 0, 0, 5].into()));
/// assert!(word.announced);
/// # Ok::<(), &str>(())
/// ```
pub fn read(frame: &[u8]) -> Option<Word> {
    let (_to, rest) = frame.split_first_chunk::<6>()?;
    let (from, rest) = rest.split_first_chunk::<6>()?;
    let (kind, payload) = rest.split_first_chunk::<2>()?;
    let mac = MacAddress(*from);
    if !is_station(mac) {
        return None;
    }
    match u16::from_be_bytes(*kind) {
        ARP => read_arp(mac, payload),
        RARP => read_rarp(mac, payload),
        IPV6 => read_ipv6(mac, payload),
        _ => None,
    }
}

/// An address that one station can have: no group, not zero.
pub(crate) fn is_station(mac: MacAddress) -> bool {
    mac.0[0] & 1 == 0 && mac.0 != [0; 6]
}

/// An address that one station can have.
pub(crate) fn is_host(ip: IpAddr) -> bool {
    let broadcast = ip == IpAddr::V4(Ipv4Addr::BROADCAST);
    // RFC 4291 §2.5.5: such an address stands for one of IPv4 and is in no packet.
    let mapped = matches!(ip, IpAddr::V6(ip) if ip.to_ipv4_mapped().is_some());
    !(ip.is_unspecified() || ip.is_multicast() || ip.is_loopback() || broadcast || mapped)
}

/// The fields of RFC 826 for Ethernet and IPv4: operation, sender, target.
struct Arp {
    operation: u16,
    sender: ([u8; 6], Ipv4Addr),
    target: ([u8; 6], Ipv4Addr),
}

impl Arp {
    fn read(payload: &[u8]) -> Option<Self> {
        // Ethernet, IPv4, six octets and four.
        let rest = payload.strip_prefix(&[0, 1, 8, 0, 6, 4])?;
        let (operation, rest) = rest.split_first_chunk::<2>()?;
        let (sender_mac, rest) = rest.split_first_chunk::<6>()?;
        let (sender_ip, rest) = rest.split_first_chunk::<4>()?;
        let (target_mac, rest) = rest.split_first_chunk::<6>()?;
        let (target_ip, _padding) = rest.split_first_chunk::<4>()?;
        Some(Self {
            operation: u16::from_be_bytes(*operation),
            sender: (*sender_mac, Ipv4Addr::from(*sender_ip)),
            target: (*target_mac, Ipv4Addr::from(*target_ip)),
        })
    }
}

fn read_arp(mac: MacAddress, payload: &[u8]) -> Option<Word> {
    let arp = Arp::read(payload)?;
    let (sender, ip) = arp.sender;
    if !matches!(arp.operation, 1 | 2) || sender != mac.0 {
        return None;
    }
    // RFC 5227 §2.1.1: a probe comes from 0.0.0.0 and claims nothing yet; its announcement follows.
    let claim = match is_host(ip.into()) {
        true => Claim::Has(ip.into()),
        false => Claim::None,
    };
    let announced = claim != Claim::None && ip == arp.target.1;
    Some(Word {
        mac,
        claim,
        announced,
    })
}

/// RFC 903. Hypervisors send a request in the name of a machine that has arrived: it asks for its
/// own IP address, and nobody has to answer.
fn read_rarp(mac: MacAddress, payload: &[u8]) -> Option<Word> {
    let arp = Arp::read(payload)?;
    let own = arp.sender.0 == mac.0 && arp.target.0 == mac.0;
    (arp.operation == 3 && own).then_some(Word {
        mac,
        claim: Claim::None,
        announced: true,
    })
}

fn read_ipv6(mac: MacAddress, packet: &[u8]) -> Option<Word> {
    let (head, rest) = packet.split_first_chunk::<8>()?;
    let (source, rest) = rest.split_first_chunk::<16>()?;
    let (destination, rest) = rest.split_first_chunk::<16>()?;
    let [version, _, _, _, high, low, next, hops] = *head;
    // Behind it there may be padding of the frame.
    let message = rest.get(..usize::from(u16::from_be_bytes([high, low])))?;
    if version >> 4 != 6 || next != ICMPV6 || hops != HOP_LIMIT {
        return None;
    }
    // RFC 4861 §7.1: "ICMP Checksum is valid". One that is right sums up to zero.
    if checksum(source, destination, message) != 0 {
        return None;
    }
    let (source, destination) = (Ipv6Addr::from(*source), Ipv6Addr::from(*destination));
    let (head, rest) = message.split_first_chunk::<8>()?;
    let (target, options) = rest.split_first_chunk::<16>()?;
    let target = Ipv6Addr::from(*target);
    if !is_host(target.into()) {
        return None;
    }
    match *head {
        [SOLICITATION, 0, ..] => solicited(mac, source, target, options),
        [ADVERTISEMENT, 0, _, _, flags, ..] => {
            let unasked = flags & SOLICITED == 0;
            // RFC 4861 §7.1.2: "If the IP Destination Address is a multicast address the Solicited
            // flag is zero."
            if destination.is_multicast() && !unasked {
                return None;
            }
            let own = link_layer_address(options, TARGET_LINK_LAYER)?;
            own.is_none_or(|it| it == mac.0).then_some(Word {
                mac,
                claim: Claim::Has(target.into()),
                announced: unasked,
            })
        }
        _ => None,
    }
}

fn solicited(mac: MacAddress, source: Ipv6Addr, target: Ipv6Addr, options: &[u8]) -> Option<Word> {
    let own = link_layer_address(options, SOURCE_LINK_LAYER)?;
    let claim = if source.is_unspecified() {
        // RFC 4861 §7.1.1: then there is no such option.
        own.is_none().then_some(Claim::Tries(target))?
    } else if is_host(source.into()) && own.is_none_or(|it| it == mac.0) {
        Claim::Has(source.into())
    } else {
        return None;
    };
    Some(Word {
        mac,
        claim,
        announced: false,
    })
}

/// The first link-layer address of a kind among the options; `None` if they are not whole
/// (RFC 4861 §7.1: "All included options have a length that is greater than zero").
fn link_layer_address(mut options: &[u8], wanted: u8) -> Option<Option<[u8; 6]>> {
    let mut found = None;
    while let [kind, units, ..] = *options {
        let length = usize::from(units) * 8;
        let (option, rest) = options.split_at_checked(length).filter(|_| length > 0)?;
        if kind == wanted {
            let address = option.get(2..).and_then(|it| it.first_chunk::<6>());
            found = found.or(address.copied());
        }
        options = rest;
    }
    options.is_empty().then_some(found)
}

/// RFC 4443 §2.3, over the pseudo header of RFC 8200 §8.1. Zero for a message that has it right.
fn checksum(source: &[u8; 16], destination: &[u8; 16], message: &[u8]) -> u16 {
    let length = u32::try_from(message.len())
        .unwrap_or(u32::MAX)
        .to_be_bytes();
    let tail = [0, 0, 0, ICMPV6];
    let parts: [&[u8]; 5] = [source, destination, &length, &tail, message];
    let mut sum: u32 = 0;
    for pair in parts.iter().flat_map(|part| part.chunks(2)) {
        let (high, low) = (pair.first().copied(), pair.get(1).copied());
        sum += u32::from(u16::from_be_bytes([high.unwrap_or(0), low.unwrap_or(0)]));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(u16::MAX)
}

/// A frame that asks a station whether it still has an address, to it alone.
///
/// `from` is the MAC address that the answer goes to, and `sender` our own address if we have one in
/// the station's network. Without it ARP asks from 0.0.0.0, which no table takes in (RFC 5227
/// §1.1). Neighbour discovery asks from a link-local address: a question from nowhere would have a
/// station give up an address that it is just trying (RFC 4862 §5.4.3).
pub fn question(
    station: MacAddress,
    ip: IpAddr,
    from: MacAddress,
    sender: Option<Ipv4Addr>,
) -> Vec<u8> {
    let mut frame = Vec::with_capacity(86);
    frame.extend(station.0);
    frame.extend(from.0);
    match ip {
        IpAddr::V4(ip) => {
            frame.extend(ARP.to_be_bytes());
            frame.extend([0, 1, 8, 0, 6, 4, 0, 1]);
            frame.extend(from.0);
            frame.extend(sender.unwrap_or(Ipv4Addr::UNSPECIFIED).octets());
            frame.extend([0; 6]);
            frame.extend(ip.octets());
        }
        IpAddr::V6(ip) => {
            frame.extend(IPV6.to_be_bytes());
            frame.extend([0x60, 0, 0, 0, 0, 32, ICMPV6, HOP_LIMIT]);
            let (source, destination) = (link_local(from).octets(), ip.octets());
            frame.extend(source);
            frame.extend(destination);
            let mut message = vec![SOLICITATION, 0, 0, 0, 0, 0, 0, 0];
            message.extend(destination);
            message.extend([SOURCE_LINK_LAYER, 1]);
            message.extend(from.0);
            let sum = checksum(&source, &destination, &message).to_be_bytes();
            let place = message.iter_mut().skip(2);
            place.zip(sum).for_each(|(at, octet)| *at = octet);
            frame.extend(message);
        }
    }
    frame
}

/// RFC 4291 §2.5.1 and appendix A.
fn link_local(mac: MacAddress) -> Ipv6Addr {
    let [a, b, c, d, e, f] = mac.0;
    let pair = |high, low| u16::from_be_bytes([high, low]);
    let (first, second) = (pair(a ^ 2, b), pair(c, 0xff));
    Ipv6Addr::new(0xfe80, 0, 0, 0, first, second, pair(0xfe, d), pair(e, f))
}

#[cfg(test)]
mod tests;
