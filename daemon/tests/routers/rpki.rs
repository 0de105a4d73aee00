//! Origin validation: a router beside scripted caches, over real TCP on loopback, with the kernel
//! off.

use std::net::{IpAddr, SocketAddr};

use rbgpd::Router;
use rbgpd::config::Config;
use rbgpd::control::{Reply, Request, Routes, reply};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::ends::{End, PATIENCE, free_port, parse, routes, start, summary, until_is};

/// A cache whose part a test plays.
struct Cache {
    listener: TcpListener,
    address: SocketAddr,
}

/// A connection to it.
struct Link(TcpStream);

impl Cache {
    async fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        Self { listener, address }
    }

    async fn accept(&self) -> Link {
        let accepted = tokio::time::timeout(PATIENCE, self.listener.accept()).await;
        Link(accepted.expect("nobody connects").unwrap().0)
    }
}

impl Link {
    /// The next PDU of the router: version, type, number and body.
    async fn hear(&mut self) -> (u8, u8, u16, Vec<u8>) {
        let reading = async {
            let mut header = [0; 8];
            self.0.read_exact(&mut header).await.unwrap();
            let [version, kind, high, low, length @ ..] = header;
            let length = u32::from_be_bytes(length) as usize;
            let mut body = vec![0; length - 8];
            self.0.read_exact(&mut body).await.unwrap();
            (version, kind, u16::from_be_bytes([high, low]), body)
        };
        let heard = tokio::time::timeout(PATIENCE, reading).await;
        heard.expect("the router says nothing")
    }

    async fn say(&mut self, kind: u8, number: u16, body: &[u8]) {
        let mut pdu = vec![1, kind];
        pdu.extend(number.to_be_bytes());
        pdu.extend((8 + body.len() as u32).to_be_bytes());
        pdu.extend(body);
        self.0.write_all(&pdu).await.unwrap();
    }

    /// An answer in this session with these entries: flags, third octet of `10.N.0.0/16`, AS.
    async fn answer(&mut self, session: u16, serial: u32, entries: &[(u8, u8, u32)]) {
        self.say(3, session, &[]).await;
        for (flags, number, asn) in entries {
            let mut body = vec![*flags, 16, 16, 0, 10, *number, 0, 0];
            body.extend(asn.to_be_bytes());
            self.say(4, 0, &body).await;
        }
        let mut end = serial.to_be_bytes().to_vec();
        for seconds in [3600_u32, 1, 7200] {
            end.extend(seconds.to_be_bytes());
        }
        self.say(7, session, &end).await;
    }

    async fn notify(&mut self, session: u16, serial: u32) {
        self.say(0, session, &serial.to_be_bytes()).await;
    }
}

const RESET_QUERY: u8 = 2;
const SERIAL_QUERY: u8 = 1;
const ERROR: u8 = 10;

fn config(rest: &str) -> Config {
    let end = End {
        asn: 65001,
        address: IpAddr::from([127, 0, 0, 1]),
        port: free_port("127.0.0.1"),
    };
    parse(&(end.head() + rest))
}

fn caches(caches: &[(&Cache, &str)]) -> String {
    let all = caches
        .iter()
        .map(|(cache, rest)| format!("[[rpki]]\naddress = \"{}\"\n{rest}\n", cache.address));
    all.collect()
}

async fn rpki(router: &Router, prefix: Option<&str>, asn: Option<u32>) -> reply::Rpki {
    let request = Request::Rpki {
        prefix: prefix.map(|it| it.parse().unwrap()),
        asn: asn.map(bgp::Asn),
    };
    match router.ask(request).await.unwrap() {
        Reply::Rpki(rpki) => rpki,
        other => panic!("{other:?}"),
    }
}

/// Asks until the answer is as wanted.
async fn until(router: &Router, what: &str, wanted: impl Fn(&reply::Rpki) -> bool) -> reply::Rpki {
    until_is(what, || rpki(router, None, None), wanted).await
}

async fn state(router: &Router, number: u8, asn: u32) -> String {
    let prefix = format!("10.{number}.0.0/16");
    let found = rpki(router, Some(&prefix), Some(asn)).await;
    found.lookup.unwrap().state.unwrap()
}

async fn networks(router: &Router) -> Vec<(String, Option<String>)> {
    let routes = routes(router, Routes::default()).await.routes.into_iter();
    routes.map(|route| (route.prefix, route.rpki)).collect()
}

