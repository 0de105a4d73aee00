//! What comes out of an Established session.

use super::*;
use crate::message::{RefreshKind, RouteRefresh};

fn updates(outputs: &[Output]) -> Vec<&crate::message::Update> {
    let mut updates = Vec::new();
    for output in outputs {
        if let Output::Updates(together) = output {
            updates.extend(together);
        }
    }
    updates
}

/// An UPDATE of attributes and IPv4 routes.
fn update(attributes: &[u8], nlri: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0xff; 16];
    let length = u16::try_from(23 + attributes.len() + nlri.len()).unwrap();
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(&[2, 0, 0]);
    bytes.extend_from_slice(&u16::try_from(attributes.len()).unwrap().to_be_bytes());
    bytes.extend_from_slice(attributes);
    bytes.extend_from_slice(nlri);
    bytes
}

/// ORIGIN IGP, AS_PATH 65002, NEXT_HOP 10.0.0.3.
const ATTRIBUTES: [u8; 20] = [
    0x40, 1, 1, 0, 0x40, 2, 6, 2, 1, 0, 0, 0xfd, 0xea, 0x40, 3, 4, 10, 0, 0, 3,
];

fn both_families() -> (Config, Open) {
    let config = config().families(PerFamily {
        ipv4_unicast: Some(FamilyConfig::default()),
        ipv6_unicast: Some(FamilyConfig::default()),
        evpn: None,
    });
    let mut open = peer_open();
    open.capabilities.push(Capability::Multiprotocol(2, 1));
    (config, open)
}

#[test]
fn routes_of_one_read_come_out_in_order() {
    let (mut bench, conn) = Bench::established(config(), &peer_open());
    let mut bytes = Vec::new();
    for third in 0..200 {
        bytes.extend(update(&ATTRIBUTES, &[24, 10, 1, third]));
    }
    let outputs = bench.say(conn, &bytes);
    let updates = updates(&outputs);
    assert_eq!(updates.len(), 200);
    for (third, update) in updates.iter().enumerate() {
        let (list, attributes) = &update.announced[0];
        let crate::nlri::NlriList::V4(list) = list else {
            panic!("IPv4");
        };
        assert_eq!(list[0].1.to_string(), format!("10.1.{third}.0/24"));
        assert_eq!(attributes.first_as(), PEER_AS);
    }
    assert_eq!(bench.session.status().counters.received.updates, 200);
}

#[test]
fn a_mistake_that_only_withdraws_leaves_the_session_up() {
    let (mut bench, conn) = Bench::established(config(), &peer_open());
    let mut attributes = ATTRIBUTES;
    attributes[3] = 9; // ORIGIN
    let outputs = bench.say(conn, &update(&attributes, &[24, 10, 1, 1]));
    let updates = updates(&outputs);
    assert_eq!(
        (updates[0].withdrawn.len(), updates[0].announced.len()),
        (1, 0)
    );
    assert!(!updates[0].errors.is_empty());
    let counters = bench.session.status().counters;
    assert_eq!(
        (counters.malformed_updates, counters.received.updates),
        (1, 1)
    );
    assert_eq!(bench.session.state(), State::Established);
}

#[test]
fn an_unreadable_update_ends_the_session_with_its_code() {
    let (mut bench, conn) = Bench::established(config(), &peer_open());
    let mut bytes = update(&ATTRIBUTES, &[24, 10, 1, 1]);
    bytes[19] = 0xff; // Length of the withdrawn routes.
    let outputs = bench.say(conn, &bytes);
    assert_eq!(codes(&outputs), Some((3, 1)));
    assert!(matches!(
        down(&outputs),
        Some((DownReason::Malformed { .. }, None))
    ));
}

