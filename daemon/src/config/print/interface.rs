//! Devices of the host, as keys with values.

use fib::OwnAddress;

use super::{Fields, inline, quote};
use crate::config::types::HostInterface;

pub(in crate::config) fn host_interface_fields(interface: &HostInterface) -> Fields {
    let mut fields = Fields::default();
    fields.add("name", quote(&interface.name));
    if let Some(description) = &interface.description {
        fields.add("description", quote(description));
    }
    if let Some(up) = interface.up {
        fields.add("up", up);
    }
    if !interface.addresses.is_empty() {
        let addresses: Vec<String> = interface.addresses.iter().map(address).collect();
        fields.add("addresses", format!("[{}]", addresses.join(", ")));
    }
    fields
}

/// A text where that says everything, else a table.
fn address(own: &OwnAddress) -> String {
    if (&own.peer, &own.label) == (&None, &None) {
        return quote(own.address);
    }
    let mut fields = Fields::default();
    fields.add("address", quote(own.address));
    if let Some(peer) = own.peer {
        fields.add("peer", quote(peer));
    }
    if let Some(label) = &own.label {
        fields.add("label", quote(label));
    }
    inline(&fields)
}
