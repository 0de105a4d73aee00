//! IPv6 unicast prefixes (RFC 2545, RFC 4760 §5).

use std::net::Ipv6Addr;

use bytes::{BufMut, BytesMut};

use crate::evpn_route::EvpnTail;
use crate::family::Family;
use crate::nlri::PathId;
use crate::prefix::Prefix6;
use crate::wire::nlri::{NlriFault, WireNlri, count_prefixes, octets_of, path_id};
use crate::wire::read::Reader;

/// The routes of an attribute. Bits beyond the prefix length are of no consequence.
pub(crate) fn decode(
    mut reader: Reader<'_>,
    add_path: bool,
) -> Result<Vec<(PathId, Prefix6)>, NlriFault> {
    let mut routes = Vec::with_capacity(count_prefixes(reader, add_path));
    while !reader.is_empty() {
        let id = path_id(&mut reader, add_path)?;
        let len = reader.u8()?;
        routes.push((id, prefix(&mut reader, len)?));
    }
    Ok(routes)
}

/// The octets of a prefix of `len` bits.
fn prefix(reader: &mut Reader<'_>, len: u8) -> Result<Prefix6, NlriFault> {
    if len > 128 {
        return Err(NlriFault::PrefixLength(len));
    }
    let given = reader.take(octets_of(len))?;
    let mut octets = [0; 16];
    for (octet, given) in octets.iter_mut().zip(given) {
        *octet = *given;
    }
    Prefix6::new(Ipv6Addr::from(octets), len).ok_or(NlriFault::PrefixLength(len))
}

impl WireNlri for Prefix6 {
    fn family() -> Family {
        Family::Ipv6Unicast
    }

    fn wire_len(&self, _: &EvpnTail) -> usize {
        1 + octets_of(self.len())
    }

    fn put(&self, _: &EvpnTail, out: &mut BytesMut) {
        out.put_u8(self.len());
        let octets = self.octets();
        out.put_slice(octets.get(..octets_of(self.len())).unwrap_or(&octets));
    }
}
