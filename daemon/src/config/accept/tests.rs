//! Each check that involves more than one value, once; those that `broken.toml` has are there.

use proptest::prelude::*;

use crate::config::parse;

const TOP: &str = "asn = 65001\nrouter_id = \"10.0.0.1\"\n";

/// The only error of a file that begins with two good lines; its place, and what it says.
fn error(rest: &str) -> String {
    let errors = parse(&format!("{TOP}{rest}"), "x.toml").expect_err(rest);
    let shown: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(shown.len(), 1, "{}", shown.join("\n"));
    let first = shown[0].lines().next().unwrap_or_default();
    first.trim_start_matches("error: x.toml:").to_owned()
}

fn neighbor(keys: &str) -> String {
    format!("[[neighbor]]\naddress = \"10.0.0.2\"\nremote_as = 65002\n{keys}\n")
}

fn vni(id: u32, keys: &str) -> String {
    format!("[[vni]]\nid = {id}\nname = \"n{id}\"\n{keys}\n")
}

fn map(name: &str, entry: &str) -> String {
    format!(
        "[[route_map]]\nname = \"{name}\"\nentry = [{{ seq = 10, action = \"permit\", {entry} }}]\n"
    )
}

/// An instance whose sockets and routes are its own.
fn instance(keys: &str) -> String {
    format!(
        "listen = [\"10.0.0.1:179\"]\n{}[[instance]]\nname = \"b\"\nasn = 65001\n\
         router_id = \"10.1.0.1\"\n{keys}\n",
        neighbor("")
    )
}

#[test]
fn two_instances_with_what_is_there_once_are_refused_with_both_places() {
    let apart =
        "listen = [\"10.1.0.1:179\"]\nkernel = { distance = { external = 30, internal = 31 } }\n";
    let with = |rest: &str| instance(&format!("{apart}{rest}"));
    parse(&format!("{TOP}{}", with("")), "x.toml").unwrap();
    let table = [
        (
            instance("kernel = { table = 7 }"),
            "8:1: `listen` is 0.0.0.0:179, which meets 10.0.0.1:179 of the default instance (3:11)",
        ),
        (
            instance("listen = [\"10.0.0.1:179\"]\nkernel = { table = 7 }"),
            "12:11: `listen` is 10.0.0.1:179, which meets 10.0.0.1:179 of the default instance \
             (3:11)",
        ),
        (
            instance("listen = []"),
            "8:1: `distance` 20 in routing table 254 is one of the default instance (1:7) too, so \
             the kernel cannot tell their routes apart",
        ),
        (
            instance("listen = []\nkernel = { distance = { external = 30 } }"),
            "13:36: `distance` 20 in routing table 254 is one of the default instance (1:7) too, \
             so the kernel cannot tell their routes apart",
        ),
        (
            with("[[instance.neighbor]]\naddress = \"10.0.0.2\"\nremote_as = 65003"),
            "15:11: neighbor 10.0.0.2 is there twice, first at 5:11",
        ),
        (
            with(
                "[[instance]]\nname = \"b\"\nasn = 1\nrouter_id = \"10.2.0.1\"\nlisten = []\n\
                  kernel = { table = 9 }",
            ),
            "15:8: instance b is there twice, first at 9:8",
        ),
        (
            with("vrf = \"blue\"\n[[instance.bfd]]\npeer = \"10.0.0.2\"\nvrf = \"red\""),
            "17:7: `vrf` and `vrf` (14:7) exclude each other",
        ),
        (
            with("[[instance.bfd_profile]]\nname = \"p\""),
            "14:12: `bfd_profile` is not supported: it is one for the whole daemon",
        ),
        (
            instance("vrf = \"blue\"\nkernel = { table = 7 }"),
            "13:20: `table` and `vrf` (12:7) exclude each other",
        ),
        (
            with("[instance.log]\nlevel = \"info\""),
            "14:11: `log` is not supported: it is one for the whole daemon",
        ),
        (
            with("[[instance.prefix_list]]\nname = \"A\""),
            "14:12: `prefix_list` is not supported: lists and route-maps are defined once for all \
             instances",
        ),
        (
            with("[[instance.import]]\nfrom = \"defualt\""),
            "15:8: instance `defualt` is not defined",
        ),
        (
            with("[[import]]\nfrom = \"c\""),
            "15:8: instance `c` is not defined",
        ),
        (
            with("[[instance.import]]\nfrom = \"b\""),
            "15:8: instance `b` cannot import from itself",
        ),
        (
            with("[[import]]\nfrom = \"default\""),
            "15:8: instance `default` cannot import from itself",
        ),
        (
            with("[[import]]\nfrom = \"b\"\nfamilies = []"),
            "16:12: `families` is [], but must be a list of one family or both",
        ),
        (
            with("[[import]]\nfrom = \"b\"\n[[import]]\nfrom = \"b\""),
            "17:8: import from b is there twice, first at 15:8",
        ),
        (
            with("[[import]]\nroute_map = \"M\"\nfrom = \"b\""),
            "15:13: route_map `M` is not defined",
        ),
        (
            with("[[import]]\nfrom = \"b\"\nfamilies = [\"evpn\"]"),
            "16:13: `families` is \"evpn\", but must be \"ipv4_unicast\" or \"ipv6_unicast\"",
        ),
        (
            instance("listen = []\nkernel = { table = 7, protocol = 9 }"),
            "13:23: `protocol` is not supported: it is one for the whole daemon",
        ),
    ];
    for (rest, expected) in table {
        assert_eq!(error(&rest), expected, "{rest}");
    }
    for name in ["default", "Plane", "", "-", "-b"] {
        let rest = with("").replace("\"b\"", &format!("\"{name}\""));
        assert!(error(&rest).starts_with("9:8: `name` is"), "{name}");
    }
    // The same VNI, device or interface beneath in two instances.
    let evpn = |vtep: &str| format!("vtep = \"{vtep}\"\n");
    let rest = format!(
        "{}[instance.evpn]\n{}[instance.underlay]\ninterface = \"wg0\"\n\
         [[instance.vni]]\nid = 5\nname = \"x\"\n[evpn]\n{}[underlay]\ninterface = \"wg0\"\n{}",
        with(""),
        evpn("10.1.0.1"),
        evpn("10.0.0.1"),
        vni(5, ""),
    );
    let errors = parse(&format!("{TOP}{rest}"), "x.toml").unwrap_err();
    let shown: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert!(
        shown
            .iter()
            .any(|it| it.contains("vni 5 is there twice, first at")),
        "{shown:?}"
    );
    assert!(
        shown
            .iter()
            .any(|it| it.contains("device name `wg0` is used twice")),
        "{shown:?}"
    );
}

