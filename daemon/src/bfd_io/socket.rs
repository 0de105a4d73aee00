//! Sockets and the system calls of the BFD thread.
//!
//! The receiving sockets ask the kernel for TTL, destination and interface of each datagram; the
//! sending sockets carry what RFC 5881 §4 and §5 want: a source port of 49152 to 65535 and TTL
//! 255. In a VRF both are bound to its device: Linux gives a datagram that comes there to no other
//! socket (`net.ipv4.udp_l3mdev_accept` is 0 by default). Nothing here knows a session.

use std::io;
use std::mem::MaybeUninit;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::time::Duration;

use bfd::{Domain, Hops, InterfaceIndex};
use socket2::{Protocol, SockAddr, Socket, Type};

use super::shield::{self, Echoes, Known};
use crate::datagram::{self, Datagram, Leaving};
use crate::interface::index_of;

/// What a receiving socket is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Port {
    /// Control packets.
    Control(Hops),
    /// Echo packets, which are for one hop.
    Echo,
}

impl Port {
    /// RFC 5881 §4 and RFC 5883 §5.
    pub(super) fn number(self) -> u16 {
        match self {
            Self::Control(Hops::Single) => 3784,
            Self::Echo => 3785,
            Self::Control(Hops::Multi) => 4784,
        }
    }
}
/// RFC 5881 §4: source ports.
pub(super) const SOURCE_PORTS: std::ops::RangeInclusive<u16> = 49152..=65535;
/// Internetwork control, so that a full queue drops other packets first.
pub(super) const DSCP_CS6: u32 = 48 << 2;
/// A control packet has at most 255 bytes by its length field.
const DATAGRAM_MAX: usize = 512;
/// Room for datagrams that wait, in octets of the kernel's counting, which takes some 800 for each and
/// doubles what is asked for: some 2,600, so that 20 ms of a flood push out nobody's packet.
const WAITING_MAX: libc::c_int = 1 << 20;
/// Datagrams read from a socket in one round: all that may wait when it begins, so that a peer is
/// heard before it is judged, and no more, so that timers run in a flood.
pub(super) const BATCH_MAX: usize = 3_000;

/// Whose packets a socket receives.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reach<'a> {
    pub(super) port: Port,
    pub(super) vrf: Option<&'a str>,
    /// The number of the VRF, zero outside of one.
    pub(super) domain: Domain,
    /// This process has the port already, in another VRF or outside of one.
    pub(super) beside_others: bool,
}

impl Reach<'_> {
    /// Packets of neighbours outside of VRFs.
    pub(super) const NEAR: Reach<'static> = Reach {
        port: Port::Control(Hops::Single),
        vrf: None,
        domain: Domain(0),
        beside_others: false,
    };
}

/// The receiving sockets of one kind. A host without IPv6 has only the first.
pub(super) fn receivers(reach: Reach<'_>) -> io::Result<Vec<Receiver>> {
    let wrong = |error| cannot_bind(reach, error);
    let v4 = Receiver::bind(IpAddr::V4(Ipv4Addr::UNSPECIFIED), reach).map_err(wrong)?;
    match Receiver::bind(IpAddr::V6(Ipv6Addr::UNSPECIFIED), reach) {
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
        Err(error) => Err(wrong(error)),
    }
}

fn cannot_bind(reach: Reach<'_>, error: io::Error) -> io::Error {
    let taken = error.kind() == io::ErrorKind::AddrInUse;
    let hint = if taken {
        "\n\nhint: another BFD daemon runs here, stop it first"
    } else {
        ""
    };
    let vrf = reach.vrf.map(|vrf| format!(" in VRF `{vrf}`"));
    let (port, vrf) = (reach.port.number(), vrf.unwrap_or_default());
    io::Error::new(
        error.kind(),
        format!("cannot bind UDP port {port}{vrf} for BFD: {error}{hint}"),
    )
}

