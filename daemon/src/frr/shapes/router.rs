//! `router bgp` and the settings that it has of its own; what is of a family is in [`mod@families`].

mod families;

use super::Means::{Always, Closes, Does, Moot, Needless, Never, Opens, OpensRefused, Refused};
use super::Node::{Evpn, Ipv4, Ipv6, Router, Top};
use super::neighbor::number;
use super::{DONE, Done, Node, Shape, shape};
use crate::config::MaxMed;
use crate::frr::model::{Args, Family, Site, quote};

pub(super) use families::SHAPES as FAMILY_SHAPES;
pub(super) use families::kernel_map;
pub(in crate::frr) use families::masked;

const HERE: &[Node] = &[Router];
const V4: &[Node] = &[Ipv4, Router];
const V6: &[Node] = &[Ipv6];
const BOTH: &[Node] = &[Ipv4, Ipv6];

const MPLS: &str = "rbgpd has no L3VPN and no labels; VRFs are tied together by EVPN (`vrf NAME` with `vni N`) or by `import vrf`";
/// How much FRR does in one go, and how long it waits for more to do: no bound that is asked for is passed
/// where nothing waits, and what is told in the end is the same.
const TUNING: &str = "updates are made once for all neighbors that are told the same, without a wait, and sent as each takes them";

