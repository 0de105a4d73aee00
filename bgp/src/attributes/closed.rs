//! The closed form: canonical bytes with a header of decoded values.
//!
//! [`Closed`] holds what the routes of one message share; [`Attributes`] adds the next hop and the
//! EVPN tail, which one message may hold several of.

use std::hash::{BuildHasher, Hash, Hasher};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use foldhash::fast::FixedState;
use smallvec::SmallVec;
use triomphe::{Arc as CountedArc, ThinArc};

use crate::asn::Asn;
use crate::attributes::canonical::{canonical, thaw_one};
use crate::attributes::header::{Header, Mark, asn_bit};
use crate::attributes::{AttributeSet, NextHop, Notes, Origin, SegmentKind};
use crate::community::{Community, ExtendedCommunity, LargeCommunity};
use crate::evpn_route::EvpnTail;
use crate::wire::attribute::as_path::Segments;
use crate::wire::attribute::{List, aigp, code, communities};

/// The closed form of a set of path attributes: what tables keep. Shared, so cloning it is cheap.
///
/// One piece of memory holds all of it: what is decoded, and behind that the canonical octets. Those
/// who decode and those who keep tables are threads of their own and wait for each other at the heap,
/// so a second piece for the octets was a quarter of what ten neighbours cost.
///
/// Two values are equal when their next hop, canonical bytes, EVPN tail and source are. Values
/// that are to meet in one table must be frozen with one seed.
#[derive(Clone)]
pub struct Attributes(ThinArc<Head, u8>);

/// What stands in front of the octets.
#[derive(Clone)]
struct Head {
    next_hop: PackedNextHop,
    source: Option<Attributes>,
    beside: Option<Box<Beside>>,
    hash: u32,
    header: Header,
}

/// What few sets have.
#[derive(Clone)]
struct Beside {
    evpn: Option<EvpnTail>,
    /// The octets, in place of those behind the head, where several values of one message differ in
    /// next hop or tail only: a message of many EVPN tails would take memory quadratic in its length.
    shared: Option<Arc<[u8]>>,
}

/// Two numbers stand in front of what is counted.
const COUNTS: usize = 2 * size_of::<usize>();

impl Attributes {
    /// The open form.
    pub fn thaw(&self) -> AttributeSet {
        let mut set = AttributeSet::new(self.next_hop());
        set.evpn = self.evpn().copied();
        set.notes = self.notes();
        for raw in self.attributes() {
            thaw_one(&mut set, &raw);
        }
        set
    }

    /// Memory it takes, without its source. What is shared with other sets counts by its share.
    pub(crate) fn octets(&self) -> usize {
        let shared = self.head().beside.as_ref().map_or(0, |beside| {
            let octets = beside.shared.as_ref().map_or(0, |octets| {
                (octets.len() + COUNTS) / Arc::strong_count(octets).max(1)
            });
            size_of::<Beside>() + octets
        });
        // One counter and the length.
        COUNTS + size_of::<Head>() + self.0.slice.len() + shared
    }

    /// True if this is the same copy: a quick look that finds most equal ones.
    pub fn is(&self, other: &Attributes) -> bool {
        self.address() == other.address()
    }

    /// Where it stands, to tell copies apart.
    pub fn address(&self) -> usize {
        self.0.as_ptr().addr()
    }

    /// True if nobody else holds it.
    pub(crate) fn is_alone(&self) -> bool {
        ThinArc::strong_count(&self.0) == 1
    }

    /// The same set with `source` noted as what the peer had sent.
    pub fn with_source(self, source: Attributes) -> Self {
        self.change(|head| {
            if let Some(old) = &head.source {
                head.hash ^= mark(old.hash());
            }
            head.hash ^= mark(source.hash());
            head.source = Some(source);
        })
    }

    /// Changes what is decoded: where it stands if nobody else holds it, else in a copy.
    fn change(mut self, change: impl FnOnce(&mut Head)) -> Self {
        if !self.is_alone() {
            self = Self(ThinArc::from_header_and_slice(
                self.head().clone(),
                &self.0.slice,
            ));
        }
        self.0.with_arc_mut(|arc| {
            if let Some(alone) = CountedArc::get_mut(arc) {
                change(alone.header_mut());
            }
        });
        self
    }

    /// The same set towards another next hop, without thawing. The source stays.
    pub fn with_next_hop(&self, next_hop: NextHop, seed: u64) -> Self {
        let octets = self.all_octets();
        let closed = Closed {
            octets: Octets::Own(octets.into()),
            header: self.head().header,
            hash: hash_of(seed, octets),
            seed,
        };
        let changed = closed.attributes(next_hop, self.evpn().copied());
        match self.source() {
            Some(source) => changed.with_source(source.clone()),
            None => changed,
        }
    }

