//! Devices and addresses, through the types of `netlink-packet-route` and the builders of
//! `rtnetlink`.
//!
//! Decoding turns their messages into [`Link`] and [`Address`]; encoding turns a [`DeviceOp`] into
//! one message.

use std::net::IpAddr;

use ipnetwork::IpNetwork;
use netlink_packet_core::{DefaultNla, Emitable, Parseable};
use netlink_packet_route::AddressFamily;
use netlink_packet_route::address::{
    AddressAttribute, AddressFlags, AddressMessage, AddressProtocol, AddressScope,
};
use netlink_packet_route::link::{
    AfSpecInet, AfSpecInet6, AfSpecUnspec, BridgePortState, BridgeStpState, In6AddrGenMode,
    InfoBridge, InfoBridgePort, InfoData, InfoKind, InfoPortData, InfoVlan, InfoVrf, InfoVxlan,
    LinkAttribute, LinkFlags, LinkInfo, LinkLayerType, LinkMessage,
};
use rtnetlink::{
    LinkBridge, LinkBridgePort, LinkMessageBuilder, LinkUnspec, LinkVlan, LinkVrf, LinkVxlan,
};

use super::encode;
use super::message::{Builder, HEADER, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, NLM_F_REQUEST};
use super::now::DeviceFacts;
use super::vlans::{self, Of};
use crate::links::{Address, Bridge, BridgePort, Link, LinkKind, Vxlan};
use crate::overlay::{DeviceOp, LinkChange, NASCENT, Part, STAMP};
use crate::state::{Device, Mac, OwnAddress};

const IFLA_INET_CONF: u16 = 1;
const IPV4_DEVCONF_RP_FILTER: u16 = 8;
const NLA_F_NESTED: u16 = 0x8000;

pub(crate) const RTM_NEWLINK: u16 = 16;
pub(crate) const RTM_DELLINK: u16 = 17;
pub(crate) const RTM_SETLINK: u16 = 19;
pub(crate) const RTM_NEWADDR: u16 = 20;
pub(crate) const RTM_DELADDR: u16 = 21;

/// What a message about a device says.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum LinkNotice {
    /// The device as it is, or was.
    Link(Link),
    /// Its bridge says something about it; the device has to be read again.
    Port(u32),
}

/// Reads the payload of a link message.
pub(crate) fn link(payload: &[u8]) -> Option<LinkNotice> {
    let message = match LinkMessage::parse(payload) {
        Ok(message) => message,
        Err(error) => {
            tracing::warn!(%error, "a device cannot be understood and is not seen");
            return None;
        }
    };
    let index = message.header.index;
    if message.header.interface_family != AddressFamily::Unspec {
        return Some(LinkNotice::Port(index));
    }
    let flags = message.header.flags;
    let mut link = Link {
        index,
        name: Device::from(""),
        mtu: 0,
        up: flags.contains(LinkFlags::Up),
        running: flags.contains(LinkFlags::Up | LinkFlags::LowerUp),
        master: None,
        kind: if message.header.link_layer_type == LinkLayerType::Loopback {
            LinkKind::Loopback
        } else {
            LinkKind::Other(String::new())
        },
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
    };
    for attribute in message.attributes {
        link_attribute(&mut link, attribute);
    }
    Some(LinkNotice::Link(link))
}

/// Reads of the payload of a link message what only people ask for.
#[allow(clippy::wildcard_enum_match_arm)]
pub(crate) fn facts(payload: &[u8]) -> Option<DeviceFacts> {
    let message = LinkMessage::parse(payload).ok()?;
    let mut facts = DeviceFacts {
        index: message.header.index,
        flags: message.header.flags.bits(),
        link_type: message.header.link_layer_type.into(),
        ..DeviceFacts::default()
    };
    for attribute in message.attributes {
        match attribute {
            LinkAttribute::TxQueueLen(length) => facts.queue = length,
            LinkAttribute::CarrierUpCount(count) => facts.carrier[0] = count,
            LinkAttribute::CarrierDownCount(count) => facts.carrier[1] = count,
            _ => {}
        }
    }
    Some(facts)
}

