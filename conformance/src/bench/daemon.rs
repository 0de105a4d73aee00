//! The daemons that can be put under test, each with its configuration for the same job.
//!
//! All of them wait for connections, accept everything, tell everything to neighbours that are
//! told (`Neighbor::told`) and nothing to the others, and put themselves in as next hop of IPv4
//! routes. What a daemon needs in order to do that well is in its configuration, so that each
//! shows its best.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::usage::Usage;
use super::wire::Family;
use super::{Fault, config};
use crate::lab::{self, Lab, Namespace, Process};

/// Where releases that are not installed are unpacked (`conformance/setup.sh --bench`).
const UNPACKED: &str = "/var/cache/rbgpd-bench";

/// Our side of every session.
pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 1);
/// The AS number of the daemon.
pub const ASN: u32 = 65001;

/// A program and where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Daemon {
    /// The name in `--daemon` and in the tables.
    pub name: &'static str,
    program: Program,
    place: Place,
}

/// Which configuration language it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// This project's.
    Rbgpd,
    /// BIRD; version 3 has threads.
    Bird {
        /// `threads 2`.
        threads: bool,
        /// Whether it speaks EVPN.
        evpn: bool,
    },
    /// FRRouting.
    Frr {
        /// FRR 10 leaves the end of a burst unread unless its queues are long.
        long_queues: bool,
    },
    /// GoBGP.
    Gobgp,
    /// OpenBGPD.
    Openbgpd,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Beside this program.
    Built,
    /// Installed on the machine.
    Host,
    /// Below [`UNPACKED`].
    Folder(&'static str),
}

/// What a scenario asks of a daemon.
#[derive(Debug, Clone)]
pub struct Job {
    /// The family of all sessions.
    pub family: Family,
    /// The sessions.
    pub neighbors: Vec<Neighbor>,
    /// Whether routes go into the kernel.
    pub kernel: bool,
    /// How many overlay networks there are, each with a bridge and a VXLAN device.
    pub vnis: u32,
    /// Whether routes go through the route-map of twenty entries, in and out.
    pub policy: bool,
}

/// One session.
#[derive(Debug, Clone, Copy)]
pub struct Neighbor {
    /// Its address.
    pub address: Ipv4Addr,
    /// Its AS number.
    pub asn: u32,
    /// Whether it is told routes.
    pub told: bool,
    /// Whether it is watched: BFD at 50 ms × 3, and a hold time of 12 s.
    pub watched: bool,
}

impl Daemon {
    /// All that the benchmark knows.
    pub fn all() -> Vec<Self> {
        let bird2 = Program::Bird {
            threads: false,
            evpn: false,
        };
        let bird2_new = Program::Bird {
            threads: false,
            evpn: true,
        };
        let bird3 = Program::Bird {
            threads: true,
            evpn: true,
        };
        let frr = |long_queues| Program::Frr { long_queues };
        [
            ("rbgpd", Program::Rbgpd, Place::Built),
            ("bird2", bird2, Place::Host),
            ("bird2new", bird2_new, Place::Folder("sid")),
            ("bird3", bird3, Place::Folder("bird3")),
            ("frr8", frr(false), Place::Host),
            ("frr10", frr(true), Place::Folder("trixie")),
            ("frr10new", frr(true), Place::Folder("sid")),
            ("gobgp", Program::Gobgp, Place::Folder("sid")),
            ("openbgpd", Program::Openbgpd, Place::Folder("sid")),
        ]
        .into_iter()
        .map(|(name, program, place)| Self {
            name,
            program,
            place,
        })
        .collect()
    }

    /// Whether this is the project's own.
    pub fn is_ours(&self) -> bool {
        self.program == Program::Rbgpd
    }

    /// Why it cannot run here, with what to do about it.
    pub fn absent(&self) -> Option<String> {
        let hint = match self.place {
            Place::Built => "cargo build --release -p rbgpd",
            Place::Host | Place::Folder(_) => "conformance/setup.sh --bench, as root",
        };
        (!self.binary().exists())
            .then(|| format!("{} is not there: {hint}", self.binary().display()))
    }

