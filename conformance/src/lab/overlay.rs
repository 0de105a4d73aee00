//! What labs of overlays have in common: what they need of the machine, how long they wait, and what
//! every edge is told before the test says what it is about.
//!
//! Every edge has a session for EVPN with each other one. Networks, and VRFs ([`super::Tenant`]), come
//! behind that.

use std::time::Duration;

use super::Requirement;
use super::edge::tunnel_end;

/// How long such a lab waits for anything: a guest has one processor, and FRR tries a session again
/// after a second at the soonest.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// For an overlay that bridges, with rbgpd at every edge.
pub const BRIDGING: [Requirement; 3] = [
    Requirement::Root,
    Requirement::Program("ping"),
    Requirement::Rbgpd,
];

/// The same with FRR at some of them.
pub const BRIDGING_FRR: [Requirement; 4] = [
    Requirement::Root,
    Requirement::Program("ping"),
    Requirement::Rbgpd,
    Requirement::HostFrr,
];

/// For one that routes, with either.
pub const ROUTING: [Requirement; 5] = [
    Requirement::Root,
    Requirement::Program("ping"),
    Requirement::HostFrr,
    Requirement::Rbgpd,
    Requirement::Vrf,
];

/// rbgpd: the tunnel end and a session for EVPN with each other edge. `[evpn]` is open for more keys.
pub fn overlay_head(edge: u8, edges: u8) -> String {
    overlay_head_with(edge, edges, "")
}

/// The same with keys of `[evpn]`.
pub fn overlay_head_with(edge: u8, edges: u8, keys: &str) -> String {
    let end = tunnel_end(edge);
    let mut text =
        format!("asn = 6500{edge}\nrouter_id = \"{end}\"\n[evpn]\nvtep = \"{end}\"\n{keys}");
    for other in others(edge, edges) {
        text += &format!(
            "[[neighbor]]\naddress = \"10.9.0.{other}\"\nremote_as = 6500{other}\n\
             timers = {{ connect_retry = \"1s\" }}\nevpn = {{}}\n"
        );
    }
    text
}

/// FRR, in words that 8.4 and 10 take: the same sessions, every VNI of the machine's devices, and
/// lines of the family (`  advertise-svi-ip`).
pub fn bridging_frr(edge: u8, edges: u8, lines: &str) -> String {
    let end = tunnel_end(edge);
    let mut text =
        format!("router bgp 6500{edge}\n bgp router-id {end}\n no bgp ebgp-requires-policy\n");
    for other in others(edge, edges) {
        text += &format!(
            " neighbor 10.9.0.{other} remote-as 6500{other}\n \
             neighbor 10.9.0.{other} timers connect 1\n"
        );
    }
    text += " address-family l2vpn evpn\n";
    for other in others(edge, edges) {
        text += &format!("  neighbor 10.9.0.{other} activate\n");
    }
    text + "  advertise-all-vni\n" + lines + " exit-address-family\n"
}

fn others(edge: u8, edges: u8) -> impl Iterator<Item = u8> {
    (1..=edges).filter(move |other| *other != edge)
}
