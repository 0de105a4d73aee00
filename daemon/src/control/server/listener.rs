//! Sockets that are listened on.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File, Permissions, TryLockError};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};

/// A socket that is listened on.
#[derive(Debug)]
pub struct Listener(Kind);

#[derive(Debug)]
enum Kind {
    Control {
        listener: UnixListener,
        file: SocketFile,
    },
    Metrics {
        listener: TcpListener,
        address: SocketAddr,
    },
}

impl Listener {
    /// Listens on the control socket, with mode 0660.
    ///
    /// The directory is made if only it is missing. The socket file of a daemon that is gone is
    /// replaced; one of a daemon that runs is left alone and is an error. Must be called within a
    /// tokio runtime. The file is removed when the listener is dropped.
    pub fn control(path: &Path) -> Result<Self, BindError> {
        let (listener, file) = SocketFile::bind(path)?;
        Ok(Self(Kind::Control { listener, file }))
    }

    /// Listens for scrapers of metrics.
    pub async fn metrics(address: SocketAddr) -> Result<Self, BindError> {
        let listener = TcpListener::bind(address).await;
        let listener = listener.map_err(|source| BindError::Tcp { address, source })?;
        // Port 0 asks for any; the one that was given is worth knowing.
        let address = listener.local_addr().unwrap_or(address);
        Ok(Self(Kind::Metrics { listener, address }))
    }

    /// The address of a TCP listener.
    pub fn address(&self) -> Option<SocketAddr> {
        match &self.0 {
            Kind::Control { .. } => None,
            Kind::Metrics { address, .. } => Some(*address),
        }
    }

    pub(super) async fn accept(&self) -> io::Result<(Stream, Peer)> {
        match &self.0 {
            Kind::Control { listener, .. } => {
                let (stream, _) = listener.accept().await?;
                let peer = Peer::of(&stream);
                Ok((Stream::Unix(stream), peer))
            }
            Kind::Metrics { listener, .. } => {
                let (stream, address) = listener.accept().await?;
                Ok((Stream::Tcp(stream), Peer::Scraper(address)))
            }
        }
    }
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Control { file, .. } => file.path.display().fmt(f),
            Kind::Metrics { address, .. } => address.fmt(f),
        }
    }
}

/// The socket's file, and the lock that says that its daemon runs.
#[derive(Debug)]
struct SocketFile {
    path: PathBuf,
    /// Held as long as we listen. The kernel lets it go with the process, however that ends. The
    /// lock file itself stays: removing it would let two daemons hold locks on two files.
    _lock: File,
}

impl SocketFile {
    fn bind(path: &Path) -> Result<(UnixListener, Self), BindError> {
        let error = |doing| {
            let path = path.to_owned();
            move |source| BindError::Unix {
                path: path.clone(),
                doing,
                source,
            }
        };
        let directory = path
            .parent()
            .filter(|parent| !parent.as_os_str().is_empty());
        if let Some(directory) = directory.filter(|directory| !directory.exists()) {
            fs::create_dir(directory).map_err(error("make the directory of"))?;
        }
        let lock = lock(path, error("lock"))?;
        check_replaceable(path)?;
        // Made under another name and moved: nobody ever sees it with another mode.
        let fresh = with_suffix(path, ".new");
        match fs::remove_file(&fresh) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(error("replace")(source));
            }
            Ok(()) | Err(_) => {}
        }
        let listener = UnixListener::bind(&fresh).map_err(error("listen on"))?;
        fs::set_permissions(&fresh, Permissions::from_mode(0o660))
            .map_err(error("set the mode of"))?;
        fs::rename(&fresh, path).map_err(error("move into place"))?;
        let path = path.to_owned();
        Ok((listener, Self { path, _lock: lock }))
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::debug!(%error, path = %self.path.display(), "socket file not removed");
        }
    }
}

fn lock(path: &Path, error: impl Fn(io::Error) -> BindError) -> Result<File, BindError> {
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(with_suffix(path, ".lock"))
        .map_err(&error)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(BindError::Live(path.to_owned())),
        Err(TryLockError::Error(source)) => Err(error(source)),
    }
}

/// A socket may be replaced when nobody answers on it; anything else is not ours to remove.
fn check_replaceable(path: &Path) -> Result<(), BindError> {
    let Ok(metadata) = fs::symlink_metadata(path) else {
        return Ok(());
    };
    if !metadata.file_type().is_socket() {
        return Err(BindError::NotASocket(path.to_owned()));
    }
    // Our lock says that none of us listens there; somebody else may. Without blocking: a full
    // backlog says "somebody" as well.
    let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None);
    let refused = socket.and_then(|socket| {
        socket.set_nonblocking(true)?;
        socket.connect(&socket2::SockAddr::unix(path)?)
    });
    match refused {
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(()),
        Ok(()) | Err(_) => Err(BindError::Live(path.to_owned())),
    }
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// Why a socket cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// Somebody listens there.
    #[error(
        "another daemon listens on `{0}`\n\n\
         hint: stop it (`systemctl stop rbgpd`), or give this one its own `--socket`"
    )]
    Live(PathBuf),
    /// Something else has the name.
    #[error(
        "`{0}` is there and is not a socket\n\n\
         hint: remove it if nobody needs it, or name another path with `--socket`"
    )]
    NotASocket(PathBuf),
    /// The operating system refused the control socket.
    #[error("cannot {doing} `{path}`")]
    Unix {
        /// The socket.
        path: PathBuf,
        /// What was tried.
        doing: &'static str,
        /// Why not.
        source: io::Error,
    },
    /// The operating system refused the address for metrics.
    #[error("cannot listen on {address} for metrics")]
    Tcp {
        /// The address.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
}

/// Who is at the other end, for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Peer {
    /// A process on this host.
    Local { uid: Option<u32>, pid: Option<i32> },
    /// A scraper.
    Scraper(SocketAddr),
}

impl Peer {
    fn of(stream: &UnixStream) -> Self {
        let credentials = stream.peer_cred().ok();
        Peer::Local {
            uid: credentials.map(|credentials| credentials.uid()),
            pid: credentials.and_then(|credentials| credentials.pid()),
        }
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = |number: Option<i64>| number.map_or("?".to_owned(), |n| n.to_string());
        match self {
            Peer::Local { uid, pid } => {
                let (uid, pid) = (uid.map(i64::from), pid.map(i64::from));
                write!(f, "uid {} pid {}", number(uid), number(pid))
            }
            Peer::Scraper(address) => address.fmt(f),
        }
    }
}

/// A connection of either kind.
#[derive(Debug)]
pub(super) enum Stream {
    Unix(UnixStream),
    Tcp(TcpStream),
}

impl AsyncRead for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Unix(stream) => Pin::new(stream).poll_read(context, buffer),
            Stream::Tcp(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Stream::Unix(stream) => Pin::new(stream).poll_write(context, octets),
            Stream::Tcp(stream) => Pin::new(stream).poll_write(context, octets),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Unix(stream) => Pin::new(stream).poll_flush(context),
            Stream::Tcp(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Stream::Unix(stream) => Pin::new(stream).poll_shutdown(context),
            Stream::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

#[cfg(test)]
mod tests;
