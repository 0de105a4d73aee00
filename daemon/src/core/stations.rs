//! Stations of this site: what the kernel, the stations themselves and hypervisors say of them,
//! put together and handed to EVPN.
//!
//! The bridge's FDB says which MAC addresses are here, the kernel's neighbour table and what is heard
//! on the bridges' ports ([`crate::snoop`]) which IP addresses they have ([`crate::stations`]). A
//! word of a station counts as an act of learning where others are known to claim the address, so
//! that ours is the newer claim. What only an announcement or an operator says of a MAC address is a
//! claim with an end, unless the bridge learns the address.
//!
//! An address that was heard gets a neighbour entry on the bridge where ARP and neighbour discovery
//! are suppressed, so that the kernel sends nothing through the tunnel that asks for it. Where the
//! kernel has an entry of its own, that one does.
//!
//! A daemon that starts again finds those entries. Where the station is at this site it has its
//! address still, until it does not answer: neighbours that kept our routes over the restart would
//! lose it otherwise until the station speaks.
//!
//! Not here: who has an address in the end ([`evpn`]).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use bgp::{MacAddress, Vni};
use evpn::{Address, Input};
use fib::{Change, Entry, Key, Link, LinkKind, Mac, NeighbourKey};

use super::Core;
use crate::config::VniConfig;
use crate::control::{ErrorReply, reply};
use crate::repeats::Repeats;
use crate::snoop::frame::{self, Claim, is_host, is_station};
use crate::snoop::{Sighting, Snoop};
use crate::stations::{Due, Full, PORT_MAX, Stations, VNI_MAX};

/// How long an announcement counts without the bridge having the address. What follows it, the
/// bridge learns.
const ANNOUNCED: Duration = Duration::from_secs(10);

/// How long a hypervisor's word counts before the machine has sent anything.
const ARRIVED: Duration = Duration::from_secs(60);

/// An announcement older than this may be one from before the station went elsewhere.
const FRESH: Duration = Duration::from_secs(1);

/// When a station that looks for a duplicate of its address (RFC 4862 §5.4) will have it: one
/// second later, unless somebody objects.
const TRIED: Duration = Duration::from_millis(1500);

/// Addresses that are asked for at once when a station comes from another site. What else it has it
/// says itself.
const ASKED_AT_ONCE: usize = 64;

/// How often it is said that a port or an overlay has too many addresses.
const FULL_PAUSE: Duration = Duration::from_secs(10 * 60);

/// What is known of the stations here.
#[derive(Debug)]
pub(super) struct Local {
    stations: Stations,
    /// Neighbour entries that stand for addresses heard here.
    written: BTreeMap<(Vni, IpAddr), MacAddress>,
    /// Entries of the last run whose MAC address has not been learned here, yet or at all.
    leftovers: BTreeSet<(Vni, MacAddress, IpAddr)>,
    /// Addresses whose entry is to be looked at again.
    unsettled: BTreeSet<(Vni, IpAddr)>,
    /// Ports of overlays' bridges, with the overlay.
    ports: BTreeMap<u32, Vni>,
    /// Their names, as the thread was told.
    listening: BTreeMap<u32, String>,
    /// Devices changed.
    stale: bool,
    snoop: Option<Snoop>,
    /// The thread could not be started.
    deaf: bool,
    full: Repeats,
}

impl Local {
    pub(super) fn new() -> Self {
        Self {
            stations: Stations::default(),
            written: BTreeMap::new(),
            leftovers: BTreeSet::new(),
            unsettled: BTreeSet::new(),
            ports: BTreeMap::new(),
            listening: BTreeMap::new(),
            stale: false,
            snoop: None,
            deaf: false,
            full: Repeats::new(FULL_PAUSE),
        }
    }

    /// What of a device matters here may have changed.
    pub(super) fn device(&mut self, before: Option<&Link>, after: Option<&Link>) {
        let of = |link: &Link| (link.master, link.name.clone());
        self.stale |= before.map(of) != after.map(of);
    }

