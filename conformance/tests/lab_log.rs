//! What an operator finds in the log after a link with many routes on it has flapped.
//!
//! ```text
//! left: rbgpd AS 65001, kernel ───── right: rbgpd AS 65002, 401 networks
//! ```

#![allow(missing_docs)]

use std::time::Duration;

use conformance::lab::{Error, Pair, Requirement, scenario};

const NEEDS: [Requirement; 2] = [Requirement::Root, Requirement::Rbgpd];

const PATIENCE: Duration = Duration::from_secs(30);

const ROUTES: usize = 401;

fn neighbor(host: u8) -> String {
    format!(
        "[[neighbor]]\naddress = \"10.9.0.{host}\"\nremote_as = 6500{host}\n\
         timers = {{ connect_retry = \"1s\" }}\nipv4_unicast = {{}}\n"
    )
}

#[test]
fn a_link_that_flaps_is_a_line_for_each_cause_and_not_one_for_each_route() -> Result<(), Error> {
    scenario("log", &NEEDS, |lab| {
        let mut pair = Pair::build(lab)?;
        pair.start_forwarding(&neighbor(2))?;
        let networks: Vec<String> = (0..ROUTES)
            .map(|number| format!("\"10.{}.{}.0/24\"", 100 + number / 200, number % 200))
            .collect();
        let networks = networks.join(", ");
        let _second = pair.second(&format!(
            "[ipv4_unicast]\nnetworks = [{networks}]\n{}",
            neighbor(1)
        ))?;
        let installed = || {
            let routes = pair.left.ip("-4 route show proto bgp")?.lines().count();
            match routes == ROUTES {
                true => Ok(()),
                false => Err(Error::State(format!("{routes} routes"))),
            }
        };
        lab.reach("all routes in the kernel", PATIENCE, installed)?;
        let log = pair.rbgpd.log();
        let lines = |with: &str| -> Result<Vec<String>, Error> {
            let text = std::fs::read_to_string(&log).map_err(|e| Error::io(log.display(), e))?;
            let lines = text.lines().filter(|line| line.contains(with));
            Ok(lines.map(str::to_owned).collect())
        };
        let counted = format!("entries={ROUTES}");
        let said = |with: &str| match lines(with)?.iter().any(|line| line.contains(&counted)) {
            true => Ok(()),
            false => Err(Error::State(format!("nothing like `{with} {counted}`"))),
        };
        pair.left.ip("link set eth0 down")?;
        lab.reach("the refusals in the log", PATIENCE, || {
            said("the kernel refused entries")
        })?;
        pair.left.ip("link set eth0 up")?;
        lab.reach("all routes again", PATIENCE, installed)?;
        lab.reach("that in the log too", PATIENCE, || {
            said("the kernel took refused entries after all")
        })?;
        let of_entries = lines("entries")?;
        assert!(of_entries.len() <= 6, "{of_entries:#?}");
        Ok(())
    })
}
