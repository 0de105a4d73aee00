//! What can be done to a device, and what each step is called.
//!
//! Values only: which steps are needed is found out in [`super`], and how they are written is
//! [`crate::netlink`]'s business.

use std::fmt;
use std::net::IpAddr;

use ipnetwork::IpNetwork;

use crate::state::{Device, Mac, OwnAddress};

/// One change of a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeviceOp {
    /// Makes a bridge: no spanning tree delay, no multicast snooping, stamped.
    CreateBridge {
        /// Its name.
        name: Device,
        /// Its MTU.
        mtu: u32,
        /// Its MAC address.
        mac: Option<Mac>,
    },
    /// Makes a VXLAN device that does not learn, stamped.
    CreateVxlan {
        /// Its name.
        name: Device,
        /// The network identifier.
        vni: u32,
        /// Our tunnel endpoint.
        local: IpAddr,
        /// The UDP port.
        port: u16,
        /// Its MTU.
        mtu: u32,
    },
    /// Makes a VRF device, stamped.
    CreateVrf {
        /// Its name.
        name: Device,
        /// Its routing table.
        table: u32,
    },
    /// Makes a bridge that tells VLANs apart, stamped.
    CreateSharedBridge {
        /// Its name.
        name: Device,
        /// Its MTU.
        mtu: u32,
    },
    /// Makes a VXLAN device that carries the VNIs that are listed, and does not learn, stamped.
    CreateSharedVxlan {
        /// Its name.
        name: Device,
        /// Our tunnel endpoint.
        local: IpAddr,
        /// The UDP port.
        port: u16,
        /// Its MTU.
        mtu: u32,
    },
    /// Makes a VLAN device on a bridge, stamped.
    CreateVlanDevice {
        /// Its name.
        name: Device,
        /// The bridge.
        bridge: u32,
        /// The VLAN.
        vlan: u16,
        /// Its MTU.
        mtu: u32,
        /// Its MAC address; that of the bridge without one.
        mac: Option<Mac>,
    },
    /// Adds what an overlay has of a shared device.
    AddPart {
        /// The device.
        index: u32,
        /// Its name, for messages.
        name: Device,
        /// What to add.
        part: Part,
    },
    /// Removes it.
    RemovePart {
        /// The device.
        index: u32,
        /// Its name, for messages.
        name: Device,
        /// What to remove.
        part: Part,
    },
    /// Changes one attribute.
    Change {
        /// The device.
        index: u32,
        /// Its name, for messages.
        name: Device,
        /// The attribute and its new value.
        change: LinkChange,
    },
    /// Adds a gateway address.
    AddAddress {
        /// The bridge.
        index: u32,
        /// Its name, for messages.
        name: Device,
        /// The address.
        address: IpNetwork,
    },
    /// Removes a gateway address of ours.
    RemoveAddress {
        /// The bridge.
        index: u32,
        /// Its name, for messages.
        name: Device,
        /// The address.
        address: IpNetwork,
    },
    /// Removes a gateway address of ours that the kernel has no routes of, to be added again.
    RenewAddress {
        /// The bridge.
        index: u32,
        /// Its name, for messages.
        name: Device,
        /// The address.
        address: IpNetwork,
    },
    /// Adds an address of the host's own.
    Assign {
        /// The device.
        index: u32,
        /// Its name, for messages.
        name: Device,
        /// The address.
        address: OwnAddress,
    },
    /// Removes one that we have added.
    Unassign {
        /// The device.
        index: u32,
        /// Its name, for messages.
        name: Device,
        /// The address.
        address: OwnAddress,
    },
    /// Removes a device of ours.
    Delete {
        /// The device.
        index: u32,
        /// Its name, for messages.
        name: Device,
    },
}

/// What an overlay has of a device that it shares with others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// A bridge itself is in a VLAN.
    BridgeVlan(u16),
    /// A port is in a VLAN, frames tagged.
    PortVlan {
        /// The VLAN.
        vlan: u16,
        /// The VNI that it is mapped to; `None` leaves that as it is.
        vni: Option<u32>,
    },
    /// A VXLAN device lets in a VNI.
    Vni(u32),
    /// A bridge has an address in a VLAN.
    Address {
        /// The VLAN.
        vlan: u16,
        /// The address.
        mac: Mac,
    },
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BridgeVlan(vlan) | Self::PortVlan { vlan, vni: None } => {
                write!(f, "VLAN {vlan}")
            }
            Self::PortVlan {
                vlan,
                vni: Some(vni),
            } => write!(f, "VLAN {vlan} for VNI {vni}"),
            Self::Vni(vni) => write!(f, "VNI {vni}"),
            Self::Address { vlan, mac } => write!(f, "address {mac} in VLAN {vlan}"),
        }
    }
}