#[test]
fn a_distance_that_a_route_map_sets_counts_as_well() {
    let rest = instance(
        "listen = []\nkernel = { distance = { external = 30, internal = 30 } }\n\
         [[instance.neighbor]]\naddress = \"10.1.0.2\"\nremote_as = 65003\n\
         ipv4_unicast = { import = \"FAR\" }",
    );
    let map = |distance: u8| map("FAR", &format!("set = {{ distance = {distance} }}"));
    parse(&format!("{TOP}{rest}{}", map(40)), "x.toml").unwrap();
    let clash = error(&format!("{rest}{}", map(20)));
    assert!(
        clash.contains("`distance` 20 in routing table 254"),
        "{clash}"
    );
}

#[test]
fn a_table_that_a_route_map_of_the_default_instance_sets_counts_as_well() {
    let rest = instance("listen = []\nkernel = { table = 100 }");
    let uses = rest.replacen(
        "remote_as = 65002\n",
        "remote_as = 65002\nipv4_unicast = { import = \"THERE\" }\n",
        1,
    );
    let map = |table: u32| map("THERE", &format!("set = {{ table = {table} }}"));
    parse(&format!("{TOP}{uses}{}", map(101)), "x.toml").unwrap();
    let clash = error(&format!("{uses}{}", map(100)));
    assert!(
        clash.contains("`distance` 20 in routing table 100"),
        "{clash}"
    );
}

#[test]
fn what_route_maps_of_our_own_networks_set_counts_as_well() {
    let apart = "listen = []\nkernel = { distance = { external = 30, internal = 30 } }\n";
    for own in [
        "aggregates = [{ prefix = \"10.0.0.0/8\", route_map = \"OWN\" }]",
        "networks = [{ prefix = \"10.0.0.0/8\", route_map = \"OWN\" }]",
        "redistribute = [{ source = \"static\", route_map = \"OWN\" }]",
    ] {
        let rest = instance(&format!("{apart}[instance.ipv4_unicast]\n{own}"));
        let with = |set: &str| format!("{rest}\n{}", map("OWN", &format!("set = {{ {set} }}")));
        parse(&format!("{TOP}{}", with("distance = 40")), "x.toml").unwrap();
        let clash = error(&with("distance = 20"));
        assert!(
            clash.contains("`distance` 20 in routing table 254"),
            "{own}: {clash}"
        );
        parse(&format!("{TOP}{}", with("table = 7")), "x.toml").unwrap();
        let first = map("THERE", "set = { table = 7, distance = 30 }");
        let uses = TOP.replacen("\n", "\nipv4_unicast = { networks = [{ prefix = \"10.9.0.0/16\", route_map = \"THERE\" }] }\n", 1);
        let text = format!("{uses}{}{first}", with("table = 7"));
        let errors = parse(&text, "x.toml").unwrap_err();
        let clash = errors[0].to_string();
        assert!(
            clash.contains("`distance` 30 in routing table 7"),
            "{own}: {clash}"
        );
    }
}

