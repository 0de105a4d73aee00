use super::*;
use crate::config::tests::{EVERY_KEY, accepted};

const BASE: &str = r#"
asn = 65001
router_id = "10.10.0.1"

[ipv4_unicast]
networks = ["10.1.0.0/16", "10.2.0.0/16"]

[evpn]
vtep = "10.10.0.1"

[[neighbor]]
address = "10.10.0.2"
remote_as = 65002
timers = { hold = "30s" }
ipv4_unicast = { import = "IN", export = "OUT" }

[[neighbor]]
address = "10.10.0.3"
remote_as = 65003
ipv4_unicast = { import = "IN" }
evpn = { export = "OUT" }

[[neighbor]]
interface = "swp1"
remote_as = 65005

[[listen_range]]
prefix = "10.20.0.0/16"
remote_as = 65004

[[vni]]
id = 100
name = "production"

[[prefix_list]]
name = "INTERNAL"
rules = ["permit 10.0.0.0/8 le 24"]

[[route_map]]
name = "INNER"
entry = [{ seq = 10, action = "permit", match = { prefix_list = "INTERNAL" } }]

[[route_map]]
name = "IN"
entry = [{ seq = 10, action = "permit", call = "INNER" }]

[[route_map]]
name = "OUT"
entry = [{ seq = 10, action = "permit" }]
"#;

/// The difference that replacing one text by another makes.
fn change(from: &str, to: &str) -> Diff {
    assert!(BASE.contains(from), "{from}");
    diff(&accepted(BASE), &accepted(&BASE.replacen(from, to, 1)))
}

#[test]
fn nothing_changes_between_equal_configurations() {
    for text in [BASE, EVERY_KEY] {
        let diff = diff(&accepted(text), &accepted(text));
        assert!(diff.is_empty());
        assert_eq!(diff.to_string(), "no changes");
    }
}

