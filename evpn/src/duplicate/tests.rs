use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn vni() -> Vni {
    Vni::new(100).unwrap()
}

fn mac(last: u8) -> MacAddress {
    MacAddress([2, 0, 0, 0, 0, last])
}

fn vtep(site: u8) -> IpAddr {
    [10, 10, 0, site].into()
}

fn with(moves: u16, window_s: u64, action: DuplicateAction) -> Duplicates {
    let mut duplicates = Duplicates::new();
    duplicates.set(Some(DuplicateDetection {
        moves,
        window: SECOND * u32::try_from(window_s).unwrap(),
        action,
    }));
    duplicates
}

/// The address came from site 2, or went there.
fn moves(duplicates: &mut Duplicates, at: Instant, mac: MacAddress) -> Vec<(Vni, Address)> {
    let step = (Place::At(vtep(2)), Place::Here);
    duplicates.mac_moved(vni(), mac, step, false);
    duplicates.judge(at)
}

fn reports(duplicates: &mut Duplicates) -> Vec<Report> {
    std::iter::from_fn(|| duplicates.next_report()).collect()
}

#[test]
fn so_many_moves_within_the_window_make_a_duplicate_and_rest_ends_it() {
    let start = Instant::now();
    let mut duplicates = with(3, 10, DuplicateAction::Warn);
    for second in [0, 4] {
        assert_eq!(moves(&mut duplicates, start + SECOND * second, mac(1)), []);
    }
    assert_eq!(reports(&mut duplicates), []);
    let found = start + SECOND * 10;
    assert_eq!(
        moves(&mut duplicates, found, mac(1)),
        [],
        "nothing is frozen"
    );
    let expected = Duplicate {
        vni: vni(),
        address: Address::Mac(mac(1)),
        between: Between::HereAnd(vtep(2)),
        moves: 3,
        since: found,
        frozen: false,
        until: Some(found + SECOND * 10),
    };
    assert_eq!(reports(&mut duplicates), [Report::Found(expected)]);
    // Each move keeps it one for another window, and is not said again.
    let last = found + SECOND * 9;
    moves(&mut duplicates, last, mac(1));
    assert_eq!(reports(&mut duplicates), []);
    assert_eq!(duplicates.deadline(), Some(last + SECOND * 10));
    duplicates.expire(last + SECOND * 10 - Duration::from_millis(1));
    assert_eq!(duplicates.iter().count(), 1);
    duplicates.expire(last + SECOND * 10);
    let over = Report::Over(vni(), Address::Mac(mac(1)), DuplicateEnd::Rested);
    assert_eq!(reports(&mut duplicates), [over]);
    assert_eq!(duplicates.deadline(), None);
    assert!(duplicates.watched.is_empty() && duplicates.ends.is_empty());
}

#[test]
fn moves_further_apart_than_the_window_are_none_and_the_window_slides() {
    let start = Instant::now();
    let mut duplicates = with(3, 10, DuplicateAction::Warn);
    // Never three of them within ten seconds.
    for (second, moved) in [(0, 1), (6, 2), (12, 3), (18, 4)] {
        moves(&mut duplicates, start + SECOND * second, mac(1));
        assert_eq!(reports(&mut duplicates), [], "{moved}");
    }
    // 12, 18 and 21 are, though a timer from the first move on would have begun anew between them.
    moves(&mut duplicates, start + SECOND * 21, mac(1));
    assert_eq!(reports(&mut duplicates).len(), 1);
}

#[test]
fn a_frozen_address_thaws_after_its_time_and_counts_from_nothing() {
    let start = Instant::now();
    let freeze = DuplicateAction::Freeze(Some(SECOND * 60));
    let mut duplicates = with(2, 10, freeze);
    moves(&mut duplicates, start, mac(1));
    let address = Address::Mac(mac(1));
    assert_eq!(moves(&mut duplicates, start, mac(1)), [(vni(), address)]);
    assert!(duplicates.is_frozen(vni(), address));
    // What moves all the same (its place gave it up) makes it neither longer nor frozen twice.
    assert_eq!(moves(&mut duplicates, start + SECOND * 30, mac(1)), []);
    assert_eq!(duplicates.deadline(), Some(start + SECOND * 60));
    let thawed = duplicates.expire(start + SECOND * 60);
    assert_eq!(thawed, [(vni(), address)]);
    assert!(!duplicates.is_frozen(vni(), address));
    assert_eq!(duplicates.frozen, 0);
    assert_eq!(
        reports(&mut duplicates)[1],
        Report::Over(vni(), address, DuplicateEnd::FreezeOver)
    );
    assert_eq!(moves(&mut duplicates, start + SECOND * 61, mac(1)), []);
    assert_eq!(duplicates.iter().count(), 0);
}

