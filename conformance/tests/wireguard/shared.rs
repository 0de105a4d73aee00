//! Questions to a cloud over one shared WireGuard interface, and what is done to it, whoever makes
//! the interface.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use conformance::lab::{Cloud, Error, Lab, Namespace, Pinger, Plan, Program, Underlay, uml};
use serde_json::Value;

/// The longest a step may take: patience, and nothing that is measured. What an emulated machine needs
/// depends on what else its host does.
pub(crate) fn step() -> Duration {
    Duration::from_secs(if uml::inside() { 300 } else { 60 })
}

/// A request has as many prefixes as fit into a message, and no wall clock is asked: one for each
/// prefix would be ten thousand, however fast the machine is.
const REQUESTS_MAX: u64 = 100;

/// The longest time that a prefix on the move may be without an answer. In an emulated machine all
/// takes some ten times as long, pings included.
pub(crate) fn loss_max() -> Duration {
    Duration::from_millis(if uml::inside() { 1000 } else { 100 })
}

/// The prefix that moves between B and C, and an address in it.
pub(crate) const MOVING: &str = "10.150.0.0/24";
const MOVING_ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 150, 0, 1);

/// What an operator has given to B by hand at A.
const OPERATORS: &str = "192.168.77.0/24";

/// Three sites on one shared interface: all that is asked of AllowedIPs, one thing after the other.
pub(crate) fn follows_bgp(lab: &Lab, underlay: Underlay) -> Result<(), Error> {
    let plan = Plan::new(underlay, vec![Program::Rbgpd; 3]).vnis(&[100]);
    let mut cloud = Cloud::build(lab, plan)?;
    prepare(&cloud)?;
    cloud.start()?;
    with_ipv6(&cloud)?;
    cloud.converge()?;
    ipv6_passes(lab, &cloud)?;
    neighbors_show_their_tunnels(lab, &cloud)?;
    a_prefix_moves(lab, &cloud)?;
    the_operators_stay(lab, &cloud)?;
    dry_run_and_limit(lab, &cloud)?;
    a_killed_daemon_takes_up_what_it_had(lab, &mut cloud)?;
    an_interface_made_anew_is_filled(lab, &mut cloud)?;
    cloud.converge()?;
    cloud.verified()
}

/// Addresses that answer at two sites.
pub(crate) fn prepare(cloud: &Cloud<'_>) -> Result<(), Error> {
    for site in [2, 3] {
        let space = cloud.at(site)?.space();
        space.ip(&format!("addr add {MOVING_ADDRESS}/32 dev lo"))?;
    }
    Ok(())
}

/// Each site announces an IPv6 prefix as well.
pub(crate) fn with_ipv6(cloud: &Cloud<'_>) -> Result<(), Error> {
    for site in cloud.sites() {
        let id = site.id();
        let space = site.space();
        space.ip(&format!("addr add fd00:{id}::1/128 dev lo"))?;
        site.node().reload(|text| {
            let text = text.replace("evpn = {}\n", "evpn = {}\nipv6_unicast = {}\n");
            let networks = format!("[ipv6_unicast]\nnetworks = [\"fd00:{id}::/48\"]\n\n[evpn]");
            text.replace("[evpn]", &networks)
        })?;
    }
    Ok(())
}

pub(crate) fn ipv6_passes(lab: &Lab, cloud: &Cloud<'_>) -> Result<(), Error> {
    lab.reach("IPv6 prefixes pass", step(), || {
        for (from, to) in [(1, 2), (1, 3), (2, 3)] {
            let (here, there) = (format!("fd00:{from}::1"), format!("fd00:{to}::1"));
            let line = [
                "ping", "-6", "-n", "-q", "-c", "1", "-W", "1", "-I", &here, &there,
            ];
            cloud.at(from)?.space().run(&line)?;
        }
        Ok::<_, Error>(())
    })
    .map(drop)
}

/// Public key of a site's interface.
pub(crate) fn public_key(cloud: &Cloud<'_>, site: u8) -> Result<String, Error> {
    let space = cloud.at(site)?.space();
    let key = space.run(&["wg", "show", "wg0", "public-key"])?;
    Ok(key.trim().to_owned())
}

