//! `explain` and `verify` on built programs that write to a kernel, in namespaces.
//!
//! ```text
//!   a (AS 65001) br100 ── wire ── br100 b (AS 65002)      a machine behind a port of a's bridge
//! ```

use crate::daemon::until;
use crate::site::{Site, sites};

/// A network and an overlay at each site, and all is told.
fn config(site: &Site) -> String {
    let number = site.number;
    site.config(&format!(
        "ipv4_unicast = {{ import = \"ALL\", export = \"ALL\" }}\nevpn = {{}}\n\
         [ipv4_unicast]\nnetworks = [\"10.{number}.0.0/16\"]\n\
         [evpn]\nvtep = \"10.10.0.{number}\"\n\
         [[vni]]\nid = 100\nname = \"production\"\nrd = \"10.10.0.{number}:100\"\n\
         import_targets = [\"65000:100\"]\nexport_targets = [\"65000:100\"]\n\
         [[route_map]]\nname = \"ALL\"\nentry = [{{ seq = 10, action = \"permit\" }}]\n"
    ))
}

#[test]
fn macs_and_routes_say_where_they_are_who_is_told_and_who_wins() {
    let Some((mut a, mut b)) = sites("explain") else {
        return;
    };
    a.start(&config(&a));
    b.start(&config(&b));
    let (a_says, b_says) = (a.daemon(), b.daemon());
    a_says.until_said("show routes 10.2.0.0/16 --json", |it| {
        it.contains("\"installed\":true")
    });

    // A machine behind a port; the bridge learns it, as it would from its first frame.
    a.ip("link add port0 type veth peer name machine");
    a.ip("link set port0 master br100 up");
    a.ip("link set machine up");
    // A port that does not forward yet takes no address.
    until("the bridge takes an address", || {
        let learn = "bridge fdb add 02:aa:00:00:00:01 dev port0 master dynamic";
        let output = a.run(learn);
        let taken = output.status.success().then_some(());
        taken.ok_or_else(|| format!("{output:?}"))
    });
    a.ip("neigh replace 10.50.0.1 lladdr 02:aa:00:00:00:01 dev br100 nud reachable");
    let here = a_says.until_said("explain 02:aa:00:00:00:01", |it| {
        it.contains("[10.50.0.1]") && it.contains("10.10.0.2: yes")
    });
    assert_eq!(here.matches("from ").count(), 1, "{here}");
    assert!(
        here.contains("> from port port0 of bridge br100, learned "),
        "{here}"
    );
    assert!(
        here.contains("fdb 02:aa:00:00:00:01 dev port0: installed"),
        "{here}"
    );
    let there = b_says.until_said("explain 02:aa:00:00:00:01", |it| {
        it.contains("[10.50.0.1]") && it.contains("dev vxlan100: installed")
    });
    assert_eq!(there.matches("from ").count(), 1, "{there}");
    assert!(
        there.contains("> from tunnel endpoint 10.10.0.1, told by 10.10.0.1: "),
        "{there}"
    );
    assert!(there.contains("10.10.0.1: no: not told: "), "{there}");

    // Another program's route to what we installed.
    a.ip("route add 10.2.0.0/16 via 10.10.0.2 proto static");
    let note = "another program's route with metric 0 wins in the kernel: \
                static via 10.10.0.2 dev wire";
    a_says.until_said("explain 10.2.0.0/16", |it| it.contains(note));
    let verify = a_says.json("verify");
    assert_eq!(verify["equal"], true, "{verify}");
    assert_eq!(verify["notes"][0], format!("route 10.2.0.0/16: {note}"));
    // With a higher metric ours wins, and there is nothing to say.
    a.ip("route add 10.2.0.0/16 via 10.10.0.2 proto static metric 500");
    a.ip("route del 10.2.0.0/16 via 10.10.0.2 proto static metric 0");
    a_says.until_said("explain 10.2.0.0/16", |it| !it.contains("another program"));
}

