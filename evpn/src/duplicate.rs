//! Addresses that move again and again, because two hosts have them: RFC 7432 §15.1 for MAC
//! addresses, RFC 9161 §3.7 for IP addresses.
//!
//! [`crate::resolve`] notes each change of place; [`crate::Instance::handle`], which knows the
//! time, has them judged here. An address with so many moves within the window is a duplicate and
//! is reported. It is either only named, or frozen: `resolve` then leaves it where it is, whoever
//! claims it, as long as that place has it at all. A place that gives the address up ends the
//! freeze, so that switching off one of two hosts is always enough, without anybody clearing
//! anything: whoever is left has the address, and may move again.
//!
//! A duplicate that is only named is one until it rests for a whole window; a frozen one until its
//! time is over or it has left its place. Both end when somebody clears them, and count from nothing
//! afterwards.
//!
//! Only moves to or from this site count: each of the two sites sees all of those, while a third
//! one sees what BGP has left of them, and would freeze in another place than they. Static
//! addresses are not subject to this, and neither are those of virtual routers ([`is_virtual`]).
//!
//! What is kept is an entry per address that moved within the window, and one per duplicate.
//! Nothing here decides where an address is.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::{Duration, Instant};

use bgp::{MacAddress, Vni};

use crate::station::Place;

/// When an address is taken for a duplicate, and what happens then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DuplicateDetection {
    /// That many moves within the window.
    pub moves: u16,
    /// The window.
    pub window: Duration,
    /// What happens then.
    pub action: DuplicateAction,
}

/// Five moves within 180 seconds (RFC 7432 §15.1), and nothing is frozen.
impl Default for DuplicateDetection {
    fn default() -> Self {
        Self {
            moves: 5,
            window: Duration::from_secs(180),
            action: DuplicateAction::Warn,
        }
    }
}

/// What happens to a duplicate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DuplicateAction {
    /// It is named, and followed as before.
    Warn,
    /// It is left where it is, for this time or until somebody clears it.
    Freeze(Option<Duration>),
}

/// An address that can be a duplicate. MAC addresses come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Address {
    /// Of a port.
    Mac(MacAddress),
    /// Bound to a MAC address.
    Ip(IpAddr),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Mac(mac) => mac.fmt(f),
            Address::Ip(ip) => ip.fmt(f),
        }
    }
}

/// Neither a MAC address nor an IP address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AddressError;

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected a MAC address like 02:00:00:00:00:01 or an IP address")
    }
}

impl std::error::Error for AddressError {}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let mac = text.parse().map(Address::Mac);
        let address = mac.or_else(|_| text.parse().map(Address::Ip));
        address.map_err(|_| AddressError)
    }
}

/// What an address was last seen going back and forth between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Between {
    /// A MAC address: this site and the one with this tunnel address.
    HereAnd(IpAddr),
    /// An IP address: two MAC addresses.
    Macs(MacAddress, MacAddress),
}

impl fmt::Display for Between {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Between::HereAnd(vtep) => write!(f, "this site and {vtep}"),
            Between::Macs(one, other) => write!(f, "{one} and {other}"),
        }
    }
}

/// An address that is in two places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Duplicate {
    /// Where.
    pub vni: Vni,
    /// Which.
    pub address: Address,
    /// What it goes back and forth between.
    pub between: Between,
    /// How often it moved since it was first seen to.
    pub moves: u32,
    /// Since when it is known to be one.
    pub since: Instant,
    /// It is left where it is.
    pub frozen: bool,
    /// When that is over unless it moves again; `None` if it is frozen until somebody clears it.
    pub until: Option<Instant>,
}

/// Why an address is no longer a duplicate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum DuplicateEnd {
    /// It did not move for a whole window.
    Rested,
    /// It was frozen long enough.
    FreezeOver,
    /// It was frozen, and is not there any more: its place gave it up, or it is static elsewhere.
    Left,
    /// Somebody cleared it, or changed the settings of the detection.
    Cleared,
}

impl fmt::Display for DuplicateEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            DuplicateEnd::Rested => "it did not move any more",
            DuplicateEnd::FreezeOver => "its freeze time is over",
            DuplicateEnd::Left => "it is no longer where it was frozen",
            DuplicateEnd::Cleared => "it was cleared",
        })
    }
}

/// How often addresses moved since the start, wherever to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MoveCounts {
    /// MAC addresses that changed their site.
    pub macs: u64,
    /// IP addresses that changed their MAC address.
    pub ips: u64,
}

