use super::*;

#[test]
fn addresses_and_segments_are_shown_as_they_are_read() {
    let mac: MacAddress = "02:00:5e:00:00:ff".parse().unwrap();
    assert_eq!(mac.to_string(), "02:00:5e:00:00:ff");
    let esi: Esi = "00:11:22:33:44:55:66:77:88:99".parse().unwrap();
    assert_eq!(esi.to_string(), "00:11:22:33:44:55:66:77:88:99");
    for text in [
        "02:00:5e:00:00",
        "02:00:5e:00:00:ff:00",
        "2:0:0:0:0:0",
        "+2:00:5e:00:00:ff",
    ] {
        assert!(text.parse::<MacAddress>().is_err(), "{text}");
    }
    assert!("00:11".parse::<Esi>().is_err());
}

#[test]
fn route_distinguishers_are_shown_as_they_are_read() {
    for (text, kind) in [
        ("10.10.0.1:100", 1),
        ("65000:4294967295", 0),
        ("4200000000:100", 2),
    ] {
        let rd: RouteDistinguisher = text.parse().unwrap();
        assert_eq!(rd.0[1], kind);
        assert_eq!(rd.to_string(), text);
    }
    for text in ["10.10.0.1:65536", "4200000000:65536", "100", ""] {
        assert!(text.parse::<RouteDistinguisher>().is_err(), "{text}");
    }
}

#[test]
fn a_vni_has_24_bits() {
    assert_eq!(Vni::new(0xff_ffff).map(Vni::get), Some(0xff_ffff));
    assert_eq!(Vni::new(0x100_0000), None);
}

#[test]
fn keys_are_shown_in_brackets() {
    let rd: RouteDistinguisher = "10.10.0.1:100".parse().unwrap();
    let mac: MacAddress = "02:00:00:00:00:01".parse().unwrap();
    let mac_ip = |ip: Option<&str>| EvpnKey::MacIp {
        rd,
        tag: 0,
        mac,
        ip: ip.map(|ip| ip.parse().unwrap()),
    };
    assert_eq!(
        mac_ip(None).to_string(),
        "[2]:[10.10.0.1:100]:[0]:[48]:[02:00:00:00:00:01]"
    );
    assert_eq!(
        mac_ip(Some("2001:db8::5")).to_string(),
        "[2]:[10.10.0.1:100]:[0]:[48]:[02:00:00:00:00:01]:[128]:[2001:db8::5]"
    );
    let originator = EvpnKey::InclusiveMulticast {
        rd,
        tag: 0,
        originator: "10.10.0.1".parse().unwrap(),
    };
    assert_eq!(
        originator.to_string(),
        "[3]:[10.10.0.1:100]:[0]:[32]:[10.10.0.1]"
    );
}
