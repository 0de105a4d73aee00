//! The cells of one daemon, made in one lab.
//!
//! Both sides are configured once for all features; then each feature has a small check: the
//! session is up, routes went both ways with their attributes, and each side says so itself.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use serde_json::Value;

use super::plan::{
    Family, LONG, LONG_COMMUNITIES, MANY, OUR_LARGE, OUR_MARKS, OURS, OURS_IPV6, PASSWORD,
    THEIR_AS, THEIRS, THEIRS_IPV6, THEY_REFLECT, WE_REFLECT, of,
};
use super::{Attribute, Daemon, Feature, Neighbor, Outcome, Purpose, Session};
use crate::lab::{Error, Lab, Pair, Rbgpd, command};

/// Longest wait in a check. All sessions come up at the same time, so only the first one waits.
const PATIENCE: Duration = Duration::from_secs(20);

/// Route identifiers that rbgpd announces: its tunnel endpoint and its machine.
const OUR_EVPN: [&str; 2] = ["10.9.4.1", "02:00:00:00:00:71"];

/// What `show neighbors` names among the capabilities of the other side.
const OUR_SIGNS: [(Feature, &[&str]); 6] = [
    (Feature::AddPathReceived, &["add-path"]),
    (Feature::Ipv6NextHops, &["extended next hop"]),
    (Feature::ExtendedMessages, &["extended message"]),
    (Feature::RouteRefresh, &["route refresh"]),
    (Feature::GracefulRestart, &["graceful restart"]),
    (Feature::Roles, &["role provider"]),
];

/// Where a feature shows, if not in the plain session.
const SHOWN_IN: [(Feature, Purpose); 5] = [
    (Feature::AddPathReceived, Purpose::AddPath),
    (Feature::Ipv6NextHops, Purpose::Ipv6NextHops),
    (Feature::Roles, Purpose::Role),
    (Feature::Md5, Purpose::Md5),
    (Feature::Gtsm, Purpose::Gtsm),
];

/// Makes all cells of a daemon, in the order of [`Feature::ALL`].
pub fn column(lab: &Lab, daemon: Daemon) -> Result<Vec<Outcome>, Error> {
    let mut scene = Scene::build(lab, daemon)?;
    let outcome = |scene: &mut Scene<'_>, feature: Feature| {
        if let Some(known) = daemon.foregone(feature) {
            return known;
        }
        match scene.check(feature) {
            Ok(()) => Outcome::Passed(scene.neighbor.unseen(feature).map(str::to_owned)),
            Err(error) => Outcome::Failed(error.to_string()),
        }
    };
    // The one that ends sessions comes last.
    let mut order = Feature::ALL;
    order.sort_by_key(|feature| *feature == Feature::GracefulRestart);
    let found: Vec<(Feature, Outcome)> = order
        .into_iter()
        .map(|feature| {
            let outcome = outcome(&mut scene, feature);
            lab.step(format!("{feature}: {outcome}"));
            (feature, outcome)
        })
        .collect();
    let of = |feature| {
        let mut mine = found.iter().filter(|(it, _)| *it == feature);
        mine.next().map(|(_, outcome)| outcome.clone())
    };
    Ok(Feature::ALL.into_iter().filter_map(of).collect())
}

/// rbgpd, the daemon and two clients of it.
struct Scene<'a> {
    lab: &'a Lab,
    pair: Pair<'a>,
    neighbor: Box<dyn Neighbor>,
    sessions: Vec<Session>,
    config: String,
    first_client: Rbgpd,
    // Held so that it runs as long as the scene.
    _second_client: Rbgpd,
}

