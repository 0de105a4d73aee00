//! ARP and neighbour discovery on the ports of overlay bridges: who is here, heard from stations
//! themselves.
//!
//! ```text
//!  station ─► bridge port ─► filter in the kernel ─► snoop thread ─► Sighting ─► core
//!                                            station ◄─ question ◄──────────────┘
//! ```
//!
//! One thread has a packet socket for each port that the core names (`Snoop::listen`), which is
//! every port of an overlay's bridge but the VXLAN device. It understands what comes in
//! ([`frame`]) and hands it to the core with the number of the port. A port says only so much: what
//! it repeats within a second is told once, and beyond `RATE` words a second it is not listened
//! to, so a machine that floods its port silences itself and nobody else. The other way, it sends
//! the core's questions to stations (`Snoop::ask`).
//!
//! Who has an address, and for how long, is not decided here (`core::stations`).

pub mod frame;
mod socket;

use std::collections::{BTreeMap, HashSet};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tracing::Span;

use crate::repeats::Repeats;
use frame::Word;
use socket::{FRAME_MAX, Poll};

/// What a station has said on a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sighting {
    /// The number of the bridge port.
    pub(crate) port: u32,
    /// What it has said.
    pub(crate) word: Word,
    /// When it was read.
    pub(crate) at: Instant,
}

/// Bundles of sightings on the way to the core. The thread waits when it is full, and the kernel
/// drops what then overruns a port's socket.
pub(crate) const SIGHTINGS_MAX: usize = 16;

/// Sightings in one bundle.
const BUNDLE_MAX: usize = 64;

/// Ports that are listened to: a socket each, of the descriptors that all sessions share.
const PORTS_MAX: usize = 4096;

/// Words a second that a port has, each different from those of the last second.
const RATE: u32 = 200;
/// Words that a port may have saved up: a machine with many addresses comes up.
const BURST: u32 = 2000;

/// Questions that wait for the thread; the core asks again later.
const QUESTIONS_MAX: usize = 4096;

/// Until a port that could not be opened is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// How often the same trouble of a port is said.
const TROUBLE_PAUSE: Duration = Duration::from_secs(10 * 60);

/// Number of the thread's own descriptor; ports have theirs, which are 32 bits wide.
const WAKE: u64 = u64::MAX;

/// The way to the thread, which ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Snoop {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    // A lock because of ports only the last word counts, and the core never waits.
    inbox: Mutex<Inbox>,
    wake: UnixStream,
}

#[derive(Debug, Default)]
struct Inbox {
    ports: Option<BTreeMap<u32, String>>,
    questions: Vec<(u32, Vec<u8>)>,
    stop: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, change: impl FnOnce(&mut Inbox)) {
        change(&mut self.lock());
        // A full pipe means that the thread has been woken already.
        let _ = (&self.wake).write(&[1]);
    }
}

impl Snoop {
    /// Starts the thread, which listens nowhere yet.
    pub(crate) fn start(sightings: mpsc::Sender<Vec<Sighting>>, span: Span) -> io::Result<Self> {
        let (wake, woken) = UnixStream::pair()?;
        wake.set_nonblocking(true)?;
        woken.set_nonblocking(true)?;
        let shared = Arc::new(Shared {
            inbox: Mutex::default(),
            wake,
        });
        let poll = Poll::new()?;
        poll.add(woken.as_raw_fd(), WAKE)?;
        let reader = Reader {
            poll,
            woken,
            shared: Arc::clone(&shared),
            wanted: BTreeMap::new(),
            ports: BTreeMap::new(),
            retry_at: None,
            trouble: Repeats::new(TROUBLE_PAUSE),
            sightings,
        };
        let thread = std::thread::Builder::new()
            .name("snoop".to_owned())
            .spawn(move || span.in_scope(|| reader.run()))?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Listens on these ports, by number and name, and no others.
    pub(crate) fn listen(&self, ports: BTreeMap<u32, String>) {
        self.shared.tell(|inbox| inbox.ports = Some(ports));
    }

    /// Sends frames out of ports. What does not fit in the queue is lost, as on any wire.
    pub(crate) fn ask(&self, questions: Vec<(u32, Vec<u8>)>) {
        self.shared.tell(|inbox| {
            let room = QUESTIONS_MAX.saturating_sub(inbox.questions.len());
            inbox.questions.extend(questions.into_iter().take(room));
        });
    }
}

impl Drop for Snoop {
    fn drop(&mut self) {
        self.shared.tell(|inbox| inbox.stop = true);
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the snoop thread ended by panic");
        }
    }
}

