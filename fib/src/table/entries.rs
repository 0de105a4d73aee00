//! The [`Ledger`] of what stands on devices, small: there are as many entries as hosts elsewhere.
//!
//! In the ledger a device is a number, and so is a tunnel. A remote MAC address takes 32
//! octets there and a neighbour 40, where their names alone take that much. [`Entries`] has the
//! ledger's face, and translates.
//!
//! A device that once had a number keeps it, which is forty octets for each device there ever was.
//! Tunnels are numbered anew when most of those with a number are in use no longer: others choose
//! how many there are.

use std::hash::{BuildHasher, Hash};
use std::net::IpAddr;
use std::time::Instant;

use hashbrown::HashTable;

use super::layer2::FdbState;
use super::ledger::{Failure, Ledger};
use crate::event::Differences;
use crate::overlay::Barred;
use crate::state::{Device, FdbKey, FloodKey, Mac, Neighbour, NeighbourKey, Segment, Tunnel};

/// The name of an entry, and how it is kept.
pub(super) trait Packed: Sized {
    /// What the kernel keeps under the name.
    type Content: Copy + Eq;
    /// The name without its device.
    type Rest: Copy + Eq + Hash;
    /// The content as it is kept.
    type Value: Copy + Eq;

    fn place(&self) -> (&Device, Option<Segment>);
    fn rest(&self) -> Self::Rest;
    fn named(device: Device, segment: Option<Segment>, rest: Self::Rest) -> Self;
    fn pack(content: Self::Content, tunnels: &mut Numbers<Tunnel>) -> Self::Value;
    fn unpack(value: Self::Value, tunnels: &Numbers<Tunnel>) -> Self::Content;
}

/// Want and have of one kind of entry.
pub(super) struct Entries<K: Packed> {
    ledger: Ledger<(u32, K::Rest), K::Value>,
    places: Numbers<(Device, Option<Segment>)>,
    tunnels: Numbers<Tunnel>,
}

impl<K: Packed> Default for Entries<K> {
    fn default() -> Self {
        Self {
            ledger: Ledger::default(),
            places: Numbers::default(),
            tunnels: Numbers::default(),
        }
    }
}

impl<K: Packed> Entries<K> {
    pub(super) fn set(&mut self, key: &K, want: Option<K::Content>) -> Option<K::Content> {
        let key = self.number(key);
        let want = want.map(|want| K::pack(want, &mut self.tunnels));
        let before = self.ledger.set(key, want);
        before.map(|before| K::unpack(before, &self.tunnels))
    }

    pub(super) fn observe(
        &mut self,
        key: &K,
        have: Option<K::Content>,
        adopt: bool,
    ) -> Option<K::Content> {
        let key = match have {
            Some(_) => self.number(key),
            // Nothing is remembered of what is not known.
            None => self.find(key)?,
        };
        let have = have.map(|have| K::pack(have, &mut self.tunnels));
        let before = self.ledger.observe(key, have, adopt);
        before.map(|before| K::unpack(before, &self.tunnels))
    }

    pub(super) fn take_satisfied(&mut self) -> Vec<K> {
        let keys = self.ledger.take_satisfied();
        keys.into_iter().filter_map(|key| self.name(key)).collect()
    }

    pub(super) fn take_repaired(&mut self) -> Differences {
        self.ledger.take_repaired()
    }

    pub(super) fn next_set(&mut self) -> Option<(K, K::Content)> {
        let (key, want, _) = self.ledger.next_set()?;
        Some((self.name(key)?, K::unpack(want, &self.tunnels)))
    }

    pub(super) fn next_unset(&mut self) -> Option<(K, K::Content)> {
        let (key, have) = self.ledger.next_unset()?;
        Some((self.name(key)?, K::unpack(have, &self.tunnels)))
    }

    pub(super) fn has_work(&self) -> bool {
        self.ledger.has_work()
    }

    pub(super) fn fail(&mut self, key: &K, error: String, now: Instant) {
        if let Some(key) = self.find(key) {
            self.ledger.fail(key, error, now);
        }
    }

    pub(super) fn block(&mut self, key: &K, error: String) {
        if let Some(key) = self.find(key) {
            self.ledger.block(key, error);
        }
    }

    pub(super) fn release(&mut self, key: &K) {
        if let Some(key) = self.find(key) {
            self.ledger.release(key);
        }
    }

    pub(super) fn yield_place(&mut self, key: &K, error: String, now: Instant) {
        if let Some(key) = self.find(key) {
            self.ledger.yield_place(key, error, now);
        }
    }

    pub(super) fn retry(&mut self) {
        self.ledger.retry();
    }

