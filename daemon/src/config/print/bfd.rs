//! BFD as it is written.
//!
//! Profiles are in the sessions already, as groups are in neighbours; secrets are stood in for.

use bfd::Authentication;

use super::{Fields, inline, quote, quote_duration};
use crate::config::types::*;

/// `[[bfd]]`.
pub(in crate::config) fn peer_fields(peer: &BfdPeer, vrf: Option<&str>) -> Fields {
    let path = &peer.path;
    let mut fields = Fields::default();
    fields.add("peer", quote(path.peer));
    if let Some(local) = path.local {
        fields.add("local", quote(local));
    }
    if let Some(interface) = &path.interface {
        fields.add("interface", quote(interface));
    }
    if let Some(own) = path.vrf.as_deref().filter(|own| Some(*own) != vrf) {
        fields.add("vrf", quote(own));
    }
    add(&mut fields, &peer.settings, false);
    fields
}

/// What stands in a table of a session. `far` is what its place says of `multihop`.
pub(in crate::config) fn settings(bfd: &Bfd, far: bool) -> Fields {
    let mut fields = Fields::default();
    add(&mut fields, bfd, far);
    fields
}

fn add(fields: &mut Fields, bfd: &Bfd, far: bool) {
    let default = Bfd::default();
    let usual = quote_duration(default.transmit_interval);
    let [transmit, receive] = [bfd.transmit_interval, bfd.receive_interval].map(quote_duration);
    match transmit == receive {
        true => fields.add_unless_default("interval", transmit, usual),
        false => {
            fields.add_unless_default("transmit_interval", transmit, usual.clone());
            fields.add_unless_default("receive_interval", receive, usual);
        }
    }
    fields.add_unless_default("multiplier", bfd.multiplier, default.multiplier);
    fields.add_unless_default("multihop", bfd.multihop, far);
    if bfd.multihop {
        fields.add_unless_default("min_ttl", bfd.min_ttl, Bfd::MIN_TTL);
    }
    if let Some(interval) = bfd.echo {
        fields.add("echo", true);
        let usual = quote_duration(Bfd::ECHO);
        let interval = quote_duration(interval);
        fields.add_unless_default("echo_transmit_interval", interval, usual);
    }
    if let Some(interval) = bfd.echo_receive {
        fields.add("echo_receive_interval", quote_duration(interval));
    }
    fields.add_unless_default("passive", bfd.passive, false);
    fields.add_unless_default("shutdown", bfd.shutdown, false);
    fields.add_unless_default("strict", bfd.strict, false);
    if let Some(authentication) = &bfd.authentication {
        fields.add("authentication", inline(&signed(authentication)));
    }
}

fn signed(authentication: &Authentication) -> Fields {
    let keys = authentication.key_ids().map(|id| {
        let mut key = Fields::default();
        key.add("id", id);
        key.add("secret", quote(Password::HIDDEN));
        inline(&key)
    });
    let keys = keys.collect::<Vec<_>>().join(", ");
    let mut fields = Fields::default();
    fields.add("method", quote(authentication.method().word()));
    fields.add("keys", format!("[{keys}]"));
    fields
}