    /// Canonical bytes, see the module's page.
    pub fn wire(&self) -> &[u8] {
        self.parts().0
    }

    /// What this router notes for itself.
    pub fn notes(&self) -> Notes {
        self.parts().1
    }

    /// True if this router notes anything for itself.
    pub fn has_notes(&self) -> bool {
        self.head().header.noted
    }

    /// Weight, if policy gave one.
    pub fn weight(&self) -> Option<u32> {
        if self.head().header.noted {
            self.notes().weight
        } else {
            None
        }
    }

    /// Canonical bytes, and the notes behind them.
    fn parts(&self) -> (&[u8], Notes) {
        let octets = self.all_octets();
        let noted = self.head().header.noted.then(|| Notes::split(octets));
        noted
            .flatten()
            .unwrap_or_else(|| (octets, Notes::default()))
    }

    fn all_octets(&self) -> &[u8] {
        let beside = self.head().beside.as_ref();
        let shared = beside.and_then(|beside| beside.shared.as_deref());
        shared.unwrap_or(&self.0.slice)
    }

    fn head(&self) -> &Head {
        &self.0.header.header
    }

    /// Hash of everything equality looks at, computed once with a caller-chosen seed.
    pub fn hash(&self) -> u32 {
        self.head().hash
    }

    /// Where packets go.
    pub fn next_hop(&self) -> NextHop {
        self.head().next_hop.get()
    }

    /// LOCAL_PREF, if present.
    pub fn local_pref(&self) -> Option<u32> {
        self.has(Mark::LOCAL_PREF)
            .then_some(self.head().header.local_pref)
    }

    /// MULTI_EXIT_DISC, if present.
    pub fn med(&self) -> Option<u32> {
        self.has(Mark::MED).then_some(self.head().header.med)
    }

    /// ORIGIN.
    pub fn origin(&self) -> Origin {
        self.head().header.origin
    }

    /// Leftmost AS of the path's first sequence segment, 0 when the path is empty: whose MED is
    /// comparable (RFC 4271 §9.1.2.2 c). Confederation segments before it are skipped.
    pub fn first_as(&self) -> Asn {
        self.head().header.first_as
    }

    /// Length as the decision process counts: a set is one, confederation segments none.
    pub fn as_path_length(&self) -> u16 {
        self.head().header.as_path_length
    }

    /// How many the path's confederation segments would count as: a set is one.
    pub fn confederation_length(&self) -> u16 {
        let length = self.as_path().map(|segment| match segment.kind {
            SegmentKind::ConfedSequence => segment.asns().count(),
            SegmentKind::ConfedSet => 1,
            SegmentKind::Set | SegmentKind::Sequence => 0,
        });
        u16::try_from(length.sum::<usize>()).unwrap_or(u16::MAX)
    }

    /// Number of cluster identifiers (RFC 4456 §9).
    pub fn cluster_length(&self) -> u16 {
        self.head().header.cluster_length
    }

    /// ORIGINATOR_ID, if present.
    pub fn originator_id(&self) -> Option<Ipv4Addr> {
        self.has(Mark::ORIGINATOR_ID)
            .then(|| Ipv4Addr::from(self.head().header.originator_id))
    }

    /// What an EVPN route carries beside its key.
    pub fn evpn(&self) -> Option<&EvpnTail> {
        self.head().beside.as_ref()?.evpn.as_ref()
    }

    /// The set as the peer sent it, when policy made this one of it.
    pub fn source(&self) -> Option<&Attributes> {
        self.head().source.as_ref()
    }

