//! `neighbor`, listen ranges, and peers of `bfd`.

use std::net::IpAddr;

use toml::Value;

use super::keys::{Keys, Say};
use super::{Block, Page};
use crate::config::{self, Config, Neighbor, Signing};

const FAMILIES: [(&str, &str); 3] = [
    ("ipv4_unicast", "ipv4 unicast"),
    ("ipv6_unicast", "ipv6 unicast"),
    ("evpn", "l2vpn evpn"),
];

const SESSION: &[(&str, Say)] = &[
    ("description", Say::Value("description {}")),
    ("local_address", Say::Value("update-source {}")),
    ("update_source", Say::Value("update-source {}")),
    ("port", Say::Value("port {}")),
    ("passive", Say::On("passive")),
    ("ttl_security", Say::Value("ttl-security hops {}")),
    ("multihop", Say::Value("ebgp-multihop {}")),
    ("shutdown", Say::On("shutdown")),
    ("shutdown", Say::Value("shutdown message {}")),
    ("enforce_first_as", Say::Switch("enforce-first-as")),
    ("graceful_shutdown", Say::Switch("graceful-shutdown")),
    (
        "link_bandwidth_as_integer",
        Say::Switch("disable-link-bw-encoding-ieee"),
    ),
    ("aigp", Say::Switch("aigp")),
    (
        "discard_attributes",
        Say::Words("path-attribute discard {}"),
    ),
    (
        "withdraw_attributes",
        Say::Words("path-attribute treat-as-withdraw {}"),
    ),
    ("fqdn", Say::Switch("capability fqdn")),
];

const FAMILY: &[(&str, Say)] = &[
    ("unsuppress", Say::Value("unsuppress-map {}")),
    ("as_override", Say::On("as-override")),
    ("weight", Say::Value("weight {}")),
    ("site_of_origin", Say::Value("soo {}")),
    ("maximum_prefixes_out", Say::Value("maximum-prefix-out {}")),
    ("default_originate", Say::On("default-originate")),
    ("route_reflector_client", Say::On("route-reflector-client")),
    ("route_server_client", Say::On("route-server-client")),
    ("allowas_in", Say::Value("allowas-in {}")),
];

