//! A case of the swap: one file in this folder with what the three edges have, and what the lab adds.
//!
//! Lines `! edge N` tell the edges apart. Before them stand `! as A B C`, their AS numbers, and perhaps
//! `! sessions none`: the file says all about neighbours. Else each edge has a session with each other
//! one over the segment, where we stand as next hop. Which of two equal paths is the best is not left to
//! their age. `! defaults datacenter` is FRR's line.
//! `! back ..` says why FRR itself loses packets when it starts again; the lab lets it show that.

use std::net::{Ipv4Addr, Ipv6Addr};

use conformance::lab::{Error, Release};

/// What the edges stand on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ground {
    /// One segment.
    Segment,
    /// The same, with a link `toN` to each other edge that has no addresses but its own.
    Links,
    /// Such links in a VRF, with a customer's network at each edge in it.
    Vrf,
    /// The segment, and an overlay over it with a host at each edge.
    Overlay,
}

/// One kind of configuration.
#[derive(Debug, Clone, Copy)]
pub(super) struct Case {
    /// The name of its file.
    pub(super) name: &'static str,
    /// What stands there.
    pub(super) text: &'static str,
    /// The Debian suite that FRR is from; the machine's own if there is none.
    pub(super) suite: Option<&'static str>,
    /// What it is played on.
    pub(super) ground: Ground,
    /// How many paths edge 3 has when all is told.
    pub(super) paths: usize,
}

impl Case {
    /// The FRR that is swapped, and that looks on.
    pub(super) fn release(&self) -> Release {
        self.suite
            .map_or(Release::Host, |suite| Release::Suite(suite.to_owned()))
    }

    /// Edges announce networks of IPv6, too.
    pub(super) fn has_ipv6(&self) -> bool {
        self.text.contains("address-family ipv6 unicast")
    }

    /// The tables that are compared, as FRR is asked for them.
    pub(super) fn tables(&self) -> Vec<&'static str> {
        let all = [
            ("", "show bgp ipv4 unicast"),
            ("address-family ipv6 unicast", "show bgp ipv6 unicast"),
            (" vrf red\n", "show bgp vrf red ipv4 unicast"),
            ("address-family l2vpn evpn", "show bgp l2vpn evpn"),
        ];
        let there = all.iter().filter(|(word, _)| self.text.contains(word));
        there.map(|(_, table)| *table).collect()
    }

    /// How FRR is asked for its neighbours.
    pub(super) fn neighbors(&self) -> &'static str {
        match self.ground {
            Ground::Vrf => "show bgp vrf all ipv4 unicast summary json",
            Ground::Segment | Ground::Links | Ground::Overlay => "show bgp summary json",
        }
    }

    /// Where FRR itself loses packets when it comes back, if it does.
    pub(super) fn loses_by_itself(&self) -> Option<&'static str> {
        self.said("back")
    }

    /// The whole file of an edge.
    pub(super) fn file(&self, edge: u8) -> Result<String, Error> {
        let asns = self.asns()?;
        let own = edge.checked_sub(1).and_then(|it| asns.get(usize::from(it)));
        let Some(own) = own else {
            return Err(Error::State(format!("there is no edge {edge}")));
        };
        let defaults = self.said("defaults").unwrap_or("traditional");
        let (mut sessions, mut hops) = (String::new(), String::new());
        let alone = self.said("sessions") == Some("none");
        for (other, asn) in (1_u8..).zip(&asns).filter(|(it, _)| *it != edge && !alone) {
            sessions += &format!(
                " neighbor 10.9.0.{other} remote-as {asn}\n \
                 neighbor 10.9.0.{other} timers connect 1\n"
            );
            hops += &format!("  neighbor 10.9.0.{other} next-hop-self\n");
        }
        let network = network(edge);
        Ok(format!(
            "frr defaults {defaults}\nhostname edge{edge}\nservice integrated-vtysh-config\n!\n\
             router bgp {own}\n bgp router-id 10.9.0.{edge}\n bgp bestpath compare-routerid\n \
             no bgp ebgp-requires-policy\n no bgp network import-check\n bgp graceful-restart\n \
             bgp graceful-restart preserve-fw-state\n{sessions} \
             address-family ipv4 unicast\n  network {network}\n{hops} exit-address-family\nexit\n!\n{}",
            self.part(edge)
        ))
    }

    fn asns(&self) -> Result<Vec<u32>, Error> {
        let words = self.said("as").unwrap_or_default().split_whitespace();
        let asns: Option<Vec<u32>> = words.map(|it| it.parse().ok()).collect();
        let three = asns.filter(|it| it.len() == 3);
        three.ok_or_else(|| Error::State(format!("{}: `! as` with three numbers", self.name)))
    }

    /// What a line of the head says.
    fn said(&self, word: &str) -> Option<&'static str> {
        let mut lines = self.text.lines().filter_map(|it| it.strip_prefix("! "));
        lines.find_map(|it| it.strip_prefix(word)?.strip_prefix(' '))
    }

    /// The lines of an edge.
    fn part(&self, edge: u8) -> String {
        let head = format!("! edge {edge}");
        let lines = self.text.lines().skip_while(|it| *it != head).skip(1);
        let own = lines.take_while(|it| !it.starts_with("! edge "));
        own.map(|it| format!("{it}\n")).collect()
    }
}

/// The network of the address that is reached by BGP alone.
fn network(edge: u8) -> &'static str {
    match edge {
        1 => "198.51.100.0/24",
        2 => "203.0.113.0/24",
        _ => "192.0.2.0/24",
    }
}

/// That address.
pub(super) fn address(edge: u8) -> Ipv4Addr {
    match edge {
        1 => Ipv4Addr::new(198, 51, 100, 1),
        2 => Ipv4Addr::new(203, 0, 113, 1),
        _ => Ipv4Addr::new(192, 0, 2, 1),
    }
}

/// The one of IPv6, in the network 2001:db8:N::/48.
pub(super) fn address6(edge: u8) -> Ipv6Addr {
    Ipv6Addr::new(0x2001, 0xdb8, u16::from(edge), 0, 0, 0, 0, 1)
}
