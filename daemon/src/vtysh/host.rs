//! The host, as FRR's zebra would see it: its name, devices, addresses and routes.
//!
//! It is read once for each command, from the kernel of the network namespace that this program runs
//! in. That has to be the daemon's own, which is looked after where the host says which one that is.

use std::fs;
use std::process::Command;

use fib::{Address, DeviceFacts, ForeignRoute, Interface, Link, LinkKind, NextHop};

use tokio::signal::unix::{SignalKind, signal};

use super::ask::Trouble;
use super::grammar::Said;

/// Devices, addresses and routes.
#[derive(Debug, Default)]
pub(super) struct Host {
    pub(super) links: Vec<Link>,
    pub(super) addresses: Vec<Address>,
}

impl Host {
    /// As it is now. `daemon` is the process that has to be in the same namespace.
    pub(super) fn now(daemon: u32) -> Result<Self, Trouble> {
        same_namespace(daemon)?;
        let (mut links, addresses) = fib::host_now().map_err(unreadable)?;
        links.sort_by_key(|link| link.index);
        Ok(Self { links, addresses })
    }

    /// Routes of the kernel.
    pub(super) fn routes(&self) -> Result<Vec<ForeignRoute>, Trouble> {
        fib::routes_now().map_err(unreadable)
    }

    /// What of devices only people ask for.
    pub(super) fn facts(&self) -> Result<Vec<DeviceFacts>, Trouble> {
        fib::devices_now().map_err(unreadable)
    }

    /// The device with this number.
    pub(super) fn link(&self, index: u32) -> Option<&Link> {
        self.links.iter().find(|link| link.index == index)
    }

    /// The device with this name.
    pub(super) fn named(&self, name: &str) -> Option<&Link> {
        self.links.iter().find(|link| link.name.as_str() == name)
    }

    /// The addresses of a device, IPv4 first.
    pub(super) fn addresses_of(&self, index: u32) -> Vec<&Address> {
        let mut mine: Vec<&Address> = self
            .addresses
            .iter()
            .filter(|it| it.index == index)
            .collect();
        mine.sort_by_key(|it| (it.address.is_ipv6(), it.address));
        mine
    }

    /// The VRF that a device is in, through its bridge where it is a port.
    pub(super) fn vrf_of(&self, link: &Link) -> Option<&Link> {
        let is_vrf = |link: &&Link| vrf_table(link).is_some();
        let master = self.link(link.master?)?;
        let above = || self.link(master.master?).filter(is_vrf);
        Some(master).filter(is_vrf).or_else(above)
    }

    /// The device that a next hop leaves by.
    pub(super) fn device_of(&self, hop: &NextHop) -> Option<&Link> {
        match hop.interface.as_ref()? {
            Interface::Index(index) => self.link(*index),
            Interface::Name(name) => self.named(name.as_str()),
        }
    }

    /// The routing table of a VRF; the main one for `default`.
    pub(super) fn table_of(&self, vrf: &str) -> Option<u32> {
        if vrf == DEFAULT {
            return Some(MAIN);
        }
        vrf_table(self.named(vrf)?)
    }

    /// VRF devices, by name and table.
    pub(super) fn vrfs(&self) -> Vec<(&Link, u32)> {
        let links = self.links.iter();
        links
            .filter_map(|link| Some((link, vrf_table(link)?)))
            .collect()
    }
}

/// The table of a VRF; none of what is no VRF.
pub(super) fn vrf_table(link: &Link) -> Option<u32> {
    if let LinkKind::Vrf { table } = link.kind {
        return Some(table);
    }
    None
}

/// What FRR calls the table that no VRF has.
pub(super) const DEFAULT: &str = "default";
const MAIN: u32 = fib::RouteKey::MAIN;

fn unreadable(error: std::io::Error) -> Trouble {
    Trouble::Failure(format!("% the kernel does not tell: {error}\n"))
}

fn same_namespace(daemon: u32) -> Result<(), Trouble> {
    let namespace = |of: &str| fs::read_link(format!("/proc/{of}/ns/net"));
    let (ours, theirs) = (namespace("self"), namespace(&daemon.to_string()));
    match (ours, theirs) {
        (Ok(ours), Ok(theirs)) if ours != theirs => Err(Trouble::Failure(format!(
            "% rbgpd runs in another network namespace than this program\n\
             hint: nsenter --target {daemon} --net vtysh\n"
        ))),
        // Who may not look at the daemon's namespace is usually in it.
        _ => Ok(()),
    }
}

/// Runs `ping` or `traceroute`, which print what they find themselves, until they end. At a terminal Ctrl-C
/// ends them, and not the session.
pub(super) fn run(said: &Said, at_terminal: bool) -> Result<(), (&'static str, std::io::Error)> {
    let program = if said.has("ping") {
        "ping"
    } else {
        "traceroute"
    };
    let mut command = Command::new(program);
    if said.has("ipv6") {
        command.arg("-6");
    }
    // What begins with a hyphen is a host, too, and no option.
    command.arg("--").args(said.value(&["WORD"]));
    // While somebody listens for the signal it ends the other program alone, which has it, too.
    let _listens = at_terminal.then(|| signal(SignalKind::interrupt()));
    command.status().map_err(|error| (program, error))?;
    Ok(())
}

/// The name of this host.
pub(super) fn name() -> String {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => "rbgpd".to_owned(),
        name => name.to_owned(),
    }
}

/// What the kernel calls itself: `Linux(6.1.0-18-amd64)`.
pub(super) fn system() -> String {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("Linux({})", release.trim())
}
