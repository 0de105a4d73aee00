//! Two OPENs become one agreement.

use super::*;
use crate::message::{AddPathMode, Role};
use crate::session::negotiated::{negotiate, offer};

fn all_families(each: FamilyConfig) -> PerFamily<Option<FamilyConfig>> {
    PerFamily {
        ipv4_unicast: Some(each),
        ipv6_unicast: Some(each),
        evpn: Some(each),
    }
}

fn with(capabilities: &[Capability]) -> Open {
    let mut open = peer_open();
    open.capabilities.extend_from_slice(capabilities);
    open
}

#[test]
fn the_offer_says_everything_configured() {
    let mut graceful = GracefulRestartConfig::new(9_999);
    graceful.restarting = true;
    graceful.forwarding_preserved.evpn = true;
    let config = config()
        .families(all_families(FamilyConfig {
            add_path_receive: true,
            add_path_send: false,
            extended_next_hop: true,
        }))
        .graceful_restart(Some(graceful))
        .role(Some(Role::Provider), false)
        .hostname("site-a", "example.net");
    let open = offer(&config);
    let expected = [
        Capability::Multiprotocol(1, 1),
        Capability::Multiprotocol(2, 1),
        Capability::Multiprotocol(25, 70),
        Capability::RouteRefresh,
        Capability::EnhancedRouteRefresh,
        Capability::FourOctetAs(LOCAL_AS),
        Capability::ExtendedNextHop(vec![(1, 1, 2)]),
        Capability::ExtendedMessage,
        Capability::Role(Role::Provider),
        Capability::GracefulRestart(GracefulRestart {
            restarting: true,
            notification: true,
            restart_time: 4_095,
            families: vec![(1, 1, false), (2, 1, false), (25, 70, true)],
        }),
        Capability::AddPath(vec![
            (1, 1, AddPathMode::Receive),
            (2, 1, AddPathMode::Receive),
            (25, 70, AddPathMode::Receive),
        ]),
        Capability::Fqdn {
            hostname: "site-a".to_owned(),
            domain: "example.net".to_owned(),
        },
    ];
    assert_eq!(open.capabilities, expected);
    let bytes = wire::encode_open(&open);
    assert_eq!(
        wire::decode(&bytes, &wire::Context::default()),
        Ok(Message::Open(open))
    );
}

#[test]
fn a_helper_offers_graceful_restart_without_families() {
    let helper = Capability::GracefulRestart(GracefulRestart {
        notification: true,
        ..GracefulRestart::default()
    });
    assert!(offer(&config()).capabilities.contains(&helper));
    let none = offer(&config().graceful_helper(false));
    assert!(
        !none
            .capabilities
            .iter()
            .any(|capability| matches!(capability, Capability::GracefulRestart(_)))
    );
}

#[test]
fn roles_are_not_offered_within_an_as() {
    let config = Config::new(LOCAL_AS, RemoteAs::Internal, [10, 0, 0, 2].into())
        .role(Some(Role::Peer), true);
    let role = Capability::Role(Role::Peer);
    assert!(!offer(&config).capabilities.contains(&role));
    let open = Open {
        asn: LOCAL_AS,
        ..peer_open()
    };
    assert!(negotiate(&config, &open).is_ok());
    // Where that is open, the role is offered, and heeded between AS alone.
    let config =
        Config::new(LOCAL_AS, RemoteAs::Auto, [10, 0, 0, 2].into()).role(Some(Role::Peer), true);
    assert!(offer(&config).capabilities.contains(&role));
    assert!(negotiate(&config, &open).is_ok());
    assert!(negotiate(&config, &peer_open()).is_err());
}

