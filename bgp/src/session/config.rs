//! What one peer is to be: numbers, families, timers.
//!
//! A [`Config`] is built by the daemon from its file and given to a [`super::Session`]. Values are
//! valid by construction, so nothing further down can fail on them. [`Config::needs_restart`]
//! tells which changes cannot take effect on a running session, because both sides agreed on the
//! old value in their OPENs. Addresses, passwords and interfaces belong to whoever owns sockets.

use std::fmt;
use std::net::Ipv4Addr;
use std::time::Duration;

use crate::asn::Asn;
use crate::family::{Family, PerFamily};
use crate::message::Role;
use crate::wire::Unwanted;

/// How long silence is tolerated: 0 (never checked) or 3 to 65535 seconds (RFC 4271 §4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HoldTime(u16);

impl HoldTime {
    /// RFC 4271 §10: 90 s is suggested.
    pub const DEFAULT: HoldTime = HoldTime(90);

    /// A hold time of whole seconds.
    pub fn secs(secs: u16) -> Result<HoldTime, HoldTimeError> {
        match secs {
            1 | 2 => Err(HoldTimeError(secs)),
            0 | 3.. => Ok(HoldTime(secs)),
        }
    }

    /// Seconds, as OPEN carries them.
    pub fn as_secs(self) -> u16 {
        self.0
    }

    /// The same as a duration; `None` when silence is never checked.
    pub fn duration(self) -> Option<Duration> {
        (self.0 != 0).then(|| Duration::from_secs(self.0.into()))
    }
}

/// A hold time of 1 or 2 seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("hold time is {0} s, but must be 0 or at least 3 (RFC 4271 §4.2)")]
pub struct HoldTimeError(pub u16);

/// Which AS number the peer may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemoteAs {
    /// This one.
    Exact(Asn),
    /// Any but our own.
    External,
    /// Our own.
    Internal,
    /// Any: the peer says which, and whether the session is internal follows from that.
    Auto,
}

impl RemoteAs {
    /// True when a peer that says `asn` is welcome at a speaker of `local`.
    pub fn admits(self, local: Asn, asn: Asn) -> bool {
        match self {
            RemoteAs::Exact(expected) => asn == expected,
            RemoteAs::External => asn != local,
            RemoteAs::Internal => asn == local,
            RemoteAs::Auto => true,
        }
    }
}

impl fmt::Display for RemoteAs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RemoteAs::Exact(asn) => write!(f, "AS {asn}"),
            RemoteAs::External => f.write_str("any other AS"),
            RemoteAs::Internal => f.write_str("our own AS"),
            RemoteAs::Auto => f.write_str("any AS"),
        }
    }
}

/// What is offered for one family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FamilyConfig {
    /// Accept several paths of a prefix (RFC 7911).
    pub add_path_receive: bool,
    /// Send several paths of a prefix (RFC 7911).
    pub add_path_send: bool,
    /// Accept IPv6 next hops; only IPv4 unicast has a use for it (RFC 8950).
    pub extended_next_hop: bool,
}

/// How we restart gracefully ourselves (RFC 4724 §4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GracefulRestartConfig {
    /// Seconds peers are asked to keep our routes, at most 4095.
    restart_time: u16,
    /// R bit: true from the start after a restart until route selection is no longer deferred.
    pub restarting: bool,
    /// F bit: families whose forwarding state outlived the restart.
    pub forwarding_preserved: PerFamily<bool>,
    /// Seconds beyond that for which peers may keep our routes as a last resort (RFC 9494), and we
    /// theirs for as long as they ask. `None`: neither.
    pub long_lived_s: Option<u32>,
}

impl GracefulRestartConfig {
    /// Longest restart time of the 12-bit field (RFC 4724 §3).
    pub const RESTART_TIME_MAX_S: u16 = 4095;

    /// Asks peers to keep routes for `restart_time_s`; values above 4095 become 4095.
    pub fn new(restart_time_s: u16) -> Self {
        Self {
            restart_time: restart_time_s.min(Self::RESTART_TIME_MAX_S),
            restarting: false,
            forwarding_preserved: PerFamily::default(),
            long_lived_s: None,
        }
    }

