//! Which IP addresses stations here have, and for how long that is believed.
//!
//! Two say so: the kernel, of neighbours that it talks to itself, and the stations, heard on their
//! ports ([`crate::snoop`]). What the kernel says lasts until it takes it back. What was heard lasts
//! as long as the station answers for it: after [`CONFIRMED`] it is asked, [`ASKS`] times at most,
//! and an address that nobody answers for is gone. An address is gone with its MAC address, too;
//! it is remembered for [`REMEMBERED`] and asked for when the MAC address is back, as are addresses
//! that another site knew of a station that comes from there.
//!
//! A *claim* stands for a MAC address that the bridge has not learned, or no longer has, although
//! the station is known to be here: until the bridge learns it, or the claim's time is over.
//!
//! What it takes is bounded: [`PORT_MAX`] addresses heard on a port, [`VNI_MAX`] in an overlay. A
//! machine that announces one address after the other fills its own port and nothing else.
//!
//! It reads no clock, sends nothing and decides nothing about other sites: `core::stations` does
//! what comes out of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use bgp::{MacAddress, Vni};

/// How long an address is believed without a word of its station. Less than the five minutes after
/// which bridges forget a MAC address: being asked keeps a silent station known.
pub(crate) const CONFIRMED: Duration = Duration::from_secs(120);
/// How often a station is asked for an address.
pub(crate) const ASKS: u8 = 3;
/// Between two of these.
pub(crate) const ASK_PAUSE: Duration = Duration::from_secs(1);
/// How long an address is remembered without its MAC address.
pub(crate) const REMEMBERED: Duration = Duration::from_secs(300);
/// Addresses heard on one port.
pub(crate) const PORT_MAX: usize = 1024;
/// Addresses heard in one overlay.
pub(crate) const VNI_MAX: usize = 16_384;
/// Claims at one time.
const CLAIMS_MAX: usize = 4096;

/// What is known of stations' addresses.
#[derive(Debug, Default)]
pub(crate) struct Stations {
    bindings: BTreeMap<(Vni, IpAddr), Binding>,
    of_mac: BTreeSet<(Vni, MacAddress, IpAddr)>,
    due: BTreeSet<(Instant, Vni, IpAddr)>,
    claims: BTreeMap<(Vni, MacAddress), Instant>,
    on_port: HashMap<u32, usize>,
    in_vni: HashMap<Vni, usize>,
}

/// Whose an IP address is.
#[derive(Debug, Clone, Copy)]
struct Binding {
    mac: MacAddress,
    /// The kernel says so.
    kernel: bool,
    /// The station says so, or may.
    heard: Option<Heard>,
}

#[derive(Debug, Clone, Copy)]
struct Heard {
    /// On this port; `None` from an operator.
    port: Option<u32>,
    belief: Belief,
    /// How often it was asked without an answer.
    asked: u8,
    /// When there is something to be done about it.
    at: Instant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Belief {
    /// It has said so.
    Confirmed,
    /// It may have the address, and is asked.
    Suspected,
    /// It had the address, and is not here.
    Remembered,
}

/// An address too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Full {
    /// On its port.
    Port,
    /// In its overlay.
    Vni,
}

/// What is to be done because time has passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Due {
    /// Ask the station whether it has the address.
    Ask(Vni, IpAddr, MacAddress),
    /// The address is no longer here.
    Gone(Vni, IpAddr, MacAddress),
    /// The bridge has not learned the MAC address in time.
    ClaimOver(Vni, MacAddress),
}

impl Binding {
    fn confirmed(&self) -> bool {
        let heard = self.heard;
        heard.is_some_and(|heard| heard.belief == Belief::Confirmed)
    }

    /// It counts: others are told.
    fn holds(&self) -> bool {
        self.kernel || self.confirmed()
    }
}

impl Stations {
    /// A station had an address in the last run: it has it still, and is asked for it at once.
    /// Whether that is news; an error if there is no room for it.
    pub(crate) fn inherit(
        &mut self,
        now: Instant,
        key: (Vni, IpAddr),
        mac: MacAddress,
        port: u32,
    ) -> Result<bool, Full> {
        let known = self.bindings.get(&key);
        match known.is_some_and(Binding::holds) {
            true => Ok(false),
            false => self.confirm(key, mac, Some(port), now),
        }
    }

    /// A station has said that it has an address. Whether that is news; an error if there is no
    /// room for it.
    pub(crate) fn heard(
        &mut self,
        now: Instant,
        key: (Vni, IpAddr),
        mac: MacAddress,
        port: Option<u32>,
    ) -> Result<bool, Full> {
        self.confirm(key, mac, port, now + CONFIRMED)
    }