#[test]
fn add_path_is_agreed_on_per_direction() {
    use AddPathMode::*;
    // Ours (receive, send), the peer's mode, then (receive, send) as agreed.
    let cases = [
        ((true, true), Some(Both), (true, true)),
        ((true, true), Some(Receive), (false, true)),
        ((true, true), Some(Send), (true, false)),
        ((true, false), Some(Both), (true, false)),
        ((true, false), Some(Receive), (false, false)),
        ((false, true), Some(Both), (false, true)),
        ((false, true), Some(Send), (false, false)),
        ((false, false), Some(Both), (false, false)),
        ((true, true), None, (false, false)),
    ];
    for ((add_path_receive, add_path_send), mode, expected) in cases {
        let config = config().families(all_families(FamilyConfig {
            add_path_receive,
            add_path_send,
            extended_next_hop: false,
        }));
        let list: Vec<_> = mode.map(|mode| (1, 1, mode)).into_iter().collect();
        let negotiated = negotiate(&config, &with(&[Capability::AddPath(list)])).unwrap();
        let family = negotiated.families.ipv4_unicast.expect("agreed");
        assert_eq!((family.add_path_receive, family.add_path_send), expected);
        let context = negotiated.wire_context(5);
        assert_eq!(context.add_path.ipv4_unicast, expected.0);
        assert_eq!(context.hash_seed, 5);
        assert!(!context.families.ipv6_unicast);
    }
}

/// RFC 7911 §4.
#[test]
fn the_last_mode_of_a_family_counts() {
    let config = config().families(all_families(FamilyConfig {
        add_path_receive: true,
        ..FamilyConfig::default()
    }));
    let open = with(&[
        Capability::AddPath(vec![(1, 1, AddPathMode::Send)]),
        Capability::AddPath(vec![(1, 1, AddPathMode::Receive)]),
    ]);
    let family = negotiate(&config, &open).unwrap().families.ipv4_unicast;
    assert!(!family.expect("agreed").add_path_receive);
}

#[test]
fn a_peer_without_capabilities_speaks_ipv4_unicast() {
    let open = Open {
        capabilities: Vec::new(),
        ..peer_open()
    };
    let negotiated = negotiate(&config(), &open).unwrap();
    assert!(negotiated.families.ipv4_unicast.is_some());
    assert!(!negotiated.as4 && !negotiated.route_refresh && !negotiated.extended_message);
    assert_eq!(negotiated.max_message_len(), 4_096);
    assert!(!negotiated.wire_context(0).as4);
}

#[test]
fn options_hold_only_when_both_offer_them() {
    let everything = with(&[
        Capability::ExtendedMessage,
        Capability::ExtendedNextHop(vec![(1, 1, 2)]),
        Capability::EnhancedRouteRefresh,
        Capability::Fqdn {
            hostname: "b".to_owned(),
            domain: String::new(),
        },
    ]);
    let ours = config().families(all_families(FamilyConfig {
        extended_next_hop: true,
        ..FamilyConfig::default()
    }));
    let both = negotiate(&ours, &everything).unwrap();
    assert!(both.extended_message && both.enhanced_refresh && both.as4 && both.route_refresh);
    assert!(both.families.ipv4_unicast.unwrap().extended_next_hop);
    assert!(both.wire_context(0).extended_next_hop);
    assert_eq!(both.fqdn, Some(("b".to_owned(), String::new())));
    let one = negotiate(&config().extended_message(false), &everything).unwrap();
    assert!(!one.extended_message);
    assert!(!one.families.ipv4_unicast.unwrap().extended_next_hop);
}

#[test]
fn the_lower_hold_time_and_its_third_count() {
    // Ours, theirs, keepalive configured; then hold time and keepalive.
    let cases = [
        (90, 180, None, 90, Some(30)),
        (90, 30, None, 30, Some(10)),
        (90, 3, None, 3, Some(1)),
        (90, 90, Some(10), 90, Some(10)),
        (90, 9, Some(10), 9, Some(3)),
        (0, 90, None, 0, None),
        (90, 0, Some(5), 0, None),
    ];
    for (ours, theirs, keepalive, hold, expected) in cases {
        let mut config = config().hold_time(HoldTime::secs(ours).unwrap());
        if let Some(keepalive) = keepalive {
            config = config.keepalive(secs(keepalive));
        }
        let open = Open {
            hold_time: theirs,
            ..peer_open()
        };
        let negotiated = negotiate(&config, &open).unwrap();
        assert_eq!(negotiated.hold_time.as_secs(), hold);
        assert_eq!(negotiated.keepalive, expected.map(secs));
    }
}

