use std::collections::BTreeSet;

use super::*;

fn order(networks: &[&str], gateway: Gateways) -> NetworkCreate {
    NetworkCreate {
        vni: Vni::new(300).unwrap(),
        name: "guests".to_owned(),
        networks: networks.iter().map(|it| it.parse().unwrap()).collect(),
        gateway,
        vrf: None,
        force: false,
        dry_run: false,
    }
}

fn site_a(more: &str) -> Config {
    let text = format!(
        "asn = 65001\nrouter_id = \"10.10.0.1\"\nevpn.vtep = \"10.10.0.1\"\n\
         [[neighbor]]\naddress = \"10.10.0.2\"\nremote_as = 65002\n{more}"
    );
    config::parse(&text, "a.toml").unwrap()
}

fn gateways_of(networks: &[&str], gateway: Gateways) -> Result<Vec<String>, String> {
    let wanted = wanted(&order(networks, gateway), &site_a(""));
    let wanted = wanted.map_err(|error| error.error)?;
    Ok(wanted.gateway.iter().map(ToString::to_string).collect())
}

#[test]
fn the_gateway_is_the_first_address_that_a_host_can_have() {
    for (network, gateway) in [
        ("10.30.0.0/24", "10.30.0.1/24"),
        ("10.30.0.0/30", "10.30.0.1/30"),
        ("10.30.0.2/31", "10.30.0.2/31"),
        ("10.30.0.7/32", "10.30.0.7/32"),
        ("2001:db8:30::/64", "2001:db8:30::1/64"),
        ("2001:db8:30::2/127", "2001:db8:30::2/127"),
        ("2001:db8:30::/128", "2001:db8:30::/128"),
    ] {
        assert_eq!(
            gateways_of(&[network], Gateways::First),
            Ok(vec![gateway.to_owned()])
        );
    }
    let both = ["10.30.0.0/24", "2001:db8:30::/64"];
    let chosen = Gateways::These(vec!["10.30.0.254".parse().unwrap()]);
    assert_eq!(
        gateways_of(&both, chosen.clone()),
        Ok(vec!["10.30.0.254/24".to_owned()])
    );
    let network = wanted(&order(&both, chosen), &site_a("")).unwrap();
    assert_eq!(network.networks, ["2001:db8:30::/64".parse().unwrap()]);
    let network = wanted(&order(&both, Gateways::None), &site_a("")).unwrap();
    assert_eq!((network.gateway.len(), network.networks.len()), (0, 2));
    let elsewhere = Gateways::These(vec!["10.31.0.1".parse().unwrap()]);
    assert_eq!(
        gateways_of(&both, elsewhere),
        Err("gateway 10.31.0.1 is not in 10.30.0.0/24 or 2001:db8:30::/64".to_owned())
    );
}

#[test]
fn what_no_machines_live_in_is_refused() {
    for network in [
        "0.0.0.0/0",
        "::/0",
        "127.0.0.0/8",
        "::1/128",
        "224.1.0.0/16",
        "ff02::/16",
        "169.254.1.0/24",
        "fe80::/64",
        "::ffff:10.5.0.0/120",
        "0.1.0.0/16",
        "240.0.0.0/8",
    ] {
        let refused = gateways_of(&[network], Gateways::First).unwrap_err();
        assert!(
            refused.contains("is no network of machines"),
            "{network}: {refused}"
        );
    }
}

#[test]
fn a_distinguisher_is_one_that_nobody_has() {
    let vni = |id: u32| Vni::new(id).unwrap();
    let taken = "[[vni]]\nid = 7\nname = \"a\"\nrd = \"10.10.0.1:300\"\n\
                 [[vni]]\nid = 70000\nname = \"b\"\nrd = \"10.10.0.1:4465\"\n";
    for (id, rd) in [
        (300, "10.10.0.1:301"),
        (301, "10.10.0.1:301"),
        (70_001, "10.10.0.1:4466"),
        (135_537, "10.10.0.1:4466"),
    ] {
        assert_eq!(distinguisher(vni(id), &site_a(taken)).to_string(), rd);
    }
    assert_eq!(
        distinguisher(vni(300), &site_a("")).to_string(),
        "10.10.0.1:300"
    );
}

#[test]
fn names_and_networks_are_those_of_one() {
    let config = site_a(
        "[[vni]]\nid = 7\nname = \"a\"\ngateway = [\"10.30.0.1/16\"]\n\
         [[vni]]\nid = 8\nname = \"b\"\nnetworks = [\"2001:db8::/48\"]\n",
    );
    let refused = |name: &str, network: &str| {
        let order = NetworkCreate {
            name: name.to_owned(),
            ..order(&[network], Gateways::First)
        };
        let wanted = wanted(&order, &config).unwrap();
        apart(&config, &wanted).err().map(|error| error.error)
    };
    assert_eq!(refused("guests", "10.31.0.0/24"), None);
    assert_eq!(
        refused("a", "10.31.0.0/24").unwrap(),
        "the name \"a\" is that of VNI 7: \"a\", 10.30.0.0/16, gateway 10.30.0.1"
    );
    assert_eq!(
        refused("guests", "10.30.9.0/24").unwrap(),
        "10.30.9.0/24 overlaps with 10.30.0.0/16 of VNI 7: \"a\", 10.30.0.0/16, gateway 10.30.0.1"
    );
    assert_eq!(
        refused("guests", "2001:db8::/48").unwrap(),
        "2001:db8::/48 is a network of VNI 8: \"b\", 2001:db8::/48"
    );
}