pub(super) const SHAPES: &[Shape] = &[
    shape(
        &[Top],
        "router bgp ASN [as-notation (dot|dot+|plain)]",
        Opens(Router, |site, a| open(site, a, None)),
    ),
    shape(
        &[Top],
        "router bgp ASN vrf NAME [as-notation (dot|dot+|plain)]",
        Opens(Router, |site, a| {
            let vrf = a
                .get("NAME")
                .filter(|name| *name != "default")
                .map(str::to_owned);
            open(site, a, vrf)
        }),
    ),
    shape(
        &[Top],
        "router bgp ASN view NAME [as-notation (dot|dot+|plain)]",
        Opens(Router, |site, a| {
            let done = open(site, a, Some(a.value("NAME").to_owned()));
            if !a.no() {
                site.router().view = true;
            }
            done
        }),
    ),
    shape(
        HERE,
        "address-family ipv4 [unicast]",
        Opens(Ipv4, |_, _| DONE),
    ),
    shape(
        HERE,
        "address-family ipv6 [unicast]",
        Opens(Ipv6, |_, _| DONE),
    ),
    shape(HERE, "address-family l2vpn evpn", Opens(Evpn, |_, _| DONE)),
    shape(HERE, "address-family evpn", Opens(Evpn, |_, _| DONE)),
    shape(
        HERE,
        "address-family (ipv4|ipv6) (vpn|labeled-unicast)",
        OpensRefused(MPLS),
    ),
    shape(
        HERE,
        "address-family (vpnv4|vpnv6) [unicast]",
        OpensRefused(MPLS),
    ),
    shape(
        HERE,
        "address-family (ipv4|ipv6) multicast",
        OpensRefused("multicast routes are not exchanged"),
    ),
    shape(
        HERE,
        "address-family (ipv4|ipv6) flowspec",
        OpensRefused("rbgpd has no flow specifications"),
    ),
    shape(
        HERE,
        "address-family (ipv4|ipv6) (unreachability|rtc)",
        OpensRefused("the family is not known"),
    ),
    shape(
        HERE,
        "address-family link-state [link-state]",
        OpensRefused("BGP-LS is not known"),
    ),
    shape(
        &[Ipv4, Ipv6, Evpn, Node::OtherFamily, Router],
        "exit-address-family",
        Closes,
    ),
    shape(
        HERE,
        "bgp router-id A.B.C.D",
        Does(|site, a| {
            a.set(
                &mut site.router().keys,
                "router_id",
                quote(a.value("A.B.C.D")),
            );
            DONE
        }),
    ),
    shape(
        HERE,
        "bgp cluster-id (A.B.C.D|<1-4294967295>)",
        Does(|site, a| {
            let text = match a
                .number("<1-4294967295>")
                .and_then(|it| u32::try_from(it).ok())
            {
                Some(number) => std::net::Ipv4Addr::from(number).to_string(),
                None => a.value("A.B.C.D").to_owned(),
            };
            a.set(&mut site.router().keys, "router.cluster_id", quote(&text));
            DONE
        }),
    ),
    shape(
        HERE,
        "bgp confederation identifier ASN",
        Does(|site, a| {
            a.set(
                &mut site.router().keys,
                "router.confederation_id",
                number(a.value("ASN")),
            );
            DONE
        }),
    ),
    shape(
        HERE,
        "bgp confederation peers ASN...",
        Does(|site, a| {
            let named: Vec<_> = a.all("ASN").iter().map(|asn| a.put(number(asn))).collect();
            let members = &mut site.router().confederation_members;
            members.retain(|member| !named.iter().any(|it| it.text == member.text));
            if !a.no() {
                members.extend(named);
            }
            DONE
        }),
    ),
    shape(
        HERE,
        "bgp ebgp-requires-policy",
        Does(|site, a| {
            a.switch(&mut site.router().ebgp_requires_policy);
            DONE
        }),
    ),
    shape(
        HERE,
        "bgp network import-check [exact]",
        Does(|site, a| {
            a.switch(&mut site.router().import_check);
            DONE
        }),
    ),
    shape(
        HERE,
        "bgp default ipv4-unicast",
        Does(|site, a| active(site, a, Family::Ipv4)),
    ),
    shape(
        HERE,
        "bgp default ipv6-unicast",
        Does(|site, a| active(site, a, Family::Ipv6)),
    ),
    shape(
        HERE,
        "bgp default l2vpn-evpn",
        Does(|site, a| active(site, a, Family::Evpn)),
    ),
    shape(
        HERE,
        "bgp default software-version-capability [latest-encoding]",
        Does(|site, a| {
            let word = if a.has("latest-encoding") {
                "latest"
            } else {
                "classic"
            };
            let value = (!a.no()).then(|| a.put(quote(word)));
            site.router().software_version = value;
            DONE
        }),
    ),
    shape(
        HERE,
        "bgp default (show-hostname|show-nexthop-hostname)",
        Does(|site, a| {
            let name = if a.has("show-hostname") {
                SHOWN_NAMES[0]
            } else {
                SHOWN_NAMES[1]
            };
            let usual = site.datacenter;
            let keys = &mut site.router().keys;
            match a.no() && !usual {
                true => drop(keys.remove(name)),
                false => drop(keys.insert(name, a.put((!a.no()).to_string()))),
            }
            DONE
        }),
    ),
    shape(
        HERE,
        "bgp default (dynamic-capability|link-local-capability)",
        Never("the capability is not offered"),
    ),
    shape(
        HERE,
        "bgp default local-preference <0-4294967295>",
        Does(|site, a| {
            key(
                site,
                a,
                "router.default_local_preference",
                a.value("<0-4294967295>"),
            )
        }),
    ),
    shape(
        &[Top, Router],
        "bgp send-extra-data zebra",
        Does(|site, a| {
            let name = "router.show_attributes";
            match a.node == Top {
                true => of_all(site, a, name, "true"),
                false => key(site, a, name, "true"),
            }
        }),
    ),
    shape(
        HERE,
        "bgp default-originate timer N",
        Always("a default route follows its condition at once"),
    ),
    shape(
        HERE,
        "bgp default subgroup-pkt-queue-max N",
        Needless(TUNING),
    ),
    shape(
        HERE,
        "bgp default (ipv4-multicast|ipv4-vpn|ipv4-labeled-unicast|ipv4-flowspec|ipv6-multicast|ipv6-vpn|ipv6-labeled-unicast|ipv6-flowspec)",
        Refused("rbgpd has IPv4 and IPv6 unicast and EVPN"),
    ),
    shape(
        HERE,
        "bgp always-compare-med",
        Does(|site, a| key(site, a, "bestpath.always_compare_med", "true")),
    ),
    shape(
        HERE,
        "bgp deterministic-med",
        Always("MEDs are always compared deterministically"),
    ),
    shape(
        HERE,
        "bgp bestpath as-path ignore",
        Does(|site, a| key(site, a, "bestpath.as_path_ignore", "true")),
    ),
    shape(
        HERE,
        "bgp bestpath as-path multipath-relax [(as-set|no-as-set)]",
        Does(|site, a| {
            a.switch(&mut site.router().relax);
            DONE
        }),
    ),
    shape(
        HERE,
        "bgp bestpath as-path confed",
        Does(|site, a| key(site, a, "bestpath.as_path_confed", "true")),
    ),
    shape(
        HERE,
        "bgp bestpath compare-routerid",
        Always("identifiers are always compared: age plays no part"),
    ),
    shape(
        HERE,
        "bgp bestpath med missing-as-worst",
        Does(|site, a| key(site, a, "bestpath.missing_med_as_worst", "true")),
    ),
    shape(
        HERE,
        "bgp bestpath med confed",
        Always(
            "MEDs of paths that have not left the confederation are always compared, as in FRR",
        ),
    ),
    shape(
        HERE,
        "bgp bestpath med (confed missing-as-worst|missing-as-worst confed)",
        Does(|site, a| key(site, a, "bestpath.missing_med_as_worst", "true")),
    ),
    shape(
        HERE,
        "bgp bestpath bandwidth (ignore|skip-missing|default-weight-for-missing)",
        Does(|site, a| {
            let word = match (a.has("ignore"), a.has("skip-missing")) {
                (true, _) => "\"ignore\"",
                (_, true) => "\"skip_missing\"",
                (_, _) => "\"default_weight\"",
            };
            key(site, a, "bestpath.bandwidth", word)
        }),
    ),
    shape(
        HERE,
        "bgp bestpath peer-type multipath-relax",
        Does(|site, a| key(site, a, "bestpath.peer_type_relax", "true")),
    ),
    shape(
        HERE,
        "bgp bestpath aigp",
        Always("AIGP is compared where a session has it (`neighbor X aigp`)"),
    ),
    shape(
        HERE,
        "bgp client-to-client reflection",
        Does(|site, a| {
            let text = (!a.no()).to_string();
            site.router()
                .keys
                .insert("router.client_to_client_reflection", a.put(text));
            DONE
        }),
    ),
    shape(
        HERE,
        "bgp log-neighbor-changes",
        Always("changes of sessions are always logged"),
    ),
    shape(
        HERE,
        "bgp fast-external-failover",
        Always("a session ends with its link"),
    ),
    shape(
        HERE,
        "bgp route-reflector allow-outbound-policy",
        Always("a route-map on the way out applies to reflected routes as to others"),
    ),
    shape(
        HERE,
        "bgp disable-ebgp-connected-route-check",
        Always("whether a neighbor's network is connected is not asked"),
    ),
    shape(
        HERE,
        "bgp enforce-first-as",
        Does(|site, a| {
            a.switch(&mut site.router().enforce_first_as);
            DONE
        }),
    ),
    shape(
        HERE,
        "bgp fast-convergence",
        Always("a lost link is acted upon at once"),
    ),
    shape(
        HERE,
        "bgp suppress-fib-pending",
        Does(|site, a| key(site, a, "router.suppress_fib_pending", "true")),
    ),
    shape(
        HERE,
        "bgp suppress-duplicates",
        Always("what a neighbor has been told is not told again"),
    ),
    shape(
        HERE,
        "bgp reject-as-sets",
        Never("paths with AS_SET are taken; `check` warns where we make them ourselves"),
    ),
    shape(
        HERE,
        "bgp hard-administrative-reset",
        Never(
            "an Administrative Reset lets neighbors keep routes (RFC 8538); one that does not is `rbgpctl clear --hard`",
        ),
    ),
    shape(
        HERE,
        "bgp graceful-restart",
        Does(|site, a| key(site, a, "graceful_restart.enabled", "true")),
    ),
    shape(
        &[Top],
        "bgp graceful-restart",
        Does(|site, a| of_all(site, a, "graceful_restart.enabled", "true")),
    ),
    shape(
        &[Top],
        "bgp graceful-shutdown",
        Does(|site, a| of_all(site, a, "router.graceful_shutdown", "true")),
    ),
    shape(
        &[Top],
        "bgp suppress-fib-pending",
        Does(|site, a| of_all(site, a, "router.suppress_fib_pending", "true")),
    ),
    shape(
        &[Top],
        "bgp graceful-restart-disable",
        Does(|site, a| of_all(site, a, "graceful_restart.enabled", "false")),
    ),
    shape(
        &[Top],
        "bgp graceful-restart restart-time <0-4095>",
        Does(|site, a| {
            let text = quote(&format!("{}s", a.value("<0-4095>")));
            of_all(site, a, "graceful_restart.restart_time", &text)
        }),
    ),
    shape(
        &[Top],
        "bgp graceful-restart stalepath-time <1-4095>",
        Does(|site, a| {
            let text = quote(&format!("{}s", a.value("<1-4095>")));
            of_all(site, a, "graceful_restart.stale_time", &text)
        }),
    ),
    shape(
        &[Top],
        "bgp graceful-restart select-defer-time <0-3600>",
        Does(|site, a| {
            let text = quote(&format!("{}s", a.value("<0-3600>")));
            of_all(site, a, "graceful_restart.deferral_time", &text)
        }),
    ),
    shape(
        &[Top],
        "bgp graceful-restart preserve-fw-state",
        Always("forwarding goes on over a restart, and neighbors are told so"),
    ),
    shape(
        HERE,
        "bgp graceful-restart-disable",
        Does(|site, a| key(site, a, "graceful_restart.enabled", "false")),
    ),
    shape(
        HERE,
        "bgp graceful-restart restart-time <0-4095>",
        Does(|site, a| seconds(site, a, "graceful_restart.restart_time", "<0-4095>")),
    ),
    shape(
        HERE,
        "bgp graceful-restart stalepath-time <1-4095>",
        Does(|site, a| seconds(site, a, "graceful_restart.stale_time", "<1-4095>")),
    ),
    shape(
        HERE,
        "bgp graceful-restart select-defer-time <0-3600>",
        Does(|site, a| seconds(site, a, "graceful_restart.deferral_time", "<0-3600>")),
    ),
    shape(
        HERE,
        "bgp graceful-restart rib-stale-time <1-3600>",
        Moot("routes of a former run go from the kernel once neighbors have sent theirs"),
    ),
    shape(
        HERE,
        "bgp graceful-restart preserve-fw-state",
        Always("forwarding goes on over a restart, and neighbors are told so"),
    ),
    shape(
        HERE,
        "bgp graceful-restart disable-eor",
        Moot("End-of-RIB is always sent"),
    ),
    shape(
        HERE,
        "bgp graceful-restart notification",
        Moot("RFC 8538 is spoken with every neighbor that does"),
    ),
    shape(
        HERE,
        "bgp long-lived-graceful-restart stale-time <1-16777215>",
        Does(|site, a| seconds(site, a, "graceful_restart.long_lived_time", "<1-16777215>")),
    ),
    shape(
        HERE,
        "bgp graceful-shutdown",
        Does(|site, a| key(site, a, "router.graceful_shutdown", "true")),
    ),
    shape(
        HERE,
        "bgp shutdown [message LINE]",
        Does(|site, a| {
            let text = a.get("LINE").map_or("true".to_owned(), quote);
            site.router().shutdown = (!a.no()).then(|| a.put(text));
            DONE
        }),
    ),
    shape(
        HERE,
        "bgp listen limit <1-65535>",
        Does(|site, a| {
            let limit = (!a.no()).then(|| a.put(a.value("<1-65535>")));
            site.router().listen_limit = limit;
            DONE
        }),
    ),
    shape(
        HERE,
        "bgp listen range PREFIX peer-group NAME",
        Does(|site, a| {
            let ranges = &mut site.router().listen_ranges;
            match a.no() {
                true => drop(ranges.remove(a.value("PREFIX"))),
                false => drop(ranges.insert(
                    a.value("PREFIX").to_owned(),
                    (a.value("NAME").to_owned(), a.spot),
                )),
            }
            DONE
        }),
    ),
    shape(
        HERE,
        "bgp max-med administrative [<0-4294967295>]",
        Does(|site, a| {
            let usual = MaxMed::USUAL.to_string();
            let med = a.get("<0-4294967295>").unwrap_or(&usual);
            key(site, a, "router.max_med", med)
        }),
    ),
    shape(
        HERE,
        "bgp max-med on-startup <5-86400> [<0-4294967295>]",
        Does(|site, a| {
            let med = a.get("<0-4294967295>");
            let med = med.map_or(String::new(), |med| format!(", med = {med}"));
            let time = quote(&format!("{}s", a.value("<5-86400>")));
            let table = format!("{{ time = {time}{med} }}");
            key(site, a, "router.max_med_on_startup", &table)
        }),
    ),
    shape(
        HERE,
        "bgp dampening LINE",
        Refused("routes are not dampened"),
    ),
    shape(HERE, "bgp dampening", Refused("routes are not dampened")),
    shape(
        HERE,
        "bgp minimum-holdtime <1-65535>",
        Does(|site, a| seconds(site, a, "router.minimum_hold_time", "<1-65535>")),
    ),
    shape(
        HERE,
        "bgp update-delay N [N]",
        Moot(
            "after a crash routes wait for End-of-RIB (`bgp graceful-restart select-defer-time`)",
        ),
    ),
    shape(
        HERE,
        "bgp conditional-advertisement timer N",
        Always("a condition takes effect with the route that makes the difference"),
    ),
    shape(
        HERE,
        "bgp (rpki strict|labeled-unicast LINE|allow-martian-nexthop|use-underlays-nexthop-weight|ipv6-auto-ra|link-bw-encoding-ieee)",
        Moot("it has no counterpart"),
    ),
    shape(
        HERE,
        "use-underlays-nexthop-weight",
        Moot("it has no counterpart"),
    ),
    shape(
        HERE,
        "bgp tcp-keepalive N N N",
        Moot("sessions have timers of their own, and a send hold timer (RFC 9687)"),
    ),
    shape(HERE, "bgp session-dscp N", Moot("packets are marked CS6")),
    shape(
        HERE,
        "(coalesce-time|read-quanta|write-quanta) N",
        Needless(TUNING),
    ),
    shape(
        HERE,
        "(update-delay|bgp advertisement-delay) N [N]",
        Moot(
            "after a crash routes wait for End-of-RIB (`bgp graceful-restart select-defer-time`)",
        ),
    ),
];

