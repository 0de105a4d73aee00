//! From what a peer sent to what takes part in the decision.
//!
//! A route that is rejected stays in the table as received, so a change of policy needs no
//! refresh from the peer, and `explain` can say why it is out.

use std::fmt;
use std::net::Ipv4Addr;

use super::View;
use super::family::Key;
use super::leak::{self, Leak};
use super::peer::{PeerFacts, PeerFamily};
use crate::asn::Asn;
use crate::attributes::{AttributeSet, Attributes, SegmentKind};
use crate::community::Community;
use crate::nlri::Nlri;
use crate::policy::{Trace, Verdict};
use crate::scoped_addr::ScopedAddr;

/// Why a received route does not take part in the decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rejection {
    /// The AS path contains the own AS (RFC 4271 §9.1.2).
    AsLoop(Asn),
    /// A prefix that nobody in another AS has (RFC 6890).
    Martian,
    /// The AS path does not begin with the peer's AS number (RFC 4271 §6.3).
    FirstAs {
        /// The peer's AS number.
        expected: Asn,
        /// The first one, 0 where there is none.
        first: Asn,
    },
    /// The path does not begin with a confederation's sequence, and the peer is of ours (RFC 5065 §5).
    NoConfederation,
    /// The originator is this router (RFC 4456 §8).
    OriginatorLoop,
    /// The route has been through this cluster (RFC 4456 §8).
    ClusterLoop(Ipv4Addr),
    /// The next hop is the address of this end of the session (RFC 4271 §5.1.3).
    NextHopIsSelf,
    /// It may only go to customers, and comes from elsewhere (RFC 9234 §5).
    Leak(Leak),
    /// Import policy said no.
    Policy,
    /// The next hop leads nowhere (RFC 4271 §9.1.2).
    NextHopUnreachable(ScopedAddr),
}

impl Rejection {
    /// True for a route of this router or its AS that came back, which a peer that does not leave
    /// it out sends all the time.
    pub fn is_loop(&self) -> bool {
        match self {
            Rejection::AsLoop(_)
            | Rejection::OriginatorLoop
            | Rejection::ClusterLoop(_)
            | Rejection::NextHopIsSelf => true,
            Rejection::Martian
            | Rejection::FirstAs { .. }
            | Rejection::NoConfederation
            | Rejection::Leak(_)
            | Rejection::Policy
            | Rejection::NextHopUnreachable(_) => false,
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rejection::AsLoop(asn) => write!(f, "the AS path contains own AS {asn}"),
            Rejection::Martian => f.write_str("nobody in another AS has this prefix (RFC 6890)"),
            Rejection::FirstAs { expected, first } => {
                match first {
                    Asn(0) => f.write_str("the AS path begins with no AS number")?,
                    first => write!(f, "the AS path begins with AS {first}")?,
                }
                write!(
                    f,
                    " and not with the neighbour's, {expected} (enforce_first_as)"
                )
            }
            Rejection::NoConfederation => {
                f.write_str("the AS path begins with no number of our confederation")
            }
            Rejection::OriginatorLoop => f.write_str("the originator is this router"),
            Rejection::ClusterLoop(id) => {
                write!(f, "the route has been through our cluster {id} already")
            }
            Rejection::NextHopIsSelf => f.write_str("the next hop is this router's own address"),
            Rejection::Leak(leak) => write!(f, "route leak: {leak}"),
            Rejection::Policy => f.write_str("rejected by import policy"),
            Rejection::NextHopUnreachable(addr) => {
                write!(f, "no route leads to the next hop {addr}")
            }
        }
    }
}

/// Result of import: the attributes to use.
pub(super) type Imported = Result<Attributes, Rejection>;

