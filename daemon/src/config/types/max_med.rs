//! A MED that keeps traffic away, for as long as the operator says or for some time after a start.

use std::time::Duration;

/// What neighbours are told in the place of MEDs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MaxMed {
    /// At all times; it goes before the other one.
    pub always: Option<u32>,
    /// For some time after the first session of this start.
    pub on_startup: Option<StartupMed>,
}

/// A MED for the time after a start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StartupMed {
    /// For how long.
    pub time: Duration,
    /// The MED.
    pub med: u32,
}

impl MaxMed {
    /// The usual one, as FRR has it: the highest but for that which some take for "never".
    pub const USUAL: u32 = 4_294_967_294;
}
