//! The accepted configuration: every value in range, every reference resolved, every default
//! filled in.
//!
//! Only plain values; what they do is documented with the keys in `docs/configuration.md`.
//! Lists are kept in the order of the file, since nothing depends on it and it is shown again.

mod bfd;
mod debug;
mod import;
mod interface;
mod kernel;
mod max_med;
mod neighbor;
mod overlay;
mod rpki;
mod service;
mod signing;
mod static_route;
mod tenant;
mod underlay;
mod unicast;

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bgp::attributes::{Attributes, Origin};
use bgp::family::Family;
use bgp::policy::{
    AsPathList, CommunityList, ExtendedCommunityList, LargeCommunityList, MacList, PrefixList,
    RouteMap, Set,
};
use bgp::rib::Rules;
use bgp::rpki::State;
use bgp::session::RemoteAs;
use bgp::{Asn, Prefix, ScopedAddr};

pub use bfd::*;
pub use debug::*;
pub use import::*;
pub use interface::*;
pub use kernel::*;
pub use max_med::*;
pub use neighbor::*;
pub use overlay::*;
pub use rpki::*;
pub use service::*;
pub use signing::*;
pub use static_route::*;
pub use tenant::*;
pub use underlay::*;
pub use unicast::*;

/// A whole configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Name of the instance that this is; `None` is the default one, which a file has always.
    pub name: Option<String>,
    /// The VRF device whose sockets and routes an instance's are.
    pub vrf: Option<String>,
    /// The routing table of a VRF device that is made if it is not there; `None` where it must be.
    pub vrf_table: Option<u32>,
    /// What no route of the VRF leads to is unreachable, where the device is made by us.
    pub vrf_unreachable: bool,
    /// Devices that count as up without carrier: those of [`HostInterface::link_detect`], whatever
    /// instance it is.
    pub without_link_detect: BTreeSet<String>,
    /// What ties the VRF to EVPN, if anything.
    pub l3vni: Option<L3Vni>,
    /// What is taken from the tables of other instances, none twice.
    pub imports: Vec<Import>,
    /// Other instances beside the default one, no name twice; they have none themselves.
    pub instances: Vec<Config>,
    /// Our AS number.
    pub asn: Asn,
    /// Our BGP identifier.
    pub router_id: Ipv4Addr,
    /// What neighbours are told we are called; `None`: as the host is.
    pub hostname: Option<String>,
    /// And the domain; `None`: nothing.
    pub domainname: Option<String>,
    /// Name of the cluster of our route reflector clients (RFC 4456 §7); `None`: our identifier.
    pub cluster_id: Option<Ipv4Addr>,
    /// LOCAL_PREF of routes that come without one, where it is not 100.
    pub default_local_preference: Option<u32>,
    /// What neighbours are told in the place of MEDs.
    pub max_med: MaxMed,
    /// Which names of neighbours displays have in the place of addresses.
    pub shown_names: ShownNames,
    /// The least hold time that a neighbour may offer.
    pub minimum_hold_time: Option<Duration>,
    /// `show ip route` of `vtysh` has attributes of BGP's routes.
    pub show_attributes: bool,
    /// All neighbors are told that they may soon lose us (RFC 8326).
    pub graceful_shutdown: bool,
    /// Neighbours hear of a learned unicast route once it is in the kernel.
    pub suppress_fib_pending: bool,
    /// Routes of a route reflector client go to other clients.
    pub client_to_client_reflection: bool,
    /// The confederation our AS is a member of, if it is (RFC 5065).
    pub confederation: Option<Confederation>,
    /// Where we accept BGP connections.
    pub listen: Vec<SocketAddr>,
    /// What an eBGP neighbour without a route-map gets and gives.
    pub ebgp_requires_policy: EbgpRequiresPolicy,
    /// The WireGuard interface beneath, if there is one.
    pub underlay: Option<Underlay>,
    /// How paths compare.
    pub bestpath: Rules,
    /// What link bandwidths are used for.
    pub bandwidth: BandwidthUse,
    /// IPv4 unicast.
    pub ipv4_unicast: Unicast,
    /// IPv6 unicast.
    pub ipv6_unicast: Unicast,
    /// EVPN; needed for VNIs.
    pub evpn: Option<Evpn>,
    /// The devices of all VNIs, if they share them.
    pub single_device: Option<SingleDevice>,
    /// Neighbours, no address twice.
    pub neighbors: Vec<Neighbor>,
    /// Networks whose hosts become neighbours when they connect; no two overlap.
    pub listen_ranges: Vec<ListenRange>,
    /// Neighbours known by their interface, no interface twice.
    pub interfaces: Vec<InterfaceNeighbor>,
    /// BFD sessions of their own, no path twice.
    pub bfd: Vec<BfdPeer>,
    /// Overlay networks, no number twice.
    pub vnis: Vec<VniConfig>,
    /// Devices of the host, no name twice; in the default instance only.
    pub host_interfaces: Vec<HostInterface>,
    /// Static routes, no key twice.
    pub static_routes: Vec<StaticRoute>,
    /// Caches of the RPKI, no address twice.
    pub rpki: Vec<RpkiCache>,
    /// Prefix lists, no name twice.
    pub prefix_lists: Vec<Arc<PrefixList>>,
    /// Community lists, no name twice.
    pub community_lists: Vec<Arc<CommunityList>>,
    /// Lists of large communities, no name twice.
    pub large_community_lists: Vec<Arc<LargeCommunityList>>,
    /// Lists of extended communities, no name twice.
    pub extended_community_lists: Vec<Arc<ExtendedCommunityList>>,
    /// AS path lists, no name twice.
    pub as_path_lists: Vec<Arc<AsPathList>>,
    /// Lists of MAC addresses, no name twice.
    pub mac_lists: Vec<Arc<MacList>>,
    /// Route-maps, no name twice. A neighbour's map is one of these.
    pub route_maps: Vec<Arc<RouteMap>>,
    /// The kernel.
    pub kernel: Kernel,
    /// Graceful restart as a whole.
    pub graceful_restart: GracefulRestart,
    /// Where metrics are served over HTTP, if they are.
    pub metrics: Option<SocketAddr>,
    /// Logging.
    pub log: Log,
    /// Draining.
    pub drain: Drain,
}