    /// The path, read in place.
    pub fn as_path(&self) -> Segments<'_> {
        Segments::new(self.value(code::AS_PATH))
    }

    /// How often `asn` stands in the path, confederation segments included.
    pub fn contains_asn(&self, asn: Asn) -> usize {
        // Most paths are known not to, without a look at the octets.
        if self.head().header.path_asns & asn_bit(asn) == 0 {
            return 0;
        }
        self.as_path()
            .map(|segment| segment.asns().filter(|one| *one == asn).count())
            .sum()
    }

    /// How often `asn` stands in the path, confederation segments left out.
    pub fn contains_asn_outside(&self, asn: Asn) -> usize {
        if self.head().header.path_asns & asn_bit(asn) == 0 {
            return 0;
        }
        let outside = self
            .as_path()
            .filter(|segment| !segment.kind.is_confederation());
        outside
            .map(|segment| segment.asns().filter(|one| *one == asn).count())
            .sum()
    }

    /// The rightmost number of the path, unless the path is empty or ends in a set.
    pub fn origin_as(&self) -> Option<Asn> {
        let last = self.as_path().last()?;
        last.kind
            .is_ordered()
            .then(|| last.asns().next_back())
            .flatten()
    }

    /// Communities in ascending order.
    pub fn communities(&self) -> impl Iterator<Item = Community> + Clone + '_ {
        let present = self.has(Mark::COMMUNITIES);
        communities::communities(self.value_if(present, code::COMMUNITIES))
    }

    /// True if the community is there.
    pub fn has_community(&self, community: Community) -> bool {
        self.communities().any(|one| one == community)
    }

    /// Extended communities in ascending order.
    pub fn extended_communities(&self) -> impl Iterator<Item = ExtendedCommunity> + Clone + '_ {
        communities::extended(self.value(code::EXTENDED_COMMUNITIES))
    }

    /// What the link carries, in octets a second (draft-ietf-idr-link-bandwidth): the least of
    /// several, and none that is no positive number.
    pub fn link_bandwidth(&self) -> Option<f32> {
        let said = self.extended_communities();
        said.filter_map(ExtendedCommunity::as_link_bandwidth)
            .filter(|bandwidth| bandwidth.is_finite() && *bandwidth > 0.0)
            .min_by(f32::total_cmp)
    }

    /// Large communities in ascending order.
    pub fn large_communities(&self) -> impl Iterator<Item = LargeCommunity> + Clone + '_ {
        communities::large(self.value(code::LARGE_COMMUNITIES))
    }

    /// Cluster identifiers, nearest first (RFC 4456 §8).
    pub fn cluster_list(&self) -> impl Iterator<Item = Ipv4Addr> + Clone + '_ {
        let (entries, _) = self.value(code::CLUSTER_LIST).as_chunks::<4>();
        entries.iter().map(|octets| Ipv4Addr::from(*octets))
    }

    /// Only to customer (RFC 9234 §5), if present.
    pub fn only_to_customer(&self) -> Option<Asn> {
        let value = self.list().find(code::ONLY_TO_CUSTOMER)?;
        Some(Asn(u32::from_be_bytes(value.try_into().ok()?)))
    }

    /// Metric of AIGP (RFC 7311 §3.1), if present.
    pub fn aigp(&self) -> Option<u64> {
        match self.has(Mark::AIGP) {
            true => aigp::metric(self.value(code::AIGP)),
            false => None,
        }
    }

    /// True with GRACEFUL_SHUTDOWN (RFC 8326).
    pub fn is_graceful_shutdown(&self) -> bool {
        self.has(Mark::GRACEFUL_SHUTDOWN)
    }

    /// True with BLACKHOLE (RFC 7999).
    pub fn is_blackhole(&self) -> bool {
        self.has(Mark::BLACKHOLE)
    }

    /// True with NO_EXPORT (RFC 1997).
    pub fn is_no_export(&self) -> bool {
        self.has(Mark::NO_EXPORT)
    }

    /// True with NO_ADVERTISE (RFC 1997).
    pub fn is_no_advertise(&self) -> bool {
        self.has(Mark::NO_ADVERTISE)
    }

    /// True with NO_EXPORT_SUBCONFED (RFC 1997).
    pub fn is_no_export_subconfed(&self) -> bool {
        self.has(Mark::NO_EXPORT_SUBCONFED)
    }

    /// True with LLGR_STALE (RFC 9494).
    pub fn is_llgr_stale(&self) -> bool {
        self.has(Mark::LLGR_STALE)
    }

    /// True with NO_LLGR (RFC 9494).
    pub fn is_no_llgr(&self) -> bool {
        self.has(Mark::NO_LLGR)
    }

    pub(crate) fn attributes(&self) -> List<'_> {
        self.list()
    }

    fn list(&self) -> List<'_> {
        List::new(self.wire())
    }

    fn has(&self, mark: u16) -> bool {
        self.head().header.marks & mark != 0
    }

    fn value(&self, code: u8) -> &[u8] {
        self.list().find(code).unwrap_or_default()
    }

    fn value_if(&self, present: bool, code: u8) -> &[u8] {
        if present { self.value(code) } else { &[] }
    }
}

impl PartialEq for Attributes {
    fn eq(&self, other: &Self) -> bool {
        let (one, two) = (self.head(), other.head());
        self.is(other)
            || one.next_hop == two.next_hop
                && self.all_octets() == other.all_octets()
                && one.header.noted == two.header.noted
                && self.evpn() == other.evpn()
                && one.source == two.source
    }
}

