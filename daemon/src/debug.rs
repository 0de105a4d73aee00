//! Targets of debug messages, by which the log knows whether they are asked for.
//!
//! Each is of a part that FRR can debug, too; which lines of `debug` ask for it is in
//! [`crate::config::Debug`]. Those of the kernel's side are written by `fib`, which has names of its own
//! for them. A message with the field `neighbor` or `prefix` can be asked for by its value.
//!
//! A message that nobody asks for costs the look at one flag, so whatever is worked out for it is worked out
//! within the message, or behind [`tracing::enabled`].

pub(crate) const BGP_BESTPATH: &str = "bgp::bestpath";
pub(crate) const BGP_BFD: &str = "bgp::bfd";
pub(crate) const BGP_GRACEFUL_RESTART: &str = "bgp::graceful_restart";
pub(crate) const BGP_KEEPALIVES: &str = "bgp::keepalives";
pub(crate) const BGP_NEIGHBOR_EVENTS: &str = "bgp::neighbor_events";
pub(crate) const BGP_NHT: &str = "bgp::nht";
pub(crate) const BGP_UPDATES_IN: &str = "bgp::updates_in";
pub(crate) const BGP_UPDATES_OUT: &str = "bgp::updates_out";
pub(crate) const BGP_UPDATE_GROUPS: &str = "bgp::update_groups";
pub(crate) const BGP_ZEBRA: &str = "bgp::kernel";
pub(crate) const BFD_NETWORK: &str = "bfd::network";
pub(crate) const BFD_PEER: &str = "bfd::peer";
pub(crate) const BFD_ZEBRA: &str = "bfd::clients";
pub(crate) const RPKI: &str = "rpki";
pub(crate) const STATIC_EVENTS: &str = "static::events";
pub(crate) const STATIC_ROUTE: &str = "static::route";
pub(crate) const ZEBRA_EVENTS: &str = fib::debug::EVENTS;
pub(crate) const ZEBRA_KERNEL: &str = fib::debug::WRITES;
pub(crate) const ZEBRA_NEXTHOP: &str = fib::debug::NEXT_HOPS;
pub(crate) const ZEBRA_RIB: &str = fib::debug::ROUTES;
pub(crate) const ZEBRA_VXLAN: &str = fib::debug::OVERLAY;

/// All of them.
#[cfg(test)]
pub(crate) const ALL: &[&str] = &[
    BGP_BESTPATH,
    BGP_BFD,
    BGP_GRACEFUL_RESTART,
    BGP_KEEPALIVES,
    BGP_NEIGHBOR_EVENTS,
    BGP_NHT,
    BGP_UPDATES_IN,
    BGP_UPDATES_OUT,
    BGP_UPDATE_GROUPS,
    BGP_ZEBRA,
    BFD_NETWORK,
    BFD_PEER,
    BFD_ZEBRA,
    RPKI,
    STATIC_EVENTS,
    STATIC_ROUTE,
    ZEBRA_EVENTS,
    ZEBRA_KERNEL,
    ZEBRA_NEXTHOP,
    ZEBRA_RIB,
    ZEBRA_VXLAN,
];
