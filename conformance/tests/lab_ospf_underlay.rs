//! Tunnels and sessions between addresses that only OSPF knows the way to: FRR's ospfd beside rbgpd.
//!
//! ```text
//!  h11 ─ br100 ─ edge 1: rbgpd, FRR ospfd ── u ── edge 2: rbgpd, FRR ospfd ─ br100 ─ h12
//!                lo 10.255.0.1, fd00:255::1       lo 10.255.0.2
//! ```
//!
//! The sessions run between the loopback addresses, which are next hops and tunnel endpoints as well.
//! Nothing but OSPF leads there: when it goes, so do the routes, and they return with it.

#![allow(missing_docs)]

use std::time::Duration;

use conformance::lab::edge::tunnel_end;
use conformance::lab::{
    Edge, Error, Frr, Host, Node, Program, Release, Requirement, scenario_beside_others,
};

const NEEDS: [Requirement; 4] = [
    Requirement::Root,
    Requirement::Program("ping"),
    Requirement::Rbgpd,
    Requirement::HostFrr,
];

const PATIENCE: Duration = Duration::from_secs(60);

fn rbgpd(edge: u8) -> String {
    let (end, other) = (tunnel_end(edge), 3 - edge);
    let peer = tunnel_end(other);
    format!(
        "asn = 6500{edge}\nrouter_id = \"{end}\"\n[ipv4_unicast]\nnetworks = [\"10.6{edge}.0.0/16\"]\n\
         [evpn]\nvtep = \"{end}\"\n[[neighbor]]\naddress = \"{peer}\"\nremote_as = 6500{other}\n\
         multihop = true\nlocal_address = \"{end}\"\nipv4_unicast = {{}}\nevpn = {{}}\n\
         timers = {{ connect_retry = \"1s\" }}\n\
         [[vni]]\nid = 100\nname = \"net\"\nmtu = 1500\n\
         [[static_route]]\nprefix = \"172.16.0.0/16\"\nnext_hops = [\"{peer}\"]\n"
    )
}

fn ospf(edge: u8) -> String {
    format!(
        "frr defaults traditional\ninterface u\n ip ospf network point-to-point\n \
         ip ospf hello-interval 1\n ip ospf dead-interval 4\n ip ospf area 0\ninterface lo\n \
         ip ospf area 0\n ip ospf passive\nrouter ospf\n ospf router-id 10.255.0.{edge}\n \
         timers throttle spf 0 50 100\n timers throttle lsa all 0\n timers lsa min-arrival 0\n"
    )
}

