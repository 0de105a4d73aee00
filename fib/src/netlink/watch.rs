//! Notifications: devices, addresses, neighbours and FDB, routes, nexthop objects.
//!
//! The socket never blocks. What the writer itself does to routes and nexthop objects is filtered
//! out in the kernel by the writer's port number, because a million own routes would push
//! everything else out of the receive buffer. When the buffer overflows all the same, the kernel
//! says so once (`ENOBUFS`), and the reader has to read everything again.

use std::io;
use std::os::fd::{AsRawFd, RawFd};

use netlink_sys::{Socket, protocols::NETLINK_ROUTE};

use super::device::{self, LinkNotice, RTM_DELADDR, RTM_DELLINK, RTM_NEWADDR, RTM_NEWLINK};
use super::encode::{RTM_DELNEXTHOP, RTM_DELROUTE, RTM_NEWNEXTHOP, RTM_NEWROUTE};
use super::message::messages;
use super::notice::{self, Notice};
use super::vlans::{self, RTM_DELTUNNEL, RTM_NEWTUNNEL};
use crate::links::Address;

/// `RTNLGRP_*`: link, neighbour (with FDB), IPv4 and IPv6 addresses and routes, nexthop, tunnel.
const GROUPS: [u32; 8] = [1, 3, 5, 7, 9, 11, 32, TUNNEL];
const TUNNEL: u32 = 35;

/// Larger than any notification.
const DATAGRAM: usize = 16 << 10;

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Notification {
    Link {
        notice: LinkNotice,
        removed: bool,
    },
    Address {
        address: Address,
        removed: bool,
    },
    Other(Notice),
    /// Notifications were lost.
    Overrun,
}

/// The listening socket.
pub(crate) struct Watch {
    socket: Socket,
    buffer: Vec<u8>,
}

impl Watch {
    /// Opens the socket and joins the groups. `own_port` is the writer's port number.
    pub(crate) fn open(own_port: u32, receive_buffer: usize) -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.set_non_blocking(true)?;
        grow(&socket, receive_buffer)?;
        ignore_own(&socket, own_port)?;
        for group in GROUPS {
            match socket.add_membership(group) {
                // A kernel before 5.3 has no nexthop objects and no such group.
                Err(error) if group == 32 => {
                    tracing::warn!(%error, "nexthop objects cannot be watched");
                }
                // One before 5.18 has no VNI filters.
                Err(error) if group == TUNNEL => {
                    tracing::debug!(%error, "VNI filters cannot be watched");
                }
                result => result?,
            }
        }
        Ok(Self {
            socket,
            buffer: Vec::with_capacity(DATAGRAM),
        })
    }

    /// To wait on.
    pub(crate) fn fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }

    /// Reads one datagram. Returns false when there is none.
    pub(crate) fn read(&mut self, mut each: impl FnMut(Notification)) -> io::Result<bool> {
        self.buffer.clear();
        match self.socket.recv(&mut self.buffer, 0) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(true),
            Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {
                each(Notification::Overrun);
                return Ok(true);
            }
            Err(error) => return Err(error),
        }
        for message in messages(&self.buffer) {
            let payload = message.payload();
            let notification = match message.kind {
                RTM_NEWLINK | RTM_DELLINK => {
                    device::link(payload).map(|notice| Notification::Link {
                        notice,
                        removed: message.kind == RTM_DELLINK,
                    })
                }
                RTM_NEWADDR | RTM_DELADDR => {
                    device::address(payload).map(|address| Notification::Address {
                        address,
                        removed: message.kind == RTM_DELADDR,
                    })
                }
                RTM_NEWTUNNEL | RTM_DELTUNNEL => {
                    vlans::filter(payload).map(|(index, _)| Notification::Link {
                        notice: LinkNotice::Port(index),
                        removed: false,
                    })
                }
                _ => notice::read(&message).map(Notification::Other),
            };
            match notification {
                Some(notification) => each(notification),
                None => tracing::trace!(kind = message.kind, "notification of no interest"),
            }
        }
        Ok(true)
    }
}

/// Beyond the limit for ordinary users (`net.core.rmem_max`), as CAP_NET_ADMIN allows.
fn grow(socket: &Socket, bytes: usize) -> io::Result<()> {
    let value = libc::c_int::try_from(bytes).unwrap_or(libc::c_int::MAX);
    if set_option(socket, libc::SO_RCVBUFFORCE, &value).is_err() {
        tracing::warn!("cannot force the receive buffer, notifications may be lost earlier");
        set_option(socket, libc::SO_RCVBUF, &value)?;
    }
    Ok(())
}

/// Drops notifications of routes and nexthop objects that this process's writer caused.
fn ignore_own(socket: &Socket, own_port: u32) -> io::Result<()> {
    // Classic BPF loads in network order, the header is in host order.
    let load = |size, at| instruction(libc::BPF_LD | size | libc::BPF_ABS, 0, 0, at);
    let equal = |value, yes, no| instruction(libc::BPF_JMP | libc::BPF_JEQ, yes, no, value);
    let give = |bytes| instruction(libc::BPF_RET, 0, 0, bytes);
    let kind = |kind: u16| u32::from(kind.to_be());
    let mut program = [
        load(libc::BPF_H, 4),
        equal(kind(RTM_NEWROUTE), 4, 0),
        equal(kind(RTM_DELROUTE), 3, 0),
        equal(kind(RTM_NEWNEXTHOP), 2, 0),
        equal(kind(RTM_DELNEXTHOP), 1, 0),
        give(u32::MAX),
        load(libc::BPF_W, 12),
        equal(own_port.to_be(), 0, 1),
        give(0),
        give(u32::MAX),
    ];
    let length = libc::c_ushort::try_from(program.len()).unwrap_or(0);
    let filter = libc::sock_fprog {
        len: length,
        filter: program.as_mut_ptr(),
    };
    set_option(socket, libc::SO_ATTACH_FILTER, &filter)
}

fn instruction(code: u32, yes: u8, no: u8, value: u32) -> libc::sock_filter {
    libc::sock_filter {
        code: u16::try_from(code).unwrap_or(0),
        jt: yes,
        jf: no,
        k: value,
    }
}

fn set_option<T>(socket: &Socket, option: libc::c_int, value: &T) -> io::Result<()> {
    let size = libc::socklen_t::try_from(size_of::<T>()).unwrap_or(0);
    // SAFETY: the descriptor is open, and `value` is a live object of `size` bytes; a filter's
    // instructions are copied by the kernel before the call returns.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            option,
            std::ptr::from_ref(value).cast(),
            size,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
