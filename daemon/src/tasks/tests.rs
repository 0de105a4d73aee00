use super::*;

fn address(text: &str) -> ScopedAddr {
    ScopedAddr::from(text.parse::<std::net::IpAddr>().unwrap())
}

#[test]
fn nobody_is_a_stranger_before_the_neighbors_are_there() {
    let registry = Registry::default();
    let from = address("10.10.0.2");
    assert_eq!(registry.newcomer(from), Newcomer::TooEarly);
    registry.lock().ranges = Some(vec!["10.20.0.0/16".parse().unwrap()]);
    assert_eq!(registry.newcomer(from), Newcomer::Stranger);
    assert_eq!(registry.newcomer(address("10.20.0.2")), Newcomer::Welcome);
}
