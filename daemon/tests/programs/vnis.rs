//! Overlay networks by the hundred: made by one reload, removed by one, each left alone by changes
//! of others.
//!
//! ```text
//!   a (AS 65001) vtep 10.10.0.1 ── wire
//! ```
//!
//! Needs root, `ip` and VXLAN in the kernel. How long thousands take is measured by `rbgpd-bench`.

use std::collections::BTreeSet;

use crate::daemon::until;
use crate::site::{Site, sites};

/// The kernel takes some ten milliseconds to remove a device.
const COUNT: usize = 150;

fn config(vnis: &[usize]) -> String {
    let mut text = String::from(
        "asn = 65001\nrouter_id = \"10.10.0.1\"\n[evpn]\nvtep = \"10.10.0.1\"\n\
         [[neighbor]]\naddress = \"10.10.0.2\"\nremote_as = 65002\nevpn = {}\n",
    );
    for vni in vnis {
        text += &format!(
            "[[vni]]\nid = {vni}\nname = \"net-{vni}\"\ngateway = [\"10.{}.{}.1/24\"]\n",
            100 + vni / 256,
            vni % 256
        );
    }
    text
}

/// The devices of a kind that are up and have a number in their names.
fn devices(site: &Site, kind: &str) -> BTreeSet<String> {
    let seen = site.seen(&format!("-o link show up type {kind}"));
    let names = seen.lines().filter_map(|line| line.split(": ").nth(1));
    let names = names.filter_map(|name| name.split('@').next());
    names.map(str::to_owned).collect()
}

fn names(kind: &str, vnis: &[usize]) -> BTreeSet<String> {
    vnis.iter().map(|vni| format!("{kind}{vni}")).collect()
}

#[track_caller]
fn until_there(site: &Site, vnis: &[usize]) {
    until("the devices are as configured", || {
        for (kind, name) in [("vxlan", "vxlan"), ("bridge", "br")] {
            let (seen, wanted) = (devices(site, kind), names(name, vnis));
            if seen != wanted {
                let differing = seen.symmetric_difference(&wanted).count();
                return Err(format!("{differing} {kind} devices differ"));
            }
        }
        let verify = site.daemon().said("verify");
        match verify.starts_with("Equal:") {
            true => Ok(()),
            false => Err(verify),
        }
    });
}

