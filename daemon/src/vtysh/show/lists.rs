//! `show ip access-list`, `show bgp community-list`, `show bgp as-path-access-list` and the like.
//!
//! Lists are read from the running configuration in FRR's language, so that their rules stand in FRR's
//! words whichever language they were written in.

use serde_json::{Map, Value, json};

use super::{Answer, Answered};
use crate::vtysh::ask::{Asking, Trouble};
use crate::vtysh::configure;
use crate::vtysh::grammar::Said;

/// A list of the running configuration.
#[derive(Debug, Default, PartialEq, Eq)]
struct List {
    name: String,
    /// Its rules are patterns.
    expanded: bool,
    remark: Option<String>,
    rules: Vec<Rule>,
}

/// A rule in FRR's words.
#[derive(Debug, PartialEq, Eq)]
struct Rule {
    seq: u32,
    action: String,
    what: String,
}

/// The lists whose lines begin with these words, as FRR orders them: by name, of communities those
/// with numbers first.
fn lists(running: &str, head: &str) -> Vec<List> {
    let mut lists: Vec<List> = Vec::new();
    let of_communities = head.contains("community");
    for line in running.lines() {
        let rest = line.strip_prefix(head).and_then(|it| it.strip_prefix(' '));
        let Some((kind, mut rest)) = rest.and_then(|it| it.split_once(' ')) else {
            continue;
        };
        let mut name = kind;
        if of_communities && matches!(kind, "standard" | "expanded") {
            (name, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        }
        let at = match lists.iter().position(|it| it.name == name) {
            Some(at) => at,
            None => {
                // Without the word the number says it.
                let number = name.parse::<u32>().is_ok_and(|it| it >= EXPANDED);
                lists.push(List {
                    name: name.to_owned(),
                    expanded: kind == "expanded" || of_communities && number,
                    ..List::default()
                });
                lists.len() - 1
            }
        };
        let Some(list) = lists.get_mut(at) else {
            continue;
        };
        if let Some(text) = rest.strip_prefix("remark ") {
            list.remark = Some(text.to_owned());
        }
        list.rules.extend(rule(rest));
    }
    let number = |it: &List| it.name.parse::<u32>().ok().filter(|_| of_communities);
    lists.sort_by_key(|it| (number(it).unwrap_or(u32::MAX), it.name.clone()));
    lists
}

/// The first number of lists of communities whose rules are patterns.
const EXPANDED: u32 = 100;

fn rule(text: &str) -> Option<Rule> {
    let (seq, text) = text.strip_prefix("seq ")?.split_once(' ')?;
    let (action, what) = text.split_once(' ').unwrap_or((text, ""));
    Some(Rule {
        seq: seq.parse().ok()?,
        action: action.to_owned(),
        what: what.to_owned(),
    })
}

/// Those of a kind that a line is about: the one it names, or all of them.
async fn wanted(asking: &Asking, head: &str, name: Option<&str>) -> Result<Vec<List>, Trouble> {
    let running = configure::running(asking.client()).await?;
    let mut lists = lists(&running, head);
    lists.retain(|it| name.is_none_or(|name| it.name == name));
    Ok(lists)
}

/// `show ip access-list`.
pub(super) async fn access_list(said: &Said, asking: &Asking) -> Answered {
    let (head, family, prefix) = match said.has("ipv6") {
        // Two blanks are FRR's.
        true => ("ipv6 access-list", "IPv6", "IPv6  "),
        false => ("access-list", "IPv4", "IP "),
    };
    let everything = if said.has("ipv6") {
        "::/0"
    } else {
        "0.0.0.0/0"
    };
    let lists = wanted(asking, head, said.value(&["LIST"])).await?;
    if said.has("json") {
        let all = lists.iter().map(|list| {
            let rules = list.rules.iter().map(|it| access_json(it, everything));
            let rules: Vec<Value> = rules.collect();
            let object = json!({"type": kind(list), "addressFamily": family, "rules": rules});
            (list.name.clone(), object)
        });
        let all: Map<String, Value> = all.collect();
        return Ok(Answer::Json(json!({"zebra": {}, "bgpd": all})));
    }
    let mut text = "BGP:\n".to_owned();
    for list in &lists {
        let kind = kind(list);
        text.push_str(&format!("{kind} {prefix}access list {}\n", list.name));
        for rule in &list.rules {
            let (seq, action) = (rule.seq, &rule.action);
            text.push_str(&format!(
                "    seq {seq} {action:<6} {}\n",
                access_text(&rule.what)
            ));
        }
    }
    Ok(Answer::Text(text))
}

/// What the first rule says, says FRR of the list.
fn kind(list: &List) -> &'static str {
    match list.rules.first().map(|it| Access::of(&it.what)) {
        Some(Access::Address { .. }) => "Standard",
        Some(Access::Pair { .. }) => "Extended",
        Some(Access::Prefix { .. }) | None => "Zebra",
    }
}

