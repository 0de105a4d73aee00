//! Passwords, TTL and sources of sessions: two routers in one process, over real TCP on loopback.
//!
//! ```text
//! left (AS 65001, 127.2.n.1 or ::1) ── right (AS 65002, 127.2.n.2 or ::1)
//! ```
//!
//! Where the kernel has no TCP MD5 signatures, tests of passwords only see that the start is
//! refused.

use std::net::{IpAddr, Ipv6Addr};

use rbgpd::config::Config;
use rbgpd::control::reply;
use rbgpd::{Options, Router, StartError};

use crate::ends::{self, End, free_port, neighbors, parse, until_is};
use crate::skip;

fn ends(test: u8) -> [End; 2] {
    ends::ends(2, test)
}

/// The configuration of one end with these keys of its neighbour.
fn config(own: End, other: End, keys: &str) -> Config {
    let keys = format!("ipv4_unicast = {{}}\n{keys}");
    parse(&(own.head() + &own.neighbor(&other, &keys)))
}

/// Starts a router; `None` where the kernel cannot use passwords.
fn start(config: Config) -> Option<Router> {
    let has_passwords = config.has_passwords();
    match Router::start(config, Options::default()) {
        Ok(router) => Some(router),
        Err(StartError::Password(error)) if has_passwords => {
            assert!(error.to_string().contains("CONFIG_TCP_MD5SIG"), "{error}");
            skip::note(None, &error.to_string());
            None
        }
        Err(error) => panic!("{error}"),
    }
}

/// Asks until the neighbour is as wanted.
async fn until(
    what: &str,
    router: &Router,
    wanted: impl Fn(&reply::Neighbor) -> bool,
) -> reply::Neighbor {
    let neighbor = || async { neighbors(router, None).await.remove(0) };
    until_is(what, neighbor, wanted).await
}

async fn established(router: &Router) -> reply::Neighbor {
    until("Established", router, |it| {
        it.summary.state == "Established"
    })
    .await
}

