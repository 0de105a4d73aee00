//! Lines of the log about tunnel endpoints whose way in the underlay is gone, or back.
//!
//! How an endpoint is reached is worked out by `answer::tunnels`, for whoever asks. Here it is asked a
//! moment after something happened that may have a say: the ground changed, a best route around an
//! endpoint, or what EVPN knows. What happened together is one line, however many endpoints it took
//! along, and the end of it is another one. While routes are still coming after a start nothing is
//! said: EVPN's may be here before those that lead to its endpoints.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use bgp::{Family, Prefix};

use super::Core;
use super::answer::named;
use crate::control::reply::Underneath;

/// After a change, the rest of it is waited for.
const GATHER: Duration = Duration::from_secs(1);

/// How an endpoint is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Route,
    Default,
    Nothing,
}

/// Endpoints as they were when they were last looked at.
#[derive(Debug, Default)]
pub(super) struct Tunnels {
    look_at: Option<Instant>,
    ways: BTreeMap<IpAddr, Way>,
}

/// What changed at once. A line each.
#[derive(Debug, Default, PartialEq, Eq)]
struct News {
    nothing: Vec<IpAddr>,
    by_default: Vec<IpAddr>,
    back: Vec<IpAddr>,
}

impl Tunnels {
    pub(super) fn look(&mut self, now: Instant) {
        self.look_at.get_or_insert(now + GATHER);
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.look_at
    }

    /// A route to this prefix may lead to an endpoint.
    pub(super) fn depends_on(&self, prefix: Prefix) -> bool {
        let mut behind = self.ways.range(prefix.addr()..);
        let first = behind.next();
        first.is_some_and(|(addr, _)| prefix.contains_addr(*addr))
    }

    fn news(&mut self, ways: BTreeMap<IpAddr, Way>) -> News {
        let mut news = News::default();
        for (vtep, way) in &ways {
            let before = self.ways.get(vtep).copied().unwrap_or(Way::Route);
            match (before, *way) {
                (Way::Route | Way::Default, Way::Nothing) => news.nothing.push(*vtep),
                (Way::Route | Way::Nothing, Way::Default) => news.by_default.push(*vtep),
                (Way::Default | Way::Nothing, Way::Route) => news.back.push(*vtep),
                (Way::Route, Way::Route)
                | (Way::Default, Way::Default)
                | (Way::Nothing, Way::Nothing) => {}
            }
        }
        self.ways = ways;
        news
    }
}

impl Core {
    pub(super) fn tunnels_timeout(&mut self, now: Instant) {
        if self.tunnels.look_at.is_none_or(|at| at > now) {
            return;
        }
        self.tunnels.look_at = None;
        let mut families = Family::ALL.iter();
        if !families.all(|family| *self.converged.get(*family)) {
            return;
        }
        let ways = self.endpoint_ways().into_iter();
        let ways = ways.map(|(vtep, by)| match by {
            Underneath::Route(_) => (vtep, Way::Route),
            Underneath::Default(_) => (vtep, Way::Default),
            Underneath::Nothing => (vtep, Way::Nothing),
        });
        let News {
            nothing,
            by_default,
            back,
        } = self.tunnels.news(ways.collect());
        if let Some(first) = nothing.first() {
            tracing::warn!(
                "no route leads to {} any more: what machines here send there is lost\n\nhint: look at the \
                 underlay (`ip route get {first}`, `rbgpctl show evpn vteps`)",
                named(&nothing)
            );
        }
        if let Some(first) = by_default.first() {
            tracing::warn!(
                "only the default route leads to {}: what machines here send there follows it, wherever it \
                 leads\n\nhint: look at the underlay (`ip route get {first}`, `rbgpctl show evpn vteps`)",
                named(&by_default)
            );
        }
        if !back.is_empty() {
            tracing::info!("a route leads to {} again", named(&back));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vtep(number: u8) -> IpAddr {
        [10, 10, 0, number].into()
    }

    fn ways(all: &[(u8, Way)]) -> BTreeMap<IpAddr, Way> {
        let ways = all.iter().map(|(number, way)| (vtep(*number), *way));
        ways.collect()
    }

    #[test]
    fn what_happens_at_once_is_said_once_and_the_end_of_it_too() {
        use Way::{Default, Nothing, Route};
        let mut tunnels = Tunnels::default();
        let first = ways(&[(1, Route), (2, Route), (3, Route)]);
        assert_eq!(tunnels.news(first.clone()), News::default());
        let lost = ways(&[(1, Nothing), (2, Default), (3, Nothing)]);
        let news = tunnels.news(lost.clone());
        assert_eq!(news.nothing, [vtep(1), vtep(3)]);
        assert_eq!((news.by_default, news.back), (vec![vtep(2)], vec![]));
        assert_eq!(tunnels.news(lost), News::default());
        assert_eq!(tunnels.news(first).back, [1, 2, 3].map(vtep));
    }

    #[test]
    fn a_site_that_comes_without_a_route_is_said_and_one_that_goes_is_not() {
        let mut tunnels = Tunnels::default();
        assert_eq!(tunnels.news(ways(&[(1, Way::Nothing)])).nothing, [vtep(1)]);
        assert_eq!(tunnels.news(ways(&[])), News::default());
    }

    #[test]
    fn only_routes_around_an_endpoint_have_a_say() {
        let mut tunnels = Tunnels::default();
        tunnels.news(ways(&[(5, Way::Route)]));
        for (prefix, has) in [
            ("10.10.0.5/32", true),
            ("10.10.0.0/16", true),
            ("0.0.0.0/0", true),
            ("10.10.0.6/32", false),
            ("10.11.0.0/16", false),
        ] {
            assert_eq!(tunnels.depends_on(prefix.parse().unwrap()), has, "{prefix}");
        }
    }
}
