//! What both sides agreed on.
//!
//! Our OPEN is made from the configuration ([`offer`]); the peer's OPEN is checked against it and
//! the two become one immutable [`Negotiated`] ([`negotiate`]) that everything after it reads.
//! Whether an OPEN may come at this moment is decided by the state machine, and whether its
//! bytes make sense by the codec.

use std::fmt;
use std::net::Ipv4Addr;
use std::time::Duration;

use super::config::{Config, FamilyConfig, HoldTime, RemoteAs};
use super::notification::{self, open as subcode};
use crate::asn::Asn;
use crate::family::{Family, PerFamily};
use crate::message::{
    AddPathMode, Capability, GracefulRestart, LongLived, Notification, Open, Role,
};
use crate::wire;

/// The outcome of the exchange of OPENs.
///
/// Never changes during a session, but for our own two timers ([`Config::keepalive`],
/// [`Config::send_hold_time`]), which the peer has no say in.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Negotiated {
    /// Our AS number.
    pub local_as: Asn,
    /// The peer's AS number.
    pub remote_as: Asn,
    /// The peer's BGP identifier.
    pub router_id: Ipv4Addr,
    /// The peer is in another AS, and not of our confederation.
    pub external: bool,
    /// Families both sides named.
    pub families: PerFamily<Option<NegotiatedFamily>>,
    /// AS numbers have four octets on this session (RFC 6793).
    pub as4: bool,
    /// Messages may have 65535 octets (RFC 8654).
    pub extended_message: bool,
    /// AIGP is exchanged (RFC 7311 §3.3).
    pub aigp: bool,
    /// Attributes that are not taken from the peer.
    pub unwanted: wire::Unwanted,
    /// The peer answers ROUTE-REFRESH (RFC 2918).
    pub route_refresh: bool,
    /// Both sides bracket a refresh (RFC 7313).
    pub enhanced_refresh: bool,
    /// The lower of both hold times.
    pub hold_time: HoldTime,
    /// Longest time between our KEEPALIVEs; `None` when the hold time is 0.
    pub keepalive: Option<Duration>,
    /// Longest time the peer may accept no byte (RFC 9687).
    pub send_hold_time: Duration,
    /// The peer's graceful restart capability.
    pub graceful: Option<GracefulRestart>,
    /// Both sides keep routes over a NOTIFICATION (RFC 8538 §2).
    pub graceful_notification: bool,
    /// The peer's role (RFC 9234).
    pub peer_role: Option<Role>,
    /// The peer's host and domain name.
    pub fqdn: Option<(String, String)>,
    /// Name and version of the peer's program.
    pub software_version: Option<String>,
    /// All the peer's capabilities, as they came.
    pub capabilities: Vec<Capability>,
}

/// What both sides agreed on for one family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct NegotiatedFamily {
    /// The peer's routes carry path identifiers.
    pub add_path_receive: bool,
    /// Ours do.
    pub add_path_send: bool,
    /// Routes may have IPv6 next hops (RFC 8950).
    pub extended_next_hop: bool,
    /// The peer can restart this family gracefully (RFC 4724).
    pub peer_restart: Option<PeerRestart>,
    /// Both sides speak long-lived graceful restart, and the peer names this family (RFC 9494).
    pub peer_long_lived: Option<PeerLongLived>,
}

/// A family in the peer's long-lived graceful restart capability.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerLongLived {
    /// F bit: the peer went on forwarding.
    pub forwarding_preserved: bool,
    /// For how long its routes may stay once its restart time is over.
    pub time: Duration,
}

/// A family in the peer's graceful restart capability.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PeerRestart {
    /// F bit: the peer went on forwarding while it restarted.
    pub forwarding_preserved: bool,
}

impl Negotiated {
    /// How to decode what the peer sends. `hash_seed` is that of the table's attributes.
    pub fn wire_context(&self, hash_seed: u64) -> wire::Context {
        wire::Context {
            as4: self.as4,
            extended_message: self.extended_message,
            add_path: self.each(|family| family.add_path_receive),
            families: self.each(|_| true),
            external: self.external,
            extended_next_hop: *self.each(|f| f.extended_next_hop).get(Family::Ipv4Unicast),
            aigp: self.aigp,
            unwanted: self.unwanted,
            hash_seed,
        }
    }

