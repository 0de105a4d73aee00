//! Routes that go from one table of this router to another: those of a VRF into EVPN, and those of
//! EVPN into a VRF.
//!
//! The instance of a VRF with an L3 VNI has two peers in its tables that have no session: routers
//! behind tunnels, whose next hops are on the bridge of the L3 VNI, and gateways, which are stations
//! in the VRF itself. What EVPN has for the VRF comes in as routes of theirs, one path for each EVPN
//! route, so import policy, decision, multipath and every answer to an operator are those of any
//! peer. What the tables would tell the first of them, after export policy, are the VRF's own
//! prefixes for EVPN.
//!
//! The default instance has the other end: [`evpn::Instance`] makes type 5 routes of such prefixes,
//! and says which routes belong where. Both talk through [`crate::exchange`], and either may start,
//! change or end first.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use bgp::attributes::NextHop;
use bgp::family::PerFamily;
use bgp::message::{Message, Update};
use bgp::nlri::{List4, NlriList};
use bgp::policy::Policy;
use bgp::rib::{self, Batch, DefaultOriginate, PeerFacts, PeerFamily, PeerId, Relation};
use bgp::{AttributeSet, Attributes, EvpnKey, Family, InterfaceName, PathId, Prefix, wire};
use bytes::BytesMut;

use super::{Core, OverlayDevices};
use crate::config::{Config, L3Vni};
use crate::exchange::{Mail, Note, Port, Routes, Tenant};

/// What a core has to do with other tables.
#[derive(Debug, Default)]
pub(super) struct Handover {
    /// Peers of the tables that have no session.
    links: BTreeMap<PeerId, Port>,
    /// VRFs of the overlay, in the default instance.
    tenants: BTreeMap<Arc<str>, Tenant>,
    /// Routes for others, until all that is at hand was worked off.
    outgoing: BTreeMap<Option<String>, Routes>,
    /// What was made last of attributes that many routes share.
    last: Option<(Arc<Attributes>, evpn::Via, Arc<AttributeSet>)>,
}

impl Handover {
    /// Where the routes of a peer without a session come from.
    pub(super) fn port(&self, peer: PeerId) -> Option<&Port> {
        self.links.get(&peer)
    }

    /// No neighbour may have this number.
    pub(super) fn has(&self, peer: PeerId) -> bool {
        self.links.contains_key(&peer)
    }

    /// Whose routes a restart waits for.
    pub(super) fn awaited(&self) -> Option<PeerId> {
        self.link(&Port::Routers)
    }

    fn link(&self, port: &Port) -> Option<PeerId> {
        let mut links = self.links.iter();
        links.find(|(_, it)| *it == port).map(|(peer, _)| *peer)
    }
}

/// The side of a VRF.
impl Core {
    /// Joins the overlay if the configuration says so.
    pub(super) fn begin_handover(&mut self) {
        if let (Some(kernel), Some(vrf)) = (&self.hands.kernel, self.made_vrf()) {
            kernel.want(fib::Entry::Vrf(kernel.share(), vrf));
        }
        if let Some(l3vni) = self.config.l3vni.clone() {
            self.open_links(&l3vni);
            self.announce_tenant(Some(&l3vni));
        }
    }

    /// The configuration was another one.
    pub(super) fn apply_handover(&mut self, old: &Config) {
        let new = self.config.l3vni.clone();
        if old.l3vni == new {
            return;
        }
        let bridge = |l3vni: &L3Vni| l3vni.bridge.clone();
        if old.l3vni.as_ref().map(bridge) != new.as_ref().map(bridge) {
            // Next hops are on another device.
            self.close_links();
            self.announce_tenant(None);
        }
        let Some(l3vni) = new else { return };
        if self.handover.links.is_empty() {
            self.open_links(&l3vni);
        } else {
            self.reconfigure_links();
        }
        self.announce_tenant(Some(&l3vni));
    }

    /// Gives the tables the policies now in effect, and the drain.
    pub(super) fn reconfigure_links(&mut self) {
        let Some(l3vni) = self.config.l3vni.clone() else {
            return;
        };
        for (peer, port) in self.handover.links.clone() {
            let families = self.link_families(&l3vni, &port);
            self.hand_in(rib::Input::Configure(peer, families));
        }
    }

    /// The VRF device that the configuration has us make.
    fn made_vrf(&self) -> Option<fib::Vrf> {
        let (device, table) = (self.config.vrf.as_deref()?, self.config.vrf_table?);
        Some(fib::Vrf::new(device, table))
    }

    /// The instance is in the configuration no more.
    pub(super) fn leave_vrf(&mut self) {
        if let (Some(kernel), Some(vrf)) = (&self.hands.kernel, self.made_vrf()) {
            kernel.unwant(fib::Key::Vrf(kernel.share(), vrf.device));
        }
    }

