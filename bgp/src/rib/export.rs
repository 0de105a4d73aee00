//! From a best path to what a group of peers is told.
//!
//! A pure function of the path, the group's settings and policy, so the same call decides what to
//! send, what a changed policy would have sent before, and what `show` prints.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use super::Config;
use super::decision::{DEFAULT_LOCAL_PREF, Source};
use super::dependent::default_attributes;
use super::leak::{self, Leak};
use super::path::{Path, Paths, PeerId, Standing};
use super::peer::{AdvertiseIf, DefaultOriginate, Drain, NextHopRule, PeerFacts, PeerFamily};
use crate::asn::Asn;
use crate::attributes::{
    AttributeSet, Attributes, Departure, External, Internal, Member, NextHop, Omitted, Outgoing,
    PathChange, Reflection,
};
use crate::community::{Community, ExtendedCommunity};
use crate::family::Family;
use crate::message::Role;
use crate::nlri::Nlri;
use crate::policy::{Difference, Leaving, Policy, RouteMap, Together, Trace, Verdict};
use crate::prefix::Prefix;
use crate::scoped_addr::ScopedAddr;
use crate::wire::EncodeContext;

/// All that makes two peers' advertisements alike: peers with equal settings share one group.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct GroupSettings {
    pub(super) family: Family,
    pub(super) export: Policy,
    pub(super) drain: Option<Drain>,
    /// MED of whatever they are told.
    pub(super) max_med: Option<u32>,
    pub(super) external: bool,
    /// In another member AS of our confederation.
    pub(super) member: bool,
    /// Clients of this route reflector.
    pub(super) client: bool,
    pub(super) cluster_id: Ipv4Addr,
    /// Clients are told what other clients say.
    pub(super) client_to_client: bool,
    /// What our AS is told of paths without one.
    pub(super) default_local_pref: u32,
    /// Paths go to another AS as they are, but for our own routes, whose paths are empty.
    pub(super) as_path_unchanged: bool,
    /// MEDs that were received go to another AS, too.
    pub(super) med_unchanged: bool,
    /// The site that they are part of.
    pub(super) site_of_origin: Option<ExtendedCommunity>,
    /// Link bandwidths are whole numbers to them.
    pub(super) whole_bandwidths: bool,
    /// Clients of this route server.
    pub(super) server_client: bool,
    /// Our role towards them, where it counts.
    pub(super) role: Option<Role>,
    pub(super) local_as: Asn,
    /// Own AS behind that, where it is told too.
    pub(super) own_as: Option<Asn>,
    /// Another table of this router.
    pub(super) instance: bool,
    /// They are told a default route of our own.
    pub(super) default_originate: Option<DefaultOriginate>,
    /// Some routes depend on others.
    pub(super) advertise_if: Option<AdvertiseIf>,
    /// Routes that are told although an aggregate stands for them.
    pub(super) unsuppress: Option<Arc<RouteMap>>,
    /// What changes in paths towards another AS.
    pub(super) path_change: Option<PathChange>,
    pub(super) omitted: Omitted,
    pub(super) next_hop: NextHopRule,
    /// This router as a next hop, in the family: an address that none of its routes is told with
    /// may come and go without their being looked at again.
    pub(super) own_next_hop: Option<NextHop>,
    pub(super) extended_next_hop: bool,
    pub(super) as4: bool,
    pub(super) extended_message: bool,
    /// Routes carry path identifiers.
    pub(super) add_path: bool,
    /// They know what LLGR_STALE means.
    pub(super) long_lived: bool,
    /// Where next hops of routes that were taken over from the host are told as they are.
    pub(super) shared: Option<Shared>,
}

/// Networks that a peer shares with us.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Shared {
    networks: Vec<Prefix>,
    /// It is told no route that leads to itself.
    peer: IpAddr,
}

impl Shared {
    fn of(facts: &PeerFacts) -> Option<Self> {
        let networks = facts.shared_networks.clone();
        (!networks.is_empty()).then_some(Self {
            networks,
            peer: facts.address.ip(),
        })
    }

    fn has(&self, next_hop: IpAddr) -> bool {
        self.networks.iter().any(|it| it.contains_addr(next_hop))
    }
}

