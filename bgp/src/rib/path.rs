//! A path: one peer's route to one prefix.

use thin_vec::ThinVec;

use crate::attributes::Attributes;
use crate::nlri::PathId;
use crate::policy::Together;

/// A peer in the table's eyes: a small number that names it in every path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(pub u16);

impl PeerId {
    /// Routes that this router originates itself.
    pub const LOCAL: PeerId = PeerId(0);
}

/// 16 octets; a prefix with one path holds it without a further allocation.
#[derive(Debug, Clone)]
pub(super) struct Path {
    /// Attributes after import policy; [`Attributes::source`] has them as received. A rejected
    /// path holds them as received.
    pub(super) attributes: Attributes,
    /// RFC 7911 identifier, 0 without add-path.
    pub(super) path_id: PathId,
    /// Who sent it.
    pub(super) peer: PeerId,
    /// May it be chosen.
    pub(super) standing: Standing,
    /// Chosen beside the best path for forwarding.
    pub(super) multipath: bool,
}

/// Whether a path takes part in the decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// Takes part.
    Valid,
    /// Takes part, and leaves unless its restarting peer sends it again (RFC 4724 §4.2).
    Stale,
    /// Kept as received, out of the decision.
    Rejected,
    /// Rejected and waiting as [`Standing::Stale`].
    RejectedStale,
    /// A route of this router or its AS that came back: rejected, as is to be expected of peers
    /// that do not leave it out.
    Looped,
    /// The same and waiting as [`Standing::Stale`].
    LoopedStale,
}

impl Standing {
    pub(super) fn takes_part(self) -> bool {
        matches!(self, Standing::Valid | Standing::Stale)
    }

    pub(super) fn is_stale(self) -> bool {
        matches!(
            self,
            Standing::Stale | Standing::RejectedStale | Standing::LoopedStale
        )
    }

    pub(super) fn is_looped(self) -> bool {
        matches!(self, Standing::Looped | Standing::LoopedStale)
    }

    pub(super) fn to_stale(self) -> Self {
        match self {
            Standing::Valid | Standing::Stale => Standing::Stale,
            Standing::Rejected | Standing::RejectedStale => Standing::RejectedStale,
            Standing::Looped | Standing::LoopedStale => Standing::LoopedStale,
        }
    }
}

impl Path {
    /// The attributes as the peer sent them.
    pub(super) fn received(&self) -> &Attributes {
        self.attributes.source().unwrap_or(&self.attributes)
    }

    pub(super) fn is(&self, peer: PeerId, path_id: PathId) -> bool {
        self.peer == peer && self.path_id == path_id
    }
}

/// The paths of one prefix. The best one, if any takes part, stands first.
#[derive(Debug, Clone, Default)]
pub(super) enum Paths {
    #[default]
    None,
    One(Path),
    /// Length and paths stand behind one pointer, so that the common case stays at 16 octets.
    Many(ThinVec<Path>),
}

impl Paths {
    /// What those that forward together have.
    pub(super) fn together(&self) -> Together {
        let best = self.best().into_iter();
        let beside = self.as_slice().iter().skip(1).filter(|it| it.multipath);
        let none = Together {
            paths: 0,
            octets_s: 0.0,
        };
        best.chain(beside).fold(none, |sum, path| {
            let mut all = path.attributes.extended_communities();
            let octets_s = all.find_map(|it| it.as_link_bandwidth());
            Together {
                paths: sum.paths.saturating_add(1),
                octets_s: sum.octets_s + octets_s.unwrap_or(0.0),
            }
        })
    }

    pub(super) fn as_slice(&self) -> &[Path] {
        match self {
            Paths::None => &[],
            Paths::One(path) => std::slice::from_ref(path),
            Paths::Many(paths) => paths,
        }
    }

    pub(super) fn as_mut_slice(&mut self) -> &mut [Path] {
        match self {
            Paths::None => &mut [],
            Paths::One(path) => std::slice::from_mut(path),
            Paths::Many(paths) => paths,
        }
    }

