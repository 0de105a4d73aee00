//! Bodies of answers: one piece, or a table page by page.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bgp::Vni;
use bytes::{BufMut, Bytes, BytesMut};
use hyper::body::{Frame, SizeHint};
use serde::Serialize;

use super::unexpected;
use crate::control::{Answer, CoreHandle, ErrorReply, EvpnRoutes, Page, Reply, Request, Routes};

/// A body.
pub(super) enum Body {
    /// All of it; `None` once it is sent.
    Whole(Option<Bytes>),
    /// A table.
    Table(Pages),
}

impl Body {
    pub(super) fn whole(text: Vec<u8>) -> Self {
        Body::Whole(Some(text.into()))
    }

    /// One line, with its end: terminals and `while read` want one.
    pub(super) fn line(mut text: Vec<u8>) -> Self {
        text.push(b'\n');
        Self::whole(text)
    }

    /// A whole table. The first page is here before the answer begins, so that an error can still
    /// become a status.
    pub(super) async fn table(core: CoreHandle, table: Table) -> Result<Self, ErrorReply> {
        let first = core.ask(table.request(None)).await?;
        let first = Part::of(&first)?;
        let mut pages = Pages {
            core,
            table,
            asked: None,
            ready: None,
            begun: false,
        };
        pages.take(first, true);
        Ok(Body::Table(pages))
    }
}

impl hyper::body::Body for Body {
    type Data = Bytes;
    type Error = ErrorReply;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ErrorReply>>> {
        match self.get_mut() {
            Body::Whole(text) => Poll::Ready(text.take().map(|text| Ok(Frame::data(text)))),
            Body::Table(pages) => pages.poll(context),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Body::Whole(text) => {
                let length = text.as_ref().map_or(0, Bytes::len);
                SizeHint::with_exact(u64::try_from(length).unwrap_or(u64::MAX))
            }
            Body::Table(_) => SizeHint::default(),
        }
    }
}

/// A question whose answer has pages.
pub(super) enum Table {
    Routes(Routes),
    EvpnRoutes(EvpnRoutes),
    EvpnMac(Option<Vni>, Page),
    EvpnNeighbors(Option<Vni>, Page),
    Of(String, Box<Table>),
}

impl Table {
    /// The table that a request without a limit asks for as a whole; `None` for any other one.
    pub(super) fn of(request: &Request) -> Option<Self> {
        if let Request::Routes(routes) = request {
            // A prefix has one answer, and that says more where there is no route.
            let whole = routes.page.limit.is_none() && routes.prefix.is_none();
            return whole.then(|| Table::Routes(routes.clone()));
        }
        if let Request::Of(name, request) = request {
            let table = Self::of(request)?;
            return Some(Table::Of(name.clone(), Box::new(table)));
        }
        if let Request::EvpnRoutes(routes) = request {
            let whole = routes.page.limit.is_none();
            return whole.then(|| Table::EvpnRoutes(routes.clone()));
        }
        if let Request::EvpnMac { vni, page } = request {
            let whole = page.limit.is_none();
            return whole.then(|| Table::EvpnMac(*vni, page.clone()));
        }
        if let Request::EvpnNeighbors { vni, page } = request {
            let whole = page.limit.is_none();
            return whole.then(|| Table::EvpnNeighbors(*vni, page.clone()));
        }
        None
    }

