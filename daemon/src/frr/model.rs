//! What the statements of a file come to: one record for each thing that FRR's commands speak of.
//!
//! Repeated blocks meet here, `no` takes away what stood before, and whoever is referred to before
//! it is there is simply a record that is filled later. Values are kept as TOML writes them, each
//! with the place of its line, under the key that they will have; what FRR would do where nothing
//! stands is added when the whole is written ([`super::write`]).

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::Ipv4Addr;

use ipnetwork::IpNetwork;

use super::Spot;
use super::grammar::Caught;
use super::shapes::Node;
use crate::config::Debug;

/// A value in TOML with the line that it is from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Put {
    pub(super) text: String,
    pub(super) spot: Spot,
}

impl Put {
    /// Another value from the same line.
    pub(super) fn with(&self, text: impl Into<String>) -> Put {
        Put {
            text: text.into(),
            spot: self.spot,
        }
    }
}

/// Values by key; a dot in a key goes into a table.
pub(super) type Keys = BTreeMap<&'static str, Put>;

/// A statement: the words of its shape and where it stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Args<'a> {
    pub(super) caught: &'a Caught<'a>,
    pub(super) node: Node,
    pub(super) spot: Spot,
}

impl<'a> Args<'a> {
    /// The line begins with `no`.
    pub(super) fn no(&self) -> bool {
        self.caught.no
    }

    /// A value, or nothing where it is left out.
    pub(super) fn get(&self, name: &str) -> Option<&'a str> {
        self.caught.get(name)
    }

    /// A value that the shape has in any case, but for lines with `no`.
    pub(super) fn value(&self, name: &str) -> &'a str {
        self.caught.get(name).unwrap_or("")
    }

    /// The family of the block; directly under `router bgp` that is IPv4.
    pub(super) fn family(&self) -> Family {
        if self.node == Node::Ipv6 {
            return Family::Ipv6;
        }
        match self.node == Node::Evpn {
            true => Family::Evpn,
            false => Family::Ipv4,
        }
    }

    pub(super) fn all(&self, name: &str) -> Vec<&'a str> {
        self.caught.all(name).collect()
    }

    pub(super) fn has(&self, keyword: &str) -> bool {
        self.caught.has(keyword)
    }

    /// A number; a line with `no` may have none.
    pub(super) fn number(&self, name: &str) -> Option<u64> {
        self.get(name)?.parse().ok()
    }

    pub(super) fn put(&self, text: impl Into<String>) -> Put {
        Put {
            text: text.into(),
            spot: self.spot,
        }
    }

    /// Sets a key, or takes it away.
    pub(super) fn set(&self, keys: &mut Keys, key: &'static str, text: impl Into<String>) {
        match self.no() {
            true => drop(keys.remove(key)),
            false => drop(keys.insert(key, self.put(text))),
        }
    }

    /// Notes a setting that is on, or off, as the line says.
    pub(super) fn switch(&self, switch: &mut Option<Switch>) {
        *switch = Some(Switch {
            on: !self.no(),
            spot: self.spot,
        });
    }
}

/// On or off, said in a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Switch {
    pub(super) on: bool,
    pub(super) spot: Spot,
}

/// The address families that sessions carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Family {
    Ipv4,
    Ipv6,
    Evpn,
}

impl Family {
    pub(super) const ALL: [Family; 3] = [Family::Ipv4, Family::Ipv6, Family::Evpn];

    /// Its key in TOML.
    pub(super) fn key(self) -> &'static str {
        match self {
            Family::Ipv4 => "ipv4_unicast",
            Family::Ipv6 => "ipv6_unicast",
            Family::Evpn => "evpn",
        }
    }
}

/// One for each family.
#[derive(Debug, Clone, Default)]
pub(super) struct Families<T> {
    ipv4: T,
    ipv6: T,
    evpn: T,
}

impl<T> Families<T> {
    pub(super) fn of(&self, family: Family) -> &T {
        match family {
            Family::Ipv4 => &self.ipv4,
            Family::Ipv6 => &self.ipv6,
            Family::Evpn => &self.evpn,
        }
    }