/// What each peer of A's interface has.
pub(crate) fn allowed_ips(space: &Namespace) -> Result<BTreeMap<String, Vec<String>>, Error> {
    let text = space.run(&["wg", "show", "wg0", "allowed-ips"])?;
    let peer = |line: &str| {
        let mut words = line.split_whitespace().map(str::to_owned);
        let key = words.next()?;
        Some((key, words.filter(|word| word != "(none)").collect()))
    };
    Ok(text.lines().filter_map(peer).collect())
}

fn owners(space: &Namespace, prefix: &str) -> Result<Vec<String>, Error> {
    let all = allowed_ips(space)?.into_iter();
    let has = all.filter(|(_, prefixes)| prefixes.iter().any(|it| it == prefix));
    Ok(has.map(|(key, _)| key).collect())
}

/// A has given the prefix to this peer.
pub(crate) fn owned_by(
    lab: &Lab,
    cloud: &Cloud<'_>,
    prefix: &str,
    key: Option<&str>,
) -> Result<(), Error> {
    let space = cloud.at(1)?.space();
    let what = format!("{prefix} is with {}", key.unwrap_or("nobody"));
    lab.reach(&what, step(), || {
        let owners = owners(space, prefix)?;
        match owners.iter().map(String::as_str).eq(key) {
            true => Ok(()),
            false => Err(Error::State(format!("{owners:?}"))),
        }
    })
    .map(drop)
}

/// A peer has so many prefixes of the ten thousand.
pub(crate) fn has_prefixes(
    lab: &Lab,
    cloud: &Cloud<'_>,
    key: &str,
    number: usize,
) -> Result<(), Error> {
    let space = cloud.at(1)?.space();
    lab.reach(&format!("a peer has {number} of them"), step(), || {
        let all = allowed_ips(space)?;
        let of = all.get(key).into_iter().flatten();
        let has = of.filter(|prefix| prefix.starts_with("11.")).count();
        match has == number {
            true => Ok(()),
            false => Err(Error::State(format!("it has {has}"))),
        }
    })
    .map(drop)
}

pub(crate) fn announce(cloud: &Cloud<'_>, site: u8, prefix: &str) -> Result<(), Error> {
    cloud.at(site)?.node().reload(|text| {
        let more = format!("[ipv4_unicast]\nnetworks = [\"{prefix}\", ");
        text.replacen("[ipv4_unicast]\nnetworks = [", &more, 1)
    })
}

pub(crate) fn retract(cloud: &Cloud<'_>, site: u8, prefix: &str) -> Result<(), Error> {
    let written = format!("\"{prefix}\", ");
    cloud
        .at(site)?
        .node()
        .reload(|text| text.replace(&written, ""))
}

/// What site `of` says of its neighbour.
pub(crate) fn neighbor(cloud: &Cloud<'_>, of: u8, peer: u8) -> Result<Value, Error> {
    let node = cloud.at(of)?.node();
    let address = format!("10.10.0.{peer}");
    let output = node.ctl(&["show", "neighbors", &address, "--json"])?;
    let shown: Value = serde_json::from_str(&output.stdout)
        .map_err(|error| Error::State(format!("{error}: {}", output.text())))?;
    let first = shown.pointer("/neighbors/0").cloned();
    first.ok_or_else(|| Error::State(shown.to_string()))
}

