//! Two routers of one tenant, each told what the other one originates.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use super::*;
use crate::instance::{Input, Instance, Output};
use crate::{Config, VniConfig};

fn vni(number: u32) -> Vni {
    Vni::new(number).unwrap()
}

fn mac(last: u8) -> MacAddress {
    MacAddress([2, 0, 0, 0, 0, last])
}

fn vtep(site: u8) -> IpAddr {
    [10, 10, 0, site].into()
}

fn red() -> VrfName {
    "red".into()
}

fn config(site: u8) -> VrfConfig {
    VrfConfig::new(vni(4001), router_mac(vtep(site)))
}

/// A router of a site, with nothing configured.
fn site(number: u8) -> Instance {
    Instance::new(Config {
        local_as: bgp::Asn(65000 + u32::from(number)),
        router_id: [10, 10, 0, number].into(),
        vtep: Some(vtep(number)),
    })
}

fn with_red(number: u8) -> Instance {
    let mut instance = site(number);
    let config = config(number);
    instance.handle(
        Instant::now(),
        Input::SetVrf {
            name: red(),
            config,
        },
    );
    drain(&mut instance);
    instance
}

/// The same with VNI 100 in the VRF, whose gateway is everywhere.
fn with_subnet(number: u8) -> Instance {
    let mut instance = with_red(number);
    let config = VniConfig::new("tenant").vrf(red());
    let vni = vni(100);
    instance.handle(Instant::now(), Input::SetVni { vni, config });
    drain(&mut instance);
    instance
}

fn drain(instance: &mut Instance) -> Vec<Output> {
    std::iter::from_fn(|| instance.poll()).collect()
}

/// A line for each output that is not about flooding.
fn lines(outputs: &[Output]) -> Vec<String> {
    let line = |output: &Output| match output {
        Output::Originate { key, .. } => Some(format!("+{key}")),
        Output::Withdraw { key } => Some(format!("-{key}")),
        Output::Import { vrf, key, via, .. } => Some(format!("{vrf} +{key} {via:?}")),
        Output::Unimport { vrf, key } => Some(format!("{vrf} -{key}")),
        Output::SetMac { vni, mac, remote } => {
            let downstream = remote.tunnel.downstream(*vni);
            let other = downstream.map_or(String::new(), |vni| format!(" VNI {vni}"));
            Some(format!("+mac {vni} {mac} {}{other}", remote.tunnel.vtep))
        }
        Output::RemoveMac { vni, mac } => Some(format!("-mac {vni} {mac}")),
        Output::SetNeighbour { vni, ip, mac, .. } => Some(format!("+neighbour {vni} {ip} {mac}")),
        Output::RemoveNeighbour { vni, ip } => Some(format!("-neighbour {vni} {ip}")),
        Output::SetFlood { .. }
        | Output::RemoveFlood { .. }
        | Output::DuplicateFound(_)
        | Output::DuplicateOver { .. } => None,
    };
    outputs.iter().filter_map(line).collect()
}

fn frozen(set: &AttributeSet) -> Attributes {
    set.freeze()
}

/// Hands what one router originates and withdraws to the other; returns what that one says.
fn tell(from: &mut Instance, to: &mut Instance) -> Vec<String> {
    for output in drain(from) {
        if let Output::Originate { key, attributes } = output {
            let attributes = Some(frozen(&attributes));
            to.handle(Instant::now(), Input::Route { key, attributes });
        } else if let Output::Withdraw { key } = output {
            let attributes = None;
            to.handle(Instant::now(), Input::Route { key, attributes });
        }
    }
    lines(&drain(to))
}

fn prefix(text: &str) -> Prefix {
    let (addr, len) = text.split_once('/').unwrap();
    Prefix::new(addr.parse().unwrap(), len.parse().unwrap()).unwrap()
}

fn has_prefix(instance: &mut Instance, text: &str) {
    let set = AttributeSet::new(NextHop::V4([0, 0, 0, 0].into()));
    local(instance, text, Some(set));
}

fn local(instance: &mut Instance, text: &str, set: Option<AttributeSet>) {
    instance.handle(
        Instant::now(),
        Input::LocalPrefix {
            vrf: red(),
            prefix: prefix(text),
            attributes: set.map(Arc::new),
        },
    );
}

