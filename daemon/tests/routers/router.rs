//! Routers in one process, over real TCP on loopback, with the kernel off.
//!
//! ```text
//! left (AS 65001, 127.0.0.1) ── right (AS 65002, 127.0.0.2)
//! ```

use std::net::IpAddr;
use std::path::PathBuf;

use rbgpd::config::{self, Config};
use rbgpd::control::{
    Clear, Drain, EvpnRoutes, Page, Reply, Request, Routes, Select, SoftReset, reply,
};
use rbgpd::{Options, Router};

use crate::ends::{self, End, ends, neighbors, parse, start, summary, until, until_is};

/// Two ends and their configurations.
struct Pair {
    left: End,
    right: End,
}

impl Pair {
    fn new(test: u8) -> Self {
        let [left, right] = ends(1, test);
        Self { left, right }
    }

    fn left(&self, extra: &str) -> Config {
        side(&self.left, &self.right, extra)
    }

    fn right(&self, extra: &str) -> Config {
        side(&self.right, &self.left, extra)
    }
}

/// Keys of the neighbour stand in `extra` before a line of dashes.
fn side(own: &End, other: &End, extra: &str) -> Config {
    let (keys, rest) = extra.split_once("---").unwrap_or(("", extra));
    let keys = match keys.contains("ipv4_unicast") {
        true => keys.to_owned(),
        false => format!("{keys}\nipv4_unicast = {{}}"),
    };
    let id = own.asn - 65000;
    let networks =
        format!("[ipv4_unicast]\nnetworks = [\"10.{id}.0.0/16\", \"172.20.0.53/32\"]\n");
    parse(&(own.head() + &networks + &own.neighbor(other, &keys) + rest))
}

async fn routes(router: &Router, select: Select) -> Vec<reply::Route> {
    let request = Routes {
        select,
        ..Routes::default()
    };
    ends::routes(router, request).await.routes
}

async fn established(router: &Router) -> reply::NeighborSummary {
    until("Established with routes", || async {
        let summary = summary(router).await;
        let neighbor = summary.neighbors.into_iter().next()?;
        let counts = neighbor.families.ipv4_unicast?;
        (neighbor.state == "Established" && counts.received == 2 && counts.advertised == 2)
            .then_some(neighbor)
    })
    .await
}

async fn route(router: &Router, prefix: &str, from: IpAddr) -> Option<reply::Route> {
    let all = routes(router, Select::All).await;
    all.into_iter()
        .find(|route| route.prefix == prefix && route.neighbor == Some(from.into()))
}

/// Waits until a neighbour's route is no more.
async fn until_gone(what: &str, router: &Router, prefix: &str, from: IpAddr) {
    until(what, || async {
        let route = route(router, prefix, from).await;
        route.is_none().then_some(())
    })
    .await;
}

/// What is seen of each route's preference.
async fn preferences(
    router: &Router,
) -> Vec<(String, Option<bgp::ScopedAddr>, bool, Option<u32>)> {
    let all = routes(router, Select::All).await;
    let of = |it: reply::Route| (it.prefix, it.neighbor, it.best, it.local_pref);
    all.into_iter().map(of).collect()
}

async fn flaps(router: &Router) -> u64 {
    neighbors(router, None).await[0].flaps
}