#[tokio::test]
async fn a_router_keeps_in_step_and_its_own_networks_follow() {
    let cache = Cache::new().await;
    let router = start(config(&format!(
        "[ipv4_unicast]\nnetworks = [{{ prefix = \"10.1.0.0/16\", route_map = \"VALID\" }}, \"10.2.0.0/16\"]\n\
         {}[[route_map]]\nname = \"VALID\"\n\
         entry = [{{ seq = 10, action = \"permit\", match = {{ rpki = \"valid\" }} }}]\n",
        caches(&[(&cache, "")])
    )));
    let mut link = cache.accept().await;
    assert_eq!(link.hear().await, (1, RESET_QUERY, 0, Vec::new()));
    let none = Some("not_found".to_owned());
    assert_eq!(networks(&router).await, [("10.2.0.0/16".to_owned(), none)]);
    link.answer(7, 1, &[(1, 1, 65001), (1, 2, 64999)]).await;
    let synced = until(&router, "in step", |it| it.caches[0].state == "synced").await;
    let found = &synced.caches[0];
    let numbers = (found.version, found.session, found.serial, found.vrps.ipv4);
    assert_eq!(numbers, (Some(1), Some(7), Some(1), 2));
    assert!(found.in_use);
    let both = [
        ("10.1.0.0/16".to_owned(), Some("valid".to_owned())),
        ("10.2.0.0/16".to_owned(), Some("invalid".to_owned())),
    ];
    assert_eq!(networks(&router).await, both);
    // Something is new.
    link.notify(7, 2).await;
    assert_eq!(link.hear().await, (1, SERIAL_QUERY, 7, vec![0, 0, 0, 1]));
    link.answer(7, 2, &[(0, 1, 65001), (1, 3, 65003)]).await;
    until(&router, "the second answer", |it| {
        it.caches[0].serial == Some(2)
    })
    .await;
    assert_eq!(networks(&router).await, both[1..]);
    assert_eq!(state(&router, 3, 65003).await, "valid");
    assert_eq!(state(&router, 3, 65004).await, "invalid");
    assert_eq!(state(&router, 1, 65001).await, "not_found");
    let lookup = rpki(&router, Some("10.2.9.0/24"), None)
        .await
        .lookup
        .unwrap();
    assert_eq!((lookup.state, lookup.covering.len()), (None, 1));
    // The connection breaks: what is known stays, and what has changed is asked for.
    drop(link);
    let mut link = cache.accept().await;
    assert_eq!(link.hear().await, (1, SERIAL_QUERY, 7, vec![0, 0, 0, 2]));
    assert_eq!(state(&router, 3, 65003).await, "valid");
    link.answer(7, 2, &[]).await;
    let again = until(&router, "in step again", |it| {
        it.caches[0].state == "synced"
    })
    .await;
    assert_eq!(again.caches[0].losses, 1);
    router.stop().await;
}

#[tokio::test]
async fn another_cache_takes_over_and_gives_back() {
    let (first, second) = (Cache::new().await, Cache::new().await);
    let both = caches(&[(&first, ""), (&second, "preference = 2")]);
    let router = start(config(&both));
    let mut one = first.accept().await;
    let mut two = second.accept().await;
    one.hear().await;
    two.hear().await;
    two.answer(2, 1, &[(1, 2, 65002)]).await;
    until(&router, "the second one in use", |it| it.caches[1].in_use).await;
    assert_eq!(state(&router, 2, 65002).await, "valid");
    one.answer(1, 1, &[(1, 1, 65001)]).await;
    let now = until(&router, "the first one in use", |it| it.caches[0].in_use).await;
    assert!(!now.caches[1].in_use);
    assert_eq!(state(&router, 2, 65002).await, "not_found");
    assert_eq!(state(&router, 1, 65001).await, "valid");
    // One that answers goes before one that is lost.
    drop(one);
    until(&router, "the second one again", |it| it.caches[1].in_use).await;
    assert_eq!(state(&router, 1, 65001).await, "not_found");
    let mut one = first.accept().await;
    one.hear().await;
    one.answer(1, 1, &[]).await;
    until(&router, "the first one again", |it| it.caches[0].in_use).await;
    assert_eq!(state(&router, 1, 65001).await, "valid");
    // Without the first one in the configuration the second one is left; of equal preference they
    // count together.
    router
        .apply(config(&caches(&[(&second, "preference = 2")])))
        .await;
    let left = rpki(&router, None, None).await;
    assert_eq!((left.caches.len(), left.caches[0].in_use), (1, true));
    assert_eq!(state(&router, 1, 65001).await, "not_found");
    router
        .apply(config(&caches(&[(&second, ""), (&first, "")])))
        .await;
    let mut one = first.accept().await;
    one.hear().await;
    one.answer(1, 1, &[(1, 1, 65001)]).await;
    until(&router, "both in use", |it| {
        it.caches.iter().all(|it| it.in_use)
    })
    .await;
    assert_eq!(state(&router, 1, 65001).await, "valid");
    assert_eq!(state(&router, 2, 65002).await, "valid");
    router.stop().await;
}

