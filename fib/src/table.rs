//! Want, have, plan: the pure middle of this crate.
//!
//! [`Table::set`] and [`Table::unset`] say what is wanted, [`Table::observe`] says what the kernel
//! has, [`Table::plan`] gives the next operations and [`Table::done`] takes their results. Start,
//! restart, lost notifications and changes by hand take this one path: what differs is written.
//!
//! A plan holds operations of one stage only, and stages come in this order: devices, nexthop
//! objects (singles, then groups), routes and entries to set, routes and entries to remove,
//! nexthop objects to remove, devices to remove. So adds come before deletes, and nothing is written
//! before what it needs. A route that changes is replaced in one operation.
//!
//! Ours is what carries our stamp: the protocol number on routes, nexthop objects (with a number
//! of our range) and addresses, `extern_learn` on FDB entries and neighbours of devices that an
//! entry names, every flood entry of a wanted overlay, the alias on devices. Nothing else is
//! changed or removed: where a route or a static entry of somebody else's is in the place of ours,
//! ours waits. What is ours and was there before it was wanted stays until [`Table::sweep`].
//!
//! What the kernel shows of each kind of entry is taken in by [`routes`], [`layer2`] and
//! [`overlays`] ([`vrfs`] for the VRF devices that they stand in), [`interfaces`] and [`forwarding`] of
//! the host itself, a complete read by [`audit`]; [`shares`] tells several owners apart,
//! [`twins`] several routes in one place. [`on_device`] has what layer 2 entries share,
//! [`barred`] what becomes of them where the device cannot carry them,
//! [`loss`] the short cut for next hops that are lost, [`comparison`] what an operator is shown.
//! This file is what goes across them: wishes, the order of a plan, results.
//!
//! Not here: how anything is written, time (it comes in as an argument), what the routes mean.

mod audit;
mod barred;
mod comparison;
mod entries;
mod forwarding;
mod interfaces;
mod layer2;
mod ledger;
mod loss;
#[cfg(any(test, feature = "model"))]
pub(crate) mod model;
mod nexthops;
mod occupied;
mod on_device;
mod op;
mod overlays;
mod route_ledger;
mod routes;
mod segments;
mod shapes;
mod shares;
mod twins;
mod vrfs;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::Instant;

use crate::event::{Differences, Event};
use crate::links::{Address, Link, Links, Vlans};
use crate::overlay;
use crate::state::{
    Change, Device, Entry, FdbKey, FloodKey, Key, Neighbour, NeighbourKey, RouteKey, Share, Tunnel,
};
use audit::Audit;
pub use audit::AuditScope;
use barred::Bars;
pub use comparison::Status;
use entries::Entries;
use forwarding::ForwardingSlot;
use interfaces::InterfaceSlot;
use layer2::FdbState;
use ledger::Ledger;
pub use loss::Parting;
pub use nexthops::{Hop, Object};
use nexthops::{NextHops, Standing};
use occupied::Occupied;
pub use occupied::{Place, Theirs};
use op::refused;
pub use op::{Op, OpError};
use overlays::OverlaySlot;
use route_ledger::RouteLedger;
pub use shapes::{RouteShape, Via};
use shapes::{ShapeId, Shapes};
use shares::Shares;
use twins::Twins;
use vrfs::{Holder, VrfSlot};

