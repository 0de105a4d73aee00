use super::*;
use crate::VniConfig;

fn vni(number: u32) -> Vni {
    Vni::new(number).unwrap()
}

fn index(vnis: &[(u32, VniConfig)]) -> ImportIndex<Vni> {
    ImportIndex::new(
        vnis.iter()
            .map(|(number, config)| (vni(*number), config.imports(vni(*number)))),
    )
}

fn target(text: &str) -> ExtendedCommunity {
    text.parse().unwrap()
}

#[test]
fn an_automatic_import_matches_the_vni_from_any_as() {
    let index = index(&[(100, VniConfig::new("a")), (200, VniConfig::new("b"))]);
    for text in ["65001:100", "65002:100", "4200000000:100"] {
        let vnis = index.importers(&[target(text)]);
        assert_eq!(vnis, BTreeSet::from([vni(100)]), "{text}");
    }
    assert!(index.importers(&[target("65001:101")]).is_empty());
    assert!(index.importers(&[target("10.0.0.1:100")]).is_empty());
}

#[test]
fn an_automatic_import_matches_the_derived_form_of_vxlan() {
    let index = index(&[(100, VniConfig::new("a"))]);
    let derived = ExtendedCommunity([0, 2, 0xfd, 0xe9, 0x10, 0, 0, 100]);
    assert_eq!(index.importers(&[derived]), BTreeSet::from([vni(100)]));
    // Type 0 is a VLAN, not a VXLAN identifier.
    let vlan = ExtendedCommunity([0, 2, 0xfd, 0xe9, 0x80, 0, 0, 100]);
    assert!(index.importers(&[vlan]).is_empty());
}

#[test]
fn a_given_target_is_exact_except_for_how_the_as_is_written() {
    let config = VniConfig::new("a").import_target("65000:7".parse().unwrap());
    let index = index(&[(100, config)]);
    let four_octets = ExtendedCommunity([2, 2, 0, 0, 0xfd, 0xe8, 0, 7]);
    assert_eq!(
        index.importers(&[target("65000:7")]),
        BTreeSet::from([vni(100)])
    );
    assert_eq!(index.importers(&[four_octets]), BTreeSet::from([vni(100)]));
    assert!(index.importers(&[target("65001:7")]).is_empty());
    assert!(index.importers(&[target("65000:100")]).is_empty());
}

#[test]
fn one_route_can_belong_to_several_vnis() {
    let shared = |name| VniConfig::new(name).import_target("*:7".parse().unwrap());
    let index = index(&[(100, shared("a")), (200, shared("b"))]);
    let vnis = index.importers(&[target("65009:7")]);
    assert_eq!(vnis, BTreeSet::from([vni(100), vni(200)]));
}

#[test]
fn other_communities_are_no_targets() {
    let index = index(&[(8, VniConfig::new("a"))]);
    // Site of origin 65001:8, and the encapsulation, which ends in 8.
    let origin = ExtendedCommunity([0, 3, 0xfd, 0xe9, 0, 0, 0, 8]);
    let communities = [origin, ExtendedCommunity::ENCAPSULATION_VXLAN];
    assert!(index.importers(&communities).is_empty());
}

#[test]
fn the_automatic_export_has_the_low_bits_of_a_long_as() {
    let short = automatic_export(Asn(65001), vni(100));
    assert_eq!(short.to_string(), "RT:65001:100");
    let long = automatic_export(Asn(4_200_000_000), vni(70_000));
    assert_eq!(long.to_string(), "RT:59904:70000");
}

#[test]
fn import_targets_are_read_as_they_are_shown() {
    for text in ["65000:100", "*:100", "10.0.0.1:7"] {
        let target: ImportTarget = text.parse().unwrap();
        assert_eq!(target.to_string(), format!("RT:{text}"));
    }
    for text in ["*:", "*:x", "100", "65000:4294967296"] {
        assert!(text.parse::<ImportTarget>().is_err(), "{text}");
    }
}

fn rds(vnis: &[(u32, Option<&str>)]) -> Vec<Result<String, u32>> {
    let given = vnis
        .iter()
        .map(|(number, rd)| (vni(*number), rd.map(|rd| rd.parse().unwrap())));
    distinguishers("10.0.0.1".parse().unwrap(), given)
        .into_values()
        .map(|rd| rd.map(|rd| rd.to_string()).map_err(Vni::get))
        .collect()
}

#[test]
fn an_automatic_distinguisher_is_the_router_and_the_vni() {
    let given = rds(&[(100, None), (65_535, None), (65_536 + 7, None)]);
    let wanted = ["10.0.0.1:100", "10.0.0.1:65535", "10.0.0.1:7"];
    assert_eq!(given, wanted.map(|rd| Ok(rd.to_owned())));
}

#[test]
fn a_number_that_is_taken_is_stepped_over() {
    let given = rds(&[
        (7, None),
        (8, Some("10.0.0.1:9")),
        (65_536 + 7, None),
        (131_072 + 7, None),
    ]);
    let wanted = ["10.0.0.1:7", "10.0.0.1:9", "10.0.0.1:8", "10.0.0.1:10"];
    assert_eq!(given, wanted.map(|rd| Ok(rd.to_owned())));
}

#[test]
fn the_second_vni_with_the_same_distinguisher_gets_none() {
    let given = rds(&[(1, Some("1:1")), (2, Some("1:1")), (3, Some("1:1"))]);
    assert_eq!(given, [Ok("1:1".to_owned()), Err(1), Err(1)]);
}
