//! Reading the tables: what `show` and `explain` print.
//!
//! Reasons are those the decision, import and export return when asked again with the same
//! input; nothing is decided by other code for display.

use std::sync::Arc;

use super::decision::Step;
use super::export::{GroupSettings, Withheld};
use super::family::{FamilyRib, Key};
use super::import::{Rejection, import};
use super::path::{Path, PeerId};
use super::{Rib, View};
use crate::attributes::Attributes;
use crate::family::{Family, PerFamily};
use crate::nlri::{Nlri, PathId};
use crate::policy::Trace;

/// A key with its paths, best first.
#[derive(Debug, Clone)]
pub struct RouteView {
    /// The key.
    pub nlri: Nlri,
    /// Its paths.
    pub paths: Vec<PathView>,
}

/// A path as it stands in the table.
#[derive(Debug, Clone)]
pub struct PathView {
    /// Who sent it; [`PeerId::LOCAL`] for a route of this router.
    pub peer: PeerId,
    /// Path identifier of RFC 7911.
    pub path_id: PathId,
    /// Attributes after import policy (as advertised in [`Select::Advertised`]).
    pub attributes: Arc<Attributes>,
    /// Attributes as received.
    pub received: Arc<Attributes>,
    /// It is the best path.
    pub best: bool,
    /// It forwards beside the best one.
    pub multipath: bool,
    /// Its peer is restarting.
    pub stale: bool,
    /// Why it takes no part in the decision.
    pub rejection: Option<Rejection>,
    /// Why it is not the best.
    pub lost: Option<Step>,
}

/// Which routes to visit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Select {
    /// All with any path.
    All,
    /// Those a peer sent, as it sent them.
    Received(PeerId),
    /// Those a peer was told, as it was told.
    Advertised(PeerId),
}

/// Numbers of one peer.
pub type Counts = PerFamily<FamilyCounts>;

/// Numbers of one peer and family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FamilyCounts {
    /// Paths received.
    pub received: usize,
    /// Of these, paths that passed the checks and policy.
    pub accepted: usize,
    /// Prefixes the peer has been told of.
    pub advertised: usize,
}

/// Why and what a peer is told of a route.
#[derive(Debug, Clone)]
pub struct Advertisement {
    /// The peer.
    pub peer: PeerId,
    /// What it is told, or why nothing.
    pub result: Result<Arc<Attributes>, Withheld>,
    /// Steps of the export policy.
    pub trace: Trace,
}

impl Rib {
    /// Visits routes in no order until `visit` returns false.
    pub fn visit(&self, family: Family, select: Select, mut visit: impl FnMut(RouteView) -> bool) {
        let view = self.reading();
        match family {
            Family::Ipv4Unicast => self.v4.visit(view, select, &mut visit),
            Family::Ipv6Unicast => self.v6.visit(view, select, &mut visit),
            Family::Evpn => self.evpn.visit(view, select, &mut visit),
        }
    }

    /// One route.
    pub fn route(&self, nlri: &Nlri) -> Option<RouteView> {
        let view = self.reading();
        match nlri {
            Nlri::V4(key) => self.v4.route(view, key),
            Nlri::V6(key) => self.v6.route(view, key),
            Nlri::Evpn(key) => self.evpn.route(view, key),
        }
    }

    /// Steps of the import policy for a path of a route.
    pub fn import_trace(&self, nlri: &Nlri, path: &PathView) -> Trace {
        let mut trace = Trace::default();
        if let Some((facts, settings)) = self.peers.settings(path.peer, nlri.family()) {
            let config = &self.config;
            // Only the steps are wanted; the verdict stands in the path already.
            drop(import(
                facts,
                settings,
                config.router_id,
                config.seed,
                nlri,
                &path.received,
                Some(&mut trace),
            ));
        }
        trace
    }

