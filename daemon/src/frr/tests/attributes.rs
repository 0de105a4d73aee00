//! What neighbors are told of attributes, and what routes have that come without.

use super::*;

/// As path, next hop and MED of what the neighbor is told: which stay as they are.
fn unchanged(lines: &str) -> [bool; 3] {
    let config = router(
        &format!(" neighbor 10.0.0.2 remote-as 65002\n address-family ipv4 unicast\n{lines}"),
        "",
    );
    let family = config.neighbors[0].families.ipv4_unicast.as_ref().unwrap();
    let shown = crate::frr::print(&config, &Host::default()).text;
    assert_eq!(on(&shown, &Host::default()), config, "{shown}");
    [
        family.handling.as_path_unchanged,
        family.next_hop == config::NextHopRule::Unchanged,
        family.handling.med_unchanged,
    ]
}

#[test]
fn a_neighbor_is_told_the_attributes_unchanged_that_are_named_or_all() {
    const BARE: &str = "  neighbor 10.0.0.2 attribute-unchanged";
    for (lines, wanted) in [
        (BARE.to_owned(), [true, true, true]),
        (format!("{BARE} as-path"), [true, false, false]),
        (format!("{BARE} med next-hop"), [false, true, true]),
        (format!("{BARE} as-path next-hop med"), [true, true, true]),
        (format!("{BARE}\n{BARE} med"), [false, false, true]),
        (
            format!("{BARE}\n  no neighbor 10.0.0.2 attribute-unchanged as-path"),
            [false, true, true],
        ),
        (
            format!("{BARE}\n  no neighbor 10.0.0.2 attribute-unchanged"),
            [false, false, false],
        ),
    ] {
        assert_eq!(unchanged(&lines), wanted, "{lines}");
    }
}

#[test]
fn routes_without_a_preference_have_the_one_of_the_router() {
    let config = router(" bgp default local-preference 200", "");
    assert_eq!(config.default_local_preference, Some(200));
    let usual = router(" bgp default local-preference 100", "");
    assert_eq!(usual, router("", ""));
    let taken_back = router(
        " bgp default local-preference 200\n no bgp default local-preference",
        "",
    );
    assert_eq!(taken_back, usual);
}
