//! Just enough BGP to load a daemon and to count what it says: OPEN and UPDATE out, UPDATE in.
//!
//! Everything is encoded before a measurement starts, and reading allocates nothing: the figures
//! are the daemon's and not the tool's. The codec of rbgpd is not used, so that a mistake in it
//! cannot hide itself here.

use std::net::Ipv4Addr;

/// Octets of a message header (RFC 4271 §4.1).
pub(super) const HEADER: usize = 19;
const MESSAGE_MAX: usize = 4096;
const MARKER: [u8; 16] = [0xff; 16];

/// Message types (RFC 4271 §4.1).
pub(super) const OPEN: u8 = 1;
pub(super) const UPDATE: u8 = 2;
pub(super) const NOTIFICATION: u8 = 3;
pub(super) const KEEPALIVE: u8 = 4;

/// Families that the benchmark speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// IPv4 unicast.
    Ipv4,
    /// EVPN, MAC/IP routes only.
    Evpn,
}

impl Family {
    fn afi_safi(self) -> [u8; 3] {
        match self {
            Self::Ipv4 => [0, 1, 1],
            Self::Evpn => [0, 25, 70],
        }
    }
}

/// Our OPEN: multiprotocol, route refresh, End-of-RIB and four-octet AS numbers.
pub(super) fn open(asn: u32, router_id: Ipv4Addr, family: Family) -> Vec<u8> {
    let [afi_high, afi_low, safi] = family.afi_safi();
    let mut capabilities = vec![1, 4, afi_high, afi_low, 0, safi, 2, 0];
    // RFC 4724 §3: no families, so End-of-RIB is understood and nothing is kept after an end.
    capabilities.extend([64, 2, 0, 0]);
    capabilities.extend([65, 4]);
    capabilities.extend(asn.to_be_bytes());
    // RFC 6793 §9: AS_TRANS stands for numbers that do not fit.
    let short = u16::try_from(asn).unwrap_or(23456);
    let mut body = vec![4];
    body.extend(short.to_be_bytes());
    body.extend(HOLD_TIME_S.to_be_bytes());
    body.extend(router_id.octets());
    let length = octet(capabilities.len());
    body.extend([length.saturating_add(2), 2, length]);
    body.extend(capabilities);
    message(OPEN, &body)
}

/// What we propose; KEEPALIVEs go out far more often.
const HOLD_TIME_S: u16 = 240;

pub(super) fn keepalive() -> Vec<u8> {
    message(KEEPALIVE, &[])
}

/// RFC 4724 §2.
pub(super) fn end_of_rib(family: Family) -> Vec<u8> {
    match family {
        Family::Ipv4 => message(UPDATE, &[0, 0, 0, 0]),
        Family::Evpn => {
            let [afi_high, afi_low, safi] = family.afi_safi();
            message(UPDATE, &[0, 0, 0, 6, 0x80, 15, 3, afi_high, afi_low, safi])
        }
    }
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEADER + body.len());
    append(&mut out, kind, &[body]);
    out
}

fn append(out: &mut Vec<u8>, kind: u8, parts: &[&[u8]]) {
    let length = HEADER + parts.iter().map(|part| part.len()).sum::<usize>();
    out.extend(MARKER);
    out.extend(short(length).to_be_bytes());
    out.push(kind);
    for part in parts {
        out.extend_from_slice(part);
    }
}

fn octet(value: usize) -> u8 {
    u8::try_from(value).unwrap_or(u8::MAX)
}

fn short(value: usize) -> u16 {
    u16::try_from(value).unwrap_or(u16::MAX)
}

/// What a group of routes has in common.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attributes {
    /// AS numbers, the neighbour's first.
    pub path: Vec<u32>,
    /// MULTI_EXIT_DISC.
    pub med: Option<u32>,
    /// RFC 1997.
    pub communities: Vec<u32>,
    /// RFC 8092.
    pub large: Vec<[u32; 3]>,
    /// RFC 4360, as they go over the wire.
    pub extended: Vec<[u8; 8]>,
}

