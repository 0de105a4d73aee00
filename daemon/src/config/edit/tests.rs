use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::*;
use crate::config::parse;

const TOP: &str = "\
# Site A.
asn = 65001 # ours
router_id = \"10.10.0.1\"

[evpn]
vtep = \"10.10.0.1\"
";

fn network(id: u32) -> VniConfig {
    let number = u16::try_from(id).unwrap();
    VniConfig {
        id: Vni::new(id).unwrap(),
        name: format!("net-{id}"),
        rd: bgp::RouteDistinguisher::of_address([10, 10, 0, 1].into(), number),
        import_targets: crate::config::RouteTargets::Auto,
        export_targets: crate::config::RouteTargets::Auto,
        gateway: vec![format!("10.{}.0.1/24", id % 256).parse().unwrap()],
        networks: Vec::new(),
        gateway_mac: None,
        advertise_gateway: false,
        advertise_svi: false,
        vrf: None,
        bridge: format!("br{id}"),
        vxlan: format!("vxlan{id}"),
        vlan: None,
        mtu: None,
        suppress: true,
        flooding: true,
        create: true,
    }
}

fn accepted(text: &str) -> Config {
    parse(text, "rbgpd.toml").unwrap_or_else(|errors| panic!("{errors:?}\n{text}"))
}

/// The text with a network more, which must be in the configuration and be all that is new in it.
fn added(text: &str, instance: Option<&str>, id: u32) -> String {
    let before = accepted(text);
    let mut new = network(id);
    let mut expected = before.clone();
    let at = match instance {
        None => &mut expected,
        Some(name) => {
            let mut instances = expected.instances.iter_mut();
            let found = instances.find(|it| it.name.as_deref() == Some(name));
            found.unwrap()
        }
    };
    let number = u16::try_from(id).unwrap();
    new.rd = bgp::RouteDistinguisher::of_address(at.router_id, number);
    at.vnis.push(new.clone());
    let edited = with_network(text, &before, instance, &new).unwrap();
    assert_eq!(accepted(&edited), expected, "{edited}");
    edited
}

/// The text with a network less, which must be all that is missing from the configuration.
fn removed(text: &str, instance: Option<&str>, id: u32) -> String {
    let before = accepted(text);
    let mut expected = before.clone();
    let id = Vni::new(id).unwrap();
    let all = std::iter::once(&mut expected.vnis);
    let instances = expected.instances.iter_mut();
    for vnis in all.chain(instances.map(|it| &mut it.vnis)) {
        vnis.retain(|it| it.id != id);
    }
    let edited = without_network(text, &before, instance, id).unwrap();
    assert_eq!(accepted(&edited), expected, "{edited}");
    edited
}

#[test]
fn the_first_network_comes_at_the_end_and_goes_without_a_trace() {
    let edited = added(TOP, None, 300);
    assert_eq!(
        edited,
        format!("{TOP}\n[[vni]]\nid = 300\nname = \"net-300\"\ngateway = [\"10.44.0.1/24\"]\n")
    );
    assert_eq!(removed(&edited, None, 300), TOP);
}

#[test]
fn a_network_comes_behind_the_others_with_the_blank_lines_they_have() {
    let text = format!(
        "{TOP}\n# Web servers.\n[[vni]] # old\nid = 100\nname = \"web\" # since 2019\n\
         # until 2030\n\n# ---- neighbors ----\n\n[[neighbor]]\naddress = \"10.10.0.2\"\n\
         remote_as = 65002\n"
    );
    let edited = added(&text, None, 300);
    let block = "\n[[vni]]\nid = 300\nname = \"net-300\"\ngateway = [\"10.44.0.1/24\"]\n";
    assert!(
        edited.contains(&format!("# until 2030\n{block}\n# ---- neighbors ----")),
        "{edited}"
    );
    assert_eq!(removed(&edited, None, 300), text);
    // What is taken out takes its own comments along, and no others.
    let edited = removed(&text, None, 100);
    assert_eq!(
        edited,
        format!(
            "{TOP}\n# ---- neighbors ----\n\n[[neighbor]]\naddress = \"10.10.0.2\"\n\
             remote_as = 65002\n"
        )
    );
    let narrow = "asn = 65001\nrouter_id = \"10.10.0.1\"\n[evpn]\nvtep = \"10.10.0.1\"\n[[vni]]\nid = 1\nname = \"a\"\n\
                  # the bridge of b\n[[vni]]\nid = 2\nname = \"b\"\n[kernel]\nenabled = false\n";
    let edited = added(narrow, None, 300);
    assert!(
        edited.contains("name = \"b\"\n[[vni]]\nid = 300\n"),
        "{edited}"
    );
    assert_eq!(removed(&edited, None, 300), narrow);
    assert!(!removed(narrow, None, 2).contains("# the bridge of b"));
    assert!(removed(narrow, None, 1).contains("# the bridge of b"));
}

