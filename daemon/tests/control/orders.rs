//! What changes something: drain and undrain, reload, clear.

use std::time::Duration;

use rbgpd::control::reply::{self, Families, Reply};
use rbgpd::control::{Drain, ErrorKind, ErrorReply, Request, Timestamp};
use serde_json::{Value, json};

use crate::daemon::Daemon;

fn drain_status(draining: bool, complete: bool) -> reply::Drain {
    let mut families = Families::default();
    families.ipv4_unicast = Some(reply::FamilyDrain {
        told: complete,
        still_preferred: vec!["10.100.0.0/16".to_owned()],
        still_preferred_total: 1,
    });
    reply::Drain {
        draining,
        since: Some(Timestamp::from_unix_s(1_709_251_199)),
        reason: Some("new disk".to_owned()),
        complete,
        pending: if complete {
            Vec::new()
        } else {
            vec!["10.10.0.2 is not told".to_owned()]
        },
        neighbors: vec![reply::NeighborDrain {
            instance: None,
            address: "10.10.0.2".parse().unwrap(),
            description: None,
            draining,
            by_route_map: None,
            complete,
            families,
        }],
        ..reply::Drain::default()
    }
}

#[test]
fn drain_waits_until_it_is_confirmed() {
    let mut questions = 0;
    let daemon = Daemon::new(move |request| {
        questions += usize::from(*request == Request::DrainStatus);
        Ok(Reply::Drain(drain_status(true, questions >= 2)))
    });
    let ran = daemon
        .rbgpctl(&[
            "drain",
            "--wait",
            "--timeout",
            "30s",
            "--for",
            "30m",
            "--reason",
            "new disk",
            "--json",
        ])
        .exits(0);
    let json = ran.json();
    for (key, value) in [
        ("draining", json!(true)),
        ("complete", json!(true)),
        ("since", json!("2024-02-29T23:59:59Z")),
        ("reason", json!("new disk")),
        ("deadline", Value::Null),
        ("packets_per_second", Value::Null),
    ] {
        assert_eq!(json[key], value, "{key}");
    }
    let family = &json["neighbors"][0]["families"]["ipv4_unicast"];
    assert_eq!(family["told"], true);
    assert_eq!(family["still_preferred"], json!(["10.100.0.0/16"]));
    assert_eq!(ran.talk, "waiting: 10.10.0.2 is not told\n");
    assert_eq!(
        daemon.asked(),
        [
            Request::Drain(Drain {
                reason: Some("new disk".to_owned()),
                duration: Some(Duration::from_secs(1800)),
                ..Drain::default()
            }),
            Request::DrainStatus,
            Request::DrainStatus,
        ]
    );
}

#[test]
fn drain_that_is_not_confirmed_in_time_says_what_is_missing() {
    let daemon = Daemon::new(|_| Ok(Reply::Drain(drain_status(true, false))));
    let ran = daemon
        .rbgpctl(&["drain", "--wait", "--timeout", "300ms"])
        .exits(3);
    assert!(
        ran.out.starts_with("This router is draining\n"),
        "{}",
        ran.out
    );
    assert!(
        ran.talk
            .contains("error: not confirmed in time:\n  10.10.0.2 is not told"),
        "{}",
        ran.talk
    );
    assert!(
        ran.talk.contains("`rbgpctl undrain` ends it"),
        "{}",
        ran.talk
    );
    // Without --wait nothing is waited for.
    daemon.rbgpctl(&["drain"]).exits(0);
}

#[test]
fn a_drain_by_a_route_map_is_shown_with_the_map() {
    let daemon = Daemon::new(|_| {
        let mut status = drain_status(false, true);
        (status.since, status.reason) = (None, None);
        let mut second = status.neighbors[0].clone();
        status.neighbors[0].by_route_map = Some("DRAIN-OUT".to_owned());
        second.address = "10.10.0.3".parse().unwrap();
        second.by_route_map = Some("DRAIN-OUT".to_owned());
        status.neighbors.push(second);
        Ok(Reply::Drain(status))
    });
    let shown = daemon.rbgpctl(&["show", "drain"]).exits(0).out;
    let (head, rows) = shown.split_once("\n\n").unwrap();
    assert_eq!(
        head,
        "This router is drained by its configuration\nRoute-map DRAIN-OUT makes all paths longer \
         that 10.10.0.2, 10.10.0.3 are told; it ends with another map"
    );
    assert_eq!(rows.matches("DRAIN-OUT").count(), 2, "{rows}");
}

