//! Whole files: the examples, and files in `daemon/tests/frr` that begin with what is expected of
//! them: `! expect: differs N, elsewhere N, refused N, unknown N`.

use super::*;

/// All files with their names.
pub(super) fn all() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = Vec::new();
    for folder in ["tests/frr", "tests/frr/corpus", "examples/three-sites"] {
        for entry in std::fs::read_dir(root.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path
                .extension()
                .is_some_and(|extension| extension == "conf")
            {
                let text = std::fs::read_to_string(&path).unwrap();
                all.push((
                    path.file_name().unwrap().to_string_lossy().into_owned(),
                    text,
                ));
            }
        }
    }
    all.sort();
    all
}

/// Files as sites have them, each of another kind of site: all are used, and each of their lines is
/// honoured, or differs in a way that is named.
#[test]
fn files_of_many_kinds_of_sites_are_used_as_they_stand() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/frr/corpus");
    let (mut all, mut wrong) = (0, Vec::new());
    for entry in std::fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        let (translation, read) = parsed(&text, &Host::default());
        let counts = translation.counts();
        all += 1;
        if read.is_err() || counts.refused + counts.unknown > 0 {
            let errors = read.err().unwrap_or_default();
            wrong.push(format!("{}: {}", path.display(), super::all(&errors)));
        }
    }
    assert!(all >= 39, "{all}");
    assert!(
        wrong.is_empty(),
        "{} of {all}:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}

#[test]
fn every_file_comes_out_as_it_says() {
    let mut wrong = Vec::new();
    for (name, text) in all() {
        let (translation, read) = parsed(&text, &Host::default());
        let counts = translation.counts();
        let found = format!(
            "differs {}, elsewhere {}, refused {}, unknown {}",
            counts.differing, counts.elsewhere, counts.refused, counts.unknown
        );
        let expected = text
            .lines()
            .find_map(|line| line.strip_prefix("! expect: "));
        let others: Vec<String> = translation
            .lines
            .iter()
            .filter(|it| it.outcome != Outcome::Honoured)
            .map(ToString::to_string)
            .collect();
        if expected.is_some_and(|expected| expected != found) {
            wrong.push(format!("{name}: {found}\n  {}", others.join("\n  ")));
        }
        match read {
            Ok(config) => {
                let again = config::parse(&translation.toml, "x.toml");
                assert_eq!(again.as_ref(), Ok(&config), "{name}: {}", translation.toml);
                // A password is not printed.
                if translation.toml.contains("password = ") {
                    continue;
                }
                let printed = config::print(&config);
                assert_eq!(
                    config::parse(&printed, "x.toml"),
                    Ok(config),
                    "{name}: {printed}"
                );
            }
            Err(errors) if counts.refused == 0 => {
                wrong.push(format!("{name}: {}", super::all(&errors)))
            }
            Err(_) => {}
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
