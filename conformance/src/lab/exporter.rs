//! The Prometheus exporter for FRR (tynany/frr_exporter, Debian's `prometheus-frr-exporter`): started beside a
//! router, and asked for its metrics.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::{Error, Lab, Namespace, Process, command, rootfs, wait_until};

const PORT: u16 = 9342;
const START: Duration = Duration::from_secs(20);

/// Everything that is not on by itself and needs no value. Releases know more or fewer of them.
const SWITCHES: [&str; 13] = [
    "collector.bgp6",
    "collector.bgpl2vpn",
    "collector.pim",
    "collector.vrrp",
    "collector.rpki",
    "collector.bgp.peer-descriptions",
    "collector.bgp.peer-descriptions.plain-text",
    "collector.bgp.peer-groups",
    "collector.bgp.peer-hostnames",
    "collector.bgp.advertised-prefixes",
    "collector.bgp.accepted-filtered-prefixes",
    "collector.bgp.next-hop-interface",
    "collector.route.detailed-routes",
];

/// How it reaches the router.
#[derive(Debug, Clone, Copy)]
pub enum Way<'p> {
    /// The sockets of FRR's daemons, in this folder.
    Sockets(&'p Path),
    /// A program that takes what `vtysh` takes, with the control socket that it is to use.
    Vtysh(&'p Path, &'p Path),
}

/// A running exporter.
#[derive(Debug)]
pub struct Exporter {
    space: Namespace,
    process: Process,
}

impl Exporter {
    /// The program: `RBGPD_FRR_EXPORTER`, else that of Debian 13, which is fetched on first use.
    pub fn program() -> Result<PathBuf, Error> {
        match std::env::var_os("RBGPD_FRR_EXPORTER") {
            Some(path) => Ok(path.into()),
            None => {
                let name = "prometheus-frr-exporter";
                Ok(rootfs::package("trixie", name)?.join("usr/bin").join(name))
            }
        }
    }

    /// Starts one in a router's namespace, on loopback, with all that it can tell, and these words.
    pub fn start(
        lab: &Lab,
        space: &Namespace,
        folder: &Path,
        way: Way<'_>,
        words: &[String],
    ) -> Result<Self, Error> {
        let program = Self::program()?;
        let help = command::output(Command::new(&program).arg("--help"))?.text();
        let help: String = help.replace("[no-]", "");
        let mut command = space.command(&program.display().to_string());
        command.arg(format!("--web.listen-address=127.0.0.1:{PORT}"));
        for switch in SWITCHES {
            let word = format!("--{switch}");
            if help.split_whitespace().any(|it| it == word) {
                command.arg(word);
            }
        }
        command.args(words);
        match way {
            Way::Sockets(folder) => {
                command.arg(format!("--frr.socket.dir-path={}", folder.display()));
            }
            Way::Vtysh(vtysh, socket) => {
                command.arg("--frr.vtysh");
                command.arg(format!("--frr.vtysh.path={}", vtysh.display()));
                command.env("RBGPD_SOCKET", socket);
            }
        }
        let log = folder.join("exporter.log");
        let mut process = lab.spawn("exporter", command, &log)?;
        let mut exporter_lives = || process.must_live().map_err(|e| e.to_string());
        wait_until(&format!("{}: exporter", space.name()), START, || {
            exporter_lives()?;
            ask(space).map(drop).map_err(|e| e.to_string())
        })?;
        Ok(Self {
            space: space.clone(),
            process,
        })
    }

    /// What it tells now: values by name with labels, as it writes them.
    pub fn metrics(&mut self) -> Result<BTreeMap<String, f64>, Error> {
        self.process.must_live()?;
        let mut metrics = BTreeMap::new();
        for line in ask(&self.space)?.lines().filter(|it| !it.starts_with('#')) {
            let Some((name, value)) = line.rsplit_once(' ') else {
                return Err(Error::State(format!("not a metric: {line}")));
            };
            let value = value
                .parse()
                .map_err(|_| Error::State(format!("not a value: {line}")))?;
            metrics.insert(name.to_owned(), value);
        }
        Ok(metrics)
    }
}

fn ask(space: &Namespace) -> Result<String, Error> {
    let asked = space.within(|| {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, PORT))?;
        stream.set_read_timeout(Some(START))?;
        stream.write_all(b"GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        Ok(text)
    })?;
    let text: String = asked.map_err(|e: std::io::Error| Error::io("exporter", e))?;
    match text.split_once("\r\n\r\n") {
        Some((head, body)) if head.contains(" 200 ") => Ok(body.to_owned()),
        _ => Err(Error::State(format!("the exporter says {text}"))),
    }
}