    /// The instance ends.
    pub(super) fn end_handover(&mut self) {
        if self.config.l3vni.is_some() {
            self.announce_tenant(None);
        }
        self.hands.exchange.leave(&self.config.name);
    }

    /// Under the name of the VRF, which VNIs refer to.
    fn announce_tenant(&self, l3vni: Option<&L3Vni>) {
        let Some(vrf) = self.config.vrf.as_deref() else {
            return;
        };
        let tenant = l3vni.map(|l3vni| Tenant {
            l3vni: l3vni.clone(),
            table: self.config.kernel.table,
            instance: self.config.name.clone(),
        });
        self.hands.exchange.announce(&Arc::from(vrf), tenant);
    }

    fn open_links(&mut self, l3vni: &L3Vni) {
        for port in [Port::Routers, Port::Gateways] {
            let Some(peer) = self.free_id() else {
                tracing::error!("too many neighbours, EVPN is left out");
                return;
            };
            self.handover.links.insert(peer, port.clone());
            let facts = self.link_facts(l3vni, &port);
            self.hand_in(rib::Input::PeerUp {
                peer,
                facts,
                restarting: false,
            });
        }
    }

    fn close_links(&mut self) {
        for (peer, _) in std::mem::take(&mut self.handover.links) {
            self.hand_in(rib::Input::PeerRemoved(peer));
        }
    }

    fn link_facts(&self, l3vni: &L3Vni, port: &Port) -> PeerFacts {
        let asn = self.config.asn;
        let nowhere = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        let router_id = self.config.router_id;
        PeerFacts {
            relation: Relation {
                instance: true,
                ..Relation::default()
            },
            families: self.link_families(l3vni, port),
            // What stands for a route of our own; EVPN puts the tunnel endpoint there.
            local_ipv4: Some(router_id),
            local_ipv6: Some(router_id.to_ipv6_mapped()),
            extended_message: true,
            link: match port {
                Port::Routers => InterfaceName::new(&l3vni.bridge),
                Port::Gateways | Port::Vrf(_) => None,
            },
            ..PeerFacts::new((asn, nowhere), (asn, nowhere.into()), router_id)
        }
    }

    fn link_families(&self, l3vni: &L3Vni, port: &Port) -> PerFamily<Option<PeerFamily>> {
        let policy = |map: &Option<Arc<bgp::policy::RouteMap>>| match map {
            Some(map) => Policy::Map(Arc::clone(map)),
            None => Policy::AcceptAll,
        };
        let drained = self.drain.router.is_some();
        let of = |family: Family| {
            let told = *port == Port::Routers;
            let export = match told && *l3vni.advertise.get(family) {
                true => policy(&l3vni.export),
                false => Policy::RejectAll(Arc::from("not in `advertise` of [instance.l3vni]")),
            };
            let default = told && *l3vni.default_originate.get(family);
            let mut settings = PeerFamily::new(policy(&l3vni.import), export);
            settings.enforce_first_as = false;
            settings.add_path_receive = true;
            settings.extended_next_hop = true;
            settings.default_originate = default.then_some(DefaultOriginate::Always);
            settings.drain = drained.then(rib::Drain::default);
            Some(settings)
        };
        PerFamily {
            ipv4_unicast: of(Family::Ipv4Unicast),
            ipv6_unicast: of(Family::Ipv6Unicast),
            evpn: None,
        }
    }

    /// What the tables tell a peer without a session.
    pub(super) fn hand_over(&mut self, peer: PeerId, batch: &Batch) {
        let context = wire::Context {
            extended_message: true,
            ..wire::Context::default()
        };
        let Some(vrf) = self.config.vrf.as_deref() else {
            return;
        };
        let port = Port::Vrf(Arc::from(vrf));
        let routes = self.handover.outgoing.entry(None).or_default();
        for piece in batch.pieces(peer) {
            let mut buffer = BytesMut::from(&*piece);
            while let Ok(Some(frame)) = wire::frame(&mut buffer, context.message_len_max()) {
                let Ok(Message::Update(update)) = wire::decode(&frame, &context) else {
                    continue;
                };
                for prefix in update.withdrawn.iter().flat_map(prefixes) {
                    routes.insert((port.clone(), prefix, 0), None);
                }
                for (list, attributes) in &update.announced {
                    let set = Arc::new(attributes.thaw());
                    for prefix in prefixes(list) {
                        routes.insert((port.clone(), prefix, 0), Some(Arc::clone(&set)));
                    }
                }
            }
        }
    }
}

