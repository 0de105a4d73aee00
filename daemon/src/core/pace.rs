//! When the tables are asked what follows from what was taken.
//!
//! At once, as long as others have not heard of the prefixes yet: the first route of a million is
//! passed on before the last has come. The more keeps coming the more is taken before, since what
//! follows is packed better then. Where a part of what would be told ([`AGAIN`]) takes the place of
//! what was told a moment ago, as when several neighbours send the same table at the same time,
//! more is taken for [`PAUSE`] first: with ten of them each prefix was told two to three times,
//! which is a quarter of all work. News of sessions, of the kernel and of operators end the wait.
//!
//! No clock and no table in here: both come as arguments.

use std::time::{Duration, Instant};

use bgp::rib::News;

/// Routes taken before the tables are asked what follows: a millisecond of work or less.
const ROUTES_FIRST: usize = 1024;

/// The same while routes keep coming, to which it doubles.
const ROUTES_BUSY: usize = 32 * 1024;

/// Between telling of a prefix and telling that its best path was replaced, while many are.
const PAUSE: Duration = Duration::from_millis(50);

/// One in so many that is replaced says that the others will be, too.
const AGAIN: usize = 8;

/// How much is taken, and whether to wait for more.
#[derive(Debug)]
pub(super) struct Pace {
    routes_max: usize,
    taken: usize,
    news: News,
    /// Something else than routes has come.
    urgent: bool,
    told: Option<Instant>,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            routes_max: ROUTES_FIRST,
            taken: 0,
            news: News::default(),
            urgent: false,
            told: None,
        }
    }
}

impl Pace {
    /// Routes have come.
    pub(super) fn routes(&mut self, count: usize) {
        self.taken += count;
    }

    /// Something else has come that may change what is told.
    pub(super) fn urgent(&mut self) {
        self.urgent = true;
    }

    /// The tables have more to tell than was passed on: as little as possible is taken beside that, or
    /// what waits to be told grows with the whole table.
    pub(super) fn behind(&mut self) {
        self.routes_max = ROUTES_FIRST;
    }

    /// Enough was taken for now.
    pub(super) fn is_full(&self) -> bool {
        self.taken > self.routes_max
    }

    /// Inputs were taken, as many as there were or, if `full`, as many as are taken at a time: until
    /// when to take more before the tables are asked. `None` is now.
    pub(super) fn until(&mut self, full: bool, news: News, now: Instant) -> Option<Instant> {
        self.taken = 0;
        self.routes_max = match full {
            true => (self.routes_max * 2).min(ROUTES_BUSY),
            false => ROUTES_FIRST,
        };
        self.news = self.news + news;
        let again = self.news.replaced * AGAIN > self.news.fresh;
        let until = self.told? + PAUSE;
        (again && !self.urgent && now < until).then_some(until)
    }

    /// All that follows was told.
    pub(super) fn told(&mut self, now: Instant) {
        self.told = Some(now);
        self.news = News::default();
        self.urgent = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRESH: News = News {
        fresh: AGAIN,
        replaced: 1,
    };
    const REPLACED: News = News {
        fresh: AGAIN,
        replaced: 2,
    };

    #[test]
    fn what_nobody_was_told_of_does_not_wait() {
        let mut pace = Pace::default();
        let now = Instant::now();
        assert_eq!(
            pace.until(true, REPLACED, now),
            None,
            "nothing was told yet"
        );
        pace.told(now);
        assert_eq!(pace.until(true, FRESH, now), None);
    }

    #[test]
    fn what_was_told_a_moment_ago_waits_for_the_rest_of_the_pause() {
        let mut pace = Pace::default();
        let now = Instant::now();
        pace.told(now);
        assert_eq!(pace.until(false, REPLACED, now), Some(now + PAUSE));
        let later = now + PAUSE / 2;
        assert_eq!(pace.until(true, News::default(), later), Some(now + PAUSE));
        assert_eq!(pace.until(true, News::default(), now + PAUSE), None);
        pace.told(now + PAUSE);
        assert_eq!(
            pace.until(true, News::default(), now + PAUSE),
            None,
            "nothing is new"
        );
    }

    #[test]
    fn a_lost_neighbour_waits_for_nothing() {
        let mut pace = Pace::default();
        let now = Instant::now();
        pace.told(now);
        pace.urgent();
        assert_eq!(pace.until(false, REPLACED, now), None);
        pace.told(now);
        assert_eq!(pace.until(false, REPLACED, now), Some(now + PAUSE));
    }

    #[test]
    fn while_routes_keep_coming_more_are_taken_at_a_time() {
        let mut pace = Pace::default();
        let now = Instant::now();
        let full_after = |pace: &mut Pace| {
            (1_usize..).find(|_| {
                pace.routes(1);
                pace.is_full()
            })
        };
        assert_eq!(full_after(&mut pace), Some(ROUTES_FIRST + 1));
        pace.until(true, FRESH, now);
        assert_eq!(full_after(&mut pace), Some(2 * ROUTES_FIRST + 1));
        for _ in 0..9 {
            pace.until(true, FRESH, now);
        }
        assert_eq!(full_after(&mut pace), Some(ROUTES_BUSY + 1));
        pace.until(true, FRESH, now);
        pace.behind();
        assert_eq!(full_after(&mut pace), Some(ROUTES_FIRST + 1));
        pace.until(true, FRESH, now);
        assert_eq!(full_after(&mut pace), Some(2 * ROUTES_FIRST + 1));
        pace.until(false, FRESH, now);
        assert_eq!(full_after(&mut pace), Some(ROUTES_FIRST + 1));
    }
}