#[test]
fn drain_that_somebody_ends_is_a_failure() {
    let daemon = Daemon::new(|request| {
        Ok(Reply::Drain(drain_status(
            *request != Request::DrainStatus,
            false,
        )))
    });
    let ran = daemon.rbgpctl(&["drain", "--wait"]).exits(1);
    assert!(ran.talk.contains("ended by another order"), "{}", ran.talk);
}

#[test]
fn drain_that_is_not_safe_changes_nothing_and_exits_3() {
    let risk = || "10.100.0.0/16 has no other way";
    let daemon = Daemon::new(move |request| {
        let Request::Drain(drain) = request else {
            panic!("{request:?}");
        };
        let mut status = drain_status(drain.force, true);
        status.dry_run = drain.dry_run;
        status.risks = vec![risk().to_owned()];
        if drain.force {
            return Ok(Reply::Drain(status));
        }
        Err(
            ErrorReply::new(ErrorKind::NotSafe, "draining would cut something off")
                .details([risk().to_owned()])
                .hint("--force drains all the same"),
        )
    });
    let ran = daemon.rbgpctl(&["drain", "--wait"]).exits(3);
    assert_eq!(ran.out, "");
    assert_eq!(
        ran.talk,
        "error: draining would cut something off\n  10.100.0.0/16 has no other way\n\n\
         hint: --force drains all the same\n"
    );
    let ran = daemon.rbgpctl(&["drain", "--dry-run"]).exits(3);
    assert_eq!(ran.out, "");
    let ran = daemon.rbgpctl(&["drain", "--dry-run", "--force"]).exits(0);
    assert!(
        ran.out.starts_with("Dry run: nothing was changed\n"),
        "{}",
        ran.out
    );
    assert!(ran.out.contains("While away: 10.100.0.0/16"), "{}", ran.out);
    let ran = daemon.rbgpctl(&["drain", "--force", "--wait"]).exits(0);
    assert!(ran.talk.contains("warning: 10.100.0.0/16"), "{}", ran.talk);
}

#[test]
fn a_dry_run_exits_by_what_it_finds() {
    let daemon = Daemon::new(|request| {
        let Request::Drain(drain) = request else {
            panic!("{request:?}");
        };
        let mut status = drain_status(false, true);
        status.dry_run = drain.dry_run;
        if drain.neighbor.is_none() {
            status.risks = vec!["10.100.0.0/16 has no other way".to_owned()];
        }
        Ok(Reply::Drain(status))
    });
    for (arguments, code) in [
        (vec!["drain", "--dry-run"], 3),
        (vec!["drain", "--dry-run", "--json"], 3),
        (vec!["drain", "--dry-run", "--force"], 0),
        (vec!["drain", "--dry-run", "--neighbor", "10.10.0.2"], 0),
    ] {
        let ran = daemon.rbgpctl(&arguments).exits(code);
        assert!(!ran.out.is_empty(), "{arguments:?}");
    }
}

#[test]
fn undrain_waits_for_the_return() {
    let mut questions = 0;
    let daemon = Daemon::new(move |request| {
        questions += usize::from(*request == Request::DrainStatus);
        Ok(Reply::Drain(drain_status(false, questions >= 1)))
    });
    let ran = daemon
        .rbgpctl(&["undrain", "--neighbor", "10.10.0.2", "--wait"])
        .exits(0);
    assert!(ran.out.starts_with("Not draining\n"), "{}", ran.out);
    let neighbor = Some("10.10.0.2".parse().unwrap());
    let force = false;
    assert_eq!(daemon.asked()[0], Request::Undrain { neighbor, force });
}

