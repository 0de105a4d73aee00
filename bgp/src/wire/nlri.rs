//! Routes on the wire, one file per family, with the path identifier of RFC 7911 §3 before each
//! where add-path was negotiated.

pub(crate) mod evpn;
pub(crate) mod ipv4;
pub(crate) mod ipv6;

use bytes::BytesMut;

use crate::evpn_route::EvpnTail;
use crate::family::Family;
use crate::nlri::PathId;
use crate::wire::read::{Reader, Short};

/// The key of a family's table, as UPDATEs carry it.
pub trait WireNlri {
    /// The family of the key.
    fn family() -> Family;

    /// Octets the key takes with `tail`, path identifier not included.
    fn wire_len(&self, tail: &EvpnTail) -> usize;

    /// Appends the key. `tail` completes an EVPN route and is not looked at otherwise.
    fn put(&self, tail: &EvpnTail, out: &mut BytesMut);
}

impl<K: WireNlri> WireNlri for &K {
    fn family() -> Family {
        K::family()
    }

    fn wire_len(&self, tail: &EvpnTail) -> usize {
        (**self).wire_len(tail)
    }

    fn put(&self, tail: &EvpnTail, out: &mut BytesMut) {
        (**self).put(tail, out);
    }
}

/// Reads the path identifier, if there is one.
fn path_id(reader: &mut Reader<'_>, add_path: bool) -> Result<PathId, Short> {
    if add_path { reader.u32() } else { Ok(0) }
}

/// Octets of a prefix of `len` bits.
fn octets_of(len: u8) -> usize {
    usize::from(len.div_ceil(8))
}

/// Number of prefixes in octets, to take the memory for them at once. Each takes at least one
/// octet, so this is bounded by the length.
fn count_prefixes(mut reader: Reader<'_>, add_path: bool) -> usize {
    let mut count = 0;
    while path_id(&mut reader, add_path).is_ok()
        && let Ok(len) = reader.u8()
        && reader.take(octets_of(len)).is_ok()
    {
        count += 1;
    }
    count
}

/// What is wrong with a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NlriFault {
    /// It needs more octets than there are.
    #[error("it runs past the end of its field")]
    Overrun,
    /// The prefix is longer than the address.
    #[error("its prefix length is `{0}`, which is more than the address has")]
    PrefixLength(u8),
    /// A known EVPN route type with a field that does not fit it.
    #[error(transparent)]
    Evpn(#[from] EvpnFault),
}

/// A length that an EVPN route of its type does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{field} of the EVPN type `{route_type}` route is `{value}`, but must be {expected}")]
pub struct EvpnFault {
    /// Type of the route.
    pub route_type: u8,
    /// Which length: in octets that of the route, in bits that of an address or prefix.
    pub field: &'static str,
    /// Its value.
    pub value: u8,
    /// What it must be.
    pub expected: &'static str,
}

impl From<Short> for NlriFault {
    fn from(_: Short) -> Self {
        NlriFault::Overrun
    }
}
