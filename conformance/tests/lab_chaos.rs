//! Somebody deletes, alters and adds what is in the kernel, at random: ours is put right again within
//! the audit period, what is not ours stays as it was left, and nothing piles up.
//!
//! ```text
//!  edge 1: rbgpd, the one under fire ─┐
//!  edge 2: rbgpd, a host              ├─ u   one segment
//!  edge 3: rbgpd                      ─┘
//! ```
//!
//! Edges 2 and 3 announce the same prefixes, so edge 1 has groups of next hops; one VNI with a host
//! at edge 2 brings an FDB entry, flood entries and a neighbour; static routes stand beside. What
//! edge 1 has once it is whole is what it must have again after each round of blows. A round is some
//! blows in one go, ours and foreign mixed, and then the wait for the former state, which `verify` is
//! not asked for, since it mends. What is foreign is kept in a model of its own.
//!
//! `RBGPD_CHAOS_SECONDS` (20) and `RBGPD_CHAOS_SEED` (1) say how long and which blows.

#![allow(missing_docs)]

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use conformance::lab::edge::tunnel_end;
use conformance::lab::{
    Edge, Error, Host, Lab, Namespace, Program, Requirement, scenario_beside_others,
};
use serde_json::Value;

const NEEDS: [Requirement; 2] = [Requirement::Root, Requirement::Rbgpd];

const PATIENCE: Duration = Duration::from_secs(60);

/// What the daemon compares by itself without any notification.
const AUDIT: Duration = Duration::from_secs(5);

/// The reading of a dump, and of what the lab compares, beside that.
const SLACK: Duration = Duration::from_secs(2);

const PREFIXES: u64 = 24;

fn config(edge: u8) -> String {
    let end = tunnel_end(edge);
    let mut text = format!("asn = 6500{edge}\nrouter_id = \"{end}\"\n");
    let networks = |of: &dyn Fn(u64) -> String| {
        let all: Vec<String> = (0..PREFIXES).map(|n| format!("\"{}\"", of(n))).collect();
        all.join(", ")
    };
    if edge > 1 {
        text += &format!(
            "[ipv4_unicast]\nnetworks = [{}]\n[ipv6_unicast]\nnetworks = [{}]\n",
            networks(&learned),
            networks(&learned_ipv6)
        );
    } else {
        text += "[ipv4_unicast]\nmultipath = { paths = 4, as_path_relax = true }\n[kernel]\n";
        text += &format!("audit_interval = \"{}s\"\n", AUDIT.as_secs());
        text += "[[static_route]]\nprefix = \"172.16.0.0/16\"\n\
                 next_hops = [{ address = \"10.9.0.2\", weight = 2 }, \"10.9.0.3\"]\n\
                 [[static_route]]\nprefix = \"172.17.0.0/16\"\nkind = \"unreachable\"\n";
    }
    for other in (1..=3).filter(|other| *other != edge) {
        text += &format!(
            "[[neighbor]]\naddress = \"10.9.0.{other}\"\nremote_as = 6500{other}\nevpn = {{}}\n\
             ipv4_unicast = {{}}\nipv6_unicast = {{}}\ntimers = {{ connect_retry = \"1s\" }}\n"
        );
    }
    let vni = "[[vni]]\nid = 100\nname = \"net\"\nmtu = 1500\ngateway = [\"10.100.0.1/24\"]\n";
    text + &format!("[evpn]\nvtep = \"{end}\"\n{vni}")
}

fn learned(number: u64) -> String {
    format!("10.64.{number}.0/24")
}

fn learned_ipv6(number: u64) -> String {
    format!("2001:db8:{number:x}::/48")
}

/// The same numbers for the same seed (SplitMix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }
}

/// What somebody else has put into the kernel, in words: kind and name, and what it says.
type Model = BTreeMap<(&'static str, String), String>;

struct Chaos<'a> {
    lab: &'a Lab,
    space: &'a Namespace,
    dice: Dice,
    foreign: Model,
    /// Blows of this round, for a message.
    blows: Vec<String>,
    count: usize,
}