    /// A station has an address, and is asked for it at this time.
    fn confirm(
        &mut self,
        (vni, ip): (Vni, IpAddr),
        mac: MacAddress,
        port: Option<u32>,
        at: Instant,
    ) -> Result<bool, Full> {
        let before = self.bindings.get(&(vni, ip)).copied();
        let same = before.filter(|it| it.mac == mac);
        self.room(vni, port, before.and_then(|it| it.heard))?;
        let heard = Heard {
            port: port.or_else(|| same?.heard?.port),
            belief: Belief::Confirmed,
            asked: 0,
            at,
        };
        let kernel = same.is_some_and(|it| it.kernel);
        let heard = Some(heard);
        self.put((vni, ip), Some(Binding { mac, kernel, heard }));
        Ok(!same.is_some_and(|it| it.holds()))
    }

    /// A station may have this address: it is asked after `pause`. What is known already, or is
    /// too much, is left alone.
    pub(crate) fn suspect(
        &mut self,
        now: Instant,
        (vni, ip): (Vni, IpAddr),
        mac: MacAddress,
        port: Option<u32>,
        pause: Duration,
    ) {
        let before = self.bindings.get(&(vni, ip)).copied();
        let known = before.is_some_and(|it| it.holds());
        if known
            || self
                .room(vni, port, before.and_then(|it| it.heard))
                .is_err()
        {
            return;
        }
        let heard = Some(Heard {
            port,
            belief: Belief::Suspected,
            asked: 0,
            at: now + pause,
        });
        let kernel = false;
        self.put((vni, ip), Some(Binding { mac, kernel, heard }));
    }

    /// The kernel has a neighbour, or no longer. Whether others have to be told so.
    pub(crate) fn kernel(
        &mut self,
        (vni, ip): (Vni, IpAddr),
        mac: MacAddress,
        present: bool,
    ) -> bool {
        let before = self.bindings.get(&(vni, ip)).copied();
        let same = before.filter(|it| it.mac == mac);
        if present {
            let heard = same.and_then(|it| it.heard);
            let kernel = true;
            self.put((vni, ip), Some(Binding { mac, kernel, heard }));
            return true;
        }
        // A late word about a neighbour that has been replaced says nothing about the new one.
        let Some(known) = same.filter(|it| it.kernel) else {
            return false;
        };
        let left = Binding {
            kernel: false,
            ..known
        };
        self.put((vni, ip), left.heard.is_some().then_some(left));
        !left.holds()
    }

    /// The bridge has learned a MAC address: its claim has done its work, and addresses that are
    /// remembered of it are asked for.
    pub(crate) fn mac_here(&mut self, now: Instant, vni: Vni, mac: MacAddress) {
        self.claims.remove(&(vni, mac));
        for ip in self.of_mac(vni, mac) {
            self.believe((vni, ip), Belief::Remembered, Belief::Suspected, now);
        }
    }

    /// A MAC address is no longer here. The addresses that were its, as far as they were heard.
    pub(crate) fn mac_gone(&mut self, now: Instant, vni: Vni, mac: MacAddress) -> Vec<IpAddr> {
        let mut gone = Vec::new();
        for ip in self.of_mac(vni, mac) {
            let until = now + REMEMBERED;
            let key = (vni, ip);
            if self.believe(key, Belief::Confirmed, Belief::Remembered, until) {
                gone.push(ip);
            }
            self.believe(key, Belief::Suspected, Belief::Remembered, until);
        }
        gone.retain(|ip| !self.bindings.get(&(vni, *ip)).is_some_and(Binding::holds));
        gone
    }

    /// Changes what is believed of an address, if it is `from`.
    fn believe(&mut self, key: (Vni, IpAddr), from: Belief, to: Belief, at: Instant) -> bool {
        let Some(binding) = self.bindings.get(&key).copied() else {
            return false;
        };
        let Some(heard) = binding.heard.filter(|heard| heard.belief == from) else {
            return false;
        };
        let heard = Some(Heard {
            belief: to,
            asked: 0,
            at,
            ..heard
        });
        self.put(key, Some(Binding { heard, ..binding }));
        true
    }

    /// A MAC address is here for as long, whatever the bridge says, unless it learns it.
    pub(crate) fn claim(&mut self, vni: Vni, mac: MacAddress, until: Instant) -> bool {
        let room = self.claims.len() < CLAIMS_MAX || self.claims.contains_key(&(vni, mac));
        if room {
            self.claims.insert((vni, mac), until);
        }
        room
    }

    /// Takes a claim back.
    pub(crate) fn unclaim(&mut self, vni: Vni, mac: MacAddress) {
        self.claims.remove(&(vni, mac));
    }

    /// Whether a MAC address is claimed.
    pub(crate) fn is_claimed(&self, vni: Vni, mac: MacAddress) -> bool {
        self.claims.contains_key(&(vni, mac))
    }

    /// Addresses of a MAC address, known or suspected.
    pub(crate) fn of_mac(&self, vni: Vni, mac: MacAddress) -> Vec<IpAddr> {
        let lowest = IpAddr::from([0, 0, 0, 0]);
        let all = self.of_mac.range((vni, mac, lowest)..);
        let own = all.take_while(|(other, of, _)| (*other, *of) == (vni, mac));
        own.map(|(_, _, ip)| *ip).collect()
    }

