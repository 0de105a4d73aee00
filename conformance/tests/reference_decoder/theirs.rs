//! What the other decoder reads, and what its encoder makes of that.

use std::collections::HashMap;

use netgauze_bgp_pkt::BgpMessage;
use netgauze_bgp_pkt::community::{EvpnExtendedCommunity, ExtendedCommunity};
use netgauze_bgp_pkt::nlri::{L2EvpnIpPrefixRoute, L2EvpnRoute, MplsLabel, RouteDistinguisher};
use netgauze_bgp_pkt::path_attribute::{
    Aggregator, AsPath, AsPathSegmentType, MpReach, MpUnreach, PathAttribute, PathAttributeValue,
};
use netgauze_bgp_pkt::wire::deserializer::BgpParsingContext;
use netgauze_parse_utils::WritablePdu;
use netgauze_parse_utils::reader::SliceReader;
use netgauze_parse_utils::traits::ParseFromWithOneInput;

use super::{Facts, hex};

/// Optional transitive attributes that we know, and whose Partial bit both keep.
const KNOWN: [u8; 5] = [7, 8, 16, 22, 32];

/// Decodes one message; every mistake counts.
pub(super) fn decode(message: &[u8], as4: bool) -> Result<BgpMessage, String> {
    let no = HashMap::new;
    let mut context = BgpParsingContext::new(as4, no(), HashMap::new(), true, true, true, true);
    let mut reader = SliceReader::new(message);
    BgpMessage::parse(&mut reader, &mut context).map_err(|error| error.to_string())
}

/// The facts, and the message as the other encoder writes it.
pub(super) fn facts(message: &[u8], as4: bool) -> Result<(Facts, Vec<u8>), String> {
    let decoded = decode(message, as4)?;
    let BgpMessage::Update(update) = &decoded else {
        return Err(format!("not an UPDATE: {decoded:?}"));
    };
    let mut facts = Facts::default();
    let mut plain_next_hop = None;
    for attribute in update.path_attributes() {
        match attribute.value() {
            PathAttributeValue::NextHop(it) => plain_next_hop = Some(it.next_hop()),
            PathAttributeValue::MpReach(reach) => announced(reach, &mut facts)?,
            PathAttributeValue::MpUnreach(unreach) => withdrawn(unreach, &mut facts)?,
            value => {
                let (code, words) = words(value, attribute)?;
                let partial = match attribute.partial() && KNOWN.contains(&code) {
                    true => " partial",
                    false => "",
                };
                facts.attributes.insert(code, words + partial);
            }
        }
    }
    for route in update.nlri() {
        let via = plain_next_hop.ok_or("routes without a next hop")?;
        let network = route.network();
        facts.announced.insert(format!("{network} via {via}"));
    }
    let gone = update.withdraw_routes().iter();
    facts
        .withdrawn
        .extend(gone.map(|route| route.network().to_string()));
    let mut again = Vec::new();
    decoded
        .write(&mut again)
        .map_err(|error| error.to_string())?;
    Ok((facts, again))
}

fn announced(reach: &MpReach, facts: &mut Facts) -> Result<(), String> {
    match reach {
        MpReach::Ipv4Unicast {
            next_hop,
            next_hop_local,
            nlri,
        } => {
            let via = and(next_hop, next_hop_local.as_ref());
            let routes = nlri.iter().map(|it| format!("{} via {via}", it.network()));
            facts.announced.extend(routes);
        }
        MpReach::Ipv6Unicast {
            next_hop_global,
            next_hop_local,
            nlri,
        } => {
            let via = and(next_hop_global, next_hop_local.as_ref());
            let routes = nlri.iter().map(|it| format!("{} via {via}", it.network()));
            facts.announced.extend(routes);
        }
        MpReach::L2Evpn { next_hop, nlri } => {
            for route in nlri {
                let route = evpn(route.route(), true)?;
                facts.announced.insert(format!("{route} via {next_hop}"));
            }
        }
        other => return Err(format!("not a family of ours: {other:?}")),
    }
    Ok(())
}