#[test]
fn a_backdoor_is_no_network_of_ours_and_its_distance_counts_where_there_is_one() {
    let own = |lists: &str| format!("[ipv4_unicast]\n{lists}\n");
    let both = own("networks = [\"10.0.0.0/8\"]\nbackdoors = [\"10.0.0.0/8\"]");
    let said = error(&both);
    assert!(
        said.contains("the network `10.0.0.0/8` is there twice") || said.contains("network"),
        "{said}"
    );
    let apart = "listen = []\nkernel = { distance = { external = 30, internal = 30 } }\n";
    let with = |own: &str, distance: u8| {
        let rest = instance(&format!("{apart}[instance.ipv4_unicast]\n{own}\n"));
        format!("{rest}[kernel]\ndistance = {{ external = {distance} }}\n")
    };
    let backdoors = "backdoors = [\"10.0.0.0/8\"]";
    parse(&format!("{TOP}{}", with("", 200)), "x.toml").unwrap();
    parse(&format!("{TOP}{}", with(backdoors, 199)), "x.toml").unwrap();
    let clash = error(&with(backdoors, 200));
    assert!(
        clash.contains("`distance` 200 in routing table 254"),
        "{clash}"
    );
}

#[test]
fn attributes_that_every_route_may_need_are_always_taken() {
    for key in ["discard_attributes", "withdraw_attributes"] {
        for code in [0, 1, 2, 3, 4, 14, 15, 16, 256] {
            let said = error(&neighbor(&format!("{key} = [128, {code}]")));
            assert!(
                said.contains(&format!("`{key}` is {code}, but must be")),
                "{said}"
            );
        }
        for code in [5, 8, 26, 255] {
            let text = neighbor(&format!("{key} = [{code}]"));
            parse(&format!("{TOP}{text}"), "x.toml").unwrap();
        }
    }
}

#[test]
fn aggregates_are_networks_that_others_lie_within() {
    let of = |item: &str| format!("[ipv4_unicast]\naggregates = [{item}]\n");
    for (item, expected) in [
        (
            "\"0.0.0.0/0\"",
            "4:15: `aggregates` is \"0.0.0.0/0\", but must be a network with a length of at least 1",
        ),
        (
            "{ prefix = \"10.0.0.1/32\" }",
            "4:26: `prefix` is \"10.0.0.1/32\", but must be a network that has more specific ones",
        ),
        (
            "{ prefix = \"10.0.0.0/8\", route_map = \"NO\" }",
            "4:52: route_map `NO` is not defined",
        ),
        (
            "\"10.0.0.0/8\", \"10.0.0.0/8\"",
            "4:29: aggregate 10.0.0.0/8 is there twice, first at 4:15",
        ),
        (
            "{ summary_only = true }",
            "4:15: the aggregate has no `prefix`, but must have the network",
        ),
    ] {
        assert_eq!(error(&of(item)), expected, "{item}");
    }
    let both = of("{ prefix = \"10.0.0.0/8\", summary_only = true, suppress = \"M\" }");
    assert_eq!(
        error(&(both + &map("M", "set = { metric = 1 }"))),
        "4:72: `suppress` has no effect beside `summary_only`, which suppresses all more specific \
         routes"
    );
}

