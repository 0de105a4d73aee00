//! What is said of neighbours: numbers, settings, and why a session is not up.

use std::time::Instant;

use bgp::message::AddPathMode;
use bgp::rib::{PathsSent, PeerId};
use bgp::session::{
    ConnectError, DownReason, EndedBy, Failure, Messages, Negotiated, State, Status, StopReason,
};
use bgp::{Family, ScopedAddr};

use super::{Core, number, state_of};
use crate::config::{self, Direction, Signing, SoftwareVersion};
use crate::control::reply::{self, BfdState, FailureKind, Families};
use crate::control::words::printable;
use crate::control::{Answer, Reply};
use crate::core::neighbor::{Neighbor, PROGRAM, host_name};
use crate::peer_io::transport;

impl Core {
    pub(super) fn neighbor_summary(
        &self,
        id: PeerId,
        neighbor: &Neighbor,
        bfd: &[(ScopedAddr, BfdState)],
    ) -> reply::NeighborSummary {
        let status = neighbor.status();
        let established = status.state == State::Established;
        let since = status.since.map(|since| since.elapsed().as_secs());
        let (why, hint) = why_down(&status, neighbor.config.passive);
        let hint = silence_hint(&status, &neighbor.config, self.config.asn).or(hint);
        let bfd = neighbor
            .config
            .bfd
            .as_ref()
            .and_then(|_| state_of(bfd, neighbor.address()));
        let hint = hint.or_else(|| bfd_hint(established, bfd, &neighbor.config));
        reply::NeighborSummary {
            address: neighbor.address(),
            remote_as: neighbor.remote_as(self.config.asn).map(|asn| asn.0),
            description: neighbor.config.description.clone(),
            state: status.state.to_string(),
            uptime_s: since.filter(|_| established),
            changed_s: match established {
                true => since,
                false => (status.last_down.as_ref()).map(|it| it.at.elapsed().as_secs()),
            },
            bfd,
            wireguard: self.wireguard_peer(neighbor).map(|peer| peer.state),
            draining: self.drain.covers(neighbor.address()),
            interface: neighbor.interface().map(str::to_owned),
            listen_range: neighbor.range().map(|range| range.to_string()),
            messages_received: counts(&status.counters.received).total(),
            messages_sent: counts(&status.counters.sent).total(),
            why,
            side: side(&status).map(str::to_owned),
            hint,
            families: self.route_counts(id, neighbor),
        }
    }

    pub(super) fn route_counts(
        &self,
        id: PeerId,
        neighbor: &Neighbor,
    ) -> Families<reply::RouteCounts> {
        let all = self.rib.counts(id);
        let mut families = Families::default();
        for (family, settings) in neighbor.config.families.iter() {
            if settings.is_some() {
                let counts = all.get(family);
                families.set(
                    family,
                    reply::RouteCounts {
                        received: number(counts.received),
                        accepted: number(counts.accepted),
                        looped: number(counts.looped),
                        advertised: number(counts.advertised),
                    },
                );
            }
        }
        families
    }

    pub(super) fn neighbors_reply(&self, address: Option<ScopedAddr>) -> Answer {
        let only = address.map(|it| self.named(it)).transpose()?;
        let bfd = self.bfd_states();
        let neighbors = self
            .neighbors
            .iter()
            .filter(|(id, _)| only.is_none_or(|only| only == **id))
            .map(|(id, neighbor)| self.neighbor_reply(*id, neighbor, &bfd))
            .collect();
        Ok(Reply::Neighbors(reply::Neighbors { neighbors }))
    }

