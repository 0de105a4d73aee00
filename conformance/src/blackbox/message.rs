//! BGP messages as octets, right and wrong ones (RFC 4271 §4).
//!
//! Building allows everything, since tests send what must not be; reading is strict, since a
//! speaker under test must send nothing malformed.

use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

/// Octets of the header (RFC 4271 §4.1).
pub const HEADER_LEN: usize = 19;
/// Type of an OPEN.
pub const OPEN: u8 = 1;
/// Type of an UPDATE.
pub const UPDATE: u8 = 2;
/// Type of a NOTIFICATION.
pub const NOTIFICATION: u8 = 3;
/// Type of a KEEPALIVE.
pub const KEEPALIVE: u8 = 4;
/// Type of a ROUTE-REFRESH (RFC 2918).
pub const ROUTE_REFRESH: u8 = 5;
/// AS_TRANS (RFC 6793 §9).
pub const AS_TRANS: u16 = 23_456;

/// A message with a right header.
pub fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let len = u16::try_from(HEADER_LEN + body.len()).unwrap_or(u16::MAX);
    raw_message([0xff; 16], len, kind, body)
}

/// A message with any header.
pub fn raw_message(marker: [u8; 16], len: u16, kind: u8, body: &[u8]) -> Vec<u8> {
    let mut out = marker.to_vec();
    out.extend(len.to_be_bytes());
    out.push(kind);
    out.extend_from_slice(body);
    out
}

/// KEEPALIVE.
pub fn keepalive() -> Vec<u8> {
    message(KEEPALIVE, &[])
}

/// NOTIFICATION.
pub fn notification(code: u8, subcode: u8, data: &[u8]) -> Vec<u8> {
    let mut body = vec![code, subcode];
    body.extend_from_slice(data);
    message(NOTIFICATION, &body)
}

/// ROUTE-REFRESH with its subtype (RFC 7313 §3.2): 0 asks, 1 begins, 2 ends.
pub fn route_refresh(afi: u16, subtype: u8, safi: u8) -> Vec<u8> {
    let [high, low] = afi.to_be_bytes();
    message(ROUTE_REFRESH, &[high, low, subtype, safi])
}

/// Capability codes.
pub mod capability {
    /// Multiprotocol extensions (RFC 4760 §8).
    pub const MULTIPROTOCOL: u8 = 1;
    /// Route refresh (RFC 2918 §2).
    pub const ROUTE_REFRESH: u8 = 2;
    /// BGP role (RFC 9234 §4.1).
    pub const ROLE: u8 = 9;
    /// Extended message (RFC 8654 §3).
    pub const EXTENDED_MESSAGE: u8 = 6;
    /// Graceful restart (RFC 4724 §3).
    pub const GRACEFUL_RESTART: u8 = 64;
    /// Four-octet AS numbers (RFC 6793 §3).
    pub const FOUR_OCTET_AS: u8 = 65;
    /// IPv6 next hops of IPv4 routes (RFC 8950 §4).
    pub const EXTENDED_NEXT_HOP: u8 = 5;
    /// Several paths of a prefix (RFC 7911 §4).
    pub const ADD_PATH: u8 = 69;
    /// Enhanced route refresh (RFC 7313 §3.1).
    pub const ENHANCED_ROUTE_REFRESH: u8 = 70;
}

/// An OPEN (RFC 4271 §4.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// Version, 4.
    pub version: u8,
    /// The two-octet field.
    pub asn: u16,
    /// Hold time in seconds.
    pub hold_time_s: u16,
    /// BGP identifier.
    pub router_id: Ipv4Addr,
    /// Capabilities with their values.
    pub capabilities: Vec<(u8, Vec<u8>)>,
}

impl Open {
    /// A healthy one: IPv4 unicast, four-octet AS numbers, both kinds of route refresh, and a
    /// hold time of 90 s.
    pub fn new(asn: u32, router_id: Ipv4Addr) -> Self {
        Self {
            version: 4,
            asn: u16::try_from(asn).unwrap_or(AS_TRANS),
            hold_time_s: 90,
            router_id,
            capabilities: vec![
                (capability::MULTIPROTOCOL, vec![0, 1, 0, 1]),
                (capability::ROUTE_REFRESH, vec![]),
                (capability::ENHANCED_ROUTE_REFRESH, vec![]),
                (capability::FOUR_OCTET_AS, asn.to_be_bytes().to_vec()),
            ],
        }
    }

