//! A steady stream of echo requests (RFC 792, RFC 4443) that counts exactly what came back.
//!
//! One thread in the namespace sends a numbered request every interval and reads answers in
//! between. The sending time of each request is known, so a gap is a time, not only a count. A
//! scheduler that holds the thread back makes a later request, never a lost one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sys::socket::{
    AddressFamily, SockFlag, SockProtocol, SockType, SockaddrIn, SockaddrIn6, bind, socket,
};

use super::{Error, Namespace};

/// How long answers may be under way after the last request.
const GRACE: Duration = Duration::from_secs(1);
/// In every payload, so that nobody else's answers are counted.
const COOKIE: [u8; 8] = *b"rbgpdlab";

/// A running stream; [`Pinger::stop`] ends it.
#[derive(Debug)]
pub struct Pinger {
    stop: Arc<AtomicBool>,
    received: Arc<AtomicU64>,
    worker: JoinHandle<std::io::Result<PingReport>>,
}

/// What a stream of requests met.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PingReport {
    /// Requests sent.
    pub sent: u64,
    /// Requests answered at least once.
    pub received: u64,
    /// Requests never answered.
    pub lost: u64,
    /// The longest time from a lost request to the next answered one (or to the end).
    pub longest_gap: Duration,
}

impl std::fmt::Display for PingReport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            sent,
            received,
            lost,
            longest_gap,
        } = self;
        let gap = longest_gap.as_millis();
        write!(
            f,
            "{sent} sent, {received} answered, {lost} lost, longest gap {gap} ms"
        )
    }
}

impl Pinger {
    /// Starts a stream from a namespace. It runs until [`Pinger::stop`].
    pub fn start(
        space: &Namespace,
        to: impl Into<IpAddr>,
        interval: Duration,
    ) -> Result<Self, Error> {
        let to = to.into();
        let from = match to {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        Self::start_from(space, from, to, interval)
    }

    /// Starts a stream with a source address of its own, for answers that must find the way back
    /// by a route of their own too.
    pub fn start_from(
        space: &Namespace,
        from: impl Into<IpAddr>,
        to: impl Into<IpAddr>,
        interval: Duration,
    ) -> Result<Self, Error> {
        let (from, to) = (from.into(), to.into());
        let opened = space.within(|| {
            let (family, protocol) = match to {
                IpAddr::V4(_) => (AddressFamily::Inet, SockProtocol::Icmp),
                IpAddr::V6(_) => (AddressFamily::Inet6, SockProtocol::IcmpV6),
            };
            socket(family, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol)
        })?;
        let fd = opened.map_err(|e| Error::os("raw ICMP socket", e))?;
        let bound = match from {
            IpAddr::V4(from) => {
                let source = SockaddrIn::from(SocketAddrV4::new(from, 0));
                bind(fd.as_raw_fd(), &source)
            }
            IpAddr::V6(from) => {
                let source = SockaddrIn6::from(SocketAddrV6::new(from, 0, 0, 0));
                bind(fd.as_raw_fd(), &source)
            }
        };
        bound.map_err(|e| Error::os(format!("bind {from}"), e))?;
        // Not UDP: the type is the standard library's way to send, receive and set a time limit.
        let socket = UdpSocket::from(fd);
        let stop = Arc::new(AtomicBool::new(false));
        let received = Arc::new(AtomicU64::new(0));
        let stream = Stream {
            socket,
            to,
            interval,
            stop: Arc::clone(&stop),
            received: Arc::clone(&received),
        };
        let worker = std::thread::spawn(move || stream.run());
        Ok(Self {
            stop,
            received,
            worker,
        })
    }

    /// Answers so far.
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Ends the stream, waits for the last answers, and counts.
    pub fn stop(self) -> Result<PingReport, Error> {
        self.stop.store(true, Ordering::Relaxed);
        let report = self
            .worker
            .join()
            .map_err(|_| Error::State("the pinger failed".to_owned()))?;
        report.map_err(|e| Error::io("ping", e))
    }
}

struct Stream {
    socket: UdpSocket,
    to: IpAddr,
    interval: Duration,
    stop: Arc<AtomicBool>,
    received: Arc<AtomicU64>,
}

/// One request: when it left and whether it was answered.
#[derive(Debug, Clone, Copy)]
struct Probe {
    sent: Instant,
    answered: bool,
}

impl Stream {
    fn run(self) -> std::io::Result<PingReport> {
        let mut probes: Vec<Probe> = Vec::new();
        let mut next = Instant::now();
        while !self.stop.load(Ordering::Relaxed) {
            let number = u64::try_from(probes.len()).unwrap_or(u64::MAX);
            // No route for a moment counts as a lost request, not as an error of the stream.
            let to = SocketAddr::new(self.to, 0);
            let _ = self.socket.send_to(&echo_request(self.to, number), to);
            probes.push(Probe {
                sent: Instant::now(),
                answered: false,
            });
            next += self.interval;
            self.read_until(next, &mut probes)?;
        }
        let end = Instant::now() + GRACE;
        while probes.iter().any(|p| !p.answered) && Instant::now() < end {
            self.read_until((Instant::now() + self.interval).min(end), &mut probes)?;
        }
        Ok(report(&probes))
    }

