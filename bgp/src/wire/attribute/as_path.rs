//! AS_PATH (RFC 4271 §4.3) and AS4_PATH (RFC 6793 §3).
//!
//! Inside the crate a path is the value of an AS_PATH with four-octet numbers. A path from a peer
//! without them is widened and its AS4_PATH merged in; a path to such a peer is narrowed.

use crate::asn::Asn;
use crate::attributes::{Segment, SegmentKind};
use crate::wire::read::{Reader, Short};

/// What is wrong with a path (RFC 7606 §7.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AsPathFault {
    /// A segment type that no document defines.
    #[error("a segment has type `{0}`, but must have 1 to 4")]
    Kind(u8),
    /// A segment that claims more numbers than there are, or half a segment header at the end.
    #[error("a segment runs past the end of the attribute")]
    Overrun,
    /// A segment of no numbers.
    #[error("a segment is empty")]
    Empty,
    /// A confederation segment from a peer outside the confederation (RFC 5065 §5).
    #[error("it has a confederation segment, but the peer is not of this confederation")]
    Confederation,
    /// AS 0 (RFC 7607 §2).
    #[error("it contains AS 0")]
    Zero,
}

/// Checks a received value of numbers of four octets, or two without `as4`.
pub(crate) fn check(value: &[u8], as4: bool) -> Result<(), AsPathFault> {
    let mut reader = Reader::new(value);
    while !reader.is_empty() {
        let (kind, numbers) = raw_segment(&mut reader, as4).map_err(|_| AsPathFault::Overrun)?;
        SegmentKind::from_code(kind).ok_or(AsPathFault::Kind(kind))?;
        if numbers.is_empty() {
            return Err(AsPathFault::Empty);
        }
        let zero = if as4 {
            numbers.as_chunks::<4>().0.contains(&[0; 4])
        } else {
            numbers.as_chunks::<2>().0.contains(&[0; 2])
        };
        if zero {
            return Err(AsPathFault::Zero);
        }
    }
    Ok(())
}

/// RFC 5065 §5: a path from outside the confederation has none of its segments. The value has
/// passed [`check`].
pub(crate) fn check_external(value: &[u8], as4: bool) -> Result<(), AsPathFault> {
    let mut reader = Reader::new(value);
    while let Ok((kind, _)) = raw_segment(&mut reader, as4) {
        if SegmentKind::from_code(kind).is_some_and(SegmentKind::is_confederation) {
            return Err(AsPathFault::Confederation);
        }
    }
    Ok(())
}

fn raw_segment<'a>(reader: &mut Reader<'a>, as4: bool) -> Result<(u8, &'a [u8]), Short> {
    let kind = reader.u8()?;
    let count = usize::from(reader.u8()?);
    let width = if as4 { 4 } else { 2 };
    Ok((kind, reader.take(count * width)?))
}

/// The value with four-octet numbers of one with two-octet numbers that passed [`check`].
pub(crate) fn widen(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len() * 2);
    let mut reader = Reader::new(value);
    while let Ok((kind, numbers)) = raw_segment(&mut reader, false) {
        let (numbers, _) = numbers.as_chunks::<2>();
        out.extend([kind, u8::try_from(numbers.len()).unwrap_or(u8::MAX)]);
        for [high, low] in numbers {
            out.extend([0, 0, *high, *low]);
        }
    }
    out
}

/// The value with two-octet numbers, and the AS4_PATH to send with it if a number did not fit
/// (RFC 6793 §4.2.2; confederation segments are left out of AS4_PATH).
pub(crate) fn narrow(value: &[u8]) -> (Vec<u8>, Option<Vec<u8>>) {
    let mut out = Vec::with_capacity(value.len());
    let mut lost = false;
    for segment in Segments::new(value) {
        out.extend([segment.kind.code(), segment.len_octet()]);
        for asn in segment.asns() {
            lost |= asn.0 > u32::from(u16::MAX);
            out.extend(asn.two_octet().to_be_bytes());
        }
    }
    let as4_path = lost.then(|| without_confederation(value));
    (out, as4_path)
}

/// The value without confederation segments, if it has any.
pub(crate) fn leave_confederation(value: &[u8]) -> Option<Vec<u8>> {
    Segments::new(value)
        .any(|segment| segment.kind.is_confederation())
        .then(|| without_confederation(value))
}