#[test]
fn a_comment_at_the_end_of_the_others_stays_when_the_new_one_goes() {
    let text = "asn = 65001\nrouter_id = \"10.10.0.1\"\n[evpn]\nvtep = \"10.10.0.1\"\n[[vni]]\n\
                id = 1\nname = \"a\"\n# for a\n";
    let edited = added(text, None, 300);
    assert!(
        edited.contains("# for a\n\n[[vni]]\nid = 300\n"),
        "{edited}"
    );
    assert_eq!(removed(&edited, None, 300), text);
}

#[test]
fn line_ends_indentation_and_a_missing_last_one_are_as_in_the_file() {
    let text = format!("{TOP}\n  [[vni]]\n  id = 100\n  name = \"web\"\n").replace('\n', "\r\n");
    let edited = added(&text, None, 300);
    assert!(edited.ends_with(
        "\r\n\r\n  [[vni]]\r\n  id = 300\r\n  name = \"net-300\"\r\n  gateway = [\"10.44.0.1/24\"]\r\n"
    ));
    assert_eq!(edited.matches('\n').count(), edited.matches("\r\n").count());
    assert_eq!(removed(&edited, None, 300), text);
    let text = TOP.trim_end();
    let edited = added(text, None, 300);
    assert_eq!(removed(&edited, None, 300), TOP);
}

#[test]
fn lists_of_inline_tables_grow_and_shrink() {
    let top = "asn = 65001\nrouter_id = \"10.10.0.1\"\nevpn.vtep = \"10.10.0.1\"\n";
    let new = "{ id = 300, name = \"net-300\", gateway = [\"10.44.0.1/24\"] }";
    let a = "{ id = 1, name = \"a\" }";
    let b = "{ name = \"b\", id = 0x2 }";
    for (list, grown) in [
        ("[]".to_owned(), format!("[{new}]")),
        ("[ ]".to_owned(), format!("[{new} ]")),
        (format!("[{a}]"), format!("[{a}, {new}]")),
        (format!("[{a}, {b},]"), format!("[{a}, {b}, {new},]")),
        (
            format!("[\n    {a}, # one\n    {b}, # two\n]"),
            format!("[\n    {a}, # one\n    {b}, # two\n    {new},\n]"),
        ),
        (
            format!("[\n\t{a}, # one\n\t{b} # two\n]"),
            format!("[\n\t{a}, # one\n\t{b}, # two\n\t{new}\n]"),
        ),
        (
            format!("[\n  {a},\n  {b} ]"),
            format!("[\n  {a},\n  {b}, {new} ]"),
        ),
    ] {
        let text = format!("{top}vni = {list} # the overlays\n[kernel]\nenabled = false\n");
        let edited = added(&text, None, 300);
        assert!(
            edited.contains(&format!("vni = {grown} # the overlays\n")),
            "{edited}"
        );
        removed(&edited, None, 300);
    }
    let text = format!("{top}vni = [\n  # of web\n  {a}, # one\n\n  # of mail\n  {b} # two\n]\n");
    assert_eq!(
        removed(&text, None, 1),
        format!("{top}vni = [\n\n  # of mail\n  {b} # two\n]\n")
    );
    assert_eq!(
        removed(&text, None, 2),
        format!("{top}vni = [\n  # of web\n  {a}, # one\n\n]\n")
    );
    let text = format!("{top}vni = [{a}, {b}]\n");
    assert_eq!(removed(&text, None, 1), format!("{top}vni = [{b}]\n"));
    assert_eq!(removed(&text, None, 2), format!("{top}vni = [{a}]\n"));
}

