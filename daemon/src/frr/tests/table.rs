//! The table of commands: each shape that is honoured changes the configuration, or has no more to
//! say than that it is so already; and the documentation has them all.

use super::*;
use crate::frr::grammar::Grammar;
use crate::frr::shapes::{Means, Node, Shape};
use crate::frr::{grammar, shapes};

/// In which everything has a name to refer to: `X` for each kind of list, map and profile.
pub(super) const BEFORE: &str = "\
frr version 10.3
router bgp 65001
 bgp router-id 10.0.0.1
 bgp confederation identifier 64999
 neighbor X peer-group
 neighbor X remote-as external
 neighbor 10.0.0.2 remote-as 65002
 neighbor 10.0.0.2 bfd
 neighbor 10.0.0.8 remote-as 65008
 neighbor 10.0.0.9 remote-as 65001
 address-family ipv6 unicast
  neighbor 10.0.0.2 activate
  neighbor 10.0.0.9 activate
 address-family l2vpn evpn
  neighbor 10.0.0.2 activate
  neighbor 10.0.0.9 activate
  advertise-all-vni
  vni 9
  exit-vni
exit
vrf X
exit-vrf
ip prefix-list X seq 1 permit 10.0.0.0/8
ipv6 prefix-list X seq 1 permit 2001:db8::/32
access-list X seq 1 permit 10.0.0.0/8
ipv6 access-list X seq 1 permit 2001:db8::/32
bgp as-path access-list X seq 1 permit ^9$
bgp community-list standard X seq 1 permit 1:1
bgp large-community-list standard X seq 1 permit 1:1:1
bgp extcommunity-list standard X seq 1 permit rt 1:1
route-map X permit 10
exit
route-map Y permit 10
exit
bfd
 profile X
  detect-multiplier 9
exit
rpki
 rpki cache 10.0.0.9 323 preference 9
exit
end
";

/// The lines that lead into a node, and what makes what stands there count.
pub(super) fn around(node: Node) -> (&'static str, &'static str) {
    match node {
        Node::Top | Node::Line | Node::Foreign | Node::OtherFamily => ("", ""),
        Node::Router => ("router bgp 65001\n", ""),
        Node::Ipv4 => ("router bgp 65001\naddress-family ipv4 unicast\n", ""),
        Node::Ipv6 => ("router bgp 65001\naddress-family ipv6 unicast\n", ""),
        Node::Evpn => ("router bgp 65001\naddress-family l2vpn evpn\n", ""),
        Node::Vni => ("router bgp 65001\naddress-family l2vpn evpn\nvni 9\n", ""),
        Node::TopVni => ("vni 9\n", ""),
        Node::RouteMap => ("route-map Z permit 10\n", ""),
        Node::Interface => ("interface eth0\n", ""),
        Node::Vrf => ("vrf X\n", ""),
        Node::Rpki => ("rpki\n", ""),
        Node::Bfd => ("bfd\n", ""),
        Node::BfdPeer => ("bfd\npeer 10.0.0.2\n", ""),
        Node::BfdProfile => (
            "bfd\nprofile X\n",
            "router bgp 65001\nneighbor 10.0.0.2 bfd profile X\n",
        ),
    }
}

