//! One prefix: its paths before and after a change, and what the change did.
//!
//! A path comes, goes or is judged anew; the decision puts the best one first; what was in use
//! before is compared with what is now. Who is to hear of it, and when, is the family's business
//! ([`super::family`]).

use std::collections::HashMap;

use super::decision::{self, Choice, Newcomer, Options};
use super::family::Key;
use super::path::{Path, Paths, PeerId, Spare, Standing};
use super::slots::SlotSet;
use super::table::Table;
use super::{BestPath, View};
use crate::family::Family;
use crate::packed::Slot;

/// What one peer sent in this family.
#[derive(Debug, Default)]
pub(super) struct Received {
    pub(super) slots: SlotSet,
    pub(super) paths: usize,
    /// Of the paths, those that take no part in the decision.
    pub(super) rejected: usize,
    /// Of the rejected, those that came back to where they are from.
    pub(super) looped: usize,
}

impl Received {
    fn count(&mut self, standing: Standing) {
        self.rejected += usize::from(!standing.takes_part());
        self.looped += usize::from(standing.is_looped());
    }

    /// Puts a path of the peer in. Where it is `fresh`, the peer's first one of the prefix, none of the
    /// others is looked at: some of them would have to be read from memory.
    fn put(&mut self, (paths, spare): (&mut Paths, &mut Spare), fresh: bool, path: Path) {
        self.count(path.standing);
        let old = match fresh {
            true => {
                paths.push(path, spare);
                None
            }
            false => paths.upsert(path, spare),
        };
        match old {
            Some(old) => self.discount(old.standing),
            None => self.paths += 1,
        }
    }

    fn discount(&mut self, standing: Standing) {
        self.rejected -= usize::from(!standing.takes_part());
        self.looped -= usize::from(standing.is_looped());
    }
}

/// Peers are numbered by us, so their hash needs no secret; it is looked up for every path.
pub(super) type ByPeer = HashMap<PeerId, Received, foldhash::fast::FixedState>;

/// What identifies a path in use, to see whether a decision changed anything. Under which
/// identifier it came is no news to those who are told one path, or forward.
type Mark = (usize, PeerId);

fn mark(path: &Path) -> Mark {
    (path.attributes.address(), path.peer)
}

/// State of a slot before a change.
pub(super) struct Before {
    best: Option<Mark>,
    multipath: Vec<Mark>,
    /// Not looked for, unless somebody forwards.
    next_best: Option<Mark>,
}

impl Before {
    pub(super) fn of(paths: &Paths, view: View<'_>, follow: bool) -> Self {
        let multipath = match paths {
            Paths::None | Paths::One(_) => Vec::new(),
            Paths::Many(paths) => paths
                .iter()
                .filter(|path| path.multipath)
                .map(mark)
                .collect(),
        };
        Self {
            best: paths.best().map(mark),
            multipath,
            next_best: followed(paths, view, follow),
        }
    }
}

/// The path that follows the best one, if somebody forwards.
pub(super) fn followed(paths: &Paths, view: View<'_>, follow: bool) -> Option<Mark> {
    follow.then(|| next_best(paths, view))?.map(mark)
}

/// The path that is best without the peer of the best one, where that alone is in use.
pub(super) fn next_best<'a>(paths: &'a Paths, view: View<'_>) -> Option<&'a Path> {
    let Paths::Many(many) = paths else {
        return None;
    };
    let (best, rest) = many.split_first()?;
    if !best.standing.takes_part() || rest.iter().any(|path| path.multipath) {
        return None;
    }
    let others: Vec<Path>;
    let candidates = match rest.iter().any(|path| path.peer == best.peer) {
        // Of several paths of that peer all are gone with it.
        true => {
            let of_others = rest.iter().filter(|path| path.peer != best.peer);
            others = of_others.cloned().collect();
            others.as_slice()
        }
        false => rest,
    };
    let choice = match candidates {
        [] => None,
        [only] => only.standing.takes_part().then_some(0),
        _ => {
            decision::choose(
                candidates,
                |peer| view.sender(peer),
                Options {
                    rules: view.config.rules,
                    ..Options::default()
                },
                |_, _| {},
            )
            .best
        }
    };
    let next = candidates.get(choice?)?;
    // In the list itself, which outlives the candidates.
    rest.iter().find(|path| path.is(next.peer, next.path_id))
}

/// Puts a path in and decides; the slot and what changed.
pub(super) fn put<K: Key>(
    table: &mut Table<K>,
    received: &mut Received,
    view: View<'_>,
    follow: bool,
    slot: Slot,
    path: Path,
) -> Option<(Slot, Moved)> {
    let (entry, spare) = table.edit(slot)?;
    let fresh = received.slots.insert(slot);
    match stance(&entry.paths, view, K::FAMILY, &path, fresh) {
        Newcomer::Behind => {
            let before = followed(&entry.paths, view, follow);
            received.put((&mut entry.paths, spare), fresh, path);
            let moved = before != followed(&entry.paths, view, follow);
            moved.then_some((slot, Moved::BEHIND))
        }
        Newcomer::Ahead => {
            let old = entry.paths.best().map(|best| best.peer);
            received.put((&mut entry.paths, spare), fresh, path);
            // It stands last, and nothing is in use beside the best one.
            if let [first, .., last] = entry.paths.as_mut_slice() {
                std::mem::swap(first, last);
            }
            Some((slot, Moved::ahead_of(old)))
        }
        Newcomer::Unclear => {
            let before = Before::of(&entry.paths, view, follow);
            received.put((&mut entry.paths, spare), fresh, path);
            let moved = decide(view, K::FAMILY, follow, &mut entry.paths, &before);
            Some((slot, moved))
        }
    }
}

