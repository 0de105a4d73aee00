//! Sockets and the system calls of the BFD thread.
//!
//! The receiving sockets ask the kernel for TTL, destination and interface of each datagram; the
//! sending sockets carry what RFC 5881 §4 and §5 want: a source port of 49152 to 65535 and TTL
//! 255. Nothing here knows a session.

use std::io;
use std::mem::MaybeUninit;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

use bfd::InterfaceIndex;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::datagram::Datagram;
use crate::interface::index_of;

/// RFC 5881 §4.
const PORT: u16 = 3784;
/// RFC 5881 §4: source ports.
pub(super) const SOURCE_PORTS: std::ops::RangeInclusive<u16> = 49152..=65535;
/// Internetwork control, so that a full queue drops other packets first.
const DSCP_CS6: u32 = 48 << 2;
/// A control packet has at most 255 bytes by its length field.
const DATAGRAM_MAX: usize = 512;

/// The sockets on port 3784. A host without IPv6 has only the first.
pub(super) fn receivers() -> io::Result<Vec<Receiver>> {
    let v4 = Receiver::bind(IpAddr::V4(Ipv4Addr::UNSPECIFIED)).map_err(cannot_bind)?;
    match Receiver::bind(IpAddr::V6(Ipv6Addr::UNSPECIFIED)) {
        Ok(v6) => Ok(vec![v4, v6]),
        Err(error)
            if matches!(
                error.raw_os_error(),
                Some(libc::EAFNOSUPPORT | libc::EADDRNOTAVAIL)
            ) =>
        {
            tracing::warn!(%error, "no IPv6 on this host, BFD runs on IPv4 only");
            Ok(vec![v4])
        }
        Err(error) => Err(cannot_bind(error)),
    }
}

fn cannot_bind(error: io::Error) -> io::Error {
    let taken = error.kind() == io::ErrorKind::AddrInUse;
    let hint = if taken {
        "\n\nhint: another BFD daemon runs here, stop it first"
    } else {
        ""
    };
    io::Error::new(
        error.kind(),
        format!("cannot bind UDP port {PORT} for BFD: {error}{hint}"),
    )
}

/// A socket on port 3784 of all addresses of a family.
#[derive(Debug)]
pub(super) struct Receiver {
    socket: Socket,
    buffer: [MaybeUninit<u8>; DATAGRAM_MAX],
}

/// A datagram and what the kernel knows of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Received<'a> {
    pub(super) remote: IpAddr,
    pub(super) interface: InterfaceIndex,
    pub(super) ttl: u8,
    pub(super) payload: &'a [u8],
}

impl Receiver {
    fn bind(address: IpAddr) -> io::Result<Self> {
        let socket = Socket::new(
            Domain::for_address((address, 0).into()),
            Type::DGRAM,
            Some(Protocol::UDP),
        )?;
        if address.is_ipv6() {
            socket.set_only_v6(true)?;
            enable(&socket, libc::IPPROTO_IPV6, libc::IPV6_RECVHOPLIMIT)?;
            enable(&socket, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO)?;
        } else {
            enable(&socket, libc::IPPROTO_IP, libc::IP_RECVTTL)?;
            enable(&socket, libc::IPPROTO_IP, libc::IP_PKTINFO)?;
        }
        socket.set_nonblocking(true)?;
        socket.bind(&SocketAddr::from((address, PORT)).into())?;
        Ok(Self {
            socket,
            buffer: [MaybeUninit::new(0); DATAGRAM_MAX],
        })
    }

    /// One datagram, or an error of kind `WouldBlock`. `Ok(None)`: the kernel did not say from
    /// where or how it came, so it cannot be trusted.
    pub(super) fn receive(&mut self) -> io::Result<Option<Received<'_>>> {
        let Datagram {
            from,
            payload,
            told,
        } = Datagram::receive(&self.socket, &mut self.buffer)?;
        let (Some(source), Some(ttl), Some(interface)) = (from, told.ttl, told.interface) else {
            return Ok(None);
        };
        Ok(Some(Received {
            remote: source.ip(),
            interface: InterfaceIndex(interface),
            ttl,
            payload,
        }))
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        use std::os::fd::AsFd;
        self.socket.as_fd()
    }
}

/// The sending socket of a session.
#[derive(Debug)]
pub(super) struct Sender {
    socket: Socket,
    destination: SockAddr,
    pub(super) local: IpAddr,
    pub(super) interface: Option<InterfaceIndex>,
}

/// Where a sending socket goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Route<'a> {
    pub(super) peer: IpAddr,
    pub(super) local: Option<IpAddr>,
    pub(super) interface: Option<&'a str>,
}