/// A socket on the port of a kind of packet, of all addresses of a family.
#[derive(Debug)]
pub(super) struct Receiver {
    socket: Socket,
    port: Port,
    domain: Domain,
    /// The number of the VRF device, which is another one when the device is made anew.
    vrf: Option<InterfaceIndex>,
    v6: bool,
    /// Whose packets it passes, if it is for echo packets.
    echoes: Echoes,
    buffer: [MaybeUninit<u8>; DATAGRAM_MAX],
}

impl Receiver {
    fn bind(address: IpAddr, reach: Reach<'_>) -> io::Result<Self> {
        let socket = Socket::new(
            socket2::Domain::for_address((address, 0).into()),
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
        match reach.port {
            Port::Control(_) => make_room(&socket)?,
            // Whose packets count is not known yet.
            Port::Echo => attach(&socket, &Echoes::default().near(address.is_ipv6()))?,
        }
        let vrf = match reach.vrf {
            Some(vrf) => {
                socket.bind_device(Some(vrf.as_bytes()))?;
                Some(InterfaceIndex(index_of(vrf)?))
            }
            None => None,
        };
        // See `Receiver::share`. Outside of that nobody else can have the port.
        socket.set_reuse_address(reach.beside_others)?;
        socket.bind(&SocketAddr::from((address, reach.port.number())).into())?;
        socket.set_reuse_address(false)?;
        Ok(Self {
            socket,
            port: reach.port,
            domain: reach.domain,
            vrf,
            v6: address.is_ipv6(),
            echoes: Echoes::default(),
            buffer: [MaybeUninit::new(0); DATAGRAM_MAX],
        })
    }

    /// One datagram, or an error of kind `WouldBlock`. `Ok(None)`: the kernel did not say from
    /// where or how it came, so it cannot be trusted.
    pub(super) fn receive(&mut self) -> io::Result<Option<bfd::Datagram<'_>>> {
        let Datagram {
            from,
            payload,
            told,
        } = Datagram::receive(&self.socket, &mut self.buffer)?;
        let (Some(source), Some(ttl), Some(interface), Some(local)) =
            (from, told.ttl, told.interface, told.local)
        else {
            return Ok(None);
        };
        Ok(Some(bfd::Datagram {
            remote: source.ip(),
            local,
            interface: InterfaceIndex(interface),
            domain: self.domain,
            hops: match self.port {
                Port::Control(hops) => hops,
                Port::Echo => Hops::Single,
            },
            ttl,
            payload,
        }))
    }

    /// Sends a datagram from the port to the same port.
    pub(super) fn send(&self, from: Leaving, to: IpAddr, payload: &[u8]) -> io::Result<()> {
        let interface = Some(InterfaceIndex(from.interface));
        let to = address(to, self.port.number(), interface);
        datagram::send(&self.socket, from, to, payload)
    }

    pub(super) fn port(&self) -> Port {
        self.port
    }

    /// Lets the port be bound once more by a socket that asks for it too. Linux takes one that is
    /// bound to a VRF and one that is not for the same, unless both do.
    pub(super) fn share(&self, share: bool) -> io::Result<()> {
        self.socket.set_reuse_address(share)
    }

    /// Which sessions receive control packets from here; `None`: none.
    pub(super) fn kind(&self) -> Option<(Hops, Domain, bool)> {
        match self.port {
            Port::Control(hops) => Some((hops, self.domain, self.v6)),
            Port::Echo => None,
        }
    }

    /// Whether echo packets of these sessions come here.
    pub(super) fn echoes(&self, domain: Domain, v6: bool) -> bool {
        (self.port, self.domain, self.v6) == (Port::Echo, domain, v6)
    }

    /// Has the kernel drop what is of none of these, in place of those of before.
    pub(super) fn shield(&self, known: &Known) -> io::Result<()> {
        attach(&self.socket, &known.program(self.v6))
    }

    /// Has the kernel drop what is of none of these, if it is for echo packets.
    pub(super) fn hear_echoes(&mut self, of: &Echoes) -> io::Result<()> {
        if self.port == Port::Echo && self.echoes != *of {
            attach(&self.socket, &of.near(self.v6))?;
            self.echoes.clone_from(of);
        }
        Ok(())
    }