    /// Overlays changed.
    pub(super) fn overlays(&mut self) {
        self.stale = true;
    }

    /// What the last run left of a MAC address.
    fn take_leftovers(&mut self, vni: Vni, mac: MacAddress) -> Vec<IpAddr> {
        if self.leftovers.is_empty() {
            return Vec::new();
        }
        let lowest = IpAddr::from([0, 0, 0, 0]);
        let all = self.leftovers.range((vni, mac, lowest)..);
        let own = all.take_while(|(other, of, _)| (*other, *of) == (vni, mac));
        let ips: Vec<IpAddr> = own.map(|(_, _, ip)| *ip).collect();
        for ip in &ips {
            self.leftovers.remove(&(vni, mac, *ip));
        }
        ips
    }

    /// What the last run left and nobody here has is swept now.
    pub(super) fn forget_leftovers(&mut self) {
        self.leftovers.clear();
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.stations.deadline()
    }
}

impl Core {
    /// Works off what has become different; false when there was nothing.
    pub(super) fn settle_stations(&mut self) -> bool {
        if std::mem::take(&mut self.local.stale) {
            self.listen();
        } else if let Some((vni, ip)) = self.local.unsettled.pop_first() {
            self.settle_entry(vni, ip);
        } else {
            return false;
        }
        true
    }

    /// Listens on the ports that overlays have now.
    fn listen(&mut self) {
        if self.hands.kernel.is_none() {
            return;
        }
        let links = &self.install.ground.links;
        let bridge = |devices: &super::OverlayDevices| Some(links.named(&devices.bridge)?.index);
        let bridges: HashMap<u32, Vni> = self
            .devices
            .iter()
            .filter_map(|(vni, devices)| Some((bridge(devices)?, *vni)))
            .collect();
        let (mut ports, mut names) = (BTreeMap::new(), BTreeMap::new());
        for link in links.iter() {
            let vni = link.master.and_then(|bridge| bridges.get(&bridge));
            if let Some(vni) = vni.filter(|_| !matches!(link.kind, LinkKind::Vxlan(_))) {
                ports.insert(link.index, *vni);
                names.insert(link.index, link.name.as_str().to_owned());
            }
        }
        self.local.ports = ports;
        if names == self.local.listening || self.local.deaf {
            return;
        }
        if self.local.snoop.is_none() {
            match self.hands.spawner.snoop() {
                Ok(snoop) => self.local.snoop = Some(snoop),
                Err(error) => {
                    tracing::error!(
                        %error,
                        "cannot listen on bridge ports: IP addresses are learned from the kernel alone"
                    );
                    self.local.deaf = true;
                }
            }
        }
        if let Some(snoop) = &self.local.snoop {
            self.local.listening.clone_from(&names);
            snoop.listen(names);
        }
    }

    /// Stations have said something.
    pub(super) fn sighted(&mut self, sightings: Vec<Sighting>) {
        let now = Instant::now();
        for Sighting { port, word, at } in sightings {
            // A port that has left, or a bridge that is no overlay's any more.
            let Some(vni) = self.local.ports.get(&port).copied() else {
                continue;
            };
            if self.is_bridge_mac(vni, word.mac) {
                self.squats(now, vni, Address::Mac(word.mac), word.mac, port);
                continue;
            }
            let learned = self.learned.contains_key(&(vni, word.mac));
            if !learned && self.evpn.is_static_elsewhere(vni, word.mac) {
                let mac = word.mac;
                self.tell_evpn(Input::Heard { vni, mac });
            }
            if word.announced && now.saturating_duration_since(at) < FRESH {
                self.announced(now, vni, word.mac);
            }
            match word.claim {
                Claim::None => {}
                Claim::Has(ip) => self.has(now, (vni, ip), word.mac, Some(port)),
                Claim::Tries(ip) => {
                    let key = (vni, ip.into());
                    let stations = &mut self.local.stations;
                    stations.suspect(now, key, word.mac, Some(port), TRIED);
                }
            }
        }
    }

