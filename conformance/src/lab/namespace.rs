//! Network namespaces, and the mount namespace that a site has besides.
//!
//! Commands enter through `nsenter`, which replaces itself by the program: the child we see is the
//! program. Threads enter by `setns`.

use std::fs::{self, File};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::sched::{CloneFlags, setns};

use super::command::{self, Output};
use super::process::Process;
use super::{Error, Lab, wait_until};

/// A network namespace, perhaps with a mount namespace. Clones name the same namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namespace {
    name: String,
    /// The process that keeps the mount namespace.
    mounts: Option<u32>,
}

impl Namespace {
    pub(super) fn create(name: &str) -> Result<Self, Error> {
        command::host("ip", &["netns", "add", name])?;
        let namespace = Self {
            name: name.to_owned(),
            mounts: None,
        };
        namespace.ip("link set lo up")?;
        namespace.within(forward_packets)??;
        Ok(namespace)
    }

    /// The same network namespace with a mount namespace of its own, kept by the returned process.
    ///
    /// wireguard-go serves one path for each machine, `/var/run/wireguard/NAME.sock`; with a
    /// private directory there, every site has its own. `/sys` shows the site's interfaces.
    pub(super) fn with_mounts(&self, lab: &Lab, log: &Path) -> Result<(Self, Process), Error> {
        let mut command = self.command("unshare");
        let ready = log.with_extension("ready");
        command
            .args(["--mount", "--propagation", "slave", "sh", "-c"])
            .arg(
                "mkdir -p /var/run/wireguard && mount -t tmpfs none /var/run/wireguard \
             && mount -t sysfs sysfs /sys && : > \"$0\" && exec sleep infinity",
            );
        command.arg(&ready);
        let mut holder = lab.spawn("mount namespace", command, log)?;
        wait_until(
            "mount namespace",
            std::time::Duration::from_secs(10),
            || {
                holder.must_live().map_err(|e| e.to_string())?;
                if ready.exists() {
                    Ok(())
                } else {
                    Err("not mounted".to_owned())
                }
            },
        )?;
        Ok((
            Self {
                name: self.name.clone(),
                mounts: Some(holder.pid()),
            },
            holder,
        ))
    }

    /// The name, as `ip netns` shows it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file that stands for the namespace.
    pub fn path(&self) -> PathBuf {
        Path::new("/run/netns").join(&self.name)
    }

    /// A command that will run inside.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", self.path().display()));
        if let Some(pid) = self.mounts {
            command.arg(format!("--mount=/proc/{pid}/ns/mnt"));
        }
        command.arg("--").arg(program);
        command
    }

    /// Runs a command that must end with 0; its standard output.
    pub fn run(&self, line: &[&str]) -> Result<String, Error> {
        let (program, args) = line.split_first().unwrap_or((&"true", &[]));
        command::run(self.command(program).args(args))
    }

    /// Runs a command, whatever its status.
    pub fn output(&self, line: &[&str]) -> Result<Output, Error> {
        let (program, args) = line.split_first().unwrap_or((&"true", &[]));
        command::output(self.command(program).args(args))
    }

    /// Runs `ip` with these words, e.g. `ns.ip("link set eth0 up")`.
    pub fn ip(&self, words: &str) -> Result<String, Error> {
        command::run(
            Command::new("ip")
                .args(["-n", &self.name])
                .args(words.split_whitespace()),
        )
    }

    /// Runs `ip -j` (or another iproute2 program with `-n`) and parses the answer.
    pub fn json(&self, program: &str, words: &str) -> Result<serde_json::Value, Error> {
        let mut command = Command::new(program);
        command
            .args(["-j", "-n", &self.name])
            .args(words.split_whitespace());
        command::json(&format!("{program} {words}"), &command::run(&mut command)?)
    }

    /// Runs a function on a thread of its own that lives in the network namespace. A socket made
    /// there stays there, wherever it is used later.
    pub fn within<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T, Error> {
        let path = self.path();
        let file = File::open(&path).map_err(|e| Error::io(path.display(), e))?;
        std::thread::scope(|scope| {
            let worker = scope.spawn(|| {
                setns(file.as_fd(), CloneFlags::CLONE_NEWNET)
                    .map_err(|e| Error::os(format!("enter {}", self.name), e))?;
                Ok(work())
            });
            worker
                .join()
                .unwrap_or_else(|_| Err(Error::State(format!("work in {} failed", self.name))))
        })
    }

    /// One echo request answered? `size` is the whole IPv4 packet; it is never fragmented.
    pub fn pings(&self, to: std::net::Ipv4Addr, size: u16) -> Result<(), String> {
        // 20 octets of IPv4 header and 8 of ICMP come on top of ping's own size.
        let payload = size.saturating_sub(28).to_string();
        let to = to.to_string();
        let line = [
            "ping", "-n", "-q", "-M", "do", "-c", "1", "-W", "1", "-s", &payload, &to,
        ];
        let output = self.output(&line).map_err(|e| e.to_string())?;
        if output.ok() {
            Ok(())
        } else {
            Err(format!("{}: no answer from {to}", self.name))
        }
    }
}

fn forward_packets() -> Result<(), Error> {
    let settings = [
        ("ipv4/ip_forward", "1"),
        ("ipv6/conf/all/forwarding", "1"),
        // Answers may come back another way than they left: that is what moving traffic means.
        ("ipv4/conf/all/rp_filter", "0"),
        ("ipv4/conf/default/rp_filter", "0"),
    ];
    for (key, value) in settings {
        let path = format!("/proc/sys/net/{key}");
        fs::write(&path, value).map_err(|e| Error::io(path, e))?;
    }
    Ok(())
}
