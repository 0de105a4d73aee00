//! One cache of the RPKI: the connection, the pauses, and what its answers come to.
//!
//! A task for each cache connects, asks for everything, and then for what changed: when the cache
//! says that something did, and at the latest when the refresh interval is over. What is asked and
//! how answers are read is [`bgp::rpki::rtr`]. Each answer becomes another table
//! ([`bgp::rpki::Vrps`]), made aside of the tasks, and goes to the core as a [`Report`]; so does a
//! cache that is lost. How long data stays good without one, and which of several caches is used,
//! is the core's business (`core/rpki.rs`).
//!
//! What a cache sends costs at most [`VRPS_MAX`] entries of 32 octets at a time, some more while
//! they are sorted, and the tables made of them; and at most one question a second
//! ([`PAUSE_BETWEEN`]).
//!
//! We begin with version 1 and fall back to 0, when the cache says so or hangs up without a word.
//! The connection is plain TCP: SSH and TLS are not spoken (RFC 8210 §9 leaves that to those who
//! trust the way).

#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bgp::rpki::Vrps;
use bgp::rpki::rtr::{Answer, Fault, Said, Serial, Session, Timing, VERSION_MAX};
use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use crate::config::RpkiCache;
use crate::core::Order;
use crate::tasks;

/// Entries in one answer of a cache, more than twice of what all of the RPKI has. A cache that
/// sends more is not believed.
pub(crate) const VRPS_MAX: usize = 2_000_000;

/// How long a connection may take.
const CONNECT_TIME: Duration = Duration::from_secs(10);

/// How long an answer may take, from the question to its last octet.
const ANSWER_TIME: Duration = Duration::from_secs(300);

/// The first pause after a lost connection; each further one is twice as long, up to the retry
/// interval. A cache that was restarted need not wait for ten minutes.
const PAUSE_FIRST: Duration = Duration::from_secs(1);

/// Least time between two questions, however often a cache says that there is something new.
/// RFC 8210 §5.2 has it say so once a minute at most.
const PAUSE_BETWEEN: Duration = Duration::from_secs(1);

/// Read at once.
const READ: usize = 64 * 1024;

/// Which cache a report is of; one that was configured anew has another number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CacheId(pub(crate) u64);

/// What a cache's task has to say.
#[derive(Debug)]
pub(crate) enum Report {
    /// In step with the cache.
    Synced(Synced),
    /// There is no connection.
    Lost {
        /// Why.
        why: String,
        /// What the cache said before is not to be used any more.
        flush: bool,
        /// When the next attempt is made.
        again_in: Duration,
    },
}

/// What an answer came to.
#[derive(Debug, Clone)]
pub(crate) struct Synced {
    /// The table; the same one as before if nothing changed.
    pub(crate) vrps: Arc<Vrps>,
    /// Version of the protocol.
    pub(crate) version: u8,
    /// Session and number of the data.
    pub(crate) serial: Serial,
    /// The intervals in effect.
    pub(crate) timers: Timers,
}

/// The intervals of RFC 8210 §6, ours before those of the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Timers {
    /// Between questions.
    pub(crate) refresh: Duration,
    /// After a question that failed.
    pub(crate) retry: Duration,
    /// How long data is good.
    pub(crate) expire: Duration,
}

impl Timers {
    /// What the cache says, within the limits of RFC 8210 §6, unless the operator says otherwise.
    fn of(cache: &RpkiCache, said: Timing) -> Self {
        let within = |seconds: u32, low: u32, high: u32| {
            Duration::from_secs(u64::from(seconds.clamp(low, high)))
        };
        let refresh = cache
            .refresh
            .unwrap_or_else(|| within(said.refresh_s, 1, 86_400));
        let retry = cache
            .retry
            .unwrap_or_else(|| within(said.retry_s, 1, 7_200));
        // What expires before it is asked for again would come and go.
        let least = refresh.max(retry) + Duration::from_secs(1);
        let expire = cache
            .expire
            .unwrap_or_else(|| within(said.expire_s, 600, 172_800).max(least));
        Self {
            refresh,
            retry,
            expire,
        }
    }
}

