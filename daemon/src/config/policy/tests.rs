use std::net::Ipv4Addr;

use bgp::family::{Family, PerFamily};
use bgp::policy::{Action, Entry, Policy, RouteMap};

use super::*;
use crate::config::{NeighborFamily, NextHopRule, Timers};

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
        next_hop: NextHopRule::Auto,
    };
    let neighbor = Neighbor {
        address: Ipv4Addr::new(10, 0, 0, 2).into(),
        remote_as: remote_as.into(),
        description: None,
        port: 179,
        local_address: None,
        passive: false,
        shutdown: false,
        role: None,
        timers: Timers::default(),
        bfd: None,
        graceful_restart: None,
        families: PerFamily {
            ipv4_unicast: Some(family),
            ..PerFamily::default()
        },
    };
    [Direction::Import, Direction::Export]
        .map(|direction| config.effective_policy(&neighbor, Family::Ipv4Unicast, direction))
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