    fn neighbor_reply(
        &self,
        id: PeerId,
        neighbor: &Neighbor,
        bfd: &[(ScopedAddr, BfdState)],
    ) -> reply::Neighbor {
        let status = neighbor.status();
        let negotiated = neighbor.negotiated();
        let timers = neighbor.config.timers;
        let mut details = Families::default();
        for (family, settings) in neighbor.config.families.iter() {
            if settings.is_none() {
                continue;
            }
            // Without a map, what is allowed depends on the AS number, which may not be known yet.
            let known = neighbor.remote_as(self.config.asn).is_some();
            let policy = |direction| {
                let policy = self.policy_of(neighbor, family, direction);
                (known || policy.map().is_some()).then(|| policy.to_string())
            };
            let agreed = negotiated.is_some_and(|it| it.families.get(family).is_some());
            details.set(
                family,
                reply::FamilyDetail {
                    negotiated: agreed,
                    import: policy(Direction::Import),
                    export: policy(Direction::Export),
                    end_of_rib_received: *neighbor.complete.get(family),
                    end_of_rib_sent: agreed && self.rib.is_settled(id),
                    stale: number(self.rib.stale(id, family)),
                    maximum: settings
                        .as_ref()
                        .and_then(|it| it.maximum_prefixes)
                        .map(maximum_reply),
                    maximum_out: settings
                        .as_ref()
                        .and_then(|it| it.maximum_prefixes_out)
                        .map(|limit| reply::MaximumPrefixesOut {
                            limit: limit.get(),
                            not_told: self.rib.limit_out(id, family).map_or(0, |it| number(it.1)),
                        }),
                    add_path: settings
                        .as_ref()
                        .and_then(|it| add_path_reply(it.add_path, neighbor, family)),
                },
            );
        }
        let agreed_hold = negotiated.map(|it| u64::from(it.hold_time.as_secs()));
        let agreed_keepalive = negotiated
            .and_then(|it| it.keepalive)
            .map(|it| it.as_secs());
        reply::Neighbor {
            summary: self.neighbor_summary(id, neighbor, bfd),
            local_address: neighbor.local(),
            connection: self.connection(neighbor),
            router_id: negotiated.map(|it| it.router_id),
            internal: neighbor.remote_as(self.config.asn) == Some(self.config.asn),
            // One that may know us by either number has said which.
            local_as: (neighbor.config.local_as.map(|it| it.asn))
                .filter(|asn| negotiated.is_none_or(|it| it.local_as == *asn))
                .map(|asn| asn.0),
            dual_as: neighbor.config.local_as.is_some_and(|it| it.dual),
            relation: self.relation_in_words(neighbor),
            password: matches!(neighbor.config.signing, Some(Signing::Md5(_))),
            tcp_ao: match &neighbor.config.signing {
                Some(Signing::Ao(keys)) => keys.keys().iter().map(|key| key.id).collect(),
                Some(Signing::Md5(_)) | None => Vec::new(),
            },
            ttl: neighbor.config.ttl(self.config.asn),
            ttl_security: neighbor.config.ttl_security,
            hold_time_s: agreed_hold.unwrap_or(timers.hold.as_secs()),
            keepalive_s: agreed_keepalive.unwrap_or(timers.keepalive.as_secs()),
            configured: reply::ConfiguredTimers {
                hold_time_s: timers.hold.as_secs(),
                keepalive_s: timers.keepalive.as_secs(),
                connect_retry_s: timers.connect_retry.as_secs(),
                stale_s: self.config.graceful_restart.stale_time.as_secs(),
            },
            graceful: graceful_offered(&neighbor.config),
            graceful_received: negotiated.and_then(|it| graceful_received(it)),
            idle: reply::Idle {
                received_ms: status.last_received.map(milliseconds),
                sent_ms: status.last_sent.map(milliseconds),
                update_ms: status.last_update.map(milliseconds),
            },
            received: counts(&status.counters.received),
            sent: counts(&status.counters.sent),
            malformed_updates: status.counters.malformed_updates,
            next_try_ms: status.next_try.map(|at| {
                let left = at.saturating_duration_since(Instant::now());
                u64::try_from(left.as_millis()).unwrap_or(u64::MAX)
            }),
            capabilities: negotiated
                .map(|it| it.capabilities.iter().map(capability_name).collect())
                .unwrap_or_default(),
            host_received: negotiated.and_then(|it| {
                let (host, domain) = it.fqdn.as_ref()?;
                (!host.is_empty()).then(|| reply::HostName {
                    host: printable(host),
                    domain: printable(domain),
                })
            }),
            version_received: negotiated.and_then(|it| {
                let version = printable(it.software_version.as_ref()?.trim_end_matches('\0'));
                (!version.is_empty()).then_some(version)
            }),
            version_sent: (neighbor.config.software_version != SoftwareVersion::Off)
                .then(|| PROGRAM.to_owned()),
            host_sent: host_name(&self.config, &neighbor.config)
                .map(|(host, domain)| reply::HostName { host, domain }),
            established: status.established,
            flaps: status.flaps,
            last_down: status.last_down.as_ref().map(failure),
            kept_s: (status.retained_until)
                .map(|until| until.saturating_duration_since(Instant::now()).as_secs()),
            last_resort: status.retained_old,
            last_error: status.last_error.as_ref().map(failure),
            wireguard_peer: self.wireguard_peer(neighbor),
            details,
        }
    }

