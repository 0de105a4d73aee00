//! One VXLAN device with a VNI filter and one VLAN-aware bridge for several overlays.
//!
//! Needs a kernel with VLAN filtering of bridges, VLAN devices and `vnifilter` (Linux 5.18); on one
//! without, [`a_kernel_without_vlans_is_named`] has something to see and the others run in a guest
//! that has them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use fib::{
    Change, Entry, Event, FdbKey, FloodKey, KernelHandle, Key, Lane, Mac, Neighbour, NeighbourKey,
    Overlay, RemoteMac, Segment, Sweep,
};

use crate::elsewhere;
use crate::entries::ip;
use crate::namespace::{PATIENCE, enter_namespace, run, try_run, underlay, until};
use crate::thread::{is_installed, start};

/// The kernel tells VLANs of a bridge apart, and has VLAN devices. False, after the test was run
/// elsewhere or skipped, where it does not.
pub(crate) fn has_vlans() -> bool {
    let (made, _) = try_run(
        "ip link add probe type bridge vlan_filtering 1 && ip -d link show probe | grep -q \
         'vlan_filtering 1' && ip link add link probe name probe.5 type vlan id 5",
    );
    try_run("ip link del probe");
    if !made {
        let why = "needs a kernel with VLAN filtering and VLAN devices";
        elsewhere::run_this_test(why);
    }
    made
}

fn lane(vlan: u16) -> Lane {
    Lane {
        bridge: "br-evpn".into(),
        vlan,
        mtu: 1450,
    }
}

pub(crate) fn overlay(vni: u32, vlan: u16) -> Overlay {
    Overlay::new(vni, ip("10.0.0.1"), 1400)
        .on("vxlan0", lane(vlan))
        .gateway(format!("10.{vlan}.0.1/24").parse().unwrap())
}

fn mac(last: u8) -> Mac {
    Mac([2, 0, 0, 0, 0, last])
}

/// What is wanted of a remote host.
fn host(vni: u32, vlan: u16, last: u8) -> Vec<Change> {
    let segment = Some(Segment { vni, vlan });
    let remote = RemoteMac {
        tunnel: ip("10.0.0.2").into(),
        sticky: false,
    };
    let neighbour = NeighbourKey {
        device: format!("br-evpn.{vlan}").as_str().into(),
        ip: ip(&format!("10.{vlan}.0.{last}")),
    };
    let known = Neighbour {
        mac: mac(last),
        router: false,
    };
    vec![
        Change::Set(Entry::Fdb(
            FdbKey::new("vxlan0", mac(last)).within(segment),
            remote,
        )),
        Change::Set(Entry::Flood(
            FloodKey::new("vxlan0", ip("10.0.0.2")).within(segment),
        )),
        Change::Set(Entry::Neighbour(neighbour, known)),
    ]
}

fn want(kernel: &KernelHandle, vni: u32, overlay: Overlay) {
    kernel.want(Entry::Overlay(vni, Arc::new(overlay)));
}

/// What belongs to overlays, in the words of `ip` and `bridge`, without numbers given by chance.
/// The operational state aside, which follows by itself, a moment later.
fn state() -> Vec<String> {
    let text = run("bridge vlan tunnelshow; bridge vlan show dev vxlan0; \
         bridge vlan show dev br-evpn; bridge vni show; ip neigh | grep 02:00; \
         ip -br link | grep evpn | cut -d' ' -f1; \
         ip -br -4 address | grep evpn | sed 's/ UNKNOWN / /; s/ UP / /'; \
         bridge fdb | grep -E '02:00:|00:00:00:00:00:00 dev vx'");
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut lines: Vec<String> = text.lines().map(words).collect();
    lines.sort();
    lines
}

