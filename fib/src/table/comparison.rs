//! Want beside have, in words: for `verify`, and for the question where an entry is.

use super::ledger::Failure;
use super::shapes::ShapeId;
use super::{Table, overlay};
use crate::event::Difference;
use crate::state::{Key, Neighbour, Share};

impl Table {
    /// Where the kernel, as last observed, is not as wanted. Leftovers that wait for the sweep are
    /// not differences.
    pub fn verify(&self) -> Vec<Difference> {
        let mut found = Vec::new();
        for (key, want, have, failure) in self.routes.differences() {
            // Somebody has closed the table of a VRF already.
            if key.share() == Share::VRFS && failure.is_some_and(|it| it.occupied) {
                continue;
            }
            let text = |id: Option<ShapeId>| Some(self.describe(self.shapes.get(id?)?));
            found.push(difference(Key::Route(key), text(want), text(have), failure));
        }
        for ((key, _), _, have, failure) in self.strays.differences() {
            let have = have.and_then(|id| Some(self.describe(self.shapes.get(id)?)));
            found.push(difference(Key::Route(*key), None, have, failure));
        }
        for (key, want, have, failure) in self.fdb.differences() {
            let obstacle = want.and_then(|_| self.occupied.fdb(&key));
            let (want, have) = (want.map(|s| s.to_string()), have.map(|s| s.to_string()));
            let cause = self.barred(&key).map(str::to_owned);
            let plain = difference(Key::Fdb(key), want, have, failure);
            found.push(plain.behind(obstacle).barred(cause));
        }
        for (key, want, have, failure) in self.flood.differences() {
            let text = |there: Option<()>| there.map(|()| "a flood entry".to_owned());
            let cause = self.barred(&key).map(str::to_owned);
            let key = Key::Flood(key);
            let plain = difference(key, text(want), text(have), failure);
            found.push(plain.barred(cause));
        }
        for (key, want, have, failure) in self.neighbours.differences() {
            let obstacle = want.and_then(|_| self.occupied.neighbour(&key));
            let text = |n: Option<Neighbour>| n.map(|n| n.mac.to_string());
            let cause = self.barred(&key).map(str::to_owned);
            let key = Key::Neighbour(key);
            let plain = difference(key, text(want), text(have), failure);
            found.push(plain.behind(obstacle).barred(cause));
        }
        found.extend(self.of_no_use());
        for (vni, slot) in &self.overlays {
            let steps = overlay::steps(*vni, &slot.want, &self.links, &self.owner);
            let wrong = steps
                .wrong()
                .or_else(|| steps.ops.first().map(|op| format!("to do: {op}")));
            if let Some(wrong) = wrong {
                let want = Some(format!("{} and {}", slot.want.bridge, slot.want.vxlan));
                found.push(Difference {
                    key: Key::Overlay(*vni),
                    want,
                    have: Some(wrong),
                    error: slot.error.clone(),
                    occupied: false,
                });
            }
        }
        self.vrf_differences(&mut found);
        self.interface_differences(&mut found);
        found.extend(self.kept_addresses());
        self.forwarding_differences(&mut found);
        found.sort_by(|a, b| a.key.cmp(&b.key));
        found
    }

    /// Entries that are there as wanted, on a device that cannot carry them.
    fn of_no_use(&self) -> Vec<Difference> {
        let mut found = Vec::new();
        for (place, cause) in self.bars() {
            let fdb = self.fdb.satisfied_in(place).into_iter().map(Key::Fdb);
            let flood = self.flood.satisfied_in(place).into_iter().map(Key::Flood);
            let neighbours = self.neighbours.satisfied_in(place).into_iter();
            let keys = fdb.chain(flood).chain(neighbours.map(Key::Neighbour));
            found.extend(keys.map(|key| Difference {
                key,
                want: Some("in use".to_owned()),
                have: Some("there, of no use".to_owned()),
                error: Some(cause.to_owned()),
                occupied: false,
            }));
        }
        found
    }