    pub(super) fn of_mut(&mut self, family: Family) -> &mut T {
        match family {
            Family::Ipv4 => &mut self.ipv4,
            Family::Ipv6 => &mut self.ipv6,
            Family::Evpn => &mut self.evpn,
        }
    }
}

/// Everything that the files say.
#[derive(Debug, Clone, Default)]
pub(super) struct Site {
    /// `frr defaults datacenter`.
    pub(super) datacenter: bool,
    /// `frr version`, its first two numbers.
    pub(super) version: Option<(u32, u32)>,
    /// `router-id`, for all that have none of their own.
    pub(super) router_id: Option<Put>,
    /// What stands outside of `router bgp` for all of them.
    pub(super) of_all: Keys,
    /// `hostname`.
    pub(super) hostname: Option<Put>,
    /// `domainname`.
    pub(super) domainname: Option<Put>,
    /// `[log]` by its keys.
    pub(super) log: BTreeMap<&'static str, Put>,
    /// `debug`: what is asked for, with its line.
    pub(super) debug: BTreeMap<Debug, Spot>,
    /// By VRF; `None` is the default one.
    pub(super) routers: BTreeMap<Option<String>, Router>,
    pub(super) vrfs: BTreeMap<String, Vrf>,
    /// `table-map` and `ip protocol bgp route-map`, by VRF.
    pub(super) kernel_maps: BTreeMap<(Option<String>, Family), Put>,
    /// `bgp community alias`: the community of each name.
    pub(super) aliases: BTreeMap<String, Put>,
    /// `vni N` outside everything, with a block of its own.
    pub(super) top_vnis: BTreeMap<u32, Vni>,
    /// By kind of list and name.
    pub(super) lists: BTreeMap<(ListKind, String), List>,
    pub(super) maps: BTreeMap<String, BTreeMap<u32, Entry>>,
    pub(super) bfd_profiles: BTreeMap<String, Bfd>,
    pub(super) bfd_peers: BTreeMap<BfdKey, Bfd>,
    pub(super) rpki: Rpki,
    /// `ip route` and `ipv6 route`.
    pub(super) static_routes: BTreeMap<StaticKey, StaticRoute>,
    /// `interface`, by name.
    pub(super) interfaces: BTreeMap<String, Interface>,
    /// `ip forwarding`, and `ipv6 forwarding`.
    pub(super) forwarding: Families<Option<Switch>>,
    /// `no zebra nexthop kernel enable`: `false`.
    pub(super) nexthop_objects: Option<Put>,
    /// `ipv6 nd`, by interface.
    pub(super) advertisements: BTreeMap<String, Advertisement>,
    /// Where we are.
    pub(super) here: Here,
    /// About the files as such.
    pub(super) remarks: Vec<String>,
    /// About lines that do what they do in FRR, where somebody may have meant something else.
    pub(super) as_frr: Vec<(Spot, String)>,
}

/// The thing that a block is about.
#[derive(Debug, Clone, Default)]
pub(super) struct Here {
    pub(super) vrf: Option<String>,
    pub(super) vni: u32,
    pub(super) map: String,
    pub(super) seq: u32,
    pub(super) interface: String,
    pub(super) bfd: BfdKey,
    pub(super) profile: String,
}

/// `router bgp`.
#[derive(Debug, Clone, Default)]
pub(super) struct Router {
    pub(super) asn: Option<Put>,
    /// `view NAME`: tables without the kernel, and outside of VRFs.
    pub(super) view: bool,
    pub(super) keys: Keys,
    pub(super) ebgp_requires_policy: Option<Switch>,
    pub(super) import_check: Option<Switch>,
    pub(super) relax: Option<Switch>,
    pub(super) enforce_first_as: Option<Switch>,
    pub(super) shutdown: Option<Put>,
    /// `bgp default software-version-capability`.
    pub(super) software_version: Option<Put>,
    /// `bgp default`, where it is not FRR's.
    pub(super) default_active: Families<Option<Switch>>,
    pub(super) timers: Option<(u64, u64, Spot)>,
    pub(super) listen_limit: Option<Put>,
    pub(super) listen_ranges: BTreeMap<String, (String, Spot)>,
    pub(super) confederation_members: Vec<Put>,
    pub(super) peers: BTreeMap<String, Peer>,
    pub(super) families: Families<Unicast>,
    pub(super) evpn: Evpn,
}

