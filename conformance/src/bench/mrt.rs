//! Real routing tables: MRT table dumps (RFC 6396, TABLE_DUMP and TABLE_DUMP_V2), also gzipped.
//!
//! The file is read twice: first to see which of the collector's peers have most routes, then to
//! keep the IPv4 unicast routes of those. Each of them becomes one sender. Paths keep their length
//! and order; members of an AS_SET count as if they stood in sequence. Left out are routes that
//! the daemon would have to refuse (its own AS number in the path) and prefixes where the
//! benchmark's own addresses are.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;

use super::Fault;
use super::daemon::ASN;
use super::table::{Table, usable};
use super::wire::{Attributes, Prefix};

/// How many of the collector's peers become senders.
pub const SENDERS: usize = 10;

/// The tables of the peers with most routes, the largest first.
pub fn read(path: &Path) -> Result<Vec<Table>, Fault> {
    let mut counts: HashMap<u64, usize> = HashMap::new();
    each_route(path, |peer, _, _, _| *counts.entry(peer).or_default() += 1)?;
    let mut peers: Vec<(usize, u64)> = counts.into_iter().map(|(p, n)| (n, p)).collect();
    peers.sort_unstable_by(|a, b| b.cmp(a));
    peers.truncate(SENDERS);
    let mut kept: BTreeMap<u64, Kept> = BTreeMap::new();
    for (_, peer) in &peers {
        kept.insert(*peer, Kept::default());
    }
    each_route(path, |peer, prefix, attributes, width| {
        if let Some(kept) = kept.get_mut(&peer) {
            kept.take(prefix, attributes, width);
        }
    })?;
    let tables: Vec<Table> = peers
        .iter()
        .filter_map(|(_, peer)| kept.remove(peer))
        .map(|kept| Table::collect(kept.routes.into_iter()))
        .collect();
    match tables.is_empty() {
        false => Ok(tables),
        true => {
            let path = path.display();
            let hint = "a file of RIPE RIS (bview) or RouteViews (rib) has them";
            Err(format!("{path}: no IPv4 routes of a table dump\n\nhint: {hint}").into())
        }
    }
}

/// The routes of one peer.
#[derive(Default)]
struct Kept {
    seen: HashSet<u64>,
    routes: Vec<(Prefix, Attributes)>,
}

impl Kept {
    fn take(&mut self, prefix: Prefix, attributes: &[u8], width: usize) {
        let Some(attributes) = parse(attributes, width) else {
            return;
        };
        let loops = attributes.path.is_empty() || attributes.path.contains(&ASN);
        if !loops && usable(prefix) && self.seen.insert(prefix.key()) {
            self.routes.push((prefix, attributes));
        }
    }
}

/// Calls for each IPv4 route: peer, prefix, attributes, octets of an AS number in them.
pub fn each_route(
    path: &Path,
    mut each: impl FnMut(u64, Prefix, &[u8], usize),
) -> Result<(), Fault> {
    let said = |error: std::io::Error| format!("{}: {error}", path.display());
    let mut file = BufReader::with_capacity(1 << 20, open(path).map_err(said)?);
    let mut header = [0; 12];
    let mut body = Vec::new();
    loop {
        match file.read_exact(&mut header) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(said(error).into()),
        }
        let [_, _, _, _, kind_a, kind_b, sub_a, sub_b, len @ ..] = header;
        let length = usize::try_from(u32::from_be_bytes(len))?;
        if length > RECORD_MAX {
            return Err(
                format!("{}: a record of {length} octets: not MRT", path.display()).into(),
            );
        }
        body.resize(length, 0);
        file.read_exact(&mut body).map_err(said)?;
        let kind = (
            u16::from_be_bytes([kind_a, kind_b]),
            u16::from_be_bytes([sub_a, sub_b]),
        );
        // A record that does not hold what it says is left out; the others are still a table.
        let _ = match kind {
            // RFC 6396 §4.2: one route, AS numbers of two octets.
            (12, 1) => first_version(&body, &mut each),
            // RFC 6396 §4.3.2, and RFC 8050 §4 with path identifiers.
            (13, 2) => second_version(&body, 0, &mut each),
            (13, 8) => second_version(&body, 4, &mut each),
            _ => None,
        };
    }
}

