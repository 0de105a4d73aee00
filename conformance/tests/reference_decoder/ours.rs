//! What our decoder reads.

use std::collections::BTreeSet;

use bgp::attributes::{AttributeSet, NextHop, SegmentKind};
use bgp::evpn_route::{EvpnKey, EvpnTail};
use bgp::message::{Message, Update};
use bgp::nlri::{NlriList, PathId};
use bgp::wire::{self, Context, UpdateError, Verdict};

use super::{Facts, hex};

/// Our side of a session with these AS numbers.
pub(super) fn context(as4: bool) -> Context {
    Context {
        as4,
        extended_message: true,
        ..Context::default()
    }
}

/// Decodes an UPDATE, which must be without a mistake but for AS 0 in an attribute, which is then
/// left out (RFC 7607 §2). Real tables have it.
pub(super) fn decode(message: &[u8], as4: bool) -> Result<Update, String> {
    let decoded = wire::decode(message, &context(as4)).map_err(|error| error.to_string())?;
    match decoded {
        Message::Update(update) if left_out(&update).len() == update.errors.len() => Ok(update),
        other => Err(format!("not an UPDATE without mistakes: {other:?}")),
    }
}

/// Attributes that were left out because of AS 0, by type code.
pub(super) fn left_out(update: &Update) -> Vec<u8> {
    let errors = update.errors.iter();
    errors
        .filter_map(|error| match error {
            UpdateError::ZeroAs { code } if error.verdict() == Verdict::DiscardAttribute => {
                Some(*code)
            }
            _ => None,
        })
        .collect()
}

pub(super) fn facts(message: &[u8], as4: bool) -> Result<Facts, String> {
    let update = decode(message, as4)?;
    let mut facts = Facts::default();
    for list in &update.withdrawn {
        // Labels and the like of withdrawn routes mean nothing and are not kept.
        facts.withdrawn.extend(routes(list, &EvpnTail::default()));
    }
    for (list, attributes) in &update.announced {
        let set = attributes.thaw();
        let via = next_hop(set.next_hop);
        let tail = set.evpn.unwrap_or_default();
        let there = routes(list, &tail).into_iter();
        facts
            .announced
            .extend(there.map(|route| format!("{route} via {via}")));
        for (code, words) in attributes_of(&set) {
            let known = facts.attributes.insert(code, words.clone());
            if known.is_some_and(|known| known != words) {
                return Err(format!("two values of attribute {code} in one message"));
            }
        }
    }
    Ok(facts)
}

fn next_hop(next_hop: NextHop) -> String {
    match next_hop {
        NextHop::V4(address) => address.to_string(),
        NextHop::V6(address) => address.to_string(),
        NextHop::V6LinkLocal { global, link_local } => format!("{global} and {link_local}"),
    }
}

fn routes(list: &NlriList, tail: &EvpnTail) -> BTreeSet<String> {
    match list {
        NlriList::V4(list) => list.iter().map(|(id, key)| unicast(*id, key)).collect(),
        NlriList::V6(list) => list.iter().map(|(id, key)| unicast(*id, key)).collect(),
        NlriList::Evpn(list) => list.iter().map(|(_, key)| evpn(key, tail)).collect(),
    }
}

fn unicast(id: PathId, prefix: &impl ToString) -> String {
    assert_eq!(id, 0, "no add-path in these sessions");
    prefix.to_string()
}

