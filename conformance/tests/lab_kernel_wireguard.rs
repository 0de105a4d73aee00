//! The kernel's own WireGuard through generic netlink: the same as `lab_wireguard.rs`, word for word, and an
//! interface in a VRF.
//!
//! Few kernels on which tests run have both. Where this one does not, an emulated machine takes its
//! place (`make test-vm`), some ten times slower.

#![allow(missing_docs)]

#[path = "wireguard/shared.rs"]
#[allow(dead_code)]
mod shared;

use conformance::lab::{Cloud, Error, Plan, Program, Requirement, Underlay, scenario};
use shared::*;

const NEEDS: [Requirement; 6] = [
    Requirement::Root,
    Requirement::Program("ping"),
    Requirement::Program("wg"),
    Requirement::Rbgpd,
    Requirement::KernelWireguard,
    Requirement::Vrf,
];

#[test]
fn routed_prefixes_follow_bgp_in_the_kernel() -> Result<(), Error> {
    scenario("wireguard-kernel", &NEEDS, |lab| {
        follows_bgp(lab, Underlay::KernelWireGuard)
    })
}

#[test]
fn ten_thousand_prefixes_come_and_go_in_the_kernel() -> Result<(), Error> {
    scenario("wireguard-kernel-10000", &NEEDS, |lab| {
        let plan = Plan::new(Underlay::KernelWireGuard, vec![Program::Rbgpd; 3]).vnis(&[]);
        let mut cloud = Cloud::build(lab, plan)?;
        cloud.start()?;
        lab.reach("site to site ping", step(), || cloud.sites_ping())?;
        ten_thousand(lab, &cloud)
    })
}