impl Config {
    /// Stands in for the AS number of a router that a file in FRR's language does not have.
    pub(crate) const NO_ASN: Asn = Asn(64512);

    /// A configuration of defaults.
    pub fn new(asn: Asn, router_id: Ipv4Addr) -> Self {
        Self {
            name: None,
            vrf: None,
            vrf_table: None,
            vrf_unreachable: true,
            without_link_detect: BTreeSet::new(),
            l3vni: None,
            imports: Vec::new(),
            instances: Vec::new(),
            asn,
            router_id,
            hostname: None,
            domainname: None,
            cluster_id: None,
            default_local_preference: None,
            max_med: MaxMed::default(),
            shown_names: ShownNames::default(),
            minimum_hold_time: None,
            show_attributes: false,
            graceful_shutdown: false,
            suppress_fib_pending: false,
            client_to_client_reflection: true,
            confederation: None,
            listen: default_listen(),
            ebgp_requires_policy: EbgpRequiresPolicy::Auto,
            underlay: None,
            bestpath: Rules::default(),
            bandwidth: BandwidthUse::default(),
            ipv4_unicast: Unicast::default(),
            ipv6_unicast: Unicast::default(),
            evpn: None,
            neighbors: Vec::new(),
            listen_ranges: Vec::new(),
            interfaces: Vec::new(),
            single_device: None,
            bfd: Vec::new(),
            vnis: Vec::new(),
            host_interfaces: Vec::new(),
            static_routes: Vec::new(),
            rpki: Vec::new(),
            prefix_lists: Vec::new(),
            community_lists: Vec::new(),
            large_community_lists: Vec::new(),
            extended_community_lists: Vec::new(),
            as_path_lists: Vec::new(),
            mac_lists: Vec::new(),
            route_maps: Vec::new(),
            kernel: Kernel::default(),
            graceful_restart: GracefulRestart::default(),
            metrics: None,
            log: Log::default(),
            drain: Drain::default(),
        }
    }

    /// Networks and multipath of a unicast family; `None` for EVPN.
    pub fn unicast(&self, family: Family) -> Option<&Unicast> {
        match family {
            Family::Ipv4Unicast => Some(&self.ipv4_unicast),
            Family::Ipv6Unicast => Some(&self.ipv6_unicast),
            Family::Evpn => None,
        }
    }

