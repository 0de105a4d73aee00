//! What outlives the process: drain, what others remember of us, and whether the last run ended in an
//! orderly way.
//!
//! Small JSON files in the state directory, each written whole to a new file that then takes the
//! old one's name, so a crash leaves the old or the new content and nothing between.
//!
//! One daemon a directory: the mark of an orderly stop and the kernel entries that it speaks of
//! would otherwise be removed by whoever stops first. A lock on a file says who has it; the
//! kernel lets it go with the process, however that ends.
//!
//! A drain that cannot be read is taken for a drain of the whole router. The file is only there
//! while something is drained, and traffic that comes back in the middle of a maintenance is
//! worse than traffic that stays away.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, UdpSocket};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use bgp::{MacAddress, ScopedAddr, Vni};
use ipnetwork::IpNetwork;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::control::Timestamp;
use crate::plain_file;

/// The state directory, which is ours as long as this or a clone of it is there.
#[derive(Debug, Clone)]
pub(crate) struct StateDir {
    path: PathBuf,
    /// Whose files are meant: of an instance, its name.
    instance: Option<String>,
    /// Held and never read. The file itself stays: removing it would let two daemons hold locks
    /// on two files.
    _lock: Arc<File>,
}

/// Why the state directory cannot be had.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StateError {
    /// Another daemon has it.
    #[error("another daemon has it")]
    InUse {
        /// Its process, as it has noted.
        pid: Option<u32>,
    },
    /// The file system refused.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Why traffic is being moved away, and until when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DrainRecord {
    pub(crate) since: Timestamp,
    pub(crate) reason: Option<String>,
    pub(crate) deadline: Option<Timestamp>,
    /// What the kernel refused already when it began, by what it is called: traffic comes back
    /// to what it left.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub(crate) refused: BTreeSet<String>,
}

/// Who is being drained.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct DrainState {
    /// The whole router.
    pub(crate) router: Option<DrainRecord>,
    /// Single neighbours.
    pub(crate) neighbors: BTreeMap<ScopedAddr, DrainRecord>,
}

impl DrainState {
    /// True if traffic with this neighbour is being moved away.
    pub(crate) fn covers(&self, neighbor: ScopedAddr) -> bool {
        // A link-local address was written without its interface in the past.
        self.router.is_some() || self.neighbors.keys().any(|it| it.means(neighbor))
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
    /// The network namespace, by a number that no other one has on this boot. What it had in the kernel goes
    /// with it, as with a container that is started again. Unknown to old kernels.
    #[serde(default)]
    network: Option<u64>,
}

impl Running {
    fn now() -> Self {
        let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        Self {
            boot_id: boot_id.trim().to_owned(),
            network: network_cookie().ok(),
        }
    }

    /// What that run wrote to the kernel may still be there, as far as it wrote anything.
    fn may_be_forwarded_for(&self, now: &Self, writes: bool) -> bool {
        let moved = |before, now| before != now;
        let elsewhere = self.network.zip(now.network);
        let elsewhere = elsewhere.is_some_and(|(before, now)| moved(before, now));
        let this_boot = self.boot_id == now.boot_id && !now.boot_id.is_empty();
        this_boot && !(writes && elsewhere)
    }
}

/// The number of the network namespace of this thread.
fn network_cookie() -> io::Result<u64> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    let mut cookie = 0_u64;
    let mut length = libc::socklen_t::try_from(size_of::<u64>()).map_err(io::Error::other)?;
    // SAFETY: the descriptor is open as long as `socket` is; the kernel writes at most `length` octets to the
    // number.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_NETNS_COOKIE,
            (&raw mut cookie).cast(),
            &raw mut length,
        )
    };
    match result {
        0 => Ok(cookie),
        _ => Err(io::Error::last_os_error()),
    }
}

/// The AllowedIPs of an interface that are ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct AllowedIps {
    boot_id: String,
    prefixes: BTreeSet<IpNetwork>,
}

/// Sequence numbers of MAC addresses by VNI.
pub(crate) type Sequences = BTreeMap<(Vni, MacAddress), u32>;

