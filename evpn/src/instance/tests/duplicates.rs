//! What a frozen address does and does not, seen from outside.

use std::time::Duration;

use super::*;
use crate::{Address, Between, DuplicateAction, DuplicateDetection, DuplicateEnd};

/// Two moves make a duplicate.
fn freezing(number: u8, time: Option<Duration>) -> Instance {
    let mut instance = site_with_vni(number);
    set(&mut instance, DuplicateAction::Freeze(time));
    instance
}

fn set(instance: &mut Instance, action: DuplicateAction) {
    let settings = DuplicateDetection {
        moves: 2,
        action,
        ..DuplicateDetection::default()
    };
    instance.handle(now(), Input::SetDuplicateDetection(Some(settings)));
    drain(instance);
}

fn clear(instance: &mut Instance, address: Option<Address>) {
    let vni = Some(vni(VNI));
    instance.handle(now(), Input::ClearDuplicates { vni, address });
}

/// `announces` as the daemon hands it in, so that moves are judged.
fn told(instance: &mut Instance, remote: &Remote, mac: MacAddress, ip: Option<IpAddr>) {
    instance.handle(
        now(),
        Input::Route {
            key: remote.key(mac, ip),
            attributes: Some(remote.attributes().freeze()),
        },
    );
}

/// It is frozen at site 2, with sequence number 1.
fn frozen_elsewhere(time: Option<Duration>) -> Instance {
    let mut a = freezing(1, time);
    told(&mut a, &from(2), mac(1), Some(ip(5)));
    learns(&mut a, 1);
    told(&mut a, &from(2).sequence(2), mac(1), Some(ip(5)));
    loses(&mut a, 1);
    a
}

/// It is frozen here, with sequence number 1.
fn frozen_here(time: Option<Duration>) -> Instance {
    let mut a = freezing(1, time);
    learns(&mut a, 1);
    told(&mut a, &from(2).sequence(1), mac(1), None);
    learns(&mut a, 1);
    a
}

#[test]
fn an_address_that_is_frozen_here_stays_here_and_is_told_as_before() {
    let mut a = frozen_here(None);
    let lines = text(&drain(&mut a));
    let told_here = "+[2]:[10.10.0.1:100]:[0]:[48]:[02:00:00:00:00:01] seq 2";
    assert!(lines.contains(&told_here.to_owned()), "{lines:?}");
    let line = "duplicate 100 02:00:00:00:00:01 between this site and 10.10.0.2 frozen";
    assert!(lines.contains(&line.to_owned()), "{lines:?}");
    // Whatever the other site says, and however often the kernel hears it here.
    for sequence in [3, 9, u32::MAX] {
        told(&mut a, &from(2).sequence(sequence), mac(1), Some(ip(5)));
        learns(&mut a, 1);
        assert_eq!(drain(&mut a), []);
    }
    let status = &a.macs(None)[0];
    assert_eq!((status.kind, status.sequence), (Kind::Local, 2));
    assert_eq!(status.reason, Reason::Won(Rule::Frozen));
    assert!(status.duplicate.is_some_and(|found| found.frozen));
    let claims = a.explain(vni(VNI), mac(1));
    let outcomes: Vec<Outcome> = claims.iter().map(|claim| claim.outcome).collect();
    assert_eq!(
        outcomes,
        [
            Outcome::Chosen(Rule::Frozen),
            Outcome::Beaten(Rule::Frozen),
            Outcome::Beaten(Rule::HigherSequence),
        ],
        "what it said of the MAC alone is old"
    );
    // Cleared: the best claim has it.
    clear(&mut a, None);
    let lines = text(&drain(&mut a));
    assert_eq!(
        lines,
        [
            "+mac 100 02:00:00:00:00:01 10.10.0.2 seq 4294967295",
            "+neighbour 100 10.100.0.5 02:00:00:00:00:01 10.10.0.2",
            "-[2]:[10.10.0.1:100]:[0]:[48]:[02:00:00:00:00:01]",
            "no duplicate 100 02:00:00:00:00:01: it was cleared",
        ]
    );
}

