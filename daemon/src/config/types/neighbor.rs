//! Neighbours.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use bgp::family::{Family, PerFamily};
use bgp::message::Role;
use bgp::policy::RouteMap;
use bgp::rib::{AdvertiseIf, DefaultOriginate, Handling, OwnAs, PathsSent, Presence, PrivateAs};
use bgp::session::RemoteAs;
use bgp::wire::{AttributeCodes, Unwanted};
use bgp::{Asn, Prefix, ScopedAddr};

use super::{BGP_PORT, Bfd, GracefulRestart, Keyword, Signing};

/// A neighbour.
#[derive(Debug, Clone, PartialEq)]
pub struct Neighbor {
    /// Its address.
    pub address: ScopedAddr,
    /// Its AS number.
    pub remote_as: RemoteAs,
    /// Our AS number on this session, if it is another than everywhere else.
    pub local_as: Option<LocalAs>,
    /// What people call it.
    pub description: Option<String>,
    /// Its TCP port.
    pub port: u16,
    /// The address we connect from.
    pub local_address: Option<IpAddr>,
    /// The interface whose address we connect from; never together with `local_address`.
    pub source_interface: Option<String>,
    /// What the neighbour's packets may have travelled, in hops (RFC 5082).
    pub ttl_security: Option<u8>,
    /// TTL of our packets; `None` leaves it to [`Neighbor::ttl`].
    pub multihop: Option<u8>,
    /// What signs its TCP segments and ours.
    pub signing: Option<Signing>,
    /// Wait for the neighbour to connect.
    pub passive: bool,
    /// Keep the session down.
    pub shutdown: bool,
    /// What the neighbour's operator is told about that (RFC 9003).
    pub shutdown_text: Option<String>,
    /// What we are to the neighbour (RFC 9234).
    pub role: Option<Role>,
    /// Its paths have to begin with its AS number (RFC 4271 §6.3); `None`: unless our role says that
    /// it is a route server.
    pub enforce_first_as: Option<bool>,
    /// What it is to us, beside its AS number.
    pub relation: Relation,
    /// Timers.
    pub timers: Timers,
    /// BFD, if it is on.
    pub bfd: Option<Bfd>,
    /// Restart time we offer (RFC 4724); `None` turns graceful restart off on this session.
    pub graceful_restart: Option<RestartTimes>,
    /// Families that are activated.
    pub families: PerFamily<Option<NeighborFamily>>,
    /// Link bandwidths from and to it are whole numbers of octets a second, and no floats.
    pub whole_bandwidths: bool,
    /// It is told that it may soon lose us (RFC 8326).
    pub graceful_shutdown: bool,
    /// Exchange AIGP; `None`: within our AS only.
    pub aigp: Option<bool>,
    /// Path attributes that are not taken from it.
    pub unwanted: Unwanted,
    /// It is told what this host is called.
    pub fqdn: bool,
    /// Capabilities are said and heeded (RFC 5492).
    pub capabilities: bool,
    /// It is told which program this is.
    pub software_version: SoftwareVersion,
}

impl Neighbor {
    /// A neighbour with the defaults of every key and no family.
    pub fn new(address: impl Into<ScopedAddr>, remote_as: Asn) -> Self {
        Self {
            address: address.into(),
            remote_as: RemoteAs::Exact(remote_as),
            local_as: None,
            description: None,
            port: BGP_PORT,
            local_address: None,
            source_interface: None,
            ttl_security: None,
            multihop: None,
            signing: None,
            passive: false,
            shutdown: false,
            shutdown_text: None,
            role: None,
            enforce_first_as: None,
            relation: Relation::default(),
            timers: Timers::default(),
            bfd: None,
            graceful_restart: Some(RestartTimes {
                restart: GracefulRestart::default().restart_time,
                long_lived: None,
            }),
            families: PerFamily::default(),
            whole_bandwidths: false,
            graceful_shutdown: false,
            aigp: None,
            unwanted: Unwanted::default(),
            fqdn: true,
            capabilities: true,
            software_version: SoftwareVersion::default(),
        }
    }

    /// TTL of what we send to the neighbour. An eBGP neighbour is one hop away unless the
    /// configuration says otherwise; RFC 5082 §3 sends 255 so that the other side can count.
    pub fn ttl(&self, asn: Asn) -> u8 {
        match (self.ttl_security, self.multihop) {
            (Some(_), _) => u8::MAX,
            (None, Some(ttl)) => ttl,
            (None, None) if is_internal(self.remote_as, self.local_as, asn) => u8::MAX,
            (None, None) => 1,
        }
    }