    /// What every Established peer is told of a route, and why.
    pub fn advertisements(&self, nlri: &Nlri) -> Vec<Advertisement> {
        let view = self.reading();
        let family = nlri.family();
        let up = self
            .peers
            .ids()
            .filter(|peer| self.peers.get(*peer).is_some_and(|it| it.up));
        up.filter_map(|peer| {
            let (facts, settings) = self.peers.settings(peer, family)?;
            let settings = GroupSettings::of(facts, family, settings);
            let mut trace = Trace::default();
            let result = match nlri {
                Nlri::V4(key) => self.v4.told(view, &settings, peer, key, &mut trace),
                Nlri::V6(key) => self.v6.told(view, &settings, peer, key, &mut trace),
                Nlri::Evpn(key) => self.evpn.told(view, &settings, peer, key, &mut trace),
            };
            Some(Advertisement {
                peer,
                result,
                trace,
            })
        })
        .collect()
    }

    /// Numbers of one peer.
    pub fn counts(&self, peer: PeerId) -> Counts {
        PerFamily {
            ipv4_unicast: self.v4.counts(peer),
            ipv6_unicast: self.v6.counts(peer),
            evpn: self.evpn.counts(peer),
        }
    }

    /// True when everything a peer is to be told has been written to it.
    pub fn is_settled(&self, peer: PeerId) -> bool {
        let idle = self.v4.is_settled(peer) && self.v6.is_settled(peer);
        let written = self
            .peers
            .get(peer)
            .is_some_and(|peer| peer.up && peer.in_flight == 0);
        idle && self.evpn.is_settled(peer) && written
    }

    /// Number of a peer's routes that are kept over its restart.
    pub fn stale(&self, peer: PeerId, family: Family) -> usize {
        let mut count = 0;
        if self
            .peers
            .get(peer)
            .is_some_and(|peer| *peer.stale.get(family))
        {
            self.visit(family, Select::Received(peer), |route| {
                count += route.paths.iter().filter(|path| path.stale).count();
                true
            });
        }
        count
    }

    /// Number of prefixes with a path.
    pub fn prefixes(&self, family: Family) -> usize {
        match family {
            Family::Ipv4Unicast => self.v4.table.len(),
            Family::Ipv6Unicast => self.v6.table.len(),
            Family::Evpn => self.evpn.table.len(),
        }
    }

    /// Number of distinct attribute sets kept.
    pub fn attribute_sets(&self) -> usize {
        self.interner.len()
    }

    /// True while selection is held back after a restart.
    pub fn is_holding(&self) -> bool {
        self.awaited.as_ref().is_some_and(|awaited| awaited.hold)
    }

    fn reading(&self) -> View<'_> {
        View {
            peers: &self.peers,
            config: &self.config,
        }
    }
}

impl<K: Key> FamilyRib<K> {
    fn visit(&self, view: View<'_>, select: Select, visit: &mut impl FnMut(RouteView) -> bool) {
        match select {
            Select::All => {
                for (_, entry) in self.table.iter() {
                    if !entry.paths.is_empty() && !visit(self.view_of(view, &entry.key, |_| true))
                    {
                        return;
                    }
                }
            }
            Select::Received(peer) => {
                let Some(received) = self.received.get(&peer) else {
                    return;
                };
                for slot in received.slots.iter() {
                    let Some(entry) = self.table.get(slot) else {
                        continue;
                    };
                    if !visit(self.view_of(view, &entry.key, |path| path.peer == peer)) {
                        return;
                    }
                }
            }
            Select::Advertised(peer) => self.visit_advertised(view, peer, visit),
        }
    }

    fn visit_advertised(
        &self,
        view: View<'_>,
        peer: PeerId,
        visit: &mut impl FnMut(RouteView) -> bool,
    ) {
        let Some(group) = self
            .groups
            .iter()
            .find(|group| group.told_count(peer).is_some())
        else {
            return;
        };
        for (slot, entry) in self.table.iter() {
            if group.told(peer, slot) != Some(true) {
                continue;
            }
            let mut trace = Trace::default();
            let told = self.told(view, &group.settings, peer, &entry.key, &mut trace);
            let (Ok(attributes), Some(best)) = (told, entry.paths.best()) else {
                continue;
            };
            let path = PathView {
                peer: best.peer,
                path_id: 0,
                received: Arc::clone(&attributes),
                attributes,
                best: true,
                multipath: false,
                stale: false,
                rejection: None,
                lost: None,
            };
            if !visit(RouteView {
                nlri: entry.key.nlri(),
                paths: vec![path],
            }) {
                return;
            }
        }
    }

