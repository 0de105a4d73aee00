//! The state machine, every pair once.

use super::*;
use crate::session::transition::{Event, Step, next};

/// RFC 4271 §8.2.2; one row per event, one column per state.
#[test]
fn every_event_has_its_step_in_every_state() {
    use Step::*;
    let states = [
        State::Idle,
        State::Active,
        State::Connect,
        State::OpenSent,
        State::OpenConfirm,
        State::Established,
    ];
    #[rustfmt::skip]
    let table: [(Event, [Step; 6]); 18] = [
        // Idle, Active, Connect, OpenSent, OpenConfirm, Established.
        (Event::Start,
            [Dial,   Dial,   Ignore, Ignore,     Ignore,        Ignore]),
        (Event::Stop,
            [Ignore, End,    End,    End,        End,           End]),
        (Event::Connected,
            [Ignore, Ignore, Greet,  Ignore,     Ignore,        Ignore]),
        (Event::ConnectFailed,
            [Ignore, Ignore, Retry,  Ignore,     Ignore,        Ignore]),
        (Event::Accepted,
            [Greet,  Ignore, Ignore, Ignore,     Ignore,        Ignore]),
        (Event::ConnectRetryExpired,
            [Ignore, Dial,   Retry,  Ignore,     Ignore,        Ignore]),
        (Event::HoldExpired,
            [Ignore, Ignore, Ignore, End,        End,           End]),
        (Event::KeepaliveExpired,
            [Ignore, Ignore, Ignore, Ignore,     SendKeepalive, SendKeepalive]),
        (Event::SendHoldExpired,
            [Ignore, Ignore, Ignore, Ignore,     Ignore,        End]),
        (Event::Open,
            [Ignore, Ignore, Ignore, Answer,     Unexpected,    Unexpected]),
        (Event::Keepalive,
            [Ignore, Ignore, Ignore, Unexpected, Establish,     Deliver]),
        (Event::Update,
            [Ignore, Ignore, Ignore, Unexpected, Unexpected,    Deliver]),
        (Event::RouteRefresh,
            [Ignore, Ignore, Ignore, Unexpected, Unexpected,    Deliver]),
        (Event::Notification,
            [Ignore, Ignore, Ignore, End,        End,           End]),
        (Event::Malformed,
            [Ignore, Ignore, Ignore, End,        End,           End]),
        (Event::Closed,
            [Ignore, Ignore, Retry,  End,        End,           End]),
        (Event::Superseded,
            [Ignore, End,    End,    End,        End,           End]),
        (Event::BfdDown,
            [Ignore, Ignore, Ignore, End,        End,           End]),
    ];
    let listed: Vec<Event> = table.iter().map(|(event, _)| *event).collect();
    assert_eq!(listed, Event::ALL, "every event once");
    for (event, steps) in table {
        for (state, step) in states.into_iter().zip(steps) {
            assert_eq!(next(state, event), step, "{event:?} in {state}");
        }
    }
}
