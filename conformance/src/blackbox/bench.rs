//! A speaker under test with its two healthy neighbours.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::connection::{Connection, LIMIT};
use super::message::{Open, Prefix, Update};
use super::other::Other;
use super::rbgpd::Rbgpd;
use super::setup::{BYSTANDER, Network, OBSERVER, SPEAKER, Setup};
use super::{Error, Session, Speaker};

/// Where speakers listen: every bench has addresses of its own, so one number serves all.
pub(super) const PORT: u16 = 1790;

/// Announced by the observer, and told to the bystander.
const OBSERVER_ROUTE: Prefix = Prefix {
    addr: Ipv4Addr::new(198, 51, 100, 0),
    len: 24,
};
/// Announced by the bystander, and told to the observer.
const BYSTANDER_ROUTE: Prefix = Prefix {
    addr: Ipv4Addr::new(198, 51, 101, 0),
    len: 24,
};

/// A speaker under test; dropping it ends the speaker.
#[derive(Debug)]
pub struct Bench {
    /// The speaker.
    pub speaker: Box<dyn Speaker>,
    /// The healthy session to which routes are told.
    pub observer: Session,
    /// The healthy session that has nothing to do with the test.
    pub bystander: Session,
    setup: Setup,
    network: Network,
    markers: u16,
    folder: PathBuf,
    /// Keeps other benches off our addresses.
    _claim: TcpListener,
}

impl Bench {
    /// Starts rbgpd, or the speaker that [`other::SPEAKER`](super::other::SPEAKER) names, and brings both healthy sessions
    /// up.
    pub fn start(setup: Setup) -> Result<Self, Error> {
        match Other::chosen()? {
            Some(other) => Self::with(setup, |setup, network, folder| {
                other.start(setup, network, folder)
            }),
            None => Self::with(setup, Rbgpd::start),
        }
    }

