//! Routes between the tables of instances (`[[import]]`).
//!
//! An instance that imports from another has two peers in its tables that have no session: what the
//! other one has of its own and from its neighbours, and what it has from EVPN, which is told to
//! EVPN by nobody twice. So import policy, decision, multipath, export and every answer to an operator
//! are what they are for any peer.
//!
//! The other side offers all paths that take part in its decision, and not only the best ones: what
//! is offered must not depend on what was imported, or two instances that import from each other
//! could change their minds for ever. For the same reason a path that was imported is not offered
//! on. The tables name each prefix whose paths changed ([`rib::Output::Touched`]); it is looked
//! at then, and whoever gets the answer takes it for all there is.
//!
//! Devices and addresses belong to the source, so it says where packets leave: the gateway and the
//! device of each way out, after its own routes were asked; for what is local in a VRF the VRF's
//! device, behind which its table is asked once more. The device travels in the notes of the
//! attributes ([`bgp::attributes::Notes::interface`]), and the importer asks no route. When the ways
//! of the source change, all of its paths are offered again.
//!
//! Not here: how offers get from one thread to another ([`crate::exchange`]).

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use bgp::attributes::NextHop;
use bgp::community::Community;
use bgp::rib::{self, LOCAL_WEIGHT, PathView, PeerId, Select};
use bgp::{AttributeSet, Attributes, Family, InterfaceName, Nlri, PathId, Prefix};

use super::Core;
use super::handover::Arriving;
use crate::config::{Config, Import};
use crate::exchange::{Offered, Offers, Origin, Port, name_of};
use crate::own_routes;

/// Families whose routes go between instances.
const FAMILIES: [Family; 2] = [Family::Ipv4Unicast, Family::Ipv6Unicast];

/// What this instance offers others.
#[derive(Debug, Default)]
pub(super) struct Offering {
    /// Who imports from here, with the families of which they were not yet told that they have all.
    importers: BTreeMap<Option<String>, BTreeSet<Family>>,
    /// Offers, until all that is at hand was worked off.
    outgoing: BTreeMap<Option<String>, Offers>,
    /// What was made last of attributes that many routes share.
    last: Option<(Attributes, Way, Arc<AttributeSet>)>,
}

/// Where packets along an offered path leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Way {
    /// Unspecified for the device itself.
    gateway: IpAddr,
    /// `None` where that is unknown: nobody can use the path.
    device: Option<InterfaceName>,
    dropped: bool,
}

/// The side of the importer.
impl Core {
    pub(super) fn begin_imports(&mut self) {
        for import in self.config.imports.clone() {
            self.open_import(&import);
        }
    }

    /// The configuration was another one.
    pub(super) fn apply_imports(&mut self, old: &Config) {
        let new = self.config.imports.clone();
        let same = |one: &Import, all: &[Import]| all.iter().any(|it| it.from == one.from);
        for gone in old.imports.iter().filter(|it| !same(it, &new)) {
            self.close_import(&gone.from);
        }
        for import in &new {
            let Some(before) = old.imports.iter().find(|it| it.from == import.from) else {
                self.open_import(import);
                continue;
            };
            if before != import {
                self.reconfigure_links();
            }
            if before.families != import.families {
                // Everything is offered anew, and taken as far as it is wanted.
                let exchange = &self.hands.exchange;
                exchange.import(&self.config.name, &import.from, false);
                exchange.import(&self.config.name, &import.from, true);
            }
        }
    }

    fn open_import(&mut self, import: &Import) {
        for port in ports(&Arc::from(import.from.as_str())) {
            self.open_link(port);
        }
        let exchange = &self.hands.exchange;
        exchange.import(&self.config.name, &import.from, true);
    }

    fn close_import(&mut self, from: &str) {
        self.hands.exchange.import(&self.config.name, from, false);
        for port in ports(&Arc::from(from)) {
            self.close_link(&port);
        }
    }

    /// The import that a peer without a session stands for.
    pub(super) fn import_of(&self, from: &str) -> Option<&Import> {
        self.config.imports.iter().find(|it| it.from == from)
    }

    /// What an instance offers, all paths of each prefix.
    pub(super) fn take_offers(&mut self, from: &Arc<str>, offers: &Offers) {
        let Some(families) = self.import_of(from).map(|it| it.families) else {
            return;
        };
        for (origin, port) in [Origin::Own, Origin::Overlay].into_iter().zip(ports(from)) {
            let Some(peer) = self.handover.link(&port) else {
                continue;
            };
            let mut arriving = Arriving::default();
            for (prefix, paths) in offers {
                let nlri = Nlri::from(*prefix);
                let wanted = *families.get(nlri.family());
                let paths = paths.iter().filter(|it| wanted && it.origin == origin);
                let here = self.rib.selected(&nlri, Select::Received(peer));
                let mut gone: BTreeSet<PathId> = here
                    .iter()
                    .flat_map(|route| route.paths.iter().map(|path| path.path_id))
                    .collect();
                for path in paths {
                    gone.remove(&path.path_id);
                    let set = path.attributes.clone();
                    arriving.add(*prefix, path.path_id, Some(set));
                }
                for path_id in gone {
                    arriving.add(*prefix, path_id, None);
                }
            }
            self.take_in(peer, arriving);
        }
    }

