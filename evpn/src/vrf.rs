//! Tenants' routing tables (IP-VRFs of RFC 9135 and RFC 9136): which received routes belong in
//! one, by which router they are reached, and our own prefixes as type 5 routes.
//!
//! A VRF has an L3 VNI. In come its settings, the prefixes of its own table ([`Input::LocalPrefix`])
//! and, with all other routes, those of types 2 and 5. Out come imported routes
//! ([`Output::Import`], one for each EVPN route, with the attributes it came with) for the owner of
//! the table, who decides among them and everything else it knows; the routers' MAC addresses as
//! entries of the L3 VNI, by the same outputs as those of stations; and type 5 routes to originate.
//!
//! What a received route means is judged in one place, [`Instance::judge_import`], from the facts
//! alone. Facts only leave a mark on the routes they touch; the marks are worked off when outputs
//! are asked for, once for each route, so that a thousand VNIs in one reload cost one pass.
//!
//! Not here: choosing among several routes to one prefix, and the routes of stations within their
//! own VNI ([`crate::resolve`]).
//!
//! [`Input::LocalPrefix`]: crate::Input::LocalPrefix
//! [`Output::Import`]: crate::Output::Import

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use bgp::attributes::NextHop;
use bgp::{AttributeSet, Attributes, Esi, EvpnKey, EvpnTail, ExtendedCommunity, MacAddress};
use bgp::{Prefix, RouteDistinguisher, Vni};

use crate::instance::Instance;
use crate::ledger::Ledger;
use crate::path::{Fault, Path, Route, is_group_or_zero};
use crate::station::{Place, RemoteMac};
use crate::target::{ImportIndex, ImportTarget, automatic_export, automatic_imports};
use crate::tunnel::{Labels, Tunnel};

/// Name of a VRF.
pub type VrfName = Arc<str>;

/// A VRF of the overlay: its L3 VNI and what its routes carry.
///
/// ```
/// let config = evpn::VrfConfig::new(
///     bgp::Vni::new(4001).ok_or("VNI beyond 24 bits")?,
///     "02:5e:0a:0a:00:01".parse()?,
/// )
/// .import_target("65000:4001".parse()?)
/// .export_target("65000:4001".parse()?);
/// # let _ = config;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VrfConfig {
    pub(crate) vni: Vni,
    pub(crate) router_mac: MacAddress,
    pub(crate) rd: Option<RouteDistinguisher>,
    pub(crate) import_targets: Vec<ImportTarget>,
    pub(crate) export_targets: Vec<ExtendedCommunity>,
    pub(crate) gateway_ip: bool,
    pub(crate) prefix_routes_only: bool,
}

impl VrfConfig {
    /// A VRF with this L3 VNI; others send routed packets to `router_mac` (RFC 9135 §8.1).
    pub fn new(vni: Vni, router_mac: MacAddress) -> Self {
        Self {
            vni,
            router_mac,
            rd: None,
            import_targets: Vec::new(),
            export_targets: Vec::new(),
            gateway_ip: false,
            prefix_routes_only: false,
        }
    }

    /// Route distinguisher. Default: `router_id:VNI`, like that of a VNI.
    pub fn rd(mut self, rd: RouteDistinguisher) -> Self {
        self.rd = Some(rd);
        self
    }

    /// Adds a target to import. Default while there is none: the L3 VNI's number from any AS.
    pub fn import_target(mut self, target: ImportTarget) -> Self {
        self.import_targets.push(target);
        self
    }

    /// Adds a target to export. Default while there is none: `AS:VNI`.
    pub fn export_target(mut self, target: ExtendedCommunity) -> Self {
        self.export_targets.push(target);
        self
    }

    /// Prefixes with a next hop of their own are told with it as overlay index (RFC 9136 §4.1):
    /// others reach them through that station and not through this router. Default: false.
    pub fn gateway_ip(mut self, gateway_ip: bool) -> Self {
        self.gateway_ip = gateway_ip;
        self
    }

    /// Addresses of stations are told without the L3 VNI, so that others route by prefixes alone
    /// (type 5). Default: false.
    pub fn prefix_routes_only(mut self, only: bool) -> Self {
        self.prefix_routes_only = only;
        self
    }

    pub(crate) fn imports(&self) -> Vec<ImportTarget> {
        match self.import_targets.is_empty() {
            true => automatic_imports(self.vni),
            false => self.import_targets.clone(),
        }
    }