/// What a rule of an access list looks at.
#[derive(Debug, PartialEq, Eq)]
enum Access<'a> {
    /// A prefix, or `any`.
    Prefix { prefix: &'a str, exact: bool },
    /// Addresses by a wildcard.
    Address { address: &'a str, wildcard: &'a str },
    /// Addresses of prefixes, and their masks.
    Pair {
        from: [&'a str; 2],
        to: [&'a str; 2],
    },
}

impl<'a> Access<'a> {
    fn of(what: &'a str) -> Self {
        const ONE: &str = "0.0.0.0";
        let words: Vec<&str> = what.split(' ').collect();
        match words.as_slice() {
            ["ip", rest @ ..] => {
                let (from, rest) = party(rest);
                let (to, _) = party(rest);
                Access::Pair { from, to }
            }
            [prefix] if *prefix == "any" || prefix.contains('/') => Access::Prefix {
                prefix,
                exact: false,
            },
            [address] => Access::Address {
                address,
                wildcard: ONE,
            },
            [prefix, "exact-match"] => Access::Prefix {
                prefix,
                exact: true,
            },
            [address, wildcard, ..] => Access::Address { address, wildcard },
            [] => Access::Prefix {
                prefix: "any",
                exact: false,
            },
        }
    }
}

/// One side of an extended rule, and what is behind it.
fn party<'a, 'w>(words: &'w [&'a str]) -> ([&'a str; 2], &'w [&'a str]) {
    match words {
        ["host", address, rest @ ..] => ([address, "0.0.0.0"], rest),
        ["any", rest @ ..] => (["0.0.0.0", "255.255.255.255"], rest),
        [address, wildcard, rest @ ..] => ([address, wildcard], rest),
        [address] => ([address, "0.0.0.0"], &[]),
        [] => (["0.0.0.0", "255.255.255.255"], &[]),
    }
}

fn access_text(what: &str) -> String {
    match Access::of(what) {
        Access::Prefix { prefix, exact } => {
            format!("{prefix}{}", if exact { " exact-match" } else { "" })
        }
        Access::Address { address, wildcard } => match wildcard {
            "255.255.255.255" => "any".to_owned(),
            "0.0.0.0" => address.to_owned(),
            wildcard => format!("{address}, wildcard bits {wildcard}"),
        },
        Access::Pair { .. } => what.to_owned(),
    }
}

fn access_json(rule: &Rule, everything: &str) -> Value {
    let mut object = Map::new();
    let mut put = |key: &str, value: Value| drop(object.insert(key.to_owned(), value));
    put("sequenceNumber", json!(rule.seq));
    put("filterType", json!(rule.action));
    match Access::of(&rule.what) {
        Access::Prefix { prefix, exact } => {
            let prefix = if prefix == "any" { everything } else { prefix };
            put("prefix", json!(prefix));
            put("exact-match", json!(exact));
        }
        Access::Address { address, wildcard } => {
            put("address", json!(address));
            put("mask", json!(wildcard));
        }
        Access::Pair { from, to } => {
            put("extended", json!(true));
            put("sourceAddress", json!(from[0]));
            put("sourceMask", json!(from[1]));
            put("destinationAddress", json!(to[0]));
            put("destinationMask", json!(to[1]));
        }
    }
    Value::Object(object)
}

/// `show bgp community-list` and the like.
pub(super) async fn communities(said: &Said, asking: &Asking) -> Answered {
    let kind = match (
        said.has("large-community-list"),
        said.has("extcommunity-list"),
    ) {
        (true, _) => "large-community-list",
        (_, true) => "extcommunity-list",
        (false, false) => "community-list",
    };
    let words = match kind {
        "large-community-list" => ["Large community", "Named large community"],
        "extcommunity-list" => ["Extended community", "Named extended community"],
        _ => ["Community", "Named Community"],
    };
    let name = said.value(&["LIST"]);
    let lists = wanted(asking, &format!("bgp {kind}"), name).await?;
    if name.is_some() && lists.is_empty() {
        return Ok(Answer::Text(format!("% Can't find {kind}\n")));
    }
    let mut text = String::new();
    for list in &lists {
        let numbered = list.name.parse::<u32>().is_ok();
        let words = if numbered { words[0] } else { words[1] };
        let kind = match (list.expanded, numbered) {
            (false, _) => "standard",
            (true, true) => "(expanded) access",
            (true, false) => "expanded",
        };
        text.push_str(&format!("{words} {kind} list {}\n", list.name));
        text.push_str(&rules(list));
    }
    Ok(Answer::Text(text))
}

fn rules(list: &List) -> String {
    let lines = list.rules.iter();
    let lines = lines.map(|it| format!("    {} {}\n", it.action, it.what));
    lines.collect()
}

/// `show bgp as-path-access-list`.
pub(super) async fn as_paths(said: &Said, asking: &Asking) -> Answered {
    let lists = wanted(asking, "bgp as-path access-list", said.value(&["LIST"])).await?;
    if said.has("json") {
        let all = lists.iter().map(|list| {
            let rules = list
                .rules
                .iter()
                .map(|it| json!({"sequenceNumber": it.seq, "type": it.action, "regExp": it.what}));
            (list.name.clone(), Value::Array(rules.collect()))
        });
        return Ok(Answer::Json(Value::Object(all.collect())));
    }
    let texts = lists.iter().map(|list| {
        let rules = rules(list);
        format!("AS path access list {}\n{rules}", list.name)
    });
    Ok(Answer::Text(texts.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUNNING: &str = "\
access-list 7 seq 5 permit 10.0.0.0 0.0.0.255
access-list 101 seq 5 deny ip 10.0.0.0 0.0.0.255 host 255.255.255.0
access-list A remark what it is for
access-list A seq 5 permit 10.0.0.0/8 exact-match
access-list A seq 10 deny any
ipv6 access-list A seq 5 permit any
bgp community-list standard B seq 5 permit 65001:1 65001:2
bgp community-list 100 seq 5 permit 65001:.*
bgp community-list expanded standard seq 5 deny _1_
bgp as-path access-list A seq 5 permit ^65001 .* 2$
router bgp 65001
 access-list X seq 5 permit any
";

    #[test]
    fn lists_are_read_with_their_rules_and_numbers_stand_first() {
        let names = |head: &str| -> Vec<String> {
            lists(RUNNING, head).into_iter().map(|it| it.name).collect()
        };
        assert_eq!(names("access-list"), ["101", "7", "A"]);
        assert_eq!(names("ipv6 access-list"), ["A"]);
        assert_eq!(names("bgp community-list"), ["100", "B", "standard"]);
        let lists = lists(RUNNING, "bgp community-list");
        let expanded: Vec<bool> = lists.iter().map(|it| it.expanded).collect();
        assert_eq!(expanded, [true, false, true]);
        assert_eq!(lists[1].rules[0].what, "65001:1 65001:2");
        let paths = super::lists(RUNNING, "bgp as-path access-list");
        assert_eq!(paths[0].rules[0].what, "^65001 .* 2$");
    }

    #[test]
    fn rules_of_access_lists_are_of_three_kinds() {
        let lists = lists(RUNNING, "access-list");
        let kinds: Vec<&str> = lists.iter().map(kind).collect();
        assert_eq!(kinds, ["Extended", "Standard", "Zebra"]);
        assert_eq!(lists[2].remark.as_deref(), Some("what it is for"));
        let text = |what: &str| access_text(what);
        assert_eq!(
            text("10.0.0.0 0.0.0.255"),
            "10.0.0.0, wildcard bits 0.0.0.255"
        );
        assert_eq!(text("10.0.0.1"), "10.0.0.1");
        assert_eq!(text("0.0.0.0 255.255.255.255"), "any");
        assert_eq!(text("10.0.0.0/8 exact-match"), "10.0.0.0/8 exact-match");
        let json = access_json(&lists[0].rules[0], "0.0.0.0/0");
        assert_eq!(json["sourceMask"], "0.0.0.255");
        assert_eq!(json["destinationAddress"], "255.255.255.0");
        assert_eq!(json["destinationMask"], "0.0.0.0");
        assert_eq!(json["filterType"], "deny");
    }

    #[test]
    fn lines_that_end_early_are_no_rules() {
        for text in ["", "seq", "seq 5", "seq x permit any", "permit any"] {
            assert_eq!(rule(text), None, "{text}");
        }
        assert!(
            lists(
                "access-list\naccess-list A\nbgp community-list standard\n",
                "access-list"
            )
            .is_empty()
        );
    }
}
