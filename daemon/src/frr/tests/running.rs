//! What runs as FRR shows it: reading it again gives the same, and so does showing that again.

use super::table::{BEFORE, around, value};
use super::*;
use crate::frr::candidate::ordered;
use crate::frr::shapes::{Means, Node};
use crate::frr::{candidate, document, grammar, shapes};

fn shown(text: &str) -> String {
    document::text(&source(text))
}

/// Lines of ours that only one of two configurations has.
fn differences(one: Config, other: Config) -> String {
    let (one, other) = (config::print(&ordered(one)), config::print(&ordered(other)));
    let only = |mark: &str, text: &str, of: &str| -> String {
        let lines = text
            .lines()
            .filter(|line| !of.lines().any(|it| it == *line));
        lines.map(|line| format!("{mark} {line}\n")).collect()
    };
    only("-", &one, &other) + &only("+", &other, &one)
}

/// Reads as the same, and shows as itself; what is wrong otherwise.
fn holds(text: &str) -> Result<(), String> {
    let shown = shown(text);
    let (_, before) = parsed(text, &Host::default());
    let (_, after) = parsed(&shown, &Host::default());
    match (before, after) {
        (Ok(before), Ok(after)) if ordered(before.clone()) == ordered(after.clone()) => {}
        (Ok(before), Ok(after)) => {
            return Err(format!(
                "not the same:\n{}{shown}",
                differences(before, after)
            ));
        }
        (Ok(_), Err(errors)) => return Err(format!("{}\n{shown}", super::all(&errors))),
        (Err(_), _) => {}
    }
    match self::shown(&shown) {
        again if again == shown => Ok(()),
        again => Err(format!(
            "shown anew it is another text:\n{shown}\n---\n{again}"
        )),
    }
}

