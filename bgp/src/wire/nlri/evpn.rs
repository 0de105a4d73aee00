//! EVPN routes (RFC 7432 §7, RFC 8365 §5.1.3, RFC 9136 §3.1).
//!
//! A route is decoded into its key and its tail. Route types without a name here are kept as
//! octets and do not disturb the others (RFC 7606 §5.4); a known type whose fields do not fit has
//! no key that could be withdrawn, so the whole attribute is in error.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bytes::{BufMut, BytesMut};

use crate::evpn_route::{Esi, EvpnKey, EvpnTail, MacAddress, RouteDistinguisher};
use crate::family::Family;
use crate::nlri::PathId;
use crate::prefix::Prefix;
use crate::wire::nlri::{EvpnFault, NlriFault, WireNlri, path_id};
use crate::wire::read::{Reader, Short};

/// The next route of an attribute.
pub(crate) fn decode(
    reader: &mut Reader<'_>,
    add_path: bool,
) -> Result<(PathId, EvpnKey, EvpnTail), NlriFault> {
    let id = path_id(reader, add_path)?;
    let route_type = reader.u8()?;
    let length = reader.u8()?;
    let mut route = reader.sub(length.into())?;
    let decoded = match route_type {
        1 => ethernet_ad(&mut route),
        2 => mac_ip(&mut route),
        3 => inclusive_multicast(&mut route),
        4 => ethernet_segment(&mut route),
        5 => ip_prefix(&mut route),
        _ => {
            let bytes = route.rest().into();
            let key = EvpnKey::Unknown { route_type, bytes };
            return Ok((id, key, EvpnTail::default()));
        }
    };
    let (field, value, expected) = match decoded {
        Ok((key, tail)) if route.is_empty() => return Ok((id, key, tail)),
        Ok(_) | Err(Misfit::Length) => ("the length", length, lengths(route_type)),
        Err(Misfit::Field {
            field,
            value,
            expected,
        }) => (field, value, expected),
    };
    Err(NlriFault::Evpn(EvpnFault {
        route_type,
        field,
        value,
        expected,
    }))
}

type Decoded = Result<(EvpnKey, EvpnTail), Misfit>;

/// What does not fit a route's type.
enum Misfit {
    /// Its fields take more octets than the route has.
    Length,
    /// The length of an address or prefix.
    Field {
        field: &'static str,
        value: u8,
        expected: &'static str,
    },
}

impl From<Short> for Misfit {
    fn from(_: Short) -> Self {
        Misfit::Length
    }
}

/// The lengths in octets that a route of this type may have: with each kind of address that stands in
/// it, and with one label or two.
fn lengths(route_type: u8) -> &'static str {
    match route_type {
        1 => "25",
        2 => "33, 36, 37, 40, 49 or 52, as its IP address and labels have it",
        3 => "17 or 29, as its address has it",
        4 => "23 or 35, as its address has it",
        _ => "34 or 58",
    }
}

/// RFC 7432 §7.1.
fn ethernet_ad(route: &mut Reader<'_>) -> Decoded {
    let key = EvpnKey::EthernetAd {
        rd: RouteDistinguisher(route.array()?),
        esi: Esi(route.array()?),
        tag: route.u32()?,
    };
    let tail = EvpnTail {
        label: label(route)?,
        ..EvpnTail::default()
    };
    Ok((key, tail))
}

/// RFC 7432 §7.2.
fn mac_ip(route: &mut Reader<'_>) -> Decoded {
    let rd = RouteDistinguisher(route.array()?);
    let esi = Esi(route.array()?);
    let tag = route.u32()?;
    let bits = route.u8()?;
    if bits != 48 {
        return Err(Misfit::Field {
            field: "the length of the MAC address",
            value: bits,
            expected: "48",
        });
    }
    let mac = MacAddress(route.array()?);
    let ip = match route.u8()? {
        0 => None,
        bits => {
            let ip = address(route, bits)?;
            Some(ip.ok_or(Misfit::Field {
                field: "the length of the IP address",
                value: bits,
                expected: "0, 32 or 128",
            })?)
        }
    };
    let label1 = label(route)?;
    let label2 = if route.is_empty() {
        None
    } else {
        Some(label(route)?)
    };
    let tail = EvpnTail {
        esi,
        label: label1,
        label2,
        gateway: None,
    };
    Ok((EvpnKey::MacIp { rd, tag, mac, ip }, tail))
}