    pub(super) fn retry_due(&mut self, now: Instant) {
        self.ledger.retry_due(now);
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.ledger.deadline()
    }

    pub(super) fn sweep(&mut self) {
        self.ledger.sweep(|_| true);
    }

    pub(super) fn begin_audit(&mut self) {
        self.ledger.begin_audit();
    }

    pub(super) fn abandon_audit(&mut self) {
        self.ledger.abandon_audit();
    }

    pub(super) fn end_audit(&mut self) -> Vec<K> {
        let lost = self.ledger.end_audit(|_| true);
        let lost = lost.into_iter();
        lost.filter_map(|(key, _)| self.name(key)).collect()
    }

    /// What is there on a device is gone, as far as `applies`. Returns it.
    pub(super) fn lose(
        &mut self,
        device: &Device,
        applies: impl Fn(K::Content) -> bool,
    ) -> Vec<(K, K::Content)> {
        let of_device = |((it, _), number): (&(Device, _), u32)| (it == device).then_some(number);
        let numbers: Vec<u32> = self.places.iter().filter_map(of_device).collect();
        if numbers.is_empty() || self.ledger.is_empty() {
            return Vec::new();
        }
        let tunnels = &self.tunnels;
        let lost = self.ledger.lose(|(number, _), value| {
            numbers.contains(number) && applies(K::unpack(value, tunnels))
        });
        let content = |(key, value)| Some((self.name(key)?, K::unpack(value, &self.tunnels)));
        lost.into_iter().filter_map(content).collect()
    }

    /// It cannot be written as things are.
    pub(super) fn wait(&mut self, key: &K, error: String) {
        if let Some(key) = self.find(key) {
            self.ledger.wait(key, error);
        }
    }

    /// It is not removed as things are.
    pub(super) fn leave(&mut self, key: &K) {
        if let Some(key) = self.find(key) {
            self.ledger.leave(&key);
        }
    }

    /// Things are otherwise in this place.
    pub(super) fn rouse(&mut self, place: &Barred) {
        let numbers = self.numbers_of(place);
        if !numbers.is_empty() {
            self.ledger.rouse(|(number, _)| numbers.contains(number));
        }
    }

    /// What is there in this place without a wish is not ours.
    pub(super) fn disown(&mut self, place: &Barred) -> Vec<K> {
        self.disown_some(place, false)
    }

    /// Nothing that is there in this place is ours.
    pub(super) fn disown_all(&mut self, place: &Barred) -> Vec<K> {
        self.disown_some(place, true)
    }

    fn disown_some(&mut self, place: &Barred, wished_for: bool) -> Vec<K> {
        let numbers = self.numbers_of(place);
        if numbers.is_empty() {
            return Vec::new();
        }
        let of_place = |(number, _): &(u32, K::Rest)| numbers.contains(number);
        let disowned = self.ledger.disown(of_place, wished_for);
        let names = disowned.into_iter();
        names.filter_map(|(key, _)| self.name(key)).collect()
    }

    /// What is there in this place as it was wished for.
    pub(super) fn satisfied_in(&self, place: &Barred) -> Vec<K> {
        let numbers = self.numbers_of(place);
        if numbers.is_empty() {
            return Vec::new();
        }
        let keys = self
            .ledger
            .satisfied(|(number, _)| numbers.contains(number));
        keys.into_iter().filter_map(|key| self.name(key)).collect()
    }

    fn numbers_of(&self, place: &Barred) -> Vec<u32> {
        let within = |device: &Device, segment: Option<Segment>| match place {
            Barred::Device(barred) => device == barred,
            Barred::Network(barred, vni) => {
                device == barred && segment.is_some_and(|it| it.vni == *vni)
            }
        };
        let all = self.places.iter();
        let these = all.filter(|((device, segment), _)| within(device, *segment));
        these.map(|(_, number)| number).collect()
    }

    pub(super) fn want(&self, key: &K) -> Option<K::Content> {
        let want = self.ledger.want(&self.find(key)?)?;
        Some(K::unpack(want, &self.tunnels))
    }

    pub(super) fn have(&self, key: &K) -> Option<K::Content> {
        let have = self.ledger.have(&self.find(key)?)?;
        Some(K::unpack(have, &self.tunnels))
    }

    #[allow(clippy::type_complexity)]
    pub(super) fn differences(
        &self,
    ) -> impl Iterator<Item = (K, Option<K::Content>, Option<K::Content>, Option<&Failure>)> {
        let content = |value: Option<K::Value>| value.map(|value| K::unpack(value, &self.tunnels));
        let differences = self.ledger.differences();
        differences.filter_map(move |(key, want, have, failure)| {
            Some((self.name(*key)?, content(want), content(have), failure))
        })
    }

