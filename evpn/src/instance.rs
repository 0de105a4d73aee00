//! The state machine: facts in, differences out.
//!
//! [`Instance::handle`] enters a fact into the tables of [`crate::station`] and has everything
//! resolved that it may have touched; [`Instance::poll`] reads the ledgers. A change of
//! configuration rebuilds the VNIs it touches from all facts, so that it makes no difference
//! whether a VNI, the tunnel address, a route or a local address came first.

mod settings;

use std::collections::{BTreeMap, BTreeSet};
use std::hash::BuildHasher;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Instant;

use bgp::packed::Slot;
use bgp::{Asn, AttributeSet, Attributes, EvpnKey, MacAddress, Prefix, Vni};
use foldhash::fast::FixedState;

use crate::config::{Config, VniConfig};
use crate::duplicate::{Address, Duplicate, DuplicateDetection, DuplicateEnd, Duplicates, Report};
use crate::ledger::{Differences, Ledger};
use crate::mobility::Witnesses;
use crate::originate::Network;
use crate::path::{Path, Route};
use crate::resolve::{ip_of, mac_of};
use crate::since::Clock;
use crate::station::{Binding, Facts, Host, Local, Own, RemoteMac, Station};
use crate::subnets::{SubnetIndex, Subnets};
use crate::target::ImportIndex;
use crate::tunnel::Tunnel;
use crate::vrf::{Via, VrfConfig, VrfName, Vrfs};

/// What can happen.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Input {
    /// Who we are changed: automatic route distinguishers and route targets are made of it.
    SetIdentity {
        /// Our AS number.
        local_as: Asn,
        /// Our BGP identifier.
        router_id: Ipv4Addr,
    },
    /// Our tunnel address became known, changed or went away.
    SetVtep(Option<IpAddr>),
    /// A VNI is configured, anew or differently.
    SetVni {
        /// Which.
        vni: Vni,
        /// How.
        config: VniConfig,
    },
    /// A VNI is no longer configured. What the kernel said about it is kept until it says
    /// otherwise.
    RemoveVni(Vni),
    /// The same for several VNIs, `None` for those that are no longer configured. All facts are
    /// looked at once, and not for each of them.
    SetVnis(BTreeMap<Vni, Option<VniConfig>>),
    /// A VRF is configured, anew or differently.
    SetVrf {
        /// Its name, which VNIs refer to ([`VniConfig::vrf`]).
        name: VrfName,
        /// How.
        config: VrfConfig,
    },
    /// A VRF is no longer configured, and its table is gone with all prefixes.
    RemoveVrf(VrfName),
    /// The table of a VRF has a prefix that others should know, or has it no more. Routes that were
    /// imported from here must not be given back.
    LocalPrefix {
        /// Which VRF.
        vrf: VrfName,
        /// The prefix.
        prefix: Prefix,
        /// What is known of it there; `None` when it is gone.
        attributes: Option<Arc<AttributeSet>>,
    },
    /// The best path to a route of another router changed or went away. Our own routes must not
    /// be given: a caller that reads a table leaves out the ones it originated.
    Route {
        /// Identity.
        key: EvpnKey,
        /// The best path's attributes, `None` when there is none left.
        attributes: Option<Attributes>,
    },
    /// The kernel has, or no longer has, a MAC address on a local port of a VNI's bridge.
    ///
    /// Each report with `present` is an act of learning: it makes our claim newer than all claims
    /// known so far. Report what the kernel learned, not entries that are ours
    /// ([`Output::SetMac`]). An entry of the kernel that our own replaced is reported as not
    /// present; unreported, it is taken for an address that is still here, and is told again when
    /// the other site's route goes.
    LocalMac {
        /// Bridge.
        vni: Vni,
        /// Address.
        mac: MacAddress,
        /// There or gone.
        present: bool,
        /// A static entry, which no other site may take over (RFC 7432 §15.2).
        sticky: bool,
    },
    /// A machine on a local port has said something, though the kernel has its address elsewhere. It
    /// makes no claim; but where the address is static at another site, the kernel learns nothing
    /// of the machine, and somebody has to look (RFC 7432 §15.2).
    Heard {
        /// Bridge.
        vni: Vni,
        /// Address.
        mac: MacAddress,
    },
    /// The kernel has, or no longer has, a neighbour entry on a VNI's bridge. The same rules as
    /// for [`Input::LocalMac`].
    LocalNeighbour {
        /// Bridge.
        vni: Vni,
        /// Address.
        ip: IpAddr,
        /// What it resolved to.
        mac: MacAddress,
        /// There or gone.
        present: bool,
    },
    /// These are addresses of this router in a VNI, beside a gateway that is the same at every
    /// site: they are told as those of a station, and not taken from routes of others. A MAC address
    /// here is no other site's. Where they are the gateway ([`crate::VniConfig::advertise_gateway`]) they
    /// are told as such, and other sites may have the same.
    SetSvi {
        /// Bridge.
        vni: Vni,
        /// All of them.
        addresses: BTreeSet<(MacAddress, IpAddr)>,
    },
    /// The subnets that VNIs have at this site, all of them: those of the gateways and of what else
    /// this router has there. In a VRF an address of a machine that lies in none of them is told
    /// without the L3 VNI. A VNI without any of one IP version may have all addresses of it.
    SetSubnets(BTreeMap<Vni, BTreeSet<Prefix>>),
    /// How duplicates are found, `None` for not at all. Everything counts from nothing, and what
    /// was frozen is let go. Five moves in 180 seconds until this was said.
    SetDuplicateDetection(Option<DuplicateDetection>),
    /// The sequence numbers that an earlier run told of stations of this site and that others may
    /// still remember ([`Instance::sequences`]): an address that is learned here gets no lower one.
    /// Given before stations are, and again without any once those that were there are known.
    SetSequences(BTreeMap<(Vni, MacAddress), u32>),
    /// Lets go of duplicates and forgets how often they moved, and that a machine was here whose
    /// address is static elsewhere.
    ClearDuplicates {
        /// Only in this VNI.
        vni: Option<Vni>,
        /// Only this one.
        address: Option<Address>,
    },
    /// The time of [`Instance::deadline`] has come.
    Timeout,
}