/// RFC 7432 §7.3.
fn inclusive_multicast(route: &mut Reader<'_>) -> Decoded {
    let rd = RouteDistinguisher(route.array()?);
    let tag = route.u32()?;
    let originator = originator(route)?;
    let key = EvpnKey::InclusiveMulticast {
        rd,
        tag,
        originator,
    };
    Ok((key, EvpnTail::default()))
}

/// RFC 7432 §7.4.
fn ethernet_segment(route: &mut Reader<'_>) -> Decoded {
    let rd = RouteDistinguisher(route.array()?);
    let esi = Esi(route.array()?);
    let originator = originator(route)?;
    let key = EvpnKey::EthernetSegment {
        rd,
        esi,
        originator,
    };
    Ok((key, EvpnTail::default()))
}

/// RFC 9136 §3.1: 34 octets with IPv4, 58 with IPv6; prefix and gateway are of one version.
fn ip_prefix(route: &mut Reader<'_>) -> Decoded {
    let bits = match route.len() {
        34 => 32,
        58 => 128,
        _ => return Err(Misfit::Length),
    };
    let rd = RouteDistinguisher(route.array()?);
    let esi = Esi(route.array()?);
    let tag = route.u32()?;
    let length = route.u8()?;
    let prefix = address(route, bits)?.and_then(|address| Prefix::new(address, length));
    let prefix = prefix.ok_or(Misfit::Field {
        field: "the length of the prefix",
        value: length,
        expected: if bits == 32 { "0 to 32" } else { "0 to 128" },
    })?;
    let gateway = address(route, bits)?.filter(|gateway| !gateway.is_unspecified());
    let tail = EvpnTail {
        esi,
        label: label(route)?,
        label2: None,
        gateway,
    };
    Ok((EvpnKey::IpPrefix { rd, tag, prefix }, tail))
}

/// The originating router's address, behind its length.
fn originator(route: &mut Reader<'_>) -> Result<IpAddr, Misfit> {
    let bits = route.u8()?;
    address(route, bits)?.ok_or(Misfit::Field {
        field: "the length of the originating router's address",
        value: bits,
        expected: "32 or 128",
    })
}

/// `None` for a length that no address has.
fn address(route: &mut Reader<'_>, bits: u8) -> Result<Option<IpAddr>, Short> {
    Ok(match bits {
        32 => Some(Ipv4Addr::from(route.array::<4>()?).into()),
        128 => Some(Ipv6Addr::from(route.array::<16>()?).into()),
        _ => None,
    })
}

/// 24 bits as they stand: with VXLAN they are the VNI (RFC 8365 §5.1.3).
fn label(route: &mut Reader<'_>) -> Result<u32, Short> {
    let [a, b, c] = route.array()?;
    Ok(u32::from_be_bytes([0, a, b, c]))
}

/// Why a type 5 route must be withdrawn, if it must (RFC 9136 §3.1).
pub(crate) fn type5_fault(
    key: &EvpnKey,
    tail: &EvpnTail,
    router_mac: bool,
) -> Option<&'static str> {
    if key.route_type() != 5 {
        return None;
    }
    let (esi, gateway) = (tail.esi != Esi::default(), tail.gateway.is_some());
    if esi && gateway {
        return Some("has both an ESI and a gateway, but must have at most one");
    }
    (!esi && !gateway && tail.label == 0 && !router_mac)
        .then_some("has neither ESI, gateway, label nor router's MAC")
}

impl WireNlri for EvpnKey {
    fn family() -> Family {
        Family::Evpn
    }

    fn wire_len(&self, tail: &EvpnTail) -> usize {
        2 + body_len(self, tail)
    }

