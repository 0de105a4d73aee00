//! Forms of lines that files of real routers have.

use super::*;
use bgp::policy::{CommunityChange, Match, Set};
use bgp::session::RemoteAs;

/// What a file comes to, which FRR's language and ours both say again.
fn kept(text: &str) -> Config {
    let config = config(text);
    let shown = crate::frr::print(&config, &Host::default());
    assert_eq!(on(&shown.text, &Host::default()), config, "{}", shown.text);
    let ours = config::print(&config);
    assert_eq!(toml(&ours), config, "{ours}");
    config
}

/// What became of the lines with this in them.
fn outcomes(text: &str, part: &str) -> Vec<Outcome> {
    let (translation, read) = parsed(text, &Host::default());
    assert!(read.is_ok(), "{}", all(&read.unwrap_err()));
    let lines = translation.lines.into_iter();
    let named = lines.filter(|line| line.text.contains(part));
    named.map(|line| line.outcome).collect()
}

const ROUTER: &str = "router bgp 65001\n bgp router-id 10.0.0.1\n";

#[test]
fn a_neighbor_may_be_of_whatever_as_it_says() {
    let config = kept(&format!(
        "{ROUTER} neighbor 10.0.0.2 remote-as auto\n neighbor swp1 interface remote-as auto\n \
         neighbor swp2 interface v6only remote-as auto\n neighbor G peer-group\n \
         neighbor G remote-as auto\n neighbor 10.0.0.3 peer-group G\n"
    ));
    let ases: Vec<_> = config.settings().map(|it| it.remote_as).collect();
    assert_eq!(ases, [RemoteAs::Auto; 4]);
}

#[test]
fn a_line_of_no_block_does_not_end_the_block_of_those_behind_it() {
    let text = format!(
        "{ROUTER} neighbor 10.0.0.2 remote-as 65002\n bgp route-map delay-timer 1\n \
         neighbor 10.0.0.2 timers 1 3\n !\n address-family ipv6 unicast\n  \
         bgp route-map delay-timer 2\n  neighbor 10.0.0.2 activate\n exit-address-family\n"
    );
    let plain: Vec<&str> = text.lines().filter(|it| !it.contains("delay")).collect();
    assert_eq!(kept(&text), config(&plain.join("\n")));
    let (translation, _) = parsed(&text, &Host::default());
    let said = "line 4 is of no block, so FRR does not know line 5 behind it; it is taken for one of \
                the block before";
    assert!(translation.remarks.iter().any(|it| it == said));
    // What another block has opened since then is meant.
    let other = format!(
        "{ROUTER} bgp route-map delay-timer 1\ninterface lo\nexit\n neighbor 10.0.0.2 remote-as 65002\n"
    );
    let (_, read) = parsed(&other, &Host::default());
    assert_eq!(read.unwrap_err()[0].place.line, 6);
}

#[test]
fn what_stands_outside_of_routers_is_for_all_that_do_not_say_otherwise() {
    let config = kept(&format!(
        "bgp graceful-restart restart-time 7\n{ROUTER}router bgp 65001 vrf red\n \
         bgp router-id 10.0.0.1\n bgp graceful-restart restart-time 8\n"
    ));
    let seconds = |config: &Config| config.graceful_restart.restart_time.as_secs();
    assert_eq!((seconds(&config), seconds(&config.instances[0])), (7, 8));
    assert_eq!(
        kept(&format!("bgp graceful-restart-disable\n{ROUTER}")),
        kept(&format!("{ROUTER} bgp graceful-restart-disable\n"))
    );
}

#[test]
fn neighbors_may_be_asked_not_to_wait_at_all() {
    let config = kept(&format!(
        "{ROUTER} bgp graceful-restart restart-time 0\n \
         bgp long-lived-graceful-restart stale-time 10\n"
    ));
    assert!(config.graceful_restart.restart_time.is_zero());
}

#[test]
fn an_interface_beside_an_address_is_a_zone_or_the_kernels_business() {
    let text = format!(
        "{ROUTER} neighbor fe80::2 remote-as 65002\n neighbor fe80::2 interface swp1\n \
         neighbor 2001:db8::2 remote-as 65002\n neighbor 2001:db8::2 interface swp1\n \
         neighbor swp2 interface remote-as external\n neighbor swp2 update-source 10.0.0.9\n"
    );
    let config = kept(&text);
    let addresses: Vec<String> = config
        .neighbors
        .iter()
        .map(|it| it.address.to_string())
        .collect();
    assert_eq!(addresses, ["fe80::2%swp1", "2001:db8::2"]);
    assert_eq!(outcomes(&text, "fe80::2 interface"), [Outcome::Honoured]);
    for part in ["2001:db8::2 interface", "update-source"] {
        assert!(
            matches!(outcomes(&text, part)[..], [Outcome::Differs(_)]),
            "{part}"
        );
    }
}

