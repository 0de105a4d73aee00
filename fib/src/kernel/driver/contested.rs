//! Static entries of others that ours were written over.
//!
//! Where somebody's static entry is known to be, ours is not written (`table::occupied`). One that
//! comes between our last look and our write is not known yet, and the kernel has no condition for a
//! write that would spare it: `NLM_F_EXCL` would spare entries that were learned as well, which ours
//! are to replace, and a bridge ignores it for entries with our mark. So somebody who pins a machine
//! to a port, in the moment in which its former site's entry is written, would find it elsewhere.
//!
//! ```text
//!  we look ─► theirs comes ─► ours is written over it      in the kernel
//!                 │                 │
//!                 └──► theirs ──────┴──► ours               in notifications, in that order
//! ```
//!
//! What we have written since notifications were last read to the end is kept here. Theirs, heard
//! of in that time and followed by ours, was written over, and is put back as it was.
//!
//! Routes are not here: the kernel refuses to write ours over theirs. Nor is what is lost when
//! notifications are.

use std::collections::HashMap;
use std::net::IpAddr;

use foldhash::fast::RandomState;

use super::Driver;
use crate::links::Links;
use crate::netlink::encode::{NTF_EXT_LEARNED, NTF_PROXY, NUD_NOARP, NUD_PERMANENT};
use crate::netlink::notice::{FdbNotice, NeighbourNotice, Notice};
use crate::state::{Mac, Tunnel};
use crate::table::Op;

/// So many entries are written before notifications are read, at the latest.
const WRITTEN_MAX: usize = 16 << 10;

/// What we have written, by the device's number.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Written {
    /// A MAC address on a VXLAN device, with the VNI if that carries several, and on its bridge.
    Fdb(u32, Option<u32>, Mac),
    Neighbour(u32, IpAddr),
}

/// Where the kernel keeps one entry, ours or theirs.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Spot {
    Tunnel(u32, Option<u32>, Mac),
    /// Bridge, VLAN and address.
    Bridge(u32, u16, Mac),
    Neighbour(u32, IpAddr),
}

/// What a notification says of a spot.
enum Word {
    /// Somebody's static entry is there.
    Theirs(Written),
    /// Ours is, or theirs with what ours says.
    Ours,
    /// Neither.
    Other,
}

/// What was written and heard since notifications were last read to the end.
#[derive(Default)]
pub(super) struct Contested {
    written: HashMap<Written, Option<Tunnel>, RandomState>,
    theirs: HashMap<Spot, Notice, RandomState>,
}

impl Contested {
    /// This was sent to the kernel, whatever came of it: of two halves one may have been written.
    pub(super) fn wrote(&mut self, op: &Op) {
        match op {
            Op::SetFdb { key, index, remote } => {
                let vni = key.segment.map(|segment| segment.vni);
                let written = Written::Fdb(*index, vni, key.mac);
                self.written.insert(written, Some(remote.tunnel));
            }
            Op::SetNeighbour { key, index, .. } => {
                self.written
                    .insert(Written::Neighbour(*index, key.ip), None);
            }
            Op::Device(..)
            | Op::SetNextHop(..)
            | Op::SetRoute { .. }
            | Op::SetFlood { .. }
            | Op::UnsetRoute { .. }
            | Op::UnsetTwin { .. }
            | Op::UnsetFdb { .. }
            | Op::UnsetFlood { .. }
            | Op::UnsetNeighbour { .. }
            | Op::UnsetNextHop(_)
            | Op::SetForwarding { .. } => {}
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.written.len() >= WRITTEN_MAX
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.written.is_empty() && self.theirs.is_empty()
    }

    /// Nothing is left to be heard of what was written, or it was lost.
    pub(super) fn forget(&mut self) {
        if !self.written.is_empty() {
            *self = Self::default();
        }
    }

    /// Somebody's entry that is to be put back, now that ours was heard of.
    pub(super) fn hear(&mut self, notice: &Notice, links: &Links) -> Option<Notice> {
        if self.written.is_empty() {
            return None;
        }
        let (spot, word) = match notice {
            Notice::Fdb { fdb, removed } => self.of_fdb(fdb, *removed, links)?,
            Notice::Neighbour { neighbour, removed } => self.of_neighbour(neighbour, *removed),
            Notice::Route { .. } | Notice::NextHop { .. } => return None,
        };
        match word {
            Word::Theirs(ours) if self.written.contains_key(&ours) => {
                self.theirs.insert(spot, notice.clone());
                None
            }
            Word::Ours => self.theirs.get(&spot).cloned(),
            Word::Theirs(_) | Word::Other => {
                self.theirs.remove(&spot);
                None
            }
        }
    }

    fn of_fdb(&self, fdb: &FdbNotice, removed: bool, links: &Links) -> Option<(Spot, Word)> {
        let fixed = !removed && fdb.state & (NUD_NOARP | NUD_PERMANENT) != 0;
        let vlan = fdb.vlan.unwrap_or(0);
        let Some(bridge) = fdb.master else {
            let written = Written::Fdb(fdb.index, fdb.vni, fdb.mac);
            let spot = Spot::Tunnel(fdb.index, fdb.vni, fdb.mac);
            let vni = fdb.towards.and_then(std::num::NonZeroU32::new);
            let says = fdb.vtep.map(|vtep| Tunnel { vtep, vni });
            let ours = self.written.get(&written).copied().flatten();
            let word = match says {
                // Theirs keeps its state when ours is written over it.
                Some(_) if !removed && says == ours => Word::Ours,
                Some(_) if fixed && fdb.marks & NTF_EXT_LEARNED == 0 => Word::Theirs(written),
                Some(_) | None => Word::Other,
            };
            return Some((spot, word));
        };
        let member = links.member(bridge, vlan)?;
        let vni = member.segment.map(|segment| segment.vni);
        let word = match () {
            () if !removed && fdb.index == member.port => Word::Ours,
            () if fixed => Word::Theirs(Written::Fdb(member.port, vni, fdb.mac)),
            () => Word::Other,
        };
        Some((Spot::Bridge(bridge, vlan, fdb.mac), word))
    }

    fn of_neighbour(&self, neighbour: &NeighbourNotice, removed: bool) -> (Spot, Word) {
        let NeighbourNotice {
            index,
            ip,
            mac,
            state,
            marks,
        } = *neighbour;
        let there = !removed && mac.is_some() && marks & NTF_PROXY == 0;
        let word = match there {
            true if marks & NTF_EXT_LEARNED != 0 => Word::Ours,
            true if state & (NUD_NOARP | NUD_PERMANENT) != 0 => {
                Word::Theirs(Written::Neighbour(index, ip))
            }
            true | false => Word::Other,
        };
        (Spot::Neighbour(index, ip), word)
    }
}

impl Driver {
    /// Puts somebody's entry back if this says that ours was written over it. Returns whether it
    /// was: what was heard is void then, and what is there now is heard of next.
    pub(super) fn gives_back(&mut self, notice: &Notice) -> bool {
        let Some(theirs) = self.contested.hear(notice, self.table.links()) else {
            return false;
        };
        match self.writer.put_back(&theirs) {
            Ok(()) => {
                tracing::info!(
                    entry = ?theirs,
                    "somebody's static entry came as ours was written over it: put back"
                );
                true
            }
            Err(error) => {
                tracing::warn!(
                    entry = ?theirs,
                    %error,
                    "ours was written over somebody's static entry, which cannot be put back"
                );
                false
            }
        }
    }
}
