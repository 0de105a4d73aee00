//! Several instances in one file: what each is, and what two of them may not both have.
//!
//! Whatever there is once on a host belongs to one instance: a listening address, a neighbour's
//! address in one VRF, an interface beneath, a VNI with its devices ([`super::Overlays`]), and the
//! kernel's metrics within one routing table. Who has it first is named in the error.
//!
//! Not here: what only the running host knows, such as which table a VRF has.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use super::{Once, Overlays, speaker};
use crate::config::error::{At, Conflict, Problem, Report, Span};
use crate::config::file::File;
use crate::config::types::{Config, meet};
use bgp::ScopedAddr;

/// The instances beside the default one.
pub(super) fn accept(file: &File, overlays: &mut Overlays, report: &mut Report) -> Vec<Config> {
    let mut names = Once::new("instance");
    let mut instances = Vec::new();
    for at in &file.instances {
        let instance = &at.value;
        if let Some(name) = &instance.name {
            names.see(name.value.clone(), name.span, report);
        }
        let names = [
            ("hostname", &instance.router.hostname),
            ("domainname", &instance.router.domainname),
        ];
        for (key, name) in names {
            if let Some(name) = name {
                let because = "the host has one name for all instances";
                let hint = "set it in [router] at the top of the file";
                report.error_with_hint(name.span, Problem::Unsupported { key, because }, hint);
            }
        }
        let config = speaker(file, instance, overlays, report);
        in_vrf(instance, &config, report);
        instances.push(config);
    }
    instances
}

/// What does not work in a VRF is refused by name.
fn in_vrf(file: &File, config: &Config, report: &mut Report) {
    if let (Some(unreachable), None) = (&file.vrf_unreachable, &file.vrf_table) {
        let because = "rbgpd makes no VRF here, and others' it leaves as they are";
        let key = "vrf_unreachable";
        let hint = "add vrf_table = NUMBER, or leave it out";
        let unsupported = Problem::Unsupported { key, because };
        report.error_with_hint(unreachable.span, unsupported, hint);
    }
    let Some(vrf) = &file.vrf else {
        if let Some(table) = file.vrf_table {
            let because = "the instance has no `vrf` that it could be the table of";
            let key = "vrf_table";
            let hint = "add vrf = \"DEVICE\", or set `table` in [instance.kernel]";
            report.error_with_hint(table.span, Problem::Unsupported { key, because }, hint);
        }
        return;
    };
    if let Some(table) = file.kernel.table {
        let conflict = Conflict::Together {
            one: "table",
            two: "vrf",
            first: report.place(vrf.span),
        };
        let hint = "leave it out: the routing table is that of the VRF device";
        report.error_with_hint(table.span, conflict, hint);
    }
    if !config.vnis.is_empty() {
        let because = "tunnels of overlay networks leave outside of VRFs only";
        let problem = Problem::Unsupported {
            key: "vni",
            because,
        };
        report.error_with_hint(vrf.span, problem, "leave it out in an instance with `vrf`");
    }
}

/// One of the instances of a file, the default one among them.
#[derive(Clone, Copy)]
struct Member<'a> {
    file: &'a File,
    config: &'a Config,
    /// Where it begins.
    span: Span,
}

impl Member<'_> {
    fn name(&self) -> String {
        match &self.config.name {
            Some(name) => format!("instance `{name}`"),
            None => "the default instance".to_owned(),
        }
    }
}

/// What two instances may not both have.
pub(super) fn check(file: &File, config: &Config, report: &mut Report) {
    if file.instances.is_empty() {
        return;
    }
    let first = Member {
        file,
        config,
        span: file.asn.map_or(Span::default(), |asn| asn.span),
    };
    let others = file.instances.iter().zip(&config.instances);
    let others = others.map(|(at, config)| Member {
        file: &at.value,
        config,
        span: at.span,
    });
    let members: Vec<Member<'_>> = std::iter::once(first).chain(others).collect();
    neighbors(&members, report);
    let mut tenants = Once::new("l3vni of vrf");
    for At { value: file, .. } in &file.instances {
        if let (Some(vrf), Some(l3vni)) = (&file.vrf, &file.l3vni) {
            tenants.see(vrf.value.clone(), l3vni.span, report);
        }
    }
    for (at, member) in members.iter().enumerate() {
        for earlier in members.iter().take(at) {
            listening(member, earlier, report);
            metrics(member, earlier, report);
        }
    }
}

/// A connection, and a packet of BFD, must belong to one instance.
fn neighbors(members: &[Member<'_>], report: &mut Report) {
    let mut vrfs: BTreeMap<Option<&str>, (Once<ScopedAddr>, Once<String>)> = BTreeMap::new();
    for member in members {
        let (addresses, interfaces) = vrfs
            .entry(member.config.vrf.as_deref())
            .or_insert_with(|| (Once::new("neighbor"), Once::new("neighbor")));
        // Twice within one instance is reported with that instance, in the same words.
        for table in &member.file.neighbors {
            if let Some(address) = table.value.address {
                addresses.see(address.value, address.span, report);
            }
            if let Some(interface) = &table.value.interface {
                interfaces.see(interface.value.clone(), interface.span, report);
            }
        }
    }
}

/// One socket each.
fn listening(member: &Member<'_>, earlier: &Member<'_>, report: &mut Report) {
    if member.config.vrf != earlier.config.vrf {
        return;
    }
    let place = |member: &Member<'_>, address: &SocketAddr| {
        let written = member.file.listen.as_ref();
        let items = written.into_iter().flat_map(|at| &at.value);
        let mut same = items.filter(|at| at.value == *address);
        same.next().map_or(member.span, |at| at.span)
    };
    for one in &member.config.listen {
        let other = earlier.config.listen.iter().find(|two| meet(one, two));
        if let Some(two) = other {
            let conflict = Conflict::Listen {
                one: one.to_string(),
                two: two.to_string(),
                whose: earlier.name(),
                first: report.place(place(earlier, two)),
            };
            let hint = "give each instance `listen` with addresses of its own, like \
                        listen = [\"10.10.1.1:179\"]; unless set it is every address";
            report.error_with_hint(place(member, one), conflict, hint);
            // Once is enough: the other IP version has the same cause.
            return;
        }
    }
}

/// The kernel tells the routes of two instances apart by table, prefix and metric.
fn metrics(member: &Member<'_>, earlier: &Member<'_>, report: &mut Report) {
    // The table of a VRF is known on the running host only.
    if member.config.vrf.is_some() || earlier.config.vrf.is_some() {
        return;
    }
    let place = |member: &Member<'_>| {
        let kernel = &member.file.kernel;
        let written = kernel.external.or(kernel.internal);
        let table = kernel.table.map(|at| at.span);
        let written = written.map(|at| at.span).or(table);
        written.unwrap_or(member.span)
    };
    if let Some((table, metric)) = member.config.clash(earlier.config) {
        let conflict = Conflict::Metric {
            metric,
            table,
            whose: earlier.name(),
            first: report.place(place(earlier)),
        };
        let hint = "give one of them another `table`, or distances of its own, like \
                    kernel = { distance = { external = 30, internal = 30 } }: of two routes to one \
                    prefix the kernel uses the one with the lower distance";
        report.error_with_hint(place(member), conflict, hint);
    }
}