/// RFC 6793 §6: confederation segments do not belong into AS4_PATH.
pub(crate) fn without_confederation(value: &[u8]) -> Vec<u8> {
    let segments = Segments::new(value).filter(|segment| !segment.kind.is_confederation());
    let mut out = Vec::with_capacity(value.len());
    for segment in segments {
        out.extend([segment.kind.code(), segment.len_octet()]);
        out.extend_from_slice(segment.numbers.as_flattened());
    }
    out
}

/// RFC 6793 §4.2.3: the path that a widened AS_PATH and an AS4_PATH make together.
pub(crate) fn merge(as_path: Vec<u8>, as4_path: &[u8]) -> Vec<u8> {
    let as4_path = without_confederation(as4_path);
    let (all, known) = (count(&as_path), count(&as4_path));
    // "If the number of AS numbers in the AS_PATH attribute is less than the number of AS
    // numbers in the AS4_PATH attribute, then the AS4_PATH attribute SHALL be ignored".
    let Some(leading) = all.checked_sub(known) else {
        return as_path;
    };
    if known == 0 {
        return as_path;
    }
    let mut path = take_leading(&as_path, leading);
    for segment in Segments::new(&as4_path) {
        append(&mut path, segment.to_segment());
    }
    let mut out = Vec::new();
    encode(&path, &mut out);
    out
}

/// As many numbers from the front as are missing, with the confederation segments among them.
fn take_leading(value: &[u8], mut count: usize) -> Vec<Segment> {
    let mut path = Vec::new();
    for segment in Segments::new(value) {
        let mut taken = segment.to_segment();
        match segment.kind {
            SegmentKind::ConfedSequence | SegmentKind::ConfedSet => {}
            SegmentKind::Set | SegmentKind::Sequence if count == 0 => break,
            SegmentKind::Set => count -= 1,
            SegmentKind::Sequence => {
                taken.asns.truncate(count);
                count -= taken.asns.len();
            }
        }
        path.push(taken);
    }
    path
}

/// The value with each number as `change` has it, `None` for one that goes; a segment without numbers
/// goes too. `None` when nothing changes.
pub(crate) fn rewritten(value: &[u8], change: impl Fn(Asn) -> Option<Asn>) -> Option<Vec<u8>> {
    let mut numbers = Segments::new(value).flat_map(SegmentView::asns);
    if numbers.all(|asn| change(asn) == Some(asn)) {
        return None;
    }
    let path: Vec<Segment> = Segments::new(value)
        .map(|segment| Segment {
            kind: segment.kind,
            asns: segment.asns().filter_map(&change).collect(),
        })
        .filter(|segment| !segment.asns.is_empty())
        .collect();
    let mut out = Vec::with_capacity(value.len());
    encode(&path, &mut out);
    Some(out)
}

/// The value with `asn` in front `count` times (RFC 4271 §5.1.2), at most 255 times.
pub(crate) fn prepended(value: &[u8], asn: Asn, count: usize) -> Vec<u8> {
    prepended_to(value, SegmentKind::Sequence, asn, count)
}

/// The same in a segment of this kind.
pub(crate) fn prepended_to(value: &[u8], kind: SegmentKind, asn: Asn, count: usize) -> Vec<u8> {
    let count = u8::try_from(count).unwrap_or(u8::MAX);
    let mut out = Vec::with_capacity(value.len() + 2 + 4 * usize::from(count));
    let sequence = kind.code();
    let joined = match value {
        [kind, length, rest @ ..] if *kind == sequence => {
            length.checked_add(count).map(|length| (length, rest))
        }
        _ => None,
    };
    let (length, rest) = joined.unwrap_or((count, value));
    if length > 0 {
        out.extend([sequence, length]);
    }
    for _ in 0..count {
        out.extend(asn.0.to_be_bytes());
    }
    out.extend_from_slice(rest);
    out
}

/// Adds a segment, joining two sequences that fit one.
fn append(path: &mut Vec<Segment>, segment: Segment) {
    match path.last_mut() {
        Some(last)
            if last.kind == SegmentKind::Sequence
                && segment.kind == SegmentKind::Sequence
                && last.asns.len() + segment.asns.len() <= SEGMENT_LEN_MAX =>
        {
            last.asns.extend(segment.asns);
        }
        Some(_) | None => path.push(segment),
    }
}

