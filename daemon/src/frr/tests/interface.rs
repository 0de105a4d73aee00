//! Addresses, state and description of devices, and whether the host forwards.

use super::*;

const HEAD: &str = "router bgp 65001\n bgp router-id 10.0.0.1\n!\n";

/// The same in our own words, and shown in FRR's it reads as the same.
fn same(lines: &str, ours: &str) {
    let config = config(&format!("{HEAD}{lines}\n"));
    let multipath = "ipv4_unicast = { multipath = { paths = 256 } }\n\
                     ipv6_unicast = { multipath = { paths = 256 } }\n";
    let head = format!("asn = 65001\nrouter_id = \"10.0.0.1\"\n{multipath}");
    assert_eq!(config, toml(&format!("{head}{ours}")), "{lines}");
    let printed = crate::frr::print(&config, &Host::default()).text;
    assert_eq!(self::config(&printed), config, "{printed}");
    assert!(!printed.contains("! rbgpd: interface"), "{printed}");
}

/// What is wrong with lines of `interface eth0`.
fn wrong(line: &str) -> String {
    let text = format!("{HEAD}interface eth0\n {line}\n");
    all(&parsed(&text, &Host::default()).1.unwrap_err())
}

#[test]
fn blocks_of_a_device_are_one_and_no_takes_back() {
    same(
        "interface eth0\n description To the lab, rack 4\n ip address 10.1.0.1/24\n \
         ip address 10.2.0.1/24\n ipv6 address 2001:db8::1/64\nexit\n!\ninterface lo\n \
         ip address 192.0.2.1/32\nexit\n!\ninterface eth0\n no ip address 10.2.0.1/24\n \
         ip address 10.1.0.1/24\n no shutdown\nexit\ninterface eth1\n shutdown\n description gone\n \
         no description\ninterface eth2\n ip address 10.9.0.1/24\nno interface eth2\n\
         interface eth3\n bandwidth 1000\n",
        "[[interface]]\nname = \"eth0\"\ndescription = \"To the lab, rack 4\"\nup = true\n\
         addresses = [\"10.1.0.1/24\", \"2001:db8::1/64\"]\n\
         [[interface]]\nname = \"eth1\"\nup = false\n\
         [[interface]]\nname = \"lo\"\naddresses = [\"192.0.2.1/32\"]\n",
    );
}

#[test]
fn peers_and_labels_are_as_the_kernel_has_them() {
    same(
        "interface eth0\n ip address 10.1.0.1 peer 10.1.0.2/32\n ip address 10.2.0.1/24 label eth0:1\n \
         ip address 10.3.0.1/32 label eth0:2 peer 10.3.0.2/30\n",
        "[[interface]]\nname = \"eth0\"\naddresses = [\
         { address = \"10.1.0.1/32\", peer = \"10.1.0.2\" }, \
         { address = \"10.2.0.1/24\", label = \"eth0:1\" }, \
         { address = \"10.3.0.1/30\", peer = \"10.3.0.2\", label = \"eth0:2\" }]\n",
    );
}

#[test]
fn the_host_forwards_or_not_or_as_it_likes() {
    same("ip forwarding", "kernel = { ipv4_forwarding = true }\n");
    same(
        "no ip forwarding\nipv6 forwarding\nno ipv6 forwarding",
        "kernel = { ipv4_forwarding = false, ipv6_forwarding = false }\n",
    );
    same("", "");
}

#[test]
fn all_lines_are_honoured_those_of_a_device_in_a_vrf_too() {
    let text = format!(
        "ip forwarding\n{HEAD}interface eth0\n ip address 10.1.0.1/24\n no shutdown\nexit\n\
         interface eth1 vrf red\n ipv6 address 2001:db8::1/64\nexit\n"
    );
    let (translation, read) = parsed(&text, &Host::default());
    let counts = translation.counts();
    assert_eq!((counts.honoured, counts.differing), (10, 0));
    assert_eq!(read.unwrap().host_interfaces.len(), 2);
}

