//! Real routing tables. They are not part of the project; `RBGPD_TABLES` names the folder with
//! them, by default `../shared/data` beside it.
//!
//! | file | what |
//! |---|---|
//! | `bview*.gz`, `rib*.gz` | table dumps (RFC 6396): attributes and routes as they were sent |
//! | `ipasn*.dat.gz` | a prefix and the AS it begins in, a line each: routes of both IP versions |

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

use bgp::attributes::{AttributeSet, NextHop};
use bgp::nlri::NlriList;
use bgp::wire::encode_announce_list;
use bgp::{Asn, Prefix};
use bytes::BytesMut;
use conformance::bench::mrt;
use conformance::lab::note_skip;
use flate2::read::MultiGzDecoder;

use super::generated::{PLAIN, comes_back, messages};
use super::{agree, ours};

/// Routes that go into one message.
const ROUTES: usize = 200;

/// One in so many lists of IPv4 prefixes is shown to the other decoder.
const SAMPLE: usize = 10;

fn folder() -> PathBuf {
    let named = std::env::var_os("RBGPD_TABLES").map(PathBuf::from);
    named.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"))
}

/// The files whose names begin so; without any, the test is skipped and counted.
fn files(test: &str, beginnings: &[&str]) -> Vec<PathBuf> {
    let folder = folder();
    let entries = fs::read_dir(&folder).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries
        .filter(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            beginnings.iter().any(|start| name.starts_with(start))
        })
        .map(|entry| entry.path())
        .collect();
    found.sort();
    if found.is_empty() {
        let what = beginnings.join("* or ");
        note_skip(
            test,
            &format!("needs {what}* in {}: set RBGPD_TABLES", folder.display()),
        );
    }
    found
}

#[test]
fn tables_of_collectors_are_read_alike() {
    for file in files("tables of collectors", &["bview", "rib"]) {
        // Octets of an AS number, attributes: routes, each with its length first.
        let mut sets: BTreeMap<(usize, Vec<u8>), Vec<Vec<u8>>> = BTreeMap::new();
        mrt::each_route(&file, |_, prefix, attributes, width| {
            let octets = usize::from(prefix.len.div_ceil(8));
            let mut route = vec![prefix.len];
            route.extend(&prefix.bits.to_be_bytes()[..octets]);
            let set = sets.entry((width, attributes.to_vec())).or_default();
            set.push(route);
        })
        .unwrap();
        assert!(!sets.is_empty(), "{}: no routes", file.display());
        let (mut count, mut left_out) = (0, 0);
        for ((width, attributes), routes) in &sets {
            for routes in routes.chunks(ROUTES) {
                let message = update(attributes, &routes.concat());
                let as4 = *width == 4;
                let read = agree(&message, as4);
                let read = read.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
                count += read.announced.len();
                left_out += ours::left_out(&ours::decode(&message, as4).unwrap()).len();
                comes_back(&message, as4).unwrap();
            }
        }
        println!(
            "{}: {} sets, {count} routes, AS 0 in {left_out} messages",
            file.display(),
            sets.len()
        );
    }
}

fn update(attributes: &[u8], routes: &[u8]) -> Vec<u8> {
    let mut message = vec![0xff; 16];
    let length = 19 + 2 + 2 + attributes.len() + routes.len();
    message.extend(u16::try_from(length).unwrap().to_be_bytes());
    message.extend([2, 0, 0]);
    message.extend(u16::try_from(attributes.len()).unwrap().to_be_bytes());
    message.extend(attributes);
    message.extend(routes);
    message
}

#[test]
fn prefixes_of_real_tables_are_read_alike() {
    for file in files("prefixes of real tables", &["ipasn"]) {
        let (mut v4, mut v6) = (BTreeMap::new(), BTreeMap::new());
        let text = BufReader::new(MultiGzDecoder::new(File::open(&file).unwrap()));
        for line in text.lines().map(Result::unwrap) {
            let Some((prefix, asn)) = line.split_once('\t').filter(|_| !line.starts_with(';'))
            else {
                continue;
            };
            let asn: u32 = asn.trim().parse().unwrap();
            let (address, len) = prefix.split_once('/').unwrap();
            let address: IpAddr = address.parse().unwrap();
            match Prefix::new(address, len.parse().unwrap()).unwrap() {
                Prefix::V4(prefix) => v4.entry(asn).or_insert_with(Vec::new).push((0, prefix)),
                Prefix::V6(prefix) => v6.entry(asn).or_insert_with(Vec::new).push((0, prefix)),
            }
        }
        let via4 = NextHop::V4(Ipv4Addr::new(192, 0, 2, 1));
        let via6 = NextHop::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1));
        let lists4 = v4
            .into_iter()
            .map(|(asn, list)| (asn, via4, NlriList::V4(list.into())));
        let lists6 = v6
            .into_iter()
            .map(|(asn, list)| (asn, via6, NlriList::V6(list)));
        let (mut sent, mut read) = (0, 0);
        for (number, (asn, via, list)) in lists4.chain(lists6).enumerate() {
            let mut set = AttributeSet::new(via);
            set.prepend(Asn(asn), 1);
            let mut octets = BytesMut::new();
            encode_announce_list(&set.freeze(), &list, &PLAIN, &mut octets).unwrap();
            sent += list.len();
            for message in messages(&octets) {
                // Only prefixes differ, so some of the IPv4 ones stand for all of them.
                if via == via6 || number % SAMPLE == 0 {
                    agree(message, true).unwrap();
                }
                let update = ours::decode(message, true).unwrap();
                read += update
                    .announced
                    .iter()
                    .map(|(it, _)| it.len())
                    .sum::<usize>();
                comes_back(message, true).unwrap();
            }
        }
        assert_eq!(sent, read, "{}", file.display());
        println!("{}: {read} routes", file.display());
    }
}