    /// True for one on a link of ours: its address belongs to the link, or it is of another AS and
    /// no more than a hop away.
    pub fn is_on_link(&self, asn: Asn) -> bool {
        let near = match (self.ttl_security, self.multihop) {
            (Some(hops), _) => hops == 1,
            (None, Some(ttl)) => ttl == 1,
            (None, None) => true,
        };
        let external = !is_internal(self.remote_as, self.local_as, asn);
        self.address.zone().is_some() || (external && near)
    }

    /// The AS number as far as it is known before the neighbour has said it.
    pub fn remote_asn(&self, own: Asn) -> Option<Asn> {
        match self.remote_as {
            RemoteAs::Exact(asn) => Some(asn),
            RemoteAs::Internal => Some(self.local_as.map_or(own, |it| it.asn)),
            RemoteAs::External | RemoteAs::Auto => None,
        }
    }

    /// RFC 7947 §2.2.2.2: a route server does not put its own number first.
    pub fn enforces_first_as(&self) -> bool {
        let server = self.role == Some(Role::RouteServerClient);
        self.enforce_first_as.unwrap_or(!server)
    }

    /// In which families it is a client of our route reflector (RFC 4456).
    pub fn reflector_client(&self) -> PerFamily<bool> {
        let usual = self.relation.route_reflector_client;
        self.in_each(|family| family.route_reflector_client.unwrap_or(usual))
    }

    /// In which families it is a client of our route server (RFC 7947).
    pub fn server_client(&self) -> PerFamily<bool> {
        let usual = self.relation.route_server_client;
        self.in_each(|family| family.route_server_client.unwrap_or(usual))
    }

    fn in_each(&self, holds: impl Fn(&NeighborFamily) -> bool) -> PerFamily<bool> {
        let holds = |family: &Option<NeighborFamily>| family.as_ref().is_some_and(&holds);
        PerFamily {
            ipv4_unicast: holds(&self.families.ipv4_unicast),
            ipv6_unicast: holds(&self.families.ipv6_unicast),
            evpn: holds(&self.families.evpn),
        }
    }

    /// What it is to us beside its AS number, one sentence each.
    pub fn relation_in_words(&self) -> Vec<String> {
        let relation = self.relation;
        let mut words = Vec::new();
        words.extend(
            self.client_in_words("Route reflector client (RFC 4456)", |it| {
                it.reflector_client()
            }),
        );
        words.extend(
            self.client_in_words("Route server client (RFC 7947)", |it| it.server_client()),
        );
        if let Some(role) = self.role {
            let strict = match relation.role_strict {
                true => ", and it must say its own",
                false => "",
            };
            words.push(format!("Our role is {}{strict} (RFC 9234)", role.word()));
        }
        if !self.enforces_first_as() {
            words.push("Its paths may begin with any AS number".to_owned());
        }
        let codes = |codes: AttributeCodes| {
            let codes: Vec<String> = codes.iter().map(|code| code.to_string()).collect();
            Some(codes.join(", ")).filter(|codes| !codes.is_empty())
        };
        if let Some(codes) = codes(self.unwanted.discard) {
            words.push(format!("Path attributes discarded unread: {codes}"));
        }
        if let Some(codes) = codes(self.unwanted.withdraw) {
            words.push(format!(
                "Routes with these path attributes are taken for withdrawn: {codes}"
            ));
        }
        for (family, settings) in self.families.iter() {
            let Some(settings) = settings else { continue };
            let said = handling_in_words(&settings.handling).into_iter();
            let said = said.chain(settings.dependent_in_words());
            words.extend(said.map(|it| format!("{family}: {it}")));
        }
        words
    }

    /// A client in all its families, or in those that are named.
    fn client_in_words(
        &self,
        what: &str,
        client: impl Fn(&Self) -> PerFamily<bool>,
    ) -> Option<String> {
        let client = client(self);
        let active: Vec<Family> = (self.families.iter())
            .filter_map(|(family, settings)| settings.as_ref().map(|_| family))
            .collect();
        let named = active.iter().filter(|family| *client.get(**family));
        let named: Vec<&str> = named.map(|family| family.name()).collect();
        match named.len() {
            0 => None,
            all if all == active.len() => Some(what.to_owned()),
            _ => Some(format!("{what} in {}", named.join(", "))),
        }
    }

    /// Least TTL of packets that are taken as the neighbour's (RFC 5082 §3).
    pub fn min_ttl(&self) -> Option<u8> {
        self.ttl_security.map(|hops| u8::MAX - (hops - 1))
    }
}