    fn exports(&self, local_as: bgp::Asn) -> Vec<ExtendedCommunity> {
        match self.export_targets.is_empty() {
            true => vec![automatic_export(local_as, self.vni)],
            false => self.export_targets.clone(),
        }
    }
}

/// How packets to an imported prefix leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// Routed by the router at the other end of a tunnel: the next hop is on the device of the L3
    /// VNI. An IPv6 prefix behind an IPv4 tunnel has the address in its IPv4-mapped form, since
    /// Linux takes no other next hop there.
    Router(IpAddr),
    /// Through a station of the tenant (RFC 9136 §4.1), which the VRF's own table leads to.
    Gateway(IpAddr),
}

/// The prefix that a route adds to the table of a VRF: that of type 5, the host's of type 2.
pub fn imported_prefix(key: &EvpnKey) -> Option<Prefix> {
    match key {
        EvpnKey::IpPrefix { prefix, .. } => Some(*prefix),
        EvpnKey::MacIp { ip, .. } => (*ip).map(Prefix::host),
        EvpnKey::EthernetAd { .. }
        | EvpnKey::InclusiveMulticast { .. }
        | EvpnKey::EthernetSegment { .. }
        | EvpnKey::Unknown { .. } => None,
    }
}

/// A VRF as configured, with what was worked out for it.
#[derive(Debug)]
pub(crate) struct Vrf {
    pub(crate) config: VrfConfig,
    /// The distinguisher, or the VNI that has the same and comes first.
    pub(crate) rd: Result<RouteDistinguisher, Vni>,
    pub(crate) exports: Vec<ExtendedCommunity>,
}

/// What the routes of a VNI's stations carry for the VRF it is in (RFC 9135 §5.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tenant {
    pub(crate) vni: Vni,
    pub(crate) router_mac: MacAddress,
    pub(crate) exports: Vec<ExtendedCommunity>,
    /// The routes of stations carry nothing of it.
    pub(crate) prefix_routes_only: bool,
}

impl Tenant {
    /// Adds the VRF's part to the route of a station with an IP address.
    pub(crate) fn mark(&self, attributes: &mut AttributeSet) {
        if let Some(tail) = &mut attributes.evpn {
            tail.label2 = Some(self.vni.get());
        }
        let communities = &mut attributes.extended_communities;
        communities.extend_from_slice(&self.exports);
        communities.push(ExtendedCommunity::router_mac(self.router_mac));
        communities.sort_unstable();
        communities.dedup();
    }
}

/// An imported route as it should be with the owner of the table.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Import {
    pub(crate) via: Via,
    pub(crate) attributes: Attributes,
    router: Option<Router>,
}

/// A router that an imported route leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Router {
    vni: Vni,
    next_hop: IpAddr,
    mac: MacAddress,
    tunnel: Tunnel,
}

/// All VRFs, the routes they may take in and the prefixes they have.
#[derive(Debug)]
pub(crate) struct Vrfs {
    pub(crate) tables: BTreeMap<VrfName, Vrf>,
    imports: ImportIndex<VrfName>,
    /// Received routes of types 2 and 5 that say something about a VRF.
    routes: BTreeMap<EvpnKey, Attributes>,
    /// Our own prefixes.
    prefixes: BTreeMap<VrfName, BTreeMap<Prefix, Arc<AttributeSet>>>,
    pub(crate) imported: Ledger<(EvpnKey, VrfName), Import>,
    /// How many imported routes lead to each router.
    routers: BTreeMap<Router, usize>,
    pub(crate) labels: Labels,
    /// Routes whose sender has our own router MAC address ([`Fault::OwnRouterMac`]), with the address
    /// and the sender's tunnel endpoint.
    pub(crate) mirrored: BTreeMap<(EvpnKey, VrfName), (MacAddress, IpAddr)>,
    /// Their entries: those of stations are not kept here.
    pub(crate) router_macs: Ledger<(Vni, MacAddress), RemoteMac>,
    pub(crate) router_neighbours: Ledger<(Vni, IpAddr), (MacAddress, IpAddr)>,
    /// Routes to be judged again.
    marked: BTreeSet<EvpnKey>,
    all_marked: bool,
    // Prefixes come in runs that share their attributes.
    last_told: Option<(VrfName, Arc<AttributeSet>, Arc<AttributeSet>)>,
}