fn originated(instance: &Instance, start: &str) -> AttributeSet {
    let mut all = instance.originated();
    let (_, set) = all
        .find(|(key, _)| key.to_string().starts_with(start))
        .unwrap();
    (**set).clone()
}

#[test]
fn a_prefix_is_told_with_the_vrfs_targets_label_and_router_mac() {
    let mut one = with_red(1);
    has_prefix(&mut one, "10.1.0.0/16");
    assert_eq!(
        lines(&drain(&mut one)),
        ["+[5]:[10.10.0.1:4001]:[0]:[16]:[10.1.0.0]"]
    );
    let set = originated(&one, "[5]");
    assert_eq!(set.next_hop.addr(), vtep(1));
    assert_eq!(set.evpn.unwrap().label, 4001);
    assert_eq!(set.evpn.unwrap().gateway, None);
    let path = Path::from(&set);
    assert_eq!(
        path.router_mac,
        Some(MacAddress([0x02, 0x5e, 10, 10, 0, 1]))
    );
    assert_eq!(
        *path.targets,
        ["65001:4001".parse::<ExtendedCommunity>().unwrap()]
    );
    assert!(path.vxlan);
    local(&mut one, "10.1.0.0/16", None);
    assert_eq!(
        lines(&drain(&mut one)),
        ["-[5]:[10.10.0.1:4001]:[0]:[16]:[10.1.0.0]"]
    );
}

#[test]
fn a_prefix_of_another_site_comes_after_its_router_and_goes_before_it() {
    let (mut one, mut two) = (with_red(1), with_red(2));
    has_prefix(&mut one, "10.1.0.0/16");
    assert_eq!(
        tell(&mut one, &mut two),
        [
            "+mac 4001 02:5e:0a:0a:00:01 10.10.0.1",
            "+neighbour 4001 10.10.0.1 02:5e:0a:0a:00:01",
            "red +[5]:[10.10.0.1:4001]:[0]:[16]:[10.1.0.0] Router(10.10.0.1)",
        ]
    );
    has_prefix(&mut one, "10.2.0.0/16");
    assert_eq!(
        tell(&mut one, &mut two),
        ["red +[5]:[10.10.0.1:4001]:[0]:[16]:[10.2.0.0] Router(10.10.0.1)"]
    );
    local(&mut one, "10.1.0.0/16", None);
    local(&mut one, "10.2.0.0/16", None);
    assert_eq!(
        tell(&mut one, &mut two),
        [
            "red -[5]:[10.10.0.1:4001]:[0]:[16]:[10.1.0.0]",
            "red -[5]:[10.10.0.1:4001]:[0]:[16]:[10.2.0.0]",
            "-neighbour 4001 10.10.0.1",
            "-mac 4001 02:5e:0a:0a:00:01",
        ]
    );
}

#[test]
fn an_ipv6_prefix_behind_an_ipv4_tunnel_has_a_mapped_next_hop() {
    let (mut one, mut two) = (with_red(1), with_red(2));
    has_prefix(&mut one, "2001:db8:1::/48");
    assert_eq!(
        tell(&mut one, &mut two),
        [
            "+mac 4001 02:5e:0a:0a:00:01 10.10.0.1",
            "+neighbour 4001 ::ffff:10.10.0.1 02:5e:0a:0a:00:01",
            "red +[5]:[10.10.0.1:4001]:[0]:[48]:[2001:db8:1::] Router(::ffff:10.10.0.1)",
        ]
    );
}

#[test]
fn attributes_of_the_tenants_own_bgp_go_along() {
    let mut one = with_red(1);
    let mut set = AttributeSet::new(NextHop::V4([10, 1, 0, 9].into()));
    set.med = Some(7);
    set.communities = vec![bgp::Community(0x1_0002)];
    // Targets and a router MAC of elsewhere would put the route into others' tables.
    set.extended_communities = vec![
        "65009:1".parse().unwrap(),
        ExtendedCommunity::router_mac(mac(9)),
    ];
    local(&mut one, "10.9.0.0/16", Some(set));
    drain(&mut one);
    let told = originated(&one, "[5]");
    assert_eq!((told.med, told.communities.len()), (Some(7), 1));
    let path = Path::from(&told);
    assert_eq!(
        *path.targets,
        ["65001:4001".parse::<ExtendedCommunity>().unwrap()]
    );
    assert_eq!(path.router_mac, Some(router_mac(vtep(1))));
}

