//! Processes that the lab starts and ends.
//!
//! Each is a direct child in its own process group, so its number stays ours until it has been
//! waited for, and a Ctrl-C at the terminal reaches the lab first and not its routers.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::wait::wait_until;
use super::{Error, command};

/// How long a program may take to end after SIGTERM before it is killed.
const ORDERLY_END: Duration = Duration::from_secs(10);

/// A running program; dropping it ends it.
#[derive(Debug)]
pub struct Process {
    name: String,
    log: PathBuf,
    child: Child,
}

impl Process {
    pub(crate) fn spawn(name: &str, mut command: Command, log: &Path) -> Result<Self, Error> {
        let open = || File::options().create(true).append(true).open(log);
        let out = open().map_err(|e| Error::io(log.display(), e))?;
        let err = out.try_clone().map_err(|e| Error::io(log.display(), e))?;
        let child = command::open_signals(&mut command)
            .stdin(Stdio::null())
            .stdout(out)
            .stderr(err)
            .process_group(0)
            .spawn()
            .map_err(|e| Error::io(command::describe(&command), e))?;
        Ok(Self {
            name: name.to_owned(),
            log: log.to_owned(),
            child,
        })
    }

    /// Asks it to end (SIGTERM), waits, and kills it if it does not. Returns how it ended.
    pub fn stop(&mut self) -> Result<ExitStatus, Error> {
        self.signal(Signal::SIGTERM)?;
        match self.wait(ORDERLY_END) {
            Err(Error::Timeout(_)) => self.kill(),
            ended => ended,
        }
    }

    /// Kills it (SIGKILL) and waits for its end.
    pub fn kill(&mut self) -> Result<ExitStatus, Error> {
        self.child
            .kill()
            .map_err(|e| Error::io(format!("kill {}", self.name), e))?;
        self.child
            .wait()
            .map_err(|e| Error::io(format!("wait for {}", self.name), e))
    }

    /// Sends a signal; a process that has ended already is not an error.
    pub fn signal(&mut self, signal: Signal) -> Result<(), Error> {
        if !self.alive() {
            return Ok(());
        }
        let pid = i32::try_from(self.child.id()).unwrap_or(i32::MAX);
        kill(Pid::from_raw(pid), signal).map_err(|e| Error::os(format!("signal {}", self.name), e))
    }

    /// Waits for its end.
    pub fn wait(&mut self, limit: Duration) -> Result<ExitStatus, Error> {
        let what = format!("end of {}", self.name);
        wait_until(&what, limit, || !self.alive())?;
        self.child.wait().map_err(|e| Error::io(what, e))
    }

    /// Whether it still runs.
    pub fn alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// What it was started as.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its number.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Fails with the end of its log when it does not run any more.
    pub fn must_live(&mut self) -> Result<(), Error> {
        if self.alive() {
            return Ok(());
        }
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        let tail = lines
            .get(lines.len().saturating_sub(15)..)
            .unwrap_or_default()
            .join("\n");
        Err(Error::State(format!(
            "{} has ended; its log ends with:\n{tail}",
            self.name
        )))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The lab looks for survivors afterwards, so a failure here does not stay hidden.
        let _ = self.stop();
    }
}

/// "pid start-time": names a process for good, because a number alone is given out again.
pub(super) fn identity(pid: u32) -> Option<String> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // proc(5): the name in parentheses may hold anything, so count fields from its end. A zombie
    // has ended.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let running = fields.next().is_some_and(|state| state != "Z");
    let start = fields.nth(18)?;
    running.then(|| format!("{pid} {start}"))
}
