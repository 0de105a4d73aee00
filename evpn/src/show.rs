//! Questions: what is known, what was decided, and why.
//!
//! Answers come from the same functions that decide ([`crate::resolve`]); nothing is computed a
//! second way for display. All of it reads and changes nothing.

mod announcers;
mod places;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use bgp::{AttributeSet, EvpnKey, ExtendedCommunity, MacAddress, Prefix, RouteDistinguisher, Vni};

use crate::duplicate::{Address, Duplicate, MoveCounts};
use crate::instance::Instance;
use crate::mobility::{Claim, Rule};
use crate::originate::Network;
use crate::path::{Fault, Route, is_group_or_zero};
use crate::resolve::{MacOwner, ip_of, is_no_host, mac_of};
use crate::station::{Place, RemoteMac, Station};
use crate::target::ImportTarget;
use crate::tunnel::Tunnel;
use crate::vrf::{Vrf, VrfName, imported_prefix};
pub use announcers::Announcer;
pub use places::{NeighbourStatus, VtepStatus};

/// A VNI, for `show evpn vni`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VniStatus {
    /// Number.
    pub vni: Vni,
    /// Configured name.
    pub name: String,
    /// Route distinguisher, `None` when another VNI has it.
    pub rd: Option<RouteDistinguisher>,
    /// Route targets taken in, automatic ones worked out.
    pub import_targets: Vec<ImportTarget>,
    /// Route targets sent, automatic ones worked out.
    pub export_targets: Vec<ExtendedCommunity>,
    /// MAC addresses that are here.
    pub local_macs: usize,
    /// MAC addresses that are at other sites.
    pub remote_macs: usize,
    /// Sites that get flooded frames; one that has several VNIs of this network comes once for each.
    pub remote_vteps: Vec<FloodStatus>,
    /// What keeps the VNI from working as configured.
    pub problems: Vec<Problem>,
}

/// Received routes that nobody imports here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unimported {
    /// How many.
    pub routes: usize,
    /// The route targets that they have.
    pub targets: BTreeSet<ExtendedCommunity>,
}

impl VniStatus {
    /// Tunnel addresses of the sites that get flooded frames.
    pub fn sites(&self) -> BTreeSet<IpAddr> {
        self.remote_vteps.iter().map(|it| it.vtep).collect()
    }
}

/// A site that gets flooded frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FloodStatus {
    /// Its tunnel address.
    pub vtep: IpAddr,
    /// The VNI that frames go there with, if that is not ours.
    pub downstream_vni: Option<u32>,
}

/// What keeps a VNI from working as configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// It is switched off.
    Disabled,
    /// Our tunnel address is not known.
    NoVtep,
    /// A lower-numbered VNI has the same route distinguisher: nothing is advertised.
    RdInUse(Vni),
    /// The gateway is to be advertised and its MAC address is not known.
    NoGatewayMac,
}

impl Problem {
    /// What to do about it.
    pub fn remedy(&self) -> &'static str {
        match self {
            Problem::Disabled => "enable it",
            Problem::NoVtep => "set `vtep` in [evpn]",
            Problem::RdInUse(_) => "give one of them another `rd`",
            Problem::NoGatewayMac => "set `gateway_mac`",
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Problem::Disabled => f.write_str("disabled"),
            Problem::NoVtep => f.write_str("our tunnel address is not known"),
            Problem::RdInUse(vni) => write!(
                f,
                "VNI {vni} has the same route distinguisher: nothing is advertised"
            ),
            Problem::NoGatewayMac => {
                f.write_str("gateway not advertised: its MAC address is not known")
            }
        }
    }
}

/// Where a MAC address is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// On a local port.
    Local,
    /// Behind another site's tunnel.
    Remote,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Local => "local",
            Kind::Remote => "remote",
        })
    }
}

/// A MAC address, for `show evpn mac`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MacStatus {
    /// VNI.
    pub vni: Vni,
    /// Address.
    pub mac: MacAddress,
    /// Where it is.
    pub kind: Kind,
    /// The other site's tunnel address.
    pub vtep: Option<IpAddr>,
    /// Mobility sequence number.
    pub sequence: u32,
    /// Static.
    pub sticky: bool,
    /// IP addresses bound to it.
    pub ips: Vec<IpAddr>,
    /// Why it is where it is.
    pub reason: Reason,
    /// How often it changed place since it is known.
    pub moves: u32,
    /// A static address that somebody else claims, too.
    pub conflict: Option<Conflict>,
    /// It moves again and again.
    pub duplicate: Option<Duplicate>,
    /// The VNI that frames go to the other site with, if that is not ours.
    pub downstream_vni: Option<u32>,
}

