//! Whether the host forwards: the one setting that netlink has no message for.
//!
//! It is a file of our network namespace, read before it is written: where it is right already it may well be
//! one that nobody may write.

use std::io;

use crate::table::OpError;

const IPV4: &str = "/proc/sys/net/ipv4/ip_forward";
const IPV6: &str = "/proc/sys/net/ipv6/conf/all/forwarding";

/// Whether packets of this IP version are forwarded; `None` where the host does not say.
pub(crate) fn forwards(ipv6: bool) -> Option<bool> {
    let text = std::fs::read_to_string(path(ipv6)).ok()?;
    Some(text.trim() != "0")
}

/// Has them forwarded, or not.
pub(crate) fn set_forwarding(ipv6: bool, on: bool) -> Result<(), OpError> {
    if forwards(ipv6) == Some(on) {
        return Ok(());
    }
    let value = if on { "1" } else { "0" };
    std::fs::write(path(ipv6), value).map_err(|error| refusal(path(ipv6), value, &error))
}

fn path(ipv6: bool) -> &'static str {
    if ipv6 { IPV6 } else { IPV4 }
}

fn refusal(path: &str, value: &str, error: &io::Error) -> OpError {
    let errno = error.raw_os_error().unwrap_or(libc::EIO);
    let next = match errno {
        // As a service that may not write to /proc/sys sees it, or one in a container.
        libc::EROFS => {
            ", which can be read only: `ProtectKernelTunables=no` in the unit of the service"
        }
        libc::ENOENT => ", which this kernel does not have",
        libc::EACCES => ", which needs CAP_NET_ADMIN",
        _ => "",
    };
    OpError {
        errno,
        explanation: Some(format!("cannot write {value} to {path}{next}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_what_was_to_be_written_and_what_to_do() {
        let error = io::Error::from_raw_os_error(libc::EROFS);
        assert_eq!(
            refusal(IPV4, "1", &error).to_string(),
            "cannot write 1 to /proc/sys/net/ipv4/ip_forward, which can be read only: \
             `ProtectKernelTunables=no` in the unit of the service (read-only file system (os error 30))"
        );
    }
}
