//! What machines ask each other by ARP and neighbour discovery stays at their site, without a
//! gateway address anywhere.
//!
//! ```text
//!   near, next ── br100 ─ edge 1 rbgpd ═══ VXLAN ═══ edge 2 rbgpd or FRR ─ br100 ── far
//!                                       ▲
//!                       every frame in a tunnel is looked into
//! ```
//!
//! FRR learns IP addresses from its own neighbour table alone, so its bridge has an address.

#![allow(missing_docs)]

use std::collections::BTreeSet;

use conformance::lab::edge::tunnel_end;
use conformance::lab::overlay::{BRIDGING, BRIDGING_FRR};
use conformance::lab::wire::{Asked, Questions};
use conformance::lab::{
    Edge, Error, Host, Lab, PATIENCE, Program, Release, bridging_frr, kernel, overlay_head,
    scenario_beside_others,
};

const VNI: u32 = 100;

fn rbgpd(edge: u8, keys: &str) -> String {
    overlay_head(edge, 2) + &format!("[[vni]]\nid = {VNI}\nname = \"net\"\nmtu = 1500\n{keys}\n")
}

fn wrong<T>(what: impl Into<String>) -> Result<T, Error> {
    Err(Error::State(what.into()))
}

/// Two edges, two hosts behind the first and one behind the second.
struct Overlay {
    edges: Vec<Edge>,
    hosts: Vec<Host>,
}

impl Overlay {
    fn build(lab: &Lab, second: Program, keys: &str) -> Result<Self, Error> {
        let mut edges = Edge::build(lab, &[Program::Rbgpd, second])?;
        for edge in &mut edges {
            let id = edge.id();
            if edge.node().is_rbgpd() {
                edge.start(lab, &rbgpd(id, keys))?;
            } else {
                edge.overlay(VNI, tunnel_end(id).into(), "")?;
                for address in ["10.100.0.254/24", "fd00:100::254/64 nodad"] {
                    edge.space().ip(&format!("addr add {address} dev br100"))?;
                }
                edge.start(lab, &bridging_frr(id, 2, ""))?;
            }
        }
        lab.start_clock();
        let mut hosts = Vec::new();
        for (name, at, last) in [("near", 0, 11), ("next", 0, 12), ("far-", 1, 13)] {
            let Some(edge) = edges.get(at) else {
                return wrong("two edges");
            };
            let (v4, v6) = (
                format!("10.100.0.{last}/24"),
                format!("fd00:100::{last}/64"),
            );
            hosts.push(Host::plug(lab, edge, name, "br100", &[&v4, &v6])?);
        }
        Ok(Self { edges, hosts })
    }

    /// Every host speaks to every other one, having forgotten them all; what was asked through
    /// tunnels meanwhile.
    fn talk(&self) -> Result<Asked, Error> {
        for host in &self.hosts {
            host.space().ip("neigh flush dev eth0")?;
        }
        let edge = self
            .edges
            .first()
            .ok_or_else(|| Error::State("an edge".to_owned()))?;
        let questions = Questions::count(edge.space(), "u")?;
        for from in &self.hosts {
            for to in self.hosts.iter().filter(|to| to.mac() != from.mac()) {
                for address in to.addresses() {
                    from.pings(*address)?;
                }
            }
        }
        questions.stop()
    }

    /// Makes every host's addresses known: each says one word, which nobody has to answer.
    fn introduce(&self) -> Result<(), Error> {
        for host in &self.hosts {
            for nobody in ["10.100.0.200", "fd00:100::200"] {
                host.space()
                    .output(&["ping", "-n", "-q", "-c", "1", "-W", "0.1", nobody])?;
            }
        }
        for edge in self.edges.iter().filter(|edge| !edge.node().is_rbgpd()) {
            for address in ["10.100.0.13", "fd00:100::13"] {
                edge.space()
                    .output(&["ping", "-n", "-q", "-c", "1", "-W", "1", address])?;
            }
        }
        Ok(())
    }

    /// The kernel of every edge knows whose the hosts' addresses are.
    fn known(&self) -> Result<(), Error> {
        for edge in &self.edges {
            let shown = edge.space().run(&["ip", "neigh", "show", "dev", "br100"])?;
            let lines: BTreeSet<&str> = shown.lines().collect();
            for host in &self.hosts {
                for address in host.addresses() {
                    let found = lines.iter().any(|line| {
                        line.starts_with(&format!("{address} ")) && line.contains(host.mac())
                    });
                    if !found {
                        return wrong(format!("edge {}: no {address} in {shown}", edge.id()));
                    }
                }
            }
        }
        Ok(())
    }

    fn learned(&self, lab: &Lab) -> Result<(), Error> {
        lab.reach("every edge knows every address", PATIENCE, || {
            self.introduce()?;
            self.known()
        })?;
        Ok(())
    }

    fn reload(&self, keys: &str) -> Result<(), Error> {
        for edge in self.edges.iter().filter(|edge| edge.node().is_rbgpd()) {
            edge.node().reload(|_| rbgpd(edge.id(), keys))?;
        }
        Ok(())
    }

