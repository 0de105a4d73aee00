//! One WireGuard interface at each of three sites, whose AllowedIPs rbgpd keeps.
//!
//! ```text
//!   A rbgpd  wg0 10.10.0.1 ═══╗           the peers of a wg0 have their tunnel addresses,
//!   B rbgpd  wg0 10.10.0.2 ═══╬═ WAN      and what the routes through them say
//!   C rbgpd  wg0 10.10.0.3 ═══╝
//!                                         10.150.0.1 is at B and at C
//! ```
//!
//! What the device has is read through `wg`, again and again while a prefix moves: it is never in
//! two peers' AllowedIPs and never in none. The kernel's own WireGuard is tested with the same words in
//! `lab_kernel_wireguard.rs`.

#![allow(missing_docs)]

#[path = "wireguard/shared.rs"]
mod shared;

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use conformance::lab::{Cloud, Error, Pinger, Plan, Program, Requirement, Underlay, scenario};
use shared::*;

const NEEDS: [Requirement; 6] = [
    Requirement::Root,
    Requirement::Program("ping"),
    Requirement::Program("wireguard-go"),
    Requirement::Program("wg"),
    Requirement::Tun,
    Requirement::Rbgpd,
];

#[test]
fn routed_prefixes_follow_bgp_on_one_shared_interface() -> Result<(), Error> {
    scenario("wireguard", &NEEDS, |lab| {
        follows_bgp(lab, Underlay::WireGuard)
    })
}

/// A default route from two peers goes where the better one leads, and moves with it.
#[test]
fn a_default_route_goes_to_one_peer_and_moves() -> Result<(), Error> {
    scenario("wireguard-default", &NEEDS, |lab| {
        let plan = Plan::new(Underlay::WireGuard, vec![Program::Rbgpd; 3]).vnis(&[]);
        let mut cloud = Cloud::build(lab, plan)?;
        cloud.start()?;
        for site in [2, 3] {
            announce(&cloud, site, "0.0.0.0/0")?;
        }
        let (b, c) = (public_key(&cloud, 2)?, public_key(&cloud, 3)?);
        owned_by(lab, &cloud, "0.0.0.0/0", Some(&b))?;
        let watch = Watch::begin(&cloud, "0.0.0.0/0")?;
        retract(&cloud, 2, "0.0.0.0/0")?;
        owned_by(lab, &cloud, "0.0.0.0/0", Some(&c))?;
        watch.end(lab)?;
        // The tunnel addresses stay with their peers.
        lab.reach("site to site ping", step(), || cloud.sites_ping())?;
        retract(&cloud, 3, "0.0.0.0/0")?;
        owned_by(lab, &cloud, "0.0.0.0/0", None)
    })
}

/// The path is cut without a word. With the usual timers of BGP nobody notices for a long time,
/// but WireGuard's counters do.
#[test]
fn an_overdue_handshake_is_a_warning_before_the_hold_time() -> Result<(), Error> {
    scenario("wireguard-handshake", &NEEDS, |lab| {
        let plan = Plan::new(Underlay::WireGuard, vec![Program::Rbgpd; 2]).vnis(&[]);
        let mut cloud = Cloud::build(lab, plan)?;
        cloud.start()?;
        for site in [1, 2] {
            cloud.at(site)?.node().reload(|text| {
                let text = text.replace("bfd = true\n", "");
                text.replace("\"3s\"", "\"30s\"")
                    .replace("\"9s\"", "\"90s\"")
            })?;
        }
        lab.reach("sessions without BFD", step(), || {
            cloud.sites_ping()?;
            let shown = neighbor(&cloud, 1, 2)?;
            let is = |key: &str, value: serde_json::Value| shown.get(key) == Some(&value);
            match is("hold_time_s", 90.into()) && is("state", "Established".into()) {
                true => Ok(()),
                false => Err(Error::State(shown.to_string())),
            }
        })?;
        let traffic = Pinger::start(
            cloud.at(1)?.space(),
            Ipv4Addr::new(10, 10, 0, 2),
            Duration::from_millis(500),
        )?;
        cloud.fabric_mut().cut(1, 2)?;
        let cut = Instant::now();
        let shown = || Ok(cloud.at(1)?.node().ctl(&["show", "summary"])?.text());
        lab.until_shown(
            "summary",
            &[
                "10.10.0.2: WireGuard handshake is overdue",
                "nothing comes back",
            ],
            shown,
        )?;
        let late = cut.elapsed();
        lab.step(format!("warned {:.1} s after the cut", late.as_secs_f64()));
        assert!(late < Duration::from_secs(30), "{late:?}");
        let peer = neighbor(&cloud, 1, 2)?;
        assert_eq!(
            peer.get("state").and_then(|it| it.as_str()),
            Some("Established")
        );
        assert_eq!(
            peer.get("wireguard").and_then(|it| it.as_str()),
            Some("overdue")
        );
        let log = std::fs::read_to_string(cloud.at(1)?.rbgpd()?.log()).unwrap_or_default();
        assert_eq!(log.matches("handshake is overdue").count(), 1, "one line");
        traffic.stop().map(drop)
    })
}

#[test]
fn ten_thousand_prefixes_come_move_and_go() -> Result<(), Error> {
    scenario("wireguard-10000", &NEEDS, |lab| {
        let plan = Plan::new(Underlay::WireGuard, vec![Program::Rbgpd; 3]).vnis(&[]);
        let mut cloud = Cloud::build(lab, plan)?;
        prepare(&cloud)?;
        cloud.start()?;
        lab.reach("site to site ping", step(), || cloud.sites_ping())?;
        ten_thousand(lab, &cloud)?;
        cloud.verified()
    })
}
