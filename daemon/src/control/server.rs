//! Answers HTTP/JSON on the control socket, and metrics on TCP.
//!
//! ```text
//! accept ──► Connection (at most CONNECTIONS_MAX) ──► path::read ──► CoreHandle::ask ──► JSON
//! ```
//!
//! [`serve`] is one future that holds its listener and every connection on it; it runs until it is
//! dropped, and dropping it closes them all. It owns no state beyond that: each request is one
//! question to the core. A client that does not read costs one of the connections for
//! [`STALL_MAX`] and then loses it; the core has answered long before and is never waited for it.
//! Long tables are fetched from the core page by page, the next page only when the client has
//! taken the one before.
//!
//! Who may connect is decided by the file mode of the socket, 0660. The TCP listener serves
//! `GET /metrics` and nothing else.

mod body;
mod listener;
mod patient;

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{ALLOW, CONTENT_TYPE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method as HttpMethod, Request as HttpRequest, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};

use self::body::{Body, Table};
use self::listener::Peer;
use self::patient::Patient;
use super::path::{self, Method};
use super::{CoreHandle, ErrorKind, ErrorReply, Reply, Request};

pub use listener::{BindError, Listener};

/// Connections at one time. Operators, a scraper and scripts need a handful; more wait in the
/// kernel's backlog until one is closed.
pub const CONNECTIONS_MAX: usize = 64;

/// Octets of a request body. An order is a few hundred, but a session may be given a whole
/// configuration.
pub const BODY_MAX: usize = 16 * 1024 * 1024;

/// Octets of a request line with its headers.
const HEAD_MAX: usize = 32 * 1024;

/// Longest time for a request to arrive, and for a connection to be idle.
const REQUEST_MAX: Duration = Duration::from_secs(5);

/// Longest time in which a client takes no octet of an answer.
pub const STALL_MAX: Duration = Duration::from_secs(30);

/// Pause after an accept that failed for want of file descriptors or memory: trying again at once
/// would only burn the processor until a connection closes.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves a listener until dropped.
pub async fn serve(listener: Listener, core: CoreHandle) -> Infallible {
    let mut connections = Connections::default();
    let orders = Arc::new(Orders::default());
    loop {
        tokio::select! {
            accepted = listener.accept(), if connections.0.len() < CONNECTIONS_MAX => {
                match accepted {
                    Ok((stream, peer)) => {
                        let connection = connection(stream, peer, core.clone(), Arc::clone(&orders));
                        connections.0.push(Box::pin(connection));
                    }
                    Err(error) => {
                        tracing::warn!(%error, listener = %listener, "cannot accept");
                        let pause = tokio::time::sleep(ACCEPT_PAUSE);
                        tokio::select! { () = pause => {}, () = connections.one_ends() => {} }
                    }
                }
            }
            () = connections.one_ends() => {}
        }
    }
}

/// The open connections, driven together: a task for each would outlive its server.
#[derive(Default)]
struct Connections(Vec<Pin<Box<dyn Future<Output = ()> + Send>>>);