/// No record of a table is near this.
const RECORD_MAX: usize = 64 << 20;

fn open(path: &Path) -> std::io::Result<Box<dyn Read>> {
    let mut file = File::open(path)?;
    let mut magic = [0; 2];
    let read = file.read(&mut magic)?;
    let file = File::open(path)?;
    Ok(match read == 2 && magic == [0x1f, 0x8b] {
        true => Box::new(MultiGzDecoder::new(BufReader::new(file))),
        false => Box::new(file),
    })
}

fn first_version(body: &[u8], each: &mut impl FnMut(u64, Prefix, &[u8], usize)) -> Option<()> {
    // View 2, sequence 2, prefix 4, length 1, status 1, time 4, peer 4, AS 2, length 2.
    let bits = u32::from_be_bytes(body.get(4..8)?.try_into().ok()?);
    let len = *body.get(8)?;
    let peer = u32::from_be_bytes(body.get(14..18)?.try_into().ok()?);
    let size = u16::from_be_bytes(body.get(20..22)?.try_into().ok()?);
    let attributes = body.get(22..22 + usize::from(size))?;
    if len <= 32 {
        each(u64::from(peer), Prefix::new(bits, len), attributes, 2);
    }
    Some(())
}

fn second_version(
    body: &[u8],
    path_id: usize,
    each: &mut impl FnMut(u64, Prefix, &[u8], usize),
) -> Option<()> {
    // Sequence 4, then the prefix as in an UPDATE, then the entries.
    let len = *body.get(4).filter(|len| **len <= 32)?;
    let octets = usize::from(len.div_ceil(8));
    let mut bits = [0; 4];
    bits.get_mut(..octets)?
        .copy_from_slice(body.get(5..5 + octets)?);
    let prefix = Prefix::new(u32::from_be_bytes(bits), len);
    let mut at = 5 + octets;
    let entries = u16::from_be_bytes(body.get(at..at + 2)?.try_into().ok()?);
    at += 2;
    for _ in 0..entries {
        // Peer 2, time 4, perhaps a path identifier, length 2.
        let peer = u16::from_be_bytes(body.get(at..at + 2)?.try_into().ok()?);
        at += 6 + path_id;
        let size = u16::from_be_bytes(body.get(at..at + 2)?.try_into().ok()?);
        at += 2;
        let end = at + usize::from(size);
        each(u64::from(peer), prefix, body.get(at..end)?, 4);
        at = end;
    }
    Some(())
}

fn parse(mut bytes: &[u8], width: usize) -> Option<Attributes> {
    let mut attributes = Attributes::default();
    while let [flags, code, rest @ ..] = bytes {
        let (length, rest) = match (flags & 0x10 != 0, rest) {
            (true, [high, low, rest @ ..]) => (u16::from_be_bytes([*high, *low]), rest),
            (false, [length, rest @ ..]) => (u16::from(*length), rest),
            _ => return None,
        };
        let (value, rest) = rest.split_at_checked(usize::from(length))?;
        bytes = rest;
        match code {
            2 => attributes.path = path(value, width)?,
            4 => attributes.med = value.try_into().ok().map(u32::from_be_bytes),
            8 => attributes.communities = words(value),
            32 => {
                let words = words(value);
                let (large, _) = words.as_chunks::<3>();
                attributes.large = large.to_vec();
            }
            _ => {}
        }
    }
    Some(attributes)
}

