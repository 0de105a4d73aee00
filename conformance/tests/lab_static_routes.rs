//! Static routes of the configuration in the kernel, through everything that may happen to their
//! next hops.
//!
//! ```text
//!               ┌─ eth0 10.9.0.1 ── 10.9.0.2 right: FRR AS 65002, 192.0.2.0/24
//! left: rbgpd ──┤
//!               └─ eth1 10.8.0.1 ── 10.8.0.3 third: no routing program
//! ```

#![allow(missing_docs)]

use std::time::Duration;

use conformance::lab::{
    Error, Lab, Pair, Release, Requirement, frr_side, scenario_beside_others, toward,
};
use serde_json::Value;

const NEEDS: [Requirement; 3] = [Requirement::Root, Requirement::HostFrr, Requirement::Rbgpd];

const PATIENCE: Duration = Duration::from_secs(20);

/// Two ways with weights, one that stands by, one by way of a static route, one by way of what the
/// neighbour tells, IPv4 by way of IPv6, and one that goes nowhere.
const ROUTES: &str = r#"
[ipv4_unicast]
redistribute = [{ source = "static", route_map = "TAGGED" }]

[[route_map]]
name = "TAGGED"
entry = [{ seq = 10, action = "permit", match = { tag = 7 } }]

[[static_route]]
prefix = "172.16.0.0/16"
next_hops = ["10.9.0.2", { address = "10.8.0.3", interface = "eth1", weight = 3 }]
tag = 7
src = "10.8.0.1"

[[static_route]]
prefix = "172.16.0.0/16"
kind = "unreachable"
distance = 250

[[static_route]]
prefix = "172.17.0.0/16"
next_hops = ["172.18.0.1"]

[[static_route]]
prefix = "172.18.0.0/24"
next_hops = [{ address = "198.18.0.1", interface = "eth1", onlink = true }]

[[static_route]]
prefix = "172.19.0.0/16"
next_hops = ["192.0.2.77"]

[[static_route]]
prefix = "172.20.0.0/16"
next_hops = [{ address = "fd09::2", interface = "eth0" }]

[[static_route]]
prefix = "172.21.0.0/16"
kind = "blackhole"
table = 100

[[static_route]]
prefix = "192.0.2.128/25"
next_hops = [{ interface = "gone" }]
"#;

/// What `ip route` has to say: each of these in one line or block, in any order.
struct Kernel<'a> {
    lab: &'a Lab,
    pair: &'a Pair<'a>,
}

impl Kernel<'_> {
    fn shows(&self, why: &str, route: &str, wanted: &[&str]) -> Result<(), Error> {
        self.lab.reach(why, PATIENCE, || {
            let seen = self.pair.left.ip(&format!("-4 route show {route}"))?;
            let seen = seen.split_whitespace().collect::<Vec<_>>().join(" ");
            let fits = match wanted {
                [] => seen.is_empty(),
                wanted => wanted.iter().all(|it| seen.contains(it)),
            };
            match fits {
                true => Ok(()),
                false => Err(Error::State(format!(
                    "{route} is {seen:?}, not {wanted:?}\n{}",
                    self.pair.ctl(&["show", "static"])?
                ))),
            }
        })?;
        Ok(())
    }

    fn is_as_wanted(&self) -> Result<(), Error> {
        self.lab.reach("verify finds no difference", PATIENCE, || {
            self.pair.ctl(&["verify"]).map(drop)
        })?;
        Ok(())
    }

    fn numbers(&self) -> Result<Vec<u64>, Error> {
        let text = self.pair.left.run(&["ip", "-j", "nexthop"])?;
        let shown: Value = serde_json::from_str(&text).unwrap_or_default();
        let objects = shown.as_array().into_iter().flatten();
        let mut ids: Vec<u64> = objects.filter_map(|it| it.get("id")?.as_u64()).collect();
        ids.sort_unstable();
        Ok(ids)
    }
}

