//! Long-lived graceful restart (RFC 9494) beside FRR.
//!
//! ```text
//! left: rbgpd AS 65001, 10.9.0.1 ───── right: FRR AS 65002, 10.9.0.2
//! ```

#![allow(missing_docs)]

use std::time::Duration;

use conformance::lab::{
    Error, Pair, Release, Requirement, frr_side, scenario_beside_others, toward,
};

const FRR: [Requirement; 3] = [Requirement::Root, Requirement::HostFrr, Requirement::Rbgpd];

const PATIENCE: Duration = Duration::from_secs(60);

/// FRR whose routes may stay for two seconds as they are, and for four as a last resort.
fn brief() -> String {
    let times = "bgp graceful-restart\n bgp graceful-restart restart-time 2\n \
                 bgp long-lived-graceful-restart stale-time 4";
    let family = "network 192.0.2.0/24\n  network 198.51.100.0/24 route-map NO-LLGR";
    frr_side(65002, times, family)
        + "exit\nroute-map NO-LLGR permit 10\n set community no-llgr\nexit\n"
}

fn ours(own: &str) -> String {
    format!(
        "[graceful_restart]\nrestart_time = \"2s\"\nlong_lived_time = \"1h\"\n{own}{}",
        toward("10.9.0.2", 65002, "ipv4_unicast = {}")
    )
}

#[test]
fn routes_of_frr_grow_old_and_leave_on_time() -> Result<(), Error> {
    scenario_beside_others("long-lived", &FRR, |lab| {
        let mut pair = Pair::build(lab)?;
        pair.start(&ours(""))?;
        let mut frr = pair.frr(Release::Host, &brief())?;
        pair.until_established("10.9.0.2")?;
        let routes = || pair.ctl(&["show", "routes", "--json"]);
        let holds = |wanted: &[&str], unwanted: &[&str]| {
            let seen = routes()?;
            let good = wanted.iter().all(|it| seen.contains(it))
                && !unwanted.iter().any(|it| seen.contains(it));
            match good {
                true => Ok(()),
                false => Err(Error::State(seen)),
            }
        };
        let both = ["192.0.2.0/24", "198.51.100.0/24"];
        lab.reach("both routes are there", PATIENCE, || {
            holds(&both, &["llgr-stale"])
        })?;

        frr.kill9()?;
        lab.reach("they are kept", PATIENCE, || holds(&both, &["llgr-stale"]))?;
        // The restart time is over: one is a last resort, the other one asked not to be.
        lab.reach("one is a last resort", PATIENCE, || {
            holds(&["192.0.2.0/24", "llgr-stale"], &["198.51.100.0/24"])
        })?;
        let why = pair.ctl(&["show", "neighbors", "10.9.0.2"])?;
        assert!(why.contains("kept as a last resort (llgr-stale)"), "{why}");
        lab.reach("it leaves on time", PATIENCE, || {
            holds(&[], &["192.0.2.0/24"])
        })
        .map(drop)
    })
}

/// The other way round: FRR keeps ours, marked.
#[test]
fn routes_of_ours_grow_old_at_frr() -> Result<(), Error> {
    scenario_beside_others("long-lived-ours", &FRR, |lab| {
        let mut pair = Pair::build(lab)?;
        let own = "[ipv4_unicast]\nnetworks = [\"203.0.113.0/24\"]\n";
        pair.start(&ours(own))?;
        let frr = pair.frr(Release::Host, &brief())?;
        pair.until_established("10.9.0.2")?;
        let said = || -> Result<String, Error> {
            let output = frr.vtysh(&["show bgp ipv4 unicast 203.0.113.0/24"])?;
            Ok(output.text())
        };
        let until = |what: &str, words: &[&str]| {
            lab.reach(what, PATIENCE, || {
                let seen = said()?;
                match words.iter().all(|word| seen.contains(word)) {
                    true => Ok(()),
                    false => Err(Error::State(seen)),
                }
            })
        };
        until("FRR has the route", &["65001"])?;
        pair.rbgpd.kill9()?;
        until("FRR keeps it as a last resort", &["65001", "llgr-stale"])?;
        pair.start(&ours(own))?;
        lab.reach("it is young again", PATIENCE, || {
            let seen = said()?;
            match seen.contains("65001") && !seen.contains("llgr-stale") {
                true => Ok(()),
                false => Err(Error::State(seen)),
            }
        })
        .map(drop)
    })
}
