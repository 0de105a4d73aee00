//! `ipv6 nd` of an interface: router advertisements.
//!
//! They are sent where a neighbor is known by its interface, and nowhere else: what hosts are told is
//! for radvd and the like. So whether a line has its effect is seen when all neighbors are known
//! ([`crate::frr::write`]).

use super::Means::{Does, Moot};
use super::Node::Interface;
use super::{DONE, Node, Shape, shape};
use crate::frr::model::quote;

const LINK: &[Node] = &[Interface];

pub(super) const SHAPES: &[Shape] = &[
    shape(
        LINK,
        "ipv6 nd suppress-ra",
        Does(|site, a| {
            a.switch(&mut site.advertisement().suppressed);
            DONE
        }),
    ),
    shape(
        LINK,
        "ipv6 nd ra-interval <1-1800>",
        Does(|site, a| {
            let interval = quote(&format!("{}s", a.value("<1-1800>")));
            site.advertisement().interval = (!a.no()).then(|| a.put(interval));
            DONE
        }),
    ),
    shape(
        LINK,
        "ipv6 nd ra-interval msec <70-1800000>",
        Does(|site, a| {
            let milliseconds = a.number("<70-1800000>").unwrap_or(1000);
            let seconds = milliseconds.div_ceil(1000);
            let interval = quote(&format!("{seconds}s"));
            site.advertisement().interval = (!a.no()).then(|| a.put(interval));
            let rounded = !milliseconds.is_multiple_of(1000);
            Ok(rounded.then(|| format!("the interval is of whole seconds: {seconds}")))
        }),
    ),
    shape(
        LINK,
        "ipv6 nd LINE",
        Moot("what hosts are told of a network is for radvd and the like"),
    ),
];
