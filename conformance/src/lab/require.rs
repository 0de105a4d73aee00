//! What a scenario needs from the machine, and skipping it loudly where that is missing.

use std::fmt;
use std::path::Path;
use std::process::Command;

use super::command::{self, Output};
use super::{rbgpd, skip};

/// One thing a scenario needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Requirement {
    /// The user is root and may make network namespaces.
    Root,
    /// A program is installed.
    Program(&'static str),
    /// The device for tunnels is there.
    Tun,
    /// FRR's daemons from the machine's own package.
    HostFrr,
    /// The programs of this project are built.
    Rbgpd,
    /// The kernel knows TCP's authentication option.
    TcpAo,
    /// The kernel has VRFs, or that of user-mode Linux takes its place ([`super::uml`]).
    Vrf,
    /// Bridges of the kernel know VLANs, or as with [`Requirement::Vrf`].
    VlanFiltering,
    /// The kernel has dummy devices, or as with [`Requirement::Vrf`].
    Dummy,
    /// The kernel has bonds, or as with [`Requirement::Vrf`].
    Bond,
    /// The kernel has VLAN devices, or as with [`Requirement::Vrf`].
    Vlan,
    /// The kernel has WireGuard, or that of an emulated machine takes its place.
    KernelWireguard,
    /// The kernel has interfaces for IPsec, or as with [`Requirement::KernelWireguard`].
    Xfrm,
    /// A program takes this file as its last argument.
    Accepts {
        /// The program.
        program: &'static str,
        /// What stands before the file.
        arguments: &'static [&'static str],
        /// What is in the file.
        file: &'static str,
    },
}

impl Requirement {
    /// `None` when it is there, otherwise why not and what to do about it.
    pub fn absent(self) -> Option<String> {
        let there = match self {
            Self::Root => nix::unistd::geteuid().is_root(),
            Self::Program(name) => on_path(name),
            Self::Tun => Path::new("/dev/net/tun").exists(),
            Self::HostFrr => Path::new("/usr/lib/frr/bgpd").exists() && on_path("vtysh"),
            Self::Rbgpd => rbgpd::binary("rbgpd").is_some() && rbgpd::binary("rbgpctl").is_some(),
            Self::TcpAo => !lacks_tcp_ao(),
            Self::Vrf => makes("type vrf table 100", "vrf table 100"),
            Self::VlanFiltering => makes("type bridge vlan_filtering 1", "vlan_filtering 1"),
            Self::Dummy => makes("type dummy", "dummy"),
            Self::Bond => makes("type bond mode active-backup", "active-backup"),
            Self::Vlan => makes("link under type vlan id 5", "id 5"),
            Self::KernelWireguard => makes("type wireguard", "wireguard"),
            Self::Xfrm => makes("type xfrm dev lo if_id 7", "if_id"),
            Self::Accepts {
                program,
                arguments,
                file,
            } => accepts(program, arguments, "conf", file).is_some_and(|output| output.ok()),
        };
        (!there).then(|| self.to_string())
    }

    /// Whether another kernel may take the place of one that lacks it.
    pub(super) fn may_move(self) -> bool {
        match self {
            Self::Vrf
            | Self::VlanFiltering
            | Self::Dummy
            | Self::Bond
            | Self::Vlan
            | Self::KernelWireguard
            | Self::Xfrm => true,
            Self::Root
            | Self::Program(_)
            | Self::Tun
            | Self::HostFrr
            | Self::Rbgpd
            | Self::TcpAo
            | Self::Accepts { .. } => false,
        }
    }

    /// Whether user-mode Linux lacks it as well.
    pub(super) fn needs_a_machine(self) -> bool {
        matches!(self, Self::KernelWireguard | Self::Xfrm)
    }
}

