//! `show bgp peer-group`: the groups that the configuration in FRR's language has, with their members.
//!
//! While it runs a neighbour has its settings itself, so groups are read from the running configuration;
//! those of a TOML file are written out there, member by member, and are none.

use std::collections::BTreeMap;

use bgp::ScopedAddr;
use serde_json::{Map, Value, json};

use super::summary::{instances, peer_name};
use super::{Answer, Answered};
use crate::control::reply::NeighborSummary;
use crate::vtysh::ask::{Asking, Router, Trouble};
use crate::vtysh::configure;
use crate::vtysh::grammar::Said;
use crate::vtysh::host::DEFAULT;

/// A group as its lines have it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Group {
    remote_as: Option<String>,
    families: Vec<&'static str>,
    ranges: Vec<String>,
    members: Vec<String>,
}

impl Group {
    /// A neighbour of this name is a member, or came from a range of the group.
    fn has(&self, name: &str, neighbor: &NeighborSummary) -> bool {
        let range = neighbor.listen_range.as_ref();
        self.members.iter().any(|it| it == name)
            || range.is_some_and(|range| self.ranges.contains(range))
    }
}

/// The groups of one `router bgp`.
fn groups(running: &str, vrf: &str) -> BTreeMap<String, Group> {
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    let (mut ours, mut family, mut ipv4) = (false, None, true);
    let mut silent: Vec<String> = Vec::new();
    for line in running.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if !line.starts_with(' ') {
            ours = match words.as_slice() {
                ["router", "bgp", _] => vrf == DEFAULT,
                ["router", "bgp", _, "vrf" | "view", name] => *name == vrf,
                _ => false,
            };
            continue;
        }
        if !ours {
            continue;
        }
        match words.as_slice() {
            ["address-family", first, second] => family = family_name(first, second),
            ["exit-address-family"] => family = None,
            ["no", "bgp", "default", "ipv4-unicast"] => ipv4 = false,
            ["neighbor", name, "peer-group"] => {
                groups.entry((*name).to_owned()).or_default();
            }
            ["neighbor", name, .., "peer-group", group] => {
                let group = groups.entry((*group).to_owned()).or_default();
                group.members.push((*name).to_owned());
            }
            ["neighbor", name, "remote-as", asn] => {
                if let Some(group) = groups.get_mut(*name) {
                    group.remote_as = Some((*asn).to_owned());
                }
            }
            ["bgp", "listen", "range", prefix, "peer-group", group] => {
                let group = groups.entry((*group).to_owned()).or_default();
                group.ranges.push((*prefix).to_owned());
            }
            ["neighbor", name, "activate"] => {
                if let (Some(group), Some(family)) = (groups.get_mut(*name), family) {
                    group.families.push(family);
                }
            }
            ["no", "neighbor", name, "activate"] if family == Some(IPV4) => {
                silent.push((*name).to_owned());
            }
            _ => {}
        }
    }
    for (name, group) in &mut groups {
        if ipv4 && !silent.contains(name) && !group.families.contains(&IPV4) {
            group.families.insert(0, IPV4);
        }
    }
    groups
}

const IPV4: &str = "IPv4 Unicast";

fn family_name(first: &str, second: &str) -> Option<&'static str> {
    match (first, second) {
        ("ipv4", "unicast") => Some(IPV4),
        ("ipv6", "unicast") => Some("IPv6 Unicast"),
        ("l2vpn", "evpn") => Some("L2VPN EVPN"),
        _ => None,
    }
}

/// `show bgp peer-group`.
pub(super) async fn peer_groups(said: &Said, asking: &Asking) -> Answered {
    let wanted = said.value(&["GROUP"]);
    let running = configure::running(asking.client()).await?;
    let (mut text, mut objects) = (String::new(), Map::new());
    for router in instances(said, asking).await? {
        let mut groups = groups(&running, &router.vrf);
        groups.retain(|name, _| wanted.is_none_or(|wanted| wanted == name));
        let view = View::of(&router).await?;
        let mut object = Map::new();
        for (name, group) in &groups {
            text.push_str(&view.text(name, group));
            object.insert(name.clone(), view.json(group));
        }
        if groups.is_empty() && wanted.is_some() {
            text.push_str("% No such peer-group\n");
        }
        objects.insert(router.vrf.clone(), Value::Object(object));
    }
    Ok(Answer::of_instances(said, text, objects))
}

