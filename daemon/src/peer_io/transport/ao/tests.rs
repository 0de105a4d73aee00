use std::net::{Ipv4Addr, Ipv6Addr};

use super::*;

fn key(id: u8, secret: &str, algorithm: AoAlgorithm) -> AoKey {
    AoKey {
        id,
        recv_id: id + 100,
        secret: Password::new(secret).unwrap(),
        algorithm,
    }
}

fn family(number: libc::c_int) -> [u8; 2] {
    u16::try_from(number).unwrap().to_ne_bytes()
}

fn octets<R: Request>(request: &R) -> Vec<u8> {
    // SAFETY: requests have no padding, so every octet is initialised.
    unsafe { std::slice::from_raw_parts(std::ptr::from_ref(request).cast::<u8>(), size_of::<R>()) }
        .to_vec()
}

/// Places of fields as linux/tcp.h has them.
#[test]
fn a_key_is_added_in_the_octets_of_the_kernels_struct() {
    let peer: Prefix = "192.0.2.0/24".parse().unwrap();
    let key = key(7, "secret", AoAlgorithm::Aes128Cmac);
    let add = octets(&AddKey::new(peer, &key, SET_CURRENT | SET_RNEXT));
    assert_eq!(add.len(), 288);
    let mut expected = vec![0; 288];
    expected[0..2].copy_from_slice(&family(libc::AF_INET));
    expected[4..8].copy_from_slice(&[192, 0, 2, 0]);
    expected[128..140].copy_from_slice(b"cmac(aes128)");
    expected[196..200].copy_from_slice(&(SET_CURRENT | SET_RNEXT).to_ne_bytes());
    expected[202..208].copy_from_slice(&[24, 7, 107, 12, 0, 6]);
    expected[208..214].copy_from_slice(b"secret");
    assert_eq!(add, expected);
}

#[test]
fn a_key_is_removed_in_the_octets_of_the_kernels_struct() {
    let peer = Prefix::host(Ipv6Addr::LOCALHOST.into());
    let mut request = DelKey::new(peer, &key(7, "secret", AoAlgorithm::HmacSha1));
    request.flags = SET_RNEXT;
    request.current_key = 1;
    request.rnext = 101;
    let del = octets(&request);
    assert_eq!(del.len(), 144);
    let mut expected = vec![0; 144];
    expected[0..2].copy_from_slice(&family(libc::AF_INET6));
    expected[23] = 1;
    expected[132..136].copy_from_slice(&SET_RNEXT.to_ne_bytes());
    expected[138..143].copy_from_slice(&[128, 7, 107, 1, 101]);
    assert_eq!(del, expected);
}

#[test]
fn a_key_in_use_goes_with_the_number_of_another_one() {
    let peer = Prefix::host(Ipv4Addr::LOCALHOST.into());
    let (one, two) = (
        key(1, "one", AoAlgorithm::HmacSha1),
        key(2, "two", AoAlgorithm::HmacSha1),
    );
    let table = [
        ((1, 101), (SET_CURRENT | SET_RNEXT, 2, 102)),
        ((1, 102), (SET_CURRENT, 2, 0)),
        ((2, 101), (SET_RNEXT, 0, 102)),
        ((2, 102), (0, 0, 0)),
    ];
    for ((current_key, rnext), expected) in table {
        let info = Info {
            current_key,
            rnext,
            ..Info::default()
        };
        let request = DelKey::in_use(peer, &one, &info, &two);
        let found = (request.flags, request.current_key, request.rnext);
        assert_eq!(found, expected, "{current_key} {rnext}");
    }
}