impl Attributes {
    /// In wire form, in the order of their codes; EVPN has its next hop elsewhere.
    fn encode(&self, next_hop: Option<Ipv4Addr>) -> Vec<u8> {
        let mut out = vec![0x40, 1, 1, 0];
        let path = self
            .path
            .get(..255.min(self.path.len()))
            .unwrap_or_default();
        if path.is_empty() {
            out.extend([0x40, 2, 0]);
        } else {
            // RFC 4271 §4.3: the extended length bit takes any length.
            out.extend([0x50, 2]);
            out.extend(short(2 + 4 * path.len()).to_be_bytes());
            out.extend([2, octet(path.len())]);
            for asn in path {
                out.extend(asn.to_be_bytes());
            }
        }
        if let Some(next_hop) = next_hop {
            out.extend([0x40, 3, 4]);
            out.extend(next_hop.octets());
        }
        if let Some(med) = self.med {
            out.extend([0x80, 4, 4]);
            out.extend(med.to_be_bytes());
        }
        list(
            &mut out,
            8,
            self.communities.iter().map(|c| c.to_be_bytes()),
        );
        list(&mut out, 16, self.extended.iter().copied());
        let large = self.large.iter().flatten().map(|part| part.to_be_bytes());
        list(&mut out, 32, large);
        out
    }
}

/// An optional transitive attribute that is a list.
fn list<const N: usize>(out: &mut Vec<u8>, code: u8, items: impl Iterator<Item = [u8; N]>) {
    let body: Vec<u8> = items.flatten().collect();
    if !body.is_empty() {
        out.extend([0xd0, code]);
        out.extend(short(body.len()).to_be_bytes());
        out.extend(body);
    }
}

/// An IPv4 prefix: address bits and length.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Prefix {
    /// Address; bits beyond the length are zero.
    pub bits: u32,
    /// 0 to 32.
    pub len: u8,
}

impl Prefix {
    /// With the host bits cleared.
    pub fn new(bits: u32, len: u8) -> Self {
        let mask = u32::MAX.checked_shl(32 - u32::from(len)).unwrap_or(0);
        Self {
            bits: bits & mask,
            len,
        }
    }

    /// One number for each prefix.
    pub fn key(self) -> u64 {
        u64::from(self.bits) << 8 | u64::from(self.len)
    }

    fn encode(self, out: &mut Vec<u8>) {
        out.push(self.len);
        let octets = usize::from(self.len.div_ceil(8));
        let bits = self.bits.to_be_bytes();
        out.extend(bits.get(..octets).unwrap_or_default());
    }
}

/// Announcements of IPv4 routes with the same attributes.
pub(super) fn announce(
    out: &mut Vec<u8>,
    attributes: &Attributes,
    next_hop: Ipv4Addr,
    prefixes: &[Prefix],
) {
    let attributes = attributes.encode(Some(next_hop));
    let length = short(attributes.len()).to_be_bytes();
    let room = MESSAGE_MAX - HEADER - 4 - attributes.len();
    for nlri in packed(prefixes, room) {
        append(out, UPDATE, &[&[0, 0], &length, &attributes, &nlri]);
    }
}

/// Withdrawals of IPv4 routes, as many to a message as go in.
pub(super) fn withdraw(out: &mut Vec<u8>, prefixes: &[Prefix]) {
    for nlri in packed(prefixes, MESSAGE_MAX - HEADER - 4) {
        let length = short(nlri.len()).to_be_bytes();
        append(out, UPDATE, &[&length, &nlri, &[0, 0]]);
    }
}

fn packed(prefixes: &[Prefix], room: usize) -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    let mut now = Vec::new();
    for prefix in prefixes {
        if now.len() + 5 > room {
            all.push(std::mem::take(&mut now));
        }
        prefix.encode(&mut now);
    }
    if !now.is_empty() {
        all.push(now);
    }
    all
}