#[test]
fn a_client_of_another_as_is_none_as_in_frr() {
    let lines = "neighbor 10.0.0.2 remote-as 65002\n neighbor 10.0.0.2 route-reflector-client\n \
                 neighbor 10.0.0.3 remote-as 65001\n neighbor 10.0.0.3 route-reflector-client\n \
                 neighbor 10.0.0.4 remote-as external\n neighbor 10.0.0.4 route-reflector-client\n";
    let text = format!("{ROUTER} {lines}");
    let config = kept(&text);
    let clients = config
        .neighbors
        .iter()
        .map(|it| it.reflector_client().ipv4_unicast);
    assert_eq!(clients.collect::<Vec<_>>(), [false, true, false]);
    let became = outcomes(&text, "reflector");
    assert!(matches!(
        became[..],
        [Outcome::Noted(_), Outcome::Honoured, Outcome::Noted(_)]
    ));
}

#[test]
fn advertisements_go_where_a_neighbor_is_known_by_its_interface() {
    let text = format!(
        "interface swp1\n no ipv6 nd suppress-ra\n ipv6 nd ra-interval 6\n!\ninterface swp2\n \
         no ipv6 nd suppress-ra\n!\ninterface swp3\n ipv6 nd suppress-ra\n ipv6 nd ra-interval 5\n!\n\
         interface swp4\n ipv6 nd ra-interval msec 1500\n!\n{ROUTER} \
         neighbor swp1 interface remote-as external\n neighbor swp4 interface remote-as external\n"
    );
    let config = kept(&text);
    let intervals = config
        .interfaces
        .iter()
        .map(|it| it.advertisement_interval.as_secs());
    assert_eq!(intervals.collect::<Vec<_>>(), [6, 2]);
    let became = outcomes(&text, "ipv6 nd");
    assert!(
        matches!(
            became[..],
            [
                Outcome::Honoured,
                Outcome::Honoured,
                Outcome::Differs(_),
                Outcome::Honoured,
                Outcome::Honoured,
                Outcome::Differs(_)
            ]
        ),
        "{became:?}"
    );
    let off = text.replace(
        "no ipv6 nd suppress-ra\n ipv6 nd ra",
        "ipv6 nd suppress-ra\n ipv6 nd ra",
    );
    assert!(matches!(
        outcomes(&off, "suppress-ra")[0],
        Outcome::Differs(_)
    ));
}

#[test]
fn a_map_asks_for_the_vrf_that_a_route_is_from_and_for_the_lack_of_a_tag() {
    let config = kept(&format!(
        "{ROUTER} address-family ipv4 unicast\n  import vrf red\n  import vrf route-map M\n \
         exit-address-family\n!\nroute-map M permit 10\n match source-vrf red\n match tag untagged\n \
         set tag untagged\n"
    ));
    let entry = &config.route_maps[0].entries()[0];
    assert_eq!(
        entry.matches,
        [Match::Tag(0), Match::SourceVrf("red".into())]
    );
    assert_eq!(entry.sets, [Set::Tag(0)]);
    assert_eq!(config.imports[0].vrf.as_deref(), Some("red"));
}

#[test]
fn communities_of_a_list_are_deleted_in_either_order_of_words() {
    let map = |set: &str| {
        kept(&format!(
            "{ROUTER}bgp community-list standard L permit 65001:1\nroute-map M permit 10\n {set}\n"
        ))
    };
    assert_eq!(map("set comm-list delete L"), map("set comm-list L delete"));
}

#[test]
fn lines_of_other_daemons_in_interfaces_and_maps_stop_nothing() {
    let text = format!(
        "interface eth0\n link-params\n  enable\n  metric 5\n  max-bw 1.25e+08\n exit-link-params\n \
         ip router isis 1\n mpls\n tunnel source eth1\n!\n{ROUTER}!\nroute-map M permit 10\n \
         set metric-type type-1\n set forwarding-address 2001:db8::1\n set max-metric 7\n \
         match ip multicast-group 232.1.1.1\n match multicast-interface eth0\n set metric 7\n"
    );
    let (translation, read) = parsed(&text, &Host::default());
    assert!(read.is_ok(), "{}", all(&read.unwrap_err()));
    assert_eq!(translation.counts().elsewhere, 13);
}

