//! BIRD 2 as a node: the machine's own package, in the foreground.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use super::command::{self, Output};
use super::{Error, Lab, Namespace, Process, wait_until};

const START: Duration = Duration::from_secs(20);

/// One BIRD.
#[derive(Debug)]
pub struct Bird {
    space: Namespace,
    folder: PathBuf,
    process: Option<Process>,
}

impl Bird {
    pub(super) fn new(space: Namespace, folder: PathBuf) -> Self {
        Self {
            space,
            folder,
            process: None,
        }
    }

    /// Starts it and returns when it answers its client.
    pub(super) fn start(&mut self, lab: &Lab, config: &str) -> Result<(), Error> {
        let path = self.config();
        fs::write(&path, config).map_err(|e| Error::io(path.display(), e))?;
        self.run(lab, &[])
    }

    /// Starts it again after an end: it says that it kept forwarding (RFC 4724 §4.1).
    pub fn recover(&mut self, lab: &Lab) -> Result<(), Error> {
        self.run(lab, &["-R"])
    }

    fn run(&mut self, lab: &Lab, options: &[&str]) -> Result<(), Error> {
        let mut command = self.space.command("bird");
        command.arg("-f").arg("-c").arg(self.config()).args(options);
        command.arg("-s").arg(self.socket());
        command.arg("-P").arg(self.folder.join("bird.pid"));
        let mut process = lab.spawn("bird", command, &self.folder.join("bird.log"))?;
        wait_until("bird answers", START, || {
            process.must_live().map_err(|e| e.to_string())?;
            let output = self.ask("show status").map_err(|e| e.to_string())?;
            output.ok().then_some(()).ok_or_else(|| output.text())
        })?;
        self.process = Some(process);
        Ok(())
    }

    /// Its number while it runs.
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Process::pid)
    }

    /// Ends it in order (SIGTERM).
    pub fn stop(&mut self) -> Result<(), Error> {
        match self.process.take() {
            Some(mut process) => process.stop().map(drop),
            None => Ok(()),
        }
    }

    /// Kills it.
    pub fn kill9(&mut self) -> Result<(), Error> {
        match self.process.take() {
            Some(mut process) => process.kill().map(drop),
            None => Ok(()),
        }
    }

    /// Ends it as before a restart in which it keeps forwarding: without a NOTIFICATION.
    pub fn leave_gracefully(&mut self) -> Result<(), Error> {
        let Some(mut process) = self.process.take() else {
            return Ok(());
        };
        let answer = self.ask("graceful restart")?;
        if !answer.ok() {
            return Err(Error::State(answer.text()));
        }
        process.wait(START).map(drop)
    }

    /// One command of `birdc`, whatever it answers.
    pub fn ask(&self, line: &str) -> Result<Output, Error> {
        let mut command = Command::new("birdc");
        command.arg("-s").arg(self.socket());
        command.args(line.split_whitespace());
        command::output(&mut command)
    }

    /// Waits until it shows a prefix with all of these texts.
    pub fn until_shown(&self, lab: &Lab, prefix: &str, texts: &[&str]) -> Result<String, Error> {
        let command = format!("show route all for {prefix}");
        lab.until_shown(&format!("BIRD: {prefix}"), texts, || {
            Ok(self.ask(&command)?.text())
        })
    }

    fn config(&self) -> PathBuf {
        self.folder.join("bird.conf")
    }

    fn socket(&self) -> PathBuf {
        self.folder.join("bird.ctl")
    }
}