    /// This instance and those beside it.
    pub fn all(&self) -> impl Iterator<Item = &Config> {
        std::iter::once(self).chain(&self.instances)
    }

    /// Aggregates of all families.
    pub fn aggregates(&self) -> impl Iterator<Item = &Aggregate> {
        let (v4, v6) = (&self.ipv4_unicast, &self.ipv6_unicast);
        v4.aggregates.iter().chain(&v6.aggregates)
    }

    /// Whether any neighbour has a password, for which the kernel must know TCP's MD5 signature.
    pub fn has_passwords(&self) -> bool {
        let mut settings = self.all().flat_map(Config::settings);
        settings.any(|it| matches!(it.signing, Some(Signing::Md5(_))))
    }

    /// What the keys of neighbours sign with, for which the kernel must know TCP-AO.
    pub fn ao_algorithms(&self) -> impl Iterator<Item = AoAlgorithm> {
        let settings = self.all().flat_map(Config::settings);
        let signings = settings.filter_map(|it| it.signing.as_ref());
        let keys = signings.flat_map(|signing| match signing {
            Signing::Md5(_) => &[],
            Signing::Ao(keys) => keys.keys(),
        });
        keys.map(|key| key.algorithm)
    }

    /// The kernel's metrics that routes of this instance may have: of two instances that write to one
    /// table, no metric may be both.
    pub fn metrics(&self) -> BTreeSet<u32> {
        let mut metrics = BTreeSet::new();
        let mut add = |distance: u8| {
            if distance < Distance::NEVER {
                metrics.insert(u32::from(distance));
            }
        };
        add(self.kernel.distance.external);
        add(self.kernel.distance.internal);
        let backdoors = [&self.ipv4_unicast, &self.ipv6_unicast].map(|it| &it.backdoors);
        if backdoors.iter().any(|it| !it.is_empty()) {
            add(self.kernel.distance.backdoor);
        }
        for settings in self.settings() {
            let families = &settings.families;
            let families = [&families.ipv4_unicast, &families.ipv6_unicast];
            let own = families.into_iter().flatten();
            own.filter_map(|it| it.handling.distance).for_each(&mut add);
        }
        for map in self.installing_maps() {
            for set in map.entries().iter().flat_map(|entry| &entry.sets) {
                if let Set::Distance(distance) = set {
                    add(*distance);
                }
            }
        }
        metrics
    }

    /// A table and a metric by which the kernel could not tell the routes of two instances apart.
    pub fn clash(&self, other: &Config) -> Option<(u32, u32)> {
        if !self.kernel.enabled {
            return None;
        }
        let theirs = other.places();
        self.places().into_iter().find(|it| theirs.contains(it))
    }

    /// Tables of the kernel with the metrics that routes of this instance may have there.
    fn places(&self) -> BTreeSet<(u32, u32)> {
        let metrics = self.metrics();
        let learned = self.tables().into_iter();
        let learned = learned.flat_map(|table| metrics.iter().map(move |metric| (table, *metric)));
        learned.chain(self.static_places()).collect()
    }

    /// The same of static routes alone.
    pub(crate) fn static_places(&self) -> BTreeSet<(u32, u32)> {
        let keys = self.static_routes.iter().map(|route| route.key);
        let place = |key: StaticKey| (self.table_of(key), key.distance.into());
        keys.map(place).collect()
    }

    /// The kernel's table that a static route is in.
    pub(crate) fn table_of(&self, key: StaticKey) -> u32 {
        key.table.unwrap_or(self.kernel.table)
    }

    /// The kernel's tables that routes of this instance may be in.
    pub(crate) fn tables(&self) -> BTreeSet<u32> {
        let maps = self.installing_maps();
        let sets = maps
            .iter()
            .flat_map(|map| map.entries())
            .flat_map(|entry| &entry.sets);
        let mut tables: BTreeSet<u32> = BTreeSet::from([self.kernel.table]);
        for set in sets {
            if let Set::Table(table) = set {
                tables.insert(*table);
            }
        }
        tables
    }

