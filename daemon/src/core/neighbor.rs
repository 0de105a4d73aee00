//! One neighbour as the core knows it.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bgp::family::{Family, PerFamily};
use bgp::message::Update;
use bgp::policy::Policy;
use bgp::rib::{self, Batch, Drain, Handling, NextHopRule, PeerFacts, PeerFamily, PeerId};
use bgp::session::{
    self, BfdConfig, FamilyConfig, GracefulRestartConfig, HoldTime, Negotiated, Status, StopReason,
};
use bgp::{Asn, Prefix, ScopedAddr};
use tokio::sync::{mpsc, watch};

use super::Core;
use super::limit::Limits;
use crate::config::{self, Config, Direction, SoftwareVersion};
use crate::peer_io::Command;
use crate::peer_io::transport::Transport;
use crate::repeats::Repeats;

/// One neighbour.
#[derive(Debug)]
pub(super) struct Neighbor {
    pub(super) config: config::Neighbor,
    /// Why there is this neighbour.
    pub(super) origin: Origin,
    commands: mpsc::UnboundedSender<Command>,
    status: watch::Receiver<Status>,
    session: Option<SessionFacts>,
    /// Its last session went with a device, and it has had none since.
    link_lost: bool,
    /// End-of-RIB was received in this session.
    pub(super) complete: PerFamily<bool>,
    /// Where the number of prefixes stands against its limit.
    pub(super) limits: Limits,
    /// What was said of its UPDATEs.
    mistakes: Repeats,
}

/// How often a mistake that goes on is said. `show neighbors` counts all of them.
const MISTAKES_PAUSE: Duration = Duration::from_secs(60);

/// Why there is a neighbour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// The configuration names its address.
    Address,
    /// It has come from a listen range.
    Range(Prefix),
    /// It was heard on the interface that its address belongs to.
    Interface,
}

/// What is known while Established.
#[derive(Debug)]
pub(super) struct SessionFacts {
    /// What both sides agreed on.
    pub(super) negotiated: Arc<Negotiated>,
    /// Own address of the connection.
    pub(super) local: IpAddr,
    /// TCP ports of the connection, our own first.
    pub(super) ports: [u16; 2],
    /// Where batches go.
    pub(super) batches: mpsc::UnboundedSender<Arc<Batch>>,
    /// The kernel's number of the device that it is behind, if it is on a link of ours.
    pub(super) device: Option<u32>,
}

impl Neighbor {
    pub(super) fn new(
        config: config::Neighbor,
        origin: Origin,
        commands: mpsc::UnboundedSender<Command>,
        status: watch::Receiver<Status>,
    ) -> Self {
        Self {
            config,
            origin,
            commands,
            status,
            session: None,
            link_lost: false,
            complete: PerFamily::default(),
            limits: Limits::default(),
            mistakes: Repeats::new(MISTAKES_PAUSE),
        }
    }

    /// The listen range it has come from.
    pub(super) fn range(&self) -> Option<Prefix> {
        match &self.origin {
            Origin::Range(prefix) => Some(*prefix),
            Origin::Address | Origin::Interface => None,
        }
    }

    /// The interface on which it was heard.
    pub(super) fn interface(&self) -> Option<&str> {
        match &self.origin {
            Origin::Interface => self.config.address.zone(),
            Origin::Address | Origin::Range(_) => None,
        }
    }

    pub(super) fn address(&self) -> ScopedAddr {
        self.config.address
    }

    /// Its AS number: what it has said, or what it must say.
    pub(super) fn remote_as(&self, own: Asn) -> Option<Asn> {
        let said = self.negotiated().map(|negotiated| negotiated.remote_as);
        said.or_else(|| self.config.remote_asn(own))
    }

    pub(super) fn up(&mut self, session: SessionFacts) {
        self.complete = PerFamily::default();
        self.limits = Limits::default();
        self.link_lost = false;
        self.session = Some(session);
    }

    /// The device that its session needs.
    pub(super) fn device(&self) -> Option<u32> {
        self.session.as_ref()?.device
    }

    /// The device that its session needs is lost.
    pub(super) fn lose_link(&mut self, interface: String) {
        self.link_lost = true;
        self.command(Command::Stop(StopReason::LinkDown { interface }));
    }

    pub(super) fn has_lost_link(&self) -> bool {
        self.link_lost
    }

