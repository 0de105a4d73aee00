use super::*;
use crate::control::reply::{Families, NeighborDrain};

const ADDRESS: &str = "10.10.0.2";

fn status(router: (bool, bool), neighbor: (bool, bool)) -> Drain {
    Drain {
        draining: router.0,
        complete: router.1,
        neighbors: vec![NeighborDrain {
            instance: None,
            address: ADDRESS.parse().unwrap(),
            description: None,
            draining: neighbor.0,
            by_route_map: None,
            complete: neighbor.1,
            families: Families::default(),
        }],
        ..Drain::default()
    }
}

#[test]
fn a_wait_looks_at_what_was_ordered_and_at_nothing_else() {
    use Progress::{NotYet, Overruled, Reached};
    let router = |draining| Goal {
        neighbor: None,
        draining,
    };
    let neighbor = |address: &str, draining| Goal {
        neighbor: Some(address.parse().unwrap()),
        draining,
    };
    for (goal, status, expected) in [
        (router(true), status((true, true), (false, false)), Reached),
        (router(true), status((true, false), (true, true)), NotYet),
        (router(true), status((false, true), (true, true)), Overruled),
        (router(false), status((false, true), (true, false)), Reached),
        (router(false), status((false, false), (false, true)), NotYet),
        (router(false), status((true, true), (true, true)), Overruled),
        (
            neighbor(ADDRESS, true),
            status((false, false), (true, true)),
            Reached,
        ),
        (
            neighbor(ADDRESS, true),
            status((true, true), (true, false)),
            NotYet,
        ),
        (
            neighbor(ADDRESS, true),
            status((true, true), (false, true)),
            Overruled,
        ),
        (
            neighbor("10.10.0.3", true),
            status((true, true), (true, true)),
            Overruled,
        ),
    ] {
        assert_eq!(goal.progress(&status), expected, "{goal:?} {status:?}");
    }
}