    fn connection(&self, neighbor: &Neighbor) -> Option<reply::Connection> {
        let (ipv4, ipv6, link_local) = self.own_next_hops(neighbor, neighbor.local()?);
        Some(reply::Connection {
            ports: neighbor.ports()?,
            on_link: neighbor.device().is_some(),
            ipv4,
            ipv6,
            link_local,
        })
    }

    fn relation_in_words(&self, neighbor: &Neighbor) -> Vec<String> {
        let mut words = neighbor.config.relation_in_words();
        if let Some(confederation) = &self.config.confederation {
            let (id, own) = (confederation.id, self.config.asn);
            let within = match self.config.asn_towards(&neighbor.config) == own {
                true => format!("Within our confederation {id} (RFC 5065)"),
                false => format!("Outside of our confederation {id} (RFC 5065)"),
            };
            words.push(within);
        }
        words
    }
}

pub(super) fn counts(messages: &Messages) -> reply::MessageCounts {
    reply::MessageCounts {
        open: messages.opens,
        update: messages.updates,
        notification: messages.notifications,
        keepalive: messages.keepalives,
        route_refresh: messages.refreshes,
    }
}

/// What we say of graceful restart. The bits that are of one restart alone stand for now.
fn graceful_offered(config: &config::Neighbor) -> Option<reply::Graceful> {
    let times = config.graceful_restart?;
    let mut offered = reply::Graceful {
        notification: true,
        restart_time_s: times.restart.as_secs(),
        ..reply::Graceful::default()
    };
    for (family, settings) in config.families.iter() {
        if settings.is_some() {
            offered
                .families
                .set(family, reply::GracefulFamily::default());
            if let Some(time) = times.long_lived {
                offered.long_lived_s.set(family, time.as_secs());
            }
        }
    }
    Some(offered)
}

/// What the neighbour has said of it in its OPEN.
fn graceful_received(negotiated: &Negotiated) -> Option<reply::Graceful> {
    let said = negotiated.graceful.as_ref()?;
    let mut received = reply::Graceful {
        restarting: said.restarting,
        notification: said.notification,
        restart_time_s: u64::from(said.restart_time),
        ..reply::Graceful::default()
    };
    for (afi, safi, forwarding_preserved) in &said.families {
        if let Some(family) = Family::from_numbers(*afi, *safi) {
            let of = reply::GracefulFamily {
                forwarding_preserved: *forwarding_preserved,
            };
            received.families.set(family, of);
        }
    }
    for capability in &negotiated.capabilities {
        let bgp::message::Capability::LongLived(families) = capability else {
            continue;
        };
        for said in families {
            if let Some(family) = Family::from_numbers(said.afi, said.safi) {
                received.long_lived_s.set(family, u64::from(said.time));
            }
        }
    }
    Some(received)
}

/// How long ago.
fn milliseconds(at: Instant) -> u64 {
    u64::try_from(at.elapsed().as_millis()).unwrap_or(u64::MAX)
}

