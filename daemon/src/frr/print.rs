//! Writes a configuration that was not read from FRR's language in that language.
//!
//! ```text
//! Config ──print──► TOML, read as keys ──► lines, each of some keys ──document──► FRR's order
//!                                    └───► `! rbgpd:` lines with the keys that are left
//! ```
//!
//! A key is taken away when a line is made of it, so that what is left is exactly what FRR's
//! language does not say, and none is forgotten. What stands in no line is as in FRR, so there are
//! lines for our defaults where FRR has others.
//!
//! Groups and BFD profiles are in what they are for already, and have no lines of their own.

mod evpn;
mod interface;
mod keys;
mod peers;
mod policy;

use std::collections::BTreeSet;

use toml::{Table, Value};

use self::keys::{Keys, Say};
use super::host::Host;
use super::{RUNNING, Source, document};
use crate::config::{self, Config, Distance, MaxMed};

/// The configuration as FRR would show it, with a comment for each key that FRR has no line for.
/// Passwords are among those.
pub fn print(config: &Config, host: &Host) -> Source {
    let (lines, unsaid) = lines(config, host, false);
    let source = Source {
        name: RUNNING.to_owned(),
        text: lines,
    };
    let mut text: String = unsaid
        .iter()
        .map(|key| format!("! rbgpd: {key}\n"))
        .collect();
    text.push_str(&document::text(&[source]));
    Source {
        name: RUNNING.to_owned(),
        text,
    }
}

/// The same with passwords, and the keys that it does not say.
pub(super) fn whole(config: &Config, host: &Host) -> (Source, Vec<String>) {
    let (text, unsaid) = lines(config, host, true);
    let name = RUNNING.to_owned();
    (Source { name, text }, unsaid)
}

/// Lines in no order, and the keys without lines.
fn lines(config: &Config, host: &Host, secrets: bool) -> (String, Vec<String>) {
    // What is printed is read here again, so it is a table.
    let whole: Table = toml::from_str(&config::print(config)).unwrap_or_default();
    let mut page = Page::new(config, host, secrets);
    let mut keys = Keys::new(whole, String::new());
    page.line(Block::Top, "frr defaults traditional".to_owned());
    page.log(&mut keys);
    page.host(&mut keys);
    page.policies(&mut keys);
    page.rpki(&mut keys);
    let instances = keys.tables("instance");
    page.speaker(config, &mut keys);
    keys.finish(&mut page.unsaid);
    for (mut instance, config) in instances.into_iter().zip(&config.instances) {
        page.instance(config, &mut instance);
        instance.finish(&mut page.unsaid);
    }
    page.unsaid.sort();
    let lines = page.lines.into_iter();
    let text = lines.map(|(block, line)| format!("end\n{}{line}\n", block.lead()));
    (text.collect(), page.unsaid)
}

/// Where a line stands.
#[derive(Debug, Clone)]
enum Block {
    Top,
    /// `router bgp`, and within it.
    Router(String, &'static str),
    /// `vni N` of `router bgp`.
    Vni(String, String),
    Vrf(String),
    Interface(String),
    Bfd(String),
    Map(String),
    Rpki,
}

impl Block {
    fn lead(&self) -> String {
        match self {
            Block::Top => String::new(),
            Block::Router(router, "") => format!("{router}\n"),
            Block::Router(router, family) => format!("{router}\naddress-family {family}\n"),
            Block::Vni(router, vni) => {
                format!("{router}\naddress-family l2vpn evpn\nvni {vni}\n")
            }
            Block::Vrf(name) => format!("vrf {name}\n"),
            Block::Interface(name) => format!("interface {name}\n"),
            Block::Bfd(peer) => format!("bfd\n{peer}\n"),
            Block::Map(entry) => format!("{entry}\n"),
            Block::Rpki => "rpki\n".to_owned(),
        }
    }
}

/// What has been written.
struct Page<'c> {
    whole: &'c Config,
    host: &'c Host,
    secrets: bool,
    lines: Vec<(Block, String)>,
    unsaid: Vec<String>,
}