    /// Why it cannot do a job, if it cannot.
    pub fn unable(&self, job: &Job) -> Option<&'static str> {
        match (self.program, job.family) {
            (Program::Bird { evpn: false, .. }, Family::Evpn) => Some("speaks no EVPN"),
            (Program::Openbgpd, Family::Evpn) => Some("does not relay EVPN MAC routes"),
            (Program::Bird { .. } | Program::Gobgp, Family::Evpn) if job.kernel => {
                Some("writes no MAC addresses into the kernel")
            }
            (Program::Openbgpd | Program::Gobgp, _) if job.kernel => {
                Some("has no kernel routes of its own in a namespace")
            }
            (Program::Openbgpd | Program::Gobgp, _) if job.policy => {
                Some("the route-map is written for rbgpd, BIRD and FRR")
            }
            _ => None,
        }
    }

    /// What it calls itself.
    pub fn version(&self) -> String {
        let mut command = match self.place {
            Place::Built | Place::Host => Command::new(self.binary()),
            Place::Folder(folder) => {
                let mut command = Command::new("chroot");
                command.arg(Path::new(UNPACKED).join(folder));
                command.arg(self.inner());
                command
            }
        };
        command.arg(match self.program {
            Program::Openbgpd => "-V",
            Program::Rbgpd | Program::Bird { .. } | Program::Frr { .. } | Program::Gobgp => {
                "--version"
            }
        });
        let said = lab::command::output(&mut command).map(|output| output.text());
        let said = said.unwrap_or_default();
        said.lines().next().unwrap_or("?").trim().to_owned()
    }

    /// The main program as seen from outside.
    fn binary(&self) -> PathBuf {
        match self.place {
            Place::Built => built("rbgpd"),
            Place::Host => self.inner().into(),
            Place::Folder(folder) => {
                let inner = self.inner().trim_start_matches('/');
                Path::new(UNPACKED).join(folder).join(inner)
            }
        }
    }

    /// The main program as its package names it.
    fn inner(&self) -> &'static str {
        match self.program {
            Program::Rbgpd => "rbgpd",
            Program::Bird { .. } => "/usr/sbin/bird",
            Program::Frr { .. } => "/usr/lib/frr/bgpd",
            Program::Gobgp => "/usr/bin/gobgpd",
            Program::Openbgpd => "/usr/sbin/bgpd",
        }
    }

    /// Starts it. It need not listen yet when this returns.
    pub fn start(
        &self,
        lab: &Lab,
        space: &Namespace,
        folder: &Path,
        job: &Job,
    ) -> Result<Running, Fault> {
        let starter = Starter {
            daemon: self,
            lab,
            space,
            folder,
        };
        let mut processes = Vec::new();
        match self.program {
            Program::Rbgpd => {
                let config = starter.file("rbgpd.toml", &config::rbgpd(job))?;
                let mut command = starter.command(&self.binary().to_string_lossy());
                command.arg("--config").arg(config);
                command.arg("--socket").arg(folder.join("control.sock"));
                command.arg("--state-dir").arg(folder.join("state"));
                processes.push(starter.spawn(command)?);
            }
            Program::Bird { threads, .. } => {
                let config = starter.file("bird.conf", &config::bird(job, threads))?;
                let socket = starter.inside("bird.ctl");
                let mut command = starter.command(self.inner());
                command.args(["-f", "-c", &config, "-s", &socket]);
                processes.push(starter.spawn(command)?);
            }
            Program::Frr { long_queues } => {
                starter.prepare_frr()?;
                starter.file("zebra.conf", "hostname bench\n")?;
                let config = starter.file("bgpd.conf", &config::frr(job, long_queues))?;
                let api = starter.inside("zserv.api");
                let vty = starter.inside("");
                for name in ["mgmtd", "zebra", "bgpd"] {
                    let program = format!("/usr/lib/frr/{name}");
                    if name == "mgmtd" && !starter.exists(&program) {
                        continue;
                    }
                    let file = match name {
                        "bgpd" => config.clone(),
                        _ => starter.inside("zebra.conf"),
                    };
                    let pid = starter.inside(&format!("{name}.pid"));
                    let mut command = starter.command(&program);
                    command.args(["-A", "127.0.0.1", "-i", &pid]);
                    command.args(["--vty_socket", &vty]);
                    // mgmtd has neither a file of its own nor a way to zebra.
                    if name != "mgmtd" {
                        command.args(["-f", &file, "-z", &api]);
                    }
                    match name {
                        "zebra" => command.args(["-s", "90000000"]),
                        "bgpd" if !job.kernel => command.arg("-n"),
                        _ => &mut command,
                    };
                    processes.push(starter.spawn(command)?);
                }
            }
            Program::Gobgp => {
                let config = starter.file("gobgpd.toml", &config::gobgp(job))?;
                let mut command = starter.command(self.inner());
                command.args([
                    "-f",
                    &config,
                    "-l",
                    "error",
                    "--api-hosts",
                    "127.0.0.1:50051",
                ]);
                processes.push(starter.spawn(command)?);
            }
            Program::Openbgpd => {
                let socket = starter.inside("bgpd.sock");
                let config = starter.file("bgpd.conf", &config::openbgpd(job, &socket))?;
                let mut command = starter.command(self.inner());
                command.args(["-d", "-f", &config]);
                processes.push(starter.spawn(command)?);
            }
        }
        Ok(Running { processes })
    }
}

