//! Whole files: the examples, a file with every key, a file with everything wrong.

use std::time::Duration;

use bgp::family::Family;
use bgp::policy::Policy;
use bgp::rib::Rules;

use super::*;

const SITES: [(&str, &str); 3] = [
    (
        "site-a.toml",
        include_str!("../../examples/three-sites/site-a.toml"),
    ),
    (
        "site-b.toml",
        include_str!("../../examples/three-sites/site-b.toml"),
    ),
    (
        "site-c.toml",
        include_str!("../../examples/three-sites/site-c.toml"),
    ),
];

/// Every key there is, none with its default.
pub(super) const EVERY_KEY: &str = include_str!("tests/every-key.toml");

pub(super) fn accepted(text: &str) -> Config {
    parse(text, "test.toml").unwrap_or_else(|errors| panic!("{}", shown(&errors)))
}

fn shown(errors: &[ConfigError]) -> String {
    let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    errors.join("\n")
}

#[test]
fn the_three_sites_are_accepted() {
    for (file, text) in SITES {
        let config = parse(text, file).unwrap_or_else(|errors| panic!("{}", shown(&errors)));
        assert_eq!(config.neighbors.len(), 2);
        assert_eq!(config.vnis.len(), 2);
    }
}

#[test]
fn the_sites_of_the_example_know_each_other() {
    let sites = SITES.map(|(_, text)| accepted(text));
    for one in &sites {
        for two in &sites {
            let vtep = two.evpn.unwrap().vtep;
            match one.neighbor(vtep.into()) {
                Some(neighbor) => assert_eq!(neighbor.remote_asn(one.asn), Some(two.asn)),
                None => assert_eq!(one, two),
            }
        }
    }
}

#[test]
fn site_a_means_what_it_says() {
    let site = accepted(SITES[0].1);
    let neighbor = site.neighbor("10.10.0.2".parse().unwrap()).unwrap();
    assert_eq!(neighbor.timers.hold, Duration::from_secs(30));
    assert_eq!(neighbor.timers.keepalive, Duration::from_secs(10));
    assert_eq!(neighbor.bfd, Some(Bfd::default()));
    assert_eq!(
        neighbor.graceful_restart.map(|it| it.restart),
        Some(Duration::from_secs(120))
    );
    let export = site.effective_policy(
        neighbor,
        neighbor.remote_asn(site.asn),
        Family::Ipv4Unicast,
        Direction::Export,
    );
    assert_eq!(export.map().unwrap().name(), "SITE-B-OUT");
    let evpn = site.effective_policy(
        neighbor,
        neighbor.remote_asn(site.asn),
        Family::Evpn,
        Direction::Export,
    );
    assert_eq!(evpn, Policy::AcceptAll);
    assert_eq!(neighbor.families.ipv6_unicast, None);
    assert_eq!(site.vnis[0].bridge, "br100");
    assert_eq!(site.listen, default_listen());
}

#[test]
fn every_key_is_accepted_and_leaves_its_default() {
    let config = accepted(EVERY_KEY);
    let defaults = Config::new(config.asn, config.router_id);
    assert_ne!(config.listen, defaults.listen);
    assert_ne!(config.ebgp_requires_policy, defaults.ebgp_requires_policy);
    assert_ne!(config.cluster_id, defaults.cluster_id);
    let all = Rules {
        always_compare_med: true,
        missing_med_as_worst: true,
        as_path_ignore: true,
        as_path_confed: true,
        peer_type_relax: true,
    };
    assert_eq!(config.bestpath, all);
    assert_ne!(config.kernel, defaults.kernel);
    assert_ne!(config.graceful_restart, defaults.graceful_restart);
    assert_ne!(config.log, defaults.log);
    assert_ne!(config.drain, defaults.drain);
    assert_eq!(config.vnis[0].mtu, Some(1370));
    assert_eq!(config.metrics, Some("127.0.0.1:9179".parse().unwrap()));
}

#[test]
fn an_instance_is_a_configuration_beside_the_default_one_and_shares_what_is_the_programs() {
    let config = accepted(EVERY_KEY);
    let [plane, blue] = config.instances.as_slice() else {
        panic!("{:?}", config.instances);
    };
    assert_eq!(plane.name.as_deref(), Some("plane-b"));
    assert_eq!(
        (plane.kernel.table, plane.kernel.distance.external),
        (101, 50)
    );
    assert_eq!(plane.kernel.protocol, config.kernel.protocol);
    assert_eq!(plane.kernel.enabled, config.kernel.enabled);
    let neighbor = plane.neighbor("192.0.2.12".parse().unwrap()).unwrap();
    let unicast = neighbor.families.ipv4_unicast.as_ref().unwrap();
    assert_eq!(unicast.export.as_ref().unwrap().name(), "OUT");
    assert_eq!((plane.interfaces.len(), plane.vnis.len()), (1, 2));
    assert_eq!(plane.metrics, None);
    assert_eq!(blue.vrf.as_deref(), Some("blue"));
    assert_eq!((blue.vrf_table, blue.vrf_unreachable), (Some(1002), false));
    let l3vni = blue.l3vni.as_ref().unwrap();
    assert_eq!((l3vni.id.get(), l3vni.bridge.as_str()), (4002, "l3blue"));
    assert_eq!(
        (l3vni.gateway_ip, l3vni.advertise.ipv6_unicast),
        (true, false)
    );
    assert!(l3vni.default_originate.ipv6_unicast);
    assert_eq!(l3vni.export.as_ref().unwrap().name(), "OUT");
    assert_eq!(plane.vnis[0].vrf.as_deref(), Some("blue"));
    let imports = |config: &Config| -> Vec<(String, Option<String>, bool)> {
        let map = |it: &Import| it.route_map.as_ref().map(|map| map.name().to_owned());
        let imports = config.imports.iter();
        let imports = imports.map(|it| (it.from.clone(), map(it), it.families.ipv4_unicast));
        imports.collect()
    };
    let named = |from: &str, map: Option<&str>, ipv4| (from.to_owned(), map.map(Into::into), ipv4);
    assert_eq!(imports(&config), [named("blue", Some("ORIGIN"), false)]);
    let both = [
        named("default", None, true),
        named("plane-b", Some("ORIGIN"), true),
    ];
    assert_eq!(imports(blue), both);
    assert_eq!(imports(plane), []);
    assert_eq!(blue.listen, default_listen());
    // Each has its own maps, which count by themselves.
    let map = |config: &Config| config.route_maps[0].clone();
    assert_eq!(map(plane).name(), map(&config).name());
    assert!(!std::sync::Arc::ptr_eq(&map(plane), &map(&config)));
}

