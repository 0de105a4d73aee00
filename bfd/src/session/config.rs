//! What a session is made with: the path, and the parameters an operator may change.

use std::net::IpAddr;
use std::num::NonZeroU8;
use std::time::Duration;

use crate::packet::{Interval, IntervalError};

/// Between whom a session runs, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    pub(super) local: Option<IpAddr>,
    pub(super) remote: IpAddr,
    pub(super) interface: Option<InterfaceIndex>,
    pub(super) parameters: Parameters,
}

/// The kernel's number of an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct InterfaceIndex(pub u32);

impl Config {
    /// A session with the system at `remote`.
    #[must_use]
    pub fn new(remote: IpAddr, parameters: Parameters) -> Self {
        Self {
            local: None,
            remote,
            interface: None,
            parameters,
        }
    }

    /// Our address; default: not known here, the caller's socket decides.
    #[must_use]
    pub fn local(mut self, local: IpAddr) -> Self {
        self.local = Some(local);
        self
    }

    /// Only packets of this interface belong to the session; default: any.
    #[must_use]
    pub fn interface(mut self, interface: InterfaceIndex) -> Self {
        self.interface = Some(interface);
        self
    }

    /// Our address, if fixed.
    #[must_use]
    pub fn local_address(&self) -> Option<IpAddr> {
        self.local
    }

    /// The peer's address.
    #[must_use]
    pub fn remote_address(&self) -> IpAddr {
        self.remote
    }

    /// The interface, if fixed.
    #[must_use]
    pub fn interface_index(&self) -> Option<InterfaceIndex> {
        self.interface
    }

    /// How the session runs.
    #[must_use]
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }
}

/// How a session runs. The default is 300 ms, multiplier 3, active role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Parameters {
    pub(super) desired_min_tx: Interval,
    pub(super) required_min_rx: Interval,
    pub(super) detect_multiplier: NonZeroU8,
    pub(super) passive: bool,
    pub(super) control_plane_independent: bool,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            desired_min_tx: Interval::from_micros(300_000),
            required_min_rx: Interval::from_micros(300_000),
            detect_multiplier: NonZeroU8::MIN.saturating_add(2),
            passive: false,
            control_plane_independent: false,
        }
    }
}

impl Parameters {
    /// The shortest interval that is accepted: ten of the timers' ticks.
    pub const INTERVAL_MIN: Duration = Duration::from_millis(10);

    /// How often we want to send once the session is up; default 300 ms.
    pub fn desired_min_tx(mut self, interval: Duration) -> Result<Self, ParameterError> {
        self.desired_min_tx = checked(interval)?;
        Ok(self)
    }

    /// How often the peer may send; default 300 ms.
    pub fn required_min_rx(mut self, interval: Duration) -> Result<Self, ParameterError> {
        self.required_min_rx = checked(interval)?;
        Ok(self)
    }

    /// How many of our packets the peer may miss; default 3.
    pub fn detect_multiplier(mut self, multiplier: u8) -> Result<Self, ParameterError> {
        self.detect_multiplier = NonZeroU8::new(multiplier).ok_or(ParameterError::Multiplier)?;
        Ok(self)
    }

    /// Wait for the peer to speak first (RFC 5880 §6.1); default no.
    #[must_use]
    pub fn passive(mut self, passive: bool) -> Self {
        self.passive = passive;
        self
    }

    /// Our BFD survives a restart of our control plane (the C bit); default no.
    #[must_use]
    pub fn control_plane_independent(mut self, independent: bool) -> Self {
        self.control_plane_independent = independent;
        self
    }
}

fn checked(interval: Duration) -> Result<Interval, ParameterError> {
    if interval < Parameters::INTERVAL_MIN {
        return Err(ParameterError::IntervalTooShort { interval });
    }
    Ok(Interval::try_from(interval)?)
}

/// Why a parameter is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParameterError {
    /// Below [`Parameters::INTERVAL_MIN`].
    #[error("interval is {interval:?}, but must be at least 10ms")]
    IntervalTooShort {
        /// The refused value.
        interval: Duration,
    },
    /// Too long for the packet.
    #[error(transparent)]
    Interval(#[from] IntervalError),
    /// A multiplier of zero.
    #[error("detect multiplier is 0, but must be at least 1 (RFC 5880 §6.8.1)")]
    Multiplier,
}
