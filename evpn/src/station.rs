//! What is known, per address, about who has it.
//!
//! These are facts and their indexes: local events as the kernel reported them and remote routes
//! by the VNIs that import them. Nothing is decided here; [`crate::resolve`] does that from these
//! tables and nothing else.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::ops::Deref;

use bgp::packed::Slot;
use bgp::{EvpnKey, MacAddress, Vni};

use crate::duplicate::Address;
use crate::known::Known;
use crate::mobility::{Claim, Witnesses};
use crate::resolve::MacOwner;
use crate::routes::Routes;
use crate::since::Stamp;
use crate::tunnel::Tunnel;

/// A MAC address behind a remote tunnel endpoint, as the kernel should have it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RemoteMac {
    /// Its site, and the VNI that it is reached with.
    pub tunnel: Tunnel,
    /// Static there: not to be moved by learning.
    pub sticky: bool,
    /// Mobility sequence number of the winning route.
    pub sequence: u32,
}

/// A MAC address in one VNI. There are as many as routes of others, so what one of them costs
/// counts; what only stations of this site have stands beside it.
#[derive(Debug, Default)]
pub(crate) struct Station {
    own: Option<Box<Own>>,
    /// Routes of other sites, best claim first.
    pub(crate) remotes: Remotes,
    /// The claim that won last, and the VNI that its site takes frames with. It stands unless nobody
    /// has won since.
    won: Option<(Claim, Vni)>,
    stands: bool,
    here: bool,
    /// It is left where it is, as a duplicate.
    frozen: bool,
    /// The entry that is wanted is in the kernel.
    marked: bool,
    /// How often its place changed.
    pub(crate) moves: u32,
    /// Since when it is there.
    pub(crate) since: Stamp,
}

/// What is known of a MAC address here.
#[derive(Debug, Default)]
pub(crate) struct Own {
    /// The kernel has it on a local port.
    pub(crate) local: Option<Local>,
    /// IP addresses the kernel has bound to it.
    pub(crate) bound: BTreeSet<IpAddr>,
    /// Those of them that others had bound to another MAC: nearly always none, while a firewall
    /// may answer for thousands of addresses.
    pub(crate) rebound: BTreeSet<IpAddr>,
}

#[derive(Debug)]
pub(crate) struct Local {
    pub(crate) sticky: bool,
    pub(crate) witnesses: Witnesses,
    /// The sequence number that an earlier run told.
    pub(crate) lowest: u32,
}

/// Where a MAC address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Here,
    At(IpAddr),
}

impl Station {
    fn is_unknown(&self) -> bool {
        self.remotes.is_empty() && self.own.is_none()
    }

    /// The kernel has it on a local port.
    pub(crate) fn local(&self) -> Option<&Local> {
        self.own.as_ref()?.local.as_ref()
    }

    /// IP addresses the kernel has bound to it.
    pub(crate) fn bound(&self) -> impl Iterator<Item = IpAddr> {
        let bound = self.own.iter().flat_map(|own| &own.bound);
        bound.copied()
    }

    /// Those of them that others had bound to another MAC.
    pub(crate) fn rebound(&self) -> impl Iterator<Item = IpAddr> {
        let rebound = self.own.iter().flat_map(|own| &own.rebound);
        rebound.copied()
    }

    /// Changes what is known of it here.
    pub(crate) fn note<T>(&mut self, change: impl FnOnce(&mut Own) -> T) -> T {
        let mut own = self.own.take().unwrap_or_default();
        let result = change(&mut own);
        let known = own.local.is_some() || !own.bound.is_empty();
        self.own = known.then_some(own);
        result
    }

    /// What was last decided. Only saves work: while it stands, its IP addresses stand.
    pub(crate) fn decided(&self) -> Option<MacOwner> {
        let (claim, _) = self.won.filter(|_| self.stands)?;
        let here = self.here;
        Some(MacOwner { claim, here })
    }