/// How a route gets from where it was learned to those who are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// To another AS.
    Out,
    /// From one client of this route server to another (RFC 7947).
    Across,
    /// To another member AS of our confederation (RFC 5065).
    Member,
    /// Into this AS.
    In,
    /// From one internal peer to another (RFC 4456).
    Reflected,
}

/// A next hop, and how it came about.
struct Wanted {
    next_hop: NextHop,
    /// Policy chose it.
    chosen: bool,
    /// The host has it.
    taken_over: bool,
    /// It means something in another table of this router.
    handed_over: bool,
}

/// Attributes that policy made.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Changed {
    set: AttributeSet,
    next_hop_chosen: bool,
}

impl Changed {
    pub(super) fn new(set: AttributeSet, next_hop_chosen: bool) -> Self {
        Self {
            set,
            next_hop_chosen,
        }
    }
}

/// Why a best path is not told to a peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Withheld {
    /// There is no path to tell.
    NoPath,
    /// The peer sent it.
    FromThisPeer,
    /// Community no-advertise.
    NoAdvertise,
    /// Community no-export or local-AS, and the peer is in another AS.
    NoExport,
    /// Community local-AS, and the peer is in another member AS of the confederation.
    NoExportSubconfed,
    /// Another table of this router handed it over, and this would be the next one.
    HandedOver,
    /// Learned from iBGP, so is the peer, and neither is a client of this reflector (RFC 4271 §9.2,
    /// RFC 4456 §6).
    InternalToInternal,
    /// It may only go to customers, and the peer is none (RFC 9234 §5).
    Leak(Leak),
    /// Both are clients of this reflector, which are connected to each other.
    ClientToClient,
    /// It comes from the peer's own site.
    SiteOfOrigin,
    /// Export policy said no.
    Policy,
    /// This aggregate stands for it.
    Aggregated(Prefix),
    /// It is told only while certain routes are there, and none is.
    NothingExists,
    /// It is told only while certain routes are not there, and one is.
    NotAbsent,
    /// The peer is told so many prefixes, and others go before it.
    Limit(u32),
    /// Whoever forwards has not answered yet ([`super::Input::AwaitForwarding`]); what was told before stands.
    NotYetForwarded,
    /// Whoever forwards cannot have it.
    NotForwarded,
    /// A last resort, and the peer does not know what LLGR_STALE means (RFC 9494 §4.3).
    LongLivedStale,
    /// We send packets to this peer, and it would send them back (RFC 4271 §5.1.3).
    LeadsToThisPeer,
    /// No own address of the next hop's IP version.
    NoNextHop,
    /// An IPv4 route with an IPv6 next hop, which the peer did not say it takes (RFC 8950 §4).
    Ipv6NextHop,
    /// The attributes do not fit the largest message.
    TooLarge,
}

impl fmt::Display for Withheld {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Withheld::NoPath => "there is no usable path",
            Withheld::FromThisPeer => "the neighbour sent it",
            Withheld::NoAdvertise => "community no-advertise",
            Withheld::NoExport => "community no-export and the neighbour is external",
            Withheld::NoExportSubconfed => {
                "community local-AS and the neighbour is in another AS of the confederation"
            }
            Withheld::ClientToClient => {
                "both are route reflector clients (client_to_client_reflection = false)"
            }
            Withheld::InternalToInternal => {
                "learned from iBGP, the neighbour is internal, and neither is a route reflector client"
            },
            Withheld::HandedOver => {
                "another table of this router handed it over, and what is handed over is not handed on"
            }
            Withheld::Leak(leak) => return write!(f, "it would be a route leak: {leak}"),
            Withheld::SiteOfOrigin => {
                "it comes from the neighbour's own site (site_of_origin)"
            }
            Withheld::Policy => "rejected by export policy",
            Withheld::Aggregated(aggregate) => {
                return write!(f, "the aggregate {aggregate} stands for it (summary_only or suppress)");
            }
            Withheld::NothingExists => {
                "it is told only while routes are there that advertise_if asks for (exist), and none is"
            }
            Withheld::NotAbsent => {
                "it is told only while routes are not there that advertise_if asks for (absent), and one is"
            }
            Withheld::Limit(limit) => {
                return write!(
                    f,
                    "the neighbour is told no more than {limit} prefixes (maximum_prefixes_out), and others go before it"
                );
            }
            Withheld::NotYetForwarded => {
                "the kernel has not taken it yet (suppress_fib_pending)"
            }
            Withheld::NotForwarded => {
                "the kernel does not have it (suppress_fib_pending)"
            }
            Withheld::LongLivedStale => {
                "it is a last resort (llgr-stale) and the neighbour does not speak long-lived graceful restart"
            }
            Withheld::LeadsToThisPeer => "the neighbour itself is the next hop",
            Withheld::NoNextHop => "no own address fits as next hop for this family",
            Withheld::Ipv6NextHop => {
                "the next hop is an IPv6 address, which the neighbour does not take for IPv4 (RFC 8950)"
            }
            Withheld::TooLarge => "the attributes do not fit one message",
        })
    }
}