/// What the thread owns.
struct Reader {
    poll: Poll,
    woken: UnixStream,
    shared: Arc<Shared>,
    /// Ports by number, with their names.
    wanted: BTreeMap<u32, String>,
    ports: BTreeMap<u32, Heard>,
    retry_at: Option<Instant>,
    trouble: Repeats,
    sightings: mpsc::Sender<Vec<Sighting>>,
}

/// A port that is listened to.
struct Heard {
    socket: socket::Port,
    allowance: Allowance,
}

impl Reader {
    fn run(mut self) {
        loop {
            let until = self.retry_at;
            let wait = until.map(|at| at.saturating_duration_since(Instant::now()));
            let ready = match self.poll.wait(wait) {
                Ok(ready) => ready,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    tracing::error!(%error, "cannot wait for bridge ports: stations are no longer heard");
                    return;
                }
            };
            let woken = ready.contains(&WAKE);
            if woken && !self.obey() {
                return;
            }
            if woken || until.is_some_and(|at| at <= Instant::now()) {
                self.open();
            }
            for port in ready.into_iter().filter_map(|it| u32::try_from(it).ok()) {
                if !self.hear(port) {
                    return;
                }
            }
        }
    }

    /// Takes orders; false to stop.
    fn obey(&mut self) -> bool {
        let mut octets = [0; 64];
        while matches!((&self.woken).read(&mut octets), Ok(1..)) {}
        let inbox = std::mem::take(&mut *self.shared.lock());
        if let Some(ports) = inbox.ports {
            self.ports.retain(|index, _| ports.contains_key(index));
            self.wanted = ports;
        }
        for (port, frame) in inbox.questions {
            // A port that takes nothing now: the core asks again, and draws its conclusion.
            if let Some(heard) = self.ports.get(&port)
                && let Err(error) = heard.socket.send(&frame)
            {
                tracing::debug!(port, %error, "a station is not asked");
            }
        }
        !inbox.stop
    }

    /// Opens what is wanted and not open.
    fn open(&mut self) {
        self.retry_at = None;
        let now = Instant::now();
        for (index, name) in &self.wanted {
            if self.ports.contains_key(index) {
                continue;
            }
            if self.ports.len() >= PORTS_MAX {
                if self.trouble.say(now, "ports").is_some() {
                    tracing::warn!(
                        port = %name,
                        "more than {PORTS_MAX} bridge ports: on this one and others IP addresses \
                         are learned from the kernel alone"
                    );
                }
                break;
            }
            let opened = socket::Port::open(*index).and_then(|socket| {
                self.poll.add(socket.fd(), u64::from(*index))?;
                Ok(socket)
            });
            match opened {
                Ok(socket) => {
                    let allowance = Allowance::new(now);
                    self.ports.insert(*index, Heard { socket, allowance });
                }
                Err(error) => {
                    // A port that has just gone is one that the core still has to hear of.
                    self.retry_at = Some(now + RETRY);
                    let gone = error.raw_os_error() == Some(libc::ENODEV);
                    if !gone && self.trouble.say(now, &format!("open {name}")).is_some() {
                        tracing::warn!(
                            port = %name,
                            %error,
                            hint = "it needs CAP_NET_RAW, packet sockets (RestrictAddressFamilies= of \
                                    the unit), and a file descriptor for each port",
                            "cannot listen on a bridge port: IP addresses behind it are learned \
                             from the kernel alone; it is tried again"
                        );
                    }
                }
            }
        }
    }

    /// Reads what has come in on a port; false if nobody wants to know any more.
    fn hear(&mut self, port: u32) -> bool {
        let Some(heard) = self.ports.get_mut(&port) else {
            return true;
        };
        let mut buffer = [0; FRAME_MAX];
        let mut bundle = Vec::new();
        let at = Instant::now();
        // Others are read in between: this one comes again at once if there is more.
        for _ in 0..BUNDLE_MAX {
            let frame = match heard.socket.receive(&mut buffer) {
                Ok(frame) => frame,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // Nothing more, or the device went down, which the core hears by itself.
                Err(_) => break,
            };
            let Some(word) = frame::read(frame) else {
                continue;
            };
            match heard.allowance.admits(at, word) {
                Admission::New => bundle.push(Sighting { port, word, at }),
                Admission::Repeated => {}
                Admission::TooMany => {
                    let name = self.wanted.get(&port).map_or("", String::as_str);
                    if self.trouble.say(at, &format!("flood {name}")).is_some() {
                        tracing::warn!(
                            port = %name,
                            "stations on this port say more than {RATE} different things a second \
                             by ARP and neighbour discovery; the rest is not listened to"
                        );
                    }
                }
            }
        }
        bundle.is_empty() || self.sightings.blocking_send(bundle).is_ok()
    }
}

