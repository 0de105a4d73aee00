//! Waiting for a condition instead of sleeping.

use std::fmt::Display;
use std::time::{Duration, Instant};

/// Between two looks. Short against everything the lab measures, long against the cost of a look.
const POLL: Duration = Duration::from_millis(20);

/// A condition was not met in time.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}: not within {limit_s} s; last seen: {last_seen}")]
pub struct Timeout {
    /// What was waited for.
    pub what: String,
    /// How long, in whole seconds.
    pub limit_s: u64,
    /// What the last look showed instead.
    pub last_seen: String,
}

/// The answer of one look at a condition.
pub trait Seen {
    /// `Ok` when the condition holds, otherwise what was seen.
    fn seen(self) -> Result<(), String>;
}

impl Seen for bool {
    fn seen(self) -> Result<(), String> {
        if self {
            Ok(())
        } else {
            Err("not yet".to_owned())
        }
    }
}

impl<E: Display> Seen for Result<(), E> {
    fn seen(self) -> Result<(), String> {
        self.map_err(|error| error.to_string())
    }
}

/// Looks every 20 ms until the condition holds and returns how long that took.
///
/// ```
/// use conformance::lab::wait_until;
/// use std::time::{Duration, Instant};
///
/// let start = Instant::now();
/// let waited = wait_until("50 ms are over", Duration::from_secs(5), || {
///     start.elapsed() > Duration::from_millis(50)
/// });
/// assert!(waited.is_ok_and(|d| d >= Duration::from_millis(40)));
/// ```
pub fn wait_until<S: Seen>(
    what: &str,
    limit: Duration,
    mut condition: impl FnMut() -> S,
) -> Result<Duration, Timeout> {
    let start = Instant::now();
    loop {
        let last_seen = match condition().seen() {
            Ok(()) => return Ok(start.elapsed()),
            Err(seen) => seen,
        };
        if start.elapsed() >= limit {
            return Err(Timeout {
                what: what.to_owned(),
                limit_s: limit.as_secs(),
                last_seen,
            });
        }
        std::thread::sleep(POLL);
    }
}