impl GroupSettings {
    pub(super) fn of(
        config: &Config,
        facts: &PeerFacts,
        family: Family,
        settings: &PeerFamily,
    ) -> Self {
        let unicast = family != Family::Evpn;
        Self {
            family,
            export: settings.export.clone(),
            drain: settings.drain,
            max_med: settings.max_med,
            external: facts.external(),
            member: facts.relation.member,
            client: *facts.source().client.get(family),
            cluster_id: config.identity.cluster_id,
            client_to_client: config.identity.client_to_client,
            default_local_pref: config.default_local_pref.unwrap_or(DEFAULT_LOCAL_PREF),
            as_path_unchanged: settings.handling.as_path_unchanged,
            med_unchanged: settings.handling.med_unchanged,
            site_of_origin: settings.handling.site_of_origin,
            whole_bandwidths: settings.handling.whole_bandwidths,
            server_client: *facts.source().server_client.get(family),
            instance: facts.relation.instance,
            role: facts.role(family),
            local_as: facts.local_as,
            own_as: facts
                .alias
                .filter(|alias| !alias.replace)
                .map(|alias| alias.own_as),
            default_originate: settings.default_originate.clone().filter(|_| unicast),
            advertise_if: settings.advertise_if.clone().filter(|_| unicast),
            unsuppress: settings.unsuppress.clone().filter(|_| unicast),
            path_change: settings
                .handling
                .path_change(facts.remote_as, facts.local_as)
                .filter(|_| facts.external()),
            omitted: Omitted {
                aigp: !facts.aigp,
                ..settings.handling.omitted
            },
            next_hop: settings.next_hop,
            own_next_hop: own_next_hop(facts, family, settings.extended_next_hop),
            extended_next_hop: settings.extended_next_hop,
            as4: facts.as4,
            extended_message: facts.extended_message,
            add_path: settings.add_path_send.is_some(),
            long_lived: settings.long_lived,
            shared: Shared::of(facts),
        }
    }

    /// Of which routes these settings may tell something else than others do.
    pub(super) fn differing(&self, other: &Self) -> Difference {
        let beside = Self {
            export: other.export.clone(),
            ..self.clone()
        };
        match beside == *other {
            true => Difference::between(&self.export, &other.export),
            false => Difference::everywhere(),
        }
    }

    pub(super) fn encode_context(&self) -> EncodeContext {
        EncodeContext {
            as4: self.as4,
            extended_message: self.extended_message,
            add_path: self.add_path,
        }
    }

    /// Policy keeps everything back: prefixes need not be looked at.
    pub(super) fn tells_nothing(&self) -> bool {
        self.export.rejects_all() && self.default_originate.is_none()
    }

    /// The default route of our own, as a route-map made it if one did. Export policy is about routes
    /// of the table.
    pub(super) fn default_route(
        &self,
        source: Source,
        changed: Option<&Changed>,
    ) -> Result<Outgoing, Withheld> {
        let path = Path {
            attributes: default_attributes(self.family).freeze(),
            path_id: 0,
            peer: PeerId::LOCAL,
            standing: Standing::Valid,
            multipath: false,
        };
        self.outgoing(&path, source, changed.cloned())
    }

