//! Lists of communities: standard (RFC 1997), extended (RFC 4360), large (RFC 8092), and
//! CLUSTER_LIST (RFC 4456 §8), whose order has a meaning and stays.
//!
//! The canonical form is sorted and without duplicates: none of the documents gives the order a
//! meaning, and RFC 8092 §5 asks receivers to remove duplicates. Lists that arrive so are copied.

use smallvec::SmallVec;

use crate::attributes::Canonical;
use crate::community::{Community, ExtendedCommunity, LargeCommunity};
use crate::wire::attribute::Raw;
use crate::wire::error::UpdateError;

/// RFC 7606 §7.8: a non-zero multiple of 4.
pub(crate) fn check_communities(raw: &Raw<'_>) -> Result<(), UpdateError> {
    raw.list_of(4, "a non-zero multiple of 4")
}

/// RFC 7606 §7.14: a non-zero multiple of 8.
pub(crate) fn check_extended(raw: &Raw<'_>) -> Result<(), UpdateError> {
    raw.list_of(8, "a non-zero multiple of 8")
}

/// RFC 8092 §5: a non-zero multiple of 12.
pub(crate) fn check_large(raw: &Raw<'_>) -> Result<(), UpdateError> {
    raw.list_of(12, "a non-zero multiple of 12")
}

/// What puts the entries of `N` octets in order; `None` for a value that is in order.
pub(crate) fn sorting<const N: usize>(value: &[u8]) -> Option<fn(&[u8]) -> Canonical> {
    let (entries, _) = value.as_chunks::<N>();
    let is_sorted = entries.is_sorted_by(|one, two| one < two);
    (!is_sorted).then_some(sorted::<N>)
}

/// The entries of `N` octets in ascending order, each once.
fn sorted<const N: usize>(value: &[u8]) -> Canonical {
    let (entries, _) = value.as_chunks::<N>();
    let mut entries = SmallVec::<[[u8; N]; 16]>::from_slice(entries);
    entries.sort_unstable();
    entries.dedup();
    Canonical::from_slice(entries.as_flattened())
}

/// Standard communities of a value.
pub(crate) fn communities(value: &[u8]) -> impl Iterator<Item = Community> + Clone + '_ {
    let (entries, _) = value.as_chunks();
    entries
        .iter()
        .map(|octets| Community(u32::from_be_bytes(*octets)))
}

/// Extended communities of a value.
pub(crate) fn extended(value: &[u8]) -> impl Iterator<Item = ExtendedCommunity> + Clone + '_ {
    let (entries, _) = value.as_chunks();
    entries.iter().map(|octets| ExtendedCommunity(*octets))
}

/// Large communities of a value.
pub(crate) fn large(value: &[u8]) -> impl Iterator<Item = LargeCommunity> + Clone + '_ {
    let (entries, _) = value.as_chunks::<12>();
    entries.iter().map(|octets| {
        let [a, b, c, d, e, f, g, h, i, j, k, l] = *octets;
        LargeCommunity {
            global: u32::from_be_bytes([a, b, c, d]),
            local1: u32::from_be_bytes([e, f, g, h]),
            local2: u32::from_be_bytes([i, j, k, l]),
        }
    })
}

pub(crate) fn encode_large(community: &LargeCommunity) -> [u8; 12] {
    let [a, b, c, d] = community.global.to_be_bytes();
    let [e, f, g, h] = community.local1.to_be_bytes();
    let [i, j, k, l] = community.local2.to_be_bytes();
    [a, b, c, d, e, f, g, h, i, j, k, l]
}
