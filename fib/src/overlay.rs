//! The steps that turn the devices that are there into the overlay that is wanted.
//!
//! [`steps`] looks at one overlay and the observed devices and says what to do next; after the
//! steps were taken and the devices read again, it is asked again, until it has nothing to say.
//! Devices that we made carry [`STAMP`] as their alias and are changed freely. A device made by
//! somebody else is used if it fits; if it does not, every attribute that is wrong is named, with
//! the command that mends it, and nothing about the device is changed. Whether entries are written to
//! it all the same depends on what is wrong ([`fault`]). A device of ours that was
//! renamed by hand gets its name back, and with it keeps its ports and entries. Gateway addresses carry our protocol number and are added
//! to either. What concerns the VRF of an overlay is in [`vrf`]; overlays that share devices are in
//! [`single`]. What a step is called stands in [`op`], how an attribute is mended or named in [`fix`],
//! and the gateway's addresses in [`addresses`].

mod addresses;
pub(crate) mod fault;
mod fix;
mod op;
mod single;
pub(crate) mod vrf;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use crate::addressing;
use crate::links::{Address, BridgePort, Link, LinkKind, Links, Vxlan};
use crate::state::{Addressing, Device, Mac, Overlay};
pub(crate) use addresses::gateway_addresses;
use addresses::{address_steps, generates_addresses};
pub(crate) use fault::Barred;
use fault::{Fault, Side, Wrong};
use fix::Fix;
pub use op::{DeviceOp, LinkChange, Part};
use vrf::Standing;

/// The group of devices that we made and have not given their alias yet, since the kernel takes no
/// alias at creation. A run that ends in between leaves devices that the next one knows by it.
pub(crate) const NASCENT: u32 = 0x7262_6770;

/// The alias of devices that we made (`ip link show` prints it).
pub const STAMP: &str = "rbgpd";

/// What is next for an overlay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Steps {
    /// To be done now. Empty when nothing is left that we may do.
    pub(crate) ops: Vec<DeviceOp>,
    /// They are about devices that other overlays share, which ask for the same.
    pub(crate) shared: bool,
    /// The attributes of somebody else's devices that do not fit.
    wrong: Vec<Wrong>,
}

impl Steps {
    /// Everything that does not fit and is not ours to change.
    pub(crate) fn wrong(&self) -> Option<String> {
        let what: Vec<&str> = self.wrong.iter().map(|it| it.what.as_str()).collect();
        (!what.is_empty()).then(|| what.join("; "))
    }

    /// Packets do not pass there, for something that is wrong.
    fn keeps_from(&self, side: Side) -> bool {
        let mut faults = self.wrong.iter().map(|it| it.fault);
        faults.any(|fault| fault.keeps_from().contains(&side))
    }

    /// Where nothing is written as long as that is so, and why.
    pub(crate) fn barred(&self, vni: u32, overlay: &Overlay) -> Vec<(Barred, String)> {
        fault::barred(vni, overlay, &self.wrong)
    }
}

/// A device made by us.
pub(crate) fn is_ours(link: &Link) -> bool {
    link.nascent || is_stamped(link)
}

fn is_stamped(link: &Link) -> bool {
    link.alias
        .as_deref()
        .is_some_and(|alias| alias.split(' ').next() == Some(STAMP))
}

/// What makes something ours.
#[derive(Clone, Debug)]
pub(crate) struct Owner {
    /// The stamp of our addresses.
    pub(crate) protocol: u8,
    /// Devices that we made and could not stamp yet. The number is known when the devices have been
    /// read after that.
    created: BTreeMap<Device, Option<u32>>,
    /// The devices that overlays and VRFs name.
    pub(crate) named: BTreeSet<Device>,
    /// What is wanted of the host's devices themselves, beside what overlays have there.
    pub(crate) assigned: BTreeMap<Device, Arc<Addressing>>,
    /// VRFs that are not there, and what the kernel said when they were to be made.
    pub(crate) no_vrf: BTreeMap<Device, String>,
    /// What we added to shared devices.
    parts: BTreeSet<(u32, Part)>,
    /// The kernel renames devices that are up (Linux 6.2).
    pub(crate) renames_live: bool,
}

