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