    pub(super) fn down(&mut self) {
        self.session = None;
        self.complete = PerFamily::default();
    }

    pub(super) fn is_up(&self) -> bool {
        self.session.is_some()
    }

    pub(super) fn is_down(&self) -> bool {
        self.session.is_none()
    }

    /// Notes what of an UPDATE is of interest beside its routes.
    pub(super) fn note(&mut self, update: &Update) {
        if let Some(family) = update.end_of_rib {
            *self.complete.get_mut(family) = true;
        }
        for error in &update.errors {
            if let Some(more) = self.mistakes.say(Instant::now(), &error.to_string()) {
                tracing::warn!(
                    neighbor = %self.config.address,
                    %error,
                    alike_since_the_last_line = more,
                    "mistake in an UPDATE"
                );
            }
        }
    }

    /// False if there is no session to send to.
    pub(super) fn send(&self, batch: Arc<Batch>) -> bool {
        self.session
            .as_ref()
            .is_some_and(|session| session.batches.send(batch).is_ok())
    }

    pub(super) fn command(&self, command: Command) {
        // A task that is gone has stopped by itself, at the end of the daemon.
        drop(self.commands.send(command));
    }

    pub(super) fn negotiated(&self) -> Option<&Arc<Negotiated>> {
        self.session.as_ref().map(|session| &session.negotiated)
    }

    pub(super) fn local(&self) -> Option<IpAddr> {
        self.session.as_ref().map(|session| session.local)
    }

    /// TCP ports of the session's connection, our own first.
    pub(super) fn ports(&self) -> Option<[u16; 2]> {
        self.session.as_ref().map(|session| session.ports)
    }

    /// An address of ours on the link to the neighbour.
    fn own(&self, local: IpAddr) -> ScopedAddr {
        self.address().names(local)
    }

    pub(super) fn enhanced_refresh(&self) -> bool {
        self.negotiated()
            .is_some_and(|negotiated| negotiated.enhanced_refresh)
    }

    pub(super) fn status(&self) -> Status {
        self.status.borrow().clone()
    }

    /// Every family in use has been received completely.
    pub(super) fn is_complete(&self) -> bool {
        self.negotiated().is_some_and(|negotiated| {
            Family::ALL.into_iter().all(|family| {
                negotiated.families.get(family).is_none() || *self.complete.get(family)
            })
        })
    }
}

/// Settings of a session, from the configuration.
pub(super) fn session_config(
    config: &Config,
    neighbor: &config::Neighbor,
    restarting: bool,
    seeds: (u64, u64),
) -> session::Config {
    let mut families: PerFamily<Option<FamilyConfig>> = PerFamily::default();
    for (family, settings) in neighbor.families.iter() {
        *families.get_mut(family) = settings.as_ref().map(|settings| FamilyConfig {
            add_path_receive: settings.add_path.receive,
            add_path_send: settings.add_path.send.is_some(),
            // Of use to a neighbour with IPv6 addresses only.
            extended_next_hop: family == Family::Ipv4Unicast && !neighbor.address.is_ipv4(),
        });
    }
    let graceful = neighbor.graceful_restart.map(|times| {
        let seconds = u16::try_from(times.restart.as_secs()).unwrap_or(u16::MAX);
        let mut graceful = GracefulRestartConfig::new(seconds);
        let long_lived = times.long_lived.map(|time| time.as_secs());
        graceful.long_lived_s = long_lived.and_then(|it| u32::try_from(it).ok());
        graceful.restarting = restarting;
        if restarting {
            graceful.forwarding_preserved = PerFamily {
                ipv4_unicast: true,
                ipv6_unicast: true,
                evpn: true,
            };
        }
        graceful
    });
    let hold = u16::try_from(neighbor.timers.hold.as_secs()).unwrap_or(u16::MAX);
    // The configuration accepts no other values; the default is a safe way on.
    let hold = HoldTime::secs(hold).unwrap_or(HoldTime::DEFAULT);
    let bfd = neighbor.bfd.as_ref().map(|bfd| BfdConfig {
        strict: bfd.strict,
        detect_time: bfd.detection_time(),
    });
    let asn = config.asn_towards(neighbor);
    let dual = neighbor.local_as.is_some_and(|local_as| local_as.dual);
    // The number that the neighbour would know us by without `local_as`.
    let usual = config.asn_towards(&config::Neighbor {
        local_as: None,
        ..neighbor.clone()
    });
    let mut session = session::Config::new(asn, neighbor.remote_as, config.router_id)
        .or_as(dual.then_some(usual));
    if let Some(time) = neighbor.timers.send_hold {
        session = session.send_hold_time(time);
    }
    if let Some((host, domain)) = host_name(config, neighbor) {
        session = session.hostname(&host, &domain);
    }
    match neighbor.software_version {
        SoftwareVersion::Off => {}
        SoftwareVersion::Classic => session = session.software_version(PROGRAM, false),
        SoftwareVersion::Latest => session = session.software_version(PROGRAM, true),
    }
    session
        .families(families)
        .hold_time(hold)
        .minimum_hold_time(config.minimum_hold_time)
        .keepalive(neighbor.timers.keepalive)
        .connect_retry(
            FIRST_RETRY.min(neighbor.timers.connect_retry),
            neighbor.timers.connect_retry,
        )
        .passive(neighbor.passive)
        .graceful_restart(graceful)
        .stale_time(config.graceful_restart.stale_time)
        .confederation_member(config.is_member(neighbor))
        .role(neighbor.role, neighbor.relation.role_strict)
        .aigp(neighbor.aigp)
        .unwanted(neighbor.unwanted)
        .plain(!neighbor.capabilities)
        .bfd(bfd)
        .hash_seed(seeds.0)
        .jitter_seed(seeds.1)
}

