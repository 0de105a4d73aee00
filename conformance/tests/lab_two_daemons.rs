//! Two daemons in one network namespace, each with a state directory of its own.
//!
//! ```text
//! left: rbgpd, and another one       each would take the other's kernel entries for its leftovers
//! ```

#![allow(missing_docs)]

use std::time::Duration;

use conformance::lab::{Error, Pair, Requirement, scenario_beside_others};

const NEEDS: [Requirement; 2] = [Requirement::Root, Requirement::Rbgpd];

const PATIENCE: Duration = Duration::from_secs(20);

/// Listens where the first does not, and has a route of its own.
fn second(kernel: &str) -> String {
    format!(
        "listen = [\"10.9.0.13:1790\"]\n[[static_route]]\nprefix = \"172.22.0.0/16\"\n\
         kind = \"blackhole\"\n[kernel]\n{kernel}\n"
    )
}

#[test]
fn a_second_daemon_is_kept_from_the_kernel_of_the_first() -> Result<(), Error> {
    scenario_beside_others("two-daemons", &NEEDS, |lab| {
        let mut pair = Pair::build(lab)?;
        pair.start_forwarding(
            "listen = [\"10.9.0.1:179\"]\n[[static_route]]\nprefix = \"172.21.0.0/16\"\n\
             kind = \"blackhole\"\n",
        )?;
        let routes = || pair.left.ip("-4 route show");
        let there = |prefix: &str| {
            let route = format!("blackhole {prefix}");
            lab.reach(&route, PATIENCE, || match routes()?.contains(&route) {
                true => Ok(()),
                false => Err(Error::State(routes()?)),
            })
            .map(drop)
        };
        let undisturbed = || {
            let verified = pair.ctl(&["verify"])?;
            assert!(verified.starts_with("Equal"), "{verified}");
            there("172.21.0.0/16")
        };
        there("172.21.0.0/16")?;

        let refused = pair.beside("refused", &second("enabled = true"));
        let words = refused.map(drop).unwrap_err().to_string();
        let pid = pair.rbgpd.pid().unwrap_or_default();
        for wanted in [
            format!("another rbgpd (process {pid}) writes to the kernel"),
            "protocol number 186".to_owned(),
            "hint: stop that one".to_owned(),
        ] {
            assert!(words.contains(&wanted), "no `{wanted}` in: {words}");
        }
        undisturbed()?;

        // What the hint says works: no kernel, and another number.
        let mut other = pair.beside("no-kernel", &second("enabled = false"))?;
        other.stop()?;
        let mut other = pair.beside("other-number", &second("protocol = 201"))?;
        there("172.22.0.0/16")?;
        undisturbed()?;
        other.stop()?;
        assert!(!routes()?.contains("172.22.0.0/16"), "{}", routes()?);
        undisturbed()?;

        // The place is free with the process, however that ends.
        pair.rbgpd.kill9()?;
        let mut next = pair.beside("next", &second("enabled = true"))?;
        there("172.22.0.0/16")?;
        next.stop()
    })
}