    /// Families in which our routes carry path identifiers (RFC 7911).
    pub fn add_path_sent(&self) -> PerFamily<bool> {
        self.each(|family| family.add_path_send)
    }

    /// Longest message on this session, in octets (RFC 4271 §4.1, RFC 8654 §4).
    pub fn max_message_len(&self) -> usize {
        if self.extended_message { 65_535 } else { 4_096 }
    }

    /// The same under a changed configuration that needs no restart.
    pub(super) fn retimed(&self, config: &Config) -> Negotiated {
        Negotiated {
            keepalive: keepalive(config, self.hold_time),
            send_hold_time: send_hold_time(config, self.hold_time),
            unwanted: config.unwanted.towards(self.external),
            ..self.clone()
        }
    }

    fn each(&self, test: impl Fn(&NegotiatedFamily) -> bool) -> PerFamily<bool> {
        per_family(|family| self.families.get(family).as_ref().is_some_and(&test))
    }
}

/// One value per family, made by a function.
pub(super) fn per_family<T: Default>(make: impl Fn(Family) -> T) -> PerFamily<T> {
    PerFamily {
        ipv4_unicast: make(Family::Ipv4Unicast),
        ipv6_unicast: make(Family::Ipv6Unicast),
        evpn: make(Family::Evpn),
    }
}

/// Our OPEN.
pub(super) fn offer(config: &Config) -> Open {
    let offered: Vec<(Family, FamilyConfig)> = config
        .families
        .iter()
        .filter_map(|(family, offer)| offer.map(|offer| (family, offer)))
        .collect();
    let mut capabilities: Vec<Capability> = offered
        .iter()
        .map(|(family, _)| Capability::Multiprotocol(family.afi(), family.safi()))
        .collect();
    capabilities.push(Capability::RouteRefresh);
    capabilities.push(Capability::EnhancedRouteRefresh);
    capabilities.push(Capability::FourOctetAs(config.local_as));
    if offers_ipv6_next_hops(config) {
        capabilities.push(Capability::ExtendedNextHop(vec![(1, 1, 2)]));
    }
    if config.extended_message {
        capabilities.push(Capability::ExtendedMessage);
    }
    if let Some(role) = config.role.filter(|_| expects_external(config)) {
        capabilities.push(Capability::Role(role));
    }
    capabilities.extend(offer_graceful_restart(config, &offered));
    capabilities.extend(offer_long_lived(config, &offered));
    let add_path: Vec<_> = offered
        .iter()
        .filter_map(|(family, offer)| {
            let mode = match (offer.add_path_receive, offer.add_path_send) {
                (true, true) => AddPathMode::Both,
                (true, false) => AddPathMode::Receive,
                (false, true) => AddPathMode::Send,
                (false, false) => return None,
            };
            Some((family.afi(), family.safi(), mode))
        })
        .collect();
    if !add_path.is_empty() {
        capabilities.push(Capability::AddPath(add_path));
    }
    if let Some((hostname, domain)) = config.hostname.clone() {
        capabilities.push(Capability::Fqdn { hostname, domain });
    }
    if let Some((version, latest)) = config.software_version.clone() {
        capabilities.push(Capability::SoftwareVersion { version, latest });
    }
    if config.plain {
        capabilities.clear();
    }
    Open {
        asn: config.local_as,
        hold_time: config.hold_time.as_secs(),
        router_id: config.router_id,
        capabilities,
    }
}

/// RFC 4724 §3: a helper that keeps no forwarding state of its own lists no family.
fn offer_graceful_restart(
    config: &Config,
    offered: &[(Family, FamilyConfig)],
) -> Option<Capability> {
    let capability = match config.graceful_restart {
        Some(graceful) => GracefulRestart {
            restarting: graceful.restarting,
            notification: true,
            restart_time: graceful.restart_time_s(),
            families: offered
                .iter()
                .map(|(family, _)| {
                    let preserved = *graceful.forwarding_preserved.get(*family);
                    (family.afi(), family.safi(), preserved)
                })
                .collect(),
        },
        None if config.graceful_helper => GracefulRestart {
            notification: true,
            ..GracefulRestart::default()
        },
        None => return None,
    };
    Some(Capability::GracefulRestart(capability))
}

