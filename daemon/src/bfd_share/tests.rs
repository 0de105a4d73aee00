//! Which session a client watches, and whose settings count; on the thread itself
//! `daemon/tests/bfd_io.rs`.

use super::*;

fn key(interface: Option<&str>) -> SessionKey {
    let mut key = SessionKey::new("10.0.0.2".parse().unwrap());
    key.interface = interface.map(str::to_owned);
    key
}

fn neighbor() -> Client {
    Client::Neighbor("10.0.0.2".parse().unwrap())
}

fn watched(sessions: &[(SessionKey, &[Client])]) -> BTreeMap<SessionKey, Session> {
    let mut all = BTreeMap::new();
    for (key, clients) in sessions {
        let mut session = Session::default();
        for client in *clients {
            let wish = Wish {
                settings: Settings {
                    admin_down: matches!(client, Client::Alone(_)),
                    ..Settings::default()
                },
                listener: Arc::new(|_| {}),
            };
            session.clients.insert((client.clone(), 0), wish);
        }
        all.insert(key.clone(), session);
    }
    all
}

#[test]
fn who_leaves_the_interface_open_joins_the_session_that_has_one() {
    let there = watched(&[(key(Some("eth0")), &[neighbor()])]);
    let alone = |key: &SessionKey| (Client::Alone(key.clone()), 0);
    for (asked, joins) in [
        (key(None), key(Some("eth0"))),
        (key(Some("eth0")), key(Some("eth0"))),
        (key(Some("eth1")), key(Some("eth1"))),
    ] {
        assert_eq!(joined(&there, &asked, &alone(&asked)), joins);
    }
    let mut elsewhere = key(None);
    elsewhere.vrf = Some("red".to_owned());
    assert_eq!(joined(&there, &elsewhere, &alone(&elsewhere)), elsewhere);
    let mut far = key(None);
    far.multihop = true;
    assert_eq!(joined(&there, &far, &alone(&far)), far);
}

#[test]
fn a_client_stays_with_its_session_when_another_comes() {
    let sessions = [
        (key(Some("eth0")), &[][..]),
        (key(Some("eth1")), &[neighbor()][..]),
    ];
    let there = watched(&sessions);
    let whose = (neighbor(), 0);
    assert_eq!(joined(&there, &key(None), &whose), key(Some("eth1")));
    let other = (neighbor(), 1);
    assert_eq!(joined(&there, &key(None), &other), key(Some("eth0")));
}

#[test]
fn what_is_configured_for_the_session_itself_counts() {
    let alone = Client::Alone(key(None));
    let there = watched(&[(key(None), &[neighbor(), alone])]);
    let settings = there[&key(None)].settings().unwrap();
    assert!(settings.admin_down, "that of `[[bfd]]`");
}
