//! Two hosts with one address at two sites (RFC 7432 §15.1): named, frozen, and let go, in time and by
//! hand; while two others talk and notice nothing.
//!
//! ```text
//!   twin ─┐                              ┌─ twin      both 02:00:00:00:00:dd
//!         br100 ─ edge 1 ─────── edge 2 ─ br100
//!  bystander                              bystander   full packets between them all the time
//!
//!   edge 1: rbgpd, edge 2: rbgpd, FRR 8.4 or FRR 10.3
//! ```
//!
//! A move is made by one word of the twin that does not have the address, and is over when both
//! kernels have it.
//!
//! FRR counts the moves for itself: it names the address when rbgpd does, and lets it go by hand, too.
//!
//! The same with one IP address on the MAC addresses of the bystanders (RFC 9161 §3.7). There a move
//! is that the bridge of an edge resolves it anew.

#![allow(missing_docs)]

use std::time::{Duration, Instant};

use conformance::lab::edge::tunnel_end;
use conformance::lab::overlay::BRIDGING_FRR;
use conformance::lab::{
    Edge, Error, Frr, Host, Lab, Node, PATIENCE, Program, Rbgpd, Release, bridging_frr, kernel,
    overlay_head_with, scenario_beside_others,
};
use serde_json::Value;

const VNI: u32 = 100;
const NOBODY: &str = "10.100.0.254";
const TWIN: &str = "02:00:00:00:00:dd";

/// The IP address that is on two MAC addresses.
const SHARED: &str = "10.100.0.50";

/// What `duplicate_detection` says, in turn.
const OFF: &str = "false";
const WARN: &str = "{ moves = 5, window = \"10m\" }";
const FREEZE_FOR: &str =
    "{ moves = 5, window = \"10m\", action = \"freeze\", freeze_time = \"12s\" }";
const FREEZE: &str = "{ moves = 5, window = \"10m\", action = \"freeze\" }";

fn rbgpd(edge: u8, detection: &str) -> String {
    let detection = format!("duplicate_detection = {detection}\n");
    let network = format!(
        "[[vni]]\nid = {VNI}\nname = \"net\"\nmtu = 1500\ngateway = [\"10.100.0.1/24\"]\n"
    );
    overlay_head_with(edge, 2, &detection) + &network
}

/// The stage, with everybody on it.
struct Stage<'a> {
    lab: &'a Lab,
    edges: Vec<Edge>,
    twins: Vec<Host>,
    bystanders: Vec<Host>,
    /// The address that is there twice.
    address: &'static str,
}

impl<'a> Stage<'a> {
    fn set(lab: &'a Lab, second: Program, address: &'static str) -> Result<Self, Error> {
        let mut edges = Edge::build(lab, &[Program::Rbgpd, second])?;
        lab.start_clock();
        for edge in &mut edges {
            let id = edge.id();
            if edge.node().is_rbgpd() {
                edge.start(lab, &rbgpd(id, OFF))?;
            } else {
                edge.overlay(VNI, tunnel_end(id).into(), "address 02:00:5e:00:00:64")?;
                edge.space().ip("addr add 10.100.0.1/24 dev br100")?;
                edge.start(lab, &bridging_frr(id, 2, ""))?;
            }
        }
        let (mut twins, mut bystanders) = (Vec::new(), Vec::new());
        for edge in &edges {
            let id = edge.id();
            let plug =
                |name: &str, address: &str| Host::plug(lab, edge, name, "br100", &[address]);
            let bystander = plug(&format!("by{id}"), &format!("10.100.0.1{id}/24"))?;
            bystanders.push(bystander);
            let twin = plug(&format!("twin{id}"), &format!("10.100.0.2{id}/24"))?;
            let space = twin.space();
            // What it says of itself unasked would be a move.
            space.ip("link set eth0 down")?;
            space.output(&["sysctl", "-qw", "net.ipv6.conf.eth0.disable_ipv6=1"])?;
            space.ip(&format!("link set eth0 address {TWIN} addrgenmode none"))?;
            twins.push(twin);
        }
        let stage = Self {
            lab,
            edges,
            twins,
            bystanders,
            address,
        };
        stage
            .lab
            .wait_until("bystanders talk", PATIENCE, || stage.bystanders_talk())?;
        for twin in &stage.twins {
            let space = twin.space();
            space.ip("link set eth0 up")?;
            // A word is one frame then, and not three that ask for somebody.
            space.ip(&format!(
                "neigh add {NOBODY} lladdr 02:00:00:00:00:fe dev eth0 nud permanent"
            ))?;
        }
        Ok(stage)
    }