impl Owner {
    /// Nothing was made yet.
    pub(crate) fn new(protocol: u8) -> Self {
        Self {
            protocol,
            created: BTreeMap::new(),
            named: BTreeSet::new(),
            assigned: BTreeMap::new(),
            no_vrf: BTreeMap::new(),
            parts: BTreeSet::new(),
            renames_live: true,
        }
    }

    /// The kernel added a part of a device for us, or removed one. A VLAN is one part whatever it is
    /// mapped to.
    pub(crate) fn part(&mut self, index: u32, part: Part, there: bool) {
        let part = match part {
            Part::PortVlan { vlan, .. } => Part::PortVlan { vlan, vni: None },
            Part::BridgeVlan(_) | Part::Vni(_) | Part::Address { .. } => part,
        };
        match there {
            true => self.parts.insert((index, part)),
            false => self.parts.remove(&(index, part)),
        };
    }

    /// The kernel made this device for us.
    pub(crate) fn made(&mut self, name: Device) {
        self.created.insert(name, None);
    }

    /// All devices were read, and nothing was heard since that could be older: what was made has
    /// its number now. Returns whether there was such a device.
    pub(crate) fn bind(&mut self, links: &Links) -> bool {
        let mut any = false;
        for (name, index) in self.created.iter_mut().filter(|(_, index)| index.is_none()) {
            *index = links.named(name).map(|link| link.index);
            any = true;
        }
        // Made and gone already.
        self.created.retain(|_, index| index.is_some());
        any
    }

    /// An address that a device is to have for itself.
    fn is_assigned(&self, link: &Link, known: &Address) -> bool {
        let wanted = self.assigned.get(&link.name);
        wanted.is_some_and(|it| it.addresses.iter().any(|it| addressing::is(known, it)))
    }

    /// This device is gone.
    pub(crate) fn forget(&mut self, index: u32) {
        self.created.retain(|_, made| *made != Some(index));
        self.parts.retain(|(of, _)| *of != index);
    }

    /// A device of ours under a name that nobody gave it here: renamed by hand.
    fn is_astray(&self, link: &Link) -> bool {
        is_ours(link) && !self.named.contains(&link.name)
    }

    fn owns(&self, link: &Link) -> bool {
        is_ours(link) || self.created.get(&link.name) == Some(&Some(link.index))
    }
}

/// The next steps towards this overlay.
pub(crate) fn steps(vni: u32, overlay: &Overlay, links: &Links, owner: &Owner) -> Steps {
    if let Some(lane) = &overlay.lane {
        return single::steps(vni, (overlay, lane), links, owner);
    }
    let mut steps = Steps::default();
    let vxlan = links.named(&overlay.vxlan);
    let same = |link: &&Link| matches!(&link.kind, LinkKind::Vxlan(vxlan) if vxlan.vni == vni);
    // Looked for among all devices, so only where it is missing.
    let find_astray = || {
        let mut astray = links.iter().filter(|link| owner.is_astray(link));
        astray.find(same)
    };
    let astray_vxlan = vxlan.is_none().then(find_astray).flatten();
    let bridge = links.named(&overlay.bridge);
    let master = vxlan.or(astray_vxlan).and_then(|link| link.master);
    let astray_bridge = master
        .and_then(|index| links.get(index))
        .filter(|link| bridge.is_none() && link.kind == LinkKind::Bridge && owner.is_astray(link));
    // Frames from the bridge that do not fit through the tunnel are dropped without a word.
    let narrow = vxlan.filter(|link| !owner.owns(link)).map(|link| link.mtu);
    let bridge_mtu = narrow.map_or(overlay.mtu, |mtu| mtu.min(overlay.mtu));
    match (bridge, astray_bridge) {
        (Some(link), _) => {
            bridge_steps(&mut steps, overlay, (link, bridge_mtu), links, owner);
        }
        (None, Some(link)) => rename_step(&mut steps, link, &overlay.bridge, owner),
        (None, None) if !overlay.create => steps.awaits(&overlay.bridge),
        (None, None) => steps.ops.push(DeviceOp::CreateBridge {
            name: overlay.bridge.clone(),
            mtu: bridge_mtu,
            mac: Some(overlay.gateway_mac.unwrap_or_else(|| own_mac(vni, overlay))),
        }),
    }
    let bridge = bridge.filter(|link| link.kind == LinkKind::Bridge);
    match (vxlan, astray_vxlan) {
        (Some(link), _) => {
            vxlan_steps(&mut steps, vni, overlay, (link, bridge), links, owner);
        }
        (None, Some(link)) => rename_step(&mut steps, link, &overlay.vxlan, owner),
        (None, None) if !overlay.create => steps.awaits(&overlay.vxlan),
        (None, None) => steps.ops.push(DeviceOp::CreateVxlan {
            name: overlay.vxlan.clone(),
            vni,
            local: overlay.local,
            port: overlay.port,
            mtu: overlay.mtu,
        }),
    }
    steps
}

