//! Ctrl-C and SIGTERM as a flag, so that a lab is taken down instead of being left behind.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::signal::{SigSet, Signal};

use super::Error;

/// Set once a signal asked the program to stop.
#[derive(Debug)]
pub struct Interrupt {
    flag: Arc<AtomicBool>,
}

impl Interrupt {
    /// Takes over SIGINT, SIGTERM and SIGHUP. Call it in `main` before any thread starts: the
    /// signals are blocked for every thread made later and read by one of them. (The programs that
    /// a lab starts begin with no signal blocked.)
    pub fn install() -> Result<Self, Error> {
        let mut signals = SigSet::empty();
        for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
            signals.add(signal);
        }
        signals
            .thread_block()
            .map_err(|e| Error::os("block signals", e))?;
        let flag = Arc::new(AtomicBool::new(false));
        let set = Arc::clone(&flag);
        std::thread::spawn(move || {
            while signals.wait().is_ok() {
                set.store(true, Ordering::Relaxed);
            }
        });
        Ok(Self { flag })
    }

    /// Whether a signal came.
    pub fn came(&self) -> bool {
        self.flag.load(Ordering::Relaxed)
    }

    pub(super) fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.flag)
    }
}
