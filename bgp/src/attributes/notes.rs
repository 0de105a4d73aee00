//! What this router notes of a route for itself.
//!
//! Policy may give a route a weight, a tag, a distance, or say that its packets are dropped. None of
//! it is a path attribute, and nobody is ever told: it stands behind the canonical octets of a set,
//! where equality and the hash see it and no message does. Most routes have none of it and pay
//! nothing.

/// What this router notes of a route for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Notes {
    /// Compared before everything else, the highest wins.
    pub weight: Option<u32>,
    /// A number that later conditions can ask for.
    pub tag: Option<u32>,
    /// The kernel's priority of the route instead of the usual one.
    pub distance: Option<u8>,
    /// Packets are dropped and not forwarded.
    pub blackhole: bool,
}

impl Notes {
    /// How many octets they take, where there are any.
    pub(super) const OCTETS: usize = 10;

    const WEIGHT: u8 = 1;
    const TAG: u8 = 1 << 1;
    const DISTANCE: u8 = 1 << 2;
    const BLACKHOLE: u8 = 1 << 3;

    /// True if nothing is noted.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn encode(&self) -> [u8; Self::OCTETS] {
        let flag = |there: bool, flag: u8| if there { flag } else { 0 };
        let flags = flag(self.weight.is_some(), Self::WEIGHT)
            | flag(self.tag.is_some(), Self::TAG)
            | flag(self.distance.is_some(), Self::DISTANCE)
            | flag(self.blackhole, Self::BLACKHOLE);
        let [a, b, c, d] = self.weight.unwrap_or_default().to_be_bytes();
        let [e, f, g, h] = self.tag.unwrap_or_default().to_be_bytes();
        let distance = self.distance.unwrap_or_default();
        [flags, distance, a, b, c, d, e, f, g, h]
    }

    pub(super) fn decode(octets: [u8; Self::OCTETS]) -> Self {
        let [flags, distance, a, b, c, d, e, f, g, h] = octets;
        let has = |flag: u8| flags & flag != 0;
        Self {
            weight: has(Self::WEIGHT).then(|| u32::from_be_bytes([a, b, c, d])),
            tag: has(Self::TAG).then(|| u32::from_be_bytes([e, f, g, h])),
            distance: has(Self::DISTANCE).then_some(distance),
            blackhole: has(Self::BLACKHOLE),
        }
    }
}
