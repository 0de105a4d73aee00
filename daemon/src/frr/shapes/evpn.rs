//! EVPN: what stands in `address-family l2vpn evpn`, its `vni` blocks, and `vrf` with its L3 VNI.

use super::Means::{Always, Closes, Does, Moot, Opens, Refused};
use super::Node::{Evpn, Interface, Top, TopVni, Vni, Vrf};
use super::neighbor::number;
use super::{DONE, Done, Node, Shape, shape};
use crate::frr::model::{Args, Family, Site, quote};

const HERE: &[Node] = &[Evpn];
/// Targets of a VRF's L3 VNI, or of one VNI.
const TARGETS: &[Node] = &[Evpn, Vni, TopVni];

pub(super) const SHAPES: &[Shape] = &[
    shape(
        HERE,
        "advertise-all-vni",
        Does(|site, a| {
            site.router().evpn.all_vnis = (!a.no()).then_some(a.spot);
            DONE
        }),
    ),
    shape(
        HERE,
        "advertise (ipv4|ipv6) unicast [gateway-ip] [route-map NAME]",
        Does(advertise),
    ),
    shape(
        HERE,
        "advertise (ipv4|ipv6) unicast skip-evpn-imported",
        Always("a route that came from EVPN does not go back there"),
    ),
    shape(
        HERE,
        "default-originate (ipv4|ipv6)",
        Does(|site, a| {
            let family = family(a);
            let all = &mut site.router().evpn.default_originate;
            match a.no() {
                true => drop(all.remove(family)),
                false => drop(all.insert(family, a.put(quote(family)))),
            }
            DONE
        }),
    ),
    shape(
        HERE,
        "advertise-svi-ip",
        Does(|site, a| {
            site.router().evpn.svi = (!a.no()).then_some(a.spot);
            DONE
        }),
    ),
    shape(
        HERE,
        "advertise-default-gw",
        Does(|site, a| {
            site.router().evpn.gateway = (!a.no()).then_some(a.spot);
            DONE
        }),
    ),
    shape(
        &[Vni, TopVni],
        "advertise-svi-ip",
        Does(|site, a| {
            a.set(keys(site, a), "advertise_svi", "true");
            DONE
        }),
    ),
    shape(
        &[Vni, TopVni],
        "advertise-default-gw",
        Does(|site, a| {
            a.set(keys(site, a), "advertise_gateway", "true");
            DONE
        }),
    ),
    shape(
        &[Vni, TopVni],
        "advertise-subnet",
        Moot("networks of gateways are told by the VRF's own `redistribute connected`"),
    ),
    shape(
        HERE,
        "advertise-pip [ip ADDR] [mac MAC]",
        Moot("each router of an L3 VNI has a MAC address of its own, made of its tunnel endpoint"),
    ),
    shape(
        HERE,
        "flooding disable",
        Does(|site, a| {
            site.router().evpn.no_flooding = (!a.no()).then_some(a.spot);
            DONE
        }),
    ),
    shape(
        HERE,
        "flooding head-end-replication",
        Always("every site gets its own copy of frames to everybody"),
    ),
    shape(
        HERE,
        "dup-addr-detection",
        Does(|site, a| {
            site.router().evpn.duplicates_off = a.no().then_some(a.spot);
            DONE
        }),
    ),
    shape(
        HERE,
        "dup-addr-detection max-moves <2-1000> time <2-1800>",
        Does(|site, a| {
            let window = quote(&format!("{}s", a.value("<2-1800>")));
            let keys = &mut site.router().evpn.duplicates;
            a.set(keys, "moves", a.value("<2-1000>"));
            a.set(keys, "window", window);
            DONE
        }),
    ),
    shape(
        HERE,
        "dup-addr-detection freeze (<30-3600>|permanent)",
        Does(|site, a| {
            let keys = &mut site.router().evpn.duplicates;
            a.set(keys, "action", "\"freeze\"");
            match a.get("<30-3600>") {
                Some(time) => a.set(keys, "freeze_time", quote(&format!("{time}s"))),
                None => drop(keys.remove("freeze_time")),
            }
            DONE
        }),
    ),
    shape(
        HERE,
        "autort rfc8365-compatible",
        Refused(
            "automatic route targets are AS:VNI; write those of a VNI in its block (`vni N`, `route-target both`)",
        ),
    ),
    shape(
        HERE,
        "autort as ASN",
        Does(|site, a| {
            site.router().evpn.autort_as = (!a.no()).then(|| a.put(number(a.value("ASN"))));
            DONE
        }),
    ),
    shape(
        HERE,
        "vni <1-16777215>",
        Opens(Vni, |site, a| {
            let number = a
                .number("<1-16777215>")
                .and_then(|it| u32::try_from(it).ok())
                .unwrap_or(0);
            if a.no() {
                site.router().evpn.vnis.remove(&number);
                return DONE;
            }
            site.here.vni = number;
            site.vni().spot.get_or_insert(a.spot);
            DONE
        }),
    ),
    shape(&[Vni, TopVni], "exit-vni", Closes),
    shape(
        TARGETS,
        "rd RD",
        Does(|site, a| {
            let text = quote(a.value("RD"));
            a.set(keys(site, a), "rd", text);
            DONE
        }),
    ),
    shape(
        TARGETS,
        "route-target (import|export|both) TARGET...",
        Does(targets),
    ),
    shape(
        TARGETS,
        "route-target import auto",
        Always("automatic route targets are used where none are written"),
    ),
    shape(
        TARGETS,
        "route-target (export|both) auto",
        Always("automatic route targets are used where none are written"),
    ),
    shape(
        HERE,
        "(use-es-l3nhg|disable-ead-evi-rx|disable-ead-evi-tx|ead-es-frag LINE|ead-es-route-target LINE)",
        Refused("Ethernet segments are not configured here"),
    ),
    shape(
        HERE,
        "enable-resolve-overlay-index",
        Always("an overlay index in a type 5 route is resolved (RFC 9136)"),
    ),
    shape(
        HERE,
        "mac-vrf soo TARGET",
        Refused("set it by a route-map: `set extcommunity soo`"),
    ),
    shape(
        HERE,
        "(redistribute|network|import|export|soo|multihoming) LINE",
        Refused("EVPN takes over what its VNIs and VRFs have"),
    ),
    shape(
        &[Top],
        "vrf NAME",
        Opens(Vrf, |site, a| {
            let name = a.value("NAME").to_owned();
            if a.no() {
                site.vrfs.remove(&name);
                return DONE;
            }
            site.vrfs
                .entry(name.clone())
                .or_default()
                .spot
                .get_or_insert(a.spot);
            site.here.interface = name;
            DONE
        }),
    ),
    shape(&[Vrf], "vni <1-16777215>", Does(l3vni)),
    shape(
        &[Vrf],
        "vni <1-16777215> prefix-routes-only",
        Does(|site, a| {
            l3vni(site, a)?;
            let name = site.here.interface.clone();
            let only = (!a.no()).then_some(a.spot);
            site.vrfs.entry(name).or_default().prefix_routes_only = only;
            DONE
        }),
    ),
    shape(&[Vrf], "exit-vrf", Closes),
    shape(
        &[Vrf],
        "(ip|ipv6) (nht|import-table|router-id) LINE",
        Moot("each VRF's BGP does it by itself"),
    ),
    shape(
        &[Vrf],
        "(ip|ipv6) (pim|mroute|msdp|multicast|igmp|mld) [LINE]",
        super::Means::Elsewhere("pimd"),
    ),
    shape(&[Vrf], "netns NAME", Refused("VRFs are VRF devices")),
    shape(
        &[Top],
        "vni <1-16777215>",
        Opens(TopVni, |site, a| {
            let number = a
                .number("<1-16777215>")
                .and_then(|it| u32::try_from(it).ok())
                .unwrap_or(0);
            if a.no() {
                site.top_vnis.remove(&number);
                return DONE;
            }
            site.here.vni = number;
            site.top_vnis
                .entry(number)
                .or_default()
                .spot
                .get_or_insert(a.spot);
            DONE
        }),
    ),
    shape(
        &[Top],
        "evpn mh LINE",
        Refused("Ethernet segments are not configured here"),
    ),
    shape(
        &[Interface],
        "evpn mh LINE",
        Refused("Ethernet segments are not configured here"),
    ),
    shape(
        &[Interface],
        "vxlan LINE",
        Refused("a VXLAN device is made by ifupdown, systemd-networkd or [[vni]] in TOML"),
    ),
];