    /// What the group's peers are told of `path`.
    pub(super) fn export(
        &self,
        nlri: &Nlri,
        path: &Path,
        (source, together): (Source, Option<Together>),
        trace: Option<&mut Trace>,
    ) -> Result<Outgoing, Withheld> {
        let changed = self.judge(nlri, path, (source, together), trace)?;
        self.outgoing(path, source, changed)
    }

    /// What policy asks of the paths of a prefix that forward together, if it asks for that.
    pub(super) fn together(&self, paths: &Paths) -> Option<Together> {
        self.export.counts_paths().then(|| paths.together())
    }

    /// What policy makes of a path: other attributes, or `None` for those it has.
    pub(super) fn judge(
        &self,
        nlri: &Nlri,
        path: &Path,
        (source, together): (Source, Option<Together>),
        trace: Option<&mut Trace>,
    ) -> Result<Option<Changed>, Withheld> {
        self.check_scope(path, source)?;
        let attributes = &path.attributes;
        let learned = path.peer != PeerId::LOCAL && !source.instance;
        let leaving = Leaving {
            together,
            sender: learned.then(|| source.address.ip()),
        };
        let verdict = if self.drops_med(path, source) && self.export.map().is_some() {
            // Policy sees the attributes as they would go out.
            let mut set = attributes.thaw();
            set.med = None;
            let set = set.freeze();
            self.export.evaluate_leaving(nlri, &set, leaving, trace)
        } else {
            self.export
                .evaluate_leaving(nlri, attributes, leaving, trace)
        };
        match verdict {
            Verdict::Reject => Err(Withheld::Policy),
            Verdict::Change {
                set,
                next_hop_chosen,
            } => Ok(Some(Changed {
                set,
                next_hop_chosen,
            })),
            Verdict::Accept => Ok(None),
        }
    }

    /// The attributes as they leave, after policy.
    pub(super) fn outgoing(
        &self,
        path: &Path,
        source: Source,
        changed: Option<Changed>,
    ) -> Result<Outgoing, Withheld> {
        let attributes = &path.attributes;
        if attributes.is_llgr_stale() && !self.long_lived {
            return Err(Withheld::LongLivedStale);
        }
        let way = self.way(source);
        let (wanted, chosen) = match &changed {
            Some(changed) => (changed.set.next_hop, changed.next_hop_chosen),
            None => (attributes.next_hop(), false),
        };
        let taken_over = path.peer == PeerId::LOCAL && attributes.notes().source.is_some();
        let wanted = Wanted {
            next_hop: wanted,
            chosen,
            taken_over,
            handed_over: source.instance,
        };
        let next_hop = self.next_hop(wanted, way)?;
        let set = changed.map(|changed| changed.set);
        // A MED that policy has put there stays.
        let drops_med = set.is_none() && self.drops_med(path, source);
        let set = match self.drain {
            Some(drain) => {
                let mut set = set.unwrap_or_else(|| attributes.thaw());
                set.med = set.med.filter(|_| !drops_med);
                Some(self.drained(set, drain))
            }
            None => set,
        };
        let set = match self.max_med {
            Some(med) => {
                let mut set = set.unwrap_or_else(|| attributes.thaw());
                set.med = Some(med);
                Some(set)
            }
            None => set,
        };
        let set = match self.whole_bandwidths {
            true => whole_bandwidths(set, attributes, drops_med),
            false => set,
        };
        let drop_med = set.is_none() && drops_med;
        let unchanged = self.as_path_unchanged && attributes.first_as() != Asn(0);
        let departure = match way {
            Way::Out => Departure::External(External {
                asn: self.local_as,
                change: self.path_change,
                behind: self.own_as.filter(|_| !unchanged),
                prepend: usize::from(!unchanged) + self.drain.map_or(0, |drain| drain.prepend),
                drop_med,
                drop_scoped: true,
                only_to_customer: self.mark(attributes)?,
            }),
            Way::Across => Departure::External(External {
                asn: self.local_as,
                change: None,
                behind: None,
                prepend: 0,
                drop_med,
                drop_scoped: false,
                only_to_customer: self.mark(attributes)?,
            }),
            Way::Member => Departure::Member(Member {
                asn: self.local_as,
                prepend: 1 + self.drain.map_or(0, |drain| drain.prepend),
                local_pref: self.default_local_pref,
            }),
            Way::In => Departure::Internal(Internal {
                local_pref: self.default_local_pref,
                reflection: None,
            }),
            Way::Reflected => Departure::Internal(Internal {
                local_pref: self.default_local_pref,
                reflection: Some(Reflection {
                    originator_id: source.router_id,
                    cluster_id: self.cluster_id,
                }),
            }),
        };
        Ok(match set {
            Some(set) => Outgoing::new(&set.freeze(), next_hop, departure, self.omitted),
            None => Outgoing::new(attributes, next_hop, departure, self.omitted),
        })
    }

