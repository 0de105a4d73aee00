//! A table that a peer is told from its beginning: what stands before the first route and behind
//! the last.
//!
//! The routes themselves, and how far the peer has got, are the business of whoever serves it: a
//! group ([`super::group`]), or a list of paths ([`super::several`]).

use bytes::BytesMut;

use super::batch::Batch;
use crate::family::Family;
use crate::message::{RefreshKind, RouteRefresh};
use crate::wire;

/// What to send when a peer has been told everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    Nothing,
    EndOfRib,
    EndOfRefresh,
}

/// The marks that are still to be sent.
#[derive(Debug)]
pub(super) struct Dump {
    after: After,
    /// The opening mark of a refresh.
    begin: bool,
    /// A refresh with marks was asked for before the first dump has ended.
    again: bool,
}

impl Dump {
    pub(super) fn new(after: After) -> Self {
        Self {
            after,
            begin: false,
            again: false,
        }
    }

    /// Everything is to be told again; false if that has to wait for the end of the first dump.
    pub(super) fn repeat(&mut self, after: After) -> bool {
        let marked = after == After::EndOfRefresh;
        if marked && self.after == After::EndOfRib {
            // RFC 7313 §4: no BoRR "before it sends the EoR".
            self.again = true;
            return false;
        }
        self.begin |= marked;
        // A first dump that is still under way ends with its own mark.
        if self.after == After::Nothing {
            self.after = after;
        }
        true
    }

    /// No mark is still to be sent.
    pub(super) fn is_over(&self) -> bool {
        !self.begin && self.after == After::Nothing
    }

    /// What stands before the next route.
    pub(super) fn take_opening(&mut self, family: Family) -> Option<Batch> {
        std::mem::take(&mut self.begin).then(|| refresh_mark(family, RefreshKind::Begin))
    }

    /// What stands behind the last route, and whether everything is to be told again now.
    pub(super) fn take_closing(&mut self, family: Family) -> (Option<Batch>, bool) {
        let mark = match std::mem::replace(&mut self.after, After::Nothing) {
            After::Nothing => None,
            After::EndOfRib => {
                let mut bytes = BytesMut::new();
                wire::encode_end_of_rib(family, &mut bytes);
                Some(Batch::plain(bytes.freeze(), 1))
            }
            After::EndOfRefresh => Some(refresh_mark(family, RefreshKind::End)),
        };
        let again = std::mem::take(&mut self.again);
        if again {
            self.repeat(After::EndOfRefresh);
        }
        (mark, again)
    }
}

/// RFC 7313 §4: marks around a repeated table.
fn refresh_mark(family: Family, kind: RefreshKind) -> Batch {
    let refresh = RouteRefresh {
        afi: family.afi(),
        safi: family.safi(),
        kind,
    };
    Batch::plain(wire::encode_route_refresh(&refresh), 1)
}
