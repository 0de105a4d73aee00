//! From the open form to canonical octets, and back.

use std::net::Ipv4Addr;

use crate::asn::Asn;
use crate::attributes::header::number;
use crate::attributes::{AttributeSet, Origin, Partial, UnknownAttribute};
use crate::wire::attribute::as_path::{self, Segments};
use crate::wire::attribute::{
    self, OPTIONAL, PARTIAL, Raw, TRANSITIVE, aggregator, code, communities, pmsi_tunnel,
};

/// The canonical octets of an open set.
pub(super) fn canonical(set: &AttributeSet) -> Vec<u8> {
    let mut writer = Writer::new(set);
    writer.add(code::ORIGIN, &[set.origin.code()]);
    let mut path = Vec::with_capacity(32);
    as_path::encode(&set.as_path, &mut path);
    writer.add(code::AS_PATH, &path);
    writer.add_number(code::MULTI_EXIT_DISC, set.med);
    writer.add_number(code::LOCAL_PREF, set.local_pref);
    if set.atomic_aggregate {
        writer.add(code::ATOMIC_AGGREGATE, &[]);
    }
    if let Some(value) = &set.aggregator {
        writer.add(code::AGGREGATOR, &aggregator::encode(value));
    }
    let entries = set.communities.iter().map(|one| one.0.to_be_bytes());
    writer.add_sorted(code::COMMUNITIES, entries.collect());
    writer.add_number(code::ORIGINATOR_ID, set.originator_id.map(u32::from));
    let clusters = set.cluster_list.iter().map(Ipv4Addr::octets);
    writer.add_list(code::CLUSTER_LIST, clusters.collect());
    let entries = set.extended_communities.iter().map(|one| one.0);
    writer.add_sorted(code::EXTENDED_COMMUNITIES, entries.collect());
    if let Some(tunnel) = &set.pmsi_tunnel {
        writer.add(code::PMSI_TUNNEL, &pmsi_tunnel::encode(tunnel));
    }
    if !set.aigp.is_empty() {
        writer.add(code::AIGP, &set.aigp);
    }
    let entries = set.large_communities.iter();
    let entries = entries.map(communities::encode_large);
    writer.add_sorted(code::LARGE_COMMUNITIES, entries.collect());
    writer.add_number(
        code::ONLY_TO_CUSTOMER,
        set.only_to_customer.map(|asn| asn.0),
    );
    writer.finish()
}

/// Writes known attributes in ascending order, the unknown ones between them.
struct Writer<'a> {
    out: Vec<u8>,
    partial: Partial,
    // The lowest code last.
    unknown: Vec<&'a UnknownAttribute>,
}

impl<'a> Writer<'a> {
    fn new(set: &'a AttributeSet) -> Self {
        let passes = |one: &&UnknownAttribute| {
            one.flags & (OPTIONAL | TRANSITIVE) == OPTIONAL | TRANSITIVE
                && attribute::known_flags(one.code).is_none()
        };
        let mut unknown: Vec<_> = set.unknown.iter().filter(passes).collect();
        // Stable: of two with one code the first counts.
        unknown.sort_by_key(|one| one.code);
        unknown.dedup_by_key(|one| one.code);
        unknown.reverse();
        Self {
            out: Vec::with_capacity(128),
            partial: set.partial,
            unknown,
        }
    }

    fn add(&mut self, code: u8, value: &[u8]) {
        self.add_unknown_below(code);
        let known = attribute::known_flags(code).unwrap_or_default();
        let may_be_partial = known == OPTIONAL | TRANSITIVE;
        let flags = if may_be_partial && self.partial.contains(code) {
            known | PARTIAL
        } else {
            known
        };
        attribute::put(&mut self.out, flags, code, value);
    }

    fn add_number(&mut self, code: u8, value: Option<u32>) {
        if let Some(value) = value {
            self.add(code, &value.to_be_bytes());
        }
    }

    fn add_sorted<const N: usize>(&mut self, code: u8, mut entries: Vec<[u8; N]>) {
        entries.sort_unstable();
        entries.dedup();
        self.add_list(code, entries);
    }

    fn add_list<const N: usize>(&mut self, code: u8, mut entries: Vec<[u8; N]>) {
        entries.truncate(usize::from(u16::MAX) / N);
        if !entries.is_empty() {
            self.add(code, entries.as_flattened());
        }
    }

    fn add_unknown_below(&mut self, code: u8) {
        while let Some(next) = self.unknown.pop_if(|next| next.code < code) {
            self.put_unknown(next);
        }
    }

    fn put_unknown(&mut self, unknown: &UnknownAttribute) {
        let flags = unknown.flags & (OPTIONAL | TRANSITIVE | PARTIAL);
        let bytes = unknown.bytes.get(..usize::from(u16::MAX));
        let bytes = bytes.unwrap_or(&unknown.bytes);
        attribute::put(&mut self.out, flags, unknown.code, bytes);
    }

    fn finish(mut self) -> Vec<u8> {
        while let Some(next) = self.unknown.pop() {
            self.put_unknown(next);
        }
        self.out
    }
}

/// Puts one canonical attribute into the open form.
pub(super) fn thaw_one(set: &mut AttributeSet, raw: &Raw<'_>) {
    if raw.flags & PARTIAL != 0 && attribute::known_flags(raw.code).is_some() {
        set.partial.insert(raw.code);
    }
    match raw.code {
        code::ORIGIN => {
            let value = raw.value.first().copied();
            set.origin = value.and_then(Origin::from_code).unwrap_or_default();
        }
        code::AS_PATH => {
            let segments = Segments::new(raw.value);
            set.as_path = segments.map(|segment| segment.to_segment()).collect();
        }
        code::MULTI_EXIT_DISC => set.med = Some(number(raw.value)),
        code::LOCAL_PREF => set.local_pref = Some(number(raw.value)),
        code::ATOMIC_AGGREGATE => set.atomic_aggregate = true,
        code::AGGREGATOR => set.aggregator = aggregator::decode(raw, true).ok(),
        code::COMMUNITIES => set.communities = communities::communities(raw.value).collect(),
        code::ORIGINATOR_ID => set.originator_id = Some(Ipv4Addr::from(number(raw.value))),
        code::CLUSTER_LIST => {
            let (entries, _) = raw.value.as_chunks::<4>();
            set.cluster_list = entries.iter().map(|one| Ipv4Addr::from(*one)).collect();
        }
        code::EXTENDED_COMMUNITIES => {
            set.extended_communities = communities::extended(raw.value).collect();
        }
        code::PMSI_TUNNEL => set.pmsi_tunnel = pmsi_tunnel::decode(raw).ok(),
        code::LARGE_COMMUNITIES => {
            set.large_communities = communities::large(raw.value).collect();
        }
        code::AIGP => set.aigp = raw.value.to_vec(),
        code::ONLY_TO_CUSTOMER => set.only_to_customer = Some(Asn(number(raw.value))),
        code => set.unknown.push(UnknownAttribute {
            flags: raw.flags & !attribute::EXTENDED_LENGTH,
            code,
            bytes: raw.value.into(),
        }),
    }
}