/// Whether it is an address that virtual routers hand to each other: VRRP (RFC 9568 §7.3) and all
/// that speak like it. Going back and forth is what they are for.
pub(crate) fn is_virtual(mac: MacAddress) -> bool {
    matches!(mac.0, [0x00, 0x00, 0x5e, 0x00, 0x01 | 0x02, _])
}

/// What a judgement found, or what came to an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Report {
    Found(Duplicate),
    Over(Vni, Address, DuplicateEnd),
}

/// Addresses that moved lately, and those of them that are duplicates.
#[derive(Debug)]
pub(crate) struct Duplicates {
    settings: Option<DuplicateDetection>,
    watched: BTreeMap<(Vni, Address), Watch>,
    /// When each of them is forgotten.
    ends: BTreeSet<(Instant, Vni, Address)>,
    /// Noted and not judged.
    moved: Vec<(Vni, Address, Between)>,
    reports: VecDeque<Report>,
    /// How many of the watched are frozen: nearly always none.
    frozen: usize,
    counts: MoveCounts,
}

#[derive(Debug)]
struct Watch {
    /// The last moves, as many as make a duplicate.
    times: VecDeque<Instant>,
    between: Between,
    moves: u32,
    found: Option<Found>,
    ends: Option<Instant>,
}

#[derive(Debug)]
struct Found {
    since: Instant,
    frozen: bool,
}

impl Duplicates {
    pub(crate) fn new() -> Self {
        Self {
            settings: Some(DuplicateDetection::default()),
            watched: BTreeMap::new(),
            ends: BTreeSet::new(),
            moved: Vec::new(),
            reports: VecDeque::new(),
            frozen: 0,
            counts: MoveCounts::default(),
        }
    }

    /// A MAC address changed its site. `sticky`: it is static in its new place.
    pub(crate) fn mac_moved(
        &mut self,
        vni: Vni,
        mac: MacAddress,
        (from, to): (Place, Place),
        sticky: bool,
    ) {
        self.counts.macs = self.counts.macs.saturating_add(1);
        let other = match (from, to) {
            (Place::Here, Place::At(vtep)) | (Place::At(vtep), Place::Here) => vtep,
            (Place::Here, Place::Here) | (Place::At(_), Place::At(_)) => return,
        };
        if !sticky && !is_virtual(mac) {
            self.note(vni, Address::Mac(mac), Between::HereAnd(other));
        }
    }

    /// An IP address changed its MAC address. `here`: one of the two is at this site.
    pub(crate) fn ip_moved(
        &mut self,
        vni: Vni,
        ip: IpAddr,
        (from, to): (MacAddress, MacAddress),
        here: bool,
    ) {
        self.counts.ips = self.counts.ips.saturating_add(1);
        if here && !is_virtual(from) && !is_virtual(to) {
            self.note(vni, Address::Ip(ip), Between::Macs(from, to));
        }
    }

    fn note(&mut self, vni: Vni, address: Address, between: Between) {
        if self.settings.is_some() {
            self.moved.push((vni, address, between));
        }
    }

    /// Judges what was noted. Returns what is frozen from now on.
    pub(crate) fn judge(&mut self, now: Instant) -> Vec<(Vni, Address)> {
        let mut frozen = Vec::new();
        for (vni, address, between) in std::mem::take(&mut self.moved) {
            if self.judge_move(now, vni, address, between) {
                frozen.push((vni, address));
            }
        }
        frozen
    }

    fn judge_move(&mut self, now: Instant, vni: Vni, address: Address, between: Between) -> bool {
        let Some(settings) = self.settings else {
            return false;
        };
        let watch = self
            .watched
            .entry((vni, address))
            .or_insert_with(|| Watch::new(between));
        if watch.is_frozen() {
            // What moves leaves its place, and is not frozen then.
            return false;
        }
        watch.moved(now, between, usize::from(settings.moves));
        let mut end = now.checked_add(settings.window);
        let newly = watch.found.is_none() && watch.is_duplicate(now, &settings);
        let mut frozen = false;
        if newly {
            if let DuplicateAction::Freeze(time) = settings.action {
                frozen = true;
                end = time.and_then(|time| now.checked_add(time));
            }
            watch.found = Some(Found { since: now, frozen });
        }
        if let Some(before) = std::mem::replace(&mut watch.ends, end) {
            self.ends.remove(&(before, vni, address));
        }
        if newly {
            let found = watch.duplicate(vni, address);
            self.reports.extend(found.map(Report::Found));
            self.frozen += usize::from(frozen);
        }
        self.ends.extend(end.map(|end| (end, vni, address)));
        frozen
    }