    fn verified(&self) -> Result<(), Error> {
        for edge in self.edges.iter().filter(|edge| edge.node().is_rbgpd()) {
            let output = edge.node().ctl(&["verify"])?;
            if !output.ok() {
                return wrong(format!("edge {}: {}", edge.id(), output.text()));
            }
        }
        Ok(())
    }
}

/// No question crosses once the answer is known, and all do where suppression is off.
fn suppressed(lab: &Lab, second: Program) -> Result<(), Error> {
    let both = second == Program::Rbgpd;
    let overlay = Overlay::build(lab, second, "")?;
    overlay.learned(lab)?;
    let silent = |what: &str| {
        let asked = overlay.talk()?;
        lab.step(format!("{what}: {asked:?} in tunnels"));
        match (asked.arp, asked.discovery, asked.others) {
            (0, 0, 1..) => Ok(()),
            _ => wrong(format!("{what}: {asked:?}")),
        }
    };
    silent("all speak to all, and all is known")?;
    overlay.verified()?;
    if both {
        overlay.reload("suppress = false")?;
        lab.reach("suppression is off at both", PATIENCE, || loud(&overlay))?;
        let asked = overlay.talk()?;
        lab.step(format!("without suppression: {asked:?} in tunnels"));
        if asked.arp == 0 || asked.discovery == 0 {
            return wrong(format!("nothing was asked: {asked:?}"));
        }
        overlay.verified()?;
        overlay.reload("")?;
        overlay.learned(lab)?;
        silent("with suppression again")?;
    }
    Ok(())
}

fn loud(overlay: &Overlay) -> Result<(), Error> {
    for edge in &overlay.edges {
        let shown = edge
            .space()
            .run(&["bridge", "-d", "link", "show", "dev", "vxlan100"])?;
        if !shown.contains("neigh_suppress off") {
            return wrong(shown);
        }
    }
    Ok(())
}

/// Without flood lists, known hosts reach each other, and what is for nobody known stays.
fn unflooded(lab: &Lab, second: Program) -> Result<(), Error> {
    let both = second == Program::Rbgpd;
    let overlay = Overlay::build(lab, second, "flooding = false")?;
    overlay.learned(lab)?;
    for edge in &overlay.edges {
        let flood = kernel::flood_list(edge.space(), VNI)?;
        if !flood.is_empty() {
            return wrong(format!("edge {} floods to {flood:?}", edge.id()));
        }
        if edge.node().is_rbgpd() {
            let routes = edge.node().ctl(&["show", "evpn", "routes"])?.stdout;
            let theirs = !both && routes.contains("[3]:[10.255.0.2");
            if routes.contains("[3]:") && !theirs && both {
                return wrong(routes);
            }
        }
    }
    lab.step("nobody floods to anybody");
    let (Some(edge), Some(near)) = (overlay.edges.first(), overlay.hosts.first()) else {
        return wrong("an edge and a host");
    };
    let questions = Questions::count(edge.space(), "u")?;
    let nobody = ["ping", "-n", "-q", "-c", "2", "-W", "0.5", "10.100.0.201"];
    near.space().output(&nobody)?;
    near.space()
        .ip("neigh replace 10.100.0.202 lladdr 02:aa:aa:aa:aa:aa dev eth0")?;
    let unknown = ["ping", "-n", "-q", "-c", "2", "-W", "0.5", "10.100.0.202"];
    near.space().output(&unknown)?;
    let asked = questions.stop()?;
    lab.step(format!("for nobody known: {asked:?} in tunnels"));
    if asked != Asked::default() {
        return wrong(format!("{asked:?}"));
    }
    let asked = overlay.talk()?;
    lab.step(format!("all speak to all: {asked:?} in tunnels"));
    overlay.verified()?;
    if both {
        overlay.reload("")?;
        lab.reach("flooding is back by reload", PATIENCE, || {
            for edge in &overlay.edges {
                let end = tunnel_end(3 - edge.id()).to_string();
                let flood = kernel::flood_list(edge.space(), VNI)?;
                if !flood.iter().eq([&end]) {
                    return wrong(format!("{flood:?}"));
                }
            }
            Ok(())
        })?;
    }
    Ok(())
}

fn host_frr() -> Program {
    Program::Frr(Release::Host)
}

#[test]
fn no_question_crosses_between_rbgpds_once_the_answer_is_known() -> Result<(), Error> {
    scenario_beside_others("suppression", &BRIDGING, |lab| {
        suppressed(lab, Program::Rbgpd)
    })
}

#[test]
fn no_question_crosses_between_rbgpd_and_frr_once_the_answer_is_known() -> Result<(), Error> {
    scenario_beside_others("suppression-frr", &BRIDGING_FRR, |lab| {
        suppressed(lab, host_frr())
    })
}

#[test]
fn without_flooding_what_is_for_nobody_known_stays_at_its_site() -> Result<(), Error> {
    scenario_beside_others("unflooded", &BRIDGING, |lab| unflooded(lab, Program::Rbgpd))
}

#[test]
fn frr_gets_no_copies_from_an_rbgpd_without_flooding() -> Result<(), Error> {
    scenario_beside_others("unflooded-frr", &BRIDGING_FRR, |lab| {
        unflooded(lab, host_frr())
    })
}