    /// Whether one of the host's devices is to have this address.
    pub(crate) fn assigns(&self, address: IpAddr) -> bool {
        let addresses = self.host_interfaces.iter().flat_map(|it| &it.addresses);
        let mut own = addresses.map(|own| own.address.ip());
        self.kernel.enabled && own.any(|own| own == address)
    }

    /// The VRFs that are part of the overlay, by the names that it knows them by.
    pub(crate) fn tenants(&self) -> impl Iterator<Item = Arc<str>> {
        let all = std::iter::once(self).chain(&self.instances);
        let tied = all.filter(|it| it.l3vni.is_some());
        tied.filter_map(|it| it.tenant_name().map(Arc::from))
    }

    /// What the overlay calls the routing table of this instance: the VRF, or the main table of the
    /// default instance. No device has the name of that.
    pub(crate) fn tenant_name(&self) -> Option<&str> {
        let main = self.name.is_none().then_some(Self::MAIN_TABLE);
        self.vrf.as_deref().or(main)
    }

    /// What the overlay calls the main table.
    pub(crate) const MAIN_TABLE: &str = "default";

    /// Route-maps that say where and how routes stand in the kernel, and those that they call: for
    /// import, and of what we announce ourselves, of which the kernel has what drops packets.
    fn installing_maps(&self) -> Vec<&RouteMap> {
        let families = self.settings().flat_map(|it| it.families.iter());
        let imports = families.filter_map(|(_, family)| family.as_ref()?.import.as_ref());
        let own = [&self.ipv4_unicast, &self.ipv6_unicast];
        let own = own.into_iter().flat_map(Unicast::route_maps);
        let overlay = self.l3vni.iter().filter_map(|it| it.import.as_ref());
        let instances = self.imports.iter().filter_map(|it| it.route_map.as_ref());
        let maps = imports.chain(own).chain(overlay).chain(instances);
        let mut maps: Vec<&Arc<RouteMap>> = maps.collect();
        let (mut seen, mut all) = (BTreeSet::new(), Vec::new());
        while let Some(map) = maps.pop() {
            if seen.insert(map.name()) {
                maps.extend(map.entries().iter().filter_map(|entry| entry.call.as_ref()));
                all.push(map.as_ref());
            }
        }
        all
    }

    /// What neighbours are: those that are named, and those that may come from a range.
    pub fn settings(&self) -> impl Iterator<Item = &Neighbor> {
        let ranges = self.listen_ranges.iter().map(|range| &range.settings);
        let interfaces = self.interfaces.iter().map(|it| &it.settings);
        self.neighbors.iter().chain(ranges).chain(interfaces)
    }

    /// The range that an address is in.
    pub fn listen_range(&self, address: ScopedAddr) -> Option<&ListenRange> {
        let host = Prefix::host(address.ip());
        self.listen_ranges
            .iter()
            .find(|range| range.prefix.contains(host))
    }

    /// True if a socket of this router is in the way of one that `other` is to listen on.
    pub(crate) fn occupies(&self, address: SocketAddr, other: &Config) -> bool {
        let mut own = self.listen.iter();
        self.vrf == other.vrf && own.any(|it| meet(it, &address))
    }

    /// True for a neighbour in another member AS of our confederation.
    pub fn is_member(&self, neighbor: &Neighbor) -> bool {
        match neighbor.remote_as {
            RemoteAs::Exact(asn) => self.is_other_member(asn),
            RemoteAs::Internal | RemoteAs::External | RemoteAs::Auto => false,
        }
    }

    /// True for another member AS of our confederation.
    pub fn is_other_member(&self, asn: Asn) -> bool {
        let confederation = self.confederation.as_ref();
        asn != self.asn && confederation.is_some_and(|it| it.members.contains(&asn))
    }

    /// The AS number that others know us by.
    pub fn public_asn(&self) -> Asn {
        self.confederation.as_ref().map_or(self.asn, |it| it.id)
    }

    /// Our AS number on the session with a neighbour.
    pub fn asn_towards(&self, neighbor: &Neighbor) -> Asn {
        let within = is_internal(neighbor.remote_as, neighbor.local_as, self.asn)
            || self.is_member(neighbor);
        match neighbor.local_as {
            Some(local_as) => local_as.asn,
            None if within => self.asn,
            None => self.public_asn(),
        }
    }

