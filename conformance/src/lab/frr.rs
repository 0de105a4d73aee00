//! FRRouting as a node: the host's package, a Debian suite unpacked and run under chroot, or a
//! container.
//!
//! The daemons run in the foreground as our children, each with every path in the site's own
//! folder, so any number of them run side by side and nothing below `/etc/frr` or `/run/frr` is
//! touched. The configuration is loaded by vtysh, which reports every line it refuses.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, User};
use serde_json::Value;

use super::command::{self, Output};
use super::node::Family;
use super::{Error, Lab, Namespace, Process, rootfs, wait_until};

/// Exists once a lab has made a container on this machine.
pub(super) const CONTAINERS_USED: &str = "/run/rbgpd-lab/containers-used";

/// In this order; stopped in the reverse one. mgmtd exists from FRR 9 on and must be first. Those
/// with a text beside them are for configurations that contain it.
const DAEMONS: [(&str, &str); 6] = [
    ("mgmtd", ""),
    ("zebra", ""),
    ("staticd", " route "),
    ("bfdd", "bfd"),
    ("bgpd", ""),
    ("ospfd", "router ospf"),
];
const START: Duration = Duration::from_secs(60);

/// Which FRR to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Release {
    /// The machine's own package.
    Host,
    /// The package of a Debian suite: `bookworm` has 8.4, `trixie` 10.3.
    Suite(String),
    /// The same in a podman container.
    Container(String),
}

impl Release {
    /// Downloads and unpacks what is not there yet.
    pub fn prepare(&self) -> Result<(), Error> {
        match self {
            Self::Host => Ok(()),
            Self::Suite(suite) => rootfs::tree(suite).map(drop),
            Self::Container(suite) => rootfs::image(suite).map(drop),
        }
    }
}

/// Those that a configuration needs, in the order of their start.
fn daemons(config: &str) -> Vec<&'static str> {
    let wanted = |(_, text): &(&str, &str)| config.contains(text);
    let daemons = DAEMONS.into_iter().filter(wanted);
    daemons.map(|(name, _)| name).collect()
}

/// One FRR of one site.
#[derive(Debug)]
pub struct Frr {
    release: Release,
    space: Namespace,
    folder: PathBuf,
    daemons: Vec<Process>,
    container: Option<String>,
    /// What zebra finds in the kernel stays until its daemons have said what they want.
    keeps: bool,
}

impl Frr {
    /// Not started yet; all of its files go into the folder.
    pub fn new(release: Release, space: Namespace, folder: PathBuf) -> Self {
        Self {
            release,
            space,
            folder,
            daemons: Vec::new(),
            container: None,
            keeps: false,
        }
    }

    /// One that takes over what another daemon has left in the kernel (`zebra -K`).
    pub fn keeping(self) -> Self {
        Self {
            keeps: true,
            ..self
        }
    }

    /// The log file as the daemons name it.
    pub(crate) fn log_name(&self) -> String {
        match self.release {
            Release::Host => self.folder.join("frr.log").display().to_string(),
            Release::Suite(_) | Release::Container(_) => "/run/frr/frr.log".to_owned(),
        }
    }

    /// Starts every daemon and loads the configuration.
    pub fn start(&mut self, lab: &Lab, config: &str) -> Result<(), Error> {
        let path = self.config();
        fs::write(&path, config).map_err(|e| Error::io(path.display(), e))?;
        match self.release.clone() {
            Release::Host => {
                let user = User::from_name("frr").map_err(|e| Error::os("user frr", e))?;
                let Some(user) = user else {
                    return Err(Error::State("no user `frr`".to_owned()));
                };
                self.prepare(user.uid.as_raw())?;
            }
            Release::Suite(_) => self.prepare(rootfs::FRR_UID)?,
            Release::Container(suite) => return self.start_container(&suite, &path),
        }
        self.start_daemons(lab, &daemons(config))
    }