impl<'c> Page<'c> {
    fn new(whole: &'c Config, host: &'c Host, secrets: bool) -> Self {
        Self {
            whole,
            host,
            secrets,
            lines: Vec::new(),
            unsaid: Vec::new(),
        }
    }

    fn line(&mut self, block: Block, line: String) {
        self.lines.push((block, line));
    }

    /// Lines of a table of keys that each make one.
    fn say(&mut self, block: &Block, prefix: &str, keys: &mut Keys, table: &[(&str, Say)]) {
        for (key, say) in table {
            if let Some(line) = keys.say(key, *say) {
                let line = match line.strip_prefix("no ") {
                    Some(line) => format!("no {prefix}{line}"),
                    None => format!("{prefix}{line}"),
                };
                self.line(block.clone(), line);
            }
        }
    }

    fn log(&mut self, keys: &mut Keys) {
        let Some(mut log) = keys.table("log") else {
            return;
        };
        let level = match log.peek("level") {
            None => Some("informational"),
            Some(_) => log_level(&log, "level"),
        };
        if let (Some(level), true) = (level, log.peek("stdout").is_some()) {
            log.drop("level");
            log.drop("stdout");
            self.line(Block::Top, format!("log stdout {level}"));
        }
        if let Some(level) = log_level(&log, "syslog") {
            log.drop("syslog");
            self.line(Block::Top, format!("log syslog {level}"));
        }
        let level = match log.peek("file_level") {
            None => Some("informational"),
            Some(_) => log_level(&log, "file_level"),
        };
        let path = log.peek("file").and_then(Value::as_str);
        let path = path.filter(|it| !it.contains(char::is_whitespace));
        if let (Some(path), Some(level)) = (path.map(str::to_owned), level) {
            log.drop("file");
            log.drop("file_level");
            self.line(Block::Top, format!("log file {path} {level}"));
        }
        for (key, words) in [
            ("facility", "log facility"),
            ("time_digits", "log timestamp precision"),
        ] {
            if let Some(value) = log.text(key) {
                self.line(Block::Top, format!("{words} {value}"));
            }
        }
        for words in log.list("debug") {
            self.line(Block::Top, format!("debug {words}"));
        }
        log.finish(&mut self.unsaid);
    }

    /// FRR has one set of times; those that a cache has otherwise are not said.
    fn rpki(&mut self, keys: &mut Keys) {
        const TIMES: [(&str, &str); 3] = [
            ("refresh", "rpki polling_period"),
            ("retry", "rpki retry_interval"),
            ("expire", "rpki expire_interval"),
        ];
        let mut caches = keys.tables("rpki");
        for (key, words) in TIMES {
            let first = caches.first().and_then(|it| it.peek(key)).cloned();
            let Some(first) =
                first.filter(|it| caches.iter().all(|own| own.peek(key) == Some(it)))
            else {
                continue;
            };
            let seconds = caches.iter_mut().filter_map(|it| it.seconds(key)).last();
            match seconds {
                Some(seconds) => self.line(Block::Rpki, format!("{words} {seconds}")),
                None => self.unsaid.push(format!("rpki: {key} = {first}")),
            }
        }
        for mut cache in caches {
            let preference = cache.text("preference").unwrap_or_else(|| "1".to_owned());
            let address = cache.text("address").unwrap_or_default();
            if let Ok(address) = address.parse::<std::net::SocketAddr>() {
                let (host, port) = (address.ip(), address.port());
                let line = format!("rpki cache {host} {port} preference {preference}");
                self.line(Block::Rpki, line);
            }
            cache.finish(&mut self.unsaid);
        }
    }

    fn instance(&mut self, config: &Config, keys: &mut Keys) {
        let Some(vrf) = &config.vrf else {
            return;
        };
        if keys.peek("name").and_then(Value::as_str) == Some(super::write::name_of(vrf).as_str()) {
            keys.drop("name");
        }
        keys.drop("vrf");
        self.speaker(config, keys);
    }

