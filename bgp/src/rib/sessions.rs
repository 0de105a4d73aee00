//! A peer comes, is configured or addressed otherwise, and goes.
//!
//! What it is told with whom, and which of its routes stay, is the families' business
//! ([`super::family`]); here each of them hears of it.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Instant;

use super::awaited::RESTARTING_PATIENCE;
use super::context::Cx;
use super::path::PeerId;
use super::peer::{PeerFacts, PeerFamily};
use super::validation::validate_by;
use super::{Identity, Output, Rib, on_family};
use crate::family::{Family, PerFamily};
use crate::policy::Difference;
use crate::prefix::Prefix;

impl Rib {
    pub(super) fn peer_up(
        &mut self,
        now: Instant,
        peer: PeerId,
        mut facts: PeerFacts,
        restarting: bool,
    ) {
        validate_by(&mut facts.families, self.validation.as_ref());
        let Some(state) = self.peers.entry(peer) else {
            return;
        };
        state.up = true;
        state.in_flight = 0;
        state.facts = Some(facts.clone());
        for family in Family::ALL {
            match facts.families.get(family) {
                Some(settings) => {
                    on_family!(self, family, |table, cx| table.join(
                        cx.view(),
                        peer,
                        &facts,
                        settings
                    ));
                }
                None => self.drop_stale(peer, family),
            }
            if facts.families.get(family).is_none() {
                self.arrived(peer, family);
            }
        }
        if let Some(awaited) = self.awaited.as_mut().filter(|_| restarting) {
            awaited.restarting.insert(peer, now + RESTARTING_PATIENCE);
        }
    }

    pub(super) fn peer_down(&mut self, peer: PeerId, retain: PerFamily<bool>) {
        let Some(state) = self.peers.get_mut(peer) else {
            return;
        };
        state.up = false;
        state.in_flight = 0;
        // What was encoded for this session must not reach the next one.
        self.outputs
            .retain(|output| !matches!(output, Output::Send(to, _) if *to == peer));
        for (family, retain) in retain.iter() {
            on_family!(self, family, |table, cx| {
                table.leave(cx.view(), peer);
                // What is still stale from a former restart stays, unless it was released.
                if !*retain {
                    table.purge(cx, peer, false);
                }
            });
            if *retain {
                self.mark_stale(peer, family);
            }
        }
    }

    pub(super) fn configure(&mut self, peer: PeerId, mut families: PerFamily<Option<PeerFamily>>) {
        validate_by(&mut families, self.validation.as_ref());
        let Some(facts) = self
            .peers
            .get_mut(peer)
            .and_then(|peer| peer.facts.as_mut())
        else {
            return;
        };
        let old = std::mem::replace(&mut facts.families, families);
        let facts = facts.clone();
        for family in Family::ALL {
            let (Some(old), Some(new)) = (old.get(family), facts.families.get(family)) else {
                continue;
            };
            let mut differing = old.takes_differently(new);
            on_family!(self, family, |table, cx| table.reimport(
                cx,
                peer,
                &mut differing
            ));
            on_family!(self, family, |table, cx| table
                .regroup(cx, peer, &facts, new));
        }
    }

    /// What peers have sent is judged again, and all of them are told what differs. The paths of this
    /// router itself carry none, and get theirs on the way.
    pub(super) fn set_default_local_pref(&mut self, preference: Option<u32>) {
        if std::mem::replace(&mut self.config.default_local_pref, preference) == preference {
            return;
        }
        for peer in self.peers.ids() {
            self.judge_peer_again(peer);
        }
    }

    /// Who this router is.
    pub(super) fn set_identity(&mut self, identity: Identity) {
        if std::mem::replace(&mut self.config.identity, identity) == identity {
            return;
        }
        for peer in self.peers.ids() {
            self.judge_peer_again(peer);
        }
        for family in Family::ALL {
            on_family!(self, family, |table, _cx| table.dependent.remake());
        }
        // Paths of this router's own have its identifier in the decision, and no peer.
        self.redecide();
    }

    /// What is known of a peer whose session stays.
    pub(super) fn set_facts(&mut self, peer: PeerId, mut facts: PeerFacts) {
        validate_by(&mut facts.families, self.validation.as_ref());
        let Some(state) = self.peers.get_mut(peer).filter(|peer| peer.up) else {
            return;
        };
        if state.facts.as_ref() == Some(&facts) {
            return;
        }
        state.facts = Some(facts);
        self.judge_peer_again(peer);
    }

    /// All that a peer has sent is judged again, and it is told what differs.
    fn judge_peer_again(&mut self, peer: PeerId) {
        let Some(state) = self.peers.get(peer) else {
            return;
        };
        let (up, Some(facts)) = (state.up, state.facts.clone()) else {
            return;
        };
        for family in Family::ALL {
            let mut differing = Difference::everywhere();
            on_family!(self, family, |table, cx| table.reimport(
                cx,
                peer,
                &mut differing
            ));
        }
        // One that is away is told everything when it is back.
        if up {
            self.regroup(peer, &facts);
        }
    }

    pub(super) fn set_addresses(
        &mut self,
        peer: PeerId,
        ipv4: Option<Ipv4Addr>,
        ipv6: Option<Ipv6Addr>,
        link_local: Option<Ipv6Addr>,
    ) {
        let Some(state) = self.peers.get_mut(peer).filter(|peer| peer.up) else {
            return;
        };
        let Some(facts) = state.facts.as_mut() else {
            return;
        };
        let before = (facts.local_ipv4, facts.local_ipv6, facts.local_link);
        if before == (ipv4, ipv6, link_local) {
            return;
        }
        (facts.local_ipv4, facts.local_ipv6) = (ipv4, ipv6);
        facts.local_link = link_local;
        let facts = facts.clone();
        self.regroup(peer, &facts);
    }

    pub(super) fn set_shared_networks(&mut self, peer: PeerId, networks: Vec<Prefix>) {
        let state = self.peers.get_mut(peer).filter(|peer| peer.up);
        let Some(facts) = state.and_then(|state| state.facts.as_mut()) else {
            return;
        };
        if facts.shared_networks == networks {
            return;
        }
        facts.shared_networks = networks;
        let facts = facts.clone();
        self.regroup(peer, &facts);
    }

    /// Tells a peer what differs now that its facts do.
    pub(super) fn regroup(&mut self, peer: PeerId, facts: &PeerFacts) {
        for (family, settings) in facts.families.iter() {
            if let Some(settings) = settings {
                on_family!(self, family, |table, cx| table
                    .regroup(cx, peer, facts, settings));
            }
        }
    }

    /// Marks what a peer sent: it stays until the peer sends it again or everything else.
    pub(super) fn mark_stale(&mut self, peer: PeerId, family: Family) {
        on_family!(self, family, |table, _cx| table.mark_stale(peer));
        if let Some(peer) = self.peers.get_mut(peer) {
            let before = std::mem::replace(peer.stale.get_mut(family), true);
            *peer.old.get_mut(family) &= before;
        }
    }

    /// Lets go of routes that a peer has not sent again.
    pub(super) fn drop_stale(&mut self, peer: PeerId, family: Family) {
        let Some(state) = self.peers.get_mut(peer) else {
            return;
        };
        if std::mem::take(state.stale.get_mut(family)) {
            on_family!(self, family, |table, cx| table.purge(cx, peer, true));
        }
    }
}