impl Vrfs {
    pub(crate) fn new() -> Self {
        Self {
            tables: BTreeMap::new(),
            imports: ImportIndex::default(),
            routes: BTreeMap::new(),
            prefixes: BTreeMap::new(),
            imported: Ledger::new(),
            routers: BTreeMap::new(),
            labels: Labels::default(),
            mirrored: BTreeMap::new(),
            router_macs: Ledger::new(),
            router_neighbours: Ledger::new(),
            marked: BTreeSet::new(),
            all_marked: false,
            last_told: None,
        }
    }

    /// The VRF of this name as the routes of its VNIs need it.
    pub(crate) fn tenant(&self, name: &str) -> Option<Tenant> {
        let vrf = self.tables.get(name)?;
        Some(Tenant {
            vni: vrf.config.vni,
            router_mac: vrf.config.router_mac,
            exports: vrf.exports.clone(),
            prefix_routes_only: vrf.config.prefix_routes_only,
        })
    }

    /// VNIs of VRFs with their configured distinguishers.
    pub(crate) fn distinguished(
        &self,
    ) -> impl Iterator<Item = (Vni, Option<RouteDistinguisher>)> + Clone {
        let tables = self.tables.values();
        tables.map(|vrf| (vrf.config.vni, vrf.config.rd))
    }

    /// The VRFs that a route with these communities belongs to.
    pub(crate) fn importing(&self, targets: &[ExtendedCommunity]) -> BTreeSet<VrfName> {
        self.imports.importers(targets)
    }

    /// A route is to be judged again, if it is one that VRFs take in.
    pub(crate) fn mark(&mut self, key: &EvpnKey) {
        if self.routes.contains_key(key) {
            self.marked.insert(key.clone());
        }
    }

    /// All routes are to be judged again.
    pub(crate) fn mark_all(&mut self) {
        self.all_marked = true;
    }

    /// The table of a VRF is gone.
    pub(crate) fn forget_prefixes(&mut self, name: &VrfName) {
        self.prefixes.remove(name);
    }

    /// Our prefixes in a VRF.
    pub(crate) fn prefixes_of(&self, name: &VrfName) -> usize {
        self.prefixes.get(name).map_or(0, BTreeMap::len)
    }

    /// The routers of a VRF: next hop, MAC address, tunnel, routes that lead there.
    pub(crate) fn routers_of(
        &self,
        vni: Vni,
    ) -> impl Iterator<Item = (IpAddr, MacAddress, Tunnel, usize)> {
        let of = self.routers.iter().filter(move |(it, _)| it.vni == vni);
        of.map(|(it, routes)| (it.next_hop, it.mac, it.tunnel, *routes))
    }

    /// Router MAC addresses with the tunnel endpoints of those who have them, by L3 VNI.
    pub(crate) fn router_mac_owners(&self) -> BTreeMap<(Vni, MacAddress), BTreeSet<IpAddr>> {
        let mut owners: BTreeMap<_, BTreeSet<IpAddr>> = BTreeMap::new();
        for Router {
            vni, mac, tunnel, ..
        } in self.routers.keys()
        {
            owners.entry((*vni, *mac)).or_default().insert(tunnel.vtep);
        }
        owners
    }

    /// Automatic targets are those of this AS from now on.
    pub(crate) fn export_as(&mut self, local_as: bgp::Asn) {
        for vrf in self.tables.values_mut() {
            vrf.exports = vrf.config.exports(local_as);
        }
    }

    /// With which VNI the router at an endpoint is reached instead, if not with that of `tunnel`.
    fn rather(&self, own: Vni, tunnel: Tunnel) -> Option<Vni> {
        tunnel.downstream(own)?;
        let ours = Tunnel { vni: own, ..tunnel };
        let mut routers = self.routers_of(own);
        match routers.any(|(_, _, used, _)| used == ours) {
            true => Some(own),
            false => self.labels.rather(own, tunnel),
        }
    }

    /// Routes of a router that stand behind those with our own VNI are to be judged again.
    fn mark_behind(&mut self, router: Router) {
        if router.tunnel.vni == router.vni {
            let behind = self.labels.of(router.vni, router.tunnel.vtep);
            self.marked.extend(behind);
        }
    }
}