// The attributes are an open list of the kernel's, most of which do not matter here.
#[allow(clippy::wildcard_enum_match_arm)]
fn link_attribute(link: &mut Link, attribute: LinkAttribute) {
    match attribute {
        LinkAttribute::IfName(name) => link.name = name.into(),
        LinkAttribute::Mtu(mtu) => link.mtu = mtu,
        LinkAttribute::Controller(master) => link.master = Some(master),
        LinkAttribute::Link(parent) => link.parent = Some(parent),
        LinkAttribute::Address(bytes) => {
            link.address = <[u8; 6]>::try_from(bytes.as_slice()).ok().map(Mac);
        }
        LinkAttribute::IfAlias(alias) => link.alias = Some(alias),
        LinkAttribute::Group(group) => {
            link.group = group;
            link.nascent = group == NASCENT;
        }
        LinkAttribute::AfSpecUnspec(specs) => {
            for spec in specs {
                match spec {
                    AfSpecUnspec::Inet6(inet6) => {
                        let none = AfSpecInet6::AddrGenMode(In6AddrGenMode::None);
                        link.generates_addresses = !inet6.contains(&none);
                    }
                    AfSpecUnspec::Inet(inet) => {
                        let filters = |it: &AfSpecInet| matches!(it, AfSpecInet::DevConf(it) if it.rp_filter != 0);
                        link.filters_sources = inet.iter().any(filters);
                        let drops = |it: &AfSpecInet| matches!(it, AfSpecInet::DevConf(it) if it.promote_secondaries == 0);
                        link.promotes_secondaries = !inet.iter().any(drops);
                    }
                    _ => {}
                }
            }
        }
        LinkAttribute::LinkInfo(infos) => infos.into_iter().for_each(|info| info_of(link, info)),
        _ => {}
    }
}

#[allow(clippy::wildcard_enum_match_arm)]
fn info_of(link: &mut Link, info: LinkInfo) {
    match info {
        LinkInfo::Kind(InfoKind::Bridge) => link.kind = LinkKind::Bridge,
        LinkInfo::Kind(InfoKind::Wireguard) => link.kind = LinkKind::Wireguard,
        LinkInfo::Kind(InfoKind::Vxlan | InfoKind::Vrf | InfoKind::Vlan) => {}
        LinkInfo::Kind(kind) => link.kind = LinkKind::Other(kind.to_string()),
        LinkInfo::Data(InfoData::Bridge(data)) => link.bridge = Some(bridge(&data)),
        LinkInfo::Data(InfoData::Vlan(data)) => {
            let id = data.iter().find_map(|info| match info {
                InfoVlan::Id(id) => Some(*id),
                _ => None,
            });
            link.kind = LinkKind::Vlan {
                id: id.unwrap_or(0),
            };
        }
        LinkInfo::Data(InfoData::Vxlan(data)) => link.kind = LinkKind::Vxlan(vxlan(data)),
        LinkInfo::Data(InfoData::Vrf(data)) => {
            let table = data.iter().find_map(|info| match info {
                InfoVrf::TableId(table) => Some(*table),
                _ => None,
            });
            link.kind = LinkKind::Vrf {
                table: table.unwrap_or(0),
            };
        }
        LinkInfo::PortData(InfoPortData::BridgePort(data)) => {
            let mut port = BridgePort {
                learning: true,
                ..BridgePort::default()
            };
            for info in data {
                match info {
                    InfoBridgePort::Learning(on) => port.learning = on,
                    InfoBridgePort::NeighSupress(on) => port.neigh_suppress = on,
                    InfoBridgePort::VlanTunnel(on) => port.vlan_tunnel = on,
                    InfoBridgePort::State(state) => {
                        port.forwarding = state == BridgePortState::Forwarding;
                    }
                    InfoBridgePort::Isolated(on) => port.isolated = on,
                    InfoBridgePort::Locked(on) => port.locked = on,
                    InfoBridgePort::HairpinMode(on) => port.hairpin = on,
                    InfoBridgePort::UnicastFlood(on) => port.flood = on,
                    InfoBridgePort::MulticastFlood(on) => port.mcast_flood = on,
                    InfoBridgePort::BroadcastFlood(on) => port.bcast_flood = on,
                    _ => {}
                }
            }
            link.port = Some(port);
        }
        _ => {}
    }
}

