//! Names and numbers of interfaces, as the kernel knows them now.
//!
//! Neighbours with a link-local address are known by the name of their interface
//! ([`bgp::ScopedAddr`]); sockets want its number, which is another one when the interface is made
//! anew. So it is asked for each time and nothing is remembered.

use std::ffi::{CStr, CString};
use std::io;
use std::net::{SocketAddr, SocketAddrV6};

use bgp::{InterfaceName, ScopedAddr};

/// Where to connect to reach a host; an error where its interface is not there.
pub(crate) fn socket_addr(address: ScopedAddr, port: u16) -> io::Result<SocketAddr> {
    match (address.ip(), address.zone()) {
        (std::net::IpAddr::V6(ip), Some(zone)) => {
            let index = index_of(zone).map_err(|error| {
                io::Error::new(error.kind(), format!("interface `{zone}`: {error}"))
            })?;
            Ok(SocketAddrV6::new(ip, port, 0, index).into())
        }
        (ip, _) => Ok(SocketAddr::new(ip, port)),
    }
}

/// Who has sent something from there.
pub(crate) fn sender(from: SocketAddr) -> ScopedAddr {
    let zone = match from {
        SocketAddr::V6(from) if from.scope_id() != 0 => name_of(from.scope_id()),
        SocketAddr::V6(_) | SocketAddr::V4(_) => None,
    };
    let zone = zone.as_deref().and_then(InterfaceName::new);
    ScopedAddr::new(from.ip().to_canonical(), zone)
}

/// The number of an interface.
pub(crate) fn index_of(interface: &str) -> io::Result<u32> {
    let name = CString::new(interface).map_err(io::Error::other)?;
    // SAFETY: the name is a C string that lives until the call returns.
    match unsafe { libc::if_nametoindex(name.as_ptr()) } {
        0 => Err(io::Error::last_os_error()),
        index => Ok(index),
    }
}

/// The name of an interface.
pub(crate) fn name_of(index: u32) -> Option<String> {
    let mut buffer = [0; libc::IF_NAMESIZE];
    // SAFETY: the buffer has the length that the function writes at most.
    let name = unsafe { libc::if_indextoname(index, buffer.as_mut_ptr()) };
    if name.is_null() {
        return None;
    }
    // SAFETY: the function has written a C string to the buffer and returned its address.
    let name = unsafe { CStr::from_ptr(name) };
    name.to_str().ok().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_local_address_is_one_on_its_interface() {
        let index = index_of("lo").unwrap();
        let here: ScopedAddr = "fe80::1%lo".parse().unwrap();
        let to = socket_addr(here, 179).unwrap();
        assert_eq!(to.to_string(), format!("[fe80::1%{index}]:179"));
        assert_eq!(sender(to), here);
        let gone: ScopedAddr = "fe80::1%not-there".parse().unwrap();
        let error = socket_addr(gone, 179).unwrap_err();
        assert!(error.to_string().contains("`not-there`"), "{error}");
        let mapped: SocketAddr = "[::ffff:10.0.0.1]:5000".parse().unwrap();
        assert_eq!(sender(mapped), "10.0.0.1".parse().unwrap());
    }
}