/// Applies checks and policy of one peer and family to one route.
pub(super) fn import(
    view: View<'_>,
    (facts, family): (&PeerFacts, &PeerFamily),
    nlri: &Nlri,
    received: &Attributes,
    trace: Option<&mut Trace>,
) -> Imported {
    let View {
        config, next_hops, ..
    } = view;
    let seed = config.seed;
    let own_as = facts.alias.map(|alias| alias.own_as);
    let identity = &config.identity;
    let confederation = identity.confederation.map(|it| [it.id, it.member]);
    let of_confederation = confederation.into_iter().flatten();
    let own = [facts.local_as].into_iter().chain(own_as);
    for own in own.chain(of_confederation) {
        let shared = identity
            .confederation
            .is_some_and(|it| it.id_is_member && it.id == own);
        if family.handling.own_as.forbids(received, own, shared) {
            return Err(Rejection::AsLoop(own));
        }
    }
    if facts.external() && is_martian(nlri) {
        return Err(Rejection::Martian);
    }
    // RFC 4271 §6.3 by way of RFC 7606 §7.2: what is malformed so is as good as withdrawn.
    if family.enforce_first_as && facts.external() && received.first_as() != facts.remote_as {
        return Err(Rejection::FirstAs {
            expected: facts.remote_as,
            first: received.first_as(),
        });
    }
    if facts.relation.member && !begins_in_confederation(received) {
        return Err(Rejection::NoConfederation);
    }
    if received.originator_id() == Some(identity.router_id) {
        return Err(Rejection::OriginatorLoop);
    }
    if received.cluster_length() > 0 && received.cluster_list().any(|id| id == identity.cluster_id)
    {
        return Err(Rejection::ClusterLoop(identity.cluster_id));
    }
    if received.next_hop().addr() == facts.local_address {
        return Err(Rejection::NextHopIsSelf);
    }
    let marked = mark(facts, nlri, received)?;
    let preference = config
        .default_local_pref
        .filter(|_| received.local_pref().is_none());
    let prepared = prepare((facts, family), marked, preference, received);
    let seen = prepared.as_ref().map(|set| set.freeze_with(seed));
    let seen = seen.as_ref().unwrap_or(received);
    let mut set = match family.import.evaluate(nlri, seen, trace) {
        Verdict::Reject => return Err(Rejection::Policy),
        Verdict::Accept => prepared,
        Verdict::Change { set, .. } => Some(set),
    };
    if let Some(site) = family.handling.site_of_origin {
        let set = set.get_or_insert_with(|| received.thaw());
        set.extended_communities.push(site);
        set.extended_communities.sort_unstable();
        set.extended_communities.dedup();
    }
    // RFC 8326 §3.2: a route that is about to go is the last choice, whatever policy preferred.
    let leaving = facts.external() && (family.drain.is_some() || received.is_graceful_shutdown());
    if leaving {
        set.get_or_insert_with(|| received.thaw()).local_pref = Some(0);
    }
    if let Some(set) = &mut set
        && facts.relation.instance
        && set.next_hop != received.next_hop()
    {
        // Another table's device has nothing to do with a next hop of policy's choice.
        set.notes.interface = None;
    }
    // What is dropped needs no way.
    let (blackhole, next_hop) = match &set {
        Some(set) => {
            let (notes, next_hop) = (&set.notes, set.next_hop.addr());
            (notes.blackhole, facts.names(next_hop, notes.interface))
        }
        None => {
            let drops = facts.relation.instance && received.notes().blackhole;
            (drops, facts.leads_to(received))
        }
    };
    if !blackhole && !next_hops.leads(nlri.family(), next_hop) {
        return Err(Rejection::NextHopUnreachable(next_hop));
    }
    Ok(match set {
        None => received.clone(),
        Some(set) => set.freeze_with(seed).with_source(received.clone()),
    })
}

fn is_martian(nlri: &Nlri) -> bool {
    match nlri {
        Nlri::V4(prefix) => prefix.is_martian(),
        Nlri::V6(prefix) => prefix.is_martian(),
        Nlri::Evpn(key) => key.is_martian(),
    }
}

fn begins_in_confederation(received: &Attributes) -> bool {
    let first = received.as_path().next();
    first.is_some_and(|segment| segment.kind == SegmentKind::ConfedSequence)
}

fn has_bandwidth(received: &Attributes) -> bool {
    let mut all = received.extended_communities();
    all.any(|it| it.as_link_bandwidth().is_some())
}

/// The only-to-customer mark that the route is to have and has not.
fn mark(facts: &PeerFacts, nlri: &Nlri, received: &Attributes) -> Result<Option<Asn>, Rejection> {
    let Some(role) = facts.role(nlri.family()) else {
        return Ok(None);
    };
    let marked_by = received.only_to_customer();
    leak::arriving(role, facts.remote_as, marked_by).map_err(Rejection::Leak)
}

/// What a session's settings make of a route before policy sees it, if anything. Of what policy can
/// ask for, [`PeerFamily::shows_policy_what_came`] says what is changed here.
fn prepare(
    (facts, family): (&PeerFacts, &PeerFamily),
    marked: Option<Asn>,
    preference: Option<u32>,
    received: &Attributes,
) -> Option<AttributeSet> {
    let alias = facts.alias.is_some_and(|alias| alias.prepend);
    let blackhole = family.honor_blackhole && received.is_blackhole();
    let whole = family.handling.whole_bandwidths && has_bandwidth(received);
    let notes = family.weight.is_some() || family.handling.distance.is_some();
    let asked = alias || blackhole || whole || notes || marked.is_some();
    if !asked && preference.is_none() {
        return None;
    }
    let mut set = received.thaw();
    set.notes.weight = family.weight;
    set.notes.distance = family.handling.distance;
    if preference.is_some() {
        set.local_pref = preference;
    }
    if marked.is_some() {
        set.only_to_customer = marked;
    }
    if whole {
        let all = &mut set.extended_communities;
        all.iter_mut()
            .for_each(|it| *it = it.with_float_bandwidth());
        all.sort_unstable();
    }
    if alias {
        // As if the number that the peer knows were another AS between.
        set.prepend(facts.local_as, 1);
    }
    if blackhole {
        set.notes.blackhole = true;
        // RFC 7999 §3.2: it SHOULD not leave the AS.
        if !received.is_no_advertise() && !received.is_no_export() {
            set.communities.push(Community::NO_EXPORT);
        }
    }
    Some(set)
}