    /// Seconds peers are asked to keep our routes.
    pub fn restart_time_s(&self) -> u16 {
        self.restart_time
    }
}

/// What a BFD session with the same peer means to this one (RFC 5882 §4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BfdConfig {
    /// Do not connect or accept before BFD is up. Off by default: a peer whose BFD is not set up
    /// yet would never come up.
    pub strict: bool,
    /// Detection time of the BFD session: how long silence lasts before it counts.
    pub detect_time: Duration,
}

/// Everything about a peer that the protocol needs to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    pub(super) local_as: Asn,
    pub(super) other_as: Option<Asn>,
    pub(super) remote_as: RemoteAs,
    pub(super) router_id: Ipv4Addr,
    pub(super) hold_time: HoldTime,
    pub(super) minimum_hold_time: Option<Duration>,
    pub(super) keepalive: Option<Duration>,
    pub(super) connect_retry: Duration,
    pub(super) connect_retry_max: Duration,
    pub(super) idle_hold_max: Duration,
    pub(super) send_hold_time: Option<Duration>,
    pub(super) stale_time: Duration,
    pub(super) passive: bool,
    pub(super) families: PerFamily<Option<FamilyConfig>>,
    pub(super) graceful_restart: Option<GracefulRestartConfig>,
    pub(super) graceful_helper: bool,
    pub(super) role: Option<Role>,
    pub(super) role_strict: bool,
    pub(super) confederation_member: bool,
    pub(super) hostname: Option<(String, String)>,
    pub(super) software_version: Option<(String, bool)>,
    pub(super) extended_message: bool,
    pub(super) plain: bool,
    pub(super) aigp: Option<bool>,
    pub(super) unwanted: Unwanted,
    pub(super) bfd: Option<BfdConfig>,
    pub(super) jitter_seed: u64,
    pub(super) hash_seed: u64,
}

impl Config {
    /// A peer with IPv4 unicast and otherwise the defaults named at the setters.
    pub fn new(local_as: Asn, remote_as: RemoteAs, router_id: Ipv4Addr) -> Self {
        let mut families = PerFamily::default();
        *families.get_mut(Family::Ipv4Unicast) = Some(FamilyConfig::default());
        Self {
            local_as,
            other_as: None,
            remote_as,
            router_id,
            hold_time: HoldTime::DEFAULT,
            minimum_hold_time: None,
            keepalive: None,
            connect_retry: Duration::from_secs(1),
            connect_retry_max: Duration::from_secs(10),
            idle_hold_max: Duration::from_secs(30),
            send_hold_time: None,
            stale_time: Duration::from_secs(360),
            passive: false,
            families,
            graceful_restart: None,
            graceful_helper: true,
            role: None,
            confederation_member: false,
            role_strict: false,
            hostname: None,
            software_version: None,
            extended_message: true,
            plain: false,
            aigp: None,
            unwanted: Unwanted::default(),
            bfd: None,
            jitter_seed: 0,
            hash_seed: 0,
        }
    }

    /// The peer may know us by this AS number instead (RFC 7705); default none. When it refuses the
    /// one, the next OPEN says the other.
    pub fn or_as(mut self, asn: Option<Asn>) -> Self {
        self.other_as = asn;
        self
    }

    /// The same with the other of two AS numbers first.
    pub(super) fn turned(mut self) -> Self {
        if let Some(other) = &mut self.other_as {
            std::mem::swap(other, &mut self.local_as);
        }
        self
    }

    /// The same as it was on a connection whose OPEN said this number.
    pub(super) fn speaking_as(&self, asn: Asn) -> Self {
        let mut config = self.clone();
        config.local_as = asn;
        config
    }

    /// Families to offer, in place of IPv4 unicast alone.
    pub fn families(mut self, families: PerFamily<Option<FamilyConfig>>) -> Self {
        self.families = families;
        self
    }

