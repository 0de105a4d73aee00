//! The way to the core.

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::{ErrorKind, ErrorReply, Reply, Request};

/// What comes back for a request.
pub type Answer = Result<Reply, ErrorReply>;

/// A request on its way, and where its answer goes. The core may answer later than it takes the
/// next one; an asker that went away is no error.
pub type Call = (Request, oneshot::Sender<Answer>);

/// Requests that wait for the core. It takes one within milliseconds even under load; more than
/// this many waiting means that it is stuck, and a clear error is better than a longer queue.
pub const CALLS_MAX: usize = 64;

/// Sends requests to the core. Cheap to clone.
#[derive(Debug, Clone)]
pub struct CoreHandle {
    calls: mpsc::Sender<Call>,
}

impl CoreHandle {
    /// A handle and the end that the core reads.
    pub fn channel() -> (Self, mpsc::Receiver<Call>) {
        let (calls, queue) = mpsc::channel(CALLS_MAX);
        (Self { calls }, queue)
    }

    /// A handle to a core that reads the other end of `calls`.
    pub fn new(calls: mpsc::Sender<Call>) -> Self {
        Self { calls }
    }

    /// Asks and waits for the answer, as long as such a question may take.
    ///
    /// Never waits for a place in the queue: if it is full the answer is [`ErrorKind::Busy`].
    pub async fn ask(&self, request: Request) -> Answer {
        let patience = request.patience();
        let (answer, reply) = oneshot::channel();
        match self.calls.try_send((request, answer)) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(_)) => return Err(busy()),
            Err(mpsc::error::TrySendError::Closed(_)) => return Err(stopping()),
        }
        match tokio::time::timeout(patience, reply).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(stopping()),
            Err(_) => Err(timed_out(patience)),
        }
    }
}

fn busy() -> ErrorReply {
    ErrorReply::new(
        ErrorKind::Busy,
        format!("{CALLS_MAX} requests wait for the daemon already"),
    )
    .hint("try again; if it stays so, `journalctl -u rbgpd` says what it is doing")
}

fn stopping() -> ErrorReply {
    ErrorReply::failed("the daemon is stopping").hint("`systemctl status rbgpd` says why")
}

fn timed_out(patience: Duration) -> ErrorReply {
    ErrorReply::new(
        ErrorKind::Timeout,
        format!("the daemon did not answer within {} s", patience.as_secs()),
    )
    .hint("it may still do what was asked; `rbgpctl show summary` tells whether it answers again")
}