    /// What an instance has offered so far is void.
    pub(super) fn offers_void(&mut self, from: &Arc<str>) {
        for port in ports(from) {
            let Some(peer) = self.handover.link(&port) else {
                continue;
            };
            let mut arriving = Arriving::default();
            for family in FAMILIES {
                self.rib.visit(family, Select::Received(peer), |route| {
                    if let Some(prefix) = route.nlri.prefix() {
                        for path in &route.paths {
                            arriving.add(prefix, path.path_id, None);
                        }
                    }
                    true
                });
            }
            self.take_in(peer, arriving);
        }
    }

    /// An instance has offered all it had when it started.
    pub(super) fn offered(&mut self, from: &Arc<str>, family: Family) {
        for port in ports(from) {
            if let Some(peer) = self.handover.link(&port) {
                self.end_of_rib(peer, family);
            }
        }
    }
}

/// The side of the source.
impl Core {
    /// An instance imports from this one, or no longer does.
    pub(super) fn set_importer(&mut self, importer: Option<String>, on: bool) {
        let offering = &mut self.handover.offering;
        offering.outgoing.remove(&importer);
        match on {
            true => {
                self.hands
                    .exchange
                    .void(&importer, &name_of(&self.config.name));
                offering.importers.insert(importer, FAMILIES.into());
            }
            false => drop(offering.importers.remove(&importer)),
        }
        let wanted = !offering.importers.is_empty();
        if on || !wanted {
            self.watch(wanted);
        }
    }

    /// What is offered is another thing now.
    pub(super) fn offer_again(&mut self) {
        if !self.handover.offering.importers.is_empty() {
            self.watch(true);
        }
    }

    fn watch(&mut self, on: bool) {
        for family in FAMILIES {
            self.hand_in(rib::Input::Watch(family, on));
        }
    }

    /// Paths of a prefix changed, or where they lead.
    pub(super) fn touched(&mut self, nlri: &Nlri) {
        if self.handover.offering.importers.is_empty() {
            return;
        }
        let Some(prefix) = nlri.prefix() else { return };
        let offers: Arc<[Offered]> = self.offers_of(nlri, prefix).into();
        let Offering {
            importers,
            outgoing,
            ..
        } = &mut self.handover.offering;
        for importer in importers.keys() {
            let offered = outgoing.entry(importer.clone()).or_default();
            offered.insert(prefix, Arc::clone(&offers));
        }
    }

    /// A route of others may be the way to a prefix of ours.
    pub(super) fn offer_local(&mut self, prefix: Prefix) {
        if self.config.vrf.is_none() {
            self.touched(&Nlri::from(prefix));
        }
    }

    /// Sends what has come together.
    pub(super) fn flush_offers(&mut self) {
        let offering = &mut self.handover.offering;
        let name = name_of(&self.config.name);
        for (to, offers) in std::mem::take(&mut offering.outgoing) {
            self.hands.exchange.offer(&to, &name, offers);
        }
    }

    /// Tells importers of families in which all is there that they can be offered. What this instance
    /// imports itself is not waited for: two that import from each other would wait for ever.
    pub(super) fn complete_importers(&mut self) {
        let handover = &self.handover;
        let waiting = handover
            .offering
            .importers
            .values()
            .any(|it| !it.is_empty());
        if !waiting || !handover.begun {
            return;
        }
        let imported = |peer: PeerId| matches!(handover.port(peer), Some(Port::Instance(..)));
        let complete = |family: &Family| self.rib.awaited(*family).all(imported);
        let complete: Vec<Family> = FAMILIES.into_iter().filter(complete).collect();
        let name = name_of(&self.config.name);
        for (importer, waiting) in &mut self.handover.offering.importers {
            for family in &complete {
                if waiting.remove(family) {
                    self.hands.exchange.offered(importer, &name, *family);
                }
            }
        }
    }

    /// All that importers may have of a prefix.
    fn offers_of(&mut self, nlri: &Nlri, prefix: Prefix) -> Vec<Offered> {
        let Some(route) = self.rib.route(nlri) else {
            return Vec::new();
        };
        let mut offers = Vec::new();
        for path in route.paths.iter().filter(|it| it.rejection.is_none()) {
            let origin = match self.handover.port(path.peer) {
                Some(Port::Instance(..)) => continue,
                Some(Port::Routers | Port::Gateways) => Origin::Overlay,
                Some(Port::Vrf(_)) | None => Origin::Own,
            };
            for (at, way) in self.ways_of(path, prefix).into_iter().enumerate() {
                offers.push(Offered {
                    origin,
                    path_id: path_id(path, at),
                    attributes: self.offered_set(path, way),
                });
            }
        }
        offers
    }