/// Those that were told of stations here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct MacMobility {
    boot_id: String,
    /// VNI, MAC address and number.
    sequences: Vec<(u32, String, u32)>,
}

const ALLOWED_IPS: &str = "allowed-ips";
const MAC_MOBILITY: &str = "mac-mobility";
const DRAIN: &str = "drain";
const RUNNING: &str = "running";
const LOCK: &str = "lock";

/// The name of a file: `drain.json`, of an instance `drain-NAME.json`.
fn file_name(what: &str, instance: Option<&str>) -> String {
    match instance {
        Some(name) => format!("{what}-{name}.json"),
        None => format!("{what}.json"),
    }
}

/// Longer than any number of a process.
const PID_MAX: u64 = 20;

impl StateDir {
    /// Makes the directory if it is not there, and takes it.
    pub(crate) fn open(path: &Path) -> Result<Self, StateError> {
        fs::create_dir_all(path)?;
        Ok(Self {
            _lock: Arc::new(lock(path)?),
            path: path.to_owned(),
            instance: None,
        })
    }

    /// The files of one instance in the same directory.
    pub(crate) fn of(&self, instance: Option<&str>) -> Self {
        Self {
            instance: instance.map(str::to_owned),
            ..self.clone()
        }
    }

    fn file(&self, what: &str) -> PathBuf {
        self.path.join(file_name(what, self.instance.as_deref()))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What is being drained; nothing when there is no such file, the whole router when it cannot
    /// be read.
    pub(crate) fn drain(&self) -> io::Result<DrainState> {
        match self.read(DRAIN) {
            Ok(state) => Ok(state.unwrap_or_default()),
            Err(error) => self.drained_for_safety(&error),
        }
    }

    /// Puts a drain of the whole router in the place of a file that cannot be read.
    fn drained_for_safety(&self, error: &io::Error) -> io::Result<DrainState> {
        let file = self.file(DRAIN);
        // For those who want to know what it was.
        let kept_name = file_name(DRAIN, self.instance.as_deref()) + ".unreadable";
        let kept = self.path.join(&kept_name);
        tracing::error!(
            file = %file.display(),
            %error,
            kept_as = %kept.display(),
            "cannot read what is drained, expected the JSON object that this daemon writes: \
             starting with the whole router drained; `rbgpctl undrain --wait` takes traffic back"
        );
        let state = DrainState {
            router: Some(DrainRecord {
                since: Timestamp::from(SystemTime::now()),
                reason: Some(format!(
                    "`{}` could not be read at the start ({error}); it is kept as {kept_name}",
                    file.display()
                )),
                deadline: None,
                refused: BTreeSet::new(),
            }),
            ..DrainState::default()
        };
        fs::rename(&file, &kept)
            .and_then(|()| self.set_drain(&state))
            .map_err(|source| {
                io::Error::new(
                    source.kind(),
                    format!(
                        "`{}` cannot be read ({error}) and not be replaced ({source})\n\n\
                         hint: it says what is drained; move it and `{}` away, start, and drain \
                         again if traffic is to stay away",
                        file.display(),
                        kept.display()
                    ),
                )
            })?;
        Ok(state)
    }

    pub(crate) fn set_drain(&self, state: &DrainState) -> io::Result<()> {
        if state.is_empty() {
            self.remove(DRAIN)
        } else {
            self.write(DRAIN, state)
        }
    }

    /// True if the last run broke off, and what it left goes on forwarding: it ran on this boot, and in this
    /// network namespace if it `writes` to the kernel.
    pub(crate) fn broke_off(&self, writes: bool) -> bool {
        broke_off(&self.file(RUNNING), writes)
    }

    /// The same of a directory that is not ours yet; false while another daemon has it.
    pub(crate) fn left_broken(path: &Path, instance: Option<&str>, writes: bool) -> bool {
        broke_off(&path.join(file_name(RUNNING, instance)), writes) && lock(path).is_ok()
    }

    /// Notes that a run begins.
    pub(crate) fn begin(&self) -> io::Result<()> {
        self.write(RUNNING, &Running::now())
    }

    /// Notes that the run ends in an orderly way.
    pub(crate) fn end(&self) -> io::Result<()> {
        self.remove(RUNNING)
    }

    /// The AllowedIPs of an interface that were added by a run on this boot; a device does not
    /// outlive that.
    pub(crate) fn allowed_ips(&self, interface: &str) -> io::Result<BTreeSet<IpNetwork>> {
        let record: Option<AllowedIps> = self.read(&format!("{ALLOWED_IPS}-{interface}"))?;
        let ours = record.filter(|it| it.boot_id == Running::now().boot_id);
        Ok(ours.map(|it| it.prefixes).unwrap_or_default())
    }

    pub(crate) fn set_allowed_ips(
        &self,
        interface: &str,
        prefixes: &BTreeSet<IpNetwork>,
    ) -> io::Result<()> {
        let record = AllowedIps {
            boot_id: Running::now().boot_id,
            prefixes: prefixes.clone(),
        };
        self.write_for_this_boot(&format!("{ALLOWED_IPS}-{interface}"), &record)
    }

    /// Sequence numbers that a run on this boot told of stations here; nobody remembers a router that
    /// was away for so long.
    pub(crate) fn sequences(&self) -> io::Result<Sequences> {
        let record: Option<MacMobility> = self.read(MAC_MOBILITY)?;
        let Some(record) = record.filter(|it| it.boot_id == Running::now().boot_id) else {
            return Ok(Sequences::new());
        };
        let rows = record.sequences.into_iter().map(|(vni, mac, sequence)| {
            let known = Vni::new(vni).zip(mac.parse().ok());
            let key = known.ok_or_else(|| {
                let wrong = format!("`{mac}` in VNI {vni}: expected a MAC address and 24 bits");
                io::Error::new(io::ErrorKind::InvalidData, wrong)
            });
            Ok((key?, sequence))
        });
        rows.collect()
    }

    pub(crate) fn set_sequences(&self, sequences: &Sequences) -> io::Result<()> {
        if sequences.is_empty() {
            return self.remove(MAC_MOBILITY);
        }
        let rows = sequences.iter();
        let record = MacMobility {
            boot_id: Running::now().boot_id,
            sequences: rows
                .map(|((vni, mac), sequence)| (vni.get(), mac.to_string(), *sequence))
                .collect(),
        };
        self.write_for_this_boot(MAC_MOBILITY, &record)
    }

    /// Not brought to the disk at once: what is lost with the power is of no use after it.
    fn write_for_this_boot<T: Serialize>(&self, name: &str, value: &T) -> io::Result<()> {
        let file = self.file(name);
        let new = file.with_extension("json.new");
        fs::write(&new, serde_json::to_vec(value)?)?;
        fs::rename(new, file)
    }

    /// Forgets marks of instances that are no more. What they left is swept with this start, and one
    /// of that name that comes later is another.
    pub(crate) fn forget_others(&self, instances: &[Option<String>]) -> io::Result<()> {
        for entry in fs::read_dir(&self.path)? {
            let name = entry?.file_name();
            let name = name.to_string_lossy();
            let instance = name
                .strip_prefix(RUNNING)
                .and_then(|it| it.strip_prefix('-'))
                .and_then(|it| it.strip_suffix(".json"));
            if let Some(instance) = instance
                && !instances.iter().any(|it| it.as_deref() == Some(instance))
            {
                self.of(Some(instance)).end()?;
            }
        }
        Ok(())
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> io::Result<Option<T>> {
        read(&self.file(name))
    }

    fn write<T: Serialize>(&self, name: &str, value: &T) -> io::Result<()> {
        let file = self.file(name);
        let new = file.with_extension("json.new");
        fs::write(&new, serde_json::to_vec_pretty(value)?)?;
        fs::File::open(&new)?.sync_all()?;
        fs::rename(new, file)
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        match fs::remove_file(self.file(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

fn broke_off(path: &Path, writes: bool) -> bool {
    // A damaged file is as good as none: the worst is a start without graceful restart.
    let before: Option<Running> = read(path).unwrap_or_default();
    before.is_some_and(|before| before.may_be_forwarded_for(&Running::now(), writes))
}

fn read<T: DeserializeOwned>(path: &Path) -> io::Result<Option<T>> {
    match plain_file::read(path) {
        Ok(bytes) => Ok(Some(serde_json::from_slice(&bytes)?)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Takes the directory, and notes in the file who has it.
fn lock(path: &Path) -> Result<File, StateError> {
    let mut file = File::options()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(path.join(LOCK))?;
    match file.try_lock() {
        Ok(()) => {
            file.set_len(0)?;
            writeln!(file, "{}", std::process::id())?;
            Ok(file)
        }
        Err(TryLockError::WouldBlock) => {
            let mut pid = String::new();
            // The number is only of help: without it the refusal is the same.
            drop(file.take(PID_MAX).read_to_string(&mut pid));
            Err(StateError::InUse {
                pid: pid.trim().parse().ok(),
            })
        }
        Err(TryLockError::Error(source)) => Err(source.into()),
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
        assert!(!dir.broke_off(true));
        dir.begin().unwrap();
        assert!(dir.broke_off(true) && dir.broke_off(false));
        dir.end().unwrap();
        assert!(!dir.broke_off(true));
        fs::write(dir.file(RUNNING), "not json").unwrap();
        assert!(!dir.broke_off(true));
        fs::remove_dir_all(dir.path()).unwrap();
    }

    #[test]
    fn nothing_is_left_of_a_run_in_another_network_namespace_but_routes_of_others() {
        let here = Running::now();
        let Some(network) = here.network else {
            // A kernel that does not tell namespaces apart.
            return;
        };
        assert_eq!(Running::now(), here, "it is the same each time");
        let elsewhere = Running {
            network: Some(network + 1),
            ..here.clone()
        };
        assert!(here.may_be_forwarded_for(&here, true));
        assert!(!elsewhere.may_be_forwarded_for(&here, true));
        // One that writes nothing, like a route reflector, leaves nothing that could be lost.
        assert!(elsewhere.may_be_forwarded_for(&here, false));
        let older: Running =
            serde_json::from_str(&format!("{{\"boot_id\": \"{}\"}}", here.boot_id)).unwrap();
        assert!(older.may_be_forwarded_for(&here, true));
        let reboot = Running {
            boot_id: "another".to_owned(),
            ..here.clone()
        };
        assert!(!reboot.may_be_forwarded_for(&here, false));
    }

    #[test]
    fn a_drain_is_there_again_after_a_restart() {
        let dir = scratch("drain");
        assert!(dir.drain().unwrap().is_empty());
        let record = DrainRecord {
            since: Timestamp::from_unix_s(1),
            reason: Some("kernel upgrade".to_owned()),
            deadline: None,
            refused: BTreeSet::from(["route 10.11.0.0/16".to_owned()]),
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
        fs::remove_dir_all(dir.path()).unwrap();
    }

    #[test]
    fn sequence_numbers_are_there_again_on_this_boot_alone() {
        let dir = scratch("sequences");
        assert!(dir.sequences().unwrap().is_empty());
        let station = (Vni::new(100).unwrap(), "02:00:00:00:00:01".parse().unwrap());
        let sequences = Sequences::from([(station, 7)]);
        dir.set_sequences(&sequences).unwrap();
        assert_eq!(dir.sequences().unwrap(), sequences);
        let file = dir.file(MAC_MOBILITY);
        let text = fs::read_to_string(&file).unwrap();
        fs::write(&file, text.replace("02:00", "zz:00")).unwrap();
        let refused = dir.sequences().unwrap_err().to_string();
        assert!(
            refused.contains("`zz:00:00:00:00:01` in VNI 100"),
            "{refused}"
        );
        fs::write(&file, text.replace(&Running::now().boot_id, "another")).unwrap();
        assert!(dir.sequences().unwrap().is_empty());
        dir.set_sequences(&Sequences::new()).unwrap();
        assert!(!file.exists());
        fs::remove_dir_all(dir.path()).unwrap();
    }

    #[test]
    fn instances_have_files_of_their_own_in_one_directory() {
        let dir = scratch("instances");
        let blue = dir.of(Some("blue"));
        blue.begin().unwrap();
        assert!(blue.broke_off(true) && !dir.broke_off(true));
        let mut state = DrainState::default();
        state.neighbors.insert(
            "10.10.0.2".parse().unwrap(),
            DrainRecord {
                since: Timestamp::from_unix_s(1),
                reason: None,
                deadline: None,
                refused: BTreeSet::new(),
            },
        );
        blue.set_drain(&state).unwrap();
        assert!(dir.path().join("drain-blue.json").exists());
        assert!(dir.drain().unwrap().is_empty());
        assert_eq!(dir.of(Some("blue")).drain().unwrap(), state);
        fs::remove_dir_all(dir.path()).unwrap();
    }

    #[test]
    fn marks_of_instances_that_are_no_more_are_forgotten() {
        let dir = scratch("forgotten");
        dir.begin().unwrap();
        for name in ["blue", "gone"] {
            dir.of(Some(name)).begin().unwrap();
        }
        dir.forget_others(&[None, Some("blue".to_owned())]).unwrap();
        assert!(dir.broke_off(true) && dir.of(Some("blue")).broke_off(true));
        assert!(!dir.of(Some("gone")).broke_off(true));
        assert!(!dir.path().join("running-gone.json").exists());
        fs::remove_dir_all(dir.path()).unwrap();
    }

    #[test]
    fn a_drain_that_cannot_be_read_is_one_of_the_whole_router_until_undrained() {
        for (number, damaged) in ["", "{\"router\":", "{}", "null", "[1]"].iter().enumerate() {
            let dir = scratch(&format!("damaged-{number}"));
            fs::write(dir.file(DRAIN), damaged).unwrap();
            let state = dir.drain().unwrap();
            let record = state.router.clone().unwrap();
            let reason = record.reason.unwrap();
            assert!(reason.contains("drain.json"), "{damaged}: {reason}");
            // What was there is kept, and the next start reads what this one has written.
            let kept = fs::read_to_string(dir.path().join("drain.json.unreadable")).unwrap();
            assert_eq!(kept, *damaged);
            assert_eq!(dir.drain().unwrap(), state, "{damaged}");
            dir.set_drain(&DrainState::default()).unwrap();
            assert!(dir.drain().unwrap().is_empty(), "{damaged}");
            fs::remove_dir_all(dir.path()).unwrap();
        }
    }

    #[test]
    fn a_directory_in_the_place_of_the_drain_file_is_moved_away_or_named() {
        let dir = scratch("directory");
        fs::create_dir(dir.file(DRAIN)).unwrap();
        assert!(dir.drain().unwrap().router.is_some());
        dir.set_drain(&DrainState::default()).unwrap();
        // Now there is no way left to keep it.
        fs::write(dir.path().join("drain.json.unreadable").join("x"), "").unwrap();
        fs::create_dir(dir.file(DRAIN)).unwrap();
        let error = dir.drain().unwrap_err().to_string();
        assert!(error.contains("drain.json` cannot be read"), "{error}");
        assert!(error.contains("hint: "), "{error}");
        fs::remove_dir_all(dir.path()).unwrap();
    }

    #[test]
    fn a_directory_is_had_by_one_and_free_again_with_its_last_clone() {
        let dir = scratch("lock");
        dir.begin().unwrap();
        let refused = StateDir::open(dir.path()).unwrap_err();
        let own = std::process::id();
        assert!(
            matches!(refused, StateError::InUse { pid: Some(pid) } if pid == own),
            "{refused:?}"
        );
        assert!(
            !StateDir::left_broken(dir.path(), None, true),
            "the other one runs, it has not broken off"
        );
        let path = dir.path().to_owned();
        let clone = dir.clone();
        drop(dir);
        assert!(StateDir::open(&path).is_err());
        drop(clone);
        assert!(StateDir::left_broken(&path, None, true));
        StateDir::open(&path).unwrap();
        fs::remove_dir_all(path).unwrap();
    }
}
