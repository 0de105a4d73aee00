//! What is referred to and not there.

use super::*;

/// A file that is used, and what is noted of its lines.
fn noted(lines: &str) -> (Config, Vec<String>) {
    let text = format!("router bgp 65001\n bgp router-id 10.0.0.1\n{lines}");
    let (translation, read) = parsed(&text, &Host::default());
    let notes = translation.lines.iter();
    let notes = notes.filter_map(|line| match &line.outcome {
        Outcome::Noted(how) => Some(format!("{}: {how}", line.text)),
        Outcome::Honoured
        | Outcome::Differs(_)
        | Outcome::Elsewhere(_)
        | Outcome::Refused(_)
        | Outcome::Within(_)
        | Outcome::Unknown { .. } => None,
    });
    let notes = notes.collect();
    let config = read.unwrap_or_else(|errors| panic!("{}\n{}", all(&errors), translation.toml));
    assert_eq!(translation.counts().differing, 0);
    (config, notes)
}

/// The same in a file that has it all.
fn same(lines: &str, more: &str) {
    let (found, notes) = noted(lines);
    assert!(!notes.is_empty(), "{lines}");
    let text = format!("router bgp 65001\n bgp router-id 10.0.0.1\n{lines}{more}");
    assert_eq!(found, config(&text), "{lines}");
}

/// A list of prefixes of this name that permits none, of either IP version.
fn permits_none(lines: &str, name: &str) {
    let (found, notes) = noted(lines);
    assert!(!notes.is_empty(), "{lines}");
    let [list] = found.prefix_lists.as_slice() else {
        panic!("not one list: {lines}");
    };
    assert_eq!(list.name(), name, "{lines}");
    let permits = |prefix: &str| list.permits(prefix.parse().unwrap());
    assert!(!permits("10.0.0.0/8") && !permits("2001:db8::/32"));
}

#[test]
fn a_route_map_that_is_not_there_denies_everything() {
    const NEIGHBOR: &str = " neighbor 10.0.0.2 remote-as 65002\n";
    for line in [
        " neighbor 10.0.0.2 route-map NOWHERE in\n",
        " neighbor 10.0.0.2 route-map NOWHERE out\n",
        " neighbor 10.0.0.2 default-originate route-map NOWHERE\n",
        " neighbor 10.0.0.2 unsuppress-map NOWHERE\n",
        " network 10.0.0.0/8 route-map NOWHERE\n",
        " redistribute connected route-map NOWHERE\n",
        " table-map NOWHERE\n",
    ] {
        same(&format!("{NEIGHBOR}{line}"), "route-map NOWHERE deny 10\n");
    }
}

#[test]
fn nothing_matches_a_list_that_is_not_there() {
    const MAP: &str = "route-map M permit 10\n";
    for (line, name) in [
        ("match ip address prefix-list L", "L"),
        ("match ipv6 address prefix-list L", "L"),
        ("match ip address L", "access-list L"),
        ("match ipv6 address L", "ipv6 access-list L"),
        ("match ip next-hop prefix-list L", "L"),
    ] {
        permits_none(&format!("{MAP} {line}\n"), name);
    }
    for (line, list) in [
        ("match as-path L", "bgp as-path access-list L deny .*"),
        ("match community L", "bgp community-list expanded L deny .*"),
        (
            "set comm-list L delete",
            "bgp community-list expanded L deny .*",
        ),
        (
            "match large-community L",
            "bgp large-community-list expanded L deny .*",
        ),
        (
            "match extcommunity L",
            "bgp extcommunity-list expanded L deny .*",
        ),
    ] {
        same(&format!("{MAP} {line}\n"), &format!("{list}\n"));
    }
    const NEIGHBOR: &str = " neighbor 10.0.0.2 remote-as 65002\n neighbor 10.0.0.2";
    permits_none(&format!("{NEIGHBOR} prefix-list L in\n"), "L");
    permits_none(
        &format!("{NEIGHBOR} distribute-list L out\n"),
        "access-list L",
    );
    let filter = format!("{NEIGHBOR} filter-list L in\n");
    same(&filter, "bgp as-path access-list L deny .*\n");
}

#[test]
fn a_map_that_is_called_and_not_there_is_not_asked() {
    let (found, notes) = noted("route-map M permit 10\n call NOWHERE\n set metric 5\n");
    assert_eq!(found, router("route-map M permit 10\n set metric 5\n", ""));
    assert_eq!(
        notes,
        ["call NOWHERE: there is no route-map `NOWHERE`: nothing is asked, as in FRR"]
    );
}

#[test]
fn a_profile_of_bfd_that_is_not_there_is_one_of_defaults() {
    for lines in [
        " neighbor 10.0.0.2 remote-as 65002\n neighbor 10.0.0.2 bfd profile P\n",
        "bfd\n peer 10.0.0.9\n  profile P\n",
        "ip route 10.0.0.0/8 10.0.0.9 bfd profile P\n",
    ] {
        same(lines, "bfd\n profile P\n");
    }
}

#[test]
fn what_frr_passes_over_stays_an_error_with_its_line() {
    for (lines, line) in [
        (" aggregate-address 10.0.0.0/8 route-map NOWHERE\n", 3),
        (
            " neighbor 10.0.0.2 remote-as 65002\n neighbor 10.0.0.2 advertise-map NOWHERE exist-map NOWHERE\n",
            4,
        ),
    ] {
        let text = format!("router bgp 65001\n bgp router-id 10.0.0.1\n{lines}");
        let errors = parsed(&text, &Host::default()).1.expect_err(lines);
        assert_eq!(errors[0].place.line, line, "{}", all(&errors));
    }
}

#[test]
fn what_stands_in_a_family_that_is_not_active_is_looked_at_by_nobody() {
    let (config, notes) = noted(
        " neighbor 10.0.0.2 remote-as 65002\n address-family ipv6 unicast\n  neighbor 10.0.0.2 route-map NOWHERE in\n",
    );
    assert!(config.route_maps.is_empty());
    assert!(notes[0].contains("not active"), "{notes:?}");
}
