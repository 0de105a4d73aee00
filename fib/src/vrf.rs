//! VRF devices: who makes them, who removes them, and what a VRF of Linux does not do by itself.
//!
//! A VRF ([`Vrf`]) is a device that stands for a routing table: packets of the devices that are put
//! into it, and of sockets bound to it, are routed by that table. An [`Entry::Vrf`] asks for the
//! device, and so does an [`Overlay`] whose bridge stands in it. The kernel thread makes it if it is
//! not there and keeps it there; it carries our stamp then ([`STAMP`]) and goes when nothing asks
//! for it any longer and no device of others is in it. A VRF that somebody else made is used if it
//! has the table that is asked for; a device that does not fit is named and left alone, and so is a
//! bridge of others that stands in another VRF.
//!
//! [`ensure`] is for whoever has to bind a socket to the device before anything else runs. It says
//! nothing about how long the device is to stay: the wish does.
//!
//! What Linux leaves to whoever sets the host up:
//!
//! - A packet that no route of the table takes is looked up in the main table next. A default route
//!   `unreachable` with a high metric keeps it in its VRF (`ip route add vrf red unreachable default
//!   metric 4278198272`, the same with `ip -6`).
//! - Addresses of the host outside of VRFs are found first, by the rule with preference 0. A host
//!   that has an address which a tenant uses too needs the order of `Documentation/networking/vrf.rst`:
//!   `ip rule add pref 32765 table local; ip rule del pref 0`, the same with `ip -6`.
//! - Packets that come through an L3VNI may have sources that this host has in a subnet of its own,
//!   when that is stretched over sites. With `rp_filter` at 1 or 2 the kernel drops them, since the
//!   L3VNI's bridge has no address. It is set to 0 on a bridge of ours, but the higher one of the
//!   bridge's and `net.ipv4.conf.all.rp_filter` counts: that has to be 0, too.
//! - Forwarding is off unless `net.ipv4.ip_forward` and `net.ipv6.conf.all.forwarding` say otherwise.
//!
//! [`Entry::Vrf`]: crate::Entry::Vrf
//! [`Overlay`]: crate::Overlay
//! [`STAMP`]: crate::STAMP

use std::io;

use crate::links::Links;
use crate::netlink::dump::Dump;
use crate::netlink::writer::Writer;
use crate::overlay::{self, DeviceOp, Owner};
use crate::state::Vrf;
use crate::table::{Op, OpError};

/// How often the device is looked at, each time after a step towards it: made, stamped, set up, and
/// once more because somebody else may make or remove it at the same time.
const ROUNDS: usize = 8;

/// Why a VRF device cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VrfError {
    /// A netlink socket could not be set up, or read.
    #[error("cannot read the kernel's devices")]
    Netlink(#[source] io::Error),
    /// There is a device that is not ours to change.
    #[error("{0}")]
    Misfit(String),
    /// The kernel refused a step; CAP_NET_ADMIN and a kernel with VRFs (`CONFIG_NET_VRF`) are needed.
    #[error("{step}: {error}")]
    Refused {
        /// What was to be done.
        step: DeviceOp,
        /// What the kernel said.
        error: OpError,
    },
    /// The device is not there although the kernel made it.
    #[error("VRF device `{0}` does not stay")]
    Unsteady(String),
}

/// Makes a VRF device that is up and carries our stamp, unless there is one that fits. Waits for the
/// kernel, needs no kernel thread, and does not disturb one.
///
/// ```no_run
/// fib::vrf::ensure(&fib::Vrf::new("red", 1001))?;
/// # Ok::<(), fib::vrf::VrfError>(())
/// ```
///
/// # Errors
///
/// When a device of this name is something else, the table is another VRF's, or the kernel refuses.
pub fn ensure(vrf: &Vrf) -> Result<(), VrfError> {
    let mut dump = Dump::open().map_err(VrfError::Netlink)?;
    // Neither routes nor addresses are written, which is what the stamp's number is for.
    let mut writer = Writer::open(0).map_err(VrfError::Netlink)?;
    let mut owner = Owner::new(0);
    owner.named.insert(vrf.device.clone());
    let mut refused = None;
    for _ in 0..ROUNDS {
        let mut links = Links::default();
        for link in dump.links().map_err(VrfError::Netlink)? {
            links.insert(link);
        }
        owner.bind(&links);
        let steps = overlay::vrf::steps(vrf, &links, &owner);
        if let Some(wrong) = steps.wrong() {
            return Err(VrfError::Misfit(wrong));
        }
        let Some(step) = steps.ops.into_iter().next() else {
            return Ok(());
        };
        let result = writer.write(&[Op::Device(None, step.clone())], || 0);
        match result.into_iter().next() {
            Some(Err(error)) => {
                // Somebody else was quicker, perhaps; what is there now tells.
                let again = refused.replace(step.clone()) == Some(step.clone());
                if again || ![libc::EEXIST, libc::ENODEV].contains(&error.errno) {
                    return Err(VrfError::Refused { step, error });
                }
            }
            Some(Ok(())) | None if step.creates() => owner.made(vrf.device.clone()),
            Some(Ok(())) | None => {}
        }
    }
    Err(VrfError::Unsteady(vrf.device.to_string()))
}