    fn bystanders_talk(&self) -> Result<(), Error> {
        let [one, other] = self.bystanders.as_slice() else {
            return Err(Error::State("two bystanders".to_owned()));
        };
        one.pings(
            other
                .addresses()
                .iter()
                .copied()
                .next()
                .unwrap_or([0, 0, 0, 0].into()),
        )
    }

    /// Edge 1 or 2.
    fn edge(&self, id: u8) -> Result<&Edge, Error> {
        let found = self.edges.iter().find(|edge| edge.id() == id);
        found.ok_or_else(|| Error::State(format!("no edge {id}")))
    }

    fn daemons(&self) -> impl Iterator<Item = (u8, &Rbgpd)> {
        self.edges.iter().filter_map(|edge| match edge.node() {
            Node::Rbgpd(daemon) => Some((edge.id(), daemon)),
            _ => None,
        })
    }

    fn frrs(&self) -> impl Iterator<Item = &Frr> {
        self.edges.iter().filter_map(|edge| match edge.node() {
            Node::Frr(daemon) => Some(daemon),
            Node::Rbgpd(_) => None,
        })
    }

    /// Whether every FRR has the address among its duplicates.
    fn frr_names_it(&self, named: bool) -> Result<(), Error> {
        let question = match self.address {
            SHARED => format!("show evpn arp-cache vni {VNI} duplicate"),
            _ => format!("show evpn mac vni {VNI} duplicate"),
        };
        for daemon in self.frrs() {
            let said = daemon.vtysh(&[&question])?.text();
            if said.contains(self.address) != named {
                return Err(Error::State(said));
            }
        }
        Ok(())
    }

    /// FRR misses a move that the next one follows closely, and may want more of them than rbgpd did:
    /// pairs, so that the address is where it was.
    fn frr_comes_to_name_it(&self) -> Result<(), Error> {
        const SOON: Duration = Duration::from_secs(5);
        let named = |patience| {
            self.lab
                .wait_until("FRR names it, too", patience, || self.frr_names_it(true))
        };
        for _ in 0..5 {
            if named(SOON).is_ok() {
                return Ok(());
            }
            self.moves(2, 1)?;
        }
        named(PATIENCE).map(drop)
    }

    /// Lets the address go at every FRR.
    fn frr_clears_it(&self) -> Result<(), Error> {
        let kind = match self.address {
            SHARED => "ip",
            _ => "mac",
        };
        let order = format!("clear evpn dup-addr vni {VNI} {kind} {}", self.address);
        for daemon in self.frrs() {
            let said = daemon.vtysh(&[&order])?;
            if !said.ok() {
                return Err(Error::State(said.text()));
            }
        }
        Ok(())
    }

    /// The twin at this edge says something that no one answers.
    fn speaks(&self, id: u8) -> Result<(), Error> {
        let twin = self.twins.get(usize::from(id) - 1);
        let twin = twin.ok_or_else(|| Error::State(format!("no twin {id}")))?;
        let line = ["ping", "-n", "-q", "-c", "1", "-W", "0.1", NOBODY];
        twin.space().output(&line).map(drop)
    }

    /// Both kernels have the address at this edge. (FRR leaves the entry of its VXLAN device behind; what
    /// counts is the bridge's.)
    fn is_at(&self, id: u8) -> Result<(), Error> {
        let (here, there) = (self.edge(id)?, self.edge(3 - id)?);
        let remote = kernel::remote_macs(there.space(), VNI)?;
        let led = remote.get(TWIN) == Some(&tunnel_end(id).to_string());
        let bridge = here.space().json("bridge", "fdb show br br100")?;
        let entries = bridge.as_array().into_iter().flatten();
        let ports: Vec<&str> = entries
            .filter(|it| is_twin(it) && it.get("master").is_some())
            .filter_map(|it| it.get("ifname")?.as_str())
            .collect();
        match led && ports == [format!("p-twin{id}")] {
            true => Ok(()),
            false => Err(Error::State(format!(
                "{TWIN} is not at edge {id}, but behind {ports:?} there; from afar {remote:?}"
            ))),
        }
    }