    /// `router bgp` and all that belongs to it.
    fn speaker(&mut self, config: &Config, keys: &mut Keys) {
        let vrf = config
            .vrf
            .as_ref()
            .map_or(String::new(), |vrf| format!(" vrf {vrf}"));
        let head = format!("router bgp {}{vrf}", config.asn);
        let router = Block::Router(head.clone(), "");
        if speaks_with_nobody(config) {
            let line = format!("router-id {}", config.router_id);
            self.line(Block::Top, line);
            ["asn", "router_id", "listen"]
                .into_iter()
                .for_each(|key| keys.drop(key));
            if let Some(mut router) = keys.table("router") {
                self.names(&mut router);
                router.finish(&mut self.unsaid);
            }
            self.static_routes(config, keys);
            return;
        }
        keys.drop("asn");
        const OWN: &[(&str, Say)] = &[
            ("router_id", Say::Value("bgp router-id {}")),
            (
                "ebgp_requires_policy",
                Say::Switch("bgp ebgp-requires-policy"),
            ),
        ];
        self.say(&router, "", keys, OWN);
        const ROUTER: &[(&str, Say)] = &[
            ("cluster_id", Say::Value("bgp cluster-id {}")),
            (
                "default_local_preference",
                Say::Value("bgp default local-preference {}"),
            ),
            ("suppress_fib_pending", Say::On("bgp suppress-fib-pending")),
            ("show_attributes", Say::On("bgp send-extra-data zebra")),
            ("show_hostname", Say::On("bgp default show-hostname")),
            (
                "show_next_hop_hostname",
                Say::On("bgp default show-nexthop-hostname"),
            ),
            ("minimum_hold_time", Say::Seconds("bgp minimum-holdtime {}")),
            ("graceful_shutdown", Say::On("bgp graceful-shutdown")),
            (
                "client_to_client_reflection",
                Say::Switch("bgp client-to-client reflection"),
            ),
            (
                "confederation_id",
                Say::Value("bgp confederation identifier {}"),
            ),
            (
                "confederation_members",
                Say::Words("bgp confederation peers {}"),
            ),
        ];
        const BESTPATH: &[(&str, Say)] = &[
            ("always_compare_med", Say::On("bgp always-compare-med")),
            (
                "missing_med_as_worst",
                Say::On("bgp bestpath med missing-as-worst"),
            ),
            ("as_path_ignore", Say::On("bgp bestpath as-path ignore")),
            ("as_path_confed", Say::On("bgp bestpath as-path confed")),
            (
                "peer_type_relax",
                Say::On("bgp bestpath peer-type multipath-relax"),
            ),
        ];
        const RESTART: &[(&str, Say)] = &[
            (
                "restart_time",
                Say::Seconds("bgp graceful-restart restart-time {}"),
            ),
            (
                "stale_time",
                Say::Seconds("bgp graceful-restart stalepath-time {}"),
            ),
            (
                "deferral_time",
                Say::Seconds("bgp graceful-restart select-defer-time {}"),
            ),
            (
                "long_lived_time",
                Say::Seconds("bgp long-lived-graceful-restart stale-time {}"),
            ),
        ];
        for (name, table) in [
            ("router", ROUTER),
            ("bestpath", BESTPATH),
            ("graceful_restart", RESTART),
        ] {
            let Some(mut inner) = keys.table(name) else {
                continue;
            };
            self.names(&mut inner);
            for line in max_med(&mut inner) {
                self.line(router.clone(), line);
            }
            self.say(&router, "", &mut inner, table);
            if name == "graceful_restart" && inner.take_if("enabled", &Value::Boolean(false)) {
                self.line(router.clone(), "bgp graceful-restart-disable".to_owned());
            }
            if name == "bestpath" {
                self.bandwidth(&router, &mut inner);
            }
            inner.finish(&mut self.unsaid);
        }
        self.unicast(config, &head, keys);
        self.distance(&head, keys);
        self.evpn(config, &head, keys);
        self.imports(config, &head, keys);
        self.neighbors(config, &head, keys);
        self.bfd_peers(keys);
        self.static_routes(config, keys);
    }

