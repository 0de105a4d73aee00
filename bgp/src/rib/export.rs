//! From a best path to what a group of peers is told.
//!
//! A pure function of the path, the group's settings and policy, so the same call decides what to
//! send, what a changed policy would have sent before, and what `show` prints.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use super::decision::{DEFAULT_LOCAL_PREF, Source};
use super::path::{Path, PeerId};
use super::peer::{Drain, NextHopRule, PeerFacts, PeerFamily};
use crate::asn::Asn;
use crate::attributes::{AttributeSet, Attributes, NextHop};
use crate::community::Community;
use crate::family::Family;
use crate::nlri::Nlri;
use crate::policy::{Policy, Trace, Verdict};
use crate::wire::EncodeContext;

/// All that makes two peers' advertisements alike: peers with equal settings share one group.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct GroupSettings {
    pub(super) family: Family,
    pub(super) export: Policy,
    pub(super) drain: Option<Drain>,
    pub(super) external: bool,
    pub(super) local_as: Asn,
    pub(super) next_hop: NextHopRule,
    pub(super) local_ipv4: Option<Ipv4Addr>,
    pub(super) local_ipv6: Option<Ipv6Addr>,
    pub(super) extended_next_hop: bool,
    pub(super) as4: bool,
    pub(super) extended_message: bool,
}

/// Why a best path is not told to a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Withheld {
    /// There is no path to tell.
    NoPath,
    /// The peer sent it.
    FromThisPeer,
    /// Community no-advertise.
    NoAdvertise,
    /// Community no-export or local-AS, and the peer is in another AS.
    NoExport,
    /// Learned from iBGP, and so is the peer (RFC 4271 §9.2).
    InternalToInternal,
    /// Export policy said no.
    Policy,
    /// No own address of the next hop's IP version.
    NoNextHop,
    /// The attributes do not fit the largest message.
    TooLarge,
}

impl fmt::Display for Withheld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Withheld::NoPath => "there is no usable path",
            Withheld::FromThisPeer => "the neighbour sent it",
            Withheld::NoAdvertise => "community no-advertise",
            Withheld::NoExport => "community no-export and the neighbour is external",
            Withheld::InternalToInternal => "learned from iBGP and the neighbour is internal",
            Withheld::Policy => "rejected by export policy",
            Withheld::NoNextHop => "no own address fits as next hop for this family",
            Withheld::TooLarge => "the attributes do not fit one message",
        })
    }
}

impl GroupSettings {
    pub(super) fn of(facts: &PeerFacts, family: Family, settings: &PeerFamily) -> Self {
        Self {
            family,
            export: settings.export.clone(),
            drain: settings.drain,
            external: facts.external(),
            local_as: facts.local_as,
            next_hop: settings.next_hop,
            local_ipv4: facts.local_ipv4,
            local_ipv6: facts.local_ipv6,
            extended_next_hop: settings.extended_next_hop,
            as4: facts.as4,
            extended_message: facts.extended_message,
        }
    }

    pub(super) fn encode_context(&self) -> EncodeContext {
        EncodeContext {
            as4: self.as4,
            extended_message: self.extended_message,
            add_path: false,
        }
    }

    /// What the group's peers are told of `path`, not yet closed.
    pub(super) fn export(
        &self,
        nlri: &Nlri,
        path: &Path,
        source: Source,
        trace: Option<&mut Trace>,
    ) -> Result<AttributeSet, Withheld> {
        let attributes = &path.attributes;
        self.check_scope(path, source)?;
        let base = self.before_policy(attributes);
        let (verdict, base) = match base {
            None => (self.export.evaluate(nlri, attributes, trace), None),
            // Policy sees the attributes as they would go out (no MED of another AS).
            Some(set) => {
                let closed = Arc::new(set.freeze());
                (self.export.evaluate(nlri, &closed, trace), Some(set))
            }
        };
        let (mut set, chosen) = match verdict {
            Verdict::Reject => return Err(Withheld::Policy),
            Verdict::Change {
                set,
                next_hop_chosen,
            } => (set, next_hop_chosen),
            Verdict::Accept => (base.unwrap_or_else(|| attributes.thaw()), false),
        };
        set.next_hop = self.next_hop(set.next_hop, chosen)?;
        self.after_policy(&mut set);
        Ok(set)
    }

    fn check_scope(&self, path: &Path, source: Source) -> Result<(), Withheld> {
        if path.attributes.is_no_advertise() {
            return Err(Withheld::NoAdvertise);
        }
        let scoped = path.attributes.is_no_export() || path.attributes.is_no_export_subconfed();
        if self.external && scoped {
            return Err(Withheld::NoExport);
        }
        if !self.external && !source.external && path.peer != PeerId::LOCAL {
            return Err(Withheld::InternalToInternal);
        }
        Ok(())
    }

    /// RFC 4271 §5.1.4: a MED received from another AS does not go on to a third one. Policy may
    /// set a new one.
    fn before_policy(&self, attributes: &Arc<Attributes>) -> Option<AttributeSet> {
        let foreign_med =
            self.external && attributes.med().is_some() && attributes.first_as() != Asn(0);
        foreign_med.then(|| {
            let mut set = attributes.thaw();
            set.med = None;
            set
        })
    }

    /// RFC 4271 §5.1.3; EVPN next hops are tunnel endpoints and stay (RFC 8365 §5.1.3).
    fn next_hop(&self, wanted: NextHop, chosen: bool) -> Result<NextHop, Withheld> {
        let unspecified = wanted.addr().is_unspecified();
        if chosen && !unspecified {
            return Ok(wanted);
        }
        let own = match self.next_hop {
            NextHopRule::Auto => self.external && self.family != Family::Evpn,
            NextHopRule::Myself => true,
            NextHopRule::Unchanged => false,
        };
        if !own && !unspecified {
            return Ok(wanted);
        }
        let v6 = self.local_ipv6.map(NextHop::V6);
        let v4 = self.local_ipv4.map(NextHop::V4);
        match self.family {
            Family::Ipv4Unicast => v4.or(v6.filter(|_| self.extended_next_hop)),
            Family::Ipv6Unicast => v6,
            Family::Evpn => v4.or(v6),
        }
        .ok_or(Withheld::NoNextHop)
    }

    fn after_policy(&self, set: &mut AttributeSet) {
        if let Some(drain) = self.drain {
            if !set.communities.contains(&Community::GRACEFUL_SHUTDOWN) {
                set.communities.push(Community::GRACEFUL_SHUTDOWN);
            }
            set.med = Some(drain.med);
            if self.external {
                set.prepend(self.local_as, drain.prepend);
            } else {
                // RFC 8326 §4.3: towards iBGP the preference itself is lowered.
                set.local_pref = Some(0);
            }
        }
        if self.external {
            set.prepend(self.local_as, 1);
            set.local_pref = None;
            set.originator_id = None;
            set.cluster_list.clear();
            // RFC 4360 §3: non-transitive communities stay within the AS.
            set.extended_communities
                .retain(|community| community.is_transitive());
        } else {
            set.local_pref.get_or_insert(DEFAULT_LOCAL_PREF);
        }
    }
}
