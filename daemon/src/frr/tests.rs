mod attributes;
mod bfd;
mod drain;
mod files;
mod forms;
mod imports;
mod interface;
mod kernel_maps;
mod lists;
mod log;
mod missing;
mod rpki;
mod running;
mod static_route;
mod table;

use super::*;
use proptest::prelude::*;

pub(super) fn source(text: &str) -> Vec<Source> {
    vec![Source {
        name: "frr.conf".to_owned(),
        text: text.to_owned(),
    }]
}

pub(super) fn parsed(text: &str, host: &Host) -> (Translation, Result<Config, Vec<ConfigError>>) {
    let (translation, read) = parse(&source(text), host, |_| Ok(()));
    (translation, read.map(|(config, _)| config))
}

pub(super) fn all(errors: &[ConfigError]) -> String {
    let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    errors.join("\n")
}

fn config(text: &str) -> Config {
    on(text, &Host::default())
}

fn on(text: &str, host: &Host) -> Config {
    let (translation, read) = parsed(text, host);
    read.unwrap_or_else(|errors| panic!("{}\n{}", all(&errors), translation.toml))
}

/// A router with these lines, and these outside.
fn router(lines: &str, outside: &str) -> Config {
    config(&format!(
        "router bgp 65001\n bgp router-id 10.0.0.1\n{lines}\n!\n{outside}\n"
    ))
}

/// In our own words, which are easier to compare.
fn toml(text: &str) -> Config {
    config::parse(text, "x.toml").unwrap_or_else(|errors| panic!("{}", all(&errors)))
}

#[test]
fn what_stands_in_no_line_is_as_frr_has_it() {
    let ours = toml(
        "asn = 65001\nrouter_id = \"10.0.0.1\"\n\
         ipv4_unicast = { multipath = { paths = 256 } }\n\
         ipv6_unicast = { multipath = { paths = 256 } }\n\
         [[neighbor]]\naddress = \"10.0.0.2\"\nremote_as = 65002\n\
         timers = { hold = \"180s\", keepalive = \"60s\" }\n\
         ipv4_unicast = { add_path_receive = true }\n",
    );
    assert_eq!(router(" neighbor 10.0.0.2 remote-as 65002", ""), ours);
    let text = "frr defaults datacenter\nrouter bgp 65001\nbgp router-id 10.0.0.1\nneighbor 10.0.0.2 remote-as 65002\n";
    let datacenter = config(text);
    assert_eq!(datacenter.neighbors[0].timers.hold.as_secs(), 9);
    assert_eq!(
        datacenter.ebgp_requires_policy,
        config::EbgpRequiresPolicy::No
    );
    let old = config(&text.replace("defaults datacenter", "version 7.3.1"));
    assert_eq!(old.ebgp_requires_policy, config::EbgpRequiresPolicy::No);
}

#[test]
fn blocks_merge_and_no_takes_back() {
    let one = router(
        " neighbor 10.0.0.2 remote-as 65002\n neighbor 10.0.0.2 description B\n neighbor 10.0.0.3 remote-as 65003\n no neighbor 10.0.0.3",
        "router bgp 65001\nneighbor 10.0.0.2 timers 1 3\nno neighbor 10.0.0.2 description\nnetwork 10.1.0.0/16\nno network 10.1.0.0/16",
    );
    let two = router(
        " neighbor 10.0.0.2 remote-as 65002\n neighbor 10.0.0.2 timers 1 3",
        "",
    );
    assert_eq!(one, two);
}

#[test]
fn neither_indentation_nor_exit_is_needed() {
    let tidy = router(
        " neighbor 10.0.0.2 remote-as 65002\n !\n address-family ipv6 unicast\n  neighbor 10.0.0.2 activate\n exit-address-family\nexit\n!",
        "route-map M permit 10\n set metric 5\nexit",
    );
    let bare = router(
        "neighbor 10.0.0.2 remote-as 65002\naddress-family ipv6 uni\nneighbor 10.0.0.2 act",
        "route-map M permit 10\nset metric 5\nend",
    );
    assert_eq!(tidy, bare);
}

