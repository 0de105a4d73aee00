//! IPv6 addresses that another host on the link has, too: the kernel finds them and uses them for nothing,
//! and the operator reads which, where, why and what to do, whoever has set them.
//!
//! ```text
//! left: rbgpd, eth0 fd77::1, fd78::1 ───── right: eth0 fd77::1, fd78::1 before
//! ```

#![allow(missing_docs)]

use std::time::Duration;

use conformance::lab::{Error, Pair, Requirement, scenario_beside_others};

const NEEDS: [Requirement; 2] = [Requirement::Root, Requirement::Rbgpd];
const PATIENCE: Duration = Duration::from_secs(30);

/// rbgpd is asked for one of them.
const CONFIG: &str = "\
[[interface]]
name = \"eth0\"
addresses = [\"fd77::1/64\"]
";

#[test]
fn an_address_of_another_host_too_is_named_with_what_to_do() -> Result<(), Error> {
    scenario_beside_others("duplicate-addresses", &NEEDS, |lab| {
        let mut pair = Pair::build(lab)?;
        for address in ["fd77::1/64", "fd78::1/64"] {
            pair.right
                .ip(&format!("addr add {address} dev eth0 nodad"))?;
        }
        pair.left.ip("addr add fd78::1/64 dev eth0")?;
        pair.start_forwarding(CONFIG)?;
        let verify = || Ok(pair.rbgpd.ctl(&["verify"])?.stdout);
        let why = |address: &str| {
            format!(
                "another host on the link of `eth0` has {address} too (duplicate address detection)"
            )
        };
        let (ours, others) = (why("fd77::1"), why("fd78::1"));
        let parts = [
            "Different: ",
            "want: address fd77::1/64",
            "have: address fd77::1/64, a duplicate that is not used",
            &ours,
            "`ip address del fd77::1/64 dev eth0`, and it is set again at once",
            &others,
            "`ip address del fd78::1/64 dev eth0`, then `ip address add fd78::1/64 dev eth0`",
        ];
        lab.until_shown("verify", &parts, verify)?;
        assert_eq!(pair.rbgpd.ctl(&["verify"])?.code, Some(1));
        let summary = || pair.ctl(&["show", "summary"]);
        lab.until_shown("show summary", &[&ours, &others], summary)?;

        // As it is said.
        for address in ["fd77::1/64", "fd78::1/64"] {
            pair.right.ip(&format!("addr del {address} dev eth0"))?;
            pair.left.ip(&format!("addr del {address} dev eth0"))?;
        }
        pair.left.ip("addr add fd78::1/64 dev eth0")?;
        lab.reach("both are in use", PATIENCE, || {
            let shown = pair.left.ip("-6 addr show dev eth0")?;
            let all = ["fd77::1", "fd78::1"].iter().all(|it| shown.contains(it));
            match all && !shown.contains("tentative") && !shown.contains("dadfailed") {
                true => Ok(()),
                false => Err(Error::State(shown)),
            }
        })?;
        lab.until_shown("verify", &["Equal: "], verify)?;
        let said = pair.ctl(&["show", "summary"])?;
        assert!(!said.contains("duplicate address"), "{said}");
        Ok(())
    })
}
