//! Which of many alike lines are written to the log.
//!
//! A cause is said when it is new, and again after a pause as long as it goes on, with how often
//! it came meanwhile. So a neighbour that is away for a week, or sends a thousand messages with
//! the same mistake, takes a few lines and is never silent.
//!
//! It writes nothing itself and does not know what a cause is: the text of it is all that counts.
//! [`CAUSES_MAX`] bounds what is remembered; while that many are going on, others are left out.

use std::time::{Duration, Instant};

/// Causes at one time. Those of one neighbour alternate between two or three.
const CAUSES_MAX: usize = 8;

/// What was said.
#[derive(Debug)]
pub(crate) struct Repeats {
    pause: Duration,
    said: Vec<Said>,
}

#[derive(Debug)]
struct Said {
    cause: String,
    at: Instant,
    /// How often it came since, without a line.
    silent: u64,
}

impl Repeats {
    /// Says the same cause again after `pause`.
    pub(crate) fn new(pause: Duration) -> Self {
        Self {
            pause,
            said: Vec::new(),
        }
    }

    /// Whether a line is due: then how often the same was passed over since the last one.
    pub(crate) fn say(&mut self, now: Instant, cause: &str) -> Option<u64> {
        let fresh = |said: &Said, pause| now.saturating_duration_since(said.at) < pause;
        if let Some(said) = self.said.iter_mut().find(|said| said.cause == cause) {
            said.silent += 1;
            if fresh(said, self.pause) {
                return None;
            }
            said.at = now;
            return Some(std::mem::take(&mut said.silent));
        }
        if self.said.len() >= CAUSES_MAX {
            let pause = self.pause;
            self.said.retain(|said| fresh(said, pause));
        }
        if self.said.len() >= CAUSES_MAX {
            return None;
        }
        self.said.push(Said {
            cause: cause.to_owned(),
            at: now,
            silent: 0,
        });
        Some(0)
    }

    /// All is well: whatever comes next is new.
    pub(crate) fn forget(&mut self) {
        self.said.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_secs(600);

    #[test]
    fn a_cause_is_said_when_it_is_new_and_after_each_pause() {
        let start = Instant::now();
        let mut repeats = Repeats::new(PAUSE);
        assert_eq!(repeats.say(start, "refused"), Some(0));
        for second in 1..600 {
            let at = start + Duration::from_secs(second);
            assert_eq!(repeats.say(at, "refused"), None, "{second}");
        }
        assert_eq!(repeats.say(start + PAUSE, "refused"), Some(600));
        assert_eq!(repeats.say(start + PAUSE, "refused"), None);
    }

    #[test]
    fn causes_that_take_turns_are_said_once_each() {
        let start = Instant::now();
        let mut repeats = Repeats::new(PAUSE);
        let lines = (0..100)
            .filter(|turn| {
                let cause = ["refused", "wrong AS"][turn % 2];
                repeats.say(start, cause).is_some()
            })
            .count();
        assert_eq!(lines, 2);
        repeats.forget();
        assert_eq!(repeats.say(start, "refused"), Some(0));
    }

    #[test]
    fn causes_without_end_are_bounded_within_a_pause() {
        let start = Instant::now();
        let mut repeats = Repeats::new(PAUSE);
        let mut lines = |at| {
            (0..1000)
                .filter(|number| repeats.say(at, &format!("{number} at {at:?}")).is_some())
                .count()
        };
        assert_eq!(lines(start), CAUSES_MAX);
        assert_eq!(lines(start + PAUSE), CAUSES_MAX);
        assert!(repeats.said.len() <= CAUSES_MAX);
    }
}
