//! Static routes.

use super::*;

/// The same in our own words, behind what stands in each of these files.
fn same(lines: &str, ours: &str) {
    let config = config(&format!(
        "router bgp 65001\n bgp router-id 10.0.0.1\n{lines}\n"
    ));
    let multipath = "ipv4_unicast = { multipath = { paths = 256 } }\n\
                     ipv6_unicast = { multipath = { paths = 256 } }\n";
    let head = format!("asn = 65001\nrouter_id = \"10.0.0.1\"\n{multipath}");
    assert_eq!(config, toml(&format!("{head}{ours}")), "{lines}");
}

#[test]
fn lines_of_one_prefix_and_distance_are_one_route() {
    same(
        "ip route 10.20.1.9/16 10.0.0.2\nip route 10.20.0.0 255.255.0.0 eth1\n\
         ip route 10.20.0.0/16 10.0.0.3 eth1 onlink\nip route 10.20.0.0/16 Null0 250\n\
         ip route 10.21.0.0/16 10.0.0.4 table 100 tag 7\nip route 10.22.0.0/16 10.0.0.5\n\
         no ip route 10.22.0.0/16 10.0.0.5\nipv6 route 2001:db8::/32 fe80::1 eth1\n\
         ipv6 route ::/0 reject",
        "[[static_route]]\nprefix = \"10.20.0.0/16\"\n\
         next_hops = [{ interface = \"eth1\" }, \"10.0.0.2\", \
         { address = \"10.0.0.3\", interface = \"eth1\", onlink = true }]\n\
         [[static_route]]\nprefix = \"10.20.0.0/16\"\nkind = \"blackhole\"\ndistance = 250\n\
         [[static_route]]\nprefix = \"10.21.0.0/16\"\nnext_hops = [\"10.0.0.4\"]\ntable = 100\ntag = 7\n\
         [[static_route]]\nprefix = \"2001:db8::/32\"\n\
         next_hops = [{ address = \"fe80::1\", interface = \"eth1\" }]\n\
         [[static_route]]\nprefix = \"::/0\"\nkind = \"unreachable\"\n",
    );
}

#[test]
fn ways_that_bfd_watches_say_how() {
    same(
        "bfd\n profile FAST\n  transmit-interval 50\n  receive-interval 50\nexit\n\
         ip route 10.20.0.0/16 10.0.0.2 bfd\n\
         ip route 10.20.0.0/16 10.0.0.3 eth1 onlink bfd profile FAST\n\
         ip route 10.21.0.0 255.255.0.0 10.0.0.4 tag 7 bfd multi-hop source 10.0.0.1 profile FAST\n\
         ipv6 route 2001:db8::/32 fe80::1 eth1 bfd\nip route 10.22.0.0/16 eth1 bfd",
        "[[static_route]]\nprefix = \"10.20.0.0/16\"\n\
         next_hops = [{ address = \"10.0.0.2\", bfd = true }, \
         { address = \"10.0.0.3\", interface = \"eth1\", onlink = true, bfd = { interval = \"50ms\" } }]\n\
         [[static_route]]\nprefix = \"10.21.0.0/16\"\ntag = 7\n\
         next_hops = [{ address = \"10.0.0.4\", \
         bfd = { multihop = true, local = \"10.0.0.1\", interval = \"50ms\" } }]\n\
         [[static_route]]\nprefix = \"10.22.0.0/16\"\nnext_hops = [{ interface = \"eth1\" }]\n\
         [[static_route]]\nprefix = \"2001:db8::/32\"\n\
         next_hops = [{ address = \"fe80::1\", interface = \"eth1\", bfd = true }]\n",
    );
}

#[test]
fn routes_of_a_vrf_are_in_its_instance() {
    let red = "[[instance]]\nname = \"red\"\nvrf = \"red\"\nasn = 65001\nrouter_id = \"10.0.0.1\"\n\
               [[instance.static_route]]\nprefix = \"10.20.0.0/16\"\nnext_hops = [\"10.0.0.2\"]\n";
    same("vrf red\n ip route 10.20.0.0/16 10.0.0.2\nexit-vrf", red);
    same("ip route 10.20.0.0/16 10.0.0.2 vrf red", red);
}