fn evpn(key: &EvpnKey, tail: &EvpnTail) -> String {
    let label = |label: u32| format!("{label:06x}");
    let esi = hex(&tail.esi.0);
    match key {
        EvpnKey::EthernetAd { rd, esi, tag } => {
            let (rd, esi) = (hex(&rd.0), hex(&esi.0));
            format!("1 {rd} {esi} {tag} {}", label(tail.label))
        }
        EvpnKey::MacIp { rd, tag, mac, ip } => {
            let (rd, mac) = (hex(&rd.0), hex(&mac.0));
            let labels = (label(tail.label), tail.label2.map(label));
            format!("2 {rd} {esi} {tag} {mac} {ip:?} {labels:?}")
        }
        EvpnKey::InclusiveMulticast {
            rd,
            tag,
            originator,
        } => format!("3 {} {tag} {originator}", hex(&rd.0)),
        EvpnKey::EthernetSegment {
            rd,
            esi,
            originator,
        } => format!("4 {} {} {originator}", hex(&rd.0), hex(&esi.0)),
        EvpnKey::IpPrefix { rd, tag, prefix } => {
            let (rd, label) = (hex(&rd.0), label(tail.label));
            format!("5 {rd} {esi} {tag} {prefix} {:?} {label}", tail.gateway)
        }
        EvpnKey::Unknown { route_type, bytes } => format!("{route_type} {}", hex(bytes)),
    }
}

/// Everything but what says where routes are and how they are reached (MP_REACH_NLRI, NEXT_HOP).
fn attributes_of(set: &AttributeSet) -> Vec<(u8, String)> {
    let mut found = vec![(1, format!("{:?}", set.origin))];
    let segments: Vec<String> = set
        .as_path
        .iter()
        .map(|segment| {
            let kind = match segment.kind {
                SegmentKind::Set => "set",
                SegmentKind::Sequence => "sequence",
                SegmentKind::ConfedSequence => "confederation sequence",
                SegmentKind::ConfedSet => "confederation set",
            };
            let asns: Vec<u32> = segment.asns.iter().map(|asn| asn.0).collect();
            format!("{kind} {asns:?}")
        })
        .collect();
    found.push((2, segments.join(", ")));
    let mut put = |code: u8, words: Option<String>| {
        if let Some(words) = words {
            let partial = if set.partial.contains(code) {
                " partial"
            } else {
                ""
            };
            found.push((code, words + partial));
        }
    };
    put(4, set.med.map(|med| med.to_string()));
    put(5, set.local_pref.map(|preference| preference.to_string()));
    put(6, set.atomic_aggregate.then(String::new));
    put(
        7,
        set.aggregator
            .map(|it| format!("{} {}", it.asn.0, it.router_id)),
    );
    let communities: Vec<u32> = set.communities.iter().map(|it| it.0).collect();
    put(8, filled(&communities));
    put(9, set.originator_id.map(|id| id.to_string()));
    put(10, filled(&set.cluster_list));
    let extended: Vec<String> = set
        .extended_communities
        .iter()
        .map(|community| {
            let meaning = community
                .as_mac_mobility()
                .map(|(sequence, sticky)| format!("mobility {sequence} {sticky}"))
                .or_else(|| Some(format!("router {}", hex(&community.as_router_mac()?.0))))
                .or_else(|| Some(format!("segment {}", hex(&community.as_es_import()?.0))))
                .or_else(|| {
                    let (single_active, label) = community.as_esi_label()?;
                    Some(format!("esi label {single_active} {label:06x}"))
                });
            format!("{} {}", hex(&community.0), meaning.unwrap_or_default())
        })
        .collect();
    put(16, filled(&extended));
    put(
        22,
        set.pmsi_tunnel.as_ref().map(|it| {
            let [_, label @ ..] = it.label.to_be_bytes();
            let head = [it.flags, it.tunnel_type];
            hex(&[&head[..], &label, &it.identifier].concat())
        }),
    );
    let large: Vec<[u32; 3]> = set
        .large_communities
        .iter()
        .map(|it| [it.global, it.local1, it.local2])
        .collect();
    put(32, filled(&large));
    put(35, set.only_to_customer.map(|asn| asn.0.to_string()));
    for unknown in &set.unknown {
        // RFC 4271 §5 has us set their Partial bit when they go on, which we do as we read them.
        found.push((unknown.code, hex(&unknown.bytes)));
    }
    found
}

fn filled<T: std::fmt::Debug>(list: &[T]) -> Option<String> {
    (!list.is_empty()).then(|| format!("{list:?}"))
}