#[test]
fn an_address_that_no_line_gives_cannot_be_taken_back_and_that_is_said() {
    let text = format!(
        "{HEAD}interface eth0\n ip address 10.1.0.1/24\n no ip address 10.1.0.1/24\n \
         no ip address 10.2.0.1/24\n no ipv6 address 2001:db8::1/64\nexit\n"
    );
    let (translation, read) = parsed(&text, &Host::default());
    let told = translation.lines.iter().map(ToString::to_string);
    let told: Vec<String> = told.filter(|it| it.contains("no line gives")).collect();
    assert_eq!(told.len(), 2, "{told:?}");
    for (said, address) in told.iter().zip(["10.2.0.1/24", "2001:db8::1/64"]) {
        assert!(
            said.contains(address) && said.contains("`ip address del`"),
            "{said}"
        );
    }
    assert!(read.unwrap().host_interfaces.is_empty());
}

#[test]
fn what_is_no_address_is_refused_with_what_is_expected() {
    for line in [
        "ip address 192.168.300.20/24",
        "ip address 10.0.0.1",
        "ip address dhcp",
    ] {
        let said = wrong(line);
        let expected = format!(
            "error: frr.conf:5:2: `{line}`: expected is an IPv4 address with the length of its network"
        );
        assert!(said.starts_with(&expected), "{said}");
    }
    let said = wrong("ipv6 address 2001:db8::g/64");
    assert!(said.contains("expected is an IPv6 address"), "{said}");
    let said = wrong("no ip address");
    assert!(said.contains("expected is which address"), "{said}");
    // What TOML would not take has the place of its line.
    let said = wrong("ip address 224.0.0.1/24");
    assert!(
        said.starts_with("error: frr.conf:5:2: `addresses`"),
        "{said}"
    );
}

#[test]
fn the_identifier_is_found_among_the_addresses_of_the_file_before_the_host_has_them() {
    let file = "router bgp 65001\ninterface lo\n ip address 10.255.0.1/32\ninterface eth0\n \
                ip address 192.0.2.1/24\n";
    let id = |host: &Host| on(file, host).router_id.to_string();
    assert_eq!(id(&Host::default()), "10.255.0.1");
    let host = |device: &str, address: &str| Host {
        addresses: vec![(device.to_owned(), address.parse().unwrap())],
        ..Host::default()
    };
    assert_eq!(id(&host("lo", "10.255.0.9")), "10.255.0.9");
    assert_eq!(id(&host("eth9", "198.51.100.1")), "10.255.0.1");
    let without = file.replace("interface lo", "interface eth1");
    let of_file = on(&without, &host("eth9", "198.51.100.1")).router_id;
    assert_eq!(
        of_file.to_string(),
        "192.0.2.1",
        "what the host has may change"
    );
    let running = |id: &str| host("lo", "10.255.0.9").running_as(id.parse().unwrap());
    assert_eq!(id(&running("192.0.2.77")), "192.0.2.77");
    assert_eq!(id(&running("127.0.0.1")), "10.255.0.9", "nobody saw it");
    let written = file.replace("65001\n", "65001\n bgp router-id 1.1.1.1\n");
    let other = on(&written, &running("192.0.2.77")).router_id;
    assert_eq!(other.to_string(), "1.1.1.1");
}

#[test]
fn it_is_shown_as_frr_shows_it() {
    let text = format!(
        "{HEAD}interface eth0\n ip address 10.2.0.1/24\n no ip address 10.2.0.1/24\n no shutdown\n \
         description one\n description two\n ip address 10.1.0.1/24\nexit\nno ipv6 forwarding\n"
    );
    let shown = document::text(&source(&text));
    let block =
        "interface eth0\n no shutdown\n description two\n ip address 10.1.0.1/24\nexit\n!\n";
    assert!(shown.contains(block), "{shown}");
    assert!(shown.starts_with("no ipv6 forwarding\n!\n"), "{shown}");
}
