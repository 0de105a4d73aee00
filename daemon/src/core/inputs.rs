//! What the core reads, and what goes before what.
//!
//! Orders, requests and the clock go first, then what neighbours took and what the kernel says, and
//! last what neighbours send: however much that is, it holds nothing else up.

use std::time::Instant;

use bgp::rib::PeerId;
use tokio::sync::mpsc;

use super::Order;
use crate::control::Call;
use crate::exchange::{Inbox, Mail};
use crate::peer_io::Event;
use crate::snoop::Sighting;
use crate::statics::PathNews;

/// Events of all neighbours together, each a change of state or a `session::Output::Updates`:
/// enough that a neighbour's task is reading while the tables work, few enough that little memory
/// waits here. With three times as many 200,000 EVPN routes had a megabyte more at their peak, and
/// nothing was sooner done.
pub(crate) const EVENTS_MAX: usize = 8;

/// Kernel events in one queue. The kernel thread waits when it is full, and then reads its own
/// socket later; an overrun there is repaired by a new dump. One event may name a batch of routes,
/// which makes this a megabyte.
pub(crate) const KERNEL_EVENTS_MAX: usize = 128;

/// What the core reads.
#[derive(Debug)]
pub(crate) struct Inputs {
    pub(crate) events: mpsc::Receiver<(PeerId, Event)>,
    pub(crate) written: mpsc::UnboundedReceiver<(PeerId, usize)>,
    pub(crate) kernel: mpsc::Receiver<fib::Event>,
    pub(crate) sightings: mpsc::Receiver<Vec<Sighting>>,
    pub(crate) calls: mpsc::Receiver<Call>,
    pub(crate) orders: mpsc::Receiver<Order>,
    /// Routes of other tables of this router.
    pub(crate) inbox: Inbox,
}

/// What woke the core.
pub(super) enum Wake {
    Event(PeerId, Event),
    Written(PeerId, usize),
    Kernel(fib::Event),
    Exchange(Mail),
    Sighted(Vec<Sighting>),
    Call(Call),
    Order(Order),
    /// BFD with a static route's router went up or down.
    Path,
    Deadline,
    /// The tables have more to say.
    More,
    /// Everybody who could ask is gone.
    End,
}

impl Inputs {
    /// Waits for the next input. Operators and the clock come first, then what frees memory, then
    /// what adds to it.
    pub(super) async fn next(
        &mut self,
        paths: &mut PathNews,
        deadline: Option<Instant>,
        more: bool,
    ) -> Wake {
        tokio::select! {
            biased;
            order = self.orders.recv() => order.map_or(Wake::End, Wake::Order),
            Some(call) = self.calls.recv() => Wake::Call(call),
            Ok(()) = paths.changed() => Wake::Path,
            () = sleep_until(deadline) => Wake::Deadline,
            Some((peer, octets)) = self.written.recv() => Wake::Written(peer, octets),
            Some(sightings) = self.sightings.recv() => Wake::Sighted(sightings),
            Some(event) = self.kernel.recv() => Wake::Kernel(event),
            () = self.inbox.filled() => Wake::Exchange(self.inbox.take()),
            Some((peer, event)) = self.events.recv() => Wake::Event(peer, event),
            () = std::future::ready(()), if more => Wake::More,
        }
    }

    /// The next input that is already there.
    pub(super) fn ready(&mut self) -> Option<Wake> {
        if let Ok((peer, octets)) = self.written.try_recv() {
            return Some(Wake::Written(peer, octets));
        }
        if let Ok(sightings) = self.sightings.try_recv() {
            return Some(Wake::Sighted(sightings));
        }
        if let Ok(event) = self.kernel.try_recv() {
            return Some(Wake::Kernel(event));
        }
        let event = self.events.try_recv().ok();
        event.map(|(peer, event)| Wake::Event(peer, event))
    }
}

async fn sleep_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}
