//! Routes that nobody imports here are counted, with the route targets that they have.

use super::*;
use crate::VrfConfig;

fn counted(instance: &Instance) -> (usize, Vec<String>) {
    let unimported = instance.unimported();
    let targets = unimported.targets.iter();
    let targets = targets.map(|it| it.to_string());
    (unimported.routes, targets.collect())
}

fn of(vni: u32) -> Remote {
    Remote { vni, ..from(2) }
}

fn words(targets: &[&str]) -> Vec<String> {
    targets.iter().map(|it| (*it).to_owned()).collect()
}

#[test]
fn routes_that_no_vni_imports_are_counted_until_one_does_or_they_go() {
    let mut instance = site_with_vni(1);
    of(VNI).announces(&mut instance, mac(1), None);
    assert_eq!(counted(&instance), (0, vec![]));
    of(200).announces(&mut instance, mac(1), None);
    of(200).announces(&mut instance, mac(2), Some(ip(2)));
    of(300).wants_floods(&mut instance);
    let both = words(&["RT:65002:200", "RT:65002:300"]);
    assert_eq!(counted(&instance), (3, both));
    // Another path of the same route is not another route.
    of(200).sequence(5).announces(&mut instance, mac(1), None);
    assert_eq!(counted(&instance).0, 3);
    set_vni(&mut instance, 200, VniConfig::new("another"));
    assert_eq!(counted(&instance), (1, words(&["RT:65002:300"])));
    let vni = vni(200);
    instance.handle(now(), Input::RemoveVni(vni));
    assert_eq!(counted(&instance).0, 3);
    of(200).withdraws(&mut instance, mac(1), None);
    of(200).withdraws(&mut instance, mac(2), Some(ip(2)));
    assert_eq!(counted(&instance), (1, words(&["RT:65002:300"])));
}

#[test]
fn a_router_without_networks_imports_nothing_on_purpose() {
    let mut instance = site(1);
    of(200).announces(&mut instance, mac(1), None);
    assert_eq!(counted(&instance), (0, vec![]));
    set_vni(&mut instance, VNI, VniConfig::new("production"));
    assert_eq!(counted(&instance).0, 1);
}

#[test]
fn what_a_vrf_imports_is_imported() {
    let mut instance = site_with_vni(1);
    of(4001).announces(&mut instance, mac(1), Some(ip(1)));
    assert_eq!(counted(&instance).0, 1);
    let (name, config) = ("red".into(), VrfConfig::new(vni(4001), mac(0xee)));
    instance.handle(now(), Input::SetVrf { name, config });
    assert_eq!(counted(&instance).0, 0);
    instance.handle(now(), Input::RemoveVrf("red".into()));
    assert_eq!(counted(&instance).0, 1);
}
