//! rbgpd as a node, with the client that asks it.

use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde_json::Value;

use super::command::{self, Output};
use super::node::Family;
use super::{Error, Lab, Namespace, Process, wait_until};

/// How long the daemon may take to answer after its start.
const START: Duration = Duration::from_secs(30);
/// How long a client command may take; a drain that waits has its own limit of 60 s.
const CLIENT: Duration = Duration::from_secs(120);

/// One rbgpd of one site.
#[derive(Debug)]
pub struct Rbgpd {
    space: Namespace,
    folder: PathBuf,
    /// Its configuration file, whose name tells the language.
    file: &'static str,
    process: Option<Process>,
}

impl Rbgpd {
    pub(crate) fn new(space: Namespace, folder: PathBuf) -> Self {
        Self {
            space,
            folder,
            file: "rbgpd.toml",
            process: None,
        }
    }

    /// Gives it another configuration beneath the line with the router's identifier, and reloads it.
    pub fn reload_to(&self, config: &str) -> Result<(), Error> {
        self.reload(|text| {
            let head: Vec<&str> = text.lines().take(2).collect();
            format!("{}\n{config}\n[kernel]\nenabled = false\n", head.join("\n"))
        })
    }

    /// The same with a configuration in FRR's language.
    pub fn start_frr(&mut self, lab: &Lab, config: &str) -> Result<(), Error> {
        self.file = "frr.conf";
        self.start(lab, config)
    }

    /// Starts the daemon and returns when it answers its client.
    pub(crate) fn start(&mut self, lab: &Lab, config: &str) -> Result<(), Error> {
        let path = self.config();
        fs::write(&path, config).map_err(|e| Error::io(path.display(), e))?;
        let mut command = self.space.command(&program("rbgpd")?);
        command
            .arg("--config")
            .arg(&path)
            .arg("--socket")
            .arg(self.socket());
        command.arg("--state-dir").arg(self.folder.join("state"));
        command.env("NO_COLOR", "1");
        let mut process = lab.spawn("rbgpd", command, &self.log())?;
        wait_until(
            &format!("{}: rbgpd answers", self.space.name()),
            START,
            || {
                // Said below, and at once.
                if !process.alive() {
                    return Ok(());
                }
                let output = self
                    .ctl(&["show", "summary", "--json"])
                    .map_err(|e| e.to_string())?;
                if output.ok() {
                    Ok(())
                } else {
                    Err(output.text())
                }
            },
        )?;
        process.must_live()?;
        self.process = Some(process);
        Ok(())
    }

    /// Ends the daemon in order (SIGTERM); one that had to be killed is an error.
    pub fn stop(&mut self) -> Result<(), Error> {
        let Some(mut process) = self.process.take() else {
            return Ok(());
        };
        let status = process.stop()?;
        match status.signal() {
            None => Ok(()),
            Some(signal) => {
                let name = self.space.name();
                let why = format!("{name}: rbgpd did not end in order, but by signal {signal}");
                Err(Error::State(why))
            }
        }
    }

    /// Kills the daemon.
    pub fn kill9(&mut self) -> Result<(), Error> {
        match self.process.take() {
            Some(mut process) => process.kill().map(drop),
            None => Ok(()),
        }
    }

    /// Runs `rbgpctl` with these words, whatever it answers.
    pub fn ctl(&self, words: &[&str]) -> Result<Output, Error> {
        let mut command = self.space.command(&program("rbgpctl")?);
        command
            .arg("--socket")
            .arg(self.socket())
            .args(words)
            .env("NO_COLOR", "1");
        command::output_within(&mut command, CLIENT)
    }

    /// Changes the configuration file and has the daemon read it.
    pub fn reload(&self, edit: impl FnOnce(&str) -> String) -> Result<(), Error> {
        let path = self.config();
        let failed = |e| Error::io(path.display(), e);
        let text = fs::read_to_string(&path).map_err(failed)?;
        fs::write(&path, edit(&text)).map_err(failed)?;
        let output = self.ctl(&["reload"])?;
        match output.ok() {
            true => Ok(()),
            false => Err(Error::State(format!("reload: {}", output.text()))),
        }
    }

