use crate::config::parse_and_review;

fn remarks(rest: &str) -> Vec<String> {
    let text = format!("asn = 65001\nrouter_id = \"10.0.0.1\"\n{rest}");
    match parse_and_review(&text, "x.toml") {
        Ok((_, remarks)) => remarks.iter().map(ToString::to_string).collect(),
        Err(errors) => panic!("{}", errors[0]),
    }
}

const NEIGHBOR: &str = "[[neighbor]]\naddress = \"10.0.0.2\"\nremote_as = 65002\n\
                        ipv4_unicast = { import = \"IN\" }\n";

#[test]
fn a_list_or_map_that_nothing_refers_to_is_remarked() {
    let found = remarks(&format!(
        "{NEIGHBOR}\
         [[prefix_list]]\nname = \"P\"\nrules = [\"permit any\"]\n\
         [[prefix_list]]\nname = \"Q\"\nrules = [\"permit any\"]\n\
         [[as_path_list]]\nname = \"A\"\nrules = [\"permit any\"]\n\
         [[route_map]]\nname = \"OTHER\"\nentry = [{{ seq = 10, action = \"permit\" }}]\n\
         [[route_map]]\nname = \"IN\"\n\
         entry = [{{ seq = 10, action = \"permit\", match = {{ next_hop = \"P\" }} }}]\n"
    ));
    assert_eq!(
        found,
        [
            "warning: x.toml:11:8: prefix_list `Q` is not used anywhere",
            "warning: x.toml:14:8: as_path_list `A` is not used anywhere",
            "warning: x.toml:17:8: route_map `OTHER` is not used anywhere",
        ]
    );
}

#[test]
fn an_as_set_is_remarked_and_maps_of_conditions_are_in_use() {
    let maps = ["IN", "A", "B", "C", "D", "E", "F"].map(|name| {
        format!(
            "[[route_map]]\nname = \"{name}\"\nentry = [{{ seq = 10, action = \"permit\" }}]\n"
        )
    });
    let found = remarks(&format!(
        "[ipv4_unicast]\naggregates = [{{ prefix = \"10.0.0.0/8\", as_set = true, \
         route_map = \"A\" }}, {{ prefix = \"10.0.0.0/9\", suppress = \"B\" }}]\n\
         [[neighbor]]\naddress = \"10.0.0.2\"\nremote_as = 65002\nipv4_unicast = {{ import = \"IN\", \
         default_originate = {{ route_map = \"C\" }}, \
         advertise_if = {{ routes = \"D\", exist = \"E\" }}, unsuppress = \"F\" }}\n{}",
        maps.concat()
    ));
    assert_eq!(
        found,
        [
            "warning: x.toml:4:49: `as_set` of the aggregate 10.0.0.0/8 makes an AS_SET, which RFC 9774 \
             forbids: others may take the route for withdrawn"
        ]
    );
}

#[test]
fn a_rule_that_never_decides_is_remarked_at_its_place() {
    let found = remarks(&format!(
        "{NEIGHBOR}\
         [[prefix_list]]\nname = \"P\"\nrules = [\n\"permit 10.0.0.0/8 le 24\",\n\"deny 10.1.0.0/16\",\n]\n\
         [[community_list]]\nname = \"C\"\nrules = [\"permit any\", \"seq 3 deny 1:1\", \"permit 1:1\"]\n\
         [[route_map]]\nname = \"IN\"\n\
         entry = [{{ seq = 10, action = \"permit\", match = {{ prefix_list = \"P\", community_list = \"C\" }} }}]\n"
    ));
    assert_eq!(
        found,
        [
            "warning: x.toml:11:1: rule 10 of prefix_list `P` never decides: rule 5 matches all that it matches",
            "warning: x.toml:15:42: rule 10 of community_list `C` never decides: rule 3 matches all that it matches",
        ]
    );
}

fn entries(entries: &str) -> Vec<String> {
    remarks(&format!(
        "{NEIGHBOR}[[route_map]]\nname = \"IN\"\nentry = [{entries}]\n"
    ))
}

#[test]
fn an_entry_behind_one_that_takes_its_routes_is_remarked() {
    assert_eq!(
        entries(
            "{ seq = 10, action = \"permit\", match = { metric = 5 } }, \
             { seq = 20, action = \"deny\", match = { metric = 5, origin = \"igp\" } }, \
             { seq = 30, action = \"deny\" }, { seq = 40, action = \"permit\" }"
        ),
        [
            "warning: x.toml:9:67: entry 20 of route_map `IN` is never reached by a route it matches: \
             entry 10 ends the map for all of them",
            "warning: x.toml:9:169: entry 40 of route_map `IN` is never reached by a route it matches: \
             entry 30 ends the map for all of them",
        ]
    );
}