    /// The bystander at this edge is who has the shared address, as the bridge there sees it.
    fn answers(&self, id: u8) -> Result<(), Error> {
        let mac = self.bystander(id)?;
        let words = format!("neigh replace {SHARED} lladdr {mac} dev br100 nud reachable");
        self.edge(id)?.space().ip(&words).map(drop)
    }

    fn bystander(&self, id: u8) -> Result<&str, Error> {
        let host = self.bystanders.get(usize::from(id) - 1);
        let host = host.ok_or_else(|| Error::State(format!("no bystander {id}")))?;
        Ok(host.mac())
    }

    /// Both kernels resolve the shared address to the bystander at this edge, the other one because
    /// it was told so.
    fn is_bound_at(&self, id: u8) -> Result<(), Error> {
        let mac = self.bystander(id)?;
        for at in [1, 2] {
            let neighbour = format!("neigh show to {SHARED} dev br100");
            let shown = self.edge(at)?.space().ip(&neighbour)?;
            let told = shown.contains("extern_learn");
            if !shown.contains(mac) || told != (at != id) {
                let shown = shown.trim();
                return Err(Error::State(format!("edge {at}: `{shown}`")));
            }
        }
        Ok(())
    }

    /// The other one says that it has the address, and it moves there.
    fn moves_to(&self, id: u8) -> Result<(), Error> {
        let what = format!("the address is at edge {id}");
        match self.address {
            SHARED => {
                self.answers(id)?;
                self.lab
                    .wait_until(&what, PATIENCE, || self.is_bound_at(id))?;
            }
            _ => {
                self.speaks(id)?;
                self.lab.wait_until(&what, PATIENCE, || self.is_at(id))?;
            }
        }
        Ok(())
    }

    /// Back and forth: so many moves, the first of them to this edge.
    fn moves(&self, count: u8, first: u8) -> Result<(), Error> {
        for number in 0..count {
            let at = if number % 2 == 0 { first } else { 3 - first };
            self.moves_to(at)?;
        }
        Ok(())
    }

    fn reload(&self, before: &str, after: &str) -> Result<(), Error> {
        for (_, daemon) in self.daemons() {
            daemon.reload(|text| text.replace(before, after))?;
        }
        Ok(())
    }

    /// What every rbgpd says of duplicates: none, or the address with this state.
    fn duplicate(&self, frozen: Option<bool>) -> Result<(), Error> {
        for (id, daemon) in self.daemons() {
            let said = json(daemon, &["show", "evpn", "duplicates"])?;
            let listed = said.get("duplicates").and_then(Value::as_array);
            let mut listed = listed.into_iter().flatten();
            let subject = Some(self.address);
            let of_twin = |it: &&Value| it.get("address").and_then(Value::as_str) == subject;
            let state = listed
                .clone()
                .find(of_twin)
                .and_then(|it| it.get("frozen")?.as_bool());
            let others = listed.any(|it| !of_twin(&it));
            if state != frozen || others {
                return Err(Error::State(format!("edge {id}: {said}")));
            }
        }
        Ok(())
    }

    fn becomes(&self, what: &str, frozen: Option<bool>) -> Result<(), Error> {
        let waited = self
            .lab
            .wait_until(what, PATIENCE, || self.duplicate(frozen))?;
        self.lab
            .step(format!("{what} ({:.1} s)", waited.as_secs_f64()));
        Ok(())
    }

    /// It is frozen at `id`: whatever is said at the other edge, nothing moves, at rbgpd's edges.
    fn stays_at(&self, id: u8) -> Result<(), Error> {
        let before = self.told()?;
        let end = Instant::now() + Duration::from_secs(3);
        let mut words = 0;
        while Instant::now() < end {
            self.says_otherwise(id)?;
            words += 1;
            self.bystanders_talk()?;
        }
        let after = self.told()?;
        if before != after {
            return Err(Error::State(format!("told {before:?}, then {after:?}")));
        }
        let what = format!("frozen at edge {id}: {words} words to the contrary change nothing");
        self.lab.step(what);
        self.verified()
    }