#[test]
fn overlays_on_one_device_are_made_repaired_and_removed_each_by_itself() {
    if !enter_namespace() || !has_vlans() {
        return;
    }
    underlay();
    let (kernel, heard) = start();
    kernel.sweep(Sweep::All);
    let gateway_mac = Mac([2, 0, 0x5e, 0, 0, 200]);
    want(&kernel, 5010, overlay(5010, 10));
    want(&kernel, 5020, overlay(5020, 20).gateway_mac(gateway_mac));
    kernel.changes(host(5010, 10, 7).into_iter().chain(host(5020, 20, 7)));
    for vni in [5010, 5020] {
        heard.wait("overlay", |event| is_installed(event, &Key::Overlay(vni)));
    }
    kernel.flush().unwrap();
    assert_eq!(kernel.verify().unwrap(), []);
    let vxlan = run("ip -d link show vxlan0");
    for part in [
        "vxlan external vnifilter",
        "local 10.0.0.1",
        "dstport 4789",
        "nolearning",
        "mtu 1450",
        "master br-evpn",
        "learning off",
        "neigh_suppress on",
        "vlan_tunnel on",
        "addrgenmode none",
        "alias rbgpd",
        ",UP",
    ] {
        assert!(vxlan.contains(part), "no `{part}` in {vxlan}");
    }
    let bridge = run("ip -d link show br-evpn");
    assert!(
        bridge.contains("vlan_filtering 1") && bridge.contains(",UP"),
        "{bridge}"
    );
    let svi = run("ip -d link show br-evpn.20; ip address show br-evpn.20");
    for part in [
        "vlan protocol 802.1Q id 20",
        "mtu 1400",
        "link/ether 02:00:5e:00:00:c8",
        "alias rbgpd",
        "inet 10.20.0.1/24",
        ",UP",
    ] {
        assert!(svi.contains(part), "no `{part}` in {svi}");
    }
    let fdb = run("bridge fdb");
    for part in [
        "02:00:00:00:00:07 dev vxlan0 vlan 10 extern_learn master br-evpn",
        "02:00:00:00:00:07 dev vxlan0 vlan 20 extern_learn master br-evpn",
        "02:00:00:00:00:07 dev vxlan0 dst 10.0.0.2 src_vni 5010 self extern_learn",
        "02:00:00:00:00:07 dev vxlan0 dst 10.0.0.2 src_vni 5020 self extern_learn",
        "00:00:00:00:00:00 dev vxlan0 dst 10.0.0.2 src_vni 5010 self permanent",
        "02:00:5e:00:00:c8 dev br-evpn vlan 20 master br-evpn permanent",
    ] {
        assert!(fdb.contains(part), "no `{part}` in {fdb}");
    }
    let vnis: Vec<String> = filter();
    assert_eq!(vnis, ["5010", "5020"]);
    assert_eq!(tunnels(), BTreeMap::from([(10, 5010), (20, 5020)]));
    let whole = state();

    // Whatever is taken away comes back.
    for taken in [
        "bridge vlan del dev vxlan0 vid 10",
        "bridge vlan del dev br-evpn vid 20 self",
        "bridge vni delete vni 5010 dev vxlan0",
        "bridge vlan del dev vxlan0 vid 20 tunnel_info id 5020",
        "bridge fdb del 02:00:5e:00:00:c8 dev br-evpn vlan 20",
        "bridge fdb del 02:00:00:00:00:07 dev vxlan0 src_vni 5010 dst 10.0.0.2 self",
        "bridge fdb del 02:00:00:00:00:07 dev vxlan0 vlan 20 master",
        "bridge fdb del 00:00:00:00:00:00 dev vxlan0 src_vni 5020 dst 10.0.0.2 self",
        "ip link set br-evpn type bridge vlan_filtering 0",
        "bridge link set dev vxlan0 vlan_tunnel off",
        "ip link set vxlan0 nomaster",
        "ip link del br-evpn.10",
        "ip link del vxlan0",
        "ip link del br-evpn",
    ] {
        run(taken);
        until_whole(taken, &whole);
        assert_eq!(kernel.verify().unwrap(), [], "after `{taken}`");
    }

    // One goes, the other does not notice.
    let (from, other) = (heard.count(), run("ip -s link show br-evpn.20 | head -2"));
    kernel.changes(
        host(5010, 10, 7)
            .iter()
            .map(|change| Change::Unset(change.key())),
    );
    kernel.unwant(Key::Overlay(5010));
    until("bridge vni; bridge vlan; ip link", |text| {
        !text.contains("5010") && !text.contains("br-evpn.10")
    });
    kernel.flush().unwrap();
    assert_eq!(tunnels(), BTreeMap::from([(20, 5020)]));
    let left = run("bridge fdb; bridge vlan; ip neigh");
    assert!(
        !left.contains("src_vni 5010") && !left.contains("vlan 10"),
        "{left}"
    );
    assert!(!has_vlan("vxlan0", 10) && !has_vlan("br-evpn", 10));
    assert_eq!(run("ip -s link show br-evpn.20 | head -2"), other);
    assert!(!heard.any_from(from, |event| {
        matches!(event, Event::Removed { key } if *key == Key::Overlay(5020))
    }));
    assert_eq!(kernel.verify().unwrap(), []);
    // It comes back, to another VLAN.
    want(&kernel, 5010, overlay(5010, 11));
    kernel.changes(host(5010, 11, 7));
    kernel.flush().unwrap();
    assert_eq!(tunnels(), BTreeMap::from([(11, 5010), (20, 5020)]));
    assert_eq!(kernel.verify().unwrap(), []);

    for (vni, vlan) in [(5010, 11), (5020, 20)] {
        kernel.changes(
            host(vni, vlan, 7)
                .iter()
                .map(|change| Change::Unset(change.key())),
        );
        kernel.unwant(Key::Overlay(vni));
    }
    until("ip link", |text| {
        !text.contains("br-evpn") && !text.contains("vxlan0")
    });
}