/// Why a MAC address is where it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// Its claim is the best.
    Won(Rule),
    /// It is our own gateway.
    Gateway,
    /// The kernel has it here, and the VNI does nothing.
    Idle(Problem),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Reason::Won(rule) => rule.fmt(f),
            Reason::Gateway => f.write_str("our own gateway"),
            Reason::Idle(problem) => write!(f, "not advertised: {problem}"),
        }
    }
}

/// Two places claim a static address (RFC 7432 §15.2): somebody has to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Conflict {
    /// It was learned here though it is static at another site; it stays there.
    StaticElsewhere(IpAddr),
    /// It is static here and another site claims it; it stays here.
    StaticHere(IpAddr),
}

impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Conflict::StaticElsewhere(vtep) => {
                write!(f, "learned here, but static at {vtep} (RFC 7432 §15.2)")
            }
            Conflict::StaticHere(vtep) => {
                write!(f, "static here, but claimed by {vtep} (RFC 7432 §15.2)")
            }
        }
    }
}

/// One claim to a MAC address, for `explain`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The route that makes it; `None` for the kernel's own entry.
    pub key: Option<EvpnKey>,
    /// Tunnel address of the claimant.
    pub vtep: Option<IpAddr>,
    /// Mobility sequence number.
    pub sequence: u32,
    /// Static.
    pub sticky: bool,
    /// What became of it.
    pub outcome: Outcome,
}

/// What became of a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The best, by this rule against the second best.
    Chosen(Rule),
    /// Of the same site as the best.
    SameSite,
    /// Worse than the best by this rule.
    Beaten(Rule),
    /// Cannot be used at all.
    Faulty(Fault),
    /// Our own gateway, which is not up for claims.
    Gateway,
    /// The VNI does nothing.
    Idle(Problem),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Chosen(rule) => write!(f, "chosen: {rule}"),
            Outcome::SameSite => f.write_str("of the chosen site"),
            Outcome::Beaten(Rule::Sticky) => f.write_str("beaten: static elsewhere"),
            Outcome::Beaten(Rule::HigherSequence) => f.write_str("beaten: lower sequence number"),
            Outcome::Beaten(Rule::LowerVtep) => {
                f.write_str("beaten: equal sequence numbers, higher tunnel address")
            }
            Outcome::Beaten(Rule::Frozen) => {
                f.write_str("not followed: the address is frozen elsewhere as a duplicate")
            }
            Outcome::Beaten(Rule::OnlyClaim) => f.write_str("beaten"),
            Outcome::Faulty(fault) => fault.fmt(f),
            Outcome::Gateway => f.write_str("our own gateway"),
            Outcome::Idle(problem) => write!(f, "not advertised: {problem}"),
        }
    }
}

/// A received route with the VNIs that import it, for `show evpn routes`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedRoute {
    /// The route.
    pub route: Route,
    /// Each VNI that imports it, with what keeps it from being used there.
    pub vnis: Vec<(Vni, Option<Fault>)>,
    /// Each VRF that imports it, with what keeps it out of its table.
    pub vrfs: Vec<(VrfName, Option<Fault>)>,
}

/// A VRF of the overlay, for `show evpn vni`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VrfStatus {
    /// Its name.
    pub name: VrfName,
    /// Its L3 VNI.
    pub vni: Vni,
    /// Route distinguisher, `None` when another VNI has it.
    pub rd: Option<RouteDistinguisher>,
    /// Route targets taken in, automatic ones worked out.
    pub import_targets: Vec<ImportTarget>,
    /// Route targets sent, automatic ones worked out.
    pub export_targets: Vec<ExtendedCommunity>,
    /// Where others send routed packets to.
    pub router_mac: MacAddress,
    /// Prefixes of its table that others are told.
    pub local_prefixes: usize,
    /// Routes of others in its table.
    pub imported: usize,
    /// Where those lead.
    pub routers: Vec<RouterStatus>,
    /// What keeps it from working as configured.
    pub problems: Vec<Problem>,
}