/// A MAC/IP route of the generated EVPN table (RFC 7432 §7.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MacRoute {
    /// Number of the route; its MAC and IP address are made of it.
    pub id: u32,
    pub vni: u32,
    /// Who says it: part of its route distinguisher.
    pub sender: Ipv4Addr,
}

/// Octets of such a route: no ESI, an IPv4 address, one label.
const MAC_ROUTE: usize = 2 + 8 + 10 + 4 + 7 + 5 + 3;

impl MacRoute {
    fn encode(self, out: &mut Vec<u8>) {
        let [_, id_a, id_b, id_c] = self.id.to_be_bytes();
        let [_, vni @ ..] = self.vni.to_be_bytes();
        out.extend([2, octet(MAC_ROUTE - 2)]);
        // RFC 4364 §4.2: type 1, address and number.
        out.extend([0, 1]);
        out.extend(self.sender.octets());
        out.extend(u16::try_from(self.vni).unwrap_or(0).to_be_bytes());
        out.extend([0; 10 + 4]);
        out.extend([48, 2, 0, 0, id_a, id_b, id_c]);
        out.extend([32, 172, id_a, id_b, id_c]);
        out.extend(vni);
    }
}

/// Announcements of EVPN routes with the same attributes.
pub(super) fn announce_macs(out: &mut Vec<u8>, attributes: &Attributes, routes: &[MacRoute]) {
    let Some(first) = routes.first() else {
        return;
    };
    let attributes = attributes.encode(None);
    for these in routes.chunks(MACS_PER_MESSAGE) {
        let mut reach = vec![0, 25, 70, 4];
        reach.extend(first.sender.octets());
        reach.push(0);
        for route in these {
            route.encode(&mut reach);
        }
        let mut head = vec![0x90, 14];
        head.extend(short(reach.len()).to_be_bytes());
        let length = short(head.len() + reach.len() + attributes.len()).to_be_bytes();
        append(out, UPDATE, &[&[0, 0], &length, &head, &reach, &attributes]);
    }
}

const MACS_PER_MESSAGE: usize = 7;

/// Withdrawals of EVPN routes.
pub(super) fn withdraw_macs(out: &mut Vec<u8>, routes: &[MacRoute]) {
    for these in routes.chunks(MACS_PER_WITHDRAWAL) {
        let mut unreach = vec![0, 25, 70];
        for route in these {
            route.encode(&mut unreach);
        }
        let mut head = vec![0x90, 15];
        head.extend(short(unreach.len()).to_be_bytes());
        let length = short(head.len() + unreach.len()).to_be_bytes();
        append(out, UPDATE, &[&[0, 0], &length, &head, &unreach]);
    }
}

/// As many as fit into a message.
const MACS_PER_WITHDRAWAL: usize = (MESSAGE_MAX - HEADER - 16) / MAC_ROUTE;

/// What an UPDATE says, one call for each thing.
pub(super) trait Hear {
    /// A prefix that is announced, with the AS path's second number: who told the daemon.
    fn announced(&mut self, prefix: Prefix, told_by: u32);
    /// A prefix that is withdrawn.
    fn withdrawn(&mut self, prefix: Prefix);
    /// An EVPN route that is announced, told by the owner of this route distinguisher.
    fn announced_mac(&mut self, id: u32, vni: u32);
    /// An EVPN route that is withdrawn.
    fn withdrawn_mac(&mut self, id: u32);
}

/// The message could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed;

/// Length and type of the message at the front, if its header is there.
pub(super) fn header(bytes: &[u8]) -> Option<(usize, u8)> {
    let [
        _,
        _,
        _,
        _,
        _,
        _,
        _,
        _,
        _,
        _,
        _,
        _,
        _,
        _,
        _,
        _,
        high,
        low,
        kind,
        ..,
    ] = bytes
    else {
        return None;
    };
    Some((usize::from(u16::from_be_bytes([*high, *low])), *kind))
}

