//! UPDATE (RFC 4271 §4.3), read with the error handling of RFC 7606.
//!
//! The three fields are split first; then [`Found`] walks the attributes, checks each and keeps
//! slices of the message; then the routes are read, and only if all of them can be read the closed
//! attributes are made, once for the message. Writing UPDATEs is in [`pack`].

mod found;
mod pack;

use std::net::IpAddr;

use crate::attributes::{Attributes, Closed, NextHop};
use crate::evpn_route::{EvpnKey, EvpnTail};
use crate::family::Family;
use crate::message::Update;
use crate::nlri::{List4, NlriList, PathId};
use crate::wire::Context;
use crate::wire::attribute::Raw;
use crate::wire::attribute::multiprotocol::{self, Reach, Unreach};
use crate::wire::error::UpdateError;
use crate::wire::nlri::{NlriFault, evpn, ipv4, ipv6};
use crate::wire::read::Reader;
use found::Found;

pub use pack::{
    EncodeContext, EncodeError, encode_announce, encode_announce_list, encode_end_of_rib,
    encode_withdraw, encode_withdraw_list,
};

pub(super) fn decode(body: &[u8], ctx: &Context) -> Result<Update, UpdateError> {
    let fields = Fields::split(body)?;
    let mut found = Found::new();
    found.walk(fields.attributes, !fields.announced.is_empty(), ctx)?;
    // Filled in where they stand: as results they would be moved from one caller to the next.
    let (mut withdrawn, mut announced) = (List4::new(), List4::new());
    found.ipv4("withdrawn routes", fields.withdrawn, ctx, &mut withdrawn)?;
    found.ipv4("NLRI", fields.announced, ctx, &mut announced)?;
    let unreach = unreach(&fields, &mut found, ctx)?;
    let reach = reach(&fields, &mut found, ctx)?;
    let end_of_rib = end_of_rib(&fields, &found, unreach.as_ref());
    found.check_missing(&fields, reach.is_some())?;

    let mut update = Update {
        end_of_rib,
        ..Update::default()
    };
    if !withdrawn.is_empty() {
        update.withdrawn.push(NlriList::V4(withdrawn));
    }
    update
        .withdrawn
        .extend(unreach.filter(|list| !list.is_empty()));
    let routes = Routes {
        ipv4: announced,
        next_hop: found.next_hop,
        reach,
    };
    if found.withdraw {
        update.withdrawn.extend(routes.into_withdrawn());
    } else if !routes.is_empty() {
        let closed = Closed::new(found.canonical(ctx), ctx.hash_seed);
        routes.announce(closed, &mut update);
    }
    update.errors.append(&mut found.errors);
    Ok(update)
}

/// The three parts of the message's body.
struct Fields<'a> {
    withdrawn: &'a [u8],
    attributes: &'a [u8],
    announced: &'a [u8],
}

impl<'a> Fields<'a> {
    /// RFC 7606 §3 a: a length beyond the message resets the session.
    fn split(body: &'a [u8]) -> Result<Self, UpdateError> {
        let mut reader = Reader::new(body);
        let withdrawn = field(&mut reader, "withdrawn routes")?;
        let attributes = field(&mut reader, "total path attribute")?;
        Ok(Self {
            withdrawn,
            attributes,
            announced: reader.rest(),
        })
    }

    fn has_ipv4(&self) -> bool {
        !self.withdrawn.is_empty() || !self.announced.is_empty()
    }
}

fn field<'a>(reader: &mut Reader<'a>, field: &'static str) -> Result<&'a [u8], UpdateError> {
    let overrun = |length, available| UpdateError::FieldOverrun {
        field,
        length,
        available,
    };
    let length = reader.u16().map_err(|_| overrun(2, reader.len()))?;
    let octets = reader.take(length.into());
    octets.map_err(|_| overrun(length.into(), reader.len()))
}