/// What the kernel has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observation {
    /// A device as it is now.
    Link(Link),
    /// A device is gone.
    LinkRemoved(u32),
    /// An address as it is now.
    Address(Address),
    /// An address is gone.
    AddressRemoved(Address),
    /// The VLANs of all bridges and ports, by device.
    Vlans(HashMap<u32, Vlans>),
    /// The VNIs that VXLAN devices let in, by device.
    VniFilters(HashMap<u32, BTreeSet<u32>>),
    /// A route with our protocol number; true if it took the place of the one that was in front
    /// with this metric.
    Route(RouteKey, RouteShape, bool),
    /// A route with our protocol number is gone.
    RouteGone(RouteKey, RouteShape),
    /// Somebody else's route took the place of the one that was in front with this metric.
    RouteReplaced(RouteKey, u32),
    /// Somebody else's route with this metric; where it stands says the order of a complete read.
    RouteOfOthers(RouteKey, u32),
    /// All nexthop objects of ours.
    NextHops(HashMap<u32, Object>),
    /// A MAC address on a VXLAN device with `extern_learn`; `None` if it is gone.
    FdbTunnel(FdbKey, Option<Tunnel>),
    /// A MAC address on a bridge with `extern_learn` and this port; gone if false.
    FdbBridge(FdbKey, bool),
    /// A flood entry; gone if false.
    Flood(FloodKey, bool),
    /// A neighbour with `extern_learn`; `None` if it is gone.
    Neighbour(NeighbourKey, Option<Neighbour>),
    /// Somebody else's static entry; `None` if there is none.
    Occupied(Place, Option<Theirs>),
    /// Somebody else's route with this metric is gone.
    RouteVacated(RouteKey),
    /// Whether the host forwards packets of IPv6, or IPv4; `None` where it does not say.
    Forwarding(bool, Option<bool>),
}

/// Which leftovers a sweep removes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sweep {
    /// IPv4 routes.
    Ipv4Routes,
    /// IPv6 routes.
    Ipv6Routes,
    /// FDB entries, flood lists and neighbours.
    Layer2,
    /// Everything, devices included. Also what is found later.
    All,
}

/// Desired and observed kernel state.
pub struct Table {
    owner: overlay::Owner,
    links: Links,
    objects: NextHops,
    shapes: Shapes,
    routes: RouteLedger,
    /// Routes of ours beside the one in `routes`: same prefix, other metric. Never wanted.
    strays: Ledger<(RouteKey, u32), ShapeId>,
    /// Routes of ours with prefix and metric of another.
    twins: Twins,
    fdb: Entries<FdbKey>,
    flood: Entries<FloodKey>,
    neighbours: Entries<NeighbourKey>,
    /// Where somebody else's entries are in the way of ours.
    occupied: Occupied,
    /// Where nothing is written and nothing removed.
    bars: Bars,
    overlays: BTreeMap<u32, OverlaySlot>,
    vrfs: BTreeMap<Device, VrfSlot>,
    interfaces: BTreeMap<Device, InterfaceSlot>,
    /// Devices whose addresses were given up.
    unassigned: BTreeSet<Device>,
    /// IPv4, and IPv6.
    forwarding: [ForwardingSlot; 2],
    /// VRF devices that a previous run left and nobody wants have been released.
    vrfs_swept: bool,
    /// Devices of overlays that are no longer wanted.
    released: BTreeSet<Device>,
    /// Devices whose layer 2 entries with `extern_learn` are ours.
    managed: HashMap<Device, usize, foldhash::fast::RandomState>,
    /// Devices changed: overlays may ask for steps.
    devices_dirty: bool,
    /// Overlays have what they ask for: devices without one may go.
    leftovers_dirty: bool,
    /// Wishes are on their way: a device that nobody names may be named by one of them.
    more_expected: bool,
    /// Those that are to be removed, some at a time.
    leftovers: VecDeque<(u32, Device)>,
    unread_layer2: bool,
    /// Entries of a VNI were seen that is in no VLAN.
    unplaced: bool,
    shares: Shares,
    audit: Option<Audit>,
    /// Overlays that were put right.
    repaired: Differences,
    events: VecDeque<Event>,
}

impl Table {
    /// An empty table. `protocol` is the stamp on routes, nexthop objects and addresses.
    pub fn new(protocol: u8) -> Self {
        Self {
            owner: overlay::Owner::new(protocol),
            links: Links::default(),
            objects: NextHops::default(),
            shapes: Shapes::default(),
            routes: RouteLedger::default(),
            strays: Ledger::default(),
            twins: Twins::default(),
            fdb: Entries::default(),
            flood: Entries::default(),
            neighbours: Entries::default(),
            occupied: Occupied::default(),
            bars: Bars::default(),
            overlays: BTreeMap::new(),
            vrfs: BTreeMap::new(),
            interfaces: BTreeMap::new(),
            unassigned: BTreeSet::new(),
            forwarding: Default::default(),
            vrfs_swept: false,
            released: BTreeSet::new(),
            managed: HashMap::default(),
            devices_dirty: false,
            leftovers_dirty: false,
            more_expected: false,
            leftovers: VecDeque::new(),
            unread_layer2: false,
            unplaced: false,
            shares: Shares::default(),
            audit: None,
            repaired: Differences::default(),
            events: VecDeque::new(),
        }
    }