impl fmt::Display for Requirement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => f.write_str("needs root for network namespaces"),
            Self::Program(name) => write!(f, "needs the program `{name}` (make setup)"),
            Self::Tun => f.write_str("needs /dev/net/tun"),
            Self::HostFrr => f.write_str("needs the package frr (make setup)"),
            Self::TcpAo => f.write_str("needs a kernel with TCP-AO (CONFIG_TCP_AO)"),
            Self::Vrf => f.write_str("needs a kernel with VRFs (CONFIG_NET_VRF)"),
            Self::VlanFiltering => {
                f.write_str("needs bridges that know VLANs (CONFIG_BRIDGE_VLAN_FILTERING)")
            }
            Self::Dummy => f.write_str("needs dummy devices (CONFIG_DUMMY)"),
            Self::Bond => f.write_str("needs bonds (CONFIG_BONDING)"),
            Self::Vlan => f.write_str("needs VLAN devices (CONFIG_VLAN_8021Q)"),
            Self::KernelWireguard => {
                f.write_str("needs WireGuard in the kernel (CONFIG_WIREGUARD)")
            }
            Self::Xfrm => f.write_str("needs interfaces for IPsec (CONFIG_XFRM_INTERFACE)"),
            Self::Accepts { program, .. } => write!(f, "needs a newer `{program}`"),
            Self::Rbgpd => f.write_str("needs rbgpd and rbgpctl built (cargo build -p rbgpd)"),
        }
    }
}

/// Whether rbgpd says so; what else it may say is for the test to find out.
fn lacks_tcp_ao() -> bool {
    let file = "asn = 65001\nrouter_id = \"10.9.0.1\"\n[[neighbor]]\naddress = \"10.9.0.2\"\n\
                remote_as = 65002\ntcp_ao = [{ id = 1, secret = \"x\" }]\n";
    let Some(program) = rbgpd::binary("rbgpctl") else {
        return false;
    };
    let output = accepts(&program.display().to_string(), &["check"], "toml", file);
    output.is_none_or(|output| output.text().contains("no TCP-AO (CONFIG_TCP_AO)"))
}

/// Whether the kernel makes a device of this kind that is then as `seen`, in a namespace of its own
/// with a link `under` it.
fn makes(kind: &str, seen: &str) -> bool {
    let thread = std::thread::current().id();
    let space = format!("rbgpd-needs-{}-{thread:?}", std::process::id());
    let ip = |words: &str| {
        let words: Vec<&str> = words.split_whitespace().collect();
        command::host("ip", &words)
    };
    if ip(&format!("netns add {space}")).is_err() {
        return false;
    }
    let shown = ip(&format!("-n {space} link add under type veth"))
        .and_then(|_| ip(&format!("-n {space} link add probe {kind}")))
        .and_then(|_| ip(&format!("-d -n {space} link show dev probe")));
    // It was made above; whoever finds it in the way says so.
    drop(ip(&format!("netns del {space}")));
    shown.is_ok_and(|shown| shown.contains(seen))
}

/// What a program says of a file.
fn accepts(program: &str, arguments: &[&str], kind: &str, file: &str) -> Option<Output> {
    let thread = std::thread::current().id();
    let name = format!("rbgpd-lab-needs-{}-{thread:?}.{kind}", std::process::id());
    let path = std::env::temp_dir().join(name);
    std::fs::write(&path, file).ok()?;
    let mut command = Command::new(program);
    command.args(arguments).arg(&path);
    let output = command::output(&mut command).ok();
    // In a folder for what may stay behind.
    drop(std::fs::remove_file(&path));
    output
}

/// What is missing of a list, in one line; `None` when everything is there.
pub fn missing(requirements: &[Requirement]) -> Option<String> {
    let absent: Vec<String> = requirements.iter().filter_map(|r| r.absent()).collect();
    (!absent.is_empty()).then(|| absent.join("; "))
}

/// Prints and counts a skipped scenario.
pub fn note_skip(name: &str, why: &str) {
    skip::note(Some(name), why);
}

/// Returns from the test, loudly, unless the machine has everything the list names.
///
/// ```no_run
/// use conformance::lab::Requirement;
///
/// fn needs_a_program_that_nobody_has() {
///     conformance::require!("example", Requirement::Program("no-such-program"));
///     unreachable!("the line above has returned");
/// }
/// ```
#[macro_export]
macro_rules! require {
    ($name:expr, $($requirement:expr),+ $(,)?) => {
        if let Some(why) = $crate::lab::missing(&[$($requirement),+]) {
            $crate::lab::note_skip($name, &why);
            return;
        }
    };
}

fn on_path(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // The administrator's programs are often missing from an ordinary user's PATH.
    let usual = ["/usr/sbin", "/sbin", "/usr/bin"].map(Into::into);
    std::env::split_paths(&path)
        .chain(usual)
        .any(|dir| dir.join(name).is_file())
}