    /// The MAC address of an address that was heard and that the kernel has no entry of its own for.
    pub(crate) fn unwritten(&self, key: (Vni, IpAddr)) -> Option<MacAddress> {
        let binding = self.bindings.get(&key)?;
        (binding.confirmed() && !binding.kernel).then_some(binding.mac)
    }

    /// Addresses in an overlay.
    pub(crate) fn in_vni(&self, vni: Vni) -> impl Iterator<Item = IpAddr> {
        let lowest = IpAddr::from([0, 0, 0, 0]);
        let all = self.bindings.range((vni, lowest)..);
        let own = all.take_while(move |((other, _), _)| *other == vni);
        own.map(|((_, ip), _)| *ip)
    }

    /// An overlay is no more: what was heard in it, and counts no longer.
    pub(crate) fn forget(&mut self, vni: Vni) -> Vec<(IpAddr, MacAddress)> {
        self.claims.retain(|(other, _), _| *other != vni);
        let ips: Vec<IpAddr> = self.in_vni(vni).collect();
        let mut gone = Vec::new();
        for ip in ips {
            let Some(binding) = self.bindings.get(&(vni, ip)).copied() else {
                continue;
            };
            let heard = None;
            let left = binding.kernel.then_some(Binding { heard, ..binding });
            self.put((vni, ip), left);
            if binding.confirmed() && left.is_none() {
                gone.push((ip, binding.mac));
            }
        }
        gone
    }

    /// When there is something to do next.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let address = self.due.first().map(|(at, ..)| *at);
        let claim = self.claims.values().min().copied();
        address.into_iter().chain(claim).min()
    }

    /// What is to be done by now. `is_ours` says whether others are told that an address is here: one
    /// that has gone to another site is not asked for.
    pub(crate) fn due(
        &mut self,
        now: Instant,
        is_ours: impl Fn(Vni, IpAddr, MacAddress) -> bool,
    ) -> Option<Due> {
        let over = self.claims.iter().find(|(_, until)| **until <= now);
        if let Some((&(vni, mac), _)) = over {
            self.claims.remove(&(vni, mac));
            return Some(Due::ClaimOver(vni, mac));
        }
        while let Some((at, vni, ip)) = self.due.first().copied().filter(|(at, ..)| *at <= now) {
            let key = (vni, ip);
            let known = self.bindings.get(&key).copied();
            let Some((binding, heard)) = known.and_then(|it| Some((it, it.heard?))) else {
                self.due.remove(&(at, vni, ip));
                continue;
            };
            let mac = binding.mac;
            let ask = match heard.belief {
                Belief::Confirmed => heard.asked < ASKS && is_ours(vni, ip, mac),
                Belief::Suspected => heard.asked < ASKS,
                Belief::Remembered => false,
            };
            if ask {
                let heard = Some(Heard {
                    asked: heard.asked.saturating_add(1),
                    at: now + ASK_PAUSE,
                    ..heard
                });
                self.put(key, Some(Binding { heard, ..binding }));
                return Some(Due::Ask(vni, ip, mac));
            }
            let heard = None;
            let left = binding.kernel.then_some(Binding { heard, ..binding });
            self.put(key, left);
            if binding.confirmed() && left.is_none() {
                return Some(Due::Gone(vni, ip, mac));
            }
        }
        None
    }

    /// Whether one more address may be heard in place of what was known of it.
    fn room(&self, vni: Vni, port: Option<u32>, before: Option<Heard>) -> Result<(), Full> {
        let of_port = port.filter(|port| before.and_then(|it| it.port) != Some(*port));
        let on_port = of_port.and_then(|port| self.on_port.get(&port));
        if on_port.is_some_and(|count| *count >= PORT_MAX) {
            return Err(Full::Port);
        }
        let in_vni = self.in_vni.get(&vni).filter(|_| before.is_none());
        match in_vni.is_some_and(|count| *count >= VNI_MAX) {
            true => Err(Full::Vni),
            false => Ok(()),
        }
    }

    /// The only place where a binding changes, so that indexes and counts agree.
    fn put(&mut self, key: (Vni, IpAddr), binding: Option<Binding>) {
        let (vni, ip) = key;
        let before = match binding {
            Some(binding) => self.bindings.insert(key, binding),
            None => self.bindings.remove(&key),
        };
        if let Some(before) = before {
            self.of_mac.remove(&(vni, before.mac, ip));
        }
        if let Some(binding) = binding {
            self.of_mac.insert((vni, binding.mac, ip));
        }
        if let Some(heard) = before.and_then(|it| it.heard) {
            self.due.remove(&(heard.at, vni, ip));
            less(&mut self.in_vni, &vni);
            if let Some(port) = heard.port {
                less(&mut self.on_port, &port);
            }
        }
        if let Some(heard) = binding.and_then(|it| it.heard) {
            self.due.insert((heard.at, vni, ip));
            *self.in_vni.entry(vni).or_default() += 1;
            if let Some(port) = heard.port {
                *self.on_port.entry(port).or_default() += 1;
            }
        }
    }
}

fn less<K: std::hash::Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            counts.remove(key);
        }
    }
}

#[cfg(test)]
mod tests;