/// How a neighbour's connections are made.
pub(super) fn transport(
    config: &Config,
    neighbor: &config::Neighbor,
    origin: &Origin,
) -> Transport {
    Transport {
        local: neighbor.local_address,
        interface: neighbor.source_interface.clone(),
        vrf: config.vrf.clone(),
        ttl: neighbor.ttl(config.asn),
        min_ttl: neighbor.min_ttl(),
        signing: neighbor.signing.clone(),
        signed: match origin {
            Origin::Range(prefix) => *prefix,
            Origin::Address | Origin::Interface => Prefix::host(neighbor.address.ip()),
        },
        within: match origin {
            Origin::Address => config.listen_range(neighbor.address),
            Origin::Range(_) | Origin::Interface => None,
        }
        .filter(|range| matches!(range.settings.signing, Some(config::Signing::Ao(_))))
        .map(|range| range.prefix),
    }
}

/// The first attempts follow each other quickly; later ones slow down to the configured pause.
const FIRST_RETRY: Duration = Duration::from_millis(500);

/// What a neighbour is told that asks for it.
pub(super) const PROGRAM: &str = concat!("rbgpd/", env!("CARGO_PKG_VERSION"));

/// What a neighbour is told that this host is called, and its domain.
pub(super) fn host_name(config: &Config, neighbor: &config::Neighbor) -> Option<(String, String)> {
    let host = config.hostname.clone().unwrap_or_else(hostname);
    let domain = config.domainname.clone().unwrap_or_default();
    (neighbor.fqdn && !host.is_empty()).then_some((host, domain))
}

/// What the system calls this host.
pub(super) fn hostname() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .map(|name| name.trim().to_owned())
        .unwrap_or_default()
}

impl Core {
    /// What the tables need to know of an Established neighbour.
    pub(super) fn facts(&self, peer: PeerId) -> Option<PeerFacts> {
        let neighbor = self.neighbors.get(&peer)?;
        let session = neighbor.session.as_ref()?;
        let negotiated = &session.negotiated;
        let (local_ipv4, local_ipv6, local_link) = self.own_next_hops(neighbor, session.local);
        // Not where it knows us by our own number after all, nor within an AS.
        let external = negotiated.local_as != negotiated.remote_as;
        let alias = neighbor.config.local_as;
        let alias = alias.filter(|it| it.asn == negotiated.local_as && external);
        Some(PeerFacts {
            address: neighbor.config.address,
            remote_as: negotiated.remote_as,
            local_as: negotiated.local_as,
            alias: alias.map(|local_as| rib::Alias {
                own_as: self.config.public_asn(),
                prepend: local_as.prepend,
                replace: local_as.replace,
            }),
            relation: rib::Relation {
                reflector_client: neighbor.config.reflector_client(),
                role: neighbor.config.role,
                member: self.config.is_member(&neighbor.config),
                server_client: neighbor.config.server_client(),
                instance: false,
                overlay: false,
            },
            router_id: negotiated.router_id,
            local_address: session.local,
            local_ipv4,
            local_ipv6,
            local_link,
            families: self.peer_families(neighbor, negotiated),
            aigp: negotiated.aigp,
            as4: negotiated.as4,
            extended_message: negotiated.extended_message,
            shared_networks: self.shared_networks(peer),
            link: None,
        })
    }

