//! Routes for `show routes`, a page at a time in the order of their keys.
//!
//! A page names the key behind which the next one begins, so a page costs one look over the keys
//! and its own rows, whatever came or went since the page before.

use bgp::attributes::NextHop;
use bgp::evpn_route::EvpnKey;
use bgp::message::Message;
use bgp::nlri::NlriList;
use bgp::rib::{Forwarding, Rejection};
use bgp::wire::{self, Context, EncodeContext};
use bytes::BytesMut;

use super::*;
use crate::control::{Page, Routes};

impl Core {
    pub(super) fn routes_reply(&self, request: &Routes) -> Result<reply::Routes, ErrorReply> {
        let select = self.selection(request.select)?;
        if let Some(prefix) = request.prefix {
            let families: Vec<Family> = match (request.family, prefix) {
                (Some(family), _) => vec![family],
                (None, Prefix::V4(_)) => vec![Family::Ipv4Unicast],
                (None, Prefix::V6(_)) => vec![Family::Ipv6Unicast],
            };
            let routes: Vec<RouteView> = families
                .into_iter()
                .flat_map(|family| self.matching(family, select, prefix))
                .collect();
            return Ok(reply::Routes {
                routes: self.rows(&routes, select),
                next: None,
                covered_by: routes
                    .is_empty()
                    .then(|| self.covered_by(prefix, select))
                    .flatten(),
            });
        }
        let families = match request.family {
            Some(family) => vec![family],
            None => Family::ALL.to_vec(),
        };
        let (routes, next) = self.page(&families, select, &request.page)?;
        Ok(reply::Routes {
            routes: self.rows(&routes, select),
            next,
            covered_by: None,
        })
    }

    fn selection(&self, select: Select) -> Result<rib::Select, ErrorReply> {
        Ok(match select {
            Select::All => rib::Select::All,
            Select::Received(address) => rib::Select::Received(self.named(address)?),
            Select::Advertised(address) => rib::Select::Advertised(self.named(address)?),
        })
    }

    /// The route of a prefix; for a host address without one, the longest match. EVPN has no
    /// table of prefixes; there, every IP prefix route of the prefix.
    fn matching(&self, family: Family, select: rib::Select, prefix: Prefix) -> Vec<RouteView> {
        if family == Family::Evpn {
            let wanted = |key: &&EvpnKey| matches!(key, EvpnKey::IpPrefix { prefix: of, .. } if *of == prefix);
            let keys = self.rib.evpn_keys().filter(wanted);
            let found = keys.filter_map(|key| self.rib.selected(&Nlri::Evpn(key.clone()), select));
            let mut found: Vec<RouteView> = found.collect();
            found.sort_by(|one, two| one.nlri.cmp(&two.nlri));
            return found;
        }
        let of_family = Nlri::from(prefix).family() == family;
        let host = prefix == Prefix::host(prefix.addr());
        covering(prefix)
            .take(if host { usize::MAX } else { 1 })
            .filter(|_| of_family)
            .find_map(|prefix| self.rib.selected(&Nlri::from(prefix), select))
            .into_iter()
            .collect()
    }

    fn covered_by(&self, prefix: Prefix, select: rib::Select) -> Option<String> {
        let found =
            covering(prefix).find_map(|prefix| self.rib.selected(&Nlri::from(prefix), select))?;
        Some(found.nlri.to_string())
    }

    /// Routes of a page, and where the next one begins.
    pub(super) fn page(
        &self,
        families: &[Family],
        select: rib::Select,
        page: &Page,
    ) -> Result<(Vec<RouteView>, Option<String>), ErrorReply> {
        let mut after = page.after.as_deref().map(read_place).transpose()?;
        let first = match &after {
            None => Some(0),
            Some(key) => families.iter().position(|family| *family == key.family()),
        };
        let Some(first) = first else {
            return Err(wrong_place(page.after.as_deref().unwrap_or_default()));
        };
        let mut routes: Vec<RouteView> = Vec::new();
        for family in families.iter().skip(first) {
            let room = page.size().saturating_sub(routes.len());
            let part = self
                .rib
                .page(*family, select, after.take().as_ref(), room.max(1));
            if room == 0 && part.routes.is_empty() {
                continue;
            }
            if room == 0 {
                let last = routes.last().map(|route| write_place(&route.nlri));
                return Ok((routes, last));
            }
            routes.extend(part.routes);
            if let Some(next) = part.next {
                return Ok((routes, Some(write_place(&next))));
            }
        }
        Ok((routes, None))
    }