/// Reads the body of an UPDATE.
pub(super) fn update(body: &[u8], listener: &mut impl Hear) -> Result<(), Malformed> {
    let (withdrawn, rest) = sized(body)?;
    let (attributes, nlri) = sized(rest)?;
    prefixes(withdrawn, |prefix| listener.withdrawn(prefix))?;
    let mut told_by = 0;
    let mut reach = None;
    let mut left = attributes;
    while let [flags, code, rest @ ..] = left {
        let (value, rest) = if flags & 0x10 != 0 {
            sized(rest)?
        } else {
            let (length, rest) = rest.split_first().ok_or(Malformed)?;
            rest.split_at_checked(usize::from(*length))
                .ok_or(Malformed)?
        };
        left = rest;
        match code {
            2 => told_by = second_as(value),
            14 => reach = Some(value),
            15 => unreach(value, listener)?,
            _ => {}
        }
    }
    prefixes(nlri, |prefix| listener.announced(prefix, told_by))?;
    match reach {
        Some(value) => announcements(value, told_by, listener),
        None => Ok(()),
    }
}

fn sized(bytes: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    let [high, low, rest @ ..] = bytes else {
        return Err(Malformed);
    };
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    rest.split_at_checked(length).ok_or(Malformed)
}

/// The second AS number of a path: the daemon put its own in front of it.
fn second_as(path: &[u8]) -> u32 {
    match path {
        [_, count, _, _, _, _, a, b, c, d, ..] if *count >= 2 => {
            u32::from_be_bytes([*a, *b, *c, *d])
        }
        _ => 0,
    }
}

fn prefixes(mut bytes: &[u8], mut each: impl FnMut(Prefix)) -> Result<(), Malformed> {
    while let [len, rest @ ..] = bytes {
        let (bits, octets) = match (len, rest) {
            (0, _) => (0, 0),
            (1..=8, [a, ..]) => (u32::from_be_bytes([*a, 0, 0, 0]), 1),
            (9..=16, [a, b, ..]) => (u32::from_be_bytes([*a, *b, 0, 0]), 2),
            (17..=24, [a, b, c, ..]) => (u32::from_be_bytes([*a, *b, *c, 0]), 3),
            (25..=32, [a, b, c, d, ..]) => (u32::from_be_bytes([*a, *b, *c, *d]), 4),
            _ => return Err(Malformed),
        };
        each(Prefix { bits, len: *len });
        bytes = rest.get(octets..).ok_or(Malformed)?;
    }
    Ok(())
}

fn announcements(value: &[u8], told_by: u32, listener: &mut impl Hear) -> Result<(), Malformed> {
    let [afi_high, afi_low, safi, hop_len, rest @ ..] = value else {
        return Err(Malformed);
    };
    // One reserved octet follows the next hop.
    let nlri = rest.get(usize::from(*hop_len) + 1..).ok_or(Malformed)?;
    match [*afi_high, *afi_low, *safi] {
        [0, 1, 1] => prefixes(nlri, |prefix| listener.announced(prefix, told_by)),
        [0, 25, 70] => macs(nlri, |id, vni| listener.announced_mac(id, vni)),
        _ => Ok(()),
    }
}

fn unreach(value: &[u8], listener: &mut impl Hear) -> Result<(), Malformed> {
    match value {
        [0, 1, 1, nlri @ ..] => prefixes(nlri, |prefix| listener.withdrawn(prefix)),
        [0, 25, 70, nlri @ ..] => macs(nlri, |id, _| listener.withdrawn_mac(id)),
        _ => Ok(()),
    }
}