#[test]
fn a_gateway_ip_stands_for_the_router() {
    let mut one = site(1);
    one.handle(
        Instant::now(),
        Input::SetVrf {
            name: red(),
            config: config(1).gateway_ip(true),
        },
    );
    let set = AttributeSet::new(NextHop::V4([10, 1, 0, 9].into()));
    local(&mut one, "10.9.0.0/16", Some(set));
    let mut two = with_red(2);
    assert_eq!(
        tell(&mut one, &mut two),
        ["red +[5]:[10.10.0.1:4001]:[0]:[16]:[10.9.0.0] Gateway(10.1.0.9)"]
    );
    assert_eq!(Path::from(&originated(&one, "[5]")).router_mac, None);
}

#[test]
fn addresses_of_stations_carry_nothing_of_a_vrf_with_prefix_routes_only() {
    let (mut one, mut two) = (with_subnet(1), with_red(2));
    learn(&mut one, 7, "10.1.0.7");
    local(&mut one, "10.9.0.0/16", None);
    tell(&mut one, &mut two);
    let host = |instance: &Instance| -> AttributeSet {
        let mut all = instance.originated();
        let host = all.find(|(key, _)| key.to_string().ends_with("[32]:[10.1.0.7]"));
        (**host.unwrap().1).clone()
    };
    let label = |instance: &Instance| host(instance).evpn.unwrap().label2;
    assert_eq!(label(&one), Some(4001));
    one.handle(
        Instant::now(),
        Input::SetVrf {
            name: red(),
            config: config(1).prefix_routes_only(true),
        },
    );
    let told = tell(&mut one, &mut two);
    assert_eq!(label(&one), None);
    let path = Path::from(&host(&one));
    assert_eq!(path.router_mac, None);
    assert!(told.iter().any(|it| it.starts_with("red -[2]")), "{told:?}");
    // And back.
    one.handle(
        Instant::now(),
        Input::SetVrf {
            name: red(),
            config: config(1),
        },
    );
    let told = tell(&mut one, &mut two);
    assert_eq!(label(&one), Some(4001));
    assert!(told.iter().any(|it| it.starts_with("red +[2]")), "{told:?}");
}

#[test]
fn addresses_of_stations_carry_the_vrf_and_become_host_routes() {
    let (mut one, mut two) = (with_subnet(1), with_red(2));
    learn(&mut one, 7, "10.1.0.7");
    learn(&mut one, 8, "fe80::8");
    assert_eq!(
        tell(&mut one, &mut two),
        [
            "+mac 4001 02:5e:0a:0a:00:01 10.10.0.1",
            "+neighbour 4001 10.10.0.1 02:5e:0a:0a:00:01",
            "red +[2]:[10.10.0.1:100]:[0]:[48]:[02:00:00:00:00:07]:[32]:[10.1.0.7] \
             Router(10.10.0.1)",
        ]
    );
    let routed = originated(
        &one,
        "[2]:[10.10.0.1:100]:[0]:[48]:[02:00:00:00:00:07]:[32]",
    );
    assert_eq!(routed.evpn.unwrap().label2, Some(4001));
    for unrouted in ["07]", "08]", "08]:[128]"] {
        let start = format!("[2]:[10.10.0.1:100]:[0]:[48]:[02:00:00:00:00:{unrouted}");
        let all = one.originated();
        let exact = |key: &EvpnKey| match unrouted.len() {
            3 => key.to_string() == start,
            _ => key.to_string().starts_with(&start),
        };
        let (_, set) = all.into_iter().find(|(key, _)| exact(key)).unwrap();
        assert_eq!(set.evpn.unwrap().label2, None, "{unrouted}");
        assert_eq!(Path::from(&**set).router_mac, None, "{unrouted}");
    }
}

fn learn(instance: &mut Instance, last: u8, ip: &str) {
    instance.handle(
        Instant::now(),
        Input::LocalMac {
            vni: vni(100),
            mac: mac(last),
            present: true,
            sticky: false,
        },
    );
    instance.handle(
        Instant::now(),
        Input::LocalNeighbour {
            vni: vni(100),
            ip: ip.parse().unwrap(),
            mac: mac(last),
            present: true,
        },
    );
}