    /// Starts a speaker with a function that is given a folder for its files.
    pub fn with(
        setup: Setup,
        start: impl FnOnce(&Setup, Network, &Path) -> Result<Box<dyn Speaker>, Error>,
    ) -> Result<Self, Error> {
        let (network, claim) = claim()?;
        let name = format!("rbgpd-rules-{}-{}", network.second, network.third);
        let folder = std::env::temp_dir().join(name);
        // Left over from a run that was killed; the addresses, and so the name, are ours now.
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).map_err(|e| Error::io(folder.display(), e))?;
        let mut speaker = start(&setup, network, &folder)?;
        let patient = Other::chosen()?.is_some();
        let mut healthy = |host: u8| {
            speaker.must_live()?;
            let to = SocketAddr::from((network.host(SPEAKER), PORT));
            let from = network.host(host).into();
            let establish = || Connection::open(from, to)?.establish(&open(&setup, host));
            // Others listen before their neighbours may come.
            match patient {
                true => until_done("a healthy session", establish),
                false => establish(),
            }
        };
        let (observer, bystander) = (healthy(OBSERVER)?, healthy(BYSTANDER)?);
        let mut bench = Self {
            speaker,
            observer,
            bystander,
            setup,
            network,
            markers: 0,
            folder,
            _claim: claim,
        };
        bench.exchange()?;
        Ok(bench)
    }

    /// The healthy sessions' first routes.
    fn exchange(&mut self) -> Result<(), Error> {
        let update = self.announcement(OBSERVER, &[OBSERVER_ROUTE]);
        self.observer.update(&update)?;
        let update = self.announcement(BYSTANDER, &[BYSTANDER_ROUTE]);
        self.bystander.update(&update)?;
        self.observer.until_told(BYSTANDER_ROUTE)?;
        self.bystander.until_told(OBSERVER_ROUTE)?;
        for network in self.setup.networks.clone() {
            self.observer.until_told(network)?;
            self.bystander.until_told(network)?;
        }
        Ok(())
    }

    /// Address of a host number.
    pub fn host(&self, host: u8) -> Ipv4Addr {
        self.network.host(host)
    }

    /// Addresses of the two healthy neighbours.
    pub fn healthy(&self) -> [Ipv4Addr; 2] {
        [OBSERVER, BYSTANDER].map(|host| self.host(host))
    }

    /// Address of the speaker.
    pub fn address(&self) -> Ipv4Addr {
        self.host(SPEAKER)
    }

    /// Where a neighbour that the speaker connects to must listen.
    pub fn listen(&self, host: u8) -> Result<TcpListener, Error> {
        let at = SocketAddr::from((self.host(host), PORT));
        TcpListener::bind(at).map_err(|e| Error::io(format!("listen on {at}"), e))
    }

    /// Waits for the speaker to connect.
    pub fn accept(&self, listener: &TcpListener) -> Result<Connection, Error> {
        let io = |e| Error::io("accept", e);
        listener.set_nonblocking(true).map_err(io)?;
        let mut accepted = None;
        crate::lab::wait_until("the speaker connects", LIMIT, || {
            accepted = listener.accept().ok();
            accepted.is_some()
        })?;
        let (stream, _) = accepted.ok_or_else(|| Error::Speaker("did not connect".to_owned()))?;
        stream.set_nonblocking(false).map_err(io)?;
        Connection::new(stream)
    }

    /// Connects from a host number.
    pub fn connect(&self, host: u8) -> Result<Connection, Error> {
        let over_ipv6 = self.setup.is_over_ipv6(host);
        let [from, to] = [host, SPEAKER].map(|it| self.network.of(it, over_ipv6));
        Connection::open(from, SocketAddr::from((to, PORT)))
    }

    /// Connects from a host number with packets of this TTL.
    pub fn connect_with_ttl(&self, host: u8, ttl: u8) -> Result<Connection, Error> {
        let to = SocketAddr::from((self.address(), PORT));
        Connection::open_with_ttl(self.host(host).into(), to, Some(ttl))
    }

    /// A healthy OPEN of a host number.
    pub fn open(&self, host: u8) -> Open {
        open(&self.setup, host)
    }

    /// Brings up a session from a host number.
    pub fn session(&self, host: u8) -> Result<Session, Error> {
        self.session_with(host, &self.open(host))
    }

    /// The same with this OPEN.
    pub fn session_with(&self, host: u8, open: &Open) -> Result<Session, Error> {
        self.connect(host)?.establish(open)
    }

    /// The same as often as it takes, for a speaker that may still hold the last session.
    pub fn reconnect(&self, host: u8, open: &Open) -> Result<Session, Error> {
        until_done("a new session", || self.session_with(host, open))
    }

    /// A healthy announcement of a host number.
    pub fn announcement(&self, host: u8, prefixes: &[Prefix]) -> Update {
        let asn = asn(&self.setup, host);
        let path = [asn];
        let internal = asn == self.setup.asn;
        let path = if internal { &[] } else { path.as_slice() };
        let update = Update::announce(prefixes, path, self.host(host));
        if internal {
            update.with(super::Attribute::local_pref(100))
        } else {
            update
        }
    }

    /// Waits until the speaker has dealt with all that `session` (of a host number) sent, by way
    /// of one more route. After that [`Bench::seen`] is what came of it.
    pub fn pass(&mut self, host: u8, session: &mut Session) -> Result<(), Error> {
        self.pass_with(host, session, |update| update)
    }

    /// The same where an announcement of that host needs a change to be accepted.
    pub fn pass_with(
        &mut self,
        host: u8,
        session: &mut Session,
        change: impl FnOnce(Update) -> Update,
    ) -> Result<(), Error> {
        let marker = self.marker();
        session.update(&change(self.announcement(host, &[marker])))?;
        self.observer.until_told(marker)?;
        Ok(())
    }

    /// Waits until the speaker has dealt with all that the observer sent.
    pub fn settle(&mut self) -> Result<(), Error> {
        let marker = self.marker();
        self.observer
            .update(&self.announcement(OBSERVER, &[marker]))?;
        self.bystander.until_told(marker)?;
        Ok(())
    }

    /// What the observer is told of a prefix, asked anew.
    pub fn seen(&mut self, prefix: Prefix) -> Result<Option<super::Route>, Error> {
        Ok(self.observer.refresh()?.remove(&prefix))
    }

    /// Checks that the speaker runs, and that both healthy sessions are up, work, and have been
    /// told each other's routes exactly once: whatever happened elsewhere was not theirs.
    pub fn untouched(&mut self) -> Result<(), Error> {
        self.speaker.must_live()?;
        let (one, other) = (self.marker(), self.marker());
        self.observer.update(&self.announcement(OBSERVER, &[one]))?;
        self.bystander.until_told(one)?;
        self.bystander
            .update(&self.announcement(BYSTANDER, &[other]))?;
        self.observer.until_told(other)?;
        let sides = [
            ("the observer", &self.observer, BYSTANDER_ROUTE),
            ("the bystander", &self.bystander, OBSERVER_ROUTE),
        ];
        // FRR tells its own networks again some time after its start, and BIRD 2 those of others.
        let (own, once) = match Other::chosen()? {
            Some(_) => (&[][..], false),
            None => (self.setup.networks.as_slice(), true),
        };
        for (who, session, route) in sides {
            for prefix in own.iter().chain([&route]) {
                let changes = session.changes(*prefix);
                if (once && changes != 1) || session.told(*prefix).is_none() {
                    let expected = format!("{who} to be told {prefix} once and for all");
                    return Err(Error::rule(expected, format!("it changed {changes} times")));
                }
            }
        }
        Ok(())
    }

    fn marker(&mut self) -> Prefix {
        let [high, low] = self.markers.to_be_bytes();
        self.markers = self.markers.wrapping_add(1);
        Prefix::new(Ipv4Addr::new(10, 255, high, low), 32)
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        // Nothing depends on it: the next bench with these addresses removes it as well.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Tries again until it works.
fn until_done<T>(what: &str, attempt: impl Fn() -> Result<T, Error>) -> Result<T, Error> {
    let mut done = None;
    crate::lab::wait_until(what, LIMIT, || attempt().map(|it| done = Some(it)))?;
    done.ok_or_else(|| Error::Speaker(format!("no {what}")))
}

fn asn(setup: &Setup, host: u8) -> u32 {
    let neighbor = setup.neighbors.iter().find(|one| one.host == host);
    neighbor.map_or(0, |neighbor| neighbor.asn)
}

fn open(setup: &Setup, host: u8) -> Open {
    let open = Open::new(asn(setup, host), Ipv4Addr::new(10, 0, 0, host));
    let mut neighbors = setup.neighbors.iter();
    match neighbors.any(|one| one.host == host && one.all_families) {
        true => open.all_families(),
        false => open,
    }
}

/// Finds addresses that no other bench on this machine uses. The listener on the last of them is
/// the claim.
fn claim() -> Result<(Network, TcpListener), Error> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    // 127.64.0.0 to 127.255.255.0: far from what people use by hand. Other speakers run in a
    // namespace where the same of network 10 is local.
    let first = if Other::chosen()?.is_some() { 10 } else { 127 };
    const NETWORKS: u32 = 192 * 256;
    let start = std::process::id().wrapping_mul(97);
    let mut last = None;
    for _ in 0..1000 {
        let index = start.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % NETWORKS;
        let [_, _, second, third] = index.to_be_bytes();
        let network = Network {
            first,
            second: second.saturating_add(64),
            third,
        };
        match TcpListener::bind((network.host(254), PORT)) {
            Ok(listener) => return Ok((network, listener)),
            Err(error) => last = Some(error),
        }
    }
    let error = last.unwrap_or_else(|| std::io::ErrorKind::AddrInUse.into());
    Err(Error::io("find free loopback addresses", error))
}