/// An attribute of a device and the value it should have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkChange {
    /// The owner stamp.
    Stamp,
    /// The MTU.
    Mtu(u32),
    /// The MAC address.
    Address(Mac),
    /// Whether the kernel makes link-local addresses.
    GenerateAddresses(bool),
    /// IPv4 packets are taken whatever way leads to their source.
    AllSources,
    /// VXLAN: our tunnel endpoint; learning off.
    Tunnel {
        /// The network identifier, which the kernel wants to hear again; zero with several.
        vni: u32,
        /// Our tunnel endpoint.
        local: IpAddr,
    },
    /// The bridge or VRF it belongs to; 0 is none.
    Master(u32),
    /// Bridge port: learning off, and whether neighbours are suppressed.
    Port {
        /// Answers for hosts behind the tunnel.
        suppress: bool,
    },
    /// Bridge port: the same with suppression, and VLANs become the VNIs that they are mapped to.
    SharedPort,
    /// Bridge port: frames of all kinds pass between it and all other ports, and do not come back.
    Passage,
    /// Bridge port: open.
    Forwarding,
    /// Bridge: VLANs are told apart.
    VlanFiltering,
    /// Bridge: learned addresses are kept as long as usual.
    Ageing,
    /// Administratively up.
    Up,
    /// Administratively down.
    Down,
    /// The name.
    Name(Device),
}

impl fmt::Display for DeviceOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CreateBridge { name, .. } => write!(f, "create bridge `{name}`"),
            Self::CreateVrf { name, .. } => write!(f, "create VRF device `{name}`"),
            Self::CreateSharedBridge { name, .. } => {
                write!(f, "create bridge `{name}` with VLANs")
            }
            Self::CreateVxlan { name, .. } | Self::CreateSharedVxlan { name, .. } => {
                write!(f, "create VXLAN device `{name}`")
            }
            Self::CreateVlanDevice { name, .. } => write!(f, "create VLAN device `{name}`"),
            Self::AddPart { name, part, .. } => write!(f, "add {part} to `{name}`"),
            Self::RemovePart { name, part, .. } => write!(f, "remove {part} from `{name}`"),
            Self::Change { name, change, .. } => write!(f, "set {} of `{name}`", change.name()),
            Self::AddAddress { name, address, .. } => write!(f, "add {address} to `{name}`"),
            Self::RemoveAddress { name, address, .. } => {
                write!(f, "remove {address} from `{name}`")
            }
            Self::Assign { name, address, .. } => write!(f, "add {address} to `{name}`"),
            Self::Unassign { name, address, .. } => {
                write!(f, "remove {address} from `{name}`")
            }
            Self::RenewAddress { name, address, .. } => write!(
                f,
                "set {address} of `{name}` anew, since the kernel's own route of it is gone"
            ),
            Self::Delete { name, .. } => write!(f, "remove device `{name}`"),
        }
    }
}

impl DeviceOp {
    /// The device it is about.
    pub(crate) fn name(&self) -> &Device {
        match self {
            Self::CreateBridge { name, .. }
            | Self::CreateVxlan { name, .. }
            | Self::CreateVrf { name, .. }
            | Self::CreateSharedBridge { name, .. }
            | Self::CreateSharedVxlan { name, .. }
            | Self::CreateVlanDevice { name, .. }
            | Self::AddPart { name, .. }
            | Self::RemovePart { name, .. }
            | Self::Change { name, .. }
            | Self::AddAddress { name, .. }
            | Self::RemoveAddress { name, .. }
            | Self::RenewAddress { name, .. }
            | Self::Assign { name, .. }
            | Self::Unassign { name, .. }
            | Self::Delete { name, .. } => name,
        }
    }

    /// It makes a device that is not there.
    pub(crate) fn creates(&self) -> bool {
        match self {
            Self::CreateBridge { .. }
            | Self::CreateVxlan { .. }
            | Self::CreateVrf { .. }
            | Self::CreateSharedBridge { .. }
            | Self::CreateSharedVxlan { .. }
            | Self::CreateVlanDevice { .. } => true,
            Self::AddPart { .. }
            | Self::RemovePart { .. }
            | Self::Change { .. }
            | Self::AddAddress { .. }
            | Self::RemoveAddress { .. }
            | Self::RenewAddress { .. }
            | Self::Assign { .. }
            | Self::Unassign { .. }
            | Self::Delete { .. } => false,
        }
    }
}

impl LinkChange {
    /// The attribute's name as `ip link` knows it.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Stamp => "alias",
            Self::Mtu(_) => "mtu",
            Self::Address(_) => "address",
            Self::GenerateAddresses(_) => "addrgenmode",
            Self::AllSources => "rp_filter",
            Self::Tunnel { .. } => "local and nolearning",
            Self::Master(_) => "master",
            Self::Port { suppress: true } => "learning off and neigh_suppress on",
            Self::Port { suppress: false } => "learning off and neigh_suppress off",
            Self::SharedPort => "learning off, neigh_suppress on and vlan_tunnel on",
            Self::Passage => "isolated, locked and hairpin off and flooding on",
            Self::Forwarding => "port state forwarding",
            Self::VlanFiltering => "vlan_filtering",
            Self::Ageing => "ageing_time",
            Self::Up => "up",
            Self::Down => "down",
            Self::Name(_) => "name",
        }
    }
}