#[test]
fn each_check_reports_at_its_place() {
    let evpn = "[evpn]\nvtep = \"10.0.0.2\"\n";
    let table = [
        (
            format!("{evpn}{}", neighbor("")),
            "6:11: neighbor `10.0.0.2` is our own vtep (4:8)",
        ),
        (
            neighbor("local_address = \"10.0.0.2\""),
            "4:11: neighbor `10.0.0.2` is our own local address (6:17)",
        ),
        (
            neighbor("local_address = \"2001:db8::1\""),
            "6:17: `local_address` is 2001:db8::1, but must be of the IP version of `address`, \
             10.0.0.2",
        ),
        (
            "[[neighbor]]\naddress = \"10.0.0.2\"\nremote_as = 65001\nrole = \"peer\"\n"
                .to_owned(),
            "6:8: `role` needs an eBGP neighbor, and remote_as is our own AS number 65001",
        ),
        (
            neighbor("update_source = \"2001:db8::1\""),
            "6:17: `update_source` is 2001:db8::1, but must be of the IP version of `address`, \
             10.0.0.2",
        ),
        (
            neighbor("update_source = \"lo\"\nlocal_address = \"10.0.0.1\""),
            "6:17: `update_source` and `local_address` (7:17) exclude each other",
        ),
        (
            neighbor("ttl_security = 1\nmultihop = 2"),
            "6:16: `ttl_security` and `multihop` (7:12) exclude each other",
        ),
        (
            neighbor("bfd = { profile = \"fast\" }"),
            "6:19: bfd profile `fast` is not defined",
        ),
        (
            neighbor("bfd = { strict = true, shutdown = true }"),
            "6:18: `strict` has no effect beside `shutdown` of BFD, which keeps it from ever being \
             up",
        ),
        (
            neighbor(
                "bfd = { authentication = { method = \"keyed-md5\", keys = [{ id = 1, secret = \
                 \"seventeen octets!\" }] } }",
            ),
            "6:77: `secret` is a text of 17 octets, but must be a text of 1 to 16 octets for keyed \
             MD5",
        ),
        (
            neighbor(
                "bfd = { authentication = { method = \"keyed-sha1\", keys = [\"s3cret\"] } }",
            ),
            "6:58: `keys` is something else, but must be a list of one key or more",
        ),
        (
            neighbor(
                "bfd = { authentication = { method = \"simple\", keys = [{ id = 1, secret = \"a\" }, \
                 { id = 1, secret = \"b\" }] } }",
            ),
            "6:88: bfd key id 1 is there twice, first at 6:62",
        ),
        (
            neighbor("[[bfd]]\npeer = \"10.0.0.2\"\n[[bfd]]\npeer = \"10.0.0.2\""),
            "9:8: bfd session 10.0.0.2 is there twice, first at 7:8",
        ),
        (
            neighbor("[[bfd]]\npeer = \"10.0.0.2\"\nlocal = \"2001:db8::1\""),
            "8:9: `local` is 2001:db8::1, but must be an address of the peer's kind",
        ),
        (
            neighbor("[[bfd]]\npeer = \"10.0.0.2\"\nmultihop = true\ninterface = \"eth0\""),
            "9:13: `interface` has no effect beside `multihop`: packets take whatever way there is",
        ),
        (
            neighbor("bfd = { multihop = true, echo = true }"),
            "6:33: `echo` has no effect over several hops: no router on the way would send the packets \
             back (RFC 5883 §3)",
        ),
        (
            neighbor("ttl_security = 2\nbfd = { echo_receive_interval = \"50ms\" }"),
            "7:33: `echo_receive_interval` has no effect over several hops: no router on the way would \
             send the packets back (RFC 5883 §3)",
        ),
        (
            neighbor("[[bfd]]\npeer = \"10.0.0.2\"\nmin_ttl = 250"),
            "8:11: `min_ttl` has no effect on the link: packets that do not arrive with 255 are dropped \
             (RFC 5881 §5)",
        ),
        (
            neighbor("bfd = { min_ttl = 250 }"),
            "6:19: `min_ttl` has no effect on the link: packets that do not arrive with 255 are dropped \
             (RFC 5881 §5)",
        ),
        (
            neighbor("[[bfd]]\npeer = \"10.0.0.2\"\necho_transmit_interval = \"50ms\""),
            "8:26: `echo_transmit_interval` has no effect without `echo = true`",
        ),
        (
            neighbor("[[bfd]]\npeer = \"10.0.0.2\"\necho_receive_interval = true"),
            "8:25: `echo_receive_interval` is true, but must be false, or a duration such as \"50ms\"",
        ),
        (
            neighbor("[[bfd]]\npeer = \"10.0.0.2\"\nstrict = true"),
            "8:1: `strict` is not supported: the session has no neighbor that could wait for it",
        ),
        (
            neighbor("[[bfd_profile]]\nname = \"p\"\nmultihop = true"),
            "8:1: `multihop` is not supported: it belongs to a session",
        ),
        (
            neighbor("ttl_security = 255"),
            "6:16: `ttl_security` is 255, but must be a number from 1 to 254",
        ),
        (
            neighbor("update_source = \"a device/name\""),
            "6:17: `update_source` is \"a device/name\", but must be an IP address of this host \
             or the name of an interface",
        ),
        (
            neighbor("evpn = { maximum_prefixes = 0 }"),
            "6:29: `maximum_prefixes` is 0, but must be a number from 1 to 4294967295, or a table",
        ),
        (
            neighbor("evpn = { maximum_prefixes = { warn_at = 5 } }"),
            "6:29: maximum_prefixes has no `limit`, but must have a number of prefixes",
        ),
        (
            neighbor(
                "evpn = { maximum_prefixes = { limit = 1, restart_after = \"1m\", \
                 warning_only = true } }",
            ),
            "6:58: `restart_after` has no effect with `warning_only`, which does not end the \
             session",
        ),
        (
            neighbor("password = \"\""),
            "6:12: `password` is a text of 0 octets, but must be a text of 1 to 80 octets \
             without control characters",
        ),
        (
            neighbor("password = \"<hidden>\""),
            "6:12: `password` is the stand-in for a password that is not shown, but must be a \
             text of 1 to 80 octets without control characters",
        ),
        (
            neighbor("ipv4_unicast = { route_reflector_client = true }"),
            "6:43: `route_reflector_client` needs an iBGP neighbor, and remote_as is not our own AS \
             number",
        ),
        (
            neighbor("tcp_ao = [{ id = 1, secret = \"\" }]"),
            "6:30: `secret` is a text of 0 octets, but must be a text of 1 to 80 octets without \
             control characters",
        ),
        (
            neighbor("tcp_ao = [\"open sesame\"]"),
            "6:10: `tcp_ao` is something else, but must be a list of one key or more",
        ),
        (
            neighbor("tcp_ao = [{ recv_id = 1, secret = \"x\" }]"),
            "6:11: a key of `tcp_ao` has no `id`, but must have a number from 0 to 255",
        ),
        (
            neighbor("tcp_ao = [{ id = 1 }]"),
            "6:11: a key of `tcp_ao` has no `secret`, but must have what both sides know",
        ),
        (
            neighbor("tcp_ao = [{ id = 1, secret = \"x\", algorithm = \"md5\" }]"),
            "6:47: `algorithm` is \"md5\", but must be \"hmac-sha-1-96\", \
             \"aes-128-cmac-96\", \"hmac-sha-256-128\" or \"hmac-sha-256-96\"",
        ),
        (
            neighbor(
                "tcp_ao = [{ id = 1, secret = \"x\" }, { id = 2, recv_id = 1, secret = \"y\" }]",
            ),
            "6:57: TCP-AO key recv_id 1 is there twice, first at 6:18",
        ),
        (
            neighbor("password = \"x\"\ntcp_ao = [{ id = 1, secret = \"x\" }]"),
            "7:10: `tcp_ao` and `password` (6:12) exclude each other",
        ),
        (
            neighbor("timers = { hold = \"0s\", keepalive = \"1s\" }"),
            "6:37: `keepalive` has no effect when `hold` is 0s",
        ),
        (
            neighbor("timers = { keepalive = \"90s\" }"),
            "6:24: `keepalive` is \"90s\", but must be shorter than `hold`, \"90s\"",
        ),
        (
            neighbor("address = \"10.0.0.3\""),
            "6:1: this is not TOML: duplicate key",
        ),
        (
            format!("{evpn}duplicate_detection = {{ freeze_time = \"10m\" }}\n"),
            "5:39: `freeze_time` is \"600s\", but `action` is not \"freeze\"",
        ),
        (
            format!("{evpn}duplicate_detection = {{ action = \"drop\" }}\n"),
            "5:34: `action` is \"drop\", but must be \"warn\" or \"freeze\"",
        ),
        (
            format!("{evpn}duplicate_detection = {{ moves = 1 }}\n"),
            "5:33: `moves` is 1, but must be a number from 2 to 1000",
        ),
        (
            format!("{evpn}duplicate_detection = \"freeze\"\n"),
            "5:23: `duplicate_detection` is \"freeze\", but must be true, false or a table",
        ),
        (
            format!("{evpn}{}", vni(1, "vlan = 5")),
            "8:8: vni 1 has a `vlan`, and there is no `single_device` in [evpn]",
        ),
        (
            format!("{evpn}single_device = {{}}\n{}", vni(1, "")),
            "7:6: vni 1 has no `vlan`, but `single_device` in [evpn] needs one for each VNI",
        ),
        (
            format!(
                "{evpn}single_device = {{}}\n{}",
                vni(1, "vlan = 5\nvxlan = \"vx\"")
            ),
            "10:9: vni 1 has a `vxlan`, but its device is `single_device` of [evpn]",
        ),
        (
            format!(
                "{evpn}single_device = {{}}\n{}{}",
                vni(1, "vlan = 5"),
                vni(2, "vlan = 5")
            ),
            "13:8: vlan 5 is there twice, first at 9:8",
        ),
        (
            format!("{evpn}single_device = {{}}\n{}", vni(1, "vlan = 4095")),
            "9:8: `vlan` is 4095, but must be a number from 1 to 4094",
        ),
        (
            format!(
                "{evpn}single_device = {{ bridge = \"br-of-overlay\" }}\n{}",
                vni(1, "vlan = 100")
            ),
            "9:8: the VLAN device of vni 1 would be `br-of-overlay.100`, which is longer than 15 \
             characters",
        ),
        (
            format!(
                "{evpn}single_device = {{ bridge = \"vxlan0\" }}\n{}",
                vni(1, "vlan = 5")
            ),
            "5:28: device name `vxlan0` is used twice, first at 5:17",
        ),
        (
            format!(
                "{evpn}single_device = {{ vxlan = \"br-evpn.5\" }}\n{}",
                vni(1, "vlan = 5")
            ),
            "9:8: device name `br-evpn.5` is used twice, first at 5:27",
        ),
        (
            format!(
                "{evpn}[[neighbor]]\ninterface = \"eth0\"\nremote_as = \"external\"\n{}",
                vni(1, "vxlan = \"eth0\"")
            ),
            "6:13: device name `eth0` is used twice, first at 11:9",
        ),
        (
            format!(
                "{evpn}single_device = {{ vxlan = \"eth0\" }}\n[[neighbor]]\naddress = \"fe80::1%eth0\"\n\
                 remote_as = \"external\"\n{}",
                vni(1, "vlan = 5")
            ),
            "7:11: device name `eth0` is used twice, first at 5:27",
        ),
        (
            format!(
                "{evpn}{}[[instance]]\nname = \"red\"\nvrf = \"vxlan1\"\nasn = 65001\n\
                 router_id = \"10.0.0.9\"\n",
                vni(1, "")
            ),
            "11:7: device name `vxlan1` is used twice, first at 6:6",
        ),
        (
            format!(
                "{evpn}single_device = {{ mtu = 1400 }}\n{}",
                vni(1, "vlan = 5\nmtu = 1450")
            ),
            "10:7: `mtu` is 1450, but `single_device` has 1400",
        ),
        (
            format!(
                "{evpn}single_device = {{}}\n[[instance]]\nname = \"red\"\nvrf = \"red\"\n\
                 asn = 65001\nrouter_id = \"10.0.0.9\"\n[instance.l3vni]\nid = 4001\n"
            ),
            "11:1: an l3vni needs a VXLAN device of its own, and `single_device` (5:17) has the \
             port",
        ),
        (
            format!("{evpn}single_device = {{ vni = 5 }}\n"),
            "5:19: `vni` is not a key of single_device",
        ),
        (
            format!("{evpn}{}{}", vni(1, ""), vni(1, "").replace("n1", "m1")),
            "10:6: vni 1 is there twice, first at 6:6",
        ),
        (
            format!("{evpn}{}", vni(1, "rd = \"10.0.0.1\"")),
            "8:6: `rd` is \"10.0.0.1\", but must be a route distinguisher like \"10.10.0.1:100\"",
        ),
        (
            format!("{evpn}{}", vni(1, "bridge = \"all\"")),
            "8:10: `bridge` is \"all\", but must be a name that Linux has no use of its own for",
        ),
        (
            format!("{evpn}{}", vni(1, "gateway = [\"224.0.0.1/24\"]")),
            "8:12: gateway 224.0.0.1/24 is nothing for machines: it has multicast addresses",
        ),
        (
            format!("{evpn}{}", vni(1, "gateway = [\"::ffff:10.5.0.1/120\"]")),
            "8:12: gateway ::ffff:10.5.0.1/120 is nothing for machines: it has IPv4-mapped addresses",
        ),
        (
            format!("{evpn}{}", vni(1, "networks = [\"127.0.0.0/8\"]")),
            "8:13: network 127.0.0.0/8 is nothing for machines: it has loopback addresses",
        ),
        (
            format!("{evpn}{}", vni(1, "import_targets = [\"65000:x\"]")),
            "8:19: `import_targets` is \"65000:x\", but must be a route target like \"65000:100\"",
        ),
        (
            format!("{evpn}{}", vni(1, "gateway = [\"10.1.0.255/24\"]")),
            "8:12: gateway 10.1.0.255/24 is the broadcast address of its network",
        ),
        (
            format!(
                "{evpn}{}{}",
                vni(1, "gateway = [\"10.1.0.1/24\"]"),
                vni(2, "gateway = [\"10.1.0.129/25\"]")
            ),
            "12:12: gateway 10.1.0.129/25 overlaps with gateway 10.1.0.1/24 of 8:12",
        ),
        (
            format!(
                "{evpn}{}{}",
                vni(1, "networks = [\"10.1.0.0/24\"]"),
                vni(2, "gateway = [\"10.1.0.1/16\"]")
            ),
            "12:12: gateway 10.1.0.1/16 overlaps with network 10.1.0.0/24 of 8:13",
        ),
        (
            format!("{evpn}{}", vni(1, "networks = [\"10.1.0.1/24\"]")),
            "8:13: `networks` is \"10.1.0.1/24\", but must be a network without host bits",
        ),
        (
            format!("{evpn}{}{}", vni(1, "rd = \"1:1\""), vni(2, "rd = \"1:1\"")),
            "12:6: rd 1:1 is there twice, first at 8:6",
        ),
        (
            format!("{evpn}{}{}", vni(1, ""), vni(2, "rd = \"10.0.0.1:1\"")),
            "12:6: rd 10.0.0.1:1 is there twice, first at 6:6",
        ),
        (
            format!("{evpn}{}{}", vni(1, "bridge = \"br2\""), vni(2, "")),
            "10:6: device name `br2` is used twice, first at 8:10",
        ),
        (
            format!("[underlay]\ninterface = \"br1\"\n{evpn}{}", vni(1, "")),
            "8:6: device name `br1` is used twice, first at 4:13",
        ),
        (
            format!("{evpn}{}", vni(1, "import_targets = [\"1:1\", \"1:1\"]")),
            "8:26: route target RT:1:1 is there twice, first at 8:19",
        ),
        (
            map("M", "on_match = 10"),
            "5:52: `on_match` is 10, but must be a number greater than this entry's, 10",
        ),
        (
            map("M", "match = { as_path_length = {} }"),
            "5:68: as_path_length has no `min`, but must have the shortest length, or `max`, or both",
        ),
        (
            map("M", "match = { next_hop = \"10.0.0.1\" }"),
            "5:62: `next_hop` is \"10.0.0.1\", but must be the name of a prefix_list",
        ),
        (
            map("M", "set = { as_path_prepend = \"65001 23456\" }"),
            "5:67: `as_path_prepend` is \"65001 23456\", but must be AS numbers none of which is \
             reserved (RFC 6793 §9, RFC 7300)",
        ),
        (
            "[[prefix_list]]\nname = \"L\"\nrules = [\"permit 10.0.0.0\"]\n".to_owned(),
            "5:10: `10.0.0.0` has no prefix length",
        ),
        (
            "[[as_path_list]]\nname = \"L\"\nrules = [\"permit ^{65001}$\"]\n".to_owned(),
            "5:10: pattern `^{65001}$` is not a regular expression: there is nothing to repeat \
             before `{`",
        ),
        (
            format!(
                "{}{}",
                neighbor("ipv4_unicast = { import = \"M\" }"),
                map("M", "set = { next_hop = \"self\" }")
            ),
            "6:27: route_map `M` sets `next_hop` to \"self\", which has no effect on import",
        ),
        (
            map("M", "match = { community_list = \"C\" }"),
            "5:68: community_list `C` is not defined",
        ),
        (
            map("M", "set = { community = { delete_list = \"C\" } }"),
            "5:77: community_list `C` is not defined",
        ),
        (
            map("M", "call = \"M\""),
            "5:48: route_map `M` calls itself: M -> M",
        ),
        (
            format!("{}{}", map("M", ""), map("M", "")),
            "7:8: route_map M is there twice, first at 4:8",
        ),
        (
            "[[prefix_list]]\nname = \"L\"\nrules = [\"permit any\", \"seq 5 deny any\"]\n"
                .to_owned(),
            "4:8: sequence number 5 is used by two rules of `L`",
        ),
        (
            "[ipv4_unicast]\nnetworks = [{ prefix = \"10.0.0.0/8\", route_map = \"M\" }]\n"
                .to_owned(),
            "4:50: route_map `M` is not defined",
        ),
    ];
    for (text, expected) in table {
        // Entries end in a comma where they have nothing more to say.
        let text = text.replace(",  }", " }");
        assert_eq!(error(&text), expected);
    }
}