    /// What this host is called.
    fn names(&mut self, keys: &mut Keys) {
        for key in ["hostname", "domainname"] {
            if let Some(name) = keys.text(key) {
                self.line(Block::Top, format!("{key} {name}"));
            }
        }
    }

    fn bandwidth(&mut self, router: &Block, keys: &mut Keys) {
        let words = [
            ("ignore", "ignore"),
            ("skip_missing", "skip-missing"),
            ("default_weight", "default-weight-for-missing"),
        ];
        let said = keys.text("bandwidth");
        let word = words
            .iter()
            .find(|(word, _)| Some(*word) == said.as_deref());
        if let Some((_, word)) = word {
            self.line(router.clone(), format!("bgp bestpath bandwidth {word}"));
        }
    }

    fn unicast(&mut self, config: &Config, head: &str, keys: &mut Keys) {
        let relax = config.ipv4_unicast.multipath.as_path_relax;
        let of_both = relax == config.ipv6_unicast.multipath.as_path_relax;
        if relax && of_both {
            let line = "bgp bestpath as-path multipath-relax".to_owned();
            self.line(Block::Router(head.to_owned(), ""), line);
        }
        let networks = config
            .ipv4_unicast
            .networks
            .iter()
            .chain(&config.ipv6_unicast.networks);
        let check = networks.clone().next().map(|it| it.require_route);
        match check {
            Some(config::RequireRoute::No) => {
                let line = "no bgp network import-check".to_owned();
                self.line(Block::Router(head.to_owned(), ""), line);
            }
            Some(config::RequireRoute::Exact) => {
                let line = "bgp network import-check".to_owned();
                self.line(Block::Router(head.to_owned(), ""), line);
            }
            Some(config::RequireRoute::OrMoreSpecific) | None => {}
        }
        let others = networks.filter(|it| Some(it.require_route) != check);
        let others =
            others.map(|it| format!("{}require_route of network {}", keys.place(), it.prefix));
        self.unsaid.extend(others);
        for (name, family, own) in [
            ("ipv4_unicast", "ipv4 unicast", &config.ipv4_unicast),
            ("ipv6_unicast", "ipv6 unicast", &config.ipv6_unicast),
        ] {
            let block = Block::Router(head.to_owned(), family);
            let paths = own.multipath.paths;
            if paths != ALL_PATHS {
                self.line(block.clone(), format!("maximum-paths {paths}"));
            }
            let Some(mut inner) = keys.table(name) else {
                continue;
            };
            if let Some(mut multipath) = inner.table("multipath") {
                multipath.drop("paths");
                if of_both {
                    multipath.drop("as_path_relax");
                }
                multipath.finish(&mut self.unsaid);
            }
            if let Some(map) = inner.text("kernel_route_map") {
                self.line(block.clone(), format!("table-map {map}"));
            }
            for mut network in inner.items("networks", "prefix") {
                network.drop("require_route");
                let line = network.words(
                    "network {}",
                    &[("prefix", "{}"), ("route_map", " route-map {}")],
                );
                self.line(block.clone(), line);
                network.finish(&mut self.unsaid);
            }
            for backdoor in inner.list("backdoors") {
                self.line(block.clone(), format!("network {backdoor} backdoor"));
            }
            for redistribution in inner.items("redistribute", "source") {
                self.redistribute(&block, redistribution);
            }
            for aggregate in inner.items("aggregates", "prefix") {
                self.aggregate(&block, aggregate);
            }
            inner.finish(&mut self.unsaid);
        }
    }