#[test]
fn a_session_knows_when_an_exit_leaves_it() {
    let mut walk = Walk::default();
    let mut outside = |line: &str| {
        drop(walk.line(line));
        walk.is_outside()
    };
    assert!(outside("hostname edge"));
    assert!(!outside("router bgp 65001"));
    assert!(!outside("address-family ipv4 unicast"));
    assert!(!outside("exit"));
    assert!(outside("exit"));
    assert!(!outside("router ospf"));
    assert!(outside("exit"));
    assert!(!outside("route-map A permit 10"));
    assert!(outside("ip route 10.0.0.0/8 blackhole"));
    assert!(outside("nonsense"));
}

#[test]
fn a_session_is_told_where_it_is_as_by_frr() {
    let mut walk = Walk::default();
    let mut prompt = |line: &str| {
        drop(walk.line(line));
        walk.prompt()
    };
    for (line, expected) in [
        ("hostname edge", "config"),
        ("router bgp 65001", "config-router"),
        ("address-family l2vpn evpn", "config-router-af"),
        ("vni 100", "config-router-af-vni"),
        ("exit-vni", "config-router-af"),
        ("exit", "config-router"),
        ("route-map A permit 10", "config-route-map"),
        ("bfd", "config-bfd"),
        ("peer 10.0.0.2", "config-bfd-peer"),
        ("interface eth0", "config-if"),
        ("vrf red", "config-vrf"),
        ("router ospf", "config-router"),
        ("exit", "config"),
    ] {
        assert_eq!(prompt(line), expected, "{line}");
    }
}

#[test]
fn which_families_a_neighbor_carries() {
    let lines = " no bgp default ipv4-unicast\n neighbor G peer-group\n neighbor 10.0.0.2 remote-as 65002\n \
                 neighbor 10.0.0.2 peer-group G\n neighbor 10.0.0.3 remote-as 65003\n neighbor 10.0.0.3 peer-group G\n \
                 address-family ipv4 unicast\n  neighbor G activate\n  no neighbor 10.0.0.3 activate\n exit-address-family\n \
                 address-family l2vpn evpn\n  neighbor 10.0.0.3 activate\n exit-address-family";
    let config = router(lines, "");
    let of = |at: usize| {
        let neighbor = &config.neighbors[at];
        (
            neighbor.families.ipv4_unicast.is_some(),
            neighbor.families.ipv6_unicast.is_some(),
            neighbor.families.evpn.is_some(),
        )
    };
    assert_eq!(of(0), (true, false, false));
    assert_eq!(of(1), (false, false, true));
}

#[test]
fn lists_of_a_neighbor_come_before_its_route_map() {
    let lists = "ip prefix-list P permit 10.0.0.0/8 le 24\nbgp as-path access-list F permit ^65002_\nroute-map M permit 10\n set metric 5\n";
    let config = router(
        " neighbor 10.0.0.2 remote-as 65002\n neighbor 10.0.0.2 prefix-list P in\n neighbor 10.0.0.2 filter-list F in\n neighbor 10.0.0.2 route-map M in\n neighbor 10.0.0.2 prefix-list P out",
        lists,
    );
    let family = config.neighbors[0].families.ipv4_unicast.as_ref().unwrap();
    let name = |map: &Option<std::sync::Arc<bgp::policy::RouteMap>>| {
        map.as_ref().map(|it| it.name().to_owned())
    };
    let import = name(&family.import);
    assert_eq!(
        import.as_deref(),
        Some("prefix-list P, filter-list F, route-map M")
    );
    assert_eq!(name(&family.export).as_deref(), Some("prefix-list P"));
}

#[test]
fn a_list_of_one_ip_version_says_nothing_about_the_other() {
    let text = "ip prefix-list P permit any\nipv6 prefix-list P permit any\nroute-map M permit 10\n match ipv6 address prefix-list P\n";
    let (translation, read) = parsed(
        &format!("router bgp 65001\n bgp router-id 10.0.0.1\n{text}"),
        &Host::default(),
    );
    assert!(read.is_ok());
    assert!(
        translation
            .toml
            .contains("match.prefix_list = \"ipv6 prefix-list P\""),
        "{}",
        translation.toml
    );
    assert!(
        translation.toml.contains("seq 5 permit ::/0 le 128"),
        "{}",
        translation.toml
    );
}