#[track_caller]
fn reload(site: &Site, vnis: &[usize]) {
    site.daemon().configure(&config(vnis));
    let output = site.daemon().ctl("reload");
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn hundreds_of_networks_come_and_go_with_one_reload_and_leave_nothing() {
    let Some((mut a, _b)) = sites("vnis") else {
        return;
    };
    a.start(&config(&[]));
    a.daemon().until_logged("rbgpd runs");
    let all: Vec<usize> = (1..=COUNT).collect();
    reload(&a, &all);
    until_there(&a, &all);
    for address in ["10.100.1.1/24", "10.100.150.1/24"] {
        a.until_seen("-o address show", |seen| seen.contains(address));
    }
    reload(&a, &[]);
    until_there(&a, &[]);
    let left = a.seen("-o link show");
    let left: Vec<&str> = left.lines().collect();
    assert_eq!(left.len(), 2, "lo and the wire: {left:?}");
}

#[test]
fn a_network_that_is_added_or_taken_away_leaves_the_others_alone() {
    let Some((mut a, _b)) = sites("vni-more") else {
        return;
    };
    let few: Vec<usize> = (1..=20).collect();
    let more: Vec<usize> = (1..=21).collect();
    a.start(&config(&few));
    until_there(&a, &few);
    for (vnis, most) in [(&more, 40), (&few, 20)] {
        let monitor = a.monitor();
        reload(&a, vnis);
        until_there(&a, vnis);
        let heard = a.heard(&monitor);
        let others = &names("br", &few) | &names("vxlan", &few);
        let names_one = |line: &&String| {
            let mut words = line.split(|it: char| !it.is_ascii_alphanumeric());
            words.any(|word| others.contains(word))
        };
        let of_others: Vec<_> = heard.iter().filter(names_one).collect();
        assert!(of_others.is_empty(), "{of_others:#?}");
        assert!(
            (4..=most).contains(&heard.len()),
            "{}: {heard:#?}",
            heard.len()
        );
    }
}

/// What is never asked of the kernel cannot differ from what was asked; all the same it is not there.
#[test]
fn a_network_that_waits_for_its_vrf_is_a_difference() {
    let Some((mut a, _b)) = sites("vnis-wait") else {
        return;
    };
    a.start(&format!("{}vrf = \"nowhere\"\n", config(&[7])));
    a.daemon().until_logged("rbgpd runs");
    until("the missing VRF is told", || {
        let verify = a.daemon().said("verify");
        match verify.starts_with("Different:") && verify.contains("no VRF device `nowhere`") {
            true => Ok(()),
            false => Err(verify),
        }
    });
    assert_eq!(a.daemon().ctl("verify").status.code(), Some(1));
    reload(&a, &[7]);
    until_there(&a, &[7]);

    // Devices are up with whatever endpoint; that nothing arrives there is said, too.
    let missing = "no interface has our tunnel endpoint 10.10.0.99";
    assert!(!a.daemon().said("show summary").contains(missing));
    a.daemon()
        .configure(&config(&[7]).replace("vtep = \"10.10.0.1\"", "vtep = \"10.10.0.99\""));
    assert!(a.daemon().ctl("reload").status.success());
    for question in ["show summary", "show evpn vni"] {
        let said = a.daemon().said(question);
        assert!(said.contains(missing), "{question}: {said}");
    }
    a.ip("addr add 10.10.0.99/32 dev lo");
    until("the endpoint is found", || {
        let said = a.daemon().said("show summary");
        match said.contains(missing) {
            true => Err(said),
            false => Ok(()),
        }
    });
}

/// What FRR's zebra does of VXLAN devices under `advertise-all-vni`.
#[test]
fn devices_of_others_are_taken_up_as_they_come_and_let_go_as_they_go() {
    let Some((mut a, _b)) = sites("vni-others") else {
        return;
    };
    let text = "asn = 65001\nrouter_id = \"10.10.0.1\"\n\
                [[neighbor]]\naddress = \"10.10.0.2\"\nremote_as = 65002\nevpn = {}\n";
    a.start(text);
    a.daemon().until_logged("rbgpd runs");
    let lines = [
        "configure terminal",
        "router bgp 65001",
        "address-family l2vpn evpn",
        "advertise-all-vni",
        "vni 200",
        "rd 10.10.0.1:7",
        "end",
    ];
    let mut arguments = vec!["vtysh"];
    lines.iter().for_each(|line| arguments.extend(["-c", line]));
    let said = a.daemon().rbgpctl(&arguments);
    assert!(said.status.success(), "{said:?}");
    // The block without a device is one that rbgpd makes; it makes room for one that others do.
    a.until_seen("-o link show", |seen| seen.contains(" vxlan200:"));

    let vnis = |wanted: &[(u64, &str)]| {
        until(&format!("{wanted:?} are taken up"), || {
            let said = a.daemon().json("show evpn vni");
            let all = said["vnis"].as_array().unwrap().iter();
            let mut seen: Vec<(u64, &str)> = all
                .map(|it| (it["vni"].as_u64().unwrap(), it["vxlan"].as_str().unwrap()))
                .collect();
            seen.sort_unstable();
            (seen == wanted).then_some(()).ok_or(said.to_string())
        });
    };
    let make = |vni: u32| {
        a.ip(&format!("link add bridge{vni} type bridge"));
        a.ip(&format!(
            "link add vx{vni} type vxlan id {vni} local 10.10.0.1 dstport 4789 nolearning"
        ));
        a.ip(&format!("link set vx{vni} master bridge{vni}"));
        a.ip(&format!("link set bridge{vni} up"));
        a.ip(&format!("link set vx{vni} up"));
    };
    vnis(&[(200, "vxlan200")]);
    make(100);
    make(101);
    vnis(&[(100, "vx100"), (101, "vx101"), (200, "vxlan200")]);
    a.ip("link set vx101 nomaster");
    vnis(&[(100, "vx100"), (200, "vxlan200")]);
    a.ip("link set vx101 master bridge101");
    vnis(&[(100, "vx100"), (101, "vx101"), (200, "vxlan200")]);

    // Made anew under the same name, as ifupdown2 does, and gone for good.
    a.ip("link del vx100");
    a.ip("link add vx100 type vxlan id 100 local 10.10.0.1 dstport 4789 nolearning");
    a.ip("link set vx100 master bridge100 up");
    vnis(&[(100, "vx100"), (101, "vx101"), (200, "vxlan200")]);
    a.ip("link del vx101");
    vnis(&[(100, "vx100"), (200, "vxlan200")]);
    assert_eq!(
        devices(&a, "vxlan"),
        ["vx100", "vxlan200"].map(str::to_owned).into()
    );
    // One with a block, too.
    let lines = [
        "configure terminal",
        "router bgp 65001",
        "address-family l2vpn evpn",
        "vni 100",
        "rd 10.10.0.1:8",
        "end",
    ];
    let mut arguments = vec!["vtysh"];
    lines.iter().for_each(|line| arguments.extend(["-c", line]));
    let said = a.daemon().rbgpctl(&arguments);
    assert!(said.status.success(), "{said:?}");
    a.ip("link del vx100");
    vnis(&[(200, "vxlan200")]);
    assert_eq!(devices(&a, "vxlan"), names("vxlan", &[200]));
    a.ip("link add vx-other type vxlan id 100 local 10.10.0.1 dstport 4789 nolearning");
    a.ip("link set vx-other master bridge100 up");
    vnis(&[(100, "vx-other"), (200, "vxlan200")]);
}