fn until_whole(taken: &str, whole: &[String]) {
    let start = Instant::now();
    loop {
        let now = state();
        if now == whole {
            return;
        }
        let missing: Vec<_> = whole.iter().filter(|line| !now.contains(line)).collect();
        let more: Vec<_> = now.iter().filter(|line| !whole.contains(line)).collect();
        assert!(
            start.elapsed() < PATIENCE,
            "after `{taken}`: missing {missing:#?}, more {more:#?}"
        );
    }
}

fn filter() -> Vec<String> {
    let text = run("bridge vni show dev vxlan0");
    let words = text.split_whitespace().flat_map(|word| word.split('-'));
    words
        .filter(|word| word.parse::<u32>().is_ok())
        .map(str::to_owned)
        .collect()
}

/// VNIs by VLAN.
fn tunnels() -> BTreeMap<u16, u32> {
    let text = run("bridge vlan tunnelshow dev vxlan0");
    let pair = |line: &str| {
        let numbers: Vec<u32> = line
            .split_whitespace()
            .filter_map(|it| it.parse().ok())
            .collect();
        match numbers[..] {
            [vlan, vni] => Some((u16::try_from(vlan).unwrap(), vni)),
            _ => None,
        }
    };
    text.lines().filter_map(pair).collect()
}

fn has_vlan(device: &str, vlan: u16) -> bool {
    let text = run(&format!("bridge vlan show dev {device}"));
    text.split_whitespace().any(|word| word == vlan.to_string())
}

#[test]
fn hosts_of_a_vlan_are_told_as_hosts_of_its_vni() {
    if !enter_namespace() || !has_vlans() {
        return;
    }
    underlay();
    let (kernel, heard) = start();
    want(&kernel, 5010, overlay(5010, 10));
    want(&kernel, 5020, overlay(5020, 20));
    kernel.flush().unwrap();
    for (port, vlan) in [("pa", 10), ("pb", 20), ("pc", 30)] {
        run(&format!(
            "ip link add {port} type veth peer name {port}-vm; ip link set {port} master br-evpn; \
             ip link set {port} up; ip link set {port}-vm up; bridge vlan del dev {port} vid 1; \
             bridge vlan add dev {port} vid {vlan} pvid untagged; \
             bridge fdb add 02:00:00:00:00:0{} dev {port} master dynamic vlan {vlan}",
            vlan / 10
        ));
    }
    let local = |event: &Event, of: u32, last: u8, is: bool| {
        matches!(event, Event::LocalMac { vni, mac: heard, present, .. }
            if (*vni, *heard, *present) == (of, mac(last), is))
    };
    heard.wait("a host in VNI 5010", |event| local(event, 5010, 1, true));
    heard.wait("a host in VNI 5020", |event| local(event, 5020, 2, true));
    run("ip neigh add 10.20.0.9 lladdr 02:00:00:00:00:02 dev br-evpn.20 nud reachable");
    heard.wait("its neighbour", |event| {
        matches!(event, Event::LocalNeighbour { vni: 5020, ip: heard, present: true, .. }
            if *heard == ip("10.20.0.9"))
    });
    assert!(
        !heard.any(|event| {
            matches!(event, Event::LocalMac { mac: heard, .. } if *heard == mac(3))
        })
    );
    // A host that is here is not taken back from where it was.
    kernel.changes(host(5010, 10, 1).into_iter().take(1));
    kernel.flush().unwrap();
    let from = heard.count();
    // Its first frames.
    run(
        "ip link set pa-vm down; ip link set pa-vm address 02:00:00:00:00:01; \
         ip link set pa-vm up",
    );
    heard.wait_from(from, "it is on this side", |event| {
        matches!(event, Event::Failed { key: Key::Fdb(key), .. } if key.mac == mac(1))
            || local(event, 5010, 1, true)
    });
    // A VLAN that is another VNI's takes its hosts along.
    let from = heard.count();
    kernel.unwant(Key::Overlay(5020));
    heard.wait_from(from, "it is gone", |event| local(event, 5020, 2, false));
    kernel.stop(true);
}

