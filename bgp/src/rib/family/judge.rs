//! Routes that are there, judged again: other policy, other VRPs, other next hops, old age.
//!
//! Each of these says which routes it may make a difference to. Of those, what was received (kept
//! beside what policy made of it) goes through import once more, the path is put back in its place
//! and the prefix decided anew; what that does to the best path is marked like any other change.
//! What export may say otherwise is left with the groups, which judge it when they tell.
//!
//! Which routes an edit of policy or another table of VRPs may concern is not found out here but in
//! [`crate::policy::Difference`] and [`Affected`]; what import says, in [`crate::rib::import`].

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use super::{FamilyRib, Key};
use crate::attributes::Attributes;
use crate::community::Community;
use crate::family::Family;
use crate::nlri::Nlri;
use crate::packed::Slot;
use crate::policy::Difference;
use crate::rib::change::{remove, replace};
use crate::rib::export::GroupSettings;
use crate::rib::group::{self, Group};
use crate::rib::import::import;
use crate::rib::interner::Interner;
use crate::rib::next_hops;
use crate::rib::path::{Path, PeerId, Standing};
use crate::rib::several::Several;
use crate::rib::{Cx, PeerFacts, PeerFamily, View};
use crate::rpki::{Affected, Validation};
use crate::scoped_addr::ScopedAddr;

impl<K: Key> FamilyRib<K> {
    /// Stale routes of a peer become a last resort (RFC 9494 §4.2): paths that take part are marked,
    /// which the decision looks at first, and those that may not be kept so go.
    pub(in crate::rib) fn grow_old(&mut self, cx: &mut Cx<'_>, peer: PeerId) {
        let Some(received) = self.received.get(&peer) else {
            return;
        };
        let slots: Vec<Slot> = received.slots.iter().collect();
        for slot in slots {
            let Some(entry) = self.table.get(slot) else {
                continue;
            };
            let paths = entry.paths.as_slice().iter();
            let stale = paths.filter(|path| path.peer == peer && path.standing.is_stale());
            let (gone, old): (Vec<Path>, Vec<Path>) = stale
                .cloned()
                .partition(|path| path.received().is_no_llgr());
            let (view, interner) = cx.split();
            let seed = view.config.seed;
            let old = old.into_iter().filter(|path| path.standing.takes_part());
            let old: Vec<Path> = old.map(|path| last_resort(interner, seed, path)).collect();
            self.edit(cx, slot, |(paths, spare), received| {
                let gone = |path: &Path| gone.iter().any(|it| it.is(path.peer, path.path_id));
                remove((&mut *paths, &mut *spare), received, peer, slot, gone);
                let received = received.entry(peer).or_default();
                for path in old {
                    replace((&mut *paths, &mut *spare), received, slot, path);
                }
            });
        }
    }

    /// Applies a changed import policy to what the peer has sent, where it may make a difference.
    pub(in crate::rib) fn reimport(
        &mut self,
        cx: &mut Cx<'_>,
        peer: PeerId,
        differing: &mut Difference,
    ) {
        let Some(received) = self.received.get(&peer) else {
            return;
        };
        if differing.is_nowhere() {
            return;
        }
        let settings = cx.peers.settings(peer, self.family);
        let as_received = settings
            .is_some_and(|(facts, family)| family.shows_policy_what_came(facts, cx.config));
        let concerned = received.slots.iter().filter(|slot| {
            let Some(entry) = self.table.get(*slot) else {
                return false;
            };
            let mut own = entry.paths.as_slice().iter().filter(|it| it.peer == peer);
            own.any(|path| {
                let seen = || as_received.then(|| path.received());
                differing.concerns(|| entry.key.nlri(), seen)
            })
        });
        let slots: Vec<Slot> = concerned.collect();
        for slot in slots {
            self.judge_again(cx, peer, slot);
        }
    }