    /// Reads answers until the given time.
    fn read_until(&self, end: Instant, probes: &mut [Probe]) -> std::io::Result<()> {
        let mut packet = [0; 1500];
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            self.socket.set_read_timeout(Some(left))?;
            // An ICMP error for an earlier request can surface here; the request stays unanswered.
            let Ok(length) = self.socket.recv(&mut packet) else {
                continue;
            };
            let probe = packet
                .get(..length)
                .and_then(|packet| answered_number(self.to, packet))
                .and_then(|n| usize::try_from(n).ok())
                .and_then(|n| probes.get_mut(n));
            if let Some(probe) = probe.filter(|p| !p.answered) {
                probe.answered = true;
                self.received.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
}

fn report(probes: &[Probe]) -> PingReport {
    let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
    let received = probes.iter().filter(|p| p.answered).count();
    let mut longest_gap = Duration::ZERO;
    let mut gap_start: Option<Instant> = None;
    for probe in probes {
        let start = *gap_start.get_or_insert(probe.sent);
        if probe.answered {
            gap_start = None;
        }
        if probe.sent > start {
            longest_gap = longest_gap.max(probe.sent - start);
        }
    }
    PingReport {
        sent: count(probes.len()),
        received: count(received),
        lost: count(probes.len() - received),
        longest_gap,
    }
}

/// RFC 792 "Echo": type 8, code 0, checksum, identifier, sequence; then our cookie and number. RFC 4443
/// §4.1: type 128, with a checksum that is the kernel's to make.
fn echo_request(to: IpAddr, number: u64) -> Vec<u8> {
    let kind = if to.is_ipv4() { 8 } else { 128 };
    let mut packet = vec![kind, 0, 0, 0];
    packet.extend_from_slice(&[0x72, 0x62]);
    let [.., high, low] = number.to_be_bytes();
    packet.extend_from_slice(&[high, low]);
    packet.extend_from_slice(&COOKIE);
    packet.extend_from_slice(&number.to_be_bytes());
    if to.is_ipv6() {
        return packet;
    }
    let sum = checksum(&packet).to_be_bytes();
    for (place, octet) in packet.iter_mut().skip(2).zip(sum) {
        *place = octet;
    }
    packet
}

/// The number in an echo reply to one of our requests.
fn answered_number(from: IpAddr, packet: &[u8]) -> Option<u64> {
    // A raw socket delivers the IPv4 header too; its length is in the low half of the first octet.
    let (header, reply) = match from {
        IpAddr::V4(_) => (usize::from(packet.first()? & 0x0f) * 4, 0),
        IpAddr::V6(_) => (0, 129),
    };
    let icmp = packet.get(header..)?;
    let is_reply = icmp.first() == Some(&reply);
    let payload = icmp.get(8..)?.strip_prefix(&COOKIE)?;
    let number = payload.get(..8)?.try_into().ok()?;
    is_reply.then(|| u64::from_be_bytes(number))
}

/// RFC 1071.
fn checksum(octets: &[u8]) -> u16 {
    let mut sum: u32 = 0;
    for pair in octets.chunks(2) {
        let high = pair.first().copied().unwrap_or(0);
        let low = pair.get(1).copied().unwrap_or(0);
        sum += u32::from(u16::from_be_bytes([high, low]));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

    /// An answer as the kernel delivers it: an IPv4 header of 20 octets and the request with type
    /// 0.
    fn answer(number: u64) -> Vec<u8> {
        let mut packet = vec![0x45; 20];
        packet.extend(echo_request(V4, number));
        packet[20] = 0;
        packet
    }

    #[test]
    fn a_request_has_a_checksum_that_sums_to_zero() {
        for number in [0, 1, 0xffff, 0x1_0000, u64::MAX] {
            assert_eq!(checksum(&echo_request(V4, number)), 0);
        }
    }

    #[test]
    fn an_answer_gives_back_its_number_beyond_sixteen_bits() {
        assert_eq!(answered_number(V4, &answer(70_000)), Some(70_000));
        let mut over_ipv6 = echo_request(V6, 70_000);
        assert_eq!(answered_number(V6, &over_ipv6), None, "a request");
        over_ipv6[0] = 129;
        assert_eq!(answered_number(V6, &over_ipv6), Some(70_000));
    }

    #[test]
    fn requests_and_foreign_answers_are_not_answers() {
        let mut request = answer(7);
        request[20] = 8;
        assert_eq!(answered_number(V4, &request), None);
        let mut foreign = answer(7);
        foreign[28] = b'x';
        assert_eq!(answered_number(V4, &foreign), None);
        assert_eq!(answered_number(V4, &answer(7)[..30]), None);
        assert_eq!(answered_number(V4, &[]), None);
    }

    #[test]
    fn the_longest_gap_runs_from_the_first_lost_request_to_the_next_answer() {
        let start = Instant::now();
        let at = |ms, answered| Probe {
            sent: start + Duration::from_millis(ms),
            answered,
        };
        let probes = [
            at(0, true),
            at(10, false),
            at(20, false),
            at(35, true),
            at(45, true),
        ];
        let counted = report(&probes);
        assert_eq!((counted.sent, counted.received, counted.lost), (5, 3, 2));
        assert_eq!(counted.longest_gap, Duration::from_millis(25));
    }

    #[test]
    fn without_loss_there_is_no_gap() {
        let start = Instant::now();
        let at = |ms| Probe {
            sent: start + Duration::from_millis(ms),
            answered: true,
        };
        assert_eq!(
            report(&[at(0), at(10), at(500)]).longest_gap,
            Duration::ZERO
        );
    }
}
