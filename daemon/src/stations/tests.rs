use proptest::prelude::*;

use super::*;

fn vni(number: u32) -> Vni {
    Vni::new(number).unwrap()
}

fn mac(last: u8) -> MacAddress {
    MacAddress([2, 0, 0, 0, 0, last])
}

fn ip(number: u32) -> IpAddr {
    std::net::Ipv4Addr::from(0x0a00_0000 + number).into()
}

fn key(number: u32) -> (Vni, IpAddr) {
    (vni(100), ip(number))
}

const SECOND: Duration = Duration::from_secs(1);

fn ours(_: Vni, _: IpAddr, _: MacAddress) -> bool {
    true
}

#[test]
fn a_station_that_does_not_answer_for_its_address_has_lost_it() {
    let start = Instant::now();
    let mut stations = Stations::default();
    assert_eq!(stations.heard(start, key(1), mac(1), Some(7)), Ok(true));
    assert_eq!(stations.heard(start, key(1), mac(1), Some(7)), Ok(false));
    let mut now = start + CONFIRMED - SECOND;
    assert_eq!(stations.due(now, ours), None);
    now += SECOND;
    for _ in 0..ASKS {
        let ask = Due::Ask(vni(100), ip(1), mac(1));
        assert_eq!(stations.due(now, ours), Some(ask));
        assert_eq!(stations.due(now, ours), None);
        now += ASK_PAUSE;
    }
    let gone = Due::Gone(vni(100), ip(1), mac(1));
    assert_eq!(stations.due(now, ours), Some(gone));
    assert_eq!((stations.deadline(), stations.bindings.len()), (None, 0));
}

#[test]
fn an_answer_is_good_for_another_while() {
    let start = Instant::now();
    let mut stations = Stations::default();
    stations.heard(start, key(1), mac(1), Some(7)).unwrap();
    let asked = start + CONFIRMED;
    assert!(stations.due(asked, ours).is_some());
    assert_eq!(stations.heard(asked, key(1), mac(1), Some(7)), Ok(false));
    assert_eq!(stations.deadline(), Some(asked + CONFIRMED));
}

#[test]
fn an_address_of_the_last_run_holds_and_is_asked_for_at_once() {
    let start = Instant::now();
    let mut stations = Stations::default();
    assert_eq!(stations.inherit(start, key(1), mac(1), 7), Ok(true));
    assert_eq!(stations.unwritten(key(1)), Some(mac(1)));
    let ask = Due::Ask(vni(100), ip(1), mac(1));
    assert_eq!(stations.due(start, ours), Some(ask));
    // What has been said since counts more.
    stations.heard(start, key(1), mac(2), Some(8)).unwrap();
    assert_eq!(stations.inherit(start, key(1), mac(1), 7), Ok(false));
    assert_eq!(stations.unwritten(key(1)), Some(mac(2)));
    assert_eq!(stations.deadline(), Some(start + CONFIRMED));
}

#[test]
fn an_address_that_went_to_another_site_is_not_asked_for() {
    let start = Instant::now();
    let mut stations = Stations::default();
    stations.heard(start, key(1), mac(1), Some(7)).unwrap();
    let gone = Due::Gone(vni(100), ip(1), mac(1));
    let elsewhere = |_, _, _| false;
    assert_eq!(stations.due(start + CONFIRMED, elsewhere), Some(gone));
}

#[test]
fn an_address_goes_with_its_mac_address_and_is_asked_for_when_that_is_back() {
    let start = Instant::now();
    let mut stations = Stations::default();
    stations.heard(start, key(1), mac(1), Some(7)).unwrap();
    stations.heard(start, key(2), mac(2), Some(8)).unwrap();
    assert_eq!(stations.mac_gone(start, vni(100), mac(1)), [ip(1)]);
    assert_eq!(
        stations.mac_gone(start, vni(100), mac(1)),
        [] as [IpAddr; 0]
    );
    assert_eq!(stations.unwritten(key(1)), None);
    stations.mac_here(start + SECOND, vni(100), mac(1));
    let ask = Due::Ask(vni(100), ip(1), mac(1));
    assert_eq!(stations.due(start + SECOND, ours), Some(ask));
    assert_eq!(
        stations.heard(start + SECOND, key(1), mac(1), Some(7)),
        Ok(true)
    );
    // Another one is forgotten without a word.
    stations.mac_gone(start, vni(100), mac(2));
    assert_eq!(stations.due(start + CONFIRMED, ours), None);
    stations.mac_gone(start + SECOND, vni(100), mac(1));
    assert_eq!(stations.due(start + REMEMBERED + SECOND, ours), None);
    assert_eq!(stations.bindings.len(), 0);
}