fn offer_long_lived(config: &Config, offered: &[(Family, FamilyConfig)]) -> Option<Capability> {
    let graceful = config.graceful_restart?;
    let time = graceful.long_lived_s?;
    let families = offered.iter().map(|(family, _)| LongLived {
        afi: family.afi(),
        safi: family.safi(),
        preserved: *graceful.forwarding_preserved.get(*family),
        time,
    });
    Some(Capability::LongLived(families.collect()))
}

/// RFC 9234 §4: roles are for eBGP. Whoever has one and does not know the peer's AS number yet offers
/// it: within an AS the peer heeds no role.
fn expects_external(config: &Config) -> bool {
    match config.remote_as {
        _ if config.confederation_member => false,
        RemoteAs::Exact(asn) => asn != config.local_as,
        RemoteAs::External | RemoteAs::Auto => true,
        RemoteAs::Internal => false,
    }
}

fn offers_ipv6_next_hops(config: &Config) -> bool {
    config
        .families
        .ipv4_unicast
        .is_some_and(|offer| offer.extended_next_hop)
}

/// RFC 4271 §6.2: an implementation may reject any proposed hold time.
fn check_hold_time(config: &Config, open: &Open) -> Result<(), OpenError> {
    let got = open.hold_time;
    match config.minimum_hold_time {
        Some(least) if Duration::from_secs(got.into()) < least => Err(OpenError::HoldTime {
            got,
            least_s: least.as_secs(),
        }),
        Some(_) | None => Ok(()),
    }
}

/// Checks the peer's OPEN and combines it with what we offered.
pub(super) fn negotiate(config: &Config, open: &Open) -> Result<Negotiated, OpenError> {
    check_identity(config, open)?;
    check_hold_time(config, open)?;
    let external = open.asn != config.local_as && !config.confederation_member;
    // RFC 5492 §3: what is in use has been said by both.
    let theirs = match config.plain {
        true => Offer::of(&Open {
            capabilities: Vec::new(),
            ..open.clone()
        }),
        false => Offer::of(open),
    };
    if external {
        check_role(config, &theirs.roles)?;
    }
    let graceful = config.graceful_restart;
    let long_lived = graceful.is_some_and(|it| it.long_lived_s.is_some());
    let families = per_family(|family| {
        config
            .families
            .get(family)
            .as_ref()
            .and_then(|ours| agree(family, ours, long_lived, &theirs))
    });
    if families.iter().all(|(_, agreed)| agreed.is_none()) {
        return Err(OpenError::NoCommonFamily {
            ours: config
                .families
                .iter()
                .filter(|(_, f)| f.is_some())
                .map(|(f, _)| f)
                .collect(),
            theirs: theirs.families,
        });
    }
    let hold_time = config
        .hold_time
        .min(HoldTime::secs(open.hold_time).unwrap_or(config.hold_time));
    let graceful_notification = (config.graceful_helper || config.graceful_restart.is_some())
        && theirs
            .graceful
            .as_ref()
            .is_some_and(|graceful| graceful.notification);
    Ok(Negotiated {
        local_as: config.local_as,
        remote_as: open.asn,
        router_id: open.router_id,
        external,
        families,
        as4: theirs.as4,
        extended_message: config.extended_message && theirs.extended_message,
        aigp: config.aigp.unwrap_or(!external),
        unwanted: config.unwanted.towards(external),
        route_refresh: theirs.route_refresh,
        enhanced_refresh: theirs.enhanced_refresh,
        hold_time,
        keepalive: keepalive(config, hold_time),
        send_hold_time: send_hold_time(config, hold_time),
        graceful: theirs.graceful,
        graceful_notification,
        peer_role: theirs.roles.first().copied(),
        fqdn: theirs.fqdn,
        software_version: theirs.software_version,
        capabilities: open.capabilities.clone(),
    })
}

