//! What a session is made with: the path, and the parameters an operator may change.

use std::net::IpAddr;
use std::num::NonZeroU8;
use std::time::Duration;

use crate::authentication::Authentication;
use crate::packet::{Interval, IntervalError};

/// Between whom a session runs, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    pub(super) local: Option<IpAddr>,
    pub(super) remote: IpAddr,
    pub(super) interface: Option<InterfaceIndex>,
    pub(super) domain: Domain,
    pub(super) hops: Hops,
    pub(super) parameters: Parameters,
    pub(super) authentication: Option<Authentication>,
}

/// Which of a system's routing tables a session belongs to: addresses mean something else in each.
/// The numbers are the caller's; zero is that of a system with one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Domain(pub u32);

/// How far away the peer is. The two kinds use UDP ports of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Hops {
    /// On the same link: UDP port 3784, packets that have crossed a router are refused (RFC 5881).
    #[default]
    Single,
    /// Behind routers: UDP port 4784 (RFC 5883).
    Multi,
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
            domain: Domain::default(),
            hops: Hops::Single,
            parameters,
            authentication: None,
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

    /// The routing table the session belongs to; default 0.
    #[must_use]
    pub fn domain(mut self, domain: Domain) -> Self {
        self.domain = domain;
        self
    }

    /// How far away the peer is; default one hop.
    #[must_use]
    pub fn hops(mut self, hops: Hops) -> Self {
        self.hops = hops;
        self
    }

    /// What packets are authenticated with; default nothing.
    #[must_use]
    pub fn authentication(mut self, authentication: Option<Authentication>) -> Self {
        self.authentication = authentication;
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

    /// The routing table it belongs to.
    #[must_use]
    pub fn domain_number(&self) -> Domain {
        self.domain
    }

    /// How far away the peer is.
    #[must_use]
    pub fn distance(&self) -> Hops {
        self.hops
    }

    /// The lowest TTL or hop limit that a packet of the peer may arrive with.
    #[must_use]
    pub fn ttl_min(&self) -> u8 {
        match self.hops {
            Hops::Single => u8::MAX,
            Hops::Multi => self.parameters.ttl_min,
        }
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
    pub(super) ttl_min: u8,
    pub(super) echo: Option<Interval>,
    pub(super) required_min_echo_rx: Interval,
}

impl Default for Parameters {
    fn default() -> Self {
        Self {
            desired_min_tx: Interval::from_micros(300_000),
            required_min_rx: Interval::from_micros(300_000),
            detect_multiplier: NonZeroU8::MIN.saturating_add(2),
            passive: false,
            control_plane_independent: false,
            ttl_min: 1,
            echo: None,
            required_min_echo_rx: Interval::ZERO,
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

    /// Have the peer send packets of ours back, at this interval, and take the session down when it
    /// does not (RFC 5880 §6.4). Only over one hop; default no.
    pub fn echo(mut self, interval: Option<Duration>) -> Result<Self, ParameterError> {
        self.echo = interval.map(checked).transpose()?;
        Ok(self)
    }

    /// How often the peer may have us send packets of its back; default never. Sending them back is
    /// the caller's part, or that of the host's forwarding. Only over one hop.
    pub fn echo_receive(mut self, interval: Option<Duration>) -> Result<Self, ParameterError> {
        let interval = interval.map(checked).transpose()?;
        self.required_min_echo_rx = interval.unwrap_or(Interval::ZERO);
        Ok(self)
    }

    /// How often we want to have a packet of ours sent back, if at all.
    #[must_use]
    pub fn echo_interval(&self) -> Option<Duration> {
        self.echo.map(Interval::duration)
    }

    /// How often we send packets of the peer's back, if at all.
    #[must_use]
    pub fn echo_receive_interval(&self) -> Option<Duration> {
        let interval = self.required_min_echo_rx;
        (interval != Interval::ZERO).then(|| interval.duration())
    }

    /// How often we want to send once the session is up.
    #[must_use]
    pub fn interval(&self) -> Duration {
        self.desired_min_tx.duration()
    }

    /// How often we can receive.
    #[must_use]
    pub fn receive_interval(&self) -> Duration {
        self.required_min_rx.duration()
    }

    /// How many of our packets the peer may miss.
    #[must_use]
    pub fn multiplier(&self) -> u8 {
        self.detect_multiplier.get()
    }

    /// Whether we wait for the peer to speak first.
    #[must_use]
    pub fn is_passive(&self) -> bool {
        self.passive
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

    /// The lowest TTL that a packet from several hops away may arrive with; default 1. Ours
    /// leave with 255, others' may not (RFC 5883 has no rule). From one hop away it is always 255.
    #[must_use]
    pub fn ttl_min(mut self, ttl: u8) -> Self {
        self.ttl_min = ttl;
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
