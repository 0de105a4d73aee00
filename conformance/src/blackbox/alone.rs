//! A network namespace for one test: loopback has one IPv6 address, and tests need several.

use nix::sched::{CloneFlags, unshare};

use super::setup::Network;
use super::{Error, other};
use crate::lab::{Requirement, command, missing, note_skip};

/// Moves the calling thread, and what it starts from now on, into a network namespace of its own
/// that has the IPv6 addresses of the first sixteen host numbers. It ends with the thread and its
/// processes. False, with a word about it, where that needs rights we do not have.
pub fn alone(test: &str) -> Result<bool, Error> {
    if other::Other::chosen()?.is_some() {
        return Err(other::not_comparable("sessions over IPv6"));
    }
    if let Some(why) = missing(&[Requirement::Root]) {
        note_skip(test, &why);
        return Ok(false);
    }
    unshare(CloneFlags::CLONE_NEWNET).map_err(|e| Error::io("make a namespace", e.into()))?;
    command::host("ip", &["link", "set", "lo", "up"])?;
    for host in 1..=16 {
        let address = format!("{}/128", Network::host_ipv6(host));
        command::host("ip", &["addr", "add", &address, "dev", "lo", "nodad"])?;
    }
    Ok(true)
}
