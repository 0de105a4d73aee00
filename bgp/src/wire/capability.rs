//! Capabilities of an OPEN (RFC 5492 §4).
//!
//! A capability whose value does not have the form its document gives it is kept as
//! [`Capability::Unknown`]: it counts as not announced, which the peer learns by what is not
//! negotiated. Only a length that runs past its parameter is an error.

use crate::asn::Asn;
use crate::message::{AddPathMode, Capability, GracefulRestart, LongLived, Role};
use crate::wire::read::{Reader, Short};

/// Reads the capabilities of one optional parameter.
pub(super) fn decode(mut reader: Reader<'_>, out: &mut Vec<Capability>) -> Result<(), Short> {
    while !reader.is_empty() {
        let code = reader.u8()?;
        let length = reader.u8()?;
        let value = reader.sub(usize::from(length))?;
        out.push(known(code, value).unwrap_or_else(|| Capability::Unknown {
            code,
            bytes: value.rest().into(),
        }));
    }
    Ok(())
}

/// Longest time of the 24-bit field (RFC 9494 §3).
const LONG_LIVED_MAX_S: u32 = 0x00ff_ffff;

fn known(code: u8, mut value: Reader<'_>) -> Option<Capability> {
    let capability = match code {
        1 => {
            let afi = value.u16().ok()?;
            let _reserved = value.u8().ok()?;
            Capability::Multiprotocol(afi, value.u8().ok()?)
        }
        2 => Capability::RouteRefresh,
        5 => Capability::ExtendedNextHop(entries(&mut value, |entry| {
            Ok((entry.u16()?, entry.u16()?, entry.u16()?))
        })?),
        6 => Capability::ExtendedMessage,
        9 => Capability::Role(role(value.u8().ok()?)?),
        64 => Capability::GracefulRestart(graceful_restart(&mut value)?),
        65 => Capability::FourOctetAs(Asn(value.u32().ok()?)),
        69 => Capability::AddPath(add_path(&mut value)?),
        70 => Capability::EnhancedRouteRefresh,
        71 => Capability::LongLived(entries(&mut value, long_lived)?),
        73 => Capability::Fqdn {
            hostname: name(&mut value)?,
            domain: name(&mut value)?,
        },
        75 => software_version(&mut value)?,
        _ => return None,
    };
    value.is_empty().then_some(capability)
}

fn entries<'a, T>(
    value: &mut Reader<'a>,
    read: impl Fn(&mut Reader<'a>) -> Result<T, Short>,
) -> Option<Vec<T>> {
    let mut list = Vec::new();
    while !value.is_empty() {
        list.push(read(value).ok()?);
    }
    Some(list)
}

fn role(code: u8) -> Option<Role> {
    match code {
        0 => Some(Role::Provider),
        1 => Some(Role::RouteServer),
        2 => Some(Role::RouteServerClient),
        3 => Some(Role::Customer),
        4 => Some(Role::Peer),
        _ => None,
    }
}

fn graceful_restart(value: &mut Reader<'_>) -> Option<GracefulRestart> {
    let head = value.u16().ok()?;
    Some(GracefulRestart {
        restarting: head & RESTARTING != 0,
        notification: head & KEEP_OVER_NOTIFICATION != 0,
        restart_time: head & RESTART_TIME,
        families: entries(value, |entry| {
            let (afi, safi, flags) = (entry.u16()?, entry.u8()?, entry.u8()?);
            Ok((afi, safi, flags & FORWARDING_PRESERVED != 0))
        })?,
    })
}

fn add_path(value: &mut Reader<'_>) -> Option<Vec<(u16, u8, AddPathMode)>> {
    let list = entries(value, |entry| Ok((entry.u16()?, entry.u8()?, entry.u8()?)))?;
    // RFC 7911 §4: with any other value of send/receive the capability, all of it, "SHOULD be treated
    // as not understood and ignored".
    let modes = list.into_iter().map(|(afi, safi, mode)| {
        let mode = match mode {
            1 => AddPathMode::Receive,
            2 => AddPathMode::Send,
            3 => AddPathMode::Both,
            _ => return None,
        };
        Some((afi, safi, mode))
    });
    modes.collect()
}

/// RFC 9494 §3: a time of three octets behind the flags.
fn long_lived(entry: &mut Reader<'_>) -> Result<LongLived, Short> {
    let (afi, safi) = (entry.u16()?, entry.u8()?);
    let [flags, high, middle, low] = entry.u32()?.to_be_bytes();
    Ok(LongLived {
        afi,
        safi,
        preserved: flags & 0x80 != 0,
        time: u32::from_be_bytes([0, high, middle, low]),
    })
}

fn put_long_lived(list: &[LongLived], value: &mut Vec<u8>) {
    for entry in list.iter().take(36) {
        value.extend(entry.afi.to_be_bytes());
        let [_, high, middle, low] = entry.time.min(LONG_LIVED_MAX_S).to_be_bytes();
        let flags = if entry.preserved { 0x80 } else { 0 };
        value.extend([entry.safi, flags, high, middle, low]);
    }
}