    /// Proposes another hold time.
    pub fn hold_time_s(mut self, seconds: u16) -> Self {
        self.hold_time_s = seconds;
        self
    }

    /// Adds a capability.
    pub fn with(mut self, code: u8, value: &[u8]) -> Self {
        self.capabilities.push((code, value.to_vec()));
        self
    }

    /// Leaves out a capability.
    pub fn without(mut self, code: u8) -> Self {
        self.capabilities.retain(|(other, _)| *other != code);
        self
    }

    /// Adds graceful restart for IPv4 unicast (RFC 4724 §3): `flags` are R (8) and N (4, RFC
    /// 8538) of the first four bits, `forwarding` the F bit.
    pub fn graceful_restart(self, flags: u8, restart_time_s: u16, forwarding: bool) -> Self {
        let head = u16::from(flags) << 12 | restart_time_s;
        let mut value = head.to_be_bytes().to_vec();
        value.extend([0, 1, 1, u8::from(forwarding) << 7]);
        self.with(capability::GRACEFUL_RESTART, &value)
    }

    /// Adds IPv6 unicast and EVPN.
    pub fn all_families(self) -> Self {
        self.with(capability::MULTIPROTOCOL, &[0, 2, 0, 1])
            .with(capability::MULTIPROTOCOL, &[0, 25, 0, 70])
    }

    /// Adds several paths of a prefix for IPv4 unicast (RFC 7911 §4): 1 receives them, 2 sends
    /// them, 3 does both.
    pub fn add_path(self, direction: u8) -> Self {
        self.with(capability::ADD_PATH, &[0, 1, 1, direction])
    }

    /// What it says of several paths of a prefix for IPv4 unicast; 0 when nothing.
    pub fn add_path_direction(&self) -> u8 {
        let value = self.capability(capability::ADD_PATH).unwrap_or_default();
        let (tuples, _) = value.as_chunks::<4>();
        let of_ipv4 = tuples.iter().find_map(|tuple| match tuple {
            [0, 1, 1, direction] => Some(*direction),
            _ => None,
        });
        of_ipv4.unwrap_or(0)
    }

    /// Value of a capability, if it is there.
    pub fn capability(&self, code: u8) -> Option<&[u8]> {
        let found = self.capabilities.iter().find(|(other, _)| *other == code);
        found.map(|(_, value)| value.as_slice())
    }

    /// The message.
    pub fn bytes(&self) -> Vec<u8> {
        let mut list = Vec::new();
        for (code, value) in &self.capabilities {
            list.extend([*code, u8::try_from(value.len()).unwrap_or(u8::MAX)]);
            list.extend_from_slice(value);
        }
        let mut parameters = Vec::new();
        if !list.is_empty() {
            parameters.extend([2, u8::try_from(list.len()).unwrap_or(u8::MAX)]);
            parameters.extend(list);
        }
        self.bytes_with(&parameters)
    }

    /// The message with these octets as optional parameters.
    pub fn bytes_with(&self, parameters: &[u8]) -> Vec<u8> {
        let mut body = vec![self.version];
        body.extend(self.asn.to_be_bytes());
        body.extend(self.hold_time_s.to_be_bytes());
        body.extend(self.router_id.octets());
        body.push(u8::try_from(parameters.len()).unwrap_or(u8::MAX));
        body.extend_from_slice(parameters);
        message(OPEN, &body)
    }

    fn read(body: &[u8]) -> Option<Self> {
        let mut reader = Reader(body);
        let mut open = Self {
            version: reader.u8()?,
            asn: reader.u16()?,
            hold_time_s: reader.u16()?,
            router_id: Ipv4Addr::from(reader.u32()?),
            capabilities: Vec::new(),
        };
        let len = reader.u8()?;
        let mut parameters = Reader(reader.take(len.into())?);
        while !parameters.is_empty() {
            let (kind, len) = (parameters.u8()?, parameters.u8()?);
            let mut list = Reader(parameters.take(len.into())?);
            if kind != 2 {
                return None;
            }
            while !list.is_empty() {
                let (code, len) = (list.u8()?, list.u8()?);
                let value = list.take(len.into())?.to_vec();
                open.capabilities.push((code, value));
            }
        }
        reader.is_empty().then_some(open)
    }
}

/// An IPv4 prefix.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Prefix {
    /// Network address.
    pub addr: Ipv4Addr,
    /// Length in bits.
    pub len: u8,
}