/// Taking in facts.
impl Instance {
    /// Sets or removes a VRF.
    pub(crate) fn configure_vrf(&mut self, name: &VrfName, config: Option<VrfConfig>) {
        let before = self.vrfs.tables.get(name).map(|vrf| &vrf.config);
        if before == config.as_ref() {
            return;
        }
        self.drop_vrf(name);
        if let Some(config) = config {
            let exports = config.exports(self.config.local_as);
            let rd = Err(config.vni);
            self.vrfs.tables.insert(
                Arc::clone(name),
                Vrf {
                    config,
                    rd,
                    exports,
                },
            );
        }
        let tables = self.vrfs.tables.iter();
        let imports = tables.map(|(name, vrf)| (Arc::clone(name), vrf.config.imports()));
        self.vrfs.imports = ImportIndex::new(imports);
        self.vrfs.mark_all();
        let in_vrf = |vni: &Vni| {
            let network = self.networks.get(vni);
            network.is_some_and(|network| network.config.vrf.as_deref() == Some(&**name))
        };
        let touched = self.networks.keys().copied().filter(in_vrf).collect();
        let configs = self.configs();
        self.settle_configs(configs, touched);
    }

    /// Everything that came of a VRF goes.
    fn drop_vrf(&mut self, name: &VrfName) {
        let Some(vrf) = self.vrfs.tables.remove(name) else {
            return;
        };
        let imported = self.vrfs.imported.wanted();
        let imported: Vec<EvpnKey> = imported
            .filter(|((_, of), _)| of == name)
            .map(|((key, _), _)| key.clone())
            .collect();
        for key in imported {
            self.want_import(name, &key, None);
        }
        let vni = vrf.config.vni;
        self.vrfs.labels.forget(name, vni);
        self.vrfs.mirrored.retain(|(_, of), _| of != name);
        self.told
            .forget(|key, (of, _)| *of == vni && matches!(key, EvpnKey::IpPrefix { .. }));
    }

    /// Distinguishers were worked out anew.
    pub(crate) fn settle_vrfs(&mut self, rds: &BTreeMap<Vni, Result<RouteDistinguisher, Vni>>) {
        let mut changed = Vec::new();
        for (name, vrf) in &mut self.vrfs.tables {
            let vni = vrf.config.vni;
            let rd = rds.get(&vni).copied().unwrap_or(Err(vni));
            // The VNI of a bridge is not that of a VRF, too.
            let rd = rd.and_then(|rd| match self.networks.contains_key(&vni) {
                true => Err(vni),
                false => Ok(rd),
            });
            if rd != vrf.rd {
                vrf.rd = rd;
                changed.push((Arc::clone(name), vni));
            }
        }
        for (name, vni) in changed {
            self.told
                .forget(|key, (of, _)| *of == vni && matches!(key, EvpnKey::IpPrefix { .. }));
            self.tell_prefixes(&name);
        }
    }

    /// Our tunnel address changed.
    pub(crate) fn tell_all_prefixes(&mut self) {
        self.vrfs.mark_all();
        self.vrfs.last_told = None;
        let names: Vec<VrfName> = self.vrfs.tables.keys().cloned().collect();
        for name in names {
            self.tell_prefixes(&name);
        }
    }

    fn tell_prefixes(&mut self, name: &VrfName) {
        let own = self.vrfs.prefixes.remove(name).unwrap_or_default();
        for (prefix, attributes) in &own {
            self.tell_prefix(name, *prefix, Some(attributes));
        }
        self.vrfs.prefixes.insert(Arc::clone(name), own);
    }

    /// The VRF's table has a prefix, or has it no more.
    pub(crate) fn local_prefix(
        &mut self,
        name: VrfName,
        prefix: Prefix,
        attributes: Option<Arc<AttributeSet>>,
    ) {
        self.tell_prefix(&name, prefix, attributes.as_ref());
        let own = self.vrfs.prefixes.entry(name).or_default();
        match attributes {
            Some(attributes) => own.insert(prefix, attributes),
            None => own.remove(&prefix),
        };
    }

    /// A received route says something about VRFs, or no longer does.
    pub(crate) fn note_routed(&mut self, key: &EvpnKey, path: Option<(&Path, &Attributes)>) {
        let routed = path.filter(|(path, _)| is_routed(key, path));
        match routed {
            Some((_, attributes)) => {
                let attributes = attributes.clone();
                self.vrfs.routes.insert(key.clone(), attributes);
            }
            None if self.vrfs.routes.remove(key).is_none() => return,
            None => {}
        }
        self.vrfs.marked.insert(key.clone());
    }

