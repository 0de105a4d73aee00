//! Programs below an unpacked root file system, with a folder of the lab in it.
//!
//! A daemon runs in a mount namespace of its own, which goes away with it; its client enters that.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::lab::command::{self, Output};
use crate::lab::{Error, Lab, Namespace, Process};

/// The lab's folder as the daemon sees it.
pub(super) const INSIDE: &str = "/run/bench";

/// A root file system in a folder; without one, the machine's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place(pub(super) Option<&'static str>);

impl Place {
    /// A file of it as seen from outside.
    pub(super) fn outside(self, path: &str) -> PathBuf {
        match self.0 {
            Some(name) => Path::new(name).join(path.trim_start_matches('/')),
            None => path.into(),
        }
    }

    /// What a program prints with these words, the first line.
    pub(super) fn said(self, program: &str, words: &[&str]) -> String {
        let mut line = match self.0 {
            Some(name) => {
                let mut line = Command::new("chroot");
                line.arg(name).arg(program);
                line
            }
            None => Command::new(program),
        };
        let said = command::output(line.args(words)).map(|output| output.text());
        let said = said.unwrap_or_default();
        said.lines().next().unwrap_or("?").trim().to_owned()
    }
}

/// One daemon of one process.
#[derive(Debug)]
pub(super) struct Runner {
    place: Place,
    folder: PathBuf,
    process: Option<Process>,
}

impl Runner {
    pub(super) fn new(place: Place) -> Self {
        Self {
            place,
            folder: PathBuf::new(),
            process: None,
        }
    }

    /// The lab's folder as the daemon sees it.
    pub(super) fn inside(&self, name: &str) -> String {
        match self.place.0 {
            Some(_) => format!("{INSIDE}/{name}"),
            None => self.folder.join(name).display().to_string(),
        }
    }

    /// The lab's folder as seen from here.
    pub(super) fn outside(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Uses a folder of the lab.
    pub(super) fn enter(&mut self, lab: &Lab, name: &str) -> Result<(), Error> {
        self.folder = lab.folder(name)?;
        Ok(())
    }

    /// Writes a file into the folder; its name as the daemon sees it.
    pub(super) fn file(&self, name: &str, text: &str) -> Result<String, Error> {
        let path = self.folder.join(name);
        let failed = |e| Error::io(path.display(), e);
        fs::write(&path, text).map_err(failed)?;
        // OpenBGPD refuses a file that others may write.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).map_err(failed)?;
        Ok(self.inside(name))
    }

    /// Starts the daemon. It need not answer yet when this returns.
    pub(super) fn start(
        &mut self,
        lab: &Lab,
        space: &Namespace,
        line: &[&str],
        environment: &[(&str, &str)],
    ) -> Result<(), Error> {
        let (program, words) = line.split_first().unwrap_or((&"true", &[]));
        let mut command = match self.place.0 {
            Some(name) => {
                let mut command = space.command("unshare");
                command.args(["--mount", "sh", "-c"]).arg(
                    "root=$0 folder=$1; shift; mount --rbind /proc \"$root/proc\" && \
                     mount --rbind /dev \"$root/dev\" && \
                     mount --bind \"$folder\" \"$root/run/bench\" && exec chroot \"$root\" \"$@\"",
                );
                command.arg(name);
                command.arg(&self.folder).arg(program);
                command
            }
            None => space.command(program),
        };
        command.args(words).envs(environment.iter().copied());
        self.process = Some(lab.spawn("daemon", command, &self.folder.join("daemon.log"))?);
        Ok(())
    }

    /// Runs its client where the daemon runs, whatever it answers.
    pub(super) fn ask(&self, line: &[&str]) -> Result<Output, Error> {
        let Some(process) = &self.process else {
            return Err(Error::State("the daemon does not run".to_owned()));
        };
        let mut command = Command::new("nsenter");
        command.args(["-t", &process.pid().to_string(), "-m", "-n", "-r", "-w"]);
        command::output(command.args(line))
    }

    /// Runs its client, which must succeed; what it prints.
    pub(super) fn said(&self, line: &[&str]) -> Result<String, Error> {
        let output = self.ask(line)?;
        match output.ok() {
            true => Ok(output.stdout),
            false => Err(Error::State(format!(
                "`{}`: {}",
                line.join(" "),
                output.text()
            ))),
        }
    }

    /// Fails with the end of its log when it has ended.
    pub(super) fn must_live(&mut self) -> Result<(), Error> {
        match &mut self.process {
            Some(process) => process.must_live(),
            None => Err(Error::State("the daemon does not run".to_owned())),
        }
    }

    /// Kills it.
    pub(super) fn kill(&mut self) -> Result<(), Error> {
        match self.process.take() {
            Some(mut process) => process.kill().map(drop),
            None => Ok(()),
        }
    }
}
