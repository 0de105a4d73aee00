//! Why a session is not up, in words.

use super::*;

fn why(bench: &Bench) -> String {
    bench.session.status().why().expect("a reason")
}

#[test]
fn a_passive_side_waits_for_the_peer_whatever_its_own_attempts_came_to() {
    let (mut bench, conn) = Bench::started(config());
    bench.refuse(conn);
    assert_eq!(why(&bench), "connection refused");
    bench.input(Input::Configure(Box::new(config().passive(true))));
    assert_eq!(why(&bench), "waiting for the peer to connect");
    assert_eq!(bench.session.status().hint(), None);
}

#[test]
fn a_passive_side_that_is_started_again_waits_for_the_peer() {
    let mut bench = Bench::new(config().passive(true));
    bench.input(Input::Start);
    let (conn, _) = bench.accept();
    bench.shake_hands(conn, &peer_open());
    assert_eq!(bench.session.state(), State::Established);
    let text = "rack 7".to_owned();
    bench.input(Input::Stop(StopReason::AdministrativeShutdown { text }));
    assert!(why(&bench).contains("rack 7"), "{}", why(&bench));
    bench.input(Input::Start);
    assert_eq!(why(&bench), "waiting for the peer to connect");
}

#[test]
fn a_passive_side_says_what_took_its_session() {
    let interface = || "wg0".to_owned();
    for (reason, said) in [
        (
            StopReason::LinkDown {
                interface: interface(),
            },
            "interface wg0 went down",
        ),
        (
            StopReason::HardReset {
                text: "new keys".to_owned(),
            },
            "new keys",
        ),
    ] {
        let mut bench = Bench::new(config().passive(true));
        bench.input(Input::Start);
        let (conn, _) = bench.accept();
        bench.shake_hands(conn, &peer_open());
        assert_eq!(bench.session.state(), State::Established);
        bench.input(Input::Stop(reason));
        assert!(why(&bench).contains(said), "{}", why(&bench));
    }
}

#[test]
fn what_a_connection_waits_for_is_said() {
    let (mut bench, conn) = Bench::started(config());
    assert_eq!(why(&bench), "connecting");
    bench.input(Input::Connected { conn });
    assert_eq!(bench.session.state(), State::OpenSent);
    assert_eq!(why(&bench), "connected, and waiting for the peer's OPEN");
    bench.say(conn, &wire::encode_open(&peer_open()));
    assert_eq!(bench.session.state(), State::OpenConfirm);
    assert_eq!(why(&bench), "waiting for the peer to take our OPEN");
    bench.say(conn, &wire::encode_keepalive());
    assert_eq!(bench.session.status().why(), None);
}

#[test]
fn what_this_host_lacks_is_to_be_mended_here() {
    let (mut bench, conn) = Bench::started(config());
    let error = ConnectError::Here("no address 192.0.2.1 here".to_owned());
    bench.input(Input::ConnectFailed { conn, error });
    let status = bench.session.status();
    let reason = status.error_in_force().expect("a reason");
    assert_eq!(reason.ended_by(), EndedBy::Us);
    assert!(why(&bench).contains("no address 192.0.2.1"));
    let hint = status.hint().expect("a remedy");
    assert!(hint.contains("must be on this host"), "{hint}");
}