    /// Judges the routes that something has touched. Called before outputs are handed out.
    pub(crate) fn settle_imports(&mut self) {
        if std::mem::take(&mut self.vrfs.all_marked) {
            let all = self.vrfs.routes.keys().cloned();
            self.vrfs.marked.extend(all);
        }
        // A route that comes or goes may make way for others of its router, once: which those are
        // depends on routes and not on what is used.
        while !self.vrfs.marked.is_empty() {
            for key in std::mem::take(&mut self.vrfs.marked) {
                self.resolve_imports(&key);
            }
        }
    }
}

/// A route of these kinds belongs into routing tables: type 5, and type 2 with an L3 VNI
/// (RFC 9135 §5.2).
fn is_routed(key: &EvpnKey, path: &Path) -> bool {
    match key {
        EvpnKey::IpPrefix { .. } => true,
        EvpnKey::MacIp { ip: Some(ip), .. } => {
            path.tail.label2.is_some_and(|label| label != 0) && is_routable(*ip)
        }
        EvpnKey::MacIp { ip: None, .. }
        | EvpnKey::EthernetAd { .. }
        | EvpnKey::InclusiveMulticast { .. }
        | EvpnKey::EthernetSegment { .. }
        | EvpnKey::Unknown { .. } => false,
    }
}

