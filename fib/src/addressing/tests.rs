use super::*;

const OURS: u8 = 186;

fn wanted(addresses: &[&str]) -> Addressing {
    let addresses = addresses.iter().map(|it| own(it)).collect();
    Addressing {
        addresses,
        up: None,
    }
}

fn own(text: &str) -> OwnAddress {
    let address: ipnetwork::IpNetwork = text.parse().unwrap();
    address.into()
}

fn eth0(up: bool) -> Links {
    let mut links = Links::default();
    links.insert(Link {
        up,
        running: up,
        ..Link::new(2, "eth0")
    });
    links
}

fn has(links: &mut Links, text: &str, protocol: u8) {
    links.insert_address(Address {
        index: 2,
        address: text.parse().unwrap(),
        peer: None,
        protocol,
        usable: true,
        duplicate: false,
    });
}

fn next(want: &Addressing, links: &Links) -> Steps {
    steps(&"eth0".into(), want, Past::default(), links, OURS)
}

fn words(ops: &[DeviceOp]) -> Vec<String> {
    ops.iter().map(DeviceOp::to_string).collect()
}

#[test]
fn a_device_is_set_up_and_then_has_its_addresses() {
    let want = wanted(&["10.0.0.1/24", "2001:db8::1/64"]);
    let down = next(&want, &eth0(false));
    assert_eq!(words(&down.adds), ["set up of `eth0`"]);
    let up = next(&want, &eth0(true));
    assert_eq!(
        words(&up.adds),
        ["add 10.0.0.1/24 to `eth0`", "add 2001:db8::1/64 to `eth0`"]
    );
    let mut links = eth0(true);
    has(&mut links, "10.0.0.1/24", 0);
    has(&mut links, "2001:db8::1/64", OURS);
    assert_eq!(next(&want, &links), Steps::default());
    // Another length is another address.
    let other = next(&wanted(&["10.0.0.1/25"]), &links);
    assert_eq!(words(&other.adds), ["add 10.0.0.1/25 to `eth0`"]);
}

#[test]
fn only_what_carries_our_stamp_goes() {
    let mut links = eth0(true);
    has(&mut links, "10.0.0.1/24", 0);
    has(&mut links, "10.0.0.2/24", OURS);
    has(&mut links, "10.0.0.3/24", OURS);
    let steps = next(&wanted(&["10.0.0.3/24"]), &links);
    assert_eq!(steps.adds, []);
    assert_eq!(words(&steps.removals), ["remove 10.0.0.2/24 from `eth0`"]);
    let past = Past {
        of_overlay: true,
        ..Past::default()
    };
    let none = wanted(&["10.0.0.3/24"]);
    let beside = super::steps(&"eth0".into(), &none, past, &links, OURS);
    assert_eq!(beside.removals, [], "that is the overlay's");
}

#[test]
fn who_takes_a_device_down_is_right_unless_it_was_asked_for_up() {
    let mut want = wanted(&["10.0.0.1/24"]);
    let past = Past {
        was_up: Some(2),
        ..Past::default()
    };
    let of = |want: &Addressing| steps(&"eth0".into(), want, past, &eth0(false), OURS);
    let down = of(&want);
    assert_eq!((down.adds, down.removals), (Vec::new(), Vec::new()));
    assert!(down.waits.unwrap().contains("`ip link set eth0 up`"));
    want.up = Some(true);
    assert_eq!(words(&of(&want).adds), ["set up of `eth0`"]);
}

#[test]
fn a_device_that_is_to_be_down_has_its_addresses_all_the_same() {
    let mut want = wanted(&["10.0.0.1/24"]);
    want.up = Some(false);
    let mut links = eth0(true);
    has(&mut links, "10.0.0.9/24", OURS);
    let steps = next(&want, &links);
    assert_eq!(words(&steps.adds), ["set down of `eth0`"]);
    assert_eq!(words(&steps.removals), ["remove 10.0.0.9/24 from `eth0`"]);
    let mut links = eth0(false);
    let added = next(&want, &links);
    assert_eq!(words(&added.adds), ["add 10.0.0.1/24 to `eth0`"]);
    has(&mut links, "10.0.0.1/24", OURS);
    assert_eq!(next(&want, &links), Steps::default());
}

#[test]
fn an_address_of_another_host_too_is_named_with_what_to_do() {
    let want = wanted(&["2001:db8::1/64"]);
    let mut links = eth0(true);
    has(&mut links, "2001:db8::1/64", OURS);
    assert_eq!(next(&want, &links), Steps::default());
    let mut known = links.addresses(2).next().unwrap().clone();
    (known.usable, known.duplicate) = (false, true);
    links.insert_address(known);
    let steps = next(&want, &links);
    assert_eq!(
        (words(&steps.adds), words(&steps.removals)),
        (vec![], vec![])
    );
    assert_eq!(
        steps.waits.unwrap(),
        "another host on the link of `eth0` has 2001:db8::1 too (duplicate address detection), so the \
         kernel does not use it here; give one of the two another address; if this one stays, \
         `ip address del 2001:db8::1/64 dev eth0`, and it is set again at once"
    );
}

#[test]
fn a_device_that_is_not_there_is_waited_for() {
    let steps = next(&wanted(&["10.0.0.1/24"]), &Links::default());
    assert_eq!(steps.waits.unwrap(), "there is no device `eth0`");
}

#[test]
fn a_peer_makes_it_another_address() {
    let mut want = wanted(&["10.0.0.1/32"]);
    want.addresses[0].peer = Some([10, 0, 0, 2].into());
    assert_eq!(want.addresses[0].to_string(), "10.0.0.1 peer 10.0.0.2/32");
    let mut links = eth0(true);
    has(&mut links, "10.0.0.1/32", OURS);
    let steps = next(&want, &links);
    assert_eq!(
        words(&steps.adds),
        ["add 10.0.0.1 peer 10.0.0.2/32 to `eth0`"]
    );
    assert_eq!(words(&steps.removals), ["remove 10.0.0.1/32 from `eth0`"]);
}