    /// Applies a change of what is wanted.
    pub fn apply(&mut self, change: Change) {
        match change {
            Change::Set(entry) => self.set(entry),
            Change::Unset(key) => self.unset(&key),
        }
    }

    /// This should be in the kernel.
    pub fn set(&mut self, entry: Entry) {
        match entry {
            Entry::Route(key, route) => {
                let ipv6 = key.prefix().is_ipv6();
                let id = self
                    .shapes
                    .of_route(&route, ipv6, &mut self.objects, &self.links);
                self.want_route(key, Some(id));
            }
            Entry::Fdb(key, remote) => {
                self.manage(&key.device, 1);
                let state = FdbState {
                    tunnel: Some(remote.tunnel),
                    bridge: true,
                    sticky: remote.sticky,
                };
                if self.fdb.set(&key, Some(state)).is_some() {
                    self.manage(&key.device, -1);
                }
            }
            Entry::Flood(key) => {
                self.manage(&key.device, 1);
                if self.flood.set(&key, Some(())).is_some() {
                    self.manage(&key.device, -1);
                }
            }
            Entry::Neighbour(key, neighbour) => {
                self.manage(&key.device, 1);
                if self.neighbours.set(&key, Some(neighbour)).is_some() {
                    self.manage(&key.device, -1);
                }
            }
            Entry::Overlay(vni, overlay) => self.set_overlay(vni, overlay),
            Entry::Vrf(share, vrf) => self.want_vrf(Holder::Owner(share), &vrf),
            Entry::Addressing(device, want) => self.want_interface(device, want),
            Entry::Forwarding { ipv6, on } => self.want_forwarding(ipv6, on),
        }
    }

    /// Nothing of ours should be under this name.
    pub fn unset(&mut self, key: &Key) {
        match key {
            Key::Route(key) => self.want_route(*key, None),
            Key::Fdb(key) => self.unwant_of(key),
            Key::Flood(key) => self.unwant_of(key),
            Key::Neighbour(key) => self.unwant_of(key),
            Key::Overlay(vni) => self.unset_overlay(*vni),
            Key::Vrf(share, device) => self.unwant_vrf(Holder::Owner(*share), device),
            Key::Addressing(device) => self.unwant_interface(device),
            Key::Forwarding { ipv6 } => self.unwant_forwarding(*ipv6),
        }
    }

    /// Takes what the kernel has.
    pub fn observe(&mut self, observation: Observation) {
        match observation {
            Observation::Link(link) => self.observe_link(link),
            Observation::LinkRemoved(index) => self.observe_link_removed(index),
            Observation::Address(address) => {
                let known = self.links.insert_address(address.clone());
                self.devices_dirty |= known.as_ref() != Some(&address);
                if known.is_none() {
                    self.retry();
                }
            }
            Observation::AddressRemoved(address) => {
                self.devices_dirty |= self
                    .links
                    .remove_address(address.index, address.address)
                    .is_some();
            }
            Observation::Vlans(vlans) => self.observe_vlans(vlans),
            Observation::VniFilters(filters) => {
                self.devices_dirty |= self.links.set_vni_filters(filters);
            }
            Observation::Route(key, shape, replaces) => {
                if replaces || self.is_the_known(&key, &shape) {
                    self.observe_route(key, shape);
                }
            }
            Observation::RouteGone(key, shape) => {
                if self.is_the_known(&key, &shape) {
                    self.observe_route_removed(key, shape.metric);
                }
            }
            Observation::RouteReplaced(key, metric) => self.observe_route_removed(key, metric),
            Observation::RouteOfOthers(key, metric) => self.others_ahead(key, metric),
            Observation::NextHops(seen) => self.observe_next_hops(seen),
            Observation::FdbTunnel(key, tunnel) => {
                self.observe_fdb(&key, |state| state.tunnel = tunnel);
            }
            Observation::FdbBridge(key, there) => {
                self.observe_fdb(&key, |state| state.bridge = there);
            }
            Observation::Flood(key, there) => {
                // The kernel keeps no stamp per endpoint: on an overlay's device all are ours.
                let ours = self.flood.want(&key).is_some() || self.is_overlay_device(&key.device);
                if ours && !(there && self.is_flood_left_alone(&key)) {
                    self.observe_flood(&key, there);
                }
            }
            Observation::Neighbour(key, have) => self.observe_neighbour(&key, have),
            Observation::Occupied(place, theirs) => self.observe_occupied(place, theirs),
            Observation::RouteVacated(key) => self.routes.release(key),
            Observation::Forwarding(ipv6, on) => {
                if self.observe_forwarding(ipv6, on) {
                    self.repaired.different += 1;
                }
            }
        }
    }