/// The prefixes of a list; EVPN has none to hand over.
fn prefixes(list: &NlriList) -> Vec<Prefix> {
    match list {
        NlriList::V4(list) => list.iter().map(|(_, it)| Prefix::V4(*it)).collect(),
        NlriList::V6(list) => list.iter().map(|(_, it)| Prefix::V6(*it)).collect(),
        NlriList::Evpn(_) => Vec::new(),
    }
}

/// Both sides.
impl Core {
    /// What others have put into the inbox.
    pub(super) fn receive(&mut self, mail: Mail) {
        let mut complete = false;
        for note in mail.notes {
            match note {
                Note::Tenant(name, tenant) => self.set_tenant(&name, tenant.map(|it| *it)),
                Note::Complete => complete = true,
            }
        }
        let mut arriving: BTreeMap<PeerId, Arriving> = BTreeMap::new();
        for ((port, prefix, path_id), attributes) in mail.routes {
            match port {
                Port::Vrf(vrf) => self.tell_evpn(evpn::Input::LocalPrefix {
                    vrf,
                    prefix,
                    attributes,
                }),
                port @ (Port::Routers | Port::Gateways) => {
                    // One that is no longer there has nothing to say.
                    if let Some(peer) = self.handover.link(&port) {
                        let arriving = arriving.entry(peer).or_default();
                        arriving.add(prefix, path_id, attributes);
                    }
                }
            }
        }
        for (peer, arriving) in arriving {
            let updates = arriving.updates(self.seed);
            self.pace.routes(updates.iter().map(Update::len).sum());
            let announced = updates.iter().flat_map(|update| &update.announced);
            let named: Vec<_> = announced.map(|(_, set)| (peer, set.next_hop())).collect();
            self.check_next_hops(named.into_iter());
            self.hand_in(rib::Input::Updates(peer, updates));
        }
        if complete && let Some(peer) = self.handover.link(&Port::Routers) {
            // What a restart waits for (RFC 4724 §4.1), as from any peer.
            let end = |family| Update {
                end_of_rib: Some(family),
                ..Update::default()
            };
            let ends = [Family::Ipv4Unicast, Family::Ipv6Unicast].map(end);
            self.hand_in(rib::Input::Updates(peer, ends.into()));
        }
    }

    /// Sends what has come together for others.
    pub(super) fn flush_handover(&mut self) {
        for (to, routes) in std::mem::take(&mut self.handover.outgoing) {
            self.hands.exchange.send(&to, routes);
        }
    }
}

/// Routes for one peer, by their attributes.
#[derive(Debug, Default)]
struct Arriving {
    withdrawn: Lists,
    announced: HashMap<*const AttributeSet, (Arc<AttributeSet>, Lists)>,
}

#[derive(Debug, Default)]
struct Lists {
    v4: List4,
    v6: Vec<(PathId, bgp::Prefix6)>,
}

impl Lists {
    fn add(&mut self, prefix: Prefix, path_id: PathId) {
        match prefix {
            Prefix::V4(prefix) => self.v4.push((path_id, prefix)),
            Prefix::V6(prefix) => self.v6.push((path_id, prefix)),
        }
    }

    fn lists(self) -> impl Iterator<Item = NlriList> {
        let lists = [NlriList::V4(self.v4), NlriList::V6(self.v6)];
        lists.into_iter().filter(|list| !list.is_empty())
    }
}

impl Arriving {
    fn add(&mut self, prefix: Prefix, path_id: PathId, attributes: Option<Arc<AttributeSet>>) {
        let lists = match attributes {
            None => &mut self.withdrawn,
            Some(set) => {
                let of = self.announced.entry(Arc::as_ptr(&set));
                &mut of.or_insert_with(|| (set, Lists::default())).1
            }
        };
        lists.add(prefix, path_id);
    }

    fn updates(self, seed: u64) -> Vec<Update> {
        let gone = Update {
            withdrawn: self.withdrawn.lists().collect(),
            ..Update::default()
        };
        let there = self.announced.into_values().map(|(set, lists)| {
            let attributes = Arc::new(set.freeze_with(seed));
            let announced = lists.lists().map(|list| (list, Arc::clone(&attributes)));
            Update {
                announced: announced.collect(),
                ..Update::default()
            }
        });
        std::iter::once(gone).chain(there).collect()
    }
}

/// The side of EVPN.
impl Core {
    /// A route of EVPN for a VRF, or that it is gone.
    pub(super) fn imported(
        &mut self,
        vrf: &Arc<str>,
        key: &EvpnKey,
        import: Option<(evpn::Via, Arc<Attributes>)>,
    ) {
        let Some(tenant) = self.handover.tenants.get(vrf) else {
            return;
        };
        let instance = tenant.instance.clone();
        let Some(prefix) = evpn::imported_prefix(key) else {
            return;
        };
        let path_id = path_id(key);
        let via = import.as_ref().map(|(via, _)| *via);
        let set = import.map(|(via, attributes)| self.as_unicast(via, attributes));
        let routes = self.handover.outgoing.entry(instance).or_default();
        // It may have come the other way before.
        for (port, here) in [
            (Port::Routers, matches!(via, Some(evpn::Via::Router(_)))),
            (Port::Gateways, matches!(via, Some(evpn::Via::Gateway(_)))),
        ] {
            let set = set.clone().filter(|_| here);
            routes.insert((port, prefix, path_id), set);
        }
    }

