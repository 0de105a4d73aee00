//! Watching what goes from the kernel of a namespace, to prove that nothing did over a restart.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use super::{Error, Lab, Namespace, Process, wait_until};

/// A prefix that nobody else uses.
const MARK: &str = "198.18.255.1";

/// `ip monitor` of routes, neighbours and nexthop objects on a namespace, into a file. The second
/// has forwarding entries and flood entries of tunnel devices, too.
#[derive(Debug)]
pub struct RouteMonitor {
    space: Namespace,
    log: PathBuf,
    process: Process,
}

impl RouteMonitor {
    /// Starts to watch; when this returns, every later change is seen.
    pub fn start(lab: &Lab, space: &Namespace) -> Result<Self, Error> {
        let log = lab.dir().join(format!("routes-{}.log", space.name()));
        // Appended to, when the same namespace is watched twice; only the new part counts.
        let _ = fs::remove_file(&log);
        let mut command = space.command("ip");
        command.args(["monitor", "route", "neigh", "nexthop"]);
        let process = lab.spawn("ip monitor", command, &log)?;
        let mut monitor = Self {
            space: space.clone(),
            log,
            process,
        };
        monitor.sync(MARK)?;
        Ok(monitor)
    }

    /// Ends the watch and returns the deletions that touched one of these prefixes, or an entry of
    /// one of these devices.
    pub fn deleted(
        mut self,
        prefixes: &[String],
        devices: &[String],
    ) -> Result<Vec<String>, Error> {
        self.end()?;
        let bare: Vec<&str> = prefixes
            .iter()
            .map(|p| p.strip_suffix("/32").unwrap_or(p))
            .collect();
        let touched = |line: &&str| {
            let Some(deleted) = line.strip_prefix("Deleted ") else {
                return false;
            };
            let mut words = deleted.split_whitespace();
            let entry = words.next().is_some_and(|first| bare.contains(&first));
            let mut device = words.skip_while(|word| *word != "dev").skip(1);
            let device = device.next().unwrap_or_default();
            entry || devices.iter().any(|it| it == device)
        };
        let seen = self.text();
        Ok(seen.lines().filter(touched).map(str::to_owned).collect())
    }

    /// What was said so far of one of these prefixes or of a nexthop object, gone, new or replaced.
    /// The watch goes on.
    pub fn said(&mut self, prefixes: &HashSet<String>) -> Result<Vec<String>, Error> {
        self.sync(MARK)?;
        let text = self.text();
        // `ip monitor` says so when the kernel had more to tell than its socket holds.
        if text.contains("No buffer space") || text.contains("lost") {
            return Err(Error::State("ip monitor lost messages".to_owned()));
        }
        let touches = |line: &&str| {
            let words = line.strip_prefix("Deleted ").unwrap_or(line);
            let first = words.split_whitespace().next().unwrap_or_default();
            // A nexthop object's line begins with `id`; an unspoken type stands before a prefix.
            first == "id"
                || words
                    .split_whitespace()
                    .take(2)
                    .any(|it| prefixes.contains(it))
        };
        Ok(text.lines().filter(touches).map(str::to_owned).collect())
    }

    fn end(&mut self) -> Result<(), Error> {
        self.sync(MARK)?;
        self.process.stop().map(drop)
    }

    /// Makes a change of our own in an unused table until the monitor has reported one: then it
    /// runs, and everything earlier is in its file.
    fn sync(&mut self, mark: &str) -> Result<(), Error> {
        let before = self.text().matches(mark).count();
        wait_until("ip monitor reports", Duration::from_secs(10), || {
            self.process.must_live().map_err(|e| e.to_string())?;
            let route = format!("route replace blackhole {mark} table 4242");
            self.space.ip(&route).map_err(|e| e.to_string())?;
            self.space
                .ip(&format!("route del blackhole {mark} table 4242"))
                .ok();
            if self.text().matches(mark).count() > before {
                Ok(())
            } else {
                Err("silent".to_owned())
            }
        })?;
        Ok(())
    }

    fn text(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}