/// What a neighbour is to us, beside its AS number. A change restarts the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Relation {
    /// A client of our route reflector (RFC 4456).
    pub route_reflector_client: bool,
    /// A client of our route server (RFC 7947).
    pub route_server_client: bool,
    /// It must say its role (RFC 9234 §4.2), since ours is configured.
    pub role_strict: bool,
}

/// What is not as usual, one clause each.
fn handling_in_words(handling: &Handling) -> Vec<String> {
    let mut words = Vec::new();
    match handling.own_as {
        OwnAs::Times(0) => {}
        OwnAs::Times(times) => words.push(format!(
            "its paths may contain our AS number (allowas_in = {times})"
        )),
        OwnAs::Origin => words.push("its paths may begin in our AS (allowas_in)".to_owned()),
    }
    if handling.as_override {
        words.push("our AS number stands for its own in what it is told".to_owned());
    }
    if handling.as_path_unchanged {
        words.push("our AS number is not put in front of paths that it is told".to_owned());
    }
    if handling.med_unchanged {
        words.push("it is told the MEDs of others".to_owned());
    }
    match handling.private_as {
        PrivateAs::Keep => {}
        PrivateAs::Remove | PrivateAs::RemoveAll => {
            words.push("it is not told private AS numbers".to_owned());
        }
        PrivateAs::Replace | PrivateAs::ReplaceAll => {
            words.push("our AS number stands for private ones in what it is told".to_owned());
        }
    }
    let omitted = handling.omitted;
    for (left_out, form) in [
        (omitted.standard, CommunityForm::Standard),
        (omitted.extended, CommunityForm::Extended),
        (omitted.large, CommunityForm::Large),
    ] {
        if left_out {
            words.push(format!("it is not told {} communities", form.word()));
        }
    }
    words
}

/// Another AS number of ours for one session, as after a merger: the neighbour need not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalAs {
    /// The number.
    pub asn: Asn,
    /// It stands in front of the paths that the neighbour sends, as that of an AS between.
    pub prepend: bool,
    /// The neighbour is told this number in place of our own, and not in front of it.
    pub replace: bool,
    /// The neighbour may know us by our own number, too.
    pub dual: bool,
}

/// A network whose hosts become neighbours when they connect.
#[derive(Debug, Clone, PartialEq)]
pub struct ListenRange {
    /// The network.
    pub prefix: Prefix,
    /// Most neighbours from it at a time.
    pub limit: u16,
    /// What each of them is; the address is that of the network.
    pub settings: Neighbor,
}

impl ListenRange {
    /// Usual limit.
    pub const LIMIT: u16 = 100;

    /// What a neighbour with this address is.
    pub fn neighbor(&self, address: ScopedAddr) -> Neighbor {
        Neighbor {
            address,
            ..self.settings.clone()
        }
    }
}

/// The neighbour on an interface, whatever its address is (BGP unnumbered): its link-local
/// address is heard in its router advertisements.
#[derive(Debug, Clone, PartialEq)]
pub struct InterfaceNeighbor {
    /// Name of the interface.
    pub interface: String,
    /// How often we say there that we are a router (RFC 4861).
    pub advertisement_interval: Duration,
    /// What the neighbour is; the address is [`InterfaceNeighbor::NOBODY`].
    pub settings: Neighbor,
}

impl InterfaceNeighbor {
    /// How often that is usually, as FRR has it.
    pub const ADVERTISEMENT_INTERVAL: Duration = Duration::from_secs(10);

    /// Stands for an address that is not known yet.
    pub const NOBODY: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0));

    /// What the neighbour with this address is.
    pub fn neighbor(&self, address: ScopedAddr) -> Neighbor {
        Neighbor {
            address,
            ..self.settings.clone()
        }
    }
}

/// True for a neighbour inside our own AS, or inside the one that it knows us by (RFC 7705 §4).
pub(in crate::config) fn is_internal(
    remote: RemoteAs,
    local_as: Option<LocalAs>,
    own: Asn,
) -> bool {
    match remote {
        RemoteAs::Exact(asn) => asn == own || local_as.is_some_and(|it| it.asn == asn),
        RemoteAs::Internal => true,
        // One that has not said its AS number yet is dealt with as one of another AS.
        RemoteAs::External | RemoteAs::Auto => false,
    }
}

