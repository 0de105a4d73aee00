//! The one table of FRR's commands: for each shape the nodes it stands in, and what becomes of it.
//!
//! A shape that is honoured has a function that notes in the [`Site`] what the line says; the line
//! may have a difference that has a name. All others say why not, in words that the reader of a
//! report can act on. `docs/migrating-from-frr.md` is made of this table.
//!
//! How lines are compared with it is in [`super::grammar`].

mod advertisement;
mod bfd;
mod debug;
mod evpn;
mod interface;
mod lists;
mod neighbor;
mod rest;
mod route_map;
mod router;
mod rpki;
mod set;
mod static_route;

pub(super) use lists::{access_name, access_words};
pub(super) use router::{SHOWN_NAMES, masked};

use super::model::{Args, Site};

/// A place for commands, as FRR has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Node {
    /// Outside everything.
    Top,
    /// `router bgp`.
    Router,
    /// `address-family ipv4 unicast`.
    Ipv4,
    /// `address-family ipv6 unicast`.
    Ipv6,
    /// `address-family l2vpn evpn`.
    Evpn,
    /// `vni N` there.
    Vni,
    /// An address family that rbgpd does not have.
    OtherFamily,
    /// `vni N` outside everything.
    TopVni,
    /// `route-map`.
    RouteMap,
    /// `interface`.
    Interface,
    /// `vrf`.
    Vrf,
    /// `bfd`.
    Bfd,
    /// `peer` there.
    BfdPeer,
    /// `profile` there.
    BfdProfile,
    /// `rpki`.
    Rpki,
    /// `line vty`.
    Line,
    /// A block of another daemon.
    Foreign,
}

impl Node {
    /// The node around it, in which a line is looked for that does not fit.
    pub(super) fn parent(self) -> Option<Node> {
        match self {
            Node::Top => None,
            Node::Ipv4 | Node::Ipv6 | Node::Evpn | Node::OtherFamily => Some(Node::Router),
            Node::Vni => Some(Node::Evpn),
            Node::BfdPeer | Node::BfdProfile => Some(Node::Bfd),
            Node::Router
            | Node::TopVni
            | Node::RouteMap
            | Node::Interface
            | Node::Vrf
            | Node::Bfd
            | Node::Rpki
            | Node::Line
            | Node::Foreign => Some(Node::Top),
        }
    }

    /// How many blocks it is in.
    pub(super) fn depth(self) -> usize {
        std::iter::successors(self.parent(), |node| node.parent()).count()
    }

    /// `address-family`.
    pub(super) fn is_family(self) -> bool {
        matches!(
            self,
            Node::Ipv4 | Node::Ipv6 | Node::Evpn | Node::OtherFamily
        )
    }

    /// Lines of such a block are taken as they come.
    pub(super) fn is_taken(self) -> bool {
        matches!(self, Node::Foreign | Node::OtherFamily)
    }

    /// The node of a block beneath whose lines are taken as they come.
    pub(super) fn taken_as_it_comes(self) -> Node {
        match self == Node::Top {
            true => Node::Foreign,
            false => Node::OtherFamily,
        }
    }