    /// The attributes of an EVPN route as those of a unicast route.
    fn as_unicast(&mut self, via: evpn::Via, attributes: Arc<Attributes>) -> Arc<AttributeSet> {
        if let Some((last, through, set)) = &self.handover.last
            && Arc::ptr_eq(last, &attributes)
            && *through == via
        {
            return Arc::clone(set);
        }
        let mut set = attributes.thaw();
        let (evpn::Via::Router(next_hop) | evpn::Via::Gateway(next_hop)) = via;
        set.next_hop = NextHop::from(next_hop);
        set.evpn = None;
        set.pmsi_tunnel = None;
        // The reflectors on the way to us are not those of the VRF.
        set.originator_id = None;
        set.cluster_list = Vec::new();
        let set = Arc::new(set);
        self.handover.last = Some((attributes, via, Arc::clone(&set)));
        set
    }

    /// A VRF is part of the overlay, or no longer.
    fn set_tenant(&mut self, name: &Arc<str>, tenant: Option<Tenant>) {
        let before = self.handover.tenants.get(name).map(|it| it.l3vni.clone());
        let devices = |l3vni: &L3Vni| (l3vni.id, l3vni.bridge.clone(), l3vni.vxlan.clone());
        let stays = tenant.as_ref().map(|it| devices(&it.l3vni));
        if let Some(before) = before
            && stays != Some(devices(&before))
        {
            self.tell_evpn(evpn::Input::RemoveVrf(Arc::clone(name)));
            // What was wanted on the devices goes before the devices, and routes before whoever is
            // told of them again.
            self.drain_evpn();
            self.handover.tenants.remove(name);
            self.devices.remove(&before.id);
            self.unwant_overlay(before.id);
        }
        if let Some(tenant) = tenant {
            self.handover.tenants.insert(Arc::clone(name), tenant);
            self.want_tenant(name);
            if self.converged.evpn {
                self.complete_tenants();
            }
        }
        let vnis = self.config.vnis.clone();
        let inside = vnis.iter().filter(|vni| vni.vrf.as_deref() == Some(name));
        self.want_overlays(&inside.collect::<Vec<_>>());
    }

    /// EVPN has what there was at the start: VRFs need not wait longer with what the last run left in
    /// the kernel.
    pub(super) fn complete_tenants(&mut self) {
        self.drain_evpn();
        self.flush_handover();
        for tenant in self.handover.tenants.values() {
            self.hands.exchange.complete(&tenant.instance);
        }
    }

    /// All VRFs, after a change of what they stand on.
    pub(super) fn want_tenants(&mut self) {
        let names: Vec<Arc<str>> = self.handover.tenants.keys().cloned().collect();
        for name in names {
            self.want_tenant(&name);
        }
    }

    fn want_tenant(&mut self, name: &Arc<str>) {
        let Some(tenant) = self.handover.tenants.get(name).cloned() else {
            return;
        };
        let (Some(evpn), l3vni) = (&self.config.evpn, &tenant.l3vni) else {
            return;
        };
        let usual = || evpn::router_mac(evpn.vtep);
        let router_mac = l3vni.router_mac.unwrap_or_else(usual);
        let devices = OverlayDevices {
            bridge: l3vni.bridge.as_str().into(),
            vxlan: l3vni.vxlan.as_str().into(),
            segment: None,
        };
        self.want_l3_overlay(name, &tenant, router_mac);
        self.devices.insert(l3vni.id, devices);
        let config = tenant.vrf_config(router_mac);
        let name = Arc::clone(name);
        self.tell_evpn(evpn::Input::SetVrf { name, config });
    }

    /// The table of a VRF of the overlay.
    pub(super) fn tenant_table(&self, vrf: &str) -> Option<u32> {
        self.handover.tenants.get(vrf).map(|it| it.table)
    }
}

/// Tells the routes of one prefix apart, the same after every start. Two routes of one prefix with
/// the same number, which is one case in four thousand million, count as one.
fn path_id(key: &EvpnKey) -> PathId {
    let mut hasher = DefaultHasher::new();
    key.hash(&mut hasher);
    let [.., a, b, c, d] = hasher.finish().to_be_bytes();
    PathId::from_be_bytes([a, b, c, d])
}
