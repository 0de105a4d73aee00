//! Reading whole tables, with strict checking of requests.
//!
//! A dump is a sequence of datagrams that ends with `NLMSG_DONE`. When the table changed under the
//! kernel's hands it says so (`NLM_F_DUMP_INTR`), and the dump is made again.

use std::collections::{BTreeSet, HashMap};
use std::io;

use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

use super::device::{self, LinkNotice};
use super::encode::{AF_BRIDGE, AF_INET, AF_INET6, RTA_OIF};
use super::message::{
    Builder, Message, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR,
    messages, u32_at,
};
use super::notice::{self, Notice};
use super::now::DeviceFacts;
use super::vlans::{self, IFLA_EXT_MASK, RTEXT_FILTER_BRVLAN_COMPRESSED, RTM_GETTUNNEL};
use crate::links::{Address, Link, Vlans};

/// The VNIs that VXLAN devices let in, by device.
pub(crate) type VniFilters = HashMap<u32, BTreeSet<u32>>;

pub(crate) const RTM_GETLINK: u16 = 18;
const RTM_GETADDR: u16 = 22;
const RTM_GETROUTE: u16 = 26;
const RTM_GETNEIGH: u16 = 30;
const RTM_GETNEXTHOP: u16 = 106;

/// How often an interrupted dump is made again before its result is taken as it is; the watcher
/// delivers what changed meanwhile.
const ATTEMPTS: usize = 4;

/// All devices and addresses of this host as they are now, for who only looks once.
pub fn host_now() -> io::Result<(Vec<Link>, Vec<Address>)> {
    let mut dump = Dump::open()?;
    Ok((dump.links()?, dump.addresses()?))
}

/// A socket for dumps.
pub(crate) struct Dump {
    socket: Socket,
    sequence: u32,
}