    /// Hold time to propose; default 90 s. The lower of both sides' counts.
    pub fn hold_time(mut self, hold_time: HoldTime) -> Self {
        self.hold_time = hold_time;
        self
    }

    /// Least hold time that the peer may offer, none at all included; default anything that RFC 4271 §4.2 allows.
    /// Counts for the next OPEN.
    pub fn minimum_hold_time(mut self, least: Option<Duration>) -> Self {
        self.minimum_hold_time = least;
        self
    }

    /// Longest time between KEEPALIVEs; default a third of the negotiated hold time, which also
    /// bounds it (RFC 4271 §4.4). Never less than a second.
    pub fn keepalive(mut self, keepalive: Duration) -> Self {
        self.keepalive = Some(keepalive);
        self
    }

    /// Time between connection attempts: `first` after the first one failed, doubling up to
    /// `max`; default 1 s and 10 s. RFC 4271 §10 suggests 120 s, which is what operators wait for
    /// after a cable was put back; an attempt costs three packets.
    pub fn connect_retry(mut self, first: Duration, max: Duration) -> Self {
        self.connect_retry = first.max(Duration::from_millis(100));
        self.connect_retry_max = max.max(self.connect_retry);
        self
    }

    /// Longest rest after repeated disagreements with the peer, such as an OPEN that does not
    /// fit or a malformed message; default 30 s. The first rest is 1 s, each further one twice as
    /// long (DampPeerOscillations, RFC 4271 §8.1.1).
    pub fn idle_hold_max(mut self, max: Duration) -> Self {
        self.idle_hold_max = max.max(Duration::from_secs(1));
        self
    }

    /// How long the peer may accept no byte before the session ends; default the greater of 8
    /// minutes and twice the negotiated hold time (RFC 9687 §3.1).
    pub fn send_hold_time(mut self, send_hold_time: Duration) -> Self {
        self.send_hold_time = Some(send_hold_time);
        self
    }

    /// How long after a graceful restart stale routes wait for End-of-RIB; default 360 s
    /// (RFC 4724 §4.2: "MUST be some upper bound").
    pub fn stale_time(mut self, stale_time: Duration) -> Self {
        self.stale_time = stale_time;
        self
    }

    /// Wait for the peer to connect instead of connecting; default off.
    pub fn passive(mut self, passive: bool) -> Self {
        self.passive = passive;
        self
    }

    /// Restart gracefully ourselves; default off. Helping a peer that restarts is separate, see
    /// [`Config::graceful_helper`].
    pub fn graceful_restart(mut self, config: Option<GracefulRestartConfig>) -> Self {
        self.graceful_restart = config;
        self
    }

    /// Keep a restarting peer's routes as long as it asked for (RFC 4724 §4.2); default on.
    pub fn graceful_helper(mut self, on: bool) -> Self {
        self.graceful_helper = on;
        self
    }

    /// The peer is in another member AS of our confederation (RFC 5065); default off. Such a peer knows
    /// us by our member AS, and may send what stays within an AS.
    pub fn confederation_member(mut self, member: bool) -> Self {
        self.confederation_member = member;
        self
    }

    /// Our role (RFC 9234); default none. `strict` refuses peers that do not say theirs.
    pub fn role(mut self, role: Option<Role>, strict: bool) -> Self {
        self.role = role;
        self.role_strict = strict;
        self
    }

    /// Names to show at the peer (FQDN capability); default none. Each is cut to 64 octets, what
    /// implementations of the draft accept.
    pub fn hostname(mut self, hostname: &str, domain: &str) -> Self {
        self.hostname = Some((cut(hostname, 64), cut(domain, 64)));
        self
    }

    /// Name and version of the program to show at the peer, cut to 64 octets; default none. `latest` is
    /// the form of draft-abraitis-bgp-version-capability-15, which older implementations misread.
    pub fn software_version(mut self, version: &str, latest: bool) -> Self {
        self.software_version = Some((cut(version, 64), latest));
        self
    }

