//! What a neighbour's role does to routes, beside real neighbours.
//!
//! ```text
//! right: FRR 10.9.0.2 ───── left: rbgpd AS 65001 ───── third: BIRD 10.8.0.3
//!                           10.9.0.1, 10.8.0.1
//! ```

#![allow(missing_docs)]

use std::time::Duration;

use conformance::lab::{
    Error, Pair, Release, Requirement, bird_side, frr_side, scenario_beside_others, toward,
};

const BOTH: [Requirement; 4] = [
    Requirement::Root,
    Requirement::HostFrr,
    Requirement::Program("bird"),
    Requirement::Rbgpd,
];

const PATIENCE: Duration = Duration::from_secs(60);

/// FRR of this AS that announces a route, with lines of its session and of the family.
fn frr(asn: u32, session: &str, family: &str) -> String {
    frr_side(asn, session, &format!("network 192.0.2.0/24\n  {family}"))
}

/// BIRD of this AS that announces a route, with lines of its session.
fn bird(asn: u32, session: &str) -> String {
    let own = "protocol static own { ipv4; route 198.51.100.0/24 blackhole; }\n";
    bird_side(asn, session, "where proto = \"own\"") + own
}

/// rbgpd's configuration of both, with more keys of each.
fn ours(tables: &str, (frr_as, frr): (u32, &str), (bird_as, bird): (u32, &str)) -> String {
    format!(
        "ebgp_requires_policy = false\n{tables}\n{}{}",
        toward("10.9.0.2", frr_as, frr),
        toward("10.8.0.3", bird_as, bird),
    )
}

#[test]
fn rbgpd_reflects_routes_between_frr_and_bird() -> Result<(), Error> {
    scenario_beside_others("reflector", &BOTH, |lab| {
        let mut pair = Pair::build(lab)?;
        let client = "route_reflector_client = true\nipv4_unicast = {}";
        pair.start(&ours(
            "[router]\ncluster_id = \"10.99.0.1\"",
            (65001, client),
            (65001, "ipv4_unicast = { next_hop = \"self\" }"),
        ))?;
        let frr = pair.frr(Release::Host, &frr(65001, "", ""))?;
        let mut bird = pair.third(&bird(65001, ""))?;
        // From a client to one that is none, and back; "self" is not for reflected routes.
        bird.until_shown(
            lab,
            "192.0.2.0/24",
            &[
                "BGP.next_hop: 10.9.0.2",
                "BGP.originator_id: 10.9.0.2",
                "BGP.cluster_list: 10.99.0.1",
            ],
        )?;
        let seen = frr.until_shown(
            lab,
            "198.51.100.0/24",
            &["\"originatorId\":\"10.8.0.3\"", "\"10.99.0.1\""],
        )?;
        assert!(seen.contains("\"ip\":\"10.8.0.3\""), "{seen}");
        pair.until_shown("10.9.0.2", &["Route reflector client"])?;

        // Two that are none hear nothing of each other, and explain says why.
        let none = (65001, "ipv4_unicast = {}");
        pair.reload(&ours("[router]\ncluster_id = \"10.99.0.1\"", none, none))?;
        lab.reach("BIRD has lost the route", PATIENCE, || {
            let seen = bird.ask("show route for 192.0.2.0/24")?.text();
            match seen.contains("10.9.0.2") {
                false => Ok(()),
                true => Err(Error::State(seen)),
            }
        })?;
        pair.until_established("10.9.0.2")?;
        pair.until_explained("192.0.2.0/24", &["neither is a route reflector client"])?;

        // A family may differ from the neighbor.
        let head = "[router]\ncluster_id = \"10.99.0.1\"";
        let other = "route_reflector_client = true\nipv6_unicast = {}\n\
                     ipv4_unicast = { route_reflector_client = false }";
        pair.reload(&ours(head, (65001, other), none))?;
        pair.until_established("10.9.0.2")?;
        pair.until_shown(
            "10.9.0.2",
            &["Route reflector client (RFC 4456) in ipv6_unicast"],
        )?;
        pair.until_explained("192.0.2.0/24", &["neither is a route reflector client"])?;
        let this = "ipv4_unicast = { route_reflector_client = true }";
        pair.reload(&ours(head, (65001, this), none))?;
        let cluster = &["BGP.cluster_list: 10.99.0.1"];
        bird.until_shown(lab, "192.0.2.0/24", cluster)?;
        bird.stop()
    })
}

