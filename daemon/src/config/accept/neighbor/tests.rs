//! What a group gives its members.

use bgp::Family;
use bgp::attributes::Omitted;
use bgp::policy::Policy;
use bgp::rib::{Handling, OwnAs, PrivateAs};
use bgp::session::RemoteAs;

use crate::config::{Config, Direction, parse, print};

const TOP: &str = "asn = 65001\nrouter_id = \"10.0.0.1\"\n";

fn accepted(rest: &str) -> Config {
    let text = format!("{TOP}{rest}");
    parse(&text, "x.toml").unwrap_or_else(|errors| panic!("{}\n{rest}", errors[0]))
}

fn errors(rest: &str) -> Vec<String> {
    let errors = parse(&format!("{TOP}{rest}"), "x.toml").expect_err(rest);
    let first = |error: String| error.lines().next().unwrap_or_default().to_owned();
    errors
        .iter()
        .map(|error| first(error.to_string()))
        .collect()
}

fn member(keys: &str) -> String {
    format!("[[neighbor]]\naddress = \"10.0.0.2\"\n{keys}\n")
}

/// A group, what its member says itself, and both written as one.
const INHERITED: [(&str, &str, &str); 17] = [
    (
        "remote_as = 65001\nroute_reflector_client = true",
        "",
        "remote_as = 65001\nroute_reflector_client = true",
    ),
    (
        "remote_as = 65002\nshutdown = \"moved\"",
        "shutdown = false",
        "remote_as = 65002",
    ),
    (
        "remote_as = 65002\nshutdown = \"moved\"",
        "",
        "remote_as = 65002\nshutdown = \"moved\"",
    ),
    (
        "remote_as = 65002\nlocal_as = 7",
        "",
        "remote_as = 65002\nlocal_as = { asn = 7 }",
    ),
    ("remote_as = 65002", "", "remote_as = 65002"),
    (
        "remote_as = 65002",
        "remote_as = 65003",
        "remote_as = 65003",
    ),
    (
        "remote_as = \"external\"\ndescription = \"all\"\nport = 1790\npassive = true",
        "description = \"one\"\npassive = false",
        "remote_as = \"external\"\ndescription = \"one\"\nport = 1790",
    ),
    (
        "remote_as = 65002\ntimers = { hold = \"9s\", keepalive = \"2s\", connect_retry = \"1s\" }",
        "timers = { keepalive = \"1s\" }",
        "remote_as = 65002\ntimers = { hold = \"9s\", keepalive = \"1s\", connect_retry = \"1s\" }",
    ),
    (
        "remote_as = 65002\ntimers = { hold = \"60s\", keepalive = \"20s\" }",
        "timers = { hold = \"9s\" }",
        "remote_as = 65002\ntimers = { hold = \"9s\" }",
    ),
    (
        "remote_as = 65002\nbfd = { interval = \"50ms\", multiplier = 5 }",
        "bfd = { multiplier = 4 }",
        "remote_as = 65002\nbfd = { interval = \"50ms\", multiplier = 4 }",
    ),
    (
        "remote_as = 65002\nbfd = { interval = \"50ms\" }",
        "bfd = false",
        "remote_as = 65002",
    ),
    (
        "remote_as = 65002\ngraceful_restart = { restart_time = \"60s\" }",
        "graceful_restart = false",
        "remote_as = 65002\ngraceful_restart = false",
    ),
    (
        "remote_as = 65002\nttl_security = 1\nupdate_source = \"lo\"\npassword = \"x\"",
        "multihop = 4\nlocal_address = \"10.0.0.9\"",
        "remote_as = 65002\nmultihop = 4\nlocal_address = \"10.0.0.9\"\npassword = \"x\"",
    ),
    (
        "remote_as = 65002\npassword = \"x\"",
        "tcp_ao = [{ id = 1, secret = \"y\" }]",
        "remote_as = 65002\ntcp_ao = [{ id = 1, secret = \"y\" }]",
    ),
    (
        "remote_as = 65002\nrole = \"peer\"\nshutdown = true",
        "role = \"customer\"",
        "remote_as = 65002\nrole = \"customer\"\nshutdown = true",
    ),
    (
        "remote_as = 65002\nipv4_unicast = { next_hop = \"self\", maximum_prefixes = 9 }",
        "ipv4_unicast = { maximum_prefixes = 5 }\nevpn = {}",
        "remote_as = 65002\nevpn = true\n\
         ipv4_unicast = { next_hop = \"self\", maximum_prefixes = 5 }",
    ),
    (
        "remote_as = 65002\nipv4_unicast = { next_hop = \"self\" }\nipv6_unicast = {}",
        "ipv4_unicast = false",
        "remote_as = 65002\nipv6_unicast = {}",
    ),
];