#[test]
fn static_routes_follow_their_next_hops_and_a_reload_touches_what_differs() -> Result<(), Error> {
    scenario_beside_others("static-routes", &NEEDS, |lab| {
        let mut pair = Pair::build(lab)?;
        let third = lab.namespace("third")?;
        let name = third.name();
        pair.left.ip(&format!(
            "link add eth1 type veth peer name eth0 netns {name}"
        ))?;
        for (space, device, host) in [(&pair.left, "eth1", 1), (&third, "eth0", 3)] {
            space.ip(&format!("link set {device} up"))?;
            space.ip(&format!("addr add 10.8.0.{host}/24 dev {device}"))?;
        }
        let config = ROUTES.to_owned() + &toward("10.9.0.2", 65002, "ipv4_unicast = {}");
        pair.start_forwarding(&config)?;
        let frr = pair.frr(Release::Host, &frr_side(65002, "", "network 192.0.2.0/24"))?;
        let kernel = Kernel { lab, pair: &pair };
        let (near, far) = (
            "nexthop via 10.9.0.2 dev eth0 weight 1",
            "nexthop via 10.8.0.3 dev eth1 weight 3",
        );
        let both = ["proto bgp src 10.8.0.1 metric 1", near, far];
        kernel.shows("two ways", "172.16.0.0/16", &both)?;
        let by = ["via 198.18.0.1 dev eth1 proto bgp metric 1 onlink"];
        kernel.shows("onlink", "172.18.0.0/24", &by)?;
        kernel.shows(
            "by way of that one",
            "172.17.0.0/16",
            &["via 198.18.0.1 dev eth1", "onlink"],
        )?;
        kernel.shows(
            "by a learned route",
            "172.19.0.0/16",
            &["via 10.9.0.2 dev eth0"],
        )?;
        kernel.shows(
            "IPv4 via IPv6",
            "172.20.0.0/16",
            &["via inet6 fd09::2 dev eth0"],
        )?;
        let dropped = ["blackhole 172.21.0.0/16 proto bgp metric 1"];
        kernel.shows("another table", "table 100", &dropped)?;
        kernel.shows("no such interface", "192.0.2.128/25", &[])?;
        kernel.is_as_wanted()?;
        // The neighbour hears of what has the tag, and of nothing else.
        frr.until_shown(lab, "172.16.0.0/16", &["10.9.0.1", "incomplete"])?;
        let others = frr.vtysh(&["show bgp ipv4 unicast"])?.stdout;
        assert!(
            !others.contains("172.17.0.0") && !others.contains("172.20.0.0"),
            "{others}"
        );
        let explained = pair.ctl(&["explain", "172.19.1.1"])?;
        assert!(
            explained.contains("static route 172.19.0.0/16: installed"),
            "{explained}"
        );
        let shown = pair.ctl(&["show", "static"])?;
        assert!(shown.contains("there is no interface gone"), "{shown}");
        assert!(shown.contains("the one with distance 1 is used"), "{shown}");

        // What somebody takes out comes back, and nothing of it was a change to the configuration.
        pair.left.ip("route del 172.20.0.0/16")?;
        kernel.shows(
            "it is back",
            "172.20.0.0/16",
            &["via inet6 fd09::2 dev eth0"],
        )?;

        // One way is gone: the other carries everything. Both: the one that stands by.
        third.ip("link set eth0 down")?;
        kernel.shows(
            "no carrier",
            "172.16.0.0/16",
            &["via 10.9.0.2 dev eth0", "metric 1"],
        )?;
        kernel.shows("nor what stands on it", "172.17.0.0/16", &[])?;
        pair.left.ip("link set eth0 down")?;
        let last = ["unreachable 172.16.0.0/16 proto bgp metric 250"];
        kernel.shows("both are gone", "172.16.0.0/16", &last)?;
        kernel.is_as_wanted()?;
        pair.left.ip("link set eth0 up")?;
        pair.left.ip("addr add fd09::1/64 dev eth0 nodad")?;
        third.ip("link set eth0 up")?;
        kernel.shows("both are back", "172.16.0.0/16", &both)?;
        kernel.shows(
            "and what stands on it",
            "172.17.0.0/16",
            &["via 198.18.0.1 dev eth1"],
        )?;
        kernel.shows(
            "and the learned one",
            "172.19.0.0/16",
            &["via 10.9.0.2 dev eth0"],
        )?;

        // A learned route to the prefix stands beside, and is used when the static one is gone.
        frr.configure(&["router bgp 65002", "network 172.20.0.0/16"])?;
        let beside = [
            "via inet6 fd09::2 dev eth0 proto bgp metric 1",
            "via 10.9.0.2 dev eth0",
            "metric 20",
        ];
        kernel.shows("both are there", "172.20.0.0/16", &beside)?;
        let explained = pair.ctl(&["explain", "172.20.0.0/16"])?;
        assert!(
            explained.contains("the static route with metric 1 wins"),
            "{explained}"
        );
        kernel.is_as_wanted()?;
        let before = kernel.numbers()?;
        let reduced = config
            .replace("172.20.0.0/16", "172.22.0.0/16")
            .replace("weight = 3", "weight = 4");
        let head = "asn = 65001\nrouter_id = \"10.9.0.1\"\n";
        let path = pair.rbgpd.config();
        std::fs::write(&path, format!("{head}{reduced}")).map_err(|e| Error::io("config", e))?;
        let plan = pair.ctl(&["reload", "--dry-run"])?;
        for line in [
            "static_route 172.20.0.0/16: removed",
            "static_route 172.22.0.0/16: added",
            "static_route 172.16.0.0/16: next_hops",
        ] {
            assert!(plan.contains(line), "{plan}");
        }
        pair.ctl(&["reload"])?;
        kernel.shows(
            "the learned one is left",
            "172.20.0.0/16",
            &["via 10.9.0.2 dev eth0", "metric 20"],
        )?;
        kernel.shows("added", "172.22.0.0/16", &["via inet6 fd09::2 dev eth0"])?;
        kernel.shows(
            "other weights",
            "172.16.0.0/16",
            &[near, "via 10.8.0.3 dev eth1 weight 4"],
        )?;
        kernel.is_as_wanted()?;
        // A group with other weights, and nothing else, is new.
        let after = kernel.numbers()?;
        let new: Vec<&u64> = after.iter().filter(|it| !before.contains(it)).collect();
        assert_eq!(
            (new.len(), after.len()),
            (1, before.len()),
            "{before:?} {after:?}"
        );

        // Killed and started again, it finds its routes; an end in order takes them out.
        pair.rbgpd.kill9()?;
        let there = pair.left.ip("-4 route show 172.16.0.0/16")?;
        pair.start_forwarding(&reduced)?;
        let kernel = Kernel { lab, pair: &pair };
        kernel.shows(
            "adopted",
            "172.16.0.0/16",
            &[near, "via 10.8.0.3 dev eth1 weight 4"],
        )?;
        assert_eq!(pair.left.ip("-4 route show 172.16.0.0/16")?, there);
        kernel.is_as_wanted()?;
        pair.rbgpd.stop()?;
        let left = pair.left.ip("-4 route show proto bgp")?;
        assert_eq!(left, "", "an orderly stop leaves none");
        Ok(())
    })
}