#[test]
fn the_two_planes_of_the_example_are_accepted_without_a_remark() {
    let text = include_str!("../../examples/two-planes/rbgpd.toml");
    let (config, remarks) = parse_and_review(text, "rbgpd.toml").unwrap();
    assert_eq!(config.instances.len(), 1);
    assert_eq!(remarks, []);
}

#[test]
fn the_smallest_file_has_two_keys() {
    let config = accepted("asn = 65001\nrouter_id = \"10.0.0.1\"\n");
    assert_eq!(
        config,
        Config::new(bgp::Asn(65001), "10.0.0.1".parse().unwrap())
    );
}

#[test]
fn all_errors_are_reported_at_once_with_their_places() {
    let errors = parse(include_str!("tests/broken.toml"), "broken.toml").unwrap_err();
    let expected = include_str!("tests/broken.errors");
    assert_eq!(shown(&errors) + "\n", expected);
}

#[test]
fn all_syntax_errors_are_reported_with_line_and_column() {
    let errors = parse(
        "asn = = 1\nrouter_id = \"10.0.0.1\"\nlisten = [\n[evpn\n",
        "x.toml",
    );
    let errors = errors.unwrap_err();
    let lines: Vec<usize> = errors.iter().map(|error| error.place.line).collect();
    assert!(
        lines.contains(&1) && lines.iter().any(|line| *line >= 3),
        "{}",
        shown(&errors)
    );
    assert!(
        errors
            .iter()
            .all(|error| matches!(error.problem, Problem::Syntax(_)))
    );
    assert!(
        errors[0]
            .to_string()
            .starts_with("error: x.toml:1:7: this is not TOML: ")
    );
}

#[test]
fn columns_count_characters_and_not_bytes() {
    let text = "asn = 1\nrouter_id = \"10.0.0.1\"\nunderlay = { interface = \"wg\", \"é\" = 1 }\n";
    let errors = parse(text, "x.toml").unwrap_err();
    assert_eq!(
        errors[0].place,
        Place {
            line: 3,
            column: 32
        },
        "{}",
        shown(&errors)
    );
    let text = "asn = 1\nrouter_id = \"10.0.0.1\" # é\nlog = { \"é\" = 1, level = 3 }\n";
    let errors = parse(text, "x.toml").unwrap_err();
    assert_eq!(
        errors[1].place,
        Place {
            line: 3,
            column: 26
        },
        "{}",
        shown(&errors)
    );
}

/// Every key of a document, at any depth.
fn keys(table: &toml::Table, found: &mut std::collections::BTreeSet<String>) {
    fn visit(value: &toml::Value, found: &mut std::collections::BTreeSet<String>) {
        match value {
            toml::Value::Table(table) => keys(table, found),
            toml::Value::Array(items) => items.iter().for_each(|item| visit(item, found)),
            toml::Value::String(_)
            | toml::Value::Integer(_)
            | toml::Value::Float(_)
            | toml::Value::Boolean(_)
            | toml::Value::Datetime(_) => {}
        }
    }
    for (key, value) in table {
        found.insert(key.clone());
        visit(value, found);
    }
}

#[test]
fn every_key_is_documented() {
    let page = include_str!("../../docs/configuration.md");
    let mut found = std::collections::BTreeSet::new();
    keys(&EVERY_KEY.parse().unwrap(), &mut found);
    assert!(found.len() > 80);
    for key in found {
        let spellings = [
            format!("`{key}`"),
            format!("`{key} "),
            format!("[{key}]"),
            format!("[instance.{key}]"),
        ];
        let table = [
            format!(" {key}, "),
            format!("{{ {key}"),
            format!(" {key} }}"),
        ];
        let documented = spellings.iter().chain(&table).any(|one| page.contains(one));
        assert!(documented, "{key}");
    }
}

#[test]
fn what_the_kernel_cannot_do_is_an_error_with_its_place() {
    let text = "asn = 65001\nrouter_id = \"10.0.0.1\"\n[[neighbor]]\naddress = \"10.0.0.2\"\n\
                remote_as = 65002\ntcp_ao = [{ id = 1, secret = \"x\" }]\n";
    assert!(parse_here(text, "x.toml", |_| Ok(())).is_ok());
    let errors = parse_here(text, "x.toml", |_| Err(std::io::Error::other("no AO"))).unwrap_err();
    assert_eq!(
        shown(&errors),
        "error: x.toml:6:10: `tcp_ao` cannot be used on this host: no AO\n\nhint: use a kernel \
         that has it (Linux 6.7 and later, where it is built in), or `password` on both sides"
    );
}
