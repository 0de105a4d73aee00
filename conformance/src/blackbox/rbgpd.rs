//! rbgpd as a speaker under test: without the kernel, on loopback.

use std::fmt::Write;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::lab::{Process, binary, command, wait_until};

use super::bench::PORT;
use super::setup::{Network, SPEAKER, Setup};
use super::{Error, Speaker};

/// How long the daemon may take to answer after its start.
const START: Duration = Duration::from_secs(20);
/// How long a client command may take.
const CLIENT: Duration = Duration::from_secs(20);

/// A running rbgpd.
#[derive(Debug)]
pub(super) struct Rbgpd {
    process: Process,
    socket: PathBuf,
}

impl Rbgpd {
    pub(super) fn start(
        setup: &Setup,
        network: Network,
        folder: &Path,
    ) -> Result<Box<dyn Speaker>, Error> {
        let config = folder.join("rbgpd.toml");
        fs::write(&config, toml(setup, network)).map_err(|e| Error::io(config.display(), e))?;
        let socket = folder.join("control.sock");
        let mut command = Command::new(program("rbgpd")?);
        command
            .arg("--config")
            .arg(&config)
            .arg("--socket")
            .arg(&socket);
        command.arg("--state-dir").arg(folder.join("state"));
        command.env("NO_COLOR", "1");
        let process = Process::spawn("rbgpd", command, &folder.join("rbgpd.log"))?;
        let mut rbgpd = Self { process, socket };
        let mut ended = None;
        wait_until("rbgpd answers", START, || {
            // One that has ended will not answer later.
            ended = rbgpd.must_live().err();
            match ended {
                Some(_) => Ok(()),
                None => rbgpd.ask(&["show", "summary"]).map(drop),
            }
        })?;
        if let Some(ended) = ended {
            return Err(ended);
        }
        Ok(Box::new(rbgpd))
    }

    fn ask(&self, words: &[&str]) -> Result<String, Error> {
        let mut client = Command::new(program("rbgpctl")?);
        client.arg("--socket").arg(&self.socket).args(words);
        client.env("NO_COLOR", "1");
        let output = command::output_within(&mut client, CLIENT)?;
        if output.ok() {
            Ok(output.text())
        } else {
            Err(Error::Speaker(output.text()))
        }
    }
}

impl Speaker for Rbgpd {
    fn must_live(&mut self) -> Result<(), Error> {
        Ok(self.process.must_live()?)
    }

    fn stop(&mut self) -> Result<(), Error> {
        Ok(self.process.stop().map(drop)?)
    }

    fn pid(&self) -> Option<u32> {
        Some(self.process.pid())
    }

    fn shown(&self, neighbor: Ipv4Addr) -> Result<String, Error> {
        self.ask(&["show", "neighbors", &neighbor.to_string()])
    }

    fn routes(&self, neighbor: Ipv4Addr, received: bool) -> Result<String, Error> {
        let which = if received {
            "--received"
        } else {
            "--advertised"
        };
        self.ask(&["show", "routes", which, &neighbor.to_string(), "--json"])
    }

    fn drain(&self) -> Result<(), Error> {
        self.ask(&["drain", "--force"]).map(drop)
    }
}

impl Drop for Rbgpd {
    fn drop(&mut self) {
        // The test is over, nobody wants to see an orderly end; a failure leaves it to `Process`.
        let _ = self.process.kill();
    }
}

fn program(name: &str) -> Result<PathBuf, Error> {
    let hint = "cargo build -p rbgpd, or set RBGPD_BIN_DIR";
    binary(name).ok_or_else(|| Error::Speaker(format!("no program `{name}`\n\nhint: {hint}")))
}

fn toml(setup: &Setup, network: Network) -> String {
    let networks: Vec<String> = setup
        .networks
        .iter()
        .map(|one| format!("\"{one}\""))
        .collect();
    let mut listen = vec![SocketAddr::from((network.host(SPEAKER), PORT))];
    if setup.neighbors.iter().any(|neighbor| neighbor.over_ipv6) {
        listen.push(SocketAddr::from((Network::host_ipv6(SPEAKER), PORT)));
    }
    let listen: Vec<String> = listen.iter().map(|one| format!("\"{one}\"")).collect();
    let mut out = format!(
        "asn = {}\nrouter_id = \"{}\"\nlisten = [{}]\n\
         [kernel]\nenabled = false\n[ipv4_unicast]\nnetworks = [{}]\n{}\
         [[route_map]]\nname = \"ALL\"\nentry = [{{ seq = 10, action = \"permit\" }}]\n",
        setup.asn,
        setup.router_id,
        listen.join(", "),
        networks.join(", "),
        setup.unicast,
    );
    out.push_str(&setup.tables);
    for neighbor in &setup.neighbors {
        let family = if neighbor.ipv6 {
            "ipv6_unicast"
        } else {
            "ipv4_unicast"
        };
        let policy = if neighbor.policy {
            "{ import = \"ALL\", export = \"ALL\" }"
        } else {
            "{}"
        };
        // Writing to a String cannot fail.
        let _ = write!(
            out,
            "[[neighbor]]\naddress = \"{}\"\nlocal_address = \"{}\"\nremote_as = {}\n\
             port = {PORT}\npassive = {}\n{}",
            network.of(neighbor.host, neighbor.over_ipv6),
            network.of(SPEAKER, neighbor.over_ipv6),
            neighbor.asn,
            !neighbor.active,
            neighbor.keys,
        );
        if !neighbor.keys.contains(family) {
            let _ = writeln!(out, "{family} = {policy}");
        }
        if neighbor.all_families {
            // There is no IPv6 address of ours beside the session's.
            out.push_str("ipv6_unicast = { next_hop = \"unchanged\" }\nevpn = {}\n");
        }
    }
    out
}
