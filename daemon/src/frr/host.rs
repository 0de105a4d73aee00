//! What of this host FRR would have looked at: its addresses and its VXLAN devices.
//!
//! FRR takes its identifier from the host's addresses where none is written, and with
//! `advertise-all-vni` takes every VXLAN device for a VNI. So does the reader, of those that are there
//! when it reads; it is asked again when devices come or go.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

/// The host, as far as a file leaves something to it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Host {
    /// IPv4 addresses with the names of their devices.
    pub addresses: Vec<(String, Ipv4Addr)>,
    /// VXLAN devices, but for those that rbgpd has made.
    pub vxlans: Vec<Vxlan>,
    /// The identifier that runs already and was not written down either. It stays where none is written,
    /// whatever addresses come and go: another one ends all sessions.
    pub identifier: Option<Ipv4Addr>,
    /// VNIs whose devices were there in this run. While one is not, somebody else is about to make it
    /// again or wants it no more, so none is made in its place.
    pub adopted: BTreeSet<u32>,
}

/// A VXLAN device with one VNI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Vxlan {
    /// Its name.
    pub name: String,
    /// Its VNI; zero when it carries several.
    pub vni: u32,
    /// Its tunnel endpoint.
    pub local: Option<IpAddr>,
    /// Its UDP port.
    pub port: u16,
    /// The bridge that it is a port of.
    pub bridge: Option<String>,
    /// The VRF that the bridge is in.
    pub vrf: Option<String>,
}

impl Host {
    /// This host as it is now; an empty one where the kernel does not tell.
    pub fn now() -> Self {
        fib::host_now().map(Self::of).unwrap_or_default()
    }

    fn of((links, addresses): (Vec<fib::Link>, Vec<fib::Address>)) -> Self {
        let link = |index: u32| links.iter().find(|link| link.index == index);
        let v4 = addresses.iter().filter_map(|address| {
            let IpAddr::V4(ip) = address.address.ip() else {
                return None;
            };
            Some((link(address.index)?.name.to_string(), ip))
        });
        // What we have made stands for a block without a device, and for none without it.
        let theirs = links.iter().filter(|it| !it.is_ours());
        let vxlans = theirs.filter_map(|it| {
            let fib::LinkKind::Vxlan(vxlan) = &it.kind else {
                return None;
            };
            let bridge = it.master.and_then(link);
            let bridge = bridge.filter(|it| matches!(it.kind, fib::LinkKind::Bridge));
            let vrf = bridge.and_then(|it| link(it.master?));
            let vrf = vrf.filter(|it| matches!(it.kind, fib::LinkKind::Vrf { .. }));
            Some(Vxlan {
                name: it.name.to_string(),
                vni: if vxlan.external { 0 } else { vxlan.vni },
                local: vxlan.local,
                port: vxlan.port,
                bridge: bridge.map(|it| it.name.to_string()),
                vrf: vrf.map(|it| it.name.to_string()),
            })
        });
        Self {
            addresses: v4.collect(),
            vxlans: vxlans.collect(),
            identifier: None,
            adopted: BTreeSet::new(),
        }
    }

    /// The same host, on which a router with this identifier runs.
    pub fn running_as(self, identifier: Ipv4Addr) -> Self {
        // Without BGP there is none.
        let identifier = Some(identifier).filter(|it| !it.is_loopback());
        Self { identifier, ..self }
    }
}

/// The one that FRR takes for an identifier: the highest of the loopback device, else the highest.
pub(super) fn identifier(addresses: &[(String, Ipv4Addr)]) -> Option<&(String, Ipv4Addr)> {
    let usable = |it: &&(String, Ipv4Addr)| !it.1.is_loopback() && !it.1.is_link_local();
    let loopback = addresses.iter().filter(usable).filter(|it| it.0 == "lo");
    let any = addresses.iter().filter(usable);
    loopback
        .max_by_key(|it| it.1)
        .or_else(|| any.max_by_key(|it| it.1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_of_our_own_are_no_reason_for_a_vni() {
        let device = |index: u32, name: &str| {
            let mut link = fib::Link::new(index, name);
            link.kind = fib::LinkKind::Vxlan(fib::Vxlan {
                vni: 100 + index,
                ..fib::Vxlan::default()
            });
            link
        };
        let (theirs, mut ours) = (device(1, "vx101"), device(2, "vxlan102"));
        ours.alias = Some(fib::STAMP.to_owned());
        let host = Host::of((vec![theirs, ours], Vec::new()));
        let names: Vec<&str> = host.vxlans.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names, ["vx101"]);
    }
}
