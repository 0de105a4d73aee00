//! Symmetric routing between two sites: packets from one subnet of a tenant to another, through the
//! tenant's L3VNI, where every site has its own subnets only.
//!
//! ```text
//!  h1 10.1.0.10 ─ br101 ┐                                     ┌ br102 ─ 10.2.0.10 h2
//!                       red (1001) ─ br4001 ═ VXLAN ═ br4001 ─ red
//!                 site 1: VTEP .1      u ───────────── u      site 2: VTEP .2
//!                       blue (1002) ─ br4002 ═ VXLAN ═ br4002 ─ blue
//!  h3 10.1.0.10 ─ br201 ┘                                     └ br202 ─ 10.2.0.10 h4
//! ```
//!
//! Both tenants have the same addresses. The wishes are those that a control plane would have, made
//! by hand. Needs a kernel with VRFs: this machine's, or user-mode Linux.

use std::fs::File;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use fib::{
    Entry, FdbKey, KernelHandle, Key, Mac, Neighbour, NeighbourKey, NextHop, Overlay, RemoteMac,
    Route, RouteKey, Vrf, tunnel_gateway,
};
use nix::sched::{CloneFlags, setns, unshare};

use crate::entries::ip;
use crate::namespace::{run, try_run, until};
use crate::skip;
use crate::thread::start;
use crate::vrfs::enter_with_vrfs;

/// A namespace that lives as long as this does.
struct Space(Child);

impl Space {
    /// A new one, which its process is in when this returns. The calling thread stays where it is.
    fn new() -> Self {
        let child = std::thread::spawn(|| {
            unshare(CloneFlags::CLONE_NEWNET).unwrap();
            run("ip link set lo up");
            Command::new("sleep")
                .arg("infinity")
                .stdin(Stdio::null())
                .spawn()
                .unwrap()
        });
        Self(child.join().unwrap())
    }

    fn id(&self) -> u32 {
        self.0.id()
    }

    /// The calling thread is in there from now on.
    fn enter(&self) {
        let space = File::open(format!("/proc/{}/ns/net", self.id())).unwrap();
        setns(space, CloneFlags::CLONE_NEWNET).unwrap();
    }

    /// A veth pair from here to there.
    fn wire(&self, name: &str, other: &Self, peer: &str) {
        self.enter();
        run(&format!(
            "ip link add {name} type veth peer name {peer} netns {}",
            other.id()
        ));
    }

    /// One packet there and back, of either family.
    fn reaches(&self, address: &str) -> bool {
        self.enter();
        try_run(&format!("ping -c 1 -W 1 {address}")).0
    }
}

impl Drop for Space {
    fn drop(&mut self) {
        let ended = self.0.kill().and_then(|()| self.0.wait());
        assert!(ended.is_ok() || std::thread::panicking(), "{ended:?}");
    }
}

struct Tenant {
    vrf: Vrf,
    l3: u32,
    /// VNI of the subnet of the first site; that of the second is the next.
    l2: u32,
    /// The hosts at the two sites.
    hosts: [Space; 2],
}

impl Tenant {
    fn new(name: &str, number: u32) -> Self {
        Self {
            vrf: Vrf::new(name, 1000 + number),
            l3: 4000 + number,
            l2: 100 * number + 1,
            hosts: [Space::new(), Space::new()],
        }
    }

    /// The router's MAC address at a site.
    fn router(&self, site: u8) -> Mac {
        let [_, _, a, b] = self.l3.to_be_bytes();
        Mac([2, 0, 0, a, b, site])
    }

    fn l3_bridge(&self) -> String {
        format!("br{}", self.l3)
    }