#[test]
fn without_a_freeze_time_it_is_frozen_until_somebody_clears_it() {
    let start = Instant::now();
    let mut duplicates = with(1, 10, DuplicateAction::Freeze(None));
    moves(&mut duplicates, start, mac(1));
    moves(&mut duplicates, start, mac(2));
    assert_eq!(duplicates.deadline(), None);
    assert_eq!(duplicates.expire(start + SECOND * 1_000_000), []);
    let address = Address::Mac(mac(2));
    let thawed = duplicates.clear(|_, other| other == address);
    assert_eq!(thawed, [(vni(), address)]);
    assert!(duplicates.is_frozen(vni(), Address::Mac(mac(1))));
    assert_eq!(duplicates.clear(|_, _| true).len(), 1);
    assert_eq!(duplicates.frozen, 0);
}

#[test]
fn a_virtual_routers_address_never_is_one_and_neither_is_an_ip_that_moves_to_or_from_it() {
    let start = Instant::now();
    let mut duplicates = with(2, 10, DuplicateAction::Freeze(None));
    for (kind, group) in [(1, 0), (1, 255), (2, 7)] {
        let router = MacAddress([0, 0, 0x5e, 0, kind, group]);
        assert!(is_virtual(router));
        for _ in 0..100 {
            assert_eq!(moves(&mut duplicates, start, router), []);
            duplicates.ip_moved(vni(), vtep(9), (router, mac(1)), true);
            duplicates.ip_moved(vni(), vtep(9), (mac(1), router), true);
            assert_eq!(duplicates.judge(start), []);
        }
    }
    assert_eq!(reports(&mut duplicates), []);
    // They are counted all the same.
    assert_eq!(
        duplicates.counts(),
        MoveCounts {
            macs: 300,
            ips: 600
        }
    );
    for other in [
        [0, 0, 0x5e, 0, 3, 1],
        [0, 0, 0x5e, 1, 1, 1],
        [2, 0, 0x5e, 0, 1, 1],
    ] {
        assert!(!is_virtual(MacAddress(other)), "{other:?}");
    }
}

#[test]
fn moves_between_two_other_sites_and_of_static_addresses_are_counted_and_not_judged() {
    let start = Instant::now();
    let mut duplicates = with(1, 10, DuplicateAction::Warn);
    let elsewhere = (Place::At(vtep(2)), Place::At(vtep(3)));
    duplicates.mac_moved(vni(), mac(1), elsewhere, false);
    duplicates.mac_moved(vni(), mac(1), (Place::Here, Place::At(vtep(3))), true);
    duplicates.ip_moved(vni(), vtep(9), (mac(1), mac(2)), false);
    duplicates.judge(start);
    assert_eq!(reports(&mut duplicates), []);
    assert_eq!(duplicates.counts(), MoveCounts { macs: 2, ips: 1 });
    duplicates.ip_moved(vni(), vtep(9), (mac(1), mac(2)), true);
    duplicates.judge(start);
    let [Report::Found(found)] = reports(&mut duplicates)[..] else {
        panic!("one duplicate");
    };
    assert_eq!(found.address, Address::Ip(vtep(9)));
    assert_eq!(found.between, Between::Macs(mac(1), mac(2)));
}

#[test]
fn other_settings_let_everything_go_and_the_same_ones_nothing() {
    let start = Instant::now();
    let mut duplicates = with(1, 10, DuplicateAction::Freeze(None));
    moves(&mut duplicates, start, mac(1));
    assert_eq!(duplicates.set(duplicates.settings), []);
    let address = Address::Mac(mac(1));
    assert_eq!(duplicates.set(None), [(vni(), address)]);
    assert_eq!(moves(&mut duplicates, start, mac(1)), [], "switched off");
    assert!(duplicates.watched.is_empty() && duplicates.ends.is_empty());
    assert_eq!(duplicates.counts().macs, 2, "moves are still counted");
}

#[test]
fn addresses_are_written_as_people_write_them() {
    for text in ["02:00:00:00:00:01", "10.0.0.1", "fd00::1"] {
        let address: Address = text.parse().unwrap();
        assert_eq!(address.to_string(), text);
    }
    assert_eq!("10.0.0.256".parse::<Address>(), Err(AddressError));
}
