//! Writing UPDATEs: as many routes in each message as fit.
//!
//! The attributes are copied as the tables keep them; only a peer without four-octet AS numbers
//! has them rewritten, once per call. IPv4 routes with an IPv4 next hop use the fields of
//! RFC 4271, everything else the multiprotocol attributes, which stand first (RFC 7606 §5.1).

use bytes::{BufMut, BytesMut};

use crate::attributes::{Announced, Attributes, NextHop};
use crate::evpn_route::EvpnTail;
use crate::family::Family;
use crate::nlri::{NlriList, PathId};
use crate::wire::attribute::multiprotocol::put_next_hop;
use crate::wire::attribute::{
    EXTENDED_LENGTH, List, OPTIONAL, Raw, TRANSITIVE, aggregator, as_path, code, put,
};
use crate::wire::header::{
    self, EXTENDED_MESSAGE_LEN_MAX, HEADER_LEN, Kind, MESSAGE_LEN_MAX, patch,
};
use crate::wire::nlri::WireNlri;

/// What a session negotiated, as far as writing its UPDATEs depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EncodeContext {
    /// The peer has four-octet AS numbers (RFC 6793).
    pub as4: bool,
    /// Messages may have up to 65535 octets (RFC 8654).
    pub extended_message: bool,
    /// Routes of the family go with a path identifier (RFC 7911).
    pub add_path: bool,
}

impl EncodeContext {
    fn message_len_max(&self) -> usize {
        if self.extended_message {
            EXTENDED_MESSAGE_LEN_MAX
        } else {
            MESSAGE_LEN_MAX
        }
    }
}

/// Why routes cannot be announced: they are to be withdrawn instead (RFC 4271 §9.2).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EncodeError {
    /// The attributes leave no room for a route.
    #[error(
        "the attributes take `{attributes}` octets and a route `{route}`, but a message has room \
         for `{room}`"
    )]
    TooLarge {
        /// Octets of the attributes.
        attributes: usize,
        /// Octets of the route that does not fit.
        route: usize,
        /// Octets a message has for both.
        room: usize,
    },
}

/// Appends UPDATEs that announce `routes` with `attributes` to `out`, and returns how many. The
/// length field of each says where it ends. On an error `out` is as it was.
pub fn encode_announce<'a, K: WireNlri>(
    attributes: impl Into<Announced<'a>>,
    routes: &[(PathId, K)],
    ctx: &EncodeContext,
    out: &mut BytesMut,
) -> Result<usize, EncodeError> {
    let before = out.len();
    let attributes = attributes.into();
    let narrowed;
    let wire = if ctx.as4 {
        attributes.wire
    } else {
        narrowed = narrow(attributes.wire);
        &narrowed
    };
    let tail = attributes.evpn.copied().unwrap_or_default();
    let packer = Packer { ctx, tail };
    let result = match (K::family(), attributes.next_hop) {
        (Family::Ipv4Unicast, NextHop::V4(next_hop)) => {
            packer.pack(&Ipv4Announce::new(wire, next_hop), routes, out)
        }
        (family, next_hop) => {
            let layout = Reach {
                family,
                next_hop,
                wire,
            };
            packer.pack(&layout, routes, out)
        }
    };
    result.inspect_err(|_| out.truncate(before))
}

/// [`encode_announce`] for a list of any family.
pub fn encode_announce_list(
    attributes: &Attributes,
    routes: &NlriList,
    ctx: &EncodeContext,
    out: &mut BytesMut,
) -> Result<usize, EncodeError> {
    match routes {
        NlriList::V4(list) => encode_announce(attributes, list, ctx, out),
        NlriList::V6(list) => encode_announce(attributes, list, ctx, out),
        NlriList::Evpn(list) => encode_announce(attributes, list, ctx, out),
    }
}

/// Appends UPDATEs that withdraw `routes` to `out`, and returns how many.
///
/// EVPN routes are withdrawn with labels and ESI of zero: they are not part of the key.
pub fn encode_withdraw<K: WireNlri>(
    routes: &[(PathId, K)],
    ctx: &EncodeContext,
    out: &mut BytesMut,
) -> usize {
    let tail = EvpnTail::default();
    let packer = Packer { ctx, tail };
    let result = match K::family() {
        Family::Ipv4Unicast => packer.pack(&Ipv4Withdraw, routes, out),
        family @ (Family::Ipv6Unicast | Family::Evpn) => {
            packer.pack(&Unreach { family }, routes, out)
        }
    };
    // A route has at most 261 octets and a message room for thousands.
    debug_assert!(result.is_ok());
    result.unwrap_or(0)
}