    /// The daemon's number while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Process::pid)
    }

    /// The control socket.
    pub fn socket(&self) -> PathBuf {
        self.folder.join("control.sock")
    }

    /// The configuration file.
    pub fn config(&self) -> PathBuf {
        self.folder.join(self.file)
    }

    /// What the daemon wrote.
    pub fn log(&self) -> PathBuf {
        self.folder.join("rbgpd.log")
    }

    /// One neighbor of `show summary --json`.
    fn neighbor(&self, peer: Ipv4Addr) -> Result<Value, Error> {
        let output = self.ctl(&["show", "summary", "--json"])?;
        if !output.ok() {
            return Err(Error::State(output.text()));
        }
        let summary = command::json("show summary", &output.stdout)?;
        let name = peer.to_string();
        let neighbors = summary.get("neighbors").and_then(Value::as_array);
        let entry = neighbors.and_then(|all| {
            all.iter()
                .find(|n| n.get("address").and_then(Value::as_str) == Some(&name))
        });
        entry
            .cloned()
            .ok_or_else(|| Error::State(format!("no neighbor {peer} in the summary")))
    }

    pub(super) fn established(&self, peer: Ipv4Addr, family: Family) -> Result<(), Error> {
        let neighbor = self.neighbor(peer)?;
        let state = neighbor
            .get("state")
            .and_then(Value::as_str)
            .unwrap_or("unknown");
        let key = match family {
            Family::Ipv4 => "ipv4_unicast",
            Family::Evpn => "evpn",
        };
        let carried = neighbor.pointer(&format!("/families/{key}")).is_some();
        match (state, carried) {
            ("Established", true) => Ok(()),
            ("Established", false) => Err(Error::State(format!("{peer} does not carry {key}"))),
            _ => Err(Error::State(format!("{peer} is {state}"))),
        }
    }

    pub(super) fn uptime(&self, peer: Ipv4Addr) -> Result<Duration, Error> {
        let neighbor = self.neighbor(peer)?;
        Ok(Duration::from_secs(
            neighbor
                .get("uptime_s")
                .and_then(Value::as_u64)
                .unwrap_or(0),
        ))
    }

    pub(super) fn bfd_up(&self, peer: Ipv4Addr) -> Result<(), Error> {
        let neighbor = self.neighbor(peer)?;
        match neighbor.get("bfd").and_then(Value::as_str) {
            Some("up") => Ok(()),
            other => Err(Error::State(format!(
                "BFD {peer} is {}",
                other.unwrap_or("unknown")
            ))),
        }
    }
}

/// Where one of our programs is: in `RBGPD_BIN_DIR`, else the newest build beside this program.
pub fn binary(name: &str) -> Option<PathBuf> {
    if let Some(dir) = std::env::var_os("RBGPD_BIN_DIR") {
        return Some(Path::new(&dir).join(name)).filter(|path| path.is_file());
    }
    let own = std::env::current_exe().ok()?;
    let candidates = own
        .ancestors()
        .skip(1)
        .flat_map(|dir| ["", "release", "debug"].map(|profile| dir.join(profile).join(name)));
    candidates
        .filter(|path| path.is_file())
        .max_by_key(|path| built(path))
}

fn built(path: &Path) -> SystemTime {
    path.metadata()
        .and_then(|m| m.modified())
        .unwrap_or(SystemTime::UNIX_EPOCH)
}

fn program(name: &str) -> Result<String, Error> {
    let found = binary(name).map(|path| path.display().to_string());
    found.ok_or_else(|| {
        let hint = "cargo build -p rbgpd, or set RBGPD_BIN_DIR";
        Error::State(format!("no program `{name}`\n\nhint: {hint}"))
    })
}