/// The text has this error and no other.
#[track_caller]
fn refused(text: &str, expected: impl std::fmt::Display) {
    let found = errors(text);
    assert_eq!(found, [format!("error: x.toml:{expected}")], "{text}");
}

#[test]
fn a_member_has_what_its_group_says_unless_it_says_otherwise() {
    for (group, own, both) in INHERITED {
        let own = member(&format!("peer_group = \"G\"\n{own}"));
        let grouped = format!("{own}[[peer_group]]\nname = \"G\"\n{group}\n");
        assert_eq!(accepted(&grouped), accepted(&member(both)), "{grouped}");
    }
}

#[test]
fn a_group_must_be_there_once_and_its_members_need_an_as_number() {
    let found = errors(&member("peer_group = \"G\""));
    assert_eq!(found, ["error: x.toml:5:14: peer group `G` is not defined"]);
    let group = "[[peer_group]]\nname = \"G\"\n";
    let found = errors(&format!("{}{group}", member("peer_group = \"G\"")));
    let expected = "has no `remote_as`, but must have the neighbor's AS number";
    assert_eq!(
        found,
        [format!("error: x.toml:3:1: [[neighbor]] {expected}")]
    );
    let found = errors(&format!("{group}{group}"));
    assert_eq!(
        found,
        ["error: x.toml:6:8: peer group G is there twice, first at 4:8"]
    );
}

#[test]
fn a_shutdown_may_have_a_text_for_the_other_side() {
    let shutdown = |keys: &str| {
        let config = accepted(&member(&format!("remote_as = 65002\n{keys}")));
        (
            config.neighbors[0].shutdown,
            config.neighbors[0].shutdown_text.clone(),
        )
    };
    assert_eq!(shutdown("shutdown = true"), (true, None));
    assert_eq!(shutdown("shutdown = false"), (false, None));
    assert_eq!(
        shutdown("shutdown = \"moving\""),
        (true, Some("moving".to_owned()))
    );
    for text in [String::new(), "x".repeat(256), "a\\nb".to_owned()] {
        let found = errors(&member(&format!(
            "remote_as = 65002\nshutdown = \"{text}\""
        )));
        let expected = "but must be true, false or a text of 1 to 255 octets on one line";
        assert!(
            found.len() == 1 && found[0].ends_with(expected),
            "{found:?}"
        );
    }
    let timers = "remote_as = 65002\ntimers = { hold = \"30s\", send_hold = \"20s\" }";
    let expected = "`send_hold` is \"20s\", but must not be shorter than `hold`, \"30s\"";
    assert_eq!(
        errors(&member(timers)),
        [format!("error: x.toml:6:38: {expected}")]
    );
}

#[test]
fn a_number_for_one_session_is_another_one_and_external() {
    let hint = "`local_as` is";
    for (keys, expected) in [
        (
            "remote_as = 65002\nlocal_as = 65001",
            "65001, which is our own AS number anyway",
        ),
        (
            "remote_as = 65001\nlocal_as = 7",
            "7, on a session inside our own AS, without `dual_as`",
        ),
    ] {
        let found = errors(&member(keys));
        assert_eq!(found, [format!("error: x.toml:6:12: {hint} {expected}")]);
    }
    let within = "remote_as = 7\nlocal_as = { asn = 7, no_prepend = true }";
    assert_eq!(
        errors(&member(within)),
        [
            "error: x.toml:6:36: `no_prepend` has no effect beside a neighbor of the same AS, \
             towards which nothing is prepended"
        ]
    );
}

