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
//! The default instance may have an L3 VNI itself: the main table is a VRF like others then, under the
//! name [`Config::MAIN_TABLE`], and both ends of this are in one core, which writes to its own inbox.
//!
//! After a start, the default instance has said everything of its own only when VRFs have handed
//! over what they have: until then its neighbours are told nothing of EVPN, since they may have kept
//! our routes and drop at the End-of-RIB what has not come again.
//!
//! The default instance has the other end: [`evpn::Instance`] makes type 5 routes of such prefixes,
//! and says which routes belong where. Both talk through [`crate::exchange`], and either may start,
//! change or end first.
//!
//! What instances import from each other are routes of such peers, too, and what they are beside
//! that is in [`super::imports`].

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Instant;

use bgp::attributes::NextHop;
use bgp::family::PerFamily;
use bgp::message::{Message, Update};
use bgp::nlri::{List4, NlriList};
use bgp::policy::{Party, Policy, RouteMap};
use bgp::rib::{self, Batch, DefaultOriginate, OwnAs, PeerFacts, PeerFamily, PeerId, Relation};
use bgp::{AttributeSet, Attributes, EvpnKey, Family, InterfaceName, PathId, Prefix, wire};
use bytes::BytesMut;

use super::imports::Offering;
use super::{Core, OverlayDevices};
use crate::config::{Config, L3Vni};
use crate::exchange::{Mail, Note, Origin, Port, Routes, Tenant};

/// What a core has to do with other tables.
#[derive(Debug, Default)]
pub(super) struct Handover {
    /// Peers of the tables that have no session.
    links: BTreeMap<PeerId, Port>,
    /// Which of them have sent all there was at the start.
    complete: BTreeSet<(PeerId, Family)>,
    /// The tables know whose routes a start waits for.
    pub(super) begun: bool,
    /// What goes to other instances.
    pub(super) offering: Offering,
    /// VRFs of the overlay, in the default instance.
    tenants: BTreeMap<Arc<str>, Tenant>,
    /// VRFs that have not handed over yet what they had at the start, and how long they are waited
    /// for.
    untold: Option<(BTreeSet<Arc<str>>, Instant)>,
    /// Families of which EVPN has been told everything, in a VRF.
    pub(super) told: PerFamily<bool>,
    /// EVPN has just been told the last of it.
    all_told: bool,
    /// Routes for others, until all that is at hand was worked off.
    outgoing: BTreeMap<Option<String>, Routes>,
    /// What was made last of attributes that many routes share.
    last: Option<(Attributes, evpn::Via, Arc<AttributeSet>)>,
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

    /// Whose routes a start waits for.
    pub(super) fn awaited(&self) -> impl Iterator<Item = (PeerId, Family)> + '_ {
        let links = self.links.iter();
        let links = links.filter(|(_, port)| **port != Port::Gateways);
        let families = [Family::Ipv4Unicast, Family::Ipv6Unicast];
        let all = links.flat_map(move |(peer, _)| families.map(|family| (*peer, family)));
        all.filter(|it| !self.complete.contains(it))
    }

    /// When VRFs are waited for no longer.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.untold.as_ref().map(|(_, until)| *until)
    }

    pub(super) fn link(&self, port: &Port) -> Option<PeerId> {
        let mut links = self.links.iter();
        links.find(|(_, it)| *it == port).map(|(peer, _)| *peer)
    }
}

/// The side of a VRF.
impl Core {
    /// Joins the overlay if the configuration says so.
    pub(super) fn begin_handover(&mut self) {
        self.want_made_vrf();
        if let Some(l3vni) = self.config.l3vni.clone() {
            self.open_links();
            self.announce_tenant(Some(&l3vni));
        }
        self.begin_imports();
    }

    /// The configuration was another one.
    pub(super) fn apply_handover(&mut self, old: &Config) {
        self.apply_imports(old);
        if (old.asn, old.router_id) != (self.config.asn, self.config.router_id) {
            for (peer, port) in self.handover.links.clone() {
                let facts = self.link_facts(&port);
                self.hand_in(rib::Input::Facts(peer, facts));
            }
        }
        if old.vrf_unreachable != self.config.vrf_unreachable {
            self.want_made_vrf();
        }
        let new = self.config.l3vni.clone();
        if old.l3vni == new {
            return;
        }
        let bridge = |l3vni: &L3Vni| l3vni.bridge.clone();
        if old.l3vni.as_ref().map(bridge) != new.as_ref().map(bridge) {
            // Next hops are on another device.
            for port in [Port::Routers, Port::Gateways] {
                self.close_link(&port);
            }
            self.announce_tenant(None);
        }
        let Some(l3vni) = new else { return };
        if self.handover.link(&Port::Routers).is_none() {
            self.open_links();
        } else {
            self.reconfigure_links();
        }
        self.announce_tenant(Some(&l3vni));
    }

