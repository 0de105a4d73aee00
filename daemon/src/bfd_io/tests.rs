use std::time::{Duration, Instant};

use bfd::{Config, Discriminator, Input, Output, Parameters, Session, State};

use super::speaker::event_kind;
use super::{Event, EventKind, SessionKey};

/// The events of a session that hears these states from its peer, one after the other; `None`
/// stands for silence.
fn events(heard: &[Option<State>]) -> Vec<EventKind> {
    let mut now = Instant::now();
    let one = Discriminator::new(1).unwrap();
    let config = Config::new("192.0.2.2".parse().unwrap(), Parameters::default());
    let mut session = Session::new(config, one, 1, now);
    session.handle(now, Input::Timeout);
    let Some(Output::Send(mut packet)) = session.poll() else {
        panic!("a first packet")
    };
    packet.your_discriminator = Some(one);
    let mut events = Vec::new();
    for state in heard {
        now += Duration::from_millis(1);
        if let Some(state) = *state {
            packet.state = state;
            session.handle(now, Input::Received { packet, ttl: 255 });
        } else {
            now += Duration::from_secs(60);
            session.handle(now, Input::Timeout);
        }
        while let Some(output) = session.poll() {
            match output {
                Output::StateChanged(change) => events.extend(event_kind(&change)),
                Output::Send(_) | Output::SendEcho(_) => {}
            }
        }
    }
    events
}

#[test]
fn only_the_begin_and_end_of_up_are_events() {
    use State::{AdminDown, Down, Init, Up};
    assert_eq!(events(&[Some(Down), None]), []);
    assert_eq!(
        events(&[Some(Down), Some(Init), Some(Up), None]),
        [EventKind::Up, EventKind::Down]
    );
    assert_eq!(
        events(&[Some(Init), Some(Down)]),
        [EventKind::Up, EventKind::Down]
    );
    assert_eq!(
        events(&[Some(Init), Some(AdminDown)]),
        [EventKind::Up, EventKind::AdminDown]
    );
    assert_eq!(events(&[Some(Down), Some(AdminDown)]), []);
}

#[test]
fn who_signals_down_without_a_loss_has_made_its_session_anew() {
    use bfd::Diagnostic::*;
    let made_anew = |diagnostic, remote_diagnostic| {
        let event = Event {
            key: SessionKey::new("192.0.2.2".parse().unwrap()),
            kind: EventKind::Down,
            diagnostic,
            remote_diagnostic,
            independent: false,
            at: Instant::now(),
        };
        event.is_made_anew()
    };
    // The last two are left over from what the peer's session was before.
    for reason in [None, NeighborSignaledDown, AdministrativelyDown] {
        assert!(made_anew(NeighborSignaledDown, reason), "{reason:?}");
        assert!(!made_anew(DetectionTimeExpired, reason), "{reason:?}");
    }
    for reason in [DetectionTimeExpired, EchoFailed, PathDown, Unknown(31)] {
        assert!(!made_anew(NeighborSignaledDown, reason), "{reason:?}");
    }
}