#[test]
fn what_is_written_or_told_and_not_there_says_why() {
    let Some((mut a, mut b)) = sites("missing") else {
        return;
    };
    let deny = "[[route_map]]\nname = \"NONE\"\nentry = [{ seq = 10, action = \"deny\" }]\n";
    let networks = "networks = [{ prefix = \"10.7.0.0/16\", require_route = true }, \
                    { prefix = \"10.8.0.0/16\", require_route = \"or_more_specific\" }, \
                    { prefix = \"10.9.0.0/16\", route_map = \"NONE\" }]";
    let at_a = config(&a).replace("networks = [\"10.1.0.0/16\"]", networks) + deny;
    let at_a = at_a + "[l3vni]\nid = 4001\n";
    let at_b = config(&b).replace("65000:100", "65000:900");
    a.start(&at_a);
    b.start(&at_b);
    let (a_says, b_says) = (a.daemon(), b.daemon());
    a_says.until_said("show routes 10.2.0.0/16 --json", |it| {
        it.contains("\"installed\":true")
    });

    // Networks that wait for a route, and one that a route-map holds back.
    let said = |what: &str| {
        let output = a_says.ctl(&format!("explain {what}"));
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let exact = said("10.7.0.0/16");
    let one = "10.7.0.0/16 (ipv4_unicast)\n  note: one of `networks` in [ipv4_unicast] (FRR: \
               `network 10.7.0.0/16`), not announced: the kernel has no route to exactly this \
               prefix that is not ours; make one, like `ip route add blackhole 10.7.0.0/16`, or";
    assert!(exact.starts_with(one), "{exact}");
    let within = said("10.8.0.0/16");
    assert!(
        within.contains("to one within it, that is not ours"),
        "{within}"
    );
    // An address finds the network that it is of.
    let address = said("10.7.1.2");
    assert!(address.starts_with(one), "{address}");
    let denied = said("10.9.0.0/16");
    assert!(denied.contains("route-map `NONE` denies it"), "{denied}");
    let nothing = a_says.ctl("explain 10.6.0.0/16");
    assert!(!nothing.status.success(), "{nothing:?}");
    // The next step is the one that is named.
    a.ip("route add blackhole 10.7.0.0/16");
    let there = a_says.until_said("explain 10.7.0.0/16", |it| {
        it.contains("> from this router")
    });
    assert!(!there.contains("not announced"), "{there}");
    // It is told as a prefix of the VRF, too, which b has none for.
    let told = b_says.until_said("explain 10.7.0.0/16", |it| {
        it.contains("there is no L3 VNI here")
    });
    let key = "[5]:[10.10.0.1:4001]:[0]:[16]:[10.7.0.0]";
    assert!(told.contains(key), "{told}");
    assert!(
        told.contains("no VRF imports it: its route targets are RT:"),
        "{told}"
    );
    let by_key = b_says.said(&format!("explain {key}"));
    assert!(by_key.contains("there is no L3 VNI here"), "{by_key}");

    // A machine at a, of which b hears with other route targets than its VNI imports.
    a.ip("link add port0 type veth peer name machine");
    a.ip("link set port0 master br100 up");
    a.ip("link set machine up");
    until("the bridge takes an address", || {
        let output = a.run("bridge fdb add 02:aa:00:00:00:01 dev port0 master dynamic");
        let taken = output.status.success().then_some(());
        taken.ok_or_else(|| format!("{output:?}"))
    });
    let told = b_says.until_said("explain 02:aa:00:00:00:01", |it| {
        it.contains("no VNI imports")
    });
    assert!(told.contains("> from 10.10.0.1: best path"), "{told}");
    let why = "no VNI imports it: its route targets are RT:65000:100, and VNI 100 imports \
               RT:65000:900; put one of its targets into the `import_targets` of a [[vni]]";
    assert!(told.contains(why), "{told}");
    // The same by its key, and by one that is no other's beginning.
    let said = b_says.json("show routes --family evpn");
    let all = said["routes"].as_array().unwrap().iter();
    let mut keys = all.map(|it| it["prefix"].as_str().unwrap());
    let key = keys.find(|it| it.contains("[02:aa:00:00:00:01]")).unwrap();
    let by_key = b_says.said(&format!("explain {key}"));
    assert!(by_key.contains("> from 10.10.0.1: best path"), "{by_key}");
    let cut = key.get(..key.len() - 1).unwrap();
    let nothing = b_says.ctl(&format!("explain {cut}"));
    assert!(!nothing.status.success(), "{nothing:?}");
    let notice = "imported by no VNI or VRF (route targets RT:65000:100, ";
    b_says.until_said("show summary", |it| it.contains(notice));
    b.daemon()
        .ctl("explain 02:aa:00:00:00:02")
        .status
        .code()
        .filter(|it| *it != 0)
        .unwrap();
}