    /// Gives the tables the policies now in effect, and the drain.
    pub(super) fn reconfigure_links(&mut self) {
        for (peer, port) in self.handover.links.clone() {
            let families = self.link_families(&port);
            self.hand_in(rib::Input::Configure(peer, families));
        }
    }

    /// The VRF device that the configuration has us make.
    fn made_vrf(&self) -> Option<fib::Vrf> {
        let (device, table) = (self.config.vrf.as_deref()?, self.config.vrf_table?);
        Some(fib::Vrf::new(device, table).closed(self.config.vrf_unreachable))
    }

    fn want_made_vrf(&self) {
        if let (Some(kernel), Some(vrf)) = (&self.hands.kernel, self.made_vrf()) {
            kernel.want(fib::Entry::Vrf(kernel.share(), vrf));
        }
    }

    /// The instance is in the configuration no more.
    pub(super) fn leave_vrf(&mut self) {
        self.hand_over_changes();
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
        let Some(vrf) = self.config.tenant_name() else {
            return;
        };
        let tenant = l3vni.map(|l3vni| Tenant {
            l3vni: l3vni.clone(),
            table: self.config.kernel.table,
            instance: self.config.name.clone(),
        });
        self.hands.exchange.announce(&Arc::from(vrf), tenant);
    }

    fn open_links(&mut self) {
        for port in [Port::Routers, Port::Gateways] {
            self.open_link(port);
        }
    }

    /// One more peer without a session.
    pub(super) fn open_link(&mut self, port: Port) {
        let Some(peer) = self.free_id() else {
            tracing::error!(from = %port, "too many neighbours, these routes are left out");
            return;
        };
        let facts = self.link_facts(&port);
        self.handover.links.insert(peer, port);
        self.hand_in(rib::Input::PeerUp {
            peer,
            facts,
            restarting: false,
        });
    }

    pub(super) fn close_link(&mut self, port: &Port) {
        let Some(peer) = self.handover.link(port) else {
            return;
        };
        self.handover.links.remove(&peer);
        self.handover.complete.retain(|(of, _)| *of != peer);
        self.hand_in(rib::Input::PeerRemoved(peer));
    }

    fn link_facts(&self, port: &Port) -> PeerFacts {
        let asn = self.config.asn;
        let router_id = self.config.router_id;
        // An address that no next hop has: an unspecified one is a device.
        let nobody = IpAddr::V4(Ipv4Addr::BROADCAST);
        let own = matches!(port, Port::Instance(_, Origin::Own));
        PeerFacts {
            relation: Relation {
                instance: true,
                overlay: !own,
                ..Relation::default()
            },
            families: self.link_families(port),
            // What stands for a route of our own; EVPN puts the tunnel endpoint there.
            local_ipv4: Some(router_id),
            local_ipv6: Some(router_id.to_ipv6_mapped()),
            extended_message: true,
            link: match port {
                Port::Routers => {
                    let l3vni = self.config.l3vni.as_ref();
                    l3vni.and_then(|l3vni| InterfaceName::new(&l3vni.bridge))
                }
                Port::Gateways | Port::Vrf(_) | Port::Instance(..) => None,
            },
            ..PeerFacts::new((asn, nobody), (asn, nobody.into()), router_id)
        }
    }

    fn link_families(&self, port: &Port) -> PerFamily<Option<PeerFamily>> {
        let families = |of: &dyn Fn(Family) -> PeerFamily| PerFamily {
            ipv4_unicast: Some(of(Family::Ipv4Unicast)),
            ipv6_unicast: Some(of(Family::Ipv6Unicast)),
            evpn: None,
        };
        match port {
            Port::Instance(from, _) => families(&|_| self.imported_family(from)),
            Port::Routers | Port::Gateways | Port::Vrf(_) => {
                families(&|family| self.overlay_family(port, family))
            }
        }
    }

    fn overlay_family(&self, port: &Port, family: Family) -> PeerFamily {
        let Some(l3vni) = &self.config.l3vni else {
            let nothing = Policy::RejectAll(Arc::from("no [instance.l3vni]"));
            return PeerFamily::new(nothing.clone(), nothing);
        };
        let told = *port == Port::Routers;
        let export = match told && *l3vni.advertise.get(family) {
            true => policy(&l3vni.export),
            false => Policy::RejectAll(Arc::from("not in `advertise` of [instance.l3vni]")),
        };
        let default = told && *l3vni.default_originate.get(family);
        PeerFamily {
            default_originate: default.then_some(DefaultOriginate::Always),
            ..self.link_family(policy(&l3vni.import), export)
        }
    }