/// What should be done: each is the last state of its key, and different from what was said
/// before.
///
/// The one repetition: an entry that the kernel reports to have replaced by learning, and that is
/// still wanted, is said again.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Output {
    /// Advertise this route.
    Originate {
        /// Identity.
        key: EvpnKey,
        /// Attributes; shared by routes that have the same.
        attributes: Arc<AttributeSet>,
    },
    /// Withdraw this route.
    Withdraw {
        /// Identity.
        key: EvpnKey,
    },
    /// Frames for this address go to a remote site. Replaces a local entry of the kernel.
    SetMac {
        /// Bridge.
        vni: Vni,
        /// Address.
        mac: MacAddress,
        /// Where it is.
        remote: RemoteMac,
    },
    /// The entry of [`Output::SetMac`] is no longer wanted. A local entry that replaced it stays.
    RemoveMac {
        /// Bridge.
        vni: Vni,
        /// Address.
        mac: MacAddress,
    },
    /// Flooded frames go to this site, too.
    SetFlood {
        /// Bridge.
        vni: Vni,
        /// Where to.
        tunnel: Tunnel,
    },
    /// Flooded frames no longer go to this site.
    RemoveFlood {
        /// Bridge.
        vni: Vni,
        /// Where to.
        tunnel: Tunnel,
    },
    /// This address resolves to a remote MAC address.
    SetNeighbour {
        /// Bridge.
        vni: Vni,
        /// Address.
        ip: IpAddr,
        /// What it resolves to.
        mac: MacAddress,
        /// Where that is.
        vtep: IpAddr,
    },
    /// This route leads into the table of a VRF.
    Import {
        /// Which VRF.
        vrf: VrfName,
        /// The route; [`imported_prefix`](crate::imported_prefix) is what it adds.
        key: EvpnKey,
        /// Where its packets go.
        via: Via,
        /// The attributes that it came with.
        attributes: Attributes,
    },
    /// The route of [`Output::Import`] is there no longer, or no longer meant for the VRF.
    Unimport {
        /// Which VRF.
        vrf: VrfName,
        /// The route.
        key: EvpnKey,
    },
    /// The entry of [`Output::SetNeighbour`] is no longer wanted. A local entry that replaced it
    /// stays.
    RemoveNeighbour {
        /// Bridge.
        vni: Vni,
        /// Address.
        ip: IpAddr,
    },
    /// An address moves again and again: somebody has to look (RFC 7432 §15.1).
    DuplicateFound(Duplicate),
    /// That address is no longer taken for a duplicate.
    DuplicateOver {
        /// Where.
        vni: Vni,
        /// Which.
        address: Address,
        /// Why not.
        why: DuplicateEnd,
    },
}