    /// What a site wishes for: its own subnet, and the way to the other's.
    fn wishes(&self, site: u8, vteps: &[String; 2]) -> Vec<Entry> {
        let other = 3 - site;
        let vtep = |site: u8| ip(&vteps[usize::from(site) - 1]);
        let mac = self.router(other);
        let l2 = self.l2 + u32::from(site) - 1;
        let l3 = Overlay::layer3(
            self.l3,
            vtep(site),
            1400,
            self.vrf.clone(),
            self.router(site),
        );
        let subnet = Overlay::new(l2, vtep(site), 1400)
            .gateway(format!("10.{site}.0.1/24").parse().unwrap())
            .gateway(format!("fd00:{site}::1/64").parse().unwrap())
            .gateway_mac("02:00:5e:00:00:01".parse().unwrap())
            .vrf(self.vrf.clone());
        let remote = RemoteMac {
            tunnel: vtep(other).into(),
            sticky: false,
        };
        let mut wishes = vec![
            Entry::Overlay(self.l3, Arc::new(l3)),
            Entry::Overlay(l2, Arc::new(subnet)),
            Entry::Fdb(FdbKey::new(format!("vx{}", self.l3), mac), remote),
        ];
        for (ipv6, prefix) in [
            (false, format!("10.{other}.0.0/24")),
            (true, format!("fd00:{other}::/64")),
        ] {
            let neighbour = NeighbourKey {
                device: self.l3_bridge().into(),
                ip: tunnel_gateway(vtep(other), ipv6),
            };
            let key = RouteKey::new(self.vrf.table, prefix.parse().unwrap());
            let hop = NextHop::through(self.l3_bridge(), vtep(other), ipv6);
            wishes.push(Entry::Neighbour(neighbour, Neighbour { mac, router: true }));
            wishes.push(Entry::Route(key, Arc::new(Route::via([hop]))));
        }
        wishes
    }

    /// Puts the host of a site to its bridge.
    fn attach(&self, site: u8, at: &Space) {
        let host = &self.hosts[usize::from(site) - 1];
        let (port, bridge) = (
            format!("port{}", self.vrf.table),
            self.l2 + u32::from(site) - 1,
        );
        at.wire(&port, host, "eth0");
        run(&format!("ip link set {port} mtu 1400 master br{bridge} up"));
        host.enter();
        run(&format!(
            "ip link set eth0 mtu 1400 up; ip address add 10.{site}.0.10/24 dev eth0; \
             ip address add fd00:{site}::10/64 dev eth0 nodad; \
             ip route add default via 10.{site}.0.1; ip route add default via fd00:{site}::1"
        ));
    }

    /// Both families, both directions.
    #[track_caller]
    fn is_connected(&self) {
        for (at, other) in [(0, 2), (1, 1)] {
            for address in [format!("10.{other}.0.10"), format!("fd00:{other}::10")] {
                self.hosts[at].enter();
                until(&format!("ping -c 1 -W 1 {address}"), |text| {
                    text.contains("1 received")
                });
            }
        }
    }

    fn installed(&self, kernel: &KernelHandle, wishes: &[Entry]) -> bool {
        let there = |wish: &Entry| kernel.status(wish.key()).unwrap().installed;
        wishes.iter().all(there)
    }
}