fn check_identity(config: &Config, open: &Open) -> Result<(), OpenError> {
    // RFC 7607 §2: AS 0 is never valid.
    if open.asn == Asn(0) || !config.remote_as.admits(config.local_as, open.asn) {
        return Err(OpenError::WrongAs {
            expected: config.remote_as,
            local: config.local_as,
            got: open.asn,
        });
    }
    // RFC 6286 §2.2: identifiers must differ within an AS; between ASes they may be equal.
    let same_as = open.asn == config.local_as;
    if open.router_id.is_unspecified() || (same_as && open.router_id == config.router_id) {
        return Err(OpenError::BadIdentifier {
            got: open.router_id,
        });
    }
    Ok(())
}

/// RFC 9234 §4.2.
fn check_role(config: &Config, theirs: &[Role]) -> Result<(), OpenError> {
    let Some(ours) = config.role else {
        return Ok(());
    };
    match theirs {
        [] if config.role_strict => Err(OpenError::RoleMismatch { ours, theirs: None }),
        [] => Ok(()),
        // "If multiple BGP Role Capabilities are received and not all of them have the same
        // value, the BGP speaker MUST reject the connection".
        [first, rest @ ..] => {
            if pair(ours) == *first && rest.iter().all(|role| role == first) {
                Ok(())
            } else {
                let other = rest
                    .iter()
                    .find(|role| pair(ours) != **role)
                    .unwrap_or(first);
                Err(OpenError::RoleMismatch {
                    ours,
                    theirs: Some(*other),
                })
            }
        }
    }
}

/// The role that goes with a role (RFC 9234 §4.2, table 2).
fn pair(role: Role) -> Role {
    match role {
        Role::Provider => Role::Customer,
        Role::Customer => Role::Provider,
        Role::RouteServer => Role::RouteServerClient,
        Role::RouteServerClient => Role::RouteServer,
        Role::Peer => Role::Peer,
    }
}

fn agree(
    family: Family,
    ours: &FamilyConfig,
    long_lived: bool,
    theirs: &Offer,
) -> Option<NegotiatedFamily> {
    let numbers = (family.afi(), family.safi());
    if !theirs.families.contains(&numbers) {
        return None;
    }
    let (they_receive, they_send) = match theirs.add_path(numbers) {
        Some(AddPathMode::Receive) => (true, false),
        Some(AddPathMode::Send) => (false, true),
        Some(AddPathMode::Both) => (true, true),
        None => (false, false),
    };
    let restart = theirs.graceful.as_ref().and_then(|graceful| {
        let listed = graceful
            .families
            .iter()
            .find(|(afi, safi, _)| (*afi, *safi) == numbers)?;
        Some(PeerRestart {
            forwarding_preserved: listed.2,
        })
    });
    // RFC 9494 §3: without graceful restart it is ignored.
    let wanted = long_lived && theirs.graceful.is_some();
    let mut named = theirs.long_lived.iter().filter(|_| wanted);
    let named = named.find(|entry| (entry.afi, entry.safi) == numbers);
    Some(NegotiatedFamily {
        peer_long_lived: named.map(|entry| PeerLongLived {
            forwarding_preserved: entry.preserved,
            time: Duration::from_secs(entry.time.into()),
        }),
        add_path_receive: ours.add_path_receive && they_send,
        add_path_send: ours.add_path_send && they_receive,
        extended_next_hop: family == Family::Ipv4Unicast
            && ours.extended_next_hop
            && theirs.ipv6_next_hops,
        peer_restart: restart,
    })
}

/// RFC 4271 §4.4: a third of the hold time, and no more than one a second.
fn keepalive(config: &Config, hold_time: HoldTime) -> Option<Duration> {
    let third = hold_time.duration()? / 3;
    let wanted = config
        .keepalive
        .map_or(third, |keepalive| keepalive.min(third));
    Some(wanted.max(Duration::from_secs(1)))
}

