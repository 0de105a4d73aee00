//! The state machine of RFC 5880 §6.2 as a pure function.
//!
//! What else happens when a state changes (diagnostics, intervals, packets) is the session's
//! business.

use std::fmt;

/// State of a session, as it stands in the packet (RFC 5880 §4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// Held down by an operator; says nothing about the path.
    AdminDown,
    /// The peer is not heard, or does not hear us.
    Down,
    /// The peer is heard; whether it hears us is not known yet.
    Init,
    /// Both hear each other.
    Up,
}

impl State {
    /// From the two bits of the packet; higher bits are ignored.
    pub(crate) fn from_bits(bits: u8) -> Self {
        match bits & 0b11 {
            0 => Self::AdminDown,
            1 => Self::Down,
            2 => Self::Init,
            _ => Self::Up,
        }
    }

    pub(crate) fn bits(self) -> u8 {
        match self {
            Self::AdminDown => 0,
            Self::Down => 1,
            Self::Init => 2,
            Self::Up => 3,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AdminDown => "admin_down",
            Self::Down => "down",
            Self::Init => "init",
            Self::Up => "up",
        })
    }
}

/// The local state after a packet that carries the peer's state. RFC 5880 §6.8.6, figure in §6.2.
pub(crate) fn next_state(local: State, remote: State) -> State {
    use State::{AdminDown, Down, Init, Up};
    match (local, remote) {
        (AdminDown, _) => AdminDown,
        (_, AdminDown) => Down,
        (Down, Down) => Init,
        (Down, Init) => Up,
        (Down, Up) => Down,
        (Init, Down) => Init,
        (Init, Init | Up) => Up,
        (Up, Down) => Down,
        (Up, Init | Up) => Up,
    }
}

#[cfg(test)]
mod tests {
    use super::State::{AdminDown, Down, Init, Up};
    use super::*;

    #[test]
    fn every_pair_of_states_leads_where_the_figure_says() {
        let table = [
            (AdminDown, [AdminDown, AdminDown, AdminDown, AdminDown]),
            (Down, [Down, Init, Up, Down]),
            (Init, [Down, Init, Up, Up]),
            (Up, [Down, Down, Up, Up]),
        ];
        for (local, expected) in table {
            for (remote, new) in [AdminDown, Down, Init, Up].into_iter().zip(expected) {
                assert_eq!(next_state(local, remote), new, "{local} hears {remote}");
            }
        }
    }

    #[test]
    fn bits_round_trip() {
        for state in [AdminDown, Down, Init, Up] {
            assert_eq!(State::from_bits(state.bits()), state);
        }
    }
}
