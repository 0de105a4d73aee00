//! A router of a site, whichever program it is.

use std::net::Ipv4Addr;
use std::time::Duration;

use super::config::Speaker;
use super::frr::Frr;
use super::rbgpd::Rbgpd;
use super::{Error, Lab, Output};

/// The families the lab's sessions carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// IPv4 unicast.
    Ipv4,
    /// L2VPN EVPN.
    Evpn,
}

/// A routing daemon of one site.
#[derive(Debug)]
pub enum Node {
    /// Ours.
    Rbgpd(Rbgpd),
    /// FRRouting.
    Frr(Frr),
}

impl Node {
    /// Starts it with what its site is meant to do.
    pub(super) fn start(&mut self, lab: &Lab, speaker: &Speaker) -> Result<(), Error> {
        match self {
            Self::Rbgpd(rbgpd) => rbgpd.start(lab, &speaker.toml()),
            Self::Frr(frr) => {
                let log = frr.log_name();
                frr.start(lab, &speaker.frr(&log))
            }
        }
    }

    /// Starts it with a configuration in its own language.
    pub(super) fn start_with(&mut self, lab: &Lab, config: &str) -> Result<(), Error> {
        match self {
            Self::Rbgpd(rbgpd) => rbgpd.start(lab, config),
            Self::Frr(frr) => {
                let log = frr.log_name();
                frr.start(lab, &format!("log file {log} informational\n{config}"))
            }
        }
    }

    /// Ends it in order (SIGTERM).
    pub fn stop(&mut self) -> Result<(), Error> {
        match self {
            Self::Rbgpd(rbgpd) => rbgpd.stop(),
            Self::Frr(frr) => frr.stop(),
        }
    }

    /// Kills it (SIGKILL).
    pub fn kill9(&mut self) -> Result<(), Error> {
        match self {
            Self::Rbgpd(rbgpd) => rbgpd.kill9(),
            Self::Frr(frr) => frr.kill9(),
        }
    }

    /// Whether it is ours.
    pub fn is_rbgpd(&self) -> bool {
        matches!(self, Self::Rbgpd(_))
    }

    /// Runs `rbgpctl`; an error on an FRR.
    pub fn ctl(&self, words: &[&str]) -> Result<Output, Error> {
        match self {
            Self::Rbgpd(rbgpd) => rbgpd.ctl(words),
            Self::Frr(_) => Err(Error::State("FRR has no rbgpctl".to_owned())),
        }
    }

    /// Changes the configuration file and has it read; an error on an FRR.
    pub fn reload(&self, edit: impl FnOnce(&str) -> String) -> Result<(), Error> {
        match self {
            Self::Rbgpd(rbgpd) => rbgpd.reload(edit),
            Self::Frr(_) => Err(Error::State("FRR's file is not kept".to_owned())),
        }
    }

    /// Runs vtysh commands; on rbgpd through its own `rbgpctl vtysh`.
    pub fn vtysh(&self, commands: &[&str]) -> Result<Output, Error> {
        match self {
            Self::Frr(frr) => frr.vtysh(commands),
            Self::Rbgpd(rbgpd) => {
                let mut words = vec!["vtysh"];
                for command in commands {
                    words.extend(["-c", command]);
                }
                rbgpd.ctl(&words)
            }
        }
    }

    /// Moves traffic away and waits until it has moved, as far as the program can tell.
    ///
    /// FRR has no drain; the nearest is `bgp graceful-shutdown` (RFC 8326), which proves nothing.
    pub fn drain(&self, asn: u32) -> Result<(), Error> {
        let Self::Rbgpd(rbgpd) = self else {
            return self.graceful_shutdown(asn, "bgp graceful-shutdown");
        };
        let output = rbgpd.ctl(&["drain", "--wait"])?;
        succeeded("drain --wait", &output)
    }

    /// Takes traffic back, and waits until everything is green.
    pub fn undrain(&self, asn: u32) -> Result<(), Error> {
        match self {
            Self::Rbgpd(rbgpd) => succeeded("undrain --wait", &rbgpd.ctl(&["undrain", "--wait"])?),
            Self::Frr(_) => self.graceful_shutdown(asn, "no bgp graceful-shutdown"),
        }
    }

    fn graceful_shutdown(&self, asn: u32, line: &str) -> Result<(), Error> {
        let commands = [
            "configure terminal",
            &format!("router bgp {asn}"),
            line,
            "end",
        ];
        succeeded(line, &self.vtysh(&commands)?)
    }

    /// The numbers of its processes; empty for a container.
    pub fn pids(&self) -> Vec<u32> {
        match self {
            Self::Rbgpd(rbgpd) => rbgpd.pid().into_iter().collect(),
            Self::Frr(frr) => frr.pids(),
        }
    }

    /// Whether the session with a neighbor is Established with this family; else what it is.
    pub fn established(&self, peer: Ipv4Addr, family: Family) -> Result<(), Error> {
        match self {
            Self::Rbgpd(rbgpd) => rbgpd.established(peer, family),
            Self::Frr(frr) => frr.established(peer, family),
        }
    }

    /// Whether BFD with a neighbor is up; else what it is.
    pub fn bfd_up(&self, peer: Ipv4Addr) -> Result<(), Error> {
        match self {
            Self::Rbgpd(rbgpd) => rbgpd.bfd_up(peer),
            Self::Frr(frr) => frr.bfd_up(peer),
        }
    }

    /// How long the session with a neighbor has been Established.
    pub fn uptime(&self, peer: Ipv4Addr) -> Result<Duration, Error> {
        match self {
            Self::Rbgpd(rbgpd) => rbgpd.uptime(peer),
            Self::Frr(frr) => frr.uptime(peer),
        }
    }
}

fn succeeded(what: &str, output: &Output) -> Result<(), Error> {
    if output.ok() {
        return Ok(());
    }
    let (code, text) = (output.code, output.text());
    Err(Error::State(format!(
        "`{what}` ended with {code:?}: {text}"
    )))
}
