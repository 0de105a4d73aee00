//! `log`, `hostname`, and what neighbors are told of this host.

use super::*;
use crate::config::{Facility, LogFile, LogLevel, SoftwareVersion};

fn file(lines: &str) -> Config {
    router("neighbor 10.0.0.2 remote-as 65002", lines)
}

/// Why a file is refused.
fn refused(text: &str) -> String {
    match parsed(text, &Host::default()).1 {
        Ok(_) => panic!("not refused: {text}"),
        Err(errors) => all(&errors),
    }
}

#[test]
fn each_target_has_its_own_level() {
    let log = file(
        "log syslog informational\nlog stdout errors\nlog file /var/log/frr/frr.log warnings\n\
         log facility local3\nlog timestamp precision 3",
    )
    .log;
    assert_eq!(log.syslog, Some(LogLevel::Info));
    assert_eq!((log.level, log.stdout), (LogLevel::Error, true));
    let path = "/var/log/frr/frr.log".into();
    let level = LogLevel::Warn;
    assert_eq!(log.file, Some(LogFile { path, level }));
    assert_eq!((log.facility, log.time_digits), (Facility::Local3, 3));
}

#[test]
fn no_line_of_the_log_is_the_default() {
    let usual = file("").log;
    assert_eq!(usual, crate::config::Log::default());
    for lines in [
        "log syslog errors\nno log syslog",
        "log syslog errors\nno log syslog errors",
        "log file /tmp/a warnings\nno log file",
        "log file /tmp/a warnings\nno log file /tmp/a warnings",
        "log stdout errors\nno log stdout",
        "log facility local3\nno log facility",
        "log timestamp precision 3\nno log timestamp precision",
        "log timestamp precision 3\nno log timestamp precision 3",
    ] {
        assert_eq!(file(lines).log, usual, "{lines}");
    }
    for (line, level) in [
        ("log syslog", LogLevel::Selected),
        ("log syslog debugging", LogLevel::Selected),
        ("log syslog informational", LogLevel::Info),
        ("log syslog notifications", LogLevel::Info),
    ] {
        assert_eq!(file(line).log.syslog, Some(level), "{line}");
    }
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    for (line, why) in [
        ("log timestamp precision 7", "0 to 6"),
        ("hostname x\u{7f}y", "letters"),
    ] {
        let text = format!("{line}\nrouter bgp 65001\n bgp router-id 10.0.0.1\n");
        let errors = refused(&text);
        assert!(errors.contains(why), "{line}: {errors}");
    }
    let long = format!(
        "hostname {}\nrouter bgp 65001\n bgp router-id 10.0.0.1\n",
        "x".repeat(65)
    );
    assert!(refused(&long).contains("up to 64"));
}

#[test]
fn a_file_without_a_whole_path_is_named_and_not_written() {
    let text = "log file frr.log\nrouter bgp 65001\n bgp router-id 10.0.0.1\n";
    let (translation, read) = parsed(text, &Host::default());
    assert_eq!(read.unwrap().log.file, None);
    let first = translation.lines.first().unwrap().to_string();
    assert!(first.contains("not absolute"), "{first}");
}

#[test]
fn a_neighbor_is_told_the_name_and_the_version_as_the_lines_say() {
    let names = file("hostname edge\ndomainname example.net");
    assert_eq!(names.hostname.as_deref(), Some("edge"));
    assert_eq!(names.domainname.as_deref(), Some("example.net"));
    assert_eq!(file("hostname edge\nno hostname").hostname, None);
    let told = |lines: &str| {
        let config = router(&format!("neighbor 10.0.0.2 remote-as 65002\n{lines}"), "");
        let neighbor = config.neighbor("10.0.0.2".parse().unwrap()).unwrap();
        (neighbor.fqdn, neighbor.software_version)
    };
    for (lines, wanted) in [
        ("", (true, SoftwareVersion::Off)),
        (
            "no neighbor 10.0.0.2 capability fqdn",
            (false, SoftwareVersion::Off),
        ),
        (
            "neighbor 10.0.0.2 capability software-version",
            (true, SoftwareVersion::Classic),
        ),
        (
            "neighbor 10.0.0.2 capability software-version latest-encoding",
            (true, SoftwareVersion::Latest),
        ),
        (
            "bgp default software-version-capability",
            (true, SoftwareVersion::Classic),
        ),
        (
            "bgp default software-version-capability\nno neighbor 10.0.0.2 capability software-version",
            (true, SoftwareVersion::Off),
        ),
        (
            "bgp default software-version-capability\nneighbor G peer-group\n\
             no neighbor G capability software-version\nneighbor 10.0.0.2 peer-group G",
            (true, SoftwareVersion::Off),
        ),
    ] {
        assert_eq!(told(lines), wanted, "{lines}");
    }
}