    /// The key under which the rows are.
    fn key(&self) -> &'static str {
        match self {
            Table::Routes(_) | Table::EvpnRoutes(_) => "routes",
            Table::EvpnMac(..) => "macs",
            Table::EvpnNeighbors(..) => "neighbors",
            Table::Of(_, table) => table.key(),
        }
    }

    /// The question for the page behind `after`; `None` is the first one asked for.
    fn request(&self, after: Option<String>) -> Request {
        let page = |asked: &Page| Page {
            limit: None,
            after: after.clone().or_else(|| asked.after.clone()),
        };
        match self {
            Table::Routes(routes) => Request::Routes(Routes {
                page: page(&routes.page),
                ..routes.clone()
            }),
            Table::EvpnRoutes(routes) => Request::EvpnRoutes(EvpnRoutes {
                page: page(&routes.page),
                ..routes.clone()
            }),
            Table::EvpnMac(vni, asked) => {
                let (vni, page) = (*vni, page(asked));
                Request::EvpnMac { vni, page }
            }
            Table::EvpnNeighbors(vni, asked) => {
                let (vni, page) = (*vni, page(asked));
                Request::EvpnNeighbors { vni, page }
            }
            Table::Of(name, table) => table.request(after).of(Some(name)),
        }
    }
}

/// A table being sent. At most one page is in memory.
pub(super) struct Pages {
    core: CoreHandle,
    table: Table,
    /// The page that was asked for; `None` when there is no further one.
    asked: Option<Pin<Box<dyn Future<Output = Answer> + Send>>>,
    /// The page to be sent next.
    ready: Option<Bytes>,
    /// A row was sent.
    begun: bool,
}

impl Pages {
    fn poll(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ErrorReply>>> {
        if let Some(text) = self.ready.take() {
            return Poll::Ready(Some(Ok(Frame::data(text))));
        }
        let Some(asked) = &mut self.asked else {
            return Poll::Ready(None);
        };
        let answer = ready!(asked.as_mut().poll(context));
        self.asked = None;
        match answer.and_then(|reply| Part::of(&reply)) {
            Ok(part) => {
                self.take(part, false);
                let text = self.ready.take().unwrap_or_default();
                Poll::Ready(Some(Ok(Frame::data(text))))
            }
            // The connection is cut, so that nobody takes the part for the whole.
            Err(error) => Poll::Ready(Some(Err(error))),
        }
    }

    /// Makes text of a page, and asks for the next one if there is one. The question waits in the
    /// future: it is sent when the client has taken this page.
    fn take(&mut self, part: Part, first: bool) {
        let mut text = BytesMut::with_capacity(part.rows.len() + 16);
        if first {
            text.put_slice(b"{\"");
            text.put_slice(self.table.key().as_bytes());
            text.put_slice(b"\":[");
        } else if !part.rows.is_empty() && self.begun {
            text.put_u8(b',');
        }
        self.begun |= !part.rows.is_empty();
        text.put_slice(&part.rows);
        match part.next {
            None => text.put_slice(b"]}\n"),
            Some(next) => {
                let (core, request) = (self.core.clone(), self.table.request(Some(next)));
                self.asked = Some(Box::pin(async move { core.ask(request).await }));
            }
        }
        self.ready = Some(text.freeze());
    }
}

/// The rows of a page as JSON with commas between them.
struct Part {
    rows: Vec<u8>,
    next: Option<String>,
}

impl Part {
    fn of(reply: &Reply) -> Result<Self, ErrorReply> {
        if let Reply::Routes(page) = reply {
            return rows(&page.routes, page.next.clone());
        }
        if let Reply::EvpnRoutes(page) = reply {
            return rows(&page.routes, page.next.clone());
        }
        if let Reply::EvpnMac(page) = reply {
            return rows(&page.macs, page.next.clone());
        }
        if let Reply::EvpnNeighbors(page) = reply {
            return rows(&page.neighbors, page.next.clone());
        }
        Err(unexpected(reply))
    }
}

fn rows(routes: &[impl Serialize], next: Option<String>) -> Result<Part, ErrorReply> {
    let list = serde_json::to_vec(routes)
        .map_err(|error| ErrorReply::failed(format!("a route has no JSON form: {error}")))?;
    let inner = list
        .strip_prefix(b"[")
        .and_then(|list| list.strip_suffix(b"]"));
    Ok(Part {
        rows: inner.unwrap_or_default().to_vec(),
        next,
    })
}