/// `neighbor`: one, or a group.
#[derive(Debug, Clone, Default)]
pub(super) struct Peer {
    /// Its first line.
    pub(super) spot: Option<Spot>,
    /// `neighbor NAME peer-group`.
    pub(super) is_group: bool,
    /// `neighbor NAME interface`.
    pub(super) is_interface: bool,
    pub(super) group: Option<Put>,
    pub(super) keys: Keys,
    pub(super) timers: Option<(u64, u64, Spot)>,
    pub(super) bfd: Option<Bfd>,
    pub(super) families: Families<PeerFamily>,
}

/// A family of a neighbour.
#[derive(Debug, Clone, Default)]
pub(super) struct PeerFamily {
    pub(super) active: Option<Switch>,
    pub(super) keys: Keys,
    pub(super) import: Filters,
    pub(super) export: Filters,
}

/// What a route passes on its way in or out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Filters {
    pub(super) prefix_list: Option<Put>,
    pub(super) access_list: Option<Put>,
    pub(super) as_path_list: Option<Put>,
    pub(super) route_map: Option<Put>,
}

impl Filters {
    /// These, with those of the group where none stands.
    pub(super) fn or(&self, group: &Filters) -> Filters {
        let own = self.clone();
        Filters {
            prefix_list: own.prefix_list.or_else(|| group.prefix_list.clone()),
            access_list: own.access_list.or_else(|| group.access_list.clone()),
            as_path_list: own.as_path_list.or_else(|| group.as_path_list.clone()),
            route_map: own.route_map.or_else(|| group.route_map.clone()),
        }
    }
}

/// What a router has of its own in a family.
#[derive(Debug, Clone, Default)]
pub(super) struct Unicast {
    pub(super) networks: BTreeMap<String, (Option<Put>, Spot)>,
    /// `network P backdoor`.
    pub(super) backdoors: BTreeMap<String, Spot>,
    /// By source or table, as TOML writes it.
    pub(super) redistribute: BTreeMap<String, Keys>,
    pub(super) aggregates: BTreeMap<String, Keys>,
    /// `distance N PREFIX`, by the network that neighbors are in.
    pub(super) distances: BTreeMap<String, Put>,
    pub(super) paths: Option<Put>,
    pub(super) ibgp_paths: Option<Put>,
    /// `import vrf`, by VRF; `None` is the default one.
    pub(super) imports: BTreeMap<Option<String>, Spot>,
    /// `import vrf route-map`.
    pub(super) import_map: Option<Put>,
}

/// `address-family l2vpn evpn` of a router.
#[derive(Debug, Clone, Default)]
pub(super) struct Evpn {
    pub(super) all_vnis: Option<Spot>,
    pub(super) no_flooding: Option<Spot>,
    /// `advertise-svi-ip` of all VNIs.
    pub(super) svi: Option<Spot>,
    /// `advertise-default-gw` of all VNIs.
    pub(super) gateway: Option<Spot>,
    /// The AS number in automatic route targets that are told.
    pub(super) autort_as: Option<Put>,
    pub(super) duplicates: Keys,
    pub(super) duplicates_off: Option<Spot>,
    /// Keys of the L3 VNI.
    pub(super) keys: Keys,
    pub(super) import_targets: Vec<Put>,
    pub(super) export_targets: Vec<Put>,
    pub(super) advertise: BTreeMap<&'static str, Put>,
    /// `advertise ipv4 unicast route-map`, and of IPv6.
    pub(super) advertise_maps: Families<Option<Put>>,
    pub(super) default_originate: BTreeMap<&'static str, Put>,
    pub(super) vnis: BTreeMap<u32, Vni>,
}

/// `vni N` of an EVPN family.
#[derive(Debug, Clone, Default)]
pub(super) struct Vni {
    pub(super) spot: Option<Spot>,
    pub(super) keys: Keys,
    pub(super) import_targets: Vec<Put>,
    pub(super) export_targets: Vec<Put>,
}

/// `vrf NAME`.
#[derive(Debug, Clone, Default)]
pub(super) struct Vrf {
    pub(super) spot: Option<Spot>,
    pub(super) vni: Option<Put>,
    /// `vni N prefix-routes-only`.
    pub(super) prefix_routes_only: Option<Spot>,
}