/// The subnets of VNIs at a site.
fn has_subnets(instance: &mut Instance, subnets: &[(u32, &str)]) {
    let mut of_vnis: BTreeMap<Vni, BTreeSet<Prefix>> = BTreeMap::new();
    for (number, text) in subnets {
        of_vnis
            .entry(vni(*number))
            .or_default()
            .insert(prefix(text));
    }
    instance.handle(Instant::now(), Input::SetSubnets(of_vnis));
}

/// IP addresses that a site tells with the L3 VNI.
fn routed(instance: &Instance) -> Vec<IpAddr> {
    let told = instance.originated();
    let routed = told.filter(|(_, set)| set.evpn.is_some_and(|tail| tail.label2.is_some()));
    routed
        .filter_map(|(key, _)| crate::resolve::ip_of(key))
        .collect()
}

#[test]
fn an_address_in_no_subnet_of_its_vni_is_told_without_the_l3_vni() {
    let mut one = with_subnet(1);
    let all = [
        (7, "10.1.0.7"),
        (8, "10.2.0.8"),
        (9, "8.8.8.8"),
        (10, "2001:db8::a"),
    ];
    for (last, ip) in all {
        learn(&mut one, last, ip);
    }
    let routed_now = routed(&one);
    assert_eq!(
        routed_now.len(),
        4,
        "nothing is known of subnets: {routed_now:?}"
    );
    assert!(one.concerns().is_empty());
    drain(&mut one);
    has_subnets(&mut one, &[(100, "10.1.0.0/24"), (200, "10.2.0.0/24")]);
    let told = lines(&drain(&mut one));
    assert_eq!(
        told.len(),
        2,
        "two are told anew, none is withdrawn: {told:?}"
    );
    assert_eq!(
        routed(&one),
        [
            "10.1.0.7".parse::<IpAddr>().unwrap(),
            all[3].1.parse().unwrap()
        ]
    );
    let outside = one.neighbours_behind(None, None).filter(|it| it.outside);
    let outside: Vec<String> = outside.map(|it| it.ip.to_string()).collect();
    assert_eq!(outside, ["8.8.8.8", "10.2.0.8"]);
    let concerns: Vec<String> = one.concerns().iter().map(ToString::to_string).collect();
    assert_eq!(concerns.len(), 1, "{concerns:?}");
    assert!(
        concerns[0].starts_with("VNI 100: machines here have addresses"),
        "{concerns:?}"
    );
    // One that comes later is like those, and a subnet beside the first mends it.
    learn(&mut one, 11, "10.2.0.11");
    assert_eq!(routed(&one).len(), 2);
    has_subnets(
        &mut one,
        &[
            (100, "10.1.0.0/24"),
            (100, "10.2.0.0/24"),
            (100, "8.0.0.0/8"),
        ],
    );
    assert_eq!(routed(&one).len(), 5);
    assert!(one.concerns().is_empty());
    // The last word is the same whatever came first.
    has_subnets(&mut one, &[(100, "10.1.0.0/24")]);
    for present in [false, true] {
        let config = present.then(|| VniConfig::new("tenant").vrf(red()));
        one.handle(Instant::now(), Input::SetVnis([(vni(100), config)].into()));
    }
    assert_eq!(routed(&one).len(), 2);
    assert_eq!(one.concerns().len(), 1);
}