/// EVPN of one router. See the crate's front page for an example.
#[derive(Debug)]
pub struct Instance {
    pub(crate) config: Config,
    pub(crate) vtep: Option<IpAddr>,
    pub(crate) networks: BTreeMap<Vni, Network>,
    /// By VNI, configured or not.
    svis: BTreeMap<Vni, BTreeSet<(MacAddress, IpAddr)>>,
    subnets: Subnets,
    pub(crate) subnets_by_address: SubnetIndex,
    pub(crate) imports: ImportIndex<Vni>,
    pub(crate) vrfs: Vrfs,
    pub(crate) facts: Facts,
    /// What is wanted stands with the stations ([`crate::station::Station::remote`]).
    pub(crate) macs: Differences<(Vni, MacAddress), RemoteMac>,
    pub(crate) floods: Ledger<(Vni, Tunnel), ()>,
    /// What is wanted stands with the hosts ([`crate::station::Host::neighbour`]).
    pub(crate) neighbours: Differences<(Vni, IpAddr), (MacAddress, IpAddr)>,
    pub(crate) told: Ledger<EvpnKey, (Vni, Arc<AttributeSet>)>,
    pub(crate) duplicates: Duplicates,
    /// What an earlier run told.
    pub(crate) sequences_before: BTreeMap<(Vni, MacAddress), u32>,
    /// Static addresses that somebody else claims, too.
    pub(crate) contested: BTreeSet<(Vni, MacAddress)>,
    /// Addresses of machines here that gave way to another site where they are static: that one.
    pub(crate) displaced: BTreeMap<(Vni, MacAddress), IpAddr>,
    /// Addresses of machines here that lie in no subnet of their VNI.
    pub(crate) outside: BTreeSet<(Vni, IpAddr)>,
    pub(crate) clock: Clock,
    decoded: Decoded,
}

impl Instance {
    /// Without any VNI.
    pub fn new(config: Config) -> Self {
        Self::seeded(config, 0)
    }

    /// As [`Instance::new`], with a number that nobody else knows: it decides where routes stand in
    /// hash tables, so that others cannot choose routes that stand together.
    pub fn seeded(config: Config, seed: u64) -> Self {
        Self {
            config,
            vtep: config.vtep,
            networks: BTreeMap::new(),
            svis: BTreeMap::new(),
            subnets: Subnets::new(),
            subnets_by_address: SubnetIndex::default(),
            imports: ImportIndex::default(),
            vrfs: Vrfs::new(),
            facts: Facts::new(seed),
            macs: Differences::new(),
            floods: Ledger::new(),
            neighbours: Differences::new(),
            told: Ledger::new(),
            duplicates: Duplicates::new(),
            sequences_before: BTreeMap::new(),
            contested: BTreeSet::new(),
            displaced: BTreeMap::new(),
            outside: BTreeSet::new(),
            clock: Clock::default(),
            decoded: Decoded::default(),
        }
    }

    /// Takes in what happened. Call [`Instance::poll`] until `None` afterwards, or after several.
    ///
    /// The time counts for duplicates only: how often an address moved of late. Ages are shown.
    pub fn handle(&mut self, now: Instant, input: Input) {
        self.clock.set(now);
        self.enter(now, input);
        for (vni, address) in self.duplicates.judge(now) {
            self.resolve(vni, address);
        }
    }

