//! Router advertisements (RFC 4861), by which two routers on one link find each other's
//! link-local address: what BGP "unnumbered" stands on.
//!
//! One task with one ICMPv6 socket. It sends an advertisement to all on each interface that has a
//! neighbour without an address, three soon after the start and then one as often as is configured, and
//! reports who is heard there; who is heard for the first time is sent one by itself. Solicitations
//! are not answered: no host is to use us. The lifetime in ours is zero: hosts on the link must not take us for their
//! default router. Nothing is remembered here but what was reported last. What has been forwarded
//! is nobody's on the link: the hop limit says so (RFC 4861 §6.1.2).
//!
//! Without the right to open the socket (CAP_NET_RAW) the task ends with an error in the log.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::mem::MaybeUninit;
use std::net::{Ipv6Addr, SocketAddr, SocketAddrV6};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::io::Interest;
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, watch};

use crate::core::Order;
use crate::datagram::{Datagram, Told};
use crate::interface::{index_of, name_of};

/// Where advertisements go: every node of the link (RFC 4861 §6.2.3).
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// ICMPv6 type of a router advertisement (RFC 4861 §4.2).
const ROUTER_ADVERTISEMENT: u8 = 134;

/// The first rounds follow each other faster, so that sessions are up soon after a start
/// (RFC 4861 §6.2.4 allows three). RFC 4861 §6.2.6: advertisements to all nodes "MUST be rate
/// limited to no more than one advertisement every MIN_DELAY_BETWEEN_RAS seconds", which are three.
const FIRST: Duration = Duration::from_secs(3);
const FIRST_ROUNDS: u32 = 3;

/// Until the next attempt where nothing could be sent: the interface is not up yet.
const RETRY: Duration = Duration::from_secs(1);

/// Longest advertisement that is looked at: all that matters is its sender.
const LENGTH_MAX: usize = 1500;
/// Shortest one without options (RFC 4861 §6.1.2).
const LENGTH_MIN: usize = 16;

/// An interface with a neighbour, and the time between two rounds there.
pub(crate) type Link = (String, Duration);

/// Runs until nobody can change the interfaces any more.
pub(crate) async fn run(mut interfaces: watch::Receiver<Vec<Link>>, orders: mpsc::Sender<Order>) {
    let socket = match open() {
        Ok(socket) => socket,
        Err(error) => {
            tracing::error!(
                %error,
                "no router advertisements, so neighbors given by interface are not found (needs \
                 CAP_NET_RAW)"
            );
            return;
        }
    };
    let mut heard: HashMap<u32, Ipv6Addr> = HashMap::new();
    let mut rounds: BTreeMap<String, Round> = BTreeMap::new();
    loop {
        let now = Instant::now();
        begin(&mut rounds, &interfaces.borrow_and_update(), now);
        for (interface, round) in rounds.iter_mut().filter(|(_, round)| round.next <= now) {
            let sent = match index_of(interface) {
                Ok(index) => send(&socket, ALL_NODES, index).await,
                Err(error) => Err(error),
            };
            if let Err(error) = &sent {
                tracing::debug!(interface, %error, "router advertisement not sent");
            }
            round.over(now, sent.is_ok());
        }
        let until = rounds.values().map(|round| round.next).min();
        loop {
            tokio::select! {
                () = sleep_until(until) => break,
                changed = interfaces.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    // What was said of an interface that is new again must be said again.
                    heard.clear();
                    break;
                }
                from = receive(&socket) => {
                    let Some(from) = from else { continue };
                    let name = name_of(from.scope_id());
                    let known = |name: &String| interfaces.borrow().iter().any(|it| it.0 == *name);
                    let wanted = name.filter(known);
                    let Some(name) = wanted else { continue };
                    if heard.get(&from.scope_id()) == Some(from.ip()) {
                        continue;
                    }
                    let order = Order::Heard(name, *from.ip());
                    if orders.try_send(order).is_err() {
                        continue;
                    }
                    heard.insert(from.scope_id(), *from.ip());
                    // It may have missed what we said before it came, and the next word to all may
                    // be seconds away.
                    if let Err(error) = send(&socket, *from.ip(), from.scope_id()).await {
                        tracing::debug!(%from, %error, "router advertisement not sent");
                    }
                }
            }
        }
    }
}