/// RFC 7705 §4: within the AS that the neighbour knows us by, it is a neighbour like any other of
/// an AS.
#[test]
fn a_neighbour_of_the_as_that_it_knows_us_by_is_internal() {
    for keys in [
        "remote_as = 7\nlocal_as = 7",
        "remote_as = \"internal\"\nlocal_as = 7",
        "remote_as = 65001\nlocal_as = { asn = 7, dual_as = true }",
    ] {
        let config = accepted(&member(&format!(
            "{keys}\nroute_reflector_client = true\nevpn = {{}}"
        )));
        let neighbor = &config.neighbors[0];
        assert_eq!(neighbor.ttl(config.asn), 255, "{keys}");
        assert_eq!(config.asn_towards(neighbor), bgp::Asn(7), "{keys}");
    }
    let found = errors(&member("remote_as = 7\nlocal_as = 7\nrole = \"peer\""));
    assert_eq!(
        found,
        ["error: x.toml:7:8: `role` needs an eBGP neighbor, and remote_as is our own AS number 7"]
    );
}

/// What is for iBGP or eBGP alone may stand there: only the session shows which of them it is.
#[test]
fn a_neighbour_of_any_as_may_have_keys_of_both_kinds() {
    let keys = "remote_as = \"auto\"\nroute_reflector_client = true\nrole = \"peer\"\n\
                enforce_first_as = true\nipv4_unicast = { as_override = true }";
    let config = round_trip(&member(keys));
    let neighbor = &config.neighbors[0];
    assert_eq!(neighbor.remote_as, RemoteAs::Auto);
    assert_eq!(neighbor.remote_asn(config.asn), None);
    assert_eq!(
        (neighbor.ttl(config.asn), neighbor.is_on_link(config.asn)),
        (1, true)
    );
    let far = accepted(&member("remote_as = \"auto\"\nmultihop = 3"));
    assert_eq!(far.neighbors[0].ttl(far.asn), 3);
    refused(
        &member("remote_as = \"any\""),
        "5:13: `remote_as` is \"any\", but must be an AS number from 1 to 4294967294 that is not \
         reserved, \"external\", \"internal\" or \"auto\"",
    );
}

/// RFC 8212 is about other AS, whichever the neighbour turns out to be in.
#[test]
fn a_neighbour_of_any_as_needs_policy_when_it_is_of_another_one() {
    let text = member("remote_as = \"auto\"\nlocal_as = 7\nipv4_unicast = {}");
    let config = accepted(&format!("ebgp_requires_policy = true\n{text}"));
    let policy = |asn: u32| {
        let (neighbor, family) = (&config.neighbors[0], Family::Ipv4Unicast);
        config.effective_policy(neighbor, Some(asn.into()), family, Direction::Import)
    };
    for own in [65001, 7] {
        assert!(matches!(policy(own), Policy::AcceptAll), "{own}");
    }
    assert!(matches!(policy(65002), Policy::RejectAll(_)));
}

#[test]
fn a_link_local_address_goes_with_its_interface() {
    let both = "[[neighbor]]\naddress = \"fe80::1%swp1\"\nremote_as = 65002\n\
                [[neighbor]]\naddress = \"fe80::1\"\ninterface = \"swp2\"\nremote_as = 65003\n\
                [[neighbor]]\naddress = \"fe80::1%swp3\"\ninterface = \"swp3\"\nremote_as = 65004\n\
                [[neighbor]]\ninterface = \"swp1\"\nremote_as = 65005\n";
    let config = accepted(both);
    let found = config.neighbors.iter();
    let found: Vec<String> = found.map(|it| it.address.to_string()).collect();
    assert_eq!(found, ["fe80::1%swp1", "fe80::1%swp2", "fe80::1%swp3"]);
    assert_eq!(config.interfaces.len(), 1);
    let on = |keys: &str| format!("[[neighbor]]\naddress = \"fe80::1%swp1\"\n{keys}\n");
    for (text, expected) in [
        (
            on("remote_as = 2").replace("%swp1", ""),
            "4:11: `address` is \"fe80::1\", but must be an address with its interface, since it is \
             a link-local one",
        ),
        (
            on("remote_as = 2\ninterface = \"swp2\""),
            "4:11: `address` and `interface` (6:13) exclude each other",
        ),
        (
            on("remote_as = 2").replace("fe80", "fd00"),
            "4:11: `address` is \"fd00::1%swp1\", but must be an IP address like \"10.10.0.2\"",
        ),
        (
            on("remote_as = 2\nmultihop = 3"),
            "6:12: `multihop` and `address` (4:11) exclude each other",
        ),
        (
            on("remote_as = 2\nlocal_address = \"2001:db8::1\""),
            "6:17: `local_address` and `address` (4:11) exclude each other",
        ),
        (
            on("remote_as = 2") + &on("remote_as = 3"),
            "7:11: neighbor fe80::1%swp1 is there twice, first at 4:11",
        ),
    ] {
        assert_eq!(
            errors(&text),
            [format!("error: x.toml:{expected}")],
            "{text}"
        );
    }
}

