//! Interoperability: what rbgpd and each other daemon do together, found out with real processes.
//!
//! ```text
//! left:  rbgpd AS 65001 ────── right: the daemon AS 65002, one session a feature
//!        10.9.N.1, fd09:N::1          10.9.N.2, fd09:N::2
//!        two more rbgpd of AS 65002, for iBGP with the daemon
//! ```
//!
//! A [`Daemon`] is asked in its own language by a `Neighbor`: how it is configured for a
//! [`Session`], what it says about the session, and what it has received. A [`Feature`] is a cell
//! of the table; [`check::column`] makes the cells of one daemon in one lab. [`document`] compares
//! them with `daemon/docs/interop.md`.
//!
//! It does not measure (that is [`crate::bench`]) and does not send what no daemon would send
//! (that is [`crate::blackbox`]).

pub use daemon::Daemon;
pub use feature::{Feature, Outcome};
pub use plan::{Attribute, Purpose, Session};

mod bird;
pub mod check;
mod daemon;
pub mod document;
mod exabgp;
mod feature;
mod frr;
mod gobgp;
mod openbgpd;
mod place;
mod plan;

use crate::lab::{Error, Lab, Namespace};

/// A daemon of another make, in its own words.
trait Neighbor {
    /// Why it cannot do something, if it cannot.
    fn lacks(&self, feature: Feature) -> Option<&'static str>;

    /// What is not seen of a feature although it works.
    fn unseen(&self, _feature: Feature) -> Option<&'static str> {
        None
    }

    /// Starts it with these sessions; it announces [`plan::THEIRS`] and [`plan::THEIRS_IPV6`].
    fn start(&mut self, lab: &Lab, space: &Namespace, sessions: &[Session]) -> Result<(), Error>;

    /// Kills it at once.
    fn kill(&mut self) -> Result<(), Error>;

    /// What it says about a session.
    fn session(&self, session: &Session) -> Result<String, Error>;

    /// What it says about the routes to a prefix that came in a session; empty without one.
    fn routes(&self, session: &Session, prefix: &str) -> Result<String, Error>;

    /// What it says about all EVPN routes.
    fn evpn(&self) -> Result<String, Error>;

    /// How [`Neighbor::routes`] spells an attribute.
    fn spelling(&self, attribute: &Attribute) -> String;

    /// What [`Neighbor::session`] contains when the feature is in use; empty where it does not
    /// say.
    fn signs(&self, feature: Feature) -> &'static [&'static str];

    /// What [`Neighbor::session`] or [`Neighbor::routes`] contain while it keeps our routes; `None`
    /// when it keeps none.
    fn kept(&self) -> Option<&'static str>;

    /// Whether it asks others to keep its routes while it restarts.
    fn restarts(&self) -> bool {
        true
    }

    /// EVPN routes that it announces, as `rbgpctl show evpn routes` names them.
    fn evpn_announced(&self) -> &'static [&'static str];

    /// Asks for the routes of a session again (RFC 2918).
    fn ask_refresh(&self, session: &Session) -> Result<(), Error>;
}