#[test]
fn every_kind_of_change_is_shown_in_the_words_of_the_file() {
    let table = [
        (
            "asn = 65001",
            "asn = 65009",
            "asn 65001 -> 65009 (sessions restart)",
        ),
        (
            "asn = 65001",
            "asn = 65001\nlisten = [\"10.10.0.1:179\"]",
            "listen default -> [\"10.10.0.1:179\"] (needs a restart of rbgpd)",
        ),
        (
            "asn = 65001",
            "asn = 65001\nlisten = [\"10.10.0.1:1179\"]",
            "listen default -> [\"10.10.0.1:1179\"]",
        ),
        (
            "[evpn]",
            "[router]\ndefault_local_preference = 200\n\n[evpn]",
            "router.default_local_preference default -> 200",
        ),
        (
            "vtep = \"10.10.0.1\"",
            "vtep = \"10.10.0.9\"",
            "evpn.vtep \"10.10.0.1\" -> \"10.10.0.9\"",
        ),
        (
            "vtep = \"10.10.0.1\"",
            "vtep = \"10.10.0.1\"\nduplicate_detection = { action = \"freeze\" }",
            "evpn.duplicate_detection default -> { action = \"freeze\" }",
        ),
        (
            "vtep = \"10.10.0.1\"",
            "vtep = \"10.10.0.1\"\nduplicate_detection = false",
            "evpn.duplicate_detection default -> false",
        ),
        (
            "vtep = \"10.10.0.1\"",
            "vtep = \"10.10.0.1\"\nduplicate_detection = { moves = 5, window = \"3m\", action = \"warn\" }",
            "no changes",
        ),
        (
            "remote_as = 65002",
            "remote_as = 65002\ndescription = \"B\"",
            "neighbor 10.10.0.2: description default -> \"B\"",
        ),
        (
            "remote_as = 65002",
            "remote_as = 65002\npassword = \"one\"",
            "neighbor 10.10.0.2: password default -> \"<hidden>\" (session restarts)",
        ),
        (
            "remote_as = 65002",
            "remote_as = 65002\nttl_security = 1\nupdate_source = \"lo\"",
            "neighbor 10.10.0.2: ttl_security default -> 1 (session restarts)\n\
             neighbor 10.10.0.2: update_source default -> \"lo\" (session restarts)",
        ),
        (
            "hold = \"30s\"",
            "hold = \"60s\"",
            "neighbor 10.10.0.2: timers { hold = \"30s\" } -> { hold = \"60s\" } (session restarts)",
        ),
        (
            "hold = \"30s\"",
            "hold = \"30s\", connect_retry = \"1s\"",
            "neighbor 10.10.0.2: timers { hold = \"30s\" } -> \
             { hold = \"30s\", connect_retry = \"1s\" }",
        ),
        (
            "evpn = { export = \"OUT\" }\n",
            "evpn = { export = \"OUT\", maximum_prefixes = 10 }\n",
            "neighbor 10.10.0.3: evpn { export = \"OUT\" } -> \
             { export = \"OUT\", maximum_prefixes = 10 }",
        ),
        (
            "evpn = { export = \"OUT\" }\n",
            "",
            "neighbor 10.10.0.3: evpn { export = \"OUT\" } -> default (session restarts)",
        ),
        (
            "evpn = { export = \"OUT\" }\n",
            "evpn = {}\n",
            "neighbor 10.10.0.3: evpn { export = \"OUT\" } -> {}",
        ),
        (
            "remote_as = 65002",
            "remote_as = 65002\nshutdown = true\nport = 1790",
            "neighbor 10.10.0.2: port default -> 1790\n\
             neighbor 10.10.0.2: shutdown default -> true",
        ),
        (
            "address = \"10.10.0.2\"",
            "address = \"10.10.0.4\"",
            "neighbor 10.10.0.4: added\nneighbor 10.10.0.2: removed",
        ),
        (
            "remote_as = 65004",
            "remote_as = 65004\nlimit = 7\nrole = \"peer\"\nevpn = { import = \"INNER\" }",
            "listen_range 10.20.0.0/16: evpn default -> { import = \"INNER\" } (session restarts)\n\
             listen_range 10.20.0.0/16: limit default -> 7 (session restarts)\n\
             listen_range 10.20.0.0/16: role default -> \"peer\" (session restarts)",
        ),
        (
            "\"swp1\"\nremote_as = 65005",
            "\"swp1\"\nremote_as = 65006",
            "neighbor swp1: remote_as 65005 -> 65006 (session restarts)",
        ),
        (
            "swp1",
            "swp2",
            "neighbor swp2: added\nneighbor swp1: removed",
        ),
        (
            "10.20.0.0/16",
            "10.21.0.0/16",
            "listen_range 10.21.0.0/16: added\nlisten_range 10.20.0.0/16: removed",
        ),
        ("id = 100", "id = 200", "vni 200: added\nvni 100: removed"),
        (
            "name = \"production\"",
            "name = \"production\"\ngateway = [\"10.100.0.1/24\"]",
            "vni 100: gateway default -> [\"10.100.0.1/24\"]",
        ),
        (
            "[\"10.1.0.0/16\", \"10.2.0.0/16\"]",
            "[{ prefix = \"10.2.0.0/16\", require_route = true }, \"10.3.0.0/16\"]",
            "network 10.3.0.0/16: added\nnetwork 10.1.0.0/16: removed\n\
             network 10.2.0.0/16: networks \"10.2.0.0/16\" -> \
             { prefix = \"10.2.0.0/16\", require_route = true }",
        ),
        (
            "permit 10.0.0.0/8 le 24",
            "permit 10.0.0.0/8 le 25",
            "prefix_list INTERNAL: changed; affects 10.10.0.2 ipv4_unicast import, \
             10.10.0.3 ipv4_unicast import",
        ),
        (
            "name = \"OUT\"\nentry = [{ seq = 10, action = \"permit\" }]",
            "name = \"OUT\"\nentry = [{ seq = 10, action = \"deny\" }]",
            "route_map OUT: changed; affects 10.10.0.2 ipv4_unicast export, 10.10.0.3 evpn export",
        ),
        (
            "[[prefix_list]]\nname = \"INTERNAL\"",
            "[[community_list]]\nname = \"C\"\nrules = [\"permit any\"]\n\n\
             [[prefix_list]]\nname = \"INTERNAL\"",
            "community_list C: added",
        ),
        (
            "[evpn]",
            "[log]\nlevel = \"debug\"\n\n[evpn]",
            "log.level default -> \"debug\"",
        ),
        (
            "[evpn]",
            "[bestpath]\nalways_compare_med = true\n\n[evpn]",
            "bestpath.always_compare_med default -> true",
        ),
    ];
    for (from, to, expected) in table {
        assert_eq!(change(from, to).to_string(), expected);
    }
}