#[test]
fn a_neighbour_has_an_address_or_an_interface() {
    let on = |keys: &str| format!("[[neighbor]]\ninterface = \"swp1\"\n{keys}\n");
    let config = accepted(&on("remote_as = 65002\nevpn = {}"));
    assert_eq!(config.interfaces[0].interface, "swp1");
    assert_eq!(config.neighbors, []);
    let with = "and `interface` (4:13) exclude each other";
    let table = [
        (
            on("remote_as = 65002\naddress = \"10.0.0.2\""),
            format!("6:11: `address` {with}"),
        ),
        (
            on("remote_as = 65002\nmultihop = 3"),
            format!("6:12: `multihop` {with}"),
        ),
        (
            on("remote_as = 65002\nupdate_source = \"lo\""),
            format!("6:17: `update_source` {with}"),
        ),
        (
            on("remote_as = 65002") + &on("remote_as = 65003"),
            "7:13: neighbor swp1 is there twice, first at 4:13".to_owned(),
        ),
        (
            on(""),
            "3:1: [[neighbor]] has no `remote_as`, but must have the neighbor's AS number"
                .to_owned(),
        ),
    ];
    for (text, expected) in table {
        refused(&text, expected);
    }
}

#[test]
fn a_range_has_settings_and_a_network_of_its_own() {
    let range = |prefix: &str, keys: &str| {
        format!("[[listen_range]]\nprefix = \"{prefix}\"\nremote_as = 65002\n{keys}\n")
    };
    let config = accepted(&range("10.8.0.0/16", "evpn = {}"));
    let address = "10.8.3.4".parse().expect("an address");
    let found = config.listen_range(address).expect("the range of 10.8.3.4");
    let neighbor = found.neighbor(address);
    assert!(neighbor.passive && neighbor.families.evpn.is_some());
    assert_eq!((neighbor.address, found.limit), (address, 100));
    assert_eq!(
        config.listen_range("10.9.0.1".parse().expect("an address")),
        None
    );

    let one = range("10.0.0.0/8", "password = \"x\"");
    let signed = format!("{one}{}", member("remote_as = 65002\npassword = \"y\""));
    assert!(accepted(&signed).has_passwords());
    let table = [
        (
            format!("{one}{}", range("10.8.0.0/16", "")),
            "8:10: listen range 10.8.0.0/16 overlaps with listen range 10.0.0.0/8 (4:10)",
        ),
        (
            format!("{one}{}", member("remote_as = 65002")),
            "8:11: neighbor 10.0.0.2 has no `password`, and listen range 10.0.0.0/8 (4:10) has one",
        ),
        (
            format!(
                "{}{}",
                range("10.0.0.0/8", "tcp_ao = [{ id = 1, secret = \"x\" }]"),
                member("remote_as = 65002\npassword = \"y\"")
            ),
            "8:11: neighbor 10.0.0.2 has no `tcp_ao`, and listen range 10.0.0.0/8 (4:10) has one",
        ),
        (
            range("fe80::/64", ""),
            "4:10: `prefix` is \"fe80::/64\", but must be a network of addresses that hosts have \
             beyond one link",
        ),
        (
            range("10.8.0.1/16", ""),
            "4:10: `prefix` is \"10.8.0.1/16\", but must be a network without host bits",
        ),
        (
            range("10.8.0.0/16", "passive = true"),
            "6:1: `passive` is not a key of [[listen_range]]",
        ),
    ];
    for (text, expected) in table {
        refused(&text, expected);
    }
}

