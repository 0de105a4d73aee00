//! BFD: what a session is, with its profile, and what the values of one mean together.

use std::collections::BTreeMap;

use bfd::{Authentication, KeyError};

use super::{Once, or};
use crate::config::error::{At, Conflict, Problem, Report};
use crate::config::file::{BfdAuthenticationTable, BfdPeerTable, BfdTable, File};
use crate::config::types::*;

/// The profiles of a file, by name.
pub(super) struct Profiles<'a>(BTreeMap<&'a str, &'a BfdTable>);

impl<'a> Profiles<'a> {
    /// What is wrong in a profile is wrong without a session that has it, too.
    pub(super) fn accept(top: &'a File, report: &mut Report) -> Self {
        let mut profiles = BTreeMap::new();
        let mut seen = Once::new("bfd profile");
        for At { value: profile, .. } in &top.bfd_profiles {
            authentication(&profile.settings, report);
            if let Some(name) = &profile.name
                && seen.see(name.value.as_str(), name.span, report)
            {
                profiles.insert(name.value.as_str(), &profile.settings);
            }
        }
        Self(profiles)
    }

    /// What a session's table says, with what its profile says beside that.
    fn fill(&self, table: &BfdTable, report: &mut Report) -> BfdTable {
        let profile = table.profile.as_ref().and_then(|name| {
            let profile = self.0.get(name.value.as_str());
            if profile.is_none() {
                let problem = Problem::Undefined {
                    what: "bfd profile",
                    name: name.value.clone(),
                };
                let hint = "define it as [[bfd_profile]] with this `name`";
                report.error_with_hint(name.span, problem, hint);
            }
            profile.copied()
        });
        table.with_profile(profile)
    }

    /// The settings of a session with this table. `far` is what its place says of `multihop`, where the
    /// table says nothing.
    pub(super) fn settings(&self, own: &BfdTable, far: bool, report: &mut Report) -> Bfd {
        let table = &self.fill(own, report);
        let default = Bfd::default();
        let multihop = or(table.multihop, far);
        let one = |at| or(at, or(table.interval, default.transmit_interval));
        let settings = Bfd {
            transmit_interval: one(table.transmit_interval),
            receive_interval: one(table.receive_interval),
            multiplier: or(table.multiplier, default.multiplier),
            multihop,
            min_ttl: match multihop {
                true => or(table.min_ttl, Bfd::MIN_TTL),
                false => Bfd::MIN_TTL,
            },
            passive: or(table.passive, default.passive),
            shutdown: or(table.shutdown, default.shutdown),
            authentication: authentication(table, report),
            echo: None,
            echo_receive: None,
            strict: or(table.strict, default.strict),
        };
        let settings = match multihop {
            true => no_echo(own, settings, report),
            false => {
                no_min_ttl(own, report);
                echo(own, table, settings, report)
            }
        };
        if let Some(strict) = table.strict.filter(|it| it.value && settings.shutdown) {
            let conflict = Conflict::NoEffect {
                key: "strict",
                because: "beside `shutdown` of BFD, which keeps it from ever being up",
            };
            let hint = "use `shutdown` of the neighbor to keep the BGP session down";
            report.error_with_hint(strict.span, conflict, hint);
        }
        settings
    }

    /// `[[bfd]]` of a file; sessions of an instance in a VRF are in that one.
    pub(super) fn peers(&self, file: &File, report: &mut Report) -> Vec<BfdPeer> {
        let mut seen = Once::new("bfd session");
        let mut peers = Vec::new();
        for At { value: table, span } in &file.bfd {
            let settings = self.settings(&table.settings, false, report);
            let Some(path) = path(file, table, settings.multihop, report) else {
                continue;
            };
            if seen.see(
                path.to_string(),
                table.peer.map_or(*span, |it| it.span),
                report,
            ) {
                peers.push(BfdPeer { path, settings });
            }
        }
        peers
    }
}

/// The echo function of a session over one hop.
fn echo(own: &BfdTable, table: &BfdTable, settings: Bfd, report: &mut Report) -> Bfd {
    let echo = or(table.echo, false);
    if let (Some(interval), false) = (own.echo_transmit_interval, echo) {
        let conflict = Conflict::NoEffect {
            key: "echo_transmit_interval",
            because: "without `echo = true`",
        };
        report.error(interval.span, conflict);
    }
    let interval = or(table.echo_transmit_interval, Bfd::ECHO);
    Bfd {
        echo: echo.then_some(interval),
        echo_receive: or(table.echo_receive_interval, None),
        ..settings
    }
}