#[test]
fn a_host_route_told_in_another_vni_does_not_win_over_the_machine_that_has_the_address() {
    let (mut one, mut two) = (with_red(1), with_subnet(2));
    // The machine of VNI 200 at site 1 says that it has an address of VNI 100.
    let config = VniConfig::new("other").vrf(red());
    one.handle(
        Instant::now(),
        Input::SetVni {
            vni: vni(200),
            config,
        },
    );
    let (mac, ip) = (mac(66), "10.1.0.7".parse().unwrap());
    let (vni_200, present, sticky) = (vni(200), true, false);
    one.handle(
        Instant::now(),
        Input::LocalMac {
            vni: vni_200,
            mac,
            present,
            sticky,
        },
    );
    one.handle(
        Instant::now(),
        Input::LocalNeighbour {
            vni: vni_200,
            ip,
            mac,
            present,
        },
    );
    has_subnets(&mut two, &[(100, "10.1.0.0/24")]);
    let route = "red +[2]:[10.10.0.1:200]:[0]:[48]:[02:00:00:00:00:42]:[32]:[10.1.0.7] \
                 Router(10.10.0.1)";
    // Nobody here has it: others may know better.
    let came = tell(&mut one, &mut two);
    assert!(came.iter().any(|line| line == route), "{came:?}");
    learn(&mut two, 7, "10.1.0.7");
    let learned = lines(&drain(&mut two));
    assert!(
        learned
            .iter()
            .any(|line| line == &route.replace('+', "-").replace(" Router(10.10.0.1)", "")),
        "{learned:?}"
    );
    let fault = |two: &Instance| {
        two.received().find_map(|it| {
            let host = crate::resolve::ip_of(&it.route.key).is_some();
            it.vrfs
                .into_iter()
                .find_map(|(_, fault)| fault)
                .filter(|_| host)
        })
    };
    assert_eq!(fault(&two), Some(Fault::HostElsewhere(vni(100))));
    // It goes, and the route counts again.
    let (present, mac) = (false, MacAddress([2, 0, 0, 0, 0, 7]));
    two.handle(
        Instant::now(),
        Input::LocalNeighbour {
            vni: vni(100),
            ip,
            mac,
            present,
        },
    );
    let gone = lines(&drain(&mut two));
    assert!(gone.iter().any(|line| line == route), "{gone:?}");
    // Our gateway's address is nobody's.
    let config = VniConfig::new("tenant").vrf(red()).gateway(None, vec![ip]);
    two.handle(
        Instant::now(),
        Input::SetVni {
            vni: vni(100),
            config,
        },
    );
    drain(&mut two);
    assert_eq!(fault(&two), Some(Fault::OwnGateway));
}

#[test]
fn subnets_are_found_by_address_within_a_tenant() {
    let of = |texts: &[&str]| {
        texts
            .iter()
            .map(|text| prefix(text))
            .collect::<BTreeSet<_>>()
    };
    let wide = of(&["10.0.0.0/8", "2001:db8::/64"]);
    let narrow = of(&["10.1.0.0/24", "10.9.0.0/16"]);
    let all = [
        (4001, 100, &wide),
        (4001, 200, &narrow),
        (4002, 300, &narrow),
    ];
    let all = all.into_iter().map(|(l3, l2, of)| (vni(l3), vni(l2), of));
    let index = crate::subnets::SubnetIndex::new(all);
    let found = |l3: u32, ip: &str| -> BTreeSet<u32> {
        index
            .covering(vni(l3), ip.parse().unwrap())
            .map(Vni::get)
            .collect()
    };
    assert_eq!(found(4001, "10.1.0.7"), [100, 200].into());
    assert_eq!(found(4001, "10.2.0.7"), [100].into());
    assert_eq!(found(4002, "10.1.0.7"), [300].into());
    assert_eq!(found(4001, "2001:db8::1"), [100].into());
    assert_eq!(found(4001, "11.0.0.1"), [].into());
    assert_eq!(found(4003, "10.1.0.7"), [].into());
}

#[test]
fn a_host_that_comes_here_is_no_longer_routed_to_its_old_site() {
    let (mut one, mut two) = (with_subnet(1), with_subnet(2));
    learn(&mut one, 7, "10.1.0.7");
    let came = tell(&mut one, &mut two);
    assert!(
        came.iter().any(|line| line.starts_with("red +[2]")),
        "{came:?}"
    );
    learn(&mut two, 7, "10.1.0.7");
    let moved = lines(&drain(&mut two));
    assert!(
        moved.iter().any(|line| line.starts_with("red -[2]")),
        "{moved:?}"
    );
    // The old site hears of it and routes to the new one.
    for (key, set) in two.originated() {
        let attributes = Some(frozen(set));
        one.handle(
            Instant::now(),
            Input::Route {
                key: key.clone(),
                attributes,
            },
        );
    }
    let followed = lines(&drain(&mut one));
    let route = "red +[2]:[10.10.0.2:100]:[0]:[48]:[02:00:00:00:00:07]:[32]:[10.1.0.7] \
                 Router(10.10.0.2)";
    assert!(followed.iter().any(|line| line == route), "{followed:?}");
}