/// [`encode_withdraw`] for a list of any family.
pub fn encode_withdraw_list(routes: &NlriList, ctx: &EncodeContext, out: &mut BytesMut) -> usize {
    match routes {
        NlriList::V4(list) => encode_withdraw(list, ctx, out),
        NlriList::V6(list) => encode_withdraw(list, ctx, out),
        NlriList::Evpn(list) => encode_withdraw(list, ctx, out),
    }
}

/// Appends the End-of-RIB marker of a family (RFC 4724 §2).
pub fn encode_end_of_rib(family: Family, out: &mut BytesMut) {
    let at = header::start(out, Kind::Update);
    out.put_u16(0);
    match family {
        Family::Ipv4Unicast => out.put_u16(0),
        Family::Ipv6Unicast | Family::Evpn => {
            out.put_u16(6);
            out.put_slice(&[OPTIONAL, code::MP_UNREACH_NLRI, 3]);
            put_family(family, out);
        }
    }
    header::finish(out, at);
}

/// Where the routes stand in a message, and what stands around them.
trait Layout {
    /// Octets of the message beside header and routes.
    fn fixed_len(&self) -> usize;
    /// Writes what stands before the routes; returns where the lengths are that depend on them.
    fn open(&self, out: &mut BytesMut) -> usize;
    /// Writes what stands behind the routes and fills in the lengths.
    fn close(&self, at: usize, out: &mut BytesMut);
}

struct Packer<'a> {
    ctx: &'a EncodeContext,
    tail: EvpnTail,
}

impl Packer<'_> {
    fn pack<K: WireNlri>(
        &self,
        layout: &impl Layout,
        mut routes: &[(PathId, K)],
        out: &mut BytesMut,
    ) -> Result<usize, EncodeError> {
        let room = self.ctx.message_len_max() - HEADER_LEN;
        let fixed = layout.fixed_len();
        let mut messages = 0;
        while let Some((_, first)) = routes.first() {
            let at = header::start(out, Kind::Update);
            let lengths = layout.open(out);
            let rest = self.put_routes(routes, room.saturating_sub(fixed), out);
            if rest.len() == routes.len() {
                return Err(EncodeError::TooLarge {
                    attributes: fixed,
                    route: self.id_len() + first.wire_len(&self.tail),
                    room,
                });
            }
            routes = rest;
            layout.close(lengths, out);
            header::finish(out, at);
            messages += 1;
        }
        Ok(messages)
    }

    /// Writes the routes that fit and returns the others.
    fn put_routes<'a, K: WireNlri>(
        &self,
        mut routes: &'a [(PathId, K)],
        mut room: usize,
        out: &mut BytesMut,
    ) -> &'a [(PathId, K)] {
        while let Some(((id, key), rest)) = routes.split_first() {
            let Some(left) = room.checked_sub(self.id_len() + key.wire_len(&self.tail)) else {
                break;
            };
            if self.ctx.add_path {
                out.put_u32(*id);
            }
            key.put(&self.tail, out);
            (room, routes) = (left, rest);
        }
        routes
    }

    fn id_len(&self) -> usize {
        if self.ctx.add_path { 4 } else { 0 }
    }
}

/// IPv4 routes in the NLRI field.
struct Ipv4Announce<'a> {
    before: &'a [u8],
    next_hop: [u8; 7],
    behind: &'a [u8],
}

impl<'a> Ipv4Announce<'a> {
    /// NEXT_HOP stands between the attributes of lower and of higher type codes.
    fn new(wire: &'a [u8], next_hop: std::net::Ipv4Addr) -> Self {
        let split = List::new(wire)
            .take_while(|raw| raw.code < code::NEXT_HOP)
            .map(|raw| raw.wire_len())
            .sum();
        let (before, behind) = wire.split_at_checked(split).unwrap_or((wire, &[]));
        let [a, b, c, d] = next_hop.octets();
        Self {
            before,
            next_hop: [TRANSITIVE, code::NEXT_HOP, 4, a, b, c, d],
            behind,
        }
    }

    fn attributes_len(&self) -> usize {
        self.before.len() + self.next_hop.len() + self.behind.len()
    }
}

impl Layout for Ipv4Announce<'_> {
    fn fixed_len(&self) -> usize {
        4 + self.attributes_len()
    }

    fn open(&self, out: &mut BytesMut) -> usize {
        out.put_u16(0);
        out.put_u16(u16::try_from(self.attributes_len()).unwrap_or(u16::MAX));
        out.put_slice(self.before);
        out.put_slice(&self.next_hop);
        out.put_slice(self.behind);
        out.len()
    }

    fn close(&self, _: usize, _: &mut BytesMut) {}
}