const RED: &str = "\
[[instance]]
name = \"red\"
asn = 65001
router_id = \"10.11.0.1\"
listen = [\"10.11.0.1:179\"]
kernel = { distance = { external = 30, internal = 30 } }
[instance.evpn]
vtep = \"10.11.0.1\"
";

#[test]
fn each_instance_has_its_own() {
    let blue = RED
        .replace("red", "blue")
        .replace("10.11.", "10.12.")
        .replace("30", "40");
    let listen = "listen = [\"10.10.0.1:179\"]\n";
    let top = TOP.replacen("\n[evpn]", &format!("{listen}\n[evpn]"), 1);
    let text = format!("{top}\n# The red plane.\n{RED}\n# The blue plane.\n{blue}");
    let edited = added(&text, None, 300);
    assert!(
        edited.contains("gateway = [\"10.44.0.1/24\"]\n\n# The red plane.\n"),
        "{edited}"
    );
    assert_eq!(removed(&edited, None, 300), text);
    let edited = added(&text, Some("red"), 300);
    assert!(
        edited.contains("vtep = \"10.11.0.1\"\n\n[[instance.vni]]\nid = 300\n"),
        "{edited}"
    );
    let edited = added(&edited, Some("red"), 301);
    let edited = added(&edited, Some("blue"), 302);
    let edited = removed(&edited, Some("red"), 301);
    let edited = removed(&edited, Some("red"), 300);
    assert_eq!(removed(&edited, Some("blue"), 302), text);
    let inline = "name = \"red\", asn = 65001, router_id = \"10.11.0.1\", \
                  listen = [\"10.11.0.1:179\"], evpn = { vtep = \"10.11.0.1\" }, \
                  kernel.distance = { external = 30, internal = 30 }";
    let text = top.replacen(
        "\n[evpn]",
        &format!("instance = [{{ {inline} }}]\n\n[evpn]"),
        1,
    );
    let edited = added(&text, Some("red"), 300);
    assert!(edited.contains("}, vni = [{ id = 300, "), "{edited}");
    let edited = added(&edited, Some("red"), 301);
    let edited = removed(&edited, Some("red"), 300);
    assert!(edited.contains("vni = [{ id = 301, "), "{edited}");
}

#[test]
fn what_only_looks_like_a_header_or_comment_is_none() {
    let text = format!(
        "{TOP}\n[[neighbor]]\naddress = \"10.10.0.2\"\nremote_as = 65002\n\
         description = \"\"\"[[vni]] # \\\n   no comment\"\"\"\n\n[[\"vni\"]]\n'id' = 100\n\
         name = '# [[vni]]'\nrd = \"10.10.0.1:7\"\n"
    );
    let edited = added(&text, None, 300);
    assert_eq!(removed(&edited, None, 300), text);
    assert!(removed(&text, None, 100).ends_with("no comment\"\"\"\n"));
}

#[test]
fn what_cannot_be_edited_is_no_panic() {
    for text in [
        "",
        "[",
        "vni = 1",
        "vni = [",
        "[vni]",
        "\u{feff}",
        "[[vni]]\n[vni",
    ] {
        for instance in [None, Some(0)] {
            for at in [0, 1] {
                drop(add(text, instance, &Fields::default()));
                drop(remove(text, instance, at));
            }
        }
    }
}

/// Parts of a file in whatever order and spelling, with some of the networks 1 to 9 among them.
fn file() -> impl Strategy<Value = String> {
    let spellings = [
        "[[vni]]\nid = {}\nname = \"n{}\"\n",
        "[[vni]] # {}\nname = 'n{}' # the name\n# The number.\nid = 0x{}\n\n",
        "  [[ vni ]]\n  id = {}\n\n  name = \"\"\"n{}\"\"\"\n# below\n\n",
        "# above\n[[\"vni\"]]\n'id' = {}\ngateway = [\n  # first\n  \"10.20{}.0.1/24\",\n]\n\
         name = \"n\\u003{}\"\n",
    ];
    let others = vec![
        "[kernel]\nenabled = false\n",
        "\n# ---- [[vni]] ----\n\n[log]\nlevel = \"debug\" # loud\n",
        "[ipv4_unicast]\nmultipath.paths = 4\n\n\n",
        "[[neighbor]]\naddress = \"10.10.0.2\"\nremote_as = 65002\nevpn = {}\n",
    ];
    let ids = subsequence((1..10_u32).collect::<Vec<_>>(), 0..6);
    let spelt = proptest::collection::vec(select(spellings.to_vec()), 6);
    let parts = (ids, spelt, subsequence(others, 0..=4)).prop_map(|(ids, spelt, others)| {
        let vni = |(id, text): (u32, &str)| text.replace("{}", &id.to_string());
        let vnis = ids.into_iter().zip(spelt).map(vni);
        let parts = vnis.chain(others.into_iter().map(str::to_owned));
        parts.collect::<Vec<String>>()
    });
    let parts = parts.prop_shuffle();
    (parts, any::<bool>(), any::<bool>()).prop_map(|(parts, crlf, last_end)| {
        let text = format!("{TOP}{}", parts.concat());
        let text = if last_end { &text } else { text.trim_end() };
        match crlf {
            true => text.replace('\n', "\r\n"),
            false => text.to_owned(),
        }
    })
}

proptest! {
    #[test]
    fn an_edit_is_one_network_and_no_octet_else(
        text in file(),
        chosen in subsequence((0..9_usize).collect::<Vec<_>>(), 0..4),
    ) {
        let config = accepted(&text);
        let edited = added(&text, None, 300);
        // Only put in: without what is new, the file is the old one.
        let common = text.bytes().zip(edited.bytes()).take_while(|(one, two)| one == two).count();
        let tail = text.len() - common;
        prop_assert!(text.as_bytes()[common..] == edited.as_bytes()[edited.len() - tail..]);
        removed(&edited, None, 300);
        let mut text = edited;
        for at in chosen {
            if let Some(network) = config.vnis.get(at) {
                let before = text.clone();
                text = removed(&text, None, network.id.get());
                // Only taken out.
                let mut rest = before.chars();
                prop_assert!(text.chars().all(|c| rest.any(|other| other == c)));
            }
        }
    }
}