/// `interface NAME`, with all its blocks.
#[derive(Debug, Clone, Default)]
pub(super) struct Interface {
    /// The first.
    pub(super) spot: Option<Spot>,
    pub(super) description: Option<Put>,
    /// `shutdown`, or `no shutdown`.
    pub(super) up: Option<Switch>,
    /// `no link-detect`.
    pub(super) no_link_detect: Option<Spot>,
    /// In the order of the file.
    pub(super) addresses: Vec<InterfaceAddress>,
}

/// `ip address`, or `ipv6 address`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct InterfaceAddress {
    /// With the length of its network, or of the peer's.
    pub(super) address: IpNetwork,
    pub(super) peer: Option<Ipv4Addr>,
    pub(super) label: Option<String>,
    pub(super) spot: Spot,
}

impl InterfaceAddress {
    /// What tells addresses of a device apart.
    pub(super) fn is(&self, other: &Self) -> bool {
        (self.address, self.peer) == (other.address, other.peer)
    }
}

/// `ipv6 nd` of an interface.
#[derive(Debug, Clone, Default)]
pub(super) struct Advertisement {
    pub(super) suppressed: Option<Switch>,
    pub(super) interval: Option<Put>,
}

/// `rpki`.
#[derive(Debug, Clone, Default)]
pub(super) struct Rpki {
    pub(super) spot: Option<Spot>,
    /// Preferences of caches.
    pub(super) caches: BTreeMap<std::net::SocketAddr, Put>,
    /// Times of all of them.
    pub(super) times: Keys,
}

/// What tells static routes apart, as in staticd.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct StaticKey {
    /// `None` is the default one.
    pub(super) vrf: Option<String>,
    /// Without host bits.
    pub(super) prefix: String,
    pub(super) table: Option<u64>,
    pub(super) distance: u64,
}

/// The ways of a static route, by what TOML says of each, or the one way of refusing.
#[derive(Debug, Clone, Default)]
pub(super) struct StaticRoute {
    pub(super) next_hops: BTreeMap<NextHop, NextHopPut>,
    pub(super) kind: Option<Put>,
    /// Of the last line.
    pub(super) tag: Option<Put>,
}

/// A router, an interface, or both.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct NextHop {
    pub(super) address: Option<String>,
    pub(super) interface: Option<String>,
    /// `nexthop-vrf`.
    pub(super) vrf: Option<String>,
}

/// Where a way is from.
#[derive(Debug, Clone)]
pub(super) struct NextHopPut {
    pub(super) onlink: bool,
    pub(super) bfd: Option<StaticBfd>,
    pub(super) spot: Spot,
}

/// `bfd` behind a way.
#[derive(Debug, Clone)]
pub(super) struct StaticBfd {
    pub(super) multihop: bool,
    pub(super) source: Option<String>,
    pub(super) profile: Option<String>,
}

/// BFD of a neighbour, a peer or a profile, in milliseconds.
#[derive(Debug, Clone, Default)]
pub(super) struct Bfd {
    pub(super) spot: Option<Spot>,
    pub(super) multiplier: Option<Put>,
    pub(super) receive: Option<Put>,
    pub(super) transmit: Option<Put>,
    pub(super) profile: Option<Put>,
    pub(super) min_ttl: Option<Put>,
    pub(super) passive: Option<Spot>,
    pub(super) shutdown: Option<Spot>,
    pub(super) echo: Option<Spot>,
    pub(super) echo_transmit: Option<Put>,
    /// `false` is never.
    pub(super) echo_receive: Option<Put>,
    /// Of neighbours only.
    pub(super) strict: Option<Spot>,
}

/// What tells sessions of `bfd` apart.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct BfdKey {
    pub(super) peer: String,
    pub(super) vrf: Option<String>,
    pub(super) multihop: bool,
    pub(super) local: Option<String>,
    pub(super) interface: Option<String>,
}

/// What is in a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ListKind {
    Prefix4,
    Prefix6,
    Access4,
    Access6,
    AsPath,
    Community,
    Large,
    Extended,
}

impl ListKind {
    /// FRR's older lists of prefixes.
    pub(super) fn is_access(self) -> bool {
        matches!(self, ListKind::Access4 | ListKind::Access6)
    }
}