/// A key of a network stands for its hosts: another one with a number of it cannot.
#[test]
fn a_neighbor_has_the_keys_of_its_range_or_other_numbers() {
    let text = |prefix: &str, own: &str| {
        format!(
            "[[listen_range]]\nprefix = \"{prefix}\"\nremote_as = 65002\n\
             tcp_ao = [{{ id = 1, recv_id = 3, secret = \"x\" }}]\n{}",
            member(&format!("remote_as = 65002\ntcp_ao = [{own}]"))
        )
    };
    let inside = |own: &str| text("10.0.0.0/8", own);
    for own in [
        "{ id = 1, recv_id = 3, secret = \"x\" }",
        "{ id = 2, secret = \"y\" }, { id = 1, recv_id = 3, secret = \"x\" }",
        "{ id = 3, recv_id = 1, secret = \"y\" }",
    ] {
        accepted(&inside(own));
    }
    let clash = "{ id = 1, recv_id = 3, secret = \"y\" }";
    accepted(&text("10.9.0.0/16", clash));
    accepted(&text("10.0.0.2/32", clash));
    for (own, id, number) in [
        (clash, 1, "id"),
        ("{ id = 1, recv_id = 4, secret = \"x\" }", 1, "id"),
        ("{ id = 3, secret = \"x\" }", 3, "recv_id"),
        (
            "{ id = 1, recv_id = 3, secret = \"x\", algorithm = \"hmac-sha-256-128\" }",
            1,
            "id",
        ),
    ] {
        assert_eq!(
            errors(&inside(own)),
            [format!(
                "error: x.toml:10:11: key {id} of neighbor 10.0.0.2 has the `{number}` of another \
                 key of listen range 10.0.0.0/8 (6:11)"
            )],
            "{own}"
        );
    }
}

#[test]
fn what_is_wrong_in_a_group_is_reported_once() {
    let group = "[[peer_group]]\nname = \"G\"\nremote_as = 65002\n\
                 ipv4_unicast = { import = \"NONE\" }\n";
    for members in 0..3 {
        let member =
            |host| format!("[[neighbor]]\naddress = \"10.0.0.{host}\"\npeer_group = \"G\"\n");
        let members: String = (2..2 + members).map(member).collect();
        let found = errors(&format!("{group}{members}"));
        assert_eq!(
            found,
            ["error: x.toml:6:27: route_map `NONE` is not defined"]
        );
    }
}

/// What is printed reads back the same.
fn round_trip(rest: &str) -> Config {
    let config = accepted(rest);
    let printed = print(&config);
    let again = parse(&printed, "x.toml").unwrap_or_else(|errors| panic!("{}", errors[0]));
    assert_eq!(again, config, "{printed}");
    config
}

#[test]
fn a_reflector_has_clients_in_its_own_as_only() {
    let client = "route_reflector_client = true";
    let config = round_trip(&format!(
        "[router]\ncluster_id = \"10.9.9.9\"\n{}",
        member(&format!("remote_as = \"internal\"\n{client}"))
    ));
    assert_eq!(config.cluster_id, Some([10, 9, 9, 9].into()));
    assert!(config.neighbors[0].relation.route_reflector_client);
    let found = errors(&member(&format!("remote_as = 65002\n{client}")));
    let expected = "`route_reflector_client` needs an iBGP neighbor, and remote_as is not our own \
                    AS number";
    assert_eq!(found, [format!("error: x.toml:6:26: {expected}")]);
}