#[test]
fn an_address_that_is_frozen_elsewhere_stays_there_and_the_kernel_holds_it() {
    let mut a = frozen_elsewhere(None);
    let lines = text(&drain(&mut a));
    let entry = "+mac 100 02:00:00:00:00:01 10.10.0.2 seq 2 sticky";
    assert!(lines.contains(&entry.to_owned()), "{lines:?}");
    // The kernel learned over it all the same: our entry is made again, nothing is told.
    learns(&mut a, 1);
    assert_eq!(text(&drain(&mut a)), [entry]);
    loses(&mut a, 1);
    assert_eq!(drain(&mut a), []);
    // A third site does not get it either.
    told(&mut a, &from(3).sequence(7), mac(1), None);
    assert_eq!(drain(&mut a), []);
    clear(&mut a, Some(Address::Mac(mac(1))));
    let lines = text(&drain(&mut a));
    assert_eq!(lines[0], "+mac 100 02:00:00:00:00:01 10.10.0.3 seq 7");
}

const LEFT: &str = "no duplicate 100 02:00:00:00:00:01: it is no longer where it was frozen";

#[test]
fn a_place_that_gives_a_frozen_address_up_ends_the_freeze() {
    for time in [None, Some(Duration::from_secs(60))] {
        // Here: the host was switched off, and its entry has aged out.
        let mut a = frozen_here(time);
        told(&mut a, &from(2).sequence(3), mac(1), None);
        drain(&mut a);
        loses(&mut a, 1);
        let lines = text(&drain(&mut a));
        assert_eq!(
            lines,
            [
                "+mac 100 02:00:00:00:00:01 10.10.0.2 seq 3",
                "-[2]:[10.10.0.1:100]:[0]:[48]:[02:00:00:00:00:01]",
                LEFT,
            ]
        );
        assert_eq!((a.duplicates().count(), a.deadline()), (0, None));
        // It moves as any other, and counts from nothing.
        learns(&mut a, 1);
        let lines = text(&drain(&mut a));
        let here = "+[2]:[10.10.0.1:100]:[0]:[48]:[02:00:00:00:00:01] seq 4";
        assert!(lines.contains(&here.to_owned()), "{lines:?}");
        assert_eq!(a.duplicates().count(), 0);
        told(&mut a, &from(2).sequence(5), mac(1), None);
        assert!(a.duplicates().next().unwrap().frozen, "the second move");
    }
}

#[test]
fn a_frozen_address_that_is_withdrawn_goes_to_the_claim_that_is_left() {
    let mut a = frozen_elsewhere(None);
    learns(&mut a, 1);
    drain(&mut a);
    from(2).withdraws(&mut a, mac(1), Some(ip(5)));
    let lines = text(&drain(&mut a));
    assert_eq!(
        lines,
        [
            "+[2]:[10.10.0.1:100]:[0]:[48]:[02:00:00:00:00:01] seq 3",
            "-neighbour 100 10.100.0.5",
            "-mac 100 02:00:00:00:00:01",
            LEFT,
        ]
    );
    assert_eq!(a.macs(None)[0].kind, Kind::Local);
    // A third site has it.
    let mut a = frozen_elsewhere(None);
    told(&mut a, &from(3).sequence(1), mac(1), None);
    drain(&mut a);
    from(2).withdraws(&mut a, mac(1), Some(ip(5)));
    let lines = text(&drain(&mut a));
    assert_eq!(
        lines,
        [
            "+mac 100 02:00:00:00:00:01 10.10.0.3 seq 1",
            "-neighbour 100 10.100.0.5",
            LEFT
        ],
        "and the kernel may let it move"
    );
    // Nobody has it.
    let mut a = frozen_elsewhere(None);
    drain(&mut a);
    from(2).withdraws(&mut a, mac(1), Some(ip(5)));
    assert_eq!(
        text(&drain(&mut a)),
        [
            "-neighbour 100 10.100.0.5",
            "-mac 100 02:00:00:00:00:01",
            LEFT
        ]
    );
    learns(&mut a, 1);
    assert_eq!(a.macs(None)[0].reason, Reason::Won(Rule::OnlyClaim));
    // The VNI does not import that site any longer.
    let mut a = frozen_elsewhere(None);
    drain(&mut a);
    let other = ExtendedCommunity::route_target(bgp::Asn(7), 7).unwrap();
    let config = VniConfig::new("production").import_target(other.into());
    set_vni(&mut a, VNI, config);
    assert_eq!(text(&drain(&mut a)).last().unwrap(), LEFT);
    // A VNI that is out of use for a moment has not let go.
    let mut a = frozen_here(None);
    a.handle(now(), Input::SetVtep(None));
    assert_eq!(a.duplicates().count(), 1);
    a.handle(now(), Input::SetVtep(Some(vtep(1))));
    told(&mut a, &from(2).sequence(9), mac(1), None);
    assert_eq!(a.macs(None)[0].kind, Kind::Local);
}