#[test]
fn neighbors_are_told_of_a_shutdown_that_the_file_announces() {
    let text = format!("{ROUTER} neighbor 10.0.0.2 remote-as 65002\n");
    let all = kept(&format!("{text} bgp graceful-shutdown\n"));
    assert!(all.graceful_shutdown && !all.neighbors[0].graceful_shutdown);
    assert_eq!(kept(&format!("bgp graceful-shutdown\n{text}")), all);
    let one = kept(&format!("{text} neighbor 10.0.0.2 graceful-shutdown\n"));
    assert!(!one.graceful_shutdown && one.neighbors[0].graceful_shutdown);
    let taken_back = format!("{text} bgp graceful-shutdown\n no bgp graceful-shutdown\n");
    assert_eq!(kept(&taken_back), config(&text));
}

#[test]
fn numbers_of_a_confederation_may_count_for_the_length() {
    let rules = |lines: &str| kept(&format!("{ROUTER}{lines}")).bestpath;
    assert!(rules(" bgp bestpath as-path confed\n").as_path_confed);
    assert_eq!(rules(" bgp bestpath med confed\n"), rules(""));
    assert!(rules(" bgp bestpath med confed missing-as-worst\n").missing_med_as_worst);
}

#[test]
fn the_best_path_of_each_as_is_sent_where_a_neighbor_takes_several() {
    let config = kept(&format!(
        "{ROUTER} neighbor 10.0.0.2 remote-as 65002\n address-family ipv4 unicast\n  \
         neighbor 10.0.0.2 addpath-tx-bestpath-per-AS\n exit-address-family\n"
    ));
    let family = config.neighbors[0].families.ipv4_unicast.as_ref().unwrap();
    assert_eq!(family.add_path.send, Some(bgp::rib::PathsSent::BestPerAs));
}

#[test]
fn colors_and_targets_of_nodes_are_added_to_what_is_there() {
    let config = kept(&format!(
        "{ROUTER}route-map M permit 10\n set extcommunity rt 65000:1\n \
         set extcommunity color 01:100 11:7\n set extcommunity nt 192.0.2.1:0\n"
    ));
    let [Set::ExtendedCommunity(CommunityChange::Add(added))] =
        config.route_maps[0].entries()[0].sets.as_slice()
    else {
        panic!("{:?}", config.route_maps[0]);
    };
    let octets: Vec<String> = added.iter().map(|it| format!("{:02x?}", it.0)).collect();
    assert_eq!(
        octets,
        [
            "[00, 02, fd, e8, 00, 00, 00, 01]",
            "[03, 0b, 40, 00, 00, 00, 00, 64]",
            "[03, 0b, c0, 00, 00, 00, 00, 07]",
            "[01, 09, c0, 00, 02, 01, 00, 00]"
        ]
    );
    let (_, read) = parsed(
        &format!("{ROUTER}route-map M permit 10\n set extcommunity color 2:100\n"),
        &Host::default(),
    );
    assert!(read.is_err());
}

#[test]
fn link_bandwidths_of_a_session_may_be_whole_numbers() {
    let config = kept(&format!(
        "{ROUTER} neighbor 10.0.0.2 remote-as 65002\n \
         neighbor 10.0.0.2 disable-link-bw-encoding-ieee\n neighbor 10.0.0.3 remote-as 65003\n"
    ));
    let whole: Vec<bool> = config
        .neighbors
        .iter()
        .map(|it| it.whole_bandwidths)
        .collect();
    assert_eq!(whole, [true, false]);
}

#[test]
fn attributes_that_are_not_wanted_are_those_of_the_last_line_less_those_that_are_wanted_again() {
    let unwanted = |lines: &str| {
        let config = kept(&format!(
            "{ROUTER} neighbor 10.0.0.2 remote-as 65002\n{lines}"
        ));
        let unwanted = config.neighbors[0].unwanted;
        [unwanted.discard, unwanted.withdraw].map(|codes| codes.iter().collect::<Vec<u8>>())
    };
    let both = " neighbor 10.0.0.2 path-attribute discard 26 128 128\n \
                neighbor 10.0.0.2 path-attribute treat-as-withdraw 255\n";
    assert_eq!(unwanted(both), [vec![26, 128], vec![255]]);
    let other = format!("{both} neighbor 10.0.0.2 path-attribute discard 5\n");
    assert_eq!(unwanted(&other), [vec![5], vec![255]]);
    let less = format!("{both} no neighbor 10.0.0.2 path-attribute discard 26 27\n");
    assert_eq!(unwanted(&less), [vec![128], vec![255]]);
    let none = format!("{both} no neighbor 10.0.0.2 path-attribute discard\n");
    assert_eq!(unwanted(&none), [vec![], vec![255]]);
    let text = format!(
        "{ROUTER} neighbor 10.0.0.2 remote-as 65002\n \
         neighbor 10.0.0.2 path-attribute discard 14 26\n"
    );
    let (translation, read) = parsed(&text, &Host::default());
    let discard = read.unwrap().neighbors[0].unwanted.discard;
    assert_eq!(discard.iter().collect::<Vec<u8>>(), [26]);
    let said = translation.lines.last().unwrap().to_string();
    assert!(said.contains("every route may need 14"), "{said}");
}

