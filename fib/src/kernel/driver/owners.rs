//! Whom the kernel thread works for, and who of them is told what.
//!
//! Each owner has a share of the entries and a callback. Events gather in the driver and in the
//! table and are delivered before the thread sleeps and before an owner joins or asks for other
//! tables, so that a newcomer hears what is there once and what happens then in order. What is said
//! of an entry goes to the owner of its key, what concerns the host to all, and what concerns this
//! thread to the first.
//!
//! What belongs to whom is not known here but in the table (`table/shares.rs`).

use std::collections::{BTreeMap, BTreeSet};

use super::Driver;
use crate::event::Event;
use crate::kernel::OnEvent;
use crate::state::{Claim, Key, Share};

impl Driver {
    /// Tells a new owner what is there. What was to be told so far is part of that.
    pub(super) fn join(&mut self, share: Share, claim: Claim, mut on_event: OnEvent) {
        self.deliver();
        self.stale.all |= self.table.join(share, claim);
        let links = self.table.links();
        let mut there: Vec<Event> = links.iter().cloned().map(Event::Link).collect();
        there.extend(
            links
                .all_addresses()
                .cloned()
                .map(|address| Event::Address {
                    address,
                    removed: false,
                }),
        );
        self.foreign.repeat(|_| true, &mut there);
        self.locals.repeat(&mut there);
        there.push(Event::Ready);
        there.into_iter().for_each(&mut on_event);
        self.owners.push((share, on_event));
    }

    /// An owner asks for these tables. What others have asked for before is told again.
    pub(super) fn observe_foreign(&mut self, share: Share, tables: BTreeSet<u32>) {
        self.deliver();
        let before = self.observed.insert(share, tables.clone());
        let before = before.unwrap_or_default();
        let new: BTreeSet<u32> = tables.difference(&before).copied().collect();
        let mut known = Vec::new();
        self.foreign
            .repeat(|table| new.contains(&table), &mut known);
        known
            .into_iter()
            .for_each(|event| self.tell_one(share, event));
        self.observe_tables();
    }

    /// All tables that any of the owners asks for, once the first has asked for some.
    pub(super) fn observe_tables(&mut self) {
        if let Some(tables) = all_tables(&self.observed) {
            self.stale.all |= self.foreign.observe_tables(tables, &mut self.events);
        }
    }

    /// Tells the owners what happened.
    pub(super) fn deliver(&mut self) {
        if self.unrelated {
            self.relate_locals();
        }
        for event in std::mem::take(&mut self.events) {
            self.tell(event);
        }
        while let Some(event) = self.table.poll_event() {
            self.tell(event);
        }
        // A read that failed is made again, and what it would have told with it.
        if self.whole {
            for share in std::mem::take(&mut self.lookers) {
                self.tell_one(share, Event::Looked);
            }
        }
        // Told when the last of a batch of repairs is done.
        if !self.table.has_work() {
            let repaired = self.table.take_repaired();
            if !repaired.is_empty() {
                self.tell(Event::Repaired(repaired));
            }
        }
    }

    /// Tells those whom an event concerns.
    fn tell(&mut self, mut event: Event) {
        // What this crate itself wants is nobody's news.
        let own = |key: &Key| matches!(key, Key::Route(key) if key.share() == Share::VRFS);
        if let Event::Failed { key, .. } | Event::Removed { key } = &event
            && own(key)
        {
            return;
        }
        if let Event::Installed { keys } = &mut event {
            keys.retain(|key| !own(key));
            if keys.is_empty() {
                return;
            }
        }
        if let [(_, only)] = self.owners.as_mut_slice() {
            return only(event);
        }
        match event {
            Event::Installed { keys } => {
                let mut parts: BTreeMap<Share, Vec<Key>> = BTreeMap::new();
                for key in keys {
                    parts.entry(self.owner_of(&key)).or_default().push(key);
                }
                for (share, keys) in parts {
                    self.tell_one(share, Event::Installed { keys });
                }
            }
            Event::Failed { ref key, .. } => self.tell_one(self.owner_of(key), event),
            Event::Leftover { ref key, .. } => {
                let owner = self.owner_of(&Key::Neighbour(key.clone()));
                self.tell_one(owner, event);
            }
            Event::Removed { ref key } => match self.table.share_of(key) {
                Some(share) => self.tell_one(share, event),
                // Its overlay is gone: whoever had it takes note.
                None => self.tell_all(&event),
            },
            Event::Overrun | Event::Repaired(_) | Event::Ready | Event::Looked => {
                self.tell_one(Share::FIRST, event);
            }
            Event::Link(_)
            | Event::LinkRemoved { .. }
            | Event::Address { .. }
            | Event::LocalMac { .. }
            | Event::LocalNeighbour { .. }
            | Event::RouteChanged { .. } => self.tell_all(&event),
        }
    }

    pub(super) fn owner_of(&self, key: &Key) -> Share {
        self.table.share_of(key).unwrap_or(Share::FIRST)
    }

    fn tell_one(&mut self, share: Share, event: Event) {
        let owner = self.owners.iter_mut().find(|(owner, _)| *owner == share);
        if let Some((_, tell)) = owner {
            tell(event);
        }
    }

    fn tell_all(&mut self, event: &Event) {
        for (_, tell) in &mut self.owners {
            tell(event.clone());
        }
    }
}

/// All tables that any of the owners asks for; `None` while the first asks for none in particular.
pub(super) fn all_tables(observed: &BTreeMap<Share, BTreeSet<u32>>) -> Option<BTreeSet<u32>> {
    let all = || observed.values().flatten().copied().collect();
    observed.contains_key(&Share::FIRST).then(all)
}