fn rename_step(steps: &mut Steps, link: &Link, name: &Device, owner: &Owner) {
    let change = match link.up && !owner.renames_live {
        true => LinkChange::Down,
        false => LinkChange::Name(name.clone()),
    };
    steps.ops.push(DeviceOp::Change {
        index: link.index,
        name: link.name.clone(),
        change,
    });
}

pub(crate) use single::leftovers;

/// Why the kernel refused a step, where that is better said than it does.
pub(crate) fn reason(op: &DeviceOp, errno: i32, links: &Links) -> Option<String> {
    match op {
        DeviceOp::CreateVxlan { vni, port, .. } if errno == libc::EEXIST => {
            rival(*vni, *port, links)
        }
        DeviceOp::Change {
            index,
            change: LinkChange::Up,
            ..
        } if errno == libc::EADDRINUSE => single::port_rival(links.get(*index)?, links),
        DeviceOp::CreateSharedBridge { name, .. } if errno == libc::EOPNOTSUPP => {
            Some(single::no_vlans(name))
        }
        DeviceOp::CreateVlanDevice { .. } if errno == libc::EOPNOTSUPP => {
            Some("this kernel has no VLAN devices; `modprobe 8021q` loads them".to_owned())
        }
        DeviceOp::AddPart {
            part: Part::Vni(vni),
            ..
        } if errno == libc::EEXIST => {
            let with = |link: &&Link| link.has_vni_filter() && links.lets_in(link.index, *vni);
            let name = &links.iter().find(with)?.name;
            Some(format!(
                "`{name}` has VNI {vni} already; `bridge vni delete vni {vni} dev {name}` makes room"
            ))
        }
        DeviceOp::CreateBridge { .. }
        | DeviceOp::CreateVxlan { .. }
        | DeviceOp::CreateVrf { .. }
        | DeviceOp::CreateSharedBridge { .. }
        | DeviceOp::CreateSharedVxlan { .. }
        | DeviceOp::CreateVlanDevice { .. }
        | DeviceOp::AddPart { .. }
        | DeviceOp::RemovePart { .. }
        | DeviceOp::Change { .. }
        | DeviceOp::AddAddress { .. }
        | DeviceOp::RemoveAddress { .. }
        | DeviceOp::RenewAddress { .. }
        | DeviceOp::Assign { .. }
        | DeviceOp::Unassign { .. }
        | DeviceOp::Delete { .. } => None,
    }
}