/// FRR sells us transit, BIRD is a peer of ours.
#[test]
fn routes_do_not_leak_between_a_provider_of_frr_and_a_peer_of_bird() -> Result<(), Error> {
    let family = "ipv4_unicast = {}";
    let provider = (
        65002,
        &*format!("role = \"customer\"\nrole_strict = true\n{family}"),
    );
    let own = "[ipv4_unicast]\nnetworks = [\"203.0.113.0/24\"]";
    scenario_beside_others("roles", &BOTH, |lab| {
        let mut pair = Pair::build(lab)?;
        let peer = format!("role = \"peer\"\nrole_strict = true\n{family}");
        pair.start(&ours(own, provider, (65003, &peer)))?;
        let session = "neighbor 10.9.0.1 local-role provider strict-mode";
        let frr = pair.frr(Release::Host, &frr(65002, session, ""))?;
        let config = bird(65003, "local role peer; require roles yes;");
        let mut bird = pair.third(&config)?;
        pair.until_established("10.9.0.2")?;
        pair.until_established("10.8.0.3")?;
        let shown = pair.until_shown("10.9.0.2", &["Our role is customer, and it must say"])?;
        assert!(shown.contains("RFC 9234"), "{shown}");

        // Each marks what it sends, our own is marked on the way to the peer only.
        frr.until_shown(lab, "203.0.113.0/24", &["\"prefix\":\"203.0.113.0/24\""])?;
        let seen = bird.until_shown(lab, "203.0.113.0/24", &["BGP.otc: 65001"])?;
        assert!(seen.contains("BGP.as_path: 65001"), "{seen}");
        for (prefix, neighbor, marked_by) in [
            ("192.0.2.0/24", "10.8.0.3", 65002),
            ("198.51.100.0/24", "10.9.0.2", 65003),
        ] {
            let why = format!("AS {marked_by} marked it only for customers (OTC, RFC 9234)");
            let explained = ["it would be a route leak", &why, neighbor];
            pair.until_explained(prefix, &explained)?;
        }
        let seen = frr
            .vtysh(&["show bgp ipv4 unicast 198.51.100.0/24"])?
            .text();
        assert!(!seen.contains("10.9.0.1"), "{seen}");
        let seen = bird.ask("show route for 192.0.2.0/24")?.text();
        assert!(!seen.contains("10.8.0.1"), "{seen}");
        bird.stop()
    })
}

#[test]
fn a_customer_of_bird_that_passes_on_what_others_marked_leaks() -> Result<(), Error> {
    let family = "ipv4_unicast = {}";
    let customer = (65003, &*format!("role = \"provider\"\n{family}"));
    scenario_beside_others("leak", &BOTH, |lab| {
        let mut pair = Pair::build(lab)?;
        pair.start(&ours("", (65002, family), customer))?;
        let frr = pair.frr(Release::Host, &frr(65002, "", ""))?;
        let leak = "filter { if proto != \"own\" then reject; bgp_otc = 65009; accept; }";
        let config = bird(65003, "").replace("where proto = \"own\"", leak);
        let mut bird = pair.third(&config)?;
        pair.until_established("10.9.0.2")?;
        let why = [
            "route leak: AS 65009 marked it only for customers (OTC, RFC 9234), and the neighbour",
            "is our customer",
        ];
        pair.until_explained("198.51.100.0/24", &why)?;
        let received = pair.ctl(&["show", "routes", "--received", "10.8.0.3", "--json"])?;
        assert!(
            received.contains("\"rejected_by\": \"leak\"")
                || received.contains("\"rejected_by\":\"leak\""),
            "{received}"
        );
        // What it is told is marked with our number; FRR, without a role, hears nothing of the leak.
        bird.until_shown(lab, "192.0.2.0/24", &["BGP.otc: 65001"])?;
        let seen = frr
            .vtysh(&["show bgp ipv4 unicast 198.51.100.0/24"])?
            .text();
        assert!(!seen.contains("10.9.0.1"), "{seen}");
        bird.stop()
    })
}

