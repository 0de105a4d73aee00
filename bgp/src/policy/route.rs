//! The route under evaluation: closed attributes until something changes, open ones after.
//!
//! Matches read through this view, so that an entry sees what earlier entries have set and a
//! route that nobody changes is never opened. List attributes are read straight from the
//! canonical bytes.

use crate::asn::Asn;
use crate::attributes::{AttributeSet, Attributes, NextHop, Origin};
use crate::community::{Community, LargeCommunity};
use crate::evpn_route::EvpnTail;
use crate::policy::Verdict;

/// LOCAL_PREF of a route that carries none: what the decision process takes it for.
const LOCAL_PREF_DEFAULT: u32 = 100;

/// Type codes of the attributes that are read from the bytes.
const AS_PATH: u8 = 2;
const COMMUNITIES: u8 = 8;
const PMSI_TUNNEL: u8 = 22;
const LARGE_COMMUNITIES: u8 = 32;

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
            None => match value(self.closed.wire(), PMSI_TUNNEL) {
                [_flags, _kind, a, b, c, ..] => Some(u32::from_be_bytes([0, *a, *b, *c])),
                _ => None,
            },
        };
        match (pmsi, self.evpn()) {
            (Some(label), _) => [Some(label), None],
            (None, Some(tail)) => [Some(tail.label), tail.label2],
            (None, None) => [None, None],
        }
    }

    pub(super) fn communities(&self) -> impl Iterator<Item = Community> + Clone {
        let (open, bytes): (&[_], &[u8]) = match &self.open {
            Some(open) => (&open.communities, &[]),
            None => (&[], value(self.closed.wire(), COMMUNITIES)),
        };
        let closed = words(bytes).map(Community);
        open.iter().copied().chain(closed)
    }

    pub(super) fn large_communities(&self) -> impl Iterator<Item = LargeCommunity> + Clone {
        let (open, bytes): (&[_], &[u8]) = match &self.open {
            Some(open) => (&open.large_communities, &[]),
            None => (&[], value(self.closed.wire(), LARGE_COMMUNITIES)),
        };
        let (triples, _) = bytes.as_chunks::<12>();
        let closed = triples
            .iter()
            .map(|[a, b, c, d, e, f, g, h, i, j, k, l]| LargeCommunity {
                global: u32::from_be_bytes([*a, *b, *c, *d]),
                local1: u32::from_be_bytes([*e, *f, *g, *h]),
                local2: u32::from_be_bytes([*i, *j, *k, *l]),
            });
        open.iter().copied().chain(closed)
    }

    /// Every AS number of the path, of whatever segment, nearest first.
    pub(super) fn as_path(&self) -> impl Iterator<Item = Asn> {
        let (open, bytes): (&[_], &[u8]) = match &self.open {
            Some(open) => (&open.as_path, &[]),
            None => (&[], value(self.closed.wire(), AS_PATH)),
        };
        let open = open.iter().flat_map(|segment| segment.asns.iter().copied());
        open.chain(Segments(bytes).flatten())
    }
}

/// Value of the attribute `code` in canonical bytes; empty when it is not there.
fn value(mut wire: &[u8], code: u8) -> &[u8] {
    const EXTENDED_LENGTH: u8 = 0x10;
    loop {
        let (kind, len, rest) = match wire {
            [flags, kind, high, low, rest @ ..] if flags & EXTENDED_LENGTH != 0 => {
                (*kind, u16::from_be_bytes([*high, *low]), rest)
            }
            [_, kind, len, rest @ ..] => (*kind, u16::from(*len), rest),
            _ => return &[],
        };
        let Some((value, next)) = rest.split_at_checked(usize::from(len)) else {
            return &[];
        };
        if kind == code {
            return value;
        }
        wire = next;
    }
}

/// Numbers of four octets.
fn words(bytes: &[u8]) -> impl Iterator<Item = u32> + Clone {
    let (words, _) = bytes.as_chunks::<4>();
    words.iter().map(|word| u32::from_be_bytes(*word))
}

/// Segments of an AS path with numbers of four octets (RFC 4271 §4.3, RFC 6793).
struct Segments<'a>(&'a [u8]);

impl<'a> Iterator for Segments<'a> {
    type Item = std::iter::Map<std::slice::Iter<'a, [u8; 4]>, fn(&[u8; 4]) -> Asn>;

    fn next(&mut self) -> Option<Self::Item> {
        let [_kind, count, rest @ ..] = self.0 else {
            return None;
        };
        let (asns, next) = rest.split_at_checked(usize::from(*count) * 4)?;
        self.0 = next;
        let (asns, _) = asns.as_chunks::<4>();
        Some(asns.iter().map(|octets| Asn(u32::from_be_bytes(*octets))))
    }
}