/// How much a port may still say.
#[derive(Debug)]
struct Allowance {
    left: u32,
    /// Up to when `left` was counted.
    counted: Instant,
    /// What was said since.
    said: HashSet<Word>,
    /// When `said` began.
    since: Instant,
}

#[derive(Debug, PartialEq, Eq)]
enum Admission {
    New,
    /// Said within the last second.
    Repeated,
    TooMany,
}

impl Allowance {
    /// What is repeated within this time is told once.
    const REPEATED: Duration = Duration::from_secs(1);

    fn new(now: Instant) -> Self {
        Self {
            left: BURST,
            counted: now,
            said: HashSet::new(),
            since: now,
        }
    }

    fn admits(&mut self, now: Instant, word: Word) -> Admission {
        if now.saturating_duration_since(self.since) >= Self::REPEATED {
            self.said.clear();
            self.since = now;
        }
        // An announcement has to be heard each time: the address may have been elsewhere between.
        if !word.announced && self.said.contains(&word) {
            return Admission::Repeated;
        }
        let passed = now.saturating_duration_since(self.counted).as_millis();
        let earned = u32::try_from(passed * u128::from(RATE) / 1000).unwrap_or(BURST);
        if earned > 0 {
            self.left = self.left.saturating_add(earned).min(BURST);
            self.counted = now;
        }
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                self.said.insert(word);
                Admission::New
            }
            None => Admission::TooMany,
        }
    }
}

#[cfg(test)]
mod tests {
    use bgp::MacAddress;
    use frame::Claim;

    use super::*;

    fn word(last: u32, announced: bool) -> Word {
        Word {
            mac: MacAddress([2, 0, 0, 0, 0, 1]),
            claim: Claim::Has(std::net::Ipv4Addr::from(0x0a00_0000 + last).into()),
            announced,
        }
    }

    #[test]
    fn what_is_repeated_is_told_once_a_second_and_announcements_each_time() {
        let start = Instant::now();
        let mut allowance = Allowance::new(start);
        assert_eq!(allowance.admits(start, word(1, false)), Admission::New);
        let soon = start + Duration::from_millis(900);
        assert_eq!(allowance.admits(soon, word(1, false)), Admission::Repeated);
        for _ in 0..20 {
            assert_eq!(allowance.admits(soon, word(1, true)), Admission::New);
        }
        let later = start + Duration::from_secs(1);
        assert_eq!(allowance.admits(later, word(1, false)), Admission::New);
    }

    #[test]
    fn a_port_that_says_too_much_is_heard_at_its_rate() {
        let start = Instant::now();
        let mut allowance = Allowance::new(start);
        let mut heard = 0;
        for millisecond in 0..10_000_u32 {
            let now = start + Duration::from_millis(millisecond.into());
            for number in 0..10 {
                let word = word(millisecond * 10 + number, true);
                heard += u32::from(allowance.admits(now, word) == Admission::New);
            }
        }
        assert!(heard <= BURST + 10 * RATE, "{heard}");
        assert!(heard >= BURST + 9 * RATE, "{heard}");
        assert!(allowance.said.len() <= usize::try_from(BURST).unwrap());
    }
}