/// What is known of a cache from one connection to the next.
#[derive(Debug)]
struct Known {
    vrps: Arc<Vrps>,
    /// What the table is a state of; without it everything is asked for.
    serial: Option<Serial>,
    timers: Timers,
    /// The version to begin with.
    version: u8,
    /// The pause before the next attempt.
    pause: Duration,
}

/// Keeps in step with a cache until nobody hears it any more.
pub(crate) async fn run(cache: RpkiCache, id: CacheId, orders: mpsc::Sender<Order>) {
    let mut known = Known {
        vrps: Arc::default(),
        serial: None,
        timers: Timers::of(&cache, Timing::default()),
        version: VERSION_MAX,
        pause: PAUSE_FIRST,
    };
    let line = Line { id, orders };
    // Ends with the core.
    while let Err(lost) = follow(&cache, &mut known, &line).await {
        let report = known.lose(&lost);
        let Report::Lost { again_in, .. } = report else {
            return;
        };
        if line.say(report).await.is_none() {
            return;
        }
        sleep(again_in).await;
    }
}

impl Known {
    /// What remains without a connection, and how to go on.
    fn lose(&mut self, lost: &Lost) -> Report {
        let flush = lost.flushes();
        // One that hangs up on a question for changes may not know our session any more.
        let on_changes = matches!(lost, Lost::Mute) && self.serial.is_some();
        if lost.forgets() || on_changes {
            self.serial = None;
        }
        if flush {
            self.vrps = Arc::default();
        }
        // RFC 8210 §7: one that speaks version 0 alone may hang up in place of saying so.
        self.version = match (lost, self.version) {
            (Lost::Mute, VERSION_MAX) if !on_changes => 0,
            _ => VERSION_MAX,
        };
        let again_in = match lost.is_lasting() {
            // RFC 8210 §6: a question that failed is not asked again before.
            true => self.timers.retry,
            // It waits for the other question.
            false if lost.forgets() || on_changes => PAUSE_FIRST,
            false => self.pause.min(self.timers.retry),
        };
        self.pause = (self.pause * 2).min(self.timers.retry);
        Report::Lost {
            why: lost.to_string(),
            flush,
            again_in,
        }
    }
}

/// The way to the core.
struct Line {
    id: CacheId,
    orders: mpsc::Sender<Order>,
}

impl Line {
    /// `None` when nobody hears it.
    async fn say(&self, report: Report) -> Option<()> {
        let order = Order::Rpki(self.id, Box::new(report));
        self.orders.send(order).await.ok()
    }
}

/// Why there is no connection.
#[derive(Debug)]
enum Lost {
    Connect(io::Error),
    Io(io::Error),
    Closed,
    /// Closed before a word was said.
    Mute,
    Slow,
    Fault(Fault),
}

impl Lost {
    fn flushes(&self) -> bool {
        matches!(self, Lost::Fault(fault) if fault.flushes())
    }

    fn forgets(&self) -> bool {
        matches!(self, Lost::Fault(fault) if fault.forgets())
    }

    /// The same question would get the same answer.
    fn is_lasting(&self) -> bool {
        matches!(self, Lost::Fault(fault) if fault.is_lasting())
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Lost::Connect(error) => write!(f, "cannot connect: {error}"),
            Lost::Io(error) => write!(f, "the connection broke: {error}"),
            Lost::Closed => f.write_str("the cache closed the connection"),
            Lost::Mute => f.write_str("the cache closed the connection without a word"),
            Lost::Slow => write!(f, "no whole answer within {} s", ANSWER_TIME.as_secs()),
            Lost::Fault(fault) => fault.fmt(f),
        }
    }
}