fn failure(failure: &Failure) -> reply::Failure {
    let received = if let DownReason::NotificationReceived(received) = &failure.reason {
        Some(notification(received))
    } else {
        None
    };
    let sent = || failure.reason.notification().as_ref().map(notification);
    reply::Failure {
        reason: failure.reason.to_string(),
        ago_s: failure.at.elapsed().as_secs(),
        kind: failure_kind(&failure.reason),
        notification: received.or_else(sent),
    }
}

fn failure_kind(reason: &DownReason) -> FailureKind {
    match reason {
        DownReason::Stopped(reason) => match reason {
            StopReason::AdministrativeShutdown { .. } => FailureKind::Shutdown,
            StopReason::AdministrativeReset { .. } | StopReason::HardReset { .. } => {
                FailureKind::Reset
            }
            StopReason::MaximumPrefixes { .. } => FailureKind::MaximumPrefixes,
            StopReason::LinkDown { .. } => FailureKind::LinkDown,
            StopReason::PeerDeconfigured
            | StopReason::OtherConfigurationChange
            | StopReason::OutOfResources => FailureKind::Stopped,
        },
        DownReason::NotificationReceived(_) => FailureKind::NotificationReceived,
        DownReason::ConnectFailed(_) | DownReason::TurnedAway { .. } => FailureKind::Connection,
        DownReason::ConnectionClosed { .. } | DownReason::PeerReconnected => FailureKind::Closed,
        DownReason::BfdDown => FailureKind::BfdDown,
        DownReason::HoldTimerExpired { .. }
        | DownReason::SendHoldTimerExpired { .. }
        | DownReason::BfdNotUp
        | DownReason::Open(_)
        | DownReason::Malformed { .. }
        | DownReason::UnexpectedMessage { .. }
        | DownReason::Collision
        | DownReason::Rejected => FailureKind::NotificationSent,
        _ => FailureKind::Stopped,
    }
}

/// What a Hard Reset wraps is what is told of it.
fn notification(told: &bgp::message::Notification) -> reply::Notification {
    let inner = told.inner();
    let meant = inner.as_ref().unwrap_or(told);
    let code = meant.code_name();
    reply::Notification {
        code: meant.code,
        subcode: meant.subcode,
        name: (meant.subcode_name()).map_or(code.to_owned(), |name| format!("{code}/{name}")),
        hard_reset: told.is_hard_reset(),
        text: told.text(),
    }
}

fn maximum_reply(maximum: config::MaximumPrefixes) -> reply::MaximumPrefixes {
    use crate::config::{MaximumAction, PrefixCount};
    reply::MaximumPrefixes {
        limit: maximum.limit,
        warn_at: maximum.warn_at,
        count: match maximum.count {
            PrefixCount::Received => "received",
            PrefixCount::Accepted => "accepted",
        }
        .to_owned(),
        action: match maximum.action {
            MaximumAction::Stop => "stop",
            MaximumAction::Restart(_) => "restart",
            MaximumAction::Warn => "warn",
        }
        .to_owned(),
        restart_after_s: match maximum.action {
            MaximumAction::Restart(time) => Some(time.as_secs()),
            MaximumAction::Stop | MaximumAction::Warn => None,
        },
    }
}

/// Several paths of a prefix, where they are configured.
pub(super) fn add_path_reply(
    configured: config::AddPath,
    neighbor: &Neighbor,
    family: Family,
) -> Option<reply::AddPath> {
    let agreed = neighbor.negotiated();
    let agreed = agreed.and_then(|it| it.families.get(family).as_ref());
    let send = configured.send.map(|count| match count {
        PathsSent::All => "all".to_owned(),
        PathsSent::Best(count) => count.to_string(),
        PathsSent::BestPerAs => "best_per_as".to_owned(),
    });
    (configured.receive || send.is_some()).then(|| reply::AddPath {
        receive: configured.receive,
        send,
        receiving: agreed.is_some_and(|it| it.add_path_receive),
        sending: agreed.is_some_and(|it| it.add_path_send),
    })
}