impl<'a> Scene<'a> {
    fn build(lab: &'a Lab, daemon: Daemon) -> Result<Self, Error> {
        let mut neighbor = daemon.neighbor();
        let able = |it: &Session| it.needs().is_none_or(|f| neighbor.lacks(f).is_none());
        let sessions: Vec<Session> = Session::all().into_iter().filter(able).collect();
        let mut pair = Pair::build(lab)?;
        wire(&pair, &sessions)?;
        neighbor.start(lab, &pair.right, &sessions)?;
        let config = ours(&sessions);
        pair.start_forwarding(&config)?;
        if sessions.iter().any(|it| it.purpose == Purpose::Evpn) {
            machine(lab, &pair)?;
        }
        let client = |purpose, config: &str| -> Result<Rbgpd, Error> {
            let session = Session::of(purpose);
            let mut client = Rbgpd::new(pair.left.clone(), lab.folder(&session.name())?);
            client.start(lab, config)?;
            Ok(client)
        };
        let first_client = client(Purpose::FirstClient, &first_client())?;
        let second_client = client(Purpose::SecondClient, &second_client())?;
        Ok(Self {
            lab,
            neighbor,
            sessions,
            config,
            first_client,
            _second_client: second_client,
            pair,
        })
    }

    fn check(&mut self, feature: Feature) -> Result<(), Error> {
        match feature {
            Feature::Ipv4 => {
                self.both_ways(Purpose::Plain, OURS, THEIRS)?;
            }
            Feature::Ipv6 => {
                self.both_ways(Purpose::Ipv6, OURS_IPV6, THEIRS_IPV6)?;
            }
            Feature::LargeCommunities => self.large_communities()?,
            Feature::Evpn => self.evpn()?,
            Feature::Ipv6NextHops => self.ipv6_next_hops()?,
            Feature::ExtendedMessages => self.extended_messages()?,
            Feature::RouteRefresh => self.route_refresh()?,
            Feature::GracefulRestart => self.graceful_restart()?,
            Feature::Md5 => self.passwords()?,
            Feature::Gtsm => self.ttl_security()?,
            Feature::Roles => self.roles()?,
            Feature::Client => self.client()?,
            Feature::Reflector => self.reflector()?,
            Feature::AddPathReceived => self.several_received()?,
            Feature::AddPathSent => self.several_sent()?,
        }
        self.both_say(feature)
    }

    /// The session is up, and one prefix went each way with its attributes.
    fn both_ways(&self, purpose: Purpose, ours: &str, theirs: &str) -> Result<(), Error> {
        let session = Session::of(purpose);
        self.up(&session)?;
        self.until_here(&session, theirs, |route| {
            let next_hop = session.right().to_string();
            let expected = [
                ("/as_path", serde_json::json!([THEIR_AS])),
                ("/med", serde_json::json!(99)),
                ("/communities", serde_json::json!(["65002:9"])),
                ("/next_hops/0", serde_json::json!(next_hop)),
            ];
            expected
                .iter()
                .all(|(place, value)| route.pointer(place) == Some(value))
        })?;
        self.until_there(&session, ours, &OUR_MARKS)
    }

    fn large_communities(&self) -> Result<(), Error> {
        let session = Session::of(Purpose::Plain);
        self.until_here(&session, THEIRS, |route| {
            route.get("large_communities") == Some(&serde_json::json!(["65002:9:10"]))
        })?;
        self.until_there(&session, OURS, &[OUR_LARGE])
    }

    fn evpn(&self) -> Result<(), Error> {
        self.up(&Session::of(Purpose::Evpn))?;
        self.reach("EVPN routes are here", || {
            let shown = self.pair.ctl(&["show", "evpn", "routes", "--json"])?;
            all_in(&shown, self.neighbor.evpn_announced())
        })?;
        self.reach("EVPN routes are there", || {
            all_in(&self.neighbor.evpn()?.to_lowercase(), &OUR_EVPN)
        })
    }

    fn ipv6_next_hops(&self) -> Result<(), Error> {
        let session = Session::of(Purpose::Ipv6NextHops);
        self.up(&session)?;
        self.until_here(&session, THEIRS, |route| {
            let next_hop = session.right().to_string();
            route.pointer("/next_hops/0") == Some(&Value::from(next_hop))
        })?;
        self.reach("our IPv6 next hop is there", || {
            let next_hop = self.neighbor.spelling(&Attribute::NextHop(session.left()));
            all_in(&self.neighbor.routes(&session, OURS)?, &[&next_hop])
        })
    }

