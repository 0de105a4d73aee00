//! How FRR writes a line: no word abbreviated, one of several dialects, prefixes without host bits,
//! and in the block in which FRR shows it.
//!
//! What several lines come to together is put into words by [`super::live`]; here is what can be
//! said of one line alone.

use super::grammar::Caught;
use super::shapes::{Node, Shape, masked};

/// The line that opens a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Opener {
    pub(super) node: Node,
    pub(super) text: String,
    /// What it is called, whatever else the line says: a route-map's entry may come to deny.
    pub(super) key: String,
}

impl Opener {
    /// As it was written by [`spell`].
    pub(super) fn new(node: Node, text: String, caught: &Caught<'_>) -> Self {
        let name = caught.get("NAME").unwrap_or("");
        let key = if node == Node::RouteMap {
            format!("{name} {}", caught.get("<1-65535>").unwrap_or(""))
        } else if node == Node::Router {
            format!("vrf {}", if name == "default" { "" } else { name })
        } else {
            text.clone()
        };
        Self { node, text, key }
    }

    fn plain(node: Node, text: &str) -> Self {
        let text = text.to_owned();
        Self {
            node,
            key: text.clone(),
            text,
        }
    }

    /// `address-family`.
    pub(super) fn family(node: Node) -> Self {
        let text = if node == Node::Ipv6 {
            "address-family ipv6 unicast"
        } else if node == Node::Evpn {
            "address-family l2vpn evpn"
        } else {
            "address-family ipv4 unicast"
        };
        Self::plain(node, text)
    }

    /// `vrf NAME`.
    pub(super) fn vrf(name: &str) -> Self {
        Self::plain(Node::Vrf, &format!("vrf {name}"))
    }
}

/// The words of a line that was found in a node; `path` is changed where FRR shows it elsewhere.
pub(super) fn spell(
    node: Node,
    shape: &'static Shape,
    caught: &Caught<'_>,
    path: &mut Vec<Opener>,
) -> String {
    let words = shape.words;
    let text = caught.spelled();
    if let Some(text) = block(words, caught) {
        return text;
    }
    if words.starts_with("neighbor PEER") {
        neighbor(node, shape, path);
        return of_neighbor(words, caught).unwrap_or(text);
    }
    if node == Node::Router && of_family(words) {
        path.push(Opener::family(Node::Ipv4));
    }
    if words.starts_with("ip route") || words.starts_with("ipv6 route") {
        if let (Some(vrf), true) = (caught.get("NAME"), node == Node::Top)
            && vrf != "default"
        {
            path.push(Opener::vrf(vrf));
        }
        return static_route(caught).unwrap_or(text);
    }
    if words.starts_with("network ") || words.starts_with("aggregate-address ") {
        return own_route(caught).unwrap_or(text);
    }
    if words.starts_with("redistribute ") {
        return redistribute(caught);
    }
    if let (Some(seq), true) = (caught.get("<1-65535>"), words.starts_with("(on-match goto")) {
        return format!("on-match goto {seq}");
    }
    if let (Some(list), true) = (caught.get("NAME"), words.ends_with(" NAME delete")) {
        return format!("set {} {list} delete", deleted(words));
    }
    usual(words).map_or(text, str::to_owned)
}

/// Lines of a family that FRR takes directly under `router bgp`, too.
fn of_family(words: &str) -> bool {
    const BEGINS: [&str; 6] = [
        "network ",
        "aggregate-address ",
        "redistribute ",
        "maximum-paths ",
        "distance ",
        "import vrf ",
    ];
    BEGINS.iter().any(|begin| words.starts_with(begin))
}

