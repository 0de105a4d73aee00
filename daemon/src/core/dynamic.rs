//! Neighbours that come by themselves: from a network that `[[listen_range]]` names.
//!
//! The listener tells of a connection from such a network when its address is no neighbour yet.
//! If the range has room, a neighbour is made of the range's settings; it waits for connections
//! and never connects. When it has no connection left it is removed, unless the tables still keep
//! its routes over a graceful restart, or it rests for too many prefixes: forgotten, it could
//! come back at once. What a reload says of a range goes for all neighbours from it.

use std::collections::BTreeMap;

use bgp::family::Family;
use bgp::rib::PeerId;
use bgp::session::{State, StopReason};
use bgp::{Prefix, ScopedAddr};
use tokio::net::TcpStream;

use super::Core;
use super::neighbor::Origin;
use crate::config::{Config, ListenRange};
use crate::peer_io::Command;

/// Connections that found their range full, since the start.
pub(super) type Refused = BTreeMap<Prefix, u64>;

impl Core {
    /// Puts the ranges of the configuration to work, once the sessions begin.
    pub(super) fn begin_ranges(&self) {
        self.tell_ranges();
    }

    /// The ranges of a new configuration, once its neighbours are there.
    pub(super) fn apply_ranges(&mut self, old: &Config, new: &Config) {
        let same = |range: &ListenRange, others: &Config| {
            others
                .listen_ranges
                .iter()
                .any(|it| it.prefix == range.prefix)
        };
        for range in old.listen_ranges.iter().filter(|range| !same(range, new)) {
            self.refused.remove(&range.prefix);
        }
        let dynamic: Vec<(PeerId, ScopedAddr)> = self
            .neighbors
            .iter()
            .filter(|(_, neighbor)| neighbor.range().is_some())
            .map(|(id, neighbor)| (*id, neighbor.address()))
            .collect();
        for (id, address) in dynamic {
            match new.listen_range(address).filter(|it| !it.settings.shutdown) {
                Some(range) => {
                    let origin = Origin::Range(range.prefix);
                    self.change_neighbor(id, range.neighbor(address), origin, old);
                }
                None => self.remove_neighbor(address),
            }
        }
        self.tell_ranges();
    }

    fn tell_ranges(&self) {
        let ranges = self.config.listen_ranges.iter();
        let open = ranges.filter(|range| !range.settings.shutdown);
        let prefixes = open.map(|range| range.prefix).collect();
        self.hands.spawner.admit(prefixes);
    }

    /// Somebody has connected from a range.
    pub(super) fn come(&mut self, address: ScopedAddr, stream: TcpStream) {
        if let Some(neighbor) = self
            .by_address
            .get(&address)
            .and_then(|it| self.neighbors.get(it))
        {
            neighbor.command(Command::Accepted(stream));
            return;
        }
        // A reload may have taken the range away, and a service that stops takes nobody in.
        let Some(range) = self.config.listen_range(address).cloned() else {
            return;
        };
        if range.settings.shutdown || self.stopping.is_some() {
            return;
        }
        if self.of_range(range.prefix) >= usize::from(range.limit) {
            let refused = self.refused.entry(range.prefix).or_default();
            if *refused == 0 {
                tracing::warn!(
                    %address,
                    range = %range.prefix,
                    limit = range.limit,
                    "connection refused: the listen range has as many neighbors as allowed"
                );
            }
            *refused = refused.saturating_add(1);
            return;
        }
        tracing::info!(neighbor = %address, range = %range.prefix, "neighbor from a listen range");
        self.add_neighbor(range.neighbor(address), Origin::Range(range.prefix));
        if let Some(neighbor) = self
            .by_address
            .get(&address)
            .and_then(|it| self.neighbors.get(it))
        {
            neighbor.command(Command::Accepted(stream));
        }
    }

    /// How many neighbours have come from a range.
    pub(super) fn of_range(&self, prefix: Prefix) -> usize {
        let neighbors = self.neighbors.values();
        neighbors.filter(|it| it.range() == Some(prefix)).count()
    }

    /// A neighbour has no connection any more, or its kept routes are gone.
    pub(super) fn leave(&mut self, id: PeerId) {
        let Some(neighbor) = self.neighbors.get(&id) else {
            return;
        };
        let status = neighbor.status();
        let connected = match status.state {
            State::Idle | State::Connect | State::Active => neighbor.is_up(),
            State::OpenSent | State::OpenConfirm | State::Established => true,
        };
        let rests = matches!(status.stopped, Some(StopReason::MaximumPrefixes { .. }));
        let kept = Family::ALL
            .into_iter()
            .any(|family| self.rib.stale(id, family) > 0);
        if neighbor.range().is_none() || connected || rests || kept {
            return;
        }
        let address = neighbor.address();
        tracing::info!(neighbor = %address, "neighbor from a listen range has gone");
        self.remove_neighbor(address);
    }

    /// Ranges that turn connections away, with the next step.
    pub(super) fn range_notices(&self) -> impl Iterator<Item = String> {
        let ranges = self.config.listen_ranges.iter();
        ranges.filter_map(|range| {
            let count = self.of_range(range.prefix);
            let refused = self.refused.get(&range.prefix).copied().unwrap_or(0);
            (count >= usize::from(range.limit)).then(|| {
                format!(
                    "listen range {}: full with {count} neighbors, {refused} connections refused \
                     since the start; raise limit",
                    range.prefix
                )
            })
        })
    }
}