/// Two sites over an underlay of this family.
fn between_two_sites(vteps: [&str; 2], length: u8) {
    let sites = [Space::new(), Space::new()];
    let vteps = vteps.map(str::to_owned);
    sites[0].wire("u", &sites[1], "u");
    // The second one as many distributions set it up.
    for ((site, vtep), filter) in sites.iter().zip(&vteps).zip([0, 2]) {
        site.enter();
        let nodad = if vtep.contains(':') { "nodad" } else { "" };
        run(&format!(
            "ip link set u up; ip address add {vtep}/{length} dev u {nodad}; \
             echo 1 > /proc/sys/net/ipv4/ip_forward; \
             echo {filter} > /proc/sys/net/ipv4/conf/default/rp_filter; \
             echo 1 > /proc/sys/net/ipv6/conf/all/forwarding"
        ));
    }
    let tenants = [Tenant::new("red", 1), Tenant::new("blue", 2)];
    let kernels = [1, 2].map(|site: u8| {
        sites[usize::from(site) - 1].enter();
        let (kernel, _) = start();
        for tenant in &tenants {
            let wishes = tenant.wishes(site, &vteps);
            kernel.changes(wishes.iter().cloned().map(fib::Change::Set));
            until("true", |_| tenant.installed(&kernel, &wishes));
            tenant.attach(site, &sites[usize::from(site) - 1]);
        }
        kernel.flush().unwrap();
        assert_eq!(kernel.verify().unwrap(), []);
        kernel
    });
    tenants.iter().for_each(Tenant::is_connected);

    // A tenant's packets are its own: the other one has the same addresses, and hears nothing.
    let [red, blue] = &tenants;
    let key = |prefix: &str| Key::Route(RouteKey::new(red.vrf.table, prefix.parse().unwrap()));
    for prefix in ["10.2.0.0/24", "fd00:2::/64"] {
        kernels[0].unwant(key(prefix));
    }
    kernels[0].flush().unwrap();
    assert!(!red.hosts[0].reaches("10.2.0.10"));
    assert!(!red.hosts[0].reaches("fd00:2::10"));
    blue.is_connected();
    let again = red.wishes(1, &vteps);
    kernels[0].changes(again.into_iter().map(fib::Change::Set));
    red.is_connected();

    // Frames carry the L3VNI and the router's address, in both directions: the FDB of the L3VNI leads
    // to the other site, and nothing of the other's subnet is known here.
    sites[0].enter();
    let fdb = run("bridge fdb show dev vx4001");
    let to_other = format!("{} dst {} self extern_learn", red.router(2), vteps[1]);
    assert!(fdb.contains(&to_other), "{fdb}");
    let (_, host) = try_run("ip neigh show to 10.2.0.10; ip -6 neigh show to fd00:2::10");
    assert_eq!(host, "");

    // A host of the second site's subnet is at the first, and the second has not heard of it yet: its
    // packets are not taken for forged.
    let heard = || {
        red.hosts[1].enter();
        let lines = run("grep ^Icmp: /proc/net/snmp");
        let mut rows = lines.lines().map(|line| line.split(' '));
        let (names, counts) = (rows.next().unwrap(), rows.next().unwrap());
        let (_, count) = names.zip(counts).find(|(it, _)| *it == "InEchos").unwrap();
        count.parse::<u32>().unwrap()
    };
    let before = heard();
    red.hosts[0].enter();
    run("ip address add 10.2.0.77/32 dev eth0");
    try_run("ping -c 1 -W 1 -I 10.2.0.77 10.2.0.10");
    until("true", |_| heard() > before);

    // What is taken away by hand is there again, and packets pass.
    for command in [
        "ip link del red",
        "ip link del br4001",
        "ip link del vx4001",
        "ip link set br101 nomaster",
        "ip route flush table 1001 proto bgp; ip -6 route flush table 1001 proto bgp",
        "ip neigh flush all dev br4001; ip -6 neigh flush all dev br4001",
    ] {
        sites[0].enter();
        // Entries that are to stay are not flushed, which is as good.
        try_run(command);
        tenants.iter().for_each(Tenant::is_connected);
        kernels[0].flush().unwrap();
        assert_eq!(kernels[0].verify().unwrap(), [], "{command}");
    }

    // What is wished for no longer leaves nothing.
    for (kernel, site) in kernels.into_iter().zip([1, 2]) {
        for tenant in &tenants {
            let wishes = tenant.wishes(site, &vteps);
            wishes.iter().for_each(|wish| kernel.unwant(wish.key()));
        }
        kernel.flush().unwrap();
        sites[usize::from(site) - 1].enter();
        let left = "ip -d link show | grep -c 'rbgpd\\|vxlan\\|vrf'; ip nexthop; \
                    ip route show table all proto bgp; ip -6 route show table all proto bgp";
        until(left, |text| text.trim() == "0");
        kernel.stop(false);
    }
}

fn ready() -> bool {
    if !enter_with_vrfs() {
        return false;
    }
    let has = Command::new("ping")
        .arg("-V")
        .stdout(Stdio::null())
        .status();
    if has.is_err() {
        skip::note(None, "no `ping` command");
    }
    has.is_ok()
}

#[test]
fn two_tenants_are_routed_between_two_sites_over_ipv4() {
    if ready() {
        between_two_sites(["10.0.0.1", "10.0.0.2"], 24);
    }
}

#[test]
fn two_tenants_are_routed_between_two_sites_over_ipv6() {
    if ready() {
        between_two_sites(["fd10::1", "fd10::2"], 64);
    }
}