    /// Own addresses came or went: what neighbours are told as next hop follows.
    pub(super) fn refresh_addresses(&mut self) {
        let neighbors = self.neighbors.iter();
        let addresses = neighbors.filter_map(|(peer, neighbor)| {
            let (ipv4, ipv6, link_local) = self.own_next_hops(neighbor, neighbor.local()?);
            Some(rib::Input::Addresses {
                peer: *peer,
                ipv4,
                ipv6,
                link_local,
            })
        });
        for addresses in addresses.collect::<Vec<_>>() {
            self.hand_in(addresses);
        }
        self.refresh_shared_networks();
    }

    /// Our addresses on the way to a neighbour whose session has this one of ours: IPv4, IPv6, and
    /// the link-local one on a link that we share (RFC 2545 §3).
    pub(super) fn own_next_hops(
        &self,
        neighbor: &Neighbor,
        local: IpAddr,
    ) -> (Option<Ipv4Addr>, Option<Ipv6Addr>, Option<Ipv6Addr>) {
        let (own, other) = (neighbor.own(local), neighbor.address());
        let (ground, vrf) = (&self.install.ground, self.config.vrf.as_deref());
        let (ipv4, ipv6) = ground.beside(own, other, vrf);
        (ipv4, ipv6, ground.link_local_towards(own, other, vrf))
    }

    /// The policy in effect for a neighbour.
    pub(super) fn policy_of(
        &self,
        neighbor: &Neighbor,
        family: Family,
        direction: Direction,
    ) -> Policy {
        let remote_as = neighbor.remote_as(self.config.asn);
        self.config
            .effective_policy(&neighbor.config, remote_as, family, direction)
    }

    /// Settings per negotiated family, drain included.
    fn peer_families(
        &self,
        neighbor: &Neighbor,
        negotiated: &Negotiated,
    ) -> PerFamily<Option<PeerFamily>> {
        let announced = self.config.graceful_shutdown || neighbor.config.graceful_shutdown;
        let drain = self.drain.covers(neighbor.address()).then(Drain::default);
        let drain = drain.or(announced.then_some(Drain::ANNOUNCED));
        let of = |family: Family| {
            let agreed = negotiated.families.get(family).as_ref()?;
            let settings = neighbor.config.families.get(family).as_ref()?;
            Some(PeerFamily {
                import: self.policy_of(neighbor, family, Direction::Import),
                export: self.policy_of(neighbor, family, Direction::Export),
                default_originate: settings.default_originate.clone(),
                advertise_if: settings.advertise_if.clone(),
                unsuppress: settings.unsuppress.clone(),
                maximum_prefixes_out: settings.maximum_prefixes_out,
                handling: Handling {
                    whole_bandwidths: neighbor.config.whole_bandwidths,
                    ..settings.handling
                },
                enforce_first_as: neighbor.config.enforces_first_as(),
                weight: settings.weight,
                honor_blackhole: settings.honor_blackhole,
                long_lived: agreed.peer_long_lived.is_some(),
                add_path_receive: agreed.add_path_receive,
                add_path_send: settings.add_path.send.filter(|_| agreed.add_path_send),
                extended_next_hop: agreed.extended_next_hop,
                next_hop: match settings.next_hop {
                    config::NextHopRule::Auto => NextHopRule::Auto,
                    config::NextHopRule::Myself => NextHopRule::Myself,
                    config::NextHopRule::MyselfAlways => NextHopRule::MyselfAlways,
                    config::NextHopRule::Unchanged => NextHopRule::Unchanged,
                },
                drain,
                max_med: self.max_med.told(),
            })
        };
        PerFamily {
            ipv4_unicast: of(Family::Ipv4Unicast),
            ipv6_unicast: of(Family::Ipv6Unicast),
            evpn: of(Family::Evpn),
        }
    }
}
