//! A cache of the RPKI: StayRTR, Debian's own package, on a file of VRPs.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use super::{Error, Lab, Namespace, Process, Requirement, wait_until};

/// One cache.
#[derive(Debug)]
pub struct RtrCache {
    space: Namespace,
    folder: PathBuf,
    process: Option<Process>,
}

impl RtrCache {
    /// Where it listens, in its namespace.
    pub const ADDRESS: &'static str = "127.0.0.1:3323";
    /// Without it a test is skipped.
    pub const REQUIREMENT: Requirement = Requirement::Program("stayrtr");

    /// A cache in a namespace; not started yet.
    pub fn new(lab: &Lab, space: &Namespace) -> Result<Self, Error> {
        Ok(Self {
            space: space.clone(),
            folder: lab.folder("stayrtr")?,
            process: None,
        })
    }

    /// What it says, from the next look at the file on, within a second: prefix, greatest length, AS.
    pub fn say(&self, vrps: &[(&str, u8, u32)]) -> Result<(), Error> {
        let roas: Vec<String> = vrps
            .iter()
            .map(|(prefix, max_length, asn)| {
                format!(
                    "{{\"prefix\": \"{prefix}\", \"maxLength\": {max_length}, \"asn\": \"AS{asn}\", \
                     \"ta\": \"lab\", \"expires\": 4000000000}}"
                )
            })
            .collect();
        let text = format!("{{\"roas\": [{}]}}", roas.join(", "));
        let (path, next) = (self.file(), self.folder.join("next.json"));
        // At once, so that it never reads a part.
        fs::write(&next, text).map_err(|e| Error::io(next.display(), e))?;
        fs::rename(&next, &path).map_err(|e| Error::io(path.display(), e))
    }

    /// Starts it; returns when it listens.
    pub fn start(&mut self, lab: &Lab) -> Result<(), Error> {
        let mut command = self.space.command("stayrtr");
        command.args(["-bind", Self::ADDRESS, "-metrics.addr", "127.0.0.1:9847"]);
        command.args(["-refresh", "1", "-checktime=false", "-cache"]);
        command.arg(self.file());
        let mut process = lab.spawn("stayrtr", command, &self.folder.join("stayrtr.log"))?;
        wait_until("StayRTR listens", Duration::from_secs(20), || {
            process.must_live().map_err(|e| e.to_string())?;
            let sockets = self.space.output(&["ss", "-Hltn"]);
            let sockets = sockets.map_err(|e| e.to_string())?.text();
            match sockets.contains(Self::ADDRESS) {
                true => Ok(()),
                false => Err(sockets),
            }
        })?;
        self.process = Some(process);
        Ok(())
    }

    /// Kills it.
    pub fn kill9(&mut self) -> Result<(), Error> {
        match self.process.take() {
            Some(mut process) => process.kill().map(drop),
            None => Ok(()),
        }
    }

    fn file(&self) -> PathBuf {
        self.folder.join("vrps.json")
    }
}