fn and(global: &impl ToString, link_local: Option<&std::net::Ipv6Addr>) -> String {
    match link_local {
        Some(link_local) => format!("{} and {link_local}", global.to_string()),
        None => global.to_string(),
    }
}

fn withdrawn(unreach: &MpUnreach, facts: &mut Facts) -> Result<(), String> {
    match unreach {
        MpUnreach::Ipv4Unicast { nlri } => {
            let routes = nlri.iter().map(|it| it.network().to_string());
            facts.withdrawn.extend(routes);
        }
        MpUnreach::Ipv6Unicast { nlri } => {
            let routes = nlri.iter().map(|it| it.network().to_string());
            facts.withdrawn.extend(routes);
        }
        MpUnreach::L2Evpn { nlri } => {
            for route in nlri {
                facts.withdrawn.insert(evpn(route.route(), false)?);
            }
        }
        other => return Err(format!("not a family of ours: {other:?}")),
    }
    Ok(())
}

/// An EVPN route; of a withdrawn one only what is part of its key.
fn evpn(route: &L2EvpnRoute, whole: bool) -> Result<String, String> {
    let zero = MplsLabel::new([0; 3]);
    let label = |it: &MplsLabel| hex(if whole { it.value() } else { zero.value() });
    let esi = |octets: &[u8; 10]| hex(if whole { octets } else { &[0; 10] });
    Ok(match route {
        L2EvpnRoute::EthernetAutoDiscovery(it) => {
            let (rd, segment) = (rd(it.rd())?, hex(it.segment_id().value()));
            let label = label(it.mpls_label());
            format!("1 {rd} {segment} {} {label}", it.tag().value())
        }
        L2EvpnRoute::MacIpAdvertisement(it) => {
            let (rd, segment) = (rd(it.rd())?, esi(it.segment_id().value()));
            let (tag, mac, ip) = (it.tag().value(), hex(it.mac().value()), it.ip());
            let second = it.mpls_label2().filter(|_| whole);
            let labels = (label(it.mpls_label1()), second.map(label));
            format!("2 {rd} {segment} {tag} {mac} {ip:?} {labels:?}")
        }
        L2EvpnRoute::InclusiveMulticastEthernetTagRoute(it) => {
            format!("3 {} {} {}", rd(it.rd())?, it.tag().value(), it.ip())
        }
        L2EvpnRoute::EthernetSegmentRoute(it) => {
            let segment = hex(it.segment_id().value());
            format!("4 {} {segment} {}", rd(it.rd())?, it.ip())
        }
        L2EvpnRoute::IpPrefixRoute(L2EvpnIpPrefixRoute::V4(it)) => {
            let (rd, segment) = (rd(it.rd())?, esi(it.segment_id().value()));
            let (tag, prefix) = (it.tag().value(), it.prefix());
            let gateway = gateway(it.gateway().into(), whole);
            format!(
                "5 {rd} {segment} {tag} {prefix} {gateway} {}",
                label(it.label())
            )
        }
        L2EvpnRoute::IpPrefixRoute(L2EvpnIpPrefixRoute::V6(it)) => {
            let (rd, segment) = (rd(it.rd())?, esi(it.segment_id().value()));
            let (tag, prefix) = (it.tag().value(), it.prefix());
            let gateway = gateway(it.gateway().into(), whole);
            format!(
                "5 {rd} {segment} {tag} {prefix} {gateway} {}",
                label(it.label())
            )
        }
        L2EvpnRoute::Unknown { code, value } => format!("{code} {}", hex(value)),
    })
}

/// RFC 9136 §3.1: a gateway of zero is none.
fn gateway(address: std::net::IpAddr, whole: bool) -> String {
    let some = Some(address).filter(|address| whole && !address.is_unspecified());
    format!("{some:?}")
}

fn rd(rd: RouteDistinguisher) -> Result<String, String> {
    octets(&rd).map(|octets| hex(&octets))
}