/// When the next advertisement to all is due on an interface.
#[derive(Debug, Clone, Copy)]
struct Round {
    sent: u32,
    interval: Duration,
    next: Instant,
}

impl Round {
    fn over(&mut self, now: Instant, sent: bool) {
        if !sent {
            self.next = now + RETRY;
            return;
        }
        self.sent = self.sent.saturating_add(1);
        self.next = now
            + if self.sent < FIRST_ROUNDS {
                FIRST.min(self.interval)
            } else {
                self.interval
            };
    }
}

/// Begins on interfaces that are new, and ends on those that are no more.
fn begin(rounds: &mut BTreeMap<String, Round>, links: &[Link], now: Instant) {
    rounds.retain(|name, _| links.iter().any(|link| link.0 == *name));
    for (name, interval) in links {
        let first = Round {
            sent: 0,
            interval: *interval,
            next: now,
        };
        let round = rounds.entry(name.clone()).or_insert(first);
        if round.interval != *interval {
            round.interval = *interval;
            round.next = round.next.min(now + *interval);
        }
    }
}

async fn sleep_until(until: Option<Instant>) {
    match until {
        Some(until) => tokio::time::sleep_until(until.into()).await,
        None => std::future::pending().await,
    }
}

fn open() -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::ICMPV6))?;
    // RFC 4861 §6.1.2: who does not see 255 drops it.
    socket.set_multicast_hops_v6(255)?;
    socket.set_unicast_hops_v6(255)?;
    socket.set_multicast_loop_v6(false)?;
    // The kernel checks the checksum of ICMPv6 by itself (RFC 3542 §3.1), and tells the hop limit
    // when asked.
    socket.set_recv_hoplimit_v6(true)?;
    socket.set_nonblocking(true)?;
    // Datagrams with addresses, which is all that matters here of UDP.
    UdpSocket::from_std(socket.into())
}

async fn send(socket: &UdpSocket, to: Ipv6Addr, index: u32) -> io::Result<()> {
    // Type, code, checksum (the kernel's business), hop limit, flags, lifetime, two timers: all
    // unspecified (RFC 4861 §4.2).
    let message = [
        ROUTER_ADVERTISEMENT,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
        0,
    ];
    let to = SocketAddr::V6(SocketAddrV6::new(to, 0, 0, index));
    socket.send_to(&message, to).await.map(drop)
}

/// Who has sent a router advertisement; `None` for anything else.
async fn receive(socket: &UdpSocket) -> Option<SocketAddrV6> {
    let mut buffer = [MaybeUninit::new(0); LENGTH_MAX];
    socket.readable().await.ok()?;
    let raw = SockRef::from(socket);
    let received = socket.try_io(Interest::READABLE, || Datagram::receive(&raw, &mut buffer));
    let Datagram {
        from: Some(SocketAddr::V6(from)),
        payload,
        told: Told {
            ttl: Some(hop_limit),
            ..
        },
    } = received.ok()?
    else {
        return None;
    };
    is_advertisement(payload, from, hop_limit).then_some(from)
}

/// RFC 4861 §6.1.2: what must hold of an advertisement. A router on the way would have lowered the
/// hop limit.
fn is_advertisement(message: &[u8], from: SocketAddrV6, hop_limit: u8) -> bool {
    let on_link = from.ip().is_unicast_link_local() && from.scope_id() != 0 && hop_limit == 255;
    let is_one = message.starts_with(&[ROUTER_ADVERTISEMENT, 0]) && message.len() >= LENGTH_MIN;
    on_link && is_one && has_whole_options(message.get(LENGTH_MIN..).unwrap_or(&[]))
}

