//! Attributes on their way to a neighbour.
//!
//! What a neighbour is told differs from what the table keeps in few places, and most sets go out
//! as policy left them. So the change is made from canonical octets to canonical octets, without
//! the open form between: a million routes cost a tenth less. [`Outgoing`] is only good for
//! writing messages; [`Outgoing::attributes`] makes of it what can be looked at.

use crate::asn::Asn;
use crate::attributes::closed::Closed;
use crate::attributes::{Attributes, NextHop};
use crate::community::ExtendedCommunity;
use crate::evpn_route::EvpnTail;
use crate::wire::attribute::{self, List, Raw, TRANSITIVE, as_path, code};

/// What changes on the way to a neighbour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Departure {
    /// To another AS: LOCAL_PREF, ORIGINATOR_ID, CLUSTER_LIST and what else stays within an AS go.
    External {
        /// Own AS, put in front of the path.
        asn: Asn,
        /// Put there before, when the first is ours on this session only.
        behind: Option<Asn>,
        /// How often; at most 254.
        prepend: usize,
        /// MULTI_EXIT_DISC goes too.
        drop_med: bool,
    },
    /// Within the AS.
    Internal {
        /// LOCAL_PREF where there is none (RFC 4271 §5.1.5: it shall be there).
        local_pref: u32,
    },
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
    pub(crate) fn new(attributes: &Attributes, next_hop: NextHop, departure: Departure) -> Self {
        let from = attributes.wire();
        let mut wire = Vec::with_capacity(from.len() + 16);
        let mut local_pref = match departure {
            Departure::Internal { local_pref } => {
                attributes.local_pref().is_none().then_some(local_pref)
            }
            Departure::External { .. } => None,
        };
        for raw in List::new(from) {
            if raw.code > code::LOCAL_PREF {
                put_local_pref(local_pref.take(), &mut wire);
            }
            departure.put(&raw, &mut wire);
        }
        put_local_pref(local_pref, &mut wire);
        Self {
            wire,
            next_hop,
            evpn: attributes.evpn().copied(),
        }
    }

    /// To be looked at.
    pub(crate) fn attributes(self, seed: u64) -> Attributes {
        Closed::new(self.wire, seed).attributes(self.next_hop, self.evpn)
    }
}

fn put_local_pref(value: Option<u32>, out: &mut Vec<u8>) {
    if let Some(value) = value {
        attribute::put(out, TRANSITIVE, code::LOCAL_PREF, &value.to_be_bytes());
    }
}

impl Departure {
    /// Appends what becomes of one attribute.
    fn put(self, raw: &Raw<'_>, out: &mut Vec<u8>) {
        let Departure::External {
            asn,
            behind,
            prepend,
            drop_med,
        } = self
        else {
            return attribute::put(out, raw.flags, raw.code, raw.value);
        };
        match raw.code {
            code::AS_PATH => {
                let own = behind.map(|own| as_path::prepended(raw.value, own, 1));
                let path = as_path::prepended(own.as_deref().unwrap_or(raw.value), asn, prepend);
                attribute::put(out, raw.flags, raw.code, &path);
            }
            code::MULTI_EXIT_DISC if drop_med => {}
            code::LOCAL_PREF | code::ORIGINATOR_ID | code::CLUSTER_LIST => {}
            code::EXTENDED_COMMUNITIES => put_transitive(raw, out),
            _ => attribute::put(out, raw.flags, raw.code, raw.value),
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
    use std::net::Ipv4Addr;

    use proptest::prelude::*;

    use super::*;
    use crate::attributes::tests::any_set;

    proptest! {
        #[test]
        fn is_what_the_open_form_would_give(
            set in any_set(),
            external in any::<bool>(),
            drop_med in any::<bool>(),
            prepend in 0usize..6,
            behind in proptest::option::of(1u32..70_000),
        ) {
            let next_hop = NextHop::V4(Ipv4Addr::new(192, 0, 2, 1));
            let departure = match external {
                true => Departure::External {
                    asn: Asn(65001),
                    behind: behind.map(Asn),
                    prepend,
                    drop_med,
                },
                false => Departure::Internal { local_pref: 100 },
            };
            let attributes = set.freeze();
            let outgoing = Outgoing::new(&attributes, next_hop, departure).attributes(0);
            let mut open = attributes.thaw();
            open.next_hop = next_hop;
            if external {
                open.prepend(Asn(behind.unwrap_or_default()), usize::from(behind.is_some()));
                open.prepend(Asn(65001), prepend);
                open.med = open.med.filter(|_| !drop_med);
                open.local_pref = None;
                open.originator_id = None;
                open.cluster_list.clear();
                open.extended_communities.retain(|community| community.is_transitive());
            } else {
                open.local_pref.get_or_insert(100);
            }
            prop_assert_eq!(outgoing, open.freeze());
        }
    }
}