fn macs(mut bytes: &[u8], mut each: impl FnMut(u32, u32)) -> Result<(), Malformed> {
    while let [kind, len, rest @ ..] = bytes {
        let (route, rest) = rest.split_at_checked(usize::from(*len)).ok_or(Malformed)?;
        bytes = rest;
        if *kind == 2 {
            // RD 8, ESI 10, tag 4, length 1, MAC 6, length 1, address, label 3.
            let mac = route.get(26..29).ok_or(Malformed)?;
            let address = usize::from(*route.get(29).ok_or(Malformed)? / 8);
            let label = route.get(30 + address..33 + address).ok_or(Malformed)?;
            each(number(mac), number(label));
        }
    }
    Ok(())
}

fn number(octets: &[u8]) -> u32 {
    octets
        .iter()
        .fold(0, |all, octet| all << 8 | u32::from(*octet))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Notes {
        announced: Vec<(Prefix, u32)>,
        withdrawn: Vec<Prefix>,
        macs: Vec<(u32, u32)>,
    }

    impl Hear for Notes {
        fn announced(&mut self, prefix: Prefix, told_by: u32) {
            self.announced.push((prefix, told_by));
        }
        fn withdrawn(&mut self, prefix: Prefix) {
            self.withdrawn.push(prefix);
        }
        fn announced_mac(&mut self, id: u32, vni: u32) {
            self.macs.push((id, vni));
        }
        fn withdrawn_mac(&mut self, _: u32) {}
    }

    /// Frames a stream and reads all its UPDATEs.
    fn heard(mut stream: &[u8]) -> Notes {
        let mut notes = Notes::default();
        while let Some((length, kind)) = header(stream) {
            assert_eq!(kind, UPDATE);
            assert!((HEADER..=MESSAGE_MAX).contains(&length));
            update(stream.get(HEADER..length).unwrap(), &mut notes).unwrap();
            stream = stream.get(length..).unwrap();
        }
        assert!(stream.is_empty());
        notes
    }

    #[test]
    fn what_is_announced_and_withdrawn_is_heard() {
        let all: Vec<Prefix> = (0..3000u32)
            .map(|n| Prefix::new(0x0b00_0000 + (n << 12), 16 + u8::try_from(n % 9).unwrap()))
            .collect();
        let attributes = Attributes {
            path: vec![60001, 60002, 3],
            communities: vec![1, 2],
            large: vec![[1, 2, 3]],
            med: Some(5),
            extended: Vec::new(),
        };
        let mut stream = Vec::new();
        announce(&mut stream, &attributes, Ipv4Addr::new(10, 0, 1, 1), &all);
        withdraw(&mut stream, &all);
        let notes = heard(&stream);
        assert_eq!(notes.withdrawn, all);
        // As if the daemon had put 60001 in front.
        let expected: Vec<_> = all.iter().map(|prefix| (*prefix, 60002)).collect();
        assert_eq!(notes.announced, expected);
    }

    #[test]
    fn mac_routes_are_heard_by_number_and_vni() {
        let routes: Vec<MacRoute> = (70_000..70_020)
            .map(|id| MacRoute {
                id,
                vni: 100 + id % 2,
                sender: Ipv4Addr::new(10, 0, 1, 1),
            })
            .collect();
        let mut stream = Vec::new();
        announce_macs(&mut stream, &Attributes::default(), &routes);
        let expected: Vec<_> = routes.iter().map(|route| (route.id, route.vni)).collect();
        assert_eq!(heard(&stream).macs, expected);
    }

    #[test]
    fn a_message_cut_short_is_malformed_and_no_panic() {
        let mut stream = Vec::new();
        let all = [Prefix::new(0x0b00_0000, 24)];
        announce(
            &mut stream,
            &Attributes::default(),
            Ipv4Addr::LOCALHOST,
            &all,
        );
        let body = stream.get(HEADER..).unwrap();
        for end in 0..body.len() {
            let result = update(body.get(..end).unwrap(), &mut Notes::default());
            // The whole but for the prefixes is a valid UPDATE that announces nothing.
            assert_eq!(result.is_ok(), end == body.len() - 4, "{end}");
        }
    }
}