#[test]
fn loopback_addresses_that_ospf_leads_to_carry_sessions_routes_and_tunnels() -> Result<(), Error> {
    scenario_beside_others("ospf-underlay", &NEEDS, |lab| {
        let mut edges = Edge::build(lab, &[Program::Rbgpd, Program::Rbgpd])?;
        let mut daemons = Vec::new();
        for edge in &mut edges {
            let (id, other) = (edge.id(), tunnel_end(3 - edge.id()));
            edge.space().ip(&format!("route del {other}/32"))?;
            let folder = lab.folder(&format!("ospf-{id}"))?;
            let mut frr = Frr::new(Release::Host, edge.space().clone(), folder);
            frr.start(lab, &ospf(id))?;
            daemons.push(frr);
            edge.start(lab, &rbgpd(id))?;
        }
        let ([one, two], [_, far]) = (edges.as_slice(), daemons.as_slice()) else {
            return Err(Error::State("two edges".to_owned()));
        };
        let near = Host::plug(lab, one, "h11", "br100", &["10.100.0.11/24"])?;
        let _far = Host::plug(lab, two, "h12", "br100", &["10.100.0.12/24"])?;
        let shows = |what: &str, route: &str, wanted: &str| {
            lab.reach(what, PATIENCE, || {
                let seen = one.space().ip(&format!("-4 route show {route}"))?;
                match seen.contains(wanted) && (wanted.is_empty() == seen.trim().is_empty()) {
                    true => Ok(()),
                    false => Err(Error::State(format!("{route}: {seen:?}, not {wanted:?}"))),
                }
            })
            .map(drop)
        };
        let reached = |what: &str| {
            lab.reach(what, PATIENCE, || near.pings([10, 100, 0, 12].into()))
                .map(drop)
        };
        shows("OSPF leads to the other end", "10.255.0.2", "proto ospf")?;
        shows(
            "a learned route by it",
            "10.62.0.0/16",
            "via 10.9.0.2 dev u proto bgp",
        )?;
        shows(
            "a static route by it",
            "172.16.0.0/16",
            "via 10.9.0.2 dev u proto bgp",
        )?;
        reached("the hosts reach each other through the tunnel")?;
        let asked = |words: &[&str]| Ok(one.node().ctl(words)?.text());
        let tunnel = |what: &str, way: &str, notice: Option<&str>| {
            lab.until_shown(what, &["10.255.0.2", way], || {
                asked(&["show", "evpn", "vteps"])
            })?;
            let summary = asked(&["show", "summary"])?;
            let says = summary.contains("leads to the tunnel endpoint");
            match notice {
                Some(notice) => assert!(summary.contains(notice), "{summary}"),
                None => assert!(!says, "{summary}"),
            }
            Ok::<_, Error>(())
        };
        tunnel("the endpoint has a route", "via 10.9.0.2 dev u", None)?;
        // One line for each time that it happened.
        let Node::Rbgpd(daemon) = one.node() else {
            return Err(Error::State("edge 1 is no rbgpd".to_owned()));
        };
        let path = daemon.log();
        let logged = |text: &str, times: usize| {
            lab.reach(text, PATIENCE, || {
                let log = std::fs::read_to_string(&path).unwrap_or_default();
                match log.lines().filter(|line| line.contains(text)).count() {
                    found if found == times => Ok(()),
                    found => Err(Error::State(format!("{found} lines: {log}"))),
                }
            })
        };
        let gone = "no route leads to the tunnel endpoint 10.255.0.2 any more";

        far.configure(&["interface lo", "no ip ospf area 0"])?;
        shows("OSPF has no way", "10.255.0.2", "")?;
        shows("so the learned route is gone", "10.62.0.0/16", "")?;
        shows("and the static one", "172.16.0.0/16", "")?;
        let explained = one.node().ctl(&["explain", "10.62.0.0/16"])?.text();
        let named = "no route leads to the next hop 10.255.0.2";
        assert!(explained.contains(named), "{explained}");
        // EVPN keeps what it was told, and the operator is told that nothing arrives.
        let lost = "no route leads to the tunnel endpoint 10.255.0.2";
        tunnel("the endpoint has none", "no route", Some(lost))?;
        logged(gone, 1)?;
        one.space().ip("route add default via 10.9.0.2")?;
        let unsure = "only the default route leads to the tunnel endpoint 10.255.0.2";
        let by_default = "default route via 10.9.0.2 dev u";
        tunnel("but the default one", by_default, Some(unsure))?;
        logged(unsure, 1)?;
        one.space().ip("route del default")?;
        tunnel("and none again", "no route", Some(lost))?;
        logged(gone, 2)?;

        far.configure(&["interface lo", "ip ospf area 0"])?;
        shows("OSPF is back", "10.255.0.2", "proto ospf")?;
        shows(
            "and the learned route",
            "10.62.0.0/16",
            "via 10.9.0.2 dev u proto bgp",
        )?;
        shows(
            "and the static one",
            "172.16.0.0/16",
            "via 10.9.0.2 dev u proto bgp",
        )?;
        tunnel("the endpoint has a route again", "via 10.9.0.2 dev u", None)?;
        logged("a route leads to the tunnel endpoint 10.255.0.2 again", 1)?;
        logged(gone, 2)?;
        reached("the hosts reach each other again")?;
        let verified = one.node().ctl(&["verify"])?;
        assert!(verified.ok(), "{}", verified.text());
        Ok(())
    })
}
