//! Replays every seed through its target, so that what fuzzing once found stays found.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::path::Path;

#[test]
fn every_seed_passes_its_target() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for (name, target) in rbgpd_fuzz::TARGETS {
        let folder = corpus.join(name);
        let mut count = 0;
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            eprintln!("{}", path.display());
            target(&fs::read(&path).unwrap());
            count += 1;
        }
        assert!(count > 0, "{} has no seeds", folder.display());
    }
}

#[test]
fn every_prefix_of_a_seed_passes_its_target() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    for (name, target) in rbgpd_fuzz::TARGETS {
        for entry in fs::read_dir(corpus.join(name)).unwrap() {
            let seed = fs::read(entry.unwrap().path()).unwrap();
            for end in 0..seed.len().min(512) {
                target(&seed[..end]);
            }
        }
    }
}

#[test]
fn every_seed_of_evpn_with_one_octet_changed_passes_its_target() {
    // Lengths of addresses and types, and what is next to them.
    const VALUES: [u8; 9] = [0, 1, 5, 0x20, 0x21, 0x30, 0x7f, 0x80, 0xff];
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/evpn");
    for entry in fs::read_dir(corpus).unwrap() {
        let seed = fs::read(entry.unwrap().path()).unwrap();
        for at in 0..seed.len().min(512) {
            for value in VALUES {
                let mut changed = seed.clone();
                changed[at] = value;
                rbgpd_fuzz::evpn(&changed);
            }
        }
    }
}
