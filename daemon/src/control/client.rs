//! Asks a running daemon over its control socket.
//!
//! ```no_run
//! # async fn ask() -> Result<(), rbgpd::control::client::ClientError> {
//! use rbgpd::control::{DEFAULT_SOCKET, Request, client::Client, reply::Summary};
//!
//! let client = Client::new(DEFAULT_SOCKET);
//! let summary: Summary = client.ask(&Request::Summary).await?;
//! println!("AS {} has {} neighbors", summary.asn, summary.neighbors.len());
//! # Ok(())
//! # }
//! ```

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Request as HttpRequest, StatusCode};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

use super::path::{self, Method};
use super::{ErrorReply, Request};

/// Asks the daemon behind one socket.
#[derive(Debug, Clone)]
pub struct Client {
    socket: PathBuf,
    instance: Option<String>,
}

impl Client {
    /// A client of the daemon that listens at `socket`. Nothing is opened yet.
    pub fn new(socket: impl Into<PathBuf>) -> Self {
        Self {
            socket: socket.into(),
            instance: None,
        }
    }

    /// Asks the instance with this name, whatever is asked.
    pub fn instance(mut self, name: Option<String>) -> Self {
        self.instance = name;
        self
    }

    /// The socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Asks on a connection of its own. `T` is the type of [`super::reply`] that fits the request.
    pub async fn ask<T: DeserializeOwned>(&self, request: &Request) -> Result<T, ClientError> {
        let answer = self.raw(request).await?;
        serde_json::from_slice(&answer).map_err(ClientError::Unexpected)
    }

    /// The JSON of an answer as the daemon wrote it, with keys this client may not know yet.
    pub async fn raw(&self, request: &Request) -> Result<Bytes, ClientError> {
        let patience = request.patience() + MARGIN;
        let exchange = self.exchange(request);
        let answer = tokio::time::timeout(patience, exchange);
        answer.await.unwrap_or(Err(ClientError::Timeout(patience)))
    }

    async fn exchange(&self, request: &Request) -> Result<Bytes, ClientError> {
        let stream = UnixStream::connect(&self.socket).await;
        let stream = stream.map_err(|source| ClientError::Connect {
            socket: self.socket.clone(),
            source,
        })?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        let request = http_request(&request.clone().of(self.instance.as_deref()))?;
        // The connection ends when its sender is dropped, with the answer complete or not.
        let answer = async move {
            let response = sender.send_request(request).await?;
            let status = response.status();
            let body = response.into_body().collect().await?.to_bytes();
            Ok::<_, hyper::Error>((status, body))
        };
        let (answer, _) = tokio::join!(answer, connection);
        let (status, body) = answer?;
        if status.is_success() {
            return Ok(body);
        }
        Err(refusal(status, &body))
    }
}

/// Beyond the time the daemon allows itself, so that its own words arrive where it has any.
const MARGIN: Duration = Duration::from_secs(5);

fn http_request(request: &Request) -> Result<HttpRequest<Full<Bytes>>, ClientError> {
    let call = path::write(request);
    let method = match call.method {
        Method::Get => "GET",
        Method::Post => "POST",
    };
    HttpRequest::builder()
        .method(method)
        .uri(call.target)
        .header(HOST, "rbgpd")
        .header(CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(call.body)))
        .map_err(|error| ClientError::Request(error.to_string()))
}

fn refusal(status: StatusCode, body: &[u8]) -> ClientError {
    match serde_json::from_slice::<ErrorReply>(body) {
        Ok(reply) => ClientError::Refused(reply),
        Err(_) => ClientError::Status(status.as_u16()),
    }
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// Nobody listens, or we may not connect.
    #[error("cannot reach the daemon at `{socket}`: {source}")]
    Connect {
        /// The socket.
        socket: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The daemon took the question and says nothing.
    #[error("the daemon did not answer within {} s", .0.as_secs())]
    Timeout(Duration),
    /// The daemon says no.
    #[error(transparent)]
    Refused(ErrorReply),
    /// What listens does not speak HTTP, or broke off in the middle.
    #[error("the answer broke off: {0}")]
    Http(#[from] hyper::Error),
    /// An error without the words of one of ours.
    #[error("the answer has HTTP status {0} and no explanation")]
    Status(u16),
    /// An answer that is not what was asked for.
    #[error("the answer is not understood: {0}")]
    Unexpected(serde_json::Error),
    /// A question that cannot be put into HTTP.
    #[error("the question cannot be asked: {0}")]
    Request(String),
}

impl ClientError {
    /// What to do about it; a refusal brings its own hint along.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            ClientError::Connect { source, .. } => CONNECT_HINTS
                .iter()
                .find(|(kind, _)| *kind == source.kind())
                .map(|(_, hint)| *hint),
            ClientError::Timeout(_) => Some(
                "`journalctl -u rbgpd` says what it is doing; what was asked may still happen",
            ),
            ClientError::Http(_) => Some(
                "has rbgpd ended meanwhile? `systemctl status rbgpd`; what was asked may have happened",
            ),
            ClientError::Status(_) | ClientError::Unexpected(_) => Some(
                "are rbgpctl and rbgpd of the same version? `rbgpctl show version` shows both",
            ),
            ClientError::Refused(_) | ClientError::Request(_) => None,
        }
    }

    /// Exit code of `rbgpctl`.
    pub fn exit_code(&self) -> u8 {
        match self {
            ClientError::Refused(reply) => reply.kind.exit_code(),
            ClientError::Connect { .. }
            | ClientError::Timeout(_)
            | ClientError::Http(_)
            | ClientError::Status(_)
            | ClientError::Unexpected(_)
            | ClientError::Request(_) => 1,
        }
    }
}

/// What to do when the socket does not let us in.
const CONNECT_HINTS: [(io::ErrorKind, &str); 3] = [
    (
        io::ErrorKind::NotFound,
        "is rbgpd running? `systemctl status rbgpd`; if it listens elsewhere, \
         name that with --socket or RBGPD_SOCKET",
    ),
    (
        io::ErrorKind::ConnectionRefused,
        "the socket is left from a daemon that is gone; \
         `systemctl status rbgpd` says why, `systemctl start rbgpd` starts it",
    ),
    (
        io::ErrorKind::PermissionDenied,
        "use sudo, or join the group that owns the socket",
    ),
];
