//! `neighbor PEER ...`, of one family: what is taken from a neighbor and told to it.

use super::FAMILIES;
use crate::frr::model::{Args, Site, quote, quote_all};
use crate::frr::shapes::Means::{Always, Does, Moot, Refused};
use crate::frr::shapes::Node::{Ipv4, Ipv6, Router};
use crate::frr::shapes::{DONE, Done, Node, Shape, shape};

const UNICAST: &[Node] = &[Ipv4, Ipv6, Router];

pub(in crate::frr::shapes) const SHAPES: &[Shape] = &[
    shape(
        FAMILIES,
        "neighbor PEER activate",
        Does(|site, a| {
            let family = a.family();
            a.switch(&mut site.peer(a).families.of_mut(family).active);
            DONE
        }),
    ),
    shape(
        FAMILIES,
        "neighbor PEER route-map NAME (in|out|import|export)",
        Does(|site, a| {
            if a.has("import") || a.has("export") {
                return Err("say `in` or `out`".to_owned());
            }
            filter(site, a, |filters, value| filters.route_map = value);
            DONE
        }),
    ),
    shape(
        FAMILIES,
        "neighbor PEER prefix-list NAME (in|out)",
        Does(|site, a| {
            filter(site, a, |filters, value| filters.prefix_list = value);
            DONE
        }),
    ),
    shape(
        FAMILIES,
        "neighbor PEER distribute-list NAME (in|out)",
        Does(|site, a| {
            filter(site, a, |filters, value| filters.access_list = value);
            DONE
        }),
    ),
    shape(
        FAMILIES,
        "neighbor PEER filter-list NAME (in|out)",
        Does(|site, a| {
            filter(site, a, |filters, value| filters.as_path_list = value);
            DONE
        }),
    ),
    shape(
        FAMILIES,
        "neighbor PEER next-hop-self [(force|all)]",
        Does(|site, a| {
            let text = match a.has("force") || a.has("all") {
                true => "\"self_always\"",
                false => "\"self\"",
            };
            family_key(site, a, "next_hop", text)
        }),
    ),
    shape(
        FAMILIES,
        "neighbor PEER attribute-unchanged {as-path|next-hop|med}",
        Does(attribute_unchanged),
    ),
    shape(
        FAMILIES,
        "neighbor PEER route-reflector-client",
        Does(|site, a| family_key(site, a, "route_reflector_client", "true")),
    ),
    shape(
        FAMILIES,
        "neighbor PEER route-server-client",
        Does(|site, a| family_key(site, a, "route_server_client", "true")),
    ),
    shape(
        FAMILIES,
        "neighbor PEER soft-reconfiguration inbound",
        Always("what a neighbor has told is kept as it came"),
    ),
    shape(
        FAMILIES,
        "neighbor PEER send-community [(standard|extended|large|both|all)]",
        Does(send_community),
    ),
    shape(
        FAMILIES,
        "neighbor PEER send-community extended rpki",
        Refused("what origin validation says is not told to others"),
    ),
    shape(
        FAMILIES,
        "neighbor PEER allowas-in [(<1-10>|origin)]",
        Does(|site, a| {
            let text = match (a.has("origin"), a.get("<1-10>")) {
                (true, _) => "\"origin\"",
                (false, Some(times)) => times,
                (false, None) => "3",
            };
            let text = text.to_owned();
            family_key(site, a, "allowas_in", text)
        }),
    ),
    shape(
        FAMILIES,
        "neighbor PEER as-override",
        Does(|site, a| family_key(site, a, "as_override", "true")),
    ),
    shape(
        FAMILIES,
        "neighbor PEER remove-private-AS [all] [replace-AS]",
        Does(|site, a| {
            let text = match (a.has("all"), a.has("replace-AS")) {
                (false, false) => "\"plain\"",
                (true, false) => "\"all\"",
                (false, true) => "\"replace\"",
                (true, true) => "\"replace_all\"",
            };
            family_key(site, a, "remove_private_as", text)
        }),
    ),
    shape(
        FAMILIES,
        "neighbor PEER maximum-prefix <1-4294967295> [<1-100>] [(warning-only|restart <1-65535>)] [force]",
        Does(maximum_prefix),
    ),
    shape(
        FAMILIES,
        "neighbor PEER maximum-prefix-out <1-4294967295>",
        Does(|site, a| {
            let text = a.value("<1-4294967295>");
            family_key(site, a, "maximum_prefixes_out", text)
        }),
    ),
    shape(
        FAMILIES,
        "neighbor PEER weight <0-65535>",
        Does(|site, a| {
            let text = a.value("<0-65535>");
            family_key(site, a, "weight", text)
        }),
    ),
    shape(
        UNICAST,
        "neighbor PEER default-originate [route-map NAME]",
        Does(|site, a| {
            let text = match a.get("NAME") {
                Some(name) => format!("{{ route_map = {} }}", quote(name)),
                None => "true".to_owned(),
            };
            family_key(site, a, "default_originate", text)
        }),
    ),
    shape(
        UNICAST,
        "neighbor PEER unsuppress-map NAME",
        Does(|site, a| {
            let text = quote(a.value("NAME"));
            family_key(site, a, "unsuppress", text)
        }),
    ),
    shape(
        UNICAST,
        "neighbor PEER advertise-map NAME (exist-map|non-exist-map) OTHER",
        Does(|site, a| {
            let key = match a.has("exist-map") {
                true => "exist",
                false => "absent",
            };
            let (routes, condition) = (quote(a.value("NAME")), quote(a.value("OTHER")));
            let text = format!("{{ routes = {routes}, {key} = {condition} }}");
            family_key(site, a, "advertise_if", text)
        }),
    ),
    shape(
        FAMILIES,
        "neighbor PEER addpath-tx-all-paths",
        Does(|site, a| family_key(site, a, "add_path_send", "\"all\"")),
    ),
    shape(
        FAMILIES,
        "neighbor PEER addpath-tx-best-selected <1-6>",
        Does(|site, a| {
            let text = a.value("<1-6>");
            family_key(site, a, "add_path_send", text)
        }),
    ),
    shape(
        FAMILIES,
        "neighbor PEER addpath-tx-bestpath-per-AS",
        Does(|site, a| family_key(site, a, "add_path_send", "\"best_per_as\"")),
    ),
    shape(
        FAMILIES,
        "neighbor PEER disable-addpath-rx",
        Does(|site, a| family_key(site, a, "add_path_receive", "false")),
    ),
    shape(
        FAMILIES,
        "neighbor PEER addpath-rx-paths-limit N",
        Moot("a neighbor may send as many paths as it likes; `maximum-prefix` counts each"),
    ),
    shape(
        FAMILIES,
        "neighbor PEER capability orf prefix-list (send|receive|both)",
        Moot(
            "prefix lists are not exchanged (RFC 5291): each side filters for itself, with the same result",
        ),
    ),
    shape(
        FAMILIES,
        "neighbor PEER soo TARGET",
        Does(|site, a| {
            let text = quote(a.value("TARGET"));
            family_key(site, a, "site_of_origin", text)
        }),
    ),
    shape(
        FAMILIES,
        "neighbor PEER dampening LINE",
        Refused("routes are not dampened"),
    ),
    shape(
        FAMILIES,
        "neighbor PEER accept-own",
        Refused("ACCEPT_OWN (RFC 7611) is for L3VPN, which rbgpd does not have"),
    ),
    shape(
        FAMILIES,
        "neighbor PEER nexthop-local unchanged",
        Moot(
            "a link-local next hop means nothing beyond its link, so we stand in its place (RFC 2545)",
        ),
    ),
    shape(FAMILIES, "neighbor PEER upa", Refused("UPA is not known")),
];