    /// Where packets leave along a path.
    fn ways_of(&mut self, path: &PathView, prefix: Prefix) -> Vec<Way> {
        let unspecified = unspecified(prefix);
        let notes = path.attributes.notes();
        if path.peer == PeerId::LOCAL {
            let itself = |device| Way {
                gateway: unspecified,
                device,
                dropped: false,
            };
            if let Some(vrf) = &self.config.vrf {
                return vec![itself(InterfaceName::new(vrf))];
            }
            let ways = self.local_ways(prefix);
            return match ways.is_empty() {
                true => vec![itself(None)],
                false => ways,
            };
        }
        let way = |gateway, device| Way {
            gateway,
            device,
            dropped: notes.blackhole,
        };
        if notes.blackhole || self.hands.kernel.is_none() {
            return vec![way(path.attributes.next_hop().addr(), None)];
        }
        let next_hop = self.rib.next_hop(path.peer, &path.attributes);
        let ways = self.install.ways_out(next_hop, prefix, &self.rib);
        let ways = ways.into_iter().map(|(gateway, device)| {
            let device = InterfaceName::new(device.as_str());
            way(gateway.unwrap_or(unspecified), device)
        });
        ways.collect()
    }

    /// The ways to a prefix of ours that the kernel's route has, where no device stands for the table.
    fn local_ways(&self, prefix: Prefix) -> Vec<Way> {
        let ground = &self.install.ground;
        let route = match self.own.origin(prefix, ground) {
            Some(own_routes::Origin::Redistributed { route, .. }) => Some(route),
            Some(own_routes::Origin::Network) | None => ground.same(prefix),
        };
        let Some(route) = route else {
            return Vec::new();
        };
        let unspecified = unspecified(prefix);
        if route.kind != fib::RouteKind::Unicast {
            return vec![Way {
                gateway: unspecified,
                device: None,
                dropped: true,
            }];
        }
        let ways = route.next_hops.iter().filter_map(|hop| {
            let link = ground.links.get(crate::ground::index_of(hop)?)?;
            Some(Way {
                gateway: hop.gateway.unwrap_or(unspecified),
                device: InterfaceName::new(link.name.as_str()),
                dropped: false,
            })
        });
        ways.collect()
    }

    /// The attributes of a path as importers get them: as they are, with what means something in this
    /// table only taken out or put in other words.
    fn offered_set(&mut self, path: &PathView, way: Way) -> Arc<AttributeSet> {
        let local = path.peer == PeerId::LOCAL;
        // Of routes of our own each may stand for itself.
        if !local
            && let Some((last, through, set)) = &self.handover.offering.last
            && last.is(&path.attributes)
            && *through == way
        {
            return Arc::clone(set);
        }
        let mut set = path.attributes.thaw();
        set.next_hop = NextHop::from(way.gateway);
        set.notes.interface = way.device;
        set.notes.blackhole = way.dropped;
        set.notes.table = None;
        set.notes.src = None;
        set.notes.distance = None;
        if local {
            // As FRR has it: what is local to the source goes before what others say.
            set.notes.weight.get_or_insert(LOCAL_WEIGHT);
        }
        // The reflectors on the way here are not those of the other instance.
        set.originator_id = None;
        set.cluster_list = Vec::new();
        if self.drain.router.is_some() {
            // Whoever has another way is to take it, as any neighbour of the same AS.
            if !set.communities.contains(&Community::GRACEFUL_SHUTDOWN) {
                set.communities.push(Community::GRACEFUL_SHUTDOWN);
            }
            set.local_pref = Some(0);
        }
        let set = Arc::new(set);
        let last = (path.attributes.clone(), way, Arc::clone(&set));
        self.handover.offering.last = Some(last).filter(|_| self.drain.router.is_none());
        set
    }
}

/// The peers that stand for an instance.
fn ports(from: &Arc<str>) -> [Port; 2] {
    [Origin::Own, Origin::Overlay].map(|origin| Port::Instance(Arc::clone(from), origin))
}

fn unspecified(prefix: Prefix) -> IpAddr {
    match prefix {
        Prefix::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        Prefix::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    }
}

/// Tells the ways of one prefix apart, the same for as long as the path is there.
fn path_id(path: &PathView, way: usize) -> PathId {
    let mut hasher = DefaultHasher::new();
    (path.peer.0, path.path_id, way).hash(&mut hasher);
    let [.., a, b, c, d] = hasher.finish().to_be_bytes();
    PathId::from_be_bytes([a, b, c, d])
}
