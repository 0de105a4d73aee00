//! Routes from one VRF to another.

use super::*;

/// Whom an instance imports from, with which map, and for how many families.
type Imported = Vec<(String, Option<String>, usize)>;

fn imports(lines: &str) -> Vec<(String, Imported)> {
    let config = config(&format!(
        "route-map M permit 10\nrouter bgp 65001\n bgp router-id 10.0.0.1\n{lines}\n"
    ));
    let of = |config: &Config| {
        let imports = config.imports.iter();
        let map = |it: &config::Import| it.route_map.as_ref().map(|map| map.name().to_owned());
        imports
            .map(|it| (it.from.clone(), map(it), it.named().count()))
            .collect()
    };
    let mut all = vec![(String::new(), of(&config))];
    let names = config.instances.iter();
    all.extend(names.map(|it| (it.name.clone().unwrap(), of(it))));
    all
}

#[test]
fn a_vrf_imports_from_another_and_from_the_default_one() {
    let found = imports(
        " address-family ipv4 unicast\n  import vrf RED\n  import vrf blue\n  no import vrf blue\n \
         exit-address-family\n address-family ipv6 unicast\n  import vrf RED\n exit-address-family\n\
         router bgp 65001 vrf RED\n address-family ipv4 unicast\n  import vrf default\n  \
         import vrf route-map M\n exit-address-family\n",
    );
    let map = Some("M".to_owned());
    assert_eq!(
        found,
        [
            (String::new(), vec![("red".to_owned(), None, 2)]),
            ("red".to_owned(), vec![("default".to_owned(), map, 1)]),
        ]
    );
}

#[test]
fn a_vrf_without_bgp_is_there_to_be_imported_from() {
    let found = imports(" address-family ipv4 unicast\n  import vrf red\n");
    let red = ("red".to_owned(), Vec::new());
    assert_eq!(found.last(), Some(&red));
}

#[test]
fn one_map_is_for_both_families_and_nobody_imports_from_itself() {
    for (lines, line, why) in [
        (
            " address-family ipv4 unicast\n  import vrf red\n  import vrf route-map M\n \
             address-family ipv6 unicast\n  import vrf red\n",
            7,
            "one route-map is for what both families import",
        ),
        (" import vrf default\n", 3, "not from itself"),
    ] {
        let text =
            format!("router bgp 65001\n bgp router-id 10.0.0.1\n{lines}route-map M permit 10\n");
        let (_, read) = parsed(&text, &Host::default());
        let errors = read.expect_err(lines);
        assert!(all(&errors).contains(why), "{}", all(&errors));
        assert_eq!(errors[0].place.line, line, "{}", all(&errors));
    }
}
