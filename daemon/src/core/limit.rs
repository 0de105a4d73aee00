//! How many prefixes a neighbour may send.
//!
//! After each read of a neighbour's messages its numbers in the tables are held against
//! [`MaximumPrefixes`]: near the limit there is one warning in the log and a notice in `show
//! summary`, beyond it the session ends with Cease/1 (RFC 4486 §4) unless only a warning is asked
//! for. What the neighbour has sent between the order to end and the end is not taken in. When it
//! may come back is the session's business.
//!
//! How many prefixes a neighbour is told has a limit too. The tables keep it ([`bgp::rib`]); here it
//! is said, once in a session.

use bgp::family::{Family, PerFamily};
use bgp::rib::PeerId;
use bgp::session::StopReason;

use super::Core;
use super::neighbor::Neighbor;
use crate::config::{MaximumAction, MaximumPrefixes, PrefixCount};
use crate::peer_io::Command;

/// Where a neighbour's numbers stand in this session.
#[derive(Debug, Default)]
pub(super) struct Limits {
    /// What was said last of a family.
    said: PerFamily<Level>,
    /// In a family there was more to tell than allowed, and that was said.
    said_out: PerFamily<bool>,
    /// The session is about to end, and what still comes of it is of no interest.
    pub(super) ending: bool,
}

/// How far a number is from its limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) enum Level {
    #[default]
    Far,
    Near,
    Over,
}

/// What counts, and where it stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tally {
    pub(super) maximum: MaximumPrefixes,
    pub(super) count: usize,
    pub(super) level: Level,
}

impl Core {
    /// Where a neighbour stands in a family, if there is a limit and a session.
    pub(super) fn tally(&self, id: PeerId, neighbor: &Neighbor, family: Family) -> Option<Tally> {
        let maximum = neighbor
            .config
            .families
            .get(family)
            .as_ref()?
            .maximum_prefixes?;
        let (received, accepted) = self.rib.intake(id, family);
        let count = match maximum.count {
            PrefixCount::Received => received,
            PrefixCount::Accepted => accepted,
        };
        let level = if maximum.is_over(count) {
            Level::Over
        } else if maximum.is_near(count) {
            Level::Near
        } else {
            Level::Far
        };
        Some(Tally {
            maximum,
            count,
            level,
        })
    }

    /// Warns of a neighbour that sends many prefixes, and ends its session when it sends too many.
    pub(super) fn check_limits(&mut self, id: PeerId) {
        let Some(neighbor) = self.neighbors.get(&id).filter(|it| it.is_up()) else {
            return;
        };
        let mut reached = PerFamily::<Level>::default();
        let mut stop = None;
        for family in Family::ALL {
            let Some(tally) = self.tally(id, neighbor, family) else {
                continue;
            };
            *reached.get_mut(family) = tally.level;
            if tally.level > *neighbor.limits.said.get(family) {
                tracing::warn!(
                    neighbor = %neighbor.address(),
                    %family,
                    prefixes = tally.count,
                    maximum = tally.maximum.limit,
                    "{}",
                    match tally.level {
                        Level::Over => "more prefixes than allowed",
                        Level::Far | Level::Near => "nearly as many prefixes as allowed",
                    }
                );
            }
            if tally.level == Level::Over {
                stop = stop.or_else(|| stop_reason(family, &tally.maximum));
            }
        }
        let Some(neighbor) = self.neighbors.get_mut(&id) else {
            return;
        };
        neighbor.limits.said = reached;
        if let Some(reason) = stop.filter(|_| !neighbor.limits.ending) {
            neighbor.limits.ending = true;
            neighbor.command(Command::Stop(reason));
        }
    }
}

impl Core {
    /// There is more to tell a neighbour than allowed, or there is room for all again. It is said
    /// once in a session: at the edge of a limit it would be said with every route.
    pub(super) fn limit_out(&mut self, id: PeerId, family: Family, reached: bool) {
        let Some((limit, beyond)) = self.rib.limit_out(id, family) else {
            return;
        };
        let Some(neighbor) = self.neighbors.get_mut(&id) else {
            return;
        };
        if reached && !std::mem::replace(neighbor.limits.said_out.get_mut(family), true) {
            tracing::warn!(
                neighbor = %neighbor.address(),
                %family,
                maximum_prefixes_out = limit,
                not_told = beyond,
                "there are more prefixes than the neighbor is to be told: our own and the lowest \
                 ones are; filter with `export` or raise maximum_prefixes_out"
            );
        }
    }
}

fn stop_reason(family: Family, maximum: &MaximumPrefixes) -> Option<StopReason> {
    let restart_after = match maximum.action {
        MaximumAction::Warn => return None,
        MaximumAction::Stop => None,
        MaximumAction::Restart(time) => Some(time),
    };
    Some(StopReason::MaximumPrefixes {
        family,
        limit: maximum.limit,
        restart_after,
    })
}
