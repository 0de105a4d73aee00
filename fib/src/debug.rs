//! Targets of debug messages, so that each kind can be asked for by itself.

/// What the kernel says of devices, addresses and routes of others.
pub const EVENTS: &str = "fib::events";
/// What is written to the kernel, and what it answers.
pub const WRITES: &str = "fib::writes";
/// The same of nexthop objects.
pub const NEXT_HOPS: &str = "fib::next_hops";
/// Routes that should be there, or should not any more.
pub const ROUTES: &str = "fib::routes";
/// The same of overlays, with their forwarding, flood and neighbour entries.
pub const OVERLAY: &str = "fib::overlay";