    /// What is known about one entry: wanted, there, error. For "where is it in the kernel".
    pub fn status(&self, key: &Key) -> Status {
        let mut status = self.standing(key);
        status.have = self.there(key);
        if let Some(cause) = self.barred_name(key).filter(|_| status.wanted) {
            // It may be there and carries nothing.
            (status.installed, status.error) = (false, Some(cause.to_owned()));
        }
        status
    }

    /// What the kernel has under this name, in words; only of entries that have content.
    fn there(&self, key: &Key) -> Option<String> {
        match key {
            Key::Route(key) => self
                .routes
                .have(key)
                .and_then(|id| Some(self.describe(self.shapes.get(id)?))),
            Key::Fdb(key) => self.fdb.have(key).map(|it| it.to_string()),
            Key::Neighbour(key) => self.neighbours.have(key).map(|it| it.mac.to_string()),
            Key::Flood(_)
            | Key::Overlay(_)
            | Key::Vrf(..)
            | Key::Addressing(_)
            | Key::Forwarding { .. } => None,
        }
    }

    fn standing(&self, key: &Key) -> Status {
        let status = |want: bool, equal: bool, error: Option<&str>| Status {
            wanted: want,
            installed: equal,
            error: error.map(str::to_owned),
            have: None,
        };
        let told = |of: Option<(bool, Option<&str>)>| match of {
            Some((installed, error)) => status(true, installed, error),
            None => status(false, false, None),
        };
        match key {
            Key::Route(key) => {
                let (want, have) = (self.routes.want(key), self.routes.have(key));
                status(
                    want.is_some(),
                    want == have && want.is_some(),
                    self.routes.error(key),
                )
            }
            Key::Fdb(key) => {
                let (want, have) = (self.fdb.want(key), self.fdb.have(key));
                status(
                    want.is_some(),
                    want == have && want.is_some(),
                    self.fdb.error(key),
                )
            }
            Key::Flood(key) => {
                let (want, have) = (self.flood.want(key), self.flood.have(key));
                status(
                    want.is_some(),
                    want == have && want.is_some(),
                    self.flood.error(key),
                )
            }
            Key::Neighbour(key) => {
                let (want, have) = (self.neighbours.want(key), self.neighbours.have(key));
                status(
                    want.is_some(),
                    want == have && want.is_some(),
                    self.neighbours.error(key),
                )
            }
            Key::Overlay(vni) => match self.overlays.get(vni) {
                Some(slot) => status(true, slot.installed, slot.error.as_deref()),
                None => status(false, false, None),
            },
            Key::Vrf(share, device) => told(self.vrf_status(*share, device)),
            Key::Addressing(device) => told(self.interface_status(device)),
            Key::Forwarding { ipv6 } => told(self.forwarding_status(*ipv6)),
        }
    }
}

/// How one entry stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// Somebody wants it.
    pub wanted: bool,
    /// The kernel has it as wanted.
    pub installed: bool,
    /// Why not, if it was refused.
    pub error: Option<String>,
    /// What the kernel has in its place or as wanted, in words: a route, a remote MAC address or a
    /// neighbour. An entry that could not be replaced stays.
    pub have: Option<String>,
}

fn difference(
    key: Key,
    want: Option<String>,
    have: Option<String>,
    failure: Option<&Failure>,
) -> Difference {
    Difference {
        key,
        want,
        have,
        error: failure.map(|failure| failure.error.clone()),
        occupied: failure.is_some_and(|failure| failure.occupied),
    }
}

impl Difference {
    /// Somebody's entry in the place is the reason, even if the wish was not tried since.
    fn behind(mut self, obstacle: Option<String>) -> Self {
        if obstacle.is_some() {
            (self.error, self.occupied) = (obstacle, true);
        }
        self
    }

    /// Its device cannot carry it, whatever else there may be.
    fn barred(mut self, cause: Option<String>) -> Self {
        if cause.is_some() {
            (self.error, self.occupied) = (cause, false);
        }
        self
    }
}