    /// Kills one daemon (SIGKILL), as when it crashes; the others live on.
    pub fn kill9_daemon(&mut self, name: &str) -> Result<(), Error> {
        let at = self.daemons.iter().position(|it| it.name() == name);
        let Some(at) = at else {
            return Err(Error::State(format!("FRR's {name} does not run")));
        };
        self.daemons.remove(at).kill().map(drop)
    }

    /// Starts a killed daemon again, with what it was configured with.
    pub fn start_daemon(&mut self, lab: &Lab, name: &str) -> Result<(), Error> {
        // It would be taken for a sign of the new one.
        let _ = fs::remove_file(self.folder.join(format!("{name}.vty")));
        self.start_daemons(lab, &[name])
    }

    /// Ends every daemon in order (SIGTERM).
    pub fn stop(&mut self) -> Result<(), Error> {
        if let Some(name) = self.container.take() {
            command::host("podman", &["stop", "-t", "5", &name])?;
            return command::host("podman", &["rm", "-f", &name]).map(drop);
        }
        while let Some(mut daemon) = self.daemons.pop() {
            daemon.stop()?;
        }
        Ok(())
    }

    /// Kills every daemon at once.
    pub fn kill9(&mut self) -> Result<(), Error> {
        if let Some(name) = self.container.take() {
            return command::host("podman", &["rm", "-f", "-t", "0", &name]).map(drop);
        }
        while let Some(mut daemon) = self.daemons.pop() {
            daemon.kill()?;
        }
        Ok(())
    }

    /// Runs vtysh commands, whatever they answer.
    pub fn vtysh(&self, commands: &[&str]) -> Result<Output, Error> {
        let mut command = self.vtysh_command()?;
        for line in commands {
            command.args(["-c", line]);
        }
        command::output(&mut command)
    }

    /// The numbers of its processes, as this machine counts them.
    pub fn pids(&self) -> Vec<u32> {
        self.daemons.iter().map(Process::pid).collect()
    }

    /// Lets its processes stand still, as if the host hung, or go on.
    pub fn freeze(&self, still: bool) -> Result<(), Error> {
        let signal = match still {
            true => Signal::SIGSTOP,
            false => Signal::SIGCONT,
        };
        for pid in self.pids() {
            let pid = Pid::from_raw(i32::try_from(pid).unwrap_or(i32::MAX));
            kill(pid, signal).map_err(|e| Error::os(format!("signal {pid}"), e))?;
        }
        Ok(())
    }

    /// Changes what runs: these lines of the configuration, which it must take.
    pub fn configure(&self, lines: &[&str]) -> Result<(), Error> {
        let output = self.vtysh(&[&["configure terminal"], lines, &["end"]].concat())?;
        match output.ok() {
            true => Ok(()),
            false => Err(Error::State(output.text())),
        }
    }

    /// Waits until it shows an IPv4 prefix with all of these texts in its JSON.
    pub fn until_shown(&self, lab: &Lab, prefix: &str, texts: &[&str]) -> Result<String, Error> {
        let command = format!("show bgp ipv4 unicast {prefix} json");
        lab.until_shown(&format!("FRR: {prefix}"), texts, || {
            Ok(self.vtysh(&[&command])?.stdout)
        })
    }

    /// Whether the session with a neighbor is Established and carries the family.
    pub(super) fn established(&self, peer: Ipv4Addr, family: Family) -> Result<(), Error> {
        let question = match family {
            Family::Ipv4 => "show bgp ipv4 unicast summary json",
            Family::Evpn => "show bgp l2vpn evpn summary json",
        };
        let answer = self.ask(question)?;
        // Older releases wrap the answer of one family in its name.
        let peers = answer
            .get("peers")
            .or_else(|| answer.pointer("/ipv4Unicast/peers"));
        let entry = peers.and_then(|p| p.get(peer.to_string()));
        let state = entry.and_then(|e| e.get("state")).and_then(Value::as_str);
        match state {
            Some("Established") => Ok(()),
            other => Err(Error::State(format!(
                "{peer} is {}",
                other.unwrap_or("unknown")
            ))),
        }
    }