#[test]
fn what_cannot_be_used_is_named_and_nothing_else_is_disturbed() {
    let (mut one, mut two) = (with_red(1), with_red(2));
    has_prefix(&mut one, "10.1.0.0/16");
    drain(&mut one);
    let good = originated(&one, "[5]");
    let without = |drop: fn(&ExtendedCommunity) -> bool| {
        let mut set = good.clone();
        set.extended_communities.retain(|it| !drop(it));
        set
    };
    let tail = |edit: fn(&mut EvpnTail)| {
        let mut set = good.clone();
        edit(set.evpn.as_mut().unwrap());
        set
    };
    let foreign = {
        let mut set = without(|it| *it == ExtendedCommunity::ENCAPSULATION_VXLAN);
        // Encapsulation of MPLS (RFC 9012 §4.1).
        set.extended_communities
            .push(ExtendedCommunity([3, 0x0c, 0, 0, 0, 0, 0, 10]));
        set
    };
    let ours = {
        let mut set = without(|it| it.as_router_mac().is_some());
        let own = ExtendedCommunity::router_mac(router_mac(vtep(2)));
        set.extended_communities.push(own);
        set
    };
    let cases = [
        (
            without(|it| it.as_router_mac().is_some()),
            Fault::NoRouterMac,
        ),
        (foreign, Fault::Encapsulation),
        (ours, Fault::OwnRouterMac(router_mac(vtep(2)))),
        (
            tail(|tail| tail.gateway = Some([224, 0, 0, 1].into())),
            Fault::Gateway([224, 0, 0, 1].into()),
        ),
        (tail(|tail| tail.esi = Esi([1; 10])), Fault::SegmentOverlay),
    ];
    assert_eq!(tell(&mut with_prefix("10.2.0.0/16"), &mut two).len(), 3);
    assert_eq!(two.l3_vni("red"), Some(vni(4001)));
    for (set, fault) in cases {
        let key: EvpnKey = EvpnKey::IpPrefix {
            rd: "10.10.0.1:4001".parse().unwrap(),
            tag: 0,
            prefix: prefix("10.1.0.0/16"),
        };
        let attributes = Some(frozen(&set));
        two.handle(
            Instant::now(),
            Input::Route {
                key: key.clone(),
                attributes,
            },
        );
        assert_eq!(lines(&drain(&mut two)), [""; 0], "{fault:?}");
        let received = two.received_route(&key).unwrap();
        assert_eq!(received.vrfs, [(red(), Some(fault))]);
        assert!(two.received_to_prefix(prefix("10.1.0.0/16")).eq([&key]));
    }
}

fn with_prefix(text: &str) -> Instance {
    let mut one = with_red(1);
    has_prefix(&mut one, text);
    one
}

#[test]
fn a_vrf_that_goes_takes_its_routes_and_routers_along() {
    let (mut one, mut two) = (with_subnet(1), with_subnet(2));
    has_prefix(&mut one, "10.1.0.0/16");
    has_prefix(&mut two, "10.2.0.0/16");
    drain(&mut two);
    tell(&mut one, &mut two);
    two.handle(Instant::now(), Input::RemoveVrf(red()));
    assert_eq!(
        lines(&drain(&mut two)),
        [
            "-[5]:[10.10.0.2:4001]:[0]:[16]:[10.2.0.0]",
            "red -[5]:[10.10.0.1:4001]:[0]:[16]:[10.1.0.0]",
            "-neighbour 4001 10.10.0.1",
            "-mac 4001 02:5e:0a:0a:00:01",
        ]
    );
    // The prefix is still in the table that the name stands for.
    let config = config(2);
    two.handle(
        Instant::now(),
        Input::SetVrf {
            name: red(),
            config,
        },
    );
    assert_eq!(lines(&drain(&mut two)).len(), 3);
}