    pub(super) fn error(&self, key: &K) -> Option<&str> {
        self.ledger.error(&self.find(key)?)
    }

    pub(super) fn clear_wants(&mut self) {
        self.ledger.clear_wants(|_| true);
    }

    pub(super) fn shrink(&mut self) {
        self.ledger.shrink();
        // Want and have may name two each.
        if self.tunnels.values.len() > 1024 + self.ledger.len() * 4 {
            let before = std::mem::take(&mut self.tunnels);
            let tunnels = &mut self.tunnels;
            self.ledger
                .rewrite(|value| K::pack(K::unpack(value, &before), tunnels));
        }
    }

    fn number(&mut self, key: &K) -> (u32, K::Rest) {
        let (device, segment) = key.place();
        let is = |known: &(Device, Option<Segment>)| known.0 == *device && known.1 == segment;
        let number = self
            .places
            .number((device, segment), is, || (device.clone(), segment));
        (number, key.rest())
    }

    fn find(&self, key: &K) -> Option<(u32, K::Rest)> {
        let (device, segment) = key.place();
        let is = |known: &(Device, Option<Segment>)| known.0 == *device && known.1 == segment;
        Some((self.places.find((device, segment), is)?, key.rest()))
    }

    fn name(&self, (number, rest): (u32, K::Rest)) -> Option<K> {
        let (device, segment) = self.places.get(number)?;
        Some(K::named(device.clone(), *segment, rest))
    }
}

/// Values by number, and numbers by value.
pub(super) struct Numbers<T> {
    values: Vec<T>,
    index: HashTable<u32>,
    hasher: foldhash::fast::RandomState,
}

impl<T> Default for Numbers<T> {
    fn default() -> Self {
        Self {
            values: Vec::new(),
            index: HashTable::new(),
            hasher: foldhash::fast::RandomState::default(),
        }
    }
}

impl<T: Hash> Numbers<T> {
    /// The number of a value, that hashes like `key`; a new one if it has none.
    fn number(
        &mut self,
        key: impl Hash,
        is: impl Fn(&T) -> bool,
        value: impl FnOnce() -> T,
    ) -> u32 {
        if let Some(number) = self.find(&key, is) {
            return number;
        }
        let number = u32::try_from(self.values.len()).unwrap_or(u32::MAX);
        debug_assert!(number < u32::MAX, "four thousand million names");
        self.values.push(value());
        let Self {
            values,
            index,
            hasher,
        } = self;
        let hash = |at: &u32| values.get(place(*at)).map_or(0, |it| hasher.hash_one(it));
        index.insert_unique(hasher.hash_one(key), number, hash);
        number
    }

    fn find(&self, key: impl Hash, is: impl Fn(&T) -> bool) -> Option<u32> {
        let same = |at: &u32| self.values.get(place(*at)).is_some_and(&is);
        self.index.find(self.hasher.hash_one(key), same).copied()
    }

    fn get(&self, number: u32) -> Option<&T> {
        self.values.get(place(number))
    }

    fn iter(&self) -> impl Iterator<Item = (&T, u32)> {
        self.values.iter().zip(0..)
    }
}

fn place(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

/// [`FdbState`] with a number for its tunnel, zero for none.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct PackedFdb {
    tunnel: u32,
    bridge: bool,
    sticky: bool,
}

impl Packed for FdbKey {
    type Content = FdbState;
    type Rest = Mac;
    type Value = PackedFdb;

    fn place(&self) -> (&Device, Option<Segment>) {
        (&self.device, self.segment)
    }

    fn rest(&self) -> Mac {
        self.mac
    }

    fn named(device: Device, segment: Option<Segment>, mac: Mac) -> Self {
        FdbKey::new(device, mac).within(segment)
    }

    fn pack(state: FdbState, tunnels: &mut Numbers<Tunnel>) -> PackedFdb {
        let number = |tunnel: Tunnel| tunnels.number(tunnel, |it| *it == tunnel, || tunnel) + 1;
        PackedFdb {
            tunnel: state.tunnel.map_or(0, number),
            bridge: state.bridge,
            sticky: state.sticky,
        }
    }

    fn unpack(value: PackedFdb, tunnels: &Numbers<Tunnel>) -> FdbState {
        let tunnel = value.tunnel.checked_sub(1);
        FdbState {
            tunnel: tunnel.and_then(|number| tunnels.get(number)).copied(),
            bridge: value.bridge,
            sticky: value.sticky,
        }
    }
}

impl Packed for FloodKey {
    type Content = ();
    type Rest = Tunnel;
    type Value = ();

    fn place(&self) -> (&Device, Option<Segment>) {
        (&self.device, self.segment)
    }