    fn report_removed(&mut self, keys: impl Iterator<Item = Key>) {
        self.events.extend(keys.map(|key| Event::Removed { key }));
    }

    /// Tells which wishes the kernel has come to satisfy.
    fn tell_satisfied(&mut self) {
        let routes = self.routes.take_satisfied().into_iter().map(Key::Route);
        let fdb = self.fdb.take_satisfied().into_iter().map(Key::Fdb);
        let flood = self.flood.take_satisfied().into_iter().map(Key::Flood);
        let neighbours = self.neighbours.take_satisfied().into_iter();
        let keys = routes.chain(fdb).chain(flood);
        let keys = keys.chain(neighbours.map(Key::Neighbour));
        // Where it carries nothing it is told when the bar is gone.
        let keys: Vec<Key> = keys.filter(|key| self.barred_name(key).is_none()).collect();
        if !keys.is_empty() {
            self.events.push_back(Event::Installed { keys });
        }
    }

    /// What was there of an owner before it was wanted, and was not wanted since, is to be removed.
    pub fn sweep(&mut self, share: Share, what: Sweep) {
        self.shares.sweep(share, what);
        self.sweep_all();
    }

    /// Removes what all have said may go.
    fn sweep_all(&mut self) {
        let Self { shares, .. } = self;
        self.routes.sweep(|key| shares.route_swept(key));
        self.strays.sweep(|(key, _)| shares.route_swept(key));
        if shares.swept().layer2 {
            self.fdb.sweep();
            self.flood.sweep();
            self.neighbours.sweep();
        }
        self.devices_dirty = true;
    }

    /// Everything of ours is to leave the kernel, except devices of overlays.
    pub fn withdraw(&mut self) {
        // The ends of VRFs' tables stay with their devices.
        for id in self.routes.clear_wants(|key| key.share() != Share::VRFS) {
            self.shapes.release(id, &mut self.objects);
        }
        self.lift_bars();
        self.fdb.clear_wants();
        self.flood.clear_wants();
        self.neighbours.clear_wants();
        self.shares.withdraw();
        self.sweep_all();
    }

    /// Circumstances changed: everything that was refused is tried again.
    pub fn retry(&mut self) {
        self.objects.retry();
        self.routes.retry();
        self.fdb.retry();
        self.flood.retry();
        self.neighbours.retry();
        for slot in self.overlays.values_mut() {
            slot.last.clear();
        }
        self.devices_dirty |= !self.overlays.is_empty();
        self.retry_vrfs(&[]);
        self.retry_interfaces();
    }

    /// What was refused and is due is tried again.
    pub fn retry_due(&mut self, now: Instant) {
        if self.deadline().is_none_or(|due| due > now) {
            return;
        }
        self.objects.retry();
        self.routes.retry_due(now);
        self.fdb.retry_due(now);
        self.flood.retry_due(now);
        self.neighbours.retry_due(now);
    }

    /// When [`Table::retry_due`] has something to do.
    pub fn deadline(&self) -> Option<Instant> {
        let deadlines = [
            self.routes.deadline(),
            self.fdb.deadline(),
            self.flood.deadline(),
            self.neighbours.deadline(),
        ];
        deadlines.into_iter().flatten().min()
    }

