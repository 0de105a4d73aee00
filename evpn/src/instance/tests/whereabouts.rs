//! Where addresses are, as those see it who look for stations.

use super::*;

#[test]
fn an_address_is_here_while_our_claim_is_the_best() {
    let mut a = site_with_vni(1);
    let of = vni(VNI);
    assert!(!a.is_here(of, mac(1)));
    learns(&mut a, 1);
    resolves(&mut a, 1, 1, true);
    assert!(a.is_here(of, mac(1)));
    assert_eq!(a.bound_here(of, ip(1)), Some(mac(1)));
    from(2).sequence(1).announces(&mut a, mac(1), Some(ip(1)));
    assert!(!a.is_here(of, mac(1)));
    assert_eq!(a.bound_here(of, ip(1)), None);
    assert!(a.has_neighbour(of, ip(1)));
    assert_eq!(a.bound_elsewhere(of, mac(1)), BTreeSet::from([ip(1)]));
    // It is back, and says so.
    learns(&mut a, 1);
    assert!(a.is_here(of, mac(1)));
    assert_eq!(a.bound_here(of, ip(1)), Some(mac(1)));
    assert!(!a.has_neighbour(of, ip(1)));
}

#[test]
fn a_number_that_was_told_before_a_restart_is_the_least_for_what_is_learned_after_it() {
    let (of, first, second) = (vni(VNI), mac(1), mac(2));
    let mut a = site_with_vni(1);
    learns(&mut a, 1);
    learns(&mut a, 2);
    assert_eq!(a.sequences(), BTreeMap::new());
    from(2).sequence(6).announces(&mut a, first, None);
    learns(&mut a, 1);
    let told = BTreeMap::from([((of, first), 7)]);
    assert_eq!(a.sequences(), told);

    // Whether the VNI is configured before the kernel speaks or after it.
    for before in [true, false] {
        let mut a = site(1);
        a.handle(now(), Input::SetSequences(told.clone()));
        if before {
            set_vni(&mut a, VNI, VniConfig::new("production"));
        }
        assert_eq!(
            a.sequences(),
            told,
            "killed again before the kernel has spoken"
        );
        learns(&mut a, 1);
        learns(&mut a, 2);
        set_vni(&mut a, VNI, VniConfig::new("production"));
        a.handle(now(), Input::SetSequences(BTreeMap::new()));
        assert_eq!(a.sequences(), told);
        let told = text(&drain(&mut a));
        let of_first = "+[2]:[10.10.0.1:100]:[0]:[48]:[02:00:00:00:00:01] seq 7";
        let of_second = "+[2]:[10.10.0.1:100]:[0]:[48]:[02:00:00:00:00:02] seq 0";
        assert!(told.iter().any(|line| line == of_first), "{told:?}");
        assert!(told.iter().any(|line| line == of_second), "{told:?}");

        // It counts no more once the address has gone.
        let (vni, mac, sticky) = (of, first, false);
        for present in [false, true] {
            let told = Input::LocalMac {
                vni,
                mac,
                present,
                sticky,
            };
            a.handle(now(), told);
        }
        assert_eq!(a.sequences(), BTreeMap::new());
        assert!(a.is_here(of, second));
    }
}

#[test]
fn who_has_moved_on_while_we_were_away_is_not_called_back() {
    let mut a = site_with_vni(1);
    let before = BTreeMap::from([((vni(VNI), mac(1)), 7)]);
    a.handle(now(), Input::SetSequences(before));
    // The bridge has the address still.
    learns(&mut a, 1);
    from(2).sequence(8).announces(&mut a, mac(1), None);
    assert!(!a.is_here(vni(VNI), mac(1)));
}

#[test]
fn without_flooding_nobody_is_asked_for_copies_and_nobody_gets_any() {
    let mut a = site(1);
    from(2).wants_floods(&mut a);
    set_vni(&mut a, VNI, VniConfig::new("production").flooding(false));
    assert_eq!(text(&drain(&mut a)), [""; 0]);
    learns(&mut a, 1);
    from(2).announces(&mut a, mac(2), Some(ip(2)));
    assert_eq!(
        text(&drain(&mut a)),
        [
            "+mac 100 02:00:00:00:00:02 10.10.0.2 seq 0",
            "+neighbour 100 10.100.0.2 02:00:00:00:00:02 10.10.0.2",
            "+[2]:[10.10.0.1:100]:[0]:[48]:[02:00:00:00:00:01] seq 0",
        ]
    );
    set_vni(&mut a, VNI, VniConfig::new("production"));
    assert_eq!(
        text(&drain(&mut a)),
        [
            "+flood 100 10.10.0.2",
            "+[3]:[10.10.0.1:100]:[0]:[32]:[10.10.0.1] seq 0",
        ]
    );
    set_vni(&mut a, VNI, VniConfig::new("production").flooding(false));
    assert_eq!(
        text(&drain(&mut a)),
        [
            "-[3]:[10.10.0.1:100]:[0]:[32]:[10.10.0.1]",
            "-flood 100 10.10.0.2",
        ]
    );
}

#[test]
fn a_mark_is_there_as_long_as_the_entry_is_wanted() {
    let mut a = site_with_vni(1);
    let of = vni(VNI);
    let (station, host) = (Address::Mac(mac(1)), Address::Ip(ip(1)));
    assert!(!a.mark(of, station, true), "nothing is wanted");
    from(2).announces(&mut a, mac(1), Some(ip(1)));
    for address in [station, host] {
        assert!(!a.is_marked(of, address));
        assert!(a.mark(of, address, true));
        assert!(a.mark(of, address, true), "counted once");
        assert!(a.is_marked(of, address));
    }
    assert_eq!(a.marked(), 2);
    assert!(a.mark(of, host, false));
    assert_eq!((a.marked(), a.is_marked(of, host)), (1, false));
    assert!(a.mark(of, host, true));
    // It comes here, and its entries go.
    learns(&mut a, 1);
    assert_eq!((a.marked(), a.is_marked(of, station)), (0, false));
    assert!(!a.mark(of, station, true));
    // Back there, with entries that nobody has written yet.
    from(2).sequence(2).announces(&mut a, mac(1), Some(ip(1)));
    assert!(!a.is_marked(of, station));
    assert!(a.mark(of, station, true));
    set_vni(&mut a, VNI, VniConfig::new("production").enabled(false));
    assert_eq!(a.marked(), 0);
}