/// One of our programs from the same build as this one: an older or a debug build that lies about
/// would be measured in its place.
pub(super) fn built(name: &str) -> PathBuf {
    let own = std::env::current_exe().unwrap_or_default();
    own.with_file_name(name)
}

/// Everything that starting a process of a daemon needs.
struct Starter<'a> {
    daemon: &'a Daemon,
    lab: &'a Lab,
    space: &'a Namespace,
    folder: &'a Path,
}

impl Starter<'_> {
    /// Writes a file; its name as the daemon sees it.
    fn file(&self, name: &str, text: &str) -> Result<String, Fault> {
        let path = self.folder.join(name);
        fs::write(&path, text)?;
        // OpenBGPD refuses a file that others may write.
        fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o640))?;
        if matches!(self.daemon.program, Program::Frr { .. }) {
            self.give(&path)?;
        }
        Ok(self.inside(name))
    }

    /// A file of the folder as the daemon sees it.
    fn inside(&self, name: &str) -> String {
        match self.daemon.place {
            Place::Built | Place::Host => self.folder.join(name).display().to_string(),
            Place::Folder(_) => format!("/run/bench/{name}"),
        }
    }

    fn exists(&self, program: &str) -> bool {
        match self.daemon.place {
            Place::Built | Place::Host => Path::new(program).exists(),
            Place::Folder(folder) => Path::new(UNPACKED)
                .join(folder)
                .join(program.trim_start_matches('/'))
                .exists(),
        }
    }

    /// A command in the namespace and, for an unpacked release, in its folder. There the daemon
    /// has a mount namespace of its own, which goes away with it.
    fn command(&self, program: &str) -> Command {
        let Place::Folder(name) = self.daemon.place else {
            return self.space.command(program);
        };
        let mut command = self.space.command("unshare");
        command.args(["--mount", "sh", "-c"]).arg(
            "root=$0 folder=$1; shift; mount --rbind /proc \"$root/proc\" && \
             mount --rbind /dev \"$root/dev\" && \
             for at in bench frr; do mount --bind \"$folder\" \"$root/run/$at\" || exit 1; done; exec chroot \"$root\" \"$@\"",
        );
        command.arg(Path::new(UNPACKED).join(name));
        command.arg(self.folder).arg(program);
        command
    }

    fn spawn(&self, command: Command) -> Result<Process, Fault> {
        let log = self.folder.join("daemon.log");
        Ok(self.lab.spawn(self.daemon.name, command, &log)?)
    }

    /// FRR's daemons give up root and must still write into the folder.
    fn prepare_frr(&self) -> Result<(), Fault> {
        self.give(self.folder)
    }

    fn give(&self, path: &Path) -> Result<(), Fault> {
        let owner = match self.daemon.place {
            Place::Built | Place::Host => "frr:frr",
            // The user of FRR in an unpacked release.
            Place::Folder(_) => "110:110",
        };
        let path = path.to_string_lossy();
        lab::command::host("chown", &["-R", owner, &path])?;
        Ok(())
    }
}

/// A daemon under test; dropping it ends its processes.
#[derive(Debug)]
pub struct Running {
    processes: Vec<Process>,
}

impl Running {
    /// What it has cost so far.
    pub fn usage(&self) -> Usage {
        let pids: Vec<u32> = self.processes.iter().map(Process::pid).collect();
        Usage::of(&pids)
    }

    /// Fails with the end of its log when one of its processes has ended.
    pub fn must_live(&mut self) -> Result<(), Fault> {
        for process in &mut self.processes {
            process.must_live()?;
        }
        Ok(())
    }

    /// Ends it at once; an orderly end of a million routes takes some daemons seconds.
    pub fn kill(&mut self) {
        for process in &mut self.processes {
            // What is left is found by the lab afterwards.
            let _ = process.kill();
        }
    }
}