    fn check_scope(&self, path: &Path, source: Source) -> Result<(), Withheld> {
        let attributes = &path.attributes;
        let way = self.way(source);
        if self.instance && source.overlay {
            return Err(Withheld::HandedOver);
        }
        // RFC 7947 §2.2.4: communities between clients are not for the route server.
        if way != Way::Across {
            if attributes.is_no_advertise() {
                return Err(Withheld::NoAdvertise);
            }
            let subconfed = attributes.is_no_export_subconfed();
            if way == Way::Out && (attributes.is_no_export() || subconfed) {
                return Err(Withheld::NoExport);
            }
            if way == Way::Member && subconfed {
                return Err(Withheld::NoExportSubconfed);
            }
        }
        if let Some(site) = self.site_of_origin
            && attributes.extended_communities().any(|it| it == site)
        {
            return Err(Withheld::SiteOfOrigin);
        }
        self.mark(attributes)?;
        let from_client = *source.client.get(self.family);
        if way == Way::Reflected && !from_client && !self.client {
            return Err(Withheld::InternalToInternal);
        }
        if way == Way::Reflected && from_client && self.client && !self.client_to_client {
            return Err(Withheld::ClientToClient);
        }
        Ok(())
    }

    /// The only-to-customer mark that is put on a route that has none.
    fn mark(&self, attributes: &Attributes) -> Result<Option<Asn>, Withheld> {
        let Some(role) = self.role else {
            return Ok(None);
        };
        let marked_by = attributes.only_to_customer();
        leak::departing(role, self.local_as, marked_by).map_err(Withheld::Leak)
    }

    /// How a route gets from there to the group.
    fn way(&self, source: Source) -> Way {
        match self.external {
            true if self.server_client && *source.server_client.get(self.family) => Way::Across,
            true => Way::Out,
            false if self.instance => Way::In,
            false if self.member => Way::Member,
            false if source.internal => Way::Reflected,
            false => Way::In,
        }
    }

    /// RFC 4271 §5.1.4: a MED received from another AS does not go on to a third one. Nor does one that
    /// was received within this AS, where it compares other entrances than ours. Policy may set a new
    /// one. What another table has as its own, without a number in the path, is ours too.
    fn drops_med(&self, path: &Path, source: Source) -> bool {
        let of_table = source.instance && path.attributes.first_as() == Asn(0);
        let own = path.peer == PeerId::LOCAL || of_table;
        let leaves = self.way(source) == Way::Out && !self.med_unchanged;
        leaves && path.attributes.med().is_some() && !own
    }

    /// The next hop as this peer is told it, if it takes one of that kind.
    fn next_hop(&self, wanted: Wanted, way: Way) -> Result<NextHop, Withheld> {
        let next_hop = self.any_next_hop(wanted, way)?;
        // RFC 8950 §5: a peer that cannot handle the encoding is not told the route.
        let foreign = self.family == Family::Ipv4Unicast
            && !self.extended_next_hop
            && next_hop.addr().is_ipv6();
        match foreign {
            true => Err(Withheld::Ipv6NextHop),
            false => Ok(next_hop),
        }
    }

