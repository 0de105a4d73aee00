//! Devices that were there first: made by ifupdown2, systemd-networkd or Proxmox SDN, and used by
//! rbgpd as they are.
//!
//! ```text
//!   edge 1: devices made beforehand ── u ── edge 2: rbgpd's own
//!   a host in each VNI at both: 10.1NN.0.11 and 10.1NN.0.12
//! ```
//!
//! Nothing about them is changed: not while rbgpd runs, nor when it stops, nor when the VNI is taken
//! out of its file. What does not fit is named with the command that mends it, and the overlay is
//! there as soon as that was done.

#![allow(missing_docs)]

use std::time::Duration;

use conformance::lab::edge::tunnel_end;
use conformance::lab::{Edge, Error, Host, Lab, Program, Requirement, scenario_beside_others};

const NEEDS: [Requirement; 3] = [
    Requirement::Root,
    Requirement::Program("ping"),
    Requirement::Rbgpd,
];

const PATIENCE: Duration = Duration::from_secs(60);

/// An overlay as somebody else makes it.
struct Shape {
    vni: u32,
    bridge: &'static str,
    vxlan: &'static str,
    /// `ip` words, `END` for our tunnel end.
    made: &'static [&'static str],
}

/// Devices in the shapes that ifupdown2, systemd-networkd and Proxmox SDN give an overlay, by the keys that each is told.
const SHAPES: [Shape; 3] = [
    // iface vni101: vxlan-id 101, vxlan-local-tunnelip, bridge-learning off,
    // bridge-arp-nd-suppress on; iface bridge101: bridge-ports vni101, bridge-ageing 1800.
    Shape {
        vni: 101,
        bridge: "bridge101",
        vxlan: "vni101",
        made: &[
            "link add bridge101 type bridge stp_state 0 ageing_time 180000 mcast_snooping 0",
            "link add vni101 type vxlan id 101 local END dstport 4789 nolearning ttl 64",
            "link set vni101 mtu 1500 master bridge101",
            "link set vni101 type bridge_slave learning off neigh_suppress on",
            "link set vni101 up",
            "link set bridge101 mtu 1500 up",
        ],
    },
    // [VXLAN] VNI=102 Local= MacLearning=false DestinationPort=4789 Independent=true;
    // [Bridge] of the .network: Learning=false NeighborSuppression=true; LinkLocalAddressing=no.
    Shape {
        vni: 102,
        bridge: "br-net",
        vxlan: "vx-net",
        made: &[
            "link add br-net type bridge",
            "link set br-net addrgenmode none mtu 1500 up",
            "link add vx-net type vxlan id 102 local END dstport 4789 nolearning",
            "link set vx-net addrgenmode none mtu 1500 master br-net",
            "link set vx-net type bridge_slave learning off neigh_suppress on",
            "link set vx-net up",
        ],
    },
    // Zone of type evpn: the bridge has the name of the VNet, the device vxlan_ in front of it.
    Shape {
        vni: 103,
        bridge: "vnet1",
        vxlan: "vxlan_vnet1",
        made: &[
            "link add vnet1 type bridge stp_state 0 forward_delay 0",
            "link set vnet1 mtu 1500 up",
            "link add vxlan_vnet1 type vxlan id 103 local END dstport 4789 nolearning",
            "link set vxlan_vnet1 mtu 1500 master vnet1",
            "link set vxlan_vnet1 type bridge_slave learning off neigh_suppress on",
            "link set vxlan_vnet1 up",
        ],
    },
];

impl Shape {
    fn make(&self, edge: &Edge) -> Result<(), Error> {
        let end = tunnel_end(edge.id()).to_string();
        for words in self.made {
            edge.space().ip(&words.replace("END", &end))?;
        }
        Ok(())
    }

    /// In rbgpd's file, on devices of these names or of its own.
    fn network(&self, adopted: bool) -> String {
        let (vni, bridge, vxlan) = (self.vni, self.bridge, self.vxlan);
        let text = format!("[[vni]]\nid = {vni}\nname = \"net{vni}\"\nmtu = 1500\n");
        match adopted {
            true => text + &format!("bridge = \"{bridge}\"\nvxlan = \"{vxlan}\"\n"),
            false => text,
        }
    }

    /// Settings of both devices, which nobody is to change.
    fn settings(&self, edge: &Edge) -> Result<String, Error> {
        let mut text = String::new();
        for device in [self.bridge, self.vxlan] {
            let shown = edge.space().ip(&format!("-d -o link show {device}"))?;
            // What moves by itself: timers, and the address of a bridge, which is a port's.
            let moves = |word: &str| word.contains('.') || word.matches(':').count() == 5;
            let words = shown.split_whitespace().filter(|word| !moves(word));
            let words: Vec<&str> = words.collect();
            text += &words.join(" ");
            text.push('\n');
        }
        Ok(text)
    }
}

