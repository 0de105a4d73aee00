//! Attributes on their way to a neighbour.
//!
//! What a neighbour is told differs from what the table keeps in few places, and most sets go out
//! as policy left them. So the change is made from canonical octets to canonical octets, without
//! the open form between: a million routes cost a tenth less. [`Outgoing`] is only good for
//! writing messages; [`Outgoing::attributes`] makes of it what can be looked at.

use std::net::Ipv4Addr;

use crate::asn::Asn;
use crate::attributes::closed::Closed;
use crate::attributes::{Attributes, NextHop, SegmentKind};
use crate::community::ExtendedCommunity;
use crate::evpn_route::EvpnTail;
use crate::wire::attribute::{self, List, Raw, as_path, code};

/// What changes on the way to a neighbour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Departure {
    /// To another AS.
    External(External),
    /// To another member AS of the confederation.
    Member(Member),
    /// Within the AS.
    Internal(Internal),
}

/// To another AS: confederation segments, LOCAL_PREF, ORIGINATOR_ID, CLUSTER_LIST and what else stays within an AS go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct External {
    /// Own AS, put in front of the path.
    pub(crate) asn: Asn,
    /// What changes in the path itself, before.
    pub(crate) change: Option<PathChange>,
    /// Put there before, when the first is ours on this session only.
    pub(crate) behind: Option<Asn>,
    /// How often; at most 254.
    pub(crate) prepend: usize,
    /// MULTI_EXIT_DISC goes too.
    pub(crate) drop_med: bool,
    /// Extended communities that stay within an AS go too (RFC 4360 §3).
    pub(crate) drop_scoped: bool,
    /// Only-to-customer mark; only where there is none (RFC 9234 §5).
    pub(crate) only_to_customer: Option<Asn>,
}

/// A change of numbers in a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PathChange {
    /// AS of the neighbour.
    pub(crate) remote_as: Asn,
    /// Own AS.
    pub(crate) local_as: Asn,
    /// The neighbour's number becomes ours.
    pub(crate) as_override: bool,
    /// Private numbers: only if there is no other one, and replaced with ours instead of removed.
    pub(crate) private: Option<(bool, bool)>,
}

impl PathChange {
    /// The changed path, if anything changes.
    fn apply(self, value: &[u8]) -> Option<Vec<u8>> {
        let numbers = || as_path::Segments::new(value).flat_map(|segment| segment.asns());
        let private = self
            .private
            .filter(|(only_if_all, _)| !only_if_all || numbers().all(Asn::is_private));
        as_path::rewritten(value, |asn| match private {
            _ if asn == self.remote_as => match self.as_override {
                true => Some(self.local_as),
                false => Some(asn),
            },
            Some((_, replace)) if asn.is_private() => replace.then_some(self.local_as),
            Some(_) | None => Some(asn),
        })
    }
}

/// To another member AS of the confederation: what stays within an AS stays, but ORIGINATOR_ID and
/// CLUSTER_LIST, which are for one member AS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Member {
    /// Own member AS, put in front of the path (RFC 5065 §4).
    pub(crate) asn: Asn,
    /// How often; at most 254.
    pub(crate) prepend: usize,
    /// LOCAL_PREF where there is none.
    pub(crate) local_pref: u32,
}

/// Communities that are left out, by kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Omitted {
    /// RFC 1997.
    pub standard: bool,
    /// RFC 4360.
    pub extended: bool,
    /// RFC 8092.
    pub large: bool,
    /// AIGP (RFC 7311), which is no community, and stays where it is not exchanged (§3.3).
    pub aigp: bool,
}

impl Omitted {
    fn contains(self, code: u8) -> bool {
        match code {
            code::COMMUNITIES => self.standard,
            code::EXTENDED_COMMUNITIES => self.extended,
            code::LARGE_COMMUNITIES => self.large,
            code::AIGP => self.aigp,
            _ => false,
        }
    }
}

/// Within the AS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Internal {
    /// LOCAL_PREF where there is none (RFC 4271 §5.1.5: it shall be there).
    pub(crate) local_pref: u32,
    /// The route comes from within the AS too.
    pub(crate) reflection: Option<Reflection>,
}

/// What a route reflector adds (RFC 4456 §8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reflection {
    /// ORIGINATOR_ID where there is none.
    pub(crate) originator_id: Ipv4Addr,
    /// Put in front of CLUSTER_LIST.
    pub(crate) cluster_id: Ipv4Addr,
}

