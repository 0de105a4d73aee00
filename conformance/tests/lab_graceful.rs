//! Graceful restart (RFC 4724) with 100,000 routes in the kernel: whoever restarts, none of them is
//! removed, replaced or made anew.
//!
//! ```text
//! left: rbgpd AS 65001, 10.9.0.1, kernel ───── right: BIRD AS 65002, 10.9.0.2, 100,000 routes
//! ```

#![allow(missing_docs)]

use std::collections::HashSet;
use std::fmt::Write;
use std::fs;
use std::time::Duration;

use conformance::lab::{
    Bird, Error, Lab, Pair, Requirement, RouteMonitor, scenario_beside_others,
};
use serde_json::Value;

const NEEDS: [Requirement; 3] = [
    Requirement::Root,
    Requirement::Program("bird"),
    Requirement::Rbgpd,
];
const ROUTES: usize = 100_000;
const PATIENCE: Duration = Duration::from_secs(60);
const BIRD: &str = "10.9.0.2";

const OURS: &str = "\
[[neighbor]]
address = \"10.9.0.2\"
remote_as = 65002
timers = { connect_retry = \"1s\" }
ipv4_unicast = {}
";

fn prefixes() -> Vec<String> {
    let of = |number: usize| format!("20.{}.{}.0/24", number / 256 % 256, number % 256);
    let more = |number: usize| format!("21.{}.{}.0/24", number / 256 % 256, number % 256);
    let all = (0..ROUTES).map(|number| match number < 65_536 {
        true => of(number),
        false => more(number - 65_536),
    });
    all.collect()
}

fn theirs(prefixes: &[String]) -> String {
    let mut out = String::from(
        "router id 10.9.0.2;\nprotocol bgp ours {\n local 10.9.0.2 as 65002;\n \
         neighbor 10.9.0.1 as 65001;\n graceful restart on;\n connect retry time 1;\n \
         connect delay time 1;\n error wait time 1, 2;\n \
         ipv4 { import none; export all; next hop self; };\n}\n\
         protocol static own {\n ipv4;\n",
    );
    for prefix in prefixes {
        // Writing to a String cannot fail.
        let _ = writeln!(out, " route {prefix} blackhole;");
    }
    out + "}\n"
}

/// A number that `show neighbors` has of the neighbour's IPv4 routes.
fn number(neighbor: &Value, part: &str, key: &str) -> Option<u64> {
    let path = format!("/{part}/ipv4_unicast/{key}");
    neighbor.pointer(&path).and_then(Value::as_u64)
}

/// Waits until so many of the neighbour's routes are there, and so many of them stale.
fn until_kept(lab: &Lab, pair: &Pair<'_>, what: &str, up: bool, stale: u64) -> Result<(), Error> {
    lab.reach(what, PATIENCE, || {
        let neighbor = pair.neighbor(BIRD)?;
        let state = neighbor.get("state").and_then(Value::as_str);
        let all = u64::try_from(ROUTES).ok();
        let there = number(&neighbor, "families", "received") == all;
        match (state == Some("Established")) == up
            && there
            && number(&neighbor, "details", "stale") == Some(stale)
        {
            true => Ok(()),
            false => Err(Error::State(neighbor.to_string())),
        }
    })
    .map(drop)
}

/// Waits until rbgpd has handed all IPv4 routes to the kernel so many times, as its log says. To ask
/// `verify` for it would compare 100,000 routes again and again.
fn until_complete(lab: &Lab, pair: &Pair<'_>, times: usize) -> Result<(), Error> {
    const LINE: &str = "routes are complete family=ipv4_unicast";
    let path = pair.rbgpd.log();
    lab.reach("the table is complete", PATIENCE, || {
        let log = fs::read_to_string(&path).map_err(|e| Error::State(e.to_string()))?;
        match log.matches(LINE).count() >= times {
            true => Ok(()),
            false => Err(Error::State(log)),
        }
    })
    .map(drop)
}

/// Waits until `rbgpctl verify` says that all of them are in the kernel as they should be.
fn verified(lab: &Lab, pair: &Pair<'_>) -> Result<(), Error> {
    let expected = format!("Equal: {ROUTES} kernel entries");
    lab.reach("the kernel is as it should be", PATIENCE, || {
        let said = pair.ctl(&["verify"])?;
        match said.contains(&expected) {
            true => Ok(()),
            false => Err(Error::State(said)),
        }
    })
    .map(drop)
}

/// The routes of rbgpd, as iproute2 shows them.
fn kernel(pair: &Pair<'_>) -> Result<String, Error> {
    pair.left.ip("route show proto bgp")
}

/// How the neighbour ends.
type End = fn(&mut Bird) -> Result<(), Error>;

struct Watch {
    prefixes: HashSet<String>,
    monitor: RouteMonitor,
    kernel: String,
}

impl Watch {
    fn start(lab: &Lab, pair: &Pair<'_>, prefixes: &[String]) -> Result<Self, Error> {
        verified(lab, pair)?;
        let kernel = kernel(pair)?;
        assert_eq!(kernel.lines().count(), ROUTES);
        Ok(Self {
            prefixes: prefixes.iter().cloned().collect(),
            monitor: RouteMonitor::start(lab, &pair.left)?,
            kernel,
        })
    }

    /// Nothing was said of any route since the start, and all is as it was.
    fn nothing_moved(&mut self, lab: &Lab, pair: &Pair<'_>) -> Result<(), Error> {
        verified(lab, pair)?;
        let said = self.monitor.said(&self.prefixes)?;
        let first = said.first();
        assert!(said.is_empty(), "{} messages, {first:?}", said.len());
        assert!(kernel(pair)? == self.kernel, "the routes look different");
        Ok(())
    }
}

#[test]
fn no_route_moves_when_the_peer_or_rbgpd_restarts() -> Result<(), Error> {
    scenario_beside_others("graceful", &NEEDS, |lab| {
        let prefixes = prefixes();
        let mut pair = Pair::build(lab)?;
        pair.start_forwarding(OURS)?;
        let mut bird = pair.bird(&theirs(&prefixes))?;
        until_kept(lab, &pair, "all routes are there", true, 0)?;
        until_complete(lab, &pair, 1)?;
        let mut watch = Watch::start(lab, &pair, &prefixes)?;

        let all = u64::try_from(ROUTES).unwrap_or_default();
        let ends: [(&str, End); 2] = [
            ("killed", Bird::kill9),
            ("stopped for a restart", Bird::leave_gracefully),
        ];
        for (how, end) in ends {
            end(&mut bird)?;
            until_kept(lab, &pair, &format!("{how}: all are stale"), false, all)?;
            watch.nothing_moved(lab, &pair)?;
            bird.recover(lab)?;
            until_kept(lab, &pair, &format!("{how}: none is stale"), true, 0)?;
            watch.nothing_moved(lab, &pair)?;
        }

        pair.rbgpd.kill9()?;
        pair.start_forwarding(OURS)?;
        until_kept(lab, &pair, "rbgpd has all routes again", true, 0)?;
        until_complete(lab, &pair, 2)?;
        watch.nothing_moved(lab, &pair)?;

        // The watch would have seen it: one that is taken away is seen to go and to come again.
        pair.left.ip("route del 20.0.0.0/24")?;
        lab.reach("the watch sees a route go and come", PATIENCE, || {
            let said = watch.monitor.said(&watch.prefixes)?;
            let (gone, came) = said.split_first().unzip();
            let gone = gone.is_some_and(|line| line.starts_with("Deleted 20.0.0.0/24"));
            match gone && came.is_some_and(|rest| !rest.is_empty()) {
                true => Ok(()),
                false => Err(Error::State(format!("{said:?}"))),
            }
        })
        .map(drop)
    })
}
