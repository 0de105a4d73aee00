//! `neighbor PEER ...`, of the session; what is of a family is in [`mod@families`].
//!
//! PEER is an address, an interface or the name of a group; which of them is known when the whole
//! file is read.

mod families;

use bgp::wire::{AttributeCodes, Unwanted};

use super::Means::{Always, Differs, Does, Moot, Needless, Refused};
use super::Node::{Evpn, Ipv4, Ipv6, Router};
use super::{DONE, Done, Node, Shape, shape};
use crate::frr::model::{Args, Bfd, Peer, Site, quote};

pub(super) use families::SHAPES as FAMILY_SHAPES;

const SESSION: &[Node] = &[Router];
/// FRR takes lines of IPv4 directly under `router bgp`, too.
const FAMILIES: &[Node] = &[Ipv4, Ipv6, Evpn, Router];

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
        "neighbor PEER remote-as (external|internal|auto|ASN)",
        Does(remote_as),
    ),
    shape(
        SESSION,
        "neighbor PEER interface [v6only] [remote-as (external|internal|auto|ASN)|peer-group NAME]",
        Does(interface),
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
        Does(|_, a| {
            let waits = !a.no() && a.number("<0-600>") != Some(0);
            let how = "routes are told at once, packed into as few messages as they fit";
            Ok(waits.then(|| how.to_owned()))
        }),
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
        "neighbor PEER graceful-shutdown",
        Does(|site, a| {
            let text = (!a.no()).to_string();
            site.peer(a).keys.insert("graceful_shutdown", a.put(text));
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
        "neighbor PEER capability fqdn",
        Does(|site, a| {
            let text = (!a.no()).to_string();
            site.peer(a).keys.insert("fqdn", a.put(text));
            DONE
        }),
    ),
    shape(
        SESSION,
        "neighbor PEER capability software-version [latest-encoding]",
        Does(|site, a| {
            let word = match (a.no(), a.has("latest-encoding")) {
                (true, _) => "off",
                (false, true) => "latest",
                (false, false) => "classic",
            };
            let value = a.put(quote(word));
            site.peer(a).keys.insert("software_version", value);
            DONE
        }),
    ),
    shape(
        SESSION,
        "neighbor PEER capability (dynamic|link-local)",
        Does(|_, a| Ok((!a.no()).then(|| "the capability is not offered".to_owned()))),
    ),
    shape(
        SESSION,
        "neighbor PEER extended-optional-parameters",
        Always("they are used where an OPEN needs them (RFC 9072)"),
    ),
    shape(
        SESSION,
        "neighbor PEER dont-capability-negotiate",
        Does(|site, a| {
            let value = (!a.no()).then(|| a.put("false"));
            let keys = &mut site.peer(a).keys;
            match value {
                Some(value) => drop(keys.insert("capabilities", value)),
                None => drop(keys.remove("capabilities")),
            }
            DONE
        }),
    ),
    shape(
        SESSION,
        "neighbor PEER (override-capability|strict-capability-match)",
        Moot("a session comes up with what both sides offer, no more and no less (RFC 5492)"),
    ),
    shape(
        SESSION,
        "neighbor PEER solo",
        Needless(
            "a route is never told back to the neighbor it is from, whoever else is told the same",
        ),
    ),
    shape(
        SESSION,
        "neighbor PEER (send-nexthop-characteristics|rpki strict)",
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
        "neighbor PEER extended-link-bandwidth",
        Refused("link bandwidths are told as draft-ietf-idr-link-bandwidth has them"),
    ),
    shape(
        SESSION,
        "neighbor PEER disable-link-bw-encoding-ieee",
        Does(|site, a| {
            let text = (!a.no()).to_string();
            site.peer(a)
                .keys
                .insert("link_bandwidth_as_integer", a.put(text));
            DONE
        }),
    ),
    shape(
        SESSION,
        "neighbor PEER path-attribute (discard|treat-as-withdraw) <1-255>...",
        Does(path_attributes),
    ),
    shape(
        SESSION,
        "neighbor PEER local-link-id N",
        Refused("BGP-LS is not known"),
    ),
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

/// An AS number as TOML has it, or one of three words.
fn asn_text(a: &Args<'_>) -> String {
    let word = ["external", "internal", "auto"].into_iter();
    let word = word.filter(|word| a.has(word)).map(quote).next();
    word.or_else(|| a.get("ASN").map(number))
        .unwrap_or_default()
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

/// A line says all of them, and with `no` those that are wanted again, or all.
fn path_attributes(site: &mut Site, a: &Args<'_>) -> Done {
    let key = match a.has("discard") {
        true => "discard_attributes",
        false => "withdraw_attributes",
    };
    let codes = a.all("<1-255>").into_iter().map(str::parse);
    let codes: AttributeCodes = codes.flatten().collect();
    let keys = &mut site.peer(a).keys;
    let before = keys.remove(key);
    let (codes, needed): (Vec<u8>, Vec<u8>) = match a.no() {
        true if codes.is_empty() => return DONE,
        true => {
            let before = before
                .iter()
                .flat_map(|put| put.text.split(['[', ']', ',', ' ']));
            let before = before.filter_map(|code| code.parse::<u8>().ok());
            (
                before.filter(|code| !codes.contains(*code)).collect(),
                Vec::new(),
            )
        }
        false => codes.iter().partition(|code| !Unwanted::is_needed(*code)),
    };
    let text = |codes: &[u8]| {
        let codes: Vec<String> = codes.iter().map(u8::to_string).collect();
        codes.join(", ")
    };
    if !codes.is_empty() {
        keys.insert(key, a.put(format!("[{}]", text(&codes))));
    }
    let needed = Some(text(&needed)).filter(|needed| !needed.is_empty());
    Ok(needed.map(|needed| {
        format!("every route may need {needed}, so that counts for nothing, as in FRR")
    }))
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
