//! What outlives the process: drain, and whether the last run ended in an orderly way.
//!
//! Small JSON files in the state directory, each written whole to a new file that then takes the
//! old one's name, so a crash leaves the old or the new content and nothing between.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::control::Timestamp;

/// The state directory.
#[derive(Debug, Clone)]
pub(crate) struct StateDir {
    path: PathBuf,
}

/// Why traffic is being moved away, and until when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DrainRecord {
    pub(crate) since: Timestamp,
    pub(crate) reason: Option<String>,
    pub(crate) deadline: Option<Timestamp>,
}

/// Who is being drained.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct DrainState {
    /// The whole router.
    pub(crate) router: Option<DrainRecord>,
    /// Single neighbours.
    pub(crate) neighbors: BTreeMap<IpAddr, DrainRecord>,
}

impl DrainState {
    /// True if traffic with this neighbour is being moved away.
    pub(crate) fn covers(&self, neighbor: IpAddr) -> bool {
        self.router.is_some() || self.neighbors.contains_key(&neighbor)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.router.is_none() && self.neighbors.is_empty()
    }
}

/// Written at the start, removed by an orderly stop: if it is there, the last run did not end
/// but broke off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Running {
    boot_id: String,
}

impl Running {
    fn now() -> Self {
        let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        Self {
            boot_id: boot_id.trim().to_owned(),
        }
    }
}

const DRAIN: &str = "drain.json";
const RUNNING: &str = "running.json";

impl StateDir {
    /// Makes the directory if it is not there.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        fs::create_dir_all(path)?;
        Ok(Self {
            path: path.to_owned(),
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What is being drained; nothing when there is no such file.
    pub(crate) fn drain(&self) -> io::Result<DrainState> {
        Ok(self.read(DRAIN)?.unwrap_or_default())
    }

    pub(crate) fn set_drain(&self, state: &DrainState) -> io::Result<()> {
        if state.is_empty() {
            self.remove(DRAIN)
        } else {
            self.write(DRAIN, state)
        }
    }

    /// True if the last run broke off on this boot, so that the kernel still forwards what it left.
    pub(crate) fn broke_off(&self) -> bool {
        // A damaged file is as good as none: the worst is a start without graceful restart.
        let before: Option<Running> = self.read(RUNNING).unwrap_or_default();
        before.is_some_and(|before| before == Running::now() && !before.boot_id.is_empty())
    }

    /// Notes that a run begins.
    pub(crate) fn begin(&self) -> io::Result<()> {
        self.write(RUNNING, &Running::now())
    }

    /// Notes that the run ends in an orderly way.
    pub(crate) fn end(&self) -> io::Result<()> {
        self.remove(RUNNING)
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> io::Result<Option<T>> {
        match fs::read(self.path.join(name)) {
            Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn write<T: Serialize>(&self, name: &str, value: &T) -> io::Result<()> {
        let new = self.path.join(format!("{name}.new"));
        fs::write(&new, serde_json::to_vec_pretty(value)?)?;
        fs::File::open(&new)?.sync_all()?;
        fs::rename(new, self.path.join(name))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        match fs::remove_file(self.path.join(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> StateDir {
        let path = std::env::temp_dir().join(format!("rbgpd-state-{name}-{}", std::process::id()));
        drop(fs::remove_dir_all(&path));
        StateDir::open(&path).unwrap()
    }

    #[test]
    fn a_run_that_broke_off_is_noticed_and_an_orderly_one_is_not() {
        let dir = scratch("run");
        assert!(!dir.broke_off());
        dir.begin().unwrap();
        assert!(dir.broke_off());
        dir.end().unwrap();
        assert!(!dir.broke_off());
        fs::write(dir.path().join(RUNNING), "not json").unwrap();
        assert!(!dir.broke_off());
        fs::remove_dir_all(dir.path()).unwrap();
    }

    #[test]
    fn a_drain_is_there_again_after_a_restart() {
        let dir = scratch("drain");
        assert!(dir.drain().unwrap().is_empty());
        let record = DrainRecord {
            since: Timestamp::from_unix_s(1),
            reason: Some("kernel upgrade".to_owned()),
            deadline: None,
        };
        let mut state = DrainState {
            router: Some(record.clone()),
            ..DrainState::default()
        };
        state.neighbors.insert("10.10.0.2".parse().unwrap(), record);
        dir.set_drain(&state).unwrap();
        assert_eq!(dir.drain().unwrap(), state);
        dir.set_drain(&DrainState::default()).unwrap();
        assert!(dir.drain().unwrap().is_empty());
        fs::write(dir.path().join(DRAIN), "{").unwrap();
        assert!(dir.drain().is_err());
        fs::remove_dir_all(dir.path()).unwrap();
    }
}
