//! rbgpd and one neighbour of any make, on one link, each with a configuration of the test's own.
//!
//! ```text
//!  left                                   right
//!  rbgpd  eth0 ────────────────── eth0    FRR, BIRD or a second rbgpd
//!  │      10.9.0.1/24, fd09::1/64        10.9.0.2/24, fd09::2/64
//!  │      10.9.0.13 to 19 and            10.9.0.3 to 9 too, for sessions in number
//!  │                                      third, for those who ask for it
//!  └───── eth1 ────────────────── eth0    BIRD
//!         10.8.0.1/24                     10.8.0.3/24
//! ```

use std::time::Duration;

use serde_json::Value;

use super::bird::Bird;
use super::command;
use super::frr::Frr;
use super::rbgpd::Rbgpd;
use super::{Error, Lab, Namespace, Release};

/// Longest wait for a session: connection attempts of the slowest peer included.
const PATIENCE: Duration = Duration::from_secs(60);

/// rbgpd and the link to its neighbour.
#[derive(Debug)]
pub struct Pair<'a> {
    lab: &'a Lab,
    /// Where rbgpd runs.
    pub left: Namespace,
    /// Where its neighbour runs.
    pub right: Namespace,
    /// The daemon under test.
    pub rbgpd: Rbgpd,
}

impl<'a> Pair<'a> {
    /// Both namespaces and the link between them.
    pub fn build(lab: &'a Lab) -> Result<Self, Error> {
        let (left, right) = (lab.namespace("left")?, lab.namespace("right")?);
        let name = right.name().to_owned();
        left.ip(&format!(
            "link add eth0 type veth peer name eth0 netns {name}"
        ))?;
        for (space, host) in [(&left, 1), (&right, 2)] {
            space.ip("link set eth0 up")?;
            space.ip(&format!("addr add 10.9.0.{host}/24 dev eth0"))?;
            space.ip(&format!("addr add fd09::{host}/64 dev eth0 nodad"))?;
        }
        for host in 3..10 {
            left.ip(&format!("addr add 10.9.0.1{host}/24 dev eth0"))?;
            right.ip(&format!("addr add 10.9.0.{host}/24 dev eth0"))?;
        }
        let home = lab.folder("left")?;
        Ok(Self {
            rbgpd: Rbgpd::new(left.clone(), home),
            lab,
            left,
            right,
        })
    }

    /// Starts rbgpd: AS 65001, no kernel, and this configuration besides.
    pub fn start(&mut self, config: &str) -> Result<(), Error> {
        self.rbgpd.start(self.lab, &with_head(65001, 1, config))
    }

    /// Starts rbgpd with this configuration and nothing besides.
    pub fn start_whole(&mut self, config: &str) -> Result<(), Error> {
        self.rbgpd.start(self.lab, config)
    }

    /// The same with another AS number and last octet of the identifier.
    pub fn start_as(&mut self, (asn, id): (u32, u8), config: &str) -> Result<(), Error> {
        self.rbgpd.start(self.lab, &with_head(asn, id, config))
    }

    /// As [`Pair::start`], with the kernel of its namespace.
    pub fn start_forwarding(&mut self, config: &str) -> Result<(), Error> {
        self.rbgpd.start(self.lab, &forwarding(config))
    }

    /// As [`Pair::reload`], with the kernel of its namespace.
    pub fn reload_forwarding(&mut self, config: &str) -> Result<(), Error> {
        let path = self.rbgpd.config();
        std::fs::write(&path, forwarding(config)).map_err(|e| Error::io(path.display(), e))?;
        self.ctl(&["reload"]).map(drop)
    }

    /// Gives rbgpd another configuration and reloads it.
    pub fn reload(&mut self, config: &str) -> Result<(), Error> {
        let path = self.rbgpd.config();
        std::fs::write(&path, with_head(65001, 1, config))
            .map_err(|e| Error::io(path.display(), e))?;
        self.ctl(&["reload"]).map(drop)
    }

    /// FRR of this release on the right, with this configuration.
    pub fn frr(&self, release: Release, config: &str) -> Result<Frr, Error> {
        release.prepare()?;
        let mut frr = Frr::new(release, self.right.clone(), self.lab.folder("frr")?);
        let log = frr.log_name();
        let config = format!("frr defaults traditional\nlog file {log}\n{config}");
        frr.start(self.lab, &config)?;
        Ok(frr)
    }

    /// BIRD on the right, with this configuration.
    pub fn bird(&self, config: &str) -> Result<Bird, Error> {
        self.bird_in(&self.right, config)
    }