impl Prefix {
    /// A prefix.
    pub fn new(addr: Ipv4Addr, len: u8) -> Self {
        Self { addr, len }
    }

    /// As in NLRI (RFC 4271 §4.3): the length and as many octets as it needs.
    pub fn bytes(self) -> Vec<u8> {
        let octets = self.addr.octets();
        let count = usize::from(self.len.div_ceil(8)).min(4);
        let mut out = vec![self.len];
        out.extend(octets.iter().take(count));
        out
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.addr, self.len)
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Prefix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = text
            .split_once('/')
            .and_then(|(addr, len)| Some(Self::new(addr.parse().ok()?, len.parse().ok()?)));
        parsed
            .filter(|prefix| prefix.len <= 32)
            .ok_or_else(|| format!("`{text}` is no IPv4 prefix"))
    }
}

/// Attribute type codes.
pub mod code {
    /// ORIGIN.
    pub const ORIGIN: u8 = 1;
    /// AS_PATH.
    pub const AS_PATH: u8 = 2;
    /// NEXT_HOP.
    pub const NEXT_HOP: u8 = 3;
    /// MULTI_EXIT_DISC.
    pub const MED: u8 = 4;
    /// LOCAL_PREF.
    pub const LOCAL_PREF: u8 = 5;
    /// ATOMIC_AGGREGATE.
    pub const ATOMIC_AGGREGATE: u8 = 6;
    /// AGGREGATOR.
    pub const AGGREGATOR: u8 = 7;
    /// COMMUNITIES (RFC 1997).
    pub const COMMUNITIES: u8 = 8;
    /// ORIGINATOR_ID (RFC 4456).
    pub const ORIGINATOR_ID: u8 = 9;
    /// CLUSTER_LIST (RFC 4456).
    pub const CLUSTER_LIST: u8 = 10;
    /// MP_REACH_NLRI (RFC 4760).
    pub const MP_REACH: u8 = 14;
    /// MP_UNREACH_NLRI (RFC 4760).
    pub const MP_UNREACH: u8 = 15;
    /// EXTENDED COMMUNITIES (RFC 4360).
    pub const EXTENDED_COMMUNITIES: u8 = 16;
    /// AS4_PATH (RFC 6793).
    pub const AS4_PATH: u8 = 17;
    /// AS4_AGGREGATOR (RFC 6793).
    pub const AS4_AGGREGATOR: u8 = 18;
    /// ONLY_TO_CUSTOMER (RFC 9234).
    pub const ONLY_TO_CUSTOMER: u8 = 35;
    /// LARGE_COMMUNITY (RFC 8092).
    pub const LARGE_COMMUNITIES: u8 = 32;
}

/// Flags of a well-known attribute.
pub const WELL_KNOWN: u8 = 0x40;
/// Flags of an optional transitive attribute.
pub const TRANSITIVE: u8 = 0xc0;
/// Flags of an optional non-transitive attribute.
pub const NON_TRANSITIVE: u8 = 0x80;
/// The Partial bit.
pub const PARTIAL: u8 = 0x20;

/// A path attribute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// Flags.
    pub flags: u8,
    /// Type code.
    pub code: u8,
    /// Value.
    pub value: Vec<u8>,
}

impl Attribute {
    /// Any attribute.
    pub fn new(flags: u8, code: u8, value: impl Into<Vec<u8>>) -> Self {
        Self {
            flags,
            code,
            value: value.into(),
        }
    }

    /// ORIGIN: 0 IGP, 1 EGP, 2 INCOMPLETE.
    pub fn origin(value: u8) -> Self {
        Self::new(WELL_KNOWN, code::ORIGIN, [value])
    }

    /// AS_PATH of one AS_SEQUENCE with four-octet numbers; no number, no segment.
    pub fn as_path(path: &[u32]) -> Self {
        Self::new(WELL_KNOWN, code::AS_PATH, sequence(path))
    }

    /// AS_PATH of one AS_SEQUENCE with two-octet numbers.
    pub fn as_path_2(path: &[u16]) -> Self {
        let mut value = vec![2, u8::try_from(path.len()).unwrap_or(u8::MAX)];
        value.extend(path.iter().flat_map(|asn| asn.to_be_bytes()));
        Self::new(WELL_KNOWN, code::AS_PATH, value)
    }

    /// AS4_PATH (RFC 6793 §3).
    pub fn as4_path(path: &[u32]) -> Self {
        Self::new(TRANSITIVE, code::AS4_PATH, sequence(path))
    }