/// Attributes as a message carries them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Outgoing {
    wire: Vec<u8>,
    next_hop: NextHop,
    evpn: Option<EvpnTail>,
}

/// What a message is made of: canonical octets, next hop, and the tail of EVPN routes.
#[derive(Debug, Clone, Copy)]
pub struct Announced<'a> {
    pub(crate) wire: &'a [u8],
    pub(crate) next_hop: NextHop,
    pub(crate) evpn: Option<&'a EvpnTail>,
}

impl<'a> From<&'a Attributes> for Announced<'a> {
    fn from(attributes: &'a Attributes) -> Self {
        Self {
            wire: attributes.wire(),
            next_hop: attributes.next_hop(),
            evpn: attributes.evpn(),
        }
    }
}

impl<'a> From<&'a Outgoing> for Announced<'a> {
    fn from(outgoing: &'a Outgoing) -> Self {
        Self {
            wire: &outgoing.wire,
            next_hop: outgoing.next_hop,
            evpn: outgoing.evpn.as_ref(),
        }
    }
}

impl Outgoing {
    /// `attributes` as they leave towards `next_hop`.
    pub(crate) fn new(
        attributes: &Attributes,
        next_hop: NextHop,
        departure: Departure,
        omitted: Omitted,
    ) -> Self {
        let from = attributes.wire();
        let mut wire = Vec::with_capacity(from.len() + 32);
        let mut added = departure.added(attributes);
        for raw in List::new(from) {
            added.put_below(raw.code, &mut wire);
            if !omitted.contains(raw.code) {
                departure.put(&raw, &mut wire);
            }
        }
        added.put_below(u8::MAX, &mut wire);
        Self {
            wire,
            next_hop,
            evpn: attributes.evpn().copied(),
        }
    }

    /// To be looked at.
    pub(crate) fn attributes(self, seed: u64) -> Attributes {
        Closed::new(self.wire.as_slice().into(), seed).attributes(self.next_hop, self.evpn)
    }
}

/// Attributes that are not there yet, each of four octets, in ascending order.
#[derive(Default)]
struct Added {
    list: [Option<(u8, u32)>; 3],
    len: usize,
}

impl Added {
    fn push(&mut self, code: u8, value: u32) {
        if let Some(place) = self.list.get_mut(self.len) {
            *place = Some((code, value));
            self.len += 1;
        }
    }

    /// Appends those that stand before attribute `code`, once each.
    fn put_below(&mut self, code: u8, out: &mut Vec<u8>) {
        for place in self.list.iter_mut().take(self.len) {
            if let Some((own, value)) = place.take_if(|(own, _)| *own < code) {
                let flags = attribute::known_flags(own).unwrap_or_default();
                attribute::put(out, flags, own, &value.to_be_bytes());
            }
        }
    }
}

impl Departure {
    /// What is added to `attributes`.
    fn added(self, attributes: &Attributes) -> Added {
        match self {
            Departure::External(external) => external.added(),
            Departure::Member(member) => member.added(attributes),
            Departure::Internal(internal) => internal.added(attributes),
        }
    }

    /// Appends what becomes of one attribute.
    fn put(self, raw: &Raw<'_>, out: &mut Vec<u8>) {
        match self {
            Departure::External(external) => external.put(raw, out),
            Departure::Member(member) => member.put(raw, out),
            Departure::Internal(internal) => internal.put(raw, out),
        }
    }
}

impl External {
    fn added(self) -> Added {
        let mut added = Added::default();
        if let Some(asn) = self.only_to_customer {
            added.push(code::ONLY_TO_CUSTOMER, asn.0);
        }
        added
    }

    fn put(self, raw: &Raw<'_>, out: &mut Vec<u8>) {
        match raw.code {
            code::AS_PATH => {
                // RFC 5065 §4: what leaves the confederation has none of its segments.
                let outside = as_path::leave_confederation(raw.value);
                let value = outside.as_deref().unwrap_or(raw.value);
                let changed = self.change.and_then(|change| change.apply(value));
                let value = changed.as_deref().unwrap_or(value);
                let own = self.behind.map(|own| as_path::prepended(value, own, 1));
                let behind = own.as_deref().unwrap_or(value);
                let path = as_path::prepended(behind, self.asn, self.prepend);
                attribute::put(out, raw.flags, raw.code, &path);
            }
            code::MULTI_EXIT_DISC if self.drop_med => {}
            code::LOCAL_PREF | code::ORIGINATOR_ID | code::CLUSTER_LIST => {}
            code::EXTENDED_COMMUNITIES if self.drop_scoped => put_transitive(raw, out),
            _ => attribute::put(out, raw.flags, raw.code, raw.value),
        }
    }
}

