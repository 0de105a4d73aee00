//! Route-maps between routers in one process, over real TCP on loopback, with the kernel off.
//!
//! ```text
//! first (AS 65001, .1) ── middle (AS 65002, .2) ── last (AS 65003, .3)
//! ```
//!
//! The middle one has the policy; the last one shows what it does.

use std::net::IpAddr;

use rbgpd::Router;
use rbgpd::config::Config;
use rbgpd::control::{ErrorKind, Reply, Request, Routes, reply};

use crate::ends::{End, ends, parse, routes, start, until};

struct Line([End; 3]);

impl Line {
    fn new(test: u8) -> Self {
        Self(ends(9, test))
    }

    fn address(&self, router: usize) -> IpAddr {
        self.0[router - 1].address
    }

    /// The configuration of one router; `families` has the neighbours with what is said of them.
    fn router(&self, own: usize, families: &[(usize, &str)], rest: &str) -> Config {
        let end = &self.0[own - 1];
        let mut text = end.head();
        text += &format!("[ipv4_unicast]\nnetworks = [\"10.{own}.0.0/16\"]\n");
        for (other, family) in families {
            let keys = format!("ipv4_unicast = {{ {family} }}");
            text += &end.neighbor(&self.0[other - 1], &keys);
        }
        parse(&(text + rest))
    }

    fn start(&self, middle: Config) -> [Router; 3] {
        let first = self.router(1, &[(2, "")], "");
        let last = self.router(3, &[(2, "")], "");
        [first, middle, last].map(start)
    }
}

async fn route(router: &Router, prefix: &str) -> Option<reply::Route> {
    let routes = routes(router, Routes::default()).await.routes;
    routes.into_iter().find(|it| it.prefix == prefix)
}

async fn next_hop(router: &Router, prefix: &str, wanted: IpAddr) {
    until("the next hop", || async {
        let hops = route(router, prefix).await?.next_hops;
        (hops == [wanted.into()]).then_some(())
    })
    .await;
}

