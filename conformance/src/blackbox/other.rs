//! Other daemons as speakers under test: the same rules, put to FRR and BIRD.
//!
//! They take no next hop on loopback, so the tests run in a network namespace in which 10.0.0.0/8
//! is local, all of it; `rbgpd-rules` makes it and collects what the tests say. A test that needs
//! settings in rbgpd's own words, or looks at what rbgpd shows its operator, cannot be put to
//! them: it ends with an error that begins with [`NOT_COMPARABLE`].

use std::fmt::Write;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::bench::PORT;
use super::setup::{Neighbor, Network, SPEAKER as HOST, Setup};
use super::{Error, Speaker};
use crate::lab::{Process, command, wait_until};

/// Names the speaker under test: `frr8`, `frr`, `bird2` or `bird`; without it, rbgpd.
pub const SPEAKER: &str = "RBGPD_RULES_SPEAKER";

/// How the error of a test begins that only rbgpd can be put to.
pub const NOT_COMPARABLE: &str = "not comparable";

/// How long a daemon may take to listen.
const START: Duration = Duration::from_secs(20);

/// Another daemon, installed or unpacked by `conformance/setup.sh --test` or the lab.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Other {
    /// FRR 8 of the machine's own package.
    Frr8,
    /// FRR of Debian trixie.
    Frr,
    /// BIRD 2 of the machine's own package.
    Bird2,
    /// BIRD 3.
    Bird,
}

impl Other {
    /// All.
    pub const ALL: [Self; 4] = [Self::Frr8, Self::Frr, Self::Bird2, Self::Bird];

    /// The one that the environment names.
    pub fn chosen() -> Result<Option<Self>, Error> {
        let Some(name) = std::env::var_os(SPEAKER) else {
            return Ok(None);
        };
        let found = Self::ALL.into_iter().find(|it| name == it.name());
        found.map(Some).ok_or_else(|| {
            let name = name.display();
            Error::Speaker(format!(
                "{SPEAKER} is `{name}`, but must be frr8, frr, bird2 or bird"
            ))
        })
    }

    /// Its name in the environment.
    pub fn name(self) -> &'static str {
        match self {
            Self::Frr8 => "frr8",
            Self::Frr => "frr",
            Self::Bird2 => "bird2",
            Self::Bird => "bird",
        }
    }

    /// Where it is unpacked, and its main program there.
    pub fn program(self) -> (&'static str, &'static str) {
        match self {
            Self::Frr8 => ("/", "/usr/lib/frr/bgpd"),
            Self::Bird2 => ("/", "/usr/sbin/bird"),
            Self::Frr => ("/var/cache/rbgpd-lab/trixie", "/usr/lib/frr/bgpd"),
            Self::Bird => ("/var/cache/rbgpd-bench/bird3", "/usr/sbin/bird"),
        }
    }

    /// Starts it and waits until it listens.
    pub(super) fn start(
        self,
        setup: &Setup,
        network: Network,
        folder: &Path,
    ) -> Result<Box<dyn Speaker>, Error> {
        let own = setup.neighbors.iter().find(|it| !it.keys.is_empty());
        if let Some(words) = own
            .map(|it| &it.keys)
            .into_iter()
            .chain((!setup.tables.is_empty()).then_some(&setup.tables))
            .chain((!setup.unicast.is_empty()).then_some(&setup.unicast))
            .next()
        {
            return Err(not_comparable(format!(
                "settings of rbgpd: {}",
                words.trim()
            )));
        }
        if setup
            .neighbors
            .iter()
            .any(|it| it.over_ipv6 || it.all_families)
        {
            return Err(not_comparable("sessions over IPv6, or of several families"));
        }
        // Both want an interface that has their address. It goes with the namespace.
        let address = format!("{}/32", network.host(HOST));
        command::host("ip", &["addr", "add", &address, "dev", "eth0"])?;
        let processes = match self {
            Self::Frr8 | Self::Frr => frr(self, setup, network, folder)?,
            Self::Bird2 | Self::Bird => bird(self, setup, network, folder)?,
        };
        let mut running = Running { processes };
        let at = SocketAddr::from((network.host(HOST), PORT));
        wait_until("the speaker listens", START, || {
            running.must_live()?;
            TcpStream::connect_timeout(&at, START)
                .map(drop)
                .map_err(|e| Error::io(at, e))
        })?;
        Ok(Box::new(running))
    }
}