/// A router that imported routes lead to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RouterStatus {
    /// The next hop of the routes.
    pub next_hop: IpAddr,
    /// What it resolves to.
    pub mac: MacAddress,
    /// The tunnel that it is behind.
    pub vtep: IpAddr,
    /// The VNI that packets go there with, if that is not the L3 VNI of the VRF.
    pub downstream_vni: Option<u32>,
    /// How many routes lead there.
    pub routes: usize,
}

/// What each VNI has.
#[derive(Default)]
struct Counts {
    /// MAC addresses that are here, and at other sites.
    macs: BTreeMap<Vni, (usize, usize)>,
    floods: BTreeMap<Vni, Vec<Tunnel>>,
}

/// Answers for people.
impl Instance {
    /// The configured VNIs, in ascending order.
    pub fn vnis(&self) -> Vec<VniStatus> {
        let counts = self.counts();
        let networks = self.networks.values();
        networks
            .map(|network| self.vni_status(network, &counts))
            .collect()
    }

    /// Counted once for all VNIs: there may be thousands of them.
    fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for ((vni, _), station) in self.facts.stations.iter() {
            let here = station.decided().filter(|owner| owner.here);
            counts.macs.entry(*vni).or_default().0 += usize::from(here.is_some());
        }
        for (vni, _, _) in self.remote_macs() {
            counts.macs.entry(vni).or_default().1 += 1;
        }
        for ((vni, tunnel), ()) in self.floods.wanted() {
            counts.floods.entry(*vni).or_default().push(*tunnel);
        }
        counts
    }

    /// The configured VRFs, by name.
    pub fn vrfs(&self) -> Vec<VrfStatus> {
        let tables = self.vrfs.tables.iter();
        tables
            .map(|(name, vrf)| self.vrf_status(name, vrf))
            .collect()
    }

    /// The L3 VNI of a VRF.
    pub fn l3_vni(&self, vrf: &str) -> Option<Vni> {
        self.vrfs.tables.get(vrf).map(|vrf| vrf.config.vni)
    }

    /// The MAC addresses of one VNI, or of all, that are somewhere.
    pub fn macs(&self, vni: Option<Vni>) -> Vec<MacStatus> {
        self.macs_behind(vni, None).collect()
    }

    /// Addresses that move again and again, by VNI; MAC addresses before IP addresses.
    pub fn duplicates(&self) -> impl Iterator<Item = Duplicate> {
        self.duplicates.iter()
    }

    /// How often addresses moved since the start.
    pub fn moves(&self) -> MoveCounts {
        self.duplicates.counts()
    }

    /// Every claim to a MAC address and what became of it: our own, then the others', best first.
    pub fn explain(&self, vni: Vni, mac: MacAddress) -> Vec<Candidate> {
        let (Some(station), Some(network)) = (
            self.facts.stations.get(&(vni, mac)),
            self.networks.get(&vni),
        ) else {
            return Vec::new();
        };
        let owner = self.mac_owner(vni, mac);
        let judge = |claim: &Claim, place: Place| match (&owner, self.idle(network)) {
            (_, Some(problem)) => Outcome::Idle(problem),
            (None, None) if is_group_or_zero(mac) => Outcome::Faulty(Fault::NotAStation(mac)),
            (None, None) => Outcome::Gateway,
            (Some(owner), None) if owner.claim == *claim && owner.place() == place => {
                Outcome::Chosen(self.rule(network, mac, station, owner.claim))
            }
            (Some(owner), None) if owner.place() == place => Outcome::SameSite,
            (Some(owner), None) => Outcome::Beaten(owner.claim.preferred_by(claim)),
        };
        let own = self.vtep.unwrap_or(IpAddr::V4([0, 0, 0, 0].into()));
        let local = self.claim_here(vni, mac, station, own);
        let local = local.map(|claim| Candidate {
            key: None,
            vtep: self.vtep,
            sequence: claim.sequence,
            sticky: claim.sticky,
            outcome: judge(&claim, Place::Here),
        });
        let remotes = self.facts.routes.of(&station.remotes).map(|route| {
            let claim = Claim::of(&route.path);
            let fault = self.vtep.and_then(|own| self.fault(network, own, route));
            Candidate {
                key: Some(route.key.clone()),
                vtep: Some(claim.vtep),
                sequence: claim.sequence,
                sticky: claim.sticky,
                outcome: fault
                    .map_or_else(|| judge(&claim, Place::At(claim.vtep)), Outcome::Faulty),
            }
        });
        local.into_iter().chain(remotes).collect()
    }

    /// Every received route, in key order.
    pub fn received(&self) -> impl Iterator<Item = ReceivedRoute> {
        let mut routes: Vec<&Route> = self.facts.routes.iter().collect();
        routes.sort_unstable_by_key(|route| &route.key);
        routes.into_iter().map(|route| self.imported(route))
    }

    /// Keys of the received routes to a MAC address. Looks at all routes.
    pub fn received_to(&self, mac: MacAddress) -> impl Iterator<Item = &EvpnKey> {
        let keys = self.facts.routes.iter().map(|route| &route.key);
        keys.filter(move |key| matches!(key, EvpnKey::MacIp { mac: of, .. } if *of == mac))
    }

    /// Received routes that no VNI and no VRF of this router imports, with their route targets; none where there
    /// is neither.
    pub fn unimported(&self) -> Unimported {
        let mut unimported = Unimported::default();
        if self.networks.is_empty() && self.vrfs.tables.is_empty() {
            return unimported;
        }
        for (targets, routes) in self.facts.routes.by_targets() {
            let imported = !self.imports.importers(targets).is_empty()
                || !self.vrfs.importing(targets).is_empty();
            if !imported {
                unimported.routes += routes;
                unimported.targets.extend(targets);
            }
        }
        unimported
    }

    /// Keys of the received routes to a prefix, those of hosts among them. Looks at all routes.
    pub fn received_to_prefix(&self, prefix: Prefix) -> impl Iterator<Item = &EvpnKey> {
        let keys = self.facts.routes.iter().map(|route| &route.key);
        keys.filter(move |key| imported_prefix(key) == Some(prefix))
    }

    /// One received route.
    pub fn received_route(&self, key: &EvpnKey) -> Option<ReceivedRoute> {
        self.facts.routes.get(key).map(|route| self.imported(route))
    }

    fn imported(&self, route: &Route) -> ReceivedRoute {
        let vnis = self.imports.importers(&route.path.targets).into_iter();
        let names = self.vrfs.importing(&route.path.targets).into_iter();
        let routed = imported_prefix(&route.key).is_some();
        let judged = names.filter(|_| routed).filter_map(|name| {
            let vrf = self.vrfs.tables.get(&name)?;
            Some((name, self.judge_import(vrf, route).err()))
        });
        let vrfs: Vec<(VrfName, Option<Fault>)> = judged.collect();
        let fault = |vni| self.fault_in(vni, route).or_else(|| unused(route, &vrfs));
        ReceivedRoute {
            route: route.clone(),
            vnis: vnis.map(|vni| (vni, fault(vni))).collect(),
            vrfs,
        }
    }

    fn vrf_status(&self, name: &VrfName, vrf: &Vrf) -> VrfStatus {
        let vni = vrf.config.vni;
        let imported = self.vrfs.imported.wanted();
        let routers = self.vrfs.routers_of(vni);
        let no_vtep = self.vtep.is_none().then_some(Problem::NoVtep);
        VrfStatus {
            name: Arc::clone(name),
            vni,
            rd: vrf.rd.ok(),
            import_targets: vrf.config.imports(),
            export_targets: vrf.exports.clone(),
            router_mac: vrf.config.router_mac,
            local_prefixes: self.vrfs.prefixes_of(name),
            imported: imported.filter(|((_, of), _)| of == name).count(),
            routers: routers
                .map(|(next_hop, mac, tunnel, routes)| RouterStatus {
                    next_hop,
                    mac,
                    vtep: tunnel.vtep,
                    downstream_vni: tunnel.downstream(vni).map(Vni::get),
                    routes,
                })
                .collect(),
            problems: no_vtep
                .into_iter()
                .chain(vrf.rd.err().map(Problem::RdInUse))
                .collect(),
        }
    }

    fn vni_status(&self, network: &Network, counts: &Counts) -> VniStatus {
        let vni = network.vni;
        let (local_macs, remote_macs) = counts.macs.get(&vni).copied().unwrap_or_default();
        let tunnels = counts.floods.get(&vni).into_iter().flatten();
        VniStatus {
            vni,
            name: network.config.name.clone(),
            rd: network.rd.ok(),
            import_targets: network.config.imports(vni),
            export_targets: network.exports.clone(),
            local_macs,
            remote_macs,
            remote_vteps: tunnels
                .map(|tunnel| FloodStatus {
                    vtep: tunnel.vtep,
                    downstream_vni: tunnel.downstream(vni).map(Vni::get),
                })
                .collect(),
            problems: self.problems(network),
        }
    }

    fn mac_status(&self, vni: Vni, mac: MacAddress, station: &Station) -> Option<MacStatus> {
        let mut status = MacStatus {
            vni,
            mac,
            kind: Kind::Local,
            vtep: None,
            sequence: 0,
            sticky: station.local().is_some_and(|local| local.sticky),
            ips: station.bound().collect(),
            reason: Reason::Gateway,
            moves: station.moves,
            conflict: None,
            duplicate: self.duplicates.get(vni, Address::Mac(mac)),
            downstream_vni: None,
        };
        let network = self.networks.get(&vni)?;
        let idle = self.idle(network);
        let Some(owner) = self.mac_owner(vni, mac).filter(|_| idle.is_none()) else {
            station.local()?;
            if let Some(problem) = idle {
                status.reason = Reason::Idle(problem);
            }
            return (idle.is_some() || network.is_gateway_mac(mac)).then_some(status);
        };
        status.sequence = owner.claim.sequence;
        status.sticky = owner.claim.sticky;
        status.reason = Reason::Won(self.rule(network, mac, station, owner.claim));
        status.ips = self.bound_ips(vni, mac, station);
        status.conflict = self.conflict(network, mac, station, &owner);
        if let Place::At(vtep) = owner.place() {
            status.kind = Kind::Remote;
            status.vtep = Some(vtep);
            let tunnel = self.tunnel_of(vni, mac, owner.claim);
            let downstream = tunnel.and_then(|tunnel| tunnel.downstream(vni));
            status.downstream_vni = downstream.map(Vni::get);
        }
        Some(status)
    }

    /// That of a machine of this site, also of one that had to give way.
    fn claim_here(
        &self,
        vni: Vni,
        mac: MacAddress,
        station: &Station,
        own: IpAddr,
    ) -> Option<Claim> {
        let local = self.local_claim(vni, station, own);
        local.or_else(|| self.displaced_claim(vni, mac, own))
    }

    /// What decided for the best claim, against the best one of another site.
    fn rule(&self, network: &Network, mac: MacAddress, station: &Station, best: Claim) -> Rule {
        let own = self.vtep.unwrap_or(best.vtep);
        let remotes = self.facts.routes.of(&station.remotes);
        let usable = remotes.filter(|route| self.fault(network, own, route).is_none());
        let second = usable
            .map(|route| Claim::of(&route.path))
            .chain(self.claim_here(network.vni, mac, station, own))
            .filter(|claim| claim.vtep != best.vtep)
            .max();
        second.map_or(Rule::OnlyClaim, |second| best.preferred_by(&second))
    }

    /// IP addresses that were decided to belong to a MAC address.
    fn bound_ips(&self, vni: Vni, mac: MacAddress, station: &Station) -> Vec<IpAddr> {
        let remotes = self.facts.routes.of(&station.remotes);
        let remotes = remotes.filter_map(|route| ip_of(&route.key));
        let mut ips: Vec<IpAddr> = station.bound().chain(remotes).collect();
        ips.sort_unstable();
        ips.dedup();
        ips.retain(|ip| {
            self.ip_owner(vni, *ip)
                .is_some_and(|owner| owner.mac == mac)
        });
        ips
    }

    fn conflict(
        &self,
        network: &Network,
        mac: MacAddress,
        station: &Station,
        owner: &MacOwner,
    ) -> Option<Conflict> {
        let own = self.vtep?;
        let local = self.claim_here(network.vni, mac, station, own)?;
        match owner.place() {
            Place::At(vtep) => {
                let sticky = owner.claim.sticky;
                sticky.then_some(Conflict::StaticElsewhere(vtep))
            }
            Place::Here if !local.sticky => None,
            Place::Here => {
                let mut remotes = self.facts.routes.of(&station.remotes);
                remotes
                    .find(|route| self.fault(network, own, route).is_none())
                    .map(|route| Conflict::StaticHere(route.path.vtep))
            }
        }
    }

    /// The first problem that stops the VNI altogether.
    fn idle(&self, network: &Network) -> Option<Problem> {
        if !network.config.enabled {
            return Some(Problem::Disabled);
        }
        self.vtep.is_none().then_some(Problem::NoVtep)
    }

    fn problems(&self, network: &Network) -> Vec<Problem> {
        let config = &network.config;
        let nameless = config.gateway_mac.is_none() && !config.gateway_ips.is_empty();
        let gateway = config.advertise_gateway && nameless;
        self.idle(network)
            .into_iter()
            .chain(network.rd.err().map(Problem::RdInUse))
            .chain(gateway.then_some(Problem::NoGatewayMac))
            .collect()
    }

    fn fault_in(&self, vni: Vni, route: &Route) -> Option<Fault> {
        let network = self.networks.get(&vni)?;
        let gateway = mac_of(&route.key).is_some_and(|mac| network.is_gateway_mac(mac));
        match self.vtep {
            Some(own) => self.fault(network, own, route),
            None => gateway.then_some(Fault::OwnGateway),
        }
    }
}

