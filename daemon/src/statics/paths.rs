//! What BFD says of the routers that static routes go by.
//!
//! ```text
//! configuration ─► Paths::want ─► core watches and forgets sessions
//! BFD thread ─► Paths::listener ─► what was said last, by path ─► PathNews wakes the core
//!                                           └─► Paths::refuse: may a next hop be used?
//! ```
//!
//! A next hop with `bfd` is used once its session is up, and until it goes down. As with staticd,
//! somebody's wish to take a session down (AdminDown) says nothing of the path: what is used stays
//! used (RFC 5882 §3.2), and what is not used waits. After a restart nothing is said of a path
//! at first; its routes of before stay in the kernel meanwhile, for ten seconds at most.
//!
//! Sessions are none of this module's business ([`crate::bfd_share`]).

use std::collections::BTreeMap;
use std::sync::Arc;

use bfd::Diagnostic;
use tokio::sync::watch;

use crate::bfd_io::{Event, EventKind};
use crate::bfd_share::Listener;
use crate::config::{Bfd, BfdPath, StaticNextHop, StaticRoute, StaticWay};

/// Wakes who waits for something to be said of a path.
pub(crate) type PathNews = watch::Receiver<BTreeMap<BfdPath, Said>>;

/// The paths that static routes name.
#[derive(Debug, Default)]
pub(crate) struct Paths {
    /// The VRF that they are in.
    pub(super) vrf: Option<String>,
    wanted: BTreeMap<BfdPath, Bfd>,
    // A channel that keeps the last value of each: the BFD thread must not wait for the core, and the
    // core needs no more than how things stand. Its lock is held for one look-up on either side.
    said: watch::Sender<BTreeMap<BfdPath, Said>>,
}

/// What was said last of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Said {
    /// Nothing yet.
    Nothing,
    /// There is no session, for this reason.
    NoSession(String),
    Up,
    Down(Diagnostic),
}

impl Paths {
    /// To be watched from now on, in these ways. Returns which are not any more, and which are new or
    /// changed.
    pub(super) fn want(
        &mut self,
        wanted: BTreeMap<BfdPath, Bfd>,
    ) -> (Vec<BfdPath>, Vec<(BfdPath, Bfd)>) {
        let before = std::mem::replace(&mut self.wanted, wanted);
        let gone: Vec<BfdPath> = before
            .keys()
            .filter(|path| !self.wanted.contains_key(path))
            .cloned()
            .collect();
        let differs = |(path, settings): &(&BfdPath, &Bfd)| before.get(path) != Some(settings);
        let all = self.wanted.iter();
        let new: Vec<(BfdPath, Bfd)> = all
            .filter(differs)
            .map(|(path, settings)| (path.clone(), settings.clone()))
            .collect();
        if !gone.is_empty() || !new.is_empty() {
            self.said.send_modify(|said| {
                said.retain(|path, _| self.wanted.contains_key(path));
                for (path, _) in &new {
                    said.entry(path.clone()).or_insert(Said::Nothing);
                }
            });
        }
        (gone, new)
    }

    /// Hears of a path for as long as it is wanted.
    pub(crate) fn listener(&self, path: BfdPath) -> Listener {
        let said = self.said.clone();
        Arc::new(move |event| {
            said.send_if_modified(|said| said.get_mut(&path).is_some_and(|it| it.hear(event)));
        })
    }

    /// There is no session for a path.
    pub(crate) fn fail(&self, path: &BfdPath, reason: String) {
        self.said.send_modify(|said| {
            if let Some(said) = said.get_mut(path) {
                *said = Said::NoSession(reason);
            }
        });
    }

    /// Wakes who waits.
    pub(crate) fn news(&self) -> PathNews {
        self.said.subscribe()
    }

    /// Whether there is one of which nothing was said yet.
    pub(crate) fn are_awaited(&self) -> bool {
        let said = self.said.borrow();
        said.values().any(|it| *it == Said::Nothing)
    }

    /// Whether nothing was said of a next hop of this route yet.
    pub(super) fn awaits(&self, route: &StaticRoute) -> bool {
        let said = self.said.borrow();
        let nothing = |hop: &StaticNextHop| {
            let path = hop.watched(self.vrf.as_deref());
            path.is_some_and(|(path, _)| said.get(&path) == Some(&Said::Nothing))
        };
        hops(route).iter().any(nothing)
    }

    /// Why a next hop cannot be used; `None` if BFD has nothing against it.
    pub(super) fn refuse(&self, hop: &StaticNextHop) -> Option<String> {
        let (path, _) = hop.watched(self.vrf.as_deref())?;
        let peer = path.peer;
        match self.said.borrow().get(&path) {
            Some(Said::Up) => None,
            Some(Said::Down(why)) => Some(format!("BFD with {peer} is down: {why}")),
            Some(Said::NoSession(why)) => Some(format!("there is no BFD with {peer}: {why}")),
            Some(Said::Nothing) | None => Some(format!("BFD with {peer} has not come up")),
        }
    }

    /// What BFD has against some next hops of a route.
    pub(super) fn missing(&self, route: &StaticRoute) -> Option<String> {
        let reasons: Vec<String> = hops(route)
            .iter()
            .filter_map(|hop| self.refuse(hop))
            .collect();
        (!reasons.is_empty()).then(|| reasons.join("; "))
    }
}

fn hops(route: &StaticRoute) -> &[StaticNextHop] {
    match &route.way {
        StaticWay::Via(hops) => hops,
        StaticWay::Refuse(_) => &[],
    }
}

impl Said {
    /// True if that changes something.
    fn hear(&mut self, event: &Event) -> bool {
        let now = match event.kind {
            EventKind::Up => Self::Up,
            EventKind::Down => Self::Down(event.diagnostic),
            EventKind::AdminDown => return false,
        };
        let news = *self != now;
        *self = now;
        news
    }
}

#[cfg(test)]
mod tests;
