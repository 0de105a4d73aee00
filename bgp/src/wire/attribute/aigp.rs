//! AIGP (RFC 7311 §3): what lies between here and the route's origin, in TLVs.
//!
//! Only the first TLV of type 1 counts; all others are passed along as they came.

use crate::wire::attribute::Raw;
use crate::wire::error::UpdateError;

/// Type of the TLV with the metric.
const METRIC: u8 = 1;
/// Its length, with type and length.
const METRIC_LEN: u16 = 11;

/// RFC 7311 §3.2: TLVs that fill the attribute, those of type 1 with eleven octets.
pub(crate) fn check(raw: &Raw<'_>) -> Result<(), UpdateError> {
    let mut rest = raw.value;
    if rest.is_empty() {
        return Err(raw.length_error("one TLV or more"));
    }
    while !rest.is_empty() {
        let Some((kind, tlv, behind)) = next(rest) else {
            return Err(raw.length_error("whole TLVs"));
        };
        if kind == METRIC && tlv.len() != usize::from(METRIC_LEN) {
            return Err(raw.length_error("an AIGP TLV of 11 octets"));
        }
        rest = behind;
    }
    Ok(())
}

/// The metric.
pub(crate) fn metric(value: &[u8]) -> Option<u64> {
    let mut rest = value;
    while let Some((kind, tlv, behind)) = next(rest) {
        if kind == METRIC {
            let octets = tlv.get(3..)?;
            return Some(u64::from_be_bytes(octets.try_into().ok()?));
        }
        rest = behind;
    }
    None
}

/// The same TLVs with another metric; it stands first where there was none.
pub(crate) fn with_metric(value: &[u8], metric: u64) -> Vec<u8> {
    let mut new = Vec::with_capacity(value.len().max(METRIC_LEN.into()));
    let mut rest = value;
    let mut done = false;
    if self::metric(value).is_none() {
        put(metric, &mut new);
        done = true;
    }
    while let Some((kind, tlv, behind)) = next(rest) {
        match kind {
            METRIC if !std::mem::replace(&mut done, true) => put(metric, &mut new),
            _ => new.extend_from_slice(tlv),
        }
        rest = behind;
    }
    new
}

fn put(metric: u64, out: &mut Vec<u8>) {
    out.push(METRIC);
    out.extend_from_slice(&METRIC_LEN.to_be_bytes());
    out.extend_from_slice(&metric.to_be_bytes());
}

/// The first TLV: its type, all of it, and what is behind.
fn next(octets: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let [kind, high, low, ..] = *octets else {
        return None;
    };
    let length = usize::from(u16::from_be_bytes([high, low]));
    if length < 3 {
        return None;
    }
    let (tlv, behind) = octets.split_at_checked(length)?;
    Some((kind, tlv, behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(value: &[u8]) -> bool {
        let raw = Raw {
            flags: 0x80,
            code: crate::wire::attribute::code::AIGP,
            value,
            octets: &[],
        };
        check(&raw).is_ok()
    }

    #[test]
    fn the_first_metric_counts_and_other_tlvs_stay() {
        let other = [9, 0, 4, 7];
        let mut value = other.to_vec();
        put(5, &mut value);
        put(6, &mut value);
        assert!(checked(&value));
        assert_eq!(metric(&value), Some(5));
        let changed = with_metric(&value, 77);
        assert_eq!(metric(&changed), Some(77));
        assert_eq!(changed.get(..4), Some(&other[..]));
        assert_eq!(changed.len(), value.len());
        assert_eq!(metric(&with_metric(&[], 8)), Some(8));
    }

    #[test]
    fn what_is_no_row_of_tlvs_is_refused() {
        assert!(checked(&[9, 0, 4, 7]), "unknown TLVs are nothing wrong");
        assert_eq!(metric(&[9, 0, 4, 7]), None);
        for value in [
            &[][..],
            &[1, 0, 10, 0, 0, 0, 0, 0, 0, 1],
            &[1, 0, 11, 0, 0, 0, 0, 0, 0, 1],
            &[1, 0, 11, 0, 0, 0, 0, 0, 0, 0, 1, 9],
            &[1, 0, 11, 0, 0, 0, 0, 0, 0, 0, 1, 9, 0, 2],
        ] {
            assert!(!checked(value), "{value:?}");
        }
    }
}
