use super::*;

fn claim(sticky: bool, sequence: u32, vtep: u8) -> Claim {
    Claim {
        sticky,
        sequence,
        vtep: [10, 0, 0, vtep].into(),
    }
}

#[test]
fn the_table_of_contests() {
    use Rule::{HigherSequence, LowerVtep, Sticky};
    // (sticky, sequence, host of the tunnel address); the left one wins by the rule.
    let table = [
        ((false, 1, 2), (false, 0, 1), HigherSequence),
        ((false, 1, 1), (false, 0, 2), HigherSequence),
        ((false, 0, 1), (false, 0, 2), LowerVtep),
        ((false, 7, 1), (false, 7, 2), LowerVtep),
        ((true, 0, 2), (false, 9, 1), Sticky),
        ((true, 0, 1), (false, 0, 2), Sticky),
        ((true, 1, 2), (true, 0, 1), HigherSequence),
        ((true, 0, 1), (true, 0, 2), LowerVtep),
        ((false, u32::MAX, 2), (false, 0, 1), HigherSequence),
    ];
    for (winner, loser, rule) in table {
        let winner = claim(winner.0, winner.1, winner.2);
        let loser = claim(loser.0, loser.1, loser.2);
        assert_eq!(winner.against(&loser), (Ordering::Greater, rule));
        assert_eq!(loser.against(&winner), (Ordering::Less, rule));
    }
}

#[test]
fn a_lower_address_is_compared_as_a_number_and_not_as_text() {
    let nine = claim(false, 0, 9);
    let ten = claim(false, 0, 10);
    assert_eq!(nine.against(&ten).0, Ordering::Greater);
}

#[test]
fn witnesses_keep_the_highest_number_per_target_set() {
    let path = |target: &str, sequence| {
        let mut attributes = bgp::AttributeSet::new(std::net::IpAddr::from([10, 0, 0, 2]).into());
        attributes.extended_communities = vec![
            target.parse().unwrap(),
            ExtendedCommunity::mac_mobility(sequence, false),
        ];
        Path::from(&attributes)
    };
    let mut witnesses = Witnesses::default();
    assert_eq!(witnesses.sequence(|_| true), 0);
    for (target, sequence) in [("1:1", 4), ("1:1", 2), ("1:2", 9)] {
        witnesses.add(&path(target, sequence));
    }
    let first: ExtendedCommunity = "1:1".parse().unwrap();
    assert_eq!(witnesses.sequence(|targets| targets.contains(&first)), 5);
    assert_eq!(witnesses.sequence(|_| true), 10);
    assert_eq!(witnesses.sequence(|_| false), 0);
    witnesses.add(&path("1:1", u32::MAX));
    assert_eq!(witnesses.sequence(|_| true), u32::MAX);
}
