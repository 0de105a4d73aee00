use std::collections::HashSet;
use std::net::Ipv4Addr;

use super::*;
use crate::attributes::NextHop;
use crate::prefix::Prefix;

fn route() -> (Nlri, Attributes) {
    let prefix: Prefix = "10.0.0.0/8".parse().unwrap();
    let set = AttributeSet::new(NextHop::V4(Ipv4Addr::new(192, 0, 2, 1)));
    (prefix.into(), set.freeze())
}

fn map(action: Action) -> Policy {
    Policy::Map(Arc::new(
        RouteMap::new("MAP", vec![Entry::new(10, action)]).unwrap(),
    ))
}

#[test]
fn a_policy_without_a_map_takes_all_or_nothing_and_says_so() {
    let (nlri, attributes) = route();
    let mut trace = Trace::new();
    let verdict = Policy::AcceptAll.evaluate(&nlri, &attributes, Some(&mut trace));
    assert_eq!(verdict, Verdict::Accept);
    let reject = Policy::RejectAll("no import policy".into());
    let verdict = reject.evaluate(&nlri, &attributes, Some(&mut trace));
    assert_eq!(verdict, Verdict::Reject);
    assert_eq!(
        trace.to_string(),
        "no route-map: accepted\nrejected: no import policy"
    );
}

#[test]
fn a_map_decides_where_there_is_one() {
    let (nlri, attributes) = route();
    assert!(
        map(Action::Permit)
            .evaluate(&nlri, &attributes, None)
            .is_accepted()
    );
    assert!(
        !map(Action::Deny)
            .evaluate(&nlri, &attributes, None)
            .is_accepted()
    );
}

#[test]
fn equal_policies_are_one_group_although_they_were_made_apart() {
    let policies = [
        map(Action::Permit),
        map(Action::Permit),
        map(Action::Deny),
        Policy::AcceptAll,
        Policy::AcceptAll,
        Policy::RejectAll("a".into()),
        Policy::RejectAll("a".into()),
        Policy::RejectAll("b".into()),
    ];
    assert_eq!(policies.into_iter().collect::<HashSet<_>>().len(), 5);
}