fn filter(
    site: &mut Site,
    a: &Args<'_>,
    set: impl FnOnce(&mut crate::frr::model::Filters, Option<crate::frr::model::Put>),
) {
    let value = (!a.no()).then(|| a.put(a.value("NAME")));
    let family = site.peer(a).families.of_mut(a.family());
    match a.has("out") {
        true => set(&mut family.export, value),
        false => set(&mut family.import, value),
    }
}

/// Those that are named, or all three; a line replaces the one before.
fn attribute_unchanged(site: &mut Site, a: &Args<'_>) -> Done {
    const KEYS: [(&str, &str, &str); 3] = [
        ("as-path", "as_path_unchanged", "true"),
        ("med", "med_unchanged", "true"),
        ("next-hop", "next_hop", "\"unchanged\""),
    ];
    let all = KEYS.iter().all(|(word, _, _)| !a.has(word));
    let family = a.family();
    let keys = &mut site.peer(a).families.of_mut(family).keys;
    for (word, key, text) in KEYS {
        let named = all || a.has(word);
        let before = keys.get(key).is_some_and(|put| put.text == text);
        match (a.no(), named) {
            (true, true) | (false, false) if before => drop(keys.remove(key)),
            (false, true) => drop(keys.insert(key, a.put(text))),
            (_, _) => {}
        }
    }
    DONE
}

fn family_key(site: &mut Site, a: &Args<'_>, key: &'static str, text: impl Into<String>) -> Done {
    let family = a.family();
    a.set(&mut site.peer(a).families.of_mut(family).keys, key, text);
    DONE
}

/// All kinds are sent unless a line with `no` takes some away.
fn send_community(site: &mut Site, a: &Args<'_>) -> Done {
    const KINDS: [&str; 3] = ["standard", "extended", "large"];
    let family = a.family();
    let keys = &mut site.peer(a).families.of_mut(family).keys;
    let named = |kind: &str| match kind {
        "large" => a.has("large") || a.has("all"),
        "extended" => a.has("extended") || a.has("both") || a.has("all"),
        _ => a.has("standard") || a.has("both") || a.has("all") || a.caught.keywords().len() == 2,
    };
    let sent = |kind: &&str| match keys.get("send_community") {
        Some(put) => put.text.contains(*kind),
        None => true,
    };
    let now: Vec<&str> = match a.no() {
        true => KINDS
            .into_iter()
            .filter(sent)
            .filter(|kind| !named(kind))
            .collect(),
        false => KINDS
            .into_iter()
            .filter(|kind| sent(kind) || named(kind))
            .collect(),
    };
    match now.len() {
        3 => drop(keys.remove("send_community")),
        _ => drop(keys.insert("send_community", a.put(quote_all(&now)))),
    }
    DONE
}

fn maximum_prefix(site: &mut Site, a: &Args<'_>) -> Done {
    let mut text = format!("{{ limit = {}", a.value("<1-4294967295>"));
    if let Some(percent) = a.get("<1-100>") {
        text.push_str(&format!(", warn_at = {percent}"));
    }
    // FRR counts what its policy lets in, unless all that is received is to be counted.
    if !a.has("force") {
        text.push_str(", count = \"accepted\"");
    }
    if a.has("warning-only") {
        text.push_str(", warning_only = true");
    }
    let restart = a.number("<1-65535>").filter(|_| a.has("restart"));
    let cut = restart.is_some_and(|minutes| minutes > 1440);
    if let Some(minutes) = restart {
        text.push_str(&format!(
            ", restart_after = \"{}s\"",
            minutes.min(1440) * 60
        ));
    }
    text.push_str(" }");
    family_key(site, a, "maximum_prefixes", text)?;
    Ok(cut.then(|| "the session comes back after a day at the latest".to_owned()))
}