#[test]
fn what_the_kernel_says_holds_beside_what_was_heard() {
    let start = Instant::now();
    let mut stations = Stations::default();
    assert!(stations.kernel(key(1), mac(1), true));
    assert_eq!(stations.heard(start, key(1), mac(1), Some(7)), Ok(false));
    assert_eq!(stations.unwritten(key(1)), None);
    assert!(!stations.kernel(key(1), mac(1), false), "it was heard");
    assert_eq!(stations.unwritten(key(1)), Some(mac(1)));
    assert!(stations.kernel(key(1), mac(1), true));
    assert_eq!(
        stations.mac_gone(start, vni(100), mac(1)),
        [] as [IpAddr; 0]
    );
    assert!(stations.kernel(key(1), mac(1), false));
    // Another station has it now: what is said of the former one is late.
    stations.heard(start, key(1), mac(2), Some(7)).unwrap();
    assert!(!stations.kernel(key(1), mac(1), false));
    assert_eq!(stations.unwritten(key(1)), Some(mac(2)));
    assert!(stations.kernel(key(1), mac(3), true));
    assert_eq!(stations.unwritten(key(1)), None);
}

#[test]
fn a_suspicion_replaces_nothing_and_ends_without_a_word() {
    let start = Instant::now();
    let mut stations = Stations::default();
    stations.heard(start, key(1), mac(1), Some(7)).unwrap();
    stations.suspect(start, key(1), mac(2), Some(8), Duration::ZERO);
    assert_eq!(stations.unwritten(key(1)), Some(mac(1)));
    stations.suspect(start, key(2), mac(2), Some(8), SECOND);
    assert_eq!(stations.due(start, ours), None);
    let mut now = start + SECOND;
    let mut asked = 0;
    while stations.deadline().is_some_and(|at| at < start + CONFIRMED) {
        match stations.due(now, ours) {
            Some(due) => {
                assert_eq!(due, Due::Ask(vni(100), ip(2), mac(2)));
                asked += 1;
            }
            None => now += SECOND,
        }
    }
    assert_eq!((asked, stations.bindings.len()), (ASKS, 1));
}

#[test]
fn a_claim_ends_when_the_bridge_learns_the_address_or_its_time_is_over() {
    let start = Instant::now();
    let mut stations = Stations::default();
    let of = vni(100);
    assert!(stations.claim(of, mac(1), start + SECOND));
    assert!(stations.claim(of, mac(2), start + SECOND));
    stations.mac_here(start, of, mac(1));
    assert!(!stations.is_claimed(of, mac(1)));
    assert_eq!(stations.due(start, ours), None);
    let over = Due::ClaimOver(of, mac(2));
    assert_eq!(stations.due(start + SECOND, ours), Some(over));
    assert_eq!(stations.due(start + SECOND, ours), None);
}

#[test]
fn a_port_that_announces_without_end_fills_itself_and_no_other() {
    let start = Instant::now();
    let mut stations = Stations::default();
    let announced = u32::try_from(PORT_MAX).unwrap() * 3;
    let refused = (0..announced)
        .filter(|number| stations.heard(start, key(*number), mac(1), Some(7)) == Err(Full::Port))
        .count();
    assert_eq!(refused, 2 * PORT_MAX);
    assert_eq!(
        stations.heard(start, key(announced), mac(2), Some(8)),
        Ok(true)
    );
    // What is known goes on, and what goes makes room.
    assert_eq!(stations.heard(start, key(0), mac(1), Some(7)), Ok(false));
    let other = vni(200);
    stations
        .heard(start, (other, ip(0)), mac(1), Some(9))
        .unwrap();
    assert_eq!(stations.forget(vni(100)).len(), PORT_MAX + 1);
    assert_eq!(stations.heard(start, key(1), mac(1), Some(7)), Ok(true));
    assert_eq!(stations.bindings.len(), 2);
}