    fn put(&self, tail: &EvpnTail, out: &mut BytesMut) {
        put(self, tail, out);
    }
}

fn body_len(key: &EvpnKey, tail: &EvpnTail) -> usize {
    match key {
        EvpnKey::EthernetAd { .. } => 25,
        EvpnKey::MacIp { ip, .. } => {
            let second = if tail.label2.is_some() { 3 } else { 0 };
            33 + ip.as_ref().map_or(0, address_len) + second
        }
        EvpnKey::InclusiveMulticast { originator, .. } => 13 + address_len(originator),
        EvpnKey::EthernetSegment { originator, .. } => 19 + address_len(originator),
        EvpnKey::IpPrefix { prefix, .. } => 26 + 2 * address_len(&prefix.addr()),
        EvpnKey::Unknown { bytes, .. } => bytes.len().min(255),
    }
}

fn address_len(ip: &IpAddr) -> usize {
    if ip.is_ipv4() { 4 } else { 16 }
}

fn put(key: &EvpnKey, tail: &EvpnTail, out: &mut BytesMut) {
    out.put_u8(key.route_type());
    out.put_u8(u8::try_from(body_len(key, tail)).unwrap_or(u8::MAX));
    match key {
        EvpnKey::EthernetAd { rd, esi, tag } => {
            out.put_slice(&rd.0);
            out.put_slice(&esi.0);
            out.put_u32(*tag);
            put_label(tail.label, out);
        }
        EvpnKey::MacIp { rd, tag, mac, ip } => {
            out.put_slice(&rd.0);
            out.put_slice(&tail.esi.0);
            out.put_u32(*tag);
            out.put_u8(48);
            out.put_slice(&mac.0);
            match ip {
                Some(ip) => put_address(ip, out),
                None => out.put_u8(0),
            }
            put_label(tail.label, out);
            if let Some(label2) = tail.label2 {
                put_label(label2, out);
            }
        }
        EvpnKey::InclusiveMulticast {
            rd,
            tag,
            originator,
        } => {
            out.put_slice(&rd.0);
            out.put_u32(*tag);
            put_address(originator, out);
        }
        EvpnKey::EthernetSegment {
            rd,
            esi,
            originator,
        } => {
            out.put_slice(&rd.0);
            out.put_slice(&esi.0);
            put_address(originator, out);
        }
        EvpnKey::IpPrefix { rd, tag, prefix } => {
            out.put_slice(&rd.0);
            out.put_slice(&tail.esi.0);
            out.put_u32(*tag);
            out.put_u8(prefix.len());
            put_octets(&prefix.addr(), out);
            put_octets(&gateway(prefix, tail), out);
            put_label(tail.label, out);
        }
        EvpnKey::Unknown { bytes, .. } => out.put_slice(bytes.get(..255).unwrap_or(bytes)),
    }
}

/// The gateway in the prefix's IP version; one of the other version cannot be carried.
fn gateway(prefix: &Prefix, tail: &EvpnTail) -> IpAddr {
    match (prefix, tail.gateway) {
        (Prefix::V4(_), Some(gateway @ IpAddr::V4(_)))
        | (Prefix::V6(_), Some(gateway @ IpAddr::V6(_))) => gateway,
        (Prefix::V4(_), _) => Ipv4Addr::UNSPECIFIED.into(),
        (Prefix::V6(_), _) => Ipv6Addr::UNSPECIFIED.into(),
    }
}

/// Length in bits, then the address.
fn put_address(ip: &IpAddr, out: &mut BytesMut) {
    out.put_u8(if ip.is_ipv4() { 32 } else { 128 });
    put_octets(ip, out);
}

fn put_octets(ip: &IpAddr, out: &mut BytesMut) {
    match ip {
        IpAddr::V4(ip) => out.put_slice(&ip.octets()),
        IpAddr::V6(ip) => out.put_slice(&ip.octets()),
    }
}

fn put_label(label: u32, out: &mut BytesMut) {
    let [_, a, b, c] = label.to_be_bytes();
    out.put_slice(&[a, b, c]);
}

#[cfg(test)]
mod tests;