/// RFC 7606 §2: AFI/SAFI disable.
#[test]
fn unreadable_routes_of_one_of_several_families_end_that_family() {
    let (config, open) = both_families();
    let (mut bench, conn) = Bench::established(config, &open);
    // MP_REACH_NLRI of IPv6 unicast with a prefix of 200 bits.
    let mut attributes = vec![0x80, 14, 22, 0, 2, 1, 16];
    attributes.extend_from_slice(&[0xfd; 16]);
    attributes.extend_from_slice(&[0, 200]);
    let outputs = bench.say(conn, &update(&attributes, &[]));
    if codes(&outputs).is_some() {
        panic!("the codec ends the session: {outputs:?}");
    }
    assert!(outputs.iter().any(|output| matches!(
        output,
        Output::FamilyDisabled {
            family: Family::Ipv6Unicast,
            ..
        }
    )));
    let outputs = bench.say(conn, &update(&attributes, &[]));
    assert!(outputs.is_empty(), "said once: {outputs:?}");
    let outputs = bench.say(conn, &end_of_rib(Family::Ipv6Unicast));
    assert_eq!(updates(&outputs)[0].end_of_rib, None);
    let outputs = bench.say(conn, &update(&ATTRIBUTES, &[24, 10, 1, 1]));
    assert_eq!(
        updates(&outputs)[0].announced.len(),
        1,
        "the other lives on"
    );
    assert!(bench.session.status().disabled.ipv6_unicast);
}

#[test]
fn refreshes_of_negotiated_families_are_passed_on() {
    let mut open = peer_open();
    open.capabilities.push(Capability::EnhancedRouteRefresh);
    let (mut bench, conn) = Bench::established(config(), &open);
    let mut refresh = |afi, safi, kind| {
        let refresh = RouteRefresh { afi, safi, kind };
        let outputs = bench.say(conn, &wire::encode_route_refresh(&refresh));
        !outputs.is_empty()
    };
    for kind in [RefreshKind::Request, RefreshKind::Begin, RefreshKind::End] {
        assert!(refresh(1, 1, kind), "{kind:?}");
    }
    assert!(!refresh(2, 1, RefreshKind::Request), "not negotiated");
    assert!(!refresh(1, 128, RefreshKind::Request), "not known");
    assert!(!refresh(1, 1, RefreshKind::Unknown(9)), "RFC 7313 §5");

    let (mut bench, conn) = Bench::established(config(), &peer_open());
    let (afi, safi, kind) = (1, 1, RefreshKind::Begin);
    let begin = wire::encode_route_refresh(&RouteRefresh { afi, safi, kind });
    assert!(bench.say(conn, &begin).is_empty(), "not agreed on");
}

#[test]
fn a_refresh_is_asked_for_where_the_peer_can() {
    let (mut bench, conn) = Bench::established(config(), &peer_open());
    let family = Family::Ipv4Unicast;
    let outputs = bench.input(Input::RequestRefresh { family });
    let expected = RouteRefresh {
        afi: 1,
        safi: 1,
        kind: RefreshKind::Request,
    };
    assert_eq!(sent(&outputs), [(conn, Message::RouteRefresh(expected))]);
    let family = Family::Evpn;
    assert!(bench.input(Input::RequestRefresh { family }).is_empty());

    let mut open = peer_open();
    open.capabilities
        .retain(|capability| *capability != Capability::RouteRefresh);
    let (mut bench, _) = Bench::established(config(), &open);
    let family = Family::Ipv4Unicast;
    assert!(bench.input(Input::RequestRefresh { family }).is_empty());
}

