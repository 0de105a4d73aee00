use std::io::Read as _;
use std::net::{Ipv4Addr, Ipv6Addr, TcpListener};
use std::time::Duration;

use super::*;

#[test]
fn the_address_of_an_interface_is_found_by_name_and_ip_version() {
    assert_eq!(
        address_of("lo", true).unwrap(),
        IpAddr::V4(Ipv4Addr::LOCALHOST)
    );
    let error = address_of("no-such-device", true).unwrap_err();
    assert_eq!(
        error.to_string(),
        "interface `no-such-device` has no IPv4 address to connect from"
    );
}

#[test]
fn the_counters_of_dropped_segments_are_found_by_their_names() {
    let text = "TcpExt: SyncookiesSent TCPMD5NotFound TCPMD5Unexpected TCPMD5Failure Other\n\
                TcpExt: 9 1 2 3 8\nIpExt: InNoRoutes\nIpExt: 0\n";
    let expected = Md5Drops {
        wrong: 3,
        missing: 1,
        unexpected: 2,
    };
    assert_eq!(parse_md5_drops(text), Some(expected));
    assert_eq!(parse_md5_drops("TcpExt: A\nTcpExt: 1\n"), None);
    assert_eq!(parse_md5_drops(""), None);
}

#[test]
fn a_key_that_is_not_there_is_taken_away_without_a_word() {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).unwrap();
    let peer = Prefix::host(Ipv4Addr::LOCALHOST.into());
    match md5_works() {
        Ok(()) => set_md5_key(&socket, peer, None).unwrap(),
        Err(error) => assert!(error.to_string().contains("CONFIG_TCP_MD5SIG"), "{error}"),
    }
}

#[test]
fn hosts_and_networks_of_both_ip_versions_take_keys() {
    if md5_works().is_err() {
        crate::skip::note(None, "no TCP MD5 signatures in this kernel");
        return;
    }
    let password = Password::new("secret").unwrap();
    for (domain, peers) in [
        (Domain::IPV4, ["192.0.2.1/32", "192.0.2.0/24"]),
        (Domain::IPV6, ["2001:db8::1/128", "2001:db8::/32"]),
    ] {
        let socket = Socket::new(domain, Type::STREAM, Some(Protocol::TCP)).unwrap();
        for peer in peers {
            let peer: Prefix = peer.parse().unwrap();
            set_md5_key(&socket, peer, Some(&password)).unwrap();
            set_md5_key(&socket, peer, Some(&password)).unwrap();
            set_md5_key(&socket, peer, None).unwrap();
        }
    }
}

#[test]
fn the_ttl_and_the_least_ttl_stand_on_the_socket() {
    let mut transport = Transport {
        vrf: None,
        local: None,
        interface: Some("lo".to_owned()),
        ttl: 255,
        min_ttl: Some(254),
        signing: None,
        signed: Prefix::host(Ipv4Addr::LOCALHOST.into()),
        within: None,
    };
    let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).unwrap();
    let local = transport
        .prepare(&socket, Ipv4Addr::LOCALHOST.into())
        .unwrap();
    assert_eq!(local, Some("127.0.0.1:0".parse().unwrap()));
    assert_eq!(socket.ttl_v4().unwrap(), 255);
    transport.interface = None;
    let socket = Socket::new(Domain::IPV6, Type::STREAM, Some(Protocol::TCP)).unwrap();
    let local = transport
        .prepare(&socket, Ipv6Addr::LOCALHOST.into())
        .unwrap();
    assert_eq!(local, None);
    assert_eq!(socket.unicast_hops_v6().unwrap(), 255);
}

#[test]
fn a_dial_under_way_is_made_anew_unless_it_would_be_the_same() {
    let host = Prefix::host(Ipv4Addr::LOCALHOST.into());
    let network: Prefix = "127.0.0.0/8".parse().unwrap();
    let before = Transport {
        vrf: None,
        local: None,
        interface: None,
        ttl: 1,
        min_ttl: None,
        signing: Password::new("one").map(Signing::Md5),
        signed: host,
        within: None,
    };
    for (change, same) in [
        ((|_| ()) as fn(&mut Transport), true),
        (|it| it.within = "127.0.0.0/8".parse().ok(), true),
        (
            |it| it.signing = Password::new("two").map(Signing::Md5),
            false,
        ),
        (|it| it.signing = None, false),
        (|it| it.ttl = 255, false),
        (|it| it.local = Some(Ipv4Addr::LOCALHOST.into()), false),
    ] {
        let mut after = before.clone();
        change(&mut after);
        assert_eq!(before.connects_like(&after), same, "{after:?}");
    }
    let named = Transport {
        signed: network,
        ..before.clone()
    };
    assert!(named.connects_like(&before));
}

#[test]
fn keys_of_a_connection_stand_for_the_host_or_the_network_around_it() {
    let host = Prefix::host(Ipv4Addr::LOCALHOST.into());
    let network: Prefix = "127.0.0.0/8".parse().unwrap();
    let [alone, inside] = [None, Some(network)].map(|within| Transport {
        vrf: None,
        local: None,
        interface: None,
        ttl: 1,
        min_ttl: None,
        signing: None,
        signed: host,
        within,
    });
    let remote = Ipv4Addr::LOCALHOST.into();
    let places = |side, before: &Transport, after| before.places(side, remote, after);
    assert_eq!(places(Side::Outgoing, &inside, &inside), (host, vec![]));
    assert_eq!(places(Side::Incoming, &alone, &alone), (host, vec![]));
    // A range that has just gone has left its keys on the connection, and a new one may have.
    let around = (host, vec![network]);
    assert_eq!(places(Side::Incoming, &inside, &alone), around);
    assert_eq!(places(Side::Incoming, &alone, &inside), around);
}

/// The kernel gave the connection the keys that the listening socket had at its handshake.
#[test]
fn a_connection_accepted_before_the_password_changed_carries_nothing_after_it() {
    if md5_works().is_err() {
        crate::skip::note(None, "no TCP MD5 signatures in this kernel");
        return;
    }
    let localhost = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let host = Prefix::host(localhost);
    let signing = |word| Password::new(word).map(Signing::Md5);
    let (before, after) = (signing("before"), signing("after"));

    let listener = TcpListener::bind((localhost, 0)).unwrap();
    sign(&listener, host, None, before.as_ref()).unwrap();
    let client = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).unwrap();
    sign(&client, host, None, before.as_ref()).unwrap();
    let address = listener.local_addr().unwrap();
    client.connect(&address.into()).unwrap();
    sign(&listener, host, before.as_ref(), after.as_ref()).unwrap();

    let (mut accepted, _) = listener.accept().unwrap();
    let mut transport = Transport {
        vrf: None,
        local: None,
        interface: None,
        ttl: 1,
        min_ttl: None,
        signing: after,
        signed: host,
        within: None,
    };
    transport.adopt(&accepted, localhost).unwrap();
    client.send(b"signed with the old one").unwrap();
    let patience = Some(Duration::from_millis(100));
    accepted.set_read_timeout(patience).unwrap();
    let mut octet = [0];
    let silence = accepted.read(&mut octet).unwrap_err();
    assert_eq!(silence.kind(), io::ErrorKind::WouldBlock);

    // With the old one again, what was sent again is taken.
    transport.signing = before;
    transport.adopt(&accepted, localhost).unwrap();
    accepted.set_read_timeout(None).unwrap();
    assert_eq!(accepted.read(&mut octet).unwrap(), 1);
}
