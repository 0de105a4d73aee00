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