/// Whether the silence is explained, with the password among the causes.
fn explained(neighbor: &reply::Neighbor) -> bool {
    let hint = neighbor.summary.hint.as_deref().unwrap_or_default();
    neighbor.summary.state != "Established" && hint.contains("the passwords differ")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_password_restarts_the_session_and_silence_is_explained() {
    let [one, two] = ends(1);
    let with = |own, other, word: &str| config(own, other, &format!("password = \"{word}\""));
    let Some(left) = start(with(one, two, "first word")) else {
        return;
    };
    let right = start(with(two, one, "first word")).unwrap();
    assert!(established(&left).await.password);
    established(&right).await;

    // Two connections at once may have cost a session before, but this costs one.
    let before = established(&left).await.flaps;
    right.apply(with(two, one, "second word")).await;
    until("the session ends", &left, |it| it.flaps == before + 1).await;
    for router in [&left, &right] {
        let seen = until("the silence is explained", router, explained).await;
        let shown = format!("{seen:?}");
        assert!(
            !shown.contains("first word") && !shown.contains("second word"),
            "{shown}"
        );
    }

    left.apply(with(one, two, "second word")).await;
    established(&left).await;
    established(&right).await;
    // Taken away on both sides, it is no longer asked for either.
    for (router, own, other) in [(&left, one, two), (&right, two, one)] {
        router.apply(config(own, other, "")).await;
    }
    until("Established a third time, without password", &left, |it| {
        it.summary.state == "Established" && it.established >= 3 && !it.password
    })
    .await;
    left.stop().await;
    right.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_work_over_ipv6_whoever_connects() {
    let localhost = IpAddr::V6(Ipv6Addr::LOCALHOST);
    let [one, two] = [65001, 65002].map(|asn| End {
        asn,
        address: localhost,
        port: free_port("::1"),
    });
    for (here, there) in [("passive = true\n", ""), ("", "passive = true\n")] {
        let keys = |passive: &str| {
            format!("{passive}update_source = \"lo\"\npassword = \"a word\"\nttl_security = 1")
        };
        let Some(left) = start(config(one, two, &keys(here))) else {
            return;
        };
        let right = start(config(two, one, &keys(there))).unwrap();
        established(&left).await;
        let seen = established(&right).await;
        assert_eq!((seen.ttl, seen.ttl_security), (255, Some(1)));
        left.stop().await;
        right.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_ends_with_ttl_security_trust_each_other_whoever_connects() {
    let [one, two] = ends(2);
    for (here, there) in [("passive = true\n", ""), ("", "passive = true\n")] {
        let left = start(config(one, two, &format!("{here}ttl_security = 1"))).unwrap();
        let right = start(config(two, one, &format!("{there}ttl_security = 1"))).unwrap();
        established(&left).await;
        established(&right).await;
        left.stop().await;
        right.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ttl_of_an_ebgp_neighbour_is_one_unless_it_says_otherwise() {
    let [one, two] = ends(3);
    let left = start(config(one, two, "")).unwrap();
    let right = start(config(two, one, "multihop = 7")).unwrap();
    assert_eq!(established(&left).await.ttl, 1);
    assert_eq!(established(&right).await.ttl, 7);
    right.apply(config(two, one, "")).await;
    until("a new session", &left, |it| it.established == 2).await;
    assert_eq!(established(&right).await.ttl, 1);
    left.stop().await;
    right.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interface_stands_for_its_first_address() {
    let [one, two] = ends(4);
    // The first address of the loopback interface.
    let one = End {
        address: IpAddr::from([127, 0, 0, 1]),
        ..one
    };
    let left = start(config(one, two, "update_source = \"lo\"")).unwrap();
    let right = start(config(two, one, "passive = true")).unwrap();
    until("the address", &left, |it| {
        it.local_address == Some(one.address)
    })
    .await;
    established(&right).await;
    left.apply(config(one, two, "update_source = \"no-such-device\""))
        .await;
    let seen = until("the error", &left, |it| {
        it.summary
            .why
            .as_deref()
            .is_some_and(|why| why.contains("no-such-device"))
    });
    let why = seen.await.summary.why.unwrap();
    assert!(why.contains("has no IPv4 address to connect from"), "{why}");
    left.stop().await;
    right.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_accepted_where_a_reload_says_and_with_the_keys_that_stand() {
    let [one, two, other] = ends::ends::<3>(2, 12);
    // Right connects to an address where left does not listen yet.
    let second = End {
        address: other.address,
        ..one
    };
    let password = "password = \"a word\"";
    let left_on = |places: &[End]| {
        let mut config = config(one, two, &format!("{password}\npassive = true"));
        config.neighbors[0].local_address = None;
        let places = places.iter().map(|it| (it.address, it.port).into());
        config.listen = places.collect();
        config
    };
    let Some(left) = start(left_on(&[one])) else {
        return;
    };
    let right = start(config(two, second, password)).unwrap();
    // The refusal is not signed, so nobody hears of it.
    until("nobody answers", &right, explained).await;
    left.apply(left_on(&[one, second])).await;
    assert!(established(&left).await.password);
    // A session outlives the socket that it came from.
    let listens = |end: End| async move {
        let place = (end.address, end.port);
        tokio::net::TcpStream::connect(place).await.is_ok()
    };
    assert!(listens(second).await);
    left.apply(left_on(&[one])).await;
    until_is("nobody listens there", || listens(second), |it| !it).await;
    assert!(listens(one).await);
    left.apply(left_on(&[])).await;
    until_is("nobody listens at all", || listens(one), |it| !it).await;
    assert_eq!(established(&left).await.established, 1);
    // An address that somebody else has changes nothing.
    let taken = std::net::TcpListener::bind((other.address, 0)).unwrap();
    let taken = End {
        port: taken.local_addr().unwrap().port(),
        ..second
    };
    left.apply(left_on(&[one, taken])).await;
    assert!(!listens(one).await);
    left.stop().await;
    right.stop().await;
}