    /// NEXT_HOP.
    pub fn next_hop(addr: Ipv4Addr) -> Self {
        Self::new(WELL_KNOWN, code::NEXT_HOP, addr.octets())
    }

    /// MULTI_EXIT_DISC.
    pub fn med(value: u32) -> Self {
        Self::new(NON_TRANSITIVE, code::MED, value.to_be_bytes())
    }

    /// LOCAL_PREF.
    pub fn local_pref(value: u32) -> Self {
        Self::new(WELL_KNOWN, code::LOCAL_PREF, value.to_be_bytes())
    }

    /// COMMUNITIES.
    pub fn communities(values: &[u32]) -> Self {
        let value: Vec<u8> = values.iter().flat_map(|one| one.to_be_bytes()).collect();
        Self::new(TRANSITIVE, code::COMMUNITIES, value)
    }

    /// ONLY_TO_CUSTOMER (RFC 9234 §5).
    pub fn only_to_customer(asn: u32) -> Self {
        Self::new(TRANSITIVE, code::ONLY_TO_CUSTOMER, asn.to_be_bytes())
    }

    /// ORIGINATOR_ID (RFC 4456 §8).
    pub fn originator_id(id: Ipv4Addr) -> Self {
        Self::new(NON_TRANSITIVE, code::ORIGINATOR_ID, id.octets())
    }

    /// CLUSTER_LIST (RFC 4456 §8).
    pub fn cluster_list(ids: &[Ipv4Addr]) -> Self {
        let value: Vec<u8> = ids.iter().flat_map(Ipv4Addr::octets).collect();
        Self::new(NON_TRANSITIVE, code::CLUSTER_LIST, value)
    }

    /// The attribute as it stands in a message.
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = match u8::try_from(self.value.len()) {
            Ok(len) if self.flags & 0x10 == 0 => vec![self.flags, self.code, len],
            _ => {
                let len = u16::try_from(self.value.len()).unwrap_or(u16::MAX);
                let [high, low] = len.to_be_bytes();
                vec![self.flags | 0x10, self.code, high, low]
            }
        };
        out.extend_from_slice(&self.value);
        out
    }
}

fn sequence(path: &[u32]) -> Vec<u8> {
    if path.is_empty() {
        return Vec::new();
    }
    let mut value = vec![2, u8::try_from(path.len()).unwrap_or(u8::MAX)];
    value.extend(path.iter().flat_map(|asn| asn.to_be_bytes()));
    value
}

/// An UPDATE (RFC 4271 §4.3).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Update {
    /// WITHDRAWN ROUTES.
    pub withdrawn: Vec<Prefix>,
    /// Path attributes in their order.
    pub attributes: Vec<Attribute>,
    /// NLRI.
    pub announced: Vec<Prefix>,
    /// Path identifiers (RFC 7911 §3) of the withdrawn prefixes and then of the announced ones;
    /// empty where there are none.
    pub ids: Vec<u32>,
}

impl Update {
    /// Announces prefixes with the mandatory attributes.
    pub fn announce(announced: &[Prefix], as_path: &[u32], next_hop: Ipv4Addr) -> Self {
        Self {
            withdrawn: Vec::new(),
            attributes: vec![
                Attribute::origin(0),
                Attribute::as_path(as_path),
                Attribute::next_hop(next_hop),
            ],
            announced: announced.to_vec(),
            ids: Vec::new(),
        }
    }

    /// Withdraws prefixes.
    pub fn withdraw(withdrawn: &[Prefix]) -> Self {
        Self {
            withdrawn: withdrawn.to_vec(),
            ..Self::default()
        }
    }

    /// Sets an attribute, in place of one of the same code.
    pub fn with(mut self, attribute: Attribute) -> Self {
        self.attributes.retain(|one| one.code != attribute.code);
        self.attributes.push(attribute);
        self
    }

    /// Puts path identifiers in front of the prefixes.
    pub fn under(mut self, ids: &[u32]) -> Self {
        self.ids = ids.to_vec();
        self
    }

    /// Announced prefixes with their identifiers, 0 where there are none.
    pub fn announced_paths(&self) -> impl Iterator<Item = (Prefix, u32)> {
        let ids = self.ids.iter().copied().skip(self.withdrawn.len());
        let ids = ids.chain(std::iter::repeat(0));
        self.announced.iter().copied().zip(ids)
    }