#[test]
fn an_overlay_has_a_limit_too() {
    let start = Instant::now();
    let mut stations = Stations::default();
    let most = u32::try_from(VNI_MAX).unwrap();
    for number in 0..most {
        let port = 1 + number / 1000;
        stations
            .heard(start, key(number), mac(1), Some(port))
            .unwrap();
    }
    assert_eq!(
        stations.heard(start, key(most), mac(1), Some(0)),
        Err(Full::Vni)
    );
    assert_eq!(
        stations.heard(start, (vni(200), ip(0)), mac(1), Some(0)),
        Ok(true)
    );
}

#[derive(Debug, Clone)]
enum Step {
    Heard(u32, u8, Option<u32>),
    Suspect(u32, u8),
    Kernel(u32, u8, bool),
    Gone(u8),
    Here(u8),
    Time(u64),
    Forget,
}

fn step() -> impl Strategy<Value = Step> {
    let (ips, macs) = (0..4_u32, 0..3_u8);
    prop_oneof![
        (ips.clone(), macs.clone(), proptest::option::of(1..3_u32))
            .prop_map(|(ip, mac, port)| Step::Heard(ip, mac, port)),
        (ips.clone(), macs.clone()).prop_map(|(ip, mac)| Step::Suspect(ip, mac)),
        (ips, macs.clone(), any::<bool>()).prop_map(|(ip, mac, on)| Step::Kernel(ip, mac, on)),
        macs.clone().prop_map(Step::Gone),
        macs.prop_map(Step::Here),
        (1..400_u64).prop_map(Step::Time),
        Just(Step::Forget),
    ]
}

proptest! {
    /// Whoever only hears what is told to be told knows what holds, and counts never drift.
    #[test]
    fn what_is_told_is_what_holds(steps in proptest::collection::vec(step(), 0..60)) {
        let mut now = Instant::now();
        let mut stations = Stations::default();
        let mut told: BTreeMap<IpAddr, MacAddress> = BTreeMap::new();
        let of = vni(100);
        for step in steps {
            match step {
                Step::Heard(number, last, port) => {
                    stations.heard(now, key(number), mac(last), port).unwrap();
                    told.insert(ip(number), mac(last));
                }
                Step::Suspect(number, last) => {
                    stations.suspect(now, key(number), mac(last), Some(1), Duration::ZERO);
                }
                Step::Kernel(number, last, present) => {
                    if stations.kernel(key(number), mac(last), present) {
                        match present {
                            true => { told.insert(ip(number), mac(last)); }
                            false => { told.remove(&ip(number)); }
                        }
                    }
                }
                Step::Gone(last) => {
                    for ip in stations.mac_gone(now, of, mac(last)) {
                        told.remove(&ip);
                    }
                }
                Step::Here(last) => stations.mac_here(now, of, mac(last)),
                Step::Time(seconds) => {
                    now += Duration::from_secs(seconds);
                    while let Some(due) = stations.due(now, ours) {
                        if let Due::Gone(_, ip, _) = due {
                            told.remove(&ip);
                        }
                    }
                    prop_assert!(stations.deadline().is_none_or(|at| at > now));
                }
                Step::Forget => {
                    for (ip, _) in stations.forget(of) {
                        told.remove(&ip);
                    }
                }
            }
            let holding: BTreeMap<IpAddr, MacAddress> = stations
                .bindings
                .iter()
                .filter(|(_, binding)| binding.holds())
                .map(|((_, ip), binding)| (*ip, binding.mac))
                .collect();
            prop_assert_eq!(&holding, &told);
            let heard = stations.bindings.values().filter_map(|it| it.heard);
            prop_assert_eq!(stations.due.len(), heard.clone().count());
            prop_assert_eq!(stations.in_vni.get(&of).copied().unwrap_or(0), heard.clone().count());
            let on_ports: usize = stations.on_port.values().sum();
            prop_assert_eq!(on_ports, heard.filter(|it| it.port.is_some()).count());
            prop_assert_eq!(stations.of_mac.len(), stations.bindings.len());
        }
    }
}