async fn map(router: &Router, name: &str) -> reply::RouteMap {
    let name = Some(name.to_owned());
    match router.ask(Request::RouteMaps { name }).await {
        Ok(Reply::RouteMaps(mut maps)) => maps.route_maps.remove(0),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_map_says_which_next_hop_is_told() {
    let line = Line::new(1);
    let middle = |hop: &str| {
        let map = format!(
            "[[route_map]]\nname = \"OUT\"\n\
             entry = [{{ seq = 10, action = \"permit\", set = {{ next_hop = \"{hop}\" }} }}]\n"
        );
        line.router(2, &[(1, ""), (3, "export = \"OUT\"")], &map)
    };
    let routers = line.start(middle("unchanged"));
    let [_, policy, last] = &routers;
    next_hop(last, "10.1.0.0/16", line.address(1)).await;
    policy.apply(middle("self")).await;
    next_hop(last, "10.1.0.0/16", line.address(2)).await;
    policy.apply(middle("192.0.2.7")).await;
    next_hop(last, "10.1.0.0/16", "192.0.2.7".parse().unwrap()).await;
    policy.apply(middle("peer_address")).await;
    next_hop(last, "10.1.0.0/16", line.address(2)).await;
    for router in routers {
        router.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_map_that_neighbours_share_can_tell_them_apart() {
    let line = Line::new(2);
    let (first, last) = (line.address(1), line.address(3));
    let maps = format!(
        "[[route_map]]\nname = \"IN\"\nentry = [\n\
         {{ seq = 10, action = \"permit\", match = {{ peer = \"{first}\" }}, set = {{ metric = 1 }} }},\n\
         {{ seq = 20, action = \"permit\", match = {{ peer = \"{last}\" }}, set = {{ metric = 3 }} }},\n]\n"
    );
    let shared = "import = \"IN\"";
    let routers = line.start(line.router(2, &[(1, shared), (3, shared)], &maps));
    let [_, policy, _] = &routers;
    for (prefix, metric) in [("10.1.0.0/16", 1), ("10.3.0.0/16", 3)] {
        until("the metric", || async {
            (route(policy, prefix).await?.med == Some(metric)).then_some(())
        })
        .await;
    }
    for router in routers {
        router.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_maps_have_counted_is_shown_and_goes_on_over_a_reload() {
    let line = Line::new(3);
    let middle = |metric: u32| {
        let maps = format!(
            "[[route_map]]\nname = \"IN\"\nentry = [\n\
             {{ seq = 10, action = \"deny\", match = {{ as_path_contains = 65003 }} }},\n\
             {{ seq = 20, action = \"permit\", description = \"the rest\" }},\n]\n\
             [[route_map]]\nname = \"OUT\"\n\
             entry = [{{ seq = 10, action = \"permit\", set = {{ metric = {metric} }} }}]\n"
        );
        let families = [
            (1, "import = \"IN\""),
            (3, "import = \"IN\", export = \"OUT\""),
        ];
        line.router(2, &families, &maps)
    };
    let routers = line.start(middle(7));
    let [_, policy, last] = &routers;
    let told = |metric| async move {
        let route = route(last, "10.1.0.0/16").await?;
        (route.med == Some(metric)).then_some(())
    };
    until("the first metric", || told(7)).await;
    let hits = |map: &reply::RouteMap| map.entries.iter().map(|it| it.hits).collect::<Vec<_>>();
    let before = until("both entries have matched", || async {
        let map = map(policy, "IN").await;
        (hits(&map).iter().all(|hits| *hits > 0)).then_some(map)
    })
    .await;
    assert_eq!(before.entries[0].matches, ["as_path_contains = 65003"]);
    assert_eq!(before.entries[1].description.as_deref(), Some("the rest"));
    let uses = [1, 3].map(|it| format!("{} ipv4_unicast import", line.address(it)));
    assert_eq!(before.used_by, uses);

    policy.apply(middle(8)).await;
    until("the second metric", || told(8)).await;
    let after = map(policy, "IN").await;
    assert!(after.evaluations >= before.evaluations, "{after:?}");
    assert!(hits(&after)[0] >= hits(&before)[0], "{after:?}");

    let name = Some("NONE".to_owned());
    let error = policy.ask(Request::RouteMaps { name }).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::NotFound);
    for router in routers {
        router.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_map_that_makes_all_paths_longer_is_a_drain_that_is_shown() {
    let line = Line::new(4);
    // Our own AS number and nothing else, before everything, for all.
    let middle = |prepended: &str, condition: &str| {
        let map = format!(
            "[[prefix_list]]\nname = \"TEN\"\nrules = [\"permit 10.0.0.0/8 le 32\"]\n\
             [[route_map]]\nname = \"AWAY\"\nentry = [{{ seq = 10, action = \"permit\", {condition} \
             set = {{ as_path_prepend = \"{prepended}\" }} }}]\n"
        );
        line.router(
            2,
            &[(1, "export = \"AWAY\""), (3, "export = \"AWAY\"")],
            &map,
        )
    };
    let routers = line.start(middle("65002 65002", ""));
    let [_, policy, last] = &routers;
    let path = |length| async move {
        let route = route(last, "10.2.0.0/16").await?;
        (route.as_path.len() == length).then_some(())
    };
    until("the longer path", || path(3)).await;
    let shown = || async {
        match policy.ask(Request::DrainStatus).await.unwrap() {
            Reply::Drain(drain) => drain,
            other => panic!("{other:?}"),
        }
    };
    let drain = shown().await;
    let maps = |drain: &reply::Drain| -> Vec<Option<String>> {
        let neighbors = drain.neighbors.iter();
        neighbors.map(|it| it.by_route_map.clone()).collect()
    };
    assert_eq!(
        maps(&drain),
        [Some("AWAY".to_owned()), Some("AWAY".to_owned())]
    );
    // No order did that, and none has to be confirmed.
    assert!(!drain.draining && drain.complete, "{drain:?}");
    for (prepended, condition, length) in [
        ("65002 65009", "", 3),
        ("65002", "match = { prefix_list = \"TEN\" },", 2),
    ] {
        policy.apply(middle(prepended, condition)).await;
        until("another path", || path(length)).await;
        assert_eq!(
            maps(&shown().await),
            [None, None],
            "{prepended} {condition}"
        );
    }
    for router in routers {
        router.stop().await;
    }
}
