//! A start after a crash, with a neighbour that never comes: what waits for it, and what does not (RFC 4724
//! §4.1).
//!
//! ```text
//!   a (AS 65001) 10.10.0.1 ── wire ── 10.10.0.2 b (AS 65002)
//!                             10.10.0.9, which is dead
//! ```
//!
//! Needs root and `ip`.

use crate::daemon::until;
use crate::site::{Site, sites};

/// A session to the other site, and to the dead neighbour at `a`; whoever waits does so for the whole test.
fn config(site: &Site) -> String {
    let number = site.number;
    let head =
        format!("ipv4_unicast = {{}}\n[ipv4_unicast]\nnetworks = [\"10.{number}.0.0/16\"]\n");
    let dead = "[[neighbor]]\naddress = \"10.10.0.9\"\nremote_as = 65009\nipv4_unicast = {}\n\
                [graceful_restart]\ndeferral_time = \"10m\"\n";
    let more = if number == 1 { dead } else { "" };
    site.config(&(head + more))
}

fn lay(a: &Site, b: &Site) {
    a.wire("wire", b, "wire");
    for site in [a, b] {
        site.ip(&format!("addr add 10.10.0.{}/24 dev wire", site.number));
        site.ip("link set wire up");
    }
}

/// Whether routes are held back at `a`.
fn holds(a: &Site) -> bool {
    !a.daemon().json("show summary")["hold"].is_null()
}

fn start(site: &mut Site) {
    let config = config(site);
    site.start(&config);
    site.daemon().until_logged("rbgpd runs");
}

#[test]
fn a_dead_neighbour_holds_routes_up_only_where_the_kernel_still_has_those_of_the_last_run() {
    let Some((mut a, mut b)) = sites("restart-dead") else {
        return;
    };
    start(&mut a);
    start(&mut b);
    let route = |a: &Site| {
        a.until_seen("route show 10.2.0.0/16", |it| it.contains("via 10.10.0.2"));
    };
    route(&a);

    // The kernel goes on forwarding: what was chosen stands until all have spoken.
    a.kill();
    start(&mut a);
    until("routes are held back", || {
        let line = a.daemon().said("show summary");
        holds(&a).then_some(()).ok_or(line)
    });
    a.daemon().until_said("show neighbors 10.10.0.2", |said| {
        said.contains("BGP state = Established")
    });
    assert!(holds(&a), "the dead one has not spoken");
    route(&a);

    // With its namespace all of it is gone: there is nothing to keep, and nobody is waited for.
    a.kill();
    b.ip("link del wire");
    a.reboot();
    lay(&a, &b);
    start(&mut a);
    route(&a);
    assert!(!holds(&a));
    // Neighbours are told that nothing was kept.
    let said = b.daemon().json("show neighbors 10.10.0.1");
    let received = &said["neighbors"][0]["graceful_received"];
    assert_eq!(received["restarting"], false, "{said}");
}
