//! Devices of the host: what they are to have, whoever makes them.

use fib::{Addressing, OwnAddress};

/// A device of the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostInterface {
    /// Its name.
    pub name: String,
    /// What operators call it. Shown, and told to nobody.
    pub description: Option<String>,
    /// Whether it is up; `None` is as the host has it, and up for its addresses.
    pub up: Option<bool>,
    /// Without carrier it counts as down.
    pub link_detect: bool,
    /// Its addresses, none twice.
    pub addresses: Vec<OwnAddress>,
}

impl HostInterface {
    /// What the kernel's thread is asked for; `None` where there is nothing to do about the device.
    pub(crate) fn addressing(&self) -> Option<Addressing> {
        let wish = Addressing {
            addresses: self.addresses.clone(),
            up: self.up,
        };
        (wish != Addressing::default()).then_some(wish)
    }
}