#[test]
fn rbgpd_is_a_route_server_between_frr_and_bird() -> Result<(), Error> {
    let client = "route_server_client = true\nipv4_unicast = {}";
    scenario_beside_others("route-server", &BOTH, |lab| {
        let mut pair = Pair::build(lab)?;
        pair.start(&ours("", (65002, client), (65003, client)))?;
        let frr = pair.frr(Release::Host, &frr(65002, "", ""))?;
        // The other client is not on BIRD's own link here.
        let config = bird(65003, "").replace(
            "ipv4 { import all; export where proto = \"own\"; }",
            "ipv4 { import all; gateway recursive; \
             export filter { if proto != \"own\" then reject; bgp_med = 7; accept; }; }",
        );
        let mut bird = pair.third(&config)?;
        let seen = frr.until_shown(
            lab,
            "198.51.100.0/24",
            &["\"ip\":\"10.8.0.3\"", "\"metric\":7"],
        )?;
        assert!(seen.contains("\"string\":\"65003\""), "{seen}");
        let path = ["BGP.as_path: 65002 ", "BGP.next_hop: 10.9.0.2 "];
        bird.until_shown(lab, "192.0.2.0/24", &path)?;
        pair.until_shown("10.9.0.2", &["Route server client (RFC 7947)"])?;
        bird.stop()
    })
}

#[test]
fn what_frr_sends_as_a_route_server_is_taken_when_it_is_said_to_be_one() -> Result<(), Error> {
    let family = "ipv4_unicast = {}";
    scenario_beside_others("first-as", &BOTH, |lab| {
        let mut pair = Pair::build(lab)?;
        pair.start(&ours("", (65002, family), (65003, family)))?;
        let transparent = "neighbor 10.9.0.1 route-server-client";
        let _frr = pair.frr(Release::Host, &frr(65002, "", transparent))?;
        pair.until_established("10.9.0.2")?;
        let explain = |texts: &[&str]| pair.until_explained("192.0.2.0/24", texts);
        explain(&[
            "the AS path begins with no AS number and not with the neighbour's, 65002",
            "enforce_first_as",
        ])?;
        // Without a new session, and from what was sent before.
        let before = pair.sessions("10.9.0.2")?;
        let taken = format!("enforce_first_as = false\n{family}");
        pair.reload(&ours("", (65002, &taken), (65003, family)))?;
        lab.reach("the route is accepted", PATIENCE, || {
            let neighbor = pair.neighbor("10.9.0.2")?;
            let accepted = neighbor.pointer("/families/ipv4_unicast/accepted");
            match accepted.and_then(serde_json::Value::as_u64) {
                Some(1) => Ok(()),
                _ => Err(Error::State(neighbor.to_string())),
            }
        })?;
        assert_eq!(pair.sessions("10.9.0.2")?, before);
        Ok(())
    })
}

