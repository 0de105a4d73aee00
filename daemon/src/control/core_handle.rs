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

    /// Hands a request on with the way for its answer; a full queue is answered here.
    pub(crate) fn pass(&self, call: Call) {
        let (refused, (_, answer)) = match self.calls.try_send(call) {
            Ok(()) => return,
            Err(mpsc::error::TrySendError::Full(call)) => (busy(), call),
            Err(mpsc::error::TrySendError::Closed(call)) => (stopping(), call),
        };
        // An asker that went away is no error.
        drop(answer.send(Err(refused)));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_full_queue_is_busy_and_not_a_wait() {
        let (core, _calls) = CoreHandle::channel();
        for _ in 0..CALLS_MAX {
            let (answer, _) = oneshot::channel();
            core.calls.try_send((Request::Summary, answer)).unwrap();
        }
        let error = core.ask(Request::Summary).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Busy);
    }

    #[tokio::test]
    async fn a_core_that_is_gone_is_an_error() {
        let (core, calls) = CoreHandle::channel();
        drop(calls);
        let error = core.ask(Request::Summary).await.unwrap_err();
        assert_eq!(error.error, "the daemon is stopping");
    }

    #[tokio::test]
    async fn a_core_that_drops_the_question_is_an_error() {
        let (core, mut calls) = CoreHandle::channel();
        let (answer, _) = tokio::join!(core.ask(Request::Summary), async {
            drop(calls.recv().await);
        });
        assert_eq!(answer.unwrap_err().error, "the daemon is stopping");
    }

    #[tokio::test(start_paused = true)]
    async fn a_core_that_says_nothing_is_given_up() {
        let (core, _calls) = CoreHandle::channel();
        let before = tokio::time::Instant::now();
        let error = core.ask(Request::Summary).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Timeout);
        assert_eq!(before.elapsed(), Request::Summary.patience());
    }
}