    /// Gives policies that validate another table, and judges again what it may say something else
    /// about: at import for the peers whose policy asks, at export for the groups whose does.
    pub(in crate::rib) fn validate(
        &mut self,
        cx: &mut Cx<'_>,
        validation: Option<&Arc<Validation>>,
        affected: &Affected,
    ) {
        let asks = |peer: &PeerId| {
            let settings = cx.peers.settings(*peer, self.family);
            settings.is_some_and(|(_, family)| family.import.validates())
        };
        let importers: BTreeSet<PeerId> = self.received.keys().copied().filter(asks).collect();
        let dependent = self.validate_dependent(validation);
        let mut exporters: Vec<(&mut Group, GroupSettings)> = Vec::new();
        for group in &mut self.groups {
            if group.settings.export.validates() {
                let before = group.settings.clone();
                group.settings.export.validate_by(validation);
                exporters.push((group, before));
            }
        }
        let several = self.several.iter_mut();
        let mut several: Vec<&mut Several<K>> = several
            .filter(|it| it.settings.export.validates())
            .collect();
        for it in &mut several {
            it.settings.export.validate_by(validation);
        }
        let nobody = importers.is_empty() && exporters.is_empty() && several.is_empty();
        let nobody = nobody && !dependent;
        if nobody || affected.is_empty() || self.family == Family::Evpn {
            return;
        }
        let concerned = self.table.iter().filter(|(_, entry)| {
            let prefix = entry.key.nlri().prefix();
            prefix.is_some_and(|prefix| affected.covers(prefix))
        });
        let slots: Vec<Slot> = concerned.map(|(slot, _)| slot).collect();
        for (group, before) in exporters {
            let entries = slots.iter().copied();
            let entries = entries.filter_map(|slot| Some((slot, self.table.get(slot)?)));
            let settings = (&before, &group.settings);
            let (view, dependent) = (cx.view(), &self.dependent);
            let differing = group::differing_among(view, dependent, settings, entries);
            group.tell(&differing);
        }
        for it in several {
            it.mark_all(slots.iter().copied());
        }
        if dependent {
            self.depend_again(&slots);
        }
        for slot in slots {
            let Some(entry) = self.table.get(slot) else {
                continue;
            };
            let paths = entry.paths.as_slice().iter();
            let concerned: BTreeSet<PeerId> = paths
                .map(|path| path.peer)
                .filter(|peer| importers.contains(peer))
                .collect();
            for peer in concerned {
                self.judge_again(cx, peer, slot);
            }
        }
    }

    /// Applies import policy and checks again where these next hops have come or gone.
    pub(in crate::rib) fn next_hops_changed(
        &mut self,
        cx: &mut Cx<'_>,
        changed: &HashSet<ScopedAddr>,
    ) {
        let mut concerned: Vec<(Slot, PeerId)> = Vec::new();
        let mut of_slot: BTreeSet<PeerId> = BTreeSet::new();
        for (slot, entry) in self.table.iter() {
            for path in entry.paths.as_slice() {
                // Nobody judges what is of this router itself.
                let Some((facts, settings)) = cx.peers.settings(path.peer, self.family) else {
                    continue;
                };
                let has_map = settings.import.map().is_some();
                if next_hops::concerns(changed, path, facts, has_map) {
                    of_slot.insert(path.peer);
                }
            }
            // Once a peer, however many paths it sent and in which order they stand.
            let peers = std::mem::take(&mut of_slot).into_iter();
            concerned.extend(peers.map(|peer| (slot, peer)));
        }
        for (slot, peer) in concerned {
            self.judge_again(cx, peer, slot);
        }
    }

    /// Applies import policy and checks to what a peer has sent for one prefix.
    fn judge_again(&mut self, cx: &mut Cx<'_>, peer: PeerId, slot: Slot) {
        let Some(entry) = self.table.get(slot) else {
            return;
        };
        let nlri = entry.key.nlri();
        let known = entry.paths.as_slice().iter();
        let again: Vec<Path> = known.filter(|path| path.peer == peer).cloned().collect();
        let (view, interner) = cx.split();
        let Some(from) = view.peers.settings(peer, self.family) else {
            return;
        };
        let mut judged = Vec::with_capacity(again.len());
        for path in again {
            let received = path.received();
            let (attributes, standing) = judge(interner, view, from, &nlri, received);
            let standing = match path.standing.is_stale() {
                true => standing.to_stale(),
                false => standing,
            };
            let again = Path {
                attributes,
                standing,
                multipath: false,
                ..path.clone()
            };
            let old = standing.is_stale() && view.peers.is_old(peer, self.family);
            judged.push(match old && standing.takes_part() {
                true => last_resort(interner, view.config.seed, again),
                false => again,
            });
        }
        self.edit(cx, slot, |(paths, spare), received| {
            let received = received.entry(peer).or_default();
            for path in judged {
                replace((&mut *paths, &mut *spare), received, slot, path);
            }
        });
    }

    /// Decides every prefix again, after a change of the decision's own settings.
    pub(in crate::rib) fn redecide(&mut self, cx: &Cx<'_>) {
        let slots: Vec<Slot> = self.table.iter().map(|(slot, _)| slot).collect();
        for slot in slots {
            self.edit(cx, slot, |_, _| {});
        }
    }
}

/// The path as a last resort: marked with LLGR_STALE, beside what was received.
fn last_resort(interner: &mut Interner, seed: u64, path: Path) -> Path {
    let mut set = path.attributes.thaw();
    set.communities.push(Community::LLGR_STALE);
    let received = path.received().clone();
    let marked = set.freeze_with(seed).with_source(received);
    Path {
        attributes: interner.intern(marked),
        ..path
    }
}

/// Import with the result interned.
pub(super) fn judge(
    interner: &mut Interner,
    view: View<'_>,
    from: (&PeerFacts, &PeerFamily),
    nlri: &Nlri,
    received: &Attributes,
) -> (Attributes, Standing) {
    match import(view, from, nlri, received, None) {
        Ok(attributes) if attributes.is(received) => (attributes, Standing::Valid),
        Ok(attributes) => (interner.intern(attributes), Standing::Valid),
        Err(rejection) if rejection.is_loop() => (received.clone(), Standing::Looped),
        Err(_) => (received.clone(), Standing::Rejected),
    }
}