/// Numbers as RFC 4271 §9.1.2.2 a and RFC 5065 §5.3 count them: a set is one, confederation
/// segments are none.
pub(crate) fn count(value: &[u8]) -> usize {
    Segments::new(value)
        .map(|segment| segment.kind.weight(segment.numbers.len()))
        .sum()
}

/// Appends the value of a path. Segments beyond 255 numbers become several; empty ones vanish;
/// what does not fit an attribute of 65535 octets is left out, and no message can carry it.
pub(crate) fn encode(path: &[Segment], out: &mut Vec<u8>) {
    let chunks = path.iter().flat_map(|segment| {
        segment
            .asns
            .chunks(SEGMENT_LEN_MAX)
            .map(|asns| (segment.kind, asns))
    });
    for (kind, asns) in chunks {
        let room = usize::from(u16::MAX).saturating_sub(out.len() + 2) / 4;
        let asns = asns.get(..room).unwrap_or(asns);
        if asns.is_empty() {
            break;
        }
        out.extend([kind.code(), u8::try_from(asns.len()).unwrap_or(u8::MAX)]);
        out.extend(asns.iter().flat_map(|asn| asn.0.to_be_bytes()));
    }
}

/// The count octet of a segment.
const SEGMENT_LEN_MAX: usize = 255;

/// The segments of a path with four-octet numbers, read in place.
#[derive(Debug, Clone)]
pub struct Segments<'a>(Reader<'a>);

impl<'a> Segments<'a> {
    pub(crate) fn new(value: &'a [u8]) -> Self {
        Self(Reader::new(value))
    }
}

impl<'a> Iterator for Segments<'a> {
    type Item = SegmentView<'a>;

    fn next(&mut self) -> Option<SegmentView<'a>> {
        let (kind, numbers) = raw_segment(&mut self.0, true).ok()?;
        Some(SegmentView {
            kind: SegmentKind::from_code(kind)?,
            numbers: numbers.as_chunks().0,
        })
    }
}

/// One segment of a path, read in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentView<'a> {
    /// Ordered or not.
    pub kind: SegmentKind,
    numbers: &'a [[u8; 4]],
}

impl<'a> SegmentView<'a> {
    /// The numbers, nearest first.
    pub fn asns(self) -> impl DoubleEndedIterator<Item = Asn> + ExactSizeIterator + 'a {
        self.numbers
            .iter()
            .map(|octets| Asn(u32::from_be_bytes(*octets)))
    }

    /// The open form.
    pub fn to_segment(self) -> Segment {
        Segment {
            kind: self.kind,
            asns: self.asns().collect(),
        }
    }

    fn len_octet(self) -> u8 {
        u8::try_from(self.numbers.len()).unwrap_or(u8::MAX)
    }
}

impl SegmentKind {
    pub(crate) fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(SegmentKind::Set),
            2 => Some(SegmentKind::Sequence),
            3 => Some(SegmentKind::ConfedSequence),
            4 => Some(SegmentKind::ConfedSet),
            _ => None,
        }
    }

    pub(crate) fn code(self) -> u8 {
        match self {
            SegmentKind::Set => 1,
            SegmentKind::Sequence => 2,
            SegmentKind::ConfedSequence => 3,
            SegmentKind::ConfedSet => 4,
        }
    }

    /// True for the two kinds of RFC 5065.
    pub fn is_confederation(self) -> bool {
        match self {
            SegmentKind::Set | SegmentKind::Sequence => false,
            SegmentKind::ConfedSequence | SegmentKind::ConfedSet => true,
        }
    }

    /// True for the two kinds of sequence.
    pub fn is_ordered(self) -> bool {
        match self {
            SegmentKind::Set | SegmentKind::ConfedSet => false,
            SegmentKind::Sequence | SegmentKind::ConfedSequence => true,
        }
    }

    /// What a segment of `len` numbers adds to the length of a path.
    pub(crate) fn weight(self, len: usize) -> usize {
        match self {
            SegmentKind::Sequence => len,
            SegmentKind::Set => len.min(1),
            SegmentKind::ConfedSequence | SegmentKind::ConfedSet => 0,
        }
    }
}

#[cfg(test)]
mod tests;
