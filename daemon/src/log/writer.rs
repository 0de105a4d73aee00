//! The thread that writes to the system's log and to the log file.
//!
//! A target that does not take a line is named once, on the others, and tried again with each line;
//! when it is back, that is said with how many lines it has missed.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender};
use std::time::{SystemTime, UNIX_EPOCH};

use tracing::Level;

use crate::config::Facility;

/// Where the system's log listens.
const SYSLOG: &str = "/dev/log";

/// What the thread is told.
pub(super) enum Order {
    /// Write a line.
    Line {
        target: Target,
        level: Level,
        text: Vec<u8>,
    },
    /// From now on like this; the file is opened anew.
    Settings {
        facility: Facility,
        file: Option<PathBuf>,
    },
    /// Say when all before is done.
    Finish(Sender<()>),
}

/// What lines are written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Target {
    Syslog,
    File,
}

/// Writes until nobody is left who could say something. `lost` counts lines that found no room on the
/// way here.
pub(super) fn run(orders: &Receiver<Order>, lost: &AtomicU64) {
    let mut syslog = Outlet::new(Syslog::new(SYSLOG.into()));
    let mut file = Outlet::new(LogFile::default());
    for order in orders {
        match order {
            Order::Line {
                target,
                level,
                text,
            } => match target {
                Target::Syslog => syslog.write(level, &text),
                Target::File => file.write(level, &text),
            },
            Order::Settings {
                facility,
                file: path,
            } => {
                syslog.to.facility = facility;
                file.to = LogFile { path, open: None };
            }
            Order::Finish(done) => drop(done.send(())),
        }
        let lost = lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            tracing::warn!(
                lost,
                "log lines were said faster than they could be written"
            );
        }
    }
}

/// Something that lines are written to.
trait Lines {
    /// As people know it.
    fn name(&self) -> String;
    fn line(&mut self, level: Level, text: &[u8]) -> io::Result<()>;
}

/// A target, and whether it works.
struct Outlet<T> {
    to: T,
    /// Lines it has missed since it was named.
    missed: Option<u64>,
}

impl<T: Lines> Outlet<T> {
    fn new(to: T) -> Self {
        Self { to, missed: None }
    }

    fn write(&mut self, level: Level, text: &[u8]) {
        match (self.to.line(level, text), self.missed) {
            (Ok(()), None) => {}
            (Ok(()), Some(missed)) => {
                self.missed = None;
                tracing::info!(
                    place = self.to.name(),
                    missed,
                    "log lines are written again"
                );
            }
            (Err(error), None) => {
                self.missed = Some(1);
                tracing::warn!(
                    place = self.to.name(), %error,
                    "log lines cannot be written; it is tried again with each"
                );
            }
            // What is said about itself is missed, too, and no news.
            (Err(_), Some(missed)) => self.missed = Some(missed.saturating_add(1)),
        }
    }
}

/// The system's log, by datagrams.
struct Syslog {
    path: PathBuf,
    facility: Facility,
    socket: Option<UnixDatagram>,
}

impl Syslog {
    fn new(path: PathBuf) -> Self {
        Self {
            path,
            facility: Facility::default(),
            socket: None,
        }
    }

    fn connect(path: &Path) -> io::Result<UnixDatagram> {
        let socket = UnixDatagram::unbound()?;
        // A log that stands still must not hold us up.
        socket.set_nonblocking(true)?;
        socket.connect(path)?;
        Ok(socket)
    }
}

impl Lines for Syslog {
    fn name(&self) -> String {
        self.path.display().to_string()
    }

    fn line(&mut self, level: Level, text: &[u8]) -> io::Result<()> {
        let packet = packet(self.facility, level, local_time(), text);
        if let Some(socket) = &self.socket {
            match socket.send(&packet) {
                Ok(_) => return Ok(()),
                // It is there, and has no room.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Err(error),
                // It may have been started anew.
                Err(_) => self.socket = None,
            }
        }
        let socket = Self::connect(&self.path)?;
        socket.send(&packet)?;
        self.socket = Some(socket);
        Ok(())
    }
}

/// A line as RFC 3164 §4.1 has it, without the name of the host: whoever listens on this host adds it.
fn packet(facility: Facility, level: Level, time: Option<[i32; 5]>, text: &[u8]) -> Vec<u8> {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let severity: u8 = match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        Level::DEBUG | Level::TRACE => 7,
    };
    // The discriminants are the numbers of the RFC.
    let priority = (facility as u8) * 8 + severity;
    let time = time.and_then(|[month, day, hour, minute, second]| {
        let month = MONTHS.get(usize::try_from(month).ok()?)?;
        Some(format!(
            "{month} {day:>2} {hour:02}:{minute:02}:{second:02} "
        ))
    });
    let time = time.unwrap_or_default();
    let head = format!("<{priority}>{time}rbgpd[{}]: ", std::process::id());
    let mut packet = head.into_bytes();
    // Of what has more lines each would need a head of its own.
    let shown = |octet: &u8| {
        if octet.is_ascii_control() {
            b' '
        } else {
            *octet
        }
    };
    packet.extend(text.trim_ascii().iter().map(shown));
    packet
}

