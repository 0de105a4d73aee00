//! Caches of the RPKI.

use super::*;

#[test]
fn caches_have_the_times_of_the_block() {
    let both = "rpki\n rpki polling_period 300\n rpki expire_interval 7200\n \
                rpki cache 192.0.2.1 3323 preference 1\n rpki cache tcp 2001:db8::1 323 preference 2\nexit\n";
    let config = router("", both);
    let ours = toml(
        "asn = 65001\nrouter_id = \"10.0.0.1\"\nipv4_unicast = { multipath = { paths = 256 } }\n\
         ipv6_unicast = { multipath = { paths = 256 } }\n\
         [[rpki]]\naddress = \"192.0.2.1:3323\"\nrefresh = \"300s\"\nexpire = \"2h\"\n\
         [[rpki]]\naddress = \"[2001:db8::1]:323\"\npreference = 2\nrefresh = \"5m\"\nexpire = \"2h\"\n",
    );
    assert_eq!(config.rpki, ours.rpki);
    assert_eq!(config, ours);
    let shown = crate::frr::print(&config, &Host::default()).text;
    assert_eq!(on(&shown, &Host::default()), config, "{shown}");
    let again = router(
        "",
        &format!("{both}rpki\n no rpki cache 192.0.2.1 3323 preference 1\n"),
    );
    assert_eq!(again.rpki, ours.rpki[1..]);
    assert!(router("", &format!("{both}no rpki\n")).rpki.is_empty());
}

#[test]
fn other_ways_to_a_cache_are_refused_by_name_and_line() {
    for (line, why) in [
        (
            "rpki cache 192.0.2.1 22 root /root/k /root/k.pub preference 1",
            "over TCP alone",
        ),
        (
            "rpki cache ssh 192.0.2.1 22 root /root/k preference 1",
            "over TCP alone",
        ),
        ("rpki cache rtr.example.net 3323 preference 1", "is a name"),
    ] {
        let text = format!("router bgp 65001\n bgp router-id 10.0.0.1\nrpki\n {line}\n");
        let (_, read) = parsed(&text, &Host::default());
        let errors = read.expect_err(line);
        assert!(all(&errors).contains(why), "{line}: {}", all(&errors));
        assert_eq!((errors.len(), errors[0].place.line), (1, 4), "{line}");
    }
}