#[test]
fn maps_ask_who_has_sent_a_route_and_take_aigp_and_med_for_each_other() {
    // A list of several is more than a line of FRR's can say, so it is not shown as one.
    let config = config(&format!(
        "{ROUTER} neighbor G peer-group\n neighbor G remote-as 65002\n neighbor 10.0.0.2 peer-group G\n \
         neighbor 10.0.0.3 peer-group G\n!\nroute-map M permit 10\n match src-peer G\n \
         set metric aigp\nroute-map N permit 10\n match src-peer 10.0.0.9\n set aigp-metric igp-metric\n"
    ));
    let [first, second] = config.route_maps.as_slice() else {
        panic!("{:?}", config.route_maps)
    };
    let sender = |text: &str| text.parse().unwrap();
    let of_group = Match::Sender(vec![sender("10.0.0.2"), sender("10.0.0.3")]);
    assert_eq!(first.entries()[0].matches, [of_group]);
    assert_eq!(first.entries()[0].sets, [Set::MetricOfAigp]);
    assert_eq!(
        second.entries()[0].matches,
        [Match::Sender(vec![sender("10.0.0.9")])]
    );
    assert_eq!(second.entries()[0].sets, [Set::AigpOfMetric]);
    let shown = kept(&format!(
        "{ROUTER}route-map N permit 10\n match src-peer 2001:db8::9\n set metric aigp\n \
         set aigp-metric igp-metric\n"
    ));
    let of = [Match::Sender(vec![sender("2001:db8::9")])];
    assert_eq!(shown.route_maps[0].entries()[0].matches, of);
    let unknown = format!("{ROUTER}route-map M permit 10\n match src-peer swp1\n");
    let (_, read) = parsed(&unknown, &Host::default());
    let said = all(&read.unwrap_err());
    assert!(said.contains("known by their addresses"), "{said}");
}

#[test]
fn max_med_counts_for_ever_or_for_some_time_after_a_start() {
    let max_med = |lines: &str| kept(&format!("{ROUTER}{lines}")).max_med;
    let startup = |seconds, med| crate::config::StartupMed {
        time: std::time::Duration::from_secs(seconds),
        med,
    };
    let usual = crate::config::MaxMed::USUAL;
    let both = " bgp max-med administrative\n bgp max-med on-startup 600 7\n";
    let read = max_med(both);
    assert_eq!(read.always, Some(usual));
    assert_eq!(read.on_startup, Some(startup(600, 7)));
    let read = max_med(&format!(
        "{both} no bgp max-med administrative\n bgp max-med on-startup 5\n"
    ));
    assert_eq!(
        (read.always, read.on_startup),
        (None, Some(startup(5, usual)))
    );
    let read = max_med(&format!(
        "{both} no bgp max-med on-startup\n bgp max-med administrative 0\n"
    ));
    assert_eq!((read.always, read.on_startup), (Some(0), None));
}

#[test]
fn a_network_is_announced_or_a_backdoor_as_the_last_line_says() {
    let read = |lines: &str| {
        let config = kept(&format!("{ROUTER} no bgp network import-check\n{lines}"));
        let unicast = config.ipv4_unicast;
        let announced = unicast.networks.iter().map(|it| it.prefix.to_string());
        let backdoors = unicast.backdoors.iter().map(|it| it.to_string());
        (announced.collect::<Vec<_>>(), backdoors.collect::<Vec<_>>())
    };
    let of = |one: &[&str], two: &[&str]| {
        let all = |list: &[&str]| list.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        (all(one), all(two))
    };
    let lines = " network 10.1.0.0/16\n network 10.2.0.0/16 backdoor\n network 10.0.0.0 backdoor\n \
                 network 10.3.0.0 mask 255.255.0.0 backdoor\n";
    assert_eq!(
        read(lines),
        of(
            &["10.1.0.0/16"],
            &["10.0.0.0/8", "10.2.0.0/16", "10.3.0.0/16"]
        )
    );
    let turned = " network 10.1.0.0/16\n network 10.1.0.0/16 backdoor\n \
                  network 10.2.0.0/16 backdoor\n network 10.2.0.0/16\n \
                  network 10.3.0.0/16 backdoor\n no network 10.3.0.0/16\n";
    assert_eq!(read(turned), of(&["10.2.0.0/16"], &["10.1.0.0/16"]));
    let config = kept(&format!(
        "{ROUTER} network 10.2.0.0/16 backdoor\n address-family ipv4 unicast\n  \
         distance bgp 30 40 150\n exit-address-family\n"
    ));
    let metrics: Vec<u32> = config.metrics().into_iter().collect();
    assert_eq!(metrics, [30, 40, 150]);
}