    fn extended_messages(&self) -> Result<(), Error> {
        let session = Session::of(Purpose::Plain);
        let last = Attribute::Community(65001, LONG_COMMUNITIES);
        self.until_there(&session, LONG, &[Attribute::Community(65001, 1), last])
    }

    /// What we ask for comes again, and what the neighbour asks for goes again.
    fn route_refresh(&self) -> Result<(), Error> {
        let session = Session::of(Purpose::Plain);
        self.up(&session)?;
        let address = session.right().to_string();
        let counts = || -> Result<[u64; 4], Error> {
            let neighbor = self.pair.neighbor(&address)?;
            let count = |place| neighbor.pointer(place).and_then(Value::as_u64);
            let places = [
                "/received/update",
                "/received/route_refresh",
                "/sent/update",
                "/sent/route_refresh",
            ];
            Ok(places.map(|place| count(place).unwrap_or(0)))
        };
        let before = counts()?;
        self.pair.ctl(&["clear", &address, "--soft", "in"])?;
        self.reach("their routes come again", || {
            let now = counts()?;
            holds(now[0] > before[0] && now[3] > before[3], || {
                format!("{before:?}, now {now:?}")
            })
        })?;
        if self.neighbor.unseen(Feature::RouteRefresh).is_some() {
            return Ok(());
        }
        let before = counts()?;
        self.neighbor.ask_refresh(&session)?;
        self.reach("ours go again", || {
            let now = counts()?;
            holds(now[1] > before[1] && now[2] > before[2], || {
                format!("{before:?}, now {now:?}")
            })
        })
    }

    /// Signed with the same password there is a session, with different ones there is none.
    fn passwords(&self) -> Result<(), Error> {
        self.both_ways(Purpose::Md5, OURS, THEIRS)?;
        let session = Session::of(Purpose::WrongPassword);
        let address = session.right().to_string();
        self.reach("different passwords are noticed", || {
            let shown = self.pair.ctl(&["show", "neighbors", &address])?;
            all_in(&shown, &["the passwords differ"])
        })?;
        let neighbor = self.pair.neighbor(&address)?;
        let state = neighbor.get("state").and_then(Value::as_str);
        holds(state != Some("Established"), || neighbor.to_string())
    }

    fn ttl_security(&self) -> Result<(), Error> {
        self.both_ways(Purpose::Gtsm, OURS, THEIRS)?;
        let neighbor = self.here(&Session::of(Purpose::Gtsm))?;
        let hops = neighbor.get("ttl_security").and_then(Value::as_u64);
        holds(hops == Some(1), || neighbor.to_string())
    }

    fn roles(&self) -> Result<(), Error> {
        self.up(&Session::of(Purpose::Role))
    }

    /// A client hears through the neighbour what another client announces.
    fn client(&self) -> Result<(), Error> {
        let reflector = Session::of(Purpose::FirstClient).right().to_string();
        let question = [
            "show",
            "routes",
            THEY_REFLECT,
            "--json",
            "--received",
            &reflector,
        ];
        self.reach("the route is reflected", || {
            let output = self.first_client.ctl(&question)?;
            let shown = command::json("show routes", &output.stdout)?;
            let accepted = shown.pointer("/routes/0/accepted").and_then(Value::as_bool);
            holds(accepted == Some(true), || output.text())
        })
    }

    /// rbgpd tells the neighbour what a client announces, and who that was.
    fn reflector(&self) -> Result<(), Error> {
        let originator = Session::of(Purpose::SecondClient).left();
        self.until_there(
            &Session::of(Purpose::FirstClient),
            WE_REFLECT,
            &[Attribute::Originator(originator)],
        )
    }

    /// The neighbour knows a path of each client, and tells both.
    fn several_received(&self) -> Result<(), Error> {
        let session = Session::of(Purpose::AddPath);
        self.up(&session)?;
        let address = session.right().to_string();
        let question = ["show", "routes", MANY, "--json", "--received", &address];
        self.reach("several paths are here", || {
            let output = self.pair.rbgpd.ctl(&question)?;
            let shown = command::json("show routes", &output.stdout)?;
            let routes = shown.get("routes").and_then(Value::as_array);
            let ids: BTreeSet<u64> = routes
                .into_iter()
                .flatten()
                .filter_map(|route| route.get("path_id").and_then(Value::as_u64))
                .collect();
            holds(ids.len() > 1, || output.text())
        })
    }