    fn enter(&mut self, now: Instant, input: Input) {
        match input {
            Input::SetIdentity {
                local_as,
                router_id,
            } => self.set_identity(local_as, router_id),
            Input::SetVtep(vtep) => self.set_vtep(vtep),
            Input::SetVni { vni, config } => self.configure([(vni, Some(config))]),
            Input::RemoveVni(vni) => self.configure([(vni, None)]),
            Input::SetVnis(changes) => self.configure(changes),
            Input::SetVrf { name, config } => self.configure_vrf(&name, Some(config)),
            Input::RemoveVrf(name) => {
                self.configure_vrf(&name, None);
                self.vrfs.forget_prefixes(&name);
            }
            Input::LocalPrefix {
                vrf,
                prefix,
                attributes,
            } => self.local_prefix(vrf, prefix, attributes),
            Input::Route { key, attributes } => {
                let path = attributes.as_ref().map(|it| self.decoded.path(it));
                self.note_routed(&key, path.as_deref().zip(attributes.as_ref()));
                self.route(key, path);
            }
            Input::LocalMac {
                vni,
                mac,
                present: true,
                sticky,
            } => self.learned_mac(vni, mac, sticky),
            Input::LocalMac {
                vni,
                mac,
                present: false,
                sticky: _,
            } => self.lost_mac(vni, mac),
            Input::Heard { vni, mac } => self.note_heard(vni, mac),
            Input::LocalNeighbour {
                vni,
                ip,
                mac,
                present: true,
            } => self.learned_neighbour(vni, ip, mac),
            Input::LocalNeighbour {
                vni,
                ip,
                mac,
                present: false,
            } => self.lost_neighbour(vni, ip, mac),
            Input::SetSvi { vni, addresses } => self.set_svi(vni, addresses),
            Input::SetSubnets(subnets) => self.set_subnets(subnets),
            Input::SetDuplicateDetection(settings) => {
                let thawed = self.duplicates.set(settings);
                self.resolve_all(thawed);
            }
            Input::SetSequences(before) => self.sequences_before = before,
            Input::ClearDuplicates { vni, address } => {
                let meant = |of, other| {
                    vni.is_none_or(|vni| vni == of)
                        && address.is_none_or(|address| address == other)
                };
                let thawed = self.duplicates.clear(meant);
                self.resolve_all(thawed);
                let macs = self.displaced.keys().copied();
                let macs: Vec<_> = macs
                    .filter(|(of, mac)| meant(*of, Address::Mac(*mac)))
                    .collect();
                for (vni, mac) in macs {
                    self.displaced.remove(&(vni, mac));
                    self.resolve_mac(vni, mac);
                }
            }
            Input::Timeout => {
                let thawed = self.duplicates.expire(now);
                self.resolve_all(thawed);
            }
        }
    }

    /// When [`Input::Timeout`] is due, if ever.
    pub fn deadline(&self) -> Option<Instant> {
        self.duplicates.deadline()
    }

    /// The next thing to do, `None` when everything is said.
    pub fn poll(&mut self) -> Option<Output> {
        self.settle_imports();
        // What is new before what goes: a MAC before the neighbour entry that needs it, both before
        // the routes of VRFs through them, and nothing is torn down before its replacement stands.
        if let Some(((vni, tunnel), ())) = self.floods.next_setting() {
            return Some(Output::SetFlood { vni, tunnel });
        }
        let routers = &mut self.vrfs.router_macs;
        if let Some(((vni, mac), remote)) =
            self.macs.next_setting().or_else(|| routers.next_setting())
        {
            return Some(Output::SetMac { vni, mac, remote });
        }
        let routers = &mut self.vrfs.router_neighbours;
        if let Some(((vni, ip), (mac, vtep))) = self
            .neighbours
            .next_setting()
            .or_else(|| routers.next_setting())
        {
            return Some(Output::SetNeighbour { vni, ip, mac, vtep });
        }
        if let Some(((key, vrf), import)) = self.vrfs.imported.next_setting() {
            return Some(Output::Import {
                vrf,
                key,
                via: import.via,
                attributes: import.attributes,
            });
        }
        if let Some((key, (_, attributes))) = self.told.next_setting() {
            return Some(Output::Originate { key, attributes });
        }
        if let Some(key) = self.told.next_removal() {
            return Some(Output::Withdraw { key });
        }
        if let Some((key, vrf)) = self.vrfs.imported.next_removal() {
            return Some(Output::Unimport { vrf, key });
        }
        if let Some((vni, ip)) = self.next_lost_neighbour() {
            return Some(Output::RemoveNeighbour { vni, ip });
        }
        if let Some((vni, mac)) = self.next_lost_mac() {
            return Some(Output::RemoveMac { vni, mac });
        }
        if let Some((vni, tunnel)) = self.floods.next_removal() {
            return Some(Output::RemoveFlood { vni, tunnel });
        }
        Some(match self.duplicates.next_report()? {
            Report::Found(duplicate) => Output::DuplicateFound(duplicate),
            Report::Over(vni, address, why) => Output::DuplicateOver { vni, address, why },
        })
    }

