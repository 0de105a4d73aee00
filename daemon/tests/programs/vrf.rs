//! Two VRFs in one daemon, an instance each, with the same addresses in both.
//!
//! ```text
//!        ┌─ red  (table 100) 10.10.0.1 ── 10.10.0.2 ─ b (AS 65002): 10.2.0.0/16, 10.9.0.0/16
//!   a ───┤
//!        └─ blue (table 200) 10.10.0.1 ── 10.10.0.2 ─ c (AS 65003): 10.3.0.0/16, 10.9.0.0/16
//! ```
//!
//! Needs root, `ip` and a kernel with VRFs: this machine's, or user-mode Linux.

use crate::elsewhere;
use crate::site::{Site, namespaces};

const VRFS: [(&str, u32); 2] = [("red", 100), ("blue", 200)];

/// Makes the VRFs; false, after the test was run elsewhere, where the kernel has none.
fn has_vrfs(site: &Site) -> bool {
    for (name, table) in VRFS {
        let made = site.run(&format!("ip link add {name} type vrf table {table}"));
        if !made.status.success() {
            elsewhere::run_this_test("needs a kernel with VRFs (CONFIG_NET_VRF)");
            return false;
        }
        site.ip(&format!("link set {name} up"));
    }
    true
}

fn instances(names: &[&str]) -> String {
    let mut text = "asn = 65001\nrouter_id = \"10.0.0.1\"\nlisten = []\n".to_owned();
    for (name, other) in VRFS
        .iter()
        .zip([65002, 65003])
        .map(|((it, _), asn)| (it, asn))
    {
        if names.contains(name) {
            text += &format!(
                "[[instance]]\nname = \"{name}\"\nvrf = \"{name}\"\nasn = 65001\n\
                 router_id = \"10.10.0.1\"\n\
                 [instance.ipv4_unicast]\nnetworks = [\"10.1.0.0/16\"]\n\
                 [[instance.neighbor]]\naddress = \"10.10.0.2\"\nremote_as = {other}\n\
                 timers = {{ connect_retry = \"1s\" }}\nipv4_unicast = {{}}\n"
            );
        }
    }
    text
}

/// Routes of a table on one line each, without those of the kernel itself.
#[track_caller]
fn until_table(site: &Site, table: u32, wanted: &[&str]) {
    let line = format!("-o -4 route show table {table} proto bgp");
    site.until_seen(&line, |routes| {
        let count = routes.lines().filter(|line| !line.is_empty()).count();
        count == wanted.len() && wanted.iter().all(|it| routes.contains(it))
    });
}

#[test]
fn two_vrfs_have_a_session_with_one_address_each_and_no_route_crosses() {
    let Some(Ok([mut a, mut b, mut c])) = namespaces("vrf", 3).map(TryInto::<[Site; 3]>::try_into)
    else {
        return;
    };
    if !has_vrfs(&a) {
        return;
    }
    for (at, other) in [&mut b, &mut c].into_iter().enumerate() {
        let (wire, (vrf, _)) = (format!("wire{at}"), VRFS[at]);
        a.wire(&wire, other, "wire");
        a.ip(&format!("link set {wire} master {vrf}"));
        a.ip(&format!("addr add 10.10.0.1/24 dev {wire}"));
        a.ip(&format!("link set {wire} up"));
        other.ip("addr add 10.10.0.2/24 dev wire");
        other.ip("link set wire up");
        let number = 2 + at;
        other.start(&format!(
            "asn = 6500{number}\nrouter_id = \"10.0.0.{number}\"\n\
             [ipv4_unicast]\nnetworks = [\"10.{number}.0.0/16\", \"10.9.0.0/16\"]\n\
             [[neighbor]]\naddress = \"10.10.0.1\"\nremote_as = 65001\n\
             timers = {{ connect_retry = \"1s\" }}\nipv4_unicast = {{}}\n"
        ));
    }
    let both = instances(&["red", "blue"]);
    a.start(&both);
    a.daemon().until_logged("rbgpd runs");
    let red = ["10.2.0.0/16", "10.9.0.0/16"];
    let blue = ["10.3.0.0/16", "10.9.0.0/16"];
    until_table(&a, 100, &red);
    until_table(&a, 200, &blue);
    until_table(&a, 254, &[]);
    for (vrf, wire) in [("red", "wire0"), ("blue", "wire1")] {
        let way = a.seen(&format!("route get 10.9.0.1 vrf {vrf}"));
        assert!(way.contains(&format!("via 10.10.0.2 dev {wire}")), "{way}");
    }
    for other in [&b, &c] {
        until_table(other, 254, &["via 10.10.0.1 dev wire"]);
    }
    a.daemon()
        .until_said("verify", |said| said.starts_with("Equal"));

    // What a crash leaves is taken up in both.
    a.kill();
    until_table(&a, 100, &red);
    until_table(&a, 200, &blue);
    a.start(&both);
    a.daemon().until_logged("rbgpd runs");
    for (vrf, _) in VRFS {
        let line = format!("--instance {vrf} show neighbors 10.10.0.2");
        a.daemon()
            .until_said(&line, |said| said.contains("BGP state = Established"));
    }
    until_table(&a, 100, &red);
    until_table(&a, 200, &blue);

    // One goes, and only its routes go.
    a.daemon().configure(&instances(&["red"]));
    assert!(a.daemon().ctl("reload").status.success());
    until_table(&a, 200, &[]);
    until_table(&a, 100, &red);

    // At boot a device may come after the daemon: its instance waits, and no other does.
    a.ip("link del blue");
    a.kill();
    a.start(&both);
    a.daemon().until_logged("there is no VRF device `blue`");
    until_table(&a, 100, &red);
    a.ip("link add blue type vrf table 200");
    a.ip("link set blue up");
    a.ip("link set wire1 master blue");
    a.ip("addr replace 10.10.0.1/24 dev wire1");
    until_table(&a, 200, &blue);
    until_table(&a, 100, &red);
}