    /// The same of withdrawn prefixes.
    pub fn withdrawn_paths(&self) -> impl Iterator<Item = (Prefix, u32)> {
        let ids = self.ids.iter().copied().chain(std::iter::repeat(0));
        self.withdrawn.iter().copied().zip(ids)
    }

    /// Announces prefixes in MP_REACH_NLRI (RFC 4760 §3) with this next hop.
    pub fn reach(announced: &[Prefix], as_path: &[u32], next_hop: &[u8]) -> Self {
        let mut value = vec![0, 1, 1, u8::try_from(next_hop.len()).unwrap_or(u8::MAX)];
        value.extend_from_slice(next_hop);
        value.push(0);
        value.extend(announced.iter().flat_map(|prefix| prefix.bytes()));
        Self {
            attributes: vec![
                Attribute::origin(0),
                Attribute::as_path(as_path),
                Attribute::new(NON_TRANSITIVE, code::MP_REACH, value),
            ],
            ..Self::default()
        }
    }

    /// IPv4 unicast routes in MP_REACH_NLRI, with the octets of their next hop.
    pub fn reached(&self) -> Option<(Vec<u8>, Vec<Prefix>)> {
        let mut reader = Reader(&self.attribute(code::MP_REACH)?.value);
        if reader.take(3)? != [0, 1, 1] {
            return None;
        }
        let len = reader.u8()?;
        let next_hop = reader.take(len.into())?.to_vec();
        let _reserved = reader.u8()?;
        Some((next_hop, read_prefixes(reader.0, None)?))
    }

    /// IPv4 unicast routes in MP_UNREACH_NLRI.
    pub fn unreached(&self) -> Option<Vec<Prefix>> {
        let mut reader = Reader(&self.attribute(code::MP_UNREACH)?.value);
        (reader.take(3)? == [0, 1, 1])
            .then(|| read_prefixes(reader.0, None))
            .flatten()
    }

    /// Adds an attribute beside what is there.
    pub fn and(mut self, attribute: Attribute) -> Self {
        self.attributes.push(attribute);
        self
    }

    /// Leaves out an attribute.
    pub fn without(mut self, code: u8) -> Self {
        self.attributes.retain(|one| one.code != code);
        self
    }

    /// The message.
    pub fn bytes(&self) -> Vec<u8> {
        self.bytes_with(&self.attribute_bytes())
    }

    /// The attributes as they stand in the message.
    pub fn attribute_bytes(&self) -> Vec<u8> {
        self.attributes.iter().flat_map(Attribute::bytes).collect()
    }

    /// The message with these octets as attributes.
    pub fn bytes_with(&self, attributes: &[u8]) -> Vec<u8> {
        let octets = |(prefix, id): (Prefix, u32)| {
            let id = Some(id.to_be_bytes()).filter(|_| !self.ids.is_empty());
            id.into_iter().flatten().chain(prefix.bytes())
        };
        let withdrawn: Vec<u8> = self.withdrawn_paths().flat_map(octets).collect();
        let announced: Vec<u8> = self.announced_paths().flat_map(octets).collect();
        let mut body = Vec::new();
        body.extend(
            u16::try_from(withdrawn.len())
                .unwrap_or(u16::MAX)
                .to_be_bytes(),
        );
        body.extend(withdrawn);
        body.extend(
            u16::try_from(attributes.len())
                .unwrap_or(u16::MAX)
                .to_be_bytes(),
        );
        body.extend_from_slice(attributes);
        body.extend(announced);
        message(UPDATE, &body)
    }

    /// The attribute of this code.
    pub fn attribute(&self, code: u8) -> Option<&Attribute> {
        self.attributes.iter().find(|one| one.code == code)
    }

    /// True for the End-of-RIB marker of IPv4 unicast (RFC 4724 §2).
    pub fn is_end_of_rib(&self) -> bool {
        *self == Self::default()
    }

    fn read(body: &[u8], numbered: bool) -> Option<Self> {
        let mut reader = Reader(body);
        let mut ids = Vec::new();
        let mut ids = numbered.then_some(&mut ids);
        let len = reader.u16()?;
        let withdrawn = read_prefixes(reader.take(len.into())?, ids.as_deref_mut())?;
        let len = reader.u16()?;
        let attributes = read_attributes(reader.take(len.into())?)?;
        Some(Self {
            withdrawn,
            attributes,
            announced: read_prefixes(reader.0, ids.as_deref_mut())?,
            ids: ids.map(std::mem::take).unwrap_or_default(),
        })
    }
}

