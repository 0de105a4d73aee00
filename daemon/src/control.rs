//! The control plane: what operators and programs ask the daemon, and how the question gets there.
//!
//! ```text
//! rbgpctl ─┐                                                          ┌─ answers one at a time
//! curl    ─┼─ HTTP/JSON, unix socket ─► server ─► CoreHandle (bounded) ─► core
//! scrape  ─┘                       (a task each)   ◄── oneshot: Reply | ErrorReply ──┘
//! ```
//!
//! A question is one [`Request`], whether it comes from a program that links this library, from
//! the socket or from the command line; its answer is the [`Reply`] of the same name, which is
//! also the JSON that goes over the socket. [`path`] is the only place that knows which request
//! has which HTTP path, in both directions. [`server`] listens, [`client`] asks.
//!
//! Nothing here reads a routing table: the core fills the replies. Long tables are answered in
//! pages, so neither side ever holds a million routes as text.

pub mod client;
mod core_handle;
mod error;
pub mod message_json;
pub mod path;
pub mod reply;
mod request;
pub mod server;
mod timestamp;
pub(crate) mod words;

pub use core_handle::{Answer, CALLS_MAX, Call, CoreHandle};
pub use error::{ErrorKind, ErrorReply};
pub use reply::Reply;
pub use request::{
    Clear, Drain, EvpnRoutes, Gateways, Language, Lines, NetworkCreate, NetworkDelete, Page,
    Request, Routes, Select, SoftReset,
};
pub use timestamp::Timestamp;

/// Where the control socket is unless `--socket` or `RBGPD_SOCKET` says otherwise.
pub const DEFAULT_SOCKET: &str = "/run/rbgpd/control.sock";