pub(super) fn value(words: &str, name: &str) -> String {
    let text = match name {
        "PEER" if words.contains("peer-group") && !words.contains("NAME") => "NEW",
        // What is for neighbours of our own AS.
        "PEER" if words.contains("route-reflector") => "10.0.0.9",
        "PEER" if words.contains("ebgp-multihop") => "10.0.0.8",
        "PEER" if words.contains("interface [v6only]") => "eth7",
        "PEER" => "10.0.0.2",
        "IFNAME" if words.starts_with("neighbor") => "eth7",
        "NAME" if words.contains("list expanded") => "NEW",
        "NAME" if words.starts_with("match source-protocol") => "static",
        "NAME" if words.starts_with("match evpn rd") => "10.0.0.1:7",
        "NAME" => "X",
        "OTHER" => "Y",
        "ASN" if words.starts_with("router bgp") => "65001",
        "ASN" => "65007",
        "MASK" => "255.255.255.0",
        "HOST" => "10.0.0.0",
        "FROM" => "10.9.0.0",
        "WILDCARD" | "REST" => "0.0.0.255",
        "A.B.C.D" => "10.0.0.7",
        "A.B.C.D/M" => "10.9.0.0/16",
        "X:X::X:X" => "2001:db8::7",
        "X:X::X:X/M" => "2001:d00::/16",
        "ADDR" | "CACHE" => "10.0.0.2",
        "<600-172800>" => "7300",
        "<0-32>" | "<0-128>" => "24",
        "PREFIX" => "10.9.0.0/16",
        "GE" => "17",
        "LE" => "24",
        "N" | "SEQ" | "VALUE" => "7",
        "LINE" if words.contains("extcommunity-list") => "rt.65007",
        "LINE" if words.starts_with("frr version") => "7.2",
        "LINE" => "65007",
        "COMMUNITY" if words.contains("large") => "65001:7:7",
        "COMMUNITY" if words.contains("extcommunity nt") => "192.0.2.1:0",
        "COMMUNITY" if words.contains("extcommunity color") => "01:7",
        "COMMUNITY" if words.contains("extcommunity-list") => "rt 65001:7",
        "COMMUNITY" => "65001:7",
        "RD" => "10.0.0.1:7",
        "TARGET" => "65000:7",
        "SOURCE" => "eth7",
        "PATH" => "/var/log/x",
        "<0-65535>" => "30",
        "<50-60000>" => "700",
        "<10-60000>" => "700",
        "<1-65535>" => "80",
        "<30-3600>" => "70",
        "<1-100>" => "80",
        "<0-255>" | "<1-255>" => "77",
        "<2-1800>" => "70",
        "<1-6>" | "<1-5>" => "3",
        "<1-240>" => "9",
        _ if name.starts_with('<') => "8",
        _ => name,
    };
    text.to_owned()
}