    pub(super) fn uptime(&self, peer: Ipv4Addr) -> Result<Duration, Error> {
        let answer = self.ask("show bgp ipv4 unicast summary json")?;
        let peers = answer
            .get("peers")
            .or_else(|| answer.pointer("/ipv4Unicast/peers"));
        let entry = peers.and_then(|p| p.get(peer.to_string()));
        let uptime = entry
            .and_then(|e| e.get("peerUptimeMsec"))
            .and_then(Value::as_u64);
        Ok(Duration::from_millis(uptime.unwrap_or(0)))
    }

    pub(super) fn bfd_up(&self, peer: Ipv4Addr) -> Result<(), Error> {
        let answer = self.ask("show bfd peers json")?;
        let name = peer.to_string();
        let mut sessions = answer.as_array().into_iter().flatten();
        let mine = sessions.find(|s| s.get("peer").and_then(Value::as_str) == Some(&name));
        let status = mine.and_then(|s| s.get("status")).and_then(Value::as_str);
        match status {
            Some("up") => Ok(()),
            other => Err(Error::State(format!(
                "BFD {peer} is {}",
                other.unwrap_or("unknown")
            ))),
        }
    }

    fn ask(&self, question: &str) -> Result<Value, Error> {
        let output = self.vtysh(&[question])?;
        command::json(question, &output.stdout)
    }

    fn config(&self) -> PathBuf {
        self.folder.join("frr.conf")
    }

    /// Starts these and loads the configuration.
    fn start_daemons(&mut self, lab: &Lab, daemons: &[&str]) -> Result<(), Error> {
        let inside = match self.release.clone() {
            Release::Host => {
                self.start_host(lab, daemons)?;
                self.config().display().to_string()
            }
            Release::Suite(suite) => {
                self.start_suite(lab, &rootfs::tree(&suite)?, daemons)?;
                "/run/frr/frr.conf".to_owned()
            }
            Release::Container(_) => {
                let what = "the daemons of a container start with it";
                return Err(Error::State(what.to_owned()));
            }
        };
        command::run(self.vtysh_command()?.args(["-f", &inside])).map(drop)
    }

    fn start_host(&mut self, lab: &Lab, daemons: &[&str]) -> Result<(), Error> {
        let folder = self.folder.clone();
        for name in daemons {
            let program = format!("/usr/lib/frr/{name}");
            if !Path::new(&program).exists() {
                continue;
            }
            let at = |file: String| folder.join(file).display().to_string();
            let mut command = self.space.command(&program);
            command.args(["-A", "127.0.0.1", "-f", &at(format!("{name}.conf"))]);
            command.args([
                "-i",
                &at(format!("{name}.pid")),
                "-z",
                &at("zserv.api".to_owned()),
            ]);
            command
                .args(["--vty_socket", &at(String::new())])
                .args(self.extra(name));
            if *name == "bfdd" {
                command.args(["--bfdctl", &at("bfdd.sock".to_owned())]);
            }
            self.run_daemon(lab, name, command)?;
        }
        Ok(())
    }

    fn start_suite(&mut self, lab: &Lab, root: &Path, daemons: &[&str]) -> Result<(), Error> {
        for name in daemons {
            if !root.join("usr/lib/frr").join(name).exists() {
                continue;
            }
            // Each daemon sees the site's folder as its /run/frr, in a mount namespace of its own.
            let mut command = self.space.command("unshare");
            command.args(["--mount", "sh", "-c"]).arg(
                "root=$0 folder=$1; shift; mount --rbind /proc \"$root/proc\" && \
                 mount --bind \"$folder\" \"$root/run/frr\" && exec chroot \"$root\" \"$@\"",
            );
            command
                .arg(root)
                .arg(&self.folder)
                .arg(format!("/usr/lib/frr/{name}"));
            command.args(["-A", "127.0.0.1"]).args(self.extra(name));
            self.run_daemon(lab, name, command)?;
        }
        Ok(())
    }

