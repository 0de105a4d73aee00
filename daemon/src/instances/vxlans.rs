//! VXLAN devices that others make under FRR's `advertise-all-vni`.
//!
//! FRR takes up the VNI of a VXLAN device as soon as the device is on a bridge, and lets it go with it.
//! The core says when devices that are not ours have changed; what runs is read again then, as it is
//! and not from the file, and of what comes out the overlay networks alone are taken over.
//!
//! Such devices are never made here: whoever removes one, to make it anew, finds the place free.

use std::time::Duration;

use tokio::time::Instant;

use super::Instances;
use crate::frr;
use crate::peer_io::transport;

/// A device comes in steps: it is made, put on a bridge and set up.
pub(super) const SETTLE: Duration = Duration::from_millis(200);

/// Until then; for ever without a time.
pub(super) async fn until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time).await,
        None => std::future::pending().await,
    }
}

impl Instances {
    /// Takes up what has come, and lets go what is gone.
    pub(super) async fn look_for_vxlans(&mut self) {
        let running = &self.in_effect.config.vnis;
        let adopted = running.iter().filter(|vni| !vni.create);
        self.adopted.extend(adopted.map(|vni| vni.id.get()));
        let Some(sources) = &self.in_effect.frr else {
            return;
        };
        let read = match frr::parse(sources, &self.host(), transport::ao_works).1 {
            Ok((config, _)) => config,
            Err(errors) => {
                let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
                tracing::warn!(?errors, "the VXLAN devices of this host cannot be taken up");
                return;
            }
        };
        let before = &self.in_effect.config;
        if (&before.vnis, before.evpn) == (&read.vnis, read.evpn) {
            return;
        }
        let mut new = before.clone();
        (new.vnis, new.evpn) = (read.vnis, read.evpn);
        match self.take(new, false).await {
            Ok(done) => {
                let changes = done.changes;
                tracing::info!(?changes, "the VXLAN devices of this host have changed");
            }
            Err(error) => {
                let why = [&[error.error.clone()][..], &error.details].concat();
                tracing::warn!(?why, "the VXLAN devices of this host cannot be taken up");
            }
        }
    }
}
