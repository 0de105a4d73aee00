use super::*;
use crate::frr::shapes;
use crate::frr::text::lines;

fn found(node: Node, text: &str) -> Option<(&'static str, Vec<&str>)> {
    let grammar = Grammar::new(shapes::all());
    let line = lines(text).next()?;
    match grammar.read(node, &line.words) {
        Found::Shape(shape, caught) => {
            let values = caught.values.iter().map(|(_, value)| *value).collect();
            Some((shape.words, values))
        }
        Found::Ambiguous(..) | Found::Nothing => None,
    }
}

#[test]
fn abbreviations_are_read_as_long_as_they_are_unambiguous() {
    for (node, short, whole) in [
        (Node::Top, "int eth0", "interface IFNAME [vrf NAME]"),
        (
            Node::Top,
            "rou bgp 65001",
            "router bgp ASN [as-notation (dot|dot+|plain)]",
        ),
        (
            Node::Interface,
            "ip addr 10.0.0.1/24",
            "ip address A.B.C.D/M [label NAME] [peer A.B.C.D/M]",
        ),
        (Node::Interface, "no shut", "shutdown"),
        (
            Node::Router,
            "address-family ipv4 uni",
            "address-family ipv4 [unicast]",
        ),
        (
            Node::Router,
            "neigh 10.0.0.1 remote 65002",
            "neighbor PEER remote-as (external|internal|auto|ASN)",
        ),
        (
            Node::Ipv4,
            "neighbor 10.0.0.1 soft in",
            "neighbor PEER soft-reconfiguration inbound",
        ),
        (
            Node::Evpn,
            "adv ipv4 uni",
            "advertise (ipv4|ipv6) unicast [gateway-ip] [route-map NAME]",
        ),
    ] {
        assert_eq!(found(node, short).map(|it| it.0), Some(whole), "{short}");
    }
    let grammar = Grammar::new(shapes::all());
    let line = lines("neighbor 10.0.0.1 p NAME").next().unwrap();
    let ambiguous = matches!(
        grammar.read(Node::Router, &line.words),
        Found::Ambiguous(..)
    );
    assert!(ambiguous, "password or peer-group");
}

#[test]
fn keywords_go_before_values_and_values_before_names() {
    let list = found(Node::RouteMap, "match ip address prefix-list INTERNAL");
    assert_eq!(
        list,
        Some(("match (ip|ipv6) address prefix-list NAME", vec!["INTERNAL"]))
    );
    let list = found(Node::RouteMap, "match ip address prefix-list");
    assert_eq!(
        list,
        Some(("match (ip|ipv6) address NAME", vec!["prefix-list"]))
    );
    let list = found(
        Node::Top,
        "bgp community-list standard X permit 65001:1 65001:2",
    );
    assert_eq!(list.unwrap().1, ["X", "65001:1", "65001:2"]);
    let rule = found(
        Node::Top,
        "ip prefix-list X seq 5 permit 10.0.0.0/8 ge 9 le 24",
    );
    assert_eq!(rule.unwrap().1, ["X", "5", "10.0.0.0/8", "9", "24"]);
}

#[test]
fn behind_no_a_line_may_end_before_its_values() {
    for (node, line, whole) in [
        (
            Node::Router,
            "no neighbor 10.0.0.1 remote-as",
            "neighbor PEER remote-as (external|internal|auto|ASN)",
        ),
        (
            Node::Router,
            "no neighbor 10.0.0.1 description",
            "neighbor PEER description LINE",
        ),
        (Node::RouteMap, "no set metric", "set metric VALUE"),
        (Node::Top, "no route-map X", "route-map NAME"),
        (
            Node::Top,
            "no route-map X permit 10",
            "route-map NAME (permit|deny) <1-65535>",
        ),
    ] {
        assert_eq!(found(node, line).map(|it| it.0), Some(whole), "{line}");
    }
    assert_eq!(found(Node::Router, "neighbor 10.0.0.1 remote-as"), None);
}

#[test]
fn numbers_out_of_their_range_and_addresses_with_holes_do_not_fit() {
    assert_eq!(
        found(Node::Router, "neighbor 10.0.0.1 ttl-security hops 255"),
        None
    );
    assert_eq!(found(Node::Router, "bgp router-id 10.0.0"), None);
    assert_eq!(found(Node::Top, "router bgp 4294967296"), None);
    assert_eq!(asn("1.10"), Some(65546));
    assert_eq!(asn("65536.1"), None);
}

#[test]
fn a_line_that_goes_on_for_ever_is_given_up() {
    let many = format!("set community {}", "65001:1 ".repeat(100));
    assert_eq!(found(Node::RouteMap, &many).unwrap().1.len(), 100);
    let long = format!("set community {}", "65001:1 ".repeat(20_000));
    assert_eq!(found(Node::RouteMap, &long), None);
    let any = format!("aggregate-address 10.0.0.0/8 {}", "as-set ".repeat(5_000));
    assert_eq!(found(Node::Ipv4, &any), None);
}