impl Connections {
    /// Drives all of them until one or more have ended. Without any it never returns.
    async fn one_ends(&mut self) {
        poll_fn(|context| self.poll(context)).await;
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let before = self.0.len();
        self.0
            .retain_mut(|connection| connection.as_mut().poll(context).is_pending());
        if self.0.len() < before {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

/// What the log has of orders. One that waits for something is given again every quarter of a
/// second, and is one order to those who read the log.
#[derive(Debug, Default)]
struct Orders {
    // A lock because the connections of a listener share it; held for a comparison.
    last: Mutex<Option<LastOrder>>,
}

#[derive(Debug)]
struct LastOrder {
    peer: Peer,
    request: Request,
    at: Instant,
}

/// An order that the same process gives again after such a silence is another one. Longer than a
/// comparison with the kernel takes, which an answer may wait for.
const AGAIN_MAX: Duration = Duration::from_secs(60);

impl Orders {
    fn log(&self, peer: &Peer, request: &Request) {
        let now = Instant::now();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let again = last.as_ref().is_some_and(|last| {
            last.peer == *peer && last.request == *request && now - last.at < AGAIN_MAX
        });
        *last = Some(LastOrder {
            peer: peer.clone(),
            request: request.clone(),
            at: now,
        });
        drop(last);
        if !again {
            tracing::info!(%peer, ?request, "order received");
        }
    }
}

async fn connection(stream: listener::Stream, peer: Peer, core: CoreHandle, orders: Arc<Orders>) {
    let service = service_fn(|request| {
        let (core, peer, orders) = (core.clone(), peer.clone(), Arc::clone(&orders));
        async move { Ok::<_, Infallible>(respond(request, &core, &peer, &orders).await) }
    });
    let io = TokioIo::new(Patient::new(stream, STALL_MAX));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(REQUEST_MAX)
        .max_buf_size(HEAD_MAX)
        .serve_connection(io, service)
        .await;
    if let Err(error) = served {
        // A client may go away or send garbage at any time; that is its own affair.
        tracing::debug!(%error, %peer, "control connection ended");
    }
}

async fn respond(
    request: HttpRequest<Incoming>,
    core: &CoreHandle,
    peer: &Peer,
    orders: &Orders,
) -> Response<Body> {
    let allowed = path::allowed(request.uri().path());
    let answered = answer(request, core, peer, orders).await;
    answered.unwrap_or_else(|error| refusal(&error, allowed))
}

async fn answer(
    request: HttpRequest<Incoming>,
    core: &CoreHandle,
    peer: &Peer,
    orders: &Orders,
) -> Result<Response<Body>, ErrorReply> {
    let method = method(request.method(), request.uri().path())?;
    if method == Method::Get && request.uri().path() == "/metrics" {
        return metrics(core).await;
    }
    if let Peer::Scraper(_) = peer {
        let error = "only `/metrics` is served here";
        return Err(ErrorReply::not_found(error).hint("everything else is on the control socket"));
    }
    let (head, body) = request.into_parts();
    let body = read_body(body).await?;
    let query = head.uri.query().unwrap_or("");
    let request = path::read(method, head.uri.path(), query, &body)?;
    if method == Method::Post {
        orders.log(peer, &request);
    }
    match Table::of(&request) {
        Some(table) => Ok(response(
            StatusCode::OK,
            JSON,
            Body::table(core.clone(), table).await?,
        )),
        None => json(&core.ask(request).await?),
    }
}

/// RFC 9110 §9.1: what is not known here is 405, which names what is allowed.
fn method(method: &HttpMethod, target: &str) -> Result<Method, ErrorReply> {
    if method == HttpMethod::GET {
        Ok(Method::Get)
    } else if method == HttpMethod::POST {
        Ok(Method::Post)
    } else {
        Err(path::not_taken(method.as_str(), target))
    }
}

async fn read_body(body: Incoming) -> Result<Vec<u8>, ErrorReply> {
    let collected = Limited::new(body, BODY_MAX).collect();
    match tokio::time::timeout(REQUEST_MAX, collected).await {
        Ok(Ok(body)) => Ok(body.to_bytes().into()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => {
            let error = format!("the body has more than {BODY_MAX} octets");
            Err(ErrorReply::new(ErrorKind::TooLarge, error))
        }
        Ok(Err(error)) => Err(ErrorReply::bad_request(format!(
            "the body is broken: {error}"
        ))),
        Err(_) => Err(ErrorReply::bad_request(format!(
            "the body did not arrive within {} s",
            REQUEST_MAX.as_secs()
        ))),
    }
}

async fn metrics(core: &CoreHandle) -> Result<Response<Body>, ErrorReply> {
    let reply = core.ask(Request::Metrics).await?;
    let Reply::Metrics(snapshot) = &reply else {
        return Err(unexpected(&reply));
    };
    let text = Body::whole(snapshot.render().into_bytes());
    Ok(response(StatusCode::OK, crate::metrics::CONTENT_TYPE, text))
}

/// The core answered another question than it was asked.
fn unexpected(reply: &Reply) -> ErrorReply {
    tracing::error!(?reply, "the answer does not fit the question");
    ErrorReply::failed("the daemon gave an answer that does not fit the question")
}

fn json(reply: &Reply) -> Result<Response<Body>, ErrorReply> {
    let text = serde_json::to_vec(reply)
        .map_err(|error| ErrorReply::failed(format!("the answer has no JSON form: {error}")))?;
    Ok(response(StatusCode::OK, JSON, Body::line(text)))
}

const JSON: &str = "application/json";

fn refusal(error: &ErrorReply, allowed: Option<&'static str>) -> Response<Body> {
    let status =
        StatusCode::from_u16(error.kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    // Strings and lists of strings always have a JSON form.
    let text = serde_json::to_vec(error).unwrap_or_default();
    let mut response = response(status, JSON, Body::line(text));
    if let Some(allowed) = allowed.filter(|_| status == StatusCode::METHOD_NOT_ALLOWED) {
        let allowed = hyper::header::HeaderValue::from_static(allowed);
        response.headers_mut().insert(ALLOW, allowed);
    }
    response
}

fn response(status: StatusCode, content_type: &'static str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let content_type = hyper::header::HeaderValue::from_static(content_type);
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}