#[test]
fn a_restart_takes_the_devices_over_and_a_sweep_removes_what_nobody_wants() {
    if !enter_namespace() || !has_vlans() {
        return;
    }
    underlay();
    let (kernel, _) = start();
    for (vni, vlan, last) in [(5010, 10, 10), (5020, 20, 20)] {
        let overlay = overlay(vni, vlan).gateway_mac(Mac([2, 0, 0x5e, 0, 0, last]));
        want(&kernel, vni, overlay);
        kernel.changes(host(vni, vlan, 7));
    }
    kernel.flush().unwrap();
    kernel.stop(true);
    let before = run("ip -o link show vxlan0; ip -o link show br-evpn.10");

    let (kernel, heard) = start();
    let overlay = overlay(5010, 10).gateway_mac(Mac([2, 0, 0x5e, 0, 0, 10]));
    want(&kernel, 5010, overlay);
    kernel.changes(host(5010, 10, 7));
    kernel.flush().unwrap();
    kernel.sweep(Sweep::All);
    until("bridge vni; bridge vlan; bridge fdb; ip link", |text| {
        !text.contains("5020") && !text.contains("br-evpn.20") && !text.contains("vlan 20 ")
    });
    kernel.flush().unwrap();
    assert_eq!(kernel.verify().unwrap(), []);
    assert_eq!(
        run("ip -o link show vxlan0; ip -o link show br-evpn.10"),
        before
    );
    assert_eq!(tunnels(), BTreeMap::from([(10, 5010)]));
    assert!(!has_vlan("vxlan0", 1), "untagged frames have no VNI");
    let written =
        |event: &Event| matches!(event, Event::Removed { key } if *key != Key::Overlay(5020));
    assert!(heard.any(|event| is_installed(event, &Key::Overlay(5010))));
    let fdb = host(5010, 10, 7)[0].key();
    assert!(
        !heard
            .any(|event| written(event) && matches!(event, Event::Removed { key } if *key == fdb))
    );
    kernel.stop(true);
}

#[test]
fn devices_of_others_are_used_and_keep_what_is_theirs() {
    if !enter_namespace() || !has_vlans() {
        return;
    }
    underlay();
    // As ifupdown2 makes them of `vxlan-vlan-vni-map 10=5010 30=5030`.
    run(
        "ip link add br-evpn type bridge vlan_filtering 1 vlan_default_pvid 1; \
         ip link add vxlan0 type vxlan external vnifilter local 10.0.0.1 dstport 4789 nolearning; \
         ip link set vxlan0 mtu 1450 master br-evpn; ip link set br-evpn mtu 1450; \
         bridge link set dev vxlan0 learning off neigh_suppress on vlan_tunnel on; \
         for pair in 10=5010 30=5030; do \
           bridge vlan add dev vxlan0 vid ${pair%=*}; \
           bridge vlan add dev vxlan0 vid ${pair%=*} tunnel_info id ${pair#*=}; \
           bridge vni add dev vxlan0 vni ${pair#*=}; done; \
         ip link set br-evpn up; ip link set vxlan0 up",
    );
    let (kernel, heard) = start();
    kernel.sweep(Sweep::All);
    let wanted = |vni, vlan| {
        let mut overlay = overlay(vni, vlan);
        overlay.mtu = 1450;
        overlay
    };
    want(&kernel, 5010, wanted(5010, 10));
    want(&kernel, 5020, wanted(5020, 20));
    for vni in [5010, 5020] {
        heard.wait("overlay", |event| is_installed(event, &Key::Overlay(vni)));
    }
    assert_eq!(kernel.verify().unwrap(), []);
    let all = [(10, 5010), (20, 5020), (30, 5030)];
    assert_eq!(tunnels(), BTreeMap::from(all));
    // A VLAN that they use for another VNI is named, and left.
    want(&kernel, 5040, wanted(5040, 30));
    let said = heard.failure_of(&Key::Overlay(5040));
    assert_eq!(
        said,
        "VLAN 30 of `vxlan0` is mapped to VNI 5030, but VLAN 30 must be mapped to 5040: \
         `bridge vlan del dev vxlan0 vid 30`"
    );
    kernel.unwant(Key::Overlay(5040));
    kernel.unwant(Key::Overlay(5010));
    kernel.unwant(Key::Overlay(5020));
    until("ip link; bridge vni", |text| {
        !text.contains("br-evpn.") && !text.contains("5020")
    });
    kernel.flush().unwrap();
    let theirs = BTreeMap::from([(10, 5010), (30, 5030)]);
    assert_eq!(tunnels(), theirs, "what we did not add stays");
    assert_eq!(filter(), ["5010", "5030"]);
    kernel.stop(true);
}