/// Prefixes; where there is a list for them, each with its identifier in front.
fn read_prefixes(octets: &[u8], mut ids: Option<&mut Vec<u32>>) -> Option<Vec<Prefix>> {
    let mut reader = Reader(octets);
    let mut out = Vec::new();
    while !reader.is_empty() {
        if let Some(ids) = &mut ids {
            ids.push(reader.u32()?);
        }
        let len = reader.u8().filter(|len| *len <= 32)?;
        let mut addr = [0; 4];
        let octets = reader.take(usize::from(len.div_ceil(8)))?;
        addr.iter_mut()
            .zip(octets)
            .for_each(|(to, from)| *to = *from);
        out.push(Prefix::new(addr.into(), len));
    }
    Some(out)
}

fn read_attributes(octets: &[u8]) -> Option<Vec<Attribute>> {
    let mut reader = Reader(octets);
    let mut out: BTreeMap<u8, Attribute> = BTreeMap::new();
    while !reader.is_empty() {
        let (flags, code) = (reader.u8()?, reader.u8()?);
        let len = if flags & 0x10 == 0 {
            reader.u8()?.into()
        } else {
            reader.u16()?
        };
        let attribute = Attribute::new(flags & 0xe0, code, reader.take(len.into())?);
        // RFC 4271 §5: no attribute appears twice.
        if out.insert(code, attribute).is_some() {
            return None;
        }
    }
    Some(out.into_values().collect())
}

/// A NOTIFICATION (RFC 4271 §4.5).
#[derive(Clone, PartialEq, Eq)]
pub struct Notification {
    /// Error code.
    pub code: u8,
    /// Error subcode.
    pub subcode: u8,
    /// Data.
    pub data: Vec<u8>,
}

impl fmt::Debug for Notification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NOTIFICATION {}/{}", self.code, self.subcode)?;
        if !self.data.is_empty() {
            write!(f, " with data {:02x?}", self.data)?;
        }
        Ok(())
    }
}

/// A message that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// OPEN.
    Open(Open),
    /// UPDATE.
    Update(Update),
    /// NOTIFICATION.
    Notification(Notification),
    /// KEEPALIVE.
    Keepalive,
    /// ROUTE-REFRESH.
    RouteRefresh {
        /// AFI.
        afi: u16,
        /// Subtype (RFC 7313 §3.2).
        subtype: u8,
        /// SAFI.
        safi: u8,
    },
}

impl Message {
    /// Reads one whole message; `None` when it is malformed.
    pub fn read(octets: &[u8]) -> Option<Self> {
        Self::read_with(octets, false)
    }

    /// The same where IPv4 prefixes have path identifiers if `numbered` (RFC 7911 §3).
    pub fn read_with(octets: &[u8], numbered: bool) -> Option<Self> {
        let mut reader = Reader(octets);
        if reader.take(16)? != [0xff; 16] || usize::from(reader.u16()?) != octets.len() {
            return None;
        }
        let kind = reader.u8()?;
        match kind {
            OPEN => Open::read(reader.0).map(Message::Open),
            UPDATE => Update::read(reader.0, numbered).map(Message::Update),
            NOTIFICATION => Some(Message::Notification(Notification {
                code: reader.u8()?,
                subcode: reader.u8()?,
                data: reader.0.to_vec(),
            })),
            KEEPALIVE => reader.is_empty().then_some(Message::Keepalive),
            ROUTE_REFRESH => {
                let (afi, subtype, safi) = (reader.u16()?, reader.u8()?, reader.u8()?);
                let refresh = Message::RouteRefresh { afi, subtype, safi };
                reader.is_empty().then_some(refresh)
            }
            _ => None,
        }
    }
}

/// What is left of some octets.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(head)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_be_bytes)
    }

    fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The AS numbers of an AS_PATH value that has AS_SEQUENCEs only.
pub fn path_numbers(value: &[u8], four_octet: bool) -> Option<Vec<u32>> {
    let mut reader = Reader(value);
    let mut out = Vec::new();
    while !reader.is_empty() {
        let (kind, count) = (reader.u8()?, reader.u8()?);
        if kind != 2 {
            return None;
        }
        for _ in 0..count {
            out.push(if four_octet {
                reader.u32()?
            } else {
                reader.u16()?.into()
            });
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests;