#[allow(clippy::wildcard_enum_match_arm)]
fn vxlan(data: Vec<InfoVxlan>) -> Vxlan {
    let mut vxlan = Vxlan {
        learning: true,
        ..Vxlan::default()
    };
    for info in data {
        match info {
            InfoVxlan::Id(vni) => vxlan.vni = vni,
            InfoVxlan::Local(address) => vxlan.local = Some(address.into()),
            InfoVxlan::Local6(address) => vxlan.local = Some(address.into()),
            InfoVxlan::Group(address) => vxlan.remote = Some(address.into()),
            InfoVxlan::Group6(address) => vxlan.remote = Some(address.into()),
            InfoVxlan::Port(port) => vxlan.port = port,
            InfoVxlan::Learning(on) => vxlan.learning = on,
            InfoVxlan::CollectMetadata(on) => vxlan.external = on,
            InfoVxlan::Vnifilter(on) => vxlan.vnifilter = on,
            InfoVxlan::Proxy(on) => vxlan.proxy = on,
            _ => {}
        }
    }
    let specified = |address: &IpAddr| !address.is_unspecified();
    vxlan.local = vxlan.local.filter(specified);
    vxlan.remote = vxlan.remote.filter(specified);
    vxlan
}

#[allow(clippy::wildcard_enum_match_arm)]
fn bridge(data: &[InfoBridge]) -> Bridge {
    let mut bridge = Bridge {
        vlan_filtering: None,
        spanning_tree: false,
        ageing: 30_000,
    };
    for info in data {
        match info {
            InfoBridge::VlanFiltering(on) => bridge.vlan_filtering = Some(*on),
            InfoBridge::StpState(state) => {
                bridge.spanning_tree = *state != BridgeStpState::Disabled;
            }
            InfoBridge::AgeingTime(time) => bridge.ageing = *time,
            _ => {}
        }
    }
    bridge
}

/// Reads the payload of an address message.
#[allow(clippy::wildcard_enum_match_arm)]
pub(crate) fn address(payload: &[u8]) -> Option<Address> {
    let message = AddressMessage::parse(payload).ok()?;
    let (mut plain, mut local, mut protocol) = (None, None, 0);
    let mut flags = AddressFlags::empty();
    for attribute in message.attributes {
        match attribute {
            AddressAttribute::Address(address) => plain = Some(address),
            AddressAttribute::Local(address) => local = Some(address),
            AddressAttribute::Protocol(stamp) => protocol = stamp.into(),
            AddressAttribute::Flags(bits) => flags = bits,
            _ => {}
        }
    }
    // On point-to-point devices the plain one is the other end's.
    let address = IpNetwork::new(local.or(plain)?, message.header.prefix_len).ok()?;
    let peer = plain.filter(|plain| local.is_some_and(|local| local != *plain));
    let unusable = AddressFlags::Tentative | AddressFlags::Dadfailed;
    let duplicate = flags.contains(AddressFlags::Dadfailed);
    let optimistic = flags.contains(AddressFlags::Optimistic) && !duplicate;
    let usable = !flags.intersects(unusable) || optimistic;
    Some(Address {
        index: message.header.index,
        address,
        peer,
        protocol,
        usable,
        duplicate,
    })
}