/// "All included options have a length that is greater than zero", in units of eight octets, and
/// end with the message (RFC 4861 §4.6).
fn has_whole_options(mut options: &[u8]) -> bool {
    while let [_, units, ..] = options {
        let length = usize::from(*units) * 8;
        match options.get(length..) {
            Some(rest) if length > 0 => options = rest,
            Some(_) | None => return false,
        }
    }
    options.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: [u8; LENGTH_MIN] = [134, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];

    fn from(address: &str, scope: u32) -> SocketAddrV6 {
        SocketAddrV6::new(address.parse().unwrap(), 0, 0, scope)
    }

    #[test]
    fn all_on_a_link_hear_of_us_at_once_and_then_not_within_three_seconds() {
        let start = Instant::now();
        let mut rounds = BTreeMap::new();
        let mut when = Vec::new();
        let mut now = start;
        let [eth0, eth1] = ["eth0", "eth1"].map(|name| (name.to_owned(), Duration::from_secs(10)));
        for _ in 0..5 {
            // Settings that change hurry nothing on an interface that was there.
            begin(&mut rounds, &[eth0.clone(), eth1.clone()], now);
            begin(&mut rounds, std::slice::from_ref(&eth0), now);
            let round = rounds.get_mut("eth0").unwrap();
            now = round.next;
            when.push((now - start).as_secs());
            round.over(now, true);
        }
        assert_eq!(when, [0, 3, 6, 16, 26]);
        // One that was not heard does not count.
        let round = rounds.get_mut("eth0").unwrap();
        round.over(now, false);
        assert_eq!(round.next, now + RETRY);
        begin(&mut rounds, &[eth1], now);
        assert_eq!(rounds.get("eth1").unwrap().next, now);
        assert!(!rounds.contains_key("eth0"));
    }

    #[test]
    fn an_interval_is_that_of_the_interface_and_a_shorter_one_holds_at_once() {
        let start = Instant::now();
        let mut rounds = BTreeMap::new();
        let of = |seconds| [("eth0".to_owned(), Duration::from_secs(seconds))];
        let mut waits = |seconds, now| {
            begin(&mut rounds, &of(seconds), now);
            let round: &mut Round = rounds.get_mut("eth0").unwrap();
            let next = round.next;
            round.over(next, true);
            (next - start).as_secs()
        };
        assert_eq!(waits(2, start), 0);
        assert_eq!(waits(2, start), 2);
        assert_eq!(waits(100, start), 4);
        assert_eq!(waits(100, start), 104);
        // The next one was due at 204 s.
        assert_eq!(waits(5, start + Duration::from_secs(110)), 115);
    }

    #[test]
    fn only_a_whole_advertisement_from_the_link_counts() {
        let near = from("fe80::1", 3);
        let with = |options: &[u8]| [&MESSAGE, options].concat();
        assert!(is_advertisement(&MESSAGE, near, 255));
        // The source's link-layer address (RFC 4861 §4.6.1).
        assert!(is_advertisement(
            &with(&[1, 1, 2, 0, 0, 0, 0, 1]),
            near,
            255
        ));
        let mut other_code = MESSAGE;
        other_code[1] = 1;
        let mut other_type = MESSAGE;
        other_type[0] = 133;
        for (message, from, hop_limit) in [
            (MESSAGE.to_vec(), near, 254),
            (MESSAGE.to_vec(), near, 64),
            (MESSAGE.to_vec(), from("2001:db8::1", 3), 255),
            (MESSAGE.to_vec(), from("fe80::1", 0), 255),
            (MESSAGE[..15].to_vec(), near, 255),
            (other_code.to_vec(), near, 255),
            (other_type.to_vec(), near, 255),
            (with(&[1, 0, 0, 0, 0, 0, 0, 0]), near, 255),
            (with(&[1, 2, 0, 0, 0, 0, 0, 0]), near, 255),
            (with(&[1]), near, 255),
        ] {
            assert!(
                !is_advertisement(&message, from, hop_limit),
                "{message:?} {from}"
            );
        }
    }
}