/// RFC 9687 §3.1.
#[test]
fn the_send_hold_time_is_eight_minutes_or_twice_the_hold_time() {
    for (hold, expected) in [(90, 480), (240, 480), (600, 1_200), (0, 480)] {
        let config = config().hold_time(HoldTime::secs(hold).unwrap());
        let open = Open {
            hold_time: 65_535,
            ..peer_open()
        };
        let negotiated = negotiate(&config, &open).unwrap();
        assert_eq!(negotiated.send_hold_time, secs(expected));
    }
}

/// RFC 9234 §4.2, table 2.
#[test]
fn roles_must_belong_together() {
    use Role::*;
    let all = [Provider, RouteServer, RouteServerClient, Customer, Peer];
    let good = [
        (Provider, Customer),
        (Customer, Provider),
        (RouteServer, RouteServerClient),
        (RouteServerClient, RouteServer),
        (Peer, Peer),
    ];
    for ours in all {
        for theirs in all {
            let config = config().role(Some(ours), false);
            let result = negotiate(&config, &with(&[Capability::Role(theirs)]));
            assert_eq!(
                result.is_ok(),
                good.contains(&(ours, theirs)),
                "{ours:?} {theirs:?}"
            );
        }
        let silent = negotiate(&config().role(Some(ours), false), &peer_open());
        assert!(silent.is_ok());
    }
    let two = with(&[Capability::Role(Customer), Capability::Role(Peer)]);
    let result = negotiate(&config().role(Some(Provider), false), &two);
    assert!(result.is_err(), "several roles");
    assert_eq!(
        negotiate(&config(), &two).unwrap().peer_role,
        Some(Customer)
    );
}

#[test]
fn the_kind_of_a_peer_follows_from_its_number() {
    let external = Config::new(LOCAL_AS, RemoteAs::External, [10, 0, 0, 2].into());
    assert!(negotiate(&external, &peer_open()).unwrap().external);
    let own = Open {
        asn: LOCAL_AS,
        ..peer_open()
    };
    assert!(negotiate(&external, &own).is_err());
    let internal = Config::new(LOCAL_AS, RemoteAs::Internal, [10, 0, 0, 2].into());
    assert!(!negotiate(&internal, &own).unwrap().external);
    // Whatever it says is right, but for AS 0 (RFC 7607 §2).
    let auto = Config::new(LOCAL_AS, RemoteAs::Auto, [10, 0, 0, 2].into());
    let said = negotiate(&auto, &peer_open()).unwrap();
    assert_eq!((said.remote_as, said.external), (PEER_AS, true));
    assert!(!negotiate(&auto, &own).unwrap().external);
    let nobody = Open {
        asn: Asn(0),
        ..peer_open()
    };
    assert!(negotiate(&auto, &nobody).is_err());
    // RFC 6286 §2.2: equal identifiers are fine between ASes.
    let same_id = Open {
        router_id: [10, 0, 0, 2].into(),
        ..peer_open()
    };
    assert!(negotiate(&external, &same_id).is_ok());
}

#[test]
fn graceful_restart_is_recorded_per_family() {
    let open = graceful_open(|graceful| {
        graceful.notification = true;
        graceful.families = vec![(1, 1, true), (2, 1, false)];
    });
    let negotiated = negotiate(&config(), &open).unwrap();
    let restart = negotiated.families.ipv4_unicast.unwrap().peer_restart;
    assert_eq!(
        restart,
        Some(PeerRestart {
            forwarding_preserved: true
        })
    );
    assert!(negotiated.graceful_notification);
    let deaf = negotiate(&config().graceful_helper(false), &open).unwrap();
    assert!(!deaf.graceful_notification);
}