    /// True for a path through our AS, or through our confederation.
    pub fn has_been_here(&self, attributes: &Attributes) -> bool {
        [self.asn, self.public_asn()]
            .into_iter()
            .any(|own| attributes.contains_asn(own) > 0)
    }

    /// The neighbour with this address.
    pub fn neighbor(&self, address: ScopedAddr) -> Option<&Neighbor> {
        self.neighbors.iter().find(|n| n.address == address)
    }
}

/// A confederation of AS that is one to others (RFC 5065).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confederation {
    /// The AS number that others know it by.
    pub id: Asn,
    /// The other member AS, in ascending order.
    pub members: Vec<Asn>,
}

/// The port of BGP (RFC 4271 §8.2.1).
pub const BGP_PORT: u16 = 179;

/// Linux has no room for both sockets.
pub(super) fn meet(one: &SocketAddr, two: &SocketAddr) -> bool {
    let (a, b) = (one.ip(), two.ip());
    // Port 0 is one that the system chooses.
    one.port() == two.port()
        && one.port() != 0
        && a.is_ipv4() == b.is_ipv4()
        && (a == b || a.is_unspecified() || b.is_unspecified())
}

/// Every address of the host, both IP versions.
pub(super) fn default_listen() -> Vec<SocketAddr> {
    vec![
        SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), BGP_PORT),
        SocketAddr::new(std::net::Ipv6Addr::UNSPECIFIED.into(), BGP_PORT),
    ]
}

/// What an eBGP neighbour without a route-map gets and gives (RFC 8212).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum EbgpRequiresPolicy {
    /// Everything between private AS numbers (RFC 6996), nothing otherwise.
    #[default]
    Auto,
    /// Nothing.
    Yes,
    /// Everything.
    No,
}

/// Graceful restart (RFC 4724) for all neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GracefulRestart {
    /// Offer it to neighbours that do not say otherwise.
    pub enabled: bool,
    /// Time we ask neighbours to wait for us, up to 4095 s.
    pub restart_time: Duration,
    /// How much longer neighbours may keep our routes as a last resort (RFC 9494).
    pub long_lived_time: Option<Duration>,
    /// Longest time stale routes of a restarting neighbour are kept.
    pub stale_time: Duration,
    /// Longest time we wait for End-of-RIB after a start before routes are chosen.
    pub deferral_time: Duration,
}

impl Default for GracefulRestart {
    fn default() -> Self {
        Self {
            enabled: true,
            restart_time: Duration::from_secs(120),
            long_lived_time: None,
            stale_time: Duration::from_secs(360),
            deferral_time: Duration::from_secs(30),
        }
    }
}

/// Where names that neighbours tell of themselves stand in FRR's texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ShownNames {
    /// In front of their addresses.
    pub neighbors: bool,
    /// In the place of next hops that they tell.
    pub next_hops: bool,
}

/// Words of the configuration that stand for one of several values.
pub(super) trait Keyword: Copy + PartialEq + 'static {
    /// Every value with its word.
    const WORDS: &'static [(Self, &'static str)];

    /// The value of a word.
    fn from_word(text: &str) -> Option<Self> {
        Self::WORDS
            .iter()
            .find(|(_, word)| *word == text)
            .map(|(value, _)| *value)
    }

    /// The word of a value.
    fn word(self) -> &'static str {
        Self::WORDS
            .iter()
            .find(|(value, _)| *value == self)
            .map_or("", |(_, word)| word)
    }
}

impl Keyword for Origin {
    const WORDS: &'static [(Self, &'static str)] = &[
        (Origin::Igp, "igp"),
        (Origin::Egp, "egp"),
        (Origin::Incomplete, "incomplete"),
    ];
}

impl Keyword for State {
    const WORDS: &'static [(Self, &'static str)] = &[
        (State::Valid, "valid"),
        (State::Invalid, "invalid"),
        (State::NotFound, "not_found"),
    ];
}

impl Keyword for Family {
    const WORDS: &'static [(Self, &'static str)] = &[
        (Family::Ipv4Unicast, "ipv4_unicast"),
        (Family::Ipv6Unicast, "ipv6_unicast"),
        (Family::Evpn, "evpn"),
    ];
}