/// The MAC address of a bridge that has no gateway's: locally administered, another one at every
/// site. The kernel would take the lowest of its ports' addresses, and another one with every port
/// that comes or goes, which drops all neighbour entries of the bridge.
fn own_mac(vni: u32, overlay: &Overlay) -> Mac {
    let address: Vec<u8> = match overlay.local {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    // FNV-1a: the same after a restart and on every machine.
    let octets = vni.to_be_bytes().into_iter().chain(address);
    let hash = octets.fold(0xcbf2_9ce4_8422_2325_u64, |hash, octet| {
        (hash ^ u64::from(octet)).wrapping_mul(0x0100_0000_01b3)
    });
    let [_, _, _, a, b, c, d, e] = hash.to_be_bytes();
    Mac([2, a, b, c, d, e])
}

/// Why the kernel does not make a VXLAN device that is not there: another one has its VNI.
fn rival(vni: u32, port: u16, links: &Links) -> Option<String> {
    let same = |link: &&Link| matches!(&link.kind, LinkKind::Vxlan(vxlan) if (vxlan.vni, vxlan.port) == (vni, port));
    let name = &links.iter().find(same)?.name;
    Some(format!(
        "`{name}` has VNI {vni} on port {port} already; `ip link del {name}` makes room, or \
         `vxlan = \"{name}\"` of the VNI takes it over"
    ))
}

fn bridge_steps(
    steps: &mut Steps,
    overlay: &Overlay,
    (link, mtu): (&Link, u32),
    links: &Links,
    owner: &Owner,
) {
    if link.kind != LinkKind::Bridge {
        steps.taken_by_another(link, Fault::NoBridge, "bridge");
        return;
    }
    let ours = owner.owns(link);
    Fix { steps, link, ours }.ageing();
    gateway_steps(steps, overlay, (link, mtu), links, owner);
}

/// The device that has the gateway: a bridge, or a VLAN device on one.
fn gateway_steps(
    steps: &mut Steps,
    overlay: &Overlay,
    (link, mtu): (&Link, u32),
    links: &Links,
    owner: &Owner,
) {
    let mut fix = Fix {
        steps,
        link,
        ours: owner.owns(link),
    };
    fix.stamp();
    fix.mtu(mtu);
    if let Some(mac) = overlay.gateway_mac {
        let have = link
            .address
            .map_or("none".to_owned(), |mac| mac.to_string());
        fix.check(
            (Fault::Address, link.address == Some(mac)),
            LinkChange::Address(mac),
            have,
            mac,
        );
    }
    fix.addrgenmode(generates_addresses(overlay));
    if overlay.is_layer3() {
        fix.all_sources();
    }
    match fix.vrf(overlay.vrf.as_ref(), links, owner) {
        Standing::InPlace => {
            fix.up();
            let addresses = gateway_addresses(overlay);
            address_steps(steps, &addresses, link, links, owner);
        }
        Standing::OnItsWay => {}
        // Outside of its VRF the bridge would forward among the traffic of others.
        Standing::Outside => {
            fix.down();
            address_steps(steps, &[], link, links, owner);
        }
    }
}

fn vxlan_steps(
    steps: &mut Steps,
    vni: u32,
    overlay: &Overlay,
    (link, bridge): (&Link, Option<&Link>),
    links: &Links,
    owner: &Owner,
) {
    let LinkKind::Vxlan(have) = &link.kind else {
        steps.taken_by_another(link, Fault::NoVxlan, "vxlan");
        return;
    };
    let text = |address: Option<IpAddr>| address.map_or("none".to_owned(), |a| a.to_string());
    let family = |address: Option<IpAddr>| address.is_none_or(|a| a.is_ipv4());
    let ours = owner.owns(link);
    let other_family = family(have.local) != overlay.local.is_ipv4();
    // The kernel does not change these: ours is made anew, others' is not ours to replace.
    let word = |on| if on { "on" } else { "off" }.to_owned();
    let group = have.remote.is_some_and(|remote| remote.is_multicast());
    let remote = if group { "group" } else { "remote" };
    // One that carries several has none itself.
    let id = if have.external { vni } else { have.vni };
    let fixed = [
        (
            (Fault::External, "external"),
            word(have.external),
            word(false),
        ),
        ((Fault::Id, "id"), id.to_string(), vni.to_string()),
        (
            (Fault::Port, "dstport"),
            have.port.to_string(),
            overlay.port.to_string(),
        ),
        (
            (Fault::Remote, remote),
            text(have.remote),
            "none".to_owned(),
        ),
        // It swallows what it has no answer to.
        ((Fault::Proxy, "proxy"), word(have.proxy), word(false)),
    ];
    let mut differing: Vec<_> = fixed
        .into_iter()
        .filter(|(_, have, want)| have != want)
        .collect();
    if other_family {
        let name = (Fault::Family, "local");
        differing.push((name, text(have.local), overlay.local.to_string()));
    }
    if ours && !differing.is_empty() {
        steps.ops.push(DeviceOp::Delete {
            index: link.index,
            name: link.name.clone(),
        });
        return;
    }
    if !differing.is_empty() {
        // What else is wrong with it goes with it.
        for (name, have, want) in differing {
            steps.replace_by_hand(link, name, have, want);
        }
        return;
    }
    let mut fix = Fix { steps, link, ours };
    fix.stamp();
    let tunnel = || LinkChange::Tunnel {
        vni: have.vni,
        local: overlay.local,
    };
    let name = &link.name;
    if have.local != Some(overlay.local) && !other_family {
        let command = format!(
            "ip link set {name} type vxlan id {} local {}",
            have.vni, overlay.local
        );
        fix.named(
            (other_address(have), "local"),
            tunnel(),
            text(have.local),
            (overlay.local, command),
        );
    }
    // One change sets both.
    if have.learning && !(ours && have.local != Some(overlay.local)) {
        let command = format!("ip link set {name} type vxlan id {} nolearning", have.vni);
        let name = (Fault::Learning, "learning");
        fix.named(name, tunnel(), "on", ("off", command));
    }
    fix.mtu(overlay.mtu);
    fix.addrgenmode(false);
    if let Some(bridge) = bridge {
        fix.master(bridge, links);
        if link.master == Some(bridge.index) {
            let wanted = BridgePort {
                // Addresses come from the control plane, and so do answers to who has them.
                neigh_suppress: overlay.suppress,
                ..BridgePort::default()
            };
            let suppress = overlay.suppress;
            fix.port(wanted, LinkChange::Port { suppress });
            fix.passage(bridge);
            vlan_of_port(fix.steps, overlay, (link, bridge), links);
        }
    }
    fix.up();
}

/// How bad it is that a VXLAN device has not our address.
fn other_address(have: &Vxlan) -> Fault {
    match have.local {
        Some(_) => Fault::Local,
        None => Fault::NoLocal,
    }
}

/// A bridge that tells VLANs apart carries a VNI in the VLAN of its port's untagged frames, and has
/// the gateway in the VLAN that it is in itself.
fn vlan_of_port(
    steps: &mut Steps,
    overlay: &Overlay,
    (link, bridge): (&Link, &Link),
    links: &Links,
) {
    if !bridge.is_vlan_aware() {
        return;
    }
    let (port, name) = (&link.name, &bridge.name);
    let untagged = |index| links.vlans(index).find(|(_, vlan)| vlan.pvid);
    let own = untagged(bridge.index).map(|(vlan, _)| vlan);
    let Some((vlan, settings)) = untagged(link.index) else {
        let vlan = own.unwrap_or(1);
        let what = format!(
            "`{name}` tells VLANs apart, and `{port}` is in none of them untagged: \
             `bridge vlan add dev {port} vid {vlan} pvid untagged`"
        );
        steps.blame(Fault::NoVlan, what);
        return;
    };
    if !settings.untagged {
        let what = format!(
            "VLAN {vlan} of `{port}` is tagged on the way out, but must not be: \
             `bridge vlan add dev {port} vid {vlan} pvid untagged`"
        );
        steps.blame(Fault::Tagged, what);
    }
    if own != Some(vlan) && !overlay.gateway.is_empty() {
        let own = own.map_or("no VLAN".to_owned(), |own| format!("VLAN {own}"));
        let what = format!(
            "`{port}` is in VLAN {vlan} of `{name}`, and `{name}` itself, with the gateway, in \
             {own}: `bridge vlan add dev {name} vid {vlan} pvid untagged self`"
        );
        steps.blame(Fault::GatewayVlan, what);
    }
}

#[cfg(test)]
mod tests;