    /// The next operations, at most `max`, all of one stage. Empty when the kernel has what is
    /// wanted as far as it can. Every one is answered by [`Table::done`] before the next plan.
    pub fn plan(&mut self, max: usize, now: Instant) -> Vec<Op> {
        let mut ops = self.plan_devices();
        self.plan_forwarding(&mut ops);
        self.plan_twins(&mut ops, max);
        if ops.is_empty() {
            let sets = self.objects.next_sets(max, &self.links);
            ops.extend(
                sets.into_iter()
                    .map(|(id, object)| Op::SetNextHop(id, object)),
            );
        }
        if ops.is_empty() {
            self.plan_sets(&mut ops, max, now);
        }
        if ops.is_empty() {
            self.plan_unsets(&mut ops, max);
        }
        if ops.is_empty() {
            self.objects.forget_idle();
            let swept = self.shares.swept();
            let unsets = self.objects.next_unsets(max, swept.ipv4 && swept.ipv6);
            ops.extend(unsets.into_iter().map(Op::UnsetNextHop));
        }
        if ops.is_empty() && !self.more_expected {
            ops = self.plan_leftover_devices();
        }
        ops
    }

    /// Whether more wishes of the same moment are still to come. Devices stay until they have.
    pub fn expect_more(&mut self, more: bool) {
        self.more_expected = more;
    }

    fn plan_sets(&mut self, ops: &mut Vec<Op>, max: usize, now: Instant) {
        while ops.len() < max {
            let Some((key, id, have)) = self.routes.next_set() else {
                break;
            };
            let Some(shape) = self.shapes.get(id).cloned() else {
                continue;
            };
            let obstacle =
                shape
                    .object()
                    .and_then(|id| match self.objects.standing(id, &self.links) {
                        Standing::Ready => None,
                        Standing::Waiting => Some("its next hop is not written yet".to_owned()),
                        Standing::Failed(error) => Some(error.to_owned()),
                    });
            if let Some(error) = obstacle {
                let told = self.routes.error(&key) == Some(&error);
                self.routes.fail(key, error.clone(), now);
                self.tell_failure(Key::Route(key), error, told);
                continue;
            }
            let have = have.and_then(|id| self.shapes.get(id));
            let replace = have.is_some_and(|have| have.metric == shape.metric);
            ops.push(Op::SetRoute {
                key,
                shape,
                replace,
            });
        }
        self.plan_sets_of::<FdbKey>(ops, max, now);
        self.plan_sets_of::<FloodKey>(ops, max, now);
        self.plan_sets_of::<NeighbourKey>(ops, max, now);
    }

    /// A wish ends that the kernel never satisfied, or no longer did. Whoever had it may hear of a
    /// refusal after having given it up, and would take it for one that stands.
    fn tell_given_up(&mut self, key: Key) {
        self.events.push_back(Event::Removed { key });
    }

    fn tell_failure(&mut self, key: Key, error: String, told: bool) {
        if !told {
            self.events.push_back(Event::Failed {
                key,
                error,
                occupied: false,
            });
        }
    }

    fn tell_occupied(&mut self, key: Key, error: String) {
        self.events.push_back(Event::Failed {
            key,
            error,
            occupied: true,
        });
    }

    fn index(&self, device: &Device) -> Result<u32, String> {
        let missing = || format!("device `{device}` does not exist");
        self.links
            .named(device)
            .map(|link| link.index)
            .ok_or_else(missing)
    }

    fn plan_unsets(&mut self, ops: &mut Vec<Op>, max: usize) {
        while ops.len() < max {
            let Some((key, id)) = self.routes.next_unset() else {
                break;
            };
            let Some(shape) = self.shapes.get(id).cloned() else {
                continue;
            };
            ops.push(Op::UnsetRoute { key, shape });
        }
        while ops.len() < max {
            let Some(((key, _), id)) = self.strays.next_unset() else {
                break;
            };
            let Some(shape) = self.shapes.get(id).cloned() else {
                continue;
            };
            ops.push(Op::UnsetRoute { key, shape });
        }
        self.plan_unsets_of::<FdbKey>(ops, max);
        self.plan_unsets_of::<FloodKey>(ops, max);
        self.plan_unsets_of::<NeighbourKey>(ops, max);
    }