    /// Memory it takes beside itself.
    pub(super) fn octets(&self) -> usize {
        match self {
            Paths::None | Paths::One(_) => 0,
            // Behind a length and a capacity.
            Paths::Many(paths) => 2 * size_of::<usize>() + paths.capacity() * size_of::<Path>(),
        }
    }

    /// The path in use, if any takes part.
    pub(super) fn best(&self) -> Option<&Path> {
        self.as_slice()
            .first()
            .filter(|path| path.standing.takes_part())
    }

    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Paths::None)
    }

    /// Puts a path in, in place of the same peer's one with the same identifier, which it returns.
    pub(super) fn upsert(&mut self, path: Path, spare: &mut Spare) -> Option<Path> {
        let mut known = self.as_mut_slice().iter_mut();
        if let Some(old) = known.find(|old| old.is(path.peer, path.path_id)) {
            return Some(std::mem::replace(old, path));
        }
        self.push(path, spare);
        None
    }

    /// Puts a path in that is not there.
    pub(super) fn push(&mut self, path: Path, spare: &mut Spare) {
        match self {
            Paths::None => *self = Paths::One(path),
            Paths::One(_) => {
                let mut paths = spare.list(2);
                if let Paths::One(first) = std::mem::take(self) {
                    paths.push(first);
                }
                paths.push(path);
                *self = Paths::Many(paths);
            }
            Paths::Many(paths) => {
                if paths.len() == paths.capacity() {
                    // Not the double: with ten paths a third of the memory would stay empty.
                    let mut larger = spare.list(paths.len() + (paths.len() / 4).max(2));
                    larger.append(paths);
                    spare.keep(std::mem::replace(paths, larger));
                }
                paths.push(path);
            }
        }
    }

    /// Takes out what `gone` names; returns how many paths that were.
    pub(super) fn remove_if(
        &mut self,
        spare: &mut Spare,
        mut gone: impl FnMut(&Path) -> bool,
    ) -> usize {
        let before = self.as_slice().len();
        *self = match std::mem::take(self) {
            Paths::None => Paths::None,
            Paths::One(path) if gone(&path) => Paths::None,
            Paths::One(path) => Paths::One(path),
            Paths::Many(mut paths) => {
                paths.retain(|path| !gone(path));
                if paths.len() > 1 {
                    Paths::Many(paths)
                } else {
                    let last = paths.pop();
                    spare.keep(paths);
                    last.map_or(Paths::None, Paths::One)
                }
            }
        };
        before - self.as_slice().len()
    }
}

/// Lists that prefixes have grown out of, for those that follow: neighbours tell much the same
/// prefixes one after the other, so what the second path left is what the next prefix's needs.
/// The heap would have all threads wait for it; with ten paths that was a tenth of their cost.
#[derive(Debug, Default)]
pub(super) struct Spare {
    /// By capacity; larger lists are rare.
    lists: [Vec<ThinVec<Path>>; Spare::CAPACITY_MAX + 1],
}

impl Spare {
    const CAPACITY_MAX: usize = 16;
    /// Of one capacity; two megabytes in all.
    const LISTS_MAX: usize = 2048;

    fn list(&mut self, capacity: usize) -> ThinVec<Path> {
        let known = self.lists.get_mut(capacity).and_then(Vec::pop);
        known.unwrap_or_else(|| ThinVec::with_capacity(capacity))
    }

    /// An empty list that nobody needs.
    fn keep(&mut self, list: ThinVec<Path>) {
        let alike = self.lists.get_mut(list.capacity());
        if let Some(alike) = alike.filter(|alike| alike.len() < Self::LISTS_MAX) {
            alike.push(list);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_sixteen_octets_and_so_is_the_set_of_one() {
        assert_eq!(size_of::<Path>(), 16);
        assert_eq!(size_of::<Paths>(), 16);
    }
}
