//! A session as the speaker keeps it: its wishes, its socket, and what is shown of it.

use std::time::{Duration, Instant};

use bfd::{Authentication, Diagnostic, Discriminator, Parameters, State};

use crate::bfd_io::echo::Way;
use crate::bfd_io::socket::Sender;
use crate::bfd_io::{Echo, SessionKey, Status};

/// How long to wait before trying again to make a socket: short against the seconds a session
/// needs to come up, long against the cost of trying.
pub(super) const RETRY: Duration = Duration::from_millis(500);

/// A wanted session, or one whose peer is to learn that it is wanted no more.
pub(super) struct Entry {
    pub(super) parameters: Parameters,
    pub(super) authentication: Option<Authentication>,
    pub(super) admin_down: bool,
    /// Exists from the first time a socket could be made.
    pub(super) session: Option<Discriminator>,
    pub(super) sender: Option<Sender>,
    /// RFC 5881 §4: kept for the life of the session, even over a new socket.
    pub(super) port: Option<u16>,
    pub(super) retry_at: Option<Instant>,
    pub(super) waiting: Option<String>,
    pub(super) send_errors: u64,
    pub(super) way: Way,
    /// Until when the peer is told that the session is administratively down, before it is forgotten.
    pub(super) leaves: Option<Instant>,
}

impl Entry {
    pub(super) fn send(&mut self, bytes: &[u8]) {
        let Some(sender) = &self.sender else { return };
        let Err(error) = sender.send(bytes) else {
            return;
        };
        self.send_errors += 1;
        // A full queue, a filter or a peer whose port is closed say nothing about the socket.
        // Anything else may mean that the interface or address it is bound to has gone.
        let passing = [
            libc::EAGAIN,
            libc::ENOBUFS,
            libc::EPERM,
            libc::ECONNREFUSED,
            libc::EINTR,
        ];
        if error
            .raw_os_error()
            .is_none_or(|code| !passing.contains(&code))
        {
            self.sender = None;
            self.waiting = Some(format!("cannot send: {error}"));
            self.retry_at = Some(Instant::now() + RETRY);
        }
    }

    pub(super) fn status(
        &self,
        key: &SessionKey,
        session: Option<&bfd::Session>,
        now: Instant,
    ) -> Status {
        let held = if self.admin_down {
            State::AdminDown
        } else {
            State::Down
        };
        Status {
            key: key.clone(),
            local: self.sender.as_ref().map(|sender| sender.local),
            waiting: self.waiting.clone(),
            parameters: self.parameters,
            authentication: self.authentication.as_ref().map(Authentication::method),
            refusal: session.and_then(bfd::Session::refusal),
            control_plane_independent: session
                .is_some_and(|session| session.remote().control_plane_independent),
            state: session.map_or(held, bfd::Session::state),
            diagnostic: session.map_or(Diagnostic::None, bfd::Session::diagnostic),
            remote_state: session.map_or(State::Down, |session| session.remote().state),
            remote_diagnostic: session
                .map_or(Diagnostic::None, |session| session.remote().diagnostic),
            interval: session.and_then(bfd::Session::transmit_interval),
            detection_time: session.map_or(Duration::ZERO, bfd::Session::detection_time),
            uptime: session
                .and_then(bfd::Session::up_since)
                .map(|since| now.saturating_duration_since(since)),
            downtime: session
                .and_then(bfd::Session::down_since)
                .map(|since| now.saturating_duration_since(since)),
            echo: Echo {
                interval: session.and_then(bfd::Session::echo_interval),
                offered: session.and_then(|it| it.config().parameters().echo_receive_interval()),
                works: session.is_some_and(bfd::Session::echo_works),
                problem: self.way.problem.clone(),
                round_trips: session.and_then(round_trips),
            },
            counters: session.map(bfd::Session::counters).unwrap_or_default(),
            send_errors: self.send_errors,
            names: session.map(|session| (session.my_discriminator(), *session.remote())),
        }
    }
}

/// The shortest, the mean and the longest one.
fn round_trips(session: &bfd::Session) -> Option<[Duration; 3]> {
    let all = || session.echo_round_trips();
    let count = u32::try_from(all().count()).ok()?;
    let mean = all().sum::<Duration>().checked_div(count)?;
    Some([all().min()?, mean, all().max()?])
}
