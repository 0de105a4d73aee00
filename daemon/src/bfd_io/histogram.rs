//! Counts of durations in classes, for metrics.

use std::time::Duration;

/// Durations, counted by the class they fall in.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Histogram {
    /// The upper end of each class, and how many fell in it.
    classes: Vec<(Duration, u64)>,
    longer: u64,
    sum: Duration,
    max: Duration,
}

impl Histogram {
    /// For how late a thread comes: from less than a tick to what takes a session down.
    pub(super) fn of_lateness() -> Self {
        const MICROSECONDS: [u64; 11] = [
            100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000,
        ];
        Self {
            classes: MICROSECONDS
                .map(|end| (Duration::from_micros(end), 0))
                .to_vec(),
            ..Self::default()
        }
    }

    pub(super) fn add(&mut self, duration: Duration) {
        let mut classes = self.classes.iter_mut();
        match classes.find(|(end, _)| duration <= *end) {
            Some((_, count)) => *count += 1,
            None => self.longer += 1,
        }
        self.sum += duration;
        self.max = self.max.max(duration);
    }

    /// The upper end of each class, and how many were not longer.
    pub fn at_most(&self) -> impl Iterator<Item = (Duration, u64)> {
        self.classes.iter().scan(0, |all, (end, count)| {
            *all += count;
            Some((*end, *all))
        })
    }

    /// How many there were.
    pub fn count(&self) -> u64 {
        let counts = self.classes.iter().map(|(_, count)| count);
        counts.sum::<u64>() + self.longer
    }

    /// All of them together.
    pub fn sum(&self) -> Duration {
        self.sum
    }

    /// The longest.
    pub fn max(&self) -> Duration {
        self.max
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_counted_where_they_belong() {
        let mut histogram = Histogram::of_lateness();
        for micros in [0, 100, 101, 60_000, 900_000] {
            histogram.add(Duration::from_micros(micros));
        }
        let counts: Vec<u64> = histogram.at_most().map(|(_, count)| count).collect();
        assert_eq!(counts, [2, 3, 3, 3, 3, 3, 3, 3, 3, 4, 4]);
        assert_eq!(histogram.count(), 5);
        assert_eq!(histogram.max(), Duration::from_millis(900));
        assert_eq!(histogram.sum(), Duration::from_micros(960_201));
    }
}