/// From which side a session is kept down.
fn side(status: &Status) -> Option<&'static str> {
    if status.state == State::Established {
        return None;
    }
    if status.stopped.is_some() {
        return Some("here");
    }
    Some(match status.error_in_force()?.ended_by() {
        EndedBy::Us => "here",
        EndedBy::Peer => "neighbor",
        EndedBy::Path => "path",
    })
}

/// Why a session is not up and what to do about it.
fn why_down(status: &Status, passive: bool) -> (Option<String>, Option<String>) {
    if status.state == State::Established {
        return (None, None);
    }
    if let Some(reason) = &status.stopped {
        let mut why = reason.to_string();
        if let Some(at) = status.next_try {
            let left = at.saturating_duration_since(Instant::now());
            why.push_str(&format!("; connects again in {} s", left.as_secs()));
        }
        return (Some(why), status.hint());
    }
    match status.error_in_force() {
        Some(reason) => (Some(reason.to_string()), reason.remedy()),
        None if matches!(status.state, State::OpenSent | State::OpenConfirm) => {
            (status.why(), None)
        }
        None if passive => (
            Some("waits for the neighbour to connect (passive)".to_owned()),
            None,
        ),
        None if status.waits_for_bfd => (Some("waits for BFD to come up".to_owned()), None),
        None => {
            let wait = status
                .next_try
                .map(|at| at.saturating_duration_since(Instant::now()));
            (
                wait.map(|wait| format!("connects again in {} ms", wait.as_millis())),
                None,
            )
        }
    }
}

/// What the silence of a neighbour may mean that only the configuration can tell: the kernels
/// drop what has the wrong signature or TTL without a word.
fn silence_hint(status: &Status, neighbor: &config::Neighbor, asn: bgp::Asn) -> Option<String> {
    let reason = &status.last_error.as_ref()?.reason;
    let unanswered = matches!(
        reason,
        DownReason::ConnectFailed(ConnectError::TimedOut | ConnectError::Unreachable)
    );
    // Its kernel answers with the TTL of the listening socket, its program with another.
    let speechless = matches!(
        reason,
        DownReason::HoldTimerExpired {
            state: State::OpenSent,
            ..
        }
    );
    let silent = unanswered || speechless && neighbor.ttl_security.is_some();
    if !silent || status.state == State::Established {
        return None;
    }
    let mut causes = Vec::new();
    let drops = transport::md5_drops().unwrap_or_default();
    let ao_drops = transport::ao_drops();
    causes.push(match &neighbor.signing {
        None => {
            let unknown = match ao_drops {
                Some(drops) if drops.unknown > 0 => {
                    format!(", {} with a TCP-AO key", drops.unknown)
                }
                Some(_) | None => String::new(),
            };
            format!(
                "the other side has a password and we have none (segments this host has dropped \
                 since its start: {} with a signature that nobody expects{unknown})",
                drops.unexpected
            )
        }
        Some(Signing::Md5(_)) => format!(
            "the passwords differ or the other side has none (segments this host has dropped \
             since its start: {} with a wrong signature, {} without one)",
            drops.wrong, drops.missing
        ),
        Some(Signing::Ao(_)) => {
            let drops = ao_drops.unwrap_or_default();
            format!(
                "the TCP-AO keys differ (secret, algorithm, or `id` here and `recv_id` there), or \
                 the other side has none (segments this host has dropped since its start: {} with \
                 a wrong signature, {} with a key id that we do not have, {} without one)",
                drops.wrong, drops.unknown, drops.missing
            )
        }
    });
    if let Some(hops) = neighbor.ttl_security {
        causes.push(format!(
            "the neighbor is more than {hops} hop(s) away, or does not send with TTL 255: set \
             ttl_security there too"
        ));
    } else if neighbor.ttl(asn) == 1 {
        causes.push("the neighbor is more than one hop away: set multihop".to_owned());
    }
    if causes.is_empty() {
        return None;
    }
    causes.push(
        "the address is not reachable (`ping`), or a firewall drops TCP port 179".to_owned(),
    );
    Some(format!("one of: {}", causes.join("; ")))
}

