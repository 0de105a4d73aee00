//! IPv4 unicast prefixes (RFC 4271 §4.3).

use bytes::{BufMut, BytesMut};

use crate::evpn_route::EvpnTail;
use crate::family::Family;
use crate::nlri::List4;
use crate::prefix::Prefix4;
use crate::wire::nlri::{NlriFault, WireNlri, count_prefixes, octets_of, path_id};
use crate::wire::read::Reader;

/// The routes of a field. Bits beyond the prefix length are of no consequence (RFC 4271 §4.3).
pub(crate) fn decode(mut reader: Reader<'_>, add_path: bool) -> Result<List4, NlriFault> {
    let mut routes = List4::with_capacity(count_prefixes(reader, add_path));
    while !reader.is_empty() {
        let id = path_id(&mut reader, add_path)?;
        let len = reader.u8()?;
        routes.push((id, prefix(&mut reader, len)?));
    }
    Ok(routes)
}

/// The octets of a prefix of `len` bits.
fn prefix(reader: &mut Reader<'_>, len: u8) -> Result<Prefix4, NlriFault> {
    if len > 32 {
        return Err(NlriFault::PrefixLength(len));
    }
    let octets = reader.take(octets_of(len))?;
    let bits = match *octets {
        [a, b, c] => u32::from_be_bytes([a, b, c, 0]),
        [a, b] => u32::from_be_bytes([a, b, 0, 0]),
        [a] => u32::from_be_bytes([a, 0, 0, 0]),
        [a, b, c, d] => u32::from_be_bytes([a, b, c, d]),
        _ => 0,
    };
    Prefix4::from_bits(bits, len).ok_or(NlriFault::PrefixLength(len))
}

impl WireNlri for Prefix4 {
    fn family() -> Family {
        Family::Ipv4Unicast
    }

    fn wire_len(&self, _: &EvpnTail) -> usize {
        1 + octets_of(self.len())
    }

    fn put(&self, _: &EvpnTail, out: &mut BytesMut) {
        out.put_u8(self.len());
        let octets = self.bits().to_be_bytes();
        out.put_slice(octets.get(..octets_of(self.len())).unwrap_or(&octets));
    }
}