/// The routes of MP_UNREACH_NLRI; an empty list if there is none in it.
fn unreach(
    fields: &Fields<'_>,
    found: &mut Found<'_>,
    ctx: &Context,
) -> Result<Option<NlriList>, UpdateError> {
    let Some(raw) = found.unreach else {
        return Ok(None);
    };
    let unreach = Unreach::decode(raw.value).map_err(|_| too_short(&raw))?;
    let Some(family) = ctx.negotiated(unreach.afi, unreach.safi) else {
        found.note(UpdateError::NotNegotiated {
            afi: unreach.afi,
            safi: unreach.safi,
        });
        return Ok(None);
    };
    let mut tails = Tails::default();
    list(unreach.routes, family, ctx, &mut tails)
        .map(Some)
        .map_err(|fault| routes_error(&raw, family, fault, fields, found))
}

/// The routes of MP_REACH_NLRI with their next hop.
fn reach(
    fields: &Fields<'_>,
    found: &mut Found<'_>,
    ctx: &Context,
) -> Result<Option<ReachRoutes>, UpdateError> {
    let Some(raw) = found.reach else {
        return Ok(None);
    };
    let reach = Reach::decode(raw.value).map_err(|_| too_short(&raw))?;
    found.reachable |= !reach.routes.is_empty();
    let Some(family) = ctx.negotiated(reach.afi, reach.safi) else {
        found.note(UpdateError::NotNegotiated {
            afi: reach.afi,
            safi: reach.safi,
        });
        return Ok(None);
    };
    let next_hop = multiprotocol::next_hop(reach.next_hop, family, ctx)?;
    if !is_host(next_hop.addr()) {
        found.note(UpdateError::NextHop(next_hop.addr()));
    }
    let mut tails = Tails::default();
    let list = list(reach.routes, family, ctx, &mut tails)
        .map_err(|fault| routes_error(&raw, family, fault, fields, found))?;
    Ok((!list.is_empty()).then_some(ReachRoutes {
        next_hop,
        list,
        tails,
    }))
}

fn too_short(raw: &Raw<'_>) -> UpdateError {
    UpdateError::MultiprotocolLength {
        code: raw.code,
        attribute: raw.to_bytes(),
    }
}

fn routes_error(
    raw: &Raw<'_>,
    family: Family,
    fault: NlriFault,
    fields: &Fields<'_>,
    found: &Found<'_>,
) -> UpdateError {
    let same = |other: Option<Raw<'_>>| {
        other.is_none_or(|other| {
            let unreach = Unreach::decode(other.value);
            unreach.is_ok_and(|one| Family::from_numbers(one.afi, one.safi) == Some(family))
        })
    };
    UpdateError::Routes {
        code: raw.code,
        family,
        fault,
        alone: !fields.has_ipv4() && same(found.reach) && same(found.unreach),
    }
}

/// Reads the routes of a multiprotocol attribute; EVPN tails go beside the list.
fn list(
    reader: Reader<'_>,
    family: Family,
    ctx: &Context,
    tails: &mut Tails,
) -> Result<NlriList, NlriFault> {
    let add_path = *ctx.add_path.get(family);
    Ok(match family {
        Family::Ipv4Unicast => {
            let mut routes = List4::new();
            ipv4::decode(reader, add_path, &mut routes)?;
            NlriList::V4(routes)
        }
        Family::Ipv6Unicast => NlriList::V6(ipv6::decode(reader, add_path)?),
        Family::Evpn => NlriList::Evpn(evpn_list(reader, add_path, tails)?),
    })
}

fn evpn_list(
    mut reader: Reader<'_>,
    add_path: bool,
    tails: &mut Tails,
) -> Result<Vec<(PathId, EvpnKey)>, NlriFault> {
    let mut routes = Vec::new();
    while !reader.is_empty() {
        let (id, key, tail) = evpn::decode(&mut reader, add_path)?;
        tails.push(tail);
        routes.push((id, key));
    }
    Ok(routes)
}

/// The tails of a list of EVPN routes, as runs of equal ones.
#[derive(Default)]
struct Tails(Vec<(EvpnTail, usize)>);

impl Tails {
    fn push(&mut self, tail: EvpnTail) {
        match self.0.last_mut() {
            Some((last, count)) if *last == tail => *count += 1,
            Some(_) | None => self.0.push((tail, 1)),
        }
    }
}