/// What `debug` lines ask for, and what is shown of them.
fn debug(lines: &str) -> Vec<String> {
    let asked = file(lines).log.debug;
    let words: Vec<String> = asked.iter().map(ToString::to_string).collect();
    let text = format!("{lines}\nrouter bgp 65001\n bgp router-id 10.0.0.1\n");
    let name = "frr.conf".to_owned();
    let shown = crate::frr::running(&[Source { name, text }], &Host::default()).text;
    let lines = shown.lines().filter_map(|it| it.strip_prefix("debug "));
    assert_eq!(lines.collect::<Vec<_>>(), words, "{shown}");
    words
}

#[test]
fn debug_lines_ask_for_messages_until_they_are_taken_back() {
    for (lines, wanted) in [
        (
            "debug bgp updates",
            &["bgp updates in", "bgp updates out"][..],
        ),
        ("debug bgp neigh", &["bgp neighbor-events"]),
        (
            "debug bgp updates\nno debug bgp updates in",
            &["bgp updates out"],
        ),
        (
            "debug bgp updates in\ndebug bgp updates in 10.0.0.2\ndebug bgp updates in eth0",
            &["bgp updates in 10.0.0.2", "bgp updates in eth0"],
        ),
        (
            "debug bgp updates in 10.0.0.2\ndebug bgp updates in",
            &["bgp updates in"],
        ),
        (
            "debug zebra rib\ndebug zebra rib detailed",
            &["zebra rib detailed"],
        ),
        (
            "debug bgp zebra prefix 10.0.0.0/8\ndebug bgp bestpath 2001:db8::/32",
            &["bgp bestpath 2001:db8::/32", "bgp zebra prefix 10.0.0.0/8"],
        ),
        ("debug bfd peer\nno debug bfd peer", &[]),
        (
            "debug static\ndebug rpki",
            &["rpki", "static events", "static route"],
        ),
    ] {
        assert_eq!(debug(lines), wanted, "{lines}");
    }
}

#[test]
fn debug_lines_of_what_is_not_here_are_named_and_of_other_daemons_are_not_ours() {
    let outcome = |line: &str| {
        let text = format!("{line}\nrouter bgp 65001\n bgp router-id 10.0.0.1\n");
        let (translation, _) = parsed(&text, &Host::default());
        translation.lines.first().unwrap().outcome.clone()
    };
    assert_eq!(outcome("debug bgp updates"), Outcome::Honoured);
    assert_eq!(outcome("no debug memstats-at-exit"), Outcome::Honoured);
    for line in [
        "debug bgp vpn label",
        "debug mgmt backend",
        "debug route-map",
    ] {
        assert!(matches!(outcome(line), Outcome::Differs(_)), "{line}");
    }
    assert!(matches!(
        outcome("debug ospf packet hello"),
        Outcome::Elsewhere(_)
    ));
}

#[test]
fn debug_lines_that_no_target_shows_are_remarked() {
    let remarks = |log: &str| {
        let text = format!("{log}\ndebug bgp nht\nrouter bgp 65001\n bgp router-id 10.0.0.1\n");
        let (_, read) = parse(&source(&text), &Host::default(), |_| Ok(()));
        let (_, remarks) = read.unwrap();
        let remarks = remarks.iter().map(ToString::to_string);
        remarks.filter(|it| it.contains("debug bgp nht")).count()
    };
    assert_eq!(remarks("log syslog informational"), 1);
    assert_eq!(remarks("log syslog informational\nlog file /var/log/x"), 0);
    assert_eq!(remarks("log syslog"), 0);
}
