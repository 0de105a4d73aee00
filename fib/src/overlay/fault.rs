//! What may be wrong with a device of somebody else's, and how bad that is.
//!
//! One question decides: do packets of the overlay pass all the same? If they do, the fault is named,
//! and entries are written as on any other device. If they do not, the device is not the overlay's as
//! it stands, and may be in use for what somebody has made it for: nothing is written to it, and
//! nothing that is on it is removed, until it was mended. [`Fault::keeps_from`] is the only place that
//! says which is which; what follows from it for entries is in `table/barred.rs`.

use crate::state::{Device, Overlay};

/// What is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The device that is to be the VXLAN device is of another kind.
    NoVxlan,
    /// What is to be the bridge is of another kind.
    NoBridge,
    /// A device that others make is not there. What is on it waits for it anyway.
    Missing,
    /// What is to be the VLAN device of gateway and neighbours is none, or of another VLAN.
    NoVlanDevice,
    /// One VNI or several.
    External,
    /// A kernel or a device without a list of VNIs.
    VniFilter,
    /// The VNI.
    Id,
    /// The UDP port.
    Port,
    /// A default destination: frames also go to whom the device was made for.
    Remote,
    /// ARP requests end at the device.
    Proxy,
    /// The underlay's IP version.
    Family,
    /// Our address is another one.
    Local,
    /// Our address is left to routing, which finds one.
    NoLocal,
    /// The device is in no bridge, or in another one.
    Master,
    /// The bridge of several overlays does not tell VLANs apart.
    NoVlans,
    /// The VLANs of the port do not become VNIs.
    NoMapping,
    /// The VLAN of this overlay is another VNI's, or the VNI another VLAN's.
    OtherMapping,
    /// The port is in no VLAN untagged.
    NoVlan,
    /// The port's frames leave with a tag.
    Tagged,
    /// The gateway is in another VLAN than the port.
    GatewayVlan,
    /// Addresses are learned from traffic.
    Learning,
    /// Neighbour solicitations are not answered here.
    Suppression,
    /// Frames of some kind, or from some ports, do not pass the port, or come back.
    Passage,
    /// No frame passes the port. Entries are right on it, and in use when it opens.
    Closed,
    /// The size of packets.
    Mtu,
    /// The MAC address of the gateway.
    Address,
    /// Link-local addresses.
    LinkLocal,
    /// The bridge forgets at once.
    Ageing,
    /// The device is down. Entries are right on it as it is, and in use when it comes up.
    Down,
    /// The VRF of the gateway.
    Vrf,
    /// The kernel's own routes of the gateway.
    Route,
}

/// Where entries of an overlay are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// On the VXLAN device, with those of all VNIs that it carries.
    Tunnel,
    /// On the VXLAN device, in this VNI alone.
    Network,
    /// On the device that neighbours are on.
    Hosts,
}

impl Side {
    const ALL: [Self; 3] = [Self::Tunnel, Self::Network, Self::Hosts];
}

impl Fault {
    /// What cannot be used while this is so. Packets pass where that is nothing.
    pub(crate) fn keeps_from(self) -> &'static [Side] {
        match self {
            Self::NoBridge => &[Side::Tunnel, Side::Hosts],
            Self::NoVlanDevice => &[Side::Hosts],
            Self::NoVxlan
            | Self::External
            | Self::VniFilter
            | Self::Id
            | Self::Port
            | Self::Remote
            | Self::Proxy
            | Self::Family
            | Self::Local
            | Self::Master
            | Self::NoVlans
            | Self::NoMapping
            | Self::NoVlan => &[Side::Tunnel],
            Self::OtherMapping => &[Side::Network],
            Self::Missing
            | Self::NoLocal
            | Self::Tagged
            | Self::GatewayVlan
            | Self::Learning
            | Self::Suppression
            | Self::Passage
            | Self::Closed
            | Self::Mtu
            | Self::Address
            | Self::LinkLocal
            | Self::Ageing
            | Self::Down
            | Self::Vrf
            | Self::Route => &[],
        }
    }
}

/// A fault in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub(crate) fault: Fault,
    pub(crate) what: String,
}

/// Where nothing is written and nothing removed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Barred {
    /// On this device.
    Device(Device),
    /// In this VNI of a device that carries several.
    Network(Device, u32),
}

/// What these faults keep an overlay's entries from, each with the cause in words.
pub(crate) fn barred(vni: u32, overlay: &Overlay, wrong: &[Wrong]) -> Vec<(Barred, String)> {
    let side = |side: &Side| {
        let keeps = wrong
            .iter()
            .filter(|it| it.fault.keeps_from().contains(side));
        let causes: Vec<&str> = keeps.map(|it| it.what.as_str()).collect();
        let device = match side {
            Side::Tunnel | Side::Network => &overlay.vxlan,
            Side::Hosts => &overlay.bridge,
        };
        let place = match side {
            Side::Tunnel | Side::Hosts => Barred::Device(device.clone()),
            Side::Network => Barred::Network(device.clone(), vni),
        };
        let cause = format!(
            "`{device}` cannot carry the overlay as it stands, and is left alone: {}",
            causes.join("; ")
        );
        (!causes.is_empty()).then_some((place, cause))
    };
    Side::ALL.iter().filter_map(side).collect()
}
