//! What neighbours are told in the place of MEDs, and until when.
//!
//! The time after a start begins with the first session, as nobody has been told anything before.

use std::time::{Duration, Instant};

use bgp::rib::PeerId;

use super::Core;
use crate::config;
use crate::control::reply;

/// Where it stands.
#[derive(Debug, Default)]
pub(super) struct MaxMed {
    /// When the first session of this start came up.
    begun: Option<Instant>,
    /// What neighbours are told now.
    told: Option<u32>,
}

impl MaxMed {
    /// What neighbours are told.
    pub(super) fn told(&self) -> Option<u32> {
        self.told
    }

    /// When the time after the start is over.
    fn over(&self, wanted: config::MaxMed) -> Option<Instant> {
        Some(self.begun? + wanted.on_startup?.time)
    }

    /// What they are to be told.
    fn due(&self, wanted: config::MaxMed, now: Instant) -> Option<u32> {
        let lasts = self.over(wanted).is_some_and(|over| now < over);
        let startup = wanted.on_startup.filter(|_| lasts);
        wanted.always.or(startup.map(|startup| startup.med))
    }

    /// How much of the time after the start is left.
    pub(super) fn left(&self, wanted: config::MaxMed, now: Instant) -> Option<Duration> {
        let left = self.over(wanted)?.saturating_duration_since(now);
        Some(left).filter(|left| !left.is_zero())
    }

    /// When they are told something else.
    fn deadline(&self, wanted: config::MaxMed) -> Option<Instant> {
        let waits = wanted.always.is_none() && self.told.is_some();
        self.over(wanted).filter(|_| waits)
    }

    /// Takes in what is due; true if that is news.
    fn follow(&mut self, wanted: config::MaxMed, now: Instant) -> bool {
        let due = self.due(wanted, now);
        std::mem::replace(&mut self.told, due) != due
    }
}

impl Core {
    /// A session comes up, and is to be told what is due.
    pub(super) fn begin_max_med(&mut self) {
        self.max_med.begun.get_or_insert_with(Instant::now);
        self.follow_max_med();
    }

    /// Neighbours are told what is due by configuration and time.
    pub(super) fn follow_max_med(&mut self) {
        if !self.max_med.follow(self.config.max_med, Instant::now()) {
            return;
        }
        match self.max_med.told() {
            Some(med) => tracing::info!(med, "neighbors are told this MED with every route"),
            None => tracing::info!("neighbors are told the MEDs of routes again"),
        }
        let up = self
            .neighbors
            .iter()
            .filter(|(_, neighbor)| neighbor.is_up());
        let up: Vec<PeerId> = up.map(|(id, _)| *id).collect();
        for peer in up {
            self.reconfigure_peer(peer);
        }
    }

    pub(super) fn max_med_status(&self) -> Option<reply::MaxMed> {
        let wanted = self.config.max_med;
        let left = self.max_med.left(wanted, Instant::now());
        self.max_med.told().map(|med| reply::MaxMed {
            med,
            always: wanted.always.is_some(),
            startup_left_s: left.map(|left| left.as_secs()),
        })
    }

    /// The same for people.
    pub(super) fn max_med_line(&self) -> Option<String> {
        let status = self.max_med_status()?;
        let until = match (status.always, status.startup_left_s) {
            (true, _) => "as long as `max_med` says so".to_owned(),
            (false, left) => format!("for another {} s (`max_med_on_startup`)", left.unwrap_or(0)),
        };
        Some(format!(
            "neighbors are told MED {} with every route, {until}: traffic comes by other ways where there are any",
            status.med
        ))
    }

    pub(super) fn max_med_deadline(&self) -> Option<Instant> {
        self.max_med.deadline(self.config.max_med)
    }

    pub(super) fn max_med_timeout(&mut self, now: Instant) {
        if self
            .max_med_deadline()
            .is_some_and(|deadline| deadline <= now)
        {
            self.follow_max_med();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::StartupMed;

    const MINUTE: Duration = Duration::from_secs(60);

    fn on_startup(always: Option<u32>) -> config::MaxMed {
        config::MaxMed {
            always,
            on_startup: Some(StartupMed {
                time: MINUTE,
                med: 7,
            }),
        }
    }

    #[test]
    fn the_time_after_a_start_begins_with_the_first_session_and_ends_by_itself() {
        let start = Instant::now();
        let mut state = MaxMed::default();
        let wanted = on_startup(None);
        assert!(!state.follow(wanted, start));
        assert_eq!((state.told(), state.deadline(wanted)), (None, None));
        let begun = start + 3 * MINUTE;
        state.begun = Some(begun);
        assert!(state.follow(wanted, begun));
        assert_eq!(state.told(), Some(7));
        assert_eq!(state.deadline(wanted), Some(begun + MINUTE));
        assert_eq!(state.left(wanted, begun), Some(MINUTE));
        assert!(!state.follow(wanted, begun + MINUTE / 2));
        assert!(state.follow(wanted, begun + MINUTE));
        assert_eq!((state.told(), state.deadline(wanted)), (None, None));
        assert_eq!(state.left(wanted, begun + MINUTE), None);
        // A longer time that comes later counts from there, too.
        let longer = config::MaxMed {
            always: None,
            on_startup: Some(StartupMed {
                time: 10 * MINUTE,
                med: 8,
            }),
        };
        assert!(state.follow(longer, begun + 2 * MINUTE));
        assert_eq!(state.told(), Some(8));
    }

    #[test]
    fn what_is_told_at_all_times_goes_before_the_time_after_a_start() {
        let now = Instant::now();
        let mut state = MaxMed::default();
        assert!(state.follow(on_startup(Some(9)), now));
        state.begun = Some(now);
        assert!(!state.follow(on_startup(Some(9)), now));
        assert_eq!(state.deadline(on_startup(Some(9))), None);
        assert!(state.follow(on_startup(None), now));
        assert_eq!(state.told(), Some(7));
        assert!(state.follow(config::MaxMed::default(), now));
        assert_eq!(state.told(), None);
    }
}
