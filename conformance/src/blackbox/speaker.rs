//! What a test may ask of a speaker under test beside BGP.
//!
//! Another daemon comes under the same tests with an implementation of [`Speaker`] and a function
//! that starts it from a [`Setup`](super::Setup), handed to [`Bench::with`](super::Bench::with).

use std::fmt::Debug;
use std::fs;
use std::net::Ipv4Addr;

use super::Error;

/// A running speaker under test; dropping it ends it.
pub trait Speaker: Debug {
    /// Fails with the reason when it does not run any more.
    fn must_live(&mut self) -> Result<(), Error>;

    /// Ends it in order.
    fn stop(&mut self) -> Result<(), Error>;

    /// Number of its process.
    fn pid(&self) -> Option<u32>;

    /// What its operator is shown about a neighbour.
    fn shown(&self, neighbor: Ipv4Addr) -> Result<String, Error>;

    /// The routes a neighbour told, or was told, as its operator is shown them, in JSON.
    fn routes(&self, neighbor: Ipv4Addr, received: bool) -> Result<String, Error>;

    /// Tells all neighbours to use other paths, as its operator would before maintenance.
    fn drain(&self) -> Result<(), Error>;

    /// Memory in use, in KiB (proc(5), VmRSS).
    fn resident_kib(&self) -> Result<u64, Error> {
        let pid = self
            .pid()
            .ok_or_else(|| Error::Speaker("it does not run".to_owned()))?;
        let path = format!("/proc/{pid}/status");
        let status = fs::read_to_string(&path).map_err(|e| Error::io(&path, e))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        number.ok_or_else(|| Error::Speaker(format!("no VmRSS in {path}")))
    }
}
