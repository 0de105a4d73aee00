use std::time::Instant;

use super::*;
use crate::bfd_io::SessionKey;
use crate::config::StaticBfd;

fn hop(interface: Option<&str>, settings: Bfd) -> StaticNextHop {
    StaticNextHop {
        address: Some("10.0.0.2".parse().unwrap()),
        interface: interface.map(str::to_owned),
        vrf: None,
        weight: 1,
        onlink: false,
        bfd: Some(StaticBfd {
            local: None,
            settings,
        }),
    }
}

fn event(kind: EventKind) -> Event {
    Event {
        key: SessionKey::new("10.0.0.2".parse().unwrap()),
        kind,
        diagnostic: Diagnostic::DetectionTimeExpired,
        remote_diagnostic: Diagnostic::None,
        independent: false,
        at: Instant::now(),
    }
}

fn wanted(paths: &mut Paths, hop: &StaticNextHop) -> (Vec<BfdPath>, Vec<(BfdPath, Bfd)>) {
    let (path, settings) = hop.watched(None).unwrap();
    paths.want([(path, settings.clone())].into())
}

#[test]
fn a_next_hop_is_used_from_up_to_down_and_a_wish_changes_nothing() {
    let mut paths = Paths::default();
    let hop = hop(None, Bfd::default());
    let (gone, new) = wanted(&mut paths, &hop);
    assert_eq!((gone.len(), new.len()), (0, 1));
    let mut news = paths.news();
    let said = |paths: &Paths| paths.refuse(&hop);
    assert!(said(&paths).unwrap().contains("has not come up"));
    let listener = paths.listener(new[0].0.clone());
    listener(&event(EventKind::AdminDown));
    assert!(said(&paths).unwrap().contains("has not come up"));
    assert!(!news.has_changed().unwrap(), "nothing was said");
    listener(&event(EventKind::Up));
    assert_eq!(said(&paths), None);
    assert!(news.has_changed().unwrap());
    news.mark_unchanged();
    listener(&event(EventKind::Up));
    listener(&event(EventKind::AdminDown));
    assert_eq!(said(&paths), None, "a wish is no failure");
    assert!(!news.has_changed().unwrap());
    listener(&event(EventKind::Down));
    let why = said(&paths).unwrap();
    assert!(why.contains("10.0.0.2 is down"), "{why}");
    paths.fail(&new[0].0, "the port is taken".to_owned());
    assert!(said(&paths).unwrap().contains("the port is taken"));
}

#[test]
fn only_what_differs_is_watched_anew() {
    let mut paths = Paths::default();
    let slow = hop(Some("eth0"), Bfd::default());
    let (_, new) = wanted(&mut paths, &slow);
    let listener = paths.listener(new[0].0.clone());
    listener(&event(EventKind::Up));
    assert_eq!(wanted(&mut paths, &slow), (Vec::new(), Vec::new()));
    let fast = hop(
        Some("eth0"),
        Bfd {
            multiplier: 5,
            ..Bfd::default()
        },
    );
    let (gone, new) = wanted(&mut paths, &fast);
    assert_eq!((gone.len(), new.len()), (0, 1), "other settings");
    assert_eq!(paths.refuse(&fast), None, "which take nothing down");
    let (gone, new) = paths.want(BTreeMap::new());
    assert_eq!((gone.len(), new.len()), (1, 0));
    // What comes late from a session that nobody wants leaves nothing behind.
    listener(&event(EventKind::Up));
    assert!(paths.said.borrow().is_empty());
}

#[test]
fn the_interface_of_a_router_behind_others_does_not_count() {
    let far = Bfd {
        multihop: true,
        ..Bfd::default()
    };
    let (path, _) = hop(Some("eth0"), far.clone())
        .watched(Some("red"))
        .unwrap()
        .clone();
    assert_eq!((path.interface, path.vrf.as_deref()), (None, Some("red")));
    let plain = StaticNextHop {
        bfd: None,
        ..hop(None, far)
    };
    assert_eq!(plain.watched(None), None);
    assert_eq!(Paths::default().refuse(&plain), None);
}