#[test]
fn a_default_that_changes_shows_where_it_takes_effect() {
    let diff = change(
        "[evpn]",
        "[graceful_restart]\nrestart_time = \"60s\"\n\n[evpn]",
    );
    let [(_, one), (_, two)] = &diff.neighbors.changed[..] else {
        panic!("{diff}");
    };
    assert!(one.session_restart && two.session_restart);
    assert_eq!(one.fields[0].key, "graceful_restart");
    assert_eq!(diff.globals[0].key, "graceful_restart.restart_time");
}

#[test]
fn the_order_of_lists_does_not_matter() {
    assert!(
        change(
            "[\"10.1.0.0/16\", \"10.2.0.0/16\"]",
            "[\"10.2.0.0/16\", \"10.1.0.0/16\"]"
        )
        .is_empty()
    );
}

#[test]
fn a_change_back_names_the_same_keys() {
    let (one, two) = (
        accepted(BASE),
        accepted(&BASE.replace("hold = \"30s\"", "hold = \"9s\"")),
    );
    let (there, back) = (diff(&one, &two), diff(&two, &one));
    let keys = |diff: &Diff| -> Vec<String> {
        let changed = diff.neighbors.changed.iter();
        changed
            .flat_map(|(_, change)| change.fields.iter().map(|f| f.key.clone()))
            .collect()
    };
    assert_eq!(keys(&there), ["timers"]);
    assert_eq!(keys(&there), keys(&back));
}

#[test]
fn another_password_is_a_change_that_says_neither() {
    let with = |word: &str| {
        BASE.replacen(
            "remote_as = 65002",
            &format!("remote_as = 65002\npassword = \"{word}\""),
            1,
        )
    };
    let (one, two) = (accepted(&with("one-word")), accepted(&with("two-word")));
    assert!(diff(&one, &one).is_empty());
    assert_eq!(
        diff(&one, &two).to_string(),
        "neighbor 10.10.0.2: password <hidden> -> another one (session restarts)"
    );
}

#[test]
fn keys_that_are_changed_one_by_one_leave_the_session_alone() {
    let with = |keys: &str| {
        let text = format!("remote_as = 65002\ntcp_ao = [{keys}]");
        accepted(&BASE.replacen("remote_as = 65002", &text, 1))
    };
    let (one, two) = ("{ id = 1, secret = \"x\" }", "{ id = 2, secret = \"y\" }");
    let (hidden_one, hidden_two) = (
        "{ id = 1, secret = \"<hidden>\" }",
        "{ id = 2, secret = \"<hidden>\" }",
    );
    let both = format!("{one}, {two}");
    let other_secret = "{ id = 1, secret = \"z\" }";
    for (before, after, expected) in [
        (
            one,
            both.as_str(),
            format!("[{hidden_one}] -> [{hidden_one}, {hidden_two}]"),
        ),
        (
            &both,
            two,
            format!("[{hidden_one}, {hidden_two}] -> [{hidden_two}]"),
        ),
        (
            one,
            two,
            format!("[{hidden_one}] -> [{hidden_two}] (session restarts)"),
        ),
        (
            one,
            other_secret,
            "<hidden> -> another one (session restarts)".to_owned(),
        ),
    ] {
        let shown = diff(&with(before), &with(after)).to_string();
        assert_eq!(shown, format!("neighbor 10.10.0.2: tcp_ao {expected}"));
    }
}

