use super::*;

/// An attribute laid out by hand: `struct nlattr`, value, padding to four bytes.
fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
    let mut bytes = u16::try_from(value.len() + 4)
        .unwrap()
        .to_ne_bytes()
        .to_vec();
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn message(family: u16, flags: u16, sequence: u32, body: &[u8]) -> Vec<u8> {
    let mut bytes = u32::try_from(body.len() + 16)
        .unwrap()
        .to_ne_bytes()
        .to_vec();
    bytes.extend(family.to_ne_bytes());
    bytes.extend(flags.to_ne_bytes());
    bytes.extend(sequence.to_ne_bytes());
    bytes.extend([0; 4]);
    bytes.extend(body);
    bytes
}

#[test]
fn a_request_for_a_device_names_it() {
    let body = [vec![0, 1, 0, 0], attribute(2, b"wg0\0")].concat();
    assert_eq!(get_request(27, 9, "wg0"), message(27, 0x301, 9, &body));
}

#[test]
fn a_change_is_laid_out_as_in_the_header() {
    let prefixes = ["10.1.0.0/16", "fd00::/64"].map(|text| text.parse().unwrap());
    let v4 = [
        attribute(1, &[2, 0]),
        attribute(2, &[10, 1, 0, 0]),
        attribute(3, &[16]),
    ]
    .concat();
    let mut address = [0; 16];
    address[0] = 0xfd;
    let v6 = [
        attribute(1, &[10, 0]),
        attribute(2, &address),
        attribute(3, &[64]),
    ]
    .concat();
    for flags in [0_u32, 4] {
        let allowed = [attribute(0x8000, &v4), attribute(0x8000, &v6)].concat();
        let peer = [
            attribute(1, &[7; 32]),
            attribute(3, &flags.to_ne_bytes()),
            attribute(0x8009, &allowed),
        ]
        .concat();
        let peers = attribute(0x8008, &attribute(0x8000, &peer));
        let body = [vec![1, 1, 0, 0], attribute(2, b"wg0\0"), peers].concat();
        let request = set_request((27, 9, "wg0"), PublicKey([7; 32]), flags, &prefixes);
        assert_eq!(request, message(27, 5, 9, &body));
    }
}

#[test]
fn a_dump_is_read_and_a_peer_continues_in_the_next_message() {
    let prefix = |octets: [u8; 4], length| {
        let parts = [
            attribute(1, &[2, 0]),
            attribute(2, &octets),
            attribute(3, &[length]),
        ];
        attribute(0x8000, &parts.concat())
    };
    let mut endpoint = vec![2, 0];
    endpoint.extend(51820_u16.to_be_bytes());
    endpoint.extend([192, 0, 2, 1]);
    endpoint.extend([0; 8]);
    let handshake = [1_700_000_000_u64.to_ne_bytes(), 5_u64.to_ne_bytes()].concat();
    let first = [
        attribute(1, &[7; 32]),
        attribute(2, &[9; 32]),
        attribute(4, &endpoint),
        attribute(5, &25_u16.to_ne_bytes()),
        attribute(6, &handshake),
        attribute(7, &100_u64.to_ne_bytes()),
        attribute(8, &200_u64.to_ne_bytes()),
        attribute(0x8009, &prefix([10, 10, 0, 2], 32)),
    ]
    .concat();
    let again = [
        attribute(1, &[7; 32]),
        attribute(0x8009, &prefix([10, 1, 0, 0], 16)),
    ]
    .concat();
    let other = [attribute(1, &[8; 32]), attribute(6, &[0; 16])].concat();
    let mut peers = Vec::new();
    let one = [
        attribute(2, b"wg0\0"),
        attribute(0x8008, &attribute(0x8000, &first)),
    ]
    .concat();
    read_peers(&one, &mut peers);
    let two = [attribute(0x8000, &again), attribute(0x8000, &other)].concat();
    read_peers(&attribute(0x8008, &two), &mut peers);
    assert_eq!(peers.len(), 2);
    assert_eq!(peers[0].endpoint, Some("192.0.2.1:51820".parse().unwrap()));
    let prefixes: Vec<String> = peers[0]
        .allowed_ips
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(prefixes, ["10.10.0.2/32", "10.1.0.0/16"]);
    assert_eq!((peers[0].received, peers[0].sent), (100, 200));
    let since = peers[0]
        .last_handshake
        .unwrap()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap();
    assert_eq!(since, Duration::new(1_700_000_000, 5));
    assert_eq!(peers[0].keepalive, Some(Duration::from_secs(25)));
    assert_eq!((peers[1].last_handshake, peers[1].keepalive), (None, None));
    // Cut anywhere, it gives less but does no harm.
    for length in 0..one.len() {
        read_peers(&one[..length], &mut Vec::new());
    }
}

#[test]
fn a_kernel_without_wireguard_is_named() {
    match InKernel::open("wg0") {
        Ok(_) => crate::skip::note(None, "this kernel has WireGuard"),
        Err(error) => assert!(matches!(error, WireguardError::NoFamily), "{error:?}"),
    }
}
