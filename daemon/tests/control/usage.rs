//! Wrong usage, help, and daemons that are not there.

use rbgpd::control::reply::Reply;

use crate::client::{program, ran, rbgpctl};
use crate::daemon::{Daemon, fresh_directory};
use crate::replies::summary;

#[test]
fn wrong_usage_exits_2_and_asks_nobody() {
    let daemon = Daemon::new(|request| panic!("{request:?}"));
    for arguments in [
        &[][..],
        &["frobnicate"],
        &["show"],
        &["show", "evpn"],
        &["show", "routes", "10.0.0.0/33"],
        &["show", "routes", "--family", "ipv5"],
        &[
            "show",
            "routes",
            "--received",
            "10.0.0.1",
            "--advertised",
            "10.0.0.1",
        ],
        &["show", "neighbors", "site-b"],
        &["show", "evpn", "mac", "--vni", "16777216"],
        &["drain", "--for", "30"],
        &["drain", "--timeout", "soon"],
        &["drain", "--dry-run", "--wait"],
        &["clear"],
        &["clear", "everything"],
        &["clear", "all", "--soft", "none"],
        &["explain"],
        &["network"],
        &["network", "create", "300", "guests"],
        &["network", "create", "0", "guests", "10.30.0.0/24"],
        &["network", "create", "300", "", "10.30.0.0/24"],
        &["network", "create", "300", "guests", "10.30.0.1/24"],
        &["network", "create", "300", "guests", "10.30.0.0"],
        &[
            "network",
            "create",
            "300",
            "g",
            "10.30.0.0/24",
            "--no-gateway",
            "--gateway",
            "10.30.0.1",
        ],
        &["network", "delete"],
        &["plan", "x.toml"],
        &["rollback"],
        &["vtysh", "-w", "-c", "show bgp summary"],
    ] {
        let ran = daemon.rbgpctl(arguments).exits(2);
        assert_eq!(ran.out, "", "{arguments:?}");
        assert!(!ran.talk.is_empty(), "{arguments:?}");
    }
    assert!(daemon.asked().is_empty());
}

#[test]
fn help_says_what_a_drain_does_and_how_to_undo_it() {
    let help = ran(program().args(["drain", "--help"]).output().unwrap())
        .exits(0)
        .out;
    let effect = help.find("Moves traffic away").expect("what it does");
    let traffic = help
        .find("forwarding stay up")
        .expect("what it does to traffic");
    let undo = help.find("rbgpctl undrain").expect("how to undo it");
    assert!(effect < traffic && traffic < undo, "{help}");
    let help = ran(program().arg("--help").output().unwrap()).exits(0).out;
    assert!(
        help.contains("Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not safe"),
        "{help}"
    );
}

#[test]
fn a_missing_daemon_is_an_error_with_a_remedy() {
    let directory = fresh_directory();
    let socket = directory.join("control.sock");
    let missing = rbgpctl(&socket, &["show", "summary"]).exits(1);
    assert!(
        missing.talk.contains("cannot reach the daemon at"),
        "{}",
        missing.talk
    );
    assert!(
        missing.talk.contains("\n\nhint: is rbgpd running?"),
        "{}",
        missing.talk
    );
    assert_eq!(missing.out, "");
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    let dead = rbgpctl(&socket, &["show", "routes", "--json"]).exits(1);
    assert!(
        dead.talk.contains("left from a daemon that is gone"),
        "{}",
        dead.talk
    );
    assert_eq!(dead.out, "");
    std::fs::remove_dir_all(directory).unwrap();
}

#[test]
fn the_socket_may_come_from_the_environment() {
    let daemon = Daemon::new(|_| Ok(Reply::Summary(summary())));
    let output = program()
        .env("RBGPD_SOCKET", &daemon.socket)
        .args(["show", "summary", "--json"])
        .output()
        .unwrap();
    ran(output).exits(0);
}