/// The interface is read once a second, so what has just crossed it is shown a moment later.
pub(crate) fn neighbors_show_their_tunnels(lab: &Lab, cloud: &Cloud<'_>) -> Result<(), Error> {
    for (of, peer) in [(1, 2), (2, 3), (3, 1)] {
        lab.wait_until("octets both ways are shown", step(), || {
            let shown = neighbor(cloud, of, peer)?;
            let both = ["received_bytes", "sent_bytes"].into_iter().all(|key| {
                let octets = shown.pointer(&format!("/wireguard_peer/{key}"));
                octets.and_then(Value::as_u64) > Some(1000)
            });
            match both {
                true => Ok(()),
                false => Err(Error::State(shown.to_string())),
            }
        })?;
        let shown = neighbor(cloud, of, peer)?;
        assert_eq!(shown.get("wireguard"), Some(&"up".into()), "{shown}");
        let tunnel = shown.get("wireguard_peer").cloned().unwrap_or_default();
        let is = |key: &str, value: Value| assert_eq!(tunnel.get(key), Some(&value), "{tunnel}");
        is("interface", "wg0".into());
        is("public_key", public_key(cloud, peer)?.into());
        is("endpoint", format!("198.51.100.{peer}:51820").into());
        let age = tunnel.get("handshake_age_s").and_then(Value::as_u64);
        assert!(age.is_some_and(|age| age < 180), "{tunnel}");
        let text = cloud
            .at(of)?
            .node()
            .ctl(&["show", "neighbors", &format!("10.10.0.{peer}")])?;
        let line = format!("endpoint 198.51.100.{peer}:51820");
        assert!(text.stdout.contains(&line), "{}", text.text());
        assert!(text.stdout.contains("Last handshake"), "{}", text.text());
    }
    Ok(())
}

/// Reads A's interface without a pause, and notes whenever a prefix is not at exactly one peer.
pub(crate) struct Watch {
    stop: Arc<AtomicBool>,
    reader: JoinHandle<Result<(usize, Vec<usize>), Error>>,
    prefix: String,
}

impl Watch {
    pub(crate) fn begin(cloud: &Cloud<'_>, prefix: &str) -> Result<Self, Error> {
        let space = cloud.at(1)?.space().clone();
        let stop = Arc::new(AtomicBool::new(false));
        let (theirs, looked_for) = (Arc::clone(&stop), prefix.to_owned());
        let reader = std::thread::spawn(move || {
            let (mut readings, mut wrong) = (0, Vec::new());
            while !theirs.load(Ordering::Relaxed) {
                let at = owners(&space, &looked_for)?.len();
                readings += 1;
                wrong.extend((at != 1).then_some(at));
            }
            Ok((readings, wrong))
        });
        let prefix = prefix.to_owned();
        Ok(Self {
            stop,
            reader,
            prefix,
        })
    }

    pub(crate) fn end(self, lab: &Lab) -> Result<(), Error> {
        self.stop.store(true, Ordering::Relaxed);
        let failed = || Error::State("the reader failed".to_owned());
        let (readings, wrong) = self.reader.join().map_err(|_| failed())??;
        let prefix = &self.prefix;
        lab.step(format!(
            "{prefix} was at one peer in each of {readings} readings"
        ));
        assert!(readings > 3 && wrong.is_empty(), "{readings}: {wrong:?}");
        Ok(())
    }
}

/// Echo requests from A to the address that is at B and at C.
pub(crate) fn a_stream_to_b_and_c(cloud: &Cloud<'_>) -> Result<Pinger, Error> {
    let a = cloud.at(1)?;
    // Both ends are in routed prefixes: the way back needs AllowedIPs, too.
    let to = cloud.at(2)?.own_address();
    Pinger::start_from(a.space(), a.own_address(), to, Duration::from_millis(10))
}