fn config(edge: u8, adopted: bool) -> String {
    let (end, other) = (tunnel_end(edge), 3 - edge);
    let mut text = format!(
        "asn = 6500{edge}\nrouter_id = \"{end}\"\n[evpn]\nvtep = \"{end}\"\n[[neighbor]]\n\
         address = \"10.9.0.{other}\"\nremote_as = 6500{other}\nevpn = {{}}\n\
         timers = {{ connect_retry = \"1s\" }}\n"
    );
    for shape in &SHAPES {
        text += &shape.network(adopted);
    }
    text
}

fn verified(edge: &Edge) -> Result<(), Error> {
    let output = edge.node().ctl(&["verify"])?;
    match output.ok() {
        true => Ok(()),
        false => Err(Error::State(output.text())),
    }
}

fn pair(lab: &Lab, edges: &[Edge], shape: &Shape) -> Result<(Host, Host), Error> {
    let own = format!("br{}", shape.vni);
    let mut hosts = Vec::new();
    for (edge, bridge) in edges.iter().zip([shape.bridge, own.as_str()]) {
        let address = format!("10.{}.0.{}/24", shape.vni, 10 + edge.id());
        let name = format!("h{}{}", shape.vni, edge.id());
        hosts.push(Host::plug(lab, edge, &name, bridge, &[&address])?);
    }
    match (hosts.pop(), hosts.pop()) {
        (Some(two), Some(one)) => Ok((one, two)),
        _ => Err(Error::State("two edges have two hosts".to_owned())),
    }
}

#[test]
fn devices_of_other_programs_are_used_and_left_as_they_are() -> Result<(), Error> {
    scenario_beside_others("adoption", &NEEDS, |lab| {
        let mut edges = Edge::build(lab, &[Program::Rbgpd, Program::Rbgpd])?;
        let Some(first) = edges.first() else {
            return Ok(());
        };
        for shape in &SHAPES {
            shape.make(first)?;
        }
        let before = SHAPES.iter().map(|shape| shape.settings(first));
        let before = before.collect::<Result<Vec<_>, _>>()?;
        lab.start_clock();
        for edge in &mut edges {
            let adopted = edge.id() == 1;
            edge.start(lab, &config(edge.id(), adopted))?;
        }
        for shape in &SHAPES {
            let (one, two) = pair(lab, &edges, shape)?;
            for (from, to) in [(&one, &two), (&two, &one)] {
                for address in to.addresses() {
                    let what = format!("{} on {}: {address}", shape.vni, shape.bridge);
                    lab.wait_until(&what, PATIENCE, || from.pings(*address))?;
                }
            }
            lab.step(format!("full packets through {}", shape.vxlan));
        }
        let Some(first) = edges.first_mut() else {
            return Ok(());
        };
        lab.wait_until("the kernel is as wanted", PATIENCE, || verified(first))?;
        let unchanged = |first: &Edge, when: &str| -> Result<(), Error> {
            for (shape, before) in SHAPES.iter().zip(&before) {
                let now = shape.settings(first)?;
                if now != *before {
                    let why = format!("{when}:\n{now}was\n{before}");
                    return Err(Error::State(why));
                }
            }
            Ok(())
        };
        unchanged(first, "while rbgpd runs")?;
        // A VNI goes from the file: its entries go, the devices stay.
        for shape in &SHAPES {
            let block = shape.network(true);
            first.node().reload(|text| text.replace(&block, ""))?;
            let space = first.space();
            lab.wait_until("no entry is left", PATIENCE, || {
                let fdb = space.run(&["bridge", "fdb", "show", "dev", shape.vxlan])?;
                match fdb.contains("dst ") || fdb.contains("extern_learn") {
                    true => Err(Error::State(fdb)),
                    false => Ok(()),
                }
            })?;
        }
        unchanged(first, "without their VNIs")?;
        lab.step("the devices are as they were");
        Ok(())
    })
}

