//! How much of the traffic each of several equal paths takes.
//!
//! Paths that forward together share evenly, unless they say what their links carry: the link
//! bandwidth community (draft-ietf-idr-link-bandwidth). Then the kernel's weights stand to each
//! other as the bandwidths do, as far as whole numbers from 1 to 240 can say it. Where the kernel's own
//! route to a next hop has ways out with weights, these share what falls to that next hop.
//!
//! Which paths forward together is none of its business; a bandwidth chooses nothing.

use crate::config::BandwidthUse;

/// Weights of paths with these bandwidths, in octets a second; 0 is a path that takes nothing.
/// Empty when all take the same.
pub(crate) fn weights(bandwidths: &[Option<f32>], used: BandwidthUse) -> Vec<u16> {
    let known = bandwidths.iter().flatten().count();
    let complete = known == bandwidths.len();
    if bandwidths.len() < 2 || known == 0 {
        return Vec::new();
    }
    let missing = match used {
        BandwidthUse::Ignore => return Vec::new(),
        BandwidthUse::All if !complete => return Vec::new(),
        BandwidthUse::All | BandwidthUse::SkipMissing => 0,
        BandwidthUse::DefaultWeight => 1,
    };
    let most = bandwidths.iter().flatten().copied().fold(0.0, f32::max);
    let weights = bandwidths
        .iter()
        .map(|bandwidth| bandwidth.map_or(missing, |it| part(it / most)))
        .collect();
    let weights = reduced(weights);
    match weights.iter().all(|weight| *weight == 1) {
        true => Vec::new(),
        false => weights,
    }
}

/// Weights of ways out that take these parts of the traffic, in any unit.
pub(crate) fn of_parts(parts: &[f32]) -> Vec<u16> {
    let most = parts.iter().copied().fold(0.0, f32::max);
    reduced(parts.iter().map(|it| part(it / most)).collect())
}

fn reduced(weights: Vec<u16>) -> Vec<u16> {
    let divisor = weights.iter().copied().fold(0, greatest_common_divisor);
    weights.iter().map(|it| it / divisor.max(1)).collect()
}

/// A part of the whole as a weight. The kernel takes up to 256; 240 divides without rest by more.
fn part(of: f32) -> u16 {
    const WHOLE: f32 = 240.0;
    let scaled = (of * WHOLE).round().clamp(1.0, WHOLE);
    // A whole number from 1 to 240.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let weight = scaled as u16;
    weight
}

fn greatest_common_divisor(a: u16, b: u16) -> u16 {
    match b {
        0 => a,
        _ => greatest_common_divisor(b, a % b),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_stand_to_each_other_as_bandwidths_do() {
        let gigabit = 125_000_000.0;
        let of = |parts: &[f32], used| {
            let bandwidths = parts.iter().map(|it| (*it > 0.0).then_some(it * gigabit));
            weights(&bandwidths.collect::<Vec<_>>(), used)
        };
        let all = BandwidthUse::All;
        let table: [(&[f32], BandwidthUse, &[u16]); 11] = [
            (&[10.0], all, &[]),
            (&[10.0, 10.0], all, &[]),
            (&[10.0, 30.0], all, &[1, 3]),
            (&[1.0, 10.0, 40.0], all, &[1, 10, 40]),
            (&[1.0, 1_000_000.0], all, &[1, 240]),
            (&[1.0, 0.0], all, &[]),
            (&[1.0, 0.0], BandwidthUse::Ignore, &[]),
            (&[1.0, 2.0], BandwidthUse::Ignore, &[]),
            (&[1.0, 0.0, 2.0], BandwidthUse::SkipMissing, &[1, 0, 2]),
            (
                &[1.0, 0.0, 2.0],
                BandwidthUse::DefaultWeight,
                &[120, 1, 240],
            ),
            (&[0.0, 0.0], BandwidthUse::SkipMissing, &[]),
        ];
        for (parts, used, expected) in table {
            assert_eq!(of(parts, used), expected, "{parts:?} {used:?}");
        }
    }
}
