//! `bfd`: peers and profiles. A peer has a session of its own, which a BGP neighbour on the same path
//! shares.

use super::Means::{Always, Does, Moot, Opens, Refused};
use super::Node::{Bfd, BfdPeer, BfdProfile, Top};
use super::{DONE, Done, Node, Shape, shape};
use crate::frr::model::{Args, Bfd as Session, BfdKey, Site};

const PEER: &[Node] = &[BfdPeer];
const BOTH: &[Node] = &[BfdPeer, BfdProfile];

pub(super) const SHAPES: &[Shape] = &[
    shape(
        &[Top],
        "bfd",
        Opens(Bfd, |site, a| {
            if a.no() {
                site.bfd_peers.clear();
                site.bfd_profiles.clear();
            }
            DONE
        }),
    ),
    shape(
        &[Bfd],
        "peer ADDR {local-address ADDR|interface IFNAME|vrf NAME|multihop}",
        Opens(BfdPeer, |site, a| {
            let addresses = a.all("ADDR");
            let word = |name| a.get(name).map(str::to_owned);
            let key = BfdKey {
                peer: a.value("ADDR").to_owned(),
                vrf: word("NAME").filter(|it| it != "default"),
                multihop: a.has("multihop"),
                local: addresses.get(1).map(|it| (*it).to_owned()),
                interface: word("IFNAME"),
            };
            if a.no() {
                site.bfd_peers.remove(&key);
                return DONE;
            }
            site.bfd_peers
                .entry(key.clone())
                .or_default()
                .spot
                .get_or_insert(a.spot);
            site.here.bfd = key;
            DONE
        }),
    ),
    shape(
        &[Bfd],
        "profile NAME",
        Opens(BfdProfile, |site, a| {
            let name = a.value("NAME").to_owned();
            if a.no() {
                site.bfd_profiles.remove(&name);
                return DONE;
            }
            site.bfd_profiles
                .entry(name.clone())
                .or_default()
                .spot
                .get_or_insert(a.spot);
            site.here.profile = name;
            DONE
        }),
    ),
    shape(
        BOTH,
        "detect-multiplier <1-255>",
        Does(|site, a| {
            let text = (!a.no()).then(|| a.put(a.value("<1-255>")));
            session(site, a).multiplier = text;
            DONE
        }),
    ),
    shape(
        BOTH,
        "receive-interval <10-60000>",
        Does(|site, a| {
            let text = (!a.no()).then(|| a.put(a.value("<10-60000>")));
            session(site, a).receive = text;
            DONE
        }),
    ),
    shape(
        BOTH,
        "transmit-interval <10-60000>",
        Does(|site, a| {
            let text = (!a.no()).then(|| a.put(a.value("<10-60000>")));
            session(site, a).transmit = text;
            DONE
        }),
    ),
    shape(
        BOTH,
        "shutdown",
        Does(|site, a| {
            session(site, a).shutdown = (!a.no()).then_some(a.spot);
            DONE
        }),
    ),
    shape(
        PEER,
        "profile NAME",
        Does(|site, a| {
            let text = (!a.no()).then(|| a.put(a.value("NAME")));
            session(site, a).profile = text;
            DONE
        }),
    ),
    shape(
        BOTH,
        "echo-mode",
        Does(|site, a| {
            near(site, a)?;
            session(site, a).echo = (!a.no()).then_some(a.spot);
            DONE
        }),
    ),
    shape(
        BOTH,
        "echo-interval <10-60000>",
        Does(|site, a| {
            near(site, a)?;
            let text = (!a.no()).then(|| a.put(a.value("<10-60000>")));
            session(site, a).echo_transmit.clone_from(&text);
            session(site, a).echo_receive = text;
            DONE
        }),
    ),
    shape(
        BOTH,
        "echo transmit-interval <10-60000>",
        Does(|site, a| {
            near(site, a)?;
            let text = (!a.no()).then(|| a.put(a.value("<10-60000>")));
            session(site, a).echo_transmit = text;
            DONE
        }),
    ),
    shape(
        BOTH,
        "echo receive-interval (<10-60000>|disabled)",
        Does(|site, a| {
            near(site, a)?;
            let often = a.get("<10-60000>").unwrap_or("false");
            let text = (!a.no()).then(|| a.put(often));
            session(site, a).echo_receive = text;
            DONE
        }),
    ),
    shape(
        BOTH,
        "passive-mode",
        Does(|site, a| {
            session(site, a).passive = (!a.no()).then_some(a.spot);
            DONE
        }),
    ),
    shape(
        BOTH,
        "minimum-ttl <1-254>",
        Does(|site, a| {
            far(site, a)?;
            let text = (!a.no()).then(|| a.put(a.value("<1-254>")));
            session(site, a).min_ttl = text;
            DONE
        }),
    ),
    shape(
        BOTH,
        "log-session-changes",
        Always("changes of sessions are always logged"),
    ),
    shape(PEER, "label NAME", Moot("sessions are known by their peer")),
    shape(
        &[Bfd],
        "distributed LINE",
        Refused("BFD runs in rbgpd itself"),
    ),
];

/// The echo function is for sessions over one hop, RFC 5883 §3.
fn near(site: &Site, a: &Args<'_>) -> Done {
    match a.node == BfdPeer && site.here.bfd.multihop && !a.no() {
        true => Err("echo is for a peer on the link, and this one is `multihop`".to_owned()),
        false => DONE,
    }
}

/// On the link the TTL is 255 in any case, RFC 5881 §5. FRR takes the line for `multihop` alone, too.
fn far(site: &Site, a: &Args<'_>) -> Done {
    match a.node == BfdPeer && !site.here.bfd.multihop && !a.no() {
        true => Err(
            "a peer without `multihop` is on the link, where the TTL is 255 in any case"
                .to_owned(),
        ),
        false => DONE,
    }
}

fn session<'s>(site: &'s mut Site, a: &Args<'_>) -> &'s mut Session {
    if a.node == Node::BfdProfile {
        let profile = site.here.profile.clone();
        return site.bfd_profiles.entry(profile).or_default();
    }
    site.bfd_peers.entry(site.here.bfd.clone()).or_default()
}
