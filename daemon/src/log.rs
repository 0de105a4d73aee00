//! The log: to stderr (or stdout), to the system's log and to a file, each with its own level.
//!
//! ```text
//! tracing ──► stderr, at once
//!         └─► lines for the system's log and the file ──queue──► thread ──► /dev/log, file
//! ```
//!
//! Lines for stderr are written by whoever says them, as ever. The others pass through a queue to a
//! thread of its own ([`mod@writer`]), since a full disk or a system's log that stands still must hold up nobody: when
//! the queue is full a line is lost and counted.
//!
//! What passes to a target is decided by its [`Gate`]: by level, and by which debug messages are asked for.
//!
//! Where stderr is the journal already, nothing goes to the system's log beside it, which is the same place: then
//! stderr has what is asked for either of them.

mod gate;
mod writer;

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::mpsc::{self, SyncSender};
use std::time::Duration;

use tracing::{Level, Metadata};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

use crate::config::{self, Debug, LogFormat, LogLevel};
use gate::{Gate, Passes};
use writer::{Order, Target};

/// Lines on their way to the system's log and the file, together.
const QUEUE_MAX: usize = 4096;

/// Longest line, in octets; what is beyond is left out. Usual system's logs take that much.
const LINE_MAX: usize = 8192;

/// How long an end waits for the lines before it.
const PATIENCE: Duration = Duration::from_secs(1);

/// What is logged, and where.
pub(crate) struct Log {
    orders: SyncSender<Order>,
    digits: Arc<AtomicU8>,
    /// Those to stderr, the system's log and the file. The first has no say where the environment
    /// says what goes to stderr.
    gates: [Gate; 3],
    /// Lines for stderr go to stdout.
    stdout: Arc<AtomicBool>,
}

type Boxed = Box<dyn Layer<Registry> + Send + Sync>;

impl Log {
    /// Takes whatever is said from now on.
    pub(crate) fn start(settings: &config::Log) -> Self {
        let named = EnvFilter::try_from_env("RBGPD_LOG").ok();
        let (orders, queue) = mpsc::sync_channel(QUEUE_MAX);
        let lost = Arc::new(AtomicU64::new(0));
        let sink = |target| Sink {
            target,
            orders: orders.clone(),
            lost: Arc::clone(&lost),
        };
        let digits = Arc::new(AtomicU8::new(settings.time_digits));
        let clock = || Clock(Arc::clone(&digits));
        let stdout = Arc::new(AtomicBool::new(settings.stdout));
        let json = settings.format == LogFormat::Json;
        let stderr: Boxed = match json {
            true => fmt::layer()
                .json()
                .with_timer(clock())
                .with_writer(Console(Arc::clone(&stdout)))
                .boxed(),
            false => fmt::layer()
                .with_ansi(false)
                .with_timer(clock())
                .with_writer(Console(Arc::clone(&stdout)))
                .boxed(),
        };
        let file: Boxed = match json {
            true => fmt::layer()
                .json()
                .with_timer(clock())
                .with_writer(sink(Target::File))
                .boxed(),
            false => fmt::layer()
                .with_ansi(false)
                .with_timer(clock())
                .with_writer(sink(Target::File))
                .boxed(),
        };
        // The system's log adds the time, and has numbers for levels.
        let syslog: Boxed = fmt::layer()
            .with_ansi(false)
            .without_time()
            .with_level(false)
            .with_writer(sink(Target::Syslog))
            .boxed();
        let gates: [Gate; 3] = Default::default();
        let [to_stderr, to_syslog, to_file] = gates.clone();
        let layers = vec![
            match named {
                Some(named) => stderr.with_filter(named).boxed(),
                None => stderr.with_filter(to_stderr).boxed(),
            },
            syslog.with_filter(to_syslog).boxed(),
            file.with_filter(to_file).boxed(),
        ];
        let log = Self {
            orders,
            digits,
            gates,
            stdout,
        };
        log.take(settings, &settings.debug);
        if let Err(error) = tracing_subscriber::registry().with(layers).try_init() {
            eprintln!("rbgpd: cannot set up the log: {error}");
        }
        let work = move || writer::run(&queue, &lost);
        if let Err(error) = std::thread::Builder::new()
            .name("log".to_owned())
            .spawn(work)
        {
            tracing::error!(%error, "no thread for the system's log and the log file: only stderr is written");
        }
        log
    }

    /// Other levels and targets from now on, and other debug messages; the file is opened anew, which another
    /// program may have put away meanwhile.
    pub(crate) fn change(&self, settings: &config::Log, asked: &BTreeSet<Debug>) {
        self.take(settings, asked);
    }

    /// Other debug messages for those targets that take them.
    pub(crate) fn select(&self, settings: &config::Log, asked: &BTreeSet<Debug>) {
        let to_journal = is_journal(settings.stdout);
        let syslog = settings.syslog.filter(|_| !to_journal);
        let stderr = match settings.syslog.filter(|_| to_journal) {
            Some(level) => level.max(settings.level),
            None => settings.level,
        };
        let file = settings.file.as_ref().map(|it| it.level);
        let asked = Arc::new(asked.clone());
        for (gate, level) in self.gates.iter().zip([Some(stderr), syslog, file]) {
            let selects = level == Some(LogLevel::Selected);
            gate.set(Passes {
                level: level.map(deepest),
                asked: match selects {
                    true => Arc::clone(&asked),
                    false => Arc::default(),
                },
            });
        }
        gate::renew();
    }

