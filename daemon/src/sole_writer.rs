//! One daemon writes to the kernel of a network namespace under one protocol number.
//!
//! The kernel tells our entries from those of others by that number alone. A second daemon with the
//! same one would take the first one's routes and nexthop objects for leftovers of a former run of
//! its own and sweep them; the lock on the state directory does not keep it from that when it has
//! another directory.
//!
//! What says so is a socket with an abstract name: such names are the network namespace's own, are
//! seen from every mount namespace, and go with the process however that ends. Anybody may take a name,
//! so a holder that is neither root nor the user that we are has no say: it is named in the log, and
//! we start. Nobody speaks over the socket. Those who were refused stay in its queue, which has an
//! end; behind that the refusal is the same without the number of the process.

use std::io;
use std::os::unix::net::UnixStream;

use socket2::{Domain, SockAddr, Socket, Type};

/// How many refused starts can be told the holder's process.
const REFUSED_MAX: i32 = 128;

/// Held by whoever writes.
#[derive(Debug)]
pub(crate) struct SoleWriter {
    /// Held and never read.
    _name: Option<Socket>,
}

/// Why the kernel is not ours to write.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SoleWriterError {
    /// Another daemon does.
    #[error("another daemon writes to it")]
    InUse {
        /// Its process, as far as it can be seen from here.
        pid: Option<i32>,
    },
    /// The socket cannot be made.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Who has the name.
struct Holder {
    uid: u32,
    pid: Option<i32>,
}

impl SoleWriter {
    /// Takes the place for this protocol number. To be called within a tokio runtime.
    pub(crate) fn take(protocol: u8) -> Result<Self, SoleWriterError> {
        Self::take_name(&format!("\0rbgpd/kernel/{protocol}"))
    }

    fn take_name(name: &str) -> Result<Self, SoleWriterError> {
        let address = SockAddr::unix(name)?;
        let socket = socket()?;
        match socket.bind(&address) {
            Ok(()) => {
                socket.listen(REFUSED_MAX)?;
                return Ok(Self {
                    _name: Some(socket),
                });
            }
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            Err(error) => return Err(error.into()),
        }
        match holder(&address) {
            Ok(Some(Holder { uid, pid })) if !is_trusted(uid) => {
                tracing::warn!(
                    uid,
                    pid,
                    "a process of another user has the name by which daemons keep each other from \
                     writing to the same kernel; it is ignored, and nothing keeps a second daemon out"
                );
                Ok(Self { _name: None })
            }
            Ok(Some(Holder { pid, .. })) => Err(SoleWriterError::InUse { pid }),
            Ok(None) => Err(SoleWriterError::InUse { pid: None }),
            // It has just ended, or is about to begin: whoever tries again finds out.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                Err(SoleWriterError::InUse { pid: None })
            }
            Err(error) => Err(error.into()),
        }
    }
}

fn socket() -> io::Result<Socket> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Who listens there; `None` behind too many others.
fn holder(address: &SockAddr) -> io::Result<Option<Holder>> {
    let socket = socket()?;
    match socket.connect(address) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
        Err(error) => return Err(error),
    }
    let stream = tokio::net::UnixStream::from_std(UnixStream::from(socket))?;
    let credentials = stream.peer_cred()?;
    Ok(Some(Holder {
        uid: credentials.uid(),
        // Zero is a process of another process namespace.
        pid: credentials.pid().filter(|pid| *pid > 0),
    }))
}

/// Root or ourselves.
fn is_trusted(uid: u32) -> bool {
    // SAFETY: geteuid reads a number of the process and cannot fail.
    let own = unsafe { libc::geteuid() };
    uid == 0 || uid == own
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(test: &str) -> String {
        format!("\0rbgpd/test/{test}/{}", std::process::id())
    }

    #[tokio::test]
    async fn one_has_the_place_and_the_next_is_told_who() {
        let name = name("one");
        let first = SoleWriter::take_name(&name).unwrap();
        for _ in 0..3 {
            let refused = SoleWriter::take_name(&name).unwrap_err();
            let own = i32::try_from(std::process::id()).unwrap();
            assert!(
                matches!(refused, SoleWriterError::InUse { pid: Some(pid) } if pid == own),
                "{refused:?}"
            );
        }
        drop(first);
        SoleWriter::take_name(&name).unwrap();
    }

    #[tokio::test]
    async fn many_refused_starts_are_all_refused() {
        let name = name("many");
        let _first = SoleWriter::take_name(&name).unwrap();
        let mut unknown = 0;
        for _ in 0..REFUSED_MAX + 8 {
            match SoleWriter::take_name(&name).unwrap_err() {
                SoleWriterError::InUse { pid } => unknown += usize::from(pid.is_none()),
                SoleWriterError::Io(error) => panic!("{error}"),
            }
        }
        assert!(unknown > 0);
    }

    #[tokio::test]
    async fn other_protocol_numbers_are_other_places() {
        // Numbers that nobody on this machine uses.
        let _one = SoleWriter::take(251).unwrap();
        SoleWriter::take(252).unwrap();
    }

    #[test]
    fn root_and_we_ourselves_are_believed() {
        assert!(is_trusted(0));
        // SAFETY: as above.
        let own = unsafe { libc::geteuid() };
        assert!(is_trusted(own));
        assert!(!is_trusted(own.wrapping_add(12_345)));
    }
}