/// A list of any kind.
#[derive(Debug, Clone, Default)]
pub(super) struct List {
    pub(super) description: Option<Put>,
    pub(super) expanded: bool,
    /// In order; those without a number get one as FRR gives it.
    pub(super) rules: BTreeMap<u32, Put>,
    /// Where each text is: a rule without a number that is there already is not put there twice.
    texts: HashMap<String, BTreeSet<u32>>,
}

impl List {
    /// Puts a rule where it belongs: at its number, else at the next multiple of five as FRR counts.
    pub(super) fn insert(&mut self, seq: Option<u32>, rule: Put) {
        let new = !self.texts.contains_key(&rule.text);
        let next = self.rules.last_key_value().map_or(0, |(last, _)| *last) / 5 * 5;
        let seq = match seq {
            Some(seq) => seq,
            None if !new => return,
            None => next.saturating_add(5),
        };
        self.remove(seq);
        let places = self.texts.entry(rule.text.clone()).or_default();
        places.insert(seq);
        self.rules.insert(seq, rule);
    }

    /// Takes away what has this number.
    pub(super) fn remove(&mut self, seq: u32) {
        let Some(rule) = self.rules.remove(&seq) else {
            return;
        };
        if let Some(places) = self.texts.get_mut(&rule.text) {
            places.remove(&seq);
            if places.is_empty() {
                self.texts.remove(&rule.text);
            }
        }
    }

    /// Takes away what says this.
    pub(super) fn remove_text(&mut self, text: &str) {
        for seq in self.texts.remove(text).into_iter().flatten() {
            self.rules.remove(&seq);
        }
    }
}

/// An entry of a route-map.
#[derive(Debug, Clone, Default)]
pub(super) struct Entry {
    pub(super) spot: Option<Spot>,
    pub(super) deny: bool,
    pub(super) matches: Keys,
    pub(super) sets: Keys,
    pub(super) keys: Keys,
}

impl Site {
    /// The router of the block.
    pub(super) fn router(&mut self) -> &mut Router {
        self.routers.entry(self.here.vrf.clone()).or_default()
    }

    /// The neighbour that a line names.
    pub(super) fn peer(&mut self, args: &Args<'_>) -> &mut Peer {
        let name = args.value("PEER").to_owned();
        let peer = self.router().peers.entry(name).or_default();
        peer.spot.get_or_insert(args.spot);
        peer
    }

    /// The entry of the block.
    pub(super) fn entry(&mut self) -> &mut Entry {
        let map = self.maps.entry(self.here.map.clone()).or_default();
        map.entry(self.here.seq).or_default()
    }

    /// The device of the block.
    pub(super) fn interface(&mut self) -> &mut Interface {
        let name = self.here.interface.clone();
        self.interfaces.entry(name).or_default()
    }

    /// IPv4 addresses that the file gives to devices.
    pub(super) fn addresses(&self) -> impl Iterator<Item = (String, Ipv4Addr)> {
        let of = |(name, interface): (&String, &Interface)| {
            let addresses = interface.addresses.iter().map(|it| it.address);
            let v4 = addresses.filter_map(|it| match it {
                IpNetwork::V4(it) => Some(it.ip()),
                IpNetwork::V6(_) => None,
            });
            let named: Vec<_> = v4.map(|it| (name.clone(), it)).collect();
            named
        };
        self.interfaces.iter().flat_map(of)
    }

    /// What the interface of the block is told of.
    pub(super) fn advertisement(&mut self) -> &mut Advertisement {
        let interface = self.here.interface.clone();
        self.advertisements.entry(interface).or_default()
    }

    /// The VNI of the block.
    pub(super) fn vni(&mut self) -> &mut Vni {
        let vni = self.here.vni;
        self.router().evpn.vnis.entry(vni).or_default()
    }
}

/// A text as TOML writes it.
pub(super) fn quote(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            c if c.is_control() => quoted.push_str(&format!("\\U{:08X}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// Texts in a list.
pub(super) fn quote_all(texts: &[&str]) -> String {
    let texts: Vec<String> = texts.iter().map(|text| quote(text)).collect();
    format!("[{}]", texts.join(", "))
}
