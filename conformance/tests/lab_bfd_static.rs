//! Static routes whose next hops BFD watches: a cut path moves traffic although every interface has
//! its carrier.
//!
//! ```text
//!               ┌─ eth0 10.9.0.1 ── 10.9.0.2 right: FRR's bfdd
//! left: rbgpd ──┤
//!               └─ eth1 10.8.0.1 ── 10.8.0.3 third: BIRD
//! ```
//!
//! A path is cut by a route that leads the other side's packets nowhere.

#![allow(missing_docs)]

use std::time::{Duration, Instant};

use conformance::lab::{
    Error, Lab, Pair, Release, Requirement, RouteMonitor, scenario_beside_others,
};

const NEEDS: [Requirement; 4] = [
    Requirement::Root,
    Requirement::HostFrr,
    Requirement::Program("bird"),
    Requirement::Rbgpd,
];

const PATIENCE: Duration = Duration::from_secs(20);

const ROUTES: &str = r#"
[[bfd_profile]]
name = "fast"
interval = "100ms"

[[static_route]]
prefix = "172.16.0.0/16"
next_hops = ["10.9.0.2", { address = "10.8.0.3", interface = "eth1" }]
bfd = { profile = "fast" }

[[static_route]]
prefix = "172.16.0.0/16"
kind = "unreachable"
distance = 250
"#;

const FRR: &str =
    "bfd\n peer 10.9.0.1\n  receive-interval 100\n  transmit-interval 100\n exit\nexit\n";

const BIRD: &str = "router id 10.8.0.3;\nprotocol bfd {\n  interface \"eth0\" { interval 100 ms; };\n  \
                    neighbor 10.8.0.1 dev \"eth0\" local 10.8.0.3;\n}\n";

/// Waits until the kernel's route is made of these parts and not of those.
fn until(lab: &Lab, pair: &Pair<'_>, why: &str, has: &[&str], not: &[&str]) -> Result<(), Error> {
    lab.reach(why, PATIENCE, || {
        let seen = pair.left.ip("-4 route show 172.16.0.0/16")?;
        let fits =
            has.iter().all(|it| seen.contains(it)) && !not.iter().any(|it| seen.contains(it));
        match fits {
            true => Ok(()),
            false => {
                let shown = pair.ctl(&["show", "static"])? + &pair.ctl(&["show", "bfd"])?;
                Err(Error::State(format!("{seen}\n{shown}")))
            }
        }
    })
    .map(drop)
}

fn said(lab: &Lab, pair: &Pair<'_>, what: &str) -> Result<(), Error> {
    lab.until_shown("show static", &[what], || pair.ctl(&["show", "static"]))
        .map(drop)
}

#[test]
fn a_cut_path_moves_a_static_route_and_a_wish_or_a_crash_does_not() -> Result<(), Error> {
    const NEAR: &str = "via 10.9.0.2 dev eth0";
    const FAR: &str = "via 10.8.0.3 dev eth1";
    scenario_beside_others("bfd-static", &NEEDS, |lab| {
        let mut pair = Pair::build(lab)?;
        pair.start_forwarding(ROUTES)?;
        let last = ["unreachable 172.16.0.0/16", "metric 250"];
        until(lab, &pair, "nothing is up yet", &last, &[NEAR, FAR])?;
        said(lab, &pair, "BFD with 10.9.0.2 has not come up")?;

        let frr = pair.frr(Release::Host, FRR)?;
        let bird = pair.third(BIRD)?;
        until(lab, &pair, "both are up", &[NEAR, FAR], &["unreachable"])?;
        let watched = pair.ctl(&["show", "bfd", "--json"])?;
        assert!(watched.contains("static route"), "{watched}");

        let start = Instant::now();
        pair.right.ip("route add blackhole 10.9.0.1/32")?;
        until(lab, &pair, "the near path is dead", &[FAR], &[NEAR])?;
        println!(
            "moved {:?} after the cut, detection time 300 ms",
            start.elapsed()
        );
        said(lab, &pair, "BFD with 10.9.0.2 is down: ")?;
        pair.right.ip("route del blackhole 10.9.0.1/32")?;
        until(lab, &pair, "both again", &[NEAR, FAR], &[])?;
        pair.ctl(&["verify"])?;

        // The other side's wish says nothing of the path.
        frr.configure(&["bfd", "peer 10.9.0.1", "shutdown"])?;
        lab.until_shown(
            "AdminDown is heard",
            &["\"remote_state\":\"admin_down\""],
            || {
                let shown = pair.ctl(&["show", "bfd", "--json"])?;
                Ok(shown.replace(": ", ":"))
            },
        )?;
        until(lab, &pair, "what is used stays used", &[NEAR, FAR], &[])?;
        frr.configure(&["bfd", "peer 10.9.0.1", "no shutdown"])?;
        lab.until_shown("up again", &["10.9.0.2", "10.8.0.3"], || {
            let shown = pair.ctl(&["show", "bfd"])?;
            let up = shown.lines().filter(|line| line.contains(" up ")).count();
            match up {
                2 => Ok(shown),
                _ => Err(Error::State(shown)),
            }
        })?;

        // Killed and started again: what is there stays until sessions are up, and after that.
        let monitor = RouteMonitor::start(lab, &pair.left)?;
        pair.rbgpd.kill9()?;
        pair.start_forwarding(ROUTES)?;
        lab.until_shown("used after a crash", &["installed"], || {
            pair.ctl(&["show", "static"])
        })?;
        until(lab, &pair, "both after a crash", &[NEAR, FAR], &[])?;
        let gone = monitor.deleted(&["172.16.0.0/16".to_owned()], &[])?;
        assert!(gone.is_empty(), "{gone:?}");

        // Without `bfd` nobody asks any more.
        pair.reload_forwarding(&ROUTES.replace("bfd = { profile", "# bfd = { profile"))?;
        drop((frr, bird));
        until(lab, &pair, "both without BFD", &[NEAR, FAR], &[])?;
        let sessions = pair.ctl(&["show", "bfd"])?;
        assert!(!sessions.contains("10.9.0.2"), "{sessions}");
        Ok(())
    })
}
