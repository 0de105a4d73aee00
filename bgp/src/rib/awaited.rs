//! Whom a start waits for (RFC 4724 §4.1): peers that are to send what they have before routes
//! are chosen.
//!
//! Each family waits for the End-of-RIB of its own peers. One that has sent all, will not come,
//! or waits itself and has been waited for long enough is struck off; a family for which nobody
//! is left has converged, and so have all when the time is over.
//!
//! Who is awaited comes with the input, and that nobody is told of a held family before is seen
//! to by [`Rib::poll`]. Routes kept over a neighbour's restart are another matter
//! ([`super::Rib`]).

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::Rib;
use super::path::PeerId;
use crate::family::{Family, PerFamily};

/// Peers whose End-of-RIB is awaited after a start.
#[derive(Debug)]
pub(super) struct Awaited {
    pub(super) peers: PerFamily<BTreeSet<PeerId>>,
    /// Peers that say they wait for others themselves, and until when they are waited for.
    pub(super) restarting: BTreeMap<PeerId, Instant>,
    pub(super) until: Instant,
    pub(super) hold: bool,
}

/// RFC 4724 §4.1 excludes peers that have restarted, too, from those to wait for, since both would
/// wait for ever. FRR says so for two minutes after its start although it has long chosen its
/// routes; a short wait serves both.
pub(super) const RESTARTING_PATIENCE: Duration = Duration::from_secs(3);

impl Rib {
    pub(super) fn expect(
        &mut self,
        now: Instant,
        peers: PerFamily<BTreeSet<PeerId>>,
        time: Duration,
        hold: bool,
    ) {
        let none = peers.iter().filter(|(_, peers)| peers.is_empty());
        self.converged.extend(none.map(|(family, _)| family));
        self.awaited = Some(Awaited {
            peers,
            restarting: BTreeMap::new(),
            until: now + time,
            hold,
        });
        self.settle();
    }

    /// A peer has sent all it has of a family, or will not.
    pub(super) fn arrived(&mut self, peer: PeerId, family: Family) {
        let Some(awaited) = &mut self.awaited else {
            return;
        };
        if awaited.peers.get_mut(family).remove(&peer) && awaited.peers.get(family).is_empty() {
            self.converged.push(family);
        }
        self.settle();
    }

    fn settle(&mut self) {
        let done = self
            .awaited
            .as_ref()
            .is_some_and(|awaited| awaited.peers.iter().all(|(_, peers)| peers.is_empty()));
        if done {
            self.awaited = None;
        }
    }

    pub(super) fn timeout(&mut self, now: Instant) {
        if let Some(awaited) = self.awaited.take_if(|awaited| awaited.until <= now) {
            let late = awaited.peers.iter().filter(|(_, peers)| !peers.is_empty());
            self.converged.extend(late.map(|(family, _)| family));
            return;
        }
        let Some(awaited) = &mut self.awaited else {
            return;
        };
        let mut waiting = Vec::new();
        awaited.restarting.retain(|peer, until| {
            let over = *until <= now;
            if over {
                waiting.push(*peer);
            }
            !over
        });
        for peer in waiting {
            for family in Family::ALL {
                self.arrived(peer, family);
            }
        }
    }
}
