//! Graceful restart beside BFD: FRR's bgpd is killed again and again. Its bfdd lives on, ends its session
//! when bgpd is gone, before or after TCP does, and says so with whatever reason the session had before.
//! That is not a dead path: no route moves.
//!
//! ```text
//! left: rbgpd AS 65001, 10.9.0.1, kernel ───── right: FRR AS 65002, 10.9.0.2
//! ```

#![allow(missing_docs)]

use std::collections::HashSet;
use std::time::{Duration, Instant};

use conformance::lab::{
    Error, Pair, Release, Requirement, RouteMonitor, frr_side, scenario_beside_others, toward,
};
use serde_json::Value;

const NEEDS: [Requirement; 3] = [Requirement::Root, Requirement::HostFrr, Requirement::Rbgpd];
const PATIENCE: Duration = Duration::from_secs(60);
const KILLS: usize = 12;
const ROUTES: usize = 20;
/// Beyond the time that BFD may take that was made anew.
const AWAY: Duration = Duration::from_secs(4);
const FRR: &str = "10.9.0.2";

fn prefixes() -> Vec<String> {
    (0..ROUTES).map(|it| format!("20.0.{it}.0/24")).collect()
}

/// A number that `show neighbors` has of the neighbour's IPv4 routes.
fn number(neighbor: &Value, part: &str, key: &str) -> Option<usize> {
    let path = format!("/{part}/ipv4_unicast/{key}");
    let number = neighbor.pointer(&path).and_then(Value::as_u64)?;
    usize::try_from(number).ok()
}

/// All routes are there, all of them stale or none, with the session up or not.
fn kept(pair: &Pair<'_>, up: bool, stale: usize) -> Result<(), Error> {
    let neighbor = pair.neighbor(FRR)?;
    let established = neighbor.get("state").and_then(Value::as_str) == Some("Established");
    let there = number(&neighbor, "families", "received") == Some(ROUTES);
    match established == up && there && number(&neighbor, "details", "stale") == Some(stale) {
        true => Ok(()),
        false => Err(Error::State(neighbor.to_string())),
    }
}

fn bfd_is(pair: &Pair<'_>, state: &str) -> Result<(), Error> {
    let shown = pair.ctl(&["show", "bfd", "--json"])?;
    match shown.contains(&format!("\"state\":\"{state}\"")) {
        true => Ok(()),
        false => Err(Error::State(shown)),
    }
}

#[test]
fn no_route_moves_when_frrs_bgpd_is_killed_under_bfd() -> Result<(), Error> {
    scenario_beside_others("bfd-restart", &NEEDS, |lab| {
        let prefixes = prefixes();
        let mut pair = Pair::build(lab)?;
        let bfd = "multihop = 2\nbfd = { interval = \"100ms\" }\nipv4_unicast = {}";
        pair.start_forwarding(&toward(FRR, 65002, bfd))?;
        let networks: Vec<String> = prefixes.iter().map(|it| format!("network {it}")).collect();
        // When BGP is up, FRR tells its BFD the address and the interface that it has not told it yet.
        // That makes the BFD session anew, which FRR's BGP may take for a dead path and end by a hard reset,
        // and then its routes have to go. Over several hops there is nothing left to tell.
        let session = "bgp graceful-restart\n bgp graceful-restart preserve-fw-state\n \
                       neighbor 10.9.0.1 ebgp-multihop 2\n \
                       neighbor 10.9.0.1 update-source 10.9.0.2\n neighbor 10.9.0.1 bfd";
        let config = frr_side(65002, session, &networks.join("\n  "));
        let mut frr = pair.frr(Release::Host, &config)?;
        let back = |step: &str| {
            lab.reach(step, PATIENCE, || {
                kept(&pair, true, 0).and(bfd_is(&pair, "up"))
            })
        };
        back("all routes are there")?;
        lab.reach("they are in the kernel", PATIENCE, || {
            let there = pair.left.ip("route show proto bgp")?;
            match there.lines().count() {
                ROUTES => Ok(()),
                _ => Err(Error::State(there)),
            }
        })?;
        let watched: HashSet<String> = prefixes.iter().cloned().collect();
        let mut monitor = RouteMonitor::start(lab, &pair.left)?;
        for kill in 1..=KILLS {
            match kill % 2 {
                // The end of BFD is seen before that of TCP.
                0 => {
                    pair.right.ip("rule add pref 1 ipproto tcp blackhole")?;
                    frr.kill9_daemon("bgpd")?;
                    lab.reach(&format!("kill {kill}: BFD is down"), PATIENCE, || {
                        bfd_is(&pair, "down")
                    })?;
                    kept(&pair, true, 0)?;
                    pair.right.ip("rule del pref 1")?;
                }
                _ => frr.kill9_daemon("bgpd")?,
            }
            let stale = || kept(&pair, false, ROUTES);
            lab.reach(&format!("kill {kill}: all are stale"), PATIENCE, stale)?;
            // Half of the time it is back before BFD has had its time, and half of it later.
            if kill % 4 > 1 {
                let since = Instant::now();
                while since.elapsed() < AWAY {
                    stale()?;
                }
            }
            frr.start_daemon(lab, "bgpd")?;
            back(&format!("kill {kill}: none is stale"))?;
            let said = monitor.said(&watched)?;
            assert!(said.is_empty(), "kill {kill}: {said:?}");
        }
        // The watch would have seen it.
        pair.left.ip("route del 20.0.0.0/24")?;
        lab.reach("the watch sees a route go", PATIENCE, || {
            let said = monitor.said(&watched)?;
            let first = said.first().map(String::as_str).unwrap_or_default();
            match first.starts_with("Deleted 20.0.0.0/24") {
                true => Ok(()),
                false => Err(Error::State(format!("{said:?}"))),
            }
        })
        .map(drop)
    })
}