/// Timers of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timers {
    /// Hold time offered: 0 (off) or 3 s to 65535 s, whole seconds (RFC 4271 §4.2).
    pub hold: Duration,
    /// Keepalive interval, shorter than the hold time. Applies as long as the hold time in
    /// effect is not shorter than the offered one; then it shrinks in proportion.
    pub keepalive: Duration,
    /// How long the neighbour may take in nothing; `None`: the greater of 8 minutes and twice the
    /// negotiated hold time (RFC 9687 §3.1).
    pub send_hold: Option<Duration>,
    /// Pause between attempts to connect.
    pub connect_retry: Duration,
}

impl Default for Timers {
    fn default() -> Self {
        Self {
            hold: Duration::from_secs(90),
            keepalive: Duration::from_secs(30),
            send_hold: None,
            connect_retry: Duration::from_secs(10),
        }
    }
}

/// A family activated with a neighbour.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NeighborFamily {
    /// Route-map for what the neighbour tells us.
    pub import: Option<Arc<RouteMap>>,
    /// Route-map for what we tell the neighbour.
    pub export: Option<Arc<RouteMap>>,
    /// The next hop we tell the neighbour.
    pub next_hop: NextHopRule,
    /// The neighbour is told a default route of our own.
    pub default_originate: Option<DefaultOriginate>,
    /// Some routes are told only while others are there, or are not.
    pub advertise_if: Option<AdvertiseIf>,
    /// What is told although an aggregate stands for it.
    pub unsuppress: Option<Arc<RouteMap>>,
    /// Most prefixes that the neighbour is told.
    pub maximum_prefixes_out: Option<NonZeroU32>,
    /// What happens to AS numbers and communities on the way.
    pub handling: Handling,
    /// Weight of what the neighbour sends.
    pub weight: Option<u32>,
    /// Drop packets to what the neighbour sends with BLACKHOLE (RFC 7999).
    pub honor_blackhole: bool,
    /// Several paths of a prefix (RFC 7911).
    pub add_path: AddPath,
    /// Most prefixes that the neighbour may send.
    pub maximum_prefixes: Option<MaximumPrefixes>,
    /// A client of our route reflector (RFC 4456) in this family; `None`: as in others.
    pub route_reflector_client: Option<bool>,
    /// A client of our route server (RFC 7947) in this family; `None`: as in others.
    pub route_server_client: Option<bool>,
}

impl NeighborFamily {
    /// The route-maps that what the neighbour is told depends on, beside `export`.
    pub fn conditions(&self) -> impl Iterator<Item = &Arc<RouteMap>> {
        let default = self.default_originate.iter();
        let default = default.filter_map(|it| match it {
            DefaultOriginate::Always => None,
            DefaultOriginate::While(map) => Some(map),
        });
        let condition = self.advertise_if.iter();
        let condition = condition.flat_map(|it| [&it.routes, &it.condition]);
        default.chain(condition).chain(&self.unsuppress)
    }

    /// All route-maps it refers to, to replace them.
    pub(in crate::config) fn maps_mut(&mut self) -> impl Iterator<Item = &mut Arc<RouteMap>> {
        let default = self.default_originate.iter_mut();
        let default = default.filter_map(|it| match it {
            DefaultOriginate::Always => None,
            DefaultOriginate::While(map) => Some(map),
        });
        let condition = self.advertise_if.iter_mut();
        let condition = condition.flat_map(|it| [&mut it.routes, &mut it.condition]);
        let maps = self.import.iter_mut().chain(&mut self.export);
        maps.chain(default)
            .chain(condition)
            .chain(&mut self.unsuppress)
    }

    /// What depends on other routes or on a limit, one clause each.
    fn dependent_in_words(&self) -> Vec<String> {
        let mut words = Vec::new();
        match &self.default_originate {
            None => {}
            Some(DefaultOriginate::Always) => {
                words.push("it is told a default route of our own".to_owned());
            }
            Some(DefaultOriginate::While(map)) => words.push(format!(
                "it is told a default route of our own while a route passes {}",
                map.name()
            )),
        }
        if let Some(it) = &self.advertise_if {
            let presence = match it.presence {
                Presence::Exist => "a route passes",
                Presence::Absent => "no route passes",
            };
            let (routes, condition) = (it.routes.name(), it.condition.name());
            words.push(format!(
                "it is told what passes {routes} only while {presence} {condition}"
            ));
        }
        if let Some(map) = &self.unsuppress {
            words.push(format!(
                "it is told what passes {} although an aggregate stands for it",
                map.name()
            ));
        }
        if let Some(most) = self.maximum_prefixes_out {
            words.push(format!("it is told {most} prefixes at most"));
        }
        words
    }
}

