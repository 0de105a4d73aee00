//! BFD beside TTL security (RFC 5082): FRR then runs BFD over several hops (RFC 5883), which is
//! another session than that over one. It is named with its remedy, and the remedy helps.
//!
//! ```text
//! left: rbgpd AS 65001, 10.9.0.1 ───── right: FRR AS 65002, 10.9.0.2
//! ```

#![allow(missing_docs)]

use std::time::Duration;

use conformance::lab::{
    Error, Pair, Release, Requirement, frr_side, scenario_beside_others, toward,
};

const NEEDS: [Requirement; 3] = [Requirement::Root, Requirement::HostFrr, Requirement::Rbgpd];

const PATIENCE: Duration = Duration::from_secs(30);

const SESSION: &str = "neighbor 10.9.0.1 ttl-security hops 1\n neighbor 10.9.0.1 bfd";

fn ours(bfd: &str) -> String {
    let keys = format!("bfd = {bfd}\nttl_security = 1\nipv4_unicast = {{}}");
    toward("10.9.0.2", 65002, &keys)
}

#[test]
fn bfd_that_ttl_security_keeps_down_is_named_and_its_remedy_helps() -> Result<(), Error> {
    scenario_beside_others("bfd-ttl", &NEEDS, |lab| {
        let mut pair = Pair::build(lab)?;
        pair.start(&ours("true"))?;
        let frr = pair.frr(Release::Host, &frr_side(65002, SESSION, ""))?;
        let state = |pair: &Pair<'_>, bfd: &str, hinted: bool| {
            let neighbor = pair.neighbor("10.9.0.2")?;
            let hint = neighbor["hint"].as_str().unwrap_or_default();
            let established = neighbor["state"] == "Established";
            let fits = neighbor["bfd"] == bfd && hint.contains("4784") == hinted;
            match established && fits {
                true => Ok(()),
                false => Err(Error::State(neighbor.to_string())),
            }
        };
        lab.reach("Established, BFD down with its remedy", PATIENCE, || {
            state(&pair, "down", true)
        })?;
        let sockets = frr.vtysh(&["show bfd peers json"])?.stdout;
        assert!(sockets.contains("\"multihop\":true"), "{sockets}");
        let summary = pair.ctl(&["show", "summary"])?;
        assert!(summary.contains("multihop = true"), "{summary}");
        pair.reload(&ours("{ multihop = true }"))?;
        lab.reach("BFD up over several hops", PATIENCE, || {
            state(&pair, "up", false)
        })?;
        Ok(())
    })
}
