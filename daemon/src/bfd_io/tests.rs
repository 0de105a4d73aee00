use std::time::{Duration, Instant};

use bfd::{Config, Discriminator, Input, Output, Parameters, Session, State};

use super::EventKind;
use super::socket::Told;
use super::speaker::event_kind;

/// A control message as the kernel lays it out.
fn control(level: i32, kind: i32, data: &[u8]) -> Vec<u8> {
    let length = 16 + data.len();
    let mut bytes = length.to_ne_bytes().to_vec();
    bytes.extend(level.to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(data);
    bytes.resize(length.next_multiple_of(8), 0);
    bytes
}

#[test]
fn control_messages_tell_ttl_and_interface() {
    let mut v4 = control(libc::IPPROTO_IP, libc::IP_TTL, &255i32.to_ne_bytes());
    let mut info = 7i32.to_ne_bytes().to_vec();
    info.extend([192, 0, 2, 1, 192, 0, 2, 1]);
    v4.extend(control(libc::IPPROTO_IP, libc::IP_PKTINFO, &info));
    let mut v6 = control(
        libc::IPPROTO_IPV6,
        libc::IPV6_HOPLIMIT,
        &255i32.to_ne_bytes(),
    );
    let mut info = vec![0xfe; 16];
    info.extend(7i32.to_ne_bytes());
    v6.extend(control(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, &info));
    assert_eq!(Told::read(&v4), Told::read(&v6));
    assert_eq!(
        format!("{:?}", Told::read(&v4)),
        "Told { ttl: Some(255), interface: Some(InterfaceIndex(7)) }"
    );
}

#[test]
fn broken_control_messages_tell_nothing() {
    let whole = control(libc::IPPROTO_IP, libc::IP_TTL, &255i32.to_ne_bytes());
    for length in 0..20 {
        assert_eq!(
            Told::read(&whole[..length]),
            Told::default(),
            "{length} bytes"
        );
    }
    let zero_length = [0u8; 64];
    assert_eq!(Told::read(&zero_length), Told::default());
    let huge = [0xffu8; 64];
    assert_eq!(Told::read(&huge), Told::default());
}

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
                Output::Send(_) => {}
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