    /// Takes everything again.
    pub(super) fn unshield(&self) -> io::Result<()> {
        set_option(&self.socket, libc::SOL_SOCKET, libc::SO_DETACH_FILTER, &0)
    }

    /// Whether these packets come here.
    pub(super) fn receives(&self, port: Port, domain: Domain) -> bool {
        (self.port, self.domain) == (port, domain)
    }

    /// Whether it receives these packets, and is bound to the device as it is now.
    pub(super) fn serves(&self, reach: Reach<'_>) -> Serves {
        if !self.receives(reach.port, reach.domain) {
            return Serves::Others;
        }
        let now = reach.vrf.map(index_of);
        let now = now.and_then(Result::ok).map(InterfaceIndex);
        match self.vrf == now {
            true => Serves::These,
            false => Serves::Former,
        }
    }

    pub(super) fn fd(&self) -> BorrowedFd<'_> {
        use std::os::fd::AsFd;
        self.socket.as_fd()
    }
}

/// See [`Receiver::serves`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Serves {
    /// These packets.
    These,
    /// These packets of a device that is no more.
    Former,
    /// Other packets.
    Others,
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
    pub(super) vrf: Option<&'a str>,
    pub(super) hops: Hops,
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
        if let Some(vrf) = route.vrf {
            interface_index(vrf)?;
        }
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
        // Nobody reads from it: what strangers send to its port would only wait there.
        attach(&socket, &shield::nothing())?;
        socket
            .bind(&address(local, port, interface).into())
            .map_err(|error| {
                if error.kind() == io::ErrorKind::AddrInUse {
                    SenderError::PortInUse(port)
                } else {
                    SenderError::Local(local, error)
                }
            })?;
        let port = Port::Control(route.hops).number();
        let destination = address(route.peer, port, interface).into();
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
    let domain = socket2::Domain::for_address((family, 0).into());
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    if let Some(device) = route.interface.or(route.vrf) {
        socket.bind_device(Some(device.as_bytes()))?;
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
        .connect(&address(route.peer, Port::Control(route.hops).number(), interface).into())
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
    set_option(socket, level, option, &1)
}

/// The kernel grants any size to who may change the network, and what is usual to others.
fn make_room(socket: &Socket) -> io::Result<()> {
    let (level, size) = (libc::SOL_SOCKET, WAITING_MAX);
    set_option(socket, level, libc::SO_RCVBUFFORCE, &size)
        .or_else(|_| set_option(socket, level, libc::SO_RCVBUF, &size))
}

/// From now on the socket takes what this filter passes.
pub(super) fn attach(socket: &Socket, program: &[libc::sock_filter]) -> io::Result<()> {
    let filter = libc::sock_fprog {
        len: u16::try_from(program.len()).map_err(io::Error::other)?,
        // The kernel copies it and writes nothing there.
        filter: program.as_ptr().cast_mut(),
    };
    let length = libc::socklen_t::try_from(size_of::<libc::sock_fprog>());
    // SAFETY: the descriptor is open as long as `socket` lives; the value is a `sock_fprog` of that
    // length, which points to `len` instructions that outlive the call.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            (&raw const filter).cast(),
            length.map_err(io::Error::other)?,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

fn set_option(
    socket: &Socket,
    level: libc::c_int,
    option: libc::c_int,
    value: &libc::c_int,
) -> io::Result<()> {
    let length = libc::socklen_t::try_from(size_of::<libc::c_int>()).map_err(io::Error::other)?;
    // SAFETY: the descriptor is open as long as `socket` lives; the value is a C int of that
    // length.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            std::ptr::from_ref(value).cast(),
            length,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Sleeps until a descriptor is readable or the time is over, and says which are readable. Time has
/// nanoseconds, unlike poll(2).
pub(super) fn wait(fds: &[BorrowedFd<'_>], timeout: Option<Duration>) -> io::Result<Vec<bool>> {
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
        Ok(polled.iter().map(|polled| polled.revents != 0).collect())
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