    /// The result of an operation. Returns false when the kernel is not as it was thought to be
    /// and should be read again.
    pub fn done(&mut self, op: &Op, result: Result<(), OpError>, now: Instant) -> bool {
        match op {
            Op::Device(vni, op) => self.done_device(*vni, op, result),
            Op::SetForwarding { ipv6, on } => {
                self.done_forwarding(*ipv6, *on, result);
                true
            }
            Op::SetNextHop(id, object) => match result {
                Ok(()) => {
                    self.objects.written(*id, Some(object.clone()));
                    self.routes.retry();
                    true
                }
                Err(error) if error.errno == libc::EOPNOTSUPP => {
                    self.give_up_objects();
                    true
                }
                Err(error) => {
                    if self.objects.abandon(*id) {
                        self.shapes.forget_routes(*id);
                    } else {
                        self.objects.fail(*id, error.to_string());
                    }
                    true
                }
            },
            Op::UnsetNextHop(id) => {
                self.objects.written(*id, None);
                refused(&result).is_none()
            }
            Op::SetRoute { key, shape, .. } => self.done_route(*key, shape, result, now),
            Op::UnsetRoute { key, shape } => match refused(&result) {
                None => {
                    self.observe_route_removed(*key, shape.metric);
                    true
                }
                Some(error) => {
                    if self.routes.want(key).is_none() {
                        self.routes.fail(*key, error.to_string(), now);
                    }
                    self.strays
                        .fail((*key, shape.metric), error.to_string(), now);
                    false
                }
            },
            Op::UnsetTwin { .. } => self.done_twin(&result),
            Op::SetFdb { key, remote, .. } => {
                let state = FdbState {
                    tunnel: Some(remote.tunnel),
                    bridge: true,
                    sticky: remote.sticky,
                };
                self.done_set_of(key, state, result, now)
            }
            Op::SetFlood { key, .. } => {
                // An endpoint that is there already is as good.
                let there = |error: &OpError| error.errno == libc::EEXIST;
                let result = result.or_else(|error| match there(&error) {
                    true => Ok(()),
                    false => Err(error),
                });
                self.done_set_of(key, (), result, now)
            }
            Op::SetNeighbour { key, neighbour, .. } => {
                self.done_set_of(key, *neighbour, result, now)
            }
            Op::UnsetFdb { key, .. } => self.done_unset_of(key, &result),
            Op::UnsetFlood { key, .. } => self.done_unset_of(key, &result),
            Op::UnsetNeighbour { key, .. } => self.done_unset_of(key, &result),
        }
    }

    /// How much of ours was taken or changed by others, outside of audits, and has been put right
    /// since the last call.
    pub fn take_repaired(&mut self) -> Differences {
        let mut found = std::mem::take(&mut self.repaired);
        found.add(self.routes.take_repaired());
        found.add(self.fdb.take_repaired());
        found.add(self.flood.take_repaired());
        found.add(self.neighbours.take_repaired());
        found
    }

    /// The next thing to tell the owner.
    pub fn poll_event(&mut self) -> Option<Event> {
        if self.events.is_empty() {
            self.tell_satisfied();
        }
        self.events.pop_front()
    }

    /// Devices and addresses as observed.
    pub fn links(&self) -> &Links {
        &self.links
    }

    /// A plan may have something to do.
    pub fn has_work(&self) -> bool {
        self.devices_dirty
            || self.has_forwarding_work()
            || self.leftovers_dirty
            || !self.leftovers.is_empty()
            || self.routes.has_work()
            || self.strays.has_work()
            || self.has_twins()
            || self.fdb.has_work()
            || self.flood.has_work()
            || self.neighbours.has_work()
    }

    /// Gives unused memory back after a burst.
    pub fn shrink(&mut self) {
        self.routes.shrink();
        self.fdb.shrink();
        self.flood.shrink();
        self.neighbours.shrink();
    }
}

/// The number lies in the range of our nexthop objects.
pub(crate) fn is_our_next_hop(id: u32) -> bool {
    nexthops::is_ours(id)
}

#[cfg(test)]
mod tests;
