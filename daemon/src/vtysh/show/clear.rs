//! `clear bgp` and `clear evpn dup-addr`.
//!
//! FRR clears a family, an AS or a group; what rbgpd clears is a neighbour with all its families. So the
//! line is first made a list of neighbours, those that have the family it names, and each of them is
//! cleared: with `soft` the routes of all its families are exchanged again, which loses nothing.

use bgp::{ScopedAddr, Vni};
use evpn::Address;

use super::summary::{instances, is_up};
use super::words::families;
use super::{Answer, Answered};
use crate::control::{Clear, Request, SoftReset, reply};
use crate::vtysh::ask::{Asking, Router, Trouble};
use crate::vtysh::grammar::Said;

pub(super) async fn bgp(said: &Said, asking: &Asking) -> Answered {
    let routers = match instances(said, asking).await {
        Err(Trouble::Warning(_)) => {
            let name = said.value(&["NAME"]).unwrap_or_default();
            return Err(Trouble::Warning(format!(
                "Can't find BGP instance {name}\n"
            )));
        }
        routers => routers?,
    };
    let directions = directions(said);
    for router in routers {
        let mut cleared = match said.value(&["GROUP"]) {
            Some(group) => members(group, &router, asking).await?,
            None => wanted(said, &router).await?,
        };
        if !directions.contains(&SoftReset::None) {
            // Routes are exchanged again where there is a session; FRR says nothing of the others.
            let up = router.summary().await?.neighbors.into_iter();
            let up: Vec<ScopedAddr> = up.filter(is_up).map(|it| it.address).collect();
            cleared.retain(|it| up.contains(it));
        }
        for neighbor in cleared {
            let clear = Clear {
                neighbor: Some(neighbor),
                soft: SoftReset::None,
                ..Clear::default()
            };
            for soft in &directions {
                let clear = Clear {
                    soft: *soft,
                    ..clear.clone()
                };
                let _: reply::Clear = router.ask(&Request::Clear(clear)).await?;
            }
        }
    }
    Ok(Answer::Text(String::new()))
}

/// FRR's `soft` is both directions, and `in` or `out` mean the same without it.
fn directions(said: &Said) -> Vec<SoftReset> {
    match (said.has("in"), said.has("out"), said.has("soft")) {
        (true, _, _) => vec![SoftReset::In],
        (_, true, _) => vec![SoftReset::Out],
        (_, _, true) => vec![SoftReset::In, SoftReset::Out],
        _ => vec![SoftReset::None],
    }
}

async fn members(
    group: &str,
    router: &Router,
    asking: &Asking,
) -> Result<Vec<ScopedAddr>, Trouble> {
    let members = super::groups::members(group, router, asking).await?;
    members.ok_or_else(|| Trouble::Warning(format!("% BGP: No such peer-group {group}\n")))
}

/// The neighbours that a line means.
async fn wanted(said: &Said, router: &Router) -> Result<Vec<ScopedAddr>, Trouble> {
    // `clear ip bgp *` of FRR is for IPv4 alone, `clear bgp *` for all.
    let families =
        match said.has("ip") && !said.has("ipv4") && !said.has("ipv6") && !said.has("l2vpn") {
            true => bgp::Family::ALL.to_vec(),
            false => families(said),
        };
    let word = said.value(&["A.B.C.D", "X:X::X:X", "WORD"]);
    if let Some(word) = word {
        return match router.neighbor(word).await? {
            Some(address) => Ok(vec![address]),
            None => Err(Trouble::Warning(format!(
                "% BGP: Unknown neighbor - \"{word}\"\n"
            ))),
        };
    }
    let summary = router.summary().await?;
    let asn = said
        .value(&["<1-4294967295>"])
        .and_then(|text| text.parse::<u32>().ok());
    let takes = |it: &&reply::NeighborSummary| {
        let of_as = match (asn, said.has("external")) {
            (Some(asn), _) => it.remote_as == Some(asn),
            (None, true) => it.remote_as != Some(summary.asn),
            (None, false) => true,
        };
        of_as
            && families
                .iter()
                .any(|family| it.families.get(*family).is_some())
    };
    let found: Vec<ScopedAddr> = summary
        .neighbors
        .iter()
        .filter(takes)
        .map(|it| it.address)
        .collect();
    match (asn, found.is_empty()) {
        (Some(asn), true) => Err(Trouble::Warning(format!(
            "% BGP: No Unknown peer is configured with AS {asn}\n"
        ))),
        _ => Ok(found),
    }
}

pub(super) async fn duplicates(said: &Said, asking: &Asking) -> Answered {
    let vni = said.value(&["<1-16777215>"]);
    let vni = vni.and_then(|text| text.parse().ok()).and_then(Vni::new);
    let address = said.value(&["X:X:X:X:X:X", "A.B.C.D", "X:X::X:X"]);
    let address: Option<Address> = address.and_then(|text| text.parse().ok());
    let request = Request::ClearDuplicates { vni, address };
    let _: reply::EvpnDuplicates = asking.ask(&request).await?;
    Ok(Answer::Text(String::new()))
}