    /// Where it was when that was last known; `None` before the first time.
    pub(crate) fn place(&self) -> Option<Place> {
        let ((claim, _), here) = (self.won?, self.here);
        Some(MacOwner { claim, here }.place())
    }

    /// The entry that the kernel should have because of the last decision.
    pub(crate) fn remote(&self) -> Option<RemoteMac> {
        let (claim, vni) = self.won.filter(|_| self.stands && !self.here)?;
        let vtep = claim.vtep;
        Some(RemoteMac {
            tunnel: Tunnel { vtep, vni },
            // The kernel itself then leaves it where it is.
            sticky: claim.sticky || self.frozen,
            sequence: claim.sequence,
        })
    }

    /// Notes a decision, and the VNI that frames go out with because of it, and counts a change of
    /// place. Says whether anything but the VNI is different, and from where to where it moved.
    pub(crate) fn decide(
        &mut self,
        decided: Option<MacOwner>,
        vni: Vni,
        frozen: bool,
        now: Stamp,
    ) -> (bool, Option<(Place, Place)>) {
        let (before, last) = (self.decided(), self.place());
        self.frozen = frozen;
        self.stands = decided.is_some();
        let different = before != decided;
        let Some(owner) = decided else {
            return (different, None);
        };
        (self.won, self.here) = (Some((owner.claim, vni)), owner.here);
        let place = owner.place();
        if before.map(|it| it.place()) != Some(place) {
            self.since = now;
        }
        let moved = last.filter(|last| *last != place);
        self.moves = self.moves.saturating_add(u32::from(moved.is_some()));
        (different, moved.map(|last| (last, place)))
    }
}

/// An IP address in one VNI.
#[derive(Debug, Default)]
pub(crate) struct Host {
    /// What the kernel resolved it to.
    pub(crate) binding: Option<Box<Binding>>,
    /// Routes of other sites that bind it, best claim first.
    pub(crate) remotes: Remotes,
    /// Which MAC address it had, and where, when that was last known.
    pub(crate) seat: Option<(MacAddress, Place)>,
    /// It has that one still.
    stands: bool,
    /// The entry that is wanted is in the kernel.
    marked: bool,
    /// Since when it has that one there.
    pub(crate) since: Stamp,
}

#[derive(Debug)]
pub(crate) struct Binding {
    pub(crate) mac: MacAddress,
    pub(crate) witnesses: Witnesses,
}

impl Host {
    fn is_unknown(&self) -> bool {
        self.binding.is_none() && self.remotes.is_empty()
    }

    /// The entry that the kernel should have because of the last decision: a MAC address, and the
    /// tunnel endpoint that it is behind.
    pub(crate) fn neighbour(&self) -> Option<(MacAddress, IpAddr)> {
        match self.seat.filter(|_| self.stands)? {
            (mac, Place::At(vtep)) => Some((mac, vtep)),
            (_, Place::Here) => None,
        }
    }

    /// Notes which MAC address it has, if any. Returns the one before if that was another one.
    pub(crate) fn decide(
        &mut self,
        seat: Option<(MacAddress, Place)>,
        now: Stamp,
    ) -> Option<(MacAddress, Place)> {
        self.stands = seat.is_some();
        let seat = seat.filter(|_| seat != self.seat)?;
        self.since = now;
        let before = self.seat.replace(seat)?;
        (before.0 != seat.0).then_some(before)
    }
}

/// All facts, by VNI and address.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) stations: Known<MacAddress, Station>,
    pub(crate) hosts: Known<IpAddr, Host>,
    pub(crate) floods: BTreeMap<(Vni, Tunnel), Remotes>,
    pub(crate) routes: Routes,
    /// How many stations and hosts are marked.
    marked: usize,
}