/// RFC 9687 §3.1: "the greater of 8 minutes or 2 times the negotiated HoldTime".
fn send_hold_time(config: &Config, hold_time: HoldTime) -> Duration {
    let twice = hold_time.duration().unwrap_or_default().saturating_mul(2);
    config
        .send_hold_time
        .unwrap_or_else(|| twice.max(Duration::from_secs(8 * 60)))
}

/// The peer's capabilities, gathered. Where one stands twice, the last counts (RFC 4724 §3,
/// RFC 7911 §4), except for those that add up.
#[derive(Default)]
struct Offer {
    families: Vec<(u16, u8)>,
    add_path: Vec<(u16, u8, AddPathMode)>,
    roles: Vec<Role>,
    graceful: Option<GracefulRestart>,
    long_lived: Vec<LongLived>,
    fqdn: Option<(String, String)>,
    software_version: Option<String>,
    ipv6_next_hops: bool,
    as4: bool,
    extended_message: bool,
    route_refresh: bool,
    enhanced_refresh: bool,
}

impl Offer {
    fn of(open: &Open) -> Offer {
        let mut offer = Offer::default();
        for capability in &open.capabilities {
            match capability {
                Capability::Multiprotocol(afi, safi) => offer.families.push((*afi, *safi)),
                Capability::RouteRefresh => offer.route_refresh = true,
                Capability::ExtendedNextHop(list) => {
                    offer.ipv6_next_hops |= list.contains(&(1, 1, 2));
                }
                Capability::ExtendedMessage => offer.extended_message = true,
                Capability::Role(role) => offer.roles.push(*role),
                Capability::GracefulRestart(graceful) => offer.graceful = Some(graceful.clone()),
                Capability::FourOctetAs(_) => offer.as4 = true,
                Capability::AddPath(list) => offer.add_path.extend(list),
                Capability::EnhancedRouteRefresh => offer.enhanced_refresh = true,
                Capability::LongLived(list) => offer.long_lived.clone_from(list),
                Capability::Fqdn { hostname, domain } => {
                    offer.fqdn = Some((hostname.clone(), domain.clone()));
                }
                Capability::SoftwareVersion { version, .. } => {
                    offer.software_version = Some(version.clone());
                }
                Capability::Unknown { .. } => {}
            }
        }
        // RFC 4760 §1: a speaker without multiprotocol extensions speaks IPv4 unicast.
        if offer.families.is_empty() {
            offer.families.push((1, 1));
        }
        offer
    }

    fn add_path(&self, numbers: (u16, u8)) -> Option<AddPathMode> {
        let last = self
            .add_path
            .iter()
            .rev()
            .find(|(afi, safi, _)| (*afi, *safi) == numbers)?;
        Some(last.2)
    }
}

/// What is wrong with a well-formed OPEN.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpenError {
    /// Another AS than configured.
    WrongAs {
        /// What the configuration says.
        expected: RemoteAs,
        /// Our own number.
        local: Asn,
        /// What the peer says.
        got: Asn,
    },
    /// An identifier that cannot be.
    BadIdentifier {
        /// 0.0.0.0, or our own within our AS.
        got: Ipv4Addr,
    },
    /// Less than is accepted here.
    HoldTime {
        /// What the peer offers, in seconds; zero is none.
        got: u16,
        /// What it must be at least.
        least_s: u64,
    },
    /// Roles that do not belong together (RFC 9234 §4.2).
    RoleMismatch {
        /// Ours.
        ours: Role,
        /// The peer's, `None` when it did not say and the configuration insists.
        theirs: Option<Role>,
    },
    /// Nothing to talk about.
    NoCommonFamily {
        /// Configured here.
        ours: Vec<Family>,
        /// AFI and SAFI the peer named.
        theirs: Vec<(u16, u8)>,
    },
}