/// Devices as ifupdown2 makes them of `vxlan-vlan-vni-map 30=5030`, with a site of somebody's.
fn made_by_others(port: u16) {
    run(&format!(
        "ip link add br-evpn type bridge vlan_filtering 1 vlan_default_pvid 1; \
         ip link add vxlan0 type vxlan external vnifilter local 10.0.0.1 dstport {port} nolearning; \
         ip link set vxlan0 mtu 1450 master br-evpn; ip link set br-evpn mtu 1450; \
         bridge link set dev vxlan0 learning off neigh_suppress on vlan_tunnel on; \
         bridge vlan add dev vxlan0 vid 30; bridge vlan add dev vxlan0 vid 30 tunnel_info id 5030; \
         bridge vni add dev vxlan0 vni 5030; ip link set br-evpn up; ip link set vxlan0 up; \
         bridge fdb append 00:00:00:00:00:00 dev vxlan0 dst 10.0.0.9 src_vni 5030 self permanent"
    ));
}

#[test]
fn a_device_of_others_that_cannot_carry_the_overlays_is_left_alone() {
    if !enter_namespace() || !has_vlans() {
        return;
    }
    underlay();
    made_by_others(8472);
    let before =
        run("bridge fdb show dev vxlan0; bridge vni; bridge vlan; bridge vlan tunnelshow");
    let (kernel, heard) = start();
    kernel.sweep(Sweep::All);
    want(&kernel, 5010, overlay(5010, 10));
    kernel.changes(host(5010, 10, 7));
    let fdb = host(5010, 10, 7)[0].key();
    let said = heard.failure_of(&fdb);
    assert!(
        said.starts_with(
            "`vxlan0` cannot carry the overlay as it stands, and is left alone: dstport"
        ),
        "{said}"
    );
    kernel.flush().unwrap();
    assert!(!kernel.status(fdb.clone()).unwrap().installed);
    let now = run("bridge fdb show dev vxlan0; bridge vni; bridge vlan; bridge vlan tunnelshow");
    assert_eq!(now, before);
    run("ip link del vxlan0");
    heard.wait("an entry", |event| is_installed(event, &fdb));
    kernel.flush().unwrap();
    assert_eq!(kernel.verify().unwrap(), []);
    kernel.stop(false);
    run("ip link del br-evpn; ip link del vxlan0");

    // One that fits, and a VLAN that is another VNI's: this overlay alone waits.
    made_by_others(4789);
    let (kernel, heard) = start();
    let wanted = |vni, vlan| Overlay {
        mtu: 1450,
        ..overlay(vni, vlan)
    };
    want(&kernel, 5010, wanted(5010, 10));
    want(&kernel, 5040, wanted(5040, 30));
    kernel.changes(host(5010, 10, 7).into_iter().chain(host(5040, 30, 7)));
    let (fits, waits) = (&host(5010, 10, 7)[0].key(), &host(5040, 30, 7)[0].key());
    heard.wait("the other overlay", |event| is_installed(event, fits));
    let said = heard.failure_of(waits);
    assert!(
        said.contains("VLAN 30 of `vxlan0` is mapped to VNI 5030"),
        "{said}"
    );
    kernel.flush().unwrap();
    assert_eq!(filter(), ["5010", "5030"], "not the VNI that waits");
    assert!(!run("bridge fdb show dev vxlan0").contains("src_vni 5040"));
    run("bridge vlan del dev vxlan0 vid 30");
    heard.wait("the overlay that waited", |event| {
        is_installed(event, waits)
    });
    kernel.flush().unwrap();
    assert_eq!(kernel.verify().unwrap(), []);
    kernel.stop(false);
}

