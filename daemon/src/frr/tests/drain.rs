//! A route-map that drains a router in FRR is for the overlay, too.

use super::*;

const MAP: &str = "route-map DRAIN permit 10\n set as-path prepend 65001 65001\n set metric 900\n";

/// Two neighbours of the overlay; `lines` stand in IPv4 unicast, `overlay` in EVPN.
fn site(lines: &str, overlay: &str, maps: &str) -> (Translation, Config) {
    let text = format!(
        "router bgp 65001\n bgp router-id 10.0.0.1\n neighbor 10.0.0.2 remote-as 65002\n \
         neighbor 10.0.0.3 remote-as 65003\n address-family ipv4 unicast\n{lines} \
         exit-address-family\n address-family l2vpn evpn\n  neighbor 10.0.0.2 activate\n  \
         neighbor 10.0.0.3 activate\n{overlay} exit-address-family\nexit\n{maps}"
    );
    let (translation, read) = parsed(&text, &Host::default());
    let config = read.unwrap_or_else(|errors| panic!("{}\n{}", all(&errors), translation.toml));
    (translation, config)
}

/// The maps that EVPN routes to the neighbours pass.
fn of_overlay(config: &Config) -> Vec<Option<&str>> {
    let export = |neighbor: &config::Neighbor| {
        let map = neighbor.families.evpn.as_ref().unwrap().export.clone();
        map.map(|it| it.name() == "DRAIN")
    };
    let name = |drained: bool| if drained { "DRAIN" } else { "another" };
    let found = config.neighbors.iter().map(export);
    found.map(|it| it.map(name)).collect()
}

fn differences(translation: &Translation) -> usize {
    let about = |line: &&LineReport| matches!(&line.outcome, Outcome::Differs(how) if how.contains("drained"));
    translation.lines.iter().filter(about).count()
}

const BOTH: &str =
    "  neighbor 10.0.0.2 route-map DRAIN out\n  neighbor 10.0.0.3 route-map DRAIN out\n";

#[test]
fn a_map_that_makes_everything_longer_for_all_is_for_the_overlay_too() {
    let (translation, config) = site(BOTH, "", MAP);
    assert_eq!(of_overlay(&config), [Some("DRAIN"), Some("DRAIN")]);
    assert_eq!(differences(&translation), 2);
}

#[test]
fn what_is_no_drain_leaves_the_overlay_alone() {
    let one = "  neighbor 10.0.0.2 route-map DRAIN out\n";
    let matching = format!("{MAP} match ip address prefix-list P\nip prefix-list P permit any\n");
    let denying = format!("{MAP}route-map DRAIN deny 5\n");
    let other = MAP.replace("65001 65001", "65001 65002");
    let plain = "route-map DRAIN permit 10\n set metric 900\n";
    let next_hop = format!("{MAP} set ip next-hop 10.0.0.9\n");
    let going_on = format!("{MAP} on-match next\nroute-map DRAIN deny 20\n");
    for (lines, maps) in [
        (one, MAP),
        (BOTH, &matching),
        (BOTH, &denying),
        (BOTH, &other),
        (BOTH, plain),
        (BOTH, &next_hop),
        (BOTH, &going_on),
    ] {
        let (translation, config) = site(lines, "", maps);
        assert_eq!(of_overlay(&config), [None, None], "{lines}{maps}");
        assert_eq!(differences(&translation), 0, "{lines}{maps}");
    }
}

#[test]
fn a_map_of_the_overlay_counts_before_that() {
    let own = "  neighbor 10.0.0.2 route-map PLAIN out\n";
    let maps = format!("{MAP}route-map PLAIN permit 10\n");
    let (_, config) = site(BOTH, own, &maps);
    assert_eq!(of_overlay(&config), [Some("another"), Some("DRAIN")]);
}

#[test]
fn a_group_with_such_a_map_is_named_once() {
    let text = format!(
        "router bgp 65001\n bgp router-id 10.0.0.1\n neighbor G peer-group\n neighbor G remote-as external\n \
         neighbor 10.0.0.2 peer-group G\n neighbor 10.0.0.3 peer-group G\n address-family ipv4 unicast\n  \
         neighbor G route-map DRAIN out\n exit-address-family\n address-family l2vpn evpn\n  \
         neighbor G activate\n exit-address-family\nexit\n{MAP}"
    );
    let (translation, read) = parsed(&text, &Host::default());
    assert_eq!(of_overlay(&read.unwrap()), [Some("DRAIN"), Some("DRAIN")]);
    assert_eq!(differences(&translation), 1);
}
