//! Neighbours: what the values of one mean together, and beside the rest of the file.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use bgp::attributes::Omitted;
use bgp::family::{Family, PerFamily};
use bgp::rib::{AdvertiseIf, DefaultOriginate, Handling, OwnAs, Presence, PrivateAs};
use bgp::session::RemoteAs;
use bgp::wire::{AttributeCodes, Unwanted};
use bgp::{Asn, Prefix, ScopedAddr};

use super::bfd::Profiles;
use super::{Once, or};
use crate::config::duration;
use crate::config::error::{At, Conflict, Problem, Report, Span};
use crate::config::file::{
    AoKeyTable, FamilyTable, File, MaximumTable, NeighborTable, SettingsTable, UpdateSource,
};
use crate::config::policy::resolve::Policies;
use crate::config::types::*;

/// Where neighbours are accepted: what they refer to and stand beside.
pub(super) struct Place<'a> {
    file: &'a File,
    asn: Asn,
    /// Other member AS of our confederation.
    members: Vec<Asn>,
    restart: &'a GracefulRestart,
    policies: &'a Policies,
    profiles: &'a Profiles<'a>,
    groups: BTreeMap<&'a str, &'a SettingsTable>,
}

impl<'a> Place<'a> {
    pub(super) fn new(
        file: &'a File,
        (asn, members): (Asn, Vec<Asn>),
        restart: &'a GracefulRestart,
        (policies, profiles): (&'a Policies, &'a Profiles<'a>),
        report: &mut Report,
    ) -> Self {
        let mut place = Self {
            file,
            asn,
            members,
            restart,
            policies,
            profiles,
            groups: BTreeMap::new(),
        };
        let mut seen = Once::new("peer group");
        for At { value: group, .. } in &file.peer_groups {
            // Whatever is wrong by itself is wrong without a member, too.
            families(&group.settings, policies, report);
            timers(&group.settings, report);
            source_interface(&group.settings, report);
            hops(&group.settings, report);
            bfd(&group.settings, profiles, report);
            signing(&group.settings, report);
            if let Some(name) = &group.name
                && seen.see(name.value.as_str(), name.span, report)
            {
                place.groups.insert(&name.value, &group.settings);
            }
        }
        place
    }

    /// The neighbours of the file.
    pub(super) fn neighbors(&self, report: &mut Report) -> Vec<Neighbor> {
        let mut seen = Once::new("neighbor");
        let mut neighbors = Vec::new();
        let named = |at: &&At<NeighborTable>| at.value.interface.is_none();
        for At { value: table, span } in self.file.neighbors.iter().filter(named) {
            if let Some(address) = table.address {
                seen.see(address.value, address.span, report);
            }
            let owner = Owner("[[neighbor]]", *span);
            let Some(settings) = self.inherited(&owner, &table.settings, report) else {
                continue;
            };
            if let Some(At { value, span }) = table.address {
                let host = At::new(value.ip(), span);
                if value.is_link_local() {
                    on_link(&settings, ("address", span), report);
                }
                addresses(self.file, &settings, host, report);
                self.signed(host, &settings, report);
            }
            let address = table.address.map(|address| address.value);
            neighbors.extend(self.accept(address, &settings, report));
        }
        neighbors
    }

    /// Neighbours that are known by their interface.
    pub(super) fn interfaces(&self, report: &mut Report) -> Vec<InterfaceNeighbor> {
        let mut seen = Once::new("neighbor");
        let mut neighbors = Vec::new();
        for At { value: table, span } in &self.file.neighbors {
            let Some(interface) = &table.interface else {
                continue;
            };
            seen.see(interface.value.as_str(), interface.span, report);
            let owner = Owner("[[neighbor]]", *span);
            let Some(settings) = self.inherited(&owner, &table.settings, report) else {
                continue;
            };
            if let Some(address) = table.address {
                let conflict = Conflict::Together {
                    one: "address",
                    two: "interface",
                    first: report.place(interface.span),
                };
                let hint = "the neighbor's link-local address is found on the interface; one that \
                            is known may stand beside it, like \"fe80::1\"";
                report.error_with_hint(address.span, conflict, hint);
            }
            on_link(&settings, ("interface", interface.span), report);
            let accepted = self.accept(Some(InterfaceNeighbor::NOBODY.into()), &settings, report);
            neighbors.extend(accepted.map(|settings| InterfaceNeighbor {
                interface: interface.value.clone(),
                advertisement_interval: or(
                    table.advertisement_interval,
                    InterfaceNeighbor::ADVERTISEMENT_INTERVAL,
                ),
                settings,
            }));
        }
        neighbors
    }

    /// Networks from which neighbours may come.
    pub(super) fn listen_ranges(&self, report: &mut Report) -> Vec<ListenRange> {
        let mut ranges = Vec::new();
        let mut others: Vec<At<Prefix>> = Vec::new();
        for At { value: table, span } in &self.file.listen_ranges {
            if let Some(prefix) = table.prefix {
                apart(prefix, &others, report);
                others.push(prefix);
            }
            let owner = Owner("[[listen_range]]", *span);
            let Some(settings) = self.inherited(&owner, &table.settings, report) else {
                continue;
            };
            let first = table.prefix.map(|prefix| prefix.value.addr().into());
            let accepted = self.accept(first, &settings, report);
            if let (Some(prefix), Some(neighbor)) = (table.prefix, accepted) {
                ranges.push(ListenRange {
                    prefix: prefix.value,
                    limit: or(table.limit, ListenRange::LIMIT),
                    settings: Neighbor {
                        port: BGP_PORT,
                        local_address: None,
                        source_interface: None,
                        passive: true,
                        ..neighbor
                    },
                });
            }
        }
        ranges
    }

    /// A key that stands for a network holds for every host in it that has none of its own, and
    /// Linux takes only one kind of key for an address.
    fn signed(&self, address: At<IpAddr>, settings: &SettingsTable, report: &mut Report) {
        let host = Prefix::host(address.value);
        for At { value: range, .. } in &self.file.listen_ranges {
            let Some(prefix) = range.prefix.filter(|it| it.value.contains(host)) else {
                continue;
            };
            let group = range.settings.peer_group.as_ref();
            let group = group.and_then(|name| self.groups.get(name.value.as_str()));
            let range = match group {
                Some(group) => &range.settings.inherit(group),
                None => &range.settings,
            };
            let kinds = [
                (
                    "password",
                    range.password.is_some(),
                    settings.password.is_some(),
                ),
                ("tcp_ao", range.tcp_ao.is_some(), settings.tcp_ao.is_some()),
            ];
            let missing = kinds.into_iter().filter(|(_, range, own)| *range && !own);
            for (key, ..) in missing {
                let conflict = Conflict::UnsignedInRange {
                    address: address.value.to_string(),
                    range: prefix.value.to_string(),
                    key,
                    first: report.place(prefix.span),
                };
                let hint = format!("give the neighbor a `{key}` too");
                report.error_with_hint(address.span, conflict, hint);
            }
            // One that is the whole range has its keys in place of those of the range.
            if prefix.value != host {
                keys_apart(address, settings, prefix, range, report);
            }
        }
    }

    /// One neighbour, or what stands for several. Checked even when it cannot be made.
    fn accept(
        &self,
        address: Option<ScopedAddr>,
        table: &SettingsTable,
        report: &mut Report,
    ) -> Option<Neighbor> {
        let families = families(table, self.policies, report);
        let timers = timers(table, report);
        relation(table, self.asn, &self.members, report);
        let auto = table.remote_as.filter(|at| at.value == RemoteAs::Auto);
        if let (Some(auto), Some(_)) = (auto, self.file.router.confederation_id) {
            let key = "remote_as";
            let because = "\"auto\" leaves open by which number a confederation is known to it";
            let hint = "write its AS number, \"external\" or \"internal\"";
            report.error_with_hint(auto.span, Problem::Unsupported { key, because }, hint);
        }
        let source_interface = source_interface(table, report);
        hops(table, report);
        let local_as = local_as(table, self.asn, report);
        let signing = signing(table, report);
        let bfd = bfd(table, self.profiles, report);
        Some(Neighbor {
            address: address?,
            remote_as: table.remote_as?.value,
            local_as,
            description: table.description.as_ref().map(|at| at.value.clone()),
            port: or(table.port, BGP_PORT),
            local_address: local_address(table).map(|at| at.value),
            source_interface,
            ttl_security: table.ttl_security.map(|at| at.value),
            multihop: table.multihop.map(|at| at.value),
            signing,
            passive: or(table.passive, false),
            shutdown: or(table.shutdown, false),
            shutdown_text: table.shutdown_text.clone(),
            role: table.role.map(|at| at.value),
            enforce_first_as: table.enforce_first_as.map(|at| at.value),
            relation: Relation {
                route_reflector_client: or(table.route_reflector_client, false),
                route_server_client: or(table.route_server_client, false),
                role_strict: or(table.role_strict, false),
            },
            timers,
            bfd,
            graceful_restart: or(table.graceful_restart, self.restart.enabled).then(|| {
                RestartTimes {
                    restart: or(table.restart_time, self.restart.restart_time),
                    long_lived: (table.long_lived_time.map(|it| it.value))
                        .or(self.restart.long_lived_time),
                }
            }),
            families,
            whole_bandwidths: or(table.whole_bandwidths, false),
            graceful_shutdown: or(table.graceful_shutdown, false),
            aigp: table.aigp.map(|it| it.value),
            unwanted: Unwanted {
                discard: codes(table.discard_attributes.as_ref()),
                withdraw: codes(table.withdraw_attributes.as_ref()),
            },
            fqdn: or(table.fqdn, true),
            capabilities: or(table.capabilities, true),
            software_version: or(table.software_version, SoftwareVersion::default()),
        })
    }

    /// The settings with those of their group, which must be there.
    fn inherited(
        &self,
        owner: &Owner,
        settings: &SettingsTable,
        report: &mut Report,
    ) -> Option<SettingsTable> {
        let Some(name) = &settings.peer_group else {
            return Some(settings.clone());
        };
        let Some(group) = self.groups.get(name.value.as_str()) else {
            let problem = Problem::Undefined {
                what: "peer group",
                name: name.value.clone(),
            };
            let hint = "define it as [[peer_group]] with this `name`";
            report.error_with_hint(name.span, problem, hint);
            return None;
        };
        let settings = settings.inherit(group);
        if settings.remote_as.is_none() {
            let problem = Problem::Missing {
                key: "remote_as".to_owned(),
                table: owner.0.to_owned(),
                expected: "the neighbor's AS number".to_owned(),
            };
            let hint = format!("set it here or in the peer group `{}`", name.value);
            report.error_with_hint(owner.1, problem, hint);
        }
        Some(settings)
    }
}

/// The table whose settings are accepted, as errors call it, and its place.
struct Owner(&'static str, Span);

/// Which of two ranges a neighbour comes from must not be a question.
fn codes(list: Option<&At<Vec<At<u8>>>>) -> AttributeCodes {
    let codes = list.into_iter().flat_map(|list| &list.value);
    codes.map(|code| code.value).collect()
}

fn apart(prefix: At<Prefix>, others: &[At<Prefix>], report: &mut Report) {
    let overlapping = others
        .iter()
        .find(|other| other.value.contains(prefix.value) || prefix.value.contains(other.value));
    if let Some(other) = overlapping {
        let conflict = Conflict::ListenRange {
            one: prefix.value.to_string(),
            two: other.value.to_string(),
            first: report.place(other.span),
        };
        let hint = "give each range a network of its own; a single host may be a [[neighbor]]";
        report.error_with_hint(prefix.span, conflict, hint);
    }
}

/// The neighbour is not ourselves, and we can connect from where we are told to.
fn addresses(file: &File, table: &SettingsTable, address: At<IpAddr>, report: &mut Report) {
    let vtep = file.evpn.as_ref().and_then(|evpn| evpn.value.vtep);
    let router_id = file
        .router_id
        .map(|id| At::new(IpAddr::V4(id.value), id.span));
    for (owner, own) in [
        ("router_id", router_id),
        ("vtep", vtep),
        ("local address", local_address(table)),
    ] {
        if let Some(own) = own.filter(|own| own.value == address.value) {
            let conflict = Conflict::OwnAddress {
                address: address.value.to_string(),
                owner,
                first: report.place(own.span),
            };
            let hint = "give the address of the other end of the link";
            report.error_with_hint(address.span, conflict, hint);
            return;
        }
    }
    if let Some(local) = local_address(table)
        && local.value.is_ipv4() != address.value.is_ipv4()
    {
        let conflict = Conflict::IpVersion {
            key: match table.local_address {
                Some(_) => "local_address",
                None => "update_source",
            },
            value: local.value.to_string(),
            address: address.value.to_string(),
        };
        report.error(local.span, conflict);
    }
}

/// Packets to a link-local address take its interface and an address of ours there.
fn on_link(settings: &SettingsTable, (two, first): (&'static str, Span), report: &mut Report) {
    let source = settings.update_source.as_ref();
    let beside = [
        ("local_address", settings.local_address.map(|at| at.span)),
        ("update_source", source.map(|at| at.span)),
        ("multihop", settings.multihop.map(|at| at.span)),
    ];
    for (one, span) in beside {
        if let Some(span) = span {
            let conflict = Conflict::Together {
                one,
                two,
                first: report.place(first),
            };
            let hint = "a link-local neighbor is on the interface, and so is our address";
            report.error_with_hint(span, conflict, hint);
        }
    }
}

/// `local_address`, or `update_source` where that is an address.
fn local_address(table: &SettingsTable) -> Option<At<IpAddr>> {
    let source = || match table.update_source.as_ref()? {
        At {
            value: UpdateSource::Address(address),
            span,
        } => Some(At::new(*address, *span)),
        At {
            value: UpdateSource::Interface(_),
            ..
        } => None,
    };
    table.local_address.or_else(source)
}

/// The interface of `update_source`; the other key may not stand beside it.
fn source_interface(table: &SettingsTable, report: &mut Report) -> Option<String> {
    let source = table.update_source.as_ref()?;
    if let Some(local) = table.local_address {
        let conflict = Conflict::Together {
            one: "update_source",
            two: "local_address",
            first: report.place(local.span),
        };
        report.error_with_hint(source.span, conflict, "both say where we connect from");
    }
    match &source.value {
        UpdateSource::Interface(name) => Some(name.clone()),
        UpdateSource::Address(_) => None,
    }
}

/// What signs the segments: a password or keys, not both.
fn signing(table: &SettingsTable, report: &mut Report) -> Option<Signing> {
    if let (Some(password), Some(keys)) = (&table.password, &table.tcp_ao) {
        let conflict = Conflict::Together {
            one: "tcp_ao",
            two: "password",
            first: report.place(password.span),
        };
        let hint = "the kernel takes one kind of signature for an address";
        report.error_with_hint(keys.span, conflict, hint);
    }
    let password = table.password.as_ref();
    let password = password.map(|at| Signing::Md5(at.value.clone()));
    password.or_else(|| tcp_ao(table.tcp_ao.as_ref()?, report).map(Signing::Ao))
}

/// Keys whose numbers tell them apart.
fn tcp_ao(At { value, .. }: &At<Vec<At<AoKeyTable>>>, report: &mut Report) -> Option<TcpAo> {
    let (mut ids, mut recv_ids) = (Once::new("TCP-AO key id"), Once::new("TCP-AO key recv_id"));
    for At { value: key, .. } in value {
        if let Some(id) = key.id {
            ids.see(id.value, id.span, report);
            let recv_id = key.recv_id.unwrap_or(id);
            recv_ids.see(recv_id.value, recv_id.span, report);
        }
    }
    let keys: Option<Vec<AoKey>> = value.iter().map(|at| ao_key(&at.value)).collect();
    keys.and_then(TcpAo::new)
}

/// The keys of a network stand for each host in it: a host's own key is one of those, or has other
/// numbers.
fn keys_apart(
    address: At<IpAddr>,
    settings: &SettingsTable,
    prefix: At<Prefix>,
    range: &SettingsTable,
    report: &mut Report,
) {
    let keys = |table: &SettingsTable| {
        let keys = table.tcp_ao.iter().flat_map(|at| &at.value);
        let keys = keys.filter_map(|at| Some((ao_key(&at.value)?, at.span)));
        keys.collect::<Vec<_>>()
    };
    let others = keys(range);
    for (key, span) in keys(settings) {
        if others.iter().any(|(other, _)| *other == key) {
            continue;
        }
        let meets = others.iter().find_map(|(other, first)| {
            let number = match (other.id == key.id, other.recv_id == key.recv_id) {
                (true, _) => "id",
                (false, true) => "recv_id",
                (false, false) => return None,
            };
            Some((number, *first))
        });
        if let Some((number, first)) = meets {
            let conflict = Conflict::KeyInRange {
                id: key.id,
                address: address.value.to_string(),
                number,
                range: prefix.value.to_string(),
                first: report.place(first),
            };
            let hint = "give it another number, or the same `recv_id`, `secret` and `algorithm` as \
                        in the range: its keys stand for the neighbor too (RFC 5925 §3.1)";
            report.error_with_hint(span, conflict, hint);
        }
    }
}

/// A key that is complete.
fn ao_key(key: &AoKeyTable) -> Option<AoKey> {
    let id = key.id?.value;
    Some(AoKey {
        id,
        recv_id: or(key.recv_id, id),
        secret: key.secret.as_ref()?.value.clone(),
        algorithm: or(key.algorithm, AoAlgorithm::default()),
    })
}

/// Another number of ours must be another one, to a neighbour in yet another AS.
fn local_as(table: &SettingsTable, own: Asn, report: &mut Report) -> Option<LocalAs> {
    let At { value, span } = table.local_as.as_ref()?;
    let asn = value.asn?.value;
    let remote = table.remote_as?.value;
    let dual = or(value.dual_as, false);
    let because = match remote {
        _ if asn == own => Some("which is our own AS number anyway"),
        RemoteAs::Exact(remote) if remote == own && !dual => {
            Some("on a session inside our own AS, without `dual_as`")
        }
        RemoteAs::Exact(_) | RemoteAs::External | RemoteAs::Internal | RemoteAs::Auto => None,
    };
    if let Some(because) = because {
        let conflict = Conflict::LocalAs {
            asn: asn.0,
            because,
        };
        let hint = "it is for a neighbor that knows us by another AS number";
        report.error_with_hint(*span, conflict, hint);
    }
    // Within an AS nothing stands in front of paths (RFC 7705 §4).
    if !dual && remote == RemoteAs::Exact(asn) {
        for (key, set) in [
            ("no_prepend", value.no_prepend),
            ("replace_as", value.replace_as),
        ] {
            if let Some(At { value: true, span }) = set {
                let because =
                    "beside a neighbor of the same AS, towards which nothing is prepended";
                report.error(span, Conflict::NoEffect { key, because });
            }
        }
    }
    Some(LocalAs {
        asn,
        prepend: !or(value.no_prepend, false),
        replace: or(value.replace_as, false),
        dual,
    })
}

/// Keys that are for neighbours of our own AS, or of others.
fn relation(table: &SettingsTable, own: Asn, members: &[Asn], report: &mut Report) {
    if let (Some(At { value: true, span }), None) = (table.role_strict, table.role) {
        let conflict = Conflict::NoEffect {
            key: "role_strict",
            because: "without `role`",
        };
        report.error(span, conflict);
    }
    let Some(remote_as) = table.remote_as else {
        return;
    };
    let on = |key: Option<At<bool>>| key.filter(|at| at.value).map(|at| at.span);
    let known_as = table.local_as.as_ref().and_then(|at| at.value.asn);
    let known_as = known_as.map(|asn| LocalAs {
        asn: asn.value,
        prepend: true,
        replace: false,
        dual: false,
    });
    let families = || table.families.iter().filter_map(|(_, it)| it.as_ref());
    let of_families = families().map(|it| it.value.route_reflector_client);
    for span in of_families
        .chain([table.route_reflector_client])
        .filter_map(on)
        .filter(|_| remote_as.value != RemoteAs::Auto)
        .filter(|_| !is_internal(remote_as.value, known_as, own))
    {
        let conflict = Conflict::NotInternal("route_reflector_client");
        let hint = "routes of other AS numbers are passed on without it";
        report.error_with_hint(span, conflict, hint);
    }
    let within = match remote_as.value {
        RemoteAs::Internal => own,
        RemoteAs::Exact(asn) if asn == own || members.contains(&asn) => asn,
        RemoteAs::Exact(asn) if known_as.is_some_and(|it| it.asn == asn) => asn,
        RemoteAs::Exact(_) | RemoteAs::External | RemoteAs::Auto => return,
    };
    let not_external = |key| match within == own || !members.contains(&within) {
        true => Conflict::NotExternal { key, asn: within.0 },
        false => Conflict::InConfederation { key, asn: within.0 },
    };
    for FamilyTable {
        as_override,
        remove_private_as,
        route_server_client,
        ..
    } in families().map(|at| &at.value)
    {
        let private = remove_private_as.filter(|at| at.value != PrivateAs::Keep);
        for (key, span) in [
            ("as_override", on(*as_override)),
            ("remove_private_as", private.map(|at| at.span)),
            ("route_server_client", on(*route_server_client)),
        ] {
            if let Some(span) = span {
                report.error(span, not_external(key));
            }
        }
    }
    for (key, span) in [
        ("role", table.role.map(|at| at.span)),
        ("route_server_client", on(table.route_server_client)),
        ("enforce_first_as", on(table.enforce_first_as)),
        (
            "local_as",
            table
                .local_as
                .as_ref()
                .map(|at| at.span)
                .filter(|_| members.contains(&within)),
        ),
    ] {
        if let Some(span) = span {
            report.error(span, not_external(key));
        }
    }
}

/// RFC 5082 §3 fixes the TTL that `multihop` would set.
fn hops(table: &SettingsTable, report: &mut Report) {
    if let (Some(security), Some(multihop)) = (table.ttl_security, table.multihop) {
        let conflict = Conflict::Together {
            one: "ttl_security",
            two: "multihop",
            first: report.place(multihop.span),
        };
        let hint = "for a neighbor N hops away set ttl_security = N alone (RFC 5082 §3)";
        report.error_with_hint(security.span, conflict, hint);
    }
}

/// The keepalive interval is a third of the hold time unless it is given (RFC 4271 §10).
fn timers(table: &SettingsTable, report: &mut Report) -> Timers {
    let defaults = Timers::default();
    let hold = or(table.hold, defaults.hold);
    let connect_retry = or(table.connect_retry, defaults.connect_retry);
    let third = Duration::from_secs(hold.as_secs() / 3);
    if let Some(keepalive) = table.keepalive {
        if hold.is_zero() {
            let conflict = Conflict::NoEffect {
                key: "keepalive",
                because: "when `hold` is 0s",
            };
            report.error(keepalive.span, conflict);
        } else if keepalive.value >= hold {
            let conflict = Conflict::Keepalive {
                keepalive: duration::format(keepalive.value),
                hold: duration::format(hold),
            };
            let hint = "a third of the hold time is usual (RFC 4271 §10)";
            report.error_with_hint(keepalive.span, conflict, hint);
        }
    }
    if let Some(send_hold) = table.send_hold.filter(|it| it.value < hold) {
        let conflict = Conflict::SendHold {
            send_hold: duration::format(send_hold.value),
            hold: duration::format(hold),
        };
        let hint = "8 minutes or more is usual (RFC 9687 §3.1)";
        report.error_with_hint(send_hold.span, conflict, hint);
    }
    Timers {
        hold,
        keepalive: or(table.keepalive, third),
        send_hold: table.send_hold.map(|it| it.value),
        connect_retry,
    }
}

/// BFD of a neighbour that is hops away is for several (RFC 5883), unless its table says otherwise.
fn bfd(table: &SettingsTable, profiles: &Profiles<'_>, report: &mut Report) -> Option<Bfd> {
    let bfd = table.bfd.as_ref().filter(|bfd| bfd.enabled)?;
    let hops = [table.ttl_security, table.multihop].map(|it| it.map(|at| at.value));
    let [ttl_security, multihop] = hops;
    let far = Bfd::is_far(ttl_security, multihop);
    Some(profiles.settings(bfd, far, report))
}

fn families(
    table: &SettingsTable,
    policies: &Policies,
    report: &mut Report,
) -> PerFamily<Option<NeighborFamily>> {
    let mut accept = |family: Family| {
        let At { value, .. }: &At<FamilyTable> = table.families.get(family).as_ref()?;
        value.active.then(|| NeighborFamily {
            import: policies.import_map(value.import.as_ref(), report),
            export: policies.route_map(value.export.as_ref(), report),
            next_hop: or(value.next_hop, NextHopRule::Auto),
            default_originate: default_originate(value, policies, report),
            advertise_if: advertise_if(value, policies, report),
            unsuppress: policies.route_map(value.unsuppress.as_ref(), report),
            maximum_prefixes_out: value
                .maximum_prefixes_out
                .and_then(|it| NonZeroU32::new(it.value)),
            handling: Handling {
                own_as: or(value.allowas_in, OwnAs::default()),
                as_override: or(value.as_override, false),
                as_path_unchanged: or(value.as_path_unchanged, false),
                med_unchanged: or(value.med_unchanged, false),
                private_as: or(value.remove_private_as, PrivateAs::Keep),
                omitted: or(value.send_community, Omitted::default()),
                // That of the neighbour, not of a family.
                whole_bandwidths: false,
                site_of_origin: value.site_of_origin.map(|it| it.value),
                distance: value.distance.map(|it| it.value),
            },
            weight: value.weight.map(|it| it.value),
            honor_blackhole: or(value.honor_blackhole, false),
            add_path: AddPath {
                receive: or(value.add_path_receive, false),
                send: value.add_path_send.map(|it| it.value),
            },
            maximum_prefixes: maximum_prefixes(value.maximum_prefixes.as_ref(), report),
            route_reflector_client: value.route_reflector_client.map(|it| it.value),
            route_server_client: value.route_server_client.map(|it| it.value),
        })
    };
    PerFamily {
        ipv4_unicast: accept(Family::Ipv4Unicast),
        ipv6_unicast: accept(Family::Ipv6Unicast),
        evpn: accept(Family::Evpn),
    }
}

fn default_originate(
    table: &FamilyTable,
    policies: &Policies,
    report: &mut Report,
) -> Option<DefaultOriginate> {
    let default = table.default_originate.as_ref()?;
    let default = Some(&default.value).filter(|it| it.enabled)?;
    let map = policies.route_map(default.route_map.as_ref(), report);
    // A name that stands for nothing was reported.
    Some(map.map_or(DefaultOriginate::Always, DefaultOriginate::While))
}

fn advertise_if(
    table: &FamilyTable,
    policies: &Policies,
    report: &mut Report,
) -> Option<AdvertiseIf> {
    let table = &table.advertise_if.as_ref()?.value;
    let [routes, exist, absent] = [&table.routes, &table.exist, &table.absent]
        .map(|name| policies.route_map(name.as_ref(), report));
    let (presence, condition) = match (exist, absent) {
        (Some(map), _) => (Presence::Exist, map),
        (None, Some(map)) => (Presence::Absent, map),
        (None, None) => return None,
    };
    Some(AdvertiseIf {
        routes: routes?,
        presence,
        condition,
    })
}

fn maximum_prefixes(
    table: Option<&At<MaximumTable>>,
    report: &mut Report,
) -> Option<MaximumPrefixes> {
    let table = &table?.value;
    let warning_only = or(table.warning_only, false);
    if let Some(restart_after) = table.restart_after.filter(|_| warning_only) {
        let conflict = Conflict::NoEffect {
            key: "restart_after",
            because: "with `warning_only`, which does not end the session",
        };
        report.error(restart_after.span, conflict);
    }
    let default = MaximumPrefixes::new(table.limit?.value);
    Some(MaximumPrefixes {
        warn_at: or(table.warn_at, default.warn_at),
        count: or(table.count, default.count),
        action: match table.restart_after {
            _ if warning_only => MaximumAction::Warn,
            Some(time) => MaximumAction::Restart(time.value),
            None => MaximumAction::Stop,
        },
        ..default
    })
}

#[cfg(test)]
mod tests;
