//! The subnets of VNIs: which addresses their machines can be routed at.
//!
//! A packet to a machine comes from another site with the L3 VNI, and this router finds the machine
//! by a subnet of its own. An address in none of them nobody could reach so, whatever a machine says
//! of itself; and told as a host route it takes the traffic of whoever has it elsewhere, in another
//! VNI of the tenant or outside. Where a VNI has no subnet of that IP version nothing is known, and
//! every address may be right.
//!
//! [`Input::SetSubnets`](crate::Input::SetSubnets) says which there are. Here they are found by
//! address, for routes of others; what follows is decided in [`crate::resolve`] and [`crate::vrf`].

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use bgp::{Prefix, Vni};

/// Of all VNIs, configured or not.
pub(crate) type Subnets = BTreeMap<Vni, BTreeSet<Prefix>>;

/// Whether `ip` may be an address of a VNI with these subnets.
pub(crate) fn may_have(subnets: &BTreeSet<Prefix>, ip: IpAddr) -> bool {
    let mut same_kind = subnets
        .iter()
        .filter(|subnet| subnet.addr().is_ipv4() == ip.is_ipv4())
        .peekable();
    same_kind.peek().is_none() || same_kind.any(|subnet| subnet.contains_addr(ip))
}

/// VNIs of tenants by their subnets: a few look-ups, however many VNIs there are.
#[derive(Debug, Default)]
pub(crate) struct SubnetIndex {
    /// By L3 VNI of the tenant.
    vnis: BTreeMap<(Vni, Prefix), BTreeSet<Vni>>,
    /// Lengths that there are, of IPv4 and others.
    lengths: BTreeSet<(bool, u8)>,
}

impl SubnetIndex {
    /// Of these: the L3 VNI, the VNI and its subnets.
    pub(crate) fn new<'a>(
        networks: impl Iterator<Item = (Vni, Vni, &'a BTreeSet<Prefix>)>,
    ) -> Self {
        let mut index = Self::default();
        for (l3_vni, vni, subnets) in networks {
            for subnet in subnets {
                let length = (subnet.addr().is_ipv4(), subnet.len());
                index.lengths.insert(length);
                index.vnis.entry((l3_vni, *subnet)).or_default().insert(vni);
            }
        }
        index
    }

    /// The VNIs of a tenant with a subnet that has this address.
    pub(crate) fn covering(&self, l3_vni: Vni, ip: IpAddr) -> impl Iterator<Item = Vni> {
        let lengths = self.lengths.iter().filter(move |it| it.0 == ip.is_ipv4());
        let subnets = lengths.filter_map(move |(_, length)| Prefix::new(ip, *length));
        let found = subnets.filter_map(move |subnet| self.vnis.get(&(l3_vni, subnet)));
        found.flatten().copied()
    }
}