#[test]
fn what_is_not_done_is_refused_by_name() {
    for (line, why) in [
        ("ip route 10.0.0.0/8 10.0.0.9 label 100", "no labels"),
        (
            "ip route 10.0.0.0 255.0.255.0 10.0.0.9",
            "ones stand behind zeros",
        ),
        (
            "ipv6 route 2001:db8::/32 from 2001:db8:1::/48 fe80::1 eth0",
            "not by source",
        ),
        ("ip route 10.0.0.0/8 10.0.0.9 tag 0", "not known"),
        (
            "ip route 10.0.0.0/8 10.0.0.9\nip route 10.0.0.0/8 blackhole",
            "ways out and is refused",
        ),
    ] {
        let (_, read) = parsed(
            &format!("router bgp 65001\n bgp router-id 10.0.0.1\n{line}\n"),
            &Host::default(),
        );
        let errors = read.expect_err(line);
        assert!(all(&errors).contains(why), "{line}: {}", all(&errors));
        assert_eq!(errors[0].place.line, 2 + line.lines().count());
    }
}

#[test]
fn what_is_done_otherwise_is_said() {
    for (lines, how) in [
        ("ip route 10.0.0.0/8 10.0.0.9 onlink", "`onlink` counts"),
        ("ip route 10.0.0.0/8 eth0 bfd", "`bfd` counts"),
    ] {
        let text = format!("router bgp 65001\n bgp router-id 10.0.0.1\n{lines}\n");
        let (translation, read) = parsed(&text, &Host::default());
        assert!(read.is_ok(), "{lines}");
        let last = translation.lines.last().unwrap();
        assert!(
            matches!(&last.outcome, Outcome::Differs(it) if it.contains(how)),
            "{last}"
        );
    }
}

#[test]
fn what_frr_does_alike_is_noted_where_something_else_may_be_meant() {
    for (lines, how) in [
        ("ip route 10.0.0.0/8 10.0.0.9 255", "never used"),
        (
            "ip route 10.0.0.0/8 10.0.0.9 tag 5\nip route 10.0.0.0/8 10.0.0.8 tag 6",
            "last line, as in FRR: 6",
        ),
        (
            "ip route 10.0.0.0/8 10.0.0.9 tag 5\nip route 10.0.0.0/8 10.0.0.8",
            "last line, as in FRR: none",
        ),
    ] {
        let text = format!("router bgp 65001\n bgp router-id 10.0.0.1\n{lines}\n");
        let (translation, read) = parsed(&text, &Host::default());
        assert!(read.is_ok(), "{lines}");
        let last = translation.lines.last().unwrap();
        assert!(
            matches!(&last.outcome, Outcome::Noted(it) if it.contains(how)),
            "{last}"
        );
    }
}

#[test]
fn a_router_may_be_in_another_vrf_which_an_interface_says_by_itself() {
    let red = "[[instance]]\nname = \"red\"\nvrf = \"red\"\nasn = 65001\nrouter_id = \"10.0.0.1\"\n\
               [[instance.static_route]]\nprefix = \"10.20.0.0/16\"\n";
    let of = |hop: &str| format!("{red}next_hops = [{hop}]\n");
    let blue = of("{ address = \"10.0.0.2\", vrf = \"blue\" }");
    same(
        "ip route 10.20.0.0/16 10.0.0.2 vrf red nexthop-vrf blue",
        &blue,
    );
    same(
        "vrf red\n ip route 10.20.0.0/16 10.0.0.2 nexthop-vrf blue\nexit-vrf",
        &blue,
    );
    let text = "router bgp 65001\n bgp router-id 10.0.0.1\n!\nvrf red\n ip route 10.20.0.0/16 10.0.0.2 nexthop-vrf blue\nexit-vrf\n";
    let shown = crate::frr::print(&config(text), &Host::default()).text;
    assert_eq!(config(&shown), config(text), "{shown}");
    let own = of("\"10.0.0.2\"");
    same(
        "ip route 10.20.0.0/16 10.0.0.2 vrf red nexthop-vrf red",
        &own,
    );
    let default = of("{ address = \"10.0.0.2\", vrf = \"default\" }");
    same(
        "ip route 10.20.0.0/16 10.0.0.2 vrf red nexthop-vrf default",
        &default,
    );
    let interface = of("{ interface = \"eth1\" }");
    same(
        "ip route 10.20.0.0/16 eth1 vrf red nexthop-vrf blue",
        &interface,
    );
    let found = config::parse(
        "asn = 1\nrouter_id = \"10.0.0.1\"\n[[static_route]]\nprefix = \"10.20.0.0/16\"\n\
         next_hops = [{ interface = \"eth1\", vrf = \"blue\" }]\n",
        "x.toml",
    );
    assert!(all(&found.unwrap_err()).contains("`vrf` has no effect beside `interface`"));
}