#[test]
fn a_freeze_that_is_over_leaves_nothing_behind() {
    let minute = Duration::from_secs(60);
    let mut a = frozen_elsewhere(Some(minute));
    drain(&mut a);
    let due = a.deadline().unwrap();
    a.handle(due - Duration::from_secs(1), Input::Timeout);
    assert_eq!(drain(&mut a), []);
    a.handle(due, Input::Timeout);
    assert_eq!(
        text(&drain(&mut a)),
        [
            "+mac 100 02:00:00:00:00:01 10.10.0.2 seq 2",
            "no duplicate 100 02:00:00:00:00:01: its freeze time is over",
        ]
    );
    // The host here is heard: it is followed at once.
    learns(&mut a, 1);
    let lines = text(&drain(&mut a));
    let back = "+[2]:[10.10.0.1:100]:[0]:[48]:[02:00:00:00:00:01] seq 3";
    assert!(lines.contains(&back.to_owned()), "{lines:?}");
}

#[test]
fn a_static_address_is_taken_over_a_frozen_one() {
    let mut a = frozen_here(None);
    drain(&mut a);
    told(&mut a, &from(2).sticky(), mac(1), None);
    let lines = text(&drain(&mut a));
    assert_eq!(
        lines[0],
        "+mac 100 02:00:00:00:00:01 10.10.0.2 seq 0 sticky"
    );
    assert_eq!(lines.last().unwrap(), LEFT);
}

#[test]
fn a_duplicate_is_followed_when_it_is_only_to_be_named() {
    let mut a = site_with_vni(1);
    set(&mut a, DuplicateAction::Warn);
    for round in 0..20 {
        learns(&mut a, 1);
        told(&mut a, &from(2).sequence(2 * round + 1), mac(1), None);
        assert_eq!(a.macs(None)[0].kind, Kind::Remote);
    }
    let lines = text(&drain(&mut a));
    let found = lines.iter().filter(|line| line.starts_with("duplicate"));
    assert_eq!(found.count(), 1, "{lines:?}");
    let found = a.duplicates().next().unwrap();
    assert_eq!((found.moves, found.frozen), (39, false));
    assert_eq!(a.moves().macs, 39);
    a.handle(found.until.unwrap(), Input::Timeout);
    let [Output::DuplicateOver { why, .. }] = drain(&mut a)[..] else {
        panic!("one end");
    };
    assert_eq!(why, DuplicateEnd::Rested);
}

