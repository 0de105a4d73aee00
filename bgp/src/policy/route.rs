//! The route under evaluation: closed attributes until something changes, open ones after.
//!
//! Matches read through this view, so that an entry sees what earlier entries have set and a
//! route that nobody changes is never opened.

use crate::asn::Asn;
use crate::attributes::{AttributeSet, Attributes, NextHop, Origin};
use crate::community::{Community, LargeCommunity};
use crate::evpn_route::EvpnTail;
use crate::policy::Verdict;
use crate::wire::attribute::code;

/// LOCAL_PREF of a route that carries none: what the decision process takes it for.
const LOCAL_PREF_DEFAULT: u32 = 100;

pub(super) struct Route<'a> {
    closed: &'a Attributes,
    open: Option<AttributeSet>,
}

impl<'a> Route<'a> {
    pub(super) fn new(closed: &'a Attributes) -> Self {
        Self { closed, open: None }
    }

    /// The attributes, opened to be changed.
    pub(super) fn open(&mut self) -> &mut AttributeSet {
        self.open.get_or_insert_with(|| self.closed.thaw())
    }

    /// The verdict about a route that was permitted.
    pub(super) fn accept(self) -> Verdict {
        self.open.map_or(Verdict::Accept, Verdict::Change)
    }

    pub(super) fn med(&self) -> Option<u32> {
        match &self.open {
            Some(open) => open.med,
            None => self.closed.med(),
        }
    }

    /// MED as compared: a missing one is the lowest (RFC 4271 §9.1.2.2 c).
    pub(super) fn metric(&self) -> u32 {
        self.med().unwrap_or(0)
    }

    pub(super) fn local_pref(&self) -> u32 {
        let local_pref = match &self.open {
            Some(open) => open.local_pref,
            None => self.closed.local_pref(),
        };
        local_pref.unwrap_or(LOCAL_PREF_DEFAULT)
    }

    pub(super) fn origin(&self) -> Origin {
        match &self.open {
            Some(open) => open.origin,
            None => self.closed.origin(),
        }
    }

    pub(super) fn next_hop(&self) -> NextHop {
        match &self.open {
            Some(open) => open.next_hop,
            None => self.closed.next_hop(),
        }
    }

    fn evpn(&self) -> Option<&EvpnTail> {
        match &self.open {
            Some(open) => open.evpn.as_ref(),
            None => self.closed.evpn(),
        }
    }

    /// The labels that stand for a VNI with VXLAN: those of the route, or the one of its PMSI
    /// tunnel (type 3; RFC 8365 §9).
    pub(super) fn vnis(&self) -> [Option<u32>; 2] {
        let pmsi = match &self.open {
            Some(open) => open.pmsi_tunnel.as_ref().map(|tunnel| tunnel.label),
            None => match self.closed.attributes().find(code::PMSI_TUNNEL) {
                Some([_flags, _kind, a, b, c, ..]) => Some(u32::from_be_bytes([0, *a, *b, *c])),
                Some(_) | None => None,
            },
        };
        match (pmsi, self.evpn()) {
            (Some(label), _) => [Some(label), None],
            (None, Some(tail)) => [Some(tail.label), tail.label2],
            (None, None) => [None, None],
        }
    }

    pub(super) fn communities(&self) -> impl Iterator<Item = Community> + Clone {
        let (open, closed) = self.either();
        let open = open.into_iter().flat_map(|set| set.communities.iter());
        let closed = closed.into_iter().flat_map(Attributes::communities);
        open.copied().chain(closed)
    }

    pub(super) fn large_communities(&self) -> impl Iterator<Item = LargeCommunity> + Clone {
        let (open, closed) = self.either();
        let open = open
            .into_iter()
            .flat_map(|set| set.large_communities.iter());
        let closed = closed.into_iter().flat_map(Attributes::large_communities);
        open.copied().chain(closed)
    }

    /// Every AS number of the path, of whatever segment, nearest first.
    pub(super) fn as_path(&self) -> impl Iterator<Item = Asn> {
        let (open, closed) = self.either();
        let open = open.into_iter().flat_map(|set| set.as_path.iter());
        let open = open.flat_map(|segment| segment.asns.iter().copied());
        let closed = closed.into_iter().flat_map(Attributes::as_path);
        open.chain(closed.flat_map(|segment| segment.asns()))
    }

    /// The form that holds, and nothing for the other.
    fn either(&self) -> (Option<&AttributeSet>, Option<&'a Attributes>) {
        let closed = self.open.is_none().then_some(self.closed);
        (self.open.as_ref(), closed)
    }
}
