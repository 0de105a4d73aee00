//! What a session does beside a real neighbour, one setting at a time.
//!
//! ```text
//! left: rbgpd AS 65001, 10.9.0.1 ───── right: FRR or BIRD AS 65002, 10.9.0.2
//! ```

#![allow(missing_docs)]

use std::time::Duration;

use conformance::lab::{Error, Lab, Pair, Release, Requirement, scenario};
use serde_json::Value;

const FRR: [Requirement; 3] = [Requirement::Root, Requirement::HostFrr, Requirement::Rbgpd];

const PATIENCE: Duration = Duration::from_secs(60);

/// FRR that announces three prefixes to us.
const FRR_THREE: &str = "\
router bgp 65002
 bgp router-id 10.9.0.2
 no bgp ebgp-requires-policy
 no bgp network import-check
 neighbor 10.9.0.1 remote-as 65001
 neighbor 10.9.0.1 timers connect 1
 address-family ipv4 unicast
  network 192.0.2.0/24
  network 198.51.100.0/24
  network 203.0.113.0/24
 exit-address-family
";

/// Our side of it with these settings of the family.
fn with_maximum(maximum: &str) -> String {
    format!(
        "[[neighbor]]\naddress = \"10.9.0.2\"\nremote_as = 65002\n\
         timers = {{ connect_retry = \"1s\" }}\n\
         ipv4_unicast = {{ maximum_prefixes = {maximum} }}\n"
    )
}

/// A number of `show neighbors --json`.
fn number(neighbor: &Value, name: &str) -> u64 {
    neighbor.get(name).and_then(Value::as_u64).unwrap_or(0)
}

fn state_error(seen: impl std::fmt::Display) -> Error {
    Error::State(seen.to_string())
}

#[test]
fn too_many_prefixes_of_frr_end_the_session_as_configured() -> Result<(), Error> {
    scenario("maximum-prefixes", &FRR, |lab| {
        let mut pair = Pair::build(lab)?;
        pair.start(&with_maximum("2"))?;
        let frr = pair.frr(Release::Host, FRR_THREE)?;

        // For good, and the neighbour is told why.
        pair.until_shown(
            "10.9.0.2",
            &[
                "more than 2 ipv4_unicast prefixes received",
                "rbgpctl clear",
            ],
        )?;
        lab.reach("FRR was told Cease/1", PATIENCE, || {
            let seen = frr.vtysh(&["show bgp neighbors 10.9.0.1"])?.text();
            match seen.contains("Maximum Number of Prefixes Reached") {
                true => Ok(()),
                false => Err(state_error(seen)),
            }
        })?;
        assert_eq!(number(&pair.neighbor("10.9.0.2")?, "established"), 1);
        let routes = pair.ctl(&["show", "routes", "--json"])?;
        assert!(!routes.contains("192.0.2.0/24"), "{routes}");

        // A raised limit is enough to start again, and a warning says how near it is.
        pair.reload(&with_maximum("3"))?;
        pair.until_established("10.9.0.2")?;
        lab.reach("the summary warns", PATIENCE, || {
            let summary = pair.ctl(&["show", "summary"])?;
            match summary.contains("3 of at most 3 ipv4_unicast prefixes") {
                true => Ok(()),
                false => Err(state_error(summary)),
            }
        })?;

        // A rest comes to an end by itself: with as many prefixes again and again, with fewer for
        // good.
        let before = number(&pair.neighbor("10.9.0.2")?, "established");
        pair.reload(&with_maximum("{ limit = 2, restart_after = \"1s\" }"))?;
        lab.reach("two more sessions", PATIENCE, || {
            let neighbor = pair.neighbor("10.9.0.2")?;
            match number(&neighbor, "established") >= before + 2 {
                true => Ok(()),
                false => Err(state_error(neighbor)),
            }
        })?;
        withdraw_one(lab, &frr)?;
        lab.reach("two routes in an Established session", PATIENCE, || {
            let neighbor = pair.neighbor("10.9.0.2")?;
            let received = neighbor.pointer("/families/ipv4_unicast/received");
            match received.and_then(Value::as_u64) {
                Some(2) => Ok(()),
                _ => Err(state_error(neighbor)),
            }
        })?;

        // Said and not done.
        let before = number(&pair.neighbor("10.9.0.2")?, "established");
        pair.reload(&with_maximum("{ limit = 1, warning_only = true }"))?;
        lab.reach("the summary warns", PATIENCE, || {
            let summary = pair.ctl(&["show", "summary"])?;
            match summary.contains("2 of at most 1 ipv4_unicast prefixes") {
                true => Ok(()),
                false => Err(state_error(summary)),
            }
        })?;
        pair.until_established("10.9.0.2")?;
        assert_eq!(number(&pair.neighbor("10.9.0.2")?, "established"), before);
        Ok(())
    })
}

fn withdraw_one(lab: &Lab, frr: &conformance::lab::Frr) -> Result<(), Error> {
    let output = frr.vtysh(&[
        "configure terminal",
        "router bgp 65002",
        "address-family ipv4 unicast",
        "no network 203.0.113.0/24",
        "end",
    ])?;
    lab.step("FRR withdraws one prefix");
    match output.ok() {
        true => Ok(()),
        false => Err(state_error(output.text())),
    }
}

#[test]
fn a_member_of_a_group_comes_up_with_frr_and_follows_the_group() -> Result<(), Error> {
    let group = |password: &str| {
        format!(
            "[[peer_group]]\nname = \"SPINES\"\nremote_as = \"external\"\n\
             password = \"{password}\"\ntimers = {{ connect_retry = \"1s\" }}\n\
             ipv4_unicast = {{}}\n\
             [[neighbor]]\naddress = \"10.9.0.2\"\npeer_group = \"SPINES\"\n"
        )
    };
    scenario("peer-group", &FRR, |lab| {
        let mut pair = Pair::build(lab)?;
        pair.start(&group("one-word"))?;
        let before = pair.neighbor("10.9.0.2")?;
        assert_eq!(before.get("remote_as"), Some(&Value::Null));
        let config = FRR_THREE.replace(
            " neighbor 10.9.0.1 timers connect 1\n",
            " neighbor 10.9.0.1 timers connect 1\n neighbor 10.9.0.1 password one-word\n",
        );
        let _frr = pair.frr(Release::Host, &config)?;
        pair.until_established("10.9.0.2")?;
        let neighbor = pair.neighbor("10.9.0.2")?;
        assert_eq!(number(&neighbor, "remote_as"), 65002);
        lab.reach("three routes are accepted", PATIENCE, || {
            // Both AS numbers are private, which is known once the neighbour has said its own.
            let neighbor = pair.neighbor("10.9.0.2")?;
            let accepted = neighbor.pointer("/families/ipv4_unicast/accepted");
            match accepted.and_then(Value::as_u64) {
                Some(3) => Ok(()),
                _ => Err(state_error(neighbor)),
            }
        })?;
        pair.reload(&group("another-word"))?;
        pair.until_shown("10.9.0.2", &["the passwords differ"])?;
        Ok(())
    })
}