#[test]
fn the_first_as_of_paths_is_not_looked_at_where_the_router_says_so() {
    let config = kept(&format!(
        "{ROUTER} no bgp enforce-first-as\n neighbor 10.0.0.2 remote-as 65002\n \
         neighbor 10.0.0.3 remote-as 65003\n neighbor 10.0.0.3 enforce-first-as\n \
         neighbor G peer-group\n neighbor G remote-as 65004\n neighbor 10.0.0.4 peer-group G\n \
         neighbor 10.0.0.5 remote-as 65001\n"
    ));
    let looked_at: Vec<bool> = config
        .neighbors
        .iter()
        .map(|it| it.enforces_first_as())
        .collect();
    assert_eq!(looked_at, [false, true, false, false]);
}

#[test]
fn what_is_so_in_any_case_is_honoured() {
    let text = format!(
        "service integrated-vtysh-config\nusername cumulus nopassword\n{ROUTER} \
         neighbor 10.0.0.2 remote-as 65002\n neighbor 10.0.0.2 advertisement-interval 0\n \
         no neighbor 10.0.0.2 capability link-local\n"
    );
    let (translation, _) = parsed(&text, &Host::default());
    let counts = translation.counts();
    assert_eq!((counts.honoured, counts.differing), (7, 0));
    let differing = text
        .replace("interval 0", "interval 5")
        .replace("no neighbor", "neighbor");
    assert_eq!(parsed(&differing, &Host::default()).0.counts().differing, 2);
}

#[test]
fn words_behind_a_local_as_mean_nothing_within_it() {
    let with = |words: &str| {
        format!("{ROUTER} neighbor 10.0.0.2 remote-as 7\n neighbor 10.0.0.2 local-as 7{words}\n")
    };
    let flagged = with(" no-prepend replace-as");
    assert_eq!(kept(&flagged), config(&with("")));
    assert!(matches!(
        outcomes(&flagged, "local-as")[..],
        [Outcome::Differs(_)]
    ));
    let other = flagged.replace("remote-as 7", "remote-as 8");
    assert_eq!(outcomes(&other, "local-as"), [Outcome::Honoured]);
}

#[test]
fn a_neighbor_may_be_part_of_a_site_and_have_a_distance() {
    let text = format!(
        "{ROUTER} neighbor 10.0.0.2 remote-as 65002\n neighbor 10.0.1.2 remote-as 65002\n \
         neighbor 10.0.0.2 soo 65000:7\n distance 120 10.0.0.0/16\n distance 130 10.0.1.0/24\n \
         distance 140 10.9.0.0/16\n no distance 140 10.9.0.0/16\n"
    );
    let config = kept(&text);
    let handling = |at: usize| {
        let family = config.neighbors[at].families.ipv4_unicast.as_ref();
        family.unwrap().handling
    };
    let site = handling(0).site_of_origin.map(|it| it.to_string());
    assert_eq!(site.as_deref(), Some("SoO:65000:7"));
    assert_eq!(handling(1).site_of_origin, None);
    assert_eq!(
        [handling(0).distance, handling(1).distance],
        [Some(120), Some(130)]
    );
    assert!(config.metrics().contains(&120) && config.metrics().contains(&130));
}

#[test]
fn an_aggregate_may_have_an_origin_of_its_own() {
    let text = format!("{ROUTER} aggregate-address 10.0.0.0/8 origin egp summary-only\n");
    let origin = kept(&text).aggregates().next().unwrap().origin;
    assert_eq!(origin, Some(bgp::attributes::Origin::Egp));
    let text = format!("{ROUTER} aggregate-address 10.0.0.0/8 origin best\n");
    let errors = parsed(&text, &Host::default()).1.unwrap_err();
    assert!(
        all(&errors).contains("none of igp, egp"),
        "{}",
        all(&errors)
    );
}