#[tokio::test(flavor = "multi_thread")]
async fn routes_cross_and_leave_with_their_router() {
    let pair = Pair::new(1);
    let (left, right) = (start(pair.left("")), start(pair.right("")));
    established(&left).await;
    established(&right).await;
    let learned = route(&left, "10.2.0.0/16", pair.right.address)
        .await
        .unwrap();
    assert!(learned.best);
    let advertised = routes(&left, Select::Advertised(pair.right.address.into())).await;
    assert_eq!(advertised.len(), 2, "{advertised:?}");
    right.stop().await;
    until_gone(
        "routes of the stopped router are gone",
        &left,
        "10.2.0.0/16",
        pair.right.address,
    )
    .await;
    left.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn prefixes_beyond_the_outgoing_limit_are_counted_for_the_metrics() {
    let pair = Pair::new(41);
    let limited = |limit| {
        pair.left(&format!(
            "ipv4_unicast = {{ maximum_prefixes_out = {limit} }}\n---"
        ))
    };
    let (left, right) = (start(limited(1)), start(pair.right("")));
    let not_told = || async {
        let Reply::Metrics(metrics) = left.ask(Request::Metrics).await.unwrap() else {
            panic!("no metrics");
        };
        let neighbor = metrics.neighbors.into_iter().next()?;
        let told = neighbor.families.ipv4_unicast?.advertised;
        Some((told, neighbor.not_told.ipv4_unicast))
    };
    // One of the two of its own, and what the other one sent is not for that one.
    until("one too many", || async {
        (not_told().await? == (1, Some(1))).then_some(())
    })
    .await;
    left.apply(limited(2)).await;
    until("room for both", || async {
        (not_told().await? == (2, Some(0))).then_some(())
    })
    .await;
    left.apply(pair.left("")).await;
    until("no limit", || async {
        (not_told().await? == (2, None)).then_some(())
    })
    .await;
    left.stop().await;
    right.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_policy_takes_effect_without_a_new_session() {
    let pair = Pair::new(2);
    let (left, right) = (start(pair.left("")), start(pair.right("")));
    let before = established(&left).await;
    established(&right).await;
    let policy = "ipv4_unicast = { export = \"OUT\" }\n---\n\
                  [[prefix_list]]\nname = \"SERVICE\"\nrules = [\"permit 172.16.0.0/12 le 32\"]\n\
                  [[route_map]]\nname = \"OUT\"\n\
                  entry = [{ seq = 10, action = \"permit\", \
                  match = { prefix_list = \"SERVICE\" }, set = { metric = 77 } }]\n";
    right.apply(pair.right(policy)).await;
    let service = until("the new metric", || async {
        let service = route(&left, "172.20.0.53/32", pair.right.address).await?;
        (service.med == Some(77)).then_some(service)
    })
    .await;
    assert!(!service.best, "our own is preferred");
    until_gone(
        "what the policy holds back is withdrawn",
        &left,
        "10.2.0.0/16",
        pair.right.address,
    )
    .await;
    let after = summary(&left).await.neighbors.remove(0);
    assert!(after.uptime_s >= before.uptime_s);
    left.stop().await;
    right.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_default_preference_changes_without_a_new_session_to_what_a_start_with_it_has() {
    let pair = Pair::new(42);
    let (left, right) = (start(pair.left("")), start(pair.right("")));
    established(&left).await;
    established(&right).await;
    let before = preferences(&left).await;
    let changed = pair.left("---\n[router]\ndefault_local_preference = 200\n");
    left.apply(changed.clone()).await;
    let after = until("the other preference", || async {
        let now = preferences(&left).await;
        (now != before).then_some(now)
    })
    .await;
    let learned = after.iter().filter(|it| it.1.is_some());
    assert!(learned.clone().count() == 2 && learned.clone().all(|it| it.3 == Some(200)));
    assert_eq!(flaps(&left).await, 0);
    left.stop().await;
    let left = start(changed);
    established(&left).await;
    assert_eq!(preferences(&left).await, after);
    left.apply(pair.left("")).await;
    until("the former preference", || async {
        (preferences(&left).await == before).then_some(())
    })
    .await;
    assert_eq!(flaps(&left).await, 0);
    left.stop().await;
    right.stop().await;
}

/// The MEDs of what right is told.
async fn meds(router: &Router, pair: &Pair) -> Vec<Option<u32>> {
    let all = routers_routes(router, pair).await;
    all.into_iter().map(|route| route.med).collect()
}

async fn routers_routes(router: &Router, pair: &Pair) -> Vec<reply::Route> {
    let from = pair.left.address;
    let all = routes(router, Select::All).await;
    let told = all
        .into_iter()
        .filter(|it| it.neighbor == Some(from.into()));
    told.collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_max_med_keeps_traffic_away_for_some_time_after_a_start_or_for_as_long_as_is_said() {
    let pair = Pair::new(43);
    let startup = "---\n[router]\nmax_med_on_startup = { time = \"5s\", med = 7 }\n";
    let (left, right) = (start(pair.left(startup)), start(pair.right("")));
    established(&left).await;
    established(&right).await;
    let before = flaps(&left).await;
    assert_eq!(meds(&right, &pair).await, [Some(7); 2]);
    let said = summary(&left).await;
    assert!(said.max_med.is_some_and(|it| it.med == 7 && !it.always));
    assert!(said.notices.iter().any(|it| it.contains("are told MED 7")));
    // By itself, with no session anew.
    until("the end of the time after the start", || async {
        (meds(&right, &pair).await == [Some(0); 2]).then_some(())
    })
    .await;
    assert_eq!(summary(&left).await.max_med, None);
    left.apply(pair.left("---\n[router]\nmax_med = 99\n")).await;
    until("the MED of a reload", || async {
        (meds(&right, &pair).await == [Some(99); 2]).then_some(())
    })
    .await;
    left.apply(pair.left(startup)).await;
    until("the MEDs of the routes", || async {
        (meds(&right, &pair).await == [Some(0); 2]).then_some(())
    })
    .await;
    assert_eq!(flaps(&left).await, before);
    left.stop().await;
    right.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backdoor_is_explained_as_long_as_the_configuration_has_it() {
    let pair = Pair::new(45);
    let (left, right) = (start(pair.left("")), start(pair.right("")));
    established(&left).await;
    let explained = || async {
        let request = Request::Explain {
            target: "10.2.0.0/16".to_owned(),
        };
        let Ok(Reply::Explain(explained)) = left.ask(request).await else {
            panic!("no explanation");
        };
        let [entry] = explained.entries.as_slice() else {
            panic!("{explained:?}");
        };
        assert!(entry.paths.iter().any(|path| path.chosen));
        entry
            .notes
            .iter()
            .any(|it| it.contains("one of `backdoors`"))
    };
    assert!(!explained().await);
    let mut changed = pair.left("");
    changed.ipv4_unicast.backdoors = vec!["10.2.0.0/16".parse().unwrap()];
    left.apply(changed).await;
    assert!(explained().await);
    left.apply(pair.left("")).await;
    assert!(!explained().await);
    left.stop().await;
    right.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn attributes_that_are_not_wanted_change_without_a_new_session() {
    let pair = Pair::new(44);
    let told = "ipv4_unicast = { export = \"C\" }\n---\n[[route_map]]\nname = \"C\"\n[[route_map.entry]]\n\
                seq = 10\naction = \"permit\"\nset.community = { add = \"65001:1\" }\n";
    let (left, right) = (start(pair.left(told)), start(pair.right("")));
    established(&left).await;
    established(&right).await;
    let before = flaps(&right).await;
    let held = |what: &'static str, count: usize, communities: usize| {
        let (right, pair) = (&right, &pair);
        async move {
            until(what, || async {
                let all = routers_routes(right, pair).await;
                let as_said = all.iter().all(|it| it.communities.len() == communities);
                (all.len() == count && as_said).then_some(())
            })
            .await;
        }
    };
    held("routes with communities", 2, 1).await;
    right.apply(pair.right("discard_attributes = [8]")).await;
    held("routes without", 2, 0).await;
    right.apply(pair.right("withdraw_attributes = [8]")).await;
    held("no routes", 0, 0).await;
    right.apply(pair.right("")).await;
    held("routes with communities again", 2, 1).await;
    assert_eq!(flaps(&right).await, before);
    left.stop().await;
    right.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn neighbours_and_networks_come_and_go_with_the_configuration() {
    let pair = Pair::new(3);
    let (left, right) = (start(pair.left("")), start(pair.right("")));
    established(&left).await;
    let mut fewer = pair.right("");
    fewer.ipv4_unicast.networks.remove(0);
    right.apply(fewer.clone()).await;
    until_gone(
        "the network is gone",
        &left,
        "10.2.0.0/16",
        pair.right.address,
    )
    .await;
    let mut alone = fewer;
    alone.neighbors.clear();
    right.apply(alone).await;
    assert!(summary(&right).await.neighbors.is_empty());
    let why = until("the reason is told", || async {
        summary(&left).await.neighbors.remove(0).why
    })
    .await;
    assert!(!why.is_empty());
    right.apply(pair.right("")).await;
    established(&left).await;
    left.stop().await;
    right.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_outlives_the_process_and_ends_only_when_all_is_well() {
    let pair = Pair::new(4);
    let state = std::env::temp_dir().join(format!("rbgpd-router-{}", std::process::id()));
    let options = || Options {
        config_file: None,
        state_dir: Some(PathBuf::from(&state)),
    };
    let left = Router::start(pair.left(""), options()).unwrap();
    let right = start(pair.right(""));
    established(&left).await;
    established(&right).await;
    let order = Drain {
        reason: Some("test".to_owned()),
        ..Drain::default()
    };
    left.ask(Request::Drain(order)).await.unwrap();
    let shut = |route: &reply::Route| {
        route
            .communities
            .iter()
            .any(|community| community == "graceful-shutdown")
    };
    until("the drain is told", || async {
        route(&right, "10.1.0.0/16", pair.left.address)
            .await
            .filter(&shut)
    })
    .await;
    until("the drain is confirmed", || async {
        match left.ask(Request::DrainStatus).await.unwrap() {
            Reply::Drain(status) => status.complete.then_some(()),
            other => panic!("{other:?}"),
        }
    })
    .await;
    left.stop().await;
    right.stop().await;
    let left = Router::start(pair.left(""), options()).unwrap();
    assert!(summary(&left).await.draining);
    let refusal = left
        .ask(Request::Undrain {
            neighbor: None,
            force: false,
        })
        .await;
    assert!(refusal.is_err(), "no neighbour is there: {refusal:?}");
    let right = start(pair.right(""));
    until("still drained after the restart", || async {
        route(&right, "10.1.0.0/16", pair.left.address)
            .await
            .filter(&shut)
    })
    .await;
    until("undrained when ready", || async {
        left.ask(Request::Undrain {
            neighbor: None,
            force: false,
        })
        .await
        .ok()
    })
    .await;
    until("announced as before", || async {
        route(&right, "10.1.0.0/16", pair.left.address)
            .await
            .filter(|route| !shut(route))
    })
    .await;
    assert!(!summary(&left).await.draining);
    left.stop().await;
    right.stop().await;
    std::fs::remove_dir_all(state).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cleared_session_comes_back_and_a_soft_clear_keeps_it() {
    let pair = Pair::new(5);
    let (left, right) = (start(pair.left("")), start(pair.right("")));
    established(&left).await;
    established(&right).await;
    for soft in [SoftReset::In, SoftReset::Out] {
        let order = Clear {
            neighbor: Some(pair.right.address.into()),
            soft,
            ..Clear::default()
        };
        left.ask(Request::Clear(order)).await.unwrap();
        assert_eq!(summary(&left).await.neighbors[0].state, "Established");
    }
    let before = flaps(&left).await;
    let order = Clear {
        neighbor: None,
        soft: SoftReset::None,
        ..Clear::default()
    };
    left.ask(Request::Clear(order)).await.unwrap();
    // Both sides connect at once, and a collision may cost one more.
    until("the session went down", || async {
        (flaps(&left).await > before).then_some(())
    })
    .await;
    established(&left).await;
    left.stop().await;
    right.stop().await;
}

/// What `show neighbors` says of several paths to one of them.
async fn add_path(router: &Router, address: IpAddr) -> Option<reply::AddPath> {
    let neighbor = neighbors(router, Some(address)).await.remove(0);
    neighbor.details.ipv4_unicast?.add_path
}

#[tokio::test(flavor = "multi_thread")]
async fn several_paths_are_shown_with_who_takes_them_and_a_reload_changes_their_number() {
    const SERVICE: &str = "172.20.0.53/32";
    let pair = Pair::new(31);
    let third = End {
        asn: 65003,
        address: IpAddr::from([127, 1, 31, 3]),
        ..pair.left
    };
    let left = |send: &str| {
        let family = match send {
            "" => "ipv4_unicast = {}".to_owned(),
            send => format!("ipv4_unicast = {{ add_path_send = {send} }}"),
        };
        let another = pair.left.neighbor(&third, "ipv4_unicast = {}");
        pair.left(&format!("{family}\n---\n{another}"))
    };
    let right = |receive: bool| {
        pair.right(&format!(
            "ipv4_unicast = {{ add_path_receive = {receive} }}\n---\n"
        ))
    };
    let beside = start(side(&third, &pair.left, ""));
    let (told, teller) = (start(right(true)), start(left("\"all\"")));
    let held = async |count: usize| {
        until("so many paths", || async {
            let all = routes(&told, Select::Received(pair.left.address.into())).await;
            let held: Vec<_> = all.into_iter().filter(|it| it.prefix == SERVICE).collect();
            (held.len() == count).then_some(held)
        })
        .await
    };
    let ids: Vec<u32> = held(2).await.iter().map(|route| route.path_id).collect();
    assert_eq!(ids, [1, 2]);
    let sent = routes(&teller, Select::Advertised(pair.right.address.into())).await;
    let sent: Vec<u32> = sent
        .iter()
        .filter(|it| it.prefix == SERVICE)
        .map(|it| it.path_id)
        .collect();
    assert_eq!(sent, ids);
    let taken = add_path(&told, pair.left.address).await.unwrap();
    assert!(taken.receive && taken.receiving && taken.send.is_none() && !taken.sending);
    let sending = add_path(&teller, pair.right.address).await.unwrap();
    assert_eq!(sending.send.as_deref(), Some("all"));
    assert!(sending.sending && !sending.receive);
    assert_eq!(add_path(&teller, third.address).await, None);
    let explained = async || {
        let request = Request::Explain {
            target: SERVICE.to_owned(),
        };
        match teller.ask(request).await.unwrap() {
            Reply::Explain(explained) => explained.entries[0].told.clone(),
            other => panic!("{other:?}"),
        }
    };
    let of_right = explained().await;
    let of_right = of_right
        .iter()
        .find(|it| it.neighbor == pair.right.address.into());
    let of_right = of_right.unwrap();
    assert!(of_right.advertised, "{of_right:?}");
    for part in [
        "told 2 paths under identifiers: ",
        "from this router with next hop",
        &format!("from {} with next hop", third.address),
    ] {
        assert!(of_right.why.contains(part), "{part} is not in {of_right:?}");
    }
    // Another number takes effect at once.
    let before = flaps(&told).await;
    teller.apply(left("1")).await;
    held(1).await;
    teller.apply(left("2")).await;
    held(2).await;
    assert_eq!(flaps(&told).await, before);
    // Whether there are several is agreed on when a session begins.
    teller.apply(left("")).await;
    assert_eq!(held(1).await[0].path_id, 0);
    // To take several is an offer: that none are sent is said of the neighbor, and is no notice.
    let taken = add_path(&told, pair.left.address).await.unwrap();
    assert!(taken.receive && !taken.receiving, "{taken:?}");
    assert_eq!(taken.not_agreed().len(), 1, "{taken:?}");
    assert_eq!(summary(&told).await.notices, Vec::<String>::new());
    assert!(flaps(&told).await > before);
    told.apply(right(false)).await;
    held(1).await;
    assert_eq!(summary(&told).await.notices, Vec::<String>::new());
    // Whoever is to be sent several and does not take them is one.
    teller.apply(left("2")).await;
    let why = until("the missing agreement is noticed", || async {
        summary(&teller).await.notices.into_iter().next()
    })
    .await;
    assert!(why.contains("add_path_send"), "{why}");
    for router in [told, teller, beside] {
        router.stop().await;
    }
}

async fn prefix(router: &Router, prefix: &str) -> (Vec<String>, Option<String>) {
    let request = Routes {
        prefix: Some(prefix.parse().unwrap()),
        ..Routes::default()
    };
    let found = ends::routes(router, request).await;
    let prefixes = found.routes.into_iter().map(|route| route.prefix);
    (prefixes.collect(), found.covered_by)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prefix_is_looked_up_and_what_contains_an_unknown_one_is_named() {
    let pair = Pair::new(21);
    let router = start(pair.left(""));
    let own = vec!["10.1.0.0/16".to_owned()];
    assert_eq!(prefix(&router, "10.1.0.0/16").await, (own.clone(), None));
    // A host address has the route that is used for it; a network only its own.
    assert_eq!(prefix(&router, "10.1.2.3").await, (own.clone(), None));
    assert_eq!(
        prefix(&router, "10.1.2.0/24").await,
        (vec![], own.first().cloned())
    );
    assert_eq!(prefix(&router, "10.9.0.0/16").await, (vec![], None));
    router.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_go_through_all_families_and_a_wrong_place_is_refused() {
    let pair = Pair::new(22);
    let router = start(pair.left("---\n[ipv6_unicast]\nnetworks = [\"2001:db8::/32\"]\n"));
    for limit in 1..=4 {
        let (mut got, mut after) = (Vec::new(), None);
        loop {
            let request = Routes {
                page: Page {
                    limit: Some(limit),
                    after,
                },
                ..Routes::default()
            };
            let page = ends::routes(&router, request).await;
            assert!(!page.routes.is_empty());
            got.extend(page.routes.into_iter().map(|route| route.prefix));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(
            got,
            ["10.1.0.0/16", "172.20.0.53/32", "2001:db8::/32"],
            "{limit}"
        );
    }
    for wrong in ["zzz", "10.0.0.0/8"] {
        let page = || Page {
            limit: None,
            after: Some(wrong.to_owned()),
        };
        for request in [
            Request::EvpnMac {
                vni: None,
                page: page(),
            },
            Request::EvpnNeighbors {
                vni: None,
                page: page(),
            },
        ] {
            let error = router.ask(request).await.unwrap_err();
            assert!(error.error.starts_with("`after` is"), "{error:?}");
        }
        let request = Request::EvpnRoutes(EvpnRoutes {
            page: page(),
            ..EvpnRoutes::default()
        });
        let error = router.ask(request).await.unwrap_err();
        assert!(error.error.starts_with("`after` is"), "{error:?}");
    }
    router.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hold_after_a_crash_says_for_whom_and_until_when() {
    let pair = Pair::new(23);
    let place = std::env::temp_dir().join(format!("rbgpd-hold-{}", std::process::id()));
    let options = || Options {
        config_file: Some(place.join("rbgpd.toml")),
        state_dir: Some(place.join("state")),
    };
    let first = Router::start(pair.left(""), options()).unwrap();
    let mark = place.join("state/running.json");
    let running = std::fs::read(&mark).unwrap();
    first.stop().await;
    // As after a crash.
    std::fs::write(&mark, running).unwrap();
    let router = Router::start(pair.left(""), options()).unwrap();
    let before = summary(&router).await;
    let hold = before.hold.unwrap();
    assert_eq!(
        hold.waiting_for.ipv4_unicast,
        Some(vec![pair.right.address.into()])
    );
    assert!(hold.left_s <= 30);
    let awaited = format!("{} (ipv4_unicast)", pair.right.address);
    assert!(
        before.notices.iter().any(|it| it.contains(&awaited)),
        "{:?}",
        before.notices
    );
    // Whoever watches the seconds go by reads the same line.
    let left = |summary: &reply::Summary| summary.hold.as_ref().map_or(0, |it| it.left_s);
    let less = |summary: &reply::Summary| left(summary) < hold.left_s;
    let later = until_is("less time is left", || summary(&router), less).await;
    assert_eq!(later.hold.unwrap().until, hold.until);
    assert_eq!(later.notices, before.notices);
    let order = Drain {
        force: true,
        ..Drain::default()
    };
    let drain = match router.ask(Request::Drain(order)).await.unwrap() {
        Reply::Drain(status) => status,
        other => panic!("{other:?}"),
    };
    assert!(!drain.complete);
    assert!(drain.pending[0].contains(&awaited), "{:?}", drain.pending);
    // The neighbour that is waited for is removed.
    let text = config::print(&{
        let mut alone = pair.left("");
        alone.neighbors.clear();
        alone
    });
    std::fs::write(place.join("rbgpd.toml"), text).unwrap();
    for (dry_run, expected) in [
        (true, awaited.as_str()),
        (false, "nobody is left to wait for"),
    ] {
        match router.ask(Request::Reload { dry_run }).await.unwrap() {
            Reply::Reload(reload) => {
                assert!(reload.notes[0].contains(expected), "{:?}", reload.notes);
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(summary(&router).await.hold, None);
    router.stop().await;
    std::fs::remove_dir_all(place).unwrap();
}

/// A router with an instance `b`, and the place of its file and state.
struct WithInstance {
    place: PathBuf,
    default: String,
    both: String,
}

impl WithInstance {
    fn new(number: u8) -> Self {
        let pair = Pair::new(number);
        let place = std::env::temp_dir().join(format!("rbgpd-b-{number}-{}", std::process::id()));
        std::fs::create_dir_all(place.join("state")).unwrap();
        let default = config::print(&pair.left(""));
        let both = format!(
            "{default}\n[[instance]]\nname = \"b\"\nasn = 65001\nrouter_id = \"10.0.0.9\"\n\
             listen = [\"{}:{}\"]\n[instance.kernel]\ntable = 9\n\
             [[instance.neighbor]]\naddress = \"192.0.2.1\"\nremote_as = 65003\n\
             ipv4_unicast = {{}}\n",
            pair.right.address, pair.right.port
        );
        Self {
            place,
            default,
            both,
        }
    }

    fn start(&self, text: &str) -> Result<Router, rbgpd::StartError> {
        let options = Options {
            config_file: Some(self.place.join("rbgpd.toml")),
            state_dir: Some(self.place.join("state")),
        };
        Router::start(config::parse(text, "x.toml").unwrap(), options)
    }

    fn state(&self, name: &str) -> PathBuf {
        self.place.join("state").join(name)
    }

    /// Nothing can be written under this name, by root neither.
    fn bar(&self, name: &str) {
        std::fs::create_dir(self.state(name)).unwrap();
    }

    async fn reload(&self, router: &Router, text: &str) -> rbgpd::control::Answer {
        std::fs::write(self.place.join("rbgpd.toml"), text).unwrap();
        router.ask(Request::Reload { dry_run: false }).await
    }
}

impl Drop for WithInstance {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.place));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_a_reload_adds_restarts_nothing() {
    let with = WithInstance::new(31);
    // Left by a crash, before `b` was taken out of the file.
    let first = with.start(&with.default).unwrap();
    let stale = std::fs::read(with.state("running.json")).unwrap();
    std::fs::write(with.state("running-b.json"), &stale).unwrap();
    first.stop().await;
    let router = with.start(&with.default).unwrap();
    assert!(!with.state("running-b.json").exists());
    std::fs::write(with.state("running-b.json"), &stale).unwrap();
    with.reload(&router, &with.both).await.unwrap();
    let of_b = Request::Of("b".to_owned(), Box::new(Request::Summary));
    match router.ask(of_b).await.unwrap() {
        Reply::Summary(summary) => assert_eq!(summary.hold, None),
        other => panic!("{other:?}"),
    }
    router.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_says_where_an_octet_is_no_text_and_changes_nothing() {
    let with = WithInstance::new(37);
    let router = with.start(&with.default).unwrap();
    let mut octets = with.both.clone().into_bytes();
    let lines = with.both.lines().count();
    octets.extend(b"# Z\xfcrich\n");
    std::fs::write(with.place.join("rbgpd.toml"), octets).unwrap();
    let request = Request::Reload { dry_run: false };
    let error = router.ask(request).await.unwrap_err();
    let place = format!("rbgpd.toml:{}:4: the octet 0xfc is not UTF-8", lines + 1);
    assert!(error.details.concat().contains(&place), "{error:?}");
    assert!(error.error.ends_with("the running configuration stays"));
    let of_b = Request::Of("b".to_owned(), Box::new(Request::Summary));
    assert!(router.ask(of_b).await.is_err());
    router.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_a_neighbour_that_was_asked_for_elsewhere_is_named() {
    let with = WithInstance::new(34);
    let router = with.start(&with.both).unwrap();
    let address = || Some("192.0.2.1".parse().unwrap());
    let show = || Request::Neighbors { address: address() };
    let clear = Request::Clear(Clear {
        neighbor: address(),
        soft: SoftReset::None,
        hard: false,
        reason: None,
    });
    for request in [show(), clear] {
        let error = router.ask(request).await.unwrap_err();
        assert_eq!(error.error, "no neighbour `192.0.2.1`");
        assert_eq!(
            error.hint.as_deref(),
            Some("instance b has it: say so with `--instance b`")
        );
    }
    let of_b = Request::Of("b".to_owned(), Box::new(show()));
    assert!(router.ask(of_b).await.is_ok());
    let nobody = Some("192.0.2.9".parse().unwrap());
    let nobody = router.ask(Request::Neighbors { address: nobody }).await;
    let hint = nobody.unwrap_err().hint;
    assert_eq!(
        hint.as_deref(),
        Some("rbgpctl show summary lists the neighbours")
    );
    router.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_that_fails_in_one_instance_says_who_drains() {
    let with = WithInstance::new(32);
    let router = with.start(&with.both).unwrap();
    with.bar("drain.json.new");
    let order = || {
        let force = true;
        Request::Drain(Drain {
            force,
            ..Drain::default()
        })
    };
    let error = router.ask(order()).await.unwrap_err();
    assert!(
        error.error.contains("cannot keep the drain state"),
        "{error}"
    );
    assert_eq!(
        error.details,
        ["instance default: not draining", "instance b: draining"]
    );
    std::fs::remove_dir(with.state("drain.json.new")).unwrap();
    router.ask(order()).await.unwrap();
    router.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_that_does_not_start_is_named_and_a_start_is_taken_back() {
    let with = WithInstance::new(33);
    with.bar("running-b.json.new");
    let error = with.start(&with.both).unwrap_err();
    assert_eq!(error.to_string(), "instance `b` does not start");
    // What ran has ended: the directory is free again, and nothing broke off.
    assert!(!with.state("running.json").exists());
    let router = with.start(&with.default).unwrap();

    let error = with.reload(&router, &with.both).await.unwrap_err();
    assert!(
        error.error.contains("one instance is not started"),
        "{error}"
    );
    assert!(
        error.details[0]
            .starts_with("instance `b` does not start: cannot use the state directory"),
        "{error}"
    );
    std::fs::remove_dir(with.state("running-b.json.new")).unwrap();
    with.reload(&router, &with.both).await.unwrap();
    match router.ask(Request::Instances).await.unwrap() {
        Reply::Instances(all) => assert_eq!(all.instances.len(), 2),
        other => panic!("{other:?}"),
    }
    router.stop().await;
}
