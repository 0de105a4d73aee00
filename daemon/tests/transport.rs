//! Passwords, TTL and sources of sessions: two routers in one process, over real TCP on loopback.
//!
//! ```text
//! left (AS 65001, 127.2.n.1 or ::1) ── right (AS 65002, 127.2.n.2 or ::1)
//! ```
//!
//! Where the kernel has no TCP MD5 signatures, tests of passwords only see that the start is
//! refused.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm
)]

use std::net::{IpAddr, Ipv6Addr, TcpListener};
use std::time::{Duration, Instant};

use rbgpd::config::{self, Config};
use rbgpd::control::{Reply, Request, reply};
use rbgpd::{Options, Router, StartError};

const PATIENCE: Duration = Duration::from_secs(20);

/// One end of the session: our AS number, address and port.
#[derive(Clone, Copy)]
struct End(u32, IpAddr, u16);

/// Each test has addresses of its own, so that they do not meet.
fn ends(number: u8) -> [End; 2] {
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    [(65001, 1), (65002, 2)]
        .map(|(asn, host)| End(asn, IpAddr::from([127, 2, number, host]), port))
}

/// The configuration of one end with these keys of its neighbour.
fn config(own: End, other: End, keys: &str) -> Config {
    let (End(asn, address, port), End(other_as, other, other_port)) = (own, other);
    let id = asn - 65000;
    let listen = std::net::SocketAddr::new(address, port);
    let source = match keys.contains("update_source") {
        true => String::new(),
        false => format!("local_address = \"{address}\"\n"),
    };
    let text = format!(
        "asn = {asn}\nrouter_id = \"10.0.0.{id}\"\nlisten = [\"{listen}\"]\n\
         [kernel]\nenabled = false\n\
         [[neighbor]]\naddress = \"{other}\"\nremote_as = {other_as}\nport = {other_port}\n{source}\
         timers = {{ connect_retry = \"1s\" }}\nipv4_unicast = {{}}\n{keys}\n",
    );
    config::parse(&text, "test.toml").unwrap_or_else(|errors| panic!("{}", errors[0]))
}

/// Starts a router; `None` where the kernel cannot use passwords.
fn start(config: Config) -> Option<Router> {
    let has_passwords = config.has_passwords();
    match Router::start(config, Options::default()) {
        Ok(router) => Some(router),
        Err(StartError::Password(error)) if has_passwords => {
            assert!(error.to_string().contains("CONFIG_TCP_MD5SIG"), "{error}");
            eprintln!("skipped: {error}");
            None
        }
        Err(error) => panic!("{error}"),
    }
}

async fn neighbor(router: &Router) -> reply::Neighbor {
    let request = Request::Neighbors { address: None };
    match router.ask(request).await.unwrap() {
        Reply::Neighbors(mut all) => all.neighbors.remove(0),
        other => panic!("{other:?}"),
    }
}

/// Asks until the neighbour is as wanted.
async fn until(
    what: &str,
    router: &Router,
    wanted: impl Fn(&reply::Neighbor) -> bool,
) -> reply::Neighbor {
    let end = Instant::now() + PATIENCE;
    loop {
        let seen = neighbor(router).await;
        if wanted(&seen) {
            return seen;
        }
        assert!(
            Instant::now() < end,
            "not within {PATIENCE:?}: {what}: {seen:?}"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
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
    let ports = [0, 1].map(|_| {
        TcpListener::bind("[::1]:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port()
    });
    let (one, two) = (
        End(65001, localhost, ports[0]),
        End(65002, localhost, ports[1]),
    );
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
    let one = End(one.0, IpAddr::from([127, 0, 0, 1]), one.2);
    let left = start(config(one, two, "update_source = \"lo\"")).unwrap();
    let right = start(config(two, one, "passive = true")).unwrap();
    until("the address", &left, |it| it.local_address == Some(one.1)).await;
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
