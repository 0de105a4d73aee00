//! What the three tables share: peers as they stand, attribute sets, next hops, configuration.
//!
//! A table is lent it for one step, to change it ([`Cx`]) or to read it ([`View`]); nobody keeps
//! it. What peers sent, and what each family is still to tell them, is in the tables.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use super::batch::Batch;
use super::decision::{Sender, Source};
use super::interner::Interner;
use super::next_hops::NextHops;
use super::path::PeerId;
use super::peer::{PeerFacts, PeerFamily};
use super::{Config, Output, WINDOW};
use crate::family::{Family, PerFamily};

/// What the tables share, to change it.
pub(super) struct Cx<'a> {
    pub(super) peers: &'a mut Peers,
    pub(super) interner: &'a mut Interner,
    pub(super) config: &'a Config,
    pub(super) next_hops: &'a NextHops,
}

impl Cx<'_> {
    pub(super) fn view(&self) -> View<'_> {
        View {
            peers: self.peers,
            config: self.config,
            next_hops: self.next_hops,
        }
    }

    /// The view, and what is no part of it.
    pub(super) fn split(&mut self) -> (View<'_>, &mut Interner) {
        let view = View {
            peers: self.peers,
            config: self.config,
            next_hops: self.next_hops,
        };
        (view, self.interner)
    }

    pub(super) fn send(&mut self, to: PeerId, batch: Arc<Batch>, outputs: &mut VecDeque<Output>) {
        if let Some(peer) = self.peers.get_mut(to) {
            peer.in_flight += batch.len();
            outputs.push_back(Output::Send(to, batch));
        }
    }
}

/// What the tables share, to read it.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) peers: &'a Peers,
    pub(super) config: &'a Config,
    pub(super) next_hops: &'a NextHops,
}

impl View<'_> {
    pub(super) fn source(&self, peer: PeerId) -> Source {
        self.peers.source(peer, self.config)
    }

    /// What the decision compares of it.
    pub(super) fn sender(&self, peer: PeerId) -> Sender {
        let facts = self.peers.get(peer).and_then(|peer| peer.facts.as_ref());
        Sender {
            external: facts.is_some_and(PeerFacts::external),
            router_id: facts.map_or(self.config.identity.router_id, |facts| facts.router_id),
            address: facts.map_or_else(|| Ipv4Addr::UNSPECIFIED.into(), |facts| facts.address),
        }
    }
}

/// All peers by number.
#[derive(Debug, Default)]
pub(super) struct Peers {
    pub(super) peers: Vec<Peer>,
}

impl Peers {
    pub(super) fn get(&self, peer: PeerId) -> Option<&Peer> {
        self.peers.get(usize::from(peer.0))
    }

    pub(super) fn get_mut(&mut self, peer: PeerId) -> Option<&mut Peer> {
        self.peers.get_mut(usize::from(peer.0))
    }

    pub(super) fn entry(&mut self, peer: PeerId) -> Option<&mut Peer> {
        let at = usize::from(peer.0);
        if self.peers.len() <= at {
            self.peers.resize_with(at + 1, Peer::default);
        }
        self.peers.get_mut(at)
    }

    pub(super) fn settings(
        &self,
        peer: PeerId,
        family: Family,
    ) -> Option<(&PeerFacts, &PeerFamily)> {
        let facts = self.get(peer)?.facts.as_ref()?;
        Some((facts, facts.families.get(family).as_ref()?))
    }

    pub(super) fn source(&self, peer: PeerId, config: &Config) -> Source {
        let facts = self.get(peer).and_then(|peer| peer.facts.as_ref());
        facts.map_or(
            Source {
                external: false,
                internal: false,
                client: PerFamily::default(),
                server_client: PerFamily::default(),
                instance: false,
                overlay: false,
                router_id: config.identity.router_id,
                address: IpAddr::V4(Ipv4Addr::UNSPECIFIED).into(),
            },
            PeerFacts::source,
        )
    }

    /// Stale routes of the peer are a last resort.
    pub(super) fn is_old(&self, peer: PeerId, family: Family) -> bool {
        self.get(peer).is_some_and(|peer| *peer.old.get(family))
    }

    pub(super) fn can_take(&self, peer: PeerId) -> bool {
        self.get(peer)
            .is_some_and(|peer| peer.up && peer.in_flight < WINDOW)
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = PeerId> + use<> {
        (0..u16::try_from(self.peers.len()).unwrap_or(u16::MAX)).map(PeerId)
    }
}

/// State of a peer.
#[derive(Debug, Default)]
pub(super) struct Peer {
    /// Facts of the session, or of the last one while its routes are kept.
    pub(super) facts: Option<PeerFacts>,
    pub(super) up: bool,
    pub(super) in_flight: usize,
    /// Families with stale routes.
    pub(super) stale: PerFamily<bool>,
    /// Families of these that are a last resort.
    pub(super) old: PerFamily<bool>,
}