#[test]
fn undrain_waits_until_the_daemon_is_ready() {
    let mut orders = 0;
    let daemon = Daemon::new(move |request| {
        if matches!(request, Request::Undrain { force: false, .. }) {
            orders += 1;
            if orders < 3 {
                return Err(ErrorReply::new(ErrorKind::NotSafe, "not ready")
                    .details(["10.10.0.2: BFD is Down".to_owned()]));
            }
        }
        Ok(Reply::Drain(drain_status(false, true)))
    });
    let ran = daemon.rbgpctl(&["undrain"]).exits(3);
    assert!(ran.talk.contains("BFD is Down"), "{}", ran.talk);
    let ran = daemon.rbgpctl(&["undrain", "--wait"]).exits(0);
    assert!(
        ran.talk.contains("waiting: 10.10.0.2: BFD is Down"),
        "{}",
        ran.talk
    );
    daemon.rbgpctl(&["undrain", "--force"]).exits(0);
}

#[test]
fn drain_status_is_shown_by_neighbor_and_family() {
    let daemon = Daemon::new(|_| Ok(Reply::Drain(drain_status(true, false))));
    let text = daemon.rbgpctl(&["show", "drain"]).exits(0).out;
    assert_eq!(
        text,
        "\
This router is draining
Since 2024-02-29T23:59:59Z
Reason: new disk
Not confirmed: 10.10.0.2 is not told

Neighbor   Draining  Confirmed  Family        Told  Still via us  Desc
10.10.0.2  yes       no         ipv4_unicast  no               1  -
"
    );
}

#[test]
fn reload_and_clear_say_what_they_reach() {
    let neighbor = "10.10.0.2".parse().unwrap();
    let daemon = Daemon::new(move |request| match request {
        Request::Reload { dry_run: true } => Ok(Reply::Reload(reply::Reload {
            dry_run: true,
            changed: true,
            changes: vec!["neighbor 10.10.0.2: hold 30s -> 90s".to_owned()],
            restarts: vec![neighbor],
            restart_required: Vec::new(),
            notes: vec!["restarted: routes are held back".to_owned()],
        })),
        Request::Reload { dry_run: false } => Err(ErrorReply::new(
            ErrorKind::BadConfig,
            "the configuration has 1 error",
        )
        .details(["rbgpd.toml:1:1: wrong".to_owned()])),
        _ => Ok(Reply::Clear(reply::Clear {
            cleared: vec![neighbor],
        })),
    });
    let text = daemon.rbgpctl(&["reload", "--dry-run"]).exits(0).out;
    assert_eq!(
        text,
        "neighbor 10.10.0.2: hold 30s -> 90s\n\
         The session with 10.10.0.2 would restart\n\
         note: restarted: routes are held back\n\
         Dry run: nothing was changed\n"
    );
    let daemon_that_refuses = Daemon::new(|_| {
        let change = "kernel.table default -> 200";
        Ok(Reply::Reload(reply::Reload {
            dry_run: true,
            changed: true,
            changes: vec![format!("{change} (needs a restart of rbgpd)")],
            restarts: Vec::new(),
            restart_required: vec![change.to_owned()],
            notes: Vec::new(),
        }))
    });
    let text = daemon_that_refuses.rbgpctl(&["reload", "--dry-run"]);
    assert_eq!(
        text.exits(1).out,
        "kernel.table default -> 200 (needs a restart of rbgpd)\n\
         A reload would be refused as a whole: one of the changes needs a restart of rbgpd\n\
         Dry run: nothing was changed\n"
    );
    let ran = daemon.rbgpctl(&["reload"]).exits(1);
    assert_eq!(
        ran.talk,
        "error: the configuration has 1 error\n  rbgpd.toml:1:1: wrong\n"
    );
    let text = daemon
        .rbgpctl(&["clear", "10.10.0.2", "--soft", "in"])
        .exits(0)
        .out;
    assert_eq!(text, "10.10.0.2: asked for its routes again\n");
    let text = daemon.rbgpctl(&["clear", "all"]).exits(0).out;
    assert_eq!(text, "10.10.0.2: session restarted\n");
}