#[test]
fn one_number_for_a_bridge_and_a_vrf_is_named() {
    let mut two = with_red(2);
    has_prefix(&mut two, "10.2.0.0/16");
    assert_eq!(lines(&drain(&mut two)).len(), 1);
    let config = VniConfig::new("twice");
    two.handle(
        Instant::now(),
        Input::SetVni {
            vni: vni(4001),
            config,
        },
    );
    drain(&mut two);
    let status = two.vrfs();
    assert_eq!(status[0].problems, [crate::Problem::RdInUse(vni(4001))]);
    assert!(two.originated().all(|(key, _)| key.route_type() != 5));
}

/// What a VRF's table has, as its owner was told.
type Imports = BTreeMap<(EvpnKey, VrfName), Via>;

/// Applies what is said of VRFs; removing what is not there is a mistake.
fn follow(instance: &mut Instance, imports: &mut Imports) {
    for output in drain(instance) {
        if let Output::Import { vrf, key, via, .. } = output {
            imports.insert((key, vrf), via);
        } else if let Output::Unimport { vrf, key } = output {
            assert!(imports.remove(&(key, vrf)).is_some());
        }
    }
}

/// All that is known at the end.
fn world(instance: &Instance, imports: &Imports) -> String {
    let told: Vec<_> = instance.originated().collect();
    let macs: BTreeSet<String> = instance
        .remote_macs()
        .map(|it| format!("{it:?}"))
        .chain(instance.neighbours().map(|it| format!("{it:?}")))
        .collect();
    format!("{told:?} {macs:?} {imports:?}")
}

/// RFC 9135 §5 has no order of configuration, devices and peers.
#[test]
fn seven_events_in_every_order_end_alike() {
    let mut other = with_subnet(1);
    has_prefix(&mut other, "10.9.0.0/16");
    learn(&mut other, 9, "10.1.0.9");
    drain(&mut other);
    let mut events: Vec<Input> = vec![
        Input::SetVtep(Some(vtep(2))),
        Input::SetVrf {
            name: red(),
            config: config(2),
        },
        Input::SetVni {
            vni: vni(100),
            config: VniConfig::new("tenant").vrf(red()),
        },
        Input::LocalPrefix {
            vrf: red(),
            prefix: prefix("10.2.0.0/16"),
            attributes: Some(Arc::new(AttributeSet::new(NextHop::V4([0; 4].into())))),
        },
        Input::LocalMac {
            vni: vni(100),
            mac: mac(7),
            present: true,
            sticky: false,
        },
    ];
    let routed = |key: &EvpnKey| imported_prefix(key).is_some();
    for (key, set) in other.originated().filter(|(key, _)| routed(key)) {
        let attributes = Some(frozen(set));
        events.push(Input::Route {
            key: key.clone(),
            attributes,
        });
    }
    assert_eq!(events.len(), 7);
    let mut expected = None;
    permute(&mut events, 0, &mut |events| {
        let mut instance = Instance::new(Config {
            local_as: bgp::Asn(65002),
            router_id: [10, 10, 0, 2].into(),
            vtep: None,
        });
        let mut imports = Imports::new();
        for event in events {
            instance.handle(Instant::now(), event.clone());
            follow(&mut instance, &mut imports);
        }
        let end = world(&instance, &imports);
        let expected = expected.get_or_insert_with(|| {
            assert_eq!(imports.len(), 2);
            assert!(instance.originated().any(|(key, _)| key.route_type() == 5));
            end.clone()
        });
        assert_eq!(end, *expected, "{events:?}");
    });
}

/// Every order of the events from `at` on.
fn permute(events: &mut Vec<Input>, at: usize, each: &mut dyn FnMut(&[Input])) {
    if at == events.len() {
        each(events);
        return;
    }
    for next in at..events.len() {
        events.swap(at, next);
        permute(events, at + 1, each);
        events.swap(at, next);
    }
}