    fn redistribute(&mut self, block: &Block, mut keys: Keys) {
        const SOURCES: [&str; 13] = [
            "connected",
            "kernel",
            "static",
            "ospf",
            "ospf6",
            "isis",
            "rip",
            "ripng",
            "eigrp",
            "babel",
            "nhrp",
            "openfabric",
            "sharp",
        ];
        let source = keys
            .peek("source")
            .and_then(Value::as_str)
            .map(str::to_owned);
        let known = source.as_ref().filter(|it| SOURCES.contains(&it.as_str()));
        let table = keys.peek("table").and_then(Value::as_integer);
        let from = match (known, table) {
            (Some(source), None) => source.clone(),
            (None, Some(table)) if source.is_none() => format!("table {table}"),
            _ => {
                keys.finish(&mut self.unsaid);
                return;
            }
        };
        keys.drop("source");
        keys.drop("table");
        if keys.peek("metric").is_none() && matches!(from.as_str(), "connected" | "static") {
            let what = format!(
                "{}the kernel's metric of {from} routes as MED",
                keys.place()
            );
            self.unsaid.push(what);
        }
        let rest = keys.words(
            "",
            &[("metric", " metric {}"), ("route_map", " route-map {}")],
        );
        self.line(block.clone(), format!("redistribute {from}{rest}"));
        keys.finish(&mut self.unsaid);
    }

    fn aggregate(&mut self, block: &Block, mut keys: Keys) {
        let prefix = keys.text("prefix").unwrap_or_default();
        let mut line = format!("aggregate-address {prefix}");
        for (key, word) in [("as_set", " as-set"), ("summary_only", " summary-only")] {
            if keys.take_if(key, &Value::Boolean(true)) {
                line.push_str(word);
            }
        }
        let parts = [("route_map", " route-map {}"), ("origin", " origin {}")];
        line.push_str(&keys.words("", &parts));
        if !keys.take_if("match_med", &Value::Boolean(false)) {
            line.push_str(" matching-MED-only");
        }
        line.push_str(&keys.words("", &[("suppress", " suppress-map {}")]));
        self.line(block.clone(), line);
        keys.finish(&mut self.unsaid);
    }

    fn distance(&mut self, head: &str, keys: &mut Keys) {
        const USUAL: i64 = 20;
        let Some(mut kernel) = keys.table("kernel") else {
            return;
        };
        if let Some(mut distance) = kernel.table("distance") {
            let external = distance.number("external").unwrap_or(USUAL);
            let internal = distance.number("internal").unwrap_or(USUAL);
            let backdoor = distance.number("backdoor");
            let backdoor = backdoor.unwrap_or(Distance::BACKDOOR.into());
            let block = Block::Router(head.to_owned(), "ipv4 unicast");
            self.line(
                block,
                format!("distance bgp {external} {internal} {backdoor}"),
            );
        }
        kernel.finish(&mut self.unsaid);
    }

    fn imports(&mut self, config: &Config, head: &str, keys: &mut Keys) {
        let mut maps = BTreeSet::new();
        for mut import in keys.tables("import") {
            let from = import
                .peek("from")
                .and_then(Value::as_str)
                .unwrap_or("")
                .to_owned();
            let mut instances = self.whole.instances.iter();
            let named = instances.find(|it| it.name.as_deref() == Some(&from));
            let vrf = match from.as_str() {
                "default" => Some("default"),
                _ => named.and_then(|it| it.vrf.as_deref()),
            };
            let Some(vrf) = vrf else {
                import.finish(&mut self.unsaid);
                continue;
            };
            import.drop("from");
            let map = import.text("route_map");
            let families = match import.peek("families") {
                Some(_) => import.list("families"),
                None => vec!["ipv4_unicast".to_owned(), "ipv6_unicast".to_owned()],
            };
            for family in families {
                let family = if family == "ipv6_unicast" {
                    "ipv6 unicast"
                } else {
                    "ipv4 unicast"
                };
                let block = Block::Router(head.to_owned(), family);
                self.line(block.clone(), format!("import vrf {vrf}"));
                if let Some(map) = &map {
                    self.line(block, format!("import vrf route-map {map}"));
                }
            }
            maps.insert(map);
            import.finish(&mut self.unsaid);
        }
        if maps.len() > 1 {
            let name = config.name.as_deref().unwrap_or("default");
            self.unsaid.push(format!(
                "imports of instance {name} with several route-maps"
            ));
        }
    }

