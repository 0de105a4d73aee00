use std::net::Ipv4Addr;

use bgp::family::{Family, PerFamily};
use bgp::policy::{Action, Entry, Policy, RouteMap};

use super::*;
use crate::config::NeighborFamily;

fn policy(
    asn: u32,
    remote_as: u32,
    requires: EbgpRequiresPolicy,
    import: Option<Arc<RouteMap>>,
) -> [Policy; 2] {
    let mut config = Config::new(asn.into(), Ipv4Addr::new(10, 0, 0, 1));
    config.ebgp_requires_policy = requires;
    let family = NeighborFamily {
        import,
        export: None,
        ..NeighborFamily::default()
    };
    let neighbor = Neighbor {
        families: PerFamily {
            ipv4_unicast: Some(family),
            ..PerFamily::default()
        },
        ..Neighbor::new(Ipv4Addr::new(10, 0, 0, 2), remote_as.into())
    };
    [Direction::Import, Direction::Export].map(|direction| {
        config.effective_policy(
            &neighbor,
            neighbor.remote_asn(config.asn),
            Family::Ipv4Unicast,
            direction,
        )
    })
}

#[test]
fn ebgp_without_policy_is_open_between_private_as_numbers_only() {
    use EbgpRequiresPolicy::{Auto, No, Yes};
    let open = |asn, remote_as, requires| {
        policy(asn, remote_as, requires, None) == [Policy::AcceptAll, Policy::AcceptAll]
    };
    assert!(open(65001, 65002, Auto));
    assert!(open(65001, 4_200_000_000, Auto));
    assert!(!open(65001, 3320, Auto));
    assert!(!open(3320, 65001, Auto));
    assert!(!open(65001, 65002, Yes));
    assert!(open(3320, 1299, No));
}

#[test]
fn inside_the_as_nothing_is_refused() {
    let policies = policy(3320, 3320, EbgpRequiresPolicy::Yes, None);
    assert_eq!(policies, [Policy::AcceptAll, Policy::AcceptAll]);
}

#[test]
fn a_refusal_says_what_to_set() {
    let [import, export] = policy(3320, 1299, EbgpRequiresPolicy::Auto, None);
    assert_eq!(
        import.to_string(),
        "reject all: no import policy (RFC 8212): set import = \"ROUTE-MAP\" in the neighbor's \
         ipv4_unicast, or ebgp_requires_policy = false"
    );
    assert!(export.to_string().contains("no export policy (RFC 8212)"));
}

#[test]
fn a_route_map_decides_where_there_is_one() {
    let map = RouteMap::new("IN", vec![Entry::new(10, Action::Permit)]).unwrap();
    let map = Arc::new(map);
    let [import, export] = policy(3320, 1299, EbgpRequiresPolicy::Auto, Some(map.clone()));
    assert_eq!(import, Policy::Map(map));
    assert!(matches!(export, Policy::RejectAll(_)));
}

/// A configuration whose neighbours use one map that asks for them and one that does not.
fn two_neighbors(metric: u32) -> Config {
    let text = format!(
        "asn = 65001\nrouter_id = \"10.0.0.1\"\n\
         [ipv4_unicast]\nnetworks = [{{ prefix = \"10.9.0.0/16\", route_map = \"PLAIN\" }}]\n\
         [[neighbor]]\naddress = \"10.0.0.2\"\nremote_as = 65002\n\
         ipv4_unicast = {{ import = \"PEER\", export = \"CALLS\" }}\n\
         [[neighbor]]\naddress = \"10.0.0.3\"\nremote_as = 65003\n\
         ipv4_unicast = {{ import = \"PEER\", export = \"CALLS\" }}\n\
         [[route_map]]\nname = \"PEER\"\n\
         entry = [{{ seq = 10, action = \"permit\", match = {{ peer = \"10.0.0.2\" }} }}]\n\
         [[route_map]]\nname = \"PLAIN\"\nentry = [{{ seq = 10, action = \"permit\" }}]\n\
         [[route_map]]\nname = \"CALLS\"\nentry = [{{ seq = 10, action = \"permit\", \
         call = \"PLAIN\", set = {{ metric = {metric} }} }}]\n"
    );
    crate::config::tests::accepted(&text)
}

#[test]
fn a_map_that_asks_for_the_neighbour_becomes_a_policy_of_its_own() {
    let config = two_neighbors(1);
    let policies = |direction| {
        let policy =
            |neighbor| config.effective_policy(neighbor, None, Family::Ipv4Unicast, direction);
        [policy(&config.neighbors[0]), policy(&config.neighbors[1])]
    };
    let [one, two] = policies(Direction::Import);
    assert_ne!(one, two);
    let [one, two] = policies(Direction::Export);
    assert_eq!(one, two);
}

#[test]
fn equal_maps_and_what_they_have_counted_stay_over_a_reload() {
    let old = two_neighbors(1);
    let mut new = two_neighbors(2);
    let expected = new.clone();
    new.keep_route_maps(&old);
    assert_eq!(new, expected);
    let map = |config: &Config, name| {
        let maps = config.route_maps.iter();
        maps.clone().find(|map| map.name() == name).unwrap().clone()
    };
    for name in ["PEER", "PLAIN"] {
        assert!(Arc::ptr_eq(&map(&old, name), &map(&new, name)), "{name}");
    }
    let changed = map(&new, "CALLS");
    assert!(!Arc::ptr_eq(&map(&old, "CALLS"), &changed));
    let called = changed.entries()[0].call.as_ref().unwrap();
    assert!(Arc::ptr_eq(called, &map(&old, "PLAIN")));
    let export = |config: &Config| {
        let family = config.neighbors[1].families.ipv4_unicast.as_ref().unwrap();
        family.export.clone().unwrap()
    };
    assert!(Arc::ptr_eq(&export(&new), &changed));
    let network = new.ipv4_unicast.networks[0].route_map.as_ref().unwrap();
    assert!(Arc::ptr_eq(network, &map(&old, "PLAIN")));
}

#[test]
fn next_hop_self_is_for_export() {
    let text = "asn = 65001\nrouter_id = \"10.0.0.1\"\n\
                [[neighbor]]\naddress = \"10.0.0.2\"\nremote_as = 65002\n\
                ipv4_unicast = { import = \"OUTER\", export = \"OUTER\" }\n\
                [[route_map]]\nname = \"OUTER\"\n\
                entry = [{ seq = 10, action = \"permit\", call = \"SELF\" }]\n\
                [[route_map]]\nname = \"SELF\"\n\
                entry = [{ seq = 10, action = \"permit\", set = { next_hop = \"self\" } }]\n";
    let errors = crate::config::parse(text, "x.toml").unwrap_err();
    let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(
        errors,
        [
            "error: x.toml:6:27: route_map `OUTER` sets `next_hop` to \"self\", which has no \
             effect on import\n\nhint: use it for export, or say \"peer_address\""
        ]
    );
}