/// What a profile says of the echo function is for sessions over one hop. What such a session says itself is
/// an error.
fn no_echo(own: &BfdTable, settings: Bfd, report: &mut Report) -> Bfd {
    let on = own.echo.filter(|at| at.value).map(|at| at.span);
    let often = own.echo_transmit_interval.map(|at| at.span);
    let back = own.echo_receive_interval.filter(|at| at.value.is_some());
    for (key, span) in [
        ("echo", on),
        ("echo_transmit_interval", often),
        ("echo_receive_interval", back.map(|at| at.span)),
    ] {
        let Some(span) = span else { continue };
        let conflict = Conflict::NoEffect {
            key,
            because: "over several hops: no router on the way would send the packets back (RFC 5883 §3)",
        };
        let hint = "leave it out, or `multihop` if the peer is on the link";
        report.error_with_hint(span, conflict, hint);
    }
    settings
}

/// What a profile says of the TTL is for sessions over several hops. What one over one hop says itself is
/// an error.
fn no_min_ttl(own: &BfdTable, report: &mut Report) {
    let Some(least) = own.min_ttl else { return };
    let conflict = Conflict::NoEffect {
        key: "min_ttl",
        because: "on the link: packets that do not arrive with 255 are dropped (RFC 5881 §5)",
    };
    let hint = "leave it out, or set `multihop` if the peer is behind routers";
    report.error_with_hint(least.span, conflict, hint);
}

fn path(
    file: &File,
    table: &BfdPeerTable,
    multihop: bool,
    report: &mut Report,
) -> Option<BfdPath> {
    let peer = table.peer?;
    if let Some(local) = table.local
        && local.value.is_ipv4() != peer.value.is_ipv4()
    {
        let problem = Problem::value("local", local.value, "an address of the peer's kind");
        report.error(local.span, problem);
    }
    if let (Some(interface), true) = (&table.interface, multihop) {
        let conflict = Conflict::NoEffect {
            key: "interface",
            because: "beside `multihop`: packets take whatever way there is",
        };
        report.error_with_hint(interface.span, conflict, "leave it out, or set `local`");
    }
    if let (Some(vrf), Some(own)) = (&table.vrf, &file.vrf)
        && vrf.value != own.value
    {
        let conflict = Conflict::Together {
            one: "vrf",
            two: "vrf",
            first: report.place(own.span),
        };
        report.error_with_hint(vrf.span, conflict, "leave it out: the instance has one");
    }
    let own = table.interface.as_ref().map(|at| at.value.clone());
    Some(BfdPath {
        peer: peer.value.ip(),
        local: table.local.map(|at| at.value),
        interface: own.or_else(|| peer.value.zone().map(str::to_owned)),
        vrf: table
            .vrf
            .as_ref()
            .or(file.vrf.as_ref())
            .map(|at| at.value.clone()),
        multihop,
    })
}

/// Keys that fit their method and have numbers of their own.
fn authentication(table: &BfdTable, report: &mut Report) -> Option<Authentication> {
    let BfdAuthenticationTable { method, keys } = table.authentication.as_ref()?.value.as_ref()?;
    let method = method.as_ref()?.value;
    let mut ids = Once::new("bfd key id");
    let mut all: Option<Authentication> = None;
    for At { value: key, .. } in keys {
        let (Some(id), Some(secret)) = (key.id, &key.secret) else {
            continue;
        };
        if !ids.see(id.value, id.span, report) {
            continue;
        }
        let octets = secret.value.as_bytes();
        let more = match all.clone() {
            Some(all) => all.accept(id.value, octets),
            None => Authentication::new(method, id.value, octets),
        };
        match more {
            Ok(more) => all = Some(more),
            Err(KeyError::Length { octets, max, .. }) => {
                let what = format!("a text of {octets} octets");
                let expected = format!("a text of 1 to {max} octets for {method}");
                let problem = Problem::value("secret", what, expected);
                report.error(secret.span, problem);
            }
            // Two of one number were seen above.
            Err(_) => {}
        }
    }
    all
}