#[test]
fn an_entry_that_may_be_reached_is_not_remarked() {
    for map in [
        // Another condition.
        "{ seq = 10, action = \"permit\", match = { metric = 5 } }, \
         { seq = 20, action = \"deny\", match = { metric = 6 } }",
        // The map goes on.
        "{ seq = 10, action = \"permit\", on_match = \"next\" }, { seq = 20, action = \"permit\" }",
        // The metric is set in between.
        "{ seq = 10, action = \"permit\", match = { metric = 5 } }, \
         { seq = 15, action = \"permit\", on_match = \"next\", set = { metric = 5 } }, \
         { seq = 20, action = \"deny\", match = { metric = 5 } }",
        // A route may go past the one that ends the map.
        "{ seq = 5, action = \"permit\", match = { metric = 5 }, on_match = 20 }, \
         { seq = 10, action = \"deny\" }, { seq = 20, action = \"permit\" }",
    ] {
        assert_eq!(entries(map), [""; 0], "{map}");
    }
}

#[test]
fn a_change_that_means_nothing_on_export_is_remarked_unless_the_map_is_used_elsewhere() {
    let map = "[[route_map]]\nname = \"MAP\"\nentry = [\n\
               { seq = 10, action = \"permit\", set = { tag = 1, weight = 5, blackhole = true } },\n]\n";
    let neighbor = |family: &str| {
        format!(
            "[[neighbor]]\naddress = \"10.0.0.2\"\nremote_as = 65002\nipv4_unicast = {family}\n{map}"
        )
    };
    let what = |key: &str| {
        format!(
            "warning: x.toml:10:1: entry 10 of route_map `MAP` sets `{key}`, which is for this \
             router alone and has no effect on export"
        )
    };
    let found = remarks(&neighbor("{ export = \"MAP\" }"));
    assert_eq!(found, [what("weight"), what("blackhole")]);
    let both = "{ import = \"MAP\", export = \"MAP\" }";
    assert_eq!(remarks(&neighbor(both)), Vec::<String>::new());
}

#[test]
fn a_map_that_asks_about_validation_is_remarked_where_nobody_validates() {
    let file = format!(
        "{NEIGHBOR}[[route_map]]\nname = \"IN\"\n\
         entry = [{{ seq = 10, action = \"deny\", match = {{ rpki = \"invalid\" }} }}, \
         {{ seq = 20, action = \"permit\" }}]\n"
    );
    let found = remarks(&file);
    assert_eq!(
        found,
        [
            "warning: x.toml:9:10: entry 10 of route_map `IN` matches `rpki`, and there is no [[rpki]] \
             cache: every route is \"not_found\""
        ]
    );
    let cache = "[[rpki]]\naddress = \"127.0.0.1:323\"\n";
    assert_eq!(remarks(&format!("{cache}{file}")), [""; 0]);
}

#[test]
fn a_map_without_an_entry_and_networks_of_no_other_host_are_remarked() {
    let found = remarks(&format!(
        "[ipv4_unicast]\nnetworks = [\n\"127.0.0.0/8\",\n\"239.1.0.0/16\",\n\"10.0.0.0/8\",\n\"0.0.0.0/0\",\n]\n\
         [ipv6_unicast]\nnetworks = [\n\"::1/128\",\n\"ff02::/16\",\n\"::/0\",\n]\n\
         {NEIGHBOR}[[route_map]]\nname = \"IN\"\nentry = []\n"
    ));
    let network = |line: u8, network: &str| {
        format!(
            "warning: x.toml:{line}:1: network {network} is of loopback or multicast addresses: \
             nobody in another AS takes it (RFC 6890)"
        )
    };
    let expected = [
        network(5, "127.0.0.0/8"),
        network(6, "239.1.0.0/16"),
        network(12, "::1/128"),
        network(13, "ff02::/16"),
        "warning: x.toml:21:8: route_map `IN` has no entry and denies everything".to_owned(),
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_gateway_whose_network_has_our_tunnel_endpoint_is_remarked() {
    let vni = |vrf: &str| {
        remarks(&format!(
            "[evpn]\nvtep = \"10.0.0.1\"\n[[vni]]\nid = 100\nname = \"n\"\n\
             gateway = [\"10.1.0.1/24\", \"10.0.0.7/24\"]\n{vrf}"
        ))
    };
    assert_eq!(
        vni(""),
        [
            "warning: x.toml:8:27: our tunnel endpoint 10.0.0.1 is in the gateway's network \
             10.0.0.0/24: packets to the underlay may go to br100; take another network, or put \
             the VNI into a VRF"
        ]
    );
    assert_eq!(vni("vrf = \"red\"\n"), [""; 0]);
}