    /// Offer messages of up to 65535 octets (RFC 8654); default on.
    pub fn extended_message(mut self, on: bool) -> Self {
        self.extended_message = on;
        self
    }

    /// Say no capabilities, and go by none of the peer's; default off. IPv4 unicast alone is exchanged then,
    /// with AS numbers of two octets.
    pub fn plain(mut self, on: bool) -> Self {
        self.plain = on;
        self
    }

    /// The BFD session beside this one; default none. Without it, [`super::Input::Bfd`] is
    /// ignored.
    pub fn bfd(mut self, bfd: Option<BfdConfig>) -> Self {
        self.bfd = bfd;
        self
    }

    /// Exchange AIGP with the peer; by default within the AS only (RFC 7311 §3.3).
    pub fn aigp(mut self, aigp: Option<bool>) -> Self {
        self.aigp = aigp;
        self
    }

    /// Attributes that are not taken from the peer; default none. When this changes the peer is asked for
    /// its routes again, and one that cannot give them loses its session.
    pub fn unwanted(mut self, unwanted: Unwanted) -> Self {
        self.unwanted = unwanted;
        self
    }

    /// Seed of the timers' jitter; default 0. Give every session its own; a later
    /// [`super::Input::Configure`] does not change it.
    pub fn jitter_seed(mut self, seed: u64) -> Self {
        self.jitter_seed = seed;
        self
    }

    /// Seed of the attribute hashes; default 0. Give all sessions of a table the same, chosen at
    /// random once per process.
    pub fn hash_seed(mut self, seed: u64) -> Self {
        self.hash_seed = seed;
        self
    }

    /// What of `new` cannot take effect without a new OPEN, or `None` when the running session
    /// can go on under it.
    ///
    /// The R and F bits of graceful restart are left out on purpose: they describe the moment of
    /// an OPEN, and the end of route selection deferral must not bounce every session. So are our
    /// names and version, which nothing depends on: the next OPEN tells them.
    pub fn needs_restart(&self, new: &Config) -> Option<RestartNeeded> {
        let restart_time = |config: &Config| {
            config
                .graceful_restart
                .map(|graceful| (graceful.restart_time, graceful.long_lived_s))
        };
        let mut changed = Vec::new();
        let mut check = |name: &'static str, differs: bool| {
            if differs {
                changed.push(name);
            }
        };
        // Which of two numbers is said first is found out with the peer.
        let numbers = |it: &Config| {
            let other = it.other_as.unwrap_or(it.local_as);
            (it.local_as.min(other), it.local_as.max(other))
        };
        check("local_as", numbers(self) != numbers(new));
        check("remote_as", self.remote_as != new.remote_as);
        check(
            "confederation_member",
            self.confederation_member != new.confederation_member,
        );
        check("router_id", self.router_id != new.router_id);
        check("hold_time", self.hold_time != new.hold_time);
        check("families", self.families != new.families);
        check(
            "graceful_restart",
            restart_time(self) != restart_time(new) || self.graceful_helper != new.graceful_helper,
        );
        check(
            "role",
            self.role != new.role || self.role_strict != new.role_strict,
        );
        check(
            "extended_message",
            self.extended_message != new.extended_message,
        );
        check("capabilities", self.plain != new.plain);
        check("aigp", self.aigp != new.aigp);
        check("hash_seed", self.hash_seed != new.hash_seed);
        (!changed.is_empty()).then_some(RestartNeeded(changed))
    }
}

/// Settings that both sides agreed on and that are to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestartNeeded(pub Vec<&'static str>);

impl fmt::Display for RestartNeeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "changed and negotiated at the start of a session: {}",
            self.0.join(", ")
        )
    }
}

/// `text` without what lies beyond `max` octets, cut between characters.
pub(super) fn cut(text: &str, max: usize) -> String {
    let mut end = 0;
    for (at, character) in text.char_indices() {
        let next = at.saturating_add(character.len_utf8());
        if next > max {
            break;
        }
        end = next;
    }
    text.get(..end).unwrap_or_default().to_owned()
}