/// RFC 4724 §2: an UPDATE without anything, or with an empty MP_UNREACH_NLRI alone.
fn end_of_rib(
    fields: &Fields<'_>,
    found: &Found<'_>,
    unreach: Option<&NlriList>,
) -> Option<Family> {
    if fields.has_ipv4() {
        return None;
    }
    if fields.attributes.is_empty() {
        return Some(Family::Ipv4Unicast);
    }
    unreach
        .filter(|list| list.is_empty() && found.only_unreach)
        .map(NlriList::family)
}

/// RFC 4271 §6.3: a next hop must be a host's address. Loopback addresses pass, since whether
/// they are of use depends on where the session runs.
fn is_host(addr: IpAddr) -> bool {
    match addr {
        IpAddr::V4(addr) => !addr.is_unspecified() && !addr.is_multicast() && !addr.is_broadcast(),
        IpAddr::V6(addr) => !addr.is_unspecified() && !addr.is_multicast(),
    }
}

struct ReachRoutes {
    next_hop: NextHop,
    list: NlriList,
    tails: Tails,
}

/// What the message announces.
struct Routes {
    ipv4: List4,
    next_hop: Option<NextHop>,
    reach: Option<ReachRoutes>,
}

impl Routes {
    fn is_empty(&self) -> bool {
        self.ipv4.is_empty() && self.reach.is_none()
    }

    fn into_withdrawn(self) -> impl Iterator<Item = NlriList> {
        let reach = self.reach.map(|reach| reach.list);
        let ipv4 = (!self.ipv4.is_empty()).then_some(NlriList::V4(self.ipv4));
        ipv4.into_iter().chain(reach)
    }

    fn announce(self, closed: Closed, update: &mut Update) {
        if let (false, Some(next_hop)) = (self.ipv4.is_empty(), self.next_hop) {
            let attributes = closed.attributes(next_hop, None);
            update.announced.push((NlriList::V4(self.ipv4), attributes));
        }
        let Some(reach) = self.reach else {
            return;
        };
        match reach.list {
            list @ (NlriList::V4(_) | NlriList::V6(_)) => {
                let attributes = closed.attributes(reach.next_hop, None);
                update.announced.push((list, attributes));
            }
            NlriList::Evpn(list) => {
                let router_mac = closed.has_router_mac();
                let runs = EvpnRuns {
                    // One run of routes needs one copy of the octets.
                    closed: match reach.tails.0.len() {
                        0 | 1 => closed,
                        _ => closed.shared(),
                    },
                    next_hop: reach.next_hop,
                    router_mac,
                };
                runs.announce(list, reach.tails, update);
            }
        }
    }
}

/// Splits EVPN routes into lists of equal tails.
struct EvpnRuns {
    closed: Closed,
    next_hop: NextHop,
    router_mac: bool,
}

impl EvpnRuns {
    fn announce(&self, list: Vec<(PathId, EvpnKey)>, tails: Tails, update: &mut Update) {
        if let [(tail, _)] = tails.0.as_slice() {
            return self.announce_run(list, *tail, update);
        }
        let mut routes = list.into_iter();
        for (tail, count) in tails.0 {
            self.announce_run(routes.by_ref().take(count).collect(), tail, update);
        }
    }

    fn announce_run(&self, mut run: Vec<(PathId, EvpnKey)>, tail: EvpnTail, update: &mut Update) {
        let fault = run.iter().find_map(|(_, key)| self.fault(key, &tail));
        if let Some(fault) = fault {
            let bad = run.extract_if(.., |(_, key)| self.fault(key, &tail).is_some());
            update.withdrawn.push(NlriList::Evpn(bad.collect()));
            update.errors.push(UpdateError::Type5(fault));
        }
        if !run.is_empty() {
            let attributes = self.attributes(tail);
            update.announced.push((NlriList::Evpn(run), attributes));
        }
    }

    fn fault(&self, key: &EvpnKey, tail: &EvpnTail) -> Option<&'static str> {
        evpn::type5_fault(key, tail, self.router_mac)
    }

    fn attributes(&self, tail: EvpnTail) -> Attributes {
        self.closed.attributes(self.next_hop, Some(tail))
    }
}

#[cfg(test)]
mod tests;