#[test]
fn what_to_write_instead_is_said() {
    let list =
        |kind: &str, rule: &str| format!("[[{kind}]]\nname = \"L\"\nrules = [\"{rule}\"]\n");
    let network = |rest: &str| {
        format!("[evpn]\nvtep = \"10.0.0.1\"\n[[vni]]\nid = 1\nname = \"n\"\n{rest}\n")
    };
    for (text, hint) in [
        (
            list("prefix_list", "permit 10.0.0.0"),
            "write \"10.0.0.0/32\"",
        ),
        (
            list("prefix_list", "permit 2001:db8:: le 64"),
            "write \"2001:db8::/128\"",
        ),
        (
            list("as_path_list", "permit ^{65001}$"),
            "write `\\{` for the character itself, in a text between single quotes",
        ),
        (
            map("M", "match = { next_hop = \"10.0.0.1\" }"),
            "write next_hop_address = \"10.0.0.1\"",
        ),
        (
            network("rd = \"10.0.0.1\""),
            "write an IPv4 address or an AS number, a colon and a number",
        ),
        (
            network("rd = \"10.0.0.1:65536\""),
            "after an IPv4 address stands a number from 0 to 65535",
        ),
        (
            network("rd = \"10.0.0.:1\""),
            "`10.0.0.` is neither an IPv4 address nor an AS number",
        ),
        (
            network("export_targets = [\"65536:65536\"]"),
            "after an AS number over 65535 stands a number from 0 to 65535",
        ),
        (
            network("import_targets = [\"65535:4294967296\"]"),
            "after an AS number up to 65535 stands a number from 0 to 4294967295",
        ),
    ] {
        let errors = parse(&format!("{TOP}{text}"), "x.toml").unwrap_err();
        assert_eq!(errors[0].hint.as_deref(), Some(hint), "{text}");
    }
}

