//! What a site's speaker is told, once, and how rbgpd and FRR spell it.
//!
//! Both texts mean the same: sessions to the other sites for IPv4 and EVPN with BFD, a few
//! networks, one route target for each VNI shared by all sites.

use std::fmt::Write;
use std::net::Ipv4Addr;

use super::underlay::tunnel_address;

/// An address that several sites announce, so that its traffic can move.
pub const SERVICE: Ipv4Addr = Ipv4Addr::new(172, 20, 0, 53);

/// The intent of one site.
#[derive(Debug, Clone)]
pub(super) struct Speaker {
    pub(super) site: u8,
    pub(super) networks: Vec<String>,
    pub(super) neighbors: Vec<Neighbor>,
    pub(super) vnis: Vec<u32>,
    /// The one WireGuard interface whose AllowedIPs the daemon keeps.
    pub(super) wireguard: Option<String>,
    /// Forwarding outlives the daemon: RFC 4724, and BFD that fails with the daemon is no path
    /// failure.
    pub(super) graceful_restart: bool,
}

/// One other site.
#[derive(Debug, Clone)]
pub(super) struct Neighbor {
    pub(super) site: u8,
    pub(super) address: Ipv4Addr,
    /// The interface of this neighbor alone. FRR looks for BFD's interface by the local address,
    /// which several tunnels share; named as the source, the interface is certain.
    pub(super) device: Option<String>,
    /// Its way to [`SERVICE`] is the second choice (FRR only).
    pub(super) second_choice: bool,
}

/// The AS number of a site.
pub(super) fn asn(site: u8) -> u32 {
    65000 + u32::from(site)
}

/// The two networks that belong to a site alone.
pub(super) fn own_networks(site: u8) -> [String; 2] {
    [
        format!("10.{}.0.0/16", 100u8.saturating_add(site)),
        format!("172.{}.0.0/16", 20u8.saturating_add(site)),
    ]
}

impl Speaker {
    /// The configuration of rbgpd.
    pub(super) fn toml(&self) -> String {
        let id = tunnel_address(self.site);
        let mut text = format!("asn = {}\nrouter_id = \"{id}\"\n", asn(self.site));
        if let Some(interface) = &self.wireguard {
            text += "\n[underlay]\n";
            let _ = writeln!(text, "interface = \"{interface}\"\nsync_allowed_ips = true");
        }
        let networks = quoted(&self.networks);
        let _ = writeln!(text, "\n[ipv4_unicast]\nnetworks = [{networks}]");
        let _ = writeln!(text, "\n[evpn]\nvtep = \"{id}\"");
        for Neighbor { site, address, .. } in &self.neighbors {
            let _ = write!(
                text,
                "\n[[neighbor]]\naddress = \"{address}\"\nremote_as = {}\n\
                 description = \"site-{site}\"\nbfd = true\n\
                 timers = {{ keepalive = \"3s\", hold = \"9s\", connect_retry = \"1s\" }}\n\
                 ipv4_unicast = {{ import = \"ACCEPT-ALL\", export = \"OUT\" }}\nevpn = {{}}\n",
                asn(*site)
            );
        }
        for vni in &self.vnis {
            let [.., net] = vni.to_be_bytes();
            let _ = write!(
                text,
                "\n[[vni]]\nid = {vni}\nname = \"net{vni}\"\nrd = \"{id}:{vni}\"\n\
                 import_targets = [\"65000:{vni}\"]\nexport_targets = [\"65000:{vni}\"]\n\
                 gateway = [\"10.{net}.0.1/24\"]\n"
            );
        }
        text += "\n[[route_map]]\nname = \"ACCEPT-ALL\"\n";
        text += "entry = [{ seq = 10, action = \"permit\" }]\n";
        text += "\n[[route_map]]\nname = \"OUT\"\n";
        text += "entry = [{ seq = 10, action = \"permit\", set = { metric = 100 } }]\n";
        text
    }

    /// The configuration of FRR, with only spellings that 8.4 and 10 both take.
    pub(super) fn frr(&self, log: &str) -> String {
        let id = tunnel_address(self.site);
        let mut text = format!(
            "frr defaults traditional\nhostname site-{}\nlog file {log} informational\n\
             ip prefix-list SERVICE seq 10 permit {SERVICE}/32\n\
             route-map ACCEPT-ALL permit 10\n\
             route-map OUT permit 10\n set metric 100\n\
             route-map SECOND permit 10\n match ip address prefix-list SERVICE\n \
             set as-path prepend last-as 1\nroute-map SECOND permit 20\n\
             bfd\n profile lab\n  receive-interval 300\n  transmit-interval 300\n  \
             detect-multiplier 3\n\
             router bgp {}\n bgp router-id {id}\n bgp log-neighbor-changes\n \
             bgp bestpath as-path multipath-relax\n no bgp network import-check\n",
            self.site,
            asn(self.site)
        );
        if self.graceful_restart {
            text += " bgp graceful-restart\n bgp graceful-restart preserve-fw-state\n";
        }
        for Neighbor {
            site,
            address,
            device,
            ..
        } in &self.neighbors
        {
            let _ = write!(
                text,
                " neighbor {address} remote-as {}\n neighbor {address} description site-{site}\n \
                 neighbor {address} bfd profile lab\n neighbor {address} timers 3 9\n \
                 neighbor {address} timers connect 1\n",
                asn(*site)
            );
            if let Some(device) = device {
                let _ = writeln!(text, " neighbor {address} update-source {device}");
            }
            if self.graceful_restart {
                let _ = writeln!(text, " neighbor {address} bfd check-control-plane-failure");
            }
        }
        text += " address-family ipv4 unicast\n";
        for network in &self.networks {
            let _ = writeln!(text, "  network {network}");
        }
        for Neighbor {
            address,
            second_choice,
            ..
        } in &self.neighbors
        {
            let import = if *second_choice {
                "SECOND"
            } else {
                "ACCEPT-ALL"
            };
            let _ = write!(
                text,
                "  neighbor {address} route-map {import} in\n  \
                 neighbor {address} route-map OUT out\n  \
                 neighbor {address} soft-reconfiguration inbound\n"
            );
        }
        text += " exit-address-family\n address-family l2vpn evpn\n";
        for Neighbor { address, .. } in &self.neighbors {
            let _ = write!(
                text,
                "  neighbor {address} activate\n  neighbor {address} route-map ACCEPT-ALL in\n  \
                 neighbor {address} route-map ACCEPT-ALL out\n"
            );
        }
        text += "  advertise-all-vni\n";
        for vni in &self.vnis {
            let _ = write!(
                text,
                "  vni {vni}\n   rd {id}:{vni}\n   route-target import 65000:{vni}\n   \
                 route-target export 65000:{vni}\n  exit-vni\n"
            );
        }
        text += " exit-address-family\n";
        text
    }
}

fn quoted(words: &[String]) -> String {
    words
        .iter()
        .map(|w| format!("\"{w}\""))
        .collect::<Vec<_>>()
        .join(", ")
}