/// Month from zero, day, hour, minute, second; none where the host does not know.
fn local_time() -> Option<[i32; 5]> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    let now = libc::time_t::try_from(now.as_secs()).ok()?;
    let mut parts = std::mem::MaybeUninit::<libc::tm>::zeroed();
    // SAFETY: both pointers are to values of these types that outlive the call.
    let done = unsafe { libc::localtime_r(&raw const now, parts.as_mut_ptr()) };
    if done.is_null() {
        return None;
    }
    // SAFETY: every pattern of bits is a `tm`, and the call has filled it.
    let parts = unsafe { parts.assume_init() };
    Some([
        parts.tm_mon,
        parts.tm_mday,
        parts.tm_hour,
        parts.tm_min,
        parts.tm_sec,
    ])
}

/// A file that lines are appended to.
#[derive(Default)]
struct LogFile {
    path: Option<PathBuf>,
    open: Option<File>,
}

impl Lines for LogFile {
    fn name(&self) -> String {
        self.path
            .as_ref()
            .map_or(String::new(), |it| it.display().to_string())
    }

    fn line(&mut self, _level: Level, text: &[u8]) -> io::Result<()> {
        let Some(path) = &self.path else {
            return Ok(());
        };
        let mut file = match self.open.take() {
            Some(file) => file,
            None => OpenOptions::new()
                .append(true)
                .create(true)
                .mode(0o640)
                .open(path)?,
        };
        file.write_all(text)?;
        self.open = Some(file);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::sync::mpsc;

    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("rbgpd-log-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn a_packet_is_as_the_rfc_has_it_and_one_line() {
        let text = b"bgp: a\nb\x1b[1m \xff\n";
        let packet = packet(Facility::Local3, Level::WARN, Some([10, 3, 4, 5, 6]), text);
        let pid = std::process::id();
        let mut wanted = format!("<156>Nov  3 04:05:06 rbgpd[{pid}]: bgp: a b [1m ").into_bytes();
        wanted.push(0xff);
        assert_eq!(packet, wanted);
        let without = super::packet(Facility::Daemon, Level::TRACE, None, b"x");
        assert_eq!(without, format!("<31>rbgpd[{pid}]: x").into_bytes());
    }

    #[test]
    fn a_system_log_that_is_gone_is_tried_again() {
        let folder = folder("syslog");
        let path = folder.join("log");
        let mut outlet = Outlet::new(Syslog::new(path.clone()));
        outlet.write(Level::INFO, b"one");
        outlet.write(Level::INFO, b"two");
        assert_eq!(outlet.missed, Some(2));
        for text in ["three", "four"] {
            // The second time it is another socket under the same name.
            let listens = UnixDatagram::bind(&path).unwrap();
            outlet.write(Level::INFO, text.as_bytes());
            assert_eq!(outlet.missed, None);
            let mut packet = [0; 256];
            let length = listens.recv(&mut packet).unwrap();
            assert!(packet[..length].ends_with(text.as_bytes()));
            drop(listens);
            std::fs::remove_file(&path).unwrap();
        }
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_system_log_that_stands_still_holds_up_nobody() {
        let folder = folder("full");
        let path = folder.join("log");
        let _listens = UnixDatagram::bind(&path).unwrap();
        let mut outlet = Outlet::new(Syslog::new(path));
        for _ in 0..100_000 {
            outlet.write(Level::INFO, &[b'x'; 200]);
            if outlet.missed.is_some() {
                break;
            }
        }
        assert!(outlet.missed.is_some());
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_file_is_appended_to_and_opened_anew() {
        let folder = folder("file");
        let (path, away) = (folder.join("rbgpd.log"), folder.join("rbgpd.log.1"));
        let (orders, queue) = mpsc::channel();
        let settings = || Order::Settings {
            facility: Facility::Daemon,
            file: Some(path.clone()),
        };
        let line = |text: &str| Order::Line {
            target: Target::File,
            level: Level::INFO,
            text: text.as_bytes().to_vec(),
        };
        std::fs::write(&path, "zero\n").unwrap();
        orders.send(settings()).unwrap();
        orders.send(line("one\n")).unwrap();
        let thread = std::thread::spawn(move || run(&queue, &AtomicU64::new(0)));
        let finish = || {
            let (done, waits) = mpsc::channel();
            orders.send(Order::Finish(done)).unwrap();
            waits.recv().unwrap();
        };
        finish();
        std::fs::rename(&path, &away).unwrap();
        orders.send(line("two\n")).unwrap();
        orders.send(settings()).unwrap();
        orders.send(line("three\n")).unwrap();
        finish();
        assert_eq!(std::fs::read_to_string(&away).unwrap(), "zero\none\ntwo\n");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "three\n");
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777 & !0o640, 0, "{mode:o}");
        drop(orders);
        thread.join().unwrap();
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_folder_that_is_not_there_yet_is_waited_for() {
        let folder = folder("late");
        let path = folder.join("sub/rbgpd.log");
        let mut outlet = Outlet::new(LogFile {
            path: Some(path.clone()),
            open: None,
        });
        outlet.write(Level::INFO, b"one\n");
        assert_eq!(outlet.missed, Some(1));
        std::fs::create_dir_all(folder.join("sub")).unwrap();
        outlet.write(Level::INFO, b"two\n");
        assert_eq!(outlet.missed, None);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "two\n");
        std::fs::remove_dir_all(folder).unwrap();
    }
}
