//! The decoded values of a closed set: what the decision compares, so that it never parses.

use crate::asn::Asn;
use crate::attributes::Origin;
use crate::community::Community;
use crate::wire::attribute::as_path::Segments;
use crate::wire::attribute::{List, Raw, code, communities};

/// The bit of an AS number in [`Header::path_asns`].
pub(super) fn asn_bit(asn: Asn) -> u32 {
    1 << (asn.0.wrapping_mul(0x9e37_79b9) >> 27)
}

/// The decoded values, 28 octets.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Header {
    pub(super) local_pref: u32,
    pub(super) med: u32,
    pub(super) first_as: Asn,
    pub(super) originator_id: u32,
    /// The bits of all AS numbers in the path. Every route that comes in is searched for our own,
    /// and whoever decides has the octets far away in memory (4 % of ten neighbours' tables).
    pub(super) path_asns: u32,
    pub(super) as_path_length: u16,
    pub(super) cluster_length: u16,
    pub(super) marks: u16,
    pub(super) origin: Origin,
    // Octets of Notes stand behind the canonical ones.
    pub(super) noted: bool,
}

impl Header {
    pub(super) fn read(wire: &[u8]) -> Self {
        let mut header = Self::default();
        for raw in List::new(wire) {
            header.read_one(&raw);
        }
        header
    }

    fn read_one(&mut self, raw: &Raw<'_>) {
        match raw.code {
            code::ORIGIN => {
                let value = raw.value.first().copied();
                self.origin = value.and_then(Origin::from_code).unwrap_or_default();
            }
            code::AS_PATH => {
                let mut length = 0;
                let mut leftmost = None;
                for segment in Segments::new(raw.value) {
                    let asns = segment.asns();
                    length += segment.kind.weight(asns.len());
                    if leftmost.is_none() && !segment.kind.is_confederation() {
                        leftmost = Some(segment);
                    }
                    let bits = asns.fold(0, |bits, asn| bits | asn_bit(asn));
                    self.path_asns |= bits;
                }
                self.as_path_length = u16::try_from(length).unwrap_or(u16::MAX);
                let sequence = leftmost.filter(|segment| segment.kind.is_ordered());
                let first = sequence.and_then(|segment| segment.asns().next());
                self.first_as = first.unwrap_or_default();
            }
            code::MULTI_EXIT_DISC => {
                self.med = number(raw.value);
                self.marks |= Mark::MED;
            }
            code::LOCAL_PREF => {
                self.local_pref = number(raw.value);
                self.marks |= Mark::LOCAL_PREF;
            }
            code::ORIGINATOR_ID => {
                self.originator_id = number(raw.value);
                self.marks |= Mark::ORIGINATOR_ID;
            }
            code::AIGP => self.marks |= Mark::AIGP,
            code::CLUSTER_LIST => {
                self.cluster_length = u16::try_from(raw.value.len() / 4).unwrap_or(u16::MAX);
            }
            code::COMMUNITIES => {
                self.marks |= communities::communities(raw.value)
                    .fold(Mark::COMMUNITIES, |marks, one| marks | Mark::of(one));
            }
            _ => {}
        }
    }
}

pub(super) fn number(value: &[u8]) -> u32 {
    value
        .first_chunk()
        .map_or(0, |octets| u32::from_be_bytes(*octets))
}

/// Bits of [`Header::marks`].
pub(super) struct Mark;

impl Mark {
    pub(super) const LOCAL_PREF: u16 = 1;
    pub(super) const MED: u16 = 1 << 1;
    pub(super) const ORIGINATOR_ID: u16 = 1 << 2;
    pub(super) const COMMUNITIES: u16 = 1 << 3;
    pub(super) const GRACEFUL_SHUTDOWN: u16 = 1 << 4;
    pub(super) const BLACKHOLE: u16 = 1 << 5;
    pub(super) const NO_EXPORT: u16 = 1 << 6;
    pub(super) const NO_ADVERTISE: u16 = 1 << 7;
    pub(super) const NO_EXPORT_SUBCONFED: u16 = 1 << 8;
    pub(super) const LLGR_STALE: u16 = 1 << 9;
    pub(super) const NO_LLGR: u16 = 1 << 10;
    pub(super) const AIGP: u16 = 1 << 11;

    fn of(community: Community) -> u16 {
        match community {
            Community::GRACEFUL_SHUTDOWN => Mark::GRACEFUL_SHUTDOWN,
            Community::BLACKHOLE => Mark::BLACKHOLE,
            Community::NO_EXPORT => Mark::NO_EXPORT,
            Community::NO_ADVERTISE => Mark::NO_ADVERTISE,
            Community::NO_EXPORT_SUBCONFED => Mark::NO_EXPORT_SUBCONFED,
            Community::LLGR_STALE => Mark::LLGR_STALE,
            Community::NO_LLGR => Mark::NO_LLGR,
            _ => 0,
        }
    }
}