/// From B to C and back, under a ping every 10 ms.
pub(crate) fn a_prefix_moves(lab: &Lab, cloud: &Cloud<'_>) -> Result<(), Error> {
    for site in [2, 3] {
        announce(cloud, site, MOVING)?;
    }
    let (b, c) = (public_key(cloud, 2)?, public_key(cloud, 3)?);
    owned_by(lab, cloud, MOVING, Some(&b))?;
    let a = cloud.at(1)?;
    let ms = Duration::from_millis(10);
    lab.reach("both ways of the prefix are known", step(), || {
        let shown = a.node().ctl(&["show", "routes", MOVING, "--json"])?;
        match shown.stdout.matches("\"neighbor\"").count() {
            2 => Ok(()),
            _ => Err(Error::State(shown.text())),
        }
    })?;
    let ping = Pinger::start_from(a.space(), a.own_address(), MOVING_ADDRESS, ms)?;
    lab.reach("the address answers", step(), || ping.received() > 20)?;
    let watch = Watch::begin(cloud, MOVING)?;
    retract(cloud, 2, MOVING)?;
    owned_by(lab, cloud, MOVING, Some(&c))?;
    let answered = ping.received();
    lab.reach("it answers at C", step(), || {
        ping.received() > answered + 20
    })?;
    announce(cloud, 2, MOVING)?;
    owned_by(lab, cloud, MOVING, Some(&b))?;
    let answered = ping.received();
    lab.reach("it answers at B", step(), || {
        ping.received() > answered + 20
    })?;
    watch.end(lab)?;
    let report = ping.stop()?;
    lab.step(format!("{MOVING} moved to C and back: {report}"));
    assert!(report.longest_gap < loss_max(), "{report}");
    Ok(())
}

/// `wg set` replaces what a peer has: the operator's comes, ours comes back, and from then on both
/// stay.
pub(crate) fn the_operators_stay(lab: &Lab, cloud: &Cloud<'_>) -> Result<(), Error> {
    let space = cloud.at(1)?.space();
    let b = public_key(cloud, 2)?;
    let before = allowed_ips(space)?;
    let list = format!("10.10.0.2/32,fd10::2/128,{OPERATORS}");
    space.run(&["wg", "set", "wg0", "peer", &b, "allowed-ips", &list])?;
    let sorted = |mut prefixes: Vec<String>| {
        prefixes.sort();
        prefixes
    };
    let mut wanted = before.get(&b).cloned().unwrap_or_default();
    wanted.push(OPERATORS.to_owned());
    let wanted = sorted(wanted);
    lab.reach("what `wg set` took away is back", step(), || {
        let now = sorted(allowed_ips(space)?.remove(&b).unwrap_or_default());
        match now == wanted {
            true => Ok(()),
            false => Err(Error::State(format!("{now:?}, not {wanted:?}"))),
        }
    })?;
    lab.reach("site to site ping", step(), || cloud.sites_ping())
        .map(drop)
}

/// Nothing is written by a dry run, and more than the limit by nobody; both are told by name.
pub(crate) fn dry_run_and_limit(lab: &Lab, cloud: &Cloud<'_>) -> Result<(), Error> {
    let (a, b) = (cloud.at(1)?, public_key(cloud, 2)?);
    let sync = |from: &str, to: &str| {
        let line = |value: &str| format!("sync_allowed_ips = {value}\n");
        a.node().reload(|text| text.replace(&line(from), &line(to)))
    };
    let verify = || Ok(a.node().ctl(&["verify"])?.text());
    let summary = || Ok(a.node().ctl(&["show", "summary"])?.text());
    sync("true", "\"dry-run\"")?;
    announce(cloud, 2, "10.151.0.0/24")?;
    lab.until_shown("verify", &["10.151.0.0/24", &b, "dry run"], verify)?;
    lab.until_shown("summary", &["wg0: dry run: 1 AllowedIPs"], summary)?;
    owned_by(lab, cloud, "10.151.0.0/24", None)?;

    let has = allowed_ips(a.space())?;
    let room = has.get(&b).map_or(0, Vec::len);
    sync(
        "\"dry-run\"",
        &format!("true\nmaximum_allowed_ips = {room}"),
    )?;
    let full = format!("peer {b} has {room} AllowedIPs");
    lab.until_shown("verify", &["10.151.0.0/24", &full], verify)?;
    owned_by(lab, cloud, "10.151.0.0/24", None)?;
    sync(&format!("true\nmaximum_allowed_ips = {room}"), "true")?;
    owned_by(lab, cloud, "10.151.0.0/24", Some(&b))
}