    /// One word to the contrary, and what the kernels make of it.
    fn says_otherwise(&self, id: u8) -> Result<(), Error> {
        if self.address != SHARED {
            self.speaks(3 - id)?;
            return self.holds(id);
        }
        self.answers(3 - id)?;
        // FRR's own bridge is FRR's business.
        let ours = self.edge(3 - id)?.node().is_rbgpd();
        if ours {
            let what = format!("the address is at edge {id} again");
            self.lab
                .wait_until(&what, PATIENCE, || self.is_bound_at(id))?;
        }
        Ok(())
    }

    /// What is in the kernels of rbgpd's edges for an address that is frozen at `id`.
    fn holds(&self, id: u8) -> Result<(), Error> {
        for (at, _) in self.daemons() {
            let space = self.edge(at)?.space();
            let shown = space.json("bridge", "fdb show dev vxlan100")?;
            let entries = shown.as_array().into_iter().flatten();
            let of_twin: Vec<&Value> = entries
                .filter(|it| it.get("mac").and_then(Value::as_str) == Some(TWIN))
                .collect();
            let to = |it: &&Value| {
                it.get("dst").and_then(Value::as_str) == Some(&tunnel_end(id).to_string())
            };
            let sticky = |it: &&Value| it.to_string().contains("\"sticky\"");
            let right = match at == id {
                true => of_twin.is_empty(),
                false => of_twin.iter().any(to) && of_twin.iter().any(sticky),
            };
            if !right {
                return Err(Error::State(format!(
                    "edge {at}, frozen at {id}: {of_twin:?}"
                )));
            }
        }
        Ok(())
    }

    /// What every rbgpd tells of the MAC addresses that have to do with it.
    fn told(&self) -> Result<Vec<Value>, Error> {
        let keys: &[&str] = match self.address {
            SHARED => &["mac", "kind", "vtep", "ips"],
            _ => &["mac", "kind", "vtep", "sequence", "moves"],
        };
        let mut told = Vec::new();
        for (_, daemon) in self.daemons() {
            let macs = json(daemon, &["show", "evpn", "mac"])?;
            let macs = macs.get("macs").and_then(Value::as_array).cloned();
            for mut mac in macs.into_iter().flatten() {
                // A host says its link-local address when it likes.
                let ips = mac.get_mut("ips").and_then(Value::as_array_mut);
                if let Some(ips) = ips {
                    ips.retain(|ip| !ip.as_str().is_some_and(|ip| ip.starts_with("fe80:")));
                }
                if self.address == SHARED || is_twin(&mac) {
                    told.push(keys.iter().map(|key| mac.get(key).cloned()).collect());
                }
            }
        }
        Ok(told)
    }

    fn verified(&self) -> Result<(), Error> {
        for (_, daemon) in self.daemons() {
            let output = daemon.ctl(&["verify"])?;
            if !output.ok() {
                return Err(Error::State(output.text()));
            }
        }
        Ok(())
    }

    /// Other addresses have not moved.
    fn others_rest(&self) -> Result<(), Error> {
        for (id, daemon) in self.daemons() {
            let said = json(daemon, &["show", "evpn", "mac"])?;
            for mac in said
                .get("macs")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
            {
                let moves = mac.get("moves").and_then(Value::as_u64);
                let twin = mac.get("mac").and_then(Value::as_str) == Some(TWIN);
                if !twin && moves != Some(0) {
                    return Err(Error::State(format!("edge {id}: {mac}")));
                }
            }
        }
        self.bystanders_talk()
    }

    fn log_says(&self, words: &str) -> Result<(), Error> {
        for (id, daemon) in self.daemons() {
            let log = std::fs::read_to_string(daemon.log()).unwrap_or_default();
            if !log
                .lines()
                .any(|line| line.contains(self.address) && line.contains(words))
            {
                return Err(Error::State(format!("edge {id}: no `{words}` in the log")));
            }
        }
        Ok(())
    }
}

fn is_twin(entry: &Value) -> bool {
    entry.get("mac").and_then(Value::as_str) == Some(TWIN)
}

fn json(daemon: &Rbgpd, words: &[&str]) -> Result<Value, Error> {
    let output = daemon.ctl(&[words, &["--json"]].concat())?;
    serde_json::from_str(&output.stdout).map_err(|_| Error::State(output.text()))
}

