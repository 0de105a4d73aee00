//! Maps between BGP and the kernel: `table-map` and zebra's `ip protocol`.

use super::*;

/// The maps of IPv4 and IPv6 of the default instance and of those beside it.
fn maps(text: &str) -> Vec<[Option<String>; 2]> {
    let config = config(&format!(
        "route-map A permit 10\n set src 10.0.0.1\nroute-map B permit 10\n\
         router bgp 65001\n bgp router-id 10.0.0.1\n{text}\n"
    ));
    let name = |unicast: &config::Unicast| {
        let map = unicast.kernel_route_map.as_ref();
        map.map(|map| map.name().to_owned())
    };
    let of = |config: &Config| [name(&config.ipv4_unicast), name(&config.ipv6_unicast)];
    config.all().map(of).collect()
}

#[test]
fn both_daemons_of_frr_may_have_asked_the_map() {
    let (a, b) = (Some("A".to_owned()), Some("B".to_owned()));
    for (text, expected) in [
        ("ip protocol bgp route-map A", vec![[a.clone(), None]]),
        (
            "ipv6 protocol any route-map B\nip protocol bgp route-map A\nno ip protocol bgp route-map A",
            vec![[None, b.clone()]],
        ),
        (
            " address-family ipv4 unicast\n  table-map A\n address-family ipv6\n  table-map B\n",
            vec![[a.clone(), b.clone()]],
        ),
        (
            " table-map A\n!\nip protocol bgp route-map A",
            vec![[a.clone(), None]],
        ),
        (
            "router bgp 65001 vrf red\nvrf red\n ip protocol bgp route-map B\nexit-vrf",
            vec![[None, None], [b, None]],
        ),
        ("ip protocol ospf route-map NOBODY", vec![[None, None]]),
    ] {
        assert_eq!(maps(text), expected, "{text}");
    }
}

#[test]
fn two_maps_for_one_thing_and_what_no_kernel_route_has_are_refused() {
    for (text, line, why) in [
        (
            " table-map A\nip protocol bgp route-map B\n",
            6,
            "line 5 has \"A\" for this already",
        ),
        (
            " table-map M\nroute-map M permit 10\n set metric 5\n",
            5,
            "entry 10 of `M`",
        ),
        (
            "ip protocol static route-map A\n",
            5,
            "`src` in [[static_route]]",
        ),
    ] {
        let text = format!(
            "route-map A permit 10\nroute-map B permit 10\nrouter bgp 65001\n bgp router-id 10.0.0.1\n{text}"
        );
        let (_, read) = parsed(&text, &Host::default());
        let errors = read.expect_err(&text);
        assert!(all(&errors).contains(why), "{}", all(&errors));
        assert_eq!(errors[0].place.line, line, "{}", all(&errors));
    }
}