fn open(site: &mut Site, a: &Args<'_>, vrf: Option<String>) -> Done {
    if a.no() {
        site.routers.remove(&vrf);
        return DONE;
    }
    site.here.vrf = vrf;
    let asn = a.put(number(a.value("ASN")));
    let router = site.router();
    match &router.asn {
        Some(before) if before.text != asn.text => Err(format!(
            "this router is AS {0} in line {1}, and one router has one AS number: `no router bgp {0}` before \
             it removes that one with all that is in it, `router bgp {2} vrf NAME` is one beside it",
            before.text, before.spot.line, asn.text
        )),
        Some(_) => DONE,
        None => {
            router.asn = Some(asn);
            DONE
        }
    }
}

/// A setting of every router, unless one says otherwise itself.
fn of_all(site: &mut Site, a: &Args<'_>, key: &'static str, text: &str) -> Done {
    a.set(&mut site.of_all, key, text);
    DONE
}

fn active(site: &mut Site, a: &Args<'_>, family: Family) -> Done {
    a.switch(site.router().default_active.of_mut(family));
    DONE
}

/// On where FRR has its defaults for datacenters.
pub(in crate::frr) const SHOWN_NAMES: [&str; 2] =
    ["router.show_hostname", "router.show_next_hop_hostname"];

fn key(site: &mut Site, a: &Args<'_>, key: &'static str, text: &str) -> Done {
    a.set(&mut site.router().keys, key, text);
    DONE
}

fn seconds(site: &mut Site, a: &Args<'_>, key: &'static str, name: &str) -> Done {
    let text = quote(&format!("{}s", a.value(name)));
    a.set(&mut site.router().keys, key, text);
    DONE
}
