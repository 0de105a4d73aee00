//! FRR tells a neighbour its own routes again. That is no reason for attention.
//!
//! ```text
//! left: rbgpd AS 65001, announces 10.1.0.0/16 ───── right: FRR AS 65002, sends it back
//! ```

#![allow(missing_docs)]

use std::time::Duration;

use conformance::lab::{
    Error, Pair, Release, Requirement, frr_side, scenario_beside_others, toward,
};

const NEEDS: [Requirement; 3] = [Requirement::Root, Requirement::HostFrr, Requirement::Rbgpd];

const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn own_routes_that_frr_sends_back_are_marked_as_such_and_raise_no_attention() -> Result<(), Error>
{
    scenario_beside_others("own-routes", &NEEDS, |lab| {
        let mut pair = Pair::build(lab)?;
        let own = "[ipv4_unicast]\nnetworks = [\"10.1.0.0/16\"]\n";
        pair.start(&(own.to_owned() + &toward("10.9.0.2", 65002, "ipv4_unicast = {}")))?;
        let _frr = pair.frr(Release::Host, &frr_side(65002, "", ""))?;
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