impl Member {
    fn added(self, attributes: &Attributes) -> Added {
        let mut added = Added::default();
        if attributes.local_pref().is_none() {
            added.push(code::LOCAL_PREF, self.local_pref);
        }
        added
    }

    fn put(self, raw: &Raw<'_>, out: &mut Vec<u8>) {
        match raw.code {
            code::AS_PATH => {
                let kind = SegmentKind::ConfedSequence;
                let path = as_path::prepended_to(raw.value, kind, self.asn, self.prepend);
                attribute::put(out, raw.flags, raw.code, &path);
            }
            code::ORIGINATOR_ID | code::CLUSTER_LIST => {}
            _ => attribute::put(out, raw.flags, raw.code, raw.value),
        }
    }
}

impl Internal {
    fn added(self, attributes: &Attributes) -> Added {
        let mut added = Added::default();
        if attributes.local_pref().is_none() {
            added.push(code::LOCAL_PREF, self.local_pref);
        }
        if let Some(reflection) = self.reflection {
            if attributes.originator_id().is_none() {
                added.push(code::ORIGINATOR_ID, reflection.originator_id.into());
            }
            if attributes.cluster_length() == 0 {
                added.push(code::CLUSTER_LIST, reflection.cluster_id.into());
            }
        }
        added
    }

    fn put(self, raw: &Raw<'_>, out: &mut Vec<u8>) {
        match self.reflection {
            Some(reflection) if raw.code == code::CLUSTER_LIST => {
                let own = reflection.cluster_id.octets();
                attribute::put(out, raw.flags, raw.code, &[&own, raw.value].concat());
            }
            Some(_) | None => attribute::put(out, raw.flags, raw.code, raw.value),
        }
    }
}

