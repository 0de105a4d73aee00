//! Commands without a daemon: `check` and `decode`, and what is no plain file.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::client::{ran, rbgpctl, rbgpctl_with};
use crate::daemon::fresh_directory;

#[test]
fn check_reports_errors_with_their_place() {
    let directory = fresh_directory();
    let good = directory.join("good.toml");
    std::fs::write(&good, "asn = 65001\nrouter_id = \"10.10.0.1\"\n").unwrap();
    let ran = rbgpctl_with(b"", &["check", good.to_str().unwrap()]).exits(0);
    assert_eq!(ran.out, "");
    let bad = directory.join("bad.toml");
    std::fs::write(
        &bad,
        "asn = 65001\nrouter_id = \"10.10.0.1\"\nasm = 1\nlisten = 5\n",
    )
    .unwrap();
    let ran = rbgpctl_with(b"", &["check", bad.to_str().unwrap()]).exits(2);
    assert!(ran.talk.contains("bad.toml:3:1: "), "{}", ran.talk);
    assert!(ran.talk.contains("bad.toml:4:"), "{}", ran.talk);
    let missing = directory.join("missing.toml");
    let ran = rbgpctl_with(b"", &["check", missing.to_str().unwrap()]).exits(2);
    assert!(
        ran.talk.contains("missing.toml` does not exist\n\nhint: "),
        "{}",
        ran.talk
    );
    let other = directory.join("frr.conf");
    std::fs::write(&other, "hostname a\nroute-map X permit ten\n").unwrap();
    let octets = directory.join("octets.toml");
    std::fs::write(&octets, b"asn = 65001\n# caf\xc3\xa9 caf\xe9 Z\xfcrich\n").unwrap();
    let folder = directory.join("folder.toml");
    std::fs::create_dir(&folder).unwrap();
    for (file, why) in [
        (&other, "frr.conf:2:1: `route-map X permit ten`: "),
        (
            &octets,
            "octets.toml:2:11: the octet 0xe9 is not UTF-8, but a file in TOML must be\n\nhint: \
             write the character there anew (in ISO 8859-1 it is `é`), or the whole file: iconv",
        ),
        (&folder, "is a directory, but must be a file\n\nhint: "),
    ] {
        let ran = rbgpctl_with(b"", &["check", file.to_str().unwrap()]).exits(2);
        assert!(ran.talk.contains(why), "{}", ran.talk);
    }
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn import_frr_prints_toml_that_loads_to_the_same_and_names_lines_that_differ() {
    let directory = fresh_directory();
    let (frr, toml) = (directory.join("frr.conf"), directory.join("made.toml"));
    let text = "router ospf\n passive-interface default\n!\nrouter bgp 65001\n bgp router-id 10.0.0.1\n \
                neighbor 10.0.0.2 remote-as 65002\n neighbor 10.0.0.2 timers delayopen 5\n";
    std::fs::write(&frr, text).unwrap();
    let ran = rbgpctl_with(b"", &["import-frr", frr.to_str().unwrap()]).exits(0);
    assert!(ran.talk.contains("differs: "), "{}", ran.talk);
    assert!(
        ran.talk
            .contains("frr.conf:7:2: `neighbor 10.0.0.2 timers delayopen 5`"),
        "{}",
        ran.talk
    );
    let counts = "3 lines honoured, 1 with a difference, 2 of other daemons, 0 refused, 0 unknown";
    assert!(ran.talk.contains(counts), "{}", ran.talk);
    std::fs::write(&toml, &ran.out).unwrap();
    rbgpctl_with(b"", &["check", toml.to_str().unwrap()]).exits(0);
    rbgpctl_with(b"", &["check", frr.to_str().unwrap()]).exits(0);
    std::fs::write(&frr, format!("{text} neighbor 10.0.0.2 timers 1 2\n")).unwrap();
    let ran = rbgpctl_with(b"", &["import-frr", frr.to_str().unwrap()]).exits(2);
    assert!(
        ran.talk.contains("frr.conf:8:2: `hold` is \"2s\""),
        "{}",
        ran.talk
    );
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn decode_prints_one_object_a_message() {
    let keepalive = b"# a keepalive\nffffffffffffffffffffffffffffffff001304\n\nnot hex\n";
    let ran = rbgpctl_with(keepalive, &["decode"]).exits(0);
    let lines: Vec<Value> = ran
        .out
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    assert_eq!(lines.len(), 2);
    assert_eq!(lines[0], json!({"type": "keepalive"}));
    assert!(lines[1]["error"].is_string());
    let mut framed = vec![0, 0, 0, 19];
    framed.extend([0xff; 16]);
    framed.extend([0, 19, 4]);
    let directory = fresh_directory();
    let file = directory.join("messages");
    std::fs::write(&file, &framed).unwrap();
    let ran = rbgpctl_with(b"", &["decode", "--framed", file.to_str().unwrap()]).exits(0);
    assert_eq!(ran.out, "{\"type\":\"keepalive\"}\n");
    let ran = rbgpctl_with(b"", &["decode", directory.to_str().unwrap()]).exits(1);
    assert!(
        ran.talk.contains(directory.to_str().unwrap()),
        "{}",
        ran.talk
    );
    let ran = rbgpctl_with(b"", &["decode", "/nowhere"]).exits(1);
    assert!(ran.talk.starts_with("error: `/nowhere`: "), "{}", ran.talk);
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn what_is_no_plain_file_is_refused_and_not_waited_for() {
    let directory = fresh_directory();
    let pipe = directory.join("rbgpd.toml");
    let made = Command::new("mkfifo").arg(&pipe).status().unwrap();
    assert!(made.success());
    let path = pipe.to_str().unwrap();
    for arguments in [&["--check", "--config", path][..], &["--config", path]] {
        let daemon = Command::new(env!("CARGO_BIN_EXE_rbgpd"))
            .args(arguments)
            .stdin(Stdio::null())
            .output();
        let ran = ran(daemon.unwrap()).exits(2);
        assert!(
            ran.talk.contains("is a named pipe, but must be a file"),
            "{}",
            ran.talk
        );
        assert!(ran.talk.contains("hint: "), "{}", ran.talk);
    }
    rbgpctl(Path::new("/nonexistent"), &["check", path]).exits(2);
    std::fs::remove_dir_all(directory).unwrap();
}