/// Writes the message for one change of a device.
pub(crate) fn encode(buffer: &mut Vec<u8>, sequence: u32, protocol: u8, op: &DeviceOp) {
    let create = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_EXCL;
    match op {
        DeviceOp::CreateBridge { name, mtu, mac } => {
            let mut bridge = LinkMessageBuilder::<LinkBridge>::new(name.as_str())
                .mcast_snooping(false)
                .forward_delay(0)
                .mtu(*mtu)
                .link_group(NASCENT);
            if let Some(mac) = mac {
                bridge = bridge.address(mac.0.to_vec());
            }
            emit(buffer, RTM_NEWLINK, create, sequence, &bridge.build());
        }
        DeviceOp::CreateVxlan {
            name,
            vni,
            local,
            port,
            mtu,
        } => {
            let vxlan = LinkMessageBuilder::<LinkVxlan>::new(name.as_str())
                .id(*vni)
                .port(*port)
                .learning(false)
                .mtu(*mtu)
                .link_group(NASCENT);
            let vxlan = with_local(vxlan, *local);
            emit(buffer, RTM_NEWLINK, create, sequence, &vxlan.build());
        }
        DeviceOp::CreateVrf { name, table } => {
            let vrf = LinkVrf::new(name.as_str(), *table).link_group(NASCENT);
            emit(buffer, RTM_NEWLINK, create, sequence, &vrf.build());
        }
        DeviceOp::CreateSharedBridge { name, mtu } => {
            let bridge = LinkMessageBuilder::<LinkBridge>::new(name.as_str())
                .mcast_snooping(false)
                .forward_delay(0)
                .vlan_filtering(true)
                .mtu(*mtu)
                .link_group(NASCENT);
            emit(buffer, RTM_NEWLINK, create, sequence, &bridge.build());
        }
        DeviceOp::CreateSharedVxlan {
            name,
            local,
            port,
            mtu,
        } => {
            let vxlan = LinkMessageBuilder::<LinkVxlan>::new(name.as_str())
                .collect_metadata(true)
                .vnifilter(true)
                .port(*port)
                .learning(false)
                .mtu(*mtu)
                .link_group(NASCENT);
            let vxlan = with_local(vxlan, *local);
            emit(buffer, RTM_NEWLINK, create, sequence, &vxlan.build());
        }
        DeviceOp::CreateVlanDevice {
            name,
            bridge,
            vlan,
            mtu,
            mac,
        } => {
            let mut device = LinkMessageBuilder::<LinkVlan>::new(name.as_str())
                .link(*bridge)
                .id(*vlan)
                .mtu(*mtu)
                .link_group(NASCENT);
            if let Some(mac) = mac {
                device = device.address(mac.0.to_vec());
            }
            emit(buffer, RTM_NEWLINK, create, sequence, &device.build());
        }
        DeviceOp::AddPart { index, part, .. } => {
            encode_part(buffer, sequence, *index, *part, true);
        }
        DeviceOp::RemovePart { index, part, .. } => {
            encode_part(buffer, sequence, *index, *part, false);
        }
        DeviceOp::Change { index, change, .. } => {
            let message = change_of(*index, change);
            // Attributes of a kind go by "new link" without create, plain ones by "set link".
            let by_kind = matches!(
                change,
                LinkChange::Tunnel { .. }
                    | LinkChange::Port { .. }
                    | LinkChange::SharedPort
                    | LinkChange::Passage
                    | LinkChange::Forwarding
                    | LinkChange::VlanFiltering
                    | LinkChange::Ageing
            );
            let kind = if by_kind { RTM_NEWLINK } else { RTM_SETLINK };
            emit(buffer, kind, NLM_F_REQUEST, sequence, &message);
        }
        DeviceOp::AddAddress { index, address, .. } => {
            let flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_REPLACE;
            let message = address_message(*index, *address, protocol);
            emit(buffer, RTM_NEWADDR, flags, sequence, &message);
        }
        // It is missing then, and the next step adds it.
        DeviceOp::RemoveAddress { index, address, .. }
        | DeviceOp::RenewAddress { index, address, .. } => {
            let message = address_message(*index, *address, protocol);
            emit(buffer, RTM_DELADDR, NLM_F_REQUEST, sequence, &message);
        }
        DeviceOp::Assign { index, address, .. } => {
            let message = assign_message(*index, address, protocol);
            emit(buffer, RTM_NEWADDR, create, sequence, &message);
        }
        DeviceOp::Unassign { index, address, .. } => {
            let message = assign_message(*index, address, protocol);
            emit(buffer, RTM_DELADDR, NLM_F_REQUEST, sequence, &message);
        }
        DeviceOp::Delete { index, .. } => {
            let message = LinkUnspec::new_with_index(*index).build();
            emit(buffer, RTM_DELLINK, NLM_F_REQUEST, sequence, &message);
        }
    }
}