    /// BIRD in another namespace of the lab, with this configuration.
    pub fn bird_in(&self, space: &Namespace, config: &str) -> Result<Bird, Error> {
        let mut bird = Bird::new(space.clone(), self.lab.folder("bird")?);
        let config = format!("log stderr all;\nprotocol device {{}}\n{config}");
        bird.start(self.lab, &config)?;
        Ok(bird)
    }

    /// rbgpd's other link, and BIRD at the end of it with this configuration. Each end knows the
    /// way to the other one, so that its next hops lead somewhere.
    pub fn third(&self, config: &str) -> Result<Bird, Error> {
        let space = self.lab.namespace("third")?;
        let name = space.name();
        self.left.ip(&format!(
            "link add eth1 type veth peer name eth0 netns {name}"
        ))?;
        for (space, device, host) in [(&self.left, "eth1", 1), (&space, "eth0", 3)] {
            space.ip(&format!("link set {device} up"))?;
            space.ip(&format!("addr add 10.8.0.{host}/24 dev {device}"))?;
        }
        space.ip("route add 10.9.0.0/24 via 10.8.0.1")?;
        self.right.ip("route add 10.8.0.0/24 via 10.9.0.1")?;
        self.bird_in(&space, config)
    }

    /// A second rbgpd on the right: AS 65002 and this configuration.
    pub fn second(&self, config: &str) -> Result<Rbgpd, Error> {
        self.second_as((65002, 2), config)
    }

    /// The same with another AS number and last octet of the identifier.
    pub fn second_as(&self, (asn, id): (u32, u8), config: &str) -> Result<Rbgpd, Error> {
        let mut second = Rbgpd::new(self.right.clone(), self.lab.folder("second")?);
        second.start(self.lab, &with_head(asn, id, config))?;
        Ok(second)
    }

    /// Another rbgpd beside the first, in the same network namespace and with the kernel of that, under
    /// a name of its own.
    pub fn beside(&self, name: &str, config: &str) -> Result<Rbgpd, Error> {
        let mut beside = Rbgpd::new(self.left.clone(), self.lab.folder(name)?);
        let config = format!("asn = 65009\nrouter_id = \"10.9.0.9\"\n{config}");
        beside.start(self.lab, &config)?;
        Ok(beside)
    }

    /// Runs `rbgpctl`, which must succeed; what it prints.
    pub fn ctl(&self, words: &[&str]) -> Result<String, Error> {
        let output = self.rbgpd.ctl(words)?;
        match output.ok() {
            true => Ok(output.stdout),
            false => Err(Error::State(output.text())),
        }
    }

    /// `show neighbors ADDR --json`.
    pub fn neighbor(&self, address: &str) -> Result<Value, Error> {
        let text = self.ctl(&["show", "neighbors", address, "--json"])?;
        let shown = command::json("show neighbors", &text)?;
        let first = shown.pointer("/neighbors/0").cloned();
        first.ok_or_else(|| Error::State(format!("no neighbor {address}: {text}")))
    }

    /// Waits until `show neighbors ADDR` contains all of these texts.
    pub fn until_shown(&self, address: &str, texts: &[&str]) -> Result<String, Error> {
        let what = format!("show neighbors {address}");
        let ask = || self.ctl(&["show", "neighbors", address]);
        self.lab.until_shown(&what, texts, ask)
    }

    /// Waits until `explain PREFIX` contains all of these texts.
    pub fn until_explained(&self, prefix: &str, texts: &[&str]) -> Result<String, Error> {
        let what = format!("explain {prefix}");
        let ask = || self.ctl(&["explain", prefix]);
        self.lab.until_shown(&what, texts, ask)
    }

    /// How many sessions with a neighbour were Established so far.
    pub fn sessions(&self, address: &str) -> Result<u64, Error> {
        let neighbor = self.neighbor(address)?;
        let sessions = neighbor.get("established").and_then(Value::as_u64);
        sessions.ok_or_else(|| Error::State(neighbor.to_string()))
    }

    /// Waits until the session with a neighbour is Established.
    pub fn until_established(&self, address: &str) -> Result<(), Error> {
        let what = format!("{address} is Established");
        self.lab.reach(&what, PATIENCE, || {
            let neighbor = self.neighbor(address)?;
            match neighbor.get("state").and_then(Value::as_str) {
                Some("Established") => Ok(()),
                _ => Err(Error::State(neighbor.to_string())),
            }
        })?;
        Ok(())
    }
}

fn forwarding(config: &str) -> String {
    format!("asn = 65001\nrouter_id = \"10.9.0.1\"\n{config}")
}

fn with_head(asn: u32, id: u8, config: &str) -> String {
    format!("asn = {asn}\nrouter_id = \"10.9.0.{id}\"\n{config}\n[kernel]\nenabled = false\n")
}
