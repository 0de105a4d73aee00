use super::socket::Told;

/// A control message as the kernel lays it out.
fn control(level: i32, kind: i32, data: &[u8]) -> Vec<u8> {
    let length = 16 + data.len();
    let mut bytes = length.to_ne_bytes().to_vec();
    bytes.extend(level.to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(data);
    bytes.resize(length.next_multiple_of(8), 0);
    bytes
}

#[test]
fn control_messages_tell_ttl_and_interface() {
    let mut v4 = control(libc::IPPROTO_IP, libc::IP_TTL, &255i32.to_ne_bytes());
    let mut info = 7i32.to_ne_bytes().to_vec();
    info.extend([192, 0, 2, 1, 192, 0, 2, 1]);
    v4.extend(control(libc::IPPROTO_IP, libc::IP_PKTINFO, &info));
    let mut v6 = control(
        libc::IPPROTO_IPV6,
        libc::IPV6_HOPLIMIT,
        &255i32.to_ne_bytes(),
    );
    let mut info = vec![0xfe; 16];
    info.extend(7i32.to_ne_bytes());
    v6.extend(control(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &info));
    assert_eq!(Told::read(&v4), Told::read(&v6));
    assert_eq!(
        format!("{:?}", Told::read(&v4)),
        "Told { ttl: Some(255), interface: Some(InterfaceIndex(7)) }"
    );
}

#[test]
fn broken_control_messages_tell_nothing() {
    let whole = control(libc::IPPROTO_IP, libc::IP_TTL, &255i32.to_ne_bytes());
    for length in 0..20 {
        assert_eq!(
            Told::read(&whole[..length]),
            Told::default(),
            "{length} bytes"
        );
    }
    let zero_length = [0u8; 64];
    assert_eq!(Told::read(&zero_length), Told::default());
    let huge = [0xffu8; 64];
    assert_eq!(Told::read(&huge), Told::default());
}