#[test]
fn what_is_for_neighbours_of_other_as_numbers_is_refused_inside_our_own() {
    for (keys, at) in [
        ("role = \"peer\"", 8),
        ("route_server_client = true", 23),
        ("enforce_first_as = true", 20),
    ] {
        round_trip(&member(&format!("remote_as = 65002\n{keys}")));
        let found = errors(&member(&format!("remote_as = 65001\n{keys}")));
        let key = keys.split(' ').next().unwrap();
        let expected = "needs an eBGP neighbor, and remote_as is our own AS number 65001";
        assert_eq!(found, [format!("error: x.toml:6:{at}: `{key}` {expected}")]);
    }
    let found = errors(&member("remote_as = 65002\nrole_strict = true"));
    let expected = "`role_strict` has no effect without `role`";
    assert_eq!(found, [format!("error: x.toml:6:15: {expected}")]);
}

#[test]
fn a_route_servers_paths_may_begin_with_any_number() {
    for (keys, enforced) in [
        ("", true),
        ("enforce_first_as = false", false),
        ("role = \"route_server_client\"", false),
        (
            "role = \"route_server_client\"\nenforce_first_as = true",
            true,
        ),
        ("role = \"route_server\"", true),
    ] {
        let config = round_trip(&member(&format!("remote_as = 65002\n{keys}")));
        assert_eq!(config.neighbors[0].enforces_first_as(), enforced, "{keys}");
    }
}

#[test]
fn numbers_are_handled_as_the_family_says() {
    let with = |keys: &str| {
        let config = round_trip(&member(&format!(
            "remote_as = 65002\nipv4_unicast = {{ {keys} }}"
        )));
        let family = config.neighbors[0].families.ipv4_unicast.as_ref().unwrap();
        family.handling
    };
    let none = Handling::default();
    for (keys, expected) in [
        ("", none),
        (
            "allowas_in = 3",
            Handling {
                own_as: OwnAs::Times(3),
                ..none
            },
        ),
        (
            "allowas_in = \"origin\", as_override = true",
            Handling {
                own_as: OwnAs::Origin,
                as_override: true,
                ..none
            },
        ),
        (
            "remove_private_as = true",
            Handling {
                private_as: PrivateAs::Remove,
                ..none
            },
        ),
        (
            "remove_private_as = \"replace_all\", send_community = [\"large\"]",
            Handling {
                private_as: PrivateAs::ReplaceAll,
                omitted: Omitted {
                    standard: true,
                    extended: true,
                    ..Omitted::default()
                },
                ..none
            },
        ),
    ] {
        assert_eq!(with(keys), expected, "{keys}");
    }
    for (remote_as, keys, expected) in [
        (
            65002,
            "ipv4_unicast = { allowas_in = 0 }",
            "6:31: `allowas_in` is 0, but must be a number from 1 to 10 or \"origin\"",
        ),
        (
            65002,
            "ipv4_unicast = { remove_private_as = 1 }",
            "6:38: `remove_private_as` is 1, but must be true, false, \"plain\", \"all\", \
             \"replace\" or \"replace_all\"",
        ),
        (
            65002,
            "evpn = { send_community = [\"large\"] }",
            "6:27: `send_community` leaves out \"extended\", but EVPN routes need their route \
             targets",
        ),
        (
            65001,
            "ipv4_unicast = { as_override = true }",
            "6:32: `as_override` needs an eBGP neighbor, and remote_as is our own AS number 65001",
        ),
        (
            65001,
            "evpn = { remove_private_as = \"all\" }",
            "6:30: `remove_private_as` needs an eBGP neighbor, and remote_as is our own AS number \
             65001",
        ),
    ] {
        let text = member(&format!("remote_as = {remote_as}\n{keys}"));
        refused(&text, expected);
    }
}