    /// A station has announced itself although it is thought to be elsewhere. The bridge that has
    /// its address already says nothing, and may be about to be told otherwise by us: so the station
    /// is taken at its word for a while. An address that the bridge does not have, it learns from
    /// the same frame, and says so.
    fn announced(&mut self, now: Instant, vni: Vni, mac: MacAddress) {
        let learned = self.learned.get(&(vni, mac)).copied();
        let Some(learned) = learned.filter(|_| !self.evpn.is_here(vni, mac)) else {
            return;
        };
        if self.local.stations.claim(vni, mac, now + ANNOUNCED) {
            self.mac_here(vni, mac, learned.sticky);
        }
    }

    /// A station here has an address.
    fn has(&mut self, now: Instant, key: (Vni, IpAddr), mac: MacAddress, port: Option<u32>) {
        let (vni, ip) = key;
        if self.is_gateway(vni, ip) {
            if let Some(port) = port {
                self.squats(now, vni, Address::Ip(ip), mac, port);
            }
            return;
        }
        let news = match self.local.stations.heard(now, key, mac, port) {
            Ok(news) => news,
            Err(full) => return self.too_many(now, vni, port, full),
        };
        self.local.unsettled.insert(key);
        if news || self.evpn.bound_here(vni, ip) != Some(mac) {
            self.tell_neighbour(key, mac, true);
        }
    }

    /// The last run left a neighbour entry, of a station here or elsewhere.
    pub(super) fn left_over(&mut self, key: &NeighbourKey, mac: MacAddress) {
        let Some(vni) = self.installed.overlay_of(&key.device) else {
            return;
        };
        let ip = key.ip;
        match self.learned.get(&(vni, mac)).copied() {
            Some(learned) => self.inherit(vni, mac, ip, learned.port),
            None => {
                self.local.leftovers.insert((vni, mac, ip));
            }
        }
    }

    /// A station here had an address in the last run.
    fn inherit(&mut self, vni: Vni, mac: MacAddress, ip: IpAddr, port: u32) {
        let (now, key) = (Instant::now(), (vni, ip));
        if self.is_gateway(vni, ip) {
            return;
        }
        match self.local.stations.inherit(now, key, mac, port) {
            Ok(true) => self.tell_neighbour(key, mac, true),
            Ok(false) => {}
            Err(full) => self.too_many(now, vni, Some(port), full),
        }
    }

    fn too_many(&mut self, now: Instant, vni: Vni, port: Option<u32>, full: Full) {
        let link = port.and_then(|port| self.install.ground.links.get(port));
        let name = link.map_or("", |link| link.name.as_str());
        let (place, most) = match full {
            Full::Port => (format!("port `{name}` of vni {vni}"), PORT_MAX),
            Full::Vni => (format!("vni {vni}"), VNI_MAX),
        };
        if self.local.full.say(now, &place).is_some() {
            tracing::warn!(
                %place, most,
                hint = "look at what is plugged in there: `ip neigh` and `rbgpctl show evpn mac`",
                "too many IP addresses are announced; no more are learned until some are gone"
            );
        }
    }

    fn tell_neighbour(&mut self, (vni, ip): (Vni, IpAddr), mac: MacAddress, present: bool) {
        self.local.unsettled.insert((vni, ip));
        self.tell_evpn(Input::LocalNeighbour {
            vni,
            ip,
            mac,
            present,
        });
    }

    /// The kernel has resolved a neighbour, or forgot it.
    pub(super) fn kernel_neighbour(
        &mut self,
        vni: Vni,
        ip: IpAddr,
        mac: MacAddress,
        present: bool,
    ) {
        self.local.unsettled.insert((vni, ip));
        if self.local.stations.kernel((vni, ip), mac, present) {
            self.tell_neighbour((vni, ip), mac, present);
        }
    }

