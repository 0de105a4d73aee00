//! Access lists in their several dialects, and communities as numbers.

use super::*;

/// Of these prefixes, those that a list lets through.
fn permitted(lines: &str, name: &str) -> Vec<&'static str> {
    const ALL: [&str; 9] = [
        "10.0.0.0/8",
        "10.0.0.0/16",
        "10.0.0.0/24",
        "10.0.0.0/25",
        "10.0.0.0/32",
        "10.0.0.128/25",
        "10.0.1.0/24",
        "10.0.1.0/25",
        "10.1.0.0/24",
    ];
    let config = router("", lines);
    let name = crate::frr::shapes::access_name(name, false);
    let list = config.prefix_lists.iter().find(|it| it.name() == name);
    let list = list.unwrap_or_else(|| panic!("no {name}"));
    let permits = |prefix: &&str| list.permits(prefix.parse().unwrap());
    ALL.into_iter().filter(permits).collect()
}

/// As FRR 8.4.4 has it, asked with `show bgp ipv4 unicast route-map`.
#[test]
fn an_access_list_looks_at_addresses_and_an_extended_one_at_masks_too() {
    let address_0 = [
        "10.0.0.0/8",
        "10.0.0.0/16",
        "10.0.0.0/24",
        "10.0.0.0/25",
        "10.0.0.0/32",
    ];
    let mut within_24 = address_0.to_vec();
    within_24.push("10.0.0.128/25");
    let from_24 = [
        "10.0.0.0/24",
        "10.0.0.0/25",
        "10.0.0.0/32",
        "10.0.0.128/25",
        "10.0.1.0/24",
        "10.0.1.0/25",
    ];
    for (rule, wanted) in [
        ("permit 10.0.0.0 0.0.0.255", &within_24[..]),
        ("permit 10.0.0.0", &address_0),
        ("permit host 10.0.0.0", &address_0),
        ("permit ip 10.0.0.0 0.0.0.255 any", &within_24),
        ("permit ip host 10.0.0.0 any", &address_0),
        (
            "permit ip host 10.0.0.0 host 255.255.255.0",
            &["10.0.0.0/24"],
        ),
        (
            "permit ip 10.0.0.0 0.0.255.255 host 255.255.255.0",
            &["10.0.0.0/24", "10.0.1.0/24"],
        ),
        (
            "permit ip 10.0.0.0 0.0.255.255 255.255.255.0 0.0.0.255",
            &from_24,
        ),
        (
            "permit ip 10.0.0.0 0.0.0.255 host 255.255.0.0",
            &["10.0.0.0/16"],
        ),
        (
            "permit ip any host 255.255.255.0",
            &["10.0.0.0/24", "10.0.1.0/24", "10.1.0.0/24"],
        ),
        ("permit 10.0.0.0/16 exact-match", &["10.0.0.0/16"]),
    ] {
        let line = format!("access-list 101 seq 5 {rule}");
        assert_eq!(permitted(&line, "101"), wanted, "{rule}");
        let shown = crate::frr::print(&router("", &line), &Host::default()).text;
        let again = shown
            .lines()
            .find(|it| it.starts_with("access-list 101 seq"));
        let again = again.unwrap_or_else(|| panic!("{rule}: {shown}"));
        assert_eq!(
            permitted(again, "101"),
            wanted,
            "{rule} is shown as {again}"
        );
    }
}

#[test]
fn what_no_rule_says_is_refused_with_its_line() {
    for (rule, why) in [
        (
            "ip 10.0.0.0 0.0.255.0 any",
            "the wildcard 0.0.255.0 has holes",
        ),
        (
            "ip any host 255.0.255.0",
            "no prefix has the mask 255.0.255.0",
        ),
        (
            "ip host 10.0.0.1 host 255.255.255.0",
            "no prefix of length 24",
        ),
        (
            "ip 10.0.0.0 0.0.0.255 255.0.0.0 0.255.255.255",
            "more than one rule",
        ),
    ] {
        let text = format!("access-list 101 permit {rule}\n");
        let (_, read) = parsed(&text, &Host::default());
        let errors = read.expect_err(rule);
        assert!(all(&errors).contains(why), "{rule}: {}", all(&errors));
        assert_eq!(errors[0].place.line, 1, "{rule}");
    }
}

#[test]
fn communities_are_numbers_and_names_too_and_a_wrong_one_is_named_in_frrs_words() {
    let map = |set: &str| format!("route-map M permit 10\n set community {set}\n");
    for (one, two) in [
        ("100", "0:100"),
        ("6553600 additive", "100:0 additive"),
        ("no-peer", "65535:65284"),
    ] {
        assert_eq!(router("", &map(one)), router("", &map(two)), "{one}");
    }
    let lists = |rule: &str| format!("bgp community-list standard C seq 5 permit {rule}\n");
    assert_eq!(router("", &lists("6553600")), router("", &lists("100:0")));
    for (line, why) in [
        ("set community 1:2 nonsense", "`nonsense` is no community"),
        ("set large-community 1:2", "`1:2` is no large community"),
        (
            "set as-path prepend 4294967295 1",
            "AS 4294967295 is reserved",
        ),
    ] {
        let text = format!("route-map M permit 10\n {line}\n");
        let (_, read) = parsed(&text, &Host::default());
        let errors = read.expect_err(line);
        assert!(
            all(&errors).contains(&format!("`{line}`: {why}")),
            "{}",
            all(&errors)
        );
        assert_eq!(errors[0].place.line, 2);
    }
}

#[test]
fn a_mark_of_utf_8_in_front_of_a_file_is_skipped() {
    let text =
        "router bgp 65001\n bgp router-id 10.0.0.1\n no synchronization\n no auto-summary\n";
    assert_eq!(config(&format!("\u{feff}{text}")), config(text));
}

#[test]
fn an_aggregate_has_its_mask_in_either_way() {
    let one = router(" aggregate-address 172.16.0.0 255.240.0.0 summary-only", "");
    let two = router(" aggregate-address 172.16.0.0/12 summary-only", "");
    assert_eq!(one, two);
}

#[test]
fn lengths_and_neighbors_are_conditions_of_their_own() {
    let lists =
        "ip prefix-list P permit 10.0.0.0/8 le 32\naccess-list 7 permit 10.0.0.0 0.0.0.255\n";
    let map = |lines: &str| router("", &format!("{lists}route-map M permit 10\n{lines}"));
    let ours = |condition: &str| {
        let text = format!("match = {{ {condition} }}");
        let map =
            config::print(&map(" match metric 5\n")).replace("match = { metric = 5 }", &text);
        toml(&map).route_maps
    };
    for (lines, condition) in [
        (
            " match ip address prefix-len 24\n match ip address prefix-list P\n",
            "prefix_list = \"P\", ipv4_prefix_length = 24",
        ),
        (
            " match ipv6 address prefix-len 48\n",
            "ipv6_prefix_length = 48",
        ),
        (
            " match ip route-source prefix-list P\n",
            "peer_list = \"P\"",
        ),
        (
            " match ip route-source 7\n",
            "peer_list = \"access-list 7\"",
        ),
    ] {
        let config = map(lines);
        assert_eq!(config.route_maps, ours(condition), "{lines}");
        let shown = crate::frr::print(&config, &Host::default()).text;
        assert_eq!(on(&shown, &Host::default()), config, "{shown}");
    }
}
