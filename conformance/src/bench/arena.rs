//! Where a measurement takes place: two network namespaces joined by one pair of interfaces.
//!
//! ```text
//! namespace dut          namespace gen
//! daemon 10.0.0.1/16 ═══ 10.0.1.0/24, 10.0.2.0/24: the neighbours, all on one segment
//! ```
//!
//! All neighbours are directly connected, as eBGP wants them. Every run has namespaces of its own,
//! so that nothing in the kernel is left from the one before; the lab takes them away again.

use std::net::{Ipv4Addr, SocketAddr};

use super::daemon::{ADDRESS, Daemon, Job, Neighbor, Running};
use super::fleet::{Fleet, Identity};
use super::scenario::make_devices;
use super::view::View;
use super::{Fault, Interrupt};
use crate::lab::{Frr, Lab, Namespace, Release};

/// Two namespaces.
#[derive(Debug)]
pub struct Arena {
    lab: Lab,
    /// The daemon's.
    pub dut: Namespace,
    /// The neighbours'.
    pub generator: Namespace,
}

impl Arena {
    /// Makes them.
    pub fn new(interrupt: &Interrupt) -> Result<Self, Fault> {
        let lab = Lab::new("bench")?;
        lab.interrupt_by(interrupt);
        let dut = lab.namespace("dut")?;
        let generator = lab.namespace("gen")?;
        let other = generator.name();
        dut.ip(&format!(
            "link add wire type veth peer name wire netns {other}"
        ))?;
        dut.ip(&format!("addr add {ADDRESS}/16 dev wire"))?;
        dut.ip("link set wire up")?;
        generator.ip("addr add 10.0.255.254/16 dev wire")?;
        generator.ip("link set wire up")?;
        // All of these are ours without an address for each.
        for net in ["10.0.1.0/24", "10.0.2.0/24"] {
            generator.ip(&format!("route add local {net} dev lo"))?;
        }
        Ok(Self {
            lab,
            dut,
            generator,
        })
    }

    /// Starts a daemon.
    pub fn start(&self, daemon: &Daemon, job: &Job) -> Result<Running, Fault> {
        if job.vnis > 0 && !daemon.is_ours() {
            make_devices(self, job)?;
        }
        let folder = self.lab.folder(daemon.name)?;
        daemon.start(&self.lab, &self.dut, &folder, job)
    }

    /// Runs lines for `ip` in the daemon's namespace.
    pub fn batch(&self, lines: &str) -> Result<(), Fault> {
        let file = self.folder()?.join("batch");
        std::fs::write(&file, lines)?;
        let file = file.display().to_string();
        self.dut.run(&["ip", "-batch", &file])?;
        Ok(())
    }

    /// A folder for files of a scenario.
    pub fn folder(&self) -> Result<std::path::PathBuf, Fault> {
        Ok(self.lab.folder("scenario")?)
    }

    /// The control socket of rbgpd.
    pub fn control_socket(&self) -> std::path::PathBuf {
        self.lab.dir().join("rbgpd/control.sock")
    }

    /// Starts FRR beside the neighbours as their end of BFD: a session with the daemon for each, on
    /// a pair of interfaces of its own, since FRR tells sessions with one address apart by those.
    pub fn watch(&self, neighbors: &[Identity]) -> Result<Frr, Fault> {
        let mut config = String::from("bfd\n");
        for (number, Identity { address, .. }) in neighbors.iter().enumerate() {
            let (pair, other) = (format!("pair{number}"), self.generator.name());
            self.dut.ip(&format!(
                "link add {pair} type veth peer name {pair} netns {other}"
            ))?;
            for end in [&self.dut, &self.generator] {
                end.ip(&format!("link set {pair} up"))?;
            }
            self.dut
                .ip(&format!("route add {address}/32 dev {pair} src {ADDRESS}"))?;
            config += &format!(
                " peer {ADDRESS} local-address {address} interface {pair}\n  detect-multiplier 3\n  \
                 receive-interval 50\n  transmit-interval 50\n  no shutdown\n exit\n"
            );
        }
        let folder = self.lab.folder("watch")?;
        let mut frr = Frr::new(Release::Host, self.generator.clone(), folder);
        frr.start(&self.lab, &config)?;
        Ok(frr)
    }

    /// Keeps configurations and logs of a failure.
    pub fn keep_logs(&self) {
        self.lab.keep_logs();
    }

    /// Takes everything away; what is still there afterwards.
    pub fn teardown(self) -> Vec<String> {
        self.lab.teardown()
    }
}

/// Neighbour number `n`.
pub fn identity(number: usize) -> Identity {
    let number = u8::try_from(number % 200).unwrap_or(0);
    identity_in(1, number)
}

/// Neighbours of the second kind, those that are idle.
pub fn idle_identity(number: usize) -> Identity {
    identity_in(2, u8::try_from(number % 250).unwrap_or(0))
}

fn identity_in(net: u8, number: u8) -> Identity {
    Identity {
        address: Ipv4Addr::new(10, 0, net, number + 1),
        // Not private, so that daemons that look at this treat all alike; no path of the table
        // holds them.
        asn: 59_000 + u32::from(net) * 300 + u32::from(number),
    }
}

/// The neighbour as the daemon configures it.
pub fn neighbor(identity: Identity, told: bool) -> Neighbor {
    Neighbor {
        address: identity.address,
        asn: identity.asn,
        told,
        watched: false,
    }
}

/// A fleet whose neighbours connect to the daemon of the arena.
pub fn fleet<'a>(
    job: &Job,
    peers: Vec<(Identity, View)>,
    interrupt: &'a Interrupt,
) -> Result<Fleet<'a>, Fault> {
    Fleet::new(
        SocketAddr::from((ADDRESS, 179)),
        job.family,
        peers,
        interrupt,
    )
}