/// Routes in MP_REACH_NLRI.
struct Reach<'a> {
    family: Family,
    next_hop: NextHop,
    wire: &'a [u8],
}

impl Layout for Reach<'_> {
    fn fixed_len(&self) -> usize {
        // Two length fields, the attribute's header, AFI, SAFI, next hop and a reserved octet.
        let mut next_hop = Vec::with_capacity(33);
        put_next_hop(self.next_hop, self.family, &mut next_hop);
        4 + 4 + 3 + next_hop.len() + 1 + self.wire.len()
    }

    fn open(&self, out: &mut BytesMut) -> usize {
        let at = open_multiprotocol(code::MP_REACH_NLRI, self.family, out);
        put_next_hop(self.next_hop, self.family, out);
        out.put_u8(0);
        at
    }

    fn close(&self, at: usize, out: &mut BytesMut) {
        close_multiprotocol(at, out);
        out.put_slice(self.wire);
        patch(out, at, length_since(at + 2, out));
    }
}

/// IPv4 routes in the withdrawn routes field.
struct Ipv4Withdraw;

impl Layout for Ipv4Withdraw {
    fn fixed_len(&self) -> usize {
        4
    }

    fn open(&self, out: &mut BytesMut) -> usize {
        out.put_u16(0);
        out.len() - 2
    }

    fn close(&self, at: usize, out: &mut BytesMut) {
        patch(out, at, length_since(at + 2, out));
        out.put_u16(0);
    }
}

/// Routes in MP_UNREACH_NLRI.
struct Unreach {
    family: Family,
}

impl Layout for Unreach {
    fn fixed_len(&self) -> usize {
        4 + 4 + 3
    }

    fn open(&self, out: &mut BytesMut) -> usize {
        open_multiprotocol(code::MP_UNREACH_NLRI, self.family, out)
    }

    fn close(&self, at: usize, out: &mut BytesMut) {
        close_multiprotocol(at, out);
        patch(out, at, length_since(at + 2, out));
    }
}

/// Writes everything up to the AFI and SAFI of a multiprotocol attribute that stands first;
/// returns where the total attribute length stands.
fn open_multiprotocol(code: u8, family: Family, out: &mut BytesMut) -> usize {
    out.put_u16(0);
    let at = out.len();
    out.put_u16(0);
    out.put_slice(&[OPTIONAL | EXTENDED_LENGTH, code, 0, 0]);
    put_family(family, out);
    at
}

/// Fills in the length of the multiprotocol attribute, which stands after the total length `at`.
fn close_multiprotocol(at: usize, out: &mut BytesMut) {
    patch(out, at + 4, length_since(at + 6, out));
}

fn length_since(at: usize, out: &BytesMut) -> u16 {
    u16::try_from(out.len() - at).unwrap_or(u16::MAX)
}

fn put_family(family: Family, out: &mut BytesMut) {
    out.put_u16(family.afi());
    out.put_u8(family.safi());
}

/// The attributes for a peer without four-octet AS numbers (RFC 6793 §4.2.2), in ascending order.
fn narrow(wire: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(wire.len());
    let mut as4_path = None;
    let mut as4_aggregator = None;
    for raw in List::new(wire) {
        if raw.code > code::AS4_AGGREGATOR {
            put_as4(&mut out, &mut as4_path, &mut as4_aggregator);
        }
        match (raw.code, <[u8; 8]>::try_from(raw.value)) {
            (code::AS_PATH, _) => {
                let (path, as4) = as_path::narrow(raw.value);
                as4_path = as4;
                put(&mut out, raw.flags, raw.code, &path);
            }
            (code::AGGREGATOR, Ok(value)) => {
                let (narrowed, lost) = aggregator::narrow(value);
                as4_aggregator = lost.then(|| value.to_vec());
                put(&mut out, raw.flags, raw.code, &narrowed);
            }
            _ => put(&mut out, raw.flags, raw.code, raw.value),
        }
    }
    put_as4(&mut out, &mut as4_path, &mut as4_aggregator);
    out
}

fn put_as4(out: &mut Vec<u8>, path: &mut Option<Vec<u8>>, aggregator: &mut Option<Vec<u8>>) {
    let both = [
        (code::AS4_PATH, path.take()),
        (code::AS4_AGGREGATOR, aggregator.take()),
    ];
    for (code, value) in both {
        if let Some(value) = value {
            put(out, OPTIONAL | TRANSITIVE, code, &value);
        }
    }
}

impl Raw<'_> {
    /// Octets of the attribute with its header.
    fn wire_len(&self) -> usize {
        let header = if self.flags & EXTENDED_LENGTH == 0 {
            3
        } else {
            4
        };
        header + self.value.len()
    }
}

#[cfg(test)]
mod tests;