/// Honoured without a trace in the configuration, and why. `*` is all that begin so.
const SILENT: &[(&str, &str)] = &[
    (
        "frr version LINE",
        "FRR's defaults of that version: an older one than 7.4 asks for no policy",
    ),
    (
        "frr defaults (traditional|datacenter)",
        "traditional is the default",
    ),
    (
        "(ip|ipv6) protocol (bgp|any) route-map NAME",
        "in a VRF without BGP there is nothing that the map could be asked of",
    ),
    ("address-family*", "a block, in which lines stand"),
    ("router bgp*", "a block, in which lines stand"),
    (
        "route-map NAME",
        "only `no route-map NAME` stands without an entry",
    ),
    ("bfd", "a block, in which lines stand"),
    ("link-detect", "on by default, but for `no`"),
    ("zebra nexthop kernel enable", "on by default, but for `no`"),
    ("rpki", "a block, in which lines stand"),
    ("peer ADDR*", "a block, in which lines stand"),
    ("profile NAME", "a block, in which lines stand"),
    ("interface IFNAME*", "a block, in which lines stand"),
    ("vrf NAME", "a block, in which lines stand"),
    ("vni <1-16777215>*", "a block, in which lines stand"),
    ("line vty", "a block, in which lines stand"),
    ("bgp default ipv4-unicast", "on by default, but for `no`"),
    (
        "bgp network import-check*",
        "what networks need, where there are some",
    ),
    (
        "bgp client-to-client reflection",
        "on by default, but for `no`",
    ),
    ("bgp graceful-restart", "on by default"),
    ("bgp listen limit*", "where there are ranges"),
    ("bgp router-id A.B.C.D", "where the router has none"),
    ("router-id A.B.C.D*", "where the router has none"),
    ("ip router-id A.B.C.D*", "where the router has none"),
    ("log stdout*", "info is the default"),
    ("log timestamp precision N", "microseconds are the default"),
    ("log facility*", "daemon is the default"),
    (
        "neighbor PEER capability fqdn",
        "on by default, but for `no`",
    ),
    ("dup-addr-detection", "on by default, but for `no`"),
    ("neighbor PEER", "only `no neighbor PEER` stands alone"),
    ("neighbor PEER bfd*", "on in the file before"),
    (
        "neighbor PEER enforce-first-as",
        "on by default, but for `no`",
    ),
    ("neighbor PEER graceful-restart*", "on by default"),
    (
        "neighbor PEER send-community*",
        "on by default, but for `no`",
    ),
    (
        "neighbor PEER peer-group*",
        "a group, in which others may be",
    ),
    ("neighbor PEER activate", "on in the file before"),
    ("neighbor PEER interface IFNAME", "for link-local neighbors"),
    ("neighbor PEER description*", "shown, and kept"),
    ("shutdown", "off by default, but for `no`"),
    ("bgp confederation*", "tested by itself"),
    ("detect-multiplier*", "tested by itself"),
    ("minimum-ttl*", "of peers behind routers"),
    ("import vrf route-map NAME", "beside `import vrf`"),
    ("distance <1-255> PREFIX", "where neighbors are within"),
    ("bgp community alias*", "where a map matches it"),
    ("match peer NAME", "where there is such a group"),
    ("match src-peer NAME", "where there is such a group"),
    ("advertise-all-vni", "on in the file before"),
    ("advertise (ipv4|ipv6) unicast*", "of a VRF with an L3 VNI"),
    ("default-originate (ipv4|ipv6)", "of a VRF with an L3 VNI"),
    ("rd RD", "of a VNI or a VRF with an L3 VNI"),
    (
        "route-target (import|export|both) TARGET*",
        "of a VNI or a VRF with an L3 VNI",
    ),
    (
        "neighbor PEER remote-as (external|internal|auto|ASN)",
        "tested by itself",
    ),
    (
        "neighbor PEER advertisement-interval*",
        "routes are told at once",
    ),
    ("neighbor PEER capability*", "not offered"),
    ("bgp enforce-first-as", "on by default, but for `no`"),
    ("ipv6 nd*", "where a neighbor is known by its interface"),
    (
        "neighbor PEER disable-addpath-rx",
        "EVPN takes one path anyway",
    ),
];