    fn rows(&self, routes: &[RouteView], select: rib::Select) -> Vec<reply::Route> {
        let received = matches!(select, rib::Select::Received(_));
        let told = matches!(select, rib::Select::Advertised(_));
        let rows = |route: &RouteView| {
            let paths = route.paths.iter();
            let rows: Vec<reply::Route> = paths
                .map(|path| {
                    let mut row = self.route_row(&route.nlri, path, received);
                    if told {
                        // On the link to whom it is told, and not to who told us.
                        row.next_hops = vec![path.attributes.next_hop().addr().into()];
                    }
                    row
                })
                .collect();
            rows
        };
        routes.iter().flat_map(rows).collect()
    }

    /// Whether neighbours still wait for the kernel to have it, where they do.
    fn awaited(&self, nlri: &Nlri, path: &PathView) -> Option<String> {
        let forwarding = path.best.then(|| self.rib.forwarding(nlri))??;
        let word = match forwarding {
            Forwarding::Pending => "pending",
            Forwarding::There => "installed",
            Forwarding::Refused => "refused",
        };
        Some(word.to_owned())
    }

    pub(super) fn route_row(
        &self,
        nlri: &Nlri,
        path: &PathView,
        as_received: bool,
    ) -> reply::Route {
        let attributes = if as_received {
            &path.received
        } else {
            &path.attributes
        };
        let installed = kernel_prefix(nlri).is_some_and(|prefix| {
            (path.best || path.multipath)
                && self
                    .installed
                    .contains((&self.rib, &self.evpn), &self.route_key(prefix))
        });
        let reason = match (&path.rejection, path.lost) {
            (Some(rejection), _) => Some(rejection.to_string()),
            (None, Some(step)) => Some(self.config.bestpath.describe(step)),
            (None, None) => None,
        };
        let handed_over = self.handover.port(path.peer).map(ToString::to_string);
        let source = attributes.notes().source.map(|it| it.to_string());
        // Of paths from other tables it is our own, and says nothing.
        let path_id = match handed_over {
            Some(_) => 0,
            None => path.path_id,
        };
        reply::Route {
            family: nlri.family().name().to_owned(),
            prefix: nlri.to_string(),
            neighbor: self.address_of(path.peer),
            best: path.best,
            multipath: path.multipath,
            next_hops: vec![self.rib.next_hop(path.peer, attributes)],
            link_local: match attributes.next_hop() {
                NextHop::V6LinkLocal { link_local, .. } => Some(link_local),
                NextHop::V4(_) | NextHop::V6(_) => None,
            },
            as_path: as_path(attributes),
            origin: origin(attributes.origin()).to_owned(),
            communities: attributes.communities().map(|it| it.to_string()).collect(),
            large_communities: attributes
                .large_communities()
                .map(|it| it.to_string())
                .collect(),
            extended_communities: attributes
                .extended_communities()
                .map(|it| it.to_string())
                .collect(),
            local_pref: attributes.local_pref(),
            med: attributes.med(),
            installed,
            awaited: self.awaited(nlri, path),
            stale: path.stale,
            accepted: path.rejection.is_none(),
            rejected_by: path.rejection.as_ref().map(|it| rejected_by(it).to_owned()),
            weight: attributes.weight(),
            tag: attributes.notes().tag,
            aigp: attributes.aigp(),
            blackhole: attributes.notes().blackhole,
            rpki: self
                .validity(nlri, &path.received)
                .map(|state| state.word().to_owned()),
            source: handed_over.or(source),
            path_id,
            reason,
        }
    }
}

/// A rejection in one word.
fn rejected_by(rejection: &Rejection) -> &'static str {
    match rejection {
        Rejection::AsLoop(_)
        | Rejection::OriginatorLoop
        | Rejection::ClusterLoop(_)
        | Rejection::NextHopIsSelf => "loop",
        Rejection::Martian => "martian",
        Rejection::FirstAs { .. } | Rejection::NoConfederation => "first_as",
        Rejection::Leak(_) => "leak",
        Rejection::Policy => "policy",
        Rejection::NextHopUnreachable(_) => "next_hop",
    }
}

/// A key as `after` has it: a prefix, or in hex the octets of the UPDATE that would withdraw the EVPN
/// route, since what is shown of an EVPN route does not always tell it from others.
fn write_place(nlri: &Nlri) -> String {
    let Nlri::Evpn(key) = nlri else {
        return nlri.to_string();
    };
    let mut update = BytesMut::new();
    let list = NlriList::Evpn(vec![(0, key.clone())]);
    let context = EncodeContext {
        as4: true,
        extended_message: false,
        add_path: false,
    };
    wire::encode_withdraw_list(&list, &context, &mut update);
    update.iter().map(|octet| format!("{octet:02x}")).collect()
}

fn read_place(text: &str) -> Result<Nlri, ErrorReply> {
    if let Ok(prefix) = text.parse::<Prefix>() {
        return Ok(Nlri::from(prefix));
    }
    withdrawn(text)
        .map(Nlri::Evpn)
        .ok_or_else(|| wrong_place(text))
}