    fn route(&self, view: View<'_>, key: &K) -> Option<RouteView> {
        let entry = self.table.get(self.table.find(key)?)?;
        (!entry.paths.is_empty()).then(|| self.view_of(view, key, |_| true))
    }

    fn view_of(&self, view: View<'_>, key: &K, wanted: impl Fn(&Path) -> bool) -> RouteView {
        let nlri = key.nlri();
        let entry = self.table.find(key).and_then(|slot| self.table.get(slot));
        let Some(entry) = entry else {
            return RouteView {
                nlri,
                paths: Vec::new(),
            };
        };
        let steps = self.reasons(view, &entry.paths);
        let best = entry.paths.best().is_some();
        let paths = entry.paths.as_slice().iter().zip(steps).enumerate();
        let paths = paths.filter(|(_, (path, _))| wanted(path));
        let paths = paths
            .map(|(at, (path, lost))| PathView {
                peer: path.peer,
                path_id: path.path_id,
                attributes: Arc::clone(&path.attributes),
                received: Arc::clone(path.received()),
                best: best && at == 0,
                multipath: path.multipath,
                stale: path.standing.is_stale(),
                rejection: (!path.standing.takes_part())
                    .then(|| self.rejection(view, &nlri, path))
                    .flatten(),
                lost,
            })
            .collect();
        RouteView { nlri, paths }
    }

    fn rejection(&self, view: View<'_>, nlri: &Nlri, path: &Path) -> Option<Rejection> {
        let (facts, settings) = view.peers.settings(path.peer, self.family)?;
        let config = view.config;
        import(
            facts,
            settings,
            config.router_id,
            config.seed,
            nlri,
            path.received(),
            None,
        )
        .err()
    }

    fn told(
        &self,
        view: View<'_>,
        settings: &GroupSettings,
        peer: PeerId,
        key: &K,
        trace: &mut Trace,
    ) -> Result<Arc<Attributes>, Withheld> {
        let entry = self.table.find(key).and_then(|slot| self.table.get(slot));
        let best = entry
            .and_then(|entry| entry.paths.best())
            .ok_or(Withheld::NoPath)?;
        if best.peer == peer {
            return Err(Withheld::FromThisPeer);
        }
        let set = settings.export(&key.nlri(), best, view.source(best.peer), Some(trace))?;
        Ok(Arc::new(set.freeze_with(view.config.seed)))
    }

    /// What the peer's group was told, less what the peer itself sent.
    fn advertised(&self, peer: PeerId) -> usize {
        let Some((group, told)) = self
            .groups
            .iter()
            .find_map(|group| Some((group, group.told_count(peer)?)))
        else {
            return 0;
        };
        let slots = self
            .received
            .get(&peer)
            .into_iter()
            .flat_map(|it| it.slots.iter());
        let own = slots.filter(|slot| {
            let best = self.table.get(*slot).and_then(|entry| entry.paths.best());
            best.is_some_and(|best| best.peer == peer) && group.told(peer, *slot) == Some(true)
        });
        told - own.count()
    }

    fn is_settled(&self, peer: PeerId) -> bool {
        !self.has_changes() && !self.groups.iter().any(|group| group.is_lagging(peer))
    }

    fn counts(&self, peer: PeerId) -> FamilyCounts {
        let received = self.received.get(&peer);
        FamilyCounts {
            received: received.map_or(0, |it| it.paths),
            accepted: received.map_or(0, |it| it.paths - it.rejected),
            advertised: self.advertised(peer),
        }
    }
}