impl Facts {
    /// Nothing. `seed` is that of [`Routes::new`].
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            stations: Known::new(seed),
            hosts: Known::new(seed),
            floods: BTreeMap::new(),
            routes: Routes::new(seed),
            marked: 0,
        }
    }

    /// Enters a route where `vni` finds it.
    pub(crate) fn attach(&mut self, vni: Vni, slot: Slot) {
        let routes = &self.routes;
        let Some(route) = routes.at(slot) else { return };
        match route.key {
            EvpnKey::MacIp { mac, ip, .. } => {
                let enter = |station: &mut Station| station.remotes.enter(slot, routes);
                self.stations.note((vni, mac), enter);
                if let Some(ip) = ip {
                    let enter = |host: &mut Host| host.remotes.enter(slot, routes);
                    self.hosts.note((vni, ip), enter);
                }
            }
            EvpnKey::InclusiveMulticast { .. } => {
                let tunnel = route.path.bridged(&route.key, vni);
                let flood = self.floods.entry((vni, tunnel)).or_default();
                flood.enter(slot, routes);
            }
            EvpnKey::EthernetAd { .. }
            | EvpnKey::EthernetSegment { .. }
            | EvpnKey::IpPrefix { .. }
            | EvpnKey::Unknown { .. } => {}
        }
    }

    /// Takes a route out again, which is still there itself.
    pub(crate) fn detach(&mut self, vni: Vni, slot: Slot) {
        let Some(route) = self.routes.at(slot) else {
            return;
        };
        match route.key {
            EvpnKey::MacIp { mac, ip, .. } => {
                if let Some(station) = self.stations.get_mut(&(vni, mac)) {
                    station.remotes.leave(slot);
                }
                if let Some(host) = ip.and_then(|ip| self.hosts.get_mut(&(vni, ip))) {
                    host.remotes.leave(slot);
                }
            }
            EvpnKey::InclusiveMulticast { .. } => {
                let tunnel = route.path.bridged(&route.key, vni);
                if let Some(flood) = self.floods.get_mut(&(vni, tunnel)) {
                    flood.leave(slot);
                }
            }
            EvpnKey::EthernetAd { .. }
            | EvpnKey::EthernetSegment { .. }
            | EvpnKey::IpPrefix { .. }
            | EvpnKey::Unknown { .. } => {}
        }
    }

    /// Takes all routes out of the VNIs that `select` picks.
    pub(crate) fn detach_all(&mut self, select: impl Fn(Vni) -> bool) {
        for ((vni, _), station) in self.stations.iter_mut() {
            if select(*vni) {
                station.remotes = Remotes::None;
            }
        }
        for ((vni, _), host) in self.hosts.iter_mut() {
            if select(*vni) {
                host.remotes = Remotes::None;
            }
        }
        self.floods.retain(|(vni, _), _| !select(*vni));
    }

    /// Drops entries about which nothing is known any more, telling what was wanted because of them.
    pub(crate) fn prune_all(
        &mut self,
        mut station_gone: impl FnMut((Vni, MacAddress), &Station),
        mut host_gone: impl FnMut((Vni, IpAddr), &Host),
    ) {
        let marked = &mut self.marked;
        self.stations.remove_if(|key, station| {
            if station.is_unknown() {
                station_gone(*key, station);
                *marked -= usize::from(station.marked);
            }
            station.is_unknown()
        });
        self.hosts.remove_if(|key, host| {
            if host.is_unknown() {
                host_gone(*key, host);
                *marked -= usize::from(host.marked);
            }
            host.is_unknown()
        });
    }

    /// The entry that a decision asked for is in the kernel, or is not. False if none asked for any.
    pub(crate) fn mark(&mut self, vni: Vni, address: Address, there: bool) -> bool {
        let mark = match address {
            Address::Mac(mac) => {
                let station = self.stations.get_mut(&(vni, mac));
                let station = station.filter(|station| station.remote().is_some());
                station.map(|station| &mut station.marked)
            }
            Address::Ip(ip) => {
                let host = self.hosts.get_mut(&(vni, ip));
                let host = host.filter(|host| host.neighbour().is_some());
                host.map(|host| &mut host.marked)
            }
        };
        let Some(mark) = mark else { return false };
        let before = std::mem::replace(mark, there);
        self.marked += usize::from(there);
        self.marked -= usize::from(before);
        true
    }

    pub(crate) fn is_marked(&self, vni: Vni, address: Address) -> bool {
        match address {
            Address::Mac(mac) => {
                let station = self.stations.get(&(vni, mac));
                station.is_some_and(|station| station.marked)
            }
            Address::Ip(ip) => {
                let host = self.hosts.get(&(vni, ip));
                host.is_some_and(|host| host.marked)
            }
        }
    }

    pub(crate) fn marked(&self) -> usize {
        self.marked
    }

    /// After a decision about a station: nothing is kept of one that nothing is known of, and no mark
    /// where no entry is wanted.
    pub(crate) fn prune_station(&mut self, vni: Vni, mac: MacAddress) {
        let Some(station) = self.stations.get_mut(&(vni, mac)) else {
            return;
        };
        if station.remote().is_none() {
            self.marked -= usize::from(std::mem::take(&mut station.marked));
        }
        if station.is_unknown() {
            self.stations.remove(&(vni, mac));
        }
    }

    /// The same of a host.
    pub(crate) fn prune_host(&mut self, vni: Vni, ip: IpAddr) {
        let Some(host) = self.hosts.get_mut(&(vni, ip)) else {
            return;
        };
        if host.neighbour().is_none() {
            self.marked -= usize::from(std::mem::take(&mut host.marked));
        }
        if host.is_unknown() {
            self.hosts.remove(&(vni, ip));
        }
    }

    pub(crate) fn prune_flood(&mut self, vni: Vni, tunnel: Tunnel) {
        let flood = self.floods.get(&(vni, tunnel));
        if flood.is_some_and(|routes| routes.is_empty()) {
            self.floods.remove(&(vni, tunnel));
        }
    }
}