/// What a VNI has no use for, though nothing is wrong with it.
fn unused(route: &Route, vrfs: &[(VrfName, Option<Fault>)]) -> Option<Fault> {
    match &route.key {
        EvpnKey::MacIp { ip, .. } => ip.filter(|ip| is_no_host(*ip)).map(Fault::NotAHost),
        EvpnKey::InclusiveMulticast { .. } => None,
        EvpnKey::IpPrefix { .. } if vrfs.iter().any(|(_, fault)| fault.is_none()) => None,
        EvpnKey::IpPrefix { .. } => {
            let of_vrf = vrfs.iter().find_map(|(_, fault)| *fault);
            Some(of_vrf.unwrap_or(Fault::NoVrf))
        }
        EvpnKey::EthernetAd { .. } | EvpnKey::EthernetSegment { .. } | EvpnKey::Unknown { .. } => {
            Some(Fault::RouteType(route.key.route_type()))
        }
    }
}

/// The whole wanted state, told or not yet: what a kernel audit compares with.
impl Instance {
    /// MAC addresses behind tunnels.
    pub fn remote_macs(&self) -> impl Iterator<Item = (Vni, MacAddress, RemoteMac)> {
        let stations = self.facts.stations.iter();
        let stations = stations.filter_map(|(key, station)| Some((key, station.remote()?)));
        let routers = self.vrfs.router_macs.wanted();
        stations
            .chain(routers.map(|(key, remote)| (key, *remote)))
            .map(|((vni, mac), remote)| (*vni, *mac, remote))
    }

    /// Sites that get flooded frames.
    pub fn flood_list(&self) -> impl Iterator<Item = (Vni, Tunnel)> {
        let wanted = self.floods.wanted();
        wanted.map(|((vni, tunnel), ())| (*vni, *tunnel))
    }

    /// Neighbour entries for remote addresses.
    pub fn neighbours(&self) -> impl Iterator<Item = (Vni, IpAddr, MacAddress)> {
        let hosts = self.facts.hosts.iter();
        let hosts = hosts.filter_map(|(key, host)| Some((key, host.neighbour()?.0)));
        let routers = self.vrfs.router_neighbours.wanted();
        hosts
            .chain(routers.map(|(key, (mac, _))| (key, *mac)))
            .map(|((vni, ip), mac)| (*vni, *ip, mac))
    }

    /// Routes of our own.
    pub fn originated(&self) -> impl Iterator<Item = (&EvpnKey, &Arc<AttributeSet>)> {
        self.told
            .wanted()
            .map(|(key, (_, attributes))| (key, attributes))
    }
}

#[cfg(test)]
mod tests;
