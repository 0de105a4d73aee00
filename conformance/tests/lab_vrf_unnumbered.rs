//! A neighbour that is known by its interface in a VRF, of whatever AS it says, with packets.
//!
//! ```text
//! left: rbgpd AS 65001, VRF red with tenant 10.55.0.1 ─ eth0 ───── eth0 ─ right: FRR AS 65002, 10.77.0.1
//! ```

#![allow(missing_docs)]

use std::time::Duration;

use conformance::lab::overlay::ROUTING;
use conformance::lab::{Error, Pair, Release, scenario_beside_others};

const PATIENCE: Duration = Duration::from_secs(60);

const RED: &str = "[[instance]]\nname = \"red\"\nvrf = \"red\"\nasn = 65001\nrouter_id = \"10.9.0.1\"\n\
                   ipv4_unicast = { networks = [\"10.55.0.0/16\"] }\n\
                   [[instance.neighbor]]\ninterface = \"eth0\"\nremote_as = \"auto\"\n\
                   router_advertisement_interval = \"2s\"\ntimers = { connect_retry = \"1s\" }\nbfd = true\n\
                   ipv4_unicast = {}\n";

const OUTSIDE: &str = "router bgp 65002\n bgp router-id 10.9.0.2\n no bgp ebgp-requires-policy\n \
                       no bgp network import-check\n neighbor eth0 interface remote-as external\n \
                       neighbor eth0 timers connect 1\n neighbor eth0 bfd\n \
                       address-family ipv4 unicast\n  network 10.77.0.0/16\n exit-address-family\n";

#[test]
fn a_neighbour_on_an_interface_of_a_vrf_says_its_as_and_packets_go_both_ways() -> Result<(), Error>
{
    scenario_beside_others("vrf-unnumbered", &ROUTING, |lab| {
        let mut pair = Pair::build(lab)?;
        for line in [
            "link add red type vrf table 100",
            "link set red up",
            "link set eth0 master red",
            "link add tenant type dummy",
            "link set tenant master red",
            "link set tenant up",
            "addr add 10.55.0.1/16 dev tenant",
        ] {
            pair.left.ip(line)?;
        }
        // Nothing but link-local addresses on the link.
        for space in [&pair.left, &pair.right] {
            space.ip("-4 addr flush dev eth0")?;
            space.ip("-6 addr flush dev eth0 scope global")?;
        }
        pair.right.ip("addr add 10.77.0.1/16 dev lo")?;
        pair.start_forwarding(RED)?;
        let _frr = pair.frr(Release::Host, OUTSIDE)?;
        lab.reach("both have the other's network", PATIENCE, || {
            let here = pair.left.ip("route show vrf red 10.77.0.0/16")?;
            let there = pair.right.ip("route show 10.55.0.0/16")?;
            match (here.contains("proto bgp"), there.contains("proto bgp")) {
                (true, true) => Ok(()),
                (_, _) => Err(Error::State(format!("{here}\n{there}"))),
            }
        })?;
        let ask = || pair.ctl(&["--instance", "red", "show", "neighbors"]);
        let texts = ["Heard on interface eth0", "remote AS 65002", "BFD is up"];
        lab.until_shown("show neighbors of red", &texts, ask)?;
        lab.reach("a packet is answered by the tenant", PATIENCE, || {
            let line = "ping -n -q -c 1 -W 1 -I 10.77.0.1 10.55.0.1";
            let words: Vec<&str> = line.split(' ').collect();
            let answer = pair.right.output(&words)?;
            match answer.ok() {
                true => Ok(()),
                false => Err(Error::State(answer.text())),
            }
        })
        .map(drop)
    })
}