/// Puts a device into a group.
pub(crate) fn encode_group(buffer: &mut Vec<u8>, sequence: u32, index: u32, group: u32) {
    let message = LinkUnspec::new_with_index(index)
        .append_extra_attribute(LinkAttribute::Group(group))
        .build();
    emit(buffer, RTM_SETLINK, NLM_F_REQUEST, sequence, &message);
}

/// Removes all devices of a group.
pub(crate) fn encode_delete_group(buffer: &mut Vec<u8>, sequence: u32, group: u32) {
    let mut message = LinkMessage::default();
    message.attributes.push(LinkAttribute::Group(group));
    emit(buffer, RTM_DELLINK, NLM_F_REQUEST, sequence, &message);
}

fn encode_part(buffer: &mut Vec<u8>, sequence: u32, index: u32, part: Part, there: bool) {
    match part {
        Part::BridgeVlan(vlan) => {
            vlans::vlan(buffer, sequence, (index, vlan, Of::Bridge), there);
        }
        Part::PortVlan { vlan, vni } => {
            vlans::vlan(buffer, sequence, (index, vlan, Of::Port(vni)), there);
        }
        Part::Vni(vni) => vlans::vni(buffer, sequence, (index, vni), there),
        Part::Address { vlan, mac } => {
            encode::station(buffer, sequence, (index, vlan, mac), there);
        }
    }
}

fn with_local(
    vxlan: LinkMessageBuilder<LinkVxlan>,
    local: IpAddr,
) -> LinkMessageBuilder<LinkVxlan> {
    match local {
        IpAddr::V4(local) => vxlan.local(local),
        IpAddr::V6(local) => vxlan.local6(local),
    }
}