/// Answers as a kernel would that has a key for one place.
#[test]
fn a_key_is_taken_away_where_it_stands_and_missing_only_where_that_matters() {
    let host = Prefix::host(Ipv4Addr::LOCALHOST.into());
    let network: Prefix = "127.0.0.0/8".parse().unwrap();
    let answer = |stands: Option<Prefix>, code: libc::c_int, flags: u32| {
        let mut asked = Vec::new();
        let result = remove_somewhere(host, &[network], |place| {
            asked.push(place);
            match stands == Some(place) {
                true => Ok(()),
                false => Err((io::Error::from_raw_os_error(code), flags)),
            }
        });
        (asked, result.map_err(|error| error.to_string()))
    };
    let both = vec![host, network];
    assert_eq!(answer(Some(host), libc::ENOENT, 0), (vec![host], Ok(())));
    let flags = SET_CURRENT;
    let found = answer(Some(network), libc::ENOENT, flags);
    assert_eq!(found, (both.clone(), Ok(())));
    assert_eq!(answer(None, libc::ENOENT, 0), (both.clone(), Ok(())));
    for flags in [SET_CURRENT, SET_RNEXT] {
        let (asked, result) = answer(None, libc::ENOENT, flags);
        assert_eq!(asked, both);
        let error = result.unwrap_err();
        assert!(error.starts_with("a key in use is not among"), "{error}");
    }
    let (asked, result) = answer(None, libc::EBUSY, 0);
    assert!(asked == [host] && result.is_err(), "{result:?}");
}

#[test]
fn the_keys_in_use_stand_where_the_kernel_has_them() {
    let info = Info {
        flags: SET_RNEXT,
        current_key: 1,
        rnext: 2,
        counters: [3, 0, 0, 0, 4],
        ..Info::default()
    };
    let mut expected = vec![0; 48];
    expected[0..4].copy_from_slice(&SET_RNEXT.to_ne_bytes());
    expected[6..8].copy_from_slice(&[1, 2]);
    expected[8..16].copy_from_slice(&3_u64.to_ne_bytes());
    expected[40..48].copy_from_slice(&4_u64.to_ne_bytes());
    assert_eq!(octets(&info), expected);
}

#[test]
fn the_counters_of_dropped_segments_are_found() {
    let text = "TcpExt: TCPAORequired TCPAOBad TCPAOKeyNotFound TCPAOGood\nTcpExt: 1 2 3 4\n";
    let expected = AoDrops {
        wrong: 2,
        unknown: 3,
        missing: 1,
    };
    assert_eq!(parse_drops(text), Some(expected));
    assert_eq!(parse_drops("TcpExt: A\nTcpExt: 1\n"), None);
}

/// On a kernel that has it every algorithm works, and on another one the error says what it lacks.
#[test]
fn a_kernel_takes_keys_or_says_what_it_lacks() {
    let all = [
        AoAlgorithm::HmacSha1,
        AoAlgorithm::Aes128Cmac,
        AoAlgorithm::HmacSha256,
        AoAlgorithm::HmacSha256Short,
    ];
    for algorithm in all {
        match works(algorithm) {
            Ok(()) => {}
            Err(error) => assert!(error.to_string().contains("(CONFIG_TCP_AO)"), "{error}"),
        }
    }
}

#[test]
fn keys_of_hosts_and_networks_come_and_go() {
    if works(AoAlgorithm::HmacSha1).is_err() {
        crate::skip::note(None, "no TCP-AO in this kernel");
        return;
    }
    let (one, two) = (
        key(1, "one", AoAlgorithm::HmacSha1),
        key(2, "two", AoAlgorithm::HmacSha256),
    );
    let only_one = TcpAo::new(vec![one.clone()]).unwrap();
    let both = TcpAo::new(vec![two, one]).unwrap();
    for (own, peer) in [
        ("127.0.0.1:0", Prefix::host(Ipv4Addr::LOCALHOST.into())),
        ("127.0.0.1:0", "192.0.2.0/24".parse().unwrap()),
        ("[::1]:0", "2001:db8::/32".parse().unwrap()),
    ] {
        // One that does not listen has a current key, which stays.
        let socket = std::net::TcpListener::bind(own).unwrap();
        add(&socket, peer, &only_one).unwrap();
        replace(&socket, peer, &only_one, &both).unwrap();
        forget(&socket, peer, both.keys()).unwrap();
        forget(&socket, peer, both.keys()).unwrap();
    }
}
