//! Devices and their addresses as the kernel shows them.
//!
//! A mirror of what was observed, kept current by the watcher, with the two questions others ask:
//! which number has this name, and where the hosts of a VNI are ([`segments`]). It decides nothing.
//!
//! The kernel never has two devices of one name, but a notification about a device that has been
//! removed may be heard after its successor was read. The device with the higher number is the
//! newer one and has the name; when it goes, the name is the other's again.

mod segments;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::IpAddr;

use ipnetwork::IpNetwork;

use crate::overlay;
use crate::state::{Device, Interface, Mac};
use segments::Segments;
pub(crate) use segments::{News, Station};
pub use segments::{Vlan, Vlans};

/// A network device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The kernel's number.
    pub index: u32,
    /// The name.
    pub name: Device,
    /// Largest packet.
    pub mtu: u32,
    /// Administratively up.
    pub up: bool,
    /// Up and with carrier; nexthop objects are only accepted then.
    pub running: bool,
    /// The bridge or VRF that this device is a port of.
    pub master: Option<u32>,
    /// What sort of device.
    pub kind: LinkKind,
    /// The Ethernet address, if it has one.
    pub address: Option<Mac>,
    /// The alias (`ip link set .. alias`), which carries our owner stamp.
    pub alias: Option<String>,
    /// We made it and have not stamped it yet.
    pub nascent: bool,
    /// IPv6 link-local addresses are made by the kernel.
    pub generates_addresses: bool,
    /// IPv4 packets whose source is not reached this way are dropped (`rp_filter` of the device).
    pub filters_sources: bool,
    /// An IPv4 address that goes leaves later ones of its network behind (`promote_secondaries` of the
    /// device).
    pub promotes_secondaries: bool,
    /// Settings as a bridge port.
    pub port: Option<BridgePort>,
    /// Settings as a bridge.
    pub bridge: Option<Bridge>,
    /// The device that a VLAN device stands on.
    pub parent: Option<u32>,
    /// The group (`ip link set .. group`), zero if it was put in none.
    pub group: u32,
}

impl Link {
    /// A plain device that is up, with an MTU of 1500.
    pub fn new(index: u32, name: &str) -> Self {
        Self {
            index,
            name: name.into(),
            mtu: 1500,
            up: true,
            running: true,
            master: None,
            kind: LinkKind::Other(String::new()),
            address: None,
            alias: None,
            nascent: false,
            generates_addresses: true,
            filters_sources: false,
            promotes_secondaries: true,
            port: None,
            bridge: None,
            parent: None,
            group: 0,
        }
    }

    /// Whether we have made it, in this run or a former one.
    pub fn is_ours(&self) -> bool {
        overlay::is_ours(self)
    }

    /// A VXLAN device that carries the VNIs that are listed.
    pub(crate) fn has_vni_filter(&self) -> bool {
        matches!(&self.kind, LinkKind::Vxlan(vxlan) if vxlan.vnifilter)
    }

    /// A bridge that tells VLANs apart.
    pub(crate) fn is_vlan_aware(&self) -> bool {
        self.bridge
            .is_some_and(|it| it.vlan_filtering == Some(true))
    }
}

/// The kinds of device that matter here.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkKind {
    /// A bridge.
    Bridge,
    /// A VXLAN device.
    Vxlan(Vxlan),
    /// A VLAN of another device ([`Link::parent`]).
    Vlan {
        /// The VLAN.
        id: u16,
    },
    /// A WireGuard interface in the kernel.
    Wireguard,
    /// A VRF with its routing table.
    Vrf {
        /// The table's number.
        table: u32,
    },
    /// Loopback.
    Loopback,
    /// Anything else, with the kernel's name for it; hardware has an empty one.
    Other(String),
}

impl LinkKind {
    /// The kind as `ip link` names it.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Bridge => "bridge",
            Self::Vxlan(_) => "vxlan",
            Self::Vlan { .. } => "vlan",
            Self::Wireguard => "wireguard",
            Self::Vrf { .. } => "vrf",
            Self::Loopback => "loopback",
            Self::Other(name) if name.is_empty() => "hardware",
            Self::Other(name) => name,
        }
    }
}