/// FRR sends a path that has been here and one through an AS of BIRD's number.
#[test]
fn numbers_and_communities_become_what_is_asked_for_beside_frr_and_bird() -> Result<(), Error> {
    let plain = "ipv4_unicast = {}";
    scenario_beside_others("numbers", &BOTH, |lab| {
        let mut pair = Pair::build(lab)?;
        pair.start(&ours("", (65002, plain), (64800, plain)))?;
        let family = "network 192.0.3.0/24\n  neighbor 10.9.0.1 route-map OUT out";
        let maps = "ip prefix-list ONE permit 192.0.2.0/24\n\
             route-map OUT permit 10\n match ip address prefix-list ONE\n \
             set as-path prepend 64800\nroute-map OUT permit 20\n set as-path prepend 65001\n";
        let frr = pair.frr(Release::Host, &(frr(65002, "", family) + maps))?;
        let config = bird(64800, "").replace(
            "export where proto = \"own\"",
            "export filter { if proto != \"own\" then reject; bgp_community.add((64800, 1)); \
             bgp_large_community.add((64800, 1, 1)); accept; }",
        );
        let mut bird = pair.third(&config)?;

        // As ever: loops stay out, here and with BIRD, and FRR is told all.
        let own = ["the AS path contains own AS 65001"];
        pair.until_explained("192.0.3.0/24", &own)?;
        let all = ["\"string\":\"65001 64800\"", "64800:1:1", "\"64800:1\""];
        frr.until_shown(lab, "198.51.100.0/24", &all)?;
        let seen = bird.ask("show route for 192.0.2.0/24")?.text();
        assert!(!seen.contains("10.8.0.1"), "{seen}");

        let before = pair.sessions("10.9.0.2")?;
        let towards_frr = "ipv4_unicast = { allowas_in = 1, remove_private_as = \"all\", \
             send_community = [\"extended\", \"large\"] }";
        let towards_bird = "ipv4_unicast = { as_override = true }";
        pair.reload(&ours("", (65002, towards_frr), (64800, towards_bird)))?;
        let path = ["BGP.as_path: 65001 65002 65001 "];
        bird.until_shown(lab, "192.0.2.0/24", &path)?;
        bird.until_shown(lab, "192.0.3.0/24", &path)?;
        let seen = frr.until_shown(lab, "198.51.100.0/24", &["\"string\":\"65001\""])?;
        assert!(
            seen.contains("64800:1:1") && !seen.contains("\"64800:1\""),
            "{seen}"
        );
        pair.until_shown(
            "10.9.0.2",
            &[
                "ipv4_unicast: its paths may contain our AS number (allowas_in = 1)",
                "ipv4_unicast: it is not told standard communities",
            ],
        )?;

        // The last number of that path is ours.
        let origin = "ipv4_unicast = { allowas_in = \"origin\", remove_private_as = \"replace\" }";
        pair.reload(&ours("", (65002, origin), (64800, towards_bird)))?;
        bird.until_shown(lab, "192.0.3.0/24", &path)?;
        let replaced = ["\"string\":\"65001 65001\""];
        frr.until_shown(lab, "198.51.100.0/24", &replaced)?;
        assert_eq!(pair.sessions("10.9.0.2")?, before);
        bird.stop()
    })
}

/// rbgpd and FRR are members of AS 65100, BIRD is outside.
#[test]
fn rbgpd_and_frr_are_one_as_to_bird() -> Result<(), Error> {
    let family = "ipv4_unicast = {}";
    let tables = "[router]\nconfederation_id = 65100\nconfederation_members = [65002]";
    scenario_beside_others("confederation", &BOTH, |lab| {
        let mut pair = Pair::build(lab)?;
        pair.start(&ours(tables, (65002, family), (64900, family)))?;
        let config = frr(65002, "", "").replace(
            " bgp router-id 10.9.0.2\n",
            " bgp router-id 10.9.0.2\n bgp confederation identifier 65100\n \
             bgp confederation peers 65001\n",
        );
        let frr = pair.frr(Release::Host, &config)?;
        let config =
            bird(64900, "").replace("neighbor 10.8.0.1 as 65001", "neighbor 10.8.0.1 as 65100");
        let mut bird = pair.third(&config)?;
        let path = ["BGP.as_path: 65100 ", "BGP.next_hop: 10.8.0.1"];
        bird.until_shown(lab, "192.0.2.0/24", &path)?;
        let seen = frr.until_shown(
            lab,
            "198.51.100.0/24",
            &["\"string\":\"(65001) 64900\"", "\"locPrf\":100"],
        )?;
        // The way out is as BIRD told it.
        assert!(seen.contains("\"ip\":\"10.8.0.3\""), "{seen}");
        let within = ["Within our confederation 65100 (RFC 5065)"];
        pair.until_shown("10.9.0.2", &within)?;
        pair.until_shown("10.8.0.3", &["Outside of our confederation 65100"])?;
        let seen = pair.ctl(&["show", "routes", "192.0.2.0/24"])?;
        assert!(seen.contains("(65002)"), "{seen}");
        bird.stop()
    })
}