/// What can be said of a path without a decision among all.
fn stance(paths: &Paths, view: View<'_>, family: Family, path: &Path, fresh: bool) -> Newcomer {
    let Some(best) = paths.best() else {
        return Newcomer::Unclear;
    };
    let rules = view.config.rules;
    let mut known = paths.as_slice().iter();
    let replaced = match fresh {
        true => None,
        false => known.find(|old| old.is(path.peer, path.path_id)),
    };
    let Some(old) = replaced else {
        let source = |peer| view.sender(peer);
        return match view.config.multipath.get(family).paths {
            0 | 1 => decision::newcomer(best, path, source, rules),
            _ if decision::is_bystander(Some(best), path, rules) => Newcomer::Behind,
            _ => Newcomer::Unclear,
        };
    };
    let aside = |path: &Path| decision::is_bystander(Some(best), path, rules);
    match aside(path) && aside(old) {
        true => Newcomer::Behind,
        false => Newcomer::Unclear,
    }
}

/// Puts a path in, in place of the same peer's one with the same identifier.
pub(super) fn replace(
    paths: (&mut Paths, &mut Spare),
    received: &mut Received,
    slot: Slot,
    path: Path,
) {
    let fresh = received.slots.insert(slot);
    received.put(paths, fresh, path);
}

pub(super) fn remove(
    (paths, spare): (&mut Paths, &mut Spare),
    received: &mut ByPeer,
    peer: PeerId,
    slot: Slot,
    gone: impl Fn(&Path) -> bool,
) {
    let count = received.entry(peer).or_default();
    paths.remove_if(spare, |path| {
        let gone = gone(path);
        if gone {
            count.paths -= 1;
            count.discount(path.standing);
        }
        gone
    });
    if !paths.as_slice().iter().any(|path| path.peer == peer) {
        count.slots.remove(slot);
    }
}

/// What a decision changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Moved {
    /// The best path is another one, or has other attributes.
    pub(super) best: bool,
    /// So have the paths that forward beside it, or the one that follows it.
    pub(super) forwarding: bool,
    /// Where the former best path came from.
    pub(super) old: Option<PeerId>,
    /// There was a best path, and now another one is.
    pub(super) replaced: bool,
}

impl Moved {
    /// Nothing in use changed, only what follows it.
    pub(super) const BEHIND: Self = Self {
        best: false,
        forwarding: true,
        old: None,
        replaced: false,
    };

    /// A new path is the best one, before that of `old`.
    fn ahead_of(old: Option<PeerId>) -> Self {
        Self {
            best: true,
            forwarding: true,
            old,
            replaced: old.is_some(),
        }
    }
}

/// Chooses the best path, puts it first and compares with `before`.
pub(super) fn decide(
    view: View<'_>,
    family: Family,
    follow: bool,
    paths: &mut Paths,
    before: &Before,
) -> Moved {
    if let Paths::Many(many) = paths {
        let choice = decision::choose(
            many,
            |peer| view.sender(peer),
            view.config.options(family),
            |_, _| {},
        );
        arrange(many, &choice);
    } else if let Some(path) = paths.as_mut_slice().first_mut() {
        path.multipath = false;
    }
    let after = Before::of(paths, view, follow);
    let best = after.best != before.best;
    let forwarding =
        best || after.multipath != before.multipath || after.next_best != before.next_best;
    Moved {
        best,
        forwarding,
        old: before.best.map(|(_, peer)| peer),
        replaced: best && before.best.is_some() && after.best.is_some(),
    }
}

/// Flags the chosen paths and moves the best one to the front.
fn arrange(paths: &mut [Path], choice: &Choice) {
    for (at, path) in paths.iter_mut().enumerate() {
        path.multipath = choice.multipath.contains(&at);
    }
    match choice.best {
        Some(best) if best > 0 => paths.swap(0, best),
        Some(_) => {}
        // None takes part: the first one does not either, which is what `best()` looks at.
        None => {}
    }
}

/// The paths in use, best first.
pub(super) fn forwarding(paths: &Paths, view: View<'_>) -> Vec<BestPath> {
    let Some(best) = paths.best() else {
        return Vec::new();
    };
    let behind = paths.as_slice().iter().skip(1);
    let mut beside: Vec<&Path> = behind.filter(|path| path.multipath).collect();
    // The table's order is that of arrival.
    beside.sort_by_key(|path| decision::order(path, |peer| view.sender(peer)));
    let used = std::iter::once(best).chain(beside);
    used.map(|path| in_use(path, view)).collect()
}

pub(super) fn in_use(path: &Path, view: View<'_>) -> BestPath {
    BestPath {
        peer: path.peer,
        attributes: path.attributes.clone(),
        external: view.source(path.peer).external,
    }
}
