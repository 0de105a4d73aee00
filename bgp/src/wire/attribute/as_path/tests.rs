use super::*;

fn path(segments: &[(SegmentKind, &[u32])]) -> Vec<Segment> {
    segments
        .iter()
        .map(|(kind, asns)| Segment {
            kind: *kind,
            asns: asns.iter().copied().map(Asn).collect(),
        })
        .collect()
}

fn value(segments: &[(SegmentKind, &[u32])]) -> Vec<u8> {
    let mut out = Vec::new();
    encode(&path(segments), &mut out);
    out
}

fn open(value: &[u8]) -> Vec<Segment> {
    Segments::new(value).map(SegmentView::to_segment).collect()
}

use SegmentKind::{ConfedSequence, Sequence, Set};

#[test]
fn a_path_is_checked_as_rfc_7606_section_7_2_says() {
    let cases: [(&[u8], Result<(), AsPathFault>); 8] = [
        (&[], Ok(())),
        (&[2, 1, 0, 1], Ok(())),
        (&[1, 1, 0, 1, 2, 2, 0, 2, 0, 3], Ok(())),
        (&[5, 1, 0, 1], Err(AsPathFault::Kind(5))),
        (&[2, 2, 0, 1], Err(AsPathFault::Overrun)),
        (&[2, 1, 0, 1, 2], Err(AsPathFault::Overrun)),
        (&[2, 0], Err(AsPathFault::Empty)),
        (&[2, 2, 0, 1, 0, 0], Err(AsPathFault::Zero)),
    ];
    for (value, expected) in cases {
        assert_eq!(check(value, false), expected, "{value:?}");
    }
}

#[test]
fn confederation_segments_from_outside_are_refused() {
    assert_eq!(
        check_external(&[3, 1, 0, 1], false),
        Err(AsPathFault::Confederation)
    );
    assert_eq!(check_external(&[1, 1, 0, 1], false), Ok(()));
}

#[test]
fn as4_path_replaces_the_trailing_numbers() {
    let as_path = value(&[(Sequence, &[100, 23456, 23456, 200])]);
    let as4_path = value(&[(Sequence, &[70_000, 80_000, 200])]);
    let merged = merge(as_path, &as4_path);
    assert_eq!(
        open(&merged),
        path(&[(Sequence, &[100, 70_000, 80_000, 200])])
    );
}

#[test]
fn an_as4_path_longer_than_the_as_path_is_ignored() {
    let as_path = value(&[(Sequence, &[100, 23456])]);
    let as4_path = value(&[(Sequence, &[1, 70_000, 80_000])]);
    assert_eq!(merge(as_path.clone(), &as4_path), as_path);
}

#[test]
fn a_set_counts_as_one_number_when_merging() {
    let as_path = value(&[(Sequence, &[100, 23456]), (Set, &[5, 23456])]);
    let as4_path = value(&[(Sequence, &[70_000]), (Set, &[5, 80_000])]);
    let merged = merge(as_path, &as4_path);
    assert_eq!(
        open(&merged),
        path(&[(Sequence, &[100, 70_000]), (Set, &[5, 80_000])])
    );
}

#[test]
fn confederation_segments_stay_in_front_and_are_dropped_from_as4_path() {
    let as_path = value(&[(ConfedSequence, &[65_001]), (Sequence, &[23456, 200])]);
    let as4_path = value(&[(ConfedSequence, &[65_009]), (Sequence, &[70_000, 200])]);
    let merged = merge(as_path, &as4_path);
    assert_eq!(
        open(&merged),
        path(&[(ConfedSequence, &[65_001]), (Sequence, &[70_000, 200])])
    );
}

#[test]
fn narrowing_a_path_and_merging_it_again_gives_the_path() {
    let full = value(&[(Sequence, &[100, 70_000, 200]), (Set, &[300, 80_000])]);
    let (narrowed, as4_path) = narrow(&full);
    let as4_path = as4_path.expect("two numbers do not fit");
    assert_eq!(
        narrowed,
        [2, 3, 0, 100, 0x5b, 0xa0, 0, 200, 1, 2, 1, 44, 0x5b, 0xa0]
    );
    assert_eq!(merge(widen(&narrowed), &as4_path), full);
}

#[test]
fn a_path_of_small_numbers_needs_no_as4_path() {
    assert_eq!(narrow(&value(&[(Sequence, &[1, 2])])).1, None);
}

#[test]
fn a_segment_beyond_255_numbers_becomes_two() {
    let long: Vec<u32> = (1..=300).collect();
    let value = value(&[(Sequence, &long)]);
    let lengths: Vec<usize> = Segments::new(&value)
        .map(|segment| segment.asns().len())
        .collect();
    assert_eq!(lengths, [255, 45]);
    assert_eq!(count(&value), 300);
}

#[test]
fn a_path_beyond_65535_octets_is_cut_and_never_overflows() {
    let long: Vec<u32> = vec![1; 40_000];
    let value = value(&[(Sequence, &long)]);
    assert!(value.len() <= 65_535 && value.len() > 65_500);
    assert_eq!(check(&value, true), Ok(()));
}

#[test]
fn confederation_segments_count_as_none_and_a_set_as_one() {
    let value = value(&[
        (ConfedSequence, &[65_001, 65_002]),
        (Sequence, &[1, 2]),
        (Set, &[3, 4, 5]),
    ]);
    assert_eq!(count(&value), 3);
}