/// The neighbours that are in a group now; none where there is no such group.
pub(super) async fn members(
    name: &str,
    router: &Router,
    asking: &Asking,
) -> Result<Option<Vec<ScopedAddr>>, Trouble> {
    let running = configure::running(asking.client()).await?;
    let groups = groups(&running, &router.vrf);
    let Some(group) = groups.get(name) else {
        return Ok(None);
    };
    let view = View::of(router).await?;
    let members = view.members(group).into_iter().map(|(_, it)| it.address);
    Ok(Some(members.collect()))
}

/// Which group each neighbour of an instance is in.
pub(super) struct Membership(BTreeMap<String, Group>);

impl Membership {
    /// As the running configuration, in FRR's language, has them.
    pub(super) fn of(running: &str, vrf: &str) -> Self {
        Self(groups(running, vrf))
    }

    /// The group of a neighbour.
    pub(super) fn group(&self, neighbor: &NeighborSummary) -> Option<&str> {
        let name = peer_name(neighbor);
        let mut all = self.0.iter();
        let found = all.find(|(_, group)| group.has(&name, neighbor));
        found.map(|(group, _)| group.as_str())
    }
}

/// The neighbours of an instance.
struct View {
    asn: u32,
    neighbors: Vec<NeighborSummary>,
}

impl View {
    async fn of(router: &Router) -> Result<Self, Trouble> {
        let summary = router.summary().await?;
        Ok(Self {
            asn: summary.asn,
            neighbors: summary.neighbors,
        })
    }

    /// Whether its members are of our AS: as the group says, or else as the first of them is.
    fn kind(&self, group: &Group) -> &'static str {
        let internal = match group.remote_as.as_deref() {
            Some("auto") => return "auto",
            Some("internal") => true,
            Some("external") => false,
            Some(asn) => asn.parse() == Ok(self.asn),
            None => {
                let members = self.members(group);
                members
                    .first()
                    .is_none_or(|(_, it)| it.remote_as == Some(self.asn))
            }
        };
        if internal { "internal" } else { "external" }
    }

    /// The number that FRR has for it: zero where each member has its own.
    fn remote_as(&self, group: &Group) -> Option<u32> {
        Some(match group.remote_as.as_deref()? {
            "internal" => self.asn,
            asn => asn.parse().unwrap_or(0),
        })
    }

    /// Members with their states: those that are named, and those that came from a range.
    fn members(&self, group: &Group) -> Vec<(String, &NeighborSummary)> {
        let all = self.neighbors.iter().map(|it| (peer_name(it), it));
        all.filter(|(name, it)| group.has(name, it)).collect()
    }

    fn json(&self, group: &Group) -> Value {
        let mut object = Map::new();
        let mut put = |key: &str, value: Value| drop(object.insert(key.to_owned(), value));
        if let Some(asn) = self.remote_as(group) {
            put("remoteAs", json!(asn));
        }
        put("type", json!(self.kind(group)));
        put("addressFamiliesConfigured", json!(group.families));
        let mut ranges = Map::new();
        for (version, list) in by_version(group) {
            let range = json!({"count": list.len(), "ranges": list});
            ranges.insert(version.to_owned(), range);
        }
        if !ranges.is_empty() {
            put("dynamicRanges", Value::Object(ranges));
        }
        let members = self.members(group).into_iter().map(|(name, it)| {
            let mut member = json!({"status": it.state});
            if let (Value::Object(member), true) = (&mut member, it.listen_range.is_some()) {
                member.insert("dynamic".to_owned(), json!(true));
            }
            (name, member)
        });
        let members: Map<String, Value> = members.collect();
        if !members.is_empty() {
            put("members", Value::Object(members));
        }
        Value::Object(object)
    }

    fn text(&self, name: &str, group: &Group) -> String {
        let mut text = match self.remote_as(group) {
            Some(asn) => format!("\nBGP peer-group {name}, remote AS {asn}\n"),
            None => format!("\nBGP peer-group {name}\n"),
        };
        text.push_str(&format!("  Peer-group type is {}\n", self.kind(group)));
        let families: String = group.families.iter().map(|it| format!(" {it};")).collect();
        let families = if families.is_empty() {
            " none"
        } else {
            &families
        };
        text.push_str(&format!("  Configured address-families:{families}\n"));
        for (version, list) in by_version(group) {
            text.push_str(&format!("  {} {version} listen range(s)\n", list.len()));
            list.iter()
                .for_each(|it| text.push_str(&format!("    {it}\n")));
        }
        let members = self.members(group);
        if !members.is_empty() {
            text.push_str("  Peer-group members:\n");
        }
        for (name, it) in members {
            let dynamic = if it.listen_range.is_some() {
                "(dynamic)"
            } else {
                ""
            };
            text.push_str(&format!("    {name} {dynamic} {} \n", it.state));
        }
        text
    }
}

