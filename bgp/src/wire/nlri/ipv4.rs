//! IPv4 unicast prefixes (RFC 4271 §4.3).

use bytes::{BufMut, BytesMut};

use crate::evpn_route::EvpnTail;
use crate::family::Family;
use crate::nlri::List4;
use crate::prefix::Prefix4;
use crate::wire::nlri::{NlriFault, WireNlri, count_prefixes, octets_of, path_id};
use crate::wire::read::Reader;

/// Adds the routes of a field. Bits beyond the prefix length are of no consequence (RFC 4271 §4.3).
pub(crate) fn decode(
    mut reader: Reader<'_>,
    add_path: bool,
    routes: &mut List4,
) -> Result<(), NlriFault> {
    // Few octets have no more routes than the list has room for: they need no count.
    if reader.len() > 5 * routes.inline_size() {
        routes.reserve_exact(count_prefixes(reader, add_path));
    }
    while !reader.is_empty() {
        let id = path_id(&mut reader, add_path)?;
        let len = reader.u8()?;
        routes.push((id, prefix(&mut reader, len)?));
    }
    Ok(())
}

/// The octets of a prefix of `len` bits.
fn prefix(reader: &mut Reader<'_>, len: u8) -> Result<Prefix4, NlriFault> {
    if len > 32 {
        return Err(NlriFault::PrefixLength(len));
    }
    // Four octets where there are as many: those behind the prefix go with the host bits.
    let ahead = reader.rest().first_chunk().copied();
    let octets = reader.take(octets_of(len))?;
    let bits = u32::from_be_bytes(ahead.unwrap_or_else(|| {
        let mut whole = [0; 4];
        whole
            .iter_mut()
            .zip(octets)
            .for_each(|(to, from)| *to = *from);
        whole
    }));
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
