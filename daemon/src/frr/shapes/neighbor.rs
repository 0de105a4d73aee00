//! `neighbor PEER ...`, of the session and of its families.
//!
//! PEER is an address, an interface or the name of a group; which of them is known when the whole
//! file is read.

use super::Means::{Always, Differs, Does, Moot, Refused};
use super::Node::{Evpn, Ipv4, Ipv6, Router};
use super::{DONE, Done, Node, Shape, shape};
use crate::frr::model::{Args, Bfd, Peer, Site, quote, quote_all};

const SESSION: &[Node] = &[Router];
/// FRR takes lines of IPv4 directly under `router bgp`, too.
const FAMILIES: &[Node] = &[Ipv4, Ipv6, Evpn, Router];
const UNICAST: &[Node] = &[Ipv4, Ipv6, Router];

pub(super) const SHAPES: &[Shape] = &[
    shape(
        SESSION,
        "neighbor PEER",
        Does(|site, a| {
            if !a.no() {
                return Err("say what of the neighbor".to_owned());
            }
            site.router().peers.remove(a.value("PEER"));
            DONE
        }),
    ),
    shape(
        SESSION,
        "neighbor PEER remote-as auto",
        Refused("say `external` or `internal`: a neighbor is of another AS or of ours"),
    ),
    shape(
        SESSION,
        "neighbor PEER remote-as (external|internal|ASN)",
        Does(remote_as),
    ),
    shape(
        SESSION,
        "neighbor PEER interface [v6only] [remote-as (external|internal|ASN)|peer-group NAME]",
        Does(interface),
    ),
    shape(
        SESSION,
        "neighbor PEER interface [v6only] remote-as auto",
        Refused("say `external` or `internal`: a neighbor is of another AS or of ours"),
    ),
    shape(
        SESSION,
        "neighbor PEER interface IFNAME",
        Does(|site, a| {
            let text = quote(a.value("IFNAME"));
            a.set(&mut site.peer(a).keys, "interface", text);
            DONE
        }),
    ),
    shape(
        SESSION,
        "neighbor PEER peer-group",
        Does(|site, a| {
            match a.no() {
                true => drop(site.router().peers.remove(a.value("PEER"))),
                false => site.peer(a).is_group = true,
            }
            DONE
        }),
    ),
    shape(
        FAMILIES,
        "neighbor PEER peer-group NAME",
        Does(|site, a| {
            let group = (!a.no()).then(|| a.put(a.value("NAME")));
            site.peer(a).group = group;
            DONE
        }),
    ),
    shape(SESSION, "neighbor PEER description LINE", Does(description)),
    shape(
        SESSION,
        "neighbor PEER timers <0-65535> <0-65535>",
        Does(|site, a| {
            let times = (
                a.caught.get("<0-65535>"),
                a.all("<0-65535>").get(1).copied(),
            );
            let peer = site.peer(a);
            peer.timers = match (times, a.no()) {
                ((Some(keepalive), Some(hold)), false) => Some((
                    keepalive.parse().unwrap_or(60),
                    hold.parse().unwrap_or(180),
                    a.spot,
                )),
                _ => None,
            };
            DONE
        }),
    ),
    shape(
        SESSION,
        "neighbor PEER timers connect <1-65535>",
        Does(|site, a| {
            let text = quote(&format!("{}s", a.value("<1-65535>")));
            a.set(&mut site.peer(a).keys, "timers.connect_retry", text);
            DONE
        }),
    ),
    shape(
        SESSION,
        "neighbor PEER timers delayopen <1-240>",
        Moot("OPEN is sent at once"),
    ),
    shape(
        FAMILIES,
        "neighbor PEER advertisement-interval <0-600>",
        Moot("routes are told at once, packed into as few messages as they fit"),
    ),
    shape(
        SESSION,
        "neighbor PEER ebgp-multihop [<1-255>]",
        Does(|site, a| {
            let hops = a.get("<1-255>").unwrap_or("255").to_owned();
            a.set(&mut site.peer(a).keys, "multihop", hops);
            DONE
        }),
    ),
    shape(
        SESSION,
        "neighbor PEER ttl-security hops <1-254>",
        Does(|site, a| {
            a.set(&mut site.peer(a).keys, "ttl_security", a.value("<1-254>"));
            DONE
        }),
    ),
    shape(
        SESSION,
        "neighbor PEER disable-connected-check",
        Always("whether a neighbor's network is connected is not asked"),
    ),
    shape(
        SESSION,
        "neighbor PEER enforce-multihop",
        Always("a neighbor with `ebgp-multihop` is taken to be some hops away"),
    ),
    shape(
        SESSION,
        "neighbor PEER update-source SOURCE",
        Does(|site, a| {
            a.set(
                &mut site.peer(a).keys,
                "update_source",
                quote(a.value("SOURCE")),
            );
            DONE
        }),
    ),
    shape(
        SESSION,
        "neighbor PEER password LINE",
        Does(|site, a| {
            a.set(&mut site.peer(a).keys, "password", quote(a.value("LINE")));
            DONE
        }),
    ),
    shape(
        SESSION,
        "neighbor PEER local-as ASN [no-prepend [replace-as [dual-as]]]",
        Does(local_as),
    ),
    shape(
        SESSION,
        "neighbor PEER passive",
        Does(|site, a| {
            a.set(&mut site.peer(a).keys, "passive", "true");
            DONE
        }),
    ),
    shape(
        SESSION,
        "neighbor PEER port <1-65535>",
        Does(|site, a| {
            a.set(&mut site.peer(a).keys, "port", a.value("<1-65535>"));
            DONE
        }),
    ),
    shape(
        SESSION,
        "neighbor PEER shutdown",
        Does(|site, a| {
            a.set(&mut site.peer(a).keys, "shutdown", "true");
            DONE
        }),
    ),
    shape(
        SESSION,
        "neighbor PEER shutdown message LINE",
        Does(|site, a| {
            a.set(&mut site.peer(a).keys, "shutdown", quote(a.value("LINE")));
            DONE
        }),
    ),
    shape(
        SESSION,
        "neighbor PEER shutdown rtt N [count N]",
        Refused("round-trip times are not measured"),
    ),
    shape(
        SESSION,
        "neighbor PEER enforce-first-as",
        Does(|site, a| {
            let text = (!a.no()).to_string();
            site.peer(a).keys.insert("enforce_first_as", a.put(text));
            DONE
        }),
    ),
    shape(
        SESSION,
        "neighbor PEER aigp",
        Does(|site, a| {
            let text = (!a.no()).to_string();
            site.peer(a).keys.insert("aigp", a.put(text));
            DONE
        }),
    ),
    shape(
        SESSION,
        "neighbor PEER local-role (provider|customer|peer|rs-server|rs-client) [strict-mode]",
        Does(local_role),
    ),
    shape(
        SESSION,
        "neighbor PEER bfd",
        Does(|site, a| {
            bfd(site.peer(a), a);
            DONE
        }),
    ),
    shape(
        SESSION,
        "neighbor PEER bfd <2-255> <50-60000> <50-60000>",
        Does(|site, a| {
            let times = a.all("<50-60000>");
            let peer = site.peer(a);
            bfd(peer, a);
            if let Some(bfd) = &mut peer.bfd {
                bfd.multiplier = Some(a.put(a.value("<2-255>")));
                bfd.receive = times.first().map(|text| a.put(*text));
                bfd.transmit = times.get(1).map(|text| a.put(*text));
            }
            DONE
        }),
    ),
    shape(
        SESSION,
        "neighbor PEER bfd profile NAME",
        Does(|site, a| {
            let profile = (!a.no()).then(|| a.put(a.value("NAME")));
            let peer = site.peer(a);
            if !a.no() {
                bfd(peer, a);
            }
            if let Some(bfd) = &mut peer.bfd {
                bfd.profile = profile;
            }
            DONE
        }),
    ),
    shape(
        SESSION,
        "neighbor PEER bfd check-control-plane-failure",
        Differs(
            |site, a| {
                if !a.no() {
                    bfd(site.peer(a), a);
                }
                DONE
            },
            "the neighbor's C bit is heeded in any case, and our own is never set",
        ),
    ),
    shape(
        SESSION,
        "neighbor PEER bfd strict [hold-time N]",
        Does(|site, a| {
            let peer = site.peer(a);
            if !a.no() {
                bfd(peer, a);
            }
            if let Some(bfd) = &mut peer.bfd {
                bfd.strict = (!a.no()).then_some(a.spot);
            }
            let timed = a.has("hold-time") && !a.no();
            Ok(timed.then(|| "the session waits for BFD for as long as it takes".to_owned()))
        }),
    ),
    shape(
        SESSION,
        "neighbor PEER graceful-restart",
        Does(|site, a| {
            a.set(&mut site.peer(a).keys, "graceful_restart", "true");
            DONE
        }),
    ),
    shape(
        SESSION,
        "neighbor PEER graceful-restart-helper",
        Differs(
            |site, a| {
                a.set(&mut site.peer(a).keys, "graceful_restart", "true");
                DONE
            },
            "we restart gracefully ourselves, too",
        ),
    ),
    shape(
        SESSION,
        "neighbor PEER graceful-restart-disable",
        Does(|site, a| {
            a.set(&mut site.peer(a).keys, "graceful_restart", "false");
            DONE
        }),
    ),
    shape(
        FAMILIES,
        "neighbor PEER long-lived-graceful-restart stale-time <1-16777215>",
        Differs(
            |site, a| {
                let text = quote(&format!("{}s", a.value("<1-16777215>")));
                a.set(
                    &mut site.peer(a).keys,
                    "graceful_restart.long_lived_time",
                    text,
                );
                DONE
            },
            "the time is that of all families of the neighbor",
        ),
    ),
    shape(
        SESSION,
        "neighbor PEER capability extended-nexthop",
        Always("IPv6 next hops for IPv4 routes are offered wherever they can be used (RFC 8950)"),
    ),
    shape(
        SESSION,
        "neighbor PEER capability (dynamic|software-version|fqdn|link-local)",
        Moot("the capability is not offered"),
    ),
    shape(
        SESSION,
        "neighbor PEER extended-optional-parameters",
        Always("they are used where an OPEN needs them (RFC 9072)"),
    ),
    shape(
        SESSION,
        "neighbor PEER (dont-capability-negotiate|override-capability|strict-capability-match)",
        Refused("capabilities are always negotiated (RFC 5492)"),
    ),
    shape(
        SESSION,
        "neighbor PEER (solo|send-nexthop-characteristics|rpki strict)",
        Moot("it makes no difference to what is told"),
    ),
    shape(
        SESSION,
        "neighbor PEER oad",
        Refused("one administration over several AS (EBGP-OAD) is not known"),
    ),
    shape(
        SESSION,
        "neighbor PEER tcp-mss <1-65535>",
        Moot("the kernel finds the segment size"),
    ),
    shape(
        SESSION,
        "neighbor PEER delayopen <1-240>",
        Moot("OPEN is sent at once"),
    ),
    shape(
        SESSION,
        "neighbor PEER sender-as-path-loop-detection",
        Moot("the neighbor refuses its own AS number itself"),
    ),
    shape(
        SESSION,
        "neighbor PEER (extended-link-bandwidth|disable-link-bw-encoding-ieee)",
        Refused("link bandwidths are told as draft-ietf-idr-link-bandwidth has them"),
    ),
    shape(
        SESSION,
        "neighbor PEER path-attribute (discard|treat-as-withdraw) N...",
        Refused("attributes are taken as RFC 7606 says"),
    ),
    shape(
        SESSION,
        "neighbor PEER local-link-id N",
        Refused("BGP-LS is not known"),
    ),
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
        Does(|site, a| {
            if a.has("as-path") || a.has("med") || !a.has("next-hop") && !a.no() {
                return Err(
                    "only the next hop can be left unchanged (`attribute-unchanged next-hop`); \
                        a route server leaves all as it is (`route-server-client`)"
                        .to_owned(),
                );
            }
            family_key(site, a, "next_hop", "\"unchanged\"")
        }),
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
        Refused(
            "the best path of each AS is no set that is sent; use `addpath-tx-all-paths` or `addpath-tx-best-selected N`",
        ),
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
        Refused("set it by a route-map: `set extcommunity soo`"),
    ),
    shape(
        FAMILIES,
        "neighbor PEER dampening LINE",
        Refused("routes are not dampened"),
    ),
    shape(
        FAMILIES,
        "neighbor PEER graceful-shutdown",
        Refused("use `rbgpctl drain --neighbor ADDRESS`, which is kept over restarts"),
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

fn remote_as(site: &mut Site, a: &Args<'_>) -> Done {
    let text = asn_text(a);
    let number = a.no() && !site.router().peers.contains_key(a.value("PEER"));
    if number {
        return DONE;
    }
    a.set(&mut site.peer(a).keys, "remote_as", text);
    let gone = a.no().then(|| site.peer(a).clone());
    // FRR takes the neighbor away with its AS number, unless it is a group.
    if gone.is_some_and(|peer| !peer.is_group && peer.group.is_none()) {
        site.router().peers.remove(a.value("PEER"));
    }
    DONE
}

/// An AS number as TOML has it, or one of two words.
fn asn_text(a: &Args<'_>) -> String {
    match (a.has("external"), a.has("internal"), a.get("ASN")) {
        (true, _, _) => quote("external"),
        (_, true, _) => quote("internal"),
        (_, _, Some(asn)) => number(asn),
        (_, _, None) => String::new(),
    }
}

/// An AS number without a dot.
pub(super) fn number(asn: &str) -> String {
    crate::frr::grammar::asn(asn).map_or_else(|| asn.to_owned(), |asn| asn.to_string())
}

fn interface(site: &mut Site, a: &Args<'_>) -> Done {
    if a.no() {
        site.router().peers.remove(a.value("PEER"));
        return DONE;
    }
    let (text, group) = (asn_text(a), a.get("NAME").map(|name| a.put(name)));
    let peer = site.peer(a);
    peer.is_interface = true;
    if !text.is_empty() {
        a.set(&mut peer.keys, "remote_as", text);
    }
    peer.group = group.or_else(|| peer.group.take());
    DONE
}

fn description(site: &mut Site, a: &Args<'_>) -> Done {
    const LONGEST: usize = 80;
    let text: String = a
        .value("LINE")
        .chars()
        .filter(|c| !c.is_control())
        .collect();
    let short: String = text.chars().take(LONGEST).collect();
    let note = (text != short).then(|| format!("the text is cut off after {LONGEST} characters"));
    a.set(&mut site.peer(a).keys, "description", quote(&short));
    Ok(note)
}

fn local_as(site: &mut Site, a: &Args<'_>) -> Done {
    let mut text = format!("{{ asn = {}", number(a.value("ASN")));
    for (word, key) in [
        ("no-prepend", "no_prepend"),
        ("replace-as", "replace_as"),
        ("dual-as", "dual_as"),
    ] {
        if a.has(word) {
            text.push_str(&format!(", {key} = true"));
        }
    }
    text.push_str(" }");
    a.set(&mut site.peer(a).keys, "local_as", text);
    DONE
}

fn local_role(site: &mut Site, a: &Args<'_>) -> Done {
    let words = [
        ("provider", "provider"),
        ("customer", "customer"),
        ("peer", "peer"),
        ("rs-server", "route_server"),
        ("rs-client", "route_server_client"),
    ];
    let role = words
        .iter()
        .find(|(word, _)| a.has(word))
        .map_or("", |(_, role)| role);
    let peer = site.peer(a);
    a.set(&mut peer.keys, "role", quote(role));
    match a.has("strict-mode") && !a.no() {
        true => a.set(&mut peer.keys, "role_strict", "true"),
        false => drop(peer.keys.remove("role_strict")),
    }
    DONE
}

/// A line with BFD turns it on, whatever else it says.
fn bfd(peer: &mut Peer, a: &Args<'_>) {
    match a.no() {
        true => peer.bfd = None,
        false => {
            let bfd = peer.bfd.get_or_insert_with(Bfd::default);
            bfd.spot.get_or_insert(a.spot);
        }
    }
}

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