impl OpenError {
    /// The NOTIFICATION to answer with.
    pub fn notification(&self) -> Notification {
        match self {
            Self::WrongAs { .. } => notification::open_error(subcode::BAD_PEER_AS, &[]),
            Self::BadIdentifier { .. } => notification::open_error(subcode::BAD_IDENTIFIER, &[]),
            // The data is what was not taken, as FRR has it.
            Self::HoldTime { got, .. } => {
                notification::open_error(subcode::UNACCEPTABLE_HOLD_TIME, &got.to_be_bytes())
            }
            Self::RoleMismatch { .. } => notification::open_error(subcode::ROLE_MISMATCH, &[]),
            // RFC 5492 §5: the data lists the capabilities that are missing, as in an OPEN.
            Self::NoCommonFamily { ours, .. } => {
                let mut data = Vec::new();
                for family in ours {
                    let [high, low] = family.afi().to_be_bytes();
                    data.extend_from_slice(&[1, 4, high, low, 0, family.safi()]);
                }
                notification::open_error(subcode::UNSUPPORTED_CAPABILITY, &data)
            }
        }
    }

    /// What the operator can do.
    pub fn remedy(&self) -> String {
        match self {
            Self::WrongAs { got: Asn(0), .. } => "give the peer an AS number".to_owned(),
            Self::WrongAs { got, local, .. } => format!(
                "set `remote_as = {got}` for this neighbor, or correct the peer's own AS number; \
                 the peer must expect AS {local}"
            ),
            Self::BadIdentifier { got } if got.is_unspecified() => {
                "set a router ID at the peer".to_owned()
            }
            Self::BadIdentifier { got } => {
                format!("give one of the two routers another `router_id` than {got}")
            }
            Self::HoldTime { least_s, .. } => format!(
                "set a hold time of at least {least_s} s at the peer, or another `minimum_hold_time` in [router]"
            ),
            Self::RoleMismatch {
                ours,
                theirs: Some(_),
            } => format!(
                "set the peer's role to {}, which goes with ours, or correct `role` here",
                role_name(pair(*ours))
            ),
            Self::RoleMismatch { ours, theirs: None } => format!(
                "configure the role {} at the peer, or do not insist on one here",
                role_name(pair(*ours))
            ),
            Self::NoCommonFamily { .. } => {
                "activate at least one address family on both sides".to_owned()
            }
        }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongAs { expected, got, .. } => {
                write!(
                    f,
                    "the peer says it is AS {got}, the configuration expects {expected}"
                )
            }
            Self::BadIdentifier { got } if got.is_unspecified() => {
                f.write_str("the peer's BGP identifier is 0.0.0.0")
            }
            Self::BadIdentifier { got } => {
                write!(
                    f,
                    "the peer's BGP identifier {got} is also ours, in the same AS"
                )
            }
            Self::HoldTime { got, least_s } => write!(
                f,
                "the peer offers a hold time of {got} s, the configuration expects {least_s} s or more"
            ),
            Self::RoleMismatch {
                ours,
                theirs: Some(theirs),
            } => write!(
                f,
                "our role {} does not go with the peer's role {}",
                role_name(*ours),
                role_name(*theirs)
            ),
            Self::RoleMismatch { ours, theirs: None } => {
                write!(
                    f,
                    "our role is {}, and the peer did not say its own",
                    role_name(*ours)
                )
            }
            Self::NoCommonFamily { ours, theirs } => {
                f.write_str("no common address family: here ")?;
                list(f, ours.iter().map(|family| family.name().to_owned()))?;
                f.write_str("; at the peer ")?;
                list(
                    f,
                    theirs.iter().map(|(afi, safi)| {
                        Family::from_numbers(*afi, *safi).map_or_else(
                            || format!("AFI {afi} SAFI {safi}"),
                            |family| family.name().to_owned(),
                        )
                    }),
                )
            }
        }
    }
}

fn list(f: &mut fmt::Formatter<'_>, names: impl Iterator<Item = String>) -> fmt::Result {
    let names: Vec<String> = names.collect();
    f.write_str(if names.is_empty() { "none" } else { "" })?;
    f.write_str(&names.join(", "))
}

fn role_name(role: Role) -> &'static str {
    match role {
        Role::Provider => "provider",
        Role::RouteServer => "route server",
        Role::RouteServerClient => "route server client",
        Role::Customer => "customer",
        Role::Peer => "peer",
    }
}