impl Dump {
    /// Opens the socket.
    pub(crate) fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        socket.set_netlink_get_strict_chk(true)?;
        Ok(Self {
            socket,
            sequence: 0,
        })
    }

    /// All devices.
    pub(crate) fn links(&mut self) -> io::Result<Vec<Link>> {
        self.collect(RTM_GETLINK, &[0; 16], |message| {
            match device::link(message.payload()) {
                Some(LinkNotice::Link(link)) => Some(link),
                Some(LinkNotice::Port(_)) | None => None,
            }
        })
    }

    /// What only people ask about all devices.
    pub(crate) fn facts(&mut self) -> io::Result<Vec<DeviceFacts>> {
        self.collect(RTM_GETLINK, &[0; 16], |message| {
            device::facts(message.payload())
        })
    }

    /// The VLANs of all bridges and ports, and the VNIs that VXLAN devices let in.
    pub(crate) fn segments(&mut self) -> io::Result<(HashMap<u32, Vlans>, VniFilters)> {
        let mut header = vec![0; 16];
        if let Some(family) = header.first_mut() {
            *family = AF_BRIDGE;
        }
        // An attribute: `struct rtattr` and a number.
        header.extend_from_slice(&8_u16.to_ne_bytes());
        header.extend_from_slice(&IFLA_EXT_MASK.to_ne_bytes());
        header.extend_from_slice(&RTEXT_FILTER_BRVLAN_COMPRESSED.to_ne_bytes());
        let vlans = self.collect(RTM_GETLINK, &header, |message| {
            vlans::vlans(message.payload())
        })?;
        let mut all: HashMap<u32, Vlans> = HashMap::new();
        for (index, vlans) in vlans {
            // Hardware that has a bridge of its own answers beside the bridge.
            all.entry(index).or_default().extend(vlans);
        }
        let mut filters = VniFilters::new();
        let read = self.collect(
            RTM_GETTUNNEL,
            &[AF_BRIDGE, 0, 0, 0, 0, 0, 0, 0],
            |message| vlans::filter(message.payload()),
        )?;
        for (index, vnis) in read {
            // A device with many takes several messages.
            filters.entry(index).or_default().extend(vnis);
        }
        Ok((all, filters))
    }

    /// All addresses.
    pub(crate) fn addresses(&mut self) -> io::Result<Vec<Address>> {
        self.collect(RTM_GETADDR, &[0; 8], |message| {
            device::address(message.payload())
        })
    }

    /// All nexthop objects.
    pub(crate) fn next_hops(&mut self) -> io::Result<Vec<Notice>> {
        self.collect(RTM_GETNEXTHOP, &[0; 8], notice::read)
    }

    /// All FDB entries, then all neighbours.
    pub(crate) fn neighbours(&mut self, mut each: impl FnMut(Notice)) -> io::Result<()> {
        for family in [AF_BRIDGE, AF_INET, AF_INET6] {
            let mut header = [0; 12];
            header[0] = family;
            self.collect(RTM_GETNEIGH, &header, notice::read)?
                .into_iter()
                .for_each(&mut each);
        }
        Ok(())
    }

    /// All routes of all tables, one by one: there may be millions.
    pub(crate) fn routes(&mut self, each: impl FnMut(Notice)) -> io::Result<()> {
        self.routes_of(0, each)
    }

    /// The same of those with a protocol number, as far as the kernel knows such a filter; 0 is all.
    pub(crate) fn routes_of(
        &mut self,
        protocol: u8,
        mut each: impl FnMut(Notice),
    ) -> io::Result<()> {
        for family in [AF_INET, AF_INET6] {
            let mut header = [0; 12];
            header[0] = family;
            header[5] = protocol;
            // A route table that keeps changing is read once; what it missed is notified.
            self.run(RTM_GETROUTE, &header, |message| {
                if let Some(notice) = notice::read(message) {
                    each(notice);
                }
            })?;
        }
        Ok(())
    }

    /// The routes through a device, of all tables; none when it is gone.
    pub(crate) fn routes_through(
        &mut self,
        index: u32,
        mut each: impl FnMut(Notice),
    ) -> io::Result<()> {
        for family in [AF_INET, AF_INET6] {
            let mut request = Vec::new();
            let sequence = self.next_sequence();
            let mut header = [0; 12];
            header[0] = family;
            Builder::new(
                &mut request,
                RTM_GETROUTE,
                NLM_F_REQUEST | NLM_F_DUMP,
                sequence,
            )
            .bytes(&header)
            .u32(RTA_OIF, index)
            .finish();
            let read = |message: &Message<'_>| {
                // A kernel that does not know the filter shows all.
                if let Some(notice) = notice::read(message)
                    && leaves_through(&notice, index)
                {
                    each(notice);
                }
            };
            match self.ask(&request, read) {
                Err(error) if error.raw_os_error() == Some(libc::ENODEV) => {}
                result => drop(result?),
            }
        }
        Ok(())
    }

    fn next_sequence(&mut self) -> u32 {
        self.sequence = self.sequence.wrapping_add(1);
        self.sequence
    }

    fn collect<T>(
        &mut self,
        kind: u16,
        header: &[u8],
        read: impl Fn(&Message<'_>) -> Option<T>,
    ) -> io::Result<Vec<T>> {
        let mut all = Vec::new();
        for _ in 0..ATTEMPTS {
            all.clear();
            if self.run(kind, header, |message| all.extend(read(message)))? {
                break;
            }
        }
        Ok(all)
    }

    /// Makes one dump. Returns false when the kernel says that it was interrupted.
    fn run(
        &mut self,
        kind: u16,
        header: &[u8],
        each: impl FnMut(&Message<'_>),
    ) -> io::Result<bool> {
        let mut request = Vec::new();
        let flags = NLM_F_REQUEST | NLM_F_DUMP;
        let sequence = self.next_sequence();
        Builder::new(&mut request, kind, flags, sequence)
            .bytes(header)
            .finish();
        self.ask(&request, each)
    }

    /// Sends the request of the last sequence number and reads the answer to its end.
    fn ask(&mut self, request: &[u8], mut each: impl FnMut(&Message<'_>)) -> io::Result<bool> {
        self.socket.send(request, 0)?;
        let mut whole = true;
        // The kernel fills up to 32 KiB per datagram when it is offered that much.
        let mut buffer: Vec<u8> = Vec::with_capacity(64 << 10);
        loop {
            buffer.clear();
            match self.socket.recv(&mut buffer, 0) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            }
            for message in messages(&buffer).filter(|m| m.sequence == self.sequence) {
                whole &= message.flags & NLM_F_DUMP_INTR == 0;
                match message.kind {
                    NLMSG_DONE | NLMSG_ERROR => {
                        let code = u32_at(message.payload(), 0).unwrap_or(0).cast_signed();
                        // EOPNOTSUPP and the like: a kernel without this table has it empty.
                        return match code.saturating_neg() {
                            0 | libc::EOPNOTSUPP | libc::EAFNOSUPPORT => Ok(whole),
                            errno => Err(io::Error::from_raw_os_error(errno)),
                        };
                    }
                    _ => each(&message),
                }
            }
        }
    }
}

fn leaves_through(notice: &Notice, index: u32) -> bool {
    let interface = Some(crate::Interface::Index(index));
    match notice {
        Notice::Route { route, .. } => route.hops.iter().any(|hop| hop.interface == interface),
        Notice::NextHop { .. } | Notice::Fdb { .. } | Notice::Neighbour { .. } => false,
    }
}