#[test]
fn each_honoured_shape_changes_the_configuration_or_says_why_not() {
    let (_, before) = parsed(BEFORE, &Host::default());
    let before = before.unwrap_or_else(|errors| panic!("{}", super::all(&errors)));
    let mut wrong = Vec::new();
    let mut tried = 0;
    for shape in shapes::all() {
        if !matches!(
            shape.means,
            Means::Does(_) | Means::Differs(..) | Means::Opens(..)
        ) {
            continue;
        }
        let silent = SILENT
            .iter()
            .any(|(words, _)| match words.strip_suffix('*') {
                Some(begin) => shape.words.starts_with(begin),
                None => shape.words == *words,
            });
        for node in shape.nodes {
            tried += 1;
            let mut changes = false;
            let examples = grammar::examples(shape.words, &|name| value(shape.words, name));
            let mut last = String::new();
            // All of a few, some of many.
            let step = (examples.len() / 8).max(1);
            for line in examples.into_iter().step_by(step) {
                let (into, more) = around(*node);
                let text = format!("{BEFORE}{into}{line}\nend\n{more}");
                let (translation, read) = parsed(&text, &Host::default());
                let number = text.lines().position(|it| it == line).unwrap_or(0);
                match read {
                    Ok(config) => changes |= config != before,
                    Err(errors) => last = format!("{line} ({number}): {}", super::all(&errors)),
                }
                let known = translation
                    .lines
                    .iter()
                    .all(|it| !matches!(it.outcome, Outcome::Unknown { .. }));
                if !known {
                    wrong.push(format!("{}: `{line}` is not known", node.name()));
                }
            }
            if !changes && !silent {
                wrong.push(format!(
                    "{}: `{}` changes nothing; {last}",
                    node.name(),
                    shape.words
                ));
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {tried}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn no_shape_stands_twice_in_a_node() {
    let mut seen = std::collections::BTreeSet::new();
    for shape in shapes::all() {
        for node in shape.nodes {
            assert!(
                seen.insert((*node, shape.words)),
                "{}: {}",
                node.name(),
                shape.words
            );
        }
    }
}

fn fate(shape: &Shape) -> (&'static str, String) {
    match shape.means {
        Means::Does(_) | Means::Opens(..) | Means::Closes => ("honoured", String::new()),
        Means::Differs(_, how) => ("differs", how.to_owned()),
        Means::Always(why) => ("honoured", format!("always so: {why}")),
        Means::Needless(why) => ("honoured", format!("nothing depends on it: {why}")),
        Means::Moot(how) | Means::Never(how) => ("differs", how.to_owned()),
        Means::Elsewhere(daemon) | Means::OpensElsewhere(daemon) => {
            ("not ours", format!("FRR's {daemon}"))
        }
        Means::Refused(why) | Means::OpensRefused(why) => ("refused", why.to_owned()),
    }
}

/// The table of the documentation.
fn documented() -> String {
    let mut text = String::new();
    let mut all: Vec<(Vec<Node>, &Shape)> = shapes::all()
        .map(|shape| (shape.nodes.to_vec(), shape))
        .collect();
    all.sort_by_key(|(nodes, shape)| (nodes.first().copied(), shape.words));
    let mut last = None;
    for (nodes, shape) in all {
        let first = nodes.first().copied();
        if first != last {
            let name = first.map_or("", Node::name);
            text.push_str(&format!(
                "\n### {name}\n\n| command | also in | status | |\n|---|---|---|---|\n"
            ));
            last = first;
        }
        let (fate, why) = fate(shape);
        let others: Vec<&str> = nodes.iter().skip(1).map(|node| node.name()).collect();
        let others = if others.len() > 6 {
            "everywhere".to_owned()
        } else {
            others.join(", ")
        };
        let words = shape.words.replace('|', "\\|");
        let why = why.replace('|', "\\|");
        text.push_str(&format!("| `{words}` | {others} | {fate} | {why} |\n"));
    }
    text
}

#[test]
fn the_documentation_lists_the_table() {
    const MARK: &str = "<!-- From here on this page is made of the table of commands. -->\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/migrating-from-frr.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (head, table) = page.split_once(MARK).unwrap();
    let wanted = documented();
    if std::env::var_os("RBGPD_WRITE_DOCS").is_some() {
        std::fs::write(&path, format!("{head}{MARK}{wanted}")).unwrap();
        return;
    }
    assert!(
        table == wanted,
        "write it anew: RBGPD_WRITE_DOCS=1 cargo test -p rbgpd --lib the_documentation_lists"
    );
}

#[test]
fn whoever_asks_is_told_each_word_of_each_command() {
    let grammar = Grammar::new(shapes::all());
    let mut count = 0;
    for shape in shapes::all().filter(|it| it.means.is_done()) {
        let node = shape.nodes[0];
        let examples = grammar::examples(shape.words, &|name| value(shape.words, name));
        // All of a few, some of many.
        let step = (examples.len() / 8).max(1);
        for line in examples.into_iter().step_by(step) {
            let words: Vec<&str> = line.split_whitespace().collect();
            for (at, word) in words.iter().enumerate() {
                let (next, _) = grammar.next(node, &words[..at], "");
                let tells = |next: &Next| match next {
                    Next::Keyword(keyword) => keyword == word,
                    Next::Value(_) => true,
                };
                assert!(next.iter().any(tells), "{line}: {word} is not in {next:?}");
                // And where it is begun.
                let (begun, _) = grammar.next(node, &words[..at], &word[..1]);
                assert!(
                    begun.iter().any(tells),
                    "{line}: {word} is not in {begun:?}"
                );
                count += 1;
            }
            let (_, ends) = grammar.next(node, &words, "");
            assert!(ends, "{line} does not end");
        }
    }
    assert!(count > 1000, "{count}");
}