impl Page<'_> {
    pub(super) fn neighbors(&mut self, config: &Config, head: &str, keys: &mut Keys) {
        let hosts = config
            .neighbors
            .iter()
            .chain(config.interfaces.iter().map(|it| &it.settings));
        for (mut neighbor, own) in keys.tables("neighbor").into_iter().zip(hosts) {
            let interface = neighbor.text("interface");
            let name = match (&interface, neighbor.text("address")) {
                (Some(interface), _) => interface.clone(),
                (None, address) => address.unwrap_or_default(),
            };
            let how = if interface.is_some() {
                "interface remote-as"
            } else {
                "remote-as"
            };
            let interval = neighbor.say(
                "router_advertisement_interval",
                Say::Seconds("ipv6 nd ra-interval {}"),
            );
            if let Some(line) = interval {
                self.line(Block::Top, format!("interface {name}\n{line}"));
            }
            self.neighbor(config, head, (&name, how), own, &mut neighbor);
            neighbor.finish(&mut self.unsaid);
        }
        let router = Block::Router(head.to_owned(), "");
        let ranges = keys.tables("listen_range").into_iter();
        for ((mut range, own), number) in ranges.zip(&config.listen_ranges).zip(1..) {
            let name = format!("range-{number}");
            let prefix = range.text("prefix").unwrap_or_default();
            self.line(router.clone(), format!("neighbor {name} peer-group"));
            self.neighbor(
                config,
                head,
                (&name, "remote-as"),
                &own.settings,
                &mut range,
            );
            if let Some(limit) = range.text("limit") {
                self.line(router.clone(), format!("bgp listen limit {limit}"));
            }
            let line = format!("bgp listen range {prefix} peer-group {name}");
            self.line(router.clone(), line);
            range.finish(&mut self.unsaid);
        }
    }

    /// Session and families of a neighbour; `how` is what stands in front of its AS number.
    fn neighbor(
        &mut self,
        config: &Config,
        head: &str,
        (name, how): (&str, &str),
        own: &Neighbor,
        keys: &mut Keys,
    ) {
        let router = Block::Router(head.to_owned(), "");
        let prefix = format!("neighbor {name} ");
        let remote = keys.text("remote_as").unwrap_or_default();
        self.line(router.clone(), format!("{prefix}{how} {remote}"));
        self.say(&router, &prefix, keys, SESSION);
        if let (true, Some(Signing::Md5(password))) = (self.secrets, &own.signing) {
            let password = String::from_utf8_lossy(password.as_bytes()).into_owned();
            keys.drop("password");
            self.line(router.clone(), format!("{prefix}password {password}"));
        }
        for line in [
            local_as(keys),
            role(keys),
            restart(keys),
            software_version(keys),
        ]
        .into_iter()
        .flatten()
        {
            self.line(router.clone(), format!("{prefix}{line}"));
        }
        for line in timers(own, keys, &mut self.unsaid) {
            self.line(router.clone(), format!("{prefix}{line}"));
        }
        for line in bfd(config, own, keys, &mut self.unsaid) {
            self.line(router.clone(), format!("{prefix}{line}"));
        }
        if keys.take_if("capabilities", &Value::Boolean(false)) {
            self.line(router.clone(), format!("{prefix}dont-capability-negotiate"));
        }
        // Of all families, where FRR says it of each.
        let of_all = ["route_reflector_client", "route_server_client"];
        let of_all = of_all.map(|key| (key, keys.take_if(key, &Value::Boolean(true))));
        for (key, family) in FAMILIES {
            let block = Block::Router(head.to_owned(), family);
            let Some(mut inner) = keys.table(key) else {
                if key == "ipv4_unicast" {
                    self.line(block, format!("no {prefix}activate"));
                }
                continue;
            };
            if key != "ipv4_unicast" {
                self.line(block.clone(), format!("{prefix}activate"));
            }
            for (key, on) in of_all {
                if on && inner.peek(key).is_none() {
                    let word = key.replace('_', "-");
                    self.line(block.clone(), format!("{prefix}{word}"));
                }
            }
            for line in self.family(key, &mut inner) {
                self.line(
                    block.clone(),
                    match line.strip_prefix("no ") {
                        Some(line) => format!("no {prefix}{line}"),
                        None => format!("{prefix}{line}"),
                    },
                );
            }
            self.say(&block, &prefix, &mut inner, FAMILY);
            // FRR says of a network what those within have.
            let host = name.parse::<IpAddr>().ok().map(bgp::Prefix::host);
            if let Some(host) = host
                && let Some(distance) = inner.number("distance")
            {
                self.line(block.clone(), format!("distance {distance} {host}"));
            }
            inner.finish(&mut self.unsaid);
        }
    }

    /// Lines of a family that take more than one key, or have words of their own.
    fn family(&mut self, family: &str, keys: &mut Keys) -> Vec<String> {
        let mut lines = Vec::new();
        for (key, way) in [("import", "in"), ("export", "out")] {
            if let Some(map) = keys.text(key) {
                lines.extend(filters(&map).map(|(word, name)| format!("{word} {name} {way}")));
            }
        }
        let mut unchanged: Vec<&str> = Vec::new();
        if keys.take_if("as_path_unchanged", &Value::Boolean(true)) {
            unchanged.push("as-path");
        }
        let next_hop = match keys.peek("next_hop").and_then(Value::as_str) {
            Some("self") => Some("next-hop-self"),
            Some("self_always") => Some("next-hop-self force"),
            _ => None,
        };
        if keys.take_if("next_hop", &Value::String("unchanged".to_owned())) {
            unchanged.push("next-hop");
        }
        if keys.take_if("med_unchanged", &Value::Boolean(true)) {
            unchanged.push("med");
        }
        match unchanged.as_slice() {
            [] => {}
            [_, _, _] => lines.push("attribute-unchanged".to_owned()),
            words => lines.push(format!("attribute-unchanged {}", words.join(" "))),
        }
        if let Some(line) = next_hop {
            keys.drop("next_hop");
            lines.push(line.to_owned());
        }
        if let Some(mut condition) = keys.table("default_originate") {
            lines.push(condition.words("default-originate", &[("route_map", " route-map {}")]));
            condition.finish(&mut self.unsaid);
        }
        if let Some(mut condition) = keys.table("advertise_if") {
            let parts = [
                ("routes", " {}"),
                ("exist", " exist-map {}"),
                ("absent", " non-exist-map {}"),
            ];
            lines.push(condition.words("advertise-map", &parts));
            condition.finish(&mut self.unsaid);
        }
        let private = keys.text("remove_private_as");
        lines.extend(private.map(|how| match how.as_str() {
            "all" => "remove-private-AS all".to_owned(),
            "replace" => "remove-private-AS replace-AS".to_owned(),
            "replace_all" => "remove-private-AS all replace-AS".to_owned(),
            _ => "remove-private-AS".to_owned(),
        }));
        if keys.peek("send_community").is_some() {
            let sent = keys.list("send_community");
            let kinds = ["standard", "extended", "large"];
            let missing = kinds
                .into_iter()
                .filter(|kind| !sent.iter().any(|it| it == kind));
            lines.extend(missing.map(|kind| format!("no send-community {kind}")));
        }
        // FRR takes several paths from whoever sends them.
        if !keys.take_if("add_path_receive", &Value::Boolean(true)) && family != "evpn" {
            lines.push("disable-addpath-rx".to_owned());
        }
        lines.extend(
            keys.text("add_path_send")
                .map(|count| match count.as_str() {
                    "all" => "addpath-tx-all-paths".to_owned(),
                    "best_per_as" => "addpath-tx-bestpath-per-AS".to_owned(),
                    count => format!("addpath-tx-best-selected {count}"),
                }),
        );
        lines.extend(maximum(keys, &mut self.unsaid));
        lines
    }

    /// `[[bfd]]`.
    pub(super) fn bfd_peers(&mut self, keys: &mut Keys) {
        for mut peer in keys.tables("bfd") {
            let far = peer.take_if("multihop", &Value::Boolean(true));
            let address = peer.text("peer").unwrap_or_default();
            let multihop = if far { " multihop" } else { "" };
            let parts = [
                ("local", " local-address {}"),
                ("vrf", " vrf {}"),
                ("interface", " interface {}"),
            ];
            let rest = peer.words("", &parts);
            let head = format!("peer {address}{multihop}{rest}");
            let block = Block::Bfd(head.clone());
            self.line(Block::Top, format!("bfd\n{head}"));
            let both = milliseconds(&mut peer, "interval");
            for (key, word) in [
                ("receive_interval", "receive-interval"),
                ("transmit_interval", "transmit-interval"),
            ] {
                if let Some(interval) = both.or_else(|| milliseconds(&mut peer, key)) {
                    self.line(block.clone(), format!("{word} {interval}"));
                }
            }
            const SETTINGS: &[(&str, Say)] = &[
                ("multiplier", Say::Value("detect-multiplier {}")),
                ("min_ttl", Say::Value("minimum-ttl {}")),
                ("echo", Say::On("echo-mode")),
                ("passive", Say::On("passive-mode")),
                ("shutdown", Say::On("shutdown")),
            ];
            // FRR's lines of echo say that packets are sent back, too, unless they say that they are not.
            let echo = peer.peek("echo").is_some();
            let often = milliseconds(&mut peer, "echo_receive_interval");
            let often = often.map(|it| it.to_string());
            if let Some(often) = often.or(echo.then(|| "disabled".to_owned())) {
                self.line(block.clone(), format!("echo receive-interval {often}"));
            }
            if let Some(interval) = milliseconds(&mut peer, "echo_transmit_interval") {
                self.line(block.clone(), format!("echo transmit-interval {interval}"));
            }
            let said = peer.peek("min_ttl").is_some();
            self.say(&block, "", &mut peer, SETTINGS);
            if far && !said {
                let least = config::Bfd::MIN_TTL;
                self.line(block, format!("minimum-ttl {least}"));
            }
            peer.finish(&mut self.unsaid);
        }
    }
}