impl Eq for Attributes {}

impl Hash for Attributes {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.head().next_hop.hash(state);
        self.all_octets().hash(state);
    }
}

impl std::fmt::Debug for Attributes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Attributes")
            .field("set", &self.thaw())
            .field("source", &self.source())
            .finish_non_exhaustive()
    }
}

/// Canonical octets of up to this many are put together without the heap.
pub(crate) type Canonical = SmallVec<[u8; 256]>;

/// Canonical bytes and what was read from them, before next hop and EVPN tail are known.
#[derive(Debug)]
pub(crate) struct Closed {
    octets: Octets,
    header: Header,
    hash: u64,
    seed: u64,
}

// One at a time, on the stack.
#[allow(clippy::large_enum_variant)]
#[derive(Debug)]
enum Octets {
    /// Each value gets a copy.
    Own(Canonical),
    /// The values share it.
    Shared(Arc<[u8]>),
}

impl Octets {
    fn as_slice(&self) -> &[u8] {
        match self {
            Octets::Own(octets) => octets,
            Octets::Shared(octets) => octets,
        }
    }
}

impl Closed {
    /// Of bytes that are canonical.
    pub(crate) fn new(octets: Canonical, seed: u64) -> Self {
        Self {
            header: Header::read(&octets),
            hash: hash_of(seed, &*octets),
            octets: Octets::Own(octets),
            seed,
        }
    }

    pub(super) fn of(set: &AttributeSet, seed: u64) -> Self {
        let mut octets = canonical(set);
        let mut header = Header::read(&octets);
        if !set.notes.is_empty() {
            header.noted = true;
            set.notes.encode(&mut octets);
        }
        Self {
            header,
            hash: hash_of(seed, &*octets),
            octets: Octets::Own(octets.into()),
            seed,
        }
    }

    /// The same for many values, which are to have one copy of the octets.
    pub(crate) fn shared(self) -> Self {
        let octets = Octets::Shared(self.octets.as_slice().into());
        Self { octets, ..self }
    }

    pub(crate) fn attributes(&self, next_hop: NextHop, evpn: Option<EvpnTail>) -> Attributes {
        let (own, shared) = match &self.octets {
            Octets::Own(octets) => (octets.as_slice(), None),
            Octets::Shared(octets) => (&[][..], Some(Arc::clone(octets))),
        };
        let rare = evpn.is_some() || shared.is_some();
        let head = Head {
            next_hop: PackedNextHop::new(next_hop),
            source: None,
            beside: rare.then(|| Box::new(Beside { evpn, shared })),
            hash: upper(hash_of(self.seed, &(self.hash, next_hop, evpn))),
            header: self.header,
        };
        Attributes(ThinArc::from_header_and_slice(head, own))
    }

    /// True with an EVPN router's MAC extended community (RFC 9135 §8.1).
    pub(crate) fn has_router_mac(&self) -> bool {
        let value = List::new(self.octets.as_slice()).find(code::EXTENDED_COMMUNITIES);
        communities::extended(value.unwrap_or_default())
            .any(|community| community.as_router_mac().is_some())
    }
}

fn hash_of<T: Hash + ?Sized>(seed: u64, value: &T) -> u64 {
    FixedState::with_seed(seed).hash_one(value)
}

/// Half a hash is what tables keep.
fn upper(hash: u64) -> u32 {
    (hash >> 32) as u32
}

/// What the hash of a source adds to the hash of a set. Not the hash itself: a set that equals its
/// source would hash to zero.
fn mark(hash: u32) -> u32 {
    hash.wrapping_mul(0x9e37_79b9).rotate_left(16)
}

/// A next hop in 24 octets instead of 33; pairs are rare.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum PackedNextHop {
    V4(Ipv4Addr),
    V6(Ipv6Addr),
    Pair(Box<(Ipv6Addr, Ipv6Addr)>),
}

impl PackedNextHop {
    fn new(next_hop: NextHop) -> Self {
        match next_hop {
            NextHop::V4(addr) => PackedNextHop::V4(addr),
            NextHop::V6(addr) => PackedNextHop::V6(addr),
            NextHop::V6LinkLocal { global, link_local } => {
                PackedNextHop::Pair(Box::new((global, link_local)))
            }
        }
    }

    fn get(&self) -> NextHop {
        match self {
            PackedNextHop::V4(addr) => NextHop::V4(*addr),
            PackedNextHop::V6(addr) => NextHop::V6(*addr),
            PackedNextHop::Pair(pair) => NextHop::V6LinkLocal {
                global: pair.0,
                link_local: pair.1,
            },
        }
    }
}