    /// RFC 4271 §5.1.3; EVPN next hops are tunnel endpoints and stay (RFC 8365 §5.1.3).
    fn any_next_hop(&self, wanted: Wanted, way: Way) -> Result<NextHop, Withheld> {
        let Wanted {
            next_hop: wanted,
            chosen,
            taken_over,
            handed_over,
        } = wanted;
        let unspecified = wanted.addr().is_unspecified();
        if chosen && !unspecified {
            return Ok(wanted);
        }
        let shared = self.shared.as_ref();
        let leads_to_it = taken_over && shared.is_some_and(|it| it.peer == wanted.addr());
        let as_it_is = matches!(self.next_hop, NextHopRule::Auto | NextHopRule::Unchanged);
        if leads_to_it && as_it_is {
            return Err(Withheld::LeadsToThisPeer);
        }
        let own = match self.next_hop {
            // RFC 4271 §5.1.3: who is on the network of the next hop need not go through us.
            // EVPN may tell it as overlay index (RFC 9136 §4.1).
            NextHopRule::Auto if taken_over && !self.instance => {
                !shared.is_some_and(|shared| shared.has(wanted.addr()))
            }
            // RFC 7947 §2.2.1: a route server passes on the next hop of a client.
            NextHopRule::Auto => way == Way::Out && self.family != Family::Evpn,
            // RFC 4456 §10: a reflector leaves the next hop as it is.
            NextHopRule::Myself => way != Way::Reflected,
            NextHopRule::MyselfAlways => true,
            NextHopRule::Unchanged => false,
        };
        // RFC 2545 §3: a link-local one is nobody's beyond the link to whoever named it.
        let link_local = ScopedAddr::from(wanted.addr()).is_link_local();
        // Nor is that of another table, whose devices are its own, even to a third one.
        let of_a_link = handed_over || link_local && !self.instance;
        let of_a_link = of_a_link && self.family != Family::Evpn;
        if !own && !unspecified && !of_a_link {
            return Ok(match wanted {
                // The one beside it is nobody's either, and the global one does.
                NextHop::V6LinkLocal { global, .. } if !self.instance => NextHop::V6(global),
                NextHop::V4(_) | NextHop::V6(_) | NextHop::V6LinkLocal { .. } => wanted,
            });
        }
        self.own_next_hop.ok_or(Withheld::NoNextHop)
    }

    /// What tells neighbours to use other paths.
    fn drained(&self, mut set: AttributeSet, drain: Drain) -> AttributeSet {
        if !set.communities.contains(&Community::GRACEFUL_SHUTDOWN) {
            set.communities.push(Community::GRACEFUL_SHUTDOWN);
        }
        set.med = drain.med.or(set.med);
        if !self.external {
            // RFC 8326 §4.3: towards iBGP the preference itself is lowered.
            set.local_pref = Some(0);
        }
        set
    }
}

/// What a peer is told as next hop where that is this router.
fn own_next_hop(facts: &PeerFacts, family: Family, extended: bool) -> Option<NextHop> {
    let v4 = facts.local_ipv4.map(NextHop::V4);
    let v6 = |global: Ipv6Addr| match facts.local_link {
        Some(link_local) if family != Family::Evpn && !global.is_unicast_link_local() => {
            NextHop::V6LinkLocal { global, link_local }
        }
        Some(_) | None => NextHop::V6(global),
    };
    let v6 = facts.local_ipv6.map(v6);
    match family {
        // RFC 8950 §5: our own address is of the IP version that the session has. Both know of
        // IPv6 next hops only where that is IPv6.
        Family::Ipv4Unicast if extended => v6.or(v4),
        Family::Ipv4Unicast => v4,
        Family::Ipv6Unicast => v6,
        Family::Evpn => v4.or(v6),
    }
}

/// The attributes with link bandwidths as whole numbers, if there are any.
fn whole_bandwidths(
    set: Option<AttributeSet>,
    attributes: &Attributes,
    drops_med: bool,
) -> Option<AttributeSet> {
    let is_one = |it: &ExtendedCommunity| it.as_link_bandwidth().is_some();
    let mut set = match set {
        Some(set) if set.extended_communities.iter().any(is_one) => set,
        None if attributes.extended_communities().any(|it| is_one(&it)) => {
            let mut set = attributes.thaw();
            set.med = set.med.filter(|_| !drops_med);
            set
        }
        set => return set,
    };
    let all = &mut set.extended_communities;
    all.iter_mut()
        .for_each(|it| *it = it.with_whole_bandwidth());
    all.sort_unstable();
    Some(set)
}
