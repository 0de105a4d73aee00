//! Ends of sessions on loopback: configurations of routers beside each other, and their answers
//! when they are asked until these are as wanted.

use std::fmt::Debug;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use rbgpd::config::{self, Config};
use rbgpd::control::{Reply, Request, Routes, reply};
use rbgpd::{Options, Router};

/// How long anything may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A router's place: its AS number, 65001 and so on, and where it listens.
#[derive(Clone, Copy)]
pub(crate) struct End {
    pub(crate) asn: u32,
    pub(crate) address: IpAddr,
    pub(crate) port: u16,
}

/// Places with the AS numbers from 65001 and the addresses from .1 of a network that no other test
/// has, so that tests do not meet. One port is free at all of them.
pub(crate) fn ends<const COUNT: usize>(subject: u8, test: u8) -> [End; COUNT] {
    let port = free_port("127.0.0.1");
    let mut host = 0;
    [(); COUNT].map(|()| {
        host += 1;
        End {
            asn: 65000 + u32::from(host),
            address: IpAddr::from([127, subject, test, host]),
            port,
        }
    })
}

pub(crate) fn free_port(address: &str) -> u16 {
    let address: IpAddr = address.parse().unwrap();
    let listener = TcpListener::bind((address, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

impl End {
    /// What a configuration begins with.
    pub(crate) fn head(&self) -> String {
        let (asn, id) = (self.asn, self.asn - 65000);
        let listen = SocketAddr::new(self.address, self.port);
        format!(
            "asn = {asn}\nrouter_id = \"10.0.0.{id}\"\nlisten = [\"{listen}\"]\n\
             [kernel]\nenabled = false\n"
        )
    }

    /// A neighbour with these keys. The session has our address as its source, unless the keys name
    /// an interface for that.
    pub(crate) fn neighbor(&self, other: &Self, keys: &str) -> String {
        let Self { asn, address, port } = other;
        let source = match keys.contains("update_source") {
            true => String::new(),
            false => format!("local_address = \"{}\"\n", self.address),
        };
        format!(
            "[[neighbor]]\naddress = \"{address}\"\nremote_as = {asn}\nport = {port}\n{source}\
             timers = {{ connect_retry = \"1s\" }}\n{keys}\n"
        )
    }
}

/// A configuration that must be valid.
pub(crate) fn parse(text: &str) -> Config {
    config::parse(text, "test.toml").unwrap_or_else(|errors| {
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        panic!("{}\n{text}", errors.join("\n"))
    })
}

/// Starts a router that keeps nothing.
pub(crate) fn start(config: Config) -> Router {
    Router::start(config, Options::default()).unwrap()
}

/// Asks until there is an answer.
pub(crate) async fn until<T: Debug, F>(what: &str, ask: impl Fn() -> F) -> T
where
    F: Future<Output = Option<T>>,
{
    until_is(what, ask, Option::is_some).await.unwrap()
}

/// Asks until the answer is as wanted.
pub(crate) async fn until_is<T: Debug, F>(
    what: &str,
    ask: impl Fn() -> F,
    wanted: impl Fn(&T) -> bool,
) -> T
where
    F: Future<Output = T>,
{
    let end = Instant::now() + PATIENCE;
    loop {
        let seen = ask().await;
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

/// Routes, with what else the answer says of them.
pub(crate) async fn routes(router: &Router, request: Routes) -> reply::Routes {
    match router.ask(Request::Routes(request)).await.unwrap() {
        Reply::Routes(routes) => routes,
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn summary(router: &Router) -> reply::Summary {
    match router.ask(Request::Summary).await.unwrap() {
        Reply::Summary(summary) => summary,
        other => panic!("{other:?}"),
    }
}

/// All neighbours, or the one with this address.
pub(crate) async fn neighbors(router: &Router, address: Option<IpAddr>) -> Vec<reply::Neighbor> {
    let address = address.map(Into::into);
    match router.ask(Request::Neighbors { address }).await.unwrap() {
        Reply::Neighbors(all) => all.neighbors,
        other => panic!("{other:?}"),
    }
}