#[test]
fn lists_of_communities_may_be_added_and_aliases_matched() {
    let text = format!(
        "bgp community alias 65001:7 SEVEN\nbgp community alias 65001:1:2 LARGE\n\
         bgp community-list standard L permit 65001:1 65001:2\nbgp community-list standard L deny 65001:3\n\
         route-map M permit 10\n match alias SEVEN\n set community 65001:9 additive\n set comm-list L add\n\
         route-map M permit 20\n match alias LARGE\n set comm-list replace L\n\
         route-map M permit 30\n match alias NOBODY\n{ROUTER}"
    );
    let maps = "[[route_map]]\nname = \"M\"\nentry = [\n\
         { seq = 10, action = \"permit\", match = { community = \"65001:7\" }, \
           set = { community = { add = [\"65001:1\", \"65001:2\", \"65001:9\"] } } },\n\
         { seq = 20, action = \"permit\", match = { large_community = \"65001:1:2\" }, \
           set = { community = [\"65001:1\", \"65001:2\"] } },\n\
         { seq = 30, action = \"permit\", match = { community_list = \"alias NOBODY\" } }]\n\
         [[community_list]]\nname = \"alias NOBODY\"\nexpanded = true\nrules = [\"deny .*\"]\n";
    let ours = toml(&format!("asn = 65001\nrouter_id = \"10.0.0.1\"\n{maps}"));
    assert_eq!(config(&text).route_maps, ours.route_maps);
}

#[test]
fn neighbors_of_a_group_and_what_is_our_own_are_matched() {
    let text = format!(
        "{ROUTER} neighbor G peer-group\n neighbor G remote-as 65002\n neighbor 10.0.0.2 peer-group G\n \
         neighbor 10.0.0.3 peer-group G\nroute-map M permit 10\n match peer G\nroute-map M permit 20\n match peer local\n"
    );
    let conditions: Vec<String> = config(&text).route_maps[0]
        .entries()
        .iter()
        .map(|entry| entry.matches[0].to_string())
        .collect();
    assert_eq!(conditions, ["peer 10.0.0.2 10.0.0.3", "local"]);
    let open = format!(
        "{ROUTER} neighbor G peer-group\n bgp listen range 10.0.0.0/8 peer-group G\n neighbor G remote-as 65002\n\
                        route-map M permit 10\n match peer G\n"
    );
    let errors = parsed(&open, &Host::default()).1.unwrap_err();
    assert!(
        all(&errors).contains("known by their addresses"),
        "{}",
        all(&errors)
    );
}

#[test]
fn a_confederation_may_have_the_number_of_a_member() {
    let text = format!(
        "{ROUTER} bgp confederation identifier 300\n bgp confederation peers 300\n neighbor 10.0.0.2 remote-as 300\n"
    );
    let config = kept(&text);
    assert!(config.is_member(&config.neighbors[0]));
    let outside = text.replace(" bgp confederation peers 300\n", "");
    let errors = parsed(&outside, &Host::default()).1.unwrap_err();
    assert!(
        all(&errors).contains("which is also the AS number of a neighbor outside"),
        "{}",
        all(&errors)
    );
}

#[test]
fn each_family_goes_to_the_overlay_through_its_own_map() {
    let text = "route-map FOUR permit 10\nroute-map SIX permit 10\nvrf red\n vni 4001\nexit-vrf\n\
                router bgp 65001\n bgp router-id 10.0.0.1\n address-family l2vpn evpn\n  advertise-all-vni\n\
                router bgp 65001 vrf red\n address-family l2vpn evpn\n  advertise ipv4 unicast route-map FOUR\n  \
                advertise ipv6 unicast route-map SIX\n";
    let config = config(text);
    let l3vni = config.instances[0].l3vni.as_ref().unwrap();
    let called = l3vni.export.as_ref().unwrap().entries();
    let called = called.iter().map(|it| it.call.as_ref().unwrap().name());
    assert_eq!(called.collect::<Vec<_>>(), ["FOUR", "SIX"]);
}

#[test]
fn traffic_may_be_shared_by_paths_of_both_kinds_of_sessions() {
    let config = kept(&format!(
        "{ROUTER} bgp bestpath peer-type multipath-relax\n"
    ));
    assert!(config.bestpath.peer_type_relax);
}

