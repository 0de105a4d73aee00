use super::*;
use crate::config::parse;

const TOP: &str = "asn = 65001\nrouter_id = \"10.0.0.1\"\n";

fn config(rest: &str) -> Config {
    let text = format!("{TOP}{rest}");
    parse(&text, "x.toml").unwrap_or_else(|errors| panic!("{}\n{rest}", errors[0]))
}

fn range(prefix: &str, keys: &str) -> String {
    format!("[[listen_range]]\nprefix = \"{prefix}\"\nremote_as = 65002\n{keys}\n")
}

fn neighbor(keys: &str) -> String {
    format!("[[neighbor]]\naddress = \"10.0.0.2\"\nremote_as = 65002\n{keys}\n")
}

/// For whom keys stand, with their numbers.
type Standing<'a> = (&'a str, &'a [u8]);

/// `tcp_ao` with these numbers, each with a secret of its own.
fn ao(ids: &[u8]) -> String {
    let keys = ids.iter();
    let keys = keys.map(|id| format!("{{ id = {id}, secret = \"secret {id}\" }}"));
    format!("tcp_ao = [{}]", keys.collect::<Vec<_>>().join(", "))
}

fn numbers(signing: Option<&Signing>) -> Vec<u8> {
    match signing {
        Some(Signing::Ao(keys)) => keys.keys().iter().map(|key| key.id).collect(),
        Some(Signing::Md5(_)) => vec![255],
        None => Vec::new(),
    }
}

fn shown(keys: &Keys) -> Vec<(String, Vec<u8>)> {
    let keys = keys.iter();
    keys.map(|(peer, keys)| (peer.to_string(), numbers(Some(keys))))
        .collect()
}

fn changes(before: &str, after: &str) -> Vec<(String, Vec<u8>, Vec<u8>)> {
    let [before, after] = [before, after].map(|text| wanted(&config(text)));
    steps(&before, &after)
        .iter()
        .map(|(peer, before, after)| {
            let [before, after] = [before, after].map(|it| numbers(it.as_ref()));
            (peer.to_string(), before, after)
        })
        .collect()
}

#[test]
fn a_host_has_the_keys_alone_that_the_network_around_it_has_not() {
    let table: [(String, &[Standing]); 5] = [
        (
            range("10.0.0.0/8", &ao(&[1, 2])) + &neighbor(&ao(&[2, 1])),
            &[("10.0.0.0/8", &[1, 2])],
        ),
        (
            range("10.0.0.0/8", &ao(&[1])) + &neighbor(&ao(&[1, 3])),
            &[("10.0.0.0/8", &[1]), ("10.0.0.2/32", &[3])],
        ),
        (
            range("10.9.0.0/16", &ao(&[1])) + &neighbor(&ao(&[1])),
            &[("10.0.0.2/32", &[1]), ("10.9.0.0/16", &[1])],
        ),
        (
            range("10.0.0.2/32", &ao(&[1])) + &neighbor(&ao(&[1, 2])),
            &[("10.0.0.2/32", &[1, 2])],
        ),
        // The longest network counts for passwords, so both stand.
        (
            range("10.0.0.0/8", "password = \"x\"") + &neighbor("password = \"x\""),
            &[("10.0.0.0/8", &[255]), ("10.0.0.2/32", &[255])],
        ),
    ];
    for (text, expected) in table {
        let expected = expected.iter();
        let expected: Vec<(String, Vec<u8>)> = expected
            .map(|(peer, ids)| ((*peer).to_owned(), ids.to_vec()))
            .collect();
        assert_eq!(shown(&wanted(&config(&text))), expected, "{text}");
    }
}

#[test]
fn what_goes_has_gone_before_the_first_key_comes() {
    let named = neighbor(&ao(&[1]));
    let open = range("10.0.0.0/8", &ao(&[1]));
    let network = "10.0.0.0/8".to_owned();
    let host = "10.0.0.2/32".to_owned();
    // A range becomes a named neighbour with its key, and back.
    assert_eq!(
        changes(&open, &named),
        [
            (network.clone(), vec![1], vec![]),
            (host.clone(), vec![], vec![1])
        ]
    );
    assert_eq!(
        changes(&named, &open),
        [
            (host.clone(), vec![1], vec![]),
            (network.clone(), vec![], vec![1])
        ]
    );
    // Both change keys: the one that stays is never away.
    let both = |ids: &[u8], own: &[u8]| range("10.0.0.0/8", &ao(ids)) + &neighbor(&ao(own));
    assert_eq!(
        changes(&both(&[1, 2], &[1, 2, 3]), &both(&[2, 3], &[2, 3, 4])),
        [
            (network.clone(), vec![1, 2], vec![2]),
            (host.clone(), vec![3], vec![]),
            (network.clone(), vec![2], vec![2, 3]),
            (host.clone(), vec![], vec![4]),
        ]
    );
    assert_eq!(changes(&both(&[1], &[1, 2]), &both(&[1], &[1, 2])), []);
    // Another kind of key.
    assert_eq!(
        changes(&named, &neighbor("password = \"x\"")),
        [
            (host.clone(), vec![1], vec![]),
            (host.clone(), vec![], vec![255])
        ]
    );
    // A password that changes is replaced, and never away.
    assert_eq!(
        changes(&neighbor("password = \"x\""), &neighbor("password = \"y\"")),
        [(host, vec![255], vec![255])]
    );
}