#[test]
fn a_chain_of_calls_may_be_long_but_not_endless() {
    let chain = |length: usize| -> String {
        let calls = (0..length).map(|n| map(&format!("M{n}"), &format!("call = \"M{}\"", n + 1)));
        calls
            .chain([map(&format!("M{length}"), "call = \"END\"")])
            .collect::<String>()
            + &map("END", "set = { metric = 1 }")
    };
    assert!(parse(&format!("{TOP}{}", chain(10)), "x.toml").is_ok());
    assert!(error(&chain(15)).ends_with("calls route-maps more than 16 deep"));
    let errors = parse(&format!("{TOP}{}", chain(5000)), "x.toml").unwrap_err();
    assert!(errors[0].to_string().contains("more than 16 deep"));
}

#[test]
fn what_is_wrong_is_not_reported_again_where_it_is_used() {
    let list = "[[prefix_list]]\nname = \"L\"\nrules = [\"permit x\"]\n";
    let uses = map("M", "match = { prefix_list = \"L\" }, call = \"N\"");
    let called = map("N", "set = { metric = -1 }");
    let neighbor = neighbor("ipv4_unicast = { import = \"M\", export = \"N\" }");
    let errors = parse(&format!("{TOP}{list}{uses}{called}{neighbor}"), "x.toml").unwrap_err();
    let lines: Vec<usize> = errors.iter().map(|error| error.place.line).collect();
    assert_eq!(lines, [5, 11]);
}