    /// The first client has a path of its own and one of the second client, and tells both.
    fn several_sent(&self) -> Result<(), Error> {
        let session = Session::of(Purpose::FirstClient);
        let other = Session::of(Purpose::SecondClient);
        let next_hops = [session.left(), other.left()].map(Attribute::NextHop);
        self.until_there(&session, MANY, &next_hops)
    }

    /// Routes stay while either side comes back from a crash.
    fn graceful_restart(&mut self) -> Result<(), Error> {
        let session = Session::of(Purpose::Plain);
        self.both_ways(Purpose::Plain, OURS, THEIRS)?;
        self.both_say(Feature::GracefulRestart)?;
        if self.neighbor.restarts() {
            self.neighbor.kill()?;
            self.reach("its routes are kept", || {
                let kept = self.stale(&session)?;
                holds(kept.is_some_and(|count| count > 0), || format!("{kept:?}"))
            })?;
            self.neighbor
                .start(self.lab, &self.pair.right, &self.sessions)?;
            self.both_ways(Purpose::Plain, OURS, THEIRS)?;
            self.reach("they are fresh again", || {
                let kept = self.stale(&session)?;
                holds(kept == Some(0), || format!("{kept:?}"))
            })?;
        }
        let Some(kept) = self.neighbor.kept() else {
            return Ok(());
        };
        self.pair.rbgpd.kill9()?;
        self.reach("our routes are kept", || {
            let routes = self.neighbor.routes(&session, OURS)?;
            holds(!routes.trim().is_empty(), || "no route".to_owned())?;
            all_in(&(routes + &self.neighbor.session(&session)?), &[kept])
        })?;
        self.pair.start_forwarding(&self.config)?;
        self.both_ways(Purpose::Plain, OURS, THEIRS)
    }

    /// How many routes of the neighbour are kept although its session went.
    fn stale(&self, session: &Session) -> Result<Option<u64>, Error> {
        let neighbor = self.here(session)?;
        let count = neighbor.pointer("/details/ipv4_unicast/stale");
        Ok(count.and_then(Value::as_u64))
    }

    /// Both sides say that the feature is in use.
    fn both_say(&self, feature: Feature) -> Result<(), Error> {
        let session = Session::of(of(&SHOWN_IN, feature).unwrap_or(Purpose::Plain));
        let signs = of(&OUR_SIGNS, feature).unwrap_or_default();
        let shown = self.here(&session)?;
        let capabilities = shown.get("capabilities").cloned().unwrap_or_default();
        all_in(&capabilities.to_string(), signs)?;
        match self.neighbor.signs(feature) {
            [] => Ok(()),
            signs => self.reach("it says so", || {
                all_in(&self.neighbor.session(&session)?, signs)
            }),
        }
    }

    /// `show neighbors` of a session.
    fn here(&self, session: &Session) -> Result<Value, Error> {
        self.pair.neighbor(&session.right().to_string())
    }

    fn up(&self, session: &Session) -> Result<(), Error> {
        self.reach(&format!("{:?} is Established", session.purpose), || {
            let neighbor = self.here(session)?;
            let state = neighbor.get("state").and_then(Value::as_str);
            holds(state == Some("Established"), || neighbor.to_string())
        })
    }

    /// A route of the neighbour is here, accepted, and looks like this.
    fn until_here(
        &self,
        session: &Session,
        prefix: &str,
        looks: impl Fn(&Value) -> bool,
    ) -> Result<(), Error> {
        let address = session.right().to_string();
        let question = ["show", "routes", prefix, "--json", "--received", &address];
        self.reach(&format!("{prefix} is here"), || {
            let text = self.pair.rbgpd.ctl(&question)?.stdout;
            let shown = command::json("show routes", &text)?;
            let route = shown.pointer("/routes/0");
            let fits = route.is_some_and(|route| {
                route.get("accepted") == Some(&Value::Bool(true)) && looks(route)
            });
            holds(fits, || text)
        })
    }