fn block(words: &str, caught: &Caught<'_>) -> Option<String> {
    let text = match words {
        "address-family ipv4 [unicast]" => "address-family ipv4 unicast".to_owned(),
        "address-family ipv6 [unicast]" => "address-family ipv6 unicast".to_owned(),
        "address-family evpn" => "address-family l2vpn evpn".to_owned(),
        _ if words.starts_with("router bgp ASN vrf") && caught.get("NAME") == Some("default") => {
            format!("router bgp {}", caught.get("ASN").unwrap_or(""))
        }
        _ if words.starts_with("peer ADDR") => bfd_peer(caught),
        _ => return None,
    };
    Some(text)
}

fn bfd_peer(caught: &Caught<'_>) -> String {
    let mut text = format!("peer {}", caught.get("ADDR").unwrap_or(""));
    if caught.has("multihop") {
        text.push_str(" multihop");
    }
    let parts = [
        ("local-address", caught.all("ADDR").nth(1)),
        ("vrf", caught.get("NAME").filter(|it| *it != "default")),
        ("interface", caught.get("IFNAME")),
    ];
    for (word, value) in parts {
        if let Some(value) = value {
            text.push_str(&format!(" {word} {value}"));
        }
    }
    text
}

/// Membership of a group is a matter of the session; what FRR takes for IPv4 directly under
/// `router bgp` is shown in the family.
fn neighbor(node: Node, shape: &'static Shape, path: &mut Vec<Opener>) {
    const SESSION: [&str; 2] = [
        "neighbor PEER peer-group",
        "neighbor PEER advertisement-interval",
    ];
    let of_session = SESSION.iter().any(|begin| shape.words.starts_with(begin));
    let both = shape.nodes.contains(&Node::Ipv4) && shape.nodes.contains(&Node::Router);
    if of_session && node != Node::Router {
        path.pop();
    } else if both && !of_session && node == Node::Router {
        path.push(Opener::family(Node::Ipv4));
    }
}

/// Values that FRR does not show since they are its defaults, and words of old.
fn of_neighbor(words: &str, caught: &Caught<'_>) -> Option<String> {
    let peer = caught.get("PEER")?;
    let rest = if words.ends_with("ebgp-multihop [<1-255>]") {
        match caught.get("<1-255>") {
            Some("255") | None => "ebgp-multihop".to_owned(),
            Some(hops) => format!("ebgp-multihop {hops}"),
        }
    } else if words.ends_with("allowas-in [(<1-10>|origin)]") && caught.get("<1-10>") == Some("3")
    {
        "allowas-in".to_owned()
    } else if words.ends_with("next-hop-self [(force|all)]") && caught.has("all") {
        "next-hop-self force".to_owned()
    } else {
        return None;
    };
    Some(format!("neighbor {peer} {rest}"))
}

fn static_route(caught: &Caught<'_>) -> Option<String> {
    let version = caught.keywords().first()?;
    let prefix = match (
        caught.get("A.B.C.D/M").or(caught.get("X:X::X:X/M")),
        caught.get("MASK"),
    ) {
        (Some(prefix), _) => masked(prefix)?,
        (None, Some(mask)) => with_mask(caught.get("A.B.C.D")?, mask)?,
        (None, None) => return None,
    };
    let gateway = match (caught.get("ADDR"), caught.get("A.B.C.D/M")) {
        (None, Some(_)) => caught.get("A.B.C.D"),
        (address, _) => address.or(caught.get("X:X::X:X")),
    };
    let mut text = format!("{version} route {prefix}");
    let mut add = |part: &str| {
        text.push(' ');
        text.push_str(part);
    };
    if let Some(gateway) = gateway {
        add(gateway);
    }
    if let Some(interface) = caught.get("IFNAME") {
        add(interface);
    }
    for (word, spelled) in [
        ("null0", "Null0"),
        ("blackhole", "blackhole"),
        ("reject", "reject"),
    ] {
        if caught.has(word) {
            add(spelled);
        }
    }
    if let Some(tag) = caught.get("<1-4294967295>") {
        add(&format!("tag {tag}"));
    }
    if let Some(distance) = caught.get("<1-255>").filter(|it| *it != "1") {
        add(distance);
    }
    if let Some(table) = caught.get("N") {
        add(&format!("table {table}"));
    }
    if let Some(vrf) = caught.get("VRF") {
        add(&format!("nexthop-vrf {vrf}"));
    }
    if caught.has("onlink") {
        add("onlink");
    }
    if caught.has("bfd") {
        add("bfd");
        if caught.has("multi-hop") {
            add("multi-hop");
        }
        for (word, name) in [("source", "LOCAL"), ("profile", "PROFILE")] {
            if let Some(value) = caught.get(name) {
                add(&format!("{word} {value}"));
            }
        }
    }
    Some(text)
}

