//! Route leaks, by roles and the only-to-customer attribute (RFC 9234 §5).
//!
//! A route that has been sent down (to a customer, a client of a route server) or sideways (to a
//! peer) is marked with an AS number, and from there on goes down only. Two pure functions say what
//! happens to the mark: [`arriving`] for import, [`departing`] for export. Operators cannot change
//! them: policy neither sees a leak nor sets or removes the mark.

use std::fmt;

use crate::asn::Asn;
use crate::message::Role;

/// A route that came or would go where its mark forbids it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leak {
    /// Our role towards the peer.
    pub role: Role,
    /// Who marked the route.
    pub marked_by: Asn,
}

impl fmt::Display for Leak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let peer = match self.role {
            Role::Provider => "customer",
            Role::RouteServer => "route server client",
            Role::RouteServerClient => "route server",
            Role::Customer => "provider",
            Role::Peer => "peer",
        };
        let asn = self.marked_by;
        write!(f, "AS {asn} marked it only for customers (OTC, RFC 9234)")?;
        write!(f, ", and the neighbour is our {peer}")
    }
}

/// The mark that a received route is to have: `None` for the one it carries.
pub(super) fn arriving(
    role: Role,
    remote_as: Asn,
    marked_by: Option<Asn>,
) -> Result<Option<Asn>, Leak> {
    match (role, marked_by) {
        // From a customer or a client of ours nothing comes that is marked.
        (Role::Provider | Role::RouteServer, Some(marked_by)) => Err(Leak { role, marked_by }),
        (Role::Provider | Role::RouteServer, None) => Ok(None),
        // A peer sends its own mark at most.
        (Role::Peer, Some(marked_by)) if marked_by != remote_as => Err(Leak { role, marked_by }),
        (Role::Peer | Role::Customer | Role::RouteServerClient, Some(_)) => Ok(None),
        (Role::Peer | Role::Customer | Role::RouteServerClient, None) => Ok(Some(remote_as)),
    }
}

/// The mark that is put on a route towards a peer where it has none.
pub(super) fn departing(
    role: Role,
    local_as: Asn,
    marked_by: Option<Asn>,
) -> Result<Option<Asn>, Leak> {
    match (role, marked_by) {
        // Up and sideways goes only what is not marked.
        (Role::Customer | Role::RouteServerClient | Role::Peer, Some(marked_by)) => {
            Err(Leak { role, marked_by })
        }
        (Role::Customer | Role::RouteServerClient, None) => Ok(None),
        (Role::Provider | Role::RouteServer, Some(_)) => Ok(None),
        (Role::Provider | Role::RouteServer | Role::Peer, None) => Ok(Some(local_as)),
    }
}