    /// A route of ours is there, with these attributes.
    fn until_there(
        &self,
        session: &Session,
        prefix: &str,
        attributes: &[Attribute],
    ) -> Result<(), Error> {
        let spelled: Vec<String> = attributes
            .iter()
            .map(|it| self.neighbor.spelling(it))
            .collect();
        let words: Vec<&str> = spelled.iter().map(String::as_str).collect();
        self.reach(&format!("{prefix} is there"), || {
            all_in(&self.neighbor.routes(session, prefix)?, &words)
        })
    }

    fn reach(
        &self,
        what: &str,
        condition: impl FnMut() -> Result<(), Error>,
    ) -> Result<(), Error> {
        self.lab.wait_until(what, PATIENCE, condition).map(drop)
    }
}

fn holds(condition: bool, seen: impl FnOnce() -> String) -> Result<(), Error> {
    match condition {
        true => Ok(()),
        false => Err(Error::State(seen())),
    }
}

fn all_in(text: &str, words: &[&str]) -> Result<(), Error> {
    match words.iter().find(|word| !text.contains(**word)) {
        None => Ok(()),
        Some(word) => Err(Error::State(format!("no `{word}` in: {text}"))),
    }
}

/// The addresses of the sessions. One link has no IPv4 address: an IPv6 next hop is for that.
fn wire(pair: &Pair<'_>, sessions: &[Session]) -> Result<(), Error> {
    let right = pair.right.name();
    pair.left.ip(&format!(
        "link add eth1 type veth peer name eth1 netns {right}"
    ))?;
    for session in sessions {
        for (space, address) in [(&pair.left, session.left()), (&pair.right, session.right())] {
            let device = match session.purpose == Purpose::Ipv6NextHops {
                true => "eth1",
                false => "eth0",
            };
            let (len, nodad) = match address.is_ipv6() {
                true => (64, "nodad"),
                false => (24, ""),
            };
            space.ip(&format!("link set {device} up"))?;
            space.ip(&format!("addr add {address}/{len} dev {device} {nodad}"))?;
        }
    }
    Ok(())
}

/// A machine behind rbgpd's bridge.
fn machine(lab: &Lab, pair: &Pair<'_>) -> Result<(), Error> {
    lab.wait_until("rbgpd has made br100", PATIENCE, || {
        pair.left.ip("link show br100").map(drop)
    })?;
    for words in [
        "link add vm0 type veth peer name vm1",
        "link set vm0 master br100",
        "link set vm0 up",
        "link set vm1 up",
    ] {
        pair.left.ip(words)?;
    }
    let line = "bridge fdb add 02:00:00:00:00:71 dev vm0 master dynamic";
    let words: Vec<&str> = line.split_whitespace().collect();
    // The port takes no entry before the bridge forwards.
    lab.wait_until("a machine behind br100", PATIENCE, || {
        pair.left.run(&words).map(drop)
    })?;
    Ok(())
}