#[test]
fn what_does_not_fit_is_named_with_the_command_that_mends_it() {
    if !enter_namespace() || !has_vlans() {
        return;
    }
    underlay();
    let (kernel, heard) = start();
    for (made, said, mended) in [
        (
            "ip link add br-evpn type bridge",
            "vlan_filtering of `br-evpn` is off, but must be on: \
             `ip link set br-evpn type bridge vlan_filtering 1`; \
             mtu of `br-evpn` is 1500, but must be 1450: `ip link set br-evpn mtu 1450`; \
             state of `br-evpn` is down, but must be up: `ip link set br-evpn up`",
            "ip link set br-evpn type bridge vlan_filtering 1; ip link set br-evpn up mtu 1450",
        ),
        (
            "ip link add vxlan0 type vxlan id 5010 dstport 4789 local 10.0.0.1",
            "external of `vxlan0` is off, but must be on: `ip link del vxlan0`, and it is made as \
             it must be",
            "ip link del vxlan0",
        ),
        (
            "ip link add vxlan0 type vxlan external dstport 4789 local 10.0.0.1 nolearning",
            "vnifilter of `vxlan0` is off, but must be on: `ip link del vxlan0`, and it is made as \
             it must be",
            "ip link del vxlan0",
        ),
        (
            // iproute2 leaves it off beside `external`, depending on its age.
            "ip link add vxlan0 type vxlan external vnifilter dstport 4789 local 10.0.0.1 learning; \
             ip link set vxlan0 master br-evpn mtu 1450 up",
            "learning of `vxlan0` is on, but must be off: \
             `ip link set vxlan0 type vxlan external nolearning`; \
             bridge port learning of `vxlan0` is on, but must be off: \
             `bridge link set dev vxlan0 learning off`; \
             bridge port neigh_suppress of `vxlan0` is off, but must be on: \
             `bridge link set dev vxlan0 neigh_suppress on`; \
             bridge port vlan_tunnel of `vxlan0` is off, but must be on: \
             `bridge link set dev vxlan0 vlan_tunnel on`",
            "ip link del vxlan0",
        ),
        (
            "ip link add other type vxlan id 77 dstport 4789 local 10.0.0.1; ip link set other up",
            "set up of `vxlan0`: UDP port 4789 is in use by `other`; one port is either for devices \
             with one VNI or for one with several: another `port`, or `ip link del other`",
            "ip link del other",
        ),
        (
            "ip link add br-evpn.10 type veth peer name foo",
            "type of `br-evpn.10` is veth, but must be VLAN 10 of br-evpn: \
             `ip link del br-evpn.10`, and it is made as it must be",
            "ip link del br-evpn.10",
        ),
    ] {
        run(made);
        want(&kernel, 5010, overlay(5010, 10));
        let heard_said = heard.failure_of(&Key::Overlay(5010));
        assert_eq!(heard_said, said, "after `{made}`");
        let from = heard.count();
        run(mended);
        if made.contains("br-evpn type bridge") {
            // Used from here on.
            kernel.unwant(Key::Overlay(5010));
            kernel.flush().unwrap();
            heard.clear();
            continue;
        }
        heard.wait_from(from, "made room", |event| {
            is_installed(event, &Key::Overlay(5010))
        });
        assert_eq!(kernel.verify().unwrap(), [], "after `{mended}`");
        kernel.unwant(Key::Overlay(5010));
        until("ip link", |text| !text.contains("vxlan0"));
        kernel.flush().unwrap();
        heard.clear();
    }
    kernel.stop(true);
}

#[test]
fn a_kernel_without_vlans_is_named() {
    if !enter_namespace() {
        return;
    }
    underlay();
    if try_run("ip link add probe type bridge vlan_filtering 1").0 {
        eprintln!("skipped: this kernel has VLAN filtering");
        return;
    }
    let (kernel, heard) = start();
    want(&kernel, 5010, overlay(5010, 10));
    // One with devices of its own does not mind.
    let own = Overlay::new(100, ip("10.0.0.1"), 1450);
    let own = Overlay { port: 4790, ..own };
    want(&kernel, 100, own);
    heard.wait("the other one", |event| {
        is_installed(event, &Key::Overlay(100))
    });
    let said = heard.failure_of(&Key::Overlay(5010));
    let wanted = "create bridge `br-evpn` with VLANs: `br-evpn` cannot tell VLANs apart: this kernel is built without \
                  CONFIG_BRIDGE_VLAN_FILTERING; a VXLAN device for each VNI works without it";
    assert_eq!(said, wanted);
    assert_eq!(kernel.verify().unwrap().len(), 1);
    let links = run("ip link");
    assert!(
        !links.contains("br-evpn") && !links.contains("vxlan0"),
        "{links}"
    );
    kernel.stop(true);
}
