//! The steps towards a VRF device, and a bridge's way into its VRF.
//!
//! [`steps`] looks at one VRF and the observed devices, as [`super::steps`] does at an overlay: one
//! that is not there is made, stamped and set up; one of others is used if it is a VRF of the right
//! table and up; what does not fit is named. The kernel does not change a VRF's table, so a VRF of
//! ours with another one is made anew.
//!
//! The kernel takes a bridge down and up when it enters or leaves a VRF, and drops its IPv6
//! addresses, neighbours and routes with that. So a bridge of ours is put in first, and is set up and
//! gets addresses when it is seen there; one that was in use meanwhile gets back what it lost by the
//! ordinary way, since all of it is observed. While a bridge cannot be in its VRF it has none of our addresses, and
//! one of ours is down: it would forward by the main table, among the traffic of others. Bridges of
//! others are named and not moved.
//!
//! Not here: which VRFs there should be (`table/vrfs.rs`).

use super::fault::Fault;
use super::{DeviceOp, Fix, LinkChange, Owner, Steps, rename_step};
use crate::links::{Link, LinkKind, Links};
use crate::state::Vrf;

/// The next steps towards this VRF device.
pub(crate) fn steps(vrf: &Vrf, links: &Links, owner: &Owner) -> Steps {
    let mut steps = Steps::default();
    let table = vrf.table;
    if is_kernels(table) {
        let device = &vrf.device;
        let what = format!("table {table} is the kernel's own, VRF `{device}` needs another one");
        steps.blame(Fault::Vrf, what);
        return steps;
    }
    let Some(link) = links.named(&vrf.device) else {
        let same = |link: &&Link| link.kind == LinkKind::Vrf { table };
        let astray = |link: &&Link| same(link) && owner.is_astray(link);
        match (links.iter().find(astray), links.iter().find(same)) {
            (Some(link), _) => rename_step(&mut steps, link, &vrf.device, owner),
            (None, Some(rival)) => {
                let (device, rival) = (&vrf.device, &rival.name);
                let what = format!(
                    "VRF `{rival}` has table {table} already, which `{device}` needs: `ip link set \
                     {rival} down; ip link set {rival} name {device}`, or another table"
                );
                steps.blame(Fault::Vrf, what);
            }
            (None, None) => steps.ops.push(DeviceOp::CreateVrf {
                name: vrf.device.clone(),
                table,
            }),
        }
        return steps;
    };
    let ours = owner.owns(link);
    match misfit(vrf, link) {
        Some(_) if ours && matches!(link.kind, LinkKind::Vrf { .. }) => {
            steps.ops.push(DeviceOp::Delete {
                index: link.index,
                name: link.name.clone(),
            });
        }
        Some(misfit) => steps.blame(Fault::Vrf, misfit),
        None => {
            let steps = &mut steps;
            let mut fix = Fix { steps, link, ours };
            fix.stamp();
            fix.up();
        }
    }
    steps
}

/// Why this device is not the VRF that is wanted.
pub(crate) fn misfit(vrf: &Vrf, link: &Link) -> Option<String> {
    let Vrf { device, table, .. } = vrf;
    let have = match &link.kind {
        LinkKind::Vrf { table: have } if have == table => return None,
        LinkKind::Vrf { table: have } => format!("a VRF of table {have}"),
        LinkKind::Bridge => "a bridge".to_owned(),
        LinkKind::Vxlan(_) => "a VXLAN device".to_owned(),
        LinkKind::Vlan { .. } => "a VLAN device".to_owned(),
        LinkKind::Wireguard => "a WireGuard interface".to_owned(),
        LinkKind::Loopback => "the loopback device".to_owned(),
        LinkKind::Other(name) if name.is_empty() => "a network card".to_owned(),
        LinkKind::Other(name) => format!("a device of type {name}"),
    };
    Some(format!(
        "`{device}` is {have}, but must be a VRF of table {table}: `ip link del {device}`, and it is \
         made as it must be"
    ))
}

/// Tables that the kernel itself uses: unspecified, default, main and local.
fn is_kernels(table: u32) -> bool {
    table == 0 || (253..=255).contains(&table)
}

/// Where a bridge stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Where it belongs.
    InPlace,
    /// Elsewhere, and the next step puts it there.
    OnItsWay,
    /// Elsewhere, and it cannot be helped.
    Outside,
}

impl Fix<'_> {
    /// A bridge without an address drops all packets whose source is reached by another device,
    /// which a host that moves has for a moment: strict and loose filters do the same there. A bridge
    /// of others does what its owner has chosen.
    pub(super) fn all_sources(&mut self) {
        if self.ours && self.link.filters_sources {
            self.change(LinkChange::AllSources);
        }
    }

    /// Puts the device into its VRF, or takes it out.
    pub(super) fn vrf(&mut self, want: Option<&Vrf>, links: &Links, owner: &Owner) -> Standing {
        let have = self.link.master.and_then(|index| links.get(index));
        let in_vrf = have.filter(|have| matches!(have.kind, LinkKind::Vrf { .. }));
        let Some(want) = want else {
            return match in_vrf {
                Some(_) if self.ours => self.enslave(0, in_vrf, "none"),
                // A bridge that somebody else made may be where they like.
                Some(_) | None => Standing::InPlace,
            };
        };
        let vrf = links.named(&want.device);
        let wrong = match vrf {
            None => {
                let why = owner.no_vrf.get(&want.device);
                let why = why.map_or("which is not there", String::as_str);
                let (bridge, vrf) = (&self.link.name, &want.device);
                Some(format!("`{bridge}` belongs into VRF `{vrf}`: {why}"))
            }
            Some(vrf) => misfit(want, vrf),
        };
        if let (Some(_), None, Some(why)) = (vrf, &wrong, owner.no_vrf.get(&want.device)) {
            // One of others, which is down.
            self.steps.blame(Fault::Vrf, why.clone());
        }
        match (vrf, wrong) {
            (Some(vrf), None) if self.link.master == Some(vrf.index) => Standing::InPlace,
            (Some(vrf), None) => self.enslave(vrf.index, have, vrf.name.as_str()),
            (_, wrong) => {
                if let Some(wrong) = wrong {
                    self.steps.blame(Fault::Vrf, wrong);
                }
                if in_vrf.is_some() && self.ours {
                    self.enslave(0, in_vrf, "none");
                }
                Standing::Outside
            }
        }
    }

    fn enslave(&mut self, index: u32, have: Option<&Link>, want: &str) -> Standing {
        let have = have.map_or("none", |have| have.name.as_str());
        let command = format!("ip link set {} master {want}", self.link.name);
        let name = (Fault::Vrf, "master");
        self.named(name, LinkChange::Master(index), have, (want, command));
        match self.ours {
            true => Standing::OnItsWay,
            false => Standing::Outside,
        }
    }
}
