//! Random numbers that are the same everywhere from one seed, for tests that send what nobody
//! thought of.

use std::time::SystemTime;

use super::Error;

/// SplitMix64: small, and good enough to choose octets with.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// Numbers of this seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The seed of this run: `RULES_SEED` of the environment, or another one each time. It is
    /// printed, so that a run can be had again.
    pub fn seed_of_run() -> Result<u64, Error> {
        let seed = match std::env::var("RULES_SEED") {
            Ok(given) => given
                .parse()
                .map_err(|_| Error::rule("RULES_SEED to be a number", given))?,
            Err(_) => SystemTime::UNIX_EPOCH
                .elapsed()
                .unwrap_or_default()
                .as_secs(),
        };
        println!("RULES_SEED={seed}");
        Ok(seed)
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From nought to one less than the bound; nought below a bound of nought.
    pub fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).unwrap_or(u64::MAX).max(1);
        // Less than a `usize`.
        usize::try_from(self.number() % bound).unwrap_or_default()
    }

    /// An octet.
    pub fn u8(&mut self) -> u8 {
        self.number().to_be_bytes()[0]
    }

    /// True once in so many times.
    pub fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    /// At most so many octets.
    pub fn octets(&mut self, max: usize) -> Vec<u8> {
        let count = self.below(max.saturating_add(1));
        (0..count).map(|_| self.u8()).collect()
    }

    /// One of these; of none, what the type has by default.
    pub fn pick<T: Copy + Default>(&mut self, from: &[T]) -> T {
        from.get(self.below(from.len()))
            .copied()
            .unwrap_or_default()
    }
}
