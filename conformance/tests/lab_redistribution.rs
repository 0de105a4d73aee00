//! FRR puts OSPF and static routes into the kernel, rbgpd beside it announces them by BGP.
//!
//! ```text
//! inside: FRR ospfd ── eth1 left: FRR zebra, staticd, ospfd eth0 ── right: FRR bgpd AS 65002
//! 10.20.0.2, 10.77.0.0/24   and rbgpd AS 65001
//! ```

#![allow(missing_docs)]

use std::time::Duration;

use conformance::lab::{
    Error, Frr, Pair, Release, Requirement, frr_side, scenario_beside_others, toward,
};
use serde_json::Value;

const NEEDS: [Requirement; 3] = [Requirement::Root, Requirement::HostFrr, Requirement::Rbgpd];

const PATIENCE: Duration = Duration::from_secs(60);

const OSPF: &str = "\
 ip ospf network point-to-point
 ip ospf hello-interval 1
 ip ospf dead-interval 4
 ip ospf area 0
";

const OURS: &str = "\
[ipv4_unicast]
redistribute = [{ source = \"static\", metric = 5 }, { source = \"ospf\", route_map = \"OSPF\" }]
[[route_map]]
name = \"OSPF\"
entry = [{ seq = 10, action = \"permit\", match = { interface = \"eth1\" }, set = { community = \"65001:188\" } }]
";

#[test]
fn what_frr_writes_to_the_kernel_is_announced_as_long_as_it_is_there() -> Result<(), Error> {
    scenario_beside_others("redistribution", &NEEDS, |lab| {
        let mut pair = Pair::build(lab)?;
        let inside = lab.namespace("inside")?;
        let name = inside.name();
        pair.left.ip(&format!(
            "link add eth1 type veth peer name eth0 netns {name}"
        ))?;
        pair.left.ip("addr add 10.20.0.1/24 dev eth1")?;
        pair.left.ip("link set eth1 up")?;
        inside.ip("addr add 10.20.0.2/24 dev eth0")?;
        inside.ip("link set eth0 up")?;
        inside.ip("link add stub type veth peer name end")?;
        inside.ip("addr add 10.77.0.1/24 dev stub")?;
        inside.ip("link set stub up")?;
        inside.ip("link set end up")?;
        let start = |space: &conformance::lab::Namespace, folder: &str, config: &str| {
            let mut frr = Frr::new(Release::Host, space.clone(), lab.folder(folder)?);
            frr.start(lab, &format!("frr defaults traditional\n{config}"))?;
            Ok::<Frr, Error>(frr)
        };
        let _ospf = start(
            &inside,
            "frr-inside",
            &format!(
                "interface eth0\n{OSPF}interface stub\n ip ospf area 0\n ip ospf passive\n\
                 router ospf\n ospf router-id 10.20.0.2\n"
            ),
        )?;
        let beside = start(
            &pair.left,
            "frr-left",
            &format!(
                "ip route 198.51.100.0/24 10.20.0.2\nip route 203.0.113.0/24 10.9.0.99\n\
                 interface eth1\n{OSPF}router ospf\n ospf router-id 10.9.0.1\n"
            ),
        )?;
        let neighbor = toward("10.9.0.2", 65002, "ipv4_unicast = {}");
        pair.start_forwarding(&(OURS.to_owned() + &neighbor))?;
        let theirs = frr_side(65002, "", "network 192.0.2.0/24");
        let right = pair.frr(Release::Host, &theirs)?;
        // Next hop, MED, origin and communities as the neighbour has them.
        let heard = |prefix: &str| {
            let output = right.vtysh(&[&format!("show bgp ipv4 unicast {prefix} json")])?;
            let shown: Value = serde_json::from_str(&output.stdout).unwrap_or_default();
            let Some(path) = shown.pointer("/paths/0") else {
                return Ok::<String, Error>("nothing".to_owned());
            };
            let text = |pointer: &str| {
                let value = path.pointer(pointer).cloned().unwrap_or_default();
                value.as_str().map_or(value.to_string(), str::to_owned)
            };
            Ok(format!(
                "{} {} {} {}",
                text("/nexthops/0/ip"),
                text("/metric"),
                text("/origin"),
                text("/community/string"),
            ))
        };
        let hears = |prefix: &str, wanted: &str| {
            lab.reach(&format!("{prefix}: {wanted}"), PATIENCE, || {
                let heard = heard(prefix)?;
                match heard == wanted {
                    true => Ok(()),
                    false => Err(Error::State(heard)),
                }
            })
        };
        // FRR writes all its routes with the metric 20.
        hears("10.77.0.0/24", "10.9.0.1 20 incomplete 65001:188")?;
        hears("198.51.100.0/24", "10.9.0.1 5 incomplete null")?;
        hears("203.0.113.0/24", "10.9.0.99 5 incomplete null")?;
        let explained = pair.ctl(&["explain", "10.77.0.0/24"])?;
        let place = "redistributed from ospf, via 10.20.0.2 dev eth1";
        assert!(explained.contains(place), "{explained}");
        // What comes by BGP stands beside FRR's routes.
        lab.reach("192.0.2.0/24 is in the kernel", PATIENCE, || {
            let seen = pair.left.ip("-4 route show 192.0.2.0/24")?;
            match seen.contains("via 10.9.0.2") {
                true => Ok(()),
                false => Err(Error::State(seen)),
            }
        })?;
        let say = |line: &str| beside.configure(&[line]);
        say("no ip route 198.51.100.0/24 10.20.0.2")?;
        hears("198.51.100.0/24", "nothing")?;
        say("ip route 198.51.100.0/24 blackhole")?;
        hears("198.51.100.0/24", "10.9.0.1 5 incomplete null")?;
        inside.ip("link set stub down")?;
        hears("10.77.0.0/24", "nothing")?;
        inside.ip("link set stub up")?;
        hears("10.77.0.0/24", "10.9.0.1 20 incomplete 65001:188")?;
        // The link to the other router fails: OSPF and static routes go with it.
        pair.left.ip("link set eth1 down")?;
        hears("10.77.0.0/24", "nothing")?;
        hears("203.0.113.0/24", "10.9.0.99 5 incomplete null")?;
        Ok(())
    })
}
