use super::*;
use crate::message::Message;
use crate::wire::tests::message;
use crate::wire::{Context, Error, decode};

#[test]
fn every_kind_is_read_and_written() {
    let kinds = [
        (0, RefreshKind::Request),
        (1, RefreshKind::Begin),
        (2, RefreshKind::End),
        (9, RefreshKind::Unknown(9)),
    ];
    for (code, kind) in kinds {
        let bytes = message(5, &[0, 25, code, 70]);
        let refresh = RouteRefresh {
            afi: 25,
            safi: 70,
            kind,
        };
        let decoded = decode(&bytes, &Context::default());
        assert_eq!(decoded, Ok(Message::RouteRefresh(refresh)));
        assert_eq!(encode_route_refresh(&refresh), bytes);
    }
}

#[test]
fn a_marker_of_the_wrong_length_is_answered_with_the_message_itself() {
    let bytes = message(5, &[0, 1, 1, 1, 0]);
    let error = decode(&bytes, &Context::default()).expect_err("5 octets");
    assert_eq!(error.notification(), Notification::new(7, 1, &bytes));
}

#[test]
fn a_request_of_the_wrong_length_is_a_bad_message_length() {
    let bytes = message(5, &[0, 1, 0, 1, 0]);
    let error = decode(&bytes, &Context::default()).expect_err("5 octets");
    assert!(matches!(error, Error::RouteRefresh(_)));
    assert_eq!(error.notification(), Notification::new(1, 2, &[0, 24]));
}

#[test]
fn an_unknown_subtype_of_any_length_is_left_to_be_ignored() {
    let bytes = message(5, &[0, 1, 77, 1, 0]);
    assert!(decode(&bytes, &Context::default()).is_ok());
}