    /// A VNI may become that of a VRF, or no longer be: what the one no longer wants, the other may.
    fn next_lost_neighbour(&mut self) -> Option<(Vni, IpAddr)> {
        loop {
            let routers = &mut self.vrfs.router_neighbours;
            let lost = self.neighbours.next_removal();
            let (vni, ip) = lost.or_else(|| routers.next_removal())?;
            if !self.has_neighbour(vni, ip) {
                return Some((vni, ip));
            }
        }
    }

    /// As for neighbours.
    fn next_lost_mac(&mut self) -> Option<(Vni, MacAddress)> {
        loop {
            let routers = &mut self.vrfs.router_macs;
            let lost = self.macs.next_removal();
            let key = lost.or_else(|| routers.next_removal())?;
            let station = self.facts.stations.get(&key);
            let wanted = station.is_some_and(|station| station.remote().is_some());
            if !wanted && !self.vrfs.router_macs.is_wanted(&key) {
                return Some(key);
            }
        }
    }

    /// The VNIs that import a route.
    fn importers(&self, slot: Slot) -> BTreeSet<Vni> {
        let route = self.facts.routes.at(slot);
        let targets = route.map_or(&[][..], |route| &route.path.targets);
        self.imports.importers(targets)
    }

    /// A remote route is there, with this path, or gone.
    pub(crate) fn route(&mut self, key: EvpnKey, path: Option<Arc<Path>>) {
        let known = self.facts.routes.get(&key).map(|route| &route.path);
        if known == path.as_ref() {
            return;
        }
        // Whether the route is there now, by VNI.
        let mut vnis: BTreeMap<Vni, bool> = BTreeMap::new();
        let old = self.facts.routes.find(&key);
        let old = old.and_then(|slot| {
            for vni in self.importers(slot) {
                self.facts.detach(vni, slot);
                vnis.insert(vni, false);
            }
            self.facts.routes.remove(slot)
        });
        let new = path.map(|path| Route {
            key: key.clone(),
            path,
        });
        if let Some(route) = new.clone() {
            let slot = self.facts.routes.insert(route, self.clock.now());
            for vni in self.importers(slot) {
                self.facts.attach(vni, slot);
                vnis.insert(vni, true);
            }
        }
        for (vni, there) in vnis {
            let different = mac_of(&key).is_some_and(|mac| self.resolve_mac(vni, mac));
            // The address of a route that is there has followed its MAC address.
            if let Some(ip) = ip_of(&key).filter(|_| !(different && there)) {
                self.resolve_ip(vni, ip);
            }
            if matches!(key, EvpnKey::InclusiveMulticast { .. }) {
                for route in old.iter().chain(&new) {
                    self.resolve_flood(vni, route.path.bridged(&key, vni));
                }
            }
        }
    }

    fn learned_mac(&mut self, vni: Vni, mac: MacAddress, sticky: bool) {
        let frozen = self.duplicates.is_frozen(vni, Address::Mac(mac));
        let station = self.facts.stations.get_mut(&(vni, mac));
        let before = station.and_then(|station| station.note(|own| own.local.take()));
        // What is told of a frozen address stays as it is.
        let answers = !frozen || before.is_none();
        let mut lowest = self.sequences_before.get(&(vni, mac)).copied().unwrap_or(0);
        let mut witnesses = Witnesses::default();
        if let Some(before) = before {
            lowest = lowest.max(before.lowest);
            witnesses = before.witnesses;
        }
        for path in self.facts.routes.of_mac(mac).filter(|_| answers) {
            witnesses.add(path);
        }
        let local = Some(Local {
            sticky,
            witnesses,
            lowest,
        });
        let learned = |station: &mut Station| station.note(|own| own.local = local);
        self.facts.stations.note((vni, mac), learned);
        self.resolve_mac(vni, mac);
        // The kernel learned over our entry, and where the other site keeps the address (it is
        // static there) our entry has to be made again.
        let station = self.facts.stations.get(&(vni, mac));
        let wanted = station.and_then(|station| station.remote());
        self.macs.retell((vni, mac), wanted);
    }