#[test]
fn members_of_a_confederation_are_within_and_nobody_outside_has_its_number() {
    let router = |keys: &str| format!("[router]\n{keys}\n");
    let both = router("confederation_id = 65100\nconfederation_members = [65003, 65002, 65001]");
    let config = round_trip(&(both.clone() + &member("remote_as = 65002")));
    let confederation = config.confederation.clone().unwrap();
    assert_eq!(confederation.members, [65002.into(), 65003.into()]);
    for (remote_as, asn, within) in [
        ("65002", 65001, true),
        ("65001", 65001, false),
        ("\"internal\"", 65001, false),
        ("65009", 65100, false),
        ("\"external\"", 65100, false),
        ("65009\nlocal_as = 7", 7, false),
    ] {
        let config = accepted(&(both.clone() + &member(&format!("remote_as = {remote_as}"))));
        let neighbor = &config.neighbors[0];
        let seen = (config.asn_towards(neighbor), config.is_member(neighbor));
        assert_eq!(seen, (asn.into(), within), "{remote_as}");
    }
    for (text, expected) in [
        (
            router("confederation_members = [65002]"),
            "4:25: `confederation_members` has no effect without `confederation_id`",
        ),
        (
            router("confederation_id = 65002") + &member("remote_as = 65002"),
            "4:20: `confederation_id` is 65002, which is also the AS number of a neighbor \
             outside",
        ),
        (
            both.clone() + &member("remote_as = 65002\nrole = \"peer\""),
            "9:8: `role` needs an eBGP neighbor, and AS 65002 is of our own confederation",
        ),
        (
            both.clone() + &member("remote_as = 65002\nlocal_as = 7"),
            "9:12: `local_as` needs an eBGP neighbor, and AS 65002 is of our own confederation",
        ),
        (
            both.clone() + &member("remote_as = \"auto\""),
            "8:13: `remote_as` is not supported: \"auto\" leaves open by which number a confederation is \
             known to it",
        ),
    ] {
        refused(&text, expected);
    }
}

#[test]
fn what_depends_on_other_routes_names_maps_that_are_there() {
    let map = "[[route_map]]\nname = \"M\"\nentry = [{ seq = 10, action = \"permit\" }]\n";
    let of = |keys: &str| member(&format!("remote_as = 65002\nipv4_unicast = {{ {keys} }}")) + map;
    let config = round_trip(&of(
        "default_originate = { route_map = \"M\" }, advertise_if = { routes = \"M\", absent = \
         \"M\" }, unsuppress = \"M\", maximum_prefixes_out = 7",
    ));
    let family = config.neighbors[0].families.ipv4_unicast.as_ref().unwrap();
    assert_eq!(family.conditions().count(), 4);
    assert_eq!(family.maximum_prefixes_out.map(u32::from), Some(7));
    let words = config.neighbors[0].relation_in_words().join("\n");
    for clause in [
        "it is told a default route of our own while a route passes M",
        "it is told what passes M only while no route passes M",
        "it is told what passes M although an aggregate stands for it",
        "it is told 7 prefixes at most",
    ] {
        assert!(words.contains(clause), "{words}");
    }
    for (keys, expected) in [
        (
            "default_originate = { route_map = \"N\" }",
            "6:52: route_map `N` is not defined",
        ),
        (
            "default_originate = {}",
            "6:38: default_originate has no `route_map`, but must have the name of a route_map that \
             some route has to pass",
        ),
        (
            "advertise_if = { routes = \"M\" }",
            "6:33: advertise_if has no `exist`, but must have the name of a route_map, or `absent` \
             instead",
        ),
        (
            "advertise_if = { routes = \"M\", exist = \"M\", absent = \"M\" }",
            "6:71: `exist` and `absent` (6:57) exclude each other",
        ),
        (
            "maximum_prefixes_out = 0",
            "6:41: `maximum_prefixes_out` is 0, but must be a number from 1 to 4294967295",
        ),
    ] {
        refused(&of(keys), expected);
    }
    let found = errors(&member(
        "remote_as = 65002\nevpn = { advertise_if = {}, unsuppress = \"M\" }",
    ));
    assert_eq!(found.len(), 2, "{found:?}");
}

#[test]
fn a_default_route_is_for_families_that_have_one() {
    let config = round_trip(&member(
        "remote_as = 65002\nipv6_unicast = { default_originate = true }",
    ));
    let family = config.neighbors[0].families.ipv6_unicast.as_ref().unwrap();
    assert_eq!(
        family.default_originate,
        Some(bgp::rib::DefaultOriginate::Always)
    );
    let found = errors(&member(
        "remote_as = 65002\nevpn = { default_originate = true }",
    ));
    let expected = "`default_originate` is not supported: EVPN has no default route";
    assert_eq!(found, [format!("error: x.toml:6:10: {expected}")]);
}
