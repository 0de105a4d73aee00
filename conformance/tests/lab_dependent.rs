//! Routes of our own that depend on others, as FRR and BIRD see them.
//!
//! ```text
//! right: FRR 10.9.0.2 AS 65002 ───── left: rbgpd AS 65001 ───── third: BIRD 10.8.0.3 AS 65003
//!                              10.9.0.1, 10.8.0.1               announces 10.64.1.0/24 and
//!                                                               10.64.2.0/24, each at will
//! ```

#![allow(missing_docs)]

use std::time::Duration;

use conformance::lab::{
    Error, Frr, Lab, Pair, Release, Requirement, bird_side, frr_side, scenario_beside_others,
    toward,
};

const NEEDS: [Requirement; 4] = [
    Requirement::Root,
    Requirement::HostFrr,
    Requirement::Program("bird"),
    Requirement::Rbgpd,
];

const PATIENCE: Duration = Duration::from_secs(60);

/// FRR with an aggregate of its own.
fn theirs() -> String {
    let family = "network 198.51.100.0/24\n  aggregate-address 198.51.0.0/16 summary-only";
    frr_side(65002, "", family)
}

/// BIRD with two routes, each announced at will.
fn at_will() -> String {
    let own = "protocol static one { ipv4; route 10.64.1.0/24 blackhole; }\n\
               protocol static two { ipv4; route 10.64.2.0/24 blackhole; }\n";
    bird_side(65003, "", "where source = RTS_STATIC") + own
}

/// The head of rbgpd's configuration, what a neighbour's family has for FRR, and two maps.
fn ours(unicast: &str, frr: &str) -> String {
    let map = |name: &str, prefix: &str| {
        format!(
            "[[prefix_list]]\nname = \"{name}\"\nrules = [\"permit {prefix}\"]\n\
             [[route_map]]\nname = \"{name}\"\n\
             entry = [{{ seq = 10, action = \"permit\", match = {{ prefix_list = \"{name}\" }} }}]\n"
        )
    };
    format!(
        "ebgp_requires_policy = false\n[ipv4_unicast]\n{unicast}\n{}{}{}{}",
        toward("10.9.0.2", 65002, &format!("ipv4_unicast = {{ {frr} }}")),
        toward("10.8.0.3", 65003, "ipv4_unicast = {}"),
        map("ONE", "10.64.1.0/24"),
        map("TWO", "10.64.2.0/24"),
    )
}

/// Waits until FRR knows exactly these prefixes from rbgpd.
fn frr_knows(lab: &Lab, frr: &Frr, prefixes: &[&str]) -> Result<(), Error> {
    lab.reach(
        &format!("FRR knows {}", prefixes.join(", ")),
        PATIENCE,
        || {
            let shown = frr.vtysh(&["show bgp ipv4 unicast json"])?.stdout;
            let shown: serde_json::Value =
                serde_json::from_str(&shown).map_err(|error| Error::State(error.to_string()))?;
            let routes = shown
                .get("routes")
                .and_then(serde_json::Value::as_object)
                .cloned()
                .unwrap_or_default();
            let learned = routes.iter().filter(|(_, paths)| {
                let mut paths = paths.as_array().into_iter().flatten();
                paths.any(|path| path["peerId"] == "10.9.0.1")
            });
            let mut known: Vec<&str> = learned.map(|(prefix, _)| prefix.as_str()).collect();
            known.sort_unstable();
            match known == prefixes {
                true => Ok(()),
                false => Err(Error::State(known.join(", "))),
            }
        },
    )?;
    Ok(())
}