    fn rest(&self) -> Tunnel {
        self.tunnel
    }

    fn named(device: Device, segment: Option<Segment>, tunnel: Tunnel) -> Self {
        FloodKey::new(device, tunnel).within(segment)
    }

    fn pack((): (), _: &mut Numbers<Tunnel>) {}

    fn unpack((): (), _: &Numbers<Tunnel>) {}
}

impl Packed for NeighbourKey {
    type Content = Neighbour;
    type Rest = IpAddr;
    type Value = Neighbour;

    fn place(&self) -> (&Device, Option<Segment>) {
        (&self.device, None)
    }

    fn rest(&self) -> IpAddr {
        self.ip
    }

    fn named(device: Device, _: Option<Segment>, ip: IpAddr) -> Self {
        NeighbourKey { device, ip }
    }

    fn pack(neighbour: Neighbour, _: &mut Numbers<Tunnel>) -> Neighbour {
        neighbour
    }

    fn unpack(neighbour: Neighbour, _: &Numbers<Tunnel>) -> Neighbour {
        neighbour
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_of_other_sites_are_small() {
        assert_eq!(Ledger::<(u32, Mac), PackedFdb>::ENTRY, 32);
        assert_eq!(Ledger::<(u32, IpAddr), Neighbour>::ENTRY, 40);
    }

    #[test]
    fn what_goes_in_comes_out_under_its_name() {
        let mut entries: Entries<FdbKey> = Entries::default();
        let key = |device: &str, last: u8, vni: Option<u32>| {
            let segment = vni.map(|vni| Segment { vni, vlan: 7 });
            FdbKey::new(device, Mac([2, 0, 0, 0, 0, last])).within(segment)
        };
        let behind = |last: Option<u8>| FdbState {
            tunnel: last.map(|last| Tunnel::from(IpAddr::from([10, 0, 0, last]))),
            bridge: true,
            sticky: false,
        };
        let all = [
            (key("vx1", 1, None), behind(Some(1))),
            (key("vx2", 1, None), behind(Some(2))),
            (key("vx", 1, Some(1)), behind(None)),
            (key("vx", 1, Some(2)), behind(Some(1))),
        ];
        for (key, state) in &all {
            assert_eq!(entries.want(key), None);
            assert_eq!(entries.set(key, Some(*state)), None);
            assert_eq!(entries.set(key, Some(*state)), Some(*state));
        }
        for (key, state) in &all {
            assert_eq!(entries.next_set(), Some((key.clone(), *state)));
            assert_eq!(entries.observe(key, Some(*state), false), None);
            assert_eq!(entries.have(key), Some(*state));
        }
        assert_eq!(entries.next_set(), None);
        let keys = all.clone().map(|(key, _)| key);
        assert_eq!(entries.take_satisfied(), keys);
        assert_eq!(entries.lose(&"vx3".into(), |_| true), []);
        assert_eq!(entries.lose(&"vx".into(), |_| true), all[2..]);
        assert_eq!(entries.observe(&key("vx9", 1, None), None, false), None);
        assert_eq!(entries.have(&keys[2]), None);
        assert_eq!(entries.have(&keys[1]), Some(behind(Some(2))));
        assert_eq!(
            entries.places.values.len(),
            4,
            "nothing of what is not known"
        );
    }

    #[test]
    fn tunnels_that_nobody_uses_any_more_are_forgotten() {
        let mut entries: Entries<FdbKey> = Entries::default();
        let key = |last: u8| FdbKey::new("vx1", Mac([2, 0, 0, 0, 0, last]));
        let behind = |vni: u32| FdbState {
            tunnel: Some(Tunnel::from(IpAddr::from([10, 0, 0, 2])).towards(vni, 1)),
            bridge: true,
            sticky: false,
        };
        entries.set(&key(1), Some(behind(7)));
        for vni in 10..2000 {
            entries.set(&key(2), Some(behind(vni)));
            entries.observe(&key(2), Some(behind(vni)), false);
        }
        entries.set(&key(3), Some(behind(1)));
        assert_eq!(entries.tunnels.values.len(), 1992);
        entries.shrink();
        assert_eq!(entries.tunnels.values.len(), 3);
        let want = [1, 2, 3].map(|last| entries.want(&key(last)));
        assert_eq!(want, [7, 1999, 1].map(|vni| Some(behind(vni))));
        assert_eq!(entries.have(&key(2)), want[1]);
        let set = [entries.next_set(), entries.next_set(), entries.next_set()];
        assert_eq!(
            set,
            [Some((key(1), behind(7))), Some((key(3), behind(1))), None]
        );
    }
}