/// Routes of one address, the best claim first and equal ones in key order: the one that decides is
/// found at once, and is the same in whatever order they came. Nearly always there is one, which
/// needs no list.
#[derive(Debug, Default)]
pub(crate) enum Remotes {
    #[default]
    None,
    One(Slot),
    // A list by itself is three times as large as the place for one route.
    #[allow(clippy::box_collection)]
    Several(Box<Vec<Slot>>),
}

impl Deref for Remotes {
    type Target = [Slot];

    fn deref(&self) -> &[Slot] {
        match self {
            Remotes::None => &[],
            Remotes::One(slot) => std::slice::from_ref(slot),
            Remotes::Several(slots) => slots,
        }
    }
}

impl Remotes {
    fn enter(&mut self, slot: Slot, routes: &Routes) {
        let rank = |slot: &Slot| {
            let route = routes.at(*slot)?;
            Some((Reverse(Claim::of(&route.path)), &route.key))
        };
        let at = self.partition_point(|other| rank(other) < rank(&slot));
        *self = match std::mem::take(self) {
            Remotes::None => Remotes::One(slot),
            Remotes::One(other) => {
                let mut slots = vec![other];
                slots.insert(at, slot);
                Remotes::Several(Box::new(slots))
            }
            Remotes::Several(mut slots) => {
                slots.insert(at, slot);
                Remotes::Several(slots)
            }
        };
    }

    fn leave(&mut self, slot: Slot) {
        *self = match std::mem::take(self) {
            Remotes::One(only) if only == slot => Remotes::None,
            Remotes::Several(mut slots) => {
                slots.retain(|other| *other != slot);
                match slots.as_slice() {
                    [last] => Remotes::One(*last),
                    _ => Remotes::Several(slots),
                }
            }
            others @ (Remotes::None | Remotes::One(_)) => others,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::Route;

    #[test]
    fn what_is_kept_of_each_address_of_other_sites_is_small() {
        assert_eq!(size_of::<Station>(), 64);
        assert_eq!(size_of::<Host>(), 56);
        assert_eq!(size_of::<Route>(), 48);
    }
}
