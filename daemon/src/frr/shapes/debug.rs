//! `debug`: which debug messages go to targets of the log with the level `debugging`.
//!
//! What a line asks for is a [`Debug`], which knows what is within what; here are the lines that FRR has. Lines about what
//! rbgpd has nothing to tell of are named.

use super::Means::{Does, Elsewhere, Never};
use super::Node::{Bfd, Interface, Router, Top};
use super::{DONE, Done, Node, Shape, shape};
use crate::config::Debug;
use crate::frr::model::{Args, Site};

/// FRR takes them in any block; where a block has words that begin alike they are looked for here first.
const ANYWHERE: &[Node] = &[Top, Router, Interface, Bfd];

pub(super) const SHAPES: &[Shape] = &[
    shape(
        ANYWHERE,
        "debug bgp (neighbor-events|keepalives) [PEER]",
        Does(debug),
    ),
    shape(ANYWHERE, "debug bgp updates", Does(debug)),
    shape(ANYWHERE, "debug bgp updates (in|out) [PEER]", Does(debug)),
    shape(ANYWHERE, "debug bgp updates prefix PREFIX", Does(debug)),
    shape(ANYWHERE, "debug bgp zebra [prefix PREFIX]", Does(debug)),
    shape(ANYWHERE, "debug bgp bestpath PREFIX", Does(debug)),
    shape(
        ANYWHERE,
        "debug bgp (nht|update-groups|graceful-restart|bfd)",
        Does(debug),
    ),
    shape(ANYWHERE, "debug zebra (events|kernel|vxlan)", Does(debug)),
    shape(
        ANYWHERE,
        "debug zebra (rib|nht|dplane) [detailed]",
        Does(debug),
    ),
    shape(ANYWHERE, "debug zebra nexthop [detail]", Does(debug)),
    shape(ANYWHERE, "debug bfd (peer|network|zebra)", Does(debug)),
    shape(ANYWHERE, "debug rpki", Does(debug)),
    shape(ANYWHERE, "debug static [(events|route)]", Does(debug)),
    shape(
        ANYWHERE,
        "debug (ospf|ospf6|isis|openfabric|rip|ripng|eigrp|babel|pim|pimv6|igmp|mld|mroute|mroute6|msdp|ldp|mpls|nhrp|vrrp|pbr|pathd|bmp) [LINE]",
        Elsewhere("daemon of that protocol"),
    ),
    shape(
        ANYWHERE,
        "debug (bgp|zebra|bfd|static|mgmt|northbound|service|resolver|vrf|route-map|memstats-at-exit|unique-id|prefix-list|all) [LINE]",
        Never("rbgpd has no debug messages of that"),
    ),
];

/// Asks for messages, or for no more of them.
fn debug(site: &mut Site, a: &Args<'_>) -> Done {
    let spelled = a.caught.spelled();
    let words = spelled.strip_prefix("debug ").unwrap_or(&spelled);
    if a.no() {
        site.debug.retain(|it, _| !it.is_within(words));
        return DONE;
    }
    let asked = Debug::read(words).ok_or("a prefix has no host bits, and a neighbor one word")?;
    for one in asked {
        site.debug.retain(|it, _| !one.replaces(it));
        site.debug.insert(one, a.spot);
    }
    DONE
}