    fn static_routes(&mut self, config: &Config, keys: &mut Keys) {
        let block = match &config.vrf {
            Some(vrf) => Block::Vrf(vrf.clone()),
            None => Block::Top,
        };
        for mut route in keys.tables("static_route") {
            let prefix = route.text("prefix").unwrap_or_default();
            let version = if prefix.contains(':') { "ipv6" } else { "ip" };
            let rest = route.words(
                "",
                &[
                    ("tag", " tag {}"),
                    ("distance", " {}"),
                    ("table", " table {}"),
                ],
            );
            let kind = match route.peek("kind").and_then(Value::as_str) {
                Some("blackhole") => Some("blackhole"),
                Some("unreachable") => Some("reject"),
                _ => None,
            };
            if let Some(kind) = kind {
                route.drop("kind");
                self.line(
                    block.clone(),
                    format!("{version} route {prefix} {kind}{rest}"),
                );
            }
            for mut hop in route.items("next_hops", "address") {
                let gateway = hop.peek("address").and_then(Value::as_str);
                if gateway.is_some_and(|it| it.contains(':') != prefix.contains(':')) {
                    hop.finish(&mut self.unsaid);
                    continue;
                }
                let onlink = hop.take_if("onlink", &Value::Boolean(true));
                let way = hop.words("", &[("address", " {}"), ("interface", " {}")]);
                let vrf = hop.words("", &[("vrf", " nexthop-vrf {}")]);
                let onlink = if onlink { " onlink" } else { "" };
                let mut bfd = String::new();
                if hop.take_if("bfd", &Value::Boolean(true)) {
                    bfd.push_str(" bfd");
                } else if let Some(mut watched) = hop.table("bfd") {
                    let far = watched.take_if("multihop", &Value::Boolean(true));
                    bfd.push_str(if far { " bfd multi-hop" } else { " bfd" });
                    bfd.push_str(&watched.words("", &[("local", " source {}")]));
                    watched.finish(&mut self.unsaid);
                }
                let line = format!("{version} route {prefix}{way}{rest}{vrf}{onlink}{bfd}");
                self.line(block.clone(), line);
                hop.finish(&mut self.unsaid);
            }
            route.finish(&mut self.unsaid);
        }
    }
}

/// FRR's word for a level; it has none for what only developers read.
fn log_level(log: &Keys, key: &str) -> Option<&'static str> {
    match log.peek(key).and_then(Value::as_str)? {
        "error" => Some("errors"),
        "warn" => Some("warnings"),
        "info" => Some("informational"),
        "selected" => Some("debugging"),
        _ => None,
    }
}

/// `bgp max-med`, which FRR writes without the usual MED.
fn max_med(router: &mut Keys) -> Vec<String> {
    let unusual = |med: Option<i64>| {
        let med = med.filter(|med| *med != i64::from(MaxMed::USUAL));
        med.map_or(String::new(), |med| format!(" {med}"))
    };
    let mut lines = Vec::new();
    if let Some(mut startup) = router.table("max_med_on_startup") {
        let time = startup.seconds("time").unwrap_or_default();
        let med = unusual(startup.number("med"));
        lines.push(format!("bgp max-med on-startup {time}{med}"));
    }
    if let Some(med) = router.number("max_med") {
        let med = unusual(Some(med));
        lines.push(format!("bgp max-med administrative{med}"));
    }
    lines
}

/// What a file without `router bgp` comes to.
fn speaks_with_nobody(config: &Config) -> bool {
    let none = Config {
        static_routes: config.static_routes.clone(),
        host_interfaces: config.host_interfaces.clone(),
        instances: config.instances.clone(),
        listen: Vec::new(),
        kernel: config.kernel,
        log: config.log.clone(),
        hostname: config.hostname.clone(),
        domainname: config.domainname.clone(),
        ..Config::new(config.asn, config.router_id)
    };
    *config == none
}

/// FRR uses as many paths as it was built for.
const ALL_PATHS: u16 = 256;