    fn lost_mac(&mut self, vni: Vni, mac: MacAddress) {
        if let Some(station) = self.facts.stations.get_mut(&(vni, mac)) {
            station.note(|own| own.local = None);
            self.resolve_mac(vni, mac);
        }
    }

    fn learned_neighbour(&mut self, vni: Vni, ip: IpAddr, mac: MacAddress) {
        let frozen = self.duplicates.is_frozen(vni, Address::Ip(ip));
        let host = self.facts.hosts.get_mut(&(vni, ip));
        let before = host.and_then(|host| host.binding.take());
        let moved_from = before.as_ref().map(|binding| binding.mac);
        let before = before.filter(|binding| binding.mac == mac);
        // What is told of a frozen address stays as it is.
        let answers = !frozen || before.is_none();
        let mut witnesses = before.map(|binding| binding.witnesses).unwrap_or_default();
        let claims = self.facts.routes.rebinding(ip, mac);
        for path in claims.filter(|_| answers) {
            witnesses.add(path);
        }
        let rebound = !witnesses.is_empty();
        let binding = Some(Box::new(Binding { mac, witnesses }));
        let learned = |host: &mut Host| host.binding = binding;
        self.facts.hosts.note((vni, ip), learned);
        if let Some(before) = moved_from.filter(|before| *before != mac) {
            self.unbind(vni, ip, before);
        }
        let bind = |own: &mut Own| {
            own.bound.insert(ip);
            if rebound {
                own.rebound.insert(ip);
            }
        };
        let bound = |station: &mut Station| station.note(bind);
        self.facts.stations.note((vni, mac), bound);
        self.resolve_mac(vni, mac);
        self.resolve_ip(vni, ip);
        // As for a MAC address: what the kernel resolved stands where our entry stood.
        let host = self.facts.hosts.get(&(vni, ip));
        let wanted = host.and_then(|host| host.neighbour());
        self.neighbours.retell((vni, ip), wanted);
    }

    fn lost_neighbour(&mut self, vni: Vni, ip: IpAddr, mac: MacAddress) {
        // A late report about a binding that was replaced says nothing about the new one.
        let host = self.facts.hosts.get_mut(&(vni, ip));
        if let Some(host) = host
            && host
                .binding
                .as_ref()
                .is_some_and(|binding| binding.mac == mac)
        {
            host.binding = None;
            self.unbind(vni, ip, mac);
            self.resolve_ip(vni, ip);
        }
    }

    fn unbind(&mut self, vni: Vni, ip: IpAddr, mac: MacAddress) {
        if let Some(station) = self.facts.stations.get_mut(&(vni, mac)) {
            station.note(|own| {
                own.bound.remove(&ip);
                own.rebound.remove(&ip);
            });
        }
        let gateway = |network: &Network| network.is_gateway_ip(ip);
        if !self.networks.get(&vni).is_some_and(gateway) {
            self.tell_mac(vni, mac, Some(ip), None);
        }
        // The sequence number may have come from this binding.
        self.resolve_mac(vni, mac);
    }
}

/// Paths of attribute sets that were decoded lately. Routes of a site have few sets, one or two for
/// each VNI, and come in runs from one to the next and back; found again, they share their paths.
#[derive(Debug, Default)]
struct Decoded {
    /// By address of the set, which nobody else has as long as the set is kept here.
    places: Vec<Option<(Attributes, Arc<Path>)>>,
}

/// Sets that are kept, at most.
const DECODED: usize = 512;

impl Decoded {
    fn path(&mut self, attributes: &Attributes) -> Arc<Path> {
        if self.places.is_empty() {
            self.places.resize_with(DECODED, || None);
        }
        let at = FixedState::default().hash_one(attributes.address());
        let at = usize::try_from(at % DECODED as u64).unwrap_or(0);
        let place = self.places.get_mut(at);
        if let Some(Some((known, path))) = &place
            && known.is(attributes)
        {
            return Arc::clone(path);
        }
        let path = Arc::new(Path::from(&attributes.thaw()));
        if let Some(place) = place {
            *place = Some((attributes.clone(), Arc::clone(&path)));
        }
        path
    }
}

#[cfg(test)]
mod tests;