#[test]
fn tenants_may_have_the_same_addresses() {
    let config = site_a("[[vni]]\nid = 7\nname = \"a\"\ngateway = [\"10.30.0.1/16\"]\n");
    let mut tenant = order(&["10.30.0.0/24"], Gateways::First);
    assert!(apart(&config, &wanted(&tenant, &config).unwrap()).is_err());
    tenant.vrf = Some("red".to_owned());
    let network = wanted(&tenant, &config).unwrap();
    assert_eq!(apart(&config, &network), Ok(()));
    assert!(described(&network).ends_with(", gateway 10.30.0.1, VRF red"));
    let other = VniConfig {
        vrf: None,
        ..network.clone()
    };
    assert!(same(&network, &network) && !same(&network, &other));
    // What the underlay has is nothing to a VRF.
    tenant.networks = vec!["10.10.0.0/16".parse().unwrap()];
    let network = wanted(&tenant, &config).unwrap();
    let facts = NetworkFacts {
        ports: Vec::new(),
        addresses: Vec::new(),
        announcers: Vec::new(),
    };
    assert_eq!(risks(&config, &network, &facts), [""; 0]);
}

#[test]
fn what_others_and_this_host_have_is_weighed() {
    let config = site_a("");
    let ips = |list: &[&str]| -> BTreeSet<IpAddr> {
        list.iter().map(|it| it.parse().unwrap()).collect()
    };
    let site = |gateways: &[&str], addresses: &[&str]| evpn::Announcer {
        vtep: "10.10.0.2".parse().unwrap(),
        floods: true,
        macs: 2,
        gateways: ips(gateways),
        ips: ips(addresses),
    };
    let facts = |site: Option<evpn::Announcer>| NetworkFacts {
        ports: Vec::new(),
        addresses: vec![("eth1".to_owned(), "10.31.0.9/24".parse().unwrap())],
        announcers: site.into_iter().collect(),
    };
    let judged = |network: &str, gateway: Gateways, site: Option<evpn::Announcer>| {
        let wanted = wanted(&order(&[network], gateway), &config).unwrap();
        let facts = facts(site);
        (risks(&config, &wanted, &facts), news(&wanted, &facts))
    };
    let guests = |site| judged("10.30.0.0/24", Gateways::First, site);
    assert_eq!(guests(None), (Vec::new(), Vec::new()));
    // The same network at another site, with machines that have other addresses as well.
    let same = site(
        &["10.30.0.1", "2001:db8::1"],
        &["10.30.0.9", "169.254.3.4", "fe80::1", "2001:db8::7"],
    );
    assert_eq!(
        guests(Some(same)),
        (
            Vec::new(),
            vec![
        "10.10.0.2 announces VNI 300 already: 2 MAC addresses, gateway 10.30.0.1 and 2001:db8::1; \
         its machines are in this network now".to_owned(),
    ]
        )
    );
    let (risks, news) = guests(Some(site(&["10.30.0.254"], &[])));
    assert_eq!(risks, [""; 0]);
    assert_eq!(
        news[1],
        "10.10.0.2 has gateway 10.30.0.254, ours is 10.30.0.1: a machine that moves loses its gateway"
    );
    let (risks, _) = guests(Some(site(
        &["10.40.0.1"],
        &["10.30.0.7", "10.40.0.8", "10.40.0.9"],
    )));
    assert_eq!(
        risks,
        [
            "10.10.0.2 announces gateway 10.40.0.1 in VNI 300, which is in none of the networks",
            "10.10.0.2 announces 10.40.0.8 and 1 more in VNI 300, which is in none of the networks",
        ]
    );
    // What is not on the bridge is in nobody's way.
    for (network, risk) in [
        (
            "10.10.0.0/16",
            "our tunnel endpoint 10.10.0.1 is in 10.10.0.0/16: packets to the underlay would go to br300",
        ),
        (
            "10.31.0.0/16",
            "eth1 of this host has 10.31.0.9/24, which meets 10.31.0.0/16",
        ),
    ] {
        assert_eq!(judged(network, Gateways::First, None).0[0], risk);
        assert_eq!(judged(network, Gateways::None, None).0, [""; 0]);
    }
    assert_eq!(judged("10.10.0.0/16", Gateways::First, None).0.len(), 2);
}

#[tokio::test]
async fn a_file_that_somebody_else_has_just_changed_is_not_replaced() {
    let name = format!("rbgpd-replace-{}.toml", std::process::id());
    let path = std::env::temp_dir().join(name);
    std::fs::write(&path, "theirs").unwrap();
    let order = |expected: Option<&str>| {
        let expected = expected.map(str::to_owned);
        replace(path.clone(), expected, "ours".to_owned())
    };
    let error = order(Some("what was read")).await.unwrap_err();
    assert_eq!(error.to_string(), "somebody else has just changed it");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "theirs");
    order(Some("theirs")).await.unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "ours");
    // What could not be applied is taken back whatever stands there.
    order(None).await.unwrap();
    std::fs::remove_file(&path).unwrap();
}