/// What keeps a sending socket from being made.
#[derive(Debug, thiserror::Error)]
pub(super) enum SenderError {
    #[error("interface `{0}` does not exist")]
    Interface(String),
    #[error("there is no route to `{0}`: {1}")]
    Route(IpAddr, #[source] io::Error),
    #[error("address `{0}` cannot be used: {1}")]
    Local(IpAddr, #[source] io::Error),
    #[error("UDP source port {0} is in use")]
    PortInUse(u16),
    #[error("link-local peer `{0}` needs an interface")]
    LinkLocal(IpAddr),
    #[error("no socket: {0}")]
    Socket(#[from] io::Error),
}

impl Sender {
    /// Makes the socket. Bound to the interface, if one is given, so that no route can lead it
    /// elsewhere.
    pub(super) fn bind(route: Route<'_>, port: u16) -> Result<Self, SenderError> {
        let interface = route.interface.map(interface_index).transpose()?;
        if is_link_local(route.peer) && interface.is_none() {
            return Err(SenderError::LinkLocal(route.peer));
        }
        let local = match route.local {
            Some(local) => local,
            None => preferred_source(route, interface)?,
        };
        let socket = outgoing(route, route.peer)?;
        if route.peer.is_ipv6() {
            socket.set_unicast_hops_v6(u32::from(u8::MAX))?;
            socket.set_tclass_v6(DSCP_CS6)?;
        } else {
            socket.set_ttl_v4(u32::from(u8::MAX))?;
            socket.set_tos_v4(DSCP_CS6)?;
        }
        socket
            .bind(&address(local, port, interface).into())
            .map_err(|error| {
                if error.kind() == io::ErrorKind::AddrInUse {
                    SenderError::PortInUse(port)
                } else {
                    SenderError::Local(local, error)
                }
            })?;
        let destination = address(route.peer, PORT, interface).into();
        Ok(Self {
            socket,
            destination,
            local,
            interface,
        })
    }

    pub(super) fn send(&self, bytes: &[u8]) -> io::Result<()> {
        self.socket.send_to(bytes, &self.destination).map(|_| ())
    }
}

fn outgoing(route: Route<'_>, family: IpAddr) -> io::Result<Socket> {
    let domain = Domain::for_address((family, 0).into());
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    if let Some(interface) = route.interface {
        socket.bind_device(Some(interface.as_bytes()))?;
    }
    Ok(socket)
}

/// The address the kernel would send from: connecting a datagram socket looks up the route and
/// sends nothing.
fn preferred_source(
    route: Route<'_>,
    interface: Option<InterfaceIndex>,
) -> Result<IpAddr, SenderError> {
    let probe = outgoing(route, route.peer)?;
    probe
        .connect(&address(route.peer, PORT, interface).into())
        .map_err(|error| SenderError::Route(route.peer, error))?;
    let local = probe.local_addr()?.as_socket();
    local
        .map(|local| local.ip())
        .ok_or_else(|| SenderError::Route(route.peer, io::ErrorKind::AddrNotAvailable.into()))
}

fn address(ip: IpAddr, port: u16, interface: Option<InterfaceIndex>) -> SocketAddr {
    match ip {
        IpAddr::V6(v6) if is_link_local(ip) => {
            SocketAddrV6::new(v6, port, 0, interface.map_or(0, |index| index.0)).into()
        }
        IpAddr::V4(_) | IpAddr::V6(_) => (ip, port).into(),
    }
}

fn is_link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
        IpAddr::V4(_) => false,
    }
}

fn interface_index(name: &str) -> Result<InterfaceIndex, SenderError> {
    let index = index_of(name).map_err(|_| SenderError::Interface(name.to_owned()))?;
    Ok(InterfaceIndex(index))
}

fn enable(socket: &Socket, level: libc::c_int, option: libc::c_int) -> io::Result<()> {
    let on: libc::c_int = 1;
    let length = libc::socklen_t::try_from(size_of::<libc::c_int>()).map_err(io::Error::other)?;
    // SAFETY: the descriptor is open as long as `socket` lives; the value is a C int of that
    // length.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            (&raw const on).cast(),
            length,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Sleeps until a descriptor is readable or the time is over. Time has nanoseconds, unlike
/// poll(2).
pub(super) fn wait(fds: &[BorrowedFd<'_>], timeout: Option<Duration>) -> io::Result<()> {
    let mut polled: Vec<libc::pollfd> = fds
        .iter()
        .map(|fd| libc::pollfd {
            fd: fd.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        })
        .collect();
    let count = libc::nfds_t::try_from(polled.len()).map_err(io::Error::other)?;
    let timeout = timeout.map(|time| libc::timespec {
        tv_sec: libc::time_t::try_from(time.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: libc::c_long::from(time.subsec_nanos().cast_signed()),
    });
    let timeout = timeout
        .as_ref()
        .map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: `polled` has `count` entries, `timeout` is null or points to a timespec that
    // outlives the call, and a null signal mask leaves the mask alone.
    let result = unsafe { libc::ppoll(polled.as_mut_ptr(), count, timeout, std::ptr::null()) };
    if result >= 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Asks for real-time priority for the calling thread. Threads it would start do not inherit it.
pub(super) fn request_realtime() -> io::Result<()> {
    const PRIORITY: libc::c_int = 10;
    // SAFETY: `sched_param` is a plain C struct for which all zeros is a valid value.
    let mut parameters: libc::sched_param = unsafe { std::mem::zeroed() };
    parameters.sched_priority = PRIORITY;
    let policy = libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK;
    // SAFETY: 0 names the calling thread; `parameters` outlives the call.
    let result = unsafe { libc::sched_setscheduler(0, policy, &raw const parameters) };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