proptest! {
    /// Lines of good files in any order and number: whatever comes out, it is no panic.
    #[test]
    fn any_file_is_accepted_or_refused(lines in prop::collection::vec(any::<prop::sample::Index>(), 0..40)) {
        let source: Vec<&str> = crate::config::tests::EVERY_KEY
            .lines()
            .chain(include_str!("../tests/broken.toml").lines())
            .collect();
        let text: Vec<&str> = lines.iter().map(|index| *index.get(&source)).collect();
        let _ = parse(&text.join("\n"), "x.toml");
    }
}

#[test]
fn a_vni_beyond_two_octets_has_a_distinguisher_of_its_own() {
    let text = format!(
        "{TOP}[evpn]\nvtep = \"10.0.0.1\"\n{}{}{}{}[[instance]]\nname = \"b\"\nvrf = \"b\"\nasn = 65001\n\
         router_id = \"10.0.0.1\"\n[instance.l3vni]\nid = 104001\n",
        vni(70_000, ""),
        vni(70_000 - 65_536, ""),
        vni(70_001, "rd = \"10.0.0.1:4465\""),
        vni(135_536, ""),
    );
    let config = parse(&text, "x.toml").unwrap();
    let rds: Vec<String> = config.vnis.iter().map(|it| it.rd.to_string()).collect();
    let wanted = [
        "10.0.0.1:4466",
        "10.0.0.1:4464",
        "10.0.0.1:4465",
        "10.0.0.1:4467",
    ];
    assert_eq!(rds, wanted);
    let l3vni = config.instances[0].l3vni.as_ref().unwrap();
    assert_eq!(l3vni.rd.to_string(), "10.0.0.1:38465");
}