#[test]
fn aggregates_are_compared_one_by_one_and_maps_name_whom_they_affect() {
    let text = BASE.replace(
        "networks = [\"10.1.0.0/16\", \"10.2.0.0/16\"]",
        "aggregates = [\"10.0.0.0/8\", { prefix = \"10.0.0.0/9\", suppress = \"OUT\" }]",
    );
    let old = accepted(&text);
    let new = text.replace(
        "[\"10.0.0.0/8\",",
        "[{ prefix = \"10.0.0.0/8\", summary_only = true },",
    );
    let lines = diff(&old, &accepted(&new)).to_string();
    assert_eq!(
        lines,
        "aggregate 10.0.0.0/8: aggregates \"10.0.0.0/8\" -> { prefix = \"10.0.0.0/8\", \
         summary_only = true }"
    );
    let used = uses(&old, PolicyKind::RouteMap, "OUT");
    let aggregate = PolicyUse::Aggregate("10.0.0.0/9".parse().unwrap());
    assert!(used.contains(&aggregate), "{used:?}");
    let none = diff(&old, &accepted(BASE)).to_string();
    assert!(none.contains("aggregate 10.0.0.0/9: removed"), "{none}");
}

#[test]
fn imports_are_compared_by_the_instance_they_are_from() {
    let with = |imports: &str| {
        let instance = "[[instance]]\nname = \"b\"\nasn = 65001\nrouter_id = \"10.10.0.9\"\n\
                        listen = []\n[instance.kernel]\ntable = 9\n";
        let text = BASE.replacen("asn = 65001", "asn = 65001\nlisten = []", 1);
        accepted(&format!("{text}{imports}{instance}"))
    };
    let import = |keys: &str| format!("[[import]]\nfrom = \"b\"\n{keys}");
    let (none, plain, mapped) = (
        with(""),
        with(&import("")),
        with(&import("route_map = \"IN\"\n")),
    );
    for (old, new, expected) in [
        (&none, &plain, "import from b: added"),
        (&plain, &none, "import from b: removed"),
        (
            &plain,
            &mapped,
            "import from b: route_map default -> \"IN\"",
        ),
    ] {
        assert_eq!(diff(old, new).to_string(), expected);
    }
    let users = uses(&mapped, PolicyKind::PrefixList, "INTERNAL");
    let users: Vec<String> = users.iter().map(ToString::to_string).collect();
    assert!(users.contains(&"import from b".to_owned()), "{users:?}");
}

#[test]
fn where_bgp_begins_or_ends_no_value_is_named_that_nobody_wrote() {
    let without = accepted("asn = 64512\nrouter_id = \"10.10.0.1\"\nlisten = []\n");
    let with = accepted("asn = 65001\nrouter_id = \"10.10.0.1\"\n");
    assert_eq!(
        diff(&with, &without).to_string(),
        "router bgp 65001 -> none"
    );
    assert_eq!(
        diff(&without, &with).to_string(),
        "router bgp none -> 65001"
    );
    // A router that takes no connections is one.
    let neighbor = "[[neighbor]]\naddress = \"10.10.0.2\"\nremote_as = 65002\nipv4_unicast = {}\n";
    let quiet = |asn| format!("asn = {asn}\nrouter_id = \"10.10.0.1\"\nlisten = []\n{neighbor}");
    let [one, other] = [64512, 65001].map(|asn| accepted(&quiet(asn)));
    assert_eq!(
        diff(&one, &other).to_string(),
        "asn 64512 -> 65001 (sessions restart)"
    );
}