#[test]
fn a_virtual_routers_address_is_followed_every_time_whatever_is_frozen() {
    let mut a = freezing(1, None);
    let router = MacAddress([0, 0, 0x5e, 0, 1, 7]);
    for round in 0..20 {
        a.handle(
            now(),
            Input::LocalMac {
                vni: vni(VNI),
                mac: router,
                present: true,
                sticky: false,
            },
        );
        assert_eq!(a.macs(None)[0].kind, Kind::Local, "round {round}");
        told(&mut a, &from(2).sequence(2 * round + 1), router, None);
        assert_eq!(a.macs(None)[0].kind, Kind::Remote, "round {round}");
    }
    assert_eq!((a.duplicates().count(), a.moves().macs), (0, 39));
}

#[test]
fn an_ip_that_goes_between_two_macs_is_frozen_at_one_and_the_macs_are_left_alone() {
    let mut a = freezing(1, None);
    learns(&mut a, 1);
    resolves(&mut a, 5, 1, true);
    told(&mut a, &from(2).sequence(1), mac(2), Some(ip(5)));
    resolves(&mut a, 5, 1, false);
    resolves(&mut a, 5, 1, true);
    let found = a.duplicates().next().unwrap();
    assert_eq!(found.address, Address::Ip(ip(5)));
    assert_eq!(found.between, Between::Macs(mac(2), mac(1)));
    assert!(found.frozen);
    drain(&mut a);
    for sequence in [5, 9] {
        told(&mut a, &from(2).sequence(sequence), mac(2), Some(ip(5)));
        resolves(&mut a, 5, 1, true);
        let lines = text(&drain(&mut a));
        let other = format!("+mac 100 02:00:00:00:00:02 10.10.0.2 seq {sequence}");
        assert_eq!(lines, [other], "the other MAC is as it is");
    }
    clear(&mut a, Some(Address::Ip(ip(5))));
    let lines = text(&drain(&mut a));
    assert!(
        lines.contains(&"+neighbour 100 10.100.0.5 02:00:00:00:00:02 10.10.0.2".to_owned()),
        "{lines:?}"
    );
}

#[test]
fn an_ip_that_is_frozen_elsewhere_is_not_told_from_here() {
    let mut a = freezing(1, None);
    learns(&mut a, 1);
    told(&mut a, &from(2), mac(2), Some(ip(5)));
    resolves(&mut a, 5, 1, true);
    told(&mut a, &from(2).sequence(9), mac(2), Some(ip(5)));
    drain(&mut a);
    resolves(&mut a, 5, 1, true);
    let entry = "+neighbour 100 10.100.0.5 02:00:00:00:00:02 10.10.0.2";
    let lines = text(&drain(&mut a));
    assert!(lines.contains(&entry.to_owned()), "{lines:?}");
    let tells_it = |line: &String| line.starts_with("+[2]") && line.contains("10.100.0.5");
    assert!(!lines.iter().any(tells_it), "{lines:?}");
    // It follows whoever is left.
    from(2).withdraws(&mut a, mac(2), Some(ip(5)));
    let lines = text(&drain(&mut a));
    assert!(lines.iter().any(tells_it), "{lines:?}");
    let end = "no duplicate 100 10.100.0.5: it is no longer where it was frozen";
    assert_eq!(lines.last().unwrap(), end);
}

#[test]
fn detection_that_is_switched_off_lets_go_and_a_vni_that_goes_takes_its_duplicates_along() {
    let mut a = frozen_here(None);
    told(&mut a, &from(2).sequence(9), mac(1), None);
    drain(&mut a);
    a.handle(now(), Input::SetDuplicateDetection(None));
    let lines = text(&drain(&mut a));
    assert_eq!(lines[0], "+mac 100 02:00:00:00:00:01 10.10.0.2 seq 9");
    assert_eq!(a.duplicates().count(), 0);

    let mut a = frozen_here(None);
    a.handle(now(), Input::RemoveVni(vni(VNI)));
    assert_eq!((a.duplicates().count(), a.deadline()), (0, None));
    let config = VniConfig::new("production");
    set_vni(&mut a, VNI, config);
    assert_eq!(a.macs(None)[0].reason, Reason::Won(Rule::HigherSequence));
}