/// Why BFD may stay down beside a session that is up: what a neighbour does that counts hops.
fn bfd_hint(
    established: bool,
    state: Option<BfdState>,
    neighbor: &config::Neighbor,
) -> Option<String> {
    let down = matches!(state?, BfdState::Down | BfdState::Init);
    let near = neighbor.bfd.as_ref().is_some_and(|bfd| !bfd.multihop);
    (established && down && near && neighbor.ttl_security.is_some()).then(|| {
        "BFD is down: with `ttl-security hops` FRR runs BFD over several hops (RFC 5883, UDP port \
         4784); set bfd = { multihop = true } if this neighbor does"
            .to_owned()
    })
}

fn capability_name(capability: &bgp::message::Capability) -> String {
    use bgp::message::Capability;
    match capability {
        Capability::Multiprotocol(afi, safi) => match Family::from_numbers(*afi, *safi) {
            Some(family) => format!("multiprotocol {family}"),
            None => format!("multiprotocol AFI {afi} SAFI {safi}"),
        },
        Capability::RouteRefresh => "route refresh".to_owned(),
        Capability::ExtendedNextHop(_) => "extended next hop".to_owned(),
        Capability::ExtendedMessage => "extended message".to_owned(),
        Capability::Role(role) => format!("role {role:?}").to_lowercase(),
        Capability::GracefulRestart(graceful) => format!(
            "graceful restart {} s{}",
            graceful.restart_time,
            if graceful.restarting {
                ", restarting"
            } else {
                ""
            }
        ),
        Capability::FourOctetAs(_) => "four-octet AS".to_owned(),
        Capability::AddPath(list) => {
            let each = list.iter().map(|(afi, safi, mode)| {
                let mode = match mode {
                    AddPathMode::Receive => "receive",
                    AddPathMode::Send => "send",
                    AddPathMode::Both => "receive and send",
                };
                match Family::from_numbers(*afi, *safi) {
                    Some(family) => format!(" {family} {mode}"),
                    None => format!(" AFI {afi} SAFI {safi} {mode}"),
                }
            });
            let each: Vec<String> = each.collect();
            format!("add-path{}", each.join(";"))
        }
        Capability::EnhancedRouteRefresh => "enhanced route refresh".to_owned(),
        Capability::LongLived(families) => {
            let longest = families.iter().map(|family| family.time).max();
            format!("long-lived graceful restart {} s", longest.unwrap_or(0))
        }
        Capability::Fqdn { hostname, domain } => {
            let dot = if domain.is_empty() { "" } else { "." };
            format!("name {}{dot}{}", printable(hostname), printable(domain))
        }
        Capability::SoftwareVersion { version, .. } => {
            format!("software version {}", printable(version))
        }
        Capability::Unknown { code, .. } => format!("unknown {code}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bfd_that_stays_down_beside_ttl_security_has_a_remedy() {
        let text = "asn = 65001\nrouter_id = \"10.0.0.1\"\n[[neighbor]]\naddress = \"10.0.0.2\"\n\
                    remote_as = 65002\nbfd = true\nipv4_unicast = {}\n";
        let neighbor = |more: &str| {
            let config = config::parse(&format!("{text}{more}"), "test.toml").unwrap();
            config.neighbors.into_iter().next().unwrap()
        };
        let (plain, secured) = (neighbor(""), neighbor("ttl_security = 1"));
        let far = neighbor("ttl_security = 2");
        let hint = bfd_hint(true, Some(BfdState::Down), &secured).unwrap();
        assert!(hint.contains("4784"), "{hint}");
        for (established, state, of) in [
            (true, Some(BfdState::Up), &secured),
            (true, Some(BfdState::AdminDown), &secured),
            (false, Some(BfdState::Down), &secured),
            (true, None, &secured),
            (true, Some(BfdState::Down), &plain),
            (true, Some(BfdState::Down), &far),
        ] {
            assert_eq!(bfd_hint(established, state, of), None, "{state:?}");
        }
    }
}
