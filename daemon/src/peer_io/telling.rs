//! What passes between us and a neighbour, as debug messages: messages by type, and UPDATEs route by route.
//!
//! Nothing here is done unless somebody asks for it ([`crate::debug`]). What was sent is decoded from the octets
//! themselves, so that what is told is what the neighbour reads.

use bgp::message::{Message, Update};
use bgp::nlri::NlriList;
use bgp::rib::Batch;
use bgp::session::{Counters, Messages};
use bgp::wire::{self, Context};
use bgp::{Attributes, ScopedAddr};
use bytes::BytesMut;
use tracing::Level;

use super::PeerTask;
use crate::control::message_json;
use crate::debug;

/// Tells which messages came and went since `before`.
pub(super) fn messages(neighbor: ScopedAddr, before: &Counters, now: &Counters) {
    direction(neighbor, "received", &before.received, &now.received);
    direction(neighbor, "sent", &before.sent, &now.sent);
}

fn direction(neighbor: ScopedAddr, way: &str, before: &Messages, now: &Messages) {
    if now.keepalives > before.keepalives {
        tracing::debug!(target: debug::BGP_KEEPALIVES, %neighbor, way, "KEEPALIVE");
    }
    let others = [
        ("OPEN", before.opens, now.opens),
        ("NOTIFICATION", before.notifications, now.notifications),
        ("ROUTE-REFRESH", before.refreshes, now.refreshes),
    ];
    for (kind, before, now) in others {
        if now > before {
            tracing::debug!(target: debug::BGP_NEIGHBOR_EVENTS, %neighbor, way, kind, "message");
        }
    }
}

/// Tells each route of a message. Where a message of the log goes to has to be known to the compiler, hence no
/// function.
macro_rules! tell {
    ($target:expr, $neighbor:ident, $update:expr, $what:literal) => {{
        let (neighbor, update): (_, &Update) = ($neighbor, $update);
        let routes = update.len();
        tracing::debug!(target: $target, %neighbor, routes, $what);
        each(update, |said| match said {
            Said::Withdrawn(prefix) => {
                tracing::debug!(target: $target, %neighbor, %prefix, "withdrawn");
            }
            Said::Announced(prefix, set) => {
                let attributes = message_json::attributes(&set.thaw());
                tracing::debug!(target: $target, %neighbor, %prefix, %attributes, "announced");
            }
            Said::End(family) => {
                tracing::debug!(target: $target, %neighbor, family, "End-of-RIB");
            }
            Said::Wrong(error) => {
                tracing::debug!(target: $target, %neighbor, error, "mistake");
            }
        });
    }};
}

/// Tells each route of what was received.
pub(super) fn received(neighbor: ScopedAddr, updates: &[Update]) {
    if !tracing::enabled!(target: debug::BGP_UPDATES_IN, Level::DEBUG) {
        return;
    }
    for update in updates {
        tell!(debug::BGP_UPDATES_IN, neighbor, update, "UPDATE received");
    }
}

impl PeerTask {
    /// Tells each route of what is about to be sent.
    pub(super) fn tell_batch(&self, batch: &Batch) {
        let neighbor = self.remote.address;
        if batch.messages(self.id) == 0 {
            return;
        }
        tracing::debug!(
            target: debug::BGP_UPDATE_GROUPS,
            %neighbor,
            messages = batch.messages(self.id),
            octets = batch.len(),
            "messages of its update group"
        );
        if !tracing::enabled!(target: debug::BGP_UPDATES_OUT, Level::DEBUG) {
            return;
        }
        let Some(negotiated) = self.session.negotiated() else {
            return;
        };
        let usual = negotiated.wire_context(0);
        let context = Context {
            add_path: negotiated.add_path_sent(),
            // Ours are told LOCAL_PREF by us; whether they may is not looked at here.
            external: false,
            ..usual
        };
        for piece in batch.pieces(self.id) {
            let mut rest = BytesMut::from(&*piece);
            while let Ok(Some(frame)) = wire::frame(&mut rest, context.message_len_max()) {
                if let Ok(Message::Update(update)) = wire::decode(&frame, &context) {
                    tell!(debug::BGP_UPDATES_OUT, neighbor, &update, "UPDATE sent");
                }
            }
        }
    }
}

/// Something that an UPDATE says.
enum Said<'u> {
    Withdrawn(String),
    Announced(String, &'u Attributes),
    End(&'static str),
    Wrong(String),
}

fn each(update: &Update, mut say: impl FnMut(Said<'_>)) {
    for list in &update.withdrawn {
        keys(list).for_each(|key| say(Said::Withdrawn(key)));
    }
    for (list, set) in &update.announced {
        keys(list).for_each(|key| say(Said::Announced(key, set)));
    }
    if let Some(family) = update.end_of_rib {
        say(Said::End(family.name()));
    }
    for error in &update.errors {
        say(Said::Wrong(error.to_string()));
    }
}

/// Routes of a list, as they are written.
fn keys(list: &NlriList) -> Box<dyn Iterator<Item = String> + '_> {
    match list {
        NlriList::V4(list) => Box::new(list.iter().map(|(_, prefix)| prefix.to_string())),
        NlriList::V6(list) => Box::new(list.iter().map(|(_, prefix)| prefix.to_string())),
        NlriList::Evpn(list) => Box::new(list.iter().map(|(_, key)| key.to_string())),
    }
}
