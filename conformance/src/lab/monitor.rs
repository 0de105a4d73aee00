//! Watching what goes from the kernel of a namespace, to prove that nothing did over a restart.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use super::{Error, Lab, Namespace, Process, wait_until};

/// `ip monitor` of routes and neighbours on a namespace, into a file. The second has forwarding
/// entries and flood entries of tunnel devices, too.
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
        command.args(["monitor", "route", "neigh"]);
        let process = lab.spawn("ip monitor", command, &log)?;
        let mut monitor = Self {
            space: space.clone(),
            log,
            process,
        };
        monitor.sync("198.18.255.1")?;
        Ok(monitor)
    }

    /// Ends the watch and returns the deletions that touched one of these prefixes, or an entry of
    /// one of these devices.
    pub fn deleted(
        mut self,
        prefixes: &[String],
        devices: &[String],
    ) -> Result<Vec<String>, Error> {
        self.sync("198.18.255.2")?;
        self.process.stop()?;
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

    /// Makes a change of our own in an unused table until the monitor has reported one: then it
    /// runs, and everything earlier is in its file.
    fn sync(&mut self, mark: &str) -> Result<(), Error> {
        wait_until("ip monitor reports", Duration::from_secs(10), || {
            self.process.must_live().map_err(|e| e.to_string())?;
            let route = format!("route replace blackhole {mark} table 4242");
            self.space.ip(&route).map_err(|e| e.to_string())?;
            self.space
                .ip(&format!("route del blackhole {mark} table 4242"))
                .ok();
            if self.text().contains(mark) {
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