#[test]
fn a_view_is_an_instance_that_the_kernel_has_nothing_of() {
    let view = |name: &str, rest: &str| {
        format!(
            "router bgp 65001 view {name}\n bgp router-id 10.0.0.1\n neighbor 10.0.0.{rest} remote-as 65002\n"
        )
    };
    let (one, two) = (view("ONE", "2"), view("two", "3"));
    let config = config(&format!("{one}{two}"));
    assert!(config.listen.is_empty() && config.neighbors.is_empty());
    let names = config
        .instances
        .iter()
        .map(|it| it.name.as_deref().unwrap());
    assert_eq!(names.collect::<Vec<_>>(), ["one", "two"]);
    for instance in &config.instances {
        assert_eq!((instance.vrf.as_ref(), instance.neighbors.len()), (None, 1));
        assert!(instance.metrics().is_empty());
    }
    let listen = config.instances.iter().map(|it| it.listen.is_empty());
    assert_eq!(listen.collect::<Vec<_>>(), [false, true]);
    assert!(matches!(
        outcomes(&format!("{one}{two}"), "router bgp")[..],
        [Outcome::Noted(_), Outcome::Differs(_)]
    ));
    // Beside a router without a view it is that one that listens.
    let three = super::config(&format!("{ROUTER}{one}"));
    assert!(!three.listen.is_empty() && three.instances[0].listen.is_empty());
    assert!(
        super::config(&format!("{one}{ROUTER}no router bgp 65001 view ONE\n"))
            .instances
            .is_empty()
    );
}

#[test]
fn a_session_may_do_without_capabilities() {
    let line = "neighbor 10.0.0.2 dont-capability-negotiate";
    let of = |lines: &str| {
        let config = kept(&format!(
            "{ROUTER} neighbor 10.0.0.2 remote-as 65002\n {lines}\n"
        ));
        config.neighbors[0].capabilities
    };
    assert!(!of(line));
    assert!(of("") && of(&format!("{line}\n no {line}")));
}

#[test]
fn a_bandwidth_may_be_that_of_the_paths() {
    let text = format!(
        "{ROUTER}route-map M permit 10\n set extcommunity bandwidth num-multipaths\n\
         route-map M permit 20\n set extcommunity bandwidth cumulative non-transitive\n"
    );
    let config = kept(&text);
    let of = |at: usize| match &config.route_maps[0].entries()[at].sets[..] {
        [Set::Bandwidth(bandwidth)] => (bandwidth.amount, bandwidth.transitive),
        sets => panic!("{sets:?}"),
    };
    assert_eq!(of(0), (bgp::policy::BandwidthAmount::Paths, true));
    assert_eq!(of(1), (bgp::policy::BandwidthAmount::Sum, false));
}

#[test]
fn names_are_shown_where_lines_or_frrs_defaults_say_so() {
    let shown = |outside: &str, lines: &str| {
        let text = format!("{outside}\nrouter bgp 65001\n bgp router-id 10.0.0.1\n{lines}\n");
        let names = config(&text).shown_names;
        (names.neighbors, names.next_hops)
    };
    let (both, one, other) = (
        "bgp default show-hostname\nbgp default show-nexthop-hostname",
        "bgp default show-hostname",
        "bgp default show-nexthop-hostname",
    );
    let center = "frr defaults datacenter";
    assert_eq!(shown("", ""), (false, false));
    assert_eq!(shown("", both), (true, true));
    assert_eq!(shown("", one), (true, false));
    assert_eq!(shown("", other), (false, true));
    assert_eq!(shown(center, ""), (true, true));
    assert_eq!(shown(center, &format!("no {one}")), (false, true));
    assert_eq!(shown("", &format!("{both}\nno {other}")), (true, false));
}

#[test]
fn as_many_paths_as_the_largest_builds_of_frr_have_are_used() {
    for (line, wanted) in [("514", 514), ("1024", 1024), ("999", 999)] {
        let text = format!(
            "router bgp 65001\n bgp router-id 10.0.0.1\n address-family ipv4 unicast\n  maximum-paths {line}\n"
        );
        let (translation, read) = parsed(&text, &Host::default());
        let honoured = |it: &LineReport| it.outcome == Outcome::Honoured;
        assert!(translation.lines.iter().all(honoured), "{line}");
        assert_eq!(read.unwrap().ipv4_unicast.multipath.paths, wanted);
    }
}

#[test]
fn the_gateway_of_the_host_is_told_for_all_vnis_or_for_one() {
    let told = |of_all: &str, of_one: &str| {
        let text = format!(
            "{ROUTER} address-family l2vpn evpn\n  advertise-all-vni\n  {of_all}\n  vni 100\n   {of_one}\n  \
             exit-vni\n  vni 200\n"
        );
        let vnis = config(&text).vnis;
        vnis.iter()
            .map(|it| it.advertise_gateway)
            .collect::<Vec<_>>()
    };
    let line = "advertise-default-gw";
    assert_eq!(told("", ""), [false, false]);
    assert_eq!(told(line, ""), [true, true]);
    assert_eq!(told("", line), [true, false]);
    assert_eq!(told(&format!("{line}\n  no {line}"), ""), [false, false]);
}