/// The configuration of rbgpd.
fn ours(sessions: &[Session]) -> String {
    let external: Vec<&Session> = sessions.iter().filter(|it| !it.is_internal()).collect();
    let listen: Vec<String> = external
        .iter()
        .map(|session| format!("\"{}\"", std::net::SocketAddr::new(session.left(), 179)))
        .collect();
    let long: Vec<String> = (1..=LONG_COMMUNITIES)
        .map(|number| format!("\"65001:{number}\""))
        .collect();
    let mut out = format!(
        "listen = [{}]\n\
         [ipv4_unicast]\nnetworks = [{{ prefix = \"{OURS}\", route_map = \"MARK\" }}, \
         {{ prefix = \"{LONG}\", route_map = \"LONG\" }}]\n\
         [ipv6_unicast]\nnetworks = [{{ prefix = \"{OURS_IPV6}\", route_map = \"MARK\" }}]\n\
         [[route_map]]\nname = \"MARK\"\nentry = [{{ seq = 10, action = \"permit\", set = {{ \
         metric = 77, community = [\"65001:7\"], large_community = [\"65001:7:8\"] }} }}]\n\
         [[route_map]]\nname = \"LONG\"\nentry = [{{ seq = 10, action = \"permit\", set = {{ \
         community = [{}] }} }}]\n",
        listen.join(", "),
        long.join(", ")
    );
    if external.iter().any(|it| it.purpose == Purpose::Evpn) {
        out += "[evpn]\nvtep = \"10.9.4.1\"\n[[vni]]\nid = 100\nname = \"net100\"\n\
                rd = \"10.9.0.1:100\"\nimport_targets = [\"65000:100\"]\n\
                export_targets = [\"65000:100\"]\n";
    }
    for session in external {
        out += &neighbor(session);
        let password = format!("password = \"{PASSWORD}\"\n");
        let keys = [
            (Purpose::Md5, password.as_str()),
            (Purpose::WrongPassword, "password = \"another-word\"\n"),
            (Purpose::Gtsm, "ttl_security = 1\n"),
            (Purpose::Role, "role = \"customer\"\n"),
        ];
        out += of(&keys, session.purpose).unwrap_or_default();
        out += match (session.purpose, session.family()) {
            (Purpose::AddPath, _) => "ipv4_unicast = { add_path_receive = true }\n",
            (_, Family::Ipv4) => "ipv4_unicast = {}\n",
            (_, Family::Ipv6) => "ipv6_unicast = {}\n",
            (_, Family::Evpn) => "evpn = {}\n",
        };
    }
    out
}

fn neighbor(session: &Session) -> String {
    neighbor_at(session.right(), session.left())
}

fn neighbor_at(address: IpAddr, local: IpAddr) -> String {
    format!(
        "[[neighbor]]\naddress = \"{address}\"\nlocal_address = \"{local}\"\nremote_as = {THEIR_AS}\n\
         timers = {{ connect_retry = \"1s\" }}\n"
    )
}

/// The client that is a reflector too, for the neighbour and the second client.
fn first_client() -> String {
    let session = Session::of(Purpose::FirstClient);
    let second = Session::of(Purpose::SecondClient).left();
    let mut out = internal(&session, &format!("\"{MANY}\""));
    out += &neighbor(&session);
    out += "route_reflector_client = true\nipv4_unicast = { add_path_send = \"all\" }\n";
    out += &neighbor_at(second, session.left());
    out += "route_reflector_client = true\nipv4_unicast = {}\n";
    out
}

/// The client that announces a network.
fn second_client() -> String {
    let session = Session::of(Purpose::SecondClient);
    let first = Session::of(Purpose::FirstClient).left();
    let networks = format!("\"{THEY_REFLECT}\", \"{WE_REFLECT}\", \"{MANY}\"");
    let mut out = internal(&session, &networks);
    out += &(neighbor(&session) + "ipv4_unicast = { export = \"THEY-REFLECT\" }\n");
    out += &neighbor_at(first, session.left());
    out += "ipv4_unicast = { export = \"WE-REFLECT\" }\n";
    for (name, prefix) in [("THEY-REFLECT", THEY_REFLECT), ("WE-REFLECT", WE_REFLECT)] {
        out += &format!(
            "[[prefix_list]]\nname = \"{name}\"\nrules = [\"permit {prefix}\", \"permit {MANY}\"]\n\
             [[route_map]]\nname = \"{name}\"\nentry = [{{ seq = 10, action = \"permit\", \
             match = {{ prefix_list = \"{name}\" }} }}]\n"
        );
    }
    out
}

/// A router of the other daemon's AS.
fn internal(session: &Session, networks: &str) -> String {
    let left = session.left();
    format!(
        "asn = {THEIR_AS}\nrouter_id = \"{left}\"\nlisten = [\"{left}:179\"]\n\
         [ipv4_unicast]\nnetworks = [{networks}]\n[kernel]\nenabled = false\n"
    )
}
