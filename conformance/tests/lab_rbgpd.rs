//! Three sites with rbgpd: alone, and beside every FRR that people run.
//!
//! ```text
//!   A rbgpd ───── B rbgpd      each: VNIs 100 and 200, one VM in each
//!        ╲         ╱
//!         C                   rbgpd, or FRR 8.4 (host), 10.3 (trixie), 8.4 and 10.3 in containers
//! ```
//!
//! Over WireGuard A and B have one `wg0` whose AllowedIPs rbgpd keeps; an FRR has one interface
//! for each peer.

#![allow(missing_docs)]

use std::time::Duration;

use conformance::lab::{Cloud, Error, Plan, Program, Release, Requirement, Underlay, scenario};

const NEEDS: [Requirement; 5] = [
    Requirement::Root,
    Requirement::Program("ping"),
    Requirement::Program("wireguard-go"),
    Requirement::Program("wg"),
    Requirement::Rbgpd,
];

/// A and B run rbgpd; C runs what is given.
fn three_sites(
    name: &str,
    underlay: Underlay,
    third: Program,
    more: &[Requirement],
) -> Result<(), Error> {
    let needs = [&NEEDS, more].concat();
    scenario(name, &needs, |lab| {
        let programs = [Program::Rbgpd, Program::Rbgpd, third];
        let mut cloud = Cloud::build(lab, Plan::new(underlay, programs))?;
        cloud.start()?;
        cloud.converge()?;
        cloud.verified()?;
        lab.step("verify: kernel and tables agree");
        Ok(())
    })
}

const CONTAINERS: [Requirement; 3] = [
    Requirement::Program("podman"),
    Requirement::Program("runc"),
    Requirement::Program("apt-get"),
];

fn suite(name: &str) -> Program {
    Program::Frr(Release::Suite(name.to_owned()))
}

fn container(name: &str) -> Program {
    Program::Frr(Release::Container(name.to_owned()))
}

#[test]
fn three_rbgpd_sites_over_wireguard() -> Result<(), Error> {
    three_sites("rbgpd-wg", Underlay::WireGuard, Program::Rbgpd, &[])
}

#[test]
fn three_rbgpd_sites_over_a_segment() -> Result<(), Error> {
    three_sites("rbgpd-lan", Underlay::Lan, Program::Rbgpd, &[])
}

#[test]
fn three_rbgpd_sites_over_a_mesh_of_links() -> Result<(), Error> {
    three_sites("rbgpd-mesh", Underlay::Mesh, Program::Rbgpd, &[])
}

#[test]
fn two_rbgpd_sites_and_frr_of_the_host() -> Result<(), Error> {
    let frr = Program::Frr(Release::Host);
    three_sites(
        "rbgpd-frr",
        Underlay::WireGuard,
        frr,
        &[Requirement::HostFrr],
    )
}

#[test]
fn two_rbgpd_sites_and_frr_10_3() -> Result<(), Error> {
    let apt = [Requirement::Program("apt-get")];
    three_sites("rbgpd-frr10", Underlay::WireGuard, suite("trixie"), &apt)
}

#[test]
fn two_rbgpd_sites_and_an_frr_8_4_container() -> Result<(), Error> {
    three_sites(
        "rbgpd-c84",
        Underlay::WireGuard,
        container("bookworm"),
        &CONTAINERS,
    )
}

#[test]
fn two_rbgpd_sites_and_an_frr_10_3_container() -> Result<(), Error> {
    three_sites(
        "rbgpd-c103",
        Underlay::WireGuard,
        container("trixie"),
        &CONTAINERS,
    )
}

/// A network that goes by reload leaves nothing behind, and one whose devices get other names is
/// whole on these.
#[test]
fn a_network_goes_comes_back_and_gets_other_devices_by_reload() -> Result<(), Error> {
    scenario("rbgpd-networks", &NEEDS, |lab| {
        let programs = [Program::Rbgpd, Program::Rbgpd];
        let mut cloud = Cloud::build(lab, Plan::new(Underlay::Lan, programs).vnis(&[100]))?;
        cloud.start()?;
        cloud.converge()?;
        let a = cloud.at(1)?;
        let whole = |what: &str, device: Option<&str>| {
            let found = || {
                let links = a
                    .space()
                    .run(&["ip", "-br", "link", "show", "type", "vxlan"])?;
                let names: Vec<&str> = links.lines().filter_map(|l| l.split(' ').next()).collect();
                cloud.verified()?;
                match names == device.as_slice() {
                    true => Ok(()),
                    false => Err(Error::State(format!("{what}: devices {names:?}"))),
                }
            };
            lab.reach(what, Duration::from_secs(20), found)
        };
        whole("network 100 is there", Some("vxlan100"))?;
        let named = |name: &str| format!("name = \"net100\"\nvxlan = \"{name}\"\n");
        a.node()
            .reload(|text| text.replace("name = \"net100\"\n", &named("vx100")))?;
        whole("it has another device", Some("vx100"))?;
        let mut network = String::new();
        a.node().reload(|text| {
            let (before, behind) = text.split_once("[[vni]]").unwrap_or((text, ""));
            let (block, after) = behind.split_once("\n[[").unwrap_or((behind, ""));
            network = format!("\n[[vni]]{block}\n");
            format!("{before}\n[[{after}")
        })?;
        whole("it is gone", None)?;
        a.node().drain(65001)?;
        a.node().undrain(65001)?;
        lab.step("drained and undrained");
        a.node().reload(|text| format!("{text}{network}"))?;
        whole("it has come back", Some("vx100"))?;
        // Its bridge went with the network, so whoever runs the machine plugs it in again.
        let machine = cloud.vm(100, 1)?;
        machine.detach(a.space())?;
        machine.attach(a.space())?;
        lab.reach("machines reach each other", Duration::from_secs(20), || {
            cloud.vms_ping(true)
        })?;
        Ok(())
    })
}