/// Settings of a VXLAN device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vxlan {
    /// The network identifier; zero if it carries several.
    pub vni: u32,
    /// Our tunnel endpoint.
    pub local: Option<IpAddr>,
    /// A default destination, multicast group or single remote; we use none.
    pub remote: Option<IpAddr>,
    /// UDP port.
    pub port: u16,
    /// Learns remote addresses from traffic.
    pub learning: bool,
    /// The VNI of a packet comes with it (`external`): the device carries several.
    pub external: bool,
    /// Only listed VNIs are received (`vnifilter`).
    pub vnifilter: bool,
    /// Answers ARP itself, and swallows what it has no answer to.
    pub proxy: bool,
}

/// Settings of a bridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bridge {
    /// VLANs are told apart; `None` on a kernel that cannot.
    pub vlan_filtering: Option<bool>,
    /// A spanning tree decides which ports forward.
    pub spanning_tree: bool,
    /// How long a learned address is kept, in hundredths of a second.
    pub ageing: u32,
}

/// Settings of a bridge port. By default those of a tunnel's that suppresses nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BridgePort {
    /// Learns addresses from traffic.
    pub learning: bool,
    /// Answers ARP and neighbour solicitations from the neighbour table.
    pub neigh_suppress: bool,
    /// VLANs become the tunnel identifiers that they are mapped to, and back.
    pub vlan_tunnel: bool,
    /// Takes and sends frames.
    pub forwarding: bool,
    /// Passes nothing to or from other ports that are isolated.
    pub isolated: bool,
    /// Drops what comes from addresses that the bridge does not know to be behind it.
    pub locked: bool,
    /// Sends frames back to where they came from.
    pub hairpin: bool,
    /// Sends what goes to addresses that nobody knows.
    pub flood: bool,
    /// Sends what goes to groups that nobody has asked for.
    pub mcast_flood: bool,
    /// Sends what goes to everybody.
    pub bcast_flood: bool,
}

impl Default for BridgePort {
    fn default() -> Self {
        Self {
            learning: false,
            neigh_suppress: false,
            vlan_tunnel: false,
            forwarding: true,
            isolated: false,
            locked: false,
            hairpin: false,
            flood: true,
            mcast_flood: true,
            bcast_flood: true,
        }
    }
}

/// An address on a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The device.
    pub index: u32,
    /// Address and prefix length.
    pub address: IpNetwork,
    /// The other end of a link between two, whose network the prefix length is of.
    pub peer: Option<IpAddr>,
    /// The stamp of who added it (`IFA_PROTO`), zero if nobody said.
    pub protocol: u8,
    /// Usable: not tentative, not a duplicate.
    pub usable: bool,
    /// The kernel has found that another host on the link has it, too (RFC 4862 §5.4), and uses it for
    /// nothing.
    pub duplicate: bool,
}

impl Address {
    /// Why a duplicate is not used, and what to do; `again` says who sets it once more.
    #[must_use]
    pub fn conflict(&self, device: &Device, again: &str) -> Option<String> {
        let address = self.address;
        self.duplicate.then(|| {
            format!(
                "another host on the link of `{device}` has {} too (duplicate address detection), so the \
                 kernel does not use it here; give one of the two another address; if this one stays, \
                 `ip address del {address} dev {device}`, {again}",
                address.ip()
            )
        })
    }
}

/// All devices and addresses that were seen.
#[derive(Clone, Debug, Default)]
pub struct Links {
    links: BTreeMap<u32, Link>,
    /// Whoever has this name; the last one counts.
    names: HashMap<Device, BTreeSet<u32>, foldhash::fast::RandomState>,
    addresses: BTreeMap<u32, Vec<Address>>,
    /// Addresses whose network the kernel has no route of its own to.
    routeless: BTreeSet<(u32, IpNetwork)>,
    segments: Segments,
}

impl Links {
    /// Takes a device's current state. Returns what was known before.
    pub fn insert(&mut self, link: Link) -> Option<Link> {
        let (index, name) = (link.index, link.name.clone());
        let before = self.links.insert(index, link);
        if let Some(before) = before.as_ref().filter(|before| before.name != name) {
            self.release(&before.name, index);
        }
        self.names.entry(name).or_default().insert(index);
        self.relate(index);
        before
    }