fn path(mut bytes: &[u8], width: usize) -> Option<Vec<u32>> {
    let mut path = Vec::new();
    while let [_, count, rest @ ..] = bytes {
        let (asns, rest) = rest.split_at_checked(usize::from(*count) * width)?;
        bytes = rest;
        path.extend(asns.chunks_exact(width).map(|asn| {
            let fold = |all: u32, octet: &u8| all << 8 | u32::from(*octet);
            asn.iter().fold(0, fold)
        }));
    }
    Some(path)
}

fn words(bytes: &[u8]) -> Vec<u32> {
    let (words, _) = bytes.as_chunks::<4>();
    words.iter().map(|word| u32::from_be_bytes(*word)).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    /// The first record of RIPE RIS' bview.20020722.2337: 3.0.0.0/8 of AS 1853.
    const RECORD: &[u8] = &[
        0x3d, 0x3c, 0x97, 0x3f, 0, 12, 0, 1, 0, 0, 0, 0x2c, 0, 0, 0, 0, 3, 0, 0, 0, 8, 1, 0x3d,
        0x36, 0xcb, 0xfb, 0xc1, 0xcb, 0, 1, 7, 0x3d, 0, 0x16, 0x40, 1, 1, 0, 0x40, 2, 8, 2, 3, 7,
        0x3d, 4, 0xd7, 0, 0x50, 0x40, 3, 4, 0xc1, 0xcb, 0, 1,
    ];

    /// 203.0.113.0/24 from peers 0 and 1 in the second version, paths `64500 3` and `65001 3`.
    fn second() -> Vec<u8> {
        let mut body = vec![0, 0, 0, 1, 24, 203, 0, 113, 0, 2];
        for (peer, asn) in [(0u8, 64500u32), (1, ASN)] {
            body.extend([0, peer, 0, 0, 0, 0, 0, 13, 0x40, 2, 10, 2, 2]);
            body.extend(asn.to_be_bytes());
            body.extend([0, 0, 0, 3]);
        }
        let mut record = vec![0, 0, 0, 0, 0, 13, 0, 2, 0, 0, 0];
        record.push(u8::try_from(body.len()).unwrap());
        record.extend(body);
        record
    }

    fn read_bytes(name: &str, bytes: &[u8]) -> Result<Vec<Table>, Fault> {
        let path = std::env::temp_dir().join(format!("rbgpd-{name}-{}", std::process::id()));
        std::fs::write(&path, bytes).unwrap();
        let tables = read(&path);
        std::fs::remove_file(&path).unwrap();
        tables
    }

    #[test]
    fn both_versions_are_read_also_gzipped() {
        let mut bytes = RECORD.to_vec();
        bytes.extend(second());
        let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
        packed.write_all(&bytes).unwrap();
        for (name, bytes) in [("plain", bytes), ("packed", packed.finish().unwrap())] {
            let tables = read_bytes(name, &bytes).unwrap();
            let prefixes: HashSet<Prefix> =
                tables.iter().flat_map(Table::prefixes).copied().collect();
            // The one with the daemon's own AS number in its path is not among them.
            let held = tables.iter().map(|table| table.prefixes().len());
            assert_eq!(held.sum::<usize>(), 2, "{name}");
            assert!(!prefixes.contains(&Prefix::new(0, 0)));
            assert!(prefixes.contains(&Prefix::new(0xcb00_7100, 24)));
        }
    }

    #[test]
    fn paths_of_two_octet_numbers_are_read() {
        let attributes = parse(RECORD.get(34..).unwrap(), 2).unwrap();
        assert_eq!(attributes.path, [1853, 1239, 80]);
    }

    #[test]
    fn what_is_no_table_says_so() {
        let error = read_bytes("other", &[0; 40]).unwrap_err().to_string();
        assert!(error.contains("no IPv4 routes"), "{error}");
        let error = read_bytes("huge", &[0xff; 40]).unwrap_err().to_string();
        assert!(error.contains("not MRT"), "{error}");
    }
}
