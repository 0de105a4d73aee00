//! Next hops that lead somewhere, nowhere and somewhere again (RFC 4271 §9.1.2).
//!
//! ```text
//! left: rbgpd AS 65001, 10.9.0.1 ───── right: FRR AS 65002, 10.9.0.2, names 9.9.9.9 as next hop
//! ```

#![allow(missing_docs)]

use std::time::Duration;

use conformance::lab::{
    Error, Pair, Release, Requirement, frr_side, scenario_beside_others, toward,
};

const NEEDS: [Requirement; 3] = [Requirement::Root, Requirement::HostFrr, Requirement::Rbgpd];

const PATIENCE: Duration = Duration::from_secs(30);

const MAP: &str = "\
ip prefix-list FAR seq 5 permit 192.0.2.0/24
route-map OUT permit 10
 match ip address prefix-list FAR
 set ip next-hop 9.9.9.9
route-map OUT permit 20
";

fn theirs() -> String {
    let family = "network 192.0.2.0/24\n  neighbor 10.9.0.1 route-map OUT out";
    MAP.to_owned() + &frr_side(65002, "", family)
}

#[test]
fn a_route_is_used_exactly_while_its_next_hop_leads_somewhere() -> Result<(), Error> {
    scenario_beside_others("next-hops", &NEEDS, |lab| {
        let mut pair = Pair::build(lab)?;
        pair.start_forwarding(&toward("10.9.0.2", 65002, "ipv4_unicast = {}"))?;
        let frr = pair.frr(Release::Host, &theirs())?;
        let installed = |what: &str, wanted: bool| {
            lab.reach(what, PATIENCE, || {
                let seen = pair.left.ip("-4 route show 192.0.2.0/24")?;
                let there = seen.contains("via 10.9.0.2");
                let equal = pair.ctl(&["verify"])?;
                let explained = pair.ctl(&["explain", "192.0.2.0/24"])?;
                let refused = explained.contains("no route leads to the next hop 9.9.9.9");
                match (there, refused) == (wanted, !wanted) {
                    true => Ok(()),
                    false => Err(Error::State(format!("{seen}{equal}{explained}"))),
                }
            })
        };
        installed("9.9.9.9 is unknown: refused", false)?;
        pair.left.ip("route add 9.9.9.0/24 via 10.9.0.2")?;
        installed("a static route leads there: used", true)?;
        pair.left.ip("route del 9.9.9.0/24")?;
        installed("it is gone: refused", false)?;
        let say = |line: &str| frr.configure(&["router bgp 65002", line]);
        say("network 9.9.9.0/24")?;
        installed("a BGP route leads there: used", true)?;
        say("no network 9.9.9.0/24")?;
        installed("it is withdrawn: refused", false)?;
        // A default route leads everywhere and so says nothing about this one.
        pair.left.ip("route add default via 10.9.0.2")?;
        pair.left.ip("route add 198.51.100.0/24 via 10.9.0.2")?;
        installed("only the default route leads there: refused", false)?;
        Ok(())
    })
}
