//! `rpki`: caches that say which AS may originate which prefix.
//!
//! FRR has one set of times for all caches; in TOML each cache has its own, and gets them.

use std::net::{IpAddr, SocketAddr};

use super::Means::{Differs, Does, Moot, Opens, Refused};
use super::Node::{Rpki, Top};
use super::{DONE, Done, Node, Shape, shape};
use crate::frr::model::{Args, Site, quote};

const HERE: &[Node] = &[Rpki];
const SSH: &str = "caches are asked over TCP alone; protect the way to it (WireGuard, stunnel), or run the cache here";

pub(super) const SHAPES: &[Shape] = &[
    shape(
        &[Top],
        "rpki",
        Opens(Rpki, |site, a| {
            match a.no() {
                true => site.rpki = Default::default(),
                false => drop(site.rpki.spot.get_or_insert(a.spot)),
            }
            DONE
        }),
    ),
    shape(
        &[Top],
        "rpki vrf NAME",
        super::Means::OpensRefused("caches are asked outside of VRFs; write `rpki`"),
    ),
    shape(
        HERE,
        "rpki cache CACHE <1-65535> preference <1-255>",
        Does(cache),
    ),
    shape(
        HERE,
        "rpki cache tcp CACHE <1-65535> preference <1-255>",
        Does(cache),
    ),
    shape(
        HERE,
        "rpki cache tcp CACHE <1-65535> source ADDR preference <1-255>",
        Differs(
            cache,
            "the kernel chooses the address that questions come from",
        ),
    ),
    shape(HERE, "rpki cache ssh LINE", Refused(SSH)),
    shape(
        HERE,
        "rpki cache CACHE <1-65535> USER KEY [LINE]",
        Refused(SSH),
    ),
    shape(
        HERE,
        "rpki polling_period <1-86400>",
        Does(|site, a| time(site, a, "refresh", "<1-86400>")),
    ),
    shape(
        HERE,
        "rpki retry_interval <1-7200>",
        Does(|site, a| time(site, a, "retry", "<1-7200>")),
    ),
    shape(
        HERE,
        "rpki expire_interval <600-172800>",
        Does(|site, a| time(site, a, "expire", "<600-172800>")),
    ),
    shape(
        HERE,
        "rpki (timeout|initial-synchronisation-timeout) N",
        Moot("nothing waits for a cache: routes are judged again when it has answered"),
    ),
];

fn time(site: &mut Site, a: &Args<'_>, key: &'static str, name: &str) -> Done {
    let text = quote(&format!("{}s", a.value(name)));
    a.set(&mut site.rpki.times, key, text);
    DONE
}

fn cache(site: &mut Site, a: &Args<'_>) -> Done {
    let host = a.value("CACHE");
    let Ok(address) = host.parse::<IpAddr>() else {
        return Err(format!(
            "`{host}` is a name; write the address of the cache"
        ));
    };
    let port = a.get("<1-65535>").and_then(|port| port.parse().ok());
    let address = SocketAddr::new(address, port.unwrap_or(0));
    match a.no() {
        true => drop(site.rpki.caches.remove(&address)),
        false => drop(site.rpki.caches.insert(address, a.put(a.value("<1-255>")))),
    }
    DONE
}
