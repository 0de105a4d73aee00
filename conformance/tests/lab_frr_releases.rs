//! The lab proves its other ways to run FRR: 8.4 from the host, 10.3 unpacked, and 8.4 in a
//! container.
//!
//! ```text
//!   A FRR of the host ───── B FRR 10.3 (trixie, chroot)
//!            ╲                ╱
//!             C FRR 8.4 (bookworm, podman)        underlay: WireGuard
//! ```

#![allow(missing_docs)]

use conformance::lab::{
    Cloud, Error, Plan, Program, Release, Requirement, Underlay, scenario_beside_others,
};

#[test]
fn frr_of_the_host_a_suite_and_a_container_work_together() -> Result<(), Error> {
    let needs = [
        Requirement::Root,
        Requirement::Program("ping"),
        Requirement::Program("wireguard-go"),
        Requirement::Program("wg"),
        Requirement::Program("podman"),
        Requirement::Program("runc"),
        Requirement::Program("apt-get"),
        Requirement::HostFrr,
    ];
    scenario_beside_others("frr-releases", &needs, |lab| {
        let programs = [
            Program::Frr(Release::Host),
            Program::Frr(Release::Suite("trixie".to_owned())),
            Program::Frr(Release::Container("bookworm".to_owned())),
        ];
        let mut cloud = Cloud::build(lab, Plan::new(Underlay::WireGuard, programs))?;
        cloud.start()?;
        cloud.converge()
    })
}