    fn imported_family(&self, from: &str) -> PeerFamily {
        let import = self.import_of(from);
        let vrf = import.and_then(|import| InterfaceName::new(import.vrf.as_deref()?));
        let map = import.and_then(|import| import.route_map.clone());
        let map = map.map(|map| match map.bound(Party::Vrf(vrf)) {
            bound if bound == *map => map,
            bound => Arc::new(bound),
        });
        let nothing = Policy::RejectAll(Arc::from("instances take what their [[import]] says"));
        let mut settings = self.link_family(policy(&map), nothing);
        // The path has not left this router: its own AS number is no loop.
        settings.handling.own_as = OwnAs::Times(u8::MAX);
        settings
    }

    fn link_family(&self, import: Policy, export: Policy) -> PeerFamily {
        PeerFamily {
            enforce_first_as: false,
            add_path_receive: true,
            extended_next_hop: true,
            drain: self.drain.router.is_some().then(rib::Drain::default),
            ..PeerFamily::new(import, export)
        }
    }

    /// A next hop in what the tables tell EVPN: unspecified where we are it ourselves, which is no
    /// gateway that others could send packets to (RFC 9136 §4.1).
    fn beyond(&self, next_hop: NextHop) -> NextHop {
        let own = self.config.router_id;
        let addr = next_hop.addr();
        let ourselves = addr == own || addr == own.to_ipv6_mapped();
        match (ourselves, addr) {
            (false, _) => next_hop,
            (true, IpAddr::V4(_)) => IpAddr::V4(Ipv4Addr::UNSPECIFIED).into(),
            (true, IpAddr::V6(_)) => IpAddr::V6(Ipv6Addr::UNSPECIFIED).into(),
        }
    }

    /// What the tables tell a peer without a session.
    pub(super) fn hand_over(&mut self, peer: PeerId, batch: &Batch) {
        let context = wire::Context {
            extended_message: true,
            ..wire::Context::default()
        };
        let Some(vrf) = self.config.tenant_name() else {
            return;
        };
        if self.handover.port(peer) != Some(&Port::Routers) {
            return;
        }
        let port = Port::Vrf(Arc::from(vrf));
        let mut routes = Routes::new();
        for piece in batch.pieces(peer) {
            let mut buffer = BytesMut::from(&*piece);
            while let Ok(Some(frame)) = wire::frame(&mut buffer, context.message_len_max()) {
                let Ok(Message::Update(update)) = wire::decode(&frame, &context) else {
                    continue;
                };
                if let Some(family) = update.end_of_rib
                    && self.handover.link(&Port::Routers) == Some(peer)
                {
                    let told = &mut self.handover.told;
                    *told.get_mut(family) = true;
                    self.handover.all_told = told.ipv4_unicast && told.ipv6_unicast;
                }
                for prefix in update.withdrawn.iter().flat_map(prefixes) {
                    routes.insert((port.clone(), prefix, 0), None);
                }
                for (list, attributes) in &update.announced {
                    let mut set = attributes.thaw();
                    set.next_hop = self.beyond(set.next_hop);
                    let set = Arc::new(set);
                    for prefix in prefixes(list) {
                        routes.insert((port.clone(), prefix, 0), Some(Arc::clone(&set)));
                    }
                }
            }
        }
        let outgoing = self.handover.outgoing.entry(None).or_default();
        outgoing.extend(routes);
    }
}