/// The filters that a route-map stands for, or the map itself.
fn filters(map: &str) -> impl Iterator<Item = (&str, &str)> {
    const WORDS: [&str; 4] = [
        "prefix-list ",
        "distribute-list ",
        "filter-list ",
        "route-map ",
    ];
    let made = WORDS.iter().any(|word| map.starts_with(word));
    let parts = map.split(", ").filter(move |_| made);
    let parts = parts.filter_map(|part| {
        let (word, name) = part.split_once(' ')?;
        // Lists of access lists and of the other IP version have names of their own.
        Some((word, name.rsplit(' ').next().unwrap_or(name)))
    });
    parts.chain((!made).then_some(("route-map", map)))
}

fn software_version(keys: &mut Keys) -> Option<String> {
    let words = match keys.peek("software_version")?.as_str()? {
        "classic" => "capability software-version",
        "latest" => "capability software-version latest-encoding",
        _ => return None,
    };
    keys.drop("software_version");
    Some(words.to_owned())
}

fn local_as(keys: &mut Keys) -> Option<String> {
    if let Some(asn) = keys.text("local_as") {
        return Some(format!("local-as {asn}"));
    }
    let mut table = keys.table("local_as")?;
    let mut line = table.words("local-as", &[("asn", " {}")]);
    for (key, word) in [
        ("no_prepend", " no-prepend"),
        ("replace_as", " replace-as"),
        ("dual_as", " dual-as"),
    ] {
        if table.take_if(key, &Value::Boolean(true)) {
            line.push_str(word);
        }
    }
    Some(line)
}