    fn start_container(&mut self, suite: &str, config: &Path) -> Result<(), Error> {
        let image = rootfs::image(suite)?;
        fs::write(CONTAINERS_USED, "").map_err(|e| Error::io(CONTAINERS_USED, e))?;
        let name = format!("{}-frr", self.space.name());
        let network = format!("ns:{}", self.space.path().display());
        let mount = format!("{}:/frr.conf:ro", config.display());
        let mut command = Command::new("podman");
        // crun refuses machines that mix both versions of control groups; podman's own limits lie
        // above what a machine without CAP_SYS_RESOURCE may set.
        command.args([
            "--runtime",
            "runc",
            "run",
            "-d",
            "--name",
            &name,
            "--network",
            &network,
        ]);
        command.args(["--cap-add", "NET_ADMIN,NET_RAW,SYS_ADMIN,NET_BIND_SERVICE"]);
        for limit in ["nofile=8192:8192", "nproc=8192:8192", "memlock=65536:65536"] {
            command.args(["--ulimit", limit]);
        }
        command::run(command.args(["--log-driver", "k8s-file", "-v", &mount, &image]))?;
        self.container = Some(name.clone());
        wait_until(&format!("{name}: FRR READY"), START, || {
            let log = command::output(Command::new("podman").args(["logs", &name]));
            let log = log.map_err(|e| e.to_string())?;
            if log.stdout.contains("FRR READY") {
                Ok(())
            } else {
                Err(log.text())
            }
        })?;
        Ok(())
    }

    /// Empty configuration files (vtysh loads the real one) in a folder that the daemons may
    /// write.
    fn prepare(&self, uid: u32) -> Result<(), Error> {
        for name in DAEMONS.map(|(name, _)| name).iter().chain(&["vtysh"]) {
            let path = self.folder.join(format!("{name}.conf"));
            fs::write(&path, "").map_err(|e| Error::io(path.display(), e))?;
        }
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            // What a killed daemon left would be taken for a sign of the new one.
            let stale = entry
                .path()
                .extension()
                .is_some_and(|e| e == "vty" || e == "api");
            if stale {
                let _ = fs::remove_file(entry.path());
            }
        }
        rootfs::chown(&self.folder, uid)
    }

    /// zebra's netlink buffer, as Debian's service sets it, and how long it keeps what it finds.
    fn extra(&self, daemon: &str) -> &'static [&'static str] {
        match (daemon, self.keeps) {
            ("zebra", false) => &["-s", "90000000"],
            ("zebra", true) => &["-s", "90000000", "-K", "60"],
            _ => &[],
        }
    }

    fn run_daemon(&mut self, lab: &Lab, name: &str, command: Command) -> Result<(), Error> {
        let mut process = lab.spawn(name, command, &self.folder.join(format!("{name}.out")))?;
        let socket = self.folder.join(format!("{name}.vty"));
        wait_until(&format!("{}: {name}", self.space.name()), START, || {
            process.must_live().map_err(|e| e.to_string())?;
            if socket.exists() {
                Ok(())
            } else {
                Err("no vty socket".to_owned())
            }
        })?;
        self.daemons.push(process);
        Ok(())
    }

    fn vtysh_command(&self) -> Result<Command, Error> {
        match &self.release {
            Release::Host => {
                let folder = self.folder.display().to_string();
                let mut command = self.space.command("vtysh");
                command.args([
                    "--vty_socket",
                    &folder,
                    "--config_dir",
                    &folder,
                    "-H",
                    "/dev/null",
                ]);
                Ok(command)
            }
            Release::Suite(_) => {
                let Some(daemon) = self.daemons.first() else {
                    return Err(Error::State("FRR does not run".to_owned()));
                };
                let mut command = Command::new("nsenter");
                let target = daemon.pid().to_string();
                command.args(["-t", &target, "-m", "-n", "-r", "-w", "vtysh"]);
                Ok(command)
            }
            Release::Container(_) => {
                let name = self.container.clone().unwrap_or_default();
                let mut command = Command::new("podman");
                command.args(["--runtime", "runc", "exec", &name, "vtysh"]);
                Ok(command)
            }
        }
    }
}
