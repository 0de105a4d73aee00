//! MP_REACH_NLRI and MP_UNREACH_NLRI (RFC 4760 §3, §4) around the routes, and the next hops of
//! the families in them (RFC 2545 §3, RFC 7432, RFC 8950 §3).

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::attributes::NextHop;
use crate::family::Family;
use crate::wire::Context;
use crate::wire::error::UpdateError;
use crate::wire::read::{Reader, Short};

/// MP_REACH_NLRI before its next hop and routes are read.
pub(crate) struct Reach<'a> {
    pub(crate) afi: u16,
    pub(crate) safi: u8,
    pub(crate) next_hop: &'a [u8],
    pub(crate) routes: Reader<'a>,
}

impl<'a> Reach<'a> {
    pub(crate) fn decode(value: &'a [u8]) -> Result<Self, Short> {
        let mut reader = Reader::new(value);
        let afi = reader.u16()?;
        let safi = reader.u8()?;
        let length = reader.u8()?;
        let next_hop = reader.take(length.into())?;
        let _reserved = reader.u8()?;
        Ok(Self {
            afi,
            safi,
            next_hop,
            routes: reader,
        })
    }
}

/// MP_UNREACH_NLRI before its routes are read.
pub(crate) struct Unreach<'a> {
    pub(crate) afi: u16,
    pub(crate) safi: u8,
    pub(crate) routes: Reader<'a>,
}

impl<'a> Unreach<'a> {
    pub(crate) fn decode(value: &'a [u8]) -> Result<Self, Short> {
        let mut reader = Reader::new(value);
        Ok(Self {
            afi: reader.u16()?,
            safi: reader.u8()?,
            routes: reader,
        })
    }
}

/// The next hop of a family; an error when the length is none the family allows
/// (RFC 7606 §7.11).
pub(crate) fn next_hop(
    octets: &[u8],
    family: Family,
    ctx: &Context,
) -> Result<NextHop, UpdateError> {
    let v6_allowed = family != Family::Ipv4Unicast || ctx.extended_next_hop;
    let v4_allowed = family != Family::Ipv6Unicast;
    let mut reader = Reader::new(octets);
    let read = match octets.len() {
        4 if v4_allowed => reader.u32().map(|bits| NextHop::V4(Ipv4Addr::from(bits))),
        16 if v6_allowed => reader
            .array()
            .map(|octets| NextHop::V6(Ipv6Addr::from(octets))),
        32 if v6_allowed => pair(&mut reader),
        _ => Err(Short),
    };
    read.map_err(|_| UpdateError::NextHopLength {
        family,
        length: octets.len(),
    })
}

/// RFC 2545 §3: a global address followed by a link-local one. A second part that is no
/// link-local address says nothing; a first part of zero leaves the second.
fn pair(reader: &mut Reader<'_>) -> Result<NextHop, Short> {
    let global = Ipv6Addr::from(reader.array::<16>()?);
    let link_local = Ipv6Addr::from(reader.array::<16>()?);
    Ok(
        match (global.is_unspecified(), link_local.is_unicast_link_local()) {
            (true, true) => NextHop::V6(link_local),
            (false, true) => NextHop::V6LinkLocal { global, link_local },
            (_, false) => NextHop::V6(global),
        },
    )
}

/// Appends the length and the octets of a next hop as the family writes it.
pub(crate) fn put_next_hop(next_hop: NextHop, family: Family, out: &mut impl bytes::BufMut) {
    match (next_hop, family) {
        // There is no other form for an IPv6 route (RFC 2545 §3).
        (NextHop::V4(addr), Family::Ipv6Unicast) => {
            out.put_u8(16);
            out.put_slice(&addr.to_ipv6_mapped().octets());
        }
        (NextHop::V4(addr), Family::Ipv4Unicast | Family::Evpn) => {
            out.put_u8(4);
            out.put_slice(&addr.octets());
        }
        (NextHop::V6(addr) | NextHop::V6LinkLocal { global: addr, .. }, Family::Evpn)
        | (NextHop::V6(addr), Family::Ipv4Unicast | Family::Ipv6Unicast) => {
            out.put_u8(16);
            out.put_slice(&addr.octets());
        }
        (
            NextHop::V6LinkLocal { global, link_local },
            Family::Ipv4Unicast | Family::Ipv6Unicast,
        ) => {
            out.put_u8(32);
            out.put_slice(&global.octets());
            out.put_slice(&link_local.octets());
        }
    }
}
