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
fn families_with_maps_of_their_own_are_asked_by_them() {
    let text = "route-map FOUR permit 10\nroute-map SIX permit 10\nrouter bgp 65001\n bgp router-id 10.0.0.1\n \
                address-family ipv4 unicast\n  import vrf red\n  import vrf route-map FOUR\n \
                address-family ipv6 unicast\n  import vrf red\n  import vrf route-map SIX\n";
    let config = config(text);
    let map = config.imports[0].route_map.as_ref().unwrap();
    let called = map.entries().iter().map(|entry| {
        let family = entry.matches.first().map(ToString::to_string);
        (family, entry.call.as_ref().map(|map| map.name().to_owned()))
    });
    let said = |family: &str, map: &str| (Some(format!("family {family}")), Some(map.to_owned()));
    assert_eq!(
        called.collect::<Vec<_>>(),
        [said("ipv4_unicast", "FOUR"), said("ipv6_unicast", "SIX")]
    );
}

#[test]
fn nobody_imports_from_itself() {
    let text = "router bgp 65001\n bgp router-id 10.0.0.1\n import vrf default\n";
    let errors = parsed(text, &Host::default()).1.unwrap_err();
    assert!(all(&errors).contains("not from itself"), "{}", all(&errors));
}