#[tokio::test]
async fn data_that_nobody_confirms_expires_and_is_said_to() {
    let cache = Cache::new().await;
    let timers = "refresh = \"1s\"\nretry = \"1s\"\nexpire = \"3s\"";
    let router = start(config(&caches(&[(&cache, timers)])));
    let mut link = cache.accept().await;
    link.hear().await;
    link.answer(7, 1, &[(1, 1, 65001)]).await;
    until(&router, "in step", |it| it.caches[0].in_use).await;
    drop((link, cache));
    let lost = until(&router, "lost", |it| it.caches[0].state == "lost").await;
    assert!(lost.caches[0].in_use, "until it expires");
    let expired = until(&router, "expired", |it| !it.caches[0].in_use).await;
    assert_eq!((expired.caches[0].serial, expired.vrps.ipv4), (None, 0));
    assert_eq!(state(&router, 1, 65001).await, "not_found");
    let notices = summary(&router).await.notices.join("\n");
    assert!(notices.contains("no RPKI cache has data"), "{notices}");
    router.stop().await;
}

#[tokio::test]
async fn a_cache_that_lies_is_told_and_costs_nothing() {
    let cache = Cache::new().await;
    let router = start(config(&caches(&[(&cache, "retry = \"1s\"")])));
    // No octets make a table of it.
    let mut link = cache.accept().await;
    link.hear().await;
    link.0
        .write_all(&[1, 4, 0, 0, 255, 255, 255, 255, 1, 2, 3])
        .await
        .unwrap();
    let (version, kind, code, _) = link.hear().await;
    assert_eq!((version, kind, code), (1, ERROR, 0));
    // A VRP twice (code 7), then one that is not there (code 6).
    let mut link = cache.accept().await;
    link.hear().await;
    link.answer(7, 1, &[(1, 1, 65001), (1, 1, 65001)]).await;
    assert_eq!(link.hear().await.2, 7);
    let mut link = cache.accept().await;
    assert_eq!(link.hear().await.1, RESET_QUERY);
    link.answer(7, 1, &[(1, 1, 65001)]).await;
    until(&router, "in step", |it| it.caches[0].in_use).await;
    link.notify(7, 2).await;
    link.hear().await;
    link.answer(7, 2, &[(0, 9, 65001)]).await;
    assert_eq!(link.hear().await.2, 6);
    let why = until(&router, "lost", |it| it.caches[0].state == "lost").await;
    let why = why.caches[0].error.clone().unwrap();
    assert_eq!(
        why,
        "10.9.0.0/16-16 AS 65001 was withdrawn and is not there"
    );
    // What was good stays in use, and everything is asked for.
    assert_eq!(state(&router, 1, 65001).await, "valid");
    let mut link = cache.accept().await;
    assert_eq!(link.hear().await.1, RESET_QUERY);
    link.answer(7, 5, &[(1, 1, 65001)]).await;
    until(&router, "in step again", |it| {
        it.caches[0].serial == Some(5)
    })
    .await;
    // Another session without a reset: what was said is void (RFC 8210 §5.1).
    link.notify(8, 1).await;
    until(&router, "dropped", |it| !it.caches[0].in_use).await;
    assert_eq!(state(&router, 1, 65001).await, "not_found");
    let mut link = cache.accept().await;
    assert_eq!(link.hear().await.1, RESET_QUERY);
    router.stop().await;
}

#[tokio::test]
async fn an_old_cache_is_spoken_to_in_its_version() {
    let cache = Cache::new().await;
    let router = start(config(&caches(&[(&cache, "")])));
    let mut link = cache.accept().await;
    assert_eq!(link.hear().await.0, 1);
    // RFC 6810: unsupported protocol version.
    let error = [0, 10, 0, 4, 0, 0, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0];
    link.0.write_all(&error).await.unwrap();
    assert_eq!(link.hear().await, (0, RESET_QUERY, 0, Vec::new()));
    let mut answer = vec![0, 3, 0, 7, 0, 0, 0, 8];
    answer.extend([
        0, 4, 0, 0, 0, 0, 0, 20, 1, 16, 16, 0, 10, 1, 0, 0, 0, 0, 0, 9,
    ]);
    answer.extend([0, 7, 0, 7, 0, 0, 0, 12, 0, 0, 0, 1]);
    link.0.write_all(&answer).await.unwrap();
    let synced = until(&router, "in step", |it| it.caches[0].in_use).await;
    assert_eq!(synced.caches[0].version, Some(0));
    assert_eq!(synced.caches[0].timers.map(|it| it.expire_s), Some(7200));
    assert_eq!(state(&router, 1, 9).await, "valid");
    // Others hang up without a word.
    for (version, kind) in [(1, SERIAL_QUERY), (1, RESET_QUERY), (0, RESET_QUERY)] {
        drop(link);
        link = cache.accept().await;
        let (of, question, ..) = link.hear().await;
        assert_eq!((of, question), (version, kind));
    }
    router.stop().await;
}
