//! The keys of the three tables, and which table is whose.
//!
//! What differs between families is said once for each at the end: its key, its table, its default
//! route and which prefixes are nobody's. All else is written for any [`Key`].

use std::net::{Ipv4Addr, Ipv6Addr};

use bytes::BytesMut;

use super::family::{FamilyRib, Key};
use super::{Cx, Rib, martian};
use crate::attributes::Outgoing;
use crate::evpn_route::EvpnKey;
use crate::family::Family;
use crate::nlri::{Nlri, NlriList, PathId};
use crate::prefix::{Prefix4, Prefix6};
use crate::wire::{self, EncodeContext, EncodeError};

/// The table that holds keys of a type.
pub(super) trait TableOf<K> {
    fn table_of(&mut self) -> (&mut FamilyRib<K>, Cx<'_>);
}

macro_rules! keyed {
    ($key:ty, $field:ident, $variant:ident, $family:ident, $default:expr, $wider:expr, $martian:expr) => {
        impl TableOf<$key> for Rib {
            fn table_of(&mut self) -> (&mut FamilyRib<$key>, Cx<'_>) {
                let cx = Cx {
                    peers: &mut self.peers,
                    interner: &mut self.interner,
                    config: &self.config,
                    next_hops: &self.next_hops,
                };
                (&mut self.$field, cx)
            }
        }

        impl Key for $key {
            const FAMILY: Family = Family::$family;

            fn default_route() -> Option<Self> {
                $default
            }

            fn wider(&self, length: u8) -> Option<Self> {
                let wider: fn(&Self, u8) -> Option<Self> = $wider;
                wider(self, length)
            }

            fn is_martian(&self) -> bool {
                let is_martian: fn(&Self) -> bool = $martian;
                is_martian(self)
            }

            fn of(list: &NlriList) -> &[(PathId, Self)] {
                match list {
                    NlriList::$variant(list) => list,
                    _ => &[],
                }
            }

            fn nlri(&self) -> Nlri {
                Nlri::$variant(self.clone())
            }

            fn encode_announce(
                keys: &[(PathId, Self)],
                attributes: &Outgoing,
                context: &EncodeContext,
                out: &mut BytesMut,
            ) -> Result<usize, EncodeError> {
                wire::encode_announce(attributes, keys, context, out)
            }

            fn encode_withdraw(
                keys: &[(PathId, Self)],
                context: &EncodeContext,
                out: &mut BytesMut,
            ) -> usize {
                wire::encode_withdraw(keys, context, out)
            }
        }
    };
}

keyed!(
    Prefix4,
    v4,
    V4,
    Ipv4Unicast,
    Prefix4::new(Ipv4Addr::UNSPECIFIED, 0),
    |prefix, length| Prefix4::new(prefix.addr(), length).filter(|_| length < prefix.len()),
    |prefix| martian::is_martian4(*prefix)
);
keyed!(
    Prefix6,
    v6,
    V6,
    Ipv6Unicast,
    Prefix6::new(Ipv6Addr::UNSPECIFIED, 0),
    |prefix, length| Prefix6::new(prefix.addr(), length).filter(|_| length < prefix.len()),
    |prefix| martian::is_martian6(*prefix)
);
keyed!(
    EvpnKey,
    evpn,
    Evpn,
    Evpn,
    None,
    |_, _| None,
    martian::is_martian_evpn
);