/// While nobody is there the tunnels carry what they carried. What was withdrawn meanwhile goes, and the
/// operator's stays.
pub(crate) fn a_killed_daemon_takes_up_what_it_had(
    lab: &Lab,
    cloud: &mut Cloud<'_>,
) -> Result<(), Error> {
    let ping = a_stream_to_b_and_c(cloud)?;
    lab.reach("an answer", step(), || ping.received() > 0)?;
    cloud.at_mut(1)?.node_mut().kill9()?;
    for site in [2, 3] {
        retract(cloud, site, MOVING)?;
    }
    retract(cloud, 2, "10.151.0.0/24")?;
    let space = cloud.at(1)?.space();
    assert_eq!(owners(space, MOVING)?.len(), 1, "it is left over");
    let lost = ping.stop()?.lost;
    cloud.at_mut(1)?.start_again(lab)?;
    owned_by(lab, cloud, MOVING, None)?;
    owned_by(lab, cloud, "10.151.0.0/24", None)?;
    let b = public_key(cloud, 2)?;
    owned_by(lab, cloud, OPERATORS, Some(&b))?;
    lab.reach("site to site ping", step(), || cloud.sites_ping())?;
    lab.step(format!(
        "killed and started again; {lost} pings lost before neighbors noticed"
    ));
    Ok(())
}

/// WireGuard ends and begins anew with what its operator's file says.
pub(crate) fn an_interface_made_anew_is_filled(
    lab: &Lab,
    cloud: &mut Cloud<'_>,
) -> Result<(), Error> {
    let before = allowed_ips(cloud.at(1)?.space())?;
    cloud.fabric_mut().end_tunnels(1)?;
    lab.reach("wg0 is gone", step(), || {
        allowed_ips(cloud.at(1)?.space())
            .map_or(Ok(()), |seen| Err(Error::State(format!("{seen:?}"))))
    })?;
    cloud.fabric_mut().begin_tunnels(lab, 1)?;
    let space = cloud.at(1)?.space();
    let ours = |all: BTreeMap<String, Vec<String>>| {
        let prefixes = all.into_values().flatten();
        let mut prefixes: Vec<String> = prefixes.filter(|it| it != OPERATORS).collect();
        prefixes.sort();
        prefixes
    };
    let wanted = ours(before);
    let took = lab.reach("AllowedIPs are as before", step(), || {
        let now = ours(allowed_ips(space)?);
        match now == wanted {
            true => Ok(()),
            false => Err(Error::State(format!("{now:?}, not {wanted:?}"))),
        }
    })?;
    lab.step(format!("filled in {:.1} s", took.as_secs_f64()));
    Ok(())
}

/// Ten thousand prefixes come by B, move to C and go; with what that costs A.
pub(crate) fn ten_thousand(lab: &Lab, cloud: &Cloud<'_>) -> Result<(), Error> {
    let (b, c) = (public_key(cloud, 2)?, public_key(cloud, 3)?);
    let many: Vec<String> = (0..10_000u32)
        .map(|number| format!("11.{}.{}.0/24", number / 250, number % 250))
        .collect();
    let many = many.join("\", \"");
    let before = Costs::of(cloud)?;
    announce(cloud, 2, &many)?;
    has_prefixes(lab, cloud, &b, 10_000)?;
    before.report(lab, cloud, "10,000 prefixes came")?;
    announce(cloud, 3, &many)?;
    lab.reach("both have told them", step(), || {
        let told = neighbor(cloud, 1, 3)?;
        let number = told.pointer("/families/ipv4_unicast/accepted").cloned();
        match number.as_ref().and_then(Value::as_u64) {
            Some(accepted) if accepted >= 10_000 => Ok(()),
            other => Err(Error::State(format!("{other:?} accepted"))),
        }
    })?;

    // One that is not among them comes and goes beside the others, and they do not notice.
    let ping = a_stream_to_b_and_c(cloud)?;
    announce(cloud, 2, MOVING)?;
    owned_by(lab, cloud, MOVING, Some(&b))?;
    retract(cloud, 2, MOVING)?;
    owned_by(lab, cloud, MOVING, None)?;
    let report = ping.stop()?;
    lab.step(format!("one of 10,001 came and went: {report}"));
    assert!(report.longest_gap < loss_max(), "{report}");

    // All of them move while one of them is watched.
    let watch = Watch::begin(cloud, "11.39.249.0/24")?;
    let before = Costs::of(cloud)?;
    retract(cloud, 2, &many)?;
    has_prefixes(lab, cloud, &c, 10_000)?;
    before.report(lab, cloud, "10,000 prefixes moved")?;
    watch.end(lab)?;
    let before = Costs::of(cloud)?;
    retract(cloud, 3, &many)?;
    has_prefixes(lab, cloud, &c, 0)?;
    before.report(lab, cloud, "10,000 prefixes went")?;
    Ok(())
}