#[test]
fn one_router_mac_at_two_sites_is_named_by_each_of_them_and_by_a_third() {
    let named = |instance: &Instance| -> Vec<String> {
        let concerns = instance.concerns().into_iter();
        concerns.map(|it| it.to_string()).collect()
    };
    let same = |site: u8| {
        let mut instance = self::site(site);
        let (name, config) = (red(), VrfConfig::new(vni(4001), mac(0xee)));
        instance.handle(Instant::now(), Input::SetVrf { name, config });
        drain(&mut instance);
        instance
    };
    let (mut a, mut b, mut c) = (same(1), same(2), with_red(3));
    for instance in [&mut a, &mut b] {
        has_prefix(instance, "10.1.0.0/24");
    }
    let (from_a, from_b) = (drain(&mut a), drain(&mut b));
    for instance in [&mut b, &mut c] {
        give(&from_a, instance);
    }
    for instance in [&mut a, &mut c] {
        give(&from_b, instance);
    }
    let line = |one: u8, two: u8| {
        format!(
            "L3 VNI 4001: the routers 10.10.0.{one} and 10.10.0.{two} have the same router MAC \
             02:00:00:00:00:ee; routed packets reach only one of them"
        )
    };
    assert_eq!(named(&a), [line(1, 2)]);
    assert_eq!(named(&b), [line(2, 1)]);
    assert_eq!(named(&c), [line(1, 2)]);
    // Without the VRF there is nothing to compare.
    a.handle(Instant::now(), Input::RemoveVrf(red()));
    drain(&mut a);
    assert_eq!(named(&a), Vec::<String>::new());
}

/// Hands these routes to a router, and has it decide.
fn give(outputs: &[Output], to: &mut Instance) {
    for output in outputs {
        if let Output::Originate { key, attributes } = output {
            let (key, attributes) = (key.clone(), Some(frozen(attributes)));
            to.handle(Instant::now(), Input::Route { key, attributes });
        }
    }
    drain(to);
}

#[test]
fn another_identity_comes_to_what_a_start_with_it_comes_to() {
    let filled = |local_as: u32, last: u8| {
        let mut instance = Instance::new(Config {
            local_as: bgp::Asn(local_as),
            router_id: [10, 10, 0, last].into(),
            vtep: Some(vtep(1)),
        });
        let now = Instant::now();
        let (name, config) = (red(), config(1));
        instance.handle(now, Input::SetVrf { name, config });
        for (number, rd) in [(100, None), (200, Some("10.10.0.1:7"))] {
            let mut config = VniConfig::new("tenant").vrf(red());
            if let Some(rd) = rd {
                config = config.rd(rd.parse().unwrap());
            }
            let vni = vni(number);
            instance.handle(now, Input::SetVni { vni, config });
        }
        instance.handle(
            now,
            Input::LocalMac {
                vni: vni(100),
                mac: mac(5),
                present: true,
                sticky: false,
            },
        );
        let attributes = Some(Arc::new(AttributeSet::new(NextHop::from(vtep(1)))));
        instance.handle(
            now,
            Input::LocalPrefix {
                vrf: red(),
                prefix: "10.9.0.0/16".parse().unwrap(),
                attributes,
            },
        );
        drain(&mut instance);
        instance
    };
    let told = |instance: &Instance| -> BTreeMap<String, String> {
        let routes = instance.originated();
        routes
            .map(|(key, set)| (key.to_string(), format!("{set:?}")))
            .collect()
    };
    let mut instance = filled(65001, 1);
    let before = told(&instance);
    for (local_as, last) in [(65001, 9), (65009, 9), (65001, 1)] {
        let router_id = [10, 10, 0, last].into();
        let local_as_number = bgp::Asn(local_as);
        let former: BTreeSet<String> = told(&instance).into_keys().collect();
        instance.handle(
            Instant::now(),
            Input::SetIdentity {
                local_as: local_as_number,
                router_id,
            },
        );
        let outputs = drain(&mut instance);
        let fresh = told(&filled(local_as, last));
        assert_eq!(told(&instance), fresh);
        // Each route is said anew, and what has another name now is taken back.
        let now: BTreeSet<String> = fresh.into_keys().collect();
        let said = |sign: &str| -> BTreeSet<String> {
            let lines = lines(&outputs).into_iter();
            lines
                .filter_map(|it| it.strip_prefix(sign).map(str::to_owned))
                .collect()
        };
        assert!(now.difference(&former).all(|it| said("+").contains(it)));
        assert_eq!(said("-"), former.difference(&now).cloned().collect());
    }
    assert_eq!(told(&instance), before);
    assert_eq!(before.len(), 4, "{before:?}");
    let again = Input::SetIdentity {
        local_as: bgp::Asn(65001),
        router_id: [10, 10, 0, 1].into(),
    };
    instance.handle(Instant::now(), again);
    assert_eq!(drain(&mut instance), []);
}