/// One connection, as long as it lasts. `Ok` when nobody hears us any more.
async fn follow(cache: &RpkiCache, known: &mut Known, line: &Line) -> Result<(), Lost> {
    let mut link = Link::connect(cache, known).await?;
    loop {
        let answer = link.ask().await?;
        let before = Arc::clone(&known.vrps);
        let (serial, said) = (answer.serial, answer.timing);
        // Sorting half a million entries would keep a thread of the runtime from neighbours.
        let made = tasks::aside(move || table(answer, before)).await;
        let made = made.unwrap_or(Err(Fault::TooMany(VRPS_MAX)));
        known.vrps = match made {
            Ok(vrps) => vrps,
            Err(fault) => return Err(link.refuse(fault).await),
        };
        known.serial = Some(serial);
        known.timers = Timers::of(cache, said);
        known.pause = PAUSE_FIRST;
        let synced = Synced {
            vrps: Arc::clone(&known.vrps),
            version: link.session.version(),
            serial,
            timers: known.timers,
        };
        if line.say(Report::Synced(synced)).await.is_none() {
            return Ok(());
        }
        sleep(PAUSE_BETWEEN).await;
        // The end of the interval is as good as a word of the cache.
        let left = known.timers.refresh.saturating_sub(PAUSE_BETWEEN);
        if let Ok(heard) = timeout(left, link.hear()).await {
            match heard? {
                Said::Notify => {}
                // A session that has asked nothing has no answer.
                Said::Answer(_) | Said::Ask(_) => return Err(Lost::Closed),
            }
        }
    }
}

/// What an answer makes of a table.
fn table(answer: Answer, before: Arc<Vrps>) -> Result<Arc<Vrps>, Fault> {
    let made = match answer.reset {
        true => Vrps::default().with(answer.changes),
        false if answer.changes.is_empty() => return Ok(before),
        false => before.with(answer.changes),
    };
    made.map(Arc::new).map_err(Fault::Change)
}

/// A connection and what is spoken on it.
struct Link {
    stream: TcpStream,
    session: Session,
    /// Read and not yet looked at: less than one PDU between two reads.
    octets: BytesMut,
    heard: bool,
}

impl Link {
    async fn connect(cache: &RpkiCache, known: &Known) -> Result<Self, Lost> {
        let stream = timeout(CONNECT_TIME, TcpStream::connect(cache.address))
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
            .map_err(Lost::Connect)?;
        Ok(Self {
            stream,
            session: Session::new(known.version, known.serial, VRPS_MAX),
            octets: BytesMut::new(),
            heard: false,
        })
    }

    /// A question and its whole answer.
    async fn ask(&mut self) -> Result<Answer, Lost> {
        let answered = timeout(ANSWER_TIME, async {
            let mut question = self.session.ask();
            loop {
                self.stream.write_all(&question).await.map_err(Lost::Io)?;
                match self.hear().await? {
                    Said::Answer(answer) => return Ok(answer),
                    Said::Ask(another) => question = another,
                    // It is not said while something is awaited.
                    Said::Notify => {}
                }
            }
        });
        answered.await.unwrap_or(Err(Lost::Slow))
    }

    /// Reads until there is something to do. Nothing is lost if it is not awaited to the end.
    async fn hear(&mut self) -> Result<Said, Lost> {
        loop {
            match self.session.take(&mut self.octets) {
                Ok(Some(said)) => return Ok(said),
                Ok(None) => {}
                Err(fault) => return Err(self.refuse(fault).await),
            }
            self.octets.reserve(READ);
            let read = self.stream.read_buf(&mut self.octets).await;
            match read.map_err(Lost::Io)? {
                0 if !self.heard => return Err(Lost::Mute),
                0 => return Err(Lost::Closed),
                _ => self.heard = true,
            }
        }
    }

    /// Tells the cache what is wrong. That it cannot be told makes no difference.
    async fn refuse(&mut self, fault: Fault) -> Lost {
        if let Some(report) = self.session.report(&fault) {
            drop(timeout(CONNECT_TIME, self.stream.write_all(&report)).await);
        }
        Lost::Fault(fault)
    }
}
