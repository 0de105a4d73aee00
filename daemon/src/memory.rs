//! Memory that is no longer used goes back to the system.
//!
//! The C library keeps freed memory for itself; after a large withdrawal that would be most of
//! the table, and after a large load the messages it came in. So once many routes have come or gone
//! and nothing did for a moment, the tables drop what they kept for the next burst, and the library
//! gives back what it holds.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::{Duration, Instant};

/// Fewer routes than this are not worth it.
const ROUTES_MIN: usize = 50_000;

/// How long nothing has to move: a large withdrawal is cleaned up after once, at its end.
const QUIET: Duration = Duration::from_secs(1);

/// Routes that came and went since memory was last given back.
#[derive(Debug, Default)]
pub(crate) struct Freed {
    came: usize,
    went: usize,
    due: Option<Instant>,
}

/// What there is to tidy up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tidy {
    /// What messages took.
    Messages,
    /// That, and what the tables kept of routes that are gone; looking for it reads all of them.
    Tables,
}

impl Freed {
    /// So many more routes came and went.
    pub(crate) fn add(&mut self, now: Instant, came: usize, went: usize) {
        if came + went > 0 {
            self.came += came;
            self.went += went;
            self.due = (self.came + self.went >= ROUTES_MIN).then_some(now + QUIET);
        }
    }

    /// When to call [`Freed::take_due`].
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.due
    }

    /// What is to be done now, once.
    pub(crate) fn take_due(&mut self, now: Instant) -> Option<Tidy> {
        self.due.filter(|due| *due <= now)?;
        let Self { went, .. } = std::mem::take(self);
        Some(match went >= ROUTES_MIN {
            true => Tidy::Tables,
            false => Tidy::Messages,
        })
    }
}

/// What tells the C library that threads keep no small blocks that were freed. It reads that before
/// `main`, and has no call for it.
const NO_STOCKS: &str = "glibc.malloc.tcache_count=0";

/// Where the C library looks for it.
const TUNABLES: &str = "GLIBC_TUNABLES";

/// Says that this has been tried: where the library takes nothing from the environment, as in a
/// program with capabilities of its file, trying again would have no end.
const TRIED: &str = "RBGPD_HEAP_SHARED";

/// Has all threads share one heap, and none keep a stock of its own. With a heap for each, what the
/// tables keep stands between the messages that other threads have long freed, and after a million
/// routes came and went a daemon of 8 MB kept 15 to 25; with one it kept 9.8, and without stocks 8.2:
/// a thread keeps up to seven blocks of each of 64 sizes, each of which may hold back a page. It costs
/// no time that could be measured: what is allocated by one thread here is freed by another, and
/// stocks are of no use for that.
///
/// The program starts itself once more for it, at the same process number, before it does anything
/// else. To be called before there are threads.
pub(crate) fn share_heap() {
    if cfg!(target_env = "gnu") {
        start_without_stocks();
    }
    #[cfg(target_env = "gnu")]
    // SAFETY: `mallopt` has no precondition; it sets a limit for arenas to come.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
    }
}

/// Does not return where it works. Where it does not, everything is as well, but for the memory.
fn start_without_stocks() {
    let Some(tunables) = tunables(
        std::env::var_os(TRIED).is_some(),
        std::env::var_os(TUNABLES),
    ) else {
        return;
    };
    let mut arguments = std::env::args_os();
    let (Some(name), Ok(program)) = (arguments.next(), std::env::current_exe()) else {
        return;
    };
    let _ = Command::new(program)
        .arg0(name)
        .args(arguments)
        .env(TUNABLES, tunables)
        .env(TRIED, "1")
        .exec();
}

/// What the environment should say; `None` if it is to stay as it is, since it has been tried or
/// somebody has chosen otherwise.
fn tunables(tried: bool, known: Option<OsString>) -> Option<OsString> {
    let known = known.unwrap_or_default();
    let chosen = known.to_string_lossy().contains("glibc.malloc.tcache");
    if tried || chosen {
        return None;
    }
    let mut tunables = known;
    if !tunables.is_empty() {
        tunables.push(":");
    }
    tunables.push(NO_STOCKS);
    Some(tunables)
}

/// Gives back what the allocator holds without need. Takes some milliseconds per hundred
/// megabytes, so only after something large went away.
pub(crate) fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: `malloc_trim` has no precondition; it locks the allocator's arenas itself.
    unsafe {
        libc::malloc_trim(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_is_asked_once_and_what_was_chosen_stays() {
        let text = |it: Option<OsString>| it.map(|it| it.into_string().unwrap());
        let of = |tried, known: Option<&str>| text(tunables(tried, known.map(OsString::from)));
        assert_eq!(of(false, None).as_deref(), Some(NO_STOCKS));
        assert_eq!(of(false, Some("")).as_deref(), Some(NO_STOCKS));
        let beside = of(false, Some("glibc.malloc.check=3"));
        let both = format!("glibc.malloc.check=3:{NO_STOCKS}");
        assert_eq!(beside.as_deref(), Some(both.as_str()));
        assert_eq!(of(false, Some("glibc.malloc.tcache_count=7")), None);
        assert_eq!(of(true, None), None);
    }

    #[test]
    fn is_due_once_when_many_have_come_or_gone_and_it_is_quiet() {
        let start = Instant::now();
        let mut freed = Freed::default();
        freed.add(start, 0, ROUTES_MIN - 1);
        assert_eq!(freed.deadline(), None);
        freed.add(start, 0, 1);
        let later = start + QUIET / 2;
        freed.add(later, 1, 0);
        assert_eq!(freed.take_due(start + QUIET), None);
        assert_eq!(freed.deadline(), Some(later + QUIET));
        assert_eq!(freed.take_due(later + QUIET), Some(Tidy::Tables));
        assert_eq!(freed.take_due(later + QUIET * 2), None);
        assert_eq!(freed.deadline(), None);
        freed.add(start, ROUTES_MIN, 0);
        assert_eq!(freed.take_due(start + QUIET), Some(Tidy::Messages));
    }
}