fn play(lab: &Lab, second: Program, address: &'static str) -> Result<(), Error> {
    let stage = Stage::set(lab, second, address)?;
    stage.moves_to(1)?;
    // Named: it is followed all the same.
    stage.reload(OFF, WARN)?;
    stage.moves(4, 2)?;
    stage.duplicate(None)?;
    stage.moves_to(2)?;
    stage.becomes("named after five moves", Some(false))?;
    stage.frr_comes_to_name_it()?;
    stage.moves(4, 1)?;
    stage
        .lab
        .wait_until("log", PATIENCE, || stage.log_says("moves again and again"))?;
    for (_, daemon) in stage.daemons() {
        let summary = daemon.ctl(&["show", "summary"])?.text();
        if !summary.contains(&format!("{address} is a duplicate")) {
            return Err(Error::State(summary));
        }
    }
    lab.step("named in log and summary, and followed");

    // Frozen: it stays, and goes on when its time is over.
    stage.reload(WARN, FREEZE_FOR)?;
    stage.duplicate(None)?;
    stage.moves(5, 1)?;
    stage.becomes("frozen after five moves", Some(true))?;
    stage.stays_at(1)?;
    stage.becomes("let go when its time is over", None)?;
    stage.lab.wait_until("log", PATIENCE, || {
        stage.log_says("its freeze time is over")
    })?;
    stage.moves(2, 2)?;
    lab.step("it moves again");

    // Frozen until somebody says so.
    stage.reload(FREEZE_FOR, FREEZE)?;
    stage.duplicate(None)?;
    stage.moves(5, 2)?;
    stage.becomes("frozen without end", Some(true))?;
    stage.stays_at(2)?;
    for (id, daemon) in stage.daemons() {
        let order = ["evpn", "clear-duplicate", "--vni", "100", address];
        let (first, second) = (daemon.ctl(&order)?, daemon.ctl(&order)?);
        if !first.ok() || second.ok() {
            let text = format!("edge {id}: {} {}", first.text(), second.text());
            return Err(Error::State(text));
        }
    }
    stage.duplicate(None)?;
    stage.frr_clears_it()?;
    lab.wait_until("FRR has let it go", PATIENCE, || stage.frr_names_it(false))?;
    stage.moves(2, 1)?;
    lab.step("cleared by hand, it moves again");
    stage.others_rest()?;
    stage.verified()
}

#[test]
fn a_mac_address_at_two_sites_is_named_frozen_and_let_go_between_rbgpds() -> Result<(), Error> {
    scenario_beside_others("duplicates", &BRIDGING_FRR, |lab| {
        play(lab, Program::Rbgpd, TWIN)
    })
}

#[test]
fn a_mac_address_at_two_sites_is_named_frozen_and_let_go_beside_frr() -> Result<(), Error> {
    scenario_beside_others("duplicates-frr", &BRIDGING_FRR, |lab| {
        play(lab, Program::Frr(Release::Host), TWIN)
    })
}

#[test]
fn an_ip_address_on_two_macs_is_named_frozen_and_let_go_between_rbgpds() -> Result<(), Error> {
    scenario_beside_others("duplicate-ips", &BRIDGING_FRR, |lab| {
        play(lab, Program::Rbgpd, SHARED)
    })
}

#[test]
fn an_ip_address_on_two_macs_is_named_frozen_and_let_go_beside_frr() -> Result<(), Error> {
    scenario_beside_others("duplicate-ips-frr", &BRIDGING_FRR, |lab| {
        play(lab, Program::Frr(Release::Host), SHARED)
    })
}

#[test]
fn a_mac_address_at_two_sites_is_named_frozen_and_let_go_beside_frr_10() -> Result<(), Error> {
    scenario_beside_others("duplicates-frr10", &BRIDGING_FRR, |lab| {
        let frr = Release::Suite("trixie".to_owned());
        play(lab, Program::Frr(frr), TWIN)
    })
}

#[test]
fn an_ip_address_on_two_macs_is_named_frozen_and_let_go_beside_frr_10() -> Result<(), Error> {
    scenario_beside_others("duplicate-ips-frr10", &BRIDGING_FRR, |lab| {
        let frr = Release::Suite("trixie".to_owned());
        play(lab, Program::Frr(frr), SHARED)
    })
}
