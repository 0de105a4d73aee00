//! PMSI tunnel (RFC 6514 §5), which EVPN type 3 routes carry (RFC 7432 §11).

use crate::attributes::PmsiTunnel;
use crate::wire::attribute::Raw;
use crate::wire::error::UpdateError;
use crate::wire::read::{Reader, Short};

/// RFC 6514 §5: a malformed attribute withdraws the routes. Only ingress replication has an
/// identifier whose length is known: an address.
pub(crate) fn decode(raw: &Raw<'_>) -> Result<PmsiTunnel, UpdateError> {
    let tunnel = read(raw.value).map_err(|_| raw.length_error("at least 5"))?;
    let length = tunnel.identifier.len();
    if tunnel.tunnel_type == INGRESS_REPLICATION && !matches!(length, 4 | 16) {
        return Err(raw.length_error("9 or 21 with ingress replication"));
    }
    Ok(tunnel)
}

fn read(value: &[u8]) -> Result<PmsiTunnel, Short> {
    let mut reader = Reader::new(value);
    let flags = reader.u8()?;
    let tunnel_type = reader.u8()?;
    let [a, b, c] = reader.array()?;
    Ok(PmsiTunnel {
        flags,
        tunnel_type,
        label: u32::from_be_bytes([0, a, b, c]),
        identifier: reader.rest().into(),
    })
}

pub(crate) fn encode(tunnel: &PmsiTunnel) -> Vec<u8> {
    let [_, a, b, c] = tunnel.label.to_be_bytes();
    let mut value = vec![tunnel.flags, tunnel.tunnel_type, a, b, c];
    value.extend(tunnel.identifier.iter().take(65_530));
    value
}

/// Tunnel type of RFC 6514 §5.
const INGRESS_REPLICATION: u8 = 6;