#[test]
fn other_attributes_are_unwanted_at_once_and_the_peer_tells_its_routes_again() {
    let unwanted = |codes: &[u8]| wire::Unwanted {
        withdraw: codes.iter().copied().collect(),
        ..wire::Unwanted::default()
    };
    let told = |bench: &mut Bench, conn| {
        let attributes = [ATTRIBUTES.as_slice(), &[0xc0, 98, 1, 7]].concat();
        let outputs = bench.say(conn, &update(&attributes, &[24, 10, 1, 0]));
        updates(&outputs)
            .iter()
            .map(|update| (update.announced.len(), update.withdrawn.len()))
            .collect::<Vec<_>>()
    };
    let (mut bench, conn) = Bench::established(config(), &peer_open());
    assert_eq!(told(&mut bench, conn), [(1, 0)]);
    let changed = Box::new(config().unwanted(unwanted(&[98])));
    let outputs = bench.input(Input::Configure(changed.clone()));
    let expected = RouteRefresh {
        afi: 1,
        safi: 1,
        kind: RefreshKind::Request,
    };
    assert_eq!(sent(&outputs), [(conn, Message::RouteRefresh(expected))]);
    assert_eq!(told(&mut bench, conn), [(0, 1)]);
    // Nothing is asked for where nothing is different, even if it is written otherwise.
    let same = unwanted(&[98]);
    assert!(bench.input(Input::Configure(changed)).is_empty());
    assert!(
        bench
            .input(Input::Configure(Box::new(config().unwanted(same))))
            .is_empty()
    );
    bench.input(Input::Configure(Box::new(config())));
    assert_eq!(told(&mut bench, conn), [(1, 0)]);

    // One that cannot tell them again begins anew.
    let mut open = peer_open();
    open.capabilities
        .retain(|capability| *capability != Capability::RouteRefresh);
    let (mut bench, _) = Bench::established(config(), &open);
    bench.input(Input::Configure(Box::new(
        config().unwanted(unwanted(&[98])),
    )));
    assert_ne!(bench.session.state(), State::Established);
}

#[test]
fn what_is_unwanted_by_the_time_a_session_begins_counts() {
    let (mut bench, conn) = Bench::started(config());
    bench.input(Input::Connected { conn });
    bench.say(conn, &wire::encode_open(&peer_open()));
    let unwanted = wire::Unwanted {
        discard: [98].into_iter().collect(),
        ..wire::Unwanted::default()
    };
    bench.input(Input::Configure(Box::new(config().unwanted(unwanted))));
    bench.say(conn, &wire::encode_keepalive());
    assert_eq!(bench.session.state(), State::Established);
    let attributes = [ATTRIBUTES.as_slice(), &[0xc0, 98, 1, 7]].concat();
    let outputs = bench.say(conn, &update(&attributes, &[24, 10, 1, 0]));
    let (_, found) = &updates(&outputs)[0].announced[0];
    assert!(!found.wire().contains(&98));
}

#[test]
fn extended_messages_are_read_where_both_offer_them() {
    // 1100 routes of 4 octets do not fit 4096.
    let nlri: Vec<u8> = (0..1_100u16)
        .flat_map(|n| [24, 10, n.to_be_bytes()[0], n.to_be_bytes()[1]])
        .collect();
    let bytes = update(&ATTRIBUTES, &nlri);
    let mut open = peer_open();
    open.capabilities.push(Capability::ExtendedMessage);
    let (mut bench, conn) = Bench::established(config(), &open);
    let outputs = bench.say(conn, &bytes);
    assert_eq!(updates(&outputs)[0].announced[0].0.len(), 1_100);

    let (mut bench, conn) = Bench::established(config().extended_message(false), &open);
    assert_eq!(codes(&bench.say(conn, &bytes)), Some((1, 2)));
}

#[test]
fn a_notification_is_told_in_words() {
    let (mut bench, conn) = Bench::established(config(), &peer_open());
    let notification = Notification::new(6, 2, b"\x0breboot\x07ing!");
    let outputs = bench.say(conn, &wire::encode_notification(&notification, false));
    let (reason, _) = down(&outputs).expect("down");
    assert_eq!(
        reason.to_string(),
        "the peer closed: Cease/Administrative Shutdown: \"reboot ing!\""
    );
    assert_eq!(notified(&outputs), None, "a NOTIFICATION is not answered");
    assert_eq!(closed(&outputs), [conn]);
    let hint = bench.session.status().hint().expect("a hint");
    assert!(hint.contains("shut the session down"), "{hint}");
}
