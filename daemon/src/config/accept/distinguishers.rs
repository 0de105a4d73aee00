//! Route distinguishers of VNIs that say none (RFC 7432 §7.9).
//!
//! The router's identifier and the VNI. A VNI beyond the two octets that there are for it has the
//! number of its low two octets, or the next one that no other VNI of the file has: which one depends
//! on the file alone, so that it is the same after every start.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use bgp::Vni;
use bgp::evpn_route::RouteDistinguisher;

use crate::config::error::{At, Conflict, Report};
use crate::config::file::File;

/// Those of a file.
#[derive(Default)]
pub(super) struct Distinguishers {
    /// All VNIs, each with what it says.
    given: Vec<(Vni, Option<RouteDistinguisher>)>,
    /// By router identifier; worked out when the first VNI needs it.
    automatic: BTreeMap<Ipv4Addr, BTreeMap<Vni, RouteDistinguisher>>,
}

impl Distinguishers {
    /// What the VNIs of a file say, instances' included.
    pub(super) fn of(top: &File) -> Self {
        let instances = top.instances.iter().map(|it| &it.value);
        let mut given = Vec::new();
        for file in std::iter::once(top).chain(instances) {
            let vnis = file.vnis.iter().map(|it| (it.value.id, it.value.rd));
            let l3vni = file.l3vni.iter().map(|it| (it.value.id, it.value.rd));
            let named = vnis.chain(l3vni);
            given.extend(named.filter_map(|(id, rd)| Some((id?.value, rd.map(|rd| rd.value)))));
        }
        // The lower has its number first.
        given.sort_by_key(|(id, _)| *id);
        Self {
            given,
            automatic: BTreeMap::new(),
        }
    }

    /// That of a VNI.
    pub(super) fn get(
        &mut self,
        given: Option<At<RouteDistinguisher>>,
        id: At<Vni>,
        router_id: Ipv4Addr,
        report: &mut Report,
    ) -> RouteDistinguisher {
        if let Some(rd) = given {
            return rd.value;
        }
        if let Ok(number) = u16::try_from(id.value.get()) {
            return RouteDistinguisher::of_address(router_id, number);
        }
        let Self { given, automatic } = self;
        let automatic = automatic.entry(router_id).or_insert_with(|| {
            let all = evpn::distinguishers(router_id, given.iter().copied());
            let free = all.into_iter().filter_map(|(id, rd)| Some((id, rd.ok()?)));
            free.collect()
        });
        automatic.get(&id.value).copied().unwrap_or_else(|| {
            let hint = format!("set rd, for example \"{router_id}:1\", different for each VNI");
            let conflict = Conflict::NoAutomaticRd(id.value.get());
            report.error_with_hint(id.span, conflict, hint);
            RouteDistinguisher::of_address(router_id, 0)
        })
    }
}