impl Chaos<'_> {
    /// A blow. Not all hit: what it is about may be gone already.
    fn blow(&mut self, line: &str) -> Result<bool, Error> {
        let words: Vec<&str> = line.split_whitespace().collect();
        let hit = self.space.output(&words)?.ok();
        self.blows
            .push(format!("{line}{}", if hit { "" } else { " (missed)" }));
        self.count += 1;
        Ok(hit)
    }

    /// One number of a nexthop object of ours.
    fn object(&mut self) -> Result<Option<u64>, Error> {
        let shown = self.space.json("ip", "nexthop show proto 186")?;
        let ids: Vec<u64> = list(&shown)
            .filter_map(|it| it.get("id")?.as_u64())
            .collect();
        let at = self.dice.roll(ids.len().max(1) as u64);
        Ok(ids.get(usize::try_from(at).unwrap_or(0)).copied())
    }

    fn at_ours(&mut self) -> Result<(), Error> {
        let number = self.dice.roll(PREFIXES);
        let (v4, v6) = (learned(number), learned_ipv6(number));
        let mac = host_mac(self.space)?;
        let line = match self.dice.roll(26) {
            0 | 1 => format!("ip route del {v4} proto bgp"),
            2 | 3 => format!("ip -6 route del {v6} proto bgp"),
            4 | 5 => format!("ip route replace {v4} via 10.9.0.99 dev u metric 20 proto bgp"),
            6 => "ip route flush proto bgp".to_owned(),
            7 => "ip -6 route flush proto bgp".to_owned(),
            8 | 9 => match self.object()? {
                Some(id) => format!("ip nexthop del id {id}"),
                None => return Ok(()),
            },
            10 => match self.object()? {
                Some(id) => format!("ip nexthop replace id {id} via 10.9.0.98 dev u proto 186"),
                None => return Ok(()),
            },
            11 => "ip nexthop flush proto 186".to_owned(),
            // What carries our stamp and nobody wants goes.
            12 => format!("ip route add 198.51.{number}.0/24 via 10.9.0.2 metric 20 proto bgp"),
            13 => format!("bridge fdb del {mac} dev vxlan100 master"),
            14 => format!("bridge fdb del {mac} dev vxlan100 self"),
            15 => {
                format!("bridge fdb replace {mac} dev vxlan100 dst 10.255.0.99 self extern_learn")
            }
            16 => "bridge fdb del 00:00:00:00:00:00 dev vxlan100 dst 10.255.0.2 self".to_owned(),
            17 => "bridge fdb append 00:00:00:00:00:00 dev vxlan100 dst 10.255.0.99".to_owned(),
            18 => "ip neigh del 10.100.0.12 dev br100".to_owned(),
            19 => "ip neigh replace 10.100.0.12 lladdr 02:99:00:00:00:01 dev br100 extern_learn"
                .to_owned(),
            20 => {
                self.forget_on_overlay();
                "ip link del vxlan100".to_owned()
            }
            // The tunnel keeps its own entries.
            21 => "ip link del br100".to_owned(),
            22 => format!("ip link set {} down", self.pick(&["vxlan100", "br100"])),
            23 => {
                let change = self.pick(&["nomaster", "mtu 1300"]);
                format!("ip link set vxlan100 {change}")
            }
            24 => "ip addr del 10.100.0.1/24 dev br100".to_owned(),
            // Somebody sits down in our place for a moment.
            _ => {
                let theirs = format!("{v4} via 10.9.0.97 dev u metric 20 proto static");
                self.blow(&format!("ip route replace {theirs}"))?;
                format!("ip route del {theirs}")
            }
        };
        self.blow(&line).map(drop)
    }

    fn pick(&mut self, of: &[&'static str]) -> &'static str {
        let at = self.dice.roll(of.len().max(1) as u64);
        let at = usize::try_from(at).unwrap_or_default();
        of.get(at).copied().unwrap_or_default()
    }

    /// The kernel takes what stands on a device along with it.
    fn forget_on_overlay(&mut self) {
        self.foreign.retain(|(kind, _), _| *kind != "fdb");
    }

    /// Somebody else's own business, which is none of ours.
    fn at_theirs(&mut self) -> Result<(), Error> {
        let number = self.dice.roll(12);
        let gateway = format!("10.9.0.{}", 100 + self.dice.roll(50));
        let kind = self.pick(&["route", "beside", "neigh", "nexthop", "addr", "fdb"]);
        let (name, value, what) = match kind {
            "route" => {
                let name = format!("203.0.{number}.0/24");
                let what = format!("ip route WORD {name} via {gateway} dev u proto static");
                (name, gateway, what)
            }
            // Their route to a prefix of ours, behind ours.
            "beside" => {
                let name = learned(number);
                let what =
                    format!("ip route WORD {name} via {gateway} dev u metric 500 proto static");
                (name, gateway, what)
            }
            "neigh" => {
                let name = format!("10.9.0.{}", 200 + number);
                let value = format!("02:77:00:00:00:{:02x}", self.dice.roll(256));
                let what = format!("ip neigh WORD {name} lladdr {value} dev u nud permanent");
                (name, value, what)
            }
            "nexthop" => {
                let name = (number + 1).to_string();
                let what = format!("ip nexthop WORD id {name} via {gateway} dev u proto 4");
                (name, gateway, what)
            }
            "addr" => {
                let name = format!("10.77.{number}.1/32");
                let what = format!("ip addr WORD {name} dev u");
                (name, String::new(), what)
            }
            _ => {
                // As a hypervisor has it while a machine moves.
                let name = format!("02:66:00:00:00:{number:02x}");
                let value = format!("10.255.0.{}", 50 + self.dice.roll(9));
                let what = format!("bridge fdb WORD {name} dev vxlan100 dst {value} self static");
                (name, value, what)
            }
        };
        let key = (kind, name.clone());
        if self.foreign.contains_key(&key) && self.dice.roll(2) == 0 {
            let what = match kind {
                "nexthop" => format!("ip nexthop del id {name}"),
                "fdb" => format!("bridge fdb del {name} dev vxlan100 self"),
                "neigh" => format!("ip neigh del {name} dev u"),
                "route" => format!("ip route del {name} proto static"),
                "beside" => format!("ip route del {name} metric 500 proto static"),
                _ => what.replace("WORD", "del"),
            };
            if self.blow(&what)? {
                self.foreign.remove(&key);
            }
        } else if self.blow(&what.replace("WORD", "replace"))? {
            self.foreign.insert(key, value);
        }
        Ok(())
    }

    /// What the kernel has of theirs.
    fn theirs(&self) -> Result<Model, Error> {
        let mut found = Model::new();
        for route in list(&self.space.json("ip", "-4 route show proto static")?) {
            let kind = match route.get("metric").and_then(Value::as_u64) {
                Some(500) => "beside",
                _ => "route",
            };
            found.insert((kind, text(route, "dst")), text(route, "gateway"));
        }
        for entry in list(&self.space.json("ip", "neigh show dev u nud permanent")?) {
            found.insert(("neigh", text(entry, "dst")), text(entry, "lladdr"));
        }
        for object in list(&self.space.json("ip", "nexthop show proto 4")?) {
            let id = object.get("id").and_then(Value::as_u64).unwrap_or_default();
            found.insert(("nexthop", id.to_string()), text(object, "gateway"));
        }
        for device in list(&self.space.json("ip", "-4 addr show dev u")?) {
            for address in device.get("addr_info").into_iter().flat_map(list) {
                let local = text(address, "local");
                if local.starts_with("10.77.") {
                    found.insert(("addr", format!("{local}/32")), String::new());
                }
            }
        }
        if conformance::lab::kernel::has_device(self.space, "vxlan100") {
            for entry in list(&self.space.json("bridge", "fdb show dev vxlan100")?) {
                let mac = text(entry, "mac");
                if mac.starts_with("02:66:") {
                    found.insert(("fdb", mac), text(entry, "dst"));
                }
            }
        }
        Ok(found)
    }

    /// Waits for the former state. How long that took.
    fn recover(&self, whole: &BTreeSet<String>) -> Result<Duration, Error> {
        let start = Instant::now();
        let limit = AUDIT + SLACK;
        loop {
            let now = ours(self.space)?;
            if now == *whole {
                return Ok(start.elapsed());
            }
            if start.elapsed() > limit {
                let list = |of: Vec<&String>| {
                    let of: Vec<String> = of.into_iter().cloned().collect();
                    of.join("\n  ")
                };
                return Err(Error::State(format!(
                    "not whole after {limit:?}\nmissing:\n  {}\ntoo much:\n  {}\nblows:\n  {}",
                    list(whole.difference(&now).collect()),
                    list(now.difference(whole).collect()),
                    self.blows.join("\n  ")
                )));
            }
        }
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value, key: &str) -> String {
    let text = value.get(key).and_then(Value::as_str);
    text.unwrap_or_default().to_owned()
}

/// The host's address as the tunnel has it now, or one that nobody has.
fn host_mac(space: &Namespace) -> Result<String, Error> {
    if !conformance::lab::kernel::has_device(space, "vxlan100") {
        return Ok("02:05:00:00:00:00".to_owned());
    }
    let shown = space.json("bridge", "fdb show dev vxlan100")?;
    let macs = list(&shown).map(|entry| text(entry, "mac"));
    let mac = macs.into_iter().find(|mac| mac.starts_with("02:05:"));
    Ok(mac.unwrap_or_else(|| "02:05:00:00:00:00".to_owned()))
}

/// Everything of rbgpd's in the kernel, without numbers that may differ.
fn ours(space: &Namespace) -> Result<BTreeSet<String>, Error> {
    let mut found = BTreeSet::new();
    let say = |value: &Value, keys: &[&str]| {
        let parts = keys.iter().filter_map(|key| {
            let value = value.get(*key)?;
            Some(format!(
                "{key} {}",
                value.as_str().map_or(value.to_string(), str::to_owned)
            ))
        });
        parts.collect::<Vec<_>>().join(" ")
    };
    const HOP: [&str; 4] = ["gateway", "via", "dev", "weight"];
    for family in ["-4", "-6"] {
        let shown = space.json("ip", &format!("{family} route show table all proto bgp"))?;
        for route in list(&shown) {
            let mut line = say(route, &["type", "dst", "table", "metric", "prefsrc"]);
            line += &say(route, &HOP);
            let hops = route.get("nexthops").into_iter().flat_map(list);
            let mut hops: Vec<String> = hops.map(|hop| say(hop, &HOP)).collect();
            hops.sort_unstable();
            found.insert(format!("route {line} {}", hops.join(", ")));
        }
    }
    for device in ["br100", "vxlan100"] {
        if !conformance::lab::kernel::has_device(space, device) {
            continue;
        }
        for link in list(&space.json("ip", &format!("-d link show dev {device}"))?) {
            let up = link
                .pointer("/flags")
                .is_some_and(|flags| flags.to_string().contains("\"UP\""));
            let port = link.pointer("/linkinfo/info_slave_data");
            let port = port.map(|it| say(it, &["neigh_suppress", "learning"]));
            let line = say(link, &["ifname", "mtu", "master"]);
            found.insert(format!("link {line} up {up} {}", port.unwrap_or_default()));
        }
        for link in list(&space.json("ip", &format!("addr show dev {device}"))?) {
            for address in link.get("addr_info").into_iter().flat_map(list) {
                if text(address, "scope") == "global" {
                    found.insert(format!(
                        "addr {device} {}",
                        say(address, &["local", "prefixlen"])
                    ));
                }
            }
        }
        for entry in list(&space.json("bridge", &format!("fdb show dev {device}"))?) {
            let flags = entry.get("flags").map(Value::to_string).unwrap_or_default();
            let mac = text(entry, "mac");
            if flags.contains("extern_learn") || mac == "00:00:00:00:00:00" {
                found.insert(format!(
                    "fdb {device} {} {flags}",
                    say(entry, &["mac", "dst", "master"])
                ));
            }
        }
        for entry in list(&space.json("ip", &format!("neigh show dev {device}"))?) {
            // What the host chose for its link is heard of when it speaks.
            let own = text(entry, "dst").starts_with("fe80:");
            if !own && entry.to_string().contains("extern_learn") {
                found.insert(format!("neigh {device} {}", say(entry, &["dst", "lladdr"])));
            }
        }
    }
    Ok(found)
}

fn number(name: &str, default: u64) -> u64 {
    let value = std::env::var(name).ok();
    value.and_then(|it| it.parse().ok()).unwrap_or(default)
}

/// Numbers of nexthop objects with our stamp, and of devices.
fn counts(space: &Namespace) -> Result<(usize, usize), Error> {
    let objects = list(&space.json("ip", "nexthop show proto 186")?).count();
    let devices = list(&space.json("ip", "link show")?).count();
    Ok((objects, devices))
}

fn memory_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let words = line.and_then(|line| line.split_whitespace().next());
    words.and_then(|it| it.parse().ok()).unwrap_or_default()
}

#[test]
fn what_is_ours_comes_back_and_what_is_theirs_stays_whatever_somebody_does() -> Result<(), Error> {
    scenario_beside_others("chaos", &NEEDS, |lab| {
        let mut edges = Edge::build(lab, &[Program::Rbgpd, Program::Rbgpd, Program::Rbgpd])?;
        for edge in &mut edges {
            let config = config(edge.id());
            edge.start(lab, &config)?;
        }
        let [one, two, _] = edges.as_slice() else {
            return Err(Error::State("three edges".to_owned()));
        };
        let host = Host::plug(lab, two, "h12", "br100", &["10.100.0.12/24"])?;
        let space = one.space();
        lab.reach("edge 1 is whole", PATIENCE, || {
            // A word of the host's, so that others know it.
            for gateway in host.gateways() {
                host.pings(*gateway)?;
            }
            let seen = ours(space)?;
            let of = |what: &str| seen.iter().filter(|it| it.starts_with(what)).count();
            let groups = seen
                .iter()
                .filter(|it| it.contains("dst 10.64.") && it.contains("10.9.0.3"));
            let complete = of("route") == 2 * usize::try_from(PREFIXES).unwrap_or(0) + 2;
            let hosts = seen
                .iter()
                .filter(|it| it.starts_with("neigh") && it.contains("10.100.0.12"));
            match complete && groups.count() > 20 && hosts.count() == 1 {
                true => Ok(()),
                false => Err(Error::State(format!("{seen:#?}"))),
            }
        })?;
        let verified = || {
            let output = one.node().ctl(&["verify"])?;
            match output.ok() {
                true => Ok(()),
                false => Err(Error::State(output.text())),
            }
        };
        verified()?;
        let (whole, before) = (ours(space)?, counts(space)?);
        let (seconds, seed) = (
            number("RBGPD_CHAOS_SECONDS", 20),
            number("RBGPD_CHAOS_SEED", 1),
        );
        lab.step(format!("seed {seed}, {seconds} s, {} entries", whole.len()));
        let mut chaos = Chaos {
            lab,
            space,
            dice: Dice(seed),
            foreign: Model::new(),
            blows: Vec::new(),
            count: 0,
        };
        let pid = one.node().pids().first().copied().unwrap_or_default();
        let end = Instant::now() + Duration::from_secs(seconds);
        let (mut longest, mut rounds, mut early) = (Duration::ZERO, 0, 0);
        while Instant::now() < end {
            chaos.blows.clear();
            for _ in 0..=chaos.dice.roll(8) {
                match chaos.dice.roll(3) {
                    0 => chaos.at_theirs()?,
                    _ => chaos.at_ours()?,
                }
            }
            longest = longest.max(chaos.recover(&whole)?);
            rounds += 1;
            let theirs = chaos.theirs()?;
            assert_eq!(theirs, chaos.foreign, "round {rounds}, {:#?}", chaos.blows);
            if rounds == 20 {
                early = memory_kib(pid);
            }
        }
        verified()?;
        assert_eq!(ours(space)?, whole);
        let late = memory_kib(pid);
        chaos.lab.step(format!(
            "{rounds} rounds, {} blows; longest until all was back {longest:?}; {early} KiB after \
             20 rounds, {late} KiB at the end",
            chaos.count
        ));
        assert_eq!(one.node().pids().first().copied(), Some(pid), "no restart");
        lab.reach("nothing has piled up", AUDIT + SLACK, || {
            let now = counts(space)?;
            match now == before {
                true => Ok(()),
                false => Err(Error::State(format!("{before:?}, now {now:?}"))),
            }
        })?;
        assert!(rounds > 3, "{rounds} rounds");
        assert!(
            early == 0 || late < early + 8 * 1024,
            "{early} KiB, then {late} KiB"
        );
        Ok(())
    })
}
