//! FRR tells a neighbour its own routes again. That is no reason for attention.
//!
//! ```text
//! left: rbgpd AS 65001, announces 10.1.0.0/16 ───── right: FRR AS 65002, sends it back
//! ```

#![allow(missing_docs)]

use std::time::Duration;

use conformance::lab::{Error, Pair, Release, Requirement, scenario_beside_others};

const NEEDS: [Requirement; 3] = [Requirement::Root, Requirement::HostFrr, Requirement::Rbgpd];

const PATIENCE: Duration = Duration::from_secs(30);

const FRR: &str = "\
router bgp 65002
 bgp router-id 10.9.0.2
 no bgp ebgp-requires-policy
 neighbor 10.9.0.1 remote-as 65001
 neighbor 10.9.0.1 timers connect 1
";

const OURS: &str = "[ipv4_unicast]\nnetworks = [\"10.1.0.0/16\"]\n\
                    [[neighbor]]\naddress = \"10.9.0.2\"\nremote_as = 65002\n\
                    timers = { connect_retry = \"1s\" }\nipv4_unicast = {}\n";

#[test]
fn own_routes_that_frr_sends_back_are_marked_as_such_and_raise_no_attention() -> Result<(), Error>
{
    scenario_beside_others("own-routes", &NEEDS, |lab| {
        let mut pair = Pair::build(lab)?;
        pair.start(OURS)?;
        let _frr = pair.frr(Release::Host, FRR)?;
        lab.reach("the own route is back", PATIENCE, || {
            let neighbor = pair.neighbor("10.9.0.2")?;
            let counts = &neighbor["families"]["ipv4_unicast"];
            match (counts["received"].as_u64(), counts["looped"].as_u64()) {
                (Some(1), Some(1)) => Ok(()),
                _ => Err(Error::State(neighbor.to_string())),
            }
        })?;
        let summary = pair.ctl(&["show", "summary"])?;
        assert!(!summary.contains("not accepted"), "{summary}");
        let received = pair.ctl(&["show", "routes", "--received", "10.9.0.2"])?;
        let row = received.lines().find(|line| line.contains("10.1.0.0/16"));
        assert!(row.is_some_and(|row| row.starts_with('l')), "{received}");
        Ok(())
    })
}