#[test]
fn what_does_not_fit_is_named_until_it_is_mended() -> Result<(), Error> {
    scenario_beside_others("adoption-misfit", &NEEDS, |lab| {
        let mut edges = Edge::build(lab, &[Program::Rbgpd, Program::Rbgpd])?;
        let [first, second] = edges.as_mut_slice() else {
            return Ok(());
        };
        let [shape, ..] = &SHAPES;
        shape.make(first)?;
        // As `vxlan-learning on` and `bridge-learning on` leave it.
        let space = first.space();
        space.ip("link set vni101 type vxlan id 101 learning")?;
        space.run(&["bridge", "link", "set", "dev", "vni101", "learning", "on"])?;
        lab.start_clock();
        let text = |edge: u8, adopted: bool| {
            let text = config(edge, adopted);
            let others = SHAPES.iter().skip(1);
            others.fold(text, |text, it| text.replace(&it.network(adopted), ""))
        };
        first.start(lab, &text(1, true))?;
        second.start(lab, &text(2, false))?;
        let mends = [
            "ip link set vni101 type vxlan id 101 nolearning",
            "bridge link set dev vni101 learning off",
        ];
        lab.wait_until("both are named", PATIENCE, || {
            let said = first.node().ctl(&["show", "evpn", "vni", "--json"])?.text();
            match mends.iter().all(|command| said.contains(command)) {
                true => Ok(()),
                false => Err(Error::State(said)),
            }
        })?;
        lab.step("what does not fit is named with the commands that mend it");
        for command in mends {
            first
                .space()
                .run(&command.split_whitespace().collect::<Vec<_>>())?;
        }
        lab.wait_until("the kernel is as wanted", PATIENCE, || verified(first))?;
        let (one, two) = pair(lab, &edges, shape)?;
        for address in two.addresses() {
            lab.wait_until("a ping", PATIENCE, || one.pings(*address))?;
        }
        lab.step("mended");
        Ok(())
    })
}

#[test]
fn a_device_that_cannot_carry_its_vni_is_left_alone_until_it_is_mended() -> Result<(), Error> {
    scenario_beside_others("adoption-left-alone", &NEEDS, |lab| {
        let mut edges = Edge::build(lab, &[Program::Rbgpd, Program::Rbgpd])?;
        let [first, second] = edges.as_mut_slice() else {
            return Ok(());
        };
        let [shape, ..] = &SHAPES;
        shape.make(first)?;
        // Somebody's tunnel between two other addresses.
        let space = first.space();
        space.ip("link set vni101 type vxlan id 101 local 10.9.0.1")?;
        let theirs = "bridge fdb append 00:00:00:00:00:00 dev vni101 dst 10.9.0.77 self permanent";
        space.run(&theirs.split(' ').collect::<Vec<_>>())?;
        let before = shape.settings(first)?;
        lab.start_clock();
        let text = |edge: u8, adopted: bool| {
            let text = config(edge, adopted);
            let others = SHAPES.iter().skip(1);
            others.fold(text, |text, it| text.replace(&it.network(adopted), ""))
        };
        first.start(lab, &text(1, true))?;
        second.start(lab, &text(2, false))?;
        let (one, two) = pair(lab, &edges, shape)?;
        let Some(first) = edges.first() else {
            return Ok(());
        };
        let mac = two.mac();
        let cause = "`vni101` cannot carry the overlay as it stands, and is left alone: local of \
                     `vni101` is 10.9.0.1, but must be ";
        lab.wait_until("verify and explain say why", PATIENCE, || {
            // Heard by its own bridge, whether or not anybody answers.
            drop(one.addresses().first().map(|to| two.pings(*to)));
            let verified = first.node().ctl(&["verify"])?;
            let explained = first.node().ctl(&["explain", mac])?.text();
            match !verified.ok() && verified.text().contains(cause) && explained.contains(cause) {
                true => Ok(()),
                false => Err(Error::State(format!("{}{explained}", verified.text()))),
            }
        })?;
        let shown = first.node().ctl(&["show", "evpn", "mac", "--json"])?.text();
        let of_two = shown.split('}').find(|row| row.contains(mac));
        if !of_two.is_some_and(|row| row.replace(' ', "").contains("\"installed\":false")) {
            return Err(Error::State(shown));
        }
        let space = first.space();
        let fdb = || space.run(&["bridge", "fdb", "show", "dev", "vni101"]);
        let there = fdb()?;
        if there.contains("extern_learn") || !there.contains("dst 10.9.0.77") {
            return Err(Error::State(there));
        }
        if shape.settings(first)? != before {
            return Err(Error::State(shape.settings(first)?));
        }
        lab.step("nothing was written, and the flood entry of somebody else's is there");
        let end = tunnel_end(1);
        space.ip(&format!("link set vni101 type vxlan id 101 local {end}"))?;
        lab.wait_until("the kernel is as wanted", PATIENCE, || verified(first))?;
        for (from, to) in [(&one, &two), (&two, &one)] {
            for address in to.addresses() {
                lab.wait_until("a ping", PATIENCE, || from.pings(*address))?;
            }
        }
        let there = fdb()?;
        match there.contains("extern_learn") {
            true => Ok(()),
            false => Err(Error::State(there)),
        }
    })
}
