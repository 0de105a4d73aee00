use proptest::prelude::*;

use super::*;

const STATION: MacAddress = MacAddress([2, 0, 0, 0, 0, 5]);
const OTHER: MacAddress = MacAddress([2, 0, 0, 0, 0, 6]);
const IP: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 5);
const PEER: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 6);

fn has(ip: impl Into<IpAddr>) -> Claim {
    Claim::Has(ip.into())
}

fn word(claim: Claim, announced: bool) -> Option<Word> {
    Some(Word {
        mac: STATION,
        claim,
        announced,
    })
}

/// An ARP or RARP frame from a station, for Ethernet and IPv4.
fn arp(
    kind: u16,
    from: MacAddress,
    operation: u8,
    sender: (MacAddress, Ipv4Addr),
    target: (MacAddress, Ipv4Addr),
) -> Vec<u8> {
    let mut frame = vec![0xff; 6];
    frame.extend(from.0);
    frame.extend(kind.to_be_bytes());
    frame.extend([0, 1, 8, 0, 6, 4, 0, operation]);
    for (mac, ip) in [sender, target] {
        frame.extend(mac.0);
        frame.extend(ip.octets());
    }
    // Ethernet fills frames up to sixty octets.
    frame.resize(60, 0);
    frame
}

const NOBODY: (MacAddress, Ipv4Addr) = (MacAddress([0; 6]), Ipv4Addr::UNSPECIFIED);

#[test]
fn arp_says_who_has_an_address_and_whether_unasked() {
    let own = (STATION, IP);
    let of = |ip| (MacAddress([0; 6]), ip);
    for (operation, sender, target, expected) in [
        (1, own, of(PEER), word(has(IP), false)),
        (2, own, (OTHER, PEER), word(has(IP), false)),
        // Gratuitous, in both forms (RFC 5944 §4.6).
        (1, own, of(IP), word(has(IP), true)),
        (2, own, (MacAddress([0xff; 6]), IP), word(has(IP), true)),
        // A probe (RFC 5227 §2.1.1).
        (1, (STATION, NOBODY.1), of(IP), word(Claim::None, false)),
        // In the name of somebody else.
        (2, (OTHER, IP), of(PEER), None),
        (3, own, own, None),
        (9, own, of(PEER), None),
        // Nobody's address.
        (
            1,
            (STATION, Ipv4Addr::BROADCAST),
            of(PEER),
            word(Claim::None, false),
        ),
        (
            1,
            (STATION, Ipv4Addr::LOCALHOST),
            of(PEER),
            word(Claim::None, false),
        ),
        (
            1,
            (STATION, Ipv4Addr::new(224, 0, 0, 1)),
            of(PEER),
            word(Claim::None, false),
        ),
    ] {
        let frame = arp(ARP, STATION, operation, sender, target);
        assert_eq!(read(&frame), expected, "{operation} {sender:?} {target:?}");
    }
}

#[test]
fn a_reverse_request_announces_a_machine_and_no_address() {
    let own = (STATION, Ipv4Addr::UNSPECIFIED);
    assert_eq!(
        read(&arp(RARP, STATION, 3, own, own)),
        word(Claim::None, true)
    );
    assert_eq!(read(&arp(RARP, STATION, 4, own, own)), None);
    assert_eq!(read(&arp(RARP, STATION, 3, own, (OTHER, NOBODY.1))), None);
}

#[test]
fn a_group_or_nobody_sends_nothing() {
    for mac in [MacAddress([3, 0, 0, 0, 0, 5]), MacAddress([0; 6])] {
        assert_eq!(read(&arp(ARP, mac, 1, (mac, IP), NOBODY)), None, "{mac}");
    }
}

fn v6(text: &str) -> Ipv6Addr {
    text.parse().unwrap()
}

/// A message of neighbour discovery with its checksum.
fn discovery(
    source: &str,
    destination: &str,
    head: [u8; 8],
    target: &str,
    rest: &[u8],
) -> Vec<u8> {
    let (source, destination) = (v6(source).octets(), v6(destination).octets());
    let mut message = head.to_vec();
    message.extend(v6(target).octets());
    message.extend(rest);
    let sum = checksum(&source, &destination, &message).to_be_bytes();
    message[2..4].copy_from_slice(&sum);
    let mut frame = vec![0x33; 6];
    frame.extend(STATION.0);
    frame.extend(IPV6.to_be_bytes());
    let length = u8::try_from(message.len()).unwrap();
    frame.extend([0x60, 0, 0, 0, 0, length, ICMPV6, 255]);
    frame.extend(source);
    frame.extend(destination);
    frame.extend(message);
    frame
}

const ASKS: [u8; 8] = [135, 0, 0, 0, 0, 0, 0, 0];

fn tells(flags: u8) -> [u8; 8] {
    [136, 0, 0, 0, flags, 0, 0, 0]
}

fn option(kind: u8, mac: MacAddress) -> Vec<u8> {
    let mut option = vec![kind, 1];
    option.extend(mac.0);
    option
}