    /// Forgets what is over. Returns what is frozen no more.
    pub(crate) fn expire(&mut self, now: Instant) -> Vec<(Vni, Address)> {
        let mut thawed = Vec::new();
        while let Some((end, vni, address)) = self.ends.first().copied()
            && end <= now
        {
            let frozen = self.is_frozen(vni, address);
            let why = match frozen {
                true => DuplicateEnd::FreezeOver,
                false => DuplicateEnd::Rested,
            };
            self.forget(vni, address, why);
            thawed.extend(frozen.then_some((vni, address)));
        }
        thawed
    }

    /// A frozen address, if any, is not where it was held. That it went from there says nothing about
    /// a second host.
    pub(crate) fn left(&mut self, gone: Option<(Vni, Address)>) {
        if let Some((vni, address)) = gone {
            self.moved
                .retain(|(of, other, _)| (*of, *other) != (vni, address));
            self.forget(vni, address, DuplicateEnd::Left);
        }
    }

    /// What is frozen.
    pub(crate) fn frozen(&self) -> Vec<(Vni, Address)> {
        if self.frozen == 0 {
            return Vec::new();
        }
        let frozen = self.watched.iter().filter(|(_, watch)| watch.is_frozen());
        frozen.map(|(key, _)| *key).collect()
    }

    /// Lets go of those that `select` picks; their moves count from nothing. Returns what was
    /// frozen.
    pub(crate) fn clear(&mut self, select: impl Fn(Vni, Address) -> bool) -> Vec<(Vni, Address)> {
        let keys = self.watched.keys().copied();
        let picked: Vec<(Vni, Address)> = keys
            .filter(|(vni, address)| select(*vni, *address))
            .collect();
        let mut thawed = Vec::new();
        for (vni, address) in picked {
            thawed.extend(self.is_frozen(vni, address).then_some((vni, address)));
            self.forget(vni, address, DuplicateEnd::Cleared);
        }
        thawed
    }

    /// Other settings: everything counts from nothing. Returns what was frozen.
    pub(crate) fn set(&mut self, settings: Option<DuplicateDetection>) -> Vec<(Vni, Address)> {
        if std::mem::replace(&mut self.settings, settings) == settings {
            return Vec::new();
        }
        self.moved.clear();
        self.clear(|_, _| true)
    }

    fn forget(&mut self, vni: Vni, address: Address, why: DuplicateEnd) {
        let Some(watch) = self.watched.remove(&(vni, address)) else {
            return;
        };
        if let Some(end) = watch.ends {
            self.ends.remove(&(end, vni, address));
        }
        self.frozen -= usize::from(watch.is_frozen());
        if watch.found.is_some() {
            self.reports.push_back(Report::Over(vni, address, why));
        }
    }

    pub(crate) fn next_report(&mut self) -> Option<Report> {
        self.reports.pop_front()
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.ends.first().map(|(end, ..)| *end)
    }

    pub(crate) fn is_frozen(&self, vni: Vni, address: Address) -> bool {
        let watch = || self.watched.get(&(vni, address));
        self.frozen > 0 && watch().is_some_and(Watch::is_frozen)
    }

    pub(crate) fn get(&self, vni: Vni, address: Address) -> Option<Duplicate> {
        self.watched.get(&(vni, address))?.duplicate(vni, address)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = Duplicate> {
        self.watched
            .iter()
            .filter_map(|((vni, address), watch)| watch.duplicate(*vni, *address))
    }

    pub(crate) fn counts(&self) -> MoveCounts {
        self.counts
    }
}

impl Watch {
    fn new(between: Between) -> Self {
        Self {
            times: VecDeque::new(),
            between,
            moves: 0,
            found: None,
            ends: None,
        }
    }

    fn moved(&mut self, now: Instant, between: Between, keep: usize) {
        self.between = between;
        self.moves = self.moves.saturating_add(1);
        self.times.push_back(now);
        while self.times.len() > keep.max(1) {
            self.times.pop_front();
        }
    }

    fn is_duplicate(&self, now: Instant, settings: &DuplicateDetection) -> bool {
        let first = self.times.front();
        self.times.len() >= usize::from(settings.moves)
            && first.is_some_and(|first| now.saturating_duration_since(*first) <= settings.window)
    }

    fn is_frozen(&self) -> bool {
        self.found.as_ref().is_some_and(|found| found.frozen)
    }

    fn duplicate(&self, vni: Vni, address: Address) -> Option<Duplicate> {
        let found = self.found.as_ref()?;
        Some(Duplicate {
            vni,
            address,
            between: self.between,
            moves: self.moves,
            since: found.since,
            frozen: found.frozen,
            until: self.ends,
        })
    }
}

#[cfg(test)]
mod tests;