pub(super) fn not_comparable(why: impl std::fmt::Display) -> Error {
    Error::Speaker(format!("{NOT_COMPARABLE}: {why}"))
}

/// A running daemon.
#[derive(Debug)]
struct Running {
    /// The main one last.
    processes: Vec<Process>,
}

impl Speaker for Running {
    fn must_live(&mut self) -> Result<(), Error> {
        for process in &mut self.processes {
            process.must_live()?;
        }
        Ok(())
    }

    fn stop(&mut self) -> Result<(), Error> {
        while let Some(mut process) = self.processes.pop() {
            process.stop()?;
        }
        Ok(())
    }

    fn pid(&self) -> Option<u32> {
        self.processes.last().map(Process::pid)
    }

    fn shown(&self, _neighbor: Ipv4Addr) -> Result<String, Error> {
        Err(not_comparable("what rbgpd shows its operator"))
    }

    fn routes(&self, _neighbor: Ipv4Addr, _received: bool) -> Result<String, Error> {
        Err(not_comparable("what rbgpd shows its operator"))
    }

    fn drain(&self) -> Result<(), Error> {
        Err(not_comparable("what rbgpd does on its operator's word"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // The test is over; a failure leaves it to `Process`.
        for process in &mut self.processes {
            let _ = process.kill();
        }
    }
}

/// A program below an unpacked root, which sees the folder at `inside`.
fn spawn(root: &str, inside: &str, folder: &Path, line: &[&str]) -> Result<Process, Error> {
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c"]).arg(
        "root=$0 folder=$1 inside=$2; shift 2; mount --rbind /proc \"$root/proc\" && \
         mount --rbind /dev \"$root/dev\" && \
         mount --bind \"$folder\" \"$root/$inside\" && exec chroot \"$root\" \"$@\"",
    );
    command.arg(root).arg(folder).arg(inside).args(line);
    let name = line.first().copied().unwrap_or_default();
    Ok(Process::spawn(name, command, &folder.join("daemon.log"))?)
}

fn write(path: &Path, text: &str) -> Result<(), Error> {
    fs::write(path, text).map_err(|e| Error::io(path.display(), e))
}

/// As rbgpd by itself: everything between private AS numbers and inside the own AS (RFC 8212).
fn is_open(setup: &Setup, neighbor: &Neighbor) -> bool {
    let private = |asn: u32| (64_512..=65_534).contains(&asn) || asn >= 4_200_000_000;
    neighbor.policy || neighbor.asn == setup.asn || (private(setup.asn) && private(neighbor.asn))
}

fn frr(
    which: Other,
    setup: &Setup,
    network: Network,
    folder: &Path,
) -> Result<Vec<Process>, Error> {
    let (root, program) = which.program();
    write(&folder.join("bgpd.conf"), &frr_config(setup, network))?;
    write(&folder.join("zebra.conf"), "")?;
    // Whoever its programs run as: by number where we do not see the names.
    let user = match which {
        Other::Frr => "110:110",
        Other::Frr8 | Other::Bird2 | Other::Bird => "frr:frr",
    };
    command::host("chown", &["-R", user, &folder.to_string_lossy()])?;
    let address = network.host(HOST).to_string();
    let port = PORT.to_string();
    let common = ["-A", "127.0.0.1", "-P", "0"];
    let mut zebra = vec!["/usr/lib/frr/zebra", "-f", "/run/frr/zebra.conf"];
    zebra.extend(common);
    let mut zebra = spawn(root, "run/frr", folder, &zebra)?;
    let socket = folder.join("zserv.api");
    wait_until("zebra listens", START, || {
        zebra.must_live().map_err(|e| e.to_string())?;
        socket
            .exists()
            .then_some(())
            .ok_or_else(|| "no socket".to_owned())
    })?;
    let mut bgpd = vec![program, "-n", "-f", "/run/frr/bgpd.conf"];
    bgpd.extend(["-l", &address, "-p", &port]);
    bgpd.extend(common);
    Ok(vec![zebra, spawn(root, "run/frr", folder, &bgpd)?])
}

fn frr_config(setup: &Setup, network: Network) -> String {
    let mut out = format!(
        "route-map ALL permit 10\nexit\nroute-map NOTHING deny 10\nexit\n\
         router bgp {}\n bgp router-id {}\n no bgp network import-check\n \
         no bgp default ipv4-unicast\n no bgp ebgp-requires-policy\n",
        setup.asn, setup.router_id
    );
    let local = network.host(HOST);
    // Writing to a String cannot fail.
    for neighbor in &setup.neighbors {
        let address = network.host(neighbor.host);
        let _ = write!(
            out,
            " neighbor {address} remote-as {}\n neighbor {address} port {PORT}\n \
             neighbor {address} update-source {local}\n neighbor {address} timers connect 1\n",
            neighbor.asn
        );
        if !neighbor.active {
            let _ = writeln!(out, " neighbor {address} passive");
        }
    }
    for ipv6 in [false, true] {
        let family = if ipv6 { "ipv6" } else { "ipv4" };
        let _ = writeln!(out, " address-family {family} unicast");
        if !ipv6 {
            for one in &setup.networks {
                let _ = writeln!(out, "  network {one}");
            }
        }
        for neighbor in setup.neighbors.iter().filter(|it| it.ipv6 == ipv6) {
            let address = network.host(neighbor.host);
            let map = if is_open(setup, neighbor) {
                "ALL"
            } else {
                "NOTHING"
            };
            let _ = write!(
                out,
                "  neighbor {address} activate\n  neighbor {address} route-map {map} in\n  \
                 neighbor {address} route-map {map} out\n"
            );
            if neighbor.asn != setup.asn {
                let _ = writeln!(out, "  neighbor {address} next-hop-self");
            }
        }
        out += " exit-address-family\n";
    }
    out
}

fn bird(
    which: Other,
    setup: &Setup,
    network: Network,
    folder: &Path,
) -> Result<Vec<Process>, Error> {
    let (root, program) = which.program();
    write(&folder.join("bird.conf"), &bird_config(setup, network))?;
    // A folder that is there, and of no use to BIRD otherwise.
    let inside = match which {
        Other::Bird => "run/bench",
        Other::Frr8 | Other::Frr | Other::Bird2 => "mnt",
    };
    let [config, socket] = ["conf", "ctl"].map(|end| format!("/{inside}/bird.{end}"));
    let line = [program, "-f", "-c", &config, "-s", &socket];
    Ok(vec![spawn(root, inside, folder, &line)?])
}

fn bird_config(setup: &Setup, network: Network) -> String {
    let mut out = format!(
        "log stderr all;\nrouter id {};\nprotocol device {{}}\nprotocol static own {{\n ipv4;\n",
        setup.router_id
    );
    for one in &setup.networks {
        let _ = writeln!(out, " route {one} blackhole;");
    }
    out += "}\n";
    let local = network.host(HOST);
    for neighbor in &setup.neighbors {
        let all = if is_open(setup, neighbor) {
            "all"
        } else {
            "none"
        };
        let family = if neighbor.ipv6 { "ipv6" } else { "ipv4" };
        let next_hop = match neighbor.asn == setup.asn {
            true => "",
            false => "next hop self;",
        };
        let _ = writeln!(
            out,
            "protocol bgp p{} {{\n local {local} port {PORT} as {};\n \
             neighbor {} port {PORT} as {};\n passive {};\n strict bind on;\n direct;\n \
             connect delay time 1;\n connect retry time 1;\n error wait time 1, 2;\n \
             enable extended messages on;\n graceful restart on;\n \
             {family} {{ import {all}; export {all}; gateway direct; {next_hop} }};\n}}",
            neighbor.host,
            setup.asn,
            network.host(neighbor.host),
            neighbor.asn,
            if neighbor.active { "off" } else { "on" },
        );
    }
    out
}