fn family(a: &Args<'_>) -> &'static str {
    match a.has("ipv6") {
        true => "ipv6_unicast",
        false => "ipv4_unicast",
    }
}

fn advertise(site: &mut Site, a: &Args<'_>) -> Done {
    let family = family(a);
    let map = a.get("NAME").map(|name| a.put(quote(name)));
    let evpn = &mut site.router().evpn;
    let of = match a.has("ipv6") {
        true => Family::Ipv6,
        false => Family::Ipv4,
    };
    *evpn.advertise_maps.of_mut(of) = map.filter(|_| !a.no());
    if a.no() {
        evpn.advertise.remove(family);
        return DONE;
    }
    evpn.advertise.insert(family, a.put(quote(family)));
    if a.has("gateway-ip") {
        a.set(&mut evpn.keys, "gateway_ip", "true");
    }
    DONE
}

fn l3vni(site: &mut Site, a: &Args<'_>) -> Done {
    let vni = (!a.no()).then(|| a.put(a.value("<1-16777215>")));
    let name = site.here.interface.clone();
    let vrf = site.vrfs.entry(name).or_default();
    (vrf.vni, vrf.prefix_routes_only) = (vni, None);
    DONE
}

/// The keys of what the block is about.
fn keys<'s>(site: &'s mut Site, a: &Args<'_>) -> &'s mut crate::frr::model::Keys {
    if a.node == Node::Vni {
        return &mut site.vni().keys;
    }
    if a.node == Node::TopVni {
        let vni = site.here.vni;
        return &mut site.top_vnis.entry(vni).or_default().keys;
    }
    &mut site.router().evpn.keys
}

fn targets(site: &mut Site, a: &Args<'_>) -> Done {
    let (import, export) = if a.node == Node::Vni {
        let vni = site.vni();
        (&mut vni.import_targets, &mut vni.export_targets)
    } else if a.node == Node::TopVni {
        let number = site.here.vni;
        let vni = site.top_vnis.entry(number).or_default();
        (&mut vni.import_targets, &mut vni.export_targets)
    } else {
        let evpn = &mut site.router().evpn;
        (&mut evpn.import_targets, &mut evpn.export_targets)
    };
    let mut note = None;
    for target in a.all("TARGET") {
        // `*:N` is any AS number, which is what automatic targets import.
        if target.starts_with("*:") {
            note = Some("any AS number with this VNI is what is imported without route targets");
            continue;
        }
        let named = a.put(quote(target));
        for (on, list) in [
            (!a.has("export"), &mut *import),
            (!a.has("import"), &mut *export),
        ] {
            if on {
                list.retain(|it| it.text != named.text);
                if !a.no() {
                    list.push(named.clone());
                }
            }
        }
    }
    Ok(note.map(str::to_owned))
}