#[test]
fn bfd_takes_its_times_from_line_peer_and_profile() {
    let config = router(
        " neighbor 10.0.0.2 remote-as 65002\n neighbor 10.0.0.2 bfd profile FAST\n neighbor 10.0.0.3 remote-as 65003\n neighbor 10.0.0.3 bfd\n neighbor 10.0.0.4 remote-as 65004",
        "bfd\n profile FAST\n  detect-multiplier 5\n  transmit-interval 100\n  receive-interval 50\n peer 10.0.0.3\n  receive-interval 200\n  transmit-interval 200\n  no shutdown\n peer 10.0.0.4\n",
    );
    let times: Vec<_> = config
        .neighbors
        .iter()
        .map(|it| {
            it.bfd.as_ref().map(|bfd| {
                let times = [bfd.transmit_interval, bfd.receive_interval];
                (times.map(|it| it.as_millis()), bfd.multiplier)
            })
        })
        .collect();
    assert_eq!(times, [Some(([100, 50], 5)), Some(([200, 200], 3)), None]);
}

#[test]
fn interfaces_groups_and_ranges() {
    let config = router(
        " neighbor FABRIC peer-group\n neighbor FABRIC remote-as external\n neighbor FABRIC bfd\n neighbor swp1 interface peer-group FABRIC\n \
         neighbor swp2 interface remote-as internal\n bgp listen range 10.20.0.0/16 peer-group FABRIC\n bgp listen limit 500",
        "",
    );
    let names: Vec<&str> = config
        .interfaces
        .iter()
        .map(|it| it.interface.as_str())
        .collect();
    assert_eq!(names, ["swp1", "swp2"]);
    assert_eq!(config.listen_ranges[0].limit, 500);
}

fn vxlan(vni: u32, vrf: Option<&str>) -> Vxlan {
    Vxlan {
        name: format!("vx{vni}"),
        vni,
        local: Some("10.255.0.1".parse().unwrap()),
        port: 4789,
        bridge: Some(format!("bridge{vni}")),
        vrf: vrf.map(str::to_owned),
    }
}

#[test]
fn vnis_are_those_of_the_hosts_devices_and_of_blocks() {
    let host = Host {
        addresses: vec![("lo".to_owned(), "10.255.0.1".parse().unwrap())],
        vxlans: vec![
            vxlan(100, None),
            vxlan(101, Some("red")),
            vxlan(4001, Some("red")),
        ],
        ..Host::default()
    };
    let text = "router bgp 65001\n neighbor 10.0.0.2 remote-as 65002\n address-family l2vpn evpn\n  neighbor 10.0.0.2 activate\n  advertise-all-vni\n  \
                vni 100\n   rd 10.0.0.1:7\n   route-target both 65000:7\n  exit-vni\n exit-address-family\n!\n\
                vrf red\n vni 4001\nexit-vrf\nrouter bgp 65001 vrf red\n address-family ipv4 unicast\n  redistribute connected\n exit-address-family\n \
                address-family l2vpn evpn\n  advertise ipv4 unicast\n  route-target import 65000:1\n exit-address-family\n";
    let config = on(text, &host);
    assert_eq!(config.router_id.to_string(), "10.255.0.1");
    assert_eq!(config.evpn.as_ref().unwrap().vtep.to_string(), "10.255.0.1");
    let vnis: Vec<_> = config
        .vnis
        .iter()
        .map(|it| {
            (
                it.id.get(),
                it.vxlan.as_str(),
                it.bridge.as_str(),
                it.vrf.as_deref(),
            )
        })
        .collect();
    assert_eq!(
        vnis,
        [
            (100, "vx100", "bridge100", None),
            (101, "vx101", "bridge101", Some("red"))
        ]
    );
    let red = &config.instances[0];
    assert_eq!(
        (red.name.as_deref(), red.vrf.as_deref()),
        (Some("red"), Some("red"))
    );
    assert!(red.l3vni.is_some());
}