#[test]
fn frr_and_bird_are_told_a_default_route_and_nothing_else() -> Result<(), Error> {
    let default = "ipv4_unicast = { default_originate = true }";
    scenario_beside_others("default-route", &BOTH, |lab| {
        let closed = |towards_frr: &str| {
            // No policy lets routes of the table out.
            let config = ours("", (65002, towards_frr), (65003, default));
            config.replace(
                "ebgp_requires_policy = false",
                "ebgp_requires_policy = true",
            )
        };
        let mut pair = Pair::build(lab)?;
        pair.start(&closed(default))?;
        let frr = pair.frr(Release::Host, &frr(65002, "", ""))?;
        let mut bird = pair.third(&bird(65003, ""))?;
        let ours = ["\"string\":\"65001\"", "\"ip\":\"10.9.0.1\""];
        frr.until_shown(lab, "0.0.0.0/0", &ours)?;
        bird.until_shown(lab, "0.0.0.0/0", &["BGP.as_path: 65001", "10.8.0.1"])?;
        let told = pair.ctl(&["show", "routes", "--advertised", "10.9.0.2"])?;
        assert!(told.contains("0.0.0.0/0"), "{told}");
        pair.until_shown(
            "10.9.0.2",
            &["ipv4_unicast: it is told a default route of our own"],
        )?;

        let before = pair.sessions("10.9.0.2")?;
        pair.reload(&closed("ipv4_unicast = {}"))?;
        lab.reach("FRR has lost the default route", PATIENCE, || {
            let seen = frr.vtysh(&["show bgp ipv4 unicast"])?.text();
            match seen.contains("0.0.0.0/0") {
                false => Ok(()),
                true => Err(Error::State(seen)),
            }
        })?;
        assert_eq!(pair.sessions("10.9.0.2")?, before);
        bird.until_shown(lab, "0.0.0.0/0", &["10.8.0.1"])?;
        bird.stop()
    })
}

/// What BIRD refuses too; of these FRR refuses the multicast one only.
#[test]
fn prefixes_of_one_host_and_of_groups_stay_out_that_frr_sends() -> Result<(), Error> {
    let family = "ipv4_unicast = {}";
    let martians = ["127.1.0.0/16", "224.1.0.0/16", "0.1.0.0/16"];
    scenario_beside_others("martians", &BOTH, |lab| {
        let mut pair = Pair::build(lab)?;
        pair.start(&ours("", (65002, family), (65003, family)))?;
        let networks = martians.map(|prefix| format!("network {prefix}"));
        let _frr = pair.frr(Release::Host, &frr(65002, "", &networks.join("\n  ")))?;
        for prefix in martians {
            let why = ["nobody in another AS has this prefix (RFC 6890)"];
            pair.until_explained(prefix, &why)?;
        }
        let neighbor = pair.neighbor("10.9.0.2")?;
        let counts = ["received", "accepted"].map(|count| {
            let count = neighbor.pointer(&format!("/families/ipv4_unicast/{count}"));
            count.and_then(serde_json::Value::as_u64)
        });
        assert_eq!(counts, [Some(4), Some(1)]);
        Ok(())
    })
}