    fn take(&self, settings: &config::Log, asked: &BTreeSet<Debug>) {
        self.stdout.store(settings.stdout, Ordering::Relaxed);
        self.select(settings, asked);
        self.digits.store(settings.time_digits, Ordering::Relaxed);
        let order = Order::Settings {
            facility: settings.facility,
            file: settings.file.as_ref().map(|it| it.path.clone()),
        };
        // Whoever gives this order has other things to do than to wait for a disk.
        if self.orders.try_send(order).is_err() {
            tracing::error!(
                "the log is full of lines that are not written yet: its file and facility stay as they are until the next reload"
            );
        }
    }

    /// Waits until what was said is written, but not for long.
    pub(crate) fn finish(&self) {
        let (done, waits) = mpsc::channel();
        if self.orders.try_send(Order::Finish(done)).is_ok() {
            let _ = waits.recv_timeout(PATIENCE);
        }
    }
}

fn deepest(level: LogLevel) -> Level {
    match level {
        LogLevel::Error => Level::ERROR,
        LogLevel::Warn => Level::WARN,
        LogLevel::Info | LogLevel::Selected => Level::INFO,
        LogLevel::Debug => Level::DEBUG,
        LogLevel::Trace => Level::TRACE,
    }
}

/// Whether stderr, or stdout, is the stream that systemd says it has given us to the journal.
fn is_journal(stdout: bool) -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else {
        return false;
    };
    let path = match stdout {
        true => "/proc/self/fd/1",
        false => "/proc/self/fd/2",
    };
    fs::metadata(path).is_ok_and(|it| stream == format!("{}:{}", it.dev(), it.ino()))
}

/// Times with so many digits behind the second.
struct Clock(Arc<AtomicU8>);

impl FormatTime for Clock {
    fn format_time(&self, w: &mut Writer<'_>) -> std::fmt::Result {
        let mut text = String::new();
        SystemTime.format_time(&mut Writer::new(&mut text))?;
        w.write_str(&shorten(&text, usize::from(self.0.load(Ordering::Relaxed))))
    }
}

/// `2026-11-23T02:43:24.123456Z` with fewer digits.
fn shorten(time: &str, digits: usize) -> String {
    let Some((second, rest)) = time.split_once('.') else {
        return time.to_owned();
    };
    let fraction: String = rest
        .chars()
        .take_while(char::is_ascii_digit)
        .take(digits)
        .collect();
    let zone = rest.trim_start_matches(|c: char| c.is_ascii_digit());
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{second}{point}{fraction}{zone}")
}

/// Whether lines for stderr go to stdout.
struct Console(Arc<AtomicBool>);

impl<'a> MakeWriter<'a> for Console {
    type Writer = Box<dyn io::Write>;

    fn make_writer(&'a self) -> Self::Writer {
        match self.0.load(Ordering::Relaxed) {
            true => Box::new(io::stdout()),
            false => Box::new(io::stderr()),
        }
    }
}

/// Where lines for a target go.
#[derive(Clone)]
struct Sink {
    target: Target,
    orders: SyncSender<Order>,
    /// Lines that the queue had no room for. An atomic, since every thread speaks.
    lost: Arc<AtomicU64>,
}

impl<'a> MakeWriter<'a> for Sink {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        self.line(Level::INFO)
    }

    fn make_writer_for(&'a self, about: &Metadata<'_>) -> Line {
        self.line(*about.level())
    }
}

impl Sink {
    fn line(&self, level: Level) -> Line {
        Line {
            level,
            text: Vec::new(),
            sink: self.clone(),
        }
    }
}

/// A line that is being written.
struct Line {
    level: Level,
    text: Vec<u8>,
    sink: Sink,
}

impl io::Write for Line {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let room = LINE_MAX.saturating_sub(self.text.len());
        self.text.extend(octets.iter().take(room));
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if self.text.is_empty() {
            return;
        }
        let order = Order::Line {
            target: self.sink.target,
            level: self.level,
            text: std::mem::take(&mut self.text),
        };
        if self.sink.orders.try_send(order).is_err() {
            self.sink.lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn times_have_as_many_digits_as_are_wanted() {
        let time = "2026-11-23T02:43:24.123456Z";
        for (digits, wanted) in [
            (0, "2026-11-23T02:43:24Z"),
            (3, "2026-11-23T02:43:24.123Z"),
            (6, time),
        ] {
            assert_eq!(shorten(time, digits), wanted);
        }
        assert_eq!(shorten("never", 3), "never");
    }

    #[test]
    fn a_line_goes_to_its_target_once_it_is_whole_and_a_full_queue_counts() {
        let (orders, queue) = mpsc::sync_channel(1);
        let lost = Arc::new(AtomicU64::new(0));
        let sink = Sink {
            target: Target::File,
            orders,
            lost: Arc::clone(&lost),
        };
        for text in ["one", "two"] {
            let mut line = sink.line(Level::WARN);
            write!(line, "{text} ").unwrap();
            write!(line, "{}", "x".repeat(LINE_MAX)).unwrap();
        }
        let Order::Line {
            target,
            level,
            text,
        } = queue.try_recv().unwrap()
        else {
            panic!("not a line");
        };
        assert_eq!((target, level), (Target::File, Level::WARN));
        assert!(text.starts_with(b"one x") && text.len() == LINE_MAX);
        assert!(queue.try_recv().is_err());
        assert_eq!(lost.load(Ordering::Relaxed), 1);
    }
}