/// How long a neighbour is asked to keep our routes while we are away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestartTimes {
    /// As they are (RFC 4724).
    pub restart: Duration,
    /// Beyond that, as a last resort (RFC 9494); its routes stay as long as it asks.
    pub long_lived: Option<Duration>,
}

/// Several paths of a prefix (RFC 7911), where the neighbour does its part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AddPath {
    /// Take them.
    pub receive: bool,
    /// Send them: how many.
    pub send: Option<PathsSent>,
}

/// Most prefixes that a neighbour may send in a family, and what happens beyond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaximumPrefixes {
    /// The limit; more than that is too many.
    pub limit: u32,
    /// Part of the limit, in percent, from which on there is a warning.
    pub warn_at: u8,
    /// What is counted.
    pub count: PrefixCount,
    /// What follows when there are more.
    pub action: MaximumAction,
}

impl MaximumPrefixes {
    /// Usual part of the limit from which on there is a warning.
    pub const WARN_AT: u8 = 75;

    /// A limit that ends the session for good.
    pub fn new(limit: u32) -> Self {
        Self {
            limit,
            warn_at: Self::WARN_AT,
            count: PrefixCount::Received,
            action: MaximumAction::Stop,
        }
    }

    /// True if so many prefixes call for a warning.
    pub fn is_near(&self, count: usize) -> bool {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        count.saturating_mul(100) > u64::from(self.limit) * u64::from(self.warn_at)
    }

    /// True if so many are too many.
    pub fn is_over(&self, count: usize) -> bool {
        u64::try_from(count).unwrap_or(u64::MAX) > u64::from(self.limit)
    }
}

/// Which prefixes count against the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PrefixCount {
    /// All that the neighbour has sent and not withdrawn.
    #[default]
    Received,
    /// Those that policy lets in.
    Accepted,
}

/// What follows too many prefixes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MaximumAction {
    /// The session ends and stays down until an operator clears it.
    #[default]
    Stop,
    /// The session ends and comes back after this time.
    Restart(Duration),
    /// It is said, and nothing else.
    Warn,
}

/// The next hop in what a neighbour is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NextHopRule {
    /// eBGP unicast: ourselves. iBGP and EVPN: unchanged (RFC 4271 §5.1.3).
    #[default]
    Auto,
    /// Ourselves, but unchanged in what is reflected (RFC 4456 §10).
    Myself,
    /// Ourselves, in what is reflected too.
    MyselfAlways,
    /// Unchanged.
    Unchanged,
}

/// Whether and how a neighbour is told which program this is (draft-abraitis-bgp-version-capability).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SoftwareVersion {
    /// Not at all.
    #[default]
    Off,
    /// With a length in front, as versions of the draft before 15 have it.
    Classic,
    /// Without.
    Latest,
}

impl Keyword for SoftwareVersion {
    const WORDS: &'static [(Self, &'static str)] = &[
        (SoftwareVersion::Off, "off"),
        (SoftwareVersion::Classic, "classic"),
        (SoftwareVersion::Latest, "latest"),
    ];
}

impl Keyword for NextHopRule {
    const WORDS: &'static [(Self, &'static str)] = &[
        (NextHopRule::Auto, "auto"),
        (NextHopRule::Myself, "self"),
        (NextHopRule::MyselfAlways, "self_always"),
        (NextHopRule::Unchanged, "unchanged"),
    ];
}

/// A kind of communities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommunityForm {
    /// RFC 1997.
    Standard,
    /// RFC 4360.
    Extended,
    /// RFC 8092.
    Large,
}

impl Keyword for CommunityForm {
    const WORDS: &'static [(Self, &'static str)] = &[
        (CommunityForm::Standard, "standard"),
        (CommunityForm::Extended, "extended"),
        (CommunityForm::Large, "large"),
    ];
}

impl Keyword for PrivateAs {
    const WORDS: &'static [(Self, &'static str)] = &[
        (PrivateAs::Remove, "plain"),
        (PrivateAs::RemoveAll, "all"),
        (PrivateAs::Replace, "replace"),
        (PrivateAs::ReplaceAll, "replace_all"),
    ];
}

impl Keyword for PrefixCount {
    const WORDS: &'static [(Self, &'static str)] = &[
        (PrefixCount::Received, "received"),
        (PrefixCount::Accepted, "accepted"),
    ];
}

impl Keyword for Role {
    const WORDS: &'static [(Self, &'static str)] = &[
        (Role::Provider, "provider"),
        (Role::RouteServer, "route_server"),
        (Role::RouteServerClient, "route_server_client"),
        (Role::Customer, "customer"),
        (Role::Peer, "peer"),
    ];
}
