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
        let path = self.folder.join("bird.conf");
        fs::write(&path, config).map_err(|e| Error::io(path.display(), e))?;
        let mut command = self.space.command("bird");
        command.arg("-f").arg("-c").arg(&path);
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

    /// Ends it in order (SIGTERM).
    pub fn stop(&mut self) -> Result<(), Error> {
        match self.process.take() {
            Some(mut process) => process.stop().map(drop),
            None => Ok(()),
        }
    }

    /// One command of `birdc`, whatever it answers.
    pub fn ask(&self, line: &str) -> Result<Output, Error> {
        let mut command = Command::new("birdc");
        command.arg("-s").arg(self.socket());
        command.args(line.split_whitespace());
        command::output(&mut command)
    }

    fn socket(&self) -> PathBuf {
        self.folder.join("bird.ctl")
    }
}