    /// A bridge has learned a MAC address on a port, or has it no longer.
    pub(super) fn bridge_mac(
        &mut self,
        vni: Vni,
        mac: MacAddress,
        port: Option<u32>,
        sticky: bool,
    ) {
        let now = Instant::now();
        self.note_learned(vni, mac, port, sticky);
        let Some(port) = port else {
            if !self.local.stations.is_claimed(vni, mac) {
                self.mac_gone(now, vni, mac);
            }
            return;
        };
        // It may bring the addresses along that it had at another site.
        let elsewhere = self.evpn.bound_elsewhere(vni, mac);
        let moved = !elsewhere.is_empty() && !self.evpn.is_here(vni, mac);
        self.mac_here(vni, mac, sticky);
        let stations = &mut self.local.stations;
        stations.mac_here(now, vni, mac);
        for ip in self.local.take_leftovers(vni, mac) {
            self.inherit(vni, mac, ip, port);
        }
        let stations = &mut self.local.stations;
        for ip in elsewhere.into_iter().take(ASKED_AT_ONCE).filter(|_| moved) {
            stations.suspect(now, (vni, ip), mac, Some(port), Duration::ZERO);
        }
    }

    /// A MAC address is here. What the station said of its IP addresses may have come first: they
    /// are its from now on.
    fn mac_here(&mut self, vni: Vni, mac: MacAddress, sticky: bool) {
        let present = true;
        self.tell_evpn(Input::LocalMac {
            vni,
            mac,
            present,
            sticky,
        });
        self.unsettle_mac(vni, mac);
    }

    fn mac_gone(&mut self, now: Instant, vni: Vni, mac: MacAddress) {
        self.tell_evpn(Input::LocalMac {
            vni,
            mac,
            present: false,
            sticky: false,
        });
        for ip in self.local.stations.mac_gone(now, vni, mac) {
            self.tell_neighbour((vni, ip), mac, false);
        }
    }

    /// What is due by the clock.
    pub(super) fn stations_timeout(&mut self, now: Instant) {
        let mut questions = Vec::new();
        loop {
            let evpn = &self.evpn;
            let ours = |vni, ip, mac| evpn.bound_here(vni, ip) == Some(mac);
            let Some(due) = self.local.stations.due(now, ours) else {
                break;
            };
            match due {
                Due::Ask(vni, ip, mac) => questions.extend(self.question(vni, ip, mac)),
                Due::Gone(vni, ip, mac) => self.tell_neighbour((vni, ip), mac, false),
                Due::ClaimOver(vni, mac) => {
                    if !self.learned.contains_key(&(vni, mac)) {
                        self.mac_gone(now, vni, mac);
                    }
                }
            }
        }
        if let Some(snoop) = self.local.snoop.as_ref().filter(|_| !questions.is_empty()) {
            snoop.ask(questions);
        }
    }

    /// A frame that asks a station for an address, and its port.
    fn question(&self, vni: Vni, ip: IpAddr, mac: MacAddress) -> Option<(u32, Vec<u8>)> {
        let port = self.learned.get(&(vni, mac))?.port;
        let bridge = self.devices.get(&vni)?.bridge.clone();
        let from = self.install.ground.links.named(&bridge)?.address?;
        let gateways = self.overlay(vni).into_iter().flat_map(|it| &it.gateway);
        let own =
            gateways
                .filter(|gateway| gateway.contains(ip))
                .find_map(|gateway| match gateway.ip() {
                    IpAddr::V4(own) => Some(own),
                    IpAddr::V6(_) => None,
                });
        let frame = frame::question(mac, ip, MacAddress(from.0), own.filter(in_use));
        Some((port, frame))
    }

    pub(super) fn overlay(&self, vni: Vni) -> Option<&VniConfig> {
        self.config.vnis.get(*self.vni_places.get(&vni)?)
    }

