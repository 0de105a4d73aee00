//! What a session does to AS numbers, communities and notes on the way, beside policy.
//!
//! Plain settings, one value for a family of a peer; [`super::import`] and [`super::export`] apply
//! them. Everything is off by default.

use crate::asn::Asn;
use crate::attributes::{Attributes, Omitted, PathChange};
use crate::community::ExtendedCommunity;

/// Settings of one family on a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Handling {
    /// Own AS numbers in received paths.
    pub own_as: OwnAs,
    /// The AS number of the peer in paths is replaced with ours (FRR's `as-override`), so that its
    /// other sites do not take the route for a loop. Only towards another AS.
    pub as_override: bool,
    /// Private AS numbers in paths. Only towards another AS.
    pub private_as: PrivateAs,
    /// Our AS number is not put in front of paths towards another AS (FRR's `attribute-unchanged as-path`),
    /// but of those of our own routes.
    pub as_path_unchanged: bool,
    /// MEDs of others go on to another AS (FRR's `attribute-unchanged med`), against RFC 4271 §5.1.4.
    pub med_unchanged: bool,
    /// Communities that the peer is not told.
    pub omitted: Omitted,
    /// Link bandwidths of this session are whole numbers, and not floats as
    /// draft-ietf-idr-link-bandwidth has them (FRR's `disable-link-bw-encoding-ieee`).
    pub whole_bandwidths: bool,
    /// The site that the peer is part of, which whatever it sends is marked with. What is marked so is not
    /// told to it (FRR's `soo`).
    pub site_of_origin: Option<ExtendedCommunity>,
    /// The kernel's priority of what the peer sends, unless policy gives another one.
    pub distance: Option<u8>,
}

/// How far own AS numbers are allowed in received paths (FRR's `allowas-in`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnAs {
    /// So many times; 0 is the rule of RFC 4271 §9.1.2.
    Times(u8),
    /// In paths that this AS originated: it is the last number.
    Origin,
}

impl Default for OwnAs {
    fn default() -> Self {
        Self::Times(0)
    }
}

impl OwnAs {
    /// True for a path that is a loop although so much is allowed; `shared` is a number that is somebody else's
    /// within our confederation.
    pub(super) fn forbids(self, received: &Attributes, own: Asn, shared: bool) -> bool {
        let times = match shared {
            true => received.contains_asn_outside(own),
            false => received.contains_asn(own),
        };
        match self {
            OwnAs::Times(allowed) => times > usize::from(allowed),
            OwnAs::Origin => times > 0 && received.origin_as() != Some(own),
        }
    }
}

/// What becomes of private AS numbers (RFC 6996) in a path towards another AS (FRR's
/// `remove-private-AS`). That of the peer itself stays, since it finds loops by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PrivateAs {
    /// They stay.
    #[default]
    Keep,
    /// They go if there is no other one.
    Remove,
    /// They go.
    RemoveAll,
    /// Ours stands in their place if there is no other one.
    Replace,
    /// Ours stands in their place.
    ReplaceAll,
}

impl Handling {
    /// What changes in paths towards a peer of `remote_as` that knows us as `local_as`.
    pub(super) fn path_change(&self, remote_as: Asn, local_as: Asn) -> Option<PathChange> {
        let (only_if_all, replace) = match self.private_as {
            PrivateAs::Keep if !self.as_override => return None,
            PrivateAs::Keep => {
                return Some(PathChange {
                    remote_as,
                    local_as,
                    as_override: true,
                    private: None,
                });
            }
            PrivateAs::Remove => (true, false),
            PrivateAs::RemoveAll => (false, false),
            PrivateAs::Replace => (true, true),
            PrivateAs::ReplaceAll => (false, true),
        };
        Some(PathChange {
            remote_as,
            local_as,
            as_override: self.as_override,
            private: Some((only_if_all, replace)),
        })
    }
}