/// Ranges of a group, by IP version.
fn by_version(group: &Group) -> Vec<(&'static str, Vec<&String>)> {
    let of = |ipv6: bool| -> Vec<&String> {
        let all = group.ranges.iter();
        all.filter(|it| it.contains(':') == ipv6).collect()
    };
    let versions = [("IPv4", of(false)), ("IPv6", of(true))];
    versions
        .into_iter()
        .filter(|(_, it)| !it.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUNNING: &str = "\
neighbor X peer-group
router bgp 65001
 no bgp default ipv4-unicast
 neighbor G peer-group
 neighbor G remote-as external
 neighbor H peer-group
 neighbor H remote-as 65001
 neighbor 10.0.0.1 peer-group G
 neighbor eth0 interface v6only peer-group G
 neighbor eth1 interface peer-group H
 bgp listen range 10.1.0.0/16 peer-group H
 !
 address-family l2vpn evpn
  neighbor G activate
 exit-address-family
exit
router bgp 65001 vrf red
 neighbor R peer-group
 neighbor 10.0.0.2 peer-group R
 address-family ipv4 unicast
  neighbor R soft-reconfiguration inbound
 exit-address-family
";

    #[test]
    fn groups_are_those_of_the_instance() {
        let default = groups(RUNNING, DEFAULT);
        assert_eq!(default.keys().collect::<Vec<_>>(), ["G", "H"]);
        assert_eq!(default["G"].members, ["10.0.0.1", "eth0"]);
        assert_eq!(default["G"].families, ["L2VPN EVPN"]);
        assert_eq!(default["H"].ranges, ["10.1.0.0/16"]);
        assert_eq!(default["H"].members, ["eth1"]);
        let red = groups(RUNNING, "red");
        assert_eq!(red.keys().collect::<Vec<_>>(), ["R"]);
        // Of IPv4 nothing need be said.
        assert_eq!(red["R"].families, [IPV4]);
        assert!(groups(RUNNING, "blue").is_empty());
    }

    #[test]
    fn a_group_is_internal_or_external_by_its_as() {
        let view = View {
            asn: 65001,
            neighbors: Vec::new(),
        };
        let groups = groups(RUNNING, DEFAULT);
        assert_eq!(view.kind(&groups["G"]), "external");
        assert_eq!(view.kind(&groups["H"]), "internal");
        assert_eq!(view.kind(&Group::default()), "internal");
        assert_eq!(view.remote_as(&groups["G"]), Some(0));
        assert_eq!(view.remote_as(&Group::default()), None);
        assert_eq!(view.json(&groups["H"])["remoteAs"], 65001);
        assert_eq!(view.json(&groups["H"])["dynamicRanges"]["IPv4"]["count"], 1);
        assert!(
            view.text("G", &groups["G"])
                .starts_with("\nBGP peer-group G, remote AS 0\n  Peer-group type")
        );
    }
}
