//! What an operator finds in the log after a link with many routes on it has flapped.
//!
//! ```text
//! left: rbgpd AS 65001, kernel ───── right: rbgpd AS 65002, 401 networks
//! ```

#![allow(missing_docs)]

use std::time::{Duration, Instant};

use conformance::lab::{Error, Pair, Requirement, scenario_beside_others, toward};

const NEEDS: [Requirement; 2] = [Requirement::Root, Requirement::Rbgpd];

const PATIENCE: Duration = Duration::from_secs(30);

const ROUTES: usize = 401;

/// Longer than refusals are gathered for one line.
const GATHERED: Duration = Duration::from_millis(2500);

fn neighbor(host: u8) -> String {
    let address = format!("10.9.0.{host}");
    toward(&address, 65000 + u32::from(host), "ipv4_unicast = {}")
}

#[test]
fn a_link_that_flaps_is_a_line_for_each_cause_and_not_one_for_each_route() -> Result<(), Error> {
    scenario_beside_others("log", &NEEDS, |lab| {
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
        let routes = |wanted: usize| {
            let pair = &pair;
            move || {
                let seen = pair.left.ip("-4 route show proto bgp")?.lines().count();
                match seen == wanted {
                    true => Ok(()),
                    false => Err(Error::State(format!("{seen} routes"))),
                }
            }
        };
        lab.reach("all routes in the kernel", PATIENCE, routes(ROUTES))?;
        let log = pair.rbgpd.log();
        let lines = || -> Result<Vec<String>, Error> {
            let text = std::fs::read_to_string(&log).map_err(|e| Error::io(log.display(), e))?;
            Ok(text.lines().map(str::to_owned).collect())
        };
        let before = lines()?.len();
        pair.left.ip("link set eth0 down")?;
        lab.reach("none", PATIENCE, routes(0))?;
        pair.left.ip("link set eth0 up")?;
        lab.reach("all routes again", PATIENCE, routes(ROUTES))?;
        // How many the kernel refuses depends on who hears first that the link is down, and what was
        // refused is said up to a second later, or not at all: so that long it is looked for.
        let whole = Instant::now();
        lab.reach("whatever there is to say is said", PATIENCE, || {
            match whole.elapsed() > GATHERED {
                true => Ok(()),
                false => Err(Error::State("there may be more".to_owned())),
            }
        })?;
        let said = lines()?.split_off(before);
        assert!(said.len() <= 10, "{said:#?}");
        Ok(())
    })
}