#[test]
fn an_aggregate_is_told_and_drops_while_bird_announces_something_within() -> Result<(), Error> {
    scenario_beside_others("aggregate", &NEEDS, |lab| {
        let mut pair = Pair::build(lab)?;
        let aggregate = "aggregates = [{ prefix = \"10.64.0.0/16\", summary_only = true }]";
        pair.start_forwarding(&ours(aggregate, ""))?;
        let frr = pair.frr(Release::Host, &theirs())?;
        let mut bird = pair.third(&at_will())?;
        frr_knows(lab, &frr, &["10.64.0.0/16"])?;
        // The same words that FRR has for an aggregate of its own.
        let own = ["\"aggregatorAs\":65001", "\"atomicAggregate\":true"];
        frr.until_shown(lab, "10.64.0.0/16", &own)?;
        // BIRD hears of what its own routes became, and of FRR's.
        for (prefix, path) in [("10.64.0.0/16", "65001"), ("198.51.0.0/16", "65001 65002")] {
            let texts = [&*format!("BGP.as_path: {path}"), "BGP.aggregator:"];
            bird.until_shown(lab, prefix, &texts)?;
        }
        pair.until_explained(
            "10.64.1.0/24",
            &["the aggregate 10.64.0.0/16 stands for it"],
        )?;
        let left = pair.left.clone();
        let kernel = || left.ip("route show type blackhole");
        lab.until_shown("the kernel", &["blackhole 10.64.0.0/16 proto bgp"], kernel)?;
        pair.until_explained("10.64.0.0/16", &["aggregate of 2 more specific routes"])?;

        bird.ask("disable one")?;
        pair.until_explained("10.64.0.0/16", &["aggregate of 1 more specific route"])?;
        frr_knows(lab, &frr, &["10.64.0.0/16"])?;
        bird.ask("disable two")?;
        frr_knows(lab, &frr, &[])?;
        pair.until_explained(
            "10.64.0.0/16",
            &["not there: no more specific route is in use"],
        )?;
        lab.reach("the kernel has no blackhole", PATIENCE, || {
            match kernel()? {
                text if text.trim().is_empty() => Ok(()),
                text => Err(Error::State(text)),
            }
        })?;

        // A reload without summary_only, and without the blackhole route.
        bird.ask("enable one")?;
        frr_knows(lab, &frr, &["10.64.0.0/16"])?;
        let before = pair.sessions("10.9.0.2")?;
        let plain = "aggregates = [{ prefix = \"10.64.0.0/16\", blackhole = false }]";
        pair.reload_forwarding(&ours(plain, ""))?;
        frr_knows(lab, &frr, &["10.64.0.0/16", "10.64.1.0/24"])?;
        assert_eq!(pair.sessions("10.9.0.2")?, before);
        assert!(!kernel()?.contains("10.64.0.0/16"));
        bird.stop()
    })
}

#[test]
fn what_frr_is_told_waits_for_what_bird_announces() -> Result<(), Error> {
    scenario_beside_others("conditions", &NEEDS, |lab| {
        let mut pair = Pair::build(lab)?;
        let condition = "default_originate = { route_map = \"TWO\" }, \
                         advertise_if = { routes = \"ONE\", exist = \"TWO\" }";
        pair.start(&ours("", condition))?;
        let frr = pair.frr(Release::Host, &theirs())?;
        let mut bird = pair.third(&at_will())?;
        let all = ["0.0.0.0/0", "10.64.1.0/24", "10.64.2.0/24"];
        frr_knows(lab, &frr, &all)?;
        bird.ask("disable two")?;
        frr_knows(lab, &frr, &[])?;
        let why = ["it is told only while routes are there that advertise_if asks for"];
        pair.until_explained("10.64.1.0/24", &why)?;
        bird.ask("enable two")?;
        frr_knows(lab, &frr, &all)?;
        pair.until_shown(
            "10.9.0.2",
            &["ipv4_unicast: it is told what passes ONE only while a route passes TWO"],
        )?;

        // The other way around, and then a limit, in the same session.
        let before = pair.sessions("10.9.0.2")?;
        pair.reload(&ours(
            "",
            "advertise_if = { routes = \"ONE\", absent = \"TWO\" }",
        ))?;
        frr_knows(lab, &frr, &["10.64.2.0/24"])?;
        bird.ask("disable two")?;
        frr_knows(lab, &frr, &["10.64.1.0/24"])?;
        bird.ask("enable two")?;
        frr_knows(lab, &frr, &["10.64.2.0/24"])?;
        let networks = "networks = [\"10.99.0.0/16\"]";
        pair.reload(&ours(networks, "maximum_prefixes_out = 2"))?;
        frr_knows(lab, &frr, &["10.64.1.0/24", "10.99.0.0/16"])?;
        let words = ["told at most 2 prefixes, our own and the lowest ones; not told: 1"];
        pair.until_shown("10.9.0.2", &words)?;
        bird.ask("disable one")?;
        frr_knows(lab, &frr, &["10.64.2.0/24", "10.99.0.0/16"])?;
        pair.until_shown("10.9.0.2", &["and there is room for all"])?;
        assert_eq!(pair.sessions("10.9.0.2")?, before);
        bird.stop()
    })
}