fn name(value: &mut Reader<'_>) -> Option<String> {
    let length = value.u8().ok()?;
    let octets = value.take(usize::from(length)).ok()?;
    String::from_utf8(octets.to_vec()).ok()
}

/// Both forms of the draft: which one it is shows by what a length in front would have to be.
fn software_version(value: &mut Reader<'_>) -> Option<Capability> {
    let octets = value.take(value.rest().len()).ok()?;
    let old = octets.split_first();
    let old = old.filter(|(length, rest)| usize::from(**length) == rest.len());
    let (text, latest) = old.map_or((octets, true), |(_, rest)| (rest, false));
    Some(Capability::SoftwareVersion {
        version: String::from_utf8(text.to_vec()).ok()?,
        latest,
    })
}

/// Appends one capability. Lists are cut after the last whole entry that fits 255 octets.
pub(super) fn encode(capability: &Capability, out: &mut Vec<u8>) {
    let mut value = Vec::new();
    let code = match capability {
        Capability::Multiprotocol(afi, safi) => {
            value.extend(afi.to_be_bytes());
            value.extend([0, *safi]);
            1
        }
        Capability::RouteRefresh => 2,
        Capability::ExtendedNextHop(list) => {
            for (afi, safi, next_hop_afi) in list.iter().take(42) {
                value.extend(afi.to_be_bytes());
                value.extend(safi.to_be_bytes());
                value.extend(next_hop_afi.to_be_bytes());
            }
            5
        }
        Capability::ExtendedMessage => 6,
        Capability::Role(role) => {
            value.push(role_code(*role));
            9
        }
        Capability::GracefulRestart(restart) => {
            put_graceful_restart(restart, &mut value);
            64
        }
        Capability::FourOctetAs(asn) => {
            value.extend(asn.0.to_be_bytes());
            65
        }
        Capability::AddPath(list) => {
            for (afi, safi, mode) in list.iter().take(63) {
                value.extend(afi.to_be_bytes());
                value.extend([*safi, mode_code(*mode)]);
            }
            69
        }
        Capability::EnhancedRouteRefresh => 70,
        Capability::LongLived(list) => {
            put_long_lived(list, &mut value);
            71
        }
        Capability::Fqdn { hostname, domain } => {
            put_name(hostname, &mut value);
            put_name(domain, &mut value);
            73
        }
        Capability::SoftwareVersion { version, latest } => {
            put_name(version, &mut value);
            if *latest {
                value.remove(0);
            }
            75
        }
        Capability::Unknown { code, bytes } => {
            value.extend(bytes.iter().take(255));
            *code
        }
    };
    out.push(code);
    out.push(u8::try_from(value.len()).unwrap_or(u8::MAX));
    out.extend(value.iter().take(255));
}

/// Drops the last capabilities of an encoded list until it fits `room` octets.
pub(super) fn cut(list: &mut Vec<u8>, room: usize) {
    if list.len() <= room {
        return;
    }
    let mut reader = Reader::new(list);
    let mut end = 0;
    while let (Ok(_), Ok(length)) = (reader.u8(), reader.u8()) {
        let next = end + 2 + usize::from(length);
        if next > room || reader.take(usize::from(length)).is_err() {
            break;
        }
        end = next;
    }
    list.truncate(end);
}

fn role_code(role: Role) -> u8 {
    match role {
        Role::Provider => 0,
        Role::RouteServer => 1,
        Role::RouteServerClient => 2,
        Role::Customer => 3,
        Role::Peer => 4,
    }
}

fn mode_code(mode: AddPathMode) -> u8 {
    match mode {
        AddPathMode::Receive => 1,
        AddPathMode::Send => 2,
        AddPathMode::Both => 3,
    }
}

fn put_graceful_restart(restart: &GracefulRestart, value: &mut Vec<u8>) {
    let mut head = restart.restart_time.min(RESTART_TIME);
    if restart.restarting {
        head |= RESTARTING;
    }
    if restart.notification {
        head |= KEEP_OVER_NOTIFICATION;
    }
    value.extend(head.to_be_bytes());
    for (afi, safi, preserved) in restart.families.iter().take(63) {
        let flags = if *preserved { FORWARDING_PRESERVED } else { 0 };
        value.extend(afi.to_be_bytes());
        value.extend([*safi, flags]);
    }
}

/// The draft limits a name to 64 octets; two of those always fit.
fn put_name(name: &str, value: &mut Vec<u8>) {
    let end = (0..=name.len().min(64))
        .rev()
        .find(|end| name.is_char_boundary(*end));
    let name = end.and_then(|end| name.get(..end)).unwrap_or_default();
    value.push(u8::try_from(name.len()).unwrap_or(0));
    value.extend(name.bytes());
}

/// R bit (RFC 4724 §3).
const RESTARTING: u16 = 0x8000;
/// N bit (RFC 8538 §2).
const KEEP_OVER_NOTIFICATION: u16 = 0x4000;
const RESTART_TIME: u16 = 0x0fff;
/// F bit (RFC 4724 §3).
const FORWARDING_PRESERVED: u8 = 0x80;
