//! AGGREGATOR (RFC 4271 §5.1.7) and AS4_AGGREGATOR (RFC 6793 §3).

use std::net::Ipv4Addr;

use crate::asn::Asn;
use crate::attributes::Aggregator;
use crate::wire::attribute::Raw;
use crate::wire::error::UpdateError;
use crate::wire::read::Reader;

/// RFC 7606 §7.7: length 8 with four-octet numbers, else 6.
pub(crate) fn decode(raw: &Raw<'_>, as4: bool) -> Result<Aggregator, UpdateError> {
    let mut reader = Reader::new(raw.value);
    let expected = if as4 { "8" } else { "6" };
    let length = |_| raw.length_error(expected);
    let asn = if as4 {
        reader.u32().map_err(length)?
    } else {
        reader.u16().map_err(length)?.into()
    };
    let router_id = Ipv4Addr::from(reader.u32().map_err(length)?);
    if !reader.is_empty() {
        return Err(raw.length_error(expected));
    }
    // RFC 7607 §2: AS 0 makes the attribute malformed.
    if asn == 0 {
        return Err(UpdateError::ZeroAs { code: raw.code });
    }
    Ok(Aggregator {
        asn: Asn(asn),
        router_id,
    })
}

/// The value with a four-octet number.
pub(crate) fn encode(aggregator: &Aggregator) -> [u8; 8] {
    let [a, b, c, d] = aggregator.asn.0.to_be_bytes();
    let [e, f, g, h] = aggregator.router_id.octets();
    [a, b, c, d, e, f, g, h]
}

/// The value for a peer without four-octet numbers, and whether AS4_AGGREGATOR must go with it.
pub(crate) fn narrow(value: [u8; 8]) -> ([u8; 6], bool) {
    let [a, b, c, d, router_id @ ..] = value;
    let asn = Asn(u32::from_be_bytes([a, b, c, d]));
    let [x, y] = asn.two_octet().to_be_bytes();
    let [e, f, g, h] = router_id;
    ([x, y, e, f, g, h], u16::try_from(asn.0).is_err())
}