#[test]
fn an_interface_has_addresses_that_a_host_can_have_and_each_once() {
    let of = |keys: &str| format!("[[interface]]\nname = \"eth0\"\n{keys}\n");
    let gateway = vni(7, "gateway = [\"10.7.0.1/24\"]");
    let evpn = "[evpn]\nvtep = \"10.0.0.1\"\n";
    let cases = [
        (
            of("addresses = [\"192.168.300.20/24\"]"),
            "5:14: `addresses` is \"192.168.300.20/24\", but must be an address with the length of its \
             network like \"10.0.0.1/24\"",
        ),
        (
            of("addresses = [\"10.0.0.1\"]"),
            "5:14: `addresses` is \"10.0.0.1\", but must be an address with the length of its network \
             like \"10.0.0.1/24\"",
        ),
        (
            of("addresses = [\"224.0.0.1/24\"]"),
            "5:14: `addresses` is \"224.0.0.1/24\", but must be an address that a host can have",
        ),
        (
            of("addresses = [\"10.1.0.1/24\", \"10.1.0.1/24\"]"),
            "5:29: address 10.1.0.1/24 is there twice, first at 5:14",
        ),
        (
            of("addresses = [{ address = \"10.1.0.1/32\", peer = \"fe80::1\" }]"),
            "5:48: `peer` is fe80::1, but must be an address of the same IP version as `address`",
        ),
        (
            of("addresses = [{ address = \"2001:db8::1/64\", label = \"eth0:1\" }]"),
            "5:52: `label` has no effect with an IPv6 address, which has none in Linux",
        ),
        (
            of("addresses = [{ address = \"10.1.0.1/32\", label = \"a label too long\" }]"),
            "5:49: `label` is \"a label too long\", but must be a label of 1 to 15 characters without \
             space",
        ),
        (
            of("") + &of("up = true"),
            "7:8: interface eth0 is there twice, first at 4:8",
        ),
        (
            of("addresses = [\"10.7.0.1/32\"]") + evpn + &gateway,
            "5:14: address 10.7.0.1/32 overlaps with gateway 10.7.0.1/24 of 11:12",
        ),
        (
            instance(
                "listen = [\"10.1.0.1:179\"]\nkernel = { table = 100 }\n[[instance.interface]]\nname = \"eth0\"",
            ),
            "14:12: `interface` is not supported: it is one for the whole daemon",
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(error(&text), expected, "{text}");
    }
    // One address on several links, and one beside a gateway.
    let fine = of("addresses = [\"10.1.0.1/32\", \"10.7.0.2/24\", \"127.0.0.2/8\"]")
        + "[[interface]]\nname = \"lo\"\naddresses = [\"10.1.0.1/32\"]\n"
        + evpn
        + &gateway;
    let config = parse(&format!("{TOP}{fine}"), "x.toml").expect("it is fine");
    assert_eq!(config.host_interfaces.len(), 2);
}