fn role(keys: &mut Keys) -> Option<String> {
    let role = keys.text("role")?;
    let word = match role.as_str() {
        "route_server" => "rs-server",
        "route_server_client" => "rs-client",
        other => other,
    };
    let strict = keys.take_if("role_strict", &Value::Boolean(true));
    let strict = if strict { " strict-mode" } else { "" };
    Some(format!("local-role {word}{strict}"))
}

fn restart(keys: &mut Keys) -> Option<String> {
    let on = keys.peek("graceful_restart")?.as_bool()?;
    keys.drop("graceful_restart");
    let word = if on {
        "graceful-restart"
    } else {
        "graceful-restart-disable"
    };
    Some(word.to_owned())
}

/// FRR has other times where nothing is said.
fn timers(own: &Neighbor, keys: &mut Keys, unsaid: &mut Vec<String>) -> Vec<String> {
    let (hold, keepalive) = (own.timers.hold, own.timers.keepalive);
    let mut lines = Vec::new();
    let table = keys.table("timers");
    if hold.as_secs() != 180 || keepalive.as_secs() != 60 {
        let (keepalive, hold) = (keepalive.as_secs(), hold.as_secs());
        lines.push(format!("timers {keepalive} {hold}"));
    }
    if let Some(mut table) = table {
        table.drop("hold");
        table.drop("keepalive");
        lines.extend(table.say("connect_retry", Say::Seconds("timers connect {}")));
        table.finish(unsaid);
    }
    lines
}

fn bfd(config: &Config, own: &Neighbor, keys: &mut Keys, unsaid: &mut Vec<String>) -> Vec<String> {
    let Some(settings) = &own.bfd else {
        return Vec::new();
    };
    keys.take_if("bfd", &Value::Boolean(true));
    // A peer of `bfd` on the same path says it for both.
    let mut peers = config.bfd.iter().map(|it| (it.path.peer, &it.settings));
    let shared = peers.any(|(peer, of_peer)| {
        let same = config::Bfd {
            strict: settings.strict,
            ..of_peer.clone()
        };
        peer == own.address.ip() && same == *settings
    });
    let usual = config::Bfd::default();
    let times = |bfd: &config::Bfd| (bfd.multiplier, bfd.receive_interval, bfd.transmit_interval);
    let (multiplier, receive, transmit) = times(settings);
    let mut lines = vec![match times(settings) == times(&usual) {
        true => "bfd".to_owned(),
        false => {
            let (receive, transmit) = (receive.as_millis(), transmit.as_millis());
            format!("bfd {multiplier} {receive} {transmit}")
        }
    }];
    if let Some(mut table) = keys.table("bfd") {
        let said = [
            "interval",
            "receive_interval",
            "transmit_interval",
            "multiplier",
        ];
        let said = said.into_iter();
        let of_peer = [
            "multihop",
            "min_ttl",
            "passive",
            "shutdown",
            "echo",
            "echo_transmit_interval",
            "echo_receive_interval",
        ];
        said.chain(of_peer.into_iter().filter(|_| shared))
            .for_each(|key| table.drop(key));
        if table.take_if("strict", &Value::Boolean(true)) {
            lines.push("bfd strict".to_owned());
        }
        table.finish(unsaid);
    }
    lines
}

fn maximum(keys: &mut Keys, unsaid: &mut Vec<String>) -> Option<String> {
    if let Some(limit) = keys.text("maximum_prefixes") {
        return Some(format!("maximum-prefix {limit} force"));
    }
    let mut table = keys.table("maximum_prefixes")?;
    let mut line = table.words("maximum-prefix", &[("limit", " {}"), ("warn_at", " {}")]);
    if table.take_if("warning_only", &Value::Boolean(true)) {
        line.push_str(" warning-only");
    }
    let restart = table.peek("restart_after").and_then(Value::as_str);
    let restart = restart.and_then(config::duration::parse);
    let minutes = restart.filter(|it| it.as_secs().is_multiple_of(60));
    if let Some(minutes) = minutes {
        table.drop("restart_after");
        line.push_str(&format!(" restart {}", minutes.as_secs() / 60));
    }
    if table.text("count").as_deref() != Some("accepted") {
        line.push_str(" force");
    }
    table.finish(unsaid);
    Some(line)
}

fn milliseconds(keys: &mut Keys, key: &str) -> Option<u128> {
    let time = config::duration::parse(keys.peek(key)?.as_str()?)?;
    keys.drop(key);
    Some(time.as_millis())
}