#[test]
fn a_vni_without_a_device_is_noted_with_what_becomes_of_it_here() {
    let text = format!("{ROUTER} address-family l2vpn evpn\n  advertise-all-vni\n  vni 100\n");
    let (translation, read) = parsed(&text, &Host::default());
    let line = translation.lines.iter().find(|it| it.text == "vni 100");
    let Outcome::Noted(note) = &line.unwrap().outcome else {
        panic!("{line:?}");
    };
    assert!(
        note.contains("vxlan100") && note.contains("FRR waits"),
        "{note}"
    );
    assert_eq!(read.unwrap().vnis.len(), 1);
}

#[test]
fn an_l3_vni_may_be_for_prefixes_alone() {
    let only = |lines: &str| {
        let text = format!(
            "{ROUTER} address-family l2vpn evpn\n  advertise-all-vni\nvrf red\n {lines}\nexit-vrf\n\
             router bgp 65001 vrf red\n bgp router-id 10.0.0.1\n"
        );
        let config = kept(&text);
        let l3vni = config.instances.iter().find_map(|it| it.l3vni.clone());
        l3vni.map(|it| (it.id.get(), it.prefix_routes_only))
    };
    let line = "vni 1000 prefix-routes-only";
    assert_eq!(only(line), Some((1000, true)));
    assert_eq!(only("vni 1000"), Some((1000, false)));
    assert_eq!(only(&format!("{line}\n vni 1000")), Some((1000, false)));
    assert_eq!(only(&format!("{line}\n no {line}")), None);
}

#[test]
fn carrier_nexthop_objects_and_shown_attributes_are_as_lines_say() {
    let text = format!("{ROUTER}interface eth0\n no link-detect\ninterface eth1\n link-detect\n");
    let of = |text: &str| {
        config(text)
            .without_link_detect
            .into_iter()
            .collect::<Vec<_>>()
    };
    assert_eq!(of(&text), ["eth0"]);
    assert_eq!(
        of(&format!("{text}interface eth0\n link-detect\n")),
        [""; 0]
    );
    let vrf = format!("{text}exit\nrouter bgp 65001 vrf red\n bgp router-id 10.0.0.1\n");
    let red = &config(&vrf).instances[0];
    assert_eq!(red.without_link_detect.len(), 1);

    let objects = |lines: &str| config(&format!("{lines}\n{ROUTER}")).kernel.nexthop_objects;
    let line = "zebra nexthop kernel enable";
    assert!(objects("") && objects(line) && !objects(&format!("no {line}")));
    assert!(objects(&format!("no {line}\n{line}")));

    let line = "bgp send-extra-data zebra";
    let shown = |outside: &str, within: &str| {
        let text = format!("{outside}\n{ROUTER} {within}\n");
        config(&text).show_attributes
    };
    assert!(!shown("", "") && shown(line, "") && shown("", line));
    assert!(!shown("", &format!("{line}\n no {line}")));
}

#[test]
fn what_nothing_depends_on_is_honoured_with_a_note_and_no_difference() {
    let lines = [
        "coalesce-time 1000",
        "no coalesce-time 1000",
        "read-quanta 8",
        "write-quanta 4",
        "no bgp reject-as-sets",
        "no bgp default dynamic-capability",
        "neighbor 10.0.0.2 solo",
        "allow-reserved-ranges",
        "bgp input-queue-limit 100",
        "zebra nexthop-group keep 5",
        "no log unique-id",
        "no bgp hard-administrative-reset",
    ];
    for line in lines {
        let text = format!("{ROUTER} neighbor 10.0.0.2 remote-as 65002\n {line}\n");
        let (translation, read) = parsed(&text, &Host::default());
        assert!(read.is_ok(), "{line}");
        let said = translation.lines.iter().find(|it| it.text == line);
        let outcome = &said.unwrap().outcome;
        let honoured = matches!(outcome, Outcome::Honoured | Outcome::Noted(_));
        assert!(honoured, "{line}: {outcome:?}");
    }
    for line in ["bgp reject-as-sets", "bgp default dynamic-capability"] {
        let (translation, _) = parsed(&format!("{ROUTER} {line}\n"), &Host::default());
        let said = translation.lines.iter().find(|it| it.text == line);
        let outcome = &said.unwrap().outcome;
        assert!(
            matches!(outcome, Outcome::Differs(_)),
            "{line}: {outcome:?}"
        );
    }
}

#[test]
fn a_least_hold_time_is_taken_over() {
    let least = |lines: &str| kept(&format!("{ROUTER} {lines}\n")).minimum_hold_time;
    let line = "bgp minimum-holdtime 20";
    assert_eq!(least(line), Some(std::time::Duration::from_secs(20)));
    assert_eq!(least(&format!("{line}\n no {line}")), None);
}