/// An IPv4 network with its length; `None` if the mask has holes.
fn with_mask(address: &str, mask: &str) -> Option<String> {
    let bits = u32::from(mask.parse::<std::net::Ipv4Addr>().ok()?);
    let length = bits.leading_ones();
    (length + bits.trailing_zeros() >= 32)
        .then(|| masked(&format!("{address}/{length}")))
        .flatten()
}

/// `network` and `aggregate-address`, with the words behind the prefix in FRR's order.
fn own_route(caught: &Caught<'_>) -> Option<String> {
    let word = caught.keywords().first()?;
    let written = caught.get("A.B.C.D/M").or(caught.get("X:X::X:X/M"));
    let prefix = match (written, caught.get("A.B.C.D"), caught.get("MASK")) {
        (Some(prefix), _, _) => masked(prefix)?,
        (None, Some(address), Some(mask)) => with_mask(address, mask)?,
        (None, Some(address), None) => masked(&format!("{address}/{}", classful(address)))?,
        (None, None, _) => return None,
    };
    let mut text = format!("{word} {prefix}");
    for word in ["as-set", "summary-only"] {
        if caught.has(word) {
            text.push_str(&format!(" {word}"));
        }
    }
    if let Some(map) = caught.get("NAME") {
        text.push_str(&format!(" route-map {map}"));
    }
    if caught.has("backdoor") {
        text.push_str(" backdoor");
    }
    if let Some(origin) = caught.get("ORIGIN") {
        text.push_str(&format!(" origin {origin}"));
    }
    if caught.has("matching-MED-only") {
        text.push_str(" matching-MED-only");
    }
    if let Some(map) = caught.get("OTHER") {
        text.push_str(&format!(" suppress-map {map}"));
    }
    Some(text)
}

/// The length of a network by the old classes.
fn classful(address: &str) -> u8 {
    let first = address.split('.').next().and_then(|it| it.parse().ok());
    match first.unwrap_or(0_u8) {
        0..128 => 8,
        128..192 => 16,
        192.. => 24,
    }
}

fn redistribute(caught: &Caught<'_>) -> String {
    let source = caught.keywords().get(1).copied().unwrap_or("");
    let mut text = format!("redistribute {source}");
    if let Some(table) = caught.get("N") {
        text.push_str(&format!(" {table}"));
    }
    if let Some(metric) = caught.get("<0-4294967295>") {
        text.push_str(&format!(" metric {metric}"));
    }
    if let Some(map) = caught.get("NAME") {
        text.push_str(&format!(" route-map {map}"));
    }
    text
}

/// The word for a list whose communities go, of which there have been several.
fn deleted(words: &str) -> &'static str {
    match words {
        "set large-comm-list NAME delete" => "large-comm-list",
        "set (comm-list|community-list) NAME delete" => "comm-list",
        _ => "extended-comm-list",
    }
}

/// Words that make no difference.
fn usual(words: &str) -> Option<&'static str> {
    match words {
        "(on-match next|continue)" => Some("on-match next"),
        "bgp bestpath as-path multipath-relax [(as-set|no-as-set)]" => {
            Some("bgp bestpath as-path multipath-relax")
        }
        "bgp network import-check [exact]" => Some("bgp network import-check"),
        _ => None,
    }
}