/// Without a map everything passes.
fn policy(map: &Option<Arc<RouteMap>>) -> Policy {
    match map {
        Some(map) => Policy::Map(Arc::clone(map)),
        None => Policy::AcceptAll,
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
        let (mut complete, mut told, mut offered) = (false, Vec::new(), Vec::new());
        for note in mail.notes {
            match note {
                Note::Tenant(name, tenant) => self.set_tenant(&name, tenant.map(|it| *it)),
                Note::Complete => complete = true,
                Note::Told(vrf) => told.push(vrf),
                Note::Importer(name, on) => self.set_importer(name, on),
                Note::Offered(from, family) => offered.push((from, family)),
                Note::Void(from) => self.offers_void(&from),
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
                port @ (Port::Routers | Port::Gateways | Port::Instance(..)) => {
                    // One that is no longer there has nothing to say.
                    if let Some(peer) = self.handover.link(&port) {
                        let arriving = arriving.entry(peer).or_default();
                        arriving.add(prefix, path_id, attributes);
                    }
                }
            }
        }
        for (peer, arriving) in arriving {
            self.take_in(peer, arriving);
        }
        for (from, offers) in &mail.offers {
            self.take_offers(from, offers);
        }
        if complete && let Some(peer) = self.handover.link(&Port::Routers) {
            for family in [Family::Ipv4Unicast, Family::Ipv6Unicast] {
                self.end_of_rib(peer, family);
            }
        }
        for vrf in told {
            self.has_told(&vrf);
        }
        for (from, family) in offered {
            self.offered(&from, family);
        }
    }

    /// Routes of a peer without a session.
    pub(super) fn take_in(&mut self, peer: PeerId, arriving: Arriving) {
        let updates = arriving.updates(self.seed);
        self.pace.routes(updates.iter().map(Update::len).sum());
        let announced = updates.iter().flat_map(|update| &update.announced);
        self.check_next_hops(announced.map(|(_, set)| (peer, set)));
        self.hand_in(rib::Input::Updates(peer, updates));
    }

    /// A peer without a session has sent what a start waits for (RFC 4724 §4.1), as from any peer.
    pub(super) fn end_of_rib(&mut self, peer: PeerId, family: Family) {
        self.handover.complete.insert((peer, family));
        let end = Update {
            end_of_rib: Some(family),
            ..Update::default()
        };
        self.hand_in(rib::Input::Updates(peer, vec![end]));
    }

    /// Sends what has come together for others.
    pub(super) fn flush_handover(&mut self) {
        for (to, routes) in std::mem::take(&mut self.handover.outgoing) {
            self.hands.exchange.send(&to, routes);
        }
        // Behind the routes.
        if std::mem::take(&mut self.handover.all_told)
            && let Some(vrf) = self.config.tenant_name()
        {
            self.hands.exchange.told(vrf);
        }
        self.flush_offers();
    }
}

/// Routes for one peer, by their attributes.
#[derive(Debug, Default)]
pub(super) struct Arriving {
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
    pub(super) fn add(
        &mut self,
        prefix: Prefix,
        path_id: PathId,
        attributes: Option<Arc<AttributeSet>>,
    ) {
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
            let attributes = set.freeze_with(seed);
            let announced = lists.lists().map(|list| (list, attributes.clone()));
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
        import: Option<(evpn::Via, Attributes)>,
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
    fn as_unicast(&mut self, via: evpn::Via, attributes: Attributes) -> Arc<AttributeSet> {
        if let Some((last, through, set)) = &self.handover.last
            && last.is(&attributes)
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

    /// Neighbours have kept our routes of EVPN: they are told nothing before these are whole, or the
    /// time is over.
    pub(super) fn await_tenants(&mut self, until: Instant) {
        let names = self.hands.exchange.at_start().clone();
        if !names.is_empty() {
            self.handover.untold = Some((names, until));
            self.rib.hold_peers(Family::Evpn, true);
        }
    }

    /// A VRF has handed over what it has, or will not.
    fn has_told(&mut self, vrf: &str) {
        if let Some((names, _)) = &mut self.handover.untold
            && names.remove(vrf)
            && names.is_empty()
        {
            self.stop_awaiting_tenants();
        }
    }

    /// VRFs that have not come in time are waited for no longer.
    pub(super) fn handover_timeout(&mut self, now: Instant) {
        if let Some((names, until)) = &self.handover.untold
            && *until <= now
        {
            let vrfs: Vec<&str> = names.iter().map(|name| &**name).collect();
            tracing::warn!(
                vrfs = vrfs.join(", "),
                "EVPN is told without prefixes of VRFs that are not complete"
            );
            self.stop_awaiting_tenants();
        }
    }

    fn stop_awaiting_tenants(&mut self) {
        self.handover.untold = None;
        // Type 5 routes of what came last stand before the End-of-RIB.
        self.drain_evpn();
        self.rib.hold_peers(Family::Evpn, false);
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
        if tenant.is_none() {
            self.has_told(name);
        }
        if let Some(tenant) = tenant {
            self.handover.tenants.insert(Arc::clone(name), tenant);
            self.want_tenant(name);
            if self.converged.evpn {
                self.complete_tenants();
            }
        }
        let vnis = self.config.vnis.clone();
        // Of the main table there is no device that an overlay could wait for.
        let inside = vnis.iter().filter(|vni| vni.vrf.as_deref() == Some(name));
        self.want_overlays(&inside.collect::<Vec<_>>());
        self.leftovers.announced(name);
        self.sweep_rest();
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

    /// A VRF's tunnel is to have the MTU that fits into the underlay.
    pub(super) fn tenants_need_mtu(&self) -> bool {
        let mut tenants = self.handover.tenants.values();
        tenants.any(|tenant| tenant.l3vni.mtu.is_none())
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