#[test]
fn whole_files_read_the_same_as_they_are_shown() {
    let wrong: Vec<String> = files::all()
        .into_iter()
        .filter_map(|(name, text)| Some(format!("{name}: {}", holds(&text).err()?)))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn each_shape_reads_the_same_as_it_is_shown() {
    let mut wrong = Vec::new();
    let mut tried = 0;
    for shape in shapes::all() {
        if matches!(shape.means, Means::Refused(_) | Means::OpensRefused(_)) {
            continue;
        }
        // One of several nodes, and of many ways to write a line, tells of the others.
        let ours = |node: &&Node| !matches!(node, Node::Foreign | Node::OtherFamily);
        let Some(node) = shape.nodes.iter().find(ours) else {
            continue;
        };
        let examples = grammar::examples(shape.words, &|name| value(shape.words, name));
        let step = (examples.len() / 2).max(1);
        let (into, more) = around(*node);
        // What the site knows nothing of is known by its text alone, with `no` or without.
        let noted = !matches!(
            shape.means,
            Means::Moot(_)
                | Means::Never(_)
                | Means::Needless(_)
                | Means::Always(_)
                | Means::Elsewhere(_)
        );
        let ways = [true, false].into_iter().take(if noted { 2 } else { 1 });
        for (line, no) in examples.iter().cycle().step_by(step).zip(ways) {
            tried += 1;
            let back = if no {
                format!("{into}no {line}\nend\n")
            } else {
                String::new()
            };
            let text = format!("{BEFORE}{into}{line}\nend\n{more}end\n{back}");
            if let Err(why) = holds(&text) {
                wrong.push(format!(
                    "{} `{line}`, `no` behind it: {no}: {why}",
                    node.name()
                ));
            }
        }
    }
    assert!(tried > 300, "{tried}");
    assert!(
        wrong.is_empty(),
        "{} of {tried}:\n{}",
        wrong.len(),
        wrong.iter().take(8).cloned().collect::<Vec<_>>().join("\n")
    );
}

#[test]
fn it_is_shown_in_the_order_and_spelling_of_frr() {
    let text = "
int eth0
 desc uplink to  A
ip route 10.9.0.0 255.255.0.0 10.0.0.9 77 tag 5
route-map M deny 20
route-map M permit 10
 match ip add prefix-list P
 set comm 65001:1 additive
 continue
ip prefix-list P permit 0.0.0.0/0 le 32
ip prefix-list P deny 10.1.2.3/8 ge 9
ip community-list 1 permit 65001:9
router bgp 65001
 neighbor 10.0.0.10 remote-as 65010
 neighbor 10.0.0.2 remote-as 65002
 neighbor 10.0.0.2 route-map M in
 neighbor 10.0.0.2 remote-as 65003
 neighbor 10.0.0.2 description B
 neighbor G peer-group
 neighbor G remote-as external
 network 10.1.0.0 mask 255.255.0.0
 bgp router-id 10.0.0.1
 address-family ipv6 uni
  neighbor 10.0.0.2 act
 exit-address-family
router ospf
 network 10.0.0.0/8 area 0
hostname a
hostname b
service integrated-vtysh-config
no ipv6 forwarding
vrf red
 ip route 10.8.0.0/16 10.0.0.8
 vni 100
";
    let expected = "\
hostname b
no ipv6 forwarding
service integrated-vtysh-config
!
ip route 10.9.0.0/16 10.0.0.9 tag 5 77
!
vrf red
 ip route 10.8.0.0/16 10.0.0.8
 vni 100
exit-vrf
!
interface eth0
 description uplink to  A
exit
!
router bgp 65001
 bgp router-id 10.0.0.1
 neighbor G peer-group
 neighbor G remote-as external
 neighbor 10.0.0.2 remote-as 65003
 neighbor 10.0.0.2 description B
 neighbor 10.0.0.10 remote-as 65010
 !
 address-family ipv4 unicast
  network 10.1.0.0/16
  neighbor 10.0.0.2 route-map M in
 exit-address-family
 !
 address-family ipv6 unicast
  neighbor 10.0.0.2 activate
 exit-address-family
exit
!
router ospf
 network 10.0.0.0/8 area 0
exit
!
ip prefix-list P seq 5 permit any
ip prefix-list P seq 10 deny 10.0.0.0/8 ge 9
!
bgp community-list 1 seq 5 permit 65001:9
!
route-map M permit 10
 match ip address prefix-list P
 set community 65001:1 additive
 on-match next
exit
!
route-map M deny 20
exit
!
";
    assert_eq!(shown(text), expected);
}

#[test]
fn what_is_replaced_or_taken_back_is_gone() {
    for (lines, expected) in [
        (
            "router bgp 65001\nneighbor 10.0.0.2 remote-as 1\nno neighbor 10.0.0.2",
            "router bgp 65001\nexit\n!\n",
        ),
        (
            "router bgp 65001\nneighbor 10.0.0.2 remote-as 1\nneighbor 10.0.0.2 capability extended-nexthop\nno neighbor 10.0.0.2\nneighbor 10.0.0.2 remote-as 2",
            "router bgp 65001\n neighbor 10.0.0.2 remote-as 2\nexit\n!\n",
        ),
        (
            "router bgp 65001\nbgp confederation peers 1 2 3\nno bgp confederation peers 2",
            "router bgp 65001\n bgp confederation peers 1 3\nexit\n!\n",
        ),
        (
            "route-map M permit 10\nset ipv6 next-hop prefer-global\nno route-map M\nroute-map M permit 10",
            "route-map M permit 10\nexit\n!\n",
        ),
        (
            "interface eth0\nshutdown\nno shutdown\ndescription a\ndescription b\nlog syslog\nlog syslog errors",
            "log syslog errors\n!\ninterface eth0\n no shutdown\n description b\nexit\n!\n",
        ),
        (
            "router ospf\n passive-interface a\n passive-interface b\nno router ospf\nrouter isis x\n net 49",
            "router isis x\n net 49\nexit\n!\n",
        ),
        (
            "router bgp 1\nneighbor 10.0.0.2 remote-as 2\nno neighbor 10.0.0.2 send-community extended\nno neighbor 10.0.0.2 send-community large",
            "router bgp 1\n neighbor 10.0.0.2 remote-as 2\n !\n address-family ipv4 unicast\n  no neighbor 10.0.0.2 send-community extended\n  no neighbor 10.0.0.2 send-community large\n exit-address-family\nexit\n!\n",
        ),
    ] {
        assert_eq!(shown(lines), expected, "{lines}");
    }
}

/// A site with a bit of everything, to give lines to.
const SITE: &str = "\
router bgp 65001
 bgp router-id 10.0.0.1
 neighbor 10.0.0.2 remote-as 65002
 address-family ipv4 unicast
  neighbor 10.0.0.2 route-map IN in
 exit-address-family
exit
ip prefix-list P seq 5 permit 10.0.0.0/8 le 24
route-map IN permit 10
 match ip address prefix-list P
exit
";

fn given(lines: &str) -> Result<candidate::Candidate, Vec<ConfigError>> {
    candidate::configure(&source(SITE), lines, &Host::default(), |_| Ok(()))
}

#[test]
fn a_route_map_may_go_and_come_back_within_a_session() {
    let lines = "no route-map IN\nroute-map IN permit 20\n set metric 7\nend\n";
    let candidate = given(lines).unwrap();
    let text = &candidate.running.text;
    assert!(
        text.contains("route-map IN permit 20\n set metric 7\nexit\n"),
        "{text}"
    );
    assert!(!text.contains("permit 10\n"), "{text}");
    assert_eq!(candidate.config.route_maps[0].entries().len(), 1);
}

#[test]
fn a_reference_that_leads_nowhere_at_the_end_is_refused_with_its_line() {
    let errors = given("no route-map IN").unwrap_err();
    let text = all(&errors);
    assert!(text.contains("running-config:6:"), "{text}");
    let errors = given("router bgp 65001\nneighbor 10.0.0.2 route-map OUT out").unwrap_err();
    let text = all(&errors);
    assert!(text.contains("configure terminal:2:"), "{text}");
}

#[test]
fn what_is_not_understood_is_refused_with_its_line() {
    let errors = given("router bgp 65001\n neighbor 10.0.0.2 frobnicate\n").unwrap_err();
    let text = all(&errors);
    assert!(
        text.contains("configure terminal:2:2: `neighbor 10.0.0.2 frobnicate`"),
        "{text}"
    );
}

#[test]
fn garbage_is_refused_although_a_file_may_have_lines_that_nobody_knows() {
    let errors = given("frobnicate everything\n\u{1}\u{2}x y\n").unwrap_err();
    let text = all(&errors);
    assert!(
        text.contains("configure terminal:1:1: `frobnicate everything`"),
        "{text}"
    );
    assert_eq!(errors.len(), 2);
    let kept = given("router ospf\n network 10.0.0.0/8 area 0\n")
        .unwrap()
        .running
        .text;
    assert!(
        kept.contains("router ospf\n network 10.0.0.0/8 area 0\nexit\n"),
        "{kept}"
    );
}

#[test]
fn a_condition_of_a_kind_is_replaced_by_the_next_one() {
    let lines =
        "ip prefix-list Q permit any\nroute-map IN permit 10\nmatch ip address prefix-list Q";
    let text = given(lines).unwrap().running.text;
    assert!(text.contains("prefix-list Q\nexit"), "{text}");
    assert!(!text.contains("match ip address prefix-list P\n"), "{text}");
}

#[test]
fn what_was_read_from_files_is_printed_as_the_same() {
    let mut wrong = Vec::new();
    for (name, text) in files::all() {
        let (_, Ok(config)) = parsed(&text, &Host::default()) else {
            continue;
        };
        let (printed, unsaid) = crate::frr::print::whole(&config, &Host::default());
        let (_, again) = parsed(&printed.text, &Host::default());
        match again {
            Ok(again) if ordered(again.clone()) == ordered(config.clone()) => {}
            Ok(again) => wrong.push(format!(
                "{name}: {}\nunsaid {unsaid:?}\n{}",
                differences(config, again),
                shown(&printed.text)
            )),
            Err(errors) => {
                wrong.push(format!("{name}: {}\n{}", super::all(&errors), printed.text))
            }
        }
        if !unsaid.is_empty() {
            wrong.push(format!("{name}: {unsaid:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_frr_has_no_words_for_is_a_comment_with_its_key() {
    let config = toml(
        "asn = 65001\nrouter_id = \"10.0.0.1\"\n[underlay]\ninterface = \"wg0\"\n[[neighbor]]\n\
         address = \"10.0.0.2\"\nremote_as = 65002\npassword = \"secret\"\ntimers = { send_hold = \"9m\" }\n\
         ipv4_unicast = { honor_blackhole = true }\n",
    );
    let text = crate::frr::print(&config, &Host::default()).text;
    let comments: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("! rbgpd:"))
        .collect();
    assert_eq!(
        comments,
        [
            "! rbgpd: neighbor 10.0.0.2: ipv4_unicast.honor_blackhole = true",
            "! rbgpd: neighbor 10.0.0.2: password = \"<hidden>\"",
            "! rbgpd: neighbor 10.0.0.2: timers.send_hold = \"540s\"",
            "! rbgpd: underlay.interface = \"wg0\"",
        ]
    );
    assert!(!text.contains("secret"), "{text}");
}

#[test]
fn every_key_of_ours_has_a_line_or_a_comment() {
    const EVERY: &str = include_str!("../../config/tests/every-key.toml");
    let config = toml(EVERY);
    let (printed, unsaid) = crate::frr::print::whole(&config, &Host::default());
    let (translation, _) = parsed(&printed.text, &Host::default());
    let wrong: Vec<String> = translation
        .lines
        .iter()
        .filter(|it| matches!(it.outcome, Outcome::Unknown { .. } | Outcome::Refused(_)))
        .map(ToString::to_string)
        .collect();
    assert!(wrong.is_empty(), "{}\n{}", wrong.join("\n"), printed.text);
    assert!(unsaid.len() > 20, "{unsaid:?}");
}

#[test]
fn another_as_number_is_refused_with_the_way_there() {
    let errors = given("router bgp 65011\n bgp router-id 10.0.0.9\n").unwrap_err();
    let text = all(&errors);
    assert!(text.contains("`no router bgp 65001` before it"), "{text}");
    given("no router bgp 65001\nrouter bgp 65011\n bgp router-id 10.0.0.9\n").unwrap();
}
