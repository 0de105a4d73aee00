//! Devices and their addresses as the kernel shows them.
//!
//! A mirror of what was observed, kept current by the watcher, with the two questions others ask:
//! which number has this name, and which bridge belongs to which VNI. It decides nothing.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use ipnetwork::IpNetwork;

use crate::state::{Device, Interface, Mac};

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
    /// IPv6 link-local addresses are made by the kernel.
    pub generates_addresses: bool,
    /// Settings as a bridge port.
    pub port: Option<BridgePort>,
}

/// The kinds of device that matter here.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkKind {
    /// A bridge.
    Bridge,
    /// A VXLAN device.
    Vxlan(Vxlan),
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

/// Settings of a VXLAN device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vxlan {
    /// The network identifier.
    pub vni: u32,
    /// Our tunnel endpoint.
    pub local: Option<IpAddr>,
    /// A default destination, multicast group or single remote; we use none.
    pub remote: Option<IpAddr>,
    /// UDP port.
    pub port: u16,
    /// Learns remote addresses from traffic.
    pub learning: bool,
}

/// Settings of a bridge port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BridgePort {
    /// Learns addresses from traffic.
    pub learning: bool,
    /// Answers ARP and neighbour solicitations from the neighbour table.
    pub neigh_suppress: bool,
}

/// An address on a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The device.
    pub index: u32,
    /// Address and prefix length.
    pub address: IpNetwork,
    /// The stamp of who added it (`IFA_PROTO`), zero if nobody said.
    pub protocol: u8,
    /// Usable: not tentative, not a duplicate.
    pub usable: bool,
}

/// All devices and addresses that were seen.
#[derive(Clone, Debug, Default)]
pub struct Links {
    links: BTreeMap<u32, Link>,
    names: HashMap<Device, u32>,
    addresses: BTreeMap<u32, Vec<Address>>,
    /// VXLAN port and VNI by bridge.
    vxlans: HashMap<u32, (u32, u32)>,
}

impl Links {
    /// Takes a device's current state. Returns what was known before.
    pub fn insert(&mut self, link: Link) -> Option<Link> {
        let (index, name) = (link.index, link.name.clone());
        let before = self.links.insert(index, link);
        if let Some(before) = before.as_ref().filter(|before| before.name != name)
            && self.names.get(&before.name) == Some(&index)
        {
            self.names.remove(&before.name);
        }
        self.names.insert(name, index);
        self.relate(index);
        before
    }

    /// A device is gone, its addresses with it.
    pub fn remove(&mut self, index: u32) -> Option<Link> {
        self.addresses.remove(&index);
        self.vxlans.retain(|_, (_, port)| *port != index);
        let link = self.links.remove(&index)?;
        if self.names.get(&link.name) == Some(&index) {
            self.names.remove(&link.name);
        }
        Some(link)
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
        Some(addresses.swap_remove(at))
    }

    /// Keeps `vxlans` current for this device as a port.
    fn relate(&mut self, index: u32) {
        self.vxlans.retain(|_, (_, port)| *port != index);
        if let Some(Link {
            master: Some(bridge),
            kind: LinkKind::Vxlan(vxlan),
            ..
        }) = self.links.get(&index)
        {
            self.vxlans.insert(*bridge, (vxlan.vni, index));
        }
    }

    /// All devices by number.
    pub fn iter(&self) -> impl Iterator<Item = &Link> {
        self.links.values()
    }

    /// The device with this number.
    pub fn get(&self, index: u32) -> Option<&Link> {
        self.links.get(&index)
    }

    /// The device with this name.
    pub fn named(&self, name: &Device) -> Option<&Link> {
        self.links.get(self.names.get(name)?)
    }

    /// The number of a device named either way, if it exists.
    pub fn resolve(&self, interface: &Interface) -> Option<u32> {
        match interface {
            Interface::Index(index) => Some(*index),
            Interface::Name(name) => self.names.get(name).copied(),
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

    /// The VNI of a bridge and the number of its VXLAN port, if it has one.
    pub fn vni_of_bridge(&self, bridge: u32) -> Option<(u32, u32)> {
        self.vxlans.get(&bridge).copied()
    }
}
