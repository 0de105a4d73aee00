//! What this router notes of a route for itself.
//!
//! Policy may give a route a weight, a tag, a distance, a table or a source address in the kernel,
//! or say that its packets are dropped; a route that was taken over from the host carries where it
//! comes from. None of it is a path attribute, and nobody is ever told: it stands behind the
//! canonical octets of a set, where equality and the hash see it and no message does. Most routes
//! have none of it and pay nothing; the others pay for what they have.

use std::net::IpAddr;

use crate::redistribution::{InterfaceName, RouteSource};

/// What this router notes of a route for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Notes {
    /// Compared before everything else, the highest wins.
    pub weight: Option<u32>,
    /// A number that later conditions can ask for.
    pub tag: Option<u32>,
    /// The kernel's priority of the route instead of the usual one.
    pub distance: Option<u8>,
    /// Packets are dropped and not forwarded.
    pub blackhole: bool,
    /// The kernel's routing table that the route goes into instead of the usual one.
    pub table: Option<u32>,
    /// Source address, in the kernel's route, of what this host itself sends.
    pub src: Option<IpAddr>,
    /// Who made the route, if it was taken over from the host.
    pub source: Option<RouteSource>,
    /// The interface that such a route leaves through.
    pub interface: Option<InterfaceName>,
}

impl Notes {
    const WEIGHT: u16 = 1;
    const TAG: u16 = 1 << 1;
    const DISTANCE: u16 = 1 << 2;
    const BLACKHOLE: u16 = 1 << 3;
    const TABLE: u16 = 1 << 4;
    const SRC_V4: u16 = 1 << 5;
    const SRC_V6: u16 = 1 << 6;
    const SOURCE: u16 = 1 << 7;
    const CONNECTED: u16 = 1 << 8;
    const INTERFACE: u16 = 1 << 9;

    /// True if nothing is noted.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What is there, and behind it two octets that say what that is.
    pub(super) fn encode(&self, into: &mut Vec<u8>) {
        let mut flags = 0;
        let mut put = |flag: u16, octets: &[u8]| {
            flags |= flag;
            into.extend_from_slice(octets);
        };
        if let Some(weight) = self.weight {
            put(Self::WEIGHT, &weight.to_be_bytes());
        }
        if let Some(tag) = self.tag {
            put(Self::TAG, &tag.to_be_bytes());
        }
        if let Some(distance) = self.distance {
            put(Self::DISTANCE, &[distance]);
        }
        if self.blackhole {
            put(Self::BLACKHOLE, &[]);
        }
        if let Some(table) = self.table {
            put(Self::TABLE, &table.to_be_bytes());
        }
        match self.src {
            Some(IpAddr::V4(src)) => put(Self::SRC_V4, &src.octets()),
            Some(IpAddr::V6(src)) => put(Self::SRC_V6, &src.octets()),
            None => {}
        }
        if let Some(source) = self.source {
            put(Self::SOURCE, &[source.protocol]);
            if source.connected {
                put(Self::CONNECTED, &[]);
            }
        }
        if let Some(interface) = self.interface {
            put(Self::INTERFACE, &interface.octets());
        }
        into.extend_from_slice(&flags.to_be_bytes());
    }

    /// The octets before the notes, and the notes at their end.
    pub(super) fn split(octets: &[u8]) -> Option<(&[u8], Self)> {
        let mut back = Back(octets);
        let flags = u16::from_be_bytes(back.take()?);
        let has = |flag: u16| flags & flag != 0;
        let mut notes = Self {
            blackhole: has(Self::BLACKHOLE),
            ..Self::default()
        };
        if has(Self::INTERFACE) {
            notes.interface = Some(InterfaceName::from_octets(back.take()?));
        }
        if has(Self::SOURCE) {
            let [protocol] = back.take()?;
            let connected = has(Self::CONNECTED);
            notes.source = Some(RouteSource {
                protocol,
                connected,
            });
        }
        if has(Self::SRC_V6) {
            notes.src = Some(IpAddr::from(back.take::<16>()?));
        }
        if has(Self::SRC_V4) {
            notes.src = Some(IpAddr::from(back.take::<4>()?));
        }
        if has(Self::TABLE) {
            notes.table = Some(u32::from_be_bytes(back.take()?));
        }
        if has(Self::DISTANCE) {
            let [distance] = back.take()?;
            notes.distance = Some(distance);
        }
        if has(Self::TAG) {
            notes.tag = Some(u32::from_be_bytes(back.take()?));
        }
        if has(Self::WEIGHT) {
            notes.weight = Some(u32::from_be_bytes(back.take()?));
        }
        Some((back.0, notes))
    }
}

/// Reads from the end.
struct Back<'a>(&'a [u8]);

impl Back<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (rest, last) = self.0.split_last_chunk::<N>()?;
        self.0 = rest;
        Some(*last)
    }
}