    pub(super) fn is_gateway(&self, vni: Vni, ip: IpAddr) -> bool {
        let config = self.overlay(vni);
        let gateway = config.is_some_and(|it| it.gateway.iter().any(|it| it.ip() == ip));
        gateway || self.svi.has(vni, ip)
    }

    /// Whose address beneath the overlay this is. In a VRF a machine may have the same.
    fn underlays(&self, vni: Vni, ip: IpAddr) -> Option<&'static str> {
        let vrf = self.overlay(vni).is_some_and(|it| it.vrf.is_some());
        if vrf {
            return None;
        }
        let own = self.config.evpn.map(|evpn| evpn.vtep);
        let of_neighbor = |it: &crate::config::Neighbor| it.address.ip() == ip;
        if own == Some(ip) {
            Some("our tunnel endpoint")
        } else if self.evpn.vteps().iter().any(|it| it.vtep == ip) {
            Some("the tunnel endpoint of another site")
        } else if self.config.neighbors.iter().any(of_neighbor) {
            Some("a BGP neighbor")
        } else {
            None
        }
    }

    pub(super) fn is_bridge_mac(&self, vni: Vni, mac: MacAddress) -> bool {
        let devices = self.devices.get(&vni);
        let link = devices.and_then(|it| self.install.ground.links.named(&it.bridge));
        link.and_then(|link| link.address) == Some(Mac(mac.0))
    }

    /// EVPN has said something of a MAC address: entries of its IP addresses may be others' now.
    pub(super) fn unsettle_mac(&mut self, vni: Vni, mac: MacAddress) {
        let ips = self.local.stations.of_mac(vni, mac);
        let keys = ips.into_iter().map(|ip| (vni, ip));
        self.local.unsettled.extend(keys);
    }

    /// The same of an IP address, whose entry is EVPN's from now on or nobody's: ours is gone.
    pub(super) fn unsettle_ip(&mut self, vni: Vni, ip: IpAddr) {
        self.local.written.remove(&(vni, ip));
        if self.local.stations.unwritten((vni, ip)).is_some() {
            self.local.unsettled.insert((vni, ip));
        }
    }

    /// The neighbour entry of an address that is here.
    fn settle_entry(&mut self, vni: Vni, ip: IpAddr) {
        let suppress = self.overlay(vni).is_some_and(|config| config.suppress);
        let heard = self.local.stations.unwritten((vni, ip));
        let wanted = heard.filter(|mac| suppress && self.evpn.bound_here(vni, ip) == Some(*mac));
        if wanted == self.local.written.get(&(vni, ip)).copied() {
            return;
        }
        let Some(device) = self.devices.get(&vni).map(|it| it.bridge.clone()) else {
            return;
        };
        let key = NeighbourKey { device, ip };
        match wanted {
            Some(mac) => {
                self.local.written.insert((vni, ip), mac);
                let router = false;
                let mac = Mac(mac.0);
                let entry = Entry::Neighbour(key, fib::Neighbour { mac, router });
                self.change(Change::Set(entry));
            }
            None => {
                self.local.written.remove(&(vni, ip));
                if !self.evpn.has_neighbour(vni, ip) {
                    self.change(Change::Unset(Key::Neighbour(key)));
                }
            }
        }
    }

    /// An overlay's settings changed.
    pub(super) fn unsettle_overlay(&mut self, vni: Vni) {
        self.local.overlays();
        self.svi.addresses();
        let keys = self.local.stations.in_vni(vni).map(|ip| (vni, ip));
        self.local.unsettled.extend(keys);
    }

    /// An overlay goes; its devices are still there.
    pub(super) fn forget_stations(&mut self, vni: Vni) {
        self.local.overlays();
        for (ip, mac) in self.local.stations.forget(vni) {
            self.tell_neighbour((vni, ip), mac, false);
        }
        let lowest = IpAddr::from([0, 0, 0, 0]);
        let written = self.local.written.range((vni, lowest)..);
        let written = written.take_while(|((other, _), _)| *other == vni);
        let written: Vec<_> = written.map(|(key, _)| *key).collect();
        for (vni, ip) in written {
            self.settle_entry(vni, ip);
        }
    }

    /// A hypervisor says that a machine is here from now on.
    pub(super) fn arrived(
        &mut self,
        vni: Vni,
        mac: MacAddress,
        ip: Option<IpAddr>,
    ) -> Result<reply::Arrived, ErrorReply> {
        self.known_vni(Some(vni))?;
        if self.hands.kernel.is_none() {
            let error = "no machine can arrive where `[kernel] enabled = false`";
            return Err(ErrorReply::failed(error));
        }
        if !is_station(mac) {
            let error = format!("`{mac}` is a group or no address, but must be one machine's");
            return Err(ErrorReply::failed(error).hint("take the address of the machine's port"));
        }
        let gateway = self
            .overlay(vni)
            .and_then(|config| self.gateway_mac(config));
        if gateway == Some(mac) {
            let error = format!("`{mac}` is the gateway of vni {vni}, which is at every site");
            return Err(ErrorReply::failed(error));
        }
        if self.is_bridge_mac(vni, mac) {
            let error = format!("`{mac}` is the bridge of vni {vni} itself, and no machine");
            return Err(ErrorReply::failed(error).hint("take the address of the machine's port"));
        }
        if let Some(ip) = ip.filter(|ip| !is_host(*ip) || self.is_gateway(vni, *ip)) {
            let error = format!("`{ip}` is no address that a machine in vni {vni} can have");
            return Err(ErrorReply::failed(error));
        }
        if let Some((ip, whose)) = ip.and_then(|ip| Some((ip, self.underlays(vni, ip)?))) {
            let error = format!("`{ip}` is {whose}, and no machine in vni {vni}");
            return Err(ErrorReply::failed(error).hint("take the address of the machine itself"));
        }
        let now = Instant::now();
        let learned = self.learned.get(&(vni, mac)).copied();
        if learned.is_none() && !self.local.stations.claim(vni, mac, now + ARRIVED) {
            let error = "too many machines have arrived that have not sent anything yet";
            return Err(ErrorReply::failed(error).hint("wait a minute"));
        }
        if learned.is_none() || !self.evpn.is_here(vni, mac) {
            if learned.is_some() {
                self.local.stations.claim(vni, mac, now + ARRIVED);
            }
            let sticky = learned.is_some_and(|it| it.sticky);
            self.mac_here(vni, mac, sticky);
        }
        if !self.evpn.is_here(vni, mac) {
            self.local.stations.unclaim(vni, mac);
            let known = self.evpn.macs(Some(vni)).into_iter();
            let reason = known.filter(|it| it.mac == mac).map(|it| it.reason).next();
            let reason = reason.map_or("the overlay does nothing".to_owned(), |it| it.to_string());
            if learned.is_none() {
                self.mac_gone(now, vni, mac);
            }
            let error = format!("`{mac}` stays where it is: {reason}");
            return Err(ErrorReply::failed(error).hint(format!("rbgpctl explain {mac}")));
        }
        if let Some(ip) = ip {
            self.has(now, (vni, ip), mac, None);
        }
        let sequence = self
            .evpn
            .macs(Some(vni))
            .into_iter()
            .find(|it| it.mac == mac);
        Ok(reply::Arrived {
            vni: vni.get(),
            mac: mac.to_string(),
            ip,
            learned: learned.is_some(),
            limit_s: learned.is_none().then_some(ARRIVED.as_secs()),
            sequence: sequence.map_or(0, |it| it.sequence),
        })
    }
}

/// An address of ours that a question may come from.
fn in_use(own: &Ipv4Addr) -> bool {
    is_host((*own).into())
}