/// Means the same host beyond its own link.
pub(crate) fn is_routable(ip: IpAddr) -> bool {
    let link_local = match ip {
        IpAddr::V4(ip) => ip.is_link_local() || ip.is_broadcast(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    !link_local && !ip.is_unspecified() && !ip.is_multicast() && !ip.is_loopback()
}

/// Deciding.
impl Instance {
    /// How packets to what a route names leave a VRF, or why the route is of no use there.
    pub(crate) fn judge_import(&self, vrf: &Vrf, route: &Route) -> Result<Via, Fault> {
        let via = self.judge_alone(vrf, route)?;
        let own = vrf.config.vni;
        let rather = || self.vrfs.rather(own, route.path.routed(&route.key, own));
        match via {
            Via::Router(_) => rather().map_or(Ok(via), |vni| Err(Fault::RouterVni(vni))),
            Via::Gateway(_) => Ok(via),
        }
    }

    /// The same as if there were no other routes of its router.
    fn judge_alone(&self, vrf: &Vrf, route: &Route) -> Result<Via, Fault> {
        let (Some(own), Some(prefix)) = (self.vtep, imported_prefix(&route.key)) else {
            return Err(Fault::NoVtep);
        };
        let vni = vrf.config.vni;
        if self.networks.contains_key(&vni) {
            return Err(Fault::VniOfABridge(vni));
        }
        if let Some(fault) = route.path.fault(&route.key, vni, own) {
            return Err(fault);
        }
        if let EvpnKey::MacIp { ip: Some(ip), .. } = route.key
            && let Some(fault) = self.not_there(vni, route, ip)
        {
            return Err(fault);
        }
        // RFC 9136 §3.1: at most one of them is an overlay index.
        if let (EvpnKey::IpPrefix { .. }, Some(gateway)) = (&route.key, route.path.tail.gateway) {
            return match is_routable(gateway) {
                true => Ok(Via::Gateway(gateway)),
                false => Err(Fault::Gateway(gateway)),
            };
        }
        if matches!(route.key, EvpnKey::IpPrefix { .. }) && route.path.tail.esi != Esi([0; 10]) {
            return Err(Fault::SegmentOverlay);
        }
        match route.path.router_mac {
            None => Err(Fault::NoRouterMac),
            Some(mac) if is_group_or_zero(mac) => Err(Fault::NotAStation(mac)),
            Some(mac) if mac == vrf.config.router_mac => Err(Fault::OwnRouterMac(mac)),
            Some(_) => Ok(Via::Router(next_hop(route.path.vtep, prefix))),
        }
    }

    /// The address of a host route is not where the route says: in a VNI of ours that it is told in,
    /// where a machine came here, or went on, while its old site has not taken it back; or in the one
    /// of the tenant that has the address's subnet, when a machine elsewhere says it has it.
    fn not_there(&self, l3_vni: Vni, route: &Route, ip: IpAddr) -> Option<Fault> {
        let mut vnis = self.imports.importers(&route.path.targets);
        for vni in self.subnets_by_address.covering(l3_vni, ip) {
            let Some((network, _)) = self.active(vni) else {
                continue;
            };
            if network.is_gateway_ip(ip) {
                return Some(Fault::OwnGateway);
            }
            vnis.insert(vni);
        }
        let elsewhere = vnis.into_iter().find(|vni| {
            let owner = self.ip_owner(*vni, ip);
            owner.is_some_and(|owner| owner.place != Place::At(route.path.vtep))
        });
        elsewhere.map(Fault::HostElsewhere)
    }

    fn resolve_imports(&mut self, key: &EvpnKey) {
        let attributes = self.vrfs.routes.get(key).cloned();
        let known = attributes.zip(self.facts.routes.get(key).cloned());
        let importing = match &known {
            Some((_, route)) => self.vrfs.importing(&route.path.targets),
            None => BTreeSet::new(),
        };
        let lowest = (key.clone(), VrfName::from(""));
        let before = self.vrfs.imported.wanted_from(&lowest);
        let before = before
            .take_while(|((of, _), _)| of == key)
            .map(|((_, name), _)| Arc::clone(name));
        let mut names: BTreeSet<VrfName> = before.chain(self.vrfs.labels.vrfs_of(key)).collect();
        names.extend(importing.iter().cloned());
        for name in names {
            let known = known.as_ref().filter(|_| importing.contains(&name));
            let way = known.and_then(|(_, route)| self.way(&name, route));
            let id = (key.clone(), Arc::clone(&name));
            let touched = self.vrfs.labels.note(&id, way);
            self.vrfs.marked.extend(touched);
            self.note_mirrored(&id, known.map(|(_, route)| route));
            let import = known.and_then(|(it, route)| self.import(&name, route, it));
            self.want_import(&name, key, import);
        }
    }

    /// A route that is left out because its sender has our own router MAC address.
    fn note_mirrored(&mut self, id: &(EvpnKey, VrfName), route: Option<&Route>) {
        let judged = route.zip(self.vrfs.tables.get(&id.1));
        let judged = judged.map(|(route, vrf)| (route.path.vtep, self.judge_alone(vrf, route)));
        match judged {
            Some((vtep, Err(Fault::OwnRouterMac(mac)))) => {
                self.vrfs.mirrored.insert(id.clone(), (mac, vtep));
            }
            Some(_) | None => {
                self.vrfs.mirrored.remove(id);
            }
        }
    }

    /// The L3 VNI of a VRF, and the tunnel that a route asks for there.
    fn way(&self, name: &str, route: &Route) -> Option<(Vni, Tunnel)> {
        let vrf = self.vrfs.tables.get(name)?;
        let own = vrf.config.vni;
        match self.judge_alone(vrf, route).ok()? {
            Via::Router(_) => Some((own, route.path.routed(&route.key, own))),
            Via::Gateway(_) => None,
        }
    }

    fn import(&self, name: &str, route: &Route, attributes: &Attributes) -> Option<Import> {
        let vrf = self.vrfs.tables.get(name)?;
        let via = self.judge_import(vrf, route).ok()?;
        let router = match via {
            Via::Router(next_hop) => Some(Router {
                vni: vrf.config.vni,
                next_hop,
                mac: route.path.router_mac?,
                tunnel: route.path.routed(&route.key, vrf.config.vni),
            }),
            Via::Gateway(_) => None,
        };
        Some(Import {
            via,
            attributes: attributes.clone(),
            router,
        })
    }

    fn want_import(&mut self, name: &VrfName, key: &EvpnKey, import: Option<Import>) {
        let id = (key.clone(), Arc::clone(name));
        let before = self.vrfs.imported.wish(&id).and_then(|it| it.router);
        let now = import.as_ref().and_then(|it| it.router);
        self.vrfs.imported.want(id, import);
        if before == now {
            return;
        }
        if let Some(router) = now {
            let routes = self.vrfs.routers.entry(router).or_default();
            *routes += 1;
            if *routes == 1 {
                self.vrfs.mark_behind(router);
                self.resolve_router(router);
            }
        }
        if let Some(router) = before
            && let Some(routes) = self.vrfs.routers.get_mut(&router)
        {
            *routes -= 1;
            if *routes == 0 {
                self.vrfs.routers.remove(&router);
                self.vrfs.mark_behind(router);
                self.resolve_router(router);
            }
        }
    }

    /// The entries of a router: what its next hop resolves to, and behind which tunnel that is.
    /// Where several MAC addresses are told for one next hop, or several tunnels for one MAC
    /// address, the lowest counts, whatever came first.
    fn resolve_router(
        &mut self,
        Router {
            vni, next_hop, mac, ..
        }: Router,
    ) {
        let of_vni = || self.vrfs.routers.keys().filter(|it| it.vni == vni);
        let neighbour = of_vni().find(|it| it.next_hop == next_hop);
        let neighbour = neighbour.map(|it| (it.mac, it.tunnel.vtep));
        let tunnel = of_vni().filter(|it| it.mac == mac).map(|it| it.tunnel);
        let remote = tunnel.min().map(|tunnel| RemoteMac {
            tunnel,
            sticky: false,
            sequence: 0,
        });
        self.vrfs.router_macs.want((vni, mac), remote);
        self.vrfs.router_neighbours.want((vni, next_hop), neighbour);
    }

    fn tell_prefix(&mut self, name: &VrfName, prefix: Prefix, own: Option<&Arc<AttributeSet>>) {
        let (Some(vrf), Some(vtep)) = (self.vrfs.tables.get(name), self.vtep) else {
            return;
        };
        let Ok(rd) = vrf.rd else {
            return;
        };
        let key = EvpnKey::IpPrefix { rd, tag: 0, prefix };
        let vni = vrf.config.vni;
        let Some(own) = own else {
            self.told.want(key, None);
            return;
        };
        let told = match &self.vrfs.last_told {
            Some((of, last, told)) if of == name && Arc::ptr_eq(last, own) => Arc::clone(told),
            _ => Arc::new(prefix_attributes(vrf, vtep, own)),
        };
        self.vrfs.last_told = Some((Arc::clone(name), Arc::clone(own), Arc::clone(&told)));
        self.told.want(key, Some((vni, told)));
    }
}

/// The next hop of a prefix behind a tunnel, of the prefix' IP version where Linux wants that.
fn next_hop(vtep: IpAddr, prefix: Prefix) -> IpAddr {
    match (vtep, prefix) {
        (IpAddr::V4(vtep), Prefix::V6(_)) => vtep.to_ipv6_mapped().into(),
        (vtep, _) => vtep,
    }
}

/// Attributes of a type 5 route (RFC 9136 §3.1, §4.4.1): those of the prefix in its own table, with
/// our tunnel address, the VRF's targets and our router MAC.
fn prefix_attributes(vrf: &Vrf, vtep: IpAddr, own: &AttributeSet) -> AttributeSet {
    let mut set = own.clone();
    let gateway = set.next_hop.addr();
    let gateway = (vrf.config.gateway_ip && is_routable(gateway)).then_some(gateway);
    set.notes = bgp::attributes::Notes::default();
    set.next_hop = NextHop::from(vtep);
    set.originator_id = None;
    set.cluster_list = Vec::new();
    set.extended_communities.retain(|it| {
        let ours = it.is_route_target() || it.as_router_mac().is_some();
        !ours && *it != ExtendedCommunity::ENCAPSULATION_VXLAN
    });
    set.extended_communities.extend_from_slice(&vrf.exports);
    set.extended_communities
        .push(ExtendedCommunity::ENCAPSULATION_VXLAN);
    if gateway.is_none() {
        let router_mac = ExtendedCommunity::router_mac(vrf.config.router_mac);
        set.extended_communities.push(router_mac);
    }
    set.extended_communities.sort_unstable();
    set.extended_communities.dedup();
    set.evpn = Some(EvpnTail {
        label: vrf.config.vni.get(),
        gateway,
        ..EvpnTail::default()
    });
    set
}

/// The MAC address that others send this router's routed packets to, unless one is configured:
/// locally administered, one for each tunnel address, and the same after every start.
pub fn router_mac(vtep: IpAddr) -> MacAddress {
    match vtep {
        IpAddr::V4(vtep) => {
            let [a, b, c, d] = vtep.octets();
            MacAddress([0x02, 0x5e, a, b, c, d])
        }
        IpAddr::V6(vtep) => {
            // Half of the address goes by its low octets, which tell hosts of one network apart;
            // the rest is folded in.
            let mut mac = [0; 6];
            for (at, octet) in vtep.octets().into_iter().enumerate() {
                if let Some(place) = mac.get_mut((at + 2) % 6) {
                    *place ^= octet;
                }
            }
            let [first, rest @ ..] = mac;
            let [a, b, c, d, e] = rest;
            MacAddress([(first & 0xf0) | 0x06, a, b, c, d, e])
        }
    }
}

#[cfg(test)]
mod tests;