    /// A device is gone, its addresses with it.
    pub fn remove(&mut self, index: u32) -> Option<Link> {
        self.addresses.remove(&index);
        self.routeless.retain(|(of, _)| *of != index);
        self.forget_segments(index);
        let link = self.links.remove(&index)?;
        self.release(&link.name, index);
        Some(link)
    }

    fn release(&mut self, name: &Device, index: u32) {
        if let Some(holders) = self.names.get_mut(name) {
            holders.remove(&index);
            if holders.is_empty() {
                self.names.remove(name);
            }
        }
    }

    /// Takes an address. Returns what was known before.
    pub fn insert_address(&mut self, address: Address) -> Option<Address> {
        let before = self.remove_address(address.index, address.address);
        self.addresses
            .entry(address.index)
            .or_default()
            .push(address);
        before
    }

    /// An address is gone.
    pub fn remove_address(&mut self, index: u32, address: IpNetwork) -> Option<Address> {
        let addresses = self.addresses.get_mut(&index)?;
        let at = addresses
            .iter()
            .position(|known| known.address == address)?;
        self.routeless.remove(&(index, address));
        Some(addresses.swap_remove(at))
    }

    /// These are the networks that the kernel has routes of its own to, by device: all of them, just
    /// read. Returns whether an address is without its route that was not known to be.
    pub(crate) fn set_connected(&mut self, connected: &HashSet<(u32, IpNetwork)>) -> bool {
        let whole = |address: &Address| {
            let network = IpNetwork::new(address.address.network(), address.address.prefix());
            let network = network.unwrap_or(address.address);
            let host = if network.is_ipv4() { 32 } else { 128 };
            // A network of one address is the address itself.
            !address.usable
                || address.peer.is_some()
                || network.prefix() == host
                || connected.contains(&(address.index, network))
        };
        let up = |index: &u32| self.links.get(index).is_some_and(|link| link.up);
        let without = self.addresses.values().flatten();
        let without = without.filter(|it| up(&it.index) && !whole(it));
        let routeless: BTreeSet<_> = without.map(|it| (it.index, it.address)).collect();
        let news = !routeless.is_subset(&self.routeless);
        self.routeless = routeless;
        news
    }

    /// Whether the kernel's own routes of an address were missing when they were last read.
    pub(crate) fn is_routeless(&self, index: u32, address: IpNetwork) -> bool {
        self.routeless.contains(&(index, address))
    }

    /// All devices by number.
    pub fn iter(&self) -> impl Iterator<Item = &Link> {
        self.links.values()
    }

    /// A group that no device is in.
    pub(crate) fn free_group(&self) -> u32 {
        // Not one that people use.
        let mut groups = (1 << 30)..u32::MAX;
        let taken: BTreeSet<u32> = self.links.values().map(|link| link.group).collect();
        groups
            .find(|group| !taken.contains(group))
            .unwrap_or(u32::MAX)
    }

    /// The device with this number.
    pub fn get(&self, index: u32) -> Option<&Link> {
        self.links.get(&index)
    }

    /// The device with this name.
    pub fn named(&self, name: &Device) -> Option<&Link> {
        self.links.get(&self.number(name)?)
    }

    /// The device with this number, unless a newer one has its name: then it is gone, and only
    /// the notification of that is still on its way.
    pub fn current(&self, index: u32) -> Option<&Link> {
        let link = self.links.get(&index)?;
        (self.number(&link.name) == Some(index)).then_some(link)
    }

    fn number(&self, name: &Device) -> Option<u32> {
        self.names.get(name)?.last().copied()
    }

    /// The number of a device named either way, if it exists.
    pub fn resolve(&self, interface: &Interface) -> Option<u32> {
        match interface {
            Interface::Index(index) => Some(*index),
            Interface::Name(name) => self.number(name),
        }
    }

    /// All addresses, by device.
    pub fn all_addresses(&self) -> impl Iterator<Item = &Address> {
        self.addresses.values().flatten()
    }

    /// The addresses of a device.
    pub fn addresses(&self, index: u32) -> impl Iterator<Item = &Address> {
        self.addresses.get(&index).into_iter().flatten()
    }
}

#[cfg(test)]
mod tests;