fn change_of(index: u32, change: &LinkChange) -> LinkMessage {
    let plain = LinkUnspec::new_with_index(index);
    match change {
        LinkChange::Stamp => plain.alias(STAMP).link_group(0).build(),
        LinkChange::Mtu(mtu) => plain.mtu(*mtu).build(),
        LinkChange::Address(mac) => plain.address(mac.0.to_vec()).build(),
        LinkChange::GenerateAddresses(on) => {
            let mode = if *on {
                In6AddrGenMode::Eui64
            } else {
                In6AddrGenMode::None
            };
            let inet6 = AfSpecUnspec::Inet6(vec![AfSpecInet6::AddrGenMode(mode)]);
            plain
                .append_extra_attribute(LinkAttribute::AfSpecUnspec(vec![inet6]))
                .build()
        }
        LinkChange::AllSources => {
            // `IFLA_INET_CONF` of one setting; the type of the library leaves out what is 0.
            let off = DefaultNla::new(IPV4_DEVCONF_RP_FILTER, vec![0; 4]);
            let mut settings = vec![0; off.buffer_len()];
            off.emit(&mut settings);
            let settings = DefaultNla::new(IFLA_INET_CONF | NLA_F_NESTED, settings);
            let inet = AfSpecUnspec::Inet(vec![AfSpecInet::Other(settings)]);
            plain
                .append_extra_attribute(LinkAttribute::AfSpecUnspec(vec![inet]))
                .build()
        }
        LinkChange::Tunnel { vni, local } => {
            let mut vxlan = LinkMessageBuilder::<LinkVxlan>::new("").index(index);
            if *vni != 0 {
                vxlan = vxlan.id(*vni);
            }
            without_name(with_local(vxlan.learning(false), *local).build())
        }
        LinkChange::VlanFiltering => {
            let bridge = LinkMessageBuilder::<LinkBridge>::new("").index(index);
            without_name(bridge.vlan_filtering(true).build())
        }
        LinkChange::Ageing => {
            let bridge = LinkMessageBuilder::<LinkBridge>::new("").index(index);
            without_name(bridge.ageing_time(30_000).build())
        }
        LinkChange::Master(master) => plain.controller(*master).build(),
        LinkChange::Port { suppress } => LinkBridgePort::new(index)
            .learning(false)
            .neigh_suppress(*suppress)
            .build(),
        LinkChange::SharedPort => LinkBridgePort::new(index)
            .learning(false)
            .neigh_suppress(true)
            .vlan_tunnel(true)
            .build(),
        LinkChange::Passage => LinkBridgePort::new(index)
            .isolated(false)
            .locked(false)
            .hairpin(false)
            .flood(true)
            .mcast_flood(true)
            .bcast_flood(true)
            .build(),
        LinkChange::Forwarding => LinkBridgePort::new(index)
            .state(BridgePortState::Forwarding)
            .build(),
        LinkChange::Up => plain.up().build(),
        LinkChange::Down => plain.down().build(),
        LinkChange::Name(name) => plain.name(name.as_str().to_owned()).build(),
    }
}

/// The device is named by its number; an empty name would rename it.
fn without_name(mut message: LinkMessage) -> LinkMessage {
    let unnamed = |attribute: &LinkAttribute| !matches!(attribute, LinkAttribute::IfName(_));
    message.attributes.retain(unnamed);
    message
}

fn address_message(index: u32, address: IpNetwork, protocol: u8) -> AddressMessage {
    let mut message = plain_address(index, address, address.ip(), protocol);
    if address.is_ipv6() {
        // The same address is at every site on purpose.
        message
            .attributes
            .push(AddressAttribute::Flags(AddressFlags::Nodad));
    }
    message
}

/// An address that is this host's alone, which the kernel finds out about.
fn assign_message(index: u32, own: &OwnAddress, protocol: u8) -> AddressMessage {
    let (address, peer) = (own.address, own.peer.unwrap_or(own.address.ip()));
    let mut message = plain_address(index, address, peer, protocol);
    if let (IpNetwork::V4(network), None, 0..=30) = (address, own.peer, address.prefix()) {
        let broadcast = AddressAttribute::Broadcast(network.broadcast());
        message.attributes.push(broadcast);
    }
    if let Some(label) = &own.label {
        let label = AddressAttribute::Label(label.clone());
        message.attributes.push(label);
    }
    message
}

fn plain_address(index: u32, address: IpNetwork, far: IpAddr, protocol: u8) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.index = index;
    message.header.prefix_len = address.prefix();
    message.header.family = match address {
        IpNetwork::V4(_) => AddressFamily::Inet,
        IpNetwork::V6(_) => AddressFamily::Inet6,
    };
    if matches!(address.ip(), IpAddr::V6(ip) if ip.is_unicast_link_local()) {
        message.header.scope = AddressScope::Link;
    }
    message.attributes = vec![
        AddressAttribute::Local(address.ip()),
        AddressAttribute::Address(far),
        AddressAttribute::Protocol(AddressProtocol::Other(protocol)),
    ];
    message
}

fn emit(buffer: &mut Vec<u8>, kind: u16, flags: u16, sequence: u32, body: &impl Emitable) {
    let mut message = Builder::new(buffer, kind, flags, sequence);
    let mut bytes = vec![0; body.buffer_len()];
    body.emit(&mut bytes);
    message.bytes(&bytes).finish();
    debug_assert!(bytes.len() + HEADER < 65_536);
}