#[test]
fn solicitations_say_who_asks() {
    let own = option(1, STATION);
    let nonce = [14, 1, 1, 2, 3, 4, 5, 6];
    for (source, options, expected) in [
        ("fd00::5", own.clone(), word(has(v6("fd00::5")), false)),
        ("fe80::5", own.clone(), word(has(v6("fe80::5")), false)),
        ("fd00::5", Vec::new(), word(has(v6("fd00::5")), false)),
        ("fd00::5", option(1, OTHER), None),
        // RFC 4862 §5.4: wants to know whether it may have the target. With a nonce (RFC 7527).
        ("::", Vec::new(), word(Claim::Tries(v6("fd00::6")), false)),
        (
            "::",
            nonce.to_vec(),
            word(Claim::Tries(v6("fd00::6")), false),
        ),
        ("::", own.clone(), None),
        ("ff02::1", own, None),
        ("fd00::5", vec![1, 0, 0, 0, 0, 0, 0, 0], None),
        ("fd00::5", vec![1, 2, 0, 0, 0, 0, 0, 0], None),
        ("fd00::5", vec![1], None),
    ] {
        let frame = discovery(source, "ff02::1:ff00:6", ASKS, "fd00::6", &options);
        assert_eq!(read(&frame), expected, "{source} {options:?}");
    }
}

#[test]
fn advertisements_say_who_has_the_target() {
    let own = option(2, STATION);
    for (destination, flags, options, expected) in [
        (
            "fd00::6",
            0x60,
            own.clone(),
            word(has(v6("fd00::5")), false),
        ),
        ("fd00::6", 0x40, Vec::new(), word(has(v6("fd00::5")), false)),
        ("ff02::1", 0x20, own.clone(), word(has(v6("fd00::5")), true)),
        ("fd00::6", 0x20, own.clone(), word(has(v6("fd00::5")), true)),
        // RFC 4861 §7.1.2: an answer does not go to all.
        ("ff02::1", 0x60, own, None),
        ("ff02::1", 0x20, option(2, OTHER), None),
    ] {
        let frame = discovery("fd00::5", destination, tells(flags), "fd00::5", &options);
        assert_eq!(
            read(&frame),
            expected,
            "{destination} {flags:#x} {options:?}"
        );
    }
    for target in ["ff02::1", "::", "::1"] {
        let frame = discovery("fd00::5", "ff02::1", tells(0x20), target, &[]);
        assert_eq!(read(&frame), None, "{target}");
    }
}

#[test]
fn what_was_forwarded_or_damaged_says_nothing() {
    let whole = discovery(
        "fd00::5",
        "ff02::1",
        tells(0x20),
        "fd00::5",
        &option(2, STATION),
    );
    assert!(read(&whole).is_some());
    // Version, next header, hop limit, checksum, code, an octet of the target.
    for at in [14, 20, 21, 56, 55, 70] {
        let mut frame = whole.clone();
        frame[at] ^= 0x10;
        assert_eq!(read(&frame), None, "octet {at}");
    }
    for end in 0..whole.len() {
        assert_eq!(read(&whole[..end]), None, "{end} octets");
    }
}

proptest! {
    /// Whatever a station is asked, the question is one that it understands, from us.
    #[test]
    fn questions_are_well_formed(station: [u8; 6], from: [u8; 6], ip: IpAddr, sender: Option<Ipv4Addr>) {
        let [station, from] = [station, from].map(|mut mac| {
            mac[0] &= 0xfe;
            mac[5] |= 1;
            MacAddress(mac)
        });
        prop_assume!(is_host(ip));
        let frame = question(station, ip, from, sender);
        let word = read(&frame).unwrap();
        prop_assert_eq!(word.mac, from);
        prop_assert_eq!(&frame[..6], &station.0[..]);
        let own = sender.filter(|it| is_host((*it).into()));
        let expected = match (ip, own) {
            (IpAddr::V4(_), Some(own)) => has(own),
            (IpAddr::V4(_), None) => Claim::None,
            (IpAddr::V6(_), _) => has(link_local(from)),
        };
        prop_assert_eq!(word.claim, expected);
    }

    /// Any octets give a word or none; a word is about the frame's sender.
    #[test]
    fn reading_is_total(frame in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Some(word) = read(&frame) {
            prop_assert_eq!(&word.mac.0[..], &frame[6..12]);
        }
    }

    /// Damaged frames of every kind, which get further than octets at random.
    #[test]
    fn damaged_frames_do_no_harm(at in 0..60_usize, octet: u8, end in 0..100_usize, which in 0..3) {
        let mut frame = match which {
            0 => arp(ARP, STATION, 1, (STATION, IP), (STATION, IP)),
            1 => question(OTHER, "fd00::6".parse().unwrap(), STATION, None),
            _ => discovery("fd00::5", "ff02::1", tells(0x20), "fd00::5", &option(2, STATION)),
        };
        frame[at] = octet;
        frame.truncate(end);
        if let Some(word) = read(&frame) {
            prop_assert!(is_station(word.mac));
            if let Claim::Has(ip) = word.claim {
                prop_assert!(is_host(ip));
            }
        }
    }
}

#[test]
fn an_ipv4_mapped_address_is_no_stations() {
    assert!(!is_host("::ffff:10.0.0.1".parse().unwrap()));
    assert!(is_host("fe80::1".parse().unwrap()));
}
