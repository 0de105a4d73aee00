//! The state machine of one connection as a table (RFC 4271 §8.2.2).
//!
//! [`next`] is pure: a state and an event give a step, which [`super::Session`] carries out on
//! the data of the state. DelayOpen is not offered, so its timer and flag do not occur.

use super::status::State;
use crate::message::Message;

/// What can happen to a connection. A connection that is not there yet is in Idle (nothing is
/// planned), Active (waiting) or Connect (TCP is being set up).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// The session is wanted (events 1, 3 to 7, 13).
    Start,
    /// It is not wanted any more, or not as it is (events 2, 8).
    Stop,
    /// Our TCP connection stands (event 16).
    Connected,
    /// It does not (event 18).
    ConnectFailed,
    /// The peer's TCP connection stands (event 17).
    Accepted,
    /// ConnectRetryTimer (event 9).
    ConnectRetryExpired,
    /// HoldTimer (event 10).
    HoldExpired,
    /// KeepaliveTimer (event 11).
    KeepaliveExpired,
    /// SendHoldTimer (RFC 9687, event 29).
    SendHoldExpired,
    /// An OPEN that the codec could read (event 19).
    Open,
    /// KEEPALIVE (event 26).
    Keepalive,
    /// UPDATE (event 27).
    Update,
    /// ROUTE-REFRESH (RFC 2918).
    RouteRefresh,
    /// NOTIFICATION (events 24, 25).
    Notification,
    /// Bytes that are no message, or one that ends the session (events 21, 22, 28).
    Malformed,
    /// TCP ended (event 18).
    Closed,
    /// Another connection with the same peer is kept instead (event 23).
    Superseded,
    /// BFD has gone from up to down (RFC 5882 §4.2).
    BfdDown,
}

impl Event {
    /// All of them.
    #[cfg(test)]
    pub(super) const ALL: [Event; 18] = [
        Event::Start,
        Event::Stop,
        Event::Connected,
        Event::ConnectFailed,
        Event::Accepted,
        Event::ConnectRetryExpired,
        Event::HoldExpired,
        Event::KeepaliveExpired,
        Event::SendHoldExpired,
        Event::Open,
        Event::Keepalive,
        Event::Update,
        Event::RouteRefresh,
        Event::Notification,
        Event::Malformed,
        Event::Closed,
        Event::Superseded,
        Event::BfdDown,
    ];

    /// The event that the arrival of a message is.
    pub(super) fn of(message: &Message) -> Event {
        match message {
            Message::Open(_) => Event::Open,
            Message::Update(_) => Event::Update,
            Message::Notification(_) => Event::Notification,
            Message::Keepalive => Event::Keepalive,
            Message::RouteRefresh(_) => Event::RouteRefresh,
        }
    }
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing.
    Ignore,
    /// Set up TCP; Connect follows.
    Dial,
    /// Give the attempt up and wait; Active follows.
    Retry,
    /// Send OPEN; OpenSent follows.
    Greet,
    /// Check the OPEN, resolve collisions, send KEEPALIVE; OpenConfirm follows.
    Answer,
    /// Established follows.
    Establish,
    /// Restart the hold timer and hand the content on.
    Deliver,
    /// Send KEEPALIVE.
    SendKeepalive,
    /// A message that does not belong here: NOTIFICATION of RFC 6608, then as `End`.
    Unexpected,
    /// Send the NOTIFICATION that goes with the reason, if one does, and close.
    End,
}

/// RFC 4271 §8.2.2.
pub(super) fn next(state: State, event: Event) -> Step {
    match state {
        State::Idle => idle(event),
        State::Active => active(event),
        State::Connect => connect(event),
        State::OpenSent => open_sent(event),
        State::OpenConfirm => open_confirm(event),
        State::Established => established(event),
    }
}

fn idle(event: Event) -> Step {
    use Event::*;
    match event {
        Start => Step::Dial,
        Accepted => Step::Greet,
        Stop | Connected | ConnectFailed | ConnectRetryExpired | HoldExpired
        | KeepaliveExpired | SendHoldExpired | Open | Keepalive | Update | RouteRefresh
        | Notification | Malformed | Closed | Superseded | BfdDown => Step::Ignore,
    }
}

fn active(event: Event) -> Step {
    use Event::*;
    match event {
        // RFC 4271 ignores Start here; an operator who says it does not want to wait.
        Start | ConnectRetryExpired => Step::Dial,
        Stop | Superseded => Step::End,
        // The peer's connections have a state of their own, which begins in Idle.
        Accepted => Step::Ignore,
        Connected | ConnectFailed | HoldExpired | KeepaliveExpired | SendHoldExpired | Open
        | Keepalive | Update | RouteRefresh | Notification | Malformed | Closed | BfdDown => {
            Step::Ignore
        }
    }
}

fn connect(event: Event) -> Step {
    use Event::*;
    match event {
        Connected => Step::Greet,
        ConnectFailed | ConnectRetryExpired | Closed => Step::Retry,
        Stop | Superseded => Step::End,
        // The attempt is evidence of whether the address answers: let it run.
        BfdDown => Step::Ignore,
        Start | Accepted | HoldExpired | KeepaliveExpired | SendHoldExpired | Open | Keepalive
        | Update | RouteRefresh | Notification | Malformed => Step::Ignore,
    }
}

fn open_sent(event: Event) -> Step {
    use Event::*;
    match event {
        Open => Step::Answer,
        Keepalive | Update | RouteRefresh => Step::Unexpected,
        Stop | HoldExpired | Notification | Malformed | Closed | Superseded | BfdDown => Step::End,
        Start | Connected | ConnectFailed | Accepted | ConnectRetryExpired | KeepaliveExpired
        | SendHoldExpired => Step::Ignore,
    }
}

fn open_confirm(event: Event) -> Step {
    use Event::*;
    match event {
        Keepalive => Step::Establish,
        KeepaliveExpired => Step::SendKeepalive,
        Open | Update | RouteRefresh => Step::Unexpected,
        Stop | HoldExpired | Notification | Malformed | Closed | Superseded | BfdDown => Step::End,
        Start | Connected | ConnectFailed | Accepted | ConnectRetryExpired | SendHoldExpired => {
            Step::Ignore
        }
    }
}

fn established(event: Event) -> Step {
    use Event::*;
    match event {
        Keepalive | Update | RouteRefresh => Step::Deliver,
        KeepaliveExpired => Step::SendKeepalive,
        Open => Step::Unexpected,
        Stop | HoldExpired | SendHoldExpired | Notification | Malformed | Closed | Superseded
        | BfdDown => Step::End,
        Start | Connected | ConnectFailed | Accepted | ConnectRetryExpired => Step::Ignore,
    }
}