/// RFC 4360 §3: non-transitive communities stay within the AS.
fn put_transitive(raw: &Raw<'_>, out: &mut Vec<u8>) {
    let (all, _) = raw.value.as_chunks::<8>();
    let transitive = |octets: &&[u8; 8]| ExtendedCommunity(**octets).is_transitive();
    if all.iter().all(|octets| transitive(&octets)) {
        attribute::put(out, raw.flags, raw.code, raw.value);
        return;
    }
    let kept: Vec<[u8; 8]> = all.iter().filter(transitive).copied().collect();
    if !kept.is_empty() {
        attribute::put(out, raw.flags, raw.code, kept.as_flattened());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::attributes::tests::{any_notes, any_set};
    use crate::attributes::{AttributeSet, Notes};
    use crate::attributes::{Segment, SegmentKind};

    proptest! {
        #[test]
        fn is_what_the_open_form_would_give(
            set in any_set(),
            notes in any_notes(),
            way in 0u8..3,
            drop_med in any::<bool>(),
            prepend in 0usize..6,
            behind in proptest::option::of(1u32..70_000),
            reflected in any::<bool>(),
            omitted in 0u8..8,
            drop_scoped in any::<bool>(),
            marked in proptest::option::of(1u32..70_000),
        ) {
            let next_hop = NextHop::V4(Ipv4Addr::new(192, 0, 2, 1));
            let reflection = Reflection {
                originator_id: Ipv4Addr::new(10, 0, 0, 5),
                cluster_id: Ipv4Addr::new(10, 0, 0, 6),
            };
            let departure = match way {
                0 => Departure::External(External {
                    asn: Asn(65001),
                    change: None,
                    behind: behind.map(Asn),
                    prepend,
                    drop_med,
                    drop_scoped,
                    only_to_customer: set.only_to_customer.xor(marked.map(Asn)).filter(|_| {
                        set.only_to_customer.is_none()
                    }),
                }),
                1 => Departure::Member(Member {
                    asn: Asn(65001),
                    prepend,
                    local_pref: 100,
                }),
                _ => Departure::Internal(Internal {
                    local_pref: 100,
                    reflection: reflected.then_some(reflection),
                }),
            };
            let attributes = AttributeSet { notes, ..set }.freeze();
            let omitted = Omitted {
                standard: omitted & 1 != 0,
                extended: omitted & 2 != 0,
                large: omitted & 4 != 0,
                aigp: omitted & 1 != 0,
            };
            let outgoing = Outgoing::new(&attributes, next_hop, departure, omitted);
            let outgoing = outgoing.attributes(0);
            let mut open = attributes.thaw();
            open.next_hop = next_hop;
            open.notes = Notes::default();
            if way == 0 {
                open.remove_confederation();
                open.prepend(Asn(behind.unwrap_or_default()), usize::from(behind.is_some()));
                open.prepend(Asn(65001), prepend);
                open.only_to_customer = open.only_to_customer.or(marked.map(Asn));
                open.med = open.med.filter(|_| !drop_med);
                open.local_pref = None;
                open.originator_id = None;
                open.cluster_list.clear();
                open.extended_communities
                    .retain(|community| !drop_scoped || community.is_transitive());
            } else {
                open.local_pref.get_or_insert(100);
                if way == 1 {
                    (0..prepend).for_each(|_| open.prepend_confederation(Asn(65001)));
                    open.originator_id = None;
                    open.cluster_list.clear();
                } else if reflected {
                    open.originator_id.get_or_insert(reflection.originator_id);
                    open.cluster_list.insert(0, reflection.cluster_id);
                }
            }
            if omitted.standard {
                open.communities.clear();
            }
            if omitted.extended {
                open.extended_communities.clear();
            }
            if omitted.large {
                open.large_communities.clear();
            }
            if omitted.aigp {
                open.aigp.clear();
            }
            prop_assert_eq!(outgoing, open.freeze());
        }
    }

    /// What a change makes of a path of sequences, and of sets where they are negative.
    fn changed(change: PathChange, path: &[i64]) -> Vec<i64> {
        let number = |one: &i64| Asn(u32::try_from(one.abs()).unwrap());
        let mut segments: Vec<Segment> = Vec::new();
        for one in path {
            let kind = match *one < 0 {
                true => SegmentKind::Set,
                false => SegmentKind::Sequence,
            };
            match segments.last_mut() {
                Some(last) if last.kind == kind => last.asns.push(number(one)),
                Some(_) | None => segments.push(Segment {
                    kind,
                    asns: vec![number(one)],
                }),
            }
        }
        let mut value = Vec::new();
        as_path::encode(&segments, &mut value);
        let value = change.apply(&value).unwrap_or(value);
        let sign = |kind| if kind == SegmentKind::Set { -1 } else { 1 };
        as_path::Segments::new(&value)
            .flat_map(|segment| {
                segment
                    .asns()
                    .map(move |asn| sign(segment.kind) * i64::from(asn.0))
            })
            .collect()
    }

    #[test]
    fn private_numbers_and_that_of_the_neighbour_become_what_is_asked_for() {
        let change = |as_override, private| PathChange {
            remote_as: Asn(64_600),
            local_as: Asn(1),
            as_override,
            private,
        };
        let mixed = [7, 64_512, 64_600, 65_534, -4_200_000_000, -9, 65_535];
        let all = [64_512, 64_600, -4_200_000_000];
        let (own, ours) = (64_600, 1);
        for (private, of_mixed, of_all) in [
            (None, mixed.to_vec(), all.to_vec()),
            (Some((true, false)), mixed.to_vec(), vec![own]),
            (Some((false, false)), vec![7, own, -9, 65_535], vec![own]),
            (Some((true, true)), mixed.to_vec(), vec![ours, own, -ours]),
            (
                Some((false, true)),
                vec![7, ours, own, ours, -ours, -9, 65_535],
                vec![ours, own, -ours],
            ),
        ] {
            for (path, kept) in [(&mixed[..], of_mixed), (&all, of_all)] {
                assert_eq!(changed(change(false, private), path), kept, "{private:?}");
                let replaced = |one: &i64| {
                    if one.abs() == own {
                        ours * one.signum()
                    } else {
                        *one
                    }
                };
                let overridden: Vec<i64> = kept.iter().map(replaced).collect();
                assert_eq!(
                    changed(change(true, private), path),
                    overridden,
                    "{private:?}"
                );
            }
        }
        assert_eq!(changed(change(true, Some((false, false))), &[]), []);
    }
}