    /// As the documentation calls it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Node::Top => "top",
            Node::Router => "router bgp",
            Node::Ipv4 => "ipv4 unicast",
            Node::Ipv6 => "ipv6 unicast",
            Node::Evpn => "l2vpn evpn",
            Node::Vni => "l2vpn evpn / vni",
            Node::OtherFamily => "other address families",
            Node::TopVni => "vni",
            Node::RouteMap => "route-map",
            Node::Interface => "interface",
            Node::Vrf => "vrf",
            Node::Bfd => "bfd",
            Node::BfdPeer => "bfd / peer",
            Node::BfdProfile => "bfd / profile",
            Node::Rpki => "rpki",
            Node::Line => "line vty",
            Node::Foreign => "blocks of other daemons",
        }
    }

    /// As FRR's prompt calls it.
    pub(super) fn prompt(self) -> &'static str {
        match self {
            // A block that FRR does not have is no place of its own.
            Node::Top | Node::TopVni => "config",
            // Those that others have are routers, most of them.
            Node::Router | Node::Foreign => "config-router",
            Node::Ipv4 | Node::Ipv6 | Node::Evpn | Node::OtherFamily => "config-router-af",
            Node::Vni => "config-router-af-vni",
            Node::RouteMap => "config-route-map",
            Node::Interface => "config-if",
            Node::Vrf => "config-vrf",
            Node::Bfd => "config-bfd",
            Node::BfdPeer => "config-bfd-peer",
            Node::BfdProfile => "config-bfd-profile",
            Node::Rpki => "config-rpki",
            Node::Line => "config-line",
        }
    }

    /// Whether a line that nobody knows is a mistake in what rbgpd does.
    pub(super) fn is_ours(self) -> bool {
        !matches!(self, Node::Top | Node::Line | Node::Foreign)
    }
}

/// A command.
pub(super) struct Shape {
    /// Where it stands.
    pub(super) nodes: &'static [Node],
    /// Its words, as [`super::grammar`] reads them.
    pub(super) words: &'static str,
    /// What becomes of it.
    pub(super) means: Means,
}

/// What a line did: nothing more to say, or its difference from FRR; or what is wrong with it.
pub(super) type Done = Result<Option<String>, String>;

/// Nothing more to say.
pub(super) const DONE: Done = Ok(None);

/// Notes what a line says.
pub(super) type Handler = fn(&mut Site, &Args<'_>) -> Done;

/// What becomes of a line.
#[derive(Clone, Copy)]
pub(super) enum Means {
    /// Honoured.
    Does(Handler),
    /// Honoured, with this difference.
    Differs(Handler, &'static str),
    /// So it always is here. Behind `no`, that is a difference.
    Always(&'static str),
    /// Honoured by doing nothing, which differs from FRR as said.
    Moot(&'static str),
    /// The same, which is what the line asks for behind `no`.
    Never(&'static str),
    /// Honoured by doing nothing, with `no` or without: what it is for is so here in any case, and nothing
    /// that anybody could see depends on it.
    Needless(&'static str),
    /// Opens a block; behind `no` it takes one away.
    Opens(Node, Handler),
    /// Ends so many blocks as have to end.
    Closes,
    /// For another daemon of FRR, which can run beside.
    Elsewhere(&'static str),
    /// The same, with lines of its own beneath.
    OpensElsewhere(&'static str),
    /// Not done; the file is refused. Behind `no` it is as the line says.
    Refused(&'static str),
    /// The same, with lines of its own beneath.
    OpensRefused(&'static str),
}

impl Means {
    /// Whether something comes of it here, so that it is worth listing.
    pub(super) fn is_done(self) -> bool {
        match self {
            Means::Does(_)
            | Means::Differs(..)
            | Means::Always(_)
            | Means::Moot(_)
            | Means::Never(_)
            | Means::Needless(_)
            | Means::Opens(..)
            | Means::Closes => true,
            Means::Elsewhere(_)
            | Means::OpensElsewhere(_)
            | Means::Refused(_)
            | Means::OpensRefused(_) => false,
        }
    }
}

/// All commands that are known.
pub(super) fn all() -> impl Iterator<Item = &'static Shape> {
    [
        router::SHAPES,
        router::FAMILY_SHAPES,
        neighbor::SHAPES,
        neighbor::FAMILY_SHAPES,
        evpn::SHAPES,
        lists::SHAPES,
        route_map::SHAPES,
        set::SHAPES,
        advertisement::SHAPES,
        bfd::SHAPES,
        rpki::SHAPES,
        static_route::SHAPES,
        interface::SHAPES,
        debug::SHAPES,
        rest::SHAPES,
    ]
    .into_iter()
    .flatten()
}

const fn shape(nodes: &'static [Node], words: &'static str, means: Means) -> Shape {
    Shape {
        nodes,
        words,
        means,
    }
}
