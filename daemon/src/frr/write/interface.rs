//! `interface` and forwarding, as TOML.

use crate::frr::model::{Family, InterfaceAddress, Put, quote};

use super::Whole;

impl Whole<'_> {
    /// Among the keys outside of tables.
    pub(super) fn forwarding(&mut self) {
        for (family, key) in [
            (Family::Ipv4, "kernel.ipv4_forwarding"),
            (Family::Ipv6, "kernel.ipv6_forwarding"),
        ] {
            if let Some(switch) = self.site.forwarding.of(family) {
                let line = format!("{key} = {}", switch.on);
                self.toml.line(switch.spot, &line);
            }
        }
        if let Some(put) = &self.site.nexthop_objects {
            self.toml.value("kernel.nexthop_objects", put);
        }
    }

    /// Those of which anything is said.
    pub(super) fn interfaces(&mut self) {
        for (name, interface) in &self.site.interfaces {
            let (description, up) = (&interface.description, &interface.up);
            let none = description.is_none() && up.is_none() && interface.addresses.is_empty();
            if none && interface.no_link_detect.is_none() {
                continue;
            }
            let spot = interface.spot.unwrap_or_default();
            self.toml.header(spot, "[[interface]]");
            self.toml.line(spot, &format!("name = {}", quote(name)));
            if let Some(description) = description {
                self.toml.value("description", description);
            }
            if let Some(up) = up {
                self.toml.line(up.spot, &format!("up = {}", up.on));
            }
            if let Some(spot) = interface.no_link_detect {
                self.toml.line(spot, "link_detect = false");
            }
            let addresses: Vec<Put> = interface.addresses.iter().map(item).collect();
            self.toml.list("addresses", &addresses);
        }
    }
}

/// A text where that says everything, else a table.
fn item(own: &InterfaceAddress) -> Put {
    let spot = own.spot;
    let address = quote(&own.address.to_string());
    let parts = [
        own.peer
            .map(|it| format!(", peer = {}", quote(&it.to_string()))),
        own.label
            .as_ref()
            .map(|it| format!(", label = {}", quote(it))),
    ];
    let rest: String = parts.into_iter().flatten().collect();
    let text = match rest.is_empty() {
        true => address,
        false => format!("{{ address = {address}{rest} }}"),
    };
    Put { text, spot }
}