fn withdrawn(text: &str) -> Option<EvpnKey> {
    let digits: Option<Vec<u32>> = text.chars().map(|digit| digit.to_digit(16)).collect();
    let octets: Option<Vec<u8>> = digits?
        .chunks(2)
        .map(|pair| match pair {
            [high, low] => u8::try_from(high * 16 + low).ok(),
            _ => None,
        })
        .collect();
    let mut context = Context::default();
    *context.families.get_mut(Family::Evpn) = true;
    let Ok(Message::Update(update)) = wire::decode(&octets?, &context) else {
        return None;
    };
    match update.withdrawn.as_slice() {
        [NlriList::Evpn(keys)] => keys.first().map(|(_, key)| key.clone()),
        _ => None,
    }
}

pub(super) fn wrong_place(text: &str) -> ErrorReply {
    ErrorReply::bad_request(format!(
        "`after` is `{text}`, but must be `next` of the page before"
    ))
    .hint("without `after` the table begins at its start")
}

/// A prefix and those that contain it, longest first.
pub(super) fn covering(prefix: Prefix) -> impl Iterator<Item = Prefix> {
    (0..=prefix.len())
        .rev()
        .filter_map(move |len| Prefix::new(prefix.addr(), len))
}

fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::Igp => "igp",
        Origin::Egp => "egp",
        Origin::Incomplete => "incomplete",
    }
}

fn as_path(attributes: &Attributes) -> Vec<AsPathItem> {
    attributes
        .as_path()
        .flat_map(|segment| {
            let asns: Vec<u32> = segment.asns().map(|asn| asn.0).collect();
            match segment.kind {
                SegmentKind::Sequence => asns.into_iter().map(AsPathItem::Asn).collect(),
                SegmentKind::Set => vec![AsPathItem::Set { set: asns }],
                SegmentKind::ConfedSequence => {
                    vec![AsPathItem::ConfedSequence {
                        confed_sequence: asns,
                    }]
                }
                SegmentKind::ConfedSet => vec![AsPathItem::ConfedSet { confed_set: asns }],
            }
        })
        .collect()
}

/// What a route itself is in the kernel. The prefix of an EVPN route is in the tables of VRFs, whose
/// instances show it; that our own table has the same one says nothing of it.
fn kernel_prefix(nlri: &Nlri) -> Option<Prefix> {
    nlri.prefix().filter(|_| nlri.family() != Family::Evpn)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use bgp::evpn_route::{Esi, MacAddress, RouteDistinguisher};

    use super::*;

    #[test]
    fn a_place_leads_back_to_its_key() {
        let rd = RouteDistinguisher::of_address(Ipv4Addr::new(10, 10, 0, 1), 100);
        let mac_ip = |ip| EvpnKey::MacIp {
            rd,
            tag: 7,
            mac: MacAddress([2, 0, 0, 0, 0, 1]),
            ip,
        };
        let unknown = |octet| EvpnKey::Unknown {
            route_type: 9,
            bytes: vec![1, 2, octet].into(),
        };
        let mut keys: Vec<Nlri> = [
            mac_ip(None),
            mac_ip(Some(std::net::IpAddr::from([10, 50, 0, 1]))),
            EvpnKey::EthernetAd {
                rd,
                esi: Esi([9; 10]),
                tag: u32::MAX,
            },
            // Shown alike, and yet two routes.
            unknown(3),
            unknown(4),
        ]
        .into_iter()
        .map(Nlri::Evpn)
        .collect();
        for prefix in ["10.0.0.0/8", "0.0.0.0/0", "2001:db8::/32", "::1/128"] {
            keys.push(Nlri::from(prefix.parse::<Prefix>().unwrap()));
        }
        for key in keys {
            assert_eq!(read_place(&write_place(&key)), Ok(key));
        }
    }

    #[test]
    fn what_is_no_place_is_refused() {
        for wrong in ["", "1000", "zzz", "ff", "fff", "10.0.0.0/33", "é"] {
            assert!(read_place(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_prefix_of_an_evpn_route_is_not_looked_for_in_our_own_table() {
        let prefix: Prefix = "10.1.0.0/16".parse().unwrap();
        assert_eq!(kernel_prefix(&Nlri::from(prefix)), Some(prefix));
        let route = EvpnKey::IpPrefix {
            rd: "10.0.0.1:4001".parse().unwrap(),
            tag: 0,
            prefix,
        };
        assert_eq!(Nlri::Evpn(route.clone()).prefix(), Some(prefix));
        assert_eq!(kernel_prefix(&Nlri::Evpn(route)), None);
    }
}