/// What A has spent so far.
pub(crate) struct Costs {
    begin: Instant,
    daemon: Duration,
    thread: Duration,
    wireguard: Option<Duration>,
    requests: u64,
}

impl Costs {
    pub(crate) fn of(cloud: &Cloud<'_>) -> Result<Self, Error> {
        let a = cloud.at(1)?;
        let rbgpd = a.rbgpd()?;
        let pid = rbgpd.pid().unwrap_or(0);
        let socket = rbgpd.socket().display().to_string();
        let line = [
            "curl",
            "-s",
            "--unix-socket",
            &socket,
            "http://rbgpd/metrics",
        ];
        let metrics = a.space().run(&line)?;
        let mut requests = metrics.lines().filter_map(|line| {
            line.strip_prefix("rbgpd_allowed_ips_requests_total{interface=\"wg0\"} ")
        });
        let requests = requests.next().and_then(|number| number.parse().ok());
        let tasks = format!("/proc/{pid}/task");
        let entries =
            std::fs::read_dir(&tasks).map_err(|e| Error::State(format!("{tasks}: {e}")))?;
        let mut thread = Duration::ZERO;
        for entry in entries.flatten() {
            let name = std::fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
            if name.trim() == "wireguard" {
                thread += spent(&entry.path().join("stat"));
            }
        }
        Ok(Self {
            begin: Instant::now(),
            daemon: spent(format!("/proc/{pid}/stat").as_ref()),
            thread,
            wireguard: userspace(a.space()).map(|pid| spent(format!("/proc/{pid}/stat").as_ref())),
            requests: requests.ok_or(Error::State(metrics))?,
        })
    }

    pub(crate) fn report(&self, lab: &Lab, cloud: &Cloud<'_>, what: &str) -> Result<(), Error> {
        let took = self.begin.elapsed();
        let now = Self::of(cloud)?;
        let requests = now.requests.saturating_sub(self.requests);
        let wireguard = now.wireguard.zip(self.wireguard);
        let wireguard = wireguard.map(|(now, before)| now.saturating_sub(before));
        lab.step(format!(
            "{what}: {:.2} s, {requests} requests, CPU of rbgpd {:?}, of which its WireGuard thread {:?}, \
             of wireguard-go {wireguard:?}",
            took.as_secs_f64(),
            now.daemon.saturating_sub(self.daemon),
            now.thread.saturating_sub(self.thread),
        ));
        assert!(
            requests > 0 && requests <= REQUESTS_MAX,
            "{what}: {requests} requests"
        );
        Ok(())
    }
}

/// User and system time of a process or thread, in ticks of 10 ms.
fn spent(stat: &std::path::Path) -> Duration {
    let text = std::fs::read_to_string(stat).unwrap_or_default();
    let fields = text.rsplit_once(')').map_or("", |(_, rest)| rest);
    let ticks = fields.split_whitespace().skip(11).take(2);
    let ticks: u64 = ticks.filter_map(|field| field.parse::<u64>().ok()).sum();
    Duration::from_millis(ticks.saturating_mul(10))
}

/// The process that serves A's interface, if one does.
fn userspace(space: &Namespace) -> Option<u32> {
    let pids = space.run(&["ip", "netns", "pids", space.name()]).ok()?;
    pids.lines()
        .filter_map(|pid| pid.trim().parse().ok())
        .find(|pid: &u32| {
            let name = std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            name.trim() == "wireguard-go"
        })
}