fn octets<E: std::fmt::Display>(value: &impl WritablePdu<E>) -> Result<Vec<u8>, String> {
    let mut octets = Vec::new();
    value
        .write(&mut octets)
        .map_err(|error| error.to_string())?;
    Ok(octets)
}

/// An attribute in the words of [`Facts`]. Those that the other codec has no words for are octets.
fn words(value: &PathAttributeValue, whole: &PathAttribute) -> Result<(u8, String), String> {
    use PathAttributeValue as Value;
    Ok(match value {
        Value::Origin(it) => {
            let word = match u8::from(*it) {
                0 => "Igp",
                1 => "Egp",
                _ => "Incomplete",
            };
            (1, word.to_owned())
        }
        Value::AsPath(it) => (2, path(it)),
        Value::MultiExitDiscriminator(it) => (4, it.metric().to_string()),
        Value::LocalPreference(it) => (5, it.metric().to_string()),
        Value::AtomicAggregate(_) => (6, String::new()),
        Value::Aggregator(Aggregator::As2Aggregator(it)) => {
            (7, format!("{} {}", it.asn(), it.origin()))
        }
        Value::Aggregator(Aggregator::As4Aggregator(it)) => {
            (7, format!("{} {}", it.asn(), it.origin()))
        }
        Value::Communities(it) => {
            let all = it.communities().iter().map(|it| it.value());
            (8, sorted(all.collect()))
        }
        Value::Originator(it) => (9, it.id().to_string()),
        Value::ClusterList(it) => {
            let ids: Vec<_> = it.cluster_list().iter().map(|it| it.id()).collect();
            (10, format!("{ids:?}"))
        }
        Value::ExtendedCommunities(it) => {
            let all: Result<Vec<String>, String> = it.communities().iter().map(extended).collect();
            (16, sorted(all?))
        }
        Value::LargeCommunities(it) => {
            let all = it.communities().iter();
            let all = all.map(|it| [it.global_admin(), it.local_data1(), it.local_data2()]);
            (32, sorted(all.collect()))
        }
        Value::OnlyToCustomer(it) => (35, it.asn().to_string()),
        Value::UnknownAttribute(it) => (it.code(), hex(it.value())),
        other => return Err(format!("not expected: {other:?} in {whole:?}")),
    })
}

/// The order of communities and how often one stands there mean nothing.
fn sorted<T: Ord + std::fmt::Debug>(mut list: Vec<T>) -> String {
    list.sort();
    list.dedup();
    format!("{list:?}")
}

fn path(path: &AsPath) -> String {
    let word = |kind| match kind {
        AsPathSegmentType::AsSet => "set",
        AsPathSegmentType::AsSequence => "sequence",
    };
    let segments: Vec<String> = match path {
        AsPath::As2PathSegments(all) => all
            .iter()
            .map(|it| format!("{} {:?}", word(it.segment_type()), it.as_numbers()))
            .collect(),
        AsPath::As4PathSegments(all) => all
            .iter()
            .map(|it| format!("{} {:?}", word(it.segment_type()), it.as_numbers()))
            .collect(),
    };
    segments.join(", ")
}

fn extended(community: &ExtendedCommunity) -> Result<String, String> {
    let meaning = match community {
        ExtendedCommunity::Evpn(EvpnExtendedCommunity::MacMobility { flags, seq_no }) => {
            format!("mobility {seq_no} {}", flags & 1 == 1)
        }
        ExtendedCommunity::Evpn(EvpnExtendedCommunity::EvpnRoutersMac { mac }) => {
            format!("router {}", hex(mac.value()))
        }
        ExtendedCommunity::Evpn(EvpnExtendedCommunity::EsImportRouteTarget { route_target }) => {
            format!("segment {}", hex(route_target))
        }
        ExtendedCommunity::Evpn(EvpnExtendedCommunity::EsiLabel { flags, esi_label }) => {
            format!("esi label {} {}", flags & 1 == 1, hex(esi_label))
        }
        _ => String::new(),
    };
    Ok(format!("{} {meaning}", hex(&octets(community)?)))
}