#[test]
fn lines_that_are_not_ours_do_not_stop_the_start_and_mistakes_in_ours_do() {
    let text = "frobnicate\nrouter ospf\n ospf router-id 10.0.0.1\n network 10.0.0.0/8 area 0\n passive-interface default\n!\n\
                router bgp 65001\n bgp router-id 10.0.0.1\n neighbor 10.0.0.2 remote-as 65002\n";
    let (translation, read) = parsed(text, &Host::default());
    assert!(read.is_ok());
    let counts = translation.counts();
    assert_eq!(
        (counts.honoured, counts.elsewhere, counts.unknown),
        (3, 4, 1)
    );
    let wrong = " neighbor 10.0.0.2 frobnicate\n neighbor 10.0.0.2 route-map M sideways\n neighbor 10.0.0.2 timers 1 2\n";
    let (_, read) = parsed(
        &format!(
            "{text}{wrong}ip prefix-list P seq 5 permit 10.0.0.0/8 le 33\nip route 10.0.0.0/8 10.0.0.9 label 7\n"
        ),
        &Host::default(),
    );
    let errors = read.unwrap_err();
    let places: Vec<usize> = errors.iter().map(|error| error.place.line).collect();
    assert_eq!(places, [10, 11, 12, 13, 14], "{}", all(&errors));
    assert!(errors.iter().all(|error| error.file == "frr.conf"));
}

#[test]
fn several_files_are_one_configuration_and_errors_name_theirs() {
    let sources = [
        (
            "bgpd.conf",
            "router bgp 65001\n neighbor 10.0.0.2 remote-as 65002\n",
        ),
        (
            "zebra.conf",
            "interface lo\n ip address 10.0.0.1/32\n evpn mh es-id 1\n",
        ),
    ];
    let sources = sources.map(|(name, text)| Source {
        name: name.to_owned(),
        text: text.to_owned(),
    });
    let (translation, read) = parse(&sources, &Host::default(), |_| Ok(()));
    let errors = read.unwrap_err();
    assert_eq!(errors.len(), 1, "{}", all(&errors));
    assert_eq!(
        (errors[0].file.as_str(), errors[0].place.line),
        ("zebra.conf", 3)
    );
    assert!(translation.toml.contains("router_id = \"10.0.0.1\""));
}

#[test]
fn a_hundred_thousand_lines_are_read_in_good_time() {
    let mut text = "router bgp 65001\n bgp router-id 10.0.0.1\n".to_owned();
    for at in 0..100_000_u32 {
        let net = std::net::Ipv4Addr::from(0x0a00_0000 | at << 8);
        text.push_str(&format!(
            "ip prefix-list P seq {} permit {net}/24\n",
            at + 1
        ));
    }
    let (translation, read) = parsed(&text, &Host::default());
    assert!(read.is_ok());
    assert_eq!(translation.counts().honoured, 100_002);
}

/// Everything that the tests' own files have, to be cut into pieces.
fn lines() -> Vec<String> {
    let files = files::all()
        .into_iter()
        .flat_map(|(_, text)| text.lines().map(str::to_owned).collect::<Vec<_>>());
    files.collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Lines in any order, with words that are not theirs.
    #[test]
    fn mutated_files_are_refused_or_read(picks in prop::collection::vec((any::<prop::sample::Index>(), 0_u8..8, any::<prop::sample::Index>(), "[ -~]{0,12}"), 1..60)) {
        let lines = lines();
        let mut text = String::new();
        for (pick, change, other, junk) in picks {
            let line = pick.get(&lines);
            let changed = match change {
                0 => format!("no {}", line.trim()),
                1 => format!("{line} {junk}"),
                2 => line.chars().take(other.index(line.chars().count().max(1))).collect(),
                3 => format!("{} {}", line.split_whitespace().next().unwrap_or(""), other.get(&lines)),
                4 => line.replace("10", &junk),
                _ => line.clone(),
            };
            text.push_str(&changed);
            text.push('\n');
        }
        let (translation, read) = parsed(&text, &Host::default());
        translation.lines.iter().for_each(|line| drop(line.to_string()));
        match read {
            // A password is not printed.
            Ok(_) if translation.toml.contains("password = ") => {}
            Ok(config) => {
                let printed = config::print(&config);
                let again = config::parse(&printed, "x.toml");
                prop_assert_eq!(again, Ok(config), "{}", printed);
            }
            Err(errors) => prop_assert!(!errors.is_empty()),
        }
    }
}
